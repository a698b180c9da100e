"""Exponential units whose shape is learned."""

import functools
import math
from decimal import Decimal, localcontext
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .exponentials import _BY_ALPHA, _exp_of_quotient, _quotient_below


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
    high, low = _quotient_below(m, x, b)
    rise = 1 + high if low is None else (1 + high) + low
    factor = -a / (b * b) * rise
    return jnp.where(x >= 0, factor, _exp_of_quotient(m, x, b, factor))


def _pelu_by_b_twice(m, x, a, b):
    """2 a x / b^3, times (1 + x / (2 b)) exp(x / b) below zero."""
    high, low = m.quotient(m.at_least(x, m.lowest(x, lift=LIFT) * b), b)
    beyond = 2 + high if low is None else (2 + high) + low
    factor = a / (b * b) * jnp.where(x >= 0, 2.0, beyond) * high
    return jnp.where(x >= 0, factor, _exp_of_quotient(m, x, b, factor))


PELU = Kernel(
    _pelu,
    x=Kernel(_pelu_slope, x=_pelu_curvature, a=_pelu_slope_by_a, b=_pelu_slope_by_b),
    a=Kernel(_pelu_by_a, x=_pelu_slope_by_a),
    b=Kernel(_pelu_by_b, x=_pelu_slope_by_b, b=_pelu_by_b_twice),
    output=FromOutput(lambda m, y, a, b: jnp.where(y >= 0, a / b, (y + a) / b)),
)


@activation(
    formula=lambda m, x, alpha_p=0.8, alpha_n=0.8, beta=0.5: m.where(
        x > 0, alpha_p * x * x + beta * x, alpha_n * (m.expm1(x) - x) + beta * x
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
        bend = a * root.exp()
        if root < -40:
            return None
        return (
            _two_doubles(root),
            _two_doubles((1 - b / a).ln()),
            float(bend),
            float(bend - a + b),
        )


def _two_doubles(number: Decimal) -> tuple[float, float]:
    high = float(number)
    return high, float(number - Decimal(high))


def _exp_less_line(m, x):
    """exp(x) - 1 - x, as a series where it cancels; for an x of up to 40."""
    near = m.clamp(x, -1.6, 1.3)
    series = near * near * polynomial(near, *_EXP_LESS_LINE[x.dtype])
    return jnp.where(near == x, series, m.expm1(m.at_least(x, m.lowest(x))) - x)


def _xielu(m, x, alpha_p, alpha_n, beta):
    low = m.product(m.clamp(x, 0.0, 2.0**60), alpha_p)[1]
    rest = 0.0 if low is None else jnp.where(x < 2.0**60, x * low, 0.0)
    square, line = x * (alpha_p * x), beta * x
    if isinstance(beta, float) and beta > 0:
        # Only rounding makes the sum the square: on which side of a tie of 16 bits that lies must
        # not be lost.
        line = m.at_least(line, square * float(jnp.finfo(x.dtype).eps))
    above = square + (line + rest)
    below = alpha_n * _exp_less_line(m, m.clamp(x, -64.0, 0.0)) + beta * x
    roots = _roots(alpha_n, beta)
    if roots:
        (root, rest), _, bend, slope = roots
        distance, low = m.difference(m.clamp(x, -64.0, 0.0), root)
        beyond = bend * _exp_less_line(m, distance) + slope * (distance + (low - rest))
        below = jnp.where(x < max(0.6 * root, -1.0), beyond, below)
    below = jnp.where(x < -60, (beta - alpha_n) * x - alpha_n, below)
    return jnp.where(x > 0, above, below)


def _roots(alpha_n, beta):
    known = isinstance(alpha_n, float) and isinstance(beta, float)
    return _roots_below(alpha_n, beta) if known else None


def _xielu_slope(m, x, alpha_p, alpha_n, beta):
    near = m.clamp(x, m.lowest(x), 0.0)
    roots = _roots(alpha_n, beta)
    if roots:
        _, (root, rest), *_ = roots
        distance, low = m.difference(near, root)
        below = (alpha_n - beta) * m.expm1(m.at_least(distance, m.lowest(x)), low - rest)
    else:
        below = alpha_n * m.expm1(near) + beta
    return jnp.where(x > 0, 2 * alpha_p * x + beta, below)


def _xielu_curvature(m, x, alpha_p, alpha_n, beta):
    below = alpha_n * m.exp(m.clamp(x, m.lowest(x, lift=LIFT), 0.0), lift=LIFT) * DROP
    return jnp.where(x > 0, 2 * alpha_p, below)


def _xielu_by_alpha_p(m, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, x * x, 0.0)


def _xielu_slope_by_alpha_p(m, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 2 * x, 0.0)


def _xielu_by_alpha_n(m, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 0.0, _exp_less_line(m, m.at_most(x, 0.0)))


def _xielu_slope_by_alpha_n(m, x, alpha_p, alpha_n, beta):
    return jnp.where(x > 0, 0.0, m.expm1(m.clamp(x, m.lowest(x), 0.0)))


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
        beta=lambda m, x, alpha_p, alpha_n, beta: jnp.ones_like(x),
    ),
    alpha_p=Kernel(_xielu_by_alpha_p, x=_xielu_slope_by_alpha_p),
    alpha_n=Kernel(_xielu_by_alpha_n, x=_xielu_slope_by_alpha_n),
    beta=lambda m, x, alpha_p, alpha_n, beta: x,
)


