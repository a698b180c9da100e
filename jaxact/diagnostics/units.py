"""What becomes of units: which are dead, saturated or always on, and what values they take."""

import dataclasses
import functools
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._arguments import require
from ..tracing.programs import Site, Watch
from ..tracing.running import run, trace
from ._models import Model, compiled, disassemble
from ._reports import Report, names, numbered, require_data, require_type, unrolled
from .roles import Flow, Role, roles, watch
from .rows import Choices, Rows, choices_of, pool_choices, pool_rows, rows_of

DEAD = 1e-3  # no example has a larger slope at a dead unit
SATURATED = 0.1  # the mean slope at a saturated unit is no larger
STEADY = 0.9  # the smallest slope at a unit that is always on, as a share of the largest there
DORMANT = (0.025, 0.1)  # of the mean activity of the layer: Sokar et al., arXiv:2302.12902
DRAWN = 2**14  # values of a batch that a histogram counts, at most
WIDEST = 1024  # units of a layer whose effective rank is computed

Unit = Literal["channel", "element"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        *("examples", "slope_max", "slope_min", "slope_mean"),
        *("mean", "variance", "third", "fourth", "activity", "largest"),
        *("zeros", "histogram", "nonfinite", "products", "step", "since"),
    ),
    meta_fields=("layer", "activation", "role", "bounds"),
)
@dataclasses.dataclass(frozen=True)
class LayerUnits:
    """The units of one activation, over all data.

    A unit is judged by the slope of the activation where its input lies: the share of the gradient
    that it lets through. Only where the role is "unit" are its findings faults: a gate may be
    closed, and a cap leaves its inputs as they are.

    Attributes:
        layer: where the activation is called: the path of the module.
        activation: its name; of a product with a gate, that of the gated unit.
        role: what it does there: "unit"; "gate", what multiplies another array that depends on the
            data, or "forget gate", what is kept of a state; "cap"; "output"; "mask".
        bounds: between which the histogram counts; what lies beyond is counted at the ends.
        examples: how many numbers of each unit were seen; 0 where a branch did not run.
        slope_max: the largest magnitude of the slope, for each unit.
        slope_min: the smallest.
        slope_mean: the mean.
        mean: of the values, for each unit.
        variance: of the values, for each unit.
        third: the third central moment of the values, for each unit.
        fourth: the fourth.
        activity: the mean magnitude, for each unit.
        largest: the largest magnitude, for each unit.
        zeros: the share of values that are 0, for each unit.
        histogram: the shares of values that lie in bins of one width; of those that are finite, and
            of more than 16,384 in a batch of as many at even distances.
        nonfinite: how many values were not finite.
        products: the mean products of two units' values, if the rank was asked for; else empty.
        step: of training, at which the report was made; -1 if it was not said.
        since: the step since which each unit is dead, infinite for one that lives.
    """

    layer: str
    activation: str
    role: Role
    bounds: tuple[float, float]
    examples: Array
    slope_max: Array
    slope_min: Array
    slope_mean: Array
    mean: Array
    variance: Array
    third: Array
    fourth: Array
    activity: Array
    largest: Array
    zeros: Array
    histogram: Array
    nonfinite: Array
    products: Array
    step: Array
    since: Array

    @property
    def ran(self) -> Array:
        """Whether there was anything to see: a branch may not have run."""
        return self.examples > 0

    @property
    def dead(self) -> Array:
        """Which units never let a gradient through: slopes of 0.001 at most, for all data."""
        return (self.slope_max <= DEAD) & self._seen

    @property
    def saturated(self) -> Array:
        """Which units let a tenth of the gradient through at most, on average; the dead too."""
        return (self.slope_mean <= SATURATED) & self._seen

    @property
    def always_on(self) -> Array:
        """Which units are linear: their slope is the same for all data, up to a tenth."""
        return (self.slope_min >= STEADY * self.slope_max) & ~self.dead & self._seen

    @property
    def dormant_score(self) -> Array:
        """The mean magnitude of each unit, over the mean of its layer."""
        mean = jnp.mean(self.activity)
        return self.activity / jnp.where(mean > 0, mean, 1)

    @property
    def sparsity(self) -> Array:
        """The share of values that are 0."""
        return jnp.mean(self.zeros)

    @property
    def off_centre(self) -> Array:
        """How far the units' means are from 0: 0 is centred, 1 is constant.

        Their root mean square, over that of all values.
        """
        means, values = jnp.mean(self.mean**2), jnp.mean(self.mean**2 + self.variance)
        return jnp.sqrt(means / jnp.where(values > 0, values, 1))

    @property
    def root_mean_square(self) -> Array:
        """Of all values of the layer."""
        return jnp.sqrt(jnp.mean(self.mean**2 + self.variance))

    @property
    def kurtosis(self) -> Array:
        """The fourth central moment of all values of the layer, over the squared variance.

        3 for a normal distribution; outliers make it large.
        """
        shift = self.mean - jnp.mean(self.mean)
        variance = jnp.mean(self.variance + shift**2)
        fourth = self.fourth + shift * (4 * self.third + shift * (6 * self.variance + shift**2))
        return jnp.mean(fourth) / jnp.where(variance > 0, variance, 1) ** 2

    @property
    def effective_rank(self) -> float:
        """The exponential of the entropy of the features' singular values; NaN if not asked for.

        Source: Roy & Vetterli, EUSIPCO 2007
        """
        products = np.asarray(self.products, np.float64)
        if not products.size:
            return float("nan")
        values = np.sqrt(np.clip(np.linalg.eigvalsh(products), 0, None))
        shares = values[values > 0] / max(values.sum(), np.finfo(float).tiny)
        return float(np.exp(-np.sum(shares * np.log(shares)))) if shares.size else 0.0

    @property
    def _seen(self) -> Array:
        """Whether there was anything to see, in the shape of the units."""
        extra = self.slope_max.ndim - self.examples.ndim
        return self.ran.reshape(self.examples.shape + (1,) * extra)

    def summary(self) -> dict[str, float | int]:
        """What the table shows: shares of the units, and means over them.

        Of a branch that did not run only how many units it has.
        """
        found: dict[str, float | int] = {"units": int(self.slope_max.size)}
        if not np.any(self.ran):
            return {**found, "examples": 0}
        score = np.asarray(self.dormant_score)
        found |= {
            "examples": int(np.max(self.examples)),
            "dead": float(jnp.mean(self.dead)),
            "saturated": float(jnp.mean(self.saturated)),
            "always_on": float(jnp.mean(self.always_on)),
            "sparsity": float(self.sparsity),
            "mean": float(jnp.mean(self.mean)),
            "variance": float(jnp.mean(self.mean**2 + self.variance) - jnp.mean(self.mean) ** 2),
            "off_centre": float(self.off_centre),
            "nonfinite": int(np.sum(self.nonfinite)),
            "largest": float(jnp.max(self.largest)),
            "root_mean_square": float(self.root_mean_square),
            "kurtosis": float(self.kurtosis),
            **{f"dormant_{limit:g}": float(np.mean(score <= limit)) for limit in DORMANT},
        }
        if self.products.size:
            found["effective_rank"] = self.effective_rank
        if np.any(np.isfinite(self.since)):
            found["dead_since"] = int(np.min(self.since))
        return found


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("layers", "rows", "choices"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class UnitReport(Report):
    """What became of the units of a model, layer by layer, in order of execution.

    It is a pytree of arrays: it may be merged, mapped, and returned from jitted functions.

    Attributes:
        layers: one per activation.
        rows: one per softmax, or the like, that weighs something: attention and routers.
        choices: one per top-k of scores.
    """

    layers: tuple[LayerUnits, ...]
    rows: tuple[Rows, ...] = ()
    choices: tuple[Choices, ...] = ()

    def merge(self, other: "UnitReport") -> "UnitReport":
        """The report of both reports' data together.

        Raises:
            ValueError: if they are not of one model.
        """
        _require_alike(self, other)
        return UnitReport(
            tuple(_merge(a, b) for a, b in zip(self.layers, other.layers, strict=True)),
            _pooled(pool_rows, self.rows, other.rows),
            _pooled(pool_choices, self.choices, other.choices),
        )

    @property
    def dead(self) -> float:
        """The share of units that are dead, in all layers of units that ran together."""
        layers = [layer for layer in self.layers if layer.role == "unit" and np.any(layer.ran)]
        dead = [np.ravel(layer.dead) for layer in layers]
        return float(np.mean(np.concatenate(dead))) if dead else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        layers = [
            {
                "layer": layer.layer,
                "activation": layer.activation,
                "role": layer.role,
                "ran": bool(np.any(layer.ran)),
                **layer.summary(),
                "dead_units": np.flatnonzero(layer.dead).tolist(),
                "histogram": {
                    "bounds": list(layer.bounds),
                    "shares": np.asarray(layer.histogram, np.float64).tolist(),
                },
            }
            for layer in self.layers
        ]
        parts = {"rows": self.rows, "choices": self.choices}
        named = lambda p: {"layer": p.layer, "activation": p.activation}
        others = {k: [{**named(p), **p.to_dict()} for p in v] for k, v in parts.items()}
        return {"layers": layers, **others}

    def scalars(self, prefix: str = "units") -> dict[str, float]:
        """One flat dictionary, as TensorBoard and W&B take it."""
        return {
            f"{prefix}/{part.layer or 'model'}/{part.activation}/{key}": float(value)
            for part in (*self.layers, *self.rows, *self.choices)
            for key, value in part.summary().items()
        }

    def table(self, top: int | None = None) -> Any:
        """A table for `rich.print`, of 80 columns.

        Args:
            top: how many layers to show, the worst of them; by default all.
        """
        from ._tables import unit_table

        return unit_table(self, top)

    def plot(self) -> Any:
        """A matplotlib figure: shares of dead, saturated and always-on units, and histograms."""
        from ._plots import unit_figure

        return unit_figure(self)


def _require_alike(ours: UnitReport, theirs: UnitReport) -> None:
    require_type(theirs, UnitReport, "UnitReport.merge", "other")
    parts = lambda report: (*report.layers, *report.rows, *report.choices)
    called = lambda part: f"{part.layer or 'the model'} ({part.activation})"
    for number in range(max(len(parts(ours)), len(parts(theirs)))):
        pair = [parts(report)[number : number + 1] for report in (ours, theirs)]
        if not all(pair) or called(pair[0][0]) != called(pair[1][0]):
            got = [called(part[0]) if part else "nothing" for part in pair]
            raise ValueError(
                f"jaxact.diagnostics: reports of different models cannot be merged: where one has "
                f"{got[0]}, the other has {got[1]}"
            )
        shapes = [[leaf.shape for leaf in jax.tree.leaves(part)] for part in pair]
        if shapes[0] != shapes[1]:
            different = next(s for s in zip(*shapes, strict=True) if s[0] != s[1])
            raise ValueError(
                f"jaxact.diagnostics: the units of {called(pair[0][0])} change their shape, from "
                f"{different[0]} to {different[1]}: make reports of batches of one shape"
            )


def _pooled(pool: Callable[[Any], Any], ours: tuple, theirs: tuple) -> tuple:
    pairs = zip(ours, theirs, strict=True)
    return tuple(pool(jax.tree.map(lambda a, b: jnp.stack([a, b]), a, b)) for a, b in pairs)


def _merge(a: LayerUnits, b: LayerUnits) -> LayerUnits:
    """All statistics together; what is dead since when follows the later of the two."""
    (pooled,) = _pooled(_pool, (a,), (b,))
    shape = lambda at: at.reshape(at.shape + (1,) * (a.since.ndim - at.ndim))
    before, after = shape(a.step < b.step), shape(a.step > b.step)
    both = jnp.maximum(a.since, b.since)  # infinite if it lives in one of them
    now = jnp.where(before, b.since, jnp.where(after, a.since, both))
    since = jnp.where(jnp.isfinite(now), jnp.minimum(a.since, b.since), jnp.inf)
    return dataclasses.replace(pooled, since=since)


def with_units(
    function: Callable[..., Any],
    *,
    data: int = -1,
    unit: Unit = "channel",
    bounds: tuple[float, float] = (-4.0, 8.0),
    bins: int = 48,
    rank: bool = False,
) -> Callable[..., tuple[Any, UnitReport]]:
    """The same function, which returns a report of its units as well.

    It is a pure function, which may be jitted, mapped by `vmap` and given sharded arrays. Reports
    of several calls merge into one: that is all that `unit_report` does.

    Args:
        function: any function of arrays in which activations are called.
        data: which argument holds the data; the others are parameters.
        unit: "channel": an entry of the last axis, over all other axes. "element": an entry of all
            axes but the first, so that each place in an image has units of its own.
        bounds: between which histograms count.
        bins: how many bins they have.
        rank: whether to compute the effective rank of layers of up to 1,024 units.

    Returns:
        A function of the same arguments that returns the function's result, and a `UnitReport`.

    Raises:
        ValueError: if `unit` is unknown or the histogram has no room; when called, if no activation
            of the catalogue is found in the function.

    Example:
        >>> model = lambda w, x: jaxact.relu(x @ w)
        >>> w = jnp.array([[1.0, -1.0]])
        >>> y, report = jaxact.diagnostics.with_units(model)(w, jnp.array([[2.0], [3.0]]))
        >>> report.layers[0].dead
        Array([False,  True], dtype=bool)
    """
    if not callable(function):
        raise TypeError(f"jaxact.diagnostics.with_units: function is {function!r}, not callable")
    return _with_units(function, "/".join, data, _Reader(unit, bounds, bins, rank))


def unit_report(
    model: Any,
    batches: Iterable[Any],
    *,
    apply: Callable[[Any, Any], Any] | None = None,
    unit: Unit = "channel",
    bounds: tuple[float, float] = (-4.0, 8.0),
    bins: int = 48,
    rank: bool = False,
    step: int | None = None,
    progress: bool | None = None,
) -> UnitReport:
    """What becomes of the units of a model over a whole data set.

    The forward pass is traced, and the activations are found in it: those of jaxact, those of
    jax.nn, and functions spelt out that have the values of one of them; inside `jit`, `remat`,
    `scan`, `cond` and `while_loop` too. The model is left as it is. Memory does not grow with the
    data. Rounds of a scan over layers are layers of their own; steps of time are pooled.

    Args:
        model: a module of NNX; a module of Linen, bound to its variables; or any function.
        batches: the data set: arrays or pytrees of them, sharded or not; or one array, as a single
            batch.
        apply: how the model is called, `apply(model, batch)`; by default `model(batch)`.
        unit: "channel" or "element", see `with_units`.
        bounds: between which histograms count.
        bins: how many bins they have.
        rank: whether to compute the effective rank of layers of up to 1,024 units.
        step: of training; reports of several steps that are merged tell since when units are dead.
        progress: whether to show a progress bar; by default on a terminal, after two seconds.

    A second report on the same model and shapes compiles nothing.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if there are no batches, if one is empty or holds what is not finite, if units
            change their shape between batches, if no activation is found, or if a module of Linen
            is not bound.

    Example:
        >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=nnx.Rngs(0)), jaxact.relu)
        >>> report = jaxact.diagnostics.unit_report(model, [jnp.ones((2, 3)), jnp.zeros((2, 3))])
        >>> report.layers[0].activation, report.layers[0].summary()["units"]
        ('relu', 8)
    """
    where = "jaxact.diagnostics.unit_report"
    if apply is not None and not callable(apply):
        raise TypeError(f"{where}: apply is {apply!r}, but must be a function of model and batch")
    if step is not None and (isinstance(step, bool) or not isinstance(step, int | np.integer)):
        raise TypeError(f"{where}: step is {step!r}, but must be a whole number")
    if not hasattr(batches, "shape") and not isinstance(batches, Iterable):
        raise TypeError(f"{where}: batches is {batches!r}, but must be arrays, or an array")
    parts = disassemble(model, "unit_report")
    reader = _Reader(unit, bounds, bins, rank)
    first, next_ = compiled(_programs, parts, apply, reader)
    at = jnp.float32(-1 if step is None else step)
    batches = [batches] if hasattr(batches, "shape") else batches
    report, pending = None, None
    for number, batch in enumerate(_with_progress(batches, progress)):
        require_data(batch, f"{where}: batch {number}")
        given = parts.parameters, parts.others, batch
        report, finite = first(at, *given) if report is None else next_(report, at, *given)
        if pending is not None:  # looked at a batch later, so that devices need not wait
            _require_finite(*pending)
        pending = number, finite
    if report is None or pending is None:
        raise ValueError(f"{where}: batches is empty: pass at least one batch of data")
    _require_finite(*pending)
    return report


def _programs(
    parts: Model, apply: Callable[[Any, Any], Any] | None, reader: "_Reader"
) -> tuple[Callable, Callable]:
    """The jitted functions of the first batch, and of those that follow."""
    call = apply or (lambda model, batch: model(batch))
    observed = _with_units(parts.pure(call), parts.layer, 2, reader, parts.owners())

    def first(step, parameters, others, batch):
        report = observed(parameters, others, batch)[1]
        layers = tuple(_at_step(layer, step) for layer in report.layers)
        return dataclasses.replace(report, layers=layers), _finite(batch)

    def next_(report, *arguments):
        more, finite = first(*arguments)
        return report.merge(more), finite

    return jax.jit(first), jax.jit(next_)


def _at_step(layer: LayerUnits, step: Array) -> LayerUnits:
    since = jnp.where(layer.dead & (step >= 0), step, jnp.inf)
    return dataclasses.replace(layer, step=jnp.full_like(layer.step, step), since=since)


def _finite(batch: Any) -> Array:
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(batch)]
    floats = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.array([jnp.sum(~jnp.isfinite(leaf)) for leaf in floats] or [0]).sum()


