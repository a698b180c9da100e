"""Blocks of published models, built of ours, give the numbers of the formulas that describe them.

In float64. The formulas are NumPy's, written down from each source and from nothing of ours.
"""

import functools
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import precision

import jaxact

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(0, 2, (5, 16))
GATE, UP, DOWN = (RANDOM.normal(0, 1, s) for s in ((16, 64), (16, 64), (64, 16)))
BIAS = RANDOM.normal(0, 1, 128)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def mlp(gated):
    """A feed-forward block of two matrices, their product through a gate, and one back."""
    return gated(X @ GATE, X @ UP) @ DOWN


def interleaved(gate, up):
    return np.stack([gate, up], -1).reshape(*gate.shape[:-1], -1)


# --- As their sources have it --------------------------------------------------------------------


def gpt_oss():
    """One matrix of both, in turn, with biases; limit 7, alpha 1.702, one added to the value."""
    both = X @ interleaved(GATE, UP) + BIAS
    gate, up = np.minimum(both[..., ::2], 7.0), np.clip(both[..., 1::2], -7.0, 7.0)
    return ((up + 1) * (gate * logistic(1.702 * gate))) @ DOWN


def deepseek_v4(gate, up):
    gate, up = np.minimum(gate, 10.0), np.clip(up, -10.0, 10.0)
    return gate * logistic(gate) * up


def step_3(gate, up):
    return np.minimum(gate * logistic(gate), 7.0) * np.clip(up, -7.0, 7.0)


def kimi_k3(gate, up):
    return 4 * np.tanh(gate / 4) * logistic(gate) * (25 * np.tanh(up / 25))


def transformer_engine_blocks():
    """SReGLU of one matrix, in blocks of 32 that take turns."""
    both = (X @ np.concatenate([GATE[:, :32], UP[:, :32], GATE[:, 32:], UP[:, 32:]], 1)).reshape(
        5, 2, 2, 32
    )
    return (np.maximum(both[:, :, 0], 0) ** 2 * both[:, :, 1]).reshape(5, 64) @ DOWN


def gemma_2():
    """Logits of words, kept below 30."""
    return 30 * np.tanh(X @ UP / 30)


def gemma_3n():
    """Of the gate what exceeds the 95 % quantile of a normal row, then GELU by tanh."""
    gate, up = X @ GATE, X @ UP
    cutoff = gate.mean(-1, keepdims=True)
    cutoff = cutoff + statistics.NormalDist().inv_cdf(0.95) * gate.std(-1, keepdims=True)
    gate = np.maximum(gate - cutoff, 0)
    gelu = gate / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
    return (gelu * up) @ DOWN


def attention_with_a_sink():
    """A logit that takes its share of the probability and has no value, as in gpt-oss."""
    logits = np.concatenate([X @ UP, np.full((5, 1), 0.7)], -1)
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True))[:, :-1] @ DOWN


def bigvgan():
    """Parameters are logarithms, one each for every channel."""
    alpha, beta = np.exp(BIAS[:16] / 4), np.exp(BIAS[16:32] / 4)
    return X + np.sin(alpha * X) ** 2 / beta


def jump_autoencoder():
    """The reconstruction, and how many features are active."""
    pre, threshold = X @ UP, np.exp(BIAS[:64])
    features = pre * (pre > threshold)
    return np.concatenate([features @ DOWN, (pre > threshold).sum(-1, keepdims=True)], -1)


def top_k_autoencoder():
    pre = X @ UP
    least = np.sort(pre, -1)[:, -8:][:, :1]
    return np.where(pre >= least, pre, 0) @ DOWN


# --- Of ours --------------------------------------------------------------------------------------


def ours_jump_autoencoder():
    pre, threshold = X @ UP, jnp.exp(BIAS[:64])
    active = jnp.sum(jaxact.jump_step(pre, threshold), -1, keepdims=True)
    return jnp.concatenate([jaxact.jump_relu(pre, threshold) @ DOWN, active], -1)


def of_one(gated, weights, bias=0.0, **options):
    return gated(X @ weights + bias, **options) @ DOWN


BLOCKS = {
    "gpt-oss": (
        gpt_oss,
        lambda: of_one(jaxact.clamped_swiglu, interleaved(GATE, UP), BIAS, layout="interleaved"),
    ),
    "DeepSeek-V4": (
        lambda: mlp(deepseek_v4),
        lambda: mlp(functools.partial(jaxact.clamped_swiglu, limit=10.0, alpha=1.0, offset=0.0)),
    ),
    "Step-3.5": (lambda: mlp(step_3), lambda: mlp(jaxact.swiglu_step)),
    "Kimi K3": (lambda: mlp(kimi_k3), lambda: mlp(jaxact.situ_glu)),
    "blocks of 32": (
        transformer_engine_blocks,
        lambda: of_one(
            jaxact.sreglu,
            np.concatenate([GATE[:, :32], UP[:, :32], GATE[:, 32:], UP[:, 32:]], 1),
            layout=32,
        ),
    ),
    "quick gates": (
        lambda: mlp(lambda gate, up: gate * logistic(1.702 * gate) * up),
        lambda: mlp(jaxact.qgeglu),
    ),
    "Gemma 2": (gemma_2, lambda: jaxact.soft_cap(X @ UP)),
    "Gemma 3n": (
        gemma_3n,
        lambda: mlp(lambda gate, up: jaxact.geglu(jaxact.gaussian_top_k(gate, 0.95), up)),
    ),
    "attention with a sink": (
        attention_with_a_sink,
        lambda: jaxact.softmax(X @ UP, sink=0.7) @ DOWN,
    ),
    "BigVGAN": (
        bigvgan,
        lambda: jaxact.snake_beta(X, jnp.exp(BIAS[:16] / 4), jnp.exp(BIAS[16:32] / 4)),
    ),
    "JumpReLU autoencoder": (jump_autoencoder, ours_jump_autoencoder),
    "top-k autoencoder": (top_k_autoencoder, lambda: jaxact.k_winners(X @ UP, 8) @ DOWN),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_published_block_gives_the_numbers_of_its_formula(name):
    described, built = BLOCKS[name]
    expected = described()
    assert np.all(np.isfinite(expected))
    with precision(np.float64), jax.numpy_rank_promotion("allow"):
        got = np.asarray(built())
    assert got.dtype == np.float64
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14 * scale)


def test_bounds_are_met_in_these_blocks():
    """Or they would tell nothing of limits."""
    gate, up = X @ GATE, X @ UP
    for limit in (7.0, 10.0):
        assert all(np.any(a > limit) and np.any(a < limit) for a in (gate, np.abs(up)))