@activation(
    formula=lambda m, x, alpha=0.0: m.where(
        alpha < 0,
        -m.log(1 - alpha * (x + alpha)) / alpha,
        m.where(alpha > 0, (m.exp(alpha * x) - 1) / alpha + alpha, x),
    ),
    source="Godfrey & Gashler, arXiv:1602.01321",
    samples=({"alpha": 0.5}, {"alpha": -1.0}),
    domain=lambda alpha=0.0: (1 / alpha - alpha if alpha < 0 else -math.inf, math.inf),
    range=lambda alpha=0.0: (alpha - 1 / alpha if alpha > 0 else -math.inf, math.inf),
    ulps=(2.5, 1.5, 2.0),
)
def soft_exponential(x: ArrayLike, alpha: ArrayLike = 0.0) -> Array:
    """Soft exponential: from a logarithm through the identity to an exponential, as alpha grows.

        soft_exponential(x) = -log(1 - alpha * (x + alpha)) / alpha if alpha < 0,
                              x if alpha = 0,
                              (exp(alpha * x) - 1) / alpha + alpha if alpha > 0
        soft_exponential'(x) = 1 / (1 - alpha * (x + alpha)) if alpha < 0, else exp(alpha * x)

    It is log(x) for alpha = -1, and exp(x) for alpha = 1.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float. For a
            negative alpha they must be above 1 / alpha - alpha.
        alpha: how it grows; a number, or an array that broadcasts against x. By default the
            identity, from which it may be learned either way.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`; NaN below
        the domain.

    Accuracy:
        float32: value 2.5, slope 1.5, curvature 2 ULP. 16 bits: correctly rounded but for at most 3
        of the 65,536 inputs. With an array for a positive alpha, the error beside the root of the
        value is that much of its largest term.

    Edges:
        For alpha > 0 the limit at -inf is alpha - 1 / alpha, with slope 0; for alpha < 0 the value
        at 1 / alpha - alpha is -inf, with slope inf. soft_exponential(inf) = inf. In alpha it is
        smooth but for its second derivative, which jumps at 0 and is there that from above. NaN
        gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` is a number and not finite, or does not broadcast against `x`.

    Source:
        Godfrey & Gashler, arXiv:1602.01321

    Example:
        >>> jaxact.soft_exponential(jnp.array([-1.0, 0.0, 1.0]), 0.5)
        Array([-0.28693867,  0.5       ,  1.7974424 ], dtype=float32)
    """
    if is_number(alpha):
        require(math.isfinite(alpha), "jaxact.soft_exponential", "alpha", alpha, "be finite")
    return SOFT_EXPONENTIAL(x, alpha)


