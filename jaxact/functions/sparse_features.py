"""Sparse features: of each row what stands out stays, and the rest is 0."""

import functools
from statistics import NormalDist

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import axis_index, number, real, require, whole, wrong_type
from .._catalog import activation
from .._derivatives import compute_dtype
from .._opaque_call import linear_call
from .._plain import checkpoint, custom_jvp
from .._trace_names import jitted


def _gaussian_top_k_formula(math, xs, sparsity=0.95):
    mean = sum(xs) / len(xs)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in xs) / len(xs))
    cutoff = mean + NormalDist().inv_cdf(sparsity) * deviation
    return [math.maximum(x - cutoff, 0) for x in xs]


@activation(
    formula=_gaussian_top_k_formula,
    source="Gemma 3n, 2025, activation sparsity; the statistical top-k of You et al., Spark "
    "Transformer, arXiv:2506.06644",
    kind="axis",
    samples=({"sparsity": 0.95}, {"sparsity": 0.5}),
    range=lambda sparsity=0.95: (0.0, float("inf")),
)
def gaussian_top_k(x: ArrayLike, sparsity: float, axis: int = -1) -> Array:
    """Gaussian top-k: by how much entries exceed a quantile of the normal law fitted to them.

        gaussian_top_k(x) = max(x - (mean(x) + std(x) Phi^-1(sparsity)), 0)

    Of normal features about `sparsity` become 0, at the price of two moments and no sorting.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        sparsity: the share that becomes 0, between 0 and 1; a number.
        axis: the axis of the features. The standard deviation is the population's.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Computed in float32 or wider from deviations of the mean. Errors are a few eps of the row's
        largest deviation from its mean. Reverse mode keeps the input only.

    Edges:
        Where an entry meets the cutoff the slope is 0, and so it is through the standard deviation
        of equal entries. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` is complex, or if `sparsity` is no number.
        ValueError: if `sparsity` is a number that is not between 0 and 1; if `x` has no such axis.

    Source:
        Gemma 3n, 2025, activation sparsity; the statistical top-k of You et al., Spark Transformer,
        arXiv:2506.06644

    Example:
        >>> jaxact.gaussian_top_k(jnp.array([0.0, 1.0, 2.0, 5.0]), 0.5)
        Array([0., 0., 0., 3.], dtype=float32)
    """
    share = number(sparsity, "gaussian_top_k", "sparsity")
    if share is None:
        raise wrong_type("gaussian_top_k", "sparsity", sparsity, "be a Python number")
    require(0 < share < 1, "jaxact.gaussian_top_k", "sparsity", sparsity, "be between 0 and 1")
    x = real(x, "gaussian_top_k")
    axis = axis_index("gaussian_top_k", whole("gaussian_top_k", "axis", axis), x.ndim)
    return _above_quantile(axis, NormalDist().inv_cdf(share), x)


@jitted(0, 1, name="gaussian_top_k")
@functools.partial(checkpoint, static_argnums=(0, 1))  # keeps the input only
def _above_quantile(axis: int, quantile: float, x: Array) -> Array:
    wide = x.astype(compute_dtype(x))
    deviation = wide - jnp.mean(wide, axis, keepdims=True)
    square = jnp.mean(deviation * deviation, axis, keepdims=True)
    positive = square > 0
    root = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
    excess = deviation - quantile * jnp.where(jnp.isnan(square), square, root)
    return jnp.where(excess <= 0, 0.0, excess).astype(x.dtype)


@activation(
    formula=lambda math, xs, k=2: [
        math.where(sum(1 for j, y in enumerate(xs) if y > x or (y == x and j < i)) < k, x, 0 * x)
        for i, x in enumerate(xs)
    ],
    source="Makhzani & Frey, k-sparse autoencoders, ICLR 2014, arXiv:1312.5663; Ahmad & "
    "Scheinkman, arXiv:1903.11257",
    kind="axis",
    samples=({"k": 2}, {"k": 1}),
)
def k_winners(x: ArrayLike, k: int, axis: int = -1) -> Array:
    """k winners: the k largest entries stay as they are, with their sign; the others are 0.

        k_winners(x)[i] = x[i] if fewer than k entries are larger, else 0        its slope is 1 or 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        k: how many entries stay, from 1 to the number of features.
        axis: the axis of the features.

    Returns:
        Array of the shape and float dtype of `x`, with at most k entries that are not 0 in a row.

    Accuracy:
        Exact in every dtype. Reverse mode keeps a byte for each entry: whether it stays.

    Edges:
        Among equals the first stay. NaN counts as larger than any number.

    Raises:
        TypeError: if `x` is complex.
        TypeError: if `k` is no integer.
        ValueError: if `k` is a number that is not from 1 to that of the features; if `x` has no
            such axis.

    Source:
        Makhzani & Frey, k-sparse autoencoders, ICLR 2014, arXiv:1312.5663; Ahmad & Scheinkman,
        arXiv:1903.11257

    Example:
        >>> jaxact.k_winners(jnp.array([3.0, -1.0, 2.0, 2.0]), 2)
        Array([3., 0., 2., 0.], dtype=float32)
    """
    x, k = real(x, "k_winners"), whole("k_winners", "k", k)
    axis = axis_index("k_winners", whole("k_winners", "axis", axis), x.ndim)
    fits = 1 <= k and (not isinstance(x.shape[axis], int) or k <= x.shape[axis])
    require(fits, "jaxact.k_winners", "k", k, f"be from 1 to {x.shape[axis]}, the features")
    return _winners(axis, k, x)


@jitted(0, 1, name="k_winners")
def _winners(axis: int, k: int, x: Array) -> Array:
    # By places, not by values: of these XLA may compute two that differ.
    rows = jnp.moveaxis(lax.stop_gradient(x), axis, -1).astype(compute_dtype(x))
    _, places = lax.top_k(rows, k)
    won = jnp.put_along_axis(jnp.zeros(rows.shape, bool), places, True, axis=-1, inplace=False)
    return _kept(jnp.moveaxis(won, -1, axis), x)


@custom_jvp
def _kept(won: Array, x: Array) -> Array:
    return jnp.where(won, x, 0.0)


@_kept.defjvp
def _kept_jvp(primals, tangents):
    won, x = primals
    return _kept(won, x), linear_call(_selected, (), won, tangents[1])  # keeps no zeros


def _selected(won: Array, t: Array) -> Array:
    return jnp.where(won, t, 0.0)
