"""What depth does to gradients, for every activation of the note, and what four cures do to that.

A stack of dense layers, of the width of its input, with LeCun's initialisation; the loss is the
mean square of the result. What is compared is the norm of the gradient by what enters the first
activation with that at the last: `jaxact.diagnostics.gradient_report`.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
from _charts import Axis, Series, decades, line_chart, whole
from _claims import Claim, Panel, hues, main
from jax import Array

import jaxact
from jaxact.diagnostics import gradient_report, monitor, recorded

DEPTHS = (2, 5, 10, 20, 50)
EXAMPLES = 64
LIMIT = 100.0  # the signal may change by this factor from end to end
LAYERS, RATE, LARGE = 20, 0.01, 1.3  # of the networks trained with and without clipping
FLOOR, CEILING = 1e-12, 1e7  # what is smaller, or larger, is drawn there

_PIECES = 2
_TRAINED = {  # as they are in training: parameters learned, slopes drawn
    "prelu": lambda x, key: jaxact.prelu(x, 0.25),
    "rrelu": lambda x, key: jaxact.rrelu(x, key),
    "maxout": lambda x, key: jaxact.maxout(x, _PIECES),
}
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "rrelu", "elu", "maxout")
SATURATING = ("sigmoid", "tanh")


def activation(name: str) -> Callable[[Array, Array], Array]:
    """Returns an activation as a function of its input and of a key."""
    if name in _TRAINED:
        return _TRAINED[name]
    entry = jaxact.CATALOG[name]
    return lambda x, key: entry.function(x, **entry.samples[0])


def gain(name: str) -> float:
    """Returns the scale of weights that keeps the gradient, from theory or, of maxout, measured."""
    if name == "maxout":  # no function of one number; its slope is always 1: keep the signal
        largest = np.random.default_rng(0).normal(size=(_PIECES, 100_000)).max(0)
        return 1 / float(np.sqrt(np.mean(largest**2)))
    return jaxact.theory.gain(name, "backward")


def weights(key: Array, name: str, width: int, depth: int, scale: Any) -> Array:
    """Returns the kernels of all layers, drawn with variance scale² / width."""
    columns = width * (_PIECES if name == "maxout" else 1)
    init = jax.nn.initializers.lecun_normal(in_axis=-2, out_axis=-1, batch_axis=0)
    return scale * init(key, (depth, width, columns), jnp.float32)


def loss(kernels: Array, x: Array, key: Array, name: str, depth: Any, normalise: bool) -> Array:
    """Returns the mean square of what `depth` of the layers make of x."""
    f, norm = activation(name), flax.linen.BatchNorm(use_running_average=False)
    keys = jax.random.split(key, len(kernels))

    def layer(h: Array, each: tuple[Array, Array, Array]) -> tuple[Array, None]:
        number, kernel, key = each
        z = h @ kernel
        if normalise:
            z, _ = norm.apply(norm.init(key, z), z, mutable=["batch_stats"])
        return jnp.where(number < depth, f(z, key), h), None

    return jnp.mean(jax.lax.scan(layer, x, (jnp.arange(len(kernels)), kernels, keys))[0] ** 2)


def remaining(
    options: argparse.Namespace, name: str, scales: Sequence[float], normalise: bool
) -> np.ndarray:
    """Returns, for each scale and depth, the signal at the first layer over that at the last.

    It is the median over the seeds; all scales, depths and seeds are one program.
    """
    x = jax.random.normal(jax.random.key(0), (EXAMPLES, options.width))
    depths = [depth for depth in DEPTHS if depth <= options.depth]

    def ratio(scale: Array, depth: Array, seed: Array) -> Array:
        of_weights, of_slopes = jax.random.split(jax.random.key(seed))
        kernels = weights(of_weights, name, options.width, options.depth, scale)
        own = functools.partial(loss, key=of_slopes, name=name, depth=depth, normalise=normalise)
        report = gradient_report(own, kernels, x)
        norms = jnp.stack([signal.norm for signal in report.signals])
        return norms[0] / norms[depth - 1]

    ratios = ratio
    for axes in ((None, None, 0), (None, 0, None), (0, None, None)):
        ratios = jax.vmap(ratios, in_axes=axes)
    every = jax.jit(ratios)(jnp.array(scales), jnp.array(depths), jnp.arange(options.seeds))
    return np.median(every, axis=-1)


def descent(options: argparse.Namespace, clip: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns the losses of ReLU networks with weights too large, and the steps clipped."""
    x = jax.random.normal(jax.random.key(0), (EXAMPLES, options.width))
    own = functools.partial(
        loss, x=x, key=jax.random.key(0), name="relu", depth=LAYERS, normalise=False
    )
    steps = optax.sgd(RATE)
    clipping = optax.chain(optax.clip_by_global_norm(1.0), steps)
    optimizer = monitor(clipping if clip else steps, clip_norm=1.0)

    def train(seed: Array) -> tuple[Array, Array]:
        scale = LARGE * gain("relu")
        kernels = weights(jax.random.key(seed), "relu", options.width, LAYERS, scale)

        def step(carry: Any, _: None) -> tuple[Any, Array]:
            layers, state = carry
            value, gradients = jax.value_and_grad(lambda layers: own(layers["kernel"]))(layers)
            updates, state = optimizer.update(gradients, state, layers)
            return (optax.apply_updates(layers, updates), state), value

        layers = {"kernel": kernels}
        start = layers, optimizer.init(layers)
        (_, state), losses = jax.lax.scan(step, start, length=options.steps)
        return losses, recorded(state).clipped

    losses, counts = jax.jit(jax.vmap(train))(jnp.arange(options.seeds))
    return np.asarray(losses), np.asarray(counts)


