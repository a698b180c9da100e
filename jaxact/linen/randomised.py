"""Rectifiers whose slopes are drawn in training."""

from dataclasses import KW_ONLY

from flax import linen as nn
from jax import Array
from jax.typing import ArrayLike

from .._domains import Finite, Key, checked
from .._modules import Distribution
from ..functions import rrelu
from ._module import Module


class RReLU(Module):
    """Randomised leaky ReLU: slopes drawn in training, their mean in evaluation.

    Computes `jaxact.rrelu`: with a key from the rng collection, hence a slope of its own for every
    element, if `deterministic` is False, and with the mean slope, without a key, if it is True.

    Attributes:
        lower: the smallest slope.
        upper: the largest slope.
        distribution: "uniform" or "normal", truncated to [lower, upper]; see `jaxact.rrelu`.
        deterministic: whether to use the mean slope; given here or in the call, not in both.
        rng_collection: the rng collection that keys are drawn from.

    Raises:
        ValueError: if lower > upper, if the distribution is unknown, or if `deterministic` is given
            nowhere or twice.
        TypeError: if x is complex.
        flax.errors.InvalidRngError: if it is to be random and there is no such rng collection.

    Source:
        Xu, Wang, Chen & Li, arXiv:1505.00853

    Example:
        >>> layer = jaxact.linen.RReLU(0.25, 0.75)
        >>> rngs = {"rrelu": jax.random.key(0)}
        >>> slopes = layer.apply({}, -jnp.ones(1000), deterministic=False, rngs=rngs) * -1
        >>> 0.25 <= slopes.min() < slopes.max() <= 0.75
        Array(True, dtype=bool)
        >>> layer.apply({}, jnp.array([-4.0, 2.0]), deterministic=True)
        Array([-2.,  2.], dtype=float32)
    """

    lower: Finite = 1 / 8
    upper: Finite = 1 / 3
    distribution: Distribution = "uniform"
    _: KW_ONLY
    deterministic: bool | None = None
    rng_collection: str = "rrelu"

    @nn.compact
    @checked("linen.RReLU")
    def __call__(
        self, inputs: ArrayLike, deterministic: bool | None = None, rng: Key | None = None
    ) -> Array:
        """Returns the activations of `inputs`.

        Args:
            inputs: an array of any shape.
            deterministic: whether to use the mean slope, unless the attribute says so.
            rng: a key to use instead of one from the rng collection.
        """
        deterministic = nn.merge_param("deterministic", self.deterministic, deterministic)
        if deterministic:
            rng = None
        elif rng is None:
            rng = self.make_rng(self.rng_collection)
        return rrelu(
            inputs, rng, lower=self.lower, upper=self.upper, distribution=self.distribution
        )
