"""Pages do what they say: their programs run as written, and what they quote was measured.

Blocks of Python run in order, in one namespace a page: `python` as it stands, `pycon` with the
answers that are printed there. A page that needs another package says so in a comment,
`<!-- needs: equinox -->`, and runs with `-m special` where that is installed.
"""

import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import jax
import printed
import pytest

DOCS = Path(__file__).parents[1] / "docs"
CHINESE = sorted((DOCS / "zh").glob("*.md"))
ROOMS = "start", "tutorial", "how_to", "explanation"
ENGLISH = [page for room in ROOMS for page in (DOCS / room).glob("*.md")]
PAGES = [DOCS.parent / "README.md", DOCS / "index.md", *sorted(ENGLISH)]
WRITTEN = [*PAGES, *CHINESE, DOCS / "scope.md"]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]\d+)?%?")


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """The blocks of some languages, each after as many empty lines as there are before it."""
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        if block[1] in languages:
            yield block[1], "\n" * text.count("\n", 0, block.start(2)) + block[2]


def run(page: Path) -> None:
    """Runs the programs of a page.

    Raises:
        AssertionError: if an answer is another than the page's.
    """
    namespace = {"__name__": page.stem}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    for language, program in blocks(page, "python", "pycon"):
        if language == "python":
            exec(compile(program, str(page), "exec"), namespace)
            continue
        test = doctest.DocTestParser().get_doctest(program, namespace, page.name, str(page), 0)
        printed.check([test], flags)
        namespace.update(test.globs)


def params(pages: list[Path]) -> list:
    """Pages as parameters; those that need another package bear the mark and its name."""
    parameters = []
    for page in pages:
        if any(blocks(page, "python", "pycon")):
            found = re.search(r"<!-- needs: (\w+) -->", page.read_text(encoding="utf-8"))
            theirs = pytest.mark.filterwarnings("ignore")  # others' warnings are not ours
            marks = [pytest.mark.special(needs=found[1]), theirs] if found else []
            name = f"{page.parent.name}/{page.stem}"
            parameters.append(pytest.param(page, found and found[1], marks=marks, id=name))
    return parameters


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(("page", "package"), params(PAGES))
def test_the_programs_of_a_page_run_as_written(page, package):
    if package:
        importlib.import_module(package)  # fails, rather than be left out, where it is missing
    with jax.numpy_rank_promotion("allow"):  # as users run them
        run(page)


def without_comments(program: str) -> str:
    """A program by itself: comments are in the language of the page."""
    return re.sub(r" *# .*$", "", program.strip(), flags=re.MULTILINE)


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.stem)
def test_a_chinese_page_has_the_programs_of_its_english_one(page):
    original = DOCS / "tutorial" / page.name
    languages = ("python", "pycon", "bash")
    for ours, theirs in zip(blocks(page, *languages), blocks(original, *languages), strict=True):
        assert without_comments(ours[1]) == without_comments(theirs[1])


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_links_lead_somewhere(page):
    for target in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def quotations(page: Path, mark: str) -> list[str]:
    return re.findall(rf"^> {mark}(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_what_the_tutorial_quotes_was_measured():
    measured = (DOCS / "signal_health.md").read_text(encoding="utf-8")
    found = [q.strip() for page in ENGLISH for q in quotations(page, "Measured:")]
    assert len(found) > 10
    for quotation in found:
        assert quotation in measured, quotation


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.stem)
def test_a_chinese_page_quotes_the_same_numbers(page):
    ours = [NUMBER.findall(q) for q in quotations(page, "实测")]
    theirs = [NUMBER.findall(q) for q in quotations(DOCS / "tutorial" / page.name, "Measured:")]
    assert [sorted(numbers) for numbers in ours] == [sorted(numbers) for numbers in theirs]


def test_a_page_that_is_wrong_is_found_out(tmp_path):
    page = tmp_path / "page.md"
    for wrong in ("```pycon\n>>> 1 + 1\n3\n```\n", "```python\nassert 1 + 1 == 3\n```\n"):
        page.write_text(wrong)
        with pytest.raises(AssertionError):
            run(page)
