"""Who is measured: jaxact, and libraries that have the same activation or module.

What others call an activation the catalogue says; that they compute the same is tried.
"""

import functools
import importlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

import jaxact

from . import clock, sharding
from .cases import Case, of_inputs, other_arrays
from .layers import layer
from .modes import MODES, Function
from .residuals import traced_residual_bytes

ECOSYSTEMS = {"jax.nn": "jax", "torch.nn.functional": "torch", "keras.activations": "keras"}
PLAIN = SimpleNamespace(  # what formulas of the catalogue are written in
    **{name: getattr(jnp, name) for name in "exp expm1 log log1p sqrt tanh sin cos abs".split()},
    **{name: getattr(jnp, name) for name in "where maximum minimum cosh sinh sign".split()},
    erf=jax.lax.erf,
    erfc=jax.lax.erfc,
    atan=jnp.arctan,
    pi=np.pi,
    number=float,
)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A call that is ready to be timed, and what is known about it without running it.

    Attributes:
        library: who made it.
        call: does the work and returns its arrays, or waits for it.
        lower_seconds: what it took to trace and lower; None where nothing is compiled.
        compile_seconds: what it took to compile.
        executable: the compiled program, where it is one of JAX.
        residual_bytes: bytes kept for the backward pass per input element, where JAX can tell.
        collectives: operations between devices if it is sharded; None where there is one device.
    """

    library: str
    call: Callable[[], Any]
    lower_seconds: float | None = None
    compile_seconds: float | None = None
    executable: jax.stages.Compiled | None = None
    residual_bytes: float | None = None
    collectives: int | None = None


class Library(Protocol):
    """Where functions come from."""

    name: str

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if the library has no such function or mode."""
        ...


class JaxLibrary:
    """A library that JAX can trace.

    Args:
        name: what it is called.
        find: its function for a case, of the inputs alone, or None.
    """

    def __init__(self, name: str, find: Callable[[Case], Function | None]):
        self.name, self.find = name, find

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if the library has no such function of this dtype."""
        function = self.find(case)
        if function is None or not _keeps_dtype(function, operands[0]):
            return None
        mode = MODES[case.mode]
        program = functools.partial(mode.program, function)
        facts: dict[str, Any] = {"residual_bytes": traced_residual_bytes(function, *operands[0])}
        if not mode.compiled:
            return Contender(library=self.name, call=lambda: program(*operands), **facts)
        build = clock.build(program, *operands)
        return Contender(
            library=self.name,
            call=lambda: build.executable(*operands),
            lower_seconds=build.lower_seconds,
            compile_seconds=build.compile_seconds,
            executable=build.executable,
            collectives=sharding.collectives(program, operands),
            **facts,
        )


class Torch:
    """PyTorch on the CPU, or on the GPU that JAX uses."""

    name = "torch"

    def __init__(self, *, wait: Callable[[], None] | None = None):
        self.torch = importlib.import_module("torch")
        self._wait = wait

    def contender(self, case: Case, operands: tuple[Any, ...]) -> Contender | None:
        """Prepares a case, or returns None if torch has no such function or mode."""
        prepare = {
            "forward": self._forward,
            "vjp": self._backward,
            "forward+vjp": self._forward_and_backward,
        }.get(case.mode)
        function = None if case.module else self.counterpart(case.function, case.setting)
        if prepare is None or function is None:
            return None
        tensors = jax.tree.map(self.torch.from_dlpack, operands)
        return Contender(library=self.name, **self._ready(prepare, function, tensors))

    def counterpart(self, name: str, setting: str) -> Function | None:
        """Torch's function that computes what an activation of the catalogue computes."""
        return counterpart(self.torch.nn.functional, name, setting, self.torch.from_dlpack)

    def _ready(self, prepare: Callable[..., Any], function: Function, tensors) -> dict[str, Any]:
        return {"call": self._waiting(prepare(function, *tensors))}

    def _waiting(self, call: Callable[[], Any]) -> Callable[[], Any]:
        wait = self._wait
        return call if wait is None else lambda: (call(), wait())

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


class CompiledTorch(Torch):
    """torch.compile: it compiles at the first call, for seconds."""

    name = "torch.compile"

    def _ready(self, prepare: Callable[..., Any], function: Function, tensors) -> dict[str, Any]:
        start = time.perf_counter()
        self.torch.compiler.reset()
        call = self._waiting(prepare(self.torch.compile(function, dynamic=False), *tensors))
        call()
        return {"call": call, "lower_seconds": 0.0, "compile_seconds": time.perf_counter() - start}


# --- Who takes part ----------------------------------------------------------------------------


def _keras() -> JaxLibrary:
    os.environ["KERAS_BACKEND"] = "jax"  # read when it is imported
    return JaxLibrary("keras", _functions_of("keras.activations"))


PEERS: dict[str, Callable[[str], Library]] = {
    "jax.nn": lambda platform: JaxLibrary("jax.nn", _functions_of("jax.nn")),
    "formula": lambda platform: JaxLibrary("formula", plain_formula),
    "flax": lambda platform: JaxLibrary("flax", _modules_of("flax")),
    "equinox": lambda platform: JaxLibrary("equinox", _modules_of("equinox.nn")),
    "keras": lambda platform: _keras(),
    "torch": lambda platform: Torch(wait=_synchronise(platform)),
    "torch.compile": lambda platform: CompiledTorch(wait=_synchronise(platform)),
}
SLOW = ("formula", "torch.compile")  # measured if named: they compile for each case


