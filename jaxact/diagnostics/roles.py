"""What an activation does where it stands: read off the trace."""

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp

from .._catalog import CATALOG
from .._jax import JaxprEqn, jaxprs_in_params, scan_p, while_p
from .._trace_names import PREFIX
from ..tracing.elementwise import PASSING
from ..tracing.programs import Atom, Constant, Program, Site, Step, Variable, Watch, scan_carry
from ..tracing.recognition import gated
from ..tracing.sites import reduced_axes

Role = Literal["unit", "gate", "forget gate", "cap", "attention", "output", "mask"]

# A value is still the same thing after these.
_MOVING = PASSING | frozenset(
    "concatenate copy dynamic_slice expand_dims neg pad rev select_n slice split squeeze "
    "stop_gradient transpose".split()
)
_SCALING = frozenset("add div mul sub".split())
_LARGE = 2.0  # bound of a cap; below it is a function that levels off


class Factor(NamedTuple):
    """One of two arrays that depend on the data and are multiplied.

    Attributes:
        step: that multiplies.
        own: the one, as it enters.
        other: the other, as it enters.
        origin: where the other was computed.
    """

    step: Step
    own: Atom
    other: Atom
    origin: Any


class Flow:
    """Where values come from and go to, across the bodies of a program."""

    def __init__(self, program: Program):
        self.inputs = {id(a) for a in program.inputs}
        self.results = {id(a) for a in program.outputs}
        self.makers: dict[int, Step] = {}
        self.readers: dict[int, list[Step]] = {}
        self.onward: dict[int, list[Variable]] = {}  # the same value in another body
        self.back: dict[int, Atom] = {}
        self.carried: set[int] = set()
        self.programs: dict[int, Program] = {}  # in which a step is
        self.ends: dict[int, Site] = {}
        self.reach: dict[int, int] = {}  # which sites a value depends on, a bit for each
        self.sites = [site for site in program.all_sites() if isinstance(site, Site)]
        self.bits = {site: 1 << number for number, site in enumerate(self.sites)}
        self._enter(program)

    def _enter(self, program: Program) -> None:
        self.ends.update((id(s.end), s) for s in program.sites if isinstance(s, Site))
        for step in program.steps:
            self.programs[id(step)] = program
            mask = 0
            for atom in step.inputs:
                self.readers.setdefault(id(atom), []).append(step)
                mask |= self.reach.get(id(atom), 0)
            for output in step.outputs:
                self.makers[id(output)] = step
                self.reach[id(output)] = mask
            for body in step.bodies:
                self._enter_body(step, body)
            for output in step.outputs:
                site = self.ends.get(id(output))
                self.reach[id(output)] |= self.bits.get(site, 0) if site else 0

    def _enter_body(self, step: Step, body: Program) -> None:
        given = step.inputs[len(step.inputs) - len(body.inputs) :]
        for outside, inside in zip(given, body.inputs, strict=True):
            self.onward.setdefault(id(outside), []).append(inside)
            self.back[id(inside)] = outside
            self.reach[id(inside)] = self.reach.get(id(outside), 0)
        self._enter(body)
        for inside, outside in zip(body.outputs, step.outputs, strict=False):
            if isinstance(inside, Variable):
                self.onward.setdefault(id(inside), []).append(outside)
                self.back[id(outside)] = inside
            self.reach[id(outside)] |= self.reach.get(id(inside), 0)
        if step.is_(scan_p) or step.is_(while_p):
            if step.is_(scan_p):
                start = scan_carry(step).start
                number = scan_carry(step).stop - start
            else:
                start, number = step.equation.params["body_nconsts"], len(step.outputs)
            carries = body.inputs[start : start + number]
            self.carried |= {id(v) for v in carries}
            for inside, again in zip(body.outputs, carries, strict=False):
                self.onward.setdefault(id(inside), []).append(again)

    def following(self, variable: Any) -> Iterator[Variable]:
        """The value wherever it is moved, scaled by what is no data, or masked."""
        waiting, seen = [variable], {id(variable)}
        while waiting:
            value = waiting.pop()
            yield value
            found = list(self.onward.get(id(value), ()))
            for step in self.readers.get(id(value), ()):
                if not step.bodies and self._keeps(step, value):
                    found += step.outputs
            waiting += [v for v in found if id(v) not in seen]
            seen |= {id(v) for v in found}

    def _keeps(self, step: Step, value: Atom) -> bool:
        name = step.equation.primitive.name
        if name in _MOVING:
            return True
        others = [a for a in step.inputs if a is not value and a.depends]
        return name in _SCALING and all(not self.is_computed(other) for other in others)

    def is_computed(self, value: Atom) -> bool:
        """Whether it is computed from the data, and no mask made of comparisons or integers."""
        return value.depends and jnp.issubdtype(self.origin(value).aval.dtype, jnp.floating)

    def origin(self, value: Atom) -> Any:
        """Where a value was computed, before it was moved and scaled."""
        for _ in range(10_000):
            site = self.ends.get(id(value))
            maker = self.makers.get(id(value))
            if site is None and id(value) in self.back and id(value) not in self.carried:
                value = self.back[id(value)]
                continue
            if site is not None or maker is None or maker.bodies:
                break
            data = [a for a in maker.inputs if a.depends]
            name = maker.equation.primitive.name
            if name not in _MOVING | _SCALING or len(data) != 1:
                break
            value = data[0]
        return value

    def factors(self, site: Site) -> Iterator[Factor]:
        """What its result multiplies, that depends on the data, but not on the result itself."""
        same = {id(v): v for v in self.following(site.end)}
        for value in same.values():
            for step in self.readers.get(id(value), ()):
                if step.equation.primitive.name != "mul":
                    continue
                other = step.inputs[step.inputs[0] is value]
                if not self.is_computed(other) or id(other) in same:
                    continue
                if not self.reach.get(id(other), 0) & self.bits[site]:
                    yield Factor(step, value, other, self.origin(other))

    def is_kept(self, step: Step) -> bool:
        """Whether its result, and what is added to it, is carried to the next round."""
        waiting, seen = list(step.outputs), {id(v) for v in step.outputs}
        while waiting:
            value = waiting.pop()
            if any(id(v) in self.carried for v in self.onward.get(id(value), ())):
                return True
            for reader in self.readers.get(id(value), ()):
                if reader.equation.primitive.name in _MOVING | {"add", "sub"}:
                    waiting += [v for v in reader.outputs if id(v) not in seen]
                    seen |= {id(v) for v in reader.outputs}
        return False

    def bypassed(self) -> set[Site]:
        """The activations around which data have another way to the results."""
        return {site for site in self.sites if self._arrives_without(site)}

    def _arrives_without(self, site: Site) -> bool:
        """Whether what this is computed from reaches a result without it."""
        given = [a for a in self._sources_of(site) if a.depends]
        # The data themselves may be compared with the results.
        waiting = [a for a in given if id(self.origin(a)) not in self.inputs]
        seen = {id(a) for a in waiting} | {id(site.end)}
        while waiting:
            value = waiting.pop()
            if id(value) in self.results:
                return True
            found = list(self.onward.get(id(value), ()))
            for step in self.readers.get(id(value), ()):
                found += [] if step.bodies else step.outputs
            waiting += [v for v in found if id(v) not in seen and id(v) not in self.carried]
            seen |= {id(v) for v in found}
        return False

    def _sources_of(self, site: Site) -> list[Any]:
        """What the layer before it is given: before the linear map that it follows."""
        step = self.linear(site.start)
        return [site.start] if step is None else list(step.inputs)

    def linear(self, value: Any) -> Step | None:
        """The last product of matrices, or convolution, that it was computed from."""
        for _ in range(10_000):
            value = self.back.get(id(value), value)
            maker = self.makers.get(id(value))
            if maker is None:
                return None
            if maker.equation.primitive.name in ("dot_general", "conv_general_dilated"):
                return maker
            data = [a for a in maker.inputs if a.depends and self.is_computed(a)]
            if not data:
                return None
            value = data[0]
        return None


