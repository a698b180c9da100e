"""Results as bar charts."""

import io
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .environment import headline
from .grouping import activation, by_network, by_speed_conditions, grouped
from .results import MemoryRow, Results, SpeedRow

SUFFIXES = (".svg", ".png", ".html")

COLORS = ("#0d9488", "#cbd5e1", "#f59e0b", "#a78bfa")
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
}
CHARTS_IN_A_ROW = 3
CHART_WIDTH, BAR_HEIGHT, MARGIN = 5.5, 0.13, 1.0  # inches
OUTLIER = 4  # bars are cut at so many times the median; their figures tell the rest

Bars = Mapping[str, Mapping[str, float]]  # length by activation, then by series


class Chart(NamedTuple):
    """For each activation a bar of every series that has one."""

    title: str
    unit: str
    bars: Bars


def charts(results: Results) -> list[Chart]:
    """What there is to draw: speed by mode, dtype and shape, or memory by network."""
    if results.command == "speed":
        groups = by_speed_conditions(results.rows).items()
        return [Chart(title, "copies of the arrays", _copies(rows)) for title, rows in groups]
    groups = by_network(results.rows).items()
    return [Chart(title, "activation arrays", _temporaries(rows)) for title, rows in groups]


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


def draw(results: Results) -> Figure:
    """All charts of a file on one sheet."""
    found = charts(results)
    series = list(dict.fromkeys(s for chart in found for bars in chart.bars.values() for s in bars))
    columns = min(len(found), CHARTS_IN_A_ROW)
    lines = math.ceil(len(found) / columns)
    most = max(len(chart.bars) for chart in found)
    height = lines * (most * (len(series) + 1) * BAR_HEIGHT + MARGIN)
    with matplotlib.rc_context(STYLE):
        figure = Figure((columns * CHART_WIDTH, height), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for ax in axes[len(found) :]:
            ax.remove()
        for ax, chart in zip(axes, found, strict=False):
            _draw_chart(ax, chart, series)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
        figure.supxlabel(headline(results.environment), fontsize=8, x=0.01, ha="left")
    return figure


def _draw_chart(ax: Axes, chart: Chart, series: Sequence[str]) -> None:
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
            label=label,
        )
        figures = ["" if math.isnan(length) else f"{length:.2f}" for length in lengths]
        ax.bar_label(drawn, figures, padding=2, fontsize=6)
    ax.set_title(chart.title.replace(", ", "\n", 1))
    ax.set_xlabel(chart.unit)
    ax.set_yticks([row + 0.5 for row in range(len(names))], names)
    ax.set_ylim(len(names), 0)
    ax.tick_params(length=0)
    ax.grid(axis="x", color=FAINT)
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)


def save(results: Results, path: Path) -> None:
    """Draws a file: SVG, PNG, or a page that holds the SVG."""
    figure = draw(results)
    if path.suffix == ".html":
        svg = io.StringIO()
        figure.savefig(svg, format="svg")
        drawing = svg.getvalue().partition("<svg")
        path.write_text(
            "<!doctype html>\n"
            f"<html lang=en><meta charset=utf-8><title>jaxact: {results.command}</title>\n"
            f"<body>\n{''.join(drawing[1:])}</body></html>\n"
        )
    else:
        figure.savefig(path, dpi=150)
