"""Results as charts: bars of every table, or a roofline."""

import io
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .environment import headline
from .grouping import activation, by_network, by_speed_conditions, grouped
from .results import MemoryRow, Results, SpeedRow

SUFFIXES = (".svg", ".png", ".html")

COLORS = ("#0d9488", "#cbd5e1", "#f59e0b", "#a78bfa", "#64748b", "#f472b6", "#84cc16")
INK, FAINT = "#1e293b", "#e2e8f0"
STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are plain text
}
CHARTS_IN_A_ROW = 4
CHART_WIDTH, BAR_HEIGHT, MARGIN = 4.2, 0.13, 1.0  # inches
ROOFLINE_HEIGHT = 4.0
OUTLIER = 4  # bars are cut at so many times the median; their figures tell the rest
LABELS = 4  # so many points of a roofline are named: the farthest below the roof

Bars = Mapping[str, Mapping[str, float]]  # length by activation, then by series


class Chart(NamedTuple):
    """For each activation a bar of every series that has one."""

    title: str
    unit: str
    bars: Bars


class NothingToDraw(ValueError):
    """Results that have no such chart."""


def drawn(results: Results, suffix: str, kind: str = "bars") -> bytes:
    """What a file of such a suffix holds: SVG, PNG, or a page that holds the SVG.

    Raises:
        NothingToDraw: if there is no such chart of these results.
    """
    with matplotlib.rc_context(STYLE):
        figure = KINDS[kind](results)
        file = io.BytesIO()
        figure.savefig(file, format="png" if suffix == ".png" else "svg", dpi=150)
    if suffix != ".html":
        return file.getvalue()
    drawing = file.getvalue().decode().partition("<svg")
    return (
        "<!doctype html>\n"
        f"<html lang=en><meta charset=utf-8><title>jaxact: {results.command}</title>\n"
        f"<body>\n{''.join(drawing[1:])}</body></html>\n"
    ).encode()


# --- Bars --------------------------------------------------------------------------------------


def bars(results: Results) -> Figure:
    """A chart for each table that the command printed, on one sheet."""
    found = _charts(results)
    series = list(dict.fromkeys(s for chart in found for bars in chart.bars.values() for s in bars))
    most = max(len(chart.bars) for chart in found)
    height = most * (len(series) + 1) * BAR_HEIGHT + MARGIN
    figure, axes = _sheet(results, len(found), height)
    for ax, chart in zip(axes, found, strict=True):
        _draw_bars(ax, chart, series)
    _legend(figure, {label: color for label, color in zip(series, COLORS, strict=False)})
    return figure


def _charts(results: Results) -> list[Chart]:
    if results.command == "speed":
        groups = by_speed_conditions(results.rows).items()
        return [Chart(title, "copies of the arrays", _copies(rows)) for title, rows in groups]
    if results.command == "memory":
        groups = by_network(results.rows).items()
        return [Chart(title, "activation arrays", _temporaries(rows)) for title, rows in groups]
    raise NothingToDraw(f"there are no bar charts of {results.command!r} results")


def _copies(rows: Sequence[SpeedRow]) -> Bars:
    return {
        name: {row.library: row.copies for row in members}
        for name, members in grouped(rows, activation).items()
    }


def _temporaries(rows: Sequence[MemoryRow]) -> Bars:
    return {
        name: {
            f"{row.library}, {row.recipe}": row.temporaries
            for row in members
            if row.temporaries is not None
        }
        for name, members in grouped(rows, activation).items()
    }


def _draw_bars(ax: Axes, chart: Chart, series: Sequence[str]) -> None:
    names = list(chart.bars)
    limit = OUTLIER * statistics.median(v for bars in chart.bars.values() for v in bars.values())
    for index, (label, color) in enumerate(zip(series, COLORS, strict=False)):
        lengths = [chart.bars[name].get(label, math.nan) for name in names]
        places = [row + (index + 1) / (len(series) + 1) for row in range(len(names))]
        drawn = ax.barh(
            places,
            [min(length, limit) for length in lengths],
            height=1 / (len(series) + 1),
            color=color,
        )
        figures = ["" if math.isnan(length) else f"{length:.2f}" for length in lengths]
        ax.bar_label(drawn, figures, padding=2, fontsize=6)
    ax.set_title(chart.title.replace(", ", "\n", 1))
    ax.set_xlabel(chart.unit)
    ax.set_yticks([row + 0.5 for row in range(len(names))], names)
    ax.set_ylim(len(names), 0)
    ax.grid(axis="x", color=FAINT)


