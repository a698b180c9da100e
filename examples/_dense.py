"""Small dense networks learning by plain gradient descent, written so that many fit one program."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from _activation_layers import activation_layer
from flax import nnx
from jax import Array

BATCH = 32


class Dense(nnx.Module):
    """Dense layers, each but the last followed by the activation; drawn as He et al. do.

    Args:
        activation: Name of the activation.
        sizes: Number of inputs, of units in each layer, and of outputs.
        rngs: Source of the initial parameters and of the activation's randomness.
    """

    def __init__(self, activation: str, sizes: Sequence[int], *, rngs: nnx.Rngs):
        layer, init = activation_layer(activation), jax.nn.initializers.he_normal()
        *hidden, last = itertools.pairwise(sizes)
        self.dense = nnx.List()
        self.activations = nnx.List()
        for inputs, units in hidden:
            columns = units * layer.pieces
            self.dense.append(nnx.Linear(inputs, columns, kernel_init=init, rngs=rngs))
            self.activations.append(layer.create(units, rngs))
        self.readout = nnx.Linear(*last, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Returns the outputs."""
        for dense, activation in zip(self.dense, self.activations, strict=True):
            x = activation(dense(x))
        return self.readout(x)


class Data(NamedTuple):
    """Rows of features and their classes."""

    features: Array
    classes: Array


class Learner(NamedTuple):
    """A network in training: its parameters, and the random streams of its activations."""

    parameters: Any
    others: Any


def create(activation: str, sizes: Sequence[int], key: Array) -> tuple[nnx.GraphDef, Learner]:
    """Returns a network in parts."""
    network = Dense(activation, sizes, rngs=nnx.Rngs(key))
    graphdef, *states = nnx.split(network, nnx.Param, ...)
    return graphdef, Learner(*nnx.as_pure(tuple(states)))


def answer(graphdef: nnx.GraphDef, learner: Learner, features: Array) -> Array:
    """Returns the outputs in evaluation."""
    network = nnx.merge(graphdef, learner.parameters, learner.others)
    network.eval()
    return network(features)


def train(
    graphdef: nnx.GraphDef, learner: Learner, data: Data, key: Array, rate: Any, steps: int
) -> Learner:
    """Returns the learner after some steps of gradient descent, on rows drawn at random."""

    def step(learner: Learner, key: Array) -> tuple[Learner, None]:
        rows = jax.random.randint(key, (BATCH,), 0, len(data.classes))

        def loss(parameters: Any) -> tuple[Array, Any]:
            network = nnx.merge(graphdef, parameters, learner.others)
            network.train()
            losses = optax.softmax_cross_entropy_with_integer_labels(
                network(data.features[rows]), data.classes[rows]
            )
            return losses.mean(), nnx.as_pure(nnx.state(network, nnx.Not(nnx.Param)))

        gradient, others = jax.grad(loss, has_aux=True)(learner.parameters)
        descended = jax.tree.map(lambda p, g: p - rate * g, learner.parameters, gradient)
        return Learner(descended, others), None

    return jax.lax.scan(step, learner, jax.random.split(key, steps))[0]


def flat(examples: Any) -> Data:
    """Returns images as rows of features."""
    rows = examples.images.reshape(len(examples.labels), -1)
    return Data(jnp.asarray(rows), jnp.asarray(examples.labels))
