"""Self-gated activations without an exponential: the input times a clipped line or a root."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda math, x: math.where(x <= -3, 0 * x, math.where(x >= 3, x, x * (x + 3) / 6)),
    source="Howard et al., ICCV 2019, arXiv:1905.02244, section 5.2",
    kinks=lambda: {-3.0: 0.0, 3.0: 1.0},
    range=lambda: (-0.375, math.inf),
    ulps=(2.5, 1.5, 0.5),
    elsewhere={
        "jax:hard_swish": {},
        "torch:hardswish": {},
        "keras:hard_silu": {},
        "keras:hard_swish": {},
        "onnx:HardSwish": {},
        "hf:hardswish": {},
    },
)
def hard_silu(x: ArrayLike) -> Array:
    """Hard SiLU, or hard swish: the input times its hard sigmoid.

        hard_silu(x) = x * min(max(0, x + 3), 6) / 6
        hard_silu'(x) = (2 x + 3) / 6 if -3 < x < 3, 0 below, 1 above

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 2.5, slope 1.5, curvature half an ULP. 16 bits: correctly rounded.

    Edges:
        The slope at -3 is 0, at 3 it is 1; the curvature at both is 0. hard_silu(-inf) = 0,
        hard_silu(inf) = inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Howard et al., ICCV 2019, arXiv:1905.02244, section 5.2

    Example:
        >>> jaxact.hard_silu(jnp.array([-4.0, -1.5, 3.0]))
        Array([-0.   , -0.375,  3.   ], dtype=float32)
    """
    return HARD_SILU(x)


hard_swish = hard_silu  # jax.nn has both names


def _hard_silu(ops, x):
    return ops.at_least(x, -3.0) * (ops.clamp(x + 3, 0.0, 6.0) * (1 / 6))


def _hard_silu_slope(ops, x):
    inside = (2 * ops.clamp(x, -3.0, 3.0) + 3) * (1 / 6)
    return jnp.where(x <= -3, 0.0, jnp.where(x >= 3, 1.0, inside))


def _hard_silu_curvature(ops, x):
    return jnp.where(ops.absolute(x) < 3, 1 / 3, 0.0)


HARD_SILU = Kernel(_hard_silu, x=Kernel(_hard_silu_slope, x=_hard_silu_curvature))


@activation(
    formula=lambda math, x: math.where(x <= -2, 0 * x, math.where(x >= 0, x, x * (x + 2) / 2)),
    source="Misra, H-Mish, github.com/digantamisra98/H-Mish, as in timm's hard_mish",
    kinks=lambda: {-2.0: 0.0, 0.0: 1.0},
    range=lambda: (-0.5, math.inf),
    ulps=(1.5, 0.5, 0.0),
)
def hard_mish(x: ArrayLike) -> Array:
    """Hard Mish: the input times a gate that opens along a line from -2 to 0.

        hard_mish(x) = x / 2 * min(2, max(0, x + 2))
        hard_mish'(x) = x + 1 if -2 < x < 0, 0 below, 1 above

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 1.5 ULP, slope half an ULP, curvature exact. 16 bits: correctly rounded.

    Edges:
        The slope at -2 is 0, and jumps to -1; at 0 it is 1, from both sides; the curvature at both
        is 0. hard_mish(-inf) = 0, hard_mish(inf) = inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Misra, H-Mish, github.com/digantamisra98/H-Mish, as in timm's hard_mish

    Example:
        >>> jaxact.hard_mish(jnp.array([-3.0, -1.0, 2.0]))
        Array([-0. , -0.5,  2. ], dtype=float32)
    """
    return HARD_MISH(x)


def _hard_mish(ops, x):
    return ops.at_least(x, -2.0) * (ops.clamp(x + 2, 0.0, 2.0) * 0.5)


def _hard_mish_slope(ops, x):
    return jnp.where(x <= -2, 0.0, ops.at_most(x, 0.0) + 1)


def _hard_mish_curvature(ops, x):
    return jnp.where((x > -2) & (x < 0), 1.0, 0.0)


HARD_MISH = Kernel(_hard_mish, x=Kernel(_hard_mish_slope, x=_hard_mish_curvature))


@activation(
    formula=lambda math, x: x / 2 * (x / math.sqrt(1 + x * x) + 1),
    source="the layer Dish of thinc, by Explosion",
    range=lambda: (-0.1501415529, math.inf),
    ulps=(3.0, 6.5, 6.0),
)
def dish(x: ArrayLike) -> Array:
    """Dish: the input times a gate made of one square root, much like GELU near zero.

        dish(x) = x / 2 * (1 + x / sqrt(1 + x^2))
        dish'(x) = (1 + x / sqrt(1 + x^2)) / 2 + x / (2 * sqrt(1 + x^2)^3)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3, slope 6.5, curvature 6 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 7 of the 65,536 inputs.

    Edges:
        dish(-inf) = -0, dish(inf) = inf, with slopes 0 and 1: far below zero it is 1 / (4 x), a
        slower decay than that of an exponential gate. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        the layer Dish of thinc, by Explosion

    Example:
        >>> jaxact.dish(jnp.array([-0.75, 0.0, 0.75]))
        Array([-0.15,  0.  ,  0.6 ], dtype=float32)
    """
    return DISH(x)


# With r = sqrt(1 + a^2), a = abs(x), the gate is open by 1 - t or t, t = 1 / (2 r (r + a)). What
# decays is one quotient, for a up to where 1 + a^2 rounds to a^2, and a power of a beyond.
_GOLDEN = (1 + math.sqrt(5)) / 2
_SLOPE_ROOT = {  # sqrt(GOLDEN - 1), in two parts per dtype
    jnp.dtype(jnp.float32): (0.7861513495445251, 2.8212898139585183e-08),
    jnp.dtype(jnp.float64): (0.7861513777574233, 1.0764187905699136e-17),
}
_CURVATURE_ROOT = {  # sqrt(2)
    jnp.dtype(jnp.float32): (1.4142135381698608, 2.420323420895794e-08),
    jnp.dtype(jnp.float64): (1.4142135623730951, -9.667293313452913e-17),
}


def _far(x):
    return 2.0**30 if x.dtype == jnp.float64 else 2.0**14


def _dish(ops, x):
    a = ops.absolute(x)
    near = ops.at_most(a, _far(x))
    square = 1 + near * near
    t = jnp.where(a > near, 0.5 / ops.at_least(a, 1.0), near / (square + near * jnp.sqrt(square)))
    return ops.at_least(x, 0.0) - 0.5 * t


def _dish_slope(ops, x):
    # t = (1 - a r) / (2 r^3 (r + a)); beside its root the dividend times 1 + a r is the product
    # (root - a) (root + a) (GOLDEN + a^2)
    a, root = ops.absolute(x), _SLOPE_ROOT[x.dtype]
    near = ops.at_most(a, _far(x))
    square = 1 + near * near
    leg = near * jnp.sqrt(square)
    half = 0.5 / ops.at_least(a, 1.0)
    distance = ops.distance(root, near)
    beside = ops.absolute(distance) < 0.25
    factored = distance * (root[0] + near) * (_GOLDEN + near * near)
    divisor = 2 * square * (square + leg) * jnp.where(beside, 1 + leg, 1.0)
    t = jnp.where(beside, factored, 1 - leg) / divisor
    t = jnp.where(a > near, -half * half, t)
    return jnp.where(x > 0, 1 - t, t)


def _dish_curvature(ops, x):
    # (2 - a^2) / (2 r^5)
    a, root = ops.absolute(x), _CURVATURE_ROOT[x.dtype]
    near = ops.at_most(a, _far(x))
    square = 1 + near * near
    dividend = 0.5 * ops.distance(root, near) * (root[0] + near)
    q = 1 / ops.at_least(a, 1.0)
    return jnp.where(a > near, -0.5 * q * q * q, dividend / (square * square * jnp.sqrt(square)))


def _smooth_dish_curvature(ops, x):
    q = ops.cosine_of_slope(x)
    return 0.5 * (q * q * q) * (3 * (q * q) - 1)


DISH = Kernel(
    _dish, x=Kernel(_dish_slope, x=Kernel(_dish_curvature, smooth=_smooth_dish_curvature))
)
