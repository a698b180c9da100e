"""The law of `plain`: the whole catalogue in ordinary operations, and no trace that leaks."""

import functools
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DTYPES, Case, cases, gradient, identical, loss, over, precision, typical_cases
from test_every_module import LINEN, NNX, X, linen_layer, nnx_layer

import jaxact
from jaxact.backward import few_bit, lean

ACROSS = np.geomspace(1e-3, 1e4, 60)
OTHERWISE = {  # what exporters and interpreters do not know, beside what is named after us
    *("custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2", "closed_call"),
    *("cond", "while", "scan", "platform_index", "optimization_barrier"),
    *("bitcast_convert_type", "reduce_precision", "nextafter", "reduce"),
}


def primitives(function, *arrays) -> set[str]:
    """The names of all primitives of a program, those of inner programs too."""
    found, open_ = set(), [jax.make_jaxpr(function)(*arrays).jaxpr]
    while open_:
        for equation in open_.pop().eqns:
            found.add(equation.primitive.name)
            for value in jax.tree.leaves(list(equation.params.values())):
                inner = getattr(value, "jaxpr", value)
                open_.extend([inner] if hasattr(inner, "eqns") else [])
    return found


def unknown(names: set[str]) -> set[str]:
    return {name for name in names if name in OTHERWISE or name.startswith("jaxact")}


def inputs(case: Case, dtype=np.float32) -> tuple[jax.Array, ...]:
    """Numbers up to 1e4 within the domain, none beside a kink; rows that differ in size."""
    random = np.random.default_rng(3)
    sides = np.concatenate([ACROSS, -ACROSS])
    shuffled = [random.permutation(sides) for _ in range(case.arity)]
    lowest, highest = case.entry.domain(**case.parameters)
    return tuple(
        jnp.asarray(np.clip(case.well_inside(x), lowest, highest).reshape(2, -1).astype(dtype))
        for x in shuffled
    )


@over(cases())
def test_programs_are_of_ordinary_operations(case):
    x = case.inputs()
    with jaxact.plain():
        found = primitives(gradient(case), *x) | primitives(case, *x)
    assert not unknown(found)


@pytest.mark.machinery
@over(typical_cases())
def test_values_are_the_same_and_gradients_finite(case):
    x = inputs(case)
    expected = case(*x)
    with jaxact.plain():
        got, slopes = jax.jit(lambda *x: (case(*x), gradient(case)(*x)))(*x)
    assert_the_same(got, expected)
    if np.all(np.isfinite(expected)):
        assert all(np.all(np.isfinite(slope)) for slope in slopes)


@pytest.mark.thorough
@over(cases())
def test_gradients_have_three_digits(case):
    """And more where no 1 - tanh(x)^2 and no 1 - (1 - p) are multiplied by what is large."""
    x = inputs(case)
    expected = gradient(case)(*x)
    with jaxact.plain():
        got = gradient(case)(*x)
    for slope, other in zip(expected, got, strict=True):
        scale = max(1.0, float(np.max(np.abs(slope), where=np.isfinite(slope), initial=0)))
        np.testing.assert_allclose(other, slope, rtol=1e-3, atol=1e-3 * scale)


def assert_the_same(got, expected):
    assert got.dtype == expected.dtype
    tolerance = max(float(jnp.finfo(got.dtype).eps), 1e-5)
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.thorough
@over(cases())
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
def test_values_are_the_same_in_every_format(case, dtype):
    with precision(dtype):
        x = inputs(case, dtype)
        expected = case(*x)
        with jaxact.plain():
            got = case(*x)
    assert_the_same(got, expected)


@over([case for case in typical_cases() if case.entry.name in ("gelu", "softmax")])
def test_transformations_work_inside(case):
    (x,) = case.inputs()
    second = jax.hessian(lambda row: loss(case)(row))
    expected = jax.vmap(second)(x)
    with jaxact.plain():
        assert not unknown(primitives(jax.vmap(second), x))
        np.testing.assert_allclose(jax.vmap(second)(x), expected, atol=1e-5)
        np.testing.assert_allclose(jax.jvp(case, (x,), (x,))[1], jax.jvp(case, (x,), (x,))[1])


# --- Nothing leaks -------------------------------------------------------------------------------

X32 = jnp.linspace(-3, 3, 7)


def names(function) -> set[str]:
    return primitives(function, X32)


