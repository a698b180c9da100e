"""Where in a program the activations are: known to the catalogue by name, or by their values."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import _derivatives
from .._catalog import CATALOG, Entry
from .._jax import (
    JaxprEqn,
    Tracer,
    custom_jvp_call_p,
    custom_vjp_call_p,
    function_name,
    function_source,
    jaxprs_in_params,
    jit_p,
    scan_p,
    while_p,
)
from .._opaque_call import opaque_call_p
from .._trace_names import PREFIX
from .elementwise import PASSING, called, derivative_on_points, is_elementwise, number, on_points
from .programs import Atom, Constant, Loop, Program, Site, Step, Variable, is_shard_map, scan_carry
from .recognition import POINTS, UNKNOWN, Match, match, same_slopes


def is_activation(equation: JaxprEqn) -> bool:
    """Whether a call is one of an activation of the catalogue, by its name."""
    return _entry(equation) is not None


def catalogued_name(equation: JaxprEqn) -> str | None:
    """The name of what is called, if the catalogue has it, whoever's function it is."""
    name = _name(equation).strip("_") if called(equation) is not None else ""
    return name if name in CATALOG else None


def find_sites(program: Program, loops: tuple[Loop, ...] = (), *, nested: bool = False) -> None:
    """Notes in the program, and in all its bodies, where its activations are."""
    found = functools.partial(_site, _makers(program), loops)
    search = _Search(program, nested)
    recognised = [found(name, start, steps, m) for name, start, steps, m in search.recognised()]
    taken = {id(step) for site in recognised for step in site.steps}
    named = [found(entry.name, start, (step,), None) for entry, start, step in _named(program)]
    named = [site for site in named if id(site.steps[0]) not in taken]
    taken |= {id(step) for site in named for step in site.steps}
    program.unlike = [found(*spelt) for spelt in search.unlike]
    program.loops = loops
    program.sites = [*named, *recognised, *_unknown(program, found, taken)]
    program.sites = [site for site in program.sites if search.is_differentiated(site.end)]
    for step in program.steps:
        for body in step.bodies:
            find_sites(body, (*loops, *_loop(step)), nested=True)


def _makers(program: Program) -> dict[int, Step]:
    """The step that computes each variable."""
    return {id(v): step for step in program.steps for v in step.outputs}


def _site(
    makers: dict[int, Step],
    loops: tuple[Loop, ...],
    activation: str,
    start: Variable,
    steps: tuple[Step, ...],
    known: Match | None = None,
) -> Site:
    sources = tuple(_sources(makers, start))
    end = steps[-1].outputs[0]
    return Site(activation, steps[-1].scope, sources, start, end, steps, loops, known)


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
    if step.is_(custom_vjp_call_p):
        return (Loop("rule", 1),)
    if is_shard_map(step.equation):
        sizes, axes = step.equation.params["mesh"].shape, step.equation.params["newly_manual_axes"]
        return (Loop("devices", math.prod(sizes[axis] for axis in axes)),)
    if not step.is_(scan_p):
        return ()
    parameters = step.equation.params
    own = step.inputs[scan_carry(step).stop :]
    layers = bool(own) and not any(a.depends for a in own)
    return (Loop("layers" if layers else "steps", parameters["length"], parameters["reverse"]),)


# --- By name -------------------------------------------------------------------------------------


def _named(program: Program) -> Iterator[tuple[Entry, Variable, Step]]:
    for step in program.steps:
        entry = _entry(step.equation)
        if entry is None or not isinstance(step.inputs[0], Variable) or not step.inputs[0].depends:
            continue
        start, end = step.inputs[0], step.outputs[0]
        if entry.kind == "axis" and start.aval.shape == end.aval.shape and _reduces(step.equation):
            continue  # it normalises an array, and has no units of its own
        yield entry, start, step


def _entry(equation: JaxprEqn) -> Entry | None:
    """The activation that a call is one of, if its name, its origin and its shapes say so."""
    jaxpr = called(equation)
    if jaxpr is None or not jaxpr.eqns:
        return None
    entry = CATALOG.get(_name(equation).strip("_"))
    if entry is None:  # what is called may do nothing but call one, as that of few bits does
        alone = len(jaxpr.eqns) == 1 and list(jaxpr.outvars) == list(jaxpr.eqns[0].outvars)
        return _entry(jaxpr.eqns[0]) if alone else None
    arrays: list[Any] = [v.aval for v in (*equation.invars[:1], *equation.outvars)]
    if len(arrays) != 2 or not all(_is_float(a) for a in arrays):
        return None
    alike = arrays[0].shape == arrays[1].shape and is_elementwise(equation)
    if entry.kind == "elementwise" and not _is_declared(entry, jaxpr):
        return None  # someone else's function of that name, known by its values or not at all
    return entry if alike or entry.kind == "axis" else None


