"""The commands of `python -m benchmarks`."""

import argparse
import sys
from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from examples._command import Ending, new_file
from jaxact import CATALOG

from . import (
    cases,
    clock,
    compare,
    environment,
    goals,
    instructions,
    libraries,
    machine,
    memory,
    monitoring,
    options,
    overhead,
    plot,
    speed,
    tables,
)
from .layers import LAYERS
from .modes import MODES
from .networks import CHAINS, COMPANY, FOR_ALL, NETWORKS, RECIPES
from .results import Results
from .targets import TARGETS, MissingCompiler

QUICK_SECONDS = 24.0
FULL_SECONDS = 240.0
WIDTH = 140  # of tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code, 1 for a regression."""
    parser = _parser()
    given = parser.parse_args(arguments)
    with Ending(parser.prog) as given.ending:
        try:
            given.ending.code = given.run(given) or given.ending.code
        except (compare.IncomparableResults, MissingCompiler, plot.NothingToDraw) as error:
            parser.error(str(error))
    return given.ending.code


# --- Commands ----------------------------------------------------------------------------------


def _speed(given: argparse.Namespace) -> None:
    device = given.device or jax.devices()[0]
    chosen = _chosen_cases(given, device.platform)
    seconds = given.seconds or (QUICK_SECONDS if given.quick else FULL_SECONDS)
    with jax.default_device(device):
        taking_part = libraries.installed(device.platform, given.peers)
        roof = machine.roof(device.platform, clock.STANDARD)
        precision = replace(clock.STANDARD, spread=given.spread)
        batches = speed.measure_all(chosen, taking_part, roof, seconds=seconds, precision=precision)
        rows = _collect(batches, [case.function for case in chosen], given)
    described = {**environment.describe(device), "roof": roof._asdict()}
    _report(Results("speed", described, rows), tables.speed_tables, given)


def _chosen_cases(given: argparse.Namespace, platform: str) -> list[cases.Case]:
    """The typical cases, and in every combination what is named instead."""
    named = {"modes": given.modes, "dtypes": given.dtypes}
    if given.quick:
        named = {axis: value or cases.QUICK[axis] for axis, value in named.items()}
    names = given.functions or [*CATALOG, *(() if given.quick else LAYERS)]
    modules = [name for name in names if name in LAYERS]
    activations = [name for name in names if name not in LAYERS]
    sizes = options.elements(given.sizes or ["typical"], machine.sizes(platform))

    def product(names: list[str], layout: str, **typical: Any) -> list[cases.Case]:
        layouts = given.layouts or [layout]
        chosen = {**typical, **{axis: value for axis, value in named.items() if value}}
        shapes = [s for size in sizes for s in options.shapes(size, layouts)]
        return cases.product(names, shapes=shapes, all_settings=given.all_settings, **chosen)

    return product(activations, "channels") + product(modules, "nhwc", **cases.TYPICAL_OF_MODULES)


def _memory(given: argparse.Namespace) -> None:
    if given.adopt:
        from . import adoption  # whose models are arrays, on whatever devices JAX finds

        print(adoption.table(list(adoption.measure_all(given.target))))
        return
    typical = memory.Scale.typical(given.target)
    named = {field: getattr(given, field) for field in typical._fields}
    scale = typical._replace(**{field: value for field, value in named.items() if value})
    networks = given.networks or list(CHAINS)
    if networks == list(COMPANY):  # all
        networks = list(TARGETS[given.target].networks or COMPANY)
    batches = memory.measure_all(
        given.functions, scale, networks, given.recipes, all_settings=given.all_settings
    )
    device = TARGETS[given.target].device()
    rows = _collect(batches, given.functions or CATALOG, given)
    results = Results("memory", environment.describe(device), rows)
    _report(results, tables.memory_tables, given)


def _instructions(given: argparse.Namespace) -> None:
    device = TARGETS[instructions.TARGET].device()  # before anything makes JAX look for devices
    what = given.functions, given.modes, given.dtypes
    names = [case.function for case in instructions.cases_of(*what)]
    rows = _collect(instructions.measure_all(*what), names, given)
    results = Results("instructions", environment.describe(device), rows)
    _report(results, tables.instruction_tables, given)


