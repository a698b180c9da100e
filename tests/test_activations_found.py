"""The law of diagnostics: every activation is seen, where it is called and by its name."""

import functools
import inspect

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Case, cases, over, typical_cases
from flax import nnx
from jax.sharding import AxisType, PartitionSpec as P

import jaxact
from jaxact.diagnostics import UnitReport, with_units

X = jnp.linspace(-3.0, 3.0, 24).reshape(2, 12)


def found(function, x=X, **options) -> UnitReport:
    """The report on a function of one array."""
    return jax.jit(with_units(function, **options))(x)[1]


def names(report: UnitReport) -> list[str]:
    return [layer.activation for layer in report.layers]


def seen(case: Case):
    """The one layer in the report on a case."""

    def report(x):
        (layer,) = with_units(lambda arrays: case(*arrays))(x)[1].layers
        return layer

    return report


def check_is_seen(case: Case) -> None:
    """Asserts that one activation is found, and that it is this one."""
    layer = jax.eval_shape(seen(case), case.inputs((4, 60)))
    assert layer.activation == case.entry.name


def check_is_read(case: Case) -> None:
    """Asserts that its values and slopes are read."""
    x = case.inputs((4, 60))
    layer = jax.jit(seen(case))(x)
    slope = jax.grad(lambda x: jnp.sum(case(x, *case.inputs((4, 60))[1:])))(x[0])
    np.testing.assert_allclose(layer.slope_max, jnp.max(jnp.abs(slope), 0), rtol=1e-5)
    value = case(*x)
    np.testing.assert_allclose(layer.mean, jnp.mean(value, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.variance, jnp.var(value, 0), rtol=1e-4, atol=1e-6)


def activates_units(case: Case) -> bool:
    """Whether there is something to see: what normalises an array has no units of its own."""
    if case.entry.kind != "axis":
        return case.entry.name != "identity"
    one = jnp.zeros((1, 60)).at[0, 5].set(1.0)
    return int(jnp.sum(case(one) != case(0 * one))) <= 1  # one input changes one output


WITH_UNITS = [case for case in typical_cases() if activates_units(case)]


@pytest.mark.machinery
@over(WITH_UNITS)
def test_every_activation_is_seen(case):
    check_is_seen(case)


@pytest.mark.machinery
@over(WITH_UNITS)
def test_values_and_slopes_of_every_activation_are_read(case):
    check_is_read(case)


def test_rrelu_is_seen_in_training_too():
    assert names(found(lambda x: jaxact.rrelu(x, jax.random.key(0)))) == ["rrelu"]


def test_a_function_that_is_not_seen_is_found():
    """The law can fail: of a function that multiplies two arrays nothing is known."""
    entry = jaxact.Entry(function=lambda x: x * jnp.roll(x, 1), formula=None, source="")
    with pytest.raises(ValueError, match="no activation"):
        check_is_seen(Case(entry))


def test_a_slope_that_is_misread_is_found():
    """The law can fail: what is seen as tanh is scaled afterwards."""
    entry = jaxact.Entry(function=lambda x: 2 * jaxact.tanh(x), formula=None, source="")
    with pytest.raises(AssertionError):
        check_is_read(Case(entry))


@pytest.mark.parametrize("kind", ["axis", "identity"])
def test_what_has_no_units_is_not_taken_for_an_activation(kind):
    for case in cases():
        if not activates_units(case) and (case.entry.kind == "axis") == (kind == "axis"):
            report = found(lambda x, case=case: jaxact.relu(case(x)))
            assert names(report) == ["relu"]


# --- Those of jax.nn, and what users spell out ---------------------------------------------------

UNITS_OF_JAX = [
    name
    for name, function in vars(jax.nn).items()
    if inspect.isroutine(function) or callable(function)
    if name in jaxact.CATALOG and jaxact.CATALOG[name].kind == "elementwise"
    if name != "identity"
]


@pytest.mark.parametrize("name", UNITS_OF_JAX)
def test_functions_of_jax_are_seen_under_the_catalogue_s_name(name):
    for dtype in (jnp.float32, jnp.bfloat16):
        traced = lambda x: with_units(lambda x: getattr(jax.nn, name)(x + 1))(x)[1]
        (layer,) = jax.eval_shape(traced, X.astype(dtype)).layers
        seen, expected = (jaxact.CATALOG[n].function for n in (layer.activation, name))
        assert jnp.array_equal(seen(X[1]), expected(X[1]))


SPELT = {
    "squared_relu": lambda x: jax.nn.relu(x) ** 2,
    "softplus": lambda x: jnp.logaddexp(x, jnp.zeros((), x.dtype)),
    "sine": jnp.sin,
    "cos": jnp.cos,
    "gaussian": lambda x: jnp.exp(-(x**2)),
    "arctan": jnp.arctan,
    "abs": jnp.abs,
    "power 2": jnp.square,
    "power 3": lambda x: x**3,
    "relu": lambda x: jnp.maximum(x, 0),
    "relu6": lambda x: jnp.clip(x, 0, 6),
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x),
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "gelu": lambda x: 0.5 * x * (1 + jax.lax.erf(x / np.sqrt(2).astype(x.dtype))),
    "tanh": lambda x: 3 * jnp.tanh(2 * x),
    "sigmoid": lambda x: 1 / (1 + jnp.exp(-x)),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", SPELT)
def test_functions_spelt_out_are_known_by_their_values(name, dtype):
    traced = lambda x: with_units(lambda x: SPELT[name](x + 1))(x)[1]
    assert names(jax.eval_shape(traced, X.astype(dtype))) == [name]


@pytest.mark.parametrize("slope", [0.3, 0.07, -0.2])
def test_any_slope_of_a_leaky_relu_is_known(slope):
    assert names(found(lambda x: jnp.where(x > 0, x, slope * x))) == ["leaky_relu"]


@pytest.mark.parametrize("backward", [jaxact.backward.lean, jaxact.backward.few_bit])
def test_what_keeps_less_goes_by_the_name_of_the_function(backward):
    assert names(found(lambda x: backward(jaxact.elu)(x))) == ["elu"]


def test_what_has_the_values_of_an_activation_and_not_its_slope_is_none():
    straight = lambda x: x + jax.lax.stop_gradient(jax.nn.relu(x) - x)
    assert names(found(lambda x: jnp.tanh(straight(x)))) == ["tanh"]
    stopped = lambda x: jax.lax.stop_gradient(jax.nn.gelu(x))
    assert names(found(lambda x: jnp.tanh(x + stopped(x)))) == ["tanh"]


def test_an_exponential_in_a_softmax_is_no_activation_in_any_format():
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        traced = lambda x: with_units(lambda x: jax.nn.softmax(jax.nn.relu(x)))(x)[1]
        assert names(jax.eval_shape(traced, X.astype(dtype))) == ["relu"]


def test_a_gated_unit_is_the_product_and_its_gate_beside_it():
    w = jnp.eye(12)
    report = found(lambda x: (jax.nn.silu(x @ w) * (x @ (2 * w))) @ w)
    assert [(u.activation, u.role) for u in report.layers] == [("silu", "gate"), ("swiglu", "unit")]
    closed = found(lambda x: (jax.nn.sigmoid(x @ w - 100) * (x @ (2 * w))) @ w)
    assert closed.layers[1].activation == "glu"
    assert closed.layers[1].dead.all()


def test_inside_shard_map_and_a_rule_by_hand_activations_are_read():
    mesh = jax.make_mesh((2,), ("rows",), axis_types=(AxisType.Auto,))
    shared = jax.shard_map(jnp.tanh, mesh=mesh, in_specs=P("rows"), out_specs=P("rows"))

    @jax.custom_vjp
    def by_hand(x):
        return jnp.tanh(x)

    by_hand.defvjp(lambda x: (by_hand(x), x), lambda x, ct: (7 * ct,))
    (expected,) = found(jnp.tanh).layers
    for function in (shared, by_hand):
        (layer,) = found(function).layers
        assert layer.activation == "tanh"
        np.testing.assert_allclose(layer.mean, expected.mean, atol=1e-6)
        np.testing.assert_allclose(layer.variance, expected.variance, rtol=1e-4)
        assert float(layer.examples) == float(expected.examples)
    watched = jax.grad(lambda x: jnp.sum(with_units(by_hand)(x)[0]))(X)
    np.testing.assert_allclose(watched, 7.0)  # the rule is kept


def test_what_guards_a_root_or_is_computed_from_parameters_is_no_activation():
    norm = flax.linen.LayerNorm()
    variables = norm.init(jax.random.key(0), X)
    report = found(lambda x: jaxact.relu(norm.apply(variables, x)))
    assert names(report) == ["relu"]
    assert names(found(lambda x: jax.nn.softmax(jaxact.relu(x)))) == ["relu"]
    learned = jax.jit(with_units(lambda scale, x: jax.nn.relu(x) * jax.nn.softplus(scale)[None]))
    assert names(learned(jnp.ones(12), X)[1]) == ["relu"]


def test_a_function_that_the_catalogue_does_not_know_goes_by_its_own_name():
    @jax.custom_jvp
    def bump(x):
        return jnp.exp(-x * x)

    bump.defjvps(lambda t, y, x: -2 * x * y * t)
    assert names(found(lambda x: bump(x) + x)) == ["bump"]


# --- Wherever they are called --------------------------------------------------------------------


def in_scan_over_layers(x):
    return jax.lax.scan(lambda x, w: (jaxact.tanh(x * w), None), x, jnp.ones(3))[0]


def in_scan_over_time(x):
    return jax.lax.scan(lambda c, row: (jaxact.tanh(c + row), None), x[0], x)[0]


IN = {
    "jit": jax.jit(jaxact.tanh),
    "jit of jit": jax.jit(lambda x: jax.jit(jnp.tanh)(x)),
    "remat": jax.checkpoint(lambda x: jaxact.tanh(x) + 1),
    "vmap": jax.vmap(jaxact.tanh),
    "cond": lambda x: jax.lax.cond(x[0, 0] < 0, jaxact.tanh, jnp.sin, x),
    "branch": lambda x: jax.lax.cond(x[0, 0] > 0, jaxact.tanh, jnp.sin, x),
    "scan over layers": in_scan_over_layers,
    "scan over time": in_scan_over_time,
    "while": lambda x: jax.lax.while_loop(lambda x: x.sum() < 30, lambda x: jaxact.tanh(x) + 2, x),
    "scan in remat": jax.checkpoint(in_scan_over_time),
}


@pytest.mark.parametrize("place", IN)
def test_they_are_seen_inside_and_results_stay_as_they_are(place):
    (y, report), expected = jax.jit(with_units(IN[place]))(X), IN[place](X)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    rounds = 3 if place == "scan over layers" else 1
    assert names(report) == ["tanh"] * rounds
    assert float(report.layers[0].examples) > 0 or place == "branch"


def test_rounds_over_layers_are_layers_and_steps_of_time_are_pooled():
    report = found(in_scan_over_layers)
    assert [layer.layer for layer in report.layers] == ["[0]", "[1]", "[2]"]
    once = jnp.tanh(X)
    for layer in report.layers:
        np.testing.assert_allclose(layer.mean, jnp.mean(once, 0), rtol=1e-5, atol=1e-6)
        once = jnp.tanh(once)
    (pooled,) = found(lambda x: jax.lax.scan(lambda c, r: (c, jaxact.tanh(r)), 0, x)[1]).layers
    np.testing.assert_allclose(pooled.mean, jnp.mean(jnp.tanh(X), 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pooled.variance, jnp.var(jnp.tanh(X), 0), rtol=1e-5, atol=1e-6)


def test_layers_and_signals_in_a_loop_are_in_order_of_execution():
    def model(kernels, x):
        def block(x, kernel):
            with jax.named_scope("first"):
                x = jaxact.tanh(x * kernel["a"])
            with jax.named_scope("second"):
                return jaxact.elu(x + kernel["b"]), None

        return jnp.sum(jax.lax.scan(block, x, kernels)[0])

    kernels = {"b": jnp.ones(2), "a": jnp.ones(2)}
    report = jax.jit(with_units(model))(kernels, X)[1]
    expected = ["first[0]", "second[0]", "first[1]", "second[1]"]
    assert [layer.layer for layer in report.layers] == expected
    report = jaxact.diagnostics.gradient_report(model, kernels, X)
    assert [signal.layer for signal in report.signals] == expected


def test_both_branches_of_a_condition_are_reported_and_only_one_is_read():
    branching = lambda x: jax.lax.cond(x[0, 0] < 0, jaxact.tanh, jaxact.relu, x)
    first, second = found(branching).layers
    assert {first.activation, second.activation} == {"tanh", "relu"}
    read = {layer.activation: float(layer.examples) for layer in (first, second)}
    assert read == {"tanh": 2, "relu": 0}


def test_derivatives_of_a_model_are_as_without():
    """What is watched may be trained in the same program."""
    plain = lambda w, x: jnp.mean(jaxact.gelu(jax.checkpoint(jaxact.tanh)(x @ w)) ** 2)
    w = jnp.eye(12)
    watched = jax.grad(with_units(plain), has_aux=True)(w, X)[0]
    np.testing.assert_allclose(watched, jax.grad(plain)(w, X), rtol=1e-6)


# --- Layers have names ---------------------------------------------------------------------------


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.dense = nnx.Linear(12, 12, rngs=rngs)

    def __call__(self, x):
        return x + nnx.relu(self.dense(x))


class Blocks(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.first = Block(rngs=rngs)
        self.others = nnx.List([Block(rngs=rngs), Block(rngs=rngs)])
        self.prelu = jaxact.nnx.PReLU(12)

    def __call__(self, x):
        x = nnx.jit(lambda block, x: block(x))(self.first, x)
        for block in self.others:
            x = nnx.remat(lambda block, x: block(x))(block, x)
        return self.prelu(x)


def test_layers_of_nnx_go_by_their_paths():
    model = Blocks(rngs=nnx.Rngs(0))
    before = nnx.graphdef(model)
    report = jaxact.diagnostics.unit_report(model, X)
    assert [layer.layer for layer in report.layers] == [
        "first/dense",
        "others/0/dense",
        "others/1/dense",
        "prelu",
    ]
    assert nnx.graphdef(model) == before
    assert Block.__call__.__name__ == "__call__"  # nothing is left of what named the calls


class LinenBlock(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        return x + flax.linen.relu(flax.linen.Dense(12)(x))


class LinenBlocks(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        x = LinenBlock(name="first")(x)
        x = flax.linen.remat(LinenBlock)(name="second")(x)
        x = flax.linen.jit(LinenBlock)(name="third")(x)
        scanned = flax.linen.scan(
            lambda block, x, _: (block(x), None),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=2,
        )
        x, _ = scanned(LinenBlock(name="stack"), x, None)
        return jaxact.linen.PReLU()(x)


def test_layers_of_linen_go_by_their_paths():
    model = LinenBlocks()
    bound = model.bind(model.init(jax.random.key(0), X))
    report = jaxact.diagnostics.unit_report(bound, X)
    assert [layer.layer for layer in report.layers] == [
        "first/Dense_0",
        "second/Dense_0",
        "third/Dense_0",
        "stack/Dense_0[0]",
        "stack/Dense_0[1]",
        "PReLU_0",
    ]


def test_layers_of_functions_go_by_their_scopes():
    def model(x):
        with jax.named_scope("first"):
            x = jaxact.tanh(x)
        with jax.named_scope("second"):
            return jax.jit(functools.partial(jaxact.elu, alpha=2.0))(jaxact.tanh(x))

    layers = [(layer.layer, layer.activation) for layer in found(model).layers]
    assert layers == [("first", "tanh"), ("second", "tanh"), ("second", "elu")]
