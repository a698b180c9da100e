"""How exact derivatives of order 1 to 6 are: nested `jvp` and `grad` against the definition.

The definition is evaluated in Taylor arithmetic on balls. A derivative's error is measured against
the largest magnitude that this derivative has nearby: within 1/8 on the same analytic piece, or
within half the distance to the piece's end, where that is less.

As a module it serves the law in test_orders.py; as a program it prints one row per function and
format, errors of the orders 3 to 6:

    python tests/orders.py --functions tanh --dtypes float32
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

from cases import Case, cases, precision
from oracle import evaluate

HIGHEST = 6
REACH = 1 / 8
BESIDE = np.array([1e-30, 1e-6, 1e-3, 0.03])  # a kink, a root or 0
FAR = np.array([9.0, 15.0, 20.0, 30.0, 50.0, 87.0, 110.0, 1e3, 1e6, 1e12])
PLACES = np.array([-1.0, -0.5, -0.2, 0.2, 0.5, 1.0])  # of the window


class Orders(NamedTuple):
    """Errors of the derivatives of one function, by order from 1.

    Attributes:
        xs: the inputs.
        errors: of every order at every input, in terms of the derivative's scale there.
        got: the derivatives.
        exact: what they ought to be.
    """

    xs: np.ndarray
    errors: np.ndarray
    got: np.ndarray
    exact: np.ndarray

    @property
    def worst(self) -> np.ndarray:
        """The largest error of each order."""
        return np.max(self.errors, axis=1)


def by_jvp(function: Callable[..., jax.Array], highest: int = HIGHEST) -> Callable:
    """All derivatives of an elementwise function from the first, in forward mode."""

    def tower(order: int, x):
        if order == 0:
            return (function(x),)
        lower, along = jax.jvp(functools.partial(tower, order - 1), (x,), (jnp.ones_like(x),))
        return *lower, along[-1]

    return lambda x: tower(highest, x)[1:]


def by_grad(function: Callable[..., jax.Array], highest: int = HIGHEST) -> Callable:
    """The same in reverse mode."""
    derivatives = [function]
    for _ in range(highest):
        derivatives.append(jax.grad(lambda x, f=derivatives[-1]: jnp.sum(f(x))))
    return lambda x: [f(x) for f in derivatives[1:]]


MODES = {"jvp": by_jvp, "grad": by_grad}


def inputs(case: Case, dtype) -> np.ndarray:
    """Points at and beside 0, kinks and roots, spread between them, and far out."""
    kinks = np.array(list(case.kinks), np.float64)
    spread = np.random.default_rng(0).uniform(-8, 8, 64)
    offsets = np.concatenate([-BESIDE, [-0.0, 0.0], BESIDE])
    places = np.concatenate([[0.0], kinks])
    beside = (places[:, None] + offsets).ravel()
    xs = np.concatenate([beside, spread, -FAR, FAR, [-0.0]]).astype(dtype)
    steps = [np.nextafter(kinks.astype(dtype), np.asarray(side, dtype)) for side in (-9, 9)]
    xs = np.concatenate([xs, *steps])
    _, first = np.unique(xs.view(f"u{xs.itemsize}"), return_index=True)
    xs = xs[first]
    points = xs.astype(np.float64)
    tiny = float(np.finfo(dtype).tiny)
    return xs[case.inside(points) & ((points == 0) | (np.abs(points) >= tiny))]


def exact(
    formula: Callable, xs: np.ndarray, parameters: Mapping[str, Any], ends: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives from the first, and the scale of each."""
    reach = np.full(xs.shape, REACH)
    for end in ends:
        reach = np.minimum(reach, np.abs(xs - end) / 2)
    places = xs + np.concatenate([[0.0], PLACES])[:, None] * reach
    rows = evaluate(formula, places.ravel(), HIGHEST, parameters)
    table = np.array([row.hi for row in rows[1:]]).reshape(HIGHEST, *places.shape)
    return table[:, 0], np.max(np.abs(table), axis=1)


def measure(
    case: Case, dtype, mode: str = "jvp", function: Callable[..., jax.Array] | None = None
) -> Orders:
    """The errors of an activation, or of another function, on the inputs of a case."""
    xs = inputs(case, dtype)
    truth, scale = _truth(case, np.dtype(dtype).name)
    with precision(dtype):
        got = np.stack(jax.jit(MODES[mode](function or case))(jnp.asarray(xs)))
    assert got.dtype == dtype
    return Orders(xs, errors(got, truth, scale), got, truth)


@functools.lru_cache(8)
def _truth(case: Case, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    ends = [*case.kinks, *case.entry.domain(**case.parameters)]
    xs = inputs(case, dtype).astype(np.float64)
    return exact(case.entry.formula, xs, case.parameters, ends)


def errors(got: np.ndarray, truth: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of every derivative, in terms of its scale; what is subnormal may be flushed."""
    info = np.finfo(got.dtype)
    largest, least = float(info.max), float(info.tiny)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        off = np.abs(got.astype(np.float64) - truth)
        off = np.where(np.abs(truth) > largest, np.where(got == np.sign(truth) * np.inf, 0, np.inf), off)
        relative = np.where(off <= least, 0.0, off / scale)
    return np.nan_to_num(relative, nan=np.inf, posinf=np.inf)


def globally(o):
    with np.errstate(all="ignore"):
        t = np.where(np.isfinite(o.exact.astype(o.got.dtype)), o.exact, 0)
        off = np.abs(o.got - o.exact) / np.maximum(np.max(np.abs(t), axis=1), 1e-37)[:, None]
    off = np.where(np.isfinite(t), off, 0)
    return np.max(np.nan_to_num(off, nan=np.inf), axis=1)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="*")
    parser.add_argument("--dtypes", nargs="*", default=["float32", "float64"])
    parser.add_argument("--modes", nargs="*", default=["jvp"])
    parser.add_argument("--points", action="store_true", help="where each order is worst")
    options = parser.parse_args()
    for case in cases("elementwise", "random"):
        if options.functions and case.entry.name not in options.functions:
            continue
        for dtype in options.dtypes:
            for mode in options.modes:
                found = measure(case, np.dtype(dtype), mode)
                own = " ".join(f"{e:8.1e}" for e in found.worst)
                peer = getattr(jax.nn, case.entry.name, None)
                other = ""
                if peer and not options.points:
                    try:
                        p = measure(case, np.dtype(dtype), mode, functools.partial(peer, **case.parameters))
                        other = "| " + " ".join(f"{e:8.1e}" for e in p.worst[2:]) + " | " + " ".join(f"{e:8.1e}" for e in globally(found)[2:]) + " | " + " ".join(f"{e:8.1e}" for e in globally(p)[2:])
                    except Exception as e: other = repr(e)[:50]
                print(f"{str(case):40.40} {dtype} {own}   {other}", flush=True)
                if options.points:
                    for k in range(HIGHEST):
                        for i in np.argsort(-found.errors[k])[:4]:
                            print("   ", k+1, found.xs[i], found.got[k, i], found.exact[k, i], f"{found.errors[k,i]:.1e}")


if __name__ == "__main__":
    main()
