"""Rectifiers that learn where their lines bend and how steep they are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import Dtype, PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._modules import Init
from ..functions import prelu, star_relu
from ._per_channel import PerChannel


class PReLU(PerChannel):
    """Parametric rectified linear unit: a leaky ReLU that learns its slope.

    Computes `jaxact.prelu(x, negative_slope)`. With one shared slope it reads and writes the
    checkpoints of `flax.nnx.PReLU`.

    Args:
        num_parameters: 1 for one slope that all elements share, or the number of channels of x for
            one slope each.
        axis: the axis of x that holds the channels; a shared slope needs none.
        negative_slope_init: the number that every slope starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the slopes.
        promote_dtype: brings the tuple `(x, negative_slope)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; a number needs none.
        negative_slope_metadata: metadata of the parameter, such as its sharding.

    Attributes:
        negative_slope: `nnx.Param` of shape (), or (num_parameters,) if there are several.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, equation 1

    Example:
        >>> layer = jaxact.nnx.PReLU(num_parameters=2)
        >>> layer(jnp.array([[-4.0, 2.0], [8.0, -1.0]]))
        Array([[-1.  ,  2.  ],
               [ 8.  , -0.25]], dtype=float32)
    """

    def __init__(
        self,
        num_parameters: int = 1,
        *,
        axis: int = -1,
        negative_slope_init: Init = 0.25,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        negative_slope_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.negative_slope = self._parameter(negative_slope_init, negative_slope_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return prelu(*self._aligned(inputs, self.negative_slope))


class StarReLU(PerChannel):
    """StarReLU: a squared ReLU that learns its scale and its bias.

    Computes `jaxact.star_relu(x, scale, bias)`. By default the output starts with mean 0 and
    variance 1 where x is standard normal, as the paper derives. (The authors' code starts with
    scale 1 and bias 0.)

    Args:
        num_parameters: 1 for a scale and a bias that all elements share, as in the paper, or the
            number of channels of x for one of each per channel.
        axis: the axis of x that holds the channels; shared parameters need none.
        scale_init: the number that every scale starts at, or an initializer.
        bias_init: the number that every bias starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, scale, bias)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to each initializer; numbers need none.
        scale_metadata: metadata of the scale, such as its sharding.
        bias_metadata: metadata of the bias.

    Attributes:
        scale: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        bias: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Yu et al., MetaFormer baselines for vision, arXiv:2210.13452

    Example:
        >>> layer = jaxact.nnx.StarReLU()
        >>> layer(jnp.array([-2.0, 1.0]))
        Array([-0.4472,  0.4472], dtype=float32)
    """

    def __init__(
        self,
        num_parameters: int = 1,
        *,
        axis: int = -1,
        scale_init: Init = 0.8944,
        bias_init: Init = -0.4472,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        scale_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.scale = self._parameter(scale_init, scale_metadata, rngs)
        self.bias = self._parameter(bias_init, bias_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return star_relu(*self._aligned(inputs, self.scale, self.bias))
