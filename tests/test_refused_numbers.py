"""A parameter that is a Python number is refused where the docstring says so, and nowhere else.

Shown to fail on functions that refuse in silence, without a name, or without saying so.
"""

import inspect
import math
import re

import jax
import pytest
from cases import Case, over, typical_cases
from jax import Array
from jax.typing import ArrayLike

import jaxact

SUSPECT = (math.nan, math.inf, -math.inf, -1e6, -1.0, 0.0, 1e6)


def numbers(case: Case) -> dict[str, float]:
    """The parameters that are numbers here, and those that are by default."""
    defaults = {name: p.default for name, p in case.signature.parameters.items()}
    settings = {**defaults, **case.parameters}
    return {name: value for name, value in settings.items() if isinstance(value, float)}


def refusals(case: Case) -> dict[tuple[str, float], str]:
    """What is said of each number that is refused, one at a time."""
    said = {}
    for name in numbers(case):
        for value in SUSPECT:
            try:
                jax.eval_shape(lambda *x, p={name: value}: case(*x, **p), *case.inputs())
            except ValueError as refusal:
                said[name, value] = str(refusal)
    return said


def documented(case: Case) -> bool:
    """Whether the docstring says of a number that it is refused."""
    text = inspect.getdoc(case.entry.function) or ""
    (raises,) = re.findall(r"^Raises:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return bool(re.search(r"\bnumbers?\b|is not positive|lower > upper", raises))


@over([case for case in typical_cases() if numbers(case)])
def test_a_number_is_refused_by_name_value_and_remedy_as_documented(case):
    said = refusals(case)
    for (name, value), message in said.items():
        assert re.match(rf"jaxact\.{case.entry.name}: ", message), message
        assert re.search(rf"{name}(, which)? is {re.escape(repr(value))}", message), message
        assert re.search(r", but must (be|not) |: swap them$", message), message
    assert bool(said) == documented(case)


def says_nothing(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Raises nothing.

    Raises:
        TypeError: never.
    """
    if alpha <= 0:
        raise ValueError(f"jaxact.says_nothing: alpha is {alpha!r}, but must be positive")
    return x * alpha


def names_nothing(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Raises.

    Raises:
        ValueError: if `alpha` is a number and not positive.
    """
    if alpha <= 0:
        raise ValueError("a parameter is out of range")
    return x * alpha


def takes_all(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """Does not raise.

    Raises:
        ValueError: if `alpha` is a number and not positive.
    """
    return x * alpha


@pytest.mark.parametrize("function", [says_nothing, names_nothing, takes_all])
def test_a_wrong_refusal_is_found(function):
    entry = jaxact.Entry(function=function, formula=None, source="")
    with pytest.raises(AssertionError):
        test_a_number_is_refused_by_name_value_and_remedy_as_documented(Case(entry))
