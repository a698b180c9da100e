"""Docstrings as they are written here, in the words that Sphinx understands."""

import re

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Runs before napoleon, which is told of the sections in conf.py."""
    app.connect("autodoc-process-docstring", _formulas_are_literal, priority=100)
    app.connect("autodoc-skip-member", _fields_are_described)
    app.connect("autodoc-process-signature", _objects_have_no_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fields_are_described(app, what, name, obj, skip: bool, options) -> bool | None:
    """Fields of named tuples and defaults of dataclasses stand in the class's docstring already."""
    is_field = (getattr(obj, "__doc__", None) or "").startswith("Alias for field")
    is_default = what == "class" and "." not in getattr(obj, "__qualname__", ".")
    return True if is_field or is_default else None


def _objects_have_no_source(app, what, name, obj, options, signature, returned):
    """A default that has no literal is "..."; Flax's own two arguments are left out."""
    if signature is None:
        return None
    signature = re.sub(r"=<(?:[^<>]|<[^<>]*>)*>", "=...", signature)
    return re.sub(r", parent=.*, name=None\)$", ")", signature), returned


def _formulas_are_literal(app, what, name, obj, options, lines: list[str]) -> None:
    """An indented paragraph that follows prose is a formula: it is set as it stands."""
    result: list[str] = []
    margin = -1  # of the prose above a formula; negative outside of one
    for line in lines:
        before = next((past for past in reversed(result) if past.strip()), "")
        starts = bool(line.strip()) and bool(result) and not result[-1].strip()
        if line.strip() and _indent(line) <= margin:
            margin = -1
        if starts and margin < 0 and _indent(line) >= _indent(before) + 4:
            if not before.rstrip().endswith(":"):
                margin = _indent(before)
                result += [" " * margin + ".. code-block:: text", ""]
        if margin < 0 and not line.lstrip().startswith(">>>"):  # neither emphasis nor substitution
            parts = line.split("`")
            parts[::2] = [re.sub(r"\||(?<=\()\*", r"\\\g<0>", part) for part in parts[::2]]
            line = "`".join(parts)
        result.append(line)
    lines[:] = result


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
