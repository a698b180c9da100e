"""What is particular to PReLU, RReLU and Maxout, in both Flax APIs."""

import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn, nnx

import jaxact
import jaxact.linen
import jaxact.nnx


@dataclasses.dataclass(eq=False)
class Layer:
    """A layer seen as a function.

    Attributes:
        parameters: its parameters by name.
        apply: `apply(parameters, x, key=None)`; RReLU is random if there is a key.
    """

    parameters: dict[str, jax.Array]
    apply: Callable[..., jax.Array]

    def __call__(self, x, key=None):
        return self.apply(self.parameters, x, key)


def nnx_layer(name, x, *arguments, room=jaxact.nnx, **options) -> Layer:
    if name in ("Maxout", "Linear"):
        arguments, options = (jnp.shape(x)[-1], *arguments), {"rngs": nnx.Rngs(0), **options}
    graph, state = nnx.split(getattr(room, name)(*arguments, **options))

    def apply(parameters, x, key=None):
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, parameters)
        call = {"deterministic": key is None, "rngs": key} if name == "RReLU" else {}
        return nnx.merge(graph, filled)(x, **call)

    return Layer(nnx.to_pure_dict(nnx.state(nnx.merge(graph, state), nnx.Param)), apply)


def linen_layer(name, x, *arguments, room=jaxact.linen, **options) -> Layer:
    module = getattr(room, name)(*arguments, **options)

    def apply(parameters, x, key=None):
        call = {"deterministic": key is None, "rng": key} if name == "RReLU" else {}
        return module.apply({"params": parameters}, x, **call)

    call = {"deterministic": True} if name == "RReLU" else {}
    return Layer(module.init(jax.random.key(0), x, **call).get("params", {}), apply)


BUILDERS = {"nnx": nnx_layer, "linen": linen_layer}
FLAX = {
    "nnx": (functools.partial(nnx_layer, room=nnx), "Linear"),
    "linen": (functools.partial(linen_layer, room=nn), "Dense"),
}


@pytest.fixture(params=BUILDERS)
def api(request) -> str:
    return request.param


@pytest.fixture
def build(api) -> Callable[..., Layer]:
    """Builds a layer of jaxact: `build(name, x, *arguments, **options)`."""
    return BUILDERS[api]


@pytest.fixture
def build_flax(api) -> Callable[..., Layer]:
    """Builds a layer of Flax's own in the same API."""
    return FLAX[api][0]


@pytest.fixture
def build_dense(api) -> Callable[..., Layer]:
    """Builds Flax's own dense layer in the same API: `build_dense(x, features, **options)`."""
    build, name = FLAX[api]
    return functools.partial(build, name)


def normal(*shape, dtype=jnp.float32):
    return jax.random.normal(jax.random.key(len(shape)), shape, dtype)


# What they compute


def test_a_shared_slope_is_one_number_that_acts_on_every_element(build):
    """Fails if its shape is (1,)."""
    for x in (normal(), normal(5), normal(2, 3, 4)):
        layer = build("PReLU", x)
        assert {k: (v.shape, float(v)) for k, v in layer.parameters.items()} == {
            "negative_slope": ((), 0.25)
        }
        np.testing.assert_array_equal(layer(x), jaxact.prelu(x, 0.25))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 5, 5), (2, 3, 5, 4)])
def test_each_channel_of_any_axis_has_its_own_slope(build, shape):
    """Fails if slopes line up with the last axis, or the first, whatever `axis` is."""
    x, slopes = normal(*shape), jnp.linspace(-0.5, 1.5, 5)
    for axis in [a for a in range(-len(shape), len(shape)) if shape[a] == 5]:
        layer = build("PReLU", x, 5, axis=axis, negative_slope_init=0.125)
        np.testing.assert_array_equal(layer.parameters["negative_slope"], jnp.full(5, 0.125))
        last = jaxact.prelu(jnp.moveaxis(x, axis, -1), slopes)
        np.testing.assert_array_equal(
            layer.apply({"negative_slope": slopes}, x), jnp.moveaxis(last, -1, axis)
        )


