"""Trains one convolutional network per activation on handwritten digits, and compares them.

Prints a table and writes a report with curves. `--help` lists the options. With several learning
rates, `--learning-rate 0.01,0.03,0.1`, all of them and all seeds of an activation are one program,
spread over all devices that JAX finds; an activation is judged at the learning rate at which its
training loss ends lowest.
"""

import sys
from collections.abc import Sequence
from functools import partial

import jax
from _console import Bars, print_rates, print_results
from _interruption import Interruption
from _network import Network
from _options import Options, parse
from _report import write_report
from _results import Result, at_best_rates
from _training import Ensemble, optimizer
from _units import by_layer
from rich.console import Console

INTERRUPTED = 130  # exit code, by convention 128 + SIGINT


def compare(options: Options, results: list[Result], console: Console) -> None:
    """Trains the networks of each activation, and adds what came of them to `results`."""
    bars, interruption = Bars(console, options.activations), Interruption()
    own = [device for device in options.devices if device.process_index == jax.process_index()]
    with bars, interruption, jax.default_device(own[0]):
        for activation in options.activations:
            results += try_out(activation, options, bars, interruption)


def try_out(
    activation: str, options: Options, bars: Bars, interruption: Interruption
) -> list[Result]:
    """Trains the networks of one activation, all together; a result for each learning rate."""
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
        partial(optimizer, clip_norm=options.clip_norm),
        data,
        options.learning_rates,
        options.seeds,
        options.devices,
    )
    epochs = []
    for epoch in ensemble.train(options.epochs):
        bars.after(task, epoch)
        epochs.append(epoch)
        interruption.check()
    units = ensemble.units(data.training.images)
    results = []
    for index, rate in enumerate(options.learning_rates):
        of_rate = slice(index * options.seeds, (index + 1) * options.seeds)
        results.append(
            Result(
                activation,
                rate,
                [epoch.of(of_rate) for epoch in epochs],
                by_layer(jax.tree.map(lambda a, own=of_rate: a[own], units)),
                ensemble.num_parameters,
                ensemble.networks_per_second,
            )
        )
    return results


def main(arguments: Sequence[str]) -> int:
    """Runs the comparison and returns the exit code."""
    options = parse(arguments)
    first = jax.process_index() == 0  # of the processes of a cluster, which all do the same
    console = Console(quiet=not first)
    results: list[Result] = []
    exit_code = 0
    try:
        compare(options, results, console)
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
        finished = len(results) // len(options.learning_rates)
        console.print(f"Interrupted; {finished} of {len(options.activations)} were finished.")
    if results and first:
        best = at_best_rates(results)
        print_results(console, best)
        if len(results) > len(best):
            print_rates(console, results)
        write_report(options, results)
        console.print(f"Report: {options.output}", markup=False, highlight=False, soft_wrap=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
