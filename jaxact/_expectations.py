"""Expectations over a normal variable: integrals in float64 to 13 digits, kinks and tails included.

Gauss's rule on panels that begin at the kinks and are halved until they are resolved.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_END = 1 - 2.0**-24  # of a panel, as near as the check for jumps looks


def _rule(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes from -1 to 1, their weights, and checks.

    It is Gauss's rule, with a node more at either end that it does not use. The checks are sums of
    the values that vanish for a smooth integrand, and not for a kink or a jump, wherever it is: the
    two highest Legendre coefficients, and the ends' distances from the polynomial through the rest,
    weighted with how far from an end Gauss's nodes begin.
    """
    inner, weights = np.polynomial.legendre.leggauss(order)
    polynomials = np.polynomial.legendre.legvander(inner, order - 1)
    coefficients = weights[:, None] * polynomials * (np.arange(order) + 0.5)
    ends = np.array([-_END, _END])
    at_ends = coefficients @ np.polynomial.legendre.legvander(ends, order - 1).T
    opaque_constant = 1 - inner[-1]
    checks = np.vstack(
        [
            np.hstack([coefficients[:, -2:], opaque_constant * at_ends]),
            np.hstack([np.zeros((2, 2)), -opaque_constant * np.eye(2)]),
        ]
    )
    return np.concatenate([inner, ends]), np.concatenate([weights, [0, 0]]), checks


_NODES, _WEIGHTS, _CHECKS = _rule(16)
_REACH = 37.5  # standard deviations: there the density is as small as numbers can be large
_EVENLY = np.array([-_REACH, *np.linspace(-12.5, 12.5, 11), _REACH])
_AROUND = np.outer([-1, 0, 1], 16.0 ** np.arange(-5, 6)).ravel()
_TOLERANCE = 1e-13  # error of one panel, relative to the integral
_HALVINGS = 60  # then a panel is as narrow as float64 resolves
_NOISE = 1e-4  # error of an integral, relatively, above which it may not exist


class _Panels(NamedTuple):
    """Intervals in standard deviations, each with the index of the integral it belongs to."""

    owner: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def halves(self, chosen: np.ndarray) -> "_Panels":
        """Both halves of the chosen ones."""
        owner, left, right = (part[chosen] for part in self)
        middle = (left + right) / 2
        return _Panels(
            np.tile(owner, 2), np.concatenate([left, middle]), np.concatenate([middle, right])
        )


def _first_panels(mean: np.ndarray, std: np.ndarray, centres: tuple[float, ...]) -> _Panels:
    """Panels graded towards 0 and the centres, so that nothing there hides between nodes."""
    graded = np.add.outer((0.0, *centres), _AROUND).ravel()
    edges = np.clip((graded - mean[:, None]) / std[:, None], -_REACH, _REACH)
    edges = np.hstack([edges, np.broadcast_to(_EVENLY, (mean.size, _EVENLY.size))])
    edges.sort(axis=1)
    owner, place = np.nonzero(np.diff(edges) > 0)
    return _Panels(owner, edges[owner, place], edges[owner, place + 1])


def expectations(
    integrands: Callable[[np.ndarray], np.ndarray],
    mean: ArrayLike,
    variance: ArrayLike,
    centres: tuple[float, ...],
    scale: ArrayLike = 0.0,
    panels: int = 8192,
) -> np.ndarray:
    """E[g(x)] for normal x: a row for every integrand g, a column for every mean and variance.

    Args:
        integrands: gives an array (integrands, *shape) for points x of any shape.
        mean: that of x, a number or an axis of them.
        variance: that of x, a number or an axis of them.
        centres: where integrands may have kinks or jump.
        scale: what errors are relative to, where it exceeds E[abs(g)].
        panels: if so many, and 64 an integral, are unresolved, it is taken for noise.
    """
    mean, std = np.broadcast_arrays(*np.atleast_1d(mean, np.sqrt(variance)))

    def measure(at: _Panels) -> np.ndarray:
        """The integral over each panel, that of the magnitude, and the error."""
        half = (at.right - at.left)[:, None] / 2
        z = at.left[:, None] + half * (1 + _NODES)
        weight = half * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        values = integrands(mean[at.owner, None] + std[at.owner, None] * z) * weight
        return np.stack([values @ _WEIGHTS, abs(values) @ _WEIGHTS, abs(values @ _CHECKS).sum(-1)])

    def sum_by_owner(at: _Panels, measured: np.ndarray) -> np.ndarray:
        sums = np.zeros((*measured.shape[:-1], mean.size))
        np.add.at(sums.T, at.owner, measured.T)
        return sums

    current, halvings = _first_panels(mean, std, centres), 0
    resolved: np.ndarray | float = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            measured = measure(current)
            integral, magnitude, error = resolved + sum_by_owner(current, measured)
            whole = np.maximum(magnitude, scale)
            pending = (measured[2] > _TOLERANCE * whole[:, current.owner]).any(axis=0)
            number = np.count_nonzero(pending)
            if not number or halvings == _HALVINGS or number > max(panels, 64 * mean.size):
                exists = (error <= _NOISE * whole) & np.isfinite(integral)
                return np.where(exists, integral, np.nan)
            resolved += sum_by_owner(current, measured * ~pending)
            current, halvings = current.halves(pending), halvings + 1
