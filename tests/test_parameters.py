"""Parameters: how they may be passed, what they broadcast to, how their gradients are summed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    DTYPES,
    FEATURES,
    assert_close,
    cases,
    identical,
    over,
    precision,
    typical_cases,
    variants,
)

pytestmark = pytest.mark.machinery
LEARNABLE = [case for case in cases() if case.learnable]
TYPICAL = [case for case in typical_cases() if case.learnable]


@over([case for case in cases() if case.parameters])
def test_parameters_are_positional_or_named(case):
    x = case.inputs()
    arrays = dict(zip(case.signature.parameters, x, strict=False))
    bound = case.signature.bind(**{**case.parameters, **arrays})
    assert identical(case.entry.function(*bound.args, **bound.kwargs), case(*x))
    for name in case.learnable:
        parameter = case.signature.parameters[name]
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD


@over(LEARNABLE)
def test_a_number_is_as_good_as_an_array(case):
    """The array holds the number in float32: what that rounds is left out by rounding it first."""
    x = case.inputs()
    numbers = jax.tree.map(lambda value: float(np.float32(value)), case.learnable)
    arrays = case.arrays()
    assert_close(case(*x, **arrays), case(*x, **numbers), ulps=4)
    assert_close(_by_x(case, x, arrays), _by_x(case, x, numbers), ulps=8)


def _by_x(case, x, parameters):
    y, pull_back = jax.vjp(lambda *x: case(*x, **parameters), *x)
    return pull_back(jnp.ones_like(y))


@over(LEARNABLE)
def test_a_number_acts_at_float32_precision_in_sixteen_bits(case):
    x = case.inputs(dtype=jnp.bfloat16)
    wide = np.float64(case(*(a.astype(jnp.float32) for a in x)))
    unit = np.ldexp(1.0, np.frexp(wide)[1] - 1) * float(jnp.finfo(jnp.bfloat16).eps)
    # The nearest number, or either where float32 cannot tell which that is.
    assert np.all(np.abs(np.float64(case(*x)) - wide) <= (0.5 + 2.0**-10) * unit)


@over(TYPICAL)
def test_parameters_broadcast_against_x(case):
    """Down to x, and up: x is repeated, unless the function says that it is not."""
    x = case.inputs((4, FEATURES))
    for shape in ((), (1,), (FEATURES,), (1, FEATURES), (4, 1), (4, FEATURES)):
        assert case(*x, **_arrays(case, shape)).shape == (4, FEATURES)
    row = case.inputs((FEATURES,))
    for shape in ((4, 1), (4, FEATURES), (1, FEATURES)):
        parameters = _arrays(case, shape)
        expected = (shape[0], FEATURES)
        try:
            y = case(*row, **parameters)
        except ValueError as refusal:
            message = str(refusal)
        else:
            message = f"jaxact.{case.entry.name}: {next(iter(parameters))} was repeated"
            repeated = [jnp.broadcast_to(a, expected) for a in row]
            assert_close(y, case(*repeated, **parameters), ulps=1)
        assert case.entry.name in message
        assert any(name in message for name in parameters)
    for name in case.learnable:
        with pytest.raises(ValueError, match=rf"{case.entry.name}.*{name}"):
            case(*x, **{name: case.arrays((FEATURES + 1,))[name]})


def _arrays(case, shape, dtype=np.float32):
    """Different values all over, near the typical ones."""
    return case.arrays(shape, dtype, spread=0.1)


def _stretched(parameter, shape):
    """A number, or each along the leading axis, repeated to a shape."""
    each = jnp.reshape(parameter, parameter.shape + (1,) * len(shape))
    return jnp.broadcast_to(each, parameter.shape + shape)


@over(TYPICAL)
def test_gradients_by_parameters_are_summed_over_what_was_broadcast(case):
    """In float32 or wider, whatever the dtype: the error is n eps32 sum(|terms|) at most."""
    x = case.inputs((64, FEATURES))
    for dtype in (jnp.float32, jnp.bfloat16):
        arrays = {name: p.astype(dtype) for name, p in _arrays(case, ()).items()}
        terms = _by_parameters(case, x, arrays, repeated=True)
        for shape, axes in (((), (-2, -1)), ((FEATURES,), (-2,)), ((64, 1), (-1,))):
            wanted = {name: _stretched(p, shape) for name, p in arrays.items()}
            for name, got in _by_parameters(case, x, wanted).items():
                each = np.asarray(terms[name], np.float64)
                exact = each.sum(axes, keepdims=len(shape) == 2)
                bound = np.abs(each).sum(axes, keepdims=len(shape) == 2)
                allowed = len(x[0]) * 2.0**-23 * bound
                allowed += float(jnp.finfo(dtype).eps) * np.abs(exact)
                assert got.shape == arrays[name].shape + shape
                assert got.dtype == dtype
                assert np.all(np.abs(np.asarray(got, np.float64) - exact) <= allowed)


def _by_parameters(case, x, parameters, repeated=False):
    """Gradients of the sum of outputs, for parameters as they are, or for each element's own."""
    if repeated:
        parameters = {
            name: _stretched(p.astype(jnp.float32), x[0].shape) for name, p in parameters.items()
        }
    y, pull_back = jax.vjp(lambda p: case(*x, **p), parameters)
    return pull_back(jnp.ones_like(y))[0]


