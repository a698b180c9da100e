"""Self-gated activations whose gate is one sigmoid or rectifier within another function.

A root of a derivative at which two terms would cancel is factored out, or the coefficients of a
polynomial in E = exp(-abs(x)) are collected, so that what vanishes there is a difference of numbers
that are exact.
"""

import math
from decimal import Decimal
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _normal as normal
from .._arithmetic import DROP, LIFT, curvature_of_gated, polynomial, two_parts
from .._beside_roots import beside_root
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda math, x: x * math.log1p(1 / (1 + math.exp(-x))),
    source="Zhu, Zeng, Liu & Zhang, Logish, Neurocomputing 458, 2021",
    range=lambda: (-0.25276882, math.inf),
    ulps=(4.0, 7.0, 7.0),
)
def logish(x: ArrayLike) -> Array:
    """Logish: the input times the logarithm of one plus its sigmoid.

        logish(x) = x * log(1 + sigmoid(x))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 4, slope 7, curvature 7 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 3 of the 65,536 inputs.

    Edges:
        logish(-inf) = -0, logish(inf) = inf, with slopes 0 and log(2). NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Zhu, Zeng, Liu & Zhang, Logish, Neurocomputing 458, 2021

    Example:
        >>> jaxact.logish(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.22523351,  0.        ,  1.2633914 ], dtype=float32)
    """
    return LOGISH(x)


# Below zero, with s = sigmoid(x) and t = s / (2 + s) = E / (2 + 3 E): log(1 + s) = 2 t (1 + r),
# r = t^2 / 3 + t^4 / 5 + ... Above zero it is log(2) - log(1 + E / (2 + E)).
_LN2 = math.floor(math.log(2) * 2**12) / 2**12  # times 11 bits, it is exact
_LN2_REST = math.log(2) - _LN2
_NUDGE = 2.0**-27  # else one float16 mantissa times log(2) would round to a tie in float32


def _log_gate(ops, near):
    """The decay, whether x is positive, 1 / (2 + 3 E), r, and log(1 + s) - _LN2 where it is."""
    gate, up = ops.decay(near), near >= 0
    inverse = 1 / (2 + 3 * gate.e)
    t = gate.e * inverse
    count = 6 if near.dtype == jnp.float32 else 13
    r = t * t * polynomial(t * t, *(1 / (2 * k + 1) for k in range(count, 0, -1)))
    lifted = gate.lifted / (2 + gate.e)
    rest = _LN2_REST - _NUDGE if near.dtype == jnp.float32 else _LN2_REST
    return gate, up, inverse, r, rest - ops.log1p(lifted, lifted * DROP) * DROP


def _logish(ops, x):
    near = ops.reach(x)
    gate, up, inverse, r, log = _log_gate(ops, near)
    below = near * (2 * gate.lifted * inverse * (1 + r)) * DROP
    above = jnp.where(x > 8, x * _LN2 + x * log, x * (_LN2 + log))
    return jnp.where(up, above, below)


def _logish_slope(ops, x):
    near = ops.reach(x)
    gate, up, inverse, r, log = _log_gate(ops, near)
    e = gate.e
    above = _LN2 + (log + near * (e / ((1 + e) * (2 + e))))
    excess = e * (3 + 4 * e) * inverse
    factor = (1 + near) + excess + r * (1 + excess)
    slope = jnp.where(up, above, gate.lifted / ((1 + e) * (1 + 2 * e)) * factor * DROP)
    return beside_root(_exact_logish_slope, -2.0, -1.0, 0.15)(ops, x, slope)


def _exact_logish_slope(x):
    w = x.exp()
    return (1 + w / (1 + w)).ln() + x * w / ((1 + w) * (1 + 2 * w))


def _exact_logish_curvature(x):
    w = x.exp()
    return w * (2 + x + w * (6 + w * (4 - 2 * x))) / ((1 + w) * (1 + 2 * w)) ** 2


