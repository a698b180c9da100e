"""Rational activations: one learned polynomial over another."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn.dtypes import promote_dtype
from flax.typing import PromoteDtypeFn
from jax import Array
from jax.typing import ArrayLike

from .._domains import checked
from .._initializers import LEAKY_DENOMINATOR, LEAKY_NUMERATOR, Init
from .._modules import Channels, Degrees, Dtype
from ..functions import rational
from ._per_channel import PerChannel


class Rational(PerChannel):
    """Rational activation, or Padé activation unit: a learned polynomial over another.

    Computes `jaxact.rational(x, numerator, denominator)`, whose denominator has no root.

    It starts near leaky ReLU of slope 0.01, as in the paper, by coefficients of our own: of all
    functions of this form whose denominator is even, theirs comes closest to it on [-3, 3], within
    0.0127.

    Args:
        num_parameters: 1 for one function that all elements share, as in the paper for each layer,
            or the number of channels of x for one function each.
        degrees: the degrees of numerator and denominator; for others pass coefficients to start at.
        axis: the axis of x that holds the channels; a shared function needs none.
        numerator_init: coefficients to start at, from the constant one up, or an initializer.
        denominator_init: coefficients to start at, from that of x up, or an initializer.
        dtype: the dtype of the computation and of the result; by default that of x, whatever
            `param_dtype` is, and the default float for integers.
        param_dtype: the dtype of the parameters.
        promote_dtype: brings the tuple `(x, numerator, denominator)` to `dtype`, where one is
            given.
        rngs: the stream `params` gives a key to an initializer; numbers need none.
        numerator_metadata: metadata of `numerator`, such as its sharding.
        denominator_metadata: metadata of `denominator`.

    Attributes:
        numerator: `nnx.Param` of shape (degrees[0] + 1,), or (degrees[0] + 1, num_parameters) if
            there are several.
        denominator: `nnx.Param` of shape (degrees[1],), or (degrees[1], num_parameters) if there
            are several.

    Raises:
        ValueError: if num_parameters < 1 for another number of
            coefficients, or for an initializer without `rngs`; when called, if x has no such axis,
            or another number of channels along it.
        TypeError: when called, if x is complex.

    Source:
        Molina, Schramowski & Kersting, ICLR 2020, arXiv:1907.06732, equation 2

    Example:
        >>> layer = jaxact.nnx.Rational()
        >>> layer(jnp.array([-2.0, 0.0, 2.0]))
        Array([-0.01212538,  0.01262471,  2.0078745 ], dtype=float32)
    """

    @checked("nnx.Rational")
    def __init__(
        self,
        num_parameters: Channels = 1,
        *,
        degrees: Degrees = (5, 4),
        axis: int = -1,
        numerator_init: Init = LEAKY_NUMERATOR,
        denominator_init: Init = LEAKY_DENOMINATOR,
        dtype: Dtype | None = None,
        param_dtype: Dtype = jnp.float32,
        promote_dtype: PromoteDtypeFn = promote_dtype,
        rngs: nnx.Rngs | None = None,
        numerator_metadata: Mapping[str, Any] = MappingProxyType({}),
        denominator_metadata: Mapping[str, Any] = MappingProxyType({}),
    ):
        super().__init__(num_parameters, axis, dtype, param_dtype, promote_dtype)
        self.numerator = self._parameter(
            "numerator", numerator_init, numerator_metadata, rngs, entries=(degrees[0] + 1,)
        )
        self.denominator = self._parameter(
            "denominator", denominator_init, denominator_metadata, rngs, entries=(degrees[1],)
        )
        self.degrees = degrees

    def __call__(self, inputs: ArrayLike) -> Array:
        """Returns the activations of `inputs`, an array of any shape."""
        return rational(*self._aligned(inputs, self.numerator, self.denominator))
