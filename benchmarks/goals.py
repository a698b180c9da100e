"""What speed on a CPU was aimed at, and how far a result file gets."""

import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxact import CATALOG

from .cases import Case
from .compare import OURS
from .results import SpeedRow

DTYPES = ("float32", "bfloat16")
MODES = ("forward", "vjp")
SLOWEST = 0.8  # of jax.nn's speed
NOISY = 0.3  # rows whose fastest samples agree less well say nothing

Point = tuple[str, str]  # an activation and its setting


class Goal(NamedTuple):
    """A figure that is aimed at.

    Attributes:
        name: what it is.
        wanted: what it should be.
        reached: what it is; None where nothing was measured.
        at_most: whether less is better.
    """

    name: str
    wanted: float
    reached: float | None
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure is reached."""
        if self.reached is None:
            return False
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as jax.nn one row is."""

    row: SpeedRow
    speed: float


class Speeds:
    """Rows by what they measure."""

    def __init__(self, rows: Sequence[SpeedRow]):
        self.rows = rows
        self._found = {
            (row.function, row.setting, row.mode, row.dtype, row.library): row
            for row in rows
            if row.noise <= NOISY
        }

    def row(self, point: Point, mode: str, dtype: str, library: str = OURS) -> SpeedRow | None:
        """The row, if it was measured."""
        return self._found.get((*point, mode, dtype, library))

    def points(self, *libraries: str) -> list[Point]:
        """The elementwise activations that we and all these libraries have."""
        ours = dict.fromkeys(
            (row.function, row.setting)
            for row in self.rows
            if row.function in CATALOG and CATALOG[row.function].kind == "elementwise"
        )
        return [p for p in ours if all(self.row(p, *_FIRST, lib) for lib in (OURS, *libraries))]

    def ratio(self, point: Point, mode: str, dtype: str, peer: str) -> float | None:
        """How many times as fast as a peer we are."""
        ours, theirs = self.row(point, mode, dtype), self.row(point, mode, dtype, peer)
        return theirs.nanoseconds / ours.nanoseconds if ours and theirs else None

    def training_ratio(self, point: Point, dtype: str, peer: str) -> float | None:
        """A peer's forward and backward pass over ours, forward plus the pull-back by itself."""
        ours = [self.row(point, mode, dtype) for mode in MODES]
        theirs = self.row(point, "forward+vjp", dtype, peer)
        if theirs is None or not all(ours):
            return None
        return theirs.nanoseconds / sum(row.nanoseconds for row in ours if row)


_FIRST = MODES[0], DTYPES[0]


def goals(rows: Sequence[SpeedRow]) -> list[Goal]:
    """Every goal, and what the rows reach."""
    speeds = Speeds(rows)
    shared = [p for p in speeds.points("jax.nn", "torch") if not is_piecewise_linear(p)]
    in_jax = [p for p in speeds.points("jax.nn") if not is_piecewise_linear(p)]
    linear = [p for p in speeds.points() if is_piecewise_linear(p)]

    def over_jax(points: Iterable[Point], *, modes=MODES, dtypes=DTYPES, mean=_mean):
        every = [(p, m, d) for p in points for m in modes for d in dtypes]
        return mean([speeds.ratio(p, m, d, "jax.nn") for p, m, d in every])

    over_torch = [speeds.ratio(p, "forward", d, "torch") for p in shared for d in DTYPES]
    over_torch += [speeds.training_ratio(p, d, "torch") for p in shared for d in DTYPES]
    copies = [speeds.row(p, m, d) for p in linear for m in MODES for d in DTYPES]
    times = "times the speed of"
    return [
        Goal(f"{times} jax.nn, smooth ones that torch has too", 2.2, over_jax(shared)),
        Goal(f"{times} torch eager, the same ones", 1.6, _mean(over_torch)),
        Goal("copies, piecewise linear ones", 1.1, _mean([r and r.copies for r in copies]), True),
        Goal(
            f"{times} jax.nn, mish, the least", 3.0, over_jax(_named("mish", shared), mean=_least)
        ),
        Goal(
            f"{times} jax.nn, softplus, the least",
            2.0,
            over_jax(_named("softplus", shared), mean=_least),
        ),
        Goal(
            f"{times} jax.nn, bfloat16 backward",
            3.7,
            over_jax(shared, modes=["vjp"], dtypes=["bfloat16"]),
        ),
        *(
            Goal(
                f"{times} jax.nn, all smooth ones of jax.nn, {mode}, {dtype}",
                wanted,
                over_jax(in_jax, modes=[mode], dtypes=[dtype]),
            )
            for mode, dtype, wanted in (
                ("forward", "float32", 1.3),
                ("forward", "bfloat16", 2.5),
                ("vjp", "float32", 1.5),
                ("vjp", "bfloat16", 3.5),
            )
        ),
    ]


def slower(rows: Sequence[SpeedRow]) -> list[Ratio]:
    """The rows below 0.8 of jax.nn's speed, the slowest first."""
    speeds = Speeds(rows)
    found = [
        Ratio(row, ratio)
        for row in rows
        if row.library == OURS and row.mode in MODES
        if (ratio := speeds.ratio((row.function, row.setting), row.mode, row.dtype, "jax.nn"))
    ]
    return sorted((r for r in found if r.speed < SLOWEST), key=lambda r: r.speed)


@functools.cache
def is_piecewise_linear(point: Point) -> bool:
    """Whether the second derivative vanishes everywhere but at kinks."""
    function = Case(*point, "forward", "float32", ()).given
    x = jnp.asarray(np.linspace(-7.9, 8.1, 997), jnp.float32)
    return not jnp.any(jax.vmap(jax.grad(jax.grad(function)))(x))


def _named(name: str, points: Iterable[Point]) -> list[Point]:
    return [point for point in points if point[0] == name]


def _mean(figures: Sequence[float | None]) -> float | None:
    found = [f for f in figures if f is not None]
    return statistics.geometric_mean(found) if found else None


def _least(figures: Sequence[float | None]) -> float | None:
    return min((f for f in figures if f is not None), default=None)
