"""The convolutional network in which every activation is tried."""

from collections.abc import Callable

import jax.numpy as jnp
from _activation_layers import activation_layer
from flax import nnx
from jax import Array

SMALLEST_SIDE = 4  # pixels; images are halved until they are this small
CHANNELS = 16


def patches(images: Array, stride: int) -> Array:
    """Returns the 3 x 3 neighbourhood of every `stride`-th pixel as features, zero beyond the edge.

    A linear map of these is a convolution. Under `vmap` over networks it stays a matrix product,
    which XLA's CPU backend does 12 times as fast as the grouped convolution it would be otherwise.

    Args:
        images: Shape (..., height, width, channels).
        stride: Distance of neighbouring patches in pixels.
    """
    height, width = images.shape[-3:-1]
    edges = [(0, 0)] * (images.ndim - 3) + [(1, 1), (1, 1), (0, 0)]
    padded = jnp.pad(images, edges)
    shifted = [
        padded[..., row : row + height : stride, column : column + width : stride, :]
        for row in range(3)
        for column in range(3)
    ]
    return jnp.concatenate(shifted, axis=-1)


def normalization_layer(name: str, channels: int, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Returns what stands between a convolution and its activation."""
    match name:
        case "batch":
            return nnx.BatchNorm(channels, rngs=rngs)
        case "layer":
            whole_image = (-3, -2, -1)
            return nnx.LayerNorm(channels, reduction_axes=whole_image, rngs=rngs)
        case _:
            return nnx.identity


class Block(nnx.Module):
    """Convolution, normalization, activation."""

    def __init__(
        self,
        in_channels: int,
        stride: int,
        *,
        activation: str,
        normalization: str,
        rngs: nnx.Rngs,
    ):
        self.stride = stride
        self.activation, pieces = activation_layer(activation, CHANNELS, rngs)
        self.convolution = nnx.Linear(9 * in_channels, CHANNELS * pieces, rngs=rngs)
        self.normalization = normalization_layer(normalization, CHANNELS * pieces, rngs)

    def preactivations(self, images: Array) -> Array:
        """Returns what enters the activation."""
        return self.normalization(self.convolution(patches(images, self.stride)))


class Network(nnx.Module):
    """`depth` blocks and a linear readout; all but the first block halve images that are large.

    Args:
        image_shape: Height, width and channels.
        num_classes: Number of logits.
        depth: Number of blocks.
        activation: Name of the activation.
        normalization: "none", "batch" or "layer".
        rngs: Source of the initial parameters and of the activation's randomness.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        depth: int,
        activation: str,
        normalization: str,
        rngs: nnx.Rngs,
    ):
        height, width, channels = image_shape
        self.blocks = nnx.List()
        for layer in range(depth):
            stride = 2 if layer > 0 and min(height, width) > SMALLEST_SIDE else 1
            self.blocks.append(
                Block(
                    channels,
                    stride,
                    activation=activation,
                    normalization=normalization,
                    rngs=rngs,
                )
            )
            height, width, channels = -(-height // stride), -(-width // stride), CHANNELS
        self.readout = nnx.Linear(height * width * channels, num_classes, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Returns the logits, shape (images, classes)."""
        return self.trace(images)[0]

    def trace(self, images: Array) -> tuple[Array, list[Array]]:
        """Returns the logits, and what entered the activation of each block."""
        x, preactivations = images, []
        for block in self.blocks:
            preactivations.append(block.preactivations(x))
            x = block.activation(preactivations[-1])
        return self.readout(x.reshape(len(x), -1)), preactivations
