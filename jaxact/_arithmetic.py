"""The arithmetic that kernels are written in: a few exact building blocks, once per platform.

A kernel receives one of the two namespaces below as its first argument, `ops`. `XlaOps` uses
XLA's own functions and can be differentiated; `CpuOps` replaces what XLA's CPU backend does slowly
or inexactly in float32 and bfloat16. What it does with bits would have no meaning to autodiff,
so its functions appear only in values and in slopes that are never differentiated as they stand.

The exponential is the only transcendental that most kernels need. Everything is arranged so that
its argument is not positive and its result can carry a factor 2^LIFT: then the tail of an
activation stays a normal number for as long as the true result is one.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ._arguments import is_number

LIFT = 40  # exp(-115) is far below the normal numbers of float32, 2^LIFT exp(-115) is among them
DROP = 2.0**-LIFT

_LN2 = math.log(2)


def is_short(*numbers: float) -> bool:
    """Whether every format, bfloat16 and float16 too, holds these numbers exactly."""
    return all(float(np.asarray(n, d)) == n for n in numbers for d in (jnp.bfloat16, np.float16))


def two_parts(parameter: Any, x: Array) -> tuple[Any, float]:
    """A parameter as what the dtype of `x` holds of it, and the rest: a root for `distance`."""
    if not is_number(parameter):
        return parameter, 0.0
    high = float(np.asarray(float(parameter), x.dtype))
    return high, float(parameter - type(parameter)(high))


def rounded_down(parameter: Any, x: Array) -> Any:
    """The largest number of x's dtype that is not above a parameter: what a jump compares with."""
    high, low = two_parts(parameter, x)
    return float(np.nextafter(np.asarray(high, x.dtype), -np.inf)) if low < 0 else high


