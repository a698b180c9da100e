"""What an activation does to a signal at initialisation: moments, gains, mean-field maps.

Everything rests on expectations over a normal pre-activation: integrals of the activation's own
values and slopes in float64, which are right in the tails too. All of it runs on the host, gives
Python numbers, and may be called while JAX traces.
"""

import difflib
import functools
import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn.initializers import Initializer, variance_scaling
from numpy.typing import ArrayLike

from ._arguments import shown
from ._catalog import CATALOG
from ._domains import Domain, Finite, NotNegative, Positive, checked, refusal
from ._expectations import expectations
from ._jax import Tracer

__all__ = [
    "CriticalPoint",
    "FixedPoint",
    "MeanField",
    "Moments",
    "edge_of_chaos",
    "gain",
    "initializer",
    "moments",
]


class Moments(NamedTuple):
    """Expectations over a normal input x.

    Attributes:
        mean: E[f(x)].
        square: E[f(x)²].
        slope_square: E[f'(x)²]. The slope is that almost everywhere: jumps of f do not count.
    """

    mean: float
    square: float
    slope_square: float

    @property
    def variance(self) -> float:
        """E[f(x)²] - E[f(x)]²."""
        return self.square - self.mean**2


@checked("theory.moments")
def moments(
    f: str | Callable[..., Any], mean: Finite = 0.0, variance: Positive = 1.0, **parameters: Any
) -> Moments:
    """Expectations of an activation and of its slope over a normal input.

        E[g(x)] = ∫ g(mean + sqrt(variance) z) exp(-z²/2) / sqrt(2π) dz    for g = f, f², f'²

    Args:
        f: a function of the catalogue or its name; or any function of one number that JAX can
            trace and differentiate.
        mean: the mean of the input.
        variance: the variance of the input, positive.
        **parameters: parameters of the activation, numbers; by default those of its definition.

    Returns:
        The three expectations. One that is infinite or unknown is NaN, with a RuntimeWarning that
        says so: it does not exist, or g leaves float64 within 37 standard deviations.

    Accuracy:
        1e-10 of E[abs(g)] for every function of the catalogue, and for any other that is smooth
        but for a few kinks and is computed in the dtype of its argument, which is float64 here.
        What rounds to fewer bits is right to these bits.

    Raises:
        ValueError: if `f` is unknown or not elementwise, if a parameter is unknown or an array, if
            `variance` is not positive or anything not finite.

    Example:
        >>> jaxact.theory.moments("relu").square
        0.5
    """
    activation = _resolve(f, parameters)
    found = Moments(*_moments(activation, variance, mean)[:3, 0].tolist())
    unknown = [name for name, value in found._asdict().items() if math.isnan(value)]
    if unknown:
        warnings.warn(
            f"jaxact.theory.moments: {' and '.join(unknown)} of f = {activation.name} at mean "
            f"{mean} and variance {variance} {'are' if unknown[1:] else 'is'} infinite or unknown",
            RuntimeWarning,
            stacklevel=3,  # past what checks the arguments
        )
    return found


