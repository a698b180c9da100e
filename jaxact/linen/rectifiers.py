"""Rectifiers that learn where their lines bend and how steep they are."""

from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Count
from .._initializers import Init, default_hinges_init, default_slopes_init, positive
from ..functions import apl, prelu, softplus, srelu, star_relu
from ._per_channel import PerChannel


class PReLU(PerChannel):
    """Parametric rectified linear unit: a leaky ReLU that learns its slope.

    Computes `jaxact.prelu(x, negative_slope)`. The parameter `negative_slope` has shape (), or
    (num_parameters,) if there are several. With one shared slope it reads and writes the
    checkpoints of `flax.linen.PReLU`.

    Attributes:
        num_parameters: 1 for one slope that all elements share, or the number of channels of x for
            one slope each.
        axis: the axis of x that holds the channels; a shared slope needs none.
        negative_slope_init: the number that every slope starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the slopes.
        promote_dtype: brings x and the slopes to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, equation 1

    Example:
        >>> layer = jaxact.linen.PReLU(num_parameters=2)
        >>> x = jnp.array([[-4.0, 2.0], [8.0, -1.0]])
        >>> variables = layer.init(jax.random.key(0), x)
        >>> layer.apply(variables, x)
        Array([[-1.  ,  2.  ],
               [ 8.  , -0.25]], dtype=float32)
    """

    _: KW_ONLY
    negative_slope_init: Init = 0.25

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        slope = self._parameter("negative_slope", self.negative_slope_init)
        return prelu(*self._aligned(inputs, slope))


class StarReLU(PerChannel):
    """StarReLU: a squared ReLU that learns its scale and its bias.

    Computes `jaxact.star_relu(x, scale, bias)`. The parameters `scale` and `bias` have shape (), or
    (num_parameters,) if there are several. By default the output starts with mean 0 and variance 1
    where x is standard normal, as the paper derives. (The authors' code starts with scale 1 and
    bias 0.)

    Attributes:
        num_parameters: 1 for a scale and a bias that all elements share, as in the paper, or the
            number of channels of x for one of each per channel.
        axis: the axis of x that holds the channels; shared parameters need none.
        scale_init: the number that every scale starts at, or an initializer.
        bias_init: the number that every bias starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, scale and bias to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        Yu et al., MetaFormer baselines for vision, arXiv:2210.13452

    Example:
        >>> layer, x = jaxact.linen.StarReLU(), jnp.array([-2.0, 1.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.4472,  0.4472], dtype=float32)
    """

    _: KW_ONLY
    scale_init: Init = 0.8944
    bias_init: Init = -0.4472

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        scale = self._parameter("scale", self.scale_init)
        bias = self._parameter("bias", self.bias_init)
        return star_relu(*self._aligned(inputs, scale, bias))


class SReLU(PerChannel):
    """S-shaped rectified linear unit: the identity between two bends, with learned lines beyond.

    Computes `jaxact.srelu(x, lower, lower_slope, upper, upper_slope)` with upper = lower +
    softplus(width), so that the bends keep their order whatever is learned. The parameters `lower`,
    `lower_slope`, `width` and `upper_slope` have shape (), or (num_parameters,) if there are
    several.

    As in the paper the layer starts as a leaky rectified linear unit; the slope 0.2 and the place
    of the upper bend are ours. (The paper holds it so for some epochs, then chooses the bends from
    the inputs that were seen: assign the parameters for that.) While the upper slope is 1 nothing
    depends on the upper bend: the slope learns first.

    Attributes:
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
        promote_dtype: brings x, lower, lower_slope, width, upper_slope to `dtype`, where one is
            given.

    Raises:
        ValueError: if num_parameters < 1, if width_init is a number and not positive, if x has no
            such axis, or another number of channels along it.
        TypeError: if x is complex.

    Source:
        Jin et al., AAAI 2016, arXiv:1512.07030

    Example:
        >>> layer, x = jaxact.linen.SReLU(), jnp.array([-2.0, 0.5, 3.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.4,  0.5,  3. ], dtype=float32)
    """

    _: KW_ONLY
    lower_init: Init = 0.0
    lower_slope_init: Init = 0.2
    width_init: Init = 1.0
    upper_slope_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        lower = self._parameter("lower", self.lower_init)
        lower_slope = self._parameter("lower_slope", self.lower_slope_init)
        width = self._parameter("width", self.width_init, within=positive)
        upper_slope = self._parameter("upper_slope", self.upper_slope_init)
        x, lower, lower_slope, width, upper_slope = self._aligned(
            inputs, lower, lower_slope, width, upper_slope
        )
        return srelu(x, lower, lower_slope, lower + softplus(width), upper_slope)


class APL(PerChannel):
    """Adaptive piecewise linear unit: a ReLU plus a sum of learned hinges.

    Computes `jaxact.apl(x, slopes, hinges)`. The parameters `slopes` and `hinges` have shape
    (num_hinges,), or (num_hinges, num_parameters) if there are several.

    The parameters are drawn as in the authors' code for 5 hinges: slopes uniformly from -0.2 to
    0.2, hinges from a normal distribution of standard deviation 0.5. (Their training adds a weight
    decay of 0.001 on both.)

    Attributes:
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
        promote_dtype: brings x, slopes and hinges to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1 or num_hinges < 1, if x has no such axis, or another
            number of channels along it.
        TypeError: if x is complex.

    Source:
        Agostinelli, Hoffman, Sadowski & Baldi, arXiv:1412.6830

    Example:
        >>> layer, x = jaxact.linen.APL(num_parameters=3, num_hinges=2), jnp.ones((5, 3))
        >>> variables = layer.init(jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, variables)
        {'params': {'hinges': (2, 3), 'slopes': (2, 3)}}
        >>> layer.apply(variables, x).shape
        (5, 3)
    """

    _: KW_ONLY
    num_hinges: Count = 5
    slopes_init: Init = default_slopes_init
    hinges_init: Init = default_hinges_init

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        count = self.num_hinges
        slopes = self._parameter("slopes", self.slopes_init, entries=(count,))
        hinges = self._parameter("hinges", self.hinges_init, entries=(count,))
        return apl(*self._aligned(inputs, slopes, hinges))
