"""Adopting: programs of others run with our activations, and with none that are not the same."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.sharding import AxisType, PartitionSpec as P

import jaxact

X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 12)), jnp.float32)


def scanned(x):
    return jax.lax.scan(lambda c, w: (jax.nn.silu(c * w), None), x, jnp.ones(3))[0]


def looped(x):
    more = lambda state: state[0] < 3
    step = lambda state: (state[0] + 1, jax.nn.silu(state[1]))
    return jax.lax.while_loop(more, step, (0, x))[1]


def sharded(x):
    mesh = jax.make_mesh((2,), ("rows",), axis_types=(AxisType.Auto,))
    return jax.shard_map(jax.nn.silu, mesh=mesh, in_specs=P("rows"), out_specs=P("rows"))(x)


SAVE = jax.checkpoint_policies.dots_saveable
PLACES = {
    "here": jax.nn.silu,
    "spelt": lambda x: x / (1 + jnp.exp(-x)),
    "jit": jax.jit(lambda x: 2 * jax.jit(jax.nn.silu)(x)),
    "scan": scanned,
    "while": looped,
    "cond": lambda x: jax.lax.cond(x[0, 0] < 9, jax.nn.silu, lambda x: 2 * x, x),
    "remat": jax.checkpoint(lambda x: jax.nn.silu(x) + 1, policy=SAVE),
    "vmap": jax.vmap(jax.nn.silu),
    "shard_map": sharded,
}


@pytest.mark.parametrize("place", PLACES)
def test_an_activation_is_adopted_wherever_it_is_called(place):
    function = PLACES[place]
    adopted = jaxact.adopt(function)
    (site,) = adopted.sites(X)
    assert (site.activation, site.by, site.why) == ("silu", "exact", "")
    np.testing.assert_allclose(jax.jit(adopted)(X), function(X), rtol=2e-6, atol=1e-7)
    if place != "while":
        slope = jax.jit(jax.grad(lambda x: jnp.sum(adopted(x) ** 2)))(X)
        expected = jax.grad(lambda x: jnp.sum(function(x) ** 2))(X)
        np.testing.assert_allclose(slope, expected, rtol=2e-5, atol=1e-6)
    assert "jaxact_scale_tangent" in str(jax.make_jaxpr(lambda x: jax.jvp(adopted, (x,), (x,)))(X))


@jax.custom_vjp
def by_hand(x):
    return jax.nn.relu(x)


by_hand.defvjp(lambda x: (by_hand(x), x), lambda x, ct: (2 * ct,))


@jax.custom_jvp
def steep(x):
    return jnp.maximum(x, 0)


steep.defjvps(lambda t, y, x: t)


@jax.custom_jvp
def bump(x):
    return jnp.exp(-x * x) * (1 + x)


bump.defjvps(lambda t, y, x: t * (1 - 2 * x - 2 * x * x) * jnp.exp(-x * x))

LEFT = {
    "slope is not": lambda x: jax.lax.stop_gradient(jax.nn.gelu(x)) * 2,
    "its slope is not": lambda x: x + jax.lax.stop_gradient(jax.nn.relu(x) - x),
    "slope is not the activation's": steep,
    "backward pass of its own": by_hand,
    "no such activation": bump,
    "near the activation's": lambda x: x * jax.nn.sigmoid(x) + 1e-4 * jnp.tanh(x),
    "jaxact's already": jaxact.gelu,
    "of kind gate": lambda x: jaxact.swiglu(x, x + 1),
}


@pytest.mark.parametrize("why", LEFT)
def test_what_is_not_the_same_is_left_and_told(why):
    function = LEFT[why]
    adopted = jaxact.adopt(lambda x: function(x) + jnp.tanh(x))
    left = [site for site in adopted.sites(X) if site.activation != "tanh"]
    assert left
    assert any(why in site.why for site in left), left
    assert all(site.by == "" for site in left)
    plain = lambda x: jnp.sum((function(x) + jnp.tanh(x)) ** 2)
    slope = jax.grad(lambda x: jnp.sum(adopted(x) ** 2))(X)
    np.testing.assert_allclose(slope, jax.grad(plain)(X), rtol=2e-5, atol=2e-6)


def test_a_parameter_that_is_traced_is_left():
    function = lambda slope, x: jax.nn.leaky_relu(x, slope)
    (site,) = jaxact.adopt(function).sites(jnp.float32(0.3), X)
    assert "traced" in site.why
    assert not site.by


def test_parameters_are_told_from_values():
    function = lambda x: jnp.where(x > 0, x, 0.07 * x) + jax.nn.elu(x, 1.5)
    found = jaxact.adopt(function).sites(X)
    assert [site.parameters for site in found] == [{"negative_slope": 0.07}, {"alpha": 1.5}]


def test_lean_and_few_bit_keep_less_and_exact_where_they_do_not_exist():
    function = lambda x: jnp.sum(jax.nn.elu(jnp.tanh(jax.nn.gelu(x))))
    by = lambda **options: [site.by for site in jaxact.adopt(function, **options).sites(X)]
    assert by() == ["exact"] * 3
    assert by(backward="lean") == ["exact", "lean", "lean"]
    assert by(backward="few_bit", bits=1) == ["few_bit"] * 3
    exact = jax.grad(jaxact.adopt(function))(X)
    lean = jax.grad(jaxact.adopt(function, backward="lean"))(X)
    np.testing.assert_allclose(lean, exact, rtol=1e-4, atol=1e-5)
    few = jax.grad(jaxact.adopt(function, backward="few_bit"))(X)
    assert 0.9 < jnp.vdot(few, exact) / (jnp.linalg.norm(few) * jnp.linalg.norm(exact)) < 0.99999


def test_an_exchange_changes_the_mathematics_on_purpose():
    function = lambda x: jax.nn.relu(x) + jnp.tanh(x)
    adopted = jaxact.adopt(function, exchange={"relu": jaxact.gelu})
    assert [site.by for site in adopted.sites(X)] == ["gelu", "exact"]
    np.testing.assert_allclose(adopted(X), jaxact.gelu(X) + jnp.tanh(X), rtol=1e-5, atol=1e-6)


def test_every_transformation_is_alive():
    adopted = jaxact.adopt(lambda x: jnp.sum(jax.nn.silu(x)))
    plain = lambda x: jnp.sum(jax.nn.silu(x))
    row = X[0]
    np.testing.assert_allclose(jax.hessian(adopted)(row), jax.hessian(plain)(row), atol=1e-6)
    np.testing.assert_allclose(jax.vmap(adopted)(X), jax.vmap(plain)(X), rtol=1e-5)
    value, tangent = jax.jvp(adopted, (row,), (row,))
    np.testing.assert_allclose(tangent, jax.jvp(plain, (row,), (row,))[1], rtol=1e-5)
    assert value.shape == ()


def test_under_jit_nothing_is_traced_twice():
    traced = []

    def function(x):
        traced.append(1)
        return jnp.sum(jax.nn.gelu(x))

    step = jax.jit(jax.value_and_grad(jaxact.adopt(function)))
    step(X)
    step(X + 1)
    assert len(traced) == 1


# --- Models of others ----------------------------------------------------------------------------


class Net(nnx.Module):
    """A layer with statistics and with random numbers."""

    def __init__(self, rngs: nnx.Rngs):
        self.dense = nnx.Linear(12, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(nnx.silu(self.norm(self.dense(x))))


@pytest.mark.usefixtures("standard_promotion")
def test_state_of_nnx_moves():
    function = lambda model, x: jnp.sum(model(x) ** 2)
    ours, theirs = Net(nnx.Rngs(0)), Net(nnx.Rngs(0))
    gradients = nnx.jit(nnx.grad(jaxact.adopt(function)))(ours, X)
    expected = nnx.grad(function)(theirs, X)
    same = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    jax.tree.map(same, gradients, expected)
    same(ours.norm.mean[...], theirs.norm.mean[...])
    assert int(ours.dropout.rngs.count[...]) == int(theirs.dropout.rngs.count[...])


@pytest.mark.usefixtures("standard_promotion")
def test_state_that_would_be_lost_is_refused():
    model = Net(nnx.Rngs(0))
    with pytest.raises(ValueError, match="make the module an argument"):
        jaxact.adopt(lambda x: jnp.sum(model(x)))(X)


def test_a_default_that_nobody_wrote_is_adopted_in_a_cell_of_flax():
    cell = linen.RNN(linen.OptimizedLSTMCell(6))
    rows = X[None]
    variables = cell.init(jax.random.key(0), rows)
    loss = lambda variables, rows: jnp.sum(cell.apply(variables, rows) ** 2)
    adopted = jaxact.adopt(loss)
    found = adopted.sites(variables, rows)
    assert sorted(site.activation for site in found) == ["sigmoid"] * 3 + ["tanh"] * 2
    assert all(site.by == "exact" for site in found)
    np.testing.assert_allclose(adopted(variables, rows), loss(variables, rows), rtol=1e-5)


def test_the_sites_are_read_and_stored():
    from rich.console import Console

    found = jaxact.adopt(lambda x: jax.nn.gelu(jaxact.relu(x))).sites(X)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(found.table())
    assert "jaxact's already" in capture.get().replace("\n", " ")
    assert "gelu(approximate=1), exact" in str(found)
    assert found.to_dict()["sites"][0]["activation"] == "relu"


def adopted_gradient():
    return jaxact.adopt(jax.grad(lambda x: jnp.sum(jax.nn.gelu(x))))(X)


REFUSED = {
    "takes a gradient": adopted_gradient,
    r"takes a gradient, .*adopt\(loss\)": lambda: jaxact.adopt(jax.jit(adopted_gradient))(),
    "no activation was found": lambda: jaxact.adopt(lambda x: x @ x.T)(X),
    "fn is 3, but must be a function": lambda: jaxact.adopt(3),
    "backward is 'none'": lambda: jaxact.adopt(jax.nn.relu, backward="none"),
    "bits is 5": lambda: jaxact.adopt(jax.nn.relu, bits=5),
    r"exchange\['relu'\] is 'gelu'": lambda: jaxact.adopt(jax.nn.relu, exchange={"relu": "gelu"}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
