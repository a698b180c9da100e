"""Where in a program the activations are: known to the catalogue by name, or by their values."""

import functools
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._catalog import CATALOG, Entry
from .._jax import (
    Jaxpr,
    JaxprEqn,
    cond_p,
    custom_jvp_call_p,
    function_name,
    jaxprs_in_params,
    jit_p,
    scan_p,
    while_p,
)
from .programs import Atom, Constant, Loop, Program, Site, Step, Variable, scan_carry
from .recognition import POINTS, UNKNOWN, same_values


def is_activation(equation: JaxprEqn) -> bool:
    """Whether a call is one of an activation of the catalogue, by its name."""
    return _entry(equation) is not None


def find_sites(program: Program, loops: tuple[Loop, ...] = ()) -> None:
    """Notes in the program, and in all its bodies, where its activations are."""
    found = functools.partial(_site, _makers(program), loops)
    named = list(_named(program, found))
    taken = {id(step) for site in named for step in site.steps}
    recognised = list(_recognised(program, found, taken))
    taken |= {id(step) for site in recognised for step in site.steps}
    program.loops = loops
    program.sites = [*named, *recognised, *_unknown(program, found, taken)]
    for step in program.steps:
        for body in step.bodies:
            find_sites(body, (*loops, *_loop(step)))


def _makers(program: Program) -> dict[int, Step]:
    """The step that computes each variable."""
    return {id(v): step for step in program.steps for v in step.outputs}


def _site(
    makers: dict[int, Step],
    loops: tuple[Loop, ...],
    activation: str,
    start: Variable,
    steps: tuple[Step, ...],
) -> Site:
    sources = tuple(_sources(makers, start))
    return Site(activation, steps[-1].scope, sources, start, steps[-1].outputs[0], steps, loops)


def _sources(makers: dict[int, Step], variable: Any) -> Iterator[tuple[str, ...]]:
    """The scopes in which a variable was computed, back to where several arrays meet."""
    while (maker := makers.get(id(variable))) is not None:
        inputs = [a for a in maker.inputs if a.depends]
        if maker.bodies:  # what it gives was computed within
            body = maker.bodies[0]
            makers, variable = _makers(body), body.outputs[maker.outputs.index(variable)]
            continue
        yield maker.scope
        if len(inputs) != 1:
            return
        (variable,) = inputs


def _loop(step: Step) -> tuple[Loop, ...]:
    if step.is_(while_p):
        return (Loop("steps", None),)
    if not step.is_(scan_p):
        return ()
    parameters = step.equation.params
    own = step.inputs[scan_carry(step).stop :]
    layers = bool(own) and not any(a.depends for a in own)
    return (Loop("layers" if layers else "steps", parameters["length"], parameters["reverse"]),)


# --- By name -------------------------------------------------------------------------------------


def _named(program: Program, found: Callable[..., Site]) -> Iterator[Site]:
    for step in program.steps:
        entry = _entry(step.equation)
        if entry is None or not step.inputs[0].depends:
            continue
        start, end = step.inputs[0], step.outputs[0]
        if entry.kind == "axis" and start.aval.shape == end.aval.shape and _reduces(step.equation):
            continue  # it normalises an array, and has no units of its own
        yield found(entry.name, start, (step,))


def _entry(equation: JaxprEqn) -> Entry | None:
    """The activation that a call is one of, if its name and its shapes say so."""
    called = _called(equation)
    if called is None or not called.eqns:
        return None
    entry = CATALOG.get(_name(equation).strip("_"))
    arrays: list[Any] = [v.aval for v in (*equation.invars[:1], *equation.outvars)]
    if entry is None or len(arrays) != 2 or not all(_is_float(a) for a in arrays):
        return None
    alike = arrays[0].shape == arrays[1].shape and _all_elementwise(called)
    return entry if alike or entry.kind == "axis" else None


_REDUCING = ("reduce", "cum", "sort", "arg", "top_k", "dot_general", "while", "scan")


def _reduces(equation: JaxprEqn) -> bool:
    """Whether elements of an array are brought together, other than by comparing two."""
    inside = (inner for jaxpr in jaxprs_in_params(equation.params) for inner in jaxpr.eqns)
    return equation.primitive.name.startswith(_REDUCING) or any(map(_reduces, inside))


