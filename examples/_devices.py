"""Many networks on many devices: each device trains some of them, and none waits for another."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P

AXIS = "networks"


class Spread:
    """Arrays with one row per network, laid over devices, as many rows on one as on another.

    Where the networks cannot be shared out evenly, the last one is trained again to fill up; what
    becomes of these copies is dropped. Devices may belong to several processes, which then all have
    to call the same methods, and all get the same results.

    Args:
        devices: What there is; a single process leaves idle what it does not need.
        number: How many networks.
    """

    def __init__(self, devices: Sequence[Any], number: int):
        each = -(-number // len(devices))
        used = devices[: -(-number // each)] if jax.process_count() == 1 else devices
        self.devices = len(used)
        self._number, self._filled = number, each * self.devices
        self._mesh = Mesh(np.asarray(used), (AXIS,), axis_types=(AxisType.Auto,))

    def rows(self, arrays: Any) -> Any:
        """Returns arrays with a row for each network, each device having its own rows."""
        networks = np.minimum(np.arange(self._filled), self._number - 1)
        own = NamedSharding(self._mesh, P(AXIS))

        def placed(rows: Any) -> Any:
            if jnp.issubdtype(rows.dtype, jax.dtypes.prng_key):
                words = placed(jax.random.key_data(rows))
                return jax.random.wrap_key_data(words, impl=jax.random.key_impl(rows))
            return jax.device_put(np.asarray(rows)[networks], own)

        return jax.tree.map(placed, arrays)

    def share(self, arrays: Any) -> Any:
        """Returns arrays that every device has for itself."""
        return jax.device_put(arrays, NamedSharding(self._mesh, P()))

    def each(self, function: Callable[..., Any], **options: Any) -> Any:
        """Returns function(own, shared) compiled for all networks, each with its own rows.

        Every device runs the program that one device would run for fewer networks: nothing in it
        communicates, so its speed grows with the devices, and a network does not notice them.
        """
        mapped = jax.vmap(function, in_axes=(0, None))
        spread = jax.shard_map(mapped, mesh=self._mesh, in_specs=(P(AXIS), P()), out_specs=P(AXIS))
        return jax.jit(spread, **options)

    def collect(self, rows: Any) -> Any:
        """Returns the rows of all networks, on every host."""
        gathered = process_allgather(rows, tiled=True)
        return jax.tree.map(lambda a: np.asarray(a)[: self._number], gathered)
