"""Unit reports: what is dead, saturated or always on is found, over all data, wherever it lies."""

import json
import math
import time

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxact
from jaxact.diagnostics import UnitReport, unit_report, with_units

DATA = np.random.default_rng(0).normal(size=(96, 8)).astype(np.float32)
BATCHES = [DATA[:32], DATA[32:64], DATA[64:90], DATA[90:]]


class PublishedCNN(nnx.Module):
    """The network of Flax's own MNIST tutorial, rebuilt from its description, on smaller images."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(1, 8, kernel_size=(3, 3), rngs=rngs)
        self.batch_norm1 = nnx.BatchNorm(8, rngs=rngs)
        self.dropout1 = nnx.Dropout(rate=0.025, rngs=rngs)
        self.conv2 = nnx.Conv(8, 16, kernel_size=(3, 3), rngs=rngs)
        self.linear1 = nnx.Linear(2 * 2 * 16, 32, rngs=rngs)
        self.dropout2 = nnx.Dropout(rate=0.025, rngs=rngs)
        self.linear2 = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.batch_norm1(self.dropout1(self.conv1(x))))
        x = nnx.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = nnx.avg_pool(nnx.relu(self.conv2(x)), window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dropout2(self.linear1(x)))
        return self.linear2(x)


class PublishedLinenCNN(flax.linen.Module):
    """The network of Flax's MNIST example for Linen, rebuilt from its description."""

    @flax.linen.compact
    def __call__(self, x):
        x = flax.linen.relu(flax.linen.Conv(features=8, kernel_size=(3, 3))(x))
        x = flax.linen.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = flax.linen.relu(flax.linen.Conv(features=16, kernel_size=(3, 3))(x))
        x = flax.linen.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = x.reshape((x.shape[0], -1))
        x = flax.linen.relu(flax.linen.Dense(features=32)(x))
        return flax.linen.Dense(features=10)(x)


IMAGES = np.random.default_rng(1).normal(size=(20, 8, 8, 1)).astype(np.float32)


def dense(weights, bias, activation):
    """A layer as a function of the data."""
    return lambda x: activation(x @ jnp.asarray(weights) + jnp.asarray(bias)[None])


WEIGHTS = np.random.default_rng(2).normal(size=(8, 5)).astype(np.float32)


def assert_same(a: UnitReport, b: UnitReport, rtol=2e-5):
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=rtol, atol=1e-5), a, b)


def test_planted_defects_are_found():
    """Of five units the first is dead, the second always on; the others do their work."""
    bias = np.array([-1e3, 1e3, 0, 0, 0], np.float32)
    (layer,) = unit_report(dense(WEIGHTS, bias, jaxact.relu), BATCHES).layers
    assert layer.dead.tolist() == [True, False, False, False, False]
    assert layer.always_on.tolist() == [False, True, False, False, False]
    assert layer.zeros[0] == 1
    (layer,) = unit_report(dense(WEIGHTS, bias, jax.nn.sigmoid), BATCHES).layers
    assert layer.saturated[:2].tolist() == [True, True]
    assert layer.dead[:2].tolist() == [True, True]
    assert not layer.always_on[:2].any()


def test_a_unit_that_lives_on_a_single_example_is_not_dead():
    x = np.full((64, 1), -1.0, np.float32)
    x[50] = 1
    (layer,) = unit_report(jaxact.relu, [x[:40], x[40:]]).layers
    assert not layer.dead.any()
    assert layer.zeros[0] == pytest.approx(63 / 64)
    assert unit_report(jaxact.relu, [x[:40]]).dead == 1


