"""The coordinate check: what grows with the width is found."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxact
from jaxact.diagnostics import width_report

X = jnp.asarray(np.random.default_rng(0).normal(size=(16, 8)), jnp.float32)
WIDTHS = (32, 64, 128)


def weights(power: float):
    """Of two hidden layers, whose second has a spread that goes with a power of the width."""

    def make(width: int):
        first, second, last = jax.random.split(jax.random.key(width), 3)
        return {
            "first": jax.random.normal(first, (8, width)) / 8**0.5,
            "second": jax.random.normal(second, (width, width)) * width**power,
            "last": jax.random.normal(last, (width, 1)) / width,
        }

    return make


def loss(own, x):
    h = jax.nn.relu(x @ own["first"])
    with jax.named_scope("second"):
        h = jax.nn.relu(h @ own["second"])
    return jnp.mean((h @ own["last"] - 1) ** 2)


def test_a_layer_that_grows_with_the_width_is_found():
    report = width_report(weights(-0.5), WIDTHS, loss, X, optimizer=optax.sgd(1e-4), steps=1)
    assert report.growing == report.shrinking == ()
    assert len(report.growth[0]) == 2
    report = width_report(weights(0.0), WIDTHS, loss, X, optimizer=optax.sgd(0.0), steps=0)
    assert report.growing == ("second (relu)",)
    assert report.growth[1][0] == pytest.approx(0.5, abs=0.1)
    report = width_report(weights(-1.0), WIDTHS, loss, X, optimizer=optax.sgd(0.0), steps=0)
    assert report.shrinking == ("second (relu)",)
    assert report.to_dict()["shrinking"] == ["second (relu)"]


@pytest.mark.usefixtures("standard_promotion")  # Adam of optax needs them
def test_what_grows_only_after_a_step_is_found():
    """Adam moves every weight by the rate, however many there are."""
    report = width_report(weights(-0.5), WIDTHS, loss, X, optimizer=optax.adam(0.1), steps=1)
    first, *_, last = report.growth[1]
    assert abs(first) < 0.2
    assert last > 0.6


REFUSED = {
    "make_model is 3": lambda: width_report(3, WIDTHS, loss, X, optimizer=optax.sgd(0.1)),
    "two different numbers": lambda: width_report(
        weights(0.0), [8], loss, X, optimizer=optax.sgd(0.1)
    ),
    "a width is a float": lambda: width_report(
        weights(0.0), [8.0, 16.0], loss, X, optimizer=optax.sgd(0.1)
    ),
    "optimizer is a function": lambda: width_report(
        weights(0.0), WIDTHS, loss, X, optimizer=jaxact.relu
    ),
    "batch is empty": lambda: width_report(
        weights(0.0), WIDTHS, loss, X[:0], optimizer=optax.sgd(0.1)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