def measure(options: argparse.Namespace) -> tuple[Sequence[Claim], Sequence[Panel]]:
    """Returns the claims on depth and its cures, and their figures."""
    depths = np.array([depth for depth in DEPTHS if depth <= options.depth])
    colours, across = hues(ACTIVATIONS), Axis("layers", whole(*depths), (0, depths[-1]))
    titles = (
        "As initialised by LeCun",
        "Cure: no saturation, and weights for it",
        "Cure: batch normalisation",
    )
    left: list[dict[str, np.ndarray]] = [{} for _ in titles]
    for name in ACTIVATIONS:
        plain, fitting = remaining(options, name, (1.0, gain(name)), normalise=False)
        (normalised,) = remaining(options, name, (1.0,), normalise=True)
        for found, row in zip(left, (plain, fitting, normalised), strict=True):
            found[name] = row
    shown = [{name: np.maximum(row, FLOOR) for name, row in found.items()} for found in left]
    up = decades("signal, first over last layer", np.array([[*f.values()] for f in shown]))
    panels = []
    for title, found in zip(titles, shown, strict=True):
        lines = [Series(name, colours[name], depths, row) for name, row in found.items()]
        panels.append(Panel(title, line_chart(title, lines, across, up, goal=1.0)))
    (free, _), (held, clipped) = descent(options, False), descent(options, True)
    numbers = np.arange(options.steps)
    runs = {"as it is": free, "clipped": held}
    lines = [
        Series(name, hue, numbers, np.median(np.where(run < CEILING, run, CEILING), axis=0))
        for (name, run), hue in zip(runs.items(), hues([*runs]).values(), strict=True)
    ]
    by_step = Axis("step", whole(*numbers[:: max(1, options.steps // 5)]), (0, options.steps))
    losses = decades("loss", np.concatenate([line.y for line in lines]))
    title = f"Cure: clipping ({LAYERS} layers of relu, weights {LARGE:g} times)"
    panels.append(Panel(title, line_chart(title, lines, by_step, losses)))
    return claims(depths, left, free, held, clipped), panels


def claims(depths, left, free, held, clipped) -> list[Claim]:
    """Returns what was claimed, beside what was measured."""
    plain, fitting, normalised = left
    others = [name for name in ACTIVATIONS if name not in SATURATING]
    deepest = f"at {depths[-1]} layers"

    def listed(found: dict[str, np.ndarray], names: Sequence[str] = ACTIVATIONS) -> str:
        return ", ".join(f"{name} {found[name][-1]:.1g}" for name in names)

    def healthy(found: dict[str, np.ndarray], names: Sequence[str]) -> bool:
        return all(1 / LIMIT < found[name][-1] < LIMIT for name in names)

    finite = {
        name: float(np.isfinite(run).all(1).mean()) for name, run in (("f", free), ("h", held))
    }
    factors = {n: plain[n][-1] ** (1 / (depths[-1] - 1)) for n in ("sigmoid", "relu")}
    return [
        Claim(
            "Gradients vanish or explode with depth: back-propagation multiplies one factor per "
            "layer.",
            f"signal at the first layer over that at the last, {deepest}, LeCun's initialisation: "
            f"{listed(plain)}; per layer sigmoid {factors['sigmoid']:.2f}, relu "
            f"{factors['relu']:.2f}",
            plain["sigmoid"][-1] < 1 / LIMIT and plain["sigmoid"][0] > plain["sigmoid"][-1],
        ),
        Claim(
            "Cure: ReLU, Leaky ReLU, PReLU, RReLU and Maxout instead of sigmoid (weights as they "
            "are).",
            f"{deepest}: {listed(plain, others)}",
            healthy(plain, others),
        ),
        Claim(
            "The same, with weights scaled by jaxact.theory.gain of the activation.",
            f"{deepest}: {listed(fitting)}",
            healthy(fitting, others),
        ),
        Claim(
            "Cure: batch normalisation.",
            f"{deepest}: {listed(normalised)}",
            healthy(normalised, ACTIVATIONS),
        ),
        Claim(
            "Cure: clipping the gradient, where it explodes.",
            f"{LAYERS} layers of relu, weights {LARGE:g} times as large: the loss stays finite in "
            f"{finite['f']:.0%} of the networks without clipping, {finite['h']:.0%} with it "
            f"({np.mean(clipped):.0f} of {free.shape[1]} steps clipped), and falls from "
            f"{np.median(held[:, 0]):.1g} to {np.median(held[:, -1]):.1g}",
            finite["h"] == 1 > finite["f"] and bool(np.median(held[:, -1]) < np.median(held[:, 0])),
        ),
    ]


run = functools.partial(
    main,
    "Gradient by depth, and its cures.",
    "gradient_by_depth.svg",
    measure,
    width=64,
    depth=50,
    seeds=3,
    steps=50,
)

if __name__ == "__main__":
    sys.exit(run())
