"""Zero, infinity, not-a-number, the largest and the smallest: values and derivatives there.

The truth is the catalogue's definition, evaluated by the oracle. Derivatives are forward mode's;
other laws tell that reverse mode agrees.
"""

import functools
import math

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import oracle
import pytest
from cases import DTYPES, POINTWISE, SIXTEEN_BITS, cases, forward_slope, over, precision, slope

ORDERS = 4  # value, slope, curvature and the derivative of that


# All inputs of sixteen bits are judged in test_accuracy too.
over_formats = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(
            dtype,
            id=jnp.dtype(dtype).name,
            marks=pytest.mark.machinery if dtype in SIXTEEN_BITS else [],
        )
        for dtype in DTYPES
    ],
)


def inputs(case, dtype):
    """All numbers of a 16-bit format, a fair sample of a larger one, and what is special."""
    if dtype in SIXTEEN_BITS:
        finite = oracle.all_patterns(dtype)
    else:
        finite = oracle.stratified(dtype, 2**13, around=case.kinks)
    info = ml_dtypes.finfo(dtype)
    special = [0.0, -0.0, info.smallest_normal, -info.smallest_normal, info.max, info.min]
    return np.concatenate([finite, np.array([*special, np.inf, -np.inf, np.nan]).astype(dtype)])


@functools.lru_cache(maxsize=4)  # compiled once for the laws, which follow each other
def derivatives(case, dtype):
    """The inputs, the derivatives of every order there, and at last the slope in reverse mode."""
    xs = inputs(case, dtype)
    functions = [case]
    for _ in range(1, ORDERS):
        functions.append(forward_slope(functions[-1]))
    functions.append(slope(case))
    with precision(dtype):
        return xs, jax.device_get(jax.jit(lambda x: [f(x) for f in functions])(xs))


