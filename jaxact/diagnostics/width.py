"""How the layers of a model grow with its width: the coordinate check."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from .._arguments import require
from ..tracing.programs import Site
from ..tracing.running import run, trace
from ._models import disassemble
from ._reports import Report, names, numbered, require_data, require_type, unrolled

GROWING = 0.25  # power of the width; a sum of independent numbers grows with 0.5, an aligned with 1


@dataclasses.dataclass(frozen=True)
class WidthReport(Report):
    """How large what the activations give is, at each width, at the start and after each step.

    Attributes:
        widths: that were tried.
        layers: the activations, in order of execution.
        sizes: root mean squares: for each layer, at each step, at each width.
        growth: for each layer, at each step, the power of the width with which it grows.
        limit: of the powers that count as constant.
    """

    widths: tuple[int, ...]
    layers: tuple[str, ...]
    sizes: tuple[tuple[tuple[float, ...], ...], ...]
    limit: float = GROWING

    @property
    def growth(self) -> tuple[tuple[float, ...], ...]:
        """The slope of the logarithm of the size over that of the width."""
        widths = np.log(self.widths)

        def power(sizes: Sequence[float]) -> float:
            tiny = np.finfo(np.float32).tiny
            return float(np.polyfit(widths, np.log(np.maximum(sizes, tiny)), 1)[0])

        return tuple(tuple(power(sizes) for sizes in steps) for steps in self.sizes)

    @property
    def growing(self) -> tuple[str, ...]:
        """The layers that grow with the width, at the start or after a step."""
        pairs = zip(self.layers, self.growth, strict=True)
        return tuple(layer for layer, powers in pairs if max(powers) > self.limit)

    @property
    def shrinking(self) -> tuple[str, ...]:
        """The layers that shrink."""
        pairs = zip(self.layers, self.growth, strict=True)
        return tuple(layer for layer, powers in pairs if min(powers) < -self.limit)

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        rows = zip(self.layers, self.sizes, self.growth, strict=True)
        layers = [
            {"layer": layer, "sizes": [list(s) for s in sizes], "growth": list(growth)}
            for layer, sizes, growth in rows
        ]
        return {
            "widths": list(self.widths),
            "growing": list(self.growing),
            "shrinking": list(self.shrinking),
            "layers": layers,
        }

    def table(self, top: int | None = None) -> Any:
        """A table for `rich.print`, of 80 columns.

        Args:
            top: how many layers to show, those that change most; by default all.
        """
        from ._tables import width_table

        return width_table(self, top)


def width_report(
    make_model: Callable[[int], Any],
    widths: Sequence[int],
    loss: Callable[[Any, Any], Any],
    batch: Any,
    *,
    optimizer: optax.GradientTransformation,
    steps: int = 3,
) -> WidthReport:
    """Which layers grow or shrink with the width, at the start and after each step of training.

    In a parametrisation whose learning rate carries over from a narrow model to a wide one none
    does, but for the result at the start, which may shrink.

    Args:
        make_model: the model of a width: a module of NNX, a bound one of Linen, or parameters.
        widths: two or more of them.
        loss: a function of the model and a batch that returns a number.
        batch: what the loss takes, at every step the same.
        optimizer: that makes the steps.
        steps: how many.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if there are less than two widths, or if models differ in more than width.

    Source:
        Yang & Hu, ICML 2021, arXiv:2011.14522; Yang et al., 2022, arXiv:2203.03466

    Example:
        >>> make = lambda width: {"w": jnp.ones((4, width)), "v": jnp.zeros((width, 1))}
        >>> loss = lambda p, x: jnp.mean((jnp.tanh(x @ p["w"]) @ p["v"] - 1) ** 2)
        >>> report = jaxact.diagnostics.width_report(
        ...     make, [8, 16], loss, jnp.ones((2, 4)), optimizer=optax.sgd(0.1)
        ... )
        >>> report.growing
        ()
    """
    where = "jaxact.diagnostics.width_report"
    for name, value in {"make_model": make_model, "loss": loss}.items():
        if not callable(value):
            raise TypeError(f"{where}: {name} is {value!r}, but must be a function")
    require_type(widths, Sequence, "width_report", "widths")
    for width in widths:
        require_type(width, (int, np.integer), "width_report", "a width")
    require_type(optimizer, optax.GradientTransformation, "width_report", "optimizer")
    require_type(steps, (int, np.integer), "width_report", "steps")
    require(len(set(widths)) > 1, where, "widths", widths, "hold two different numbers or more")
    require(steps >= 0, where, "steps", steps, "be 0 or more")
    require_data(batch, f"{where}: batch")
    found = [_trained(make_model(width), loss, batch, optimizer, steps) for width in widths]
    layers = list(found[0])
    for width, sizes in zip(widths, found, strict=True):
        if list(sizes) != layers:
            different = sorted(set(sizes) ^ set(layers))
            raise ValueError(
                f"{where}: at width {width} the model has other layers than at {widths[0]}: "
                f"{', '.join(different) or 'in another order'}"
            )
    table = tuple(tuple(zip(*(sizes[name] for sizes in found), strict=True)) for name in layers)
    return WidthReport(tuple(map(int, widths)), tuple(layers), table)


def _trained(model: Any, loss, batch: Any, optimizer, steps: int) -> dict[str, list[float]]:
    """Sizes by layer, at the start and after each step."""
    parts = disassemble(model, "width_report")
    pure = parts.pure(loss)
    layers: list[str] = []

    def observed(parameters):
        program, flat, _ = trace(pure, (parameters, parts.others, batch), (2,))
        sites = [s for s in program.all_sites() if parts.layer(s.scope) is not None]
        (value,), readings = run(program, flat, _Size(), {})
        named = dict(zip(sites, names(sites, parts.layer, parts.owners()), strict=True))
        order = unrolled(sites)
        layers[:] = [
            f"{numbered(named[s][0], index) or 'the model'} ({named[s][1]})" for s, index in order
        ]
        return value, [readings[site][index] for site, index in order]

    @jax.jit
    def step(parameters, state):
        (_, squares), gradients = jax.value_and_grad(observed, has_aux=True)(parameters)
        updates, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state, squares

    parameters, state, rows = parts.parameters, optimizer.init(parts.parameters), []
    for _ in range(steps + 1):
        parameters, state, squares = step(parameters, state)
        rows.append([float(np.sqrt(np.mean(square))) for square in squares])
    return dict(zip(layers, map(list, zip(*rows, strict=True)), strict=True))


class _Size:
    """The handler that reads mean squares."""

    def __call__(self, site: Site, function, x: Array, probe: Any) -> tuple[Array, Array]:
        y = function(x)
        return y, jnp.mean(jnp.square(y.astype(jnp.float32)))

    def watch(self, watch: Any, *values: Array) -> Any:
        raise NotImplementedError  # nothing is watched here

    def pool(self, readings: Array) -> Array:
        return jnp.mean(readings, 0)
