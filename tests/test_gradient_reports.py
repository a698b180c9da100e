"""Gradient reports: vanishing and exploding are told from health, and where it begins."""

import json

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from test_unit_reports import IMAGES, PublishedCNN, PublishedLinenCNN

import jaxact
from jaxact.diagnostics import GradientReport, gradient_report
from jaxact.theory import gain

WIDTH = 64
X = np.random.default_rng(0).normal(size=(32, WIDTH)).astype(np.float32)


def network(depth: int, scale: float, seed: int = 0):
    """Weights of a stack of dense layers, of variance scale² / width."""
    random = np.random.default_rng(seed)
    weights = random.normal(0, scale / np.sqrt(WIDTH), (depth, WIDTH, WIDTH))
    return {f"layer{i:02}": {"kernel": jnp.asarray(w, jnp.float32)} for i, w in enumerate(weights)}


def stacked(activation):
    """The loss of such a stack."""

    def loss(parameters, x):
        for layer in parameters.values():
            with jax.named_scope("block"):
                x = activation(x @ layer["kernel"])
        return jnp.mean(x**2)

    return loss


def test_a_vanishing_network_is_called_vanishing():
    report = gradient_report(stacked(jax.nn.sigmoid), network(12, 1.0), X)
    assert report.verdict == "vanishing"
    assert "norm" in report.reason
    assert report.ratio < 1e-4
    assert report.ratio == pytest.approx(np.prod(report.factors), rel=1e-4)
    assert all(factor < 0.5 for factor in report.factors)


def test_an_exploding_network_is_called_exploding():
    report = gradient_report(stacked(jaxact.relu), network(12, 4.0), X)
    assert report.verdict == "exploding"
    assert report.first_nonfinite is None


def test_a_network_at_the_edge_of_chaos_is_healthy():
    for name in ("relu", "selu"):
        f = jaxact.CATALOG[name].function
        report = gradient_report(stacked(f), network(12, gain(name)), X)
        assert report.verdict == "healthy", report.reason
        assert 0.3 < report.ratio < 3


def test_norms_are_those_of_autodiff():
    parameters, loss = network(3, 1.5), stacked(jaxact.tanh)
    report = gradient_report(loss, parameters, X)
    gradients = jax.grad(loss)(parameters, X)
    for found, (name, layer) in zip(report.gradients, gradients.items(), strict=True):
        assert found.layer == name
        assert found.size == WIDTH**2
        norm = np.linalg.norm(layer["kernel"])
        np.testing.assert_allclose(found.norm, norm, rtol=1e-5)
        weight_norm = np.linalg.norm(parameters[name]["kernel"])
        np.testing.assert_allclose(found.weight_norm, weight_norm, rtol=1e-5)

    def shifted(shifts):
        x = X
        for layer, shift in zip(parameters.values(), shifts, strict=True):
            x = jaxact.tanh(x @ layer["kernel"] + shift)
        return jnp.mean(x**2)

    signals = jax.grad(shifted)([jnp.zeros((32, WIDTH))] * 3)
    for found, signal in zip(report.signals, signals, strict=True):
        assert found.total == pytest.approx(np.linalg.norm(signal), rel=1e-5)
        np.testing.assert_allclose(found.largest, np.max(np.abs(signal)), rtol=1e-5)
    assert float(report.loss) == pytest.approx(float(loss(parameters, X)))


@pytest.mark.parametrize("depth", [3, 7])
def test_rounds_of_a_scan_over_layers_are_layers(depth):
    parameters = network(depth, 1.2)
    kernels = jnp.stack([layer["kernel"] for layer in parameters.values()])

    def scanned(kernels, x):
        body = jax.checkpoint(lambda x, kernel: (jaxact.tanh(x @ kernel), None))
        return jnp.mean(jax.lax.scan(body, x, kernels["kernel"])[0] ** 2)

    plain = gradient_report(stacked(jaxact.tanh), parameters, X)
    report = gradient_report(scanned, {"kernel": kernels}, X)
    assert [g.layer for g in report.gradients] == [f"[{i}]" for i in range(depth)]
    for kind in ("signals", "gradients"):
        norms = [[float(part.norm) for part in getattr(one, kind)] for one in (report, plain)]
        np.testing.assert_allclose(*norms, rtol=1e-4)


