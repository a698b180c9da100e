"""Sigmoids: functions that level off on both sides."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _normal as normal
from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda math, x: 1 / (1 + math.exp(-x)),
    source="Verhulst, 1845; Rumelhart, Hinton & Williams, Nature 1986",
    range=lambda: (0.0, 1.0),
    ulps=(2.5, 4.5, 5.5),
    elsewhere={"torch:sigmoid": {}, "keras:sigmoid": {}, "onnx:Sigmoid": {}, "hf:sigmoid": {}},
)
def sigmoid(x: ArrayLike) -> Array:
    """Logistic sigmoid: squeezes the line into (0, 1).

        sigmoid(x) = 1 / (1 + exp(-x))        sigmoid'(x) = sigmoid(x) * sigmoid(-x)

    Args:
        x: pre-activations (log-odds), any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 1.

    Accuracy:
        float32: value 2.5, slope 4.5, curvature 5.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs.

    Edges:
        sigmoid(-inf) = 0, sigmoid(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Verhulst, 1845; Rumelhart, Hinton & Williams, Nature 1986

    Example:
        >>> jaxact.sigmoid(jnp.array([-2.0, 0.0, 2.0]))
        Array([0.11920292, 0.5       , 0.880797  ], dtype=float32)
    """
    return SIGMOID(x)


def _sigmoid(ops, x):
    return 1 / (1 + ops.exp(ops.clamp(-x, ops.lowest(x), ops.highest(x))))


def _sigmoid_slope(ops, x):
    gate = ops.decay(ops.reach(x))
    q = 1 + gate.e
    return gate.lifted / (q * q) * DROP


def _sigmoid_curvature(ops, x):
    lifted, minus = ops.exp_and_expm1(-ops.absolute(ops.reach(x)), lift=LIFT)
    q = 1 + lifted * DROP
    return -ops.with_sign(lifted * -minus / (q * (q * q)) * DROP, x)


def _smooth_sigmoid_curvature(ops, x):
    near = ops.reach(x)
    return -ops.logistic_density(near) * ops.tanh(0.5 * near) * DROP


SIGMOID = Kernel(
    _sigmoid,
    x=Kernel(_sigmoid_slope, x=Kernel(_sigmoid_curvature, smooth=_smooth_sigmoid_curvature)),
    output=FromOutput(lambda ops, y: y * (1 - y)),
)


@activation(
    formula=lambda math, x: math.tanh(x),
    source="elementary; recommended, scaled, by LeCun, Bottou, Orr & Mueller, Efficient BackProp, "
    "1998",
    range=lambda: (-1.0, 1.0),
    ulps=(2.5, 4.0, 6.0),
    elsewhere={"torch:tanh": {}, "keras:tanh": {}, "onnx:Tanh": {}, "hf:tanh": {}},
)
def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent: squeezes the line into (-1, 1), centred on 0.

        tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))        tanh'(x) = 1 / cosh(x)^2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between -1 and 1.

    Accuracy:
        float32: value 2.5, slope 4, curvature 6 ULP, tails included. 16 bits: correctly rounded but
        for at most 8 of the 65,536 inputs.

    Edges:
        tanh(-inf) = -1, tanh(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        elementary; recommended, scaled, by LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998

    Example:
        >>> jaxact.tanh(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.76159424,  0.        ,  0.76159424], dtype=float32)
    """
    return TANH(x)


def _tanh(ops, x):
    return ops.tanh(x)


def _tanh_slope(ops, x):
    gate = ops.decay(ops.reach(2 * x))
    q = 1 + gate.e
    return 4 * gate.lifted / (q * q) * DROP


def _tanh_curvature(ops, x):
    lifted, minus = ops.exp_and_expm1(-ops.absolute(ops.reach(2 * x)), lift=LIFT)
    q = 1 + lifted * DROP
    return -ops.with_sign(8 * lifted * -minus / (q * (q * q)) * DROP, x)


def _smooth_tanh_curvature(ops, x):
    near = ops.reach(2 * x)
    return -8 * ops.logistic_density(near) * ops.tanh(0.5 * near) * DROP


TANH = Kernel(
    _tanh,
    x=Kernel(_tanh_slope, x=Kernel(_tanh_curvature, smooth=_smooth_tanh_curvature)),
    output=FromOutput(lambda ops, y: (1 - y) * (1 + y)),
)


@activation(
    formula=lambda math, x: x / (1 + math.abs(x)),
    source="Bergstra, Desjardins, Lamblin & Bengio, Quadratic polynomials learn better image "
    "features, technical report 1337, Université de Montréal, 2009",
    kinks=lambda: {0.0: 1.0},
    range=lambda: (-1.0, 1.0),
    ulps=(1.5, 3.5, 5.5),
    elsewhere={"torch:softsign": {}, "keras:softsign": {}, "onnx:Softsign": {}},
)
def soft_sign(x: ArrayLike) -> Array:
    """Soft sign: levels off like tanh, but slowly.

        soft_sign(x) = x / (1 + abs(x))        soft_sign'(x) = 1 / (1 + abs(x))^2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between -1 and 1.

    Accuracy:
        float32: value 1.5, slope 3.5, curvature 5.5 ULP. 16 bits: correctly rounded but for at most
        2 of the 65,536 inputs.

    Edges:
        The slope at 0 is 1; the curvature jumps there, from 2 to -2, and is taken as 0.
        soft_sign(-inf) = -1, soft_sign(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Bergstra, Desjardins, Lamblin & Bengio, Quadratic polynomials learn better image features,
        technical report 1337, Université de Montréal, 2009

    Example:
        >>> jaxact.soft_sign(jnp.array([-3.0, 0.0, 1.0]))
        Array([-0.75,  0.  ,  0.5 ], dtype=float32)
    """
    return SOFT_SIGN(x)


def _soft_sign(ops, x):
    a = ops.at_most(ops.absolute(x), 2.0**60)  # beyond, the quotient is 1; and inf / inf is not
    return ops.with_sign(a, x) / (1 + a)


def _soft_sign_slope(ops, x):
    q = 1 + ops.absolute(x)
    return 1 / (q * q)


def _soft_sign_curvature(ops, x):
    q = 1 + ops.absolute(x)
    return jnp.where(x == 0, 0.0, -ops.with_sign(2 / (q * (q * q)), x))


def _soft_sign_third(ops, x):
    q = 1 + ops.absolute(x)
    return 6 / (q * q) / (q * q)


SOFT_SIGN = Kernel(
    _soft_sign,
    x=Kernel(_soft_sign_slope, x=Kernel(_soft_sign_curvature, x=_soft_sign_third)),
    output=FromOutput(lambda ops, y: (1 - ops.absolute(y)) ** 2),
)


@activation(
    formula=lambda math, x, mu=0.707107, sigma=0.282095: (
        math.erfc(-(x - mu) / (sigma * math.sqrt(math.number("2")))) / 2
    ),
    source="Ma et al., Mega, arXiv:2209.10655, with the constants of its implementations",
    samples=({"mu": 0.707107, "sigma": 0.282095}, {"mu": -0.3, "sigma": 1.7}),
    range=lambda mu=0.707107, sigma=0.282095: (0.0, 1.0),
    ulps=(4.0, 2.5, 4.0),
    elsewhere={"hf:laplace": {}},
)
def laplace(x: ArrayLike, mu: ArrayLike = 0.707107, sigma: ArrayLike = 0.282095) -> Array:
    """Laplace attention function: the share of normal numbers below x.

        laplace(x) = P(mu + sigma * Z < x), with a standard normal Z
        laplace'(x) = exp(-((x - mu) / sigma)^2 / 2) / (sigma * sqrt(2 * pi))

    By default it resembles the square of a rectifier between 0 and 1: there mu is sqrt(1/2), sigma
    is sqrt(1 / (4 pi)), to six digits.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        mu: where it is 1/2; a number, or an array that broadcasts against x.
        sigma: how wide the step is, positive; likewise.

    Returns:
        Array of the shape of `x` (and `mu`, `sigma`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 4, slope 2.5, curvature 4 ULP, tails included, away from the derivatives' own
        roots. 16 bits: correctly rounded but for at most 4 of the 65,536 inputs.

    Edges:
        laplace(-inf) = 0, laplace(inf) = 1, with slope 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `sigma` is a number and not positive, or if a parameter does not broadcast
            against `x`.

    Source:
        Ma et al., Mega, arXiv:2209.10655, with the constants of its implementations

    Example:
        >>> jaxact.laplace(jnp.array([0.0, 0.707107, 1.0]))
        Array([0.00609446, 0.5       , 0.85042965], dtype=float32)
    """
    if is_number(sigma):
        require(sigma > 0, "jaxact.laplace", "sigma", sigma, "be positive")
    return LAPLACE(x, mu, sigma)


def _standardized(ops, x, mu, sigma):
    """u = (x - mu) / sigma: whether it is negative, and its magnitude in two parts."""
    reach = normal.farthest(x) * sigma
    distance, rest = ops.difference(ops.clamp(x, mu - reach, mu + reach), mu)
    u, low = ops.quotient(distance, sigma)
    low = rest / sigma if low is None else low + rest / sigma
    below = u < 0
    return below, *ops.fast_two_sum(ops.absolute(u), jnp.where(below, -low, low))


def _laplace(ops, x, mu, sigma):
    below, a, low = _standardized(ops, x, mu, sigma)
    tail = normal.tail(ops, a, low) * DROP
    return jnp.where(below, tail, 1 - tail)


def _laplace_density(ops, a, low, sigma):
    return normal.density(ops, a, low) * (1 / math.sqrt(2 * math.pi) / sigma)


def _laplace_slope(ops, x, mu, sigma):
    _, a, low = _standardized(ops, x, mu, sigma)
    return _laplace_density(ops, a, low, sigma) * DROP


def _laplace_curvature(ops, x, mu, sigma):
    return _laplace_fall(ops, x, mu, sigma) / sigma * DROP


def _laplace_fall(ops, x, mu, sigma):
    """2^LIFT times the curvature times sigma."""
    below, a, low = _standardized(ops, x, mu, sigma)
    y = a * _laplace_density(ops, a, low, sigma)
    return jnp.where(below, y, -y)


def _laplace_third(ops, x, mu, sigma):
    return _laplace_turn(ops, x, mu, sigma) / (sigma * sigma) * DROP


def _laplace_turn(ops, x, mu, sigma):
    """2^LIFT times the third derivative times sigma^2."""
    _, a, low = _standardized(ops, x, mu, sigma)
    return ((a - 1) + low) * (a + 1) * _laplace_density(ops, a, low, sigma)


def _laplace_by_mu(ops, x, mu, sigma):
    return -_laplace_slope(ops, x, mu, sigma)


def _laplace_slope_by_mu(ops, x, mu, sigma):
    return -_laplace_curvature(ops, x, mu, sigma)


def _laplace_by_sigma(ops, x, mu, sigma):
    return _laplace_fall(ops, x, mu, sigma) * DROP


def _laplace_slope_by_sigma(ops, x, mu, sigma):
    return _laplace_turn(ops, x, mu, sigma) / sigma * DROP


def _laplace_by_sigma_twice(ops, x, mu, sigma):
    below, a, low = _standardized(ops, x, mu, sigma)
    root, root_rest = math.sqrt(2), -9.667293313452913e-17
    distance, rest = ops.difference(a, root)
    curvature = a * ((distance + (rest + (low - root_rest))) * (a + root))
    y = curvature * _laplace_density(ops, a, low, sigma) / sigma * DROP
    return jnp.where(below, y, -y)


LAPLACE = Kernel(
    _laplace,
    x=Kernel(
        _laplace_slope,
        x=Kernel(_laplace_curvature, x=_laplace_third),
        mu=_laplace_slope_by_mu,
        sigma=_laplace_slope_by_sigma,
    ),
    mu=Kernel(_laplace_by_mu, x=_laplace_slope_by_mu),
    sigma=Kernel(_laplace_by_sigma, x=_laplace_slope_by_sigma, sigma=_laplace_by_sigma_twice),
)


@activation(
    formula=lambda math, x, p: math.log((1 + math.exp(p * x)) / (1 + math.exp(p * (x - 1)))) / p,
    source="Klimek & Perelstein, arXiv:1810.11509",
    samples=({"p": 5.0}, {"p": 20.0}),
    range=lambda p: (0.0, 1.0),
    ulps=(3.5, 4.0, 7.5),
)
def soft_clipping(x: ArrayLike, p: float) -> Array:
    """Soft clipping: the identity between 0 and 1, its corners rounded.

        soft_clipping(x) = log((1 + exp(p * x)) / (1 + exp(p * (x - 1)))) / p
        soft_clipping'(x) = sigmoid(p * x) - sigmoid(p * (x - 1))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        p: how sharp the corners are, a positive number.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 1.

    Accuracy:
        float32: value 3.5, slope 4, curvature 7.5 ULP, tails included, away from the curvature's
        own root. 16 bits: correctly rounded but for at most 3 of the 65,536 inputs. (For p = 5
        and 20.)

    Edges:
        soft_clipping(-inf) = 0, soft_clipping(inf) = 1, with slope 0. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `p` is not positive.

    Source:
        Klimek & Perelstein, arXiv:1810.11509

    Example:
        >>> jaxact.soft_clipping(jnp.array([-1.0, 0.5, 2.0]), 10.0)
        Array([4.5396841e-06, 5.0000000e-01, 9.9999547e-01], dtype=float32)
    """
    if is_number(p):
        require(p > 0, "jaxact.soft_clipping", "p", p, "be positive")
    return SOFT_CLIPPING(x, p)


def _mirrored(ops, x, p, less: Callable[[Array], Array] | None = None):
    """Whether x > 1/2, y = x or else 1 - x, 2^LIFT exp(-abs(p y)), and e = exp(p (y - 1)).

    For y < 0 the exponent may be `less(e)` less.
    """
    near = ops.clamp(x, -(2.0**60), 2.0**60)
    upper = near > 0.5
    high, low = ops.difference(near, 1.0)
    y = jnp.where(upper, -high, near)
    closer = ops.reach(y, p)
    product, rest = ops.product(closer, p)
    low = p * jnp.where(upper & (closer == y), -low, 0.0)
    rest = low if rest is None else low + rest
    e = ops.exp(ops.at_least(p * (y - 1), ops.lowest(x)))
    below = rest if less is None else rest - less(e)
    lifted = ops.exp(-ops.absolute(product), jnp.where(product < 0, below, -rest), lift=LIFT)
    return upper, y, lifted, e


def _soft_clipping(ops, x, p):
    share, small = math.exp(-p), 0.03 if x.dtype == jnp.float32 else 0.001

    def less(e):
        """-log((1 - exp(-p)) / (1 + e)), in the exponent a rounding less than as a factor."""
        e = ops.at_most(e, small)
        return e * polynomial(-e, *(1 / k for k in range(5, 0, -1))) - math.log1p(-share)

    slight = share < small
    upper, y, lifted, e = _mirrored(ops, x, p, less if slight else None)
    below = y < 0
    first = lifted if slight else jnp.where(below, lifted * (-math.expm1(-p) / (1 + e)), lifted)
    logarithm = ops.log1p(first, first * DROP)
    inside = y + (logarithm - ops.log1p(e * 2.0**LIFT, e)) / p * DROP
    part = jnp.where(below, logarithm / p * DROP, inside)
    return jnp.where(upper, 1 - part, part)


def _soft_clipping_slope(ops, x, p):
    _, y, lifted, e = _mirrored(ops, x, p)
    top = jnp.where(y < 0, lifted * DROP, 1.0)
    return -math.expm1(-p) * top / ((1 + lifted * DROP) * (1 + e))


def _soft_clipping_curvature(ops, x, p):
    """p times the slope times sigmoid(-p x) - sigmoid(p (x - 1)), with its root at 1/2 kept."""
    upper, y, lifted, e = _mirrored(ops, x, p)
    q = (1 + lifted * DROP) * (1 + e)
    distance = -ops.expm1(ops.clamp(p * (2 * y - 1), ops.lowest(x), 0.0))
    curvature = -p * math.expm1(-p) * (lifted * distance) / (q * q) * DROP
    return jnp.where(upper, -curvature, curvature)


SOFT_CLIPPING = Kernel(_soft_clipping, x=Kernel(_soft_clipping_slope, x=_soft_clipping_curvature))
