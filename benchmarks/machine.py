"""What the machine can do at best: its caches, the speed of a copy, the speed of arithmetic."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from . import clock

LINUX = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL = {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20}  # where the system does not tell
TYPICAL = 1 << 20  # elements
LARGE = 1 << 28  # elements: beyond the caches of any accelerator
DEGREE, CHAINS = 8, 4  # of polynomials that are evaluated at once


class Roof(NamedTuple):
    """What the simplest programs reach.

    Attributes:
        gigabytes_per_second: of a copy in place beyond the caches, read and written.
        gigaoperations_per_second: of multiplications and additions of float32, within them.
    """

    gigabytes_per_second: float
    gigaoperations_per_second: float


@functools.cache
def caches() -> Mapping[str, int]:
    """The bytes of each level of cache that holds data."""
    found = {}
    for folder in sorted(LINUX.glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in _FILES)
        if kind != "Instruction":
            found[f"L{level}"] = int(size.removesuffix("K")) << 10
    return found or USUAL


_FILES = ("level", "type", "size")


def sizes(platform: str) -> dict[str, int]:
    """Numbers of elements by name: what fits in each cache with its result, and what in none.

    They are for float32; narrower dtypes fit the better.
    """
    if platform != "cpu":
        return {"typical": LARGE, "small": TYPICAL}
    fitting = {level: size // 16 for level, size in caches().items()}
    return {"typical": TYPICAL, **fitting, "memory": 10 * max(caches().values()) // 8}


def roof(platform: str, precision: clock.Precision) -> Roof:
    """Measures the machine, on JAX's default device."""
    elements = sizes(platform).get("memory", LARGE)
    x = jnp.linspace(0, 1, TYPICAL // 4, dtype=jnp.float32)
    calls = {"copy": _in_place(elements), "polynomials": _call(_polynomials, x)}
    timings = clock.race(calls, precision)
    return Roof(
        2 * x.itemsize * elements / timings["copy"].minimum / 1e9,
        2 * DEGREE * CHAINS * x.size / timings["polynomials"].minimum / 1e9,
    )


@functools.lru_cache(maxsize=2)
def copy_of(num_bytes: int) -> Callable[[], Any]:
    """A call that moves so many bytes, half of them read and half written, and computes nothing."""
    return _call(lambda words: words + 1, jnp.arange(max(1, num_bytes // 8), dtype=jnp.uint32))


def _in_place(elements: int) -> Callable[[], Any]:
    """A copy of an array onto itself: new memory would cost the system's time, not the device's."""
    program = jax.jit(lambda x: x + 1, donate_argnums=0)
    held = [jnp.ones(elements, jnp.float32)]

    def call():
        held[0] = program(held[0])
        return held[0]

    return call


def _call(function: Callable[..., Any], x: jax.Array) -> Callable[[], Any]:
    program = clock.build(function, x).executable
    return lambda: program(x)


def _polynomials(x: jax.Array) -> jax.Array:
    """Horner's scheme, which is what exponentials and the like consist of."""
    results = [x + chain for chain in range(CHAINS)]
    for power in range(DEGREE):
        results = [result * x + 1 / (power + 2) for result in results]
    return functools.reduce(jnp.add, results)
