"""From the name of an activation to a layer: the one place where some activations are special."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array

import jaxact

Activation = Callable[[Array], Array]


class Layer(NamedTuple):
    """How a network uses an activation.

    Attributes:
        create: makes the layer for a number of channels.
        pieces: convolution channels that go into one channel of the result.
        curve: the activation as a function of one number, for drawing.
        caption: what the curve shows.
    """

    create: Callable[[int, nnx.Rngs], Activation]
    pieces: int
    curve: Activation
    caption: str


_PIECES = 2
_maxout = partial(jaxact.maxout, num_pieces=_PIECES, axis=-1)

_SPECIAL = {
    "prelu": Layer(
        create=lambda channels, rngs: jaxact.nnx.PReLU(channels, axis=-1),
        pieces=1,
        curve=partial(jaxact.prelu, negative_slope=0.25),
        caption="as initialised, slope 1/4; learnt per channel",
    ),
    "rrelu": Layer(
        create=lambda channels, rngs: jaxact.nnx.RReLU(rngs=rngs),
        pieces=1,
        curve=jaxact.rrelu,
        caption="in evaluation; slope 1/8 to 1/3 in training",
    ),
    "maxout": Layer(
        create=lambda channels, rngs: _maxout,
        pieces=_PIECES,
        curve=lambda x: _maxout(jnp.stack([x, -x / 2], axis=-1))[..., 0],
        caption="an example: the larger of x and -x/2",
    ),
}


def activation_layer(name: str) -> Layer:
    """Returns the layer of the activation called `name`."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    entry = jaxact.CATALOG[name]
    parameters = entry.samples[0]
    caption = ", ".join(f"{parameter} = {value}" for parameter, value in parameters.items())
    function = partial(entry.function, **parameters)
    return Layer(create=lambda channels, rngs: function, pieces=1, curve=function, caption=caption)


def comparable() -> list[str]:
    """Returns the names of all activations that can be compared: there must be something to it."""
    elementwise = [
        name
        for name, entry in jaxact.CATALOG.items()
        if entry.kind == "elementwise" and entry.family != "identity"
    ]
    return sorted({*elementwise, *_SPECIAL})


def nearest(name: str) -> list[str]:
    """Returns the comparable names that `name` may have been meant to be, best first."""
    return difflib.get_close_matches(name, comparable())
