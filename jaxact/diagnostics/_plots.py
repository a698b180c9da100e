"""Reports as figures."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

_SHARES = {"dead": "#dc2626", "saturated": "#f59e0b", "always_on": "#2563eb"}
_BLUE, _GREY = "#2563eb", "#6b7280"


def unit_figure(report: Any) -> Any:
    """Above bars of the shares of units, layer by layer; below the histograms of values."""
    columns = min(4, len(report.layers))
    rows = math.ceil(len(report.layers) / columns)
    width, height = max(6.0, 2.2 * columns), 2.6 + 1.5 * rows
    figure = plt.figure(figsize=(width, height), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(2.6, 1.5 * rows))
    above, below = parts
    axes = above.subplots()
    places = np.arange(len(report.layers))
    for number, (share, colour) in enumerate(_SHARES.items()):
        heights = [100 * layer.summary()[share] for layer in report.layers]
        label = share.replace("_", " ")
        axes.bar(places + 0.27 * (number - 1), heights, 0.25, color=colour, label=label)
    axes.set_xticks(places, [_name(layer) for layer in report.layers], fontsize=8)
    axes.set(ylabel="units, %", ylim=(0, 100))
    axes.legend(frameon=False, ncols=3, loc="upper right", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    panels = np.ravel(below.subplots(rows, columns, squeeze=False))
    for panel in panels[len(report.layers) :]:
        panel.set_visible(False)
    for panel, layer in zip(panels, report.layers, strict=False):
        shares = np.asarray(layer.histogram)
        low, high = layer.bounds
        edges = np.linspace(low, high, shares.size + 1)
        panel.stairs(np.sqrt(shares), edges, fill=True, color=_BLUE, alpha=0.5)
        panel.set_title(_name(layer).replace("\n", " "), fontsize=8)
        panel.set_yticks([])
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right", "left"]].set_visible(False)
    below.supxlabel("values; heights go with the square root of the share", fontsize=8)
    return figure


def gradient_figure(report: Any) -> Any:
    """The norms of signals and of gradients by parameters, side by side."""
    parts = [
        ("Signals, back-propagated", [(_name(s), s.total) for s in report.signals]),
        ("Gradients by parameters", [(g.layer, float(g.norm)) for g in report.gradients]),
    ]
    parts = [part for part in parts if part[1]]
    longest = max(len(norms) for _, norms in parts)
    size = (4.4 * len(parts), max(2.4, 0.28 * longest + 1.2))
    figure, panels = plt.subplots(1, len(parts), figsize=size, layout="constrained", squeeze=False)
    for axes, (title, norms) in zip(panels[0], parts, strict=True):
        labels = [label.replace("\n", " ") for label, _ in norms]
        places = np.arange(len(norms))
        axes.plot([norm for _, norm in norms], places, "o-", color=_BLUE, markersize=4)
        axes.set_yticks(places, labels, fontsize=7)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("norm", fontsize=8)
        axes.grid(axis="x", color=_GREY, alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Gradients: {report.verdict}", fontsize=10)
    return figure


def _name(part: Any) -> str:
    return f"{part.layer}\n{part.activation}" if part.layer else part.activation
