"""The best few levels for a slope: least squares by dynamic programming."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

REACH, CELLS = 6.0, 1200  # of the grid: its edges meet 0, 1, 3 and 6, where kinks are


class Levels(NamedTuple):
    """A step function.

    Attributes:
        cuts: where it jumps, in ascending order; a cut belongs to the step below it.
        values: what it is on each step.
    """

    cuts: tuple[float, ...]
    values: tuple[float, ...]


def fit(function: Callable[[Array], Array], count: int, domain: tuple[float, float]) -> Levels:
    """The step function of `count` steps that is nearest to the slope of a function.

    Nearest in the mean square over standard normal inputs within the domain. The jumps are at
    multiples of 0.01.

    Raises:
        ValueError: if a slope is not finite.
    """
    edges = np.linspace(-REACH, REACH, CELLS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    inside = (domain[0] < middles) & (middles < domain[1])
    with jax.ensure_compile_time_eval():
        x = jnp.asarray(middles[inside], np.float32)
        slopes = np.asarray(jax.jvp(function, (x,), (jnp.ones_like(x),))[1], np.float64)
    if not np.isfinite(slopes).all():
        raise ValueError(
            f"jaxact.backward.few_bit: f is {function!r}, whose slope is not finite everywhere: "
            "pass finite parameters"
        )
    weights = np.exp(-(middles[inside] ** 2) / 2)
    starts = best_split(slopes, weights / weights.sum(), count)
    runs = [slice(a, b) for a, b in itertools.pairwise([*starts, len(slopes)])]
    means = [np.average(slopes[run], weights=weights[run]) for run in runs]
    lower_edges = edges[:-1][inside]
    cuts = tuple(round(float(lower_edges[s]), 2) for s in starts[1:])
    return Levels(cuts, tuple(map(float, means)))


def best_split(values: np.ndarray, weights: np.ndarray, count: int) -> list[int]:
    """Where each of `count` runs begins, so that the runs' variances add up to the least."""
    size = len(values)
    moments = [weights, weights * values, weights * values**2]
    mass, first, second = (np.concatenate([[0], np.cumsum(m)]) for m in moments)
    begin, end = np.arange(size + 1)[:, None], np.arange(size + 1)[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = second[end] - second[begin]
        spread = spread - (first[end] - first[begin]) ** 2 / (mass[end] - mass[begin])
    spread = np.where(end > begin, np.maximum(spread, 0), np.inf)
    best, choices = spread[0], []
    for _ in range(count - 1):
        total = best[:, None] + spread
        choices.append(np.argmin(total, axis=0))
        best = np.min(total, axis=0)
    starts = [size]
    for choice in reversed(choices):
        starts.append(int(choice[starts[-1]]))
    return [0, *reversed(starts[1:])]
