"""What to do about a diagnosis: each recommendation says what was found, and what it rests on."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from .._arguments import require
from .._catalog import CATALOG, Entry
from ._reports import require_type
from .gradients import GradientReport
from .rows import Choices, Rows
from .units import LayerUnits, UnitReport

MANY_DEAD = 0.1  # of a layer's units, and what chance makes of few examples besides
SLOWER = 4  # from 40 % dead to 1 %: docs/signal_health.md, dying ReLU
MANY_SATURATED = 0.5
MANY_LINEAR = 0.9
SMALL = 0.02  # root mean square of values where what levels off is called linear
OFF_CENTRE = 0.8
FEW = 16  # examples, of which nothing is concluded
CLOSED = 0.05  # mean of a forget gate
MANY_ONE_HOT = 0.9  # of the rows of attention
MANY_STUCK = 0.9  # of the units of a gate that is saturated
EXPERTS = 256  # beyond, a top-k chooses features
OFTEN = 20  # times each entry would have been chosen, were all alike

Sure = Literal["certain", "likely", "possible"]


class Advice(NamedTuple):
    """One recommendation.

    Attributes:
        finding: what it answers, with the numbers.
        remedy: what to do.
        evidence: the measurement or the paper that it rests on.
        sure: "certain", where the report shows the fault itself; "likely"; or "possible", where it
            may be meant.
    """

    finding: str
    remedy: str
    evidence: str
    sure: Sure = "likely"

    def __str__(self) -> str:
        return f"{self.finding}: {self.remedy} [{self.sure}; {self.evidence}]"


def advise(
    *about: UnitReport | GradientReport | str,
    learning_rate: float | None = None,
    top: int | None = 10,
) -> tuple[Advice, ...]:
    """What to do about reports on a model, or for a task before there is a model.

    Args:
        *about: reports of one model, and tasks: "cnn", "mlp", "rnn" or "transformer".
        learning_rate: at which the model was trained; makes advice on it a number.
        top: how many recommendations at most; None for all.

    Returns:
        Recommendations, the gravest finding first, one for all layers that share it; none for a
        model in good health.

    Raises:
        TypeError: if something is neither a report nor a task.
        ValueError: if there is nothing to advise on, or if a task is unknown.

    Example:
        >>> for advice in jaxact.diagnostics.advise("transformer"):
        ...     print(advice.remedy)
        use gelu, or in the feed-forward block a gate of silu or gelu (swiglu, geglu)
    """
    if not about:
        raise ValueError("jaxact.diagnostics.advise: nothing to advise on: pass reports or a task")
    for number, part in enumerate(about):
        kinds = UnitReport, GradientReport, str
        require_type(part, kinds, "advise", f"argument {number}")
    if learning_rate is not None:
        require_type(learning_rate, (int, float), "advise", "learning_rate")
        require(
            learning_rate > 0,
            "jaxact.diagnostics.advise",
            "learning_rate",
            learning_rate,
            "be positive",
        )
    found: list[Advice] = []
    for part in about:
        if isinstance(part, GradientReport):
            found += _on_gradients(part, learning_rate)
    for part in about:
        if isinstance(part, UnitReport):
            found += _on_units(part, learning_rate)
    for part in about:
        if isinstance(part, str):
            found += _on_task(part)
    return tuple(found[:top])


# --- Gradients -----------------------------------------------------------------------------------

_CLIPPING = "Pascanu, Mikolov & Bengio, ICML 2013, arXiv:1211.5063"
_MEMORY = (
    "Hochreiter & Schmidhuber, 1997; Tallec & Ollivier, ICLR 2018; docs/signal_health.md, "
    "gradient over time"
)


def _on_gradients(report: GradientReport, learning_rate: float | None) -> Iterator[Advice]:
    verdict = report.verdict
    if verdict == "healthy":
        return
    finding = f"gradients are {verdict}: {report.reason}"
    if report.first_nonfinite is not None:
        yield Advice(
            finding,
            "lower the learning rate, clip gradients with optax.clip_by_global_norm, and begin "
            f"the search at {report.first_nonfinite}",
            _CLIPPING,
            "certain",
        )
    elif report.cause == "a dead layer":
        yield Advice(finding, f"{_anew(learning_rate)}; {_ALIVE}", _DYING, "certain")
    elif report.cause == "a constant loss":
        yield Advice(
            finding,
            "see that the loss is computed from the model's results, and that nothing between "
            "rounds, compares, or stops the gradient",
            "measured: this report",
            "certain",
        )
    elif verdict == "exploding" and report.over == "time":
        yield Advice(finding, "clip gradients with optax.clip_by_global_norm", _CLIPPING)
    elif verdict == "exploding":
        yield Advice(
            finding,
            "clip gradients with optax.clip_by_global_norm, normalise, or start from "
            "jaxact.theory.initializer",
            f"{_CLIPPING}; docs/signal_health.md, gradient by depth",
        )
    elif report.over == "time" and report.recurrent == "gated":
        yield Advice(
            finding,
            "open the forget gate: start its bias at the logarithm of the number of steps",
            _MEMORY,
        )
    elif report.over == "time":
        yield Advice(
            finding,
            "use a cell with a gated memory, such as an LSTM, with its forget gate open at first",
            _MEMORY,
        )
    else:
        units = {s.activation.partition("#")[0] for s in report.signals if s.role == "unit"}
        saturating = sorted(units & _bounded())
        replace = (
            f"replace {', '.join(saturating)} by relu or another that does not level off; or "
            if saturating
            else ""
        )
        yield Advice(
            finding,
            f"{replace}put batch normalisation before the activations, and start from "
            "jaxact.theory.initializer of the activation",
            "Glorot & Bengio, AISTATS 2010; Ioffe & Szegedy, ICML 2015, arXiv:1502.03167; "
            "docs/signal_health.md, gradient by depth",
        )


def _bounded() -> set[str]:
    """The activations that level off on both sides."""
    return {
        name
        for name, entry in CATALOG.items()
        if entry.kind == "elementwise" and _levels_off(entry)
    }


def _levels_off(entry: Entry) -> bool:
    return all(map(math.isfinite, entry.range(**entry.samples[0])))


# --- Units ---------------------------------------------------------------------------------------

_DYING = (
    "measured: docs/signal_health.md, dying ReLU; Maas, Hannun & Ng, 2013; He et al., ICCV 2015, "
    "arXiv:1502.01852"
)
_ALIVE = "or use leaky_relu, elu, prelu or maxout, whose slope is nowhere 0 for good"
_SATURATION = "Glorot & Bengio, AISTATS 2010; Ioffe & Szegedy, ICML 2015, arXiv:1502.03167"


class _Fault(NamedTuple):
    """What is wrong with one layer; the same rule's faults are told in one line."""

    part: Any
    share: float  # in words of the finding
    what: str
    remedy: str
    evidence: str
    sure: Sure = "likely"


