"""Activations made of an inverse square root, and of no exponential.

With s = 1 + alpha x^2:

    isru            x / sqrt(s)             slope  s^(-3/2)           curvature  -3 alpha x s^(-5/2)
    bent_identity   (sqrt(s) - 1) / 2 + x   slope  1 + isru(x) / 2    curvature  s^(-3/2) / 2
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._catalog import activation
from .._derivatives import FromOutput, Kernel


@activation(
    formula=lambda math, x, alpha=1.0: x / math.sqrt(1 + alpha * x * x),
    source="Carlile, Delamarter, Kinney, Marti & Whitney, arXiv:1710.09967, section 4",
    samples=({"alpha": 1.0}, {"alpha": 0.3}, {"alpha": 3.0}),
    range=lambda alpha=1.0: (-1 / math.sqrt(alpha), 1 / math.sqrt(alpha)),
    ulps=(3.5, 5.5, 8.5),
)
def isru(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Inverse square root unit: levels off like tanh, without an exponential.

        isru(x) = x / sqrt(1 + alpha * x^2)        isru'(x) = (1 + alpha * x^2)^(-3/2)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: how soon it levels off, positive: the limits are -1 / sqrt(alpha) and
            1 / sqrt(alpha); a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 5.5, curvature 8.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 8 of the 65,536 inputs.

    Edges:
        isru(-inf) = -1 / sqrt(alpha), isru(inf) = 1 / sqrt(alpha), with slope 0. NaN gives NaN,
        with slope NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` is a number and not positive, or does not broadcast against `x`.

    Source:
        Carlile, Delamarter, Kinney, Marti & Whitney, arXiv:1710.09967, section 4

    Example:
        >>> jaxact.isru(jnp.array([-2.0, 0.0, 0.75]))
        Array([-0.8944272,  0.       ,  0.6      ], dtype=float32)
    """
    if is_number(alpha):
        require(alpha > 0, "jaxact.isru", "alpha", alpha, "be positive")
    return ISRU(x, alpha)


