"""How much memory: what compiled training steps take, and what each function keeps."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import jax

import jaxact

from . import clock
from .cases import group_size, num_inputs, settings, typical_settings
from .libraries import counterpart
from .networks import NETWORKS, RECIPES
from .residuals import residual_bytes
from .results import MemoryRow
from .targets import TARGETS

LIBRARIES = (jaxact, jax.nn)
DTYPES = ("float32", "bfloat16", "float16")


class Scale(NamedTuple):
    """Extent and dtype of the networks; every layer's result is batch x features."""

    batch: int = 2048
    features: int = 512
    layers: int = 12
    dtype: str = "float32"
    target: str = "cpu"


def measure_all(functions: Iterable[str], scale: Scale) -> Iterator[list[MemoryRow]]:
    """Compiles every network with one activation after the other, and yields its rows."""
    for name in functions:
        everything = itertools.product(LIBRARIES, NETWORKS, RECIPES)
        rows = (measure(name, scale, *combination) for combination in everything)
        yield [row for row in rows if row]


def measure(
    name: str, scale: Scale, library: ModuleType, network: str, recipe: str
) -> MemoryRow | None:
    """Compiles one network with one library's activation; None if the library has no such one.

    The setting is the typical one; of a random activation that is evaluation.
    """
    entry = jaxact.CATALOG[name]
    setting = typical_settings(entry)[0]
    function = counterpart(library, name, setting)
    if function is None:
        return None
    array = _array_maker(scale)
    x = array(scale.batch, scale.features)
    width = scale.features * group_size(settings(entry)[setting])
    enter = [array(scale.features, width)] * num_inputs(entry)
    preactivations = [array(scale.batch, width)] * num_inputs(entry)
    weights = NETWORKS[network].weights(enter, array(scale.features, scale.features), scale.layers)
    step = NETWORKS[network].training_step(function, RECIPES[recipe])
    memory = clock.build(step, weights, x).executable.memory_analysis()
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


def _array_maker(scale: Scale) -> Callable[..., Any]:
    """Makes arrays without contents, by their extents, on the target."""
    sharding = jax.sharding.SingleDeviceSharding(TARGETS[scale.target]())
    return lambda *shape: jax.ShapeDtypeStruct(shape, scale.dtype, sharding=sharding)
