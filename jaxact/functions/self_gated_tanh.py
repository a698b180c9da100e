"""Self-gated activations with a gate of tanh: the input times the tanh of something."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP, LIFT, SmoothOps, XlaOps, closed, curvature_of_gated, polynomial
from .._beside_roots import beside_root
from .._catalog import activation
from .._derivatives import Kernel
from .self_gated_logistic import lowest_value


@activation(
    formula=lambda math, x: x * math.tanh(math.log1p(math.exp(x))),
    source="Misra, BMVC 2020, arXiv:1908.08681",
    range=lambda: (-0.30884341, math.inf),
    ulps=(4.0, 6.5, 7.0),
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
        float32: value 4, slope 6.5, curvature 7 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 3 of the 65,536 inputs.

    Edges:
        mish(-inf) = -0, mish(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Misra, BMVC 2020, arXiv:1908.08681

    Example:
        >>> jaxact.mish(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.25250146,  0.        ,  1.943959  ], dtype=float32)
    """
    return MISH(x)


@activation(
    formula=lambda math, x, beta=-0.25: x * math.tanh(math.log1p(math.exp(beta + x))),
    source="Misra, Mila, github.com/digantamisra98/Mila",
    samples=({"beta": -0.25}, {"beta": 0.25}),
    range=lambda beta=-0.25: (lowest_value(lambda x: x * _open(x + beta)), math.inf),
    ulps=(4.0, 6.0, 7.5),
)
def mila(x: ArrayLike, beta: ArrayLike = -0.25) -> Array:
    """Mila: Mish whose gate is moved along the axis; with beta = 0 it is `mish`.

        mila(x) = x * tanh(softplus(beta + x))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        beta: how far the gate is moved to the left: the lower, the shallower the valley below
            zero. A number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `beta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 6, curvature 7.5 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 4 of the 65,536 inputs. (Measured for beta
        = -0.25 and 0.25; beside the roots, for beta from -2 to 1.3, errors up to 5 eps of the
        derivative's size there.)

    Edges:
        mila(-inf) = -0, mila(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` does not broadcast against `x`.

    Source:
        Misra, Mila, github.com/digantamisra98/Mila

    Example:
        >>> jaxact.mila(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.19974498,  0.        ,  1.9142085 ], dtype=float32)
    """
    return MILA(x, beta)


def _open(y: float) -> float:
    """The gate in double precision, for the range."""
    return math.tanh(math.log1p(math.exp(y)))


def _mish(ops, x):
    return _mila(ops, x, 0.0)


def _mish_slope(ops, x):
    return _mila_slope(ops, x, 0.0)


def _mish_curvature(ops, x):
    return _mila_curvature(ops, x, 0.0)


def _plus(x, beta):
    """x + beta and what rounding took from it, or None if nothing."""
    if isinstance(beta, float) and beta == 0:
        return x, None
    short = float(np.asarray(beta, x.dtype)) if isinstance(beta, float) else beta
    high = 2 * (0.5 * x + 0.5 * short)  # else XLA adds the constant to one that `exp` adds later
    part = high - x
    low = (x - (high - part)) + (short - part)
    return high, low + (beta - short) if isinstance(beta, float) else low


def _open_from(x):
    """From here on gate and slope round to 1; and XLA may square the lifted exponential there."""
    return 12.0 if x.dtype == jnp.float32 else 22.0


def _mila(ops, x, beta):
    # x (1 - 2 / (n + 2)) where the gate is open, x w (1 - w (w + 1) / (n + 2)) where it is not: the
    # second factors round little, and w is used whole, so that XLA makes one loop of it
    near = ops.clamp(x, ops.lowest(x, lift=LIFT) - beta, _open_from(x) - beta)
    y, low = _plus(near, beta)
    lifted, is_open = ops.exp(y, low, lift=LIFT), y > 0
    w = lifted * DROP
    shut = jnp.where(is_open, 2.0, w * w + w) / (w * w + 2 * w + 2)
    product = jnp.where(is_open, x, near * lifted) * (1 - shut)
    return jnp.where(is_open, product, product * DROP)


def _mila_slope(ops, x, beta):
    near = ops.clamp(x, ops.lowest(x, lift=LIFT) - beta, _open_from(x) - beta)
    lifted = ops.exp(*_plus(near, beta), lift=LIFT)
    w = lifted * DROP
    d = w * w + 2 * w + 2
    slope = lifted * (4 * (1 + near) + w * ((6 + 4 * near) + w * (4 + w))) / (d * d) * DROP
    return jnp.where(x > near, 1.0, slope)


