"""The benchmarks can be trusted: clock, cases, peers, files and exit codes."""

import dataclasses
import json
import math
import time
import types

import jax
import jax.numpy as jnp
import pytest

from benchmarks import (
    cases,
    clock,
    environment,
    goals,
    instructions,
    libraries,
    machine,
    memory,
    speed,
)
from benchmarks.cases import Case
from benchmarks.cli import main
from benchmarks.clock import Precision
from benchmarks.layers import LAYERS
from benchmarks.libraries import JaxLibrary, counterpart
from benchmarks.machine import Roof
from benchmarks.modes import MODES
from benchmarks.networks import CHAINS
from benchmarks.residuals import residual_bytes
from benchmarks.results import InstructionRow, MemoryRow, Results, SpeedRow
from jaxact import CATALOG, Entry

AT_ONCE = Precision(seconds=0)
PATIENT = Precision(spread=0.05, seconds=3)
ROOF = Roof(10.0, 100.0)
OURS = JaxLibrary("jaxact", lambda case: case.given)

# --- The clock ---------------------------------------------------------------------------------


def test_the_clock_measures_a_sleep_of_known_length():
    timing = clock.race({"sleep": lambda: time.sleep(0.01)}, PATIENT)["sleep"]
    assert 0.01 <= timing.minimum <= timing.median
    assert timing.minimum < 0.012


def test_the_clock_waits_for_arrays_that_are_not_ready():
    class Pending:
        def block_until_ready(self):
            time.sleep(0.01)

    timing = clock.race({"pending": lambda: [Pending()]}, PATIENT)["pending"]
    assert timing.minimum >= 0.01


def test_the_first_call_is_not_counted():
    calls = []

    def slow_at_first():
        time.sleep(0.001 if calls else 0.3)
        calls.append(1)

    timing = clock.race({"call": slow_at_first}, Precision(seconds=0.2))["call"]
    assert timing.median < 0.1


def test_tracing_and_compiling_are_timed_apart_from_running():
    def slow_to_trace(x):
        time.sleep(0.3)
        return x + 1

    build = clock.build(slow_to_trace, jnp.ones(8))
    run = clock.race({"run": lambda: build.executable(jnp.ones(8))}, PATIENT)["run"]
    assert build.lower_seconds >= 0.3 > 10 * run.minimum
    assert 0 < build.compile_seconds


def test_short_calls_are_repeated_until_a_sample_is_long_enough():
    timing = clock.race({"nothing": lambda: None}, Precision(seconds=0.1))["nothing"]
    assert timing.calls * timing.median >= 1e-4


def test_a_race_ends_once_the_fastest_samples_agree():
    timing = clock.race({"sleep": lambda: time.sleep(1e-3)}, Precision(spread=100, seconds=60))
    assert timing["sleep"].samples == clock.BEST


def test_a_race_ends_when_the_time_is_up():
    start = time.perf_counter()
    timing = clock.race({"sleep": lambda: time.sleep(1e-3)}, Precision(spread=0, seconds=0.2))
    assert time.perf_counter() - start < 2
    assert timing["sleep"].samples > clock.BEST


def test_a_copy_takes_the_time_of_a_copy():
    copy = machine.copy_of(8 << 20)
    timings = clock.race({"one": copy, "other": copy}, PATIENT)
    assert timings["one"].minimum / timings["other"].minimum == pytest.approx(1, rel=0.5)


# --- The cases ---------------------------------------------------------------------------------


def gate(x, gate=None):
    return x * jax.nn.sigmoid(gate)


GATE = Entry(
    function=gate,
    formula=lambda math, x, gate: x / (1 + math.exp(-gate)),
    source="this test",
    kind="gate",
    samples=({},),
    kinks=lambda: {},
    range=lambda: (-math.inf, math.inf),
    ulps=(0.0, 0.0, 0.0),
)


