"""What is measured: every activation and module, in every setting, mode, dtype and shape."""

import inspect
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxact import CATALOG, Entry

from .layers import LAYERS, layer, takes
from .modes import MODES, Function, Inputs

Shape = tuple[int, ...]

DTYPES = ("float32", "bfloat16", "float16", "float64")
LAYOUTS: dict[str, Shape] = {  # of one row of a batch
    "channels": (1024,),
    "nhwc": (28, 28, 64),
    "sequence": (256, 768),
}
TYPICAL_MODES = ("forward", "vjp")
TYPICAL_DTYPES = ("float32", "bfloat16")
TYPICAL_OF_MODULES = {"modes": ("forward+vjp",), "dtypes": ("float32",)}
QUICK = TYPICAL_OF_MODULES


@dataclass(frozen=True)
class Case:
    """One activation or module, used in one way.

    Attributes:
        function: its name in the catalogue, or in `LAYERS`.
        setting: the label of its parameters, see `settings`.
        mode: a key of `MODES`.
        dtype: name of the dtype.
        shape: shape of each input; for functions over an axis the last axis is cut to a multiple
            of the group.
    """

    function: str
    setting: str
    mode: str
    dtype: str
    shape: Shape

    @property
    def module(self) -> type | None:
        """The module, if it is one."""
        return LAYERS.get(self.function)

    @property
    def entry(self) -> Entry:
        """What the catalogue says about the activation."""
        return CATALOG[self.function]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The arguments after the inputs, by name."""
        return settings(self.entry)[self.setting]

    @property
    def given(self) -> Function:
        """What is measured, as a function of the inputs alone."""
        if self.module:
            return layer(self.module, self.shape[-1]).function
        return of_inputs(self.entry.function, self.parameters, other_arrays(self.entry))

    def operands(self) -> tuple[Any, ...]:
        """What the mode's program is given after the function: inputs, and a direction if any."""
        inputs = self.inputs()
        match MODES[self.mode].direction:
            case None:
                return (inputs,)
            case "cotangent":
                output = jax.eval_shape(self.given, *inputs)
                return inputs, _noise(output.shape, self.dtype, seed=2)
            case "tangents":
                return inputs, jax.tree.map(lambda x: _noise(x.shape, self.dtype, seed=2), inputs)

    def inputs(self) -> Inputs:
        """Standard normal arrays: one, or two for a gate; of a module its parameters besides."""
        if self.module:
            parameters = layer(self.module, self.shape[-1]).parameters
            cast = jax.tree.map(lambda p: jnp.asarray(p, self.dtype), parameters)
            return _noise(self.shape, self.dtype, seed=0), cast
        *batch, features = self.shape
        if self.entry.kind == "axis":
            group = group_size(self.parameters)
            features = max(1, features // group) * group
        count = num_inputs(self.entry)
        return tuple(_noise((*batch, features), self.dtype, seed=i) for i in range(count))


def of_inputs(
    function: Function, parameters: Mapping[str, Any], others: Sequence[str] = ()
) -> Function:
    """The function with its parameters given: a function of its inputs alone.

    Args:
        function: takes the first input by position.
        parameters: its arguments after the inputs, by name.
        others: what it calls its other inputs.
    """

    def given(x: Array, *arrays: Array) -> Array:
        return function(x, **dict(zip(others, arrays, strict=True)), **parameters)

    return given


def num_inputs(entry: Entry) -> int:
    """How many arrays an activation takes: a gate takes two."""
    return 1 + len(other_arrays(entry))


def other_arrays(entry: Entry) -> tuple[str, ...]:
    """What an activation calls its inputs after the first: a gate has one that may be left out."""
    if entry.kind != "gate":
        return ()
    _, *others = inspect.signature(entry.function).parameters.values()
    return tuple(p.name for p in others if p.default is None)


def group_size(parameters: Mapping[str, Any]) -> int:
    """How many features a function over an axis takes together: its whole numbers say."""
    return math.prod(p for p in parameters.values() if isinstance(p, int) and p > 0)


def settings(entry: Entry) -> dict[str, Mapping[str, Any]]:
    """The parameters to measure with, under readable labels, the typical ones first.

    The samples of a random activation describe evaluation; in training it is given a key besides.
    """
    found = {_label(sample): sample for sample in entry.samples}
    if entry.kind == "random":
        keyed = [{"key": jax.random.key(0), **sample} for sample in entry.samples]
        found |= {_label(sample): sample for sample in keyed}
    return found


def _label(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        name if isinstance(value, Array) else f"{name}={value}"
        for name, value in parameters.items()
    )


def typical_settings(entry: Entry) -> list[str]:
    """The first setting of those that differ in numbers only: the others run the same code."""
    found: dict[str, str] = {}
    for label, setting in settings(entry).items():
        choices = {name: v for name, v in setting.items() if not isinstance(v, float | tuple)}
        found.setdefault(_label(choices), label)
    return list(found.values())


def product(
    functions: Iterable[str],
    *,
    modes: Sequence[str] = TYPICAL_MODES,
    dtypes: Sequence[str] = TYPICAL_DTYPES,
    shapes: Sequence[Shape] = ((1024, 1024),),
    all_settings: bool = False,
) -> list[Case]:
    """Every combination of what is named, but for shapes that a module does not take."""
    labels = settings if all_settings else typical_settings
    named = [
        (name, label)
        for name in functions
        for label in ([""] if name in LAYERS else labels(CATALOG[name]))
    ]
    every = (
        Case(name, label, mode, dtype, shape)
        for dtype, shape, mode, (name, label) in itertools.product(dtypes, shapes, modes, named)
    )
    return [case for case in every if case.module is None or _fits(case.module, case.shape)]


def laid_out(elements: int, layout: str) -> Shape:
    """The shape with so many elements, or a few more or less: whole rows, one at least."""
    row = LAYOUTS[layout]
    return (max(1, round(elements / math.prod(row))), *row)


def _fits(module: type, shape: Shape) -> bool:
    return takes(module, jax.ShapeDtypeStruct(shape, "float32"))


def _noise(shape: Shape, dtype: str, *, seed: int) -> Array:
    """Standard normal numbers; a large array repeats a block that no cache line notices."""
    block = np.random.default_rng(seed).standard_normal(1 << 16, dtype=np.float32)
    return jnp.asarray(np.resize(block, shape), dtype)
