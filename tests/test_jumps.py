"""Pseudo-derivatives: what they are, that they say so, and that nothing else has one."""

import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DTYPES, precision
from test_every_module import linen_layer, nnx_layer

import jaxact

SCOPE = (Path(__file__).parents[1] / "docs" / "scope.md").read_text()
T, WIDTH = 0.75, 0.5  # x counts between 0.5 and 1
X = np.array([-1.0, 0.4375, 0.5, 0.5625, 0.75, 0.9375, 1.0, 1.0625, np.inf])
NEAR = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
@pytest.mark.parametrize(("name", "height"), [("jump_relu", -T / WIDTH), ("jump_step", -1 / WIDTH)])
def test_by_the_threshold_it_is_a_rectangle(name, height, dtype):
    """As wide as the bandwidth, its ends left out, in both modes."""
    function = getattr(jaxact, name)
    with precision(dtype):
        x, t = jnp.asarray(X, dtype), jnp.full(X.shape, T, dtype)
        by_t = lambda t: function(x, t, WIDTH)
        forward = jax.jvp(by_t, (t,), (jnp.ones_like(t),))[1]
        _, pull_back = jax.vjp(by_t, t)
        for got in (forward, pull_back(jnp.ones_like(t))[0]):
            np.testing.assert_array_equal(np.asarray(got, np.float64), height * NEAR)
        total = jax.grad(lambda t: jnp.sum(function(x, t, WIDTH)))(jnp.asarray(T, dtype))
        assert total == 3 * height


def test_it_estimates_what_the_threshold_does_to_a_mean():
    """Over a density: by the threshold the mean of the step falls as the density there."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=2_000_000).astype(np.float32))
    density = float(jax.scipy.stats.norm.pdf(T))
    for function, expected in ((jaxact.jump_step, -density), (jaxact.jump_relu, -T * density)):
        slope = jax.grad(lambda t, f=function: jnp.mean(f(x, t, 0.1)))(T)
        np.testing.assert_allclose(slope, expected, rtol=0.02)


def test_what_has_a_pseudo_derivative_says_so():
    found = [entry for entry in jaxact.CATALOG.values() if entry.pseudo]
    assert found
    for entry in found:
        assert "pseudo-derivative" in inspect.getdoc(entry.function)
        assert f"`{entry.name}`" in SCOPE
        assert set(entry.pseudo) <= inspect.signature(entry.function).parameters.keys()


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_the_module_stores_logarithms(build):
    x = jnp.linspace(-1.0, 2.0, 24).reshape(4, 6)
    options = {"num_parameters": 6, "log_threshold_init": np.log(T), "bandwidth": WIDTH}
    layer = build("JumpReLU", x, **options)
    np.testing.assert_allclose(layer.parameters["log_threshold"], np.full(6, np.log(T)), rtol=1e-6)
    np.testing.assert_array_equal(layer.apply(layer.parameters, x), jaxact.jump_relu(x, T))
    slopes = jax.grad(lambda p: jnp.sum(layer.apply(p, x)))(layer.parameters)["log_threshold"]
    by_t = jax.grad(lambda t: jnp.sum(jaxact.jump_relu(x, t, WIDTH)))(jnp.full(6, T))
    assert np.any(by_t)
    np.testing.assert_allclose(slopes, T * by_t, rtol=1e-5)
