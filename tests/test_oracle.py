"""The judge itself is judged: its numbers against mpmath, its metric against known errors."""

import ml_dtypes
import mpmath
import numpy as np
import oracle
import pytest
from oracle import Exact, sweep

FORMULAS = {
    "silu": lambda ops, x: x / (1 + ops.exp(-x)),
    "softplus": lambda ops, x: ops.log1p(ops.exp(x)),
    "elu": lambda ops, x, alpha=1.5: ops.where(x > 0, x, alpha * ops.expm1(x)),
    "selu": lambda ops, x: (
        ops.number("1.0507009873554804934193349852946") * ops.where(x > 0, x, ops.expm1(x))
    ),
    "gelu": lambda ops, x: x * ops.erfc(-x / ops.sqrt(2)) / 2,
    "gelu_tanh": lambda ops, x: (
        x / 2 * (1 + ops.tanh(ops.sqrt(2 / ops.pi) * (x + ops.number("0.044715") * x**3)))
    ),
    "mish": lambda ops, x: x * ops.tanh(ops.log1p(ops.exp(x))),
    "squareplus": lambda ops, x, b=4.0: (x + ops.sqrt(x * x + b)) / 2,
    "soft_sign": lambda ops, x: x / (1 + ops.abs(x)),
    "sparse_plus": lambda ops, x: ops.where(x <= -1, 0, ops.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "snake": lambda ops, x, a=0.7: x + ops.sin(a * x) ** 2 / a,
    "wave": lambda ops, x: (
        ops.cos(x) * ops.atan(x) + ops.sinh(x) / ops.cosh(x) - ops.log(2 + ops.erf(x))
    ),
    "clip": lambda ops, x: ops.maximum(-1, ops.minimum(x, ops.sign(x) * 2)) / 3,
}
POINTS = (-30.0, -17.3, -5.0, -1.2784645, -0.75, -1e-3, -1e-30, 1e-30, 0.1, 0.9, 3.0, 21.0, 80.0)
FORMATS = (ml_dtypes.bfloat16, np.float16, np.float32, np.float64)


def assert_equal(exact: Exact, i, expected, digits):
    """The i-th number is the expected one, to 69 bits, of which hi holds the leading ones."""
    hi, lo = float(exact.hi[i]), float(exact.lo[i])
    assert hi + lo == hi
    with mpmath.workdps(digits):
        error = abs(mpmath.mpf(hi) + lo - expected)
        assert error <= abs(expected) * 2.0**-69 + mpmath.mpf(10) ** -digits


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_agree_with_mpmath(name):
    for order, exact in enumerate(oracle.evaluate(FORMULAS[name], POINTS, 3)):
        for i, x in enumerate(POINTS):
            digits = 300 if abs(x) > 10 else 150  # what the definitions cancel, and more
            expected = oracle.derivative(FORMULAS[name], x, order, digits=digits)
            assert_equal(exact, i, expected, digits)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("name", "params"), [("elu", {"alpha": 0.3}), ("squareplus", {"b": 2.5}), ("snake", {"a": 1.1})]
)
def test_parameter_derivatives_agree_with_mpmath(name, params, times):
    (parameter,) = params

    def partial(ops, p, x):  # mpmath differentiates by the parameter, Arb did so by both
        return FORMULAS[name](ops, x, **{parameter: p})

    xs = [-3.0, -0.4, 0.7, 5.0]
    orders = oracle.evaluate(FORMULAS[name], xs, 0, params, wrt=parameter, times=times)
    for i, x in enumerate(xs):
        expected = oracle.derivative(partial, params[parameter], times, {"x": x})
        assert_equal(orders[0], i, expected, 50)


def test_mixed_derivatives_agree_with_closed_forms():
    """Of exp(a x): the x-derivatives of x^k exp(a x), times powers of a."""
    xs, a = np.array([-2.0, 0.5, 3.0]), np.array([0.5, 1.5, -1.0])
    value, slope, curvature = oracle.evaluate(
        lambda ops, x, a: ops.exp(a * x), xs, 2, {"a": a}, wrt="a", times=2
    )
    e = np.exp(a * xs)
    np.testing.assert_allclose(value.hi, xs**2 * e, rtol=1e-14)
    np.testing.assert_allclose(slope.hi, (2 * xs + a * xs**2) * e, rtol=1e-14)
    np.testing.assert_allclose(curvature.hi, (2 + 4 * a * xs + (a * xs) ** 2) * e, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("silu", -1e308, (0, 0, 0)),
        ("silu", 1e308, (1e308, 1, 0)),
        ("softplus", 1e308, (1e308, 1, 0)),
        ("mish", 1e308, (1e308, 1, 0)),
        ("mish", -1e308, (0, 0, 0)),
        ("gelu", 3e38, (3e38, 1, 0)),
        ("gelu_tanh", -3e38, (0, 0, 0)),
        ("squareplus", -1e200, (1e-200, 0, 0)),
        ("soft_sign", 1e308, (1, 0, 0)),
        ("selu", 1.79e308, (np.inf, 1.0507009873554805, 0)),
        ("elu", 0.0, (0, 1.5, 1.5)),
        ("soft_sign", 0.0, (0, 1, -2)),
        ("sparse_plus", 1.0, (1, 1, 0)),
    ],
)
def test_far_tails_and_kinks(name, x, expected):
    orders = oracle.evaluate(FORMULAS[name], [x], 2)
    np.testing.assert_allclose([exact.hi[0] for exact in orders], expected, rtol=1e-15)


