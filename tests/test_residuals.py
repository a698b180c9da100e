"""What reverse mode keeps: one array of the input's dtype per input, or a byte per element.

`jax.vjp` returns a function that is a tree of arrays: those are what is kept.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    FEATURES,
    SIXTEEN_BITS,
    cases,
    gradient,
    identical,
    loss,
    over,
    typical_cases,
)

SHAPE = (32, FEATURES)
_EITHER_WAY = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
_DTYPES = pytest.mark.parametrize(
    "dtype", (*SIXTEEN_BITS, jnp.float32), ids=lambda d: jnp.dtype(d).name
)


def kept(function, x, compiled):
    """The output, and the arrays that its pull-back holds on to."""
    run = lambda *x: jax.vjp(function, *x)
    y, pull_back = (jax.jit(run) if compiled else run)(*x)
    return y, [leaf for leaf in jax.tree.leaves(pull_back) if leaf.size > 1]


def is_piecewise_linear(case):
    """Whether the second derivative vanishes, along a random direction."""
    x, direction = case.inputs((256, FEATURES)), case.inputs((256, FEATURES), seed=5)
    curvature = jax.jvp(gradient(case), x, direction)[1]
    return not any(np.any(a) for a in curvature)


@_EITHER_WAY
@_DTYPES
@over(cases())
def test_backward_keeps_one_array_per_input_at_most(case, dtype, compiled):
    x = case.inputs(SHAPE, dtype)
    _, leaves = kept(case, x, compiled)
    assert sum(leaf.nbytes for leaf in leaves) <= sum(a.nbytes for a in x)
    assert all(leaf.itemsize == 1 or leaf.dtype == dtype for leaf in leaves)


@_EITHER_WAY
@_DTYPES
@over([case for case in cases() if is_piecewise_linear(case)])
def test_piecewise_linear_functions_keep_a_byte_or_the_output(case, dtype, compiled):
    x = case.inputs(SHAPE, dtype)
    y, leaves = kept(case, x, compiled)
    shared = [leaf for leaf in leaves if leaf.itemsize > 1]
    assert all(identical(leaf, y) for leaf in shared)
    if not compiled:
        assert all(leaf.unsafe_buffer_pointer() == y.unsafe_buffer_pointer() for leaf in shared)
    assert sum(leaf.nbytes for leaf in leaves if leaf.itemsize == 1) <= max(x[0].size, y.size)
    assert len(leaves) <= case.arity


@_DTYPES
@over([case for case in cases() if case.learnable])
def test_learned_parameters_are_kept_as_they_are(case, dtype):
    """x and the parameters, but not the parameters repeated to the shape of x."""
    x = case.inputs(SHAPE, dtype)
    parameters = {name: jnp.full(FEATURES, value) for name, value in case.learnable.items()}
    function = lambda x, parameters: case(*x, **parameters)
    _, leaves = kept(function, (x, parameters), compiled=False)
    whole = [leaf for leaf in leaves if leaf.size == x[0].size]
    assert sum(leaf.nbytes for leaf in whole) <= sum(a.nbytes for a in x)
    assert all(leaf.size == FEATURES for leaf in leaves if leaf.size != x[0].size)


@over(cases("random"))
def test_a_random_function_keeps_its_draw_only(case):
    x = case.inputs(SHAPE, jnp.bfloat16)
    _, leaves = kept(lambda x: case(x, key=jax.random.key(0)), x, compiled=False)
    assert sum(leaf.nbytes for leaf in leaves) <= x[0].nbytes


@over(typical_cases())
def test_jacobians_repeat_nothing_but_the_tangents(case):
    """Along the new axis: neither behind a barrier, nor in the memory of the compiled program."""
    size = 8 * FEATURES
    x = case.inputs((size,))
    barrier = re.compile(r"optimization_barrier .*: (.*)$", re.MULTILINE)
    repeated = re.compile(rf"tensor<{size}x(?:1x)*{size}x")
    for function in (case, jax.grad(loss(case))):
        lowered = jax.jit(jax.jacfwd(function)).lower(*x)
        for types in barrier.findall(lowered.as_text()):
            assert len(repeated.findall(types)) <= 1, types
        temporary = lowered.compile().memory_analysis().temp_size_in_bytes
        assert temporary <= 0.1 * 4 * size**2
