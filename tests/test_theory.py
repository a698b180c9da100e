"""The laws of theory: expectations are those of the definition, maps those of wide networks."""

import doctest
import functools
import math
import re
import reprlib

import flax.linen
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import oracle
import printed
import pytest
from cases import POINTWISE, Case, cases, over, typical_cases
from flax import nnx
from mpmath.calculus.quadrature import GaussLegendre

import jaxact
from jaxact import theory
from jaxact.theory import MeanField, edge_of_chaos, gain, initializer, moments


def is_real(case: Case) -> bool:
    """Whether the activation is defined on the whole line."""
    try:
        oracle.evaluate(case.entry.formula, [-1.5, 1.5], 1, case.parameters)
    except oracle.Undecided:
        return False
    return True


def is_continuous(case: Case) -> bool:
    """Whether it jumps at no kink: what it does there E[f'f'] does not see."""
    kinks = np.array(list(case.kinks), np.float64)
    below, above = (
        oracle.evaluate(case.entry.formula, kinks + step, 0, case.parameters)[0].hi
        for step in (-1e-9, 1e-9)
    )
    return bool(np.all(np.abs(above - below) < 1e-6))


REAL = [case for case in cases(*POINTWISE) if is_real(case)]
TYPICAL = [case for case in typical_cases(*POINTWISE) if is_real(case)]
CONTINUOUS = [case for case in TYPICAL if is_continuous(case)]
PARTIAL = [case for case in typical_cases(*POINTWISE) if not is_real(case)]

# --- Moments -------------------------------------------------------------------------------------

_NODES, _WEIGHTS = np.array(
    [[float(part) for part in node] for node in GaussLegendre(mpmath.mp).calc_nodes(4, 100)]
).T


def exact_moments(case: Case, mean: float, variance: float, reach: float) -> np.ndarray:
    """E[f], E[f²], E[f'²], and the same of magnitudes, by mpmath's rule on exact numbers."""
    std = math.sqrt(variance)
    graded = np.add.outer([0.0, *case.kinks], [0.0, *2.0 ** np.arange(-6, 1)])
    slope = oracle.evaluate(
        case.entry.formula, mean + std * np.linspace(-2, 2, 41), 1, case.parameters
    )
    width = 0.5 if std * np.max(np.abs(slope[1].hi)) < 20 else 0.125  # what is steep may oscillate
    edges = [np.arange(-reach, reach + width, width), (graded - mean) / std, (-graded - mean) / std]
    edges = np.unique(np.concatenate([part.ravel() for part in edges]).clip(-reach, reach))
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    z = (middle[:, None] + half[:, None] * _NODES).ravel()
    weight = (half[:, None] * _WEIGHTS).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    value, slope = oracle.evaluate(case.entry.formula, mean + std * z, 1, case.parameters)
    integrands = np.array([value.hi, value.hi**2, slope.hi**2])
    both = np.array([integrands, np.abs(integrands)]) * weight
    return np.array([[math.fsum(integral) for integral in part] for part in both])


def assert_moments_are_exact(case: Case, mean: float, variance: float, reach: float = 13.0):
    got = moments(case.entry.name, mean, variance, **case.parameters)
    exact, magnitude = exact_moments(case, mean, variance, reach)
    assert np.all(np.abs(got - exact) <= 1e-10 * np.abs(exact) + 1e-14 * magnitude), got - exact


@over(REAL)
def test_moments_are_those_of_the_definition(case):
    assert_moments_are_exact(case, 0.7, 4.0)


@over(TYPICAL)
def test_moments_are_exact_for_unit_narrow_and_far_inputs(case):
    assert_moments_are_exact(case, 0.0, 1.0)
    assert_moments_are_exact(case, -1.0, 1e-4)
    assert_moments_are_exact(case, -15.0, 1.0, reach=27.0)


