"""From closed forms to functions that differentiate: one saved array, every transformation alive.

A `Kernel` is a real function of `x` and its parameters that knows its derivatives as kernels of
their own. Calling it gives an ordinary JAX function with a `custom_jvp` rule; the tangent is
`slope(x) * t`, made by one primitive, `jaxact_scale_tangent`, that is linear in `t` and that
autodiff does not look into. So reverse mode keeps what the slope is computed from, in its own
dtype, and nothing else, and any order of differentiation stays within kernels and that primitive.

Without primitives (see `_mechanism`) `jax.checkpoint` takes its place.
"""

import functools
import inspect
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ._arguments import as_array, broadcast, is_number, number, real
from ._arithmetic import CpuOps, PlainOps, SmoothOps, XlaOps
from ._jax import (
    SymbolicZero,
    Zero,
    is_undefined_primal,
    primitive,
    product_aval,
    varying_alike,
    zero_tangent,
)
from ._mechanism import HAS_PRIMITIVES
from ._opaque_call import linear_call, opaque_call
from ._plain import custom_jvp, is_plain
from ._trace_names import jitted, trace_name

# An array with so many axes holds images: there XLA for CPUs computes what a convolution is given
# again, from what a norm keeps, unless backward reads it.
IMAGE = 4

Numbers = tuple[float | None, ...]  # a parameter known at trace time, or None where an array is


class FromOutput(NamedTuple):
    """A slope that the output determines.

    Attributes:
        slope: `slope(ops, y, *parameters)`.
        exact: whether nothing is lost in it, so that the output is kept by default.
        holds: `holds(*parameters)` tells for which Python numbers the slope is a function of y.
    """

    slope: Callable[..., Array]
    exact: bool = False
    holds: Callable[..., bool] = lambda *parameters: all(p > 0 for p in parameters)


class FromMask(NamedTuple):
    """A slope that takes a few values: which of them is kept, a byte per element.

    Attributes:
        mask: `mask(ops, x, *parameters)`, boolean or a small integer.
        slope: `slope(ops, mask, *parameters)`.
        from_output: `from_output(ops, y, *parameters)`, the same mask where the output determines
            the slope exactly.
    """

    mask: Callable[..., Array]
    slope: Callable[..., Array]
    from_output: Callable[..., Array] | None = None


