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
# Accuracy

How far each elementwise function is from its exact mathematical result, on a CPU, beside jax.nn.
`python docs/accuracy.py` writes this page from its results: do not edit it. The files
{files} hold all that was measured, and so does the page of each function, with torch beside it.

Errors are in units in the last place ([ULP](start/glossary.md#ulp)), given as value / slope /
curvature. Each is the worst over all settings that were measured, for jax.nn over those it has. At
most 0.5 means correctly rounded; ∞ means NaN or infinity where the true result is finite. Colours
mark the size: <span class="ulp0">at most 1</span>, <span class="ulp1">10</span>,
<span class="ulp2">1000</span>, <span class="ulp3">more: digits are lost</span>.

The exact result is the definition of the function, evaluated in
[ball arithmetic](start/glossary.md#ball-arithmetic). Four things are not counted here:

- inputs within 1/8 of a root of the derivative: the file has their errors as `near_root`, in eps of
  the largest derivative nearby;
- subnormal inputs and results, which XLA on a CPU replaces by zero: `subnormal` in the file;
- points where a derivative jumps: see [kinks](kinks.md);
- errors below 2^-12 ULP, which are given as 0.

Functions of rows, such as `softmax`, are on [a page of their own](rows.md).
"""
HEADINGS = {
    ("float32", "sample"): f"float32, a stratified sample of at least {10**6:,} inputs",
    ("float32", "all"): "float32, values at all 2^32 inputs",
    ("bfloat16", "all"): "bfloat16, all inputs",
    ("float16", "all"): "float16, all inputs",
    ("float64", "sample"): f"float64, a stratified sample of at least {10**4:,} inputs",
}
LIBRARIES = ("jaxact", "jax.nn", "torch")
DECADES = (1.0, 10.0, 1000.0)  # where colours change


def page() -> str:
    """The page, from the results of all devices."""
    files = sorted(RESULTS.glob("*.csv"))
    named = ", ".join(f"[{path.name}](accuracy/{path.name})" for path in files)
    text = INTRODUCTION.format(files=named)
    for path in files:
        rows = read(path)
        used = sorted({f"{row.library} {row.version}" for row in rows})
        text += f"\n## {path.stem}\n\nMeasured: {', '.join(used)}.\n\n{_summary(rows)}"
        for (dtype, inputs), heading in HEADINGS.items():
            chosen = [row for row in rows if (row.dtype, row.inputs) == (dtype, inputs)]
            text += f"\n### {heading}\n\n{_tables(chosen)}" if chosen else ""
    return text


def _summary(rows: list[Row]) -> str:
    """How many rows of each library are as exact as jaxact means to be."""
    text = (
        "How many errors are at most 0.501 ULP in 16 bits, and in other formats at most 4 for a "
        "value, 7 for a slope and 10 for a curvature:\n\n"
    )
    text += _line("format", *LIBRARIES) + "|---" + "|--:" * len(LIBRARIES) + "|\n"
    for dtype in dict.fromkeys(dtype for dtype, _ in HEADINGS):
        cells = []
        for library in LIBRARIES:
            own = [row for row in rows if (row.library, row.dtype) == (library, dtype)]
            cells.append(f"{sum(row.ulp <= _bound(row) for row in own)} of {len(own)}")
        text += _line(dtype, *cells)
    return text


def _bound(row: Row) -> float:
    return 0.501 if "16" in row.dtype else {"value": 4, "slope": 7, "curvature": 10}[row.order]


def _tables(rows: list[Row]) -> str:
    """The functions that jax.nn has too, and behind a click the others: a row for each."""
    worst: dict[str, dict[tuple[str, str], float]] = {}
    for row in rows:
        found = worst.setdefault(row.function, {})
        case = row.library, row.order
        found[case] = max(found.get(case, 0.0), row.ulp)
    shared = [name for name, of in worst.items() if ("jax.nn", "value") in of]
    others = [name for name in worst if name not in shared]
    text = _table(worst, shared, ("jaxact", "jax.nn"))
    if others:
        text += (
            f"\n<details><summary>{len(others)} functions that jax.nn does not have</summary>\n\n"
        )
        text += _table(worst, others, ("jaxact",)) + "\n</details>\n"
    return text


def _table(worst: Mapping[str, Mapping], names: list[str], libraries: tuple[str, ...]) -> str:
    text = _line("function", *libraries) + "|---" * (1 + len(libraries)) + "|\n"
    for name in names:
        cells = (
            " / ".join(_coloured(worst[name][lib, o]) for o in ORDERS if (lib, o) in worst[name])
            for lib in libraries
        )
        text += _line(f"[{name}](activations/{name}.md#accuracy)", *cells)
    return text


def _coloured(error: float) -> str:
    decade = sum(error > limit for limit in DECADES)
    return f'<span class="ulp{decade}">{number(error)}</span>'


def number(error: float) -> str:
    """An error to read."""
    if not np.isfinite(error):
        return "∞"
    return "0" if error < RESOLUTION else f"{error:.3g}" if error < 1000 else f"{error:.0e}"


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
