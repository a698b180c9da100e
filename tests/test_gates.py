"""Gates: one array times a function of another, exact also where one makes up for the other."""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import oracle
import pytest
from cases import DTYPES, Case, cases, identical, over, powers_of_two, precision, typical_cases

import jaxact

FLOAT64 = (4.0, 7.0, 10.0)  # of the value, the first and the second derivatives, in ULP
HALF = 0.5 + 2.0**-10
NEAR_ROOT = 4.0  # in eps times the largest magnitude within 1/8


def arrays(dtype, size=200):
    """A first array of every magnitude, and gates from closed to open."""
    random = np.random.default_rng(0)
    exponents = random.uniform(-10, 12 if dtype == np.float16 else 100, size)
    x = (random.normal(size=size) * powers_of_two(exponents)).astype(dtype)
    gates = random.normal(size=size) * powers_of_two(random.uniform(-8, 6, size))
    return x, gates.astype(dtype)


ORDERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # in the first and the second array


def derivatives(case, *arrays):
    """The value, and the derivatives of each order, of each element."""

    def by(function, position):
        def derivative(*arguments):
            tangents = [jnp.zeros_like(a) for a in arguments]
            tangents[position] = jnp.ones_like(arguments[position])
            return jax.jvp(function, arguments, tuple(tangents))[1]

        return derivative

    first, second = by(case, 0), by(case, 1)
    functions = (case, first, second, by(first, 0), by(first, 1), by(second, 1))
    with precision(arrays[0].dtype):
        results = jax.jit(lambda *a: [f(*a) for f in functions])(*map(jnp.asarray, arrays))
        return [np.asarray(r) for r in results]


def truth(case, first, second, dtype):
    """The same by the definition, as sums of two doubles."""
    other = tuple(inspect.signature(case.entry.formula).parameters)[2]
    by_first, by_second, by_second_twice = (
        oracle.evaluate(
            case.entry.formula,
            first,
            2 - times,
            {other: second, **case.parameters},
            wrt=other if times else None,
            times=times or 1,
            dtype=dtype,
        )
        for times in (0, 1, 2)
    )
    (value, slope, curvature), (other_slope, mixed) = by_first, by_second
    return [value, slope, other_slope, curvature, mixed, *by_second_twice]


def largest_nearby(case, first, second, dtype):
    """Each derivative's largest magnitude within 1/8, and whether it has a root there."""
    steps = [(s * r, t * r) for s, t in ((1, 0), (-1, 0), (0, 1), (0, -1)) for r in (1 / 16, 1 / 8)]
    around = [truth(case, first + a, second + b, dtype) for a, b in [(0.0, 0.0), *steps]]
    values = np.array([[exact.hi for exact in there] for there in around])
    return np.max(np.abs(values), 0), np.min(values, 0) * np.max(values, 0) < 0


@over(cases("gate"))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
def test_values_and_derivatives_are_exact(case, dtype):
    """As elementwise: beside a root of a derivative, relative to what it is within 1/8."""
    check(case, dtype)


def check(case, dtype):
    arguments = arrays(np.dtype(dtype))
    if next(iter(case.signature.parameters)) == "gate":
        arguments = arguments[::-1]
    points = [a.astype(np.float64) for a in arguments]
    scales, rooted = largest_nearby(case, *points, dtype)
    rows = zip(ORDERS, derivatives(case, *arguments), truth(case, *points, dtype), strict=True)
    for (order, got, exact), scale, near in zip(rows, scales, rooted, strict=True):
        near = near & (sum(order) > 0)
        fits = np.abs(exact.hi) < float(ml_dtypes.finfo(dtype).max)
        counts = oracle.is_normal(exact, dtype) & fits
        errors = oracle.ulp_error(got, exact)
        worst = np.max(errors[counts & ~near])
        allowed = {2: (HALF,) * 3, 4: case.entry.ulps, 8: FLOAT64}[got.itemsize][sum(order)]
        assert worst <= allowed, f"order {order}: {worst} ULP"
        off = np.abs(got.astype(np.float64) - exact.hi - exact.lo)[counts & near]
        eps = float(ml_dtypes.finfo(dtype).eps)
        assert np.all(off <= NEAR_ROOT * eps * scale[counts & near]), f"order {order}, near a root"


def test_a_wrong_gate_is_found():
    def slightly_wrong(gate, value=None):
        return jaxact.swiglu(gate, value) * (1 + 1e-6)

    entry = dataclasses.replace(jaxact.CATALOG["swiglu"], function=slightly_wrong)
    with pytest.raises(AssertionError, match="ULP"):
        check(Case(entry), np.float32)


def test_glu_has_jax_nns_order():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8, 4)).astype(np.float32))
    for axis in (-1, 1):
        np.testing.assert_allclose(jaxact.glu(x, axis), jax.nn.glu(x, axis), rtol=1e-6)
        first, second = jnp.split(x, 2, axis)
        assert identical(jaxact.glu(x, axis), jaxact.glu(first, gate=second))
    assert jaxact.glu(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_features_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="glu: axis 1 has 3 features"):
        jaxact.glu(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="glu: axis is 2"):
        jaxact.glu(jnp.ones((2, 4)), axis=2)
    with pytest.raises(ValueError, match="glu: gate of shape"):
        jaxact.glu(jnp.ones((2, 4)), gate=jnp.ones(3))


def of_halves(function, x, axis=-1):
    first, second = jnp.split(x, 2, axis)
    return function(first, second)


GATE_FIRST = [
    case.entry.name for case in typical_cases("gate") if "value" in case.signature.parameters
]