class XlaOps:
    """The building blocks in terms of XLA's functions, for every platform and dtype.

    Attributes:
        double_float: whether exponents are computed in two parts.
    """

    double_float = True

    @classmethod
    def for_results(cls, dtype) -> "type[XlaOps]":
        """The arithmetic for results of a dtype."""
        return Bfloat16Ops if dtype == jnp.bfloat16 else cls

    @staticmethod
    def widen(x: Array, dtype) -> Array:
        """`x` in the dtype that kernels compute in."""
        return x.astype(dtype)

    @staticmethod
    def narrow(y: Array, dtype) -> Array:
        """`y` rounded once to the dtype of the result."""
        return y.astype(dtype)

    @staticmethod
    def at_most(x: Array, bound) -> Array:
        """min(x, bound), where NaN stays NaN: cheaper on CPU than `jnp.minimum`."""
        return jnp.where(x > bound, bound, x)

    @staticmethod
    def at_least(x: Array, bound) -> Array:
        """max(x, bound), where NaN stays NaN."""
        return jnp.where(x < bound, bound, x)

    @classmethod
    def clamp(cls, x: Array, low, high) -> Array:
        """`x` kept within [low, high]; NaN stays NaN."""
        return cls.at_most(cls.at_least(x, low), high)

    @classmethod
    def saturated(cls, x: Array, low, high) -> Array:
        """`x` kept to where a function of it is finite and not 0; autodiff sees x itself."""
        return cls.clamp(x, low, high)

    @classmethod
    def rounded_to_at_least(cls, x: Array, bound) -> Array:
        """max(x, bound) for what only rounding takes below the bound, and autodiff does not see."""
        return cls.at_least(x, bound)

    @staticmethod
    def root(x: Array) -> Array:
        """The square root of what is positive; else 0, with slope 0."""
        positive = x > 0
        return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)

    @staticmethod
    def absolute(x: Array) -> Array:
        """abs(x), with slope 1 at 0: even and odd functions of it and `with_sign` stay smooth."""
        return jnp.where(jnp.signbit(x), -x, x)

    @staticmethod
    def with_sign(magnitude: Array, x: Array) -> Array:
        """`magnitude` (not negative) with the sign of `x`, also of a zero."""
        return jnp.where(jnp.signbit(x), -magnitude, magnitude)

    @staticmethod
    def lowest(x: Array, *, lift: int = 0) -> float:
        """The lowest v for which 2^lift exp(v) is a normal number, in the dtype of `x`.

        With a lift it lies where exp(v) itself is 0: clamping there keeps limits at infinity.
        """
        info = jnp.finfo(x.dtype)
        normal = math.log(float(info.tiny)) + 0.1 - lift * _LN2
        return (
            min(normal, math.log(float(info.tiny)) - (info.nmant + 1.5) * _LN2) if lift else normal
        )

    @staticmethod
    def highest(x: Array) -> float:
        """The highest v that `exp` takes in x's dtype."""
        return math.log(float(jnp.finfo(x.dtype).max)) - 0.36

    @classmethod
    def reach(cls, x: Array, factor: Array | float = 1.0) -> Array:
        """`x` no farther from 0 than where exp(-abs(factor * x)) has vanished."""
        limit = -cls.lowest(x, lift=LIFT)
        if isinstance(factor, float):
            bound = limit / abs(factor) if factor else math.inf
        else:
            bound = limit / jnp.abs(factor)
        return cls.clamp(x, -bound, bound)

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        """2^lift exp(v + low), where `low` (at most 0.07) is what rounding took from `v`.

        Clamp `v` beforehand: from `lowest(lift=lift)` to `highest`.
        """
        if not lift:
            e = jnp.exp(v)
            return e if low is None else e + e * short_expm1(low)
        # Where exp(v) would be subnormal, the factor goes into the exponent beforehand.
        deep = v < XlaOps.lowest(v) / 2
        if low is None and v.dtype == jnp.float32:
            high, rest = _split_exactly(lift)
            # Constants are chosen, not arrays: that XLA for TPUs would keep rather than repeat.
            return jnp.exp(v + jnp.where(deep, high, 0.0)) * jnp.where(deep, rest, 2.0**lift)
        high, rest = _split(lift * _LN2)
        low = jnp.where(deep, rest, 0.0) + (0.0 if low is None else low)
        e = jnp.exp(jnp.where(deep, v + high, v))
        return (e + e * short_expm1(low)) * jnp.where(deep, 1.0, 2.0**lift)

    @classmethod
    def exponential(
        cls, v: Array, low: Array | None = None, *, lift: int = 0
    ) -> tuple[Array, Callable[[Array], Array]]:
        """What `exp` gives, and a function that multiplies by it: on CPU with a rounding less."""
        e = cls.exp(v, low, lift=lift)
        return e, lambda y: y * e

    @staticmethod
    def expm1(v: Array, low: Array | None = None) -> Array:
        """exp(v + low) - 1, exact also where v is small; `v` from `lowest` to `highest`."""
        minus = _expm1(v)
        return minus if low is None else minus + (1 + minus) * short_expm1(low)

    @staticmethod
    def short_expm1(x: Array) -> Array:
        """exp(x) - 1 for abs(x) < 0.07."""
        return short_expm1(x)

    @classmethod
    def exp_and_expm1(
        cls, v: Array, low: Array | None = None, *, lift: int = 0
    ) -> tuple[Array, Array]:
        """2^lift exp(v + low) and exp(v + low) - 1, for the price of one on CPU."""
        return cls.exp(v, low, lift=lift), cls.expm1(v, low)

    @classmethod
    def decay(cls, x: Array, factor: Array | float = 1.0, lost: float = 0.0) -> "Decay":
        """exp(-a) with a = abs((factor + lost) * x), for an x within `reach`; `lost` is tiny."""
        high, rest = cls.product(x, factor)
        if lost:
            rest = x * lost if rest is None else rest + x * lost
        if rest is not None:
            rest = jnp.where(high < 0, -rest, rest)
        a = cls.absolute(high)
        lifted = cls.exp(-a, None if rest is None else -rest, lift=LIFT)
        return Decay(a, rest, lifted, lifted * DROP)

    @classmethod
    def tanh(cls, x: Array) -> Array:
        """tanh(x); XLA's own is made for accelerators, but 7 ULP off in float64."""
        return _tanh_by_expm1(cls, x) if x.dtype == jnp.float64 else jnp.tanh(x)

    @staticmethod
    def log1p(lifted: Array, e: Array) -> Array:
        """2^LIFT log(1 + e), for what `decay` returns."""
        small = e < 0.5 * jnp.finfo(e.dtype).eps ** 0.5
        return jnp.where(small, lifted * (1 - 0.5 * e), jnp.log1p(e) * 2.0**LIFT)

    @staticmethod
    def short(x: Array, bits: int) -> Array:
        """`x` rounded to `bits` bits: short numbers multiply without rounding.

        A constant to autodiff: use it where the remainder is added again.
        """
        x, info = lax.stop_gradient(x), jnp.finfo(x.dtype)
        if jax.typeof(x).weak_type:  # bits have no weak type, but Pallas takes nothing but bits
            return lax.reduce_precision(x, info.nexp, bits - 1)
        integer = np.int64 if x.dtype == jnp.float64 else np.int32
        dropped = info.nmant + 1 - bits
        pattern = lax.bitcast_convert_type(x, integer) + integer(1 << (dropped - 1))
        return lax.bitcast_convert_type(pattern & integer(-(1 << dropped)), x.dtype)

    @staticmethod
    def distance(root: tuple[Any, float], a: Array) -> Array:
        """root - a, for a root in two parts."""
        return ((opaque_constant(root[0], a) if a.dtype == jnp.float64 else root[0]) - a) + root[1]

    @staticmethod
    def fast_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
        """a + b and what rounding took from it, for abs(a) >= abs(b)."""
        high = a + b
        return high, b - (high - a)

    @classmethod
    def with_sticky_bit(cls, high: Array, low: Array, dtype) -> Array:
        """high + low, so rounded that rounding it to `dtype` gives what rounding the sum would.

        A sum that is one of 16-bit ties but for what 24 bits cannot hold moves off the tie.
        """
        y, rest = cls.fast_two_sum(high, jnp.where(jnp.isfinite(low), low, 0.0))
        info, integer = jnp.finfo(y.dtype), np.int64 if y.dtype == jnp.float64 else np.int32
        half = integer(1 << (info.nmant - jnp.finfo(dtype).nmant - 1))
        bits = lax.bitcast_convert_type(lax.stop_gradient(y), integer)
        tied = ((bits & (2 * half - 1)) == half) & (rest != 0)
        eps = float(info.eps)
        return y * jnp.where(tied, jnp.where((rest > 0) == (y > 0), 1 + eps, 1 - eps), 1.0)

    @staticmethod
    def difference(x: Array, number: Array | float) -> tuple[Array, Array]:
        """x - number and what rounding took from it."""
        rounded = float(np.asarray(number, x.dtype)) if isinstance(number, float) else number
        high = x - rounded
        back = high - x
        low = (x - (high - back)) - (rounded + back)
        return high, low - (number - rounded) if isinstance(number, float) else low

    @classmethod
    def product(cls, x: Array, factor: Array | float) -> tuple[Array, Array | None]:
        """factor * x and what rounding took from it."""
        high = factor * x
        if isinstance(factor, float) and not 0.5 < abs(math.frexp(factor)[0]) < 1:
            return high, None  # 0, a power of two and what is not finite round nothing
        bits = (jnp.finfo(x.dtype).nmant + 1) // 2
        head = cls.short(x, bits)
        if isinstance(factor, float):
            mantissa, exponent = math.frexp(factor)
            factor_head = math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
        else:
            factor_head = cls.short(jnp.asarray(factor), bits)
        low = head * (factor - factor_head) + (x - head) * factor
        if x.dtype == jnp.float64:
            # Said as a sum, or XLA may fuse the product, unrounded, with what is subtracted below.
            total = cls._if_normal(high, head * factor_head + low)
            high = jnp.where(jnp.isfinite(total) & (total != 0), total, high)
        return high, cls._if_normal(high, (head * factor_head - high) + low)

    @classmethod
    def phase(cls, x: Array, factor: Array | float) -> tuple[Array, Array | None]:
        """The same, for a large product of which small differences count."""
        return cls.product(x, factor)

    @staticmethod
    def force_recompute(quotient: Array) -> Array:
        """A quotient of two arrays, not negative, that is used more than once."""
        return quotient

    @classmethod
    def quotient(cls, x: Array, divisor: Array | float) -> tuple[Array, Array | None]:
        """x / divisor and what rounding took from it."""
        high = x / divisor
        back, rest = cls.product(high, divisor)
        return high, None if rest is None else cls._if_normal(high, ((x - back) - rest) / divisor)

    @staticmethod
    def _if_normal(high: Array, low: Array) -> Array:
        """`low`, but 0 where `high` is so small that the parts of `low` may have been flushed."""
        info = jnp.finfo(high.dtype)
        return jnp.where(jnp.abs(high) < float(info.tiny) / float(info.eps) ** 2, 0.0, low)


