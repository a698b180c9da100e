"""In company: a function gives within a program what it gives alone.

See `company` for what a program is here, and what is right. Without fused multiplication and
addition, of which compilers decide, the same must hold:

    XLA_FLAGS=--xla_cpu_max_isa=AVX python -m pytest tests/test_company.py
"""

import dataclasses
import functools
import math
import os
import subprocess
import sys

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DTYPES, Case, cases, over, variants
from company import (
    COLUMNS,
    CONSUMERS,
    PRODUCERS,
    ROWS,
    Pair,
    Subject,
    Traced,
    consumed,
    every_pair,
    produced,
    program,
    quantities,
    rotated,
    run,
    value,
)
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxact

BOUNDS_OF_ROWS = 8.0, 16.0, 32.0  # in eps; those of derivatives in eps of their row's largest
THROUGHOUT = [Pair(producer, "itself") for producer in PRODUCERS]
FEW = [Pair("RMS normalized", "added to a residual"), Pair("over a temperature", "summed")]


def subject(case: Case, **facts) -> Subject:
    """An activation, or what else is said of it."""
    entry, rows = case.entry, case.entry.kind == "axis"
    lowest, highest = entry.domain(**case.parameters)
    usual = {
        "function": case,
        "name": repr(case),
        "centres": (0.0,) * case.arity,
        "axis": -1 if rows else None,
        "bounds": BOUNDS_OF_ROWS if rows else tuple(1 + ulps for ulps in entry.ulps),
        "fold": lowest if math.isfinite(lowest) and math.isinf(highest) else None,
        "range": entry.range(**case.parameters),
    }
    return Subject(**{**usual, **facts})


def over_few(selected: list[Case], *kinds: str) -> pytest.MarkDecorator:
    """Runs a law on these cases, on every change on one of each kind only: compiling takes long.

    The kinds are those of the catalogue, but that of "axis" what gives probabilities is its own.
    """
    first: dict[str, Case] = {}
    for case in selected:
        bounded = case.entry.kind == "axis" and not np.isinf(subject(case).range).any()
        kind = "probabilities" if bounded else case.entry.kind
        if not kinds or kind in kinds:
            first.setdefault(kind, case)
    marks = {case: () if case in first.values() else pytest.mark.thorough for case in selected}
    return pytest.mark.parametrize(
        "case", [pytest.param(case, marks=marks[case], id=repr(case)) for case in selected]
    )


in_all_formats = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(dtype, marks=() if dtype == jnp.float32 else pytest.mark.thorough)
        for dtype in DTYPES
    ],
    ids=lambda dtype: jnp.dtype(dtype).name,
)


# --- Between a producer and a consumer -----------------------------------------------------------


@in_all_formats
@over_few(variants())
def test_value_slopes_and_curvature_after_each_producer(case, dtype):
    made = subject(case)
    run(made, rotated(made.arity), dtype)


@in_all_formats
@over_few(variants())
def test_the_value_alone_after_each_producer(case, dtype):
    made = subject(case)
    run(made, rotated(made.arity), dtype, of=value)


@over(variants("axis"))
def test_values_of_rows_and_what_they_sum_to(case):
    """On every change, for every function: here is what this law was made for."""
    run(subject(case), THROUGHOUT, of=value)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float32], ids=lambda d: jnp.dtype(d).name)
@over(cases())
def test_every_producer_with_every_consumer(case, dtype):
    made = subject(case)
    run(made, every_pair(made.arity), dtype)


@over_few(variants())
def test_special_numbers(case):
    """Infinities and NaN give what they give alone: NaN comes from NaN only."""
    producers = "times a scalar", "over a temperature", "gathered", "transposed"
    pairs = [Pair(p, c) for p, c in zip(producers, CONSUMERS, strict=False)]
    run(subject(case), pairs, of=value, special=True)


@over_few(variants("elementwise"))
def test_a_monotone_function_never_falls_by_more_than_its_bound(case):
    """Over runs of neighbouring floats, wherever it is monotone there in a wider format."""
    made = subject(case)
    starts = np.random.default_rng(0).normal(0, 4, (64, 1)).astype(np.float32)
    u = (starts.view(np.int32) + np.arange(64, dtype=np.int32)).view(np.float32)
    inside = lambda x: made.folded(jnp, x)
    got = np.asarray(jax.jit(lambda u, s: case(inside(u * s)))(u, np.float32(0.7)), np.float64)
    with jax.enable_x64(True):
        x = np.sort(u.astype(np.float64) * np.float64(np.float32(0.7)))
        truth = np.asarray(case(inside(jnp.asarray(x))))
    got = np.where(starts < 0, got[:, ::-1], got)  # the floats' order is that of magnitudes
    bound = (made.bounds[0] * np.abs(truth).max(1) + np.ptp(truth, 1)) * 2.0**-23 + 1e-37
    spread = np.abs(np.diff(truth)).max(1)  # a step of x, which the producer may round away
    for sign in (1, -1):
        rising = np.all(sign * np.diff(truth) >= 0, axis=1)
        falls = np.max(np.maximum.accumulate(sign * got, axis=1) - sign * got, axis=1)
        assert np.all((falls <= bound + 2 * spread) | ~rising)


