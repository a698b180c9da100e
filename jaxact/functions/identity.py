"""The identity: what a layer without an activation computes."""

from jax import Array
from jax.typing import ArrayLike

from .._arguments import real
from .._catalog import activation


@activation(
    formula=lambda math, x: x,
    source="elementary",
    elsewhere={"keras:linear": {}, "onnx:Identity": {}, "hf:linear": {}},
)
def identity(x: ArrayLike) -> Array:
    """The identity.

        identity(x) = x        identity'(x) = 1

    Args:
        x: an array of any shape and real dtype.

    Returns:
        Array of the shape and dtype of `x`; integers stay integers, booleans become floats.

    Accuracy:
        Exact in every dtype.

    Edges:
        identity(inf) = inf, identity(-inf) = -inf. NaN gives NaN, with slope 1.

    Raises:
        TypeError: if `x` is complex.

    Source:
        elementary

    Example:
        >>> jaxact.identity(jnp.array([-2.0, 3.0]))
        Array([-2.,  3.], dtype=float32)
    """
    return real(x, "identity", keep_integers=True)
