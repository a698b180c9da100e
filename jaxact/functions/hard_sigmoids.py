"""Sigmoids of straight lines, saturated from their kinks on."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import require_ordered
from .._arithmetic import is_short
from .._catalog import activation
from .._derivatives import FromMask, FromOutput, Kernel


@activation(
    formula=lambda math, x: math.where(x <= -3, 0 * x, math.where(x >= 3, 0 * x + 1, (x + 3) / 6)),
    source="Courbariaux et al., arXiv:1511.00363, with other constants; with these Howard et al., "
    "ICCV 2019, arXiv:1905.02244, section 5.2",
    kinks=lambda: {-3.0: 0.0, 3.0: 0.0},
    range=lambda: (0.0, 1.0),
    ulps=(1.5, 0.5, 0.0),
    elsewhere={"torch:hardsigmoid": {}, "keras:hard_sigmoid": {}},
)
def hard_sigmoid(x: ArrayLike) -> Array:
    """Hard sigmoid: three straight lines in place of the logistic curve.

        hard_sigmoid(x) = min(max(0, x + 3), 6) / 6
        hard_sigmoid'(x) = 1/6 if -3 < x < 3, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 1.

    Accuracy:
        float32: value 1.5 ULP, slope half an ULP. 16 bits: correctly rounded.

    Edges:
        The slope at -3 and 3 is 0. hard_sigmoid(-inf) = 0, hard_sigmoid(inf) = 1. NaN gives NaN,
        with slope 0. (ONNX's default is a slope of 0.2.)

    Raises:
        TypeError: if `x` is complex.

    Source:
        Courbariaux et al., arXiv:1511.00363, with other constants; with these Howard et al., ICCV
        2019, arXiv:1905.02244, section 5.2

    Example:
        >>> jaxact.hard_sigmoid(jnp.array([-4.0, 0.0, 1.5]))
        Array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return HARD_SIGMOID(x)


def _hard_sigmoid(ops, x):
    return ops.clamp(x + 3, 0.0, 6.0) * (1 / 6)


def _hard_sigmoid_slope(ops, x):
    return jnp.where(ops.absolute(x) < 3, 1 / 6, 0.0)


HARD_SIGMOID = Kernel(
    _hard_sigmoid,
    x=_hard_sigmoid_slope,
    # Not from the output: just below 3 it rounds to 1, while the slope is still 1/6.
    mask=FromMask(lambda ops, x: jnp.abs(x) < 3, lambda ops, mask: jnp.where(mask, 1 / 6, 0.0)),
)


@activation(
    formula=lambda math, x, min_value=-1.0, max_value=1.0: math.where(
        x > max_value, 0 * x + max_value, math.where(x < min_value, 0 * x + min_value, x)
    ),
    source="elementary; often credited to Collobert, thesis, 2004",
    samples=({}, {"min_value": -2.5, "max_value": 0.7}),
    kinks=lambda min_value=-1.0, max_value=1.0: {min_value: 1.0, max_value: 1.0},
    range=lambda min_value=-1.0, max_value=1.0: (min_value, max_value),
    ulps=(0.5, 0.0, 0.0),
    elsewhere={"torch:hardtanh": {}, "keras:hard_tanh": {}},
)
def hard_tanh(x: ArrayLike, min_value: ArrayLike = -1.0, max_value: ArrayLike = 1.0) -> Array:
    """Hard tanh: the identity, cut off at both ends.

        hard_tanh(x) = min(max(min_value, x), max_value)
        hard_tanh'(x) = 1 if min_value <= x <= max_value, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers stay integers if the bounds are
            whole numbers, else they become the default float.
        min_value: the lowest output; a number, or an array that broadcasts against x.
        max_value: the highest output; likewise.

    Returns:
        Array of the shape of `x` (and the bounds, broadcast) and of the dtype of `x`.

    Accuracy:
        Exact but for the rounding of the bounds to the dtype of `x`, half an ULP at most.

    Edges:
        The slope at both bounds is 1 (torch: 0). hard_tanh(-inf) = min_value,
        hard_tanh(inf) = max_value. NaN gives NaN, with slope 1.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if the bounds are numbers and min_value > max_value, or if one does not
            broadcast.

    Source:
        elementary; often credited to Collobert, thesis, 2004

    Example:
        >>> jaxact.hard_tanh(jnp.array([-3.0, 0.5, 2.0]))
        Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    require_ordered("jaxact.hard_tanh", ("min_value", min_value), ("max_value", max_value))
    return HARD_TANH(x, min_value, max_value)


def _hard_tanh(ops, x, min_value, max_value):
    return jnp.where(x > max_value, max_value, jnp.where(x < min_value, min_value, x))


def _is_cut(ops, x, min_value, max_value):
    return (x > max_value) | (x < min_value)


def _hard_tanh_slope(ops, x, min_value, max_value):
    return jnp.where(_is_cut(ops, x, min_value, max_value), 0.0, 1.0)


def _hard_tanh_slope_from_output(ops, y, min_value, max_value):
    # An output on a bound does not tell whether x was there or beyond: the slope is 0 on it.
    return jnp.where((y > min_value) & (y < max_value), 1.0, 0.0)


HARD_TANH = Kernel(
    _hard_tanh,
    x=_hard_tanh_slope,
    min_value=lambda ops, x, min_value, max_value: jnp.where(x < min_value, 1.0, 0.0),
    max_value=lambda ops, x, min_value, max_value: jnp.where(x > max_value, 1.0, 0.0),
    output=FromOutput(_hard_tanh_slope_from_output, holds=lambda low, high: True),
    mask=FromMask(_is_cut, lambda ops, cut, min_value, max_value: jnp.where(cut, 0.0, 1.0)),
    exact=is_short,
    integers=True,
)


@activation(
    formula=lambda math, x: math.where(x <= -1, 0 * x, math.where(x >= 1, 0 * x + 1, (x + 1) / 2)),
    source="jax.nn.sparse_sigmoid, after arXiv:1901.02324, section 6.2; Martins & Astudillo, "
    "ICML 2016, arXiv:1602.02068",
    kinks=lambda: {-1.0: 0.25, 1.0: 0.25},
    range=lambda: (0.0, 1.0),
    ulps=(0.5, 0.0, 0.0),
    elsewhere={"keras:sparse_sigmoid": {}},
)
def sparse_sigmoid(x: ArrayLike) -> Array:
    """Sparse sigmoid: the slope of `sparse_plus`, and sparsemax of two entries.

        sparse_sigmoid(x) = min(max(0, (x + 1) / 2), 1)
        sparse_sigmoid'(x) = 1/2 if -1 < x < 1, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 1.

    Accuracy:
        float32: value half an ULP, slope exact. 16 bits: correctly rounded.

    Edges:
        The slope at -1 and 1 is 1/4, as in jax.nn. sparse_sigmoid(-inf) = 0,
        sparse_sigmoid(inf) = 1. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.

    Source:
        jax.nn.sparse_sigmoid, after arXiv:1901.02324, section 6.2; Martins & Astudillo, ICML 2016,
        arXiv:1602.02068

    Example:
        >>> jaxact.sparse_sigmoid(jnp.array([-2.0, 0.0, 0.5]))
        Array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return SPARSE_SIGMOID(x)


def _sparse_sigmoid(ops, x):
    return ops.clamp(x, -1.0, 1.0) * 0.5 + 0.5


def _quarters(ops, x):
    """The slope in quarters: 0 outside, 1 on the kinks, 2 inside."""
    a = jnp.abs(x)
    return (a < 1).astype(jnp.uint8) + (a <= 1).astype(jnp.uint8)


def _from_quarters(ops, quarters):
    return jnp.where(quarters == 2, 0.5, jnp.where(quarters == 1, 0.25, 0.0))


SPARSE_SIGMOID = Kernel(
    _sparse_sigmoid,
    x=lambda ops, x: _from_quarters(ops, _quarters(ops, x)),
    mask=FromMask(_quarters, _from_quarters),
)
