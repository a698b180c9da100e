"""The same activations in other libraries: found through the catalogue, tried before trusted."""

import functools
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxact import Entry

Derivatives = list[np.ndarray | None]  # value, slope and curvature; None where there is none


class Jax:
    """A function that JAX can trace."""

    def __init__(self, function: Callable):
        self.value = jax.jit(function)

    def derivatives(self, xs: np.ndarray) -> Derivatives:
        """Value, slope and curvature at all points."""

        def derivative(function):
            return lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1]

        functions = self.value, derivative(self.value), derivative(derivative(self.value))
        with jax.enable_x64(xs.dtype == np.float64):
            return jax.device_get(jax.jit(lambda x: [f(x) for f in functions])(xs))


class Torch:
    """A function of torch, eager and on the CPU."""

    def __init__(self, function: Callable):
        self.function = function

    def value(self, xs: np.ndarray) -> np.ndarray:
        """The values at all points."""
        return _from_torch(self.function(_to_torch(xs)))

    def derivatives(self, xs: np.ndarray) -> Derivatives:
        """Value, slope and curvature at all points."""
        import torch

        x = _to_torch(xs).requires_grad_()
        results = [self.function(x)]
        while len(results) < 3:
            total, graph = results[-1].sum(), {"create_graph": True, "materialize_grads": True}
            try:
                results += torch.autograd.grad(total, x, **graph)
            except (RuntimeError, NotImplementedError):  # some have no second derivative
                break
        return [*map(_from_torch, results), None, None][:3]


def versions() -> dict[str, str]:
    """The libraries that are installed here, and their versions."""
    packages = {"jaxact": "jaxact", "jax.nn": "jax", "torch": "torch"}
    found = {name: p for name, p in packages.items() if importlib.util.find_spec(p)}
    return {name: importlib.metadata.version(package) for name, package in found.items()}


def peers(entry: Entry, parameters: Mapping[str, Any]) -> dict[str, Jax | Torch]:
    """Who has the activation with these parameters, by the name of the library."""
    candidates = {"jax.nn": _in_jax_nn(entry, parameters)}
    if "torch" in versions() and jax.default_backend() == "cpu":
        candidates["torch"] = _in_torch(entry, parameters)
    first = {
        library: next((c for c in them if _is_the_same(c, entry, parameters)), None)
        for library, them in candidates.items()
    }
    return {library: peer for library, peer in first.items() if peer}


def _in_jax_nn(entry: Entry, parameters: Mapping[str, Any]) -> Iterator[Jax]:
    for name in (entry.name, *_names(entry, "jax")):
        if hasattr(jax.nn, name):
            for arguments in (parameters, {}):
                yield Jax(functools.partial(getattr(jax.nn, name), **arguments))


def _in_torch(entry: Entry, parameters: Mapping[str, Any]) -> Iterator[Torch]:
    import torch

    spelled = {
        name: {True: "tanh", False: "none"}[value] if name == "approximate" else value
        for name, value in parameters.items()
    }
    for name in _names(entry, "torch"):
        function = getattr(torch.nn.functional, name)
        yield Torch(functools.partial(function, **spelled))
        yield Torch(lambda x, f=function: f(x, *(x.new_tensor(v) for v in spelled.values())))
        yield Torch(function)


def _names(entry: Entry, ecosystem: str) -> list[str]:
    """What an ecosystem calls it."""
    prefix = f"{ecosystem}:"
    return [name.removeprefix(prefix) for name in entry.elsewhere if name.startswith(prefix)]


def _is_the_same(peer: Jax | Torch, entry: Entry, parameters: Mapping[str, Any]) -> bool:
    """Whether it takes the parameters, if any, and gives the same values."""
    lowest, highest = entry.domain(**parameters)
    xs = np.linspace(max(lowest, -4.0), min(highest, 4.0), 98, dtype=np.float32)[1:-1]
    try:
        values = peer.value(xs)
    except (TypeError, ValueError, RuntimeError):
        return False
    return np.allclose(values, entry.function(xs, **parameters), rtol=1e-5, atol=1e-5)


def _to_torch(xs: np.ndarray):
    import torch

    if xs.dtype == jnp.bfloat16:  # numpy has none of its own
        return torch.from_numpy(xs.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(xs.copy())


def _from_torch(x) -> np.ndarray:
    import torch

    x = x.detach()
    if x.dtype == torch.bfloat16:
        return x.view(torch.int16).numpy().view(jnp.bfloat16)
    return x.numpy()