def _overhead(given: argparse.Namespace) -> None:
    batches = overhead.measure_all(given.functions, given.steps)
    rows = _collect(batches, ["import", *given.functions], given)
    results = Results("overhead", environment.describe(jax.devices()[0]), rows)
    _report(results, lambda rows: [overhead.table(rows)], given)


def _compare(given: argparse.Namespace) -> int:
    metric = compare.metric_of(given.before, given.after, given.metric)
    changes = compare.changes(given.before, given.after, metric)
    regressions = sum(change.is_regression(given.threshold) for change in changes)
    _console().print(
        tables.comparison_table(changes, metric, given.threshold),
        f"{regressions} of {len(changes)} cases cost over {given.threshold:.0%} more than before",
    )
    return 1 if regressions else 0


def _goals(given: argparse.Namespace) -> int:
    found = goals.goals(given.results.rows)
    _console().print(tables.goal_table(found), environment.headline(given.results.environment))
    return 0 if all(goal.is_met for goal in found) else 1


def _monitor(given: argparse.Namespace) -> None:
    found = monitoring.measure(given.activation, given.epochs, given.seeds)
    _console().print(
        f"{found.plain:.3g} ms per step, {found.watched:.3g} with the monitor: "
        f"{found.ratio - 1:+.1%} (median of {given.epochs} epochs, in turn)",
        environment.headline(environment.describe(jax.devices()[0])),
        highlight=False,
    )


def _plot(given: argparse.Namespace) -> None:
    given.ending.save(given.output, plot.drawn(given.results, given.output.suffix, given.kind))


def _collect(
    batches: Iterable[list[Any]], names: Collection[str], given: argparse.Namespace
) -> list[Any]:
    """All rows, behind a progress bar; what ends it early is kept for `_report` to raise."""
    rows: list[Any] = []
    columns = (
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(names))
        results = iter(batches)
        try:
            for name in names:
                progress.update(task, description=name)
                rows += next(results)
                progress.advance(task)
        except (KeyboardInterrupt, Exception) as error:
            given.ended_by = error
    return rows


def _report(
    results: Results,
    tables_of: Callable[[list[Any]], Iterable[Any]],
    given: argparse.Namespace,
) -> None:
    """Writes and prints what was finished, then raises what ended it early."""
    if given.output:
        given.ending.save(given.output, results.text())
    found = (*tables_of(results.rows), environment.headline(results.environment))
    _console().print(*found, highlight=False)
    if given.ended_by:
        raise given.ended_by


def _console() -> Console:
    """Where tables go; a terminal that is too narrow wraps their lines, and cuts nothing off."""
    console = Console(file=sys.stdout, markup=False)
    console.width = max(console.width, WIDTH)
    return console


# --- Their options -----------------------------------------------------------------------------


