"""The law of the drop-in: every function of jax.nn is here, with its arguments.

And it passes jax's own tests. That needs the file tests/nn_test.py of the version of jax that is
installed:

    JAX_NN_TEST=path/to/nn_test.py python -m pytest -m special tests/test_drop_in.py
"""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxact

THEIRS = os.environ.get("JAX_NN_TEST", "")
PROGRAM = """
import importlib, pathlib, sys, unittest
import jax, jaxact

replaced = [name for name in dir(jax.nn) if hasattr(jaxact, name)]
assert len(replaced) > 30, replaced
for name in replaced:
    setattr(jax.nn, name, getattr(jaxact, name))
path = pathlib.Path(sys.argv.pop())
sys.path.insert(0, str(path.parent))
result = unittest.main(module=importlib.import_module(path.stem), exit=False).result
assert result.testsRun > 0
sys.exit(not result.wasSuccessful())
"""


NO_ACTIVATIONS = {  # products of matrices
    *("dot_product_attention", "scaled_matmul", "scaled_dot_general"),
    "get_scaled_dot_general_config",
}
FUNCTIONS = [n for n, f in vars(jax.nn).items() if callable(f) and not n.startswith("_")]


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - NO_ACTIVATIONS))
def test_arguments_are_jax_nns(name):
    """In the same order, under the same names, with the same defaults; ours may have more."""
    own, other = (
        [(p.name, p.default) for p in inspect.signature(f).parameters.values()]
        for f in (getattr(jaxact, name), getattr(jax.nn, name))
    )
    assert own[: len(other)] == other


@pytest.mark.special(needs="JAX_NN_TEST")
def test_the_tests_of_jax_nn_pass_with_our_functions():
    assert THEIRS, "JAX_NN_TEST must say where jax's tests/nn_test.py is"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, THEIRS],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
