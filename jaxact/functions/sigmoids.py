"""Sigmoids: functions that level off on both sides."""

from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP, LIFT
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda m, x: 1 / (1 + m.exp(-x)),
    source="Verhulst, 1845; Rumelhart, Hinton & Williams, Nature 1986",
    range=lambda: (0.0, 1.0),
    ulps=(3.0, 4.0, 6.0),
)
def sigmoid(x: ArrayLike) -> Array:
    """Logistic sigmoid: squeezes the line into (0, 1).

        sigmoid(x) = 1 / (1 + exp(-x))        sigmoid'(x) = sigmoid(x) * sigmoid(-x)

    Args:
        x: pre-activations (log-odds), any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 1.

    Accuracy:
        float32: value 3, slope 4, curvature 6 ULP, tails included. 16 bits: correctly rounded but
        for at most 8 of the 65,536 inputs.

    Edges:
        sigmoid(-inf) = 0, sigmoid(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Verhulst, 1845; Rumelhart, Hinton & Williams, Nature 1986

    Example:
        >>> jaxact.sigmoid(jnp.array([-2.0, 0.0, 2.0]))
        Array([0.11920291, 0.5       , 0.8807971 ], dtype=float32)
    """
    return SIGMOID(x)


def _sigmoid(m, x):
    return 1 / (1 + m.exp(m.clamp(-x, m.lowest(x), m.highest(x))))


def _sigmoid_slope(m, x):
    lifted, e = m.decay(m.magnitude(x))
    q = 1 + e
    return lifted / (q * q) * DROP


def _sigmoid_curvature(m, x):
    lifted, minus = m.exp_and_expm1(-m.magnitude(x), lift=LIFT)
    q = 1 + lifted * DROP
    return m.with_sign(lifted * -minus / (q * (q * q)) * DROP, -x)


SIGMOID = Kernel(
    _sigmoid,
    x=Kernel(_sigmoid_slope, x=_sigmoid_curvature),
    output=FromOutput(lambda m, y: y * (1 - y)),
)


@activation(
    formula=lambda m, x: m.tanh(x),
    source="LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998",
    range=lambda: (-1.0, 1.0),
    ulps=(3.0, 4.0, 6.0),
)
def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent: squeezes the line into (-1, 1), centred on 0.

        tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))        tanh'(x) = 1 / cosh(x)^2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between -1 and 1.

    Accuracy:
        float32: value 3, slope 4, curvature 6 ULP, tails included. 16 bits: correctly rounded but
        for at most 8 of the 65,536 inputs.

    Edges:
        tanh(-inf) = -1, tanh(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998

    Example:
        >>> jaxact.tanh(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.7615942,  0.       ,  0.7615942], dtype=float32)
    """
    return TANH(x)


def _tanh(m, x):
    minus = m.expm1(-2 * m.at_most(m.absolute(x), -0.5 * m.lowest(x)))
    return m.with_sign(-minus / (2 + minus), x)


def _tanh_slope(m, x):
    lifted, e = m.decay(m.magnitude(2 * x))
    q = 1 + e
    return 4 * lifted / (q * q) * DROP


def _tanh_curvature(m, x):
    lifted, minus = m.exp_and_expm1(-m.magnitude(2 * x), lift=LIFT)
    q = 1 + lifted * DROP
    return m.with_sign(8 * lifted * -minus / (q * (q * q)) * DROP, -x)


TANH = Kernel(
    _tanh,
    x=Kernel(_tanh_slope, x=_tanh_curvature),
    output=FromOutput(lambda m, y: (1 - y) * (1 + y)),
)
