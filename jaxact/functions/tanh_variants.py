"""Variants of tanh: scaled, penalized below zero, made of parabolas."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arithmetic import DROP, LIFT
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .sigmoids import _smooth_tanh_curvature, _tanh, _tanh_curvature, _tanh_slope


@activation(
    formula=lambda math, x, alpha=1.7159, beta=2 / 3: alpha * math.tanh(beta * x),
    source="LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998, section 4.4",
    samples=({"alpha": 1.7159, "beta": 2 / 3}, {"alpha": 0.6, "beta": 2.0}),
    range=lambda alpha=1.7159, beta=2 / 3: (-alpha, alpha),
    ulps=(4.0, 5.0, 7.0),
)
def scaled_tanh(x: ArrayLike, alpha: ArrayLike = 1.7159, beta: ArrayLike = 2 / 3) -> Array:
    """Scaled tanh: by default the one with value 1 at 1 and -1 at -1, nearly.

        scaled_tanh(x) = alpha * tanh(beta * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: the limit at inf; a number, or an array that broadcasts against x.
        beta: how fast it gets there; likewise.

    Returns:
        Array of the shape of `x` (and `alpha`, `beta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 5, curvature 7 ULP, tails included. 16 bits: correctly rounded but
        for at most 6 of the 65,536 inputs.

    Edges:
        For beta > 0: scaled_tanh(-inf) = -alpha, scaled_tanh(inf) = alpha, with slope 0. NaN gives
        NaN, with slope NaN. (Paddle's stanh has beta = 0.67.)

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast against `x`.

    Source:
        LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998, section 4.4

    Example:
        >>> jaxact.scaled_tanh(jnp.array([-1.0, 0.0, 3.0]))
        Array([-0.9999973,  0.       ,  1.654175 ], dtype=float32)
    """
    return SCALED_TANH(x, alpha, beta)


def _scaled_tanh(ops, x, alpha, beta):
    info = jnp.finfo(x.dtype)
    is_line = ops.absolute(x) < float(info.tiny) / float(info.eps)  # beta * x may vanish there
    return jnp.where(is_line, alpha * beta * x, alpha * _tanh_of_product(ops, x, beta))


def _tanh_of_product(ops, x, beta):
    """tanh(beta x) with what rounding takes from the product."""
    a, rest, sign = _twice(ops, x, beta)
    minus = ops.expm1(-ops.at_most(a, -ops.lowest(x)), -rest)
    return ops.with_sign(-minus, sign) / (2 + minus)


def _scaled_tanh_double_float(ops, x, alpha, beta):
    """Beside zero alpha * (z - z^3 / 3), where z = beta x."""
    y = _scaled_tanh(ops, x, alpha, beta)
    z, rest = ops.product(x, beta)
    line, lost = ops.product(z, alpha)
    if rest is None and lost is None:
        return y, None  # powers of two
    low = (0.0 if lost is None else lost) + (0.0 if rest is None else alpha * rest)
    near = ops.absolute(z) < _FLAT
    return jnp.where(near, line, y), jnp.where(near, low - line * (z * z * (1 / 3)), 0.0)


_FLAT = 2.0**-8  # below it the next terms are too small to tell on which side of a tie we are


def _lifted_sech_squared(ops, x, beta):
    """2^LIFT / cosh(beta x)^2."""
    gate = ops.decay(ops.reach(x, 2 * beta), 2 * beta)
    q = 1 + gate.e
    return 4 * gate.lifted / (q * q)


def _lifted_sech_squared_slope(ops, x, beta):
    """2^LIFT times the slope of 1 / cosh^2 at beta x."""
    a, rest, sign = _twice(ops, x, beta)
    lifted, minus = ops.exp_and_expm1(-a, -rest, lift=LIFT)
    q = 1 + lifted * DROP
    return -ops.with_sign(8 * lifted * -minus / (q * (q * q)), sign)


def _twice(ops, x, beta):
    """abs(2 beta x) in two parts, no farther than exp is lifted, and what has its sign."""
    high, rest = ops.product(ops.reach(x, 2 * beta), 2 * beta)
    if rest is None:
        rest = jnp.zeros_like(high)
    return ops.absolute(high), jnp.where(high < 0, -rest, rest), high


def _scaled_tanh_slope(ops, x, alpha, beta):
    return alpha * beta * _lifted_sech_squared(ops, x, beta) * DROP


def _scaled_tanh_curvature(ops, x, alpha, beta):
    return alpha * (beta * beta) * _lifted_sech_squared_slope(ops, x, beta) * DROP


def _scaled_tanh_by_alpha(ops, x, alpha, beta):
    return _scaled_tanh(ops, x, 1.0, beta)


def _scaled_tanh_slope_by_alpha(ops, x, alpha, beta):
    return _scaled_tanh_slope(ops, x, 1.0, beta)


def _scaled_tanh_by_beta(ops, x, alpha, beta):
    return alpha * (ops.reach(x, 2 * beta) * _lifted_sech_squared(ops, x, beta)) * DROP


def _scaled_tanh_by_beta_double_float(ops, x, alpha, beta):
    """Beside zero alpha * (x - x z^2), where z = beta x."""
    y = _scaled_tanh_by_beta(ops, x, alpha, beta)
    line, low = ops.product(x, alpha)
    if low is None:
        return y, None  # a power of two
    z = beta * x
    near = ops.absolute(z) < _FLAT
    return jnp.where(near, line, y), jnp.where(near, low - line * (z * z), 0.0)


def _scaled_tanh_slope_by_beta(ops, x, alpha, beta):
    """alpha (1 - 2 t tanh(t)) / cosh(t)^2 with t = beta x, its root kept exact.

    With a = 2 t and E = exp(-a) it is 4 alpha E (1 - a + E (1 + a)) / (1 + E)^3.
    """
    a, rest, _ = _twice(ops, x, beta)
    root, root_rest, e_there = _ROOT
    distance, low = ops.difference(a, root)
    low = low + (rest - root_rest)
    lifted, minus = ops.exp_and_expm1(-distance, -low, lift=LIFT)
    curvature = e_there * (1 + a) * minus - (1 - e_there) * (distance + low)
    q = 1 + e_there * lifted * DROP
    return alpha * (4 * e_there) * lifted * curvature / (q * (q * q)) * DROP


def _scaled_tanh_by_beta_twice(ops, x, alpha, beta):
    near = ops.reach(x, 2 * beta)
    return alpha * (near * (near * _lifted_sech_squared_slope(ops, x, beta))) * DROP


def _scaled_tanh_by_beta_twice_double_float(ops, x, alpha, beta):
    """Beside zero -2 alpha beta x^3 (1 - 4 z^2 / 3), where z = beta x."""
    y = _scaled_tanh_by_beta_twice(ops, x, alpha, beta)
    cube, rest = ops.product(x * x, x)
    factor, lost = ops.product(jnp.asarray(beta, x.dtype), alpha)
    curve, low = ops.product(cube, factor)
    low = low + factor * rest + (0.0 if lost is None else lost * cube)
    z = beta * x
    near = (ops.absolute(z) < _FLAT) & (ops.absolute(z) > _FLAT * _FLAT)  # below it cubes vanish
    low = low - curve * (z * z * (4 / 3))
    return jnp.where(near, -2 * curve, y), jnp.where(near, -2 * low, 0.0)


# where a tanh(a / 2) is 1, in two parts, and exp(-a) there
_ROOT = 1.5434046384182085, -7.079881422148652e-17, 0.21365245239002242

SCALED_TANH = Kernel(
    _scaled_tanh,
    x=Kernel(
        _scaled_tanh_slope,
        x=_scaled_tanh_curvature,
        alpha=_scaled_tanh_slope_by_alpha,
        beta=_scaled_tanh_slope_by_beta,
    ),
    alpha=Kernel(
        _scaled_tanh_by_alpha,
        x=_scaled_tanh_slope_by_alpha,
        alpha=lambda ops, x, alpha, beta: 0 * x,
    ),
    beta=Kernel(
        _scaled_tanh_by_beta,
        x=_scaled_tanh_slope_by_beta,
        beta=Kernel(
            _scaled_tanh_by_beta_twice, double_float_value=_scaled_tanh_by_beta_twice_double_float
        ),
        double_float_value=_scaled_tanh_by_beta_double_float,
    ),
    output=FromOutput(lambda ops, y, alpha, beta: (beta / alpha) * ((alpha - y) * (alpha + y))),
)


@activation(
    formula=lambda math, x, alpha=0.25: math.where(x >= 0, math.tanh(x), alpha * math.tanh(x)),
    source="Xu, Huang & Li, arXiv:1602.05980; Eger, Youssef & Gurevych, EMNLP 2018, "
    "arXiv:1901.02671",
    samples=({"alpha": 0.25}, {"alpha": 0.3}),
    kinks=lambda alpha=0.25: {0.0: 1.0},
    range=lambda alpha=0.25: (-alpha, 1.0),
    ulps=(3.5, 4.5, 6.0),
)
def penalized_tanh(x: ArrayLike, alpha: ArrayLike = 0.25) -> Array:
    """Penalized tanh: tanh above zero, a fraction of it below.

        penalized_tanh(x) = tanh(x) if x >= 0, else alpha * tanh(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: the fraction below zero; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 4.5, curvature 6 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs.

    Edges:
        The slope at 0 is 1, the curvature there 0. penalized_tanh(-inf) = -alpha,
        penalized_tanh(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` does not broadcast against `x`.

    Source:
        Xu, Huang & Li, arXiv:1602.05980; Eger, Youssef & Gurevych, EMNLP 2018, arXiv:1901.02671

    Example:
        >>> jaxact.penalized_tanh(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.19039856,  0.        ,  0.76159424], dtype=float32)
    """
    return PENALIZED_TANH(x, alpha)


def _penalized_tanh(ops, x, alpha):
    return _penalized(x, alpha, _tanh(ops, x))


def _penalized_tanh_slope(ops, x, alpha):
    return _penalized(x, alpha, _tanh_slope(ops, x))


def _penalized_tanh_curvature(ops, x, alpha):
    return _penalized(x, alpha, _tanh_curvature(ops, x))


def _smooth_penalized_tanh_curvature(ops, x, alpha):
    return _penalized(x, alpha, _smooth_tanh_curvature(ops, x))


def _penalized(x, alpha, y):
    return jnp.where(x >= 0, 1.0, alpha) * y  # not y twice: XLA on CPU would keep it


def _penalized_tanh_by_alpha(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _tanh(ops, x))


def _penalized_tanh_slope_by_alpha(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _tanh_slope(ops, x))


def _penalized_tanh_slope_from_output(ops, y, alpha):
    return jnp.where(y >= 0, (1 - y) * (1 + y), (alpha - y) * (alpha + y) / alpha)


PENALIZED_TANH = Kernel(
    _penalized_tanh,
    x=Kernel(
        _penalized_tanh_slope,
        x=Kernel(_penalized_tanh_curvature, smooth=_smooth_penalized_tanh_curvature),
        alpha=_penalized_tanh_slope_by_alpha,
    ),
    alpha=Kernel(_penalized_tanh_by_alpha, x=_penalized_tanh_slope_by_alpha),
    output=FromOutput(_penalized_tanh_slope_from_output),
)


@activation(
    formula=lambda math, x: math.where(
        x >= 2,
        0 * x + 1,
        math.where(x >= 0, x - x * x / 4, math.where(x > -2, x + x * x / 4, 0 * x - 1)),
    ),
    source="Wuraola & Patel, IJCNN 2018, doi:10.1109/IJCNN.2018.8489043",
    kinks=lambda: {-2.0: 0.0, 0.0: 1.0, 2.0: 0.0},
    range=lambda: (-1.0, 1.0),
    ulps=(1.5, 0.5, 0.0),
)
def sqnl(x: ArrayLike) -> Array:
    """Square nonlinearity: tanh made of two parabolas and two constants.

        sqnl(x) = -1 if x < -2, x + x^2 / 4 if -2 <= x < 0, x - x^2 / 4 if 0 <= x <= 2, 1 if x > 2
        sqnl'(x) = max(0, 1 - abs(x) / 2)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between -1 and 1.

    Accuracy:
        float32: value 1.5 ULP, slope half an ULP, curvature exact. 16 bits: correctly rounded.

    Edges:
        The slope is continuous; the curvature at -2, 0 and 2 is 0. sqnl(-inf) = -1, sqnl(inf) = 1.
        NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Wuraola & Patel, IJCNN 2018, doi:10.1109/IJCNN.2018.8489043

    Example:
        >>> jaxact.sqnl(jnp.array([-3.0, -1.0, 0.5]))
        Array([-1.    , -0.75  ,  0.4375], dtype=float32)
    """
    return SQNL(x)


def _sqnl(ops, x):
    near = ops.clamp(x, -2.0, 2.0)
    return near * (1 - 0.25 * ops.absolute(near))


def _sqnl_slope(ops, x):
    return 1 - 0.5 * ops.at_most(ops.absolute(x), 2.0)


def _sqnl_curvature(ops, x):
    return jnp.where(
        (ops.absolute(x) < 2) & (x != 0), -ops.with_sign(jnp.full_like(x, 0.5), x), 0.0
    )


SQNL = Kernel(
    _sqnl,
    x=Kernel(_sqnl_slope, x=_sqnl_curvature),
    output=FromOutput(lambda ops, y: ops.root(1 - ops.absolute(y))),
)
