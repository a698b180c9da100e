"""The models: each with its data, its loss, its healthy weights, and diseases to plant in them.

An expert's opinion stands beside each: the verdict on gradients, and words of the finding that must
be told; a healthy state has neither.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from .layers import (
    attention,
    attention_weights,
    conv,
    conv_weights,
    cross_entropy,
    dense,
    keys,
    linear,
    mlp,
    mlp_weights,
    norm,
)

BATCH, LENGTH, WIDTH, CLASSES = 16, 12, 32, 10


@dataclass(frozen=True)
class Disease:
    """What is done to healthy weights, and what an expert says of them then.

    Attributes:
        plant: changes the weights.
        finding: words that a recommendation must have; "" if none has to be given.
        verdict: on the gradients; None if it does not matter.
    """

    plant: Callable[[Any], Any]
    finding: str
    verdict: str | None = None


@dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Attributes:
        weights: `weights(seed)` are healthy ones.
        apply: `apply(weights, batch)` is its result.
        loss: of weights and a batch.
        batch: the data.
        diseases: by name.
        rate: a learning rate with which it learns.
        source: the description after which it was written.
    """

    weights: Callable[[int], Any]
    apply: Callable[[Any, Any], Any]
    loss: Callable[[Any, Any], Any]
    batch: Any
    source: str
    diseases: dict[str, Disease] = field(default_factory=dict)
    rate: float = 1e-3


ZOO: dict[str, Model] = {}


def times(factor: float, *path: Any) -> Callable[[Any], Any]:
    """Multiplies the weights below a path, all by default."""
    return changed(lambda w: w * factor, *path)


def changed(change: Callable[[Any], Any], *path: Any) -> Callable[[Any], Any]:
    """Changes the weights below a path."""

    def plant(weights: Any) -> Any:
        if not path:
            return jax.tree.map(change, weights)

        def within(tree: Any, path: tuple) -> Any:
            if not path:
                return jax.tree.map(change, tree)
            copy = dict(tree) if isinstance(tree, dict) else list(tree)
            copy[path[0]] = within(tree[path[0]], path[1:])
            return copy

        return within(weights, path)

    return plant


