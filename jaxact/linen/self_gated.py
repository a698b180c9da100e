"""Self-gated activations that learn how sharply their gate opens, and between which lines."""

from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._initializers import Init, default_line_init
from ..functions import acon_c, swish
from ._per_channel import PerChannel


class Swish(PerChannel):
    """Swish: the input times a sigmoid gate that learns its sharpness.

    Computes `jaxact.swish(x, beta)`; it starts as `jaxact.silu`. The parameter `beta` has shape (),
    or (num_parameters,) if there are several. Every real beta is allowed: at 0 the function is
    x / 2, for large beta it tends to ReLU.

    Attributes:
        num_parameters: 1 for one beta that all elements share, or the number of channels of x for
            one beta each.
        axis: the axis of x that holds the channels; a shared beta needs none.
        beta_init: the number that every beta starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of beta.
        promote_dtype: brings x and beta to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        Ramachandran, Zoph & Le, arXiv:1710.05941, section 4

    Example:
        >>> layer, x = jaxact.linen.Swish(num_parameters=3), jnp.array([-2.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.23840584,  0.        ,  1.761594  ], dtype=float32)
    """

    _: KW_ONLY
    beta_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        beta = self._parameter("beta", self.beta_init)
        return swish(*self._aligned(inputs, beta))


class ACON(PerChannel):
    """ACON-C: a smooth maximum of two learned lines, as sharp as is learned.

    Computes `jaxact.acon_c(x, p1, p2, beta)`. The parameters `p1`, `p2` and `beta` have shape (),
    or (num_parameters,) if there are several. Every real number is allowed: at beta = 0 the
    function is linear, for large beta it tends to the larger line.

    As in the authors' code the slopes are drawn from the standard normal distribution, and beta
    starts at 1.

    Attributes:
        num_parameters: 1 for one set of numbers that all elements share, or the number of channels
            of x for one set each, as in the paper.
        axis: the axis of x that holds the channels; shared numbers need none.
        p1_init: initializer of the slope of one line, or a number to start at.
        p2_init: initializer of the slope of the other; two that start alike stay alike.
        beta_init: the number that every sharpness starts at, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, p1, p2 and beta to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        Ma, Zhang, Liu & Sun, CVPR 2021, arXiv:2009.04759

    Example:
        >>> layer = jaxact.linen.ACON(num_parameters=3, p1_init=1.2, p2_init=-0.8)
        >>> x = jnp.array([-2.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([1.5280552, 0.       , 2.3280551], dtype=float32)
    """

    _: KW_ONLY
    p1_init: Init = default_line_init
    p2_init: Init = default_line_init
    beta_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        p1 = self._parameter("p1", self.p1_init)
        p2 = self._parameter("p2", self.p2_init)
        beta = self._parameter("beta", self.beta_init)
        return acon_c(*self._aligned(inputs, p1, p2, beta))
