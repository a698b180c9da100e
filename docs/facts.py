"""The figures that the README, the front page and the page on speed state, from committed results.

`python docs/tables.py` writes them into the README, `python docs/speed.py` into docs/speed.md, and
the build of the site into the front page.
"""

import math
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

from _site import results

from benchmarks.environment import headline
from benchmarks.goals import DTYPES, MODES, Point, Speeds
from benchmarks.results import Results

SPEED = Results.read(DOCS.parent / "benchmarks" / "results" / "speed-cpu.json")
JAX, TORCH = "jax.nn", "torch"
ROUNDED = 0.501  # in ULP: as good as correctly rounded


class Fact(NamedTuple):
    """A figure with its meaning and its conditions.

    Attributes:
        figure: the number.
        text: what it says, in Markdown without links.
        page: where the measurements are, below docs/, without an ending.
    """

    figure: str
    text: str
    page: str


def facts() -> list[Fact]:
    """What jaxact gives over jax.nn, and where it does not."""
    return [_accuracy(), _memory(), _speed(), _diagnosis()]


# --- Accuracy -------------------------------------------------------------------------------------


def _accuracy() -> Fact:
    ours, theirs = (_sixteen_bits(library) for library in ("jaxact", JAX))
    wrong = sum(not math.isfinite(ulp) for ulp in theirs)
    return Fact(
        f"{_share(ours)} correctly rounded",
        "in bfloat16 and float16: the value, slope and curvature of every elementwise function, at "
        f"every input, to within {ROUNDED} ULP. jax.nn reaches that in {_share(theirs)} of its "
        f"{len(theirs)} cases, and {wrong} give infinity or NaN where the true result is finite. "
        "In float32 the three errors are at most 4, 7 and 10 ULP. Measured on a CPU",
        "accuracy",
    )


def _sixteen_bits(library: str) -> list[float]:
    rows = results.accuracy_rows()
    return [float(r["ulp"]) for r in rows if r["library"] == library and "16" in r["dtype"]]


def _share(errors: Iterable[float]) -> str:
    errors = list(errors)
    return f"{100 * sum(e <= ROUNDED for e in errors) / len(errors):.0f}\N{NO-BREAK SPACE}%"


# --- Memory ---------------------------------------------------------------------------------------


def _memory() -> Fact:
    kept, twelve = _kept("gelu"), _temporaries("gelu", "h200")
    return Fact(
        f"{kept['jaxact']:g} bytes per element",
        f"are what `gelu` keeps for the backward pass in float32; jax.nn keeps {kept[JAX]:g}. A "
        "training step of twelve GELU layers in bfloat16, compiled for an H200, needs "
        f"{twelve['jaxact']:.0f} arrays of temporaries instead of {twelve[JAX]:.0f}. "
        "`tanh` and `sigmoid` may need more than in jax.nn, unless `lean` wraps them",
        "memory",
    )


def _kept(function: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in results.benchmark_rows("memory"):
        if (row["function"], row["dtype"], row["recipe"]) == (function, "float32", "default"):
            found.setdefault(row["library"], row["residual_bytes"])
    return found


def _temporaries(function: str, device: str) -> dict[str, float]:
    return {
        row["library"]: row["temporaries"]
        for row in reversed(results.benchmark_rows("memory"))
        if row["function"] == function
        and (row["device"], row["dtype"], row["recipe"]) == (device, "bfloat16", "default")
        and row["network"].startswith("unrolled")
    }


# --- Speed ----------------------------------------------------------------------------------------


def _speed() -> Fact:
    speeds = Speeds(SPEED.rows)
    shared = speeds.points(JAX)
    ratios = {(m, d): _over_jax(speeds, shared, m, d) for m in MODES for d in DTYPES}
    of = {
        case: f"{statistics.geometric_mean(found.values()):.1f}" for case, found in ratios.items()
    }
    (slowest, _), least = min(ratios["forward", "float32"].items(), key=lambda found: found[1])
    return Fact(
        f"{of['forward', 'float32']} times jax.nn's speed",
        f"on a CPU in float32 ({of['vjp', 'float32']} backward), {of['forward', 'bfloat16']} in "
        f"bfloat16 ({of['vjp', 'bfloat16']} backward): geometric means over the {len(shared)} "
        f"functions timed that jax.nn has too. The slowest, `{slowest}`, reaches {least:.2f} of it "
        "in float32. Compiling takes longer. No time was measured on a GPU or TPU",
        "speed",
    )


def _over_jax(speeds: Speeds, points: list[Point], mode: str, dtype: str) -> dict[Point, float]:
    found = {point: speeds.ratio(point, mode, dtype, JAX) for point in points}
    return {point: ratio for point, ratio in found.items() if ratio}


def means() -> str:
    """The geometric means as a table, with what measured them."""
    speeds = Speeds(SPEED.rows)
    in_jax, in_torch = speeds.points(JAX), speeds.points(TORCH)
    lines = ["|  | jax.nn, forward | jax.nn, backward | torch eager, forward + backward |"]
    lines.append("|---|--:|--:|--:|")
    for dtype in DTYPES:
        figures = [list(_over_jax(speeds, in_jax, mode, dtype).values()) for mode in MODES]
        figures.append([r for p in in_torch if (r := speeds.training_ratio(p, dtype, TORCH))])
        cells = (f"{statistics.geometric_mean(found):.1f} ({len(found)})" for found in figures)
        lines.append(f"| {dtype} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{headline(SPEED.environment)}.\n"


# --- Diagnosis ------------------------------------------------------------------------------------


def _diagnosis() -> Fact:
    lines = (DOCS / "zoo.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:2] == "| "]
    _, *rows = cells
    well = [advice for _, state, _, _, advice in rows if state in ("at the start", "trained")]
    ill = [
        advice
        for *_, wanted, verdict, advice in rows
        if (wanted, verdict) != ("nothing", "healthy")
    ]
    found, calm = sum(a != "none" for a in ill), sum(a == "none" for a in well)
    return Fact(
        f"{found} of {len(ill)} planted faults",
        f"(dead units, closed gates, collapsed attention, ...) in {len({r[0] for r in rows})} "
        f"kinds of small models are reported with a remedy. {calm} of {len(well)} healthy models "
        "get no advice",
        "zoo",
    )
