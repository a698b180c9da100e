"""Self-gated activations with a logistic gate: the input times a power of a sigmoid.

With E = exp(-a), a = abs(beta * x), everything follows from one exponential and one division,
without cancellation but at the roots of the derivatives themselves:

    value      x / (1 + E)                    where the gate is open, x E / (1 + E) where it is not
    slope      1 - t                          where open, t where not, t = E (1 - a + E) / (1 + E)^2
    curvature  beta E ((2 - a) + E (2 + a)) / (1 + E)^3
"""

import math
from fractions import Fraction

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number
from .._arithmetic import DROP, LIFT, Decay, polynomial
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda m, x: x / (1 + m.exp(-x)),
    source="Hendrycks & Gimpel, arXiv:1606.08415; Elfwing, Uchibe & Doya, arXiv:1702.03118; "
    "Ramachandran, Zoph & Le, arXiv:1710.05941",
    range=lambda: (-0.2784645427610738, math.inf),
    ulps=(3.5, 5.0, 7.5),
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
        float32: value 3.5, slope 5, curvature 7.5 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 10 of the 65,536 inputs.

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
    samples=({"beta": 1.0}, {"beta": 0.2}, {"beta": 1.7}),
    range=lambda beta=1.0: (
        (-0.2784645427610738 / beta, math.inf) if beta > 0 else (-math.inf, math.inf)
    ),
    ulps=(3.5, 5.0, 7.5),
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
        float32: value 3.5, slope 5, curvature 7.5 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 10 of the 65,536 inputs. (Measured for
        beta = 0.2, 1 and 1.7.)

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


def _gated(x, near, gate, up):
    """x / (1 + E) where the gate is up, x E / (1 + E) where it is not."""
    return jnp.where(up, x, near * gate.lifted * DROP) / (1 + gate.e)


def _tilt(gate):
    """1 - a + E, which has a root at a = 1.278."""
    return gate.short_of(1.0) + gate.e


def _bow(gate):
    """(2 - a) + E (2 + a), which has a root at a = 2.399."""
    return gate.short_of(2.0) + gate.e * (2 + gate.a)


def _gated_slope(gate, up, tilt):
    q = 1 + gate.e
    t = gate.lifted * tilt / (q * q) * DROP
    return jnp.where(up, 1 - t, t)


def _bend(gate, bow):
    """2^LIFT E ((2 - a) + E (2 + a)) / (1 + E)^3."""
    q = 1 + gate.e
    return gate.lifted * bow / (q * (q * q))


# A small beta stretches the neighbourhoods of the roots, and with them what cancellation loses.
# There both sums are written in the distance from the root: so their terms have one sign.
_TILT_ROOT = {
    jnp.dtype(jnp.float32): (1.2784645557403564, -1.297928265020314e-08),
    jnp.dtype(jnp.float64): (1.2784645427610737, 1.0946994183093437e-16),
}
_BOW_ROOT = {
    jnp.dtype(jnp.float32): (2.399357318878174, -3.836270616029226e-08),
    jnp.dtype(jnp.float64): (2.3993572805154675, 1.8464872855353363e-16),
}
_E_AT_TILT_ROOT, _E_AT_BOW_ROOT = 0.27846454276107380, 0.090776278226867592
_STRETCH = 0.5


def _distance(m, gate, root):
    """The distance to a root, and by which share of its value there E is larger; both small."""
    d = m.distance(root[gate.a.dtype], gate.a)
    d = m.clamp(d if gate.rest is None else d - gate.rest, -_STRETCH, _STRETCH)
    terms = range(17 if d.dtype == jnp.float64 else 9, 0, -1)
    return d, d * polynomial(d, *(1 / math.factorial(k) for k in terms))


def _swish_tilt(m, gate, beta):
    if is_number(beta) and abs(beta) >= 1:
        return _tilt(gate)
    d, growth = _distance(m, gate, _TILT_ROOT)
    return jnp.where(m.absolute(d) < _STRETCH, d + _E_AT_TILT_ROOT * growth, _tilt(gate))


