"""The law of orders: derivatives of every order up to the sixth are the definition's own.

Nested `jvp` and nested `grad`, at zeros of both signs, beside zero, on both sides of kinks, far
out. What stands for a function only to rounding, such as a branch at 0, a clamp or a polynomial,
has derivatives of its own: the third order finds it. Shown to fail in
test_a_branch_at_zero_is_found and the test below it.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Case, cases, over
from orders import KINDS, MODES, exact, measure, subjects, with_arrays

import jaxact
from jaxact import CATALOG

# Of orders 1 and 2, of order 3, and of orders 4 to 6; in terms of what the derivative is nearby.
BOUNDS = {
    "float32": (1e-6, 1e-6, 1e-5, 1e-4, 1e-4, 1e-4),
    "float64": (2e-15, 2e-15, 1e-12, 1e-10, 1e-10, 1e-10),
}
PEER = 4.0  # times the error of jax.nn's own function, or one eps


def check(subject, dtype, mode: str = "jvp") -> None:
    """Asserts the bounds for one function of one number."""
    truth = exact(subject, dtype)
    own = measure(subject.function, truth, mode)
    for order, bound in enumerate(BOUNDS[np.dtype(dtype).name], 1):
        errors = own.nearby[order - 1]
        at = truth.xs[np.argmax(errors)]
        assert np.max(errors) <= bound, f"{subject.name}, order {order}, at {at}: {max(errors):.2g}"
    if subject.peer:
        theirs = measure(subject.peer, truth, mode)
        floor = float(np.finfo(dtype).eps)
        assert np.all(own.worst <= PEER * np.maximum(theirs.worst, floor)), (own, theirs)
        assert np.all(own.overall <= PEER * np.maximum(theirs.overall, floor)), (own, theirs)


FORMATS = (np.float32, np.float64)
COMBINED = [  # between them both modes and both formats, on every change
    pytest.param(dtype, mode, marks=[] if quick else pytest.mark.thorough)
    for dtype, mode, quick in (
        (np.float32, "jvp", True),
        (np.float64, "grad", True),
        (np.float32, "grad", False),
        (np.float64, "jvp", False),
    )
]


@pytest.mark.machinery
@pytest.mark.parametrize(("dtype", "mode"), COMBINED)
@over(cases(*KINDS))
def test_derivatives_of_every_order_are_exact(case, dtype, mode):
    for subject in subjects(case):
        check(subject, dtype, mode)


@pytest.mark.machinery
@pytest.mark.parametrize("dtype", FORMATS, ids=lambda d: np.dtype(d).name)
@over([case for case in cases("elementwise", "random") if case.learnable])
def test_so_they_are_where_parameters_are_arrays(case, dtype):
    check(with_arrays(case, dtype), dtype)


@pytest.mark.parametrize("mode", MODES)
def test_at_zero_even_derivatives_of_odd_functions_vanish(mode):
    zeros = jnp.array([0.0, -0.0], jnp.float32)
    for function in (jaxact.tanh, jaxact.sigmoid):
        orders = jax.jit(MODES[mode](function))(zeros)
        assert not np.any([orders[k] for k in (1, 3, 5)])


def planted(function, name: str):
    """A function under the definition of an activation."""
    (subject,) = subjects(Case(dataclasses.replace(CATALOG[name], function=function)))
    return subject


def test_a_branch_at_zero_is_found():
    def tanh(x):
        return jnp.where(x == 0, x, jaxact.tanh(jnp.where(x == 0, 1.0, x)))

    with pytest.raises(AssertionError, match=r"tanh, order 3, at -?0\.0"):
        check(planted(tanh, "tanh"), np.float64)


def test_a_polynomial_in_place_of_a_function_is_found():
    @jax.custom_jvp
    def exponential(x):
        return jnp.exp(x)

    @exponential.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        near = jnp.clip(x, -0.1, 0.1)
        series = 1 + near * (1 + near * (1 / 2 + near * (1 / 6 + near * (1 / 24 + near / 120))))
        return jnp.exp(x), t * jnp.where(near == x, series, jnp.exp(x))

    with pytest.raises(AssertionError, match=r"exponential, order [3456]"):
        check(planted(exponential, "exponential"), np.float32)
