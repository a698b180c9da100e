"""A traced function as a flat list of steps: calls are inlined, loops and branches have bodies.

Every variable knows whether it depends on the data, or on parameters alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from .._jax import (
    ClosedJaxpr,
    DebugInfo,
    Jaxpr,
    JaxprEqn,
    Literal as Inlined,
    Var,
    cond_p,
    custom_vjp_call_p,
    jaxpr_as_fun,
    jit_p,
    remat_p,
    scan_p,
    scopes,
    while_p,
)
from .recognition import Match


@dataclass(eq=False, slots=True)
class Variable:
    """A value that the program computes or is given."""

    aval: Any
    depends: bool = False


class Constant(NamedTuple):
    """A value that was known when the function was traced."""

    value: Any
    aval: Any

    @property
    def depends(self) -> bool:
        """A constant never depends on the data."""
        return False


Atom = Variable | Constant


@dataclass(eq=False, slots=True)
class Step:
    """One equation, on the program's own variables.

    Attributes:
        equation: what is computed.
        inputs: from what.
        outputs: into what.
        scope: the names of the scopes in which it was traced, outermost first.
        bodies: of a loop, of branches, or of what is recomputed.
    """

    equation: JaxprEqn
    inputs: list[Atom]
    outputs: list[Variable]
    scope: tuple[str, ...]
    bodies: tuple[Program, ...] = ()

    def evaluate(self, arguments: Sequence[Any]) -> list[Any]:
        """Its results, as the function would have computed them."""
        equation = self.equation
        pairs = zip(equation.invars, arguments, strict=True)
        given = {v: a for v, a in pairs if isinstance(v, Var)}
        results = list(equation.outvars)
        unnamed = DebugInfo(
            "step", "step of jaxact.tracing", ("",) * len(given), ("",) * len(results)
        )
        single = Jaxpr((), list(given), results, [equation], equation.effects, unnamed)
        return jaxpr_as_fun(ClosedJaxpr(single, ()))(*given.values())

    def is_(self, primitive: Any) -> bool:
        """Whether it is an application of the primitive."""
        return self.equation.primitive is primitive


class Loop(NamedTuple):
    """A loop around an activation.

    Attributes:
        over: "layers", if each round has parameters of its own; "steps", of time, say; "devices",
            of what each device does with its share; or "rule", once, inside a function whose
            backward pass is written by hand.
        length: the number of rounds; None if it is not known when the function is traced.
        reverse: whether the last row is taken first.
    """

    over: Literal["layers", "steps", "devices", "rule"]
    length: int | None
    reverse: bool = False


@dataclass(eq=False)
class Site:
    """An application of an activation.

    Attributes:
        activation: its name.
        scope: the scopes in which it was traced.
        sources: the scopes in which what enters it was computed, the last first.
        start: what enters it.
        end: what it gives.
        steps: that compute the end from the start.
        loops: around it, outermost first.
        match: what its values say it is, if it was recognised by them.
    """

    activation: str
    scope: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    start: Variable
    end: Variable
    steps: tuple[Step, ...]
    loops: tuple[Loop, ...]
    match: Match | None = None


@dataclass(eq=False)
class Watch:
    """A place where values are read, and nothing is done to them.

    Attributes:
        activation: what is read.
        kind: for whoever reads it.
        variables: whose values are read.
        end: the variable that is computed last.
        options: what else the reader needs, by name.
        scope, sources, loops: as of a `Site`.
    """

    activation: str
    kind: str
    variables: tuple[Variable, ...]
    end: Variable
    options: dict[str, Any]
    scope: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    loops: tuple[Loop, ...]


@dataclass(eq=False, slots=True)
class Program:
    """Steps in order of execution, what was found among them, and the loops around it.

    What has the values of an activation but not its slopes is `unlike` one, and none of the sites.
    """

    inputs: list[Variable]
    steps: list[Step]
    outputs: list[Atom]
    sites: list[Site | Watch] = field(default_factory=list)
    unlike: list[Site] = field(default_factory=list)
    loops: tuple[Loop, ...] = ()

    def bodies(self) -> Iterator[Program]:
        """This program, and all bodies in it."""
        yield self
        for step in self.steps:
            for body in step.bodies:
                yield from body.bodies()

    def all_sites(self) -> Iterator[Any]:
        """The activations of this program and of all bodies, in order of execution."""
        own = {site.end: site for site in self.sites}
        for step in self.steps:
            yield from (own[output] for output in step.outputs if output in own)
            for body in step.bodies:
                yield from body.all_sites()


def flatten(
    jaxpr: Jaxpr, constants: Sequence[Any], is_whole: Callable[[JaxprEqn], bool]
) -> Program:
    """The program of a traced function.

    Args:
        jaxpr: the trace.
        constants: what it closes over.
        is_whole: tells which calls are left as they are, as one step.
    """
    return _body(jaxpr, constants, (), is_whole)


def _body(jaxpr: Jaxpr, constants: Sequence[Any], scope, is_whole) -> Program:
    steps: list[Step] = []
    inputs = [Variable(v.aval) for v in jaxpr.invars]
    outputs = _inline(jaxpr, constants, inputs, scope, is_whole, steps)
    return Program(inputs, _living(steps, outputs), outputs)


def _inline(
    jaxpr: Jaxpr, constants, arguments: Sequence[Atom], scope, is_whole, steps
) -> list[Atom]:
    """Appends the steps of a trace, and returns its results."""
    known: dict[Any, Atom] = dict(zip(jaxpr.invars, arguments, strict=True))
    for variable, value in zip(jaxpr.constvars, constants, strict=True):
        known[variable] = Constant(value, variable.aval)

    def atom(v: Any) -> Atom:
        return Constant(v.val, v.aval) if isinstance(v, Inlined) else known[v]

    for equation in jaxpr.eqns:
        inputs = [atom(v) for v in equation.invars]
        inside = (*scope, *scopes(equation))
        if equation.primitive is jit_p and not is_whole(equation):
            called = equation.params["jaxpr"]
            results = _inline(called.jaxpr, called.consts, inputs, inside, is_whole, steps)
            known.update(zip(equation.outvars, results, strict=True))
            continue
        outputs = [Variable(v.aval) for v in equation.outvars]
        bodies = tuple(
            _body(jaxpr, constants, inside, is_whole) for jaxpr, constants in _traces(equation)
        )
        steps.append(Step(equation, inputs, outputs, inside, bodies))
        known.update(zip(equation.outvars, outputs, strict=True))
    return [atom(v) for v in jaxpr.outvars]


def _traces(equation: JaxprEqn) -> list[tuple[Jaxpr, Sequence[Any]]]:
    """The traces within a loop, a branch or what is recomputed, and what they close over."""
    parameters, primitive = equation.params, equation.primitive
    if primitive is remat_p or is_shard_map(equation):
        return [(parameters["jaxpr"], ())]
    closed = {
        custom_vjp_call_p: lambda: [parameters["call_jaxpr"]],
        scan_p: lambda: [parameters["jaxpr"]],
        while_p: lambda: [parameters["body_jaxpr"]],
        cond_p: lambda: parameters["branches"],
    }.get(primitive, list)()
    return [(c.jaxpr, c.consts) for c in closed]


def is_shard_map(equation: JaxprEqn) -> bool:
    """Whether it is done by each device with its share of the data."""
    return equation.primitive.name == "shard_map"


def _living(steps: list[Step], outputs: Sequence[Atom]) -> list[Step]:
    """The steps that results depend on, and those that do something besides."""
    needed = {id(a) for a in outputs}
    living = []
    for step in reversed(steps):
        if step.equation.effects or any(id(v) in needed for v in step.outputs):
            needed.update(id(a) for a in step.inputs)
            living.append(step)
    return living[::-1]


def mark(program: Program, depends: Sequence[bool]) -> list[bool]:
    """Notes which variables depend on the data, given which inputs do; returns which results do."""
    for variable, flag in zip(program.inputs, depends, strict=True):
        variable.depends |= flag
    for step in program.steps:
        flags = _mark_step(step, [a.depends for a in step.inputs])
        for variable, flag in zip(step.outputs, flags, strict=True):
            variable.depends |= flag
    return [a.depends for a in program.outputs]


def _mark_step(step: Step, flags: list[bool]) -> list[bool]:
    parameters = step.equation.params
    if step.is_(scan_p):
        return _mark_loop(step.bodies[0], flags, scan_carry(step))
    if step.is_(while_p):
        constants = parameters["body_nconsts"]
        carry = slice(constants, constants + len(step.outputs))
        return _mark_loop(step.bodies[0], flags[parameters["cond_nconsts"] :], carry)
    if step.is_(cond_p):
        branches = [mark(body, flags[1:]) for body in step.bodies]
        return [flags[0] or any(branch) for branch in zip(*branches, strict=True)]
    if step.bodies:
        return mark(step.bodies[0], flags)
    return [any(flags)] * len(step.outputs)


def scan_carry(step: Step) -> slice:
    """Which inputs a scan carries round: constants come before them, and rows after.

    It is told from ranks: JAX keeps it under names that change from release to release.
    """
    (body,) = step.bodies

    def in_rows(outside: Sequence[Atom], inside: Sequence[Atom]) -> int:
        pairs = zip(outside, inside, strict=True)
        return sum(len(a.aval.shape) > len(b.aval.shape) for a, b in pairs)

    end = len(step.inputs) - in_rows(step.inputs, body.inputs)
    carried = len(step.outputs) - in_rows(step.outputs, body.outputs)
    return slice(end - carried, end)


def _mark_loop(body: Program, flags: list[bool], carry: slice) -> list[bool]:
    """Marks the body until what is carried round depends on nothing more."""
    flags = list(flags)
    while True:
        results = mark(body, flags)
        after = [a or b for a, b in zip(flags[carry], results, strict=False)]
        if after == flags[carry]:
            return after + results[len(after) :]
        flags[carry] = after