def _is_declared(entry: Entry, jaxpr: Any) -> bool:
    """Whether a trace is that of the catalogue's own function."""
    source = function_source(jaxpr)
    own = inspect.unwrap(entry.function)
    file = getattr(getattr(own, "__code__", None), "co_filename", _derivatives.__file__)
    return _derivatives.__file__ in source or file in source


_REDUCING = ("reduce", "cum", "sort", "arg", "top_k", "dot_general", "while", "scan")


def _reduces(equation: JaxprEqn) -> bool:
    """Whether elements of an array are brought together, other than by comparing two."""
    inside = (inner for jaxpr in jaxprs_in_params(equation.params) for inner in jaxpr.eqns)
    told = equation.primitive.name.startswith(_REDUCING) or any(
        True for _ in reduced_axes(equation)
    )
    return told or any(map(_reduces, inside))


def reduced_axes(equation: JaxprEqn) -> Iterator[int]:
    """The axes along which a call of ours, whose inside is not traced, reduces its first array."""
    if equation.primitive is opaque_call_p:
        before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
        if len(before) == len(after):
            yield from (i for i, (b, a) in enumerate(zip(before, after, strict=True)) if a != b)


def _own_name(equation: JaxprEqn) -> str:
    return _name(equation).strip("_") if called(equation) is not None else ""


def _name(equation: JaxprEqn) -> str:
    is_jit = equation.primitive is jit_p
    called = equation.params["name" if is_jit else "call_jaxpr"]
    return (called if is_jit else function_name(called.jaxpr)).removeprefix(PREFIX)


# --- By values -----------------------------------------------------------------------------------

_ALONE = frozenset("clamp custom_jvp_call jit logistic max min pjit select_n tanh".split())
_ROOTS = frozenset("log log1p pow rsqrt sqrt".split())
_SHIFTING = PASSING | frozenset("add mul neg sub".split())
_LINEAR = frozenset("dot_general conv_general_dilated ragged_dot".split())

Spelt = tuple[str, Variable, tuple[Step, ...], Match]


class _Candidate(NamedTuple):
    last: int  # number of the step that gives the result
    first: int  # of the first use of the start
    start: Variable
    match: Match


