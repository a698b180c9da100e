"""`adopt`: any program of JAX, its activations computed by ours."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import backward as _backward
from ._arguments import require
from ._catalog import CATALOG, Entry
from .tracing.elementwise import is_elementwise
from .tracing.programs import Program, Site
from .tracing.recognition import Match, match, values_of
from .tracing.running import run, trace
from .tracing.sites import numbers, slopes_of

__all__ = ["Adopted", "AdoptedFunction", "Sites", "adopt"]

# Of no grid: what agrees there, value and slope, is the activation and no piece of something else.
_POINTS = np.random.default_rng(7).normal(0, 3, 61)
_BACKWARD = ("exact", "lean", "few_bit")


class Adopted(NamedTuple):
    """What became of one activation of a program.

    Attributes:
        where: the scopes in which it was found.
        activation: what it is called in the catalogue, or in the program.
        parameters: with which its values agree; None if they were not looked for.
        by: what computes it now: "exact", "lean", "few_bit", the name of what was exchanged for it,
            or "" if it was left as it was.
        why: it was left; or why it is not computed in the way that was asked for.
        shape: of its result, without the axes of loops.
        dtype: of its result.
    """

    where: str
    activation: str
    parameters: Mapping[str, Any] | None
    by: str
    why: str
    shape: tuple[int, ...]
    dtype: str


class Sites(tuple[Adopted, ...]):
    """The activations of a program, in order of execution, and what became of each."""

    def to_dict(self) -> dict[str, Any]:
        """Numbers and lists of them, fit for JSON."""
        plain = lambda site: {**site._asdict(), "shape": list(site.shape)}
        return {"sites": [plain(site) for site in self]}

    def table(self) -> Any:
        """A table for `rich.print`."""
        from rich import box
        from rich.table import Table

        table = Table("where", "activation", "computed by", "why", box=box.SIMPLE_HEAD)
        for site in self:
            table.add_row(site.where, _written(site), site.by or "as it was", site.why)
        return table

    def __str__(self) -> str:
        lines = [
            f"{site.where or 'the function'}: {_written(site)}, {site.by or 'as it was'}"
            + (f" ({site.why})" if site.why else "")
            for site in self
        ]
        return "\n".join(lines)


class AdoptedFunction(Protocol):
    """A function whose activations ours compute; `sites` tells of the same arguments which."""

    sites: Callable[..., Sites]

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


def _written(site: Adopted) -> str:
    given = ", ".join(f"{name}={value:.6g}" for name, value in _numbers_of(site))
    return f"{site.activation}({given})" if given else site.activation


def _numbers_of(site: Adopted) -> Iterator[tuple[str, Any]]:
    return ((k, v) for k, v in (site.parameters or {}).items() if isinstance(v, int | float))


def adopt(
    fn: Callable[..., Any],
    *,
    backward: str = "exact",
    bits: int = 2,
    exchange: Mapping[str, Callable[[Array], Array]] | None = None,
) -> AdoptedFunction:
    """The same function, in which jaxact computes the activations, wherever they are called.

    The function is traced, its activations are found as reports find them, and it runs with ours in
    their place: those of jax.nn, those spelt out, and those hidden in other libraries, inside
    `jit`, `scan`, `while_loop`, `cond`, `remat` and `shard_map` too. What is adopted has the value
    and the slope of ours, checked at points of no grid; all else is left as it is, and
    `adopted.sites(*args)` says why.

    Adopt first, then differentiate, `jax.grad(adopt(loss))`, and jit all: outside of `jit` the
    function is traced at every call. Modules of NNX among the arguments are updated as the function
    updates them.

    Args:
        fn: a function of arrays, pytrees and modules that returns arrays.
        backward: what reverse mode keeps: "exact", as the functions of jaxact by default; "lean",
            where the slope follows from the output; "few_bit", with approximate slopes.
        bits: of "few_bit".
        exchange: functions that take the place of activations, by the names of these; on purpose,
            as it changes the mathematics.

    Returns:
        A function of the same signature, with an attribute `sites`: of the same arguments, it tells
        what becomes of each activation.

    Raises:
        TypeError: if `fn` or something in `exchange` is no function.
        ValueError: if `backward` or `bits` is unknown; when called, if the function has no
            activation, or if it takes a gradient: its activations have been differentiated already.

    Example:
        >>> loss = lambda w, x: jnp.sum(jax.nn.gelu(x @ w) ** 2)
        >>> adopted = jaxact.adopt(loss)
        >>> print(adopted.sites(jnp.ones((3, 2)), jnp.ones((4, 3))))
        the function: gelu(approximate=1), exact
    """
    where = "jaxact.adopt"
    if not callable(fn):
        raise TypeError(f"{where}: fn is {fn!r}, but must be a function")
    require(backward in _BACKWARD, where, "backward", backward, f"be one of {', '.join(_BACKWARD)}")
    require(bits in (1, 2, 3, 4), where, "bits", bits, "be 1, 2, 3 or 4")
    exchange = dict(exchange or {})
    for name, function in exchange.items():
        if not callable(function):
            raise TypeError(f"{where}: exchange[{name!r}] is {function!r}, but must be a function")
    choice = _Choice(backward, bits, exchange)

    @functools.wraps(fn)
    def adopted(*args: Any, **kwargs: Any) -> Any:
        program, given, structure, finish = _traced(fn, args, kwargs)
        results, _ = run(program, given, _Exchange(_decided(program, choice)), {})
        return finish(jax.tree.unflatten(structure, results))

    def sites(*args: Any, **kwargs: Any) -> Sites:
        program, *_ = _traced(fn, args, kwargs)
        return Sites(record for record, _ in _decided(program, choice).values())

    found: Any = adopted
    found.sites = sites
    return found


# --- Tracing -------------------------------------------------------------------------------------


def _traced(fn: Callable[..., Any], args: tuple, kwargs: dict) -> tuple:
    """The program, its flat arguments, its results' structure, and what is to be done with them."""
    nnx: Any = sys.modules.get("flax.nnx")  # who has modules of it has imported it
    is_module = lambda part: nnx is not None and isinstance(part, nnx.Module)
    parts, tree = jax.tree.flatten((args, kwargs), is_leaf=is_module)
    modules = [part for part in parts if is_module(part)]
    splits = [nnx.split(module) for module in modules] if nnx else []
    states = [nnx.as_pure(state) for _, state in splits] if nnx else []
    leaves = [part for part in parts if not is_module(part) and _is_array(part)]

    def flat(states: Any, leaves: list[Any]) -> Any:
        merged = [nnx.merge(graph, s) for (graph, _), s in zip(splits, states, strict=True)]
        rest, copies = iter(leaves), iter(merged)
        full = [
            next(copies) if is_module(part) else next(rest) if _is_array(part) else part
            for part in parts
        ]
        args, kwargs = jax.tree.unflatten(tree, full)
        result = fn(*args, **kwargs)
        after = [nnx.split(module) for module in merged]
        for (before, _), (graph, _), module in zip(splits, after, modules, strict=True):
            if before != graph:
                raise ValueError(
                    f"jaxact.adopt: the function changes the structure of a "
                    f"{type(module).__name__}: let it change no more than the values of variables"
                )
        return result, [nnx.as_pure(state) for _, state in after]

    flags = [np.ndim(leaf) > 0 for leaf in jax.tree.leaves((states, leaves))]
    try:
        program, given, structure = trace(flat, (states, leaves), flags=flags)
    except Exception as error:
        if type(error).__name__ != "TraceContextError":  # of Flax
            raise
        raise ValueError(
            "jaxact.adopt: the function changes the state of a module that it closes over, which "
            "would be lost: make the module an argument of the function"
        ) from error
    if _takes_gradients(program):
        raise ValueError(
            "jaxact.adopt: the function takes a gradient, so that its activations have been "
            "differentiated already: adopt the function itself first, jax.grad(adopt(loss))"
        )
    if not any(isinstance(site, Site) for site in program.all_sites()):
        raise ValueError(
            "jaxact.adopt: no activation was found in the function: adopt one that calls some, or "
            "declare yours with @jaxact.activation and jit it"
        )

    def finish(results: Any) -> Any:
        result, states = results
        for module, (_, before), after in zip(modules, splits, states, strict=True):
            nnx.update(
                module, jax.tree.unflatten(jax.tree.structure(before), jax.tree.leaves(after))
            )
        return result

    return program, given, structure, finish


