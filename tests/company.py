"""Programs around an activation, and what may come out of them.

XLA computes the producer of x again in every loop that reads it, and contracts multiplications and
additions as it likes, so that an activation sees an x that differs from read to read in its last
place. A program here is an activation between a producer of its x and a consumer of its result.
It is right if what comes out is what the activation, alone and in a wider format, gives for *some*
input within the producer's own error, up to the activation's bound and the consumer's rounding.

Producers and consumers are written over a namespace: `Traced` in the program, `Wide` in the judge.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from cases import precision
from jax import Array

ROWS, COLUMNS = 6, 20  # 20 is divisible by whatever groups or halves features
Arrays = dict[str, Any]


class Traced:
    """What producers and consumers use of jax.numpy."""

    tanh, mean, sqrt, where, concatenate = jnp.tanh, jnp.mean, jnp.sqrt, jnp.where, jnp.concatenate
    take, abs, square, log, sum = jnp.take, jnp.abs, jnp.square, jnp.log, jnp.sum

    @staticmethod
    def matmul(a, b):
        return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)

    @staticmethod
    def astype(a, dtype):
        return a.astype(dtype)


class Wide:
    """The same of NumPy: what it is given is in long double, and stays so."""

    tanh, mean, sqrt, where, concatenate = np.tanh, np.mean, np.sqrt, np.where, np.concatenate
    take, abs, square, log, sum, matmul = np.take, np.abs, np.square, np.log, np.sum, np.matmul

    @staticmethod
    def astype(a, dtype):
        return a


# --- Before ---------------------------------------------------------------------------------------


class Producer(NamedTuple):
    """What makes an activation's x.

    Attributes:
        make: `make(ops, u, aux)`, for u of shape (rows, columns).
        error: `error(u, x, aux)`: what rounding may do to x, in eps.
        by_row: whether each row is made of the same row.
    """

    make: Callable[[Any, Any, Arrays], Any]
    error: Callable[[Any, Any, Arrays], Any] = lambda u, x, aux: np.abs(x)
    by_row: bool = True


def exact(u, x, aux):
    """Nothing is rounded."""
    return np.zeros_like(x)


def twice(u, x, aux):
    """Two roundings: XLA multiplies by the reciprocal of a constant divisor, for one."""
    return 2 * np.abs(x)


def scaled(ops, u, axis):
    """Over the root of the mean square."""
    return u / ops.sqrt(ops.mean(ops.square(u), axis=axis, keepdims=True) + 1e-5)


def centred(ops, u, axis):
    """Less the mean."""
    return u - ops.mean(u, axis=axis, keepdims=True)


def normalized(axis, **facts):
    """A layer's or a batch's normalization, with its learned factor and offset."""

    def make(ops, u, aux):
        return scaled(ops, centred(ops, u, axis), axis) * aux["gamma"] + aux["beta"]

    def error(u, x, aux):
        largest = np.max(np.abs(u), axis=axis, keepdims=True)
        deviation = np.mean(np.square(centred(Wide, u, axis)), axis=axis, keepdims=True)
        relative = largest / np.sqrt(deviation + 1e-5)
        share = np.abs(x) + np.abs(aux["beta"])
        return (u.shape[axis] + 4) * (relative * (1 + share)) + share

    return Producer(make, error, **facts)


PRODUCERS = {
    "times a constant": Producer(lambda ops, u, aux: u * 0.7),
    "times a scalar": Producer(lambda ops, u, aux: u * aux["s"]),
    "times a factor per channel": Producer(lambda ops, u, aux: u * aux["gamma"]),
    "over a temperature": Producer(lambda ops, u, aux: u / 0.7, twice),
    "over a traced temperature": Producer(lambda ops, u, aux: u / aux["s"]),
    "affine": Producer(
        lambda ops, u, aux: u * aux["gamma"] + aux["beta"],
        lambda u, x, aux: np.abs(u * aux["gamma"]) + np.abs(aux["beta"]),
    ),
    "squared": Producer(lambda ops, u, aux: u * u * 0.3, twice),
    "soft-capped": Producer(
        lambda ops, u, aux: 30.0 * ops.tanh(u / 30.0), lambda u, x, aux: 8 * np.abs(x)
    ),
    "times a matrix": Producer(
        lambda ops, u, aux: ops.matmul(u, aux["matrix"]),
        lambda u, x, aux: u.shape[-1] * np.matmul(np.abs(u), np.abs(aux["matrix"])),
    ),
    "RMS normalized": Producer(
        lambda ops, u, aux: scaled(ops, u, -1) * aux["gamma"],
        lambda u, x, aux: (u.shape[-1] + 4) * np.abs(x),
    ),
    "layer normalized": normalized(-1),
    "batch normalized": normalized(0, by_row=False),
    "less its mean": Producer(
        lambda ops, u, aux: centred(ops, u, -1),
        lambda u, x, aux: u.shape[-1] * np.max(np.abs(u), axis=-1, keepdims=True) + 0 * x,
    ),
    "cast from bfloat16": Producer(lambda ops, u, aux: ops.astype(aux["bfloat16"], u.dtype), exact),
    "transposed": Producer(lambda ops, u, aux: (aux["turned"] * aux["s"]).T, by_row=False),
    "concatenated": Producer(
        lambda ops, u, aux: ops.concatenate([u[:, 1:] * aux["s"], u[:, :1] * 0.7], axis=1)
    ),
    "gathered": Producer(lambda ops, u, aux: ops.take(u * aux["s"], aux["index"], axis=1)),
    "dropped out": Producer(lambda ops, u, aux: ops.where(aux["kept"], u / 0.9, 0.0), twice),
}


# --- After ----------------------------------------------------------------------------------------


class Consumer(NamedTuple):
    """What reads an activation's result.

    Attributes:
        take: `take(ops, y, aux)`; affine in y, unless `radius` says how an error spreads.
        terms: how many terms it adds.
        eps: what its own format rounds, if that is not the format of y.
    """

    take: Callable[[Any, Any, Arrays], Any]
    terms: Callable[[tuple[int, ...]], int] = lambda shape: 1
    eps: float = 0.0
    radius: Callable[[Any, Any], Any] | None = None

    def judge(self, middle, radius, aux: Arrays, eps: float):
        """What comes of a number known but for an error, and the error it then has."""
        result = self.take(Wide, middle, aux)
        if self.radius:
            return result, self.radius(middle, radius) + 4 * eps * (1 + np.abs(result))
        sizes = {name: np.abs(a) for name, a in aux.items()}
        spread = self.take(Wide, radius, {**sizes, "residual": 0 * aux["residual"]})
        total = self.take(Wide, np.abs(middle) + radius, sizes)
        return result, spread + max(self.eps, eps * self.terms(middle.shape)) * total


def _of_logarithm(middle, radius):
    """What an error becomes in the logarithm; anything, where it is as large as the number."""
    size = np.where(middle == 0, 1, np.abs(middle))
    return np.where(2 * radius < size, 2 * radius / size, np.inf)


CONSUMERS = {
    "itself": Consumer(lambda ops, y, aux: y),
    "summed": Consumer(lambda ops, y, aux: ops.sum(y, axis=-1), lambda shape: shape[-1]),
    "averaged": Consumer(lambda ops, y, aux: ops.mean(y, axis=0), lambda shape: shape[0]),
    "multiplied": Consumer(lambda ops, y, aux: y * aux["factor"]),
    "added to a residual": Consumer(lambda ops, y, aux: aux["residual"] + y),
    "times a matrix": Consumer(
        lambda ops, y, aux: ops.matmul(y, aux["out"]), lambda shape: shape[-1] + 2
    ),
    "cast": Consumer(lambda ops, y, aux: ops.astype(y, jnp.bfloat16), eps=2.0**-8),
    "logarithm": Consumer(lambda ops, y, aux: ops.log(ops.abs(y)), radius=_of_logarithm),
}


# --- Between --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Subject:
    """A function of arrays of one shape, (ROWS, columns), each of which a producer may make.

    Attributes:
        function: the function.
        name: what reports call it.
        centres: where the numbers of each array lie: about 0, or beside a parameter's setting.
        axis: along which an output depends on other entries; None if on its own only.
        bounds: errors of value, slope and curvature in eps: of a value in those of its own
            magnitude, of a derivative in those of the largest nearby, or of its row.
        floors: what they may be off in any case, for numbers of a format with this eps.
        fold: the end of the domain that x is to lie beyond, if there is one.
        range: the closure of its values.
        same_format: whether it is judged by itself in the same format, as what draws must be.
        columns: how many.
    """

    function: Callable[..., Array]
    name: str
    centres: tuple[float, ...] = (0.0,)
    axis: int | None = None
    bounds: tuple[float, ...] = (1.0, 1.0, 1.0)
    floors: Callable[[float], tuple[float, float, float]] = lambda eps: (0.0, 0.0, 0.0)
    fold: float | None = None
    range: tuple[float, float] = (-math.inf, math.inf)
    same_format: bool = False
    columns: int = COLUMNS

    def __repr__(self) -> str:
        return self.name

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of every array."""
        return ROWS, self.columns

    @property
    def arity(self) -> int:
        """How many arrays."""
        return len(self.centres)

    def folded(self, ops, x):
        """Within the domain."""
        return x if self.fold is None else ops.abs(x) + (self.fold + 0.5)