def recurrent(scale):
    """A plain recurrent cell over 40 steps, of which the loss sees the last state."""

    def loss(parameters, rows):
        step = lambda state, row: (jaxact.tanh(state @ parameters["kernel"] + row), None)
        return jnp.mean(jax.lax.scan(step, jnp.zeros((4, WIDTH)), rows)[0] ** 2)

    rows = np.random.default_rng(0).normal(0, 0.1, (40, 4, WIDTH)).astype(np.float32)
    return gradient_report(loss, {"kernel": network(1, scale)["layer00"]["kernel"]}, rows)


def test_signals_that_vanish_over_time_are_found():
    report = recurrent(0.5)
    (signal,) = report.signals
    assert signal.norm.shape == (40,)
    assert report.verdict == "vanishing"
    assert "first step of time" in report.reason
    assert recurrent(1.05).verdict == "healthy"


def test_steps_are_in_the_order_in_which_they_are_executed():
    def loss(scale, rows):
        body = lambda state, row: (jaxact.tanh(state + row) * scale["s"], None)
        return jnp.sum(jax.lax.scan(body, jnp.zeros(3), rows, reverse=True)[0])

    (signal,) = gradient_report(loss, {"s": jnp.float32(0.5)}, jnp.ones((5, 3))).signals
    assert (jnp.diff(signal.norm) > 0).all()


# --- What is not finite --------------------------------------------------------------------------


def test_the_first_layer_that_is_not_finite_is_named():
    parameters = network(4, 1.0)
    parameters["layer02"]["kernel"] = parameters["layer02"]["kernel"].at[0, 0].set(jnp.inf)
    report = gradient_report(stacked(jaxact.relu), parameters, X)
    assert report.verdict == "exploding"
    assert report.first_nonfinite == "the values of block (relu#3)"
    assert '"verdict": "exploding"' in report.to_json()


def test_a_gradient_that_is_not_finite_is_found_where_it_arises():
    """The slope of the square root is infinite at 0, whatever the layers before."""

    def loss(parameters, x):
        h = jaxact.tanh(x @ parameters["first"]["kernel"])
        h = jaxact.tanh(h @ parameters["second"]["kernel"])
        return jnp.mean(jnp.sqrt(jaxact.relu(h - 2)))

    layers = network(2, 1.0)
    parameters = {"first": layers["layer00"], "second": layers["layer01"]}
    report = gradient_report(loss, parameters, X)
    assert np.isfinite(report.loss)
    assert report.verdict == "exploding"
    assert report.first_nonfinite is not None
    assert "gradient" in report.first_nonfinite


def test_a_signal_beyond_the_squares_of_float32_has_a_norm():
    loss = lambda p, x: jnp.sum(jaxact.elu(p["w"] * x)) * 1e30
    report = gradient_report(loss, {"w": jnp.asarray(X)}, X)
    assert np.isfinite(report.signals[0].total)
    assert report.signals[0].total > 1e30


def test_a_network_that_is_dead_has_no_gradient_at_all():
    parameters = {"a": {"kernel": -jnp.ones((WIDTH, WIDTH))}, "b": {"kernel": jnp.eye(WIDTH)}}
    report = gradient_report(stacked(jaxact.relu), parameters, abs(X))
    assert report.verdict == "vanishing"
    assert "no gradient arrives anywhere" in report.reason


