"""What the laws walk over: every activation of the catalogue, with each of its parameter settings.

A law is a test that is told a `Case` and nothing else of the activation. Called by hand with a
case of one's own making it judges that: so `test_laws_can_fail` gives it a planted defect.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jax.typing import ArrayLike, DTypeLike

import jaxact

SIXTEEN_BITS = (jnp.bfloat16, jnp.float16)
DTYPES = (*SIXTEEN_BITS, jnp.float32, jnp.float64)
EVERYDAY = (jnp.bfloat16, jnp.float32)  # the formats that every activation is tested in
USUAL = (
    *EVERYDAY,
    jnp.int32,
    jnp.complex64,
)  # and a number of each other sort, to be refused or cast
FEATURES = 60  # divisible by whatever groups or halves features


@dataclass(frozen=True, eq=False)
class Case:
    """An activation with a setting of its parameters: a function of one array, a gate of two."""

    entry: jaxact.Entry
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, x: ArrayLike, *others: ArrayLike, **replaced: Any) -> Array:
        """The activation, with some parameters replaced."""
        arrays = dict(zip(self._other_arrays, others, strict=True))
        return self.entry.function(x, **arrays, **{**self.parameters, **replaced})

    def __repr__(self) -> str:
        setting = "-".join(f"{name}-{value}" for name, value in self.parameters.items())
        return f"{self.entry.name}-{setting}" if setting else self.entry.name

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature of the activation."""
        return inspect.signature(self.entry.function)

    @property
    def arity(self) -> int:
        """How many arrays it takes: one, or two for a gate."""
        return 1 + len(self._other_arrays)

    @cached_property
    def learnable(self) -> dict[str, float | tuple[float, ...]]:
        """The parameters that are numbers here, or tuples of them, and may be arrays."""
        annotations = {name: p.annotation for name, p in self.signature.parameters.items()}
        return {
            name: value
            for name, value in self.parameters.items()
            if isinstance(value, tuple)
            or (isinstance(value, float) and annotations[name] == ArrayLike)
        }

    def arrays(
        self, shape: tuple[int, ...] = (), dtype: DTypeLike = np.float32, spread: float = 0.0
    ) -> dict[str, Array]:
        """The learnable parameters as arrays of a shape; for a tuple with a leading axis more.

        Each number is repeated, or varied by a factor from 1 - spread to 1 + spread.
        """
        random = np.random.default_rng(2)

        def repeated(value):
            each = np.reshape(value, np.shape(value) + (1,) * len(shape))
            factors = random.uniform(1 - spread, 1 + spread, np.shape(value) + shape)
            return jnp.asarray((each * factors).astype(dtype))

        return {name: repeated(value) for name, value in self.learnable.items()}

    @property
    def kinks(self) -> Mapping[float, float]:
        """The kinks, and the slope promised at each."""
        return self.entry.kinks(**self.parameters)

    def inputs(
        self, shape: tuple[int, ...] = (4, FEATURES), dtype: DTypeLike = np.float32, seed: int = 0
    ) -> tuple[Array, ...]:
        """The arrays it takes: normal numbers, none of them near a kink or the domain's end."""
        random = np.random.default_rng(seed)
        return tuple(
            jnp.asarray(self.well_inside(random.normal(0, 2, shape)).astype(dtype))
            for _ in range(self.arity)
        )

    def inside(self, xs: np.ndarray) -> np.ndarray:
        """Which numbers the domain contains, its ends left out."""
        lowest, highest = self.entry.domain(**self.parameters)
        return (lowest < xs) & (xs < highest)

    def well_inside(self, xs: np.ndarray) -> np.ndarray:
        """The numbers, mirrored into the domain and moved away from kinks."""
        lowest, highest = self.entry.domain(**self.parameters)
        lowest, highest = lowest + 0.5, highest - 0.5
        xs = np.where(xs < lowest, 2 * lowest - xs, np.where(xs > highest, 2 * highest - xs, xs))
        for kink in self.kinks:
            distance = xs - kink
            near = np.abs(distance) < 0.05
            xs = np.where(near, xs + np.copysign(0.05, distance), xs)
        return xs

    @cached_property
    def _other_arrays(self) -> tuple[str, ...]:
        """The second array of a gate is the argument that may be left out."""
        if self.entry.kind != "gate":
            return ()
        _, *others = self.signature.parameters.values()
        return tuple(p.name for p in others if p.default is None)


def cases(*kinds: str) -> list[Case]:
    """All cases of some kinds, or of all."""
    return [
        Case(entry, parameters)
        for entry in jaxact.CATALOG.values()
        if not kinds or entry.kind in kinds
        for parameters in entry.samples
    ]


