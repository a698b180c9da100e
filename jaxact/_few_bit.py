"""Slopes in few bits: the derivative rule of `backward.few_bit`.

The tangent is level(code(x)) * t. Where it is split from the value, to be transposed, the packed
codes take the place of x. But codes have no derivative, and a gradient has one, the curvature: so
x remains an operand beside the codes, for derivatives to come, and no program reads it. Within one
compiled program XLA removes it, out of loops too. An array in hand, that is no tracer, cannot be
differentiated any more: there x is left out.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ._derivatives import compute_dtype, sharded_alike
from ._jax import (
    Primitive,
    Tracer,
    Zero,
    primitive,
    product_aval,
    split_linear,
    varying_alike,
    zero_tangent,
)
from ._levels import Levels
from ._opaque_call import opaque_call
from ._packing import Packing
from ._plain import custom_jvp


class Coding(NamedTuple):
    """A function, and the step function that stands in for its slope.

    Attributes:
        function: the activation.
        parameters: its parameters after x, by name.
        levels: the steps.
    """

    function: Callable[..., Array]
    parameters: tuple[tuple[str, Any], ...]
    levels: Levels

    def value(self, x: Array) -> Array:
        """The activation itself."""
        return self.function(x, **dict(self.parameters))

    def codes(self, x: Array) -> Array:
        """The number of the step that each element is on."""
        x = x.astype(compute_dtype(x))
        above = [(x > cut).astype(jnp.uint8) for cut in self.levels.cuts]
        return functools.reduce(jnp.add, above)

    def slopes(self, codes: Array, dtype: Any) -> Array:
        """The steps' values."""
        slopes = jnp.full(codes.shape, self.levels.values[0], dtype)
        for code, value in enumerate(self.levels.values[1:], 1):
            slopes = jnp.where(codes >= code, jnp.asarray(value, dtype), slopes)
        return slopes


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def coded(coding: Coding, x: Array) -> Array:
    """The activation, whose slope is one of a few levels."""
    return coding.value(x)


@coded.defjvp
def _coded_jvp(coding: Coding, primals, tangents):
    (x,), (t,) = primals, tangents
    y = opaque_call(coded, (coding,), x)
    if jnp.ndim(x):
        return y, step_p.bind(*varying_alike(t, x), coding=coding)
    row = lambda scalar: jnp.expand_dims(scalar, 0)  # codes are packed along an axis
    return y, step_p.bind(*varying_alike(row(t), row(x)), coding=coding)[0]


# --- The tangent, from the input -----------------------------------------------------------------


def _step(t: Array, x: Array, *, coding: Coding) -> Array:
    return _times(coding.slopes(coding.codes(x), compute_dtype(t)), t)


def _times(slopes: Array, t: Array) -> Array:
    return (slopes * t.astype(slopes.dtype)).astype(t.dtype)


def _abstract_step(t, x, *, coding: Coding):
    return product_aval(t, x.update(weak_type=t.weak_type))


def _split(x: Array, *, coding: Coding) -> tuple[Primitive, list[Array], dict[str, Any]]:
    """Where only the tangent is unknown, codes are computed now, and packed."""
    packing = Packing.of(x, len(coding.levels.values))
    packed = opaque_call(_packed, (coding, packing), lax.stop_gradient(x))
    kept = [packed, x] if isinstance(x, Tracer) else [packed]
    return unpacked_step_p, kept, {"coding": coding, "packing": packing}


def _packed(coding: Coding, packing: Packing, x: Array) -> Array:
    return packing.pack(coding.codes(x))


# --- The tangent, from packed codes --------------------------------------------------------------


def _unpacked_step(t: Array, packed: Array, *_: Array, coding: Coding, packing: Packing) -> Array:
    # The barrier keeps XLA from computing the codes again, for which it would keep x.
    t, packed = lax.optimization_barrier((t, packed))
    codes = packing.unpack(packed, t.shape[-1])
    return _times(coding.slopes(codes, compute_dtype(t)), t)


def _step_on_tpu(t: Array, packed: Array, *x: Array, coding: Coding, packing: Packing) -> Array:
    """XLA for TPUs computes codes again from what it keeps anyway: packed, they take more."""
    if x:
        return _step(t, *x, coding=coding)
    return _unpacked_step(t, packed, coding=coding, packing=packing)


def _abstract_unpacked_step(t, packed, *x, coding: Coding, packing: Packing):
    return _abstract_step(t, *x, coding=coding) if x else t


# --- What both have in common --------------------------------------------------------------------


def _primitive(
    name: str,
    run: Callable[..., Array],
    aval: Callable[..., Any],
    *static: str,
    platforms: Mapping[str, Callable[..., Array]] | None = None,
) -> Primitive:
    """A primitive that is linear in its first operand, the tangent; others are kept for that."""

    def jvp(primals, tangents, **parameters):
        """Along t the steps; along x the curvature of the activation, that of steps being 0."""
        t, *kept = primals
        t_tangent, *_, x_tangent = tangents
        terms = []
        if type(t_tangent) is not Zero:
            terms.append(ours.bind(t_tangent, *kept, **parameters))
        if type(x_tangent) is not Zero:
            x, dx = (jnp.broadcast_to(a, t.shape) for a in (kept[-1], x_tangent))
            value = parameters["coding"].value
            terms.append(jax.jvp(lambda x: jax.jvp(value, (x,), (t,))[1], (x,), (dx,))[1])
        total = functools.reduce(jnp.add, terms) if terms else zero_tangent(t)
        return ours.bind(*primals, **parameters), total

    def transpose(ct, t, *kept, **parameters):
        if type(ct) is Zero:
            return [Zero(t.aval), *(None for _ in kept)]
        back = ours.bind(*varying_alike(ct, *kept), **parameters)
        return [sharded_alike(back, t.aval.sharding), *(None for _ in kept)]

    def batch(operands, axes, **parameters):
        """Along the new axis, the first, only the tangent is repeated where it has no such axis."""
        size = next(a.shape[i] for a, i in zip(operands, axes, strict=True) if i is not None)
        t, *kept = (
            jnp.expand_dims(a, 0) if axis is None else jnp.moveaxis(a, axis, 0)
            for a, axis in zip(operands, axes, strict=True)
        )
        return ours.bind(jnp.broadcast_to(t, (size, *t.shape[1:])), *kept, **parameters), 0

    ours = primitive(
        name,
        run=run,
        static=static,
        aval=aval,
        jvp=jvp,
        transpose=transpose,
        batch=batch,
        platforms=platforms,
    )
    return ours


step_p = _primitive("jaxact_step", _step, _abstract_step, "coding")
unpacked_step_p = _primitive(
    "jaxact_unpacked_step",
    _unpacked_step,
    _abstract_unpacked_step,
    "coding",
    "packing",
    platforms={"tpu": _step_on_tpu},
)
split_linear(step_p, _split)
