"""A report as one HTML file that needs no other, in light and dark, for any width."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from .._files import write
from ._reports import require_type
from .advice import advise
from .gradients import GradientReport
from .units import LayerUnits, UnitReport

_STYLE = """
:root { color-scheme: light dark; --paper: #f7f7f5; --card: #fff; --edge: #e3e3df; --ink: #1d1f23;
  --muted: #676b73; --bar: #3b6fd4; --good: #1a7f4b; --bad: #c8372d; }
@media (prefers-color-scheme: dark) { :root { --paper: #111317; --card: #1a1d23; --edge: #2b2f37;
  --ink: #e9eaed; --muted: #9aa0aa; --bar: #7aa2f7; --good: #4cc38a; --bad: #ff6b52; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 32px 20px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.02em; }
h2 { margin: 40px 0 6px; font-size: 1.25rem; }
p, li { max-width: 86ch; } p { margin: 4px 0 12px; color: var(--muted); }
.card { overflow-x: auto; background: var(--card); border: 1px solid var(--edge);
  border-radius: 10px; padding: 8px 14px; }
.healthy { color: var(--good); } .vanishing, .exploding { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 8px; text-align: right; white-space: nowrap; font-weight: 400; }
th { color: var(--muted); font-size: 0.85rem; } tbody tr { border-top: 1px solid var(--edge); }
.name { text-align: left; } .role { color: var(--muted); font-size: 0.85rem; }
.bad { color: var(--bad); font-weight: 600; }
svg { display: block; } svg .bar { fill: var(--bar); } svg text { fill: var(--muted); }
"""


def save_html(
    path: Any, units: UnitReport | None = None, gradients: GradientReport | None = None
) -> None:
    """Writes what reports on a model say into one HTML file, which needs no other.

    It replaces an earlier file at once, or not at all.

    Args:
        path: of the file.
        units: a unit report.
        gradients: a gradient report.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if there is no report.

    Example:
        >>> report = jaxact.diagnostics.unit_report(jaxact.relu, jnp.ones((2, 3)))
        >>> jaxact.diagnostics.save_html("report.html", report)
    """
    for name, part, kind in (
        ("units", units, UnitReport),
        ("gradients", gradients, GradientReport),
    ):
        if part is not None:
            require_type(part, kind, "save_html", name)
    reports = [part for part in (gradients, units) if part is not None]
    if not reports:
        raise ValueError(
            "jaxact.diagnostics.save_html: there is no report: pass units or gradients"
        )
    parts = ["<h1>Signal health</h1>", *_advice(reports)]
    if gradients is not None:
        parts += _gradients(gradients)
    if units is not None:
        parts += _units(units)
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Signal health</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )
    write(path, page)


def _advice(reports: Sequence[Any]) -> Iterator[str]:
    yield "<h2>Advice</h2>"
    found = advise(*reports)
    if not found:
        yield "<p class=healthy>Nothing to mend.</p>"
        return
    lines = [
        f"<li><b>{escape(a.finding)}</b><br>{escape(a.remedy)} "
        f"<span class=role>[{a.sure}; {escape(a.evidence)}]</span></li>"
        for a in found
    ]
    yield f"<ol>{''.join(lines)}</ol>"


def _gradients(report: GradientReport) -> Iterator[str]:
    yield f"<h2>Gradients: <span class={report.verdict}>{report.verdict}</span></h2>"
    yield f"<p>{escape(report.reason)}</p>"
    signals = [(_name(s), s.role, s.total if s.ran else None) for s in report.signals]
    yield _bars("signal at", signals)
    weights = [(escape(g.layer or "the model"), "", float(g.norm)) for g in report.gradients]
    yield "<p>Gradients by the parameters of each layer</p>"
    yield _bars("layer", weights)


def _bars(title: str, rows: Sequence[tuple[str, str, float | None]]) -> str:
    """Bars whose length goes with the logarithm of the norm."""
    sizes = [math.log10(n) for _, _, n in rows if n and math.isfinite(n)]
    low, high = (min(sizes) - 0.5, max(sizes) + 0.5) if sizes else (0.0, 1.0)
    body = []
    for name, role, norm in rows:
        bar, text = "", "did not run" if norm is None else f"{norm:.3g}"
        if norm and math.isfinite(norm):
            width = 300 * (math.log10(norm) - low) / (high - low)
            bar = f'<rect class="bar" y="3" width="{width:.1f}" height="9" rx="2"/>'
        body.append(
            f"<tr><td class=name>{name} <span class=role>{role}</span></td><td>{text}</td>"
            f'<td><svg width="300" height="15" role="img" aria-label="{text}">{bar}</svg></td></tr>'
        )
    head = f"<th class=name>{title}</th><th>norm</th><th class=name>logarithmic</th>"
    return _table(head, body)


def _units(report: UnitReport) -> Iterator[str]:
    yield "<h2>Units</h2>"
    yield (
        "<p>Shares of units that pass no gradient (dead), a tenth at most (saturated), or the same "
        "for all data (linear); shares of zeros; root mean squares; kurtosis; the distribution of "
        "values, whose heights go with the square root of the share.</p>"
    )
    body = []
    for layer in report.layers:
        found = layer.summary()
        start = (
            f"<tr><td class=name>{_name(layer)} <span class=role>{layer.role}</span></td>"
            f"<td>{found['units']:,}</td>"
        )
        if not found["examples"]:
            body.append(f"{start}<td class=name colspan=7>did not run</td></tr>")
            continue
        bad = ' class="bad"' if layer.role == "unit" and found["dead"] > 0.1 else ""
        cells = [f"<td{bad}>{found['dead']:.1%}</td>"]
        cells += [f"<td>{found[k]:.1%}</td>" for k in ("saturated", "always_on", "sparsity")]
        cells += [f"<td>{found[k]:.3g}</td>" for k in ("root_mean_square", "kurtosis")]
        body.append(f"{start}{''.join(cells)}<td>{_histogram(layer)}</td></tr>")
    titles = ("units", "dead", "saturated", "linear", "zeros", "rms", "kurtosis", "values")
    head = "<th class=name>activation</th>" + "".join(f"<th>{title}</th>" for title in titles)
    yield _table(head, body)
    if report.rows:
        yield "<h2>Attention and routers</h2>"
        yield _summaries(report.rows, ("rows", "largest_logit", "entropy", "one_hot", "sink"))
    if report.choices:
        yield "<h2>Choices of the largest</h2>"
        yield _summaries(report.choices, ("rows", "entries", "unused", "largest_load", "entropy"))


def _summaries(parts: Sequence[Any], keys: Sequence[str]) -> str:
    body = []
    for part in parts:
        found = part.summary()
        cells = "".join(f"<td>{found[k]:.4g}</td>" if k in found else "<td></td>" for k in keys)
        body.append(f"<tr><td class=name>{_name(part)}</td>{cells}</tr>")
    head = "".join(f"<th>{k.replace('_', ' ')}</th>" for k in keys)
    return _table(f"<th class=name>where</th>{head}", body)


def _histogram(layer: LayerUnits) -> str:
    shares = np.sqrt(np.asarray(layer.histogram, np.float64))
    heights = 22 * shares / max(shares.max(initial=0), 1e-12)
    width = 120 / shares.size
    bars = "".join(
        f'<rect class="bar" x="{i * width:.1f}" y="{22 - h:.1f}" width="{width:.2f}" '
        f'height="{h:.1f}"/>'
        for i, h in enumerate(heights)
        if h > 0
    )
    low, high = (f"{bound:g}" for bound in layer.bounds)
    return (
        f'<svg width="120" height="34" role="img" aria-label="values from {low} to {high}">{bars}'
        f'<text x="0" y="33" font-size="9">{low}</text>'
        f'<text x="120" y="33" font-size="9" text-anchor="end">{high}</text></svg>'
    )


def _table(head: str, body: Sequence[str]) -> str:
    rows = "".join(body)
    return (
        f"<div class=card><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _name(part: Any) -> str:
    return escape(f"{part.layer} {part.activation}" if part.layer else part.activation)
