"""Functions of rows: exact on random and on adversarial rows, and no less than twice jax.nn's best.

The truth is the definition in extended precision, or in mpmath where that is not enough. Errors are
in units in the last place of each exact number; those of gradients in units of its row's largest.
"""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import oracle
import pytest
from cases import DTYPES, SIXTEEN_BITS, identical, precision

import jaxact
from jaxact import CATALOG

over_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
KINDS = ("random", "dominant", "wide", "offset", "huge", "ties", "tiny")


# --- The truth -------------------------------------------------------------------------------


def _softmax(x):
    e = np.exp(x - np.max(x, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


def _log_of_sum(x):
    """The largest entry of each row, and the logarithm of what the others add to it."""
    order = np.sort(x - np.max(x, -1, keepdims=True), -1)
    return np.max(x, -1, keepdims=True), np.log1p(np.sum(np.exp(order[..., :-1]), -1, keepdims=True))


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
    p = _softmax(x)
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
                assert abs(mpmath.mpf(str(a)) - b) <= abs(b) * 1e-17


# --- Rows, and how far a result is off -------------------------------------------------------


@functools.cache
def rows(what, n, dtype):
    """Rows of a format: random ones, or such as are hard."""
    random = np.random.default_rng(n)
    count = max(2, min(32, 2**15 // n))
    x = random.normal(0, 2, (count, n))
    largest = float(ml_dtypes.finfo(dtype).max)
    if what == "dominant":
        x[:, n // 2] = 2 ** random.uniform(0, 5, count)
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
        y, pull_back = jax.vjp(function, jnp.asarray(x))
        t = np.random.default_rng(7).uniform(size=y.shape).astype(x.dtype)
        (got,) = jax.jit(pull_back)(t)
    exact = TRUTH[name][1](x.astype(np.longdouble), t.astype(np.longdouble))
    return units(np.asarray(got), exact, of_the_row=True)


def ours(name):
    return functools.partial(getattr(jaxact, name), axis=-1)


def theirs(name):
    return functools.partial(getattr(jax.nn, name), axis=-1)