class Kernel:
    """A function of x and parameters with derivatives in closed form.

    Args:
        value: `value(ops, x, *parameters)`, in the dtype that it is given, with the building blocks
            of `ops`; parameters are Python numbers, or arrays that broadcast against x.
        output: how the slope follows from the output, if it does.
        mask: how the slope follows from one bit, if it does.
        exact: whether `value` rounds nothing, or a function of the parameters, if they are
            numbers, that tells: then 16-bit inputs are not widened.
        integers: whether integers are left as they are, if the parameters are whole numbers too.
        double_float_value: `double_float_value(ops, x, *parameters)`, the value as (hi, lo): hi is
            a float32, lo is what it leaves out, small beside hi or 0; the sign of lo decides
            16-bit ties. lo is None where there are none to decide.
        smooth: `smooth(ops, x, *parameters)`, another form of the value, for autodiff: where the
            value chooses between forms, or cancels, or stands on a polynomial of its own. It may
            use what only `SmoothOps` has.
        name: what errors and compiled programs call it; by default the name of `value`.
        by_parameters: `by_parameters(ops, x, parameters, tangents)`, the derivative along tangents
            of all parameters, for a function of many: then what their derivatives share is
            computed once. It is linear in the tangents, and autodiff is good enough for the rest.
        partials: the derivative by each argument, under the argument's name: a `Kernel`, or a
            function for whose own derivatives autodiff is good enough. What is not given here
            autodiff supplies.
    """

    def __init__(
        self,
        value: Callable[..., Array],
        /,
        *,
        output: FromOutput | None = None,
        mask: FromMask | None = None,
        exact: bool | Callable[..., bool] = False,
        integers: bool = False,
        double_float_value: Callable[..., tuple[Array, Array | None]] | None = None,
        smooth: Callable[..., Array] | None = None,
        name: str | None = None,
        by_parameters: Callable[..., Array] | None = None,
        **partials: "Kernel | Callable[..., Array]",
    ):
        self.value, self.integers = value, integers
        self._exact, self._double_float_value = exact, double_float_value
        self.output, self.mask = output, mask
        self.by_parameters = by_parameters
        self.name = name or value.__name__.strip("_")
        self.arguments = tuple(inspect.signature(value).parameters)[1:]
        self.of_output = False  # whether it is a slope, as a function of the output
        self._partials = {name: _as_kernel(partial) for name, partial in partials.items()}
        self.smooth = value
        if smooth:
            self._define(smooth)

    def _define(self, smooth: Callable[..., Array]) -> None:
        """Lets autodiff start from another form of the value, here and in all derivatives."""
        self.smooth = smooth
        for index, name in enumerate(self.arguments):
            partial = self._partials.get(name)
            if partial and partial.smooth is partial.value:
                partial._define(_differentiated(smooth, index))

    def __call__(self, x: ArrayLike, *parameters: ArrayLike) -> Array:
        """The function on arrays and numbers: promotes, broadcasts, and keeps the dtype of x."""
        # What is done here is done again at every eager call: the rest is left to the trace.
        if not isinstance(x, Array):
            x = as_array(x, self.name, self.arguments[0])
        for parameter in parameters:
            if type(parameter) is not float:
                given = list(zip(parameters, self.arguments[1:], strict=True))
                numbers = tuple([number(p, self.name, called) for p, called in given])
                arrays = [as_array(p, self.name, c) for p, c in given if not is_number(p)]
                return self._compiled((numbers, _residual_policy.get()), x, *arrays)
        return self._compiled((parameters, _residual_policy.get()), x)

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"

    def partial(self, index: int) -> "Kernel":
        """The derivative by argument `index`."""
        name = self.arguments[index]
        if name not in self._partials:
            self._partials[name] = Kernel(_differentiated(self.smooth, index))
        return self._partials[name]

    def function(self, config: "CallConfig", x: Array, *arrays: Array) -> Array:
        """The function with its derivative rule, on arrays of one rank."""
        return (self._with_parameters if arrays else self._of_x)(config, x, *arrays)

    @functools.cached_property
    def _of_x(self) -> Callable[..., Array]:
        return self._with_rule(symbolic_zeros=False)  # Pallas for TPUs takes no symbolic zeros

    @functools.cached_property
    def _with_parameters(self) -> Callable[..., Array]:
        return self._with_rule(symbolic_zeros=True)  # not all of them are differentiated

    def _with_rule(self, *, symbolic_zeros: bool) -> Callable[..., Array]:
        def evaluate(config, x, *arrays):
            return _evaluate(self, config, x, *arrays)

        evaluate.__name__ = trace_name(self.name)
        function = custom_jvp(evaluate, nondiff_argnums=(0,))
        function.defjvp(functools.partial(_jvp, self), symbolic_zeros=symbolic_zeros)
        return function

    @functools.cached_property
    def _compiled(self) -> Callable[..., Array]:
        # One jitted function per kernel: eager calls are fast, traces are shared, and eager, jit
        # and vmap fuse the same multiplications and additions, so they agree to the last bit.
        def call(config, x, *arrays):
            numbers, keep = config = CallConfig(*config)
            if keep == "output":
                self._require_output(numbers)
            keep_integers = self.integers and all(n is not None and n.is_integer() for n in numbers)
            x = real(x, self.name, self.arguments[0], keep_integers=keep_integers)
            names = [a for a, n in zip(self.arguments[1:], numbers, strict=True) if n is None]
            given = {n: real(a, self.name, n) for n, a in zip(names, arrays, strict=True)}
            x, aligned = broadcast(self.name, x, given, called=self.arguments[0])
            return self.function(config, x, *aligned)

        return jitted(0, name=self.name)(call)

    def is_exact(self, numbers: Numbers) -> bool:
        """Whether the value rounds nothing for these parameters."""
        if callable(self._exact):
            return None not in numbers and self._exact(*numbers)
        return self._exact

    def wide(self, ops, dtype, x: Array, *parameters: Array | float) -> Array:
        """The value in the dtype of `x`, for a result that is rounded to `dtype`."""
        if self._double_float_value is None or jnp.finfo(dtype).bits > 16:
            return self.value(ops, x, *parameters)
        high, low = self._double_float_value(ops, x, *parameters)
        return high if low is None else ops.with_sticky_bit(high, low, dtype)

    def residual(self, config: "CallConfig", x: Array, y: Array, arrays) -> tuple[Array, "Kernel"]:
        """What the slope by x is computed from, and the kernel that computes it."""
        kept = self._least(config.numbers) if config.keep == "default" else config.keep
        if kept == "output" and self.output:
            return y, self._from("output", self.output.slope)
        if kept == "mask" and self.mask:
            return self._code(config.numbers, x, y, arrays), self._from("mask", self.mask.slope)
        return x, self.partial(0)

    def _code(self, numbers: Numbers, x: Array, y: Array, arrays) -> Array:
        """Which of a few values the slope has.

        From the output, if it tells: the next layer keeps that, so a compiled step compares again
        and keeps nothing for it, but in a loop. It is not widened, or XLA would begin with x.
        """
        assert self.mask is not None
        mask, from_output = self.mask.mask, self.mask.from_output

        def of_input(x: Array, _: Array) -> Array:
            wide = [a.astype(compute_dtype(x, *arrays)) for a in (x, *arrays)]
            return mask(XlaOps, wide[0], *_merge(numbers, wide[1:]))

        def of_output(_: Array, y: Array) -> Array:
            assert from_output is not None
            return from_output(XlaOps, y, *numbers)

        if from_output is None or not self._is_told(numbers):
            return of_input(x, y)
        if x.ndim < IMAGE:
            return of_output(x, y)
        return lax.platform_dependent(x, y, cpu=of_input, default=of_output)

    def _from(self, what: str, slope: Callable[..., Array]) -> "Kernel":
        """The slope as a kernel of what is kept, made once."""
        made = self._partials.setdefault(f"slope from {what}", Kernel(slope))
        made.of_output = what == "output"
        return made

    def _least(self, numbers: Numbers) -> str:
        if self.mask:
            return "mask"
        return "output" if self._is_told(numbers) else "input"

    def _is_told(self, numbers: Numbers) -> bool:
        """Whether the output tells the slope, and nothing is lost in it."""
        return bool(self.output and self.output.exact and self._follows_from_output(numbers))

    def _follows_from_output(self, numbers: Numbers) -> bool:
        return self.output is not None and None not in numbers and self.output.holds(*numbers)

    def _require_output(self, numbers: Numbers) -> None:
        if self.output is None:
            raise ValueError(
                f"the slope of jaxact.{self.name} is not a function of its output: call it as it "
                "is, which keeps one array at most, or let jaxact.backward.few_bit keep two bits"
            )
        if not self._follows_from_output(numbers):
            given = dict(zip(self.arguments[1:], numbers, strict=True))
            raise ValueError(
                f"the slope of jaxact.{self.name} is a function of its output for some parameters "
                f"only, not for {given} (None: an array): pass positive Python numbers that every "
                "dtype holds exactly, or call it as it is, which keeps one array at most"
            )


