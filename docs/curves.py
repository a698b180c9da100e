"""Draws every elementwise activation of the catalogue, to be found by its curve: docs/curves.svg.

python docs/curves.py
"""

import functools
import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jaxact  # from this checkout, installed or not

BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#9ca3af"
COLUMNS, REACH, HEIGHT = 8, 4.0, 3.0


def panel(axes: Axes, entry: jaxact.Entry) -> None:
    """One activation with its typical parameters: value and slope."""
    function = functools.partial(entry.function, **entry.samples[0])
    low, high = entry.domain(**entry.samples[0])
    x = np.linspace(max(-REACH, low), min(REACH, high), 1601)[1:-1].astype(np.float32)
    value, slope = jax.jvp(function, (jnp.asarray(x),), (jnp.ones_like(x),))
    axes.axhline(0, color=GREY, linewidth=0.4)
    axes.axvline(0, color=GREY, linewidth=0.4)
    axes.plot(x, slope, color=ORANGE, linewidth=0.8)
    axes.plot(x, value, color=BLUE, linewidth=1.2)
    axes.set(xlim=(-REACH, REACH), ylim=(-HEIGHT, HEIGHT), xticks=[], yticks=[])
    axes.set_title(entry.name, fontsize=8, pad=3)
    axes.spines[:].set_color(GREY)
    axes.spines[:].set_linewidth(0.4)


def draw(path: Path) -> None:
    """A sheet of panels in the order of families."""
    entries = [e for e in jaxact.CATALOG.values() if e.kind in ("elementwise", "random")]
    entries.sort(key=lambda entry: (entry.family, entry.name))
    rows = math.ceil(len(entries) / COLUMNS)
    plt.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "jaxact", "path.simplify": True})
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(9.6, 1.1 * rows), layout="constrained")
    for axes in grid.flat[len(entries) :]:
        axes.remove()
    for axes, entry in zip(grid.flat, entries, strict=False):
        panel(axes, entry)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    draw(ROOT / "docs" / "curves.svg")
