"""The law of definitions: each is one expression that jax.numpy can evaluate too, as plots do.

Shown to fail in test_a_formula_that_is_no_definition_is_found.
"""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact import CATALOG

PLAIN = SimpleNamespace(
    **{name: getattr(jnp, name) for name in "exp expm1 log log1p sqrt tanh sin cos abs".split()},
    **{name: getattr(jnp, name) for name in "where maximum minimum cosh sinh sign".split()},
    erf=jax.lax.erf,
    erfc=jax.lax.erfc,
    atan=jnp.arctan,
    pi=math.pi,
    number=float,
)
POINTS = np.linspace(-4.0, 4.0, 161)


def check(formula, function, points) -> None:
    """Asserts that the definition, as it stands, describes the function."""
    with jax.enable_x64(True):
        x = jnp.asarray(points)
        np.testing.assert_allclose(formula(PLAIN, x), function(x), rtol=1e-9, atol=1e-12)


@pytest.mark.machinery
@pytest.mark.parametrize(
    ("entry", "parameters"),
    [
        pytest.param(entry, parameters, id=f"{entry.name}-{index}")
        for entry in CATALOG.values()
        if entry.kind in ("elementwise", "random")
        for index, parameters in enumerate(entry.samples)
    ],
)
def test_definitions_evaluate_in_jax_numpy(entry, parameters):
    low, high = entry.domain(**parameters)
    inside = POINTS[(POINTS > low) & (POINTS < high)]
    check(
        lambda ops, x: entry.formula(ops, x, **parameters),
        lambda x: entry.function(x, **parameters),
        inside,
    )


def test_a_formula_that_is_no_definition_is_found():
    with pytest.raises(AssertionError):
        check(lambda ops, x: ops.tanh(x) * 1.0001, jnp.tanh, POINTS)