class Pair(NamedTuple):
    """Names of a producer and of a consumer, and which of the arrays the producer makes."""

    producer: str
    consumer: str
    made: tuple[int, ...] = (0,)


def rotated(arity: int) -> list[Pair]:
    """Every producer, with one consumer after the other, for one array after the other, or all."""
    consumers, made = list(CONSUMERS), _choices(arity)
    return [
        Pair(producer, consumers[i % len(consumers)], made[i % len(made)])
        for i, producer in enumerate(PRODUCERS)
    ]


def every_pair(arity: int) -> list[Pair]:
    """Every producer with every consumer, for each array and for all."""
    return [Pair(p, c, made) for p in PRODUCERS for c in CONSUMERS for made in _choices(arity)]


def _choices(arity: int) -> list[tuple[int, ...]]:
    return [(i,) for i in range(arity)] + ([tuple(range(arity))] if arity > 1 else [])


SPREADS = np.array([[2.0], [1.0], [1e-3], [30.0], [0.1], [4.0]])


def data(subject: Subject, dtype: Any, seed: int, special: bool = False) -> Arrays:
    """All arrays of one program: rows of many sizes, one with ties, one with a tall entry.

    Or with what is special: zeros of either sign, tiny and huge numbers, infinities, NaN; three
    rows have only entries of -inf, or some, or with one of them one of inf.
    """
    random = np.random.default_rng(seed)
    shape = subject.shape

    def rows():
        u = random.normal(0, SPREADS, shape)
        u[4, ::2] = 0.0
        u[5, 1] += 40.0
        if special:
            tiny = float(jnp.finfo(dtype).tiny)
            u[0, :] = -np.inf
            u[1, ::2] = -np.inf
            u[2, :2] = np.inf, -np.inf
            u[3, :] = np.resize([1e4, -1e4, 1e30, -1e30, 30, -30, 0.0], shape[1])
            u[4, :4] = 0.0, -0.0, 8 * tiny, -8 * tiny
            u[5, 0] = np.nan
        return u

    def beside(centre):
        return rows() if centre == 0 else centre * random.uniform(0.8, 1.2, shape)

    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32)] * subject.arity
    output = jax.eval_shape(subject.function, *inputs).shape
    channels = shape[1:]
    numbers = {
        "us": [beside(centre) for centre in subject.centres],
        "ts": [random.normal(size=shape) for _ in range(subject.arity)],
        "cotangent": random.normal(size=output),
        "s": random.uniform(0.5, 1.5),
        "gamma": random.uniform(0.6, 1.6, (1, *channels)),
        "beta": random.normal(0, 0.5, (1, *channels)),
        "matrix": random.normal(0, shape[1] ** -0.5, channels * 2),
        "turned": rows().T,
    }
    for order, like in ("value", output), ("derivative", shape):
        numbers[order] = {
            "factor": random.uniform(0.5, 1.5, like),
            "residual": random.normal(size=like),
            "out": random.normal(size=like[-1:] * 2),
        }
    arrays = jax.tree.map(lambda a: np.asarray(a, dtype), numbers)
    arrays["bfloat16"] = rows().astype(jnp.bfloat16)
    arrays["index"] = random.permutation(shape[1])
    arrays["kept"] = random.random(shape) < 0.9
    return arrays


