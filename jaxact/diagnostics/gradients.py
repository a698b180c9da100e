"""Whether gradients vanish or explode: their norms by layer, and a verdict with its reason."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .._jax import Tracer, scan_p
from ..tracing.programs import Program, Site, Variable, scan_carry
from ..tracing.running import run, trace
from ._models import Model, compiled, disassemble
from ._reports import Report, keys, names, numbered, require_data, unrolled
from .roles import Flow, Role, roles

VANISHING = 1e-2  # of the signal at the last layer, left at the first
EXPLODING = 1e2
BOTTLENECK = 1e-3  # of the signals at both ends; and where signals have other ways around, too
FORGOTTEN = 1e-4  # over time, in a cell whose gates may open yet
FITTED = 1e-4  # loss, of a model without a gradient

Verdict = Literal["vanishing", "healthy", "exploding"]
Cause = Literal["", "zero weights", "a dead layer", "a constant loss", "a fitted model"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("norm", "largest", "nonfinite", "nonfinite_values", "runs", "slope"),
    meta_fields=("layer", "activation", "role", "bypassed", "over_time"),
)
@dataclasses.dataclass(frozen=True)
class Signal:
    """The gradient of the loss by what enters an activation.

    Attributes:
        layer: where the activation is called: the path of the module.
        activation: its name.
        role: what it does there, as in a unit report.
        bypassed: whether the data have other ways around it: a skip, or a branch in parallel.
        over_time: whether it is in a loop over steps, of time say.
        norm: of the gradient; within loops over time one for each step, as they are executed.
        largest: the largest magnitude in it, likewise.
        nonfinite: how many of its numbers are not finite, likewise.
        nonfinite_values: how many values of the activation are not finite.
        runs: how often it was executed.
        slope: the largest magnitude of its slope.
    """

    layer: str
    activation: str
    role: Role
    bypassed: bool
    over_time: bool
    norm: Array
    largest: Array
    nonfinite: Array
    nonfinite_values: Array
    runs: Array
    slope: Array

    @property
    def ran(self) -> bool:
        """Whether it was executed at all: a branch may not have been."""
        return bool(np.any(self.runs))

    @property
    def total(self) -> float:
        """The norm over all steps."""
        return _norm(self.norm)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("norm", "weight_norm", "nonfinite"),
    meta_fields=("layer", "size"),
)
@dataclasses.dataclass(frozen=True)
class LayerGradient:
    """The gradient of the loss by the parameters of a layer.

    Attributes:
        layer: the path of the module that owns them.
        size: how many they are.
        norm: of the gradient.
        weight_norm: of the parameters.
        nonfinite: how many numbers of the gradient are not finite.
    """

    layer: str
    size: int
    norm: Array
    weight_norm: Array
    nonfinite: Array


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("loss", "signals", "gradients"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class GradientReport(Report):
    """What becomes of gradients on their way back, layer by layer, in order of execution.

    It is a pytree of arrays; what it concludes from them is computed when asked for.

    Attributes:
        loss: its value.
        signals: the gradients by what enters each activation.
        gradients: the gradients by the parameters of each layer.
    """

    loss: Array
    signals: tuple[Signal, ...]
    gradients: tuple[LayerGradient, ...]

    @property
    def verdict(self) -> Verdict:
        """What becomes of gradients."""
        return self._judge()[0]

    @property
    def reason(self) -> str:
        """The numbers that the verdict rests on, in a sentence."""
        return self._judge()[1]

    @property
    def cause(self) -> Cause:
        """Why gradients are 0, where they are."""
        return self._cause()[0]

    @property
    def over(self) -> Literal["", "depth", "time"]:
        """Along what gradients vanish or explode."""
        return self._judge()[2]

    @property
    def recurrent(self) -> Literal["", "plain", "gated"]:
        """Whether there is a loop over time, and whether a gate decides what it keeps."""
        gated = any(signal.role == "forget gate" for signal in self.signals)
        looped = any(signal.over_time for signal in self.signals)
        return "gated" if gated else "plain" if looped else ""

    @property
    def ratio(self) -> float:
        """What is left of the signal at the first activation, of that at the last.

        If there is only one activation, and so no signal to compare: of the gradient by the
        parameters of the first layer, of that of the last.
        """
        norms = self._norms()
        return _ratio(norms[0], norms[-1]) if norms else 1.0

    @property
    def factors(self) -> list[float]:
        """By how much each layer multiplies the signal on its way back: one less than signals."""
        norms = [signal.total for signal in self.signals if signal.ran]
        return [_ratio(a, b) for a, b in itertools.pairwise(norms)]

    @property
    def over_time(self) -> dict[str, float]:
        """For each layer in a loop over time: its signals at the first step, over the last.

        Those of its units: at the first step there is no state yet that a gate could keep.
        """
        steps: dict[str, np.ndarray] = {}
        for signal in self._path():
            squares = np.ravel(signal.norm).astype(np.float64) ** 2
            if not signal.ran or not signal.over_time:
                continue
            if squares.size > 1 and np.size(steps.get(signal.layer, squares)) == squares.size:
                steps[signal.layer] = steps.get(signal.layer, 0) + squares
        return {layer: _ratio(s[0], s[-1]) ** 0.5 for layer, s in steps.items()}

    @property
    def first_nonfinite(self) -> str | None:
        """Where the first number that is not finite arises, in order of computation."""
        for signal in self.signals:
            if np.sum(signal.nonfinite_values):
                return f"the values of {_called(signal)}"
        if not np.all(np.isfinite(self.loss)):
            return "the loss"
        for signal in reversed(self.signals):
            if np.sum(signal.nonfinite):
                return f"the gradient at {_called(signal)}"
        for gradient in reversed(self.gradients):
            if np.sum(gradient.nonfinite):
                return f"the gradient by the parameters of {gradient.layer or 'the model'}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "cause": self.cause,
            "over": self.over,
            "recurrent": self.recurrent,
            "loss": float(self.loss),
            "ratio": self.ratio,
            "over_time": self.over_time,
            "first_nonfinite": self.first_nonfinite,
            "signals": [
                {
                    "layer": signal.layer,
                    "activation": signal.activation,
                    "role": signal.role,
                    "ran": signal.ran,
                    "bypassed": signal.bypassed,
                    "norm": signal.total,
                    "largest": float(np.max(signal.largest)),
                    "by_step": np.ravel(signal.norm).tolist(),
                }
                for signal in self.signals
            ],
            "gradients": [
                {
                    "layer": gradient.layer,
                    "parameters": gradient.size,
                    "norm": float(gradient.norm),
                    "weight_norm": float(gradient.weight_norm),
                }
                for gradient in self.gradients
            ],
        }

    def scalars(self, prefix: str = "gradients") -> dict[str, float]:
        """One flat dictionary, as TensorBoard and W&B take it."""
        found = {f"{prefix}/ratio": self.ratio, f"{prefix}/loss": float(self.loss)}
        for signal in self.signals:
            name = f"{prefix}/{signal.layer or 'model'}/{signal.activation}/signal"
            found[name] = signal.total
        for gradient in self.gradients:
            found[f"{prefix}/{gradient.layer or 'model'}/norm"] = float(gradient.norm)
        return found

    def table(self, top: int | None = None) -> Any:
        """A table for `rich.print`, of 80 columns.

        Args:
            top: how many signals and how many layers to show, the weakest; by default all.
        """
        from ._tables import gradient_table

        return gradient_table(self, top)

    def plot(self) -> Any:
        """A matplotlib figure: the norms of signals and of gradients, layer by layer."""
        from ._plots import gradient_figure

        return gradient_figure(self)

    def _path(self) -> list[Signal]:
        """The signals to compare, in order of execution."""
        ran = [signal for signal in self.signals if signal.ran]
        units = [signal for signal in ran if signal.role == "unit"]
        return units if len(units) > 1 else ran

    def _norms(self) -> list[float]:
        signals = [signal.total for signal in self._path()]
        return signals if len(signals) > 1 else [float(g.norm) for g in self.gradients]

    def _cause(self) -> tuple[Cause, str]:
        """Why gradients are 0; and in which layer."""
        norms = [float(g.norm) for g in self.gradients]
        if not self.gradients:
            return "", ""
        loss = abs(float(self.loss))
        silent = [g for g in self.gradients if float(g.norm) == 0]
        if not silent and all(s.total for s in self._path()):
            return "", ""
        # The last layer without weights that stops all signals before it.
        zero = [g for g in self.gradients if float(g.weight_norm) == 0 and float(g.norm) > 0]
        dead = [s for s in self._path() if float(np.max(s.slope)) == 0]
        if not any(norms):
            if dead:
                return "a dead layer", _called(dead[-1])
            return ("a fitted model" if loss < FITTED else "a constant loss"), ""
        if zero and any(s.total == 0 for s in self._path()):
            return "zero weights", zero[-1].layer or "the model"
        if dead and any(s.total == 0 for s in self._path()):
            return "a dead layer", _called(dead[-1])
        return "", ""

    def _judge(self) -> tuple[Verdict, str, Literal["", "depth", "time"]]:
        where = self.first_nonfinite
        if where is not None:
            return "exploding", f"{where} is the first that is not finite", "depth"
        cause, layer = self._cause()
        norms = self._norms()
        if cause == "a dead layer":
            weights = [float(g.norm) for g in self.gradients]
            arrives = "anywhere: all norms are 0"
            if any(weights):
                arrives = f"at {weights.count(0)} of {len(weights)} layers"
            return "vanishing", f"no gradient arrives {arrives}, as {layer} is dead", "depth"
        if cause == "a constant loss":
            reason = f"no gradient arrives anywhere: the loss, {float(self.loss):.3g}, is constant"
            return "vanishing", reason, "depth"
        if cause == "a fitted model":
            reason = (
                f"the model is fitted: the loss is {float(self.loss):.2g}, and no gradient left"
            )
            return "healthy", reason, ""
        if cause == "zero weights":
            reason = (
                f"the weights of {layer} are 0, so that no gradient passes them yet: report again "
                "after a step"
            )
            path = [signal for signal in self._path() if signal.total]
            if len(path) > 1:
                verdict, why = self._around(path, [signal.total for signal in path])
                return (
                    verdict,
                    f"{reason}; elsewhere {why}",
                    "depth" if verdict != "healthy" else "",
                )
            return "healthy", reason, ""
        if not any(norms):
            return "vanishing", "no gradient arrives anywhere: all norms are 0", "depth"
        verdict, reason = self._over_depth(norms)
        if verdict != "healthy":
            return verdict, reason, "depth"
        limit = FORGOTTEN if self.recurrent == "gated" else VANISHING
        for layer, over_time in self.over_time.items():
            verdict = "vanishing" if over_time < limit else "healthy"
            verdict = "exploding" if over_time > EXPLODING else verdict
            if verdict != "healthy":
                reason = (
                    f"signals in {layer or 'the model'} at the first step of time are "
                    f"{over_time:.2g} of those at the last (vanishing below {limit:g}, exploding "
                    f"above {EXPLODING:g})"
                )
                return verdict, reason, "time"
        return "healthy", reason, ""

    def _over_depth(self, norms: list[float]) -> tuple[Verdict, str]:
        path = self._path()
        if len(path) > 1 and any(signal.bypassed for signal in path):
            return self._around(path, norms)
        ratio = self.ratio
        steps = max(1, len(norms) - 1)
        factor = ratio ** (1 / steps) if 0 < ratio < math.inf else ratio
        what = "signals" if len(path) > 1 else "gradients by the parameters"
        reason = (
            f"{what}: norm {norms[0]:.2g} at the first layer, {norms[-1]:.2g} at the last; each of "
            f"{steps} steps back multiplies it by {factor:.2g} on average, all of them by "
            f"{ratio:.2g} (vanishing below {VANISHING:g}, exploding above {EXPLODING:g})"
        )
        weakest = int(np.argmin(norms))
        if len(path) > 1 and norms[weakest] < BOTTLENECK * min(norms[0], norms[-1]):
            return "vanishing", (
                f"a bottleneck at {_called(path[weakest])}: its signal, {norms[weakest]:.2g}, is "
                f"below {BOTTLENECK:g} of those at both ends, {norms[0]:.2g} and {norms[-1]:.2g}"
            )
        return _verdict(ratio), reason

    def _around(self, path: list[Signal], norms: list[float]) -> tuple[Verdict, str]:
        """Where signals have ways around: the extremes, and the first third against the last."""
        low, high = int(np.argmin(norms)), int(np.argmax(norms))
        reason = (
            f"signals have ways around: the lowest norm is {norms[low]:.2g} at "
            f"{_called(path[low])}, the highest {norms[high]:.2g} at {_called(path[high])}"
        )
        third = max(1, len(norms) // 3)
        ratio = _ratio(max(norms[:third]), max(norms[-third:]))
        verdict: Verdict = "healthy"
        if ratio < BOTTLENECK:
            verdict = "vanishing"
        elif ratio > 1 / BOTTLENECK:
            verdict = "exploding"
        if verdict != "healthy":
            reason += f"; the largest of the first third is {ratio:.2g} of that of the last"
        return verdict, reason


def gradient_report(loss: Callable[[Any, Any], Any], model: Any, batch: Any) -> GradientReport:
    """What becomes of gradients on their way back through a model.

    Args:
        loss: a function of the model and a batch that returns a number.
        model: a module of NNX; a module of Linen, bound to its variables; or a pytree of
            parameters. It is left as it is.
        batch: what the loss takes.

    Returns:
        Norms of gradients by the parameters of each layer, and of signals: gradients by what enters
        each activation. Numbers that are not finite are findings, reported with the first layer
        where they arise.

    A second report on the same model, loss and shapes compiles nothing.

    Raises:
        TypeError: if the loss is no function, or no single real number.
        ValueError: if the model has no parameters or no activation, if the batch is empty or holds
            what is not finite, or if a module of Linen is not bound.

    Example:
        >>> rngs = nnx.Rngs(0)
        >>> layers = [nnx.Linear(8, 8, rngs=rngs), jaxact.sigmoid] * 12
        >>> model = nnx.Sequential(*layers)
        >>> loss = lambda model, x: jnp.mean(model(x) ** 2)
        >>> jaxact.diagnostics.gradient_report(loss, model, jnp.ones((4, 8))).verdict
        'vanishing'
    """
    where = "jaxact.diagnostics.gradient_report"
    if not callable(loss):
        raise TypeError(f"{where}: loss is {loss!r}, but must be a function of model and batch")
    parts = disassemble(model, "gradient_report")
    if not jax.tree.leaves(parts.parameters):
        raise ValueError(
            f"{where}: model has no parameters: pass a module, or a pytree of parameters that the "
            "loss takes"
        )
    require_data(batch, f"{where}: batch")
    _require_finite(batch)
    return compiled(_program, parts, loss)(parts.parameters, parts.others, batch)


def _program(parts: Model, loss: Callable[[Any, Any], Any]) -> Callable[..., GradientReport]:
    return jax.jit(functools.partial(_report, parts, loss))


def _require_number(value: Any) -> None:
    leaves = jax.tree.leaves(value)
    (only,) = leaves if len(leaves) == 1 else (None,)
    if only is None or only.shape != () or not jnp.issubdtype(only.dtype, jnp.floating):
        got = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves) or "nothing"
        raise TypeError(
            f"jaxact.diagnostics.gradient_report: loss must return one real number, got {got}: "
            "return its mean over the batch, and nothing besides"
        )


def _require_finite(batch: Any) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
        if isinstance(leaf, Tracer) or not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            continue
        with jax.ensure_compile_time_eval():
            count = int(jnp.sum(~jnp.isfinite(jnp.asarray(leaf))))
        if count:
            raise ValueError(
                f"jaxact.diagnostics.gradient_report: batch{jax.tree_util.keystr(path)} holds "
                f"{count} values that are not finite: mask or repair them first"
            )


def _report(parts: Model, loss, parameters: Any, others: Any, batch: Any) -> GradientReport:
    arguments = parameters, others, batch
    _require_number(jax.eval_shape(parts.pure(loss), *arguments))
    program, flat, _ = trace(parts.pure(loss), arguments, (2,))
    sites = [site for site in program.all_sites() if _is_seen(site, parts)]
    if not sites:
        raise ValueError(
            "jaxact.diagnostics.gradient_report: no activation was found in the model: call "
            "functions of jaxact or jax.nn in it, or declare yours with @jaxact.activation and jit "
            "it; without one, gradients are products of weights alone"
        )
    flow = Flow(program)
    found, bypassed = roles(program, flow), flow.bypassed()
    leaves = jax.tree.leaves(parameters)
    learned = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    def total(learned_leaves, probes):
        arguments = list(flat)
        for index, leaf in zip(learned, learned_leaves, strict=True):
            arguments[index] = leaf
        (value,), readings = run(program, arguments, _Tap(), dict(zip(sites, probes, strict=True)))
        return value, [readings[site] for site in sites]

    probes = [None if _open(site) else jnp.zeros((*_lengths(site), 3)) for site in sites]
    (value, seen), (gradients, stats) = jax.value_and_grad(total, (0, 1), has_aux=True)(
        [leaves[i] for i in learned], probes
    )
    named = dict(zip(sites, names(sites, parts.layer, parts.owners()), strict=True))
    stats_of = dict(zip(sites, stats, strict=True))
    seen_of = dict(zip(sites, seen, strict=True))
    signals = []
    for site, index in unrolled([site for site in sites if not _open(site)]):
        layer, activation = named[site]
        norm, largest, nonfinite = jnp.moveaxis(_by_round(site, stats_of[site])[index], -1, 0)
        values = seen_of[site]
        signals.append(
            Signal(
                layer=numbered(layer, index),
                activation=activation,
                role=found[site],
                bypassed=site in bypassed,
                over_time=any(loop.over == "steps" for loop in site.loops),
                norm=norm,
                largest=largest,
                nonfinite=nonfinite,
                **{name: value[index] for name, value in values.items()},
            )
        )
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(parameters)]
    entries = [
        (keys(paths[i]), program.inputs[i], leaves[i], gradient)
        for i, gradient in zip(learned, gradients, strict=True)
    ]
    return GradientReport(value, tuple(signals), tuple(_by_layer(program, entries)))


def _is_seen(site: Site, parts: Model) -> bool:
    """Whether it belongs to the model, and its gradient is the program's own."""
    own_rule = any(loop.over == "rule" for loop in site.loops)
    return parts.layer(site.scope) is not None and not own_rule


