"""Periodic activations: waves on a line that learns their frequency, and a layer of sines."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import DotGeneralT, Initializer, PromoteDtypeFn
from jax import Array, lax
from jax.typing import ArrayLike

from .._domains import Count, Positive, checked
from .._initializers import Init, initializer, logarithm, siren_bounds, uniform_within
from .._modules import Channels, Dtype, Precision, Sharding, dense_inputs
from ..functions import sine, snake, snake_beta
from ._per_channel import PerChannel


class Snake(PerChannel):
    """Snake: a line with waves on it that learns their frequency.

    Computes `jaxact.snake(x, alpha)`. Every real alpha is allowed: at 0 the function is the
    identity, and the waves of -alpha are those of alpha upside down. (Some vocoders learn the
    logarithm of alpha, which keeps it positive; take exp of theirs.)

    Args:
        num_parameters: 1 for one alpha that all elements share, or the number of channels of x for
            one alpha each.
        axis: the axis of x that holds the channels; a shared alpha needs none.
        alpha_init: the number that every alpha starts at, or an initializer; the higher, the more
            periodic the data.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameter.
        promote_dtype: brings the tuple `(x, alpha)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        alpha_metadata: metadata of `alpha`, such as its sharding.

    Attributes:
        alpha: `nnx.Param` of shape (), or (num_parameters,) if there are several.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; when called, if x
            has no such axis, or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Ziyin, Hartwig & Ueda, NeurIPS 2020, arXiv:2006.08195, equation 3

    Example:
        >>> layer = jaxact.nnx.Snake()
        >>> layer(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.2919266,  0.       ,  1.7080734], dtype=float32)
    """

    @checked("nnx.Snake")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        alpha_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        alpha_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.alpha = self._parameter("alpha", alpha_init, alpha_metadata, rngs)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return snake(*self._aligned(inputs, self.alpha))


class SnakeBeta(PerChannel):
    """Snake with a height of its own: a line with waves that learns their frequency and size.

    Computes `jaxact.snake_beta(x, alpha, beta)`. Vocoders store the logarithms of both, which keeps
    them positive: with `logarithmic` so does this, and their checkpoints load as they are.

    Args:
        num_parameters: 1 for one alpha and one beta that all elements share, or the number of
            channels of x for one each.
        axis: the axis of x that holds the channels; shared parameters need none.
        logarithmic: whether the parameters are the logarithms of alpha and beta.
        alpha_init: the number that every alpha starts at, or an initializer of alpha itself.
        beta_init: likewise of beta.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, alpha, beta)` to `dtype`, where one is given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        alpha_metadata: metadata of `alpha`, such as its sharding.
        beta_metadata: metadata of `beta`.

    Attributes:
        alpha: `nnx.Param` of shape (), or (num_parameters,) if there are several.
        beta: likewise.

    Raises:
        ValueError: if num_parameters < 1, or for an initializer without `rngs`; if logarithmic
            parameters start at a number that is not positive; when called, if x has no such axis,
            or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Lee, Ping, Ginsburg, Catanzaro & Yoon, BigVGAN, ICLR 2023, arXiv:2206.04658, code

    Example:
        >>> layer = jaxact.nnx.SnakeBeta(logarithmic=True)
        >>> layer.alpha[...]
        Array(0., dtype=float32)
        >>> layer(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.2919266,  0.       ,  1.7080734], dtype=float32)
    """

    @checked("nnx.SnakeBeta")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        axis: int = -1,
        logarithmic: bool = False,
        alpha_init: Init = 1.0,
        beta_init: Init = 1.0,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        alpha_metadata: Mapping[str, Any] = MappingProxyType({}),
        beta_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.logarithmic = logarithmic
        within = logarithm if logarithmic else initializer
        self.alpha = self._parameter("alpha", alpha_init, alpha_metadata, rngs, within=within)
        self.beta = self._parameter("beta", beta_init, beta_metadata, rngs, within=within)

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, *parameters = self._aligned(inputs, self.alpha, self.beta)
        return snake_beta(x, *(map(jnp.exp, parameters) if self.logarithmic else parameters))


class Sine(nnx.Module):
    """SIREN layer: a sine of a dense layer, started so that depth keeps the distribution.

    Computes `jaxact.sine(linear(x), omega)`, sin(omega * (x @ kernel + bias)). What makes sines
    train is how they start, so the module is the whole layer; the activation alone, which has
    nothing to learn, is `jaxact.sine`. Kernels are drawn uniformly within sqrt(6 / in_features) /
    omega, or within 1 / in_features in the first layer of a network, as in the paper, and biases
    within 1 / sqrt(in_features), as in the authors' code. All other options are those of
    `flax.nnx.Linear`, and so is the dtype of the result.

    Args:
        in_features: the size of the last axis of x.
        out_features: the size of the last axis of the result.
        omega: the frequency, which is not learned.
        is_first: whether x are the coordinates themselves, not activations.
        use_bias: whether to add a bias.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix product, see `jax.lax.Precision`.
        kernel_init: initializer of the kernel; by default that of the paper.
        bias_init: initializer of the bias; by default that of the authors' code.
        dot_general: the matrix product.
        promote_dtype: brings the tuple `(x, kernel, bias)` to `dtype`.
        preferred_element_type: the dtype that the matrix product gives, see `jax.lax.dot_general`.
        rngs: the stream `params` gives one key for every parameter.
        kernel_metadata: metadata of the kernel, such as its sharding.
        bias_metadata: metadata of the bias.

    Attributes:
        linear: `nnx.Linear` with a kernel of shape (in_features, out_features).

    Raises:
        ValueError: if omega is not positive.
        TypeError: when called, if x is complex.

    Source:
        Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, arXiv:2006.09661

    Example:
        >>> rngs = nnx.Rngs(0)
        >>> image = nnx.Sequential(
        ...     jaxact.nnx.Sine(2, 64, is_first=True, rngs=rngs),
        ...     jaxact.nnx.Sine(64, 64, rngs=rngs),
        ...     nnx.Linear(64, 3, rngs=rngs),
        ... )
        >>> image(jnp.ones((10, 2))).shape
        (10, 3)
    """

    @checked("nnx.Sine")
    def __init__(
        self,
        in_features: Count,
        out_features: Count,
        *,
        omega: Positive = 30.0,
        is_first: bool = False,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: Precision = None,
        kernel_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        dot_general: DotGeneralT = lax.dot_general,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        preferred_element_type: Dtype | None = None,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        kernel_bound, bias_bound = siren_bounds(in_features, omega, is_first=is_first)
        self.linear = nnx.Linear(
            in_features,
            out_features,
            use_bias=use_bias,
            dtype=dtype,
            param_dtype=param_dtype,
            precision=precision,
            kernel_init=kernel_init or uniform_within(kernel_bound),
            bias_init=bias_init or uniform_within(bias_bound),
            dot_general=dot_general,
            promote_dtype=promote_dtype,
            preferred_element_type=preferred_element_type,
            rngs=rngs,
            kernel_metadata=kernel_metadata,
            bias_metadata=bias_metadata,
        )
        self.omega = omega

    @checked("nnx.Sine")
    def __call__(self, inputs: ArrayLike, out_sharding: Sharding = None) -> Array:
        """Returns the sines.

        Args:
            inputs: an array of shape (..., in_features).
            out_sharding: the sharding of the result, see `jax.lax.dot_general`.
        """
        x = dense_inputs("nnx.Sine", inputs, self.linear.in_features)
        return sine(self.linear(x, out_sharding), self.omega)