@checked("theory.gain")
def gain(
    f: str | Callable[..., Any],
    mode: Literal["forward", "backward", "both"] = "forward",
    **parameters: Any,
) -> float:
    """The scale of weights that carries a signal of unit variance through an activation unchanged.

        forward: 1 / sqrt(E[f(z)²])      backward: 1 / sqrt(E[f'(z)²])      z ~ N(0, 1)
        both:    1 / sqrt((E[f(z)²] + E[f'(z)²]) / 2)

    Weights of variance gain² / fan_in behind `f` make pre-activations of variance 1 from such of
    variance 1; those of variance gain² / fan_out, with the backward gain, do so for gradients.

    Args:
        f: a function of the catalogue or its name, or any function of one number.
        mode: what to keep: "forward" the signal, "backward" its gradient, "both" their average.
        **parameters: parameters of the activation, numbers.

    Returns:
        The gain. It is sqrt(2) for relu and sqrt(2 / (1 + a²)) for leaky_relu of slope a, in all
        modes, and 1 for selu forward.

    Accuracy:
        1e-10, as `moments`.

    Note:
        torch.nn.init.calculate_gain has conventional numbers for some: 5/3 for tanh (1.5925 here),
        3/4 for selu (1 here), 1 for sigmoid (1.8462 here), and none for gelu, silu, elu or mish.

    Raises:
        ValueError: as `moments`; if `mode` is unknown; if the moment is 0 or does not exist.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, section 2.2

    Example:
        >>> round(jaxact.theory.gain("tanh"), 6)
        1.592537
    """
    _, square, slope_square, _ = _moments(_resolve(f, parameters), 1.0)[:, 0].tolist()
    kept = {
        "forward": square,
        "backward": slope_square,
        "both": (square + slope_square) / 2,
    }[mode]
    if not kept > 0:
        size = "infinite or unknown" if math.isnan(kept) else kept
        raise ValueError(
            f"jaxact.theory.gain: the {mode} second moment of f = {_name(f)} is {size}, so no "
            "scale keeps it: choose an activation that passes a signal"
        )
    return 1 / math.sqrt(kept)


@checked("theory.initializer")
def initializer(
    f: str | Callable[..., Any],
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal",
    **parameters: Any,
) -> Initializer:
    """An initializer for the kernel of a layer whose input is the output of `f`.

        fan_in:  variance 1 / (fan_in E[f²])                 keeps the signal
        fan_out: variance 1 / (fan_out E[f'²])               keeps the gradient
        fan_avg: variance 2 / (fan_avg (E[f²] + E[f'²]))     halfway

    Args:
        f: a function of the catalogue or its name, or any function of one number.
        mode: which connections to count, and so what to keep.
        distribution: "truncated_normal" (no further than two standard deviations, the variance
            corrected for it), "normal" or "uniform".
        **parameters: parameters of the activation, numbers.

    Returns:
        An initializer of `jax.nn.initializers`: the `kernel_init` of a layer in NNX or Linen.

    Note:
        A first layer, which sees the data and no activation, takes `initializer("identity")`.

    Raises:
        ValueError: as `gain`, and if `distribution` is unknown.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, section 2.2; fan_avg after Glorot &
        Bengio, AISTATS 2010

    Example:
        >>> init = jaxact.theory.initializer("relu")
        >>> init(jax.random.key(0), (256, 128)).shape
        (256, 128)
    """
    keeps: dict[str, Any] = {"fan_in": "forward", "fan_out": "backward", "fan_avg": "both"}
    return variance_scaling(gain(f, keeps[mode], **parameters) ** 2, mode, distribution)


# --- Mean-field theory of wide random networks ---------------------------------------------------


class FixedPoint(NamedTuple):
    """Where the signal of a wide random network settles, and how fast.

    Attributes:
        variance: q*, the variance of pre-activations that a layer leaves unchanged.
        variance_slope: the factor by which a layer changes a small deviation from q*.
        chi: χ₁ = σ_w² E[f'²], the factor by which a layer changes the gradient's second moment, and
            the distance of two nearly equal inputs. Below 1 is order, above 1 is chaos.
        correlation: c*, the correlation that two different inputs approach.
        correlation_slope: the factor by which a layer changes a small deviation from c*.
    """

    variance: float
    variance_slope: float
    chi: float
    correlation: float
    correlation_slope: float

    @property
    def stable(self) -> bool:
        """Whether signals of about this variance approach it."""
        return abs(self.variance_slope) < 1

    @property
    def variance_depth(self) -> float:
        """ξ_q in layers: deviations from q* shrink as exp(-layers / ξ_q). Negative: they grow."""
        return _depth(self.variance_slope)

    @property
    def correlation_depth(self) -> float:
        """ξ_c in layers: deviations from c* shrink as exp(-layers / ξ_c)."""
        return _depth(self.correlation_slope)


class CriticalPoint(NamedTuple):
    """A point of the edge of chaos.

    Attributes:
        weight_std: σ_w.
        variance: q*, the fixed point of the variance at which χ₁ is 1.
    """

    weight_std: float
    variance: float


