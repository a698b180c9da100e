"""Parity with peers: what a name of theirs means here computes what it computes there.

    pip install -e ".[test,peers]"
    python -m pytest -m special tests/test_parity.py

Values and gradients, in float64 to 1e-10, on torch's own sample inputs, and on normal numbers for
the others. Kinks are apart, for they are no samples; docs/kinks.py measures them.
"""

import contextlib
import functools
import math
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import precision

import jaxact
from jaxact.names import elsewhere

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from differences import DIFFERENCES, OUTPUT, table

pytestmark = pytest.mark.filterwarnings("ignore")  # others' warnings are not ours
TOLERANCE = 1e-10
NORMAL = np.random.default_rng(0).normal(0, 3, 512)


def test_the_table_of_differences_is_up_to_date():
    assert OUTPUT.read_text() == table()


def over_names(ecosystem):
    names = [n.partition(":")[2] for n, _ in elsewhere() if n.startswith(f"{ecosystem}:")]
    return pytest.mark.parametrize("name", names)


@contextlib.contextmanager
def doubles():
    """Float64, and the rules of promotion that others rely on."""
    with precision(np.float64), jax.numpy_dtype_promotion("standard"):
        with jax.numpy_rank_promotion("allow"):
            yield


def ours(function, *arrays):
    """Value and gradients of the sum of squares of a function of arrays."""
    with doubles():
        arrays = [jnp.asarray(a, jnp.float64) for a in arrays]
        y, pull_back = jax.vjp(function, *arrays)
        return [np.asarray(a) for a in (y, *pull_back(2 * y))]


def theirs(function, *arrays):
    """The same of a function of tensors."""
    import torch

    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    y = function(*tensors)
    gradients = torch.autograd.grad((y * y).sum(), tensors, materialize_grads=True)
    return [a.detach().numpy() for a in (y, *gradients)]


def agree(got, expected, tolerance=TOLERANCE):
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def tolerance(ecosystem, name):
    """What the table of differences says of it."""
    said = [d.parity for d in DIFFERENCES if (d.peer, d.name) == (ecosystem, name)]
    return max(said, default=TOLERANCE)


# --- torch ---------------------------------------------------------------------------------------

OURS = {"dim": "axis", "min_val": "min_value", "max_val": "max_value", "weight": "negative_slope"}
BY_POSITION = {
    **dict.fromkeys(("glu", "softmax", "log_softmax", "softmin"), ("dim",)),
    "threshold": ("threshold", "value"),
    "prelu": ("weight",),
}
DRAWN = ("rrelu", "gumbel_softmax")  # compared where they draw nothing


