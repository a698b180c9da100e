"""What traces, profiles and compiled programs call what is ours: names that nobody mistakes.

Programs that read traces know functions by the bare names of JAX's own: to them a jitted `softplus`
is `jax.nn.softplus`, whatever its parameters.
"""

from collections.abc import Callable
from typing import Any

import jax

PREFIX = "jaxact_"


def trace_name(name: str) -> str:
    """The name in traces of a function of ours."""
    return PREFIX + name.strip("_")


def jitted(*static: int, name: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """`jax.jit` under such a name, by default that of the function.

    Args:
        static: the positions of static arguments.
        name: what the function is called outside.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        function.__name__ = function.__qualname__ = trace_name(name or function.__name__)
        return jax.jit(function, static_argnums=static)

    return decorate
