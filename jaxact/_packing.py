"""Small codes packed into bytes: what reverse mode keeps where a bit or two per element will do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def width(choices: int) -> int:
    """Bits per code: the least of 1, 2, 4 and 8 that tells `choices` apart."""
    return next(bits for bits in (1, 2, 4, 8) if choices <= 2**bits)


def split_last(x: Array, size: int) -> Array:
    """The last axis as two, the second of the given size; a sharding stays with the first."""
    shape = (*x.shape[:-1], x.shape[-1] // size, size)
    return jnp.reshape(x, shape, out_sharding=_explicit(x, lambda spec: (*spec, None)))


def pack(codes: Array, bits: int) -> Array:
    """Packs codes along the last axis, 8 // bits to the byte; the last byte is filled with zeros.

    A sum rather than shifts and ors: XLA may compute elementwise code again in the backward pass,
    and keep what it needs for that; it never repeats a reduction. For Nvidia's GPUs it takes so
    short a sum for elementwise code too, but not a product with the shifts, which it then compiles
    to a reduction all the same.
    """
    per_byte = 8 // bits
    if per_byte == 1:
        return codes.astype(jnp.uint8)
    padding = [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per_byte)]
    groups = split_last(jnp.pad(codes, padding).astype(jnp.uint8), per_byte)
    add = functools.partial(_packed_by_sum, bits)
    multiply = functools.partial(_packed_by_product, bits)
    return lax.platform_dependent(groups, cuda=multiply, default=add)


def _packed_by_sum(bits: int, groups: Array) -> Array:
    return jnp.sum(groups << _shifts(groups.ndim, bits), axis=-1, dtype=jnp.uint8)


def _packed_by_product(bits: int, groups: Array) -> Array:
    """All numbers have at most 8 bits, which bfloat16 holds."""
    powers = np.exp2(bits * np.arange(8 // bits)).astype(
        jnp.bfloat16
    )  # a constant, by XLA's lights
    total = jnp.matmul(
        groups.astype(jnp.bfloat16),
        powers[:, None],
        preferred_element_type=jnp.float32,
    )
    return jnp.squeeze(total, -1).astype(jnp.uint8)


def unpack(packed: Array, bits: int, size: int) -> Array:
    """The `size` codes along the last axis that `pack` packed."""
    per_byte = 8 // bits
    if per_byte == 1:
        return packed
    codes = (packed[..., None] >> _shifts(packed.ndim + 1, bits)) & np.uint8(2**bits - 1)
    shape = (*packed.shape[:-1], packed.shape[-1] * per_byte)
    return jnp.reshape(codes, shape, out_sharding=_explicit(codes, lambda s: s[:-1]))[..., :size]


def fits_shards(x: Array, count: int) -> bool:
    """Whether groups of `count` along the last axis stay within the shards of an explicit mesh."""
    sharding = _explicit(x, lambda spec: spec)
    return sharding is None or sharding.shard_shape(x.shape)[-1] % count == 0


def _explicit(x: Array, change):
    """The explicit sharding of `x`, its specification changed; None under automatic sharding."""
    sharding = jax.typeof(x).sharding
    if sharding.mesh.empty or not sharding.mesh.are_all_axes_explicit:
        return None
    return sharding.update(spec=jax.P(*change(tuple(sharding.spec))))


def _shifts(ndim: int, bits: int) -> Array:
    shape = (1,) * (ndim - 1) + (8 // bits,)
    return lax.broadcasted_iota(jnp.uint8, shape, ndim - 1) * np.uint8(bits)
