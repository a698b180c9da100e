"""Periodic activations: waves, and a line with waves on it.

A phase is reduced exactly: factor * x in two parts, less the nearest multiple of pi in five, each
product of a part and a count exact. Then a sine is its polynomial, with its roots kept exact.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import XlaOps, polynomial
from .._catalog import activation
from .._derivatives import Kernel

_LONGEST = 2.0**20  # the largest phase for which that holds


@activation(
    formula=lambda math, x, omega=30.0: math.sin(omega * x),
    source="Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, arXiv:2006.09661, "
    "sections 3.2 and 5",
    samples=({"omega": 30.0}, {"omega": 1.0}),
    domain=lambda omega=30.0: (-_LONGEST / abs(omega), _LONGEST / abs(omega)),
    range=lambda omega=30.0: (-1.0, 1.0),
    ulps=(3.0, 4.0, 4.0),
)
def sine(x: ArrayLike, omega: ArrayLike = 30.0) -> Array:
    """Sine of a given frequency: the activation of sinusoidal representation networks (SIREN).

        sine(x) = sin(omega * x)        sine'(x) = omega * cos(omega * x)

    The paper's frequency is 30, with weights drawn for it: uniform within sqrt(6 / n) / omega for n
    inputs, within 1 / n in the first layer. With omega = 1 this is the plain sine.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        omega: the frequency; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `omega`, broadcast) and of the float dtype of `x`, between
        -1 and 1.

    Accuracy:
        float32: value 3, slope 4, curvature 4 ULP while abs(omega * x) < 2^20, away from the
        derivatives' own roots. 16 bits: correctly rounded but for at most 10 of the 65,536 inputs.
        (Measured for omega = 30 and 1. For a frequency of more than 24 bits the errors beside the
        roots of the value grow.) Farther out float32 numbers lie an eighth of a radian apart or
        more; beyond 2^27 the result is some number between -1 and 1.

    Edges:
        There is no limit at infinity: the result is NaN. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `omega` does not broadcast against `x`.

    Source:
        Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, arXiv:2006.09661, sections 3.2
        and 5

    Example:
        >>> jaxact.sine(jnp.array([-0.1, 0.0, 0.1]))
        Array([-0.14111996,  0.        ,  0.14111996], dtype=float32)
    """
    return SINE(x, omega)


def _sine_of(ops, x, factor, turn: Array | float = 0.0):
    """sin(factor * x + turn * pi), and sin(r) / r for the phase r that is left of it."""
    r, count = _reduced(ops, x, factor, turn)
    odd = count - 2 * jnp.floor(0.5 * count)
    s, smooth = _sine_near(ops, r)
    return (1 - 2 * odd) * s, smooth


def _reduced(ops, x, factor, turn: Array | float = 0.0):
    """factor * x + turn * pi less the nearest multiple of pi, and how many."""
    r, low = ops.phase(x, factor)
    first, second, third, fourth, fifth = _PI[x.dtype]
    coarse = 4096 * _whole(r * (1 / (4096 * math.pi)))
    r = r - coarse * first
    rest = r - coarse * (second + third)
    rest = rest if low is None else rest + low
    count = _whole(rest * (1 / math.pi) + turn)
    fine = count - turn
    r = r - fine * first
    r = ((r - coarse * second) - fine * second) - coarse * third
    if low is None:
        r = r - fine * third
    else:
        before, r = r, r - fine * third
        r = (r + low) + ((before - r) - fine * third)
    r = ((r - coarse * fourth) - fine * fourth) - (coarse + fine) * fifth
    return ops.clamp(r, -1.574, 1.574), count


def _sine_near(ops, r):
    """sin(r) and sin(r) / r for abs(r) < 1.575."""
    z = r * r
    # Only rounding makes sin(r) r: on which side of a tie of 16 bits r lies must not be lost.
    tie = 0.5 * float(jnp.finfo(r.dtype).eps)
    curve = -ops.rounded_to_at_least(-z * polynomial(z, *_SINE[r.dtype]), tie)
    return r + r * curve, 1 + curve


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _smooth_sine_of(x, factor, turn: float):
    """sin(factor * x + turn * pi), for autodiff: its derivatives close a cycle."""
    return _sine_of(XlaOps, x, factor, turn)[0]


@_smooth_sine_of.defjvp
def _smooth_sine_of_jvp(turn, primals, tangents):
    (x, factor), (along_x, along_factor) = primals, tangents
    cosine = _smooth_sine_of(x, factor, (turn + 0.5) % 2)
    return _smooth_sine_of(x, factor, turn), cosine * (factor * along_x + x * along_factor)


def _whole(x):
    """The nearest whole number, a constant to autodiff."""
    return lax.round(lax.stop_gradient(x), lax.RoundingMethod.TO_NEAREST_EVEN)


def _smooth_sine(ops, x, omega):
    return _smooth_sine_of(x, jnp.asarray(omega, x.dtype), 0.0)


def _sine(ops, x, omega):
    return _sine_of(ops, x, omega)[0]


def _cosine(ops, x, omega):
    return _sine_of(ops, x, omega, 0.5)[0]


def _sine_slope(ops, x, omega):
    return omega * _cosine(ops, x, omega)


def _sine_curvature(ops, x, omega):
    return -omega * omega * _sine(ops, x, omega)


def _sine_third(ops, x, omega):
    return -omega * omega * omega * _cosine(ops, x, omega)


def _sine_by_omega(ops, x, omega):
    return x * _cosine(ops, x, omega)


def _sine_by_omega_twice(ops, x, omega):
    return -x * (x * _sine(ops, x, omega))


def _sine_slope_by_omega(ops, x, omega):
    return _cosine(ops, x, omega) - omega * (x * _sine(ops, x, omega))


# pi in five parts: multiples of all but the last by a whole or quarter number of up to 2^15
# (float64: 2^20) are exact
_PI = {
    jnp.dtype(jnp.float32): (
        3.140625,
        0.0009670257568359375,
        6.277114152908325e-07,
        1.2141754268668592e-10,
        1.2446744343793227e-13,
    ),
    jnp.dtype(jnp.float64): (
        3.141592651605606,
        1.9841871583270443e-09,
        1.03403659577805e-18,
        5.80771194594155e-28,
        2.0171708071744967e-37,
    ),
}
# (sin(r) / r - 1) / r^2 in powers of r^2, interpolated at Chebyshev points for abs(r) < 1.575
_SINE = {
    jnp.dtype(jnp.float32): (
        -2.40753224e-8,
        2.753625274e-6,
        -0.0001984108377,
        0.008333332757,
        -0.1666666666,
    ),
    jnp.dtype(jnp.float64): (
        2.731041918097912e-15,
        -7.643937905979405e-13,
        1.6058976295353712e-10,
        -2.5052107601268488e-08,
        2.755731921903942e-06,
        -0.00019841269841254513,
        0.008333333333333316,
        -0.16666666666666666,
    ),
}

SINE = Kernel(
    _sine,
    smooth=_smooth_sine,
    x=Kernel(_sine_slope, x=Kernel(_sine_curvature, x=_sine_third), omega=_sine_slope_by_omega),
    omega=Kernel(_sine_by_omega, x=_sine_slope_by_omega, omega=_sine_by_omega_twice),
)


@activation(
    formula=lambda math, x, alpha=1.0: x + math.sin(alpha * x) ** 2 / alpha,
    source="Liu, Hartwig & Ueda, NeurIPS 2020, arXiv:2006.08195, equation 3",
    samples=({"alpha": 1.0}, {"alpha": 3.0}),
    domain=lambda alpha=1.0: (-_LONGEST / abs(2 * alpha), _LONGEST / abs(2 * alpha)),
    ulps=(3.0, 6.5, 3.5),
)
def snake(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Snake: a line with waves on it, for periodic signals.

        snake(x) = x + sin(alpha * x)^2 / alpha        snake'(x) = 1 + sin(2 * alpha * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: the frequency; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3, slope 6.5, curvature 3.5 ULP while abs(2 * alpha * x) < 2^20, away from
        the derivatives' own roots. 16 bits: correctly rounded but for at most 9 of the 65,536
        inputs. (Measured for alpha = 1 and 3.) Farther out the phase is not exact any more.

    Edges:
        As alpha goes to 0 snake goes to x; where an array of them holds 0 it is that.
        snake(-inf) = -inf, snake(inf) = inf; the slope has no limit there and is NaN. NaN gives
        NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` is the number 0, or does not broadcast against `x`.

    Source:
        Liu, Hartwig & Ueda, NeurIPS 2020, arXiv:2006.08195, equation 3

    Example:
        >>> jaxact.snake(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.2919266,  0.       ,  1.7080734], dtype=float32)
    """
    if is_number(alpha):
        require(alpha != 0, "jaxact.snake", "alpha", alpha, "not be 0: take jaxact.identity")
    return SNAKE(x, alpha)