def _called(equation: JaxprEqn) -> Jaxpr | None:
    """What is called, if it is a jitted function or one with a rule for its derivative."""
    if equation.primitive is jit_p:
        return equation.params["jaxpr"].jaxpr
    if equation.primitive is custom_jvp_call_p:
        return equation.params["call_jaxpr"].jaxpr
    return None


def _name(equation: JaxprEqn) -> str:
    if equation.primitive is jit_p:
        return equation.params["name"]
    return function_name(equation.params["call_jaxpr"].jaxpr)


# --- By values -----------------------------------------------------------------------------------

_ELEMENTWISE = frozenset(
    "abs acos acosh add and asin asinh atan atan2 atanh bitcast_convert_type broadcast_in_dim cbrt "
    "ceil clamp convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 "
    "expm1 floor ge gt integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg "
    "nextafter not optimization_barrier or platform_index pow reduce_precision rem round rsqrt "
    "select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square "
    "stop_gradient sub tan tanh xor".split()
)
_ALONE = frozenset("clamp logistic max min select_n tanh".split())  # others are arithmetic
_ROOTS = frozenset("log log1p pow rsqrt sqrt".split())
_PASSING = frozenset("add broadcast_in_dim convert_element_type mul neg reshape sub".split())


def _all_elementwise(jaxpr: Jaxpr) -> bool:
    """Whether every element of the results comes from the elements in its place."""
    return all(_is_elementwise(equation) for equation in jaxpr.eqns)


def _is_elementwise(equation: JaxprEqn) -> bool:
    if equation.primitive is cond_p:
        return all(_all_elementwise(branch.jaxpr) for branch in equation.params["branches"])
    called = _called(equation)
    if called is not None:
        return _all_elementwise(called)
    return equation.primitive.name in _ELEMENTWISE


def _recognised(program: Program, found: Callable[..., Site], taken: set[int]) -> Iterator[Site]:
    """Activations that are spelt out, as x * sigmoid(x) or max(x, 0): the longest spellings."""
    free = [
        step
        for step in program.steps
        if id(step) not in taken and not step.bodies and _is_elementwise(step.equation)
    ]
    users: dict[int, list[int]] = {}
    for index, step in enumerate(free):
        for atom in step.inputs:
            users.setdefault(id(atom), []).append(index)
    numbers = _numbers(free)
    inputs = (a for step in free for a in step.inputs)
    starts = [a for a in inputs if isinstance(a, Variable) and a.depends and _is_float(a.aval)]
    matches: list[tuple[int, int, Variable, str]] = []
    for start in dict.fromkeys(starts):
        for index, name in _matches(start, free, users, numbers):
            matches.append((index, min(users[id(start)]), start, name))
    covered: set[int] = set()
    for index, _, start, name in sorted(matches, key=lambda ops: (-ops[0], ops[1])):
        slice_ = _between(start, free[index], free[: index + 1])
        if len(slice_) == 1 and slice_[0].equation.primitive.name not in _ALONE:
            continue  # as exp is, in a softmax
        if not covered & {id(step) for step in slice_} and not _guards(
            free[index].outputs[0], program
        ):
            covered |= {id(step) for step in slice_}
            yield found(name, start, slice_)


def _matches(
    start: Variable, free: list[Step], users: dict[int, list[int]], numbers: dict[int, Any]
) -> Iterator[tuple[int, str]]:
    """Steps whose result is an activation of the start, and its name."""
    known: dict[int, Any] = {id(start): jnp.asarray(POINTS, start.aval.dtype)}
    unknown: dict[int, frozenset[int]] = {id(start): frozenset()}
    waiting = sorted(set(users[id(start)]))
    seen = set(waiting)
    eps = float(jnp.finfo(start.aval.dtype).eps)
    while waiting:
        index = heappop(waiting)
        step = free[index]
        if len(step.outputs) != 1:
            continue
        values, parameters = [], frozenset()
        for atom in step.inputs:
            value = known.get(id(atom), _scalar(atom, numbers))
            if value is None:
                break
            values.append(value)
            is_parameter = isinstance(atom, Variable) and not {id(atom)} & {*known, *numbers}
            parameters |= {id(atom)} if is_parameter else unknown.get(id(atom), frozenset())
        if len(values) < len(step.inputs) or len(parameters) > 1:
            continue
        (result,) = _on_points(step.equation, values)
        output = step.outputs[0]
        known[id(output)], unknown[id(output)] = result, parameters
        for user in users.get(id(output), ()):
            if user not in seen:
                seen.add(user)
                heappush(waiting, user)
        if _is_float(output.aval) and output.aval.shape == start.aval.shape:
            row = np.broadcast_to(np.asarray(result, np.float64), POINTS.shape)
            entry = same_values(row, eps, parametric=bool(parameters))
            if entry is not None:
                yield index, entry.name