class Decay(NamedTuple):
    """A decaying exponential and its exponent.

    Attributes:
        a: the exponent without its sign, rounded; not negative.
        rest: what rounding took from `a`, or None if nothing.
        lifted: 2^LIFT exp(-a - rest).
        e: exp(-a - rest).
    """

    a: Array
    rest: Array | None
    lifted: Array
    e: Array

    def short_of(self, number: float) -> Array:
        """number - (a + rest), exact to the last place of a number beside which it is small."""
        difference = number - self.a
        return difference if self.rest is None else difference - self.rest


def closed(slope: Callable[..., Array]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Gives a function of (hi, lo) its derivative: slope(y, hi, lo), for a value y.

    Made of functions that are closed themselves, so that no order ends in a polynomial.
    """

    def decorate(function: Callable[..., Array]) -> Callable[..., Array]:
        with_rule = jax.custom_jvp(function)

        @with_rule.defjvp
        def _(primals, tangents):
            y = with_rule(*primals)
            return y, slope(y, *primals) * functools.reduce(jnp.add, jax.tree.leaves(tangents))

        return with_rule

    return decorate


class SmoothOps(XlaOps):
    """The same for autodiff: every building block has the right derivatives, of all orders.

    What stands for a function only to rounding, a polynomial or a branch, has other derivatives
    than the function: each block here says what its own is. At 0 all take the branch of what is
    positive, so a kernel that chooses by a sign itself writes `x >= 0`, or `x < 0`.
    """

    @classmethod
    def for_results(cls, dtype) -> type[XlaOps]:
        return cls

    @staticmethod
    def absolute(x: Array) -> Array:
        return jnp.where(x >= 0, x, -x)

    @staticmethod
    def with_sign(magnitude: Array, x: Array) -> Array:
        return jnp.where(x >= 0, magnitude, -magnitude)

    @classmethod
    def rounded_to_at_least(cls, x: Array, bound) -> Array:
        return x

    @staticmethod
    @jax.custom_jvp
    def saturated(x: Array, low, high) -> Array:
        return XlaOps.clamp(x, low, high)

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        return _exp_lifted_by(lift)(v, low)

    @staticmethod
    @closed(lambda y, v, low: SmoothOps.exp(v, low))
    def _expm1(v: Array, low: Array | None) -> Array:
        return XlaOps.expm1(v, low)

    @classmethod
    def expm1(cls, v: Array, low: Array | None = None) -> Array:
        return cls._expm1(v, low)

    @classmethod
    def short_expm1(cls, x: Array) -> Array:
        return cls._expm1(x, None)

    @staticmethod
    @closed(lambda t, x: 4 * SmoothOps.logistic_density(SmoothOps.reach(2 * x)) * DROP)
    def tanh(x: Array) -> Array:
        return XlaOps.tanh(x)

    @staticmethod
    @closed(lambda y, v: SmoothOps.sigmoid(v) * SmoothOps.sigmoid(-v))
    def sigmoid(v: Array) -> Array:
        """1 / (1 + exp(-v)), wherever that is a normal number."""
        return 1 / (1 + XlaOps.exp(XlaOps.clamp(-v, XlaOps.lowest(v), XlaOps.highest(v))))

    @staticmethod
    @closed(lambda d, v, low: -d * SmoothOps.tanh(0.5 * v))
    def _logistic_density(v: Array, low: Array | None) -> Array:
        down = None if low is None else jnp.where(v < 0, low, -low)
        lifted = XlaOps.exp(-jnp.abs(v), down, lift=LIFT)
        q = 1 + lifted * DROP
        return lifted / (q * q)

    @classmethod
    def logistic_density(cls, v: Array, low: Array | None = None) -> Array:
        """2^LIFT times the slope of the sigmoid at v + low, for a v within `reach`."""
        return cls._logistic_density(v, low)

    @staticmethod
    def log1p(lifted: Array, e: Array) -> Array:
        return _log1p(lifted, e)

    @staticmethod
    @closed(lambda u, x: SmoothOps.cosine_of_slope(x) ** 3)
    def sine_of_slope(x: Array) -> Array:
        """x / sqrt(1 + x^2), wherever the square is finite."""
        return x / jnp.sqrt(1 + x * x)

    @staticmethod
    @closed(lambda q, x: -SmoothOps.sine_of_slope(x) * (q * q))
    def cosine_of_slope(x: Array) -> Array:
        """1 / sqrt(1 + x^2), likewise."""
        return 1 / jnp.sqrt(1 + x * x)


def curvature_of_gated(gate_slope: Callable[..., Array]) -> Callable[..., Array]:
    """The curvature of x gate(x), for autodiff, from 2^LIFT times the slope of the gate."""

    def curvature(ops, x, *parameters):
        largest = float(jnp.finfo(x.dtype).max)
        near = ops.clamp(x, -largest, largest)  # where the slope has vanished
        once, twice = jax.jvp(
            lambda x: gate_slope(ops, x, *parameters), (near,), (jnp.ones_like(near),)
        )
        return (2 * once + near * twice) * DROP

    return curvature


@SmoothOps.saturated.defjvp
def _saturated_jvp(primals, tangents):
    return SmoothOps.saturated(*primals), tangents[0]


@functools.cache
def _exp_lifted_by(lift: int) -> Callable[..., Array]:
    @closed(lambda e, v, low: e)
    def exp(v: Array, low: Array | None) -> Array:
        return XlaOps.exp(v, low, lift=lift)

    return exp


@jax.custom_jvp
def _log1p(lifted: Array, e: Array) -> Array:
    return XlaOps.log1p(lifted, e)


@_log1p.defjvp
def _log1p_jvp(primals, tangents):
    return _log1p(*primals), tangents[0] / (1 + primals[1])


class Bfloat16Ops(XlaOps):
    """The same for results in bfloat16: float32 has 16 bits to spare, and no more are computed.

    What fits between the loads and stores of a GPU is counted in instructions. The formats have
    the same exponents, so tails are lifted here too.
    """

    double_float = False

    @classmethod
    def for_results(cls, dtype) -> type[XlaOps]:
        return cls

    @staticmethod
    def at_most(x: Array, bound) -> Array:
        # One operation: the fewer there are, the more XLA for GPUs computes again, and keeps less.
        # But of zeros it may take either.
        return jnp.minimum(x, bound) if is_number(bound) and bound else XlaOps.at_most(x, bound)

    @staticmethod
    def at_least(x: Array, bound) -> Array:
        return jnp.maximum(x, bound) if is_number(bound) and bound else XlaOps.at_least(x, bound)

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        if lift:
            low = jnp.asarray(lift * _LN2, v.dtype) if low is None else low + lift * _LN2
        return jnp.exp(v if low is None else v + low)

    @classmethod
    def decay(cls, x: Array, factor: Array | float = 1.0, lost: float = 0.0) -> "Decay":
        a = cls.absolute(factor * x)
        lifted = cls.exp(-a, lift=LIFT)
        return Decay(a, None, lifted, lifted * DROP)

    @staticmethod
    def expm1(v: Array, low: Array | None = None) -> Array:
        near = jnp.abs(v) < 0.25
        small = jnp.where(near, v, 0.0)
        series = small * (1 + small * polynomial(small, *_SHORT_EXPM1))
        return jnp.where(near, series, jnp.exp(v) - 1)

    @staticmethod
    def log1p(lifted: Array, e: Array) -> Array:
        half = lifted / (2 + e)
        v = half * (2 * DROP)
        w = v * v
        return half * (2 + w * polynomial(w, *_SHORT_LOG1P))


class CpuOps(XlaOps):
    """The same for XLA's CPU backend: own exponential, bfloat16 by integer arithmetic."""

    @classmethod
    def for_results(cls, dtype) -> type[XlaOps]:
        return cls

    @staticmethod
    def widen(x: Array, dtype) -> Array:
        if x.dtype != jnp.bfloat16 or dtype != jnp.float32:
            return x.astype(dtype)
        bits = lax.bitcast_convert_type(x, jnp.uint16).astype(jnp.uint32)
        return lax.bitcast_convert_type(bits << 16, jnp.float32)

    @staticmethod
    def narrow(y: Array, dtype) -> Array:
        if dtype != jnp.bfloat16 or y.dtype != jnp.float32:
            return y.astype(dtype)
        bits = lax.bitcast_convert_type(y, jnp.uint32)
        rounded = bits + (
            np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))
        )  # to nearest, ties to even
        # Rounding may carry a NaN over to 0: XLA's logarithms return one with all bits set. It is
        # told by its bits, for if y had a second use, XLA would write it to memory first where it
        # ends in a division.
        is_nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
        kept = jnp.where(is_nan, np.uint32(0x7FC00000), rounded)
        return lax.bitcast_convert_type((kept >> 16).astype(jnp.uint16), jnp.bfloat16)

    @staticmethod
    def absolute(x: Array) -> Array:
        return jnp.abs(x)

    @staticmethod
    def force_recompute(quotient: Array) -> Array:
        # XLA would write it to memory in a kernel of its own, and keep it for the backward pass;
        # so cheap an operation, which changes nothing, it repeats.
        return jnp.abs(quotient)

    @staticmethod
    def with_sign(magnitude: Array, x: Array) -> Array:
        if x.dtype != jnp.float32:
            return XlaOps.with_sign(magnitude, x)
        sign = lax.bitcast_convert_type(x, jnp.int32) & np.int32(-(2**31))
        rest = lax.bitcast_convert_type(magnitude, jnp.int32) & np.int32(2**31 - 1)
        return lax.bitcast_convert_type(rest | sign, jnp.float32)

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        if v.dtype != jnp.float32:
            return XlaOps.exp(v, low, lift=lift)
        scale, fraction = _reduced_expm1(v, low, lift)
        return scale * (1 + fraction)

    @classmethod
    def exponential(
        cls, v: Array, low: Array | None = None, *, lift: int = 0
    ) -> tuple[Array, Callable[[Array], Array]]:
        if v.dtype != jnp.float32:
            return super().exponential(v, low, lift=lift)
        scale, fraction = _reduced_expm1(v, low, lift)
        return scale * (1 + fraction), lambda y: y * scale * fraction + y * scale

    @staticmethod
    def expm1(v: Array, low: Array | None = None) -> Array:
        if v.dtype != jnp.float32:
            return XlaOps.expm1(v, low)
        scale, fraction = _reduced_expm1(v, low)
        return scale * fraction + (scale - 1)

    @classmethod
    def exp_and_expm1(
        cls, v: Array, low: Array | None = None, *, lift: int = 0
    ) -> tuple[Array, Array]:
        if v.dtype != jnp.float32:
            return XlaOps.exp_and_expm1(v, low, lift=lift)
        scale, fraction = _reduced_expm1(v, low, lift)
        unlifted = scale * 2.0**-lift
        return scale * (1 + fraction), unlifted * fraction + (unlifted - 1)

    @classmethod
    def tanh(cls, x: Array) -> Array:
        return _tanh_by_expm1(cls, x)

    @staticmethod
    def distance(root: tuple[Any, float], a: Array) -> Array:
        return (opaque_constant(root[0], a) - a) + root[1]

    @staticmethod
    def log1p(lifted: Array, e: Array) -> Array:
        if e.dtype != jnp.float32:
            return XlaOps.log1p(lifted, e)
        # log(1+e) = 2 atanh(v/2) with v = 2e/(2+e) <= 2/3: an odd series in v
        half = CpuOps.force_recompute(lifted / (2 + e))
        v = half * (2 * DROP)
        w = v * v
        series = polynomial(w, 5.473527131e-4, 2.187432896e-3, 1.250678096e-2, 8.333301642e-2)
        return 2 * half * (w * series) + 2 * half


