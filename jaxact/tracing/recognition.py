"""Which activation of the catalogue a function is, judged by its values."""

import functools
import math
from types import SimpleNamespace
from typing import Any

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


def same_values(values: np.ndarray, eps: float, *, parametric: bool = False) -> Entry | None:
    """The elementwise activation that has these values at `POINTS`, if there is one.

    Args:
        values: those of the function.
        eps: the rounding error of the dtype in which they were computed.
        parametric: whether the function has a parameter, which was set to `UNKNOWN`.
    """
    names, known = _known_values(parametric, len(CATALOG))
    if not names or not np.isfinite(values).all():
        return None
    error = np.max(np.abs(known - values) / (1 + np.abs(known)), axis=1)
    best = int(np.argmin(error))
    return CATALOG[names[best]] if error[best] <= max(2e-4, 2 * eps) else None


@functools.lru_cache(maxsize=4)
def _known_values(parametric: bool, _: int) -> tuple[list[str], np.ndarray]:
    """Names of activations, and their values at `POINTS`; for a catalogue of the given size."""
    names, rows = [], []
    for entry in CATALOG.values():
        if entry.kind != "elementwise":
            continue
        for setting in _settings(entry, parametric):
            row = _values(entry, setting)
            if row is not None and not _is_affine(row):
                names.append(entry.name)
                rows.append(row)
    return names, np.array(rows)


def _settings(entry: Entry, parametric: bool) -> list[dict[str, Any]]:
    """The settings of parameters to recognise: the usual ones, or the one unknown parameter."""
    usual = [*entry.samples, *({**entry.samples[0], **s} for s in entry.elsewhere.values())]
    if not parametric:
        return [dict(setting) for setting in usual]
    (*names,) = entry.samples[0]
    return [{names[0]: UNKNOWN}] if len(names) == 1 else []


def _values(entry: Entry, parameters: dict[str, Any]) -> np.ndarray | None:
    """Those of the definition; None where it is not one on the whole line, or not for numpy."""
    low, high = entry.domain(**parameters)
    if low > POINTS[0] or high < POINTS[-1]:
        return None
    try:
        with np.errstate(all="ignore"):
            row = np.asarray(entry.formula(_NUMPY, POINTS, **parameters), np.float64)
    except (AttributeError, TypeError):  # it needs what numpy has not
        return None
    return row if row.shape == POINTS.shape and np.isfinite(row).all() else None


def _is_affine(values: np.ndarray) -> bool:
    slopes = np.diff(values) / np.diff(POINTS)
    return bool(np.ptp(slopes) <= 1e-6 * (1 + np.abs(slopes).max()))
