"""Dense layers whose activation takes several affine maps of the input."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.nnx.nn.linear import default_bias_init, default_kernel_init
from flax.typing import DotGeneralT, Initializer, PromoteDtypeFn
from jax import Array, lax
from jax.typing import ArrayLike

from .._domains import Count, checked
from .._initializers import per_piece
from .._layouts import Layout, checked_layout
from .._modules import (
    Activation,
    Dtype,
    Precision,
    Sharding,
    dense_inputs,
    gating,
    halved,
)
from ..functions import maxout, swiglu


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

    @checked("nnx.Maxout")
    def __init__(
        self,
        in_features: Count,
        out_features: Count,
        num_pieces: Count = 2,
        *,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: Precision = None,
        kernel_init: Initializer = default_kernel_init,
        bias_init: Initializer = default_bias_init,
        dot_general: DotGeneralT = lax.dot_general,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        preferred_element_type: Dtype | None = None,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
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

    @checked("nnx.Maxout")
    def __call__(self, inputs: ArrayLike, out_sharding: Sharding = None) -> Array:
        """Returns the largest piece of every output.

        Args:
            inputs: an array of shape (..., in_features).
            out_sharding: the sharding of the result, see `jax.lax.dot_general`.
        """
        x = dense_inputs("nnx.Maxout", inputs, self.in_features)
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


class GatedLinear(nnx.Module):
    """Gated linear layer: two affine maps of the input, of which one gates the other.

    Computes `activation(gate, value)` of gate = x @ gate.kernel + gate.bias and
    value = x @ value.kernel + value.bias: with `jaxact.swiglu` the first half of the feed-forward
    block of most large language models, with `jaxact.geglu`, `jaxact.reglu` or `jaxact.bilinear`
    the others of its paper. An ordinary linear layer back to the model's width completes the block.

    The two maps are layers of their own: where out_features are sharded, the two numbers that make
    one output lie on one device, and the gate needs no communication. Reverse mode keeps the
    outputs of the two maps and nothing else of the gate. Checkpoints that hold both in one kernel
    load into the one map that `layout` makes. All other options are those of
    `flax.nnx.Linear`, for either map. (The paper leaves out the biases: `use_bias=False`.)

    Args:
        in_features: the size of the last axis of x.
        out_features: the size of the last axis of the result, and of each map's output.
        activation: a gate, a function of two arrays, gate first; or an activation, whose product
            with the value gates; or the name of either, as `jaxact.get` finds it.
        layout: None for two maps; or how one map of twice the features holds the two, the gate
            first: "halves", "interleaved" (in turn), or the size of blocks that take turns.
        use_bias: whether to add a bias to either map.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix products, see `jax.lax.Precision`.
        kernel_init: initializer of either kernel.
        bias_init: initializer of either bias.
        dot_general: the matrix product.
        promote_dtype: brings the tuple `(x, kernel, bias)` of either map to `dtype`.
        preferred_element_type: the dtype that the matrix products give, see `jax.lax.dot_general`.
        rngs: the stream `params` gives one key for every parameter.
        kernel_metadata: metadata of either kernel, such as its sharding.
        bias_metadata: metadata of either bias.

    Attributes:
        gate: `nnx.Linear` with a kernel of shape (in_features, out_features).
        value: likewise.
        gate_and_value: with a layout, in place of both, `nnx.Linear` with a kernel of shape
            (in_features, 2 * out_features).

    Raises:
        ValueError: if there is no such activation or layout.
        TypeError: when called, if x is complex.

    Source:
        Shazeer, GLU variants improve Transformer, arXiv:2002.05202

    Example:
        >>> rngs = nnx.Rngs(0)
        >>> block = nnx.Sequential(
        ...     jaxact.nnx.GatedLinear(8, 32, activation=jaxact.swiglu, use_bias=False, rngs=rngs),
        ...     nnx.Linear(32, 8, use_bias=False, rngs=rngs),
        ... )
        >>> block(jnp.ones((5, 8))).shape
        (5, 8)
    """

    @checked("nnx.GatedLinear")
    def __init__(
        self,
        in_features: Count,
        out_features: Count,
        *,
        activation: Activation = swiglu,
        layout: Layout | None = None,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: Precision = None,
        kernel_init: Initializer = default_kernel_init,
        bias_init: Initializer = default_bias_init,
        dot_general: DotGeneralT = lax.dot_general,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        preferred_element_type: Dtype | None = None,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        linear = functools.partial(
            nnx.Linear,
            in_features,
            use_bias=use_bias,
            dtype=dtype,
            param_dtype=param_dtype,
            precision=precision,
            kernel_init=kernel_init,
            bias_init=bias_init,
            dot_general=dot_general,
            promote_dtype=promote_dtype,
            preferred_element_type=preferred_element_type,
            rngs=rngs,
            kernel_metadata=kernel_metadata,
            bias_metadata=bias_metadata,
        )
        if layout is None:
            self.gate, self.value = linear(out_features), linear(out_features)
        else:
            checked_layout("nnx.GatedLinear", layout)
            self.gate_and_value = linear(2 * out_features)
        self.in_features = in_features
        self.activation = activation
        self.layout = layout

    @checked("nnx.GatedLinear")
    def __call__(self, inputs: ArrayLike, out_sharding: Sharding = None) -> Array:
        """Returns the gated values.

        Args:
            inputs: an array of shape (..., in_features).
            out_sharding: the sharding of either map's output, see `jax.lax.dot_general`.
        """
        x = dense_inputs("nnx.GatedLinear", inputs, self.in_features)
        if self.layout is None:
            two = self.gate(x, out_sharding), self.value(x, out_sharding)
        else:
            two = halved("nnx.GatedLinear", self.gate_and_value(x, out_sharding), self.layout)
        return gating(self.activation)(*two)
