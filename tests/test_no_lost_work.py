"""What a command worked out is kept, whatever becomes of its output, its files and its user."""

import errno
import importlib
import io
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_benchmarks import SPEED
from test_example import EXAMPLES, datasets, example, training, units

from benchmarks import cli, machine, speed
from benchmarks.results import Results
from jaxact import _files

command = importlib.import_module("_command")
claims = importlib.import_module("_claims")
results = importlib.import_module("_results")
pytestmark = pytest.mark.xdist_group("example")
GAVE = ("relu", "tanh", "elu")


class Pretended:
    """Networks that learn nothing, in no time."""

    num_parameters, networks_per_second = 1, 1.0

    def __init__(self, create, optimizer, data, rates, num_seeds, devices):
        self.count = len(rates) * num_seeds

    def train(self, epochs):
        for _ in range(epochs):
            ones = np.ones(self.count)
            yield training.Epoch(ones, np.ones((self.count, 2)), ones, 1)

    def units(self, images):
        return np.zeros(self.count)


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Runs the main example on networks that learn nothing; returns its exit code."""
    one = units.LayerUnits(np.zeros(1), np.zeros(1), np.full(units.NUM_BINS, 1 / units.NUM_BINS), 9)
    monkeypatch.setattr(example, "Ensemble", Pretended)
    monkeypatch.setattr(example, "by_layer", lambda _: [one])
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", x=np.arange(96.0).reshape(6, 4, 4), y=[0, 0, 0, 1, 1, 1])

    def run(*options):
        few = ["--activations", ",".join(GAVE), "--epochs", "3", "--seeds", "1"]
        return example.main([*few, "--data", "own.npz", *options])

    return run


@pytest.fixture
def measure(monkeypatch):
    """Runs a benchmark that has its results already; returns its exit code."""
    monkeypatch.setattr(machine, "roof", lambda *_: machine.Roof(10.0, 100.0))
    monkeypatch.setattr(speed, "measure_all", lambda cases, *_, **__: ([SPEED] for _ in cases))
    return lambda *options: cli.main(["speed", "--functions", "relu", *options])


def draw(*options):
    """Runs a script on a claim."""
    panel = claims.Panel("Nothing", "<svg ></svg>")
    claim = claims.Claim("It is ± so.", "so", True)
    return claims.main("Nothing.", "a.svg", lambda _: ([claim], [panel]), options)


@pytest.fixture
def every(compare, measure, monkeypatch):
    """Each kind of command, with the end of the name of what it writes."""
    monkeypatch.setattr(sys, "argv", ["claims.py"])
    return {compare: ".html", measure: ".json", draw: ".svg"}


class Broken(io.StringIO):
    """Standard output that fails."""

    encoding = "utf-8"

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize(("error", "code"), [(errno.EPIPE, 141), (errno.ENOSPC, 1)])
def test_what_cannot_be_printed_is_written(every, error, code, monkeypatch, capsys):
    for run, suffix in every.items():
        monkeypatch.setattr(sys, "stdout", Broken(error))
        assert run("--output", f"kept{suffix}") == code
        assert Path(f"kept{suffix}").stat().st_size
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.endswith(f"cannot print: {os.strerror(error)}")


def test_nothing_is_said_where_there_is_no_output(every, monkeypatch, capsys):
    for run, suffix in every.items():
        monkeypatch.setattr(sys, "stdout", None)
        assert run("--output", f"kept{suffix}") == 0
        assert Path(f"kept{suffix}").stat().st_size
    assert not capsys.readouterr().err.strip()


def test_a_narrow_terminal_of_ascii_shows_everything(every, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    shown = (
        r"relu +\|100 \? 0.0%.*\|1000.0\| +1\n",
        r"relu +\|? +0.500 .* 4 .* -",
        r"It is \? so\.\n",
    )
    for (run, suffix), expected in zip(every.items(), shown, strict=True):
        bytes_ = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_, "ascii", write_through=True))
        assert run("--output", f"kept{suffix}") == 0
        assert re.search(expected, bytes_.getvalue().decode("ascii"))


def test_what_cannot_be_written_is_elsewhere(every, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.tempfile, "tempdir", str(tmp_path))
    for run, suffix in every.items():
        kept = Path(f"kept{suffix}")
        kept.write_text("an earlier one")

        def full(path, content, place=kept):
            if path == place:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _files.write(path, content)

        for module in {command, sys.modules[cli.Ending.__module__]}:
            monkeypatch.setattr(module, "write", full)
        assert run("--output", str(kept)) == 1
        printed = capsys.readouterr()
        assert printed.out
        assert f"cannot write {kept}: No space left on device; instead it is " in printed.err
        (elsewhere,) = tmp_path.glob(f"kept-*/kept{suffix}")
        assert elsewhere.stat().st_size > len(kept.read_text())
        assert kept.read_text() == "an earlier one"


def test_a_full_disk_everywhere_still_prints(compare, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.tempfile, "tempdir", str(tmp_path / "no"))
    assert compare("--output", "/dev/full") == 1
    printed = capsys.readouterr()
    assert all(name in printed.out for name in GAVE)
    assert "cannot write /dev/full: No space left on device, nor " in printed.err


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    _files.write(link, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert link.is_symlink()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _files.write(path, "newer")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_an_interrupt_keeps_what_the_epochs_gave(compare, monkeypatch, capsys):
    """In the second epoch of the second activation."""
    real = Pretended.train
    began = []

    def interrupted(self, epochs):
        began.append(self)
        for number, epoch in enumerate(real(self, epochs), 1):
            if (len(began), number) == (2, 2):
                signal.raise_signal(signal.SIGINT)
            yield epoch

    monkeypatch.setattr(Pretended, "train", interrupted)
    assert compare("--output", "kept.html") == 130
    printed = capsys.readouterr()
    line = "interrupted; 1 of 3 were finished, and tanh ended after 2 of 3 epochs"
    assert printed.err == f"compare_activations.py: {line}\n"
    page = Path("kept.html").read_text(encoding="utf-8")
    assert "<b>tanh</b> was interrupted after 2 of 3 epochs." in page
    assert "relu" in printed.out
    assert 'data-activation="elu"' not in page


def test_an_error_keeps_what_was_finished(compare, measure, monkeypatch):
    ways = iter([Pretended])

    def failed(*arguments):
        for way in ways:
            return way(*arguments)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(example, "Ensemble", failed)
    with pytest.raises(RuntimeError, match="out of memory"):
        compare("--output", "kept.html")
    assert 'data-activation="relu"' in Path("kept.html").read_text(encoding="utf-8")

    def one_row(*_, **__):
        yield [SPEED]
        raise RuntimeError("out of memory")

    monkeypatch.setattr(speed, "measure_all", one_row)
    with pytest.raises(RuntimeError, match="out of memory"):
        measure("--functions", "relu,mish", "--output", "kept.json")
    assert Results.read(Path("kept.json")).rows == [SPEED]


def test_a_folder_is_made_for_what_is_to_be_there(every):
    for run, suffix in every.items():
        assert run("--output", f"new/{suffix[1:]}/") == 0
        (file,) = Path("new", suffix[1:]).iterdir()
        assert file.suffix == suffix


@pytest.mark.parametrize("place", ["own.npz/", "own.npz/kept", "missing/kept", "folder", "a\0b"])
def test_a_place_that_cannot_be_written_is_refused_at_once(every, place, capsys):
    for run, suffix in every.items():
        name = {"folder": "folder/", "own.npz/": "own.npz/"}.get(place, f"{place}{suffix}")
        for default in ("report.html", "results.json", "a.svg"):
            Path("folder", default).mkdir(parents=True, exist_ok=True)
        with pytest.raises(SystemExit) as exit_:
            run("--output", name)
        assert exit_.value.code == 2
        assert f"cannot write {name!r}: " in capsys.readouterr().err


def test_strange_but_usable_images_are_made_usable(tmp_path):
    """Constant ones; labels that are negative or of 64 bits."""
    labels = np.array([-(2**62), 2**62], np.int64).repeat(6)
    np.savez(tmp_path / "own.npz", x=np.full((12, 3, 3), 7, np.uint8), y=labels)
    data = datasets.from_file(str(tmp_path / "own.npz"))
    for part in (data.training, data.held_out):
        assert not part.images.any()
        assert set(part.labels) == {0, 1}
        assert part.labels.dtype == np.int32
    epoch = training.Epoch(np.ones(1), np.zeros((1, 2)), np.ones(1), 1.0)  # no gradient is left
    assert math.isnan(results.Result("relu", 0.1, [epoch], [], 1, 1.0).gradient_ratio)


def test_two_processes_write_whole_files_to_one_place(tmp_path):
    program = "from jaxact._files import write\nfor _ in range(50): write('one', {!r} * 200_000)"
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program.format(text)], cwd=tmp_path, env=environment
        )
        for text in "ab"
    ]
    while any(process.poll() is None for process in both):
        if (tmp_path / "one").exists():
            assert set((tmp_path / "one").read_text()) in ({"a"}, {"b"})
    assert [process.returncode for process in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["_command", "examples._command"])
def test_output_that_fails_is_left_alone_afterwards(name, tmp_path):
    """In a process of its own: neither a traceback nor a complaint of Python's at its end."""
    program = f"from {name} import Ending\nwith Ending('it') as e: print('x' * 10**6)\nexit(e.code)"
    environment = {**os.environ, "PYTHONPATH": f"{EXAMPLES.parent}{os.pathsep}{EXAMPLES}"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert (done.returncode, done.stderr) == (1, b"it: cannot print: No space left on device\n")
