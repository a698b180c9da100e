"""How exact derivatives of order 1 to 6 are: nested `jvp` and `grad` against the definition.

The definition is evaluated in Taylor arithmetic on balls. A derivative's error is measured against
the largest magnitude that this derivative has nearby: within 1/8 on the same analytic piece, or
within half the distance to the piece's end, where that is less.

As a module it serves the law in test_orders.py; as a program it prints one row per function and
format, with the largest errors of all orders, and those of jax.nn's own function:

    python tests/orders.py --functions tanh --dtypes float32
"""

import argparse
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from cases import Case, cases, precision
from oracle import REACH, evaluate

HIGHEST = 6
KINDS = ("elementwise", "random", "gate")
OTHERS = (1.25, -0.75)  # what the other array of a gate is
BESIDE = np.array([1e-30, 1e-6, 1e-3, 0.03])  # 0 and kinks
FAR = np.array([9.0, 15.0, 20.0, 30.0, 50.0, 87.0, 110.0, 1e3, 1e6, 1e12])
PLACES = np.array([0.0, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0])  # of the window, in its reach


class Subject(NamedTuple):
    """A function of one number whose derivatives are judged.

    Attributes:
        name: what it is called in tables.
        function: what is judged, on arrays.
        formula: its definition, `formula(math, x)`.
        kinks: where one analytic piece ends and another begins.
        domain: where it is defined.
        peer: the same function in jax.nn, if it is there.
    """

    name: str
    function: Callable[[Array], Array]
    formula: Callable[[Any, Any], Any]
    kinks: tuple[float, ...]
    domain: tuple[float, float]
    peer: Callable[[Array], Array] | None = None


def subjects(case: Case) -> list[Subject]:
    """An activation as a function of one number: of its input, or of either array of a gate."""
    entry = case.entry
    domain = entry.domain(**case.parameters)
    kinks = tuple(entry.kinks(**case.parameters))
    if entry.kind != "gate":
        formula = lambda math, x: entry.formula(math, x, **case.parameters)
        return [Subject(repr(case), case, formula, kinks, domain, _peer(case))]
    names = list(inspect.signature(entry.formula).parameters)[1:3]

    def by(position: int, other: float) -> Subject:
        def ordered(x, y):
            return (x, y) if position == 0 else (y, x)

        def formula(math, x):
            return entry.formula(math, *ordered(x, other), **case.parameters)

        def function(x):
            return case(*ordered(x, jnp.full_like(x, other)))

        name = f"{case} by {names[position]} ({names[1 - position]} = {other})"
        return Subject(name, function, formula, kinks, domain)

    return [by(position, other) for position in (0, 1) for other in OTHERS]


def with_arrays(case: Case, dtype) -> Subject:
    """An activation whose parameters are arrays."""
    arrays = {name: np.asarray(value, dtype) for name, value in case.learnable.items()}
    rounded = {
        name: tuple(map(float, a)) if a.ndim else float(a)  # as the format holds them
        for name, a in arrays.items()
    }
    (subject,) = subjects(Case(case.entry, {**case.parameters, **rounded}))

    def function(x):
        return case(x, **{name: jnp.asarray(a) for name, a in arrays.items()})

    return subject._replace(name=f"{case} with arrays", function=function, peer=None)


def _peer(case: Case) -> Callable[[Array], Array] | None:
    """The function of jax.nn with the same parameters, if there is one."""
    peer = getattr(jax.nn, case.entry.name, None)
    if peer is None:
        return None
    understood = inspect.signature(peer).parameters
    given = {k: v for k, v in case.parameters.items() if k in understood}
    left = set(case.parameters) - set(given)
    is_default = all(case.signature.parameters[k].default == case.parameters[k] for k in left)
    return functools.partial(peer, **given) if is_default else None


def by_jvp(function: Callable[[Array], Array], highest: int = HIGHEST) -> Callable:
    """All derivatives of an elementwise function from the first, in forward mode."""

    def tower(order: int, x):
        if order == 0:
            return (function(x),)
        lower, along = jax.jvp(functools.partial(tower, order - 1), (x,), (jnp.ones_like(x),))
        return *lower, along[-1]

    return lambda x: tower(highest, x)[1:]


def by_grad(function: Callable[[Array], Array], highest: int = HIGHEST) -> Callable:
    """The same in reverse mode."""
    derivatives = [function]
    for _ in range(highest):
        derivatives.append(jax.grad(lambda x, f=derivatives[-1]: jnp.sum(f(x))))
    return lambda x: [f(x) for f in derivatives[1:]]


MODES = {"jvp": by_jvp, "grad": by_grad}


class Errors(NamedTuple):
    """The errors of the derivatives of one function, a row for each order from 1.

    Attributes:
        xs: the inputs.
        nearby: at each input, in terms of what the derivative is nearby.
        overall: the largest one in terms of the derivative's largest magnitude at any input.
    """

    xs: np.ndarray
    nearby: np.ndarray
    overall: np.ndarray

    @property
    def worst(self) -> np.ndarray:
        """The largest one nearby."""
        return np.max(self.nearby, axis=1)