def quantities(subject: Subject, xs: Sequence[Array], ts: Sequence[Array], w: Array) -> Arrays:
    """Value, slope in both modes, and curvature by forward over reverse mode."""
    pulled = lambda *xs: jax.vjp(subject.function, *xs)[1](w)
    y, pushed = jax.jvp(subject.function, tuple(xs), tuple(ts))
    slopes, curvatures = jax.jvp(pulled, tuple(xs), tuple(ts))
    found = {"value": y, "pushed": pushed}
    found |= {f"pulled {i}": slope for i, slope in enumerate(slopes)}
    return found | {f"curved {i}": curvature for i, curvature in enumerate(curvatures)}


ORDERS = {"value": 0, "pushed": 1, "pulled": 1, "curved": 2}


def order(quantity: str) -> int:
    """How often it is differentiated."""
    return ORDERS[quantity.split()[0]]


def after(quantity: str, arrays: Arrays) -> Arrays:
    """What a consumer of a quantity needs, in its shape."""
    return arrays["value" if quantity in ("value", "pushed") else "derivative"]


def produced(subject: Subject, pair: Pair, ops, arrays: Arrays) -> list:
    """Every array of the activation."""
    make = PRODUCERS[pair.producer].make
    xs = [make(ops, u, arrays) if i in pair.made else u for i, u in enumerate(arrays["us"])]
    return [subject.folded(ops, x) for x in xs]