def every_finite_truth_is_finite(case, dtype):
    xs, orders = derivatives(case, dtype)
    points = xs.astype(np.float64)
    tiny = float(ml_dtypes.finfo(dtype).smallest_normal)  # the CPU backend takes less for zero
    flushed = np.where(np.abs(points) <= tiny, 0.0, points)
    within = np.isfinite(points) & case.inside(flushed)
    for order, got in enumerate(orders[:ORDERS]):
        suspect = np.flatnonzero(within & ~np.isfinite(got.astype(np.float64)))
        suspect = suspect[:: len(suspect) // 32 + 1]
        if suspect.size:
            formula, parameters = case.entry.formula, case.parameters
            truth = oracle.evaluate(formula, points[suspect], order, parameters, dtype=dtype)
            wrong = suspect[np.isfinite(oracle.nearest(truth[order], dtype))]
            assert not wrong.size, f"order {order} at {xs[wrong]}: {got[wrong]}"


def infinity_gives_the_limit(case, dtype):
    xs, orders = derivatives(case, dtype)
    for order, got in enumerate(orders[:3]):
        for sign in (1, -1):
            truth = limit(case, sign, order) if case.inside(sign * 2.0**120) else None
            (at,) = np.flatnonzero(xs.astype(np.float64) == sign * math.inf)[-1:]
            if truth is not None:
                tolerance = 4 * float(ml_dtypes.finfo(dtype).eps)
                np.testing.assert_allclose(
                    float(got[at]), truth, rtol=tolerance, err_msg=f"order {order} at {xs[at]}"
                )


@functools.cache
def limit(case, sign, order):
    """The limit at an infinity, judged from three huge arguments; None if there is none."""
    far, farther, farthest = (
        oracle.derivative(case.entry.formula, sign * 2**k, order, case.parameters, digits=300)
        for k in (60, 90, 120)
    )
    if abs(farthest) < 2.0**-40:
        return 0.0
    if abs(farthest - farther) <= 2.0**-40 * abs(farthest):
        return float(farthest)
    grows = abs(farthest) > 1.2 * abs(farther) > 1.44 * abs(far)
    return math.copysign(math.inf, farthest) if grows else None


def not_a_number_stays_not_a_number(case, dtype):
    """Value and slope; a slope that is constant in pieces may say otherwise in the docstring."""
    xs, orders = derivatives(case, dtype)
    value, slope_there, *_ = (got[np.isnan(xs.astype(np.float64))][-1] for got in orders)
    assert np.isnan(value)
    curved = np.any(orders[2][np.isfinite(xs.astype(np.float64))] != 0)
    promised = "slope NaN" in " ".join(case.entry.function.__doc__.split())
    assert promised or not curved, "a curved function's docstring promises slope NaN"
    assert np.isnan(slope_there) == promised


def every_kink_has_its_promised_slope(case, dtype):
    """In both modes; a kink that is no number of the format lies between two."""
    xs, (_, forward, *_, reverse) = derivatives(case, dtype)
    points = xs.astype(np.float64)
    for kink, promised in case.kinks.items():
        at = points == kink
        assert at.any() or float(np.asarray(kink, dtype)) != kink
        for got in (forward[at], reverse[at]):
            tolerance = 4 * float(ml_dtypes.finfo(dtype).eps)
            np.testing.assert_allclose(got.astype(np.float64), promised, rtol=tolerance)


def extremes_are_exact(case, dtype):
    """At zero, the smallest normal and the largest numbers, of either sign: value and slope.

    And the zero that has no sign gives none.
    """
    xs, orders = derivatives(case, dtype)
    extremes = xs[-9:-3]
    inside = case.inside(extremes.astype(np.float64))
    extremes = extremes[inside]
    rows = oracle.evaluate(case.entry.formula, extremes, 1, case.parameters, dtype=dtype)
    zeros = orders[0][(xs == 0) & ~np.signbit(xs)]
    assert not np.any((zeros == 0) & np.signbit(zeros)), "+0.0 gives -0.0"
    allowed = 1 if dtype in SIXTEEN_BITS else 16
    tiny = float(ml_dtypes.finfo(dtype).smallest_normal)
    for order, (row, got) in enumerate(zip(rows, orders, strict=False)):
        got = got[-9:-3][inside]
        off = oracle.ulp_error(got, row) > allowed
        off &= ~((np.abs(got.astype(np.float64)) <= tiny) & (np.abs(row.hi) <= tiny))  # flushed
        if order:
            off &= ~np.isin(extremes.astype(np.float64), list(case.kinks))
        assert not off.any(), f"order {order} at {extremes[off]}: {got[off]}, not {row.hi[off]}"


def values_fill_the_declared_range(case, dtype):
    """None lies outside; a bound that is no number of the format may be missed by its error."""
    _, (values, *_) = derivatives(case, dtype)
    values = values.astype(np.float64)
    values = values[~np.isnan(values)]
    lowest, highest = case.entry.range(**case.parameters)
    eps = float(ml_dtypes.finfo(dtype).eps)
    for bound, reached, sign in ((lowest, values.min(), -1), (highest, values.max(), 1)):
        if math.isinf(bound):
            assert sign * reached > 1e4
            continue
        representable = float(np.asarray(bound, dtype)) == bound
        slack = 0 if representable else (1 + math.ceil(case.entry.ulps[0])) * eps * abs(bound)
        assert sign * (reached - bound) <= slack, f"{reached} is beyond {bound}"
        assert abs(reached - bound) <= max(2e-2 * abs(bound), 1e-3), f"{bound} is not reached"


LAWS = (
    every_finite_truth_is_finite,
    infinity_gives_the_limit,
    not_a_number_stays_not_a_number,
    every_kink_has_its_promised_slope,
    extremes_are_exact,
    values_fill_the_declared_range,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@over_formats
@over(cases(*POINTWISE))
def test_at_special_values(case, dtype, law):
    law(case, dtype)


@over_formats
@over(cases("gate", "axis"))
def test_values_of_many_arguments_stay_within_the_declared_range(case, dtype):
    with precision(dtype):
        lowest, highest = case.entry.range(**case.parameters)
        for factor in (1e-3, 1.0, 1e3):
            x = [a * jnp.asarray(factor, dtype) for a in case.inputs(dtype=dtype)]
            values = np.asarray(case(*x), np.float64)
            assert np.all((lowest <= values) & (values <= highest))


@over(cases("gate", "axis"))
def test_not_a_number_stays_in_its_row(case):
    x = case.inputs()
    with_nan = [a.at[1, 3].set(jnp.nan) for a in x]
    y, expected = np.asarray(case(*with_nan)), np.asarray(case(*x))
    assert np.isnan(y[1]).any()
    np.testing.assert_array_equal(np.delete(y, 1, 0), np.delete(expected, 1, 0))
