"""Activations by name: ours and other libraries', as values that configuration files can hold."""

import dataclasses
import functools
import json
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cases, identical, over

import jaxact
from jaxact import CATALOG
from jaxact.names import Named, elsewhere, meaning

HALF = jaxact.get("elu", alpha=0.5)
SPELLINGS = pytest.mark.parametrize(("spelling", "meant"), list(elsewhere()), ids=lambda p: str(p))
ECOSYSTEMS = ("jax", "torch", "keras", "onnx", "hf")


@over(cases())
def test_a_name_and_its_parameters_make_a_round_trip(case):
    named = jaxact.get(case.entry.name, **case.parameters)
    assert named == jaxact.get(named.name, **named.parameters) == jaxact.get(**named.config)
    assert hash(named) == hash(jaxact.get(**named.config))
    assert eval(repr(named), {"jaxact": jaxact}) == named
    assert jaxact.get(**json.loads(json.dumps(named.config))) == named
    assert pickle.loads(pickle.dumps(named)) == named
    assert jaxact.get(named) == named


@pytest.mark.machinery
@over(cases())
def test_it_computes_what_the_function_does(case):
    named = jaxact.get(case.entry.name, **case.parameters)
    first, *others = case.inputs()
    arrays = dict(zip(case._other_arrays, others, strict=True))
    call = jax.jit(lambda f, x, arrays: f(x, **arrays), static_argnums=0)
    expected = jax.jit(lambda *x: case(*x))(first, *others)
    assert identical(call(named, first, arrays), expected)


@SPELLINGS
def test_a_name_of_others_means_what_is_declared(spelling, meant):
    name, parameters = meant
    assert spelling.partition(":")[0] in ECOSYSTEMS
    expected = jaxact.get(name, **parameters)
    ecosystem, _, rest = spelling.partition(":")
    assert jaxact.get(spelling) == expected
    assert jaxact.get(f"{ecosystem}:{rest.upper()}") == expected
    assert jaxact.get(f"{ecosystem}:{rest.replace('_', '')}") == expected


def canonical(name):
    return name.replace("_", "").lower()


@SPELLINGS
def test_a_bare_name_is_ours_or_unambiguous(spelling, meant):
    bare = spelling.partition(":")[2]
    canonical = bare.replace("_", "").lower()
    ours = [name for name in CATALOG if name.replace("_", "") == canonical]
    meanings = [
        m for s, m in elsewhere() if s.partition(":")[2].replace("_", "").lower() == canonical
    ]
    if ours:
        assert jaxact.get(bare) == Named(ours[0])
    elif all(m == meant for m in meanings):
        assert meaning(bare) == meant
    else:
        with pytest.raises(ValueError, match="ambiguous.*" + re.escape(spelling)):
            jaxact.get(bare)


def test_names_of_others_are_told_apart():
    assert jaxact.get("gelu")(1.0) != jaxact.get("torch:gelu")(1.0)
    assert jaxact.get("gelu_pytorch_tanh") == jaxact.get("hf:gelu_new") == jaxact.get("jax:gelu")
    assert jaxact.get("torch:LeakyReLU") == jaxact.get("torch:leaky_relu") == Named("leaky_relu")
    assert jaxact.get("keras:leaky_relu").parameters == {"negative_slope": 0.2}
    assert jaxact.get("hard_swish") == jaxact.get("hard_silu")
    assert jaxact.get("onnx:SwiGLU") == Named("swiglu")


def test_defaults_are_left_out():
    assert jaxact.get("gelu", approximate=True) == jaxact.get("gelu")
    assert jaxact.get("elu", alpha=1) == jaxact.get("elu", alpha=1.0) == jaxact.get("elu")
    assert jaxact.get("elu", alpha=2) == jaxact.get("elu", alpha=2.0)
    assert jaxact.get("keras:leaky_relu", negative_slope=0.01) == jaxact.get("leaky_relu")
    assert repr(jaxact.get("elu", alpha=2)) == "jaxact.get('elu', alpha=2)"


def test_what_is_required_remains_an_argument():
    prelu = jaxact.get("prelu")
    assert prelu(-1.0, 0.25) == jaxact.prelu(-1.0, 0.25)
    with pytest.raises(TypeError, match="negative_slope"):
        prelu(-1.0)
    assert jaxact.get("rrelu")(jnp.float32(-1.0), key=jax.random.key(0)) < 0


def test_it_is_a_field_and_a_static_argument():
    @dataclasses.dataclass(frozen=True)
    class Config:
        activation: Named = HALF

    traced = []

    @functools.partial(jax.jit, static_argnames="config")
    def layer(x, config):
        traced.append(config)
        return config.activation(x)

    for config in (Config(), Config(jaxact.get("elu", alpha=0.5)), Config(jaxact.get("silu"))):
        layer(jnp.ones(3), config)
    assert len(traced) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().activation.name = "relu"


def test_an_array_is_a_parameter_too():
    slope = jnp.float32([0.1, 0.2])
    x = jnp.float32([-1.0, -1.0])
    assert identical(jaxact.get("leaky_relu", negative_slope=slope)(x), jaxact.leaky_relu(x, slope))


def test_nothing_is_the_identity_and_a_function_is_itself():
    assert jaxact.get(None) == Named("identity")
    assert jaxact.get(jnp.tanh) is jnp.tanh
    with pytest.raises(TypeError, match="takes no alpha here"):
        jaxact.get(jnp.tanh, alpha=1.0)


def test_what_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"name is 'rellu'.*'relu'"):
        jaxact.get("rellu")
    with pytest.raises(ValueError, match="'torch:gelu'"):
        jaxact.get("torch:gelu2")
    with pytest.raises(ValueError, match="no parameter 'alpha': choose from negative"):
        jaxact.get("leaky_relu", alpha=0.1)
    with pytest.raises(ValueError, match="beta"):
        jaxact.get("squareplus", beta=0.1)


def test_a_refused_number_is_refused_at_once():
    with pytest.raises(ValueError, match="min_value"):
        jaxact.get("hard_tanh", min_value=2.0, max_value=1.0)


def test_a_refused_number_of_pieces_is_refused_at_once():
    with pytest.raises(ValueError, match="num_pieces is 0, but must be 1 to 256"):
        jaxact.get("maxout", num_pieces=0)
    assert jaxact.get("maxout", num_pieces=7).parameters == {"num_pieces": 7}


@pytest.mark.parametrize("name", [5, 1.5, ["gelu"], b"gelu", {"name": "gelu"}])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(TypeError, match=r"jaxact.get: name is .* but must be a name"):
        jaxact.get(name)


def test_a_configuration_has_a_place_in_json_whoever_made_its_numbers():
    made = jaxact.get("elu", alpha=np.float32(2)), jaxact.get("maxout", num_pieces=np.int64(4))
    for activation in made:
        assert jaxact.get(**json.loads(json.dumps(activation.config))) == activation


def test_what_takes_an_activation_takes_a_named_one():
    named, function = jaxact.get("elu", alpha=0.5), functools.partial(jaxact.elu, alpha=0.5)
    for change in (jaxact.backward.lean, jaxact.backward.few_bit):
        x = jnp.linspace(-3.0, 3.0, 64)
        got, expected = (jax.vjp(change(f), x)[1](jnp.ones(64)) for f in (named, function))
        assert identical(got, expected)
    assert jaxact.theory.gain(named) == pytest.approx(jaxact.theory.gain("elu", alpha=0.5))