def _by_sign(above, below):
    """A kernel's value from those for alpha >= 0 and for alpha < 0; a number needs one of them."""

    def value(m, x, alpha):
        if isinstance(alpha, float):
            return above(m, x, alpha) if alpha >= 0 else below(m, x, alpha)
        # Each is given what it takes wherever the other one is meant.
        positive = above(m, jnp.where(alpha < 0, 0.0, x), jnp.where(alpha < 0, 0.0, alpha))
        negative = below(m, jnp.where(alpha < 0, x, 1.0), jnp.where(alpha < 0, alpha, -1.0))
        return jnp.where(alpha < 0, negative, positive)

    value.__name__ = above.__name__.removesuffix("_above")
    return value


def _guarded(alpha):
    """alpha, but 1 instead of 0: a divisor for what is not used then."""
    if isinstance(alpha, float):
        return alpha or 1.0
    return jnp.where(alpha == 0, 1.0, alpha)


_SHIFT = 64  # exp(v) is taken as 2^64 exp(v - 64 ln 2) for a large v: it may be multiplied by less
_SHIFT_HIGH = round(_SHIFT * math.log(2) * 2**12) / 2**12
_SHIFT_LOW = _SHIFT * math.log(2) - _SHIFT_HIGH + _SHIFT * 2.3190468138462996e-17


def _exponent(m, x, alpha):
    """alpha x for alpha >= 0 in two parts, within reach of what is multiplied by 2^64."""
    highest = (m.highest(x) + 0.25 * _SHIFT_HIGH) / _guarded(alpha)
    lowest = m.lowest(x, lift=LIFT) / _guarded(alpha)
    high, low = m.product(m.clamp(m.clamp(x, lowest, highest), *_finite(x)), alpha)
    return high, jnp.zeros_like(high) if low is None else low


def _finite(x):
    largest = float(jnp.finfo(x.dtype).max)
    return -largest, largest


def _times_exp(m, x, alpha, factor):
    """factor * exp(alpha x) for alpha >= 0, as long as it is a normal number."""
    v, low = _exponent(m, x, alpha)
    is_high = v > 40
    v = jnp.where(is_high, v - _SHIFT_HIGH, v)
    low = jnp.where(is_high, low - _SHIFT_LOW, low)
    e = m.exp(v, low, lift=LIFT)
    return factor * e * jnp.where(is_high, 2.0**_SHIFT * DROP, DROP)


@functools.lru_cache
def _root_of_soft_exponential(alpha: float):
    """log(1 - alpha^2) / alpha in two parts, or None where there is none, or where it is -alpha."""
    if not 1e-6 <= alpha < 1:
        return None
    with localcontext() as context:
        context.prec = 60
        a = Decimal(alpha)
        return _two_doubles((1 - a * a).ln() / a)


def _soft_exponential_above(m, x, alpha):
    if isinstance(alpha, float) and alpha >= 1:
        return (alpha - 1) * (alpha + 1) / alpha + _times_exp(m, x, alpha, 1 / alpha)
    root = _root_of_soft_exponential(alpha) if isinstance(alpha, float) else None
    if not root:
        v, low = _exponent(m, x, alpha)
        return alpha + jnp.where(
            jnp.abs(v) < _negligible(x), x, _expm1_far(m, v, low, 1 / _guarded(alpha))
        )
    limit = m.highest(x) + 0.25 * _SHIFT_HIGH
    distance, rest = m.difference(m.clamp(x, -limit / alpha, limit / alpha), root[0])
    v, low = m.product(distance, alpha)
    low = alpha * (rest - root[1]) + (0.0 if low is None else low)
    return _expm1_far(m, m.at_least(v, m.lowest(x)), low, (1 - alpha) * (1 + alpha) / alpha)


