"""Exponential units: a line above zero, a saturating exponential below; and exp itself."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel, itself


@activation(
    formula=lambda math, x, alpha=1.0: math.where(x > 0, x, alpha * math.expm1(x)),
    source="Clevert, Unterthiner & Hochreiter, ICLR 2016, arXiv:1511.07289",
    samples=({"alpha": 1.0}, {"alpha": 0.3}, {"alpha": 2.5}),
    kinks=lambda alpha=1.0: {0.0: alpha},
    range=lambda alpha=1.0: (-alpha, math.inf),
    ulps=(2.0, 2.5, 2.5),
    elsewhere={"torch:elu": {}, "keras:elu": {}, "onnx:Elu": {}},
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
        float32: value 2, slope 2.5, curvature 2.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 3 of the 65,536 inputs.

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
        Clevert, Unterthiner & Hochreiter, ICLR 2016, arXiv:1511.07289

    Example:
        >>> jaxact.elu(jnp.array([-1.0, 0.0, 2.0]))
        Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """
    return ELU(x, alpha)


def _elu(ops, x, alpha):
    return jnp.where(x > 0, x, alpha * _expm1_below(ops, x))


def _elu_double_float(ops, x, alpha):
    """Beside zero the parabola that elu is there."""
    line, lost = ops.product(x, alpha)
    if lost is None:
        return _elu(ops, x, alpha), None  # a power of two
    near = (x < 0) & (x > -(2.0**-16))
    rest = lost + line * (0.5 * x)
    return jnp.where(near, line, _elu(ops, x, alpha)), jnp.where(near, rest, 0.0)


def _elu_slope(ops, x, alpha):
    return jnp.where(x > 0, 1.0, _times_exp_below(ops, x, alpha))


def _elu_curvature(ops, x, alpha):
    return jnp.where(x > 0, 0.0, _times_exp_below(ops, x, alpha))


def _elu_by_alpha(ops, x, alpha):
    return jnp.where(x > 0, 0.0, _expm1_below(ops, x))


def _elu_slope_by_alpha(ops, x, alpha):
    return jnp.where(x > 0, 0.0, _times_exp_below(ops, x, 1.0))


def _elu_slope_from_output(ops, y, alpha):
    return jnp.where(y > 0, 1.0, y + alpha)


def _expm1_below(ops, x):
    return ops.expm1(ops.clamp(x, ops.lowest(x), 0.0))


def _times_exp_below(ops, x, factor):
    """factor * exp(x) for x <= 0, down to where it is subnormal."""
    return factor * ops.exp(ops.clamp(x, ops.lowest(x, lift=LIFT), 0.0), lift=LIFT) * DROP


ELU = Kernel(
    _elu,
    x=Kernel(_elu_slope, x=_elu_curvature, alpha=_elu_slope_by_alpha),
    alpha=Kernel(_elu_by_alpha, x=_elu_slope_by_alpha),
    double_float_value=_elu_double_float,
    output=FromOutput(_elu_slope_from_output),
)


