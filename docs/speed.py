"""Writes the tables of docs/speed.md, from benchmarks/results.

python docs/speed.py           # rewrites them and draws speed.svg; docs/speed.md says what measures
"""

import csv
import dataclasses
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from facts import SPEED, means

from benchmarks import goals, plot  # from this checkout, installed or not
from benchmarks.compare import OURS
from benchmarks.environment import headline
from benchmarks.goals import DTYPES, MODES, Point, Speeds
from benchmarks.grouping import activation, by_program, grouped
from benchmarks.results import InstructionRow, Results

RESULTS = ROOT / "benchmarks" / "results"
CALLS = Results.read(RESULTS / "overhead-cpu.json")
NETWORKS = Results.read(RESULTS / "overhead-networks-cpu.json")
INSTRUCTIONS = Results.read(RESULTS / "instructions-h200.json")
ERRORS = ROOT / "docs" / "accuracy" / "cpu.csv"
PAGE, FIGURE = ROOT / "docs" / "speed.md", ROOT / "docs" / "speed.svg"
PEERS = "jax.nn", "torch"
ORDERS = {"forward": "value", "vjp": "slope"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def aims() -> str:
    """The goals, and what is reached."""
    lines = [
        [
            goal.name,
            f"{'≤' if goal.at_most else '≥'} {goal.wanted:g}",
            "-" if goal.reached is None else f"{goal.reached:.2f}",
            "yes" if goal.is_met else "no",
        ]
        for goal in goals.goals(SPEED.rows)
    ]
    return table(["goal", "wanted", "reached", "met"], lines)


def slower() -> str:
    """What is below 0.8 of jax.nn's speed, and what jax.nn's answer is worth there."""
    lines = [
        [
            f"`{activation(found.row)}`",
            found.row.mode,
            found.row.dtype,
            f"{found.speed:.2f}",
            _error_of_jax(found.row.function, found.row.setting, found.row.mode, found.row.dtype),
        ]
        for found in goals.slower(SPEED.rows)
    ]
    return table(["activation", "mode", "dtype", "speed / jax.nn's", "jax.nn's error, ULP"], lines)


def _error_of_jax(*wanted: str) -> str:
    function, setting, mode, dtype = wanted
    with ERRORS.open() as file:
        for row in csv.DictReader(file):
            same = row["library"] == PEERS[0] and row["order"] == ORDERS[mode]
            if same and (row["function"], row["parameters"], row["dtype"]) == (
                function,
                setting,
                dtype,
            ):
                return f"{float(row['ulp']):.3g}, at {float(row['at']):.3g}"
    return "-"  # functions over an axis are not in the table


def times() -> str:
    """Time per element and in copies, and the speed against others."""
    speeds = Speeds(SPEED.rows)
    head = ["activation", *(f"{d}, {m}" for d in DTYPES for m in MODES)]
    lines = (
        [
            f"`{activation(row)}`",
            *(_cell(speeds, point, m, d) for d in DTYPES for m in MODES),
        ]
        for point in speeds.points()
        if (row := speeds.row(point, MODES[0], DTYPES[0]))
    )
    return f"{headline(SPEED.environment)}\n\n{table(head, lines)}"


def _cell(speeds: Speeds, point: Point, mode: str, dtype: str) -> str:
    row = speeds.row(point, mode, dtype)
    if row is None:
        return ""
    ratios = (speeds.ratio(point, mode, dtype, peer) for peer in PEERS)
    shown = " / ".join("-" if r is None else f"{r:.2f}" for r in ratios)
    return f"{row.nanoseconds:.3f} ({row.copies:.1f}): {shown}"


def overhead() -> str:
    """What importing takes, and how many times as long as with jax.nn a call and a network take."""
    rows = [*CALLS.rows, *NETWORKS.rows]
    took = {(row.function, row.what, row.library): row.microseconds for row in rows}
    steps = "call", "gradient", "network"

    def ratio(function: str, step: str) -> str:
        ours, theirs = (took.get((function, step, library)) for library in (OURS, PEERS[0]))
        return f"{ours / theirs:.2f}" if ours and theirs else "-"

    functions = dict.fromkeys(row.function for row in rows if row.what in steps)
    lines = [[f"`{name}`", *(ratio(name, step) for step in steps)] for name in functions]
    seconds = min(row.microseconds for row in rows if row.what == "import") / 1e6
    shown = table(["function", "eager call", "eager gradient", "network"], lines)
    return f"{headline(CALLS.environment)}. The import: {seconds:.3f} s.\n\n{shown}"


def instructions() -> str:
    """Instructions per element on a GPU, against the budget."""
    found = []
    for title, rows in by_program(INSTRUCTIONS.rows).items():
        lines = [_line(members) for members in grouped(rows, activation).values()]
        fitting = sum(r.instructions <= r.budget for r in rows if r.library == OURS)
        head = ["activation", "budget", "jaxact", "jax.nn", "of copy speed at most"]
        found.append(f"### {title}: {fitting} of {len(lines)} fit\n\n{table(head, lines)}")
    return "\n".join(found)


def _line(members: Sequence[InstructionRow]) -> list[str]:
    by_library = {row.library: row for row in members}
    ours, theirs = by_library[OURS], by_library.get(PEERS[0])
    return [
        f"`{activation(ours)}`",
        f"{ours.budget:.0f}",
        f"{ours.instructions:.1f}",
        f"{theirs.instructions:.1f}" if theirs else "-",
        f"{ours.budget / max(ours.budget, ours.instructions):.0%}",
    ]


def draw() -> None:
    """The chart of the page."""
    shared = set(_smooth(Speeds(SPEED.rows)))
    rows = [
        row
        for row in SPEED.rows
        if (row.function, row.setting) in shared
        and row.mode in MODES
        and row.library in (OURS, *PEERS)
    ]
    FIGURE.write_bytes(plot.drawn(dataclasses.replace(SPEED, rows=rows), FIGURE.suffix))


def _smooth(speeds: Speeds) -> list[Point]:
    return [p for p in speeds.points(*PEERS) if not goals.is_piecewise_linear(p)]


def fill(path: Path, *writers: Callable[[], str]) -> None:
    """Rewrites what lies between a writer's marks."""
    text = path.read_text()
    for write in writers:
        name = write.__name__
        marks = re.compile(rf"(<!-- {name} -->\n).*(<!-- end of {name} -->)", re.DOTALL)
        text = marks.sub(lambda ops, write=write: ops[1] + write() + ops[2], text)
    path.write_text(text)


def main() -> None:
    """Rewrites the page."""
    draw()
    fill(PAGE, means, aims, slower, times, overhead, instructions)


if __name__ == "__main__":
    main()
