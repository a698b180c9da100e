"""Rectifiers that learn where their lines bend and how steep they are."""

from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._modules import Init
from ..functions import prelu, star_relu
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
        return prelu(*self._aligned(inputs, negative_slope=self.negative_slope_init))


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
        return star_relu(*self._aligned(inputs, scale=self.scale_init, bias=self.bias_init))
