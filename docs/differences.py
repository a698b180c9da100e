"""Where other libraries' conventions differ, with the reason: a table, held against the libraries.

python docs/differences.py      # writes differences.md
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jax
import jax.numpy as jnp

import jaxact  # from this checkout, installed or not

OUTPUT = ROOT / "docs" / "differences.md"


class Difference(NamedTuple):
    """One convention.

    Attributes:
        peer: the library, as a prefix of `jaxact.get`.
        name: what both have.
        here: what jaxact does.
        there: what the peer does.
        reason: why jaxact does not do the same.
        ours: a function of one array that shows it.
        theirs: the same, called by its name in the peer's module and with more arguments.
        parity: how closely `jaxact.get` of the peer's name agrees all the same.
    """

    peer: str
    name: str
    here: str
    there: str
    reason: str
    ours: Callable[..., Any]
    theirs: tuple[str, dict[str, Any]]
    parity: float = 1e-10


DIFFERENCES = (
    Difference(
        "torch",
        "gelu",
        "the formula with tanh by default",
        "the exact one",
        'the default is jax.nn\'s; `get("torch:gelu")` is exact',
        jaxact.gelu,
        ("gelu", {}),
    ),
    Difference(
        "keras",
        "gelu",
        "the formula with tanh by default",
        "the exact one",
        'as above: `get("keras:gelu")` is exact',
        jaxact.gelu,
        ("gelu", {}),
    ),
    Difference(
        "keras",
        "leaky_relu",
        "slope 0.01 by default",
        "0.2, and 0.3 in the layer of this name",
        "the default is the paper's and jax.nn's; `get(\"keras:leaky_relu\")` has 0.2",
        jaxact.leaky_relu,
        ("leaky_relu", {}),
    ),
    Difference(
        "onnx",
        "HardSigmoid",
        "slope 1/6",
        "slope 0.2 by default",
        "jax.nn, torch and Keras have 1/6; `get` has no name for another slope",
        jaxact.hard_sigmoid,
        ("HardSigmoid", {}),
    ),
    Difference(
        "torch",
        "softplus",
        "the function itself",
        "x itself where beta * x > 20",
        "nothing overflows here; the shortcut costs the last digits of a float64",
        lambda x: jaxact.softplus(8 * x),
        ("softplus", {"of": 8.0}),
    ),
    Difference(
        "torch",
        "hardshrink",
        "refuses a negative lambd",
        "takes it, and returns x",
        "the interval that is set to 0 is empty: more likely a mistake",
        lambda x: None,
        ("hardshrink", {"lambd": -0.5}),
    ),
    Difference(
        "torch",
        "prelu",
        "slopes line up with the last axis",
        "with axis 1",
        "channels come last in JAX and Flax; `jaxact.nnx.PReLU` takes an axis",
        lambda x: jaxact.prelu(x.reshape(-1, 2, 2), jnp.asarray([0.1, 0.9])),
        ("prelu", {"shape": (-1, 2, 2), "weight": [0.1, 0.9]}),
    ),
    Difference(
        "torch",
        "softmax, log_softmax, softmin, glu",
        "along the last axis by default",
        "dim is required, or guessed with a warning (glu: the last)",
        "the default is jax.nn's",
        lambda x: jaxact.softmax(x.reshape(4, -1, 4)),
        ("softmax", {"shape": (4, -1, 4), "dim": 0}),
    ),
    Difference(
        "torch",
        "rrelu, gumbel_softmax",
        "draw with a key; without one rrelu evaluates",
        "draw from global state, if training is set",
        "a function of JAX has no state",
        lambda x: jaxact.rrelu(x),
        ("rrelu", {"training": True}),
    ),
    Difference(
        "torch",
        "hardsigmoid",
        "slope 1/6 in float64",
        "1/6 as a float32 holds it, in the gradient",
        "an oversight there, of 3e-8 relatively",
        lambda x: jax.vmap(jax.grad(jaxact.hard_sigmoid))(x),
        ("hardsigmoid", {"gradient": True}),
        1e-7,
    ),
    Difference(
        "keras",
        "tanh",
        "float64 stays float64",
        "the JAX backend computes in float32",
        "the dtype of a result is that of its input",
        jaxact.tanh,
        ("tanh", {}),
        1e-6,
    ),
    Difference(
        "keras",
        "sparsemax",
        "rows sum to 1",
        "they do not: the JAX backend of Keras 3.15.1 adds up all partial sums",
        "an oversight there",
        lambda x: jaxact.sparsemax(x),
        ("sparsemax", {}),
        4.0,
    ),
)

HEAD = """# Differences by convention

Written by `python docs/differences.py`: do not edit. Slopes at kinks have a [table](kinks.md) of
their own. All else agrees, which `python -m pytest -m special tests/test_parity.py` shows where
those libraries are installed: values, and gradients where there are any, in float64 to 1e-10 (ONNX,
whose attributes are float32: to 1e-6).

| function | library | there | here | reason |
|---|---|---|---|---|
"""


def table() -> str:
    """One row per difference."""
    rows = (f"| {d.name} | {d.peer} | {d.there} | {d.here} | {d.reason} |" for d in DIFFERENCES)
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(table())
