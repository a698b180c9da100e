"""Draws the figures of the explanations: what backward keeps, and errors against the definition.

python docs/explanation/figures.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from accuracy import ORDERS, derivatives, roots
from oracle import evaluate, is_normal, ulp_error

import jaxact  # from this checkout, installed or not

BLUE, RED, GREY = "#2563eb", "#dc2626", "#6b7280"
PALE_BLUE, PALE_RED, PALE = "#dbeafe", "#fee2e2", "#f3f4f6"


# --- Errors --------------------------------------------------------------------------------------


def errors() -> Figure:
    """The errors of gelu and its derivatives in float32, by the judge that the tests use.

    Left out, as in the promise, is what lies within 1/8 of a derivative's root.
    """
    entry = jaxact.CATALOG["gelu"]
    xs = np.linspace(-9, 6, 401).astype(np.float32)
    exact = evaluate(entry.formula, xs.astype(np.float64), 2, dtype=np.float32)
    near = roots(entry, {})
    figure, panels = plt.subplots(1, 3, figsize=(8.4, 2.9), layout="constrained", sharey=True)
    for order, axes in enumerate(panels):
        counts = is_normal(exact[order], np.float32)
        for root in near[order] if order else ():
            counts &= np.abs(xs - float(root.x)) > 1 / 8
        for function, colour, name in (
            (jax.nn.gelu, RED, "jax.nn"),
            (jaxact.gelu, BLUE, "jaxact"),
        ):
            found = ulp_error(np.asarray(derivatives(function, xs)[order]), exact[order])
            shown = np.clip(found, 2.0**-10, 2.0**26)[counts]
            axes.semilogy(xs[counts], shown, ".", color=colour, markersize=2.5, label=name)
            print(f"errors: {name}, {ORDERS[order]}: worst {found[counts].max():.3g} ULP")
        axes.axhline(entry.ulps[order], color=GREY, linewidth=0.8)
        axes.annotate(f"promised: {entry.ulps[order]:g}", (0, entry.ulps[order] * 1.5), fontsize=8)
        axes.set(title=ORDERS[order], xlabel="x")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="error, ULP")
    panels[0].legend(frameon=False, loc="upper right")
    return figure


# --- What backward keeps -------------------------------------------------------------------------


def kept(function: Callable[[jax.Array], jax.Array]) -> list[str]:
    """The dtypes of the arrays that reverse mode keeps of a bfloat16 input, each array once."""
    leaves = jax.tree.leaves(jax.vjp(function, jnp.ones(64, jnp.bfloat16))[1])
    arrays = {id(leaf): leaf for leaf in leaves if leaf.size > 1}
    return [str(array.dtype) for array in arrays.values()]


def box(axes: Axes, x: float, y: float, text: str, colour: str, edge: str, width=1.5) -> None:
    axes.add_patch(plt.Rectangle((x, y), width, 0.7, facecolor=colour, edgecolor=edge, linewidth=1))
    axes.text(x + width / 2, y + 0.35, text, ha="center", va="center", fontsize=8)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2}
    axes.annotate("", end, start, arrowprops=style)


def mechanism() -> Figure:
    """The two passes of gelu in bfloat16, and the arrays that wait between them."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    libraries = (("jax.nn", jax.nn.gelu, RED, PALE_RED), ("jaxact", jaxact.gelu, BLUE, PALE_BLUE))
    for axes, (name, function, edge, colour) in zip(panels, libraries, strict=True):
        arrays = kept(function)
        size = sum(jnp.dtype(array).itemsize for array in arrays)
        box(axes, 0, 4.4, "x", PALE, GREY, 0.7)
        box(axes, 2.4, 4.4, "value", colour, edge)
        box(axes, 5.6, 4.4, "y", PALE, GREY, 0.7)
        arrow(axes, (0.7, 4.75), (2.4, 4.75), GREY)
        arrow(axes, (3.9, 4.75), (5.6, 4.75), GREY)
        last = "slope(x) * t" if name == "jaxact" else "products"
        box(axes, 2.4, 0, last, colour, edge)
        box(axes, 5.6, 0, "dy", PALE, GREY, 0.7)
        box(axes, 0, 0, "dx", PALE, GREY, 0.7)
        arrow(axes, (5.6, 0.35), (3.9, 0.35), GREY)
        arrow(axes, (2.4, 0.35), (0.7, 0.35), GREY)
        middle, step = 3.15, 1.15
        for place, array in enumerate(arrays):
            x = middle + (place - (len(arrays) - 1) / 2) * step
            label = f"x\n{array}" if name == "jaxact" else array
            box(axes, x - 0.5, 2.2, label, colour, edge, 1.0)
            arrow(axes, (middle, 4.4), (x, 2.9), edge)
            arrow(axes, (x, 2.2), (middle, 0.7), edge)
        count = f"{len(arrays)} arrays" if len(arrays) > 1 else "1 array"
        axes.set_title(f"{name}: {count}, {size} bytes per element wait", fontsize=10)
        axes.text(-0.1, 5.4, "forward", fontsize=8, color=GREY)
        axes.text(-0.1, -0.45, "backward", fontsize=8, color=GREY)
        axes.set(xlim=(-0.2, 6.6), ylim=(-0.7, 5.7))
        axes.axis("off")
        print(f"mechanism: {name} keeps {arrays}, {size} bytes")
    return figure


def main() -> None:
    """Draws both."""
    plt.rcParams.update({"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "jaxact"})
    for draw in (errors, mechanism):
        draw().savefig(HERE / f"{draw.__name__}.svg", metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
