"""Taylor mode, `jax.experimental.jet`: right in plain operations, refused elsewhere, never wrong.

It runs functions that have a derivative rule of their own without the rule. In JAX as it is it does
so outside its trace, and fails; a fix is under way, with which it would differentiate whatever the
function is computed by. Both are tried here.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Case, over, precision, typical_cases
from jax.experimental import jet

import jaxact

ORDERS = 3
FUNCTIONS = [  # that jax.nn has, of each sort
    case
    for case in typical_cases()
    if case.entry.name in ("tanh", "sigmoid", "silu", "gelu", "elu", "softplus", "relu", "softmax")
]


def process_custom_jvp_call(self, primitive, fun, jvp, tracers, /, **_):
    """As the open fix has it."""
    with jet.core.set_current_trace(self):
        return fun.call_wrapped(*tracers)


@pytest.fixture(params=[False, True], ids=["as it is", "with the fix"])
def fixed(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(jet.JetTrace, "process_custom_jvp_call", process_custom_jvp_call)


def nested(function, x) -> list[jax.Array]:
    """The function and its derivatives along ones."""
    results = []
    for _ in range(ORDERS + 1):
        results.append(function(x))
        function = lambda x, f=function: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]
    return results


def taylor(function, x) -> list[jax.Array]:
    directions = [jnp.ones_like(x)] + [jnp.zeros_like(x)] * (ORDERS - 1)
    y, derivatives = jet.jet(function, (x,), (directions,))
    return [y, *derivatives]


def inputs(case: Case, dtype) -> jax.Array:
    """Zero is among them: there a series that is cut off by a branch loses its derivatives."""
    (x,) = case.inputs((2, 6), dtype)
    return x if case.kinks else x.at[0, 0].set(0.0)


def assert_right(got, expected):
    for a, b in zip(got, expected, strict=True):
        scale = max(1e-3, float(jnp.max(jnp.abs(b))))
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * scale)


def check(case: Case, dtype) -> None:
    with precision(dtype), jax.numpy_dtype_promotion("standard"):
        function = (lambda x: case(x, x + 1)) if case.arity == 2 else case
        x = inputs(case, dtype)
        expected = nested(function, x)
        with jaxact.plain():
            assert_right(taylor(function, x), expected)
        try:
            outside = taylor(function, x)
        except (jax.errors.UnexpectedTracerError, KeyError, NotImplementedError):
            return
        except AttributeError as error:  # of a tracer whose trace is over, in JAX 0.12
            if "process_primitive" in str(error):
                return
            raise
        assert_right(outside, expected)


@over(FUNCTIONS)
def test_taylor_mode_is_right_in_plain_operations_and_right_or_refused_outside(case, fixed):
    check(case, np.float32)


@pytest.mark.thorough
@over(typical_cases())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_taylor_mode_of_everything(case, dtype, fixed):
    check(case, dtype)


@pytest.mark.parametrize("name", ["tanh", "elu"])
def test_doubles_are_refused_with_the_fix(name, monkeypatch):
    """Where they were differentiated as they are computed, tanh''' at 0 was 0."""
    monkeypatch.setattr(jet.JetTrace, "process_custom_jvp_call", process_custom_jvp_call)
    with precision(np.float64), pytest.raises(KeyError, match="jaxact"):
        taylor(getattr(jaxact, name), jnp.zeros(3))
