"""A function beside a root: the distance to it times a polynomial, worked out in decimals.

Closed forms in which two terms cancel lose beside a root what those terms round. The polynomial
loses nothing; it interpolates what the function, divided by the distance, is at Chebyshev points.
"""

import functools
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ._arithmetic import SmoothOps, polynomial, two_parts

_DIGITS = 50
_COUNTS = {4: 8, 8: 18}  # of coefficients, by the size of a number in bytes


class BesideRoot(NamedTuple):
    """A function near one of its roots.

    Attributes:
        root: where it vanishes.
        reach: how far from it the polynomial holds.
        coefficients: for powers of root - x, highest first, by the size of a number in bytes.
    """

    root: Fraction
    reach: float
    coefficients: dict[int, tuple[float, ...]]

    def __call__(self, ops, x: Array, far: Array) -> Array:
        """The function at x: by the polynomial, or, out of its reach, `far`."""
        if ops is SmoothOps:  # a polynomial has other derivatives
            return far
        d = ops.distance(two_parts(self.root, x), x)
        near = ops.clamp(d, -self.reach, self.reach)
        y = near * polynomial(near, *self.coefficients[x.dtype.itemsize])
        return jnp.where(ops.absolute(d) < self.reach, y, far)


@functools.lru_cache
def beside_root(
    function: Callable[..., Decimal], low: float, high: float, reach: float, *parameters: float
) -> BesideRoot:
    """The root of function(x, *parameters), in decimals, that lies alone between two numbers."""
    with localcontext() as context:
        context.prec = _DIGITS
        given = [Decimal(p) for p in parameters]

        def f(x: Decimal) -> Decimal:
            return function(x, *given)

        root = _root(f, Decimal(low), Decimal(high))
        fits = {size: _fitted(f, root, reach, count) for size, count in _COUNTS.items()}
        return BesideRoot(Fraction(root), reach, fits)


def _root(f: Callable[[Decimal], Decimal], low: Decimal, high: Decimal) -> Decimal:
    """By false position, where an end that stays counts half as much each time."""
    at_low, at_high = f(low), f(high)
    while abs(high - low) > Decimal(10) ** (10 - _DIGITS):
        x = (low * at_high - high * at_low) / (at_high - at_low)
        y = f(x)
        if not y:
            return x
        if (y < 0) != (at_high < 0):
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = x, y
    return high


def _fitted(
    f: Callable[[Decimal], Decimal], root: Decimal, reach: float, count: int
) -> tuple[float, ...]:
    """Coefficients of a polynomial that is f(root - d) / d at `count` Chebyshev points d."""
    ds = [Decimal(reach * math.cos(math.pi * (k + 0.5) / count)) for k in range(count)]
    differences = [f(root - d) / d for d in ds]
    for step in range(1, count):
        for i in range(count - 1, step - 1, -1):
            rise = differences[i] - differences[i - 1]
            differences[i] = rise / (ds[i] - ds[i - step])
    result: list[Decimal] = []
    for d, c in zip(reversed(ds), reversed(differences), strict=True):  # Newton's form, multiplied
        pairs = zip([*result, Decimal(0)], [Decimal(0), *result], strict=True)
        moved = [a - d * b for a, b in pairs]
        result = [*moved[:-1], moved[-1] + c] if result else [c]
    return tuple(map(float, result))
