"""Gates: one array times a function of another.

An exponential that closes a gate is the square of a root h, which is normal wherever the product of
the square with a large array is: (large * h) * h keeps its tail without scaling.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .. import _gelu_exponent as curve, _normal as normal
from .._arguments import as_array, flag, real, whole
from .._catalog import activation
from .._derivatives import Kernel
from .._layouts import Layout, checked_layout, pair, parted, require_no_layout
from .._trace_names import jitted


@activation(
    formula=lambda math, x, gate: x / (1 + math.exp(-gate)),
    source="Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083",
    kind="gate",
    ulps=(4.0, 5.0, 7.0),
    elsewhere={"torch:glu": {}, "keras:glu": {}},
)
def glu(
    x: ArrayLike, axis: int = -1, *, gate: ArrayLike | None = None, layout: Layout = "halves"
) -> Array:
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
        layout: how one array holds the two, the value first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `gate` there is none.

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
        ValueError: if the features cannot be halved so, or without such an axis; if `gate` does not
            broadcast against `x`, or comes with a layout.

    Source:
        Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083

    Example:
        >>> jaxact.glu(jnp.array([1.0, 2.0, 0.0, 5.0]))
        Array([0.5      , 1.9866143], dtype=float32)
    """
    if gate is None:
        known = checked_layout("glu", layout)
        return _glu_of_one(whole("glu", "axis", axis), known, as_array(x, "glu"))
    require_no_layout("glu", layout, "gate")
    return GLU(x, real(gate, "glu", "gate"))


@activation(
    formula=lambda math, gate, value: value * gate / (1 + math.exp(-gate)),
    source="Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(3.5, 5.0, 6.5),
    elsewhere={"onnx:SwiGLU": {}},
)
def swiglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Swish-gated linear unit: one array times the SiLU of another.

        swiglu(gate, value) = silu(gate) * value
        swiglu(x) = silu(a) * b, where a is the first half of x along the axis and b the second

    The order is that of the papers and of large language models, the gate first; in `glu` it is
    the second half that gates.

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
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
        A gate of -inf closes: 0 for every finite value. NaN in either array gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.swiglu(jnp.array([2.0, 0.0]), jnp.array([3.0, 5.0]))
        Array([5.2847824, 0.       ], dtype=float32)
    """
    gate, value = pair("swiglu", gate, value, axis, layout)
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
    layout: Layout = "halves",
) -> Array:
    """GELU-gated linear unit: one array times the GELU of another.

        geglu(gate, value) = gelu(gate) * value
        geglu(x) = gelu(a) * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        approximate: whether to use gelu's formula with tanh; True is the default, as in `gelu`.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

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
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.geglu(jnp.array([1.0, 0.0]), jnp.array([3.0, 5.0]), approximate=False)
        Array([2.524034, 0.      ], dtype=float32)
    """
    gate, value = pair("geglu", gate, value, axis, layout)
    chosen = GEGLU_TANH if flag("geglu", "approximate", approximate) else GEGLU
    return chosen(gate, value)


@activation(
    formula=lambda math, gate, value: value * math.where(gate > 0, gate, 0 * gate),
    source="Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(0.5, 0.0, 0.0),
)
def reglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """ReLU-gated linear unit: one array times the ReLU of another.

        reglu(gate, value) = max(gate, 0) * value
        reglu(x) = max(a, 0) * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

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
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.reglu(jnp.array([2.0, -1.0]), jnp.array([3.0, 5.0]))
        Array([6., 0.], dtype=float32)
    """
    gate, value = pair("reglu", gate, value, axis, layout)
    return REGLU(gate, value)


@activation(
    formula=lambda math, gate, value: value * math.where(gate > 0, gate * gate, 0 * gate),
    source="So et al., Primer, NeurIPS 2021, arXiv:2109.08668, as a gate of TransformerEngine",
    kind="gate",
    ulps=(1.5, 0.5, 0.0),
)
def sreglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Squared-ReLU-gated linear unit: one array times the squared ReLU of another.

        sreglu(gate, value) = max(gate, 0)^2 * value
        sreglu(x) = max(a, 0)^2 * b, where a is the first half of x along the axis and b the second

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

    Returns:
        Array of the shape of `gate` (and `value`, broadcast) and of the float dtype of `gate`; of
        one array, with half the features along `axis`.

    Accuracy:
        float32: value 1.5 ULP, slopes half an ULP, second derivatives exact. 16 bits: half an ULP,
        and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        At a gate of 0 all derivatives are 0. NaN in either array gives NaN, with slope NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        So et al., Primer, NeurIPS 2021, arXiv:2109.08668, as a gate of TransformerEngine

    Example:
        >>> jaxact.sreglu(jnp.array([2.0, -1.0]), jnp.array([3.0, 5.0]))
        Array([12.,  0.], dtype=float32)
    """
    gate, value = pair("sreglu", gate, value, axis, layout)
    return SREGLU(gate, value)


