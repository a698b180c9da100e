"""What an activation does to a signal at initialisation: moments, gains, and mean-field maps.

Everything rests on expectations over a normal pre-activation x. They are integrals in float64 on
panels that begin at the kinks and are bisected until they agree with themselves; value and slope
come from the function itself, so they are right in the tails too. All functions here run on the
host, return Python numbers, and may be called while JAX traces.
"""

import difflib
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.nn.initializers import Initializer, variance_scaling

from ._arguments import require
from ._catalog import CATALOG, Entry

Activation = str | Callable[..., Any]

_ELEMENTWISE = ("elementwise", "random")  # a random function in evaluation, without its key


class Moments(NamedTuple):
    """Expectations over a normal input.

    Attributes:
        mean: E[f(x)].
        square: E[f(x)²].
        slope_square: E[f'(x)²], with the slope almost everywhere: jumps of f do not count.
    """

    mean: float
    square: float
    slope_square: float

    @property
    def variance(self) -> float:
        """E[f(x)²] - E[f(x)]²."""
        return self.square - self.mean**2


def moments(
    f: Activation, mean: float = 0.0, variance: float = 1.0, **parameters: Any
) -> Moments:
    """Expectations of an activation and its slope over a normal input.

        E[g(x)] = ∫ g(mean + sqrt(variance) z) exp(-z²/2) / sqrt(2π) dz    for g = f, f², f'²

    Args:
        f: a function of the catalogue or its name; or any function of one number that JAX can
            trace and differentiate.
        mean: the mean of the input.
        variance: the variance of the input, positive.
        **parameters: parameters of the activation, as numbers. One that has no default takes the
            catalogue's typical value.

    Returns:
        The three expectations. One that does not exist, or leaves float64 within 37 standard
        deviations, is NaN.

    Accuracy:
        1e-10 of E[abs(g)] for every function of the catalogue. The same for any function that is
        smooth but for some kinks and computed in the dtype of its argument, float64 here; what is
        computed in fewer bits is right to those bits.

    Raises:
        ValueError: if `f` is unknown or not elementwise, a parameter is unknown or an array, or
            `variance` is not positive and finite.

    Example:
        >>> jaxact.theory.moments("relu").square
        0.5
    """
    activation = _activation("moments", f, parameters)
    _require_variance("moments", "variance", variance)
    require(math.isfinite(mean), "jaxact.theory.moments", "mean", mean, "be finite")
    return Moments(*_moments(activation, mean, variance)[:, 0].tolist())


def gain(
    f: Activation, mode: Literal["forward", "backward"] = "forward", **parameters: Any
) -> float:
    """The scale that carries a signal of unit variance through an activation unchanged.

        forward: 1 / sqrt(E[f(z)²])        backward: 1 / sqrt(E[f'(z)²])        z ~ N(0, 1)

    With weights of variance gain² / fan_in behind f, pre-activations of variance 1 lead to
    pre-activations of variance 1; with gain² / fan_out and the backward gain, gradients keep theirs.

    Args:
        f: a function of the catalogue or its name, or any function of one number.
        mode: what to keep, the second moment of the signal ("forward") or of its gradient
            ("backward").
        **parameters: parameters of the activation, as numbers.

    Returns:
        The gain: sqrt(2) for relu in both modes, sqrt(2 / (1 + a²)) for leaky_relu with slope a,
        1 for selu forward.

    Note:
        torch.nn.init.calculate_gain knows a few functions, and gives some of them conventional
        numbers: 5/3 for tanh (1.593 here), 3/4 for selu (1), 1 for sigmoid (1.846).

    Raises:
        ValueError: as `moments`; if `mode` is unknown; if the moment is zero or does not exist.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, section 2.2

    Example:
        >>> round(jaxact.theory.gain("gelu"), 6)
        1.533583
    """
    _require_member("gain", "mode", mode, ("forward", "backward"))
    _, square, slope_square = moments(f, **parameters)
    return _gain(f, E_f2=square) if mode == "forward" else _gain(f, E_slope2=slope_square)


def initializer(
    f: Activation,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal",
    **parameters: Any,
) -> Initializer:
    """An initializer for the kernel of a layer whose input is the output of `f`.

        fan_in:  variance 1 / (fan_in E[f²])            keeps the signal
        fan_out: variance 1 / (fan_out E[f'²])          keeps the gradient
        fan_avg: variance 2 / (fan_avg (E[f²] + E[f'²]))    keeps both where they can be kept

    Args:
        f: a function of the catalogue or its name, or any function of one number.
        mode: which number of connections to count, and with it what to keep.
        distribution: "truncated_normal" (cut at two standard deviations, with the variance
            corrected), "normal" or "uniform".
        **parameters: parameters of the activation, as numbers.

    Returns:
        A `jax.nn.initializers.Initializer`: pass it as `kernel_init` in Flax NNX or Linen.

    Note:
        A first layer, which sees the data and no activation, takes `initializer("identity")`.

    Raises:
        ValueError: as `gain`, and if `distribution` is unknown.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, section 2.2, for any activation; the
        average is that of Glorot & Bengio, AISTATS 2010.

    Example:
        >>> init = jaxact.theory.initializer("relu")
        >>> init(jax.random.key(0), (256, 128)).shape
        (256, 128)
    """
    _require_member("initializer", "mode", mode, ("fan_in", "fan_out", "fan_avg"))
    _require_member(
        "initializer", "distribution", distribution, ("truncated_normal", "normal", "uniform")
    )