def test_deep_tail_keeps_its_digits():
    (exact,) = oracle.evaluate(FORMULAS["gelu"], [-37.0])
    assert_equal(exact, 0, oracle.derivative(FORMULAS["gelu"], -37.0, digits=400), 400)
    assert 0 < -exact.hi[0] < 1e-295


@pytest.mark.parametrize("evaluate", [oracle.evaluate, oracle.evaluate_many])
def test_what_the_format_rounds_to_zero_is_zero(evaluate):
    xs = np.array([-200.0, -105.0, -100.0])
    (exact,) = evaluate(FORMULAS["silu"], xs, dtype=np.float32)
    np.testing.assert_array_equal(exact.hi != 0, [False, True, True])
    np.testing.assert_array_equal(oracle.is_normal(exact, np.float32), [True, False, False])


@pytest.mark.parametrize("evaluate", [oracle.evaluate, oracle.derivative])
def test_branch_not_taken_may_divide_by_zero(evaluate):
    def guarded(ops, x):
        return ops.where(x == 0, 2, ops.expm1(x) / x + 1 / (0 * x))

    evaluate(guarded, 0.0 if evaluate is oracle.derivative else [0.0])


def test_undefined_value_is_refused():
    with pytest.raises(oracle.Undecided, match="4096 bits"):
        oracle.evaluate(lambda ops, x: ops.log(x), [-1.0])


@pytest.mark.parametrize("name", ["silu", "gelu_tanh", "mish", "squareplus", "sparse_plus", "clip"])
@pytest.mark.parametrize("dtype", FORMATS[:3])
def test_many_points_get_the_same_numbers(name, dtype):
    if dtype is np.float32:
        xs = oracle.stratified(dtype, 2**18, around=[0.0, -1.0, 2.0])
    else:
        xs = oracle.all_patterns(dtype)
    orders = oracle.evaluate_many(FORMULAS[name], xs, 2, dtype=dtype)
    some = np.random.default_rng(0).choice(len(xs), 500)
    least = float(ml_dtypes.finfo(dtype).smallest_normal)
    expected = oracle.evaluate(FORMULAS[name], xs[some], 2, dtype=dtype)
    for exact, one_by_one in zip(orders, expected, strict=True):
        unit = np.maximum(np.abs(one_by_one.hi), least)
        assert np.max(np.abs(exact.hi[some] - one_by_one.hi) / unit) < 2.0**-44


CLOSE_CALLS = {  # values, slopes and curvatures at ties, at the last before infinity among them
    "cube": lambda ops, x: ops.maximum(x, 0) ** 3,
    "line": lambda ops, x: (x + 1) / 2,
    "least": lambda ops, x: ops.exp(x) / ops.exp(x) * x * x / 4,
}


@pytest.mark.parametrize("name", CLOSE_CALLS)
@pytest.mark.parametrize("dtype", FORMATS[:3])
def test_many_points_are_rounded_alike_whatever_rounds_differently(name, dtype, monkeypatch):
    """As on a processor whose sums and cosines end in other digits."""
    narrow = dtype is not np.float32
    xs = oracle.all_patterns(dtype) if narrow else oracle.neighbours(1 / 3, dtype, 2**9)
    answers = []
    for seed in range(2):
        random = np.random.default_rng(seed)
        noise = 1 + 2.0**-51 * random.integers(-1, 2, sweep._TO_COEFFICIENTS.shape)
        monkeypatch.setattr(sweep, "_TO_COEFFICIENTS", sweep._TO_COEFFICIENTS * noise)
        exact = oracle.evaluate_many(CLOSE_CALLS[name], xs, 2, dtype=dtype)
        answers.append([(oracle.nearest(e, dtype), oracle.is_normal(e, dtype)) for e in exact])
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("kink", [1.0, 1.5, 1.4999, 1.7, 1.9999])
def test_many_points_see_a_kink_anywhere(kink):
    def bent(ops, x, kink):
        return ops.exp(x) + ops.where(x > kink, (x - kink) / 1000, 0)

    xs = np.arange(1, 2, 2.0**-14)
    value, slope = oracle.evaluate_many(bent, xs, 1, {"kink": kink})
    beyond = xs > kink
    bend = np.where(beyond, (xs - kink) / 1000, 0)
    np.testing.assert_allclose(value.hi, np.exp(xs) + bend, rtol=2.0**-44)
    np.testing.assert_allclose(slope.hi, np.exp(xs) + beyond / 1000, rtol=2.0**-44)