@pytest.mark.machinery
@over(TYPICAL)
def test_a_function_has_the_moments_of_its_name(case):
    """Also where the catalogue is not asked, and the kinks have to be found."""
    named = moments(case.entry.name, -0.3, 2.0, **case.parameters)
    assert moments(case.entry.function, -0.3, 2.0, **case.parameters) == named
    np.testing.assert_allclose(moments(case, -0.3, 2.0), named, rtol=1e-10, atol=1e-14)


def test_moments_of_a_rectifier_far_below_its_kink():
    """E relu(x) = φ(30) - 30 Q(30) for x ~ N(-30, 1), and likewise its square and its slope's."""
    with mpmath.workdps(40):
        density, beyond = mpmath.npdf(30), mpmath.erfc(30 / mpmath.sqrt(2)) / 2
        exact = [density - 30 * beyond, 901 * beyond - 30 * density, beyond]
        np.testing.assert_allclose(moments("relu", -30.0), [float(e) for e in exact], rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
def test_moments_do_not_miss_what_happens_on_a_small_scale(scale):
    """E[erf(x/s)²] = (2/π) asin(2 / (2 + s²)), and E of the slope's square likewise."""
    got = moments(lambda x: jax.scipy.special.erf(x / scale))
    square = 2 / math.pi * math.asin(2 / (2 + scale**2))
    slope_square = 4 / math.pi / (scale * math.sqrt(scale**2 + 4))
    np.testing.assert_allclose(got[1:], [square, slope_square], rtol=1e-10)


@pytest.mark.parametrize("kink", [1e-3, 0.3, 2.499, 2.501, -7.0])
def test_a_kink_is_found_wherever_it_is(kink):
    got = moments(lambda x: jnp.abs(x - kink))
    beyond = math.erfc(kink / math.sqrt(2))
    mean = kink * (1 - beyond) + math.sqrt(2 / math.pi) * math.exp(-(kink**2) / 2)
    np.testing.assert_allclose(got, [mean, 1 + kink**2, 1.0], rtol=1e-10)


def test_functions_of_single_numbers_and_of_few_bits_have_moments():
    branching = moments(lambda x: jax.lax.cond(x > 0, lambda: x, lambda: -2 * x))
    np.testing.assert_allclose(branching[1:], [2.5, 2.5], rtol=1e-10)
    rounded = moments(lambda x: jnp.tanh(x.astype(jnp.float32)))
    np.testing.assert_allclose(rounded, moments("tanh"), rtol=1e-6, atol=1e-6)


def test_moments_that_do_not_exist_are_nan():
    unknown = functools.partial(pytest.warns, RuntimeWarning)
    with unknown(match="slope_square of f = <lambda> at mean 0.0 .* is infinite or unknown"):
        root = moments(lambda x: jnp.sqrt(jnp.abs(x)))
    assert not np.isnan(root[:2]).any()
    assert math.isnan(root.slope_square)
    for function in (lambda x: jnp.exp(x * x), jnp.log):
        with unknown(match="mean and square and slope_square of .* are infinite or unknown"):
            assert np.isnan(moments(function)).all()
    with unknown(match="square of f = exponential at mean 0.0 and variance 10000.0 are inf"):
        assert np.isnan(moments("exponential", variance=1e4)).all()


@over(PARTIAL)
def test_moments_of_what_is_not_defined_on_the_whole_line_are_nan(case):
    with pytest.warns(RuntimeWarning, match="are infinite or unknown"):
        assert np.isnan(moments(case.entry.name, **case.parameters)).all()
    with pytest.raises(ValueError, match=r"second moment .* is infinite or unknown"):
        gain(case.entry.name, **case.parameters)


def test_selu_keeps_mean_zero_and_variance_one():
    """Klambauer et al., NIPS 2017, arXiv:1706.02515: (0, 1) is its fixed point."""
    at_fixed_point = moments("selu")
    assert at_fixed_point.mean == pytest.approx(0, abs=1e-10)
    assert at_fixed_point.variance == pytest.approx(1, abs=1e-10)


# --- Gains and initializers ----------------------------------------------------------------------


@over(REAL)
def test_a_gain_keeps_the_second_moment_of_the_signal_or_of_the_gradient(case):
    name, parameters = case.entry.name, case.parameters
    for mode, moment in (("forward", "variance_map"), ("backward", "chi")):
        kept = lambda scale, moment=moment: getattr(MeanField(name, scale, **parameters), moment)(
            1.0
        )
        if kept(1.0) == 0:  # a step passes no gradient
            with pytest.raises(ValueError, match=f"{mode} second moment of f = {name} is 0.0"):
                gain(name, mode, **parameters)
        else:
            assert kept(gain(name, mode, **parameters)) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("mode", ["forward", "backward", "both"])
def test_known_gains(mode):
    """He et al. 2015, equations 10 and 15."""
    assert gain("identity", mode) == pytest.approx(1)
    assert gain("relu", mode) == pytest.approx(math.sqrt(2))
    for slope in (0.01, 0.25, 1.5):
        expected = math.sqrt(2 / (1 + slope**2))
        assert gain("leaky_relu", mode, negative_slope=slope) == pytest.approx(expected)
        assert gain("prelu", mode, negative_slope=jnp.float32(slope)) == pytest.approx(expected)


def test_gain_of_selu_is_one():
    assert gain("selu") == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize(
    ("mode", "fan", "keeps"),
    [("fan_in", 256, "forward"), ("fan_out", 1024, "backward"), ("fan_avg", 640, "both")],
)
def test_an_initializer_has_the_variance_of_the_gain(mode, fan, keeps, distribution):
    init = initializer("leaky_relu", mode, distribution, negative_slope=0.7)
    kernel = np.asarray(init(jax.random.key(0), (256, 1024)))
    expected = gain("leaky_relu", keeps, negative_slope=0.7) ** 2 / fan
    assert kernel.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / kernel.size))


