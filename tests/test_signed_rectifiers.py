"""Rectifiers of both signs: the definition for each channel, the gradient of what passes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DTYPES, precision
from test_formulas import PLAIN

import jaxact
from jaxact import CATALOG

over_both = pytest.mark.parametrize("name", ["crelu", "brelu"])


@over_both
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
def test_values_and_gradients_are_those_of_the_definition(name, dtype):
    function, formula = CATALOG[name].function, functools.partial(CATALOG[name].formula, PLAIN)
    row = np.array([-3.0, 2.5, 0.0, -0.0, 1e4, -0.5, 7.0, 0.0])
    with precision(dtype):
        x = jnp.asarray(row, dtype)
        y, pull_back = jax.vjp(function, x)
        np.testing.assert_array_equal(y, jnp.stack(formula(list(x))).astype(dtype))
        weights = jnp.arange(1, 1 + y.size).astype(dtype)
        passes = np.sign(np.asarray(y, np.float64)) * np.sign(np.resize(row, y.size))
        terms = passes * np.asarray(weights, np.float64)
        expected = np.sum(terms.reshape(-1, row.size), 0)
        np.testing.assert_array_equal(np.asarray(pull_back(weights)[0], np.float64), expected)


@over_both
def test_any_axis_may_hold_the_channels(name):
    function = CATALOG[name].function
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32))
    for axis in (0, 1, -2):
        moved = function(jnp.moveaxis(x, axis, -1))
        np.testing.assert_array_equal(function(x, axis), jnp.moveaxis(moved, -1, axis))
    with pytest.raises(ValueError, match=f"{name}: axis is 3, but x has 3 dimensions"):
        function(x, 3)
    with pytest.raises(ValueError, match=f"{name}: axis is -1, but x has 0 dimensions"):
        function(1.0)


def test_a_zero_passes_nothing_on():
    for function in (jaxact.crelu, jaxact.brelu):
        y, pull_back = jax.vjp(function, jnp.zeros(4))
        assert not np.any(pull_back(jnp.ones_like(y))[0])
