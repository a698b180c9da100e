"""Dynamic ReLU: the largest of several lines, which a network chooses for each input."""

import functools
import itertools
import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import Rows, require, rows
from .._arithmetic import two_parts
from .._catalog import activation
from .._derivatives import FromMask, Kernel, named


def _kinks(slopes, intercepts) -> dict[float, float]:
    """Where the largest line changes, and the slope of the first of those that meet there."""
    lines = list(zip(slopes, intercepts, strict=True))
    found = {}
    for (a, b), (other, c) in itertools.combinations(lines, 2):
        if a != other:
            x = (c - b) / (a - other)
            heights = [slope * x + intercept for slope, intercept in lines]
            if max(heights) == a * x + b:
                found[x] = slopes[heights.index(max(heights))]
    return found


def _range(slopes, intercepts) -> tuple[float, float]:
    if not any(slopes):
        return max(intercepts), max(intercepts)
    if min(slopes) > 0 or max(slopes) < 0:
        return -math.inf, math.inf
    corners = _kinks(slopes, intercepts)
    heights = [max(a * x + b for a, b in zip(slopes, intercepts, strict=True)) for x in corners]
    level = [b for a, b in zip(slopes, intercepts, strict=True) if a == 0]
    return min([*heights, *level]), math.inf


@activation(
    formula=lambda math, x, slopes, intercepts: functools.reduce(
        math.maximum, [a * x + b for a, b in zip(slopes, intercepts, strict=True)]
    ),
    source="Chen et al., ECCV 2020, arXiv:2003.10027, equation 1",
    samples=(
        {"slopes": (1.0, 0.25), "intercepts": (0.0, 1.5)},
        {"slopes": (-0.5, 0.375, 2.0), "intercepts": (0.0, 0.4375, -1.1875)},
    ),
    kinks=_kinks,
    range=_range,
    ulps=(1.5, 0.5, 0.0),
)
def dynamic_relu(x: ArrayLike, slopes: Rows, intercepts: Rows) -> Array:
    """Dynamic ReLU: the largest of several lines, whose coefficients follow from the input.

        dynamic_relu(x) = max_k(slopes[k] * x + intercepts[k])

    The coefficients come from outside, as from a small network that sees the whole input: for the
    paper's form B they have the shape (pieces, batch, 1, 1, channels).

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        slopes: an entry for each line, along a leading axis: a sequence of numbers, or an array
            whose entries broadcast against x. Gradients are summed in float32 or wider.
        intercepts: the lines' values at 0, likewise; as many as slopes.

    Returns:
        Array of the shape of `x` (and the entries, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 1.5 ULP, also beside roots; slope half an ULP. 16 bits: half an ULP, and
        correctly rounded but for ties that an intercept decides which float32 has lost beside x.
        Reverse mode keeps a byte per element, or x if the coefficients are differentiated.

    Edges:
        Where lines meet, the first of them has the gradient. A line without a slope is its
        intercept at inf and -inf, too. NaN gives NaN, with the slope of the first line.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if there are not as many intercepts as slopes, none or more than 256, or if one
            does not broadcast.

    Source:
        Chen et al., ECCV 2020, arXiv:2003.10027, equation 1

    Example:
        >>> jaxact.dynamic_relu(jnp.array([-2.0, 1.0, 4.0]), (1.0, 0.25), (0.0, 1.5))
        Array([1.  , 1.75, 4.  ], dtype=float32)
    """
    a = rows("dynamic_relu", "slopes", slopes)
    b = rows("dynamic_relu", "intercepts", intercepts)
    require(0 < len(a) <= 256, "jaxact.dynamic_relu", "slopes", slopes, "have 1 to 256 entries")
    if len(a) != len(b):
        raise ValueError(
            f"jaxact.dynamic_relu: slopes has {len(a)} entries, but intercepts has {len(b)}: "
            "pass one for each"
        )
    return _kernel(len(a))(x, *a, *b)


@functools.cache
def _kernel(count: int) -> Kernel:
    """The kernel for so many lines: its parameters are all slopes, then all intercepts."""
    names = [f"{parameter}_{k}" for parameter in ("slopes", "intercepts") for k in range(count)]

    def lines(ops, x, parameters):
        return [
            _line(ops, x, a, b) for a, b in zip(parameters[:count], parameters[count:], strict=True)
        ]

    @named("x", *names)
    def _dynamic_relu(ops, x, *parameters):
        return functools.reduce(lambda a, b: jnp.where(b > a, b, a), lines(ops, x, parameters))

    @named("x", *names)
    def _winner(ops, x, *parameters):
        finite = ops.clamp(x, -(2.0**100), 2.0**100)  # at infinity lines are alike, before it not
        largest, *rest = lines(ops, jnp.where(jnp.isinf(x), finite, x), parameters)
        code = jnp.zeros(jnp.broadcast_shapes(largest.shape, x.shape), jnp.uint8)
        for k, line in enumerate(rest, 1):
            code = jnp.where(line > largest, np.uint8(k), code)
            largest = jnp.where(line > largest, line, largest)
        return code

    @named("winner", *names)
    def _slope(ops, winner, *parameters):
        return _chosen(winner, parameters[:count])

    def _by_parameters(ops, x, parameters, tangents):
        winner = _winner(ops, x, *parameters)
        return _chosen(winner, tangents[:count]) * x + _chosen(winner, tangents[count:])

    mask = FromMask(_winner, _slope)
    return Kernel(_dynamic_relu, mask=mask, by_parameters=_by_parameters)


def _line(ops, x, slope, intercept):
    """slope * x + intercept, exact also beside its root."""
    far = 2.0**60  # where nothing cancels, unless the coefficients are as large
    high, low = ops.product(ops.clamp(x, -far, far), slope)
    first, second = two_parts(intercept, x)
    near = (high + first) + (second if low is None else low + second)
    beyond = jnp.where(slope == 0, intercept, slope * x + intercept)
    return jnp.where(ops.absolute(x) > far, beyond, near)


def _chosen(winner, entries):
    """The entry of the line that wins."""
    result = jnp.where(winner == 0, entries[0], 0.0)
    for k, entry in enumerate(entries[1:], 1):
        result = jnp.where(winner == np.uint8(k), entry, result)
    return result