def test_slopes_learn_from_the_negative_elements_of_their_channel(build):
    x, seed = normal(7, 3, 2), normal(7, 3, 2) + 1
    layer = build("PReLU", x, 3, axis=1)
    gradient = jax.grad(lambda p: (layer.apply(p, x) * seed).sum())(layer.parameters)
    np.testing.assert_allclose(
        gradient["negative_slope"], (jnp.minimum(x, 0) * seed).sum((0, 2)), rtol=1e-6
    )


def test_a_slope_learns_in_its_own_dtype(build):
    x = -jnp.ones((64, 64), jnp.bfloat16)
    layer = build("PReLU", x)
    gradient = jax.grad(lambda p: layer.apply(p, x).astype(jnp.float32).sum())(layer.parameters)
    assert gradient["negative_slope"].dtype == jnp.float32
    assert gradient["negative_slope"] == -64 * 64


def test_evaluation_takes_the_mean_slope(build):
    x = normal(5, 6)
    layer = build("RReLU", x, 0.2, 0.6)
    np.testing.assert_array_equal(layer(x), jaxact.leaky_relu(x, 0.4))
    np.testing.assert_array_equal(build("RReLU", x)(x), jaxact.rrelu(x))
    assert not layer.parameters


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_training_draws_a_slope_per_element_between_the_bounds(build, distribution):
    x = -jnp.ones((100, 100))
    layer = build("RReLU", x, 0.2, 0.6, distribution)
    slopes = -layer(x, jax.random.key(0))
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.6
    assert len(np.unique(slopes)) > 9_900  # of 2^23 numbers, 10,000 draws repeat about six
    np.testing.assert_allclose(slopes.mean(), 0.4, atol=0.005)
    deviation = {"uniform": 0.4 / 12**0.5, "normal": 0.1 * 0.8796}[distribution]  # cut at 2 s.d.
    np.testing.assert_allclose(slopes.std(), deviation, rtol=0.03)
    np.testing.assert_array_equal(layer(-x, jax.random.key(0)), -x)


def test_the_key_decides_what_is_drawn(build):
    x = normal(8, 8)
    layer = build("RReLU", x)
    one, two = jax.random.split(jax.random.key(0))
    np.testing.assert_array_equal(layer(x, one), layer(x, one))
    np.testing.assert_array_equal(
        layer(x, one), jaxact.rrelu(x, one, lower=1 / 8, upper=1 / 3, distribution="uniform")
    )
    assert (layer(x, one) != layer(x, two)).any()


def test_the_gradient_of_a_drawn_slope_is_that_slope(build):
    x = normal(8, 8)
    layer, key = build("RReLU", x), jax.random.key(0)
    gradient = jax.grad(lambda x: layer(x, key).sum())(x)
    np.testing.assert_allclose(gradient * x, layer(x, key), rtol=1e-6)


def test_maxout_is_the_maximum_of_dense_layers(build, build_dense):
    """Fails if the pieces of one output are not adjacent, or have no bias."""
    x = normal(5, 7)
    layer, dense = build("Maxout", x, 4, 3, bias_init=nn.initializers.normal()), build_dense(x, 4)
    assert {k: v.shape for k, v in layer.parameters.items()} == {"kernel": (7, 12), "bias": (12,)}
    pieces = [
        dense.apply({k: v[..., piece::3] for k, v in layer.parameters.items()}, x)
        for piece in range(3)
    ]
    np.testing.assert_allclose(layer(x), functools.reduce(jnp.maximum, pieces), rtol=1e-5)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("num_pieces", [1, 2, 5])
def test_maxout_has_the_parameters_of_as_many_dense_layers(
    build, build_dense, num_pieces, use_bias
):
    x = normal(5, 7)
    layer = build("Maxout", x, 4, num_pieces, use_bias=use_bias)
    dense = build_dense(x, 4, use_bias=use_bias)
    assert layer(x).shape == dense(x).shape
    assert layer.parameters.keys() == dense.parameters.keys()
    count = lambda layer: sum(v.size for v in layer.parameters.values())
    assert count(layer) == num_pieces * count(dense)


