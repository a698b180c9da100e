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
from jax.sharding import PartitionSpec

from .._arguments import require
from ..tracing.programs import Site
from ..tracing.running import run, trace
from ._models import disassemble
from ._reports import Report, names, numbered, unrolled

DEAD = 1e-3  # no example has a larger slope at a dead unit
SATURATED = 0.1  # the mean slope at a saturated unit is no larger
STEADY = 0.9  # the smallest slope at a unit that is always on, as a share of the largest there

Unit = Literal["channel", "element"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        *("examples", "slope_max", "slope_min", "slope_mean"),
        *("mean", "variance", "zeros", "histogram", "nonfinite"),
    ),
    meta_fields=("layer", "activation", "bounds"),
)
@dataclasses.dataclass(frozen=True)
class LayerUnits:
    """The units of one activation, over all data.

    A unit is judged by the slope of the activation where its input lies: the share of the gradient
    that it lets through.

    Attributes:
        layer: where the activation is called: the path of the module.
        activation: its name.
        bounds: between which the histogram counts; what lies beyond is counted at the ends.
        examples: how many numbers of each unit were seen.
        slope_max: the largest magnitude of the slope, for each unit.
        slope_min: the smallest.
        slope_mean: the mean.
        mean: of the values, for each unit.
        variance: of the values, for each unit.
        zeros: the share of values that are 0, for each unit.
        histogram: the shares of values that lie in bins of one width; of those that are finite.
        nonfinite: how many values were not finite.
    """

    layer: str
    activation: str
    bounds: tuple[float, float]
    examples: Array
    slope_max: Array
    slope_min: Array
    slope_mean: Array
    mean: Array
    variance: Array
    zeros: Array
    histogram: Array
    nonfinite: Array

    @property
    def dead(self) -> Array:
        """Which units never let a gradient through: slopes of 0.001 at most, for all data."""
        return self.slope_max <= DEAD

    @property
    def saturated(self) -> Array:
        """Which units let a tenth of the gradient through at most, on average; the dead too."""
        return self.slope_mean <= SATURATED

    @property
    def always_on(self) -> Array:
        """Which units are linear: their slope is the same for all data, up to a tenth."""
        return (self.slope_min >= STEADY * self.slope_max) & ~self.dead

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

    def summary(self) -> dict[str, float | int]:
        """What the table shows: shares of the units, and means over them."""
        return {
            "units": int(self.slope_max.size),
            "dead": float(jnp.mean(self.dead)),
            "saturated": float(jnp.mean(self.saturated)),
            "always_on": float(jnp.mean(self.always_on)),
            "sparsity": float(self.sparsity),
            "mean": float(jnp.mean(self.mean)),
            "variance": float(jnp.mean(self.mean**2 + self.variance) - jnp.mean(self.mean) ** 2),
            "off_centre": float(self.off_centre),
            "nonfinite": int(np.sum(self.nonfinite)),
        }


@functools.partial(jax.tree_util.register_dataclass, data_fields=("layers",), meta_fields=())
@dataclasses.dataclass(frozen=True)
class UnitReport(Report):
    """What became of the units of a model, layer by layer, in order of execution.

    It is a pytree of arrays: it may be merged, mapped, and returned from jitted functions.

    Attributes:
        layers: one per activation.
    """

    layers: tuple[LayerUnits, ...]

    def merge(self, other: "UnitReport") -> "UnitReport":
        """The report of both reports' data together."""
        pairs = zip(self.layers, other.layers, strict=True)
        stacked = (jax.tree.map(lambda a, b: jnp.stack([a, b]), *pair) for pair in pairs)
        return UnitReport(tuple(map(_pool, stacked)))

    @property
    def dead(self) -> float:
        """The share of units that are dead, in all layers together."""
        dead = [np.ravel(layer.dead) for layer in self.layers]
        return float(np.mean(np.concatenate(dead)))

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        layers = [
            {
                "layer": layer.layer,
                "activation": layer.activation,
                **layer.summary(),
                "dead_units": np.flatnonzero(layer.dead).tolist(),
                "histogram": {
                    "bounds": list(layer.bounds),
                    "shares": np.asarray(layer.histogram, np.float64).tolist(),
                },
            }
            for layer in self.layers
        ]
        return {"layers": layers}

    def scalars(self, prefix: str = "units") -> dict[str, float]:
        """One flat dictionary, as TensorBoard and W&B take it."""
        return {
            f"{prefix}/{layer.layer or 'model'}/{layer.activation}/{key}": float(value)
            for layer in self.layers
            for key, value in layer.summary().items()
        }

    def table(self) -> Any:
        """A table for `rich.print`."""
        from ._tables import unit_table

        return unit_table(self)

    def plot(self) -> Any:
        """A matplotlib figure: shares of dead, saturated and always-on units, and histograms."""
        from ._plots import unit_figure

        return unit_figure(self)