def consumed(pair: Pair, found: Arrays, arrays: Arrays) -> Arrays:
    """What the consumer makes of each quantity."""
    take = CONSUMERS[pair.consumer].take
    return {name: take(Traced, q, after(name, arrays)) for name, q in found.items()}


def program(subject: Subject, pair: Pair, arrays: Arrays) -> Arrays:
    """Value and derivatives, produced and consumed."""
    xs = produced(subject, pair, Traced, arrays)
    return consumed(pair, quantities(subject, xs, arrays["ts"], arrays["cotangent"]), arrays)


def value(subject: Subject, pair: Pair, arrays: Arrays) -> Arrays:
    """Value alone, produced and consumed: another program, which XLA divides in other ways."""
    y = subject.function(*produced(subject, pair, Traced, arrays))
    return consumed(pair, {"value": y}, arrays)


# --- The judge ------------------------------------------------------------------------------------


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # infinities are among the numbers
def judge(subject: Subject, pair: Pair, arrays: Arrays, got: Mapping[str, Array], dtype) -> None:
    """Holds what a program gave against the activation's own results, and its promises.

    Raises:
        AssertionError: naming quantity and entry.
    """
    eps = float(jnp.finfo(dtype).eps)
    wide = jax.tree.map(lambda a: a.astype(np.longdouble) if a.dtype.kind in "fV" else a, arrays)
    for name, own in allowed(subject, pair, wide, dtype, of=tuple(got)).items():
        consumer = CONSUMERS[pair.consumer]
        middle, radius = consumer.judge(*own, after(name, wide), eps)
        result = np.asarray(got[name]).astype(np.longdouble)
        assert result.shape == middle.shape, name
        near = _distance(result, middle) <= np.where(np.isfinite(middle), radius, 0)
        where = tuple(np.argwhere(~near)[0]) if not near.all() else None
        assert where is None, (
            f"{subject}, {pair}: {name} at {where} is {result[where]}, "
            f"not {middle[where]} +- {radius[where]}; {np.count_nonzero(~near)} of {near.size}"
        )
        if name == "value" and pair.consumer == "itself":
            _judge_promises(subject, result, middle, eps)