def _far(x) -> float:
    """A bound whose square is far from overflowing; beyond it the bounded parts do not change."""
    return 2.0 ** (jnp.finfo(x.dtype).maxexp // 2 - 4)


def _square_plus_one(x, alpha):
    """1 + alpha x^2, where the square may overflow: then its inverse is 0."""
    return 1 + alpha * (x * x)


def _above_one(ops, x, alpha):
    """The same, but more than 1: on which side of ties of 16 bits results lie must not be lost."""
    return ops.rounded_to_at_least(_square_plus_one(x, alpha), 1 + float(jnp.finfo(x.dtype).eps))


def _isru(ops, x, alpha):
    near = ops.clamp(x, -_far(x), _far(x))
    y = near / jnp.sqrt(_square_plus_one(near, alpha))
    limit = 1 / (math.sqrt(alpha) if isinstance(alpha, float) else jnp.sqrt(alpha))
    return ops.clamp(y, -limit, limit)  # rounding may lead beyond


def _isru_slope(ops, x, alpha):
    s = _square_plus_one(x, alpha)
    return 1 / (s * jnp.sqrt(s))


def _isru_curvature(ops, x, alpha):
    near = ops.clamp(x, -_far(x), _far(x))
    inverse = 1 / _above_one(ops, x, alpha)
    return -3 * alpha * (near * inverse) * (inverse * jnp.sqrt(inverse))


def _isru_third(ops, x, alpha):
    s = _square_plus_one(x, alpha)
    inverse = 1 / s
    return 3 * alpha * inverse * (inverse * jnp.sqrt(inverse)) * (4 - 5 * inverse)


def _isru_by_alpha(ops, x, alpha):
    return -0.5 * _isru_square(ops, x, alpha) * _isru(ops, x, alpha)


def _isru_by_alpha_twice(ops, x, alpha):
    square = _isru_square(ops, x, alpha)
    return 0.75 * (square * square) * _isru(ops, x, alpha)


def _isru_square(ops, x, alpha):
    """The square of the value, rounded three times where a product of values is rounded seven."""
    near = ops.clamp(x, -_far(x), _far(x))
    return near * near / _above_one(ops, near, alpha)


def _isru_slope_by_alpha(ops, x, alpha):
    near = ops.clamp(x, -_far(x), _far(x))
    inverse = 1 / _above_one(ops, near, alpha)
    ratio = near * inverse
    return (-1.5 * ratio) * jnp.sqrt(inverse) * ratio


def _isru_slope_from_output(ops, y, alpha):
    rest = 1 - alpha * y * y  # 1 / (1 + alpha x^2)
    return rest * ops.root(rest)


ISRU = Kernel(
    _isru,
    x=Kernel(_isru_slope, x=Kernel(_isru_curvature, x=_isru_third), alpha=_isru_slope_by_alpha),
    alpha=Kernel(_isru_by_alpha, x=_isru_slope_by_alpha, alpha=_isru_by_alpha_twice),
    output=FromOutput(_isru_slope_from_output),
)


@activation(
    formula=lambda math, x, alpha=1.0: math.where(x >= 0, x, x / math.sqrt(1 + alpha * x * x)),
    source="Carlile, Delamarter, Kinney, Marti & Whitney, arXiv:1710.09967, section 3",
    samples=({"alpha": 1.0}, {"alpha": 3.0}),
    kinks=lambda alpha=1.0: {0.0: 1.0},
    range=lambda alpha=1.0: (-1 / math.sqrt(alpha), math.inf),
    ulps=(3.0, 4.5, 7.5),
)
def isrlu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Inverse square root linear unit: like `elu` without an exponential; curvature continuous.

        isrlu(x) = x if x >= 0, else x / sqrt(1 + alpha * x^2)
        isrlu'(x) = 1 if x >= 0, else (1 + alpha * x^2)^(-3/2)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        alpha: how soon it levels off below zero, positive: the limit is -1 / sqrt(alpha); a number,
            or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `alpha`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3, slope 4.5, curvature 7.5 ULP, tails included. 16 bits: correctly rounded
        but for at most 4 of the 65,536 inputs.

    Edges:
        Slope and curvature at 0 are 1 and 0, from both sides; the third derivative jumps there.
        isrlu(-inf) = -1 / sqrt(alpha), with slope 0; isrlu(inf) = inf. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `alpha` is a number and not positive, or does not broadcast against `x`.

    Source:
        Carlile, Delamarter, Kinney, Marti & Whitney, arXiv:1710.09967, section 3

    Example:
        >>> jaxact.isrlu(jnp.array([-0.75, 0.0, 2.0]))
        Array([-0.6,  0. ,  2. ], dtype=float32)
    """
    if is_number(alpha):
        require(alpha > 0, "jaxact.isrlu", "alpha", alpha, "be positive")
    return ISRLU(x, alpha)


def _isrlu(ops, x, alpha):
    return jnp.where(x >= 0, x, _isru(ops, x, alpha))


def _isrlu_slope(ops, x, alpha):
    return jnp.where(x >= 0, 1.0, _isru_slope(ops, x, alpha))


def _isrlu_curvature(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _isru_curvature(ops, x, alpha))


def _isrlu_third(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _isru_third(ops, x, alpha))


def _isrlu_by_alpha(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _isru_by_alpha(ops, x, alpha))


def _isrlu_by_alpha_twice(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _isru_by_alpha_twice(ops, x, alpha))


def _isrlu_slope_by_alpha(ops, x, alpha):
    return jnp.where(x >= 0, 0.0, _isru_slope_by_alpha(ops, x, alpha))


ISRLU = Kernel(
    _isrlu,
    x=Kernel(_isrlu_slope, x=Kernel(_isrlu_curvature, x=_isrlu_third), alpha=_isrlu_slope_by_alpha),
    alpha=Kernel(_isrlu_by_alpha, x=_isrlu_slope_by_alpha, alpha=_isrlu_by_alpha_twice),
    output=FromOutput(
        lambda ops, y, alpha: _isru_slope_from_output(ops, ops.at_most(y, 0.0), alpha)
    ),
)


@activation(
    formula=lambda math, x: (math.sqrt(x * x + 1) - 1) / 2 + x,
    source="common use; listed by Kunc & Klema, arXiv:2402.09092",
    ulps=(3.0, 2.0, 4.0),
)
def bent_identity(x: ArrayLike) -> Array:
    """Bent identity: two lines, of slope 1/2 and 3/2, joined smoothly at zero.

        bent_identity(x) = (sqrt(x^2 + 1) - 1) / 2 + x
        bent_identity'(x) = 1 + x / (2 * sqrt(x^2 + 1))

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3, slope 2, curvature 4 ULP. 16 bits: correctly rounded but for at most 4 of
        the 65,536 inputs.

    Edges:
        bent_identity(-inf) = -inf, bent_identity(inf) = inf, with slopes 1/2 and 3/2. NaN gives
        NaN, with slope NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        common use; listed by Kunc & Klema, arXiv:2402.09092

    Example:
        >>> jaxact.bent_identity(jnp.array([-0.75, 0.0, 0.75]))
        Array([-0.625,  0.   ,  0.875], dtype=float32)
    """
    return BENT_IDENTITY(x)


def _bent_identity(ops, x):
    a = ops.absolute(ops.clamp(x, -_far(x), _far(x)))
    r, far = jnp.sqrt(a * a + 1), (a > 16) & (a < 2.0**22)
    rest = jnp.where(far, 1.0, ops.with_sign(a, x)) / (r + jnp.where(far, a, 1.0))
    # Beside zero (r - 1) / x = x / (r + 1) does not cancel. Far out r - 1 is a but for the last
    # place, and that is all that tells on which side of a tie of 16 bits the result lies.
    close = x * ops.at_most(1 + 0.5 * rest, 1.5 - float(jnp.finfo(x.dtype).eps))
    return jnp.where(far, (x + 0.5 * a - 0.5) + 0.5 * rest, close)


def _bent_identity_slope(ops, x):
    return 1 + 0.5 * _isru(ops, x, 1.0)


def _bent_identity_curvature(ops, x):
    return 0.5 * _isru_slope(ops, x, 1.0)


def _bent_identity_third(ops, x):
    return 0.5 * _isru_curvature(ops, x, 1.0)


BENT_IDENTITY = Kernel(
    _bent_identity,
    x=Kernel(_bent_identity_slope, x=Kernel(_bent_identity_curvature, x=_bent_identity_third)),
)