@pytest.mark.parametrize("shape", [(7,), (2, 7), (2, 3, 7), (0, 7)])
def test_maxout_keeps_leading_axes(build, shape):
    x = normal(*shape)
    layer = build("Maxout", x, 4)
    assert layer(x).shape == (*shape[:-1], 4)


# How they start


@pytest.mark.parametrize(
    "initializer",
    [
        nn.initializers.lecun_normal(),
        nn.initializers.glorot_uniform(),
        nn.initializers.variance_scaling(1.0, "fan_out", "normal"),
    ],
    ids=["fan in", "fan average", "fan out"],
)
def test_each_piece_starts_with_the_variance_of_a_dense_layer(build, build_dense, initializer):
    """Fails if the whole kernel is drawn at once, or every piece with one key."""
    x = normal(1, 400)
    dense = build_dense(x, 100, kernel_init=initializer).parameters["kernel"]
    kernel = build("Maxout", x, 100, 3, kernel_init=initializer).parameters["kernel"]
    pieces = [kernel[:, piece::3] for piece in range(3)]
    for piece in pieces:
        np.testing.assert_allclose(piece.std(), dense.std(), rtol=0.02)
        np.testing.assert_allclose(piece.mean(), 0, atol=4 * dense.std() / 200)
    correlations = np.corrcoef([piece.ravel() for piece in pieces]) - np.eye(3)
    assert abs(correlations).max() < 4 / 200  # four standard deviations of 40,000 pairs


def test_each_piece_of_an_orthogonal_kernel_is_orthogonal(build):
    """Fails if the pieces are put one behind the other."""
    x = normal(1, 8)
    kernel = build("Maxout", x, 8, 2, kernel_init=nn.initializers.orthogonal()).parameters["kernel"]
    for piece in (kernel[:, 0::2], kernel[:, 1::2]):
        np.testing.assert_allclose(piece.T @ piece, np.eye(8), atol=1e-6)


def test_the_default_initializers_are_those_of_a_dense_layer(build):
    layer = build("Maxout", normal(1, 256), 256)
    np.testing.assert_allclose(layer.parameters["kernel"].std(), 1 / 16, rtol=0.02)
    assert not layer.parameters["bias"].any()


# Which dtype they give

DTYPES = (jnp.bfloat16, jnp.float16, jnp.float32, jnp.int32)
dtypes = pytest.mark.parametrize("dtype", [None, jnp.bfloat16, jnp.float32])
param_dtypes = pytest.mark.parametrize("param_dtype", [jnp.float32, jnp.bfloat16])


@dtypes
@param_dtypes
@jax.numpy_dtype_promotion("standard")  # strictly, a dense layer mixes no dtypes
def test_maxout_gives_the_dtype_of_a_dense_layer(build, build_dense, dtype, param_dtype):
    for x_dtype in DTYPES:
        x = jnp.ones((2, 3), x_dtype)
        layer = build("Maxout", x, 4, dtype=dtype, param_dtype=param_dtype)
        dense = build_dense(x, 4, dtype=dtype, param_dtype=param_dtype)
        assert jax.eval_shape(layer, x).dtype == jax.eval_shape(dense, x).dtype
        assert {v.dtype for v in layer.parameters.values()} == {jnp.dtype(param_dtype)}


@dtypes
@param_dtypes
def test_prelu_gives_dtype_or_that_of_x(build, dtype, param_dtype):
    for x_dtype in DTYPES:
        x = jnp.ones((2, 3), x_dtype)
        layer = build("PReLU", x, 3, dtype=dtype, param_dtype=param_dtype)
        expected = dtype or (jnp.float32 if x_dtype == jnp.int32 else x_dtype)
        assert jax.eval_shape(layer, x).dtype == expected
        assert layer.parameters["negative_slope"].dtype == param_dtype


