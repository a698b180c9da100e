"""Sparse maps to the simplex: exact on hard rows, sparse where the definition is, and learnable.

The truth is the definition in extended precision, its threshold found by bisection. Errors are in
units in the last place of a row's largest number.
"""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases import EVERYDAY, formats, gradient, identical, powers_of_two, precision
from test_simplex import KINDS, LONGEST, pulled_back, rows, units

import jaxact
from jaxact import CATALOG

ALPHAS = (1.1, 1.25, 1.5, 1.75, 2.0)
over_alphas = pytest.mark.parametrize("alpha", ALPHAS)
over_dtypes = pytest.mark.parametrize("dtype", formats(*EVERYDAY))
over_sizes = pytest.mark.parametrize(
    ("dtype", "n"),
    [pytest.param(*p.values, 16, id=f"{p.id}-16", marks=p.marks) for p in formats()]
    + [pytest.param(np.float32, 1024, id="float32-1024")],
)
CLOSED_FORMS = (1.5, 2.0)  # alphas whose slopes are no powers
SHORTER = (1.25, *CLOSED_FORMS)  # alphas for which no entry costs an exponential


def truth(x, alpha):
    """The definition, in extended precision."""
    u = np.longdouble(alpha - 1) * (x - np.max(x, -1, keepdims=True))
    if alpha == 1:
        p = np.exp(x - np.max(x, -1, keepdims=True))
        return p / np.sum(p, -1, keepdims=True)
    power = 1 / np.longdouble(alpha - 1)
    low = np.full((*x.shape[:-1], 1), np.longdouble(-1))
    high = np.zeros_like(low)
    for _ in range(70):
        middle = (low + high) / 2
        enough = np.sum(np.maximum(u - middle, 0) ** power, -1, keepdims=True) >= 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    p = np.maximum(u - low, 0) ** power
    return p / np.sum(p, -1, keepdims=True)


def true_gradient(x, alpha, t):
    """From the t of the largest slope: where that outweighs the others, its mean would cancel."""
    p = truth(x, alpha)
    with np.errstate(divide="ignore"):
        s = np.where(p > 0, p ** np.longdouble(2 - alpha), 0)
    t = t - np.take_along_axis(t, np.argmax(s, -1, keepdims=True), -1)
    return s * (t - np.sum(s * t, -1, keepdims=True) / np.sum(s, -1, keepdims=True))


def hard_rows(n, dtype):
    """The rows of the law of softmax, and such as make Newton's method drop few entries a step."""
    found = [rows(kind, n, np.dtype(dtype))[:2] for kind in KINDS]
    random = np.random.default_rng(n)
    spread = powers_of_two(-random.uniform(0, 12, (2, n)))
    return [*found, (spread - 1).astype(dtype), -spread.astype(dtype)]


@functools.cache
def compiled(alpha):
    return jax.jit(functools.partial(jaxact.entmax, alpha=alpha))


def test_the_truth_is_the_definition():
    row = rows("random", 16, np.dtype(np.float64))[0]
    with mpmath.workdps(60):
        for name, parameters, alpha in (
            ("sparsemax", {}, 2.0),
            ("entmax", {"alpha": 1.0}, 1.0),
            ("entmax", {"alpha": 1.5}, 1.5),
        ):
            numbers = [mpmath.mpf(float(v)) for v in row]
            exact = CATALOG[name].formula(Plain, numbers, **parameters)
            got = truth(row.astype(np.longdouble), alpha)
            for a, b in zip(got, exact, strict=True):
                assert abs(mpmath.mpf(str(a)) - b) <= 64 * LONGEST


class Plain:
    """What these formulas take from their namespace."""

    exp, maximum = mpmath.exp, staticmethod(lambda a, b: max(a, b))


@np.errstate(invalid="ignore", divide="ignore")
@over_alphas
@over_sizes
def test_values_are_exact_on_hard_rows(alpha, dtype, n):
    check(compiled(alpha), alpha, dtype, n)


def check(function, alpha, dtype, n):
    steep = dtype == np.float64 and alpha not in SHORTER
    bound = 0.5 + 2.0**-9 if np.dtype(dtype).itemsize == 2 else (64.0 if steep else 3.0)
    for x in hard_rows(n, np.dtype(dtype)):
        with precision(dtype):
            got = np.asarray(function(x))
        off = units(got, truth(x.astype(np.longdouble), alpha), of_the_row=True)
        assert off <= bound, f"{off} ULP"


