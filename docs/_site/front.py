"""The numbers of the front page, from the committed results."""

import math
import statistics
from collections.abc import Iterable

from jaxact import CATALOG

from . import results

ROUNDED = 0.501  # in ULP: as good as correctly rounded


def numbers() -> str:
    """What jaxact gives over jax.nn, as a row of figures with what they mean."""
    wrong = {name: _wrong(name) for name in ("jaxact", "jax.nn")}
    rows = {name: _sixteen_bits(name) for name in ("jaxact", "jax.nn")}
    twelve = _temporaries("gelu", "h200")
    kept = _kept("gelu")
    figures = [
        (
            f"{len(CATALOG)}",
            "activations, each with its definition, its page, and laws that test it",
        ),
        (
            _share(rows["jaxact"]),
            f"of values, slopes and curvatures in 16 bits within {ROUNDED} ULP at every input; "
            f"{_share(rows['jax.nn'])} in jax.nn",
        ),
        (
            f"{wrong['jaxact']}",
            "of them infinite or NaN where the truth is a number; "
            f"{wrong['jax.nn']} of {len(rows['jax.nn'])} in jax.nn",
        ),
        (
            f"{kept['jaxact']:g} bytes",
            f"that backward keeps of a GELU per float32 element; {kept['jax.nn']:g} in jax.nn",
        ),
        (
            f"{twelve['jaxact']:.0f} arrays",
            "of temporaries in a training step of twelve GELU layers, bfloat16, H200; "
            f"{twelve['jax.nn']:.0f} in jax.nn",
        ),
    ]
    ratios = [_times_as_fast("vjp", dtype) for dtype in ("bfloat16", "float32")]
    if all(ratios):
        bfloat16, float32 = map(statistics.geometric_mean, ratios)
        figures.append(
            (
                f"{bfloat16:.1f} times",
                f"as fast backward as jax.nn in bfloat16, {float32:.1f} in float32, on a CPU: "
                f"geometric means over the {len(ratios[0])} functions timed that both have",
            )
        )
    cells = "".join(f"<div><b>{figure}</b><span>{text}</span></div>" for figure, text in figures)
    return f'<div class="figures">{cells}</div>\n'


def _sixteen_bits(library: str) -> list[float]:
    rows = results.accuracy_rows()
    return [float(r["ulp"]) for r in rows if r["library"] == library and "16" in r["dtype"]]


def _wrong(library: str) -> int:
    return sum(not math.isfinite(ulp) for ulp in _sixteen_bits(library))


def _share(errors: Iterable[float]) -> str:
    errors = list(errors)
    return f"{100 * sum(e <= ROUNDED for e in errors) / len(errors):.0f}\N{NO-BREAK SPACE}%"


def _kept(function: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in results.benchmark_rows("memory"):
        if (row["function"], row["dtype"], row["recipe"]) == (function, "float32", "default"):
            found.setdefault(row["library"], row["residual_bytes"])
    return found


def _temporaries(function: str, device: str) -> dict[str, float]:
    return {
        row["library"]: row["temporaries"]
        for row in reversed(results.benchmark_rows("memory"))
        if row["function"] == function
        and (row["device"], row["dtype"], row["recipe"]) == (device, "bfloat16", "default")
        and row["network"].startswith("unrolled")
    }


def _times_as_fast(mode: str, dtype: str) -> list[float]:
    """The time of jax.nn over ours, for each case that was measured of both on the CPU."""
    times: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in results.benchmark_rows("speed"):
        if (row["device"], row["mode"], row["dtype"]) == ("cpu", mode, dtype):
            case = row["function"], row["setting"], row["shape"]
            times.setdefault(case, {})[row["library"]] = row["nanoseconds"]
    return [of["jax.nn"] / of["jaxact"] for of in times.values() if {"jax.nn", "jaxact"} <= set(of)]
