"""Gates: one array times a function of another, exact also where one makes up for the other."""

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import oracle
import pytest
from cases import DTYPES, identical, over, precision, typical_cases

import jaxact

FLOAT64 = (4.0, 7.0, 10.0)  # of the value, the first and the second derivatives, in ULP
HALF = 0.5 + 2.0**-10


def arrays(dtype, size=400):
    """A first array of every magnitude, and gates from closed to open."""
    random = np.random.default_rng(0)
    exponents = random.uniform(-10, 12 if dtype == np.float16 else 100, size)
    x = (random.normal(size=size) * 2.0**exponents).astype(dtype)
    return x, (random.normal(size=size) * 2.0 ** random.uniform(-8, 6, size)).astype(dtype)


def derivatives(case, x, gate):
    """The value, and the derivatives by x, gate, x and gate, gate and gate, of each element."""

    def by(function, position):
        def derivative(*arguments):
            tangents = [jnp.zeros_like(a) for a in arguments]
            tangents[position] = jnp.ones_like(arguments[position])
            return jax.jvp(function, arguments, tuple(tangents))[1]

        return derivative

    functions = (case, by(case, 0), by(case, 1), by(by(case, 0), 1), by(by(case, 1), 1))
    with precision(x.dtype):
        results = jax.jit(lambda *a: [f(*a) for f in functions])(jnp.asarray(x), jnp.asarray(gate))
        return [np.asarray(r) for r in results]


def truth(case, x, gate):
    """The same by the definition, in mpmath, as sums of two doubles."""
    orders = ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2))
    with mpmath.workdps(150):
        formula = lambda a, g: case.entry.formula(mpmath, a, g)
        table = [
            [mpmath.diff(formula, (mpmath.mpf(a), mpmath.mpf(g)), order) for order in orders]
            for a, g in zip(x.astype(float).tolist(), gate.astype(float).tolist(), strict=True)
        ]
        hi = np.array([[float(v) for v in row] for row in table])
        lo = np.array([[float(v - float(v)) for v in row] for row in table])
    return [oracle.Exact(*pair) for pair in zip(hi.T, lo.T, strict=True)]


@over(typical_cases("gate"))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: jnp.dtype(d).name)
def test_values_and_derivatives_are_exact(case, dtype):
    x, gate = arrays(np.dtype(dtype))
    rows = zip(derivatives(case, x, gate), truth(case, x, gate), (0, 1, 1, 2, 2), strict=True)
    for got, exact, order in rows:
        fits = np.abs(exact.hi) < float(ml_dtypes.finfo(dtype).max)
        counts = oracle.is_normal(exact, dtype) & fits
        worst = np.max(oracle.ulp_error(got, exact)[counts])
        allowed = {2: (HALF,) * 3, 4: case.entry.ulps, 8: FLOAT64}[got.itemsize][order]
        assert worst <= allowed, f"order {order}: {worst} ULP"


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


def test_a_closed_gate_gives_zero():
    largest = float(np.finfo(np.float32).max)
    x = jnp.asarray([largest, -largest, 0.0], jnp.float32)
    gate = jnp.full(3, -jnp.inf)
    y, tangent = jax.jvp(lambda x, g: jaxact.glu(x, gate=g), (x, gate), (x * 0 + 1, x * 0 + 1))
    assert not np.any(y)
    assert not np.any(tangent)
