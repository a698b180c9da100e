"""Draws the tutorial's own figures; those of the note's claims are docs/signal_health.py's.

python docs/tutorial/figures.py                  # all of them, a minute
python docs/tutorial/figures.py centre           # one
"""

import argparse
import functools
import math
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
sys.path.insert(0, str(HERE.parents[1]))

import jaxact  # from this checkout, installed or not
from jaxact.theory import gain, moments

BLUE, ORANGE, GREEN, RED, GREY = "#2563eb", "#ea580c", "#059669", "#dc2626", "#9ca3af"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#7c3aed", "#0891b2", "#ca8a04", "#4b5563")
WIDTH = 8.4


def panels(columns: int, rows: int = 1, height: float = 2.9) -> tuple[Figure, np.ndarray]:
    """A figure of the tutorial's width, and its axes, without the frame's upper right."""
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained")
    for axes in np.ravel(grid):
        axes.spines[["top", "right"]].set_visible(False)
    return figure, np.ravel(grid)


def curves(name: str, x: np.ndarray, **parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, slope and curvature of an activation of the catalogue."""
    function = functools.partial(jaxact.CATALOG[name].function, **parameters)
    value = jax.vmap(function)
    slope, curvature = jax.vmap(jax.grad(function)), jax.vmap(jax.grad(jax.grad(function)))
    points = jnp.asarray(x, jnp.float32)
    return tuple(np.asarray(f(points)) for f in (value, slope, curvature))


def cross(axes: Axes) -> None:
    """The two lines through the origin."""
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)


# --- Chapters 1 and 2: gradients -----------------------------------------------------------------


def factors() -> Figure:
    """One layer's factor, and what is left after many: at best, and as it is on average."""
    figure, (left, right) = panels(2)
    x, layers = np.linspace(-6, 6, 601), np.arange(51)
    for name, colour in zip(("sigmoid", "tanh", "relu"), COLOURS, strict=False):
        _, slope, _ = curves(name, x)
        left.plot(x, slope, color=colour, label=f"{name}: at most {slope.max():.2f}")
        typical = math.sqrt(moments(name).slope_square)
        right.semilogy(layers, slope.max() ** layers, color=colour, linestyle=":")
        right.semilogy(layers, typical**layers, color=colour, label=f"{name}: {typical:.2f}")
    left.set(title="Slope: the factor of one layer", xlabel="input")
    left.legend(frameon=False, fontsize=8)
    right.set(title="Product over the layers", xlabel="layers", ylim=(1e-35, 10))
    right.legend(
        frameon=False, fontsize=8, title="root mean square; dotted: largest", title_fontsize=8
    )
    return figure


def gains() -> Figure:
    """The size of pre-activations through layers, with weights of gain 1 and of the right gain."""
    figure, axes = panels(2)
    names = ("sigmoid", "tanh", "relu", "elu", "selu", "gelu", "silu", "mish")
    width, depth = 256, 40
    keys = jax.random.split(jax.random.key(0), depth + 1)
    start = jax.random.normal(keys[0], (256, width))

    def sizes(name: str, scale: float) -> np.ndarray:
        function, h, rows = jaxact.CATALOG[name].function, start, [1.0]
        for key in keys[1:]:
            kernel = jax.random.normal(key, (width, width)) * scale / math.sqrt(width)
            h = function(h) @ kernel
            rows.append(float(jnp.sqrt(jnp.mean(h**2))))
        return np.array(rows)

    for ax, fitting in zip(axes, (False, True), strict=True):
        last = {}
        for name, colour in zip(names, COLOURS, strict=True):
            rows = sizes(name, gain(name) if fitting else 1.0)
            label = f"{name} {gain(name):.2f}" if fitting else name
            ax.semilogy(rows, color=colour, label=label)
            last[name] = f"{rows[-1]:.2g}"
        title = "weights of gain(f)" if fitting else "weights of gain 1"
        print(f"gains: {title}, size after {depth} layers: {last}")
        ax.set(title=f"Size of the signal, {title}", xlabel="layer", ylim=(1e-14, 1e4))
        ax.legend(frameon=False, fontsize=8, ncols=2, loc="lower left")
    return figure


# --- Chapter 3: sigmoid and tanh -----------------------------------------------------------------


def descent(inputs: np.ndarray, steps: int) -> tuple[np.ndarray, float, np.ndarray]:
    """The path of gradient descent to two weights, the condition number, and the Hessian.

    One linear neuron learns the weights (1, -1) from (0, 0), at the largest rate at which no
    direction oscillates: one over the largest eigenvalue.
    """
    hessian = inputs.T @ inputs / len(inputs)
    low, high = np.linalg.eigvalsh(hessian)
    goal, path = np.array([1.0, -1.0]), [np.zeros(2)]
    for _ in range(steps):
        path.append(path[-1] - hessian @ (path[-1] - goal) / high)
    return np.array(path), high / low, hessian


def centre() -> Figure:
    """Two weights behind sigmoid and behind tanh: the same task, the same number of steps."""
    figure, axes = panels(2, height=3.2)
    z = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)
    span = np.linspace(-0.6, 1.4, 81)
    u, v = np.meshgrid(span, span - 0.8)
    for ax, name in zip(axes, ("sigmoid", "tanh"), strict=True):
        inputs = np.asarray(jaxact.CATALOG[name].function(z), np.float64)
        path, condition, hessian = descent(inputs, 20)
        away = np.stack([u - 1, v + 1], axis=-1)
        error = np.einsum("...i,ij,...j->...", away, hessian, away)
        ax.contour(u, v, np.sqrt(error), levels=10, colors=GREY, linewidths=0.6)
        ax.plot(*path.T, ".-", color=BLUE, linewidth=1, markersize=5)
        ax.plot(1, -1, "+", color=RED, markersize=12)
        left = np.linalg.norm(path[-1] - [1, -1]) / math.sqrt(2)
        print(f"centre: {name}: condition {condition:.1f}, {left:.1%} of the way left")
        ax.set(title=f"behind {name}: condition number {condition:.1f}", aspect="equal")
        ax.set(xlabel="first weight", ylabel="second weight")
    return figure