Correlation = Annotated[float, Domain("be from -1 to 1", lambda c: -1 <= c <= 1)]


class MeanField:
    """A wide random network of one activation, as mean-field theory sees it.

        h' = W f(h) + b        W_ij ~ N(0, σ_w² / width), b_i ~ N(0, σ_b²), drawn for every layer

    In the limit of infinite width pre-activations are normal, so that their variance q and the
    correlation c of two inputs describe them, and each layer maps both.

    Args:
        f: a function of the catalogue or its name, or any function of one number. It should have no
            jumps: E[f'f'] does not see them, though they make χ₁ infinite.
        weight_std: σ_w, positive.
        bias_std: σ_b, not negative.
        **parameters: parameters of the activation, numbers.

    Accuracy:
        1e-10 for all maps, relative to E[f²] and E[f'²]. Fixed points: 1e-10 / abs(1 - slope).

    Raises:
        ValueError: as `moments`, and if a standard deviation is out of range.

    Source:
        Poole et al., NIPS 2016, arXiv:1606.05340; Schoenholz et al., ICLR 2017,
        arXiv:1611.01232

    Example:
        >>> network = jaxact.theory.MeanField("tanh", weight_std=2.0, bias_std=0.5)
        >>> (point,) = network.fixed_points()
        >>> print(f"q* = {point.variance:.3f}, chi = {point.chi:.3f}, c* = {point.correlation:.3f}")
        q* = 2.480, chi = 1.272, c* = 0.521
    """

    @checked("theory.MeanField")
    def __init__(
        self,
        f: str | Callable[..., Any],
        weight_std: Positive,
        bias_std: NotNegative = 0.0,
        **parameters: Any,
    ):
        self.weight_std, self.bias_std = weight_std, bias_std
        self._activation = _resolve(f, parameters)

    def __repr__(self) -> str:
        return (
            f"MeanField({self._activation.name}, weight_std={self.weight_std}, "
            f"bias_std={self.bias_std})"
        )

    @checked("theory.MeanField.variance_map")
    def variance_map(self, variance: Positive) -> float:
        """The variance of the next layer's pre-activations: σ_w² E[f(sqrt(q) z)²] + σ_b²."""
        return float(self._variance_map(np.array([variance]))[0])

    @checked("theory.MeanField.variance_slope")
    def variance_slope(self, variance: Positive) -> float:
        """The derivative of the variance map: σ_w² E[x f(x) f'(x)] / q for x ~ N(0, q)."""
        return self.weight_std**2 * _moments(self._activation, variance)[3].item() / variance

    @checked("theory.MeanField.chi")
    def chi(self, variance: Positive) -> float:
        """χ₁ = σ_w² E[f'(sqrt(q) z)²], the growth of a gradient's second moment per layer."""
        return self.weight_std**2 * _moments(self._activation, variance)[2].item()

    @checked("theory.MeanField.correlation_map")
    def correlation_map(self, correlation: Correlation, variance: Positive) -> float:
        """The correlation of two inputs' pre-activations in the next layer.

            (σ_w² E[f(u) f(v)] + σ_b²) / (σ_w² E[f(u)²] + σ_b²)

        Args:
            correlation: that of u and v, in this layer, from -1 to 1.
            variance: that of u and of v, positive.
        """
        return self._correlation_map(correlation, variance)[0]

    @checked("theory.MeanField.correlation_slope")
    def correlation_slope(self, correlation: Correlation, variance: Positive) -> float:
        """The derivative of the correlation map: σ_w² E[f'(u) f'(v)] q / (σ_w² E[f²] + σ_b²)."""
        return self._correlation_map(correlation, variance)[1]

    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """All points where the variance stays as it is, from 2^-40 to 2^40, and 0 if it is one.

        Where every variance is a fixed point, as for relu with σ_w² = 2, only 0 is listed. At 0 the
        slopes and the correlation are the limits for a vanishing variance; if no signal at all is
        left then, the correlation is NaN.
        """
        found = _crossings(lambda q: self._variance_map(q) / q - 1, _VARIANCES)
        if self.bias_std == 0 and self._activation.vanishes_at_zero():
            found.insert(0, 0.0)
        return tuple(self._describe(q) for q in found)

    def _describe(self, variance: float) -> FixedPoint:
        q = variance or _VANISHING
        correlation, slope = self._fixed_correlation(q)
        return FixedPoint(variance, self.variance_slope(q), self.chi(q), correlation, slope)

    def _variance_map(self, q: np.ndarray) -> np.ndarray:
        return self.weight_std**2 * _moments(self._activation, q)[1] + self.bias_std**2

    def _correlation_map(self, correlation: float, variance: float) -> tuple[float, float]:
        square = self.variance_map(variance)
        if square == 0:
            return math.nan, math.nan
        values, slopes = _joint_moments(self._activation, correlation, variance).tolist()
        value = (self.weight_std**2 * values + self.bias_std**2) / square
        return value, self.weight_std**2 * slopes * variance / square

    def _fixed_correlation(self, variance: float) -> tuple[float, float]:
        """The correlation that all inputs approach, and the slope of the map there.

        The map is a power series with positive coefficients, so it is convex from 0 to 1. Its fixed
        point 1 is the only one if the slope there is at most 1. Else there is one other, which
        Newton's method reaches from below.
        """
        slope = self.correlation_slope(1.0, variance)
        if not slope > 1 + _ROUNDING:
            return 1.0 + 0 * slope, slope  # NaN if the slope is
        correlation = 0.0
        while True:
            value, slope = self._correlation_map(correlation, variance)
            step = (value - correlation) / (1 - slope)
            if not step > _ROUNDING:
                return correlation, slope
            correlation += step