def typical_cases(*kinds: str) -> list[Case]:
    """One case of each activation of some kinds, or of all."""
    return [
        Case(entry, entry.samples[0])
        for entry in jaxact.CATALOG.values()
        if not kinds or entry.kind in kinds
    ]


def variants(*kinds: str) -> list[Case]:
    """The cases but for those that differ from another in numbers only: they run the same code."""
    distinct = {}
    for case in cases(*kinds):
        numbers = float | tuple
        choices = {name: v for name, v in case.parameters.items() if not isinstance(v, numbers)}
        distinct.setdefault((case.entry.name, repr(choices)), case)
    return list(distinct.values())


def coverage_key(case: Case) -> tuple:
    """What decides which parts of the machinery an activation uses."""
    entry = case.entry
    lowest, highest = entry.range(**case.parameters)
    is_exact = entry.ulps == (0, 0, 0)  # or has no bounds, over an axis
    is_bounded = entry.kind == "axis" and math.isfinite(highest - lowest)
    return entry.kind, bool(case.learnable), bool(case.kinks), is_exact, is_bounded


def coverage_set() -> set[str]:
    """The first activation of each coverage key: between them they use all of the machinery."""
    first = {}
    for case in typical_cases():
        first.setdefault(coverage_key(case), case.entry.name)
    return set(first.values())


def formats(*dtypes: DTypeLike) -> list:
    """Formats to run a test in, of which every change is tested in the everyday ones only."""
    return [
        pytest.param(
            dtype,
            id=jnp.dtype(dtype).name,
            marks=[] if jnp.dtype(dtype) in EVERYDAY else pytest.mark.thorough,
        )
        for dtype in dtypes or DTYPES
    ]


def over(selected: list[Case]) -> Callable:
    """Runs a law on these cases."""
    return pytest.mark.parametrize("case", selected, ids=repr)


def powers_of_two(exponents: np.ndarray) -> np.ndarray:
    """Powers whose last places, which differ with the processor, are rounded away."""
    return np.exp2(exponents).astype(np.float32).astype(np.float64)


POINTWISE = ("elementwise", "random")  # without a key, for the latter


def precision(dtype: DTypeLike):
    """A context in which arrays of a dtype can be made."""
    return jax.enable_x64(jnp.dtype(dtype) == jnp.float64)


def slope(function: Callable[..., Array]) -> Callable[[Array], Array]:
    """The derivative of an elementwise function, in reverse mode."""

    def derivative(x):
        y, pull_back = jax.vjp(function, x)
        return pull_back(jnp.ones_like(y))[0]

    return derivative


def forward_slope(function: Callable[..., Array]) -> Callable[[Array], Array]:
    """The derivative of an elementwise function, in forward mode."""
    return lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


def weights(y: Array, seed: int = 1) -> Array:
    """Weights of the output's shape and dtype: they make a loss that no symmetry hides in."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=y.shape).astype(y.dtype))


def loss(function: Callable[..., Array]) -> Callable[..., Array]:
    """A scalar function of the same arrays, that weights every output differently."""

    def weighted(*arrays):
        y = function(*arrays)
        return jnp.sum(y * weights(y))

    return weighted


def gradient(function: Callable[..., Array]) -> Callable[..., tuple[Array, ...]]:
    """The gradient of the weighted output by every array."""
    return lambda *arrays: jax.grad(loss(function), tuple(range(len(arrays))))(*arrays)


def identical(a: Any, b: Any) -> bool:
    """Whether two trees of arrays agree in structure, dtype, shape and every bit but NaN's."""
    leaves, others = jax.tree.leaves(a), jax.tree.leaves(b)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        p.dtype == q.dtype and np.array_equal(_canonical(p), _canonical(q))
        for p, q in zip(leaves, others, strict=True)
    )


def differing(a: Array, b: Array) -> int:
    """How many elements differ in their bits, one NaN being as good as another."""
    return int(np.count_nonzero(_canonical(a) != _canonical(b)))


def _canonical(x: Array) -> np.ndarray:
    x = np.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x
    with np.errstate(invalid="ignore"):  # some NaNs signal
        quiet = np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x)
    return quiet.view(f"u{x.dtype.itemsize}")


def assert_close(got: Any, expected: Any, ulps: float = 16) -> None:
    """Trees of arrays agree up to rounding, relative to each array's largest element."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        tolerance = ulps * float(jnp.finfo(b.dtype).eps)
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        scale = max(1.0, np.max(np.abs(b), initial=0, where=np.isfinite(b)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)
