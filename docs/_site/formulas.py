"""The formulas of one activation as trees: its value, slope and curvature."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxact import Entry

from .expressions import Expression, Symbol, Tree, abbreviated, derivative

X = Symbol("x")


@dataclass(frozen=True)
class Formulas:
    """What a page shows and draws.

    Attributes:
        definition: the formula as declared.
        orders: value, slope and curvature.
        parameters: the numbers that the trees depend on, by the names of their symbols.
    """

    definition: Expression
    orders: tuple[Expression, Expression, Expression]
    parameters: Mapping[str, float]


def formulas(entry: Entry, setting: Mapping[str, Any]) -> Formulas | None:
    """The trees of an activation; what is no number in its setting is fixed.

    A gate's are functions of its gate, the other array being a parameter that is 1. None for a map
    over an axis.
    """
    if entry.kind == "axis":
        return None
    numbers: dict[str, float] = {}
    given = {**_defaults(entry), **setting}
    arguments = {name: _symbolic(name, value, numbers) for name, value in given.items()}
    first, *arrays = _arrays(entry)
    if arrays:
        arguments[first], arguments[arrays[0]] = (
            X if name == "gate" else _symbolic("value", 1.0, numbers) for name in (first, *arrays)
        )
        definition = entry.formula(Tree(), **arguments)
    else:
        definition = entry.formula(Tree(), X, **arguments)
    value = abbreviated(definition)
    slope = derivative(value, X)
    return Formulas(definition, (value, slope, derivative(slope, X)), numbers)


def _arrays(entry: Entry) -> list[str]:
    _, *known = inspect.signature(entry.formula).parameters.values()
    return [p.name for p in known if p.default is p.empty][: 2 if entry.kind == "gate" else 1]


def _defaults(entry: Entry) -> dict[str, Any]:
    _, _, *known = inspect.signature(entry.formula).parameters.values()
    return {p.name: p.default for p in known if p.default is not p.empty}


def _symbolic(name: str, value: Any, numbers: dict[str, float]) -> Any:
    """Symbols in the place of numbers, which are put down under their names."""
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple):
        return tuple(_symbolic(f"{name}[{i}]", v, numbers) for i, v in enumerate(value))
    numbers[name] = float(value)
    return Symbol(name)