@activation(
    formula=lambda math, x, alpha=1.0: math.where(x > 0, x, alpha * math.expm1(x / alpha)),
    source="Barron, arXiv:1704.07483",
    samples=({"alpha": 1.0}, {"alpha": 0.3}, {"alpha": 2.7}),
    kinks=lambda alpha=1.0: {0.0: 1.0},
    range=lambda alpha=1.0: (-alpha, math.inf),
    ulps=(2.5, 1.5, 2.5),
    elsewhere={"torch:celu": {}, "keras:celu": {}, "onnx:Celu": {}},
)
def celu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Continuously differentiable exponential linear unit: slope 1 at zero for every alpha.

        celu(x) = x if x > 0, else alpha * (exp(x / alpha) - 1)
        celu'(x) = 1 if x > 0, else exp(x / alpha)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: minus the limit at -inf, positive; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 2.5, slope 1.5, curvature 2.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 2 of the 65,536 inputs.

    Edges:
        The slope at 0 is 1, the curvature there 1 / alpha. celu(inf) = inf, celu(-inf) = -alpha,
        with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` is a number and not positive, or does not broadcast against `x`.

    Source:
        Barron, arXiv:1704.07483

    Example:
        >>> jaxact.celu(jnp.array([-1.0, 0.0, 2.0]), 2.0)
        Array([-0.78693867,  0.        ,  2.        ], dtype=float32)
    """
    if is_number(alpha):
        require(alpha > 0, "jaxact.celu", "alpha", alpha, "be positive")
    return CELU(x, alpha)


def _celu(ops, x, alpha):
    high, low = _quotient_below(ops, x, alpha)
    info = jnp.finfo(x.dtype)
    is_line = x > -float(info.tiny) / float(info.eps)  # beside 0 too, where x / alpha may vanish
    return jnp.where(is_line, x, alpha * ops.expm1(ops.at_least(high, ops.lowest(x)), low))


def _celu_slope(ops, x, alpha):
    return jnp.where(x > 0, 1.0, _exp_of_quotient(ops, x, alpha, 1.0))


def _celu_curvature(ops, x, alpha):
    return jnp.where(x > 0, 0.0, _exp_of_quotient(ops, x, alpha, 1 / alpha))


def _celu_by_alpha(ops, x, alpha):
    """(1 - u) exp(u) - 1 with u = x / alpha, as a series where it cancels."""
    u = ops.clamp(x / alpha, ops.lowest(x), 0.0)
    terms = _BY_ALPHA if x.dtype == jnp.float64 else _BY_ALPHA[-14:]
    series = -0.5 * u * u * polynomial(u, *terms)
    return jnp.where(x > 0, 0.0, jnp.where(u > -1.5, series, ops.expm1(u) - u * ops.exp(u)))


def _celu_slope_by_alpha(ops, x, alpha):
    """-u exp(u) / alpha."""
    u = ops.clamp(x / alpha, ops.lowest(x, lift=LIFT), 0.0)
    return jnp.where(x > 0, 0.0, _exp_of_quotient(ops, x, alpha, -u / alpha))


def _celu_by_alpha_twice(ops, x, alpha):
    """u^2 exp(u) / alpha."""
    u = ops.clamp(x / alpha, ops.lowest(x, lift=LIFT), 0.0)
    return jnp.where(x > 0, 0.0, _exp_of_quotient(ops, x, alpha, u / alpha * u))


# (1 - u) exp(u) - 1 = -u^2/2 * sum over k of 2 u^k / (k! (k + 2)), highest power first
_BY_ALPHA = tuple(2 / (math.factorial(k) * (k + 2)) for k in range(21, -1, -1))


def _quotient_below(ops, x, alpha):
    """min(x, 0) / alpha in two parts, no lower than exp is lifted."""
    return ops.quotient(ops.clamp(x, ops.lowest(x, lift=LIFT) * alpha, 0.0), alpha)


def _exp_of_quotient(ops, x, alpha, factor):
    """factor * exp(x / alpha) for x <= 0, down to where it is subnormal."""
    high, low = _quotient_below(ops, x, alpha)
    return factor * ops.exp(high, low, lift=LIFT) * DROP


CELU = Kernel(
    _celu,
    x=Kernel(_celu_slope, x=_celu_curvature, alpha=_celu_slope_by_alpha),
    alpha=Kernel(_celu_by_alpha, x=_celu_slope_by_alpha, alpha=_celu_by_alpha_twice),
    output=FromOutput(lambda ops, y, alpha: jnp.where(y > 0, 1.0, 1 + y / alpha)),
)

_SCALE, _ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@activation(
    formula=lambda math, x: (
        math.number("1.0507009873554804934193349852946")
        * math.where(x > 0, x, math.number("1.6732632423543772848170429916717") * math.expm1(x))
    ),
    source="Klambauer, Unterthiner, Mayr & Hochreiter, NIPS 2017, arXiv:1706.02515, equation 2",
    kinks=lambda: {0.0: _SCALE * _ALPHA},
    range=lambda: (-_SCALE * _ALPHA, math.inf),
    ulps=(2.0, 2.0, 2.0),
    elsewhere={"torch:selu": {}, "keras:selu": {}, "onnx:Selu": {}},
)
def selu(x: ArrayLike) -> Array:
    """Scaled exponential linear unit: keeps mean 0 and variance 1 from layer to layer.

        selu(x) = scale * x if x > 0, else scale * alpha * (exp(x) - 1)
        selu'(x) = scale if x > 0, else scale * alpha * exp(x)
        scale = 1.0507009873554805, alpha = 1.6732632423543772

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value, slope and curvature 2 ULP. 16 bits: correctly rounded but for at most 2 of
        the 65,536 inputs.

    Edges:
        The slope at 0 is scale * alpha. selu(inf) = inf, selu(-inf) = -scale * alpha, with slope 0.
        NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Klambauer, Unterthiner, Mayr & Hochreiter, NIPS 2017, arXiv:1706.02515, equation 2

    Example:
        >>> jaxact.selu(jnp.array([-1.0, 0.0, 2.0]))
        Array([-1.1113307,  0.       ,  2.101402 ], dtype=float32)
    """
    return SELU(x)


def _selu(ops, x):
    # With the sum the largest numbers overflow where they should, and no earlier; but a part of
    # the least ones would be flushed.
    above = jnp.where(x < 1, _SCALE * x, x + (_SCALE - 1) * x)
    return jnp.where(x > 0, above, _SCALE * _ALPHA * _expm1_below(ops, x))


def _selu_slope(ops, x):
    return jnp.where(x > 0, _SCALE, _times_exp_below(ops, x, _SCALE * _ALPHA))


def _selu_curvature(ops, x):
    return jnp.where(x > 0, 0.0, _times_exp_below(ops, x, _SCALE * _ALPHA))


SELU = Kernel(
    _selu,
    x=Kernel(_selu_slope, x=_selu_curvature),
    output=FromOutput(lambda ops, y: jnp.where(y > 0, _SCALE, y + _SCALE * _ALPHA)),
)


@activation(
    formula=lambda math, x: math.exp(x),
    source="elementary",
    range=lambda: (0.0, math.inf),
    ulps=(1.5, 1.5, 1.5),
    elsewhere={"keras:exponential": {}, "onnx:Exp": {}},
)
def exponential(x: ArrayLike) -> Array:
    """Exponential: positive, and its own slope.

        exponential(x) = exp(x)        exponential'(x) = exp(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, positive.

    Accuracy:
        float32: value 1.5, slope 1.5, curvature 1.5 ULP. 16 bits: correctly rounded but for at most
        2 of the 65,536 inputs.

    Edges:
        exponential(-inf) = 0, with slope 0; exponential(inf) = inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        elementary

    Example:
        >>> jaxact.exponential(jnp.array([-1.0, 0.0, 1.0]))
        Array([0.36787945, 1.        , 2.7182817 ], dtype=float32)
    """
    return EXPONENTIAL(x)


def _exponential(ops, x):
    if not ops.double_float:
        return ops.exp(x)
    # Far up, what lifts the exponent elsewhere is taken from it beforehand, and a factor 2.
    up = x > 32
    highest = math.log(float(jnp.finfo(x.dtype).max)) + 0.25
    near = ops.clamp(x, ops.lowest(x, lift=LIFT), highest)
    high, low = near - _TURN[0], -_TURN[1]
    lifted = ops.exp(jnp.where(up, high, near), jnp.where(up, low, 0.0), lift=LIFT)
    return lifted * jnp.where(up, 2.0, DROP)


_TURN = 28.41845703125, 0.0005773717077576861  # (LIFT + 1) ln2 in two parts

EXPONENTIAL = Kernel(
    _exponential,
    x=Kernel(_exponential, x=Kernel(_exponential, x=_exponential)),
    output=FromOutput(itself, exact=True),
)


@activation(
    formula=lambda math, x: math.where(x >= 0, x, math.expm1(x)) / (1 + math.exp(-x)),
    source="Basirat & Roth, arXiv:1808.00783",
    kinks=lambda: {0.0: 0.5},
    range=lambda: (-0.1715728752538099, math.inf),
    ulps=(3.0, 7.0, 8.5),
)
def elish(x: ArrayLike) -> Array:
    """Exponential linear sigmoid squashing: `silu` above zero, `elu` times the sigmoid below.

        elish(x) = x * sigmoid(x) if x >= 0, else (exp(x) - 1) * sigmoid(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3, slope 7, curvature 8.5 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 5 of the 65,536 inputs.

    Edges:
        The slope at 0 is 1/2, from both sides; the curvature there is 1/2, as above zero.
        elish(-inf) = -0, elish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Basirat & Roth, arXiv:1808.00783

    Example:
        >>> jaxact.elish(jnp.array([-1.0, 0.0, 2.0]))
        Array([-0.1700034,  0.       ,  1.761594 ], dtype=float32)
    """
    return ELISH(x)


# With w = exp(x) elish is w (w - 1) / (1 + w) below zero. Its slope and curvature are w times a
# polynomial in w: w^2 + 2 w - 1 and w^3 + 3 w^2 + 5 w - 1. About their roots those cancel unless
# w - root is computed as root * (exp(x - log(root)) - 1).
_SLOPE_ROOT = 0.41421356237309503, (0.881373587019543, -2.250545892825866e-17)
_CURVATURE_ROOT = 0.17950902460291676, (1.7175297959782472, -8.102722327784694e-17)


def _elish(ops, x):
    near = ops.reach(x)
    lifted, minus = ops.exp_and_expm1(-ops.absolute(near), lift=LIFT)
    return jnp.where(x >= 0, x, lifted * minus * DROP) / (1 + lifted * DROP)


def _from_root(ops, x, root, log_root):
    """2^LIFT exp(-abs(x)) for an x within reach; and below zero w - root."""
    a, below = ops.absolute(x), x < 0
    high, low = ops.difference(a, log_root[0])
    lifted, minus = ops.exp_and_expm1(
        jnp.where(below, -high, -a), jnp.where(below, log_root[1] - low, 0.0), lift=LIFT
    )
    return jnp.where(below, root, 1.0) * lifted, root * minus


def _elish_slope(ops, x):
    near = ops.reach(x)
    lifted, beyond = _from_root(ops, near, *_SLOPE_ROOT)
    w, a = lifted * DROP, ops.absolute(near)
    factor = jnp.where(x < 0, beyond * (w + (2 + _SLOPE_ROOT[0])), (1 - a) + w)
    t = lifted * factor / ((1 + w) * (1 + w)) * DROP
    return jnp.where(x < 0, t, 1 - t)


def _elish_curvature(ops, x):
    near, root = ops.reach(x), _CURVATURE_ROOT[0]
    lifted, beyond = _from_root(ops, near, *_CURVATURE_ROOT)
    w, a = lifted * DROP, ops.absolute(near)
    below = beyond * (w * (w + (3 + root)) + (5 + root * (3 + root)))
    q = 1 + w
    return lifted * jnp.where(x < 0, below, (2 - a) + w * (2 + a)) / (q * (q * q)) * DROP


def _smooth_elish_curvature(ops, x):
    # Below zero elish is exp(x) - 2 sigmoid(x).
    near = ops.reach(x)
    density, t = ops.logistic_density(near), ops.tanh(0.5 * near)
    below = ops.exp(ops.at_most(near, 0.0), lift=LIFT) + 2 * density * t
    return jnp.where(x < 0, below, density * (2 - near * t)) * DROP


ELISH = Kernel(
    _elish, x=Kernel(_elish_slope, x=Kernel(_elish_curvature, smooth=_smooth_elish_curvature))
)


@activation(
    formula=lambda math, x: math.where(
        x <= -1,
        0 * x,
        math.where(x < 0, math.expm1(x), x) * math.where(x >= 1, 0 * x + 1, (x + 1) / 2),
    ),
    source="Basirat & Roth, arXiv:1808.00783",
    kinks=lambda: {-1.0: 0.0, 0.0: 0.5, 1.0: 1.0},
    range=lambda: (-0.09967478, math.inf),
    ulps=(2.5, 6.0, 2.5),
)
def hard_elish(x: ArrayLike) -> Array:
    """Hard ELiSH: `elish` with straight lines in place of its sigmoid.

        hard_elish(x) = x * gate(x) if x >= 0, else (exp(x) - 1) * gate(x)
        gate(x) = max(0, min(1, (x + 1) / 2))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 2.5, slope 6, curvature 2.5 ULP, away from the derivatives' own roots. 16
        bits: correctly rounded but for at most 4 of the 65,536 inputs.

    Edges:
        The slope at -1 is 0, at 0 it is 1/2, at 1 it is 1; the curvature at -1 and 1 is 0, at 0 it
        is 1. hard_elish(-inf) = 0, hard_elish(inf) = inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Basirat & Roth, arXiv:1808.00783

    Example:
        >>> jaxact.hard_elish(jnp.array([-2.0, -0.5, 2.0]))
        Array([-0.        , -0.09836733,  2.        ], dtype=float32)
    """
    return HARD_ELISH(x)


def _hard_elish(ops, x):
    gate = 0.5 * ops.clamp(x, -1.0, 1.0) + 0.5
    return jnp.where(x >= 0, x, ops.expm1(ops.clamp(x, -1.0, 0.0))) * gate


def _hard_elish_slope(ops, x):
    """gate(x) exp(x) + (exp(x) - 1) / 2 below zero, 1/2 + x above."""
    near = ops.clamp(x, -1.0, 0.0)
    w, minus = ops.exp_and_expm1(near)
    curved = 0.5 * ((near + 1) * w + minus)
    return jnp.where(x <= -1, 0.0, jnp.where(x >= 1, 1.0, jnp.where(x >= 0, x + 0.5, curved)))


def _hard_elish_curvature(ops, x):
    near = ops.clamp(x, -1.0, 0.0)
    curved = 0.5 * ops.exp(near) * (near + 3)
    return jnp.where(ops.absolute(x) >= 1, 0.0, jnp.where(x >= 0, 1.0, curved))


HARD_ELISH = Kernel(_hard_elish, x=Kernel(_hard_elish_slope, x=_hard_elish_curvature))