class Truth(NamedTuple):
    """The exact derivatives at some inputs, and how large each is nearby: rows as above."""

    xs: np.ndarray
    derivatives: np.ndarray
    scale: np.ndarray

    def errors(self, got: np.ndarray) -> Errors:
        """The errors of derivatives: what overflows is infinite, what is subnormal may be flushed.

        So may terms of a sum, of which the product rule makes two out of one with each order.

        At a kink orders 1 and 2 are not judged: their choice there is promised, and a law of its
        own holds them to it.
        """
        info, got = np.finfo(got.dtype), got.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            overflows = np.abs(self.derivatives) > float(info.max)
            right = got == np.copysign(np.inf, self.derivatives)
            off = np.where(overflows, np.where(right, 0.0, np.inf), np.abs(got - self.derivatives))
            off = np.where(off <= 2**HIGHEST * float(info.tiny), 0.0, off)
            nearby = np.where(off > 0, off / self.scale, 0.0)
            largest = np.max(np.abs(self.derivatives), axis=1, where=~overflows, initial=0.0)
            overall = np.where(largest > 0, np.max(off, axis=1) / largest, 0.0)
        return Errors(
            self.xs, np.nan_to_num(nearby, nan=np.inf), np.nan_to_num(overall, nan=np.inf)
        )


def inputs(subject: Subject, dtype) -> np.ndarray:
    """Points at and beside 0 and kinks, spread between them, and far out."""
    kinks = np.array(subject.kinks, np.float64)
    offsets = np.concatenate([-BESIDE, [0.0], BESIDE])
    beside = np.concatenate([[0.0], kinks])[:, None] + offsets
    spread = np.random.default_rng(0).uniform(-8, 8, 64)
    xs = np.concatenate([beside.ravel(), spread, -FAR, FAR, [-0.0]]).astype(dtype)
    sides = [np.nextafter(kinks.astype(dtype), np.asarray(s, dtype)) for s in (-9, 9)]
    xs = np.concatenate([xs, *sides])
    _, first = np.unique(xs.view(f"u{xs.itemsize}"), return_index=True)  # keeps -0 and 0
    xs = xs[first]
    points = xs.astype(np.float64)
    inside = (subject.domain[0] < points) & (points < subject.domain[1])
    counts = (points == 0) | (np.abs(points) >= float(np.finfo(dtype).tiny))
    rounded = np.isin(xs, kinks.astype(dtype)) & ~np.isin(points, kinks)  # no kink, nor beside it
    return xs[inside & counts & ~rounded]


def exact(subject: Subject, dtype) -> Truth:
    """The derivatives by the definition, at points where a law is checked."""
    xs = inputs(subject, dtype)
    points, reach = xs.astype(np.float64), np.full(xs.shape, REACH)
    for end in (*subject.kinks, *subject.domain):
        reach = np.minimum(reach, np.abs(points - end) / 2)
    places = points + PLACES[:, None] * reach
    rows = evaluate(subject.formula, places.ravel(), HIGHEST)[1:]
    table = np.array([row.hi for row in rows]).reshape(HIGHEST, *places.shape)
    derivatives, scale = table[:, 0], np.max(np.abs(table), axis=1)
    scale[:2, np.isin(points, subject.kinks)] = np.inf
    return Truth(xs, derivatives, scale)


def measure(function: Callable[[Array], Array], truth: Truth, mode: str = "jvp") -> Errors:
    """The errors of a function's derivatives."""
    with precision(truth.xs.dtype):
        got = np.stack(jax.jit(MODES[mode](function))(jnp.asarray(truth.xs)))
    assert got.dtype == truth.xs.dtype
    return truth.errors(got)


def rows(case: Case, dtype, mode: str) -> Iterator[tuple[str, Errors, Errors | None]]:
    """The errors of an activation, and of jax.nn's, if it is there."""
    for subject in subjects(case):
        truth = exact(subject, dtype)
        theirs = subject.peer and measure(subject.peer, truth, mode)
        yield subject.name, measure(subject.function, truth, mode), theirs


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="*")
    parser.add_argument("--dtypes", nargs="*", default=["float32", "float64"])
    parser.add_argument("--modes", nargs="*", default=list(MODES), choices=MODES)
    options = parser.parse_args()
    orders = " | ".join(f"order {k}" for k in range(1, HIGHEST + 1))
    print(f"| function | library | format | mode | {orders} |\n" + "|---" * (4 + HIGHEST) + "|")
    for case in cases(*KINDS):
        if options.functions and case.entry.name not in options.functions:
            continue
        for dtype in map(np.dtype, options.dtypes):
            for mode in options.modes:
                for name, own, theirs in rows(case, dtype, mode):
                    for library, errors in (("jaxact", own), ("jax.nn", theirs)):
                        if errors:
                            worst = " | ".join(f"{e:.2g}" for e in errors.worst)
                            print(
                                f"| {name} | {library} | {dtype} | {mode} | {worst} |", flush=True
                            )


if __name__ == "__main__":
    main()
