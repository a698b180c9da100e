"""How fast: each case against the other libraries, and against a copy of as many bytes."""

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax

from . import clock, machine
from .cases import Case
from .clock import Precision, Timing
from .libraries import Contender, Library
from .machine import Roof
from .modes import MODES
from .results import SpeedRow

COPY = "copy"


def measure_all(
    cases: Sequence[Case],
    libraries: Sequence[Library],
    roof: Roof,
    *,
    seconds: float,
    precision: Precision = clock.STANDARD,
) -> Iterator[list[SpeedRow]]:
    """Measures one case after the other, and yields its rows.

    Each case may take its share of the time that is left, compilation included; what one does not
    need the others get.

    Args:
        cases: what to measure.
        libraries: who takes part.
        roof: what the machine can do.
        seconds: the time for all cases; the last ones are cut short, never left out.
        precision: what is asked for, and the most time that a single case may take.
    """
    deadline = time.perf_counter() + seconds
    for done, case in enumerate(cases):
        share = (deadline - time.perf_counter()) / (len(cases) - done)
        limit = replace(precision, seconds=min(share, precision.seconds))
        yield measure(case, libraries, roof, limit)


def measure(
    case: Case, libraries: Sequence[Library], roof: Roof, precision: Precision
) -> list[SpeedRow]:
    """One row for each library that can do the case."""
    start = time.perf_counter()
    with jax.enable_x64(case.dtype == "float64"):
        operands = case.operands()
        contenders = [c for library in libraries if (c := library.contender(case, operands))]
        traffic = _bytes_moved(case, operands)
        calls = {COPY: machine.copy_of(traffic), **{c.library: c.call for c in contenders}}
        left = precision.seconds - (time.perf_counter() - start)
        timings = clock.race(calls, replace(precision, seconds=left))
    x = operands[0][0]
    return [_row(case, x, traffic, c, timings[c.library], timings[COPY], roof) for c in contenders]


def _bytes_moved(case: Case, operands: tuple[Any, ...]) -> int:
    """The bytes of what goes in and of what comes out, whatever happens between."""
    program = functools.partial(MODES[case.mode].program, case.given)
    results = jax.eval_shape(program, *operands)
    return sum(a.size * a.dtype.itemsize for a in jax.tree.leaves((operands, results)))


def _row(
    case: Case,
    x: jax.Array,
    traffic: int,
    contender: Contender,
    timing: Timing,
    copy: Timing,
    roof: Roof,
) -> SpeedRow:
    program = contender.executable
    memory = program.memory_analysis() if program else None
    gigabytes_per_second = traffic / timing.minimum / 1e9
    return SpeedRow(
        function=case.function,
        setting=case.setting,
        mode=case.mode,
        dtype=case.dtype,
        shape="x".join(map(str, case.shape)),
        library=contender.library,
        nanoseconds=timing.minimum / x.size * 1e9,
        median_nanoseconds=timing.median / x.size * 1e9,
        noise=timing.spread + copy.spread,
        gigabytes_per_second=gigabytes_per_second,
        copies=timing.minimum / copy.minimum,
        bandwidth_fraction=gigabytes_per_second / roof.gigabytes_per_second,
        operations=_operations(program) / x.size if program else None,
        lower_milliseconds=_milliseconds(contender.lower_seconds),
        compile_milliseconds=_milliseconds(contender.compile_seconds),
        temporary_bytes=memory.temp_size_in_bytes if memory else None,
        residual_bytes=contender.residual_bytes,
        collectives=contender.collectives,
    )


def _operations(program: jax.stages.Compiled) -> float:
    """Arithmetic as XLA counts it: an exponential, say, is one operation if it is XLA's own."""
    counted = program.cost_analysis() or {}
    return counted.get("flops", 0.0) + counted.get("transcendentals", 0.0)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds
