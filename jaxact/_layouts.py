"""Gates of one array: how it holds the gate and the value, and the two taken out of it."""

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ._arguments import as_array, axis_index, real, require, whole, wrong_type
from ._trace_names import jitted

# One half after the other, in turn, or in blocks of a size that take turns.
Layout = Literal["halves", "interleaved"] | int


def parted(
    name: str, x: ArrayLike, axis: int, layout: Layout, *, first: str, other: str
) -> tuple[Array, Array]:
    """The first and the second of the two arrays that one holds along an axis.

    Args:
        name: of the callable.
        x: the one array.
        axis: along which it holds the two.
        layout: how.
        first: what the callable calls the one array.
        other: what it calls the array that may be passed beside it.

    Raises:
        TypeError: if `axis` or `layout` is of a wrong sort.
        ValueError: if there is no such axis or layout, or if the features cannot be halved so.
    """
    known = checked_layout(name, layout)
    return _parted(name, as_array(x, name, first), whole(name, "axis", axis), known, first, other)


def pair(
    name: str, gate: ArrayLike, value: ArrayLike | None, axis: int, layout: Layout
) -> tuple[ArrayLike, ArrayLike]:
    """The gate and what it gates: two arrays, or those that one holds, the gate first.

    Raises:
        TypeError: if an argument is of a wrong sort.
        ValueError: likewise; if a layout is given for two arrays.
    """
    if value is None:
        return parted(name, gate, axis, layout, first="gate", other="value")
    require_no_layout(name, layout, "value")
    return gate, real(value, name, "value")


def require_no_layout(name: str, layout: Layout, other: str) -> None:
    """Refuses a layout where the two arrays are passed apart.

    Raises:
        ValueError: if there is one.
    """
    known = checked_layout(name, layout)
    require(known == "halves", f"jaxact.{name}", "layout", known, f"be left out with {other}")


def checked_layout(name: str, layout: Any) -> Layout:
    """The layout, as a value that a program may be compiled for.

    Raises:
        TypeError: if it is of a wrong sort.
        ValueError: if there is none of that name or size.
    """
    remedy = 'be "halves", "interleaved" or the size of blocks'
    if isinstance(layout, str):
        require(layout in ("halves", "interleaved"), f"jaxact.{name}", "layout", layout, remedy)
        return layout  # type: ignore[return-value]
    try:
        size = whole(name, "layout", layout)
    except TypeError:
        raise wrong_type(name, "layout", layout, remedy) from None
    require(size > 0, f"jaxact.{name}", "layout", layout, remedy)
    return size


@jitted(0, 2, 3, 4, 5)
def _parted(
    name: str, x: Array, axis: int, layout: Layout, first: str, other: str
) -> tuple[Array, Array]:
    x = real(x, name, first)
    axis = axis_index(name, axis, x.ndim)
    features = x.shape[axis]
    if features % 2:
        raise ValueError(
            f"jaxact.{name}: axis {axis} has {features} features, an odd number, which cannot "
            f"be halved: make it even, or pass {other}"
        )
    if layout == "halves":
        one, two = jnp.split(x, 2, axis)
        return one, two
    half = features // 2
    size = 1 if layout == "interleaved" else layout
    remedy = f"divide {half}, half of the features of axis {axis}"
    require(half % size == 0, f"jaxact.{name}", "layout", layout, remedy)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    blocks = x.reshape(*before, half // size, 2, size, *after)
    one, two = (block.reshape(*before, half, *after) for block in jnp.split(blocks, 2, axis + 1))
    return one, two
