"""What came of one activation, and how it is summed up in words and numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from _training import Epoch
from _units import LayerUnits

from jaxact.diagnostics.units import DEAD, SATURATED

TARGET = 0.95  # accuracy
VANISHING = 0.01  # of the last layer's gradient norm
MANY_DEAD = 0.25  # of the units


@dataclass(frozen=True)
class Result:
    """What came of the networks of one activation with one learning rate.

    Attributes:
        activation: Its name.
        rate: The learning rate.
        epochs: What happened in each epoch.
        layers: What became of the units of each convolution.
        num_parameters: Learnt numbers in one network.
        networks_per_second: How many networks of this activation learnt in a second, of all
            learning rates together, compilation left out.
    """

    activation: str
    rate: float
    epochs: list[Epoch]
    layers: list[LayerUnits]
    num_parameters: int
    networks_per_second: float

    @property
    def accuracy(self) -> np.ndarray:
        """Share of held-out images classified correctly in the end, one per seed."""
        return self.epochs[-1].accuracy

    @property
    def epochs_to_target(self) -> int | None:
        """Epochs until the mean accuracy over the seeds first reached the target, if it did."""
        reached = [n for n, epoch in enumerate(self.epochs, 1) if epoch.accuracy.mean() >= TARGET]
        return reached[0] if reached else None

    @property
    def gradient_ratio(self) -> float:
        """Gradient norm of the first layer over that of the last, in the first epoch."""
        norms = self.epochs[0].gradient_norms.mean(0)
        with np.errstate(divide="ignore", invalid="ignore"):  # constant images leave no gradient
            return float(norms[0] / norms[-1])

    @property
    def dead(self) -> float:
        """Share of dead units in the network."""
        return _over_units(self.layers, [layer.dead for layer in self.layers])

    @property
    def saturated(self) -> float:
        """Share of saturated units in the network."""
        return _over_units(self.layers, [layer.saturated for layer in self.layers])

    @property
    def milliseconds_per_step(self) -> float:
        """Time of one training step of all networks together, the median over the epochs."""
        return 1e3 * float(np.median([epoch.seconds_per_step for epoch in self.epochs]))


def at_best_rates(results: list[Result]) -> list[Result]:
    """Returns the result of each activation at the learning rate with the lowest training loss."""

    def final_loss(result: Result) -> float:
        loss = result.epochs[-1].loss.mean()
        return float(loss) if np.isfinite(loss) else np.inf

    names = dict.fromkeys(result.activation for result in results)
    return [min((r for r in results if r.activation == name), key=final_loss) for name in names]


def _over_units(layers: list[LayerUnits], shares: list[np.ndarray]) -> float:
    return float(np.average([s.mean() for s in shares], weights=[layer.size for layer in layers]))


def shortfall(result: Result) -> str | None:
    """Returns why the target was missed, judging from what was measured; None if it was not."""
    accuracy, epochs = result.accuracy.mean(), result.epochs
    if accuracy >= TARGET:
        return None
    diverged = int(np.sum(~np.isfinite(epochs[-1].loss)))
    if diverged:
        why = f"the loss overflowed in {diverged} of {len(result.accuracy)} networks"
        remedy = "a smaller learning rate or a clipped gradient is the cure to try"
    elif result.gradient_ratio < VANISHING:
        why = (
            f"the gradient vanished: in the first epoch the first layer received "
            f"{result.gradient_ratio:.2g} of the gradient norm of the last"
        )
        remedy = "normalization, fewer layers or an activation that does not saturate help"
    elif result.dead > MANY_DEAD:
        why = f"{percent(result.dead)} of the units are dead"
        remedy = "a smaller learning rate or an activation with a slope left of zero helps"
    elif _still_learning(epochs):
        why, remedy = "it was still learning in the end", "more epochs are the cure to try"
    else:
        why = "it came to rest without vanishing gradients and without many dead units"
        remedy = "look at the learning rate, the depth and the data"
    return f"{why}; {remedy}"


def after(result: Result, epochs: int) -> str:
    """Returns when training was interrupted, in words."""
    return f"after {len(result.epochs)} of {epochs} epochs"


def _still_learning(epochs: list[Epoch]) -> bool:
    """Returns whether the loss fell by a tenth or more over the last quarter of the epochs."""
    if len(epochs) == 1:
        return True
    earlier = epochs[-1 - max(1, len(epochs) // 4)]
    return epochs[-1].loss.mean() < 0.9 * earlier.loss.mean()


def percent(share: float) -> str:
    """Returns a share in per cent, to one decimal."""
    return f"{share:.1%}"


class Column(NamedTuple):
    """A column of the table of results: its title, what it says of a result, and what it means."""

    title: str
    cell: Callable[[Result], str]
    meaning: str = ""


COLUMNS = [
    Column("activation", lambda result: result.activation),
    Column(
        "test accuracy",
        lambda result: f"{100 * result.accuracy.mean():.3g} ± {100 * result.accuracy.std():.1f}%",
        "Share of the held-out images classified correctly after the last epoch.",
    ),
    Column(
        f"epochs to {TARGET:.0%}",
        lambda result: str(result.epochs_to_target or "never"),
        "Until the mean accuracy over the seeds first reached it.",
    ),
    Column(
        "dead units",
        lambda result: percent(result.dead),
        f"For no training image is the slope of the activation there above {DEAD:g}: the unit "
        "learns no more.",
    ),
    Column(
        "saturated units",
        lambda result: percent(result.saturated),
        f"Over the training images the mean slope there is at most {SATURATED:g}. Dead units are "
        "among them.",
    ),
    Column(
        "gradient ratio",
        lambda result: f"{result.gradient_ratio:.2g}",
        "Norm of the gradient of the first convolution's weights over that of the readout's, in "
        "the first epoch, before clipping.",
    ),
    Column(
        "parameters", lambda result: f"{result.num_parameters:,}", "Learnt numbers in one network."
    ),
    Column(
        "ms per step",
        lambda result: f"{result.milliseconds_per_step:.1f}",
        "One training step of all networks of the activation together, median over the epochs, "
        "without compilation.",
    ),
    Column(
        "trained per s",
        lambda result: f"{result.networks_per_second:.2g}",
        "Networks of the activation, of all seeds and learning rates, over the seconds that it "
        "took to train them together, without compilation.",
    ),
]
