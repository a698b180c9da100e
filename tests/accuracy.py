"""How exact each activation is: value, slope and curvature against its definition.

As a module it serves the law in test_accuracy.py; as a program it prints one row per function,
format and order:

    python tests/accuracy.py --functions silu --dtypes float32 --size 1000000
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle import (
    REACH,
    Exact,
    Score,
    all_patterns,
    evaluate,
    evaluate_many,
    find_roots,
    score,
    stratified,
)

import jaxact
from jaxact import Entry

DTYPES = (jnp.bfloat16, np.float16, np.float32, np.float64)
ORDERS = ("value", "slope", "curvature")
FARTHEST = 32.0  # from 0 that roots are looked for


class Row(NamedTuple):
    """One line of the accuracy table."""

    library: str
    name: str
    parameters: Mapping[str, Any]
    dtype: np.dtype
    order: int
    score: Score


# Value, slope and curvature at all points; None for what there is no such function of.
Derivatives = Callable[[np.ndarray], Sequence[np.ndarray | None]]


def derivatives(function: Callable[[jax.Array], jax.Array], xs: np.ndarray) -> list[np.ndarray]:
    """Value, slope and curvature of an elementwise function of JAX at all points."""

    def slope(x):
        return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]

    def curvature(x):
        return jax.jvp(slope, (x,), (jnp.ones_like(x),))[1]

    with jax.enable_x64(xs.dtype == np.float64):
        results = jax.jit(lambda x: (function(x), slope(x), curvature(x)))(jnp.asarray(xs))
        return [np.asarray(result) for result in results]


def inputs(
    dtype: np.dtype, size: int, around: tuple[float, ...], domain: tuple[float, float]
) -> np.ndarray:
    """All numbers of a 16-bit format, or a stratified sample, dense around the given points."""
    dtype = np.dtype(dtype)
    size = size if np.all(np.isinf(domain)) else 2 * size  # half of them lie outside
    xs = all_patterns(dtype) if dtype.itemsize == 2 else stratified(dtype, size, around=around)
    points = xs.astype(np.float64)
    return xs[(domain[0] < points) & (points < domain[1])]


@functools.cache
def _roots(formula: Callable, order: int, parameters: tuple, domain: tuple) -> tuple:
    return tuple(find_roots(formula, order, dict(parameters), span=_span(domain)))


def _span(domain: tuple[float, float]) -> tuple[float, float]:
    """Where roots are looked for."""
    return max(-FARTHEST, domain[0] + 1 / 32), min(FARTHEST, domain[1] - 1 / 32)


def roots(entry: Entry, parameters: Mapping[str, Any]) -> list[tuple]:
    """The roots of value, slope and curvature."""
    setting, domain = tuple(parameters.items()), entry.domain(**parameters)
    return [_roots(entry.formula, n, setting, domain) for n in range(len(ORDERS))]


def measure(
    entry: Entry,
    parameters: Mapping[str, Any],
    dtype: Any,
    size: int = 2**14,
    others: Mapping[str, Derivatives] | None = None,
) -> Iterator[Row]:
    """Scores value, slope and curvature of one activation in one format.

    Args:
        entry: the activation.
        parameters: a setting of its parameters.
        dtype: the format.
        size: about how many inputs, in formats that have more than 65,536.
        others: what else claims to be the same function, by library, to be judged on the same.
    """
    kinks = np.array(list(entry.kinks(**parameters)), np.float64)
    own_roots = roots(entry, parameters)
    around = (*kinks, *(root.x for group in own_roots for root in group))
    xs = inputs(dtype, size, around, entry.domain(**parameters))
    oracle = evaluate if xs.dtype == np.float64 else evaluate_many
    exact = oracle(entry.formula, xs.astype(np.float64), len(ORDERS) - 1, parameters, dtype=dtype)
    smooth = ~np.isin(xs, kinks.astype(xs.dtype))
    own = functools.partial(derivatives, functools.partial(entry.function, **parameters))
    for library, function in {"jaxact": own, **(others or {})}.items():
        for order, (got, truth) in enumerate(zip(function(xs), exact, strict=True)):
            if got is None:
                continue
            kept = smooth if order else np.ones_like(smooth)
            # A value is relatively exact beside its own root too; a derivative need not be.
            near = own_roots[order] if order else ()
            truth = Exact(truth.hi[kept], truth.lo[kept])
            found = score(xs[kept], got[kept], truth, near)
            yield Row(library, entry.name, parameters, xs.dtype, order, found)


def measure_by(
    entry: Entry, parameters: Mapping[str, Any], name: str, dtype: Any, size: int = 2**11
) -> Iterator[Row]:
    """Scores what a parameter's gradient is made of, element by element.

    The first derivative by the parameter, of value and of slope, and the second of the value; the
    parameter is an array of the input's shape and dtype.
    """
    number = float(np.asarray(parameters[name], dtype))
    parameters = {**parameters, name: number}
    kinks = np.array(list(entry.kinks(**parameters)), np.float64)
    xs = inputs(dtype, size, tuple(kinks), entry.domain(**parameters))
    xs = xs[~np.isin(xs, kinks.astype(xs.dtype))]
    p = np.full_like(xs, number)

    def function(x, p):
        return entry.function(x, **{**parameters, name: p})

    def by_parameter(f):
        return lambda x, p: jax.jvp(lambda p: f(x, p), (p,), (jnp.ones_like(p),))[1]

    def by_x(f):
        return lambda x, p: jax.jvp(lambda x: f(x, p), (x,), (jnp.ones_like(x),))[1]

    first = by_parameter(function)
    functions = first, by_x(first), by_parameter(first)
    with jax.enable_x64(xs.dtype == np.float64):
        got = jax.device_get(jax.jit(lambda x, p: [f(x, p) for f in functions])(xs, p))
    oracle = functools.partial(evaluate if xs.dtype == np.float64 else evaluate_many, dtype=dtype)
    points = xs.astype(np.float64)
    once = oracle(entry.formula, points, 1, parameters, wrt=name)
    twice = oracle(entry.formula, points, 0, parameters, wrt=name, times=2)
    span = _span(entry.domain(**parameters))
    counted = (0, 1), (1, 1), (0, 2)
    for result, truth, (order, times) in zip(got, once + twice, counted, strict=True):
        which = {"order": order, "params": parameters, "wrt": name, "times": times}
        kept = _away_from_far_roots(entry.formula, xs, which)
        scored = score(
            xs[kept],
            result[kept],
            Exact(truth.hi[kept], truth.lo[kept]),
            find_roots(entry.formula, **which, span=span),
        )
        what = f"{entry.name} by {name}"
        yield Row("jaxact", what, parameters, xs.dtype, order + times, scored)


def _away_from_far_roots(formula: Callable, xs: np.ndarray, which: dict) -> np.ndarray:
    """Which points have no root within 1/8 that lies where none are looked for.

    In 16 bits all have: half an ULP is asked beside roots as well.
    """
    kept = np.ones(xs.shape, bool)
    if xs.dtype.itemsize > 2:
        points = xs.astype(np.float64)
        far = np.flatnonzero((np.abs(points) > FARTHEST) & (np.abs(points) < 2.0**20))
        signs = [
            np.sign(evaluate(formula, points[far] + side, **which)[which["order"]].hi)
            for side in (-REACH, REACH)
        ]
        kept[far] = signs[0] == signs[1]
    return kept


def main() -> None:
    """Prints the table."""
    elementwise = [e for e in jaxact.CATALOG.values() if e.kind in ("elementwise", "random")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="*", default=[e.name for e in elementwise])
    parser.add_argument("--dtypes", nargs="*", default=[np.dtype(d).name for d in DTYPES])
    parser.add_argument("--size", type=int, default=2**14, help="inputs in float32 and float64")
    options = parser.parse_args()
    heading = ("function", "parameters", "dtype", "order", "ULP", "at", "misrounded", "of", "root")
    print("| " + " | ".join(heading) + " |\n" + "|---" * len(heading) + "|", flush=True)
    for entry in elementwise:
        if entry.name not in options.functions:
            continue
        for parameters in entry.samples:
            for dtype in DTYPES:
                if np.dtype(dtype).name in options.dtypes:
                    for row in measure(entry, parameters, dtype, options.size):
                        print(_line(row), flush=True)


def _line(row: Row) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in row.parameters.items())
    s = row.score
    at = "" if s.worst == 0 else f"{s.at:.9g}"
    cells = (row.name, settings, row.dtype.name, ORDERS[row.order], f"{s.worst:.5g}", at)
    return (
        "| " + " | ".join((*cells, str(s.misrounded), str(s.counted), f"{s.near_root:.3g}")) + " |"
    )


if __name__ == "__main__":
    main()
