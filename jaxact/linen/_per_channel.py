"""What Linen modules share whose parameters are one for all elements, or one per channel."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._modules import Init, initializer, parameter_shape, per_channel


class PerChannel(nn.Module):
    """Makes parameters of one shape and lines them up with what they act on."""

    num_parameters: int = 1
    _: KW_ONLY
    axis: int = -1
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    def _aligned(self, inputs: ArrayLike, **inits: Init) -> list[Array]:
        """The inputs and the parameters, in the dtype and the rank for a function of both."""
        name = f"linen.{type(self).__name__}"
        shape = parameter_shape(name, self.num_parameters)
        x = real(inputs, name)
        values = [
            self.param(parameter, initializer(init), shape, self.param_dtype)
            for parameter, init in inits.items()
        ]
        if self.dtype is not None:
            x, *values = self.promote_dtype(x, *values, dtype=self.dtype)
        return [x, *(per_channel(name, value, self.axis, x) for value in values)]
