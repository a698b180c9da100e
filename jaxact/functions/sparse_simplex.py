"""Sparse maps to the simplex: probabilities of which many are exactly zero.

Entmax with e = alpha - 1 raises what exceeds a threshold to a power. Measured from the largest
entry, u = x - max(x), and with P the largest probability,

    p = P E(u / P^e),    E(w) = max(1 + e w, 0)^(1 / e),    sum(p) = 1

is regular in e from 0, where E is the exponential and p the softmax, to 1, where p is the
sparsemax. P is found by Newton's method on the norm sum((e u + c)^(1 / e))^e = 1 in c = P^e: the
norm is convex in c, so that steps from c = 1 approach the root from above, for e = 0 at once.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from .._arguments import Axis, axis_index, axis_indices, broadcast, is_number, mask, real, require
from .._arithmetic import largest_entry, polynomial
from .._catalog import activation
from .._derivatives import compute_dtype, on_platform
from .._jax import SymbolicZero
from .._opaque_call import linear_call
from .._plain import custom_jvp, is_plain
from .._trace_names import jitted


def _sparsemax_formula(math, xs):
    descending = sorted(xs, reverse=True)
    supports = (descending[: k + 1] for k in range(len(xs)))
    support = [s for s in supports if 1 + len(s) * s[-1] > sum(s)][-1]
    threshold = (sum(support) - 1) / len(support)
    return [math.maximum(x - threshold, 0) for x in xs]


def _entmax_formula(math, xs, alpha=1.5):
    """By bisection for the threshold: there is no closed form but for alpha = 1, 1.5 and 2."""
    if alpha == 1:
        return [math.exp(x) / sum(map(math.exp, xs)) for x in xs]
    scaled = [(alpha - 1) * x for x in xs]
    low, high = max(scaled) - 1, max(scaled)

    def powers(threshold):
        return [math.maximum(s - threshold, 0) ** (1 / (alpha - 1)) for s in scaled]

    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(powers(middle)) >= 1 else (low, middle)
    return powers(low)


@activation(
    formula=_sparsemax_formula,
    source="Martins & Astudillo, ICML 2016, arXiv:1602.02068",
    kind="axis",
    range=lambda: (0.0, 1.0),
    elsewhere={"keras:sparsemax": {}},
)
def sparsemax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """Sparsemax: the nearest point of the simplex, with many probabilities exactly zero.

        sparsemax(x) = argmin over p of sum((p - x)^2), p >= 0, sum(p) = 1
        sparsemax(x)[i] = max(x[i] - threshold, 0), with the threshold at which they sum to 1

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.

    Returns:
        Array of the shape and float dtype of `x`; 0 where an entry takes no part.

    Accuracy:
        Measured on rows of 16 to 4096 entries, with large offsets, dominant entries and ties, in
        ULP of the row's largest. float32: value 1, gradient 1; 16 bits: half an ULP, and 2^-9.
        Reverse mode keeps the output only.

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets 0, and so does every entry of
        a row in which none takes part. An entry of inf or NaN makes its row NaN. Where an entry
        meets the threshold it has probability 0 and slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis, or if `where` is larger than it.

    Source:
        Martins & Astudillo, ICML 2016, arXiv:1602.02068

    Example:
        >>> jaxact.sparsemax(jnp.array([1.0, 1.5, 0.0]))
        Array([0.25, 0.75, 0.  ], dtype=float32)
    """
    x = real(x, "sparsemax")
    where = mask("sparsemax", where, x)
    return _entmax(axis_indices("sparsemax", axis, x.ndim), 1.0, x, None, where)


@activation(
    formula=_entmax_formula,
    source="Peters, Niculae & Martins, ACL 2019, arXiv:1905.05702",
    kind="axis",
    samples=({"alpha": 1.5}, {"alpha": 1.25}),
    range=lambda alpha=1.5: (0.0, 1.0),
)
def entmax(
    x: ArrayLike, alpha: float | Array = 1.5, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """Entmax: probabilities between softmax and sparsemax, the small ones exactly zero.

        entmax(x)[i] = max((alpha - 1) x[i] - threshold, 0)^(1 / (alpha - 1))

    with the threshold at which they sum to 1. With alpha = 1 it is the softmax, with 2 the
    sparsemax.

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        alpha: how sparse the result is, from 1 to 2; a number, or an array that broadcasts against
            x and is constant along the axis, as one for each attention head. It may be learned.
        axis: the axis, or axes, along which the probabilities sum to 1; None for all.
        where: the entries that take part, a mask that broadcasts against x; by default all.

    Returns:
        Array of the shape and float dtype of `x` (and of `alpha`, broadcast); 0 where an entry
        takes no part.

    Accuracy:
        Measured on rows of 16 to 4096 entries, with large offsets, dominant entries and ties, in
        ULP of the row's largest. float32: value 3; gradient 4 for alpha = 1.5 and 2, else 24, or 80
        beside the threshold, where it is steep. 16 bits: half an ULP, and 2^-9. float64: where
        1 / (alpha - 1) is no whole number, value 64. Reverse mode keeps the output only.

    Edges:
        An entry of -inf takes no part, as if it were masked: it gets 0, and so does every entry of
        a row in which none takes part. An entry of inf or NaN makes its row NaN. Where an entry
        meets the threshold it has probability 0 and slope 0.

    Raises:
        TypeError: if `x` or `alpha` is complex.
        ValueError: if `alpha` is a number outside 1 to 2, does not broadcast against `x` or varies
            along the axis; if `x` has no such axis, or if `where` is larger than it.

    Source:
        Peters, Niculae & Martins, ACL 2019, arXiv:1905.05702

    Example:
        >>> jaxact.entmax(jnp.array([2.0, 1.0, -1.0]))
        Array([0.83071893, 0.16928111, 0.        ], dtype=float32)
    """
    x = real(x, "entmax")
    where = mask("entmax", where, x)
    if is_number(alpha):
        require(1 <= alpha <= 2, "jaxact.entmax", "alpha", alpha, "be from 1 to 2")
        return _entmax(axis_indices("entmax", axis, x.ndim), float(alpha) - 1, x, None, where)
    x, (exponent,) = broadcast("entmax", x, {"alpha": real(alpha, "entmax", "alpha")})
    axes = axis_indices("entmax", axis, x.ndim)
    if exponent.ndim and any(exponent.shape[a] > 1 for a in axes):
        raise ValueError(
            f"jaxact.entmax: alpha of shape {jnp.shape(alpha)} varies along the axis, which is "
            f"{axis}: pass one number for all entries that sum to 1"
        )
    return _entmax(axes, None, x, exponent - 1, where)


@activation(
    formula=lambda math, xs: [
        math.where(i == xs.index(max(xs)), 1, 0 * x) for i, x in enumerate(xs)
    ],
    source="ONNX, operator Hardmax",
    kind="axis",
    range=lambda: (0.0, 1.0),
    elsewhere={"onnx:Hardmax": {}},
)
def hardmax(x: ArrayLike, axis: int = -1) -> Array:
    """Hardmax: 1 for the first largest entry, 0 for all others.

        hardmax(x)[i] = 1 if i is the first with x[i] = max(x), else 0        its slope is 0

    Args:
        x: logits of any shape and real dtype; integers become the default float.
        axis: the axis along which one entry is chosen.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Exact in every dtype. Reverse mode keeps nothing.

    Edges:
        The slope is 0 everywhere. Among equals the first is chosen, in a row of -inf too. A NaN
        makes its row NaN.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `x` has no such axis.

    Source:
        ONNX, operator Hardmax

    Example:
        >>> jaxact.hardmax(jnp.array([1.0, 3.0, 3.0]))
        Array([0., 1., 0.], dtype=float32)
    """
    x = real(x, "hardmax")
    return first_largest(axis_index("hardmax", axis, x.ndim), x)


@jitted(0)
def first_largest(axis: int, x: Array) -> Array:
    """1 for the first largest entry along the axis, 0 for the others; NaN for a row with a NaN."""
    if not x.shape[axis]:
        return x
    places = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    chosen = places == jnp.expand_dims(jnp.argmax(x, axis).astype(jnp.int32), axis)
    lost = jnp.any(jnp.isnan(x), axis, keepdims=True)
    return jnp.where(lost, jnp.nan, chosen.astype(x.dtype))


# --- Values --------------------------------------------------------------------------------------
# An exponent e is a Python number, then `array` is None, or else an array.


@jitted(0, 1)
def _entmax(
    axes: tuple[int, ...],
    number: float | None,
    x: Array,
    array: Array | None,
    where: ArrayLike | None,
) -> Array:
    if where is None:
        return _probabilities(axes, number, x, array)
    y = _probabilities(axes, number, jnp.where(where, x, -jnp.inf), array)
    return jnp.where(where, y, 0.0)  # drops the cotangent of what is hidden


@functools.partial(custom_jvp, nondiff_argnums=(0, 1))
def _probabilities(
    axes: tuple[int, ...], number: float | None, x: Array, array: Array | None
) -> Array:
    def compute(ops, x, *array):
        wide = compute_dtype(x)
        exponent = number if array == () else array[0].astype(wide)
        y = _solve(axes, exponent, ops.widen(x, wide) if x.dtype != wide else x)
        return ops.narrow(y, x.dtype) if y.dtype != x.dtype else y

    return on_platform(compute, x, *([] if array is None else [array]))


def _solve(axes: tuple[int, ...], exponent: Any, x: Array) -> Array:
    total = functools.partial(jnp.sum, axis=axes, keepdims=True)
    top = lax.stop_gradient(largest_entry(x, axes))  # p does not change if all entries do
    finite = jnp.where(jnp.isfinite(top), top, 0.0)
    # XLA may compute x anew wherever it is read: choosing the smaller keeps it from contracting.
    u = jnp.where(x > top, top, x) - finite
    taking_part = top > -jnp.inf
    if is_plain():  # and differentiated: what is far below has no share, and a slope of 0
        u = jnp.where(u < -1e4, -1e4, u)

    def step(exponent, u, largest):
        e, weights = _powers(exponent, u / _power(exponent, largest))
        excess = jnp.where(taking_part, largest * total(e), 1.0)
        ratio = jnp.where(taking_part, total(e) / total(weights), 1.0)
        return largest * _stretch(exponent, excess, ratio)

    largest = _fixed_point(step, _steps(axes, x), (exponent, u), jnp.ones_like(top))
    if _whole(exponent) == 1:
        # One step more, of what is continuous in the entries, as are the steps before.
        reach = lambda largest: jnp.where(u > -largest, u + largest, 0.0)
        count = jnp.where(taking_part, total(u > -largest, dtype=u.dtype), 1.0)
        largest = largest + jnp.where(taking_part, 1 - total(reach(largest)), 0.0) / count
        y = reach(largest)
    else:
        e, _ = _powers(exponent, u / _power(exponent, largest))
        y = e / jnp.where(taking_part, total(e), 1.0)
    return jnp.where(jnp.isnan(top) | (top == jnp.inf), jnp.nan, y)


def _fixed_point(step: Callable[..., Array], steps: int, given: tuple, start: Array) -> Array:
    """Where step(*given, where) leads from the start."""
    if not is_plain():
        # `fori_loop` becomes a scan, which is wrong within another under JAX's flag `jax_scan3`.
        more = lambda state: state[0] < steps
        once = lambda state: (state[0] + 1, step(*given, state[1]))
        return lax.while_loop(more, once, (0, start))[1]
    where = start
    constant = [lax.stop_gradient(a) if isinstance(a, Array) else a for a in given]
    for _ in range(steps):  # written out: not all that read programs know loops
        where = step(*constant, where)
    # Two steps from the root have its derivatives to the third.
    return step(*given, step(*given, where))


def _steps(axes: tuple[int, ...], x: Array) -> int:
    """How many steps of Newton's method suffice, whatever the row: no step waits for other rows.

    For the sparsemax a step that leaves k' of k entries multiplies the excess by 1 - k' / k at
    most, so that few steps leave few entries.
    """
    sizes = [x.shape[a] for a in axes]
    entries = math.prod(sizes) if all(isinstance(size, int) for size in sizes) else 2**16
    return math.ceil(math.log2(max(entries, 2))) + (10 if x.dtype == jnp.float32 else 18)


def _whole(exponent: Any) -> int | None:
    """1 / e if that is known to be a whole number: then no entry costs an exponential."""
    if isinstance(exponent, float) and exponent > 0 and (1 / exponent).is_integer():
        return int(1 / exponent)
    return None


def _powers(exponent: Any, w: Array) -> tuple[Array, Array]:
    """E(w) and E(w) / (1 + e w), for w <= 0."""
    inside = exponent * w > -1
    scaled = exponent * jnp.where(inside, w, 0.0)
    if power := _whole(exponent):
        base = 1 + scaled
        less = jnp.where(inside, lax.integer_pow(base, power - 1), 0.0)
        return less * base, less
    divisor = jnp.where(exponent == 0, 1.0, exponent)
    logarithm = jnp.where(exponent == 0, w, jnp.log1p(scaled) / divisor)
    e = jnp.where(inside, jnp.exp(logarithm), 0.0)
    return e, e / (1 + scaled)


def _power(exponent: Any, largest: Array) -> Array:
    """P^e."""
    if _whole(exponent) == 1:
        return largest
    return jnp.sqrt(largest) if _whole(exponent) == 2 else jnp.exp(exponent * jnp.log(largest))


def _stretch(exponent: Any, excess: Array, ratio: Array) -> Array:
    """By what a step of Newton's method multiplies P: (1 + ratio (T^-e - 1))^(1 / e), T the sum."""
    logarithm = jnp.log(excess)
    divisor = jnp.where(exponent == 0, 1.0, exponent)
    general = jnp.log1p(ratio * jnp.expm1(-exponent * logarithm)) / divisor
    return jnp.exp(jnp.where(exponent == 0, -ratio * logarithm, general))


