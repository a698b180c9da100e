"""Relaxed draws: their law, their gradients, and what the key decides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import gradient, identical, precision

import jaxact

LOGITS = jnp.log(jnp.float32([0.5, 0.3, 0.2]))


def test_entries_are_drawn_with_the_probabilities_of_softmax():
    """20,000 draws: a frequency is off by 0.0035 on average, and by 0.015 never."""
    logits = jnp.broadcast_to(LOGITS, (20000, 3))
    drawn = jaxact.gumbel_softmax(logits, jax.random.key(0), hard=True)
    np.testing.assert_allclose(jnp.mean(drawn, 0), [0.5, 0.3, 0.2], atol=0.015)
    relaxed = jaxact.gumbel_softmax(logits, jax.random.key(0), temperature=0.3)
    np.testing.assert_array_equal(jnp.argmax(relaxed, -1), jnp.argmax(drawn, -1))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32], ids=["bfloat16", "float32"])
def test_a_hard_draw_is_one_hot_with_the_gradient_of_the_relaxed_one(dtype):
    x = jnp.broadcast_to(LOGITS, (64, 3)).astype(dtype)
    key = jax.random.key(3)
    hard = lambda x: jaxact.gumbel_softmax(x, key, temperature=0.7, hard=True)
    soft = lambda x: jaxact.gumbel_softmax(x, key, temperature=0.7)
    y = np.asarray(hard(x), np.float32)
    assert np.all((y == 0) | (y == 1))
    assert np.all(y.sum(-1) == 1)
    assert hard(x).dtype == dtype
    assert identical(gradient(hard)(x), gradient(soft)(x))


def test_the_key_alone_decides():
    x = jnp.broadcast_to(LOGITS, (8, 3))
    draw = jax.jit(jaxact.gumbel_softmax)
    first, other = (draw(x, key) for key in jax.random.split(jax.random.key(0)))
    assert not identical(first, other)
    assert identical(first, draw(x, jax.random.split(jax.random.key(0))[0]))
    assert identical(first, jaxact.gumbel_softmax(x, jax.random.split(jax.random.key(0))[0]))
    assert identical(jaxact.gumbel_softmax(x, None), jaxact.softmax(x))
    with pytest.raises(TypeError):
        jaxact.gumbel_softmax(x, 7)


def test_the_temperature_may_be_annealed_and_learned():
    with precision(np.float64):
        x, key = jnp.broadcast_to(LOGITS, (8, 3)).astype(jnp.float64), jax.random.key(1)
        at = lambda t: jnp.sum(jaxact.gumbel_softmax(x, key, temperature=t) ** 2)
        one, h = jnp.float64(1.0), 1e-5
        np.testing.assert_allclose(at(1.0), at(one), rtol=1e-15)
        quotient = (at(one + h) - at(one - h)) / (2 * h)
        np.testing.assert_allclose(jax.grad(at)(one), quotient, rtol=1e-8)
    x = jnp.zeros((2, 3))
    for temperature in (0.0, -1):
        with pytest.raises(ValueError, match=r"gumbel_softmax: temperature is .* be positive"):
            jaxact.gumbel_softmax(x, key, temperature=temperature)


def test_the_noise_is_drawn_again_and_not_kept():
    x = jnp.broadcast_to(LOGITS, (8, 3)).astype(jnp.bfloat16)
    _, pull_back = jax.vjp(lambda x: jaxact.gumbel_softmax(x, jax.random.key(0), hard=True), x)
    (kept,) = (a for a in jax.tree.leaves(pull_back) if a.size > 2)
    assert identical(kept, x)