def _logish_curvature(ops, x):
    near = ops.reach(x)
    gate, up = ops.decay(near), near >= 0
    e, left, right = gate.e, 2 + near, 4 - 2 * near
    curvature = jnp.where(up, right + e * (6 + e * left), left + e * (6 + e * right))
    d = (1 + e) * jnp.where(up, 2 + e, 1 + 2 * e)
    curvature = gate.lifted * curvature / (d * d) * DROP
    return beside_root(_exact_logish_curvature, -3.0, -2.0, 0.15)(ops, x, curvature)


@curvature_of_gated
def _smooth_logish_curvature(ops, x):
    near = ops.reach(x)
    return ops.logistic_density(near) / (1 + ops.sigmoid(near))


LOGISH = Kernel(
    _logish,
    x=Kernel(_logish_slope, x=Kernel(_logish_curvature, smooth=_smooth_logish_curvature)),
)


@activation(
    formula=lambda math, x: x * math.tanh(math.log1p(1 / (1 + math.exp(-x)))),
    source="Wang, Ren & Wang, Smish, Electronics 11(4), 2022",
    range=lambda: (-0.24999366, math.inf),
    ulps=(4.0, 6.5, 9.0),
)
def smish(x: ArrayLike) -> Array:
    """Smish: the input times the tanh of the logarithm of one plus its sigmoid.

        smish(x) = x * tanh(log(1 + s)) = x * s * (2 + s) / (1 + (1 + s)^2), s = sigmoid(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 4, slope 6.5, curvature 9 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 8 of the 65,536 inputs.

    Edges:
        smish(-inf) = -0, smish(inf) = inf, with slopes 0 and 3/5. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Wang, Ren & Wang, Smish, Electronics 11(4), 2022

    Example:
        >>> jaxact.smish(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.22428614,  0.        ,  1.1184375 ], dtype=float32)
    """
    return SMISH(x)


# The gate is w (2 + 3 w) / (2 + 6 w + 5 w^2) in w = exp(x): polynomials in E, forwards below zero
# and backwards above it.
def _smish_divisor(e, up):
    return jnp.where(up, 5 + e * (6 + 2 * e), 2 + e * (6 + 5 * e))


def _smish(ops, x):
    near = ops.reach(x)
    gate, up = ops.decay(near), x >= 0
    t = jnp.where(up, 3 + 2 * gate.e, 2 + 3 * gate.e)
    rest = jnp.where(up, 1.0, gate.e)
    half = t / (t * t + rest * rest)  # of which t's own error is nearly lost again
    return jnp.where(up, x * (2 * half), near * gate.lifted * half * (2 * DROP))


def _smish_slope(ops, x):
    near = ops.reach(x)
    gate, up = ops.decay(near), near >= 0
    e, d = gate.e, _smish_divisor(gate.e, up)
    above = (3 + 2 * e) * d + 4 * near * e * ((1 + e) * (2 + e))
    below = polynomial(e, 15.0, 28 + 8 * near, 18 + 12 * near, 4 + 4 * near)
    return jnp.where(up, above / (d * d), gate.lifted * below / (d * d) * DROP)


def _smish_curvature(ops, x):
    near = ops.reach(x)
    gate, up = ops.decay(near), near >= 0
    e, d = gate.e, _smish_divisor(gate.e, up)
    forwards = (4 + 2 * near, 24 + 6 * near, 54 - 3 * near, 54 - 18 * near, 20 - 10 * near)
    curvature = jnp.where(up, polynomial(e, *forwards), polynomial(e, *reversed(forwards)))
    curvature = 4 * gate.lifted * curvature / (d * (d * d)) * DROP
    for low, high in ((-3.0, -2.0), (2.0, 3.0)):
        curvature = beside_root(_exact_smish_curvature, low, high, 0.15)(ops, x, curvature)
    return curvature


