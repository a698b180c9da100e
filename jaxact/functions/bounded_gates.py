"""Gates that keep bounds: the value within a limit or a cap, the gate below one.

So what a closing exponential multiplies is bounded, and the exponential may be lifted.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, require
from .._arithmetic import DROP, LIFT
from .._beside_roots import beside_root
from .._catalog import activation
from .._derivatives import Kernel, named
from .._layouts import Layout, pair
from .gates import root_decay, silu_curvature_times, silu_slope_times, silu_times
from .soft_cap import capped, lifted_curvature, lifted_slope


@activation(
    formula=lambda math, gate, value, limit=7.0, alpha=1.702, offset=1.0: (
        (math.maximum(math.minimum(value, limit), -limit) + offset)
        * math.minimum(gate, limit)
        / (1 + math.exp(-alpha * math.minimum(gate, limit)))
    ),
    source="OpenAI, gpt-oss, 2025, arXiv:2508.10925",
    kind="gate",
    samples=(
        {"limit": 7.0, "alpha": 1.702, "offset": 1.0},
        {"limit": 10.0, "alpha": 1.0, "offset": 0.0},
    ),
    ulps=(3.0, 4.5, 7.0),
)
def clamped_swiglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    limit: ArrayLike = 7.0,
    alpha: ArrayLike = 1.702,
    offset: ArrayLike = 1.0,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Clamped swish gate: a clamped value and an offset, times a clamped gate's swish.

        clamped_swiglu(gate, value) = (v + offset) * g * sigmoid(alpha * g),
        g = min(gate, limit), v = min(max(value, -limit), limit)

    The defaults are those of gpt-oss, whose checkpoints interleave gate and value: there pass
    layout="interleaved". DeepSeek-V4 and GLM-5 have alpha=1.0, offset=0.0 and a limit of 10.

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        limit: what the gate is kept below, and the value within, positive; a number, or an array
            that broadcasts against gate.
        alpha: how sharply the gate opens; a number, or an array that broadcasts against gate.
        offset: what is added to the value; likewise.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 3, slopes 4.5, second derivatives 7 ULP, tails included, away from the
        derivatives' own roots. 16 bits: half an ULP, and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        At a bound the slope is that inside. A gate of -inf closes: 0 for every value. NaN in either
        array gives NaN, with slope NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.
        ValueError: if `limit` is a number that is not positive, or if a parameter does not
            broadcast against `gate`.

    Source:
        OpenAI, gpt-oss, 2025, arXiv:2508.10925

    Example:
        >>> jaxact.clamped_swiglu(jnp.array([1.0, 9.0]), jnp.array([0.0, -9.0]))
        Array([  0.84579575, -41.99972   ], dtype=float32)
    """
    _require_positive("clamped_swiglu", "limit", limit)
    gate, value = pair("clamped_swiglu", gate, value, axis, layout)
    return CLAMPED_SWIGLU(gate, value, limit, alpha, offset)


