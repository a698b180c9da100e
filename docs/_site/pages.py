"""The pages of the gallery: one for each activation, their overview, and two side by side."""

import functools
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxact
from jaxact import Entry

from . import outward, results
from .curves import ORDERS, Window, derivatives, figure, of_one_array, thumbnail, window
from .expressions import evaluate
from .formulas import Formulas, formulas
from .javascript import javascript
from .latex import abbreviations, latex, symbol
from .shape import Shape, shape

NOTHING = 2.0**-12  # in ULP: what is less, the truth is not known to
COMMON = 3  # libraries of five that have a function in common use
KINDS = {
    "elementwise": "elementwise",
    "random": "random",
    "gate": "gate of two arrays",
    "axis": "map over an axis",
}


@dataclass(frozen=True)
class Subject:
    """An activation with all that its pages show.

    Attributes:
        entry: its declaration.
        setting: its typical parameters.
        formulas: its trees, None for a map over an axis.
        curves: value, slope and curvature at points.
        window: what its figure shows.
        shape: what can be said of the curve.
    """

    entry: Entry
    setting: dict[str, Any]
    formulas: Formulas | None
    curves: Callable[..., Any]
    window: Window
    shape: Shape

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.entry.name

    @property
    def aliases(self) -> list[str]:
        """Other public names of the same function."""
        others = vars(jaxact).items()
        return [n for n, value in others if value is self.entry.function and n != self.name]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        first = (inspect.getdoc(self.entry.function) or self.name).splitlines()[0]
        return first.rstrip(".")

    @property
    def libraries(self) -> set[str]:
        """The vocabularies that have it: jax, torch, keras, onnx, hf."""
        found = {spelling.partition(":")[0] for spelling in self.entry.elsewhere}
        return found | ({"jax"} if hasattr(jax.nn, self.name) else set())

    @property
    def use(self) -> tuple:
        """What the gallery sorts by: first what most libraries and models have, then by family."""
        entry, count = self.entry, len(self.libraries)
        if count < COMMON:
            return 1, entry.family, self.name
        return 0, -count, -len(entry.users), -len(entry.elsewhere), self.name

    @functools.cached_property
    def learnable(self) -> list[str]:
        """Parameters that may be arrays, and so learned."""
        known = inspect.signature(self.entry.function).parameters.values()
        fixed = {"x", "gate", "value"} if self.entry.kind == "gate" else {"x"}
        wanted = [p for p in known if "ArrayLike" in str(p.annotation) and p.name not in fixed]
        return [p.name for p in wanted]


def subject(entry: Entry) -> Subject:
    """An activation with its typical parameters."""
    setting = dict(entry.samples[0])
    curves = derivatives(of_one_array(entry, setting))
    trees = formulas(entry, setting)
    if trees is not None:
        require_agreement(entry, setting, trees, curves)
    return Subject(
        entry,
        setting,
        trees,
        curves,
        window(curves),
        shape(entry, setting, curves),
    )


def require_agreement(
    entry: Entry, setting: Mapping[str, Any], trees: Formulas, curves: Callable[..., Any]
) -> None:
    """Formulas are shown, and drawn in the browser, only if they are what the library computes.

    Raises:
        ValueError: if they are not.
    """
    low, high = entry.domain(**setting)
    points = np.array([x for x in np.linspace(-4.93, 4.87, 29) if low < x < high])
    for order, tree, expected in zip(ORDERS, trees.orders, curves(points), strict=True):
        found = [evaluate(tree, {"x": float(x), **trees.parameters}) for x in points]
        if not np.allclose(found, expected, rtol=1e-7, atol=1e-9):
            raise ValueError(f"{entry.name}: the {order} of its formula is not the library's")


# --- One activation -------------------------------------------------------------------------------


