"""What adopting does to memory: training steps of the zoo, and of scanned layers, before and after.

The models are those on which diagnostics are tested, as their authors describe them, with jax.nn's
activations.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxact
from tests.zoo.layers import attention, attention_weights, keys, mlp, mlp_weights, norm
from tests.zoo.models import ZOO

from . import clock
from .targets import TARGETS

WAYS = ("exact", "lean", "few_bit")
ROWS, WIDTH, LAYERS = 1024, 256, 12
GOAL = 1.02  # temporaries after adopting, over those before


class AdoptRow(NamedTuple):
    """One training step: loss and gradient.

    Attributes:
        model: its name.
        adopted: how many activations ours compute, of how many that were found.
        before: temporaries as it is, in MiB.
        after: the same adopted, by what reverse mode keeps.
        compiling: time to trace and compile the adopted step, exact, over that of the plain one.
    """

    model: str
    adopted: str
    before: float
    after: dict[str, float]
    compiling: float


def _scanned(activation: Callable[..., Any]) -> tuple[Callable[..., Any], tuple]:
    def loss(weights, x):
        block = lambda x, own: (x + mlp(own, x, activation), None)
        return jnp.mean(jax.lax.scan(block, x, weights)[0] ** 2)

    weights = [mlp_weights(keys(layer), WIDTH, WIDTH) for layer in range(LAYERS)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *weights)
    return loss, (stacked, jnp.ones((ROWS, WIDTH)))


def _transformer(activation: Callable[..., Any]) -> tuple[Callable[..., Any], tuple]:
    def block(x, own):
        x = x + attention(own["attention"], norm(x))
        return x + mlp(own["mlp"], norm(x), activation), None

    def loss(weights, x):
        return jnp.mean(jax.lax.scan(block, x, weights)[0] ** 2)

    weights = [
        {
            "attention": attention_weights(keys(layer), WIDTH),
            "mlp": mlp_weights(keys(layer), WIDTH, 4 * WIDTH),
        }
        for layer in range(LAYERS)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *weights)
    return loss, (stacked, jnp.ones((8, 128, WIDTH)))


def _mish(x):
    return x * jnp.tanh(jax.nn.softplus(x))


def _steps() -> Iterator[tuple[str, Callable[..., Any], Callable[[], tuple]]]:
    """Names, losses, and what makes their arguments."""
    for name, function in {"gelu": jax.nn.gelu, "silu": jax.nn.silu, "mish": _mish}.items():
        for network, make in {"MLP": _scanned, "transformer": _transformer}.items():
            loss, given = make(function)
            yield f"scanned {network}, {name}", loss, lambda given=given: given
    for name, model in ZOO.items():
        yield name, model.loss, lambda model=model: (model.weights(0), model.batch)


def measure_all(target: str) -> Iterator[AdoptRow]:
    """Compiles each step as it is and adopted, and yields its row."""
    sharding = jax.sharding.SingleDeviceSharding(TARGETS[target].device())
    options = TARGETS[target].options()
    place = lambda a: jax.ShapeDtypeStruct(jnp.shape(a), jnp.result_type(a), sharding=sharding)
    for name, loss, make in _steps():
        given = jax.tree.map(place, jax.eval_shape(make))
        build = functools.partial(clock.build, options=options)
        plain = build(jax.value_and_grad(loss), *given)
        builds = {
            way: build(jax.value_and_grad(jaxact.adopt(loss, backward=way)), *given) for way in WAYS
        }
        size = lambda build: build.executable.memory_analysis().temp_size_in_bytes / 2**20
        seconds = lambda build: build.lower_seconds + build.compile_seconds
        found = jaxact.adopt(loss).sites(*jax.eval_shape(make))
        yield AdoptRow(
            name,
            f"{sum(bool(site.by) for site in found)} of {len(found)}",
            size(plain),
            {way: size(build) for way, build in builds.items()},
            seconds(builds["exact"]) / seconds(plain),
        )


def table(rows: list[AdoptRow]) -> str:
    """The rows as Markdown, as the documentation has them."""
    ways = " | ".join(WAYS)
    lines = [f"| training step | adopted | MiB before | {ways} | compile time |"]
    lines.append("|---" * (4 + len(WAYS)) + "|")
    for row in rows:
        shares = [row.after[way] / row.before if row.before else math.nan for way in WAYS]
        cells = " | ".join(f"{share:.2f}" for share in shares)
        lines.append(
            f"| {row.model} | {row.adopted} | {row.before:.3g} | {cells} | {row.compiling:.2f} |"
        )
    return "\n".join(lines)
