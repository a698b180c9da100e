"""Maxout: the largest of several pieces, a convex function that is learned."""

import functools

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import axis_index, real, require, whole
from .._catalog import activation
from .._jax import SymbolicZero
from .._opaque_call import linear_call, opaque_call
from .._packing import Packing, split_last
from .._plain import custom_jvp
from .._trace_names import jitted


@activation(
    formula=lambda math, pieces: math.maximum(*pieces),
    source="Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3",
    kind="axis",
    samples=({"num_pieces": 2}, {"num_pieces": 5}),
)
def maxout(x: ArrayLike, num_pieces: int, axis: int = -1) -> Array:
    """Maxout: the largest value in each group of adjacent features.

        maxout(x)[i] = max(x[i * num_pieces], ..., x[(i + 1) * num_pieces - 1])

    Args:
        x: pre-activations with `features` entries along `axis`; integers become the default float.
        num_pieces: the size of a group, 1 to 256; divides `features`.
        axis: the axis that holds the groups.

    Returns:
        Array of the float dtype of `x`, with features / num_pieces entries along `axis`.

    Accuracy:
        Exact in every dtype. Reverse mode keeps the packed index of the winner: 1 bit per output
        for two pieces, 2 bits up to 4, 4 bits up to 16, else a byte.

    Edges:
        The gradient goes to the largest piece, among equals to the first. A NaN wins its group and
        takes the gradient.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if num_pieces is out of range or does not divide the features, or without such
            an axis.

    Source:
        Goodfellow et al., ICML 2013, arXiv:1302.4389, section 3

    Example:
        >>> jaxact.maxout(jnp.array([1.0, 3.0, 2.0, -1.0]), num_pieces=2)
        Array([3., 2.], dtype=float32)
    """
    x = real(x, "maxout")
    num_pieces = whole("maxout", "num_pieces", num_pieces)
    require(1 <= num_pieces <= 256, "jaxact.maxout", "num_pieces", num_pieces, "be 1 to 256")
    axis = axis_index("maxout", axis, x.ndim)
    features = x.shape[axis]
    if features % num_pieces:
        raise ValueError(
            f"jaxact.maxout: the {features} features of axis {axis} do not split into groups of "
            f"num_pieces = {num_pieces}: choose a divisor of {features}, or widen the layer"
        )
    return _maxout(num_pieces, axis, x)


@jitted(0, 1)
def _maxout(num_pieces: int, axis: int, x: Array) -> Array:
    y = _largest(num_pieces, jnp.moveaxis(x, axis, -1))
    return jnp.moveaxis(y, -1, axis)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _largest(num_pieces: int, x: Array) -> Array:
    return _running(num_pieces, x)[0]


@functools.partial(_largest.defjvp, symbolic_zeros=True)
def _largest_jvp(num_pieces: int, primals, tangents):
    (x,), (t,) = primals, tangents
    y = opaque_call(_largest, (num_pieces,), x)
    if isinstance(t, SymbolicZero):
        return y, jnp.zeros_like(y)
    packing = Packing.of(y, num_pieces)
    packed = opaque_call(_packed_winner, (num_pieces, packing), lax.stop_gradient(x))
    # Together, or XLA would put the packing off, and keep what it packs.
    y, packed = lax.optimization_barrier((y, packed))
    return y, linear_call(_pick, (num_pieces, packing), packed, t)


def _pick(num_pieces: int, packing: Packing, packed: Array, t: Array) -> Array:
    groups = _groups(num_pieces, t)
    index = packing.unpack(packed, groups.shape[-2])
    pieces = jnp.arange(num_pieces, dtype=index.dtype)
    chosen = index[..., None] == pieces.reshape((1,) * index.ndim + (-1,))
    return jnp.sum(jnp.where(chosen, groups, jnp.zeros_like(groups)), axis=-1)


def _packed_winner(num_pieces: int, packing: Packing, x: Array) -> Array:
    by_platform = {"cpu": _running, "default": _found}  # which XLA makes the least of
    index = lax.platform_dependent(
        x,
        **{name: lambda x, f=f: f(num_pieces, x)[1] for name, f in by_platform.items()},
    )
    return packing.pack(index)


def _running(num_pieces: int, x: Array) -> tuple[Array, Array]:
    """The largest piece and its index: the first among equals, a NaN before any number."""
    groups = _groups(num_pieces, x)
    best = groups[..., 0]
    index = jnp.zeros(best.shape, jnp.uint8)
    for i in range(1, num_pieces):
        piece = groups[..., i]
        better = (piece > best) | (jnp.isnan(piece) & ~jnp.isnan(best))
        best = jnp.where(better, piece, best)
        index = jnp.where(better, np.uint8(i), index)
    return best, index


def _found(num_pieces: int, x: Array) -> tuple[Array, Array]:
    """The same, the index found by comparing all pieces with the largest."""
    best, _ = _running(num_pieces, x)
    groups = _groups(num_pieces, x)
    index = jnp.full(best.shape, num_pieces - 1, jnp.uint8)
    for i in reversed(range(num_pieces - 1)):
        piece = groups[..., i]
        index = jnp.where((piece == best) | jnp.isnan(piece), np.uint8(i), index)
    return best, index


def _groups(num_pieces: int, x: Array) -> Array:
    return split_last(x, x.shape[-1] // num_pieces, num_pieces)
