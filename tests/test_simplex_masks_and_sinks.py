"""Functions of rows with masks, factors and sinks: what is absent has no part in any derivative."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import formats, precision

import jaxact

LOGITS = np.float32([[1.0, -2.0, 0.5, 3.0], [40.0, 2.0, 1.0, 50.0]])
MASK = np.array([True, True, False, True])
PROBABILITIES = ("softmax", "softmin", "sparsemax", "entmax")
over_probabilities = pytest.mark.parametrize("name", PROBABILITIES)


@over_probabilities
@pytest.mark.parametrize("dtype", formats(jnp.bfloat16, np.float32))
def test_the_gradient_of_a_masked_entropy_is_that_of_the_shorter_row(name, dtype):
    """Masked probabilities are 0, so that the logarithm's slope there is infinite."""
    function = getattr(jaxact, name)
    logits = jnp.asarray([[1.0, 0.5, 0.25, 0.75]], dtype)

    def entropy(x, where=None):
        p = function(x, where=where)
        return -jnp.sum((p * jnp.log(p)).astype(np.float32), where=where)

    masked = jax.jit(jax.grad(functools.partial(entropy, where=MASK)))(logits)
    shorter = jax.jit(jax.grad(entropy))(logits[:, MASK])
    np.testing.assert_array_equal(masked[:, MASK], shorter)
    assert not np.any(masked[:, ~MASK])


@pytest.mark.parametrize(
    "name", [*PROBABILITIES, "log_softmax", "logsumexp", "logmeanexp", "standardize"]
)
def test_no_cotangent_and_no_number_of_a_masked_entry_counts(name):
    """Not an infinite or missing cotangent, and neither inf nor NaN behind the mask."""
    function = functools.partial(getattr(jaxact, name), axis=-1, where=MASK)
    for hidden in (np.nan, np.inf, -np.inf):
        poisoned = jnp.where(MASK, LOGITS, hidden).astype(np.float32)
        gradients = []
        for x, bad in ((LOGITS, 1.0), (LOGITS, np.nan), (poisoned, np.inf)):
            y, pull_back = jax.vjp(function, jnp.asarray(x))
            t = jnp.ones_like(y) if y.ndim < 2 else jnp.where(MASK, jnp.arange(4.0), bad)
            (gradient,) = pull_back(jnp.broadcast_to(t, y.shape))
            gradients.append(np.asarray(gradient))
        assert np.all(np.isfinite(gradients[0]))
        assert not np.any(gradients[0][:, ~MASK])
        np.testing.assert_array_equal(gradients[1], gradients[0])
        np.testing.assert_array_equal(gradients[2], gradients[0])


@pytest.mark.parametrize(
    "name",
    [*PROBABILITIES, "log_softmax", "logsumexp", "logmeanexp", "standardize"],
)
def test_a_mask_that_is_larger_or_does_not_fit_is_refused(name):
    function = getattr(jaxact, name)
    x = jnp.ones((2, 4))
    for shape in ((3, 2, 4), (1, 2, 4), (3,), (2, 3)):
        with pytest.raises(ValueError, match=rf"{name}: where of shape .* does not broadcast to x"):
            function(x, where=np.ones(shape, bool))
    assert np.all(np.isfinite(function(x, where=np.ones((1, 4), bool))))


def test_the_slopes_of_a_sum_with_factors():
    """exp(a) / sum by a factor, also where it is 0; b exp(a) / sum by a; 0 where a is -inf."""
    with precision(np.float64):
        a = jnp.asarray([0.5, -jnp.inf, 1.0, 2.0, -800.0])
        b = jnp.asarray([1.0, 2.0, 0.0, 0.25, 1.0])
        function = lambda a, b: jaxact.logsumexp(a, b=b)
        by_a, by_b = jax.jit(jax.jacobian(function, (0, 1)))(a, b)
        e = np.exp(np.asarray(a))
        np.testing.assert_allclose(by_b, e / np.sum(b * e), rtol=1e-14)
        np.testing.assert_allclose(by_a, b * e / np.sum(b * e), rtol=1e-14)
        far = jnp.asarray([1000.0, 0.0])  # the larger takes no part
        by_a, by_b = jax.jacobian(function, (0, 1))(far, jnp.asarray([0.0, 1.0]))
        assert by_b[0] == np.inf
        assert np.array_equal(by_a, [0, 1])
        nothing = jnp.full(3, -jnp.inf)
        for gradient in jax.jacobian(function, (0, 1))(nothing, jnp.ones(3)):
            assert not np.any(gradient)
        finite = a[jnp.asarray([0, 2, 3])], b[jnp.asarray([0, 2, 3])]
        hessian = jax.hessian(function, (0, 1))(*finite)
        plain = lambda a, b: jnp.log(jnp.sum(b * jnp.exp(a)))
        for got, exact in zip(
            jax.tree.leaves(hessian),
            jax.tree.leaves(jax.hessian(plain, (0, 1))(*finite)),
            strict=True,
        ):
            np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-14)


