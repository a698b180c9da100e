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
from jax.api_util import debug_info
from jax.extend.core import Primitive
from jax.extend.linear_util import wrap_init
from jax.interpreters import ad, batching, mlir, partial_eval

from ._mechanism import HAS_PRIMITIVES

opaque_call_p = Primitive("jaxact_opaque_call")


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
    """function(*static, *operands), linear in its last operand: backward keeps the others only.

    `jax.checkpoint` says the same, but within one of the user's it keeps an operand besides that
    the user's policy has kept already.
    """
    if not HAS_PRIMITIVES:
        numbers = tuple(range(len(static)))
        return jax.checkpoint(function, static_argnums=numbers)(*static, *operands)
    return opaque_call(function, static, *operands)


def _call(*operands: Array, function, static: tuple, mapped: tuple) -> Array:
    """The function, mapped over axes of its operands as often as `mapped` has entries."""
    call = functools.partial(function, *static)
    for axes in mapped:
        call = jax.vmap(call, axes)
    return call(*operands)


opaque_call_p.def_impl(jax.jit(_call, static_argnames=("function", "static", "mapped")))
mlir.register_lowering(opaque_call_p, mlir.lower_fun(_call, multiple_results=False))


@opaque_call_p.def_abstract_eval
def _abstract(*operands, **parameters):
    def call(*operands):
        return [_call(*operands, **parameters)]

    traced = wrap_init(call, debug_info=debug_info("jaxact", call, operands, {}))
    _, (result,), _ = partial_eval.trace_to_jaxpr_dynamic(traced, operands)
    return result


def _jvp(primals, tangents, **parameters):
    live = [type(t) is not ad.Zero for t in tangents]

    def call(*varying: Array) -> Array:
        rest = iter(varying)
        return _call(
            *(next(rest) if moves else a for a, moves in zip(primals, live, strict=True)),
            **parameters,
        )

    moving = [a for a, moves in zip(primals, live, strict=True) if moves]
    return jax.jvp(call, moving, [t for t in tangents if type(t) is not ad.Zero])


def _transpose(ct, *operands, **parameters):
    """Of a function that is linear in its last operand."""
    *kept, t = operands
    if type(ct) is ad.Zero:
        return [*(None for _ in kept), ad.Zero(t.aval)]
    # Without the barrier XLA would compute what it needs for this beside the value, and keep that.
    kept, ct = lax.optimization_barrier((kept, ct))
    back = jax.linear_transpose(lambda t: _call(*kept, t, **parameters), t.aval)
    return [*(None for _ in kept), *back(ct)]


def _batch(operands, axes, *, mapped: tuple, **parameters: Any):
    return opaque_call_p.bind(*operands, mapped=(*mapped, tuple(axes)), **parameters), 0


ad.primitive_jvps[opaque_call_p] = _jvp
ad.primitive_transposes[opaque_call_p] = _transpose
batching.primitive_batchers[opaque_call_p] = _batch