def doubles(*numbers):
    """Exact numbers that are doubles, or pairs (hi, lo)."""
    pairs = [number if isinstance(number, tuple) else (number, 0.0) for number in numbers]
    return Exact(*np.array(pairs, dtype=np.float64).T)


def ulps(got, exact, dtype):
    (error,) = oracle.ulp_error(np.array([got], dtype), doubles(exact))
    return error


@pytest.mark.parametrize("dtype", FORMATS)
def test_error_counts_units_in_the_last_place(dtype):
    eps = float(ml_dtypes.finfo(dtype).eps)
    assert ulps(1.0, 1.0, dtype) == 0
    assert ulps(1 + eps, 1.0, dtype) == 1
    assert ulps(-1 - 3 * eps, -1.0, dtype) == 3
    assert ulps(1 + eps, (1.0, eps / 2), dtype) == 0.5
    assert ulps(1.0, (1.0, 0.75 * eps), dtype) == 0.75
    assert ulps(np.nan, 1.0, dtype) == np.inf


@pytest.mark.parametrize("dtype", FORMATS)
def test_unit_changes_at_a_power_of_two(dtype):
    eps = float(ml_dtypes.finfo(dtype).eps)
    assert ulps(2 - eps, 2.0, dtype) == 0.5  # the spacing at 2 is 2 eps
    assert ulps(2.0, 2 - eps, dtype) == 1.0  # the spacing below it is eps
    assert ulps(2 - eps, (2.0, -eps / 4), dtype) == 0.375  # which rounds to 2


@pytest.mark.parametrize("dtype", FORMATS)
def test_overflow_must_give_infinity(dtype):
    largest = float(ml_dtypes.finfo(dtype).max)
    beyond = np.inf if dtype is np.float64 else 2 * largest
    assert ulps(largest, largest, dtype) == 0
    assert ulps(np.inf, beyond, dtype) == 0
    assert ulps(largest, beyond, dtype) == np.inf
    assert ulps(-np.inf, beyond, dtype) == np.inf
    assert ulps(np.inf, largest, dtype) == np.inf


@pytest.mark.parametrize("dtype", FORMATS)
def test_nearest_rounds_as_the_format_does(dtype):
    hi = np.random.default_rng(0).normal(size=1000) * 2.0 ** np.arange(-500, 500)
    hi = np.concatenate([hi, [0.0, 1e-310, -3e-45, np.inf]])
    with np.errstate(over="ignore"):
        rounded = hi.astype(dtype).astype(np.float64)
    np.testing.assert_array_equal(oracle.nearest(Exact(hi, np.zeros_like(hi)), dtype), rounded)


@pytest.mark.parametrize("dtype", FORMATS[:3])
def test_either_neighbour_of_the_last_tie_is_right(dtype):
    info = ml_dtypes.finfo(dtype)
    largest = float(info.max)
    tie = largest * (1 + float(info.eps) / (4 - 2 * float(info.eps)))
    assert 2 * (tie - largest) == 2.0 ** (np.frexp(largest)[1] - 1) * float(info.eps)
    for got in (largest, np.inf):
        assert ulps(got, tie, dtype) == 0.5
        assert not oracle.is_misrounded(np.array([got], dtype), doubles(tie)).any()
    for got in (-largest, -np.inf, np.nan, 1.0):
        assert ulps(got, tie, dtype) > 0.5
    assert ulps(largest, (tie, 1e-300), dtype) == np.inf
    assert ulps(np.inf, (tie, -1e-300), dtype) == np.inf


def test_nearest_minds_the_low_part_of_a_tie():
    tie = 1 + 2.0**-24
    exact = doubles(tie, (tie, 1e-20), (tie, -1e-20), (-tie, -1e-20), tie + 2.0**-23)
    up = 1 + 2.0**-23
    np.testing.assert_array_equal(oracle.nearest(exact, np.float32), [1, up, 1, -up, 1 + 2.0**-22])


def test_misrounding_spares_both_neighbours_of_a_tie():
    tie, up = 1 + 2.0**-24, 1 + 2.0**-23
    exact = doubles(tie, tie, 1.0, 1.0, (tie, 1e-10), (tie, 1e-10), (2.0, -(2.0**-25)))
    got = np.array([1, up, 1, up, up, 1, 2 - 2.0**-23], np.float32)
    expected = [False, False, False, True, False, True, True]
    np.testing.assert_array_equal(oracle.is_misrounded(got, exact), expected)


