"""Soft rectifiers: ReLU with its corner rounded, and what mirrors it."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, SmoothOps, XlaOps, closed, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .sigmoids import TANH


@activation(
    formula=lambda math, x, beta=1.0: math.log1p(math.exp(beta * x)) / beta,
    source="Dugas, Bengio, Belisle, Nadeau & Garcia, NIPS 2000",
    samples=({"beta": 1.0}, {"beta": 3.0}, {"beta": 0.7}),
    range=lambda beta=1.0: (0.0, math.inf),
    ulps=(4.0, 2.5, 4.5),
    elsewhere={"torch:softplus": {}, "keras:softplus": {}, "onnx:Softplus": {}},
)
def softplus(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """Softplus: a smooth rectifier whose slope is the sigmoid.

        softplus(x) = log(1 + exp(beta * x)) / beta        softplus'(x) = sigmoid(beta * x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        beta: how sharp the corner is, positive; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `beta`, broadcast) and of the float dtype of `x`, positive.

    Accuracy:
        float32: value 4, slope 2.5, curvature 4.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs.

    Edges:
        softplus(-inf) = 0, softplus(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `beta` is a number and not positive, or does not broadcast against `x`.

    Source:
        Dugas, Bengio, Belisle, Nadeau & Garcia, NIPS 2000

    Example:
        >>> jaxact.softplus(jnp.array([-2.0, 0.0, 2.0]))
        Array([0.126928 , 0.6931472, 2.126928 ], dtype=float32)
    """
    if is_number(beta):
        require(beta > 0, "jaxact.softplus", "beta", beta, "be positive")
    return SOFTPLUS(x, beta)


def _softplus(ops, x, beta):
    gate = ops.decay(ops.reach(x, beta), beta)
    return ops.at_least(x, 0.0) + _over(ops.log1p(gate.lifted, gate.e), beta) * DROP


def _over(y, beta):
    """y / beta; in float32 by both parts of 1 / beta, if it is a number: float32 would round it."""
    if not is_number(beta) or y.dtype == jnp.float64:
        return y / beta
    high = float(np.float32(1 / beta))
    low = 1 / beta - high
    return y * high + y * low if low else y * high


def _softplus_slope(ops, x, beta):
    gate = ops.decay(ops.reach(x, beta), beta)
    return jnp.where(beta * x >= 0, 1.0, gate.lifted * DROP) / (1 + gate.e)


def _lifted_sigmoid_slope(gate):
    """2^LIFT times the slope of the sigmoid."""
    q = 1 + gate.e
    return gate.lifted / (q * q)


def _softplus_curvature(ops, x, beta):
    return beta * _lifted_sigmoid_slope(ops.decay(ops.reach(x, beta), beta)) * DROP


def _smooth_softplus_curvature(ops, x, beta):
    return beta * ops.logistic_density(*ops.product(ops.reach(x, beta), beta)) * DROP


def _entropy(ops, gate):
    """2^LIFT times the entropy of a sigmoid: a sum without cancellation."""
    return ops.log1p(gate.lifted, gate.e) + gate.a * (gate.lifted / (1 + gate.e))


def _softplus_by_beta(ops, x, beta):
    return -_entropy(ops, ops.decay(ops.reach(x, beta), beta)) / (beta * beta) * DROP


def _softplus_slope_by_beta(ops, x, beta):
    near = ops.reach(x, beta)
    return near * _lifted_sigmoid_slope(ops.decay(near, beta)) * DROP


def _softplus_by_beta_twice(ops, x, beta):
    gate = ops.decay(ops.reach(x, beta), beta)
    curvature = gate.a * (gate.a * _lifted_sigmoid_slope(gate)) + 2 * _entropy(ops, gate)
    return curvature / (beta * (beta * beta)) * DROP


SOFTPLUS = Kernel(
    _softplus,
    x=Kernel(
        _softplus_slope,
        x=Kernel(_softplus_curvature, smooth=_smooth_softplus_curvature),
        beta=_softplus_slope_by_beta,
    ),
    beta=Kernel(_softplus_by_beta, x=_softplus_slope_by_beta, beta=_softplus_by_beta_twice),
    output=FromOutput(lambda ops, y, beta: -ops.expm1(ops.clamp(-beta * y, ops.lowest(y), 0.0))),
)


@activation(
    formula=lambda math, x: -math.log1p(math.exp(-x)),
    source="the logarithm of the logistic sigmoid",
    range=lambda: (-math.inf, 0.0),
    ulps=(3.0, 2.5, 4.5),
    elsewhere={"torch:logsigmoid": {}, "keras:log_sigmoid": {}},
)
def log_sigmoid(x: ArrayLike) -> Array:
    """Logarithm of the sigmoid: the log-likelihood of a logistic model.

        log_sigmoid(x) = -log(1 + exp(-x))        log_sigmoid'(x) = sigmoid(-x)

    Args:
        x: log-odds of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, negative.

    Accuracy:
        float32: value 3, slope 2.5, curvature 4.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs.

    Edges:
        log_sigmoid(-inf) = -inf, log_sigmoid(inf) = 0, with slopes 1 and 0. NaN gives NaN, with
        slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        the logarithm of the logistic sigmoid

    Example:
        >>> jaxact.log_sigmoid(jnp.array([-2.0, 0.0, 2.0]))
        Array([-2.126928 , -0.6931472, -0.126928 ], dtype=float32)
    """
    return LOG_SIGMOID(x)


def _log_sigmoid(ops, x):
    gate = ops.decay(ops.reach(x))
    return ops.at_most(x, -0.0) - ops.log1p(gate.lifted, gate.e) * DROP


def _log_sigmoid_slope(ops, x):
    return _softplus_slope(ops, -x, 1.0)


def _log_sigmoid_curvature(ops, x):
    return -_softplus_curvature(ops, x, 1.0)


def _smooth_log_sigmoid_curvature(ops, x):
    return -_smooth_softplus_curvature(ops, x, 1.0)


LOG_SIGMOID = Kernel(
    _log_sigmoid,
    x=Kernel(
        _log_sigmoid_slope, x=Kernel(_log_sigmoid_curvature, smooth=_smooth_log_sigmoid_curvature)
    ),
    output=FromOutput(lambda ops, y: -ops.expm1(ops.clamp(y, ops.lowest(y), 0.0))),
)


@activation(
    formula=lambda math, x: math.log(1 - math.exp(-x)),
    source="Maechler, Accurately computing log(1 - exp(-|a|)), 2012",
    domain=lambda: (0.0, math.inf),
    range=lambda: (-math.inf, 0.0),
    ulps=(3.5, 2.5, 4.5),
)
def log1mexp(x: ArrayLike) -> Array:
    """log(1 - exp(-x)): the log-probability of what a log-probability leaves.

        log1mexp(x) = log(1 - exp(-x))        log1mexp'(x) = 1 / (exp(x) - 1)

    Args:
        x: positive numbers of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, negative; NaN where x < 0.

    Accuracy:
        float32: value 3.5, slope 2.5, curvature 4.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 2 of the 65,536 inputs.

    Edges:
        log1mexp(0) = -inf, log1mexp(inf) = 0, with slopes inf and 0. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Maechler, Accurately computing log(1 - exp(-|a|)), 2012

    Example:
        >>> jaxact.log1mexp(jnp.array([0.5, 1.0, 5.0]))
        Array([-0.93275213, -0.45867515, -0.00676075], dtype=float32)
    """
    return LOG1MEXP(x)


def _log1mexp(ops, x):
    lifted, minus = ops.exp_and_expm1(-ops.at_most(x, -ops.lowest(x, lift=LIFT)), lift=LIFT)
    # In float64 XLA's log1p is off by 128 ULP near -0.4, and its expm1 by 3.
    e = lifted * DROP
    near = jnp.log(jnp.where(x > 0.4, 1 - e, -minus))
    y = jnp.where(x > 1.25, jnp.log1p(-e), near)
    # XLA's logarithm sets every bit of a NaN, which rounding to 16 bits would carry over to 0.
    return jnp.where(x >= 0, y, jnp.nan)


def _odds(ops, x):
    """exp(-x) / (1 - exp(-x)) and 1 - exp(-x); NaN where x < 0."""
    lifted, minus = ops.exp_and_expm1(-ops.at_most(x, -ops.lowest(x, lift=LIFT)), lift=LIFT)
    rest = jnp.where(x < 0, jnp.nan, jnp.abs(minus))
    return jnp.where(x > 1, lifted / rest * DROP, lifted * DROP / rest), rest


def _log1mexp_slope(ops, x):
    return _odds(ops, x)[0]


def _log1mexp_curvature(ops, x):
    odds, rest = _odds(ops, x)
    return -odds / rest


LOG1MEXP = Kernel(_log1mexp, x=Kernel(_log1mexp_slope, x=_log1mexp_curvature))


@activation(
    formula=lambda math, x: math.sqrt(math.log1p(math.exp(x))),
    source="Hugging Face transformers, ACT2FN, as sqrtsoftplus",
    range=lambda: (0.0, math.inf),
    ulps=(2.5, 4.0, 8.0),
    elsewhere={"hf:sqrtsoftplus": {}},
)
def sqrt_softplus(x: ArrayLike) -> Array:
    """Square root of the softplus: positive scores that grow slowly.

        sqrt_softplus(x) = sqrt(log(1 + exp(x)))
        sqrt_softplus'(x) = sigmoid(x) / (2 * sqrt_softplus(x))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, positive.

    Accuracy:
        float32: value 2.5, slope 4, curvature 8 ULP, tails included, away from the curvature's own
        root. 16 bits: correctly rounded but for at most 3 of the 65,536 inputs.

    Edges:
        sqrt_softplus(-inf) = 0, sqrt_softplus(inf) = inf, with slope 0. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Hugging Face transformers, ACT2FN, as sqrtsoftplus

    Example:
        >>> jaxact.sqrt_softplus(jnp.array([-2.0, 0.0, 2.0]))
        Array([0.3562696 , 0.83255464, 1.4583992 ], dtype=float32)
    """
    return SQRT_SOFTPLUS(x)


def _root_parts(ops, x):
    """With h = exp(-abs(x) / 2): 2^LIFT h, h^2, log(1 + h^2) / h^2, and the softplus from 0 on."""
    gate = ops.decay(ops.reach(x, 0.5), 0.5)
    lifted, far = gate.lifted * gate.e, ops.absolute(x) > 60
    square = lifted * DROP  # not gate.e^2: compilers may fuse what is added to it, or may not
    logarithm = ops.log1p(lifted, square)
    above = jnp.where(x < 0, 1.0, x + jnp.where(far, 0.0, logarithm * DROP))
    ratio = jnp.where(far, 1.0, logarithm / jnp.where(far, 1.0, lifted))
    return gate.lifted, square, ratio, above


def _sqrt_softplus(ops, x):
    gate = ops.decay(ops.reach(x, 0.5), 0.5)
    lifted = gate.lifted * gate.e
    logarithm = ops.log1p(lifted, lifted * DROP)
    base = jnp.where(x < 0, logarithm, x + jnp.where(x > 60, 0.0, logarithm * DROP))
    y = jnp.sqrt(jnp.where(x < -60, 1.0, base)) * jnp.where(x < 0, DROP**0.5, 1.0)
    return jnp.where(x < -60, gate.lifted * DROP, y)


def _sqrt_softplus_slope(ops, x):
    lifted, square, ratio, above = _root_parts(ops, x)
    top = jnp.where(x < 0, 0.5 * lifted * DROP, 0.5)
    return top / ((1 + square) * jnp.sqrt(jnp.where(x < 0, ratio, above)))


def _sqrt_softplus_curvature(ops, x):
    lifted, square, ratio, above = _root_parts(ops, x)
    near = ops.clamp(x, 0.0, 2.2)
    about_root = -ops.distance(_BEND_ROOT[x.dtype], near) * polynomial(near, *_BEND[x.dtype])
    curvature = jnp.where(x < 2.2, about_root, 2 * square * ops.at_most(above, 200.0) - 1)
    top = jnp.where(x < 0, lifted * (2 * ratio - 1) * DROP, curvature)
    base, q = jnp.where(x < 0, ratio, above), 1 + square
    return 0.25 * top / (q * q * (base * jnp.sqrt(base)))


def _sqrt_softplus_third(ops, x):
    lifted, square, ratio, above = _root_parts(ops, x)
    below, q = x < 0, 1 + square
    base = jnp.where(below, ratio, above)
    twice_slope = jnp.where(below, lifted * DROP, 1.0) / (q * jnp.sqrt(base))
    growth, other = 1 / (q * base), jnp.where(below, 1.0, square) / q
    curvature = jnp.where(below, 0.5, -0.5) * other * (1 - square) / q
    return twice_slope * (curvature - growth * (0.75 * other - 0.375 * growth))


# 2 exp(-x) log(1 + exp(x)) - 1 has this root; and over x - root it is a polynomial, interpolated
# at Chebyshev points for 0 <= x <= 2.2
_BEND_ROOT = {
    jnp.dtype(jnp.float32): (0.9214224815368652, 2.7118495076364117e-08),
    jnp.dtype(jnp.float64): (0.9214225086553604, -3.9798817398527784e-17),
}
_BEND = {
    jnp.dtype(jnp.float32): (
        1.886984411e-6,
        -1.760461643e-5,
        3.887538316e-5,
        0.0001240957676,
        -0.0004390564148,
        -0.001487689165,
        0.004277043333,
        0.02290210676,
        -0.03575199978,
        -0.4192369475,
    ),
    jnp.dtype(jnp.float64): (
        -2.347596223412738e-13,
        4.638899386054808e-12,
        -3.6043900627155805e-11,
        1.066132058789022e-10,
        2.7179187357135964e-10,
        -3.4132629907088877e-09,
        1.1717205353813855e-08,
        -1.5301683675362138e-08,
        3.845372843933872e-09,
        -8.353199098598964e-08,
        3.1744315246257466e-07,
        5.867360936288068e-07,
        -3.2139018677562475e-06,
        -7.830564112267897e-06,
        3.6473580425613844e-05,
        0.00010576966931842596,
        -0.0004076877958348506,
        -0.0015114391109572927,
        0.004286257701866474,
        0.022900394137377978,
        -0.03575188082478279,
        -0.4192369488386096,
    ),
}


@closed(lambda y, x: 0.5 * y * _smooth_rate(x))
def _smooth_sqrt_softplus(x):
    return _sqrt_softplus(XlaOps, x)


@closed(lambda r, x: r * (SmoothOps.sigmoid(-x) - r))
def _smooth_rate(x):
    """sigmoid(x) / softplus(x)."""
    near = XlaOps.at_least(x, -60.0)  # from there on it rounds to 1
    return SmoothOps.sigmoid(near) / _softplus(XlaOps, near, 1.0)


SQRT_SOFTPLUS = Kernel(
    _sqrt_softplus,
    smooth=lambda ops, x: _smooth_sqrt_softplus(x),
    x=Kernel(_sqrt_softplus_slope, x=Kernel(_sqrt_softplus_curvature, x=_sqrt_softplus_third)),
)


@activation(
    formula=lambda math, x: math.log(math.cosh(x)),
    source="elementary; as a loss in common use",
    range=lambda: (0.0, math.inf),
    ulps=(2.0, 2.5, 4.0),
)
def log_cosh(x: ArrayLike) -> Array:
    """Logarithm of the hyperbolic cosine: abs(x) - log(2) with its corner rounded.

        log_cosh(x) = log((exp(x) + exp(-x)) / 2)        log_cosh'(x) = tanh(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, not negative.

    Accuracy:
        float32: value 2, slope 2.5, curvature 4 ULP, tails included. 16 bits: correctly rounded but
        for at most 8 of the 65,536 inputs.

    Edges:
        log_cosh(-inf) = inf, log_cosh(inf) = inf, with slopes -1 and 1. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        elementary; as a loss in common use

    Example:
        >>> jaxact.log_cosh(jnp.array([-2.0, 0.0, 0.5]))
        Array([1.3250028 , 0.        , 0.12011451], dtype=float32)
    """
    return LOG_COSH(x)


def _log_cosh(ops, x):
    a = ops.absolute(x)
    gate = ops.decay(ops.reach(a, 2.0), 2.0)
    far = ops.log1p(gate.lifted, gate.e) * DROP - ops.distance(_LN2[x.dtype], a)
    square = ops.at_most(a, 1.0) * ops.at_most(a, 1.0)
    return jnp.where(a > 0.75, far, square * polynomial(square, *_LOG_COSH[x.dtype]))


_LN2 = {
    jnp.dtype(jnp.float32): (0.6931471824645996, -1.904654299957768e-09),
    jnp.dtype(jnp.float64): (0.6931471805599453, 2.3190468138462996e-17),
}
# log(cosh(x)) / x^2 in powers of x^2, interpolated at Chebyshev points for abs(x) <= 0.755, with
# relative errors of 5e-9 and 3e-18.
_LOG_COSH = {
    jnp.dtype(jnp.float32): (
        -0.000425896919,
        0.0020091108,
        -0.00669636932,
        0.0222157811,
        -0.0833330231,
        0.499999998,
    ),
    jnp.dtype(jnp.float64): (
        1.6862111324443674e-07,
        -1.0789959422922779e-06,
        3.940776156784213e-06,
        -1.1692593810935252e-05,
        3.2675213350561855e-05,
        -9.096100538064107e-05,
        0.00025657512520269553,
        -0.0007386022616611253,
        0.0021869487957576535,
        -0.006746031743172025,
        0.022222222222148567,
        -0.08333333333333258,
        0.5,
    ),
}

LOG_COSH = Kernel(_log_cosh, x=TANH)
