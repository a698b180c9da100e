"""What to do about a diagnosis: each recommendation says what was found, and what it rests on."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .._catalog import CATALOG, Entry
from .gradients import EXPLODING, VANISHING, GradientReport
from .units import LayerUnits, UnitReport

MANY_DEAD = 0.1  # of a layer's units
SLOWER = 4  # from 40 % dead to 1 %: docs/signal_health.md, dying ReLU
MANY_SATURATED = 0.5
MANY_LINEAR = 0.9
OFF_CENTRE = 0.8


class Advice(NamedTuple):
    """One recommendation.

    Attributes:
        finding: what it answers, with the numbers.
        remedy: what to do.
        evidence: the measurement or the paper that it rests on.
    """

    finding: str
    remedy: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.finding}: {self.remedy} [{self.evidence}]"


def advise(
    *about: UnitReport | GradientReport | str, learning_rate: float | None = None
) -> tuple[Advice, ...]:
    """What to do about reports on a model, or for a task before there is a model.

    Args:
        *about: reports of one model, and tasks: "cnn", "mlp", "rnn" or "transformer".
        learning_rate: at which the model was trained; makes advice on it a number.

    Returns:
        Recommendations, the gravest finding first; none for a model in good health.

    Raises:
        ValueError: if there is nothing to advise on, or if a task is unknown.

    Example:
        >>> for advice in jaxact.diagnostics.advise("transformer"):
        ...     print(advice.remedy)
        use gelu, or in the feed-forward block a gate of silu or gelu (swiglu, geglu)
    """
    if not about:
        raise ValueError("jaxact.diagnostics.advise: nothing to advise on: pass reports or a task")
    found: list[Advice] = []
    for part in about:
        if isinstance(part, GradientReport):
            found += _on_gradients(part)
    for part in about:
        if isinstance(part, UnitReport):
            found += _on_units(part, learning_rate)
    for part in about:
        if isinstance(part, str):
            found += _on_task(part)
    return tuple(found)


# --- Reports -------------------------------------------------------------------------------------


def _on_gradients(report: GradientReport) -> Iterator[Advice]:
    verdict, reason = report.verdict, report.reason
    finding = f"gradients are {verdict}: {reason}"
    if report.first_nonfinite is not None:
        yield Advice(
            finding,
            "lower the learning rate, clip gradients with optax.clip_by_global_norm, and begin "
            f"the search at {report.first_nonfinite}",
            "Pascanu, Mikolov & Bengio, ICML 2013, arXiv:1211.5063",
        )
        return
    over_time = verdict != "healthy" and not _steep(report.ratio)
    if verdict == "exploding":
        yield Advice(
            finding,
            "clip gradients with optax.clip_by_global_norm"
            + ("" if over_time else ", normalise, or start from jaxact.theory.initializer"),
            "Pascanu, Mikolov & Bengio, ICML 2013, arXiv:1211.5063; docs/signal_health.md, "
            "gradient by depth",
        )
    elif verdict == "vanishing" and over_time:
        yield Advice(
            finding,
            "use a cell with a gated memory, such as an LSTM, with its forget gate open at first",
            "Hochreiter & Schmidhuber, 1997; docs/signal_health.md, gradient over time",
        )
    elif verdict == "vanishing":
        saturating = sorted({s.activation.partition("#")[0] for s in report.signals} & _bounded())
        yield Advice(
            finding,
            (
                f"replace {', '.join(saturating)} by relu or another that does not level off; or "
                if saturating
                else ""
            )
            + "put batch normalisation before the activations, and start from "
            "jaxact.theory.initializer of the activation",
            "Glorot & Bengio, AISTATS 2010; Ioffe & Szegedy, ICML 2015, arXiv:1502.03167; "
            "docs/signal_health.md, gradient by depth",
        )


def _steep(ratio: float) -> bool:
    return not VANISHING <= ratio <= EXPLODING


def _bounded() -> set[str]:
    """The activations that level off on both sides."""
    return {
        name
        for name, entry in CATALOG.items()
        if entry.kind == "elementwise" and _levels_off(entry)
    }


def _levels_off(entry: Entry) -> bool:
    return all(map(math.isfinite, entry.range(**entry.samples[0])))


def _on_units(report: UnitReport, learning_rate: float | None) -> Iterator[Advice]:
    rules: tuple[Callable[..., Iterator[Advice]], ...] = (_broken, _dead, _saturated, _linear)
    for rule in rules:
        for layer in report.layers:
            yield from rule(layer, learning_rate)
    yield from _off_centre(report)


def _broken(layer: LayerUnits, _: float | None) -> Iterator[Advice]:
    number = int(layer.summary()["nonfinite"])
    if number:
        yield Advice(
            f"{number} values of {_called(layer)} are not finite",
            "look at the weights before it, and lower the learning rate",
            "measured: this report",
        )


def _dead(layer: LayerUnits, learning_rate: float | None) -> Iterator[Advice]:
    share = layer.summary()["dead"]
    if share > MANY_DEAD:
        slower = "" if learning_rate is None else f" below {learning_rate / SLOWER:.2g}"
        yield Advice(
            f"{share:.0%} of {_called(layer)} is dead",
            f"train anew with a learning rate{slower or ' a few times lower'}: dead units do not "
            "recover; or use leaky_relu, elu, prelu or maxout, whose slope is nowhere 0 for good",
            "measured: docs/signal_health.md, dying ReLU; Maas, Hannun & Ng, 2013; He et al., "
            "ICCV 2015, arXiv:1502.01852",
        )


def _saturated(layer: LayerUnits, _: float | None) -> Iterator[Advice]:
    found = layer.summary()
    share, name = found["saturated"] - found["dead"], layer.activation.partition("#")[0]
    if share > MANY_SATURATED and name in _bounded():
        yield Advice(
            f"{share:.0%} of {_called(layer)} is saturated: at most a tenth of the gradient passes",
            f'make its inputs smaller, with jaxact.theory.initializer("{name}") or batch '
            "normalisation before it, or use an activation that does not level off",
            "Glorot & Bengio, AISTATS 2010; Ioffe & Szegedy, ICML 2015, arXiv:1502.03167",
        )


def _linear(layer: LayerUnits, _: float | None) -> Iterator[Advice]:
    share, variance = layer.summary()["always_on"], layer.summary()["variance"]
    if share > MANY_LINEAR:
        yield Advice(
            f"{share:.0%} of {_called(layer)} is always on: the layer is linear on this data "
            f"(variance of its values {variance:.2g})",
            "make its inputs larger, or leave the layer out: it adds nothing that a linear map "
            "could not",
            "measured: this report",
        )


def _off_centre(report: UnitReport) -> Iterator[Advice]:
    biased = [
        layer
        for layer in report.layers
        if layer.summary()["off_centre"] > OFF_CENTRE
        and layer.activation.partition("#")[0] in _bounded()
    ]
    if len(biased) > 1:
        mean = sum(layer.summary()["off_centre"] for layer in biased) / len(biased)
        yield Advice(
            f"values of {len(biased)} layers lie to one side of 0 (off centre by {mean:.2f}), "
            f"from {_called(biased[0])} on",
            "use an activation that is centred on 0, such as tanh, or normalise",
            "LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998",
        )


def _called(layer: LayerUnits) -> str:
    return f"{layer.layer or 'the model'} ({layer.activation})"


# --- Tasks ---------------------------------------------------------------------------------------

_TASKS = {
    "cnn": (
        Advice(
            "a convolutional network",
            "start with relu and a small learning rate; if units die, use leaky_relu, elu, prelu "
            "or maxout; keep sigmoid to the last dense layers; tanh is seldom the best",
            "Krizhevsky, Sutskever & Hinton, NIPS 2012; Xu et al., arXiv:1505.00853; measured: "
            "docs/signal_health.md, dying ReLU",
        ),
    ),
    "mlp": (
        Advice(
            "a stack of dense layers",
            "start with relu and jaxact.theory.initializer; for tens of layers without "
            'normalisation use selu with jaxact.theory.initializer("selu")',
            "He et al., ICCV 2015, arXiv:1502.01852; Klambauer et al., NIPS 2017, "
            "arXiv:1706.02515; measured: docs/signal_health.md, gradient by depth",
        ),
    ),
    "rnn": (
        Advice(
            "a recurrent network",
            "use an LSTM or a GRU, in which sigmoid and tanh are at home, and clip gradients",
            "Hochreiter & Schmidhuber, 1997; Pascanu, Mikolov & Bengio, ICML 2013, "
            "arXiv:1211.5063; measured: docs/signal_health.md, gradient over time",
        ),
    ),
    "transformer": (
        Advice(
            "a transformer",
            "use gelu, or in the feed-forward block a gate of silu or gelu (swiglu, geglu)",
            "Hendrycks & Gimpel, arXiv:1606.08415; Shazeer, arXiv:2002.05202",
        ),
    ),
}


def _on_task(task: str) -> tuple[Advice, ...]:
    if task not in _TASKS:
        raise ValueError(
            f"jaxact.diagnostics.advise: task is {task!r}, but must be one of {', '.join(_TASKS)}"
        )
    return _TASKS[task]