# --- Roofline ----------------------------------------------------------------------------------


def roofline(results: Results) -> Figure:
    """Arithmetic done against arithmetic per byte moved, below what the machine can do."""
    if results.command != "speed":
        raise NothingToDraw(f"there is no roofline of {results.command!r} results")
    found = {
        title: [row for row in rows if row.operations]
        for title, rows in by_speed_conditions(results.rows).items()
    }
    found = {title: rows for title, rows in found.items() if rows}
    if not found:
        raise NothingToDraw("a roofline needs compiled programs that compute")
    series = dict.fromkeys(row.library for rows in found.values() for row in rows)
    colors = dict(zip(series, COLORS, strict=False))
    figure, axes = _sheet(results, len(found), ROOFLINE_HEIGHT)
    for ax, (title, rows) in zip(axes, found.items(), strict=True):
        _draw_roofline(ax, title, rows, results.environment["roof"], colors)
    _legend(figure, colors)
    return figure


def _draw_roofline(
    ax: Axes,
    title: str,
    rows: Sequence[SpeedRow],
    roof: Mapping[str, float],
    colors: Mapping[str, str],
) -> None:
    peak, distant = roof["gigaoperations_per_second"], roof["gigabytes_per_second"]
    here = statistics.median(row.gigabytes_per_second * row.copies for row in rows)
    points = [(_intensity(row), (row.operations or 0) / row.nanoseconds) for row in rows]
    lowest = min(x for x, _ in points) / 2
    highest = 2 * max(peak / distant, *(x for x, _ in points))
    for bandwidth, style, name in (
        (here, "-", "copy of as many bytes"),
        (distant, ":", "copy beyond the caches"),
    ):
        ridge = peak / bandwidth
        label = f"{name}: {bandwidth:.0f} GB/s"
        line = [lowest * bandwidth, peak, peak]
        ax.plot([lowest, ridge, highest], line, style, color=INK, linewidth=1, label=label)
    ax.plot([], [], " ", label=f"polynomials: {peak:.0f} billion a second")
    ax.legend(fontsize=7, frameon=False, loc="lower right")
    for library in reversed(list(colors)):  # ours on top
        theirs = [p for row, p in zip(rows, points, strict=True) if row.library == library]
        if theirs:
            ax.scatter(
                *zip(*theirs, strict=True),
                s=18,
                color=colors[library],
                edgecolor="white",
                linewidth=0.4,
            )
    ours = next(iter(colors))
    mine = [(row, p) for row, p in zip(rows, points, strict=True) if row.library == ours]
    for row, point in sorted(mine, key=lambda ops: ops[1][1] / min(peak, ops[1][0] * here))[
        :LABELS
    ]:
        name = row.function
        ax.annotate(name, point, xytext=(5, -2), textcoords="offset points", fontsize=6.5)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title(title.replace(", ", "\n", 1))
    ax.set_xlabel("operations per byte, as XLA counts them")
    ax.set_ylabel("billion operations per second")
    ax.grid(color=FAINT)


def _intensity(row: SpeedRow) -> float:
    return (row.operations or 0) / (row.gigabytes_per_second * row.nanoseconds)


KINDS = {"bars": bars, "roofline": roofline}

# --- The sheet ---------------------------------------------------------------------------------


def _sheet(results: Results, charts: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many charts of a height, and where and with what they were measured."""
    columns = min(charts, CHARTS_IN_A_ROW)
    lines = math.ceil(charts / columns)
    figure = Figure((columns * CHART_WIDTH, lines * height), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for ax in axes[charts:]:
        ax.remove()
    for ax in axes[:charts]:
        ax.tick_params(length=0)
        ax.set_axisbelow(True)
        ax.spines[:].set_visible(False)
    figure.supxlabel(headline(results.environment), fontsize=8, x=0.01, ha="left")
    return figure, axes[:charts]


def _legend(figure: Figure, colors: Mapping[str, str]) -> None:
    handles = [Patch(color=color, label=label) for label, color in colors.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