def test_statistics_are_those_of_the_whole_data_set():
    function = dense(WEIGHTS, np.zeros(5, np.float32), jaxact.gelu)
    (layer,) = unit_report(function, BATCHES, bounds=(-1.25, 1.75), bins=6).layers
    values = np.asarray(function(DATA), np.float64)
    slopes = np.abs(jax.vmap(jax.vmap(jax.grad(jaxact.gelu)))(DATA @ WEIGHTS))
    np.testing.assert_allclose(layer.mean, values.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.variance, values.var(0), rtol=1e-4)
    np.testing.assert_allclose(layer.slope_max, slopes.max(0), rtol=1e-5)
    np.testing.assert_allclose(layer.slope_min, slopes.min(0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(layer.slope_mean, slopes.mean(0), rtol=1e-4)
    counts, _ = np.histogram(values.clip(-1.25, 1.75), 6, (-1.25, 1.75))
    np.testing.assert_allclose(layer.histogram, counts / values.size, atol=1e-6)
    means = np.sqrt(np.mean(values.mean(0) ** 2) / np.mean(values**2))
    assert layer.off_centre == pytest.approx(means, rel=1e-4)
    assert layer.summary()["variance"] == pytest.approx(values.var(), rel=1e-4)


def test_batches_in_any_cut_and_order_make_the_same_report():
    function = dense(WEIGHTS, np.zeros(5, np.float32), jaxact.elu)
    whole = unit_report(function, DATA)
    assert_same(unit_report(function, BATCHES), whole)
    assert_same(unit_report(function, BATCHES[::-1]), whole)
    assert_same(unit_report(function, iter(BATCHES)), whole)


def test_units_are_channels_or_elements():
    function = lambda images: jaxact.relu(images - 1)
    assert unit_report(function, IMAGES).layers[0].dead.shape == (1,)
    (layer,) = unit_report(function, IMAGES, unit="element").layers
    assert layer.dead.shape == (8, 8, 1)
    np.testing.assert_array_equal(layer.dead, (IMAGES <= 1).all(0))


@pytest.mark.thorough
def test_a_model_that_others_published_is_reported_as_it_is(standard_promotion):
    model = PublishedCNN(rngs=nnx.Rngs(0))
    model.eval()
    before = jax.tree.map(np.asarray, nnx.state(model, nnx.Param))
    report = unit_report(model, [IMAGES[:10], IMAGES[10:]])
    assert [(layer.layer, layer.activation) for layer in report.layers] == [
        ("batch_norm1", "relu"),
        ("conv2", "relu"),
        ("linear1", "relu"),
    ]
    assert [layer.dead.size for layer in report.layers] == [8, 16, 32]
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(model, nnx.Param))
    linen = PublishedLinenCNN()
    bound = linen.bind(linen.init(jax.random.key(0), IMAGES))
    layers = [layer.layer for layer in unit_report(bound, IMAGES).layers]
    assert layers == ["Conv_0", "Conv_1", "Dense_0"]


def test_a_model_in_training_is_left_as_it_is(standard_promotion):
    model = PublishedCNN(rngs=nnx.Rngs(0))
    model.train()
    statistics = np.asarray(model.batch_norm1.mean[...])
    unit_report(model, IMAGES)
    np.testing.assert_array_equal(model.batch_norm1.mean[...], statistics)


def test_maxout_is_judged_by_its_pieces():
    """The second piece of the first unit never wins."""
    function = lambda x: jaxact.maxout(x, 2)
    x = np.array([[1.0, 0.0, 1.0, 2.0], [5.0, 4.0, 2.0, 1.0]], np.float32)
    (layer,) = unit_report(function, x).layers
    assert layer.dead.tolist() == [False, True, False, False]
    assert layer.mean.shape == (2,)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_sharded_data_makes_the_same_report(kind):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(kind,))
    function = dense(WEIGHTS, np.zeros(5, np.float32), jaxact.gelu)
    with jax.set_mesh(mesh):
        placed = jax.device_put(DATA, NamedSharding(mesh, P("batch")))
        sharded = jax.device_get(unit_report(function, [placed, placed]))
    assert_same(sharded, unit_report(function, [DATA, DATA]))


def test_reports_are_pytrees_that_are_mapped_and_merged_inside_programs():
    observed = with_units(lambda w, x: jaxact.relu(x @ w))
    weights = jnp.stack([WEIGHTS, -WEIGHTS])

    @jax.jit
    def both(weights):
        first, second = (jax.vmap(observed, (0, None))(weights, x)[1] for x in (DATA[:9], DATA[9:]))
        return jax.vmap(UnitReport.merge)(first, second)

    report = both(weights)
    alone = unit_report(lambda x: jaxact.relu(x @ -WEIGHTS), DATA)
    assert_same(jax.tree.map(lambda a: a[1], report), alone)


