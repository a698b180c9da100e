"""Jumps at a threshold that learns: what stands in for slopes that are 0 or nowhere.

The only derivatives here that are not those of their function. By the threshold a jump has none; a
kernel density estimate of what it does to an expected loss takes its place.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import number, require, wrong_type
from .._arithmetic import is_short, rounded_down
from .._catalog import activation
from .._derivatives import FromMask, FromOutput, Kernel


@activation(
    formula=lambda math, x, threshold, bandwidth=1e-3: math.where(x > threshold, x, 0 * x),
    source="Rajamanoharan et al., arXiv:2407.14435, equation 11",
    samples=({"threshold": 0.5, "bandwidth": 0.25}, {"threshold": 0.1, "bandwidth": 0.001}),
    kinks=lambda threshold, bandwidth=1e-3: {threshold: 0.0},
    range=lambda threshold, bandwidth=1e-3: (min(threshold, 0.0), float("inf")),
    pseudo=("threshold",),
)
def jump_relu(x: ArrayLike, threshold: ArrayLike, bandwidth: float = 1e-3) -> Array:
    """Jump ReLU: passes inputs above a learned threshold, and gives 0 for all others.

        jump_relu(x) = x if x > threshold, else 0        jump_relu'(x) = 1 if x > threshold, else 0
        d jump_relu(x) / d threshold, in place of a slope that it has not:
        -threshold / bandwidth if abs(x - threshold) < bandwidth / 2, else 0

    The last is a pseudo-derivative: no derivative of this function, but an estimate, by a rectangle
    of that width, of what the threshold does to the mean over many x. `thresholded_relu` is the
    same function, and has none.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        threshold: above what x passes; a number, or an array that broadcasts against x.
        bandwidth: how far from the threshold, in all, an x moves it; a positive number.

    Returns:
        Array of the shape of `x` (and `threshold`, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact in every dtype.

    Edges:
        At the threshold the output and the slope are 0. jump_relu(-inf) = 0, jump_relu(inf) = inf.
        NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex, or if `bandwidth` is no number.
        ValueError: if `bandwidth` is a number that is not positive, or if `threshold` does not
            broadcast against `x`.

    Source:
        Rajamanoharan et al., arXiv:2407.14435, equation 11

    Example:
        >>> jax.value_and_grad(jaxact.jump_relu, 1)(1.0, 0.75, 1.0)
        (Array(1., dtype=float32, weak_type=True), Array(-0.75, dtype=float32, weak_type=True))
    """
    return JUMP_RELU(x, threshold, _width("jump_relu", bandwidth))


@activation(
    formula=lambda math, x, threshold, bandwidth=1e-3: math.where(x > threshold, 0 * x + 1, 0 * x),
    source="Rajamanoharan et al., arXiv:2407.14435, equation 12",
    samples=({"threshold": 0.5, "bandwidth": 0.25}, {"threshold": 0.1, "bandwidth": 0.001}),
    kinks=lambda threshold, bandwidth=1e-3: {threshold: 0.0},
    range=lambda threshold, bandwidth=1e-3: (0.0, 1.0),
    pseudo=("threshold",),
)
def jump_step(x: ArrayLike, threshold: ArrayLike, bandwidth: float = 1e-3) -> Array:
    """Step at a learned threshold: 1 where `jump_relu` passes its input, 0 elsewhere.

        jump_step(x) = 1 if x > threshold, else 0        jump_step'(x) = 0
        d jump_step(x) / d threshold, in place of a slope that it has not:
        -1 / bandwidth if abs(x - threshold) < bandwidth / 2, else 0

    The last is a pseudo-derivative, as that of `jump_relu`. The sum over features is the penalty of
    sparse autoencoders, the number of those that are active.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        threshold: above what x counts; a number, or an array that broadcasts against x.
        bandwidth: how far from the threshold, in all, an x moves it; a positive number.

    Returns:
        Array of the shape of `x` (and `threshold`, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact in every dtype.

    Edges:
        At the threshold the output is 0. jump_step(-inf) = 0, jump_step(inf) = 1. NaN gives NaN,
        with slope 0.

    Raises:
        TypeError: if `x` is complex, or if `bandwidth` is no number.
        ValueError: if `bandwidth` is a number that is not positive, or if `threshold` does not
            broadcast against `x`.

    Source:
        Rajamanoharan et al., arXiv:2407.14435, equation 12

    Example:
        >>> jax.value_and_grad(jaxact.jump_step, 1)(1.0, 0.75, 1.0)
        (Array(1., dtype=float32, weak_type=True), Array(-1., dtype=float32, weak_type=True))
    """
    return JUMP_STEP(x, threshold, _width("jump_step", bandwidth))


def _width(name: str, bandwidth: float) -> float:
    width = number(bandwidth, name, "bandwidth")
    if width is None:
        raise wrong_type(name, "bandwidth", bandwidth, "be a Python number")
    remedy = "be positive and finite"
    require(0 < width < float("inf"), f"jaxact.{name}", "bandwidth", bandwidth, remedy)
    return width


def _jump_relu(ops, x, threshold, bandwidth):
    return jnp.where(x <= rounded_down(threshold, x), jnp.zeros_like(x), x)


def _jump_step(ops, x, threshold, bandwidth):
    above = _is_above(ops, x, threshold, bandwidth)
    return jnp.where(above, jnp.ones_like(x), jnp.where(x != x, x, jnp.zeros_like(x)))


def _is_above(ops, x, threshold, bandwidth):
    return x > rounded_down(threshold, x)


def _one_if_above(ops, x, threshold, bandwidth):
    return jnp.where(_is_above(ops, x, threshold, bandwidth), 1.0, 0.0)


def _none(ops, x, threshold, bandwidth):
    return jnp.zeros_like(x)


def _density(ops, x, threshold, bandwidth):
    """The rectangle kernel about the threshold."""
    return jnp.where(ops.absolute(x - threshold) < 0.5 * bandwidth, 1 / bandwidth, 0.0)


def _jump_relu_by_threshold(ops, x, threshold, bandwidth):
    return -threshold * _density(ops, x, threshold, bandwidth)


def _jump_step_by_threshold(ops, x, threshold, bandwidth):
    return -_density(ops, x, threshold, bandwidth)


JUMP_RELU = Kernel(
    _jump_relu,
    x=_one_if_above,
    threshold=_jump_relu_by_threshold,
    mask=FromMask(_is_above, lambda ops, mask, threshold, bandwidth: jnp.where(mask, 1.0, 0.0)),
    exact=lambda threshold, bandwidth: is_short(threshold),
)
JUMP_STEP = Kernel(
    _jump_step,
    x=_none,
    threshold=_jump_step_by_threshold,
    output=FromOutput(_none, exact=True, holds=lambda threshold, bandwidth: True),
    exact=lambda threshold, bandwidth: is_short(threshold),
)