# --- Chapter 4: rectifiers -----------------------------------------------------------------------


def rectifiers() -> Figure:
    """Six rectifiers: value, and slope; what is drawn of RReLU are its draws."""
    figure, axes = panels(3, 2, height=4.4)
    for ax, name in zip(
        axes, ("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu"), strict=True
    ):
        cross(ax)
        reach = 8 if name == "relu6" else 4
        x = np.linspace(-4, reach, 481)
        ax.set(ylim=(-1.5, reach), xlim=(-4, reach))
        parameters = {"prelu": {"negative_slope": 0.25}}.get(name, {})
        value, slope, _ = curves(name, x, **parameters)
        title = name
        if name == "rrelu":
            points = np.linspace(-4, 4, 400, dtype=np.float32)
            drawn = jaxact.rrelu(points, jax.random.key(0))
            ax.plot(points, drawn, ".", color=GREEN, markersize=2.5, label="in training")
            title = "rrelu: slopes drawn from 1/8 to 1/3"
        elif name == "prelu":
            for learned in (-0.1, 0.0, 0.5):
                other, _, _ = curves(name, x, negative_slope=learned)
                ax.plot(x, other, color=BLUE, linewidth=0.8, alpha=0.4)
            title = "prelu: its slope is learned"
        ax.plot(x, slope, color=ORANGE, linewidth=1, label="slope")
        ax.plot(x, value, color=BLUE, linewidth=1.6, label="value")
        ax.set_title(title, fontsize=9)
        if name in ("relu", "rrelu"):
            ax.legend(frameon=False, fontsize=8)
    return figure


# --- Chapter 5: units with an exponential --------------------------------------------------------


def means() -> Figure:
    """How far outputs lie to one side, and what a stack of selu layers makes of any start."""
    figure, (left, right) = panels(2)
    names = ("relu", "gelu", "prelu", "mish", "silu", "elu", "selu", "tanh")
    bars = {}
    for name in names:
        parameters = {"negative_slope": 0.25} if name == "prelu" else {}
        found = moments(name, **parameters)
        bars[name] = abs(found.mean) / math.sqrt(found.square)
    left.barh([*bars], [*bars.values()], color=BLUE, height=0.6)
    left.invert_yaxis()
    left.set(title="Mean over root mean square of f(z), z normal", xlim=(0, 0.8))
    for row, share in enumerate(bars.values()):
        left.text(share + 0.01, row, f"{share:.2f}", va="center", fontsize=8)

    width, depth = 512, 30
    keys = jax.random.split(jax.random.key(0), depth + 1)
    starts = ((0.0, 0.5), (0.0, 1.5), (0.5, 1.0))
    for (mean, std), colour in zip(starts, COLOURS, strict=False):
        h = mean + std * jax.random.normal(keys[0], (512, width))
        rows = [(float(jnp.mean(h)), float(jnp.std(h)))]
        for key in keys[1:]:
            kernel = jax.random.normal(key, (width, width)) / math.sqrt(width)
            h = jaxact.selu(h @ kernel)
            rows.append((float(jnp.mean(h)), float(jnp.std(h))))
        path = np.array(rows)
        right.plot(path[:, 1], color=colour, label=f"from {mean:g} ± {std:g}: std")
        right.plot(path[:, 0], color=colour, linestyle=":")
    right.set(title="selu, layer after layer; dotted: mean", xlabel="layer")
    right.legend(frameon=False, fontsize=8, loc="center right")
    return figure


