"""Rectifiers that use both signs: halves and channels in which the negative part passes."""

import functools
import math

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import axis_index, real
from .._catalog import activation
from .._derivatives import Kernel, scale_tangent
from .._opaque_call import opaque_call
from .._plain import custom_jvp
from .._trace_names import jitted


@activation(
    formula=lambda math, xs: (
        [math.where(x > 0, x, 0 * x) for x in xs] + [math.where(x < 0, -x, 0 * x) for x in xs]
    ),
    source="Shang, Sohn, Almeida & Lee, ICML 2016, arXiv:1603.05201",
    kind="axis",
    kinks=lambda: {0.0: 0.0},
    range=lambda: (0.0, math.inf),
)
def crelu(x: ArrayLike, axis: int = -1) -> Array:
    """Concatenated rectified linear unit: the positive part, and beside it the negative part.

        crelu(x) = [relu(x), relu(-x)]

    Args:
        x: pre-activations of any shape but a scalar, and of any real dtype; integers become the
            default float.
        axis: the axis along which the two parts are put together.

    Returns:
        Array of the float dtype of `x`, with twice the features along `axis`.

    Accuracy:
        Exact in every dtype. Reverse mode keeps the signs, a byte per element.

    Edges:
        The slope at 0 is 0. NaN gives NaN in both parts, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Source:
        Shang, Sohn, Almeida & Lee, ICML 2016, arXiv:1603.05201

    Example:
        >>> jaxact.crelu(jnp.array([-2.0, 0.0, 3.0]))
        Array([0., 0., 3., 2., 0., 0.], dtype=float32)
    """
    x = real(x, "crelu")
    return _crelu(axis_index("crelu", axis, x.ndim), x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _both_parts(axis: int, x: Array) -> Array:
    zero = jnp.zeros_like(x)
    return jnp.concatenate([jnp.where(x <= 0, zero, x), jnp.where(x >= 0, zero, -x)], axis)


@_both_parts.defjvp
def _both_parts_jvp(axis: int, primals, tangents):
    (x,), (t,) = primals, tangents
    sign = (x > 0).astype(jnp.int8) - (x < 0).astype(jnp.int8)
    parts = [scale_tangent(slope, (), (sign,), (), t, x.dtype) for slope in (_RISING, _FALLING)]
    return opaque_call(_both_parts, (axis,), x), jnp.concatenate(parts, axis)


def _slope_of_positive_part(ops, sign):
    return jnp.where(sign > 0, 1.0, 0.0)


def _slope_of_negative_part(ops, sign):
    return jnp.where(sign < 0, -1.0, 0.0)


_RISING, _FALLING = Kernel(_slope_of_positive_part), Kernel(_slope_of_negative_part)
_crelu = jitted(0, name="crelu")(_both_parts)


@activation(
    formula=lambda math, xs: [
        math.where(x < 0, x, 0 * x) if i % 2 else math.where(x > 0, x, 0 * x)
        for i, x in enumerate(xs)
    ],
    source="Eidnes & Nøkland, arXiv:1709.04054",
    kind="axis",
    kinks=lambda: {0.0: 0.0},
)
def brelu(x: ArrayLike, axis: int = -1) -> Array:
    """Bipolar rectified linear unit: every other channel passes its negative part instead.

        brelu(x)[i] = max(0, x[i]) for even i, min(0, x[i]) for odd i

    So the mean of the output is nearer to 0 than that of relu.

    Args:
        x: pre-activations of any shape but a scalar, and of any real dtype; integers become the
            default float.
        axis: the axis that holds the channels.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Exact in every dtype. Reverse mode keeps the output only.

    Edges:
        The slope at 0 is 0. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Source:
        Eidnes & Nøkland, arXiv:1709.04054

    Example:
        >>> jaxact.brelu(jnp.array([-2.0, -2.0, 3.0, 3.0]))
        Array([ 0., -2.,  3.,  0.], dtype=float32)
    """
    x = real(x, "brelu")
    return _brelu(axis_index("brelu", axis, x.ndim), x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _alternating_parts(axis: int, x: Array) -> Array:
    shape = tuple(size if i == axis else 1 for i, size in enumerate(x.shape))
    sign = 1 - 2 * (lax.broadcasted_iota(jnp.int32, shape, axis) % 2)
    return jnp.where(sign.astype(x.dtype) * x <= 0, jnp.zeros_like(x), x)


@_alternating_parts.defjvp
def _alternating_parts_jvp(axis: int, primals, tangents):
    (x,), (t,) = primals, tangents
    y = opaque_call(_alternating_parts, (axis,), x)
    return y, scale_tangent(_PASSING, (), (y,), (), t, y.dtype)


def _slope_of_alternating_parts(ops, y):
    return jnp.where(jnp.abs(y) > 0, 1.0, 0.0)


_PASSING = Kernel(_slope_of_alternating_parts)
_brelu = jitted(0, name="brelu")(_alternating_parts)
