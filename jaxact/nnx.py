"""Activations that learn or are random, as Flax NNX modules.

They hold parameters and randomness only; the mathematics is in `jaxact`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.module import first_from
from flax.nnx.nn.dtypes import promote_dtype
from flax.nnx.nn.linear import default_bias_init, default_kernel_init
from flax.typing import DotGeneralT, Dtype, Initializer, PrecisionLike, PromoteDtypeFn
from jax import Array, lax
from jax.typing import ArrayLike

from ._arguments import real, require
from ._modules import per_channel, per_piece
from .functions import maxout, prelu, rrelu


class PReLU(nnx.Module):
    """Parametric rectified linear unit: a leaky ReLU that learns its slope.

    Computes `jaxact.prelu(x, negative_slope)`. Needs no `rngs`: every slope starts at the same
    number. With one shared slope it reads and writes the checkpoints of `flax.nnx.PReLU`.

    Args:
        num_parameters: 1 for one slope that all elements share, or the number of channels of x for
            one slope each.
        axis: the axis of x that holds the channels; a shared slope needs none.
        negative_slope_init: the number that every slope starts at.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the slopes.
        promote_dtype: brings the tuple `(x, negative_slope)` to `dtype`, where one is given.
        negative_slope_metadata: metadata of the parameter, such as its sharding.

    Attributes:
        negative_slope: `nnx.Param` of shape (), or (num_parameters,) if there are several.

    Raises:
        ValueError: if num_parameters < 1; when called, if x has no such axis, or another number of
            channels along it.
        TypeError: when called, if x is complex.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, equation 1

    Example:
        >>> layer = jaxact.nnx.PReLU(num_parameters=2)
        >>> layer(jnp.array([[-4.0, 2.0], [8.0, -1.0]]))
        Array([[-1.  ,  2.  ],
               [ 8.  , -0.25]], dtype=float32)
    """

    def __init__(
        self,
        num_parameters: int = 1,
        *,
        axis: int = -1,
        negative_slope_init: float = 0.25,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        negative_slope_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        require(
            num_parameters >= 1,
            "jaxact.nnx.PReLU",
            "num_parameters",
            num_parameters,
            "be 1 or the number of channels",
        )
        shape = () if num_parameters == 1 else (num_parameters,)
        self.negative_slope = nnx.Param(
            jnp.full(shape, negative_slope_init, param_dtype), **negative_slope_metadata
        )
        self.num_parameters = num_parameters
        self.axis = axis
        self.dtype = dtype
        self.param_dtype = param_dtype
        self.promote_dtype = promote_dtype

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        x, slope = real(inputs, "nnx.PReLU"), self.negative_slope[...]
        if self.dtype is not None:
            x, slope = self.promote_dtype((x, slope), dtype=self.dtype)
        return prelu(x, per_channel("nnx.PReLU", slope, self.axis, x))


class RReLU(nnx.Module):
    """Randomised leaky ReLU: slopes drawn in training, their mean in evaluation.

    Computes `jaxact.rrelu`: with a fresh key, hence a slope of its own for every element, after
    `train()` (or with `deterministic=False`, given here or in the call), and with the mean slope
    after `eval()` (or with `deterministic=True`), where no `rngs` are needed.

    Args:
        lower: the smallest slope.
        upper: the largest slope.
        distribution: "uniform" or "normal", truncated to [lower, upper]; see `jaxact.rrelu`.
        deterministic: whether to use the mean slope.
        rng_collection: the stream of `rngs` that keys are drawn from.
        rngs: where keys come from, unless the call brings its own.

    Raises:
        ValueError: if lower > upper, or if the distribution is unknown; when called, if it is to be
            random and there are no `rngs`.
        TypeError: if `rngs` is no `nnx.Rngs` or `nnx.RngStream`; when called, if x is complex.

    Source:
        Xu, Wang, Chen & Li, arXiv:1505.00853

    Example:
        >>> layer = jaxact.nnx.RReLU(0.25, 0.75, rngs=nnx.Rngs(0))
        >>> slopes = layer(-jnp.ones(1000)) * -1
        >>> 0.25 <= slopes.min() < slopes.max() <= 0.75
        Array(True, dtype=bool)
        >>> layer.eval()
        >>> layer(jnp.array([-4.0, 2.0]))
        Array([-2.,  2.], dtype=float32)
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        distribution: str = "uniform",
        *,
        deterministic: bool | None = False,
        rng_collection: str = "rrelu",
        rngs: nnx.Rngs | nnx.RngStream | None = None,
    ):
        self.lower = lower
        self.upper = upper
        self.distribution = distribution
        self.deterministic = deterministic
        self.rng_collection = rng_collection
        jax.eval_shape(self._activate, 0.0)  # refuses now what the first call would refuse

        if isinstance(rngs, nnx.Rngs):
            self.rngs = rngs[rng_collection].fork()
        elif isinstance(rngs, nnx.RngStream):
            self.rngs = rngs.fork()
        elif rngs is None:
            self.rngs = nnx.data(None)
        else:
            raise TypeError(f"rngs must be a Rngs, RngStream or None, but got {type(rngs)}.")

    def __call__(
        self,
        inputs: ArrayLike,
        *,
        deterministic: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | Array | None = None,
    ) -> Array:
        """Returns the activations of `inputs`.

        Args:
            inputs: an array of any shape.
            deterministic: whether to use the mean slope; takes precedence over the attribute.
            rngs: a key, or where to draw one; takes precedence over the attribute.
        """
        deterministic = first_from(
            deterministic,
            self.deterministic,
            error_msg=(
                "No `deterministic` argument was provided to RReLU: pass it to the constructor or "
                "to the call, or call `train()` or `eval()` on the model."
            ),
        )
        if deterministic:
            return self._activate(inputs)
        rngs = first_from(
            rngs,
            self.rngs,
            error_msg=(
                "`deterministic` is False, but no `rngs` argument was provided to RReLU: pass it "
                "to the constructor or to the call, or call `eval()` on the model."
            ),
        )
        if isinstance(rngs, nnx.Rngs):
            key = rngs[self.rng_collection]()
        elif isinstance(rngs, nnx.RngStream):
            key = rngs()
        elif isinstance(rngs, Array):
            key = rngs
        else:
            raise TypeError(f"rngs must be a Rngs, RngStream or jax.Array, but got {type(rngs)}.")
        return self._activate(inputs, key)

    def _activate(self, x: ArrayLike, key: Array | None = None) -> Array:
        return rrelu(x, key, lower=self.lower, upper=self.upper, distribution=self.distribution)

    def set_view(self, deterministic: bool | None = None) -> None:
        """Class method used by `nnx.view`.

        Args:
            deterministic: if True, uses the mean slope.
        """
        if deterministic is not None:
            self.deterministic = deterministic