def _judge_promises(subject: Subject, result, middle, eps: float) -> None:
    """The range; and of probabilities the sum."""
    lowest, highest = subject.range
    slack = eps * (1 + subject.bounds[0])
    for bound, sign in ((lowest, -1), (highest, 1)):
        shared = bound in (0, 1, -1) or math.isinf(bound)  # all formats have these
        beyond = sign * result > sign * bound + (0 if shared else slack * abs(bound))
        assert not beyond.any(), f"{subject} leaves {bound}: {result[beyond]}"
    if subject.axis is not None and subject.range == (0, 1):
        total, expected = result.sum(subject.axis), middle.sum(subject.axis)
        off = _distance(total, expected)
        assert np.all(off <= result.shape[subject.axis] * eps), f"{subject} sums to {total}"


def allowed(
    subject: Subject, pair: Pair, wide: Arrays, dtype, of: tuple[str, ...]
) -> dict[str, tuple]:
    """Each quantity in the middle of what it may be, and how far from there it may be."""
    eps, tiny = float(jnp.finfo(dtype).eps), float(jnp.finfo(dtype).tiny)
    xs = produced(subject, pair, Wide, wide)
    errors = _errors(subject, pair, wide, xs, dtype)
    # The numbers, then each moved up and down, then what tells how large a derivative can be.
    moves = list(_moves(subject, errors))
    random = np.random.default_rng(0)
    points, tangents, cotangents = [], [], []

    def add(xs, afresh=False, ts=wide["ts"]):
        redraw = lambda a: random.permutation(a.ravel()).reshape(a.shape) if afresh else a
        points.append(xs)
        tangents.append([redraw(t) for t in ts])
        cotangents.append(redraw(wide["cotangent"]))

    add(xs)
    for move in moves:
        for sign in (1, -1):
            add([x + sign * m for x, m in zip(xs, move, strict=True)])
    for step in (1 / 8, -1 / 8, 1 / 16, -1 / 16):
        still = subject.axis is not None or subject.fold is not None
        add(xs if still else [x + step for x in xs], afresh=subject.axis is not None)
    for i in range(subject.arity if subject.arity > 1 else 0):  # what may cancel with the others
        add(xs, ts=[t if i == j else 0 * t for j, t in enumerate(wide["ts"])])
    found = alone(subject, points, tangents, cotangents, dtype, of)
    doubled = 2 if in_its_own_format(subject, dtype) else 1
    result = {}
    for name, all_of_it in found.items():
        middle, moved = all_of_it[0], all_of_it[1 : 1 + 2 * len(moves)]
        changes = _distance(moved, middle).reshape(len(moves), 2, *middle.shape)
        spread = changes.max(1).sum(0)
        k = order(name)
        sizes = np.abs(middle) if k == 0 else np.fmax.reduce(np.abs(all_of_it))
        if subject.axis is not None:
            # What a threshold may make 0 is a difference, as exact as its row.
            thresholded = subject.range[0] == 0 and np.any(middle == 0, subject.axis, keepdims=True)
            of_row = sizes.max(subject.axis, keepdims=True)
            sizes = np.where(k or thresholded, of_row, sizes)
        bound = (
            eps * doubled * (subject.arity if k else 1) * subject.bounds[k] * sizes
            + subject.floors(eps)[k]
        )
        largest = float(jnp.finfo(dtype).max)
        middle = np.where(np.abs(middle) > largest, np.copysign(np.inf, middle), middle)
        result[name] = middle, spread + bound + subject.floors(eps)[k] + 4 * tiny
    return result


def in_its_own_format(subject: Subject, dtype) -> bool:
    """Whether what an activation gives alone is no more exact than what is judged by it."""
    return subject.same_format or dtype == np.float64


