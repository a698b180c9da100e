"""Options of the command line, and what is said of a wrong one."""

import argparse
import difflib
import importlib
import math
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax

from . import machine
from .cases import laid_out
from .results import MalformedResults, Results

HELP_WIDTH = 80
Value = TypeVar("Value")


class Parser(argparse.ArgumentParser):
    """Takes options spelt in full, and answers a wrong one with one line."""

    def __init__(self, **settings: Any):
        layout = argparse.RawDescriptionHelpFormatter
        if description := settings.get("description"):
            settings["description"] = textwrap.fill(description, HELP_WIDTH)
        super().__init__(allow_abbrev=False, formatter_class=layout, **settings)

    def error(self, message: str) -> NoReturn:
        """Prints the message without the usage, and exits with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def comma_separated(
    parse: Callable[[str], Value], every: Iterable[Value] = ()
) -> Callable[[str], list[Value]]:
    """Several values in one argument, each once; "all" are those of `every`."""

    def split(text: str) -> list[Value]:
        if every and text == "all":
            return list(every)
        return list(dict.fromkeys(parse(part.strip()) for part in text.split(",")))

    return split


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """A name out of some."""

    def parse(text: str) -> str:
        if text not in names:
            meant = " or ".join(difflib.get_close_matches(text, names))
            remedy = f"did you mean {meant}?" if meant else f"choose from {', '.join(names)}"
            raise argparse.ArgumentTypeError(f"there is no {text!r}: {remedy}")
        return text

    return parse


def module(text: str) -> Any:
    """A module, imported."""
    try:
        return importlib.import_module(text)
    except ImportError as error:
        raise argparse.ArgumentTypeError(f"cannot import {text!r}: {error}") from None


def count(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def positive(text: str) -> float:
    """A positive number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return number


Size = int | str | tuple[int, ...]


def size(text: str) -> Size:
    """A number of elements, the name of one, or the shape of an array."""
    if "x" in text:
        extents = text.split("x")
        return tuple(count(extent) for extent in extents)
    base, _, exponent = text.partition("^")
    if base.isdecimal():
        return count(base) ** (count(exponent) if exponent else 1)
    return one_of({*machine.sizes("cpu"), *machine.sizes("gpu")})(text)


def elements(sizes: Iterable[Size], names: Mapping[str, int]) -> list[int | tuple[int, ...]]:
    """Sizes with their names replaced by what they mean on a platform, where they mean anything."""
    known = [s for s in sizes if not isinstance(s, str) or s in names]
    return [names[s] if isinstance(s, str) else s for s in known]


def shapes(size: int | tuple[int, ...], layouts: Iterable[str]) -> list[tuple[int, ...]]:
    """The size in each layout; a shape is as it is."""
    return [size] if isinstance(size, tuple) else [laid_out(size, layout) for layout in layouts]


def device(text: str) -> Any:
    """A device of JAX."""
    try:
        return jax.devices(text)[0]
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"no {text!r} here, only {jax.default_backend()}"
        ) from None


def results(text: str) -> Results:
    """A file that an earlier command wrote."""
    try:
        return Results.read(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.strerror}") from None
    except MalformedResults as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def results_of(command: str) -> Callable[[str], Results]:
    """A file that this command wrote."""

    def parse(text: str) -> Results:
        found = results(text)
        if found.command != command:
            raise argparse.ArgumentTypeError(f"{text} holds {found.command!r}, not {command!r}")
        return found

    return parse
