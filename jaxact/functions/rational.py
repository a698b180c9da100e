"""Rational functions that are learned: a polynomial over one that has no root.

With P the numerator, v the sum in the denominator, s its sign, and Q = 1 + s v, every derivative is
a polynomial over a power of Q:

    the k-th derivative is N[k] / Q^(k + 1)        N[0] = P, N[k + 1] = N[k]' Q - (k + 1) N[k] Q'

Its coefficients are linear in s, and exact for parameters that are numbers: they are worked out in
fractions. Where abs(x) > 2 all polynomials are taken in 1 / x, so that no power leaves the format.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import Rows, is_number, rows
from .._catalog import activation
from .._derivatives import Kernel, named

Polynomial = Sequence[Any]  # coefficients, lowest power first: fractions, or numbers and arrays


@activation(
    formula=lambda math, x, numerator, denominator: (
        sum(a * x**i for i, a in enumerate(numerator))
        / (1 + math.abs(sum(b * x**j for j, b in enumerate(denominator, 1))))
    ),
    source="Molina, Schramowski & Kersting, ICLR 2020, arXiv:1907.06732, equation 2",
    samples=(
        {
            "numerator": (0.0, 1.0, 0.0, 0.37890625, 0.0, 0.25),
            "denominator": (0.0, 0.65625, 0.0, 0.5),
        },
        {"numerator": (0.0, 1.0, 0.2, 0.41, 0.0, 0.11), "denominator": (0.41, 0.0, 0.11)},
    ),
    kinks=lambda numerator, denominator: (
        {0.0: numerator[1] - numerator[0] * denominator[0]} if denominator[0] else {}
    ),
    ulps=(4.0, 6.0, 9.5),
)
def rational(x: ArrayLike, numerator: Rows, denominator: Rows) -> Array:
    """Rational activation, or Padé activation unit: a learned polynomial over another.

        rational(x) = sum_i numerator[i] x^i / (1 + abs(sum_j denominator[j] x^(j + 1)))

    The paper has degrees 5 and 4, that is 6 and 4 coefficients; any will do. (Its denominator is
    the "safe" one, which has no root.)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        numerator: coefficients from the constant one up, along a leading axis: a sequence of
            numbers, or an array whose entries broadcast against x, as of shape (6, features). That
            axis leads, so that features stay the last axis, and sharded as those of x. Gradients
            are summed in float32 or wider.
        denominator: coefficients from that of x up, likewise.

    Returns:
        Array of the shape of `x` (and the coefficients, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 6, curvature 9.5 ULP away from the curvature's roots for the two
        settings that are tested, whose terms hardly cancel. In general the error is that of
        Horner's scheme: some eps of the sum of the terms' magnitudes, over the denominator. 16
        bits: likewise half an ULP, correctly rounded but for at most 12 of the 65,536 inputs.
        Gradients by coefficients take only leading powers to be large where abs(x) is beyond 2^20
        (for the paper's degrees). Reverse mode keeps x only.

    Edges:
        Where the sum in the denominator vanishes, its magnitude is taken to rise on. Where both
        highest coefficients are not 0, rational(-inf) and rational(inf) are the limits; else they
        may be NaN. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if there is no coefficient, or if one does not broadcast.

    Source:
        Molina, Schramowski & Kersting, ICLR 2020, arXiv:1907.06732, equation 2

    Example:
        >>> jaxact.rational(jnp.array([-2.0, 0.0, 1.0]), (0.0, 1.0, 1.0), (0.0, 1.0))
        Array([0.4, 0. , 1. ], dtype=float32)
    """
    a, b = rows("rational", "numerator", numerator), rows("rational", "denominator", denominator)
    for name, entries in (("numerator", a), ("denominator", b)):
        if not entries:
            raise ValueError(f"jaxact.rational: {name} is empty: pass one coefficient at least")
    return _rational_kernel(len(a), len(b))(x, *a, *b)


@functools.cache
def _rational_kernel(above: int, below: int) -> Kernel:
    """The kernel for so many coefficients: first those above, then those below."""
    names = [f"numerator_{i}" for i in range(above)] + [f"denominator_{j}" for j in range(below)]

    def derivative(order: int):
        @named("x", *names)
        def _rational(ops, x, *coefficients):
            return _evaluate(ops, x, coefficients[:above], coefficients[above:], order)

        return _rational

    def by_parameters(ops, x, parameters, tangents):
        return _along_coefficients(ops, x, parameters, tangents, above)

    kernel = Kernel(derivative(_CLOSED))  # and autodiff beyond
    for order in range(_CLOSED - 1, 0, -1):
        kernel = Kernel(derivative(order), x=kernel)
    return Kernel(derivative(0), x=kernel, by_parameters=by_parameters)


_CLOSED = 6  # derivatives in closed form


def _evaluate(ops, x: Array, numerator: Polynomial, denominator: Polynomial, order: int) -> Array:
    """The derivative of some order of numerator / Q."""
    if all(map(is_number, (*numerator, *denominator))):
        numerator, denominator = ([Fraction(c) for c in p] for p in (numerator, denominator))
    even, odd = _numerator_of_derivative(numerator, denominator, order)
    under = _Denominator(ops, x, denominator, order + 1)
    return under.divide([under.signed(a, b) for a, b in zip(even, odd, strict=True)])


def _along_coefficients(ops, x: Array, parameters, tangents, above: int) -> Array:
    """The derivative of the value along tangents of the coefficients.

    A plain sum over powers of x, so that its transpose is one of sums over x: what divides powers
    by each other elsewhere would make an array for each coefficient. Beyond a bound only powers
    above the denominator's grow.
    """
    b = parameters[above:]
    degree = len(b)
    bound = 2.0 ** (120 // max(above, degree + 1))
    near = ops.clamp(x, -bound, bound)
    v = near * _horner(b[::-1], near)
    weight = 1 / (1 + jnp.abs(v))
    excess = near**degree * weight * x

    def divide(coefficients: Polynomial) -> Array:
        low, high = coefficients[: degree + 1], coefficients[degree + 1 :]
        y = _horner(low[::-1], near) * weight
        return y + _horner(high[::-1], x) * excess if high else y

    y, along = divide(parameters[:above]), divide(tangents[:above])
    return along - jnp.where(v < 0, -y, y) * divide((0.0, *tangents[above:]))


class _Denominator:
    """Q^power at x, where v = b[0] x + b[1] x^2 + ..., and what it is divided into."""

    def __init__(self, ops, x: Array, b: Polynomial, power: int):
        self.x, self.power, self.degree = x, power, len(b)
        # Far out, where roundings of high powers would add up, all is divided by x^degree, unless
        # that is not large in Q: a polynomial with nothing to speak of below it stays one.
        beyond = jnp.abs(x) > 2
        self.inverse = 1 / jnp.where(beyond, x, 1.0)
        q = jnp.abs(self.inverse) ** self.degree + jnp.abs(_horner(b, self.inverse))
        self.far = beyond & (q > 2.0 ** -(96 // power))
        self.u = jnp.where(self.far, self.inverse, x)
        most = math.sqrt(float(jnp.finfo(x.dtype).max))
        near = ops.clamp(self.u, -most, most)  # so that times 0 its square is 0
        self.square, self.rest = ops.product(near, near)
        w = self._polynomial(b)  # v / x, or v / x^degree
        turned = (x < 0) if self.degree % 2 else (x < 0) & ~self.far
        self.negative = (w != 0) & ((w < 0) ^ turned)  # where v is; w may have been flushed to 0
        size = jnp.abs(self.u)
        self.q = jnp.where(self.far, size**self.degree, 1.0)
        self.q = self.q + jnp.abs(w) * jnp.where(self.far, 1.0, size)

    def _polynomial(self, coefficients: Polynomial) -> Array:
        """The polynomial; where x is far, divided by its highest power of x.

        By even and odd powers: so half as many roundings add up beside a root.
        """
        c = _floats(coefficients)
        chosen = [self._where_far(b, a) for a, b in zip(c, c[::-1], strict=True)]
        even, odd = self._of_square(chosen[::2]), self._of_square(chosen[1::2])
        return odd * self.u + even

    def _where_far(self, far, near):
        same = is_number(far) and is_number(near) and far == near
        return far if same else jnp.where(self.far, far, near)

    def _of_square(self, coefficients: list):
        """The polynomial in u^2 with these coefficients, lowest power first."""
        if all(is_number(c) and c == 0 for c in coefficients):
            return 0.0
        return functools.reduce(
            lambda y, c: (y * self.square + c) + y * self.rest, reversed(coefficients)
        )

    def signed(self, a, b):
        """a + s b, where s is the sign of v."""
        if is_number(b) and not b:
            return a
        return jnp.where(self.negative, *_floats([a - b, a + b]))

    def divide(self, coefficients: Polynomial) -> Array:
        """The polynomial with these coefficients over Q^power."""
        y = self._polynomial(coefficients) / self.q**self.power
        lacking = len(coefficients) - 1 - self.degree * self.power  # powers of x where it is far
        for _ in range(abs(lacking)):
            y = y * jnp.where(self.far, self.x if lacking > 0 else self.inverse, 1.0)
        return jnp.where(self.far & (self.x < 0), -y, y) if self.degree * self.power % 2 else y


def _floats(coefficients: Polynomial) -> list:
    return [float(c) if is_number(c) else c for c in coefficients]


def _horner(coefficients: Polynomial, u: Array) -> Array:
    """The polynomial with these coefficients, highest power first."""
    return functools.reduce(lambda y, c: y * u + c, _floats(coefficients))


def _numerator_of_derivative(p: Polynomial, b: Polynomial, order: int) -> tuple[list, list]:
    """N[order], as the part without the sign of v and the part that it multiplies."""
    even, odd = list(p), [0] * len(p)  # as long as each other
    for k in range(1, order + 1):
        even, odd = (
            _sum(_slope(even), _bracket(odd, b, k)),
            _sum(_slope(odd), _bracket(even, b, k)),
        )
    return even, odd


def _slope(p: Polynomial) -> list:
    return [i * c for i, c in enumerate(p)][1:]


def _sum(p: Polynomial, q: Polynomial) -> list:
    return [a + b for a, b in zip_longest(p, q, fillvalue=0)]


def _bracket(p: Polynomial, b: Polynomial, k: int) -> list:
    """p' v - k p v', for v = b[0] x + b[1] x^2 + ..."""
    result: list = [0] * (len(p) + len(b) - 1)
    for i, a in enumerate(p):
        for j, c in enumerate(b, 1):
            if i != k * j:
                result[i + j - 1] = result[i + j - 1] + (i - k * j) * (a * c)
    return result
