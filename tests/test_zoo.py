"""The zoo: what people really train is judged as an expert would, and a healthy model let alone."""

import pytest
from zoo.models import ZOO
from zoo.training import HEALTHY, diagnosis, states

pytestmark = pytest.mark.usefixtures("standard_promotion")


def check(name: str, *, training: bool) -> None:
    """Asserts that each state of a model is judged as an expert judges it."""
    model = ZOO[name]
    for state, opinion, weights in states(model, training=training):
        _, gradients, advice = diagnosis(model, weights)
        told = "\n".join(map(str, advice))
        if opinion is HEALTHY:
            assert not advice, f"{state}: {told}"
        assert opinion.finding in told, f"{state}: {told}"
        assert opinion.verdict in (None, gradients.verdict), f"{state}: {gradients.reason}"


# On every change: convolutions, gates, attention, a scan, recurrence, units that die.
EVERY_CHANGE = ("unet", "gemma", "vit", "mamba", "plain rnn", "sparse autoencoder")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in EVERY_CHANGE else pytest.mark.thorough)
        for name in ZOO
    ],
)
def test_a_model_is_judged_as_an_expert_judges_it(name):
    check(name, training=False)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ZOO)
def test_a_model_that_was_trained_is_let_alone(name):
    check(name, training=True)
