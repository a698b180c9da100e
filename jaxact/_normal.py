"""The normal distribution, exact in its tails: density and distribution by one exponential.

With R(a) = exp(a^2/2) * P(Z > a), Z standard normal and a >= 0 (Mills ratio over sqrt(2 pi)):

    1 / R(a) = 2 + a * V(a)                               V between 1.59 and 2.51
    R(a) - a / sqrt(2 pi) = (ROOT - a) * T(a)             T between 0.40 and 0.67
    2 R(a) - a / sqrt(2 pi) = (root - a) * H(a)
    2 R(a) - (4 a - a^3) / sqrt(2 pi) = (first - a) * (second - a) * (a + shift) * M(a)

V, T, H and M are polynomials in u = scale / (a + shift) + offset, which maps the whole range of a
to [-1, 1]. For float64 they interpolate at Chebyshev points, with relative errors of 4e-17 in
1 / R, 2e-17 in T, 7e-17 in H and 2e-17 in M; for float32 V and T were fitted with weights to the
errors that follow, H and M interpolate with errors of 2e-8 and 3e-9.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ._arithmetic import DROP, LIFT, XlaOps, polynomial

# where the slope of x * P(Z < x) vanishes: abs(x), in two parts per dtype
_ROOT = {
    jnp.dtype(jnp.float32): (0.7517915368080139, -1.211444945855772e-08),
    jnp.dtype(jnp.float64): (0.7517915246935645, -1.4956759177009883e-17),
}
_SQRT2 = {
    jnp.dtype(jnp.float32): (1.4142135381698608, 2.4203234972e-08),
    jnp.dtype(jnp.float64): (1.4142135623730951, -9.667293313452913e-17),
}
# where 2 P(Z > a) - a p(a) and 2 P(Z > a) - 4 a p(a) + a^3 p(a) vanish, in two parts per dtype
_SQUARE_SLOPE_ROOT = {
    jnp.dtype(jnp.float32): (1.1906012296676636, 1.8675106733909637e-08),
    jnp.dtype(jnp.float64): (1.1906012483427704, -6.040952733461907e-17),
}
_SQUARE_BEND_ROOTS = {
    jnp.dtype(jnp.float32): (
        (0.47240498661994934, -1.3233706102166993e-08),
        (1.878920555114746, 3.6575134067023214e-08),
    ),
    jnp.dtype(jnp.float64): (
        (0.47240497338624327, -2.674525739387283e-17),
        (1.8789205916898801, 3.447723877008222e-17),
    ),
}


class _Fit(NamedTuple):
    shift: float
    scale: float
    offset: float
    coefficients: tuple[float, ...]

    def __call__(self, a: Array) -> Array:
        return polynomial(self.scale / (a + self.shift) + self.offset, *self.coefficients)


def farthest(x: Array) -> float:
    """Where exp(-a^2/2), lifted, stops being normal in the dtype of `x`."""
    return 39.2 if x.dtype == jnp.float64 else 14.5


def density(ops, a: Array, rest: Array | None = None) -> Array:
    """2^LIFT exp(-a^2/2) for 0 <= a <= `farthest`; what rounding took from `a` is `rest`."""
    high, low = _half_square(ops, a)
    return ops.exp(-high, -low if rest is None else -low - a * rest, lift=LIFT)


def _times_density(ops, a: Array, factor: Array) -> Array:
    """factor * exp(-a^2/2) for 0 <= a <= `farthest`, rounded once less than a product of both."""
    high, low = _half_square(ops, a)
    _, times = ops.exponential(-high, -low, lift=LIFT)
    return times(factor) * DROP


def gaussian(ops, a: Array, rest: Array) -> Array:
    """2^LIFT exp(-a^2) for a up to `farthest` / sqrt(2); what rounding took from `a` is `rest`."""
    high, low = _half_square(ops, a)
    return ops.exp(-2 * high, -2 * (low + a * rest), lift=LIFT)


def root_density(ops, a: Array) -> tuple[Array, Array]:
    """h and c with h^2 c = exp(-a^2/2): c is near 1, and h is 0 where its square has vanished."""
    limit = farthest_root(a)
    high, low = _half_square(ops, ops.at_most(a, limit))
    return jnp.where(a > limit, 0.0, ops.exp(-0.5 * high)), 1 + ops.short_expm1(-low)


def farthest_root(x: Array) -> float:
    """Where exp(-a^2/4) stops being normal in the dtype of `x`."""
    return 2 * math.sqrt(-XlaOps.lowest(x))


def _half_square(ops, a: Array) -> tuple[Array, Array]:
    """a^2/2 in two parts, both exact."""
    if not ops.double_float:
        return 0.5 * (a * a), jnp.zeros_like(a)  # the square of a bfloat16 is exact
    head = ops.short(a, (jnp.finfo(a.dtype).nmant + 1) // 2)
    return 0.5 * head * head, 0.5 * (a - head) * (a + head)


# What exp(-a^2/2) is multiplied with, or divided by. They hold as far as its root is normal: in
# float32 to 4 ULP, in float64 to 126 beyond `farthest`.


def tail_divisor(ops, a: Array) -> Array:
    """exp(-a^2/2) / P(Z > a)."""
    return 2 + a * _V[a.dtype](a)


def tail_slope_factor(ops, a: Array) -> Array:
    """(P(Z > a) - a * p(a)) / exp(-a^2/2): one root, kept exact."""
    return ops.distance(_ROOT[a.dtype], a) * _T[a.dtype](a)


def tail_curvature_factor(ops, a: Array) -> Array:
    """(2 - a^2) p(a) / exp(-a^2/2), with its root kept exact."""
    root = _SQRT2[a.dtype]
    return (1 / math.sqrt(2 * math.pi)) * (ops.distance(root, a) * (root[0] + a))


def tail(ops, a: Array, rest: Array | None = None) -> Array:
    """2^LIFT P(Z > a) for 0 <= a <= `farthest`; what rounding took from `a` is `rest`."""
    return density(ops, a, rest) / tail_divisor(ops, a)


def weighted_tail(ops, a: Array) -> Array:
    """a * P(Z > a) for 0 <= a <= `farthest`."""
    return _times_density(ops, a, a / tail_divisor(ops, a))


def tail_slope(ops, a: Array) -> Array:
    """P(Z > a) - a * p(a), the slope of a * P(Z > a)."""
    return _times_density(ops, a, tail_slope_factor(ops, a))


def tail_curvature(ops, a: Array) -> Array:
    """(2 - a^2) p(a), minus the curvature of a * P(Z > a)."""
    return _times_density(ops, a, tail_curvature_factor(ops, a))


def square_slope_factor(ops, a: Array) -> Array:
    """(2 P(Z > a) - a p(a)) / exp(-a^2/2), for the slope of a^2 P(Z > a): one root, kept exact."""
    return ops.distance(_SQUARE_SLOPE_ROOT[a.dtype], a) * _H[a.dtype](a)


def square_curvature_factor(ops, a: Array) -> Array:
    """(2 P(Z > a) - 4 a p(a) + a^3 p(a)) / exp(-a^2/2), for its curvature: two exact roots."""
    first, second = _SQUARE_BEND_ROOTS[a.dtype]
    fit = _M[a.dtype]
    return ops.distance(first, a) * ops.distance(second, a) * ((a + fit.shift) * fit(a))


_V = {
    jnp.dtype(jnp.float32): _Fit(
        3.0,
        7.24137931,
        -1.413793103,
        (
            -0.000140191117,
            -0.000181962902,
            0.00102759414,
            0.000797768546,
            -0.00591462681,
            -0.00157610682,
            0.0370720279,
            8.00729127e-05,
            -0.424415552,
            1.98901801,
        ),
    ),
    jnp.dtype(jnp.float64): _Fit(
        3.0,
        6.455696202531645,
        -1.1518987341772151,
        (
            -5.404133794490303e-10,
            2.130931100357355e-09,
            4.2798226759374564e-09,
            -2.6804096078642923e-08,
            -2.277292903523325e-09,
            1.6718953768541752e-07,
            -1.5740138202695654e-07,
            -6.489934165582023e-07,
            1.3594250700817359e-06,
            1.428083901616911e-06,
            -6.983390182848813e-06,
            8.52871276033618e-07,
            2.6491906459968285e-05,
            -2.6024201342570705e-05,
            -7.878194804387359e-05,
            0.00015696161573323643,
            0.00018118302997639004,
            -0.0006976418776320759,
            -0.00026787727161957066,
            0.0027631672240663843,
            -0.00016247173258214037,
            -0.01102604374895768,
            0.0033539448237848543,
            0.05215012181419107,
            -0.016967382441964256,
            -0.47423768749437967,
            2.0406051673342853,
        ),
    ),
}
_T = {
    jnp.dtype(jnp.float32): _Fit(
        4.0,
        10.20689655,
        -1.551724138,
        (
            2.36317166e-06,
            -2.88984346e-05,
            -0.00010173503,
            0.000411183518,
            0.00424991091,
            0.0178613346,
            0.0500786328,
            0.104912495,
            0.487692699,
        ),
    ),
    jnp.dtype(jnp.float64): _Fit(
        4.0,
        8.810126582278482,
        -1.2025316455696202,
        (
            5.693236935286867e-11,
            -7.913810723567882e-11,
            -5.563527122443264e-10,
            1.2737154457819534e-09,
            2.806330369752745e-09,
            -1.24383169565967e-08,
            -7.7256682601514e-09,
            1.033480348597768e-07,
            -1.7712434262614286e-08,
            -8.723814565672183e-07,
            4.2010202083079816e-07,
            8.47535331270186e-06,
            -6.951907902593924e-07,
            -9.817771461016288e-05,
            -0.00015534395391764356,
            0.0010306075350422043,
            0.007004381940317438,
            0.023755436302762226,
            0.05665136027914149,
            0.10463240607944804,
            0.4722499278070612,
        ),
    ),
}
_H = {
    jnp.dtype(jnp.float32): _Fit(
        5.0,
        13.448275566101074,
        -1.689655065536499,
        (
            -5.9983404e-06,
            -2.0835925e-05,
            7.323832e-05,
            0.0009326866,
            0.004674574,
            0.016011314,
            0.042206503,
            0.08980105,
            0.1577501,
            0.5284891,
        ),
    ),
    jnp.dtype(jnp.float64): _Fit(
        4.0,
        8.816326530612244,
        -1.204081632653061,
        (
            1.4696515798589223e-12,
            1.001329732466193e-10,
            -1.6459857223804072e-10,
            -9.801564800413308e-10,
            2.4702199835970347e-09,
            4.801713675429452e-09,
            -2.342948930494499e-08,
            -1.114834519015227e-08,
            1.9111573293005598e-07,
            -5.800225789247878e-08,
            -1.594054667560177e-06,
            9.957957988119921e-07,
            1.542800155021131e-05,
            -3.5860371345859633e-06,
            -0.00017989187184816756,
            -0.00025654875692233514,
            0.0019373257126127333,
            0.012529074956034966,
            0.04130021771401771,
            0.09579928765263741,
            0.1714324598610014,
            0.5173384947004417,
        ),
    ),
}
_M = {
    jnp.dtype(jnp.float32): _Fit(
        3.0,
        7.241379261016846,
        -1.4137930870056152,
        (
            -4.5202452e-07,
            7.517221e-07,
            6.0649527e-06,
            -1.8059995e-05,
            -9.813563e-05,
            0.0003455043,
            0.003947122,
            0.016171789,
            -0.008635048,
            0.36382017,
        ),
    ),
    jnp.dtype(jnp.float64): _Fit(
        4.0,
        8.816326530612244,
        -1.204081632653061,
        (
            1.3553563069547848e-12,
            2.673659486949981e-12,
            -2.0685574280365223e-11,
            -1.4682725220084524e-11,
            1.8700803281683942e-10,
            -8.042314877162692e-11,
            -1.3766477819796263e-09,
            2.1357195585850206e-09,
            9.770348964170024e-09,
            -2.6985671179644715e-08,
            -8.030227320792245e-08,
            3.0058973964622804e-07,
            9.498488860796883e-07,
            -3.1669560613645673e-06,
            -1.7302895740911e-05,
            1.3729872510134594e-05,
            0.00038348237153871926,
            0.0018814825872817424,
            0.005869135587455024,
            0.013793265254726322,
            -0.057341158982577974,
            0.3170741564345982,
        ),
    ),
}
