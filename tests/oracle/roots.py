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
        span: where to look.
    """

    def derivative(xs):
        return evaluate(formula, xs, order, params, wrt=wrt).hi[order]

    grid = np.linspace(*span, int(32 * (span[1] - span[0])) + 1)
    values = derivative(grid)
    nonzero = np.flatnonzero(values)
    changes = np.signbit(values[nonzero[1:]]) != np.signbit(values[nonzero[:-1]])
    brackets = np.diff(nonzero) <= 2  # at most one zero of the grid between them
    left, right = (grid[nonzero[ends][changes & brackets]] for ends in (slice(-1), slice(1, None)))
    ...