def test_prelu_of_16_bits_gives_the_dtype_of_flax_and_rounds_less(build, build_flax):
    """Fails if the slope is rounded to the dtype of x first."""
    x = normal(1000, dtype=jnp.bfloat16)
    ours, flax = (b("PReLU", x, negative_slope_init=0.3) for b in (build, build_flax))
    assert ours(x).dtype == flax(x).dtype == jnp.bfloat16
    exact = np.where(x >= 0, x, np.float32(0.3) * np.asarray(x, np.float32))
    error = lambda layer: np.abs(np.asarray(layer(x), np.float32) - exact).sum()
    np.testing.assert_array_equal(ours(x), exact.astype(jnp.bfloat16))
    assert error(ours) < error(flax)


def test_maxout_passes_on_what_a_dense_layer_takes(build):
    """Fails if `precision` or `dot_general` is forgotten."""
    seen = {}

    def dot_general(x, kernel, dimensions, precision=None, **options):
        seen.update(precision=precision)
        return jax.lax.dot_general(x, kernel, dimensions, precision=precision, **options)

    x = normal(2, 3)
    layer = build("Maxout", x, 4, dot_general=dot_general, precision=jax.lax.Precision.HIGHEST)
    np.testing.assert_allclose(layer(x), build("Maxout", x, 4)(x), rtol=1e-5)
    assert seen == {"precision": jax.lax.Precision.HIGHEST}


# What they refuse

REFUSED = {
    "fewer slopes than channels": (
        ("PReLU", 3),
        normal(4, 5),
        r"PReLU: num_parameters is 3, but axis 1 of x of shape \(4, 5\) has 5 channels: "
        "pass num_parameters=5",
    ),
    "more slopes than channels": (
        ("PReLU", 3, {"axis": 0}),
        normal(1, 3),
        r"num_parameters is 3, but axis 0 of x of shape \(1, 3\) has 1 channels",
    ),
    "an axis beyond the last": (
        ("PReLU", 3, {"axis": 2}),
        normal(4, 3),
        "PReLU: axis is 2, but x has 2 dimensions: choose one from -2 to 1",
    ),
    "an axis before the first": (
        ("PReLU", 3, {"axis": -3}),
        normal(4, 3),
        "PReLU: axis is -3, but x has 2 dimensions",
    ),
    "channels of a number": (
        ("PReLU", 3),
        normal(),
        "axis is -1, but x has 0 dimensions: pass an array with features",
    ),
    "no slope": (
        ("PReLU", 0),
        normal(4, 3),
        "PReLU: num_parameters is 0, but must be 1 or the number of channels",
    ),
    "bounds in the wrong order": (
        ("RReLU", 0.5, 0.25),
        normal(4),
        "lower is 0.5, above upper, which is 0.25: swap them",
    ),
    "an unknown distribution": (
        ("RReLU", 0.1, 0.2, "cauchy"),
        normal(4),
        'distribution is \'cauchy\', but must be "uniform" or "normal"',
    ),
    "no pieces": (
        ("Maxout", 4, 0),
        normal(2, 3),
        "Maxout: num_pieces is 0, but must be an integer of 1",
    ),
}


@pytest.mark.parametrize(("arguments", "x", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_input_is_refused_with_its_remedy_while_tracing(build, arguments, x, message):
    """Fails if a shape that broadcasts is let through."""
    name, *arguments = arguments
    options = arguments.pop() if isinstance(arguments[-1], dict) else {}
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda x: build(name, x, *arguments, **options)(x), x)


def test_complex_input_is_refused_in_evaluation_and_in_training(build):
    layer = build("RReLU", jnp.ones(3))
    for key in (None, jax.random.key(0)):
        with pytest.raises(TypeError, match="rrelu is defined for real x"):
            layer(jnp.ones(3, jnp.complex64), key)


# What they load


def test_functions_load_no_flax_and_linen_loads_no_nnx(pytestconfig):
    program = """if True:
        import sys, jaxact
        assert not any(name.partition(".")[0] == "flax" for name in sys.modules)
        assert jaxact.linen.PReLU and "flax.nnx" not in sys.modules
        assert jaxact.nnx.PReLU and "flax.nnx" in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=pytestconfig.rootpath)
