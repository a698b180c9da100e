"""Reports as figures."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

_SHARES = {"dead": "#dc2626", "saturated": "#f59e0b", "always_on": "#2563eb"}
_BLUE, _GREY = "#2563eb", "#6b7280"


def unit_figure(report: Any) -> Any:
    """A row for each layer: bars of the shares of its units, and the histogram of its values."""
    layers = [layer for layer in report.layers if layer.summary()["examples"]]
    height = max(2.6, 0.32 * len(layers) + 1.3)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.0, height), layout="constrained", sharey=True, width_ratios=(1, 1.4)
    )
    places = np.arange(len(layers))
    for number, (share, colour) in enumerate(_SHARES.items()):
        lengths = [100 * layer.summary()[share] for layer in layers]
        label = share.replace("_", " ")
        left.barh(places + 0.25 * (number - 1), lengths, 0.23, color=colour, label=label)
    left.set_yticks(places, [_name(layer).replace("\n", " ") for layer in layers], fontsize=7)
    left.set(xlabel="units, %", xlim=(0, 100), ylim=(len(layers) - 0.4, -0.7))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=3, loc="outside upper left", fontsize=8)
    for place, layer in enumerate(layers):
        shares = np.sqrt(np.asarray(layer.histogram))
        low, high = layer.bounds
        edges = np.linspace(low, high, shares.size + 1)
        tops = place + 0.42 - 0.84 * shares / max(shares.max(initial=0), 1e-12)
        right.stairs(tops, edges, baseline=place + 0.42, fill=True, color=_BLUE, alpha=0.55)
        right.axhline(place + 0.42, color=_GREY, linewidth=0.3)
    right.set_xlabel("values; heights go with the square root of the share")
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.label.set_fontsize(8)
        axes.tick_params(axis="x", labelsize=7)
    return figure


def gradient_figure(report: Any) -> Any:
    """The norms of signals and of gradients by parameters, side by side."""
    parts = [
        ("Signals, back-propagated", [(_name(s), s.total) for s in report.signals if s.ran]),
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