def _on_units(report: UnitReport, learning_rate: float | None) -> Iterator[Advice]:
    layers = [layer for layer in report.layers if layer.summary()["examples"]]
    rules: list[tuple[Callable[..., Iterator[_Fault]], Sequence[Any]]] = [
        (_broken, layers),
        (_dead, layers),
        (_collapsed, report.rows),
        (_saturated, layers),
        (_stuck, layers),
        (_closed, layers),
        (_unused, report.choices),
        (_linear, layers),
        (_off_centre, layers),
    ]
    for rule, parts in rules:
        faults = [fault for part in parts for fault in rule(part, learning_rate)]
        if rule is _off_centre and len(faults) < 2:
            continue
        alike = lambda fault: (fault.what, fault.remedy, _plain(fault.part))
        for _, group in groupby(sorted(faults, key=alike), alike):
            yield _told(list(group))


def _told(faults: list[_Fault]) -> Advice:
    """One line for the same fault in several layers, the worst of them first."""
    first = faults[0]
    shares = sorted(fault.share for fault in faults)
    share = f"{shares[-1]:.0%}" if len(faults) == 1 else f"{shares[0]:.0%} to {shares[-1]:.0%}"
    share = f"{shares[0]:.0%}" if shares[0] == shares[-1] else share
    where = _called(first.part)
    if len(faults) > 1:
        last = faults[-1].part
        where = (
            f"{first.part.layer or first.part.activation} to {last.layer or last.activation} "
            f"({_plain(first.part)}), {len(faults)} layers,"
        )
    return Advice(
        first.what.format(share=share, where=where), first.remedy, first.evidence, first.sure
    )


def _plain(part: Any) -> str:
    return part.activation.partition("#")[0]


def _anew(learning_rate: float | None) -> str:
    slower = "a few times lower"
    if learning_rate is not None:
        slower = f"below {learning_rate / SLOWER:.2g}"
    return f"train anew with a learning rate {slower}: dead units do not recover"