class _Search:
    """Activations that are spelt out, as x * sigmoid(x) or max(x, 0): the longest spellings."""

    def __init__(self, program: Program, nested: bool):
        self.program, self.nested = program, nested
        self.free = [s for s in program.steps if not s.bodies and is_elementwise(s.equation)]
        self.users: dict[int, list[int]] = {}
        for index, step in enumerate(self.free):
            for atom in step.inputs:
                self.users.setdefault(id(atom), []).append(index)
        self.numbers = numbers(self.free)
        self.makers = _makers(program)
        self.readers: dict[int, list[Step]] = {}
        for step in program.steps:
            for atom in step.inputs:
                self.readers.setdefault(id(atom), []).append(step)
        self.results = {id(a) for a in program.outputs}
        self.unlike: list[Spelt] = []  # of which only the values are an activation's

    def recognised(self) -> Iterator[Spelt]:
        inputs = (a for step in self.free for a in step.inputs)
        starts = [a for a in inputs if isinstance(a, Variable) and a.depends and _is_float(a.aval)]
        found = [c for start in dict.fromkeys(starts) for c in self._candidates(start)]
        covered: set[int] = set()
        for candidate in sorted(found, key=lambda c: (-c.last, c.first)):
            start, last = candidate.start, self.free[candidate.last]
            steps = _between(start, last, self.free[: candidate.last + 1])
            overlaps = covered & {id(step) for step in steps}
            if not overlaps and self._is_activation(candidate, steps):
                covered |= {id(step) for step in steps}
                name = candidate.match.activation
                if candidate.match.entry is None and len(steps) == 1:
                    name = _own_name(steps[0].equation) or name
                yield name, start, steps, candidate.match

    def _candidates(self, start: Variable) -> Iterator[_Candidate]:
        """Steps whose result is an activation of the start."""
        known: dict[int, Any] = {id(start): POINTS}  # rows, or what computes them
        unknown: dict[int, frozenset[int]] = {id(start): frozenset()}
        waiting = sorted(set(self.users[id(start)]))
        seen = set(waiting)
        eps = float(jnp.finfo(start.aval.dtype).eps)
        while waiting:
            index = heappop(waiting)
            step = self.free[index]
            if len(step.outputs) != 1:
                continue
            values, parameters = [], frozenset()
            for atom in step.inputs:
                value = known.get(id(atom))
                value = _scalar(atom, self.numbers) if value is None else value
                if value is None:
                    break
                values.append(value)
                is_parameter = isinstance(atom, Variable) and not (
                    id(atom) in known or id(atom) in self.numbers
                )
                parameters |= {id(atom)} if is_parameter else unknown.get(id(atom), frozenset())
            if len(values) < len(step.inputs) or len(parameters) > 1:
                continue
            output = step.outputs[0]
            row = functools.cache(functools.partial(_row, step.equation, values))
            known[id(output)], unknown[id(output)] = row, parameters
            for user in self.users.get(id(output), ()):
                if user not in seen:
                    seen.add(user)
                    heappush(waiting, user)
            if not _is_float(output.aval) or output.aval.shape != start.aval.shape:
                continue
            if _entry(step.equation) is None:  # which is known by its name
                found = match(row(), eps, parametric=bool(parameters))
                if found is not None:
                    yield _Candidate(index, min(self.users[id(start)]), start, found)

    def _is_activation(self, candidate: _Candidate, steps: tuple[Step, ...]) -> bool:
        """Whether what has the values of an activation is one, where it stands."""
        core = [s for s in steps if s.equation.primitive.name not in PASSING]
        alone = len(core) == 1 and core[0].equation.primitive.name not in _ALONE
        end, plain = steps[-1].outputs[0], candidate.match.entry is None
        if plain or (alone and candidate.match.entry is not CATALOG["exponential"]):
            # Arithmetic too: an activation only between linear maps, or as the result.
            if not (self._reaches_result(end) or (self._is_mapped(candidate.start, end))):
                return False
        elif alone:
            return False  # as exp is, in a softmax
        if self._guards(end) or self._is_loss(steps[-1]):
            return False
        alike = self._has_slopes(candidate, steps)
        if not alike:
            self.unlike.append(
                (candidate.match.activation, candidate.start, steps, candidate.match)
            )
        return alike

    def _is_loss(self, last: Step) -> bool:
        """Whether it is a power that is summed to one number: no relu squared, but a loss."""
        if last.equation.primitive.name not in ("integer_pow", "square"):
            return False
        after = self.readers.get(id(last.outputs[0]), [])
        return bool(after) and all(
            step.equation.primitive.name.startswith("reduce") and not step.outputs[0].aval.shape
            for step in after
        )

    def _has_slopes(self, candidate: _Candidate, steps: tuple[Step, ...]) -> bool:
        if _entry(steps[-1].equation) is not None and len(steps) == 1:
            return True
        eps = float(jnp.finfo(candidate.start.aval.dtype).eps)
        try:
            _, slopes = slopes_of(candidate.start, steps, self.numbers)
        except (TypeError, ValueError, NotImplementedError):
            return False  # its rule is no elementwise function
        return same_slopes(candidate.match, slopes, eps)

    def is_differentiated(self, end: Variable) -> bool:
        """Whether a gradient can come back to it: something but stop_gradient takes it."""
        waiting, seen = [end], {id(end)}
        while waiting:
            variable = waiting.pop()
            if id(variable) in self.results or not self.readers.get(id(variable)):
                return True
            for step in self.readers[id(variable)]:
                name = step.equation.primitive.name
                if name == "stop_gradient":
                    continue
                if name not in _SHIFTING:
                    return True
                waiting += [v for v in step.outputs if id(v) not in seen]
                seen |= {id(v) for v in step.outputs}
        return False

    def _reaches_result(self, end: Variable) -> bool:
        following = self._following(end, _SHIFTING)
        return not self.nested and any(id(v) in self.results for v in following)

    def _is_mapped(self, start: Variable, end: Variable) -> bool:
        """Whether it stands between linear maps."""
        after = [s for v in self._following(end, _SHIFTING) for s in self.readers.get(id(v), ())]
        if not any(step.equation.primitive.name in _LINEAR for step in after):
            return False
        variable: Any = start
        while (maker := self.makers.get(id(variable))) is not None:
            if maker.equation.primitive.name in _LINEAR:
                return True
            variable = next((a for a in maker.inputs if a.depends), None)
        return self.nested and variable is not None

    def _following(self, end: Variable, through: frozenset[str]) -> Iterator[Variable]:
        """What is made of it by steps of these names, itself among them."""
        waiting, seen = [end], {id(end)}
        while waiting:
            variable = waiting.pop()
            yield variable
            for step in self.readers.get(id(variable), ()):
                if step.equation.primitive.name in through:
                    waiting += [v for v in step.outputs if id(v) not in seen]
                    seen |= {id(v) for v in step.outputs}

    def _guards(self, end: Variable) -> bool:
        """Whether a root or logarithm is taken of it, or it divides: it guards, activates not."""
        reached = {id(end)}
        for step in self.program.steps:
            used = [id(a) in reached for a in step.inputs]
            if not any(used):
                continue
            name = step.equation.primitive.name
            if name in _ROOTS or (name == "div" and used[-1]):
                return True
            if name in _SHIFTING and sum(a.depends for a in step.inputs) == 1:
                reached |= {id(v) for v in step.outputs}
        return False


