"""The monitor: a record beside an optimizer that it leaves as it is."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P

import jaxact
from jaxact.diagnostics import Record, monitor, recorded

PARAMETERS = {
    "first": {"kernel": jnp.full((8, 4), 2.0), "bias": jnp.zeros(4)},
    "second": {"kernel": jnp.full((4, 3), 0.5)},
}
GRADIENTS = jax.tree.map(lambda p: jnp.full(p.shape, 0.25), PARAMETERS)


def assert_same(a, b, **tolerance):
    jax.tree.map(functools.partial(np.testing.assert_allclose, **tolerance), a, b)


def record_of(optimizer, *gradients) -> Record:
    state = optimizer.init(PARAMETERS)
    for gradient in gradients:
        _, state = jax.jit(optimizer.update)(gradient, state, PARAMETERS)
    return recorded(state)


def test_it_records_norms_and_ratios_of_every_layer():
    record = record_of(monitor(optax.sgd(0.1)), GRADIENTS, jax.tree.map(jnp.negative, GRADIENTS))
    assert record.layers == ("first", "second")
    expected = [0.25 * np.sqrt(36), 0.25 * np.sqrt(12)]
    assert_same(record.gradient_norms.last, np.array(expected), rtol=1e-6)
    weights = [2 * np.sqrt(32), 0.5 * np.sqrt(12)]
    ratios = 0.1 * np.array(expected) / weights
    assert_same(record.update_ratios.last, ratios, rtol=1e-6)
    assert_same(record.update_ratios.mean, ratios, rtol=1e-6)
    assert int(record.steps) == 2


def test_means_are_over_all_steps():
    scaled = [jax.tree.map(lambda g, s=s: s * g, GRADIENTS) for s in (1.0, 2.0, 6.0)]
    record = record_of(monitor(), *scaled)
    assert_same(record.gradient_norms.mean, 3 * record_of(monitor(), GRADIENTS).gradient_norms.last)


@pytest.mark.usefixtures("standard_promotion")
def test_clipped_steps_and_steps_that_are_not_finite_are_counted():
    broken = {**GRADIENTS, "second": {"kernel": jnp.full((4, 3), jnp.nan)}}
    large = jax.tree.map(lambda g: 100 * g, GRADIENTS)
    clipping = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(1e-3))
    record = record_of(monitor(clipping, clip_norm=5.0), GRADIENTS, large, broken, large)
    assert (int(record.steps), int(record.clipped), int(record.nonfinite)) == (4, 2, 1)
    assert np.isfinite(record.gradient_norms.mean).all()
    assert_same(
        record.gradient_norms.mean, 67 * record_of(monitor(), GRADIENTS).gradient_norms.last
    )


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("inner", [optax.adamw(1e-2), optax.sgd(0.1, momentum=0.9)])
def test_the_optimizer_inside_does_what_it_does_alone(inner):
    def trained(optimizer):
        parameters, state = PARAMETERS, optimizer.init(PARAMETERS)
        for _ in range(3):
            updates, state = optimizer.update(GRADIENTS, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
        return parameters

    assert_same(trained(monitor(inner)), trained(inner), rtol=0)


def test_it_composes_with_chain_and_works_in_scan_and_vmap():
    optimizer = optax.chain(optax.clip(0.1), monitor(), optax.sgd(0.1))

    @jax.jit
    @jax.vmap
    def trained(scale):
        def step(carry, _):
            parameters, state = carry
            gradients = jax.tree.map(lambda g: scale * g, GRADIENTS)
            updates, state = optimizer.update(gradients, state, parameters)
            return (optax.apply_updates(parameters, updates), state), None

        start = PARAMETERS, optimizer.init(PARAMETERS)
        return recorded(jax.lax.scan(step, start, length=5)[0][1])

    record = trained(jnp.array([0.1, 1.0]))
    assert record.steps.tolist() == [5, 5]
    assert_same(record.gradient_norms.last[:, 1], np.array([0.025, 0.1]) * np.sqrt(12), rtol=1e-5)


def test_it_works_on_sharded_parameters():
    mesh = jax.make_mesh((8,), ("rows",))
    shard = lambda a: jax.device_put(a, NamedSharding(mesh, P("rows" if a.shape[0] == 8 else None)))
    optimizer = monitor(optax.sgd(0.1))
    parameters, gradients = jax.tree.map(shard, (PARAMETERS, GRADIENTS))
    _, state = jax.jit(optimizer.update)(gradients, optimizer.init(parameters), parameters)
    _, expected = optimizer.update(GRADIENTS, optimizer.init(PARAMETERS), PARAMETERS)
    assert_same(jax.device_get(state), jax.device_get(expected), rtol=1e-6)


def test_it_works_in_the_optimizer_of_nnx():
    model = nnx.Sequential(nnx.Linear(8, 4, rngs=nnx.Rngs(0)), jaxact.relu)
    optimizer = nnx.Optimizer(model, monitor(optax.sgd(0.1)), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        gradients = nnx.grad(lambda model: jnp.sum(model(jnp.ones((2, 8)))))(model)
        optimizer.update(model, gradients)

    step(model, optimizer)
    record = recorded(optimizer.opt_state)
    assert record.layers == ("layers/0",)
    assert record.to_dict()["steps"] == 1
    assert int(record.steps) == 1
    assert float(record.gradient_norms.last[0]) > 0


def test_a_fresh_state_can_be_donated():
    optimizer = monitor(optax.sgd(0.1))
    step = jax.jit(optimizer.update, donate_argnums=1)
    _, state = step(GRADIENTS, optimizer.init(PARAMETERS), PARAMETERS)
    assert int(state.steps) == 1


def test_a_record_goes_into_checkpoints(tmp_path):
    import orbax.checkpoint
    from flax import serialization

    record = record_of(monitor(optax.sgd(0.1, momentum=0.9)), GRADIENTS)
    fresh = monitor(optax.sgd(0.1, momentum=0.9)).init(PARAMETERS)
    stored = serialization.to_bytes(record)
    assert_same(serialization.from_bytes(fresh, stored), record)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "record", record)
        checkpointer.wait_until_finished()
        assert_same(checkpointer.restore(tmp_path / "record", fresh), record)


def test_frozen_layers_are_zeros_of_their_own():
    partly = {"first": {"kernel": None, "bias": None}, "second": GRADIENTS["second"]}
    record = record_of(monitor(), partly)
    assert record.layers == ("first", "second")
    assert record.gradient_norms.last[0] == 0
    assert_same(record.gradient_norms.last[1], 0.25 * np.sqrt(12), rtol=1e-6)


def test_complex_numbers_are_counted_by_their_magnitude():
    optimizer, weights = monitor(optax.sgd(0.1)), {"a": {"w": jnp.array([3 + 4j, 0])}}
    _, state = optimizer.update(weights, optimizer.init(weights), weights)
    assert_same(state.gradient_norms.last, np.array([5.0]))
    assert_same(state.update_ratios.last, np.array([0.1]), rtol=1e-6)


@pytest.mark.parametrize("size", [1e25, 1e-25])
def test_norms_neither_overflow_nor_vanish(size):
    gradients = jax.tree.map(lambda g: g * size, GRADIENTS)
    record = record_of(monitor(), gradients)
    assert_same(record.gradient_norms.last, size * 0.25 * np.sqrt([36, 12]), rtol=1e-5)
    assert int(record.nonfinite) == 0


def test_a_record_is_read_and_stored():
    from rich.console import Console

    record = record_of(monitor(optax.sgd(0.1)), GRADIENTS)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(record.table())
    assert "first" in capture.get()
    assert json.loads(record.to_json())["layers"][1]["layer"] == "second"
    assert record.scalars()["monitor/first/gradient_norm"] == pytest.approx(1.5)


def test_wrong_input_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match="clip_norm is -1, but must be positive"):
        monitor(clip_norm=-1)
    with pytest.raises(ValueError, match="no parameters"):
        monitor().init({})
    with pytest.raises(ValueError, match="0 records"):
        recorded(optax.sgd(0.1).init(PARAMETERS))
    with pytest.raises(TypeError, match="inner is a float"):
        monitor(0.1)
    with pytest.raises(TypeError, match="clip_norm is a str"):
        monitor(clip_norm="1")
