"""What is particular to the modules that learn a shape, or gate a dense layer."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import coverage_set, typical_cases
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from test_every_module import (
    NNX,
    X,
    arguments_of,
    described,
    disturbed,
    linen_layer,
    nnx_layer,
    used,
)
from test_residuals import kept
from test_sharding import collectives

import jaxact
import jaxact.linen
import jaxact.nnx
from jaxact import _initializers, _modules

# How they start

STARTS = {
    "Swish": jaxact.silu,
    "StarReLU": lambda x: 0.8944 * jaxact.squared_relu(x) - 0.4472,
    "SReLU": lambda x: jaxact.leaky_relu(x, 0.2),
    "PELU": jaxact.elu,
    "Snake": jaxact.snake,
    "SnakeBeta": jaxact.snake,
    "JumpReLU": lambda x: jaxact.thresholded_relu(x, 1e-3),
    "XIELU": jaxact.xielu,
    "DyT": lambda x: jaxact.tanh(x / 2),
    "Derf": lambda x: jax.lax.erf(x / 2),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_layer_starts_as_the_function_of_its_paper(name):
    np.testing.assert_allclose(nnx_layer(name).module(X), STARTS[name](X), rtol=1e-5, atol=1e-6)


def test_hinges_start_as_in_the_code_of_their_authors():
    """Fails if the slopes are drawn from [0, 0.2)."""
    parameters = nnx_layer("APL", num_parameters=6, num_hinges=2000).parameters
    slopes, hinges = parameters["slopes"], parameters["hinges"]
    assert slopes.shape == hinges.shape == (2000, 6)
    assert -0.2 <= slopes.min() < -0.199
    assert 0.199 < slopes.max() <= 0.2
    np.testing.assert_allclose(hinges.std(), 0.5, rtol=0.03)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_siren_starts_as_in_its_paper(build):
    """Fails if the frequency is left out of the bound, or the first layer is like the others."""
    x, sizes = jnp.ones((1, 100)), {"in_features": 100, "out_features": 1000, "features": 1000}
    first = build("Sine", x, is_first=True, **sizes).parameters["linear"]
    other = build("Sine", x, omega=20.0, **sizes).parameters["linear"]
    bounds = [
        (first["kernel"], 1 / 100),
        (other["kernel"], (6 / 100) ** 0.5 / 20),
        (first["bias"], 1 / 10),
        (other["bias"], 1 / 10),
    ]
    for array, bound in bounds:
        assert 0.99 * bound < jnp.max(jnp.abs(array)) <= bound
        np.testing.assert_allclose(array.std(), bound / 3**0.5, rtol=0.1)


def test_depth_keeps_the_distribution_of_siren():
    """Each layer's output has the variance of the arcsine distribution, 1/2."""
    x = jax.random.uniform(jax.random.key(0), (500, 2), minval=-1.0, maxval=1.0)
    rngs = nnx.Rngs(0)
    for size in (2, 256, 256, 256):
        x = jaxact.nnx.Sine(size, 256, is_first=size == 2, rngs=rngs)(x)
        np.testing.assert_allclose(x.var(), 0.5, rtol=0.06)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_a_frequency_that_is_not_positive_is_refused(build):
    with pytest.raises(ValueError, match=r"Sine: omega is 0\.0, but must be positive"):
        build("Sine", omega=0.0)


def test_no_even_denominator_of_its_degree_comes_closer_to_leaky_relu():
    """The error takes its largest size six times, with signs in turn: that proves it the best."""
    x = np.linspace(0.0, 3.0, 300_001)
    numerator, denominator = (
        np.asarray(jax.device_get(v), np.float64)
        for v in (_initializers.LEAKY_NUMERATOR, _initializers.LEAKY_DENOMINATOR)
    )
    even = np.polyval(np.where(np.arange(6) % 2, 0, numerator)[::-1], x)
    below = 1 + x * np.polyval(denominator[::-1], x)
    odd = np.polyval(np.where(np.arange(6) % 2, numerator, 0)[::-1], x)
    np.testing.assert_allclose(odd / below, 0.505 * x, rtol=1e-12)
    error = even / below - 0.495 * x
    turns = np.flatnonzero(np.diff(np.sign(np.diff(error)))) + 1
    extremes = error[[0, *turns, -1]]
    np.testing.assert_allclose(
        extremes, 0.0126247047855 * np.array([1, -1, 1, -1, 1, -1]), rtol=1e-7
    )
    layer = nnx_layer("Rational").module
    np.testing.assert_allclose(layer(X), jaxact.leaky_relu(X), atol=0.0127)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_degrees_and_coefficients_to_start_at_must_agree(build):
    layer = build("Rational", degrees=(1, 2), numerator_init=(0.0, 1.0), denominator_init=0.0)
    np.testing.assert_allclose(layer.apply(layer.parameters, X), X, rtol=1e-6)
    with pytest.raises(ValueError, match=r"Rational: numerator_init is \(.*be one number, or 4 of"):
        build("Rational", degrees=(3, 4))
    with pytest.raises(ValueError, match=r"Rational: degrees is \(0, 4\), but must be a seq"):
        build("Rational", degrees=(0, 4))


