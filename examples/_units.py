"""What became of the units of many networks: which are dead or saturated, and their values.

A unit is one number that enters an activation: one channel at one position.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from jaxact.diagnostics import UnitReport, with_units

VALUES = (-4.0, 8.0)  # range of the histograms; what lies outside counts at the ends
NUM_BINS = 96


class LayerUnits(NamedTuple):
    """The units of one layer."""

    dead: np.ndarray  # (seeds,): share of the units
    saturated: np.ndarray  # (seeds,): share of the units, the dead included
    histogram: np.ndarray  # (NUM_BINS,): share of the activation's values in each bin
    size: int  # number of units


def observed(function: Callable[..., Array]) -> Callable[..., tuple[Any, UnitReport]]:
    """Returns a function of a network and images that reports on the units of the network too."""
    return with_units(function, unit="element", bounds=VALUES, bins=NUM_BINS)


def by_layer(reports: UnitReport) -> list[LayerUnits]:
    """Returns the units of each layer, from a report on many networks at once."""
    return [
        LayerUnits(
            dead=_share(layer.dead),
            saturated=_share(layer.saturated),
            histogram=np.asarray(layer.histogram).mean(0),
            size=layer.dead[0].size,
        )
        for layer in reports.layers
    ]


def _share(units: Array) -> np.ndarray:
    return np.asarray(units).reshape(len(units), -1).mean(1)
