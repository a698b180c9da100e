"""Every float32 there is: what a function returns, against its definition, at all of them.

Half a minute a function on two cores; test_exhaustive.py asserts the bounds, docs/accuracy.py
tabulates what is found.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from oracle import Score, evaluate, score
from oracle.runs import fit, floats

FINITE = (*range(0x7F8), *range(0x800, 0xFF8))  # chunks of 2^20 bit patterns, of either sign
SUBNORMAL = frozenset((*range(8), *range(0x800, 0x808)))
NOTHING = Score(0.0, np.nan, 0, 0, 0.0, 0.0)
_BARELY = 2.0**-12  # ULP: what is misrounded by less, the polynomials cannot tell
_UNSURE = 2.0**-37  # relative: nor what is nearer than this to where it overflows or vanishes


def judge(
    function: Callable[[np.ndarray], Any],
    formula: Callable[..., Any],
    parameters: Mapping[str, Any],
    domain: tuple[float, float] = (-np.inf, np.inf),
    chunks: Iterable[int] = FINITE,
) -> Score:
    """Scores a function of one float32 array at all finite floats within its domain.

    Args:
        function: what is judged; it is called as anyone calls it.
        formula: its definition, `formula(math, x, **parameters)`.
        parameters: the definition's parameters.
        domain: where it is defined; its ends are left out.
        chunks: which floats, if not all: see `oracle.runs.floats`.
    """
    total = Score(0.0, np.nan, 0, 0, 0.0, 0.0)
    for chunk in chunks:
        xs = floats(chunk)
        if not domain[0] < xs.min() <= xs.max() < domain[1]:
            continue
        got = np.asarray(function(xs))
        *runs, alone = fit(formula, chunk, parameters)
        with jax.enable_x64(True):
            errors = _errors(got, *runs, chunk not in SUBNORMAL)
            worst, *counts, subnormal = (found.item() for found in _summary(errors))
        at = float(xs[np.nanargmax(errors)]) if worst > total.worst else np.nan
        total = _together(total, Score(worst, at, *counts, 0.0, subnormal))
        if alone.size:
            exact = evaluate(formula, xs[alone], 0, parameters, dtype=np.float32)[0]
            total = _together(total, score(xs[alone], got[alone], exact))
    return total


@jax.jit
def _errors(got, first, step, coefficients, normal) -> Array:
    """The error of each value that counts, in ULP; of others -1 less it; NaN if nothing is known.

    One array for both: to compute it takes less time than to look through it.
    """
    got, places = got.astype(np.float64), jnp.arange(got.size // first.size, dtype=np.float64)
    t = first[:, None] + step[:, None] * places[None]
    exact = functools.reduce(lambda y, c: y * t + c[:, None], coefficients, jnp.zeros_like(t))
    exact = exact.ravel()
    rounded = exact.astype(np.float32).astype(np.float64)
    # One over the unit in the last place: its exponent is 23 less the number's, or the least.
    exponent = lax.bitcast_convert_type(rounded, np.int64) >> 52 & 0x7FF
    per_unit = 2 * 1023 + 23 - jnp.maximum(exponent, 1023 - 126) << 52
    errors = jnp.abs(got - exact) * lax.bitcast_convert_type(per_unit, np.float64)
    errors = jnp.where(jnp.isfinite(rounded), errors, jnp.where(got == rounded, 0, np.inf))
    errors = jnp.where(jnp.isnan(got), np.inf, errors).astype(np.float32)
    # At the tie between the largest number and infinity either is right.
    largest, overflow = float(np.finfo(np.float32).max), 2.0**128 - 2.0**103
    is_tie = jnp.abs(jnp.abs(exact) - overflow) <= _UNSURE * overflow
    is_neighbour = (jnp.abs(got) >= largest) & (jnp.sign(got) == jnp.sign(exact))
    errors = jnp.where(is_tie & is_neighbour, np.float32(0.5), errors)
    least = float(np.finfo(np.float32).smallest_normal) * (1 + _UNSURE)
    counts = normal & ((jnp.abs(exact) > least) | (exact == 0))
    return jnp.where(counts, errors, jnp.where(exact == exact, -1 - errors, np.nan))


@jax.jit
def _summary(errors: Array) -> tuple[Array, ...]:
    """The worst error that counts, how many are misrounded, how many count, the worst other."""
    worst, least = jnp.nanmax(errors, initial=0), jnp.nanmin(errors, initial=-1)
    return worst, jnp.sum(errors > 0.5 + _BARELY), jnp.sum(errors >= 0), -1 - least


def _together(a: Score, b: Score) -> Score:
    """The score of the results of both."""
    worse = a if a.worst >= b.worst else b
    missed, counted = a.misrounded + b.misrounded, a.counted + b.counted
    subnormal = max(a.subnormal, b.subnormal)
    return Score(worse.worst, worse.at, missed, counted, 0.0, subnormal)