def _swish_bow(m, gate, beta):
    if is_number(beta) and abs(beta) >= 1:
        return _bow(gate)
    d, growth = _distance(m, gate, _BOW_ROOT)
    root = float(_BOW_ROOT[d.dtype][0])
    bow = (1 - _E_AT_BOW_ROOT) * d + _E_AT_BOW_ROOT * growth * ((2 + root) - d)
    return jnp.where(m.absolute(d) < _STRETCH, bow, _bow(gate))


def _swish(m, x, beta):
    near = m.reach(x, beta)
    return _gated(x, near, m.decay(near, beta), beta * x >= 0)


def _swish_slope(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    return _gated_slope(gate, beta * x >= 0, _swish_tilt(m, gate, beta))


def _swish_curvature(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    return beta * _bend(gate, _swish_bow(m, gate, beta)) * DROP


def _swish_by_beta(m, x, beta):
    near = m.reach(x, beta)
    gate = m.decay(near, beta)
    q = 1 + gate.e
    return near * (near * gate.lifted) / (q * q) * DROP


def _swish_slope_by_beta(m, x, beta):
    near = m.reach(x, beta)
    gate = m.decay(near, beta)
    return near * _bend(gate, _swish_bow(m, gate, beta)) * DROP


def _swish_by_beta_twice(m, x, beta):
    """x^3 times the sigmoid's curvature."""
    near = m.reach(x, beta)
    gate = m.decay(near, beta)
    minus = m.expm1(-m.at_most(gate.a, -m.lowest(x)), None if gate.rest is None else -gate.rest)
    q, size = 1 + gate.e, m.absolute(near)
    bend = size * (size * (size * gate.lifted)) * minus / (q * (q * q)) * DROP
    return jnp.where(beta < 0, -bend, bend)


SILU = Kernel(_silu, x=Kernel(_silu_slope, x=_silu_curvature))
SWISH = Kernel(
    _swish,
    x=Kernel(_swish_slope, x=_swish_curvature, beta=_swish_slope_by_beta),
    beta=Kernel(_swish_by_beta, x=_swish_slope_by_beta, beta=_swish_by_beta_twice),
)


@activation(
    formula=lambda m, x: x / (1 + m.exp(-m.number("1.702") * x)),
    source="Hendrycks & Gimpel, arXiv:1606.08415, section 2",
    range=lambda: (-0.1636101896363536, math.inf),
    ulps=(3.5, 5.0, 7.5),
    elsewhere={"hf:quick_gelu": {}},
)
def quick_gelu(x: ArrayLike) -> Array:
    """Quick GELU: swish of the sharpness at which it imitates `gelu`.

        quick_gelu(x) = x * sigmoid(1.702 * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 5, curvature 7.5 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 2 of the 65,536 inputs. What float64
        rounds from 1.702 is taken into account.

    Edges:
        quick_gelu(-inf) = -0, quick_gelu(inf) = inf, with slopes 0 and 1. NaN gives NaN, with
        slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Hendrycks & Gimpel, arXiv:1606.08415, section 2

    Example:
        >>> jaxact.quick_gelu(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.15420423,  0.        ,  0.84579575], dtype=float32)
    """
    return QUICK_GELU(x)


_SHARPNESS = 1.702
_ROUNDED_AWAY = float(Fraction("1.702") - Fraction(_SHARPNESS))


def _quick_decay(m, near):
    """exp(-1.702 abs(near)), for an x within reach."""
    a = m.absolute(near)
    high, rest = m.product(a, _SHARPNESS)
    rest = rest + a * _ROUNDED_AWAY
    lifted = m.exp(-high, -rest, lift=LIFT)
    return Decay(high, rest, lifted, lifted * DROP)


def _quick_gelu(m, x):
    near = m.reach(x, _SHARPNESS)
    return _gated(x, near, _quick_decay(m, near), x >= 0)


def _quick_gelu_slope(m, x):
    gate = _quick_decay(m, m.reach(x, _SHARPNESS))
    return _gated_slope(gate, x >= 0, _tilt(gate))


def _quick_gelu_curvature(m, x):
    gate = _quick_decay(m, m.reach(x, _SHARPNESS))
    return _SHARPNESS * _bend(gate, _bow(gate)) * DROP


QUICK_GELU = Kernel(_quick_gelu, x=Kernel(_quick_gelu_slope, x=_quick_gelu_curvature))
