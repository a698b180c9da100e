"""Learned functions that stand in for a normalization."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._domains import checked
from .._initializers import Init
from .._modules import Dtype, Features
from ..functions import derf, dyt
from ._per_channel import PerChannel


class DyT(PerChannel):
    """Dynamic tanh: a learned squashing with scale and bias, in place of a normalization.

    Computes `jaxact.dyt(x, alpha, scale, bias)`, that is scale * tanh(alpha * x) + bias, with one
    steepness alpha and a scale and a bias for each channel. It looks at no other element, so it
    needs no statistics and no communication.

    The steepness starts at 0.5.

    Args:
        num_features: the number of channels of x.
        axis: the axis of x that holds the channels.
        alpha_init: the number that the steepness starts at, or an initializer.
        scale_init: likewise, of every scale.
        bias_init: likewise, of every bias.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, alpha, scale, bias)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        alpha_metadata: metadata of `alpha`, such as its sharding.
        scale_metadata: metadata of `scale`.
        bias_metadata: metadata of `bias`.

    Attributes:
        alpha: `nnx.Param` of shape ().
        scale: `nnx.Param` of shape (num_features,).
        bias: likewise.

    Raises:
        ValueError: if num_features < 1, or for an initializer without `rngs`; when called, if x has
            no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Zhu, Chen, He, LeCun & Liu, CVPR 2025, arXiv:2503.10622

    Example:
        >>> layer = jaxact.nnx.DyT(3)
        >>> layer(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.76159424,  0.        ,  0.76159424], dtype=float32)
    """

    _called = "num_features"

    @checked("nnx.DyT")
    def __init__(
        self,
        num_features: Features,
        *,
        axis: int = -1,
        alpha_init: Init = 0.5,
        scale_init: Init = 1.0,
        bias_init: Init = 0.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        alpha_metadata: Mapping[str, Any] = MappingProxyType({}),
        scale_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_features, axis, dtype, param_dtype, promote_dtype)
        self.alpha = self._parameter("alpha", alpha_init, alpha_metadata, rngs, shared=True)
        self.scale = self._parameter("scale", scale_init, scale_metadata, rngs)
        self.bias = self._parameter("bias", bias_init, bias_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the normalized `inputs`, an array of any shape."""
        return dyt(*self._aligned(inputs, self.alpha, self.scale, self.bias))


class Derf(PerChannel):
    """Dynamic erf: a learned squashing with shift, scale and bias, in place of a normalization.

    Computes `jaxact.derf(x, alpha, shift, scale, bias)`, that is scale * erf(alpha * x + shift) +
    bias, with one steepness alpha, one shift, and a scale and a bias for each channel.

    The steepness starts at 0.5, as in the paper, the shift at 0.

    Args:
        num_features: the number of channels of x.
        axis: the axis of x that holds the channels.
        alpha_init: the number that the steepness starts at, or an initializer.
        shift_init: likewise, of the shift.
        scale_init: likewise, of every scale.
        bias_init: likewise, of every bias.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, alpha, shift, scale, bias)` to `dtype`, where one is
            given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        alpha_metadata: metadata of `alpha`, such as its sharding.
        shift_metadata: metadata of `shift`.
        scale_metadata: metadata of `scale`.
        bias_metadata: metadata of `bias`.

    Attributes:
        alpha: `nnx.Param` of shape ().
        shift: likewise.
        scale: `nnx.Param` of shape (num_features,).
        bias: likewise.

    Raises:
        ValueError: if num_features < 1, or for an initializer without `rngs`; when called, if x has
            no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Chen, Lu, Zhu, Sun & Liu, arXiv:2512.10938

    Example:
        >>> layer = jaxact.nnx.Derf(3)
        >>> layer(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.8427008,  0.       ,  0.8427008], dtype=float32)
    """

    _called = "num_features"

    @checked("nnx.Derf")
    def __init__(
        self,
        num_features: Features,
        *,
        axis: int = -1,
        alpha_init: Init = 0.5,
        shift_init: Init = 0.0,
        scale_init: Init = 1.0,
        bias_init: Init = 0.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        alpha_metadata: Mapping[str, Any] = MappingProxyType({}),
        shift_metadata: Mapping[str, Any] = MappingProxyType({}),
        scale_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_features, axis, dtype, param_dtype, promote_dtype)
        self.alpha = self._parameter("alpha", alpha_init, alpha_metadata, rngs, shared=True)
        self.shift = self._parameter("shift", shift_init, shift_metadata, rngs, shared=True)
        self.scale = self._parameter("scale", scale_init, scale_metadata, rngs)
        self.bias = self._parameter("bias", bias_init, bias_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the normalized `inputs`, an array of any shape."""
        return derf(*self._aligned(inputs, self.alpha, self.shift, self.scale, self.bias))