@pytest.mark.parametrize("name", GATE_FIRST)
def test_one_array_is_split_in_two_with_the_gate_first(name):
    gated = getattr(jaxact, name)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8, 4)).astype(np.float32))
    for axis in (-1, 1):
        assert identical(gated(x, axis=axis), of_halves(gated, x, axis))
    with pytest.raises(ValueError, match=f"{name}: axis 1 has 3 features.*pass value"):
        gated(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=f"{name}: value of shape.*against gate of shape"):
        gated(jnp.ones((2, 4)), jnp.ones(3))


def held(first, second, axis, size):
    """One array of two, in blocks of so many features that take turns."""
    axis = axis % first.ndim
    pieces = [np.split(np.asarray(a), a.shape[axis] // size, axis) for a in (first, second)]
    return jnp.concatenate([piece for both in zip(*pieces, strict=True) for piece in both], axis)


LAYOUTS = {"halves": 12, "interleaved": 1, 1: 1, 2: 2, 3: 3, 12: 12}


@pytest.mark.machinery
@over(typical_cases("gate"))
def test_one_array_may_hold_the_two_in_any_layout(case):
    """Slopes too, along any axis; the order of the two is that of halves.

    XLA computes one array in other vectors than two, so that both are only within their bounds.
    """
    random = np.random.default_rng(0)
    for shape, axis in (((5, 12), -1), ((2, 12, 3), 1)):
        two = [jnp.asarray(random.normal(size=shape).astype(np.float32)) for _ in range(2)]
        expected, pull_back = jax.vjp(case, *two)
        slopes = pull_back(jnp.cos(expected))
        for layout, size in LAYOUTS.items():
            one = held(*two, axis, size)
            options = {**case.parameters, "axis": axis, "layout": layout}
            got, pull_back = jax.vjp(functools.partial(case.entry.function, **options), one)
            np.testing.assert_array_max_ulp(got, expected, 8)
            (slope,) = pull_back(jnp.cos(expected))
            np.testing.assert_array_max_ulp(slope, held(*slopes, axis, size), 14)


@over(typical_cases("gate"))
def test_a_layout_of_two_arrays_or_of_other_sizes_is_refused(case):
    two, name = case.inputs(), case.entry.name
    with pytest.raises(ValueError, match=f"{name}: layout is 'interleaved', but must be left out"):
        case(*two, layout="interleaved")
    with pytest.raises(ValueError, match=f"{name}: layout is 7, but must divide 30, half of the"):
        case.entry.function(two[0], layout=7)


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("swiglu", jaxact.silu),
        ("geglu", jaxact.gelu),
        ("reglu", jaxact.relu),
        ("sreglu", jaxact.squared_relu),
        ("qgeglu", jaxact.quick_gelu),
        ("bilinear", jaxact.identity),
    ],
)
def test_a_gate_is_an_activation_times_an_array(name, activation):
    gate, value = arrays(np.dtype(np.float32))[::-1]
    got = getattr(jaxact, name)(gate, value)
    with precision(np.float64):  # for the activation alone may vanish where the product does not
        expected = activation(gate.astype(np.float64)) * value.astype(np.float64)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-30)


def test_bounds_of_a_clamped_gate_keep_the_slope_inside():
    gate, value = jnp.float32([7.0, 1.0, 8.0, 1.0]), jnp.float32([1.0, -7.0, 1.0, 7.5])
    by_gate, by_value = jax.vjp(jaxact.clamped_swiglu, gate, value)[1](jnp.ones(4))
    np.testing.assert_array_equal(by_gate != 0, [True, True, False, True])
    np.testing.assert_array_equal(by_value != 0, [True, True, True, False])
    for limit in (0.0, -1):
        with pytest.raises(ValueError, match=r"clamped_swiglu: limit is .* but must be positive"):
            jaxact.clamped_swiglu(gate, value, limit)


def test_a_step_clamps_the_swish_and_not_the_gate():
    gate, value = jnp.float32([6.9, 7.1, 20.0, 1.0]), jnp.float32([1.0, 1.0, 2.0, 7.5])
    y, pull_back = jax.vjp(jaxact.swiglu_step, gate, value)
    np.testing.assert_allclose(y, jnp.minimum(jaxact.silu(gate), 7) * jnp.minimum(value, 7), 1e-6)
    by_gate, by_value = pull_back(jnp.ones(4))
    np.testing.assert_array_equal(by_gate != 0, [True, False, False, True])
    np.testing.assert_array_equal(by_value != 0, [True, True, True, False])


def test_an_open_gate_overflows_no_sooner_than_its_result():
    largest = float(np.finfo(np.float32).max)
    value = jnp.float32([largest, -largest])
    for gated, gate in ((jaxact.swiglu, 1.25), (jaxact.geglu, 1.1)):  # the product is below value
        assert np.all(np.isfinite(gated(jnp.full(2, gate), value)))


CLOSING = {
    "glu": lambda gate, value: jaxact.glu(value, gate=gate),
    "swiglu": jaxact.swiglu,
    "geglu with tanh": jaxact.geglu,
    "geglu": lambda gate, value: jaxact.geglu(gate, value, approximate=False),
    "clamped_swiglu": jaxact.clamped_swiglu,
    "swiglu_step": jaxact.swiglu_step,
    "qgeglu": jaxact.qgeglu,
    "situ_glu": jaxact.situ_glu,
}


@pytest.mark.parametrize("gated", CLOSING.values(), ids=CLOSING)
def test_a_closed_gate_gives_zero(gated):
    largest = float(np.finfo(np.float32).max)
    value = jnp.asarray([largest, -largest, 0.0], jnp.float32)
    gate = jnp.full(3, -jnp.inf)
    tangents = (jnp.ones(3), jnp.ones(3))
    y, tangent = jax.jvp(gated, (gate, value), tangents)
    assert not np.any(y)
    assert not np.any(tangent)
