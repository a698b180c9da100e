"""Which activation of the catalogue a function is, judged by its values and by its slopes."""

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .._catalog import CATALOG, Entry

# Exact in all dtypes, on both sides of the usual kinks; none of them at an even distance.
POINTS = np.array(
    (
        *(-24, -9.5, -6.25, -4.125, -2.625, -1.75, -0.875, -0.4375, -0.1875),
        *(0.3125, 0.5625, 1.125, 1.875, 2.875, 4.75, 6.5, 9.25, 25),
    )
)
UNKNOWN = 0.375  # stands for a parameter that is not known when the function is traced

_NUMPY = SimpleNamespace(
    **{name: getattr(np, name) for name in "exp expm1 log log1p sqrt tanh sin cos abs".split()},
    **{name: getattr(np, name) for name in "where maximum minimum cosh sinh sign pi".split()},
    erf=np.vectorize(math.erf),
    erfc=np.vectorize(math.erfc),
    atan=np.arctan,
    number=float,
)

# What networks use as activations and no entry declares, for x and not for a multiple of it.
_PLAIN: dict[str, Callable[..., Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "gaussian": lambda x: np.exp(-(x**2)),
    "arctan": np.arctan,
    "abs": np.abs,
    **{f"power {n}": functools.partial(lambda n, x: x**n, n) for n in (2, 3, 4)},
}

Setting = dict[str, Any]


class Match(NamedTuple):
    """What a function is.

    Attributes:
        activation: its name.
        entry: what the catalogue says; None if it has no such activation.
        setting: the parameters with which the values agree.
        traced: whether one of them is not known, but `UNKNOWN` stands for it.
    """

    activation: str
    entry: Entry | None
    setting: Setting
    traced: bool = False


def match(values: np.ndarray, eps: float, *, parametric: bool = False) -> Match | None:
    """The elementwise function that has these values at `POINTS`, if one is known.

    Args:
        values: those of the function.
        eps: the rounding error of the dtype of its constants.
        parametric: whether the function has a parameter, which was set to `UNKNOWN`.
    """
    if not np.isfinite(values).all() or _is_affine(values):
        return None
    known, rows = _known(parametric, len(CATALOG))
    error = _error(rows, values)
    allowed = _allowed(eps)
    # Among equals the first: what is left of an unusual setting goes by the usual name.
    best = int(np.argmin(np.where(error <= 1e-5, 0, error)))
    if error[best] <= allowed:
        return known[best]
    if parametric:
        return None
    families, table = _families(len(CATALOG))
    error = _error(table, values)
    for index in np.argsort(error, kind="stable")[:3]:
        entry, name, number = families[int(index)]
        found = _fitted(entry, name, number, values, allowed) if error[index] < 0.2 else None
        if found is not None:
            return found
    return None


def same_slopes(found: Match, slopes: np.ndarray, eps: float) -> bool:
    """Whether the slopes of a function at `POINTS` are those of what its values say it is."""
    h = 1e-6
    after, before = values_of(found, POINTS + h), values_of(found, POINTS - h)
    if after is None or before is None:
        return False
    expected = (after - before) / (2 * h)
    return bool(np.max(np.abs(slopes - expected) / (1 + np.abs(expected))) <= 5 * _allowed(eps))


def values_of(found: Match, x: np.ndarray) -> np.ndarray | None:
    """Those of the definition at points; None where it is not defined everywhere."""
    return _values(found.entry or found.activation, found.setting, x)


def gated(found: str) -> str:
    """What a product of an array and this activation of another array is called."""
    row = _values(CATALOG[found], dict(CATALOG[found].samples[0])) if found in CATALOG else None
    for entry in CATALOG.values():
        if entry.kind == "gate" and row is not None:
            arrays = list(inspect.signature(entry.formula).parameters)[1:3]
            given = {name: POINTS if name == "gate" else np.ones_like(POINTS) for name in arrays}
            with np.errstate(all="ignore"):
                product = entry.formula(_NUMPY, **given, **entry.samples[0])
            if np.allclose(product, row, atol=1e-6):
                return entry.name
    return f"gated by {found}"


# --- Rows of values ------------------------------------------------------------------------------


def _allowed(eps: float) -> float:
    return max(2e-4, 2 * eps)


def _error(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.max(np.abs(rows - values) / (1 + np.abs(rows)), axis=1)


@functools.lru_cache(maxsize=4)
def _known(parametric: bool, _: int) -> tuple[list[Match], np.ndarray]:
    """What is known, and its values at `POINTS`; for a catalogue of the given size."""
    found = []
    for entry in _elementwise():
        settings = _unknown_setting(entry) if parametric else usual_settings(entry)
        found += [Match(entry.name, entry, setting, parametric) for setting in settings]
    if not parametric:
        found += [Match(name, None, {}) for name in _PLAIN]
    rows = [_values(m.entry or m.activation, m.setting) for m in found]
    kept = [(m, row) for m, row in zip(found, rows, strict=True) if row is not None]
    kept = [(m, row) for m, row in kept if not _is_affine(row)]
    return [m for m, _ in kept], np.array([row for _, row in kept])


def _elementwise() -> Iterator[Entry]:
    """Those whose values say what they are: a pseudo-derivative is in no value."""
    entries = CATALOG.values()
    return (entry for entry in entries if entry.kind == "elementwise" and not entry.pseudo)


def usual_settings(entry: Entry) -> list[Setting]:
    """The settings of parameters that the catalogue names, the typical one first."""
    named = [*entry.samples, *({**entry.samples[0], **s} for s in entry.elsewhere.values())]
    return [dict(setting) for setting in named]


def _unknown_setting(entry: Entry) -> list[Setting]:
    (*names,) = entry.samples[0]
    return [{names[0]: UNKNOWN}] if len(names) == 1 else []


_GRID = np.concatenate([np.geomspace(1e-3, 30, 46), -np.geomspace(1e-2, 3, 26)])


@functools.lru_cache(maxsize=2)
def _families(_: int) -> tuple[list[tuple[Entry, str, float]], np.ndarray]:
    """Functions of one number: the entry, its parameter, and a value; and rows at `POINTS`."""
    found, rows = [], []
    for entry in _elementwise():
        for name, usual in entry.samples[0].items():
            alone = len(entry.samples[0]) == 1
            if not alone or isinstance(usual, bool) or not isinstance(usual, int | float):
                continue
            for number in _GRID:
                row = _values(entry, {**entry.samples[0], name: float(number)})
                if row is not None and not _is_affine(row):
                    found.append((entry, name, float(number)))
                    rows.append(row)
    return found, np.array(rows)


def _fitted(
    entry: Entry, name: str, start: float, values: np.ndarray, allowed: float
) -> Match | None:
    """The entry with the number that fits the values best, if it fits."""

    def error(number: float) -> float:
        row = _values(entry, {**entry.samples[0], name: number})
        return math.inf if row is None else float(_error(row[None], values)[0])

    low, high = sorted((start / 1.4, start * 1.4))
    for _ in range(60):  # golden section
        a, b = low + (high - low) * 0.382, low + (high - low) * 0.618
        low, high = (low, b) if error(a) < error(b) else (a, high)
    number = (low + high) / 2
    short = [float(f"{number:.{digits}g}") for digits in range(1, 8)]
    number = next((p for p in short if error(p) <= max(allowed / 100, 4 * error(number))), number)
    if error(number) > allowed:
        return None
    return Match(entry.name, entry, {**entry.samples[0], name: number})


def _values(known: Entry | str, setting: Setting, x: np.ndarray = POINTS) -> np.ndarray | None:
    """Those of the definition; None where it is not one on the whole line, or not for numpy."""
    if isinstance(known, str):
        return _PLAIN[known](x)
    try:
        low, high = known.domain(**setting)
        if low > x.min() or high < x.max():
            return None
        with np.errstate(all="ignore"):
            row = np.asarray(known.formula(_NUMPY, x, **setting), np.float64)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None  # it needs what numpy has not, or no such number
    return row if row.shape == x.shape and np.isfinite(row).all() else None


def _is_affine(values: np.ndarray) -> bool:
    slopes = np.diff(values) / np.diff(POINTS)
    return bool(np.ptp(slopes) <= 1e-6 * (1 + np.abs(slopes).max()))