@pytest.fixture
def every_kind(monkeypatch):
    """The name of one activation of every kind."""
    monkeypatch.setitem(CATALOG, "gate", GATE)
    return {entry.kind: entry.name for entry in CATALOG.values()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["elementwise", "gate", "axis", "random"])
def test_every_kind_of_activation_is_measured_in_every_mode(every_kind, kind, mode):
    for label in cases.typical_settings(CATALOG[every_kind[kind]])[:2]:
        case = Case(every_kind[kind], label, mode, "float32", (2, 9))
        (row,) = speed.measure(case, [OURS], ROOF, AT_ONCE)
        assert row.nanoseconds > 0
        assert row.copies > 0
        assert (row.compile_milliseconds is None) == (not MODES[mode].compiled)


@pytest.mark.parametrize("mode", MODES)
def test_a_module_is_measured_in_every_mode_with_its_parameters(mode):
    case = Case("nnx.PReLU", "", mode, "float32", (2, 14, 14, 8))
    _, parameters = case.inputs()
    assert jax.tree.leaves(parameters)
    (row,) = speed.measure(case, [OURS], ROOF, AT_ONCE)
    assert row.nanoseconds > 0


@pytest.mark.parametrize("name", LAYERS)
def test_every_module_can_be_measured(name):
    (case,) = cases.product([name], **cases.TYPICAL_OF_MODULES, shapes=[(2, 14, 14, 8)])
    x, parameters = case.inputs()
    assert jax.eval_shape(case.given, x, parameters).dtype == x.dtype


def test_a_module_that_takes_only_images_is_not_given_rows():
    shapes = [cases.laid_out(1 << 14, layout) for layout in ("channels", "nhwc")]
    found = cases.product(["nnx.DynamicReLU"], **cases.TYPICAL_OF_MODULES, shapes=shapes)
    assert [case.shape for case in found] == [cases.laid_out(1 << 14, "nhwc")]


@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_a_case_runs_in_its_own_dtype(dtype):
    case = Case("sigmoid", "", "forward", dtype, (4, 8))
    (row,) = speed.measure(case, [OURS], ROOF, AT_ONCE)
    bytes_moved = row.gigabytes_per_second * row.nanoseconds
    assert bytes_moved == pytest.approx(2 * jnp.dtype(dtype).itemsize)
    assert row.bandwidth_fraction == row.gigabytes_per_second / ROOF.gigabytes_per_second


def test_everything_in_the_catalogue_is_measured_in_every_way_that_is_named():
    found = cases.product(CATALOG, modes=["hvp"], dtypes=["float16"], all_settings=True)
    assert len(set(found)) == len(found)
    assert {(c.mode, c.dtype) for c in found} == {("hvp", "float16")}
    settings = {(name, label) for name in CATALOG for label in cases.settings(CATALOG[name])}
    assert {(case.function, case.setting) for case in found} == settings


def test_settings_that_differ_in_numbers_only_are_measured_once():
    assert cases.typical_settings(CATALOG["elu"]) == ["alpha=1.0"]
    assert len(cases.typical_settings(CATALOG["gelu"])) == 2


def test_sizes_go_from_within_the_first_cache_to_ten_times_the_last():
    sizes, caches = machine.sizes("cpu"), machine.caches()
    assert 2 * 4 * sizes["L1"] < caches["L1"]
    assert 2 * 4 * sizes["memory"] == pytest.approx(10 * max(caches.values()), rel=0.01)


@pytest.mark.parametrize("layout", cases.LAYOUTS)
def test_a_layout_has_as_many_elements_as_are_wanted(layout):
    shape = cases.laid_out(1 << 20, layout)
    assert shape[1:] == cases.LAYOUTS[layout]
    assert math.prod(shape) == pytest.approx(1 << 20, rel=0.1)


def test_a_random_activation_is_measured_with_and_without_a_key():
    evaluation, training = cases.typical_settings(CATALOG["rrelu"])
    assert "key" not in cases.settings(CATALOG["rrelu"])[evaluation]
    assert "key" in cases.settings(CATALOG["rrelu"])[training]


