"""What the scripts on the founding note's claims share: options, verdicts, figures."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from _command import Ending, new_file
from _markup import element
from rich.console import Console

WIDTH, HEIGHT = 430, 276  # of one chart
MARGIN, TITLE = 14, 26


class Claim(NamedTuple):
    """A sentence of the note, what was measured, and whether it holds."""

    text: str
    measured: str
    holds: bool


class Panel(NamedTuple):
    """A chart with its title."""

    title: str
    chart: str


def main(
    description: str,
    output: str,
    measure: Callable[[argparse.Namespace], tuple[Sequence[Claim], Sequence[Panel]]],
    arguments: Sequence[str] | None = None,
    **sizes: int,
) -> int:
    """Measures, writes the figure and prints the claims; returns the exit code.

    Args:
        description: of the script.
        output: where the figure goes by default.
        measure: gives claims and panels, from the options.
        arguments: of the command line.
        **sizes: numbers that may be made smaller, under the names of their options.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=new_file(output), default=output, help="SVG, or folder/")
    for name, size in sizes.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=_count, default=size, help="a whole number")
    options = parser.parse_args(arguments)
    with Ending(parser.prog) as ending:
        claims, panels = measure(options)
        saved = ending.save(options.output, figure(panels))
        console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        for claim in claims:
            mark = "[green]holds[/]" if claim.holds else "[red]does not hold[/]"
            console.print(f"\nClaim:    {claim.text}\nMeasured: {claim.measured}\nVerdict:  {mark}")
        console.print(f"\nFigure: {saved}", markup=False)
    return ending.code


def hues(names: Sequence[str]) -> dict[str, float]:
    """Returns a hue for each name, in degrees, equally far apart."""
    return {name: 20 + 360 * index / len(names) for index, name in enumerate(names)}


def figure(panels: Sequence[Panel], columns: int = 2) -> str:
    """Returns an SVG file of charts side by side, which needs nothing around it."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    parts = [element("style", _STYLE), element("rect", width="100%", height="100%", class_="paper")]
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        x, y = MARGIN + column * (WIDTH + MARGIN), MARGIN + row * (HEIGHT + TITLE + MARGIN)
        title = element("text", escape(panel.title), x=x, y=y + 14, class_="title")
        place = f'<svg x="{x}" y="{y + TITLE}" width="{WIDTH}" height="{HEIGHT}" '
        parts += [title, panel.chart.replace("<svg ", place, 1)]
    width = MARGIN + columns * (WIDTH + MARGIN)
    height = MARGIN + rows * (HEIGHT + TITLE + MARGIN)
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )


def wrapped(text: str) -> str:
    """Returns a sentence on one line, however it was written."""
    return " ".join(textwrap.dedent(text).split())


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


# Files that stand alone are shown on white: image viewers do not tell them of dark pages.
_STYLE = """
svg { overflow: visible; font: 11px system-ui, "DejaVu Sans", sans-serif; }
.paper { fill: #fff; }
text { fill: #676b73; }
.title { fill: #1d1f23; font-size: 13px; font-weight: 600; }
.grid { stroke: #ececea; }
.goal { stroke: #676b73; stroke-dasharray: 3 3; }
.activation { --color: oklch(0.58 0.17 var(--hue)); }
.line { fill: none; stroke: var(--color); stroke-width: 2; stroke-linejoin: round; }
.row { text-anchor: end; }
.tick, .axis { text-anchor: middle; }
.name { fill: var(--color); font-weight: 600; dominant-baseline: central; }
"""
