"""The law of accuracy: value, slope and curvature are what the definition says, to the last place.

So are the derivatives by parameters. Shown to fail in test_a_wrong_function_is_found, on a
curvature that is off by 1e-5, in test_a_wrong_derivative_by_a_parameter_is_found, and, as to how
many results are misrounded, in test_ties_that_float32_cannot_see_are_found.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accuracy import DTYPES, Row, measure, measure_by
from cases import POINTWISE, Case, cases, coverage_set, over, typical_cases
from jax.typing import ArrayLike

import jaxact
from jaxact import CATALOG
from jaxact._arithmetic import Bfloat16Ops, CpuOps, XlaOps

RESOLUTION = 2.0**-19  # of the oracle, in float32 ULP
HALF = 0.5 + 2.0**-10
MISROUNDED = {"bfloat16": 2, "float16": 12}
UNIVERSAL = (4.0, 7.0, 10.0)  # of float64, and of derivatives by parameters in float32 too
NEAR_ROOT = 4.0  # in eps times the derivative's largest magnitude within 1/8

over_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)


def check(case: Case, dtype) -> None:
    """Asserts the bounds for one setting of an activation's parameters."""
    for row in measure(case.entry, case.parameters, dtype):
        assert_within(row, case.entry.ulps)


def assert_within(row: Row, float32: tuple[float, float, float]) -> None:
    """Asserts that a row is off by no more than it may be."""
    wide = float32 if row.dtype == np.float32 else UNIVERSAL
    bound = HALF if row.dtype.itemsize == 2 else wide[row.order]
    assert row.score.worst <= bound + RESOLUTION, f"{row} exceeds {bound} ULP"
    assert row.score.near_root <= NEAR_ROOT, f"{row} is inexact beside its root"
    few = MISROUNDED.get(row.dtype.name, math.inf)
    assert row.score.misrounded <= few, f"{row} has more than {few} misrounded results"


@over_dtypes
@over(cases(*POINTWISE))
def test_value_slope_and_curvature_are_exact(case, dtype):
    check(case, dtype)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """What is computed in bfloat16 by the blocks for GPUs, with the exponential that is here."""
    monkeypatch.setattr(CpuOps, "for_results", XlaOps.for_results)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.machinery
@pytest.mark.xdist_group("gpus")  # it forgets what was compiled, so let it all run at once
@over(cases(*POINTWISE))
def test_what_gpus_compute_in_bfloat16_is_exact(case, as_on_a_gpu):
    assert CpuOps.for_results(jnp.bfloat16) is Bfloat16Ops
    check(case, jnp.bfloat16)


@pytest.mark.xdist_group("gpus")
def test_a_wrong_exponential_for_gpus_is_found(as_on_a_gpu, monkeypatch):
    wrong = lambda v, low=None, *, lift=0: 1.01 * XlaOps.exp(v, low, lift=lift)
    monkeypatch.setattr(Bfloat16Ops, "exp", staticmethod(wrong))
    with pytest.raises(AssertionError):
        check(Case(CATALOG["silu"]), jnp.bfloat16)


def by_parameters() -> Iterator[Any]:
    """Parameters to differentiate by: in float32 at their typical values, all else thoroughly."""
    typical, first = {repr(case) for case in typical_cases()}, coverage_set()
    for case in cases("elementwise", "random"):
        for name, value in case.learnable.items():
            if not isinstance(value, float) or name in case.entry.pseudo:
                continue  # what has entries, or no derivative, is for a law of its own
            for dtype in DTYPES:
                quick = dtype == np.float32 or (dtype == jnp.bfloat16 and case.entry.name in first)
                marks = [] if quick and repr(case) in typical else pytest.mark.thorough
                label = f"{case}-by-{name}-{np.dtype(dtype).name}"
                yield pytest.param(case, name, dtype, id=label, marks=marks)


@pytest.mark.parametrize(("case", "name", "dtype"), list(by_parameters()))
def test_derivatives_by_parameters_are_exact(case, name, dtype):
    check_by(case, name, dtype)


def check_by(case: Case, name: str, dtype) -> None:
    """Asserts the bounds for derivatives by a parameter, of which the first is a slope."""
    for row in measure_by(case.entry, case.parameters, name, dtype):
        assert_within(row, UNIVERSAL)


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
        check(Case(entry), np.float32)


def test_ties_that_float32_cannot_see_are_found():
    def rounded_twice(x: ArrayLike, alpha: ArrayLike = 1.0) -> jax.Array:
        wide = jnp.asarray(x, jnp.float32)
        below = alpha * jnp.expm1(jnp.minimum(wide, 0))
        return jnp.where(wide > 0, wide, below).astype(jnp.asarray(x).dtype)

    entry = dataclasses.replace(CATALOG["elu"], function=rounded_twice)
    with pytest.raises(AssertionError, match="misrounded"):
        check(Case(entry, {"alpha": 2.5}), jnp.bfloat16)


def test_a_wrong_derivative_by_a_parameter_is_found():
    def cancels(x: ArrayLike, alpha: ArrayLike = 1.0) -> jax.Array:
        return jnp.where(x > 0, x, alpha * jnp.exp(jnp.minimum(x, 0)) - alpha)

    entry = dataclasses.replace(CATALOG["elu"], function=cancels)
    with pytest.raises(AssertionError, match="exceeds"):
        check_by(Case(entry, {"alpha": 1.0}), "alpha", np.float32)
