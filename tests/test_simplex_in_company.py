"""Functions of rows inside programs: right whatever computes their rows, in one jit.

XLA computes the producer of a row again in every loop that reads it, and LLVM contracts a product
with a sum that follows; so two reads of one entry differ by what the producer rounds. A function of
rows has to be what it is of *some* row within the producer's own error, and its invariants hold
whatever it reads: probabilities that sum to 1, log-probabilities that are not positive.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import formats, precision
from test_simplex import TRUTH, rows, theirs

import jaxact

# --- Producers -------------------------------------------------------------------------------
# Functions of (m, x, c): a namespace, rows, and what makes constants of the format. How many eps
# of the magnitude (of what they add up) they may be off is said beside them.


def _affine(m, x, c):
    return x * c(3.3) + c(0.7)


def _rms_norm(m, x, c):
    gamma = c(np.linspace(0.5, 2, x.shape[-1])[None])
    return x / m.sqrt(m.mean(x * x, -1, keepdims=True) + c(1e-6)) * gamma


def _layer_norm(m, x, c):
    d = x - m.mean(x, -1, keepdims=True)
    return d / m.sqrt(m.mean(d * d, -1, keepdims=True) + c(1e-6)) * c(2.5) + c(0.3)


def _product(m, x, c):
    n = x.shape[-1]
    return x @ c(np.random.default_rng(n).normal(0, 1, (n, n)) / np.sqrt(n))


def _concatenated(m, x, c):
    half = x.shape[-1] // 2
    return m.concatenate([x[..., :half] * c(1.7), x[..., half:] / c(0.7)], -1)


PRODUCERS = {
    "x / T": (lambda m, x, c: x / c(0.7), 4),
    "x s": (lambda m, x, c: x * c(1.7), 2),
    "x s of each channel": (lambda m, x, c: x * c(np.linspace(0.1, 3, x.shape[-1])[None]), 2),
    "x s + b": (_affine, 4),
    "large": (lambda m, x, c: x * c(1e4) + c(0.1), 4),
    "x x": (lambda m, x, c: x * x, 2),
    "c tanh(x / c)": (lambda m, x, c: c(30) * m.tanh(x / c(30)), 16),
    "x - mean": (lambda m, x, c: x - m.mean(x, -1, keepdims=True), "sums"),
    "RMS norm": (_rms_norm, "sums"),
    "layer norm": (_layer_norm, "sums"),
    "x W": (_product, "sums"),
    "transposed": (lambda m, x, c: (x * c(1.7))[..., ::-1] - c(0.7), 4),
    "concatenated": (_concatenated, 4),
}


def produced(producer, x):
    """What a producer makes of rows: exactly, and the largest error of each row."""
    function, ulps = PRODUCERS[producer]
    dtype, wide = x.dtype, x.astype(np.longdouble)
    cast = lambda number: np.asarray(number).astype(dtype).astype(np.longdouble)
    exact = function(np, wide, cast)
    size = x.shape[-1] if ulps == "sums" else ulps
    largest = np.max(np.abs(exact), -1, keepdims=True) + np.max(np.abs(wide), -1, keepdims=True)
    return exact, (size + 4) * float(jnp.finfo(dtype).eps) * largest


def program(function, producer):
    """The function after its producer, one program."""
    make, _ = PRODUCERS[producer]
    cast = lambda dtype: lambda number: jnp.asarray(np.asarray(number).astype(dtype))
    return jax.jit(lambda x: function(make(jnp, x, cast(x.dtype))))


# --- The law ---------------------------------------------------------------------------------
# What an error of d in each entry makes of the result, at most.


def _of_log_probabilities(y, d):
    return 2 * d * -np.expm1(y)


SENSITIVITY = {
    "softmax": lambda y, d: y * np.expm1(2 * d * (1 - y)),
    "log_softmax": _of_log_probabilities,
    "logsumexp": lambda y, d: d[..., 0],
    "logmeanexp": lambda y, d: d[..., 0],
}
ROUNDED = {"softmax": 4.0, "log_softmax": 3.0, "logsumexp": 2.0, "logmeanexp": 4.0}


@np.errstate(over="ignore")
def check(function, name, producer, x):
    """Asserts that a function of rows is right after a producer."""
    with precision(x.dtype):
        got = np.asarray(program(function, producer)(x)).astype(np.longdouble)
    row, error = produced(producer, x)
    exact = TRUTH[name][0](row)
    eps, tiny = (float(getattr(jnp.finfo(x.dtype), what)) for what in ("eps", "tiny"))
    size = np.maximum(np.abs(exact), np.max(np.abs(row)) if exact.shape != x.shape else 0)
    allowed = ROUNDED[name] * eps * size + SENSITIVITY[name](exact, error) + 2 * tiny
    off = np.max(np.abs(got - exact) / allowed)
    assert off <= 1, f"{off:.3g} times what is allowed"
    if name == "log_softmax":
        assert np.max(got) <= 0, f"a log-probability of {np.max(got)}"
    if name == "softmax":
        check_probabilities(got, eps)


def check_probabilities(p, eps, axis=-1):
    """Asserts that rows are probabilities."""
    assert np.min(p) >= 0
    assert np.max(p) <= 1
    off = np.max(np.abs(np.sum(p, axis) - 1))
    assert off <= p.shape[axis] * eps, f"the sum is off by {off / eps} eps"


OURS = {name: functools.partial(getattr(jaxact, name), axis=-1) for name in SENSITIVITY}
over_producers = pytest.mark.parametrize("producer", PRODUCERS)


@over_producers
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("n", [3, pytest.param(16, marks=pytest.mark.thorough)])
def test_rows_are_right_after_any_producer(name, n, producer):
    check_rows(name, n, producer, np.float32)


@pytest.mark.thorough
@over_producers
@pytest.mark.parametrize("name", SENSITIVITY)
@pytest.mark.parametrize("n", [2, 3, 16, 128, 1000])
@pytest.mark.parametrize("dtype", formats())
def test_rows_of_all_formats_are_right_after_any_producer(name, dtype, n, producer):
    check_rows(name, n, producer, np.dtype(dtype))


def check_rows(name, n, producer, dtype):
    for kind in ("random", "dominant", "offset"):
        check(OURS[name], name, producer, rows(kind, n, np.dtype(dtype)))


def wrong_log_softmax(x):
    """A function that counts on reading the same numbers twice.

    Where XLA computes a producer twice, the readings differ by its rounding, as they do here.
    """
    again = x * (1 + jnp.finfo(x.dtype).eps)
    high = x - jnp.max(x, -1, keepdims=True)
    others = jnp.sum(jnp.where(high == 0, 0, jnp.exp(high)), -1, keepdims=True)
    largest = again == jnp.max(x, -1, keepdims=True)
    ties = jnp.sum(largest, -1, keepdims=True, dtype=x.dtype)
    return high - jnp.log1p(others + (ties - 1))


def test_a_function_that_counts_on_reading_the_same_twice_is_found():
    x = rows("dominant", 16, np.dtype(np.float32))
    with pytest.raises(AssertionError, match="allowed"):
        check(wrong_log_softmax, "log_softmax", "x / T", x)
    with pytest.raises(AssertionError, match="allowed"):  # of the largest entry nothing is left
        check(theirs("log_softmax"), "log_softmax", "x s", x)
