"""From the name of an activation to a layer: the only place where some activations are special."""

import difflib
from collections.abc import Callable
from functools import partial

import jaxact
import jaxact.nnx
from flax import nnx
from jax import Array

MAXOUT_PIECES = 2

_LAYERS: dict[str, Callable[[int, nnx.Rngs], tuple[Callable[[Array], Array], int]]] = {
    "prelu": lambda channels, rngs: (jaxact.nnx.PReLU(channels, axis=-1), 1),
    "rrelu": lambda channels, rngs: (jaxact.nnx.RReLU(rngs=rngs), 1),
    "maxout": lambda channels, rngs: (
        partial(jaxact.maxout, num_pieces=MAXOUT_PIECES, axis=-1),
        MAXOUT_PIECES,
    ),
}


def comparable() -> list[str]:
    """Returns the names of all activations that can be compared."""
    return [
        name
        for name, entry in jaxact.CATALOG.items()
        if entry.kind == "elementwise" or name in _LAYERS
    ]


def activation_layer(
    name: str, channels: int, rngs: nnx.Rngs
) -> tuple[Callable[[Array], Array], int]:
    """Returns the activation and how many convolution channels it takes for one of its own."""
    if name in _LAYERS:
        return _LAYERS[name](channels, rngs)
    entry = jaxact.CATALOG[name]
    return partial(entry.function, **entry.samples[0]), 1


def nearest(name: str) -> list[str]:
    """Returns the comparable names that `name` may have been meant to be, best first."""
    return difflib.get_close_matches(name, comparable())
