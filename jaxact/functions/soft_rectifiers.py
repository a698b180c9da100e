"""Soft rectifiers: ReLU with its corner rounded, and what mirrors it."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, polynomial
from .._catalog import activation
from .._derivatives import FromOutput, Kernel
from .sigmoids import TANH


@activation(
    formula=lambda m, x, beta=1.0: m.log1p(m.exp(beta * x)) / beta,
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


def _softplus(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    return m.at_least(x, 0.0) + _over(m.log1p(gate.lifted, gate.e), beta) * DROP


def _over(y, beta):
    """y / beta; in float32 by both parts of 1 / beta, if it is a number: float32 would round it."""
    if not is_number(beta) or y.dtype == jnp.float64:
        return y / beta
    high = float(np.float32(1 / beta))
    low = 1 / beta - high
    return y * high + y * low if low else y * high


def _softplus_slope(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    return jnp.where(beta * x >= 0, 1.0, gate.lifted * DROP) / (1 + gate.e)


def _bell(gate):
    """2^LIFT times the slope of the sigmoid."""
    q = 1 + gate.e
    return gate.lifted / (q * q)


def _softplus_curvature(m, x, beta):
    return beta * _bell(m.decay(m.reach(x, beta), beta)) * DROP


def _entropy(m, gate):
    """2^LIFT times the entropy of a sigmoid: a sum without cancellation."""
    return m.log1p(gate.lifted, gate.e) + gate.a * (gate.lifted / (1 + gate.e))


def _softplus_by_beta(m, x, beta):
    return -_entropy(m, m.decay(m.reach(x, beta), beta)) / (beta * beta) * DROP


def _softplus_slope_by_beta(m, x, beta):
    near = m.reach(x, beta)
    return near * _bell(m.decay(near, beta)) * DROP


def _softplus_by_beta_twice(m, x, beta):
    gate = m.decay(m.reach(x, beta), beta)
    bend = gate.a * (gate.a * _bell(gate)) + 2 * _entropy(m, gate)
    return bend / (beta * (beta * beta)) * DROP


SOFTPLUS = Kernel(
    _softplus,
    x=Kernel(_softplus_slope, x=_softplus_curvature, beta=_softplus_slope_by_beta),
    beta=Kernel(_softplus_by_beta, x=_softplus_slope_by_beta, beta=_softplus_by_beta_twice),
    output=FromOutput(lambda m, y, beta: -m.expm1(m.clamp(-beta * y, m.lowest(y), 0.0))),
)


@activation(
    formula=lambda m, x: -m.log1p(m.exp(-x)),
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


def _log_sigmoid(m, x):
    gate = m.decay(m.reach(x))
    return m.at_most(x, -0.0) - m.log1p(gate.lifted, gate.e) * DROP


def _log_sigmoid_slope(m, x):
    return _softplus_slope(m, -x, 1.0)


def _log_sigmoid_curvature(m, x):
    return -_softplus_curvature(m, x, 1.0)


LOG_SIGMOID = Kernel(
    _log_sigmoid,
    x=Kernel(_log_sigmoid_slope, x=_log_sigmoid_curvature),
    output=FromOutput(lambda m, y: -m.expm1(m.clamp(y, m.lowest(y), 0.0))),
)


@activation(
    formula=lambda m, x: m.log(1 - m.exp(-x)),
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


def _log1mexp(m, x):
    lifted, minus = m.exp_and_expm1(-m.at_most(x, -m.lowest(x, lift=LIFT)), lift=LIFT)
    # In float64 XLA's log1p is off by 128 ULP near -0.4, and its expm1 by 3.
    e = lifted * DROP
    near = jnp.log(jnp.where(x > 0.4, 1 - e, -minus))
    y = jnp.where(x > 1.25, jnp.log1p(-e), near)
    # XLA's logarithm sets every bit of a NaN, which rounding to 16 bits would carry over to 0.
    return jnp.where(x >= 0, y, jnp.nan)


def _odds(m, x):
    """exp(-x) / (1 - exp(-x)) and 1 - exp(-x); NaN where x < 0."""
    lifted, minus = m.exp_and_expm1(-m.at_most(x, -m.lowest(x, lift=LIFT)), lift=LIFT)
    rest = jnp.where(x < 0, jnp.nan, jnp.abs(minus))
    return jnp.where(x > 1, lifted / rest * DROP, lifted * DROP / rest), rest


def _log1mexp_slope(m, x):
    return _odds(m, x)[0]


def _log1mexp_curvature(m, x):
    odds, rest = _odds(m, x)
    return -odds / rest


LOG1MEXP = Kernel(_log1mexp, x=Kernel(_log1mexp_slope, x=_log1mexp_curvature))


@activation(
    formula=lambda m, x, b=4.0: (x + m.sqrt(x * x + b)) / 2,
    source="Barron, arXiv:2112.11687, equation 3",
    samples=({"b": 4.0}, {"b": 0.01}, {"b": 100.0}),
    range=lambda b=4.0: (0.0, math.inf),
    ulps=(3.0, 5.0, 6.0),
    elsewhere={"keras:squareplus": {}},
)
def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """Squareplus: a smooth rectifier without an exponential.

        squareplus(x) = (x + sqrt(x^2 + b)) / 2
        squareplus'(x) = (1 + x / sqrt(x^2 + b)) / 2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        b: the width of the rounded corner squared, not negative; a number, or an array that
            broadcasts against x. squareplus(0) = sqrt(b) / 2.

    Returns:
        Array of the shape of `x` (and `b`, broadcast) and of the float dtype of `x`, positive.

    Accuracy:
        float32: value 3, slope 5, curvature 6 ULP, tails included. 16 bits: correctly rounded but
        for at most 9 of the 65,536 inputs.

    Edges:
        squareplus(-inf) = 0, squareplus(inf) = inf, with slopes 0 and 1. NaN gives NaN, with
        slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `b` is a negative number, or does not broadcast against `x`.

    Source:
        Barron, arXiv:2112.11687, equation 3

    Example:
        >>> jaxact.squareplus(jnp.array([-1.5, 0.0, 1.5]))
        Array([0.5, 1. , 2. ], dtype=float32)
    """
    if is_number(b):
        require(b >= 0, "jaxact.squareplus", "b", b, "be 0 or more")
    return SQUAREPLUS(x, b)


def _hypotenuse(m, a, b):
    """sqrt(a^2 + b), also where the square overflows; and from where on it is a."""
    far = 2.0 ** (jnp.finfo(a.dtype).maxexp // 2 - 4)
    near = m.at_most(a, far)
    r = jnp.sqrt(near * near + b)
    return jnp.where(r < a, a, r), far


def _squareplus(m, x, b):
    # (r + x) / 2 cancels below zero; (r - a) (r + a) = b does not
    a = m.absolute(x)
    r, far = _hypotenuse(m, a, b)
    twice = jnp.where(a > far, a, r + a)
    half = jnp.where(a > far, 0.25 * b, jnp.where(twice > 0, 0.5 * b, 0.0))
    return m.at_least(x, 0.0) + half / jnp.where(twice > 0, twice, 1.0)


_DOWN = 2.0**-32  # keeps the products below from overflowing where the quotient is normal


def _squareplus_slope(m, x, b):
    a = m.absolute(x)
    r = _hypotenuse(m, a, b)[0] * _DOWN
    t = (0.5 * _DOWN * _DOWN) * b / (r * (r + a * _DOWN))
    return jnp.where(x > 0, 1 - t, t)


def _squareplus_curvature(m, x, b):
    r = _hypotenuse(m, m.absolute(x), b)[0] * _DOWN**0.5
    return (0.5 * _DOWN**1.5) * b / (r * (r * r))


def _squareplus_third(m, x, b):
    q = 1 / _hypotenuse(m, m.absolute(x), b)[0]
    return -1.5 * b * (q * q) * (q * q) * m.clamp(x * q, -1.0, 1.0)


def _squareplus_by_b(m, x, b):
    return 0.25 / _hypotenuse(m, m.absolute(x), b)[0]


def _squareplus_slope_by_b(m, x, b):
    r = _hypotenuse(m, m.absolute(x), b)[0]
    return -0.25 * (m.clamp(x / r, -1.0, 1.0) / r / r)


SQUAREPLUS = Kernel(
    _squareplus,
    x=Kernel(
        _squareplus_slope,
        x=Kernel(_squareplus_curvature, x=_squareplus_third),
        b=_squareplus_slope_by_b,
    ),
    b=Kernel(_squareplus_by_b, x=_squareplus_slope_by_b),
    # y = (x + r) / 2 and b = 4 y (y - x), so y / r = y^2 / (y^2 + b / 4)
    output=FromOutput(lambda m, y, b: 1 / (1 + (b / 4) / (y * y))),
)


@activation(
    formula=lambda m, x: m.where(x <= -1, 0 * x, m.where(x >= 1, x, (x + 1) ** 2 / 4)),
    source="jax.nn.sparse_plus; after Martins & Astudillo, ICML 2016, arXiv:1602.02068",
    kinks=lambda: {-1.0: 0.0, 1.0: 1.0},
    range=lambda: (0.0, math.inf),
    ulps=(2.0, 0.5, 0.0),
    elsewhere={"keras:sparse_plus": {}},
)
def sparse_plus(x: ArrayLike) -> Array:
    """Sparse plus: a rectifier whose corner is a parabola, exactly zero below -1.

        sparse_plus(x) = 0 if x <= -1, (x + 1)^2 / 4 if -1 < x < 1, x if x >= 1
        sparse_plus'(x) = sparse_sigmoid(x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, not negative.

    Accuracy:
        float32: value 2 ULP, slope half an ULP, curvature exact. 16 bits: correctly rounded but for
        at most 2 of the 65,536 inputs.

    Edges:
        The slope is continuous; the curvature at -1 and 1 is 0. sparse_plus(-inf) = 0,
        sparse_plus(inf) = inf, with slopes 0 and 1. NaN gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        jax.nn.sparse_plus; after Martins & Astudillo, ICML 2016, arXiv:1602.02068

    Example:
        >>> jaxact.sparse_plus(jnp.array([-2.0, 0.0, 3.0]))
        Array([0.  , 0.25, 3.  ], dtype=float32)
    """
    return SPARSE_PLUS(x)


def _sparse_plus(m, x):
    t = m.clamp(x, -1.0, 1.0) + 1
    return jnp.where(x > 1, x, 0.25 * (t * t))


def _sparse_plus_slope(m, x):
    return m.clamp(x, -1.0, 1.0) * 0.5 + 0.5


def _sparse_plus_curvature(m, x):
    return jnp.where(m.absolute(x) < 1, 0.5, 0.0)


SPARSE_PLUS = Kernel(
    _sparse_plus,
    x=Kernel(_sparse_plus_slope, x=_sparse_plus_curvature),
    output=FromOutput(lambda m, y: m.root(m.at_most(y, 1.0))),
)


@activation(
    formula=lambda m, x: m.log(m.cosh(x)),
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


def _log_cosh(m, x):
    a = m.absolute(x)
    gate = m.decay(m.reach(a, 2.0), 2.0)
    far = m.log1p(gate.lifted, gate.e) * DROP - m.distance(_LN2[x.dtype], a)
    square = m.at_most(a, 1.0) * m.at_most(a, 1.0)
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