@pytest.mark.parametrize(
    "function",
    [
        jaxact.gelu,
        jaxact.softmax,
        jaxact.get("keras:elu"),
        lean(jaxact.elu),
        few_bit(jaxact.gelu),
        jax.grad(lambda x: jaxact.gelu(x).sum()),
        jax.checkpoint(lambda x: jaxact.gelu(x) * 2),
        functools.partial(jax.lax.map, lambda x: jaxact.mish(x)),
    ],
    ids=["gelu", "softmax", "get", "lean", "few_bit", "grad", "checkpoint", "map"],
)
def test_a_program_of_a_user_is_traced_anew_inside_and_again_outside(function):
    """By its own jit, which is told nothing of us: JAX's caches tell the two apart."""
    program = jax.jit(function)
    outside, y = names(program), program(X32)
    with jaxact.plain():
        inside, z = names(program), program(X32)
        text = program.lower(X32).as_text()
    assert unknown(outside)
    assert not {n for n in unknown(inside) if n.startswith(("jaxact", "custom_jvp", "platform"))}
    np.testing.assert_allclose(z, y, rtol=1e-5, atol=1e-5)
    assert names(program) == outside
    assert identical(program(X32), y)
    assert program.lower(X32).as_text() != text


def test_what_was_made_inside_first_does_not_leak_out():
    program = jax.jit(lambda x: jaxact.serf(x) + 1)
    with jaxact.plain():
        program(X32)
    assert identical(program(X32), jax.jit(lambda x: jaxact.serf(x) + 1)(X32))
    assert unknown(names(program))


def test_levels_of_few_bit_that_are_fitted_inside_are_those_fitted_outside():
    jaxact.backward._coding.cache_clear()
    with jaxact.plain():
        few_bit(jaxact.gelu)(X32)
        inside = jaxact.backward._coding("gelu", (), 2)
    jaxact.backward._coding.cache_clear()
    assert jaxact.backward._coding("gelu", (), 2) == inside


def test_another_thread_is_not_inside_and_an_error_leads_out():
    seen = []
    with jaxact.plain():
        thread = threading.Thread(target=lambda: seen.append(unknown(names(jaxact.gelu))))
        thread.start()
        thread.join()
    assert seen[0]
    with pytest.raises(ZeroDivisionError), jaxact.plain():
        1 / 0  # noqa: B018
    assert unknown(names(jaxact.gelu))


def test_it_decorates_a_function_and_nests():
    @jaxact.plain()
    def inside():
        with jaxact.plain():
            pass
        return names(jaxact.gelu)

    assert not unknown(inside())
    assert not unknown(inside()), "a decorator serves more than one call"


def test_refusals_are_the_same_inside():
    with jaxact.plain():
        with pytest.raises(ValueError, match="max_value"):
            jaxact.clipped_relu(1.0, -1.0)
        with pytest.raises(ValueError, match="function of its output"):
            lean(jaxact.gelu)


@pytest.mark.parametrize("name", ["logsumexp", "logmeanexp", "standardize"])
def test_functions_without_a_declaration_are_plain_too(name):
    function, x = getattr(jaxact, name), jnp.asarray([[1.0, 2.0, 30.0], [0.1, 0.2, 0.3]])
    slope = jax.grad(lambda x: (function(x, -1) ** 2).sum())
    expected, expected_slope = function(x, -1), slope(x)
    with jaxact.plain():
        assert not unknown(primitives(lambda x: function(x, -1), x) | primitives(slope, x))
        np.testing.assert_allclose(function(x, -1), expected, rtol=1e-5)
        np.testing.assert_allclose(slope(x), expected_slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", ["masked", "infinite", "nothing", "empty"])
@pytest.mark.parametrize(
    "name",
    [
        *("softmax", "log_softmax", "sparsemax", "logsumexp", "logmeanexp"),
        pytest.param("entmax", marks=pytest.mark.thorough),
    ],
)
def test_edges_of_rows_are_the_same_inside(name, rows):
    x = {
        "masked": jnp.asarray([[1.0, jnp.nan, 2.0]]),
        "infinite": jnp.asarray([[1.0, jnp.inf, 2.0], [-jnp.inf, 1.0, 2.0]]),
        "nothing": jnp.full((2, 3), -jnp.inf),
        "empty": jnp.zeros((2, 0)),
    }[rows]
    mask = jnp.asarray([True, False, True]) if rows == "masked" else None
    call = functools.partial(getattr(jaxact, name), axis=-1, where=mask)
    expected = call(x)
    with jaxact.plain():
        y, slope = jax.jit(lambda x: (call(x), jax.grad(lambda x: call(x).sum())(x)))(x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    if rows in ("masked", "nothing"):
        assert np.all(np.isfinite(slope))


# --- Modules -------------------------------------------------------------------------------------


MODULES = [*((nnx_layer, name) for name in NNX), *((linen_layer, name) for name in LINEN)]


@pytest.mark.parametrize(("make", "name"), MODULES)
def test_programs_of_modules_are_of_ordinary_operations(make, name):
    layer = make(name)
    with jaxact.plain():
        assert not unknown(primitives(layer.apply, layer.parameters, X))


@pytest.mark.thorough
@pytest.mark.parametrize(("make", "name"), MODULES)
def test_modules_compute_the_same(make, name):
    layer = make(name)
    expected = layer.apply(layer.parameters, X)
    with jaxact.plain():
        assert_the_same(layer.apply(layer.parameters, X), expected)
