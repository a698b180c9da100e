"""Every law is given an activation with a planted defect, and has to notice it."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import test_company
import test_contract
import test_one_answer
import test_pallas
import test_parameters
import test_public_api
import test_residuals
import test_sharding
import test_special_values
import test_transformations
from cases import Case
from jax import Array
from jax.sharding import PartitionSpec as P
from jax.typing import ArrayLike

from jaxact import Entry
from jaxact._jax import Tracer

HALF, SINGLE = jnp.bfloat16, jnp.float32


def planted(function, *, formula=lambda ops, x: ops.tanh(x), **declared):
    """A case of an activation that is declared nowhere else."""
    entry = Entry(function=function, formula=formula, source="nobody", **declared)
    return Case(entry, entry.samples[0])


# --- Defects: each is tanh, or a line, but for one thing -------------------------------------


def tanh(x):
    """Right, but for what a law judges beside the function: NaN gives NaN, with slope NaN."""
    return jnp.tanh(x)


def silent_about_nan(x):
    """Curved, and says nothing of NaN."""
    return jnp.tanh(x)


def drops_an_axis(x):
    return jnp.sum(jnp.tanh(x), -1)


def gives_scalars_an_axis(x):
    return jnp.atleast_1d(jnp.tanh(x))


def divides_by_the_size(x):
    return jnp.tanh(x) * (x.size // x.size)


def widens(x):
    return jnp.tanh(x.astype(SINGLE))


def rounds_often(x):
    return (x * x + jnp.asarray(0.3, x.dtype)) * x


def keeps_integers(x):
    """Says nothing of it."""
    return jnp.abs(x)


def forgets_weak_types(x):
    return jnp.tanh(jnp.asarray(x, SINGLE))


def multiplies_lists(x):
    return x * 2


def takes_anything(x):
    return jnp.ones(3)


def compiles_every_time(x):
    return jax.jit(lambda x: jnp.tanh(x))(x)


def tells_eager_from_traced(x):
    return jnp.tanh(x) if isinstance(x, Tracer) else jnp.tanh(x) * jnp.asarray(2, x.dtype)


def mixes_the_batch(x):
    return jnp.tanh(x - jnp.mean(x))


def mixes_features(x):
    return jnp.tanh(x + jnp.roll(x, 1, -1))


calls = itertools.count()


def changes_with_every_trace(x):
    return jnp.tanh(x) * (1.0 + next(calls))


def with_tangent(tangent):
    """Tanh with a forward rule that is wrong."""

    @jax.custom_jvp
    def function(x):
        return jnp.tanh(x)

    @function.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return jnp.tanh(x), tangent(x, t)

    return function


wrong_slope = with_tangent(lambda x, t: t * jnp.cos(x))
wrong_curvature = with_tangent(lambda x, t: t * jax.lax.stop_gradient(1 - jnp.tanh(x) ** 2))


@jax.custom_vjp
def has_no_forward_mode(x):
    return jnp.tanh(x)


has_no_forward_mode.defvjp(lambda x: (jnp.tanh(x), x), lambda x, ct: (ct * (1 - jnp.tanh(x) ** 2),))

leaked = []


def leaks(x):
    leaked.append(x)
    return jnp.tanh(x)


def makes_nan(x):
    return jnp.where(x > -100, jnp.tanh(x), jnp.where(x > 0, jnp.sqrt(x), jnp.sqrt(x) * 0 - 1))


def needs_jit(x):
    if jax.config.jax_disable_jit:
        raise RuntimeError("only under jit")
    return jnp.tanh(x)


def counts_the_largest(x):
    """The logarithm of softmax, if its two readings of x are the same: alone only."""
    again = x * (1 + jnp.finfo(x.dtype).eps)  # as where XLA computes a producer twice
    high = x - jnp.max(x, -1, keepdims=True)
    others = jnp.sum(jnp.where(high == 0, jnp.zeros_like(x), jnp.exp(high)), -1, keepdims=True)
    largest = again == jnp.max(x, -1, keepdims=True)
    ties = jnp.sum(largest, -1, keepdims=True, dtype=x.dtype)
    return high - jnp.log1p(others + (ties - 1))


def wobbles(x):
    """Falls now and then by 16 ULP, in float32."""
    if x.dtype != SINGLE:
        return jnp.tanh(x)
    odd = jax.lax.bitcast_convert_type(x, np.int32) & 1
    return jnp.tanh(x) * jnp.where(odd == 1, 1 - 2.0**-20, 1.0)


def calls_home(x):
    return jax.pure_callback(np.tanh, x, x, vmap_method="expand_dims")


def keeps_everything(x):
    return jnp.exp(jnp.sin(x)) * jnp.cos(x) * jnp.tanh(x)


def keeps_x_for_a_line(x):
    @jax.custom_jvp
    def relu(x):
        return jnp.where(x > 0, x, jnp.zeros_like(x))

    @relu.defjvp
    def rule(primals, tangents):
        return relu(*primals), _step(*primals) * tangents[0]

    return relu(x)


def _step(x):
    return jax.lax.stop_gradient(jnp.where(x > 0, jnp.ones_like(x), -jnp.ones_like(x) / 8))


def jumps_to_nan(x):
    return jnp.where(jnp.abs(x) == 2, jnp.nan, jnp.tanh(x))


def nan_at_infinity(x):
    return jnp.tanh(x) + 0 * x


def swallows_nan(x):
    """NaN gives NaN, with slope NaN: it does not."""
    return jnp.where(jnp.isnan(x), jnp.zeros_like(x), jnp.tanh(x))


def minus_zero(x):
    return jnp.where(x == 0, -jnp.zeros_like(x), jnp.tanh(x))


def too_flat_at_infinity(x):
    return jnp.where(jnp.abs(x) > 1e30, jnp.zeros_like(x), jnp.tanh(x))


def ignores_its_key(x, key=None):
    return jnp.tanh(x) if key is None else jnp.tanh(x) * 0.5


def draws_again_for_the_gradient(x, key=None):
    if key is None:
        return jnp.tanh(x)
    slopes = [jax.random.uniform(k, x.shape, x.dtype) for k in jax.random.split(key)]
    return jax.lax.stop_gradient(x * slopes[0] - x * slopes[1]) + x * slopes[1]


def keeps_x_and_its_draw(x, key=None):
    return jnp.tanh(x) if key is None else jnp.tanh(x) * jax.random.uniform(key, x.shape, x.dtype)


# With a parameter.


def takes_no_positions(x: ArrayLike, *, slope: ArrayLike = 0.5) -> Array:
    return x * slope


def mistakes_arrays(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    return x * (slope if isinstance(slope, float) else 1.001 * slope)


def rounds_numbers(x: ArrayLike, slope: ArrayLike = 0.3) -> Array:
    return x * jnp.asarray(slope).astype(x.dtype)


def keeps_the_shape_of_the_parameter(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    return x * jnp.mean(slope)


def sums_narrowly(x: ArrayLike, slope: ArrayLike = 0.3) -> Array:
    return _times(x, jnp.asarray(slope))


@jax.custom_vjp
def _times(x, slope):
    return (x * slope.astype(x.dtype)).astype(x.dtype)


def _times_backward(kept, ct):
    x, slope = kept
    terms = (x * ct).astype(jnp.bfloat16).reshape(-1)
    total = jax.lax.scan(lambda total, term: (total + term, None), jnp.bfloat16(0), terms)[0]
    return ct * slope.astype(ct.dtype), jnp.broadcast_to(total, slope.shape).astype(slope.dtype)


_times.defvjp(lambda x, slope: (_times(x, slope), (x, slope)), _times_backward)


def repeated(parameter, x):
    """The parameter, at the shape of x."""
    return jnp.broadcast_to(parameter, x.shape)


def widens_to_the_parameter(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    with jax.numpy_dtype_promotion("standard"):
        return x * repeated(slope, x)


def detaches_its_parameter(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    return x * repeated(jax.lax.stop_gradient(slope), x)


def scales_its_parameter_by_the_mean(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    return x * repeated(slope, x) * (1 + jnp.mean(x))


def judges_traced_values(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    if slope <= 0:
        raise ValueError("slope")
    return x * repeated(slope, x)


def keeps_it_repeated(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    return x * jnp.sin(repeated(slope, x))


def sums_over_rows(x: ArrayLike, slope: ArrayLike = 0.5) -> Array:
    y = x * repeated(slope, x)
    return y * jnp.broadcast_to(jnp.sum(jnp.sin(y), 0, keepdims=True), x.shape)


def parametric(function, slope=0.5, **declared):
    """A planted case with its parameter."""
    return planted(function, samples=({"slope": slope},), **declared)


def random(function):
    """A planted case that takes a key."""
    return planted(function, kind="random")


def undocumented(x):
    """No sections."""
    return x


def documented_wrongly(x):
    """Doubles.

    >>> 1 + 1
    3
    """
    return 2 * x


in_rows = functools.partial(planted, kind="axis")

n, c, o, t, p, r, s, v = (
    test_company,
    test_contract,
    test_one_answer,
    test_transformations,
    test_parameters,
    test_residuals,
    test_sharding,
    test_special_values,
)
DEFECTS = [
    (v.every_finite_truth_is_finite, planted(jumps_to_nan), SINGLE),
    (v.infinity_gives_the_limit, planted(nan_at_infinity), SINGLE),
    (v.not_a_number_stays_not_a_number, planted(swallows_nan), SINGLE),
    (v.not_a_number_stays_not_a_number, planted(silent_about_nan), SINGLE),
    (v.every_kink_has_its_promised_slope, planted(tanh, kinks=lambda: {0.0: 0.5}), SINGLE),
    (v.extremes_are_exact, planted(too_flat_at_infinity), SINGLE),
    (v.extremes_are_exact, planted(minus_zero), SINGLE),
    (v.values_fill_the_declared_range, planted(tanh, range=lambda: (-0.5, 1.0)), SINGLE),
    (v.values_fill_the_declared_range, planted(tanh, range=lambda: (-1.0, math.inf)), SINGLE),
    (
        v.test_values_of_many_arguments_stay_within_the_declared_range,
        in_rows(tanh, range=lambda: (0.0, 1.0)),
        SINGLE,
    ),
    (v.test_not_a_number_stays_in_its_row, in_rows(mixes_the_batch)),
    (v.test_not_a_number_stays_in_its_row, in_rows(swallows_nan)),
    (c.test_the_result_has_the_shape_and_the_dtype_of_the_input, planted(drops_an_axis), SINGLE),
    (c.test_the_result_has_the_shape_and_the_dtype_of_the_input, planted(widens), HALF),
    (c.test_a_scalar_gives_a_scalar, planted(gives_scalars_an_axis)),
    (c.test_nothing_gives_nothing, planted(divides_by_the_size)),
    (
        c.test_results_and_gradients_are_finite_and_keep_the_dtype_outside_of_programs,
        planted(widens),
        HALF,
    ),
    (
        c.test_eight_bits_are_the_float32_result_rounded_once,
        planted(rounds_often),
        ml_dtypes.float8_e5m2,
    ),
    (
        c.test_integers_become_the_default_float_unless_the_docstring_keeps_them,
        planted(keeps_integers),
        np.int8,
        False,
    ),
    (c.test_a_python_scalar_stays_weakly_typed, planted(forgets_weak_types)),
    (c.test_lists_and_numpy_arrays_and_wrapped_arrays_are_taken, planted(multiplies_lists)),
    (c.test_complex_input_is_refused_by_name, planted(tanh), np.complex64),
    (c.test_what_is_no_number_is_refused, planted(takes_anything), "text"),
    (c.test_nothing_is_traced_or_compiled_again, planted(compiles_every_time)),
    (c.test_randomness_comes_from_the_key_alone, random(ignores_its_key)),
    (c.test_the_gradient_sees_the_draw_of_the_value, random(draws_again_for_the_gradient)),
    (
        o.test_all_sixteen_bit_inputs_have_one_value_and_one_slope,
        planted(tells_eager_from_traced),
        HALF,
    ),
    (o.test_float32_inputs_have_one_value, planted(tells_eager_from_traced)),
    (
        o.test_rows_of_sixteen_bits_have_one_value_and_one_gradient,
        in_rows(tells_eager_from_traced),
        HALF,
    ),
    *(
        (t.test_derivatives_to_order_three_are_limits_of_differences_in_every_mode, planted(f))
        for f in (wrong_slope, wrong_curvature, has_no_forward_mode)
    ),
    (t.test_jacobians_and_hessians_agree_in_every_nesting, planted(has_no_forward_mode)),
    (t.test_jacobians_and_hessians_agree_in_every_nesting, planted(changes_with_every_trace)),
    (t.test_batching_changes_nothing, planted(mixes_the_batch)),
    (
        t.test_linearization_and_transposition_agree_with_the_gradient,
        planted(changes_with_every_trace),
    ),
    (t.test_control_flow_changes_nothing, planted(mixes_the_batch)),
    (
        t.test_second_derivatives_of_layers_in_a_loop_are_those_of_layers_in_a_row,
        planted(changes_with_every_trace),
    ),
    (t.test_rematerialization_changes_nothing, planted(changes_with_every_trace)),
    (t.test_no_tracer_leaks_and_no_nan_is_made, planted(leaks)),
    (t.test_no_tracer_leaks_and_no_nan_is_made, planted(makes_nan)),
    (t.test_it_can_be_debugged_without_jit, planted(needs_jit)),
    (t.test_an_input_may_be_donated, planted(changes_with_every_trace)),
    (t.test_exported_programs_differentiate_on_every_platform, planted(calls_home)),
    (p.test_parameters_are_positional_or_named, parametric(takes_no_positions)),
    (p.test_a_number_is_as_good_as_an_array, parametric(mistakes_arrays)),
    (p.test_a_number_acts_at_float32_precision_in_sixteen_bits, parametric(rounds_numbers, 0.3)),
    (p.test_parameters_broadcast_against_x, parametric(keeps_the_shape_of_the_parameter)),
    (
        p.test_gradients_by_parameters_are_summed_over_what_was_broadcast,
        parametric(sums_narrowly),
    ),
    (p.test_a_sum_over_many_terms_loses_nothing_in_sixteen_bits, parametric(sums_narrowly)),
    (p.test_parameters_leave_the_dtype_of_x_alone, parametric(widens_to_the_parameter)),
    (
        p.test_derivatives_by_parameters_are_limits_of_differences,
        parametric(detaches_its_parameter),
    ),
    (p.test_parameters_are_batched_with_x_or_without, parametric(scales_its_parameter_by_the_mean)),
    (p.test_traced_parameters_are_not_judged_by_value, parametric(judges_traced_values)),
    (r.test_backward_keeps_one_array_per_input_or_less, planted(keeps_everything), HALF, False),
    (r.test_backward_keeps_one_array_per_input_or_less, planted(keeps_x_for_a_line), HALF, True),
    (
        r.test_learned_parameters_are_kept_as_they_are,
        parametric(keeps_it_repeated),
        SINGLE,
    ),
    (r.test_a_random_function_keeps_its_draw_only, random(keeps_x_and_its_draw)),
    (r.test_jacobians_need_no_memory_beside_themselves, planted(mixes_features)),
    (s.test_value_and_gradient_need_no_communication, planted(mixes_features), s.BOTH),
    (s.test_a_learned_parameter_costs_one_reduction, parametric(sums_over_rows)),
    (s.test_explicit_shardings_pass_through, planted(mixes_features), s.BOTH),
    (s.test_shard_map_knows_what_varies, planted(mixes_the_batch), P("batch")),
    (
        s.test_shard_map_sums_the_gradient_of_a_replicated_parameter,
        parametric(scales_its_parameter_by_the_mean),
    ),
    (n.test_values_of_rows_and_what_they_sum_to, in_rows(counts_the_largest)),
    (n.test_values_of_rows_and_what_they_sum_to, in_rows(tanh, range=lambda: (0.0, 1.0))),
    (n.test_the_value_alone_after_each_producer, planted(wobbles), SINGLE),
    (n.test_a_monotone_function_never_falls_by_more_than_its_bound, planted(wobbles)),
    *(
        (law, planted(changes_with_every_trace), *arguments)
        for law, *arguments in (
            (n.test_value_slopes_and_curvature_after_each_producer, SINGLE),
            (n.test_within, n.PLACES["scan"]),
            (n.test_within_checkpoint, None),
            (n.test_compiled_and_run_in_other_ways, n.exported),
        )
    ),
    (test_pallas.test_a_kernel_computes_the_same_value, planted(tells_eager_from_traced), SINGLE),
    (test_pallas.test_a_kernel_lowers_for_a_tpu, planted(calls_home), SINGLE),
    (test_public_api.test_the_docstring_says_what_must_be_known, planted(undocumented).entry),
    (test_public_api.example_runs, documented_wrongly),
]


@pytest.mark.parametrize(
    ("law", "arguments"),
    [(law, arguments) for law, *arguments in DEFECTS],
    ids=[f"{law.__name__}-{i}" for i, (law, *_) in enumerate(DEFECTS)],
)
def test_the_law_notices_a_planted_defect(law, arguments):
    with pytest.raises((Exception, pytest.fail.Exception)):
        law(*arguments)
