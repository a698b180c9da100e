"""Exact derivatives at millions of points: interpolated between points evaluated in balls.

Interpolation rounds, and differently on each processor. What its error could decide is evaluated
one by one instead, so that every processor gets the same roundings.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import DTypeLike

from .exact import Exact, evaluate
from .ulp import unit_of

_ACCURACY = 2.0**-44  # relative, of what is interpolated: 2^-20 of a float32's last place
_ROUNDING = 2.0**-51  # of the interpolation itself, relative to its largest value
_MARGIN = 4 * _ACCURACY  # within it of where a rounding changes, nothing interpolated is trusted
_FEW, _MANY = 40, 2**15  # points of a piece: fewer cost no more one by one, more leave the cache
_NODES = np.cos(np.pi * (np.arange(16) + 0.5) / 16)
_CHECKS = np.array([-1, -0.98, -0.6, -0.1, 0.4, 0.75, 0.96, 1])
_TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(_NODES, 15))


def evaluate_many(
    formula: Callable[..., Any],
    xs: np.ndarray,
    order: int = 0,
    params: Mapping[str, float] | None = None,
    *,
    wrt: str | None = None,
    times: int = 1,
    dtype: DTypeLike = np.float32,
) -> list[Exact]:
    """What `evaluate` gives, to 44 bits, at points so many that one by one takes too long.

    The points are cut into pieces, within which a polynomial through 16 points is trusted if it
    agrees at 8 others, both ends among them. A piece where it does not is halved, and a short one,
    or a point too close to a root, is evaluated one by one. So no kink has to be known: it ends up
    in a short piece. What oscillates everywhere, as sin does far out, gains nothing.

    Args:
        formula: `formula(m, x, **params)`.
        xs: finite points, one axis.
        order: the highest derivative in x.
        params: the formula's parameters, numbers or flags.
        wrt: a parameter to differentiate by as well.
        times: how often to differentiate by it.
        dtype: the format to be judged: below its least normal number the error is relative to that.

    Returns:
        For every order from 0, the derivative at all points; lo is zero where it was interpolated.
    """

    def one_by_one(points):
        exact = evaluate(formula, points, order, params, wrt=wrt, times=times, dtype=dtype)
        return np.stack([row.hi for row in exact]), np.stack([row.lo for row in exact])

    ascending = np.argsort(xs, kind="stable")
    xs = np.asarray(xs, np.float64)[ascending]
    least = float(ml_dtypes.finfo(dtype).smallest_normal)
    values, rest = np.zeros((2, order + 1, len(xs)))
    pieces = _binades(xs)
    while pieces:
        start, stop = pieces.pop()
        points = xs[start:stop]
        if len(points) <= _FEW:
            values[:, start:stop], rest[:, start:stop] = one_by_one(points)
            continue
        middle = start + len(points) // 2
        if len(points) <= _MANY:
            piece, doubtful = _interpolate(one_by_one, points, least)
            if np.count_nonzero(doubtful) <= len(points) // 8:
                doubtful |= np.any(_is_close_call(piece, dtype), axis=0)
                piece[np.abs(piece) < unit_of(0.0, dtype) / 2] = 0
                values[:, start:stop] = piece
                again = start + np.flatnonzero(doubtful)
                values[:, again], rest[:, again] = one_by_one(xs[again])
                continue
        pieces += [(start, middle), (middle, stop)]
    values[:, ascending], rest[:, ascending] = values.copy(), rest.copy()
    return [Exact(*pair) for pair in zip(values, rest, strict=True)]


@np.errstate(invalid="ignore", over="ignore")
def _is_close_call(values: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """Whether the rounding of each number to a format, or if it counts, hangs on its last bits."""
    unit, least = unit_of(values, dtype), float(ml_dtypes.finfo(dtype).smallest_normal)
    magnitudes = np.abs(values)
    margin = _MARGIN * np.maximum(magnitudes, least)
    tie = (np.floor(magnitudes / unit) + 0.5) * unit
    return np.any([np.abs(magnitudes - edge) <= margin for edge in (tie, least)], axis=0)


def _binades(xs: np.ndarray) -> list[tuple[int, int]]:
    """Pieces of one sign and one exponent."""
    mantissas, exponents = np.frexp(xs)
    cuts = 1 + np.flatnonzero(np.diff(exponents) | np.diff(np.sign(mantissas)).astype(bool))
    bounds = [0, *cuts.tolist(), len(xs)]
    return list(itertools.pairwise(bounds))


@np.errstate(invalid="ignore", over="ignore")  # what overflows a double is evaluated one by one
def _interpolate(one_by_one, points: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated rows of derivatives, and at which points one of them is not accurate enough."""
    center, half = (points[-1] + points[0]) / 2, (points[-1] - points[0]) / 2
    places = np.concatenate(
        [center + half * _NODES, center + half * _CHECKS[1:-1], points[[0, -1]]]
    )
    exact, _ = one_by_one(places)
    coefficients = _TO_COEFFICIENTS @ exact[:, : len(_NODES)].T
    checks = slice(len(_NODES), None)
    tested = chebyshev.chebval((places[checks] - center) / half, coefficients)
    error = np.max(np.abs(tested - exact[:, checks]), axis=1)
    error = 2 * np.maximum(error, _ROUNDING * np.max(np.abs(exact), axis=1))
    values = chebyshev.chebval((points - center) / half, coefficients)
    tolerance = _ACCURACY * np.maximum(np.abs(values), least)
    return values, ~np.all(error[:, None] <= tolerance, axis=0)
