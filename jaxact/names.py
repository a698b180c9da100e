"""Activations by name: for configuration files, in the words of other libraries too."""

import difflib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ._arguments import wrong_type
from ._catalog import CATALOG, Entry

__all__ = ["Named", "get"]

Meaning = tuple[str, Mapping[str, Any]]  # the name of ours, and the parameters meant


@dataclass(frozen=True, slots=True, weakref_slot=True, repr=False)
class Named:
    """An activation with its parameters given: a value, hashable and equal by what it computes.

    It may be a static argument of `jax.jit` and a field of a dataclass or a Flax module. Parameters
    that are arrays are possible, but not hashable.

    Attributes:
        name: the name in the catalogue.
        given: the parameters that differ from the defaults, in the order of their names.
    """

    name: str
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def function(self) -> Callable[..., Array]:
        """The function, without its parameters."""
        return CATALOG[self.name].function

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters given; `get(name, **parameters)` is equal to this."""
        return dict(self.given)

    @property
    def config(self) -> dict[str, Any]:
        """The name and the parameters in one: `get(**config)` is equal to this."""
        return {"name": self.name, **self.parameters}

    def get_config(self) -> dict[str, Any]:
        """The same, as Keras asks for it: see `jaxact.keras`."""
        return self.config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Named":
        """What has this `config`; lists in it stand for tuples.

        Raises:
            ValueError: if there is no such activation or parameter.
        """
        return get(**config)  # type: ignore[return-value]

    def __call__(self, x: ArrayLike, *args: Any, **kwargs: Any) -> Array:
        """The activation of x; what has no default, and is not given, remains an argument."""
        return self.function(x, *args, **{**self.parameters, **kwargs})

    def __repr__(self) -> str:
        arguments = [repr(self.name), *(f"{name}={value!r}" for name, value in self.given)]
        return f"jaxact.get({', '.join(arguments)})"


def get(name: str | Callable[..., Any] | None, **parameters: Any) -> "Named | Callable[..., Any]":
    """Finds an activation by its name here, in jax.nn, torch, Keras, ONNX or Hugging Face.

    A bare name is ours. Names of others have a prefix, and mean what they mean there: "torch:gelu"
    is exact, "keras:leaky_relu" has the slope 0.2; "hf:" stands for the keys of ACT2FN, "jax:" for
    jax.nn. A bare name that only others have is found if all mean the same by it. Case and
    underscores are of no account: "torch:LeakyReLU" is "torch:leaky_relu", a function of
    torch.nn.functional.

    Args:
        name: the name; None for the identity; a function is returned as it is.
        **parameters: parameters of the activation by our names, instead of the defaults. What has
            no default remains an argument of the result.

    Returns:
        A `Named`: callable, hashable, equal to another that computes the same.

    Raises:
        TypeError: if it is no name, or if parameters are given for a function.
        ValueError: if there is no such name, or if it is ambiguous; if the activation has no such
            parameter, or refuses it.

    Example:
        >>> jaxact.get("keras:leaky_relu")
        jaxact.get('leaky_relu', negative_slope=0.2)
        >>> jaxact.get("gelu_pytorch_tanh") == jaxact.get("gelu")
        True
    """
    if name is None:
        return Named("identity")
    if isinstance(name, Named):
        name, parameters = name.name, {**name.parameters, **parameters}
    if callable(name):
        if parameters:
            raise TypeError(
                f"jaxact.get: name is {name!r}, a function, which takes no {', '.join(parameters)} "
                "here: pass a name, or functools.partial of the function"
            )
        return name
    if not isinstance(name, str):
        raise wrong_type("get", "name", name, "be a name, a function or None")
    ours, meant = meaning(name)
    return _checked(CATALOG[ours], {**meant, **parameters})


def meaning(name: str) -> Meaning:
    """Our name, and the parameters, for a name of ours or of another library.

    Raises:
        ValueError: if there is no such name, or if it is ambiguous.
    """
    wanted = _canonical(name)
    for own in CATALOG:
        if wanted in (_canonical(own), f"jax:{_canonical(own)}" if hasattr(jax.nn, own) else None):
            return own, {}
    found = {
        spelling: meant
        for spelling, meant in elsewhere()
        if wanted in (_canonical(spelling), _canonical(spelling).partition(":")[2])
    }
    if not found:
        known = {_canonical(n): n for n in [*CATALOG, *(spelling for spelling, _ in elsewhere())]}
        nearest = difflib.get_close_matches(wanted, known, n=4) or ["relu", "gelu", "silu"]
        raise ValueError(
            f"jaxact.get: name is {name!r}, but no activation has it: choose from "
            + ", ".join(repr(known[n]) for n in nearest)
        )
    first, *others = found.values()
    if any(other != first for other in others):
        raise ValueError(
            f"jaxact.get: name is {name!r}, which is ambiguous: choose from "
            + ", ".join(map(repr, found))
        )
    return first


def elsewhere() -> Iterator[tuple[str, Meaning]]:
    """Every name that other libraries have, prefixed, and what it means here."""
    for entry in CATALOG.values():
        for spelling, parameters in entry.elsewhere.items():
            yield spelling, (entry.name, parameters)


def _canonical(name: str) -> str:
    return name.replace("_", "").lower()


def _checked(entry: Entry, parameters: Mapping[str, Any]) -> Named:
    """The activation with its parameters, in one form: defaults left out, lists made tuples."""
    _, *known = inspect.signature(entry.function).parameters.values()
    defaults = {p.name: p.default for p in known}
    unknown = [name for name in parameters if name not in defaults]
    if unknown:
        raise ValueError(
            f"jaxact.get: {entry.name} has no parameter {unknown[0]!r}: choose from "
            f"{', '.join(defaults) or 'none'}"
        )
    values = {name: _hashable(value) for name, value in sorted(parameters.items())}
    named = Named(entry.name, tuple(p for p in values.items() if not _same(p[1], defaults[p[0]])))
    missing = [name for name, default in defaults.items() if default is inspect.Parameter.empty]
    if values.keys() >= set(missing):  # refuses early
        groups = [v for v in values.values() if type(v) is int and v > 0]
        features = jax.ShapeDtypeStruct((2 * math.prod(groups),), jnp.float32)
        jax.eval_shape(lambda x: named(x), features)
    return named


def _hashable(value: Any) -> Any:
    if isinstance(value, np.generic):  # as a Python number it has a place in JSON
        return value.item()
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _same(value: Any, default: Any) -> bool:
    """Whether a parameter is the default; an array never is, for it may be traced."""
    return not isinstance(value, Array) and type(value == default) is bool and value == default