def normal(seed: int, *shape: int):
    """Standard normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


def labels(seed: int, *shape: int, classes: int = CLASSES):
    """Random classes."""
    return jax.random.randint(jax.random.key(seed), shape, 0, classes)


TOKENS = labels(1, BATCH, LENGTH)
IMAGES = {"x": normal(2, BATCH, 8, 8, 3), "y": labels(3, BATCH)}
DEAD = changed(lambda b: b - 100, "hidden", "bias")


def classified(apply):
    """The loss of a classifier."""
    return lambda weights, batch: cross_entropy(apply(weights, batch), batch["y"])


def next_token(apply):
    """The loss of a language model."""
    return lambda weights, batch: cross_entropy(apply(weights, batch)[:, :-1], batch[:, 1:])


# --- Convolutions --------------------------------------------------------------------------------


def _cnn_weights(seed):
    key = keys(seed)
    return {
        "first": conv_weights(next(key), 3, 16),
        "second": conv_weights(next(key), 16, 32),
        "hidden": dense(next(key), 2 * 2 * 32, 64, math.sqrt(2)),
        "readout": dense(next(key), 64, CLASSES),
    }


def _pooled(x):
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def _cnn(weights, batch):
    x = _pooled(jax.nn.relu(conv(weights["first"], batch["x"])))
    x = _pooled(jax.nn.relu(conv(weights["second"], x)))
    x = jax.nn.relu(linear(weights["hidden"], x.reshape(BATCH, -1), "hidden"))
    return linear(weights["readout"], x, "readout")


ZOO["cnn"] = Model(
    _cnn_weights,
    _cnn,
    classified(_cnn),
    IMAGES,
    "Flax's mnist example",
    {
        "weights 100 times too large": Disease(times(100), "exploding", "exploding"),
        "killed by the learning rate": Disease(DEAD, "dead", "vanishing"),
        "a bottleneck": Disease(
            lambda w: times(1e4, "second", "kernel")(times(1e-4, "hidden", "kernel")(w)),
            "bottleneck",
            "vanishing",
        ),
    },
)


def _unet_weights(seed):
    key = keys(seed)
    return {
        "time": dense(next(key), 16, 16),
        "in": conv_weights(next(key), 3, 16),
        "down": conv_weights(next(key), 16, 32),
        "middle": conv_weights(next(key), 32, 32),
        "up": conv_weights(next(key), 32 + 16, 16),
        "out": conv_weights(next(key), 16, 3, scale=0.5),
    }


def _unet(weights, batch):
    time = batch["t"][:, None] * jnp.exp(-jnp.arange(8.0))[None]
    time = jnp.concatenate([jnp.sin(time), jnp.cos(time)], -1)
    time = jax.nn.silu(linear(weights["time"], time, "time"))
    high = jax.nn.silu(norm(conv(weights["in"], batch["x"])) + time[:, None, None])
    low = jax.nn.silu(norm(conv(weights["down"], high, 2)))
    low = low + jax.nn.silu(norm(conv(weights["middle"], low)))
    up = jax.image.resize(low, (*high.shape[:3], low.shape[-1]), "nearest")
    x = jax.nn.silu(norm(conv(weights["up"], jnp.concatenate([up, high], -1))))
    return conv(weights["out"], x)


ZOO["unet"] = Model(
    _unet_weights,
    _unet,
    lambda weights, batch: jnp.mean((_unet(weights, batch) - batch["noise"]) ** 2),
    {**IMAGES, "t": jnp.linspace(0, 1, BATCH), "noise": normal(4, BATCH, 8, 8, 3)},
    "Ho, Jain & Abbeel, NeurIPS 2020, arXiv:2006.11239",
    {"a dead head": Disease(times(0, "out"), "")},
)


# --- Stacks of dense layers ----------------------------------------------------------------------


def _tanh_weights(seed):
    key = keys(seed)
    layers = [dense(next(key), WIDTH, WIDTH, 1.1) for _ in range(20)]
    return {"layers": layers, "readout": dense(next(key), WIDTH, 1)}


def _tanh(weights, batch):
    x = batch["x"]
    for number, layer in enumerate(weights["layers"]):
        x = jnp.tanh(linear(layer, x, f"hidden/{number}"))
    return linear(weights["readout"], x, "readout")


ROWS = {"x": normal(5, 128, WIDTH), "y": jnp.sin(normal(5, 128, WIDTH)[:, :1])}

ZOO["deep tanh"] = Model(
    _tanh_weights,
    _tanh,
    lambda weights, batch: jnp.mean((_tanh(weights, batch) - batch["y"]) ** 2),
    ROWS,
    "Glorot & Bengio, AISTATS 2010",
    {
        "weights 100 times too large": Disease(times(100), "saturated"),
        "weights 4 times too small": Disease(times(0.25), "vanishing", "vanishing"),
    },
)


def _vae_weights(seed):
    key = keys(seed)
    return {
        "encoder": dense(next(key), 64, WIDTH, math.sqrt(2)),
        "mean": dense(next(key), WIDTH, 8),
        "spread": dense(next(key), WIDTH, 8, 0.3),
        "decoder": dense(next(key), 8, WIDTH, math.sqrt(2)),
        "pixels": dense(next(key), WIDTH, 64),
    }


def _vae_parts(weights, batch):
    h = jax.nn.relu(linear(weights["encoder"], batch["x"], "encoder"))
    mean, spread = linear(weights["mean"], h), linear(weights["spread"], h)
    z = mean + jnp.exp(0.5 * spread) * batch["noise"]
    h = jax.nn.relu(linear(weights["decoder"], z, "decoder"))
    return linear(weights["pixels"], h, "pixels"), mean, spread


def _vae_loss(weights, batch):
    logits, mean, spread = _vae_parts(weights, batch)
    x = batch["x"]
    fit = -jnp.sum(x * jax.nn.log_sigmoid(logits) + (1 - x) * jax.nn.log_sigmoid(-logits), -1)
    prior = -0.5 * jnp.sum(1 + spread - mean**2 - jnp.exp(spread), -1)
    return jnp.mean(fit + prior)


ZOO["vae"] = Model(
    _vae_weights,
    lambda weights, batch: jax.nn.sigmoid(_vae_parts(weights, batch)[0]),
    _vae_loss,
    {"x": (normal(6, 128, 64) > 0.5).astype(jnp.float32), "noise": normal(7, 128, 8)},
    "Kingma & Welling, ICLR 2014, arXiv:1312.6114; Flax's vae example",
    {
        "killed by the learning rate": Disease(
            changed(lambda b: b - 100, "encoder", "bias"), "dead", "vanishing"
        )
    },
)


def _sae_weights(seed):
    key = next(keys(seed))
    encoder = dense(key, WIDTH, 128)
    return {
        "encoder": encoder,
        "decoder": {"kernel": encoder["kernel"].T, "bias": jnp.zeros(WIDTH)},
    }


def _sae(weights, batch):
    features = jax.nn.relu(linear(weights["encoder"], batch["x"], "encoder"))
    return linear(weights["decoder"], features / 2, "decoder"), features


def _sae_loss(weights, batch):
    found, features = _sae(weights, batch)
    return jnp.mean((found - batch["x"]) ** 2) + 1e-4 * jnp.mean(jnp.sum(features, -1))


ZOO["sparse autoencoder"] = Model(
    _sae_weights,
    lambda weights, batch: _sae(weights, batch)[0],
    _sae_loss,
    {"x": normal(8, 512, WIDTH)},
    "Bricken et al., 2023; Cunningham et al., ICLR 2024, arXiv:2309.08600",
    {
        "dead features": Disease(
            changed(lambda b: b - 100 * (jnp.arange(128) % 2), "encoder", "bias"), "dead"
        )
    },
)


# --- Transformers --------------------------------------------------------------------------------


def _transformer_weights(seed, *, blocks: int = 3, inner: int = 64, make=None, **more):
    key = keys(seed)
    make = make or (lambda key: mlp_weights(key, WIDTH, inner))
    found = {
        "embedding": jax.random.normal(next(key), (CLASSES, WIDTH)),
        "places": jax.random.normal(next(key), (LENGTH, WIDTH)) * 0.1,
        "blocks": [
            {"attention": attention_weights(key, WIDTH), "mlp": make(key)} for _ in range(blocks)
        ],
        "readout": dense(next(key), WIDTH, CLASSES),
    }
    return found | {name: value(key) for name, value in more.items()}


def _transformer(mlp_of, *, centred: bool = True, final: float = 0.0, **options):
    def apply(weights, tokens):
        x = weights["embedding"][tokens] + weights["places"][None]
        for number, block in enumerate(weights["blocks"]):
            with jax.named_scope(f"blocks/{number}"):
                x = x + attention(block["attention"], norm(x, centred=centred), **options)
                x = x + mlp_of(block["mlp"], norm(x, centred=centred))
        logits = linear(weights["readout"], norm(x, centred=centred), "readout")
        return final * jnp.tanh(logits / final) if final else logits

    return apply


_COLLAPSE = Disease(
    lambda w: times(30, "blocks", 1, "attention", "k")(times(30, "blocks", 1, "attention", "q")(w)),
    "collapsed",
)

_lm = _transformer(lambda own, x: mlp(own, x, jax.nn.relu), causal=True)
ZOO["lm"] = Model(
    _transformer_weights,
    _lm,
    next_token(_lm),
    TOKENS,
    "Vaswani et al., NeurIPS 2017, arXiv:1706.03762; Flax's lm1b example",
    {
        "attention collapsed": _COLLAPSE,
        "killed by the learning rate": Disease(
            changed(lambda b: b - 100, "blocks", 1, "mlp", "up", "bias"), "dead"
        ),
    },
)

_gpt = _transformer(lambda own, x: mlp(own, x, jax.nn.gelu), causal=True)
ZOO["gpt"] = Model(
    lambda seed: _transformer_weights(seed, blocks=6),
    _gpt,
    next_token(_gpt),
    TOKENS,
    "Radford et al., 2019",
    {"attention collapsed": _COLLAPSE},
)


def _gated_weights(key):
    up, gate = (dense(next(key), WIDTH, 64) for _ in range(2))
    return {"gate": gate, "up": up, "down": dense(next(key), 64, WIDTH)}


def _geglu(own, x):
    with jax.named_scope("mlp"):
        gate = jax.nn.gelu(linear(own["gate"], x, "gate"))
        return linear(own["down"], gate * linear(own["up"], x, "up"), "down")


_gemma = _transformer(_geglu, centred=False, final=30.0, causal=True, cap=50.0)
ZOO["gemma"] = Model(
    lambda seed: _transformer_weights(seed, make=_gated_weights),
    _gemma,
    next_token(_gemma),
    TOKENS,
    "Gemma team, 2024, arXiv:2408.00118",
    {
        "closed gates": Disease(
            changed(lambda b: b - 100, "blocks", 1, "mlp", "gate", "bias"), "dead"
        )
    },
)


def _vit_weights(seed):
    key = keys(seed)
    more = {
        "patches": lambda key: dense(next(key), 48, WIDTH),
        "readout": lambda _: {"kernel": jnp.zeros((WIDTH, CLASSES)), "bias": jnp.zeros(CLASSES)},
    }
    del key
    return _transformer_weights(seed, **more)


def _vit(weights, batch):
    patches = batch["x"].reshape(BATCH, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5)
    x = linear(weights["patches"], patches.reshape(BATCH, 4, 48), "patches")
    x = x + weights["places"][None, :4]
    for number, block in enumerate(weights["blocks"]):
        with jax.named_scope(f"blocks/{number}"):
            x = x + attention(block["attention"], norm(x))
            x = x + mlp(block["mlp"], norm(x), jax.nn.gelu)
    return linear(weights["readout"], norm(x.mean(1)), "readout")


ZOO["vit"] = Model(
    _vit_weights,
    _vit,
    classified(_vit),
    IMAGES,
    "Dosovitskiy et al., ICLR 2021, arXiv:2010.11929",
    {"attention collapsed": _COLLAPSE},
)


def _mixer_weights(seed):
    key = keys(seed)
    blocks = [
        {"tokens": mlp_weights(key, 4, 16), "channels": mlp_weights(key, WIDTH, 64)}
        for _ in range(3)
    ]
    found = {"patches": dense(next(key), 48, WIDTH), "blocks": blocks}
    return found | {"readout": dense(next(key), WIDTH, CLASSES)}


def _mixer(weights, batch):
    patches = batch["x"].reshape(BATCH, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5)
    x = linear(weights["patches"], patches.reshape(BATCH, 4, 48), "patches")
    for number, block in enumerate(weights["blocks"]):
        with jax.named_scope(f"blocks/{number}"):
            across = mlp(block["tokens"], norm(x).swapaxes(1, 2), jax.nn.gelu)
            x = x + across.swapaxes(1, 2)
            x = x + mlp(block["channels"], norm(x), jax.nn.gelu)
    return linear(weights["readout"], norm(x.mean(1)), "readout")


ZOO["mixer"] = Model(
    _mixer_weights,
    _mixer,
    classified(_mixer),
    IMAGES,
    "Tolstikhin et al., NeurIPS 2021, arXiv:2105.01601",
    {"a dead head": Disease(times(0, "readout"), "")},
)


def _whisper_weights(seed):
    key = keys(seed)
    block = lambda: {
        "attention": attention_weights(key, WIDTH),
        "mlp": mlp_weights(key, WIDTH, 64),
    }
    return {
        "conv1": conv_weights(next(key), 16, WIDTH, dims=1),
        "conv2": conv_weights(next(key), WIDTH, WIDTH, dims=1),
        "encoder": [block() for _ in range(2)],
        "embedding": jax.random.normal(next(key), (CLASSES, WIDTH)),
        "decoder": [{**block(), "cross": attention_weights(key, WIDTH)} for _ in range(2)],
        "readout": dense(next(key), WIDTH, CLASSES),
    }


def _whisper(weights, batch):
    x = jax.nn.gelu(conv(weights["conv1"], batch["sound"]))
    x = jax.nn.gelu(conv(weights["conv2"], x, 2))
    for number, block in enumerate(weights["encoder"]):
        with jax.named_scope(f"encoder/{number}"):
            x = x + attention(block["attention"], norm(x))
            x = x + mlp(block["mlp"], norm(x), jax.nn.gelu)
    heard, x = norm(x), weights["embedding"][batch["tokens"]]
    for number, block in enumerate(weights["decoder"]):
        with jax.named_scope(f"decoder/{number}"):
            x = x + attention(block["attention"], norm(x), causal=True)
            x = x + attention(block["cross"], norm(x), heard)
            x = x + mlp(block["mlp"], norm(x), jax.nn.gelu)
    return linear(weights["readout"], norm(x), "readout")


ZOO["whisper"] = Model(
    _whisper_weights,
    _whisper,
    lambda w, batch: cross_entropy(_whisper(w, batch)[:, :-1], batch["tokens"][:, 1:]),
    {"sound": normal(9, BATCH, 24, 16), "tokens": TOKENS},
    "Radford et al., ICML 2023, arXiv:2212.04356",
    {
        "weights 100 times too large": Disease(times(100, "encoder"), "collapsed"),
        "killed by the learning rate": Disease(
            changed(lambda b: b - 100, "encoder", 0, "mlp", "up", "bias"), "dead"
        ),
    },
)

EXPERTS, CHOSEN = 4, 2


def _moe_weights(key):
    expert = lambda: mlp_weights(key, WIDTH, 32)
    experts = [expert() for _ in range(EXPERTS)]
    return {
        "router": dense(next(key), WIDTH, EXPERTS),
        "experts": jax.tree.map(lambda *a: jnp.stack(a), *experts),
    }


def _experts(own, x):
    with jax.named_scope("moe"):
        scores = jax.nn.softmax(linear(own["router"], x, "router"))
        weights, chosen = jax.lax.top_k(scores, CHOSEN)
        weights = weights / weights.sum(-1, keepdims=True)
        shares = jnp.sum(jax.nn.one_hot(chosen, EXPERTS) * weights[..., None], -2)
        up, down = own["experts"]["up"], own["experts"]["down"]
        h = jnp.einsum("btd,edh->bteh", x, up["kernel"]) + up["bias"][None, None]
        y = jnp.einsum("bteh,ehd->bted", jax.nn.silu(h), down["kernel"])
        return jnp.einsum("bted,bte->btd", y, shares)


_moe = _transformer(_experts, causal=True)
ZOO["mixture of experts"] = Model(
    lambda seed: _transformer_weights(seed, make=_moe_weights, blocks=2),
    _moe,
    next_token(_moe),
    TOKENS,
    "Fedus, Zoph & Shazeer, JMLR 2022, arXiv:2101.03961",
    {
        "an unused expert": Disease(
            changed(
                lambda b: b - 100 * (jnp.arange(EXPERTS) == 3), "blocks", 0, "mlp", "router", "bias"
            ),
            "never chosen",
        )
    },
)


# --- Over time -----------------------------------------------------------------------------------


def _lstm_weights(key, inputs, units, forget: float = 1.0):
    gates = ("input", "forget", "cell", "output")
    own = {name: dense(next(key), inputs + units, units) for name in gates}
    own["forget"]["bias"] += forget
    return own


def _lstm(own, rows):
    """Over time, which is the first axis."""

    def cell(carry, row):
        c, h = carry
        both = jnp.concatenate([row, h], -1)
        i, f, o = (jax.nn.sigmoid(linear(own[n], both, n)) for n in ("input", "forget", "output"))
        c = f * c + i * jnp.tanh(linear(own["cell"], both, "cell"))
        h = o * jnp.tanh(c)
        return (c, h), h

    start = jnp.zeros((rows.shape[1], own["cell"]["bias"].size))
    return cell, start


def _seq2seq_weights(seed):
    key = keys(seed)
    return {
        "encoder": _lstm_weights(key, CLASSES, WIDTH),
        "decoder": _lstm_weights(key, CLASSES, WIDTH),
        "readout": dense(next(key), WIDTH, CLASSES),
    }


def _seq2seq(weights, tokens):
    rows = jax.nn.one_hot(tokens, CLASSES).swapaxes(0, 1)
    with jax.named_scope("encoder"):
        cell, start = _lstm(weights["encoder"], rows)
        state, _ = jax.lax.scan(cell, (start, start), rows)
    with jax.named_scope("decoder"):
        cell, _ = _lstm(weights["decoder"], rows)
        _, outputs = jax.lax.scan(cell, state, rows[::-1])
    return linear(weights["readout"], outputs, "readout")


_CLOSED = changed(lambda b: b - 20, "encoder", "forget", "bias")
ZOO["seq2seq"] = Model(
    _seq2seq_weights,
    _seq2seq,
    lambda weights, tokens: cross_entropy(_seq2seq(weights, tokens), tokens.T[::-1]),
    TOKENS,
    "Sutskever, Vinyals & Le, NIPS 2014, arXiv:1409.3215; Flax's seq2seq example",
    {
        "a closed forget gate": Disease(_CLOSED, "forget gate", "vanishing"),
        "saturated gates": Disease(
            lambda w: times(100, "encoder", "output")(times(100, "encoder", "input")(w)),
            "saturated",
        ),
    },
)


def _gru_weights(seed):
    key = keys(seed)
    gates = {name: dense(next(key), 8 + WIDTH, WIDTH) for name in ("update", "reset", "new")}
    heads = {"policy": dense(next(key), WIDTH, 4, 0.1), "value": dense(next(key), WIDTH, 1)}
    return {**gates, "torso": dense(next(key), 8, 8), **heads}


def _gru(weights, batch):
    def cell(h, row):
        row = jax.nn.relu(linear(weights["torso"], row, "torso"))
        both = jnp.concatenate([row, h], -1)
        z = jax.nn.sigmoid(linear(weights["update"], both, "update"))
        r = jax.nn.sigmoid(linear(weights["reset"], both, "reset"))
        new = jnp.tanh(linear(weights["new"], jnp.concatenate([row, r * h], -1), "new"))
        h = z * h + (1 - z) * new
        return h, h

    _, states = jax.lax.scan(cell, jnp.zeros((BATCH, WIDTH)), batch["seen"])
    return linear(weights["policy"], states, "policy"), linear(weights["value"], states, "value")


def _gru_loss(weights, batch):
    logits, value = _gru(weights, batch)
    gain = batch["gain"] - value[..., 0]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), batch["did"][..., None], -1)[..., 0]
    return jnp.mean(gain**2) - jnp.mean(jax.lax.stop_gradient(gain) * chosen)


ZOO["gru agent"] = Model(
    _gru_weights,
    _gru,
    _gru_loss,
    {
        "seen": normal(10, LENGTH, BATCH, 8),
        "gain": normal(11, LENGTH, BATCH),
        "did": labels(12, LENGTH, BATCH, classes=4),
    },
    "Mnih et al., ICML 2016, arXiv:1602.01783; Cho et al., EMNLP 2014, arXiv:1406.1078",
    {"saturated gates": Disease(times(300, "reset"), "saturated")},
)


def _rnn_weights(seed):
    key = keys(seed)
    return {
        "in": dense(next(key), 4, WIDTH, 0.3),
        "state": {
            "kernel": jax.random.orthogonal(next(key), WIDTH) * 1.02,
            "bias": jnp.zeros(WIDTH),
        },
        "readout": dense(next(key), WIDTH, 1),
    }


def _rnn(weights, batch):
    def cell(h, row):
        h = jnp.tanh(linear(weights["in"], row, "in") + linear(weights["state"], h, "state"))
        return h, None

    h, _ = jax.lax.scan(cell, jnp.zeros((BATCH, WIDTH)), batch["x"])
    return linear(weights["readout"], h, "readout")


ZOO["plain rnn"] = Model(
    _rnn_weights,
    _rnn,
    lambda weights, batch: jnp.mean((_rnn(weights, batch) - batch["y"]) ** 2),
    {"x": 0.02 * normal(13, 200, BATCH, 4), "y": normal(14, BATCH, 1)},
    "Elman, 1990; Le, Jaitly & Hinton, 2015, arXiv:1504.00941",
    {
        "forgetting": Disease(times(0.5, "state"), "LSTM", "vanishing"),
        "exploding": Disease(times(3, "state"), "", None),
    },
)


def _mamba_weights(seed):
    key = keys(seed)
    block = lambda: {
        "in": dense(next(key), WIDTH, 2 * WIDTH),
        "conv": jax.random.normal(next(key), (4, WIDTH)) / 2,
        "step": dense(next(key), WIDTH, WIDTH, 0.5),
        "b": dense(next(key), WIDTH, 4),
        "c": dense(next(key), WIDTH, 4),
        "decay": jnp.log(jnp.arange(1.0, WIDTH + 1) / WIDTH),
        "out": dense(next(key), WIDTH, WIDTH),
    }
    return {
        "embedding": jax.random.normal(next(key), (CLASSES, WIDTH)),
        "blocks": [block() for _ in range(2)],
        "readout": dense(next(key), WIDTH, CLASSES),
    }


def _mamba_block(own, x):
    value, gate = jnp.split(linear(own["in"], x, "in"), 2, -1)
    padded = jnp.pad(value, ((0, 0), (3, 0), (0, 0)))
    value = sum(padded[:, i : i + LENGTH] * own["conv"][i][None, None] for i in range(4))
    value = jax.nn.silu(value)
    step = jax.nn.softplus(linear(own["step"], value, "step") - 1)
    b, c = linear(own["b"], value, "b"), linear(own["c"], value, "c")
    decay = jnp.exp(-step * jnp.exp(own["decay"])[None, None])

    def cell(state, row):
        decay, taken, b, c = row
        state = decay[..., None] * state + taken[..., None] * b[:, None]
        return state, jnp.sum(state * c[:, None], -1)

    rows = [jnp.moveaxis(a, 1, 0) for a in (decay, step * value, b, c)]
    _, y = jax.lax.scan(cell, jnp.zeros((BATCH, WIDTH, 4)), rows)
    y = jnp.moveaxis(y, 0, 1) + value
    return linear(own["out"], norm(y * jax.nn.silu(gate), centred=False), "out")


def _mamba(weights, tokens):
    x = weights["embedding"][tokens]
    for number, block in enumerate(weights["blocks"]):
        with jax.named_scope(f"blocks/{number}"):
            x = x + _mamba_block(block, norm(x, centred=False))
    return linear(weights["readout"], norm(x, centred=False), "readout")


ZOO["mamba"] = Model(
    _mamba_weights,
    _mamba,
    next_token(_mamba),
    TOKENS,
    "Dao & Gu, ICML 2024, arXiv:2405.21060",
    {"a dead head": Disease(times(0, "readout"), "")},
)