def silent(change):
    """The report on two layers and a head, changed."""
    layers = network(2, gain("relu"))
    parameters = {
        "first": layers["layer00"],
        "second": {**layers["layer01"], "bias": jnp.zeros((1, WIDTH))},
        "head": {"kernel": jnp.ones((WIDTH, 1)) / WIDTH},
    }

    def loss(own, x):
        h = jaxact.relu(x @ own["first"]["kernel"])
        h = jaxact.relu(h @ own["second"]["kernel"] + own["second"]["bias"])
        return jnp.mean((h @ own["head"]["kernel"] - 1) ** 2)

    return gradient_report(loss, change(parameters), X)


def test_a_gradient_of_zero_has_a_cause():
    zero = silent(lambda p: {**p, "head": {"kernel": jnp.zeros((WIDTH, 1))}})
    assert (zero.cause, zero.verdict) == ("zero weights", "healthy")
    assert "head" in zero.reason
    assert "after a step" in zero.reason
    shift = jnp.full((1, WIDTH), -1e3)
    dead = silent(lambda p: {**p, "second": {**p["second"], "bias": shift}})
    assert (dead.cause, dead.verdict) == ("a dead layer", "vanishing")
    constant = gradient_report(lambda p, x: 3 + 0 * stacked(jaxact.relu)(p, x), network(2, 1.0), X)
    assert (constant.cause, constant.verdict) == ("a constant loss", "vanishing")
    fitted = lambda p, x: jnp.mean((jaxact.tanh(x @ p["w"]) - jaxact.tanh(x)) ** 2)
    report = gradient_report(fitted, {"w": jnp.eye(WIDTH)}, X)
    assert (report.cause, report.verdict) == ("a fitted model", "healthy")


def test_a_bottleneck_in_the_middle_is_found():
    layers = network(6, gain("relu"))
    layers["layer02"] = {"kernel": 1e4 * layers["layer02"]["kernel"]}
    layers["layer03"] = {"kernel": 1e-4 * layers["layer03"]["kernel"]}
    report = gradient_report(stacked(jaxact.relu), layers, X)
    assert report.verdict == "vanishing"
    assert "bottleneck at block (relu#3)" in report.reason


def test_a_branch_that_did_not_run_has_no_signal():
    def loss(own, x):
        branch = lambda f: lambda x: f(x @ own["kernel"])
        x = jax.lax.cond(x[0, 0] > 1e9, branch(jaxact.relu), branch(jnp.tanh), x)
        return jnp.mean(jaxact.gelu(x) ** 2)

    report = gradient_report(loss, network(1, 1.0)["layer00"], X)
    assert {s.activation: s.ran for s in report.signals} == {
        "relu": False,
        "tanh": True,
        "gelu": True,
    }
    assert report.verdict == "healthy"


# --- Models --------------------------------------------------------------------------------------

LABELS = np.arange(len(IMAGES)) % 10


def cross_entropy(model, batch):
    """The loss of a classifier."""
    images, labels = batch
    logits = model(images)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@pytest.mark.thorough
@pytest.mark.usefixtures("standard_promotion")
def test_models_that_others_published_are_reported_as_they_are():
    model = PublishedCNN(rngs=nnx.Rngs(0))
    model.train()
    report = gradient_report(cross_entropy, model, (IMAGES, LABELS))
    assert report.verdict == "healthy", report.reason
    assert [s.layer for s in report.signals] == ["batch_norm1", "conv2", "linear1"]
    layers = ["conv1", "batch_norm1", "conv2", "linear1", "linear2"]
    assert [g.layer for g in report.gradients] == layers
    linen = PublishedLinenCNN()
    bound = linen.bind(linen.init(jax.random.key(0), IMAGES))
    report = gradient_report(cross_entropy, bound, (IMAGES, LABELS))
    assert [g.layer for g in report.gradients] == ["Conv_0", "Conv_1", "Dense_0", "Dense_1"]
    gradients = jax.grad(lambda v: cross_entropy(linen.bind(v), (IMAGES, LABELS)))(bound.variables)
    kernel, bias = (gradients["params"]["Conv_0"][name] for name in ("kernel", "bias"))
    norm = jnp.sqrt(jnp.sum(kernel**2) + jnp.sum(bias**2))
    np.testing.assert_allclose(report.gradients[0].norm, norm, rtol=1e-4)


