"""Which share of units dies at which learning rate, for ReLU and its variants.

Small networks learn handwritten digits by plain gradient descent; those of all activations, rates
and seeds are one program. Then all go on at a small rate, and the dead are counted again.
"""

import argparse
import functools
import sys
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _charts import Axis, Series, line_chart
from _claims import Claim, Panel, hues, main
from _dataset import digits
from _dense import Data, answer, create, flat, train
from jax import Array

from jaxact.diagnostics import UnitReport, with_units

ACTIVATIONS = ("relu", "leaky_relu", "prelu", "rrelu", "elu", "maxout")
RATES = np.geomspace(0.01, 30, 12).round(3)
MANY = 0.4  # of the units, as the note says
FEW = 0.01
PERCENT = [(share, f"{share}") for share in (0, 20, 40, 60, 80, 100)]


class Outcome(NamedTuple):
    """Of one network: its units, its accuracy, and its units after more steps at a small rate."""

    units: UnitReport
    accuracy: Array
    later: UnitReport


def experiment(options: argparse.Namespace, data: Data) -> dict[str, Outcome]:
    """Returns what became of each activation's networks: axes of rates and seeds."""
    sizes = (data.features.shape[1], options.width, options.width, 10)

    def one(name: str, rate: Array, seed: Array) -> Outcome:
        initial, first, second = jax.random.split(jax.random.key(seed), 3)
        graphdef, start = create(name, sizes, initial)
        observed = with_units(functools.partial(answer, graphdef))
        learned = train(graphdef, start, data, first, rate, options.steps)
        guess, units = observed(learned, data.features)
        rested = train(graphdef, learned, data, second, RATES[0], options.steps)
        accuracy = jnp.mean(jnp.argmax(guess, -1) == data.classes)
        return Outcome(units, accuracy, observed(rested, data.features)[1])

    @jax.jit
    def all_at_once(rates: Array, seeds: Array) -> dict[str, Outcome]:
        results = {}
        for name in ACTIVATIONS:
            over_seeds = jax.vmap(functools.partial(one, name), in_axes=(None, 0))
            results[name] = jax.vmap(over_seeds, in_axes=(0, None))(rates, seeds)
        return results

    return jax.device_get(all_at_once(jnp.asarray(RATES), jnp.arange(options.seeds)))


def dead(report: UnitReport) -> np.ndarray:
    """Returns which units are dead; axes of rates, seeds and units of all layers."""
    return np.concatenate([np.asarray(layer.dead) for layer in report.layers], axis=-1)


def dead_share(report: UnitReport) -> np.ndarray:
    """Returns the share of dead units by rate, of the networks whose values are finite.

    Where none is left it is NaN.
    """
    finite = np.all([np.asarray(layer.nonfinite) == 0 for layer in report.layers], axis=0)
    shares = np.where(finite, dead(report).mean(-1), 0).sum(1)
    return np.where(finite.any(1), shares / np.maximum(finite.sum(1), 1), np.nan)


def measure(options: argparse.Namespace) -> tuple[Sequence[Claim], Sequence[Panel]]:
    """Returns the claims on dying units, and their figures."""
    outcomes = experiment(options, flat(digits().training))
    rates = [(0.01, "0.01"), (0.1, "0.1"), (1, "1"), (10, "10")]
    across = Axis("learning rate", rates, (0.01, 30), np.log10)
    up, score = (Axis(label, PERCENT, (0, 100)) for label in ("dead units, %", "accuracy, %"))
    colours, shares, scores = hues(ACTIVATIONS), [], []
    for name, outcome in outcomes.items():
        share = 100 * dead_share(outcome.units)
        shares.append(Series(name, colours[name], RATES, share))
        scores.append(
            Series(name, colours[name], RATES, 100 * np.asarray(outcome.accuracy).mean(1))
        )
    panels = [
        Panel("Dead units after training", line_chart("Dead units", shares, across, up, goal=40)),
        Panel("Accuracy on training images", line_chart("Accuracy", scores, across, score)),
    ]
    return claims(outcomes), panels


def claims(outcomes: dict[str, Outcome]) -> list[Claim]:
    """Returns what was claimed, beside what was measured."""
    died = {name: dead(outcome.units) for name, outcome in outcomes.items()}
    share = {name: dead_share(outcome.units) for name, outcome in outcomes.items()}
    reached = [float(rate) for rate, part in zip(RATES, share["relu"], strict=True) if part >= MANY]
    safe = [float(rate) for rate, part in zip(RATES, share["relu"], strict=True) if part <= FEW]
    relu = outcomes["relu"]
    firsts = [np.asarray(report.layers[0].dead) for report in (relu.units, relu.later)]
    back = died["relu"] & ~dead(relu.later)
    back_first = firsts[0] & ~firsts[1]
    variants = {name: part for name, part in share.items() if name != "relu"}
    most = {name: float(np.nanmax(part)) for name, part in variants.items()}
    last = {name: RATES[np.isfinite(part)].max() for name, part in variants.items()}
    return [
        Claim(
            "With too high a learning rate some 40 % of ReLU units can die, over the whole "
            "training set.",
            f"40 % are dead from a rate of {reached[0]:g} on"
            if reached
            else f"40 % never die (at most {np.nanmax(share['relu']):.0%})",
            bool(reached),
        ),
        Claim(
            "A dead unit never recovers.",
            f"after as many steps again at a rate of {RATES[0]:g}: of the dead in the first layer "
            f"{back_first.sum()} of {firsts[0].sum()} live again, in all layers {back.sum()} of "
            f"{died['relu'].sum()}",
            not back.any(),
        ),
        Claim(
            "A suitably small learning rate avoids it.",
            f"at most {FEW:.0%} of the units is dead up to a rate of {max(safe):g}"
            if safe
            else f"even at {RATES[0]:g} {share['relu'][0]:.0%} are dead",
            bool(safe),
        ),
        Claim(
            "Leaky ReLU, PReLU, RReLU, ELU and Maxout avoid it, at any rate.",
            "most dead units at any rate at which values stay finite: "
            + ", ".join(f"{n} {part:.0%} (to {last[n]:g})" for n, part in most.items()),
            max(most.values()) <= FEW,
        ),
    ]


run = functools.partial(
    main, "Dying ReLU.", "dying_relu.svg", measure, width=32, seeds=4, steps=300
)

if __name__ == "__main__":
    sys.exit(run())
