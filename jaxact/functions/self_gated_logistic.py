"""Self-gated activations with a logistic gate: the input times a power of a sigmoid.

With E = exp(-a), a = abs(beta * x), everything follows from one exponential and one division,
without cancellation but at the roots of the derivatives themselves:

    value      x / (1 + E)                    where the gate is open, x E / (1 + E) where it is not
    slope      1 - t                          where open, t where not, t = E (1 - a + E) / (1 + E)^2
    curvature  beta E ((2 - a) + E (2 + a)) / (1 + E)^3
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda m, x: x / (1 + m.exp(-x)),
    source="Hendrycks & Gimpel, arXiv:1606.08415; Elfwing, Uchibe & Doya, arXiv:1702.03118; "
    "Ramachandran, Zoph & Le, arXiv:1710.05941",
    range=lambda: (-0.2784645427610738, math.inf),
    ulps=(3.0, 5.0, 7.0),
    elsewhere={
        "torch:silu": {},
        "keras:silu": {},
        "keras:swish": {},
        "hf:silu": {},
        "hf:swish": {},
    },
)
def silu(x: ArrayLike) -> Array:
    """Sigmoid linear unit: the input times its sigmoid.

        silu(x) = x * sigmoid(x)        silu'(x) = sigmoid(x) * (1 + x * sigmoid(-x))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3, slope 5, curvature 7 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 11 of the 65,536 inputs.

    Edges:
        silu(-inf) = -0, silu(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Hendrycks & Gimpel, arXiv:1606.08415; Elfwing, Uchibe & Doya, arXiv:1702.03118;
        Ramachandran, Zoph & Le, arXiv:1710.05941

    Example:
        >>> jaxact.silu(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.23840584,  0.        ,  1.761594  ], dtype=float32)
    """
    return SILU(x)


@activation(
    formula=lambda m, x, beta=1.0: x / (1 + m.exp(-beta * x)),
    source="Ramachandran, Zoph & Le, arXiv:1710.05941, section 4",
    samples=({"beta": 1.0}, {"beta": 1.7}),
    range=lambda beta=1.0: (
        (-0.2784645427610738 / beta, math.inf) if beta > 0 else (-math.inf, math.inf)
    ),
    ulps=(4.0, 7.0, 10.0),
    elsewhere={"onnx:Swish": {}},
)
def swish(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """Swish: the input times a sigmoid gate of given sharpness; with beta = 1 it is `silu`.

        swish(x) = x * sigmoid(beta * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        beta: how sharply the gate opens; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `beta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 7, curvature 10 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 12 of the 65,536 inputs. (Measured for
        beta = 1 and 1.7; a small beta spreads the neighbourhood of the roots by 1 / beta.)

    Edges:
        For beta > 0: swish(-inf) = -0, swish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with
        slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` does not broadcast against `x`.

    Source:
        Ramachandran, Zoph & Le, arXiv:1710.05941, section 4

    Example:
        >>> jaxact.swish(jnp.array([-2.0, 0.0, 2.0]), beta=2.0)
        Array([-0.03597242,  0.        ,  1.9640275 ], dtype=float32)
    """
    return SWISH(x, beta)


def _silu(m, x):
    return _swish(m, x, 1.0)


def _silu_slope(m, x):
    return _swish_slope(m, x, 1.0)


def _silu_curvature(m, x):
    return _swish_curvature(m, x, 1.0)


def _swish(m, x, beta):
    near = m.reach(x, beta)
    gate = m.decay(near, beta)
    return jnp.where(beta * x >= 0, x, near * gate.lifted * DROP) / (1 + gate.e)


def _swish_slope(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    q = 1 + gate.e
    t = gate.lifted * (gate.short_of(1.0) + gate.e) / (q * q) * DROP
    return jnp.where(beta * x >= 0, 1 - t, t)


def _bend(gate):
    """E ((2 - a) + E (2 + a)) / (1 + E)^3."""
    q = 1 + gate.e
    return gate.lifted * (gate.short_of(2.0) + gate.e * (2 + gate.a)) / (q * (q * q)) * DROP


def _swish_curvature(m, x, beta):
    return beta * _bend(m.decay(m.reach(x, beta), beta))


def _swish_by_beta(m, x, beta):
    near = m.reach(x, beta)
    gate = m.decay(near, beta)
    q = 1 + gate.e
    return near * (near * gate.lifted) / (q * q) * DROP


def _swish_slope_by_beta(m, x, beta):
    near = m.reach(x, beta)
    return near * _bend(m.decay(near, beta))


SILU = Kernel(_silu, x=Kernel(_silu_slope, x=_silu_curvature))
SWISH = Kernel(
    _swish,
    x=Kernel(_swish_slope, x=_swish_curvature, beta=_swish_slope_by_beta),
    beta=Kernel(_swish_by_beta, x=_swish_slope_by_beta),
)