def test_a_wrong_function_is_found():
    with pytest.raises(AssertionError, match="ULP"):
        check(compiled(1.5), 1.50001, np.float32, 16)


@np.errstate(invalid="ignore", divide="ignore")  # where a row's gradient is 0
@over_alphas
@over_sizes
def test_gradients_are_exact_on_hard_rows(alpha, dtype, n):
    """But for entries at the threshold, whose slopes the last place of an entry decides."""
    bound = 1.5 if np.dtype(dtype).itemsize == 2 else (6.0 if alpha in CLOSED_FORMS else 128.0)
    for x in hard_rows(n, np.dtype(dtype)):
        t = np.random.default_rng(7).uniform(size=x.shape).astype(dtype)
        with precision(dtype):
            y, (got,) = compiled(alpha)(x), pulled_back(compiled(alpha))(x, t)
        exact = true_gradient(x.astype(np.longdouble), alpha, t.astype(np.longdouble))
        p = truth(x.astype(np.longdouble), alpha)
        decided = (p > 0) == (np.asarray(y) > 0)
        eps = float(jnp.finfo(dtype).eps)
        assert np.all(decided | (p < 4 * eps * np.max(p, -1, keepdims=True)))
        got = np.where(decided, np.asarray(got), exact).astype(dtype)
        off = units(got, exact, of_the_row=True)
        assert off <= bound, f"{off} ULP"


@over_alphas
def test_an_array_is_as_good_as_a_number(alpha):
    x = jnp.asarray(rows("random", 64, np.dtype(np.float32)))
    one, other = (lambda x, a=a: jaxact.entmax(x, a) for a in (alpha, jnp.float32(alpha)))
    np.testing.assert_allclose(one(x), other(x), rtol=1e-5, atol=1e-7)
    slopes = (jax.jit(gradient(f))(x)[0] for f in (one, other))
    np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-6)


def test_entmax_ends_at_softmax_and_sparsemax():
    x = jnp.asarray(rows("random", 64, np.dtype(np.float32)))
    np.testing.assert_allclose(jaxact.entmax(x, 1.0), jaxact.softmax(x), rtol=1e-5)
    assert identical(jaxact.entmax(x, 2.0), jaxact.sparsemax(x))
    assert identical(jaxact.entmax(x, 2), jaxact.sparsemax(x))
    zeros = [np.count_nonzero(np.asarray(jaxact.entmax(x, alpha)) == 0) for alpha in ALPHAS]
    assert zeros == sorted(zeros)
    assert 0 < zeros[2] < zeros[-1]


@pytest.mark.parametrize("alpha", [1.0, 1.001, 1.25, 1.5, 1.9])
def test_the_derivative_by_alpha_is_a_limit_of_differences(alpha):
    with precision(np.float64):
        x = jnp.asarray(rows("random", 8, np.dtype(np.float64))[:4])
        at = jax.jit(lambda alpha: jaxact.entmax(x, alpha))
        first = jax.jit(jax.jacfwd(at))
        a, h = jnp.float64(alpha), 1e-5
        np.testing.assert_allclose(first(a), (at(a + h) - at(a - h)) / (2 * h), atol=1e-8)
        second = jax.jit(jax.jacfwd(first))(a)
        np.testing.assert_allclose(second, (first(a + h) - first(a - h)) / (2 * h), atol=1e-7)
        weights = jnp.cos(jnp.arange(32.0)).reshape(4, 8)
        reverse = jax.jit(jax.grad(lambda alpha: jnp.sum(weights * at(alpha))))(a)
        np.testing.assert_allclose(reverse, jnp.sum(weights * first(a)), rtol=1e-12)


def test_each_row_may_have_its_own_alpha():
    x = jnp.asarray(rows("random", 16, np.dtype(np.float32))[:3])
    alpha = jnp.float32([[1.0], [1.5], [2.0]])
    together = jaxact.entmax(x, alpha)
    for row, a, got in zip(x, (1.0, 1.5, 2.0), together, strict=True):
        np.testing.assert_allclose(got, jaxact.entmax(row, a), rtol=1e-5, atol=1e-7)
    g = jax.grad(lambda a: jnp.sum(jaxact.entmax(x, a) ** 2))(alpha)
    assert g.shape == alpha.shape


