"""Trains one convolutional network per activation on handwritten digits, and compares them.

Prints a table and writes a report with curves. `--help` lists the options.
"""

import sys
from collections.abc import Sequence

import jax
from _console import Bars, print_results
from _interruption import Interruption
from _network import Network
from _options import Options, parse
from _report import write_report
from _results import Result
from _training import Ensemble, optimizer
from _units import by_layer
from rich.console import Console

INTERRUPTED = 130  # exit code, by convention 128 + SIGINT


def compare(options: Options, results: list[Result], console: Console) -> None:
    """Trains the networks of each activation, and adds what came of them to `results`."""
    bars, interruption = Bars(console, options.activations), Interruption()
    with bars, interruption, jax.default_device(options.device):
        for activation in options.activations:
            results.append(try_out(activation, options, bars, interruption))


def try_out(activation: str, options: Options, bars: Bars, interruption: Interruption) -> Result:
    """Trains the networks of one activation, all seeds together, and inspects their units."""
    task = bars.begin(activation, options.epochs)
    data = options.data
    ensemble = Ensemble(
        lambda rngs: Network(
            data.training.images.shape[1:],
            data.num_classes,
            depth=options.depth,
            activation=activation,
            normalization=options.normalization,
            rngs=rngs,
        ),
        optimizer(options.learning_rate, options.clip_norm),
        data,
        options.seeds,
    )
    epochs = []
    for epoch in ensemble.train(options.epochs):
        bars.after(task, epoch)
        epochs.append(epoch)
        interruption.check()
    layers = by_layer(ensemble.units(data.training.images))
    return Result(activation, epochs, layers, ensemble.num_parameters)


def main(arguments: Sequence[str]) -> int:
    """Runs the comparison and returns the exit code."""
    options = parse(arguments)
    console = Console()
    results: list[Result] = []
    exit_code = 0
    try:
        compare(options, results, console)
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
        console.print(f"Interrupted; {len(results)} of {len(options.activations)} were finished.")
    if results:
        print_results(console, results)
        write_report(options, results)
        console.print(f"Report: {options.output}", markup=False, highlight=False, soft_wrap=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