def test_activations_in_the_loss_are_no_layers_of_the_model():
    class Dense(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, x):
            return jaxact.tanh(flax.linen.Dense(3)(x))

    model = Dense()
    bound = model.bind(model.init(jax.random.key(0), X))
    loss = lambda model, x: -jnp.mean(jax.nn.log_sigmoid(model(x)))
    report = gradient_report(loss, bound, X)
    assert [(s.layer, s.activation) for s in report.signals] == [("Dense_0", "tanh")]


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_sharded_batches_make_the_same_report(kind):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(kind,))
    parameters, loss = network(3, 1.0), stacked(jaxact.gelu)
    with jax.set_mesh(mesh):
        placed = jax.device_put(X, NamedSharding(mesh, P("batch")))
        sharded = jax.device_get(gradient_report(loss, parameters, placed))
    expected = gradient_report(loss, parameters, X)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), sharded, expected)


def test_reports_are_made_inside_programs():
    """One for each of several networks, at once."""
    many = jax.tree.map(lambda a, b: jnp.stack([a, b]), network(5, 1.0), network(5, 3.0))
    loss = stacked(jaxact.tanh)
    reports = jax.jit(jax.vmap(lambda p: gradient_report(loss, p, X)))(many)
    one: GradientReport = jax.tree.map(lambda a: a[1], reports)
    expected = gradient_report(loss, network(5, 3.0), X)
    assert one.ratio == pytest.approx(expected.ratio, rel=1e-3)


def test_a_report_is_read_drawn_and_stored():
    import matplotlib.pyplot as plt
    from rich.console import Console

    report = gradient_report(stacked(jax.nn.sigmoid), network(6, 1.0), X)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(report.table())
    assert "vanishing" in capture.get()
    assert "layer05" in capture.get()
    assert json.loads(report.to_json())["verdict"] == "vanishing"
    assert report.scalars()["gradients/ratio"] == report.ratio
    figure = report.plot()
    assert len(figure.axes) == 2
    plt.close(figure)


REFUSED = {
    "loss is 3, but must be a function": lambda: gradient_report(3, network(1, 1.0), X),
    r"batch\['x'\] is empty": lambda: gradient_report(
        lambda p, b: p["w"] * b["x"].sum(), {"w": 1.0}, {"x": np.zeros((0, 3))}
    ),
    r"batch\['x'\] is a str": lambda: gradient_report(
        lambda p, b: p["w"], {"w": 1.0}, {"x": "text"}
    ),
    r"one real number, got float32\[32\]": lambda: gradient_report(
        lambda p, x: jnp.mean(x @ p["w"], 1), {"w": jnp.eye(WIDTH)}, X
    ),
    "one real number, got float32.*, float32": lambda: gradient_report(
        lambda p, x: (jnp.mean(x @ p["w"]), x), {"w": jnp.eye(WIDTH)}, X
    ),
    "one real number, got int32": lambda: gradient_report(
        lambda p, x: jnp.argmax(p["w"]), {"w": jnp.eye(2)}, X
    ),
    "no activation was found": lambda: gradient_report(
        lambda p, x: jnp.mean(x @ p["w"]), {"w": jnp.eye(WIDTH)}, X
    ),
    "no parameters": lambda: gradient_report(lambda f, x: f(x).sum(), jaxact.relu, X),
    r"batch\['x'\] holds 1 values that are not finite": lambda: gradient_report(
        lambda p, b: p["w"] * b["x"].sum(), {"w": 1.0}, {"x": np.array([1, np.nan])}
    ),
    r"pass model\.bind\(variables\)": lambda: gradient_report(
        cross_entropy, PublishedLinenCNN(), (IMAGES, LABELS)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
