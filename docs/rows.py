"""Writes docs/rows.md: how exact functions of rows are on rows that are hard, beside jax.nn.

python docs/rows.py             # on this device, two minutes
"""

import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests"), str(DOCS)]

import jax
import numpy as np
import test_simplex as law
from cases import DTYPES
from peers import versions

PAGE = DOCS / "rows.md"
SIZES, CANCELLING_SIZES = (16, 1024), (2, 16, 1024)
INTRODUCTION = """\
# Accuracy of functions of rows, as measured

Written by `python docs/rows.py`: do not edit.

The truth is each function's definition in extended precision. The rows, of 16 and 1024 entries, are
those of the tests: random ones, and such as have one dominant entry, entries far apart, a large
offset, entries up to the largest numbers of the format and down to the smallest, and ties. An error
is the largest on any of them, in units in the last place (ULP) of each exact value; those of
`standardize` and of gradients in ULP of the largest number in their row. ∞ stands for a result
that is NaN or infinite where the truth is a number. (Of a row of two entries `standardize` makes 1
and -1, but for epsilon: there its gradient vanishes, and neither library has a digit of it right.)
"""
CANCELLING = """
## Beside a root

Where the logarithm and the entries cancel, the exact result is 0 or consists of rounding errors
alone, and ULP say nothing. There errors are given in eps of the format, for rows of three sizes.

"""


def page() -> str:
    """The page."""
    used = ", ".join(f"{name} {versions()[name]}" for name in ("jaxact", "jax.nn"))
    text = f"{INTRODUCTION}\nMeasured on {jax.devices()[0].device_kind}: {used}.\n\n"
    text += _line("format", "function", "value, jaxact", "jax.nn", "gradient, jaxact", "jax.nn")
    text += "|---|---" + "|--:" * 4 + "|\n" + "".join(_errors())
    heads = [f"{n}, {library}" for n in CANCELLING_SIZES for library in ("jaxact", "jax.nn")]
    text += CANCELLING + _line("format", "function", *heads) + "|---|---" + "|--:" * len(heads)
    return text + "|\n" + "".join(_left_over())


def _errors() -> Iterator[str]:
    for dtype in map(np.dtype, DTYPES):
        for name in law.TRUTH:
            hard = [law.rows(kind, n, dtype) for kind in law.KINDS for n in SIZES]
            cells = [
                _number(max(error(f(name), name, x) for x in hard))
                for error in (law.value_error, law.gradient_error)
                for f in (law.ours, law.theirs)
            ]
            yield _line(dtype.name, f"`{name}`", *cells)


def _left_over() -> Iterator[str]:
    for dtype in (np.float32, np.float64):
        for name in law.LOGARITHMS:
            hard = [law.cancelling(name, n, dtype) for n in CANCELLING_SIZES]
            cells = [
                f"{law.cancellation_error(f(name), name, x):.2f}"
                for x in hard
                for f in (law.ours, law.theirs)
            ]
            yield _line(np.dtype(dtype).name, f"`{name}`", *cells)


def _number(value: float) -> str:
    return "∞" if not np.isfinite(value) else f"{value:.3g}" if value < 1000 else f"{value:.0e}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
