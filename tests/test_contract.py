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
    for_every_case,
    gradient,
    identical,
    loss,
    precision,
)

LEADING = [(), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)]  # with features: rank 1 to 4, and empty ones


@for_every_case()
def test_the_result_has_the_shape_of_the_input(case):
    """Over an axis, all axes before it stay as they are."""
    for leading in LEADING:
        shape = (*leading, FEATURES)
        y = jax.eval_shape(case, *case.inputs(shape))
        assert y.shape[: len(leading)] == leading
        assert case.entry.kind == "axis" or y.shape == shape


@for_every_case("elementwise", "random", "gate")
def test_a_scalar_gives_a_scalar(case):
    x = case.inputs(())
    assert case(*x).shape == ()
    assert all(g.shape == () for g in gradient(case)(*x))


@for_every_case()
def test_nothing_gives_nothing(case):
    x = case.inputs((0, FEATURES))
    assert case(*x).size == 0
    assert all(g.shape == x[0].shape for g in gradient(case)(*x))


@for_every_case()
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
def test_the_result_and_the_gradient_have_the_dtype_of_the_input(case, dtype):
    with precision(dtype):
        x = case.inputs(dtype=dtype)
        for array in (case(*x), *gradient(case)(*x)):
            assert array.dtype == dtype
            assert not array.weak_type
            assert np.all(np.isfinite(array))


@for_every_case()
@pytest.mark.parametrize(
    "dtype", [jnp.float8_e4m3fn, jnp.float8_e5m2], ids=lambda d: jnp.dtype(d).name
)
def test_eight_bits_are_the_float32_result_rounded_once(case, dtype):
    x = case.inputs(dtype=dtype)
    y = case(*x)
    assert y.dtype == dtype
    assert identical(y, case(*(a.astype(jnp.float32) for a in x)).astype(dtype))


@for_every_case()
@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.bool_])
@pytest.mark.parametrize("x64", [False, True])
def test_integers_become_the_default_float_unless_the_docstring_keeps_them(case, dtype, x64):
    with jax.enable_x64(x64):
        x = tuple(jnp.round(a).astype(dtype) for a in case.inputs())
        y = case(*x)
        default = jnp.result_type(float)
        keeps = "integers stay integers" in case.entry.function.__doc__ and dtype != jnp.bool_
        assert y.dtype == (dtype if keeps else default)
        assert_close(y.astype(default), case(*(a.astype(default) for a in x)), ulps=1)


@for_every_case("elementwise", "random", "gate")
def test_a_python_scalar_stays_weakly_typed(case):
    x = (0.3,) * case.arity
    y = case(*x)
    assert y.dtype == jnp.float32
    assert y.weak_type
    assert (y + jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert identical(y, case(*(jnp.float32(a) for a in x)))
    (g, *_) = gradient(case)(*x)
    assert (g + jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


class Wrapped:
    """What wraps an array, as a Flax variable does."""

    def __init__(self, array):
        self.array = array

    def __jax_array__(self):
        return self.array


@for_every_case()
def test_lists_and_numpy_arrays_and_wrapped_arrays_are_taken(case):
    x = case.inputs()
    y = case(*x)
    assert identical(case(*(np.asarray(a) for a in x)), y)
    assert identical(case(*(Wrapped(a) for a in x)), y)
    assert identical(case(*(Wrapped(a) for a in x), **_wrapped(case)), case(*x, **_arrays(case)))
    assert identical(case(*(np.asarray(a).tolist() for a in x)), y)


def _arrays(case: Case) -> dict:
    return {name: jnp.float32(value) for name, value in case.learnable.items()}


def _wrapped(case: Case) -> dict:
    return {name: Wrapped(value) for name, value in _arrays(case).items()}


@for_every_case()
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
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


@for_every_case()
@pytest.mark.parametrize("wrong", ["text", None, ..., ["a", "b"]], ids=repr)
def test_what_is_no_number_is_refused(case, wrong):
    with pytest.raises(TypeError):
        case(*(wrong,) * case.arity)
    with pytest.raises(TypeError):
        case(*(jax.random.key(0),) * case.arity)


@for_every_case()
def test_nothing_is_traced_or_compiled_again(case):
    """Eager calls and their derivatives, with numbers and with arrays for the parameters."""
    loss_of = loss(case)
    compiled = jax.jit(case)

    def calls(seed):
        x = case.inputs(seed=seed)
        arrays = _arrays(case)
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


@for_every_case("random")
def test_randomness_comes_from_the_key_alone(case):
    (x,) = case.inputs((64, FEATURES))
    keys = jax.random.split(jax.random.key(0))
    first, again, other = (case(x, key=key) for key in (keys[0], keys[0], keys[1]))
    assert identical(first, again)
    assert identical(first, jax.jit(lambda x, key: case(x, key=key))(x, keys[0]))
    assert not identical(first, other)
    assert first.dtype == x.dtype
    with pytest.raises(TypeError):
        case(x, key=7)


@for_every_case("random")
def test_the_gradient_sees_the_draw_of_the_value(case):
    (x,) = case.inputs((64, FEATURES))
    v = weights = jnp.ones_like(x)
    draw = lambda x: case(x, key=jax.random.key(3))
    y, t = jax.jvp(draw, (x,), (v,))
    (g,) = jax.vjp(draw, x)[1](weights)
    assert_close(g, t)
    step = jnp.float32(1e-2)
    assert_close(draw(x + step * v) - draw(x - step * v), 2 * step * t, ulps=2**10)
    assert identical(y, draw(x))
