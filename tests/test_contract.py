"""What goes in and what comes out: shapes, dtypes, and what is refused."""

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    DTYPES,
    FEATURES,
    Case,
    assert_close,
    cases,
    gradient,
    identical,
    loss,
    over,
    precision,
    typical_cases,
    variants,
)

machinery = pytest.mark.machinery
LEADING = [(), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)]  # with features: rank 1 to 4, and empty ones


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
@over(cases())
def test_the_result_has_the_shape_and_the_dtype_of_the_input(case, dtype):
    """And the gradient; over an axis, all axes before it stay as they are."""
    with precision(dtype):
        for leading in LEADING:
            x = case.inputs((*leading, FEATURES), dtype)
            y = jax.eval_shape(case, *x)
            assert y.shape[: len(leading)] == leading
            assert case.entry.kind == "axis" or y.shape == x[0].shape
            assert y.dtype == dtype
        slopes = jax.eval_shape(gradient(case), *x)
        assert all((g.shape, g.dtype, g.weak_type) == (x[0].shape, dtype, False) for g in slopes)


@machinery
@over(typical_cases("elementwise", "random", "gate"))
def test_a_scalar_gives_a_scalar(case):
    x = case.inputs(())
    assert case(*x).shape == ()
    assert all(g.shape == () for g in gradient(case)(*x))


@machinery
@over(typical_cases())
def test_nothing_gives_nothing(case):
    x = case.inputs((0, FEATURES))
    assert case(*x).size == 0
    assert all(g.shape == x[0].shape for g in gradient(case)(*x))


@machinery
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
@over(typical_cases())
def test_results_and_gradients_are_finite_and_keep_the_dtype_outside_of_programs(case, dtype):
    with precision(dtype):
        x = case.inputs(dtype=dtype)
        for array in (case(*x), *gradient(case)(*x)):
            assert array.dtype == dtype
            assert not array.weak_type
            assert np.all(np.isfinite(array))


@machinery
@pytest.mark.parametrize(
    "dtype", [jnp.float8_e4m3fn, jnp.float8_e5m2], ids=lambda d: jnp.dtype(d).name
)
@over(typical_cases())
def test_eight_bits_are_the_float32_result_rounded_once(case, dtype):
    x = case.inputs(dtype=dtype)
    y = case(*x)
    assert y.dtype == dtype
    assert identical(y, case(*(a.astype(jnp.float32) for a in x)).astype(dtype))


@machinery
@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.bool_])
@pytest.mark.parametrize("x64", [False, pytest.param(True, marks=machinery)])
@over(variants())
def test_integers_become_the_default_float_unless_the_docstring_keeps_them(case, dtype, x64):
    with jax.enable_x64(x64):
        x = tuple(jnp.round(a).astype(dtype) for a in case.inputs())
        y = case(*x)
        default = jnp.result_type(float)
        whole = all(float(v).is_integer() for v in jax.tree.leaves(dict(case.parameters)))
        keeps = whole and "integers stay integers" in case.entry.function.__doc__
        keeps = keeps and dtype != jnp.bool_
        assert y.dtype == (dtype if keeps else default)
        floating = case(*(a.astype(default) for a in x))
        assert_close(y.astype(default), floating.astype(y.dtype).astype(default), ulps=1)


@machinery
@over(typical_cases("elementwise", "random", "gate"))
def test_a_python_scalar_stays_weakly_typed(case):
    x = (0.3,) * case.arity
    y = case(*x)
    assert y.dtype == jnp.float32
    assert y.weak_type
    assert (y + jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert_close(y, case(*(jnp.float32(a) for a in x)), ulps=2)
    assert (jax.grad(case)(*x) + jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


class Wrapped:
    """What wraps an array, as a Flax variable does."""

    def __init__(self, array):
        self.array = array

    def __jax_array__(self):
        return self.array


@machinery
@over(variants())
def test_lists_and_numpy_arrays_and_wrapped_arrays_are_taken(case):
    x = case.inputs()
    y = case(*x)
    assert identical(case(*(np.asarray(a) for a in x)), y)
    assert identical(case(*(Wrapped(a) for a in x)), y)
    assert identical(case(*(Wrapped(a) for a in x), **_wrapped(case)), case(*x, **case.arrays()))
    assert identical(case(*(np.asarray(a).tolist() for a in x)), y)


def _wrapped(case: Case) -> dict:
    return {name: Wrapped(value) for name, value in case.arrays().items()}


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@over(variants())
def test_complex_input_is_refused_by_name(case, dtype):
    x = case.inputs()
    name = rf"jaxact\.{case.entry.name}\b"
    for position in range(case.arity):
        mixed = [a if i != position else np.asarray(a, dtype) for i, a in enumerate(x)]
        with pytest.raises(TypeError, match=name):
            case(*mixed)
        with pytest.raises(TypeError, match=name):
            jax.jit(case)(*mixed)
    for parameter in case.learnable:
        with pytest.raises(TypeError, match=name):
            case(*x, **{parameter: jnp.complex64(1)})
        with pytest.raises(TypeError, match=name):
            case(*x, **{parameter: 1j})


@pytest.mark.parametrize("wrong", ["text", ..., ["one", "two"]], ids=repr)
@over(variants())
def test_what_is_no_number_is_refused(case, wrong):
    with pytest.raises(TypeError):
        case(*(wrong,) * case.arity)
    with pytest.raises(TypeError):
        case(*(jax.random.key(0),) * case.arity)


@machinery
@over(typical_cases())
def test_nothing_is_traced_or_compiled_again(case):
    """Eager calls and their derivatives, with numbers and with arrays for the parameters."""
    loss_of = loss(case)
    compiled = jax.jit(case)

    def calls(seed):
        x = case.inputs(seed=seed)
        arrays = case.arrays()
        y, pull_back = jax.vjp(case, *x)
        pull_back(y)
        jax.jvp(case, x, x)
        jax.vmap(case)(*x)
        case(*x, **arrays)
        jax.grad(lambda arrays: loss_of(*x) + jnp.sum(case(*x, **arrays)))(arrays)
        compiled(*x)

    calls(0)
    calls(0)
    events = []

    def listen(event, duration, **_):
        events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for seed in range(3):
            calls(seed)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not [event for event in events if event.startswith("/jax/core/compile")]
    assert compiled._cache_size() == 1


@machinery
@over(cases("random"))
def test_randomness_comes_from_the_key_alone(case):
    (x,) = case.inputs()
    draw = jax.jit(lambda x, key: case(x, key=key))
    keys = jax.random.split(jax.random.key(0))
    first, other = draw(x, keys[0]), draw(x, keys[1])
    assert first.dtype == x.dtype
    assert not identical(first, other)
    assert identical(first, draw(x, keys[0]))
    assert identical(first, case(x, key=keys[0]))
    with pytest.raises(TypeError):
        case(x, key=7)


@machinery
@over(cases("random"))
def test_the_gradient_sees_the_draw_of_the_value(case):
    (x,) = case.inputs()
    step = jnp.full_like(x, 2.0**-7)  # too short to reach a kink

    @jax.jit
    def check(x, key):
        draw = lambda x: case(x, key=key)
        _, pull_back = jax.vjp(draw, x)
        difference = (draw(x + step) - draw(x - step)) / 2
        return pull_back(step)[0], jax.jvp(draw, (x,), (step,))[1], difference

    backward, forward, difference = check(x, jax.random.key(3))
    assert_close(backward, forward, ulps=0)
    assert_close(difference, forward)
