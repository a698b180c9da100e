"""What rectifiers and shrinkage have of their own: jumps, and parameters that make no sense."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxact
from jaxact._derivatives import residual_policy


@pytest.mark.parametrize("number", [0.1, 0.7])  # float32 rounds the one up, the other down
def test_a_jump_is_where_the_number_is_and_not_where_it_rounds_to(number):
    nearest = np.float32(number)
    passes = float(nearest) > number
    for function in (
        lambda x: jaxact.threshold(x, number, 0.0),
        lambda x: jaxact.thresholded_relu(x, number),
        lambda x: jaxact.hard_shrink(x, number),
    ):
        y, slope = jax.value_and_grad(function)(jnp.asarray(nearest))
        assert float(y) == (float(nearest) if passes else 0)
        assert float(slope) == passes


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: jaxact.threshold(x, 0.5, 0.25), True),
        (lambda x: jaxact.threshold(x, 0.5, 0.75), False),
        (lambda x: jaxact.thresholded_relu(x, 1.0), True),
        (lambda x: jaxact.thresholded_relu(x, -1.0), False),
        (lambda x: jaxact.soft_shrink(x, 0.5), True),
        (lambda x: jaxact.soft_shrink(x, 0.3), False),
    ],
)
def test_the_output_is_kept_only_where_it_tells_the_slope(function, told):
    x = jnp.linspace(-3, 3, 64)
    with residual_policy("output"):
        if not told:
            with pytest.raises(ValueError, match="a function of its output for some parameters"):
                function(x)
            return
        y, pull_back = jax.vjp(function, x)
    (kept,) = (leaf for leaf in jax.tree.leaves(pull_back) if leaf.size > 1)
    assert np.array_equal(kept, y)


REFUSED = {
    r"jaxact.hard_shrink: lambd is -0.5, but must not": lambda: jaxact.hard_shrink(1.0, -0.5),
    r"jaxact.soft_shrink: lambd is -0.5, but must not": lambda: jaxact.soft_shrink(1.0, -0.5),
    r"jaxact.smelu: beta is 0, but must be positive": lambda: jaxact.smelu(1.0, 0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_parameters_are_refused_with_a_remedy(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_gradients_by_the_bounds_of_rrelu_are_those_of_the_slopes_drawn(distribution):
    x, key = jnp.linspace(-3, 2, 64), jax.random.key(0)
    drawn = functools.partial(jaxact.rrelu, x, key=key, distribution=distribution)
    total = lambda a, b: jnp.sum(drawn(lower=a, upper=b))
    by_lower, by_upper = jax.jit(jax.grad(total, (0, 1)))(0.25, 0.5)
    # What is linear in the bounds changes by as much as its slope says, however far one goes.
    assert by_lower == pytest.approx(total(0.0, 0.5) * -4 + total(0.25, 0.5) * 4, rel=1e-4)
    assert by_upper == pytest.approx(total(0.25, 0.75) * 4 - total(0.25, 0.5) * 4, rel=1e-4)
    assert float(by_lower) < 0
    assert float(by_upper) < 0
