"""What piecewise linear units have of their own: entries along an axis, and infinitely far away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import FEATURES, assert_close

import jaxact

X = jnp.asarray(np.random.default_rng(0).normal(0, 2, (8, FEATURES)).astype(np.float32))


def test_one_hinge_makes_a_leaky_rectifier_and_two_a_straight_line():
    assert_close(jaxact.apl(X, (-0.2,), (0.0,)), jaxact.leaky_relu(X, 0.2), ulps=1)
    assert_close(jaxact.apl(X, (-1.0, 0.0), (0.0, 5.0)), X, ulps=1)
    assert_close(jaxact.apl(X, (), ()), jaxact.relu(X), ulps=0)


def test_entries_may_be_numbers_lists_arrays_or_rows_of_either():
    slopes, hinges = (0.25, -0.5), (1.0, -0.5)
    expected = jaxact.apl(X, slopes, hinges)
    row = jnp.ones(FEATURES)
    for a, b in (
        (list(slopes), list(hinges)),
        (jnp.array(slopes), np.array(hinges, np.float32)),
        ([0.25, -0.5 * row], jnp.stack([1.0 * row, -0.5 * row])),
        (jnp.array(slopes)[:, None, None], hinges),
    ):
        assert_close(jaxact.apl(X, a, b), expected, ulps=1)


def test_many_hinges_tell_their_slopes_too():
    """More than a byte can tell: then x is kept."""
    random = np.random.default_rng(1)
    slopes, hinges = (tuple(random.normal(size=12).tolist()) for _ in range(2))
    x = np.asarray(X)
    below = x[..., None] < np.array(hinges)
    expected = (x > 0) - np.sum(np.where(below, slopes, 0.0), -1)
    y, pull_back = jax.vjp(lambda x: jaxact.apl(x, slopes, hinges), X)
    np.testing.assert_allclose(pull_back(jnp.ones_like(y))[0], expected, rtol=1e-5, atol=1e-6)


def test_terms_of_both_signs_have_a_limit():
    x = jnp.array([-jnp.inf, jnp.inf])
    for slopes, limit in (((1.0, -3.0), -np.inf), ((3.0, -1.0), np.inf)):
        np.testing.assert_array_equal(jaxact.apl(x, slopes, (0.0, -1.0)), [limit, np.inf])


REFUSED = {
    "slopes has 2 entries, but hinges has 1": lambda: jaxact.apl(X, (1.0, 2.0), (0.0,)),
    "slopes is one number, but must have": lambda: jaxact.apl(X, 1.0, (0.0,)),
    "slopes_0 of shape": lambda: jaxact.apl(X, jnp.ones((1, 7)), (0.0,)),
    "srelu: lower is 2.0, above upper": lambda: jaxact.srelu(X, 2.0, 0.1, 1.0, 0.1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_parameters_are_refused_with_a_remedy(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
