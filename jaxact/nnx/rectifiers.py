"""Rectifiers that learn where their lines bend and how steep they are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Count, checked
from .._initializers import Init, default_hinges_init, default_slopes_init, positive
from .._modules import Channels, Dtype
from ..functions import apl, prelu, softplus, srelu, star_relu
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

    @checked("nnx.PReLU")
    def __init__(
        self,
        num_parameters: Channels = 1,
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
        self.negative_slope = self._parameter(
            "negative_slope", negative_slope_init, negative_slope_metadata, rngs
        )

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

    @checked("nnx.StarReLU")
    def __init__(
        self,
        num_parameters: Channels = 1,
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
        self.scale = self._parameter("scale", scale_init, scale_metadata, rngs)
        self.bias = self._parameter("bias", bias_init, bias_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return star_relu(*self._aligned(inputs, self.scale, self.bias))


class SReLU(PerChannel):
    """S-shaped rectified linear unit: the identity between two bends, with learned lines beyond.

    Computes `jaxact.srelu(x, lower, lower_slope, upper, upper_slope)` with upper = lower +
    softplus(width), so that the bends keep their order whatever is learned.

    As in the paper the layer starts as a leaky rectified linear unit; the slope 0.2 and the place
    of the upper bend are ours. (The paper holds it so for some epochs, then chooses the bends from
    the inputs that were seen: assign the parameters for that.) While the upper slope is 1 nothing
    depends on the upper bend: the slope learns first.

    Args:
        num_parameters: 1 for one set of parameters that all elements share, or the number of
            channels of x for one set each, as in the paper.
        axis: the axis of x that holds the channels; shared parameters need none.
        lower_init: the number that every lower bend starts at, or an initializer.
        lower_slope_init: likewise, of the slope below it.
        width_init: likewise, of the distance between the bends, which is positive.
        upper_slope_init: likewise, of the slope above the upper bend.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, lower, lower_slope, width, upper_slope)` to `dtype`,
            where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        lower_metadata: metadata of `lower`, such as its sharding.
        lower_slope_metadata: metadata of `lower_slope`.
        width_metadata: metadata of `width`.
        upper_slope_metadata: metadata of `upper_slope`.

    Attributes:
        lower: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        lower_slope: `nnx.Param` of the same shape.
        width: `nnx.Param` of the same shape.
        upper_slope: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1, if width_init is a number and not positive, or for an
            initializer without `rngs`; when called, if x has no such axis, or another number of
            channels along it.
        TypeError: when called, if x is complex.

    Source:
        Jin et al., AAAI 2016, arXiv:1512.07030

    Example:
        >>> layer = jaxact.nnx.SReLU()
        >>> layer(jnp.array([-2.0, 0.5, 3.0]))
        Array([-0.4,  0.5,  3. ], dtype=float32)
    """

    @checked("nnx.SReLU")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        lower_init: Init = 0.0,
        lower_slope_init: Init = 0.2,
        width_init: Init = 1.0,
        upper_slope_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        lower_metadata: Mapping[str, Any] = MappingProxyType({}),
        lower_slope_metadata: Mapping[str, Any] = MappingProxyType({}),
        width_metadata: Mapping[str, Any] = MappingProxyType({}),
        upper_slope_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.lower = self._parameter("lower", lower_init, lower_metadata, rngs)
        self.lower_slope = self._parameter(
            "lower_slope", lower_slope_init, lower_slope_metadata, rngs
        )
        self.width = self._parameter("width", width_init, width_metadata, rngs, within=positive)
        self.upper_slope = self._parameter(
            "upper_slope", upper_slope_init, upper_slope_metadata, rngs
        )

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, lower, lower_slope, width, upper_slope = self._aligned(
            inputs, self.lower, self.lower_slope, self.width, self.upper_slope
        )
        return srelu(x, lower, lower_slope, lower + softplus(width), upper_slope)


class APL(PerChannel):
    """Adaptive piecewise linear unit: a ReLU plus a sum of learned hinges.

    Computes `jaxact.apl(x, slopes, hinges)`.

    The parameters are drawn as in the authors' code for 5 hinges: slopes uniformly from -0.2 to
    0.2, hinges from a normal distribution of standard deviation 0.5. (Their training adds a weight
    decay of 0.001 on both.)

    Args:
        num_parameters: 1 for one set of hinges that all elements share, or the number of channels
            of x for one set each, as in the paper.
        num_hinges: the number of hinges in a set.
        axis: the axis of x that holds the channels; shared hinges need none.
        slopes_init: initializer of the slopes, or a number to start at.
        hinges_init: initializer of the places where the hinges bend, or a number to start at;
            hinges that start alike stay alike.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, slopes, hinges)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to each initializer; numbers need none.
        slopes_metadata: metadata of `slopes`, such as its sharding.
        hinges_metadata: metadata of `hinges`.

    Attributes:
        slopes: `nnx.Param` of shape (num_hinges,), or (num_hinges, num_parameters) if there are
            several.
        hinges: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1 or num_hinges < 1, or for an initializer without `rngs`;
            when called, if x has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Agostinelli, Hoffman, Sadowski & Baldi, arXiv:1412.6830

    Example:
        >>> layer = jaxact.nnx.APL(num_parameters=3, num_hinges=2, rngs=nnx.Rngs(0))
        >>> layer.slopes.shape, layer.hinges.shape
        ((2, 3), (2, 3))
        >>> layer(jnp.ones((5, 3))).shape
        (5, 3)
    """

    @checked("nnx.APL")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        num_hinges: Count = 5,
        axis: int = -1,
        slopes_init: Init = default_slopes_init,
        hinges_init: Init = default_hinges_init,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        slopes_metadata: Mapping[str, Any] = MappingProxyType({}),
        hinges_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.slopes = self._parameter(
            "slopes", slopes_init, slopes_metadata, rngs, entries=(num_hinges,)
        )
        self.hinges = self._parameter(
            "hinges", hinges_init, hinges_metadata, rngs, entries=(num_hinges,)
        )
        self.num_hinges = num_hinges

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return apl(*self._aligned(inputs, self.slopes, self.hinges))