class PlainOps(XlaOps):
    """The same in JAX's ordinary operations, for `plain`: no bits, no barriers, no second parts."""

    double_float = False

    @classmethod
    def for_results(cls, dtype) -> type[XlaOps]:
        return cls

    absolute, with_sign = SmoothOps.absolute, SmoothOps.with_sign

    @classmethod
    def rounded_to_at_least(cls, x: Array, bound) -> Array:
        return x

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        exponent = v if low is None else v + low
        return jnp.exp(exponent + lift * _LN2 if lift else exponent)

    @staticmethod
    def expm1(v: Array, low: Array | None = None) -> Array:
        return jnp.expm1(v if low is None else v + low)

    @classmethod
    def tanh(cls, x: Array) -> Array:
        return jnp.tanh(x)

    @staticmethod
    def short(x: Array, bits: int) -> Array:
        return x  # what is left of it is 0

    @staticmethod
    def distance(root: tuple[Any, float], a: Array) -> Array:
        return root[0] - a

    @classmethod
    def with_sticky_bit(cls, high: Array, low: Array, dtype) -> Array:
        return high

    @staticmethod
    def difference(x: Array, number: Array | float) -> tuple[Array, Array]:
        difference = x - number
        return difference, jnp.zeros_like(difference)

    @staticmethod
    def fast_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
        total = a + b
        return total, jnp.zeros_like(total)

    @classmethod
    def product(cls, x: Array, factor: Array | float) -> tuple[Array, Array | None]:
        high = factor * x
        return high, None if isinstance(factor, float) else jnp.zeros_like(high)

    @classmethod
    def phase(cls, x: Array, factor: Array | float) -> tuple[Array, Array | None]:
        # Multiples of 4 have few bits up to 1e4, and those of a unit of the factor's as well.
        high, head = factor * x, 4 * jnp.round(x / 4)
        if isinstance(factor, float):
            unit = 2.0 ** (math.frexp(factor)[1] - 11) if factor else 1.0
            factor_head: Any = round(factor / unit) * unit
        else:
            unit = jnp.exp2(jnp.ceil(jnp.log2(lax.stop_gradient(jnp.abs(factor) + 1e-3))) - 11)
            factor_head = jnp.round(factor / unit) * unit
        rest = head * (factor - factor_head) + (x - head) * factor
        return high, (head * factor_head - high) + rest

    @classmethod
    def quotient(cls, x: Array, divisor: Array | float) -> tuple[Array, Array | None]:
        high = x / divisor
        return high, None if isinstance(divisor, float) else jnp.zeros_like(high)


