"""Writes docs/kinks.md: the slope at every kink, of jaxact as promised, and as others compute it.

python docs/kinks.py            # measures jax.nn and torch, which has to be installed
"""

import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from peers import Jax, Torch, peers, versions

from jaxact import CATALOG, Entry

PAGE = DOCS / "kinks.md"
INTRODUCTION = """\
# Slopes at kinks

Written by `python docs/kinks.py`, measured in float32: do not edit.

Where a function has no derivative, a library must choose a slope. jaxact promises the slope of
jax.nn for every function that jax.nn has, and the tests check it in every dtype and mode. Slopes
that differ are **bold**. A blank means that the library does not have the function with these
parameters. Where the slope is continuous, the curvature jumps.
"""


def page() -> str:
    """The page."""
    libraries = [name for name in versions() if name != "jaxact"]
    text = f"{INTRODUCTION}\nMeasured: {', '.join(f'{n} {versions()[n]}' for n in libraries)}.\n\n"
    text += f"| function | at | {' | '.join(['jaxact', *libraries])} |\n"
    text += "|---|--:" + "|--:" * (1 + len(libraries)) + "|\n"
    for entry in sorted(CATALOG.values(), key=lambda e: e.name):
        for parameters in entry.samples if entry.kind in ("elementwise", "random") else ():
            text += "".join(_lines(entry, parameters, libraries))
    return text


def _lines(entry: Entry, parameters: Mapping[str, Any], libraries: list[str]) -> Iterator[str]:
    call = f"`{entry.name}({', '.join(f'{k}={v}' for k, v in parameters.items())})`"
    found = peers(entry, parameters)
    own = Jax(functools.partial(entry.function, **parameters))
    for kink in entry.kinks(**parameters):
        cells = [slope_at(own, kink)]
        for name in libraries:
            slope = slope_at(found[name], kink) if name in found else " "
            cells.append(slope if slope in (cells[0], " ") else f"**{slope}**")
        yield f"| {call} | {kink:g} | {' | '.join(cells)} |\n"


def slope_at(function: Jax | Torch, kink: float) -> str:
    """The slope that a library computes at a point."""
    return f"{float(function.derivatives(np.float32([kink]))[1][0]):.6g}"


if __name__ == "__main__":
    PAGE.write_text(page())
