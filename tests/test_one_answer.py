"""One answer, however a function is called: eager, compiled, batched, or a scalar at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from cases import (
    FEATURES,
    POINTWISE,
    SIXTEEN_BITS,
    assert_close,
    cases,
    differing,
    identical,
    over,
    slope,
    typical_cases,
    variants,
    weights,
)

_DTYPES = pytest.mark.parametrize("dtype", SIXTEEN_BITS, ids=lambda d: jnp.dtype(d).name)


@pytest.mark.machinery
@_DTYPES
@over(cases(*POINTWISE))
def test_all_sixteen_bit_inputs_have_one_value_and_one_slope(case, dtype):
    xs = oracle.all_patterns(dtype, finite=False)

    def both(x):
        return case(x), slope(case)(x)

    expected = jax.device_get(both(jnp.asarray(xs)))  # eager
    rows = xs.reshape(256, 256)
    some = slice(None, None, 61)  # a loop takes its time
    answers = {
        "jit": (jax.jit(both)(xs), slice(None)),
        "vmap": (jax.jit(jax.vmap(jax.vmap(jax.value_and_grad(case)), 1, 1))(rows), slice(None)),
        "a loop": (_one_by_one(both, xs[some]), some),
    }
    for way, (got, which) in answers.items():
        for what, a, b in zip(("value", "slope"), got, expected, strict=True):
            assert differing(np.asarray(a).reshape(-1), b[which]) == 0, f"{what} under {way}"
    assert differing(case(xs[777]), expected[0][777]) == 0


def _one_by_one(function, xs):
    """A compiled program of scalars, run for each."""
    return jax.jit(lambda xs: jax.lax.map(function, xs))(xs)


@pytest.mark.machinery
@over(typical_cases(*POINTWISE))
def test_float32_inputs_have_one_value(case):
    xs = jnp.asarray(oracle.stratified(np.float32, 2**14, around=case.kinks))
    expected = case(xs)
    assert differing(jax.jit(case)(xs), expected) == 0
    assert differing(_one_by_one(case, xs[::16]), expected[::16]) == 0
    assert differing(jnp.concatenate([case(part) for part in (xs[:777], xs[777:])]), expected) == 0


@pytest.mark.machinery
@over(typical_cases())
def test_constants_may_be_evaluated_while_tracing(case):
    x = case.inputs()
    both = lambda *x: jax.vjp(case, *x)[1](case(*x))
    expected = case(*x), both(*x)
    with jax.ensure_compile_time_eval():
        assert identical((case(*x), both(*x)), expected)


@pytest.mark.machinery
@_DTYPES
@over(variants("gate", "axis"))
def test_rows_of_sixteen_bits_have_one_value_and_one_gradient(case, dtype):
    """A row by itself may be summed in another order: there one unit in the last place is left."""
    x = case.inputs((256, FEATURES), dtype)
    arguments = (*x, weights(case(*x)))

    def both(*arguments):
        *x, cotangent = arguments
        return case(*x), jax.vjp(case, *x)[1](cotangent)

    expected = both(*arguments)
    assert identical(jax.jit(both)(*arguments), expected)
    assert identical(jax.jit(jax.vmap(both))(*arguments), expected)
    assert_close(_one_by_one(lambda row: both(*row), arguments), expected, ulps=1)