def _negligible(x):
    """Below it a product may have been flushed, and the function of it is linear."""
    info = jnp.finfo(x.dtype)
    return float(info.tiny) / float(info.eps)


def _expm1_far(m, v, low, factor):
    """factor * (exp(v + low) - 1), also where only the product is finite."""
    is_high = v > 84
    v = m.at_least(jnp.where(is_high, v - _SHIFT_HIGH, v), m.lowest(v))
    low = jnp.where(is_high, low - _SHIFT_LOW, low)
    return factor * m.expm1(v, low) * jnp.where(is_high, 2.0**_SHIFT, 1.0)


def _slope_above(m, x, alpha):
    return _times_exp(m, x, alpha, 1.0)


def _curvature_above(m, x, alpha):
    return _times_exp(m, x, alpha, alpha)


def _by_alpha_above(m, x, alpha):
    """1 + ((v - 1) exp(v) + 1) / alpha^2 with v = alpha x, as a series where it cancels."""
    v, _ = _exponent(m, x, alpha)
    near = m.clamp(v, -1.5, 1.5)
    series = 0.5 * x * x * polynomial(near, *_terms(_BY_ALPHA, x))
    inverse = 1 / _guarded(alpha)
    grown = _times_exp(m, x, alpha, (v - 1) * (inverse * inverse))
    return 1 + jnp.where(near == v, series, grown + inverse * inverse)


def _slope_by_alpha_above(m, x, alpha):
    """x exp(alpha x)."""
    near = m.at_least(x, m.lowest(x, lift=LIFT) / _guarded(alpha))
    return _times_exp(m, x, alpha, m.clamp(jnp.where(alpha == 0, x, near), *_finite(x)))


def _by_alpha_twice_above(m, x, alpha):
    """((v^2 - 2 v + 2) exp(v) - 2) / alpha^3 with v = alpha x, as a series where it cancels."""
    v, _ = _exponent(m, x, alpha)
    near = m.clamp(v, -1.5, 1.5)
    series = x * x * x * polynomial(near, *_terms(_BY_ALPHA_TWICE, x))
    inverse = 1 / _guarded(alpha)
    grown = _times_exp(m, x, alpha, ((v - 1) * (v - 1) + 1) * (inverse * inverse * inverse))
    return jnp.where(near == v, series, grown - 2 * (inverse * inverse * inverse))


def _terms(series, x):
    return series if x.dtype == jnp.float64 else series[-14:]


# ((v - 1) exp(v) + 1) / v^2 is half the first, ((v^2 - 2 v + 2) exp(v) - 2) / v^3 the second
_BY_ALPHA_TWICE = tuple(1 / (math.factorial(k) * (k + 3)) for k in range(21, -1, -1))

_FAR = 64  # beyond 2^64 what is added to alpha x hardly matters


class _Below(NamedTuple):
    """What the functions for alpha < 0 are made of, with u = 1 - alpha z and z = x + alpha.

    Attributes:
        z: x + alpha.
        w: u - 1, rounded.
        u: u, rounded, NaN where it is negative.
        rest: what rounding took from it.
    """

    z: Array
    w: Array
    u: Array
    rest: Array


@functools.lru_cache
def _end_of_soft_exponential(alpha: float):
    """1 / alpha - alpha in two parts, or None where u is found as well from x + alpha."""
    if alpha > -0.125:
        return None
    with localcontext() as context:
        context.prec = 60
        a = Decimal(alpha)
        return _two_doubles(1 / a - a)


def _scaled_difference(m, x, number, factor):
    """The difference and factor times it, each in two parts."""
    high, low = m.difference(x, number)
    product, rest = m.product(high, factor)
    return (high, low), (product, factor * low + (0.0 if rest is None else rest))


