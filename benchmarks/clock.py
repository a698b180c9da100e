"""The only clock: device-synchronised, compilation apart, contenders in turn.

Whatever disturbs a measurement adds time and never takes any away, so the fastest sample is the
least disturbed one, and it can be trusted once others come close to it: the K-best scheme (Bryant
& O'Hallaron, Computer Systems: A Programmer's Perspective). Contenders take turns, so that a drift
of the machine meets all of them alike.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

BEST = 3  # so many samples have to agree


@dataclass(frozen=True, kw_only=True)
class Precision:
    """When a race ends.

    Attributes:
        spread: the agreement that is asked for, see `Timing.spread`.
        seconds: the time after which a race ends without it.
        sample_seconds: the length of a sample, far above the resolution of the timer; a shorter
            call is repeated within the sample.
    """

    spread: float = 0.02
    seconds: float = 2.0
    sample_seconds: float = 5e-4


STANDARD = Precision()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long one call takes.

    Attributes:
        minimum: seconds in the fastest sample.
        median: seconds in the median sample.
        spread: how far the third-fastest sample lies above the fastest, relative to it.
        samples: number of samples.
        calls: number of calls in a sample.
    """

    minimum: float
    median: float
    spread: float
    samples: int
    calls: int


class Build(NamedTuple):
    """A compiled program, and what it took to make it."""

    executable: jax.stages.Compiled
    lower_seconds: float
    compile_seconds: float


def build(
    function: Callable[..., Any], *args: Any, options: Mapping[str, Any] | None = None
) -> Build:
    """Traces, lowers and compiles `function` for arguments like `args`; runs nothing."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    middle = time.perf_counter()
    executable = lowered.compile(dict(options) if options else None)
    return Build(executable, middle - start, time.perf_counter() - middle)


def race(contenders: Mapping[str, Callable[[], Any]], precision: Precision) -> dict[str, Timing]:
    """Times calls against each other, one sample of each per round.

    Args:
        contenders: calls by name. The clock waits for the arrays that a call returns; the first
            calls, which may compile or fill caches, are not counted.
        precision: when to stop.
    """
    deadline = time.perf_counter() + precision.seconds
    calls = {name: _calls_per_sample(c, precision) for name, c in contenders.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    rounds = 0
    while rounds < BEST or (
        time.perf_counter() < deadline
        and any(_spread(taken) > precision.spread for taken in samples.values())
    ):
        for name, contender in contenders.items():
            samples[name].append(_sample(contender, calls[name]))
        rounds += 1
    return {
        name: Timing(
            minimum=min(taken),
            median=statistics.median(taken),
            spread=_spread(taken),
            samples=rounds,
            calls=calls[name],
        )
        for name, taken in samples.items()
    }


def _calls_per_sample(call: Callable[[], Any], precision: Precision) -> int:
    """Warms a call up, and finds how many fill a sample."""
    _sample(call, 1)
    calls = 1
    while calls * _sample(call, calls) < precision.sample_seconds:
        calls *= 2
    return calls


def _sample(call: Callable[[], Any], calls: int) -> float:
    """Seconds per call, each waited for."""
    start = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(call())
    return (time.perf_counter() - start) / calls


def _spread(samples: list[float]) -> float:
    best = sorted(samples)[:BEST]
    return best[-1] / best[0] - 1
