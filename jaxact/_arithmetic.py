"""The arithmetic that kernels are written in: a few exact building blocks, once per platform.

A kernel receives one of the two namespaces below as its first argument, `m`. `Portable` uses
XLA's own functions and can be differentiated; `Cpu` replaces what XLA's CPU backend does slowly
or inexactly in float32 and bfloat16. What it does with bits would have no meaning to autodiff,
so its functions appear only in values and in slopes that are never differentiated as they stand.

The exponential is the only transcendental that most kernels need. Everything is arranged so that
its argument is not positive and its result can carry a factor 2^LIFT: then the tail of an
activation stays a normal number for as long as the true result is one.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

LIFT = 64  # so far that exp(-a) is 0, without a flush, where 2^LIFT exp(-a) stops being normal
DROP = 2.0**-LIFT

_LN2 = math.log(2)


class Portable:
    """The building blocks in terms of XLA's functions, for every platform and dtype."""

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

    @staticmethod
    def absolute(x: Array) -> Array:
        """abs(x), with the slope 1 at 0: with `with_sign` that makes even and odd functions smooth."""
        return jnp.where(jnp.signbit(x), -x, x)

    @staticmethod
    def with_sign(magnitude: Array, x: Array) -> Array:
        """`magnitude` (not negative) with the sign of `x`, also of a zero."""
        return jnp.where(jnp.signbit(x), -magnitude, magnitude)

    @staticmethod
    def lowest(x: Array, *, lift: int = 0) -> float:
        """The lowest v for which 2^lift exp(v) is a normal number in x's dtype."""
        return math.log(float(jnp.finfo(x.dtype).tiny)) + 0.1 - lift * _LN2

    @staticmethod
    def highest(x: Array) -> float:
        """The highest v that `exp` takes in x's dtype."""
        return math.log(float(jnp.finfo(x.dtype).max)) - 0.36

    @classmethod
    def magnitude(cls, x: Array) -> Array:
        """abs(x), no larger than `decay` takes."""
        return cls.at_most(cls.absolute(x), -cls.lowest(x, lift=LIFT))

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        """2^lift exp(v + low), where `low` (at most 0.07) is what rounding took from `v`.

        Clamp `v` beforehand: from `lowest(lift=lift)` to `highest`.
        """
        if lift:  # where exp(v) would be subnormal, the factor goes into the exponent beforehand
            deep = v < Portable.lowest(v) / 2
            high, rest = _split(lift * _LN2)
            v = jnp.where(deep, v + high, v)
            low = jnp.where(deep, rest, 0.0) if low is None else jnp.where(deep, low + rest, low)
        e = jnp.exp(v)
        if low is not None:
            e = e * (1 + _short_expm1(low))
        return e * jnp.where(deep, 1.0, 2.0**lift) if lift else e

    @staticmethod
    def expm1(v: Array) -> Array:
        """exp(v) - 1, exact also where v is small."""
        return jnp.expm1(v)

    @classmethod
    def exp_and_expm1(cls, v: Array, *, lift: int = 0) -> tuple[Array, Array]:
        """2^lift exp(v) and exp(v) - 1, for the price of one on CPU."""
        return cls.exp(v, lift=lift), jnp.expm1(v)

    @classmethod
    def decay(cls, a: Array) -> tuple[Array, Array]:
        """2^LIFT exp(-a) and exp(-a), for an `a` from `magnitude`."""
        lifted = cls.exp(-a, lift=LIFT)
        return lifted, lifted * DROP

    @classmethod
    def log1p_of_exp(cls, e: Array) -> Array:
        """log(1 + e) for 0 <= e <= 1."""
        return jnp.log1p(e)

    @staticmethod
    def chop(x: Array, bits: int) -> Array:
        """`x` without the last `bits` bits of its significand: short numbers multiply exactly."""
        integer = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
        return lax.bitcast_convert_type(
            lax.bitcast_convert_type(lax.stop_gradient(x), integer) & -(1 << bits), x.dtype
        )


