"""Soft exponential: between logarithm, identity and exponential."""

import functools
import math
from decimal import Decimal, localcontext
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import require_finite
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import Kernel
from .exponentials import _BY_ALPHA
from .learned_exponentials import _two_doubles


@activation(
    formula=lambda math, x, alpha=0.0: math.where(
        alpha < 0,
        -math.log(1 - alpha * (x + alpha)) / alpha,
        math.where(alpha > 0, (math.exp(alpha * x) - 1) / alpha + alpha, x),
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
    require_finite("soft_exponential", "alpha", alpha)
    return SOFT_EXPONENTIAL(x, alpha)


def _by_sign(above, below):
    """A kernel's value from those for alpha >= 0 and for alpha < 0; a number needs one of them."""

    def value(ops, x, alpha):
        if isinstance(alpha, float):
            return above(ops, x, alpha) if alpha >= 0 else below(ops, x, alpha)
        # Each is given what it takes wherever the other one is meant.
        positive = above(ops, jnp.where(alpha < 0, 0.0, x), jnp.where(alpha < 0, 0.0, alpha))
        negative = below(ops, jnp.where(alpha < 0, x, 1.0), jnp.where(alpha < 0, alpha, -1.0))
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


def _exponent(ops, x, alpha):
    """alpha x for alpha >= 0 in two parts, within reach of what is multiplied by 2^64."""
    highest = (ops.highest(x) + 0.25 * _SHIFT_HIGH) / _guarded(alpha)
    lowest = ops.lowest(x, lift=LIFT) / _guarded(alpha)
    near = ops.saturated(ops.saturated(x, lowest, highest), *_finite(x))
    high, low = ops.product(near, alpha)
    return high, jnp.zeros_like(high) if low is None else low


def _finite(x):
    largest = float(jnp.finfo(x.dtype).max)
    return -largest, largest


def _times_exp(ops, x, alpha, factor):
    """factor * exp(alpha x) for alpha >= 0, as long as it is a normal number."""
    v, low = _exponent(ops, x, alpha)
    is_high = v > 40
    v = jnp.where(is_high, v - _SHIFT_HIGH, v)
    low = jnp.where(is_high, low - _SHIFT_LOW, low)
    e = ops.exp(v, low, lift=LIFT)
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


def _soft_exponential_above(ops, x, alpha):
    if isinstance(alpha, float) and alpha >= 1:
        return (alpha - 1) * (alpha + 1) / alpha + _times_exp(ops, x, alpha, 1 / alpha)
    root = _root_of_soft_exponential(alpha) if isinstance(alpha, float) else None
    if not root:
        v, low = _exponent(ops, x, alpha)
        return alpha + jnp.where(
            jnp.abs(v) < _negligible(x), x, _expm1_far(ops, v, low, 1 / _guarded(alpha))
        )
    limit = ops.highest(x) + 0.25 * _SHIFT_HIGH
    distance, rest = ops.difference(ops.clamp(x, -limit / alpha, limit / alpha), root[0])
    v, low = ops.product(distance, alpha)
    low = alpha * (rest - root[1]) + (0.0 if low is None else low)
    return _expm1_far(ops, ops.at_least(v, ops.lowest(x)), low, (1 - alpha) * (1 + alpha) / alpha)


def _negligible(x):
    """Below it a product may have been flushed, and the function of it is linear."""
    info = jnp.finfo(x.dtype)
    return float(info.tiny) / float(info.eps)


def _expm1_far(ops, v, low, factor):
    """factor * (exp(v + low) - 1), also where only the product is finite."""
    is_high = v > 84
    v = ops.at_least(jnp.where(is_high, v - _SHIFT_HIGH, v), ops.lowest(v))
    low = jnp.where(is_high, low - _SHIFT_LOW, low)
    return factor * ops.expm1(v, low) * jnp.where(is_high, 2.0**_SHIFT, 1.0)


def _slope_above(ops, x, alpha):
    return _times_exp(ops, x, alpha, 1.0)


def _curvature_above(ops, x, alpha):
    return _times_exp(ops, x, alpha, alpha)


def _by_alpha_above(ops, x, alpha):
    """1 + ((v - 1) exp(v) + 1) / alpha^2 with v = alpha x, as a series where it cancels."""
    v, _ = _exponent(ops, x, alpha)
    near = ops.clamp(v, -1.5, 1.5)
    series = 0.5 * x * x * polynomial(near, *_terms(_BY_ALPHA, x))
    inverse = 1 / _guarded(alpha)
    grown = _times_exp(ops, x, alpha, (v - 1) * (inverse * inverse))
    return 1 + jnp.where(near == v, series, grown + inverse * inverse)


def _slope_by_alpha_above(ops, x, alpha):
    """x exp(alpha x)."""
    near = ops.at_least(x, ops.lowest(x, lift=LIFT) / _guarded(alpha))
    return _times_exp(ops, x, alpha, ops.clamp(jnp.where(alpha == 0, x, near), *_finite(x)))


def _by_alpha_twice_above(ops, x, alpha):
    """((v^2 - 2 v + 2) exp(v) - 2) / alpha^3 with v = alpha x, as a series where it cancels."""
    v, _ = _exponent(ops, x, alpha)
    near = ops.clamp(v, -1.5, 1.5)
    series = x * x * x * polynomial(near, *_terms(_BY_ALPHA_TWICE, x))
    inverse = 1 / _guarded(alpha)
    grown = _times_exp(ops, x, alpha, ((v - 1) * (v - 1) + 1) * (inverse * inverse * inverse))
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


def _scaled_difference(ops, x, number, factor):
    """The difference and factor times it, each in two parts."""
    high, low = ops.difference(x, number)
    product, rest = ops.product(high, factor)
    return (high, low), (product, factor * low + (0.0 if rest is None else rest))


def _below(ops, x, alpha):
    x = ops.clamp(x, -(2.0**_FAR), 2.0**_FAR)
    (z, _), (w, low) = _scaled_difference(ops, x, -alpha, -alpha)
    end = _end_of_soft_exponential(alpha) if isinstance(alpha, float) else None
    if end:
        _, (u, rest) = _scaled_difference(ops, x, end[0], -alpha)
        rest = rest + alpha * end[1]
    else:
        u, rest = ops.difference(w, -1.0)
        rest = rest + low
    u, rest = ops.fast_two_sum(u, rest)
    return _Below(z, w + low, jnp.where(u < 0, jnp.nan, u), rest)


def _logarithm(ops, x, alpha, below):
    """log(u + rest), and far out that of u, which there may overflow."""
    positive = below.u > 0
    u = jnp.where(positive, below.u, 1.0)
    near = jnp.where(positive, jnp.log(u) + below.rest / u, jnp.log(below.u))
    scaled = -alpha * (ops.at_least(x, 1.0) * 2.0**-_FAR) + 2.0**-_FAR
    return jnp.where(x > 2.0**_FAR, jnp.log(scaled) + _FAR * math.log(2), near)


def _soft_exponential_below(ops, x, alpha):
    below = _below(ops, x, alpha)
    logarithm = _logarithm(ops, x, alpha, below)
    return jnp.where(jnp.abs(below.w) < _negligible(x), below.z, logarithm / -alpha)


def _inverse(ops, x, alpha):
    """1 / u."""
    below = _below(ops, x, alpha)
    far = 1 - alpha * ops.at_least(x, 1.0)
    return 1 / jnp.where(x > 2.0**_FAR, far, below.u)


def _curvature_below(ops, x, alpha):
    inverse = _inverse(ops, x, alpha)
    return alpha * inverse * inverse


def _by_alpha_below(ops, x, alpha):
    """(log(u) - t) / alpha^2 + 1 / u with t = 1 - 1 / u, as a series where it cancels."""
    below = _below(ops, x, alpha)
    u = below.u
    t, ratio = below.w / u, below.z / u
    near = ops.clamp(t, -0.25, 0.25)
    series = ratio * ratio * polynomial(near, *(1 / (k + 2) for k in range(24, -1, -1)))
    far = (_logarithm(ops, x, alpha, below) - t) / (alpha * alpha)
    return jnp.where(near == t, series, far) + 1 / u


def _slope_by_alpha_below(ops, x, alpha):
    """(x + 2 alpha) / u^2."""
    inverse = _inverse(ops, x, alpha)
    return (ops.clamp(x, *_finite(x)) + 2 * alpha) * inverse * inverse


def _by_alpha_twice_below(ops, x, alpha):
    """-2 (log(u) - t - t^2 / 2) / alpha^3 + (2 z + alpha) / u^2, likewise."""
    below = _below(ops, x, alpha)
    u = below.u
    t, ratio = below.w / u, below.z / u
    near = ops.clamp(t, -0.5, 0.5)
    cube = ratio * ratio * ratio
    terms = _LEFT_OF_LOGARITHM[-24 if x.dtype == jnp.float32 else 0 :]
    series = 2 * cube * polynomial(near, *terms)
    far = -2 * (_logarithm(ops, x, alpha, below) - t - 0.5 * t * t) / (alpha * alpha * alpha)
    return jnp.where(near == t, series, far) + (below.z + (below.z + alpha)) / u / u


_LEFT_OF_LOGARITHM = tuple(1 / (k + 3) for k in range(48, -1, -1))  # (-log(1-t) - t - t^2/2) / t^3

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