@pytest.mark.parametrize("dtype", FORMATS)
def test_subnormal_numbers_do_not_count(dtype):
    least = float(ml_dtypes.finfo(dtype).smallest_normal)
    below = least * (1 - 2.0**-52)
    exact = doubles(0.0, least, -least, (least, -5e-324), (-least, 5e-324), below)
    counts = [True, False, False, False, False, False]
    np.testing.assert_array_equal(oracle.is_normal(exact, dtype), counts)


def test_score_finds_planted_defects():
    silu = FORMULAS["silu"]
    xs = oracle.stratified(np.float32, 4000)
    _, exact = oracle.evaluate(silu, xs, 1, dtype=np.float32)
    roots = oracle.find_roots(silu, 1)
    right = oracle.nearest(exact, np.float32).astype(np.float32)
    clean = oracle.score(xs, right, exact, roots)
    assert clean.worst <= 0.5
    assert clean.misrounded == 0
    assert clean.near_root <= 0.5

    near = int(np.argmin(np.abs(xs - roots[0].x)))
    for place, moved in ((int(np.searchsorted(xs, 0.7)), "worst"), (near, "near_root")):
        wrong = right.copy()
        wrong[place] = np.nan
        broken = oracle.score(xs, wrong, exact, roots)
        assert getattr(broken, moved) == np.inf
        assert broken.misrounded == 1
    wrong = right.copy()
    place = int(np.searchsorted(xs, 0.7))
    wrong[place] = np.nextafter(right[place], np.float32(9))
    assert 0.5 <= oracle.score(xs, wrong, exact, roots).worst <= 1.5
    assert oracle.score(xs, wrong, exact, roots).at == xs[place]


@pytest.mark.parametrize("dtype", FORMATS)
def test_score_takes_any_result(dtype):
    xs = np.array([-2.0, 0.0, 1.0, 2.0, 3.0])
    got = np.array([np.nan, np.inf, -np.inf, 1.0, np.inf]).astype(dtype)
    scored = oracle.score(xs, got, doubles(1.0, 1.0, 1.0, 1.0, np.inf))
    assert scored.worst == np.inf
    assert scored.at == -2
    assert (scored.misrounded, scored.counted) == (3, 5)


@pytest.mark.parametrize(
    ("name", "order", "expected"),
    [
        ("silu", 0, [0.0]),
        ("silu", 1, [-1.2784645427610738]),
        ("gelu", 2, [-(2**0.5), 2**0.5]),
        ("elu", 2, []),  # it jumps at the kink, from 1.5 to 0
        ("sparse_plus", 1, []),  # zero on a whole half-line
        ("soft_sign", 2, []),  # it jumps through zero
    ],
)
def test_roots_are_sign_changes_without_a_jump(name, order, expected):
    roots = oracle.find_roots(FORMULAS[name], order)
    np.testing.assert_allclose([root.x for root in roots], expected, rtol=1e-15)
    assert all(root.scale > 0 for root in roots)


@pytest.mark.parametrize(("dtype", "numbers"), [(np.float16, 63488), (ml_dtypes.bfloat16, 65280)])
def test_all_patterns_hold_every_number_of_16_bits(dtype, numbers):
    xs = oracle.all_patterns(dtype)
    assert len(np.unique(xs.view(np.uint16))) == len(xs) == numbers
    assert np.isfinite(xs).all()
    assert len(np.unique(oracle.all_patterns(dtype, finite=False).view(np.uint16))) == 2**16


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stratified_sample_visits_every_exponent(dtype):
    xs = oracle.stratified(dtype, 2**14, around=[1.5])
    info = np.finfo(dtype)
    assert 0.8 * 2**14 <= len(xs) <= 1.2 * 2**14
    assert np.isfinite(xs).all()
    assert {0.0, float(info.max), float(info.min), float(info.smallest_normal)} <= set(xs.tolist())
    normal = np.abs(xs[oracle.is_normal(xs, dtype) & (xs != 0)])
    exponents = info.minexp + np.arange(info.maxexp - info.minexp)
    np.testing.assert_array_equal(np.unique(np.frexp(normal)[1] - 1), exponents)
    np.testing.assert_array_equal(xs, oracle.stratified(dtype, 2**14, around=[1.5]))
    assert np.isin(oracle.neighbours(1.5, dtype), xs).all()


def test_neighbours_are_consecutive_through_zero():
    xs = oracle.neighbours(0.0, np.float32, 3)
    step = 2.0**-149
    np.testing.assert_array_equal(xs, np.arange(-3, 4) * step)
    around = oracle.neighbours(-1.0, np.float64, 1)
    np.testing.assert_array_equal(around, [-1 - 2.0**-52, -1, -1 + 2.0**-53])
