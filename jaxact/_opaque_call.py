"""Functions that stay whole, with their derivative rules, when JAX takes programs apart.

Differentiating a `lax.scan` JAX evaluates its body in part, to move what does not change out of
the loop, and there it writes out functions with a `custom_jvp` rule and forgets the rule. Two harms
follow: another derivative of that program would differentiate arithmetic that works on bits, and is
wrong; and constants move out of the loop as arrays of full size. A primitive is never written out.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import Array, lax

from ._jax import Zero, flag, is_undefined_primal, primitive
from ._mechanism import HAS_PRIMITIVES


def opaque_call(function: Callable[..., Array], static: tuple, *operands: Array) -> Array:
    """function(*static, *operands), as one primitive whose derivative is that of the function.

    Args:
        function: differentiable by a rule of its own; hashable, as is what is `static`.
        static: its first arguments.
        operands: the arrays that it takes besides.
    """
    if not HAS_PRIMITIVES:
        return function(*static, *operands)
    return opaque_call_p.bind(*operands, function=function, static=static, mapped=())


def linear_call(function: Callable[..., Array], static: tuple, *operands: Array) -> Array:
    """function(*static, *operands), linear in its last operands: backward keeps the others only.

    `jax.checkpoint` says the same, but within one of the user's it keeps an operand besides that
    the user's policy has kept already; and under JAX's flag `jax_remat3` it has no transpose.
    """
    if not HAS_PRIMITIVES:
        if flag("jax_remat3"):
            raise NotImplementedError(
                "JAXACT_RULE=checkpoint makes linear functions of jax.checkpoint, which under the "
                "flag jax_remat3 has no transpose: unset one of the two"
            )
        numbers = tuple(range(len(static)))
        return jax.checkpoint(function, static_argnums=numbers)(*static, *operands)
    return opaque_call(function, static, *operands)


def _call(*operands: Array, function, static: tuple, mapped: tuple) -> Array:
    """The function, mapped over axes of its operands as often as `mapped` has entries."""
    call = functools.partial(function, *static)
    for axes in mapped:
        call = jax.vmap(call, axes)
    return call(*operands)


def _jvp(primals, tangents, **parameters):
    live = [type(t) is not Zero for t in tangents]

    def call(*varying: Array) -> Array:
        rest = iter(varying)
        return _call(
            *(next(rest) if moves else a for a, moves in zip(primals, live, strict=True)),
            **parameters,
        )

    moving = [a for a, moves in zip(primals, live, strict=True) if moves]
    return jax.jvp(call, moving, [t for t in tangents if type(t) is not Zero])


def _transpose(ct, *operands, **parameters):
    """Of a function that is linear in its last operands, those that are unknown."""
    kept = [a for a in operands if not is_undefined_primal(a)]
    unknown = [a.aval for a in operands[len(kept) :]]
    if type(ct) is Zero:
        return [*(None for _ in kept), *map(Zero, unknown)]
    # Without the barrier XLA would compute what it needs for this beside the value, and keep that.
    kept, ct = lax.optimization_barrier((kept, ct))
    back = jax.linear_transpose(lambda *ts: _call(*kept, *ts, **parameters), *unknown)
    return [*(None for _ in kept), *back(ct)]


def _batch(operands, axes, *, mapped: tuple, **parameters: Any):
    return opaque_call_p.bind(*operands, mapped=(*mapped, tuple(axes)), **parameters), 0


opaque_call_p = primitive(
    "jaxact_opaque_call",
    run=_call,
    static=("function", "static", "mapped"),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
)
