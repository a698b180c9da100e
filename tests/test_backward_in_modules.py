"""Transformed functions in modules of Flax: the same outputs, and what reverse mode keeps there."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, identical
from flax import linen, nnx

import jaxact
from jaxact.backward import few_bit, lean

WIDTH = 16
over_transformed = pytest.mark.parametrize(
    ("transformed", "plain"),
    [(lean(jaxact.elu), jaxact.elu), (few_bit(jaxact.gelu), jaxact.gelu)],
    ids=["lean", "few_bit"],
)


class Block(nnx.Module):
    """A residual block that is told its activation."""

    def __init__(self, activation, *, rngs: nnx.Rngs):
        self.dense = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.activation = activation

    def __call__(self, x):
        return x + self.activation(self.dense(x))


class Layer(linen.Module):
    """The same in Linen, without the residual."""

    activation: object

    @linen.compact
    def __call__(self, x):
        return self.activation(linen.Dense(WIDTH)(x))


@pytest.fixture
def x():
    return jnp.asarray(np.random.default_rng(0).normal(size=(8, WIDTH)), np.float32)


def directions_agree(a, b):
    """Whether two gradients point the same way, within what two bits of slope allow."""
    (a, _), (b, _) = (jax.flatten_util.ravel_pytree(tree) for tree in (a, b))
    return jnp.vdot(a, b) > 0.98 * jnp.linalg.norm(a) * jnp.linalg.norm(b)


@over_transformed
def test_an_nnx_module_takes_them(transformed, plain, x):
    changed, original = (Block(f, rngs=nnx.Rngs(0)) for f in (transformed, plain))
    assert identical(changed(x), original(x))
    loss = lambda block: jnp.sum(block(x) ** 2)
    gradients = [nnx.to_pure_dict(nnx.grad(loss)(block)) for block in (changed, original)]
    assert directions_agree(*gradients)


@over_transformed
def test_a_linen_module_takes_them(transformed, plain, x):
    changed, original = Layer(transformed), Layer(plain)
    variables = original.init(jax.random.key(0), x)
    assert identical(changed.apply(variables, x), original.apply(variables, x))
    gradients = [
        jax.grad(lambda v, layer=layer: jnp.sum(layer.apply(v, x) ** 2))(variables)
        for layer in (changed, original)
    ]
    assert directions_agree(*gradients)


@over_transformed
def test_they_pass_through_a_scan_of_layers(transformed, plain, x):
    def depth_of_three(activation):
        @nnx.split_rngs(splits=3)
        @nnx.vmap
        def stack(rngs):
            return Block(activation, rngs=rngs)

        return stack(nnx.Rngs(0))

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, block):
        return block(x)

    loss = lambda blocks: jnp.sum(forward(x, blocks) ** 2)
    changed, original = depth_of_three(transformed), depth_of_three(plain)
    assert_close(forward(x, changed), forward(x, original), ulps=2)
    gradients = [nnx.to_pure_dict(nnx.grad(loss)(blocks)) for blocks in (changed, original)]
    assert directions_agree(*gradients)