# --- What a subject may be besides an activation as it is ----------------------------------------


def with_parameters(case: Case) -> Subject:
    """An activation of x and of its parameters, all of them arrays."""
    names = [name for name, setting in case.learnable.items() if isinstance(setting, float)]

    def function(*arrays):
        xs, parameters = arrays[: case.arity], arrays[case.arity :]
        return case(*xs, **dict(zip(names, parameters, strict=True)))

    centres = subject(case).centres + tuple(case.learnable[name] for name in names)
    return subject(
        case, function=function, name=f"{case} of arrays", centres=centres, range=(-np.inf, np.inf)
    )


LEARNABLE = [case for case in cases() if any(isinstance(p, float) for p in case.learnable.values())]


@over_few(LEARNABLE, "elementwise")
def test_learned_parameters(case):
    """The parameters come of what keeps their sign."""
    made = with_parameters(case)
    keeping = "times a factor per channel", "over a traced temperature", "gathered"
    parameters = range(case.arity, made.arity)
    of_parameters = [
        Pair(producer, consumer, (i,))
        for i in parameters
        for producer, consumer in zip(keeping, CONSUMERS, strict=False)
    ]
    run(made, rotated(case.arity)[::4] + of_parameters)


def kept_as_output(case: Case) -> Subject:
    """What `lean` makes of an activation: its slope is as exact as the output is rounded."""
    function = jaxact.backward.lean(functools.partial(case.entry.function, **case.parameters))
    floors = lambda eps: (0.0, math.sqrt(eps), math.sqrt(eps))
    return subject(case, function=function, name=f"lean({case})", floors=floors)


def kept_in_bits(case: Case) -> Subject:
    """What `few_bit` makes of an activation."""
    function = jaxact.backward.few_bit(functools.partial(case.entry.function, **case.parameters))
    return subject(case, function=function, name=f"few_bit({case})")


def may_be_lean(case: Case) -> bool:
    """Whether `lean` accepts it."""
    try:
        kept_as_output(case)
    except ValueError:
        return False
    return True


@over_few([case for case in variants("elementwise") if may_be_lean(case)])
def test_lean_functions(case):
    run(kept_as_output(case), rotated(1)[::3])


@over_few(variants("elementwise"))
def test_few_bit_functions(case):
    run(kept_in_bits(case), rotated(1)[::3])


def other_rows(case: Case) -> list[Subject]:
    """A function of rows along the other axis, with a mask, of three entries and of many."""
    pieces = case.parameters.get("num_pieces", 1)
    kinds = {f"of {n * pieces}": {"columns": n * pieces} for n in (3, 100)}
    if ROWS % pieces == 0:
        kinds["along axis 0"] = {"function": functools.partial(case, axis=0), "axis": 0}
    if "where" in case.signature.parameters:
        where = np.random.default_rng(3).random((ROWS, COLUMNS)) < 0.7
        where[:, 0] = True
        kinds["with a mask"] = {"function": functools.partial(case, where=where)}
    return [subject(case, name=f"{case} {name}", **facts) for name, facts in kinds.items()]


@pytest.mark.parametrize("of", [program, value], ids=["derivatives", "value"])
@over_few(variants("axis"), "probabilities")
def test_rows_of_other_kinds(case, of):
    for made in other_rows(case):
        run(made, FEW[:1] if of is program else THROUGHOUT[::4], of=of)


NO_ACTIVATIONS = [
    Subject(
        functools.partial(f, axis=-1, **facts),
        f.__name__,
        axis=-1,
        bounds=BOUNDS_OF_ROWS,
        floors=lambda eps: (eps, 0.0, 0.0),  # where a logarithm cancels with the entries
    )
    for f, facts in (
        (jaxact.logsumexp, {"keepdims": True}),
        (jaxact.logmeanexp, {"keepdims": True}),
        (jaxact.standardize, {}),
    )
]


@pytest.mark.parametrize("made", NO_ACTIVATIONS, ids=repr)
def test_functions_of_rows_that_are_no_activations(made):
    run(made, FEW[:1])
    run(made, THROUGHOUT[::3], of=value)


@over_few(variants("gate"))
def test_gates_of_the_halves_of_one_array(case):
    halves = functools.partial(case.entry.function, **case.parameters)
    run(subject(case, function=halves, name=f"{case} of halves", centres=(0.0,), axis=-1), FEW)


def sampled(case: Case) -> Subject:
    """With a key: what is drawn depends on the format, so that only the same one is a guide."""
    function = lambda x: case(x, key=jax.random.key(7))
    return subject(case, function=function, name=f"{case} with a key", same_format=True)


