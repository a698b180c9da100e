"""Dynamic ReLU: coefficients that a network chooses for each input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import identical

import jaxact


def test_the_coefficients_may_follow_from_the_input():
    """As in the paper's form B: two lines for each image and channel."""
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 3, 3, 5)).astype(np.float32))
    weights = jnp.asarray(random.normal(size=(5, 2, 2, 5)).astype(np.float32))

    def layer(x, weights):
        chosen = jnp.einsum("bc,ckld->klbd", jnp.mean(x, (1, 2)), weights)
        slopes, intercepts = chosen[:, :, :, None, None, :]
        return jaxact.dynamic_relu(x, slopes, intercepts)

    def plain(x, weights):
        chosen = jnp.einsum("bc,ckld->klbd", jnp.mean(x, (1, 2)), weights)
        slopes, intercepts = chosen[:, :, :, None, None, :]
        return jnp.max(slopes * x[None] + intercepts, 0)

    with jax.numpy_rank_promotion("allow"):
        for argument in (0, 1):
            got, expected = (
                jax.grad(lambda *a, f=f: jnp.sum(jnp.sin(f(*a))), argument)(x, weights)
                for f in (layer, plain)
            )
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer(x, weights), plain(x, weights), rtol=1e-5, atol=1e-6)


def test_where_lines_meet_the_first_has_the_gradient():
    slopes, intercepts = jnp.float32([2.0, 3.0]), jnp.zeros(2)
    f = lambda x, a, b: jaxact.dynamic_relu(x, a, b)
    by_x, by_slopes, by_intercepts = jax.grad(f, (0, 1, 2))(jnp.float32(0), slopes, intercepts)
    assert by_x == 2
    np.testing.assert_array_equal(by_slopes, [0, 0])
    np.testing.assert_array_equal(by_intercepts, [1, 0])


def test_leaky_relu_is_one_of_these():
    x = jnp.linspace(-3, 3, 101)
    assert identical(jaxact.dynamic_relu(x, (1.0, 0.25), (0.0, 0.0)), jaxact.leaky_relu(x, 0.25))


def test_coefficients_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="slopes has 2 entries, but intercepts has 1"):
        jaxact.dynamic_relu(jnp.ones(3), (1.0, 0.5), (0.0,))
    with pytest.raises(ValueError, match=r"slopes is .* but must have 1 to 256 entries"):
        jaxact.dynamic_relu(jnp.ones(3), (), ())