def _exact_smish_curvature(x):
    w = x.exp()
    rising = 4 + 2 * x + w * (24 + 6 * x + w * (54 - 3 * x + w * (54 - 18 * x + w * (20 - 10 * x))))
    return 4 * w * rising / (2 + w * (6 + 5 * w)) ** 3


@curvature_of_gated
def _smooth_smish_curvature(ops, x):
    near = ops.reach(x)
    t = 1 + ops.sigmoid(near)
    return ops.logistic_density(near) * (4 * t / ((1 + t * t) * (1 + t * t)))


SMISH = Kernel(
    _smish,
    x=Kernel(_smish_slope, x=Kernel(_smish_curvature, smooth=_smooth_smish_curvature)),
)


@activation(
    formula=lambda math, x: x * math.erf(math.log1p(math.exp(x))),
    source="Nag & Bhattacharyya, Serf, arXiv:2108.09598; WACV 2023",
    range=lambda: (-0.34843746, math.inf),
    ulps=(4.0, 5.5, 7.0),
)
def serf(x: ArrayLike) -> Array:
    """Serf: the input times the error function of its softplus.

        serf(x) = x * erf(log(1 + exp(x)))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 4, slope 5.5, curvature 7 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 5 of the 65,536 inputs.

    Edges:
        serf(-inf) = -0, serf(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Nag & Bhattacharyya, Serf, arXiv:2108.09598; WACV 2023

    Example:
        >>> jaxact.serf(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.28491494,  0.        ,  1.9947393 ], dtype=float32)
    """
    return SERF(x)


_SLOPE_AT_0 = 2 / math.sqrt(math.pi)  # of erf


class _Softplus(NamedTuple):
    """p = log(1 + exp(x)) in two parts, lifted where x < 0, and 2^LIFT exp(-p^2)."""

    x: Array
    up: Array
    lifted: Array
    e: Array
    log: Array
    high: Array
    low: Array
    density: Array