def _row(equation: JaxprEqn, values: list[Any]) -> np.ndarray:
    """The result at the points, of rows that are computed when they are asked for."""
    (result,) = on_points(equation, [v() if callable(v) else v for v in values])
    return result if result.dtype != np.float64 else np.broadcast_to(result, POINTS.shape)


def slopes_of(
    start: Variable,
    steps: tuple[Step, ...],
    numbers: dict[int, Any],
    points: np.ndarray = POINTS,
) -> tuple[np.ndarray, ...]:
    """Values and slopes, by the rules in the program, of the steps from the start, at points."""
    made = {id(start)} | {id(v) for step in steps for v in step.outputs}
    free = {id(a): a for step in steps for a in step.inputs if id(a) not in made}
    others = [a for a in free.values() if not isinstance(a, Constant)]

    def function(x, *given):
        own = {id(start): x, **dict(zip(map(id, others), given, strict=True))}
        for step in steps:
            arguments = [a.value if isinstance(a, Constant) else own[id(a)] for a in step.inputs]
            own.update(zip(map(id, step.outputs), step.evaluate(arguments), strict=True))
        return own[id(steps[-1].outputs[0])]

    shape = lambda a: jax.ShapeDtypeStruct(a.aval.shape, a.aval.dtype)
    rows = [points, *(_scalar(a, numbers) for a in others)]
    value, slope = derivative_on_points(function, shape(start), [*map(shape, others)], rows)
    return tuple(np.broadcast_to(np.asarray(r, np.float64), points.shape) for r in (value, slope))


def numbers(steps: list[Step]) -> dict[int, Any]:
    """What is computed from constants alone, and no array."""
    known: dict[int, Any] = {}
    for step in steps:
        values = [
            None if isinstance(a, Variable) and id(a) not in known else _scalar(a, known)
            for a in step.inputs
        ]
        if not any(value is None for value in values):
            known.update(zip(map(id, step.outputs), on_points(step.equation, values), strict=True))
    return known


def _scalar(atom: Atom, numbers: dict[int, Any]) -> Any:
    """The value of a number, or what stands for one that does not depend on the data."""
    if id(atom) in numbers:
        return numbers[id(atom)]
    if atom.aval.shape or atom.depends:
        return None
    if isinstance(atom, Constant) and not isinstance(atom.value, Tracer):
        return number(atom.value)
    return np.float64(UNKNOWN) if _is_float(atom.aval) else None


def _between(start: Variable, last: Step, steps: list[Step]) -> tuple[Step, ...]:
    """The steps that lead from the start to the last one."""
    needed, chosen = {id(a) for a in last.outputs}, []
    for step in reversed(steps):
        if any(id(v) in needed for v in step.outputs):
            chosen.append(step)
            needed |= {id(a) for a in step.inputs if a is not start and a.depends}
    return tuple(chosen[::-1])


# --- Neither -------------------------------------------------------------------------------------


def _unknown(program: Program, found: Callable[..., Site], taken: set[int]) -> Iterator[Site]:
    """Elementwise functions with a rule for their derivative that the catalogue does not know."""
    for step in program.steps:
        if id(step) in taken or not step.is_(custom_jvp_call_p) or len(step.outputs) != 1:
            continue
        end = step.outputs[0]
        arrays = [a for a in step.inputs if a.aval.shape == end.aval.shape and a.depends]
        if len(arrays) == 1 and _is_float(end.aval) and is_elementwise(step.equation):
            name = _own_name(step.equation) or "unknown"
            yield found(name, arrays[0], (step,))


def _is_float(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, jnp.floating)
