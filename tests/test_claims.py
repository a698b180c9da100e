"""The scripts on the note's claims at a small size: what they print, and what they draw."""

import importlib
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

QUICK = ("dying_relu",)  # the others take up to ten seconds each even so
SMALL = {
    "gradient_by_depth": "--depth 5 --width 8 --seeds 1 --steps 3",
    "gradient_over_time": "--width 4 --steps 12 --seeds 1",
    "dying_relu": "--width 4 --seeds 1 --steps 2",
    "relu_against_sigmoid": "--width 4 --seeds 1 --epochs 2",
    "maxout_capacity": "--seeds 2 --steps 20",
}
SMALLER = {
    "gradient_by_depth": {"ACTIVATIONS": ("sigmoid", "relu")},
    "dying_relu": {"ACTIVATIONS": ("relu", "prelu")},
    "relu_against_sigmoid": {"ROUNDS": 2, "STEPS": 2, "HIDDEN": 1},
}


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.thorough) for n in SMALL]
)
def test_a_script_prints_claims_with_verdicts_and_draws_a_figure(
    name, tmp_path, capsys, monkeypatch
):
    script, figure = importlib.import_module(name), tmp_path / "figure.svg"
    for constant, value in SMALLER.get(name, {}).items():
        monkeypatch.setattr(script, constant, value)
    with jax.numpy_rank_promotion("allow"):  # as users run it
        assert script.run([*SMALL[name].split(), "--output", str(figure)]) == 0
    printed = capsys.readouterr().out
    claims = re.findall(
        r"^Claim: .*\nMeasured: .*\nVerdict: +(?:holds|does not hold)$", printed, re.M
    )
    assert len(claims) >= 3
    assert len(ElementTree.parse(figure).getroot()) > 2


def test_wrong_options_are_refused(capsys):
    script = importlib.import_module("maxout_capacity")
    for wrong in (["--seeds", "0"], ["--output", "no/such/folder/figure.svg"], ["--colour", "red"]):
        with pytest.raises(SystemExit):
            script.run(wrong)
        assert wrong[0] in capsys.readouterr().err