def roles(program: Program, flow: Flow | None = None) -> dict[Site, Role]:
    """What each activation of a program does."""
    flow = flow or Flow(program)
    return {site: _role(site, flow) for site in flow.sites}


def _role(site: Site, flow: Flow) -> Role:
    if not flow.is_computed(site.start):
        return "mask"
    if _weighs_rows(site, flow):
        return "attention"
    factors = list(flow.factors(site))
    others = [flow.ends.get(id(f.origin)) for f in factors]
    if factors and (_is_weight(site) or any(o is None or not _is_weight(o) for o in others)):
        weighing = _is_weight(site) or not any(_is_softmax(f.origin, flow) for f in factors)
        if weighing:
            kept = any(id(f.origin) in flow.carried and flow.is_kept(f.step) for f in factors)
            return "forget gate" if kept and _is_weight(site) else "gate"
    if _is_cap(site, flow):
        return "cap"
    bounded = all(map(math.isfinite, _range(site)))
    later = [v for v in flow.following(site.end)]
    only_result = all(
        s.equation.primitive.name in _MOVING | _SCALING for v in later for s in _readers(v, flow)
    )
    ends = any(id(v) in flow.results for v in later)
    if bounded and ends and only_result and flow.reach.get(id(site.start), 0):
        return "output"
    return "unit"