def _errors(subject, pair, wide, xs, dtype) -> list:
    """What a producer may do to each array."""
    producer, eps = PRODUCERS[pair.producer], float(jnp.finfo(dtype).eps)
    errors = []
    for i, (u, x) in enumerate(zip(wide["us"], xs, strict=True)):
        error = np.zeros_like(x)
        if i in pair.made:
            error = producer.error(u, producer.make(Wide, u, wide), wide)
        if subject.fold is not None or in_its_own_format(subject, dtype):
            error = error + np.abs(x)
        errors.append(np.where(np.isfinite(x), eps * error, 0))
    return errors


def _moves(subject: Subject, errors: list) -> Iterable[list]:
    """One array after the other by its error; of rows, one entry after the other."""
    for i, error in enumerate(errors):
        rest = [np.zeros_like(e) for e in errors]
        if subject.axis is None:
            yield [*rest[:i], error, *rest[i + 1 :]]
            continue
        for entry in range(error.shape[subject.axis]):
            one = np.zeros_like(error)
            at = [slice(None)] * error.ndim
            at[subject.axis] = slice(entry, entry + 1)
            one[tuple(at)] = error[tuple(at)]
            yield [*rest[:i], one, *rest[i + 1 :]]


def _distance(a, b):
    return np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))


def alone(subject: Subject, points, tangents, cotangents, dtype, of) -> dict[str, np.ndarray]:
    """The quantities at many points, the activation being the whole program, in long double."""
    own = dtype if in_its_own_format(subject, dtype) else np.float64
    stack = lambda arrays: np.stack([np.asarray(a, own) for a in arrays])
    xs, ts = ([stack(each) for each in zip(*many, strict=True)] for many in (points, tangents))
    with precision(own):
        found = _compiled(subject, of)(xs, ts, stack(cotangents))
        return {name: np.asarray(a).astype(np.longdouble) for name, a in found.items()}


@functools.lru_cache(maxsize=8)
def _compiled(subject: Subject, of: tuple[str, ...]) -> Callable[..., Arrays]:
    def compute(xs, ts, w):
        found = quantities(subject, xs, ts, w)
        return {name: found[name] for name in of}

    return jax.jit(jax.vmap(compute))


def run(
    subject: Subject,
    pairs: Sequence[Pair],
    dtype: Any = np.float32,
    *,
    of: Callable[..., Arrays] = program,
    around: Callable[..., Arrays] | None = None,
    copies: int = 1,
    execute: Callable[..., Any] = lambda function, arrays: jax.jit(function)(arrays),
    special: bool = False,
) -> None:
    """Compiles programs together, each with arrays of its own, and judges what they give.

    Args:
        subject: what is judged.
        pairs: what is before and after it, in each program.
        dtype: the format of all numbers.
        of: `program`, or `value`.
        around: `around(one, arrays)` runs the program `one` for each of some stacked arrays.
        copies: how many of them are stacked.
        execute: compiles and runs.
        special: whether the numbers are special.
    """
    arrays = [
        [data(subject, dtype, 100 * i + copy, special) for copy in range(copies)]
        for i in range(len(pairs))
    ]
    ones = [functools.partial(of, subject, pair) for pair in pairs]
    with precision(dtype):
        if around:
            stacked = [jax.tree.map(lambda *a: np.stack(a), *each) for each in arrays]
            every = lambda s: [around(one, a) for one, a in zip(ones, s, strict=True)]
            results = [_unstacked(got, copies) for got in execute(every, stacked)]
        else:
            every = lambda s: [one(a[0]) for one, a in zip(ones, s, strict=True)]
            results = [[got] for got in execute(every, arrays)]
    for pair, mine, got in zip(pairs, arrays, results, strict=True):
        for each, its in zip(mine, got, strict=True):
            judge(subject, pair, each, its, dtype)


def _unstacked(tree: Any, copies: int) -> list:
    tree = jax.device_get(tree)
    return [jax.tree.map(lambda a: a[copy], tree) for copy in range(copies)]  # noqa: B023
