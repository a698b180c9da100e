"""Rational activations: one learned polynomial over another."""

from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._initializers import LEAKY_DENOMINATOR, LEAKY_NUMERATOR, Init
from .._modules import Degrees
from ..functions import rational
from ._per_channel import PerChannel


class Rational(PerChannel):
    """Rational activation, or Padé activation unit: a learned polynomial over another.

    Computes `jaxact.rational(x, numerator, denominator)`, whose denominator has no root. The
    parameter `numerator` has shape (degrees[0] + 1,), or (degrees[0] + 1, num_parameters) if there
    are several. So has `denominator`, with degrees[1] entries.

    It starts near leaky ReLU of slope 0.01, as in the paper, by coefficients of our own: of all
    functions of this form whose denominator is even, theirs comes closest to it on [-3, 3], within
    0.0127.

    Attributes:
        num_parameters: 1 for one function that all elements share, as in the paper for each layer,
            or the number of channels of x for one function each.
        degrees: the degrees of numerator and denominator; for others pass coefficients to start at.
        axis: the axis of x that holds the channels; a shared function needs none.
        numerator_init: coefficients to start at, from the constant one up, or an initializer.
        denominator_init: coefficients to start at, from that of x up, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings x, numerator and denominator to `dtype`, where one is given.

    Raises:
        ValueError: if num_parameters < 1 for another number of
            coefficients, if x has no such axis, or another number of channels along it.
        TypeError: if x is complex.

    Source:
        Molina, Schramowski & Kersting, ICLR 2020, arXiv:1907.06732, equation 2

    Example:
        >>> layer, x = jaxact.linen.Rational(), jnp.array([-2.0, 0.0, 2.0])
        >>> layer.apply(layer.init(jax.random.key(0), x), x)
        Array([-0.01212538,  0.01262471,  2.0078745 ], dtype=float32)
    """

    _: KW_ONLY
    degrees: Degrees = (5, 4)
    numerator_init: Init = LEAKY_NUMERATOR
    denominator_init: Init = LEAKY_DENOMINATOR

    @nn.compact
    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        numerator = self._parameter(
            "numerator", self.numerator_init, entries=(self.degrees[0] + 1,)
        )
        denominator = self._parameter(
            "denominator", self.denominator_init, entries=(self.degrees[1],)
        )
        return rational(*self._aligned(inputs, numerator, denominator))