class _Movement(NamedTuple):
    """How the gate moves, with E = exp(-abs(x + beta)): its slope is 4 E c (1 + E) / d^2.

    Its curvature is 4 E c / d^3 times a cubic in E.

    Attributes:
        x: the argument within reach.
        y, low: x + beta, in two parts.
        up: whether it is positive.
        e, times: E, and what multiplies by 2^LIFT E.
        c, d: polynomials in E.
    """

    x: Array
    y: Array
    low: Array | float
    up: Array
    e: Array
    times: Callable[[Array], Array]
    c: Array
    d: Array

    def cubic(self, weight: int, x: Array | float) -> Array:
        """d^3 / (4 E c) times (`weight` the gate's slope and x its curvature).

        No coefficient cancels.
        """
        ends = 2 * weight + 2 * x, weight - 2 * x
        middle = 4 * weight + 2 * x, 3 * weight - 3 * x
        first, last = (jnp.where(self.up, ends[1 - i], ends[i]) for i in (0, 1))
        second, third = (jnp.where(self.up, middle[1 - i], middle[i]) for i in (0, 1))
        return first + self.times(second + self.e * (third + self.e * last)) * DROP


def _movement(ops, x, beta) -> _Movement:
    limit = -ops.lowest(x, lift=LIFT)
    near = ops.clamp(x, -limit - beta, limit - beta)
    y, low = _plus(near, beta)
    up = y >= 0
    falling = None if low is None else jnp.where(up, -low, low)
    lifted, times = ops.exponential(-ops.absolute(y), falling, lift=LIFT)
    e = lifted * DROP
    d = jnp.where(up, 1 + 2 * e * (1 + e), 2 + e * (2 + e))
    return _Movement(near, y, 0.0 if low is None else low, up, e, times, jnp.where(up, e, 1.0), d)


def _mila_curvature(ops, x, beta):
    g = _movement(ops, x, beta)
    curvature = 4 * g.times(g.c * g.cubic(2, g.x) / (g.d * (g.d * g.d))) * DROP
    if not (isinstance(beta, float) and abs(beta) <= 2):
        return curvature
    beside = beside_root(_exact_mila_curvature, -beta, 4 - beta, 0.15, beta)
    return beside(ops, x, curvature)


def _exact_mila_curvature(x, beta):
    w = (x + beta).exp()
    d = 2 + w * (2 + w)
    return 4 * w * (2 * (1 + w) * d + x * (2 + w * (2 - w * (3 + 2 * w)))) / d**3


@closed(lambda g, y, low: _smooth_gate_slope(y, low) * DROP)
def _smooth_gate(y, low):
    """tanh(softplus(y + low))."""
    e, up = XlaOps.exp(-jnp.abs(y), jnp.where(y < 0, low, -low)), y >= 0
    d = jnp.where(up, 1 + 2 * e * (1 + e), 2 + e * (2 + e))
    return jnp.where(up, 1 + 2 * e, e * (2 + e)) / d


@closed(
    lambda s, y, low: s * (SmoothOps.sigmoid(-y) - 2 * _smooth_gate(y, low) * SmoothOps.sigmoid(y))
)
def _smooth_gate_slope(y, low):
    """2^LIFT times the slope of that."""
    lifted = XlaOps.exp(-jnp.abs(y), jnp.where(y < 0, low, -low), lift=LIFT)
    e, up = lifted * DROP, y >= 0
    d = jnp.where(up, 1 + 2 * e * (1 + e), 2 + e * (2 + e))
    return 4 * lifted * (jnp.where(up, e, 1.0) * (1 + e) / (d * d))


@curvature_of_gated
def _smooth_mila_curvature(ops, x, beta):
    limit = -ops.lowest(x, lift=LIFT)
    y, low = _plus(ops.clamp(x, -limit - beta, limit - beta), beta)
    return _smooth_gate_slope(y, jnp.zeros_like(y) if low is None else low)


def _smooth_mish_curvature(ops, x):
    return _smooth_mila_curvature(ops, x, 0.0)


def _mila_by_beta(ops, x, beta):
    g = _movement(ops, x, beta)
    return g.x * (4 * g.times(g.c * (1 + g.e) / (g.d * g.d))) * DROP


def _mila_slope_by_beta(ops, x, beta):
    g = _movement(ops, x, beta)
    return 4 * g.times(g.c * g.cubic(1, g.x) / (g.d * (g.d * g.d))) * DROP


