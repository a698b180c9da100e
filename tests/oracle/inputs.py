"""Inputs on which a law is checked: all of a small format, a fair sample of a large one."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import DTypeLike

_ACTIVE = (-4, 7)  # activations bend where 2^-4 <= |x| < 2^7: sampled as densely as all the rest


def all_patterns(dtype: DTypeLike, *, finite: bool = True) -> np.ndarray:
    """All numbers of a 16-bit format, or else all its 65,536 bit patterns."""
    patterns = np.arange(2**16, dtype=np.uint16)
    if finite:
        exponent_bits = np.array(np.inf, dtype).view(np.uint16)
        patterns = patterns[patterns & exponent_bits != exponent_bits]
    return patterns.view(dtype)


def stratified(
    dtype: DTypeLike, size: int, *, around: Iterable[float] = (), seed: int = 0
) -> np.ndarray:
    """About `size` finite numbers of float32 or float64, sorted, and more around given points.

    Half are spread evenly over every exponent and both signs, half over the exponents where
    activations bend. Within an exponent the mantissas are stratified: one from each of equal
    cells, the first and the last mantissa among them.

    Args:
        dtype: the format.
        size: how many numbers, a few at least of each exponent.
        around: points such as kinks and roots, whose neighbourhoods are added.
        seed: the same seed gives the same sample.
    """
    random = np.random.default_rng(seed)
    info = np.finfo(dtype)
    bias = 1 - info.minexp
    everywhere = np.arange(info.maxexp + bias)  # biased exponents; the first is the subnormals'
    active = np.arange(*_ACTIVE) + bias
    patterns = np.concatenate(
        [_stratify(exponents, size // 4, info.nmant, random) for exponents in (everywhere, active)]
    )
    positive = patterns.astype(_unsigned(dtype)).view(dtype)
    return np.unique(np.concatenate([-positive, positive, *(neighbours(x, dtype) for x in around)]))


def neighbours(point: float, dtype: DTypeLike, count: int = 64) -> np.ndarray:
    """The consecutive numbers of a format around a point: `count` on either side, and itself."""
    integer = np.dtype(f"i{np.dtype(dtype).itemsize}")
    place = int(np.asarray(abs(point), dtype).view(integer))  # how many numbers from zero
    places = (place if point >= 0 else -place) + np.arange(-count, count + 1)
    magnitudes = np.abs(places).astype(integer).view(dtype)
    return np.where(places < 0, -magnitudes, magnitudes)


def _unsigned(dtype: DTypeLike) -> np.dtype:
    return np.dtype(f"u{np.dtype(dtype).itemsize}")


def _stratify(exponents: np.ndarray, size: int, bits: int, random: np.random.Generator):
    """Bit patterns of positive numbers: `size` in all, evenly over the exponents."""
    cells = max(2, size // len(exponents))
    offsets = random.random((len(exponents), cells))
    offsets[:, 0], offsets[:, -1] = 0, 1
    mantissas = np.minimum((np.arange(cells) + offsets) * (2.0**bits / cells), 2.0**bits - 1)
    return (exponents[:, None].astype(np.uint64) << bits | mantissas.astype(np.uint64)).ravel()