@activation(
    formula=lambda math, gate, value, limit=7.0: (
        math.maximum(math.minimum(value, limit), -limit)
        * math.minimum(gate / (1 + math.exp(-gate)), limit)
    ),
    source="StepFun, Step-3.5-Flash, 2026, as vLLM's SwigluStepAndMul",
    kind="gate",
    samples=({"limit": 7.0},),
    ulps=(3.5, 5.0, 6.5),
)
def swiglu_step(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    limit: ArrayLike = 7.0,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Stepped swish gate: a clamped value, times a gate's swish that is clamped afterwards.

        swiglu_step(gate, value) = min(silu(gate), limit) * min(max(value, -limit), limit)

    In `clamped_swiglu` the gate is clamped before.

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        limit: what the gate's swish is kept below, and the value within, positive; a number, or an
            array that broadcasts against gate.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 3.5, slopes 5, second derivatives 6.5 ULP, tails included, away from the
        derivatives' own roots. 16 bits: half an ULP, and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        At a bound the slope is that inside. A gate of -inf closes: 0 for every value. NaN in either
        array gives NaN, with slope NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.
        ValueError: if `limit` is a number that is not positive, or does not broadcast against
            `gate`.

    Source:
        StepFun, Step-3.5-Flash, 2026, as vLLM's SwigluStepAndMul

    Example:
        >>> jaxact.swiglu_step(jnp.array([1.0, 9.0]), jnp.array([2.0, -9.0]))
        Array([  1.4621172, -49.       ], dtype=float32)
    """
    _require_positive("swiglu_step", "limit", limit)
    gate, value = pair("swiglu_step", gate, value, axis, layout)
    return SWIGLU_STEP(gate, value, limit)


@activation(
    formula=lambda math, gate, value, gate_cap=4.0, value_cap=25.0: (
        gate_cap
        * math.tanh(gate / gate_cap)
        / (1 + math.exp(-gate))
        * (value_cap * math.tanh(value / value_cap))
    ),
    source="Moonshot AI, Kimi K3, 2026, arXiv:2607.24653, equation 12",
    kind="gate",
    samples=({"gate_cap": 4.0, "value_cap": 25.0},),
    ulps=(6.5, 7.5, 10.0),
)
def situ_glu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    gate_cap: ArrayLike = 4.0,
    value_cap: ArrayLike = 25.0,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Sigmoid-tanh gate: a softly capped value, times a softly capped gate and its sigmoid.

        situ_glu(gate, value) = g * sigmoid(gate) * v,
        g = soft_cap(gate, gate_cap), v = soft_cap(value, value_cap)

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        gate_cap: what the gate is kept below, positive; a number, or an array that broadcasts
            against gate.
        value_cap: what the value is kept below; likewise.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 6.5, slopes 7.5, second derivatives 10 ULP, tails included, away from the
        derivatives' own roots. 16 bits: half an ULP, and 2^-10. (Of a gate_cap that is an array
        slopes and second derivatives are less exact about their roots.) Reverse mode keeps the two
        arrays.

    Edges:
        A gate of -inf closes: 0 for every value. NaN in either array gives NaN, with slope NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.
        ValueError: if a cap is a number that is not positive, or does not broadcast against
            `gate`.

    Source:
        Moonshot AI, Kimi K3, 2026, arXiv:2607.24653, equation 12

    Example:
        >>> jaxact.situ_glu(jnp.array([1.0, 9.0]), jnp.array([2.0, -90.0]))
        Array([  1.4293512, -97.64463  ], dtype=float32)
    """
    _require_positive("situ_glu", "gate_cap", gate_cap)
    _require_positive("situ_glu", "value_cap", value_cap)
    gate, value = pair("situ_glu", gate, value, axis, layout)
    return SITU_GLU(gate, value, gate_cap, value_cap)


def _require_positive(name: str, called: str, bound: ArrayLike) -> None:
    require(not is_number(bound) or bound > 0, f"jaxact.{name}", called, bound, "be positive")


# --- A function of the gate, times one of the value -----------------------------------------------


def _kernel(name: str, parameters: tuple[str, ...], gates, values) -> Kernel:
    """The kernel of f(gate) * v(value).

    Args:
        name: what errors call it.
        parameters: the arguments after gate and value, which all functions take.
        gates: f, f' and f'', each of (ops, gate, factor, *parameters) and times the factor.
        values: v, v' and v'', each of (ops, value, *parameters).
    """

    def derivative(by_gate: int, by_value: int) -> Callable[..., Array]:
        @named("gate", "value", *parameters)
        def product(ops, gate, value, *others):
            return gates[by_gate](ops, gate, values[by_value](ops, value, *others), *others)

        return product

    both = Kernel(derivative(1, 1), gate=derivative(2, 1), value=derivative(1, 2))
    return Kernel(
        derivative(0, 0),
        name=name,
        gate=Kernel(derivative(1, 0), gate=derivative(2, 0), value=both),
        value=Kernel(derivative(0, 1), gate=both, value=derivative(0, 2)),
    )


def _within(ops, value, limit, alpha=None, offset=0.0):
    return ops.clamp(value, -limit, limit) + offset


def _is_within(ops, value, limit, *others):
    return jnp.where(ops.absolute(value) > limit, 0.0, jnp.ones_like(value))


def _straight(ops, value, limit, *others):
    return jnp.zeros_like(value)


_CLAMPED = _within, _is_within, _straight

# --- Clamped before the swish ---------------------------------------------------------------------


def _clamped_swish(ops, gate, factor, limit, alpha, offset):
    near, closing = _closing(ops, gate, limit, alpha)
    closed = (factor * closing.lifted) * near * DROP
    return jnp.where(alpha * gate >= 0, factor * ops.at_most(gate, limit), closed) / (1 + closing.e)


def _clamped_swish_slope(ops, gate, factor, limit, alpha, offset):
    _, closing = _closing(ops, gate, limit, alpha)
    q = 1 + closing.e
    moderate = (closing.short_of(1.0) + closing.e) / (q * q)
    opened = alpha * gate > 0
    product = jnp.where(opened, closing.e, factor * closing.lifted) * moderate
    slope = jnp.where(opened, factor * (1 - product), product * DROP)
    return jnp.where(gate > limit, 0.0, slope)


def _clamped_swish_curvature(ops, gate, factor, limit, alpha, offset):
    _, closing = _closing(ops, gate, limit, alpha)
    q = 1 + closing.e
    moderate = (closing.short_of(2.0) + closing.e * (2 + closing.a)) / (q * (q * q))
    curvature = alpha * ((factor * closing.lifted) * moderate * DROP)
    return jnp.where(gate > limit, 0.0, curvature)


def _closing(ops, gate, limit, alpha):
    """The clamped gate, no farther than where the exponential vanishes, and the exponential."""
    near = ops.reach(ops.at_most(gate, limit), alpha)
    return near, ops.decay(near, alpha)


CLAMPED_SWIGLU = _kernel(
    "clamped_swiglu",
    ("limit", "alpha", "offset"),
    (_clamped_swish, _clamped_swish_slope, _clamped_swish_curvature),
    _CLAMPED,
)

# --- Clamped after the swish ----------------------------------------------------------------------


def _stepped(times: Callable[..., Array]) -> Callable[..., Array]:
    """Of a derivative of silu that of min(silu, limit)."""

    def derivative(ops, gate, factor, limit):
        return jnp.where(_silu(ops, gate) > limit, 0.0, times(ops, gate, factor))

    return derivative


def _silu(ops, gate):
    return silu_times(ops, gate, jnp.ones_like(gate))


def _step(ops, gate, factor, limit):
    is_above = _silu(ops, gate) > limit
    return jnp.where(is_above, factor * limit, silu_times(ops, gate, factor))


SWIGLU_STEP = _kernel(
    "swiglu_step",
    ("limit",),
    (_step, _stepped(silu_slope_times), _stepped(silu_curvature_times)),
    _CLAMPED,
)

# --- Capped softly --------------------------------------------------------------------------------
# f = T S with T = soft_cap(gate) and S = sigmoid(gate), of which D = S' = h^2 / (1 + h^2)^2.


def _situ(ops, gate, factor, cap, _):
    h = root_decay(ops, gate)
    top = factor * capped(ops, gate, cap)
    return jnp.where(gate >= 0, top, (top * h) * h) / (1 + h * h)


def _situ_slope(ops, gate, factor, cap, _):
    """T' S + T D; where the gate is closed S times T' + T (1 - S), beside its root a polynomial."""
    h = root_decay(ops, gate)
    q = 1 + h * h
    top, rise = capped(ops, gate, cap), lifted_slope(ops, gate, cap)
    opened = (factor * rise) / q * DROP + ((factor * top) * h) * h / (q * q)
    bracket = _beside(_exact_bracket, -1.4, ops, gate, cap, rise * DROP + top / q)
    return jnp.where(gate >= 0, opened, (factor * h) * (h * (bracket / q)))


def _situ_curvature(ops, gate, factor, cap, _):
    """T'' S + 2 T' D + T D', where D' = -D tanh(gate / 2); likewise."""
    h = root_decay(ops, gate)
    q = 1 + h * h
    top, rise = capped(ops, gate, cap), lifted_slope(ops, gate, cap)
    bend = lifted_curvature(ops, gate, cap)
    closing = -ops.expm1(-ops.at_most(ops.absolute(gate), -ops.lowest(gate)))
    fall = -ops.with_sign(closing, gate) / q
    others = (2 * rise * DROP + top * fall) / (q * q)
    lifted = bend / q + (others * h) * (h * 2.0**LIFT)
    opened = factor * _beside(_exact_lifted_curvature, 2.5, ops, gate, cap, lifted) * DROP
    bracket = _beside(_exact_bent_bracket, -2.5, ops, gate, cap, bend * DROP + others * q)
    return jnp.where(gate >= 0, opened, (factor * h) * (h * (bracket / q)))


def _beside(function, end: float, ops, gate, cap, far):
    """What has a root between 0 and an end, exact beside it too if the cap is a number."""
    if not isinstance(cap, float):
        return far
    return beside_root(function, 0.0, end, min(0.5, cap / 8), cap)(ops, gate, far)


def _exact_bracket(x, cap):
    e = (2 * x / cap).exp()
    t, s = (e - 1) / (e + 1), 1 / (1 + (-x).exp())
    return 1 - t * t + cap * t * (1 - s)


def _exact_bent_bracket(x, cap):
    e = (2 * x / cap).exp()
    t, s = (e - 1) / (e + 1), 1 / (1 + (-x).exp())
    rise = 1 - t * t
    return -2 / cap * t * rise + (1 - s) * (2 * rise + cap * t * (1 - 2 * s))


def _exact_lifted_curvature(x, cap):
    return 2**LIFT * _exact_bent_bracket(x, cap) / (1 + (-x).exp())


def _capped_value(ops, value, _, cap):
    return capped(ops, value, cap)


def _capped_value_slope(ops, value, _, cap):
    return lifted_slope(ops, value, cap) * DROP


def _capped_value_curvature(ops, value, _, cap):
    return lifted_curvature(ops, value, cap) * DROP


SITU_GLU = _kernel(
    "situ_glu",
    ("gate_cap", "value_cap"),
    (_situ, _situ_slope, _situ_curvature),
    (_capped_value, _capped_value_slope, _capped_value_curvature),
)