def test_features_over_an_axis_are_whole_groups():
    (x,) = Case("maxout", "num_pieces=5", "forward", "float32", (4, 64)).inputs()
    assert x.shape == (4, 60)


# --- The peers ---------------------------------------------------------------------------------


@pytest.fixture
def library():
    """A library that calls itself keras, with the functions given."""

    def make(**functions):
        made = types.ModuleType("keras.activations")
        vars(made).update(functions)
        return made

    return make


def test_a_peer_has_the_name_that_the_catalogue_knows_and_the_same_values(library):
    assert counterpart(jax.nn, "relu", "") is not None
    assert counterpart(jax.nn, "maxout", "num_pieces=2") is None
    assert counterpart(library(linear=lambda x: x), "identity", "") is not None
    assert counterpart(library(relu=jax.nn.relu6), "relu", "") is None


def test_a_peer_may_lack_parameters_that_are_at_their_defaults(library):
    plain = library(leaky_relu=lambda x: jnp.where(x > 0, x, 0.01 * x))
    assert counterpart(plain, "leaky_relu", "negative_slope=0.01") is not None
    assert counterpart(plain, "leaky_relu", "negative_slope=0.3") is None


def test_a_peer_that_computes_in_a_dtype_of_its_own_does_not_take_part():
    wide = JaxLibrary("wide", lambda case: lambda x: x.astype(jnp.float32))
    narrow = Case("relu", "", "forward", "bfloat16", (4, 8))
    assert wide.contender(narrow, narrow.operands()) is None


def test_the_definition_itself_takes_part_if_named(every_kind):
    ours, formula = libraries.installed("cpu", ["formula"])
    for kind in ("elementwise", "gate"):
        label = cases.typical_settings(CATALOG[every_kind[kind]])[0]
        case = Case(every_kind[kind], label, "forward", "float32", (4, 8))
        rows = speed.measure(case, [ours, formula], ROOF, AT_ONCE)
        assert [row.library for row in rows] == ["jaxact", "formula"]


def test_a_module_of_flax_takes_our_parameters():
    (flax,) = libraries.installed("cpu", ["flax"])[1:]
    case = Case("nnx.PReLU", "", "vjp", "float32", (2, 14, 14, 8))
    assert flax.contender(case, case.operands()) is not None
    assert flax.contender(Case("nnx.Maxout", "", "vjp", "float32", (2, 8)), ()) is None


def test_communication_is_counted_where_there_are_devices_to_communicate():
    assert jax.device_count() > 1
    case = Case("nnx.PReLU", "", "vjp", "float32", (8, 14, 14, 8))
    (row,) = speed.measure(case, [OURS], ROOF, AT_ONCE)
    assert row.collectives > 0  # the sum of the slope's gradient
    case = Case("silu", "", "vjp", "float32", (8, 64))
    (row,) = speed.measure(case, [OURS], ROOF, AT_ONCE)
    assert row.collectives == 0


def test_residuals_are_counted_once_and_scalars_not_at_all():
    x = jnp.ones((8, 8))
    assert residual_bytes(jnp.sin, x) == 4
    assert residual_bytes(lambda x: 3 * x, x) == 0
    assert residual_bytes(lambda x, y: x * y, x, x + 1) == 8


# --- Files and their comparison ----------------------------------------------------------------

SPEED = SpeedRow(
    function="relu",
    setting="",
    mode="forward",
    dtype="float32",
    shape="4x8",
    library="jaxact",
    nanoseconds=0.5,
    median_nanoseconds=0.6,
    noise=0.05,
    gigabytes_per_second=16.0,
    copies=1.25,
    bandwidth_fraction=0.8,
    operations=1.0,
    lower_milliseconds=2.0,
    compile_milliseconds=30.0,
    temporary_bytes=0,
    residual_bytes=4.0,
    collectives=None,
)
MEMORY = MemoryRow(
    function="relu",
    setting="",
    network="unrolled layers f(x W)",
    recipe="default",
    target="cpu",
    dtype="float32",
    size="16x8x4",
    library="jaxact",
    temporaries=5.0,
    outputs=0.5,
    residual_bytes=4.0,
)

