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
    formula=lambda m, x, numerator, denominator: sum(a * x**i for i, a in enumerate(numerator))
    / (1 + m.abs(sum(b * x**j for j, b in enumerate(denominator, 1)))),
    source="Molina, Schramowski & Kersting, ICLR 2020, arXiv:1907.06732, equation 2",
    samples=(
        {"numerator": (0.0, 1.0, 0.0, 1 / 9, 0.0, 1 / 945), "denominator": (0.0, 4 / 9, 0.0, 1 / 63)},
        {"numerator": (0.0, 1.0, 0.2, 0.3, 0.0, 0.05), "denominator": (0.5, 0.0, 0.25)},
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
        TBD

    Edges:
        TBD

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
            return _evaluate(x, coefficients[:above], (0.0, *coefficients[above:]), order)

        return _rational

    value, slope, curvature = map(derivative, range(3))
    return Kernel(value, x=Kernel(slope, x=curvature))


def _evaluate(x: Array, numerator: Polynomial, v: Polynomial, order: int) -> Array:
    """The derivative of some order of numerator / (1 + abs(v))."""
    if all(map(is_number, (*numerator, *v))):
        numerator, v = ([Fraction(c) for c in p] for p in (numerator, v))
    even, odd = _numerator_of_derivative(numerator, v, order)
    degree = len(v) - 1
    far = jnp.abs(x) > 1
    large = jnp.where(far, x, 1.0)
    u = jnp.where(far, 1 / large, x)

    def value(p: Polynomial, formal: int) -> Array:
        """The polynomial, divided by x to its formal degree where x is far."""
        p = [float(c) if isinstance(c, Fraction) else c for c in p]
        p = [*p, *[0.0] * (formal + 1 - len(p))]
        chosen = [jnp.where(far, high, low) for high, low in zip(p, reversed(p), strict=True)]
        return functools.reduce(lambda y, c: y * u + c, chosen)

    below = value(v, degree)
    negative = below < 0
    q = jnp.where(far, jnp.abs(u) ** degree, 1.0) + jnp.where(negative, -below, below)
    formal = len(numerator) - 1 + order * max(degree - 1, 0)
    y = value(even, formal)
    flip = far & (x < 0) if degree % 2 else False  # where x^degree is negative
    if odd:
        part = value(odd, formal)
        y = y + jnp.where(negative ^ flip, -part, part)
    y = y / q ** (order + 1)
    left = formal - degree * (order + 1)  # powers of x that are not in the quotient
    y = y * (large**left if left >= 0 else (1 / large) ** -left)
    return jnp.where(flip, -y, y) if degree * (order + 1) % 2 else y


def _numerator_of_derivative(p: Polynomial, v: Polynomial, order: int) -> tuple[list, list]:
    """N[order], as its part without the sign of v, and what the sign multiplies."""
    even, odd = list(p), []
    for k in range(1, order + 1):
        even, odd = (
            _sum(_slope(even), _bracket(odd, v, k)),
            _sum(_slope(odd), _bracket(even, v, k)),
        )
    return even, odd


def _slope(p: Polynomial) -> list:
    return [i * c for i, c in enumerate(p)][1:]


def _sum(p: Polynomial, q: Polynomial) -> list:
    return [a + b for a, b in zip_longest(p, q, fillvalue=0)]


def _bracket(p: Polynomial, v: Polynomial, k: int) -> list:
    """p' v - k p v', for a v without a constant."""
    result: list = [0] * max(len(p) + len(v) - 2, 0) if p else []
    for i, a in enumerate(p):
        for j, b in enumerate(v[1:], 1):
            if i != k * j:
                result[i + j - 1] = result[i + j - 1] + (i - k * j) * (a * b)
    return result
