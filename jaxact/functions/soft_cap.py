"""The soft cap: a tanh of a quotient, with what rounding takes from the quotient.

With a = abs(2 x / cap) and E = exp(-a) everything is a quotient of polynomials in a and E.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda math, x, cap=30.0: cap * math.tanh(x / cap),
    source="Bello, Pham, Le, Norouzi & Bengio, ICLR 2017 workshop, arXiv:1611.09940, section 5",
    samples=({"cap": 30.0}, {"cap": 0.7}),
    range=lambda cap=30.0: (-cap, cap),
    ulps=(3.5, 4.0, 7.0),
)
def soft_cap(x: ArrayLike, cap: ArrayLike = 30.0) -> Array:
    """Soft cap: the identity near zero, kept smoothly below a cap.

        soft_cap(x) = cap * tanh(x / cap)        soft_cap'(x) = 1 / cosh(x / cap)^2

    Language models keep logits below it: in Gemma 2 those of words below 30, and those of attention
    below 50.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        cap: the limit at inf, positive; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `cap`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 4, curvature 7 ULP, tails included. 16 bits: correctly rounded but
        for at most 8 of the 65,536 inputs.

    Edges:
        soft_cap(-inf) = -cap, soft_cap(inf) = cap, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `cap` is a number that is not positive, or does not broadcast against `x`.

    Source:
        Bello, Pham, Le, Norouzi & Bengio, ICLR 2017 workshop, arXiv:1611.09940, section 5

    Example:
        >>> jaxact.soft_cap(jnp.array([-1.0, 0.0, 100.0]), 5.0)
        Array([-0.9868766,  0.       ,  5.       ], dtype=float32)
    """
    require(not is_number(cap) or cap > 0, "jaxact.soft_cap", "cap", cap, "be positive")
    return SOFT_CAP(x, cap)


def twice_over(ops, x, cap):
    """a = abs(2 x / cap) in two parts, no farther than E is lifted, and what has its sign."""
    high, rest = ops.quotient(ops.reach(x, 2 / cap), 0.5 * cap)
    rest = jnp.zeros_like(high) if rest is None else jnp.where(high < 0, -rest, rest)
    return ops.absolute(high), rest, high


def capped(ops, x, cap):
    """cap * tanh(x / cap)."""
    a, rest, sign = twice_over(ops, x, cap)
    minus = ops.expm1(-ops.at_most(a, -ops.lowest(x)), -rest)
    is_line = ops.absolute(x) < cap * float(jnp.finfo(x.dtype).eps)  # x / cap may vanish there
    return jnp.where(is_line, x, cap * (ops.with_sign(-minus, sign) / (2 + minus)))


def lifted_slope(ops, x, cap):
    """2^LIFT / cosh(x / cap)^2."""
    a, rest, _ = twice_over(ops, x, cap)
    lifted = ops.exp(-a, -rest, lift=LIFT)
    q = 1 + lifted * DROP
    return 4 * lifted / (q * q)


def lifted_curvature(ops, x, cap):
    """2^LIFT times the slope of that."""
    a, rest, sign = twice_over(ops, x, cap)
    lifted, minus = ops.exp_and_expm1(-a, -rest, lift=LIFT)
    q = 1 + lifted * DROP
    return -ops.with_sign(8 * lifted * -minus / (q * (q * q)), sign) / cap


def _soft_cap(ops, x, cap):
    return capped(ops, x, cap)


def _soft_cap_slope(ops, x, cap):
    return lifted_slope(ops, x, cap) * DROP


def _soft_cap_curvature(ops, x, cap):
    return lifted_curvature(ops, x, cap) * DROP


def _soft_cap_by_cap(ops, x, cap):
    """(sinh(a) - a) / (1 + cosh(a)), by the series of sinh where that cancels."""
    a, rest, sign = twice_over(ops, x, cap)
    e, minus = ops.exp_and_expm1(-ops.at_most(a, -ops.lowest(x)), -rest)
    near = a < 2
    small = jnp.where(near, a + rest, 0.0)
    square = small * small
    series = small * (square * polynomial(square, *_SINH[x.dtype]))
    far = -minus * (1 + e) - 2 * a * e
    q = 1 + e
    return ops.with_sign(jnp.where(near, 2 * e * series, far) / (q * q), sign)


def _soft_cap_slope_by_cap(ops, x, cap):
    near = ops.reach(x, 2 / cap)
    return -(near / cap) * lifted_curvature(ops, x, cap) * DROP


def _soft_cap_by_cap_twice(ops, x, cap):
    ratio = ops.reach(x, 2 / cap) / cap
    return ratio * (ratio * lifted_curvature(ops, x, cap)) * DROP


# (sinh(a) - a) / a^3 in powers of a^2, as far as counts for a < 2
_SINH = {
    jnp.dtype(dtype): tuple(1 / math.factorial(2 * k + 3) for k in reversed(range(count)))
    for dtype, count in ((jnp.float32, 7), (jnp.float64, 11))
}

SOFT_CAP = Kernel(
    _soft_cap,
    x=Kernel(_soft_cap_slope, x=_soft_cap_curvature, cap=_soft_cap_slope_by_cap),
    cap=Kernel(_soft_cap_by_cap, x=_soft_cap_slope_by_cap, cap=_soft_cap_by_cap_twice),
    output=FromOutput(lambda ops, y, cap: (1 - y / cap) * (1 + y / cap)),
)
