"""Roots of a derivative, beside which a relative error means nothing and an absolute one is asked.

The rule: within 1/8 of a root of the n-th derivative, the error is measured against the largest
magnitude that this derivative has there.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .exact import evaluate

REACH = 1 / 8


class Root(NamedTuple):
    """A root of a derivative, and that derivative's largest magnitude within 1/8 of it."""

    x: float
    scale: float


def find_roots(
    formula: Callable[..., Any],
    order: int,
    params: Mapping[str, float] | None = None,
    *,
    wrt: str | None = None,
    times: int = 1,
    span: tuple[float, float] = (-32.0, 32.0),
) -> list[Root]:
    """Where the derivative of the given order changes its sign without a jump.

    Found on a grid of 1/32, then by bisection. A derivative that is zero on a whole stretch has no
    root there.

    Args:
        formula: `formula(m, x, **params)`.
        order: which derivative in x.
        params: the formula's parameters.
        wrt: a parameter to differentiate by as well.
        times: how often to differentiate by it.
        span: where to look.
    """

    def derivative(xs):
        return evaluate(formula, xs, order, params, wrt=wrt, times=times)[order].hi

    grid = np.linspace(*span, int(32 * (span[1] - span[0])) + 1)
    values = derivative(grid)
    nonzero = np.flatnonzero(values)
    first, second = nonzero[:-1], nonzero[1:]
    changes = (values[first] * values[second] < 0) & (second - first <= 2)
    left, right, sign = grid[first[changes]], grid[second[changes]], np.sign(values[first[changes]])
    for _ in range(64):
        middle = (left + right) / 2
        before = np.sign(derivative(middle)) == sign
        left, right = np.where(before, middle, left), np.where(before, right, middle)

    around = right[:, None] + np.linspace(-REACH, REACH, 65)
    scales = np.max(np.abs(derivative(around.ravel()).reshape(around.shape)), axis=1)
    jump = np.abs(derivative(right) - derivative(left)) > scales * 2.0**-20
    return [Root(*root) for root in zip(right[~jump].tolist(), scales[~jump].tolist(), strict=True)]
