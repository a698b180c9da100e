"""Advice: it answers the diagnosis of this model, with its numbers, and says what it rests on."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import printed
import pytest
from flax import nnx
from test_gradient_reports import X, network, recurrent, stacked

import jaxact
from jaxact import diagnostics
from jaxact.diagnostics import advise, gradient_report, unit_report
from jaxact.theory import gain

WIDTH = X.shape[1]


def units(activation, shift, scale=1.0):
    """The report on one layer whose inputs are shifted and scaled."""
    return unit_report(lambda x: activation(scale * x + jnp.asarray(shift, jnp.float32)), X)


def test_a_healthy_model_needs_no_advice():
    parameters = network(8, gain("relu"))
    report = gradient_report(stacked(jaxact.relu), parameters, X)
    assert advise(report, units(jaxact.relu, 0.0)) == ()


def test_dead_units_are_answered_with_the_share_the_layer_and_a_rate():
    half = jnp.where(jnp.arange(WIDTH) % 2 == 0, -1e3, 0.0)[None]
    (advice,) = advise(units(jaxact.relu, half), learning_rate=0.4)
    assert advice.finding == "50% of the model (relu) is dead"
    assert "below 0.1" in advice.remedy
    assert "leaky_relu" in advice.remedy
    assert "He et al." in advice.evidence
    assert str(advice).startswith(advice.finding)


def test_layers_that_share_a_fault_are_told_in_one_line():
    def model(x):
        for number in range(12):
            with jax.named_scope(f"hidden/{number}"):
                x = jaxact.relu(x - 1e3)
        return x

    (advice,) = advise(unit_report(model, X))
    assert advice.finding == "100% of hidden/0 to hidden/11 (relu), 12 layers, is dead"
    assert advice.sure in ("likely", "certain")


def test_saturated_units_are_answered():
    (advice,) = advise(units(jax.nn.sigmoid, 0.0, scale=30.0))
    assert "saturated" in advice.finding
    assert 'jaxact.theory.initializer("sigmoid")' in advice.remedy


def test_units_that_do_nothing_are_answered():
    (advice,) = advise(units(jaxact.relu, 100.0))
    assert "always on" in advice.finding


def test_vanishing_is_answered_by_what_saturates():
    report = gradient_report(stacked(jax.nn.sigmoid), network(12, 1.0), X)
    (advice,) = advise(report)
    assert report.reason in advice.finding
    assert "replace sigmoid by relu" in advice.remedy
    report = gradient_report(stacked(jaxact.elu), network(12, 0.1), X)
    (advice,) = advise(report)
    assert "replace" not in advice.remedy
    assert "batch normalisation" in advice.remedy


def test_vanishing_over_time_is_answered_by_a_gated_memory():
    (advice,) = advise(recurrent(0.5))
    assert "LSTM" in advice.remedy


def test_exploding_is_answered_by_clipping():
    (advice,) = advise(gradient_report(stacked(jaxact.relu), network(12, 4.0), X))
    assert "clip_by_global_norm" in advice.remedy


def test_what_is_not_finite_is_named():
    parameters = network(2, 1.0)
    parameters["layer01"]["kernel"] = parameters["layer01"]["kernel"].at[0, 0].set(np.inf)
    (advice,) = advise(gradient_report(stacked(jaxact.relu), parameters, X))
    assert "the values of block (relu#2)" in advice.remedy


@pytest.mark.parametrize("task", ["cnn", "mlp", "rnn", "transformer"])
def test_advice_for_a_task_names_its_evidence(task):
    for advice in advise(task):
        assert advice.evidence
        assert any(name in advice.remedy for name in jaxact.CATALOG)


def test_wrong_input_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match="nothing to advise on"):
        advise()
    with pytest.raises(TypeError, match="argument 0 is a int, but must be UnitReport"):
        advise(3)
    with pytest.raises(TypeError, match="learning_rate is a str"):
        advise("cnn", learning_rate="fast")
    with pytest.raises(ValueError, match="task is 'gan', but must be one of cnn, mlp"):
        advise("gan")


@pytest.mark.parametrize("module", ["units", "gradients", "monitor", "advice"])
def test_the_examples_of_the_documentation_run(module):
    module = getattr(__import__(f"jaxact.diagnostics.{module}").diagnostics, module)
    names = {"jax": jax, "jnp": jnp, "jaxact": jaxact, "nnx": nnx}
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        printed.check(doctest.DocTestFinder().find(module, extraglobs=names))


def test_the_room_is_entered_when_it_is_named():
    assert "diagnostics" in dir(jaxact)
    assert diagnostics.unit_report is unit_report