# --- Tangents ------------------------------------------------------------------------------------
# All that the slopes need is the output, which reverse mode keeps, and the exponent.


@functools.partial(_probabilities.defjvp, symbolic_zeros=True)
def _probabilities_jvp(axes, number, primals, tangents):
    (x, array), (t, by_exponent) = primals, tangents
    y = _probabilities(axes, number, x, array)
    exponent = () if array is None else (array,)
    total = jnp.zeros_like(y)
    if not isinstance(t, SymbolicZero):
        total = linear_call(_spread, (axes, number), y, *exponent, t)
    if array is not None and not isinstance(by_exponent, SymbolicZero):
        total = total + linear_call(_spread_by_exponent, (axes,), y, array, by_exponent)
    return y, total


def _spread(axes: tuple[int, ...], number: float | None, y: Array, *rest: Array) -> Array:
    wide = compute_dtype(y)
    *array, t = rest
    slopes = _slopes(array[0].astype(wide) if array else number, y.astype(wide))
    return (slopes * _centred(axes, slopes, t.astype(wide))).astype(y.dtype)


def _spread_by_exponent(axes: tuple[int, ...], y: Array, array: Array, t: Array) -> Array:
    wide = compute_dtype(y)
    p, exponent = y.astype(wide), array.astype(wide)
    positive = p > 0
    largest = jnp.max(p, axes, keepdims=True, initial=0.0)
    log_largest = jnp.log(jnp.where(largest > 0, largest, 1.0))
    logarithm = jnp.where(positive, jnp.log(jnp.where(positive, p, 1.0)) - log_largest, 0.0)
    first, second = _exponential_differences(-exponent * logarithm)
    alone = -p * logarithm * (logarithm * second + log_largest * first)
    slopes = _slopes(exponent, p)
    total = functools.partial(jnp.sum, axis=axes, keepdims=True)
    weight = total(slopes)
    together = slopes * (total(alone) / jnp.where(weight == 0, 1.0, weight))
    return ((alone - together) * t.astype(wide)).astype(y.dtype)


