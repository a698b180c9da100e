"""How exact each activation is: value, slope and curvature against its definition.

As a module it serves the law in test_accuracy.py; as a program it prints one row per function,
format and order:

    python tests/accuracy.py --functions silu --dtypes float32 --size 1000000
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle import (
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


class Row(NamedTuple):
    """One line of the accuracy table."""

    name: str
    parameters: Mapping[str, Any]
    dtype: np.dtype
    order: int
    score: Score


def derivatives(function: Callable[[jax.Array], jax.Array], xs: np.ndarray) -> list[np.ndarray]:
    """Value, slope and curvature of an elementwise function at all points, compiled as one."""

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
    xs = all_patterns(dtype) if dtype.itemsize == 2 else stratified(dtype, size, around=around)
    points = xs.astype(np.float64)
    return xs[(domain[0] < points) & (points < domain[1])]


@functools.cache
def _roots(formula: Callable, order: int, parameters: tuple, domain: tuple) -> tuple:
    span = max(-32.0, domain[0] + 1 / 32), min(32.0, domain[1] - 1 / 32)
    return tuple(find_roots(formula, order, dict(parameters), span=span))


def roots(entry: Entry, parameters: Mapping[str, Any]) -> list[tuple]:
    """The roots of value, slope and curvature."""
    setting, domain = tuple(parameters.items()), entry.domain(**parameters)
    return [_roots(entry.formula, n, setting, domain) for n in range(len(ORDERS))]


def measure(
    entry: Entry, parameters: Mapping[str, Any], dtype: Any, size: int = 2**14
) -> Iterator[Row]:
    """Scores value, slope and curvature of one activation in one format."""
    kinks = np.array(list(entry.kinks(**parameters)), np.float64)
    own_roots = roots(entry, parameters)
    around = (*kinks, *(root.x for group in own_roots for root in group))
    xs = inputs(dtype, size, around, entry.domain(**parameters))
    got = derivatives(functools.partial(entry.function, **parameters), xs)
    oracle = evaluate if xs.dtype == np.float64 else evaluate_many
    exact = oracle(entry.formula, xs.astype(np.float64), len(ORDERS) - 1, parameters, dtype=dtype)
    smooth = ~np.isin(xs, kinks.astype(xs.dtype))
    for order, (result, truth) in enumerate(zip(got, exact, strict=True)):
        kept = smooth if order else np.ones_like(smooth)
        # A value is relatively exact beside its own root too; a derivative need not be.
        near = own_roots[order] if order else ()
        truth = Exact(truth.hi[kept], truth.lo[kept])
        result = score(xs[kept], result[kept], truth, near)
        yield Row(entry.name, parameters, np.dtype(dtype), order, result)


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
