"""Self-gated activations that learn how sharply their gate opens, and between which lines."""

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
from .._initializers import Init, default_line_init
from .._modules import Channels, Dtype
from ..functions import acon_c, swish
from ._per_channel import PerChannel


class Swish(PerChannel):
    """Swish: the input times a sigmoid gate that learns its sharpness.

    Computes `jaxact.swish(x, beta)`; it starts as `jaxact.silu`. Every real beta is allowed: at 0
    the function is x / 2, for large beta it tends to ReLU.

    Args:
        num_parameters: 1 for one beta that all elements share, or the number of channels of x for
            one beta each.
        axis: the axis of x that holds the channels; a shared beta needs none.
        beta_init: the number that every beta starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of beta.
        promote_dtype: brings the tuple `(x, beta)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; a number needs none.
        beta_metadata: metadata of the parameter, such as its sharding.

    Attributes:
        beta: `nnx.Param` of shape (), or (num_parameters,) if there are several.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Ramachandran, Zoph & Le, arXiv:1710.05941, section 4

    Example:
        >>> layer = jaxact.nnx.Swish(num_parameters=3)
        >>> layer(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.23840584,  0.        ,  1.761594  ], dtype=float32)
    """

    @checked("nnx.Swish")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        beta_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        beta_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.beta = self._parameter("beta", beta_init, beta_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return swish(*self._aligned(inputs, self.beta))


class ACON(PerChannel):
    """ACON-C: a smooth maximum of two learned lines, as sharp as is learned.

    Computes `jaxact.acon_c(x, p1, p2, beta)`. Every real number is allowed: at beta = 0 the
    function is linear, for large beta it tends to the larger line.

    As in the authors' code the slopes are drawn from the standard normal distribution, and beta
    starts at 1.

    Args:
        num_parameters: 1 for one set of numbers that all elements share, or the number of channels
            of x for one set each, as in the paper.
        axis: the axis of x that holds the channels; shared numbers need none.
        p1_init: initializer of the slope of one line, or a number to start at.
        p2_init: initializer of the slope of the other; two that start alike stay alike.
        beta_init: the number that every sharpness starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, p1, p2, beta)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to each initializer; numbers need none.
        p1_metadata: metadata of `p1`, such as its sharding.
        p2_metadata: metadata of `p2`.
        beta_metadata: metadata of `beta`.

    Attributes:
        p1: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        p2: `nnx.Param` of the same shape.
        beta: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Ma, Zhang, Liu & Sun, CVPR 2021, arXiv:2009.04759

    Example:
        >>> layer = jaxact.nnx.ACON(num_parameters=3, p1_init=1.2, p2_init=-0.8, rngs=nnx.Rngs(0))
        >>> layer(jnp.array([-2.0, 0.0, 2.0]))
        Array([1.5280552, 0.       , 2.3280551], dtype=float32)
    """

    @checked("nnx.ACON")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        p1_init: Init = default_line_init,
        p2_init: Init = default_line_init,
        beta_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        p1_metadata: Mapping[str, Any] = MappingProxyType({}),
        p2_metadata: Mapping[str, Any] = MappingProxyType({}),
        beta_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.p1 = self._parameter("p1", p1_init, p1_metadata, rngs)
        self.p2 = self._parameter("p2", p2_init, p2_metadata, rngs)
        self.beta = self._parameter("beta", beta_init, beta_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return acon_c(*self._aligned(inputs, self.p1, self.p2, self.beta))
