"""One row of the accuracy table: the results of one function against the exact numbers."""

from collections.abc import Iterable
from typing import NamedTuple

import ml_dtypes
import numpy as np

from .exact import Exact
from .roots import REACH, Root
from .ulp import is_misrounded, is_normal, ulp_error


class Score(NamedTuple):
    """The worst of many results.

    Attributes:
        worst: the largest error in ULP where input and exact result count, away from roots.
        at: the input at which it occurs, or NaN if there is no error.
        misrounded: how many of all results that count are not correctly rounded.
        counted: how many results count.
        near_root: the largest error within 1/8 of a root, in eps times the root's scale.
        subnormal: the largest error in ULP where the input or the exact result is subnormal; to
            flush such a result costs 1 / eps at most.
    """

    worst: float
    at: float
    misrounded: int
    counted: int
    near_root: float
    subnormal: float


@np.errstate(invalid="ignore", over="ignore")  # infinite results count as infinite errors
def score(xs: np.ndarray, got: np.ndarray, exact: Exact, roots: Iterable[Root] = ()) -> Score:
    """Measures the results `got` at the finite inputs `xs`.

    Args:
        xs: the inputs, in any format.
        got: the results, in the format that is judged.
        exact: the exact numbers, one for every input.
        roots: roots of the derivative that is measured.
    """
    errors = ulp_error(got, exact)
    regular = is_normal(xs, xs.dtype)
    counts = regular & is_normal(exact, got.dtype)
    points, eps = xs.astype(np.float64), float(ml_dtypes.finfo(got.dtype).eps)
    distance = np.abs(got.astype(np.float64) - exact.hi - exact.lo)
    away, near_root = counts.copy(), 0.0
    for root in roots:
        near = np.abs(points - root.x) <= REACH
        away &= ~near
        near_root = max(near_root, _largest(distance[near & regular]) / (eps * root.scale))
    worst = _largest(errors[away])
    return Score(
        worst=worst,
        at=float(points[away][np.argmax(errors[away])]) if worst > 0 else float("nan"),
        misrounded=int(np.count_nonzero(is_misrounded(got, exact) & counts)),
        counted=int(np.count_nonzero(counts)),
        near_root=near_root,
        subnormal=_largest(errors[~counts]),
    )


def _largest(errors: np.ndarray) -> float:
    """The largest error; not-a-number counts as infinite."""
    return float(np.max(np.nan_to_num(errors, nan=np.inf, posinf=np.inf), initial=0.0))
