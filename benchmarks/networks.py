"""Networks in which the memory of an activation shows, and recipes for their backward pass.

Every network is written as blocks of an activation and what stands beside it. Its forms put the
blocks in a row, or in a loop, and give its linear maps biases.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxact import backward

from .modes import Function

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]
Shape = tuple[int, ...]
Weights = Any  # a tree of arrays, or of their shapes

SIDE = 16  # of an image
TOKENS = 64  # of a sequence
HEADS = 8
STEPS = 16  # of a recurrent network


POLICIES = ("dots_saveable", "dots_with_no_batch_dims_saveable", "nothing_saveable")


@dataclass(frozen=True)
class Recipe:
    """How the backward pass is arranged.

    Attributes:
        activation: what is done to an activation of jaxact, if anything.
        layers: what is done to the layers that it is part of.
    """

    activation: Wrapper | None = None
    layers: Wrapper = lambda apply: apply


def _saving(policy: str) -> Recipe:
    """Recomputes what a policy of `jax.checkpoint_policies` does not save."""
    chosen = getattr(jax.checkpoint_policies, policy)
    return Recipe(layers=functools.partial(jax.checkpoint, policy=chosen))


RECIPES: dict[str, Recipe] = {
    "default": Recipe(),
    "lean": Recipe(activation=backward.lean),
    "few_bit": Recipe(activation=backward.few_bit),
    **{policy: _saving(policy) for policy in POLICIES},
}


RECIPES_OF_CHAINS = ("default", "lean", "few_bit", "dots_saveable")
RECIPES_OF_COMPANY = ("default", *POLICIES)


class Extent(NamedTuple):
    """How large a network is; an activation array has batch x features elements.

    Attributes:
        batch: rows of an activation array, of which an image or a sequence takes several.
        features: its columns.
        layers: how many there are.
        inputs: how many arrays the activation takes.
        pieces: how wide each of them is, in outputs.
    """

    batch: int
    features: int
    layers: int
    inputs: int = 1
    pieces: int = 1


@dataclass(frozen=True)
class Network:
    """Layers of one activation.

    Attributes:
        apply: `apply(function, recipe, weights, x)`.
        shapes: `shapes(extent)`: of the weights, a tree, and of x.
        takes_any: whether the activation may take several arrays, or narrow one.
    """

    apply: Callable[[Function, Wrapper, Weights, Array], Array]
    shapes: Callable[[Extent], tuple[Weights, Shape]]
    takes_any: bool = False

    def training_step(self, function: Function, recipe: Wrapper) -> Callable[..., Any]:
        """Loss and gradient, of (weights, x); no cotangent of this loss is trivial."""

        def loss(weights, x):
            return jnp.sum(jnp.square(self.apply(function, recipe, weights, x)))

        return jax.value_and_grad(loss)


# --- Activations and products of matrices, no more ------------------------------------------------


def _layer(function: Function, weights, x: Array) -> Array:
    """The activation, and one matrix product for each of its inputs."""
    return function(*(x @ w for w in weights))


def _unrolled_layers(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    def apply(weights, x):
        for enter in weights:
            x = _layer(function, enter, x)
        return x

    return recipe(apply)(weights, x)


def _scanned_layers(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    @recipe
    def layer(x, enter):
        return _layer(function, enter, x)

    return lax.scan(lambda x, enter: (layer(x, enter), None), x, weights)[0]


def _scanned_blocks(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    @recipe
    def block(x, enter, leave):
        return x + _layer(function, enter, x) @ leave

    return lax.scan(lambda x, weights: (block(x, *weights), None), x, weights)[0]


def _scanned_blocks_learning_half(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
    enter, leave = weights
    return _scanned_blocks(function, recipe, (lax.stop_gradient(enter), leave), x)


def _enter(extent: Extent) -> list[Shape]:
    return [(extent.features, extent.features * extent.pieces)] * extent.inputs


def _leave(extent: Extent) -> Shape:
    return (extent.features, extent.features)


def _repeated(weights: Weights, layers: int) -> Weights:
    """Each shape with an axis of layers before it."""
    return jax.tree.map(lambda shape: (layers, *shape), weights, is_leaf=is_shape)


def is_shape(tree: Any) -> bool:
    """Whether it is the shape of an array, rather than a tree of them."""
    return isinstance(tree, tuple) and all(isinstance(size, int) for size in tree)


def _matrix(extent: Extent) -> Shape:
    return (extent.batch, extent.features)


CHAINS: dict[str, Network] = {
    "unrolled layers f(x W)": Network(
        _unrolled_layers, lambda e: ([_enter(e)] * e.layers, _matrix(e)), takes_any=True
    ),
    "scanned blocks x + f(x W1) W2": Network(
        _scanned_blocks,
        lambda e: (_repeated((_enter(e), _leave(e)), e.layers), _matrix(e)),
        takes_any=True,
    ),
    "scanned blocks x + f(x W1) W2 learning W2": Network(
        _scanned_blocks_learning_half,
        lambda e: (_repeated((_enter(e), _leave(e)), e.layers), _matrix(e)),
        takes_any=True,
    ),
    "scanned layers f(x W)": Network(
        _scanned_layers, lambda e: (_repeated(_enter(e), e.layers), _matrix(e)), takes_any=True
    ),
}


# --- What stands beside an activation ------------------------------------------------------------


def _linear(weights: Sequence[Array], x: Array) -> Array:
    """A linear map, with a bias if there is one."""
    kernel, *biases = weights
    return sum(biases, x @ kernel)


def _convolution(weights: Sequence[Array], x: Array) -> Array:
    """Over images or sequences, by windows of the kernel; channels come last."""
    kernel, *biases = weights
    layout = ("NHWC", "HWIO", "NHWC") if x.ndim == 4 else ("NWC", "WIO", "NWC")
    strides = (1,) * (x.ndim - 2)
    y = lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=layout)
    return sum(biases, y)


def _map(biased: bool, *shape: int) -> list[Shape]:
    """Shapes of a linear map's or a convolution's weights."""
    return [shape, shape[-1:]] if biased else [shape]


def _normalized(x: Array, axes: tuple[int, ...], *, centred: bool = True) -> Array:
    """With mean 0 and variance 1 over axes, computed in float32."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = jnp.mean(wide, axes, keepdims=True) if centred else 0.0
    variance = jnp.mean(jnp.square(wide), axes, keepdims=True) - jnp.square(mean)
    return (wide - mean) * lax.rsqrt(jnp.maximum(variance, 0.0) + 1e-5)


