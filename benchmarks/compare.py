"""Two results side by side: what changed, and whether it is more than noise."""

import math
from dataclasses import dataclass
from typing import Any

from .results import ROWS, Results

OURS = "jaxact"


@dataclass(frozen=True)
class Change:
    """One case, before and after.

    Attributes:
        case: what was measured.
        before: its cost then.
        after: its cost now.
        noise: how far the ratio can be trusted: the noise of both, relative.
    """

    case: tuple[str, ...]
    before: float
    after: float
    noise: float

    @property
    def ratio(self) -> float:
        """Cost now over cost then; above 1 is worse."""
        if self.before == self.after:
            return 1.0
        return self.after / self.before if self.before else math.inf

    def is_regression(self, threshold: float) -> bool:
        """Whether the cost has grown by more than `threshold`, noise allowed for."""
        return self.ratio > (1 + threshold) * (1 + self.noise)


class IncomparableResults(ValueError):
    """Results that have nothing in common."""


def metric_of(before: Results, after: Results, wanted: str | None = None) -> str:
    """The figure to compare by: the one that is wanted, or the first that the rows offer.

    Raises:
        IncomparableResults: if the results are of different commands or have no such figure.
    """
    if before.command != after.command:
        raise IncomparableResults(
            f"{before.command!r} and {after.command!r} results cannot be compared: "
            "give two files of the same command"
        )
    offered = ROWS[before.command].METRICS
    if wanted and wanted not in offered:
        raise IncomparableResults(
            f"{before.command!r} results have no metric {wanted!r}: choose {' or '.join(offered)}"
        )
    return wanted or offered[0]


def changes(before: Results, after: Results, metric: str) -> list[Change]:
    """What jaxact's figures did in the cases that both results have, the worst first.

    Raises:
        IncomparableResults: if there is no such case.
    """
    then, now = (_by_case(results) for results in (before, after))
    if not then.keys() & now.keys():
        raise IncomparableResults("the two files have no case in common")
    found = [
        Change(
            case,
            getattr(then[case], metric),
            getattr(now[case], metric),
            then[case].noise + now[case].noise,
        )
        for case in then.keys() & now.keys()
    ]
    return sorted(found, key=lambda change: (-change.ratio, change.case))


def _by_case(results: Results) -> dict[tuple[str, ...], Any]:
    return {row.case: row for row in results.rows if row.library == OURS}