def page(s: Subject) -> str:
    """The page of one activation."""
    parts = [
        f"# {s.name}\n\n{s.summary}.",
        _figure(s),
        _formula(s),
        _facts(s),
        _kinks(s),
        _accuracy(s),
        _costs(s),
        _elsewhere(s),
        f"## Reference\n\n```{{eval-rst}}\n.. autofunction:: jaxact.{s.name}\n```",
        '<script src="../_static/activations.js"></script>\n'
        '<script src="../_static/curves.js"></script>',
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figure(s: Subject) -> str:
    legend = "".join(f'<span class="{order}">{order}</span>' for order in ORDERS)
    note = {
        "gate": "As a function of the gate; the other array is 1.",
        "axis": "The first output, for the inputs x and 0.",
        "random": "In evaluation, without a key.",
    }.get(s.entry.kind, "")
    drawn = figure(s.name, s.curves, s.window)
    compare = f'<a href="compare.html#{s.name}">compare</a>'
    return (
        f'<div class="plot" data-activation="{s.name}">{drawn}'
        f'<div class="legend">{legend}<span class="note">{note}</span>{compare}</div>'
        '<div class="sliders"></div></div>'
    )


def _formula(s: Subject) -> str:
    if s.formulas is None:
        return ""
    shown = _sample_formulas(s)
    text = "## Formula\n\n"
    for condition, found in shown:
        if condition:
            text += f"With `{condition}`:\n\n"
        definition, slope = latex(found.definition), latex(found.orders[1])
        text += f"$$f(x) = {definition}$$\n\n$$f'(x) = {slope}$$\n\n"
        told = abbreviations(found.orders[1])
        if told:
            text += f"where ${'$, $'.join(told)}$.\n\n"
    letters = {name.partition("[")[0]: symbol(name)[0] for name in s.formulas.parameters}
    long = [
        f"${letter}$ is `{name}`"
        for name, letter in letters.items()
        if f"{name}[0]" in s.formulas.parameters
    ]
    return text + (f"Here {', '.join(long)}.\n" if long else "")


def _sample_formulas(s: Subject) -> list[tuple[str, Formulas]]:
    """One formula, or one for each choice that is no number."""
    found: dict[str, Formulas] = {}
    for sample in s.entry.samples:
        choices = {name: value for name, value in sample.items() if isinstance(value, bool)}
        label = ", ".join(f"{name}={value}" for name, value in choices.items())
        trees = formulas(s.entry, sample)
        if label not in found and trees is not None:
            found[label] = trees
    return list(found.items())


def _facts(s: Subject) -> str:
    low, high = s.entry.range(**s.setting)
    left, right = (number(limit) for limit in s.shape.limits)
    learned = ", ".join(f"<code>{name}</code>" for name in s.learnable)
    pseudo = ", ".join(f"<code>{name}</code>" for name in s.entry.pseudo)
    module = _module(s.name)
    forward, backward = s.shape.gains
    facts = {
        "range": f"{number(low)} to {number(high)}" if s.entry.kind != "axis" else "",
        "limits": f"{left} at −∞, {right} at ∞" if s.entry.kind != "axis" else "",
        "monotone": s.shape.monotone or "no",
        "smoothness": s.shape.smoothness,
        "saturates": s.shape.saturates or "no",
        "mean for normal inputs": number(s.shape.mean),
        "gain": f"{number(forward)} forward, {number(backward)} backward"
        if not math.isnan(forward)
        else "",
        "parameters that may be learned": learned,
        "modules": f"<code>jaxact.nnx.{module}</code>, <code>jaxact.linen.{module}</code>"
        if module
        else "",
        "pseudo-derivative, not that of the function": f"by {pseudo}" if pseudo else "",
        "used by": escape(", ".join(s.entry.users)),
        "family": f"{s.entry.family.replace('_', ' ')}, {KINDS[s.entry.kind]}",
        "source": outward.html(s.entry.source),
    }
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{text}</dd></div>"
        for name, text in facts.items()
        if text and text != "—"
    )
    given = ", ".join(f"{name}={value}" for name, value in s.setting.items() if value is not None)
    note = f"\n\nWith `{given}`." if given else ""
    return f'## At a glance\n\n<dl class="facts">{rows}</dl>{note}'


def _module(name: str) -> str:
    """The module of the same name, if there is one."""
    wanted = name.replace("_", "")
    return next((n for n in vars(jaxact.nnx) if n.lower() == wanted and n[0].isupper()), "")


