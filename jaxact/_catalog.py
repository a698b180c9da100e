"""The catalogue: what is true of each activation, declared once, beside its code.

Tests, documentation, plots, benchmarks and diagnostics walk `CATALOG`; none keeps a list of its
own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Kind = Literal["elementwise", "gate", "axis", "random"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is true of one activation, whatever computes it.

    A field has at least two readers among tests, documentation, benchmarks and diagnostics;
    a field with a single reader belongs in that reader.

    Attributes:
        function: the public function itself.
        formula: the mathematical definition, `formula(math, x, **parameters)`: one expression
            over a namespace `math` (`math.exp`, `math.where`, ...), so that mpmath, a
            high-precision evaluator and jax.numpy can all evaluate it. It is transcribed from the
            source, never rewritten for stability: it is what the code is judged by. For a kink it
            decides the branch.
        source: who defined it, and where.
        kind: which laws apply: one output per input element, a gate of two arrays, a map over
            an axis, or a random function (its formula describes evaluation, without a key).
        samples: parameter settings to test and to draw; the first is the typical one.
        kinks: `kinks(**parameters)` maps each point where the function or one of its derivatives
            jumps to the slope promised there.
        domain: `domain(**parameters)` is the closure of where the function is defined, (lowest,
            highest).
        range: `range(**parameters)` is the closure of the set of values, (lowest, highest).
        ulps: promised errors of value, slope and curvature in float32 on CPU, in units in the
            last place, away from the roots of the derivative; for 16 bits and float64 the bounds
            are the same for all.
        pseudo: the parameters by which a pseudo-derivative stands in for a derivative that there is
            not.
        users: published models that compute it, as far as we have looked.
        elsewhere: what other ecosystems call it: "torch:gelu", "keras:silu", "hf:gelu_new",
            "onnx:HardSigmoid", "jax:hard_swish" in their own spelling, with the parameters that
            they mean by the name.
    """

    function: Callable[..., Any]
    formula: Callable[..., Any]
    source: str
    kind: Kind = "elementwise"
    samples: tuple[Mapping[str, Any], ...] = ({},)
    kinks: Callable[..., Mapping[float, float]] = lambda **_: {}
    domain: Callable[..., tuple[float, float]] = lambda **_: (-math.inf, math.inf)
    range: Callable[..., tuple[float, float]] = lambda **_: (-math.inf, math.inf)
    ulps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pseudo: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    elsewhere: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The public name, under which the function is found in `jaxact`."""
        return self.function.__name__

    @property
    def family(self) -> str:
        """The family: the file in which the function lives."""
        return self.function.__module__.rpartition(".")[2]


CATALOG: dict[str, Entry] = {}

F = TypeVar("F", bound=Callable[..., Any])


def activation(**facts: Any) -> Callable[[F], F]:
    """Declares an activation: enters it in `CATALOG` and returns the function itself, untouched.

    Args:
        **facts: the attributes of an `Entry` but its function; `formula` and `source` at least.

    Raises:
        ValueError: if an activation of the same name is declared already.
    """

    def declare(function: F) -> F:
        entry = Entry(function=function, **facts)
        if entry.name in CATALOG:
            raise ValueError(f"activation {entry.name!r} is declared twice: choose another name")
        CATALOG[entry.name] = entry
        return function

    return declare