def _slopes(exponent: Any, p: Array) -> Array:
    """p^(1 - e), what a change of the threshold would change; 0 where p is."""
    positive = p > 0
    if _whole(exponent) == 1:
        return positive.astype(p.dtype)
    safe = jnp.where(positive, p, 1.0)
    if _whole(exponent) == 2:
        return jnp.where(positive, jnp.sqrt(safe), 0.0)
    return jnp.where(positive, jnp.exp((1 - exponent) * jnp.log(safe)), 0.0)


def _centred(axes: tuple[int, ...], slopes: Array, t: Array) -> Array:
    """t less its mean under the slopes, and less what rounding left of that."""
    total = jnp.sum(slopes, axes, keepdims=True)
    shares = slopes / jnp.where(total == 0, 1.0, total)
    for _ in range(2):
        t = t - jnp.sum(shares * t, axes, keepdims=True)
    return t


def _exponential_differences(z: Array) -> tuple[Array, Array]:
    """(exp(z) - 1) / z and (exp(z) - 1 - z) / z^2."""
    small = jnp.abs(z) < 0.5
    safe, near = jnp.where(small, 1.0, z), jnp.where(small, z, 0.0)
    series = polynomial(near, *(1 / math.factorial(k) for k in range(16, 1, -1)))
    second = jnp.where(small, series, (jnp.expm1(safe) - safe) / (safe * safe))
    return 1 + z * second, second