def test_no_entry_takes_part_in_a_sum():
    for function in (jaxact.logsumexp, functools.partial(jaxact.logsumexp, b=jnp.ones(2))):
        a = jnp.full(2, -jnp.inf)
        assert function(a) == -jnp.inf
        assert not np.any(jax.grad(function)(a))


# --- Sinks -----------------------------------------------------------------------------------

SINKS = np.float32([[0.25], [45.0]])


def with_an_entry_more(name):
    """The function without a sink, of rows in which the sink is an entry: what it means."""

    def function(x, sink):
        row = jnp.concatenate([x, jnp.broadcast_to(sink, (*x.shape[:-1], 1))], -1)
        return getattr(jaxact, name)(row)[..., :-1]

    return function


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("sink", [SINKS, SINKS[0, 0], -np.inf * SINKS, 200 * SINKS], ids=str)
def test_a_sink_is_an_entry_that_is_not_returned(name, sink):
    with precision(np.float64):
        x, sink = jnp.asarray(LOGITS, np.float64), jnp.asarray(sink, np.float64)
        own = lambda x, sink: getattr(jaxact, name)(x, sink=sink)
        other = with_an_entry_more(name)
        assert np.all(jnp.sum(jaxact.softmax(x, sink=sink), -1) <= 1)
        np.testing.assert_allclose(own(x, sink), other(x, sink), rtol=1e-14)
        weights = jnp.cos(jnp.arange(8.0)).reshape(2, 4)
        finite = bool(np.all(np.isfinite(sink)))
        for along in (0, 1) if finite else (0,):
            slopes = [
                jax.jit(jax.grad(lambda *a, f=f: jnp.sum(weights * f(*a) ** 2), along))
                for f in (own, other)
            ]
            got, exact = (slope(x, sink) for slope in slopes)
            np.testing.assert_allclose(got, exact, rtol=1e-9, atol=1e-12 * np.max(np.abs(exact)))
        if finite:
            t = (jnp.sin(x), jnp.cos(sink))
            got, exact = (
                jax.jvp(
                    jax.grad(lambda *a, f=f: jnp.sum(weights * f(*a) ** 2), (0, 1)), (x, sink), t
                )[1]
                for f in (own, other)
            )
            for g, e in zip(got, exact, strict=True):
                np.testing.assert_allclose(g, e, rtol=1e-8, atol=1e-11 * np.max(np.abs(exact[0])))


def test_a_sink_of_zero_is_softmax1():
    x = jnp.asarray(LOGITS)
    exact = jnp.exp(x) / (1 + jnp.sum(jnp.exp(x), -1, keepdims=True))
    np.testing.assert_allclose(jaxact.softmax(x[:1], sink=0), exact[:1], rtol=1e-6)
    assert jaxact.softmax(x, axis=0, sink=jnp.zeros(4)).shape == x.shape


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 1), (1, 2, 1)])
def test_a_sink_that_varies_along_the_axis_or_does_not_fit_is_refused(shape):
    for function in (jaxact.softmax, jaxact.log_softmax):
        with pytest.raises(ValueError, match="sink of shape"):
            function(jnp.asarray(LOGITS), sink=jnp.zeros(shape))


@pytest.mark.parametrize("dtype", formats())
def test_a_sink_keeps_the_dtype_and_works_with_a_mask(dtype):
    with precision(dtype):
        x = jnp.asarray(LOGITS, dtype)
        for function in (jaxact.softmax, jaxact.log_softmax):
            y = function(x, where=MASK, sink=np.float32(0.5))
            assert y.dtype == dtype
            shorter = function(x[:, MASK], sink=np.float32(0.5))
            np.testing.assert_array_equal(np.asarray(y)[:, MASK], np.asarray(shorter))
