"""Reports as tables in the terminal, of 80 columns."""

import itertools
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

_WIDEST = 23  # characters of a name


def unit_table(report: Any, top: int | None = None) -> Any:
    """A row for each layer: what became of its units, and what values they take."""
    found = [(layer, layer.summary()) for layer in report.layers]
    worst = sorted(
        found, key=lambda pair: -pair[1].get("dead", 0) - pair[1].get("saturated", 0) / 9
    )
    chosen = {id(layer) for layer, _ in worst[:top]}
    short, prefix = _shortened([layer.layer for layer, _ in found])
    titles = ["layer", "activation", "units", "dead", "satur.", "linear", "zeros", "rms", "max"]
    table = _table(_title("Units", prefix, top, len(found)), titles, left=2)
    for name, (layer, numbers) in zip(short, found, strict=True):
        if id(layer) not in chosen:
            continue
        role = "" if layer.role == "unit" else f"\n{layer.role}"
        cells: list[Any] = [Text("did not run", "dim"), *[""] * 5]
        if numbers["examples"]:
            alarming = layer.role == "unit"
            cells = [
                _share(numbers["dead"], alarming=alarming),
                *(_share(numbers[k]) for k in ("saturated", "always_on", "sparsity")),
                *(f"{numbers[k]:.3g}" for k in ("root_mean_square", "largest")),
            ]
        table.add_row(name, _short(layer.activation) + role, f"{numbers['units']:,}", *cells)
    parts = [table] if found else []
    if report.rows:
        parts.append(_rows_table(report.rows))
    if report.choices:
        parts.append(_choices_table(report.choices))
    return parts[0] if len(parts) == 1 else Group(*parts)


def _rows_table(rows: Sequence[Any]) -> Table:
    short, prefix = _shortened([part.layer for part in rows])
    titles = ["layer", "rows of", "number", "max logit", "entropy", "one-hot", "sink"]
    table = _table(_title("Attention and routers", prefix), titles, left=2)
    for name, part in zip(short, rows, strict=True):
        found = part.summary()
        cells = [Text("did not run", "dim"), "", "", ""]
        if found["rows"]:
            cells = [f"{found[k]:.3g}" for k in ("largest_logit", "entropy")]
            cells += [_share(found[k]) for k in ("one_hot", "sink")]
        table.add_row(name, _short(part.activation), f"{found['rows']:,}", *cells)
    return table


def _choices_table(choices: Sequence[Any]) -> Table:
    short, prefix = _shortened([part.layer for part in choices])
    titles = ["layer", "choice", "rows", "entries", "unused", "max load", "entropy"]
    table = _table(_title("Choices", prefix), titles, left=2)
    for name, part in zip(short, choices, strict=True):
        found = part.summary()
        cells = ["", Text("did not run", "dim"), "", ""]
        if found["rows"]:
            cells = [f"{found['entries']:,}", f"{found['unused']:,}"]
            cells += [_share(found["largest_load"]), f"{found['entropy']:.3g}"]
        table.add_row(name, _short(part.activation), f"{found['rows']:,}", *cells)
    return table


def gradient_table(report: Any, top: int | None = None) -> Table:
    """A row for each signal and for each layer with parameters, under the verdict."""
    style = "green" if report.verdict == "healthy" else "red"
    every = [part.layer for part in (*report.signals, *report.gradients)]
    short, prefix = _shortened(every)
    name = dict(zip(map(id, (*report.signals, *report.gradients)), short, strict=True))
    heading = _title("", prefix, top, len(report.signals))
    title = Text.assemble("Gradients: ", (report.verdict, style), heading)
    table = _table(title, ["layer", "activation", "norm", "of the next", "of the weights"], left=2)
    factors = iter(report.factors)
    following = {id(s): next(factors, None) for s in report.signals if s.ran}
    for signal in _weakest(report.signals, lambda s: s.total if s.ran else float("inf"), top):
        factor = following.get(id(signal))
        share = "" if factor is None else f"{factor:.3g}"
        norm = f"{signal.total:.3g}" if signal.ran else "did not run"
        table.add_row(name[id(signal)], _short(signal.activation), norm, share, "")
    table.add_section()
    for gradient in _weakest(report.gradients, lambda g: float(g.norm), top):
        norm, weights = float(gradient.norm), float(gradient.weight_norm)
        relative = f"{norm / weights:.3g}" if weights else ""
        cells = Text("parameters", "dim"), f"{norm:.3g}", "", relative
        table.add_row(name[id(gradient)], *cells)
    table.caption = report.reason
    return table


def _weakest(parts: Sequence[Any], size: Any, top: int | None) -> list[Any]:
    chosen = {id(part) for part in sorted(parts, key=size)[:top]}
    return [part for part in parts if id(part) in chosen]


def width_table(report: Any, top: int | None = None) -> Table:
    """A row for each layer: how it grows with the width, after each step."""
    short, prefix = _shortened(list(report.layers))
    steps = len(report.growth[0]) if report.layers else 0
    titles = ["layer", *(f"step {step}" for step in range(steps))]
    heading = _title("Growth with the width, as a power", prefix, top, len(short))
    table = _table(heading, titles, left=1)
    size = lambda row: -max(map(abs, row[1]))
    rows = list(zip(short, report.growth, strict=True))
    chosen = {id(row) for row in sorted(rows, key=size)[:top]}
    for row in rows:
        if id(row) in chosen:
            style = lambda power: "red" if abs(power) > report.limit else ""
            table.add_row(row[0], *(Text(f"{power:+.2f}", style(power)) for power in row[1]))
    return table


def record_table(
    title: str, columns: dict[str, Sequence[float]], layers: Sequence[str], top: int | None = None
) -> Table:
    """A row for each layer, a column for each kind of number."""
    short, prefix = _shortened(list(layers))
    titles = [name.replace("mean_", "mean ").replace("_", "\n") for name in columns]
    table = _table(_title(title, prefix, top, len(short)), ["layer", *titles], left=1)
    rows = list(zip(short, *columns.values(), strict=True))
    largest = sorted(rows, key=lambda row: -float(row[-2]))[:top]
    for layer, *numbers in rows:
        if (layer, *numbers) in largest:
            table.add_row(layer, *(f"{float(number):.3g}" for number in numbers))
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
        table.add_column(column, justify=side, no_wrap=number >= left)
    return table


def _title(title: str, prefix: str, top: int | None = None, number: int = 0) -> str:
    shown = f", {top} of {number}" if top is not None and top < number else ""
    return f"{title}{shown}{f', all in {prefix}' if prefix else ''}"


def _shortened(names: Sequence[str]) -> tuple[list[str], str]:
    """The names without the folders that all share, cut in the middle; and those folders."""
    folders = [name.split("/")[:-1] for name in names if name]
    shared = _common(folders) if len(set(names)) > 1 and folders else []
    prefix = "".join(f"{folder}/" for folder in shared)
    return [_short(name.removeprefix(prefix)) for name in names], prefix.rstrip("/")


def _common(folders: Sequence[Sequence[str]]) -> Sequence[str]:
    """The folders with which all paths begin."""
    alike = (len(set(level)) == 1 for level in zip(*folders, strict=False))
    return folders[0][: sum(itertools.takewhile(bool, alike))]


def _short(name: str) -> str:
    half = (_WIDEST - 1) // 2
    return name if len(name) <= _WIDEST else f"{name[:half]}…{name[-half:]}"


def _share(share: float, *, alarming: bool = False) -> Text:
    return Text(f"{100 * share:.1f}%", "red" if alarming and share > 0.1 else "")
