"""Exponential units that learn how they bend."""

import functools
from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Finite
from .._initializers import Init, positive
from ..functions import pelu, softplus, xielu
from ._per_channel import PerChannel


class PELU(PerChannel):
    """Parametric exponential linear unit: an ELU that learns its limit and its width.

    Computes `jaxact.pelu(x, softplus(a), softplus(b))`; it starts as `jaxact.elu`, as in the paper.
    The parameters `a` and `b` have shape (), or (num_parameters,) if there are several.

    Both numbers must be positive, and are whatever is learned: the parameters hold what softplus
    takes to them. (The paper keeps them above 0.1 by clipping after each step.)

    Attributes:
        num_parameters: 1 for one pair of numbers that all elements share, as in the paper for each
            layer, or the number of channels of x for one pair each.
        axis: the axis of x that holds the channels; shared numbers need none.
        a_init: the positive number that minus the limit at -inf starts at, or an initializer of
            positive numbers.
        b_init: likewise, of the width of the bend.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, a and b to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if a_init or b_init is a number and not positive, if x
            has no such axis, or another number of channels along it.
        TypeError: if x is complex.

    Source:
        Trottier, Giguere & Chaib-draa, arXiv:1605.09332

    Example:
        >>> layer, x = jaxact.linen.PELU(), jnp.array([-1.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """

    _: KW_ONLY
    a_init: Init = 1.0
    b_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        a = self._parameter("a", self.a_init, within=positive)
        b = self._parameter("b", self.b_init, within=positive)
        x, a, b = self._aligned(inputs, a, b)
        return pelu(x, softplus(a), softplus(b))


class XIELU(PerChannel):
    """Expanded integral of the ELU: a parabola and an integrated ELU that learn their curvatures.

    Computes `jaxact.xielu(x, softplus(alpha_p), beta + softplus(alpha_n), beta)`. The parameters
    `alpha_p` and `alpha_n` have shape (), or (num_parameters,) if there are several. They hold what
    softplus takes to the curvatures, as in the paper and in the checkpoints of Hugging Face, so
    that alpha_p is positive and alpha_n greater than beta whatever is learned.

    Attributes:
        num_parameters: 1 for one pair of curvatures that all elements share, as in the paper for
            each layer, or the number of channels of x for one pair each.
        beta: the slope at 0, which is not learned.
        axis: the axis of x that holds the channels; shared curvatures need none.
        alpha_p_init: the positive number that the curvature above 0 starts at, or an initializer of
            such.
        alpha_n_init: the number above beta that the curvature below 0 starts at, or an initializer
            of such.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, alpha_p and alpha_n to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if alpha_p_init is a number and not positive, or
            alpha_n_init one not above beta, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        Huang & Schlag, arXiv:2411.13010

    Example:
        >>> layer, x = jaxact.linen.XIELU(), jnp.array([-1.0, 0.0, 1.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.20569642,  0.        ,  1.3       ], dtype=float32)
    """

    _: KW_ONLY
    beta: Finite = 0.5
    alpha_p_init: Init = 0.8
    alpha_n_init: Init = 0.8

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        alpha_p = self._parameter("alpha_p", self.alpha_p_init, within=positive)
        above_beta = functools.partial(positive, above=self.beta)
        alpha_n = self._parameter("alpha_n", self.alpha_n_init, within=above_beta)
        x, alpha_p, alpha_n = self._aligned(inputs, alpha_p, alpha_n)
        return xielu(x, softplus(alpha_p), self.beta + softplus(alpha_n), self.beta)