def polynomial(x: Array, highest: float | Array, second: float | Array, *rest) -> Array:
    """Horner's scheme, highest power first."""
    result = highest * x + second
    for coefficient in rest:
        result = result * x + coefficient
    return result


def largest_entry(x: Array, axes: tuple[int, ...]) -> Array:
    """The largest entry along axes, which are kept; -inf where there is none."""
    if any(x.shape[axis] == 0 for axis in axes):
        return jnp.max(x, axes, keepdims=True, initial=-jnp.inf)
    return jnp.max(x, axes, keepdims=True)  # exporters know no other


def opaque_constant(high: Any, a: Array) -> Array:
    """A constant that XLA does not see, or it would add other constants to it first: NaN with `a`.

    No barrier: XLA for CPUs fuses nothing across one, and keeps in memory what stands before it.
    """
    if not is_number(high):
        return high
    a = lax.stop_gradient(a)
    return jnp.where(a != a, a, jnp.asarray(high, a.dtype))


def _tanh_by_expm1(ops, x: Array) -> Array:
    minus = ops.expm1(-2 * ops.at_most(ops.absolute(x), -0.5 * ops.lowest(x)))
    # The sign before the division: XLA on CPU repeats cheap last steps in the backward pass, and
    # keeps what they need.
    return ops.with_sign(-minus, x) / (2 + minus)


