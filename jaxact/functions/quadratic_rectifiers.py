"""Rectifiers that rise as a parabola, where it begins or all the way."""

import math
from fractions import Fraction

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import two_parts
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda math, x: math.where(x > 0, x**2, 0 * x),
    source="So et al., Primer, NeurIPS 2021, arXiv:2109.08668",
    kinks=lambda: {0.0: 0.0},
    range=lambda: (0.0, math.inf),
    ulps=(0.5, 0.0, 0.0),
    elsewhere={"hf:relu2": {}},
)
def squared_relu(x: ArrayLike) -> Array:
    """Squared rectified linear unit: the square of positive inputs, 0 for all others.

        squared_relu(x) = max(0, x)^2        squared_relu'(x) = 2 max(0, x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Correctly rounded in every dtype; slope and curvature are exact.

    Edges:
        The curvature jumps at 0, from 0 to 2, and is taken as 0. squared_relu(-inf) = 0,
        squared_relu(inf) = inf, with slopes 0 and inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        So et al., Primer, NeurIPS 2021, arXiv:2109.08668

    Example:
        >>> jaxact.squared_relu(jnp.array([-2.0, 0.5, 3.0]))
        Array([0.  , 0.25, 9.  ], dtype=float32)
    """
    return SQUARED_RELU(x)


def _squared_relu(ops, x):
    # Not the square of max(x, 0): see relu.
    return jnp.where(x <= 0, jnp.zeros_like(x), x * x)


def _squared_relu_slope(ops, x):
    return 2 * ops.at_least(x, 0.0)


def _squared_relu_curvature(ops, x):
    return jnp.where(x > 0, 2.0, 0.0)


SQUARED_RELU = Kernel(
    _squared_relu,
    x=Kernel(_squared_relu_slope, x=_squared_relu_curvature),
    output=FromOutput(lambda ops, y: 2 * ops.root(y)),
)


@activation(
    formula=lambda math, x, scale=0.8944, bias=-0.4472: math.where(
        x > 0, scale * x**2 + bias, 0 * x + bias
    ),
    source="Yu et al., MetaFormer baselines for vision, arXiv:2210.13452",
    samples=({"scale": 0.8944, "bias": -0.4472}, {"scale": 1.3, "bias": 0.2}),
    kinks=lambda scale=0.8944, bias=-0.4472: {0.0: 0.0},
    range=lambda scale=0.8944, bias=-0.4472: (bias, math.inf) if scale > 0 else (-math.inf, bias),
    ulps=(2.5, 1.5, 0.5),
)
def star_relu(x: ArrayLike, scale: ArrayLike = 0.8944, bias: ArrayLike = -0.4472) -> Array:
    """StarReLU: the squared rectified linear unit, scaled and shifted.

        star_relu(x) = scale * max(0, x)^2 + bias        star_relu'(x) = 2 scale max(0, x)

    The default parameters make the output's mean 0 and its variance 1, to four digits, where x is
    standard normal; both may be learned. (The authors' layer begins with 1 and 0.)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        scale: factor of the square; a number, or an array that broadcasts against x.
        bias: what is added; likewise.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32, with numbers for parameters: value 2.5 ULP, also beside its root, slope 1.5,
        curvature half an ULP; with arrays the sum may cancel. 16 bits: correctly rounded.

    Edges:
        The curvature jumps at 0, from 0 to 2 scale, and is taken as 0. star_relu(-inf) = bias; for
        a positive scale star_relu(inf) = inf, with slope inf. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast.

    Source:
        Yu et al., MetaFormer baselines for vision, arXiv:2210.13452

    Example:
        >>> jaxact.star_relu(jnp.array([-2.0, 0.5, 2.0]), 2.0, -1.0)
        Array([-1. , -0.5,  7. ], dtype=float32)
    """
    return STAR_RELU(x, scale, bias)


