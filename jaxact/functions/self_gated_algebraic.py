"""Self-gated activations without an exponential: the input times a clipped line or a root."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda m, x: m.where(x <= -3, 0 * x, m.where(x >= 3, x, x * (x + 3) / 6)),
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


def _hard_silu(m, x):
    return m.at_least(x, -3.0) * (m.clamp(x + 3, 0.0, 6.0) * (1 / 6))


def _hard_silu_slope(m, x):
    inside = (2 * m.clamp(x, -3.0, 3.0) + 3) * (1 / 6)
    return jnp.where(x <= -3, 0.0, jnp.where(x >= 3, 1.0, inside))


def _hard_silu_curvature(m, x):
    return jnp.where(m.absolute(x) < 3, 1 / 3, 0.0)


HARD_SILU = Kernel(_hard_silu, x=Kernel(_hard_silu_slope, x=_hard_silu_curvature))
