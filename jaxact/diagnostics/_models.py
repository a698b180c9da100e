"""Models as pure functions of their parameters, with the names of their layers in the trace."""

import contextlib
import functools
import inspect
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen, nnx

from ._reports import keys

_MARK = "layer:"  # scopes that name a module of NNX; Linen names its modules itself
_NAME = "_layer_in_jaxact_reports"


class Model(NamedTuple):
    """A model in parts.

    Attributes:
        parameters: what is learned, a pytree.
        others: what is not: statistics, streams of random numbers.
        restored: makes the model again, while a context lasts in which its layers are named.
        layer: the name of the layer that a scope belongs to; None if it is outside of the model.
        key: tells models of one structure: what is compiled for one serves the others.
        function: the model, if it is a function and has no parameters that are known.
    """

    parameters: Any
    others: Any
    restored: Callable[[Any, Any], contextlib.AbstractContextManager[Any]]
    layer: Callable[[tuple[str, ...]], str | None]
    key: Any
    function: Any = None

    def owners(self) -> set[str]:
        """The names of all layers that have parameters, themselves or within."""
        paths = [keys(path) for path, _ in jax.tree_util.tree_leaves_with_path(self.parameters)]
        return {"/".join(path[:end]) for path in paths for end in range(1, len(path))}

    def pure(self, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
        """A function of the model and a batch, as one of parameters, others and a batch."""

        def pure(parameters: Any, others: Any, batch: Any) -> Any:
            with self.restored(parameters, others) as model:
                return function(model, batch)

        return pure


class _Code(NamedTuple):
    """A function by what it does: a lambda that is written in a loop is one function."""

    code: Any
    given: tuple[Any, ...]

    @classmethod
    def of(cls, value: Any) -> Any:
        """The key of what never changes: of functions, and of what they are given.

        Raises:
            TypeError: if it may change, as a model may that a function closes over.
        """
        value = inspect.unwrap(value) if callable(value) else value
        if isinstance(value, tuple | list):
            return type(value), tuple(map(cls.of, value))
        if isinstance(value, dict):
            return dict, cls.of(tuple(sorted(value.items())))
        if isinstance(value, functools.partial):
            return "partial", *map(cls.of, (value.func, value.args, value.keywords))
        if isinstance(value, types.FunctionType):
            if (value.__module__ or "").partition(".")[0] in ("jax", "jaxact", "flax", "optax"):
                return value
            cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
            names = [name for name in value.__code__.co_names if name in value.__globals__]
            used = tuple(value.__globals__[name] for name in names)
            kept = (value.__defaults__, *(value.__kwdefaults__ or {}).values())
            return cls(value.__code__, tuple(map(cls.of, (*cells, *used, *kept))))
        fixed = (str, bytes, int, float, complex, types.ModuleType, types.BuiltinFunctionType)
        if value is None or isinstance(value, (*fixed, type, np.dtype, linen.Module)):
            return type(value), value
        raise TypeError(f"a {type(value).__name__} may change")


_compiled: OrderedDict[Any, Any] = OrderedDict()
_REMEMBERED = 32


def compiled(make: Callable[..., Any], parts: Model, function: Any, *settings: Any) -> Any:
    """`make(parts, function, *settings)`, once for all models of one structure.

    What holds arrays, as a function that closes over weights may, is not remembered.
    """
    try:
        own = None if parts.function is None else _Code.of(parts.function)
        structure = jax.tree.structure(parts.parameters)
        key = make, parts.key, own, _Code.of(function), structure, settings
        found = _compiled.get(key)
    except (TypeError, ValueError):  # it may change, or cannot be told from others
        return make(parts, function, *settings)
    if found is None:
        names = jax.tree.map(lambda _: 0, parts.parameters)
        found = _compiled[key] = make(
            parts._replace(parameters=names, others=None), function, *settings
        )
        if len(_compiled) > _REMEMBERED:
            _compiled.popitem(last=False)
    _compiled.move_to_end(key)
    return found


def disassemble(model: Any, where: str) -> Model:
    """A model of NNX, a bound one of Linen, or any other function or pytree in its parts.

    Raises:
        ValueError: if a module of Linen is not bound to its variables.
    """
    if isinstance(model, nnx.Module):
        return _nnx(model)
    if isinstance(model, linen.Module):
        if model.scope is None:
            raise ValueError(
                f"jaxact.diagnostics.{where}: model is a {type(model).__name__} of Linen without "
                "its variables: pass model.bind(variables)"
            )
        return _linen(model)
    return _other(model)


def _other(model: Any) -> Model:
    if callable(model):
        restored = lambda parameters, others: contextlib.nullcontext(model)
        return Model((), (), restored, "/".join, "function", model)
    restored = lambda parameters, others: contextlib.nullcontext(parameters)
    return Model(model, (), restored, "/".join, "pytree")


def _linen(model: linen.Module) -> Model:
    bound: Any = model.scope
    module, variables = model.unbind()
    rngs = {name: rng.as_jax_rng() for name, rng in bound.rngs.items()}
    mutable = bound.mutable  # not the scope itself, which holds arrays
    parameters = variables.get("params", {})
    others = {name: value for name, value in variables.items() if name != "params"}
    root = module.name or type(module).__name__

    @contextlib.contextmanager
    def restored(parameters: Any, others: Any) -> Iterator[Any]:
        variables, rngs = others
        yield module.bind({"params": parameters, **variables}, rngs=rngs, mutable=mutable)

    def layer(scope: tuple[str, ...]) -> str | None:
        if not scope or scope[0].partition(".")[0] != root:
            return None
        names = [name.partition(".")[0] for name in scope[1:]]  # without the method
        return "/".join(a for a, b in zip(names, [None, *names], strict=False) if a != b)

    return Model(parameters, (others, rngs), restored, layer, (module, repr(mutable)))


def _nnx(model: nnx.Module) -> Model:
    graphdef, *states = nnx.split(model, nnx.Param, ...)
    parameters, others = nnx.as_pure(tuple(states))

    @contextlib.contextmanager
    def restored(parameters: Any, others: Any) -> Iterator[nnx.Module]:
        copy = nnx.merge(graphdef, parameters, others)
        modules = [(path, m) for path, m in nnx.iter_modules(copy) if callable(m)]
        for path, module in modules:
            # Part of its static structure, so it is there inside nnx.jit and the like, too.
            vars(module)[_NAME] = _MARK + ".".join(map(str, path))
        with contextlib.ExitStack() as stack:
            for kind in {type(module) for _, module in modules}:
                stack.enter_context(_calls_named(kind))
            yield copy

    def layer(scope: tuple[str, ...]) -> str | None:
        marked = [name for name in scope if name.startswith(_MARK)]
        return marked[-1].removeprefix(_MARK).replace(".", "/") if marked else None

    return Model(parameters, others, restored, layer, graphdef)


@contextlib.contextmanager
def _calls_named(kind: type) -> Iterator[None]:
    """Within it, modules of this type are called in a scope of their name, if they have one."""
    original, own = kind.__call__, "__call__" in vars(kind)

    def named(self, *args: Any, **kwargs: Any) -> Any:
        name = vars(self).get(_NAME)
        with jax.named_scope(name) if name else contextlib.nullcontext():
            return original(self, *args, **kwargs)

    kind.__call__ = named
    try:
        yield
    finally:
        if own:
            kind.__call__ = original
        else:
            del kind.__call__
