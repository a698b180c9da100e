"""What Linen modules share whose parameters are one for all elements, or one per channel."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._initializers import Init, initializer
from .._modules import Channels, Dtype, parameter_shape, per_channel
from ._module import Module


class PerChannel(Module):
    """Makes parameters of one shape and lines them up with what they act on."""

    num_parameters: Channels = 1
    _: KW_ONLY
    axis: int = -1
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    promote_dtype: Callable[..., list[Any]] = promote_dtype

    def _parameter(
        self,
        called: str,
        init: Init,
        *,
        entries: tuple[int, ...] = (),
        within: Callable[..., Callable[..., Any]] = initializer,
    ) -> Array:
        """A parameter, with as many entries for each channel; `within` makes its initializer."""
        shape = entries + parameter_shape(self.num_parameters)
        initialize = within(init, self._title, f"{called}_init")
        return self.param(called, initialize, shape, self.param_dtype)

    def _aligned(self, inputs: ArrayLike, *parameters: Array) -> list[Array]:
        """The inputs and the parameters, in the dtype and the rank for a function of both."""
        x = real(inputs, self._title)
        values = list(parameters)
        if self.dtype is not None:
            x, *values = self.promote_dtype(x, *values, dtype=self.dtype)
        if self.num_parameters == 1:
            return [x, *values]
        return [x, *(per_channel(self._title, value, self.axis, x) for value in values)]