def _split(constant: float) -> tuple[float, float]:
    """A constant in two parts, the first so short that adding it to a number rounds the least."""
    high = round(constant * 2**12) / 2**12
    return high, constant - high


@functools.cache
def _split_exactly(lift: int) -> tuple[float, float]:
    """2^lift as exp(high) times a number that float32 holds, as nearly as there is one.

    `high` is as short as that of `_split`, and larger by less than 1/16.
    """
    start = math.ceil(lift * _LN2 * 2**12)
    highs = [(start + step) / 2**12 for step in range(2**8)]
    rests = {high: math.exp(lift * _LN2 - high) for high in highs}
    high = min(rests, key=lambda high: abs(float(np.float32(rests[high])) / rests[high] - 1))
    return high, float(np.float32(rests[high]))


def short_expm1(x: Array) -> Array:
    """exp(x) - 1 for abs(x) < 0.07, by its series."""
    return x * polynomial(x, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0)


# (exp(x) - 1 - x) / x^2, interpolated at Chebyshev points for -0.71 <= x <= 1.11
_EXPM1 = {
    jnp.dtype(jnp.float32): (
        3.28420383e-6,
        2.493029759e-5,
        0.000197917391,
        0.00138890944,
        0.008333474151,
        0.0416666574,
        0.1666666562,
        0.5000000002,
    ),
    jnp.dtype(jnp.float64): (
        1.3797996698686712e-11,
        1.6000354184518038e-10,
        2.0844919192672714e-09,
        2.5054018765528095e-08,
        2.7557481981274673e-07,
        2.755730702501587e-06,
        2.480158691962289e-05,
        0.0001984126987270411,
        0.001388888888930577,
        0.008333333333300977,
        0.041666666666664805,
        0.1666666666666676,
        0.5,
    ),
}