def _readers(value: Variable, flow: Flow) -> list[Step]:
    return flow.readers.get(id(value), [])


def _range(site: Site) -> tuple[float, float]:
    entry = CATALOG.get(site.activation)
    if entry is None or entry.kind != "elementwise":
        return -math.inf, math.inf
    return entry.range(**(site.match.setting if site.match else entry.samples[0]))


def _is_weight(site: Site) -> bool:
    """Whether its results are shares: from 0 to 1."""
    low, high = _range(site)
    return low >= 0 and high <= 1


def _is_softmax(value: Any, flow: Flow) -> bool:
    maker = flow.makers.get(id(value))
    return maker is not None and maker.equation.primitive.name in ("div", "top_k", "exp")


def _is_cap(site: Site, flow: Flow) -> bool:
    """Whether it is c tanh(x / c), or cuts off what lies far out."""
    low, high = _range(site)
    if not (math.isfinite(low) and math.isfinite(high) and low < 0 < high):
        return False
    if site.activation == "hard_tanh" or (low, high) != (-1.0, 1.0):
        step = flow.linear(site.start)
        return step is None or not any(v is site.start for v in flow.following(step.outputs[0]))
    before = flow.makers.get(id(site.start))
    if before is None or before.equation.primitive.name not in ("mul", "div"):
        return False
    inner = _constant(before)
    for step in _readers(site.end, flow):
        outer = _constant(step) if step.equation.primitive.name in ("mul", "div") else None
        if inner and outer and abs(inner * outer - 1) < 0.01 and outer >= _LARGE:
            return True
    return False


def _constant(step: Step) -> float | None:
    """By which number a step multiplies."""
    for place, atom in enumerate(step.inputs):
        if isinstance(atom, Constant) and not atom.aval.shape:
            divides = step.equation.primitive.name == "div"
            return 1 / float(atom.value) if divides and place == 1 else float(atom.value)
    return None


def _weighs_rows(site: Site, flow: Flow) -> bool:
    """Whether it is attention by another function than softmax: of scores, and weighing values."""
    return _is_weight(site) and _scores(site.start, flow) and bool(_weighed(site.end, flow))


def _scores(start: Any, flow: Flow) -> bool:
    """Whether it is a product of two arrays of data, as those of queries and keys."""
    step = flow.linear(start)
    return (
        step is not None
        and step.equation.primitive.name == "dot_general"
        and all(a.depends for a in step.inputs)
    )


def _weighed(end: Any, flow: Flow) -> list[tuple[Step, Any]]:
    """Products of matrices in which it meets other data."""
    return [
        (step, value)
        for value in flow.following(end)
        for step in _readers(value, flow)
        if step.equation.primitive.name == "dot_general" and all(a.depends for a in step.inputs)
    ]


# --- What is read besides ------------------------------------------------------------------------


