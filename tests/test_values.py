"""What `get`, `lean` and `few_bit` return are values: equal, hashed, copied and stored as such."""

import copy
import functools
import pickle

import cloudpickle
import flax.linen
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxact
from jaxact.backward import few_bit, lean

X = np.linspace(-2, 2, 8, dtype=np.float32)
MADE = {  # each is made anew at every call
    "get": lambda: jaxact.get("torch:leaky_relu"),
    "get with parameters": lambda: jaxact.get("swish", beta=1.5),
    "lean": lambda: lean(jaxact.elu),
    "lean of a partial": lambda: lean(functools.partial(jaxact.elu, alpha=0.5)),
    "lean of get": lambda: lean(jaxact.get("elu", alpha=0.5)),
    "few_bit": lambda: few_bit(jaxact.gelu),
    "few_bit of a partial": lambda: few_bit(functools.partial(jaxact.swish, beta=2.0), bits=3),
    "few_bit of get": lambda: few_bit(jaxact.get("swish", beta=2.0), bits=3),
    "a function": lambda: jaxact.gelu,
}
EACH = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


@EACH
def test_what_is_made_twice_is_equal_and_has_one_hash(make):
    assert make() == make()
    assert len({make(), make()}) == 1


def test_what_differs_is_not_equal():
    made = {name: make() for name, make in MADE.items()}
    made |= {"bits": few_bit(jaxact.gelu, bits=1), "lean alone": lean(jaxact.celu)}
    same = {frozenset(("lean of a partial", "lean of get"))}
    same |= {frozenset(("few_bit of a partial", "few_bit of get"))}
    equal = {frozenset((a, b)) for a in made for b in made if a != b and made[a] == made[b]}
    assert equal == same


@EACH
def test_nothing_is_traced_again_for_an_equal_one(make):
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def apply(function, x):
        traced.append(function)
        return function(x)

    apply(make(), X)
    apply(make(), X)
    assert len(traced) == 1


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "cloudpickle": lambda f: pickle.loads(cloudpickle.dumps(f)),
    "pickle": lambda f: pickle.loads(pickle.dumps(f)),
}


@EACH
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_is_equal_and_computes_the_same(make, copied):
    function, other = make(), copied(make())
    assert other == function
    assert hash(other) == hash(function)
    assert repr(other) == repr(function)
    for of in (lambda f: f(X), lambda f: jax.grad(lambda x: jnp.sum(f(x)))(X)):
        np.testing.assert_array_equal(of(other), of(function))


@EACH
def test_names_and_signatures_are_those_of_the_function(make):
    function = make()
    if isinstance(function, jaxact.names.Named):
        return
    assert getattr(jaxact, function.__name__).__module__ == function.__module__
    assert function.__doc__


def test_what_is_made_says_how():
    made = few_bit(jaxact.get("elu", alpha=0.5), bits=1)
    assert repr(made) == "jaxact.backward.few_bit(functools.partial(jaxact.elu, alpha=0.5), 1)"
    assert repr(lean(jaxact.elu)) == "jaxact.backward.lean(jaxact.elu)"


class Layer(flax.linen.Module):
    """A layer whose activation is a field."""

    activation: object

    @flax.linen.compact
    def __call__(self, x):
        return self.activation(flax.linen.Dense(3)(x))


@EACH
def test_modules_that_hold_one_are_stored_and_restored(make):
    layer = Layer(make())
    variables = layer.init(jax.random.key(0), X)
    stored = flax.serialization.to_bytes(variables)
    restored = flax.serialization.from_bytes(Layer(make()).init(jax.random.key(1), X), stored)
    np.testing.assert_array_equal(Layer(make()).apply(restored, X), layer.apply(variables, X))
    assert Layer(make()) == layer

    class Holder(nnx.Module):
        def __init__(self):
            self.activation, self.scale = make(), nnx.Param(jnp.ones(()))

    assert nnx.split(Holder())[0] == nnx.split(Holder())[0]
