"""Exact values at all floats: a polynomial stands for each run of consecutive ones.

The floats of one sign and exponent lie at equal distances, so a polynomial fitted to a few exact
values, and checked at others, is the truth for thousands to a million of them, to 38 bits at least.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev, polynomial

from .exact import evaluate

CHUNK = 2**20  # floats judged at a time: an eighth of an exponent's
_FEW = 2**8  # floats of a run that is not halved again, but evaluated one by one
_ACCURACY = 2.0**-38  # relative: 2^-14 of a unit in the last place
_LEAST = float(np.finfo(np.float32).smallest_normal)
_NODES = np.cos(np.pi * (np.arange(12) + 0.5) / 12)
_CHECKS = np.array([-1, -0.98, -0.6, -0.1, 0.4, 0.96, 1])
_TO_COEFFICIENTS = np.stack(
    [chebyshev.cheb2poly(column) for column in np.linalg.inv(chebyshev.chebvander(_NODES, 11)).T],
    axis=1,
)


class Runs(NamedTuple):
    """What stands for the exact values at a chunk of consecutive floats, cut into equal runs.

    Attributes:
        first: where the first float of every run lies in the reach of its polynomial, -1 to 1.
        step: how far it is there from one float to the next.
        coefficients: of the polynomials, highest power first; not-a-number where there is none.
        alone: which floats, counted from the first of the chunk, are left to be evaluated alone.
    """

    first: np.ndarray
    step: np.ndarray
    coefficients: np.ndarray
    alone: np.ndarray


def floats(chunk: int) -> np.ndarray:
    """The float32 numbers of a chunk: their bit patterns begin at `chunk * CHUNK`."""
    return _floats(chunk * CHUNK, CHUNK)


def fit(formula: Callable[..., Any], chunk: int, params: Mapping[str, Any]) -> Runs:
    """Polynomials for the values of `formula(m, x, **params)` at the floats of a chunk."""
    fitted, alone, pending = [], [], [(0, CHUNK)]
    while pending:
        start, size = pending.pop()
        coefficients = _polynomial(formula, chunk * CHUNK + start, size, params)
        if coefficients is not None:
            fitted.append((start, size, coefficients))
        elif size > _FEW:
            pending += [(start, size // 2), (start + size // 2, size // 2)]
        else:
            alone.append(np.arange(start, start + size))
    shortest = _FEW if alone else min(size for _, size, _ in fitted)
    count = CHUNK // shortest
    first, step, table = np.zeros(count), np.zeros(count), np.full((len(_NODES), count), np.nan)
    for start, size, coefficients in fitted:
        rows = slice(start // shortest, (start + size) // shortest)
        step[rows] = 2 / (size - 1)
        first[rows] = -1 + 2 / (size - 1) * np.arange(0, size, shortest)
        table[:, rows] = coefficients[:, None]
    return Runs(first, step, table, np.concatenate(alone or [np.arange(0)]))


def _floats(pattern: int, count: int) -> np.ndarray:
    return (np.uint32(pattern) + np.arange(count, dtype=np.uint32)).view(np.float32)


def _polynomial(formula, pattern: int, size: int, params) -> np.ndarray | None:
    """Coefficients for one run, or None where no polynomial is good enough."""
    ends = _floats(pattern, 1), _floats(pattern + size - 1, 1)
    left, right = (float(end[0]) for end in ends)
    places = np.concatenate([_NODES, _CHECKS])
    points = (left + right) / 2 + (right - left) / 2 * places
    exact = evaluate(formula, points, 0, params, dtype=np.float32)[0].hi
    coefficients = _TO_COEFFICIENTS @ exact[: len(_NODES)]
    error = 2 * np.max(np.abs(polynomial.polyval(places, coefficients) - exact))
    tolerance = _ACCURACY * max(float(np.min(np.abs(exact))), _LEAST)
    return coefficients[::-1] if error <= tolerance else None