INSTRUCTIONS = InstructionRow(
    function="relu",
    setting="",
    mode="forward",
    dtype="bfloat16",
    target="h200",
    library="jaxact",
    instructions=5.0,
    special=0.0,
    kernels=1,
    budget=31.0,
)
ROWS = {"speed": SPEED, "memory": MEMORY, "instructions": INSTRUCTIONS}


@pytest.fixture
def saved(tmp_path):
    """Writes rows to a file of their own and returns its name."""

    def save(*rows):
        command = next(name for name, row in ROWS.items() if type(row) is type(rows[0]))
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        results = Results(command, environment.describe(jax.devices()[0]), list(rows))
        path.write_text(results.text())
        return str(path)

    return save


@pytest.mark.parametrize("command", ROWS)
def test_results_survive_being_written_and_read(tmp_path, command):
    row = ROWS[command]
    results = Results(command, environment.describe(jax.devices()[0]), [row, row])
    (tmp_path / "results.json").write_text(results.text())
    assert Results.read(tmp_path / "results.json") == results


def test_equal_results_compare_with_exit_code_0(saved):
    assert not main(["compare", saved(SPEED), saved(SPEED)])
    assert not main(["compare", saved(MEMORY), saved(MEMORY)])
    assert not main(["compare", saved(INSTRUCTIONS), saved(INSTRUCTIONS)])


def test_a_regression_beyond_threshold_and_noise_gives_exit_code_1(saved):
    slower = dataclasses.replace(SPEED, copies=1.5 * SPEED.copies)
    larger = dataclasses.replace(MEMORY, temporaries=1.5 * MEMORY.temporaries)
    assert main(["compare", saved(SPEED), saved(slower)]) == 1
    assert main(["compare", saved(MEMORY), saved(larger)]) == 1
    assert not main(["compare", saved(slower), saved(SPEED)])
    assert not main(["compare", saved(SPEED), saved(slower), "--threshold", "0.6"])
    assert not main(["compare", saved(SPEED), saved(slower), "--metric", "nanoseconds"])


def test_a_change_within_the_noise_is_no_regression(saved):
    uncertain = dataclasses.replace(SPEED, copies=1.2 * SPEED.copies, noise=0.2)
    certain = dataclasses.replace(uncertain, noise=0.0)
    assert not main(["compare", saved(SPEED), saved(uncertain)])
    assert main(["compare", saved(SPEED), saved(certain)]) == 1


def test_what_another_library_does_is_no_regression(saved):
    theirs = dataclasses.replace(SPEED, library="jax.nn")
    slower = dataclasses.replace(theirs, copies=9.0)
    assert not main(["compare", saved(SPEED, theirs), saved(SPEED, slower)])


@pytest.mark.parametrize("metric", [[], ["--metric", "temporaries"]])
def test_results_that_cannot_be_compared_give_one_line_and_exit_code_2(saved, metric, capsys):
    after = saved(SPEED) if metric else saved(MEMORY)
    refuses(["compare", saved(SPEED), after, *metric], capsys)


def test_results_without_a_common_case_give_one_line_and_exit_code_2(saved, capsys):
    other = dataclasses.replace(SPEED, function="tanh")
    refuses(["compare", saved(SPEED), saved(other)], capsys)


# --- The command line --------------------------------------------------------------------------


