"""Communication between devices that a program needs when its arrays are sharded."""

import re
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

OPERATIONS = re.compile(
    r" (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


def collectives(program: Callable[..., Any], operands: tuple[Any, ...]) -> int | None:
    """Operations between all devices, with arrays sharded by rows and features.

    Parameters of modules are on every device.

    Returns:
        Their number, or None if there is a single device, or if it cannot divide the arrays.
    """
    rows, odd = divmod(jax.device_count(), 2)
    x = operands[0][0]
    if odd or x.shape[0] % rows or x.shape[-1] % 2:
        return None
    mesh = jax.make_mesh((rows, 2), ("rows", "features"), axis_types=(AxisType.Auto,) * 2)

    def placed(a: jax.Array) -> jax.ShapeDtypeStruct:
        divided = ("rows", *(None,) * (x.ndim - 2), "features") if a.ndim == x.ndim else ()
        sharding = NamedSharding(mesh, PartitionSpec(*divided))
        return jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding)

    compiled = jax.jit(program).lower(*jax.tree.map(placed, operands)).compile()
    return len(OPERATIONS.findall(compiled.as_text() or ""))