@over([case for case in variants() if "key" in case.signature.parameters])
def test_what_is_drawn(case):
    run(sampled(case), FEW[:1])
    run(sampled(case), THROUGHOUT[::3], of=value)


# --- Within the transformations of JAX ------------------------------------------------------------


def by_shard_map(one, arrays):
    mesh = jax.make_mesh((8,), ("copies",), axis_types=(AxisType.Auto,))
    on_each = lambda a: jax.tree.map(lambda y: y[None], one(jax.tree.map(lambda a: a[0], a)))
    return jax.shard_map(on_each, mesh=mesh, in_specs=P("copies"), out_specs=P("copies"))(arrays)


def by_cond(one, arrays):
    other = lambda a: jax.tree.map(jnp.zeros_like, one(a))
    return lax.map(lambda a: lax.cond(a["s"] > 0, one, other, a), arrays)


def by_fori_loop(one, arrays):
    at = lambda i: jax.tree.map(lambda a: a[i], arrays)
    start = jax.tree.map(lambda y: jnp.zeros((8, *y.shape), y.dtype), jax.eval_shape(one, at(0)))
    put = lambda i, ys: jax.tree.map(lambda all, y: all.at[i].set(y), ys, one(at(i)))
    return lax.fori_loop(0, 8, put, start)


PLACES = {
    "vmap": lambda one, arrays: jax.vmap(one)(arrays),
    "scan": lambda one, arrays: lax.scan(lambda c, a: (c, one(a)), None, arrays)[1],
    "map in batches": lambda one, arrays: lax.map(one, arrays, batch_size=4),
    "vmap of scan": lambda one, arrays: jax.tree.map(
        lambda y: y[:, 0],
        jax.vmap(lambda a: lax.scan(lambda c, a: (c, one(a)), None, a)[1])(
            jax.tree.map(lambda a: a[:, None], arrays)
        ),
    ),
    "cond": by_cond,
    "fori_loop": by_fori_loop,
    "shard_map": by_shard_map,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@over_few(variants(), "elementwise", "probabilities")
def test_within(case, place):
    run(subject(case), FEW[:1], around=place, copies=8)


POLICIES = [
    None,
    jax.checkpoint_policies.everything_saveable,
    jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
]


def rematerialized(policy, made: Subject, pair: Pair, arrays):
    """Derivatives by an addition to x, of function and producer under one jax.checkpoint."""

    def function(*added):
        xs = produced(made, pair, Traced, arrays)
        return made.function(*(x + a for x, a in zip(xs, added, strict=True)))

    whole = dataclasses.replace(made, function=jax.checkpoint(function, policy=policy))
    still = [jnp.zeros_like(u) for u in arrays["us"]]
    found = quantities(whole, still, arrays["ts"], arrays["cotangent"])
    return consumed(pair, found, arrays)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: getattr(policy, "__name__", "none"))
@over_few(variants(), "elementwise", "probabilities")
def test_within_checkpoint(case, policy):
    run(subject(case), FEW[1:], of=functools.partial(rematerialized, policy))


@over_few(variants())
def test_under_a_rule_of_the_users_own(case):
    """Reverse mode written once more around it, as one would to clip gradients."""

    @jax.custom_jvp
    def function(*xs):
        return case(*xs)

    function.defjvp(lambda xs, ts: jax.jvp(case, xs, ts))
    run(subject(case, function=function), FEW[:1])


def ahead_of_time(every, arrays):
    return jax.jit(every).lower(arrays).compile()(arrays)


def donated(every, arrays):
    return jax.jit(every, donate_argnums=0)(jax.device_put(arrays))


def exported(every, arrays):
    made = jax.export.export(jax.jit(every), platforms=("cpu", "cuda", "tpu"))(arrays)
    return jax.export.deserialize(made.serialize()).call(arrays)


def uncompiled(every, arrays):
    with jax.disable_jit():
        return every(arrays)


def rows_apart(every, arrays):
    """Rows and their entries on eight devices."""
    mesh = jax.make_mesh((2, 4), ("rows", "entries"), axis_types=(AxisType.Auto,) * 2)
    spec = lambda a: P("rows", "entries") if a.shape == (ROWS, COLUMNS) else P()
    return jax.jit(every)(
        jax.tree.map(lambda a: jax.device_put(a, NamedSharding(mesh, spec(a))), arrays)
    )


@pytest.mark.filterwarnings("ignore:Some donated buffers were not usable")
@pytest.mark.parametrize("execute", [ahead_of_time, donated, exported, uncompiled, rows_apart])
@over_few(variants(), "elementwise", "probabilities")
def test_compiled_and_run_in_other_ways(case, execute):
    run(subject(case), FEW[1:], execute=execute)


@pytest.mark.thorough
def test_without_fused_multiplication_and_addition():
    """What every change is tested on, in a process whose compiler has no such instruction."""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_max_isa=AVX"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "XLA_FLAGS": flags}
    subprocess.run([*command, "-m", "not thorough and not special"], env=environment, check=True)
