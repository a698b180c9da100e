"""The value of an elementwise function can be part of a Pallas kernel."""

import jax
import jax.numpy as jnp
import pytest
from cases import POINTWISE, identical, over, typical_cases
from jax.experimental import pallas as pl

SHAPE = (16, 128)  # a tile, in 16 bits too
_DTYPES = pytest.mark.parametrize(
    "dtype", [jnp.bfloat16, jnp.float32], ids=lambda d: jnp.dtype(d).name
)


def in_a_kernel(function, dtype, *, interpret=False):
    """The function, run by a kernel on one block."""

    def kernel(x, y):
        y[...] = function(x[...])

    shape = jax.ShapeDtypeStruct(SHAPE, dtype)
    return jax.jit(pl.pallas_call(kernel, out_shape=shape, interpret=interpret))


@_DTYPES
@pytest.mark.machinery
@over(typical_cases(*POINTWISE))
def test_a_kernel_computes_the_same_value(case, dtype):
    (x,) = case.inputs(SHAPE, dtype)
    assert identical(in_a_kernel(case, dtype, interpret=True)(x), case(x))


@_DTYPES
@over(typical_cases(*POINTWISE))
def test_a_kernel_lowers_for_a_tpu(case, dtype):
    """Unless the namesake in jax.nn does not either; no TPU is needed for that."""
    peer = getattr(jax.nn, case.entry.name, None)
    assert lowers_for_a_tpu(case, dtype) or (peer and not lowers_for_a_tpu(peer, dtype))


def lowers_for_a_tpu(function, dtype):
    """Whether Pallas has rules for all that the function needs."""
    x = jax.ShapeDtypeStruct(SHAPE, dtype)
    try:
        in_a_kernel(function, dtype).trace(x).lower(lowering_platforms=("tpu",))
    except NotImplementedError:
        return False
    return True
