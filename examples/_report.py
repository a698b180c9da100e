"""The report: one HTML file that needs no other, in light and dark, for any width."""

import platform
from collections.abc import Iterator
from html import escape
from math import gcd
from pathlib import Path

import flax
import jax
from _figures import Hues, functions, gradients, learning, rates, units, values
from _markup import dotted, element, marked, section, table
from _network import CHANNELS
from _options import Options
from _results import COLUMNS, TARGET, Result, after, at_best_rates, percent, shortfall
from _training import BATCH, MOMENTUM

import jaxact


def report(options: Options, results: list[Result]) -> str:
    """Returns the report, a page of HTML."""
    everything, results = results, at_best_rates(results)
    hues = choose_hues([result.activation for result in results])
    page = element(
        "html",
        element(
            "head",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            element("title", "Activations compared"),
            element("style", _beside_this_file(".css")),
        ),
        element(
            "body",
            heading(options, results),
            legend(hues),
            element(
                "main",
                overview(results, hues),
                rates(everything, hues) if len(options.learning_rates) > 1 else "",
                functions(hues),
                learning(results, hues),
                gradients(results, hues),
                values(results, hues),
                units(results, hues),
                method(options),
            ),
            element("script", _beside_this_file(".js")),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{page}\n"


def choose_hues(activations: list[str]) -> Hues:
    """Returns hues equally far apart, those of neighbours in the list widely."""
    number = len(activations)
    stride = next(s for s in range(max(1, round(0.38 * number)), number + 1) if gcd(s, number) == 1)
    return {
        name: 25 + 360 * (index * stride % number) / number
        for index, name in enumerate(activations)
    }


def heading(options: Options, results: list[Result]) -> str:
    """Returns the title, what was done, and what was found."""
    data = options.data
    done = (
        f"One convolutional network, trained with each of {len(results)} activations, "
        f"{_counted(len(options.learning_rates), 'learning rate')} and "
        f"{_counted(options.seeds, 'seed')} on {len(data.training.labels):,} images of "
        f"{data.name}, and tested on {len(data.held_out.labels):,} others. Nothing but the "
        "activation differs."
    )
    return element(
        "header",
        element("h1", "Activations compared"),
        element("p", escape(done), class_="lead"),
        element(
            "ul", *(element("li", line) for line in findings(options, results)), class_="findings"
        ),
    )


def findings(options: Options, results: list[Result]) -> Iterator[str]:
    """Yields, in a sentence each, what stands out, and why some fell short of the target."""
    best = max(results, key=lambda result: result.accuracy.mean())
    accuracy = percent(best.accuracy.mean())
    yield f"{_bold(best)} was right most often: {accuracy} of the held-out images."
    arrived = [(r.epochs_to_target, r.activation, r) for r in results if r.epochs_to_target]
    if arrived:
        epoch, _, first = min(arrived, key=lambda arrival: arrival[:2])
        yield f"{_bold(first)} was the first to reach {TARGET:.0%}, in epoch {epoch}."
    for result in results:
        if len(result.epochs) < options.epochs:
            yield f"{_bold(result)} was interrupted {after(result, options.epochs)}."
        if reason := shortfall(result):
            yield f"{_bold(result)} ended at {percent(result.accuracy.mean())}: {reason}."


def legend(hues: Hues) -> str:
    """Returns a button per activation, in its colour."""
    buttons = [
        element("button", *dotted(name), type="button", aria_pressed="false", **marked(name, hue))
        for name, hue in hues.items()
    ]
    return element("nav", *buttons, aria_label="Activations: press to bring one out")


def overview(results: list[Result], hues: Hues) -> str:
    """Returns the table of results."""
    rows = []
    for result in results:
        name, *cells = (escape(column.cell(result)) for column in COLUMNS)
        rows.append(
            element(
                "tr",
                element("th", *dotted(name)),
                *(element("td", cell) for cell in cells),
                **marked(result.activation, hues[result.activation]),
            )
        )
    return section(
        "Results",
        "Mean ± standard deviation over the seeds. What the columns mean is said at the end.",
        element("div", table([column.title for column in COLUMNS], rows), class_="card"),
    )


def method(options: Options) -> str:
    """Returns how everything was measured, and with what."""
    clipping = f", gradients clipped to norm {options.clip_norm:g}" if options.clip_norm else ""
    terms = {
        "network": f"{options.depth} convolutions of 3 by 3 pixels and {CHANNELS} channels, each "
        "followed by the activation; then a linear readout. Normalization before the activation: "
        f"{options.normalization}. Weights start in the same way for all (LeCun normal).",
        "training": f"Gradient descent with momentum {MOMENTUM}, learning rate "
        f"{_rates(options)}, {BATCH} images a step, {options.epochs} epochs{clipping}. Not "
        "an adaptive optimizer: that would undo what an activation does to the size of gradients.",
        "unit": "One number that enters an activation: one channel at one position.",
    }
    terms |= {column.title: column.meaning for column in COLUMNS if column.meaning}
    definitions = [
        element("dt", escape(term)) + element("dd", escape(text)) for term, text in terms.items()
    ]
    made_with = (
        f"jaxact {jaxact.__version__}, jax {jax.__version__}, flax {flax.__version__}, "
        f"Python {platform.python_version()} on "
        f"{_counted(len(options.devices), f'{options.devices[0].device_kind} device')}"
    )
    return section(
        "How it was measured",
        "",
        element("dl", *definitions),
        element(
            "footer",
            element("p", escape(made_with)),
            element("p", element("code", escape(options.command))),
        ),
    )


def _bold(result: Result) -> str:
    return element("b", escape(result.activation))


def _rates(options: Options) -> str:
    numbers = " or ".join(f"{rate:g}" for rate in options.learning_rates)
    if len(options.learning_rates) == 1:
        return numbers
    return f"{numbers} (the one at which the training loss of the activation ends lowest)"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number > 1 else "")


def _beside_this_file(suffix: str) -> str:
    return Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")