@functools.cache
def samples(name):
    """torch's own sample inputs for a function of torch.nn.functional: input and arguments."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    (op, *_) = (op for op in op_db if op.name in (f"nn.functional.{name}", name))
    found = op.sample_inputs("cpu", torch.float64, requires_grad=False)
    return [
        (s.input, dict(zip(BY_POSITION.get(name, ()), s.args, strict=False)) | s.kwargs)
        for s in found
    ]


def here(name, arguments, x):
    """What torch calls its arguments, in our words; None for what the table of differences has."""
    arguments = {
        key: value for key, value in arguments.items() if key not in ("inplace", "training")
    }
    if arguments.get("lambd", 0) < 0:
        return None
    weight = arguments.get("weight")
    if weight is not None:
        channels = (-1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else ()
        arguments["weight"] = weight.numpy().reshape(channels if weight.numel() > 1 else ())
    if "approximate" in arguments:
        arguments["approximate"] = arguments["approximate"] == "tanh"
    arguments.pop("threshold" if name == "softplus" else None, None)
    return {OURS.get(key, key): value for key, value in arguments.items()}


@pytest.mark.special(needs="peers")
@over_names("torch")
def test_torch_agrees_on_its_own_samples(name):
    import torch

    function = getattr(torch.nn.functional, name)
    if name == "gumbel_softmax":
        return frequencies_agree(function)
    compared = 0
    for x, arguments in samples(name):
        if name == "rrelu":
            arguments["training"] = False
        parameters = here(name, arguments, x)
        if parameters is None:
            continue
        numbers = np.atleast_1d(x.numpy()) if "dim" in arguments else x.numpy()
        if name == "softplus":  # beyond its threshold torch gives x
            beta, threshold = arguments.get("beta", 1), arguments.get("threshold", 20)
            numbers = np.where(beta * numbers > threshold, -numbers, numbers)
        expected = theirs(functools.partial(function, **arguments), numbers)
        got = ours(functools.partial(jaxact.get(f"torch:{name}"), **parameters), numbers)
        agree(got, expected, tolerance("torch", name))
        compared += x.numel() > 0
    assert compared


def frequencies_agree(function):
    """The only one that always draws: 20,000 draws, whose frequencies are off by 0.015 at most."""
    import torch

    logits = np.broadcast_to(np.log([0.5, 0.3, 0.2]), (20000, 3)).astype(np.float32)
    drawn = function(torch.tensor(logits), tau=0.5, hard=True).numpy()
    got = jaxact.get("torch:gumbel_softmax")(
        jnp.asarray(logits), jax.random.key(0), temperature=0.5, hard=True
    )
    np.testing.assert_allclose(drawn.mean(0), np.mean(got, 0), atol=0.02)


@pytest.mark.special(needs="peers")
def test_every_activation_of_torch_has_its_name_here():
    from torch.nn.modules import activation

    layers = {"MultiheadAttention", "Softmax2d"}  # no functions of torch.nn.functional
    for name in set(activation.__all__) - layers:
        assert callable(jaxact.get(f"torch:{name}"))


# --- Keras ---------------------------------------------------------------------------------------


@functools.cache
def keras_activations():
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.config.set_floatx("float64")
    return keras.activations


@pytest.mark.special(needs="peers")
@over_names("keras")
def test_keras_agrees(name):
    arguments = {"threshold": (0.5, -1.0)}.get(name, ())
    x = NORMAL.reshape(16, 32)
    with doubles():
        expected = ours(lambda x: getattr(keras_activations(), name)(x, *arguments), x)
    got = ours(lambda x: jaxact.get(f"keras:{name}")(x, *arguments), x)
    agree(got, expected, tolerance("keras", name))


@pytest.mark.special(needs="peers")
def test_every_activation_of_keras_has_its_name_here():
    keras_activations()
    from keras.src.activations import ALL_OBJECTS_DICT

    for name in ALL_OBJECTS_DICT:
        assert callable(jaxact.get(f"keras:{name}"))


# --- ONNX ----------------------------------------------------------------------------------------


def onnx_operator(name, *arrays, **attributes):
    """What the reference evaluator computes."""
    from onnx import TensorProto
    from onnx.helper import make_graph, make_model, make_node, make_tensor_value_info
    from onnx.reference import ReferenceEvaluator

    names = [f"x{i}" for i in range(len(arrays))]
    described = [
        make_tensor_value_info(n, TensorProto.DOUBLE, a.shape)
        for n, a in zip(names, arrays, strict=True)
    ]
    y = make_tensor_value_info("y", TensorProto.DOUBLE, None)
    graph = make_graph([make_node(name, names, ["y"], **attributes)], name, described, [y])
    (value,) = ReferenceEvaluator(make_model(graph)).run(
        None, dict(zip(names, arrays, strict=True))
    )
    return value


@pytest.mark.special(needs="peers")
@over_names("onnx")
def test_onnx_agrees(name):
    x = NORMAL.reshape(16, 32)
    others = {"PRelu": [np.full(32, 0.25)], "SwiGLU": [x[::-1].copy()]}.get(name, [])
    got, *_ = ours(jaxact.get(f"onnx:{name}"), x, *others)
    agree([got], [onnx_operator(name, x, *others)], 1e-6)  # attributes are float32


# --- Hugging Face --------------------------------------------------------------------------------


def number(parameter):
    """A parameter as it is: Hugging Face keeps those of xIELU in bfloat16."""
    return float(parameter.detach())


def raised(parameter):
    """The positive number that a free parameter stands for."""
    return math.log1p(math.exp(number(parameter)))


LEARNED = {  # how parameters of a module there are passed here
    "prelu": lambda module: [number(module.weight)],
    "xielu": lambda module: [
        raised(module.alpha_p),
        number(module.beta) + raised(module.alpha_n),
        number(module.beta),
    ],
}


@pytest.mark.special(needs="peers")
@over_names("hf")
def test_hugging_face_agrees(name):
    from transformers.activations import ACT2FN

    module = ACT2FN[name].double()
    learned = LEARNED.get(name, lambda module: [])(module)
    with doubles():
        named = functools.partial(jaxact.get(f"hf:{name}"))
        agree(ours(lambda x: named(x, *learned), NORMAL), theirs(module, NORMAL))


@pytest.mark.special(needs="peers")
def test_every_key_of_hugging_face_has_its_name_here():
    from transformers.activations import ACT2CLS

    for name in ACT2CLS:
        assert callable(jaxact.get(f"hf:{name}"))


# --- Differences ---------------------------------------------------------------------------------


@pytest.mark.special(needs="peers")
@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: f"{d.peer}-{d.name}")
def test_what_is_said_to_differ_differs(difference):
    name, given = difference.theirs
    x = np.abs(NORMAL)
    x = np.concatenate([x, -x])
    call = {"torch": torch_value, "keras": keras_value, "onnx": onnx_operator}[difference.peer]
    expected = call(name, x, **given)
    with doubles():
        got = difference.ours(jnp.asarray(x))
    assert got is None or np.max(np.abs(np.asarray(got) - expected)) > TOLERANCE


def torch_value(name, x, *, of=1.0, shape=(-1,), weight=None, gradient=False, **given):
    import torch

    if weight is not None:
        given["weight"] = torch.tensor(weight, dtype=torch.float64)
    x = torch.tensor(of * x, requires_grad=gradient).reshape(shape)
    y = getattr(torch.nn.functional, name)(x, **given)
    return (torch.autograd.grad(y.sum(), x)[0] if gradient else y).numpy()


def keras_value(name, x):
    with doubles():
        return np.asarray(getattr(keras_activations(), name)(jnp.asarray(x)))
