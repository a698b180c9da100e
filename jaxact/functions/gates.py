"""Gates: one array times a function of another.

An exponential that closes a gate is the square of a root h, which is normal wherever the product of
the square with a large array is: (large * h) * h keeps its tail without scaling.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _gelu_exponent as curve, _normal as normal
from .._arguments import as_array, axis_index, flag, is_number, real, require, whole
from .._arithmetic import DROP
from .._catalog import activation
from .._derivatives import Kernel
from .._trace_names import jitted


@activation(
    formula=lambda math, x, gate: x / (1 + math.exp(-gate)),
    source="Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083",
    kind="gate",
    ulps=(4.0, 5.0, 7.0),
    elsewhere={"torch:glu": {}, "keras:glu": {}},
)
def glu(x: ArrayLike, axis: int = -1, *, gate: ArrayLike | None = None) -> Array:
    """Gated linear unit: one half of the features, times the sigmoid of the other half.

        glu(x) = a * sigmoid(b), where a is the first half of x along the axis and b the second
        glu(x, gate=b) = x * sigmoid(b)

    The two arrays need no communication where features are sharded: halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        x: pre-activations of any real dtype, with an even number of features along `axis`; with
            `gate`, of any shape. Integers become the default float.
        axis: the axis to be split; of no effect with `gate`.
        gate: what opens the gate, an array that broadcasts against x; by default the second half.

    Returns:
        Array of the float dtype of `x` with half the features along `axis`; with `gate`, of the
        shape of `x` (and `gate`, broadcast).

    Accuracy:
        float32: value 4, slopes 5, second derivatives 7 ULP, tails included. 16 bits: half an ULP,
        and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        A gate of -inf closes: 0 for every finite x. NaN in either array gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` or `gate` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `gate` does not
            broadcast against `x`.

    Source:
        Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083

    Example:
        >>> jaxact.glu(jnp.array([1.0, 2.0, 0.0, 5.0]))
        Array([0.5      , 1.9866143], dtype=float32)
    """
    if gate is None:
        return _glu_of_halves(whole("glu", "axis", axis), as_array(x, "glu"))
    return GLU(x, real(gate, "glu", "gate"))


@activation(
    formula=lambda math, gate, value: value * gate / (1 + math.exp(-gate)),
    source="Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(3.5, 5.0, 6.5),
    elsewhere={"onnx:SwiGLU": {}},
)
def swiglu(gate: ArrayLike, value: ArrayLike | None = None, *, axis: int = -1) -> Array:
    """Swish-gated linear unit: one array times the SiLU of another.

        swiglu(gate, value) = silu(gate) * value
        swiglu(x) = silu(a) * b, where a is the first half of x along the axis and b the second

    The order is that of the papers and of large language models, the gate first; in `glu` it is
    the second half that gates.

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, side
            by side along `axis`, gate first. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 3.5, slopes 5, second derivatives 6.5 ULP, tails included, away from the
        derivatives' own roots. 16 bits: half an ULP, and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        A gate of -inf closes: 0 for every finite value. NaN in either array gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `value` does not
            broadcast against `gate`.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.swiglu(jnp.array([2.0, 0.0]), jnp.array([3.0, 5.0]))
        Array([5.2847824, 0.       ], dtype=float32)
    """
    gate, value = _pair("swiglu", gate, value, axis)
    return SWIGLU(gate, value)


@activation(
    formula=lambda math, gate, value, approximate=True: (
        value
        * (
            gate
            / 2
            * (1 + math.tanh(math.sqrt(2 / math.pi) * (gate + math.number("0.044715") * gate**3)))
            if approximate
            else gate * math.erfc(-gate / math.sqrt(math.number("2"))) / 2
        )
    ),
    source="Shazeer, arXiv:2002.05202",
    kind="gate",
    samples=({"approximate": True}, {"approximate": False}),
    ulps=(5.0, 5.5, 6.5),
)
def geglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    approximate: bool = True,
    *,
    axis: int = -1,
) -> Array:
    """GELU-gated linear unit: one array times the GELU of another.

        geglu(gate, value) = gelu(gate) * value
        geglu(x) = gelu(a) * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, side
            by side along `axis`, gate first. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        approximate: whether to use gelu's formula with tanh; True is the default, as in `gelu`.
        axis: the axis to be split; of no effect with `value`.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 5, slopes 5.5, second derivatives 6.5 ULP, tails included, away from the
        derivatives' own roots. 16 bits: half an ULP, and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        A gate of -inf closes: 0 for every finite value. NaN in either array gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `value` does not
            broadcast against `gate`.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.geglu(jnp.array([1.0, 0.0]), jnp.array([3.0, 5.0]), approximate=False)
        Array([2.524034, 0.      ], dtype=float32)
    """
    gate, value = _pair("geglu", gate, value, axis)
    chosen = GEGLU_TANH if flag("geglu", "approximate", approximate) else GEGLU
    return chosen(gate, value)


@activation(
    formula=lambda math, gate, value: value * math.where(gate > 0, gate, 0 * gate),
    source="Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(0.5, 0.0, 0.0),
)
def reglu(gate: ArrayLike, value: ArrayLike | None = None, *, axis: int = -1) -> Array:
    """ReLU-gated linear unit: one array times the ReLU of another.

        reglu(gate, value) = max(gate, 0) * value
        reglu(x) = max(a, 0) * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, side
            by side along `axis`, gate first. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value half an ULP, slopes exact. 16 bits: half an ULP, and 2^-10. Reverse mode
        keeps the two arrays.

    Edges:
        At a gate of 0 the slopes are 0. NaN in either array gives NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `value` does not
            broadcast against `gate`.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.reglu(jnp.array([2.0, -1.0]), jnp.array([3.0, 5.0]))
        Array([6., 0.], dtype=float32)
    """
    gate, value = _pair("reglu", gate, value, axis)
    return REGLU(gate, value)


@activation(
    formula=lambda math, gate, value: gate * value,
    source="Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083; Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(0.5, 0.0, 0.0),
)
def bilinear(gate: ArrayLike, value: ArrayLike | None = None, *, axis: int = -1) -> Array:
    """Bilinear gate: one array times another, a gated linear unit without an activation.

        bilinear(gate, value) = gate * value
        bilinear(x) = a * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, side
            by side along `axis`, gate first. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value half an ULP, slopes exact. 16 bits: half an ULP, and 2^-10. Reverse mode
        keeps the two arrays.

    Edges:
        As the product: NaN in either array, or an infinity times 0, gives NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `value` does not
            broadcast against `gate`.

    Source:
        Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083; Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.bilinear(jnp.array([2.0, -1.0, 3.0, 5.0]))
        Array([ 6., -5.], dtype=float32)
    """
    gate, value = _pair("bilinear", gate, value, axis)
    return BILINEAR(gate, value)


@activation(
    formula=lambda math, gate, value, limit=7.0, alpha=1.702: (
        (math.maximum(math.minimum(value, limit), -limit) + 1)
        * math.minimum(gate, limit)
        / (1 + math.exp(-alpha * math.minimum(gate, limit)))
    ),
    source="OpenAI, gpt-oss, 2025, arXiv:2508.10925",
    kind="gate",
    samples=({"limit": 7.0, "alpha": 1.702},),
    ulps=(3.0, 4.5, 7.0),
)
def clamped_swiglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    limit: ArrayLike = 7.0,
    alpha: ArrayLike = 1.702,
    *,
    axis: int = -1,
) -> Array:
    """The gated unit of gpt-oss: a clamped value and one, times a clamped gate's swish.

        clamped_swiglu(gate, value) = (v + 1) * g * sigmoid(alpha * g),
        g = min(gate, limit), v = min(max(value, -limit), limit)

    Of one array the first half is the gate. gpt-oss itself interleaves the two: there pass
    x[..., ::2] and x[..., 1::2].

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, side
            by side along `axis`, gate first. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        limit: what the gate is kept below, and the value within, positive; a number, or an array
            that broadcasts against gate.
        alpha: how sharply the gate opens; a number, or an array that broadcasts against gate.
        axis: the axis to be split; of no effect with `value`.

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
        ValueError: if the features cannot be halved, or without such an axis; if `value` does not
            broadcast against `gate`.
        ValueError: if `limit` is a number that is not positive, or `limit` or `alpha` does not
            broadcast against `gate`.

    Source:
        OpenAI, gpt-oss, 2025, arXiv:2508.10925

    Example:
        >>> jaxact.clamped_swiglu(jnp.array([1.0, 9.0]), jnp.array([0.0, -9.0]))
        Array([  0.84579575, -41.99972   ], dtype=float32)
    """
    require(
        not is_number(limit) or limit > 0, "jaxact.clamped_swiglu", "limit", limit, "be positive"
    )
    gate, value = _pair("clamped_swiglu", gate, value, axis)
    return CLAMPED_SWIGLU(gate, value, limit, alpha)


@jitted(0)
def _glu_of_halves(axis: int, x: Array) -> Array:
    return GLU(*_halves("glu", x, axis, "gate"))


@jitted(0, 2, 3)
def _halves(name: str, x: Array, axis: int, other: str) -> tuple[Array, Array]:
    """The first and the second half along an axis.

    Raises:
        ValueError: if there is no such axis, or if it has an odd size.
    """
    x = real(x, name, "x" if other == "gate" else "gate")
    axis = axis_index(name, axis, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(
            f"jaxact.{name}: axis {axis} has {x.shape[axis]} features, an odd number, which cannot "
            f"be halved: make it even, or pass {other}"
        )
    first, second = jnp.split(x, 2, axis)
    return first, second


def _pair(
    name: str, gate: ArrayLike, value: ArrayLike | None, axis: int
) -> tuple[ArrayLike, ArrayLike]:
    """The gate and what it gates: two arrays, or the halves of one, the gate first."""
    if value is None:
        return _halves(name, as_array(gate, name, "gate"), whole(name, "axis", axis), "value")
    return gate, real(value, name, "value")


def _root_decay(ops, gate):
    """exp(-abs(gate) / 2), and 0 where its square has vanished."""
    half = 0.5 * ops.absolute(gate)
    limit = -ops.lowest(gate)
    return jnp.where(half > limit, 0.0, ops.exp(-ops.at_most(half, limit)))


def _glu(ops, x, gate):
    h = _root_decay(ops, gate)
    return jnp.where(gate >= 0, x, x * h * h) / (1 + h * h)


def _glu_by_x(ops, x, gate):
    h = _root_decay(ops, gate)
    return jnp.where(gate >= 0, 1.0, h * h) / (1 + h * h)


def _glu_by_gate(ops, x, gate):
    h = _root_decay(ops, gate)
    q = 1 + h * h
    return x * h * h / (q * q)


def _glu_by_x_and_gate(ops, x, gate):
    h = _root_decay(ops, gate)
    q = 1 + h * h
    return h * h / (q * q)


def _glu_by_gate_twice(ops, x, gate):
    h = _root_decay(ops, gate)
    q = 1 + h * h
    closing = -ops.expm1(-ops.at_most(ops.absolute(gate), -ops.lowest(gate)))
    return -ops.with_sign(closing, gate) * x * h * h / (q * q * q)


GLU = Kernel(
    _glu,
    x=Kernel(_glu_by_x, gate=_glu_by_x_and_gate),
    gate=Kernel(_glu_by_gate, x=_glu_by_x_and_gate, gate=_glu_by_gate_twice),
)

# --- An activation of the gate, times the value --------------------------------------------------

Times = Callable[..., Array]  # times(m, gate, factor): a function of the gate times a factor


def _gated(name: str, function: Times, slope: Times, curvature: Times) -> Kernel:
    """The kernel of f(gate) * value, given f, f' and f'', each times a factor."""

    def alone(times: Times) -> Callable[..., Array]:
        return lambda ops, gate, value: times(ops, gate, jnp.ones_like(gate))

    def both(times: Times) -> Callable[..., Array]:
        return lambda ops, gate, value: times(ops, gate, value)

    cross = Kernel(alone(slope), gate=Kernel(alone(curvature)))
    return Kernel(
        both(function),
        name=name,
        gate=Kernel(both(slope), gate=Kernel(both(curvature)), value=cross),
        value=Kernel(alone(function), gate=cross),
    )


# Functions f(g) = g * sigmoid(z(g)) and g * P(Z < g). With a = abs(g) an exponential E closes the
# gate, E = h^2 c with c near 1: what it multiplies is given with its factor c, as `moderate`.


def _open_or_closed(gate: Array, factor: Array, h: Array, moderate: Array) -> Array:
    """factor * (1 - h^2 moderate) where the gate is open, factor * h^2 moderate where it is not."""
    return jnp.where(gate > 0, factor * (1 - h * (h * moderate)), (factor * h) * (h * moderate))


def _logistic(gate: Array, factor: Array, h: Array, c: Array | float, limit: float, ops) -> Array:
    """factor * gate / (1 + E), and times E where it is closed; h is 0 beyond the limit."""
    q = 1 + h * h * c
    closed = (factor * h) * (ops.clamp(gate, -limit, limit) * c * h) / q
    return jnp.where(gate >= 0, factor * (gate / q), closed)


def _silu_times(ops, gate, factor):
    return _logistic(gate, factor, _root_decay(ops, gate), 1.0, _far(ops, gate), ops)


def _silu_slope_times(ops, gate, factor):
    h, a = _root_decay(ops, gate), ops.at_most(ops.absolute(gate), _far(ops, gate))
    q = 1 + h * h
    return _open_or_closed(gate, factor, h, (1 - a + h * h) / (q * q))


def _silu_curvature_times(ops, gate, factor):
    h, a = _root_decay(ops, gate), ops.at_most(ops.absolute(gate), _far(ops, gate))
    q = 1 + h * h
    return (factor * h) * (h * ((2 - a) + h * h * (2 + a)) / (q * (q * q)))


def _far(ops, gate):
    """Beyond where the root has vanished."""
    return -2.1 * ops.lowest(gate)


SWIGLU = _gated("swiglu", _silu_times, _silu_slope_times, _silu_curvature_times)


def _normal_root(ops, gate):
    """Of the normal density: a, h and c."""
    a = ops.absolute(gate)
    return ops.at_most(a, normal.farthest_root(a)), *normal.root_density(ops, a)


def _gelu_times(ops, gate, factor):
    a, h, c = _normal_root(ops, gate)
    lost = h * (c * a / normal.tail_divisor(ops, a))
    return jnp.where(gate >= 0, factor * (gate - lost * h), -(factor * h) * lost)


def _gelu_slope_times(ops, gate, factor):
    a, h, c = _normal_root(ops, gate)
    return _open_or_closed(gate, factor, h, c * normal.tail_slope_factor(ops, a))


def _gelu_curvature_times(ops, gate, factor):
    a, h, c = _normal_root(ops, gate)
    return (factor * h) * (h * (c * normal.tail_curvature_factor(ops, a)))


GEGLU = _gated("geglu", _gelu_times, _gelu_slope_times, _gelu_curvature_times)


def _tanh_root(ops, gate):
    """Of the exponent of gelu's formula with tanh: a, h and c."""
    a = ops.absolute(gate)
    return ops.at_most(a, curve.farthest_root(a)), *curve.root_decay(ops, a)


def _gelu_tanh_times(ops, gate, factor):
    _, h, c = _tanh_root(ops, gate)
    return _logistic(gate, factor, h, c, curve.farthest_root(gate), ops)


def _gelu_tanh_slope_times(ops, gate, factor):
    a, h, c = _tanh_root(ops, gate)
    e = h * h * c
    q = 1 + e
    return _open_or_closed(gate, factor, h, c * (curve.one_minus_a_slope(a) + e) / (q * q))


def _gelu_tanh_curvature_times(ops, gate, factor):
    a, h, c = _tanh_root(ops, gate)
    e = h * h * c
    q = 1 + e
    curvature, opposite = curve.bends(a)
    return (factor * h) * (h * (c * (curvature + e * opposite) / (q * (q * q))))


GEGLU_TANH = _gated("geglu", _gelu_tanh_times, _gelu_tanh_slope_times, _gelu_tanh_curvature_times)


def _relu_times(ops, gate, factor):
    return ops.at_least(gate, 0.0) * factor


def _relu_slope_times(ops, gate, factor):
    return jnp.where(gate > 0, factor, 0.0)


def _relu_curvature_times(ops, gate, factor):
    return jnp.zeros_like(gate)


REGLU = _gated("reglu", _relu_times, _relu_slope_times, _relu_curvature_times)


def _bilinear(ops, gate, value):
    return gate * value


def _first(ops, gate, value):
    return gate


def _second(ops, gate, value):
    return value


BILINEAR = Kernel(_bilinear, gate=Kernel(_second), value=Kernel(_first))


# --- Clamped -------------------------------------------------------------------------------------


def _clamped_swish(ops, gate, factor, limit, alpha):
    near, closing = _closing(ops, gate, limit, alpha)
    closed = (factor * closing.lifted) * near * DROP
    return jnp.where(alpha * gate >= 0, factor * ops.at_most(gate, limit), closed) / (1 + closing.e)


def _clamped_swish_slope(ops, gate, factor, limit, alpha):
    _, closing = _closing(ops, gate, limit, alpha)
    q = 1 + closing.e
    moderate = (closing.short_of(1.0) + closing.e) / (q * q)
    opened = alpha * gate > 0
    product = jnp.where(opened, closing.e, factor * closing.lifted) * moderate
    slope = jnp.where(opened, factor * (1 - product), product * DROP)
    return jnp.where(gate > limit, 0.0, slope)


def _clamped_swish_curvature(ops, gate, factor, limit, alpha):
    _, closing = _closing(ops, gate, limit, alpha)
    q = 1 + closing.e
    moderate = (closing.short_of(2.0) + closing.e * (2 + closing.a)) / (q * (q * q))
    curvature = alpha * ((factor * closing.lifted) * moderate * DROP)
    return jnp.where(gate > limit, 0.0, curvature)


def _closing(ops, gate, limit, alpha):
    """The clamped gate, no farther than where the exponential vanishes, and the exponential.

    The factor is the value within its bounds: lifted, the product keeps its tail.
    """
    near = ops.reach(ops.at_most(gate, limit), alpha)
    return near, ops.decay(near, alpha)


def _with_value(times):
    """Times the clamped value and one."""

    def product(ops, gate, value, limit, alpha):
        return times(ops, gate, ops.clamp(value, -limit, limit) + 1, limit, alpha)

    return product


def _by_value(times):
    """The derivative of that by the value."""

    def derivative(ops, gate, value, limit, alpha):
        factor = jnp.where(ops.absolute(value) > limit, 0.0, jnp.ones_like(gate))
        return times(ops, gate, factor, limit, alpha)

    return derivative


_BY_GATE_AND_VALUE = Kernel(
    _by_value(_clamped_swish_slope), gate=Kernel(_by_value(_clamped_swish_curvature))
)
CLAMPED_SWIGLU = Kernel(
    _with_value(_clamped_swish),
    name="clamped_swiglu",
    gate=Kernel(
        _with_value(_clamped_swish_slope),
        gate=Kernel(_with_value(_clamped_swish_curvature)),
        value=_BY_GATE_AND_VALUE,
    ),
    value=Kernel(_by_value(_clamped_swish), gate=_BY_GATE_AND_VALUE),
)