def _snake(ops, x, alpha):
    # The square of a sine is twice as inexact; half of 1 - cos(2 t) is exact but beside zero.
    near = jnp.abs(alpha * x) < 0.6
    s, smooth = _sine_of(ops, jnp.where(near, x, 2 * x), alpha, jnp.where(near, 0.0, 0.5))
    half = 0.5 / (alpha if isinstance(alpha, float) else jnp.where(alpha == 0, 1.0, alpha))
    high, low = ops.difference(x, -half)
    y = jnp.where(near, x + s * (x * smooth), high + (low - half * s))
    vanished = 8 / float(jnp.finfo(x.dtype).eps)  # beside x, from here on
    return jnp.where(jnp.abs(alpha * x) > vanished, x, y)


def _snake_slope(ops, x, alpha):
    """1 + sin(2 t) = 2 sin(t + pi / 4)^2."""
    s = _sine_of(ops, x, alpha, 0.25)[0]
    return 2 * (s * s)


def _snake_curvature(ops, x, alpha):
    return 2 * alpha * _cosine(ops, x, 2 * alpha)


def _smooth_snake_curvature(ops, x, alpha):
    return 2 * alpha * _smooth_sine_of(x, jnp.asarray(2 * alpha, x.dtype), 0.5)


def _snake_third(ops, x, alpha):
    return -4 * alpha * alpha * _sine(ops, x, 2 * alpha)