def test_what_entmax_cannot_do_is_refused():
    x = jnp.ones((2, 3))
    for alpha in (0.5, 2.5, float("nan")):
        with pytest.raises(ValueError, match=r"entmax: alpha is .* but must be from 1 to 2"):
            jaxact.entmax(x, alpha)
    with pytest.raises(ValueError, match=r"entmax: alpha of shape .3,. varies along the axis"):
        jaxact.entmax(x, jnp.ones(3))
    with pytest.raises(ValueError, match=r"entmax: alpha of shape .4,. does not broadcast"):
        jaxact.entmax(x, jnp.ones(4))


SPARSE = {
    "sparsemax": jaxact.sparsemax,
    "entmax": jaxact.entmax,
    "entmax of an array": lambda x, **rest: jaxact.entmax(x, jnp.asarray(1.5, x.dtype), **rest),
}
over_sparse = pytest.mark.parametrize("function", SPARSE.values(), ids=SPARSE)


@over_dtypes
@over_sparse
def test_an_entry_of_minus_infinity_is_a_masked_entry(function, dtype):
    with precision(dtype):
        x = jnp.asarray(rows("random", 16, np.dtype(dtype))[:3])
        where = np.arange(16) % 3 > 0
        masked = jnp.where(where, x, -jnp.inf)
        hidden = lambda x: function(x, where=where)
        slope = lambda f: jax.jit(jax.grad(lambda x: jnp.sum(f(x)[:, 1:4])))
        assert identical(hidden(x), function(masked))
        assert identical(slope(hidden)(x)[:, where], slope(function)(masked)[:, where])
        assert not np.any(hidden(x)[:, ~where])
        nothing = jnp.full((2, 5), -jnp.inf, dtype).at[1].set(1)
        assert not np.any(function(nothing)[0])
        assert np.all(np.isfinite(slope(function)(nothing)))


@over_dtypes
@over_sparse
def test_infinity_and_not_a_number_stay_in_their_row(function, dtype):
    with precision(dtype):
        x = jnp.ones((3, 4), dtype).at[0, 1].set(jnp.inf).at[1, 2].set(jnp.nan)
        y = np.asarray(function(x))
        assert np.all(np.isnan(y[:2]))
        assert np.all(np.isfinite(y[2]))


@over_sparse
def test_axes_are_those_of_softmax(function):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32))
    for axis in (0, -1, (0, 2), None):
        np.testing.assert_allclose(jnp.sum(function(x, axis=axis), axis), 1.0, rtol=1e-6)
    for shape in ((0, 4), (4, 0)):
        assert function(jnp.zeros(shape)).shape == shape
    with pytest.raises(ValueError, match="axis"):
        function(x, axis=3)


@over_sparse
@over_dtypes
def test_reverse_mode_keeps_the_output(function, dtype):
    x = jnp.asarray(rows("random", 16, np.dtype(dtype)))
    y, pull_back = jax.vjp(function, x)
    (kept,) = (a for a in jax.tree.leaves(pull_back) if a.size > 1)
    assert identical(kept, y)


def test_hardmax_chooses_the_first_of_the_largest():
    x = jnp.float32([[1, 3, 3], [-jnp.inf] * 3, [0, jnp.nan, 1]])
    y = np.asarray(jaxact.hardmax(x))
    np.testing.assert_array_equal(y[:2], [[0, 1, 0], [1, 0, 0]])
    assert np.all(np.isnan(y[2]))
    np.testing.assert_array_equal(jaxact.hardmax(x[:2], axis=0), [[1, 1, 1], [0, 0, 0]])
    assert not np.any(gradient(jaxact.hardmax)(x[:2])[0])
    assert jaxact.hardmax(jnp.zeros((3, 0))).shape == (3, 0)


def test_softmin_is_the_softmax_of_the_negative():
    x = jnp.asarray(rows("random", 16, np.dtype(np.float32)))
    assert identical(jaxact.softmin(x), jaxact.softmax(-x))
    assert identical(jaxact.softmin(x, 0), jaxact.softmax(-x, 0))
    where = np.arange(16) % 2 > 0
    assert identical(jaxact.softmin(x, where=where), jaxact.softmax(-x, where=where))
