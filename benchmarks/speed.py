"""How fast: each case against the other libraries, and against a copy of as many bytes."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from . import clock
from .cases import Case
from .clock import Precision, Timing
from .libraries import Contender, Library
from .modes import MODES
from .results import SpeedRow

COPY = "copy"


def measure_all(
    cases: Sequence[Case],
    libraries: Sequence[Library],
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
        seconds: the time for all cases; the last ones are cut short, never left out.
        precision: what is asked for, and the most time that a single case may take.
    """
    deadline = time.perf_counter() + seconds
    for done, case in enumerate(cases):
        share = (deadline - time.perf_counter()) / (len(cases) - done)
        yield measure(case, libraries, replace(precision, seconds=min(share, precision.seconds)))


def measure(case: Case, libraries: Sequence[Library], precision: Precision) -> list[SpeedRow]:
    """One row for each library that can do the case."""
    start = time.perf_counter()
    with jax.enable_x64(case.dtype == "float64"):
        operands = case.operands()
        contenders = [c for library in libraries if (c := library.contender(case, operands))]
        traffic = _bytes_moved(case, operands)
        calls = {COPY: copy_of(traffic), **{c.library: c.call for c in contenders}}
        left = precision.seconds - (time.perf_counter() - start)
        timings = clock.race(calls, replace(precision, seconds=left))
    return [
        _row(case, operands[0][0], traffic, contender, timings[contender.library], timings[COPY])
        for contender in contenders
    ]


@functools.lru_cache(maxsize=2)
def copy_of(num_bytes: int) -> Callable[[], Any]:
    """A call that moves so many bytes, half of them read and half written, and computes nothing."""
    words = jnp.arange(max(1, num_bytes // 8), dtype=jnp.uint32)
    copy = clock.build(lambda words: words + 1, words).executable
    return lambda: copy(words)


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
) -> SpeedRow:
    build = contender.build
    memory = build.executable.memory_analysis() if build else None
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
        gigabytes_per_second=traffic / timing.minimum / 1e9,
        copies=timing.minimum / copy.minimum,
        lower_milliseconds=build.lower_seconds * 1e3 if build else None,
        compile_milliseconds=build.compile_seconds * 1e3 if build else None,
        temporary_bytes=memory.temp_size_in_bytes if memory else None,
        residual_bytes=contender.residual_bytes,
    )
