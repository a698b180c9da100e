"""The ways in which a function is used, each a program to time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

Function = Callable[..., Array]
Inputs = tuple[Any, ...]  # arrays, and for a module the tree of its parameters


@dataclass(frozen=True)
class Mode:
    """One way to use a function.

    Attributes:
        meaning: what that is.
        program: `program(function, inputs)`, or `program(function, inputs, direction)`.
        direction: what the program is given beside the inputs: a cotangent of the output, or
            tangents of the inputs.
        compiled: whether it runs under `jax.jit`.
    """

    meaning: str
    program: Callable[..., Any]
    direction: Literal["cotangent", "tangents"] | None = None
    compiled: bool = True


def _value(function: Function, x: Inputs):
    return function(*x)


def _pull_back(function: Function, x: Inputs, cotangent: Array):
    return jax.vjp(function, *x)[1](cotangent)  # jit removes what of the value nobody reads


def _value_and_pull_back(function: Function, x: Inputs, cotangent: Array):
    y, pull_back = jax.vjp(function, *x)
    return y, pull_back(cotangent)


def _push_forward(function: Function, x: Inputs, tangents: Inputs):
    return jax.jvp(function, x, tangents)


def _gradient(function: Function, x: Inputs):
    total = lambda *x: jnp.sum(function(*x))
    return jax.grad(total, argnums=tuple(range(len(x))))(*x)


def _hessian_vector_product(function: Function, x: Inputs, tangents: Inputs):
    gradient = lambda *x: _gradient(function, x)
    return jax.jvp(gradient, x, tangents)[1]


def _mapped_value(function: Function, x: Inputs):
    return jax.vmap(function, _rows(x))(*x)


def _mapped_gradient(function: Function, x: Inputs):
    return jax.vmap(lambda *row: _gradient(function, row), _rows(x))(*x)


def _rows(x: Inputs):
    """Which axis is mapped over: arrays have rows, parameters are the same for all."""
    return tuple(0 if isinstance(a, Array) else None for a in x)


MODES: dict[str, Mode] = {
    "forward": Mode("jit(f)", _value),
    "vjp": Mode("jit of the pull-back: cotangent in, gradient out", _pull_back, "cotangent"),
    "forward+vjp": Mode("both in one jit", _value_and_pull_back, "cotangent"),
    "jvp": Mode("jit of value and tangent", _push_forward, "tangents"),
    "hvp": Mode("jit of a Hessian-vector product", _hessian_vector_product, "tangents"),
    "vmap": Mode("jit(vmap(f)) over the rows", _mapped_value),
    "vmap-grad": Mode("jit(vmap(grad(f))) over the rows", _mapped_gradient),
    "eager": Mode("f, not compiled", _value, compiled=False),
    "eager-grad": Mode("grad(f), not compiled", _gradient, compiled=False),
}
