"""Exponential units: a line above zero, a saturating exponential below."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP, LIFT
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda m, x, alpha=1.0: m.where(x > 0, x, alpha * m.expm1(x)),
    source="Clevert, Unterthiner & Hochreiter, ICLR 2016, arXiv:1511.07289, equation 15",
    samples=({"alpha": 1.0}, {"alpha": 0.3}, {"alpha": 2.5}),
    kinks=lambda alpha=1.0: {0.0: alpha},
    range=lambda alpha=1.0: (-alpha, math.inf),
    ulps=(2.0, 2.0, 2.0),
)
def elu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Exponential linear unit: the identity above zero, an exponential that levels off below.

        elu(x) = x if x > 0, else alpha * (exp(x) - 1)
        elu'(x) = 1 if x > 0, else alpha * exp(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: minus the limit at -inf; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value, slope and curvature 2 ULP. 16 bits: correctly rounded.

    Edges:
        The slope at 0 is alpha, the curvature there too. elu(inf) = inf, elu(-inf) = -alpha, with
        slope 0. NaN gives NaN, with slope NaN.

    Note:
        The slope is computed as alpha * exp(x). As elu(x) + alpha it would be 0 from x = -17.4 down
        in float32, and the unit would look dead where it is not.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` does not broadcast against `x`.

    Source:
        Clevert, Unterthiner & Hochreiter, ICLR 2016, arXiv:1511.07289, equation 15

    Example:
        >>> jaxact.elu(jnp.array([-1.0, 0.0, 2.0]))
        Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """
    return ELU(x, alpha)


def _elu(m, x, alpha):
    return jnp.where(x > 0, x, alpha * _expm1_below(m, x))


def _elu_slope(m, x, alpha):
    return jnp.where(x > 0, 1.0, _times_exp_below(m, x, alpha))


def _elu_curvature(m, x, alpha):
    return jnp.where(x > 0, 0.0, _times_exp_below(m, x, alpha))


def _elu_by_alpha(m, x, alpha):
    return jnp.where(x > 0, 0.0, _expm1_below(m, x))


def _elu_slope_by_alpha(m, x, alpha):
    return jnp.where(x > 0, 0.0, _times_exp_below(m, x, 1.0))


def _elu_slope_from_output(m, y, alpha):
    return jnp.where(y > 0, 1.0, y + alpha)


def _expm1_below(m, x):
    return m.expm1(m.clamp(x, m.lowest(x), 0.0))


def _times_exp_below(m, x, factor):
    """factor * exp(x) for x <= 0, down to where it is subnormal."""
    return factor * m.exp(m.clamp(x, m.lowest(x, lift=LIFT), 0.0), lift=LIFT) * DROP


ELU = Kernel(
    _elu,
    x=Kernel(_elu_slope, x=_elu_curvature, alpha=_elu_slope_by_alpha),
    alpha=Kernel(_elu_by_alpha, x=_elu_slope_by_alpha),
    output=FromOutput(_elu_slope_from_output),
)
