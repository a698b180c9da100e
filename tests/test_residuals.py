"""What reverse mode keeps: one array of the input's dtype per input, or a byte per element.

`jax.vjp` returns a function that is a tree of arrays: those are what is kept.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    FEATURES,
    cases,
    gradient,
    identical,
    loss,
    over,
    typical_cases,
    variants,
)

import jaxact

SHAPE = (32, FEATURES)
_EITHER_WAY = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
_DTYPES = pytest.mark.parametrize(
    "dtype", [jnp.bfloat16, jnp.float32], ids=lambda d: jnp.dtype(d).name
)


def kept(function, x, compiled):
    """The output, and the arrays that its pull-back holds on to."""
    run = lambda *x: jax.vjp(function, *x)
    y, pull_back = (jax.jit(run) if compiled else run)(*x)
    return y, [leaf for leaf in jax.tree.leaves(pull_back) if leaf.size > 1]


@functools.cache
def is_piecewise_linear(case):
    """Whether the second derivative vanishes, along a random direction."""
    x, direction = case.inputs((256, FEATURES)), case.inputs((256, FEATURES), seed=5)
    curvature = jax.jvp(gradient(case), x, direction)[1]
    return not any(np.any(a) for a in curvature)


@_EITHER_WAY
@_DTYPES
@over(cases())
def test_backward_keeps_one_array_per_input_or_less(case, dtype, compiled):
    """A piecewise linear function keeps a byte per element, or the output that others keep too."""
    x = case.inputs(SHAPE, dtype)
    y, leaves = kept(case, x, compiled)
    wide = [leaf for leaf in leaves if leaf.itemsize > 1]
    assert all(leaf.dtype == dtype for leaf in wide)
    assert sum(leaf.nbytes for leaf in leaves) <= sum(a.nbytes for a in x)
    if is_piecewise_linear(case):
        assert all(identical(leaf, y) for leaf in wide)
        assert compiled or all(_same_memory(leaf, y) for leaf in wide)
        bytes_beside = sum(leaf.nbytes for leaf in leaves if leaf.itemsize == 1)
        assert bytes_beside <= (0 if wide else sum(a.size for a in x))


def _same_memory(a, b):
    return a.unsafe_buffer_pointer() == b.unsafe_buffer_pointer()


@_DTYPES
@over([case for case in variants() if case.learnable])
def test_learned_parameters_are_kept_as_they_are(case, dtype):
    """x and the parameters, but not the parameters repeated to the shape of x."""
    x = case.inputs(SHAPE, dtype)
    parameters = case.arrays((FEATURES,))
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


WIDE_LAYERS = {  # widths of the products of matrices, and what is done to these
    "maxout of 2": ((2,), lambda z: jaxact.maxout(z, 2)),
    "maxout of 4": ((4,), lambda z: jaxact.maxout(z, 4)),
    "swiglu": ((1, 1), jaxact.swiglu),
    "glu": ((1, 1), lambda x, gate: jaxact.glu(x, gate=gate)),
}


@pytest.mark.parametrize("layer", WIDE_LAYERS)
def test_a_wide_layer_needs_memory_for_its_preactivations_only(layer):
    """Beside inputs, parameters and gradients, and a packed index; at training size."""
    widths, function = WIDE_LAYERS[layer]
    batch, features = 2048, 256
    array = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    weights, x = [array(features, features * w) for w in widths], array(batch, features)

    def step(weights, x, cotangent):
        y, pull_back = jax.vjp(lambda weights, x: function(*(x @ w for w in weights)), weights, x)
        return y, pull_back(cotangent)

    memory = jax.jit(step).lower(weights, x, x).compile().memory_analysis()
    assert memory is not None
    preactivations, index = 4 * batch * features * sum(widths), batch * features // 4
    assert memory.temp_size_in_bytes <= preactivations + index


@pytest.mark.machinery
@over(typical_cases())
def test_jacobians_repeat_nothing_but_the_tangents(case):
    """Along the new axis, behind the barrier where what is kept meets the tangents."""
    size = 4 * FEATURES
    x = case.inputs((size,))
    barrier = re.compile(r"optimization_barrier .*: (.*)$", re.MULTILINE)
    repeated = re.compile(rf"tensor<{size}x(?:1x)*{size}x")
    for function in (case, jax.grad(loss(case))):
        program = jax.jit(jax.jacfwd(function)).lower(*x).as_text()
        for types in barrier.findall(program):
            assert len(repeated.findall(types)) <= 1, types


@pytest.mark.machinery
@over(typical_cases("elementwise", "random"))
def test_jacobians_need_no_memory_beside_themselves(case):
    size = 8 * FEATURES
    for function in (case, jax.grad(loss(case))):
        program = jax.jit(jax.jacfwd(function)).lower(*case.inputs((size,))).compile()
        assert program.memory_analysis().temp_size_in_bytes <= 0.1 * 4 * size**2
