"""Small codes packed into bytes: what reverse mode keeps where a bit or two per element will do."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def width(choices: int) -> int:
    """Bits per code: the least of 1, 2, 4 and 8 that tells `choices` apart."""
    return next(bits for bits in (1, 2, 4, 8) if choices <= 2**bits)


def pack(codes: Array, bits: int) -> Array:
    """Packs codes along the last axis, 8 // bits to the byte; the last byte is filled with zeros.

    A sum rather than shifts and ors: XLA may compute elementwise code again in the backward pass,
    and keep what it needs for that; it never repeats a reduction.
    """
    per_byte = 8 // bits
    if per_byte == 1:
        return codes.astype(jnp.uint8)
    *rest, size = codes.shape
    bytes_ = -(-size // per_byte)
    codes = jnp.pad(codes, [(0, 0)] * len(rest) + [(0, bytes_ * per_byte - size)])
    codes = codes.astype(jnp.uint8).reshape(*rest, bytes_, per_byte)
    return jnp.sum(codes << _shifts(codes.ndim, bits), axis=-1, dtype=jnp.uint8)


def unpack(packed: Array, bits: int, size: int) -> Array:
    """The `size` codes along the last axis that `pack` packed."""
    per_byte = 8 // bits
    if per_byte == 1:
        return packed
    codes = (packed[..., None] >> _shifts(packed.ndim + 1, bits)) & np.uint8(2**bits - 1)
    return codes.reshape(*packed.shape[:-1], packed.shape[-1] * per_byte)[..., :size]


def _shifts(ndim: int, bits: int) -> Array:
    shape = (1,) * (ndim - 1) + (8 // bits,)
    return lax.broadcasted_iota(jnp.uint8, shape, ndim - 1) * np.uint8(bits)
