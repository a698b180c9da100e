"""Rational functions that are learned: a polynomial over one that has no root.

With P the numerator, v the sum in the denominator, s its sign, and Q = 1 + s v, every derivative is
a polynomial over a power of Q:

    the k-th derivative is N[k] / Q^(k + 1)        N[0] = P, N[k + 1] = N[k]' Q - (k + 1) N[k] Q'

Its coefficients are linear in s, and exact for parameters that are numbers: they are worked out in
fractions. Where abs(x) > 1 all polynomials are taken in 1 / x, so that no power leaves the format.
"""

import functools
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
    formula=lambda m, x, numerator, denominator: (
        sum(a * x**i for i, a in enumerate(numerator))
        / (1 + m.abs(sum(b * x**j for j, b in enumerate(denominator, 1))))
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
    ulps=(4.0, 7.0, 10.0),
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
        float32: value 4, slope 7, curvature 10 ULP away from the curvature's roots for the two
        settings that are tested, whose terms hardly cancel. In general the error is that of
        Horner's scheme: some eps of the sum of the terms' magnitudes, over the denominator. 16
        bits: likewise half an ULP. Reverse mode keeps x only.

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
        def _rational(m, x, *coefficients):
            return _evaluate(x, coefficients[:above], coefficients[above:], order)

        return _rational

    value, slope, curvature = map(derivative, range(3))
    return Kernel(value, x=Kernel(slope, x=curvature))


def _evaluate(x: Array, numerator: Polynomial, denominator: Polynomial, order: int) -> Array:
    """The derivative of some order of numerator / (1 + abs(x * denominator))."""
    if all(map(is_number, (*numerator, *denominator))):
        numerator, denominator = ([Fraction(c) for c in p] for p in (numerator, denominator))
    degree = len(denominator)
    highest = max(len(numerator) - 1 + order * (degree - 1), degree * (order + 1))
    beyond = jnp.abs(x) > 2.0 ** (64 // highest)  # from there on powers of x might leave the format
    inverse = 1 / jnp.where(beyond, x, 1.0)
    quotient = jnp.abs(inverse) ** degree + jnp.abs(_horner(denominator, inverse))  # Q / x^degree
    far = beyond & (quotient > 2.0 ** -(96 // (order + 1)))  # else no power of x is large in Q
    u = jnp.where(far, inverse, x)

    def polynomial(coefficients: Polynomial) -> Array:
        """The polynomial; where x is far, divided by its highest power of x."""
        pairs = zip(coefficients, coefficients[::-1], strict=True)
        return _horner([jnp.where(far, lower, higher) for lower, higher in pairs], u)

    w = polynomial(_floats(denominator))  # v / x, or v / x^degree
    turned = (x < 0) if degree % 2 else (x < 0) & ~far
    negative = (w != 0) & ((w < 0) ^ turned)  # the sign of v; w may have been flushed to 0
    q = jnp.where(far, jnp.abs(u) ** degree, 1.0) + jnp.abs(w) * jnp.where(far, 1.0, jnp.abs(u))

    def with_sign(a, b):
        """a + s b, where s is the sign of v."""
        if is_number(b) and not b:
            return a
        return jnp.where(negative, *_floats([a - b, a + b]))

    parts = zip_longest(*_numerator_of_derivative(numerator, denominator, order), fillvalue=0)
    y = polynomial(_floats([with_sign(a, b) for a, b in parts])) / q ** (order + 1)
    powers = len(numerator) - 1 - degree - order  # of x, that the quotient lacks where x is far
    for _ in range(abs(powers)):
        y = y * jnp.where(far, x if powers > 0 else inverse, 1.0)
    return jnp.where(far & (x < 0), -y, y) if degree * (order + 1) % 2 else y


def _floats(coefficients: Polynomial) -> list:
    return [float(c) if is_number(c) else c for c in coefficients]


def _horner(coefficients: Polynomial, u: Array) -> Array:
    """The polynomial with these coefficients, highest power first."""
    return functools.reduce(lambda y, c: y * u + c, _floats(coefficients))


def _numerator_of_derivative(p: Polynomial, b: Polynomial, order: int) -> tuple[list, list]:
    """N[order], as the part without the sign of v and the part that it multiplies."""
    even, odd = list(p), [0] * len(p)
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
