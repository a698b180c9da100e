"""Charts as inline SVG; colours and fonts come from the page, so that they follow its scheme."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
from _markup import element, marked
from numpy.typing import ArrayLike

LABEL_HEIGHT = 13  # distance of labels one above the other, while there is room

Ticks = Sequence[tuple[float, str]]


class Series(NamedTuple):
    """A line in the colour of an activation; `hue` in degrees."""

    activation: str
    hue: float
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Axis:
    """An axis: what it shows, where it is marked, and which numbers lie equally far apart on it."""

    label: str
    ticks: Ticks
    limits: tuple[float, float]
    scale: Callable[[np.ndarray], np.ndarray] = np.asarray

    def place(self, values: ArrayLike, start: float, end: float) -> np.ndarray:
        """Returns where values lie between two coordinates; what lies beyond at the limits."""
        low, high = self.scale(np.asarray(self.limits))
        scaled = self.scale(np.clip(values, *self.limits))
        return start + (scaled - low) / (high - low) * (end - start)


def whole(*numbers: int) -> Ticks:
    """Returns marks at whole numbers."""
    return [(number, f"{number}".replace("-", "\N{MINUS SIGN}")) for number in numbers]


def decades(label: str, values: np.ndarray) -> Axis:
    """Returns a logarithmic axis on which all positive values have room."""
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (positive.min(), positive.max()) if positive.size else (0.1, 1.0)
    first = int(np.floor(np.log10(low)))
    last = max(first + 1, int(np.ceil(np.log10(high))))
    marks = range(first, last + 1, -(-(last - first) // 6))
    ticks = [(10.0**exponent, _power_of_ten(exponent)) for exponent in marks]
    return Axis(label, ticks, (10.0**first, 10.0**last), np.log10)


def line_chart(
    title: str, series: Sequence[Series], x: Axis, y: Axis, *, goal: float | None = None
) -> str:
    """Returns a chart of lines, each with its name at its end, and a dashed line at `goal`."""
    left, right, top, bottom = 52, 350, 10, 236
    parts = [_grid(x, y, left, right, top, bottom)]
    if goal is not None:
        at = y.place(goal, bottom, top)
        parts.append(element("path", d=f"M{left} {at:.1f}H{right}", class_="goal"))
    drawn = [one for one in map(_finite, series) if one.y.size]
    ends = [float(y.place(one.y[-1], bottom, top)) for one in drawn]
    for one, label_y in zip(drawn, apart(ends, top, bottom - 6), strict=True):
        name = escape(one.activation)
        path = _path(x.place(one.x, left, right), y.place(one.y, bottom, top))
        parts.append(
            element(
                "g",
                element("title", name),
                element("path", d=path, class_="line"),
                element("text", name, x=right + 8, y=f"{label_y:.1f}", class_="name"),
                **marked(one.activation, one.hue),
            )
        )
    return _svg(title, 430, 276, parts)


def curve_chart(title: str, value: Series, slope: Series, x: Axis, y: Axis) -> str:
    """Returns a small chart of a function, solid, and its derivative, dotted."""
    left, right, top, bottom = 16, 170, 4, 124
    zero_x, zero_y = x.place(0.0, left, right), y.place(0.0, bottom, top)
    cross = f"M{left} {zero_y:.1f}H{right}M{zero_x:.1f} {top}V{bottom}"
    parts = [
        _grid(x, y, left, right, top, bottom),
        element("path", d=cross, class_="zero"),
    ]
    for one, kind in ((slope, "line slope"), (value, "line")):
        inside = (one.y >= y.limits[0]) & (one.y <= y.limits[1])
        path = _path(x.place(one.x[inside], left, right), y.place(one.y[inside], bottom, top))
        parts.append(element("path", d=path, class_=kind))
    return _svg(title, 172, 140, [element("g", *parts, **marked(value.activation, value.hue))])


def ridge_chart(title: str, ridges: Sequence[tuple[str, Series]], x: Axis) -> str:
    """Returns a small chart of histograms one below the other, each as high as its row.

    Heights go with the square root of a share, so that what is rare beside a peak is seen.
    """
    left, right, row, height = 38, 168, 30, 25
    bottom = row * len(ridges) + 4
    parts = [_vertical_grid(x, left, right, 4, bottom)]
    for base, (name, ridge) in zip(range(row, bottom, row), ridges, strict=True):
        heights = height * np.sqrt(ridge.y / max(ridge.y.max(), 1e-12))
        outline = _path(x.place(ridge.x, left, right), base - heights)
        area = element("path", d=f"{outline}L{right} {base}L{left} {base}Z", class_="ridge")
        label = element("text", escape(name), x=left - 6, y=base - 3, class_="row")
        parts.append(element("g", area, label, **marked(ridge.activation, ridge.hue)))
    return _svg(title, 172, bottom + 16, parts)


def apart(wanted: Sequence[float], low: float, high: float) -> list[float]:
    """Returns positions for labels near the wanted ones, in the same order, that do not overlap."""
    order = np.argsort(wanted, kind="stable")
    gaps = max(1, len(order) - 1)
    height = min(LABEL_HEIGHT, (high - low) / gaps)
    offsets = height * np.arange(len(order))
    starts = np.maximum.accumulate(np.asarray(wanted)[order] - offsets)
    placed = np.empty(len(order))
    placed[order] = np.minimum(starts, high - height * gaps) + offsets
    return placed.tolist()


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    title = element("title", escape(title))
    return element("svg", title, *parts, viewBox=f"0 0 {width} {height}", role="img")


def _grid(x: Axis, y: Axis, left: float, right: float, top: float, bottom: float) -> str:
    """Returns the grid with its numbers, and the names of both axes."""
    parts = [_vertical_grid(x, left, right, top, bottom)]
    for value, text in y.ticks:
        at = float(y.place(value, bottom, top))
        parts.append(element("path", d=f"M{left} {at:.1f}H{right}", class_="grid"))
        parts.append(element("text", escape(text), x=left - 5, y=f"{at + 3.5:.1f}", class_="row"))
    upright = f"translate(8 {(top + bottom) / 2}) rotate(-90)"
    parts.append(element("text", escape(y.label), transform=upright, class_="axis"))
    return "".join(parts)


def _vertical_grid(x: Axis, left: float, right: float, top: float, bottom: float) -> str:
    parts = []
    for value, text in x.ticks:
        at = f"{x.place(value, left, right):.1f}"
        parts.append(element("path", d=f"M{at} {top}V{bottom}", class_="grid"))
        parts.append(element("text", escape(text), x=at, y=bottom + 13, class_="tick"))
    middle = (left + right) / 2
    parts.append(element("text", escape(x.label), x=middle, y=bottom + 32, class_="axis"))
    return "".join(parts)


def _finite(series: Series) -> Series:
    finite = np.isfinite(series.y)
    return series._replace(x=series.x[finite], y=series.y[finite])


def _path(x: np.ndarray, y: np.ndarray) -> str:
    points = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    return f"M{points}" if points else ""


def _power_of_ten(exponent: int) -> str:
    if -2 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
