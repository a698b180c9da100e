"""The value of an elementwise function can be part of a Pallas kernel."""

import jax
import jax.numpy as jnp
import pytest
from cases import POINTWISE, cases, identical, over
from jax.experimental import pallas as pl

SHAPE = (16, 128)  # a tile, in 16 bits too
_DTYPES = pytest.mark.parametrize(
    "dtype", [jnp.bfloat16, jnp.float32], ids=lambda d: jnp.dtype(d).name
)


def in_a_kernel(case, dtype, *, interpret=False):
    """The function, run by a kernel on one block."""

    def kernel(x, y):
        y[...] = case(x[...])

    shape = jax.ShapeDtypeStruct(SHAPE, dtype)
    return jax.jit(pl.pallas_call(kernel, out_shape=shape, interpret=interpret))


@_DTYPES
@over(cases(*POINTWISE))
def test_a_kernel_computes_the_same_value(case, dtype):
    (x,) = case.inputs(SHAPE, dtype)
    assert identical(in_a_kernel(case, dtype, interpret=True)(x), case(x))


@_DTYPES
@over(cases(*POINTWISE))
def test_a_kernel_lowers_for_a_tpu(case, dtype):
    """As those of jax.nn do; no TPU is needed for that."""
    (x,) = case.inputs(SHAPE, dtype)
    lowered = in_a_kernel(case, dtype).trace(x).lower(lowering_platforms=("tpu",))
    assert "tpu_custom_call" in lowered.as_text()
