"""jaxact: the activation layer for JAX.

Functions are here, and `get` finds them by name; what needs more than jax stands in rooms of its
own, imported when first named:
`jaxact.nnx` and `jaxact.linen` (Flax modules), `jaxact.backward` (what reverse mode keeps),
`jaxact.theory` (gains and moments), `jaxact.diagnostics` (what becomes of units and gradients).
`adopt` lets our functions compute the activations of any program.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import functions
from ._catalog import CATALOG, Entry, activation
from ._derivatives import Kernel
from ._plain import plain
from .functions import *  # noqa: F403
from .names import get

if TYPE_CHECKING:  # else entered when they are named
    from . import backward, diagnostics, linen, nnx, theory
    from .adoption import adopt

__all__ = [
    "CATALOG",
    "Entry",
    "Kernel",
    "activation",
    "adopt",
    "backward",
    "diagnostics",
    "get",
    "linen",
    "nnx",
    "plain",
    "theory",
]
__all__ += functions.__all__

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "adopt":
        return importlib.import_module(f"{__name__}.adoption").adopt
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
