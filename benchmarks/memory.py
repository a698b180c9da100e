"""How much memory: what compiled training steps take, and what each function keeps."""

import functools
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxact

from . import clock
from .cases import Case, group_size, num_inputs, settings, typical_settings
from .libraries import Torch, counterpart
from .modes import Function
from .networks import NETWORKS, RECIPES, Recipe
from .residuals import residual_bytes, torch_residual_bytes
from .results import MemoryRow
from .targets import TARGETS

LIBRARIES = (jaxact, jax.nn)
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
) -> Iterator[list[MemoryRow]]:
    """Compiles every network with one activation after the other, and yields its rows."""
    networks = tuple(networks)
    everything = list(itertools.product(LIBRARIES, networks, recipes))
    torch = Torch() if scale.target == "cpu" and importlib.util.find_spec("torch") else None
    for name in functions:
        rows = [measure(name, scale, *combination) for combination in everything]
        if torch:
            rows += [measure_torch(name, scale, torch, network) for network in networks]
        yield [row for row in rows if row]


def measure(
    name: str, scale: Scale, library: ModuleType, network: str, recipe: str
) -> MemoryRow | None:
    """Compiles one network with one library's activation.

    The setting is the typical one; of a random activation that is evaluation.

    Returns:
        The row, or None if the library has no such activation, the recipe cannot be applied to it,
        or its results do not have the width of a layer.
    """
    entry = jaxact.CATALOG[name]
    setting = typical_settings(entry)[0]
    function = _function(name, setting, library, RECIPES[recipe])
    if function is None:
        return None
    array = _array_maker(scale)
    x = array(scale.batch, scale.features)
    width = scale.features * group_size(settings(entry)[setting])
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


def measure_torch(name: str, scale: Scale, torch: Torch, network: str) -> MemoryRow | None:
    """What torch keeps of the activation alone; None if it has no such one.

    It compiles nothing that would tell of temporaries.
    """
    setting = typical_settings(jaxact.CATALOG[name])[0]
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


def _function(name: str, setting: str, library: ModuleType, recipe: Recipe) -> Function | None:
    """The library's activation with its setting, as the recipe has it."""
    if recipe.activation is None:
        return counterpart(library, name, setting)
    if library is not jaxact:
        return None
    entry = jaxact.CATALOG[name]
    try:
        return recipe.activation(functools.partial(entry.function, **settings(entry)[setting]))
    except ValueError:
        return None


def _array_maker(scale: Scale) -> Callable[..., Any]:
    """Makes arrays without contents, by their extents, on the target."""
    sharding = jax.sharding.SingleDeviceSharding(TARGETS[scale.target].device())
    return lambda *shape: jax.ShapeDtypeStruct(shape, scale.dtype, sharding=sharding)
