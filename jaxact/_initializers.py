"""How the parameters of modules start, in both Flax APIs."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ._arguments import require
from ._domains import Domain
from ._jax import Tracer
from .functions import log1mexp


def _is_init(init: Any) -> bool:
    """Whether it draws a parameter, or is numbers that a parameter may start at."""
    if callable(init) or isinstance(init, Tracer):
        return True
    try:
        array = np.asarray(init, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(init, str | bytes) and bool(np.all(np.isfinite(array)))


# What a parameter starts at, a number or an entry for each term, or what draws it.
Init = Annotated[
    ArrayLike | Sequence[float] | Callable[..., Any],
    Domain("be a finite number, one for each term, or an initializer", _is_init),
]


def initializer(init: Init, name: str, argument: str) -> Callable[..., Any]:
    """Returns `init` if it is an initializer, else the one that starts at that value.

    A value with axes has an entry for each term, along the first axis of the parameter.
    """
    if callable(init):
        return init

    def initialize(key: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
        value = jnp.asarray(init, dtype)
        fits = value.ndim <= len(shape) and value.shape == shape[: value.ndim]
        remedy = f"be one number, or {shape[0]} of them" if shape else "be one number"
        require(fits, f"jaxact.{name}", argument, init, remedy)
        value = value.reshape(value.shape + (1,) * (len(shape) - value.ndim))
        return jnp.broadcast_to(value, shape)

    return initialize


def positive(init: Init, name: str, argument: str, above: float = 0.0) -> Callable[..., Any]:
    """Returns the initializer of what `above + softplus` takes to the value `init` starts at.

    Raises:
        ValueError: if `init` is a number and not greater than `above`.
    """
    _require_above(above, init, name, argument)

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
        inverse = lambda value: (value - above) + log1mexp(value - above)
        return _on_values(inverse, initializer(init, name, argument)(key, shape, dtype))

    return initialize


def logarithm(init: Init, name: str, argument: str) -> Callable[..., Any]:
    """Returns the initializer of the logarithm of what `init` starts at.

    Raises:
        ValueError: if `init` is a number and not positive.
    """
    _require_above(0.0, init, name, argument)

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
        return _on_values(jnp.log, initializer(init, name, argument)(key, shape, dtype))

    return initialize


def _require_above(bound: float, init: Init, name: str, argument: str) -> None:
    if not callable(init) and not isinstance(init, Tracer):
        remedy = f"be greater than {bound}" if bound else "be positive"
        require(bool(np.all(np.asarray(init) > bound)), f"jaxact.{name}", argument, init, remedy)


def uniform_within(bound: float) -> Callable[..., Array]:
    """Returns an initializer that draws from -bound to bound."""

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialize


def siren_bounds(in_features: int, omega: float, *, is_first: bool) -> tuple[float, float]:
    """Returns the bounds that SIREN draws kernel and bias of a dense layer within."""
    kernel = 1 / in_features if is_first else math.sqrt(6 / in_features) / omega
    return kernel, 1 / math.sqrt(in_features)


# With t = (x / 3)^2 a leaky ReLU of slope a is (1 + a) / 2 x + 3 (1 - a) / 2 sqrt(t); here a = 0.01
# and sqrt(t) is replaced by the best of all quotients of quadratics on [0, 1], found by Remez'
# algorithm in 40 digits.
LEAKY_NUMERATOR = (
    0.012624704785549637,
    0.505,
    2.7647003339500539,
    4.5910221575491568,
    2.5641762840916408,
    0.46853536352597429,
)
LEAKY_DENOMINATOR = (0.0, 9.091132985245855, 0.0, 0.92779279906133523)

default_line_init = jax.nn.initializers.normal(1.0)
default_slopes_init = uniform_within(0.2)
default_hinges_init = jax.nn.initializers.normal(0.5)


def per_piece(initializer: Callable[..., Any], num_pieces: int) -> Callable[..., Any]:
    """Returns an initializer that draws each piece as the parameter of a dense layer of its own.

    The result takes the shape of the whole parameter, and puts the pieces of one output side by
    side. Drawing the whole at once would halve the variance of two pieces under an initializer that
    counts outputs, and would make the pieces of an orthogonal one depend on each other.
    """

    def initialize(key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
        *inputs, features = shape
        dense = (*inputs, features // num_pieces)
        pieces = [initializer(k, dense, dtype) for k in jax.random.split(key, num_pieces)]
        side_by_side = lambda *pieces: jnp.stack(pieces, axis=-1).reshape(shape)
        return _on_values(side_by_side, *pieces)

    return initialize


def _on_values(function: Callable[..., Array], *values: Any) -> Any:
    """The function of arrays, within what partitioning wraps them in."""
    if hasattr(values[0], "raw_value"):  # wrapped by nnx.with_metadata, and no pytree
        value = _on_values(function, *(value.raw_value for value in values))
        return dataclasses.replace(values[0], raw_value=value)
    return jax.tree.map(function, *values)
