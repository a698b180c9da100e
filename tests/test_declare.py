"""An activation that is declared outside the package has all that ours have.

The module is the one in docs/declare.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE, COMMANDS = re.findall(
    r"```(?:python|bash)\n(.*?)```", (ROOT / "docs" / "declare.md").read_text(), re.DOTALL
)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "my_activations.py").write_text(MODULE)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
            capture_output=True,
            text=True,
        )

    run.place = tmp_path
    return run


def test_it_has_its_name_and_its_gain(run):
    program = """
import my_activations, jaxact
assert jaxact.get("cubed_relu")(2.0) == 8
assert jaxact.get("cubed_relu").config == {"name": "cubed_relu"}
assert abs(jaxact.theory.gain("cubed_relu") - (15 / 2) ** -0.5) < 1e-9
"""
    result = run("-c", program)
    assert result.returncode == 0, result.stderr


LAWS = [
    "tests/test_accuracy.py",
    "tests/test_special_values.py",
    "tests/test_residuals.py",
    "tests/test_names.py",
]


def laws_of_cubed_relu(run):
    only = ["-q", "-x", "-p", "no:cacheprovider", "-k", "cubed_relu and not float64"]
    return run("-m", "pytest", "--declare", "my_activations", *only, *LAWS)


def test_the_laws_judge_it(run):
    result = laws_of_cubed_relu(run)
    assert result.returncode == 0, result.stdout
    assert int(re.search(r"(\d+) passed", result.stdout)[1]) > 20


def test_the_laws_find_it_wrong(run):
    wrong = MODULE.replace("6 * ops", "5 * ops")
    assert wrong != MODULE
    (run.place / "my_activations.py").write_text(wrong)
    result = laws_of_cubed_relu(run)
    assert result.returncode == 1
    assert "cubed_relu" in result.stdout


def test_it_has_its_row_in_the_benchmark(run):
    options = ["--functions", "cubed_relu", "--modes", "forward", "--sizes", "8x8"]
    quick = ["--dtypes", "float32", "--seconds", "0.2"]
    result = run("-m", "benchmarks", "--declare", "my_activations", "speed", *options, *quick)
    assert result.returncode == 0, result.stderr
    assert "cubed_relu" in result.stdout
    assert run("-m", "benchmarks", "--declare", "no_such_module", "speed").returncode == 2


def test_the_commands_of_the_page_are_these():
    for option in ("pytest --declare my_activations", "benchmarks --declare my_activations speed"):
        assert option in COMMANDS