def test_memory_does_not_grow_with_the_data():
    sizes = [
        sum(leaf.nbytes for leaf in jax.tree.leaves(unit_report(jaxact.relu, batches)))
        for batches in ([DATA], [DATA] * 5)
    ]
    assert sizes[0] == sizes[1]


def test_a_report_is_read_drawn_and_stored():
    from rich.console import Console

    report = unit_report(dense(WEIGHTS, np.full(5, -9.0, np.float32), jaxact.relu), DATA)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(report.table())
    assert "relu" in capture.get()
    assert "100.0%" in capture.get()
    assert json.loads(report.to_json())["layers"][0]["dead"] == 1
    assert report.scalars()["units/model/relu/dead"] == 1
    assert all(math.isfinite(value) for value in report.scalars().values())
    figure = report.plot()
    assert len(figure.axes) == 2
    import matplotlib.pyplot as plt

    plt.close(figure)


def test_values_that_are_not_finite_are_counted():
    (layer,) = unit_report(lambda x: jaxact.relu(x / 0 * jnp.sign(x)), DATA).layers
    assert layer.summary()["nonfinite"] == DATA.size
    assert '"nan"' in unit_report(lambda x: jaxact.relu(x * jnp.nan), DATA).to_json()


def test_a_long_data_set_shows_its_progress(monkeypatch):
    done = []

    class Bar:
        def __init__(self, title, total, *, only_on_terminals):
            done.append((total, only_on_terminals))

        at = close = lambda self, *number: done.append(number)

    monkeypatch.setattr("jaxact.diagnostics._progress.Bar", Bar)
    unit_report(jaxact.relu, BATCHES, progress=False)
    assert not done
    unit_report(jaxact.relu, BATCHES, progress=True)
    assert done == [(4, False), (0,), (1,), (2,), (3,), ()]
    done.clear()

    def slowly():
        yield BATCHES[0]
        time.sleep(2.1)
        yield BATCHES[0]

    unit_report(jaxact.relu, slowly())
    assert done == [(None, True), (1,), ()]


def test_moments_are_those_of_the_whole_data_set():
    function = dense(WEIGHTS, np.zeros(5, np.float32), jaxact.elu)
    (layer,) = unit_report(function, BATCHES, rank=True).layers
    values = np.asarray(function(DATA), np.float64)
    centred = values - values.mean()
    kurtosis = np.mean(centred**4) / np.mean(centred**2) ** 2
    assert float(layer.kurtosis) == pytest.approx(kurtosis, rel=1e-4)
    assert float(layer.root_mean_square) == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-5)
    np.testing.assert_allclose(layer.largest, abs(values).max(0), rtol=1e-5)
    score = abs(values).mean(0) / abs(values).mean()
    np.testing.assert_allclose(layer.dormant_score, score, rtol=1e-4)
    singular = np.linalg.svd(values, compute_uv=False)
    shares = singular / singular.sum()
    rank = np.exp(-np.sum(shares * np.log(shares)))
    assert layer.effective_rank == pytest.approx(rank, rel=1e-3)
    assert math.isnan(unit_report(function, DATA).layers[0].effective_rank)


def test_merged_reports_tell_since_when_units_are_dead():
    def at(step, *dead):
        shift = jnp.asarray([-100.0 if unit in dead else 0.0 for unit in range(3)])[None]
        return unit_report(lambda x: jaxact.relu(x[:, :3] + shift), DATA, step=step)

    later = at(100, 0).merge(at(200, 0, 1)).merge(at(300, 0))
    assert later.layers[0].since.tolist() == [100, np.inf, np.inf]
    backwards = at(300, 0, 2).merge(at(200, 0)).merge(at(100, 1))
    assert backwards.layers[0].since.tolist() == [200, np.inf, 300]
    assert backwards.layers[0].summary()["dead_since"] == 200


