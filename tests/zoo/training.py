"""Reports on the models of the zoo, in each of their states."""

from collections.abc import Iterator
from typing import Any

import jax
import optax

from jaxact.diagnostics import (
    Advice,
    GradientReport,
    UnitReport,
    advise,
    gradient_report,
    unit_report,
)

from .models import Disease, Model

HEALTHY = Disease(lambda weights: weights, "", "healthy")


def trained(model: Model, weights: Any, steps: int = 60) -> Any:
    """The weights after some steps of Adam."""
    optimizer = optax.adam(model.rate)

    @jax.jit
    def train(weights):
        def step(carry, _):
            weights, state = carry
            gradients = jax.grad(model.loss)(weights, model.batch)
            updates, state = optimizer.update(gradients, state, weights)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (weights, optimizer.init(weights)), length=steps)[0][0]

    return train(weights)


def states(model: Model, *, training: bool) -> Iterator[tuple[str, Disease, Any]]:
    """The names of the states, an expert's opinion, and the weights."""
    weights = model.weights(0)
    yield "at the start", HEALTHY, weights
    if training:
        yield "trained", HEALTHY, trained(model, weights)
    for name, disease in model.diseases.items():
        yield name, disease, disease.plant(weights)


def diagnosis(model: Model, weights: Any) -> tuple[UnitReport, GradientReport, tuple[Advice, ...]]:
    """Both reports on a state, and what to do about it."""
    batches = model.batch if hasattr(model.batch, "shape") else [model.batch]
    units = unit_report(weights, batches, apply=model.apply)
    gradients = gradient_report(model.loss, weights, model.batch)
    return units, gradients, advise(units, gradients)
