"""What it costs to use jaxact at all: to import it, to call its functions, to compile them.

Beside jax.nn, for each function that it has. Calls are of few elements, which XLA computes at once,
where it hands more work than that to a thread and the hand-over is what one would measure.
"""

import functools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from rich.table import Table

import jaxact

from .results import OverheadRow

FEW = (2, 2)  # elements
LAYERS, BATCH, FEATURES = 50, 8, 16
STEPS = {"call": (30, 300), "gradient": (15, 10), "network": (3, 1)}  # rounds, calls in each
IMPORT = 7  # times
EXACT = "exact_gelu"
LIBRARIES = (jaxact, jax.nn)

_IMPORT = """
import time, jax, jax.numpy
start = time.perf_counter()
import jaxact
print(time.perf_counter() - start)
"""


def shared() -> list[str]:
    """The functions of jax.nn that jaxact has too, and GELU without approximation."""
    names = [name for name in vars(jax.nn) if callable(getattr(jaxact, name, None))]
    return sorted({*names, EXACT} - {"one_hot"})  # which is jax.nn's own


def measure_all(
    names: Sequence[str], steps: Collection[str] = tuple(STEPS)
) -> Iterator[list[OverheadRow]]:
    """Yields the cost of importing, then that of each function."""
    yield [_import()]
    for name in names:
        yield measure(name, steps)


def measure(name: str, steps: Collection[str] = tuple(STEPS)) -> list[OverheadRow]:
    """Calls a function and its gradient, and compiles a network of it: both libraries in turn.

    Args:
        name: the function.
        steps: which of these, keys of `STEPS`.
    """
    functions = [
        functools.partial(library.gelu, approximate=False)
        if name == EXACT
        else getattr(library, name)
        for library in LIBRARIES
    ]
    x = jnp.linspace(0.1, 0.9, FEW[0] * FEW[1]).reshape(FEW)
    gradients = [jax.grad(_summed(function)) for function in functions]
    weights = jnp.ones((LAYERS, FEATURES, FEATURES))
    calls = {
        "call": [lambda f=f: f(x) for f in functions],
        "gradient": [lambda g=g: g(x) for g in gradients],
        "network": [lambda f=f: _compile(f, weights) for f in functions],
    }
    rows = []
    for what in steps:
        if what == "network" and functions[0](weights[0]).shape != weights[0].shape:
            continue
        for library, seconds in zip(
            LIBRARIES, _interleaved(calls[what], *STEPS[what]), strict=True
        ):
            rows.append(_row(name, what, library.__name__, seconds))
    return rows


def _import() -> OverheadRow:
    command = [sys.executable, "-c", _IMPORT]
    seconds = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(IMPORT)
    ]
    return _row("jaxact", "import", "jaxact", seconds)


def _row(name: str, what: str, library: str, seconds: list[float]) -> OverheadRow:
    fastest = min(seconds)  # what else the machine does only adds
    return OverheadRow(
        function=name,
        what=what,
        library=library,
        microseconds=1e6 * fastest,
        noise=statistics.median(seconds) / fastest - 1,
    )


def _interleaved(calls: list[Callable[[], Any]], rounds: int, repeats: int) -> list[list[float]]:
    """Seconds per call in each round, after one that does not count."""
    taken: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, seconds in zip(calls, taken, strict=True):
            start = time.perf_counter()
            jax.block_until_ready([call() for _ in range(repeats)][-1])
            if number:
                seconds.append((time.perf_counter() - start) / repeats)
    return taken


def _summed(function: Callable[..., Array]) -> Callable[[Array], Array]:
    return lambda x: jnp.sum(function(x))


def _compile(function: Callable[..., Array], weights: Array) -> None:
    """Traces, lowers and compiles a loss of many layers and its gradient, all anew."""

    def loss(weights: Array, x: Array) -> Array:
        for layer in range(LAYERS):
            x = function(x @ weights[layer])
        return jnp.sum(x * x)

    jax.clear_caches()
    jax.jit(jax.value_and_grad(loss)).lower(weights, jnp.ones((BATCH, FEATURES))).compile()


def table(rows: Sequence[OverheadRow]) -> Table:
    """A line for each function: microseconds, and the ratio to jax.nn."""
    taken = {(row.function, row.what, row.library): row.microseconds for row in rows}
    found = Table(title="Overhead", caption="microseconds of jaxact, and times those of jax.nn")
    found.add_column("function")
    steps = list(dict.fromkeys(row.what for row in rows))
    for what in steps:
        found.add_column(what, justify="right")
    for name in dict.fromkeys(row.function for row in rows):
        found.add_row(name, *(_cell(taken, name, what) for what in steps))
    return found


def _cell(taken: dict[tuple[str, str, str], float], name: str, what: str) -> str:
    ours, theirs = (taken.get((name, what, library.__name__)) for library in LIBRARIES)
    if ours is None:
        return ""
    return f"{ours:,.1f}" if theirs is None else f"{ours:,.1f}  {ours / theirs:.2f}"
