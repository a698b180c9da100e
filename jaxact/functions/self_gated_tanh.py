"""Self-gated activations with a gate of tanh: the input times the tanh of something."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP, LIFT
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda m, x: x * m.tanh(m.log1p(m.exp(x))),
    source="Misra, BMVC 2020, arXiv:1908.08681",
    range=lambda: (-0.30884341, math.inf),
    ulps=(4.0, 6.0, 7.0),
    elsewhere={"torch:mish": {}, "keras:mish": {}, "onnx:Mish": {}, "hf:mish": {}},
)
def mish(x: ArrayLike) -> Array:
    """Mish: the input times the tanh of its softplus.

        mish(x) = x * tanh(log(1 + exp(x))) = x * n / (n + 2), n = exp(x) * (exp(x) + 2)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 4, slope 6, curvature 7 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 6 of the 65,536 inputs.

    Edges:
        mish(-inf) = -0, mish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Misra, BMVC 2020, arXiv:1908.08681

    Example:
        >>> jaxact.mish(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.2525015,  0.       ,  1.943959 ], dtype=float32)
    """
    return MISH(x)


def _mish(m, x):
    # x times n / (n + 2) where the gate is open, w times x (w + 2) / (n + 2) where it is not
    near = m.clamp(x, m.lowest(x, lift=LIFT), _open_from(x))
    lifted, times = m.exponential(near, lift=LIFT)
    w, is_open = lifted * DROP, x > 0
    n = w * w + 2 * w
    quotient = jnp.where(is_open, n, near * w + 2 * near) / (n + 2)
    return jnp.where(is_open, x * quotient, times(quotient) * DROP)


def _open_from(x):
    """From here on gate and slope round to 1; and XLA may square the lifted exponential there."""
    return 12.0 if x.dtype == jnp.float32 else 22.0


def _mish_slope(m, x):
    near = m.clamp(x, m.lowest(x, lift=LIFT), _open_from(x))
    lifted = m.exp(near, lift=LIFT)
    w = lifted * DROP
    d = w * w + 2 * w + 2
    slope = lifted * (4 * (1 + near) + w * ((6 + 4 * near) + w * (4 + w))) / (d * d) * DROP
    return jnp.where(x > _open_from(x), 1.0, slope)


def _mish_curvature(m, x):
    a = m.absolute(m.reach(x))
    lifted, times = m.exponential(-a, lift=LIFT)
    e, p = lifted * DROP, x > 0
    c = jnp.where(p, 3.0, 2.0)
    two = jnp.where(p, 2.0, 4.0)
    d = jnp.where(p, 1 + 2 * e * (1 + e), 2 + e * (2 + e))
    cubic = (5 - c) * a
    rest = (12 - 2 * c - c * a) + e * ((2 + 2 * c + cubic) + e * (6 - two + 2 * a))
    bend = (two - 2 * a) + times(rest) * DROP
    return 4 * times(jnp.where(p, e, 1.0) * bend / (d * (d * d))) * DROP


MISH = Kernel(_mish, x=Kernel(_mish_slope, x=_mish_curvature))