def with_units(
    function: Callable[..., Any],
    *,
    data: int = -1,
    unit: Unit = "channel",
    bounds: tuple[float, float] = (-4.0, 8.0),
    bins: int = 48,
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
    return _with_units(function, "/".join, data, _Reader(unit, bounds, bins))


def unit_report(
    model: Any,
    batches: Iterable[Any],
    *,
    apply: Callable[[Any, Any], Any] | None = None,
    unit: Unit = "channel",
    bounds: tuple[float, float] = (-4.0, 8.0),
    bins: int = 48,
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
        progress: whether to show a progress bar; by default on a terminal, after two seconds.

    Raises:
        ValueError: if there are no batches, if one holds what is not finite, if no activation is
            found, or if a module of Linen is not bound.

    Example:
        >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=nnx.Rngs(0)), jaxact.relu)
        >>> report = jaxact.diagnostics.unit_report(model, [jnp.ones((2, 3)), jnp.zeros((2, 3))])
        >>> report.layers[0].activation, report.layers[0].summary()["units"]
        ('relu', 8)
    """
    reader = _Reader(unit, bounds, bins)
    parts = disassemble(model, "unit_report")
    batches = [batches] if hasattr(batches, "shape") else batches
    call = apply or (lambda model, batch: model(batch))
    observed = _with_units(parts.pure(call), parts.layer, 2, reader, parts.owners())

    @jax.jit
    def first(parameters, others, batch):
        return observed(parameters, others, batch)[1], _finite(batch)

    @jax.jit
    def next_(report, parameters, others, batch):
        return report.merge(observed(parameters, others, batch)[1]), _finite(batch)

    report, pending = None, None
    for number, batch in enumerate(_with_progress(batches, progress)):
        if report is None:
            report, finite = first(parts.parameters, parts.others, batch)
        else:
            report, finite = next_(report, parts.parameters, parts.others, batch)
        if pending is not None:  # looked at a batch later, so that devices need not wait
            _require_finite(*pending)
        pending = number, finite
    if report is None or pending is None:
        raise ValueError(
            "jaxact.diagnostics.unit_report: batches is empty: pass at least one batch of data"
        )
    _require_finite(*pending)
    return report


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
        sites = list(program.all_sites())
        if not sites:
            raise ValueError(
                "jaxact.diagnostics: no activation that depends on the data was found in the "
                "model: call functions of jaxact or jax.nn, or declare yours with "
                "@jaxact.activation and jit it"
            )
        batch = jax.tree.leaves(arguments[at])
        reader_ = dataclasses.replace(reader, batch=batch[0].shape[0] if batch[0].ndim else 0)
        results, readings = run(program, flat, reader_, {})
        named = dict(zip(sites, names(sites, layer_of, owners), strict=True))
        layers = []
        for site, index in unrolled(sites):
            layer, activation = named[site]
            own = jax.tree.map(lambda a, index=index: a[index], readings[site])
            layer = numbered(layer, index)
            layers.append(dataclasses.replace(own, layer=layer, activation=activation))
        return jax.tree.unflatten(structure, results), UnitReport(tuple(layers))

    return observed


@dataclasses.dataclass(frozen=True)
class _Reader:
    """The handler that reads statistics of units."""

    unit: Unit
    bounds: tuple[float, float]
    bins: int
    batch: int = 0  # the number of examples, which tells an axis of them from one of features

    def __post_init__(self):
        allowed = ("channel", "element")
        remedy = 'be "channel" or "element"'
        require(self.unit in allowed, "jaxact.diagnostics", "unit", self.unit, remedy)
        low, high = self.bounds
        require(low < high, "jaxact.diagnostics", "bounds", self.bounds, "be a lower and an upper")
        require(self.bins >= 1, "jaxact.diagnostics", "bins", self.bins, "be 1 or more")

    def __call__(self, site: Site, function, x: Array, probe: Any) -> tuple[Array, LayerUnits]:
        y, pull_back = jax.vjp(function, x)
        (slope,) = pull_back(jnp.ones_like(y))
        values, slopes = y.astype(jnp.float32), jnp.abs(slope.astype(jnp.float32))
        over = self._axes(x.shape)
        mean = jnp.mean(values, over)
        centred = values - jnp.expand_dims(mean, over)
        examples = jnp.float32(np.prod([x.shape[axis] for axis in over]))
        return y, LayerUnits(
            layer="",
            activation="",
            bounds=self.bounds,
            examples=examples,
            slope_max=jnp.max(slopes, over),
            slope_min=jnp.min(slopes, over),
            slope_mean=jnp.mean(slopes, over),
            mean=mean,
            variance=jnp.mean(centred**2, over),
            zeros=jnp.mean(values == 0, over),
            histogram=self._histogram(values),
            nonfinite=jnp.sum(~jnp.isfinite(values), dtype=jnp.float32),
        )

    def pool(self, readings: LayerUnits) -> LayerUnits:
        return _pool(readings)

    def _axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Which axes do not tell units apart."""
        if len(shape) == 1:
            return (0,) if shape[0] == self.batch else ()
        return (0,) if self.unit == "element" and shape else tuple(range(len(shape) - 1))

    def _histogram(self, values: Array) -> Array:
        low, high = self.bounds
        place = jnp.floor((values - low) * (self.bins / (high - low)))
        place = jnp.clip(place, 0, self.bins - 1).astype(jnp.int32)
        place = jnp.where(jnp.isfinite(values), place, self.bins)  # which is nowhere
        mesh = jax.typeof(values).sharding.mesh
        explicit = not mesh.empty and mesh.are_all_axes_explicit
        whole = PartitionSpec() if explicit else None
        counts = jnp.zeros(self.bins, jnp.int32).at[place].add(1, mode="drop", out_sharding=whole)
        return counts / jnp.maximum(counts.sum(), 1)


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
    smallest = jnp.min(jnp.where(seen, stacked.slope_min, jnp.inf), 0)
    mean = average(stacked.mean)
    return dataclasses.replace(
        stacked,
        examples=total,
        slope_max=jnp.max(stacked.slope_max, 0),
        slope_min=jnp.where(jnp.isfinite(smallest), smallest, 0),
        slope_mean=average(stacked.slope_mean),
        mean=mean,
        variance=average(stacked.variance + (stacked.mean - mean[None]) ** 2),
        zeros=average(stacked.zeros),
        histogram=average(stacked.histogram),
        nonfinite=jnp.sum(stacked.nonfinite, 0),
    )
