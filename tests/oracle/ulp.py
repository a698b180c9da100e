"""The metric: how far a result is from the exact number, in units in the last place.

The unit is the spacing of the format at the correctly rounded exact number. Zeros and normal
numbers count; subnormal ones are kept apart, because XLA's CPU backend flushes them.
"""

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .exact import Exact

_quiet = np.errstate(invalid="ignore", over="ignore")  # infinities are expected, and sorted out


def is_normal(numbers: Exact | ArrayLike, dtype: DTypeLike) -> np.ndarray:
    """Whether each number counts: it is zero, or not below the least normal one of `dtype`.

    An exact number is not rounded first: what only rounds up to the least normal one is subnormal.
    The least one itself is left out: in float64 the pair cannot tell it from what is just below.
    """
    hi, lo = numbers if isinstance(numbers, Exact) else (np.asarray(numbers, np.float64), 0.0)
    least = float(ml_dtypes.finfo(dtype).smallest_normal)
    magnitude, excess = np.abs(hi), np.sign(hi) * lo
    return (hi == 0) | (magnitude > least) | ((magnitude == least) & (excess > 0))


@_quiet
def nearest(exact: Exact, dtype: DTypeLike) -> np.ndarray:
    """The exact numbers correctly rounded to `dtype`, ties to even, held in float64."""
    unit = unit_of(exact.hi, dtype)
    scaled = exact.hi / unit
    below = np.floor(scaled)
    decided_by_lo = (scaled - below == 0.5) & (exact.lo != 0)
    rounded = np.where(decided_by_lo, below + (exact.lo > 0), np.rint(scaled)) * unit
    fits = np.abs(rounded) <= float(ml_dtypes.finfo(dtype).max)
    return np.where(fits, rounded, np.copysign(np.inf, exact.hi))


@_quiet
def ulp_error(got: np.ndarray, exact: Exact) -> np.ndarray:
    """The error of each result, in units in the last place of the result's own format.

    It is infinite where the result is not a number, and where either the result or the correctly
    rounded number is infinite, but not both. At the tie between the largest number and infinity
    either is half a unit off.
    """
    return _units(got.astype(np.float64), nearest(exact, got.dtype), exact, got.dtype)


@_quiet
def is_misrounded(got: np.ndarray, exact: Exact) -> np.ndarray:
    """Whether another number of the format is nearer to the exact one than the result is.

    Nearer by 2^-20 of a unit at least: either neighbour of a tie is right.
    """
    rounded, results = nearest(exact, got.dtype), got.astype(np.float64)
    best = _units(rounded, rounded, exact, got.dtype)
    return _units(results, rounded, exact, got.dtype) > best + 2.0**-20


def _units(results: np.ndarray, rounded: np.ndarray, exact: Exact, dtype: DTypeLike) -> np.ndarray:
    units = np.abs(results - exact.hi - exact.lo) / unit_of(rounded, dtype)
    measurable = np.isfinite(results) & np.isfinite(rounded)
    units = np.where(measurable, units, np.where(results == rounded, 0.0, np.inf))
    largest = float(ml_dtypes.finfo(dtype).max)
    overflow = largest + unit_of(largest, dtype) / 2  # infinite itself for float64
    is_tie = np.isfinite(exact.hi) & (np.abs(exact.hi) == overflow) & (exact.lo == 0)
    is_neighbour = (np.abs(results) >= largest) & (np.sign(results) == np.sign(exact.hi))
    return np.where(is_tie & is_neighbour, 0.5, units)


def unit_of(numbers: ArrayLike, dtype: DTypeLike) -> np.ndarray:
    """The unit in the last place: the power of two within each number, times eps."""
    info, numbers = ml_dtypes.finfo(dtype), np.asarray(numbers, np.float64)
    exponent_bits = np.float64(np.inf).view(np.int64)
    powers = (numbers.view(np.int64) & exponent_bits).view(np.float64)
    return np.maximum(powers, float(info.smallest_normal)) * float(info.eps)
