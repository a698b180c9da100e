"""What a call costs besides its arithmetic: one program, and a benchmark that measures the rest."""

import re

import jax
import pytest
from cases import over, typical_cases

from benchmarks import overhead
from benchmarks.cli import main
from benchmarks.results import Results


@over(typical_cases("elementwise", "random", "gate"))
def test_an_eager_call_runs_one_program(case):
    """Fails if a check or a conversion outside the compiled function works on arrays."""
    x = case.inputs()
    assert len(jax.make_jaxpr(case)(*x).eqns) <= 1
    arrays = case.arrays((x[0].shape[-1],))
    stacks = sum(isinstance(value, tuple) for value in case.learnable.values())  # to be taken apart
    with_arrays = lambda parameters, *x: case(*x, **parameters)
    assert len(jax.make_jaxpr(with_arrays)(arrays, *x).eqns) <= 1 + stacks


@pytest.mark.parametrize("name", ["glu", "log_softmax", "logsumexp", "standardize"])
def test_a_call_along_an_axis_runs_one_program(name):
    function = getattr(overhead.jaxact, name)
    (program,) = jax.make_jaxpr(function)(jax.numpy.ones((2, 4))).eqns
    assert len(program.invars) == 1, "a number that is handed over takes as long as the call"


@pytest.mark.parametrize(
    ("name", "most"), [("silu", 185), ("tanh", 170), ("sigmoid", 155), ("gelu", 295)]
)
def test_a_layer_compiles_from_no_more_operations_than_it_did(name, most):
    """What XLA's passes take grows with them: above these, docs/speed.md wants measuring again."""

    def both(x, cotangent):
        y, back = jax.vjp(getattr(overhead.jaxact, name), x)
        return y, back(cotangent)

    lowered = jax.jit(both).lower(*[jax.numpy.ones((8, 16))] * 2)
    assert lowered.as_text().count("stablehlo.") <= most


def test_overhead_is_measured_for_what_jax_nn_has_and_survives_being_saved(
    tmp_path, monkeypatch, capsys
):
    for step in overhead.STEPS:
        monkeypatch.setitem(overhead.STEPS, step, (2, 1))
    monkeypatch.setattr(overhead, "LAYERS", 1)
    monkeypatch.setattr(overhead, "IMPORT", 2)
    assert {"gelu", "glu", "softmax", "logsumexp", "standardize"} < set(overhead.shared())
    path = tmp_path / "overhead.json"
    assert not main(["overhead", "--functions", "relu", "--output", str(path)])
    number = r"[\d,.]+ +\d+\.\d\d"
    assert re.search(rf"relu\W+{number}\W+{number}\W+{number}", capsys.readouterr().out)
    rows = Results.read(path).rows
    assert {row.what for row in rows} == {"import", "call", "gradient", "network"}
    assert all(row.microseconds > 0 for row in rows)
    assert not main(["compare", str(path), str(path)])
