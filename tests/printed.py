"""Examples in docstrings and pages: they print what stands there, on whichever processor.

The last places of a float32 may differ from one processor to another, as far as the bounds that are
promised let them.
"""

import doctest
import re
from collections.abc import Iterable

WIDEST = 10.0  # ULP: no promised bound is wider
EPS = 2.0**-23
PLACES = 8  # decimals that an array is printed to at most

_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[-+]?\d+)?(?![\w.])")


class _Checker(doctest.OutputChecker):
    """Accepts numbers within the bound of the same true one, and all else verbatim."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, got, optionflags) or are_close(want, got)


def are_close(want: str, got: str) -> bool:
    """Whether two texts are the same but for the last places of their decimal fractions."""
    words = ["".join(_NUMBER.sub("#", text).split()) for text in (want, got)]
    numbers = zip(_NUMBER.findall(want), _NUMBER.findall(got), strict=False)
    return words[0] == words[1] and all(_is_close(*pair) for pair in numbers)


def _is_close(want: str, got: str) -> bool:
    a, b = float(want), float(got)
    mantissa, _, exponent = want.partition("e")
    decimals = len(mantissa.partition(".")[2])
    digit = 1.01 * 10.0 ** (int(exponent or 0) - decimals) if decimals >= PLACES else 0.0
    return abs(a - b) <= (2 * WIDEST + 1) * EPS * max(abs(a), abs(b)) + digit


def check(examples: Iterable[doctest.DocTest], flags: int = doctest.NORMALIZE_WHITESPACE) -> None:
    """Asserts that examples, of which there are some, print what stands there."""
    report: list[str] = []
    runner = doctest.DocTestRunner(_Checker(), optionflags=flags, verbose=False)
    for example in examples:
        runner.run(example, out=report.append, clear_globs=False)
    assert runner.summarize(verbose=False).attempted
    assert not report, "".join(report)