@checked("theory.edge_of_chaos")
def edge_of_chaos(
    f: str | Callable[..., Any], bias_std: NotNegative = 0.0, **parameters: Any
) -> tuple[CriticalPoint, ...]:
    """Where order turns into chaos: the σ_w at which χ₁ is 1 at a fixed point of the variance.

        q = σ_w² E[f(sqrt(q) z)²] + σ_b²    and    1 = σ_w² E[f'(sqrt(q) z)²]

    There gradients neither vanish nor explode, and signals reach deepest.

    Args:
        f: a function of the catalogue or its name, or any function of one number.
        bias_std: σ_b, not negative.
        **parameters: parameters of the activation, numbers.

    Returns:
        All such points with q from 2^-40 to 2^40, by increasing q; none if there is none. Without
        biases, with f(0) = 0 and a slope there, the first is that of vanishing variance, q = 0.

    Accuracy:
        1e-8 for σ_w.

    Raises:
        ValueError: as `moments`, and if `bias_std` is negative or not finite.

    Source:
        Schoenholz et al., ICLR 2017, arXiv:1611.01232; Hayou, Doucet & Rousseau, ICML
        2019, arXiv:1902.06853

    Example:
        >>> (point,) = jaxact.theory.edge_of_chaos("relu")
        >>> round(point.weight_std, 9)
        1.414213562
    """
    activation = _resolve(f, parameters)

    @np.errstate(divide="ignore", invalid="ignore")  # where no signal is left
    def excess(q: np.ndarray) -> np.ndarray:
        _, square, slope_square, _ = _moments(activation, q)
        return 1 - (square / slope_square + bias_std**2) / q

    variances = _crossings(excess, _VARIANCES)
    if bias_std == 0 and activation.vanishes_at_zero():
        near, nearer = _moments(activation, np.array([_VANISHING, _VANISHING / 4]))[2]
        if nearer > near / 2:  # else the slope vanishes with the signal
            variances.insert(0, 0.0)
    slope_squares = [_moments(activation, q or _VANISHING)[2].item() for q in variances]
    return tuple(
        CriticalPoint(1 / math.sqrt(slope_square), q)
        for q, slope_square in zip(variances, slope_squares, strict=True)
        if slope_square > 0
    )


