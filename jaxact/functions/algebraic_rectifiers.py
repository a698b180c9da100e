"""Soft rectifiers without an exponential."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda math, x, b=4.0: (x + math.sqrt(x * x + b)) / 2,
    source="Barron, arXiv:2112.11687, equation 3",
    samples=({"b": 4.0}, {"b": 0.01}, {"b": 100.0}),
    range=lambda b=4.0: (0.0, math.inf),
    ulps=(3.0, 5.0, 6.0),
    elsewhere={"keras:squareplus": {}},
)
def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """Squareplus: a smooth rectifier without an exponential.

        squareplus(x) = (x + sqrt(x^2 + b)) / 2
        squareplus'(x) = (1 + x / sqrt(x^2 + b)) / 2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        b: the width of the rounded corner squared, not negative; a number, or an array that
            broadcasts against x. squareplus(0) = sqrt(b) / 2.

    Returns:
        Array of the shape of `x` (and `b`, broadcast) and of the float dtype of `x`, positive.

    Accuracy:
        float32: value 3, slope 5, curvature 6 ULP, tails included. 16 bits: correctly rounded but
        for at most 9 of the 65,536 inputs.

    Edges:
        squareplus(-inf) = 0, squareplus(inf) = inf, with slopes 0 and 1. NaN gives NaN, with
        slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `b` is a negative number, or does not broadcast against `x`.

    Source:
        Barron, arXiv:2112.11687, equation 3

    Example:
        >>> jaxact.squareplus(jnp.array([-1.5, 0.0, 1.5]))
        Array([0.5, 1. , 2. ], dtype=float32)
    """
    if is_number(b):
        require(b >= 0, "jaxact.squareplus", "b", b, "be 0 or more")
    return SQUAREPLUS(x, b)


def _hypotenuse(ops, a, b):
    """sqrt(a^2 + b), also where the square overflows; and from where on it is a."""
    far = 2.0 ** (jnp.finfo(a.dtype).maxexp // 2 - 4)
    near = ops.at_most(a, far)
    r = jnp.sqrt(near * near + b)
    return jnp.where(r < a, a, r), far


def _squareplus(ops, x, b):
    # (r + x) / 2 cancels below zero; (r - a) (r + a) = b does not
    a = ops.absolute(x)
    r, far = _hypotenuse(ops, a, b)
    twice = jnp.where(a > far, a, r + a)
    half = jnp.where(a > far, 0.25 * b, jnp.where(twice > 0, 0.5 * b, 0.0))
    return ops.at_least(x, 0.0) + half / jnp.where(twice > 0, twice, 1.0)


_DOWN = 2.0**-32  # keeps the products below from overflowing where the quotient is normal


def _squareplus_slope(ops, x, b):
    a = ops.absolute(x)
    r = _hypotenuse(ops, a, b)[0] * _DOWN
    t = (0.5 * _DOWN * _DOWN) * b / (r * (r + a * _DOWN))
    return jnp.where(x > 0, 1 - t, t)


def _squareplus_curvature(ops, x, b):
    r = _hypotenuse(ops, ops.absolute(x), b)[0] * _DOWN**0.5
    return (0.5 * _DOWN**1.5) * b / (r * (r * r))


def _squareplus_third(ops, x, b):
    q = 1 / _hypotenuse(ops, ops.absolute(x), b)[0]
    return -1.5 * b * (q * q) * (q * q) * ops.clamp(x * q, -1.0, 1.0)


def _squareplus_by_b(ops, x, b):
    return 0.25 / _hypotenuse(ops, ops.absolute(x), b)[0]


def _squareplus_slope_by_b(ops, x, b):
    r = _hypotenuse(ops, ops.absolute(x), b)[0]
    return -0.25 * (ops.clamp(x / r, -1.0, 1.0) / r / r)


SQUAREPLUS = Kernel(
    _squareplus,
    x=Kernel(
        _squareplus_slope,
        x=Kernel(_squareplus_curvature, x=_squareplus_third),
        b=_squareplus_slope_by_b,
    ),
    b=Kernel(_squareplus_by_b, x=_squareplus_slope_by_b),
    # y = (x + r) / 2 and b = 4 y (y - x), so y / r = y^2 / (y^2 + b / 4)
    output=FromOutput(lambda ops, y, b: 1 / (1 + (b / 4) / (y * y))),
)


@activation(
    formula=lambda math, x: math.where(x <= -1, 0 * x, math.where(x >= 1, x, (x + 1) ** 2 / 4)),
    source="jax.nn.sparse_plus; after Martins & Astudillo, ICML 2016, arXiv:1602.02068",
    kinks=lambda: {-1.0: 0.0, 1.0: 1.0},
    range=lambda: (0.0, math.inf),
    ulps=(2.0, 0.5, 0.0),
    elsewhere={"keras:sparse_plus": {}},
)
def sparse_plus(x: ArrayLike) -> Array:
    """Sparse plus: a rectifier whose corner is a parabola, exactly zero below -1.

        sparse_plus(x) = 0 if x <= -1, (x + 1)^2 / 4 if -1 < x < 1, x if x >= 1
        sparse_plus'(x) = sparse_sigmoid(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, not negative.

    Accuracy:
        float32: value 2 ULP, slope half an ULP, curvature exact. 16 bits: correctly rounded but for
        at most 2 of the 65,536 inputs.

    Edges:
        The slope is continuous; the curvature at -1 and 1 is 0. sparse_plus(-inf) = 0,
        sparse_plus(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        jax.nn.sparse_plus; after Martins & Astudillo, ICML 2016, arXiv:1602.02068

    Example:
        >>> jaxact.sparse_plus(jnp.array([-2.0, 0.0, 3.0]))
        Array([0.  , 0.25, 3.  ], dtype=float32)
    """
    return SPARSE_PLUS(x)


def _sparse_plus(ops, x):
    t = ops.clamp(x, -1.0, 1.0) + 1
    return jnp.where(x > 1, x, 0.25 * (t * t))


def _sparse_plus_slope(ops, x):
    return ops.clamp(x, -1.0, 1.0) * 0.5 + 0.5


def _sparse_plus_curvature(ops, x):
    return jnp.where(ops.absolute(x) < 1, 0.5, 0.0)


SPARSE_PLUS = Kernel(
    _sparse_plus,
    x=Kernel(_sparse_plus_slope, x=_sparse_plus_curvature),
    output=FromOutput(lambda ops, y: ops.root(ops.at_most(y, 1.0))),
)