def _snake_by_alpha(ops, x, alpha):
    """x sin(2 t) / alpha - sin(t)^2 / alpha^2, where alpha may be 0."""
    s, smooth = _sine_of(ops, x, alpha)
    near = jnp.abs(alpha * x) < 1
    ratio = jnp.where(near, x * smooth, s / jnp.where(near, 1.0, alpha))
    return ratio * (2 * x * _cosine(ops, x, alpha) - ratio)


def _snake_by_alpha_twice(ops, x, alpha):
    """2 / alpha^3 (t^2 cos(2 t) - t sin(2 t) + sin(t)^2), as a series where that cancels."""
    t = alpha * x
    near = jnp.abs(t) < 1.2
    square = jnp.where(near, t * t, 0.0)
    series = 2 * alpha * (x * x) * (x * x) * polynomial(square, *_BEND[x.dtype])
    # It is (t c - s)^2 - (t s)^2, whose factors have roots of their own.
    s = _sine(ops, x, alpha)
    minus, plus = (_sine_of(ops, x, alpha, turn)[0] for turn in (0.75, 0.25))
    curvature = (math.sqrt(2) * t * minus - s) * (math.sqrt(2) * t * plus - s)
    safe = jnp.where(near, 1.0, alpha)
    return jnp.where(near, series, 2 * curvature / safe / safe / safe)


def _snake_slope_by_alpha(ops, x, alpha):
    return 2 * x * _cosine(ops, x, 2 * alpha)


# (t^2 cos(2 t) - t sin(2 t) + sin(t)^2) / t^4 in powers of t^2, interpolated at Chebyshev points
# for abs(t) <= 1.2
_BEND = {
    jnp.dtype(jnp.float32): (
        6.646189616e-6,
        -0.0002340577355,
        0.005078545322,
        -0.06666638911,
        0.44444441,
        -0.9999999993,
    ),
    jnp.dtype(jnp.float64): (
        3.6775678526069274e-13,
        -3.6776943754053104e-11,
        2.784122773811267e-09,
        -1.6444448084307046e-07,
        7.329531057511508e-06,
        -0.00023515579067971386,
        0.005079365079358029,
        -0.06666666666666587,
        0.4444444444444444,
        -1.0,
    ),
}

SNAKE = Kernel(
    _snake,
    x=Kernel(
        _snake_slope,
        x=Kernel(_snake_curvature, smooth=_smooth_snake_curvature, x=_snake_third),
        alpha=_snake_slope_by_alpha,
    ),
    alpha=Kernel(_snake_by_alpha, x=_snake_slope_by_alpha, alpha=_snake_by_alpha_twice),
)


@activation(
    formula=lambda math, x, alpha=1.0, beta=1.0: x + math.sin(alpha * x) ** 2 / beta,
    source="Lee, Ping, Ginsburg, Catanzaro & Yoon, BigVGAN, ICLR 2023, arXiv:2206.04658, code",
    samples=({"alpha": 1.0, "beta": 1.0}, {"alpha": 2.5, "beta": 4.0}),
    domain=lambda alpha=1.0, beta=1.0: (-_LONGEST / abs(2 * alpha), _LONGEST / abs(2 * alpha)),
    ulps=(2.0, 6.0, 3.5),
)
def snake_beta(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0) -> Array:
    """Snake with a height of its own: a line with waves on it, of any frequency and size.

        snake_beta(x) = x + sin(alpha * x)^2 / beta
        snake_beta'(x) = 1 + alpha / beta * sin(2 * alpha * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: the frequency; a number, or an array that broadcasts against x.
        beta: the larger, the lower the waves; likewise. With beta = alpha this is `snake`.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 2, slope 6, curvature 3.5 ULP while abs(2 * alpha * x) < 2^20, away from
        the derivatives' own roots. 16 bits: correctly rounded but for at most 8 of the 65,536
        inputs. (Measured for alpha <= beta: higher waves cross 0, and there value and slope are
        exact beside what cancels.) Farther out the phase is not exact any more.

    Edges:
        snake_beta(-inf) = -inf, snake_beta(inf) = inf; the slope has no limit there and is NaN. NaN
        gives NaN, with slope NaN. Where an array of beta holds 0 the result is inf or NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` is the number 0, or a parameter does not broadcast against `x`.

    Source:
        Lee, Ping, Ginsburg, Catanzaro & Yoon, BigVGAN, ICLR 2023, arXiv:2206.04658, code

    Example:
        >>> jaxact.snake_beta(jnp.array([-1.0, 0.0, 1.0]), 1.0, 2.0)
        Array([-0.6459633,  0.       ,  1.3540367], dtype=float32)
    """
    require(not is_number(beta) or beta != 0, "jaxact.snake_beta", "beta", beta, "not be 0")
    return SNAKE_BETA(x, alpha, beta)


