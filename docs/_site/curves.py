"""Curves of an activation, computed by the library itself, and drawn as SVG."""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxact import Entry

ORDERS = ("value", "slope", "curvature")
WIDTH, HEIGHT, MARGIN = 640, 400, 28
POINTS = 401


def of_one_array(entry: Entry, setting: Mapping[str, Any]) -> Callable[[jax.Array], jax.Array]:
    """The activation as a function of one array.

    A gate as a function of its gate, the other array being 1; a map over an axis by its first
    output, for the inputs x and 0.
    """
    function = functools.partial(entry.function, **setting)
    if entry.kind == "gate":
        first, *_ = inspect.signature(entry.function).parameters
        other = "value" if first == "gate" else first
        return lambda x: function(**{"gate": x, other: jnp.ones_like(x)})
    if entry.kind == "axis":
        return lambda x: function(jnp.stack([x, jnp.zeros_like(x)], -1))[..., 0]
    return function


CHUNK = 8192  # points computed at once: one shape, so that each activation is compiled once


def derivatives(
    function: Callable[[jax.Array], jax.Array],
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Value, slope and curvature in float64, as a function of points."""

    def derivative(f):
        return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]

    slope = derivative(function)
    orders = jax.jit(lambda x: (function(x), slope(x), derivative(slope)(x)))

    def curves(xs: np.ndarray) -> list[np.ndarray]:
        padded = np.pad(xs, (0, CHUNK - len(xs)), mode="edge")
        with jax.enable_x64(True):
            return [np.asarray(y)[: len(xs)] for y in orders(padded)]

    return curves


@dataclass(frozen=True)
class Window:
    """What part of the plane a figure shows."""

    reach: float
    low: float
    high: float

    def points(self) -> np.ndarray:
        """Where curves are computed."""
        return np.linspace(-self.reach, self.reach, POINTS)


def window(curves: Callable[[np.ndarray], list[np.ndarray]]) -> Window:
    """A window in which the activation shows its shape."""
    reach = 5.0
    slope = curves(np.linspace(-reach, reach, 2001))[1]
    turns = np.count_nonzero(np.diff(np.sign(slope[np.abs(slope) > 1e-3])))
    if turns > 12:  # it oscillates
        reach = max(0.5, round(5.0 * 8 / turns, 1))
    value, slope, _ = curves(np.linspace(-reach, reach, POINTS))
    seen = np.concatenate([value[np.abs(value) <= reach], np.clip(slope, -2, 2)])
    seen = seen[np.isfinite(seen)]
    low, high = min(-0.5, float(seen.min())), max(1.2, float(seen.max()))
    return Window(reach, math.floor(low * 2 - 0.2) / 2, math.ceil(high * 2 + 0.2) / 2)


def path(xs: np.ndarray, ys: np.ndarray, view: Window, size: tuple[int, int]) -> str:
    """The commands of an SVG path; a jump or what is not finite lifts the pen."""
    width, height = size
    across = (xs + view.reach) / (2 * view.reach) * width
    down = (view.high - ys) / (view.high - view.low) * height
    commands, pen, last = [], "M", 0.0
    for x, y in zip(across, down, strict=True):
        if not np.isfinite(y) or abs(y) > 40 * height:
            pen = "M"
            continue
        if pen == "L" and abs(y - last) > 0.12 * height:
            pen = "M"
        commands.append(f"{pen}{x:.1f} {y:.1f}")
        pen, last = "L", y
    return "".join(commands)


def thumbnail(curves: Callable[[np.ndarray], list[np.ndarray]]) -> str:
    """A small figure of value and slope."""
    view, size = Window(4.0, -1.6, 2.4), (120, 80)
    xs = np.linspace(-4, 4, 97)
    value, slope, _ = curves(xs)
    axis = 80 * view.high / (view.high - view.low)
    return (
        '<svg viewBox="0 0 120 80" aria-hidden="true">'
        f'<path class="axis" d="M0 {axis:.1f}H120M60 0V80"/>'
        f'<path class="slope" d="{path(xs, slope, view, size)}"/>'
        f'<path class="value" d="{path(xs, value, view, size)}"/></svg>'
    )


def figure(name: str, curves: Callable[[np.ndarray], list[np.ndarray]], view: Window) -> str:
    """The large figure: axes, and a path for each order."""
    xs = view.points()
    paths = "".join(
        f'<path class="{order}" d="{path(xs, ys, view, (WIDTH, HEIGHT))}"/>'
        for order, ys in reversed(list(zip(ORDERS, curves(xs), strict=True)))
    )
    return (
        f'<svg class="curves" viewBox="{-MARGIN} -8 {WIDTH + MARGIN + 8} {HEIGHT + MARGIN + 8}" '
        f'role="img" aria-label="Value, slope and curvature of {name}">{_axes(view)}'
        f'<svg width="{WIDTH}" height="{HEIGHT}">{paths}</svg></svg>'
    )


def _axes(view: Window) -> str:
    """A grid with a label at every line."""
    lines, labels = [], []
    for x in _ticks(-view.reach, view.reach):
        at = (x + view.reach) / (2 * view.reach) * WIDTH
        lines.append(f"M{at:.1f} 0V{HEIGHT}")
        labels.append(f'<text x="{at:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{x:g}</text>')
    for y in _ticks(view.low, view.high):
        at = (view.high - y) / (view.high - view.low) * HEIGHT
        lines.append(f"M0 {at:.1f}H{WIDTH}")
        labels.append(f'<text x="-8" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    zero = view.high / (view.high - view.low) * HEIGHT
    return (
        f'<path class="grid" d="{"".join(lines)}"/>'
        f'<path class="axis" d="M0 {zero:.1f}H{WIDTH}M{WIDTH / 2} 0V{HEIGHT}"/>' + "".join(labels)
    )


def _ticks(low: float, high: float) -> list[float]:
    _, _, exponent = f"{(high - low) / 4:e}".partition("e")
    step = float(f"1e{exponent}")
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 9) for i in range(first, last + 1)]
