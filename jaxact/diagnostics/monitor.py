"""An optimizer that keeps a record: norms of gradients, sizes of updates, steps that went wrong."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx, serialization
from jax import Array

from .._arguments import require
from ._reports import Report, keys, require_type


class _Last(NamedTuple):
    """Of the last step, and the means over all steps whose gradient was finite."""

    last: Array
    mean: Array


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("inner", "steps", "clipped", "nonfinite", "gradient_norms", "update_ratios"),
    meta_fields=("layers",),
)
@dataclasses.dataclass(frozen=True)
class Record(Report):
    """The state of `monitor`: what it has seen, and the state of the optimizer inside.

    Attributes:
        layers: the names of the layers, in the order of the arrays.
        inner: the state of the optimizer.
        steps: how many steps were made.
        clipped: in how many of them the gradient was longer than `clip_norm`.
        nonfinite: in how many of them its norm was not finite.
        gradient_norms: the norm of each layer's gradient: of the last step, and its mean over all
            steps whose gradient was finite.
        update_ratios: the norm of each layer's update over that of its weights, likewise.
    """

    layers: tuple[str, ...]
    inner: Any
    steps: Array
    clipped: Array
    nonfinite: Array
    gradient_norms: _Last
    update_ratios: _Last

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        return {
            "steps": int(self.steps),
            "clipped": int(self.clipped),
            "nonfinite": int(self.nonfinite),
            "layers": [
                {"layer": layer, **{name: float(row[i]) for name, row in self._columns().items()}}
                for i, layer in enumerate(self.layers)
            ],
        }

    def scalars(self, prefix: str = "monitor") -> dict[str, float]:
        """One flat dictionary, as TensorBoard and W&B take it."""
        found = {f"{prefix}/clipped": float(self.clipped)}
        found[f"{prefix}/nonfinite"] = float(self.nonfinite)
        for i, layer in enumerate(self.layers):
            found[f"{prefix}/{layer}/gradient_norm"] = float(self.gradient_norms.last[i])
            found[f"{prefix}/{layer}/update_ratio"] = float(self.update_ratios.last[i])
        return found

    def table(self, top: int | None = None) -> Any:
        """A table for `rich.print`, of 80 columns.

        Args:
            top: how many layers to show, those that change most; by default all.
        """
        from ._tables import record_table

        numbers = map(int, (self.steps, self.clipped, self.nonfinite))
        counts = "{} steps, {} clipped, {} not finite".format(*numbers)
        return record_table(counts, self._columns(), self.layers, top)

    def _columns(self) -> dict[str, Any]:
        return {
            "gradient_norm": np.asarray(self.gradient_norms.last),
            "mean_gradient_norm": np.asarray(self.gradient_norms.mean),
            "update_ratio": np.asarray(self.update_ratios.last),
            "mean_update_ratio": np.asarray(self.update_ratios.mean),
        }


_FIELDS = [f.name for f in dataclasses.fields(Record) if f.name != "layers"]


def _stored(record: Record) -> dict[str, Any]:
    """A record as Flax's checkpoints hold it."""
    return {name: serialization.to_state_dict(getattr(record, name)) for name in _FIELDS}


def _restored(record: Record, stored: dict[str, Any]) -> Record:
    restored = lambda name: serialization.from_state_dict(getattr(record, name), stored[name])
    return dataclasses.replace(record, **{name: restored(name) for name in _FIELDS})


serialization.register_serialization_state(Record, _stored, _restored)


