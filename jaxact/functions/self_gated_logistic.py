"""Self-gated activations with a logistic gate: the input times a power of a sigmoid.

With E = exp(-a), a = abs(beta * x), everything follows from one exponential and one division,
without cancellation but at the roots of the derivatives themselves:

    value      x / (1 + E)                    where the gate is open, x E / (1 + E) where it is not
    slope      1 - t                          where open, t where not, t = E (1 - a + E) / (1 + E)^2
    curvature  beta E ((2 - a) + E (2 + a)) / (1 + E)^3
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require_finite
from .._arithmetic import DROP, LIFT, Decay, polynomial, two_parts
from .._catalog import activation
from .._derivatives import Kernel


def lowest_value(function: Callable[[float], float]) -> float:
    """The minimum of an activation that has one valley, between -40 and 0."""
    low, high = -40.0, 0.0
    while high - low > 1e-7:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if function(left) < function(right) else (left, high)
    return function(low)


@activation(
    formula=lambda math, x: x / (1 + math.exp(-x)),
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
    formula=lambda math, x, beta=1.0: x / (1 + math.exp(-beta * x)),
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


def _silu(ops, x):
    return _swish(ops, x, 1.0)


def _silu_slope(ops, x):
    return _swish_slope(ops, x, 1.0)


def _silu_curvature(ops, x):
    return _swish_curvature(ops, x, 1.0)


def _smooth_silu_curvature(ops, x):
    return _smooth_swish_curvature(ops, x, 1.0)


def _gated(x, near, gate, up):
    """x / (1 + E) where the gate is up, x E / (1 + E) where it is not."""
    return jnp.where(up, x, near * gate.lifted * DROP) / (1 + gate.e)


def _slope_factor(gate):
    """1 - a + E, which has a root at a = 1.278."""
    return gate.short_of(1.0) + gate.e


def _curvature_factor(gate):
    """(2 - a) + E (2 + a), which has a root at a = 2.399."""
    return gate.short_of(2.0) + gate.e * (2 + gate.a)


def _gated_slope(gate, up, slope_factor):
    q = 1 + gate.e
    t = gate.lifted * slope_factor / (q * q) * DROP
    return jnp.where(up, 1 - t, t)


def _lifted_curvature(gate, curvature_factor):
    """2^LIFT E ((2 - a) + E (2 + a)) / (1 + E)^3."""
    q = 1 + gate.e
    return gate.lifted * curvature_factor / (q * (q * q))


# A small beta stretches the neighbourhoods of the roots, and with them what cancellation loses.
# There both sums are written in the distance from the root: so their terms have one sign.
_SLOPE_FACTOR_ROOT = {
    jnp.dtype(jnp.float32): (1.2784645557403564, -1.297928265020314e-08),
    jnp.dtype(jnp.float64): (1.2784645427610737, 1.0946994183093437e-16),
}
_CURVATURE_FACTOR_ROOT = {
    jnp.dtype(jnp.float32): (2.399357318878174, -3.836270616029226e-08),
    jnp.dtype(jnp.float64): (2.3993572805154675, 1.8464872855353363e-16),
}
_E_AT_SLOPE_ROOT, _E_AT_CURVATURE_ROOT = 0.27846454276107380, 0.090776278226867592
_STRETCH = 0.5


def _distance(ops, gate, root):
    """The distance to a root, and by which share of its value there E is larger; both small."""
    d = ops.distance(root[gate.a.dtype], gate.a)
    d = ops.clamp(d if gate.rest is None else d - gate.rest, -_STRETCH, _STRETCH)
    terms = range(17 if d.dtype == jnp.float64 else 9, 0, -1)
    return d, d * polynomial(d, *(1 / math.factorial(k) for k in terms))


def _swish_slope_factor(ops, gate, beta):
    if is_number(beta) and abs(beta) >= 1:
        return _slope_factor(gate)
    d, growth = _distance(ops, gate, _SLOPE_FACTOR_ROOT)
    return jnp.where(ops.absolute(d) < _STRETCH, d + _E_AT_SLOPE_ROOT * growth, _slope_factor(gate))


def _swish_curvature_factor(ops, gate, beta):
    if is_number(beta) and abs(beta) >= 1:
        return _curvature_factor(gate)
    d, growth = _distance(ops, gate, _CURVATURE_FACTOR_ROOT)
    root = float(_CURVATURE_FACTOR_ROOT[d.dtype][0])
    curvature_factor = (1 - _E_AT_CURVATURE_ROOT) * d + _E_AT_CURVATURE_ROOT * growth * (
        (2 + root) - d
    )
    return jnp.where(ops.absolute(d) < _STRETCH, curvature_factor, _curvature_factor(gate))


def _swish(ops, x, beta):
    near = ops.reach(x, beta)
    return _gated(x, near, ops.decay(near, beta), beta * x >= 0)


def _swish_slope(ops, x, beta):
    gate = ops.decay(ops.reach(x, beta), beta)
    return _gated_slope(gate, beta * x >= 0, _swish_slope_factor(ops, gate, beta))


def _swish_curvature(ops, x, beta):
    gate = ops.decay(ops.reach(x, beta), beta)
    return beta * _lifted_curvature(gate, _swish_curvature_factor(ops, gate, beta)) * DROP


def _smooth_swish_curvature(ops, x, beta):
    v, low = ops.product(ops.reach(x, beta), beta)
    return beta * ops.logistic_density(v, low) * (2 - v * ops.tanh(0.5 * v)) * DROP


def _lifted_sigmoid_slope(ops, gate):
    """2^LIFT times the slope of the sigmoid: not quite 1/4 beside 0, to keep ties of x^2 apart."""
    q = 1 + gate.e
    top = 2.0 ** (LIFT - 2) * (1 - float(jnp.finfo(q.dtype).eps))
    return ops.at_most(gate.lifted / (q * q), top)


def _swish_by_beta(ops, x, beta):
    near = ops.reach(x, beta)
    return near * (near * _lifted_sigmoid_slope(ops, ops.decay(near, beta))) * DROP


def _swish_slope_by_beta(ops, x, beta):
    near = ops.reach(x, beta)
    gate = ops.decay(near, beta)
    return near * _lifted_curvature(gate, _swish_curvature_factor(ops, gate, beta)) * DROP


def _swish_by_beta_twice(ops, x, beta):
    """x^3 times the sigmoid's curvature."""
    near = ops.reach(x, beta)
    curvature = _cubed(ops, ops.decay(near, beta), ops.absolute(near))
    return jnp.where(beta < 0, -curvature, curvature)


