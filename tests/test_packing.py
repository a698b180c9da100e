"""Packed codes: they come back as they were, and need no communication, however wide a shard is."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, identical, weights
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from test_sharding import COLLECTIVES, mesh

import jaxact
from jaxact._packing import Packing
from jaxact.backward import few_bit

BATCH, SHARDS = 8, 2
PACKED = {  # a function that keeps codes, and how many inputs it takes for an output
    "few_bit of 1": (few_bit(jaxact.gelu, 1), 1),
    "few_bit of 2": (few_bit(jaxact.gelu, 2), 1),
    "maxout of 2": (functools.partial(jaxact.maxout, num_pieces=2), 2),
    "maxout of 5": (functools.partial(jaxact.maxout, num_pieces=5), 5),
}
over_packed = pytest.mark.parametrize(("function", "inputs"), PACKED.values(), ids=PACKED)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize(("parts", "size"), [(1, 1), (1, 29), (1, 32), (3, 24), (5, 35), (1, 0)])
def test_what_is_packed_comes_back_in_the_fewest_bytes(bits, parts, size):
    packing = Packing(bits, parts)
    codes = jnp.asarray(np.random.default_rng(0).integers(2**bits, size=(2, 3, size)), jnp.uint8)
    packed = packing.pack(codes)
    assert packed.nbytes == 2 * 3 * parts * -(size // parts * bits // -8)
    assert identical(packing.unpack(packed, size), codes)


@pytest.mark.parametrize("choices", [1, 2, 3, 4, 5, 16, 17, 256])
def test_as_few_bits_as_tell_the_choices_apart(choices):
    bits = Packing.of(jnp.ones((2, 8)), choices).bits
    assert choices <= 2**bits
    assert bits == 1 or choices > 2 ** (bits // 2)


def stepped(function, inputs, width):
    """Input, cotangent, and what computes the value and the gradient."""
    shape = (BATCH, SHARDS * width * inputs)
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), np.float32)

    def step(x, cotangent):
        y, pull_back = jax.vjp(function, x)
        return y, *pull_back(cotangent)

    return x, weights(function(x)), step


def collectives(function, inputs, width):
    """The communication in a compiled step with sharded batch and features; its results checked."""
    x, cotangent, step = stepped(function, inputs, width)
    both = NamedSharding(mesh(AxisType.Auto), P("batch", "features"))
    placed = jax.device_put((x, cotangent), both)
    program = jax.jit(step).lower(*placed).compile()
    assert_close(program(*placed), step(x, cotangent), ulps=2)
    return COLLECTIVES.findall(program.as_text())


@over_packed
@pytest.mark.parametrize("width", [3, 8])
def test_a_shard_of_any_width_needs_no_communication(function, inputs, width):
    assert not collectives(function, inputs, width)


@over_packed
def test_explicit_shards_of_any_width_are_packed(function, inputs):
    x, cotangent, step = stepped(function, inputs, 3)
    expected = step(x, cotangent)
    with jax.set_mesh(mesh(AxisType.Explicit)):
        placed = jax.device_put((x, cotangent), P("batch", "features"))
        _, pull_back = jax.vjp(function, placed[0])
        codes = [a for a in jax.tree.leaves(pull_back) if a.dtype == jnp.uint8]
        assert sum(a.nbytes for a in codes) <= BATCH * SHARDS * 2  # of 3 codes, in at most 4 bits
        results = jax.jit(step)(*placed)
    assert all(a.sharding.spec == P("batch", "features") for a in results)
    assert_close(jax.device_get(results), jax.device_get(expected), ulps=2)


def test_packed_across_shards_they_would_communicate(monkeypatch):
    """The law above can fail."""
    monkeypatch.setattr("jaxact._packing._parts", lambda x: 1)
    assert collectives(few_bit(jaxact.gelu, 3), 1, 3)
