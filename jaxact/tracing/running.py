"""Runs a program, and at each activation does what a handler says."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import PartitionSpec

from .._jax import (
    cond_p,
    custom_vjp_call_p,
    jaxpr_as_fun,
    remat_p,
    scan_p,
    traced_as_known,
    while_p,
)
from .programs import Atom, Constant, Program, Site, Step, Watch, flatten, mark, scan_carry
from .sites import find_sites, is_activation
from .unseen import warn_of_unseen

Readings = dict[Site | Watch, Any]


class Handler(Protocol):
    """What is done at an activation."""

    def __call__(
        self, site: Site, function: Callable[[Array], Array], x: Array, probe: Any
    ) -> tuple[Array, Any]:
        """Returns the value of the function at x, and a reading: a pytree of arrays.

        A reading of zeros must stand for nothing read.
        """
        ...

    def watch(self, watch: Watch, *values: Array) -> Any:
        """Returns a reading of values."""
        ...

    def pool(self, readings: Any) -> Any:
        """Returns one reading for all that are stacked along the leading axis."""
        ...


@traced_as_known()
def trace(
    function: Callable[..., Any],
    arguments: tuple,
    data: Sequence[int] = (),
    flags: Sequence[bool] | None = None,
) -> tuple:
    """The program of a function, its flat arguments, and the structure of its result.

    Args:
        function: what is traced.
        arguments: with which.
        data: which of the arguments are data rather than parameters.
        flags: the same for each of their leaves.
    """
    closed, result = jax.make_jaxpr(function, return_shape=True)(*arguments)
    program = flatten(closed.jaxpr, closed.consts, is_activation)
    leaves = [jax.tree.leaves(argument) for argument in arguments]
    if flags is None:
        flags = [i in data for i, part in enumerate(leaves) for _ in part]
    mark(program, flags)
    with jax.ensure_compile_time_eval():
        find_sites(program)
    warn_of_unseen(program)
    flat = [jnp.asarray(leaf) for part in leaves for leaf in part]
    return program, flat, jax.tree.structure(result)


@traced_as_known()
def run(
    program: Program, arguments: Sequence[Any], handler: Handler, probes: Mapping[Site | Watch, Any]
) -> tuple[list[Any], Readings]:
    """The results of a program, and the readings at its activations.

    Args:
        program: what to run.
        arguments: its flat arguments.
        handler: what to do at each activation.
        probes: what is given to the handler at each; within loops, with an axis of rounds.
    """
    values: dict[int, Any] = {}
    readings: Readings = {}
    values.update((id(v), a) for v, a in zip(program.inputs, arguments, strict=True))
    ends = {id(site.end): site for site in program.sites}

    def read(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Constant) else values[id(atom)]

    def applied(site: Site, x: Array) -> Array:
        own = {**values, id(site.start): x}
        for step in site.steps:
            arguments = [a.value if isinstance(a, Constant) else own[id(a)] for a in step.inputs]
            own.update(zip(map(id, step.outputs), step.evaluate(arguments), strict=True))
        return own[id(site.end)]

    for step in program.steps:
        site = ends.get(id(step.outputs[0])) if step.outputs else None
        if isinstance(site, Site):
            x = read(site.start)
            y, readings[site] = handler(site, partial(applied, site), x, probes.get(site))
            values[id(site.end)] = y
            continue
        arguments = [read(a) for a in step.inputs]
        sites = [site for body in step.bodies for site in body.all_sites()]
        if sites:
            own = [probes.get(site) for site in sites]
            special = _SPECIAL.get(step.equation.primitive, _devices)
            results, inside = special(step, arguments, sites, own, handler)
            readings.update(zip(sites, inside, strict=True))
        else:
            results = step.evaluate(arguments)
        values.update(zip(map(id, step.outputs), results, strict=True))
        if isinstance(site, Watch):
            readings[site] = handler.watch(site, *map(read, site.variables))
    return [read(a) for a in program.outputs], readings


# --- Loops, branches, and what is recomputed: each gives its results, and a reading per site ------


def _inside(body: Program, sites: list[Any], handler: Handler) -> Callable[..., tuple]:
    """The body as a function of the probes, site by site, and of its inputs."""

    def inside(probes: list[Any], *arguments: Any) -> tuple[list[Any], list[Any]]:
        own = set(body.all_sites())
        given = {site: p for site, p in zip(sites, probes, strict=True) if site in own}
        results, readings = run(body, arguments, handler, given)
        return results, [readings.get(site) for site in sites]

    return inside


def _remat(step: Step, arguments, sites, probes, handler: Handler):
    parameters = step.equation.params
    body = _inside(step.bodies[0], sites, handler)
    recomputed = jax.checkpoint(
        body, prevent_cse=parameters["prevent_cse"], policy=parameters["policy"]
    )
    return recomputed(probes, *arguments)


def _cond(step: Step, arguments, sites, probes, handler: Handler):
    index, *operands = arguments
    bodies = [_inside(body, sites, handler) for body in step.bodies]
    shapes = [jax.eval_shape(body, probes, *operands)[1] for body in bodies]
    empty = [
        _zeros(next(s for s in of_site if s is not None)) for of_site in zip(*shapes, strict=True)
    ]

    def complete(body, *operands):  # all branches give the same readings, of zeros where not run
        results, readings = body(probes, *operands)
        pairs = zip(readings, empty, strict=True)
        return results, [zeros if reading is None else reading for reading, zeros in pairs]

    return lax.switch(index, [partial(complete, body) for body in bodies], *operands)


def _scan(step: Step, arguments, sites, probes, handler: Handler):
    (body,), parameters = step.bodies, step.equation.params
    carry = scan_carry(step)
    fixed, start, own = arguments[: carry.start], arguments[carry], arguments[carry.stop :]
    inside = _inside(body, sites, handler)

    def round_(carry, each):
        probes, rows = each
        results, readings = inside(probes, *fixed, *carry, *rows)
        return results[: len(start)], (results[len(start) :], readings)

    results, (stacked, readings) = lax.scan(
        round_,
        start,
        (probes, own),
        length=parameters["length"],
        reverse=parameters["reverse"],
        unroll=parameters["unroll"],
    )
    if body.loops[-1].over == "steps":
        readings = [handler.pool(reading) for reading in readings]
    return [*results, *stacked], readings


def _while(step: Step, arguments, sites, probes, handler: Handler):
    (body,), parameters = step.bodies, step.equation.params
    tested, constants = parameters["cond_nconsts"], parameters["body_nconsts"]
    for_test, fixed = arguments[:tested], arguments[tested : tested + constants]
    start = arguments[tested + constants :]
    inside = _inside(body, sites, handler)
    test = jaxpr_as_fun(parameters["cond_jaxpr"])

    def round_(state):
        carry, before = state
        carry, readings = inside(probes, *fixed, *carry)
        both = jax.tree.map(lambda a, b: jnp.stack([a, b]), before, readings)
        return carry, [handler.pool(reading) for reading in both]

    empty = _zeros(jax.eval_shape(inside, probes, *fixed, *start)[1])
    return lax.while_loop(lambda state: test(*for_test, *state[0])[0], round_, (start, empty))


def _rule(step: Step, arguments, sites, probes, handler: Handler):
    """What has a backward pass by hand stays whole; it is read beside it."""
    given = [lax.stop_gradient(argument) for argument in arguments]
    readings = _inside(step.bodies[0], sites, handler)(probes, *given)[1]
    return step.evaluate(arguments), readings


def _devices(step: Step, arguments, sites, probes, handler: Handler):
    """Under shard_map: readings are stacked over the devices."""
    parameters = step.equation.params
    body, axes = _inside(step.bodies[0], sites, handler), parameters["newly_manual_axes"]
    every = PartitionSpec(tuple(sorted(axes)))

    def own(probes, *arguments):
        probes = jax.tree.map(lambda probe: probe[0], probes)
        results, readings = body(probes, *arguments)
        return results, jax.tree.map(lambda reading: jnp.asarray(reading)[None], readings)

    mapped = jax.shard_map(
        own,
        mesh=parameters["mesh"],
        in_specs=(every, *parameters["in_specs"]),
        out_specs=(list(parameters["out_specs"]), every),
        axis_names=set(axes),
        check_vma=parameters["check_vma"],
    )
    results, readings = mapped(probes, *arguments)
    return results, [handler.pool(reading) for reading in readings]


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)


_SPECIAL = {
    remat_p: _remat,
    cond_p: _cond,
    scan_p: _scan,
    while_p: _while,
    custom_vjp_call_p: _rule,
}