@pytest.mark.machinery
@over(TYPICAL)
def test_signals_keep_their_second_moment_through_a_flax_layer(case):
    init = initializer(case.entry.name, **case.parameters)
    layer = nnx.Linear(2048, 256, use_bias=False, kernel_init=init, rngs=nnx.Rngs(0))
    signal = np.asarray(case(STANDARD_NORMAL), np.float64)
    response = np.asarray(layer(signal.astype(np.float32)))
    sampling = np.std(signal**2) / np.mean(signal**2) / math.sqrt(2048) + math.sqrt(2 / 256)
    assert np.mean(response**2) == pytest.approx(1, abs=5 * sampling)


STANDARD_NORMAL = np.random.default_rng(0).standard_normal((8, 2048), np.float32)


def test_an_initializer_is_made_while_jax_traces():
    class Network(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, x):
            return flax.linen.Dense(3, kernel_init=initializer("elu", alpha=0.4))(x)

    key, x = jax.random.key(0), jnp.ones((2, 5))
    traced = jax.jit(Network().init)(key, x)
    eager = Network().init(key, x)
    np.testing.assert_allclose(*(v["params"]["Dense_0"]["kernel"] for v in (traced, eager)), 1e-6)


# --- Mean-field maps -----------------------------------------------------------------------------

NETWORKS = [
    pytest.param((1024, 20), id="1024x20"),
    pytest.param((4096, 50), id="4096x50", marks=pytest.mark.thorough),
]
BIAS_STD = 0.3


def mean_field(case: Case) -> MeanField:
    """The network of a case that the laws look at: variance 1 is one of its fixed points."""
    name, parameters = case.entry.name, case.parameters
    weight_std = gain(name, **parameters) * math.sqrt(1 - BIAS_STD**2)
    return MeanField(name, weight_std, BIAS_STD, **parameters)