def monitor(
    inner: optax.GradientTransformation | None = None, *, clip_norm: float | None = None
) -> optax.GradientTransformationExtraArgs:
    """An optimizer with a record of what it is given, and of what it makes of it.

    It changes nothing. Around a whole optimizer it sees gradients and updates; alone, somewhere in
    `optax.chain`, it sees what passes there. It works under jit, scan, vmap and sharding.

    Args:
        inner: the optimizer to watch; by default nothing is done to what passes.
        clip_norm: the norm at which `inner` clips; steps with a longer gradient are counted.

    Returns:
        A transformation whose state is a `Record`; `recorded` finds it in the state of a chain.

    Parameters without a gradient, frozen ones say, count as 0; of complex numbers magnitudes do.

    Raises:
        TypeError: if `inner` is no optimizer, or `clip_norm` no number.
        ValueError: if `clip_norm` is not positive; when used, if there are no parameters.

    Example:
        >>> optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))
        >>> watched = jaxact.diagnostics.monitor(optimizer, clip_norm=1.0)
        >>> parameters = {"dense": {"kernel": jnp.ones((2, 2))}}
        >>> _, state = watched.update(parameters, watched.init(parameters), parameters)
        >>> record = jaxact.diagnostics.recorded(state)
        >>> record.layers, int(record.clipped)
        (('dense',), 1)
    """
    if inner is not None:
        require_type(inner, optax.GradientTransformation, "monitor", "inner")
    if clip_norm is not None:
        require_type(clip_norm, (int, float, np.number), "monitor", "clip_norm")
        require(clip_norm > 0, "jaxact.diagnostics.monitor", "clip_norm", clip_norm, "be positive")
    optimizer = optax.with_extra_args_support(optax.identity() if inner is None else inner)

    def init(params: Any) -> Any:
        layers = tuple(_by_layer(params))
        if not layers:
            raise ValueError("jaxact.diagnostics.monitor: there are no parameters to watch")
        # No array twice: a state whose arrays are donated may hold each only once.
        count = lambda: jnp.zeros((), jnp.int32)
        row = lambda: _Last(jnp.zeros(len(layers)), jnp.zeros(len(layers)))
        return Record(layers, optimizer.init(params), count(), count(), count(), row(), row())

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        changes, inside = optimizer.update(updates, state.inner, params, **extra)
        norms = _norms(updates, state.layers)
        finite = jnp.all(jnp.isfinite(norms))
        number = (state.steps + 1 - state.nonfinite).astype(jnp.float32)  # of finite steps
        ratios = jnp.zeros_like(norms)
        if params is not None:
            weights = _norms(params, state.layers)
            ratios = _norms(changes, state.layers) / jnp.where(weights > 0, weights, 1)

        def note(past: _Last, new: Array) -> _Last:
            mean = past.mean + (new - past.mean) / number
            return _Last(new, jnp.where(finite, mean, past.mean))

        long = _norm([norms]) > (jnp.inf if clip_norm is None else clip_norm)
        return changes, Record(
            layers=state.layers,
            inner=inside,
            steps=state.steps + 1,
            clipped=state.clipped + (finite & long).astype(jnp.int32),
            nonfinite=state.nonfinite + (~finite).astype(jnp.int32),
            gradient_norms=note(state.gradient_norms, norms),
            update_ratios=note(state.update_ratios, ratios),
        )

    return optax.GradientTransformationExtraArgs(init, update)


def recorded(state: Any) -> Record:
    """The record of `monitor` in the state of an optimizer, whatever is around it.

    Raises:
        ValueError: if there is none, or more than one.
    """
    is_record = lambda part: isinstance(part, Record)
    is_variable = lambda part: isinstance(part, nnx.Variable)
    plain = lambda part: part[...] if is_variable(part) else part
    state = jax.tree.map(plain, state, is_leaf=is_variable)
    found = [part for part in jax.tree.leaves(state, is_leaf=is_record) if is_record(part)]
    if len(found) != 1:
        raise ValueError(
            f"jaxact.diagnostics.recorded: the state holds {len(found)} records of monitor, not "
            "one: pass the state of an optimizer with one monitor in it"
        )
    return found[0]


def _by_layer(tree: Any) -> dict[str, list[Any]]:
    """Leaves grouped by the path of what holds them."""
    groups: dict[str, list[Any]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        groups.setdefault("/".join(keys(path)[:-1]), []).append(leaf)
    return groups


def _norms(tree: Any, layers: tuple[str, ...]) -> Array:
    """The norm of each layer; 0 of one that is not in the tree."""
    groups = _by_layer(tree)
    return jnp.stack([_norm(groups.get(layer, ())) for layer in layers])


def _norm(leaves: Any) -> Array:
    """The norm of all numbers together, though their squares may leave float32."""
    sizes = [jnp.abs(leaf).astype(jnp.float32) for leaf in leaves]
    if not sizes:
        return jnp.float32(0)
    largest = functools.reduce(jnp.maximum, [jnp.max(size, initial=0) for size in sizes])
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * jnp.sqrt(sum(jnp.sum(jnp.square(size / scale)) for size in sizes))