def test_a_second_report_traces_nothing():
    traced = []

    def apply(weights, x):
        traced.append(1)
        return jaxact.relu(x @ weights)

    for shift in (0.0, 1.0):
        unit_report({"w": jnp.asarray(WEIGHTS) + shift}, DATA, apply=lambda w, x: apply(w["w"], x))
    assert len(traced) == 2  # a list that it closes over may change

    class Counted(nnx.Module):
        def __init__(self, rngs):
            self.dense = nnx.Linear(8, 5, rngs=rngs)

        def __call__(self, x):
            global_traces.append(1)
            return jaxact.relu(self.dense(x))

    for seed in (0, 1):
        report = unit_report(Counted(nnx.Rngs(seed)), DATA, apply=lambda model, x: model(x))
    assert len(global_traces) == 1
    expected = jaxact.relu(Counted(nnx.Rngs(1)).dense(DATA))
    np.testing.assert_allclose(report.layers[0].mean, expected.mean(0), rtol=1e-4, atol=1e-6)


global_traces: list[int] = []


def test_a_model_that_a_function_closes_over_is_read_as_it_is_now():
    model = nnx.Linear(8, 5, rngs=nnx.Rngs(0))
    function = lambda x: jaxact.relu(model(x))
    before = unit_report(function, DATA).layers[0].mean
    model.bias[...] = model.bias[...] + 1
    after = unit_report(function, DATA).layers[0].mean
    assert (after > before).all()


def test_a_branch_that_did_not_run_is_not_called_dead():
    branching = lambda x: jax.lax.cond(x[0, 0] > 1e9, jaxact.relu, jnp.tanh, x)
    report = unit_report(branching, DATA)
    found = {layer.activation: layer for layer in report.layers}
    assert not found["relu"].dead.any()
    assert found["relu"].summary()["examples"] == 0
    assert not found["tanh"].dead.any()
    assert report.dead == 0
    ran = {layer["activation"]: layer["ran"] for layer in report.to_dict()["layers"]}
    assert ran == {"relu": False, "tanh": True}
    assert jaxact.diagnostics.advise(report) == ()


def test_tables_fit_80_columns_and_pages_need_no_other(tmp_path):
    from rich.console import Console

    def model(x):
        for number in range(12):
            with jax.named_scope(f"model/encoder/stage_of_a_network/layers/{number}/feed_forward"):
                x = jaxact.relu(x - 1e3 * (number == 3))
        return x

    report = unit_report(model, DATA)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(report.table(top=4))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("relu" in line for line in lines) == 4
    assert "100.0%" in capture.get()
    page = tmp_path / "report.html"
    jaxact.diagnostics.save_html(page, report)
    text = page.read_text()
    assert "is dead" in text
    assert "http" not in text.replace("https://", "")


REFUSED = {
    "batch 0 is empty": lambda: unit_report(jaxact.relu, [DATA[:0]]),
    "change their shape, from": lambda: unit_report(jaxact.relu, [DATA, DATA[:, :3]]),
    "step is 0.5, but must be a whole number": lambda: unit_report(jaxact.relu, DATA, step=0.5),
    "batches is 3": lambda: unit_report(jaxact.relu, 3),
    "bins is 2.5": lambda: unit_report(jaxact.relu, DATA, bins=2.5),
    "apply is 3": lambda: unit_report(jaxact.relu, DATA, apply=3),
    "different models": lambda: unit_report(jaxact.relu, DATA).merge(unit_report(jaxact.elu, DATA)),
    "other is a str": lambda: unit_report(jaxact.relu, DATA).merge("report"),
    "there is no report|no report": lambda: jaxact.diagnostics.save_html("never.html"),
    "batches is empty": lambda: unit_report(jaxact.relu, []),
    "no activation": lambda: unit_report(lambda x: x @ WEIGHTS, DATA),
    "batch 1 holds 3 values that are not finite": lambda: unit_report(
        jaxact.relu, [DATA, np.where(np.arange(DATA.size).reshape(DATA.shape) < 3, np.nan, DATA)]
    ),
    r"pass model\.bind\(variables\)": lambda: unit_report(PublishedLinenCNN(), DATA),
    "unit is 'pixel', but must be": lambda: unit_report(jaxact.relu, DATA, unit="pixel"),
    "bounds is": lambda: unit_report(jaxact.relu, DATA, bounds=(2.0, 1.0)),
    "bins is 0": lambda: unit_report(jaxact.relu, DATA, bins=0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