@functools.lru_cache(maxsize=1)  # of the laws, which follow each other
@np.errstate(over="ignore", invalid="ignore")  # a signal may leave a fixed point that is unstable
def propagated(case: Case, width: int, depth: int) -> np.ndarray:
    """Two inputs of correlation 0.6 in a random network: the activation's values in all layers.

    The first pre-activations are random.
    """
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32)

    weight_std = np.float32(mean_field(case).weight_std)
    first = normal(width, 2) @ np.linalg.cholesky([[1, 0.6], [0.6, 1]]).T.astype(np.float32)
    layers = [np.asarray(case(first))]
    for _ in range(depth):
        weights, bias = normal(width, width) / np.float32(math.sqrt(width)), normal(width, 1)
        h = weights @ (weight_std * layers[-1]) + np.float32(BIAS_STD) * bias
        layers.append(np.asarray(case(h)))
    return np.array(layers, np.float64)


@pytest.mark.machinery
@pytest.mark.parametrize("size", NETWORKS)
@over(CONTINUOUS)
def test_variances_propagate_as_the_variance_map_says(case, size):
    """Through all layers, within 5 standard errors of what a network of this width samples.

    Given a layer, the next pre-activations are normal with variance Q = σ_w² mean(f²) + σ_b². So
    the error of Q is that of the mean over the width, plus slope times the error before; and what
    single layers add to it is independent, so that it averages out. A signal that has left an
    unstable fixed point is followed no further.
    """
    network, width = mean_field(case), size[0]
    expected, error, before, added = 1.0, 0.0, 1.0, []
    for signal in propagated(case, *size)[:, :, 0]:
        measured = network.weight_std**2 * np.mean(signal**2) + BIAS_STD**2
        sampling = network.weight_std**2 * np.std(signal**2) / math.sqrt(width)
        error = math.hypot(network.variance_slope(expected) * error, sampling)
        expected = network.variance_map(expected)
        if error > expected / 4:
            break
        assert abs(measured - expected) <= 5 * error + 1e-6 * expected
        added.append((measured - network.variance_map(before)) / sampling)
        before = measured
    assert abs(np.mean(added)) <= 5 / math.sqrt(len(added))


@pytest.mark.machinery
@pytest.mark.parametrize("size", NETWORKS)
@over(CONTINUOUS)
def test_correlations_propagate_as_the_correlation_map_says(case, size):
    """Within 5 standard errors, from layer to layer: the first two, and every tenth."""
    network, (width, depth) = mean_field(case), size
    variance, correlation = 1.0, 0.6
    for layer, signals in enumerate(propagated(case, *size)):
        covariance = network.weight_std**2 * signals.T @ signals / width + BIAS_STD**2
        if covariance[0, 0] > 1.5 * covariance[1, 1] or covariance[1, 1] > 1.5 * covariance[0, 0]:
            return  # an unstable fixed point is left: the map is one for inputs of one variance
        if layer < 1 or (layer % 10 == 0 and depth > 20):
            product = signals[:, 0] * signals[:, 1]
            error = network.weight_std**2 * np.std(product) / math.sqrt(width)
            expected = network.correlation_map(correlation, variance)
            expected *= network.variance_map(variance)
            assert abs(covariance[0, 1] - expected) <= 5 * error + 1e-6 * abs(expected)
        variance = math.sqrt(covariance[0, 0] * covariance[1, 1])
        correlation = min(covariance[0, 1] / variance, 1.0)
        if not 1e-3 < variance < 1e3:  # it has left an unstable fixed point
            break


@pytest.mark.machinery
@over(CONTINUOUS)
def test_slopes_are_derivatives_of_the_maps(case):
    network, step = mean_field(case), 1e-4
    difference = network.variance_map(0.8 + step) - network.variance_map(0.8 - step)
    assert network.variance_slope(0.8) == pytest.approx(difference / (2 * step), rel=1e-5)


@pytest.mark.machinery
@over(TYPICAL)
def test_fixed_points_stay_where_they_are(case):
    network = mean_field(case)
    points = network.fixed_points()
    assert any(point.variance == pytest.approx(1, rel=1e-8) for point in points) or (
        network.variance_slope(1.0) == pytest.approx(1, rel=1e-8)
    )
    for point in points:
        assert network.variance_map(point.variance) == pytest.approx(point.variance, rel=1e-10)
        if point.chi <= 1:
            assert point.correlation == 1
        else:
            assert 0 <= point.correlation < 1
            after = network.correlation_map(point.correlation, point.variance)
            assert after == pytest.approx(point.correlation, abs=1e-10)


