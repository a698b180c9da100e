"""What reports do not look into: steps of kinds that they do not know, and what is called there."""

import warnings
from collections.abc import Iterator

from .._jax import JaxprEqn, custom_jvp_call_p, inner_traces
from .elementwise import is_elementwise
from .programs import Program
from .sites import catalogued_name, is_activation


def warn_of_unseen(program: Program) -> None:
    """Warns of kinds of steps that reports do not look into, with the activations called there."""
    kinds: dict[str, set[str]] = {}
    for kind, names in _unseen(program):
        kinds.setdefault(kind, set()).update(names)
    if kinds:
        each = (
            f"{kind} (which calls {', '.join(sorted(names))})" if names else kind
            for kind, names in sorted(kinds.items())
        )
        warnings.warn(
            f"jaxact.diagnostics does not look into {'; '.join(each)}: the report misses whatever "
            "activations are there. To see them, call them outside, or report on a model that "
            "computes the same without",
            stacklevel=4,
        )


def _unseen(program: Program) -> Iterator[tuple[str, set[str]]]:
    for step in program.steps:
        for body in step.bodies:
            yield from _unseen(body)
        if step.bodies or is_activation(step.equation) or is_elementwise(step.equation):
            continue  # the last are known by their values, or known not to be activations
        names = set(_called(step.equation))
        # A function with a rule for its derivative is whole on purpose.
        if names or (_is_program(step.equation) and not step.is_(custom_jvp_call_p)):
            yield step.equation.primitive.name, names


def _called(equation: JaxprEqn) -> Iterator[str]:
    """The activations that are called within a step."""
    for trace in inner_traces(equation) or ():
        for inner in trace.eqns:
            name = catalogued_name(inner)
            yield from [name] if name else _called(inner)


def _is_program(equation: JaxprEqn) -> bool:
    """Whether a step runs a program of arrays; those of numbers only say how a reduction adds."""
    traces = inner_traces(equation)
    return traces is None or any(v.aval.shape for trace in traces for v in trace.invars)
