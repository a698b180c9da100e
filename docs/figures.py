"""Draws the README's figure: the slope of GELU in bfloat16, by jax.nn and by jaxact.

python docs/figures.py
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jaxact  # from this checkout, installed or not

BLUE, RED, GREY = "#2563eb", "#dc2626", "#6b7280"


def slopes(function, xs: np.ndarray) -> np.ndarray:
    """The slope at all points, in the dtype of the points, as float64."""
    return np.asarray(jax.vmap(jax.grad(function))(jnp.asarray(xs)), np.float64)


def draw(path: Path) -> None:
    """Two panels: the slopes in the negative tail, and the error of each in ULP."""
    xs = np.arange(-4.5, 0.0, 2**-6).astype(jnp.bfloat16)
    points = xs.astype(np.float64)
    with jax.enable_x64(True):
        truth = slopes(jaxact.gelu, points)
    theirs, ours = slopes(jax.nn.gelu, xs), slopes(jaxact.gelu, xs)
    unit = np.ldexp(1.0, np.frexp(truth)[1] - 8)

    plt.rcParams.update({"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "jaxact"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.9), layout="constrained")
    left.plot(points, truth, color=GREY, linewidth=5, alpha=0.35, label="exact")
    left.plot(points, theirs, ".", color=RED, markersize=3, label="jax.nn")
    left.plot(points, ours, ".", color=BLUE, markersize=2, label="jaxact")
    left.set(title="Slope of GELU, bfloat16", xlabel="x", xlim=(-4.5, -1.5), ylim=(-0.16, 0.01))
    left.legend(frameon=False)
    right.semilogy(points, np.abs(theirs - truth) / unit, ".", color=RED, markersize=3)
    right.semilogy(points, np.abs(ours - truth) / unit, ".", color=BLUE, markersize=3)
    right.axhline(0.5, color=GREY, linewidth=0.8)
    right.set(title="Error in units in the last place", xlabel="x", ylim=(1e-4, 1e3))
    right.annotate("0.5: correctly rounded", (-4.4, 0.66), color=GREY, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(ROOT / "docs" / "gelu_slope.svg")
