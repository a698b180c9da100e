"""Piecewise linear units that learn where they bend, and how much."""

import functools
import math
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import Rows, is_number, require_ordered, rows
from .._arithmetic import two_parts
from .._catalog import activation
from .._derivatives import FromMask, Kernel, named


def _srelu_range(lower, lower_slope, upper, upper_slope) -> tuple[float, float]:
    ends = [math.copysign(math.inf, slope) for slope in (-lower_slope, upper_slope) if slope]
    return min(lower, upper, *ends), max(lower, upper, *ends)


@activation(
    formula=lambda math, x, lower, lower_slope, upper, upper_slope: math.where(
        x >= upper,
        upper + upper_slope * (x - upper),
        math.where(x <= lower, lower + lower_slope * (x - lower), x),
    ),
    source="Jin et al., AAAI 2016, arXiv:1512.07030",
    samples=(
        {"lower": -1.0, "lower_slope": 0.1, "upper": 1.0, "upper_slope": 0.3},
        {"lower": -0.4, "lower_slope": -0.6, "upper": 0.7, "upper_slope": 1.6},
    ),
    kinks=lambda lower, lower_slope, upper, upper_slope: {lower: lower_slope, upper: upper_slope},
    range=_srelu_range,
    ulps=(2.0, 0.5, 0.0),
)
def srelu(
    x: ArrayLike,
    lower: ArrayLike,
    lower_slope: ArrayLike,
    upper: ArrayLike,
    upper_slope: ArrayLike,
) -> Array:
    """S-shaped rectified linear unit: the identity, with slopes of its own at either end.

        srelu(x) = upper + upper_slope * (x - upper) if x >= upper
                   lower + lower_slope * (x - lower) if x <= lower, else x

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        lower: where the lower line ends, below `upper`; a number, or an array that broadcasts
            against x, as for all parameters. The gradients are summed in float32 or wider.
        lower_slope: the slope below it.
        upper: where the upper line begins.
        upper_slope: the slope above it.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32, with numbers for parameters: value 2 ULP, also beside roots; slope half an ULP.
        With arrays a line may cancel beside its root. 16 bits: correctly rounded. Reverse mode
        keeps a byte per element, or x if parameters are learned.

    Edges:
        The slope at the bends is that of the outer lines. With positive slopes
        srelu(-inf) = -inf, srelu(inf) = inf. NaN gives NaN, with slope 1.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if lower > upper where both are numbers, or if a parameter does not broadcast.

    Source:
        Jin et al., AAAI 2016, arXiv:1512.07030

    Example:
        >>> jaxact.srelu(jnp.array([-3.0, 0.5, 3.0]), -1.0, 0.25, 1.0, 0.5)
        Array([-1.5,  0.5,  2. ], dtype=float32)
    """
    require_ordered("jaxact.srelu", ("lower", lower), ("upper", upper))
    return SRELU(x, lower, lower_slope, upper, upper_slope)


def _line(ops, x, start, slope):
    """start + slope * (x - start), exact also beside its root where both parameters are numbers."""
    if is_number(start) and is_number(slope) and 0 < abs(start * slope) < math.inf:
        root = Fraction(start) * (1 - 1 / Fraction(slope))
        if abs(root) < 2.0**100:
            return -slope * ops.distance(two_parts(root, x), x)
    return start - slope * ops.distance(two_parts(start, x), x)


def _srelu(ops, x, lower, lower_slope, upper, upper_slope):
    below, above = _line(ops, x, lower, lower_slope), _line(ops, x, upper, upper_slope)
    return jnp.where(x >= upper, above, jnp.where(x <= lower, below, x))


def _srelu_by_lower_slope(ops, x, lower, lower_slope, upper, upper_slope):
    beyond = (x <= lower) & ~(x >= upper)
    return jnp.where(beyond, -ops.distance(two_parts(lower, x), x), 0.0)


def _srelu_by_upper_slope(ops, x, lower, lower_slope, upper, upper_slope):
    return jnp.where(x >= upper, -ops.distance(two_parts(upper, x), x), 0.0)


def _piece(ops, x, lower, lower_slope, upper, upper_slope):
    return jnp.where(x >= upper, np.uint8(2), jnp.where(x <= lower, np.uint8(0), np.uint8(1)))


def _slope_of_piece(ops, piece, lower, lower_slope, upper, upper_slope):
    return jnp.where(piece == 2, upper_slope, jnp.where(piece == 0, lower_slope, 1.0))


def _srelu_slope(ops, x, *parameters):
    return _slope_of_piece(ops, _piece(ops, x, *parameters), *parameters)


SRELU = Kernel(
    _srelu,
    x=named("x", "lower", "lower_slope", "upper", "upper_slope")(_srelu_slope),
    lower_slope=_srelu_by_lower_slope,
    upper_slope=_srelu_by_upper_slope,
    mask=FromMask(_piece, _slope_of_piece),
)


def _apl_range(slopes, hinges) -> tuple[float, float]:
    terms = list(zip(slopes, hinges, strict=True))
    corners = [max(0.0, x) + sum(a * max(0.0, b - x) for a, b in terms) for x in (0.0, *hinges)]
    ends = [math.copysign(math.inf, slope) for slope in (1.0, sum(slopes)) if slope]
    return min(*corners, *ends), max(*corners, *ends)


