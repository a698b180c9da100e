"""Small codes packed into bytes: what reverse mode keeps where a bit or two per element will do."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType


class Packing(NamedTuple):
    """How codes along the last axis lie in bytes.

    Attributes:
        bits: of one code: 1, 2, 4 or 8.
        parts: into how many equal parts the axis is divided, each of which fills bytes of its own:
            a device that holds whole parts packs what it has.
    """

    bits: int
    parts: int

    @classmethod
    def of(cls, x: Array, choices: int) -> "Packing":
        """For codes of the shape of `x` that tell `choices` apart: the fewest bits that do."""
        return cls(next(bits for bits in (1, 2, 4, 8) if choices <= 2**bits), _parts(x))

    @property
    def per_byte(self) -> int:
        """How many codes fill a byte."""
        return 8 // self.bits

    def pack(self, codes: Array) -> Array:
        """Packs codes; the last byte of each part is filled with zeros.

        A sum rather than shifts and ors: XLA may compute elementwise code again in the backward
        pass, and keep what it needs for that; it never repeats a reduction. For Nvidia's GPUs it
        takes so short a sum for elementwise code too, but not a product with the shifts, which it
        then compiles to a reduction all the same.
        """
        codes = codes.astype(jnp.uint8)
        if self.per_byte == 1:
            return codes
        parts = split_last(codes, self.parts, codes.shape[-1] // self.parts)
        padding = [(0, 0)] * codes.ndim + [(0, -parts.shape[-1] % self.per_byte)]
        padded = jnp.pad(parts, padding)
        groups = split_last(padded, padded.shape[-1] // self.per_byte, self.per_byte)
        add = functools.partial(_packed_by_sum, self.bits)
        multiply = functools.partial(_packed_by_product, self.bits)
        return join_last(lax.platform_dependent(groups, cuda=multiply, default=add))

    def unpack(self, packed: Array, size: int) -> Array:
        """The `size` codes that `pack` packed."""
        if self.per_byte == 1:
            return packed
        parts = split_last(packed, self.parts, packed.shape[-1] // self.parts)
        shifted = parts[..., None] >> _shifts(parts.ndim + 1, self.bits)
        padded = join_last(shifted & np.uint8(2**self.bits - 1))
        return join_last(padded[..., : size // self.parts])


def _packed_by_sum(bits: int, groups: Array) -> Array:
    return jnp.sum(groups << _shifts(groups.ndim, bits), axis=-1, dtype=jnp.uint8)


def _packed_by_product(bits: int, groups: Array) -> Array:
    """All numbers have at most 8 bits, which bfloat16 holds."""
    powers = np.exp2(bits * np.arange(8 // bits)).astype(jnp.bfloat16)  # to XLA a constant
    total = jnp.matmul(
        groups.astype(jnp.bfloat16),
        powers[:, None],
        preferred_element_type=jnp.float32,
    )
    return jnp.squeeze(total, -1).astype(jnp.uint8)


def _shifts(ndim: int, bits: int) -> Array:
    shape = (1,) * (ndim - 1) + (8 // bits,)
    return lax.broadcasted_iota(jnp.uint8, shape, ndim - 1) * np.uint8(bits)


# --- The last axis, and the devices it is spread over --------------------------------------------


def split_last(x: Array, outer: int, inner: int) -> Array:
    """The last axis as two; a sharding stays with the first."""
    shape = (*x.shape[:-1], outer, inner)
    return _reshaped(x, shape, _explicit(x, lambda spec: (*spec, None)))


def join_last(x: Array) -> Array:
    """The last two axes as one; a sharding of the first stays."""
    shape = (*x.shape[:-2], math.prod(x.shape[-2:]))
    return _reshaped(x, shape, _explicit(x, lambda spec: spec[:-1]))


def _reshaped(x: Array, shape: tuple[int, ...], sharding) -> Array:
    # What no sharding needs is not said: exporters know the function by its usual arguments.
    return jnp.reshape(x, shape, **({} if sharding is None else {"out_sharding": sharding}))


def _parts(x: Array) -> int:
    """How many devices the last axis is spread over; at most, where only the compiler knows."""
    size, sharding = x.shape[-1], _explicit(x, lambda spec: spec)
    if sharding is not None:
        return size // max(1, sharding.shard_shape(x.shape)[-1])
    mesh = jax.typeof(x).sharding.mesh
    axes = zip(mesh.axis_sizes, mesh.axis_types, strict=True)
    devices = math.prod(extent for extent, kind in axes if kind != AxisType.Manual)
    return 1 if devices == 1 else math.gcd(size, devices)


def _explicit(x: Array, change):
    """The explicit sharding of `x`, its specification changed; None under automatic sharding."""
    sharding = jax.typeof(x).sharding
    if sharding.mesh.empty or not sharding.mesh.are_all_axes_explicit:
        return None
    return sharding.update(spec=jax.P(*change(tuple(sharding.spec))))
