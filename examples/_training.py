"""Networks that differ only in their seed, trained together: one compiled program for them all."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _dataset import Dataset, Examples
from _network import Network
from _units import observed
from flax import nnx
from jax import Array

from jaxact.diagnostics import UnitReport

BATCH = 64  # images
MOMENTUM = 0.9


class Learner(NamedTuple):
    """A network in training; of several networks, every array has one row per seed."""

    parameters: optax.Params
    others: nnx.State  # statistics of the normalization, random streams of the activation
    optimizer: optax.OptState
    key: Array  # decides the order of the training images


class Epoch(NamedTuple):
    """What happened in one pass over the training images; one row per seed."""

    loss: np.ndarray  # mean over the steps
    gradient_norms: np.ndarray  # (seeds, layers): mean over the steps, before clipping
    accuracy: np.ndarray  # on the held-out images, afterwards
    seconds_per_step: float  # for all seeds together


class Ensemble:
    """The networks of one activation, one per seed.

    Args:
        create: Makes a network from its source of randomness.
        optimizer: How all of them learn.
        dataset: What they learn.
        num_seeds: Their number.
    """

    def __init__(
        self,
        create: Callable[[nnx.Rngs], Network],
        optimizer: optax.GradientTransformation,
        dataset: Dataset,
        num_seeds: int,
    ):
        def start(seed: Array) -> tuple[nnx.GraphDef, Learner]:
            initial, order = jax.random.split(jax.random.key(seed))
            graphdef, parameters, others = nnx.split(create(nnx.Rngs(initial)), nnx.Param, ...)
            parameters, others = nnx.as_pure((parameters, others))
            return graphdef, Learner(parameters, others, optimizer.init(parameters), order)

        self._graphdef, self._learners = jax.vmap(start)(jnp.arange(num_seeds))
        self._optimizer = optimizer
        self._training = jax.tree.map(jnp.asarray, dataset.training)
        self._held_out = dataset.held_out
        self._num_steps = max(1, len(dataset.training.labels) // BATCH)

        epoch = jax.jit(jax.vmap(self._epoch, in_axes=(0, None)), donate_argnums=0)
        answer = jax.jit(jax.vmap(self._answer, in_axes=(0, None)))
        self._compiled_epoch = epoch.lower(self._learners, self._training).compile()
        batch = jnp.resize(self._training.images, (BATCH, *self._training.images.shape[1:]))
        self._compiled_answer = answer.lower(self._learners, batch).compile()

    @property
    def num_parameters(self) -> int:
        """Learnt numbers in one network."""
        return sum(leaf[0].size for leaf in jax.tree.leaves(self._learners.parameters))

    def train(self, epochs: int) -> Iterator[Epoch]:
        """Trains all networks, and yields what happened after each epoch."""
        for _ in range(epochs):
            start = time.perf_counter()
            self._learners, losses, norms = jax.block_until_ready(
                self._compiled_epoch(self._learners, self._training)
            )
            seconds = time.perf_counter() - start
            yield Epoch(
                loss=np.asarray(losses).mean(1),
                gradient_norms=np.asarray(norms).mean(1),
                accuracy=self._accuracy(self._held_out),
                seconds_per_step=seconds / self._num_steps,
            )

    def units(self, images: np.ndarray) -> UnitReport:
        """Returns what became of the units of all networks; arrays have one row per seed."""
        observe = jax.vmap(observed(self._answer), in_axes=(0, None))
        first = jax.jit(lambda learners, images: observe(learners, images)[1])
        more = jax.jit(
            lambda report, learners, images: jax.vmap(UnitReport.merge)(
                report, observe(learners, images)[1]
            )
        )
        report = first(self._learners, images[:BATCH])
        for start in range(BATCH, len(images), BATCH):
            report = more(report, self._learners, images[start : start + BATCH])
        return report

    def _accuracy(self, examples: Examples) -> np.ndarray:
        classes = []
        for start in range(0, len(examples.labels), BATCH):
            images = examples.images[start : start + BATCH]
            filled = np.resize(images, (BATCH, *images.shape[1:]))
            logits = self._compiled_answer(self._learners, filled)
            classes.append(np.argmax(logits, axis=-1)[:, : len(images)])
        return np.mean(np.concatenate(classes, axis=1) == examples.labels, axis=1)

    def _answer(self, learner: Learner, images: Array) -> Array:
        network = nnx.merge(self._graphdef, learner.parameters, learner.others)
        network.eval()
        return network(images)

    def _epoch(self, learner: Learner, training: Examples) -> tuple[Learner, Array, Array]:
        """Returns the learner after one epoch; loss and gradient norms of each step."""
        key, order = jax.random.split(learner.key)
        rows = jax.random.permutation(order, len(training.labels))
        rows = rows[: self._num_steps * BATCH].reshape(self._num_steps, -1)

        def step(learner: Learner, rows: Array) -> tuple[Learner, tuple[Array, Array]]:
            return self._step(learner, training.images[rows], training.labels[rows])

        learner, (losses, norms) = jax.lax.scan(step, learner._replace(key=key), rows)
        return learner, losses, norms

    def _step(
        self, learner: Learner, images: Array, labels: Array
    ) -> tuple[Learner, tuple[Array, Array]]:
        """Returns the learner after one step; loss and gradient norms before it."""

        def loss(parameters: optax.Params) -> tuple[Array, nnx.State]:
            network = nnx.merge(self._graphdef, parameters, learner.others)
            network.train()
            logits = network(images)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean(), nnx.as_pure(nnx.state(network, nnx.Not(nnx.Param)))

        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(learner.parameters)
        updates, state = self._optimizer.update(gradients, learner.optimizer, learner.parameters)
        parameters = optax.apply_updates(learner.parameters, updates)
        learner = Learner(parameters, others, state, learner.key)
        return learner, (value, gradient_norms(gradients))


def optimizer(learning_rate: float, clip_norm: float | None) -> optax.GradientTransformation:
    """Returns gradient descent with momentum, after clipping if `clip_norm` is given.

    Not an adaptive optimizer: that would undo what an activation does to the size of gradients.
    """
    descent = optax.sgd(learning_rate, momentum=MOMENTUM)
    if clip_norm is None:
        return descent
    return optax.chain(optax.clip_by_global_norm(clip_norm), descent)


def gradient_norms(gradients: nnx.State) -> Array:
    """Returns the norm of each layer's weight gradient, first convolution to readout."""
    blocks = gradients["blocks"]
    layers = [blocks[index]["convolution"] for index in sorted(blocks)] + [gradients["readout"]]
    return jnp.stack([jnp.linalg.norm(layer["kernel"]) for layer in layers])
