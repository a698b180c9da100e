"""What the monitor of `jaxact.diagnostics` adds to a training step of the example network."""

import importlib
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import jax

from jaxact.diagnostics import monitor

EXAMPLES = Path(__file__).parents[1] / "examples"
RATE = 0.03


class Overhead(NamedTuple):
    """Milliseconds per step, the fastest of all epochs, and the median ratio of neighbours."""

    plain: float
    watched: float
    ratio: float


def measure(activation: str, epochs: int, seeds: int) -> Overhead:
    """Trains two ensembles of the main example, epoch by epoch in turn."""
    sys.path.insert(0, str(EXAMPLES))
    network, training, dataset = map(importlib.import_module, ("_network", "_training", "_dataset"))
    data = dataset.digits()

    def create(rngs):
        return network.Network(
            data.training.images.shape[1:],
            data.num_classes,
            depth=4,
            activation=activation,
            normalization="none",
            rngs=rngs,
        )

    def plainly(rate):
        return training.optimizer(rate, clip_norm=1.0)

    def watching(rate):
        return monitor(plainly(rate), clip_norm=1.0)

    plain, watched = (
        training.Ensemble(create, chosen, data, [RATE], seeds, jax.devices()[:1]).train(epochs)
        for chosen in (plainly, watching)
    )
    pairs = [
        (1e3 * one.seconds_per_step, 1e3 * other.seconds_per_step)
        for one, other in zip(plain, watched, strict=True)
    ]
    times = list(zip(*pairs, strict=True))
    ratios = [after / before for before, after in pairs]
    return Overhead(min(times[0]), min(times[1]), statistics.median(ratios))
