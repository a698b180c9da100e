"""Shrinkage: functions that silence small inputs and let the large ones pass."""

import itertools
from fractions import Fraction

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT, is_short, polynomial, rounded_down, two_parts
from .._catalog import activation
from .._derivatives import FromMask, FromOutput, Kernel


@activation(
    formula=lambda math, x, lambd=0.5: math.where(math.abs(x) > lambd, x, 0 * x),
    source="Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994",
    samples=({"lambd": 0.5}, {"lambd": 0.1}),
    kinks=lambda lambd=0.5: {-lambd: 0.0, lambd: 0.0},
    elsewhere={
        "torch:hardshrink": {},
        "keras:hard_shrink": {},
        "onnx:Shrink": {},
    },
)
def hard_shrink(x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """Hard shrinkage: passes inputs of a magnitude above a threshold, 0 for all others.

        hard_shrink(x) = x if abs(x) > lambd, else 0
        hard_shrink'(x) = 1 if abs(x) > lambd, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        lambd: the threshold, not negative; a number, or an array that broadcasts against x. The
            output jumps there, so its gradient is 0.

    Returns:
        Array of the shape of `x` (and `lambd`, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact in every dtype.

    Edges:
        At -lambd and lambd the output and the slope are 0. hard_shrink(-inf) = -inf,
        hard_shrink(inf) = inf. NaN gives NaN, with slope 0. (ONNX calls it Shrink, and with a bias
        of lambd that is `soft_shrink`.)

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `lambd` is a number and negative, or does not broadcast.

    Source:
        Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994

    Example:
        >>> jaxact.hard_shrink(jnp.array([-2.0, 0.25, 0.5, 1.0]))
        Array([-2.,  0.,  0.,  1.], dtype=float32)
    """
    _require_not_negative("hard_shrink", lambd)
    return HARD_SHRINK(x, lambd)


def _require_not_negative(name: str, lambd: ArrayLike) -> None:
    if is_number(lambd):
        require(lambd >= 0, f"jaxact.{name}", "lambd", lambd, "not be negative")


def _hard_shrink(ops, x, lambd):
    return jnp.where(jnp.abs(x) <= rounded_down(lambd, x), jnp.zeros_like(x), x)


def _is_large(ops, x, lambd):
    return jnp.abs(x) > rounded_down(lambd, x)


def _one_if_large(ops, x, lambd):
    return jnp.where(_is_large(ops, x, lambd), 1.0, 0.0)


def _is_not_zero(ops, y, lambd):
    return jnp.abs(y) > 0


def _one_if_not_zero(ops, y, lambd):
    return jnp.where(_is_not_zero(ops, y, lambd), 1.0, 0.0)


_MASK = FromMask(
    _is_large,
    lambda ops, mask, lambd: jnp.where(mask, 1.0, 0.0),
    from_output=_is_not_zero,
)

HARD_SHRINK = Kernel(
    _hard_shrink,
    x=_one_if_large,
    output=FromOutput(_one_if_not_zero, exact=True, holds=lambda lambd: lambd >= 0),
    mask=_MASK,
    exact=is_short,
)


@activation(
    formula=lambda math, x, lambd=0.5: math.where(
        x > lambd, x - lambd, math.where(x < -lambd, x + lambd, 0 * x)
    ),
    source="Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994",
    samples=({"lambd": 0.5}, {"lambd": 0.1}),
    kinks=lambda lambd=0.5: {-lambd: 0.0, lambd: 0.0},
    ulps=(1.0, 0.0, 0.0),
    elsewhere={"torch:softshrink": {}, "keras:soft_shrink": {}},
)
def soft_shrink(x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """Soft shrinkage: brings every input nearer to 0 by a threshold, and the small ones to 0.

        soft_shrink(x) = sign(x) * max(0, abs(x) - lambd)
        soft_shrink'(x) = 1 if abs(x) > lambd, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        lambd: the threshold, not negative; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `lambd`, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 1 ULP, also beside the threshold; slope exact. 16 bits: correctly rounded.

    Edges:
        The slope at -lambd and lambd is 0. soft_shrink(-inf) = -inf, soft_shrink(inf) = inf. NaN
        gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `lambd` is a number and negative, or does not broadcast.

    Source:
        Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994

    Example:
        >>> jaxact.soft_shrink(jnp.array([-2.0, 0.25, 0.5, 1.0]))
        Array([-1.5,  0. ,  0. ,  0.5], dtype=float32)
    """
    _require_not_negative("soft_shrink", lambd)
    return SOFT_SHRINK(x, lambd)


def _soft_shrink(ops, x, lambd):
    rest = -ops.distance(
        two_parts(lambd, x), jnp.abs(x)
    )  # its sign is exact, also at the threshold
    return jnp.where(rest <= 0, jnp.zeros_like(x), ops.with_sign(rest, x))


SOFT_SHRINK = Kernel(
    _soft_shrink,
    x=_one_if_large,
    lambd=lambda ops, x, lambd: jnp.where(_is_large(ops, x, lambd), -jnp.sign(x), 0.0),
    # Where lambd is no short number, an output may be too small for 16 bits, and look like 0.
    output=FromOutput(
        _one_if_not_zero, exact=True, holds=lambda lambd: lambd >= 0 and is_short(lambd)
    ),
    mask=_MASK,
)


@activation(
    formula=lambda math, x: x - math.tanh(x),
    source="elementary; torch.nn.Tanhshrink",
    ulps=(3.5, 5.5, 6.0),
    elsewhere={"torch:tanhshrink": {}, "keras:tanh_shrink": {}},
)
def tanh_shrink(x: ArrayLike) -> Array:
    """Tanh shrinkage: what tanh takes from the input; small inputs become cubically smaller.

        tanh_shrink(x) = x - tanh(x)        tanh_shrink'(x) = tanh(x)^2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 3.5, slope 5.5, curvature 6 ULP, also near 0, where the difference cancels to
        x^3 / 3. 16 bits: correctly rounded but for at most 2 of the 65,536 inputs.

    Edges:
        tanh_shrink(-inf) = -inf, tanh_shrink(inf) = inf, with slope 1. NaN gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `x` is complex.

    Source:
        elementary; torch.nn.Tanhshrink

    Example:
        >>> jaxact.tanh_shrink(jnp.array([-1.0, 0.001, 2.0]))
        Array([-2.3840584e-01,  3.3333328e-10,  1.0359724e+00], dtype=float32)
    """
    return TANH_SHRINK(x)


def _convergent(levels: int) -> tuple[list[float], list[float]]:
    """Polynomials in w = x^2, highest power first: x - tanh(x) is x w (1/3 - w first / second).

    From Lambert's continued fraction tanh(x) = x / (1 + w / (3 + w / (5 + ...))), after so many
    levels. All coefficients are positive: nothing cancels but for two fifths of 1/3.
    """

    def next_one(odd: int, last: list[int], before: list[int]) -> list[int]:
        shifted = [0, *before]
        return [odd * a + b for a, b in itertools.zip_longest(last, shifted, fillvalue=0)]

    below, below_before, above, above_before = [1], [1], [1], [0]
    for odd in range(3, 2 * levels + 2, 2):
        below, below_before = next_one(odd, below, below_before), below
        above, above_before = next_one(odd, above, above_before), above
    rest = [a - b for a, b in itertools.zip_longest(below, above, fillvalue=0)][1:]
    first = [Fraction(b, 3) - a for a, b in itertools.zip_longest(rest, below, fillvalue=0)][1:]
    while not first[-1]:
        first.pop()
    first, second = ([float(Fraction(c) / below[0]) for c in p] for p in (first, below))
    return first[::-1], second[::-1]


_CONVERGENTS = {4: _convergent(5), 8: _convergent(9)}  # by the size of a number, for abs(x) < 1


def _tanh_shrink(ops, x):
    a = ops.absolute(x)
    series, scale = _CONVERGENTS[x.dtype.itemsize]
    small = ops.at_most(a, 1.0)
    w = small * small
    near = ops.at_most(a, 25.0)  # exp(-50) is nothing beside 1
    e = ops.exp(-2 * near)
    cube = small * w
    above = jnp.where(a < 1, cube * w * polynomial(w, *series), (a - 1) + e * (near + 1))
    ratio = above / jnp.where(a < 1, polynomial(w, *scale), 1 + e)
    return ops.with_sign(jnp.where(a < 1, cube * (1 / 3) - ratio, ratio), x)


def _tanh_shrink_slope(ops, x):
    t = ops.tanh(x)
    return t * t


def _tanh_shrink_curvature(ops, x):
    lifted, minus = ops.exp_and_expm1(-ops.absolute(ops.reach(2 * x)), lift=LIFT)
    q = 1 + lifted * DROP
    return ops.with_sign(8 * lifted * -minus / (q * (q * q)) * DROP, x)


TANH_SHRINK = Kernel(_tanh_shrink, x=Kernel(_tanh_shrink_slope, x=_tanh_shrink_curvature))
