"""Networks in which the memory of an activation shows, and recipes for their backward pass."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxact import backward

from .modes import Function

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Recipe:
    """How the backward pass is arranged.

    Attributes:
        activation: what is done to an activation of jaxact, if anything.
        layers: what is done to the layers that it is part of.
    """

    activation: Wrapper | None = None
    layers: Wrapper = lambda apply: apply


RECIPES: dict[str, Recipe] = {
    "default": Recipe(),
    "lean": Recipe(activation=backward.lean),
    "few_bit": Recipe(activation=backward.few_bit),
    "dots_saveable": Recipe(
        layers=functools.partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_saveable)
    ),
}


@dataclass(frozen=True)
class Network:
    """Layers of one activation.

    Attributes:
        apply: `apply(function, recipe, weights, x)`.
        weights: `weights(enter, leave, layers)`: all weights, given those that lead into and out
            of one activation.
    """

    apply: Callable[[Function, Wrapper, Any, Array], Array]
    weights: Callable[[Any, Any, int], Any]

    def training_step(self, function: Function, recipe: Wrapper) -> Callable[..., Any]:
        """Loss and gradient, of (weights, x); no cotangent of this loss is trivial."""

        def loss(weights, x):
            return jnp.sum(jnp.square(self.apply(function, recipe, weights, x)))

        return jax.value_and_grad(loss)


def _layer(function: Function, weights, x: Array) -> Array:
    """The activation, and one matrix product for each of its inputs."""
    return function(*(x @ w for w in weights))


def _unrolled_layers(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    def apply(weights, x):
        for enter in weights:
            x = _layer(function, enter, x)
        return x

    return recipe(apply)(weights, x)


def _scanned_layers(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    @recipe
    def layer(x, enter):
        return _layer(function, enter, x)

    return lax.scan(lambda x, enter: (layer(x, enter), None), x, weights)[0]


def _scanned_blocks(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    @recipe
    def block(x, enter, leave):
        return x + _layer(function, enter, x) @ leave

    return lax.scan(lambda x, weights: (block(x, *weights), None), x, weights)[0]


def _scanned_blocks_learning_half(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    enter, leave = weights
    return _scanned_blocks(function, recipe, (lax.stop_gradient(enter), leave), x)


def _stacked(weights, layers: int):
    return jax.tree.map(lambda w: w.update(shape=(layers, *w.shape)), weights)


NETWORKS: dict[str, Network] = {
    "unrolled layers f(x W)": Network(
        _unrolled_layers, lambda enter, leave, layers: [enter] * layers
    ),
    "scanned blocks x + f(x W1) W2": Network(
        _scanned_blocks, lambda enter, leave, layers: _stacked((enter, leave), layers)
    ),
    "scanned blocks x + f(x W1) W2 learning W2": Network(
        _scanned_blocks_learning_half, lambda enter, leave, layers: _stacked((enter, leave), layers)
    ),
    "scanned layers f(x W)": Network(
        _scanned_layers, lambda enter, leave, layers: _stacked(enter, layers)
    ),
}