# What keeps them as they must be


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_the_bends_of_srelu_keep_their_order_whatever_is_learned(build):
    """Fails if the upper bend is a parameter of its own."""
    layer = build("SReLU", num_parameters=6)
    learned = disturbed(layer.parameters, size=20.0)
    x = jnp.broadcast_to(learned["lower"], X.shape)
    for step in (0.0, 1e-3):  # just above the lower bend the function is the identity
        above = x + step * jnp.broadcast_to(jaxact.softplus(learned["width"]), X.shape)
        np.testing.assert_allclose(layer.apply(learned, above), above, rtol=1e-6)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_a_number_to_start_at_that_must_be_positive_is_refused_otherwise(build):
    for name, argument in (
        ("SReLU", "width_init"),
        ("PELU", "a_init"),
        ("PELU", "b_init"),
        ("XIELU", "alpha_p_init"),
    ):
        for number in (0.0, -1.0):
            with pytest.raises(ValueError, match=f"{name}: {argument} is {number}, but must be po"):
                build(name, **{argument: number})


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_xielu_falls_in_the_far_tail_and_bends_upwards_whatever_is_learned(build):
    """alpha_p stays positive, and alpha_n above beta: so its slope at -inf stays negative."""
    layer = build("XIELU", num_parameters=6)
    learned = disturbed(layer.parameters, size=5.0)
    far = jnp.full_like(X, 30.0)
    assert (layer.apply(learned, -far) >= layer.apply(learned, -far / 2)).all()
    assert (layer.apply(learned, far) >= 0.5 * far).all()
    with pytest.raises(ValueError, match=r"alpha_n_init is 0\.5, but must be greater than 0\.5"):
        build("XIELU", alpha_n_init=0.5)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_a_sequence_to_start_at_has_an_entry_for_each_term(build):
    slopes = (-0.25, 0.5)
    layer = build("APL", num_parameters=6, num_hinges=2, slopes_init=slopes, hinges_init=(0.0, 1.0))
    np.testing.assert_allclose(
        layer.apply(layer.parameters, X), jaxact.apl(X, slopes, (0.0, 1.0)), rtol=1e-6
    )


def test_no_hinges_are_refused():
    for build in (nnx_layer, linen_layer):
        with pytest.raises(ValueError, match="APL: num_hinges is 0, but must be an integer of 1"):
            build("APL", num_hinges=0)


# What they share with the neighbourhood


def test_frelu_is_the_larger_of_x_and_a_normalized_depthwise_convolution():
    """Fails if the window mixes channels, or if statistics are not those of the batch."""
    layer = jaxact.nnx.FReLU(6, rngs=nnx.Rngs(0))
    kernel = np.asarray(layer.conv.kernel[...])
    assert kernel.shape == (3, 3, 1, 6)
    padded = np.pad(np.asarray(X), ((0, 0), (1, 1), (1, 1), (0, 0)))
    threshold = sum(
        padded[:, i : i + 5, j : j + 4] * kernel[i, j, 0] for i in range(3) for j in range(3)
    )
    mean, variance = threshold.mean((0, 1, 2)), threshold.var((0, 1, 2))
    normalized = (threshold - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(layer(X), np.maximum(X, normalized), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.norm.mean[...], 0.01 * mean, rtol=1e-4, atol=1e-7)
    layer.eval()
    mean, variance = (np.asarray(a[...]) for a in (layer.norm.mean, layer.norm.var))
    normalized = (threshold - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(layer(X), np.maximum(X, normalized), rtol=1e-4, atol=1e-5)


def test_frelu_of_linen_updates_its_running_averages():
    layer = jaxact.linen.FReLU()
    variables = layer.init(jax.random.key(0), X, use_running_average=False)
    y, changed = layer.apply(variables, X, use_running_average=False, mutable=["batch_stats"])
    assert y.shape == X.shape
    assert (changed["batch_stats"]["norm"]["mean"] != 0).all()
    with pytest.raises(ValueError, match="use_running_average"):
        layer.apply(variables, X)


def test_frelu_keeps_a_bit_for_which_of_the_two_is_larger():
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 8))
    threshold = jnp.flip(x, axis=0)
    larger = jaxact._modules.larger
    _, leaves = kept(larger, (x, threshold), compiled=False)
    assert sum(leaf.nbytes for leaf in leaves) == x.size / 8
    np.testing.assert_array_equal(larger(x, threshold), jnp.maximum(x, threshold))


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_dynamic_relu_starts_between_lines_and_is_relu_where_its_network_is_silent(build):
    layer = build("DynamicReLU")
    silent = jax.tree.map(jnp.zeros_like, layer.parameters)
    np.testing.assert_array_equal(layer.apply(silent, X), jaxact.relu(X))


