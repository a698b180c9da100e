"""Rectifiers whose slopes are drawn in training."""

import jax
from flax import nnx
from flax.nnx.module import first_from
from jax import Array
from jax.typing import ArrayLike

from .._domains import Finite, Key, checked
from .._modules import Distribution
from ..functions import rrelu


class RReLU(nnx.Module):
    """Randomised leaky ReLU: slopes drawn in training, their mean in evaluation.

    Computes `jaxact.rrelu`: with a fresh key, hence a slope of its own for every element, after
    `train()` (or with `deterministic=False`, given here or in the call), and with the mean slope
    after `eval()` (or with `deterministic=True`), where no `rngs` are needed.

    Args:
        lower: the smallest slope.
        upper: the largest slope.
        distribution: "uniform" or "normal", truncated to [lower, upper]; see `jaxact.rrelu`.
        deterministic: whether to use the mean slope.
        rng_collection: the stream of `rngs` that keys are drawn from.
        rngs: where keys come from, unless the call brings its own.

    Raises:
        ValueError: if lower > upper, or if the distribution is unknown; when called, if it is to be
            random and there are no `rngs`.
        TypeError: if `rngs` is no `nnx.Rngs` or `nnx.RngStream`; when called, if x is complex.

    Source:
        Xu, Wang, Chen & Li, arXiv:1505.00853

    Example:
        >>> layer = jaxact.nnx.RReLU(0.25, 0.75, rngs=nnx.Rngs(0))
        >>> slopes = layer(-jnp.ones(1000)) * -1
        >>> 0.25 <= slopes.min() < slopes.max() <= 0.75
        Array(True, dtype=bool)
        >>> layer.eval()
        >>> layer(jnp.array([-4.0, 2.0]))
        Array([-2.,  2.], dtype=float32)
    """

    @checked("nnx.RReLU")
    def __init__(
        self,
        lower: Finite = 1 / 8,
        upper: Finite = 1 / 3,
        distribution: Distribution = "uniform",
        *,
        deterministic: bool | None = False,
        rng_collection: str = "rrelu",
        rngs: nnx.Rngs | nnx.RngStream | None = None,
    ):
        self.lower = lower
        self.upper = upper
        self.distribution = distribution
        self.deterministic = deterministic
        self.rng_collection = rng_collection
        jax.eval_shape(self._activate, 0.0)  # refuses now what the first call would refuse

        if isinstance(rngs, nnx.Rngs):
            self.rngs = rngs[rng_collection].fork()
        elif isinstance(rngs, nnx.RngStream):
            self.rngs = rngs.fork()
        else:
            self.rngs = nnx.data(None)

    @checked("nnx.RReLU")
    def __call__(
        self,
        inputs: ArrayLike,
        *,
        deterministic: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | Key | None = None,
    ) -> Array:
        """Returns the activations of `inputs`.

        Args:
            inputs: an array of any shape.
            deterministic: whether to use the mean slope; takes precedence over the attribute.
            rngs: a key, or where to draw one; takes precedence over the attribute.
        """
        deterministic = first_from(
            deterministic,
            self.deterministic,
            error_msg=(
                "No `deterministic` argument was provided to RReLU: pass it to the constructor or "
                "to the call, or call `train()` or `eval()` on the model."
            ),
        )
        if deterministic:
            return self._activate(inputs)
        rngs = first_from(
            rngs,
            self.rngs,
            error_msg=(
                "`deterministic` is False, but no `rngs` argument was provided to RReLU: pass it "
                "to the constructor or to the call, or call `eval()` on the model."
            ),
        )
        if isinstance(rngs, nnx.Rngs):
            key = rngs[self.rng_collection]()
        elif isinstance(rngs, nnx.RngStream):
            key = rngs()
        else:
            key = rngs
        return self._activate(inputs, key)

    def _activate(self, x: ArrayLike, key: Array | None = None) -> Array:
        return rrelu(x, key, lower=self.lower, upper=self.upper, distribution=self.distribution)

    def set_view(self, deterministic: bool | None = None) -> None:
        """Class method used by `nnx.view`.

        Args:
            deterministic: if True, uses the mean slope.
        """
        if deterministic is not None:
            self.deterministic = deterministic
