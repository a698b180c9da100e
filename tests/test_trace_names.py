"""What traces and compiled programs call our functions: names that no other library has."""

import pickle

import jax
import jax.numpy as jnp
import pytest
from cases import typical_cases

import jaxact
from jaxact._jax import custom_jvp_call_p, function_name, inner_traces, jit_p
from jaxact._trace_names import trace_name

OTHERS = {name for name in dir(jax.nn) if not name.startswith("_")} | set(jaxact.CATALOG)


def names(jaxpr):
    """The names of what is called, and of what has a rule for its derivative."""
    for equation in jaxpr.eqns:
        if equation.primitive is jit_p:
            yield equation.params["name"]
        if equation.primitive is custom_jvp_call_p:
            yield function_name(equation.params["call_jaxpr"].jaxpr)
        for inner in inner_traces(equation) or ():
            yield from names(inner)


@pytest.mark.parametrize("case", typical_cases(), ids=repr)
def test_nothing_is_called_as_a_function_of_somebody_else(case):
    arguments = [jnp.ones((4, 8))] * case.arity
    traced = set(names(jax.make_jaxpr(case)(*arguments).jaxpr))
    assert not {name.strip("_") for name in traced} & OTHERS


@pytest.mark.parametrize("name", ["gelu", "softplus", "softmax", "maxout"])
def test_a_call_is_one_equation_with_the_name_of_the_function(name):
    arguments = (jnp.ones(4), 2) if name == "maxout" else (jnp.ones(4),)
    traced = jax.make_jaxpr(getattr(jaxact, name), static_argnums=range(1, len(arguments)))
    (equation,) = traced(*arguments).eqns
    assert equation.params["name"] == trace_name(name) == f"jaxact_{name}"
    compiled = jax.jit(getattr(jaxact, name), static_argnums=range(1, len(arguments)))
    assert f"jaxact_{name}" in compiled.lower(*arguments).as_text(debug_info=True)


def test_public_functions_keep_their_own_names_and_pickle():
    for name, entry in jaxact.CATALOG.items():
        if not entry.function.__module__.startswith("jaxact."):
            continue
        assert entry.function.__name__ == name
        assert pickle.loads(pickle.dumps(entry.function)) is entry.function