@activation(
    formula=lambda math, gate, value: value * gate / (1 + math.exp(-math.number("1.702") * gate)),
    source="Hendrycks & Gimpel, arXiv:1606.08415, section 2, as a gate of TransformerEngine",
    kind="gate",
    ulps=(3.0, 4.5, 7.0),
)
def qgeglu(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Quick-GELU-gated linear unit: one array times the quick GELU of another.

        qgeglu(gate, value) = gate * sigmoid(1.702 * gate) * value
        qgeglu(x) = quick_gelu(a) * b, where a is the first half of x along the axis and b the
        second

    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
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
        A gate of -inf closes: 0 for every finite value. NaN in either array gives NaN, with slope
        NaN.

    Raises:
        TypeError: if `gate` or `value` is complex.
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        Hendrycks & Gimpel, arXiv:1606.08415, section 2, as a gate of TransformerEngine

    Example:
        >>> jaxact.qgeglu(jnp.array([2.0, 0.0]), jnp.array([3.0, 5.0]))
        Array([5.806976, 0.      ], dtype=float32)
    """
    gate, value = pair("qgeglu", gate, value, axis, layout)
    return QGEGLU(gate, value)


@activation(
    formula=lambda math, gate, value: gate * value,
    source="Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083; Shazeer, arXiv:2002.05202",
    kind="gate",
    ulps=(0.5, 0.0, 0.0),
)
def bilinear(
    gate: ArrayLike,
    value: ArrayLike | None = None,
    *,
    axis: int = -1,
    layout: Layout = "halves",
) -> Array:
    """Bilinear gate: one array times another, a gated linear unit without an activation.

        bilinear(gate, value) = gate * value
        bilinear(x) = a * b, where a is the first half of x along the axis and b the second


    Two arrays need no communication where features are sharded; halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        gate: the array that is activated, of any shape and real dtype; without `value` both, along
            `axis`. Integers become the default float.
        value: what is gated, an array that broadcasts against gate; by default the second half.
        axis: the axis to be split; of no effect with `value`.
        layout: how one array holds the two, the gate first: in "halves", "interleaved" (in turn),
            or in blocks of so many that take turns; with `value` there is none.

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
        ValueError: if the features cannot be halved so, or without such an axis; if `value` does
            not broadcast against `gate`, or comes with a layout.

    Source:
        Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083; Shazeer, arXiv:2002.05202

    Example:
        >>> jaxact.bilinear(jnp.array([2.0, -1.0, 3.0, 5.0]))
        Array([ 6., -5.], dtype=float32)
    """
    gate, value = pair("bilinear", gate, value, axis, layout)
    return BILINEAR(gate, value)


@jitted(0, 1)
def _glu_of_one(axis: int, layout: Layout, x: Array) -> Array:
    return GLU(*parted("glu", x, axis, layout, first="x", other="gate"))


def root_decay(ops, gate):
    """exp(-abs(gate) / 2), and 0 where its square has vanished."""
    half = 0.5 * ops.absolute(gate)
    limit = -ops.lowest(gate)
    return jnp.where(half > limit, 0.0, ops.exp(-ops.at_most(half, limit)))


def _glu(ops, x, gate):
    h = root_decay(ops, gate)
    return jnp.where(gate >= 0, x, x * h * h) / (1 + h * h)


def _glu_by_x(ops, x, gate):
    h = root_decay(ops, gate)
    return jnp.where(gate >= 0, 1.0, h * h) / (1 + h * h)


def _glu_by_gate(ops, x, gate):
    h = root_decay(ops, gate)
    q = 1 + h * h
    return x * h * h / (q * q)


def _glu_by_x_and_gate(ops, x, gate):
    h = root_decay(ops, gate)
    q = 1 + h * h
    return h * h / (q * q)


def _glu_by_gate_twice(ops, x, gate):
    h = root_decay(ops, gate)
    q = 1 + h * h
    closing = -ops.expm1(-ops.at_most(ops.absolute(gate), -ops.lowest(gate)))
    return -ops.with_sign(closing, gate) * x * h * h / (q * q * q)


GLU = Kernel(
    _glu,
    x=Kernel(_glu_by_x, gate=_glu_by_x_and_gate),
    gate=Kernel(_glu_by_gate, x=_glu_by_x_and_gate, gate=_glu_by_gate_twice),
)

# --- An activation of the gate, times the value ---------------------------------------------------

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


def silu_times(ops, gate, factor):
    return _logistic(gate, factor, root_decay(ops, gate), 1.0, _far(ops, gate), ops)


def silu_slope_times(ops, gate, factor):
    h, a = root_decay(ops, gate), ops.at_most(ops.absolute(gate), _far(ops, gate))
    q = 1 + h * h
    return _open_or_closed(gate, factor, h, (1 - a + h * h) / (q * q))


def silu_curvature_times(ops, gate, factor):
    h, a = root_decay(ops, gate), ops.at_most(ops.absolute(gate), _far(ops, gate))
    q = 1 + h * h
    return (factor * h) * (h * ((2 - a) + h * h * (2 + a)) / (q * (q * q)))


def _far(ops, gate):
    """Beyond where the root has vanished."""
    return -2.1 * ops.lowest(gate)


SWIGLU = _gated("swiglu", silu_times, silu_slope_times, silu_curvature_times)


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


def _squared_relu_times(ops, gate, factor):
    above = ops.at_least(gate, 0.0)
    return (above * factor) * above  # the square alone may overflow


def _squared_relu_slope_times(ops, gate, factor):
    return 2 * ops.at_least(gate, 0.0) * factor


def _squared_relu_curvature_times(ops, gate, factor):
    return jnp.where(gate <= 0, 0.0, 2 * factor)


SREGLU = _gated(
    "sreglu", _squared_relu_times, _squared_relu_slope_times, _squared_relu_curvature_times
)


def _bilinear(ops, gate, value):
    return gate * value


def _first(ops, gate, value):
    return gate


def _second(ops, gate, value):
    return value


BILINEAR = Kernel(_bilinear, gate=Kernel(_second), value=Kernel(_first))


_SHARPNESS = 1.702  # of quick GELU


def _quick_root(ops, gate):
    """exp(-z / 2) with z = 1.702 abs(gate), 0 where its square has vanished, and z in two parts."""
    limit = -ops.lowest(gate)
    high, rest = ops.product(ops.at_most(ops.absolute(gate), 1.3 * limit), 0.5 * _SHARPNESS)
    rest = 0.0 if rest is None else rest
    h = jnp.where(high > limit, 0.0, ops.exp(-ops.at_most(high, limit), -rest))
    return h, 2 * high, 2 * rest


def _quick_times(ops, gate, factor):
    h, *_ = _quick_root(ops, gate)
    return _logistic(gate, factor, h, 1.0, _far(ops, gate), ops)


def _quick_slope_times(ops, gate, factor):
    h, z, rest = _quick_root(ops, gate)
    q = 1 + h * h
    return _open_or_closed(gate, factor, h, ((1 - z) - rest + h * h) / (q * q))


def _quick_curvature_times(ops, gate, factor):
    h, z, rest = _quick_root(ops, gate)
    q = 1 + h * h
    moderate = _SHARPNESS * ((2 - z) - rest + h * h * (2 + z)) / (q * (q * q))
    return (factor * h) * (h * moderate)


QGEGLU = _gated("qgeglu", _quick_times, _quick_slope_times, _quick_curvature_times)