def _kinks(s: Subject) -> str:
    rows = results.kinks(s.entry, s.setting)
    if not rows:
        return ""
    head = "| at | slope promised | jax.nn | torch |\n|--:|--:|--:|--:|\n"
    return f"## Kinks\n\n{head}" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _accuracy(s: Subject) -> str:
    found = results.accuracy(s.entry, s.setting)
    if not found:
        return ""
    libraries = [n for n in results.LIBRARIES if any(n in of for of in found.values())]
    text = (
        "## Accuracy\n\nThe worst errors of value / slope / curvature that were measured, in "
        "[ULP](../start/glossary.md#ulp). [How they were measured](../accuracy.md).\n\n"
        f"| format | {' | '.join(libraries)} |\n|---|{'--:|' * len(libraries)}\n"
    )
    for dtype in ("bfloat16", "float16", "float32", "float64"):
        cells = [_errors(found.get(dtype, {}).get(name, {})) for name in libraries]
        text += f"| {dtype} | {' | '.join(cells)} |\n"
    details = "".join(_setting(*of) for of in results.settings(s.entry).items())
    return text + (
        "\n<details><summary>Every setting, and where the worst errors are</summary>\n\n"
        f"{details}</details>\n"
    )


def _setting(label: str, cases: Mapping[tuple[str, str], Mapping[str, Mapping[str, str]]]) -> str:
    """What was measured with one setting: a row for each format and order."""
    others = [n for n in results.LIBRARIES[1:] if any(n in of for of in cases.values())]
    text = f"With `{label}`:\n\n" if label else ""
    text += f"| format | order | {' | '.join(['jaxact', 'at x =', *others])} |\n"
    text += f"|---|---|--:|--:|{'--:|' * len(others)}\n"
    for (dtype, order), of in cases.items():
        own = of["jaxact"]
        at = number(float(own["at"])) if float(own["ulp"]) >= NOTHING else ""
        cells = [_ulp(float(of[n]["ulp"])) if n in of else "" for n in others]
        text += f"| {' | '.join([dtype, order, _ulp(float(own['ulp'])), at, *cells])} |\n"
    return text + "\n"


def _errors(orders: Mapping[str, str]) -> str:
    if not orders:
        return ""
    return " / ".join(_ulp(float(orders[o])) if o in orders else "–" for o in ORDERS)


def _ulp(error: float) -> str:
    if not math.isfinite(error):
        return "∞"
    return "0" if error < NOTHING else f"{error:.3g}" if error < 1000 else f"{error:.0e}"


def _costs(s: Subject) -> str:
    kept, timed = results.residuals(s.entry), list(results.speed(s.entry))
    text = ""
    if kept:
        libraries = [n for n in results.LIBRARIES if any(n in of for of in kept.values())]
        text += "## Memory\n\nBytes that backward keeps per element of float32 "
        text += "([how](../memory.md)).\n\n"
        text += f"| recipe | {' | '.join(libraries)} |\n|---|{'--:|' * len(libraries)}\n"
        for recipe, of in kept.items():
            cells = [f"{of[n]:g}" if n in of else "" for n in libraries]
            text += f"| {recipe} | {' | '.join(cells)} |\n"
    if timed:
        libraries = list(dict.fromkeys(name for _, of in timed for name in of))
        text += "\n## Speed\n\nNanoseconds per element ([how](../speed.md)).\n\n"
        text += f"| device | mode | dtype | shape | {' | '.join(libraries)} |\n"
        text += f"|---|---|---|---|{'--:|' * len(libraries)}\n"
        for case, of in timed:
            cells = [f"{of[n]:.3g}" if n in of else "" for n in libraries]
            text += f"| {' | '.join(case)} | {' | '.join(cells)} |\n"
    return text


def _elsewhere(s: Subject) -> str:
    ours = [name for name in [s.name, *s.aliases] if hasattr(jax.nn, name)]
    names = [f"| jax.nn | {outward.peer('jax', name)} | |" for name in ours]
    for spelling, meant in s.entry.elsewhere.items():
        library, _, name = spelling.partition(":")
        given = ", ".join(f"`{key}={value!r}`" for key, value in meant.items())
        names.append(f"| {LIBRARIES[library]} | {outward.peer(library, name)} | {given} |")
    names += [f"| jaxact | `{alias}` | |" for alias in s.aliases]
    if not names:
        return ""
    text = "## Names elsewhere\n\n| library | name | means |\n|---|---|---|\n" + "\n".join(names)
    for what, library, there, here, reason in results.differences(s.entry):
        text += (
            f"\n\nWhere {LIBRARIES[library]}'s `{what}` differs: {there}; here {here}: {reason}."
        )
    return text


