"""How much memory: what compiled training steps take, and what each function keeps."""

import functools
import importlib
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxact

from . import clock
from .cases import (
    Case,
    group_size,
    num_inputs,
    of_inputs,
    other_arrays,
    settings,
    typical_settings,
)
from .libraries import Torch, counterpart, plain_formula
from .modes import Function
from .networks import (
    CHAINS,
    COMMON,
    FOR_ALL,
    NETWORKS,
    RECIPES,
    RECIPES_OF_CHAINS,
    RECIPES_OF_COMPANY,
    Extent,
    Recipe,
    is_shape,
)
from .residuals import residual_bytes, torch_residual_bytes
from .results import MemoryRow
from .targets import TARGETS

LIBRARIES = ("jaxact", "jax.nn", "jax.numpy", "formula")
PLAIN = {  # what one writes with jax.numpy where no library has the function
    "maxout": lambda x, num_pieces: jnp.max(x.reshape(*x.shape[:-1], -1, num_pieces), axis=-1),
}
DTYPES = ("float32", "bfloat16", "float16")
FEW = 8  # rows


class Scale(NamedTuple):
    """Extent and dtype of the networks; every layer's result is batch x features."""

    batch: int
    features: int
    layers: int
    dtype: str
    target: str

    @classmethod
    def typical(cls, target: str) -> "Scale":
        """What is typical of a target."""
        of = TARGETS[target]
        return cls(of.batch, of.features, of.layers, of.dtype, target)


def measure_all(
    functions: Iterable[str] | None,
    scale: Scale,
    networks: Iterable[str] = CHAINS,
    recipes: Iterable[str] | None = None,
    *,
    all_settings: bool = False,
) -> Iterator[list[MemoryRow]]:
    """Compiles every network with one activation after the other, and yields its rows.

    The setting is the typical one, of a random activation evaluation, or all that there are; of
    `maxout`, two, four and eight pieces. In networks that stand in company the settings are those
    that run other code, and a function that jax.nn has not stands beside its plain formula.
    Without names, functions that are rare in networks are measured in those `FOR_ALL` only.
    """
    networks = tuple(networks)
    torch = Torch() if scale.target == "cpu" and importlib.util.find_spec("torch") else None
    for name in functions or jaxact.CATALOG:
        rows: list[MemoryRow | None] = []
        for network in networks:
            if not (functions or name in COMMON or network in CHAINS or network in FOR_ALL):
                continue
            chosen = recipes or (RECIPES_OF_CHAINS if network in CHAINS else RECIPES_OF_COMPANY)
            for setting in _settings_in(network, name, all_settings):
                rows += [
                    measure(name, scale, library, network, recipe, setting)
                    for library, recipe in itertools.product(LIBRARIES, chosen)
                ]
                if torch and network in CHAINS:
                    rows.append(measure_torch(name, scale, torch, network, setting))
        yield [row for row in rows if row]


def _settings_in(network: str, name: str, everything: bool) -> Iterable[str]:
    if network in CHAINS or everything or name == "maxout":
        return _settings(name, everything)
    return typical_settings(jaxact.CATALOG[name])