def _below(m, x, alpha):
    x = m.clamp(x, -(2.0**_FAR), 2.0**_FAR)
    (z, _), (w, low) = _scaled_difference(m, x, -alpha, -alpha)
    end = _end_of_soft_exponential(alpha) if isinstance(alpha, float) else None
    if end:
        _, (u, rest) = _scaled_difference(m, x, end[0], -alpha)
        rest = rest + alpha * end[1]
    else:
        u, rest = m.difference(w, -1.0)
        rest = rest + low
    u, rest = m.sum_in_two_parts(u, rest)
    return _Below(z, w + low, jnp.where(u < 0, jnp.nan, u), rest)


def _logarithm(below):
    """log(u + rest)."""
    positive = below.u > 0
    u = jnp.where(positive, below.u, 1.0)
    return jnp.where(positive, jnp.log(u) + below.rest / u, jnp.log(below.u))


def _soft_exponential_below(m, x, alpha):
    below = _below(m, x, alpha)
    near = jnp.where(jnp.abs(below.w) < _negligible(x), below.z, _logarithm(below) / -alpha)
    scaled = -alpha * (m.at_least(x, 1.0) * 2.0**-_FAR) + 2.0**-_FAR
    far = (jnp.log(scaled) + _FAR * math.log(2)) / -alpha
    return jnp.where(x > 2.0**_FAR, far, near)


def _inverse(m, x, alpha):
    """1 / u."""
    below = _below(m, x, alpha)
    far = 1 - alpha * m.at_least(x, 1.0)
    return 1 / jnp.where(x > 2.0**_FAR, far, below.u)


def _curvature_below(m, x, alpha):
    inverse = _inverse(m, x, alpha)
    return alpha * inverse * inverse


def _by_alpha_below(m, x, alpha):
    """(log(u) - t) / alpha^2 + 1 / u with t = 1 - 1 / u, as a series where it cancels."""
    below = _below(m, x, alpha)
    u = below.u
    t, ratio = below.w / u, below.z / u
    near = m.clamp(t, -0.25, 0.25)
    series = ratio * ratio * polynomial(near, *(1 / (k + 2) for k in range(24, -1, -1)))
    far = (_logarithm(below) - t) / (alpha * alpha)
    return jnp.where(near == t, series, far) + 1 / u


def _slope_by_alpha_below(m, x, alpha):
    """(x + 2 alpha) / u^2."""
    inverse = _inverse(m, x, alpha)
    return (m.clamp(x, *_finite(x)) + 2 * alpha) * inverse * inverse


def _by_alpha_twice_below(m, x, alpha):
    """-2 (log(u) - t - t^2 / 2) / alpha^3 + (2 z + alpha) / u^2, likewise."""
    below = _below(m, x, alpha)
    u = below.u
    t, ratio = below.w / u, below.z / u
    near = m.clamp(t, -0.25, 0.25)
    cube = ratio * ratio * ratio
    series = 2 * cube * polynomial(near, *(1 / (k + 3) for k in range(24, -1, -1)))
    far = -2 * (_logarithm(below) - t - 0.5 * t * t) / (alpha * alpha * alpha)
    return jnp.where(near == t, series, far) + (2 * ratio + alpha / u) / u


_SOFT_SLOPE_BY_ALPHA = _by_sign(_slope_by_alpha_above, _slope_by_alpha_below)

SOFT_EXPONENTIAL = Kernel(
    _by_sign(_soft_exponential_above, _soft_exponential_below),
    x=Kernel(
        _by_sign(_slope_above, _inverse),
        x=_by_sign(_curvature_above, _curvature_below),
        alpha=_SOFT_SLOPE_BY_ALPHA,
    ),
    alpha=Kernel(
        _by_sign(_by_alpha_above, _by_alpha_below),
        x=_SOFT_SLOPE_BY_ALPHA,
        alpha=_by_sign(_by_alpha_twice_above, _by_alpha_twice_below),
    ),
)
