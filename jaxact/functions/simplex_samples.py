"""Samples on the simplex: relaxed draws of one among several."""

import functools

import jax
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import axis_index, broadcast, flag, is_number, number, real, require, require_key
from .._catalog import activation
from .._derivatives import compute_dtype
from .._plain import checkpoint
from .._trace_names import jitted
from .simplex import softmax
from .sparse_simplex import first_largest


def _formula(math, xs, key=None, temperature=1.0, hard=False):
    """Without a key: the noise is 0."""
    total = sum(math.exp(x / temperature) for x in xs)
    return [math.exp(x / temperature) / total for x in xs]


@activation(
    formula=_formula,
    source="Jang, Gu & Poole, ICLR 2017, arXiv:1611.01144; Maddison, Mnih & Teh, ICLR 2017, "
    "arXiv:1611.00712",
    kind="axis",
    samples=({"key": None, "temperature": 1.0}, {"key": None, "temperature": 0.5}),
    range=lambda **_: (0.0, 1.0),
    elsewhere={"torch:gumbel_softmax": {}},
)
def gumbel_softmax(
    x: ArrayLike,
    key: ArrayLike | None,
    *,
    temperature: float | Array = 1.0,
    hard: bool = False,
    axis: int = -1,
) -> Array:
    """Gumbel-softmax: a relaxed draw of one entry, with probabilities softmax(x).

        gumbel_softmax(x, key) = softmax((x + g) / temperature), g = -log(-log(u)), u uniform

    The largest entry is the one drawn; as the temperature falls the others vanish.

    Args:
        x: unnormalized log-probabilities of any shape and real dtype; integers become the default
            float.
        key: a key of jax.random; None leaves the noise out.
        temperature: positive; a number, or an array that broadcasts against x.
        hard: whether the result is the draw itself, one-hot, with the gradient of the relaxed one
            (straight-through).
        axis: the axis along which one entry is drawn.

    Returns:
        Array of the shape and float dtype of `x` (and of `temperature`, broadcast).

    Accuracy:
        That of `softmax` of the noisy logits, which are computed in float32 or wider. Reverse mode
        keeps the input and the key, and draws the noise again.

    Edges:
        An entry of -inf is never drawn. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` or `temperature` is complex, or if the key is none.
        ValueError: if `temperature` is a number that is not positive, or does not broadcast against
            `x`; if `x` has no such axis.

    Source:
        Jang, Gu & Poole, ICLR 2017, arXiv:1611.01144; Maddison, Mnih & Teh, ICLR 2017,
        arXiv:1611.00712

    Example:
        >>> draw = jaxact.gumbel_softmax(jnp.zeros((2, 5)), jax.random.key(0), hard=True)
        >>> jnp.sum(draw, axis=-1)
        Array([1., 1.], dtype=float32)
    """
    x = real(x, "gumbel_softmax")
    require_key("gumbel_softmax", key)
    hard = flag("gumbel_softmax", "hard", hard)
    if is_number(temperature):
        ok = temperature > 0
        require(ok, "jaxact.gumbel_softmax", "temperature", temperature, "be positive")
        known, array = number(temperature, "gumbel_softmax", "temperature"), ()
    else:
        given = {"temperature": real(temperature, "gumbel_softmax", "temperature")}
        known, (x, array) = 0.0, broadcast("gumbel_softmax", x, given)
    return _draw(axis_index("gumbel_softmax", axis, x.ndim), hard, known, x, key, *array)


@jitted(0, 1, 2, name="gumbel_softmax")
@functools.partial(checkpoint, static_argnums=(0, 1, 2))  # keeps the arguments only
def _draw(axis: int, hard: bool, known: float, x: Array, key, *array: Array) -> Array:
    wide = compute_dtype(x)
    logits = x.astype(wide)
    if key is not None:
        logits = logits + jax.random.gumbel(key, x.shape, wide)
    relaxed = softmax(logits / (array[0].astype(wide) if array else known), axis)
    if not hard:
        return relaxed.astype(x.dtype)
    return (first_largest(axis, logits) + (relaxed - lax.stop_gradient(relaxed))).astype(x.dtype)