_VARIANCES = 2.0 ** np.arange(-40, 40.05, 1 / 16)  # two fixed points may be as close as this
_VANISHING = 2.0**-80  # stands for a variance of 0
_ROUNDING = 1e-12  # what is smaller, relatively, means nothing


def _depth(slope: float) -> float:
    """-1 / log(abs(slope)), in layers."""
    if slope == 0:
        return 0.0
    rate = -math.log(abs(slope))
    return math.inf if abs(rate) <= _ROUNDING else 1 / rate


def _crossings(function: Callable[[np.ndarray], np.ndarray], grid: np.ndarray) -> list[float]:
    """Where a function changes its sign between points of a positive grid, by bisection."""
    values = np.nan_to_num(function(grid))
    signs = np.where(abs(values) > _ROUNDING, np.sign(values), 0)
    nonzero = np.flatnonzero(signs)
    changes = signs[nonzero[:-1]] * signs[nonzero[1:]] < 0
    left, right = grid[nonzero[:-1][changes]], grid[nonzero[1:][changes]]
    sign = signs[nonzero[:-1][changes]]
    if not left.size:
        return []
    for _ in range(56):
        middle = np.sqrt(left * right)
        before = np.sign(function(middle)) == sign
        left, right = np.where(before, middle, left), np.where(before, right, middle)
    return np.sqrt(left * right).tolist()


# --- The activation in float64 -------------------------------------------------------------------

_CHUNK = 8192  # points evaluated at once: one shape, so that each activation is compiled once
_REFUSALS = (IndexError, TypeError, ValueError)  # what JAX raises where a function does not fit


@dataclass(frozen=True, eq=False)
class _Activation:
    """An activation as a function of arrays in float64: its values and its slopes."""

    name: str
    function: Callable[..., Any]
    kinks: tuple[float, ...] = ()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values and slopes, along a new first axis."""
        chunks = np.zeros((-(-x.size // _CHUNK), _CHUNK))
        chunks.flat[: x.size] = x.flat
        with _on_host():
            results = [self._value_and_slope(chunk) for chunk in chunks]
        both = np.concatenate([np.asarray(result, np.float64) for result in results], axis=1)
        return both[:, : x.size].reshape(2, *x.shape)

    @functools.cached_property
    def _value_and_slope(self) -> Callable[..., Any]:
        return jax.jit(jax.vmap(jax.value_and_grad(self.function)))

    def vanishes_at_zero(self) -> bool:
        """Whether f(0) = 0."""
        return self(np.zeros(1))[0].item() == 0


@contextmanager
def _on_host() -> Iterator[None]:
    """Within it JAX computes at once, on the CPU, in float64, whatever is being traced."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.default_device(_host()):
        yield


