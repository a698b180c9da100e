"""What can be said of a curve, read off the library's own values, not typed."""

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxact import Entry, theory

Curves = Callable[[np.ndarray], list[np.ndarray]]
FAR = np.array([1e4, 1.3e4, 1.7e4])


@dataclass(frozen=True)
class Shape:
    """The shape of an activation with its typical parameters.

    Attributes:
        monotone: "increasing", "decreasing", or "" if it turns.
        smoothness: "smooth", "slope continuous", "continuous" or "jumps".
        saturates: the sides on which it levels off: "left", "right", "both" or "".
        bounded: the sides on which values have a bound: "below", "above", "both" or "".
        limits: the values at -inf and inf, NaN where there is none.
        centred: whether normal inputs give a mean of 0.
        mean: that mean; NaN where there is none.
        gains: the gains forward and backward; NaN where there are none.
    """

    monotone: str
    smoothness: str
    saturates: str
    bounded: str
    limits: tuple[float, float]
    mean: float
    gains: tuple[float, float]

    @property
    def centred(self) -> bool:
        """Whether normal inputs give a mean of 0."""
        return abs(self.mean) < 1e-6


def shape(entry: Entry, setting: Mapping[str, Any], curves: Curves) -> Shape:
    """The shape of an activation of one array."""
    low, high = entry.domain(**setting)
    kinks = np.array(sorted(entry.kinks(**setting)), float)
    near = np.concatenate([[k - 1e-6, k + 1e-6] for k in kinks] or [[]])
    line = np.concatenate([np.linspace(-30, 30, 6001), -FAR, FAR, 2 * FAR, [-math.inf, math.inf]])
    inside = (line > low) & (line < high) | np.isinf(line)
    value, slope, _ = curves(np.concatenate([line, near]))
    at_kinks = value[len(line) :].reshape(-1, 2), slope[len(line) :].reshape(-1, 2)
    slopes = slope[: len(line)][inside & np.isfinite(line)]
    slopes = slopes[np.isfinite(slopes)]
    bounds = entry.range(**setting)
    levels = [
        name
        for name, start in (("left", 6001), ("right", 6004))
        if inside[start] and _is_level(value[start : start + 3], slope[start : start + 3])
    ]
    limits = value[len(line) - 2], value[len(line) - 1]
    return Shape(
        monotone=_monotone(slopes, at_kinks[0]),
        smoothness=_smoothness(*at_kinks),
        saturates=_sides(levels, "left", "right"),
        bounded=_sides(
            [n for n, b in zip(("below", "above"), bounds, strict=True) if math.isfinite(b)],
            "below",
            "above",
        ),
        limits=(float(limits[0]), float(limits[1])),
        mean=_or_nan(lambda: theory.moments(entry.name, **_numbers(setting)).mean),
        gains=tuple(
            _or_nan(functools.partial(theory.gain, entry.name, mode, **_numbers(setting)))
            for mode in ("forward", "backward")
        ),
    )


def _numbers(setting: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in setting.items() if value is not None}


def _or_nan(compute: Callable[[], float]) -> float:
    try:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of NaN
            return compute()
    except ValueError:
        return math.nan


def _is_level(value: np.ndarray, slope: np.ndarray) -> bool:
    return bool(
        np.all(np.isfinite(value)) and np.ptp(value) < 1e-3 and np.all(np.abs(slope) < 1e-3)
    )


def _monotone(slopes: np.ndarray, at_kinks: np.ndarray) -> str:
    steps = at_kinks[:, 1] - at_kinks[:, 0]
    if np.all(slopes >= -1e-9) and np.all(steps > -1e-4):
        return "increasing"
    return "decreasing" if np.all(slopes <= 1e-9) and np.all(steps < 1e-4) else ""


def _smoothness(value: np.ndarray, slope: np.ndarray) -> str:
    if not value.size:
        return "smooth"
    if np.any(np.abs(value[:, 1] - value[:, 0]) > 1e-3):
        return "jumps"
    return "continuous" if np.any(np.abs(slope[:, 1] - slope[:, 0]) > 1e-3) else "slope continuous"


def _sides(sides: list[str], first: str, second: str) -> str:
    return "both" if sides == [first, second] else "".join(sides)
