"""Every transformation of JAX gives the value and the derivatives that it should.

Where it can be done, many transformations are compiled as one program: compiling takes the time.
"""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    FEATURES,
    assert_close,
    gradient,
    identical,
    loss,
    over,
    typical_cases,
    variants,
    weights,
)
from jax import lax

pytestmark = pytest.mark.machinery
POLICIES = {
    "nothing": jax.checkpoint_policies.nothing_saveable,
    "everything": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.dots_saveable,
    "dots without batch": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
}


@over(variants())
def test_derivatives_to_order_three_are_limits_of_differences_in_every_mode(case):
    """Along a line, in float64: all 14 nestings of forward and reverse mode, against quotients."""
    with jax.enable_x64(True):
        x = case.inputs(dtype=np.float64)
        direction = case.inputs(dtype=np.float64, seed=5)
        derivatives = jax.jit(lambda *x: _nested(loss(case), x, direction))
        step = 1e-5
        at, above, below = (
            jax.device_get(derivatives(*(a + h * d for a, d in zip(x, direction, strict=True))))
            for h in (0.0, step, -step)
        )
    for modes, derivative in at.items():
        if not modes:
            continue
        scale = max(1.0, *(abs(float(at[m])) for m in at))
        quotient = (above[modes[:-1]] - below[modes[:-1]]) / (2 * step)
        np.testing.assert_allclose(derivative, quotient, rtol=1e-6, atol=1e-6 * scale)
        np.testing.assert_allclose(derivative, at["f" * len(modes)], rtol=1e-12, atol=1e-12 * scale)


def _nested(function, x, direction):
    """Derivatives along a direction, under the modes that made them: "", "f", "r", "ff", ..."""

    def forward(g):
        return lambda *x: jax.jvp(g, x, direction)[1]

    def reverse(g):
        argnums = tuple(range(len(x)))
        return lambda *x: sum(map(jnp.vdot, jax.grad(g, argnums)(*x), direction))

    level = {"": function}
    functions = dict(level)
    for _ in range(3):
        level = {
            modes + mode: derive(g)
            for modes, g in level.items()
            for mode, derive in (("f", forward), ("r", reverse))
        }
        functions |= level
    return {modes: g(*x) for modes, g in functions.items()}


@over(typical_cases())
def test_jacobians_and_hessians_agree_in_every_nesting(case):
    x = case.inputs((FEATURES,))
    argnums = tuple(range(case.arity))

    @jax.jit
    def compute(x):
        jacobians = [mode(case, argnums)(*x) for mode in (jax.jacfwd, jax.jacrev)]
        hessians = [
            outer(inner(loss(case), argnums), argnums)(*x)
            for outer in (jax.jacfwd, jax.jacrev)
            for inner in (jax.jacfwd, jax.jacrev)
        ]
        return jacobians, hessians

    (jacobian, *jacobians), (hessian, *hessians) = compute(x)
    assert_close(jacobians, [jacobian])
    assert_close(hessians, [hessian] * 3)


@over(typical_cases())
def test_batching_changes_nothing(case):
    """Values to the last bit, gradients up to the order of sums."""
    x = case.inputs((3, 4, FEATURES))
    expected = case(*x), gradient(case)(*x)

    @jax.jit
    def compute(x):
        y = case(*x)
        both = lambda *row: _value_and_pull_back(case, row[:-1], row[-1])
        w = weights(y)
        swapped = [jnp.swapaxes(a, 0, 1) for a in (*x, w)]
        return {
            "over the first axis": jax.vmap(both)(*x, w),
            "over the second axis": jax.vmap(both, 1, 1)(*x, w),
            "over an axis that moves": jax.vmap(both, 0, 1)(*swapped),
            "nested": jax.vmap(jax.vmap(both))(*x, w),
            "nested, across": jax.vmap(jax.vmap(both, 0, 0), 1, 1)(*x, w),
        }

    for way, (y, g) in compute(x).items():
        assert identical(y, expected[0]), way
        assert_close(g, expected[1])


def _value_and_pull_back(case, x, cotangent):
    y, pull_back = jax.vjp(case, *x)
    return y, pull_back(cotangent)


@over(typical_cases())
def test_linearization_and_transposition_agree_with_the_gradient(case):
    x = case.inputs()
    direction = case.inputs(seed=5)

    @jax.jit
    def compute(x, direction):
        y, push_forward = jax.linearize(case, *x)
        tangent = push_forward(*direction)
        transposed = jax.linear_transpose(push_forward, *x)(weights(y))
        _, expected = jax.jvp(case, x, direction)
        return (tangent, transposed), (expected, gradient(case)(*x))

    assert_close(*compute(x, direction), ulps=0)


