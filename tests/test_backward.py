"""What reverse mode keeps, by choice: the values stay, and so do all transformations."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_sharding
import test_transformations as transformations
from cases import (
    FEATURES,
    Case,
    assert_close,
    cases,
    forward_slope,
    gradient,
    identical,
    loss,
    over,
    typical_cases,
)
from jax import lax

import jaxact
from jaxact import _levels
from jaxact.backward import few_bit, lean

pytestmark = pytest.mark.machinery
ELEMENTWISE = cases("elementwise")
_BITS = pytest.mark.parametrize("bits", [1, 2, 3, 4])


def transformed(transformation, case):
    """A case of the transformed activation: every law can be told to judge it."""
    function = transformation(case.entry.function)
    return Case(dataclasses.replace(case.entry, function=function), case.parameters)


def one(name):
    """The typical case of one activation."""
    return next(case for case in typical_cases() if case.entry.name == name)


# --- Few bits ------------------------------------------------------------------------------------


@over(typical_cases("elementwise"))
def test_few_bits_change_no_value_and_are_all_that_is_kept(case):
    """Two bits per element; here the last axis does not fill its last byte."""
    (x,) = case.inputs((5, 30), jnp.bfloat16)
    y, pull_back = jax.vjp(transformed(few_bit, case), x)
    assert identical(y, case(x))
    (kept,) = (a for a in jax.tree.leaves(pull_back) if a.size > 1)
    assert (kept.dtype, kept.shape) == (jnp.uint8, (5, 8))


@over(typical_cases("elementwise"))
def test_the_slope_has_few_levels_in_every_mode(case):
    coded = transformed(few_bit, case)
    (x,) = case.inputs((8, FEATURES))
    slopes = forward_slope(coded)(x)
    assert len(np.unique(slopes)) <= 4
    (reverse,) = jax.vjp(coded, x)[1](jnp.ones_like(x))
    assert identical(reverse, slopes)
    assert identical(jax.vmap(jax.vmap(jax.grad(coded)))(x), slopes)


@over([case for case in typical_cases("elementwise") if case.inside(np.asarray([-9.0, 9.0])).all()])
def test_more_bits_are_nearer_to_the_slope_for_normal_inputs(case):
    """On the whole line: at the end of a domain the slope may have no mean square.

    By much, unless the slope turns more often than it has levels, as a fast sine's does.
    """
    x = jnp.asarray(np.random.default_rng(3).normal(size=4096), np.float32)
    true = forward_slope(case)(x)

    def error(bits):
        function = functools.partial(few_bit(case.entry.function, bits), **case.parameters)
        return float(jnp.mean((forward_slope(function)(x) - true) ** 2))

    errors = [error(bits) for bits in (1, 2)]
    negligible = 1e-3 * float(jnp.mean(true**2))  # of kinks between the points of the grid
    share = 0.6 if turns(case) <= 4 else 1.0
    for coarse, fine in itertools.pairwise(errors):
        assert fine < share * coarse or fine < negligible


def turns(case):
    """How often the slope changes between rising and falling within three standard deviations."""
    steps = np.diff(np.round(forward_slope(case)(jnp.linspace(-3.0, 3.0, 241)), 2))
    return np.count_nonzero(np.diff(np.sign(steps[steps != 0])))


@pytest.mark.parametrize("case", [one("gelu"), one("elu"), one("leaky_relu")], ids=repr)
def test_the_second_derivative_is_the_true_curvature_in_every_nesting(case):
    """Also where the gradient was compiled before, and in the body of a loop."""
    coded = transformed(few_bit, case)
    (x,) = case.inputs((FEATURES,))
    (v,) = case.inputs((FEATURES,), seed=5)
    expected = jax.jvp(jax.grad(loss(case)), (x,), (v,))[1]
    looped = lambda x: lax.scan(lambda a, _: (coded(a), None), x, length=1)[0]

    @jax.jit
    def compute(x):
        along = lambda g: jax.jvp(g, (x,), (v,))[1]
        back = lambda g: jax.grad(lambda x: jnp.vdot(g(x), v))(x)
        inner = jax.jit(jax.grad(loss(coded)))
        return {
            "forward over reverse": along(jax.grad(loss(coded))),
            "forward over compiled reverse": along(inner),
            "reverse over compiled reverse": back(inner),
            "forward over forward": along(lambda x: jax.jacfwd(loss(coded))(x)),
            "forward over reverse of a loop": along(jax.grad(loss(looped))),
            "forward over reverse of a checkpoint": along(jax.grad(loss(jax.checkpoint(coded)))),
        }

    for got in compute(x).values():
        assert_close(got, expected)


@pytest.mark.parametrize("name", ["gelu", "leaky_relu"])
@pytest.mark.parametrize(
    "law",
    [
        transformations.test_batching_changes_nothing,
        transformations.test_linearization_and_transposition_agree_with_the_gradient,
        transformations.test_control_flow_changes_nothing,
        transformations.test_rematerialization_changes_nothing,
        transformations.test_no_tracer_leaks_and_no_nan_is_made,
        transformations.test_it_can_be_debugged_without_jit,
        transformations.test_an_input_may_be_donated,
        transformations.test_exported_programs_differentiate_on_every_platform,
        functools.partial(
            test_sharding.test_value_and_gradient_need_no_communication,
            spec=jax.P("batch", None),
        ),
        functools.partial(
            test_sharding.test_explicit_shardings_pass_through, spec=test_sharding.BOTH
        ),
    ],
    ids=lambda law: getattr(law, "func", law).__name__,
)
def test_few_bits_obey_the_laws_of_functions(law, name):
    law(case=transformed(few_bit, one(name)))


def test_compiled_steps_keep_the_codes_only():
    """In a row of layers and in a loop: two bits, and an array for each product of matrices."""
    batch, features, layers = 256, 128, 12
    x = jax.ShapeDtypeStruct((batch, features), jnp.float32)
    w = jax.ShapeDtypeStruct((layers, features, features), jnp.float32)

    def arrays(function):
        def in_a_loop(ws, x):
            return jnp.sum(lax.scan(lambda x, w: (function(x @ w), None), x, ws)[0] ** 2)

        def in_a_row(ws, x):
            for i in range(layers):
                x = function(x @ ws[i])
            return jnp.sum(x**2)

        unit = batch * features * 4
        for step in (in_a_row, in_a_loop):
            program = jax.jit(jax.value_and_grad(step)).lower(w, x).compile()
            memory = program.memory_analysis()
            assert memory is not None
            yield memory.temp_size_in_bytes / unit

    for few, default in zip(arrays(few_bit(jaxact.silu)), arrays(jaxact.silu), strict=True):
        assert few <= default - 0.8 * layers


@_BITS
def test_levels_are_the_best_there_are(bits):
    """No split of a few values into runs is better, by trying them all."""
    random = np.random.default_rng(bits)
    values, weights = random.normal(size=9), random.uniform(0.1, 1, size=9)
    count = min(2**bits, 5)

    def cost(starts):
        runs = zip(starts, [*starts[1:], 9], strict=True)
        return sum(
            np.sum(
                weights[a:b] * (values[a:b] - np.average(values[a:b], weights=weights[a:b])) ** 2
            )
            for a, b in runs
        )

    splits = [[0, *rest] for rest in itertools.combinations(range(1, 9), count - 1)]
    found = _levels.best_split(values, weights, count)
    assert cost(found) == pytest.approx(min(map(cost, splits)), abs=1e-12)


def test_few_bits_need_an_elementwise_activation_numbers_and_one_to_four_bits():
    with pytest.raises(TypeError, match="few_bit needs an activation of jaxact"):
        few_bit(jnp.tanh)
    with pytest.raises(ValueError, match="softmax is not elementwise"):
        few_bit(jaxact.softmax)
    with pytest.raises(ValueError, match="bits is 5, but must be 1, 2, 3 or 4"):
        few_bit(jaxact.gelu, 5)
    with pytest.raises(ValueError, match="alpha is an array"):
        few_bit(jaxact.elu)(jnp.ones(3), alpha=jnp.ones(3))


def test_few_bits_take_parameters_beforehand_or_later():
    x = jnp.linspace(-3, 3, 12)
    early = few_bit(functools.partial(jaxact.elu, alpha=0.5))
    late = few_bit(jaxact.elu)
    assert identical(gradient(early)(x), gradient(lambda x: late(x, 0.5))(x))
    assert identical(gradient(early)(x), gradient(lambda x: late(x, alpha=0.5))(x))
    assert late(jnp.arange(3)).dtype == jnp.float32
    assert few_bit(jaxact.relu)(jnp.arange(3)).dtype == jnp.int32


# --- From the output -----------------------------------------------------------------------------


def follows_from_output(case):
    try:
        lean(functools.partial(case.entry.function, **case.parameters))
    except ValueError:
        return False
    return True


LEAN = [case for case in ELEMENTWISE if follows_from_output(case)]


@over(LEAN)
def test_lean_changes_no_value_and_keeps_the_output_only(case):
    (x,) = case.inputs((4, FEATURES))
    y, pull_back = jax.vjp(transformed(lean, case), x)
    assert identical(y, case(x))
    assert all(identical(kept, y) for kept in jax.tree.leaves(pull_back) if kept.size > 1)


@over(LEAN)
def test_lean_slopes_and_curvatures_are_right_where_the_output_tells(case):
    """In float64, near 0, where no function has levelled off."""
    with jax.enable_x64(True):
        (x,) = case.inputs((FEATURES,), np.float64)
        x = jnp.asarray(case.well_inside(np.asarray(x) / 2))
        kept = transformed(lean, case)
        assert_close(forward_slope(kept)(x), forward_slope(case)(x), ulps=1e6)
        curvature = lambda f: jax.grad(lambda x: jnp.sum(forward_slope(f)(x)))(x)
        assert_close(curvature(kept), curvature(case), ulps=1e6)


@over([case for case in typical_cases() if not follows_from_output(case)])
def test_what_lean_cannot_do_it_says_with_what_to_use_instead(case):
    instead = "few_bit keep two bits|call it as it is|jax.checkpoint around the layer"
    with pytest.raises(ValueError, match=f"slope of jaxact.{case.entry.name}.*(?:{instead})"):
        lean(case.entry.function)(*case.inputs((4,)), **case.parameters)


def test_lean_tells_what_it_cannot_do():
    with pytest.raises(TypeError, match="lean needs an activation of jaxact"):
        lean(jnp.tanh)
    with pytest.raises(ValueError, match=r"gelu is not a function of its output.*few_bit"):
        lean(jaxact.gelu)
    with pytest.raises(ValueError, match="not a function of its output"):
        lean(jaxact.hard_sigmoid)
    with pytest.raises(ValueError, match="positive Python numbers"):
        lean(jaxact.leaky_relu)(jnp.ones(3), negative_slope=-0.1)
    with pytest.raises(ValueError, match="positive Python numbers"):
        jax.jit(lambda a: lean(jaxact.elu)(jnp.ones(3), alpha=a))(0.5)
    with pytest.raises(ValueError, match="element by element"):
        lean(jaxact.softmax)


def test_few_bits_say_nothing_of_nan_but_the_value_does():
    coded = few_bit(jaxact.gelu)
    value, slope = jax.value_and_grad(coded)(jnp.nan)
    assert np.isnan(value)
    assert float(slope) == float(jax.grad(coded)(-1e4))
    assert "NaN gives NaN, with the slope of the lowest step" in few_bit.__doc__


def test_few_bits_are_a_whole_number_and_of_finite_slopes():
    with pytest.raises(TypeError, match=r"few_bit: bits is 2.0, but must be an integer"):
        few_bit(jaxact.gelu, bits=2.0)
    with pytest.raises(ValueError, match=r"few_bit: f is .*elu.*, whose slope is not finite"):
        few_bit(jaxact.elu)(1.0, alpha=float("nan"))
