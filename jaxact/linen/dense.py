"""Dense layers whose activation takes several affine maps of the input."""

import functools
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.linen.linear import default_kernel_init
from flax.typing import DotGeneralT, Initializer
from jax import Array, lax
from jax.typing import ArrayLike

from .._domains import Count
from .._initializers import per_piece
from .._layouts import Layout
from .._modules import Activation, Dtype, Precision, gating, halved
from ..functions import maxout, swiglu
from ._module import Module


class Maxout(Module):
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

    features: Count
    num_pieces: Count = 2
    _: KW_ONLY
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: Precision = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = nn.initializers.zeros_init()
    promote_dtype: Callable[..., list[Any]] = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Callable[..., Any] | None = None

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the largest piece of every output for `inputs` of shape (..., in_features)."""
        x = self._inputs(inputs, "kernel", keep_integers=True)
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


class GatedLinear(Module):
    """Gated linear layer: two affine maps of the input, of which one gates the other.

    Computes `activation(gate, value)` of the outputs of two dense layers called `gate` and `value`:
    with `jaxact.swiglu` the first half of the feed-forward block of most large language models,
    with `jaxact.geglu`, `jaxact.reglu` or `jaxact.bilinear` the others of its paper. An ordinary
    dense layer back to the model's width completes the block.

    The two maps are layers of their own: where features are sharded, the two numbers that make one
    output lie on one device, and the gate needs no communication. Reverse mode keeps the outputs of
    the two maps and nothing else of the gate. Checkpoints that hold both in one kernel load into
    the one map that `layout` makes. All other options are those of `flax.linen.Dense`, for every
    map. (The paper leaves out the biases: `use_bias=False`.)

    Attributes:
        features: the size of the last axis of the result, and of each map's output.
        activation: a gate, a function of two arrays, gate first; or an activation, whose product
            with the value gates; or the name of either, as `jaxact.get` finds it.
        layout: None for two maps; or how one map of twice the features, called `gate_and_value`,
            holds the two, the gate first: "halves", "interleaved" (in turn), or the size of blocks
            that take turns.
        use_bias: whether to add a bias to either map.
        dtype: the dtype of the computation; by default the common one of x and the parameters.
        param_dtype: the dtype of the parameters.
        precision: of the matrix products, see `jax.lax.Precision`.
        kernel_init: initializer of either kernel, of shape (in_features, features).
        bias_init: initializer of either bias, of shape (features,).
        promote_dtype: brings x, kernel and bias of either map to `dtype`.
        dot_general: the matrix product; by default `jax.lax.dot_general`.
        dot_general_cls: makes the matrix product, in place of `dot_general`.

    Raises:
        ValueError: if there is no such activation or layout.
        TypeError: if x is complex.

    Source:
        Shazeer, GLU variants improve Transformer, arXiv:2002.05202

    Example:
        >>> block = nn.Sequential([
        ...     jaxact.linen.GatedLinear(32, activation=jaxact.swiglu, use_bias=False),
        ...     nn.Dense(8, use_bias=False),
        ... ])
        >>> variables = block.init(jax.random.key(0), jnp.ones((5, 8)))
        >>> jax.tree.map(jnp.shape, variables["params"]["layers_0"])
        {'gate': {'kernel': (8, 32)}, 'value': {'kernel': (8, 32)}}
        >>> block.apply(variables, jnp.ones((5, 8))).shape
        (5, 8)
    """

    features: Count
    _: KW_ONLY
    activation: Activation = swiglu
    layout: Layout | None = None
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: Precision = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = nn.initializers.zeros_init()
    promote_dtype: Callable[..., list[Any]] = promote_dtype
    dot_general: DotGeneralT | None = None
    dot_general_cls: Callable[..., Any] | None = None

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the gated values for `inputs` of shape (..., in_features)."""
        combine = gating(self.activation)
        first = "gate" if self.layout is None else "gate_and_value"
        x = self._inputs(inputs, first, "kernel", keep_integers=True)
        dense = functools.partial(
            nn.Dense,
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            precision=self.precision,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
            promote_dtype=self.promote_dtype,
            dot_general=self.dot_general,
            dot_general_cls=self.dot_general_cls,
        )
        if self.layout is None:
            return combine(*(dense(self.features, name=name)(x) for name in ("gate", "value")))
        both = dense(2 * self.features, name="gate_and_value")(x)
        return combine(*halved("linen.GatedLinear", both, self.layout))
