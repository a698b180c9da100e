"""Who is measured: jaxact, and libraries that have the same function under the same name."""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

import jaxact

from . import clock
from .cases import Case, of_inputs, other_arrays
from .modes import MODES, Function
from .residuals import residual_bytes


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A call that is ready to be timed, and what is known about it without running it.

    Attributes:
        library: who made it.
        call: does the work and returns its arrays.
        build: how it was compiled, if it was.
        residual_bytes: bytes kept for the backward pass per input element, where JAX can tell.
    """

    library: str
    call: Callable[[], Any]
    build: clock.Build | None = None
    residual_bytes: float | None = None


class Library(Protocol):
    """Where functions come from."""

    name: str

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if the library has no such function or mode."""
        ...


class JaxLibrary:
    """A module of functions that JAX can trace."""

    def __init__(self, module: Any):
        self.name: str = module.__name__
        self.module = module

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if the library has no such function."""
        function = counterpart(self.module, case.function, case.setting)
        if function is None:
            return None
        mode = MODES[case.mode]
        program = functools.partial(mode.program, function)
        build = clock.build(program, *operands) if mode.compiled else None
        run = build.executable if build else program
        return Contender(
            library=self.name,
            call=lambda: run(*operands),
            build=build,
            residual_bytes=residual_bytes(function, *operands[0]),
        )


class Torch:
    """PyTorch as it is used without compilation, on the CPU."""

    name = "torch"

    def __init__(self):
        self.torch = importlib.import_module("torch")

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if torch has no such function or mode."""
        prepare = {
            "forward": self._forward,
            "backward": self._backward,
            "forward+backward": self._forward_and_backward,
        }.get(case.mode)
        function = self.counterpart(case.function, case.setting)
        if prepare is None or function is None:
            return None
        tensors = jax.tree.map(self.torch.from_dlpack, operands)
        return Contender(library=self.name, call=prepare(function, *tensors))

    def counterpart(self, name: str, setting: str) -> Function | None:
        """Torch's function that computes what an activation of the catalogue computes."""
        return counterpart(self.torch.nn.functional, name, setting, self.torch.from_dlpack)

    def _forward(self, function: Function, inputs):
        return self.torch.no_grad()(lambda: function(*inputs))

    def _backward(self, function: Function, inputs, cotangent):
        inputs = [x.requires_grad_() for x in inputs]
        y = function(*inputs)
        return lambda: self.torch.autograd.grad(y, inputs, cotangent, retain_graph=True)

    def _forward_and_backward(self, function: Function, inputs, cotangent):
        inputs = [x.requires_grad_() for x in inputs]

        def call():
            y = function(*inputs)
            return y, self.torch.autograd.grad(y, inputs, cotangent)

        return call


def installed(platform: str) -> list[Library]:
    """The libraries to measure on a platform of JAX; jaxact comes first."""
    found: list[Library] = [JaxLibrary(jaxact), JaxLibrary(jax.nn)]
    if platform == "cpu" and importlib.util.find_spec("torch"):
        found.append(Torch())
    return found


@functools.cache
def counterpart(
    module: Any, name: str, setting: str, convert: Callable[[Any], Any] = lambda x: x
) -> Function | None:
    """The function of a library that computes what an activation of the catalogue computes.

    It bears the same name, with or without underscores, takes the same parameters or, where these
    are the default, none, and gives the same values: the last is tried, not assumed.

    Args:
        module: where the library keeps its functions.
        name: name of the activation.
        setting: label of its parameters.
        convert: makes an array of the library from an array of JAX.

    Returns:
        A function of the inputs alone, or None.
    """
    probe = Case(name, setting, "forward", "float32", (8, 64))
    inputs = [4 * x for x in probe.inputs()]
    expected = probe.given(*inputs)
    for spelling in (name, name.replace("_", "")):
        for parameters in (probe.parameters, {}):
            candidate = getattr(module, spelling, _absent)
            if module is jaxact:  # or declared elsewhere
                candidate = probe.entry.function
            function = of_inputs(candidate, parameters, other_arrays(probe.entry))
            try:
                values = function(*map(convert, inputs))
            except (TypeError, ValueError, RuntimeError):
                continue
            if np.shape(values) == expected.shape and np.allclose(
                values, expected, rtol=1e-5, atol=1e-5, equal_nan=True
            ):
                return function
    return None


def _absent(*_: Any, **__: Any) -> Any:
    raise TypeError("no such function")
