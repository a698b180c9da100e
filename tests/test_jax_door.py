"""The door to JAX's inside: nothing goes round it, and what it leads to is what we take it for.

This file needs jax and pytest and no more, and runs on every release that is supported:
`python -m tests.on_jax VERSION ...` runs it on others than the installed one.
"""

import ast
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType

from jaxact import _jax

ROOT = Path(__file__).parents[1]
DOOR = Path(_jax.__file__)
INSIDE = re.compile(r"jax\.(core|custom_derivatives|extend|interpreters|_src)\b")
OF_TUPLES = {"_asdict", "_fields", "_make", "_replace"}  # public: the underscore keeps names free


def sources(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def parsed(path):
    return ast.parse(path.read_text(), str(path))


def named_modules(tree):
    """Every module that a file imports or spells out, as `jax.lax`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


# --- The walk ------------------------------------------------------------------------------------


def test_nothing_goes_round_the_door():
    files = sources("jaxact", "benchmarks", "examples", "docs", "tests")
    assert DOOR in files
    round_it = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        if path != DOOR
        for name in named_modules(parsed(path))
        if INSIDE.match(name)
    }
    assert not round_it


def private(tree):
    """Attributes with an underscore that a file reads from something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
            yield node.attr


def own_names(tree):
    """The names that a file defines: functions, classes, variables, attributes, parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def test_private_attributes_are_our_own():
    trees = {path: parsed(path) for path in sources("jaxact", "benchmarks", "examples")}
    ours = {name for tree in trees.values() for name in own_names(tree)} | OF_TUPLES
    ours |= {path.stem for path in trees}
    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in trees.items()
        for name in private(tree)
        if name not in ours
    }
    assert not foreign


def imported(tree):
    """The names that a file imports from JAX, with their lines."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and INSIDE.match(f"{node.module}."):
            yield from ((alias.asname or alias.name, alias.lineno) for alias in node.names)


def test_the_door_says_why_it_needs_each():
    lines = DOOR.read_text().splitlines()
    names = dict(imported(parsed(DOOR)))
    assert names
    assert not {name for name, line in names.items() if not re.search(r"  # \w+", lines[line - 1])}


def test_the_door_has_nothing_that_nobody_needs():
    tree = parsed(DOOR)
    offered = {name for name, _ in imported(tree)} | {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    taken = {
        alias.name
        for path in sources("jaxact", "tests")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("_jax")
        for alias in node.names
    }
    within = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert offered <= taken | within


# --- What it leads to ----------------------------------------------------------------------------


def bilinear(name, run, **rest):
    """A primitive that is linear in both of its operands."""

    def jvp(primals, tangents):
        (t, x), (dt, dx) = primals, tangents
        terms = [ours.bind(dt, x)] if type(dt) is not _jax.Zero else []
        terms += [ours.bind(t, dx)] if type(dx) is not _jax.Zero else []
        return ours.bind(t, x), sum(terms) if terms else _jax.zero_tangent(x)

    def transpose(ct, *operands):
        known = next(a for a in operands if not _jax.is_undefined_primal(a))
        back = ours.bind(*_jax.varying_alike(ct, known))
        return [back if _jax.is_undefined_primal(a) else None for a in operands]

    def batch(operands, axes):
        moved = [
            jnp.expand_dims(a, 0) if axis is None else jnp.moveaxis(a, axis, 0)
            for a, axis in zip(operands, axes, strict=True)
        ]
        return ours.bind(*jnp.broadcast_arrays(*moved)), 0

    rules = {"jvp": jvp, "transpose": transpose, "batch": batch}
    ours = _jax.primitive(name, run=run, static=(), **rules, **rest)
    return ours


OURS = bilinear("ours", lambda t, x: 3 * t * x)
SPLIT = bilinear("split", lambda t, half: 6 * t * half, aval=_jax.product_aval)
_jax.split_linear(OURS, lambda x: (SPLIT, [x / 2], {}))


@jax.custom_jvp
def FUNCTION(x):
    return 1.5 * x**2


FUNCTION.defjvp(lambda primals, tangents: (FUNCTION(*primals), OURS.bind(*tangents, *primals)))
X = np.array([1.0, 2.0, -0.5], np.float32)


@pytest.mark.parametrize("wrapped", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_primitive_is_run_differentiated_transposed_and_mapped(wrapped):
    bound = wrapped(lambda t, x: OURS.bind(t, x))
    np.testing.assert_array_equal(bound(jnp.ones(3), X), 3 * X)
    slope = wrapped(lambda x: jax.vjp(FUNCTION, x)[1](jnp.ones_like(x))[0])
    np.testing.assert_array_equal(slope(X), 3 * X)
    np.testing.assert_array_equal(wrapped(jax.vmap(jax.grad(FUNCTION)))(X), 3 * X)
    np.testing.assert_array_equal(wrapped(jax.vmap(jax.grad(jax.grad(FUNCTION))))(X), 3 + 0 * X)


def test_a_primitive_is_evaluated_without_jit():
    with jax.disable_jit():
        np.testing.assert_array_equal(OURS.bind(jnp.ones(3), X), 3 * X)


def test_a_primitive_has_its_own_program_on_a_platform():
    ours = _jax.primitive(
        "by_platform",
        run=lambda x: x + 1,
        platforms={"cpu": lambda x: x + 2},
        **dict.fromkeys(("jvp", "transpose", "batch")),
        static=(),
    )
    for platform, expected in {"cpu": "2.0", "cuda": "1.0"}.items():
        lowered = jax.jit(ours.bind).trace(X[0]).lower(lowering_platforms=(platform,))
        assert f"dense<{expected}" in lowered.as_text()
    if jax.default_backend() == "cpu":
        assert ours.bind(1.0) == jax.jit(ours.bind)(1.0) == 3


def test_the_linear_part_keeps_what_the_split_says():
    _, back = jax.vjp(FUNCTION, X)
    kept = [leaf for leaf in jax.tree.leaves(back) if jnp.shape(leaf) == X.shape]
    assert any(np.array_equal(leaf, X / 2) for leaf in kept)


def test_operands_vary_alike_under_shard_map():
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(AxisType.Auto,))
    rows = jax.P("batch")
    slope = jax.grad(lambda x: FUNCTION(x).sum())
    function = jax.shard_map(slope, mesh=mesh, in_specs=rows, out_specs=rows, check_vma=True)
    np.testing.assert_array_equal(function(X), 3 * X)


def test_a_symbolic_zero_marks_what_does_not_vary():
    seen = []

    @jax.custom_jvp
    def function(x, y):
        return x * y

    @lambda rule: function.defjvp(rule, symbolic_zeros=True)
    def rule(primals, tangents):
        seen.extend(isinstance(t, _jax.SymbolicZero) for t in tangents)
        return function(*primals), tangents[0] * primals[1]

    assert jax.grad(function)(2.0, 3.0) == 3
    assert seen == [False, True]


def test_a_tracer_is_told_from_an_array():
    seen = []
    jax.jit(seen.append)(1.0)
    assert isinstance(*seen, _jax.Tracer)
    assert not isinstance(jnp.ones(3), _jax.Tracer)


FUNCTION_OF = {  # what reports enter, and the parameters by which they do
    _jax.jit_p: (jax.jit(jnp.sin), ("jaxpr", "name")),
    _jax.custom_jvp_call_p: (FUNCTION, ("call_jaxpr",)),
    _jax.remat_p: (jax.checkpoint(jnp.sin), ("jaxpr", "prevent_cse", "policy")),
    _jax.cond_p: (lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x), ("branches",)),
    _jax.scan_p: (
        lambda x: lax.scan(lambda c, _: (jnp.sin(c), None), x, None, 3)[0],
        ("jaxpr", "length", "reverse", "unroll"),
    ),
    _jax.while_p: (
        lambda x: lax.while_loop(lambda c: c < 1, jnp.exp, x),
        ("body_jaxpr", "body_nconsts", "cond_jaxpr", "cond_nconsts"),
    ),
}


@pytest.mark.parametrize("primitive", FUNCTION_OF, ids=str)
def test_a_step_has_the_parameters_that_reports_read(primitive):
    function, parameters = FUNCTION_OF[primitive]
    *_, equation = jax.make_jaxpr(function)(0.5).eqns
    assert isinstance(equation, _jax.JaxprEqn)
    assert equation.primitive is primitive
    assert set(parameters) <= set(equation.params)
    assert _jax.jaxprs_in_params(equation.params)


def test_a_trace_tells_names_scopes_numbers_and_runs_step_by_step():
    def doubled(x):
        with jax.named_scope("outer"), jax.named_scope("inner"):
            return 2.0 * x

    closed = jax.make_jaxpr(doubled)(1.0)
    assert isinstance(closed.jaxpr, _jax.Jaxpr)
    assert _jax.function_name(closed.jaxpr) == "doubled"
    (equation,) = closed.jaxpr.eqns
    assert _jax.scopes(equation) == ("outer", "inner")
    number, variable = equation.invars
    assert isinstance(number, _jax.Literal)
    assert isinstance(variable, _jax.Var)
    assert number.val == 2
    debug = _jax.DebugInfo("step", "a test", ("",), ("",))
    step = _jax.Jaxpr((), [variable], equation.outvars, [equation], equation.effects, debug)
    assert _jax.jaxpr_as_fun(_jax.ClosedJaxpr(step, ()))(3.0) == [6]


def test_a_user_can_refuse_the_rule_of_softmax():
    assert not _jax.softmax_rule_is_refused()
    if hasattr(jax, "softmax_custom_jvp"):
        with jax.softmax_custom_jvp(False):
            assert _jax.softmax_rule_is_refused()
        with jax.softmax_custom_jvp(True):
            assert not _jax.softmax_rule_is_refused()
