"""Trains one convolutional network per activation on handwritten digits, and compares them.

Prints a table and writes a report with curves. `--help` lists the options. With several learning
rates, `--learning-rate 0.01,0.03,0.1`, all of them and all seeds of an activation are one program,
spread over all devices that JAX finds; an activation is judged at the learning rate at which its
training loss ends lowest. Ctrl-C ends it after an epoch, and what it gave until then is reported.
"""

import sys
from collections.abc import Sequence
from functools import partial

import jax
from _command import Ending
from _console import Bars, print_all
from _interruption import Interruption
from _network import Network
from _options import PROGRAM, Options, parse
from _report import report
from _results import Result, after
from _training import Ensemble, optimizer
from _units import by_layer
from rich.console import Console


def compare(options: Options, results: list[Result], console: Console) -> None:
    """Trains the networks of each activation, and adds what came of them to `results`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once what the epochs until then gave is among them.
    """
    bars, interruption = Bars(console, options.activations), Interruption()
    own = [device for device in options.devices if device.process_index == jax.process_index()]
    with bars, interruption, jax.default_device(own[0]):
        for activation in options.activations:
            results += try_out(activation, options, bars, interruption)
            if interruption.noted:
                raise KeyboardInterrupt(_interrupted(options, results))


def _interrupted(options: Options, results: list[Result]) -> str:
    """Returns how far it came."""
    tried, last = len(results) // len(options.learning_rates), results[-1]
    is_whole = len(last.epochs) == options.epochs
    finished = f"{tried if is_whole else tried - 1} of {len(options.activations)} were finished"
    rest = "" if is_whole else f", and {last.activation} ended {after(last, options.epochs)}"
    return f"interrupted; {finished}{rest}"


def try_out(
    activation: str, options: Options, bars: Bars, interruption: Interruption
) -> list[Result]:
    """Trains the networks of one activation, all together; a result for each learning rate.

    Ctrl-C ends it after an epoch.
    """
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
        if interruption.noted:
            break
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
    results: list[Result] = []
    with Ending(PROGRAM) as ending:
        console = Console(file=sys.stdout, quiet=not first)
        try:
            compare(options, results, console)
        finally:  # whatever ended it, what was finished is kept
            if results and first:
                saved = ending.save(options.output, report(options, results))
                print_all(console, results)
                console.print(f"Report: {saved}", markup=False, highlight=False, soft_wrap=True)
    return ending.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
