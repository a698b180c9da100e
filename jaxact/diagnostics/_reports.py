"""What all reports share: the names of layers, and JSON."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp

from ..tracing.programs import Site


class Report:
    """Numbers about a model that can be read, drawn, stored and logged."""

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        raise NotImplementedError

    def to_json(self, **options: Any) -> str:
        """The dictionary as JSON; options are those of `json.dumps`."""
        return json.dumps(_finite(self.to_dict()), **{"allow_nan": False, **options})


def require_type(value: Any, kind: type | tuple[type, ...], where: str, name: str) -> None:
    """Refuses what is of another type.

    Raises:
        TypeError: that names the argument.
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise TypeError(
            f"jaxact.diagnostics.{where}: {name} is a {type(value).__name__}, but must be "
            f"{' or '.join(k.__name__ for k in kinds)}"
        )


def require_data(batch: Any, where: str) -> None:
    """Refuses a batch without data.

    Raises:
        TypeError: if something in it is no array.
        ValueError: if there is nothing in it.
    """
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    if not leaves:
        raise ValueError(f"{where} holds no array: pass data")
    for path, leaf in leaves:
        name = f"{where}{jax.tree_util.keystr(path)}"
        try:
            shape = jnp.shape(leaf)
            jnp.result_type(leaf)
        except (TypeError, ValueError):
            raise TypeError(f"{name} is a {type(leaf).__name__}, but must be an array") from None
        if 0 in shape:
            raise ValueError(f"{name} is empty, of shape {shape}: pass at least one example")


def _finite(value: Any) -> Any:
    """The same, with numbers that JSON does not know as strings."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return str(value)
    return value


def keys(path: Any) -> list[str]:
    """The path of a leaf, as JAX gives it, in words; a variable of NNX is a leaf."""
    if len(path) > 1 and getattr(path[-1], "name", None) == "value":
        path = path[:-1]
    return [str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path]


def names(
    sites: Sequence[Site],
    layer_of: Callable[[tuple[str, ...]], str | None],
    owners: Collection[str],
) -> list[tuple[str, str]]:
    """The layer and the activation of each site, told apart by numbers where they agree.

    An activation that a module calls on what a part of it gives goes by the name of the part, if
    this has parameters.
    """
    plain = []
    for site in sites:
        layer = layer_of(site.scope) or ""
        sources = [layer_of(scope) or "" for scope in site.sources]
        parts = [s for s in sources if s in owners and s.startswith(f"{layer}/" if layer else "")]
        plain.append((parts[0] if parts else layer, site.activation))
    often, seen, told_apart = Counter(plain), Counter(), []
    for layer, activation in plain:
        seen[layer, activation] += 1
        number = f"#{seen[layer, activation]}" if often[layer, activation] > 1 else ""
        told_apart.append((layer, activation + number))
    return told_apart


def unrolled(sites: Sequence[Site], depth: int = 0) -> list[tuple[Site, tuple[int, ...]]]:
    """Sites in order of execution, each as often as loops over layers run, with the rounds."""
    order: list[tuple[Site, tuple[int, ...]]] = []
    for number, group in groupby(sites, lambda s: id(s.loops[depth]) if s.loops[depth:] else 0):
        members = list(group)
        if not number:
            order += [(site, ()) for site in members]
            continue
        inside = unrolled(members, depth + 1)
        loop = members[0].loops[depth]
        if loop.over == "layers":
            rounds = range(loop.length or 0)
            order += [(site, (i, *index)) for i in rounds for site, index in inside]
        else:
            order += inside
    return order


def numbered(layer: str, index: tuple[int, ...]) -> str:
    """The name of a layer in a round of loops."""
    return layer + "".join(f"[{i}]" for i in index)