@pytest.mark.machinery
@over(TYPICAL)
def test_the_edge_of_chaos_is_where_gradients_keep_their_size_at_a_fixed_point(case):
    for bias_std in (0.0, BIAS_STD):
        for weight_std, variance in edge_of_chaos(case.entry.name, bias_std, **case.parameters):
            network = MeanField(case.entry.name, weight_std, bias_std, **case.parameters)
            assert network.chi(variance or 1e-24) == pytest.approx(1, abs=1e-9)
            if variance:
                assert network.variance_map(variance) == pytest.approx(variance, rel=1e-9)


def erf(x):
    return jax.scipy.special.erf(x)


@pytest.mark.parametrize("correlation", [-1.0, -0.9, -1e-5, 0.0, 0.4, 0.99, 1 - 1e-9, 1.0])
def test_correlation_maps_known_in_closed_form(correlation):
    """Of rectifiers (Cho & Saul, NIPS 2009), leaky ones too, and of erf (Williams, NIPS 1996)."""
    angle = math.acos(correlation)
    arc = (math.sqrt(1 - correlation**2) - correlation * angle) / math.pi
    for slope in (0.0, 0.3, -1.0):
        share = (1 - slope) ** 2 / (1 + slope**2)
        network = MeanField("leaky_relu", 1.3, negative_slope=slope)
        got = network.correlation_map(correlation, 0.7)
        assert got == pytest.approx(correlation + share * arc, abs=1e-10)
        slope_of_map = 1 - share * angle / math.pi
        got = network.correlation_slope(correlation, 0.7)
        assert got == pytest.approx(slope_of_map, abs=1e-10)
    network = MeanField(erf, 1.3, 0.2)
    covariance = 1.69 * 2 / math.pi * math.asin(1.4 * correlation / 2.4) + 0.04
    variance = 1.69 * 2 / math.pi * math.asin(1.4 / 2.4) + 0.04
    assert network.variance_map(0.7) == pytest.approx(variance, abs=1e-10)
    got = network.correlation_map(correlation, 0.7)
    assert got == pytest.approx(covariance / variance, abs=1e-10)


def test_correlation_map_finds_kinks_that_it_is_not_told_of():
    named, foreign = MeanField("relu6", 1.5, 0.1), MeanField(jax.nn.relu6, 1.5, 0.1)
    for correlation in (-0.7, 0.2, 0.99, 1.0):
        got = foreign.correlation_map(correlation, 7.0), foreign.correlation_slope(correlation, 7.0)
        assert got == pytest.approx(
            (named.correlation_map(correlation, 7.0), named.correlation_slope(correlation, 7.0)),
            abs=1e-10,
        )


def test_tanh_turns_chaotic_at_unit_weights():
    """Poole et al. 2016: without biases q* = 0 up to σ_w = 1, and above it is not."""
    (point,) = edge_of_chaos("tanh")
    assert point == pytest.approx((1, 0))
    (below,) = MeanField("tanh", 0.9).fixed_points()
    assert below.stable
    assert below.chi == pytest.approx(0.81)
    zero, above = MeanField("tanh", 1.3).fixed_points()
    assert not zero.stable
    assert above.stable
    assert above.chi > 1
    assert above.correlation == pytest.approx(0, abs=1e-10)


def test_relu_is_critical_at_one_point_only():
    """Hayou et al. 2019: (σ_b, σ_w) = (0, sqrt(2)); there c approaches 1 slower than any power."""
    ((weight_std, variance),) = edge_of_chaos("relu")
    assert (weight_std, variance) == pytest.approx((math.sqrt(2), 0))
    assert edge_of_chaos("relu", bias_std=0.1) == ()
    (point,) = MeanField("relu", weight_std).fixed_points()
    assert point.correlation_depth == math.inf
    (point,) = MeanField("relu", 1.0, bias_std=0.5).fixed_points()
    assert point.variance == pytest.approx(0.25 / (1 - 1 / 2))
    assert point.variance_depth == pytest.approx(1 / math.log(2))


