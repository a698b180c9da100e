"""What the models of the zoo are made of: functions of parameters and arrays."""

import math

import jax
import jax.numpy as jnp


def keys(seed: int):
    """An endless row of random keys."""
    key = jax.random.key(seed)
    while True:
        key, one = jax.random.split(key)
        yield one


def dense(key, inputs: int, outputs: int, scale: float = 1.0):
    """LeCun's weights, times a scale, and biases of 0."""
    kernel = jax.random.normal(key, (inputs, outputs)) * (scale / math.sqrt(inputs))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def linear(own, x, name: str = "dense"):
    """A dense layer."""
    with jax.named_scope(name):
        return x @ own["kernel"] + own["bias"].reshape((1,) * (x.ndim - 1) + (-1,))


def conv_weights(key, inputs: int, outputs: int, size: int = 3, dims: int = 2, scale: float = 1.0):
    """He's weights, times a scale."""
    shape = (size,) * dims + (inputs, outputs)
    kernel = jax.random.normal(key, shape) * scale * math.sqrt(2 / (size**dims * inputs))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def conv(own, x, stride: int = 1):
    """A convolution with channels last."""
    dims = x.ndim - 2
    letters = "HW"[:dims]
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    y = jax.lax.conv_general_dilated(
        x, own["kernel"], (stride,) * dims, "SAME", dimension_numbers=numbers
    )
    return y + own["bias"].reshape((1,) * (x.ndim - 1) + (-1,))


def norm(x, *, centred: bool = True):
    """Layer normalisation without parameters; of root mean squares if it does not centre."""
    x = x - jnp.mean(x, -1, keepdims=True) if centred else x
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-6)


def attention_weights(keys, width: int, scale: float = 1.0):
    """Weights of queries, keys and values, and of what comes after."""
    return {name: dense(next(keys), width, width, scale) for name in ("q", "k", "v", "out")}


def attention(own, x, context=None, *, heads: int = 4, causal: bool = False, cap: float = 0.0):
    """Attention of several heads, to itself or to a context."""
    context = x if context is None else context
    split = lambda a: a.reshape(*a.shape[:-1], heads, -1)
    with jax.named_scope("attention"):
        arrays = {"q": x, "k": context, "v": context}
        q, k, v = (split(linear(own[name], a, name)) for name, a in arrays.items())
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1])
        if cap:
            scores = cap * jnp.tanh(scores / cap)
        if causal:
            row = jnp.arange(scores.shape[-1])
            mask = (row[:, None] >= row[None])[None, None]
            scores = jnp.where(mask, scores, -1e9)
        weights = jax.nn.softmax(scores)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        return linear(own["out"], mixed.reshape(x.shape), "out")


def mlp_weights(keys, width: int, inner: int, scale: float = 1.0):
    """Weights of a block of two layers."""
    return {"up": dense(next(keys), width, inner, scale), "down": dense(next(keys), inner, width)}


def mlp(own, x, activation):
    """Two layers with an activation between them."""
    with jax.named_scope("mlp"):
        return linear(own["down"], activation(linear(own["up"], x, "up")), "down")


def cross_entropy(logits, labels):
    """Of classes, on average."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1)
    return -jnp.mean(chosen)
