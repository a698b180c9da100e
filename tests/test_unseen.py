"""Reports say what they do not look into, and which activations are called there."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import pallas as pl

import jaxact
from jaxact.diagnostics import gradient_report, unit_report

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def test_a_step_of_an_unknown_kind_is_named_with_the_activations_called_there():
    def model(x):
        solve = lambda matvec, b: jax.nn.relu(b) / 2
        return jaxact.tanh(lax.custom_linear_solve(lambda y: 2 * y, x, solve, solve))

    with pytest.warns(UserWarning, match=r"custom_linear_solve \(which calls relu\)"):
        report = unit_report(model, [X])
    assert [layer.activation for layer in report.layers] == ["tanh"]


def test_a_kernel_is_named_though_it_calls_nothing():
    def kernel(x, y):
        y[...] = jnp.maximum(x[...], 0)

    def model(x):
        call = pl.pallas_call(kernel, jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)
        return jaxact.tanh(call(x))

    with pytest.warns(UserWarning, match="does not look into pallas_call: the report misses"):
        unit_report(model, [X])


def test_a_function_with_a_rule_for_more_than_one_activation_is_named():
    @jax.custom_jvp
    def layers(x):
        return jaxact.gelu(jaxact.elu(x) @ jnp.ones((3, 3)))

    layers.defjvp(lambda primals, tangents: (layers(*primals), tangents[0]))
    loss = lambda w, x: jnp.sum(jaxact.tanh(layers(x @ w)))
    with pytest.warns(UserWarning, match=r"custom_jvp_call \(which calls elu, gelu\)"):
        gradient_report(loss, jnp.ones((3, 3)), X)


def test_nothing_is_said_of_steps_that_hold_no_activations():
    def model(x):
        x = lax.cumsum(jnp.sort(x), axis=0) + jnp.argmax(x).astype(x.dtype)
        x = lax.reduce(x, np.float32(0), lambda a, b: a + b, (0,))[None] + x.at[0].add(1)
        x = lax.reduce_window(x, np.float32(0), lambda a, b: a + b, (1, 1), (1, 1), "SAME")
        return jaxact.tanh(jax.nn.softmax(x) + jax.nn.logsumexp(x, keepdims=True))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit_report(model, [X])