def measure(
    name: str,
    scale: Scale,
    library: str,
    network: str,
    recipe: str,
    setting: str | None = None,
) -> MemoryRow | None:
    """Compiles one network with one library's activation, by default in its typical setting.

    Returns:
        The row, or None if the library has no such activation, the recipe cannot be applied to it,
        or the network cannot take it.
    """
    entry = jaxact.CATALOG[name]
    every = _settings(name)
    setting = next(iter(every)) if setting is None else setting
    parameters = every[setting]
    if library == "formula" and network in CHAINS:
        return None
    function = _function(name, setting, parameters, library, RECIPES[recipe])
    if function is None:
        return None
    made = NETWORKS[network]
    extent = Extent(
        scale.batch, scale.features, scale.layers, num_inputs(entry), group_size(parameters)
    )
    if not made.takes_any and (extent.inputs, extent.pieces) != (1, 1):
        return None
    # A few rows tell what is kept; arrays, for some functions keep less of an array in hand.
    width = scale.features * extent.pieces
    preactivations = [jnp.ones((FEW, width), scale.dtype) / 3] * extent.inputs
    if function(*preactivations).shape != (FEW, scale.features):
        return None
    array = _array_maker(scale)
    weights, x = jax.tree.map(array, made.shapes(extent), is_leaf=is_shape)
    step = made.training_step(function, RECIPES[recipe].layers)
    options = TARGETS[scale.target].options()
    memory = clock.build(step, weights, x, options=options).executable.memory_analysis()
    if memory is None:
        raise RuntimeError(f"the compiler for {scale.target} does not tell how it uses memory")
    unit = scale.batch * scale.features * jnp.dtype(scale.dtype).itemsize
    return MemoryRow(
        function=name,
        setting=setting,
        network=network,
        recipe=recipe,
        target=scale.target,
        dtype=scale.dtype,
        size=f"{scale.batch}x{scale.features}x{scale.layers}",
        library=library,
        temporaries=memory.temp_size_in_bytes / unit,
        outputs=memory.output_size_in_bytes / unit,
        residual_bytes=residual_bytes(function, *preactivations),
    )


def measure_torch(
    name: str, scale: Scale, torch: Torch, network: str, setting: str
) -> MemoryRow | None:
    """What torch keeps of the activation alone; None if it has no such one.

    It compiles nothing that would tell of temporaries.
    """
    if setting not in settings(jaxact.CATALOG[name]):
        return None
    function = torch.counterpart(name, setting)
    if function is None:
        return None
    case = Case(name, setting, "forward", scale.dtype, (FEW, scale.features))
    tensors = [torch.torch.from_dlpack(x) for x in case.inputs()]
    return MemoryRow(
        function=name,
        setting=setting,
        network=network,
        recipe="eager",
        target=scale.target,
        dtype=scale.dtype,
        size=f"{scale.batch}x{scale.features}x{scale.layers}",
        library=torch.name,
        temporaries=None,
        outputs=None,
        residual_bytes=torch_residual_bytes(torch.torch, function, *tensors),
    )


def _settings(name: str, everything: bool = True) -> dict[str, Mapping[str, Any]]:
    """Parameters under their labels, the typical ones first."""
    found = settings(jaxact.CATALOG[name])
    typical = dict(list(found.items())[:1])
    if name == "maxout":  # the index takes one bit, two, or half a byte
        pieces: dict[str, Mapping[str, Any]]
        pieces = {f"num_pieces={k}": {"num_pieces": k} for k in (2, 4, 8)}
        return {**pieces, **found} if everything else pieces
    return found if everything else typical


def _function(
    name: str, setting: str, parameters: Mapping[str, Any], library: str, recipe: Recipe
) -> Function | None:
    """The library's activation with its parameters, as the recipe has it."""
    entry = jaxact.CATALOG[name]
    known, theirs = setting in settings(entry), importlib.import_module("jax.nn")
    match library:
        case "jaxact" if recipe.activation:
            try:
                return recipe.activation(functools.partial(entry.function, **parameters))
            except ValueError:
                return None
        case "jaxact":
            return of_inputs(entry.function, parameters, other_arrays(entry))
        case _ if recipe.activation:
            return None
        case "jax.nn":
            return counterpart(theirs, name, setting) if known else None
        case "jax.numpy":
            plain = PLAIN.get(name)
            return functools.partial(plain, **parameters) if plain else None
        case "formula" if known and counterpart(theirs, name, setting) is None:
            return plain_formula(Case(name, setting, "forward", "float32", (FEW, FEW)))
    return None


def _array_maker(scale: Scale) -> Callable[..., Any]:
    """Makes arrays without contents, by their shapes, on the target."""
    sharding = jax.sharding.SingleDeviceSharding(TARGETS[scale.target].device())
    return lambda shape: jax.ShapeDtypeStruct(shape, scale.dtype, sharding=sharding)
