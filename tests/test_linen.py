"""The modules of `jaxact.linen` behave as Flax's own whatever Linen does to a model."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import errors, linen as nn
from jax.sharding import PartitionSpec

import jaxact.linen


class Block(nn.Module):
    """All three modules in a row, from 6 features to 6 features."""

    train: bool = False

    @nn.compact
    def __call__(self, x):
        x = jaxact.linen.Maxout(6, 3)(x)
        x = jaxact.linen.PReLU(6)(x)
        return jaxact.linen.RReLU(deterministic=not self.train)(x)


@pytest.fixture
def x() -> jax.Array:
    return jax.random.normal(jax.random.key(1), (5, 6))


@pytest.fixture
def variables(x) -> dict:
    return Block().init(jax.random.key(0), x)


def assert_close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# Randomness


def test_keys_come_from_the_rng_collection(x):
    """Fails if the collection is always `rrelu`."""
    layer, key = jaxact.linen.RReLU(deterministic=False), jax.random.key(3)
    one, two, again = (layer.apply({}, x, rngs={"rrelu": k}) for k in (key, jax.random.key(4), key))
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()
    named = jaxact.linen.RReLU(deterministic=False, rng_collection="noise")
    np.testing.assert_array_equal(named.apply({}, x, rngs={"noise": key}), one)


def test_two_layers_of_a_model_draw_apart(x):
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            return [jaxact.linen.RReLU(deterministic=False)(x) for _ in range(2)]

    one, two = Twice().apply({}, x, rngs={"rrelu": jax.random.key(0)})
    assert (one != two).any()


def test_a_key_in_the_call_is_the_key(x):
    """Fails if the rng collection is asked in any case."""
    key = jax.random.key(3)
    drawn = jaxact.linen.RReLU().apply({}, x, deterministic=False, rng=key)
    np.testing.assert_array_equal(drawn, jaxact.rrelu(x, key))


def test_evaluation_needs_no_rngs_and_heeds_none(x):
    """Fails if a key makes evaluation random."""
    layer = jaxact.linen.RReLU(deterministic=True)
    np.testing.assert_array_equal(layer.apply({}, x), jaxact.rrelu(x))
    np.testing.assert_array_equal(layer.apply({}, x, rng=jax.random.key(3)), jaxact.rrelu(x))


def test_training_without_rngs_is_refused_as_in_dropout(x):
    for layer in (jaxact.linen.RReLU(), nn.Dropout(0.5)):
        with pytest.raises(errors.InvalidRngError, match="needs PRNG for"):
            layer.apply({}, x, deterministic=False)


def test_whether_it_is_random_is_said_once(x):
    """Fails if the call and the attribute are joined by `or`."""
    with pytest.raises(ValueError, match="deterministic"):
        jaxact.linen.RReLU().apply({}, x)
    with pytest.raises(ValueError, match="deterministic"):
        jaxact.linen.RReLU(deterministic=True).apply({}, x, deterministic=True)


# Transformations


def test_parameters_bear_the_usual_names(variables):
    assert jax.tree.map(jnp.shape, variables) == {
        "params": {
            "Maxout_0": {"kernel": (6, 18), "bias": (18,)},
            "PReLU_0": {"negative_slope": (6,)},
        }
    }


def test_vmap_makes_an_ensemble(x):
    split = {"params": True, "rrelu": True}
    Ensemble = nn.vmap(
        Block, in_axes=None, variable_axes={"params": 0}, split_rngs=split, axis_size=4
    )
    variables = Ensemble().init(jax.random.key(0), x)
    assert variables["params"]["Maxout_0"]["kernel"].shape == (4, 6, 18)
    for member, y in enumerate(Ensemble().apply(variables, x)):
        assert_close(Block().apply(jax.tree.map(lambda v, m=member: v[m], variables), x), y)
    drawn = Ensemble(train=True).apply(variables, x, rngs={"rrelu": jax.random.key(0)})
    assert drawn.shape == (4, 5, 6)


def test_scan_makes_a_stack_of_layers(x):
    class Step(nn.Module):
        train: bool = False

        @nn.compact
        def __call__(self, x, _):
            return Block(self.train, name="block")(x), None

    split = {"params": True, "rrelu": True}
    Stack = nn.scan(Step, variable_axes={"params": 0}, split_rngs=split, length=3)
    variables = Stack().init(jax.random.key(0), x, None)
    y = x
    for layer in range(3):
        one = jax.tree.map(lambda v, i=layer: v[i], variables["params"]["block"])
        y = Block().apply({"params": one}, y)
    assert_close(Stack().apply(variables, x, None)[0], y)
    one, two = (
        Stack(train=True).apply(variables, x, None, rngs={"rrelu": jax.random.key(k)})[0]
        for k in (0, 1)
    )
    assert (one != two).any()


def test_remat_changes_no_gradient(variables, x):
    def gradient(block):
        rngs = {"rrelu": jax.random.key(0)}
        return jax.grad(lambda v: (block.apply(v, x, rngs=rngs) ** 2).sum())(variables)

    jax.tree.map(assert_close, gradient(nn.remat(Block)(train=True)), gradient(Block(train=True)))


def test_modules_work_as_attributes_too(x):
    class WithSetup(nn.Module):
        def setup(self):
            self.maxout = jaxact.linen.Maxout(6, 3)
            self.prelu = jaxact.linen.PReLU(6)

        def __call__(self, x):
            return self.prelu(self.maxout(x))

    variables = WithSetup().init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, variables["params"]) == {
        "maxout": {"kernel": (6, 18), "bias": (18,)},
        "prelu": {"negative_slope": (6,)},
    }


# Housekeeping


def test_modules_pickle_print_and_compare():
    zeros = nn.initializers.zeros_init()  # Flax's default cannot be pickled
    for layer in (
        jaxact.linen.PReLU(6),
        jaxact.linen.RReLU(),
        jaxact.linen.Maxout(6, 3, kernel_init=zeros),
    ):
        copy = pickle.loads(pickle.dumps(layer))
        assert copy == layer
        assert hash(copy) == hash(layer)
        assert repr(copy).startswith(type(layer).__name__)


def test_the_table_of_a_model_counts_the_parameters(x):
    table = Block().tabulate(jax.random.key(0), x, console_kwargs={"force_terminal": False})
    assert "negative_slope: float32[6]" in table
    assert "kernel: float32[6,18]" in table
    assert f"Total Parameters: {6 + 18 + 6 * 18}" in table


def test_a_shared_slope_takes_the_variables_of_flax(x):
    variables = nn.PReLU(negative_slope_init=0.1).init(jax.random.key(0), x)
    layer = jaxact.linen.PReLU()
    np.testing.assert_array_equal(layer.apply(variables, x), nn.PReLU().apply(variables, x))


# Metadata


@pytest.mark.parametrize("partition", [nn.with_partitioning, nn.with_logical_partitioning])
def test_initializers_may_carry_the_partition(x, partition):
    lecun, zeros = nn.initializers.lecun_normal(), nn.initializers.zeros_init()
    layer = jaxact.linen.Maxout(
        4,
        kernel_init=partition(lecun, ("embed", "mlp")),
        bias_init=partition(zeros, ("mlp",)),
    )
    variables = layer.init(jax.random.key(0), x)
    specs = nn.get_partition_spec(variables)["params"]
    assert specs == {"kernel": PartitionSpec("embed", "mlp"), "bias": PartitionSpec("mlp")}
    plain = jaxact.linen.Maxout(4).init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, nn.unbox(variables), plain)
    assert_close(layer.apply(variables, x), jaxact.linen.Maxout(4).apply(plain, x))


def test_scan_names_the_axis_of_layers(x):
    class Step(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
            return jaxact.linen.Maxout(6, kernel_init=init)(x), None

    Stack = nn.scan(
        Step,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=3,
        metadata_params={nn.PARTITION_NAME: "layers"},
    )
    variables = Stack().init(jax.random.key(0), x, None)
    spec = nn.get_partition_spec(variables)["params"]["Maxout_0"]["kernel"]
    assert spec == PartitionSpec("layers", None, "model")


def test_the_matrix_product_may_be_made_by_a_class(x):
    seen = []

    class DotGeneral:
        def __call__(self, *arguments, **options):
            seen.append(options)
            return jax.lax.dot_general(*arguments, **options)

    layer = jaxact.linen.Maxout(4, dot_general_cls=DotGeneral)
    plain = jaxact.linen.Maxout(4)
    variables = plain.init(jax.random.key(0), x)
    assert_close(layer.apply(variables, x), plain.apply(variables, x))
    assert seen == [{"precision": None}]
