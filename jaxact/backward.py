"""What reverse mode keeps, by choice: the same values, less memory.

By default every function keeps one array of its input's dtype, or less where less is exact. The
transformations here keep less still, at a stated price.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._catalog import CATALOG
from ._derivatives import keeping


def lean(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose slope is computed from its output.

    The next layer keeps its input anyway, which is this function's output: so nothing is kept for
    this function at all.

    The price: the slope is as exact as the output's rounding allows. Where the function levels off
    the output has lost what the slope depends on: `lean(elu)` has slope 0 in float32 below
    x = -17.3, where the true one is 3e-8. On the bounds of `hard_tanh` it is 0, not 1.

    Args:
        f: an activation of jaxact whose slope is a function of its output, as `relu`, `relu6`,
            `hard_tanh`, `leaky_relu` and `elu` with positive Python numbers, `celu`, `selu`,
            `sigmoid`, `tanh`, `softplus`, `log_sigmoid`, `soft_sign`, `squareplus`; or a
            `functools.partial` of one.

    Returns:
        A function with the signature of `f`, the same values bit for bit, and all transformations.

    Raises:
        TypeError: if `f` is not an activation of jaxact.
        ValueError: if its slope is not a function of its output; when called, if a parameter that
            decides this is not a positive Python number.

    Example:
        >>> f = jaxact.backward.lean(jaxact.elu)
        >>> jax.grad(f)(-1.0)
        Array(0.36787945, dtype=float32, weak_type=True)
    """
    kernel_function = f.func if isinstance(f, functools.partial) else f
    entry = CATALOG.get(getattr(kernel_function, "__name__", ""))
    if entry is None or entry.function is not kernel_function:
        raise TypeError(
            f"jaxact.backward.lean needs an activation of jaxact, got {f!r}: "
            "pass a function such as jaxact.elu, or a functools.partial of one"
        )
    if entry.kind != "elementwise":
        raise ValueError(
            f"the slope of jaxact.{entry.name} is not a function of its output element by element: "
            "use it as it is"
        )

    @functools.wraps(kernel_function)
    def kept(*args, **kwargs):
        with keeping("output"):
            return f(*args, **kwargs)

    _, *parameters = inspect.signature(f).parameters.values()
    if all(p.default is not inspect.Parameter.empty for p in parameters):
        jax.eval_shape(kept, jax.ShapeDtypeStruct((), jnp.float32))  # refuses early
    return kept