def _require_finite(number: int, count: Array) -> None:
    if int(count):
        raise ValueError(
            f"jaxact.diagnostics.unit_report: batch {number} holds {int(count)} values that are "
            "not finite: mask or repair them first"
        )


def _with_progress(batches: Iterable[Any], progress: bool | None) -> Iterator[Any]:
    """The batches, with a bar while they last: if asked for, or if they last long."""
    start, bar = time.monotonic(), None
    total = len(batches) if hasattr(batches, "__len__") else None  # type: ignore[arg-type]
    try:
        for number, batch in enumerate(batches):
            late = progress is None and time.monotonic() - start > 2
            if bar is None and (progress or late):
                from ._progress import Bar

                bar = Bar("units", total, only_on_terminals=late)
            if bar is not None:
                bar.at(number)
            yield batch
    finally:
        if bar is not None:
            bar.close()


# --- Readings ------------------------------------------------------------------------------------


def _with_units(
    function: Callable[..., Any],
    layer_of: Callable[[tuple[str, ...]], str | None],
    data: int,
    reader: "_Reader",
    owners: Collection[str] = (),
) -> Callable[..., tuple[Any, UnitReport]]:
    @functools.wraps(function)
    def observed(*arguments: Any) -> tuple[Any, UnitReport]:
        at = data % len(arguments)
        program, flat, structure = trace(function, arguments, (at,))
        flow = Flow(program)
        found = roles(program, flow)
        watch(program, found, flow)
        sites = list(program.all_sites())
        if not sites:
            raise ValueError(
                "jaxact.diagnostics: no activation that depends on the data was found in the "
                "model: call functions of jaxact or jax.nn, or declare yours with "
                "@jaxact.activation and jit it"
            )
        batch = jax.tree.leaves(arguments[at])
        size = batch[0].shape[0] if batch[0].ndim else 0
        results, readings = run(program, flat, dataclasses.replace(reader, batch=size), {})
        named = dict(zip(sites, names(sites, layer_of, owners), strict=True))
        parts: dict[type, list[Any]] = {LayerUnits: [], Rows: [], Choices: []}
        for site, index in unrolled(sites):
            layer, activation = named[site]
            own = jax.tree.map(lambda a, index=index: a[index], readings[site])
            own = dataclasses.replace(own, layer=numbered(layer, index), activation=activation)
            if isinstance(own, LayerUnits):
                own = dataclasses.replace(own, role=found.get(site, "unit"))
            parts[type(own)].append(own)
        return jax.tree.unflatten(structure, results), UnitReport(*map(tuple, parts.values()))

    return observed