# --- Signals -------------------------------------------------------------------------------------


@jax.custom_vjp
def _tap(x: Array, probe: Array) -> Array:
    """x itself; what is asked for as the gradient by the probe is a reading of that by x."""
    return x


def _tap_forward(x: Array, probe: Array) -> tuple[Array, None]:
    return x, None


def _tap_backward(_: None, gradient: Array) -> tuple[Array, Array]:
    numbers = jnp.abs(gradient.astype(jnp.float32))
    largest = jnp.max(numbers, initial=0)
    nonfinite = jnp.sum(~jnp.isfinite(numbers), dtype=jnp.float32)
    return gradient, jnp.stack([_safe_norm(numbers, largest), largest, nonfinite])


_tap.defvjp(_tap_forward, _tap_backward)


def _safe_norm(numbers: Array, largest: Array) -> Array:
    """The norm, though squares may leave float32."""
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * jnp.sqrt(jnp.sum((numbers / scale) ** 2))


class _Tap:
    """The handler that reads gradients where they enter an activation, and looks at its values."""

    def __call__(self, site: Site, function, x: Array, probe: Any) -> tuple[Array, dict]:
        x = x if probe is None else _tap(x, probe)
        y = function(x)
        _, slope = jax.jvp(function, (lax.stop_gradient(x),), (jnp.ones_like(x),))
        return y, {
            "nonfinite_values": jnp.sum(~jnp.isfinite(y), dtype=jnp.float32),
            "runs": jnp.float32(1),
            "slope": jnp.max(jnp.abs(lax.stop_gradient(slope)).astype(jnp.float32), initial=0),
        }

    def watch(self, watch: Any, *values: Array) -> Any:
        raise NotImplementedError  # nothing is watched here

    def pool(self, readings: dict) -> dict:
        maximum = {"slope": jnp.max(readings["slope"], 0)}
        return {**{name: jnp.sum(value, 0) for name, value in readings.items()}, **maximum}