def _parser() -> options.Parser:
    parser = options.Parser(
        prog="python -m benchmarks",
        description="Speed and memory of jaxact, beside the libraries one would use instead.",
    )
    parser.set_defaults(run=lambda _: parser.print_help(), ended_by=None)
    parser.add_argument(
        "--declare",
        type=options.module,
        metavar="MODULE",
        help="a module that declares activations, imported first",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_speed(commands)
    _add_memory(commands)
    _add_instructions(commands)
    _add_overhead(commands)
    _add_monitor(commands)
    _add_compare(commands)
    _add_goals(commands)
    _add_plot(commands)
    return parser


def _add_speed(commands: Any) -> None:
    parser = commands.add_parser(
        "speed",
        help="how fast every activation and module is",
        description="Time per element, in copies of the arrays, and as a fraction of the machine's "
        "copy bandwidth, beside other libraries. Without options, every activation of the "
        f"catalogue in {' and '.join(cases.TYPICAL_MODES)}, {' and '.join(cases.TYPICAL_DTYPES)}, "
        "and every module once. Each option widens that, in every combination of what is named; "
        "'all' names all.",
        epilog=_described(
            {
                "modes": {name: mode.meaning for name, mode in MODES.items()},
                "layouts, of one row": {
                    name: " x ".join(map(str, row)) for name, row in cases.LAYOUTS.items()
                },
                "sizes, in elements of float32 on a CPU": {
                    name: f"{elements:,}" for name, elements in machine.sizes("cpu").items()
                },
            }
        ),
    )
    parser.set_defaults(run=_speed)
    add = parser.add_argument
    add("--quick", action="store_true", help="activations in float32 only, in half a minute")
    names = ChainMap[str, Any](LAYERS, CATALOG)  # and what is declared later
    _add_functions(parser, names, default=None)
    _add_names(parser, "--modes", MODES)
    _add_names(parser, "--dtypes", cases.DTYPES)
    add(
        "--sizes",
        type=options.comma_separated(options.size, every=machine.sizes("cpu")),
        help="names as below, numbers of elements such as 2^20, or shapes such as 32x28x28x64",
    )
    _add_names(parser, "--layouts", cases.LAYOUTS)
    add(
        "--all-settings",
        action="store_true",
        help="all parameters that the catalogue has samples of",
    )
    add(
        "--peers",
        type=options.comma_separated(options.one_of(libraries.PEERS), every=libraries.PEERS),
        help=f"of {', '.join(libraries.PEERS)}; what is installed but for "
        f"{' and '.join(libraries.SLOW)} unless given",
    )
    add("--device", type=options.device, help="cpu, gpu or tpu; JAX's own unless given")
    add(
        "--spread",
        type=options.positive,
        default=clock.STANDARD.spread,
        help="how closely the fastest samples are to agree: %(default)g",
    )
    add(
        "--seconds",
        type=options.positive,
        help=f"time for everything; {FULL_SECONDS:g} unless given, {QUICK_SECONDS:g} if quick",
    )
    _add_output(parser)


def _described(sections: Mapping[str, Mapping[str, str]]) -> str:
    """Names and what they stand for."""
    lines = []
    for title, meanings in sections.items():
        lines += [
            f"{title}:",
            *(f"  {name:12} {meaning}" for name, meaning in meanings.items()),
            "",
        ]
    return "\n".join(lines)


def _add_memory(commands: Any) -> None:
    parser = commands.add_parser(
        "memory",
        help="how much memory a training step needs",
        description="Temporaries of compiled training steps, in units of one activation array, and "
        "bytes per element that a function keeps for the backward pass. Compiles, runs nothing.",
    )
    parser.set_defaults(run=_memory)
    add = parser.add_argument
    _add_functions(parser, default=None)
    add("--target", choices=TARGETS, default="cpu", help="what to compile for: %(default)s")
    add(
        "--adopt",
        action="store_true",
        help="what `jaxact.adopt` does to models of the zoo instead, as a table in Markdown",
    )
    add("--batch", type=options.count, help="rows of an activation array")
    add("--features", type=options.count, help="its columns")
    add("--layers", type=options.count, help="of each network")
    add(
        "--dtype", choices=memory.DTYPES, help="of all arrays; all four as is typical of the target"
    )
    add(
        "--networks",
        type=options.comma_separated(options.one_of(NETWORKS), every=COMPANY),
        help=f"of {', '.join(NETWORKS)}; comma-separated. The first {len(CHAINS)} unless given, "
        "with every activation; 'all' are the others, with those that networks have most often "
        f"(with every one: {', '.join(FOR_ALL)})",
    )
    _add_names(parser, "--recipes", RECIPES)
    add("--all-settings", action="store_true", help="not only the typical parameters")
    _add_output(parser)


def _add_instructions(commands: Any) -> None:
    parser = commands.add_parser(
        "instructions",
        help="how many instructions a GPU issues for it",
        description="Instructions per element, compiled for an H200 that need not be there, beside "
        "those that fit into the time of moving the element's bytes, and beside jax.nn's.",
    )
    parser.set_defaults(run=_instructions, modes=list(cases.TYPICAL_MODES), dtypes=["bfloat16"])
    _add_functions(parser)
    _add_names(parser, "--modes", {name: m for name, m in MODES.items() if m.compiled})
    _add_names(parser, "--dtypes", cases.DTYPES)
    _add_output(parser)


def _add_overhead(commands: Any) -> None:
    parser = commands.add_parser(
        "overhead",
        help="what a call costs before it computes anything",
        description="Time to import jaxact, to call a function on few elements, to take its "
        "gradient, and to compile a network of it, beside jax.nn.",
    )
    parser.set_defaults(run=_overhead)
    names = overhead.shared()
    parser.add_argument(
        "--functions",
        type=options.comma_separated(options.one_of(names)),
        default=",".join(names),
        help="what jax.nn has too, comma-separated; all unless given",
    )
    _add_names(parser, "--steps", overhead.STEPS)
    parser.set_defaults(steps=list(overhead.STEPS))
    _add_output(parser)


def _add_monitor(commands: Any) -> None:
    parser = commands.add_parser(
        "monitor",
        help="what jaxact.diagnostics.monitor adds to a step",
        description="Time of a training step of the main example's network, with and without the "
        "monitor around its optimizer, epoch by epoch in turn.",
    )
    parser.set_defaults(run=_monitor)
    add = parser.add_argument
    add("--activation", choices=sorted(CATALOG), default="relu", help="its name: %(default)s")
    add("--epochs", type=options.count, default=25, help="of each: %(default)s")
    add("--seeds", type=options.count, default=5, help="networks at once: %(default)s")


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="what changed between two result files",
        description="Ratios of jaxact's figures with their noise, the worst first. Exit code 1 if "
        "one has grown by more than the threshold, noise allowed for.",
    )
    parser.set_defaults(run=_compare)
    add = parser.add_argument
    add("before", type=options.results, metavar="BEFORE.json", help="what it was")
    add("after", type=options.results, metavar="AFTER.json", help="what it is")
    add("--metric", help="copies or nanoseconds, of memory temporaries; the first unless given")
    add(
        "--threshold",
        type=options.positive,
        default=0.1,
        help="growth that is a regression: %(default)s",
    )