# The gate bends the other way from x + beta = _TURN on, in two parts per dtype: there exp(x + beta)
# is the root of 2 + 2 w - 3 w^2 - 2 w^3.
_TURN = {
    jnp.dtype(jnp.float32): (-0.11740098148584366, 1.8571042650227607e-09),
    jnp.dtype(jnp.float64): (-0.1174009796287394, 2.9853150491563306e-18),
}
_W = 0.88922855912919436


def _mila_by_beta_twice(ops, x, beta):
    g = _movement(ops, x, beta)
    before = ops.distance(_TURN[x.dtype], ops.at_most(g.y, 0.0)) - g.low
    below = -_W * ops.expm1(-ops.at_most(before, -ops.lowest(x)))
    below = below * (2 / _W + g.e * (2 * _W + 3 + 2 * g.e))
    curvature = jnp.where(g.up, g.cubic(0, 1.0), below)
    return g.x * (4 * g.times(g.c * curvature / (g.d * (g.d * g.d)))) * DROP


MISH = Kernel(
    _mish,
    x=Kernel(_mish_slope, x=Kernel(_mish_curvature, smooth=_smooth_mish_curvature)),
)
MILA = Kernel(
    _mila,
    x=Kernel(
        _mila_slope,
        x=Kernel(_mila_curvature, smooth=_smooth_mila_curvature),
        beta=_mila_slope_by_beta,
    ),
    beta=Kernel(_mila_by_beta, x=_mila_slope_by_beta, beta=_mila_by_beta_twice),
)


@activation(
    formula=lambda math, x: x * math.tanh(x),
    source="Roy, Manna, Dubey & Chaudhuri, arXiv:1901.05894",
    range=lambda: (0.0, math.inf),
    ulps=(3.0, 3.5, 6.0),
)
def lisht(x: ArrayLike) -> Array:
    """Linearly scaled hyperbolic tangent: a smooth absolute value.

        lisht(x) = x * tanh(x)        lisht'(x) = tanh(x) + x / cosh(x)^2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, not negative.

    Accuracy:
        float32: value 3, slope 3.5, curvature 6 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 6 of the 65,536 inputs.

    Edges:
        lisht(-inf) = lisht(inf) = inf, with slopes -1 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Roy, Manna, Dubey & Chaudhuri, arXiv:1901.05894

    Example:
        >>> jaxact.lisht(jnp.array([-2.0, 0.0, 2.0]))
        Array([1.9280554, 0.       , 1.9280554], dtype=float32)
    """
    return LISHT(x)


def _lisht(ops, x):
    return x * ops.tanh(x)


def _lisht_slope(ops, x):
    a = ops.at_most(ops.absolute(x), -0.5 * ops.lowest(x))
    e, minus = ops.exp_and_expm1(-2 * a)
    q = 1 + e
    return ops.with_sign((4 * a * e - minus * q) / (q * q), x)


def _lisht_curvature(ops, x):
    a = ops.absolute(ops.reach(x, 2.0))
    lifted = ops.exp(-2 * a, lift=LIFT)
    e = lifted * DROP
    q = 1 + e
    return 8 * lifted * ((1 - a) + e * (1 + a)) / (q * (q * q)) * DROP


LISHT = Kernel(_lisht, x=Kernel(_lisht_slope, x=_lisht_curvature))


@activation(
    formula=lambda math, x: x * math.tanh(math.exp(x)),
    source="Liu & Di, TanhExp, arXiv:2003.09855; Fernandez & Mali, TeLU, arXiv:2402.02790",
    range=lambda: (-0.35328578, math.inf),
    ulps=(3.5, 5.5, 5.5),
)
def tanhexp(x: ArrayLike) -> Array:
    """TanhExp, or TeLU: the input times the tanh of its exponential.

        tanhexp(x) = x * tanh(exp(x))

    Two papers define the same function under two names; `telu` is this one.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 5.5, curvature 5.5 ULP, tails included, away from the derivatives'
        own roots. 16 bits: correctly rounded but for at most 7 of the 65,536 inputs.

    Edges:
        tanhexp(-inf) = -0, tanhexp(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Liu & Di, TanhExp, arXiv:2003.09855; Fernandez & Mali, TeLU, arXiv:2402.02790

    Example:
        >>> jaxact.tanhexp(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.26903006,  0.        ,  1.9999986 ], dtype=float32)
    """
    return TANHEXP(x)


