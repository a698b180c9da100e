"""Writes what the README and docs/names.md take from the catalogue and from committed results.

python docs/tables.py           # rewrites the README's marked parts and names.md
python docs/tables.py --check   # exits with 1 if they are not up to date
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from facts import facts

import jaxact  # from this checkout, installed or not
from jaxact.names import elsewhere

README, NAMES = ROOT / "README.md", ROOT / "docs" / "names.md"


def facts_list() -> str:
    """What is measured, each with a link to the measurements."""
    return "".join(f"- **{f.figure}** {f.text}: [{f.page}](docs/{f.page}.md).\n" for f in facts())


def families() -> str:
    """A line for each family of functions, with a link to its file."""
    found: dict[str, list[str]] = {}
    for entry in sorted(jaxact.CATALOG.values(), key=lambda e: (e.family, e.name)):
        found.setdefault(entry.family, []).append(f"`{entry.name}`")
    return "".join(
        f"- [{family.replace('_', ' ')}](jaxact/functions/{family}.py): {', '.join(names)}\n"
        for family, names in found.items()
    )


def readme(text: str) -> str:
    """The README with what lies between its marks written anew."""
    for mark, write in (("facts", facts_list), ("functions", families)):
        marks = re.compile(rf"(<!-- {mark} -->\n).*(<!-- end of {mark} -->)", re.DOTALL)
        text = marks.sub(lambda ops, write=write: ops[1] + write() + ops[2], text)
    return text


NAMES_HEAD = """# Names

The names that `jaxact.get` finds. `python docs/tables.py` writes this page: do not edit it.

A name without a prefix is ours, and every function of the catalogue has one. A prefix stands for
another library, and the name then means what it means there: in jax.nn, torch.nn.functional,
keras.activations, the operators of ONNX, and the keys of ACT2FN in Hugging Face's transformers.
Case and underscores do not matter. You may leave out the prefix if we have no function of that
name and all libraries mean the same by it. The table leaves out names of jax.nn that are also
ours.

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


def texts() -> dict[Path, str]:
    """The files, and what should be in them."""
    return {README: readme(README.read_text()), NAMES: names_table()}


def main() -> int:
    """Writes or checks what is generated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    if check:
        return int(any(path.read_text() != text for path, text in texts().items()))
    for path, text in texts().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
