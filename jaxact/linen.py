"""Activations that learn or are random, as Flax Linen modules.

They hold parameters and randomness only; the mathematics is in `jaxact`.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.linen.linear import default_kernel_init
from flax.typing import DotGeneralT, Dtype, Initializer, PrecisionLike
from jax import Array, lax
from jax.typing import ArrayLike

from ._arguments import real, require
from ._modules import per_channel, per_piece
from .functions import maxout, prelu, rrelu


class PReLU(nn.Module):
    """Parametric rectified linear unit: a leaky ReLU that learns its slope.

    Computes `jaxact.prelu(x, negative_slope)`. The parameter `negative_slope` has shape (), or
    (num_parameters,) if there are several. With one shared slope it reads and writes the
    checkpoints of `flax.linen.PReLU`.

    Attributes:
        num_parameters: 1 for one slope that all elements share, or the number of channels of x for
            one slope each.
        axis: the axis of x that holds the channels; a shared slope needs none.
        negative_slope_init: the number that every slope starts at.
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

    num_parameters: int = 1
    _: KW_ONLY
    axis: int = -1
    negative_slope_init: float = 0.25
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        require(
            self.num_parameters >= 1,
            "jaxact.linen.PReLU",
            "num_parameters",
            self.num_parameters,
            "be 1 or the number of channels",
        )
        x = real(inputs, "linen.PReLU")
        slope = self.param(
            "negative_slope",
            nn.initializers.constant(self.negative_slope_init),
            () if self.num_parameters == 1 else (self.num_parameters,),
            self.param_dtype,
        )
        if self.dtype is not None:
            x, slope = self.promote_dtype(x, slope, dtype=self.dtype)
        return prelu(x, per_channel("linen.PReLU", slope, self.axis, x))


class RReLU(nn.Module):
    """Randomised leaky ReLU: slopes drawn in training, their mean in evaluation.

    Computes `jaxact.rrelu`: with a key from the rng collection, hence a slope of its own for every
    element, if `deterministic` is False, and with the mean slope, without a key, if it is True.

    Attributes:
        lower: the smallest slope.
        upper: the largest slope.
        distribution: "uniform" or "normal", truncated to [lower, upper]; see `jaxact.rrelu`.
        deterministic: whether to use the mean slope; given here or in the call, not in both.
        rng_collection: the rng collection that keys are drawn from.

    Raises:
        ValueError: if lower > upper, if the distribution is unknown, or if `deterministic` is given
            nowhere or twice.
        TypeError: if x is complex.
        flax.errors.InvalidRngError: if it is to be random and there is no such rng collection.

    Source:
        Xu, Wang, Chen & Li, arXiv:1505.00853

    Example:
        >>> layer = jaxact.linen.RReLU(0.25, 0.75)
        >>> rngs = {"rrelu": jax.random.key(0)}
        >>> slopes = layer.apply({}, -jnp.ones(1000), deterministic=False, rngs=rngs) * -1
        >>> 0.25 <= slopes.min() < slopes.max() <= 0.75
        Array(True, dtype=bool)
        >>> layer.apply({}, jnp.array([-4.0, 2.0]), deterministic=True)
        Array([-2.,  2.], dtype=float32)
    """

    lower: float = 1 / 8
    upper: float = 1 / 3
    distribution: str = "uniform"
    _: KW_ONLY
    deterministic: bool | None = None
    rng_collection: str = "rrelu"

    @nn.compact
    def __call__(
        self, inputs: ArrayLike, deterministic: bool | None = None, rng: Array | None = None
    ) -> Array:
        """Returns the activations of `inputs`.

        Args:
            inputs: an array of any shape.
            deterministic: whether to use the mean slope, unless the attribute says so.
            rng: a key to use instead of one from the rng collection.
        """
        deterministic = nn.merge_param("deterministic", self.deterministic, deterministic)
        if deterministic:
            rng = None
        elif rng is None:
            rng = self.make_rng(self.rng_collection)
        return rrelu(
            inputs, rng, lower=self.lower, upper=self.upper, distribution=self.distribution
        )


class Maxout(nn.Module):
    """Maxout: a dense layer with several affine maps per output, of which the largest wins.

    Computes `jaxact.maxout(x @ kernel + bias, num_pieces)`. The parameters are `kernel` of shape
    (in_features, features * num_pieces) and `bias` of shape (features * num_pieces,). The pieces of
    one output are adjacent columns, each drawn as the column of a dense layer of its own, so every
    piece starts with the variance that `flax.linen.Dense(features)` has, and the layer has
    `num_pieces` times its parameters. All other options are those of `flax.linen.Dense`, and so is
    the dtype of the result: without `dtype`, the common one of x and the parameters.

    Attributes:
        features: the size of the last axis of the result.
        num_pieces: the number of affine maps per output.
        use_bias: whether to add a bias to every piece.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix product, see `jax.lax.Precision`.
        kernel_init: initializer of each piece's kernel, of shape (in_features, features).
        bias_init: initializer of each piece's bias, of shape (features,).
        promote_dtype: brings x, kernel and bias to `dtype`.
        dot_general: the matrix product; by default `jax.lax.dot_general`.
        dot_general_cls: makes the matrix product, in place of `dot_general`.

    Raises:
        ValueError: if num_pieces < 1.
        TypeError: if x is complex.

    Source:
        Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3

    Example:
        >>> layer = jaxact.linen.Maxout(4, num_pieces=5)
        >>> variables = layer.init(jax.random.key(0), jnp.ones((7, 3)))
        >>> jax.tree.map(jnp.shape, variables)
        {'params': {'bias': (20,), 'kernel': (3, 20)}}
        >>> layer.apply(variables, jnp.ones((7, 3))).shape
        (7, 4)
    """

    features: int
    num_pieces: int = 2
    _: KW_ONLY
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = nn.initializers.zeros_init()
    promote_dtype: Callable[..., list[Any]] = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Any = None

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the largest piece of every output for `inputs` of shape (..., in_features)."""
        require(
            self.num_pieces >= 1,
            "jaxact.linen.Maxout",
            "num_pieces",
            self.num_pieces,
            "be 1 or more",
        )
        x = real(inputs, "linen.Maxout", keep_integers=True)
        columns = self.features * self.num_pieces
        kernel = self.param(
            "kernel",
            per_piece(self.kernel_init, self.num_pieces),
            (x.shape[-1], columns),
            self.param_dtype,
        )
        bias = None
        if self.use_bias:
            bias = self.param(
                "bias", per_piece(self.bias_init, self.num_pieces), (columns,), self.param_dtype
            )
        x, kernel, bias = self.promote_dtype(x, kernel, bias, dtype=self.dtype)
        if self.dot_general_cls is not None:
            dot_general = self.dot_general_cls()
        else:
            dot_general = self.dot_general or lax.dot_general
        y = dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())), precision=self.precision)
        if bias is not None:
            y += jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,))
        return maxout(y, self.num_pieces)