def _layer_norm(weights: Sequence[Array], x: Array) -> Array:
    scale, offset = weights
    return (_normalized(x, (-1,)) * scale + offset).astype(x.dtype)


def _rms_norm(weights: Sequence[Array], x: Array) -> Array:
    (scale,) = weights
    return (_normalized(x, (-1,), centred=False) * scale).astype(x.dtype)


def _batch_norm(weights: Sequence[Array], x: Array) -> Array:
    scale, offset = weights
    return (_normalized(x, tuple(range(x.ndim - 1))) * scale + offset).astype(x.dtype)


def _group_norm(weights: Sequence[Array], x: Array) -> Array:
    """Over images; eight channels make a group."""
    scale, offset = weights
    groups = x.reshape(*x.shape[:-1], -1, 8)
    return (_normalized(groups, (1, 2, 4)).reshape(x.shape) * scale + offset).astype(x.dtype)


def _pooled(x: Array, stride: int) -> Array:
    """The mean over a window of 2 x 2."""
    window = (1, 2, 2, 1)
    zero = np.zeros((), x.dtype)  # an array of JAX would hide that this is a sum
    return lax.reduce_window(x, zero, lax.add, window, (1, stride, stride, 1), "SAME") / 4


def _enlarged(x: Array) -> Array:
    """Twice as high and twice as wide."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


# --- Blocks --------------------------------------------------------------------------------------

Block = Callable[[Function, Weights, Array], Array]
BlockShapes = Callable[[Extent, bool], Weights]  # whether its linear maps have biases


def _in_a_row(block: Block, head: Callable[[Array], Array]):
    def apply(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
        layer = recipe(functools.partial(block, function))
        for each in weights:
            x = layer(each, x)
        return head(x)

    return apply


def _in_a_loop(block: Block, head: Callable[[Array], Array]):
    def apply(function: Function, recipe: Wrapper, weights, x: Array) -> Array:
        layer = recipe(functools.partial(block, function))
        return head(lax.scan(lambda x, each: (layer(each, x), None), x, weights)[0])

    return apply


def _forms(
    name: str,
    block: Block,
    shapes: BlockShapes,
    x: Callable[[Extent], Shape],
    *,
    looped: Block | None = None,
    head: Callable[[Array], Array] = lambda y: y,
    depth: int = 3,
) -> dict[str, Network]:
    """A network of blocks in a row, with biases, and in a loop.

    Args:
        name: what stands beside the activation.
        block: `block(function, weights, x)`.
        shapes: of a block's weights.
        x: shape of the input.
        looped: the block that a loop repeats, where the other one changes the shape.
        head: what is done to the last output.
        depth: a row has this fraction of the layers of a loop, to compile in less time.
    """

    def row(extent: Extent, biased: bool):
        return [shapes(extent, biased)] * max(1, extent.layers // depth), x(extent)

    def loop(extent: Extent):
        return _repeated(shapes(extent, False), extent.layers), x(extent)

    apply = _in_a_row(block, head)
    return {
        name: Network(apply, lambda e: row(e, False)),
        f"biased {name}": Network(apply, lambda e: row(e, True)),
        f"scanned {name}": Network(_in_a_loop(looped or block, head), loop),
    }


def _images(extent: Extent) -> Shape:
    channels = _channels(extent)
    return (max(1, extent.batch * extent.features // (SIDE**2 * channels)), SIDE, SIDE, channels)


def _channels(extent: Extent) -> int:
    return max(8, extent.features // 16)


def _sequences(extent: Extent) -> Shape:
    return (max(1, extent.batch // TOKENS), TOKENS, extent.features)


def _beside_dense(norm: Callable[[Sequence[Array], Array], Array]) -> Block:
    def block(function, weights, x):
        linear, scales = weights
        return function(norm(scales, _linear(linear, x)))

    return block


def _dense_shapes(scales: int) -> BlockShapes:
    def shapes(extent: Extent, biased: bool):
        return _map(biased, *_leave(extent)), [(extent.features,)] * scales

    return shapes


def _beside_convolution(
    norm: Callable[[Sequence[Array], Array], Array] = lambda _, x: x, stride: int = 0
) -> Block:
    """A convolution, a norm, the activation, and a mean over windows if there is a stride."""

    def block(function, weights, x):
        convolution, scales = weights
        y = function(norm(scales, _convolution(convolution, x)))
        return _pooled(y, stride) if stride else y

    return block


def _convolution_shapes(scales: int) -> BlockShapes:
    def shapes(extent: Extent, biased: bool):
        channels = _channels(extent)
        return _map(biased, 3, 3, channels, channels), [(channels,)] * scales

    return shapes


def _of_sequence_shapes(extent: Extent, biased: bool):
    channels = extent.features // 4
    return _map(biased, 3, channels, channels), [(channels,)] * 2


def _narrow_sequences(extent: Extent) -> Shape:
    return (max(1, 4 * extent.batch // TOKENS), TOKENS, extent.features // 4)


def _pre_norm(function, weights, x):
    enter, leave, scales = weights
    return x + _linear(leave, function(_linear(enter, _layer_norm(scales, x))))


def _post_norm(function, weights, x):
    enter, leave, scales = weights
    return _layer_norm(scales, x + _linear(leave, function(_linear(enter, x))))


def _mlp_shapes(extent: Extent, biased: bool):
    linear = _map(biased, *_leave(extent))
    return linear, linear, [(extent.features,)] * 2


def _glu(function, weights, x):
    gate, enter, leave, scales = weights
    normal = _rms_norm(scales, x)
    return x + _linear(leave, function(_linear(gate, normal)) * _linear(enter, normal))


def _glu_shapes(extent: Extent, biased: bool):
    linear = _map(biased, *_leave(extent))
    return linear, linear, linear, [(extent.features,)]


def _transformer(function, weights, x):
    """Attention, and a residual block of the activation."""
    *projections, mlp, scales = weights
    query, key, value, out = projections
    normal = _layer_norm(scales, x)
    split = lambda w: _linear(w, normal).reshape(*x.shape[:-1], HEADS, -1)
    attended = jax.nn.dot_product_attention(split(query), split(key), split(value))
    x = x + _linear(out, attended.reshape(x.shape))
    return _pre_norm(function, mlp, x)


def _transformer_shapes(extent: Extent, biased: bool):
    linear = _map(biased, *_leave(extent))
    scales = [(extent.features,)] * 2
    return linear, linear, linear, linear, _mlp_shapes(extent, biased), scales


def _mixer(function, weights, x):
    """Mixes tokens, then features."""
    tokens, features, scales = weights
    across = jnp.swapaxes(_layer_norm(scales, x), 1, 2)
    enter, leave = tokens
    x = x + jnp.swapaxes(_linear(leave, function(_linear(enter, across))), 1, 2)
    return _pre_norm(function, features, x)


def _mixer_shapes(extent: Extent, biased: bool):
    tokens = _map(biased, TOKENS, TOKENS)
    return (tokens, tokens), _mlp_shapes(extent, biased), [(extent.features,)] * 2


# --- Whole networks ------------------------------------------------------------------------------


def _u_net(function, recipe, weights, x):
    """Two levels down and up again, with skips."""
    layer = recipe(lambda w, x: function(_convolution(w, x)))
    first, second, middle, third, last = weights
    outer = layer(first, x)
    inner = layer(second, _pooled(outer, 2))
    deep = layer(middle, _pooled(inner, 2))
    up = layer(third, jnp.concatenate([_enlarged(deep), inner], -1))
    return layer(last, jnp.concatenate([_enlarged(up), outer], -1))


def _u_net_shapes(extent: Extent, biased: bool):
    c = _channels(extent)
    down, up = _map(biased, 3, 3, c, c), _map(biased, 3, 3, 2 * c, c)
    return [down, down, down, up, up], _images(extent)


def _lstm(function, recipe, weights, x):
    """The activation stands where tanh does."""
    enter, recur = weights

    @recipe
    def step(state, x):
        hidden, cell = state
        gates = jnp.split(_linear(enter, x) + _linear(recur, hidden), 4, axis=-1)
        keep, add, out = (jax.nn.sigmoid(g) for g in gates[:3])
        cell = keep * cell + add * function(gates[3])
        hidden = out * function(cell)
        return (hidden, cell), hidden

    start = jnp.zeros(x.shape[1:], x.dtype)
    return lax.scan(step, (start, start), x)[1]


def _gru(function, recipe, weights, x):
    enter, recur, renew = weights

    @recipe
    def step(hidden, x):
        update, reset, new = jnp.split(_linear(enter, x), 3, axis=-1)
        of_update, of_reset = jnp.split(_linear(recur, hidden), 2, axis=-1)
        update, reset = jax.nn.sigmoid(update + of_update), jax.nn.sigmoid(reset + of_reset)
        new = function(new + _linear(renew, reset * hidden))
        hidden = update * hidden + (1 - update) * new
        return hidden, hidden

    return lax.scan(step, jnp.zeros(x.shape[1:], x.dtype), x)[1]


def _steps(extent: Extent) -> Shape:
    return (STEPS, max(1, extent.batch // STEPS), extent.features)


def _lstm_shapes(extent: Extent, biased: bool):
    n = extent.features
    return (_map(biased, n, 4 * n), _map(biased, n, 4 * n)), _steps(extent)


def _gru_shapes(extent: Extent, biased: bool):
    n = extent.features
    return (_map(biased, n, 3 * n), _map(biased, n, 2 * n), _map(biased, n, n)), _steps(extent)


def _autoencoder(function, recipe, weights, x):
    """A variational one; what is drawn at random is taken from x."""
    layer = recipe(lambda w, x: function(_linear(w, x)))
    first, second, mean, log_variance, third, last, out = weights
    hidden = layer(second, layer(first, x))
    mean, log_variance = _linear(mean, hidden), _linear(log_variance, hidden)
    latent = mean + jnp.exp(log_variance / 2) * x[:, : mean.shape[-1]]
    decoded = _linear(out, layer(last, layer(third, latent))) - x
    prior = jnp.sum(jnp.exp(log_variance) + jnp.square(mean) - log_variance)
    return decoded + prior.astype(x.dtype)


def _autoencoder_shapes(extent: Extent, biased: bool):
    n, latent = extent.features, max(1, extent.features // 8)
    square = _map(biased, n, n)
    narrow = _map(biased, n, latent)
    weights = [square, square, narrow, narrow, _map(biased, latent, n), square, square]
    return weights, _matrix(extent)


def _mnist(function, recipe, weights, x):
    """Two convolutions with pools and two dense layers, as in Flax's example."""
    layer = recipe(lambda w, x: _pooled(function(_convolution(w, x)), 2))
    first, second, dense, out = weights
    x = layer(second, layer(first, x))
    return _linear(out, function(_linear(dense, x.reshape(x.shape[0], -1))))


