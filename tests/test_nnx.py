"""The modules of `jaxact.nnx` behave as Flax's own whatever NNX does to a model."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from flax import nnx
from jax.sharding import AxisType, PartitionSpec

import jaxact.nnx


class Block(nnx.Module):
    """All three modules in a row, from 6 features to 6 features."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.maxout = jaxact.nnx.Maxout(6, 6, 3, rngs=rngs)
        self.prelu = jaxact.nnx.PReLU(6)
        self.rrelu = jaxact.nnx.RReLU(rngs=rngs)

    def __call__(self, x):
        return self.rrelu(self.prelu(self.maxout(x)))


@pytest.fixture
def block() -> Block:
    return Block(rngs=nnx.Rngs(0))


@pytest.fixture
def x() -> jax.Array:
    return jax.random.normal(jax.random.key(1), (5, 6))


def assert_close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# Randomness


def test_train_and_eval_switch_randomness(block, x):
    block.eval()
    assert block.rrelu.deterministic is True
    np.testing.assert_array_equal(block(x), block(x))
    block.train()
    assert block.rrelu.deterministic is False
    assert (block(x) != block(x)).any()


def test_a_view_is_deterministic_and_leaves_the_model_random(block, x):
    """Fails without `set_view`."""
    view = nnx.view(block, deterministic=True)
    np.testing.assert_array_equal(view(x), view(x))
    assert block.rrelu.deterministic is False


def test_the_call_overrules_the_attribute(x):
    """Fails if the attribute is asked first."""
    layer = jaxact.nnx.RReLU(deterministic=True, rngs=nnx.Rngs(0))
    assert (layer(x, deterministic=False) != layer(x)).any()
    layer.train()
    np.testing.assert_array_equal(layer(x, deterministic=True), jaxact.rrelu(x))


def test_evaluation_needs_no_rngs(x):
    layer = jaxact.nnx.RReLU()
    layer.eval()
    np.testing.assert_array_equal(layer(x), jaxact.rrelu(x))


def test_training_without_rngs_is_refused_with_the_remedy(x):
    with pytest.raises(ValueError, match=r"no `rngs` argument was provided to RReLU: pass it"):
        jaxact.nnx.RReLU()(x)


def test_not_to_say_whether_it_is_random_is_refused_with_the_remedy(x):
    with pytest.raises(ValueError, match=r"No `deterministic` argument was provided to RReLU"):
        jaxact.nnx.RReLU(deterministic=None)(x)


def test_a_seed_in_place_of_rngs_is_refused(x):
    with pytest.raises(TypeError, match="rngs is 0, but must be a Rngs, a RngStream or None"):
        jaxact.nnx.RReLU(rngs=0)
    with pytest.raises(TypeError, match="rngs is 0, but must be a Rngs, a RngStream, a"):
        jaxact.nnx.RReLU()(x, rngs=0)


def test_wrong_options_are_refused_by_the_constructor():
    """Fails if they are refused by the first call."""
    with pytest.raises(ValueError, match="swap them"):
        jaxact.nnx.RReLU(0.5, 0.25)
    with pytest.raises(ValueError, match="distribution is 'gaussian'"):
        jaxact.nnx.RReLU(distribution="gaussian")
    with pytest.raises(ValueError, match="num_pieces is 0"):
        jaxact.nnx.Maxout(3, 4, 0, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="num_parameters is 0"):
        jaxact.nnx.PReLU(0)


def test_the_call_takes_rngs_a_stream_or_a_key_before_its_own(x):
    """Fails if the constructor's rngs win, or if the default stream is asked."""
    key = nnx.Rngs(rrelu=3).rrelu()
    layer = jaxact.nnx.RReLU(rngs=nnx.Rngs(0))
    for rngs in (nnx.Rngs(0, rrelu=3), nnx.Rngs(rrelu=3).rrelu, key):
        np.testing.assert_array_equal(layer(x, rngs=rngs), jaxact.rrelu(x, key))


def test_the_constructor_forks_the_one_stream_it_needs(x):
    """Fails if it keeps all of rngs, or shares the stream with others."""
    key = nnx.Rngs(rrelu=3).rrelu.fork()()
    for rngs in (nnx.Rngs(0, rrelu=3), nnx.Rngs(rrelu=3).rrelu):
        layer = jaxact.nnx.RReLU(rngs=rngs)
        assert isinstance(layer.rngs, nnx.RngStream)
        np.testing.assert_array_equal(layer(x), jaxact.rrelu(x, key))


