"""The main example at a small size: what it prints, what it writes, and what it refuses."""

import contextlib
import importlib
import io
import os
import pickle
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
example = importlib.import_module("compare_activations")
layers = importlib.import_module("_activation_layers")
network = importlib.import_module("_network")
training = importlib.import_module("_training")
units = importlib.import_module("_units")
datasets = importlib.import_module("_dataset")

pytestmark = pytest.mark.xdist_group("example")  # one process, which trains for all

SMALL = ["--epochs", "2", "--seeds", "2", "--depth", "2"]
SMALLEST = ["--epochs", "1", "--seeds", "1", "--depth", "1"]


@pytest.fixture(scope="module")
def on_digits(tmp_path_factory):
    """Returns what a small comparison on the digits printed and wrote."""
    report = tmp_path_factory.mktemp("digits") / "small.html"
    compared = ["--activations", "prelu,maxout", "--normalization", "batch", "--clip-norm", "1"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert example.main([*compared, *SMALL, "--output", str(report)]) == 0
    return printed.getvalue(), report.read_text(encoding="utf-8")


@pytest.fixture
def images():
    """Returns twelve images of two classes that differ in brightness."""
    labels = np.repeat([3, 7], 6)
    noise = np.random.default_rng(0).normal(size=(12, 5, 7, 2))
    return {"x": noise + labels[:, None, None, None], "y": labels}


def refusal(capsys, *arguments):
    """Returns the line with which the example refuses the arguments, with exit code 2."""
    with pytest.raises(SystemExit) as exit_:
        example.main(arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_table_has_all_columns_and_a_row_per_activation(on_digits):
    printed, _ = on_digits
    words = " ".join(printed.split())
    assert re.search(
        r"test epochs dead saturated gradient ms per trained activation accuracy", words
    )
    for activation in ("prelu", "maxout"):
        units = r"\d+\.\d% +\d+\.\d%"
        row = rf"{activation} +\d+\.?\d* ± \d+\.\d% +(\d|never) +{units} +\S+ +[\d,]+ +\d+\.\d +\d"
        assert re.search(row, printed), printed


def test_maxout_has_more_parameters(on_digits):
    printed, _ = on_digits
    prelu, maxout = (
        int(re.search(rf"^{name} .* ([\d,]+) +\S+ +\S+ *$", printed, re.M)[1].replace(",", ""))
        for name in ("prelu", "maxout")
    )
    classes, positions, channels = 10, 16, 16
    readout = (positions * channels + 1) * classes
    convolutions = prelu - readout
    assert maxout - readout > 1.9 * convolutions


def test_report_needs_nothing_from_elsewhere(on_digits):
    _, report = on_digits
    assert not re.findall(r"https?:|src=|href=|url\(|@import|<link|<iframe", report)


def test_report_shows_every_activation_in_every_figure(on_digits):
    _, report = on_digits
    titles = re.findall("<h2>(.*?)</h2>", report)
    assert titles == [
        "Results",
        "The functions",
        "Learning",
        "Gradients",
        "Activations",
        "Dead and saturated units",
        "How it was measured",
    ]
    for section in report.split("<section>")[1:-1]:
        for activation in ("prelu", "maxout"):
            assert f'data-activation="{activation}"' in section


def test_learning_rates_are_swept_and_the_one_with_the_lowest_loss_is_shown(
    images, tmp_path, capsys
):
    np.savez(tmp_path / "own.npz", **images)
    own = ["--data", str(tmp_path / "own.npz"), "--output", str(tmp_path), *SMALL, "--depth", "1"]
    assert example.main(["--activations", "elu", "--learning-rate", "0.1,1e-6", *own]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"learning rate +1e-06 +0.1 *$", printed, re.M)
    assert re.search(r"^elu +\d+\.\d% +\d+\.\d% \*", printed, re.M)
    assert len(re.findall("^elu ", printed, re.M)) == 3  # its bar, and one row in each table
    assert "<h2>Learning rates</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_own_images_can_be_compared_and_interrupt_keeps_what_was_finished(
    images, tmp_path, monkeypatch, capsys
):
    np.savez(tmp_path / "own.npz", **images)
    real = example.try_out

    def interrupted_after_gelu(activation, *others):
        results = real(activation, *others)
        if activation == "gelu":
            signal.raise_signal(signal.SIGINT)
        return results

    monkeypatch.setattr(example, "try_out", interrupted_after_gelu)
    own = ["--data", str(tmp_path / "own.npz"), "--output", str(tmp_path), *SMALLEST]
    assert example.main(["--activations", "gelu,tanh,relu", *own]) == 130
    printed = capsys.readouterr()
    assert printed.err == "compare_activations.py: interrupted; 1 of 3 were finished\n"
    assert re.search(r"^gelu +\d", printed.out, re.M)
    assert "own.npz" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--activations", "relu,sigmoyd"], "did you mean sigmoid"),
        (["--activations", "qqq"], "choose from"),
        (["--epochs", "0"], "--epochs: must be a whole number of at least 1, got '0'"),
        (["--seeds", "2.5"], "--seeds"),
        (["--learning-rate", "-1"], "--learning-rate: must be a positive number, got '-1'"),
        (["--learning-rate", "inf"], "positive"),
        (["--learning-rate", "0.1,fast"], "--learning-rate: must be a positive number, got 'fast'"),
        (["--clip-norm", "nan"], "--clip-norm"),
        (["--normalization", "group"], "'none', 'batch', 'layer'"),
        (["--depth", "four"], "--depth"),
        (["--output", "no/such/folder/report.html"], "no/such/folder"),
        (["--device", "abacus"], "'abacus', only"),
        (["--device", "cpu:99"], "'cpu:99', only"),
        (["--distributed"], "--distributed"),
        (["--data", "missing.npz"], "missing.npz"),
        (["--colour", "red"], "unrecognized arguments: --colour"),
    ],
)
def test_wrong_option_gets_one_line(capsys, arguments, expected):
    assert expected in refusal(capsys, *arguments)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"x": np.zeros((12, 25))}, "x must have shape"),
        ({"x": np.zeros((12, 0, 5))}, "x must have shape"),
        ({"x": np.zeros((12, 5, 5), complex)}, "x must hold real numbers"),
        ({"x": np.full((12, 5, 5), np.inf)}, "300 values that are not finite"),
        ({"x": np.full((12, 5, 5), 1e300)}, "not finite in float32"),
        ({"y": np.zeros(11, int)}, "one label per image"),
        ({"y": np.zeros(12)}, "y must hold integers, got dtype float64"),
        ({"y": np.zeros(12, int)}, "at least two classes, got only 0"),
        ({"y": np.arange(12).clip(0, 1)}, "label 0 occurs once"),
    ],
)
def test_unusable_images_get_one_line(images, tmp_path, capsys, changed, expected):
    np.savez(tmp_path / "own.npz", **{**images, **changed})
    assert expected in refusal(capsys, "--data", str(tmp_path / "own.npz"))


