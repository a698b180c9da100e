"""Curves in place of a normalization layer: bounded, with a learned steepness and an affine map."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _normal as normal
from .._arguments import is_number
from .._arithmetic import DROP, polynomial
from .._catalog import activation
from .._derivatives import Kernel
from .tanh_variants import (
    _scaled_tanh,
    _scaled_tanh_by_beta,
    _scaled_tanh_by_beta_double_float,
    _scaled_tanh_by_beta_twice,
    _scaled_tanh_by_beta_twice_double_float,
    _scaled_tanh_curvature,
    _scaled_tanh_double_float,
    _scaled_tanh_slope,
    _scaled_tanh_slope_by_beta,
)


@activation(
    formula=lambda math, x, alpha=0.5, scale=1.0, bias=0.0: scale * math.tanh(alpha * x) + bias,
    source="Zhu, Chen, He, LeCun & Liu, CVPR 2025, arXiv:2503.10622",
    samples=(
        {"alpha": 0.5, "scale": 1.0, "bias": 0.0},
        {"alpha": 1.3, "scale": 0.7, "bias": 0.0},
    ),
    range=lambda alpha=0.5, scale=1.0, bias=0.0: (bias - scale, bias + scale),
    ulps=(4.0, 5.0, 6.0),
)
def dyt(
    x: ArrayLike, alpha: ArrayLike = 0.5, scale: ArrayLike = 1.0, bias: ArrayLike = 0.0
) -> Array:
    """Dynamic tanh (DyT): replaces a normalization layer.

        dyt(x) = scale * tanh(alpha * x) + bias

    The paper calls scale and bias gamma and beta, one of each per feature; alpha is one number.

    Args:
        x: activations of any shape and real dtype; integers become the default float.
        alpha: the steepness; a number, or an array that broadcasts against x. 0.5 is the paper's
            initial value.
        scale: what the tanh is multiplied by; likewise.
        bias: what is added; likewise.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 5, curvature 6 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs. (Measured with bias 0; with another, the value's
        error is that much of the larger of its two terms.)

    Edges:
        For alpha > 0: dyt(-inf) = bias - scale, dyt(inf) = bias + scale, with slope 0. NaN gives
        NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast against `x`.

    Source:
        Zhu, Chen, He, LeCun & Liu, CVPR 2025, arXiv:2503.10622

    Example:
        >>> jaxact.dyt(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.76159424,  0.        ,  0.76159424], dtype=float32)
    """
    return DYT(x, alpha, scale, bias)


def _dyt(ops, x, alpha, scale, bias):
    return _scaled_tanh(ops, x, scale, alpha) + bias


def _dyt_double_float(ops, x, alpha, scale, bias):
    if not (is_number(alpha) and is_number(scale)):
        return _dyt(ops, x, alpha, scale, bias), None  # learned: as fast as it is elsewhere
    y, low = _scaled_tanh_double_float(ops, x, scale, alpha)
    if low is None or (is_number(bias) and bias == 0):
        return y + bias, low
    y, lost = ops.difference(y, -bias)
    return y, low + lost


def _dyt_slope(ops, x, alpha, scale, bias):
    return _scaled_tanh_slope(ops, x, scale, alpha)


def _dyt_curvature(ops, x, alpha, scale, bias):
    return _scaled_tanh_curvature(ops, x, scale, alpha)


def _dyt_by_alpha(ops, x, alpha, scale, bias):
    return _scaled_tanh_by_beta(ops, x, scale, alpha)


def _dyt_by_alpha_double_float(ops, x, alpha, scale, bias):
    return _scaled_tanh_by_beta_double_float(ops, x, scale, alpha)


def _dyt_slope_by_alpha(ops, x, alpha, scale, bias):
    return _scaled_tanh_slope_by_beta(ops, x, scale, alpha)


def _dyt_by_alpha_twice(ops, x, alpha, scale, bias):
    return _scaled_tanh_by_beta_twice(ops, x, scale, alpha)


def _dyt_by_alpha_twice_double_float(ops, x, alpha, scale, bias):
    return _scaled_tanh_by_beta_twice_double_float(ops, x, scale, alpha)


def _dyt_by_scale(ops, x, alpha, scale, bias):
    return _scaled_tanh(ops, x, 1.0, alpha)


def _dyt_by_scale_double_float(ops, x, alpha, scale, bias):
    return _scaled_tanh_double_float(ops, x, 1.0, alpha)


def _dyt_slope_by_scale(ops, x, alpha, scale, bias):
    return _scaled_tanh_slope(ops, x, 1.0, alpha)


DYT = Kernel(
    _dyt,
    x=Kernel(_dyt_slope, x=_dyt_curvature, alpha=_dyt_slope_by_alpha, scale=_dyt_slope_by_scale),
    alpha=Kernel(
        _dyt_by_alpha,
        x=_dyt_slope_by_alpha,
        alpha=Kernel(_dyt_by_alpha_twice, double_float_value=_dyt_by_alpha_twice_double_float),
        double_float_value=_dyt_by_alpha_double_float,
    ),
    scale=Kernel(
        _dyt_by_scale, x=_dyt_slope_by_scale, double_float_value=_dyt_by_scale_double_float
    ),
    bias=lambda ops, x, alpha, scale, bias: jnp.ones_like(x),
    double_float_value=_dyt_double_float,
)


@activation(
    formula=lambda math, x, alpha=0.5, shift=0.0, scale=1.0, bias=0.0: (
        scale * math.erf(alpha * x + shift) + bias
    ),
    source="Chen, Lu, Zhu, Sun & Liu, arXiv:2512.10938, equation 10",
    samples=(
        {"alpha": 0.5, "shift": 0.0, "scale": 1.0, "bias": 0.0},
        {"alpha": 1.3, "shift": 0.0, "scale": 0.7, "bias": 0.0},
    ),
    range=lambda alpha=0.5, shift=0.0, scale=1.0, bias=0.0: (bias - scale, bias + scale),
    ulps=(4.0, 3.0, 3.5),
)
def derf(
    x: ArrayLike,
    alpha: ArrayLike = 0.5,
    shift: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    bias: ArrayLike = 0.0,
) -> Array:
    """Dynamic erf (Derf): replaces a normalization layer.

        derf(x) = scale * erf(alpha * x + shift) + bias

    The paper calls scale and bias gamma and beta, one of each per feature; alpha and the shift, its
    s, are one number each.

    Args:
        x: activations of any shape and real dtype; integers become the default float.
        alpha: the steepness; a number, or an array that broadcasts against x. 0.5 is the paper's
            initial value.
        shift: what is added to alpha * x; likewise.
        scale: what the error function is multiplied by; likewise.
        bias: what is added; likewise.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 3, curvature 3.5 ULP, tails included. 16 bits: correctly rounded but
        for at most 4 of the 65,536 inputs. (Measured with shift and bias 0; with another bias, the
        value's error is that much of the larger of its two terms.)

    Edges:
        For alpha > 0: derf(-inf) = bias - scale, derf(inf) = bias + scale, with slope 0. NaN gives
        NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast against `x`.

    Source:
        Chen, Lu, Zhu, Sun & Liu, arXiv:2512.10938, equation 10

    Example:
        >>> jaxact.derf(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.8427008,  0.       ,  0.8427008], dtype=float32)
    """
    return DERF(x, alpha, shift, scale, bias)


def _argument(ops, x, alpha, shift):
    """What has the sign of u = alpha * x + shift, and abs(u) in two parts, kept within reach."""
    far = normal.farthest(x) / math.sqrt(2)
    high, low = ops.product(x, alpha)
    high = ops.clamp(high, -far - abs(shift), far + abs(shift))
    low = 0.0 if low is None else jnp.where(jnp.abs(high) < far + abs(shift), low, 0.0)
    high, rest = ops.difference(high, -shift)
    low = rest + low
    a, rest = ops.fast_two_sum(ops.absolute(high), jnp.where(high < 0, -low, low))
    return high, ops.at_most(a, far), rest


def _lifted_erf_slope(ops, x, alpha, shift):
    """2^LIFT times the slope of erf at u, and u."""
    u, a, rest = _argument(ops, x, alpha, shift)
    return (2 / math.sqrt(math.pi)) * normal.gaussian(ops, a, rest), ops.with_sign(a, u)


def _erf(ops, x, alpha, shift):
    u, a, _ = _argument(ops, x, alpha, shift)
    square = ops.at_most(a, 1.0) * ops.at_most(a, 1.0)
    near = a * polynomial(square, *_ERF[x.dtype])
    far = 1 - 2 * normal.tail(ops, math.sqrt(2) * a) * DROP
    return ops.with_sign(jnp.where(a < 1, near, far), u)


def _is_line(x, shift):
    """Where alpha * x may vanish, and erf is a line."""
    info = jnp.finfo(x.dtype)
    return (jnp.abs(x) < float(info.tiny) / float(info.eps)) & (shift == 0)


def _lifted_u_erf_slope(ops, x, alpha, shift):
    """2^LIFT u times the slope of erf there."""
    slope, u = _lifted_erf_slope(ops, x, alpha, shift)
    return jnp.where(_is_line(x, shift), x * (alpha * slope), u * slope)


def _within_reach(ops, x, alpha, shift):
    """`x` no farther than where exp(-u^2) has vanished."""
    steepness = max(abs(alpha), 1e-9) if isinstance(alpha, float) else jnp.abs(alpha)
    far = (normal.farthest(x) / math.sqrt(2) + abs(shift)) / steepness
    return ops.clamp(x, -far, far)


def _derf(ops, x, alpha, shift, scale, bias):
    line = scale * (2 / math.sqrt(math.pi) * alpha) * x
    return jnp.where(_is_line(x, shift), line, scale * _erf(ops, x, alpha, shift)) + bias


def _derf_slope(ops, x, alpha, shift, scale, bias):
    return scale * alpha * _lifted_erf_slope(ops, x, alpha, shift)[0] * DROP


def _derf_curvature(ops, x, alpha, shift, scale, bias):
    return -2 * scale * (alpha * alpha) * _lifted_u_erf_slope(ops, x, alpha, shift) * DROP


def _derf_third(ops, x, alpha, shift, scale, bias):
    slope, u = _lifted_erf_slope(ops, x, alpha, shift)
    return scale * (alpha * alpha * alpha) * ((4 * u * u - 2) * slope) * DROP


def _derf_by_alpha(ops, x, alpha, shift, scale, bias):
    near = _within_reach(ops, x, alpha, shift)
    return scale * (near * _lifted_erf_slope(ops, x, alpha, shift)[0]) * DROP


def _derf_by_alpha_twice(ops, x, alpha, shift, scale, bias):
    near = _within_reach(ops, x, alpha, shift)
    return -2 * scale * (near * (near * _lifted_u_erf_slope(ops, x, alpha, shift))) * DROP


def _derf_slope_by_alpha(ops, x, alpha, shift, scale, bias):
    """scale (1 - 2 u (u - shift)) erf'(u); without a shift its root is kept exact."""
    u, a, rest = _argument(ops, x, alpha, shift)
    distance, low = ops.difference(a, math.sqrt(0.5))
    curvature = -2 * (distance + (low + (rest - _ROOT_REST))) * (a + math.sqrt(0.5))
    curvature = curvature + 2 * ops.with_sign(a, u) * shift
    return scale * (2 / math.sqrt(math.pi)) * (curvature * normal.gaussian(ops, a, rest)) * DROP


