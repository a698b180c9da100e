"""What the modules of both Flax APIs share: their options, how parameters line up with x."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from flax import typing
from jax import Array, lax
from jax.sharding import PartitionSpec
from jax.typing import ArrayLike

from ._arguments import axis_index, axis_indices, real
from ._catalog import CATALOG
from ._domains import Count, Domain
from ._layouts import Layout, parted
from ._plain import checkpoint
from .functions import maxout
from .names import Named, get, meaning


def _is_float_dtype(value: Any) -> bool:
    try:  # of None NumPy makes float64
        return value is not None and jnp.issubdtype(jnp.dtype(value), jnp.floating)
    except TypeError:
        return False


def _is_precision(value: Any) -> bool:
    if value is None:
        return True
    number = jax.ShapeDtypeStruct((1, 1), jnp.float32)
    try:
        jax.eval_shape(lambda x: lax.dot(x, x, precision=value), number)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def _is_activation(value: Any) -> bool:
    if callable(value):
        return True
    try:
        meaning(value)
    except ValueError:
        return False
    return True


Activation = Annotated[
    str | Callable[..., Any], Domain("be a function, or the name of an activation", _is_activation)
]
Dtype = Annotated[typing.Dtype, Domain("be a floating dtype, such as jnp.float32", _is_float_dtype)]
Precision = Annotated[
    typing.PrecisionLike, Domain("be a precision of jax.lax, or None", _is_precision)
]
Channels = Annotated[int, Domain("be 1 or the number of channels", lambda n: n >= 1)]
Features = Annotated[int, Domain("be the number of channels", lambda n: n >= 1)]
Sharding = Annotated[
    Any,
    Domain(
        "be a sharding, a jax.P, or None",
        lambda value: value is None or isinstance(value, jax.sharding.Sharding | PartitionSpec),
    ),
]
Distribution = Literal["uniform", "normal"]
Degrees = tuple[Count, Count]
Window = Count | Sequence[Count]
Axes = int | Sequence[int]


def parameter_shape(number: int, called: str = "num_parameters") -> tuple[int, ...]:
    """Returns the shape of a parameter that is one per channel; 1 of num_parameters is shared.

    `called` is what the module calls the number of channels.
    """
    return () if called == "num_parameters" and number == 1 else (number,)


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


def require_features(name: str, number: int, axis: int, x: Array, remedy: str) -> None:
    """Refuses inputs whose features are not those that a kernel takes.

    Raises:
        ValueError: if `x` has another number of them.
    """
    if x.shape[axis] != number:
        raise ValueError(
            f"jaxact.{name}: x of shape {x.shape} has {x.shape[axis]} features along axis {axis}, "
            f"but the kernel takes {number}: {remedy}"
        )


def dense_inputs(name: str, inputs: ArrayLike, in_features: int) -> Array:
    """Returns what a dense layer is given, whose integers its `promote_dtype` promotes.

    Raises:
        TypeError: if they are not real.
        ValueError: if they have another number of features.
    """
    x = real(inputs, name, keep_integers=True)
    axis = axis_index(name, -1, x.ndim)
    remedy = f"make the layer with in_features={x.shape[axis]}, or pass x with {in_features}"
    require_features(name, in_features, axis, x, remedy)
    return x


def larger(x: Array, y: Array) -> Array:
    """Returns the larger of two arrays of one shape, the first among equals; keeps packed bits."""
    pairs = jnp.stack([x, y], axis=-1)
    return maxout(pairs.reshape(*y.shape[:-1], -1), 2)


def squeezed(channels: int, reduction: int) -> int:
    """Returns to how many channels dynamic ReLU squeezes."""
    return max(1, channels // reduction)


def pooled(name: str, x: Array, axes: int | Sequence[int]) -> Array:
    """Returns the mean over some axes, which stay, with size 1.

    Raises:
        ValueError: if `x` has no such axis.
    """
    return jnp.mean(x, axis_indices(name, axes, x.ndim, "pool_axes"), keepdims=True)


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


def gating(activation: Activation) -> Callable[[Array, Array], Array]:
    """Returns what an activation makes of gate and value; reverse mode keeps those two.

    A function of two arrays is a gate itself; of one, its product with the value is.
    """
    function: Any = get(activation)
    parameters = inspect.signature(_bare(function)).parameters.values()
    if not _is_gate(function):
        return checkpoint(lambda gate, value: function(gate) * value)
    if next(iter(parameters)).name == "x":  # the value first, as in `glu`
        return lambda gate, value: function(value, gate=gate)
    return function


def halved(name: str, both: Array, layout: Layout) -> tuple[Array, Array]:
    """Returns the gate and the value that the output of one map holds.

    Raises:
        ValueError: if the layout does not fit the features.
    """
    return parted(name, both, -1, layout, first="x", other="no layout")


def _bare(function: Any) -> Callable[..., Any]:
    """The function to which parameters were given."""
    if isinstance(function, Named):
        return function.function
    return _bare(function.func) if isinstance(function, functools.partial) else function


def _is_gate(function: Callable[..., Any]) -> bool:
    """Whether it takes two arrays: as the catalogue says, or as many as have no default."""
    bare = _bare(function)
    kind = next((entry.kind for entry in CATALOG.values() if entry.function is bare), None)
    if kind is not None:
        return kind == "gate"
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind <= p.VAR_POSITIONAL]
    return len(needed) != 1 or needed[0].kind is inspect.Parameter.VAR_POSITIONAL
