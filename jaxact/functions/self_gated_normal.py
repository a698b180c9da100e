"""Self-gated activations with a gate of the normal distribution, or an imitation of it."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _gelu_exponent as curve, _normal as normal
from .._arguments import flag, require_ordered
from .._arithmetic import DROP
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda math, x, approximate=True: (
        x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + math.number("0.044715") * x**3)))
        if approximate
        else x * math.erfc(-x / math.sqrt(math.number("2"))) / 2
    ),
    source="Hendrycks & Gimpel, arXiv:1606.08415, section 2",
    samples=({"approximate": True}, {"approximate": False}),
    range=lambda approximate=True: (
        -0.17004076 if approximate else -0.16997121,
        math.inf,
    ),
    ulps=(4.0, 6.0, 8.0),
    elsewhere={
        "torch:gelu": {"approximate": False},
        "keras:gelu": {"approximate": False},
        "onnx:Gelu": {"approximate": False},
        "hf:gelu": {"approximate": False},
        "hf:gelu_python": {"approximate": False},
        "hf:gelu_new": {"approximate": True},
        "hf:gelu_fast": {"approximate": True},
        "hf:gelu_accurate": {"approximate": True},
        "hf:gelu_python_tanh": {"approximate": True},
        "hf:gelu_pytorch_tanh": {"approximate": True},
    },
)
def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """Gaussian error linear unit: the input times the share of normal numbers below it.

        gelu(x) = x * P(Z < x), with a standard normal Z        (approximate=False)
        gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))        (approximate=True)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        approximate: whether to use the formula with tanh. True is the default, as in jax.nn; torch,
            Keras and ONNX take the exact one unless told otherwise.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Of either formula in float32: value 4, slope 6, curvature 8 ULP, tails included, away from
        the derivatives' own roots. 16 bits: correctly rounded but for at most 4 of the 65,536
        inputs.

    Edges:
        gelu(-inf) = -0, gelu(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Hendrycks & Gimpel, arXiv:1606.08415, section 2

    Example:
        >>> jaxact.gelu(jnp.array([-1.0, 0.0, 1.0]), approximate=False)
        Array([-0.15865526,  0.        ,  0.8413447 ], dtype=float32)
    """
    return GELU_TANH(x) if flag("gelu", "approximate", approximate) else GELU(x)


def _gelu(ops, x):
    a = ops.at_most(ops.absolute(x), normal.farthest(x))
    return ops.at_least(x, 0.0) - normal.weighted_tail(ops, a)


def _gelu_slope(ops, x):
    a = ops.at_most(ops.absolute(x), normal.farthest(x))
    t = normal.tail_slope(ops, a)
    return jnp.where(x > 0, 1 - t, t)


def _gelu_curvature(ops, x):
    return normal.tail_curvature(ops, ops.at_most(ops.absolute(x), normal.farthest(x)))


GELU = Kernel(_gelu, x=Kernel(_gelu_slope, x=_gelu_curvature))

# With tanh it is x * sigmoid(z), z = x (C + K x^2): see the head of self_gated_logistic.


def _gelu_tanh(ops, x):
    a = ops.at_most(ops.absolute(x), curve.farthest(x))
    lifted, e = curve.decay(ops, a)
    return jnp.where(x >= 0, x, a * lifted * -DROP) / (1 + e)


def _gelu_tanh_slope(ops, x):
    a = ops.at_most(ops.absolute(x), curve.farthest(x))
    lifted, e = curve.decay(ops, a)
    q = 1 + e
    t = lifted * (curve.one_minus_a_slope(a) + e) / (q * q) * DROP
    return jnp.where(x > 0, 1 - t, t)


def _gelu_tanh_curvature(ops, x):
    a = ops.at_most(ops.absolute(x), curve.farthest(x))
    lifted, e = curve.decay(ops, a)
    q = 1 + e
    curvature, opposite = curve.bends(a)
    return lifted * (curvature + e * opposite) / (q * (q * q)) * DROP


GELU_TANH = Kernel(_gelu_tanh, name="gelu", x=Kernel(_gelu_tanh_slope, x=_gelu_tanh_curvature))


_LOWEST_AT = -0.7517915246935645


def _crossings(level: float) -> list[float]:
    """Where exact GELU takes a value: once if it is not negative, else twice or never."""

    def excess(x):
        return x * math.erfc(-x / math.sqrt(2)) / 2 - level

    if excess(_LOWEST_AT) >= 0:
        return []
    right = _first(excess, _LOWEST_AT, max(level, 0.0) + 1)
    return [right] if level >= 0 else [_first(excess, _LOWEST_AT, -40.0), right]


def _first(rising: Callable[[float], float], low: float, high: float) -> float:
    """The first number, from `low` on to `high`, at which a function is not negative."""
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high


def _slope_at(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2 + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@activation(
    formula=lambda math, x, min_value=-10.0, max_value=10.0: math.minimum(
        math.maximum(x * math.erfc(-x / math.sqrt(math.number("2"))) / 2, 0 * x + min_value),
        0 * x + max_value,
    ),
    source="Wu, Judd, Zhang, Isaev & Micikevicius, arXiv:2004.09602",
    kinks=lambda min_value=-10.0, max_value=10.0: {
        x: _slope_at(x) for level in (min_value, max_value) for x in _crossings(level)
    },
    samples=({"min_value": -10.0, "max_value": 10.0},),
    range=lambda min_value=-10.0, max_value=10.0: (
        min(max(min_value, -0.16997121), max_value),
        max_value,
    ),
    ulps=(3.0, 4.5, 4.0),
    elsewhere={"hf:gelu_10": {"min_value": -10.0, "max_value": 10.0}},
)
def clipped_gelu(x: ArrayLike, min_value: ArrayLike = -10.0, max_value: ArrayLike = 10.0) -> Array:
    """Clipped GELU: exact `gelu`, cut off at both ends, so that few bits can hold what is left.

        clipped_gelu(x) = min(max(min_value, x * P(Z < x)), max_value), with a standard normal Z

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        min_value: the lowest output; a number, or an array that broadcasts against x. Below -0.17,
            the minimum of gelu, it changes nothing.
        max_value: the highest output; likewise.

    Returns:
        Array of the shape of `x` (and the bounds, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3, slope 4.5, curvature 4 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 2 of the 65,536 inputs.

    Edges:
        Where gelu equals a bound the slope is its own; beyond it is 0. clipped_gelu(-inf) = -0,
        clipped_gelu(inf) = max_value, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if the bounds are numbers and min_value > max_value, or if one does not
            broadcast.

    Source:
        Wu, Judd, Zhang, Isaev & Micikevicius, arXiv:2004.09602

    Example:
        >>> jaxact.clipped_gelu(jnp.array([-1.0, 1.0, 20.0]))
        Array([-0.15865526,  0.8413447 , 10.        ], dtype=float32)
    """
    require_ordered("jaxact.clipped_gelu", ("min_value", min_value), ("max_value", max_value))
    return CLIPPED_GELU(x, min_value, max_value)


def _clipped_gelu(ops, x, min_value, max_value):
    return ops.clamp(_gelu(ops, x), min_value, max_value)


def _within(ops, x, min_value, max_value, derivative):
    y = _gelu(ops, x)
    return jnp.where((y < min_value) | (y > max_value), 0.0, derivative(ops, x))


def _clipped_gelu_slope(ops, x, min_value, max_value):
    return _within(ops, x, min_value, max_value, _gelu_slope)


def _clipped_gelu_curvature(ops, x, min_value, max_value):
    return _within(ops, x, min_value, max_value, _gelu_curvature)


CLIPPED_GELU = Kernel(
    _clipped_gelu,
    x=Kernel(_clipped_gelu_slope, x=_clipped_gelu_curvature),
    min_value=lambda ops, x, min_value, max_value: jnp.where(_gelu(ops, x) < min_value, 1.0, 0.0),
    max_value=lambda ops, x, min_value, max_value: jnp.where(_gelu(ops, x) > max_value, 1.0, 0.0),
)