# --- Chapter 6: Maxout ---------------------------------------------------------------------------


def tangents(function: Callable, x: jax.Array, pieces: int) -> jax.Array:
    """What Maxout makes of `pieces` tangents of a convex function, equally spaced on [-1, 1]."""
    at = jnp.linspace(-1, 1, 2 * pieces + 1)[1::2]
    height, slope = jax.vmap(jax.value_and_grad(function))(at)
    return jaxact.maxout(height + slope * (x[:, None] - at), pieces)[:, 0]


def convex() -> Figure:
    """Maxout of tangents: x^2 from below, a sine as a difference, and the errors by pieces."""
    figure, (first, second, third) = panels(3, height=2.7)
    x = jnp.linspace(-1, 1, 801)
    parabola, wave = (lambda t: t**2), (lambda t: jnp.sin(4 * t))
    bowl = lambda t: 8 * t**2  # as bent as the wave at most, so that their sum is convex
    both = lambda t: wave(t) + bowl(t)
    first.plot(x, parabola(x), color=GREY, linewidth=4, alpha=0.5)
    for pieces, colour in ((2, ORANGE), (5, BLUE)):
        first.plot(x, tangents(parabola, x, pieces), color=colour, label=f"{pieces} pieces")
    first.set_title("One Maxout unit: x²", fontsize=9)
    second.plot(x, wave(x), color=GREY, linewidth=4, alpha=0.5)
    for pieces, colour in ((6, ORANGE), (16, BLUE)):
        result = tangents(both, x, pieces) - tangents(bowl, x, pieces)
        second.plot(x, result, color=colour, label=f"2 · {pieces} pieces")
    second.set_title("A difference of two: sin 4x", fontsize=9)
    counts = np.array([2, 4, 8, 16, 32, 64])
    errors = [float(jnp.max(jnp.abs(tangents(parabola, x, int(k)) - x**2))) for k in counts]
    waves = [
        float(jnp.max(jnp.abs(tangents(both, x, int(k)) - tangents(bowl, x, int(k)) - wave(x))))
        for k in counts
    ]
    third.loglog(counts, errors, "o-", color=BLUE, markersize=4, label="x²")
    third.loglog(counts, waves, "o-", color=ORANGE, markersize=4, label="sin 4x")
    third.loglog(counts, 1.0 / counts**2, ":", color=GREY, label="1 / pieces²")
    third.set_xticks(counts, [str(k) for k in counts])
    third.minorticks_off()
    third.set_title("Largest error by pieces", fontsize=9)
    for axes in (first, second, third):
        axes.legend(frameon=False, fontsize=8)
    print("convex: errors of x²", dict(zip(counts.tolist(), np.round(errors, 6), strict=True)))
    return figure


# --- Chapter 7: smooth units and gates -----------------------------------------------------------


def smooth() -> Figure:
    """Value, slope and curvature of the smooth successors of ReLU."""
    figure, axes = panels(3, height=2.8)
    x = np.linspace(-4, 4, 801)
    for name, colour in zip(("relu", "gelu", "silu", "mish"), (GREY, *COLOURS), strict=False):
        for ax, row in zip(axes, curves(name, x), strict=True):
            ax.plot(x, row, color=colour, linewidth=1.2, label=name)
    for ax, title in zip(axes, ("Value", "Slope", "Curvature"), strict=True):
        cross(ax)
        ax.set(title=title)
    axes[0].set(ylim=(-0.6, 2.5), xlim=(-4, 2.5))
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def gates() -> Figure:
    """What four gates make of two numbers."""
    figure, axes = panels(4, height=2.5)
    span = jnp.linspace(-3, 3, 61)
    gate, value = jnp.meshgrid(span, span)
    sigmoid_gate = lambda gate, value: jaxact.glu(value, gate=gate)
    functions = (sigmoid_gate, jaxact.reglu, jaxact.geglu, jaxact.swiglu)
    for ax, name, f in zip(axes, ("glu", "reglu", "geglu", "swiglu"), functions, strict=True):
        levels = np.linspace(-4.25, 4.25, 18)  # white around 0
        ax.contourf(span, span, f(gate, value), levels, cmap="RdBu_r", extend="both")
        ax.set(title=name, xlabel="gate", aspect="equal")
    axes[0].set(ylabel="value")
    return figure


DRAWN = (factors, gains, centre, rectifiers, means, convex, smooth, gates)
FIGURES = {function.__name__: function for function in DRAWN}


def main() -> None:
    """Draws the figures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="all unless given")
    plt.rcParams.update({"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "jaxact"})
    for name in parser.parse_args().figures or FIGURES:
        figure = FIGURES[name]()
        figure.savefig(HERE / f"{name}.svg", metadata={"Date": None}, facecolor="white")
        plt.close(figure)


if __name__ == "__main__":
    main()