def _snake_beta(ops, x, alpha, beta):
    # As in snake: the square of a sine beside its roots, and half of 1 - cos(2 r) elsewhere.
    r, _ = _reduced(ops, x, alpha)
    near = jnp.abs(r) < 0.6
    high, low = _HALF_PI[x.dtype]
    s, _ = _sine_near(ops, jnp.where(near, r, (high - 2 * jnp.abs(r)) + low))
    half = 0.5 / beta
    total, rest = ops.difference(x, -half)
    y = jnp.where(near, x + s * s / beta, total + (rest - half * s))
    vanished = 8 / float(jnp.finfo(x.dtype).eps)  # beside x, from here on
    return jnp.where(jnp.abs(alpha * x) > vanished, x, y)


def _smooth_snake_beta(ops, x, alpha, beta):
    s = _smooth_sine_of(x, jnp.asarray(alpha, x.dtype), 0.0)
    return x + s * s / beta


def _snake_beta_slope(ops, x, alpha, beta):
    """1 + q sin(2 t) = 1 - q + 2 q sin(t + pi / 4)^2 with q = alpha / beta: of positive terms."""
    s = _sine_of(ops, x, alpha, 0.25)[0]
    return (beta - alpha) / beta + 2 * (alpha / beta) * (s * s)


def _snake_beta_curvature(ops, x, alpha, beta):
    return 2 * alpha * (alpha / beta) * _cosine(ops, x, 2 * alpha)


def _snake_beta_third(ops, x, alpha, beta):
    return -4 * alpha * alpha * (alpha / beta) * _sine(ops, x, 2 * alpha)


def _snake_beta_by_alpha(ops, x, alpha, beta):
    return x * _sine(ops, x, 2 * alpha) / beta


def _snake_beta_by_alpha_twice(ops, x, alpha, beta):
    return 2 * x * (x * _cosine(ops, x, 2 * alpha)) / beta


def _snake_beta_slope_by_alpha(ops, x, alpha, beta):
    return (_sine(ops, x, 2 * alpha) + 2 * alpha * (x * _cosine(ops, x, 2 * alpha))) / beta


def _snake_beta_by_beta(ops, x, alpha, beta):
    s = _sine(ops, x, alpha)
    return -(s / beta) * (s / beta)


def _snake_beta_by_beta_twice(ops, x, alpha, beta):
    s = _sine(ops, x, alpha)
    return 2 * (s / beta) * (s / beta) / beta


def _snake_beta_slope_by_beta(ops, x, alpha, beta):
    return -(alpha / beta) * _sine(ops, x, 2 * alpha) / beta


def _snake_beta_by_both(ops, x, alpha, beta):
    return -(x / beta) * _sine(ops, x, 2 * alpha) / beta


# pi / 2 in two parts
_HALF_PI = {
    jnp.dtype(jnp.float32): (1.57079637050628662109375, -4.371139000186241e-08),
    jnp.dtype(jnp.float64): (1.5707963267948966, 6.123233995736766e-17),
}

SNAKE_BETA = Kernel(
    _snake_beta,
    smooth=_smooth_snake_beta,
    x=Kernel(
        _snake_beta_slope,
        x=Kernel(_snake_beta_curvature, x=_snake_beta_third),
        alpha=_snake_beta_slope_by_alpha,
        beta=_snake_beta_slope_by_beta,
    ),
    alpha=Kernel(
        _snake_beta_by_alpha,
        x=_snake_beta_slope_by_alpha,
        alpha=_snake_beta_by_alpha_twice,
        beta=_snake_beta_by_both,
    ),
    beta=Kernel(
        _snake_beta_by_beta,
        x=_snake_beta_slope_by_beta,
        alpha=_snake_beta_by_both,
        beta=_snake_beta_by_beta_twice,
    ),
)
