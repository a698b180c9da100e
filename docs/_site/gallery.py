"""The gallery: written from the catalogue when the site is built."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from jaxact import CATALOG

from . import front, pages

ROOMS = "start/", "how_to/", "tutorial/", "explanation/", "zh/", ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the pages before Sphinx reads them, and the script after it has written."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx) -> None:
    subjects = [pages.subject(entry) for entry in CATALOG.values()]
    folder = Path(app.srcdir) / "activations"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for subject in subjects:
        (folder / f"{subject.name}.md").write_text(pages.page(subject), encoding="utf-8")
    written = [path for room in ROOMS for path in sorted(Path(app.srcdir).glob(f"{room}*.md"))]
    others = [pages.found(path, Path(app.srcdir)) for path in written if path.stem != "changelog"]
    others = [page for page in others if page.words or not page.address.endswith("index.html")]
    (folder / "index.md").write_text(pages.overview(subjects, others), encoding="utf-8")
    (folder / "compare.md").write_text(pages.COMPARE, encoding="utf-8")
    (folder / "_numbers.md").write_text(front.numbers(), encoding="utf-8")
    script = Path(app.outdir) / "_static" / "activations.js"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(pages.script(subjects), encoding="utf-8")
