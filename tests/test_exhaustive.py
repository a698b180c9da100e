"""The judge of all floats, judged; and the law of values at all of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from cases import cases, over
from exhaustive import FINITE, _errors, judge
from oracle.runs import floats

from jaxact import CATALOG

IN_JAX_NN = [case for case in cases("elementwise") if hasattr(jax.nn, case.entry.name)]


@pytest.mark.thorough
@over(IN_JAX_NN)
def test_values_are_exact_at_all_floats(case):
    check(case)


def check(case, chunks=FINITE):
    entry, parameters = case.entry, case.parameters
    domain = entry.domain(**parameters)
    found = judge(case, entry.formula, parameters, domain, chunks)
    assert found.counted > 0
    assert found.worst <= entry.ulps[0] + 2.0**-12, found


# Near 0, where celu curves; from 2 on, where gelu falls; where it has vanished; a kink; an overflow
@pytest.mark.parametrize(
    ("name", "parameters", "chunk"),
    [
        ("celu", {"alpha": 0.3}, 0xBE8),
        ("gelu", {"approximate": False}, 0xC00),
        ("gelu", {"approximate": True}, 0xC15),
        ("hard_tanh", {"min_value": -2.5, "max_value": 0.7}, 0x3F3),
        ("selu", {}, 0x7F7),
    ],
)
def test_the_judge_of_all_floats_agrees_with_the_judge_of_few(name, parameters, chunk):
    entry, xs = CATALOG[name], floats(chunk)
    function = functools.partial(entry.function, **parameters)
    found = judge(function, entry.formula, parameters, chunks=[chunk])
    exact = oracle.evaluate_many(entry.formula, xs, 0, parameters)[0]
    expected = oracle.score(xs, np.asarray(function(xs)), exact)
    assert found.worst == pytest.approx(expected.worst, abs=2.0**-12)
    assert found.counted == expected.counted == len(xs)
    assert abs(found.misrounded - expected.misrounded) <= 2.0**-10 * len(xs)
    assert found.subnormal == pytest.approx(expected.subnormal, rel=1e-3)


def test_one_wrong_float_among_millions_is_found():
    def function(x):
        return jnp.where(x == jnp.float32(1.1), x, CATALOG["silu"].function(x))

    silu = CATALOG["silu"]
    found = judge(function, silu.formula, {}, chunks=[0x3F8])
    assert found.worst > 1e5
    assert found.at == float(np.float32(1.1))


@pytest.mark.parametrize("answer", [np.finfo(np.float32).max, np.inf])
def test_either_neighbour_of_the_last_tie_is_right(answer):
    """And what no polynomial can tell from the least normal number does not count."""
    overflow = 2.0**128 - 2.0**103
    exact = np.array([overflow, overflow * (1 + 2.0**-44), 2.0**-126 * (1 + 2.0**-44), 1.0])
    got = np.array([answer, answer, 0.0, 1.0], np.float32)
    with jax.enable_x64(True):
        errors = np.asarray(_errors(got, np.zeros(4), np.zeros(4), exact[None], True))
    np.testing.assert_allclose(errors[[0, 1, 3]], [0.5, 0.5, 0])
    assert errors[2] < 0
