"""The fallback on `jax.checkpoint`: lawful too, and different in what its docstring says, no more.

The mechanism is chosen when jaxact is imported, so each runs in a process of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cases import cases
from test_residuals import is_piecewise_linear

ROOT = Path(__file__).parents[1]
ESSENTIAL_LAWS = (
    "test_contract.py::"
    "test_results_and_gradients_are_finite_and_keep_the_dtype_outside_of_programs[{case}-bfloat16]",
    "test_contract.py::test_nothing_is_traced_or_compiled_again[{case}]",
    "test_one_answer.py::test_all_sixteen_bit_inputs_have_one_value_and_one_slope[{case}-bfloat16]",
    "test_residuals.py::test_backward_keeps_one_array_per_input_or_less[{case}-bfloat16-eager]",
    "test_residuals.py::test_backward_keeps_one_array_per_input_or_less[{case}-bfloat16-jit]",
    "test_transformations.py::"
    "test_derivatives_to_order_three_are_limits_of_differences_in_every_mode[{case}]",
    "test_transformations.py::test_jacobians_and_hessians_agree_in_every_nesting[{case}]",
    "test_transformations.py::test_batching_changes_nothing[{case}]",
    "test_transformations.py::test_control_flow_changes_nothing[{case}]",
    "test_transformations.py::test_rematerialization_changes_nothing[{case}]",
    "test_transformations.py::test_exported_programs_differentiate_on_every_platform[{case}]",
    "test_sharding.py::test_explicit_shardings_pass_through[{case}-P('batch', 'features')]",
    "test_sharding.py::test_shard_map_knows_what_varies[{case}-P('batch', 'features')]",
)

# A scanned block under a user's own checkpoint: memory in activation arrays a layer.
MEASURE = """
import sys
import jax, jax.numpy as jnp
import jaxact

f = getattr(getattr(sys.modules[sys.argv[1]], "nn", jaxact), sys.argv[2])
batch, width, layers = 2048, 512, 12

def block(x, w):
    return x + f(x @ w[0]) @ w[1], None

def loss(x, ws):
    kept = jax.checkpoint(block, policy=jax.checkpoint_policies.dots_saveable)
    return jnp.sum(jax.lax.scan(kept, x, ws)[0])

shapes = [jax.ShapeDtypeStruct(s, jnp.float32) for s in ((batch, width), (layers, 2, width, width))]
program = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*shapes).compile()
print(program.memory_analysis().temp_size_in_bytes / (4 * batch * width * layers))
"""


def representative(*, linear):
    """The first function with a kink that is curved, or made of straight lines."""
    candidates = [case for case in cases("elementwise") if case.kinks]
    return next(case for case in candidates if is_piecewise_linear(case) == linear)


def run(rule, *arguments):
    """Runs Python under a mechanism, from the checkout."""
    environment = os.environ | {"JAXACT_RULE": rule, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "linear",
    [
        pytest.param(False, id="curved"),
        pytest.param(True, id="piecewise linear", marks=pytest.mark.thorough),
    ],
)
def test_the_fallback_obeys_the_essential_laws(linear):
    case = representative(linear=linear)
    laws = [f"tests/{law.format(case=case)}" for law in ESSENTIAL_LAWS]
    result = run(
        *("checkpoint", "-m", "pytest", "-q", "-m", "thorough or not thorough"),
        *("-p", "no:cacheprovider", "-p", "no:xdist"),
        *laws,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert f"{len(laws)} passed" in result.stdout


def test_the_fallback_differs_as_documented():
    """Under a user's own checkpoint in a scan it keeps the input twice: measured."""
    name = representative(linear=False).entry.name

    def arrays(rule, library="jaxact"):
        result = run(rule, "-c", MEASURE, library, name)
        assert result.returncode == 0, result.stderr[-3000:]
        return float(result.stdout)

    primitive = arrays("primitive")
    assert primitive <= arrays("primitive", "jax") + 0.1
    assert arrays("checkpoint") - primitive == pytest.approx(1.1, abs=0.1)


def test_an_unknown_mechanism_is_refused():
    result = run("magic", "-c", "import jaxact")
    assert result.returncode != 0
    assert "JAXACT_RULE is 'magic', but must be one of primitive, checkpoint" in result.stderr
