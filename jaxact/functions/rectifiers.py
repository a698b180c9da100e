"""Rectifiers: straight lines that meet in a kink, most of them at zero."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import is_number, number, real, require, require_key, require_ordered
from .._arithmetic import is_short, rounded_down
from .._catalog import activation
from .._derivatives import FromMask, FromOutput, Kernel
from .._trace_names import jitted


@activation(
    formula=lambda math, x: math.where(x > 0, x, 0 * x),
    source="Nair & Hinton, ICML 2010; Glorot, Bordes & Bengio, AISTATS 2011",
    kinks=lambda: {0.0: 0.0},
    range=lambda: (0.0, math.inf),
    users=("ResNet", "T5"),
    elsewhere={"torch:relu": {}, "keras:relu": {}, "onnx:Relu": {}, "hf:relu": {}},
)
def relu(x: ArrayLike) -> Array:
    """Rectified linear unit: passes positive inputs, and gives 0 for all others.

        relu(x) = max(0, x)        relu'(x) = 1 if x > 0, else 0

    Args:
        x: pre-activations of any shape and real dtype.

    Returns:
        Array of the shape and dtype of `x`; integers stay integers, booleans become floats.

    Accuracy:
        Exact in every dtype.

    Edges:
        The slope at 0 is 0. relu(-inf) = 0, relu(inf) = inf. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Nair & Hinton, ICML 2010; Glorot, Bordes & Bengio, AISTATS 2011

    Example:
        >>> jaxact.relu(jnp.array([-2.0, 0.0, 3.0]))
        Array([0., 0., 3.], dtype=float32)
    """
    return RELU(x)


def _relu(ops, x):
    # Not max(x, 0): XLA would compute that again in the backward pass, and keep x for it.
    return jnp.where(x <= 0, jnp.zeros_like(x), x)


def _is_positive(ops, x, *parameters):
    return x > 0


def _one_if_positive(ops, x, *parameters):
    return jnp.where(x > 0, 1.0, 0.0)


def _one_if(ops, mask, *parameters):
    return jnp.where(mask, 1.0, 0.0)


RELU = Kernel(
    _relu,
    x=_one_if_positive,
    output=FromOutput(_one_if_positive, exact=True),
    mask=FromMask(_is_positive, _one_if, from_output=_is_positive),
    exact=True,
    integers=True,
)


@activation(
    formula=lambda math, x: math.where(x <= 0, 0 * x, math.where(x >= 6, 0 * x + 6, x)),
    source="Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
    kinks=lambda: {0.0: 0.0, 6.0: 0.0},
    range=lambda: (0.0, 6.0),
    elsewhere={"torch:relu6": {}, "keras:relu6": {}, "hf:relu6": {}},
)
def relu6(x: ArrayLike) -> Array:
    """Rectified linear unit that stops at 6.

        relu6(x) = min(max(0, x), 6)        relu6'(x) = 1 if 0 < x < 6, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.

    Returns:
        Array of the shape and float dtype of `x`, between 0 and 6.

    Accuracy:
        Exact in every dtype.

    Edges:
        The slope at 0 and at 6 is 0. relu6(-inf) = 0, relu6(inf) = 6. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.

    Source:
        Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010

    Example:
        >>> jaxact.relu6(jnp.array([-2.0, 3.0, 8.0]))
        Array([0., 3., 6.], dtype=float32)
    """
    return RELU6(x)


def _relu6(ops, x):
    return _clipped_relu(ops, x, 6.0)


def _relu6_slope(ops, y):
    return _clipped_relu_slope(ops, y, 6.0)


def _is_inside_6(ops, x):
    return _is_inside(ops, x, 6.0)


RELU6 = Kernel(
    _relu6,
    x=_relu6_slope,
    output=FromOutput(_relu6_slope, exact=True),
    mask=FromMask(_is_inside_6, _one_if, from_output=_is_inside_6),
    exact=True,
)


@activation(
    formula=lambda math, x, max_value=6.0: math.where(
        x <= 0, 0 * x, math.where(x >= max_value, 0 * x + max_value, x)
    ),
    source="Hannun et al., Deep Speech, arXiv:1412.5567, section 2 (with max_value 20)",
    samples=({"max_value": 6.0}, {"max_value": 20.0}, {"max_value": 0.7}),
    kinks=lambda max_value=6.0: {0.0: 0.0, max_value: 0.0},
    range=lambda max_value=6.0: (0.0, max_value),
    ulps=(0.5, 0.0, 0.0),
)
def clipped_relu(x: ArrayLike, max_value: ArrayLike = 6.0) -> Array:
    """Rectified linear unit that stops at a given height.

        clipped_relu(x) = min(max(0, x), max_value)
        clipped_relu'(x) = 1 if 0 < x < max_value, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        max_value: the largest output, positive; a number, or an array that broadcasts against x.

    Returns:
        Array of the shape of `x` (and `max_value`, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact but for the rounding of `max_value` to the dtype of `x`, half an ULP at most.

    Edges:
        The slope at both kinks is 0. clipped_relu(-inf) = 0, clipped_relu(inf) = max_value.
        NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `max_value` is a number and not positive, or does not broadcast.

    Source:
        Hannun et al., Deep Speech, arXiv:1412.5567, section 2 (with max_value 20)

    Example:
        >>> jaxact.clipped_relu(jnp.array([-2.0, 3.0, 8.0]), 5.0)
        Array([0., 3., 5.], dtype=float32)
    """
    if is_number(max_value):
        require(max_value > 0, "jaxact.clipped_relu", "max_value", max_value, "be positive")
    return CLIPPED_RELU(x, max_value)


def _clipped_relu(ops, x, max_value):
    return jnp.where(x <= 0, jnp.zeros_like(x), jnp.where(x >= max_value, max_value, x))


def _clipped_relu_slope(ops, x, max_value):
    return jnp.where(_is_inside(ops, x, max_value), 1.0, 0.0)


def _is_inside(ops, x, max_value):
    return (x > 0) & (x < max_value)


def _is_clipped(ops, x, max_value):
    return jnp.where((x > 0) & (x >= max_value), 1.0, 0.0)


CLIPPED_RELU = Kernel(
    _clipped_relu,
    x=_clipped_relu_slope,
    max_value=_is_clipped,
    output=FromOutput(_clipped_relu_slope, exact=True, holds=lambda c: c > 0 and is_short(c)),
    mask=FromMask(_is_inside, _one_if, from_output=_is_inside),
    exact=is_short,
)


@activation(
    formula=lambda math, x, threshold, value: math.where(x > threshold, x, 0 * x + value),
    source="torch.nn.functional.threshold",
    samples=({"threshold": 0.5, "value": -1.0}, {"threshold": 0.1, "value": 1.3}),
    kinks=lambda threshold, value: {threshold: 0.0},
    range=lambda threshold, value: (min(threshold, value), math.inf),
    ulps=(0.5, 0.0, 0.0),
    elsewhere={"torch:threshold": {}, "keras:threshold": {}},
)
def threshold(x: ArrayLike, threshold: ArrayLike, value: ArrayLike) -> Array:
    """Threshold: passes inputs above it, and gives a fixed value for all others.

        threshold(x) = x if x > threshold, else value
        threshold'(x) = 1 if x > threshold, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        threshold: above what x passes; a number, or an array that broadcasts against x. The output
            jumps there, so its gradient is 0.
        value: what stands in place of all other x; likewise.

    Returns:
        Array of the shape of `x` (and the parameters, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact but for the rounding of `value` to the dtype of `x`, half an ULP at most.

    Edges:
        At the threshold the output is value, and the slope 0. threshold(-inf) = value,
        threshold(inf) = inf. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if a parameter does not broadcast.

    Source:
        torch.nn.functional.threshold

    Example:
        >>> jaxact.threshold(jnp.array([-2.0, 1.0, 3.0]), 1.0, 0.5)
        Array([0.5, 0.5, 3. ], dtype=float32)
    """
    return THRESHOLD(x, threshold, value)


def _threshold(ops, x, threshold, value):
    return jnp.where(x <= rounded_down(threshold, x), value, x)


def _is_above(ops, x, threshold, value):
    return x > rounded_down(threshold, x)


def _one_if_above(ops, x, threshold, value):
    return jnp.where(_is_above(ops, x, threshold, value), 1.0, 0.0)


THRESHOLD = Kernel(
    _threshold,
    x=_one_if_above,
    output=FromOutput(_one_if_above, exact=True, holds=lambda t, v: v <= t and is_short(t, v)),
    mask=FromMask(_is_above, _one_if, from_output=_is_above),
    exact=is_short,
)


@activation(
    formula=lambda math, x, theta=1.0: math.where(x > theta, x, 0 * x),
    source="Konda, Memisevic & Krueger, ICLR 2015, arXiv:1402.3337",
    samples=({"theta": 1.0}, {"theta": -0.3}),
    kinks=lambda theta=1.0: {theta: 0.0},
    range=lambda theta=1.0: (min(theta, 0.0), math.inf),
    elsewhere={"onnx:ThresholdedRelu": {}},
)
def thresholded_relu(x: ArrayLike, theta: ArrayLike = 1.0) -> Array:
    """Thresholded rectified linear unit: passes inputs above a threshold, 0 for all others.

        thresholded_relu(x) = x if x > theta, else 0
        thresholded_relu'(x) = 1 if x > theta, else 0

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        theta: above what x passes; a number, or an array that broadcasts against x. The output
            jumps there, so its gradient is 0.

    Returns:
        Array of the shape of `x` (and `theta`, broadcast) and of the float dtype of `x`.

    Accuracy:
        Exact in every dtype.

    Edges:
        At the threshold the output and the slope are 0. thresholded_relu(-inf) = 0,
        thresholded_relu(inf) = inf. NaN gives NaN, with slope 0.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `theta` does not broadcast.

    Source:
        Konda, Memisevic & Krueger, ICLR 2015, arXiv:1402.3337

    Example:
        >>> jaxact.thresholded_relu(jnp.array([-2.0, 1.0, 3.0]))
        Array([0., 0., 3.], dtype=float32)
    """
    return THRESHOLDED_RELU(x, theta)


def _thresholded_relu(ops, x, theta):
    return _threshold(ops, x, theta, jnp.zeros_like(x))


THRESHOLDED_RELU = Kernel(
    _thresholded_relu,
    x=lambda ops, x, theta: _one_if_above(ops, x, theta, 0.0),
    output=FromOutput(_one_if_positive, exact=True, holds=lambda theta: theta >= 0),
    mask=FromMask(
        lambda ops, x, theta: _is_above(ops, x, theta, 0.0), _one_if, from_output=_is_positive
    ),
    exact=is_short,
)


@activation(
    formula=lambda math, x, negative_slope=0.01: math.where(x >= 0, x, negative_slope * x),
    source="Maas, Hannun & Ng, ICML 2013 workshop on deep learning for audio, "
    "speech and language processing",
    samples=({"negative_slope": 0.01}, {"negative_slope": 0.3}),
    kinks=lambda negative_slope=0.01: {0.0: 1.0},
    ulps=(1.0, 0.5, 0.0),
    elsewhere={
        "torch:leaky_relu": {},
        "keras:leaky_relu": {"negative_slope": 0.2},
        "onnx:LeakyRelu": {},
        "hf:leaky_relu": {},
    },
)
def leaky_relu(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """Leaky rectified linear unit: a small slope instead of silence below zero.

        leaky_relu(x) = x if x >= 0, else negative_slope * x
        leaky_relu'(x) = 1 if x >= 0, else negative_slope

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        negative_slope: the slope below zero; a number, or an array that broadcasts against x.
            (Keras' default is 0.2 in the function and 0.3 in the layer.)

    Returns:
        Array of the shape of `x` (and `negative_slope`, broadcast) and the float dtype of `x`.

    Accuracy:
        float32: value 1 ULP, slope half an ULP (of them half is the rounding of the number).
        16 bits: correctly rounded.

    Edges:
        The slope at 0 is 1 (torch: negative_slope); leaky_relu(-0.0) is +0.0.
        leaky_relu(inf) = inf, leaky_relu(-inf) = -inf for a positive slope.
        NaN gives NaN, with slope negative_slope.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `negative_slope` does not broadcast against `x`.

    Source:
        Maas, Hannun & Ng, ICML 2013 workshop on deep learning for audio, speech and language
        processing

    Example:
        >>> jaxact.leaky_relu(jnp.array([-2.0, 0.0, 3.0]), 0.25)
        Array([-0.5,  0. ,  3. ], dtype=float32)
    """
    return LEAKY_RELU(x, negative_slope)


def _leaky_relu(ops, x, negative_slope):
    # abs(x) is x here, but for -0.0: so the sign bit of the output tells on which side x was,
    # even where negative_slope * x underflows to -0.0.
    return jnp.where(x >= 0, jnp.abs(x), negative_slope * x)


def _leaky_relu_slope(ops, x, negative_slope):
    return jnp.where(x >= 0, 1.0, negative_slope)


def _was_positive(ops, y, negative_slope):
    return (y >= 0) & ~jnp.signbit(y)


def _leaky_relu_slope_from_output(ops, y, negative_slope):
    return jnp.where(_was_positive(ops, y, negative_slope), 1.0, negative_slope)


def _negative_part(ops, x, negative_slope):
    return jnp.where(x >= 0, jnp.zeros_like(x), x)


def _is_negative(ops, x, negative_slope):
    return jnp.where(x >= 0, 0.0, 1.0)


_LEAKY_SLOPE = Kernel(_leaky_relu_slope, negative_slope=_is_negative)
_LEAKY = {
    "x": _LEAKY_SLOPE,
    "negative_slope": Kernel(_negative_part, x=_is_negative),
    "output": FromOutput(_leaky_relu_slope_from_output, exact=True),
    "mask": FromMask(
        lambda ops, x, negative_slope: x >= 0,
        lambda ops, mask, negative_slope: jnp.where(mask, 1.0, negative_slope),
        from_output=_was_positive,
    ),
}
LEAKY_RELU = Kernel(_leaky_relu, **_LEAKY)
PRELU = Kernel(_leaky_relu, name="prelu", **_LEAKY)


@activation(
    formula=lambda math, x, negative_slope=0.25: math.where(x >= 0, x, negative_slope * x),
    source="He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, equation 1",
    samples=({"negative_slope": 0.25}, {"negative_slope": -0.1}, {"negative_slope": 1.7}),
    kinks=lambda negative_slope=0.25: {0.0: 1.0},
    range=lambda negative_slope=0.25: (-math.inf if negative_slope > 0 else 0.0, math.inf),
    ulps=(1.0, 0.5, 0.0),
    elsewhere={"torch:prelu": {}, "onnx:PRelu": {}, "hf:prelu": {}},
)
def prelu(x: ArrayLike, negative_slope: ArrayLike) -> Array:
    """Parametric rectified linear unit: a leaky ReLU whose slope is learned.

        prelu(x) = x if x >= 0, else negative_slope * x
        prelu'(x) = 1 if x >= 0, else negative_slope
        d prelu(x) / d negative_slope = min(0, x)

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        negative_slope: any slope that broadcasts to the shape of `x`: one for all, or one per
            channel of the last axis; reshape it for another axis. Its gradient is summed in float32
            or wider.

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        float32: value 1 ULP for a number (half an ULP for a float32 array), slope half an ULP.
        16 bits: correctly rounded.

    Edges:
        The slope at 0 is 1; prelu(-0.0) is +0.0. prelu(inf) = inf, prelu(-inf) is an infinity with
        the sign of -negative_slope. NaN gives NaN, with slope negative_slope.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if `negative_slope` does not broadcast to the shape of `x`.

    Source:
        He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852, equation 1

    Example:
        >>> jaxact.prelu(jnp.array([[-4.0, -4.0], [2.0, 2.0]]), jnp.array([0.25, 0.5]))
        Array([[-1., -2.],
               [ 2.,  2.]], dtype=float32)
    """
    x = real(x, "prelu")
    if not is_number(negative_slope):
        negative_slope = real(negative_slope, "prelu", "negative_slope")
    if jnp.ndim(negative_slope) > x.ndim:
        raise ValueError(
            f"jaxact.prelu: negative_slope of shape {jnp.shape(negative_slope)} does not broadcast "
            f"to x of shape {jnp.shape(x)}: pass one slope, or one per channel of the last axis"
        )
    return PRELU(x, negative_slope)


@activation(
    formula=lambda math, x, lower=1 / 8, upper=1 / 3: math.where(
        x >= 0, x, (lower + upper) / 2 * x
    ),
    source="Xu, Wang, Chen & Li, arXiv:1505.00853",
    kind="random",
    samples=({}, {"lower": 0.1, "upper": 0.3}),
    kinks=lambda lower=1 / 8, upper=1 / 3: {0.0: 1.0},
    ulps=(1.0, 0.5, 0.0),
    elsewhere={"torch:rrelu": {}},
)
def rrelu(
    x: ArrayLike,
    key: Array | None = None,
    *,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    distribution: str = "uniform",
) -> Array:
    """Randomised leaky rectified linear unit: slopes drawn in training, their mean in evaluation.

        rrelu(x) = x if x >= 0, else a * x
        with a key: every element has a slope a of its own, drawn between lower and upper
        without a key: a = (lower + upper) / 2

    Args:
        x: pre-activations of any shape and real dtype; integers become the default float.
        key: a key of `jax.random` for training, or None for evaluation.
        lower: the smallest slope.
        upper: the largest slope.
        distribution: "uniform", or "normal" with mean (lower + upper) / 2 and standard deviation
            (upper - lower) / 4, truncated to [lower, upper].

    Returns:
        Array of the shape and float dtype of `x`.

    Accuracy:
        Evaluation, as `leaky_relu`, in float32: value 1 ULP, slope half an ULP. 16 bits: correctly
        rounded. Training: the slope is drawn in float32 or wider and rounded to the dtype of `x`;
        the product is rounded once.

    Edges:
        The slope at 0 is 1. rrelu(inf) = inf, rrelu(-inf) = -inf for positive slopes.
        NaN gives NaN, with slope a. With one key the result is linear in lower and upper, and its
        gradients by them are those of the slopes drawn.

    Note:
        The paper draws 1/a uniformly from [3, 8] and evaluates with a = 2/(3 + 8); torch, MXNet and
        this function draw a itself and evaluate with its mean, 0.229.

    Raises:
        TypeError: if `x` is complex.
        ValueError: if lower > upper, or if the distribution is unknown.

    Source:
        Xu, Wang, Chen & Li, arXiv:1505.00853

    Example:
        >>> jaxact.rrelu(jnp.array([-4.0, 2.0]), lower=0.25, upper=0.75)
        Array([-2.,  2.], dtype=float32)
    """
    for called, bound in (("lower", lower), ("upper", upper)):
        if number(bound, "rrelu", called) is None:
            real(bound, "rrelu", called)
    require_ordered("jaxact.rrelu", ("lower", lower), ("upper", upper))
    require(
        distribution in ("uniform", "normal"),
        "jaxact.rrelu",
        "distribution",
        distribution,
        'be "uniform" or "normal"',
    )
    if key is None:
        return RRELU(x, (lower + upper) / 2)
    x = real(x, "rrelu")
    require_key("rrelu", key)
    dtype = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    sharding = jax.typeof(x).sharding
    if distribution == "uniform":
        slope = jax.random.uniform(key, x.shape, dtype, lower, upper, out_sharding=sharding)
    else:
        unit = jax.random.truncated_normal(key, -2, 2, x.shape, dtype, out_sharding=sharding)
        slope = (lower + upper) / 2 + (upper - lower) / 4 * unit
    return _drawn(x, slope)


def _drawn(x: Array, slope: Array) -> Array:
    # A plain product: reverse mode keeps the slopes, and x only where they have a gradient.
    return x * jnp.where(x >= 0, 1, slope).astype(x.dtype)


_drawn = jitted(name="rrelu")(_drawn)


RRELU = Kernel(_leaky_relu, name="rrelu", **_LEAKY)
