"""Writes docs/zoo.md: what reports say of each model of the zoo in each of its states.

Run it from the root: python docs/zoo.py, or with the names of some models, to see those alone.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from zoo.models import ZOO
from zoo.training import HEALTHY, diagnosis, states

HEAD = """# The zoo

Small models, written from published descriptions, some of them with a planted fault. The table
compares what an expert would expect with what `jaxact.diagnostics` reports. A healthy model must
get no advice. `python docs/zoo.py` writes this page, and `pytest tests/test_zoo.py` checks the
reports against it.

| model | state | expected | gradients are | first advice |
|---|---|---|---|---|
"""
LONGEST = 110


def rows(names):
    """Yields the lines of the table."""
    for name in names:
        model = ZOO[name]
        for state, opinion, weights in states(model, training=True):
            _, gradients, advice = diagnosis(model, weights)
            told = f"{advice[0].finding} ({advice[0].sure})" if advice else "none"
            told = told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"
            expected = "nothing" if opinion is HEALTHY else opinion.finding or "nothing"
            line = f"| {' | '.join([name, state, expected, gradients.verdict, told])} |"
            print(line, flush=True)
            yield line


def main() -> None:
    """Writes the page."""
    lines = list(rows(sys.argv[1:] or ZOO))
    if sys.argv[1:]:
        return
    sources = [f"- {name}: {model.source}" for name, model in ZOO.items()]
    text = HEAD + "\n".join(lines) + "\n\nWritten after:\n\n" + "\n".join(sources) + "\n"
    (ROOT / "docs" / "zoo.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