def test_malformed_files_get_one_line(images, tmp_path, capsys):
    own = tmp_path / "own.npz"
    own.write_text("not an archive")
    assert "is no .npz file" in refusal(capsys, "--data", str(own))
    np.savez(own, x=images["x"])
    assert "'y is not a file in the archive'" in refusal(capsys, "--data", str(own))
    np.savez_compressed(own, **images)
    damaged = bytearray(own.read_bytes())
    damaged[200:400] = bytes(200)
    own.write_bytes(damaged)
    assert "own.npz" in refusal(capsys, "--data", str(own))


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_files_are_never_unpickled(images, tmp_path, capsys):
    own = tmp_path / "own.npz"
    np.savez(own, x=np.array([Trap()], object), y=images["y"])
    assert "allow_pickle=False" in refusal(capsys, "--data", str(own))
    own.write_bytes(pickle.dumps(Trap()))
    assert "is no .npz file" in refusal(capsys, "--data", str(own))


def test_script_refuses_without_a_traceback():
    script = [sys.executable, str(EXAMPLES / "compare_activations.py"), "--epochs", "-3"]
    checkout = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(script, capture_output=True, text=True, env=checkout, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_fifth_is_held_out_with_every_class_in_proportion():
    digits = datasets.digits()
    assert len(digits.training.labels) == 1437
    held_out, learnt = np.bincount(digits.held_out.labels), np.bincount(digits.training.labels)
    assert (abs(4 * held_out - learnt) <= 4).all()
    assert abs(digits.training.images.mean()) < 1e-5


@pytest.mark.parametrize("name", layers.comparable())
def test_every_comparable_activation_makes_a_layer(name):
    layer = layers.activation_layer(name)

    def apply(x):
        return layer.create(4, nnx.Rngs(0))(x)

    assert jax.eval_shape(apply, jnp.zeros((2, 3, 3, 4 * layer.pieces))).shape == (2, 3, 3, 4)
    assert jax.eval_shape(layer.curve, jnp.zeros(9)).shape == (9,)


@pytest.mark.parametrize("stride", [1, 2])
def test_linear_map_of_patches_is_a_convolution(stride):
    images = jax.random.normal(jax.random.key(0), (2, 5, 8, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))
    convolution = jax.lax.conv_general_dilated(
        images,
        kernel,
        (stride, stride),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    features = kernel.transpose(1, 0, 2, 3).reshape(27, 4)
    patches = network.patches(images, stride)
    np.testing.assert_allclose(patches @ features, convolution, rtol=1e-5, atol=1e-5)


def ensemble_on(devices, images, rates, num_seeds):
    return training.Ensemble(
        lambda rngs: network.Network(
            (5, 7, 2), 2, depth=1, activation="rrelu", normalization="batch", rngs=rngs
        ),
        partial(training.optimizer, clip_norm=1.0),
        datasets.split("twelve images", **images),
        rates,
        num_seeds,
        devices,
    )


def test_networks_learn_the_same_on_many_devices_as_on_one(images):
    """Ten networks on four devices, where two copies fill up; none of them communicates."""
    one, many = (ensemble_on(jax.devices()[:n], images, [0.01, 0.1], 5) for n in (1, 4))
    assert (one.spread.devices, many.spread.devices) == (1, 4)
    assert not re.search(r"all-|collective|reduce-scatter", many._compiled_epoch.as_text())
    for a, b in zip(one.train(2), many.train(2), strict=True):
        assert a.loss.shape == b.loss.shape == (10,)
        np.testing.assert_allclose(a.loss, b.loss, rtol=1e-6)
        np.testing.assert_array_equal(a.accuracy, b.accuracy)
    for a, b in zip(*(jax.tree.leaves(e.learners) for e in (one, many)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_network_learns_the_same_alone_and_with_others(images):
    """Fails if learning rates or seeds are mixed up: row 4 has the second rate and seed 1."""
    device = jax.devices()[:1]
    together = ensemble_on(device, images, [0.01, 0.1], 3)
    alone = ensemble_on(device, images, [0.1], 2)
    for a, b in zip(together.train(3), alone.train(3), strict=True):
        np.testing.assert_allclose(a.loss[4], b.loss[1], rtol=1e-5)


def test_units_of_many_networks_are_told_apart():
    """Of three units the first of the first network is dead, and all of the second."""
    observed = units.observed(lambda bias, x: jax.nn.relu(x + bias[None]))
    bias = jnp.array([[-9.0, 0.0, 0.0], [-9.0, -9.0, -9.0]])
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)
    _, reports = jax.vmap(observed, in_axes=(0, None))(bias, x)
    (layer,) = units.by_layer(reports)
    np.testing.assert_allclose(layer.dead, [1 / 3, 1])
    assert layer.size == 3
    assert layer.histogram.sum() == pytest.approx(1)
