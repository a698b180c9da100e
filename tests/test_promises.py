"""The law of promises: what the catalogue and the docstrings say of errors is what was measured.

The measurements are docs/accuracy/cpu.csv; a function that is not there yet is put there by
`python docs/accuracy.py --functions NAME`. Shown to fail in test_a_loose_promise_is_found.
"""

import csv
import dataclasses
import functools
import importlib.util
import math
import re
from pathlib import Path

import pytest

from jaxact import CATALOG, Entry

DOCS = Path(__file__).parents[1] / "docs"
MEASURED = DOCS / "accuracy" / "cpu.csv"
ORDERS = ("value", "slope", "curvature")
UNIVERSAL = (4.0, 7.0, 10.0)  # of float32 and float64; the same as in test_accuracy.py
NEAR_ROOT = 4.0  # in eps times the derivative's largest magnitude within 1/8
RESOLUTION = 2.0**-12  # in ULP: what is measured as less is exact

ENTRIES = pytest.mark.parametrize(
    "entry",
    [
        entry
        for entry in CATALOG.values()
        if entry.kind in ("elementwise", "random")
        and entry.function.__module__.startswith("jaxact.")
    ],
    ids=lambda entry: entry.name,
)


@functools.cache
def rows() -> list[dict[str, str]]:
    """What was measured of our own functions."""
    with MEASURED.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["library"] == "jaxact"]


def measured(entry: Entry) -> list[dict[str, str]]:
    """The rows of one function."""
    found = [row for row in rows() if row["function"] == entry.name]
    assert found, f"not measured yet: run python docs/accuracy.py --functions {entry.name}"
    return found


def worst(entry: Entry, figure: str, **wanted: str) -> float:
    """The largest of some figures that were measured of a function, whatever its parameters."""
    return max(float(row[figure]) for row in measured(entry) if wanted.items() <= row.items())


@ENTRIES
def test_every_setting_is_measured(entry):
    declared = {", ".join(f"{k}={v}" for k, v in sample.items()) for sample in entry.samples}
    assert {row["parameters"] for row in measured(entry)} == declared


@ENTRIES
def test_float32_bounds_are_measured_ones_rounded_up(entry):
    check_bounds(entry)


def check_bounds(entry: Entry) -> None:
    """Asserts that promises are kept, and are no looser than they have to be."""
    for order, bound in zip(ORDERS, entry.ulps, strict=True):
        found = worst(entry, "ulp", dtype="float32", order=order)
        tight = math.ceil(2 * (found - RESOLUTION)) / 2
        assert tight <= bound <= tight + 0.5, f"{order}: {found} ULP measured, {bound} promised"


@ENTRIES
def test_what_was_measured_lies_within_the_bounds_for_all(entry):
    for row in measured(entry):
        check_row(row)


def check_row(row: dict[str, str]) -> None:
    """Asserts the bounds that hold for every function."""
    narrow = row["dtype"] in ("bfloat16", "float16")
    bound = 0.5 + 2**-10 if narrow else UNIVERSAL[ORDERS.index(row["order"])]
    assert float(row["ulp"]) <= bound, f"{row} exceeds {bound} ULP"
    assert float(row["near_root"]) <= NEAR_ROOT, f"{row} is inexact beside its root"


def test_a_row_out_of_bounds_is_found():
    row = {"dtype": "float32", "order": "slope", "ulp": "6.9", "near_root": "3.9"}
    check_row(row)
    for figure in ({"ulp": "7.1"}, {"near_root": "4.1"}, {"order": "value"}):
        with pytest.raises(AssertionError):
            check_row({**row, **figure})


@ENTRIES
def test_the_docstring_promises_these_bounds(entry):
    assert promised(_accuracy(entry)) == entry.ulps


def promised(text: str) -> tuple[float, ...]:
    """The bounds that a docstring states, in words or numbers; what it leaves out is exact."""
    text = text.replace("Correctly rounded", "value half an ULP")
    text = text.replace("half an ULP", "0.5")
    if text.startswith("Exact"):
        return (0.5 if "0.5" in text else 0.0), 0.0, 0.0
    text = re.sub(r"\bexact\b", "0", text)
    found = (re.search(rf"\b{order}\b\D*?(\d+\.?\d*)", text) for order in ORDERS)
    return tuple(float(match[1]) if match else 0.0 for match in found)


def test_bounds_are_read_as_they_are_written():
    assert promised("float32: value 3, slope 4.5, curvature 6 ULP. 16 bits: ...") == (3, 4.5, 6)
    assert promised("float32: value, slope and curvature 2 ULP.") == (2, 2, 2)
    assert promised("float32: value 1.5 ULP, slope half an ULP.") == (1.5, 0.5, 0)
    assert promised("Exact but for a rounding, half an ULP at most.") == (0.5, 0, 0)
    assert promised("Exact in every dtype.") == (0, 0, 0)
    assert promised("Correctly rounded in every dtype; the slope is exact.") == (0.5, 0, 0)


@ENTRIES
def test_the_docstring_counts_what_is_misrounded_in_sixteen_bits(entry):
    found = max(worst(entry, "misrounded", dtype=dtype) for dtype in ("bfloat16", "float16"))
    counted = re.search(r"but for at most (\d+) of the 65,536 inputs", _accuracy(entry))
    assert (int(counted[1]) if counted else 0) == found


def script(name: str):
    """A script of docs/, loaded by its path, for the tests have modules of the same names."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_was_measured():
    page = script("accuracy")
    assert page.PAGE.read_text() == page.page(), "run python docs/accuracy.py --render"


def test_the_readme_is_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    tables = script("tables")
    for path, text in tables.texts().items():
        assert path.read_text() == text, "run python docs/tables.py"
    assert script("facts").means() in (DOCS / "speed.md").read_text(), "run python docs/speed.py"


@ENTRIES
def test_every_kink_is_in_the_table(entry):
    table = (DOCS / "kinks.md").read_text()
    assert measured(entry)
    for sample in entry.samples:
        for kink in entry.kinks(**sample):
            call = ", ".join(f"{k}={v}" for k, v in sample.items())
            assert f"| `{entry.name}({call})` | {kink:g} |" in table, "run python docs/kinks.py"


def test_a_loose_promise_is_found():
    entry = CATALOG["silu"]
    for step in (1.0, -0.5):
        value, *others = entry.ulps
        with pytest.raises(AssertionError):
            check_bounds(dataclasses.replace(entry, ulps=(value + step, *others)))


def _accuracy(entry: Entry) -> str:
    """The section of the docstring, as one line."""
    text = entry.function.__doc__
    return " ".join(text[text.index("Accuracy:") : text.index("Edges:")].split()[1:])
