"""The convolutional network in which every activation is tried."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from _activation_layers import activation_layer
from flax import nnx
from jax import Array

CHANNELS = 16
SMALLEST_SIDE = 4  # pixels; images are halved until they are this small


def patches(images: Array, stride: int) -> Array:
    """Returns the 3 x 3 neighbourhood of every `stride`-th pixel as features; zero beyond the edge.

    A linear map of these is a convolution. Under `vmap` over networks it stays a matrix product,
    where a convolution turns into a grouped one, which XLA's CPU backend does 10 times as slowly.

    Args:
        images: Shape (..., height, width, channels).
        stride: Distance of neighbouring patches, in pixels.
    """
    for axis in (images.ndim - 3, images.ndim - 2):
        size = images.shape[axis]
        edges = [(1, 1) if other == axis else (0, 0) for other in range(images.ndim)]
        padded = jnp.pad(images, edges)
        neighbours = [
            jax.lax.slice_in_dim(padded, offset, offset + size, stride, axis) for offset in range(3)
        ]
        images = jnp.concatenate(neighbours, axis=-1)
    return images


def normalization_layer(name: str, channels: int, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Returns what stands between a convolution and its activation."""
    match name:
        case "batch":
            return nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)
        case "layer":
            return nnx.LayerNorm(channels, reduction_axes=(-3, -2, -1), rngs=rngs)
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
        layer = activation_layer(activation)
        width = CHANNELS * layer.pieces
        self.stride = stride
        self.convolution = nnx.Linear(9 * in_channels, width, rngs=rngs)
        self.normalization = normalization_layer(normalization, width, rngs)
        self.activation = layer.create(CHANNELS, rngs)

    def __call__(self, images: Array) -> Array:
        """Returns the activations, shape (images, height, width, channels)."""
        return self.activation(self.normalization(self.convolution(patches(images, self.stride))))


class Network(nnx.Module):
    """`depth` blocks, of which all but the first halve images that are large, and a readout.

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
        image_shape: tuple[int, ...],
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
        for block in self.blocks:
            images = block(images)
        return self.readout(images.reshape(len(images), -1))
