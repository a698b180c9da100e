"""Measures how exact every activation is, beside jax.nn and torch, and writes docs/accuracy.md.

python docs/accuracy.py                      # everything, on this device: an hour on two cores
python docs/accuracy.py --functions silu     # some functions; the other rows stay as they are
python docs/accuracy.py --render             # measures nothing: writes the page from the results
python docs/accuracy.py --check              # exits with 1 if the page is not up to date

What is measured goes to docs/accuracy/<device>.csv, function by function. torch is measured where
it is installed, on the CPU. Values of what jax.nn has are measured at all float32 inputs as well.
"""

import argparse
import csv
import functools
import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests"), str(DOCS)]

import jax
import numpy as np
from accuracy import DTYPES, ORDERS, measure  # that of the tests
from exhaustive import judge
from oracle import Score
from peers import peers, versions

from jaxact import CATALOG, Entry

PAGE, RESULTS = DOCS / "accuracy.md", DOCS / "accuracy"
RESOLUTION = 2.0**-12  # in ULP: what is less, the truth is not known to
SAMPLED = {"float32": 2**20, "float64": 2**14}


class Row(NamedTuple):
    """What was measured of one function, in one format and order.

    Attributes:
        library: whose function it is.
        version: of the library.
        function: its name in the catalogue.
        parameters: their setting, as a call shows it.
        dtype: the format.
        order: value, slope or curvature.
        inputs: "all" of the format, or a "sample" that is stratified.
        ulp: the worst error, in units in the last place, away from roots of the derivative.
        at: the input where it occurs.
        misrounded: how many results are not the nearest number of the format.
        counted: of how many.
        near_root: the worst error within 1/8 of a root of the derivative, in eps times the
            derivative's largest magnitude there.
        subnormal: the worst error where input or result is subnormal.
    """

    library: str
    version: str
    function: str
    parameters: str
    dtype: str
    order: str
    inputs: str
    ulp: float
    at: float
    misrounded: int
    counted: int
    near_root: float
    subnormal: float

    @property
    def key(self) -> tuple[str, ...]:
        """What the row is about."""
        return self.function, self.parameters, self.dtype, self.order, self.inputs, self.library


def label(parameters: Mapping[str, Any]) -> str:
    """A setting of parameters, as a call shows it."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def settings(entry: Entry) -> list[Mapping[str, Any]]:
    """The settings of an activation of one array; none for others."""
    return list(entry.samples) if entry.kind in ("elementwise", "random") else []


# --- Measuring -------------------------------------------------------------------------------


def sampled(entry: Entry, parameters: Mapping[str, Any], dtype: Any) -> Iterable[Row]:
    """Value, slope and curvature in one format."""
    name = np.dtype(dtype).name
    others = {library: peer.derivatives for library, peer in peers(entry, parameters).items()}
    for row in measure(entry, parameters, dtype, SAMPLED.get(name, 0), others):
        inputs = "sample" if name in SAMPLED else "all"
        yield _row(row.library, entry, parameters, name, ORDERS[row.order], inputs, row.score)


def everywhere(entry: Entry, parameters: Mapping[str, Any]) -> Row:
    """The value at all float32 inputs: of jaxact alone, for it takes half a minute."""
    function = functools.partial(entry.function, **parameters)
    score = judge(function, entry.formula, parameters, entry.domain(**parameters))
    return _row("jaxact", entry, parameters, "float32", "value", "all", score)


def _row(library: str, entry: Entry, parameters, dtype: str, order: str, inputs: str, s: Score):
    what = (library, versions()[library], entry.name, label(parameters), dtype, order, inputs)
    return Row(*what, s.worst, s.at, s.misrounded, s.counted, s.near_root, s.subnormal)


# --- Keeping ---------------------------------------------------------------------------------


def results_file() -> Path:
    """Where the results of this device are kept."""
    return RESULTS / f"{jax.devices()[0].device_kind.lower().replace(' ', '-')}.csv"


def read(path: Path) -> list[Row]:
    """The rows of a device, none if there is no such file."""
    if not path.exists():
        return []
    types = Row.__annotations__.values()
    with path.open(newline="") as file:
        _, *lines = csv.reader(file)
    return [Row(*(t(v) for t, v in zip(types, line, strict=True))) for line in lines]


def keep(path: Path, measured: Iterable[Row]) -> None:
    """Puts rows in the place of older ones, and drops those of what is no longer declared."""
    declared = {(e.name, label(p)) for e in CATALOG.values() for p in settings(e)}
    rows = {row.key: row for row in (*read(path), *measured)}
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in sorted(rows.values(), key=_place):
            if row.key[:2] in declared:
                writer.writerow(f"{v:.9g}" if isinstance(v, float) else v for v in row)


def _place(row: Row) -> tuple:
    return row.function, row.parameters, row.dtype, row.inputs, ORDERS.index(row.order), row.library


# --- The page --------------------------------------------------------------------------------

INTRODUCTION = """\
# Accuracy, as measured

