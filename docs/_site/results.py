"""What the committed results say of one activation."""

import csv
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxact import Entry

ROOT = Path(__file__).parents[2]
LIBRARIES = ("jaxact", "jax.nn", "torch")


@functools.cache
def accuracy_rows() -> list[dict[str, str]]:
    """The rows of docs/accuracy/cpu.csv."""
    with (ROOT / "docs" / "accuracy" / "cpu.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def accuracy(entry: Entry, setting: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Errors in ULP: by format, library and order."""
    label = ", ".join(f"{name}={value}" for name, value in setting.items())
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in accuracy_rows():
        if (row["function"], row["parameters"]) == (entry.name, label):
            if (row["dtype"], row["inputs"]) != ("float32", "all"):
                of_library = found.setdefault(row["dtype"], {}).setdefault(row["library"], {})
                of_library[row["order"]] = row["ulp"]
    return found


def settings(entry: Entry) -> dict[str, dict[tuple[str, str], dict[str, dict[str, str]]]]:
    """All that was measured of one activation: by setting, then format and order, then library."""
    found: dict[str, dict[tuple[str, str], dict[str, dict[str, str]]]] = {}
    for row in accuracy_rows():
        if row["function"] == entry.name:
            if (row["dtype"], row["inputs"]) != ("float32", "all"):
                cases = found.setdefault(row["parameters"], {})
                cases.setdefault((row["dtype"], row["order"]), {})[row["library"]] = row
    return found


@functools.cache
def benchmark_rows(command: str) -> list[dict[str, Any]]:
    """The rows of a benchmark that are committed, each with the device it was measured on."""
    rows = []
    for path in sorted((ROOT / "benchmarks" / "results").glob(f"{command}-*.json")):
        content = json.loads(path.read_text())
        if content["command"] == command:
            device = path.stem.removeprefix(f"{command}-")
            rows += [{**row, "device": device} for row in content["rows"]]
    return rows


def residuals(entry: Entry) -> dict[str, dict[str, float]]:
    """Bytes per element that reverse mode keeps of float32: by recipe and library."""
    found: dict[str, dict[str, float]] = {}
    for row in benchmark_rows("memory"):
        if row["function"] == entry.name and row["dtype"] == "float32":
            of_recipe = found.setdefault(row["recipe"], {})
            of_recipe.setdefault(row["library"], row["residual_bytes"])
    for row in benchmark_rows("speed"):
        if row["function"] == entry.name and row["dtype"] == "float32":
            if row["residual_bytes"] is not None:
                of_recipe = found.setdefault("default", {})
                of_recipe.setdefault(row["library"], row["residual_bytes"])
    return found


def speed(entry: Entry) -> Iterator[tuple[tuple[str, str, str, str], dict[str, float]]]:
    """Nanoseconds per element by library, for each device, mode, dtype and shape."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = {}
    first = None
    for row in benchmark_rows("speed"):
        if row["function"] == entry.name:
            first = first or row["setting"]
            if row["setting"] == first:
                case = row["device"], row["mode"], row["dtype"], row["shape"]
                found.setdefault(case, {})[row["library"]] = row["nanoseconds"]
    yield from found.items()


@functools.cache
def kink_rows() -> list[list[str]]:
    """The rows of docs/kinks.md."""
    lines = (ROOT / "docs" / "kinks.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "(" in line]


def kinks(entry: Entry, setting: dict[str, Any]) -> list[list[str]]:
    """Where a derivative jumps, and the slope there: ours, jax.nn's, torch's."""
    label = ", ".join(f"{name}={value}" for name, value in setting.items())
    return [row[1:] for row in kink_rows() if row[0] == f"`{entry.name}({label})`"]


@functools.cache
def difference_rows() -> list[list[str]]:
    """The rows of docs/differences.md: function, library, there, here, reason."""
    text = (ROOT / "docs" / "differences.md").read_text().partition("|---|")[2]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()[1:]
    ]


def differences(entry: Entry) -> list[list[str]]:
    """The conventions in which others differ."""
    names = {_canonical(entry.name)}
    names |= {_canonical(spelling.partition(":")[2]) for spelling in entry.elsewhere}
    return [row for row in difference_rows() if names & {_canonical(n) for n in row[0].split(", ")}]


def _canonical(name: str) -> str:
    return name.replace("_", "").lower()
