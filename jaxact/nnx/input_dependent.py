"""Activations whose shape depends on the input around, or on all of it."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.nnx.nn.linear import default_bias_init, default_kernel_init
from flax.typing import Initializer, PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._domains import Count, Finite, NotNegative, checked
from .._modules import (
    Axes,
    Dtype,
    Features,
    Precision,
    Sharding,
    Window,
    channel_axis,
    dynamic_lines,
    larger,
    pooled,
    squeezed,
)
from ..functions import dynamic_relu, relu, tanh


class FReLU(nnx.Module):
    """Funnel activation: a ReLU whose threshold is a learned average of the neighbourhood.

    Computes the larger of x and T(x) by `jaxact.maxout`, of which reverse mode keeps one bit per
    element. T is a depthwise convolution without bias (a 3 x 3 window per channel, padded to the
    size of x) followed by batch normalization with scale and bias, so the layer averages over the
    batch after `train()` and uses running averages after `eval()`. The kernel starts as that of
    `flax.nnx.Conv`; channels are last, as there.

    Args:
        num_features: the number of channels of x.
        kernel_size: the window of T, one number per spatial axis of x.
        use_running_average: whether to normalize with running averages.
        momentum: how slowly the running averages move.
        epsilon: what is added to the variance.
        dtype: the dtype of the computation and of the result; by default T is computed in the
            common one of x and the parameters, and the result has that of x.
        param_dtype: the dtype of the parameters.
        precision: of the convolution, see `jax.lax.Precision`.
        kernel_init: initializer of the kernel.
        scale_init: initializer of the normalization's scale.
        bias_init: initializer of its bias.
        axis_name: the mapped axis over which batch statistics are shared, see `flax.nnx.BatchNorm`.
        promote_dtype: brings what convolution and normalization take to `dtype`.
        rngs: the stream `params` gives one key for every parameter.
        kernel_metadata: metadata of the kernel, such as its sharding.
        scale_metadata: metadata of the scale.
        bias_metadata: metadata of the bias.

    Attributes:
        conv: `nnx.Conv` with a kernel of shape (*kernel_size, 1, num_features).
        norm: `nnx.BatchNorm` of num_features channels.

    Raises:
        ValueError: when called, if x has another number of channels.
        TypeError: when called, if x is complex.

    Source:
        Ma, Zhang & Sun, Funnel activation for visual recognition, arXiv:2007.11824

    Example:
        >>> layer = jaxact.nnx.FReLU(3, rngs=nnx.Rngs(0))
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    @checked("nnx.FReLU")
    def __init__(
        self,
        num_features: Features,
        *,
        kernel_size: Window = (3, 3),
        use_running_average: bool | None = False,
        momentum: Finite = 0.99,
        epsilon: NotNegative = 1e-5,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: Precision = None,
        kernel_init: Initializer = default_kernel_init,
        scale_init: Initializer = nnx.initializers.ones,
        bias_init: Initializer = default_bias_init,
        axis_name: str | None = None,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        scale_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        self.num_features = num_features
        self.dtype = dtype
        self.conv = nnx.Conv(
            num_features,
            num_features,
            kernel_size,
            feature_group_count=num_features,
            use_bias=False,
            dtype=dtype,
            param_dtype=param_dtype,
            precision=precision,
            kernel_init=kernel_init,
            promote_dtype=promote_dtype,
            rngs=rngs,
            kernel_metadata=kernel_metadata,
        )
        self.norm = nnx.BatchNorm(
            num_features,
            use_running_average=use_running_average,
            momentum=momentum,
            epsilon=epsilon,
            dtype=dtype,
            param_dtype=param_dtype,
            scale_init=scale_init,
            bias_init=bias_init,
            axis_name=axis_name,
            promote_dtype=promote_dtype,
            rngs=rngs,
            scale_metadata=scale_metadata,
            bias_metadata=bias_metadata,
        )

    @checked("nnx.FReLU")
    def __call__(
        self,
        inputs: ArrayLike,
        use_running_average: bool | None = None,
        out_sharding: Sharding = None,
    ) -> Array:
        """Returns the activations.

        Args:
            inputs: an array of shape (..., spatial axes, num_features).
            use_running_average: takes precedence over the attribute of `norm`.
            out_sharding: the sharding of the convolution's output, see `flax.nnx.Conv`.
        """
        x = real(inputs, "nnx.FReLU")
        channel_axis("nnx.FReLU", ("num_features", self.num_features), -1, x)
        dtype = x.dtype if self.dtype is None else self.dtype
        threshold = self.norm(self.conv(x, out_sharding), use_running_average)
        return larger(x.astype(dtype), threshold.astype(dtype))


class DynamicReLU(nnx.Module):
    """Dynamic ReLU: the largest of lines whose slopes and intercepts depend on the whole input.

    Computes `jaxact.dynamic_relu(x, slopes, intercepts)`, with lines of their own for each channel
    of each image (variant B of the paper). The mean of x over `pool_axes` goes through two dense
    layers with a ReLU between, `squeeze` to a fraction of the channels and `excite` to two numbers
    for each line and channel, which tanh(z / 2) = 2 sigmoid(z) - 1 brings between -1 and 1. These,
    times `slope_range` and `intercept_range`, are added to the lines of ReLU: slope 1 and, for the
    other lines, 0, with intercepts 0.

    Args:
        num_features: the number of channels of x, its last axis.
        num_pieces: the number of lines.
        reduction: the channels are squeezed to num_features / reduction, 1 at least.
        pool_axes: the axes of x, or its one axis, that the mean is taken over.
        slope_range: how far a slope may be from that of ReLU.
        intercept_range: how far an intercept may be from 0.
        dtype: the dtype of the computation and of the result; by default the lines are computed in
            the common one of x and the parameters, and the result has that of x.
        param_dtype: the dtype of the parameters.
        precision: of the matrix products, see `jax.lax.Precision`.
        kernel_init: initializer of either kernel.
        bias_init: initializer of either bias.
        promote_dtype: brings what either dense layer takes to `dtype`.
        rngs: the stream `params` gives one key for every parameter.
        kernel_metadata: metadata of either kernel, such as its sharding.
        bias_metadata: metadata of either bias.

    Attributes:
        squeeze: `nnx.Linear` with a kernel of shape (num_features, num_features / reduction).
        excite: `nnx.Linear` to 2 * num_pieces * num_features numbers: for each channel the slopes,
            then the intercepts.

    Raises:
        ValueError: if num_pieces or reduction is less than 1; when called, if x has another number
            of channels, or not the axes to pool.
        TypeError: when called, if x is complex.

    Source:
        Chen et al., Dynamic ReLU, ECCV 2020, arXiv:2003.10027

    Example:
        >>> layer = jaxact.nnx.DynamicReLU(16, rngs=nnx.Rngs(0))
        >>> layer(jnp.ones((2, 8, 8, 16))).shape
        (2, 8, 8, 16)
    """

    @checked("nnx.DynamicReLU")
    def __init__(
        self,
        num_features: Features,
        *,
        num_pieces: Count = 2,
        reduction: Count = 8,
        pool_axes: Axes = (-3, -2),
        slope_range: Finite = 1.0,
        intercept_range: Finite = 0.5,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: Precision = None,
        kernel_init: Initializer = default_kernel_init,
        bias_init: Initializer = default_bias_init,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs,
        kernel_metadata: Mapping[str, Any] = MappingProxyType({}),
        bias_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        hidden = squeezed(num_features, reduction)
        linear = functools.partial(
            nnx.Linear,
            dtype=dtype,
            param_dtype=param_dtype,
            precision=precision,
            kernel_init=kernel_init,
            bias_init=bias_init,
            promote_dtype=promote_dtype,
            rngs=rngs,
            kernel_metadata=kernel_metadata,
            bias_metadata=bias_metadata,
        )
        self.squeeze = linear(num_features, hidden)
        self.excite = linear(hidden, 2 * num_pieces * num_features)
        self.num_features = num_features
        self.num_pieces = num_pieces
        self.pool_axes = pool_axes
        self.slope_range = slope_range
        self.intercept_range = intercept_range
        self.dtype = dtype

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of shape (..., num_features)."""
        x = real(inputs, "nnx.DynamicReLU")
        channel_axis("nnx.DynamicReLU", ("num_features", self.num_features), -1, x)
        context = pooled("nnx.DynamicReLU", x, self.pool_axes)
        changes = tanh(self.excite(relu(self.squeeze(context))) / 2)
        lines = dynamic_lines(changes, self.num_pieces, self.slope_range, self.intercept_range)
        return dynamic_relu(x if self.dtype is None else x.astype(self.dtype), *lines)
