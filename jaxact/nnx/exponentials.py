"""Exponential units that learn how they bend."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Finite, checked
from .._initializers import Init, positive
from .._modules import Channels, Dtype
from ..functions import pelu, softplus, xielu
from ._per_channel import PerChannel


class PELU(PerChannel):
    """Parametric exponential linear unit: an ELU that learns its limit and its width.

    Computes `jaxact.pelu(x, softplus(a), softplus(b))`; it starts as `jaxact.elu`, as in the paper.

    Both numbers must be positive, and are whatever is learned: the parameters hold what softplus
    takes to them. (The paper keeps them above 0.1 by clipping after each step.)

    Args:
        num_parameters: 1 for one pair of numbers that all elements share, as in the paper for each
            layer, or the number of channels of x for one pair each.
        axis: the axis of x that holds the channels; shared numbers need none.
        a_init: the positive number that minus the limit at -inf starts at, or an initializer of
            positive numbers.
        b_init: likewise, of the width of the bend.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, a, b)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        a_metadata: metadata of `a`, such as its sharding.
        b_metadata: metadata of `b`.

    Attributes:
        a: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        b: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1, if a_init or b_init is a number and not positive, or for
            an initializer without `rngs`; when called, if x has no such axis, or another number of
            channels along it.
        TypeError: when called, if x is complex.

    Source:
        Trottier, Giguere & Chaib-draa, arXiv:1605.09332

    Example:
        >>> layer = jaxact.nnx.PELU()
        >>> layer(jnp.array([-1.0, 0.0, 2.0]))
        Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """

    @checked("nnx.PELU")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        a_init: Init = 1.0,
        b_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        a_metadata: Mapping[str, Any] = MappingProxyType({}),
        b_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.a = self._parameter("a", a_init, a_metadata, rngs, within=positive)
        self.b = self._parameter("b", b_init, b_metadata, rngs, within=positive)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, a, b = self._aligned(inputs, self.a, self.b)
        return pelu(x, softplus(a), softplus(b))


class XIELU(PerChannel):
    """Expanded integral of the ELU: a parabola and an integrated ELU that learn their curvatures.

    Computes `jaxact.xielu(x, softplus(alpha_p), beta + softplus(alpha_n), beta)`. They hold what
    softplus takes to the curvatures, as in the paper and in the checkpoints of Hugging Face, so
    that alpha_p is positive and alpha_n greater than beta whatever is learned.

    Args:
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
        promote_dtype: brings the tuple `(x, alpha_p, alpha_n)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        alpha_p_metadata: metadata of `alpha_p`, such as its sharding.
        alpha_n_metadata: metadata of `alpha_n`.

    Attributes:
        alpha_p: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        alpha_n: `nnx.Param` of the same shape.

    Raises:
        ValueError: if num_parameters < 1, if alpha_p_init is a number and not positive, or
            alpha_n_init one not above beta, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Huang & Schlag, arXiv:2411.13010

    Example:
        >>> layer = jaxact.nnx.XIELU()
        >>> layer(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.20569642,  0.        ,  1.3       ], dtype=float32)
    """

    @checked("nnx.XIELU")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        beta: Finite = 0.5,
        axis: int = -1,
        alpha_p_init: Init = 0.8,
        alpha_n_init: Init = 0.8,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        alpha_p_metadata: Mapping[str, Any] = MappingProxyType({}),
        alpha_n_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.alpha_p = self._parameter(
            "alpha_p", alpha_p_init, alpha_p_metadata, rngs, within=positive
        )
        above_beta = functools.partial(positive, above=beta)
        self.alpha_n = self._parameter(
            "alpha_n", alpha_n_init, alpha_n_metadata, rngs, within=above_beta
        )
        self.beta = beta

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, alpha_p, alpha_n = self._aligned(inputs, self.alpha_p, self.alpha_n)
        return xielu(x, softplus(alpha_p), self.beta + softplus(alpha_n), self.beta)
