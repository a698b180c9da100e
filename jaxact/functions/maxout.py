"""Maxout: the largest of several pieces, a convex function that is learned."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike

from .._arguments import axis_index, real, require
from .._catalog import activation


@activation(
    formula=lambda m, pieces: m.maximum(*pieces),
    source="Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3",
    kind="axis",
    samples=({"num_pieces": 2}, {"num_pieces": 5}),
)
def maxout(x: ArrayLike, num_pieces: int, axis: int = -1) -> Array:
    """Maxout: the largest value in each group of adjacent features.

        maxout(x)[i] = max(x[i * num_pieces], ..., x[(i + 1) * num_pieces - 1])

    Args:
        x: pre-activations with `features` entries along `axis`; integers become the default float.
        num_pieces: the size of a group; divides `features`.
        axis: the axis that holds the groups.

    Returns:
        Array of the float dtype of `x`, with features / num_pieces entries along `axis`.

    Accuracy:
        Exact in every dtype.

    Edges:
        The gradient goes to the largest piece, among equals to the first. A NaN wins its group and
        takes the gradient.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if num_pieces < 1 or does not divide the features, or without such an axis.

    Source:
        Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3

    Example:
        >>> jaxact.maxout(jnp.array([1.0, 3.0, 2.0, -1.0]), num_pieces=2)
        Array([3., 2.], dtype=float32)
    """
    x = real(x, "maxout")
    require(num_pieces >= 1, "jaxact.maxout", "num_pieces", num_pieces, "be 1 or more")
    axis = axis_index("maxout", axis, x.ndim)
    features = x.shape[axis]
    if features % num_pieces:
        raise ValueError(
            f"jaxact.maxout: the {features} features of axis {axis} do not split into groups of "
            f"num_pieces = {num_pieces}: choose a divisor of {features}, or widen the layer"
        )
    return _maxout(num_pieces, axis, x)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _maxout(num_pieces: int, axis: int, x: Array) -> Array:
    return _largest(num_pieces, axis, x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _largest(num_pieces: int, axis: int, x: Array) -> Array:
    return _winner(_grouped(x, num_pieces, axis), axis + 1)[0]


@functools.partial(_largest.defjvp, symbolic_zeros=True)
def _largest_jvp(num_pieces: int, axis: int, primals, tangents):
    (x,), (t,) = primals, tangents
    y = _largest(num_pieces, axis, x)
    if isinstance(t, SymbolicZero):
        return y, jnp.zeros_like(y)
    _, index = _winner(_grouped(x, num_pieces, axis), axis + 1)
    return y, _pick(num_pieces, axis, index, t)


@functools.partial(jax.checkpoint, static_argnums=(0, 1))  # keeps the index, not a mask per piece
def _pick(num_pieces: int, axis: int, index: Array, t: Array) -> Array:
    groups = _grouped(t, num_pieces, axis)
    pieces = jnp.arange(num_pieces, dtype=index.dtype)
    pieces = jnp.expand_dims(pieces, [a for a in range(groups.ndim) if a != axis + 1])
    chosen = jnp.expand_dims(index, axis + 1) == pieces
    return jnp.where(chosen, groups, jnp.zeros_like(groups)).sum(axis + 1)


def _grouped(x: Array, num_pieces: int, axis: int) -> Array:
    shape = x.shape
    return x.reshape(*shape[:axis], shape[axis] // num_pieces, num_pieces, *shape[axis + 1 :])


def _winner(groups: Array, axis: int) -> tuple[Array, Array]:
    """The largest piece and its index: the first among equals, a NaN before any number."""
    pieces = [jnp.squeeze(p, axis) for p in jnp.split(groups, groups.shape[axis], axis)]
    best, index = (
        pieces[0],
        jnp.zeros(pieces[0].shape, jnp.uint8 if len(pieces) <= 256 else jnp.int32),
    )
    for i, piece in enumerate(pieces[1:], 1):
        better = (piece > best) | (jnp.isnan(piece) & ~jnp.isnan(best))
        best = jnp.where(better, piece, best)
        index = jnp.where(better, jnp.asarray(i, index.dtype), index)
    return best, index
