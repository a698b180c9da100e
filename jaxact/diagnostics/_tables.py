"""Reports as tables in the terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


def unit_table(report: Any) -> Table:
    """A row for each layer: what became of its units, and what values they take."""
    shares = ("dead", "saturated", "always_on", "sparsity")
    titles = ["layer", "activation", "units", "dead", "saturated", "always\non", "zeros"]
    table = _table("Units", [*titles, "mean", "variance", "off\ncentre"], left=2)
    for layer in report.layers:
        found = layer.summary()
        cells = [_share(found[name], alarming=name == "dead") for name in shares]
        numbers = [f"{found[name]:.3g}" for name in ("mean", "variance", "off_centre")]
        table.add_row(layer.layer, layer.activation, f"{found['units']:,}", *cells, *numbers)
    return table


def gradient_table(report: Any) -> Table:
    """A row for each signal and for each layer with parameters, under the verdict."""
    style = "green" if report.verdict == "healthy" else "red"
    title = Text.assemble(("Gradients: "), (report.verdict, style))
    table = _table(title, ["layer", "activation", "norm", "of the next", "of the weights"], left=2)
    factors = [*report.factors, None]
    for signal, factor in zip(report.signals, factors, strict=False):
        share = "" if factor is None else f"{factor:.3g}"
        table.add_row(signal.layer, signal.activation, f"{signal.total:.3g}", share, "")
    table.add_section()
    for gradient in report.gradients:
        norm, weights = float(gradient.norm), float(gradient.weight_norm)
        relative = f"{norm / weights:.3g}" if weights else ""
        table.add_row(gradient.layer, Text("parameters", "dim"), f"{norm:.3g}", "", relative)
    table.caption = report.reason
    return table


def record_table(title: str, columns: dict[str, Sequence[float]], layers: Sequence[str]) -> Table:
    """A row for each layer, a column for each kind of number."""
    table = _table(title, ["layer", *columns], left=1)
    for layer, *numbers in zip(layers, *columns.values(), strict=True):
        table.add_row(layer, *(f"{number:.3g}" for number in numbers))
    return table


def _table(title: Any, columns: Sequence[str], left: int) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for number, column in enumerate(columns):
        side = "left" if number < left else "right"
        table.add_column(column, justify=side, overflow="fold", no_wrap=number >= left)
    return table


def _share(share: float, *, alarming: bool) -> Text:
    return Text(f"{100 * share:.1f}%", "red" if alarming and share > 0.1 else "")
