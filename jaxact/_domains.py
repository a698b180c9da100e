"""What an argument may be: its annotation declares it, and what is something else is refused.

An annotation is a type, or `Annotated[type, Domain(...)]` where not all of the type will do. One
function reads them, for modules, theory and reports; tests and the listing of what is public read
them too.
"""

import functools
import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ._arguments import are_keys, is_number, shown, whole

F = TypeVar("F", bound=Callable[..., Any])


class Domain(NamedTuple):
    """What of a type will do: in words that follow "must", and as a test of such a value."""

    remedy: str
    holds: Callable[[Any], Any]


Count = Annotated[int, Domain("be an integer of 1 or more", lambda n: n >= 1)]
Positive = Annotated[float, Domain("be positive and finite", lambda n: 0 < n < math.inf)]
NotNegative = Annotated[float, Domain("be finite and not negative", lambda n: 0 <= n < math.inf)]
Finite = Annotated[float, Domain("be a finite number", math.isfinite)]
Key = Annotated[
    Array,
    Domain(
        "be a single key of jax.random",
        lambda key: are_keys(key) and (key.ndim == 0 or key.dtype == np.uint32),
    ),
]


def checked(name: str) -> Callable[[F], F]:
    """Lets a function refuse arguments that are not what its annotations say.

    `name` is what errors call it, after "jaxact.".
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        annotations = inspect.get_annotations(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError:  # the call itself says what is missing, or too much
                given = {}
            require_as_declared(name, annotations, given)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def require_as_declared(
    name: str, annotations: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Refuses the first argument that is not what its annotation says.

    Raises:
        TypeError: if it is of another type.
        ValueError: if it is none of the values that will do.
    """
    for argument, value in given.items():
        if found := refusal(annotations.get(argument, Any), value):
            error, remedy = found
            raise error(f"jaxact.{name}: {argument} is {shown(value)}, but must {remedy}")


def refusal(annotation: Any, value: Any) -> tuple[type[Exception], str] | None:
    """How a value is refused, and what it must do instead; None if it is what is declared."""
    if annotation in (Any, ArrayLike):  # arrays are judged where they are used
        return None
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, domain = parts
        if refusal(kind, value):
            return TypeError, domain.remedy
        return None if domain.holds(value) else (ValueError, domain.remedy)
    if origin in (Union, types.UnionType):
        found = [refusal(part, value) for part in parts]
        if None in found:
            return None
        remedies = dict.fromkeys(remedy.removeprefix("be ") for _, remedy in filter(None, found))
        is_value = ValueError in (error for error, _ in filter(None, found))
        return ValueError if is_value else TypeError, f"be {_listed(remedies)}"
    if origin is Literal:
        if any(type(value) is type(part) and value == part for part in parts):
            return None
        is_value = any(type(value) is type(part) for part in parts)
        names = [f'"{part}"' if isinstance(part, str) else repr(part) for part in parts]
        return ValueError if is_value else TypeError, f"be {_listed(names)}"
    if origin in (tuple, Sequence):
        return _refusal_of_sequence(origin, parts, value)
    kind: Any = origin or annotation
    if getattr(kind, "_is_protocol", False):  # of functions
        kind = Callable
    holds, words = _KINDS.get(kind) or (lambda value: isinstance(value, kind), f"a {kind.__name__}")
    return None if holds(value) else (TypeError, f"be {words}")


def _refusal_of_sequence(
    origin: Any, parts: tuple[Any, ...], value: Any
) -> tuple[type[Exception], str] | None:
    """Of a sequence of one kind of entries, or of a tuple of so many; a list will do for either."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        entries = None
    else:
        entries = list(value)
    kinds = parts if origin is tuple and Ellipsis not in parts else parts[:1] * len(entries or [0])
    found = None
    if entries is not None and len(entries) == len(kinds):
        each = (refusal(kind, entry) for kind, entry in zip(kinds, entries, strict=True))
        found = next(filter(None, each), None)
        if found is None:
            return None
    _, remedy = refusal(parts[0], _NOTHING) or (TypeError, "be anything")
    number = f"a sequence of {len(parts)}" if origin is tuple and Ellipsis not in parts else ""
    error = TypeError if entries is None or (found and found[0] is TypeError) else ValueError
    return error, f"be {number or 'a sequence'}, each {remedy.removeprefix('be ')}"


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _is_whole(value: Any) -> bool:
    try:
        whole("", "", value)
    except TypeError:
        return False
    return True


def _is_near_a_float(value: Any) -> bool:
    try:
        return is_number(value) and float(value) is not None
    except OverflowError:
        return False


_NOTHING = object()  # of no type that anything declares
_KINDS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    type(None): (lambda value: value is None, "None"),
    bool: (lambda value: isinstance(value, bool | np.bool_), "True or False"),
    int: (_is_whole, "an integer"),
    float: (_is_near_a_float, "a number"),
    str: (lambda value: isinstance(value, str), "a string"),
    Array: (lambda value: isinstance(value, Array | np.ndarray), "an array"),
    Callable: (callable, "a function"),
}