def _broken(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    number = int(layer.summary()["nonfinite"])
    if number:
        yield _Fault(
            layer,
            number / (float(layer.summary()["examples"]) * layer.summary()["units"]),
            "{share} of the values of {where} are not finite",
            "look at the weights before it, and lower the learning rate",
            "measured: this report",
            "certain",
        )


def _dead(layer: LayerUnits, learning_rate: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    by_chance = 2 / math.sqrt(found["examples"])
    if layer.role == "unit" and found["dead"] > MANY_DEAD + by_chance and _enough(layer):
        since = f", since step {found['dead_since']}" if "dead_since" in found else ""
        yield _Fault(
            layer,
            found["dead"],
            "{share} of {where} is dead" + since,
            f"{_anew(learning_rate)}; {_ALIVE}",
            _DYING,
            "certain" if found["examples"] >= 1000 else "likely",
        )


def _enough(layer: LayerUnits) -> bool:
    return layer.summary()["examples"] >= FEW


def _saturated(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    share, name = found["saturated"] - found["dead"], _plain(layer)
    if layer.role == "unit" and share > MANY_SATURATED and name in _bounded() and _enough(layer):
        yield _Fault(
            layer,
            share,
            "{share} of {where} is saturated: at most a tenth of the gradient passes",
            f'make its inputs smaller, with jaxact.theory.initializer("{name}") or batch '
            "normalisation before it, or use an activation that does not level off",
            _SATURATION,
        )


def _stuck(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    gate = layer.role == "gate" and _plain(layer) in _bounded()
    if gate and found["saturated"] > MANY_STUCK and _enough(layer):
        yield _Fault(
            layer,
            found["saturated"],
            "{share} of the gate {where} is saturated: it no longer learns when to open",
            "make its inputs smaller: smaller weights, normalisation before it, or a lower "
            "learning rate",
            _SATURATION,
        )


def _closed(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    if layer.role == "forget gate" and found["mean"] < CLOSED and _enough(layer):
        yield _Fault(
            layer,
            found["mean"],
            "the forget gate {where} is closed: it keeps {share} of the state at each step",
            "start its bias at 1 or more, or at the logarithm of the number of steps",
            _MEMORY,
            "certain",
        )


def _linear(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    small = found["root_mean_square"] < SMALL
    judged = layer.role == "unit" and _enough(layer) and (small or _plain(layer) not in _bounded())
    if judged and found["always_on"] > MANY_LINEAR:
        yield _Fault(
            layer,
            found["always_on"],
            "{share} of {where} is always on: the layer is linear on this data",
            "make its inputs larger, or leave the layer out: it adds nothing that a linear map "
            "could not",
            "measured: this report",
            "possible",
        )


def _off_centre(layer: LayerUnits, _: float | None) -> Iterator[_Fault]:
    found = layer.summary()
    name = _plain(layer)
    if layer.role == "unit" and found["off_centre"] > OFF_CENTRE and name in _bounded():
        yield _Fault(
            layer,
            found["off_centre"],
            "values of {where} lie to one side of 0 (off centre by {share})",
            "use an activation that is centred on 0, such as tanh, or normalise",
            "LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998",
            "possible",
        )


# --- Rows ----------------------------------------------------------------------------------------


def _collapsed(rows: Rows, _: float | None) -> Iterator[_Fault]:
    found = rows.summary()
    attention = "attention" in rows.activation or "sigmoid" in rows.activation
    if found["rows"] >= FEW and attention and found["one_hot"] > MANY_ONE_HOT:
        yield _Fault(
            rows,
            found["one_hot"],
            "attention of {where} has collapsed: {share} of its rows look at one entry alone, "
            f"with logits up to {found['largest_logit']:.2g}",
            "normalise queries and keys, cap the logits, or start from smaller weights",
            "Dehghani et al., ICML 2023, arXiv:2302.05442; Zhai et al., ICML 2023, "
            "arXiv:2303.06296",
        )


def _unused(choices: Choices, _: float | None) -> Iterator[_Fault]:
    found = choices.summary()
    if not found["rows"]:
        return
    each = float(choices.load.sum()) / found["entries"]
    share = found["unused"] / found["entries"]
    if found["entries"] > EXPERTS:
        if share > MANY_DEAD and each >= OFTEN:
            yield _Fault(
                choices,
                share,
                "{share} of the features that {where} chooses from are never chosen",
                "add a loss that revives them, or start the encoder as the decoder transposed",
                "Gao et al., ICLR 2025, arXiv:2406.04093",
            )
    elif found["unused"] and each >= OFTEN:
        yield _Fault(
            choices,
            share,
            f"{found['unused']} of {found['entries']} experts ({{share}}) of {{where}} are never "
            "chosen",
            "add a loss that balances their loads, or noise to the scores of the router",
            "Shazeer et al., ICLR 2017, arXiv:1701.06538; Fedus, Zoph & Shazeer, JMLR 2022, "
            "arXiv:2101.03961",
            "certain",
        )


def _called(part: Any) -> str:
    return f"{part.layer or 'the model'} ({part.activation})"


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
