"""What reverse mode keeps between the forward and the backward pass of one function."""

import math
from collections.abc import Callable
from typing import Any

import jax


def residual_bytes(function: Callable[..., Any], *inputs: Any) -> float:
    """Bytes that `jax.vjp` keeps, per element of the first input; scalars do not count.

    Args:
        function: a function of `inputs`.
        inputs: arrays, or their shapes and dtypes: nothing is computed.
    """

    def kept(*inputs):
        leaves = jax.tree.leaves(jax.vjp(function, *inputs)[1])
        return list({id(leaf): leaf for leaf in leaves}.values())  # shared ones once

    arrays = [a for a in jax.eval_shape(kept, *inputs) if a.size > 1]
    return sum(a.size * a.dtype.itemsize for a in arrays) / math.prod(inputs[0].shape)
