"""Activations that jump at a threshold which they learn."""

import math
from dataclasses import KW_ONLY

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Positive
from .._initializers import Init
from ..functions import jump_relu
from ._per_channel import PerChannel

_LOG_THRESHOLD = math.log(1e-3)


class JumpReLU(PerChannel):
    """Jump ReLU with thresholds that learn: the activation of sparse autoencoders.

    Computes `jaxact.jump_relu(x, exp(log_threshold), bandwidth)`. The parameter `log_threshold` has
    shape (), or (num_parameters,) if there are several: the logarithms of the thresholds, as the
    paper has them. The gradient by a threshold is a pseudo-derivative: see there.

    Attributes:
        num_parameters: 1 for one threshold that all elements share, or the number of channels of x
            for one each.
        axis: the axis of x that holds the channels; a shared threshold needs none.
        bandwidth: how far from its threshold, in all, an x moves it.
        log_threshold_init: the number that every logarithm starts at, or an initializer; by default
            the thresholds are 0.001, as in the paper.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameter.
        promote_dtype: brings x and log_threshold to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it; if `bandwidth` is not positive.
        TypeError: if x is complex.

    Source:
        Rajamanoharan et al., arXiv:2407.14435

    Example:
        >>> layer, x = jaxact.linen.JumpReLU(log_threshold_init=-1.0), jnp.array([-2.0, 0.25, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([0., 0., 2.], dtype=float32)
    """

    _: KW_ONLY
    bandwidth: Positive = 1e-3
    log_threshold_init: Init = _LOG_THRESHOLD

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        parameter = self._parameter("log_threshold", self.log_threshold_init)
        x, log_threshold = self._aligned(inputs, parameter)
        return jump_relu(x, jnp.exp(log_threshold), self.bandwidth)
