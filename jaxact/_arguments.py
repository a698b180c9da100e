"""What callers pass in: made into arrays, or refused with a remedy."""

import numbers
import operator
from collections.abc import Sequence
from typing import Any, TypeGuard

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


def real(x: ArrayLike, name: str, *, keep_integers: bool = False) -> Array:
    """Returns `x` as an array of a floating dtype; integers and booleans become the default float.

    Raises:
        TypeError: if `x` is complex or not numeric.
    """
    array = as_array(x)
    dtype = array.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        return array
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"jaxact.{name} is defined for real x, got dtype {dtype}: "
            "apply it to the real and the imaginary part, or to the absolute value"
        )
    if not (jnp.issubdtype(dtype, jnp.integer) or dtype == jnp.bool_):
        raise TypeError(f"jaxact.{name} needs numbers, got dtype {dtype}: pass real numbers")
    if keep_integers and dtype != jnp.bool_:
        return array
    return array.astype(jnp.result_type(float))


def as_array(x: ArrayLike) -> Array:
    """Returns an array as it is, and makes one of anything else."""
    return x if isinstance(x, Array) else jnp.asarray(x)


def is_number(parameter: Any) -> TypeGuard[float]:
    """Whether a parameter is a Python number: known when traced, exact, and hashable."""
    return type(parameter) is float or isinstance(parameter, numbers.Real)  # the first is fast


Rows = ArrayLike | Sequence[ArrayLike]  # a parameter with several entries, along its leading axis


def rows(name: str, parameter: str, entries: Rows) -> list[float | Array]:
    """The entries of a parameter along its leading axis: numbers as they are, else arrays.

    Raises:
        ValueError: if there is no such axis.
    """
    if isinstance(entries, Sequence):
        return [entry if is_number(entry) else real(entry, name) for entry in entries]
    array = real(entries, name)
    if not array.ndim:
        raise ValueError(
            f"jaxact.{name}: {parameter} is one number, but must have an entry for each term: "
            "pass a sequence, or an array with a leading axis"
        )
    return list(jnp.unstack(array))


def broadcast(
    name: str, x: Array, parameters: dict[str, Array], *, called: str = "x"
) -> tuple[Array, list[Array]]:
    """Brings `x` to the common shape and every parameter to its rank; copies no parameter.

    `called` is what the function calls its x.

    Raises:
        ValueError: if a parameter does not broadcast against `x`.
    """
    shape = x.shape
    for parameter, value in parameters.items():
        try:
            shape = jnp.broadcast_shapes(shape, value.shape)
        except ValueError:
            raise ValueError(
                f"jaxact.{name}: {parameter} of shape {value.shape} does not broadcast against "
                f"{called} of shape {x.shape}: line its axes up with the last ones of {called}"
            ) from None
    if shape != x.shape:
        x = jnp.broadcast_to(x, shape)
    aligned = [
        value
        if value.ndim in (0, len(shape))
        else jnp.expand_dims(value, tuple(range(len(shape) - value.ndim)))
        for value in parameters.values()
    ]
    return x, aligned


def axis_index(name: str, axis: int, ndim: int) -> int:
    """Returns `axis` counted from the front.

    Raises:
        ValueError: if the array has no such axis.
    """
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"jaxact.{name}: axis is {axis}, but x has {ndim} dimensions: "
            + (f"choose one from {-ndim} to {ndim - 1}" if ndim else "pass an array with features")
        )
    return axis % ndim


Axis = int | Sequence[int] | None


def static(axis: Axis) -> Axis:
    """The same axis or axes, as a value that a program may be compiled for."""
    if type(axis) is int or axis is None or _is_index(axis):
        return axis
    return tuple(axis)  # type: ignore[arg-type]


def _is_index(axis: Any) -> bool:
    return hasattr(axis, "__index__")  # `isinstance` of a protocol takes longer than a call


def axis_indices(name: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Returns axes counted from the front; None stands for all.

    Raises:
        ValueError: if the array has no such axis, or if one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes: Any = (axis,) if _is_index(axis) else axis
    indices = tuple(axis_index(name, operator.index(a), ndim) for a in axes)
    if len(set(indices)) < len(indices):
        raise ValueError(f"jaxact.{name}: axis is {axis}, which names one twice: name each once")
    return indices


def require(condition: bool, name: str, parameter: str, value: Any, remedy: str) -> None:
    """Refuses a parameter.

    Raises:
        ValueError: naming the parameter, its value and the remedy, unless `condition` holds.
    """
    if not condition:
        raise ValueError(f"{name}: {parameter} is {value!r}, but must {remedy}")


def require_ordered(
    name: str, lower: tuple[str, Any], upper: tuple[str, Any], *, strictly: bool = False
) -> None:
    """Refuses bounds in the wrong order, where both are Python numbers.

    Raises:
        ValueError: naming both bounds and their values.
    """
    (low_name, low), (high_name, high) = lower, upper
    if is_number(low) and is_number(high) and (low >= high if strictly else low > high):
        raise ValueError(
            f"{name}: {low_name} is {low!r}, above {high_name}, which is {high!r}: swap them"
        )