Written by `python docs/accuracy.py`, from the results in `docs/accuracy/`: do not edit.

The truth is each function's definition in the catalogue, evaluated in ball arithmetic. An error is
the distance of a result from it in units in the last place (ULP) of the format at the exact number;
∞ stands for a result that is NaN or infinite where the truth is a number. Columns of a library:

- **ULP**: the worst error away from the roots of the derivative, and for jaxact the input **at**
  which it occurs;
- **misrounded**: how many results are not the nearest number of the format;
- **root**: the worst error within 1/8 of a root of the derivative, in eps times the largest
  magnitude that the derivative has there. (A value is exact to the last place beside its own root.)

Errors below 2^-12 are given as 0. Inputs and results that are subnormal do not count: XLA's CPU
backend takes them for zero. Points where a derivative jumps do not count in that derivative: see
[kinks](kinks.md). A blank is a function that the library does not have, with these parameters or in
this order.
"""
HEADINGS = {
    ("bfloat16", "all"): "bfloat16, all inputs",
    ("float16", "all"): "float16, all inputs",
    ("float32", "all"): "float32, values at all inputs",
    ("float32", "sample"): f"float32, a stratified sample of {10**6:,} inputs or more",
    ("float64", "sample"): f"float64, a stratified sample of {10**4:,} inputs or more",
}
LIBRARIES = ("jaxact", "jax.nn", "torch")


def page() -> str:
    """The page, from the results of all devices."""
    text = INTRODUCTION
    for path in sorted(RESULTS.glob("*.csv")):
        rows = read(path)
        used = sorted({f"{row.library} {row.version}" for row in rows})
        text += f"\n## {path.stem}\n\nMeasured: {', '.join(used)}.\n\n{_summary(rows)}"
        for (dtype, inputs), heading in HEADINGS.items():
            chosen = [row for row in rows if (row.dtype, row.inputs) == (dtype, inputs)]
            text += f"\n### {heading}\n\n{_table(chosen)}" if chosen else ""
    return text


def _summary(rows: list[Row]) -> str:
    """How many rows of each library are as exact as jaxact means to be."""
    text = "Rows within 0.501 ULP in 16 bits, else within 4, 7 and 10 for the three orders:\n\n"
    text += _line("dtype", *LIBRARIES) + "|---" + "|--:" * len(LIBRARIES) + "|\n"
    for dtype in dict.fromkeys(dtype for dtype, _ in HEADINGS):
        cells = []
        for library in LIBRARIES:
            own = [row for row in rows if (row.library, row.dtype) == (library, dtype)]
            cells.append(f"{sum(row.ulp <= _bound(row) for row in own)} of {len(own)}")
        text += _line(dtype, *cells)
    return text


def _bound(row: Row) -> float:
    return 0.501 if "16" in row.dtype else {"value": 4, "slope": 7, "curvature": 10}[row.order]


def _table(rows: list[Row]) -> str:
    lines: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault((row.function, row.parameters, row.order), {})[row.library] = row
    libraries = [name for name in LIBRARIES if any(row.library == name for row in rows)]
    heads = [f"{name} {figure}" for name in libraries for figure in _FIGURES]
    heads.insert(1, "at")
    text = _line("function", "order", *heads) + "|---|---" + "|--:" * len(heads) + "|\n"
    for (function, parameters, order), by_library in lines.items():
        cells = [_cells(by_library.get(name)) for name in libraries]
        own = by_library["jaxact"]
        cells[0].insert(1, f"{own.at:.6g}" if own.ulp > RESOLUTION else "")
        text += _line(f"`{function}({parameters})`", order, *itertools.chain(*cells))
    return text


_FIGURES = ("ULP", "misrounded", "root")


def _cells(row: Row | None) -> list[str]:
    if row is None:
        return [""] * len(_FIGURES)
    root = _number(row.near_root) if row.near_root else ""
    return [_number(row.ulp), f"{row.misrounded:,}", root]


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "∞"
    return "0" if value < RESOLUTION else f"{value:.3g}" if value < 1000 else f"{value:.0e}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def main() -> int:
    """Measures, and writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="*", default=list(CATALOG), metavar="NAME")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--check", action="store_true", help="measure and write nothing")
    options = parser.parse_args()
    if options.check:
        return int(PAGE.read_text() != page())
    if not options.render:
        for name in options.functions:
            for parameters in settings(CATALOG[name]):
                print(f"{name}({label(parameters)})", flush=True)
                for dtype in DTYPES:
                    keep(results_file(), sampled(CATALOG[name], parameters, dtype))
                if hasattr(jax.nn, name):
                    keep(results_file(), [everywhere(CATALOG[name], parameters)])
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