def _add_goals(commands: Any) -> None:
    parser = commands.add_parser(
        "goals",
        help="which goals of speed a result file reaches",
        description="Exits with 1 if one is missed. What it needs: speed --modes "
        "forward,vjp,forward+vjp on a CPU, with torch installed.",
    )
    parser.set_defaults(run=_goals)
    kind = options.results_of("speed")
    parser.add_argument("results", type=kind, metavar="RESULTS.json", help="what speed wrote")


def _add_plot(commands: Any) -> None:
    parser = commands.add_parser(
        "plot",
        help="a result file as bar charts, or as a roofline",
        description="Draws a chart for each table that the command printed: bars, or for speed a "
        "roofline.",
    )
    parser.set_defaults(run=_plot)
    add = parser.add_argument
    add("results", type=options.results, metavar="RESULTS.json", help="what to draw")
    add(
        "output",
        type=new_file("results.svg", *plot.SUFFIXES),
        metavar="FILE",
        help="svg, png or html",
    )
    add("--kind", choices=plot.KINDS, default="bars", help="of chart: %(default)s")


def _add_functions(
    parser: argparse.ArgumentParser,
    names: Collection[str] = CATALOG,
    default: Collection[str] | None = CATALOG,
) -> None:
    parser.add_argument(
        "--functions",
        type=options.comma_separated(options.one_of(names)),
        default=default and list(default),
        help="names, comma-separated; all unless given",
    )


def _add_names(parser: argparse.ArgumentParser, option: str, names: Iterable[str]) -> None:
    parser.add_argument(
        option,
        type=options.comma_separated(options.one_of(tuple(names)), every=names),
        help=f"of {', '.join(names)}; comma-separated",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=new_file("results.json", ".json"),
        metavar="FILE.json",
        help="results to keep; or folder/",
    )