LIBRARIES = {
    "jax": "jax.nn",
    "torch": "torch",
    "keras": "Keras",
    "onnx": "ONNX",
    "hf": "Hugging Face",
}


def number(x: float) -> str:
    """A number to read."""
    if math.isnan(x):
        return "—"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{0.0 if abs(x) < 1e-12 else x:.4g}".replace("-", "−")


# --- All of them ----------------------------------------------------------------------------------


def overview(subjects: Iterable[Subject], others: Iterable["Found"]) -> str:
    """The gallery: a card for each, with what it can be found by; and other pages to be found."""
    subjects = sorted(subjects, key=lambda s: s.use)
    filters = {
        "kind": [(kind, text) for kind, text in KINDS.items()],
        "family": [(f, f.replace("_", " ")) for f in sorted({s.entry.family for s in subjects})],
        "smooth": [(v, v) for v in ("smooth", "slope continuous", "continuous", "jumps")],
        "monotone": [("increasing", "increasing"), ("no", "no")],
        "bounded": [(v, v) for v in ("both", "below", "above", "no")],
        "saturates": [(v, v) for v in ("both", "left", "right", "no")],
        "centred": [("yes", "yes"), ("no", "no")],
        "learned": [("yes", "has parameters to learn"), ("no", "has none")],
    }
    selects = "".join(
        f'<label>{name}<select data-filter="{name}"><option value="">any</option>'
        + "".join(f'<option value="{value}">{text}</option>' for value, text in options)
        + "</select></label>"
        for name, options in filters.items()
    )
    cards = "".join(map(_card, subjects))
    return f"""# Activations

Every function of jaxact, with its **value** in blue and its **slope** in orange, from −4 to 4.
First are those that most libraries have, then the others by family. You can also
[compare two of them](compare.md).

<div class="finder">
<input type="search" placeholder="name, property, paper, question" aria-label="Search"
autocomplete="off">
<label class="order">order <select><option value="">by use</option>
<option value="name">A to Z</option><option value="family">by family</option></select></label>
<details><summary>Filters</summary><div class="filters">{selects}</div></details>
<ul class="pages" hidden>{"".join(map(_other, others))}</ul>
<output aria-live="polite"></output>
</div>
<div class="cards">{cards}</div>
<script src="../_static/gallery.js"></script>

```{{toctree}}
:hidden:

{chr(10).join(["compare", *(s.name for s in subjects)])}
```
"""


class Found(NamedTuple):
    """A page that the gallery's search finds as well.

    Attributes:
        address: where it is, from the gallery.
        title: its heading.
        words: what it is found by besides.
    """

    address: str
    title: str
    words: str


def found(page: Path, folder: Path) -> Found:
    """What a written page is found by: its title, its headings and its keywords."""
    text = page.read_text(encoding="utf-8")
    title, *headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    keywords = re.findall(r"^ +keywords: (.+)$", text, re.MULTILINE)
    address = page.relative_to(folder).with_suffix(".html").as_posix()
    return Found(f"../{address}", title.replace("`", ""), " ".join([*keywords, *headings]))


CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def _other(page: Found) -> str:
    words = escape(f"{page.title} {page.words}".lower(), quote=True)
    lang = ' lang="zh-Hans"' if page.address.startswith("../zh/") else ""
    return f'<li data-search="{words}"{lang}><a href="{page.address}">{escape(page.title)}</a></li>'


