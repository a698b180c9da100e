"""Networks that differ in seed and learning rate only, trained together by one compiled program.

The program maps the training of one network over all of them, and is spread over the devices. An
activation has a program of its own: networks of several could share one only by a `lax.switch`
between them, which under `vmap` computes every branch for every network, and only if all had the
same parameters, where PReLU learns slopes and maxout twice the weights. Nor would it compile
faster, having every branch in it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _dataset import Dataset, Examples
from _devices import Spread
from _network import Network
from _units import observed
from flax import nnx
from jax import Array

from jaxact.diagnostics import UnitReport

BATCH = 64  # images
MOMENTUM = 0.9


class Learner(NamedTuple):
    """A network in training; of several networks, every array has one row per network."""

    parameters: optax.Params
    others: nnx.State  # statistics of the normalization, random streams of the activation
    optimizer: optax.OptState
    key: Array  # decides the order of the training images
    rate: Array  # of learning


class Epoch(NamedTuple):
    """What happened in one pass over the training images; one row per network."""

    loss: np.ndarray  # mean over the steps
    gradient_norms: np.ndarray  # (networks, layers): mean over the steps, before clipping
    accuracy: np.ndarray  # on the held-out images, afterwards
    seconds_per_step: float  # for all networks together

    def of(self, networks: slice) -> "Epoch":
        """Returns what happened to some of the networks."""
        return self._replace(
            loss=self.loss[networks],
            gradient_norms=self.gradient_norms[networks],
            accuracy=self.accuracy[networks],
        )


class Ensemble:
    """The networks of one activation: one for each pair of a learning rate and a seed, in order.

    Args:
        create: Makes a network from its source of randomness.
        optimizer: How all of them learn, given the learning rate.
        dataset: What they learn.
        rates: Learning rates.
        num_seeds: How many networks have the same learning rate.
        devices: Where they learn; all that there are unless given.
    """

    def __init__(
        self,
        create: Callable[[nnx.Rngs], Network],
        optimizer: Callable[[Array], optax.GradientTransformation],
        dataset: Dataset,
        rates: Sequence[float],
        num_seeds: int,
        devices: Sequence[Any] | None = None,
    ):
        def start(seed: Array, rate: Array) -> tuple[nnx.GraphDef, Learner]:
            initial, order = jax.random.split(jax.random.key(seed))
            graphdef, parameters, others = nnx.split(create(nnx.Rngs(initial)), nnx.Param, ...)
            parameters, others = nnx.as_pure((parameters, others))
            state = optimizer(rate).init(parameters)
            return graphdef, Learner(parameters, others, state, order, rate)

        self.num_networks = len(rates) * num_seeds
        self.spread = Spread(devices or jax.devices(), self.num_networks)
        seeds = jnp.tile(jnp.arange(num_seeds), len(rates))
        each_rate = jnp.repeat(jnp.asarray(rates), num_seeds)
        self._graphdef, learners = jax.vmap(start)(seeds, each_rate)
        self._learners = self.spread.rows(learners)
        self._optimizer = optimizer
        self._training = self.spread.share(dataset.training)
        self._held_out = [self.spread.share(batch) for batch in batches(dataset.held_out)]
        self._num_steps = max(1, len(dataset.training.labels) // BATCH)
        self._seconds = 0.0

        epoch = self.spread.each(self._epoch, donate_argnums=0)
        right = self.spread.each(self._right)
        self._compiled_epoch = epoch.lower(self._learners, self._training).compile()
        self._compiled_right = right.lower(self._learners, self._held_out[0]).compile()
        self._num_held_out = len(dataset.held_out.labels)

    @property
    def num_parameters(self) -> int:
        """Learnt numbers in one network."""
        leaves = jax.tree.leaves(self._learners.parameters)
        return sum(leaf.size // len(leaf) for leaf in leaves)

    @property
    def networks_per_second(self) -> float:
        """How many networks learnt in a second, compilation and tests left out."""
        return self.num_networks / self._seconds

    @property
    def learners(self) -> Learner:
        """All networks as they are now, but for their random streams, on this host."""
        return self.spread.collect(self._learners._replace(others=None, key=None))

    def train(self, epochs: int) -> Iterator[Epoch]:
        """Trains all networks, and yields what happened after each epoch."""
        for _ in range(epochs):
            start = time.perf_counter()
            self._learners, losses, norms = jax.block_until_ready(
                self._compiled_epoch(self._learners, self._training)
            )
            seconds = time.perf_counter() - start
            self._seconds += seconds
            losses, norms = self.spread.collect((losses, norms))
            yield Epoch(
                loss=losses.mean(1),
                gradient_norms=norms.mean(1),
                accuracy=self._accuracy(),
                seconds_per_step=seconds / self._num_steps,
            )

    def units(self, images: np.ndarray) -> UnitReport:
        """Returns what became of the units of all networks; arrays have one row per network."""
        # Without `shard_map`, into which diagnostics do not look: the arrays say where they are.
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
        return self.spread.collect(report)

    def _accuracy(self) -> np.ndarray:
        right = [self._compiled_right(self._learners, batch) for batch in self._held_out]
        return np.sum(self.spread.collect(right), axis=0) / self._num_held_out

    def _right(self, learner: Learner, examples: Examples) -> Array:
        classes = jnp.argmax(self._answer(learner, jnp.asarray(examples.images)), axis=-1)
        return jnp.sum(classes == examples.labels)

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
        descent = self._optimizer(learner.rate)
        updates, state = descent.update(gradients, learner.optimizer, learner.parameters)
        parameters = optax.apply_updates(learner.parameters, updates)
        learner = Learner(parameters, others, state, learner.key, learner.rate)
        return learner, (value, gradient_norms(gradients))


def batches(examples: Examples) -> list[Examples]:
    """Returns batches of one size; what fills up the last one has a label that no image has."""
    filled = -(-len(examples.labels) // BATCH) * BATCH
    images = np.resize(examples.images, (filled, *examples.images.shape[1:]))
    labels = np.full(filled, -1, np.int32)
    labels[: len(examples.labels)] = examples.labels
    return [
        Examples(images[start : start + BATCH], labels[start : start + BATCH])
        for start in range(0, filled, BATCH)
    ]


def optimizer(learning_rate: Array, clip_norm: float | None) -> optax.GradientTransformation:
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
