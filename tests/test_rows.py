"""Functions of rows: what attention looks at, and which experts are chosen."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxact
from jaxact.diagnostics import unit_report

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6, 8)), jnp.float32)
W = jnp.asarray(np.random.default_rng(1).normal(size=(2, 8, 8)), jnp.float32)


def attention(x, *, scale=1.0, softmax=jax.nn.softmax, mask=None):
    """Attention of two heads, and a relu so that there are units too."""
    split = lambda a: a.reshape(*a.shape[:-1], 2, 4)
    q, k = (split(x @ w) for w in W)
    scores = scale * jnp.einsum("bqhd,bkhd->bhqk", q, k)
    scores = scores if mask is None else jnp.where(mask[None, None], scores, -1e9)
    return jax.nn.relu(jnp.einsum("bhqk,bkhd->bqhd", softmax(scores), split(x)))


def spelt(scores):
    e = jnp.exp(scores - jnp.max(scores, -1, keepdims=True))
    return e / jnp.sum(e, -1, keepdims=True)


@pytest.mark.parametrize("softmax", [jax.nn.softmax, jaxact.softmax, spelt])
def test_the_numbers_of_attention_are_those_of_its_rows(softmax):
    report = unit_report(lambda x: attention(x, softmax=softmax), [X[:3], X[3:]])
    (rows,) = report.rows
    assert "attention" in rows.activation
    q, k = ((X @ w).reshape(4, 6, 2, 4) for w in W)
    scores = np.asarray(jnp.einsum("bqhd,bkhd->bhqk", q, k), np.float64)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    entropy = -(weights * np.log(weights)).sum(-1) / math.log(6)
    np.testing.assert_allclose(rows.largest_logit, abs(scores).max((0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(rows.entropy, entropy.mean((0, 2)), rtol=1e-3, atol=1e-4)
    one_hot = (weights.max(-1) >= 0.99).mean((0, 2))
    np.testing.assert_allclose(rows.one_hot, one_hot, atol=1e-6)
    np.testing.assert_allclose(rows.sink, weights.mean((0, 2)).max(-1), rtol=1e-4)
    assert [u.activation for u in report.layers] == ["relu"]


def test_what_is_masked_does_not_count():
    """The first row of a causal mask sees one entry, and says nothing."""
    mask = jnp.tril(jnp.ones((6, 6), bool))
    (rows,) = unit_report(lambda x: attention(x, scale=0.0, mask=mask), X).rows
    assert float(rows.rows[0]) == 4 * 5
    np.testing.assert_allclose(rows.entropy, 1, rtol=1e-5)
    np.testing.assert_allclose(rows.one_hot, 0)


def test_attention_that_looks_at_one_entry_is_found():
    (rows,) = unit_report(lambda x: attention(x, scale=1e3), X).rows
    assert rows.summary()["one_hot"] > 0.9
    assert rows.to_dict()["heads"]["one_hot"] == np.ravel(rows.one_hot).tolist()


def test_attention_by_sigmoid_is_no_gate():
    scaled = lambda scores: jax.nn.sigmoid(scores - math.log(6))
    report = unit_report(lambda x: attention(x, softmax=scaled), X)
    assert [r.activation for r in report.rows] == ["sigmoid"]
    assert [u.activation for u in report.layers] == ["relu"]


def test_loads_of_experts_are_counted():
    def routed(x, bias):
        scores = jax.nn.softmax(x @ W[0][:, :4] + bias[None, None])
        weights, chosen = jax.lax.top_k(scores, 2)
        shares = jnp.sum(jax.nn.one_hot(chosen, 4) * weights[..., None], -2)
        return jax.nn.relu(jnp.einsum("bte,ed->btd", shares, W[1][:4]))

    bias = jnp.array([0.0, -1e3, 0.0, 0.0])
    report = unit_report(lambda x: routed(x, bias), [X, X])
    (choices,) = report.choices
    scores = np.asarray(X @ W[0][:, :4]) + np.asarray(bias)
    order = np.argsort(-scores, -1)[..., :2]
    expected = 2 * np.bincount(order.ravel(), minlength=4)
    np.testing.assert_array_equal(choices.load, expected)
    assert choices.unused.tolist() == [False, True, False, False]
    assert choices.summary()["unused"] == 1
    assert "router" in report.rows[0].activation
    (advice,) = (a for a in jaxact.diagnostics.advise(report) if "chosen" in a.finding)
    assert advice.sure == "certain"
