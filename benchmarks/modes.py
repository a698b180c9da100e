"""The ways in which a function is used, each a program to time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

Function = Callable[..., Array]
Arrays = tuple[Array, ...]


@dataclass(frozen=True)
class Mode:
    """One way to use a function.

    Attributes:
        program: `program(function, inputs)`, or `program(function, inputs, direction)`.
        direction: what the program is given beside the inputs: a cotangent of the output, or
            tangents of the inputs.
        compiled: whether it runs under `jax.jit`.
    """

    program: Callable[..., Any]
    direction: Literal["cotangent", "tangents"] | None = None
    compiled: bool = True


def _value(function: Function, x: Arrays):
    return function(*x)


def _pull_back(function: Function, x: Arrays, cotangent: Array):
    return jax.vjp(function, *x)[1](cotangent)  # jit removes what of the value nobody reads


def _value_and_pull_back(function: Function, x: Arrays, cotangent: Array):
    y, pull_back = jax.vjp(function, *x)
    return y, pull_back(cotangent)


def _push_forward(function: Function, x: Arrays, tangents: Arrays):
    return jax.jvp(function, x, tangents)


def _gradient(function: Function, x: Arrays):
    total = lambda *x: jnp.sum(function(*x))
    return jax.grad(total, argnums=tuple(range(len(x))))(*x)


def _hessian_vector_product(function: Function, x: Arrays, tangents: Arrays):
    gradient = lambda *x: _gradient(function, x)
    return jax.jvp(gradient, x, tangents)[1]


def _mapped_value(function: Function, x: Arrays):
    return jax.vmap(function)(*x)


def _mapped_gradient(function: Function, x: Arrays):
    return jax.vmap(lambda *row: _gradient(function, row))(*x)


MODES: dict[str, Mode] = {
    "forward": Mode(_value),
    "backward": Mode(_pull_back, "cotangent"),
    "forward+backward": Mode(_value_and_pull_back, "cotangent"),
    "jvp": Mode(_push_forward, "tangents"),
    "hvp": Mode(_hessian_vector_product, "tangents"),
    "vmap": Mode(_mapped_value),
    "vmap-grad": Mode(_mapped_gradient),
    "eager": Mode(_value, compiled=False),
    "eager-grad": Mode(_gradient, compiled=False),
}
