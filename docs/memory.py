"""Writes the tables of docs/memory.md: measured ones from benchmarks/results, the others afresh.

python docs/memory.py           # rewrites them; what measures the rest is named in docs/memory.md
"""

import functools
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from jax import Array  # noqa: E402

import jaxact  # noqa: E402  (from this checkout, installed or not)
from benchmarks.grouping import activation, by_network, grouped  # noqa: E402
from benchmarks.results import MemoryRow, Results  # noqa: E402
from jaxact.backward import few_bit, lean  # noqa: E402

PAGE = ROOT / "docs" / "memory.md"
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("memory-*.json"))
DTYPES = ("bfloat16", "float16", "float32")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# --- Compiled networks ---------------------------------------------------------------------------


def measured() -> str:
    """Temporaries and bytes kept, for every target, network, activation and recipe."""
    found = [_network(title, rows) for path in RESULTS for title, rows in _networks(path)]
    return "\n".join(found)


def _networks(path: Path) -> Iterable[tuple[str, list[MemoryRow]]]:
    return by_network(Results.read(path).rows).items()


def _network(title: str, rows: Sequence[MemoryRow]) -> str:
    compiled = [row for row in rows if row.temporaries is not None]
    columns = list(grouped(compiled, lambda row: (row.library, row.recipe)))
    head = ["activation", *(f"{library}, {recipe}" for library, recipe in columns)]
    lines = []
    for name, members in grouped(compiled, activation).items():
        cells = {(row.library, row.recipe): _cell(row) for row in members}
        lines.append([f"`{name}`", *(cells.get(column, "") for column in columns)])
    return f"### {title}\n\n{table(head, lines)}"


def _cell(row: MemoryRow) -> str:
    return f"{row.temporaries:.1f} + {row.outputs:.1f}"


def kept() -> str:
    """Bytes per element that reverse mode keeps, eager."""
    rows = [row for path in RESULTS for row in Results.read(path).rows if row.target == "cpu"]
    columns = list(grouped(rows, lambda row: (row.library, row.recipe)))
    head = ["activation", *(f"{library}, {recipe}" for library, recipe in columns)]
    lines = []
    for name, members in grouped(rows, activation).items():
        cells = {(row.library, row.recipe): f"{row.residual_bytes:.3g}" for row in members}
        lines.append([f"`{name}`", *(cells.get(column, "") for column in columns)])
    return table(head, lines)


# --- The price of lean ---------------------------------------------------------------------------


def price() -> str:
    """The largest error of a slope that `lean` computes, over inputs from -20 to 20."""
    lines = []
    for entry in jaxact.CATALOG.values():
        given = functools.partial(entry.function, **entry.samples[0])
        if entry.kind != "elementwise" or not _is_lean(given):
            continue
        errors = [_largest_error(given, jnp.dtype(dtype)) for dtype in DTYPES]
        lines.append([f"`{entry.name}`", *(f"{error:.1e}" for error in errors)])
    return table(["activation", *DTYPES], lines)


def _is_lean(function: Callable[..., Array]) -> bool:
    try:
        lean(function)
    except ValueError:
        return False
    return True


def _largest_error(function: Callable[..., Array], dtype: np.dtype) -> float:
    x = jnp.linspace(-20, 20, 2**16).astype(dtype)
    slope = lambda f: jax.vjp(f, x)[1](jnp.ones_like(x))[0].astype(jnp.float32)
    return float(jnp.max(jnp.abs(slope(lean(function)) - slope(function))))


# --- The price of few bits -----------------------------------------------------------------------


def cosines() -> str:
    """The cosine between the gradients of few_bit and the true ones, of a network on digits."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    images, labels = load_digits(return_X_y=True)
    data = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
    lines = []
    for function in (jaxact.gelu, jaxact.silu, jaxact.mish):
        weights = _initial(jax.random.key(0))
        trained = _trained(function, weights, data)
        for bits in (1, 2, 3, 4):
            coded = few_bit(function, bits)
            start = _cosine(function, coded, weights, data)
            end = _cosine(function, coded, trained, data)
            accuracy = _accuracy(function, _trained(coded, weights, data), data)
            exact = _accuracy(function, trained, data)
            lines.append(
                [
                    f"`{function.__name__}`",
                    str(bits),
                    f"{start:.5f}",
                    f"{end:.5f}",
                    f"{accuracy:.2%}",
                    f"{exact:.2%}",
                ]
            )
    head = ["activation", "bits", "cosine, before training", "after"]
    return table([*head, "accuracy, trained with few_bit", "trained exactly"], lines)


def _initial(key: Array) -> list[Array]:
    widths = (64, 128, 128, 128, 128, 10)
    keys = jax.random.split(key, len(widths) - 1)
    he = jax.nn.initializers.he_normal()
    return [he(k, shape) for k, shape in zip(keys, itertools.pairwise(widths), strict=True)]


def _logits(function, weights, x):
    *hidden, last = weights
    for w in hidden:
        x = function(x @ w)
    return x @ last


def _loss(function, weights, data):
    x, labels = data
    logits = _logits(function, weights, x)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def _trained(function, weights, data, steps: int = 100):
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(state, _):
        weights, moments = state
        gradient = jax.grad(functools.partial(_loss, function))(weights, data)
        updates, moments = optimizer.update(gradient, moments)
        return (optax.apply_updates(weights, updates), moments), None

    return jax.lax.scan(step, (weights, optimizer.init(weights)), length=steps)[0][0]


def _cosine(function, coded, weights, data) -> float:
    gradients = [
        jnp.concatenate([g.ravel() for g in jax.grad(functools.partial(_loss, f))(weights, data)])
        for f in (function, coded)
    ]
    a, b = gradients
    return float(jnp.vdot(a, b) / jnp.linalg.norm(a) / jnp.linalg.norm(b))


def _accuracy(function, weights, data) -> float:
    x, labels = data
    return float(jnp.mean(jnp.argmax(_logits(function, weights, x), -1) == labels))


def main() -> None:
    """Rewrites the page."""
    text = PAGE.read_text()
    for write in (measured, kept, price, cosines):
        name = write.__name__
        marks = re.compile(rf"(<!-- {name} -->\n).*(<!-- end of {name} -->)", re.DOTALL)
        text = marks.sub(lambda m, write=write: m[1] + write() + m[2], text)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
