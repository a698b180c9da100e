"""Self-gated activations whose gate is a power of the sigmoid, or the tanh made of one.

Both are made of (1 + exp(-z))^-power, whose exponent, power * softplus(-z), takes two parts: what
rounding takes from it would cost a hundred units in the last place where the power is small.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._beside_roots import beside_root
from .._catalog import activation
from .._derivatives import Kernel
from .self_gated_composite import TANH_SERIES
from .self_gated_logistic import lowest_value


class Power(NamedTuple):
    """(1 + exp(-z))^-power, z = rate * x, and what it is made of.

    Attributes:
        x: the argument, no farther from 0 than where all has vanished.
        closed: whether z is negative.
        a, below: abs(z), in two parts.
        lifted, e, times: 2^LIFT exp(-a), exp(-a), and what multiplies by the former.
        log: 2^LIFT log(1 + exp(-a)).
        softplus: log(1 + exp(-z)).
        exponent, rest: its product with the power, in two parts.
        value: 2^LIFT (1 + exp(-z))^-power.
    """

    x: Array
    closed: Array
    a: Array
    below: Array
    lifted: Array
    e: Array
    times: Callable[[Array], Array]
    log: Array
    softplus: Array
    exponent: Array
    rest: Array
    value: Array


def _power(ops, x, power, rate) -> Power:
    limit = -ops.lowest(x, lift=LIFT)
    weak = min(power, 1.0) if isinstance(power, float) else ops.at_most(power, 1.0)
    near = ops.reach(x, weak * rate)
    closed = rate * x < 0
    a, below = _product(ops, ops.absolute(near), abs(rate))
    lifted, times = ops.exponential(-ops.at_most(a, limit), -below, lift=LIFT)
    e = lifted * DROP
    log = ops.log1p(lifted, e)
    small = log * DROP
    high = a + small
    part = high - a
    low = (a - (high - part)) + (small - part) + below
    softplus = jnp.where(closed, high, small)
    exponent, rest = _product(ops, softplus, power)
    rest = rest + power * jnp.where(closed, low, 0.0)
    value = ops.exp(-ops.at_most(exponent, limit), -rest, lift=LIFT)
    return Power(near, closed, a, below, lifted, e, times, log, softplus, exponent, rest, value)


def _product(ops, x, factor):
    high, rest = ops.product(x, factor)
    return high, jnp.zeros_like(high) if rest is None else rest


@activation(
    formula=lambda math, x, alpha=1.5, beta=1.0: (
        x * math.exp(-alpha * math.log1p(math.exp(-beta * x)))
    ),
    source="Patwardhan, Ingalhalikar & Walambe, ARiA, arXiv:1805.08878",
    samples=({"alpha": 1.5, "beta": 1.0}, {"alpha": 1.7, "beta": 2.5}),
    range=lambda alpha=1.5, beta=1.0: (
        lowest_value(lambda y: y * (1 + math.exp(-y)) ** -alpha) / beta,
        math.inf,
    ),
    ulps=(4.0, 5.5, 6.0),
)
def aria2(x: ArrayLike, alpha: ArrayLike = 1.5, beta: ArrayLike = 1.0) -> Array:
    """ARiA-2: the input times a power of a sigmoid, a case of Richard's curve.

        aria2(x) = x * (1 + exp(-beta * x))^-alpha

    With alpha = 1 it is `swish`. Echo's function of this name is the gate alone, without x.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: the power, positive: how far the valley lies below zero; a number, or an array that
            broadcasts against x.
        beta: how sharply the gate opens, positive; likewise.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 5.5, curvature 6 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 5 of the 65,536 inputs. (Measured for
        alpha = 1.5, beta = 1 and for 1.7, 2.5; a small beta spreads the neighbourhood of the roots
        by 1 / beta.)

    Edges:
        aria2(-inf) = -0, aria2(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` or `beta` is a number and not positive, or does not broadcast.

    Source:
        Patwardhan, Ingalhalikar & Walambe, ARiA, arXiv:1805.08878

    Example:
        >>> jaxact.aria2(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.08231147,  0.        ,  1.65327   ], dtype=float32)
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if is_number(value):
            require(value > 0, "jaxact.aria2", name, value, "be positive")
    return ARIA2(x, alpha, beta)


def _aria2(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    return jnp.where(g.closed, g.x * g.value * DROP, x * (g.value * DROP))


def _aria2_slope(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    product, rest = _product(ops, g.a, alpha)
    opening = jnp.where(g.closed, ((1 - product) - rest) + g.e, (1 + g.e) + product * g.e)
    return g.value * opening / (1 + g.e) * DROP


def _aria2_bend(ops, g, alpha):
    """2^LIFT times the curvature over alpha * beta."""
    product, rest = _product(ops, g.a, alpha)
    curvature = jnp.where(
        g.closed,
        ((2 - product) - rest) + g.e * (2 + g.a),
        ((2 - g.a) - g.below) + g.e * (2 + product),
    )
    return _fading(g) * curvature / (1 + g.e * (2 + g.e))


def _fading(g):
    """2^LIFT times the gate where it is closed, else times E."""
    return jnp.where(g.closed, g.value, g.lifted * (g.value * DROP))


def _aria2_curvature(ops, x, alpha, beta):
    return alpha * beta * _aria2_bend(ops, _power(ops, x, alpha, beta), alpha) * DROP


def _aria2_slope_by_beta(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    return alpha * g.x * _aria2_bend(ops, g, alpha) * DROP


def _aria2_by_beta(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    return alpha * (g.x * (g.x * _fading(g))) / (1 + g.e) * DROP


def _aria2_by_beta_twice(ops, x, alpha, beta):
    """alpha x^3 times the curvature of the gate, which changes its sign where exp(z) is alpha."""
    g = _power(ops, x, alpha, beta)
    high, low = _logarithm(alpha, x)
    z = jnp.where(g.closed, -g.a, g.a)
    after = ops.clamp((z - high) + (jnp.where(g.closed, -g.below, g.below) - low), -1.0, 1.0)
    beside = alpha * ops.expm1(after) * jnp.where(g.closed, 1.0, g.e)
    far = jnp.where(g.closed, g.e - alpha, 1 - alpha * g.e)
    curvature = jnp.where(ops.absolute(after) < 1, beside, far)
    q = 1 + g.e
    return -alpha * (g.x * (g.x * (g.x * _fading(g)))) * curvature / (q * q) * DROP


def _logarithm(alpha, x):
    """log(alpha) in two parts, for a number."""
    if not isinstance(alpha, float):
        return jnp.log(alpha), 0.0
    exact = Decimal(alpha).ln()
    high = float(np.asarray(float(exact), x.dtype))
    return high, float(exact - Decimal(high))


def _aria2_by_alpha(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    value = g.value * DROP
    return -g.x * jnp.where(g.closed, g.value * g.softplus, value * g.log) * DROP


def _aria2_by_alpha_twice(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    above = (g.value * DROP) * (g.log * (g.log * DROP))
    return g.x * jnp.where(g.closed, g.value * g.softplus * g.softplus, above) * DROP


def _aria2_slope_by_alpha(ops, x, alpha, beta):
    g = _power(ops, x, alpha, beta)
    product, rest = _product(ops, g.a, alpha)
    grown = ((product - 2) + rest) - g.e
    closed = (g.a * grown + (g.log * DROP) * (1 + grown)) / (1 + g.e)
    # Above zero it is E / (1 + E) times a difference with a root: log(1 + E) is 2 u (1 + r).
    u, r = _half_log(g)
    grown = 2 * (product + rest) * u
    factor = (((g.a - 1) - grown) + g.below) - (u + r * ((1 + u) + grown))
    above = g.lifted / (1 + g.e) * factor
    return jnp.where(g.closed, g.value * closed, g.value * DROP * above) * DROP


def _half_log(g):
    """u = e / (2 + e) and r, with log(1 + e) = 2 u (1 + r)."""
    divisor = 2 + g.e
    u = g.e / divisor if g.e.dtype == jnp.float64 else g.times(1 / divisor) * DROP
    count = 9 if u.dtype == jnp.float32 else 16
    return u, u * u * polynomial(u * u, *(1 / (2 * k + 1) for k in range(count, 0, -1)))


ARIA2 = Kernel(
    _aria2,
    x=Kernel(
        _aria2_slope,
        x=_aria2_curvature,
        alpha=_aria2_slope_by_alpha,
        beta=_aria2_slope_by_beta,
    ),
    alpha=Kernel(_aria2_by_alpha, x=_aria2_slope_by_alpha, alpha=_aria2_by_alpha_twice),
    beta=Kernel(_aria2_by_beta, x=_aria2_slope_by_beta, beta=_aria2_by_beta_twice),
)


@activation(
    formula=lambda math, x, beta=1.5: x * math.tanh(beta * math.log1p(math.exp(x))),
    source="Misra, Beta Mish, github.com/digantamisra98/Beta-Mish",
    samples=({"beta": 1.5},),
    range=lambda beta=1.5: (
        lowest_value(lambda x: x * math.tanh(beta * math.log1p(math.exp(x)))),
        math.inf,
    ),
    ulps=(4.0, 6.5, 8.5),
)
def beta_mish(x: ArrayLike, beta: ArrayLike = 1.5) -> Array:
    """Beta Mish: the input times the tanh of a multiple of its softplus; with beta = 1 it is Mish.

        beta_mish(x) = x * tanh(log((1 + exp(x))^beta)) = x * tanh(beta * softplus(x))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        beta: how sharply the gate opens, positive; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `beta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 6.5, curvature 8.5 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 5 of the 65,536 inputs. (Measured for
        beta = 1.5. From 0.6 to 3 the value is off by up to 4.2 ULP, the slope by 10, the curvature
        by 11.5, and beside its roots by 5 eps of its size there; so is the slope, if beta is an
        array.)

    Edges:
        beta_mish(-inf) = -0, beta_mish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` is a number and not positive, or does not broadcast against `x`.

    Source:
        Misra, Beta Mish, github.com/digantamisra98/Beta-Mish

    Example:
        >>> jaxact.beta_mish(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.37624878,  0.        ,  1.9932362 ], dtype=float32)
    """
    if is_number(beta):
        require(beta > 0, "jaxact.beta_mish", "beta", beta, "be positive")
    return BETA_MISH(x, beta)


class _Tanh(NamedTuple):
    """tanh(v), v = beta * softplus(x), lifted where x < 0; D = exp(-2 v), and its power in `g`."""

    g: Power
    d: Array
    gate: Array


def _tanh_of_softplus(ops, x, beta) -> _Tanh:
    g = _power(ops, -x, 2 * beta, 1.0)
    d, v = g.value * DROP, 0.5 * ops.at_most(g.exponent, 1.0)
    # (1 - D) / (1 + D), or its series in v where the dividend would cancel
    count = 9 if x.dtype == jnp.float32 else 18
    excess = v * v * polynomial(v * v, *reversed(TANH_SERIES[1:count]))
    u, a = _half_log(g)
    rising = 2 * beta * 2.0**LIFT * u
    near = jnp.where(g.closed, v + v * excess, rising + rising * (a + (1 + a) * excess))
    far = jnp.where(g.closed, 1 - d, (1 - d) * 2.0**LIFT) / (1 + d)
    return _Tanh(g, d, jnp.where(v < 0.5, near, far))


def _beta_mish(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    return jnp.where(t.g.closed, x * t.gate, -t.g.x * t.gate * DROP)


def _beta_mish_slope(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    g, near, q, s = t.g, -t.g.x, 1 + t.g.e, 1 + t.d
    steep = ops.force_recompute(4 * t.d / (s * s))
    above = t.gate + beta * near * steep / q
    below = t.gate + beta * near * g.lifted * steep / q
    # Below zero the two cancel at a root. With u = tanh(log(1 + exp(x)) / 2) = e / (2 + e), and
    # softplus(x) = 2 u (1 + a), the sum is this product with one factor that vanishes there:
    u, a = _half_log(g)
    exponent = 4 * beta * (u + u * a)
    square = exponent * exponent
    excess = square * polynomial(
        square, *(1 / math.factorial(2 * k + 1) for k in range(_terms(x), 0, -1))
    )
    factor = (1 + near) + u + (1 + u) * (a + (1 + a) * excess)
    factored = 4 * beta * (g.lifted * (t.d * factor)) / (q * (s * s))
    below = jnp.where((near < -0.5) & (square < 8), factored, below)
    slope = jnp.where(g.closed, above, below * DROP)
    if not isinstance(beta, float):
        return slope
    reach = 0.375 / max(1.0, 0.3 * beta)
    return beside_root(_exact_beta_mish_slope, -0.1 / beta, -2 - 2 / beta, reach, beta)(
        ops, x, slope
    )


def _exact_beta_mish_slope(x, beta):
    w = x.exp()
    d = (-2 * beta * (1 + w).ln()).exp()
    return (1 - d) / (1 + d) + 4 * beta * x * w / (1 + w) * d / (1 + d) ** 2


def _terms(x):
    return 9 if x.dtype == jnp.float32 else 16


def _beta_mish_curvature(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    g, near, q, s = t.g, -t.g.x, 1 + t.g.e, 1 + t.d
    product, rest = _product(ops, near, 2 * beta)
    above = ((2 - product) - rest) + (product * (2 * t.d / s) + g.e * (2 + near))
    below = (2 + near) + g.e * (2 - product * (t.gate * DROP))
    curvature = jnp.where(g.closed, g.value * above, t.d * g.lifted * below)
    return 4 * beta * curvature / (q * q) / (s * s) * DROP


def _beta_mish_by_beta(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    g, s = t.g, 1 + t.d
    return -4 * g.x * jnp.where(g.closed, g.value * g.softplus, t.d * g.log) / (s * s) * DROP


def _beta_mish_slope_by_beta(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    g, near = t.g, -t.g.x
    gate = jnp.where(g.closed, t.gate, t.gate * DROP)
    product, rest = _product(ops, near, 2 * beta)
    rising = g.e + product * (2 * t.d / (1 + t.d))
    once, twice = ((1 - product) - rest) + rising, ((2 - product) - rest) + rising
    above = g.value * (near * twice + (g.log * DROP) * once)
    u, a = _half_log(g)
    factor = ((1 + near) - near * (4 * beta * (u + u * a) * gate)) + (u + a * (1 + u))
    square = 1 + t.d * (2 + t.d)
    steep = jnp.where(gate < 0.5, 1 - gate * gate, 4 * t.d / square)
    below = g.times(steep * factor)
    return jnp.where(g.closed, 4 * above / square, below) / (1 + g.e) * DROP


def _beta_mish_by_beta_twice(ops, x, beta):
    t = _tanh_of_softplus(ops, x, beta)
    g, s = t.g, 1 + t.d
    above, below = g.value * t.gate, t.d * t.gate
    squared = jnp.where(g.closed, above, below) * g.softplus * g.softplus
    return 8 * g.x * squared / (s * s) * DROP


BETA_MISH = Kernel(
    _beta_mish,
    x=Kernel(_beta_mish_slope, x=_beta_mish_curvature, beta=_beta_mish_slope_by_beta),
    beta=Kernel(_beta_mish_by_beta, x=_beta_mish_slope_by_beta, beta=_beta_mish_by_beta_twice),
)
