"""What reverse mode keeps between the forward and the backward pass of one function."""

from collections.abc import Callable
from typing import Any

import jax


def residual_bytes(function: Callable[..., Any], *inputs: Any) -> float:
    """Bytes that `jax.vjp` keeps, per element of the first input; scalars do not count."""
    leaves = jax.tree.leaves(jax.vjp(function, *inputs)[1])
    kept = {id(leaf): leaf for leaf in leaves if leaf.size > 1}  # shared ones once
    return sum(leaf.nbytes for leaf in kept.values()) / inputs[0].size


def traced_residual_bytes(function: Callable[..., Any], *inputs: Any) -> float:
    """The same without computing anything; `jaxact.backward.few_bit` keeps more while traced."""
    found: list[float] = []
    jax.eval_shape(lambda *inputs: found.append(residual_bytes(function, *inputs)), *inputs)
    return found[0]


def torch_residual_bytes(torch: Any, function: Callable[..., Any], *inputs: Any) -> float:
    """Bytes that torch keeps without compilation, per element of the first input."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    leaves = [x.requires_grad_() for x in inputs]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function(*leaves)
    return sum(kept.values()) / leaves[0].numel()
