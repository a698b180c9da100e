"""Libraries that use our functions, tried with the real ones.

pip install -e ".[test,clients]"
python -m pytest -m special tests/test_clients.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import cases, over, typical_cases
from test_plain import inputs

import jaxact

pytestmark = [
    pytest.mark.special(needs="clients"),
    pytest.mark.filterwarnings("ignore"),  # others' warnings are not ours
    pytest.mark.usefixtures("usual_rules"),
]


@pytest.fixture
def usual_rules(standard_promotion):
    """Those of JAX, as users run them."""
    with jax.numpy_rank_promotion("allow"):
        yield


@over(cases())
def test_onnx_computes_the_same(case):
    to_onnx = importlib.import_module("jax2onnx").to_onnx
    runtime = importlib.import_module("onnxruntime")
    x = inputs(case)
    expected = np.asarray(case(*x), np.float64)
    with jaxact.plain():
        model = to_onnx(lambda *x: case(*x), [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in x])
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [given.name for given in session.get_inputs()]
    (got,) = session.run(None, dict(zip(names, map(np.asarray, x), strict=True)))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@over(typical_cases("elementwise"))
@pytest.mark.parametrize("sparsity", [0, 6])
def test_folx_is_right(case, sparsity):
    folx = importlib.import_module("folx")
    x = jnp.linspace(-1.9, -0.1, 6) if case.inputs()[0].max() < 0 else jnp.linspace(-1.9, 1.7, 6)
    x = jnp.asarray(case.well_inside(np.asarray(x)), jnp.float32)
    energy = lambda x: jnp.sum(case(x) * jnp.arange(1.0, 7.0))
    got = folx.forward_laplacian(energy, sparsity_threshold=sparsity)(x).laplacian
    expected = jnp.trace(jax.hessian(energy)(x))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@over(cases("elementwise"))
def test_keras_saves_and_loads_the_same_function(case, tmp_path):
    keras = importlib.import_module("keras")
    importlib.import_module("jaxact.keras")
    given = jaxact.get(case.entry.name, **case.parameters)
    functions = [given] if case.parameters else [given, case.entry.function]
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    for function in functions:
        layers = [keras.Input((8,)), keras.layers.Dense(8, activation=function)]
        model = keras.Sequential(layers)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        expected = model.predict(x, verbose=0)
        for other in (loaded, again):
            assert other.layers[0].activation == function
            np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