@pytest.mark.parametrize(
    ("f", "bias_variance", "weight_variance", "variance"),
    [
        (jax.nn.silu, 0.55514317, 1.98800468, 14.32017362),
        (functools.partial(jax.nn.gelu, approximate=False), 0.17292239, 1.98305826, 3.5615528),
    ],
    ids=["swish", "gelu"],
)
def test_both_slopes_are_one_at_the_published_critical_points(
    f, bias_variance, weight_variance, variance
):
    """Roberts, Yaida & Hanin, The Principles of Deep Learning Theory, 2022, arXiv:2106.10165."""
    network = MeanField(f, math.sqrt(weight_variance), math.sqrt(bias_variance))
    assert network.variance_map(variance) == pytest.approx(variance, abs=1e-7)
    assert network.chi(variance) == pytest.approx(1, abs=1e-8)
    assert network.variance_slope(variance) == pytest.approx(1, abs=1e-8)


def residual_network(layer, x):
    """The longest path through the ResNet of the Deep Kernel Shaping library, layer by layer."""
    for blocks in (3, 4, 23, 3):
        for block in range(blocks):
            shortcut = x if block else layer(x)
            x = 0.36 * shortcut + 0.64 * layer(layer(layer(x)))
    return layer(x)


@pytest.mark.parametrize(
    ("f", "input_scale", "input_shift", "output_shift", "output_scale"),
    [
        ("tanh", 0.07461073057540868, 0.5566915199964182, -0.5034378768692127, 18.002635964442558),
        (
            "softplus",
            0.18761008168267976,
            0.40688063442262007,
            -0.9213466151411376,
            8.878672543665223,
        ),
    ],
)
def test_deep_kernel_shaping_has_the_published_parameters(
    f, input_scale, input_shift, output_shift, output_scale
):
    """From the tests of dks 0.1: normalised, centred, and of slope 1.2 through a whole network."""
    function = jaxact.CATALOG[f].function

    def shaped(x):
        return output_scale * (function(input_scale * x + input_shift) + output_shift)

    mean, square, _ = moments(shaped)
    assert (mean, square) == pytest.approx((0, 1), abs=1e-6)
    network = MeanField(shaped, 1.0)
    assert network.variance_slope(1.0) == pytest.approx(1, abs=1e-6)
    chi = network.chi(1.0)
    assert residual_network(lambda slope: chi * slope, 1.0) == pytest.approx(1.2, abs=1e-5)


def test_a_tailored_rectifier_has_the_published_slope():
    """From the tests of dks 0.1: correlation 0.75 of orthogonal inputs through a whole network."""
    slope = 0.6291800290346146
    assert gain("leaky_relu", negative_slope=slope) == pytest.approx(1.196996549778802)
    network = MeanField("leaky_relu", 1.0, negative_slope=slope)
    correlation = residual_network(lambda c: network.correlation_map(c, 1.0), 0.0)
    assert correlation == pytest.approx(0.75, abs=1e-5)


def test_deviations_shrink_by_the_depth_scales():
    network = MeanField("tanh", 1.6, 0.3)
    (point,) = network.fixed_points()
    assert point.chi > 1
    variance, correlation = point.variance + 1e-5, point.correlation + 1e-5
    for _ in range(3):
        variance = network.variance_map(variance)
        correlation = network.correlation_map(correlation, point.variance)
    shrunk = math.exp(-3 / point.variance_depth), math.exp(-3 / point.correlation_depth)
    assert (variance - point.variance) / 1e-5 == pytest.approx(shrunk[0], rel=1e-3)
    assert (correlation - point.correlation) / 1e-5 == pytest.approx(shrunk[1], rel=1e-3)


