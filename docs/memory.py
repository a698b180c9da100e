"""Writes the tables of docs/memory.md.

python docs/memory.py             # those from benchmarks/results; the page says what makes these
python docs/memory.py --afresh    # and those of the prices, which it measures itself
"""

import argparse
import functools
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

import jaxact  # from this checkout, installed or not
from benchmarks.grouping import activation, by_network, grouped
from benchmarks.networks import CHAINS
from benchmarks.results import MemoryRow, Results
from jaxact.backward import few_bit, lean

PAGE = ROOT / "docs" / "memory.md"
TARGETS = ("cpu", "h200", "v5e")
DTYPES = ("bfloat16", "float16", "float32")
IN_A_ROW, BLOCKS, HALF, LAYERS = CHAINS


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# --- Compiled networks ---------------------------------------------------------------------------


@functools.cache
def _rows(target: str) -> list[MemoryRow]:
    return Results.read(ROOT / "benchmarks" / "results" / f"memory-{target}.json").rows


def _found(function: str, **attributes: str) -> MemoryRow | None:
    """The first row of a function with these attributes."""
    rows = (row for row in _rows(attributes["target"]) if row.function == function)
    return next((r for r in rows if all(getattr(r, k) == v for k, v in attributes.items())), None)


def _shared() -> list[str]:
    """The functions that jax.nn has too."""
    return list(dict.fromkeys(row.function for row in _rows("cpu") if row.library == "jax.nn"))


def _layers(row: MemoryRow) -> int:
    return int(row.size.split("x")[-1])


def figures() -> str:
    """What the row of layers needs, with the functions that jax.nn has too."""
    ways = [("jax.nn", "default"), *(("jaxact", r) for r in ("default", "lean", "few_bit"))]
    lines = []
    for name in _shared():
        cells = []
        for library, recipe in ways:
            rows = [
                _found(name, target=t, network=IN_A_ROW, library=library, recipe=recipe)
                for t in TARGETS
            ]
            cells.append(" / ".join(f"{r.temporaries:.1f}" if r else "-" for r in rows))
        lines.append([f"`{name}`", *(cell if "." in cell else "-" for cell in cells)])
    return table(["activation", *(f"{library}, {recipe}" for library, recipe in ways)], lines)


def company() -> str:
    """What networks need, ours beside jax.nn's, with what `lean` needs where ours is more."""
    rows = Results.read(ROOT / "benchmarks" / "results" / "memory-networks-cpu.json").rows
    names = list(grouped(rows, lambda row: row.function))
    lines = []
    for network, members in grouped(rows, lambda row: row.network).items():
        found = {(row.function, row.library, row.recipe): row.temporaries for row in members}
        cells = []
        for name in names:
            ours, theirs = (found[name, lib, "default"] for lib in ("jaxact", "jax.nn"))
            more = found.get((name, "jaxact", "lean")) if ours > 1.02 * theirs else None
            mark = "" if ours <= 1.02 * theirs else "**"
            lean_figure = "" if more is None else f" ({more:.1f})"
            cells.append(f"{mark}{ours:.1f}{mark} / {theirs:.1f}{lean_figure}")
        lines.append([network, *cells])
    return table(["network", *(f"`{name}`" for name in names)], lines)


def pieces() -> str:
    """What the row of maxout layers needs."""
    lines = []
    for k in (2, 4, 8):
        of = {"network": IN_A_ROW, "recipe": "default", "setting": f"num_pieces={k}"}
        cells = []
        for library in ("jax.numpy", "jaxact"):
            row = _found("maxout", target="cpu", library=library, **of)
            assert row is not None
            cells.append(f"{(row.temporaries + row.outputs) / _layers(row):.2f}")
        for library in ("jax.numpy", "jaxact"):
            row = _found("maxout", target="h200", library=library, **of)
            assert row is not None
            cells.append(f"{row.temporaries:.1f}")
        lines.append([str(k), *cells])
    head = ["pieces", "`jnp.max`, CPU", "`jaxact.maxout`, CPU"]
    return table([*head, "`jnp.max`, H200", "`jaxact.maxout`, H200"], lines)


def recomputing() -> str:
    """Temporaries of scanned blocks, in activation arrays a layer, with and without a policy."""
    found = []
    for target in TARGETS:
        lines = []
        for name, library in itertools.product(_shared(), ("jax.nn", "jaxact")):
            rows = [
                _found(name, target=target, network=n, library=library, recipe=r)
                for n in (BLOCKS, HALF)
                for r in ("default", "dots_saveable")
            ]
            if any(rows):
                cells = [f"{r.temporaries / _layers(r):.2f}" if r else "" for r in rows]
                lines.append([f"`{library}.{name}`", *cells])
        head = ["", "as it is", "`dots_saveable`"]
        head += ["as it is, only W2 learned", "`dots_saveable`, only W2 learned"]
        if lines:
            found.append(f"### Blocks, {target}\n\n{table(head, lines)}")
    return "\n".join(found)


def measured() -> str:
    """Temporaries of every target, network, activation and recipe."""
    networks = [by_network(_rows(target)) for target in TARGETS]
    return "\n".join(_network(*each) for found in networks for each in found.items())


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
    rows = [row for row in _rows("cpu") if row.recipe != "dots_saveable"]
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


FROM_RESULTS = (company, figures, pieces, recomputing, measured, kept)
AFRESH = (price, cosines)


def page(writers: Iterable[Callable[[], str]] = FROM_RESULTS) -> str:
    """The page with some of its tables written again."""
    text = PAGE.read_text()
    for write in writers:
        name = write.__name__
        marks = re.compile(rf"(<!-- {name} -->\n).*(<!-- end of {name} -->)", re.DOTALL)
        text = marks.sub(lambda ops, write=write: ops[1] + write() + ops[2], text)
    return text


def main() -> None:
    """Rewrites the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--afresh", action="store_true", help="measure the prices too")
    given = parser.parse_args()
    PAGE.write_text(page(FROM_RESULTS + AFRESH if given.afresh else FROM_RESULTS))


if __name__ == "__main__":
    main()