def _softplus(ops, x) -> _Softplus:
    near = ops.reach(x)
    gate, up = ops.decay(near), x >= 0
    log = ops.log1p(gate.lifted, gate.e)
    small = log * DROP
    high = gate.a + small
    part = high - gate.a
    low = (gate.a - (high - part)) + (small - part)
    p, low = jnp.where(up, high, small), jnp.where(up, low, 0.0)
    far = math.sqrt(-ops.lowest(x, lift=LIFT))
    p = ops.at_most(p, far)
    head = ops.short(p, (jnp.finfo(x.dtype).nmant + 1) // 2)
    density = ops.exp(-head * head, -((p - head) * (p + head) + 2 * p * low), lift=LIFT)
    return _Softplus(ops.at_most(near, far), up, gate.lifted, gate.e, log, p, low, density)


def _erf(ops, s):
    """erf(p) where x > 0."""
    return 1 - 2 * s.density * DROP / normal.tail_divisor(ops, math.sqrt(2) * s.high)


def _serf(ops, x):
    s = _softplus(ops, x)
    square = jnp.where(s.up, 0.0, s.high * s.high)
    count = 8 if x.dtype == jnp.float32 else 16
    series = polynomial(
        -square, *(_SLOPE_AT_0 / (math.factorial(k) * (2 * k + 1)) for k in range(count, 0, -1))
    )
    high, low = two_parts(_SLOPE_AT_0, x)
    p = s.x * s.log
    return jnp.where(s.up, x * _erf(ops, s), (p * (low - square * series) + p * high) * DROP)


def _serf_slope(ops, x):
    # Below zero, with t = tanh(p / 2) = e / (2 + e), erf(p) + x erf'(p) s is erf'(p) s times a
    # factor that vanishes where the slope does.
    s = _softplus(ops, x)
    steep = _SLOPE_AT_0 * s.density * DROP
    t = ops.force_recompute(s.e / (2 + s.e))
    count = 9 if x.dtype == jnp.float32 else 17
    square = (2 * t) * (2 * t)  # of t alone it would be that of the quotient again
    a = square * polynomial(square, *(0.25**k / (2 * k + 1) for k in range(count, 0, -1)))
    square = jnp.where(s.up, 0.0, s.high * s.high)
    excess = square * polynomial(
        square, *(2.0**k / math.prod(range(3, 2 * k + 2, 2)) for k in range(count, 0, -1))
    )
    factor = (1 + s.x) + t + (1 + t) * (a + (1 + a) * excess)
    high, low = two_parts(_SLOPE_AT_0, x)
    below = s.lifted * (s.density * DROP * (factor * low + factor * high)) / (1 + s.e) * DROP
    return jnp.where(s.up, _erf(ops, s) + s.x * (steep / (1 + s.e)), below)


def _serf_curvature(ops, x):
    s = _softplus(ops, x)
    product, rest = ops.product(s.x, s.high)
    above = (2 - 2 * product) - 2 * (rest + s.x * s.low) + s.e * (2 + s.x)
    below = (2 + s.x) + s.e * (2 - 2 * product)
    curvature = jnp.where(s.up, s.density * above, s.density * DROP * s.lifted * below)
    q = 1 + s.e
    return _SLOPE_AT_0 * curvature / (q * q) * DROP


SERF = Kernel(_serf, x=Kernel(_serf_slope, x=_serf_curvature))


@activation(
    formula=lambda math, x: x * math.tanh(x * math.erfc(-x / math.sqrt(math.number("2"))) / 2),
    source="Naveen, Phish, TechRxiv 17283824, 2022",
    range=lambda: (0.0, math.inf),
    ulps=(4.0, 5.5, 7.0),
)
def phish(x: ArrayLike) -> Array:
    """Phish: the input times the tanh of its exact GELU.

        phish(x) = x * tanh(x * P(Z < x)), with a standard normal Z

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, not negative.

    Accuracy:
        float32: value 4, slope 5.5, curvature 7 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 7 of the 65,536 inputs.

    Edges:
        phish(-inf) = 0, phish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Naveen, Phish, TechRxiv 17283824, 2022

    Example:
        >>> jaxact.phish(jnp.array([-2.0, 0.0, 2.0]))
        Array([0.09093778, 0.        , 1.9213359 ], dtype=float32)
    """
    return PHISH(x)


def _tanh_coefficients(count: int) -> list[float]:
    """The series of tanh(v) / v in powers of v^2, from tanh' = 1 - tanh^2."""
    t = [1.0]
    while len(t) < count:
        t.append(-sum(a * b for a, b in zip(t, reversed(t), strict=True)) / (2 * len(t) + 1))
    return t


TANH_SERIES = _tanh_coefficients(18)


class _Rise(NamedTuple):
    """Above zero: x, t with gelu'(x) = 1 - t, tanh(gelu(x)), 1 less that, and its slope, lifted.

    `ratio` is tanh(gelu(x)) / x where `small`, for an x whose half is no normal number.
    """

    x: Array
    t: Array
    small: Array
    ratio: Array
    tanh: Array
    short: Array
    steep: Array


def _phish_above(ops, x) -> _Rise:
    near = ops.at_most(ops.at_least(x, 0.0), -0.5 * ops.lowest(x, lift=LIFT))
    a = ops.at_most(near, normal.farthest(x))
    tail = ops.force_recompute(normal.tail(ops, a))
    high, low = ops.fast_two_sum(near, -a * tail * DROP)
    lifted = ops.exp(-2 * high, -2 * low, lift=LIFT)
    d, u = lifted * DROP, ops.at_most(high, 0.5)
    small, bent = u < 0.5, 1 + _tanh_excess(u * u)
    tanh = jnp.where(small, u * bent, (1 - d) / (1 + d))
    steep = 4 * lifted / ((1 + d) * (1 + d))
    return _Rise(
        near,
        normal.tail_slope(ops, a),
        small,
        (1 - tail * DROP) * bent,
        tanh,
        2 * d / (1 + d),
        steep,
    )


class _Valley(NamedTuple):
    """Below zero: a = -x, 2^LIFT exp(-a^2/2), 2^LIFT a P(Z > a), and tanh(v) / v - 1 at its v."""

    a: Array
    density: Array
    part: Array
    excess: Array


def _phish_below(ops, x) -> _Valley:
    a = ops.at_most(-ops.at_most(x, 0.0), normal.farthest(x))
    part = a * normal.tail(ops, a)
    return _Valley(a, normal.density(ops, a), part, _tanh_excess((part * DROP) * (part * DROP)))


def _tanh_excess(square):
    """tanh(v) / v - 1 by its series, for v^2 up to 1/4."""
    count = 9 if square.dtype == jnp.float32 else 18
    return square * polynomial(square, *reversed(TANH_SERIES[1:count]))


def _phish(ops, x):
    rise, valley = _phish_above(ops, x), _phish_below(ops, x)
    v = valley.a * valley.part
    below = (v + v * valley.excess) * DROP
    y = jnp.where(x >= 0, x * rise.tanh, below)
    # Beside zero it is x^2 / 2, a tie for some 16-bit x, and somewhat more or less on either side.
    eps = float(jnp.finfo(x.dtype).eps) * (1 if ops.double_float else 8)
    return jnp.where(ops.absolute(x) < eps, y * jnp.where(x > 0, 1 + eps, 1 - eps), y)


def _phish_slope(ops, x):
    # Below zero a^2 P(Z > a), but for what tanh(v) is short of v.
    rise, valley = _phish_above(ops, x), _phish_below(ops, x)
    moved = rise.steep * DROP * (1 - rise.t)
    above = jnp.where(rise.small, rise.x * (rise.ratio + moved), rise.tanh + rise.x * moved)
    a, v = valley.a, valley.part * DROP * (1 + valley.excess)
    missing = v * v * normal.tail_slope_factor(ops, a) - valley.excess / normal.tail_divisor(ops, a)
    below = -a * valley.density * (normal.square_slope_factor(ops, a) - missing) * DROP
    return jnp.where(x >= 0, above, below)


def _phish_curvature(ops, x):
    rise, valley = _phish_above(ops, x), _phish_below(ops, x)
    curvature = normal.tail_curvature(ops, ops.at_most(rise.x, normal.farthest(x)))
    slope = 1 - rise.t
    above = 2 * slope * ((1 - rise.x) + rise.x * rise.t)
    above = above + rise.x * (curvature + 2 * rise.short * (slope * slope))
    a, v = valley.a, valley.part * DROP * (1 + valley.excess)
    t = normal.tail_slope_factor(ops, a)
    missing = 2 * a * v * (valley.density * DROP) * (t * t)
    below = valley.density * (normal.square_curvature_factor(ops, a) - missing) * (1 - v * v)
    curvature = jnp.where(x >= 0, rise.steep * above, below) * DROP
    return beside_root(_exact_phish_curvature, 1.0, 1.5, 0.15)(ops, x, curvature)


_PI = Decimal("3.14159265358979323846264338327950288419716939937511")


def _exact_phish_curvature(x):
    density = (-x * x / 2).exp() / (2 * _PI).sqrt()
    term = total = x
    for odd in range(3, 151, 2):
        term *= x * x / odd
        total += term
    below = Decimal("0.5") + density * total
    slope = below + x * density
    d = (-2 * x * below).exp()
    tanh, steep = (1 - d) / (1 + d), 4 * d / (1 + d) ** 2
    return steep * (2 * slope + x * ((2 - x * x) * density - 2 * tanh * slope * slope))


PHISH = Kernel(_phish, x=Kernel(_phish_slope, x=_phish_curvature))