def test_dynamic_relu_is_the_largest_of_lines_made_from_the_mean_of_the_image():
    """Fails if lines or images are mixed up, or if changes are not bounded as in the paper."""
    layer = nnx_layer("DynamicReLU", num_pieces=3, slope_range=0.7, intercept_range=0.2)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), disturbed(layer.parameters, size=0.5))
    x = np.asarray(X, np.float64)
    hidden = np.maximum(x.mean((1, 2)) @ p["squeeze"]["kernel"] + p["squeeze"]["bias"], 0)
    z = hidden @ p["excite"]["kernel"] + p["excite"]["bias"]
    changes = (2 / (1 + np.exp(-z)) - 1).reshape(2, 6, 2, 3)  # image, channel, kind, line
    slopes, intercepts = np.moveaxis(changes, (2, 3), (0, 1))[:, :, :, None, None]
    lines = (np.array([1.0, 0, 0]).reshape(3, 1, 1, 1, 1) + 0.7 * slopes) * x + 0.2 * intercepts
    y = layer.apply(disturbed(layer.parameters, size=0.5), X)
    np.testing.assert_allclose(y, lines.max(0), rtol=1e-4, atol=1e-5)


def test_dynamic_relu_keeps_its_input_and_small_arrays_only():
    """In bfloat16; fails if lines are kept, or the input widened."""
    x = jax.random.normal(jax.random.key(0), (2, 16, 16, 6), jnp.bfloat16)
    layer = nnx_layer("DynamicReLU", x, param_dtype=jnp.bfloat16)
    _, leaves = kept(lambda x: layer.apply(layer.parameters, x), (x,), compiled=False)
    whole = [leaf for leaf in leaves if leaf.size >= x.size // 8]
    assert [(leaf.shape, leaf.dtype) for leaf in whole] == [(x.shape, x.dtype)]


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
def test_dynamic_relu_needs_lines_channels_and_axes_to_pool(build):
    for options in ({"num_pieces": 0}, {"reduction": 0}):
        with pytest.raises(ValueError, match=r"DynamicReLU: \w+ is 0, but must be an integer of 1"):
            build("DynamicReLU", **options)
    with pytest.raises(ValueError, match=r"DynamicReLU: pool_axes is -3, but x has 2 dimensions"):
        used(build, "DynamicReLU", X[0, 0])


# Gated layers


@pytest.mark.parametrize("gate", [jaxact.swiglu, jaxact.geglu, jaxact.reglu, jaxact.bilinear])
def test_a_gated_layer_gates_one_dense_layer_by_another(gate):
    x = X[0, 0]
    layer = nnx_layer("GatedLinear", x, out_features=8, activation=gate)
    p = disturbed(layer.parameters)
    maps = [
        np.asarray(x) @ np.asarray(p[name]["kernel"]) + np.asarray(p[name]["bias"])
        for name in ("gate", "value")
    ]
    np.testing.assert_allclose(layer.apply(p, x), gate(*maps), rtol=1e-4, atol=1e-5)
    assert p["gate"]["kernel"].shape == (6, 8)


TWO = jax.random.normal(jax.random.key(3), (2, 4, 12))  # a gate and a value


def names_of(*kinds):
    """Activations that need no other argument."""
    wanted = [case.entry.name for case in typical_cases(*kinds)]
    needed = lambda name: inspect.signature(getattr(jaxact, name)).parameters.values()
    return [n for n in wanted if sum(p.default is p.empty for p in needed(n)) == 1]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in coverage_set() else pytest.mark.thorough)
        for name in names_of("elementwise")
    ],
)
def test_a_gate_of_any_activation_is_its_product_with_the_value(name):
    """By function, by name and with parameters given; it keeps gate and value, and nothing else."""
    function = getattr(jaxact, name)
    expected = function(TWO[0]) * TWO[1]
    for given in (function, name, jaxact.get(name), functools.partial(function)):
        np.testing.assert_allclose(_modules.gating(given)(*TWO), expected, rtol=1e-6)
    _, leaves = kept(_modules.gating(name), tuple(TWO), compiled=False)
    assert len([leaf for leaf in leaves if leaf.shape == TWO[0].shape]) <= 2


