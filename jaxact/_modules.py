"""What the modules of both Flax APIs share: how their parameters start and line up with x."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ._arguments import axis_index, is_number, require
from .functions import log1mexp, maxout

Init = ArrayLike | Callable[..., Any]  # what a parameter starts at, or what draws that


def parameter_shape(name: str, num_parameters: int) -> tuple[int, ...]:
    """Returns the shape of a parameter that is shared, or one per channel.

    Raises:
        ValueError: if num_parameters < 1.
    """
    require(
        num_parameters >= 1,
        f"jaxact.{name}",
        "num_parameters",
        num_parameters,
        "be 1 or the number of channels",
    )
    return () if num_parameters == 1 else (num_parameters,)


def per_channel(
    name: str, parameter: Array, axis: int, x: Array, called: str = "num_parameters"
) -> Array:
    """Returns a parameter whose last axis is lined up with the channels of `x`.

    `called` is what the module calls the number of channels.

    Raises:
        ValueError: if `x` has no such axis, or another number of channels along it.
    """
    axis = channel_axis(name, (called, parameter.shape[-1]), axis, x)
    end = parameter.ndim
    return jnp.expand_dims(parameter, tuple(range(end, end + x.ndim - 1 - axis)))


def channel_axis(name: str, expected: tuple[str, int], axis: int, x: Array) -> int:
    """Returns the axis of the channels counted from the front, if it has as many as `expected`.

    Raises:
        ValueError: if `x` has no such axis, or another number of channels along it.
    """
    axis = axis_index(name, axis, x.ndim)
    (argument, number), channels = expected, x.shape[axis]
    if number != channels:
        share = ", or 1 to share one parameter" if argument == "num_parameters" else ""
        raise ValueError(
            f"jaxact.{name}: {argument} is {number}, but axis {axis} of x of shape {x.shape} has "
            f"{channels} channels: pass {argument}={channels}{share}, or the axis that holds the "
            "channels"
        )
    return axis


def larger(x: Array, y: Array) -> Array:
    """Returns the larger of two arrays of one shape, the first among equals; keeps packed bits."""
    pairs = jnp.stack([x, y], axis=-1)
    return maxout(pairs.reshape(*y.shape[:-1], -1), 2)


def initializer(init: Init) -> Callable[..., Any]:
    """Returns `init` if it is an initializer, else the one that starts at that value."""
    return init if callable(init) else jax.nn.initializers.constant(init)


def uniform_within(bound: float) -> Callable[..., Array]:
    """Returns an initializer that draws from -bound to bound."""

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialize


default_slopes_init = uniform_within(0.2)
default_hinges_init = jax.nn.initializers.normal(0.5)


def positive(init: Init) -> Callable[..., Any]:
    """Returns the initializer of what `softplus` takes to the value that `init` starts at."""

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
        inverse = lambda value: value + log1mexp(value)
        return _on_values(inverse, initializer(init)(key, shape, dtype))

    return initialize


def require_positive(name: str, **inits: Init) -> None:
    """Refuses numbers to start at that are not positive.

    Raises:
        ValueError: naming the number and its value.
    """
    for argument, init in inits.items():
        if is_number(init):
            require(init > 0, f"jaxact.{name}", argument, init, "be positive")


def per_piece(initializer: Callable[..., Any], num_pieces: int) -> Callable[..., Any]:
    """Returns an initializer that draws each piece as the parameter of a dense layer of its own.

    The result takes the shape of the whole parameter, and puts the pieces of one output side by
    side. Drawing the whole at once would halve the variance of two pieces under an initializer that
    counts outputs, and would make the pieces of an orthogonal one depend on each other.
    """

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
        *inputs, features = shape
        dense = (*inputs, features // num_pieces)
        pieces = [initializer(k, dense, dtype) for k in jax.random.split(key, num_pieces)]
        side_by_side = lambda *pieces: jnp.stack(pieces, axis=-1).reshape(shape)
        return _on_values(side_by_side, *pieces)

    return initialize


def _on_values(function: Callable[..., Array], *values: Any) -> Any:
    """The function of arrays, within what partitioning wraps them in."""
    if hasattr(values[0], "raw_value"):  # wrapped by nnx.with_metadata, and no pytree
        value = _on_values(function, *(value.raw_value for value in values))
        return dataclasses.replace(values[0], raw_value=value)
    return jax.tree.map(function, *values)