def _card(s: Subject) -> str:
    facts = {
        "kind": s.entry.kind,
        "family": s.entry.family,
        "smooth": s.shape.smoothness,
        "monotone": s.shape.monotone or "no",
        "bounded": s.shape.bounded or "no",
        "saturates": s.shape.saturates or "no",
        "centred": "yes" if s.shape.centred else "no",
        "learned": "yes" if s.learnable else "no",
    }
    data = "".join(f' data-{name}="{value}"' for name, value in facts.items())
    calls = [name.rpartition(":")[2] for name in s.entry.elsewhere]
    names = escape(" ".join([s.name, *s.aliases, *calls]).lower(), quote=True)
    bounded = "bounded" if s.shape.bounded == "both" else ""
    told = [*s.entry.elsewhere, *s.entry.users, s.entry.source, s.summary, s.entry.family, bounded]
    words = escape(" ".join([*told, s.shape.smoothness, s.shape.monotone]).lower(), quote=True)
    return (
        f'<a class="activation" href="{s.name}.html"{data} '
        f'data-names="{names}" data-search="{names} {words}">'
        f"{thumbnail(s.curves)}<b>{s.name}</b>"
        f"<span>{escape(s.summary.replace('`', ''))}</span></a>"
    )


COMPARE = """# Compare

<div class="compare">
<div class="side"><select aria-label="first activation"></select><div class="plot"></div></div>
<div class="side"><select aria-label="second activation"></select><div class="plot"></div></div>
</div>
<div class="comparison"></div>
<script src="../_static/activations.js"></script>
<script src="../_static/curves.js"></script>
"""


# --- For the browser ------------------------------------------------------------------------------


def script(subjects: Iterable[Subject]) -> str:
    """All activations as JavaScript: their three functions, parameters and facts."""
    each = [f"{json.dumps(s.name)}:{_object(s)}" for s in sorted(subjects, key=lambda s: s.name)]
    return "const activations = {\n" + ",\n".join(each) + "\n};\n"


def _object(s: Subject) -> str:
    view = s.window
    forward, backward = s.shape.gains
    facts = {
        "range": " to ".join(map(number, s.entry.range(**s.setting))),
        "limits": " and ".join(map(number, s.shape.limits)),
        "monotone": s.shape.monotone or "no",
        "smoothness": s.shape.smoothness,
        "saturates": s.shape.saturates or "no",
        "mean for normal inputs": number(s.shape.mean),
        "gain, forward": number(forward),
        "gain, backward": number(backward),
        "float32 error in ULP, value / slope / curvature": " / ".join(
            f"{u:g}" for u in s.entry.ulps
        ),
    }
    plain = {"window": [view.reach, view.low, view.high], "facts": facts}
    trees = s.formulas.orders if s.formulas else ()
    functions = ",".join(f"(x,p)=>{javascript(tree)}" for tree in trees)
    plain["domain"] = [x if math.isfinite(x) else None for x in s.entry.domain(**s.setting)]
    plain["parameters"] = _sliders(s)
    return f'{json.dumps(plain)[:-1]}, "orders":[{functions}]}}'


def _sliders(s: Subject) -> dict[str, list[float]]:
    """For each number: the lowest and the highest that the library takes, and the typical one."""
    return {
        name: [_reach(s, name, -1.0), _reach(s, name, 1.0), value]
        for name, value in (s.formulas.parameters if s.formulas else {}).items()
    }


def _reach(s: Subject, name: str, sign: float) -> float:
    """How far a parameter may go one way: twice the largest sample, if the library takes it."""
    assert s.formulas is not None
    value = s.formulas.parameters[name]
    others = [formulas(s.entry, sample) for sample in s.entry.samples]
    largest = max(abs(o.parameters.get(name, 0.0)) for o in others if o is not None)
    far = sign * max(2 * largest, 1.0)
    for candidate in (far, far / 4, 0.0, 0.05 * abs(value)):
        if (candidate - value) * sign > 0 and _takes(s, name, candidate):
            return round(candidate, 6)
    return value


def _takes(s: Subject, name: str, value: float) -> bool:
    stem, _, index = name.rstrip("]").partition("[")
    if s.entry.kind == "gate" and stem == "value":
        return True
    changed: Any = value
    if index:
        changed = list(s.setting[stem])
        changed[int(index)] = value
        changed = tuple(changed)
    call = of_one_array(s.entry, {**s.setting, stem: changed})
    try:
        jax.eval_shape(call, jax.ShapeDtypeStruct((1,), jnp.float32))
    except ValueError:
        return False
    return True