def _mnist_shapes(extent: Extent, biased: bool):
    weights = [
        _map(biased, 3, 3, 1, 32),
        _map(biased, 3, 3, 32, 64),
        _map(biased, 7 * 7 * 64, 256),
        _map(biased, 256, 10),
    ]
    return weights, (max(1, extent.batch * extent.features // (28 * 28 * 32)), 28, 28, 1)


def _whole(name: str, apply, shapes) -> dict[str, Network]:
    """A network that has no repeated block, without biases and with them."""
    return {
        name: Network(apply, lambda e: shapes(e, False)),
        f"biased {name}": Network(apply, lambda e: shapes(e, True)),
    }


def _means(x: Array) -> Array:
    return jnp.mean(x, (1, 2))


CONVOLUTION, BATCH_NORM = _convolution_shapes(0), _convolution_shapes(2)
COMPANY: dict[str, Network] = {
    **_forms("dense", _beside_dense(lambda _, x: x), _dense_shapes(0), _matrix, depth=1),
    **_forms("dense + layer norm", _beside_dense(_layer_norm), _dense_shapes(2), _matrix),
    **_forms("dense + RMS norm", _beside_dense(_rms_norm), _dense_shapes(1), _matrix),
    **_forms("dense + batch norm", _beside_dense(_batch_norm), _dense_shapes(2), _matrix),
    **_forms("convolution", _beside_convolution(), CONVOLUTION, _images),
    **_forms("convolution + batch norm", _beside_convolution(_batch_norm), BATCH_NORM, _images),
    **_forms("convolution + group norm", _beside_convolution(_group_norm), BATCH_NORM, _images),
    **_forms(
        "convolution + pool",
        _beside_convolution(stride=2),
        CONVOLUTION,
        _images,
        looped=_beside_convolution(stride=1),
    ),
    **_forms(
        "convolution + batch norm + pool",
        _beside_convolution(_batch_norm, 2),
        BATCH_NORM,
        _images,
        looped=_beside_convolution(_batch_norm, 1),
    ),
    **_forms(
        "convolution of sequences + batch norm",
        _beside_convolution(_batch_norm),
        _of_sequence_shapes,
        _narrow_sequences,
    ),
    **_forms("convolution + mean", _beside_convolution(), CONVOLUTION, _images, head=_means),
    **_forms("pre-norm MLP", _pre_norm, _mlp_shapes, _matrix),
    **_forms("post-norm MLP", _post_norm, _mlp_shapes, _matrix),
    **_forms("GLU", _glu, _glu_shapes, _matrix),
    **_forms("attention", _transformer, _transformer_shapes, _sequences),
    **_forms("MLP-Mixer", _mixer, _mixer_shapes, _sequences),
    **_whole("U-Net", _u_net, _u_net_shapes),
    **_whole("LSTM", _lstm, _lstm_shapes),
    **_whole("GRU", _gru, _gru_shapes),
    **_whole("VAE", _autoencoder, _autoencoder_shapes),
    **_whole("Flax's MNIST example", _mnist, _mnist_shapes),
}
NETWORKS: dict[str, Network] = {**CHAINS, **COMPANY}

# The activations that networks have most often; the others are measured in a few networks.
COMMON = (
    *("relu", "leaky_relu", "relu6", "hard_silu", "elu", "silu", "gelu", "mish", "softplus"),
    *("tanh", "sigmoid"),
)
FOR_ALL = ("dense", "convolution + batch norm + pool", "scanned pre-norm MLP")