def _derf_by_shift(ops, x, alpha, shift, scale, bias):
    return scale * _lifted_erf_slope(ops, x, alpha, shift)[0] * DROP


def _derf_slope_by_shift(ops, x, alpha, shift, scale, bias):
    return -2 * scale * alpha * _lifted_u_erf_slope(ops, x, alpha, shift) * DROP


def _derf_by_shift_twice(ops, x, alpha, shift, scale, bias):
    return -2 * scale * _lifted_u_erf_slope(ops, x, alpha, shift) * DROP


def _derf_by_scale(ops, x, alpha, shift, scale, bias):
    return _derf(ops, x, alpha, shift, 1.0, 0.0)


def _derf_slope_by_scale(ops, x, alpha, shift, scale, bias):
    return _derf_slope(ops, x, alpha, shift, 1.0, 0.0)


_ROOT_REST = -4.833646656726457e-17  # sqrt(1/2) less the nearest double

# erf(a) / a in powers of a^2, interpolated at Chebyshev points for 0 <= a <= 1
_ERF = {
    jnp.dtype(jnp.float32): (
        7.84301924e-5,
        -0.0008007761015,
        0.005188148924,
        -0.02685377022,
        0.1128358542,
        -0.3761262596,
        1.128379166,
    ),
    jnp.dtype(jnp.float64): (
        -4.211645973279951e-12,
        8.696914869509161e-11,
        -1.216119306825887e-09,
        1.4791857980184993e-08,
        -1.6364585736775698e-07,
        1.6462041494400115e-06,
        -1.4925647378433174e-05,
        0.00012055332896705783,
        -0.0008548327021799754,
        0.00522397762542141,
        -0.026866170645129684,
        0.11283791670955119,
        -0.37612638903183754,
        1.1283791670955126,
    ),
}

DERF = Kernel(
    _derf,
    x=Kernel(
        _derf_slope,
        x=Kernel(_derf_curvature, x=_derf_third),
        alpha=_derf_slope_by_alpha,
        shift=_derf_slope_by_shift,
        scale=_derf_slope_by_scale,
    ),
    alpha=Kernel(_derf_by_alpha, x=_derf_slope_by_alpha, alpha=_derf_by_alpha_twice),
    shift=Kernel(_derf_by_shift, x=_derf_slope_by_shift, shift=_derf_by_shift_twice),
    scale=Kernel(_derf_by_scale, x=_derf_slope_by_scale),
    bias=lambda ops, x, alpha, shift, scale, bias: jnp.ones_like(x),
)