def test_keys_come_from_the_named_stream_or_else_the_default(x):
    draw = lambda rngs, **options: jaxact.nnx.RReLU(rngs=rngs, **options)(x)
    np.testing.assert_array_equal(draw(nnx.Rngs(0, rrelu=3)), draw(nnx.Rngs(rrelu=3)))
    np.testing.assert_array_equal(draw(nnx.Rngs(3)), draw(nnx.Rngs(3, dropout=4)))
    np.testing.assert_array_equal(
        draw(nnx.Rngs(0, noise=3), rng_collection="noise"), draw(nnx.Rngs(rrelu=3))
    )


def test_the_same_seed_gives_the_same_sequence_of_draws(x):
    one, two = (jaxact.nnx.RReLU(rngs=nnx.Rngs(0)) for _ in range(2))
    first, second = one(x), one(x)
    assert (first != second).any()
    np.testing.assert_array_equal(two(x), first)
    np.testing.assert_array_equal(two(x), second)


# Transformations


def test_jit_draws_on(block, x):
    eager, compiled = Block(rngs=nnx.Rngs(0)), nnx.jit(lambda block, x: block(x))
    for _ in range(2):
        assert_close(compiled(block, x), eager(x))


def test_split_and_merge_give_the_same_layer(block, x):
    copy = nnx.merge(*nnx.split(nnx.clone(block)))  # a clone, for the stream of keys is shared
    np.testing.assert_array_equal(copy(x), block(x))


def test_parameters_are_params_and_nothing_else_is(block):
    shapes = jax.tree.map(jnp.shape, nnx.to_pure_dict(nnx.state(block, nnx.Param)))
    assert shapes == {
        "maxout": {"kernel": (6, 18), "bias": (18,)},
        "prelu": {"negative_slope": (6,)},
    }
    others = nnx.state(block, nnx.Not(nnx.Param))
    assert all(isinstance(v, nnx.RngState) for _, v in nnx.to_flat_state(others))


def test_vmap_makes_an_ensemble(x):
    @nnx.split_rngs(splits=4)
    @nnx.vmap
    def ensemble(rngs):
        return Block(rngs=rngs)

    @nnx.vmap(in_axes=(0, None))
    def call(block, x):
        return block(x)

    blocks = ensemble(nnx.Rngs(0))
    assert blocks.maxout.kernel.shape == (4, 6, 18)
    outputs = call(blocks, x)
    assert outputs.shape == (4, 5, 6)
    assert (outputs[0] != outputs[1]).any()

    blocks.eval()
    graph, state = nnx.split(blocks)
    for member, output in enumerate(call(blocks, x)):
        alone = nnx.merge(graph, jax.tree.map(lambda leaf, m=member: leaf[m], state))
        assert_close(alone(x), output)


def test_scan_makes_a_stack_of_layers(x):
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def stack(rngs):
        return Block(rngs=rngs)

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, block):
        return block(x)

    blocks = stack(nnx.Rngs(0))
    assert (forward(x, blocks) != forward(x, blocks)).any()

    blocks.eval()
    graph, state = nnx.split(blocks)
    y = x
    for layer in range(3):
        y = nnx.merge(graph, jax.tree.map(lambda leaf, i=layer: leaf[i], state))(y)
    assert_close(forward(x, blocks), y)


def test_remat_changes_no_gradient(block, x):
    block.eval()
    loss = lambda block, x: (block(x) ** 2).sum()
    plain = nnx.grad(loss)(block, x)
    jax.tree.map(assert_close, nnx.grad(nnx.remat(loss))(block, x), plain)


def test_an_optimizer_trains_every_parameter(block, x):
    optimizer = nnx.Optimizer(block, optax.sgd(0.1), wrt=nnx.Param)
    before = jax.tree.map(jnp.copy, nnx.state(block, nnx.Param))

    @nnx.jit
    def step(block, optimizer):
        loss, gradients = nnx.value_and_grad(lambda block: ((block(x) - 1) ** 2).mean())(block)
        optimizer.update(block, gradients)
        return loss

    losses = [step(block, optimizer) for _ in range(100)]
    assert losses[-1] < losses[0] / 2
    for old, new in zip(
        jax.tree.leaves(before), jax.tree.leaves(nnx.state(block, nnx.Param)), strict=True
    ):
        assert (old != new).any()


