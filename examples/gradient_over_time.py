"""What 200 steps of time do to gradients: a plain recurrent cell against an LSTM.

The loss sees the last state only. What is compared is the gradient by what enters the activations
of the cell at each step with that at the last: `jaxact.diagnostics.gradient_report`. All three
gates of the LSTM are `jaxact.glu`: one array times the sigmoid of another.
"""

import argparse
import functools
import math
import sys
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from _charts import Axis, Series, decades, line_chart, whole
from _claims import Claim, Panel, hues, main
from jax import Array

import jaxact
from jaxact.diagnostics import gradient_report

EXAMPLES = 16
LIMIT = 100.0  # the signal may change by this factor from end to end

FLOOR = 1e-12  # what is smaller is drawn there

Parameters = dict[str, Array]
Cell = Callable[[Parameters, Array, Array], Array]


def plain(own: Parameters, state: Array, row: Array) -> Array:
    """Returns the next state of a plain recurrent cell."""
    return jaxact.tanh(state @ own["recurrent"] + row @ own["input"])


def lstm(own: Parameters, state: Array, row: Array) -> Array:
    """Returns the next state of an LSTM: its memory and its output, side by side."""
    memory, output = jnp.split(state, 2, axis=-1)
    z = output @ own["recurrent"] + row @ own["input"]
    new, enter, keep, leave = jnp.split(z, 4, axis=-1)
    kept = jaxact.glu(memory, gate=keep + own["open"])
    memory = kept + jaxact.glu(jaxact.tanh(new), gate=enter)
    return jnp.concatenate([memory, jaxact.glu(jaxact.tanh(memory), gate=leave)], axis=-1)


def parameters(key: Array, width: int, columns: int, scale: float, opened: float) -> Parameters:
    """Returns orthogonal recurrent weights, times a scale, and LeCun's input weights."""
    recurrent, entering = jax.random.split(key)
    blocks = jax.random.split(recurrent, columns)
    orthogonal = jax.nn.initializers.orthogonal(scale)
    return {
        "recurrent": jnp.concatenate([orthogonal(b, (width, width)) for b in blocks], axis=-1),
        "input": jax.nn.initializers.lecun_normal()(entering, (width, columns * width)),
        "open": jnp.float32(opened),
    }


def by_step(
    options: argparse.Namespace, cell: Cell, columns: int, scale: float, opened: float
) -> np.ndarray:
    """Returns the signal at each step over that at the last, the median over the seeds."""
    width = options.width
    rows = jax.random.normal(jax.random.key(0), (options.steps, EXAMPLES, width))
    size = width * (1 if cell is plain else 2)

    def loss(own: Parameters, rows: Array) -> Array:
        step = lambda state, row: (cell(own, state, row), None)
        last, _ = jax.lax.scan(step, jnp.zeros((EXAMPLES, size)), rows)
        return jnp.mean(last[:, -width:] ** 2)

    @jax.jit
    @jax.vmap
    def signals(seed: Array) -> Array:
        own = parameters(jax.random.key(seed), width, columns, scale, opened)
        report = gradient_report(loss, own, rows)
        total = jnp.sqrt(sum(signal.norm**2 for signal in report.signals))
        return total / total[-1]

    return np.median(signals(jnp.arange(options.seeds)), axis=0)


def measure(options: argparse.Namespace) -> tuple[Sequence[Claim], Sequence[Panel]]:
    """Returns the claims on recurrent networks, and their figure."""
    long = math.log(options.steps)
    cells = {
        "plain": functools.partial(by_step, options, plain, 1, 1.0, 0.0),
        "plain, large": functools.partial(by_step, options, plain, 1, 1.5, 0.0),
        "LSTM": functools.partial(by_step, options, lstm, 4, 1.0, 0.0),
        "LSTM, bias 1": functools.partial(by_step, options, lstm, 4, 1.0, 1.0),
        f"LSTM, bias {long:.1f}": functools.partial(by_step, options, lstm, 4, 1.0, long),
    }
    found = {name: signals() for name, signals in cells.items()}
    colours, steps = hues([*found]), np.arange(options.steps)
    lines = [
        Series(name, colours[name], steps, np.maximum(row[::-1], FLOOR))
        for name, row in found.items()
    ]
    marks = whole(*steps[:: max(1, options.steps // 4)])
    across = Axis("steps back", marks, (0, options.steps))
    up = decades("signal, over that at the last step", np.concatenate([x.y for x in lines]))
    title = f"Gradient over {options.steps} steps of time"
    return claims(found), [Panel(title, line_chart(title, lines, across, up, goal=1.0))]


def claims(found: dict[str, np.ndarray]) -> list[Claim]:
    """Returns what was claimed, beside what was measured."""
    first = {name: float(row[0]) for name, row in found.items()}
    _, _, closed, usual, opened = first
    lstms = f"at the first step is left: {closed} {first[closed]:.1g}, {usual} {first[usual]:.1g}"
    return [
        Claim(
            "In a plain recurrent network gradients vanish or explode over time.",
            f"at the first step is left, of the signal at the last: plain {first['plain']:.1g}, "
            f"with recurrent weights 1.5 times as large {first['plain, large']:.1g}",
            not 1 / LIMIT < first["plain"] < LIMIT,
        ),
        Claim(
            "The LSTM's structure alone cures it.",
            f"{lstms} (its forget gate half open, or open by a bias of 1)",
            1 / LIMIT < first[closed] < LIMIT,
        ),
        Claim(
            "The LSTM cures it if its forget gate starts as open as the time is long: a bias of "
            "the logarithm of the number of steps (Tallec & Ollivier, ICLR 2018).",
            f"at the first step is left: {opened} {first[opened]:.1g}",
            1 / LIMIT < first[opened] < LIMIT,
        ),
    ]


run = functools.partial(
    main, "Gradient over time.", "gradient_over_time.svg", measure, width=32, steps=200, seeds=5
)

if __name__ == "__main__":
    sys.exit(run())
