"""ReLU against sigmoid and tanh: sparsity, epochs to a given error, and milliseconds per step.

Deep dense networks learn handwritten digits by plain gradient descent. Every activation is given
the learning rate that suits it best, as in the paper that claims the most.
"""

import argparse
import functools
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _charts import Axis, Series, line_chart, whole
from _claims import Claim, Panel, hues, main
from _dataset import digits
from _dense import BATCH, Data, answer, create, flat, train
from jax import Array

from jaxact.diagnostics import with_units

ACTIVATIONS = ("relu", "tanh", "sigmoid")
HIDDEN = 4  # layers
RATES = np.geomspace(0.02, 2.0, 9)
ERROR = 0.05  # on the training images
FASTER = 6  # times fewer epochs than tanh: Krizhevsky, Sutskever & Hinton 2012, figure 1
ROUNDS, STEPS = 15, 30  # of the clock


class Course(NamedTuple):
    """How networks of one activation learn; axes of rates and seeds."""

    errors: np.ndarray  # on the training images, after each epoch
    zeros: np.ndarray  # share of the values that are 0, after all epochs


def learn(options: argparse.Namespace, name: str, data: Data) -> Course:
    """Returns how networks of one activation learn, at all rates and from all seeds."""
    sizes = (data.features.shape[1], *HIDDEN * (options.width,), 10)
    steps = len(data.classes) // BATCH

    def one(rate: Array, seed: Array) -> tuple[Array, Array]:
        initial, order = jax.random.split(jax.random.key(seed))
        graphdef, start = create(name, sizes, initial)

        def epoch(learner, key):
            learner = train(graphdef, learner, data, key, rate, steps)
            guess = answer(graphdef, learner, data.features)
            return learner, jnp.mean(jnp.argmax(guess, -1) != data.classes)

        learner, errors = jax.lax.scan(epoch, start, jax.random.split(order, options.epochs))
        _, report = with_units(functools.partial(answer, graphdef))(learner, data.features)
        return errors, jnp.stack([layer.sparsity for layer in report.layers]).mean()

    over_seeds = jax.vmap(one, in_axes=(None, 0))
    everywhere = jax.jit(jax.vmap(over_seeds, in_axes=(0, None)))
    return Course(*map(np.asarray, everywhere(jnp.asarray(RATES), jnp.arange(options.seeds))))


def epochs_needed(course: Course) -> tuple[float, int]:
    """Returns the median over the seeds at the best rate, and the number of that rate."""
    reached = course.errors <= ERROR
    first = np.where(reached.any(-1), reached.argmax(-1) + 1, np.inf)
    medians = np.median(first, axis=1)
    return float(medians.min()), int(medians.argmin())


def clock(options: argparse.Namespace, data: Data) -> dict[str, float]:
    """Returns the milliseconds of a training step: medians of rounds in which all take turns."""
    sizes = (data.features.shape[1], *HIDDEN * (8 * options.width,), 10)
    programs = {}
    for name in ACTIVATIONS:
        graphdef, start = create(name, sizes, jax.random.key(0))
        steps = jax.jit(functools.partial(train, graphdef, rate=0.01, steps=STEPS))
        programs[name] = functools.partial(steps, start, data, jax.random.key(1))
        jax.block_until_ready(programs[name]())
    seconds = {name: [] for name in ACTIVATIONS}
    for _ in range(ROUNDS):
        for name, program in programs.items():
            begin = time.perf_counter()
            jax.block_until_ready(program())
            seconds[name].append(time.perf_counter() - begin)
    return {name: 1e3 * float(np.median(each)) / STEPS for name, each in seconds.items()}


def measure(options: argparse.Namespace) -> tuple[Sequence[Claim], Sequence[Panel]]:
    """Returns the claims on ReLU, and their figure."""
    data = flat(digits().training)
    courses = {name: learn(options, name, data) for name in ACTIVATIONS}
    needed = {name: epochs_needed(course) for name, course in courses.items()}
    colours, epochs = hues(ACTIVATIONS), np.arange(1, options.epochs + 1)
    lines = [
        Series(name, colours[name], epochs, np.median(course.errors[needed[name][1]], axis=0))
        for name, course in courses.items()
    ]
    across = Axis("epoch", whole(*epochs[:: max(1, options.epochs // 8)]), (1, options.epochs))
    marks = [(share / 100, f"{share:g}") for share in (0.1, 0.3, 1, 3, 10, 30, 100)]
    up = Axis("error on training images, %", marks, (1e-3, 1.0), np.log10)
    title = "Error, at the best learning rate of each"
    panel = Panel(title, line_chart(title, lines, across, up, goal=ERROR))
    return claims(courses, needed, clock(options, data)), [panel]


def claims(courses, needed, milliseconds) -> list[Claim]:
    """Returns what was claimed, beside what was measured."""
    zeros = {n: float(np.median(c.zeros[needed[n][1]])) for n, c in courses.items()}
    epochs = {name: number for name, (number, _) in needed.items()}
    listed = ", ".join(f"{n} {epochs[n]:g} (rate {RATES[needed[n][1]]:.2g})" for n in ACTIVATIONS)
    others = ("tanh", "sigmoid")
    return [
        Claim(
            "ReLU activates sparsely; sigmoid and tanh do not.",
            "values that are 0: " + ", ".join(f"{n} {zeros[n]:.0%}" for n in ACTIVATIONS),
            zeros["relu"] > 0.3 and max(zeros[name] for name in others) < 0.01,
        ),
        Claim(
            f"ReLU needs fewer epochs to an error of {ERROR:.0%} than sigmoid and tanh.",
            f"median epochs: {listed}",
            all(epochs["relu"] < epochs[name] for name in others),
        ),
        Claim(
            f"ReLU needs {FASTER} times fewer epochs than tanh (AlexNet, on CIFAR-10).",
            f"{epochs['tanh'] / epochs['relu']:.2g} times fewer, on digits",
            epochs["tanh"] >= FASTER * epochs["relu"],
        ),
        Claim(
            "A step with ReLU takes less time.",
            ", ".join(f"{n} {milliseconds[n]:.3g} ms" for n in ACTIVATIONS),
            all(milliseconds["relu"] < milliseconds[name] for name in others),
        ),
    ]


run = functools.partial(
    main,
    "ReLU against sigmoid and tanh.",
    "relu_against_sigmoid.svg",
    measure,
    width=32,
    epochs=25,
    seeds=3,
)

if __name__ == "__main__":
    sys.exit(run())
