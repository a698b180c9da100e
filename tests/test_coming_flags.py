"""JAX's coming flags: with each of them on, everything is what it is without.

All are there from JAX 0.12 on, which needs Python 3.12: of an older JAX the tests say what is not.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax

import jaxact
from jaxact import _opaque_call
from jaxact.backward import few_bit, lean
from jaxact.diagnostics import gradient_report, unit_report

FLAGS = ("jax_remat3", "jax_custom_jvp3", "jax_scan3")


def here(flag):
    """The flag, if this JAX has it; a test that says that it has not, if it has not."""
    reason = f"jax {jax.__version__} has no flag {flag}"
    return flag if hasattr(jax.config, flag) else pytest.param(flag, marks=pytest.mark.skip(reason))


X = np.linspace(-2.5, 2.0, 8, dtype=np.float32).reshape(2, 4)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32) / 2
OVER_FIVE = np.ones(5, np.float32) / 5
FUNCTIONS = {  # each way in which a derivative is made
    "from the input": jaxact.gelu,
    "from a mask": jaxact.relu,
    "from the output": lean(jaxact.elu),
    "from few bits": few_bit(jaxact.gelu),
    "from the largest": lambda x: jaxact.maxout(jnp.concatenate([x, -x], -1), 2),
    "of rows": jaxact.log_softmax,
    "of sparse rows": jaxact.sparsemax,
    "of rows and an exponent": lambda x: jaxact.entmax(x, jnp.abs(x[0, 0]) / 2),
    "of many parameters": lambda x: jaxact.rational(x, OVER_FIVE + x[0, 0], OVER_FIVE[1:]),
    "of an array": lambda x: jaxact.leaky_relu(x, jnp.abs(x[0, 1])),
}


def test_jax_has_all_of_the_flags_from_0_12_on():
    version = tuple(int(part) for part in jax.__version__.split(".")[:2])
    missing = [flag for flag in FLAGS if not hasattr(jax.config, flag)]
    assert missing == ([] if version >= (0, 12) else ["jax_custom_jvp3"])


@pytest.fixture(params=map(here, FLAGS))
def with_and_without(request):
    """Calls a function without a flag of JAX's and with it, and compares the results."""

    def compare(function):
        expected = function()
        jax.config.update(request.param, True)
        try:
            result = function()
        finally:
            jax.config.update(request.param, False)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-6, 1e-6), result, expected)

    compare.flag = request.param
    return compare


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_the_same(name, with_and_without):
    function = FUNCTIONS[name]
    loss = lambda x: jnp.sum(jnp.sin(function(x)))
    kept = jax.checkpoint(loss, policy=jax.checkpoint_policies.dots_saveable)
    through = lambda f: lambda x: jax.jvp(f, (x,), (x,))[1]

    def scanned(x):
        return lax.scan(lambda x, w: (function(x @ w), None), x, WEIGHTS)[0]

    each = [function, jax.grad(loss), jax.grad(kept), through(jax.grad(loss))]
    each += [jax.vmap(jax.grad(lambda x: loss(x[None])))]
    if with_and_without.flag != "jax_scan3":  # in 0.12.0 JAX scans not even jnp.sin rightly with it
        each += [scanned, jax.grad(lambda x: jnp.sum(scanned(x)))]
    with_and_without(lambda: jax.jit(lambda x: [f(x) for f in each])(X))


def test_modules_are_the_same(with_and_without):
    ours, theirs = jaxact.nnx.PReLU(rngs=nnx.Rngs(0)), jaxact.linen.PReLU()
    variables = theirs.init(jax.random.key(0), X)

    def gradients():
        by_module = nnx.grad(lambda module: jnp.sum(jnp.sin(module(X))))(ours)
        by_variables = jax.grad(lambda v: jnp.sum(jnp.sin(theirs.apply(v, X))))(variables)
        return jax.tree.leaves((by_module, by_variables))

    assert isinstance(theirs, linen.Module)
    with_and_without(gradients)


def network(weights, x):
    """Activations in a scan, in what is recomputed, and with a rule for their derivatives."""
    x, _ = lax.scan(lambda x, w: (jaxact.gelu(x @ w), None), x, weights)
    x = jax.checkpoint(lambda x: jax.nn.relu(jaxact.tanh(x @ weights[0])))(x)
    return jax.nn.silu(x)


def test_reports_are_the_same(with_and_without):
    def reports():
        units = unit_report(lambda x: network(WEIGHTS, x), [X])
        assert [layer.activation for layer in units.layers] == [
            *["gelu"] * 3,
            "tanh",
            "relu",
            "silu",
        ]
        loss = lambda weights, x: jnp.sum(network(weights, x) ** 2)
        gradients = gradient_report(loss, WEIGHTS, X).to_dict()
        return jax.tree.leaves(units), [signal["norm"] for signal in gradients["signals"]]

    with_and_without(reports)


def test_the_fallback_names_the_flag_that_it_does_not_know(monkeypatch):
    monkeypatch.setattr(_opaque_call, "HAS_PRIMITIVES", False)
    jax.config.update("jax_remat3", True)
    try:
        with pytest.raises(NotImplementedError, match="flag jax_remat3"):
            jax.grad(lambda x: jnp.sum(jaxact.sparsemax(x)))(jnp.ones((3, 5)))
    finally:
        jax.config.update("jax_remat3", False)
