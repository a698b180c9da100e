"""What NNX modules share whose parameters are one for all elements, or one per channel."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import nnx
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._initializers import Init, initializer
from .._modules import Channels, Dtype, parameter_shape, per_channel


class PerChannel(nnx.Module):
    """Holds parameters and lines them up with what they act on."""

    _called = "num_parameters"  # the number of channels, in the module's own words

    def __init__(
        self,
        num_parameters: Channels,
        axis: int,
        dtype: Dtype | None,
        param_dtype: Dtype,
        promote_dtype: PromoteDtypeFn,
    ):
        self._shape = parameter_shape(num_parameters, self._called)
        setattr(self, self._called, num_parameters)
        self.axis = axis
        self.dtype = dtype
        self.param_dtype = param_dtype
        self.promote_dtype = promote_dtype

    def _parameter(
        self,
        called: str,
        init: Init,
        metadata: Mapping[str, Any],
        rngs: nnx.Rngs | None,
        *,
        entries: tuple[int, ...] = (),
        shared: bool = False,
        within: Callable[..., Callable[..., Any]] = initializer,
    ) -> nnx.Param[Array]:
        """A parameter, with as many entries for each channel; `within` makes its initializer.

        `shared` makes it one for all channels, where others are not.
        """
        if callable(init) and rngs is None:
            raise ValueError(
                f"jaxact.{self._name}: rngs is None, but an initializer draws from it: pass rngs, "
                "or a number to start at"
            )
        key = rngs.params() if callable(init) and rngs is not None else None
        initialize = within(init, self._name, f"{called}_init")
        shape = entries if shared else entries + self._shape
        return nnx.Param(initialize(key, shape, self.param_dtype), **metadata)

    def _aligned(self, inputs: ArrayLike, *parameters: nnx.Param[Array]) -> list[Array]:
        """The inputs and the parameters, in the dtype and the rank for a function of both."""
        x = real(inputs, self._name)
        values = [parameter[...] for parameter in parameters]
        if self.dtype is not None:
            x, *values = self.promote_dtype((x, *values), dtype=self.dtype)
        if not self._shape:
            return [x, *values]
        lined_up = lambda value: per_channel(self._name, value, self.axis, x, self._called)
        return [x, *(lined_up(value) if value.ndim else value for value in values)]

    @property
    def _name(self) -> str:
        return f"nnx.{type(self).__name__}"
