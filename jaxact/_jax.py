"""The one door to JAX's inside: what JAX promises least, with a line of why we need it.

Nothing else here imports from `jax.core`, `jax.custom_derivatives`, `jax.extend` or
`jax.interpreters`, or reads a private attribute. So when JAX moves something, this file shows it,
and `python -m tests.on_jax VERSION ...` tells for any release whether it still finds everything.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax import Array, lax
from jax._src import config  # the coming flags as `with` statements: `jax.config` has none
from jax.core import Tracer as Tracer  # an array in hand is none, and needs no derivative any more
from jax.custom_derivatives import SymbolicZero as SymbolicZero  # an argument that does not vary
from jax.extend.core import (
    ClosedJaxpr as ClosedJaxpr,  # one step of a trace, to run it by itself
    DebugInfo as DebugInfo,  # that a trace of our own must carry
    Jaxpr as Jaxpr,  # a trace, for reports
    JaxprEqn as JaxprEqn,  # a step of it
    Literal as Literal,  # a number written into it
    Primitive as Primitive,  # what autodiff does not look into
    Var as Var,  # a variable of a trace
    jaxpr_as_fun as jaxpr_as_fun,  # runs a trace
    jaxprs_in_params as jaxprs_in_params,  # the traces within a step
)
from jax.extend.core.primitives import (
    cond_p as cond_p,  # reports enter its branches
    custom_jvp_call_p as custom_jvp_call_p,  # a function of somebody with a rule: an activation?
    custom_vjp_call_p as custom_vjp_call_p,  # reports enter it, and leave its rule
    jit_p as jit_p,  # a call: ours are known by it, others are written out
    remat_p as remat_p,  # reports enter what is recomputed
    scan_p as scan_p,  # reports enter loops, round by round
    while_p as while_p,  # and these
)
from jax.interpreters import (
    ad,  # derivatives of a primitive
    batching,  # vmap of a primitive
    mlir,  # what a primitive is compiled to
    partial_eval,  # where a linear part leaves its inputs: codes are packed there
)
from jax.interpreters.ad import (
    Zero as Zero,  # a tangent or cotangent that is 0, in a primitive's rules
    is_undefined_primal as is_undefined_primal,  # which operand a transposition is by
)


def primitive(
    name: str,
    *,
    run: Callable[..., Array],
    static: Sequence[str],
    aval: Callable[..., Any] | None = None,
    jvp: Callable[..., Any],
    transpose: Callable[..., Any],
    batch: Callable[..., Any],
    platforms: Mapping[str, Callable[..., Array]] | None = None,
) -> Primitive:
    """A primitive of one result that every transformation knows.

    Args:
        name: what traces call it.
        run: `run(*operands, **parameters)` in functions of JAX, what it is compiled to.
        static: the names of all parameters.
        aval: `aval(*avals, **parameters)`, the type of the result; by default that of `run`.
        jvp: `jvp(primals, tangents, **parameters)`, with `Zero` for tangents that are 0.
        transpose: `transpose(ct, *operands, **parameters)`.
        batch: `batch(operands, axes, **parameters)`, the result and the axis that it is mapped by.
        platforms: what it is compiled to elsewhere than `run` says, by the platform's name.
    """

    def called(*operands: Array, **parameters) -> Array:
        if not platforms:
            return run(*operands, **parameters)
        each = {p: functools.partial(f, **parameters) for p, f in platforms.items()}
        default = functools.partial(run, **parameters)
        return lax.platform_dependent(*operands, default=default, **each)

    called.__name__ = name
    ours, eager = Primitive(name), jax.jit(called, static_argnames=static)
    ours.def_impl(eager)
    ours.def_abstract_eval(aval or (lambda *a, **kw: eager.trace(*a, **kw).jaxpr.out_avals[0]))
    for platform, own in {None: run, **(platforms or {})}.items():
        lowered = mlir.lower_fun(own, multiple_results=False)
        mlir.register_lowering(ours, lowered, platform=platform)
    ad.primitive_jvps[ours] = jvp
    ad.primitive_transposes[ours] = transpose
    batching.primitive_batchers[ours] = batch
    return ours


def split_linear(
    ours: Primitive, split: Callable[..., tuple[Primitive, Sequence[Array], dict[str, Any]]]
) -> None:
    """Says what becomes of a primitive, linear in its first operand, where only that is unknown.

    Args:
        ours: the primitive.
        split: `split(*known, **parameters)` computes what the linear part keeps, and returns the
            primitive that takes it: its operands after the first, and its parameters.
    """

    def rule(trace, t, *kept, **parameters):
        if t.is_known() or not all(a.is_known() for a in kept):
            return trace.default_process_primitive(ours, (t, *kept), parameters)
        other, operands, given = split(*(a.pval.get_known() for a in kept), **parameters)
        return trace.default_process_primitive(other, (t, *operands), given)

    partial_eval.custom_partial_eval_rules[ours] = rule


def zero_tangent(primal: Array) -> Zero:
    """The tangent 0, where a rule finds that nothing varies."""
    return Zero(jax.typeof(primal).to_tangent_aval())


def product_aval(*avals: Any) -> Any:
    """The type of a product: multiplication knows how shardings and varying axes combine."""
    return functools.reduce(lambda a, b: lax.mul_p.abstract_eval(a, b)[0], avals)


def varying_alike(*operands: Array) -> list[Array]:
    """Under `shard_map`, makes operands vary over the same mesh axes, as functions of `lax` do."""
    axes = [jax.typeof(a).mat.varying for a in operands]
    every = frozenset().union(*axes)
    return [
        lax.pcast(a, tuple(sorted(every - own)), to="varying") if own != every else a
        for a, own in zip(operands, axes, strict=True)
    ]


def function_name(jaxpr: Jaxpr) -> str:
    """The name of the function that was traced, or nothing."""
    return getattr(jaxpr.debug_info, "func_name", "")


def function_source(jaxpr: Jaxpr) -> str:
    """Where the function that was traced is written: its name and its file."""
    return getattr(jaxpr.debug_info, "func_src_info", None) or ""


def scopes(equation: JaxprEqn) -> tuple[str, ...]:
    """The scopes in which a step was traced, outermost first."""
    names = str(equation.source_info.name_stack)
    return tuple(names.split("/")) if names else ()


@contextlib.contextmanager
def traced_as_known() -> Iterator[None]:
    """Within it, JAX traces loops and functions with rules by the primitives imported above.

    Its coming flags would have it use others, which say little about what is in them.
    """
    with contextlib.ExitStack() as stack:
        for name in ("custom_jvp3", "custom_vjp3", "remat3", "scan3"):
            if hasattr(config, name):
                stack.enter_context(getattr(config, name)(False))
        yield


def inner_traces(equation: JaxprEqn) -> list[Jaxpr] | None:
    """The traces that a step runs, or none where it does not tell which."""
    if "_prim" in equation.params:  # of call_hi_primitive
        return None
    return list(jaxprs_in_params(equation.params))


def flag(name: str) -> bool:
    """Whether one of JAX's coming flags is on: no release before knows it."""
    return bool(getattr(jax.config, name, False))


def softmax_rule_is_refused() -> bool:
    """Whether a `with` says that softmax is to have no derivative rule: not JAX's default."""
    flag = getattr(jax, "softmax_custom_jvp", None)  # JAX means to remove it
    return flag is not None and flag.get_local() is False
