"""A progress bar for long data."""

import sys

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Batches done, of how many, and the time left.

    Args:
        title: what is done.
        total: the number of batches, if it is known.
        only_on_terminals: whether to stay silent elsewhere.
    """

    def __init__(self, title: str, total: int | None, *, only_on_terminals: bool):
        columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        silent = only_on_terminals and not sys.stderr.isatty()
        self._progress = Progress(*columns, disable=silent, transient=True)
        self._task = self._progress.add_task(title, total=total)
        self._progress.start()

    def at(self, number: int) -> None:
        """Shows how many batches are done."""
        self._progress.update(self._task, completed=number)

    def close(self) -> None:
        """Takes the bar away."""
        self._progress.stop()
