"""Activations whose shape depends on the input around, or on all of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.nnx.nn.linear import default_bias_init, default_kernel_init
from flax.typing import Dtype, Initializer, PrecisionLike, PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._modules import channel_axis, larger


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

    def __init__(
        self,
        num_features: int,
        *,
        kernel_size: int | Sequence[int] = (3, 3),
        use_running_average: bool | None = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        precision: PrecisionLike = None,
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

    def __call__(
        self,
        inputs: ArrayLike,
        use_running_average: bool | None = None,
        out_sharding: Any = None,
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