@activation(
    formula=lambda math, x, slopes, hinges: (
        math.where(x > 0, x, 0 * x)
        + sum(a * math.where(x < b, b - x, 0 * x) for a, b in zip(slopes, hinges, strict=True))
    ),
    source="Agostinelli, Hoffman, Sadowski & Baldi, arXiv:1412.6830, equation 1",
    samples=(
        {"slopes": (-0.2, 0.05), "hinges": (0.0, -1.0)},
        {"slopes": (0.3, -0.1, 0.25), "hinges": (0.5, 0.0, -0.7)},
    ),
    kinks=lambda slopes, hinges: {
        kink: float(kink > 0) - sum(a for a, b in zip(slopes, hinges, strict=True) if kink < b)
        for kink in {0.0, *hinges}
    },
    range=_apl_range,
    ulps=(3.0, 1.5, 0.0),
)
def apl(x: ArrayLike, slopes: Rows, hinges: Rows) -> Array:
    """Adaptive piecewise linear unit: a rectified linear unit plus a sum of hinges.

        apl(x) = max(0, x) + sum_s slopes[s] * max(0, hinges[s] - x)

    Any piecewise linear function that is the identity for large x is one of these.

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        slopes: an entry for each hinge, along a leading axis: a sequence of numbers, or an array
            whose entries broadcast against x, as of shape (hinges, features). That axis leads, so
            that features stay the last axis, and sharded as those of x. Gradients are summed in
            float32 or wider.
        hinges: where the hinges bend, likewise; as many as slopes.

    Returns:
        Array of the shape of `x` (and the entries, broadcast) and of the float dtype of `x`.

    Accuracy:
        float32: value 3 ULP, slope 1.5 ULP where no terms of opposite signs cancel, else in units
        of the largest term. 16 bits: correctly rounded. Reverse mode keeps a byte per element for
        up to 7 hinges, or x if there are more or if parameters are learned.

    Edges:
        Where a hinge bends its own slope is 0, and so is that of max(0, x). apl(inf) = inf;
        apl(-inf) is an infinity with the sign of the sum of slopes. NaN gives NaN, with slope 1.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if there are not as many hinges as slopes, or if one does not broadcast.

    Source:
        Agostinelli, Hoffman, Sadowski & Baldi, arXiv:1412.6830, equation 1

    Example:
        >>> jaxact.apl(jnp.array([-2.0, 0.5, 3.0]), slopes=(-0.25, 0.5), hinges=(0.0, 1.0))
        Array([1.  , 0.75, 3.  ], dtype=float32)
    """
    a, b = rows("apl", "slopes", slopes), rows("apl", "hinges", hinges)
    if len(a) != len(b):
        raise ValueError(
            f"jaxact.apl: slopes has {len(a)} entries, but hinges has {len(b)}: pass one for each"
        )
    return _apl_kernel(len(a))(x, *a, *b)


@functools.cache
def _apl_kernel(count: int) -> Kernel:
    """The kernel for so many hinges: its parameters are all slopes, then all hinges."""
    names = [f"{parameter}_{s}" for parameter in ("slopes", "hinges") for s in range(count)]

    def _within(ops, x):
        """x, but finite: terms of both signs are not infinite at once."""
        largest = float(jnp.finfo(x.dtype).max)
        return ops.clamp(x, -largest, largest)

    def _with_limits(ops, x, y):
        unbounded = jnp.isinf(x) & (jnp.abs(y) > math.sqrt(float(jnp.finfo(x.dtype).max)))
        return jnp.where(unbounded, ops.with_sign(jnp.full_like(y, jnp.inf), y), y)

    @named("x", *names)
    def _apl(ops, x, *parameters):
        near = _within(ops, x)
        y = jnp.where(near <= 0, jnp.zeros_like(x), near)
        for slope, hinge in zip(parameters[:count], parameters[count:], strict=True):
            rise = ops.distance(two_parts(hinge, x), near)
            y = y + slope * jnp.where(rise > 0, rise, 0.0)
        return _with_limits(ops, x, y)

    def _parts(ops, x, *parameters):
        near = _within(ops, x)
        y, low = jnp.where(near <= 0, jnp.zeros_like(x), near), jnp.zeros_like(x)
        for slope, hinge in zip(parameters[:count], parameters[count:], strict=True):
            fall, lost = ops.difference(near, hinge)
            ahead = fall < 0
            term, rest = ops.product(jnp.where(ahead, fall, 0.0), slope)
            rest = (0.0 if rest is None else rest) + slope * jnp.where(ahead, lost, 0.0)
            y, lost = ops.difference(y, term)
            low = low + (lost - rest)
        return _with_limits(ops, x, y), low

    @named("x", *names)
    def _pieces(ops, x, *parameters):
        code = (~(x <= 0)).astype(jnp.uint8)
        for s, hinge in enumerate(parameters[count:]):
            code = code + (x < hinge).astype(jnp.uint8) * np.uint8(2 << s)
        return code

    @named("pieces", *names)
    def _slope(ops, pieces, *parameters):
        total = jnp.where(pieces & np.uint8(1) > 0, 1.0, 0.0)
        for s, slope in enumerate(parameters[:count]):
            total = total - jnp.where(pieces & np.uint8(2 << s) > 0, slope, 0.0)
        return total

    def _by_parameters(ops, x, parameters, tangents):
        y = jnp.zeros_like(x)
        for s, (slope, hinge) in enumerate(
            zip(parameters[:count], parameters[count:], strict=True)
        ):
            rise = hinge - x
            along = tangents[s] * rise + slope * tangents[count + s]
            y = y + jnp.where(rise > 0, along, 0.0)
        return y

    mask = FromMask(_pieces, _slope) if count < 8 else None
    return Kernel(_apl, mask=mask, by_parameters=_by_parameters, double_float_value=_parts)
