"""What rational activations have of their own: coefficients, and powers that leave the format."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import FEATURES, assert_close, precision

import jaxact

PAPER = (6, 4)  # coefficients, for the degrees 5 and 4


def plain(x, numerator, denominator):
    """The definition, by powers."""
    above = sum(a * x**i for i, a in enumerate(numerator))
    return above / (1 + jnp.abs(sum(b * x**j for j, b in enumerate(denominator, 1))))


@pytest.mark.parametrize("counts", [PAPER, (1, 1), (2, 3), (3, 5), (8, 2)])
def test_any_degrees_will_do(counts):
    """Values, and derivatives by x to order 2 and by coefficients: those of the definition."""
    random = np.random.default_rng(0)
    with precision(np.float64):
        x = jnp.asarray(random.normal(0, 2, FEATURES))
        coefficients = [jnp.asarray(random.normal(size=(n, FEATURES))) for n in counts]

        def derivatives(function):
            total = lambda x, *c: jnp.sum(function(x, *c))
            by_x = lambda x, *c: jnp.sum(jax.grad(total)(x, *c))
            first, second = jax.grad(total, (0, 1, 2)), jax.grad(by_x, (0, 1, 2))
            return jax.jit(lambda *a: (function(*a), first(*a), second(*a)))(x, *coefficients)

        assert_close(derivatives(jaxact.rational), derivatives(plain), ulps=1e4)
        for x in (jnp.linspace(-300, 300, 61), jnp.linspace(-1e6, 1e6, 61)):
            ends = [tuple(random.normal(size=n).tolist()) for n in counts]
            got, expected = jaxact.rational(x, *ends), plain(x, *ends)
            np.testing.assert_allclose(got, expected, rtol=1e-11)


def test_numbers_and_arrays_agree_far_out():
    x = jnp.asarray([-3e38, -1e20, -1e5, 1e5, 1e20, 3e38], jnp.float32)
    numerator, denominator = (0.1, 1.0, 0.2, 0.3, 0.1, 0.25), (0.5, 0.2, 0.25, 0.5)
    arrays = jnp.asarray(numerator), jnp.asarray(denominator)
    for function in (jaxact.rational, jax.vmap(jax.grad(jaxact.rational), (0, None, None))):
        got = function(x, numerator, denominator)
        assert_close(got, function(x, *arrays), ulps=8)
        assert np.all(np.isfinite(got))
    np.testing.assert_allclose(jaxact.rational(x, numerator, denominator)[::5], x[::5] / 2)


def test_derivatives_by_coefficients_stay_finite_far_out():
    """The highest ones grow as the value does, the others have limits."""
    random = np.random.default_rng(4)
    coefficients = tuple(jnp.asarray(random.normal(size=n).astype(np.float32)) for n in PAPER)
    for x in (3e7, -1e20):
        by_numerator, by_denominator = jax.grad(jaxact.rational, (1, 2))(x, *coefficients)
        (*_, a), (*_, b) = (c.tolist() for c in coefficients)
        limits = [1 / abs(b), x / abs(b)], -a * x / b / abs(b)
        np.testing.assert_allclose(by_numerator[-2:], limits[0], rtol=1e-4)
        np.testing.assert_allclose(by_denominator[-1], limits[1], rtol=1e-4)
        assert np.all(np.isfinite([*by_numerator, *by_denominator]))


@pytest.mark.parametrize("denominator", [(0.0,) * 4, (0.0, 0.0, 1e-30, 0.0)])
def test_a_polynomial_stays_one_far_out(denominator):
    """Where learning begins with the identity, there is nothing below that could be large."""
    identity = jnp.asarray([0.0, 1.0, 0.0, 0.0, 0.0, 0.0]), jnp.asarray(denominator)
    for value in (0.5, 1e3, 1e5, -1e9):
        y, slope = jax.value_and_grad(jaxact.rational)(value, *identity)
        np.testing.assert_allclose([y / value, slope], 1.0, rtol=1e-2)


def test_a_row_of_coefficients_per_feature():
    random = np.random.default_rng(3)
    x = jnp.asarray(random.normal(size=(8, FEATURES)).astype(np.float32))
    numerator, denominator = (random.normal(size=(n, FEATURES)).astype(np.float32) for n in PAPER)
    y = jaxact.rational(x, numerator, denominator)
    for feature in (0, 17):
        own = numerator[:, feature].tolist(), denominator[:, feature].tolist()
        assert_close(y[:, feature], jaxact.rational(x[:, feature], *own), ulps=16)


REFUSED = {
    "numerator is one number, but must have": lambda: jaxact.rational(1.0, 1.0, (0.0,)),
    "denominator is empty": lambda: jaxact.rational(1.0, (1.0, 2.0), ()),
    "numerator_0 of shape": lambda: jaxact.rational(jnp.ones(3), jnp.ones((2, 7)), (0.0,)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_coefficients_are_refused_with_a_remedy(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