class Cpu(Portable):
    """The same for XLA's CPU backend: own exponential, bfloat16 by integer arithmetic."""

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
        return lax.bitcast_convert_type((rounded >> 16).astype(jnp.uint16), jnp.bfloat16)

    @staticmethod
    def absolute(x: Array) -> Array:
        return jnp.abs(x)

    @staticmethod
    def with_sign(magnitude: Array, x: Array) -> Array:
        if x.dtype != jnp.float32:
            return Portable.with_sign(magnitude, x)
        sign = lax.bitcast_convert_type(x, jnp.int32) & np.int32(-(2**31))
        return lax.bitcast_convert_type(
            lax.bitcast_convert_type(magnitude, jnp.int32) | sign, jnp.float32
        )

    @staticmethod
    def exp(v: Array, low: Array | None = None, *, lift: int = 0) -> Array:
        if v.dtype != jnp.float32:
            return Portable.exp(v, low, lift=lift)
        scale, fraction = _reduced_expm1(v, low, lift)
        return scale * (1 + fraction)

    @classmethod
    def expm1(cls, v: Array) -> Array:
        if v.dtype != jnp.float32:
            return Portable.expm1(v)
        scale, fraction = _reduced_expm1(v)
        return scale * fraction + (scale - 1)

    @classmethod
    def exp_and_expm1(cls, v: Array, *, lift: int = 0) -> tuple[Array, Array]:
        if v.dtype != jnp.float32:
            return Portable.exp_and_expm1(v, lift=lift)
        scale, fraction = _reduced_expm1(v, lift=lift)
        unlifted = scale * 2.0**-lift
        return scale * (1 + fraction), unlifted * fraction + (unlifted - 1)

    @classmethod
    def log1p_of_exp(cls, e: Array) -> Array:
        if e.dtype != jnp.float32:
            return Portable.log1p_of_exp(e)
        # log(1+e) = 2 atanh(v/2) with v = 2e/(2+e) <= 2/3: an odd series in v
        v = (e + e) / (2 + e)
        w = v * v
        series = polynomial(w, 5.473527131e-4, 2.187432896e-3, 1.250678096e-2, 8.333301642e-2)
        return v * w * series + v


def polynomial(x: Array, *coefficients: float | Array):
    """Horner's scheme, highest power first."""
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = result * x + coefficient
    return result


def _split(constant: float) -> tuple[float, float]:
    """A constant in two parts, the first so short that adding it to a number rounds the least."""
    high = round(constant * 2**12) / 2**12
    return high, constant - high


def _short_expm1(x: Array) -> Array:
    """exp(x) - 1 for abs(x) < 0.07, by its series."""
    return x * polynomial(x, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0)


# The float32 exponential. Cody and Waite's reduction: v = n ln2 + r, exp(v) = 2^n (1 + expm1(r)).
_ROUND = 1.5 * 2**23 + 127  # adding it to w leaves round(w) + 127 in the low bits
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # n * _LN2_HIGH is exact for every n that occurs


def _reduced_expm1(v: Array, low: Array | None = None, lift: int = 0) -> tuple[Array, Array]:
    """2^(n+lift) and expm1(r), with v + low = n ln2 + r and abs(r) <= ln2 / 2."""
    # The barrier keeps XLA from simplifying (w + c) - c to w. A float-to-integer conversion would
    # say the same, but the CPU backend makes it saturate, which costs more than the exponential.
    magic = lax.optimization_barrier(np.float32(_ROUND + lift))
    shifted = v * np.float32(1 / _LN2) + magic
    n = shifted - magic
    scale = lax.bitcast_convert_type(
        lax.bitcast_convert_type(shifted, jnp.int32) << 23, jnp.float32
    )
    r = v - n * np.float32(_LN2_HIGH)
    r = r - n * np.float32(_LN2_LOW)
    r = r if low is None else r + low
    series = polynomial(r, 1.394757405e-3, 8.367234103e-3, 4.1666267e-2, 0.1666653815, 0.5000000066)
    return scale, r * r * series + r