def _numbers(steps: list[Step]) -> dict[int, Any]:
    """What is computed from constants alone, and no array."""
    numbers: dict[int, Any] = {}
    for step in steps:
        values = [
            None if isinstance(a, Variable) and id(a) not in numbers else _scalar(a, numbers)
            for a in step.inputs
        ]
        if not any(value is None for value in values):
            results = _on_points(step.equation, values)
            numbers.update(zip(map(id, step.outputs), results, strict=True))
    return numbers


def _scalar(atom: Atom, numbers: dict[int, Any]) -> Any:
    """The value of a number, or what stands for one that does not depend on the data."""
    if id(atom) in numbers:
        return numbers[id(atom)]
    if atom.aval.shape or atom.depends:
        return None
    if isinstance(atom, Constant):
        return jnp.asarray(atom.value, atom.aval.dtype)
    return jnp.asarray(UNKNOWN, atom.aval.dtype) if _is_float(atom.aval) else None


def _on_points(equation: JaxprEqn, values: list[Any]) -> list[Any]:
    """The results of an elementwise equation of whatever shape for a row of points."""
    called = _called(equation)
    if equation.primitive is cond_p:  # of platforms: all compute the same
        called, values = equation.params["branches"][-1].jaxpr, values[1:]
    if called is not None:
        closed = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        constants = getattr(closed, "consts", ())
        known = dict(zip(called.constvars, constants, strict=False))
        known.update(zip(called.invars, values, strict=True))
        read = lambda v: jnp.asarray(v.val, v.aval.dtype) if hasattr(v, "val") else known[v]
        for inner in called.eqns:
            results = _on_points(inner, [read(v) for v in inner.invars])
            known.update(zip(inner.outvars, results, strict=True))
        return [read(v) for v in called.outvars]
    if equation.primitive.name == "broadcast_in_dim":
        return values[:1]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    parameters = {k: None if k == "sharding" else v for k, v in equation.params.items()}
    with jax.ensure_compile_time_eval():
        whole = [jnp.broadcast_to(value, shape) for value in values]
        result = equation.primitive.bind(*whole, **parameters)
    return list(result) if equation.primitive.multiple_results else [result]


def _between(start: Variable, last: Step, steps: list[Step]) -> tuple[Step, ...]:
    """The steps that lead from the start to the last one."""
    needed, chosen = {id(a) for a in last.outputs}, []
    for step in reversed(steps):
        if any(id(v) in needed for v in step.outputs):
            chosen.append(step)
            needed |= {id(a) for a in step.inputs if a is not start and a.depends}
    return tuple(chosen[::-1])


def _guards(result: Variable, program: Program) -> bool:
    """Whether a root or a logarithm is taken of it, or it divides: it guards, and activates not."""
    reached = {id(result)}
    for step in program.steps:
        used = [id(a) in reached for a in step.inputs]
        if not any(used):
            continue
        name = step.equation.primitive.name
        if name in _ROOTS or (name == "div" and used[-1]):
            return True
        if name in _PASSING and sum(a.depends for a in step.inputs) == 1:
            reached |= {id(v) for v in step.outputs}
    return False


# --- Neither -------------------------------------------------------------------------------------


def _unknown(program: Program, found: Callable[..., Site], taken: set[int]) -> Iterator[Site]:
    """Elementwise functions with a rule for their derivative that the catalogue does not know."""
    for step in program.steps:
        if id(step) in taken or not step.is_(custom_jvp_call_p) or len(step.outputs) != 1:
            continue
        end = step.outputs[0]
        arrays = [a for a in step.inputs if a.aval.shape == end.aval.shape and a.depends]
        if len(arrays) == 1 and _is_float(end.aval) and _is_elementwise(step.equation):
            name = _name(step.equation).strip("_") or "unknown"
            yield found(name, arrays[0], (step,))


def _is_float(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, jnp.floating)
