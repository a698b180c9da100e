"""Learned functions that stand in for a normalization."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import Array
from jax.typing import ArrayLike

from .._initializers import Init, initializer
from .._modules import Dtype, per_channel
from ..functions import derf, dyt
from ._module import Module


class PerFeature(Module):
    """Makes scale and bias for each channel of x, beside parameters that all share."""

    axis: int = -1
    _: KW_ONLY
    scale_init: Init = 1.0
    bias_init: Init = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    def _aligned(self, inputs: ArrayLike, **shared: Init) -> list[Array]:
        """The inputs and the parameters, in the dtype and the rank for a function of both."""
        name, x = self._title, self._inputs(inputs, "scale", axis=self.axis)
        features = (x.shape[self.axis],)
        each = {"scale": self.scale_init, "bias": self.bias_init}
        values = [
            self.param(
                called,
                initializer(init, name, f"{called}_init"),
                () if called in shared else features,
                self.param_dtype,
            )
            for called, init in {**shared, **each}.items()
        ]
        if self.dtype is not None:
            x, *values = self.promote_dtype(x, *values, dtype=self.dtype)
        return [x, *(per_channel(name, v, self.axis, x) if v.ndim else v for v in values)]


class DyT(PerFeature):
    """Dynamic tanh: a learned squashing with scale and bias, in place of a normalization.

    Computes `jaxact.dyt(x, alpha, scale, bias)`, that is scale * tanh(alpha * x) + bias, with one
    steepness alpha and a scale and a bias for each channel. It looks at no other element, so it
    needs no statistics and no communication. The parameter `alpha` has shape (), `scale` and `bias`
    have shape (channels,).

    The steepness starts at 0.5.

    Attributes:
        axis: the axis of x that holds the channels.
        alpha_init: the number that the steepness starts at, or an initializer.
        scale_init: likewise, of every scale.
        bias_init: likewise, of every bias.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x and the parameters to `dtype`, where one is given.

    Raises:
        ValueError: if x has no such axis.
        TypeError: if x is complex.

    Source:
        Zhu, Chen, He, LeCun & Liu, CVPR 2025, arXiv:2503.10622

    Example:
        >>> layer, x = jaxact.linen.DyT(), jnp.array([-2.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.76159424,  0.        ,  0.76159424], dtype=float32)
    """

    _: KW_ONLY
    alpha_init: Init = 0.5

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the normalized `inputs`, an array of any shape."""
        return dyt(*self._aligned(inputs, alpha=self.alpha_init))


class Derf(PerFeature):
    """Dynamic erf: a learned squashing with shift, scale and bias, in place of a normalization.

    Computes `jaxact.derf(x, alpha, shift, scale, bias)`, that is scale * erf(alpha * x + shift) +
    bias, with one steepness alpha, one shift, and a scale and a bias for each channel. The
    parameters `alpha` and `shift` have shape (), `scale` and `bias` have shape (channels,).

    The steepness starts at 0.5, as in the paper, the shift at 0.

    Attributes:
        axis: the axis of x that holds the channels.
        alpha_init: the number that the steepness starts at, or an initializer.
        shift_init: likewise, of the shift.
        scale_init: likewise, of every scale.
        bias_init: likewise, of every bias.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x and the parameters to `dtype`, where one is given.

    Raises:
        ValueError: if x has no such axis.
        TypeError: if x is complex.

    Source:
        Chen, Lu, Zhu, Sun & Liu, arXiv:2512.10938

    Example:
        >>> layer, x = jaxact.linen.Derf(), jnp.array([-2.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.8427008,  0.       ,  0.8427008], dtype=float32)
    """

    _: KW_ONLY
    alpha_init: Init = 0.5
    shift_init: Init = 0.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the normalized `inputs`, an array of any shape."""
        return derf(*self._aligned(inputs, alpha=self.alpha_init, shift=self.shift_init))
