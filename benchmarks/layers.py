"""Modules as functions of an input and their parameters, in whichever library they are."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen, nnx
from jax import Array

import jaxact.linen
import jaxact.nnx

IMAGES = (1, 14, 14)  # what a layer sees of the input when it is made, but for the channels


class Layer(NamedTuple):
    """A module without its parameters, and those."""

    function: Callable[[Array, Any], Any]
    parameters: Any


def _modules(room: str, namespace: Any, base: type) -> Iterator[tuple[str, type]]:
    for name, thing in vars(namespace).items():
        if isinstance(thing, type) and issubclass(thing, base) and not name.startswith("_"):
            yield f"{room}.{name}", thing


LAYERS: dict[str, type] = {
    **dict(_modules("nnx", jaxact.nnx, nnx.Module)),
    **dict(_modules("linen", jaxact.linen, linen.Module)),
}


@functools.cache
def layer(module: type, channels: int) -> Layer:
    """Makes a module for so many channels, as one does by default; it draws nothing at random."""
    sizes = dict.fromkeys(("in_features", "out_features", "features", "num_features"), channels)
    given = {**sizes, "deterministic": True, "use_running_average": True, "rngs": nnx.Rngs(0)}
    accepted = inspect.signature(module.__init__).parameters
    made = module(**{name: value for name, value in given.items() if name in accepted})
    if isinstance(made, nnx.Module):
        return _of_nnx(made)
    if isinstance(made, linen.Module):
        return _of_linen(made, channels)
    return _of_equinox(made)


def takes(module: type, x: jax.ShapeDtypeStruct) -> bool:
    """Whether a module takes such an array: some take nothing but images."""
    function, parameters = layer(module, x.shape[-1])
    try:
        jax.eval_shape(function, x, parameters)
    except ValueError:
        return False
    return True


def _of_nnx(made: nnx.Module) -> Layer:
    graph, state, others = nnx.split(made, nnx.Param, ...)

    def function(x, parameters):
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, parameters)
        return nnx.merge(graph, filled, others)(x)

    return Layer(function, nnx.to_pure_dict(state))


def _of_linen(made: linen.Module, channels: int) -> Layer:
    others = dict(made.init(jax.random.key(0), jnp.ones((*IMAGES, channels))))
    parameters = others.pop("params", {})
    return Layer(lambda x, p: made.apply({"params": p, **others}, x), parameters)


def _of_equinox(made: Any) -> Layer:
    """A module of equinox is a tree, and its arrays are the parameters."""
    leaves, structure = jax.tree.flatten(made)
    return Layer(lambda x, p: jax.tree.unflatten(structure, p)(x), leaves)
