"""Results as tables to read in a terminal."""

import statistics
from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from .compare import OURS, Change
from .goals import Goal
from .grouping import activation, by_network, by_program, by_speed_conditions, grouped
from .results import InstructionRow, MemoryRow, SpeedRow


def speed_tables(rows: Sequence[SpeedRow]) -> list[Table]:
    """One table for each mode, dtype and shape, with a line for each activation."""
    return [_speed_table(title, members) for title, members in by_speed_conditions(rows).items()]


def _speed_table(title: str, rows: Sequence[SpeedRow]) -> Table:
    peers = [library for library in dict.fromkeys(row.library for row in rows) if library != OURS]
    cases = [
        {row.library: row for row in members} for members in grouped(rows, activation).values()
    ]
    table = _table(title, show_footer=bool(peers))
    table.add_column("activation", "geometric mean", overflow="fold")
    _add_figures(table, "ns per\nelement", "noise", "GB/s", "of copy\nspeed", "copies")
    for peer in peers:
        speedups = [s for case in cases if (s := _speedup(case, peer))]
        mean = statistics.geometric_mean(speedups) if speedups else None
        _add_figures(table, f"speed /\n{peer}", footer=_figure(mean, ".2f"))
    _add_figures(table, "compile\nms", "temporaries\nMiB", "kept\nB/element", "kept by\njax.nn")
    across = any(row.collectives is not None for row in rows)
    if across:
        _add_figures(table, "collec-\ntives")
    for case in cases:
        ours, jax_nn = case[OURS], case.get("jax.nn")
        table.add_row(
            activation(ours),
            f"{ours.nanoseconds:.3f}",
            f"{ours.noise:.0%}",
            f"{ours.gigabytes_per_second:.1f}",
            f"{ours.bandwidth_fraction:.0%}",
            f"{ours.copies:.2f}",
            *(_figure(_speedup(case, peer), ".2f") for peer in peers),
            _figure(ours.compile_milliseconds, ".0f"),
            _figure(ours.temporary_mebibytes, ".2f"),
            _figure(ours.residual_bytes, ".3g"),
            _figure(jax_nn and jax_nn.residual_bytes, ".3g"),
            *([_figure(ours.collectives, "d")] if across else []),
        )
    return table


def _speedup(case: dict[str, SpeedRow], peer: str) -> float | None:
    """How many times as fast as a peer jaxact is."""
    return case[peer].nanoseconds / case[OURS].nanoseconds if peer in case else None


def memory_tables(rows: Sequence[MemoryRow]) -> list[Table]:
    """One table for each network, with a line for each activation and a column for each recipe."""
    return [_memory_table(title, members) for title, members in by_network(rows).items()]


def _memory_table(title: str, rows: Sequence[MemoryRow]) -> Table:
    columns = list(grouped(rows, lambda row: (row.library, row.recipe)))
    table = _table(f"{title}: temporaries in activation arrays, and bytes kept")
    table.add_column("activation", overflow="fold")
    _add_figures(table, *(f"{library}\n{recipe}" for library, recipe in columns))
    _add_figures(table, *(f"{library}\n{recipe}\nB/element" for library, recipe in columns))
    for name, members in grouped(rows, activation).items():
        arrays = {(row.library, row.recipe): row.temporaries for row in members}
        kept = {(row.library, row.recipe): row.residual_bytes for row in members}
        table.add_row(
            name,
            *(_figure(arrays.get(column), ".2f") for column in columns),
            *(_figure(kept.get(column), ".3g") for column in columns),
        )
    return table


def instruction_tables(rows: Sequence[InstructionRow]) -> list[Table]:
    """One table for each mode and dtype; what does not fit between loads and stores stands out."""
    return [_instruction_table(title, members) for title, members in by_program(rows).items()]


def _instruction_table(title: str, rows: Sequence[InstructionRow]) -> Table:
    libraries = list(dict.fromkeys(row.library for row in rows))
    table = _table(f"{title}: instructions per element, and special ones")
    table.add_column("activation", overflow="fold")
    _add_figures(table, "budget", *libraries, *(f"{library}\nspecial" for library in libraries))
    for name, members in grouped(rows, activation).items():
        found = {row.library: row for row in members}
        ours = found[OURS]
        table.add_row(
            name,
            f"{ours.budget:.0f}",
            *(
                _figure(found[lib].instructions if lib in found else None, ".1f")
                for lib in libraries
            ),
            *(_figure(found[lib].special if lib in found else None, ".1f") for lib in libraries),
            style=None if ours.instructions <= ours.budget else "bold red",
        )
    return table


def goal_table(goals: Iterable[Goal]) -> Table:
    """A line for each goal; those that are missed stand out."""
    table = _table("goals")
    table.add_column("goal", overflow="fold")
    _add_figures(table, "wanted", "reached")
    for goal in goals:
        sign = "at most" if goal.at_most else "at least"
        figures = f"{sign} {goal.wanted:g}", _figure(goal.reached, ".2f")
        table.add_row(goal.name, *figures, style=None if goal.is_met else "bold red")
    return table


def comparison_table(changes: Iterable[Change], metric: str, threshold: float) -> Table:
    """A line for each change; regressions stand out."""
    table = _table(metric)
    table.add_column("case", overflow="fold")
    _add_figures(table, "before", "after", "after / before", "noise")
    for change in changes:
        table.add_row(
            ", ".join(part for part in change.case if part),
            f"{change.before:.3f}",
            f"{change.after:.3f}",
            f"{change.ratio:.2f}",
            f"{change.noise:.0%}",
            style="bold red" if change.is_regression(threshold) else None,
        )
    return table


def _table(title: str, *, show_footer: bool = False) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="",
        footer_style="dim",
        box=box.SIMPLE_HEAD,
        show_footer=show_footer,
    )


def _add_figures(table: Table, *headings: str, footer: str = "") -> None:
    for heading in headings:
        table.add_column(heading, footer, justify="right", no_wrap=True)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