def _star_relu(ops, x, scale, bias):
    r = ops.at_least(x, 0.0)
    y = scale * r * r + bias
    if not (is_number(scale) and is_number(bias) and -math.inf < scale * bias < 0):
        return y
    # Beside its root the sum cancels: from half the root on, the function is a product.
    square = Fraction(-bias) / Fraction(scale)
    root, _ = two_parts(math.sqrt(square), x)
    rest = float((square - Fraction(root) ** 2) / (2 * Fraction(root)))
    return jnp.where(r > root / 2, -scale * ops.distance((root, rest), r) * (root + r), y)


def _star_relu_slope(ops, x, scale, bias):
    return 2 * scale * ops.at_least(x, 0.0)


def _star_relu_curvature(ops, x, scale, bias):
    return jnp.where(x > 0, 2 * scale, 0.0)


STAR_RELU = Kernel(_star_relu, x=Kernel(_star_relu_slope, x=_star_relu_curvature))


@activation(
    formula=lambda math, x, beta=1.0: math.where(
        x <= -beta, 0 * x, math.where(x >= beta, x, (x + beta) ** 2 / (4 * beta))
    ),
    source="Shamir & Lin, arXiv:2202.06499",
    samples=({"beta": 1.0}, {"beta": 0.3}),
    kinks=lambda beta=1.0: {-beta: 0.0, beta: 1.0},
    range=lambda beta=1.0: (0.0, math.inf),
    ulps=(4.0, 1.5, 0.5),
)
def smelu(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """Smooth rectified linear unit: two straight lines, and a parabola between them.

        smelu(x) = 0 if x <= -beta, (x + beta)^2 / (4 beta) if abs(x) < beta, x if x >= beta
        smelu'(x) = min(max(0, (x + beta) / (2 beta)), 1)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        beta: half the width of the parabola, positive; a number, or an array that broadcasts
            against x.

    Returns:
        Array of the shape of `x` (and `beta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 1.5, curvature 0.5 ULP, also beside -beta, where they vanish. 16
        bits: correctly rounded but for at most 3 of the 65,536 inputs.

    Edges:
        The slope at -beta is 0, at beta it is 1; the curvature jumps at both, and is taken as 0.
        smelu(-inf) = 0, smelu(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` is a number and not positive, or does not broadcast.

    Source:
        Shamir & Lin, arXiv:2202.06499

    Example:
        >>> jaxact.smelu(jnp.array([-2.0, 0.0, 0.5, 2.0]))
        Array([0.    , 0.25  , 0.5625, 2.    ], dtype=float32)
    """
    if is_number(beta):
        require(beta > 0, "jaxact.smelu", "beta", beta, "be positive: with 0 it would be relu")
    return SMELU(x, beta)


def _rise(ops, x, beta):
    """x + beta, exact beside -beta, from 0 to where the parabola ends."""
    return ops.clamp(ops.distance(two_parts(beta, x), -x), 0.0, 2 * beta)


def _smelu(ops, x, beta):
    rise = _rise(ops, x, beta)
    return jnp.where(x >= beta, x, rise * (rise * (0.25 / beta)))


def _smelu_slope(ops, x, beta):
    return jnp.where(x >= beta, 1.0, _rise(ops, x, beta) * (0.5 / beta))


def _smelu_curvature(ops, x, beta):
    return jnp.where(ops.absolute(x) < beta, 0.5 / beta, 0.0)


def _smelu_by_beta(ops, x, beta):
    return _smelu_slope(ops, x, beta) * _smelu_slope(ops, -x, beta)


def _smelu_slope_by_beta(ops, x, beta):
    return jnp.where(ops.absolute(x) < beta, -(x / beta) * (0.5 / beta), 0.0)


def _smelu_by_beta_twice(ops, x, beta):
    t = x / beta
    return jnp.where(ops.absolute(x) < beta, t * (t * (0.5 / beta)), 0.0)


SMELU = Kernel(
    _smelu,
    x=Kernel(_smelu_slope, x=_smelu_curvature, beta=_smelu_slope_by_beta),
    beta=Kernel(_smelu_by_beta, x=_smelu_slope_by_beta, beta=_smelu_by_beta_twice),
    output=FromOutput(lambda ops, y, beta: ops.root(ops.at_most(y / beta, 1.0))),
)
