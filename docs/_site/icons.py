"""The theme's icons, without the two thousand others that it ships with them: 1.5 MB a page."""

import re
from pathlib import Path

from sphinx.application import Sphinx

ICON = re.compile(r'"?([a-z0-9-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]')
USED = re.compile(r"\bfa-([a-z0-9-]+)")
SCRIPT = """\
// The icons that this site uses, of Font Awesome Free (CC BY 4.0, fontawesome.com), as masks.
document.head.appendChild(document.createElement("style")).textContent = `
.fa-solid { display: inline-block; width: 1.25em; height: 1em; background: currentColor;
  mask: var(--icon) center / contain no-repeat; vertical-align: -0.125em; }
.fa-lg { font-size: 1.25em; line-height: 0.05em; vertical-align: -0.075em; }
.fa-fw { width: 1.25em; }
%s`;
"""


def setup(app: Sphinx) -> dict[str, bool]:
    """Replaces the theme's script once all pages are there."""
    app.connect("build-finished", _keep_what_is_used)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _keep_what_is_used(app: Sphinx, exception: Exception | None) -> None:
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if exception or not script.exists():
        return
    pages = [*Path(app.outdir).rglob("*.html"), *script.parent.glob("*-theme.js")]
    used = {name for page in pages for name in USED.findall(page.read_text(encoding="utf-8"))}
    icons: dict[str, str] = {}
    for name, width, height, path in ICON.findall(script.read_text(encoding="utf-8")):
        if name in used:  # the solid style is the last of three
            icons[name] = (
                f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}'>"
                f"<path d='{path}'/></svg>"
            )
    rules = [
        f'.fa-{name} {{ --icon: url("data:image/svg+xml,{svg.replace("#", "%23")}"); }}'
        for name, svg in sorted(icons.items())
    ]
    script.write_text(SCRIPT % "\n".join(rules), encoding="utf-8")
