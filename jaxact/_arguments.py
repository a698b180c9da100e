"""What callers pass in: made into arrays, or refused with a remedy."""

import math
import numbers
import operator
import reprlib
from collections.abc import Sequence
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike


def real(x: ArrayLike, name: str, argument: str = "x", *, keep_integers: bool = False) -> Array:
    """Returns `x` as an array of a floating dtype; integers and booleans become the default float.

    Raises:
        TypeError: if `x` is complex or not numeric.
    """
    array = as_array(x, name, argument)
    dtype = array.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        return array
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"jaxact.{name} is defined for real {argument}, got dtype {dtype}: "
            "apply it to the real and the imaginary part, or to the absolute value"
        )
    if not (jnp.issubdtype(dtype, jnp.integer) or dtype == jnp.bool_):
        raise TypeError(
            f"jaxact.{name} needs numbers, but {argument} has dtype {dtype}: pass real numbers"
        )
    if keep_integers and dtype != jnp.bool_:
        return array
    return array.astype(jnp.result_type(float))


def as_array(x: ArrayLike, name: str, argument: str = "x") -> Array:
    """Returns an array as it is, and makes one of anything else that is numbers.

    Raises:
        TypeError: if it is none.
    """
    if isinstance(x, Array):
        return x
    try:
        if not isinstance(x, str | bytes):  # in which NumPy looks for the name of a dtype
            return jnp.asarray(x)
    except (TypeError, ValueError, OverflowError):
        pass
    raise wrong_type(name, argument, x, "be a real number or an array of them")


def wrong_type(name: str, argument: str, value: Any, remedy: str) -> TypeError:
    """An error that names a callable, its argument, what was passed, and what must be."""
    return TypeError(f"jaxact.{name}: {argument} is {shown(value)}, but must {remedy}")


def shown(value: Any) -> str:
    """A value in a few words: of arrays their shape and dtype."""
    if isinstance(value, Array | np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return reprlib.repr(value)


def is_number(parameter: Any) -> TypeGuard[float]:
    """Whether a parameter is a Python number: known when traced, exact, and hashable."""
    return type(parameter) is float or isinstance(parameter, numbers.Real)  # the first is fast


def number(parameter: Any, name: str, argument: str) -> float | None:
    """A Python number as a float, None for an array.

    Raises:
        ValueError: if no float is near it.
    """
    if not is_number(parameter):
        return None
    try:
        return float(parameter)
    except OverflowError:
        raise ValueError(
            f"jaxact.{name}: {argument} is {shown(parameter)}, but must be a number that a float "
            "can be near"
        ) from None


Rows = ArrayLike | Sequence[ArrayLike]  # a parameter with several entries, along its leading axis


def rows(name: str, parameter: str, entries: Rows) -> list[float | Array]:
    """The entries of a parameter along its leading axis: numbers as they are, else arrays.

    Raises:
        ValueError: if there is no such axis.
    """
    if isinstance(entries, str | bytes):
        raise wrong_type(name, parameter, entries, "be a sequence of numbers, or an array")
    if isinstance(entries, Sequence):
        each = ((entry, number(entry, name, parameter)) for entry in entries)
        return [real(entry, name, parameter) if n is None else n for entry, n in each]
    array = real(entries, name, parameter)
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


def axis_index(name: str, axis: int, ndim: int, argument: str = "axis") -> int:
    """Returns `axis` counted from the front.

    Raises:
        TypeError: if it is no integer.
        ValueError: if the array has no such axis.
    """
    axis = whole(name, argument, axis)
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"jaxact.{name}: {argument} is {axis}, but x has {ndim} dimensions: "
            + (f"choose one from {-ndim} to {ndim - 1}" if ndim else "pass an array with features")
        )
    return axis % ndim


def whole(name: str, argument: str, value: Any) -> int:
    """Returns an integer.

    Raises:
        TypeError: if it is none; True and 2.0 are none.
    """
    if type(value) is int:
        return value
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)
    except TypeError:  # of a traced number, too
        pass
    raise wrong_type(name, argument, value, "be an integer")


def flag(name: str, argument: str, value: Any) -> bool:
    """Returns True or False.

    Raises:
        TypeError: if it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise wrong_type(name, argument, value, "be True or False")
    return bool(value)


Axis = int | Sequence[int] | None


def static(name: str, axis: Axis, argument: str = "axis") -> Axis:
    """The same axis or axes, as a value that a program may be compiled for.

    Raises:
        TypeError: if they are no integers.
    """
    if type(axis) is int or axis is None:
        return axis
    if isinstance(axis, Sequence) and not isinstance(axis, str | bytes):
        return tuple(whole(name, argument, a) for a in axis)
    return whole(name, argument, axis)


def axis_indices(name: str, axis: Axis, ndim: int, argument: str = "axis") -> tuple[int, ...]:
    """Returns axes counted from the front; None stands for all.

    Raises:
        TypeError: if they are no integers.
        ValueError: if the array has no such axis, or if one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes: Any = static(name, axis, argument)
    indices = tuple(
        axis_index(name, a, ndim, argument) for a in (axes if isinstance(axes, tuple) else (axes,))
    )
    if len(set(indices)) < len(indices):
        raise ValueError(
            f"jaxact.{name}: {argument} is {axis}, which names one twice: name each once"
        )
    return indices


def mask(name: str, where: ArrayLike | None, x: Array) -> Array | None:
    """Returns which entries of `x` take part; None stands for all.

    Raises:
        TypeError: if these are no booleans, nor integers that stand for them.
        ValueError: if they do not broadcast to the shape of `x`.
    """
    if where is None:
        return None
    given = where if isinstance(where, Array) else as_array(where, name, "where")
    if not (given.dtype == jnp.bool_ or jnp.issubdtype(given.dtype, jnp.integer)):
        raise wrong_type(name, "where", where, "be booleans, as x > 0 gives them")
    try:
        fits = jnp.broadcast_shapes(given.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"jaxact.{name}: where of shape {given.shape} does not broadcast to x of shape "
            f"{x.shape}: line its axes up with the last ones of x"
        )
    return given


def require_key(name: str, key: Any) -> None:
    """Refuses what is neither a key of jax.random nor None.

    Raises:
        TypeError: if it is something else.
        ValueError: if it is several keys.
    """
    if key is None:
        return
    if not are_keys(key):
        raise wrong_type(name, "key", key, "be a key, as jax.random.key(0) makes it, or None")
    if key.ndim and key.dtype != np.uint32:
        raise ValueError(
            f"jaxact.{name}: key is {shown(key)}, but must be one key: take jax.vmap for several"
        )


def are_keys(value: Any) -> bool:
    """Whether these are keys of jax.random, or one raw key."""
    if isinstance(value, Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return True
    is_array = isinstance(value, Array | np.ndarray)
    return is_array and value.dtype == np.uint32 and value.ndim == 1


def require(condition: bool, name: str, parameter: str, value: Any, remedy: str) -> None:
    """Refuses a parameter.

    Raises:
        ValueError: naming the parameter, its value and the remedy, unless `condition` holds.
    """
    if not condition:
        raise ValueError(f"{name}: {parameter} is {value!r}, but must {remedy}")


def require_finite(name: str, parameter: str, value: Any) -> None:
    """Refuses a Python number that is not finite.

    Raises:
        ValueError: naming the parameter and its value.
    """
    n = number(value, name, parameter)
    require(n is None or math.isfinite(n), f"jaxact.{name}", parameter, value, "be finite")


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