telu = tanhexp  # published twice


def _tanhexp(ops, x):
    near = ops.clamp(x, ops.lowest(x, lift=LIFT), 3.1)  # from here on the gate rounds to 1
    lifted = ops.exp(near, lift=LIFT)
    w = lifted * DROP
    small = w < 0.5 * jnp.finfo(x.dtype).eps ** 0.5
    gate = jnp.where(small, lifted, ops.tanh(w) * 2.0**LIFT)
    return jnp.where(x > near, x, near * gate * DROP)


def _tanhexp_slope(ops, x):
    # tanh(w) + x w S, S = 1 / cosh(w)^2; far below, w S (x + sinh(2 w) / (2 w)), to keep the root
    near = ops.clamp(x, ops.lowest(x, lift=LIFT), 3.1)
    lifted = ops.exp(near, lift=LIFT)
    w = lifted * DROP
    e, minus = ops.exp_and_expm1(-2 * w)
    q = 1 + e
    terms = 6 if x.dtype == jnp.float32 else 11
    square = 4 * w * w
    excess = square * polynomial(
        square, *(1 / math.factorial(2 * k + 1) for k in range(terms, 0, -1))
    )
    below = 4 * e * lifted * ((1 + near) + excess)
    above = (4 * near * w * e - minus * q) * 2.0**LIFT
    return jnp.where(x > near, 1.0, jnp.where(near < -0.5, below, above) / (q * q) * DROP)


def _tanhexp_curvature(ops, x):
    # w S (2 + x - 2 x w tanh(w)), where the exponent -2 w takes two parts, and 2 x w above zero
    limit = -ops.lowest(x, lift=LIFT)
    near = ops.clamp(x, -limit, math.log(limit / 2))
    lifted = ops.exp(near, lift=LIFT)
    high, low = _growth(ops, ops.at_least(near, 0.0))
    up = near > 0
    w = jnp.where(up, high, lifted * DROP)
    falling = ops.exp(-2 * w, jnp.where(up, -2 * low, 0.0), lift=LIFT)
    e = falling * DROP
    q = 1 + e
    product, rest = ops.product(near, w)
    above = ((2 - 2 * product) + near) + (4 * product * e / q - 2 * (rest + near * low))
    below = (2 + near) - 2 * product * ((1 - e) / q)
    return lifted * falling * jnp.where(up, above, below) / (q * q) * (4 * DROP) * DROP


_LN2, _LN2_REST = math.log(2), 2.3190468138462996e-17


def _growth(ops, x):
    """exp(x) in two parts, for x from 0 to 8."""
    n = jnp.round(x * (1 / _LN2))
    coarse = round(_LN2 * 2**15) / 2**15  # n * coarse is exact
    first, second = x - n * coarse, n * (_LN2 - coarse + _LN2_REST)
    r = first - second
    rest = (first - r) - second
    square, square_rest = ops.product(r, r)
    last = 9 if x.dtype == jnp.float32 else 15
    tail = r * square * polynomial(r, *(1 / math.factorial(k) for k in range(last, 2, -1)))
    high = scale = ops.short(ops.exp(n * _LN2), 4)  # a power of two
    low = scale * (rest * (1 + r) + 0.5 * square_rest)
    for term in (r, 0.5 * square, tail):
        high, lost = ops.fast_two_sum(high, scale * term)
        low = low + lost
    return high, low


@closed(lambda d, x: -2 * d * SmoothOps.exp(x) * SmoothOps.tanh(SmoothOps.exp(x)))
def _smooth_density(x):
    """2^LIFT times the slope of the sigmoid at 2 exp(x), for x up to 4."""
    high, low = _growth(XlaOps, XlaOps.at_least(x, 0.0))
    up = x >= 0
    w = jnp.where(up, high, XlaOps.exp(x))
    return SmoothOps.logistic_density(2 * w, jnp.where(up, 2 * low, 0.0))


@curvature_of_gated
def _smooth_tanhexp_curvature(ops, x):
    limit = -ops.lowest(x, lift=LIFT)
    near = ops.clamp(x, -limit, math.log(limit / 2))
    lifted, density = ops.exp(near, lift=LIFT), _smooth_density(near)
    return 4 * jnp.where(near < 0, lifted * (density * DROP), lifted * DROP * density)


TANHEXP = Kernel(
    _tanhexp,
    x=Kernel(_tanhexp_slope, x=Kernel(_tanhexp_curvature, smooth=_smooth_tanhexp_curvature)),
)