def _open(site: Site) -> bool:
    return any(loop.length is None for loop in site.loops)


def _lengths(site: Site) -> tuple[int, ...]:
    return tuple(loop.length or 0 for loop in site.loops)


def _by_round(site: Site, stat: Array) -> Array:
    """The readings in order of execution, with axes of layers before those of steps.

    Those of devices are taken together.
    """
    shared = [axis for axis, loop in enumerate(site.loops) if loop.over == "devices"]
    for axis in reversed(shared):
        norm, largest, nonfinite = jnp.moveaxis(stat, -1, 0)
        parts = jnp.linalg.norm(norm, axis=axis), jnp.max(largest, axis), jnp.sum(nonfinite, axis)
        stat = jnp.stack(parts, -1)
    loops = [loop for loop in site.loops if loop.over != "devices"]
    for axis, loop in enumerate(loops):
        stat = jnp.flip(stat, axis) if loop.reverse else stat
    layers = [axis for axis, loop in enumerate(loops) if loop.over == "layers"]
    return jnp.moveaxis(stat, layers, range(len(layers)))


# --- Gradients by parameters ---------------------------------------------------------------------


def _by_layer(program: Program, entries) -> list[LayerGradient]:
    """Gradients grouped by layer, in the order in which the layers are executed."""
    groups: dict[str, list[tuple[Array, Array]]] = {}
    order: dict[str, tuple[int, ...]] = {}
    for path, variable, weight, gradient in entries:
        layer = "/".join(path[:-1])
        first, rounds = _first_use(program, variable)
        parts = [(layer, first, weight, gradient)]
        if rounds:
            number, *inside = first
            parts = [
                (f"{layer}[{i}]", (number, i, *inside), weight[i], gradient[i])
                for i in range(rounds)
            ]
        for name, place, w, g in parts:
            groups.setdefault(name, []).append((w, g))
            order[name] = min(place, order.get(name, place))
    found = []
    for layer in sorted(groups, key=lambda name: order[name]):
        weights, gradients = zip(*groups[layer], strict=True)
        finite = [jnp.sum(~jnp.isfinite(g), dtype=jnp.float32) for g in gradients]
        size = sum(math.prod(w.shape) for w in weights)
        found.append(
            LayerGradient(
                layer, size, _joint(gradients), _joint(weights), sum(finite[1:], finite[0])
            )
        )
    return found


