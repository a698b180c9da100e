"""The command line: every option, what it may be, and one clear line for what it may not."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import jax
from _activation_layers import comparable, nearest
from _command import new_file
from _dataset import Dataset, digits, from_file

PROGRAM = "compare_activations.py"
ACTIVATIONS = "sigmoid,tanh,relu,relu6,leaky_relu,prelu,rrelu,elu,maxout"


@dataclass(frozen=True)
class Options:
    """What to compare, and how."""

    activations: list[str]
    epochs: int
    seeds: int
    learning_rates: list[float]
    clip_norm: float | None
    normalization: str
    depth: int
    data: Dataset
    output: Path
    devices: list[Any]  # of jax.Device, which is no type to type checkers
    command: str  # as it was typed, for the report


def parse(arguments: Sequence[str]) -> Options:
    """Returns the options; on a wrong one, prints a line and exits with code 2."""
    parser = _Parser(
        prog=PROGRAM,
        description="Train one convolutional network per activation, and compare what they do.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--activations", type=_activations, default=ACTIVATIONS, help="names, comma-separated")
    add("--epochs", type=_count, default=15, help="passes over the training images")
    add("--seeds", type=_count, default=5, help="networks per activation")
    add(
        "--learning-rate",
        dest="learning_rates",
        metavar="RATE,...",
        type=_rates,
        default="0.03",
        help="of gradient descent with momentum; each is tried with every seed",
    )
    add("--clip-norm", type=_positive, help="largest norm of the gradient, if any")
    add(
        "--normalization",
        choices=("none", "batch", "layer"),
        default="none",
        help="of what enters the activation",
    )
    add("--depth", type=_count, default=4, help="convolutions, each followed by the activation")
    add("--data", metavar="FILE.npz", help="own images x and labels y, if not the digits")
    add("--output", type=new_file("report.html"), default="report.html", help="file, or folder/")
    add("--device", default="auto", help="all that there are of cpu, gpu or tpu, or one: gpu:1")
    add(
        "--distributed",
        action="store_true",
        help="work with the other processes of the cluster that this one was started in",
    )
    options = vars(parser.parse_args(arguments))
    if options.pop("distributed"):
        try:
            jax.distributed.initialize()
        except (RuntimeError, ValueError) as error:
            parser.error(f"argument --distributed: {str(error).splitlines()[0]}")
    try:
        options["devices"] = _devices(options.pop("device"))
    except ValueError as error:
        parser.error(f"argument --device: {error}")
    try:
        options["data"] = from_file(options["data"]) if options["data"] else digits()
    except ValueError as error:
        parser.error(f"argument --data: {error}")
    return Options(**options, command=shlex.join([parser.prog, *arguments]))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Prints one line, where argparse would print the usage as well."""
        self.exit(2, f"{self.prog}: {message}\n")


def _number(kind: Callable[[str], Any], text: str, requirement: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not (value > 0 and isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be {requirement}, got {text!r}")
    return value


def _count(text: str) -> int:
    return _number(int, text, "a whole number of at least 1")


def _positive(text: str) -> float:
    return _number(float, text, "a positive number")


def _rates(text: str) -> list[float]:
    return sorted({_positive(rate.strip()) for rate in text.split(",")})


def _activations(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in comparable():
            meant = " or ".join(nearest(name))
            remedy = f"did you mean {meant}?" if meant else f"choose from {', '.join(comparable())}"
            raise argparse.ArgumentTypeError(f"no activation is called {name!r}: {remedy}")
    return list(dict.fromkeys(names))


def _devices(text: str) -> list[Any]:
    """Returns the devices that are meant.

    Raises:
        ValueError: if there are none.
    """
    platform, _, index = text.partition(":")
    try:
        devices = jax.devices(None if platform == "auto" else platform)
        return [{str(d.id): d for d in devices}[index]] if index else devices
    except (RuntimeError, KeyError):
        here = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise ValueError(f"there is no device {text!r}, only {here}") from None
