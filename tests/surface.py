"""What is public, as in a stub: each name with its signature, fields and defaults, as written.

    python tests/surface.py    # renews tests/surface.txt, after a change that is meant

`test_surface.py` compares, so that no change goes unseen.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import jaxact

LISTING = Path(__file__).with_suffix(".txt")
NEEDS_ANOTHER = ("keras",)  # to be imported
SHOWN = ("__init__", "__call__")  # of the methods with underscores


def modules() -> list[str]:
    """The public modules: the front door, and the rooms whose names say so."""
    rooms = [m.name for m in pkgutil.iter_modules(jaxact.__path__) if not m.name.startswith("_")]
    return ["jaxact", *(f"jaxact.{room}" for room in rooms if room not in NEEDS_ANOTHER)]


def listing() -> str:
    """All that is public, a module after the other."""
    lines = []
    for name in modules():
        module = importlib.import_module(name)
        public = set(module.__all__)
        lines += ["", f"# {name}", ""]
        if name == "jaxact":  # and what follows there
            public -= set(jaxact.functions.__all__)
            lines.append("from jaxact.functions import *")
        for each in sorted(public):
            lines += _described(each, getattr(module, each))
    return "\n".join(lines[1:]) + "\n"


def _described(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, types.ModuleType):
        yield f"{name}: module"
    elif not callable(value):
        yield f"{name}: {type(value).__name__}"
    elif name != value.__name__:
        yield f"{name} = {value.__name__}"
    elif not value.__module__.startswith("jaxact"):
        yield f"{name}: as in {value.__module__.partition('.')[0]}"
    elif isinstance(value, type):
        yield f"class {name}:"
        members: dict[str, str] = {}
        for kind in reversed([k for k in value.__mro__ if k.__module__.startswith("jaxact")]):
            for node in _written(kind).body:
                members |= _member(node)
        yield from (f"    {line}" for line in members.values())
    else:
        yield _function(_written(value))


def _member(node: ast.AST) -> dict[str, str]:
    """A line on something in the body of a class, if it is public."""
    if isinstance(node, ast.AnnAssign):
        name, line = ast.unparse(node.target), ast.unparse(node)
    elif isinstance(node, ast.FunctionDef):
        decorators = [ast.unparse(d) for d in node.decorator_list]
        kind = next((f"@{d} " for d in decorators if d in ("property", "classmethod")), "")
        name, line = node.name, kind + _function(node)
    else:
        return {}
    return {name: line} if name in SHOWN or not name.startswith("_") else {}


def _function(node: Any) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"


def _written(value: Any) -> Any:
    """The syntax tree of a function or class."""
    body = _tree(inspect.getsourcefile(sys.modules[value.__module__])).body
    return next(node for node in body if getattr(node, "name", None) == value.__qualname__)


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8")