def named(*arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a function of `(ops, *arguments)` the names that a `Kernel` calls its arguments by."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        parameters = [inspect.Parameter(a, inspect.Parameter.POSITIONAL_ONLY) for a in arguments]
        ops = inspect.Parameter("ops", inspect.Parameter.POSITIONAL_ONLY)
        function.__signature__ = inspect.Signature([ops, *parameters])  # type: ignore[attr-defined]
        return function

    return decorate


class CallConfig(NamedTuple):
    """What a call is compiled for, besides shapes and dtypes."""

    numbers: Numbers
    keep: str = "default"


_residual_policy: ContextVar[str] = ContextVar("residual_policy", default="default")


@contextmanager
def residual_policy(what: str):
    """Within it, kernels are called so that reverse mode keeps `what`: "input" or "output"."""
    token = _residual_policy.set(what)
    try:
        yield
    finally:
        _residual_policy.reset(token)


def itself(ops, y: Array) -> Array:
    """A slope that is the output, or what else it is computed from."""
    return y


def _as_kernel(derivative: Kernel | Callable[..., Array]) -> Kernel:
    return derivative if isinstance(derivative, Kernel) else Kernel(derivative)


def _differentiated(value: Callable[..., Array], index: int) -> Callable[..., Array]:
    """The derivative of `value` by argument `index`, by autodiff of the smooth arithmetic."""

    @functools.wraps(value)
    def derivative(ops, *arguments):
        def along(argument):
            return value(SmoothOps, *arguments[:index], argument, *arguments[index + 1 :])

        argument = arguments[index]
        return jax.jvp(along, (argument,), (jnp.ones_like(argument),))[1]

    return derivative


def _merge(numbers: Numbers, arrays) -> list:
    """The parameters in order: numbers where they are known, else the next array."""
    rest = iter(arrays)
    return [next(rest) if number is None else number for number in numbers]


def compute_dtype(*arrays: Array):
    """Where a kernel computes: float32, or float64 if any of the arrays has it."""
    return jnp.dtype(jnp.float64 if any(a.dtype == jnp.float64 for a in arrays) else jnp.float32)


# --- The value ---------------------------------------------------------------------------------


def _evaluate(kernel: Kernel, config: CallConfig, x: Array, *arrays: Array) -> Array:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        info = jnp.iinfo(x.dtype)
        bounds = [int(min(max(number or 0, info.min), info.max)) for number in config.numbers]
        return kernel.value(XlaOps, x, *bounds)
    dtype = compute_dtype(x, *arrays)
    if is_plain():
        wide = [a if a.dtype == dtype else a.astype(dtype) for a in (x, *arrays)]
        y = kernel.value(PlainOps, wide[0], *_merge(config.numbers, wide[1:]))
        return y if y.dtype == x.dtype else y.astype(x.dtype)
    exact = kernel.is_exact(config.numbers)
    if exact and x.dtype != jnp.bfloat16:
        return kernel.value(XlaOps, x, *config.numbers)

    def compute(ops, x, *arrays):
        if exact and ops is XlaOps:
            return kernel.value(ops, x, *config.numbers)
        wide = [ops.widen(a, dtype) if a.dtype != dtype else a for a in (x, *arrays)]
        n = ops.for_results(x.dtype)
        y = kernel.wide(n, x.dtype, wide[0], *_merge(config.numbers, wide[1:]))
        y = ops.narrow(y, x.dtype) if y.dtype != x.dtype else y
        # A value that ends in a select is not taken apart by XLA for CPUs: its sum over a window
        # would begin with the last steps of the function, and keep what those need.
        return jnp.where(x != x, x, y) if ops is CpuOps else y

    return on_platform(compute, x, *arrays)


def on_platform(compute: Callable[..., Any], *arrays: Array) -> Any:
    """compute(ops, *arrays), where `ops` is the arithmetic of the platform compiled for."""
    if is_plain():
        return compute(PlainOps, *arrays)
    if jax.typeof(arrays[0]).weak_type or compute_dtype(*arrays) == jnp.float64:
        # Working on bits would lose the weak type. As a primitive, for what ignores the derivative
        # rule around it would differentiate this arithmetic, which has others: Taylor mode does.
        return opaque_call(_by_xla, (compute,), *arrays)
    if not HAS_PRIMITIVES:
        return compute(XlaOps, *arrays)  # JAX may differentiate it, see `_opaque_call`
    return lax.platform_dependent(
        *arrays,
        cpu=functools.partial(compute, CpuOps),
        default=functools.partial(compute, XlaOps),
    )


def _by_xla(compute: Callable[..., Any], *arrays: Array) -> Any:
    return compute(XlaOps, *arrays)


# --- The tangent -------------------------------------------------------------------------------


def _jvp(kernel: Kernel, config: CallConfig, primals, tangents):
    x, *arrays = primals
    y = opaque_call(_function, (kernel, config), x, *arrays)
    live = [not isinstance(t, SymbolicZero) for t in tangents]
    total = None
    if kernel.by_parameters and any(live[1:]):
        given = [
            jnp.zeros_like(a) if isinstance(t, SymbolicZero) else t
            for a, t in zip(arrays, tangents[1:], strict=True)
        ]
        static = (kernel, config.numbers, y.dtype)
        total = linear_call(_by_parameters, static, x, *arrays, *given)
        tangents = tangents[:1]
    for index, t in zip(_array_arguments(config.numbers)[: len(tangents)], tangents, strict=True):
        if isinstance(t, SymbolicZero):
            continue
        if index == 0 and not any(live[1:]):
            residual, slope = kernel.residual(config, x, y, arrays)
        else:  # the derivative by a parameter needs x in any case
            residual, slope = x, kernel.partial(index)
        term = scale_tangent(slope, config.numbers, (residual, *arrays), (), t, y.dtype)
        total = term if total is None else total + term
    return y, jnp.zeros_like(y) if total is None else total


def _by_parameters(kernel: Kernel, numbers: Numbers, dtype, *operands: Array) -> Array:
    """The derivative along tangents, the last operands, of the parameters that are arrays."""
    varying = numbers.count(None)
    compute = compute_dtype(*operands[: varying + 1])
    x, *rest = (a.astype(compute) for a in operands)
    parameters, along = _merge(numbers, rest[:varying]), iter(rest[varying:])
    every = [next(along) if number is None else 0.0 for number in numbers]
    assert kernel.by_parameters is not None
    return kernel.by_parameters(XlaOps, x, parameters, every).astype(dtype)


def _function(kernel: Kernel, config: CallConfig, x: Array, *arrays: Array) -> Array:
    return kernel.function(config, x, *arrays)


def _array_arguments(numbers: Numbers) -> list[int]:
    """Positions, among a kernel's arguments, of x and of the parameters that are arrays."""
    return [0, *(i for i, number in enumerate(numbers, 1) if number is None)]


def scale_tangent(kernel: Kernel, numbers: Numbers, residuals, factors, t: Array, dtype) -> Array:
    """kernel(*residuals) * product(factors) * t, rounded once to `dtype`.

    Linear in t (and in each factor); reverse mode keeps `residuals` and `factors` as they are.
    All arrays broadcast: they have the rank of the result, or are scalars.
    """
    operands = varying_alike(*residuals, *factors, t)
    return _scale_tangent(
        *operands, kernel=kernel, numbers=numbers, residuals=len(residuals), dtype=jnp.dtype(dtype)
    )


def _product(
    ops, *operands: Array, kernel: Kernel, numbers: Numbers, residuals: int, dtype
) -> Array:
    compute = compute_dtype(*operands)
    wide = [a if a.dtype == compute or _is_code(a) else ops.widen(a, compute) for a in operands]
    arguments, multipliers = wide[:residuals], wide[residuals:]
    product = kernel.wide(
        ops.for_results(dtype), dtype, arguments[0], *_merge(numbers, arguments[1:])
    )
    for multiplier in multipliers:
        product = product * multiplier
    return product if product.dtype == dtype else ops.narrow(product, dtype)


def _is_code(a: Array) -> bool:
    """Whether a residual is a mask rather than numbers."""
    return not jnp.issubdtype(a.dtype, jnp.floating)


# --- Mechanism 1: a primitive ------------------------------------------------------------------


def _compiled(ops, guard: Callable[..., Any] = lambda operands, **_: operands):
    """The product on one platform; `guard` keeps XLA from computing the slope beside the value."""

    def compute(*operands, **parameters):
        return _product(ops, *guard(operands, **parameters), **parameters)

    return compute


def _opaque(operands, *, kernel: Kernel, **_):
    """For GPUs: what the slope is computed from, times a 1 that XLA does not see.

    So the slope shares nothing with the value, yet XLA may compute x again from what it keeps
    anyway, as it may not behind a barrier. An output that is kept XLA is to keep, and nothing else;
    a mask it may compare again.
    """
    residual, *others = operands
    if _is_code(residual):
        return operands
    if kernel.of_output:
        return lax.optimization_barrier(residual), *others
    compute = compute_dtype(*operands)
    one = lax.optimization_barrier(jnp.ones((), compute))
    return residual.astype(compute) * one, *others


def _abstract(*operands, dtype, **_):
    shape = lax.broadcast_shapes(*(a.shape for a in operands))
    weak = all(a.weak_type for a in operands if not _is_code(a))
    full = [
        a.update(shape=shape, dtype=dtype, weak_type=weak) for a in operands if a.ndim == len(shape)
    ]
    return product_aval(*full)


def _scale_tangent_jvp(
    primals, tangents, *, kernel: Kernel, numbers: Numbers, residuals: int, dtype
):
    def derivative(position: int, tangent: Array) -> Array:
        others = [a for i, a in enumerate(primals) if i != position or i < residuals]
        if kernel.value is itself:  # a product of equals, whose derivatives end without a zero
            *factors, residual = others[len(others) - len(primals) + 1 :]
            return scale_tangent(kernel, numbers, [residual], factors, tangent, dtype)
        if position < residuals:
            slope = kernel.partial(_array_arguments(numbers)[position])
        else:
            slope = kernel
        return scale_tangent(slope, numbers, others[:residuals], others[residuals:], tangent, dtype)

    out = scale_tangent_p.bind(
        *primals, kernel=kernel, numbers=numbers, residuals=residuals, dtype=dtype
    )
    terms = [derivative(i, t) for i, t in enumerate(tangents) if type(t) is not Zero]
    return out, functools.reduce(jnp.add, terms) if terms else zero_tangent(out)


def _scale_tangent_transpose(
    ct, *operands, kernel: Kernel, numbers: Numbers, residuals: int, dtype
):
    (position,) = (i for i, a in enumerate(operands) if is_undefined_primal(a))
    unknown = operands[position].aval
    result: list = [None] * len(operands)
    if type(ct) is Zero:
        result[position] = Zero(unknown)
        return result
    others = [a for i, a in enumerate(operands) if i != position]
    summed = unknown.shape != ct.shape
    wide = compute_dtype(unknown) if summed else unknown.dtype
    back = scale_tangent(kernel, numbers, others[:residuals], others[residuals:], ct, wide)
    if summed:
        back = _sum_to(back, unknown.shape).astype(unknown.dtype)
    result[position] = sharded_alike(back, unknown.sharding)
    return result


def _sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Undoes a broadcast from `shape`."""
    if not shape:
        return jnp.sum(x)
    axes = tuple(
        i for i, (size, target) in enumerate(zip(x.shape, shape, strict=True)) if size != target
    )
    return jnp.sum(x, axes, keepdims=True)


def sharded_alike(x: Array, sharding) -> Array:
    """Under explicit sharding, a cotangent has the sharding of what it belongs to."""
    explicit = not sharding.mesh.empty and sharding.mesh.are_all_axes_explicit
    return jax.sharding.reshard(x, sharding) if explicit else x


def _scale_tangent_batch(operands, dims, **parameters):
    rank = max(a.ndim - (d is not None) for a, d in zip(operands, dims, strict=True))

    def aligned(a, d):
        if d is None:  # never copied along the new axis: it broadcasts
            return jnp.expand_dims(a, 0) if a.ndim else a
        a = jnp.moveaxis(a, d, 0)
        return jnp.expand_dims(a, tuple(range(1, rank + 1))) if a.ndim == 1 else a

    moved = [aligned(a, d) for a, d in zip(operands, dims, strict=True)]
    return scale_tangent_p.bind(*moved, **parameters), 0


scale_tangent_p = primitive(
    "jaxact_scale_tangent",
    run=_compiled(XlaOps, _opaque),
    platforms={"cpu": _compiled(CpuOps), "tpu": _compiled(XlaOps)},
    static=("kernel", "numbers", "residuals", "dtype"),
    aval=_abstract,
    jvp=_scale_tangent_jvp,
    transpose=_scale_tangent_transpose,
    batch=_scale_tangent_batch,
)


# --- Mechanism 2: jax.checkpoint ---------------------------------------------------------------


def _portable_product(
    kernel: Kernel, numbers: Numbers, residuals: int, dtype, *operands: Array
) -> Array:
    compute = compute_dtype(*operands)
    arguments, multipliers = operands[:residuals], operands[residuals:]
    x, *arrays = (a if _is_code(a) else a.astype(compute) for a in arguments)
    if _is_code(x):
        product = kernel.value(XlaOps, x, *_merge(numbers, arrays))
    else:
        product = kernel.function(CallConfig(numbers, "input"), x, *arrays)
    for multiplier in multipliers:
        product = product * multiplier.astype(compute)
    return product.astype(dtype)


def _scale_tangent_by_checkpoint(*operands: Array, kernel, numbers, residuals, dtype) -> Array:
    return linear_call(_portable_product, (kernel, numbers, residuals, dtype), *operands)


_scale_tangent = scale_tangent_p.bind if HAS_PRIMITIVES else _scale_tangent_by_checkpoint