def _is_array(part: Any) -> bool:
    if isinstance(part, bool):
        return False
    return isinstance(part, Array | np.ndarray | np.generic | int | float | complex)


def _takes_gradients(program: Program) -> bool:
    """Whether a part of it comes from reverse mode, or another derivative."""
    steps = (step for body in program.bodies() for step in body.steps)
    return any(scope.startswith(("transpose(", "jvp(")) for step in steps for scope in step.scope)


# --- Decisions -----------------------------------------------------------------------------------


class _Choice(NamedTuple):
    """What the user asks for."""

    backward: str
    bits: int
    exchange: Mapping[str, Callable[[Array], Array]]


Decision = tuple[Adopted, Callable[[Array], Array] | None]


def _decided(program: Program, choice: _Choice) -> dict[Site, Decision]:
    """Of each activation, before anything runs, what becomes of it."""
    with jax.ensure_compile_time_eval():
        bodies = list(program.bodies())
        steps = [s for body in bodies for s in body.steps if not s.bodies]
        known = numbers([step for step in steps if is_elementwise(step.equation)])
        sites = [site for site in program.all_sites() if isinstance(site, Site)]
        decided = {site: _decide(site, known, choice) for site in sites}
        for site in (site for body in bodies for site in body.unlike):
            decided[site] = _left(site, "its slope is not the activation's"), None
        return decided


