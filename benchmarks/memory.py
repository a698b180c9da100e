"""How much memory: what compiled training steps take, and what each function keeps."""

import functools
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxact

from . import clock
from .cases import Case, group_size, num_inputs, of_inputs, other_arrays, settings
from .libraries import Torch, counterpart
from .modes import Function
from .networks import NETWORKS, RECIPES, Recipe
from .residuals import residual_bytes, torch_residual_bytes
from .results import MemoryRow
from .targets import TARGETS

LIBRARIES = (jaxact, jax.nn, jnp)
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
    functions: Iterable[str],
    scale: Scale,
    networks: Iterable[str] = NETWORKS,
    recipes: Iterable[str] = RECIPES,
    *,
    all_settings: bool = False,
) -> Iterator[list[MemoryRow]]:
    """Compiles every network with one activation after the other, and yields its rows.

    The setting is the typical one, of a random activation evaluation, or all that there are; of
    `maxout`, two, four and eight pieces.
    """
    networks = tuple(networks)
    everything = list(itertools.product(LIBRARIES, networks, recipes))
    torch = Torch() if scale.target == "cpu" and importlib.util.find_spec("torch") else None
    for name in functions:
        rows = []
        for setting in _settings(name, all_settings):
            rows += [measure(name, scale, *combination, setting) for combination in everything]
            if torch:
                rows += [measure_torch(name, scale, torch, net, setting) for net in networks]
        yield [row for row in rows if row]


def measure(
    name: str,
    scale: Scale,
    library: ModuleType,
    network: str,
    recipe: str,
    setting: str | None = None,
) -> MemoryRow | None:
    """Compiles one network with one library's activation, by default in its typical setting.

    Returns:
        The row, or None if the library has no such activation, the recipe cannot be applied to it,
        or its results do not have the width of a layer.
    """
    entry = jaxact.CATALOG[name]
    every = _settings(name)
    setting = next(iter(every)) if setting is None else setting
    parameters = every[setting]
    function = _function(name, setting, parameters, library, RECIPES[recipe])
    if function is None:
        return None
    array = _array_maker(scale)
    x = array(scale.batch, scale.features)
    width = scale.features * group_size(parameters)
    enter = [array(scale.features, width)] * num_inputs(entry)
    # A few rows tell what is kept; arrays, for some functions keep less of an array in hand.
    preactivations = [jnp.ones((FEW, width), scale.dtype) / 3] * num_inputs(entry)
    if function(*preactivations).shape != (FEW, scale.features):
        return None
    weights = NETWORKS[network].weights(enter, array(scale.features, scale.features), scale.layers)
    step = NETWORKS[network].training_step(function, RECIPES[recipe].layers)
    options = TARGETS[scale.target].options()
    memory = clock.build(step, weights, x, options=options).executable.memory_analysis()
    if memory is None:
        raise RuntimeError(f"the compiler for {scale.target} does not tell how it uses memory")
    unit = math.prod(x.shape) * x.dtype.itemsize
    return MemoryRow(
        function=name,
        setting=setting,
        network=network,
        recipe=recipe,
        target=scale.target,
        dtype=scale.dtype,
        size=f"{scale.batch}x{scale.features}x{scale.layers}",
        library=library.__name__,
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
    name: str, setting: str, parameters: Mapping[str, Any], library: ModuleType, recipe: Recipe
) -> Function | None:
    """The library's activation with its parameters, as the recipe has it."""
    entry = jaxact.CATALOG[name]
    if recipe.activation is None:
        if library is jaxact:
            return of_inputs(entry.function, parameters, other_arrays(entry))
        if library is jnp:
            plain = PLAIN.get(name)
            return functools.partial(plain, **parameters) if plain else None
        return counterpart(library, name, setting) if setting in settings(entry) else None
    if library is not jaxact:
        return None
    try:
        return recipe.activation(functools.partial(entry.function, **parameters))
    except ValueError:
        return None


def _array_maker(scale: Scale) -> Callable[..., Any]:
    """Makes arrays without contents, by their extents, on the target."""
    sharding = jax.sharding.SingleDeviceSharding(TARGETS[scale.target].device())
    return lambda *shape: jax.ShapeDtypeStruct(shape, scale.dtype, sharding=sharding)
