"""What became of the units: which are dead, which are saturated, and what values they take.

A unit is one number that enters an activation: one channel at one position. It is judged by the
slope of the activation there, the share of the gradient that it lets through; no activation is
known by name.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from _network import Observation

DEAD = 1e-3  # no training image has a larger slope at a dead unit
SATURATED = 0.1  # the mean slope over the training images is no larger at a saturated unit
VALUES = (-4.0, 8.0)  # range of the histograms; what lies outside counts at the ends
NUM_BINS = 96


class LayerUnits(NamedTuple):
    """The units of one layer."""

    dead: np.ndarray  # (seeds,): share of the units
    saturated: np.ndarray  # (seeds,): share of the units, the dead included
    histogram: np.ndarray  # (NUM_BINS,): share of the activation's values in each bin
    size: int  # number of units


def inspect(observations: Iterable[Observation]) -> list[LayerUnits]:
    """Returns what became of the units of each layer, in the memory of one observation."""
    layers: list[_Layer] = []
    for observation in observations:
        layers = layers or [_Layer() for _ in observation.slopes]
        for layer, values, slopes in zip(
            layers, observation.values, observation.slopes, strict=True
        ):
            layer.add(np.asarray(values), np.abs(slopes))
    return [layer.units() for layer in layers]


class _Layer:
    """Running sums over the observations of one layer."""

    def __init__(self):
        self.largest = self.total = self.counts = np.zeros(())
        self.images = 0

    def add(self, values: np.ndarray, slopes: np.ndarray) -> None:
        self.largest = np.maximum(self.largest, slopes.max(axis=1))
        self.total = self.total + slopes.sum(axis=1)
        self.images += slopes.shape[1]
        finite = values[np.isfinite(values)]
        self.counts = self.counts + np.histogram(finite.clip(*VALUES), NUM_BINS, VALUES)[0]

    def units(self) -> LayerUnits:
        axes = tuple(range(1, self.largest.ndim))
        return LayerUnits(
            dead=np.mean(self.largest <= DEAD, axis=axes),
            saturated=np.mean(self.total / self.images <= SATURATED, axis=axes),
            histogram=self.counts / max(1, self.counts.sum()),
            size=self.largest[0].size,
        )
