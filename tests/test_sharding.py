"""Many devices: elementwise functions and gates never communicate, learned slopes only once."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import FEATURES, assert_close, cases, identical, over, typical_cases, weights
from jax.experimental import topologies
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P

from benchmarks.targets import TARGETS

pytestmark = pytest.mark.machinery
COLLECTIVES = re.compile(
    r" (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)
SHAPE = (8, FEATURES)
BOTH = P("batch", "features")
# What one output needs lies in one shard: both axes for elementwise functions and gates.
LOCAL = [
    (case, spec)
    for kinds, spec in ((("elementwise", "random", "gate"), BOTH), (("axis",), P("batch", None)))
    for case in cases(*kinds)
]
TYPICAL = {case.entry.name: case.parameters for case in typical_cases()}
over_local = pytest.mark.parametrize(("case", "spec"), LOCAL, ids=lambda p: repr(p))
over_typical_local = pytest.mark.parametrize(
    ("case", "spec"),
    [(case, spec) for case, spec in LOCAL if TYPICAL[case.entry.name] == case.parameters],
    ids=lambda p: repr(p),
)


def mesh(kind):
    return jax.make_mesh((4, 2), ("batch", "features"), axis_types=(kind,) * 2)


def collectives(function, *arguments):
    """The communication in the compiled program."""
    return COLLECTIVES.findall(jax.jit(function).lower(*arguments).compile().as_text())


def pulled_back(case):
    """What the backward pass computes, from inputs and cotangent."""
    return lambda x, cotangent: jax.vjp(case, *x)[1](cotangent)


@over_typical_local
def test_value_and_gradient_need_no_communication(case, spec):
    x = case.inputs(SHAPE)
    sharding = NamedSharding(mesh(AxisType.Auto), spec)
    placed = jax.device_put(x, sharding)
    cotangent = jax.device_put(weights(case(*x)), sharding)
    both = lambda x, cotangent: (case(*x), pulled_back(case)(x, cotangent))
    program = jax.jit(both).lower(placed, cotangent).compile()
    assert not COLLECTIVES.findall(program.as_text())
    assert_close(program(placed, cotangent), both(x, weights(case(*x))), ulps=2)


@pytest.fixture(scope="module")
def tpus():
    """Four TPUs that need not be there, as a mesh; fails where their compiler is not installed."""
    TARGETS["v5e"].device()
    described = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
    devices = np.asarray(described.devices).reshape(2, 2)
    return Mesh(devices, ("batch", "features"), axis_types=(AxisType.Auto,) * 2)


@pytest.mark.special(needs="aot")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@over_typical_local
def test_value_and_gradient_need_no_communication_on_a_tpu(case, spec, dtype, tpus):
    where = NamedSharding(tpus, spec)
    placed = lambda a: jax.ShapeDtypeStruct(a.shape, dtype, sharding=where)
    x = case.inputs(SHAPE, dtype)
    arguments = jax.tree.map(placed, (x, jax.eval_shape(case, *x)))
    both = lambda x, cotangent: (case(*x), pulled_back(case)(x, cotangent))
    assert not collectives(both, *arguments)


@over([case for case in cases() if case.learnable])
def test_a_learned_parameter_costs_one_reduction(case):
    where = mesh(AxisType.Auto)
    x = jax.device_put(case.inputs(SHAPE), NamedSharding(where, BOTH))
    for name, parameter in case.arrays((FEATURES,)).items():
        spec = P(*(None,) * (parameter.ndim - 1), "features")
        parameter = jax.device_put(parameter, NamedSharding(where, spec))
        by_parameter = lambda x, p, name=name: jax.grad(lambda p: jnp.sum(case(*x, **{name: p})))(p)
        # None, where the derivative is the same for all inputs: a threshold's is 0, a bias' is 1.
        assert collectives(by_parameter, x, parameter) in (["all-reduce"], [])


@over_typical_local
def test_explicit_shardings_pass_through(case, spec):
    x = case.inputs(SHAPE)
    expected = case(*x)
    with jax.set_mesh(mesh(AxisType.Explicit)):
        placed = jax.device_put(x, spec)
        pulled = lambda *x: jax.vjp(case, *x)[1](case(*x))
        forward = lambda *x: jax.jvp(case, x, x)[1]
        second = lambda *x: jax.jvp(pulled, x, x)[1]
        y = case(*placed)
        compiled = jax.jit(lambda *x: (case(*x), pulled(*x), forward(*x), second(*x)))(*placed)
        everything = [y, *pulled(*placed), *jax.tree.leaves(compiled)]
        assert all(jax.typeof(a).sharding.spec == spec for a in everything)
        for got in (y, compiled[0]):
            assert_close(jax.device_get(got), jax.device_get(expected), ulps=2)


@over_typical_local
def test_shard_map_knows_what_varies(case, spec):
    """Value, gradient and Hessian on each device's part, and a replicated learned parameter."""
    where = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))
    x = case.inputs(SHAPE)
    rows = P("batch")
    total = lambda *x: jnp.sum(case(*x))
    argnums = tuple(range(case.arity))

    def on_each(*x):
        hessian = jax.hessian(lambda *row: jnp.sum(case(*row)), argnums)(*(a[0] for a in x))
        flat = jax.tree.map(lambda a: a[None], hessian)
        return case(*x), jax.grad(total, argnums)(*x), flat

    sharded = jax.shard_map(
        on_each, mesh=where, in_specs=(rows,) * case.arity, out_specs=rows, check_vma=True
    )
    y, g, hessian = jax.jit(sharded)(*x)
    assert identical(y, case(*x))
    assert_close(g, jax.grad(total, argnums)(*x))
    row = [a[3] for a in x]
    expected = jax.jit(jax.hessian(total, argnums))(*row)
    assert_close(jax.tree.map(lambda a: a[3], hessian), expected)


@over([case for case in typical_cases() if case.learnable])
def test_shard_map_sums_the_gradient_of_a_replicated_parameter(case):
    where = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))
    x = case.inputs(SHAPE)
    parameters = case.arrays((FEATURES,))
    by_parameters = lambda p, *x: jax.grad(lambda p: jnp.sum(case(*x, **p)))(p)
    in_specs = (P(), *(P("batch"),) * case.arity)
    sharded = jax.shard_map(
        by_parameters, mesh=where, in_specs=in_specs, out_specs=P(), check_vma=True
    )
    assert_close(jax.jit(sharded)(parameters, *x), by_parameters(parameters, *x))