@dataclasses.dataclass(frozen=True)
class _Reader:
    """The handler that reads statistics of units."""

    unit: Unit
    bounds: tuple[float, float]
    bins: int
    rank: bool = False
    batch: int = 0  # the number of examples, which tells an axis of them from one of features

    def __post_init__(self):
        allowed = ("channel", "element")
        remedy = 'be "channel" or "element"'
        where = "jaxact.diagnostics"
        require(self.unit in allowed, where, "unit", self.unit, remedy)
        try:
            low, high = map(float, self.bounds)
        except (TypeError, ValueError):
            raise TypeError(
                f"{where}: bounds is {self.bounds!r}, but must be two numbers"
            ) from None
        require(low < high, where, "bounds", self.bounds, "be a lower and an upper")
        if isinstance(self.bins, bool) or not isinstance(self.bins, int | np.integer):
            raise TypeError(f"{where}: bins is {self.bins!r}, but must be a whole number")
        require(self.bins >= 1, where, "bins", self.bins, "be 1 or more")

    def __call__(self, site: Site, function, x: Array, probe: Any) -> tuple[Array, LayerUnits]:
        y, pull_back = jax.vjp(function, x)
        (slope,) = pull_back(jnp.ones_like(y))
        return y, self._read(y, slope)

    def watch(self, watch: Watch, *values: Array) -> LayerUnits | Rows | Choices:
        if watch.kind == "rows":
            return rows_of(*values, **watch.options)
        if watch.kind == "choices":
            return choices_of(*values, **watch.options)
        gate, _, product = values
        return self._read(product, jnp.broadcast_to(gate, product.shape))

    def pool(self, readings: Any) -> Any:
        kinds = {Rows: pool_rows, Choices: pool_choices}
        return kinds.get(type(readings), _pool)(readings)

    def _read(self, y: Array, slope: Array) -> LayerUnits:
        values, slopes = y.astype(jnp.float32), jnp.abs(slope.astype(jnp.float32))
        over = self._axes(slope.shape)
        mean = jnp.mean(values, over)
        centred = values - jnp.expand_dims(mean, over)
        square = centred**2
        number = int(np.prod([slope.shape[axis] for axis in over]))
        units = int(np.prod(mean.shape))
        flat = jnp.moveaxis(values, over, range(len(over))).reshape(number, units)
        rank = self.rank and 1 < units <= WIDEST
        slope_max = jnp.max(slopes, over, initial=0)
        return LayerUnits(
            layer="",
            activation="",
            role="unit",
            bounds=self.bounds,
            examples=jnp.float32(number),
            slope_max=slope_max,
            slope_min=jnp.min(slopes, over, initial=jnp.inf),
            slope_mean=jnp.mean(slopes, over),
            mean=mean,
            variance=jnp.mean(square, over),
            third=jnp.mean(square * centred, over),
            fourth=jnp.mean(square * square, over),
            activity=jnp.mean(jnp.abs(values), over),
            largest=jnp.max(jnp.abs(values), over, initial=0),
            zeros=jnp.mean(values == 0, over),
            histogram=self._histogram(values),
            nonfinite=jnp.sum(~jnp.isfinite(values), dtype=jnp.float32),
            products=flat.T @ flat / number if rank else jnp.zeros((0, 0)),
            step=jnp.float32(-1),
            since=jnp.full_like(slope_max, jnp.inf),
        )

    def _axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Which axes do not tell units apart."""
        if len(shape) == 1:
            return (0,) if shape[0] == self.batch else ()
        return (0,) if self.unit == "element" and shape else tuple(range(len(shape) - 1))

    def _histogram(self, values: Array) -> Array:
        low, high = self.bounds
        step = -(-values.size // DRAWN)
        values = values if step == 1 else values.ravel()[::step]
        edges = low + (high - low) * np.arange(1, self.bins, dtype=np.float32) / self.bins
        finite = jnp.isfinite(values)
        shape = (edges.size,) + (1,) * values.ndim
        below = (values[None] < edges.reshape(shape)) & finite[None]
        counts = jnp.sum(below, range(1, 1 + values.ndim), dtype=jnp.float32)
        whole = jnp.sum(finite, dtype=jnp.float32)
        ends = jnp.concatenate([jnp.zeros(1), counts, whole[None]])
        return jnp.diff(ends) / jnp.maximum(whole, 1)


def _pool(stacked: LayerUnits) -> LayerUnits:
    """The statistics of all parts together, which are stacked along the leading axis."""
    numbers = stacked.examples
    total = jnp.sum(numbers, 0)
    shares = numbers / jnp.where(total > 0, total, 1)

    def like(weights: Array, a: Array) -> Array:
        return weights.reshape(weights.shape + (1,) * (a.ndim - weights.ndim))

    def average(a: Array) -> Array:  # of differences: rounding errors do not add up
        return a[0] + jnp.sum(like(shares, a) * (a - a[:1]), 0)

    seen = like(numbers > 0, stacked.slope_min)
    mean = average(stacked.mean)
    shift = stacked.mean - mean[None]
    variance, third = stacked.variance, stacked.third
    return dataclasses.replace(
        stacked,
        examples=total,
        slope_max=jnp.max(stacked.slope_max, 0),
        slope_min=jnp.min(jnp.where(seen, stacked.slope_min, jnp.inf), 0),
        slope_mean=average(stacked.slope_mean),
        mean=mean,
        variance=average(variance + shift**2),
        third=average(third + shift * (3 * variance + shift**2)),
        fourth=average(stacked.fourth + shift * (4 * third + shift * (6 * variance + shift**2))),
        activity=average(stacked.activity),
        largest=jnp.max(stacked.largest, 0),
        zeros=average(stacked.zeros),
        histogram=average(stacked.histogram),
        nonfinite=jnp.sum(stacked.nonfinite, 0),
        products=average(stacked.products),
        step=jnp.max(stacked.step, 0),
        since=jnp.min(stacked.since, 0),
    )