@pytest.mark.parametrize("name", names_of("gate"))
def test_a_gate_may_be_named(name):
    function = getattr(jaxact, name)
    value_first = "value" not in inspect.signature(function).parameters
    expected = function(TWO[1], gate=TWO[0]) if value_first else function(*TWO)
    for given in (function, name, jaxact.get(name)):
        np.testing.assert_array_equal(_modules.gating(given)(*TWO), expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda gate, value: gate + value, jnp.add),
        (jnp.subtract, jnp.subtract),
        (jnp.tanh, lambda gate, value: jnp.tanh(gate) * value),
        (jax.nn.gelu, lambda gate, value: jax.nn.gelu(gate) * value),
        (functools.partial(jaxact.elu, alpha=2.0), lambda gate, v: jaxact.elu(gate, 2.0) * v),
        (
            functools.partial(jaxact.geglu, approximate=False),
            lambda *two: jaxact.geglu(*two, False),
        ),
    ],
)
def test_a_function_of_anybody_gates_by_how_many_arrays_it_takes(given, expected):
    np.testing.assert_allclose(_modules.gating(given)(*TWO), expected(*TWO), rtol=1e-6)


@pytest.mark.parametrize("build", [nnx_layer, linen_layer])
@pytest.mark.parametrize(("layout", "size"), [("halves", 8), ("interleaved", 1), (2, 2), (4, 4)])
def test_a_kernel_of_each_layout_loads(build, layout, size):
    """Fails if the features of gate and value are taken from other columns than they lie in."""
    x, options = X[0, 0], {"out_features": 8, "features": 8, "activation": jaxact.situ_glu}
    apart = build("GatedLinear", x, **options)
    one = build("GatedLinear", x, layout=layout, **options)
    p = disturbed(apart.parameters)
    assert described(one.parameters) == {
        "gate_and_value": {"kernel": ((6, 16), jnp.float32), "bias": ((16,), jnp.float32)}
    }

    def held(gate, value):
        pieces = zip(*(np.split(a, 8 // size, -1) for a in (gate, value)), strict=True)
        return np.concatenate([piece for both in pieces for piece in both], -1)

    stored = {"gate_and_value": jax.tree.map(held, p["gate"], p["value"])}
    np.testing.assert_allclose(one.apply(stored, x), apart.apply(p, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", [jaxact.swiglu, "silu"])
def test_a_gated_layer_keeps_the_input_and_its_two_maps(activation):
    """In bfloat16; fails if the activated gate is kept too."""
    x = X[0, 0].astype(jnp.bfloat16)
    options = {"param_dtype": jnp.bfloat16, "use_bias": False, "activation": activation}
    layer = nnx_layer("GatedLinear", x, out_features=64, **options)
    _, leaves = kept(lambda x: layer.apply(layer.parameters, x), (x,), compiled=False)
    activations = [leaf for leaf in leaves if leaf.shape == (4, 64)]
    assert len(activations) == 2
    assert all(leaf.dtype == jnp.bfloat16 for leaf in activations)


def mesh():
    return jax.make_mesh((2, 4), ("data", "model"), axis_types=(AxisType.Auto,) * 2)


def placed(tree, where, spec):
    """Arrays with their last axis sharded over `model`."""
    shard = lambda a: jax.device_put(a, NamedSharding(where, P(*(None,) * (a.ndim - 1), spec)))
    return jax.tree.map(shard, tree)


def test_a_gated_layer_whose_features_are_sharded_does_not_communicate():
    where, x = mesh(), X[0, 0]
    layer = nnx_layer("GatedLinear", x, out_features=16)
    parameters = placed(layer.parameters, where, "model")
    x = jax.device_put(x, NamedSharding(where, P("data", None)))
    assert not collectives(layer.apply, parameters, x)


@pytest.mark.parametrize(
    "name", [name for name in NNX if "num_parameters" in arguments_of(NNX[name])]
)
def test_an_activation_with_parameters_per_channel_does_not_communicate(name):
    where, x = mesh(), jnp.tile(X, (1, 1, 1, 2))[..., :8]
    layer = nnx_layer(name, x, num_parameters=8)
    parameters = placed(layer.parameters, where, "model")
    x = jax.device_put(x, NamedSharding(where, P("data", None, None, "model")))
    assert not collectives(layer.apply, parameters, x)
    by_x = jax.grad(lambda parameters, x: jnp.sum(layer.apply(parameters, x) ** 2), 1)
    assert not collectives(by_x, parameters, x)
