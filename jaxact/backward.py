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
import numpy as np
from jax import Array

from . import _few_bit
from ._arguments import real, require, whole
from ._catalog import CATALOG, Entry
from ._derivatives import residual_policy
from ._levels import fit
from ._plain import not_plain
from .names import Named

__all__ = ["few_bit", "lean"]


def lean(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose slope is computed from its output.

    The next layer keeps its input anyway, which is this function's output: so nothing is kept for
    this function at all.

    The price: the slope is as exact as the output's rounding allows. Where the function levels off
    the output has lost what the slope depends on: `lean(elu)` has slope 0 in float32 below
    x = -17.3, where the true one is 3e-8. The largest error of a slope is 4e-7 in float32, 0.001 in
    float16, 0.008 in bfloat16 (of `sqnl`, as a slope is a root there, 8e-5, 0.016, 0.043), over
    x from -20 to 20; docs/memory.md has it for each function. On the bounds of `hard_tanh` the
    slope is 0, not 1.

    Args:
        f: an activation of jaxact whose slope is a function of its output, as `relu`, `relu6`,
            `hard_tanh`, `leaky_relu` and `elu` with positive Python numbers, `celu`, `selu`,
            `sigmoid`, `tanh`, `softplus`, `log_sigmoid`, `soft_sign`, `squareplus`; or a
            `functools.partial` of one, or what `jaxact.get` makes of its name.

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
    f = _unnamed(f)
    entry = _declaration("lean", f)
    if entry.kind != "elementwise":
        raise ValueError(
            f"the slope of jaxact.{entry.name} is not a function of its output element by element: "
            "use it as it is, or jax.checkpoint around the layer"
        )

    def call(*args, **kwargs):
        with residual_policy("output"):
            return f(*args, **kwargs)

    kept = _Transformed(call, lean, f)
    _, *parameters = inspect.signature(f).parameters.values()
    if all(p.default is not inspect.Parameter.empty for p in parameters):
        jax.eval_shape(kept, jax.ShapeDtypeStruct((), jnp.float32))  # refuses early
    return kept


def few_bit(f: Callable[..., Any], bits: int = 2) -> Callable[..., Any]:
    """The same function, whose slope is rounded to one of a few levels, kept in a few bits.

    The values are exact, bit for bit. Reverse mode keeps which level each element has, packed, 8 /
    bits of them to the byte (three bits take four), and nothing else. Levels and the jumps between
    them are those with the least mean square error of the slope for standard normal inputs, found
    for each function and setting when it is first called. So the gradient is approximate (docs/
    memory.md has its cosine with the true one); the derivative of the gradient is the true one.
    A slope that turns more often than there are levels, as that of a fast `sine`, is beyond them.

    Args:
        f: an elementwise activation of jaxact, or a `functools.partial` of one, or what
            `jaxact.get` makes of its name.
        bits: how many are kept per element: 1, 2, 3 or 4.

    Returns:
        A function with the signature of `f` but that parameters after x are numbers, not arrays,
        with the same values and all transformations.

    Edges:
        NaN gives NaN, with the slope of the lowest step: what tells of it is the value.

    Raises:
        TypeError: if `f` is not an activation of jaxact, or if `bits` is no integer.
        ValueError: if `f` is not elementwise or `bits` out of range; when called, if a parameter is
            an array, or makes slopes that are not finite.

    Source:
        Novikov et al., Few-Bit Backward, ICML 2023, arXiv:2202.00441

    Example:
        >>> f = jaxact.backward.few_bit(jaxact.gelu)
        >>> jax.grad(f)(3.0)
        Array(1.046547, dtype=float32)
    """
    f = _unnamed(f)
    entry = _declaration("few_bit", f)
    if entry.kind != "elementwise":
        raise ValueError(
            f"jaxact.{entry.name} is not elementwise, so that few bits do not tell its slope: "
            "use it as it is, or jax.checkpoint around the layer"
        )
    bits = whole("backward.few_bit", "bits", bits)
    require(bits in (1, 2, 3, 4), "jaxact.backward.few_bit", "bits", bits, "be 1, 2, 3 or 4")
    signature = inspect.signature(entry.function)

    def coded(*args, **kwargs):
        given = f if isinstance(f, functools.partial) else functools.partial(f)
        call = signature.bind(*given.args, *args, **{**given.keywords, **kwargs})
        x, *parameters = call.arguments.items()
        for name, value in parameters:
            if isinstance(value, Array | np.ndarray):
                raise ValueError(
                    f"jaxact.{entry.name}: {name} is an array, but the levels of its few_bit are "
                    "fitted beforehand: pass a Python number"
                )
        x = real(x[1], entry.name, keep_integers=True)
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return f(*args, **kwargs)  # without a slope
        return _few_bit.coded(_coding(entry.name, tuple(parameters), bits), x)

    return _Transformed(coded, few_bit, f, bits)


class _Transformed:
    """What `lean` and `few_bit` return: a value, equal to another that computes and keeps the same.

    So JAX compiles once for both; it may be pickled and copied, and be a static argument.
    """

    def __init__(self, call: Callable[..., Array], made_by: Callable, f: Callable, *settings: Any):
        f = f if isinstance(f, functools.partial) else functools.partial(f)
        functools.update_wrapper(self, f.func)
        self._call, self._remade = call, (made_by, (f, *settings))
        self._key = (made_by, f.func, f.args, tuple(sorted(f.keywords.items())), settings)

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        return self._call(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Transformed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple:
        return self._remade

    def __repr__(self) -> str:
        made_by, function, args, keywords, settings = self._key
        given = [*map(repr, args), *(f"{name}={value!r}" for name, value in keywords)]
        name = f"jaxact.{function.__name__}"
        f = f"functools.partial({', '.join([name, *given])})" if given else name
        return f"jaxact.backward.{made_by.__name__}({', '.join([f, *map(repr, settings)])})"


@functools.cache
def _coding(name: str, parameters: tuple[tuple[str, Any], ...], bits: int) -> _few_bit.Coding:
    entry = CATALOG[name]
    function = functools.partial(entry.function, **dict(parameters))
    with not_plain():
        levels = fit(function, 2**bits, entry.domain(**dict(parameters)))
    return _few_bit.Coding(entry.function, parameters, levels)


def _unnamed(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its parameters, if `jaxact.get` made it."""
    return functools.partial(f.function, **f.parameters) if isinstance(f, Named) else f


def _declaration(name: str, f: Callable[..., Any]) -> Entry:
    """What the catalogue says about a function.

    Raises:
        TypeError: if it has no such function.
    """
    function = f.func if isinstance(f, functools.partial) else f
    entry = CATALOG.get(getattr(function, "__name__", ""))
    if entry is None or entry.function is not function:
        raise TypeError(
            f"jaxact.backward.{name} needs an activation of jaxact, got {f!r}: "
            "pass a function such as jaxact.elu, or a functools.partial of one"
        )
    return entry
