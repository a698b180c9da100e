"""On the simplex: what makes probabilities of logits, and the logarithms of their sums.

Every row is measured from its largest entry, and what that subtraction rounds away goes into the
exponential as well. The largest entry itself contributes a 1 that is not added but remembered, so
log(1 + rest) keeps its last place where one entry dominates.

An entry of -inf takes no part in its row, as if it were masked; a mask makes entries -inf.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn import one_hot as one_hot
from jax.typing import ArrayLike

from .._arguments import Axis, as_array, axis_indices, broadcast, flag, mask, real, static
from .._arithmetic import DROP, LIFT, largest_entry, opaque_constant, polynomial, two_parts
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
def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """Softmax: probabilities in proportion to the exponentials of the entries.

        softmax(x)[i] = exp(x[i]) / sum_j exp(x[j])

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.

    Returns:
        Array of the shape and float dtype of `x`; 0 where an entry takes no part.

    Accuracy:
        Measured on rows of 16 to 65,536 entries, with large offsets and dominant entries. float32:
        4 ULP (jax.nn: 66). 16 bits: half an ULP, and 2^-10. The gradient: 3.5 ULP of its row's
        largest, or 10.5 where one entry dominates so much that the gradient vanishes. Reverse mode
        keeps the output only. (Within `jax.softmax_custom_jvp(False)` it is jax.nn's function,
        differentiated as it stands, with jax.nn's errors.)

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets 0, and so does every entry of
        a row in which none takes part. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Source:
        Bridle, NIPS 1989

    Example:
        >>> jaxact.softmax(jnp.array([1.0, 2.0, 3.0]))
        Array([0.09003057, 0.24472848, 0.66524094], dtype=float32)
    """
    if softmax_rule_is_refused():
        return _of_jax(x, axis, where)
    x = as_array(x, "softmax")
    return _softmax(static("softmax", axis), x, mask("softmax", where, x))


@activation(
    formula=_log_softmax_formula,
    source="the logarithm of softmax: Bridle, NIPS 1989",
    kind="axis",
    range=lambda: (-float("inf"), 0.0),
    elsewhere={"torch:log_softmax": {}, "keras:log_softmax": {}, "onnx:LogSoftmax": {}},
)
def log_softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """Logarithm of the softmax: log-probabilities.

        log_softmax(x)[i] = x[i] - log(sum_j exp(x[j]))

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.

    Returns:
        Array of the shape and float dtype of `x`, not positive; -inf where an entry takes no part.

    Accuracy:
        Measured on rows of 16 to 65,536 entries, with large offsets and dominant entries. float32:
        3 ULP, also where a probability is so near 1 that its logarithm is tiny (jax.nn: nothing is
        left there). 16 bits: half an ULP, and 2^-10. The
        gradient: 2 ULP of its row's largest. Reverse mode keeps the input only.

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets -inf, and so does every entry
        of a row in which none takes part. An entry of inf or NaN makes its row NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Source:
        the logarithm of softmax: Bridle, NIPS 1989

    Example:
        >>> jaxact.log_softmax(jnp.array([1.0, 2.0, 30.0]))
        Array([-2.900000e+01, -2.800000e+01, -9.458066e-13], dtype=float32)
    """
    x = as_array(x, "log_softmax")
    return _log_softmax(static("log_softmax", axis), x, mask("log_softmax", where, x))


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
        ValueError: if `x` has no such axis.

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
        b: factors of the exponentials, of any sign, that broadcast against a; by default 1. With
            factors it is jax.nn's function, computed in float32 or wider.
        keepdims: whether the axes summed over are kept, with size 1.
        return_sign: whether the sign of the sum is returned too; the logarithm is then that of its
            magnitude. Without it, a negative sum gives NaN.
        where: the entries that take part, a mask that broadcasts against a; by default all.

    Returns:
        Array of the float dtype of `a`, or a pair of them: the logarithm and the sign.

    Accuracy:
        Measured on rows of 2 to 65,536 entries, with large offsets and dominant entries. float32:
        half an ULP and 0.4 eps, also where the logarithm cancels with the entries (jax.nn: 3.7
        eps). 16 bits: half an ULP, and 2^-10. The gradient: 2 ULP of its row's largest. Reverse
        mode keeps the input only.

    Edges:
        An entry of -inf adds nothing; a sum of nothing has the logarithm -inf, with slope 0. An
        entry of inf gives inf, NaN gives NaN.

    Raises:
        TypeError: if `a` is complex.
        ValueError: if `a` has no such axis, or if `b` does not broadcast against it.

    Example:
        >>> jaxact.logsumexp(jnp.array([1000.0, 1000.0]))
        Array(1000.6931, dtype=float32)
    """
    a, axis = as_array(a, "logsumexp", "a"), static("logsumexp", axis)
    keepdims = flag("logsumexp", "keepdims", keepdims)
    return_sign = flag("logsumexp", "return_sign", return_sign)
    if b is None:
        where = mask("logsumexp", where, a)
        y = _logsumexp(axis, keepdims, a, where)
        return (y, _sign_of_exp(y)) if return_sign else y
    a = real(a, "logsumexp", "a")
    a, (factors,) = broadcast("logsumexp", a, {"b": real(b, "logsumexp", "b")})
    where = mask("logsumexp", where, a)
    axes, wide = axis_indices("logsumexp", axis, a.ndim), compute_dtype(a, factors)
    result = jax.nn.logsumexp(
        a.astype(wide), axes, factors.astype(wide), keepdims, return_sign, where
    )
    return jax.tree.map(lambda y: y.astype(a.dtype), result)


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
        half an ULP and 0.4 eps, also where the logarithm cancels with the entries (jax.nn: 15 eps).
        16 bits: half an ULP, and 2^-10. The gradient: 2 ULP of its row's largest. Reverse mode
        keeps the input only.

    Edges:
        An entry of -inf counts with an exponential of 0, a masked one does not count. The mean of
        nothing is NaN. An entry of inf gives inf, NaN gives NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Example:
        >>> jaxact.logmeanexp(jnp.array([1000.0, 1000.0]))
        Array(1000., dtype=float32)
    """
    x, keepdims = as_array(x, "logmeanexp"), flag("logmeanexp", "keepdims", keepdims)
    where = mask("logmeanexp", where, x)
    return _logmeanexp(static("logmeanexp", axis), keepdims, x, where)


# --- Compiled once, with the checks and the mask -------------------------------------------------


@jitted(0)
def _softmax(axis: Axis, x: Array, where: ArrayLike | None) -> Array:
    x = real(x, "softmax")
    return _probabilities(axis_indices("softmax", axis, x.ndim), _masked(x, where))


@jitted(0)
def _softmin(axis: Axis, x: Array, where: ArrayLike | None) -> Array:
    x = real(x, "softmin")
    return _probabilities(axis_indices("softmin", axis, x.ndim), _masked(-x, where))


@jitted(0)
def _log_softmax(axis: Axis, x: Array, where: ArrayLike | None) -> Array:
    x = real(x, "log_softmax")
    y = _log_probabilities(axis_indices("log_softmax", axis, x.ndim), _masked(x, where))
    return y if where is None else jnp.where(where, y, -jnp.inf)


@jitted(0, 1)
def _logsumexp(axis: Axis, keepdims: bool, x: Array, where: ArrayLike | None) -> Array:
    x = real(x, "logsumexp", "a")
    axes = axis_indices("logsumexp", axis, x.ndim)
    y = _log_of_mean(axes, _masked(x, where), None)
    return y if keepdims else jnp.squeeze(y, axes)


@jitted(0, 1)
def _logmeanexp(axis: Axis, keepdims: bool, x: Array, where: ArrayLike | None) -> Array:
    x = _masked(real(x, "logmeanexp"), where)
    axes = axis_indices("logmeanexp", axis, x.ndim)
    counted = jnp.broadcast_to(True if where is None else where, x.shape)
    count = jnp.sum(counted, axes, keepdims=True, dtype=compute_dtype(x))
    y = _log_of_mean(axes, x, count)
    return y if keepdims else jnp.squeeze(y, axes)


def _masked(x: Array, where: ArrayLike | None) -> Array:
    return x if where is None else jnp.where(where, x, -jnp.inf)


def _sign_of_exp(y: Array) -> Array:
    return jnp.where(jnp.isnan(y), y, jnp.where(y == -jnp.inf, 0.0, 1.0).astype(y.dtype))


# --- Values --------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """Rows, measured from their largest entries.

    Attributes:
        top: the largest entry of each row, or 0 if that is -inf.
        high: x - top, rounded.
        lifted: 2^LIFT exp(x - top): it is a normal number for as long as a probability is.
    """

    top: Array
    high: Array
    lifted: Array


def _rows(ops: Any, x: Array, axes: tuple[int, ...]) -> _Rows:
    wide = compute_dtype(x)
    short = x.dtype != wide  # so is the result: the last places of float32 are rounded off
    if x.dtype.itemsize == 1:
        x = ops.widen(x, wide)  # not all formats of 8 bits have an infinity
    top = jnp.max(x, axes, keepdims=True, initial=-jnp.inf)  # before XLA has written x out wide
    if x.dtype != wide:
        x, top = ops.widen(x, wide), ops.widen(top, wide)
    top = jnp.where(top == -jnp.inf, 0.0, top)
    x = ops.at_most(x, top)  # XLA may compute x again, and not alike
    high = x - top
    lowest = ops.lowest(high, lift=LIFT)
    low = None if short else _lost(x, top, high)
    lifted = ops.exp(ops.at_least(high, lowest), low, lift=LIFT)
    return _Rows(top, high, jnp.where(high < lowest, 0.0, lifted))


def _lost(x: Array, top: Array, high: Array) -> Array:
    """What rounding takes from x - top: Knuth's two-sum, which asks not which one is larger."""
    back = high - x
    low = (x - (high - back)) - (top + back)
    return jnp.where(high == -jnp.inf, 0.0, low)


_USUAL_LENGTH = 4096  # assumed of rows whose length is not known: of longer ones the sum is rounded


def _sum(rows: _Rows, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """sum(exp(x - top)) in two parts, rounded no more than its terms are.

    Multiples of a number so large that adding them up is exact, and what that leaves of each.
    """
    info, count = jnp.finfo(rows.lifted.dtype), math.prod(rows.lifted.shape[a] for a in axes)
    length = count if isinstance(count, int) else _USUAL_LENGTH
    bits = max(0, min(info.nmant - 1, info.nmant + 1 - length.bit_length()))
    # Behind a barrier, or XLA would take adding and subtracting a number for nothing.
    magic = opaque_constant(1.5 * 2.0 ** (info.nmant - bits + LIFT), rows.lifted)
    multiples = (rows.lifted + magic) - magic
    high, low = (jnp.sum(a, axes, keepdims=True) for a in (multiples, rows.lifted - multiples))
    return high * DROP, low * DROP


def _log_of_sum(rows: _Rows, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """log(sum(exp(x - top))), and from which x - top on an entry is the one that dominates.

    The sum is taken in two parts, of which the one leaves out what is near the largest entry. As
    they are continuous, it does not matter if XLA computes x more than once, and not alike: one
    near entry is the largest, whatever it was read as.
    """
    total = functools.partial(jnp.sum, axis=axes, keepdims=True)
    e = rows.lifted * DROP
    # 2^LIFT e where e < 1/2, 0 where e > 3/4
    far = jnp.clip(1.5 * 2.0**LIFT - 2 * rows.lifted, 0.0, rows.lifted)
    others, near = total(far) * DROP, total(e - far * DROP)
    alone = (near < 1.2) & (others < 0.25)
    rest = jnp.where(alone, others, (near - 1) + others)
    rest = jnp.where(rest < 0, 0.0, rest)
    # XLA's logarithm sets every bit of a NaN, which rounding to 16 bits would carry over to 0.
    return jnp.where(jnp.isnan(rest), jnp.nan, jnp.log1p(rest)), jnp.where(alone, -0.25, 0.0)


_LN2_HIGH = round(math.log(2) * 2**16) / 2**16  # times an exponent it is not rounded
_LN2_LOW = math.log(2) - _LN2_HIGH + 2.3190468138462996e-17
_ATANH = tuple(2 / (2 * k + 3) for k in range(11, -1, -1))  # (2 atanh(z) - 2 z) / z^3 by z^2


def _log_of_mean_in_parts(
    ops: Any, high: Array, low: Array, count: Array | float
) -> tuple[Array, ...]:
    """log((high + low) / count), in parts that all count where the largest cancel with others.

    It is that of a power of two, and of what is left, by 2 atanh(z) = log((1 + z) / (1 - z)).
    """
    power = ops.short((high + low) / count, 1)
    exponent, nearest = jnp.round(jnp.log2(power)), count * power
    difference, difference_low = _total(ops, high, -nearest, low)
    total, total_low = _total(ops, high, nearest, low)
    z, z_low = ops.quotient(difference, total)
    z_low = z_low + (difference_low - z * total_low) / total
    square = z * z
    series = polynomial(square, *_ATANH[-6 if z.dtype == jnp.float32 else 0 :])
    ln2_low, ln2_rest = two_parts(_LN2_LOW, z)
    rest = 2 * z_low * (1 + square) + z * square * series + exponent * ln2_rest
    return exponent * _LN2_HIGH, 2 * z, exponent * ln2_low, rest


def _total(ops: Any, first: Array, *others: Array) -> tuple[Array, Array]:
    """The sum of some numbers, and what rounding took from it."""
    total, low = first, jnp.zeros_like(first)
    for other in others:
        total, rest = ops.difference(total, -other)
        low = low + rest
    return total, low


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _probabilities(axes: tuple[int, ...], x: Array) -> Array:
    if is_plain():
        row = _plain_row(axes, x)
        return (row.exponentials / row.total).astype(x.dtype)

    def compute(ops, x):
        lifted = _rows(ops, x, axes).lifted
        total = jnp.sum(lifted, axes, keepdims=True)
        y = lifted / jnp.where(total == 0, 1.0, total)
        return y if y.dtype == x.dtype else ops.narrow(y, x.dtype)

    return on_platform(compute, x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _log_probabilities(axes: tuple[int, ...], x: Array) -> Array:
    if is_plain():
        row = _plain_row(axes, x)
        return (row.high - jnp.log(row.total)).astype(x.dtype)

    def compute(ops, x):
        rows = _rows(ops, x, axes)
        logarithm, largest = _log_of_sum(rows, axes)
        y = jnp.where(rows.high >= largest, 0.0, rows.high) - logarithm
        return y if y.dtype == x.dtype else ops.narrow(y, x.dtype)

    return on_platform(compute, x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _log_of_mean(axes: tuple[int, ...], x: Array, count: Array | None = None) -> Array:
    if is_plain():
        row = _plain_row(axes, x)
        sum_is_zero = row.top == -jnp.inf
        y = jnp.where(sum_is_zero, -jnp.inf, row.top + jnp.log(row.total))
        y = jnp.where(row.top == jnp.inf, row.top, y)
        if count is not None:
            y = jnp.where(count == 0, jnp.nan, y - jnp.log(jnp.where(count == 0, 1.0, count)))
        return y.astype(x.dtype)

    def compute(ops, x, *count):
        rows = _rows(ops, x, axes)
        high, low = _sum(rows, axes)
        divisor = count[0] if count else 1.0
        mean = (high + low) / divisor  # of nothing it is NaN
        y, rest = _total(ops, rows.top, *_log_of_mean_in_parts(ops, high, low, divisor))
        y = jnp.where(mean > 0, y + rest, jnp.where(mean == 0, -jnp.inf, jnp.nan))
        y = jnp.where(rows.top == jnp.inf, rows.top, y)
        return y if y.dtype == x.dtype else ops.narrow(y, x.dtype)

    return on_platform(compute, x, *([] if count is None else [count]))


class _PlainRow(NamedTuple):
    """Rows in ordinary operations.

    Attributes:
        top: the largest entry of each row, a constant to autodiff.
        high: x - top, and x where no entry takes part.
        exponentials: exp(x - top).
        total: their sum, and 1 where no entry takes part.
    """

    top: Array
    high: Array
    exponentials: Array
    total: Array


def _plain_row(axes: tuple[int, ...], x: Array) -> _PlainRow:
    x = x.astype(compute_dtype(x))
    top = lax.stop_gradient(largest_entry(x, axes))
    high = x - jnp.where(top == -jnp.inf, 0.0, top)
    exponentials = jnp.exp(high)
    total = jnp.sum(exponentials, axes, keepdims=True)
    return _PlainRow(top, high, exponentials, jnp.where(top == -jnp.inf, 1.0, total))


# --- Tangents ------------------------------------------------------------------------------------
# Linear in t. Reverse mode keeps the first array in its own dtype, and nothing else.


@functools.partial(_probabilities.defjvp, symbolic_zeros=True)
def _probabilities_jvp(axes, primals, tangents):
    (x,), (t,) = primals, tangents
    y = opaque_call(_probabilities, (axes,), x)
    return y, jnp.zeros_like(y) if isinstance(t, SymbolicZero) else linear_call(
        _spread, (axes,), y, t
    )


@functools.partial(_log_probabilities.defjvp, symbolic_zeros=True)
def _log_probabilities_jvp(axes, primals, tangents):
    (x,), (t,) = primals, tangents
    y = opaque_call(_log_probabilities, (axes,), x)
    if isinstance(t, SymbolicZero):
        return y, jnp.zeros_like(y)
    return y, linear_call(_deviation, (axes,), x, t)


@functools.partial(_log_of_mean.defjvp, symbolic_zeros=True)
def _log_of_mean_jvp(axes, primals, tangents):
    (x, count), (t, _) = primals, tangents
    y = opaque_call(_log_of_mean, (axes,), x, *([] if count is None else [count]))
    return y, jnp.zeros_like(y) if isinstance(t, SymbolicZero) else linear_call(
        _average, (axes,), x, t
    )


def _spread(axes: tuple[int, ...], y: Array, t: Array) -> Array:
    wide = compute_dtype(y)
    p = y.astype(wide)
    return (p * _centred(axes, p, t.astype(wide))).astype(y.dtype)


def _deviation(axes: tuple[int, ...], x: Array, t: Array) -> Array:
    wide = compute_dtype(x)
    p = _probabilities(axes, x.astype(wide))
    return _centred(axes, p, t.astype(wide)).astype(x.dtype)


def _average(axes: tuple[int, ...], x: Array, t: Array) -> Array:
    wide = compute_dtype(x)
    p = _probabilities(axes, x.astype(wide))
    return jnp.sum(p * t.astype(wide), axes, keepdims=True).astype(x.dtype)


def _centred(axes: tuple[int, ...], p: Array, t: Array) -> Array:
    """t less its mean under p. The mean of what is left is what rounding left, so it goes too."""
    for _ in range(2):
        t = t - jnp.sum(p * t, axes, keepdims=True)
    return t
