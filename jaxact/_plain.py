"""`jaxact.plain`: programs of ordinary operations, for what reads or interprets them.

Exporters and interpreters know JAX's own operations. Inside the context our functions are traced
without rules of their own, without our primitives, without a choice by platform, and without
arithmetic on bits. The state is part of what JAX's caches are keyed by, so that a trace that was
made outside is not used inside, nor the other way round.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax

_state = jax.make_user_context(False)


@contextmanager
def plain() -> Iterator[None]:
    """Within it, functions of jaxact are traced in JAX's ordinary operations only.

    For programs that read traces and know nothing but those: exporters, interpreters, Taylor mode.
    It concerns every function and module of jaxact, where it is traced: a program that was
    compiled outside is compiled anew inside. It may decorate a function, too.

    Accuracy:
        Values are within 1e-5 max(1, abs(y)) of those outside, for float32 inputs up to 1e4.
        Gradients are autodiff's, of those operations: finite, with three digits of the largest,
        and at a kink the slope of one of its sides. Reverse mode keeps more than outside:
        `backward.lean` and `backward.few_bit` do nothing inside.

    Example:
        >>> with jaxact.plain():
        ...     print("custom_jvp" in str(jax.make_jaxpr(jaxact.gelu)(1.0)))
        False
    """
    with _state(True):
        yield


@contextmanager
def not_plain() -> Iterator[None]:
    """Undoes `plain` within it: for what is worked out once and kept."""
    with _state(False):
        yield


def is_plain() -> bool:
    """Whether ordinary operations are asked for where a function is traced."""
    return _state.value


class custom_jvp(jax.custom_jvp):
    """`jax.custom_jvp`, whose rule is left out where plain operations are asked for."""

    def __call__(self, *args: Any) -> Any:
        return self.fun(*args) if is_plain() else super().__call__(*args)


def checkpoint(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`jax.checkpoint`, that is left out where plain operations are asked for."""
    kept = jax.checkpoint(function, **options)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args) if is_plain() else kept(*args)

    return call
