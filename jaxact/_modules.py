"""What the modules of both Flax APIs share: how their parameters line up with x."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from ._arguments import axis_index, axis_indices, require
from .functions import maxout


def parameter_shape(name: str, number: int, called: str = "num_parameters") -> tuple[int, ...]:
    """Returns the shape of a parameter that is one per channel; 1 of num_parameters is shared.

    `called` is what the module calls the number of channels.

    Raises:
        ValueError: if it is less than 1.
    """
    may_be_shared = called == "num_parameters"
    remedy = "be 1 or the number of channels" if may_be_shared else "be the number of channels"
    require(number >= 1, f"jaxact.{name}", called, number, remedy)
    return () if may_be_shared and number == 1 else (number,)


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


def require_degrees(name: str, degrees: tuple[int, int]) -> None:
    """Refuses degrees of a rational function.

    Raises:
        ValueError: naming them, unless both are 1 or more.
    """
    require(min(degrees) >= 1, f"jaxact.{name}", "degrees", degrees, "be 1 or more each")


def squeezed(name: str, channels: int, num_pieces: int, reduction: int) -> int:
    """Returns to how many channels dynamic ReLU squeezes.

    Raises:
        ValueError: if num_pieces or reduction is less than 1.
    """
    for argument, number in (("num_pieces", num_pieces), ("reduction", reduction)):
        require(number >= 1, f"jaxact.{name}", argument, number, "be 1 or more")
    return max(1, channels // reduction)


def pooled(name: str, x: Array, axes: int | Sequence[int]) -> Array:
    """Returns the mean over some axes, which stay, with size 1.

    Raises:
        ValueError: if `x` has no such axis.
    """
    return jnp.mean(x, axis_indices(name, axes, x.ndim), keepdims=True)


def dynamic_lines(
    changes: Array, num_pieces: int, slope_range: float, intercept_range: float
) -> tuple[Array, Array]:
    """Returns slopes and intercepts, line by line along the first axis.

    They are those of ReLU, plus `changes` between -1 and 1: for each channel the slopes, then the
    intercepts, so that where channels are sharded what belongs to one lies on one device.
    """
    lines = jnp.moveaxis(changes.reshape(*changes.shape[:-1], -1, 2 * num_pieces), -1, 0)
    slopes, intercepts = lines[:num_pieces], lines[num_pieces:]
    first = (jnp.arange(num_pieces) == 0).astype(changes.dtype)
    first = first.reshape(-1, *(1,) * (slopes.ndim - 1))
    return first + slope_range * slopes, intercept_range * intercepts
