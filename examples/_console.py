"""What is seen in the terminal: a bar per activation while they learn, a table in the end."""

import textwrap

from _results import COLUMNS, Result, at_best_rates, percent, shortfall
from _training import Epoch
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table


class Bars(Progress):
    """One progress bar per activation, with loss, accuracy and the time left."""

    def __init__(self, console: Console, activations: list[str]):
        width = max(map(len, activations))
        super().__init__(
            TextColumn(f"{{task.description:{width}}}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )

    def begin(self, activation: str, epochs: int) -> TaskID:
        """Adds the bar of an activation."""
        return self.add_task(activation, total=epochs, state="compiling")

    def after(self, task: TaskID, epoch: Epoch) -> None:
        """Moves a bar on by an epoch."""
        state = f"loss {epoch.loss.mean():.4f}  accuracy {percent(epoch.accuracy.mean()):>7}"
        self.update(task, advance=1, state=state)


def print_all(console: Console, results: list[Result]) -> None:
    """Prints the results at the best learning rates, and the accuracy at all if there are more."""
    best = at_best_rates(results)
    print_results(console, best)
    if len(results) > len(best):
        print_rates(console, results)


def print_results(console: Console, results: list[Result]) -> None:
    """Prints the table, some 80 columns wide, and why some fell short of the target."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, pad_edge=False)
    for index, column in enumerate(COLUMNS):
        title = textwrap.fill(column.title, 8, break_long_words=False)
        table.add_column(title, justify="right" if index else "left", no_wrap=True)
    for result in results:
        table.add_row(*(column.cell(result) for column in COLUMNS))
    _print_whole(console, table)
    for result in results:
        if reason := shortfall(result):
            console.print(f"{result.activation}: {reason}.", highlight=False)


def print_rates(console: Console, results: list[Result]) -> None:
    """Prints the accuracy at every learning rate."""
    rates = sorted({result.rate for result in results})
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("learning rate")
    for rate in rates:
        table.add_column(f"{rate:g}", justify="right")
    best = {(result.activation, result.rate) for result in at_best_rates(results)}
    cells = {(r.activation, r.rate): percent(r.accuracy.mean()) for r in results}
    for name in dict.fromkeys(result.activation for result in results):
        places = [(name, rate) for rate in rates]
        table.add_row(name, *(cells[p] + (" *" if p in best else "  ") for p in places))
    console.print("Test accuracy; * where the training loss ended lowest, as above.")
    _print_whole(console, table)


def _print_whole(console: Console, table: Table) -> None:
    """Prints a table; a terminal that is too narrow wraps its lines, and cuts nothing off."""
    needed = Measurement.get(console, console.options.update(width=1000), table).maximum
    given, console.width = console.width, max(console.width, needed)
    console.print("", table, "")
    console.width = given
