"""Exact values and derivatives of a formula, as unevaluated sums of two doubles."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from flint import arb, ctx
from numpy.typing import ArrayLike, DTypeLike

from .balls import BALLS, Series, Undecided, as_terms

_ACCURACY = 70  # bits, relative: what a pair of doubles has to hold for a float64 to be judged
_PRECISIONS = (128, 256, 512, 1024, 2048, 4096)


class Exact(NamedTuple):
    """Numbers hi + lo, of which hi is the nearest double.

    Beyond the doubles hi is infinite and lo is 0; below them both are 0. Where lo is 0 all that is
    known is that the number may be hi itself.
    """

    hi: np.ndarray
    lo: np.ndarray


def evaluate(
    formula: Callable[..., Any],
    xs: ArrayLike,
    order: int = 0,
    params: Mapping[str, ArrayLike] | None = None,
    *,
    wrt: str | None = None,
    times: int = 1,
    dtype: DTypeLike = np.float64,
) -> list[Exact]:
    """The formula's derivatives in x at every point, from the value up to the given order.

    Every point is evaluated in ball arithmetic, at doubled precision until all its derivatives are
    known to 70 bits, or known to be so small that `dtype` rounds them to zero.

    Args:
        formula: `formula(m, x, **params)`, see `jaxact._catalog.Entry`.
        xs: finite points, one axis.
        order: the highest derivative in x.
        params: the formula's parameters, each one number, or one for every point, or a flag, or a
            tuple of numbers.
        wrt: a parameter to differentiate by as well.
        times: how often to differentiate by it.
        dtype: the format to be judged: numbers that it rounds to zero are given as zero.

    Returns:
        For every order from 0, the derivative at all points.

    Raises:
        Undecided: if 4096 bits do not suffice, as where the formula is not defined.
    """
    xs = np.asarray(xs, dtype=np.float64)
    params = params or {}
    flags = {name: value for name, value in params.items() if isinstance(value, bool | tuple)}
    numbers = {name: value for name, value in params.items() if name not in flags}
    columns = [np.broadcast_to(np.asarray(v, np.float64), xs.shape) for v in numbers.values()]
    points = list(zip(xs.tolist(), *(column.tolist() for column in columns), strict=True))
    hi, lo = np.zeros((2, order + 1, len(points)))
    info = ml_dtypes.finfo(dtype)
    exponent = info.minexp - info.nmant - 1  # half the least subnormal number
    pending = range(len(points))
    for precision in _PRECISIONS:
        with _working(precision, (order + 1) * (times + 1 if wrt else 1)):
            vanishing = arb(2) ** exponent
            undecided = []
            for i in pending:
                x, *values = points[i]
                arguments = {name: Series([v]) for name, v in zip(numbers, values, strict=True)}
                try:
                    balls = _derivatives(formula, x, order, arguments | flags, wrt, times)
                    for n, ball in enumerate(balls):
                        hi[n, i], lo[n, i] = _two_doubles(ball, vanishing)
                except Undecided:
                    undecided.append(i)
        pending = undecided
    if pending:
        raise Undecided(f"no value at {points[pending[0]]}: 4096 bits do not suffice")
    hi[np.abs(hi) < 2.0**exponent] = 0
    return [Exact(*pair) for pair in zip(hi, np.where(hi == 0, 0, lo), strict=True)]


def _derivatives(formula, x, order, params, wrt, times) -> Iterator[arb]:
    """Balls of the derivatives, from the coefficients of one or a few power series in t.

    For a parameter p, x runs along x + t and p along p + i t^N, where N = order + 1. The
    coefficient of t^(times N + k) is then a polynomial in i, whose `times`-th difference is
    times! times the coefficient of (x's step)^k (p's step)^times: all else cancels.
    """
    if wrt is None:
        series = as_terms(formula(BALLS, Series([x, 1]), **params))
        return (math.factorial(k) * series[k] for k in range(order + 1))
    stride = order + 1
    step = Series([0] * stride + [1])
    moving = [params[wrt] + i * step for i in range(times + 1)]
    paths = [as_terms(formula(BALLS, Series([x, 1]), **params | {wrt: p})) for p in moving]
    signed = [(-1) ** (times - i) * math.comb(times, i) for i in range(times + 1)]
    return (
        math.factorial(k)
        * sum(c * path[times * stride + k] for c, path in zip(signed, paths, strict=True))
        for k in range(order + 1)
    )


def _two_doubles(ball: arb, vanishing: arb) -> tuple[float, float]:
    if ball.rel_accuracy_bits() >= _ACCURACY:
        middle = ball.mid()
        hi = float(middle)
        is_known_by_hi = not math.isfinite(hi) or ball.contains(arb(hi))
        return hi, 0.0 if is_known_by_hi else float(middle - hi)
    if ball.abs_upper() < vanishing:
        return 0.0, 0.0
    raise Undecided


@contextmanager
def _working(precision: int, length: int):
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = precision, length
    try:
        yield
    finally:
        ctx.prec, ctx.cap = before
