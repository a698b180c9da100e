"""Writes the tables that are printed from the catalogue: run it after changing a declaration.

python docs/tables.py           # rewrites the README's table and names.md
python docs/tables.py --check   # exits with 1 if they are not up to date
"""

import argparse
import inspect
import re
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jaxact  # from this checkout, installed or not
from jaxact.names import elsewhere

README, NAMES = ROOT / "README.md", ROOT / "docs" / "names.md"
MARKS = re.compile(r"(<!-- functions -->\n).*(<!-- end of functions -->)", re.DOTALL)


def functions_table() -> str:
    """One row per activation: signature, family, float32 bounds and source."""
    rows = [
        "| function | family | float32 error, ULP: value / slope / curvature | source |",
        "|---|---|---|---|",
    ]
    for entry in sorted(jaxact.CATALOG.values(), key=lambda e: (e.family, e.name)):
        by_element = any(entry.ulps) or entry.kind in ("elementwise", "gate")
        bounds = " / ".join(f"{u:g}" for u in entry.ulps) if by_element else "in its docstring"
        call = f"`{entry.name}{_signature(entry.function)}`"
        rows.append(f"| {call} | {entry.family.replace('_', ' ')} | {bounds} | {entry.source} |")
    return "\n".join(rows) + "\n"


def _signature(function) -> str:
    """The signature as a call shows it, without annotations; fractions in short."""
    signature = inspect.signature(function)
    empty = inspect.Parameter.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=empty))
    return re.sub(r"\d\.\d{7,}", lambda ops: str(Fraction(ops[0]).limit_denominator(99)), text)


NAMES_HEAD = """# Names

What `jaxact.get` finds. Written by `python docs/tables.py`: do not edit.

A name without a prefix is ours; every function of the catalogue has its own. Names of others have
their prefix, and mean what they mean there: jax.nn, torch.nn.functional, keras.activations, the
operators of ONNX, the keys of ACT2FN in Hugging Face's transformers. Case and underscores are of no
account. A name of others may do without its prefix where we have no such name, and all mean the
same by it. Names of jax.nn that are ours too are left out.

| name | is |
|---|---|
"""


def names_table() -> str:
    """One row per name of another library."""
    rows = (
        f"| `{spelling}` | `{_call(name, parameters)}` |"
        for spelling, (name, parameters) in sorted(elsewhere())
    )
    return NAMES_HEAD + "\n".join(rows) + "\n"


def _call(name: str, parameters) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
    return f"{name}({given})" if given else name


def main() -> int:
    """Writes or checks what is generated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    readme = MARKS.sub(lambda ops: ops[1] + functions_table() + ops[2], README.read_text())
    texts = {README: readme, NAMES: names_table()}
    if check:
        return int(any(path.read_text() != text for path, text in texts.items()))
    for path, text in texts.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