@over(TYPICAL)
def test_a_sum_over_many_terms_loses_nothing_in_sixteen_bits(case):
    """32,768 equal terms: summed in bfloat16 they would stop growing at the 256th."""
    for value in (-1.0, 0.75, 40.0):
        x = [jnp.full(2**15, value, jnp.bfloat16)] * case.arity
        arrays = case.arrays(dtype=jnp.bfloat16)
        many = _by_parameters(case, x, arrays)
        one = _by_parameters(case, [a[:1] for a in x], arrays)
        for name in arrays:
            assert many[name].dtype == jnp.bfloat16
            np.testing.assert_allclose(
                np.float64(many[name]), 2**15 * np.float64(one[name]), rtol=2.0**-7
            )


@over(TYPICAL)
def test_parameters_leave_the_dtype_of_x_alone(case):
    with jax.enable_x64(True):
        for dtype in DTYPES:
            x = case.inputs(dtype=dtype)
            for parameter_dtype in DTYPES:
                parameters = _arrays(case, (FEATURES,), parameter_dtype)
                y = jax.eval_shape(case, *x, **parameters)
                total = lambda x, p: jnp.sum(case(*x, **p))
                by_x, by_p = jax.eval_shape(jax.grad(total, (0, 1)), x, parameters)
                assert y.dtype == dtype
                assert {g.dtype for g in by_x} == {jnp.dtype(dtype)}
                assert {g.dtype for g in by_p.values()} == {jnp.dtype(parameter_dtype)}


@over([case for case in variants() if case.learnable and not case.entry.pseudo])
def test_derivatives_by_parameters_are_limits_of_differences(case):
    """First and second, mixed, in every mode: along a line through x and the parameters."""
    with precision(np.float64):
        x, parameters = case.inputs(dtype=np.float64), _arrays(case, (FEATURES,), np.float64)
        start = (x, parameters)
        along = (case.inputs(dtype=np.float64, seed=5), _arrays(case, (FEATURES,), np.float64))

        def function(x, parameters):
            y = case(*x, **parameters)
            return jnp.sum(jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape) * y)

        def forward(g):
            return lambda *p: jax.jvp(g, p, along)[1]

        def reverse(g):
            def derivative(*p):
                products = jax.tree.map(jnp.vdot, jax.grad(g, (0, 1))(*p), along)
                return sum(jax.tree.leaves(products))

            return derivative

        first = (forward(function), reverse(function))
        second = (forward(first[0]), reverse(first[0]), forward(first[1]), reverse(first[1]))
        compute = jax.jit(lambda *p: [[g(*p) for g in gs] for gs in ((function,), first, second)])
        step = 1e-5

        def moved(h):
            return jax.device_get(compute(*jax.tree.map(lambda a, d: a + h * d, start, along)))

        orders, above, below = moved(0.0), moved(step), moved(-step)
    scale = max(1.0, *(abs(float(derivatives[0])) for derivatives in orders))
    for order in (1, 2):
        quotient = (above[order - 1][0] - below[order - 1][0]) / (2 * step)
        np.testing.assert_allclose(orders[order], quotient, rtol=1e-6, atol=1e-6 * scale)


@over(TYPICAL)
def test_parameters_are_batched_with_x_or_without(case):
    x, parameters = case.inputs((3, FEATURES)), _arrays(case, (3, 1))
    axes = {name: p.ndim - 2 for name, p in parameters.items()}
    rows = lambda x, p: case(*x, **p)
    together = jax.vmap(rows, (0, axes))(x, parameters)
    assert_close(together, case(*x, **parameters), ulps=1)
    alone = jax.vmap(rows, (None, axes))([a[0] for a in x], parameters)
    assert_close(alone[0], together[0], ulps=1)
    by_p = lambda x, p: jax.grad(lambda p: jnp.sum(rows(x, p)))(p)
    full = jax.grad(lambda p: jnp.sum(rows(x, p)))(parameters)
    assert_close(jax.vmap(by_p, (0, axes), axes)(x, parameters), full)


@over(LEARNABLE)
def test_traced_parameters_are_not_judged_by_value(case):
    x = case.inputs()
    for value in (-3.0, 0.0, np.nan, np.inf):
        arrays = {name: jnp.full_like(p, value) for name, p in case.arrays().items()}
        jax.eval_shape(lambda arrays: case(*x, **arrays), arrays)
        assert case(*x, **arrays).shape == x[0].shape