# Checkpoints


def test_a_checkpoint_restores_parameters_and_the_state_of_randomness(block, x, tmp_path):
    block(x)
    graph, state = nnx.split(block)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "step", nnx.to_pure_dict(state))
        checkpointer.wait_until_finished()
        fresh = nnx.eval_shape(lambda: Block(rngs=nnx.Rngs(7)))
        graph, target = nnx.split(fresh)
        nnx.replace_by_pure_dict(
            target, checkpointer.restore(tmp_path / "step", nnx.to_pure_dict(target))
        )
    np.testing.assert_array_equal(nnx.merge(graph, target)(x), block(x))


def test_a_shared_slope_takes_the_state_of_flax(x):
    layer, flax = jaxact.nnx.PReLU(), nnx.PReLU(0.1)
    nnx.update(layer, nnx.state(flax))
    np.testing.assert_array_equal(layer(x), flax(x))


# Metadata


def mesh_of_four(axis_type: AxisType):
    return jax.set_mesh(jax.make_mesh((2, 2), ("data", "model"), axis_types=(axis_type,) * 2))


axis_types = pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])


@axis_types
def test_metadata_shards_parameters_as_in_flax_and_results_follow(axis_type, x):
    """Fails if the metadata of any parameter is dropped."""
    columns, features = {"out_sharding": (None, "model")}, {"out_sharding": ("model",)}
    options = {"kernel_metadata": columns, "bias_metadata": features, "rngs": nnx.Rngs(0)}
    with mesh_of_four(axis_type):
        maxout = jaxact.nnx.Maxout(6, 4, **options)
        dense = nnx.Linear(6, 8, **options)
        prelu = jaxact.nnx.PReLU(4, negative_slope_metadata=features)
        rrelu = jaxact.nnx.RReLU(rngs=nnx.Rngs(0))
        for ours, flax in ((maxout.kernel, dense.kernel), (maxout.bias, dense.bias)):
            assert ours.get_metadata() == flax.get_metadata()
            assert ours[...].sharding == flax[...].sharding
        assert prelu.negative_slope[...].sharding.spec == PartitionSpec("model")

        x = jax.device_put(x[:4], PartitionSpec("data", None))
        expected = jnp.asarray(dense(x)).sharding
        model = nnx.Sequential(maxout, prelu, rrelu)
        assert nnx.jit(lambda model, x: model(x))(model, x).sharding == expected
        gradient = nnx.grad(lambda model, x: model(x).sum())(model, x)
        kernel = gradient["layers"][0]["kernel"]
        assert kernel[...].sharding.is_equivalent_to(maxout.kernel[...].sharding, 2)


def test_initializers_may_carry_the_metadata():
    """Fails if the pieces are joined without what they are wrapped in."""
    lecun, zeros = nnx.initializers.lecun_normal(), nnx.initializers.zeros_init()
    with mesh_of_four(AxisType.Auto):
        layer = jaxact.nnx.Maxout(
            6,
            4,
            kernel_init=nnx.with_partitioning(lecun, (None, "model")),
            bias_init=nnx.with_partitioning(zeros, ("model",)),
            rngs=nnx.Rngs(0),
        )
    assert layer.bias is not None
    assert layer.bias.out_sharding == ("model",)
    assert layer.kernel.out_sharding == (None, "model")
    assert layer.kernel[...].sharding.spec == PartitionSpec(None, "model")
    plain = jaxact.nnx.Maxout(6, 4, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer.kernel[...], plain.kernel[...])


def test_the_result_takes_the_sharding_that_is_asked_for(x):
    with mesh_of_four(AxisType.Explicit):
        layer = jaxact.nnx.Maxout(6, 4, rngs=nnx.Rngs(0))
        x = jax.device_put(x[:4], PartitionSpec("data", None))
        y = layer(x, out_sharding=PartitionSpec("data", "model"))
    assert y.sharding.spec == PartitionSpec("data", "model")


def test_maxout_passes_on_what_linear_takes(x):
    options = {"preferred_element_type": jnp.float32, "dtype": jnp.bfloat16, "use_bias": False}
    maxout = jaxact.nnx.Maxout(6, 4, **options, rngs=nnx.Rngs(0))
    dense = nnx.Linear(6, 8, **options, rngs=nnx.Rngs(0))
    assert maxout(x).dtype == dense(x).dtype == jnp.float32
