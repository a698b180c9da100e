"""What all Linen modules share: options and inputs that are refused where they do not fit."""

import functools
import inspect
from typing import Any

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._arguments import axis_index, real
from .._domains import require_as_declared
from .._modules import require_features


class Module(nn.Module):
    """A module whose fields are what their annotations say."""

    def __post_init__(self):
        declared = _declared(type(self))
        given = {name: getattr(self, name) for name in declared}
        require_as_declared(self._title, declared, given)
        super().__post_init__()

    def _inputs(
        self,
        inputs: ArrayLike,
        *learned: str,
        along: int = 0,
        axis: int = -1,
        keep_integers: bool = False,
    ) -> Array:
        """The inputs, if they have the features that were there when parameters were made.

        `learned` is the path of a parameter that has so many entries along an axis.
        """
        x = real(inputs, self._title, keep_integers=keep_integers)
        axis = axis_index(self._title, axis, x.ndim)
        parameter: Any = self.variables.get("params", {})
        for name in learned:
            parameter = parameter.get(name, {})
        if learned and not isinstance(parameter, dict):
            number = nn.meta.unbox(parameter).shape[along]
            remedy = f"pass x with {number}, or call init for it"
            require_features(self._title, number, axis, x, remedy)
        return x

    @property
    def _title(self) -> str:
        return f"linen.{type(self).__name__}"


@functools.cache
def _declared(kind: type) -> dict[str, Any]:
    """The annotations of the fields that are declared here, not in Flax nor in a subclass."""
    ours = [c for c in kind.__mro__[::-1] if c.__module__.startswith("jaxact.")]
    found = {n: a for c in ours for n, a in inspect.get_annotations(c).items()}
    return {name: annotation for name, annotation in found.items() if name != "_"}