# (exp(x) - 1 - x) / x^2 for abs(x) <= 1/4, with an error of 2^-22, and log(1 + e) less 2 half over
# half v^2, by powers of v^2 <= 4/9, with an error of 2^-25, for v = 2 half = 2 e / (2 + e)
_SHORT_EXPM1 = 0.00834574355, 0.041753557, 0.16666657, 0.499999321
_SHORT_LOG1P = 0.00104888664, 0.00441197184, 0.0250047254, 0.1666666


def _expm1(x: Array) -> Array:
    """exp(x) - 1: XLA's own is 4 ULP off in float64, and Pallas has none for TPUs."""
    near = (x > -0.7) & (x < 1.1)
    small = jnp.where(near, x, 0.0)
    series = small + small * small * polynomial(small, *_EXPM1[x.dtype])
    return jnp.where(x == 0, x, jnp.where(near, series, jnp.exp(x) - 1))  # -0 stays -0


# The float32 exponential. Cody and Waite's reduction: v = n ln2 + r, exp(v) = 2^n (1 + expm1(r)).
_ROUND = 1.5 * 2**23 + 127  # adding it to w leaves round(w) + 127 in the low bits
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # n * _LN2_HIGH is exact for every n that occurs


def _reduced_expm1(v: Array, low: Array | None = None, lift: int = 0) -> tuple[Array, Array]:
    """2^(n+lift) and expm1(r), with v + low = n ln2 + r and abs(r) <= ln2 / 2."""
    # The absolute value keeps XLA from simplifying (w + c) - c to w. A float-to-integer conversion
    # would say the same, but the CPU backend makes it saturate, which costs more than all the rest.
    magic = np.float32(_ROUND + lift)
    shifted = v * np.float32(1 / _LN2) + magic
    n = jnp.abs(shifted) - magic
    scale = lax.bitcast_convert_type(
        lax.bitcast_convert_type(shifted, jnp.int32) << 23, jnp.float32
    )
    r = v - n * np.float32(_LN2_HIGH)
    r = r - n * np.float32(_LN2_LOW)
    r = r if low is None else r + low
    series = polynomial(r, 1.394757405e-3, 8.367234103e-3, 4.1666267e-2, 0.1666653815, 0.5000000066)
    return scale, r * r * series + r