def _left(site: Site, why: str) -> Adopted:
    return _record(site, None, "", why)


def _record(site: Site, parameters: Any, by: str, why: str = "") -> Adopted:
    where, aval = "/".join(site.scope), site.end.aval
    return Adopted(where, site.activation, parameters, by, why, aval.shape, str(aval.dtype))


def _decide(site: Site, known: dict[int, Any], choice: _Choice) -> Decision:
    if any(loop.over == "rule" for loop in site.loops):
        return _left(site, "it is inside a function with a backward pass of its own"), None
    entry = CATALOG.get(site.activation)
    if entry is None:
        return _left(site, "the catalogue has no such activation"), None
    if entry.kind != "elementwise":
        return _left(site, f"it is no function of one element, but of kind {entry.kind}"), None
    named = site.match is None
    if named and choice.backward == "exact" and site.activation not in choice.exchange:
        return _left(site, "it is jaxact's already"), None
    try:
        found = _verified(site, entry, known)
    except (TypeError, ValueError, NotImplementedError) as error:
        return _left(site, f"its values cannot be told: {error}"), None
    if isinstance(found, str):
        return _left(site, found), None
    setting = found.setting
    if site.activation in choice.exchange:
        other = choice.exchange[site.activation]
        return _record(site, setting, getattr(other, "__name__", repr(other))), other
    ours = functools.partial(entry.function, **setting)
    if choice.backward == "few_bit":
        return _record(site, setting, "few_bit"), _backward.few_bit(ours, choice.bits)
    if choice.backward == "lean":
        try:
            return _record(site, setting, "lean"), _backward.lean(ours)
        except ValueError:
            why = "its slope does not follow from its output"
            return _record(site, setting, "exact", why), None if named else ours
    return _record(site, setting, "exact"), ours


def _verified(site: Site, entry: Entry, known: dict[int, Any]) -> Match | str:
    """The setting with which the catalogue has the values and the slopes; or why there is none."""
    found = site.match
    eps = float(jnp.finfo(site.start.aval.dtype).eps)
    if found is None:  # known by its name
        row, _ = slopes_of(site.start, site.steps, known)
        found = match(row, eps)
        if found is None or found.entry is not entry:
            return "its parameters are traced, or not those of the catalogue"
    if found.traced:
        return "its parameter is traced, and may be anything"
    values, slopes = slopes_of(site.start, site.steps, known, _POINTS)
    expected = values_of(found, _POINTS)
    h = 1e-6
    after, before = (values_of(found, _POINTS + shift) for shift in (h, -h))
    if expected is None or after is None or before is None:
        return "it is not defined everywhere"
    allowed = max(2e-5, 4 * eps)
    if np.max(np.abs(values - expected) / (1 + np.abs(expected))) > allowed:
        return "its values are near the activation's, and not the same"
    rise = (after - before) / (2 * h)
    if site.match is not None and np.max(np.abs(slopes - rise) / (1 + np.abs(rise))) > 5 * allowed:
        return "its slope is not the activation's"
    return found


class _Exchange:
    """The handler that lets ours compute what was decided."""

    def __init__(self, decided: dict[Site, Decision]):
        self.decided = decided

    def __call__(self, site: Site, function, x: Array, probe: Any) -> tuple[Array, tuple]:
        _, ours = self.decided[site]
        return (function(x) if ours is None else ours(x).astype(site.end.aval.dtype)), ()

    def watch(self, watch: Any, *values: Array) -> Any:
        raise NotImplementedError  # nothing is watched here

    def pool(self, readings: Any) -> Any:
        return readings
