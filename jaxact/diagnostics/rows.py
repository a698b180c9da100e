"""Functions of rows that weigh something: attention, routers, and choices of the largest."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

ONE_HOT = 0.99  # of the weight of a row lies on one entry
_MASKED = -6e4  # scores at most this large are masks


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("rows", "largest_logit", "entropy", "one_hot", "received"),
    meta_fields=("layer", "activation"),
)
@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of one softmax, or of what takes its place, over all data.

    Rows of which all but one entry are masked say nothing, and are left out. Where the axis of
    heads is known, there is one number for each head.

    Attributes:
        layer: where it is called.
        activation: what it is, and what it does: "softmax, attention" or "softmax, router".
        rows: how many were seen.
        largest_logit: the largest magnitude of a score that is not masked.
        entropy: the mean entropy of a row, over the largest possible: 1 is uniform, 0 one-hot.
        one_hot: the share of rows with 99 % of their weight on one entry.
        received: the mean weight that each entry receives.
    """

    layer: str
    activation: str
    rows: Array
    largest_logit: Array
    entropy: Array
    one_hot: Array
    received: Array

    @property
    def sink(self) -> Array:
        """The mean weight of the entry that receives most."""
        return jnp.max(self.received, -1)

    def summary(self) -> dict[str, float | int]:
        """Of all heads together; of the logits the largest."""
        found: dict[str, float | int] = {"rows": int(np.sum(self.rows))}
        if not found["rows"]:
            return found
        return {
            **found,
            "largest_logit": float(np.max(self.largest_logit)),
            "entropy": float(np.mean(self.entropy)),
            "one_hot": float(np.mean(self.one_hot)),
            "sink": float(np.max(self.sink)),
        }

    def to_dict(self) -> dict[str, Any]:
        """The summary, and lists over the heads."""
        heads = {k: np.ravel(getattr(self, k)) for k in ("largest_logit", "entropy", "one_hot")}
        heads["sink"] = np.ravel(self.sink)
        return {**self.summary(), "heads": {k: v.tolist() for k, v in heads.items()}}


def rows_of(logits: Array, weights: Array, *, axis: int, heads: tuple[int, ...]) -> Rows:
    """What is read of a softmax, of its scores and its weights."""
    keep = [a % weights.ndim for a in heads]
    move = lambda a: jnp.moveaxis(
        jnp.moveaxis(a.astype(jnp.float32), (*keep, axis % a.ndim), (*range(len(keep)), -1)),
        range(len(keep), a.ndim - 1),
        range(len(keep), a.ndim - 1),
    )
    logits, weights = move(jnp.broadcast_to(logits, weights.shape)), move(weights)
    shape = weights.shape[: len(keep)]
    flat = lambda a: a.reshape(*shape, -1, weights.shape[-1])
    logits, weights = flat(logits), flat(weights)
    allowed = logits > _MASKED
    number = jnp.sum(allowed, -1)
    counted = (number > 1).astype(jnp.float32)
    rows = jnp.sum(counted, -1)
    total = jnp.sum(weights, -1, keepdims=True)
    shares = weights / jnp.where(total > 0, total, 1)
    entropy = -jnp.sum(shares * jnp.log(jnp.where(shares > 0, shares, 1)), -1)
    entropy = entropy / jnp.log(jnp.maximum(number, 2))
    one_hot = (jnp.max(shares, -1) >= ONE_HOT).astype(jnp.float32)
    mean = lambda a: jnp.sum(counted * a, -1) / jnp.maximum(rows, 1)
    return Rows(
        layer="",
        activation="",
        rows=rows,
        largest_logit=jnp.max(jnp.where(allowed, jnp.abs(logits), 0), (-2, -1), initial=0),
        entropy=mean(entropy),
        one_hot=mean(one_hot),
        received=jnp.sum(counted[..., None] * shares, -2) / jnp.maximum(rows, 1)[..., None],
    )


def pool_rows(stacked: Rows) -> Rows:
    """The rows of all parts together, which are stacked along the leading axis."""
    total = jnp.sum(stacked.rows, 0)
    shares = stacked.rows / jnp.maximum(total, 1)[None]
    return dataclasses.replace(
        stacked,
        rows=total,
        largest_logit=jnp.max(stacked.largest_logit, 0),
        entropy=jnp.sum(shares * stacked.entropy, 0),
        one_hot=jnp.sum(shares * stacked.one_hot, 0),
        received=jnp.sum(shares[..., None] * stacked.received, 0),
    )


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("rows", "load"),
    meta_fields=("layer", "activation"),
)
@dataclasses.dataclass(frozen=True)
class Choices:
    """What a top-k of scores chooses: experts, say.

    Attributes:
        layer: where it is called.
        activation: "top k".
        rows: how many rows of scores were seen.
        load: how many rows chose each entry.
    """

    layer: str
    activation: str
    rows: Array
    load: Array

    @property
    def shares(self) -> Array:
        """The load of each entry over the sum of all."""
        return self.load / jnp.maximum(jnp.sum(self.load, -1, keepdims=True), 1)

    @property
    def unused(self) -> Array:
        """Which entries were never chosen."""
        return (self.load == 0) & (self.rows > 0)[..., None]

    def summary(self) -> dict[str, float | int]:
        """How even the choices are: the entropy of the loads is 1 where they are equal."""
        if not np.any(self.rows):
            return {"rows": 0}
        shares = np.asarray(self.shares, np.float64)
        used = shares[shares > 0]
        entropy = -np.sum(used * np.log(used)) / max(math.log(shares.size), 1e-9)
        return {
            "rows": int(np.sum(self.rows)),
            "entries": int(shares.size),
            "unused": int(np.sum(self.unused)),
            "largest_load": float(shares.max()),
            "entropy": float(entropy),
        }

    def to_dict(self) -> dict[str, Any]:
        """The summary, and the loads."""
        return {**self.summary(), "load": np.asarray(self.load).tolist()}


def choices_of(scores: Array, *, number: int) -> Choices:
    """What is read of a top-k, of its scores."""
    rows = scores.reshape(-1, scores.shape[-1])
    _, chosen = jax.lax.top_k(rows, number)
    load = jnp.zeros(scores.shape[-1]).at[chosen].add(1.0)
    return Choices("", "", jnp.float32(rows.shape[0]), load)


def pool_choices(stacked: Choices) -> Choices:
    """The choices of all parts together, which are stacked along the leading axis."""
    return dataclasses.replace(
        stacked, rows=jnp.sum(stacked.rows, 0), load=jnp.sum(stacked.load, 0)
    )
