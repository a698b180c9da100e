"""Activations that jump at a threshold which they learn."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Positive, checked
from .._initializers import Init
from .._modules import Channels, Dtype
from ..functions import jump_relu
from ._per_channel import PerChannel

_LOG_THRESHOLD = math.log(1e-3)


class JumpReLU(PerChannel):
    """Jump ReLU with thresholds that learn: the activation of sparse autoencoders.

    Computes `jaxact.jump_relu(x, exp(log_threshold), bandwidth)`. The gradient by a threshold is a
    pseudo-derivative: see there.

    Args:
        num_parameters: 1 for one threshold that all elements share, or the number of channels of x
            for one each.
        axis: the axis of x that holds the channels; a shared threshold needs none.
        bandwidth: how far from its threshold, in all, an x moves it.
        log_threshold_init: the number that every logarithm starts at, or an initializer; by default
            the thresholds are 0.001, as in the paper.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameter.
        promote_dtype: brings the tuple `(x, log_threshold)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; a number needs none.
        log_threshold_metadata: metadata of `log_threshold`, such as its sharding.

    Attributes:
        log_threshold: `nnx.Param` of shape (), or (num_parameters,) if there are several: the
            logarithms of the thresholds, as the paper has them.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; if `bandwidth` is
            not positive; when called, if x has no such axis, or another number of channels along
            it.
        TypeError: when called, if x is complex.

    Source:
        Rajamanoharan et al., arXiv:2407.14435

    Example:
        >>> layer = jaxact.nnx.JumpReLU(num_parameters=3, log_threshold_init=-1.0)
        >>> layer(jnp.array([-2.0, 0.25, 2.0]))
        Array([0., 0., 2.], dtype=float32)
    """

    @checked("nnx.JumpReLU")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        bandwidth: Positive = 1e-3,
        log_threshold_init: Init = _LOG_THRESHOLD,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        log_threshold_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.bandwidth = bandwidth
        given = log_threshold_init, log_threshold_metadata, rngs
        self.log_threshold = self._parameter("log_threshold", *given)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, log_threshold = self._aligned(inputs, self.log_threshold)
        return jump_relu(x, jnp.exp(log_threshold), self.bandwidth)
