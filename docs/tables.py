"""Writes the tables that are printed from the catalogue: run it after changing a declaration.

python docs/tables.py           # rewrites the README's table
python docs/tables.py --check   # exits with 1 if it is not up to date
"""

import argparse
import inspect
import re
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jaxact  # noqa: E402  (from this checkout, installed or not)

README = ROOT / "README.md"
MARKS = re.compile(r"(<!-- functions -->\n).*(<!-- end of functions -->)", re.DOTALL)


def functions_table() -> str:
    """One row per activation: signature, family, float32 bounds and source."""
    rows = [
        "| function | family | float32 error, ULP: value / slope / curvature | source |",
        "|---|---|---|---|",
    ]
    for entry in sorted(jaxact.CATALOG.values(), key=lambda e: (e.family, e.name)):
        bounds = " / ".join(f"{u:g}" for u in entry.ulps)
        call = f"`{entry.name}{_signature(entry.function)}`"
        rows.append(f"| {call} | {entry.family.replace('_', ' ')} | {bounds} | {entry.source} |")
    return "\n".join(rows) + "\n"


def _signature(function) -> str:
    """The signature as a call shows it, without annotations; fractions in short."""
    signature = inspect.signature(function)
    empty = inspect.Parameter.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=empty))
    return re.sub(r"\d\.\d{7,}", lambda m: str(Fraction(m[0]).limit_denominator(99)), text)


def main() -> int:
    """Writes or checks the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    text = README.read_text()
    updated = MARKS.sub(lambda m: m[1] + functions_table() + m[2], text)
    if check:
        return int(updated != text)
    README.write_text(updated)
    return 0


if __name__ == "__main__":
    sys.exit(main())