@over(typical_cases())
def test_control_flow_changes_nothing(case):
    x = case.inputs()
    expected = case(*x), gradient(case)(*x)

    def by_scan(*x):
        return lax.scan(lambda carry, row: (carry, case(*row)), 0.0, x)[1]

    def by_cond(*x):
        other = lambda *x: 2 * case(*x)
        return lax.cond(jnp.sum(x[0]) < 1e9, case, other, *x)

    def by_while(*x):
        start = jnp.int32(0), jnp.zeros_like(case(*x))
        return lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, case(*x)), start)[1]

    ways = (by_scan, by_cond)

    @jax.jit
    def compute(x):
        values = [way(*x) for way in (*ways, by_while)]
        gradients = [gradient(way)(*x) for way in ways]
        tangents = [jax.jvp(way, x, x)[1] for way in (case, *ways, by_while)]
        return values, gradients, tangents

    values, gradients, (tangent, *tangents) = compute(x)
    assert_close(values, [expected[0]] * len(values), ulps=2)
    assert_close(gradients, [expected[1]] * len(gradients))
    assert_close(tangents, [tangent] * len(tangents), ulps=2)


@over(typical_cases())
def test_second_derivatives_of_layers_in_a_loop_are_those_of_layers_in_a_row(case):
    """JAX takes the loop's body apart; what it then differentiates must be the function still."""
    x = case.inputs()
    output = case(*x)
    direction = case.inputs(seed=5)
    settled = lambda y: 0.5 + 0.1 * y  # within the domain of every function
    layers = lambda y: settled(case(*([y] * case.arity))) if output.shape == x[0].shape else y

    def in_a_row(*x):
        return case(*(layers(layers(a)) for a in x))

    def in_a_loop(*x):
        return case(*(lax.scan(lambda a, _: (layers(a), None), a, length=2)[0] for a in x))

    @jax.jit
    def compute(x, direction):
        return [
            {
                "forward over reverse": jax.jvp(gradient(way), x, direction)[1],
                "reverse over reverse": gradient_along(way, direction)(*x),
            }
            for way in (in_a_loop, in_a_row)
        ]

    assert_close(*compute(x, direction))


def gradient_along(function, direction):
    """The gradient of the gradient's product with a direction."""
    argnums = tuple(range(len(direction)))
    product = lambda *x: sum(map(jnp.vdot, gradient(function)(*x), direction))
    return jax.grad(product, argnums)


@over(typical_cases())
def test_rematerialization_changes_nothing(case):
    x = case.inputs()
    expected = gradient(case)(*x)

    @jax.jit
    def compute(x):
        return {
            (name, prevent_cse): gradient(
                jax.checkpoint(case, policy=policy, prevent_cse=prevent_cse)
            )(*x)
            for name, policy in POLICIES.items()
            for prevent_cse in (True, False)
        }

    for got in compute(x).values():
        assert_close(got, expected, ulps=2)


@over(typical_cases())
def test_no_tracer_leaks_and_no_nan_is_made(case):
    x = case.inputs()
    with jax.checking_leaks():
        jax.jit(gradient(case))(*x)
    with jax.debug_nans(True), jax.debug_infs(True):
        gradient(case)(*x)
        far = case.well_inside(np.full(x[0].shape, -1e4)).astype(np.float32)
        gradient(case)(*(jnp.asarray(far) for _ in x))


@over(typical_cases())
def test_it_can_be_debugged_without_jit(case):
    x = case.inputs((2, FEATURES))
    expected = case(*x), gradient(case)(*x)
    with jax.disable_jit():
        got = case(*x), gradient(case)(*x)
    assert_close(got, expected)


@over(typical_cases())
def test_an_input_may_be_donated(case):
    both = lambda *x: (case(*x), gradient(case)(*x))
    expected = both(*case.inputs())
    donating = jax.jit(both, donate_argnums=tuple(range(case.arity)))
    x = case.inputs()
    assert_close(donating(*x), expected, ulps=2)
    assert all(a.is_deleted() for a in x)


@over(typical_cases())
def test_exported_programs_differentiate_on_every_platform(case):
    """Serialized with two derivatives and a symbolic batch, then read back."""
    x = case.inputs()
    shape = jax.export.symbolic_shape(f"batch, {FEATURES}")
    arguments = [jax.ShapeDtypeStruct(shape, a.dtype) for a in x]
    exported = jax.export.export(jax.jit(case), platforms=("cpu", "cuda", "tpu"))(*arguments)
    read = jax.export.deserialize(exported.serialize(vjp_order=2))
    assert identical(read.call(*x), case(*x))
    assert_close(gradient(read.call)(*x), gradient(case)(*x))
    second = lambda f: jax.jit(jax.grad(lambda *x: jnp.sum(gradient(f)(*x)[0] ** 2)))(*x)
    assert_close(second(read.call), second(case))