class Maxout(nnx.Module):
    """Maxout: a dense layer with several affine maps per output, of which the largest wins.

    Computes `jaxact.maxout(x @ kernel + bias, num_pieces)`. The pieces of one output are adjacent
    columns, each drawn as the column of a dense layer of its own, so every piece starts with the
    variance that `flax.nnx.Linear(in_features, out_features)` has, and the layer has `num_pieces`
    times its parameters. All other options are those of `flax.nnx.Linear`, and so is the dtype of
    the result: without `dtype`, the common one of x and the parameters.

    Args:
        in_features: the size of the last axis of x.
        out_features: the size of the last axis of the result.
        num_pieces: the number of affine maps per output.
        use_bias: whether to add a bias to every piece.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix product, see `jax.lax.Precision`.
        kernel_init: initializer of each piece's kernel, of shape (in_features, out_features).
        bias_init: initializer of each piece's bias, of shape (out_features,).
        dot_general: the matrix product.
        promote_dtype: brings the tuple `(x, kernel, bias)` to `dtype`.
        preferred_element_type: the dtype that the matrix product gives, see `jax.lax.dot_general`.
        rngs: the stream `params` gives one key for the kernel and one for the bias.
        kernel_metadata: metadata of the kernel, such as its sharding.
        bias_metadata: metadata of the bias.

    Attributes:
        kernel: `nnx.Param` of shape (in_features, out_features * num_pieces).
        bias: `nnx.Param` of shape (out_features * num_pieces,), or None.

    Raises:
        ValueError: if num_pieces < 1.
        TypeError: when called, if x is complex.

    Source:
        Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3

    Example:
        >>> layer = jaxact.nnx.Maxout(3, 4, num_pieces=5, rngs=nnx.Rngs(0))
        >>> layer.kernel.shape, layer.bias.shape
        ((3, 20), (20,))
        >>> layer(jnp.ones((7, 3))).shape
        (7, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_pieces: int = 2,
        *,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: PrecisionLike = None,
        kernel_init: Initializer = default_kernel_init,
        bias_init: Initializer = default_bias_init,
        dot_general: DotGeneralT = lax.dot_general,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        preferred_element_type: Dtype | None = None,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        require(num_pieces >= 1, "jaxact.nnx.Maxout", "num_pieces", num_pieces, "be 1 or more")
        columns = out_features * num_pieces
        kernel = per_piece(kernel_init, num_pieces)(
            rngs.params(), (in_features, columns), param_dtype
        )
        self.kernel = nnx.Param(kernel, **kernel_metadata)
        self.bias: nnx.Param[Array] | None
        if use_bias:
            bias = per_piece(bias_init, num_pieces)(rngs.params(), (columns,), param_dtype)
            self.bias = nnx.Param(bias, **bias_metadata)
        else:
            self.bias = nnx.data(None)

        self.in_features = in_features
        self.out_features = out_features
        self.num_pieces = num_pieces
        self.use_bias = use_bias
        self.dtype = dtype
        self.param_dtype = param_dtype
        self.precision = precision
        self.dot_general = dot_general
        self.promote_dtype = promote_dtype
        self.preferred_element_type = preferred_element_type

    def __call__(self, inputs: ArrayLike, out_sharding: Any = None) -> Array:
        """Returns the largest piece of every output.

        Args:
            inputs: an array of shape (..., in_features).
            out_sharding: the sharding of the result, see `jax.lax.dot_general`.
        """
        x = real(inputs, "nnx.Maxout", keep_integers=True)
        bias = self.bias[...] if self.bias is not None else None
        x, kernel, bias = self.promote_dtype((x, self.kernel[...], bias), dtype=self.dtype)
        # As in flax.nnx.Linear, a dot_general of the user's need not know every option.
        options = {"out_sharding": out_sharding}
        if self.preferred_element_type is not None:
            options["preferred_element_type"] = self.preferred_element_type
        y = self.dot_general(
            x,
            kernel,
            (((x.ndim - 1,), (0,)), ((), ())),
            precision=self.precision,
            **options,
        )
        if bias is not None:
            y += jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,))
        return maxout(y, self.num_pieces)
