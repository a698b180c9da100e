"""Periodic activations: waves on a line that learns their frequency, and a layer of sines."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.typing import DotGeneralT, Initializer
from jax import Array
from jax.typing import ArrayLike

from .._domains import Count, Positive
from .._initializers import Init, initializer, logarithm, siren_bounds, uniform_within
from .._modules import Dtype, Precision
from ..functions import sine, snake, snake_beta
from ._module import Module
from ._per_channel import PerChannel


class Snake(PerChannel):
    """Snake: a line with waves on it that learns their frequency.

    Computes `jaxact.snake(x, alpha)`. The parameter `alpha` has shape (), or (num_parameters,) if
    there are several. Every real alpha is allowed: at 0 the function is the identity, and the waves
    of -alpha are those of alpha upside down. (Some vocoders learn the logarithm of alpha, which
    keeps it positive; take exp of theirs.)

    Attributes:
        num_parameters: 1 for one alpha that all elements share, or the number of channels of x for
            one alpha each.
        axis: the axis of x that holds the channels; a shared alpha needs none.
        alpha_init: the number that every alpha starts at, or an initializer; the higher, the more
            periodic the data.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameter.
        promote_dtype: brings x and alpha to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it.
        TypeError: if x is complex.

    Source:
        Ziyin, Hartwig & Ueda, NeurIPS 2020, arXiv:2006.08195, equation 3

    Example:
        >>> layer, x = jaxact.linen.Snake(), jnp.array([-1.0, 0.0, 1.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.2919266,  0.       ,  1.7080734], dtype=float32)
    """

    _: KW_ONLY
    alpha_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        alpha = self._parameter("alpha", self.alpha_init)
        return snake(*self._aligned(inputs, alpha))


class SnakeBeta(PerChannel):
    """Snake with a height of its own: a line with waves that learns their frequency and size.

    Computes `jaxact.snake_beta(x, alpha, beta)`. The parameters `alpha` and `beta` have shape (),
    or (num_parameters,) if there are several. Vocoders store the logarithms of both, which keeps
    them positive: with `logarithmic` so does this, and their checkpoints load as they are.

    Attributes:
        num_parameters: 1 for one alpha and one beta that all elements share, or the number of
            channels of x for one each.
        axis: the axis of x that holds the channels; shared parameters need none.
        logarithmic: whether the parameters are the logarithms of alpha and beta.
        alpha_init: the number that every alpha starts at, or an initializer of alpha itself.
        beta_init: likewise of beta.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, alpha and beta to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1, if x has no such axis, or another number of channels
            along it; if logarithmic parameters start at a number that is not positive.
        TypeError: if x is complex.

    Source:
        Lee, Ping, Ginsburg, Catanzaro & Yoon, BigVGAN, ICLR 2023, arXiv:2206.04658, code

    Example:
        >>> layer, x = jaxact.linen.SnakeBeta(logarithmic=True), jnp.array([-1.0, 0.0, 1.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.2919266,  0.       ,  1.7080734], dtype=float32)
    """

    _: KW_ONLY
    logarithmic: bool = False
    alpha_init: Init = 1.0
    beta_init: Init = 1.0

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        within = logarithm if self.logarithmic else initializer
        alpha = self._parameter("alpha", self.alpha_init, within=within)
        beta = self._parameter("beta", self.beta_init, within=within)
        x, *parameters = self._aligned(inputs, alpha, beta)
        return snake_beta(x, *(map(jnp.exp, parameters) if self.logarithmic else parameters))


class Sine(Module):
    """SIREN layer: a sine of a dense layer, started so that depth keeps the distribution.

    Computes `jaxact.sine(linear(x), omega)`, sin(omega * (x @ kernel + bias)), of a dense layer
    called `linear`. What makes sines train is how they start, so the module is the whole layer; the
    activation alone, which has nothing to learn, is `jaxact.sine`. Kernels are drawn uniformly
    within sqrt(6 / in_features) / omega, or within 1 / in_features in the first layer of a network,
    as in the paper, and biases within 1 / sqrt(in_features), as in the authors' code. All other
    options are those of `flax.linen.Dense`, and so is the dtype of the result.

    Attributes:
        features: the size of the last axis of the result.
        omega: the frequency, which is not learned.
        is_first: whether x are the coordinates themselves, not activations.
        use_bias: whether to add a bias.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix product, see `jax.lax.Precision`.
        kernel_init: initializer of the kernel; by default that of the paper.
        bias_init: initializer of the bias; by default that of the authors' code.
        promote_dtype: brings x, kernel and bias to `dtype`.
        dot_general: the matrix product; by default `jax.lax.dot_general`.
        dot_general_cls: makes the matrix product, in place of `dot_general`.

    Raises:
        ValueError: if omega is not positive.
        TypeError: if x is complex.

    Source:
        Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, arXiv:2006.09661

    Example:
        >>> image = nn.Sequential([
        ...     jaxact.linen.Sine(64, is_first=True),
        ...     jaxact.linen.Sine(64),
        ...     nn.Dense(3),
        ... ])
        >>> variables = image.init(jax.random.key(0), jnp.ones((10, 2)))
        >>> image.apply(variables, jnp.ones((10, 2))).shape
        (10, 3)
    """

    features: Count
    _: KW_ONLY
    omega: Positive = 30.0
    is_first: bool = False
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: Precision = None
    kernel_init: Initializer | None = None
    bias_init: Initializer | None = None
    promote_dtype: Callable[..., list[Any]] = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Callable[..., Any] | None = None

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the sines for `inputs` of shape (..., in_features)."""
        x = self._inputs(inputs, "linear", "kernel", keep_integers=True)
        kernel_bound, bias_bound = siren_bounds(x.shape[-1], self.omega, is_first=self.is_first)
        linear = nn.Dense(
            self.features,
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            precision=self.precision,
            kernel_init=self.kernel_init or uniform_within(kernel_bound),
            bias_init=self.bias_init or uniform_within(bias_bound),
            promote_dtype=self.promote_dtype,
            dot_general=self.dot_general,
            dot_general_cls=self.dot_general_cls,
            name="linear",
        )
        return sine(linear(x), self.omega)