def refuses(arguments, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(arguments)
    assert refusal.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m benchmarks")


@pytest.mark.parametrize(
    "arguments",
    [
        "fly",
        "speed --functions rleu",
        "speed --modes sideways",
        "speed --dtypes float8",
        "speed --sizes enormous",
        "speed --sizes 0x8",
        "speed --layouts upside-down",
        "speed --peers numpy",
        "speed --spread none",
        "speed --seconds soon",
        "speed --device abacus",
        "speed --output nowhere/results.json",
        "speed --output results.txt",
        "memory --layers 0",
        "memory --target abacus",
        "compare no.json no.json",
        f"compare {__file__} {__file__}",
    ],
)
def test_a_wrong_option_gives_one_line_and_exit_code_2(arguments, capsys):
    refuses(arguments.split(), capsys)


def test_without_a_command_the_commands_are_listed(capsys):
    assert not main([])
    assert "speed" in capsys.readouterr().out


def test_speed_prints_a_table_and_writes_results_that_can_be_drawn(tmp_path, capsys):
    output = str(tmp_path / "results.json")
    arguments = "speed --functions relu,maxout --sizes 4x8 --modes vjp --dtypes bfloat16"
    assert not main([*arguments.split(), "--seconds", "0.1", "--output", output])
    assert "vjp, bfloat16, 4x8" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["library"] for row in results["rows"][:2]] == ["jaxact", "jax.nn"]
    expected = {"date", "commit", "device", "machine", "versions", "flags", "roof"}
    assert expected <= set(results["environment"])
    for kind in ("bars", "roofline"):
        for suffix in ("svg", "png", "html"):
            drawing = tmp_path / f"{kind}.{suffix}"
            assert not main(["plot", output, str(drawing), "--kind", kind])
            assert drawing.stat().st_size > 1000


def test_what_cannot_be_drawn_gives_one_line_and_exit_code_2(saved, tmp_path, capsys):
    drawing = str(tmp_path / "drawing.svg")
    refuses(["plot", saved(MEMORY), drawing, "--kind", "roofline"], capsys)
    refuses(["plot", saved(INSTRUCTIONS), drawing], capsys)


def test_all_names_all(capsys, monkeypatch):
    monkeypatch.setattr(speed, "measure_all", lambda chosen, *_, **__: ([] for _ in chosen))
    wide = "speed --functions relu --modes all --dtypes all --sizes all --layouts all"
    assert not main(wide.split())


def test_an_interrupted_run_reports_what_was_finished(monkeypatch, tmp_path):
    def interrupted(*_, **__):
        yield [SPEED]
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "measure_all", interrupted)
    arguments = ["speed", "--functions", "relu,mish", "--output", str(tmp_path / "results.json")]
    assert main(arguments) == 130
    assert Results.read(tmp_path / "results.json").rows == [SPEED]


@pytest.mark.thorough
def test_memory_compiles_every_network_with_every_recipe(tmp_path):
    output = tmp_path / "results.json"
    arguments = "memory --functions identity,maxout --batch 16 --features 8 --layers 2"
    assert not main([*arguments.split(), "--output", str(output)])
    rows = Results.read(output).rows
    combinations = {(row.function, row.library, row.network, row.recipe) for row in rows}
    of_maxout = 3 * (2 + 2)  # of 2, 4 and 8 pieces; with jnp.max; neither lean nor few_bit
    assert len(combinations) == 4 * (4 + 2 + 2 + 2)
    assert len(rows) == len(CHAINS) * (4 + 2 + of_maxout)
    assert all(row.temporaries > 0 for row in rows)


def test_a_layer_more_is_an_activation_array_more():
    def arrays(layers):
        scale = memory.Scale(256, 8, layers, "float32", "cpu")
        row = memory.measure("identity", scale, "jaxact", "unrolled layers f(x W)", "default")
        assert row is not None
        return row.temporaries

    assert arrays(5) - arrays(3) == pytest.approx(2, abs=0.1)