def installed(platform: str, named: list[str] | None = None) -> list[Library]:
    """The libraries to measure on a platform of JAX; jaxact comes first."""
    names = named or [name for name in PEERS if name not in SLOW]
    ours = JaxLibrary("jaxact", lambda case: case.given)
    return [ours, *(PEERS[name](platform) for name in names if is_installed(name, platform))]


def is_installed(peer: str, platform: str) -> bool:
    """Whether a peer is there, and runs on a platform of JAX."""
    package = peer.partition(".")[0]
    if peer == "formula":
        return True
    if importlib.util.find_spec(package) is None:
        return False
    if package != "torch" or platform == "cpu":
        return True
    return platform == "gpu" and importlib.import_module("torch").cuda.is_available()


def _synchronise(platform: str) -> Callable[[], None] | None:
    return None if platform == "cpu" else importlib.import_module("torch").cuda.synchronize


# --- What they have ----------------------------------------------------------------------------


def _functions_of(module: str) -> Callable[[Case], Function | None]:
    def find(case: Case) -> Function | None:
        if case.module:
            return None
        return counterpart(importlib.import_module(module), case.function, case.setting)

    return find


def _modules_of(library: str) -> Callable[[Case], Function | None]:
    """Modules of the same name; flax has two rooms as we have."""

    def find(case: Case) -> Function | None:
        if case.module is None:
            return None
        room, _, name = case.function.partition(".")
        place = f"flax.{room}" if library == "flax" else library
        module = getattr(importlib.import_module(place), name, None)
        if module is None or (library != "flax" and room != "nnx"):
            return None
        function, parameters = layer(module, case.shape[-1])
        ours = layer(case.module, case.shape[-1]).parameters
        filled = lambda mine: jax.tree.unflatten(jax.tree.structure(parameters), _leaves(mine))
        if jax.tree.map(jnp.shape, _leaves(ours)) != jax.tree.map(jnp.shape, _leaves(parameters)):
            return None
        return lambda x, mine: function(x, filled(mine))

    return find


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree)


def plain_formula(case: Case) -> Function | None:
    """The definition as the catalogue has it: what one would write down."""
    if case.module or case.entry.kind == "axis":
        return None
    parameters = {k: v for k, v in case.parameters.items() if not isinstance(v, jax.Array)}
    return lambda *inputs: case.entry.formula(PLAIN, *inputs, **parameters)


@functools.cache
def counterpart(
    module: Any, name: str, setting: str, convert: Callable[[Any], Any] = lambda x: x
) -> Function | None:
    """The function of a library that computes what an activation of the catalogue computes.

    Args:
        module: where the library keeps its functions.
        name: name of the activation.
        setting: label of its parameters.
        convert: makes an array of the library from an array of JAX.

    Returns:
        A function of the inputs alone, or None.
    """
    probe = Case(name, setting, "forward", "float32", (8, 64))
    if module is jaxact:
        return probe.given
    inputs = [4 * x for x in probe.inputs()]
    expected = probe.given(*inputs)
    for candidate in _candidates(module, probe):
        try:
            values = candidate(*map(convert, inputs))
        except (TypeError, ValueError, RuntimeError):
            continue
        if np.shape(values) == expected.shape and np.allclose(
            values, expected, rtol=1e-5, atol=1e-5, equal_nan=True
        ):
            return candidate
    return None


def _candidates(module: ModuleType, probe: Case) -> Iterator[Function]:
    """Ways to call what the library may have: with our parameters, or with none."""
    ecosystem = ECOSYSTEMS.get(module.__name__, "")
    spellings = [name.partition(":") for name in probe.entry.elsewhere]
    names = [name for prefix, _, name in spellings if prefix == ecosystem]
    if ecosystem == "jax":
        names.insert(0, probe.function)
    for function in (getattr(module, name) for name in names if hasattr(module, name)):
        for parameters in _spellings(ecosystem, probe):
            yield of_inputs(function, parameters, other_arrays(probe.entry))
        if ecosystem == "torch":  # some parameters are tensors there
            numbers = [value for value in probe.parameters.values() if isinstance(value, float)]
            yield lambda x, f=function, n=numbers: f(x, *(x.new_tensor([value]) for value in n))


def _spellings(ecosystem: str, probe: Case) -> Iterator[Mapping[str, Any]]:
    given = dict(probe.parameters)
    if ecosystem == "torch":
        if "approximate" in given:
            given["approximate"] = "tanh" if given["approximate"] else "none"
        if probe.entry.kind == "axis":
            given["dim"] = -1
    yield given
    yield {}


def _keeps_dtype(function: Function, inputs: tuple[Any, ...]) -> bool:
    """Whether the result is what the input is: some compute in a dtype of their own."""
    return jax.eval_shape(function, *inputs).dtype == inputs[0].dtype
