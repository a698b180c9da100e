"""What is of a wrong sort is refused: by the callable, the argument, its value, and the remedy.

Every public function is called with each of its arguments wrong in turn, by what its signature says
that the argument is. Numbers that are out of a domain are the subject of test_refused_numbers.
"""

import inspect
import re
import reprlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from jax import Array
from jax.typing import ArrayLike

import jaxact
from jaxact._arguments import Axis, Rows
from jaxact._layouts import Layout

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6)
KEYS = jax.random.split(jax.random.key(0), 3)
NO_ROWS = ("text", b"bytes", object(), {}, [None], np.array(["a"]), len, KEYS[0], 1j)
NO_REALS = (*NO_ROWS, [[1, 2], [3]], np.ones(3, np.complex64))
NO_INTEGERS = (1.0, "1", True, np.ones(2), object(), [0.5], 7.5)
WRONG = {
    ArrayLike: (*NO_REALS, None, 10**400, -(10**400)),
    ArrayLike | None: (*NO_REALS, 10**400),
    float | Array: (*NO_REALS, None, 10**400),
    float: (*NO_REALS, None, 10**400),
    Rows: (*NO_ROWS, None, [1j], ["a"], [10**400]),
    int: (*NO_INTEGERS, None, (0, 1)),
    Axis: (*NO_INTEGERS, (0, "a"), (0, 1.0), 7, -7, (0, 0), 10**30),
    Layout: ("thirds", None, 1.5, True, [2], object(), np.ones(2), 0, -2, 5),
    bool: ("yes", 2, None, np.ones(2), object()),
    str: ("nonsense", None, 5, ["uniform"], object()),
    "axis": (7, -7, 10**30),
    "where": (*NO_REALS, 1.5, np.ones((4, 6)), np.ones(5, bool), np.ones((2, 4, 6), bool)),
    "key": (5, "k", 1.5, np.ones(3), object(), KEYS, jax.random.key),
}


def public_functions() -> dict[str, Callable[..., Array]]:
    """Every function of arrays under its public name."""
    return {
        f.__name__: f
        for f in vars(jaxact).values()
        if inspect.isfunction(f) and f.__module__.startswith("jaxact.functions")
    }


def arguments(name: str, function: Callable[..., Array]) -> dict[str, Any]:
    """A call that is right."""
    first, *_ = inspect.signature(function).parameters
    entry = jaxact.CATALOG.get(name)
    return {first: X, **(entry.samples[0] if entry else {})}


def wrong(parameter: inspect.Parameter) -> Sequence[Any]:
    """Values that a parameter may not have."""
    by_name = WRONG.get(parameter.name, ())
    is_array = parameter.name not in ("where", "key")  # which the annotation does not tell
    return (*by_name, *WRONG[parameter.annotation]) if is_array else by_name


def said(value: Any) -> list[str]:
    """How a message may tell what was passed."""
    described = [reprlib.repr(value), repr(value)]
    if isinstance(value, np.ndarray | Array):
        described += [f"dtype {value.dtype}", f"shape {value.shape}"]
    if isinstance(value, complex):
        described.append("dtype complex")
    if isinstance(value, list | tuple):
        described += [way for entry in value for way in said(entry)]
    return described


def refused(function: Callable[..., Any], name: str, argument: str, call: dict[str, Any]) -> None:
    """Asserts that a call is refused with all that a message has to tell."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(**call)
    message = str(caught.value)
    assert re.match(rf"jaxact\.{name}\b", message), message
    assert re.search(rf"\b{argument}\b", message), message
    assert any(shown in message for shown in said(call[argument])), message
    assert re.search(r"\bmust\b|: \w+", message), message


@pytest.mark.parametrize("name", public_functions())
def test_an_argument_of_a_wrong_sort_is_refused(name):
    function = public_functions()[name]
    right = arguments(name, function)
    jax.eval_shape(lambda: function(**right))
    for argument, parameter in inspect.signature(function).parameters.items():
        for value in wrong(parameter):
            refused(function, name, argument, {**right, argument: value})


def says_nothing(x: ArrayLike) -> Array:
    """Lets others speak."""
    return np.abs(x)


def takes_anything(x: ArrayLike) -> Array:
    """Even None."""
    return X


@pytest.mark.parametrize("function", [says_nothing, takes_anything])
def test_a_missing_refusal_is_found(function):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        refused(function, function.__name__, "x", {"x": None})
