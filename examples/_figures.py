"""The figures of the report, one function per section."""

from collections.abc import Callable
from html import escape

import jax
import jax.numpy as jnp
import numpy as np
from _activation_layers import activation_layer
from _charts import Axis, Series, curve_chart, decades, line_chart, ridge_chart, whole
from _markup import card, dotted, element, marked, section, table
from _results import TARGET, Result, percent
from _units import NUM_BINS, VALUES, LayerUnits
from jax import Array

Hues = dict[str, float]  # of each activation, in degrees


def functions(hues: Hues) -> str:
    """Returns the curve of every activation and its derivative."""
    x = np.linspace(-4, 4, 401)
    across, up = Axis("", whole(-4, -2, 0, 2, 4), (-4, 4)), Axis("", whole(0, 2, 4), (-1.6, 4))
    cards = []
    for name, hue in hues.items():
        layer = activation_layer(name)
        value, derivative = _slope(layer.curve, jnp.asarray(x, jnp.float32))
        curve = Series(name, hue, x, np.asarray(value))
        tangent = Series(name, hue, x, np.asarray(derivative))
        chart = curve_chart(f"{name}: value and slope", curve, tangent, across, up)
        cards.append(card(name, chart, element("p", escape(layer.caption), class_="caption")))
    return section(
        "The functions",
        "Solid: the activation. Dotted: its slope, the factor by which it multiplies a gradient on "
        "the way back.",
        element("div", *cards, class_="small"),
    )


def rates(results: list[Result], hues: Hues) -> str:
    """Returns the accuracy by learning rate."""
    tried = sorted({result.rate for result in results})
    across = Axis("learning rate", [(r, f"{r:g}") for r in tried], (tried[0], tried[-1]), np.log10)
    accuracies, losses = [], []
    for name, hue in hues.items():
        own = [result for result in results if result.activation == name]
        blank = Series(name, hue, np.asarray(tried), np.asarray(tried))
        accuracies.append(blank._replace(y=np.array([one.accuracy.mean() for one in own])))
        losses.append(blank._replace(y=np.array([one.epochs[-1].loss.mean() for one in own])))
    up = decades("mean cross-entropy, nats", np.concatenate([one.y for one in losses]))
    return section(
        "Learning rates",
        "After the last epoch, means over the seeds. All other figures show each activation at the "
        "learning rate at which its training loss ends lowest.",
        element(
            "div",
            card(
                "Accuracy on held-out images",
                line_chart("Accuracy by rate", accuracies, across, _accuracy_axis(), goal=TARGET),
            ),
            card("Loss on training images", line_chart("Loss by rate", losses, across, up)),
            class_="wide",
        ),
    )


def learning(results: list[Result], hues: Hues) -> str:
    """Returns accuracy and loss by epoch."""
    numbers = np.arange(1, max(len(result.epochs) for result in results) + 1)
    every = -(-len(numbers) // 8)
    across = Axis("epoch", whole(*numbers[every - 1 :: every]), (1, max(2, len(numbers))))
    accuracies, losses = [], []
    for result in results:
        own = numbers[: len(result.epochs)]  # fewer if it was interrupted
        blank = Series(result.activation, hues[result.activation], own, own)
        accuracy = np.array([epoch.accuracy.mean() for epoch in result.epochs])
        loss = np.array([epoch.loss.mean() for epoch in result.epochs])
        accuracies.append(blank._replace(y=accuracy))
        losses.append(blank._replace(y=loss))
    up = decades("mean cross-entropy, nats", np.concatenate([one.y for one in losses]))
    return section(
        "Learning",
        "Means over the seeds. The scale of the accuracy stretches as it nears 100%: equal steps "
        "are equal factors in the number of errors.",
        element(
            "div",
            card(
                "Accuracy on held-out images",
                line_chart("Accuracy by epoch", accuracies, across, _accuracy_axis(), goal=TARGET),
            ),
            card("Loss on training images", line_chart("Loss by epoch", losses, across, up)),
            class_="wide",
        ),
    )


def gradients(results: list[Result], hues: Hues) -> str:
    """Returns the gradient norm of every layer, early and late."""
    depth = len(results[0].layers)
    places = np.arange(1, depth + 2)
    ticks = [*whole(*places[: -1 : -(-depth // 8)]), (depth + 1, "readout")]
    across = Axis("convolution", ticks, (1, depth + 1))
    cards = []
    for epoch, title in ((0, "First epoch"), (-1, "Last epoch")):
        norms = [
            Series(
                result.activation,
                hues[result.activation],
                places,
                result.epochs[epoch].gradient_norms.mean(0),
            )
            for result in results
        ]
        up = decades("gradient norm", np.concatenate([one.y for one in norms]))
        cards.append(card(title, line_chart(f"Gradient norms, {title}", norms, across, up)))
    return section(
        "Gradients",
        "Norm of the gradient of each layer's weights, mean over the steps of an epoch and the "
        "seeds. A line that falls to the left is a gradient that vanishes on its way back.",
        element("div", *cards, class_="wide"),
    )


def values(results: list[Result], hues: Hues) -> str:
    """Returns the histograms of what each activation gives out."""
    edges = np.linspace(*VALUES, NUM_BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    across = Axis("", whole(-4, 0, 4, 8), VALUES)
    cards = []
    for result in results:
        name = result.activation
        shares = [Series(name, hues[name], middles, layer.histogram) for layer in result.layers]
        ridges = list(zip(_layer_names(result), shares, strict=True))
        cards.append(card(name, ridge_chart(f"Values of {name}", ridges, across)))
    return section(
        "Activations",
        "What the activations of each layer give out after training, over all training images. "
        "Each histogram is as high as its row, and heights go with the square root of the share. "
        "Values beyond the axis are counted at its ends.",
        element("div", *cards, class_="small"),
    )


def units(results: list[Result], hues: Hues) -> str:
    """Returns the shares of dead and of saturated units, layer by layer."""
    return section(
        "Dead and saturated units",
        "Share of the units of each layer, over all training images, mean over the seeds.",
        element(
            "div",
            card("Dead units", _unit_table(results, hues, lambda layer: layer.dead)),
            card("Saturated units", _unit_table(results, hues, lambda layer: layer.saturated)),
            class_="wide",
        ),
    )


def _unit_table(
    results: list[Result], hues: Hues, measure: Callable[[LayerUnits], np.ndarray]
) -> str:
    rows = []
    for result in results:
        name = result.activation
        shares = [float(measure(layer).mean()) for layer in result.layers]
        cells = [
            element("td", percent(share), class_="heat", style=f"--share:{share:.3f}")
            for share in shares
        ]
        rows.append(element("tr", element("th", *dotted(name)), *cells, **marked(name, hues[name])))
    return table(["", *_layer_names(results[0])], rows)


def _layer_names(result: Result) -> list[str]:
    return [f"conv {number}" for number in range(1, len(result.layers) + 1)]


def _accuracy_axis() -> Axis:
    """Returns an axis on which equal distances are equal ratios of errors."""
    ticks = [(share / 100, f"{share:g}") for share in (0, 50, 80, 90, 95, 98, 99, 99.5)]
    return Axis("accuracy, %", ticks, (0.0, 0.995), lambda share: -np.log(1 - share))


def _slope(activation: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """Returns the activation of `x`, and how much its sum depends on each element of `x`."""
    value, pull_back = jax.vjp(activation, x)
    return value, pull_back(jnp.ones_like(value))[0]
