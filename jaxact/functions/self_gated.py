"""Self-gated activations: the input times a gate that the input opens, x * gate(x).

With E = exp(-a), a = abs(beta * x) and the logistic gate, everything follows from one exponential
and one division, without cancellation but at the roots of the derivatives themselves:

    value      x / (1 + E)                    where the gate is open, x E / (1 + E) where it is not
    slope      1 - t                          where open, t where not, t = E (1 - a + E) / (1 + E)^2
    curvature  beta E ((2 - a) + E (2 + a)) / (1 + E)^3
"""

import math
from fractions import Fraction

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _normal as normal
from .._arithmetic import DROP, LIFT, polynomial
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


@activation(
    formula=lambda m, x: x * m.tanh(m.log1p(m.exp(x))),
    source="Misra, BMVC 2020, arXiv:1908.08681",
    range=lambda: (-0.30884341, math.inf),
    ulps=(4.0, 6.5, 9.0),
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
        float32: value 4, slope 6.5, curvature 9 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 7 of the 65,536 inputs.

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
    near = m.clamp(x, m.lowest(x, lift=LIFT), 20.0)
    lifted = m.exp(near, lift=LIFT)
    n = lifted * (lifted * DROP + 2)
    return jnp.where(x > 20, x, near * n / (n * DROP + 2) * DROP)


def _mish_slope(m, x):
    last = 12.0 if x.dtype == jnp.float32 else 22.0  # from here on the slope rounds to 1
    near = m.clamp(x, m.lowest(x, lift=LIFT), last)
    lifted = m.exp(near, lift=LIFT)
    w = lifted * DROP
    d = w * w + 2 * w + 2
    slope = lifted * (4 * (1 + near) + w * ((6 + 4 * near) + w * (4 + w))) / (d * d) * DROP
    return jnp.where(x > last, 1.0, slope)


def _mish_curvature(m, x):
    a, _, lifted, e = m.decay(m.reach(x))
    p = x > 0
    c = jnp.where(p, 3.0, 2.0)
    two = jnp.where(p, 2.0, 4.0)
    d = jnp.where(p, 1 + 2 * e * (1 + e), 2 + e * (2 + e))
    cubic = (5 - c) * a
    bend = (two - 2 * a) + e * (
        (12 - 2 * c - c * a) + e * ((2 + 2 * c + cubic) + e * (6 - two + 2 * a))
    )
    return 4 * lifted * jnp.where(p, e, 1.0) * bend / (d * (d * d)) * DROP


MISH = Kernel(_mish, x=Kernel(_mish_slope, x=_mish_curvature))


@activation(
    formula=lambda m, x, approximate=True: (
        x / 2 * (1 + m.tanh(m.sqrt(2 / m.pi) * (x + m.number("0.044715") * x**3)))
        if approximate
        else x * m.erfc(-x / m.sqrt(m.number("2"))) / 2
    ),
    source="Hendrycks & Gimpel, arXiv:1606.08415, section 2",
    samples=({"approximate": True}, {"approximate": False}),
    range=lambda approximate=True: (
        -0.17004076 if approximate else -0.16997121,
        math.inf,
    ),
    ulps=(4.0, 6.0, 7.0),
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
        Of either formula in float32: value 4, slope 6, curvature 7 ULP, tails included, away from
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
    return GELU_TANH(x) if approximate else GELU(x)


def _gelu(m, x):
    a = m.at_most(m.absolute(x), normal.farthest(x))
    return m.at_least(x, 0.0) - a * normal.tail(m, a) * DROP


def _gelu_slope(m, x):
    a = m.at_most(m.absolute(x), normal.farthest(x))
    t = normal.tail_slope(m, a)
    return jnp.where(x > 0, 1 - t, t)


def _gelu_curvature(m, x):
    return normal.tail_curvature(m, m.at_most(m.absolute(x), normal.farthest(x)))


GELU = Kernel(_gelu, x=Kernel(_gelu_slope, x=_gelu_curvature))

# gelu with tanh is x * sigmoid(z), z = x (C + K x^2): see the head of this file. The exponent is
# computed in two parts, for its rounding would cost 200 ULP in the tail; and what multiplies the
# exponentials as polynomials about the roots of the derivatives, where they would cancel.
_C = 2 * Fraction("0.797884560802865355879892119868763736951717262329869315331852")
_K = _C * Fraction("0.044715")
_SLOPE_ROOT, _CURVATURE_ROOT = 0.75246143, 1.41852


def _shifted(coefficients: list[Fraction], centre: float) -> tuple[float, ...]:
    """A polynomial (highest power first) in powers of a - centre, by exact Taylor expansion."""
    c, shifted = list(coefficients), []
    while c:
        for i in range(1, len(c)):
            c[i] += Fraction(centre) * c[i - 1]
        shifted.append(float(c.pop()))
    return tuple(reversed(shifted))


_ONE_MINUS_A_Z1 = _shifted([-3 * _K, Fraction(0), -_C, Fraction(1)], _SLOPE_ROOT)
_BEND = _shifted(
    [-9 * _K * _K, Fraction(0), -6 * _K * _C, 12 * _K, -_C * _C, 2 * _C], _CURVATURE_ROOT
)


def _gelu_tanh_decay(m, a):
    """2^LIFT exp(-z) and exp(-z) for a >= 0, with z = a (C + K a^2) in two parts."""
    single = a.dtype == jnp.float32
    head = m.short(a, 9 if single else 20)
    rest, square = a - head, head * head  # exact, as all products of short numbers
    c1 = math.floor(float(_C) * 2.0 ** (14 if single else 32)) / 2.0 ** (14 if single else 32)
    k1 = math.floor(float(_K) * 2.0 ** (9 if single else 16)) / 2.0 ** (9 if single else 16)
    c2, k2 = float(_C - Fraction(c1)), float(_K - Fraction(k1))
    factor = m.short(k1 * square + c1, 15 if single else 33)
    low = head * (((c1 - factor) + k1 * square) + (k2 * square + c2))
    low = low + rest * (float(_K) * (a * (a + head) + square) + float(_C))
    high, low = m.sum_in_two_parts(head * factor, low)
    lifted = m.exp(-high, -low, lift=LIFT)
    return lifted, lifted * DROP


def _vanished(x) -> float:
    """Where exp(-z) is 0, lifted or not."""
    return 11.0 if x.dtype == jnp.float32 else 21.5


def _gelu_tanh(m, x):
    near = m.clamp(x, -_vanished(x), _vanished(x))
    lifted, e = _gelu_tanh_decay(m, m.absolute(near))
    return jnp.where(x >= 0, x, near * lifted * DROP) / (1 + e)


def _gelu_tanh_slope(m, x):
    a = m.at_most(m.absolute(x), _vanished(x))
    lifted, e = _gelu_tanh_decay(m, a)
    q = 1 + e
    t = lifted * (polynomial(a - _SLOPE_ROOT, *_ONE_MINUS_A_Z1) + e) / (q * q) * DROP
    return jnp.where(x > 0, 1 - t, t)


def _gelu_tanh_curvature(m, x):
    a = m.at_most(m.absolute(x), _vanished(x))
    lifted, e = _gelu_tanh_decay(m, a)
    q = 1 + e
    bend = polynomial(a - _CURVATURE_ROOT, *_BEND)
    twice = float(24 * _K) * (a * a) + float(4 * _C)
    return lifted * (bend + e * (twice - bend)) / (q * (q * q)) * DROP


GELU_TANH = Kernel(_gelu_tanh, name="gelu", x=Kernel(_gelu_tanh_slope, x=_gelu_tanh_curvature))


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