def _first_use(program: Program, variable: Variable) -> tuple[tuple[int, ...], int]:
    """The numbers of the first step that uses it, and within that; and the rounds it is split over.

    A parameter that is split over the rounds of a loop over layers has a layer for each.
    """
    for number, step in enumerate(program.steps):
        for place, atom in enumerate(step.inputs):
            if atom is not variable:
                continue
            if not step.is_(scan_p):
                return (number,), 0
            (body,), parameters = step.bodies, step.equation.params
            inside, _ = _first_use(body, body.inputs[place])
            layers = place >= scan_carry(step).stop and body.loops[-1].over == "layers"
            return (number, *inside), parameters["length"] if layers else 0
    return (len(program.steps),), 0


def _joint(arrays) -> Array:
    """The norm of all arrays together."""
    numbers = [jnp.abs(a.astype(jnp.float32)) for a in arrays]
    norms = jnp.stack([_safe_norm(n, jnp.max(n, initial=0)) for n in numbers])
    return _safe_norm(norms, jnp.max(norms))


# --- Numbers -------------------------------------------------------------------------------------


def _norm(parts: Any) -> float:
    return float(np.linalg.norm(np.asarray(parts, np.float64).ravel()))


def _ratio(first: float, last: float) -> float:
    first, last = float(first), float(last)
    if last == 0:
        return math.inf if first else 1.0
    return first / last


def _verdict(ratio: float) -> Verdict:
    if ratio < VANISHING:
        return "vanishing"
    return "exploding" if ratio > EXPLODING else "healthy"


def _called(signal: Signal) -> str:
    return f"{signal.layer or 'the model'} ({signal.activation})"
