"""Options of the command line, and what is said of a wrong one."""

import argparse
import difflib
import importlib
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax

from .results import MalformedResults, Results

Value = TypeVar("Value")


class Parser(argparse.ArgumentParser):
    """Takes options spelt in full, and answers a wrong one with one line."""

    def __init__(self, **settings: Any):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Prints the message without the usage, and exits with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def comma_separated(parse: Callable[[str], Value]) -> Callable[[str], list[Value]]:
    """Several values in one argument, each once."""
    return lambda text: list(dict.fromkeys(parse(part.strip()) for part in text.split(",")))


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


def shape(text: str) -> tuple[int, ...]:
    """Extents of an array with at least batch and features."""
    extents = text.split("x")
    if len(extents) < 2:
        raise argparse.ArgumentTypeError(f"must be batch x features, such as 64x256, got {text!r}")
    return tuple(count(extent) for extent in extents)


def device(text: str) -> Any:
    """A device of JAX."""
    try:
        return jax.devices(text)[0]
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"no {text!r} here, only {jax.default_backend()}"
        ) from None


def new_file(*suffixes: str) -> Callable[[str], Path]:
    """A file to write, of one of some formats."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"must end in {', '.join(suffixes)}, got {text!r}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
        return path

    return parse


def results(text: str) -> Results:
    """A file that an earlier command wrote."""
    try:
        return Results.read(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.strerror}") from None
    except MalformedResults as error:
        raise argparse.ArgumentTypeError(str(error)) from None
