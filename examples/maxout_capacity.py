"""What Maxout's second piece costs, and what it can do that ReLU of equal width cannot.

The problem: the sum of the magnitudes of several directions. A Maxout unit of two pieces is one
such magnitude, max(w x, -w x); a layer of ReLU needs two units for each.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _charts import Axis, Series, decades, line_chart, whole
from _claims import Claim, Panel, hues, main
from flax import nnx
from jax import Array

import jaxact

INPUTS, DIRECTIONS, EXAMPLES = 8, 4, 512
RATE = 0.02
FLOOR = 1e-8  # what is smaller is drawn there
FITTED = 1e-3  # of the variance of the target is left


class Network(nnx.Module):
    """One hidden layer and a linear readout, on which nothing depends that is compared."""

    def __init__(self, hidden: Callable[[Array], Array], width: int, rngs: nnx.Rngs):
        self.hidden = hidden
        self.readout = nnx.Linear(width, 1, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Returns one number for each row."""
        return self.readout(self.hidden(x))[:, 0]


def relu_layer(width: int, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Returns a dense layer followed by ReLU."""
    return nnx.Sequential(nnx.Linear(INPUTS, width, rngs=rngs), jaxact.relu)


def maxout_layer(width: int, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Returns a Maxout layer of two pieces."""
    return jaxact.nnx.Maxout(INPUTS, width, num_pieces=2, rngs=rngs)


class Fit(NamedTuple):
    """What came of one kind of layer: its parameters, and the errors of each seed by step."""

    parameters: int
    errors: np.ndarray


def fit(create: Callable[..., Callable[[Array], Array]], width: int, options) -> Fit:
    """Returns how well networks of a layer learn the problem, all seeds together."""
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(size=(INPUTS, INPUTS)))[0][:, :DIRECTIONS]
    x = random.normal(size=(EXAMPLES, INPUTS)).astype(np.float32)
    target = np.abs(x @ directions).sum(1).astype(np.float32)
    target = (target - target.mean()) / target.std()
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, options.steps))

    def build(seed: Any) -> tuple[nnx.GraphDef, nnx.State]:
        rngs = nnx.Rngs(jax.random.key(seed))
        graphdef, state = nnx.split(Network(create(width, rngs), width, rngs))
        return graphdef, nnx.as_pure(state)

    graphdef, _ = build(0)

    def train(seed: Array) -> Array:
        def step(carry, _):
            parameters, state = carry
            error = lambda p: jnp.mean((nnx.merge(graphdef, p)(x) - target) ** 2)
            value, gradient = jax.value_and_grad(error)(parameters)
            updates, state = optimizer.update(gradient, state, parameters)
            return (optax.apply_updates(parameters, updates), state), value

        _, parameters = build(seed)
        start = parameters, optimizer.init(parameters)
        return jax.lax.scan(step, start, length=options.steps)[1]

    _, parameters = build(0)
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters["hidden"]))
    return Fit(count, np.asarray(jax.jit(jax.vmap(train))(jnp.arange(options.seeds))))


def measure(options: argparse.Namespace) -> tuple[Sequence[Claim], Sequence[Panel]]:
    """Returns the claims on Maxout, and their figure."""
    fits = {
        "relu": fit(relu_layer, DIRECTIONS, options),
        "maxout": fit(maxout_layer, DIRECTIONS, options),
        "relu, wide": fit(relu_layer, 2 * DIRECTIONS, options),
    }
    best = {name: float(one.errors[:, -1].min()) for name, one in fits.items()}
    numbers, colours = np.arange(options.steps), hues([*fits])
    every = slice(None, None, max(1, options.steps // 200))
    rows = [one.errors[one.errors[:, -1].argmin(), every] for one in fits.values()]
    lines = [Series(n, colours[n], numbers[every], row) for n, row in zip(fits, rows, strict=True)]
    across = Axis("step", whole(*numbers[:: max(1, options.steps // 4)]), (0, options.steps))
    up = decades("error left, best of the seeds", np.maximum(np.concatenate(rows), FLOOR))
    title = f"Sum of {DIRECTIONS} magnitudes, layers of {DIRECTIONS} units"
    return claims(fits, best), [Panel(title, line_chart(title, lines, across, up))]


def claims(fits: dict[str, Fit], best: dict[str, float]) -> list[Claim]:
    """Returns what was claimed, beside what was measured."""
    share = {name: (one.errors[:, -1] < FITTED).mean() for name, one in fits.items()}
    relu, maxout, wide = fits
    return [
        Claim(
            "Maxout of two pieces doubles the parameters of the layer.",
            f"{fits[relu].parameters} with ReLU, {fits[maxout].parameters} with Maxout",
            fits[maxout].parameters == 2 * fits[relu].parameters,
        ),
        Claim(
            "Maxout fits what a ReLU layer of equal width cannot.",
            f"error left by the best of {len(fits[relu].errors)} networks: ReLU {best[relu]:.1g}, "
            f"Maxout {best[maxout]:.1g}; Maxout gets below {FITTED:g} with "
            f"{share[maxout]:.0%} of the seeds",
            best[maxout] < FITTED <= best[relu],
        ),
        Claim(
            "It does so at equal parameters too.",
            f"a ReLU layer twice as wide ({fits[wide].parameters} parameters) leaves "
            f"{best[wide]:.1g} at best, and gets below {FITTED:g} with {share[wide]:.0%} of the "
            "seeds",
            best[wide] >= FITTED,
        ),
    ]


run = functools.partial(
    main, "Maxout's capacity.", "maxout_capacity.svg", measure, seeds=16, steps=3000
)

if __name__ == "__main__":
    sys.exit(run())