def watch(program: Program, found: dict[Site, Role], flow: Flow) -> None:
    """Adds products with gates, functions of rows, and choices of the largest to the program."""
    for site in flow.sites:
        if found[site] == "gate":
            for factor in flow.factors(site):
                if id(factor.origin) not in flow.ends and _enters_linear(factor, flow):
                    options = {"swapped": factor.step.inputs[0] is factor.own}
                    gate, value = factor.own, factor.other
                    _add(flow, factor.step, gated(site.activation), "gated", (gate, value), options)
                    break
        if found[site] == "attention":
            options = {"axis": -1, "heads": _heads(site.end, flow)}
            _add(flow, site.steps[-1], site.activation, "rows", (site.start, site.end), options)
    for step in [step for body in program.bodies() for step in body.steps]:
        name = step.equation.primitive.name
        if name == "top_k" and step.inputs[0].depends and flow.is_computed(step.inputs[0]):
            number = step.outputs[0].aval.shape[-1]
            _add(flow, step, f"top {number}", "choices", (step.inputs[0],), {"number": number})
        rows = _rows(step, flow)
        if rows is None:
            continue
        start, axis = rows
        weighed = _weighed(step.outputs[0], flow)
        attends = bool(weighed) and _scores(start, flow)
        multiplies = any(
            reader.equation.primitive.name in ("top_k", "mul", "dot_general")
            and all(a.depends for a in reader.inputs)
            for value in flow.following(step.outputs[0])
            for reader in _readers(value, flow)
        )
        if attends or multiplies:
            options = {"axis": axis, "heads": _heads(step.outputs[0], flow) if attends else ()}
            kind = "attention" if attends else "router"
            values = (start, step.outputs[0])
            _add(flow, step, f"softmax, {kind}", "rows", values, options)


def _add(flow: Flow, step: Step, activation: str, kind: str, variables, options) -> None:
    program, end = flow.programs[id(step)], step.outputs[0]
    if any(id(site.end) == id(end) for site in program.sites) and kind != "rows":
        return
    sources = (step.scope,)
    program.sites = [site for site in program.sites if id(site.end) != id(end)]
    watched = (*variables, end) if kind == "gated" else variables
    program.sites.append(
        Watch(activation, kind, watched, end, options, step.scope, sources, program.loops)
    )


def _enters_linear(factor: Factor, flow: Flow) -> bool:
    return any(
        step.equation.primitive.name in ("dot_general", "conv_general_dilated")
        for value in flow.following(factor.step.outputs[0])
        for step in _readers(value, flow)
    )


def _rows(step: Step, flow: Flow) -> tuple[Any, int] | None:
    """What a softmax is taken of, and along which axis, if the step gives the result of one."""
    equation = step.equation
    if equation.primitive.name == "div" and step.inputs[0].depends:
        exponential = _passed(step.inputs[0], flow)
        summed = _passed(step.inputs[1], flow)
        if exponential is None or summed is None:
            return None
        if exponential.equation.primitive.name != "exp":
            return None
        if summed.equation.primitive.name != "reduce_sum":
            return None
        if _passed(summed.inputs[0], flow) is not exponential:
            return None
        start = exponential.inputs[0]
        shifted = _passed(start, flow)
        if shifted is not None and shifted.equation.primitive.name == "sub":
            start = shifted.inputs[0]
        (axis, *_) = summed.equation.params["axes"]
        return start, axis
    entry = _called(equation)
    if entry is not None and step.outputs[0].aval.shape == step.inputs[0].aval.shape:
        axes = next(_axes(equation), None)
        return (step.inputs[0], axes) if axes is not None and step.inputs[0].depends else None
    return None


def _called(equation: JaxprEqn) -> Any:
    """The entry of the catalogue whose function of rows, of shares, is called."""
    entry = CATALOG.get(str(equation.params.get("name", "")).removeprefix(PREFIX))
    shares = entry is not None and entry.kind == "axis" and entry.range(**entry.samples[0])
    return entry if shares and shares[0] >= 0 and shares[1] <= 1 else None


def _axes(equation: JaxprEqn) -> Iterator[int]:
    for jaxpr in jaxprs_in_params(equation.params):
        for inner in jaxpr.eqns:
            name, axes = inner.primitive.name, inner.params.get("axes")
            if name.startswith("reduce_") and axes:
                yield axes[0]
            yield from reduced_axes(inner)
            yield from _axes(inner)


def _passed(value: Any, flow: Flow) -> Step | None:
    """The step that computed a value, before it was moved or converted."""
    for _ in range(100):
        maker = flow.makers.get(id(value))
        if maker is None or maker.equation.primitive.name not in PASSING:
            return maker
        value = maker.inputs[0]
    return None


def _heads(end: Any, flow: Flow) -> tuple[int, ...]:
    """The axes of heads: of a batch of products, but the first where there are several."""
    for step, value in _weighed(end, flow):
        (_, batch) = step.equation.params["dimension_numbers"]
        place = 0 if step.inputs[0] is value else 1
        axes = tuple(batch[place])
        if value.aval.shape == end.aval.shape:
            return axes[1:]
    return ()
