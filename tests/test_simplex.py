"""Functions of rows: exact on random and on adversarial rows, on none of them behind jax.nn.

The truth is the definition in the longest format of numpy, or in mpmath where that is not enough.
Doubles suffice for float32, as on an ARM Mac; float64 needs more, and is not judged without. Errors
are in units in the last place of each exact number; those of gradients in those of its largest.
"""

import functools

import jax
import jax.export
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import oracle
import pytest
from cases import EVERYDAY, formats, identical, powers_of_two, precision

import jaxact
from jaxact import CATALOG

over_dtypes = pytest.mark.parametrize("dtype", formats())
LONGEST = float(np.finfo(np.longdouble).eps)
KINDS = ("random", "dominant", "wide", "offset", "huge", "ties", "tiny")


# --- The truth -------------------------------------------------------------------------------


def _softmax(x):
    e = np.exp(x - np.max(x, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


def _log_of_sum(x):
    """The largest entry of each row, and the logarithm of what the others add to it."""
    top = np.max(x, -1, keepdims=True)
    others = np.sort(x - top, -1)[..., :-1]
    return top, np.log1p(np.sum(np.exp(others), -1, keepdims=True))


def _log_softmax(x):
    top, logarithm = _log_of_sum(x)
    return (x - top) - logarithm


def _logsumexp(x):
    return sum(_log_of_sum(x))[..., 0]


def _logmeanexp(x):
    top, logarithm = _log_of_sum(x)
    return (top + (logarithm - np.log(np.longdouble(x.shape[-1]))))[..., 0]


def _standardize(x, epsilon=1e-5):
    d = x - np.mean(x, -1, keepdims=True)
    return d / np.sqrt(np.mean(d * d, -1, keepdims=True) + np.longdouble(epsilon))


def _by_softmax(x, t):
    """From the largest probability's t: where that is nearly 1, its mean would cancel with it."""
    p = _softmax(x)
    t = t - np.take_along_axis(t, np.argmax(p, -1, keepdims=True), -1)
    return p * (t - np.sum(p * t, -1, keepdims=True))


def _by_log_softmax(x, t):
    return t - _softmax(x) * np.sum(t, -1, keepdims=True)


def _by_logsumexp(x, t):
    return t[..., None] * _softmax(x)


def _by_standardize(x, t, epsilon=1e-5):
    d = x - np.mean(x, -1, keepdims=True)
    sigma = np.sqrt(np.mean(d * d, -1, keepdims=True) + np.longdouble(epsilon))
    y = d / sigma
    mean = functools.partial(np.mean, axis=-1, keepdims=True)
    return (t - mean(t) - y * mean(y * t)) / sigma


TRUTH = {
    "softmax": (_softmax, _by_softmax),
    "log_softmax": (_log_softmax, _by_log_softmax),
    "logsumexp": (_logsumexp, _by_logsumexp),
    "logmeanexp": (_logmeanexp, _by_logsumexp),
    "standardize": (_standardize, _by_standardize),
}


def test_the_truth_is_the_definition():
    """Extended precision against the catalogue's formulas in mpmath."""
    row = rows("dominant", 16, np.float64)[0]
    with mpmath.workdps(60):
        for name in ("softmax", "log_softmax"):
            exact = CATALOG[name].formula(mpmath, [mpmath.mpf(float(v)) for v in row])
            got = TRUTH[name][0](row.astype(np.longdouble))
            for a, b in zip(got, exact, strict=True):
                assert abs(mpmath.mpf(str(a)) - b) <= abs(b) * 64 * LONGEST


# --- Rows, and how far a result is off -------------------------------------------------------


@functools.cache
def rows(what, n, dtype):
    """Rows of a format: random ones, or such as are hard."""
    random = np.random.default_rng(n)
    count = max(2, min(32, 2**15 // n))
    x = random.normal(0, 2, (count, n))
    largest = float(ml_dtypes.finfo(dtype).max)
    if what == "dominant":
        x[:, n // 2] = powers_of_two(random.uniform(0, 5, count))
    elif what == "wide":
        x *= 10
    elif what == "offset":
        x += 100
    elif what == "huge":
        x *= largest / 64
    elif what == "ties":
        x = np.round(x / 2)
    elif what == "tiny":
        x *= float(ml_dtypes.finfo(dtype).smallest_normal) * 64
    return x.astype(dtype)


def units(got, exact, *, of_the_row):
    """The largest error, in units in the last place of each number, or of the largest in its row.

    Rows of numbers so small that the CPU backend flushes what they are made of do not count.
    """
    info = ml_dtypes.finfo(got.dtype)
    assert float(info.eps) >= 2**10 * LONGEST, "long doubles are doubles here: no truth for float64"
    hi = exact.astype(np.float64)
    if of_the_row:
        scale = np.max(np.abs(exact), -1, keepdims=True)
        off = np.abs(got.astype(np.longdouble) - exact) / (scale * float(info.eps))
        wide = np.float64 if got.dtype == np.float64 else np.float32
        flushed = 2.0**24 * np.finfo(wide).smallest_normal
        counts = scale > max(flushed, float(info.smallest_normal))
    else:
        off = oracle.ulp_error(got, oracle.Exact(hi, (exact - hi).astype(np.float64)))
        counts = oracle.is_normal(hi, got.dtype)
    return float(np.max(np.nan_to_num(np.where(counts, off, 0.0), nan=np.inf)))


@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def value_error(function, name, x):
    with precision(x.dtype):
        got = np.asarray(jax.jit(function)(x))
    return units(got, TRUTH[name][0](x.astype(np.longdouble)), of_the_row=name == "standardize")


@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def gradient_error(function, name, x):
    with precision(x.dtype):
        shape = jax.eval_shape(function, x).shape
        t = np.random.default_rng(7).uniform(size=shape).astype(x.dtype)
        (got,) = pulled_back(function)(x, t)
    exact = TRUTH[name][1](x.astype(np.longdouble), t.astype(np.longdouble))
    return units(np.asarray(got), exact, of_the_row=True)


@functools.cache  # one program for all rows of a shape
def pulled_back(function):
    return jax.jit(lambda x, t: jax.vjp(function, x)[1](t))


@functools.cache
def ours(name):
    return functools.partial(getattr(jaxact, name), axis=-1)


@functools.cache
def theirs(name):
    return functools.partial(getattr(jax.nn, name), axis=-1)


# --- Laws ------------------------------------------------------------------------------------

over_sizes = pytest.mark.parametrize("n", [16, pytest.param(1024, marks=pytest.mark.thorough)])
over_names = pytest.mark.parametrize("name", TRUTH)
LOGARITHMS = ("logsumexp", "logmeanexp")

# In ULP, in float32 and float64. Where an exponential mean is near 1 its logarithm has a root.
VALUES = {"softmax": 4.0, "log_softmax": 2.5, "logsumexp": 1.0, "logmeanexp": 16.0}
STANDARDIZED = 2.0
GRADIENT = 4.0
LEVELLED = 11.0  # where one entry dominates: what is left of softmax's slope is a difference
GRADIENTS = {("softmax", "dominant"): LEVELLED, ("softmax", "wide"): LEVELLED}


def bound(name, dtype):
    if np.dtype(dtype).itemsize == 2:
        return 0.5 + 2.0**-10
    return VALUES.get(name, STANDARDIZED) * (2 if dtype == np.float64 else 1)


def check(function, name, dtype, n):
    values = {kind: value_error(function, name, rows(kind, n, np.dtype(dtype))) for kind in KINDS}
    assert max(values.values()) <= bound(name, dtype), values


@over_names
@over_sizes
@over_dtypes
def test_values_are_exact_on_hard_rows(name, dtype, n):
    check(ours(name), name, dtype, n)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_values_are_exact_at_every_distance_of_two_entries(name):
    distances = np.linspace(0, 20, 2**12)
    x = np.stack([np.zeros_like(distances), -distances], -1).astype(np.float32)
    assert value_error(ours(name), name, x) <= 2.5


@over_names
def test_values_are_exact_on_very_long_rows(name):
    check(ours(name), name, np.float32, 65536)


@over_names
@over_sizes
@over_dtypes
def test_gradients_are_exact_on_hard_rows(name, dtype, n):
    check_gradients(name, dtype, n)


@over_names
def test_gradients_are_exact_on_very_long_rows(name):
    check_gradients(name, np.float32, 65536)


def check_gradients(name, dtype, n):
    for kind in KINDS:
        short = np.dtype(dtype).itemsize == 2
        allowed = 1.0 if short else GRADIENTS.get((name, kind), GRADIENT)
        off = gradient_error(ours(name), name, rows(kind, n, np.dtype(dtype)))
        assert off <= allowed, f"{kind}: {off} ULP"


@over_names
@pytest.mark.parametrize("dtype", formats(*EVERYDAY))
def test_in_no_class_of_rows_is_the_worst_error_above_jax_nns_by_more_than_one_ulp(name, dtype):
    for kind in KINDS:
        x = rows(kind, 16, np.dtype(dtype))
        own, other = (value_error(f(name), name, x) for f in (ours, theirs))
        assert own <= other + 1, kind


@pytest.mark.parametrize("name", LOGARITHMS)
@pytest.mark.parametrize("n", [2, 16, pytest.param(1024, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("dtype", formats(np.float32, np.float64))
def test_what_is_left_where_the_logarithm_cancels_with_the_entries(name, n, dtype):
    check_what_is_left(ours(name), name, n, dtype)


def check_what_is_left(function, name, n, dtype):
    """Asserts how exact results are that would be 0, were not the entries rounded."""
    x = cancelling(name, n, dtype)
    own, other = (cancellation_error(f, name, x) for f in (function, theirs(name)))
    assert own <= min(2.0, other + 0.25), f"{own} eps, beside {other} eps"


def cancelling(name, n, dtype):
    """Rows whose result is 0 but for what the entries are rounded by."""
    x = np.random.default_rng(n).normal(0, 2, (64, n)).astype(np.longdouble)
    return (x - TRUTH[name][0](x)[:, None]).astype(dtype)


def cancellation_error(function, name, x):
    """The largest error, in eps."""
    with precision(x.dtype):
        got = np.asarray(jax.jit(function)(x)).astype(np.longdouble)
    exact = TRUTH[name][0](x.astype(np.longdouble))
    return float(np.max(np.abs(got - exact))) / float(np.finfo(x.dtype).eps)


def test_a_wrong_function_is_found():
    with pytest.raises(AssertionError):
        check(theirs("log_softmax"), "log_softmax", np.float32, 16)
    with pytest.raises(AssertionError):
        check_what_is_left(theirs("logsumexp"), "logsumexp", 16, np.float32)


@over_dtypes
def test_an_entry_of_minus_infinity_is_a_masked_entry(dtype):
    with precision(dtype):
        x = jnp.asarray(rows("random", 16, np.dtype(dtype))[:2])
        where = np.arange(16) % 3 > 0
        masked = jnp.where(where, x, -jnp.inf)
        for function in (jaxact.softmax, jaxact.log_softmax, jaxact.logsumexp):
            by_mask, by_value, unmasked = _with_and_without(function, where)(x, masked)
            assert by_mask[0] == by_value[0]
            assert identical(by_mask[1][:, where], by_value[1][:, where])
            assert not np.any(by_mask[1][:, ~where])
            assert all(np.all(np.isfinite(g)) for g in (by_mask[1], by_value[1], unmasked[1]))


def _with_and_without(function, where):
    """Value and gradient where a mask hides entries, where -inf does, and where none is hidden."""
    at_all = jax.value_and_grad(lambda x: _finite_sum(function(x)))
    at_some = jax.value_and_grad(lambda x: _finite_sum(function(x, where=where)))
    return jax.jit(lambda x, masked: (at_some(x), at_all(masked), at_all(x)))


def _finite_sum(y):
    return jnp.sum(jnp.where(jnp.isfinite(y), y, 0))


@pytest.mark.parametrize("name", TRUTH)
def test_a_program_is_exported_for_rows_of_any_length(name):
    x = np.float32([[1, 2, 3, 4]])
    function = jax.jit(functools.partial(getattr(jaxact, name), axis=-1))
    shape = jax.export.symbolic_shape("rows, entries")
    exported = jax.export.export(function)(jax.ShapeDtypeStruct(shape, x.dtype))
    np.testing.assert_array_equal(exported.call(x), function(x))


@over_dtypes
def test_a_row_in_which_none_takes_part(dtype):
    """Probabilities 0, log-probabilities -inf, and no NaN in the gradient."""
    with precision(dtype):
        x = jnp.full((2, 5), -jnp.inf, dtype).at[1].set(1)
        assert np.all(np.asarray(jaxact.softmax(x)[0]) == 0)
        assert np.all(np.asarray(jaxact.log_softmax(x)[0]) == -np.inf)
        assert jaxact.logsumexp(x, axis=-1)[0] == -np.inf
        for function in (jaxact.softmax, jaxact.log_softmax, jaxact.logsumexp):
            gradient = jax.grad(lambda x, f=function: _finite_sum(f(x, axis=-1)))
            assert np.all(np.isfinite(jax.jit(gradient)(x)))


@over_dtypes
def test_infinity_and_not_a_number_stay_in_their_row(dtype):
    with precision(dtype):
        x = jnp.ones((3, 4), dtype).at[0, 1].set(jnp.inf).at[1, 2].set(jnp.nan)
        for name in ("softmax", "log_softmax", "standardize"):
            y = np.asarray(ours(name)(x))
            assert np.all(np.isnan(y[:2]))
            assert np.all(np.isfinite(y[2]))
        for name in ("logsumexp", "logmeanexp"):
            y = np.asarray(ours(name)(x))
            assert y[0] == np.inf
            assert np.isnan(y[1])
            assert np.isfinite(y[2])


@over_names
def test_axes_are_jax_nns(name):
    """One, several, all; empty rows and no rows at all."""
    own, other = getattr(jaxact, name), getattr(jax.nn, name)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32))
    for axis in (0, -1, (0, 2), None):
        np.testing.assert_allclose(own(x, axis=axis), other(x, axis=axis), rtol=2e-6, atol=2e-6)
    for shape in ((0, 4), (4, 0)):
        assert own(jnp.zeros(shape), axis=-1).shape == other(jnp.zeros(shape), axis=-1).shape
    with pytest.raises(ValueError, match=rf"{name}: axis"):
        own(x, axis=3)
    with pytest.raises(ValueError, match=rf"{name}: axis"):
        own(x, axis=(1, -2))


@pytest.mark.parametrize("dtype", formats(*EVERYDAY))
def test_a_sum_with_factors_has_a_sign(dtype):
    a = jnp.asarray([[1.0, 2.0, 3.0], [0.0, 0.0, -50.0]]).astype(dtype)
    b = jnp.asarray([1.0, -1.0, -1.0]).astype(dtype)
    y, sign = jaxact.logsumexp(a, axis=-1, b=b, return_sign=True)
    exact = np.sum(np.asarray(b, np.float64) * np.exp(np.asarray(a, np.float64)), -1)
    assert y.dtype == sign.dtype == dtype
    np.testing.assert_array_equal(np.asarray(sign, np.float64), np.sign(exact))
    np.testing.assert_allclose(
        np.asarray(y, np.float64)[0], np.log(-exact[0]), rtol=2 * float(jnp.finfo(dtype).eps)
    )
    assert np.isnan(jaxact.logsumexp(a, axis=-1, b=b)[0])


def test_the_sign_of_a_sum_without_factors():
    a = jnp.asarray([[1.0, -200.0], [-jnp.inf, -jnp.inf], [jnp.nan, 0.0]])
    _, sign = jaxact.logsumexp(a, axis=-1, return_sign=True)
    np.testing.assert_array_equal(sign, [1.0, 0.0, np.nan])


@over_names
@pytest.mark.parametrize("dtype", formats(*EVERYDAY))
def test_reverse_mode_keeps_one_array(name, dtype):
    x = jnp.asarray(rows("random", 16, np.dtype(dtype)))
    _, pull_back = jax.vjp(ours(name), x)
    (kept,) = (a for a in jax.tree.leaves(pull_back) if a.size > len(x))  # and numbers of each row
    assert kept.shape == x.shape
    assert kept.dtype == dtype


@over_names
def test_the_gradient_of_the_gradient_is_a_limit_of_differences(name):
    with precision(np.float64):
        x = jnp.asarray(rows("random", 16, np.dtype(np.float64))[:2])
        direction = jnp.asarray(rows("random", 16, np.dtype(np.float64))[2:4])
        w = jnp.cos(jnp.arange(float(ours(name)(x).size))).reshape(ours(name)(x).shape)
        slope = jax.jit(jax.grad(lambda x: jnp.sum(w * ours(name)(x) ** 2)))
        second = jax.jvp(slope, (x,), (direction,))[1]
        step = 1e-5 * direction
        quotient = (slope(x + step) - slope(x - step)) / 2e-5
        np.testing.assert_allclose(second, quotient, rtol=1e-6, atol=1e-6)


def test_standardize_takes_what_is_known():
    """A mean, a variance, an epsilon and a mask; both algorithms are the stable one."""
    x = jnp.asarray(rows("random", 16, np.dtype(np.float32)))
    where = np.arange(16) < 11
    mean, variance = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
    for known in (
        {"mean": mean},
        {"variance": variance},
        {"mean": mean, "variance": variance},
        {"epsilon": 0.5},
        {"where": where},
        {"algorithm": "stable"},
    ):
        own, other = jaxact.standardize(x, **known), jax.nn.standardize(x, **known)
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6)
    assert not np.any(jaxact.standardize(jnp.full((2, 8), 1e30)))
    with pytest.raises(ValueError, match="algorithm"):
        jaxact.standardize(x, algorithm="slow")
