"""Exponential units whose shape is learned."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import LIFT
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .exponentials import _exp_of_quotient, _quotient_below


@activation(
    formula=lambda m, x, a=1.0, b=1.0: m.where(x >= 0, a / b * x, a * m.expm1(x / b)),
    source="Trottier, Giguere & Chaib-draa, arXiv:1605.09332, equation 5",
    samples=({"a": 1.0, "b": 1.0}, {"a": 0.7, "b": 1.9}),
    kinks=lambda a=1.0, b=1.0: {0.0: a / b},
    range=lambda a=1.0, b=1.0: (-a, math.inf),
    ulps=(2.5, 2.0, 2.0),
)
def pelu(x: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 1.0) -> Array:
    """Parametric exponential linear unit: `elu` with a learned limit and a learned width.

        pelu(x) = a / b * x if x >= 0, else a * (exp(x / b) - 1)
        pelu'(x) = a / b if x >= 0, else a / b * exp(x / b)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        a: minus the limit at -inf, positive; a number, or an array that broadcasts against x.
        b: the width of the bend, positive; likewise.

    Returns:
        Array of the shape of `x` (and `a`, `b`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 2.5, slope 2, curvature 2 ULP, tails included. 16 bits: correctly rounded but
        for at most 1 of the 65,536 inputs.

    Edges:
        The slope at 0 is a / b, the curvature there 0. pelu(inf) = inf, pelu(-inf) = -a, with
        slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `a` or `b` is a number and not positive, or does not broadcast against `x`.

    Source:
        Trottier, Giguere & Chaib-draa, arXiv:1605.09332, equation 5

    Example:
        >>> jaxact.pelu(jnp.array([-1.0, 0.0, 2.0]), 1.0, 2.0)
        Array([-0.39346933,  0.        ,  1.        ], dtype=float32)
    """
    for name, parameter in (("a", a), ("b", b)):
        if is_number(parameter):
            require(parameter > 0, "jaxact.pelu", name, parameter, "be positive")
    return PELU(x, a, b)


def _pelu(m, x, a, b):
    high, low = _quotient_below(m, x, b)
    info = jnp.finfo(x.dtype)
    is_line = x > -float(info.tiny) / float(info.eps)  # beside 0 too, where x / b may vanish
    return jnp.where(is_line, a / b * x, a * m.expm1(m.at_least(high, m.lowest(x)), low))


def _pelu_slope(m, x, a, b):
    return jnp.where(x >= 0, a / b, _exp_of_quotient(m, x, b, a / b))


def _pelu_curvature(m, x, a, b):
    return jnp.where(x >= 0, 0.0, _exp_of_quotient(m, x, b, a / (b * b)))


def _pelu_by_a(m, x, a, b):
    return _pelu(m, x, 1.0, b)


def _pelu_slope_by_a(m, x, a, b):
    return _pelu_slope(m, x, 1.0, b)


def _pelu_by_b(m, x, a, b):
    """-a x / b^2, times exp(x / b) below zero."""
    factor = -a / (b * b) * m.at_least(x, m.lowest(x, lift=LIFT) * b)
    return jnp.where(x >= 0, factor, _exp_of_quotient(m, x, b, factor))


def _pelu_slope_by_b(m, x, a, b):
    """-a / b^2, times (1 + x / b) exp(x / b) below zero."""
    factor = -a / (b * b) * (1 + m.clamp(x / b, m.lowest(x, lift=LIFT), 0.0))
    return jnp.where(x >= 0, factor, _exp_of_quotient(m, x, b, factor))


def _pelu_by_b_twice(m, x, a, b):
    """2 a x / b^3, times (1 + x / (2 b)) exp(x / b) below zero."""
    high, low = m.quotient(m.at_least(x, m.lowest(x, lift=LIFT) * b), b)
    beyond = 2 + high if low is None else (2 + high) + low
    factor = a / (b * b) * high * jnp.where(x >= 0, 2.0, beyond)
    return jnp.where(x >= 0, factor, _exp_of_quotient(m, x, b, factor))


PELU = Kernel(
    _pelu,
    x=Kernel(_pelu_slope, x=_pelu_curvature, a=_pelu_slope_by_a, b=_pelu_slope_by_b),
    a=Kernel(_pelu_by_a, x=_pelu_slope_by_a),
    b=Kernel(_pelu_by_b, x=_pelu_slope_by_b, b=_pelu_by_b_twice),
    output=FromOutput(lambda m, y, a, b: jnp.where(y >= 0, a / b, (y + a) / b)),
)
