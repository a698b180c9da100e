"""What the modules of both Flax APIs share: how their parameters line up with what they act on."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ._arguments import axis_index


def per_channel(name: str, slope: Array, axis: int, x: Array) -> Array:
    """Returns the slopes lined up with the channels of `x`; a shared slope is left as it is.

    Raises:
        ValueError: if `x` has no such axis, or another number of channels along it.
    """
    if slope.ndim == 0:
        return slope
    axis = axis_index(name, axis, x.ndim)
    (num_parameters,), channels = slope.shape, x.shape[axis]
    if num_parameters != channels:
        raise ValueError(
            f"jaxact.{name}: num_parameters is {num_parameters}, but axis {axis} of x of shape "
            f"{x.shape} has {channels} channels: pass num_parameters={channels}, or 1 to share one "
            "slope, or the axis that holds the channels"
        )
    return jnp.expand_dims(slope, tuple(range(1, x.ndim - axis)))


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
        return jax.tree.map(lambda *values: _side_by_side(shape, *values), *pieces)

    return initialize


def _side_by_side(shape: tuple[int, ...], *pieces: Any) -> Any:
    if hasattr(pieces[0], "raw_value"):  # wrapped by nnx.with_metadata, and no pytree
        value = _side_by_side(shape, *(piece.raw_value for piece in pieces))
        return dataclasses.replace(pieces[0], raw_value=value)
    return jnp.stack(pieces, axis=-1).reshape(shape)