def _cubed(ops, gate, size):
    """size^3 times the sigmoid's curvature at a."""
    minus = ops.expm1(
        -ops.at_most(gate.a, -ops.lowest(gate.a)), None if gate.rest is None else -gate.rest
    )
    q = 1 + gate.e
    return size * (size * (size * gate.lifted)) * minus / (q * (q * q)) * DROP


SILU = Kernel(
    _silu,
    x=Kernel(_silu_slope, x=Kernel(_silu_curvature, smooth=_smooth_silu_curvature)),
)
SWISH = Kernel(
    _swish,
    x=Kernel(
        _swish_slope,
        x=Kernel(_swish_curvature, smooth=_smooth_swish_curvature),
        beta=_swish_slope_by_beta,
    ),
    beta=Kernel(_swish_by_beta, x=_swish_slope_by_beta, beta=_swish_by_beta_twice),
)


@activation(
    formula=lambda math, x: x / (1 + math.exp(-math.number("1.702") * x)),
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


def _quick_decay(ops, near):
    """exp(-1.702 abs(near)), for an x within reach."""
    return ops.decay(near, _SHARPNESS, _ROUNDED_AWAY)


def _quick_gelu(ops, x):
    near = ops.reach(x, _SHARPNESS)
    return _gated(x, near, _quick_decay(ops, near), x >= 0)


def _quick_gelu_slope(ops, x):
    gate = _quick_decay(ops, ops.reach(x, _SHARPNESS))
    return _gated_slope(gate, x >= 0, _slope_factor(gate))


def _quick_gelu_curvature(ops, x):
    gate = _quick_decay(ops, ops.reach(x, _SHARPNESS))
    return _SHARPNESS * _lifted_curvature(gate, _curvature_factor(gate)) * DROP


def _smooth_quick_gelu_curvature(ops, x):
    return _smooth_swish_curvature(ops, x, _SHARPNESS)


QUICK_GELU = Kernel(
    _quick_gelu,
    x=Kernel(
        _quick_gelu_slope, x=Kernel(_quick_gelu_curvature, smooth=_smooth_quick_gelu_curvature)
    ),
)


def _acon_range(p1: float = 1.0, p2: float = 0.0, beta: float = 1.0) -> tuple[float, float]:
    """A smooth maximum of p1 x and p2 x (a minimum for beta < 0) has a bound if they part."""
    if p1 * p2 > 0 or beta == 0 or p1 == p2:
        return -math.inf, math.inf

    def value(z):
        e = math.exp(-abs(z))
        up, down = (p1, p2) if z > 0 else (p2, p1)
        return z * (up + down * e) / (1 + e) / (p1 - p2)

    bound = min(lowest_value(value), lowest_value(lambda z: value(-z))) / beta
    return (bound, math.inf) if beta > 0 else (-math.inf, bound)


@activation(
    formula=lambda math, x, p1=1.0, p2=0.0, beta=1.0: (
        (p1 - p2) * x / (1 + math.exp(-beta * (p1 - p2) * x)) + p2 * x
    ),
    source="Ma, Zhang, Liu & Sun, CVPR 2021, arXiv:2009.04759",
    samples=({"p1": 1.0, "p2": 0.0, "beta": 1.0}, {"p1": 0.3, "p2": 1.2, "beta": 1.7}),
    range=_acon_range,
    ulps=(4.0, 5.0, 7.5),
)
def acon_c(x: ArrayLike, p1: ArrayLike = 1.0, p2: ArrayLike = 0.0, beta: ArrayLike = 1.0) -> Array:
    """ACON-C, activate or not: a smooth maximum of two lines; with p1 = 1 and p2 = 0 it is `swish`.

        acon_c(x) = (p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        p1: the slope of one line; a number, or an array that broadcasts against x.
        p2: the slope of the other; likewise. Between the two lines the order does not matter.
        beta: how sharp the corner is; likewise. At 0 the function is linear, below a minimum.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 5, curvature 7.5 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 10 of the 65,536 inputs. (Measured for
        the defaults and for p1, p2, beta = 0.3, 1.2, 1.7. If p1 and p2 have different signs the
        value has a second root, beside which it is exact in absolute terms only, as is a slope
        where it all but vanishes.)

    Edges:
        For beta > 0 and p1 > p2 the slope at -inf is p2 and at inf it is p1, and so the value at
        infinity is infinite, or 0 where the slope is 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter is a number and not finite, or does not broadcast against `x`.

    Source:
        Ma, Zhang, Liu & Sun, CVPR 2021, arXiv:2009.04759

    Example:
        >>> jaxact.acon_c(jnp.array([-2.0, 0.0, 2.0]), p1=1.2, p2=-0.8)
        Array([1.5280551, 0.       , 2.3280551], dtype=float32)
    """
    for name, value in (("p1", p1), ("p2", p2), ("beta", beta)):
        require_finite("acon_c", name, value)
    return ACON_C(x, p1, p2, beta)


def _difference(ops, x, p1, p2):
    """p1 - p2 in two parts."""
    if is_number(p1) and is_number(p2):
        return two_parts(Fraction(p1) - Fraction(p2), x)
    if is_number(p1):
        high, low = ops.difference(p2, p1)
        return -high, -low
    return ops.difference(p1, p2)


def _sharpness(ops, x, p1, p2, beta):
    """beta * (p1 - p2) in two parts."""
    if all(is_number(p) for p in (p1, p2, beta)):
        return two_parts(Fraction(beta) * (Fraction(p1) - Fraction(p2)), x)
    difference, lost = _difference(ops, x, p1, p2)
    high, low = ops.product(*((difference, beta) if is_number(beta) else (beta, difference)))
    return high, (0.0 if low is None else low) + beta * lost


class _Corner(NamedTuple):
    """x within reach, its decay, whether it is past the corner, p1 - p2, and beta times that."""

    x: Array
    gate: Decay
    up: Array
    difference: Array | float
    sharpness: Array | float


def _corner(ops, x, p1, p2, beta) -> _Corner:
    high, low = _sharpness(ops, x, p1, p2, beta)
    near = ops.reach(x, high)
    magnitude = ops.absolute(near)
    z, rest = ops.product(magnitude, high)
    rest = magnitude * low + (0.0 if rest is None else rest)
    rest = jnp.where(z < 0, -rest, rest)
    a = ops.absolute(z)
    lifted = ops.exp(-a, -rest, lift=LIFT)
    return _Corner(near, Decay(a, rest, lifted, lifted * DROP), high * x >= 0, p1 - p2, high)


def _acon_slope_factor(ops, c):
    """2^LIFT E (1 - a + E) / (1 + E)^2: the slope of swish where it is closed, at -a."""
    q = 1 + c.gate.e
    return c.gate.lifted * _swish_slope_factor(ops, c.gate, c.sharpness) / (q * q)


def _acon_curvature_factor(ops, c):
    """2^LIFT times the curvature of swish at a."""
    return _lifted_curvature(c.gate, _swish_curvature_factor(ops, c.gate, c.sharpness))


def _acon_c(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    ahead, behind = jnp.where(c.up, p1, p2), jnp.where(c.up, p2, p1)
    q = 1 + c.gate.e
    decaying = behind * c.x * c.gate.lifted / q * DROP  # all there is where the line is the axis
    return jnp.where(ahead == 0, decaying, x * ((ahead + behind * c.gate.e) / q))


def _acon_c_double_float(ops, x, p1, p2, beta):
    """Beside zero the parabola that acon_c is there."""
    total, lost = _difference(ops, x, p1, -p2)
    line, low = ops.product(0.5 * x, total)
    if low is None and is_number(lost) and lost == 0:
        return _acon_c(ops, x, p1, p2, beta), None  # a power of two
    z = beta * (p1 - p2) * x
    rest = (0.0 if low is None else low) + x * (0.5 * lost + 0.25 * (p1 - p2) * z)
    near = (ops.absolute(z) < 2.0**-10) & (ops.absolute(rest) < 2.0**-14 * ops.absolute(line))
    return jnp.where(near, line, _acon_c(ops, x, p1, p2, beta)), jnp.where(near, rest, 0.0)


def _acon_c_slope(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    t = c.difference * _acon_slope_factor(ops, c) * DROP
    return jnp.where(c.up, p1 - t, p2 + t)


def _acon_c_curvature(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    return beta * c.difference * c.difference * _acon_curvature_factor(ops, c) * DROP


def _acon_c_by_p1(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    t = _acon_slope_factor(ops, c)
    return jnp.where(c.up, x * (1 - t * DROP), c.x * t * DROP)


def _acon_c_by_p2(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    t = _acon_slope_factor(ops, c)
    return jnp.where(c.up, c.x * t * DROP, x * (1 - t * DROP))


def _acon_turn(ops, c):
    """The slope by p1 where the gate is closed, and where it is open: 1 less the former.

    Beside the corner as 1/2 and its odd part, which keeps the ties of 16 bits apart.
    """
    a, e = c.gate.a, c.gate.e
    q = 1 + e
    total = (1 + a * (a - 3)) + e * ((2 - a * (3 + a)) + e)
    total = total + c.gate.rest * ((2 * a - 3) - e * (2 * a + 3))
    closed = c.gate.lifted * total / (q * (q * q)) * DROP
    small = a < 0.125
    rise = -ops.expm1(-ops.at_most(a, 0.125), -c.gate.rest)
    odd = 0.5 * rise / q + a * e * (3 * q - a * rise) / (q * (q * q))
    return jnp.where(small, 0.5 - odd, closed), jnp.where(small, 0.5 + odd, 1 - closed)


def _acon_c_slope_by_p1(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    closed, opened = _acon_turn(ops, c)
    return jnp.where(c.up, opened, closed)


def _acon_c_slope_by_p2(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    closed, opened = _acon_turn(ops, c)
    return jnp.where(c.up, closed, opened)


def _acon_c_by_p_twice(ops, x, p1, p2, beta):
    """By either: x^2 beta times the curvature of swish, whose root is exact."""
    c = _corner(ops, x, p1, p2, beta)
    top = 2.0 ** (LIFT - 1) * (1 - float(jnp.finfo(x.dtype).eps))  # keeps ties of x^2 apart
    curvature = ops.at_most(
        _lifted_curvature(c.gate, _swish_curvature_factor(ops, c.gate, 0.0)), top
    )
    return c.x * (c.x * (beta * curvature)) * DROP


def _acon_c_by_beta(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    scaled = c.difference * c.x
    return scaled * (scaled * _lifted_sigmoid_slope(ops, c.gate)) * DROP


def _acon_c_slope_by_beta(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    return c.difference * (c.difference * c.x) * _acon_curvature_factor(ops, c) * DROP


def _acon_c_by_beta_twice(ops, x, p1, p2, beta):
    c = _corner(ops, x, p1, p2, beta)
    curvature = _cubed(ops, c.gate, ops.absolute(c.difference * c.x))
    return jnp.where(beta < 0, -curvature, curvature)


ACON_C = Kernel(
    _acon_c,
    x=Kernel(
        _acon_c_slope,
        x=_acon_c_curvature,
        p1=_acon_c_slope_by_p1,
        p2=_acon_c_slope_by_p2,
        beta=_acon_c_slope_by_beta,
    ),
    p1=Kernel(_acon_c_by_p1, x=_acon_c_slope_by_p1, p1=_acon_c_by_p_twice),
    p2=Kernel(_acon_c_by_p2, x=_acon_c_slope_by_p2, p2=_acon_c_by_p_twice),
    beta=Kernel(_acon_c_by_beta, x=_acon_c_slope_by_beta, beta=_acon_c_by_beta_twice),
    double_float_value=_acon_c_double_float,
)
