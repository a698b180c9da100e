"""The site: it builds without a warning, needs no other host, and is light.

The build itself refuses formulas that are not what the library computes.
"""

import functools
import gzip
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

import jaxact
from jaxact import CATALOG

DOCS = Path(__file__).parents[1] / "docs"
HEAVIEST = 10**6  # bytes of a page; half of it, compressed, with all that the page loads
FETCHED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site as the one command builds it."""
    return built(tmp_path_factory.mktemp("site"))


def built(folder):
    """Builds the site into a folder, and returns that."""
    command = [sys.executable, str(DOCS / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """What a page fetches, where it links to, and the places in it that have a name."""

    def __init__(self, path: Path):
        super().__init__()
        self.fetched, self.links, self.names = [], [], set()
        self.language, self.headings, self.unspoken = None, [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names.add(given.get("id"))
        if tag == "html":
            self.language = given.get("lang")
        if tag == "article":
            self.headings = []  # what the theme has before it is for print
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" and not given.get("alt"):
            self.unspoken.append(given.get("src"))
        if tag in FETCHED and given.get(FETCHED[tag]) and given.get("rel") not in ("next", "prev"):
            self.fetched.append(given[FETCHED[tag]])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


pytestmark = pytest.mark.xdist_group("site")


def pages(site):
    """All pages, by their paths."""
    found = sorted(site.rglob("*.html"))
    return {path: Page(path) for path in found if "_static" not in path.parts}


def test_nothing_is_fetched_from_another_host(site):
    for path, page in pages(site).items():
        assert not [u for u in page.fetched if urlsplit(u).netloc], path
    for path in site.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//|@import[^;]*//", path.read_text()), path


def test_every_link_leads_somewhere(site):
    found = pages(site)
    for path, page in found.items():
        for link in (*page.links, *page.fetched):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert target.exists(), f"{path}: {link}"
            if url.fragment and target in found and target.stem != "compare":
                assert unquote(url.fragment) in found[target].names, f"{path}: {link}"


def test_every_page_says_its_language_its_pictures_and_its_headings(site):
    for path, page in pages(site).items():
        if path.stem in ("genindex", "py-modindex", "search"):
            continue
        assert page.language == ("zh-Hans" if path.parent.name == "zh" else "en"), path
        assert not page.unspoken, path
        assert page.headings.count(1) == 1, path
        steps = np.diff(page.headings)
        assert max(steps, default=0) <= 1, f"{path}: a heading skips a level"


def test_a_chapter_leads_to_its_other_language(site):
    for room, other in (("tutorial", "zh"), ("zh", "tutorial")):
        for path in (site / room).glob("*.html"):
            assert f"../{other}/{path.name}" in Page(path).links, path


def test_papers_are_linked(site):
    outward = {link for page in pages(site).values() for link in page.links if "://" in link}
    assert all(link.startswith("https://") for link in outward)
    papers = [link for link in outward if link.startswith("https://arxiv.org/")]
    assert len(papers) > 50
    assert all(re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", link) for link in papers)


def test_a_page_weighs_less_than_a_megabyte(site):
    """With all that it loads, as a server sends it."""
    sent = functools.cache(lambda file: len(gzip.compress(file.read_bytes(), 6)))
    for path, page in pages(site).items():
        loaded = {(path.parent / urlsplit(url).path).resolve() for url in page.fetched}
        assert path.stat().st_size < HEAVIEST, path
        assert sum(map(sent, {path, *filter(Path.is_file, loaded)})) < HEAVIEST / 2, path


def test_every_activation_has_a_card_and_a_page(site):
    cards = Page(site / "activations" / "index.html").links
    for name, entry in CATALOG.items():
        if entry.function.__module__.startswith("jaxact."):
            assert f"{name}.html" in cards
            assert "curves" in (site / "activations" / f"{name}.html").read_text()


def test_what_to_cite_is_this_version():
    text = (DOCS.parent / "CITATION.cff").read_text()
    assert f"\nversion: {jaxact.__version__}\n" in text
    assert text.startswith("cff-version: 1.2.0\n")


def test_a_formula_that_is_not_the_librarys_is_refused(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    from _site.curves import derivatives, of_one_array
    from _site.formulas import formulas
    from _site.pages import require_agreement

    silu, mish = CATALOG["silu"], CATALOG["mish"]
    curves = derivatives(of_one_array(silu, {}))
    require_agreement(silu, {}, formulas(silu, {}), curves)
    with pytest.raises(ValueError, match="the value of its formula is not the library's"):
        require_agreement(silu, {}, formulas(mish, {}), curves)


def test_derivatives_of_trees_are_those_of_the_calculus(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    from _site.expressions import Tree, derivative, evaluate
    from _site.formulas import X

    m, h = Tree(), 1e-5
    for tree in (m.atan(X) * m.cosh(X), m.cos(X) / m.erf(1 + X), m.minimum(X, m.log(3 + X**2))):
        for x in np.linspace(-0.7, 1.7, 7):
            steps = [evaluate(tree, {"x": x + d}) for d in (h, -h)]
            slope = evaluate(derivative(tree, X), {"x": x})
            assert slope == pytest.approx((steps[0] - steps[1]) / (2 * h), rel=1e-7, abs=1e-9)
