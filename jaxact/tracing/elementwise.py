"""Which steps are elementwise, and what they make of a row of points."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._jax import Jaxpr, JaxprEqn, cond_p, custom_jvp_call_p, jit_p

_same = lambda x: x

# What the primitives of JAX are on numbers of float64, whatever their format in the program.
_NUMPY: dict[str, Any] = {
    **{
        name: getattr(np, name)
        for name in "abs ceil cos cosh exp exp2 expm1 floor log log1p".split()
    },
    **{name: getattr(np, name) for name in "sign sin sinh sqrt square tan tanh cbrt".split()},
    **{"acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh},
    **{"atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "neg": np.negative},
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power},
    **{"max": np.maximum, "min": np.minimum, "rem": np.fmod, "add_any": np.add},
    **{"eq": np.equal, "ne": np.not_equal, "ge": np.greater_equal, "gt": np.greater},
    **{"le": np.less_equal, "lt": np.less, "is_finite": np.isfinite, "round": np.round},
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "integer_pow": lambda x, y: np.power(x, float(y)),
    "clamp": lambda low, x, high: np.clip(x, low, high),
    "select_n": lambda which, *cases: np.choose(np.asarray(which, int), cases),
    **dict.fromkeys(
        "broadcast_in_dim copy copy_p reshape squeeze expand_dims "
        "reduce_precision sharding_constraint mesh_cast pvary pcast".split(),
        _same,
    ),
}
_BITWISE = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}
_BITWISE["not"] = np.logical_not
_OTHERS = frozenset(
    "and bitcast_convert_type convert_element_type digamma erf_inv lgamma log2 nextafter not "
    "one_minus_square optimization_barrier or platform_index polynomial shift_left "
    "shift_right_arithmetic shift_right_logical stop_gradient xor".split()
)
_SHAPING = frozenset("reshape squeeze expand_dims sharding_constraint mesh_cast".split())
_ELEMENTWISE = (frozenset(_NUMPY) | _OTHERS) - _SHAPING

PASSING = _SHAPING | frozenset(
    "broadcast_in_dim convert_element_type copy copy_p optimization_barrier pcast pvary "
    "reduce_precision".split()
)


def called(equation: JaxprEqn) -> Jaxpr | None:
    """What is called, if it is a jitted function or one with a rule for its derivative."""
    if equation.primitive is jit_p:
        return equation.params["jaxpr"].jaxpr
    if equation.primitive is custom_jvp_call_p:
        return equation.params["call_jaxpr"].jaxpr
    return None


def is_elementwise(equation: JaxprEqn) -> bool:
    """Whether every element of the results comes from the elements in its place."""
    if equation.primitive is cond_p:
        return all(all_elementwise(branch.jaxpr) for branch in equation.params["branches"])
    inside = called(equation)
    if inside is not None:
        return all_elementwise(inside)
    return equation.primitive.name in _ELEMENTWISE


def all_elementwise(jaxpr: Jaxpr) -> bool:
    """The same of all that is called."""
    return all(map(is_elementwise, jaxpr.eqns))


def on_points(equation: JaxprEqn, values: list[Any]) -> list[Any]:
    """The results of an elementwise equation of whatever shape for rows of points."""
    inside = called(equation)
    if equation.primitive is cond_p:  # of platforms: all compute the same
        branch = equation.params["branches"][-1]
        return _jaxpr_on_points(branch.jaxpr, branch.consts, values[1:])
    if inside is not None:
        closed = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        return _jaxpr_on_points(inside, getattr(closed, "consts", ()), values)
    name = equation.primitive.name
    if name == "broadcast_in_dim":
        return values[:1]
    if name in ("stop_gradient", "optimization_barrier"):
        return values
    if name == "convert_element_type":
        kind = np.dtype(equation.params["new_dtype"])
        is_float = jnp.issubdtype(kind, jnp.floating)
        return [np.asarray(values[0], np.float64 if is_float else kind)]
    function = _NUMPY.get(name)
    if function is None and name in _BITWISE and all(v.dtype == bool for v in values):
        function = _BITWISE[name]
    if function is None:
        return _bound(equation, values)
    own = {"y": equation.params["y"]} if name == "integer_pow" else {}
    with np.errstate(all="ignore"):
        return [np.asarray(function(*values, **own))]


def _bound(equation: JaxprEqn, values: list[Any]) -> list[Any]:
    """The same by JAX itself, where numpy has no such function."""
    shape = np.broadcast_shapes(*(np.shape(value) for value in values))
    parameters = {k: None if k == "sharding" else v for k, v in equation.params.items()}
    avals: list[Any] = [v.aval for v in equation.invars]
    with jax.ensure_compile_time_eval(), jax.numpy_dtype_promotion("standard"):
        pairs = zip(values, avals, strict=True)
        whole = [jnp.broadcast_to(jnp.asarray(v, aval.dtype), shape) for v, aval in pairs]
        result = equation.primitive.bind(*whole, **parameters)
    results = list(result) if equation.primitive.multiple_results else [result]
    floats = lambda r: jnp.issubdtype(r.dtype, jnp.floating)
    return [np.asarray(r, np.float64 if floats(r) else r.dtype) for r in results]


def _jaxpr_on_points(jaxpr: Jaxpr, constants: Any, values: list[Any]) -> list[Any]:
    known = dict(zip(jaxpr.constvars, map(number, constants), strict=False))
    known.update(zip(jaxpr.invars, values, strict=True))
    read = lambda v: number(v.val) if hasattr(v, "val") else known[v]
    for equation in jaxpr.eqns:
        results = on_points(equation, [read(v) for v in equation.invars])
        known.update(zip(equation.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def number(value: Any) -> np.ndarray:
    """A constant as numpy has it; floats as float64, and an array of one number as that number."""
    array = np.asarray(value)
    if array.ndim and array.size and (array == array.flat[0]).all():
        array = array.ravel()[0]
    return np.asarray(array, np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def derivative_on_points(function: Any, shape: Any, others: list[Any], rows: list[Any]) -> Any:
    """Value and derivative of an elementwise function of an array and others, at rows of points.

    The derivative is that of the rules in the function, traced at the array's own shape.

    Args:
        function: `function(x, *others)`.
        shape: of x, with its dtype.
        others: shapes of the others, with their dtypes.
        rows: the points, and a number or a row for each of the others.
    """
    both = lambda x, t, *others: jax.jvp(lambda x: function(x, *others), (x,), (t,))
    closed = jax.make_jaxpr(both)(shape, shape, *others)
    points, *rest = rows
    return _jaxpr_on_points(closed.jaxpr, closed.consts, [points, np.ones_like(points), *rest])