def _host() -> Any:
    """The CPU; None, for whatever there is, if JAX was told to use an accelerator only."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None


def _resolve(f: str | Callable[..., Any], parameters: Mapping[str, Any]) -> _Activation:
    """The activation that a caller means, with its parameters.

    Raises:
        ValueError: if there is none, if it is not elementwise, or if it has no such parameters.
    """
    name = _name(f)
    numbers = {key: _number(name, key, value) for key, value in parameters.items()}
    if name in CATALOG and f in (name, CATALOG[name].function):
        return _from_catalog(name, tuple(sorted(numbers.items())))
    if isinstance(f, str):
        nearest = difflib.get_close_matches(f, CATALOG) or sorted(CATALOG)
        raise ValueError(
            f"jaxact.theory: f is {f!r}, but no activation has this name: "
            f"choose {' or '.join(nearest)}, or pass a function"
        )
    return _elementwise(_Activation(name, functools.partial(f, **numbers)))


def _name(f: str | Callable[..., Any]) -> str:
    return f if isinstance(f, str) else getattr(f, "__name__", repr(f))


def _number(name: str, parameter: str, value: Any) -> Any:
    """A parameter that is no array, as a Python object; a tuple of them stays one."""
    if isinstance(value, tuple | list):
        return tuple(_number(name, parameter, entry) for entry in value)
    if isinstance(value, str | bool):  # which options are
        return value
    concrete = hasattr(value, "item") and np.ndim(value) == 0 and not isinstance(value, Tracer)
    value = value.item() if concrete else value
    is_real = refusal(float, value) is None and value == value
    if not is_real:
        error = ValueError if isinstance(value, float | np.ndarray | Array) else TypeError
        raise error(f"jaxact.theory: {name}: {parameter} is {shown(value)}, but must be one number")
    return value


@functools.lru_cache(maxsize=256)
def _from_catalog(name: str, parameters: tuple[tuple[str, Any], ...]) -> _Activation:
    entry = CATALOG[name]
    if entry.kind not in ("elementwise", "random"):  # a random one without its key: in evaluation
        raise ValueError(
            f"jaxact.theory: f is {name!r}, which does not make one number from one (its kind is "
            f"{entry.kind!r}): choose an elementwise activation"
        )
    _, _, *known = inspect.signature(entry.formula).parameters.values()
    defaults = {p.name: p.default for p in known if p.default is not p.empty}
    bound = {**entry.samples[0], **defaults}
    for parameter, value in parameters:
        if parameter not in bound:
            raise ValueError(
                f"jaxact.theory: f is {name!r}, which has no parameter {parameter!r}: "
                f"choose from {', '.join(bound) or 'none'}"
            )
        bound[parameter] = value
    kinks = tuple(entry.kinks(**bound))
    return _Activation(name, functools.partial(entry.function, **bound), kinks)


def _elementwise(activation: _Activation) -> _Activation:
    """The same, if it makes each number from one number.

    Raises:
        ValueError: if it does not.
    """
    refusal = f"jaxact.theory: f is {activation.name}, which is not elementwise"
    remedy = "pass a function that makes one real number from one"
    points = np.array([-1.0, 2.0])
    try:
        alone, _ = activation(points)
    except _REFUSALS as error:
        raise ValueError(f"{refusal} ({error}): {remedy}") from error
    with _on_host():
        try:
            together = np.asarray(activation.function(jnp.asarray(points)))
        except _REFUSALS:
            return activation  # it takes single numbers only, because it branches, say
    if together.shape != alone.shape or not np.allclose(together, alone, rtol=0.01, equal_nan=True):
        raise ValueError(f"{refusal} (f([-1, 2]) is {together}, not {alone}): {remedy}")
    return activation


# --- Expectations --------------------------------------------------------------------------------


def _moments(activation: _Activation, variance: ArrayLike, mean: ArrayLike = 0.0) -> np.ndarray:
    """E[f], E[f²], E[f'²], E[x f f'], in rows; a column for every mean and variance."""

    def integrands(x: np.ndarray) -> np.ndarray:
        value, slope = activation(x)
        return np.stack([value, value**2, slope**2, x * value * slope])

    return expectations(integrands, mean, variance, activation.kinks)


def _joint_moments(activation: _Activation, correlation: float, variance: float) -> np.ndarray:
    """E[f(u) f(v)] and E[f'(u) f'(v)] for u and v of one variance and a correlation.

    u = s + t and v = ±s + t' share the part s of variance abs(correlation) variance. Given s they
    are independent, so that E[f(u) f(v)] = E[g(s) g(±s)] with g(s) = E[f(s + t)].
    """
    shared = variance * max(abs(correlation), _VANISHING)
    own = variance * max(1 - abs(correlation), _VANISHING)
    scale = _moments(activation, variance)[1:3]  # what both results are measured against

    def given(s: np.ndarray) -> np.ndarray:
        expected = expectations(activation, s.ravel(), own, activation.kinks, np.sqrt(scale))
        return expected.reshape(-1, *s.shape)

    def integrands(s: np.ndarray) -> np.ndarray:
        there = given(s)
        return there * (there if correlation >= 0 else given(-s))

    # The integrands are integrals themselves: smooth, but not to the last digits, and dear.
    return expectations(integrands, 0.0, shared, activation.kinks, 1000 * scale, panels=256)[:, 0]
