"""Exponential units whose shape is learned."""

import functools
import math
from decimal import Decimal, localcontext

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .exponentials import _exp_of_quotient, _quotient_below


@activation(
    formula=lambda math, x, a=1.0, b=1.0: math.where(x >= 0, a / b * x, a * math.expm1(x / b)),
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


def _pelu(ops, x, a, b):
    high, low = _quotient_below(ops, x, b)
    info = jnp.finfo(x.dtype)
    is_line = x > -float(info.tiny) / float(info.eps)  # beside 0 too, where x / b may vanish
    return jnp.where(is_line, a / b * x, a * ops.expm1(ops.at_least(high, ops.lowest(x)), low))


def _pelu_slope(ops, x, a, b):
    return jnp.where(x >= 0, a / b, _exp_of_quotient(ops, x, b, a / b))


def _pelu_curvature(ops, x, a, b):
    return jnp.where(x >= 0, 0.0, _exp_of_quotient(ops, x, b, a / (b * b)))


def _pelu_by_a(ops, x, a, b):
    return _pelu(ops, x, 1.0, b)


def _pelu_slope_by_a(ops, x, a, b):
    return _pelu_slope(ops, x, 1.0, b)


def _pelu_by_b(ops, x, a, b):
    """-a x / b^2, times exp(x / b) below zero."""
    factor = -a / (b * b) * ops.at_least(x, ops.lowest(x, lift=LIFT) * b)
    return jnp.where(x >= 0, factor, _exp_of_quotient(ops, x, b, factor))


def _pelu_slope_by_b(ops, x, a, b):
    """-a / b^2, times (1 + x / b) exp(x / b) below zero."""
    high, low = _quotient_below(ops, x, b)
    rise = 1 + high if low is None else (1 + high) + low
    factor = -a / (b * b) * rise
    return jnp.where(x >= 0, factor, _exp_of_quotient(ops, x, b, factor))


def _pelu_by_b_twice(ops, x, a, b):
    """2 a x / b^3, times (1 + x / (2 b)) exp(x / b) below zero."""
    high, low = ops.quotient(ops.at_least(x, ops.lowest(x, lift=LIFT) * b), b)
    beyond = 2 + high if low is None else (2 + high) + low
    factor = a / (b * b) * jnp.where(x >= 0, 2.0, beyond) * high
    return jnp.where(x >= 0, factor, _exp_of_quotient(ops, x, b, factor))


PELU = Kernel(
    _pelu,
    x=Kernel(_pelu_slope, x=_pelu_curvature, a=_pelu_slope_by_a, b=_pelu_slope_by_b),
    a=Kernel(_pelu_by_a, x=_pelu_slope_by_a),
    b=Kernel(_pelu_by_b, x=_pelu_slope_by_b, b=_pelu_by_b_twice),
    output=FromOutput(lambda ops, y, a, b: jnp.where(y >= 0, a / b, (y + a) / b)),
)


@activation(
    formula=lambda math, x, alpha_p=0.8, alpha_n=0.8, beta=0.5: math.where(
        x > 0, alpha_p * x * x + beta * x, alpha_n * (math.expm1(x) - x) + beta * x
    ),
    source="Huang & Schlag, arXiv:2411.13010, section 3",
    samples=(
        {"alpha_p": 0.8, "alpha_n": 0.8, "beta": 0.5},
        {"alpha_p": 0.3, "alpha_n": 1.7, "beta": 0.5},
    ),
    kinks=lambda alpha_p=0.8, alpha_n=0.8, beta=0.5: {0.0: beta},
    range=lambda alpha_p=0.8, alpha_n=0.8, beta=0.5: (
        (beta - alpha_n) * math.log(1 - beta / alpha_n) - beta if alpha_n > beta else -math.inf,
        math.inf,
    ),
    ulps=(4.0, 3.5, 2.0),
    elsewhere={"hf:xielu": {}},
)
def xielu(
    x: ArrayLike, alpha_p: ArrayLike = 0.8, alpha_n: ArrayLike = 0.8, beta: ArrayLike = 0.5
) -> Array:
    """Expanded integral of ELU (xIELU): a parabola above zero, the integral of an `elu` below.

        xielu(x) = alpha_p * x^2 + beta * x if x > 0, else alpha_n * (exp(x) - 1 - x) + beta * x
        xielu'(x) = 2 * alpha_p * x + beta if x > 0, else alpha_n * (exp(x) - 1) + beta

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha_p: how the slope grows above zero; a number, or an array that broadcasts against x.
        alpha_n: how the slope falls below zero; likewise. The slope at -inf is beta - alpha_n.
        beta: the slope at zero; likewise. The paper learns softplus(a) for alpha_p and
            beta + softplus(b) for alpha_n, both 0.8 at first, and keeps beta at 0.5.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 3.5, curvature 2 ULP. 16 bits: correctly rounded but for at most 4
        of the 65,536 inputs. With arrays for the parameters, the errors beside the roots of value
        and slope are that much of their largest terms.

    Edges:
        The slope at 0 is beta, the curvature there alpha_n. xielu(inf) = inf if alpha_p > 0, and
        xielu(-inf) = inf if alpha_n > beta. NaN gives NaN, with slope NaN. (The paper's bound of
        -1e-6 on the argument of the exponential works around its rounding; it is not needed here.)

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast against `x`.

    Source:
        Huang & Schlag, arXiv:2411.13010, section 3

    Example:
        >>> jaxact.xielu(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.20569643,  0.        ,  1.3       ], dtype=float32)
    """
    return XIELU(x, alpha_p, alpha_n, beta)


@functools.lru_cache
def _roots_below(alpha_n: float, beta: float):
    """Roots of value and slope below zero, in two parts; curvature and slope at the first.

    None where there are none, as there are if 0 < beta < alpha_n, or far out.
    """
    if not 0 < beta < alpha_n * (1 - 1e-6) < math.inf:
        return None
    with localcontext() as context:
        context.prec = 50
        a, b = Decimal(alpha_n), Decimal(beta)
        root = -a / (a - b)  # from the left Newton's method climbs to the root of a convex curve
        for _ in range(60):
            growth = a * root.exp()
            root -= (growth - a + (b - a) * root) / (growth - a + b)
        curvature = a * root.exp()
        if root < -40:
            return None
        return (
            _two_doubles(root),
            _two_doubles((1 - b / a).ln()),
            float(curvature),
            float(curvature - a + b),
        )


def _two_doubles(number: Decimal) -> tuple[float, float]:
    high = float(number)
    return high, float(number - Decimal(high))


def _exp_less_line(ops, x):
    """exp(x) - 1 - x, as a series where it cancels; for an x of up to 40."""
    near = ops.clamp(x, -1.6, 1.3)
    series = near * near * polynomial(near, *_EXP_LESS_LINE[x.dtype])
    return jnp.where(near == x, series, ops.expm1(ops.at_least(x, ops.lowest(x))) - x)


def _xielu(ops, x, alpha_p, alpha_n, beta):
    low = ops.product(ops.clamp(x, 0.0, 2.0**60), alpha_p)[1]
    rest = 0.0 if low is None else jnp.where(x < 2.0**60, x * low, 0.0)
    square, line = x * (alpha_p * x), beta * x
    if isinstance(beta, float) and beta > 0:
        # Only rounding makes the sum the square: on which side of a tie of 16 bits that lies must
        # not be lost.
        line = ops.at_least(line, square * float(jnp.finfo(x.dtype).eps))
    above = square + (line + rest)
    below = alpha_n * _exp_less_line(ops, ops.clamp(x, -64.0, 0.0)) + beta * x
    roots = _roots(alpha_n, beta)
    if roots:
        (root, rest), _, curvature, slope = roots
        distance, low = ops.difference(ops.clamp(x, -64.0, 0.0), root)
        beyond = curvature * _exp_less_line(ops, distance) + slope * (distance + (low - rest))
        below = jnp.where(x < max(0.6 * root, -1.0), beyond, below)
    below = jnp.where(x < -60, (beta - alpha_n) * x - alpha_n, below)
    return jnp.where(x > 0, above, below)


def _roots(alpha_n, beta):
    known = isinstance(alpha_n, float) and isinstance(beta, float)
    return _roots_below(alpha_n, beta) if known else None


def _xielu_slope(ops, x, alpha_p, alpha_n, beta):
    near = ops.clamp(x, ops.lowest(x), 0.0)
    roots = _roots(alpha_n, beta)
    if roots:
        _, (root, rest), *_ = roots
        distance, low = ops.difference(near, root)
        below = (alpha_n - beta) * ops.expm1(ops.at_least(distance, ops.lowest(x)), low - rest)
    else:
        below = alpha_n * ops.expm1(near) + beta
    return jnp.where(x > 0, 2 * alpha_p * x + beta, below)


def _xielu_curvature(ops, x, alpha_p, alpha_n, beta):
    below = alpha_n * ops.exp(ops.clamp(x, ops.lowest(x, lift=LIFT), 0.0), lift=LIFT) * DROP
    return jnp.where(x > 0, 2 * alpha_p, below)


def _xielu_by_alpha_p(ops, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, x * x, 0.0)


def _xielu_slope_by_alpha_p(ops, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 2 * x, 0.0)


def _xielu_by_alpha_n(ops, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 0.0, _exp_less_line(ops, ops.at_most(x, 0.0)))


def _xielu_slope_by_alpha_n(ops, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 0.0, ops.expm1(ops.clamp(x, ops.lowest(x), 0.0)))


# (exp(x) - 1 - x) / x^2, interpolated at Chebyshev points for -1.6 <= x <= 1.3
_EXP_LESS_LINE = {
    jnp.dtype(jnp.float32): (
        2.527563361e-7,
        2.856065195e-6,
        2.48999965e-5,
        0.0001982769507,
        0.001388774855,
        0.00833340365,
        0.04166670717,
        0.1666666564,
        0.4999999978,
    ),
    jnp.dtype(jnp.float64): (
        2.5226436108816815e-15,
        4.8728595732903156e-14,
        7.668586027631887e-13,
        1.1468601777297788e-11,
        1.60584505526736e-10,
        2.0876780569263867e-09,
        2.5052116663120203e-08,
        2.7557319101133024e-07,
        2.755731916212269e-06,
        2.480158730181264e-05,
        0.00019841269841508049,
        0.0013888888888889082,
        0.008333333333332927,
        0.04166666666666666,
        0.16666666666666669,
        0.5,
    ),
}

XIELU = Kernel(
    _xielu,
    x=Kernel(
        _xielu_slope,
        x=_xielu_curvature,
        alpha_p=_xielu_slope_by_alpha_p,
        alpha_n=_xielu_slope_by_alpha_n,
        beta=lambda ops, x, alpha_p, alpha_n, beta: jnp.ones_like(x),
    ),
    alpha_p=Kernel(_xielu_by_alpha_p, x=_xielu_slope_by_alpha_p),
    alpha_n=Kernel(_xielu_by_alpha_n, x=_xielu_slope_by_alpha_n),
    beta=lambda ops, x, alpha_p, alpha_n, beta: x,
)
