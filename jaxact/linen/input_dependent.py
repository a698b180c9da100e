"""Activations whose shape depends on the input around, or on all of it."""

import functools
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.linen.linear import default_kernel_init
from flax.typing import Initializer
from jax import Array
from jax.typing import ArrayLike

from .._domains import Count, Finite, NotNegative, checked
from .._modules import Axes, Dtype, Precision, Window, dynamic_lines, larger, pooled, squeezed
from ..functions import dynamic_relu, relu, tanh
from ._module import Module


class FReLU(Module):
    """Funnel activation: a ReLU whose threshold is a learned average of the neighbourhood.

    Computes the larger of x and T(x) by `jaxact.maxout`, of which reverse mode keeps one bit per
    element. T is a depthwise convolution without bias (a 3 x 3 window per channel, padded to the
    size of x), called `conv`, followed by batch normalization with scale and bias, called `norm`,
    whose running averages are in the collection `batch_stats`. The kernel, of shape (*kernel_size,
    1, channels), starts as that of `flax.linen.Conv`; channels are last, as there.

    Attributes:
        kernel_size: the window of T, one number per spatial axis of x.
        use_running_average: whether to normalize with running averages; given here or in the call,
            not in both.
        momentum: how slowly the running averages move.
        epsilon: what is added to the variance.
        dtype: the dtype of the computation and of the result; by default T is computed in the
            common one of x and the parameters, and the result has that of x.
        param_dtype: the dtype of the parameters.
        precision: of the convolution, see `jax.lax.Precision`.
        kernel_init: initializer of the kernel.
        scale_init: initializer of the normalization's scale.
        bias_init: initializer of its bias.
        axis_name: the mapped axis over which batch statistics are shared, see
            `flax.linen.BatchNorm`.
        promote_dtype: brings x and kernel to `dtype`.

    Raises:
        ValueError: if `use_running_average` is given nowhere or twice.
        TypeError: if x is complex.

    Source:
        Ma, Zhang & Sun, Funnel activation for visual recognition, arXiv:2007.11824

    Example:
        >>> layer, x = jaxact.linen.FReLU(use_running_average=True), jnp.ones((2, 8, 8, 3))
        >>> variables = layer.init(jax.random.key(0), x)
        >>> layer.apply(variables, x).shape
        (2, 8, 8, 3)
    """

    _: KW_ONLY
    kernel_size: Window = (3, 3)
    use_running_average: bool | None = None
    momentum: Finite = 0.99
    epsilon: NotNegative = 1e-5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: Precision = None
    kernel_init: Initializer = default_kernel_init
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros
    axis_name: str | None = None
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    @nn.compact
    @checked("linen.FReLU")
    def __call__(self, inputs: ArrayLike, use_running_average: bool | None = None) -> Array:
        """Returns the activations.

        Args:
            inputs: an array of shape (..., spatial axes, channels).
            use_running_average: whether to normalize with running averages, unless the attribute
                says so.
        """
        x = self._inputs(inputs, "conv", "kernel", along=-1)
        average = nn.merge_param(
            "use_running_average", self.use_running_average, use_running_average
        )
        threshold = nn.Conv(
            x.shape[-1],
            self.kernel_size,
            feature_group_count=x.shape[-1],
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            precision=self.precision,
            kernel_init=self.kernel_init,
            promote_dtype=self.promote_dtype,
            name="conv",
        )(x)
        threshold = nn.BatchNorm(
            use_running_average=average,
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            scale_init=self.scale_init,
            bias_init=self.bias_init,
            axis_name=self.axis_name,
            name="norm",
        )(threshold)
        dtype = x.dtype if self.dtype is None else self.dtype
        return larger(x.astype(dtype), threshold.astype(dtype))


class DynamicReLU(Module):
    """Dynamic ReLU: the largest of lines whose slopes and intercepts depend on the whole input.

    Computes `jaxact.dynamic_relu(x, slopes, intercepts)`, with lines of their own for each channel
    of each image (variant B of the paper). The mean of x over `pool_axes` goes through two dense
    layers with a ReLU between, `squeeze` to a fraction of the channels and `excite` to two numbers
    for each line and channel, of one channel the slopes and then the intercepts, which tanh(z / 2)
    = 2 sigmoid(z) - 1 brings between -1 and 1. These, times `slope_range` and `intercept_range`,
    are added to the lines of ReLU: slope 1 and, for the other lines, 0, with intercepts 0.

    Attributes:
        num_pieces: the number of lines.
        reduction: the channels are squeezed to channels / reduction, 1 at least.
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

    Raises:
        ValueError: if num_pieces or reduction is less than 1, or if x has not the axes to pool.
        TypeError: if x is complex.

    Source:
        Chen et al., Dynamic ReLU, ECCV 2020, arXiv:2003.10027

    Example:
        >>> layer, x = jaxact.linen.DynamicReLU(), jnp.ones((2, 8, 8, 16))
        >>> variables = layer.init(jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, variables["params"]["excite"])
        {'bias': (64,), 'kernel': (2, 64)}
        >>> layer.apply(variables, x).shape
        (2, 8, 8, 16)
    """

    _: KW_ONLY
    num_pieces: Count = 2
    reduction: Count = 8
    pool_axes: Axes = (-3, -2)
    slope_range: Finite = 1.0
    intercept_range: Finite = 0.5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: Precision = None
    kernel_init: Initializer = default_kernel_init
    bias_init: Initializer = nn.initializers.zeros
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of shape (..., channels)."""
        x = self._inputs(inputs, "squeeze", "kernel")
        context = pooled("linen.DynamicReLU", x, self.pool_axes)
        channels = x.shape[-1]
        hidden = squeezed(channels, self.reduction)
        dense = functools.partial(
            nn.Dense,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            precision=self.precision,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
            promote_dtype=self.promote_dtype,
        )
        hidden_values = relu(dense(hidden, name="squeeze")(context))
        changes = tanh(dense(2 * self.num_pieces * channels, name="excite")(hidden_values) / 2)
        lines = dynamic_lines(changes, self.num_pieces, self.slope_range, self.intercept_range)
        return dynamic_relu(x if self.dtype is None else x.astype(self.dtype), *lines)
