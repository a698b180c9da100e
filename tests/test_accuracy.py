"""The law of accuracy: value, slope and curvature are what the definition says, to the last place.

Shown to fail in test_a_wrong_function_is_found, on a curvature that is off by 1e-5.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accuracy import DTYPES, Row, measure

import jaxact
from jaxact import CATALOG, Entry

RESOLUTION = 2.0**-19  # of the oracle, in float32 ULP
HALF = 0.5 + 2.0**-10
MISROUNDED = {"bfloat16": 2, "float16": 12}
FLOAT64 = (4.0, 7.0, 10.0)
NEAR_ROOT = 4.0  # in eps times the derivative's largest magnitude within 1/8

CASES = [
    pytest.param(entry, index, dtype, id=f"{entry.name}-{index}-{np.dtype(dtype).name}")
    for entry in CATALOG.values()
    if entry.kind in ("elementwise", "random")
    for index in range(len(entry.samples))
    for dtype in DTYPES
]


def check(entry: Entry, index: int, dtype) -> None:
    """Asserts the bounds for one setting of an activation's parameters."""
    for row in measure(entry, entry.samples[index], dtype):
        bound = bounds(entry, row)
        assert row.score.worst <= bound + RESOLUTION, f"{row} exceeds {bound} ULP"
        assert row.score.near_root <= NEAR_ROOT, f"{row} is inexact beside its root"
        if index == 0 and row.dtype.name in MISROUNDED:
            assert row.score.misrounded <= MISROUNDED[row.dtype.name], f"{row}"


def bounds(entry: Entry, row: Row) -> float:
    """What a row may be off by, in ULP."""
    if row.dtype.itemsize == 2:
        return HALF
    return (entry.ulps if row.dtype == np.float32 else FLOAT64)[row.order]


@pytest.mark.parametrize(("entry", "index", "dtype"), CASES)
def test_value_slope_and_curvature_are_exact(entry, index, dtype):
    check(entry, index, dtype)


def test_a_wrong_function_is_found():
    @jax.custom_jvp
    def slightly_wrong(x):
        return jaxact.sigmoid(x)

    @slightly_wrong.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        slope = jaxact.sigmoid(x) * jaxact.sigmoid(-x)
        return slightly_wrong(x), slope * (1 + 1e-5 * jnp.tanh(x)) * t

    entry = dataclasses.replace(CATALOG["sigmoid"], function=slightly_wrong)
    with pytest.raises(AssertionError, match="exceeds"):
        check(entry, 0, np.float32)
