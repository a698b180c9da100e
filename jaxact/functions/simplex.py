"""On the simplex: what makes probabilities of logits, and the logarithms of their sums.

Every row is measured from its largest entry, and what that subtraction rounds away goes into the
exponential as well. The largest entry itself contributes a 1 that is not added to the rest, so
log(1 + rest) keeps its last place where one entry dominates.

An entry of -inf takes no part in its row, as if it were masked; a mask makes entries -inf.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.nn import one_hot as one_hot
from jax.typing import ArrayLike

from .._arguments import Axis, as_array, axis_indices, broadcast, flag, mask, real, static
from .._arithmetic import DROP, LIFT, CpuOps, largest_entry, opaque_constant
from .._catalog import activation
from .._derivatives import compute_dtype, on_platform
from .._jax import SymbolicZero, softmax_rule_is_refused
from .._opaque_call import linear_call, opaque_call
from .._plain import custom_jvp, is_plain
from .._trace_names import jitted

_of_jax = jax.nn.softmax  # as it is now: a program may put ours in its place


def _softmax_formula(math, xs):
    total = sum(map(math.exp, xs))
    return [math.exp(x) / total for x in xs]


def _log_softmax_formula(math, xs):
    logarithm = math.log(sum(map(math.exp, xs)))
    return [x - logarithm for x in xs]


@activation(
    formula=_softmax_formula,
    source="Bridle, NIPS 1989",
    kind="axis",
    range=lambda: (0.0, 1.0),
    elsewhere={"torch:softmax": {}, "keras:softmax": {}, "onnx:Softmax": {}},
)
def softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    sink: ArrayLike | None = None,
) -> Array:
    """Softmax: probabilities in proportion to the exponentials of the entries.

        softmax(x)[i] = exp(x[i]) / (sum_j exp(x[j]) + exp(sink))        the last term: with a sink

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.
        sink: a logit besides those of x, with a probability of its own that is not returned: a
            number, or an array that broadcasts against x with size 1 along the axis, such as a
            learned one for each attention head. The probabilities then sum to less than 1; with a
            sink of 0 this is softmax1.

    Returns:
        Array of the shape and float dtype of `x`; 0 where an entry takes no part.

    Accuracy:
        Measured on rows of 16 to 65,536 entries, with large offsets and dominant entries. float32:
        4 ULP (jax.nn: 66). 16 bits: half an ULP, and 2^-10. The gradient: 3.5 ULP of its row's
        largest, or 11 where one entry dominates so much that the gradient vanishes. Reverse mode
        keeps the output only. (Within `jax.softmax_custom_jvp(False)` it is jax.nn's function,
        differentiated as it stands, with jax.nn's errors.)

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets 0, and so does every entry of
        a row in which none takes part. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` or `sink` is complex.
        ValueError: if `x` has no such axis, or if `where` is larger than it; if `sink` varies
            along the axis, or does not broadcast against x.

    Source:
        Bridle, NIPS 1989

    Example:
        >>> jaxact.softmax(jnp.array([1.0, 2.0, 3.0]))
        Array([0.09003057, 0.24472848, 0.66524094], dtype=float32)
    """
    if softmax_rule_is_refused() and sink is None:
        return _of_jax(x, axis, where)
    x = as_array(x, "softmax")
    sink = None if sink is None else as_array(sink, "softmax", "sink")
    return _softmax(static("softmax", axis), x, mask("softmax", where, x), sink)


@activation(
    formula=_log_softmax_formula,
    source="the logarithm of softmax: Bridle, NIPS 1989",
    kind="axis",
    range=lambda: (-float("inf"), 0.0),
    elsewhere={"torch:log_softmax": {}, "keras:log_softmax": {}, "onnx:LogSoftmax": {}},
)
def log_softmax(
    x: ArrayLike,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    *,
    sink: ArrayLike | None = None,
) -> Array:
    """Logarithm of the softmax: log-probabilities.

        log_softmax(x)[i] = x[i] - log(sum_j exp(x[j]) + exp(sink))      the last term: with a sink

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.
        sink: a logit besides those of x, with a probability of its own that is not returned: a
            number, or an array that broadcasts against x with size 1 along the axis, such as a
            learned one for each attention head. The probabilities then sum to less than 1; with a
            sink of 0 this is softmax1.

    Returns:
        Array of the shape and float dtype of `x`, not positive; -inf where an entry takes no part.

    Accuracy:
        Measured on rows of 16 to 65,536 entries, with large offsets and dominant entries. float32:
        2.5 ULP, also where a probability is so near 1 that its logarithm is tiny (jax.nn: nothing
        is left there), and never positive, whatever computes x in the same program. 16 bits: half
        an ULP, and 2^-10. The gradient: 2 ULP of its row's largest. Reverse mode keeps the input,
        and a number of each row (with a sink three).

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets -inf, and so does every entry
        of a row in which none takes part. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` or `sink` is complex.
        ValueError: if `x` has no such axis, or if `where` is larger than it; if `sink` varies
            along the axis, or does not broadcast against x.

    Source:
        the logarithm of softmax: Bridle, NIPS 1989

    Example:
        >>> jaxact.log_softmax(jnp.array([1.0, 2.0, 30.0]))
        Array([-2.900000e+01, -2.800000e+01, -9.458066e-13], dtype=float32)
    """
    x = as_array(x, "log_softmax")
    sink = None if sink is None else as_array(sink, "log_softmax", "sink")
    return _log_softmax(static("log_softmax", axis), x, mask("log_softmax", where, x), sink)


@activation(
    formula=lambda math, xs: _softmax_formula(math, [-x for x in xs]),
    source="softmax of the negative: Bridle, NIPS 1989",
    kind="axis",
    range=lambda: (0.0, 1.0),
    elsewhere={"torch:softmin": {}},
)
def softmin(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """Softmin: probabilities in proportion to the exponentials of the negative entries.

        softmin(x) = softmax(-x)

    Args:
        x: numbers of any shape and real dtype, such as costs; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.

    Returns:
        Array of the shape and float dtype of `x`; 0 where an entry takes no part.

    Accuracy:
        That of `softmax`. Reverse mode keeps the output only.

    Edges:
        An entry of inf takes no part, as if it were masked: it gets 0, and so does every entry of a
        row in which none takes part. An entry of -inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis, or if `where` is larger than it.

    Source:
        softmax of the negative: Bridle, NIPS 1989

    Example:
        >>> jaxact.softmin(jnp.array([1.0, 2.0, 3.0]))
        Array([0.66524094, 0.24472848, 0.09003057], dtype=float32)
    """
    x = as_array(x, "softmin")
    return _softmin(static("softmin", axis), x, mask("softmin", where, x))


def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> Array | tuple[Array, Array]:
    """Logarithm of a sum of exponentials.

        logsumexp(a) = log(sum_i b[i] exp(a[i]))        the gradient by a is softmax(a)

    Args:
        a: numbers of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, to sum over; None for all.
        b: factors of the exponentials, of any sign, that broadcast against a; by default 1. The
            slope by one is exp(a) / sum, also where it is 0.
        keepdims: whether the axes summed over are kept, with size 1.
        return_sign: whether the sign of the sum is returned too; the logarithm is then that of its
            magnitude. Without it, a negative sum gives NaN.
        where: the entries that take part, a mask that broadcasts against a; by default all.

    Returns:
        Array of the float dtype of `a`, or a pair of them: the logarithm and the sign.

    Accuracy:
        Measured on rows of 2 to 65,536 entries, with large offsets and dominant entries. float32:
        1 ULP, or 1.1 eps where the logarithm cancels with the entries (jax.nn: 2.3 eps). 16 bits:
        half an ULP, and 2^-10. The gradient: 2 ULP of its row's largest. Reverse mode keeps the
        input, and a number of each row.

    Edges:
        An entry of -inf adds nothing; a sum of nothing has the logarithm -inf, with slope 0. An
        entry of inf gives inf, NaN gives NaN.

    Raises:
        TypeError: if `a` is complex.
        ValueError: if `a` has no such axis, or if `b` does not broadcast against it, or if
            `where` is larger than it.

    Example:
        >>> jaxact.logsumexp(jnp.array([1000.0, 1000.0]))
        Array(1000.6931, dtype=float32)
    """
    a, axis = as_array(a, "logsumexp", "a"), static("logsumexp", axis)
    keepdims = flag("logsumexp", "keepdims", keepdims)
    return_sign = flag("logsumexp", "return_sign", return_sign)
    if b is None:
        y = _logsumexp(axis, keepdims, a, mask("logsumexp", where, a))
        return (y, _sign_of_exp(y)) if return_sign else y
    a, (b,) = broadcast("logsumexp", a, {"b": real(b, "logsumexp", "b")}, called="a")
    y, sign = _weighted_logsumexp(axis, keepdims, a, b, mask("logsumexp", where, a))
    return (y, sign) if return_sign else jnp.where(sign < 0, jnp.nan, y)


def logmeanexp(
    x: ArrayLike,
    axis: Axis = None,
    where: ArrayLike | None = None,
    keepdims: bool = False,
) -> Array:
    """Logarithm of the mean of exponentials.

        logmeanexp(x) = log(mean_i(exp(x[i])))        the gradient is softmax(x)

    Args:
        x: numbers of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, to average over; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.
        keepdims: whether the axes averaged over are kept, with size 1.

    Returns:
        Array of the float dtype of `x`.

    Accuracy:
        Measured on rows of 2 to 65,536 entries, with large offsets and dominant entries. float32:
        3 ULP; near a root, where the mean is nearly 1, 16 ULP or 2 eps (jax.nn: nothing is left).
        16 bits: half an ULP, and 2^-10. The gradient: 2 ULP of its row's largest. Reverse mode
        keeps the input, and a number of each row.

    Edges:
        An entry of -inf counts with an exponential of 0, a masked one does not count. The mean of
        nothing is NaN. An entry of inf gives inf, NaN gives NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis, or if `where` is larger than it.

    Example:
        >>> jaxact.logmeanexp(jnp.array([1000.0, 1000.0]))
        Array(1000., dtype=float32)
    """
    x, keepdims = as_array(x, "logmeanexp"), flag("logmeanexp", "keepdims", keepdims)
    where = mask("logmeanexp", where, x)
    return _logmeanexp(static("logmeanexp", axis), keepdims, x, where)


# --- Compiled once, with the checks and the mask -------------------------------------------------


@jitted(0)
def _softmax(axis: Axis, x: Array, where: Array | None, sink: ArrayLike | None) -> Array:
    x = real(x, "softmax")
    axes = axis_indices("softmax", axis, x.ndim)
    return _at(where, _probabilities(axes, _masked(x, where), _sink("softmax", axes, sink, x)), x)


@jitted(0)
def _softmin(axis: Axis, x: Array, where: Array | None) -> Array:
    x = real(x, "softmin")
    return _at(where, _probabilities(axis_indices("softmin", axis, x.ndim), _masked(-x, where)), x)


@jitted(0)
def _log_softmax(axis: Axis, x: Array, where: Array | None, sink: ArrayLike | None) -> Array:
    x = real(x, "log_softmax")
    axes = axis_indices("log_softmax", axis, x.ndim)
    y = _log_probabilities(axes, _masked(x, where), _sink("log_softmax", axes, sink, x))
    return _at(where, y, x, -jnp.inf)


@jitted(0, 1)
def _logsumexp(axis: Axis, keepdims: bool, x: Array, where: Array | None) -> Array:
    x = real(x, "logsumexp", "a")
    axes = axis_indices("logsumexp", axis, x.ndim)
    y = _log_of_sum(axes, _masked(x, where)).astype(x.dtype)
    return y if keepdims else jnp.squeeze(y, axes)


@jitted(0, 1)
def _logmeanexp(axis: Axis, keepdims: bool, x: Array, where: Array | None) -> Array:
    x = real(x, "logmeanexp")
    axes = axis_indices("logmeanexp", axis, x.ndim)
    counted = jnp.broadcast_to(True if where is None else where, x.shape)
    count = jnp.sum(counted, axes, keepdims=True, dtype=compute_dtype(x))
    y = _log_of_sum(axes, _masked(x, where), count).astype(x.dtype)
    return y if keepdims else jnp.squeeze(y, axes)


@jitted(0, 1)
def _weighted_logsumexp(
    axis: Axis, keepdims: bool, a: Array, b: Array, where: Array | None
) -> tuple[Array, Array]:
    a = real(a, "logsumexp", "a")
    axes, wide = axis_indices("logsumexp", axis, a.ndim), compute_dtype(a, b)
    factors = jnp.broadcast_to(b.astype(wide), a.shape)
    if where is not None:
        factors = jnp.where(where, factors, 0.0)
    result = _log_of_weighted_sum(axes, _masked(a, where).astype(wide), factors)
    y, sign = (r.astype(a.dtype) for r in result)
    return (y, sign) if keepdims else (jnp.squeeze(y, axes), jnp.squeeze(sign, axes))


def _sink(name: str, axes: tuple[int, ...], sink: ArrayLike | None, x: Array) -> Array | None:
    """The sink with the rank of x; what has not one number for each row is refused."""
    if sink is None:
        return None
    sink = real(sink, name, "sink")
    shape = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
    aligned = (1,) * (x.ndim - sink.ndim) + sink.shape
    if len(aligned) > x.ndim or any(n not in (1, m) for n, m in zip(aligned, shape, strict=True)):
        raise ValueError(
            f"jaxact.{name}: sink of shape {sink.shape} does not broadcast to {shape}: pass one "
            "number for each row, with size 1 along the axis"
        )
    return sink.reshape(aligned)


def _at(where: Array | None, y: Array, x: Array, elsewhere: float = 0.0) -> Array:
    """y in the dtype of x; of what is hidden a constant, which drops its cotangent."""
    y = y.astype(x.dtype)
    return y if where is None else jnp.where(where, y, elsewhere)


def _masked(x: Array, where: ArrayLike | None) -> Array:
    if where is None:
        return x
    if x.dtype.itemsize == 1:  # not all formats of 8 bits have an infinity
        x = x.astype(compute_dtype(x))
    return jnp.where(where, x, -jnp.inf)


def _sign_of_exp(y: Array) -> Array:
    return jnp.where(jnp.isnan(y), y, jnp.where(y == -jnp.inf, 0.0, 1.0).astype(y.dtype))


# --- Values --------------------------------------------------------------------------------------
# A row is known by its largest entry, `top`, and by what the others add to its exponential:
# sum(exp(x - top)) = 1 + rest. XLA may compute x anew wherever it is read, and not alike. So no two
# reads are asked to agree: everything below is continuous in each of them.


class _Row(NamedTuple):
    """Rows, each reduced to a few numbers.

    Attributes:
        top: the largest entry, or the sink if that is larger.
        rest: sum(exp(x - top)) - 1, exact also where one entry dominates.
        at_sink: the probability of the sink, or None.
    """

    top: Array
    rest: Array
    at_sink: Any


def _state(axes: tuple[int, ...], x: Array, sink: Array | None) -> _Row:
    top = opaque_call(_largest, (axes,), x)
    rest = opaque_call(_rest, (axes,), x, top)
    if sink is None:
        return _Row(top, rest, None)
    sink = sink.astype(top.dtype)
    both = lax.stop_gradient(jnp.maximum(top, sink))
    at_top, at_sink = (jnp.exp(a - _finite(both)) for a in (top, sink))
    rest = jnp.where(top >= sink, rest + at_sink, (1 + rest) * at_top + (at_sink - 1))
    return _Row(both, rest, at_sink / (1 + rest))


def _finite(top: Array) -> Array:
    """What to measure a row from: a number also where its entries are infinite."""
    largest = float(jnp.finfo(top.dtype).max)
    return jnp.clip(top, -largest, largest)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _largest(axes: tuple[int, ...], x: Array) -> Array:
    """The largest entry of each row, in the dtype that is computed in."""
    wide = compute_dtype(x)

    def compute(ops, x):
        parts = [ops.widen(a, wide) if a.dtype != wide else a for a in _parts(ops, x, axes)]
        return largest_entry(functools.reduce(_larger, parts), axes)

    return on_platform(compute, x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _rest(axes: tuple[int, ...], x: Array, top: Array) -> Array:
    """sum(exp(x - top)) - 1.

    The exponentials are split: `far` holds what is below 1/2, and nothing of what is above 3/4,
    `near` the rest, and both change continuously. Where `near` is 1 and `far` small, one entry
    dominates, and leaves its 1 unrounded.
    """
    wide = compute_dtype(x)

    def compute(ops, x, top):
        top = _finite(top)
        parts = [ops.widen(a, wide) if a.dtype != wide else a for a in _parts(ops, x, axes)]
        exact = x.dtype == wide
        largest, others = _exp(ops, parts[0], top, exact), 0.0
        for part in parts[1:]:
            e = _exp(ops, part, top, exact)
            others = others + jnp.where(e < largest, e, largest)
            largest = jnp.where(e < largest, largest, e)
        far = others + _tent(largest)
        if len(parts) > 1:
            largest = _exp(ops, functools.reduce(_larger, parts), top, exact=False)
        far = _total(ops, far, axes) * DROP
        near = _total(ops, largest - _tent(largest), axes) * DROP
        rest = far + jnp.where((near < 1.2) & (far < 0.25), 0.0, near - 1)
        return ops.at_least(rest, 0.0)

    return on_platform(compute, x, top)


def _tent(e: Array) -> Array:
    """e below 2^LIFT / 2; falls from there to 0 at 3/4 of 2^LIFT."""
    return jnp.clip(1.5 * 2.0**LIFT - 2 * e, 0.0, e)


def _larger(a: Array, b: Array) -> Array:
    return jnp.where(a >= b, a, b)  # on CPU faster than `jnp.maximum`


def _exp(ops: Any, x: Array, top: Array, exact: bool) -> Array:
    """2^LIFT exp(x - top): a normal number for as long as a probability is.

    It is `exact` if what rounding takes from x - top goes into the exponential as well, by Knuth's
    two-sum. Choosing the smaller number also keeps a product in x from being contracted with it.
    """
    x = ops.at_most(x, top)
    high = x - top
    lowest = ops.lowest(high, lift=LIFT)
    gone = high < lowest
    low = None
    if exact:
        back = high - x
        low = jnp.where(gone, 0.0, (x - (high - back)) - (top + back))
    return jnp.where(gone, 0.0, ops.exp(jnp.where(gone, lowest, high), low, lift=LIFT))


_LANES, _PARTS, _SHORT = 8, 16, 64


def _parts(ops: Any, x: Array, axes: tuple[int, ...]) -> list[Array]:
    """On CPU, slices of long rows: one loop over them all is fast, and leaves little to sum."""
    last, length = x.ndim - 1, x.shape[-1] if x.ndim else 0
    if ops is not CpuOps or last not in axes or not isinstance(length, int) or length <= _SHORT:
        return [x]
    if jax.typeof(x).sharding.spec[last] is not None:
        return [x]
    counts = [n for n in range(_PARTS // 2, 2 * _PARTS + 1) if length % (n * _LANES) == 0]
    count = min(counts, key=lambda n: abs(n - _PARTS), default=_PARTS)
    size = -(-length // (count * _LANES)) * _LANES
    *starts, _ = range(0, length, size)
    parts = [lax.slice_in_dim(x, start, start + size, axis=last) for start in starts]
    end = lax.slice_in_dim(x, length - size, length, axis=last)
    if seen := (len(starts) + 1) * size - length:  # so many entries are in the part before as well
        hidden = (np.arange(size) < seen).reshape((1,) * last + (size,))
        end = jnp.where(hidden, jnp.asarray(-jnp.inf, x.dtype), end)
    return [*parts, end]


def _total(ops: Any, a: Array, axes: tuple[int, ...]) -> Array:
    """The sum of numbers that are not negative."""
    if ops is not CpuOps:
        return jnp.sum(a, axes, keepdims=True)
    # XLA writes it to memory before the sum, as it should, where a choice comes before a library's
    # function: abs(a) and its sum are one.
    a = ops.at_least(a, 0.0)
    if axes == (a.ndim - 1,) and isinstance(a.shape[-1], int) and a.shape[-1] <= _SHORT:
        ones = jnp.ones((a.shape[-1], 1), a.dtype)
        return jnp.matmul(a, ones, precision=lax.Precision.HIGHEST)
    return jnp.sum(jnp.abs(a), axes, keepdims=True)


def _log1p(rest: Array, count: Array | None = None) -> Array:
    """log((1 + rest) / count), without a count also where rest is small beside 1."""
    one = opaque_constant(1.0, rest)  # or XLA would take adding and subtracting it for nothing
    total = one + rest
    if count is not None:
        y = jnp.log(total / count)
    else:  # half the time of XLA's log1p on CPU
        y = jnp.log(total) + (rest - (total - one)) / total
    # XLA's logarithm sets every bit of a NaN, which rounding to 16 bits would carry over to 0.
    return jnp.where(jnp.isnan(rest), jnp.nan, y)


@custom_jvp
def _logarithms(x: Array, top: Array, rest: Array) -> Array:
    """log(exp(x - top) / (1 + rest))."""

    def compute(ops, x, top, rest):
        high = (ops.widen(x, top.dtype) if x.dtype != top.dtype else x) - _finite(top)
        # What is near the largest entry, where that dominates, is it, whatever it was read as.
        high = jnp.where(high >= jnp.where(rest < 0.25, -0.25, 0.0), 0.0, high)
        y = high - jnp.where(top == jnp.inf, jnp.nan, _log1p(rest))
        return y if y.dtype == x.dtype else ops.narrow(y, x.dtype)

    return on_platform(compute, x, top, rest)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _log_probabilities(axes: tuple[int, ...], x: Array, sink: Array | None = None) -> Array:
    if is_plain():
        _, high, total = _plain_row(axes, x, sink)
        return (high - jnp.log(total)).astype(x.dtype)
    top, rest, _ = _state(axes, x, sink)
    return opaque_call(_logarithms, (), x, top, rest)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _log_of_sum(axes: tuple[int, ...], x: Array, count: Array | None = None) -> Array:
    if is_plain():
        top, _, total = _plain_row(axes, x, None)
        y = jnp.where(top == jnp.inf, top, top + jnp.log(total))
        return (y if count is None else y - jnp.log(count)).astype(x.dtype)
    top, rest, _ = _state(axes, x, None)
    return (top + _log1p(rest, count)).astype(x.dtype)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _probabilities(axes: tuple[int, ...], x: Array, sink: Array | None = None) -> Array:
    if is_plain():
        _, high, total = _plain_row(axes, x, sink)
        return (jnp.exp(high) / total).astype(x.dtype)
    wide = compute_dtype(x)

    def compute(ops, x, *sink):
        if x.dtype.itemsize == 1:
            x = ops.widen(x, wide)  # not all formats of 8 bits have an infinity
        exact = x.dtype == wide
        top = largest_entry(x, axes)  # before XLA has written x out wide
        if not exact:
            x, top = ops.widen(x, wide), ops.widen(top, wide)
        if sink:
            top = jnp.maximum(top, sink[0])
        top = jnp.where(top == -jnp.inf, 0.0, top)
        lifted = _exp(ops, x, top, exact)
        total = jnp.sum(lifted, axes, keepdims=True)
        if sink:
            total = total + jnp.exp(sink[0] - top) * 2.0**LIFT
        y = lifted / ops.at_least(total, 2.0**LIFT)
        return y if y.dtype == dtype else ops.narrow(y, dtype)

    dtype = x.dtype
    return on_platform(compute, x, *([] if sink is None else [sink.astype(wide)]))


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _log_of_weighted_sum(axes: tuple[int, ...], a: Array, b: Array) -> tuple[Array, Array]:
    """log(abs(sum(b exp(a)))) and the sign of the sum."""
    counts = b != 0
    top = largest_entry(lax.stop_gradient(jnp.where(counts, a, -jnp.inf)), axes)
    base = _finite(top)
    terms = jnp.where(counts, b * jnp.exp(jnp.minimum(a, base) - base), 0.0)
    total = jnp.sum(terms, axes, keepdims=True)
    return top + jnp.log(jnp.abs(total)), jnp.sign(total)


def _plain_row(axes: tuple[int, ...], x: Array, sink: Array | None) -> tuple[Array, Array, Array]:
    """In ordinary operations: the largest entry, a constant; x less that; the exponentials' sum."""
    x = x.astype(compute_dtype(x))
    top = largest_entry(x, axes)
    if sink is not None:
        sink = sink.astype(x.dtype)
        top = jnp.maximum(top, sink)
    top = lax.stop_gradient(top)
    base = jnp.where(top == -jnp.inf, 0.0, top)
    total = jnp.sum(jnp.exp(x - base), axes, keepdims=True)
    if sink is not None:
        total = total + jnp.exp(sink - base)
    return top, x - base, jnp.where(top == -jnp.inf, 1.0, total)


# --- Tangents ------------------------------------------------------------------------------------
# Linear in t. Reverse mode keeps one array, in its own dtype, and a few numbers for each row.


@_largest.defjvp
def _largest_jvp(axes, primals, tangents):
    top = _largest(axes, *primals)
    return top, jnp.zeros_like(top)  # it is where rows are measured from, and no result


@_rest.defjvp
def _rest_jvp(axes, primals, tangents):
    rest = opaque_call(_rest, (axes,), *primals)
    return rest, linear_call(_weighted_sum, (axes,), *primals, tangents[0])


@_logarithms.defjvp
def _logarithms_jvp(primals, tangents):
    x, top, rest = primals
    t, _, by_rest = tangents
    y = opaque_call(_logarithms, (), x, top, rest)
    return y, (t.astype(rest.dtype) - by_rest / (1 + rest)).astype(y.dtype)


@functools.partial(_log_of_sum.defjvp, symbolic_zeros=True)
def _log_of_sum_jvp(axes, primals, tangents):
    (x, count), (t, _) = primals, tangents
    y = opaque_call(_log_of_sum, (axes,), x, *([] if count is None else [count]))
    if isinstance(t, SymbolicZero):
        return y, jnp.zeros_like(y)
    return y, linear_call(_average, (axes,), x, opaque_call(_largest, (axes,), x), t)


@functools.partial(_log_probabilities.defjvp, symbolic_zeros=True)
def _log_probabilities_jvp(axes, primals, tangents):
    (x, sink), (t, by_sink) = primals, tangents
    row = _state(axes, x, sink)
    y = opaque_call(_logarithms, (), x, row.top, row.rest)
    total = jnp.zeros_like(y)
    if not isinstance(t, SymbolicZero):
        at_sink = [] if sink is None else row[1:]
        total = linear_call(_deviation, (axes,), x, row.top, *at_sink, t)
    if sink is not None and not isinstance(by_sink, SymbolicZero):
        total = total - (row.at_sink * by_sink.astype(row.rest.dtype)).astype(y.dtype)
    return y, total


@functools.partial(_probabilities.defjvp, symbolic_zeros=True)
def _probabilities_jvp(axes, primals, tangents):
    (x, sink), (t, by_sink) = primals, tangents
    y = opaque_call(_probabilities, (axes,), x, *([] if sink is None else [sink]))
    at_sink = [] if sink is None else [_state(axes, x, sink).at_sink]
    total = jnp.zeros_like(y)
    if not isinstance(t, SymbolicZero):
        total = linear_call(_spread, (axes,), y, *at_sink, t)
    if sink is not None and not isinstance(by_sink, SymbolicZero):
        total = total - linear_call(_scaled, (), y, *at_sink, by_sink)
    return y, total


@_log_of_weighted_sum.defjvp
def _log_of_weighted_sum_jvp(axes, primals, tangents):
    (a, b), (by_a, by_b) = primals, tangents
    y, sign = _log_of_weighted_sum(axes, a, b)
    adds = a > -jnp.inf
    weights = sign * jnp.where(adds, jnp.exp(jnp.where(adds, a, 0.0) - y), 0.0)
    along_a = jnp.where((b == 0) & jnp.isinf(weights), 0.0, b * weights) * by_a
    t = jnp.sum(along_a + weights * by_b, axes, keepdims=True)
    return (y, sign), (t, jnp.zeros_like(sign))


@custom_jvp
def _weights(x: Array, top: Array) -> Array:
    """exp(x - top), in the dtype of `top`."""

    def compute(ops, x, top):
        high = ops.at_most(ops.widen(x, top.dtype) if x.dtype != top.dtype else x, top) - top
        lowest = ops.lowest(high)
        return jnp.where(high < lowest, 0.0, ops.exp(ops.at_least(high, lowest)))

    return on_platform(compute, x, _finite(top))


@_weights.defjvp
def _weights_jvp(primals, tangents):
    e = opaque_call(_weights, (), *primals)
    return e, e * (tangents[0].astype(e.dtype) - tangents[1])


def _weighted_sum(axes: tuple[int, ...], x: Array, top: Array, t: Array) -> Array:
    return jnp.sum(_weights(x, top) * t.astype(top.dtype), axes, keepdims=True)


def _average(axes: tuple[int, ...], x: Array, top: Array, t: Array) -> Array:
    weights = _weights(x, top)
    total = jnp.sum(weights, axes, keepdims=True)
    shares = t.astype(top.dtype) / jnp.where(total == 0, 1.0, total)
    return jnp.sum(weights * shares, axes, keepdims=True).astype(x.dtype)


def _deviation(axes: tuple[int, ...], x: Array, top: Array, *others: Array) -> Array:
    *of_sink, t = others
    weights = _weights(x, top)
    if of_sink:
        rest, at_sink = of_sink
        total = 1 + rest
    else:
        at_sink, total = 0.0, jnp.sum(weights, axes, keepdims=True)
    total = jnp.where(total == 0, 1.0, total)
    return _centred(axes, weights, total, t.astype(top.dtype), at_sink).astype(x.dtype)


def _spread(axes: tuple[int, ...], y: Array, *at_sink_and_t: Array) -> Array:
    *at_sink, t = at_sink_and_t
    wide = compute_dtype(y)
    p = y.astype(wide)
    return (p * _centred(axes, p, 1.0, t.astype(wide), *at_sink)).astype(y.dtype)


def _scaled(y: Array, factor: Array, t: Array) -> Array:
    return (y.astype(factor.dtype) * (factor * t.astype(factor.dtype))).astype(y.dtype)


def _centred(
    axes: tuple[int, ...],
    weights: Array,
    total: Array | float,
    t: Array,
    at_sink: Array | float = 0.0,
) -> Array:
    """t less its mean, and less the mean of what is left, which is what rounding left."""
    mean = jnp.sum(weights * t, axes, keepdims=True) / total
    t = t - mean
    return t - (jnp.sum(weights * t, axes, keepdims=True) / total - at_sink * mean)
