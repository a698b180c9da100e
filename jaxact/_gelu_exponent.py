"""The exponent of gelu's tanh formula, which is x * sigmoid(z) with z(x) = x (C + K x^2).

It is computed in two parts, for its rounding would cost 200 ULP in the tail; and what multiplies
the exponentials as polynomials about the roots of the derivatives, where they would cancel.
"""

import math
from fractions import Fraction

import jax.numpy as jnp
from jax import Array

from ._arithmetic import DROP, LIFT, XlaOps, polynomial

_C = 2 * Fraction("0.797884560802865355879892119868763736951717262329869315331852")
_K = _C * Fraction("0.044715")
_SLOPE_ROOT, _CURVATURE_ROOT = 0.75246143, 1.41852


def _shifted(coefficients: list[Fraction], centre: float) -> tuple[float, ...]:
    """A polynomial (highest power first) in powers of a - centre, by exact Taylor expansion."""
    c, shifted = list(coefficients), []
    while c:
        for i in range(1, len(c)):
            c[i] += Fraction(centre) * c[i - 1]
        shifted.append(float(c.pop()))
    return tuple(reversed(shifted))


_ONE_MINUS_A_Z1 = _shifted([-3 * _K, Fraction(0), -_C, Fraction(1)], _SLOPE_ROOT)
_BEND = _shifted(
    [-9 * _K * _K, Fraction(0), -6 * _K * _C, 12 * _K, -_C * _C, 2 * _C], _CURVATURE_ROOT
)


def exponent(ops, a: Array) -> tuple[Array, Array]:
    """z(a) in two parts."""
    if not ops.double_float:
        # In this order, or XLA for TPUs no longer computes gelu again, and keeps twice as much.
        return a * (float(_K) * a * a + float(_C)), jnp.zeros_like(a)
    single = a.dtype == jnp.float32
    head = ops.short(a, 9 if single else 20)
    rest, square = a - head, head * head  # exact, as all products of short numbers
    c1 = math.floor(float(_C) * 2.0 ** (14 if single else 32)) / 2.0 ** (14 if single else 32)
    k1 = math.floor(float(_K) * 2.0 ** (9 if single else 16)) / 2.0 ** (9 if single else 16)
    c2, k2 = float(_C - Fraction(c1)), float(_K - Fraction(k1))
    factor = ops.short(k1 * square + c1, 15 if single else 33)
    low = head * (((c1 - factor) + k1 * square) + (k2 * square + c2))
    low = low + rest * (float(_K) * (a * (a + head) + square) + float(_C))
    return ops.fast_two_sum(head * factor, low)


def decay(ops, a: Array) -> tuple[Array, Array]:
    """2^LIFT exp(-z) and exp(-z) for 0 <= a <= `farthest`."""
    high, low = exponent(ops, a)
    lifted = ops.exp(-high, -low, lift=LIFT)
    return lifted, lifted * DROP


def farthest(x: Array) -> float:
    """Where exp(-z) is 0, lifted or not, in the dtype of `x`."""
    return 11.0 if x.dtype == jnp.float32 else 21.5


def root_decay(ops, a: Array) -> tuple[Array, Array]:
    """h and c with h^2 c = exp(-z): c is near 1, and h is 0 where its square has vanished."""
    limit = farthest_root(a)
    high, low = exponent(ops, ops.at_most(a, limit))
    return jnp.where(a > limit, 0.0, ops.exp(-0.5 * high)), 1 + ops.short_expm1(-low)


def farthest_root(x: Array) -> float:
    """Where exp(-z/2) stops being normal in the dtype of `x`: the root of a cubic, by Newton."""
    a, target = 32.0, -2 * XlaOps.lowest(x)
    for _ in range(16):
        a -= (a * (float(_C) + float(_K) * a * a) - target) / (float(_C) + 3 * float(_K) * a * a)
    return a


def one_minus_a_slope(a: Array) -> Array:
    """1 - a z'(a)."""
    return polynomial(a - _SLOPE_ROOT, *_ONE_MINUS_A_Z1)


def bends(a: Array) -> tuple[Array, Array]:
    """2 z' + a z'' - a z'^2, and the same with a plus sign at last."""
    curvature = polynomial(a - _CURVATURE_ROOT, *_BEND)
    twice = float(24 * _K) * (a * a) + float(4 * _C)
    return curvature, twice - curvature