def test_a_gate_is_given_two_preactivations(every_kind):
    scale = memory.Scale(16, 8, 2, "float32", "cpu")
    row = memory.measure(every_kind["gate"], scale, "jaxact", "scanned layers f(x W)", "default")
    assert row is not None
    assert row.residual_bytes >= 8


def test_a_peer_takes_part_where_it_is_installed_unless_it_is_slow(monkeypatch):
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    assert [library.name for library in libraries.installed("cpu", ["torch", "flax"])] == ["jaxact"]
    monkeypatch.setattr(libraries, "is_installed", lambda name, platform: True)
    monkeypatch.setattr(libraries, "PEERS", dict.fromkeys(libraries.PEERS, lambda platform: OURS))
    assert len(libraries.installed("cpu")) == 1 + len(libraries.PEERS) - len(libraries.SLOW)
    assert len(libraries.installed("cpu", ["torch.compile"])) == 2


# --- Goals -------------------------------------------------------------------------------------


def rows_of(function, setting, **nanoseconds):
    """Rows in every mode and dtype that goals look at, by library."""
    return [
        dataclasses.replace(
            SPEED,
            **{"function": function, "setting": setting, "mode": mode, "dtype": dtype},
            **{"library": library.replace("_", "."), "nanoseconds": time, "copies": time},
        )
        for mode in (*goals.MODES, "forward+vjp")
        for dtype in goals.DTYPES
        for library, time in nanoseconds.items()
    ]


def test_goals_compare_with_jax_and_with_both_passes_of_torch():
    rows = rows_of("mish", "", jaxact=1.0, jax_nn=3.0, torch=4.0)
    smooth, torch, *_ = goals.goals(rows)
    assert smooth.reached == pytest.approx(3)
    assert smooth.is_met
    assert torch.reached == pytest.approx(math.sqrt(4 * 2))  # forward, and both over two passes


def test_piecewise_linear_functions_are_held_against_a_copy():
    rows = rows_of("relu", "", jaxact=1.3, jax_nn=1.0, torch=1.0)
    (copies,) = [goal for goal in goals.goals(rows) if goal.at_most]
    assert copies.reached == pytest.approx(1.3)
    assert not copies.is_met
    assert all(found.row.function == "relu" for found in goals.slower(rows))
    assert len(goals.slower(rows)) == 4


def test_a_goal_that_was_not_measured_is_not_met():
    assert not any(goal.is_met for goal in goals.goals([]))


def test_missed_goals_give_exit_code_1(saved, capsys):
    assert main(["goals", saved(SPEED)]) == 1
    refuses(["goals", saved(MEMORY)], capsys)


@pytest.mark.parametrize(("name", "linear"), [("hard_tanh", True), ("elu", False)])
def test_what_is_piecewise_linear_shows_in_its_second_derivative(name, linear):
    label = cases.typical_settings(CATALOG[name])[0]
    assert goals.is_piecewise_linear((name, label)) == linear


# --- Instructions ------------------------------------------------------------------------------

MACHINE_CODE = """
.text.fusion:
        /*0000*/                   S2R R0, SR_TID.X ;
        /*0010*/              @!P0 EXIT ;
        /*0020*/                   MUFU.EX2 R1, R0 ;
        /*0030*/                   NOP ;
        /*0040*/                   EXIT ;
.L_x_0:
        /*0050*/                   BRA `(.L_x_0) ;
"""


def test_instructions_are_counted_up_to_the_end_of_a_thread():
    assert instructions._per_thread(MACHINE_CODE) == {"fusion": (4, 1)}


def test_every_thread_of_every_kernel_counts():
    sequence = "001: kCustomKernel [source] fusion grid: [2048, 1, 1] threads: [128, 1, 1]  shared"
    assert instructions._threads(sequence) == {"fusion": 2048 * 128}


def test_the_budget_of_bfloat16_forward_is_31_instructions():
    assert instructions.budget(4) == pytest.approx(31, abs=0.5)
    assert instructions.budget(6) == pytest.approx(47, abs=0.5)
