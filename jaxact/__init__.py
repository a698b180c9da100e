"""jaxact: the activation layer for JAX.

Functions are here; what needs more than jax stands in rooms of its own, imported when first named:
`jaxact.nnx` and `jaxact.linen` (Flax modules), `jaxact.backward` (what reverse mode keeps),
`jaxact.theory` (gains and moments).
"""

import importlib
from typing import Any

from ._catalog import CATALOG as CATALOG, Entry as Entry, activation as activation
from .functions import (
    clipped_relu as clipped_relu,
    elu as elu,
    identity as identity,
    leaky_relu as leaky_relu,
    maxout as maxout,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
    rrelu as rrelu,
    sigmoid as sigmoid,
    tanh as tanh,
)

__version__ = "0.1.0"

_ROOMS = ("backward", "linen", "nnx", "theory")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