def test_a_function_that_is_flat_at_zero_lets_no_small_signal_pass():
    network = MeanField(lambda x: jnp.sign(x) * jnp.maximum(jnp.abs(x) - 0.5, 0), 2.5)
    zero, other = network.fixed_points()
    assert zero[:3] == (0, 0, 0)
    assert math.isnan(zero.correlation)
    assert zero.stable
    assert not other.stable


# --- Everywhere ----------------------------------------------------------------------------------


def test_theory_may_be_asked_while_jax_traces():
    expected = gain("gelu")

    @jax.jit
    @jax.vmap
    def scaled(x):
        return x * gain("gelu") / gain(jax.nn.gelu)

    np.testing.assert_allclose(scaled(jnp.ones(3)), np.ones(3), rtol=1e-6)
    assert gain("gelu") == expected


REFUSED = {
    "f is 'reluu'.*relu": lambda: moments("reluu"),
    "f is 'maxout'.*elementwise": lambda: gain("maxout"),
    "f is softmax, which is not elementwise": lambda: moments(jax.nn.softmax),
    "f is <lambda>, which is not elementwise .*not": lambda: gain(lambda x: x / jnp.max(x)),
    "f is <lambda>, which is not elementwise": lambda: gain(lambda x: jnp.stack([x, x])),
    "f is 'elu', which has no parameter 'beta': choose from alpha": lambda: gain("elu", beta=1.0),
    "alpha is .*be one number": lambda: gain("elu", alpha=jnp.ones(3)),
    "variance is 0.0, but must be positive": lambda: moments("relu", variance=0.0),
    "variance is -2.0, but must be positive": lambda: MeanField("relu", 1.0).chi(-2.0),
    "mean is inf, but must be a finite": lambda: moments("relu", mean=math.inf),
    "mode is 'sideways', but must be \"forward\"": lambda: gain("relu", "sideways"),
    "mode is 'fan', but must be \"fan_in\"": lambda: initializer("relu", "fan"),
    "distribution is 'cauchy'": lambda: initializer("relu", distribution="cauchy"),
    "backward second moment of f = <lambda> is 0.0": lambda: gain(lambda x: x * 0 + 1, "backward"),
    "weight_std is 0.0, but must be positive": lambda: MeanField("relu", 0.0),
    "bias_std is -1.0, but must be": lambda: edge_of_chaos("relu", -1.0),
    "correlation is 1.5, but must be from -1 to 1": lambda: MeanField("relu", 1.0).correlation_map(
        1.5, 1.0
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_input_is_refused_with_a_remedy(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


@pytest.mark.parametrize("value", [None, 5, 1j, ["relu"], object()])
def test_what_is_of_a_wrong_sort_is_refused_by_name_and_value(value):
    """Numbers are those of the standard deviations; each is given in turn."""
    said = re.escape(reprlib.repr(value))
    for function in (moments, gain, initializer, edge_of_chaos):
        message = f"{function.__name__}: f is {said}, but must be a string or a function"
        with pytest.raises(TypeError, match=message):
            function(value)
    wrong = "text" if value == 5 else value
    said = re.escape(reprlib.repr(wrong))
    network = MeanField("relu", 1.0)
    for refuse in (
        lambda: MeanField("relu", wrong),
        lambda: MeanField("relu", 1.0, wrong),
        lambda: network.chi(wrong),
        lambda: network.variance_map(wrong),
        lambda: network.variance_slope(wrong),
        lambda: network.correlation_map(wrong, 1.0),
        lambda: network.correlation_slope(0.5, wrong),
        lambda: moments("relu", mean=wrong),
        lambda: moments("relu", variance=wrong),
        lambda: gain("elu", alpha=None if isinstance(wrong, str | list) else wrong),
    ):
        with pytest.raises(TypeError, match=rf"jaxact\.theory.*({said}|None), but must be "):
            refuse()


def test_the_examples_of_the_documentation_run():
    names = {"jax": jax, "jnp": jnp, "jaxact": jaxact}
    printed.check(doctest.DocTestFinder().find(theory, extraglobs=names))
