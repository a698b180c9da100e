"""Laws of every module: the public classes of `jaxact.nnx`, and the same in `jaxact.linen`."""

import dataclasses
import doctest
import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import printed
import pytest
from flax import linen as nn, nnx
from jax.sharding import AxisType, PartitionSpec as P

import jaxact
import jaxact.linen
import jaxact.nnx

X = jax.random.normal(jax.random.key(0), (2, 5, 4, 6))  # images, so that every module takes it
SIZES = {"in_features": 6, "out_features": 6, "features": 6, "num_features": 6, "reduction": 2}
CALM = {"deterministic": True, "use_running_average": True}  # no randomness, no statistics
ROOMS = {"nnx": jaxact.nnx, "linen": jaxact.linen}


def modules(room: Any, base: type) -> dict[str, type]:
    """The public modules of a room by name."""
    return {
        name: thing
        for name, thing in vars(room).items()
        if isinstance(thing, type) and issubclass(thing, base) and not name.startswith("_")
    }


NNX, LINEN = modules(jaxact.nnx, nnx.Module), modules(jaxact.linen, nn.Module)


@functools.cache
def arguments_of(module: type) -> dict[str, inspect.Parameter]:
    _, *parameters = inspect.signature(module.__init__).parameters.values()
    return {p.name: p for p in parameters}


@dataclasses.dataclass
class Layer:
    """A module seen as a function of its parameters, without randomness."""

    module: Any
    parameters: Any
    apply: Callable[..., jax.Array]


def nnx_layer(name: str, x: jax.Array = X, **options: Any) -> Layer:
    accepted = arguments_of(NNX[name])
    given = {**SIZES, "rngs": nnx.Rngs(0), **options}
    module = NNX[name](**{k: v for k, v in given.items() if k in accepted})
    module.eval()
    graph, state, others = nnx.split(module, nnx.Param, ...)

    def apply(parameters, x):
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, parameters)
        return nnx.merge(graph, filled, others)(x)

    return Layer(module, nnx.to_pure_dict(state), apply)


def linen_layer(name: str, x: jax.Array = X, **options: Any) -> Layer:
    accepted = arguments_of(LINEN[name])
    given = {**SIZES, **CALM, **options}
    module = LINEN[name](**{k: v for k, v in given.items() if k in accepted})
    variables = dict(module.init(jax.random.key(0), x))
    parameters = variables.pop("params", {})

    def apply(parameters, x):
        return module.apply({"params": parameters, **variables}, x)

    return Layer(module, parameters, apply)


BUILD = {"nnx": nnx_layer, "linen": linen_layer}

# As they are by default, and with parameters of their own for every channel.
CASES = [(name, {}) for name in NNX] + [
    (name, {"num_parameters": 6}) for name in NNX if "num_parameters" in arguments_of(NNX[name])
]
over_cases = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=lambda p: p if isinstance(p, str) else "-".join(p) or "default"
)
over_modules = pytest.mark.parametrize("name", NNX)


def coverage_set() -> set[str]:
    """The first module of each set of arguments: what Flax does to them it does alike to others."""
    telling = ("num_parameters", "out_features", "num_features", "rngs", "axis")
    first: dict[tuple, str] = {}
    for name, module in NNX.items():
        first.setdefault(tuple(a in arguments_of(module) for a in telling), name)
    return set(first.values())


over_kinds = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in coverage_set() else pytest.mark.thorough)
        for name in NNX
    ],
)
over_rooms = pytest.mark.parametrize("room", ROOMS)


def disturbed(parameters: Any, size: float = 0.1) -> Any:
    """Other parameters nearby: zeros and ones hide mistakes."""
    leaves, structure = jax.tree.flatten(parameters)
    for i, leaf in enumerate(leaves):
        leaves[i] += size * jax.random.normal(jax.random.key(i), leaf.shape, leaf.dtype)
    return jax.tree.unflatten(structure, leaves)


def above_one(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """An initializer that draws what any parameter may start at."""
    return 1 + jax.random.uniform(key, shape, dtype)


def described(tree: Any) -> Any:
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


def assert_close(a: Any, b: Any) -> None:
    """A sine of 30 times a matrix product makes much of its rounding."""
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)


# What they are


def test_both_rooms_hold_the_same_modules():
    assert NNX.keys() == LINEN.keys()


@over_cases
def test_both_rooms_compute_the_same_from_the_same_parameters(name, options):
    """Fails if names, shapes or dtypes of parameters differ, or if either forgets one."""
    one, two = nnx_layer(name, **options), linen_layer(name, **options)
    assert described(one.parameters) == described(two.parameters)
    parameters = disturbed(one.parameters)
    y = jax.jit(one.apply)(parameters, X)
    assert y.shape == X.shape
    np.testing.assert_array_equal(y, jax.jit(two.apply)(parameters, X))


@over_modules
@over_rooms
def test_the_docstring_says_what_must_be_known_and_its_example_runs(room, name):
    module = (NNX if room == "nnx" else LINEN)[name]
    text = inspect.getdoc(module)
    for section in ("Raises:", "Source:", "Example:"):
        assert f"\n{section}\n" in text
    described = text[text.index("Args:" if room == "nnx" else "Attributes:") :]
    for argument in arguments_of(module).keys() - {"parent", "name"}:
        assert re.search(rf"^ +{argument}: ", described, re.MULTILINE), f"{argument} is missing"
    for path, _ in jax.tree.leaves_with_path(nnx_layer(name).parameters):
        assert re.search(rf"\b{path[0].key}\b", text), f"parameter {path[0].key} is missing"
    names = {"jax": jax, "jnp": jnp, "jaxact": jaxact, "nnx": nnx, "nn": nn}
    printed.check(doctest.DocTestFinder(recurse=False).find(module, globs=names))


@over_modules
def test_the_options_of_both_rooms_have_the_same_defaults(name):
    """Fails if only one of them is changed."""
    shared = arguments_of(NNX[name]).keys() & arguments_of(LINEN[name]).keys()
    compared = 0
    for argument in shared:
        ours, theirs = (arguments_of(room[name])[argument].default for room in (NNX, LINEN))
        if isinstance(ours, float | int | str | tuple) and theirs is not None:
            assert ours == theirs, argument
            compared += 1
    assert compared


@over_modules
def test_a_module_of_linen_is_a_value(name):
    one, two = linen_layer(name).module, linen_layer(name).module
    assert one == two
    assert hash(one) == hash(two)


@over_modules
def test_a_module_of_nnx_holds_parameters_statistics_and_randomness_only(name):
    kept = (nnx.Param, nnx.BatchStat, nnx.RngState)
    state = nnx.to_flat_state(nnx.state(nnx_layer(name).module))
    assert all(isinstance(variable, kept) for _, variable in state)


@pytest.mark.parametrize("name", [name for name in NNX if "axis" in arguments_of(NNX[name])])
@over_rooms
def test_any_axis_may_hold_the_channels(room, name):
    """Fails if parameters line up with the last axis, or the first, whatever `axis` is."""
    last = BUILD[room](name, num_parameters=6)
    parameters = disturbed(last.parameters)
    expected = last.apply(parameters, X)
    for axis in (0, 1, -3):
        moved = jnp.moveaxis(X, -1, axis)
        layer = BUILD[room](name, moved, num_parameters=6, axis=axis)
        y = layer.apply(parameters, moved)
        assert_close(jnp.moveaxis(y, axis, -1), expected)


# Which dtypes they have

DTYPES = (jnp.bfloat16, jnp.float16, jnp.float32, jnp.int32)


@over_kinds
@over_rooms
@jax.numpy_dtype_promotion("standard")  # strictly, a dense layer mixes no dtypes
def test_a_dense_layer_promotes_and_an_activation_keeps_the_dtype_of_x(room, name):
    is_dense = "features" in arguments_of(LINEN[name])
    has_dtype = "dtype" in arguments_of(LINEN[name])
    for param_dtype in (jnp.float32, jnp.bfloat16):
        for dtype in (None, jnp.bfloat16, jnp.float32) if has_dtype else (None,):
            layer = BUILD[room](name, dtype=dtype, param_dtype=param_dtype)
            assert all(a.dtype == param_dtype for a in jax.tree.leaves(layer.parameters))
            for x_dtype in DTYPES:
                y = jax.eval_shape(layer.apply, layer.parameters, X.astype(x_dtype))
                own = jnp.float32 if x_dtype == jnp.int32 else x_dtype
                promoted = jnp.promote_types(x_dtype, param_dtype)
                assert y.dtype == dtype or (promoted if is_dense else own)


# What they learn


def has_pseudo_derivatives(name: str) -> bool:
    """Whether the activation of a module has, which is called as the module is."""
    entries = jaxact.CATALOG.values()
    return any(e.pseudo and e.name.replace("_", "") == name.lower() for e in entries)


@pytest.mark.parametrize(
    ("name", "options"), [case for case in CASES if not has_pseudo_derivatives(case[0])]
)
@jax.numpy_dtype_promotion("standard")  # statistics of a batch stay in float32
def test_gradients_reach_every_parameter_and_are_right(name, options):
    """Along every parameter, by central differences in float64."""
    layer = nnx_layer(name, **options)
    with jax.enable_x64(True):
        x = jnp.asarray(X, jnp.float64)
        parameters = jax.tree.map(
            lambda a: jnp.asarray(a, jnp.float64), disturbed(layer.parameters)
        )
        weights = jnp.cos(jnp.arange(x.size, dtype=jnp.float64)).reshape(x.shape)
        loss = jax.jit(lambda parameters, x: jnp.sum(layer.apply(parameters, x) * weights))
        by_parameters, by_x = jax.jit(jax.grad(loss, (0, 1)))(parameters, x)
        direction = jax.tree.map(lambda a: jnp.sin(1 + jnp.arange(a.size)).reshape(a.shape), x)
        pairs = [(by_x, lambda h: (parameters, x + h * direction), direction)]
        leaves, structure = jax.tree.flatten(parameters)
        for i, (leaf, slope) in enumerate(zip(leaves, jax.tree.leaves(by_parameters), strict=True)):
            along = jnp.sin(1 + jnp.arange(leaf.size)).reshape(leaf.shape)
            moved = lambda h, i=i, along=along: (
                jax.tree.unflatten(
                    structure, [*leaves[:i], leaves[i] + h * along, *leaves[i + 1 :]]
                ),
                x,
            )
            reached = jnp.all if options else jnp.any  # some hidden units may be silent
            assert reached(slope != 0), f"parameter {i} learns nothing"
            pairs.append((slope, moved, along))
        for slope, moved, along in pairs:
            h = 1e-6
            difference = (loss(*moved(h)) - loss(*moved(-h))) / (2 * h)
            np.testing.assert_allclose(jnp.sum(slope * along), difference, rtol=1e-5, atol=1e-7)


# What Flax does to them


@over_kinds
@over_rooms
def test_parameters_may_be_mapped_over(room, name):
    """An ensemble is its members; fails if a parameter of a mapped axis lines up wrongly."""
    layer = BUILD[room](name, num_parameters=6)
    members = [disturbed(layer.parameters, size) for size in (0.1, -0.2)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *members)
    ensemble = jax.jit(jax.vmap(layer.apply, (0, None), axis_size=2))(stacked, X)
    for y, parameters in zip(ensemble, members, strict=True):
        assert_close(y, layer.apply(parameters, X))


@over_kinds
def test_nnx_makes_stacks_of_them_and_trains_them(name):
    """`vmap`, `scan`, `grad`, `jit` and an optimizer, over one module after another."""
    given = {**SIZES, "num_parameters": 6}
    accepted = {k: v for k, v in given.items() if k in arguments_of(NNX[name])}
    has_rngs = "rngs" in arguments_of(NNX[name])

    @nnx.split_rngs(splits=2)
    @nnx.vmap
    def stack(rngs):
        return NNX[name](**accepted, **({"rngs": rngs} if has_rngs else {}))

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, layer):
        return layer(x)

    layers = stack(nnx.Rngs(0))
    optimizer = nnx.Optimizer(layers, optax.sgd(1e-3), wrt=nnx.Param)

    @nnx.jit
    def step(layers, optimizer):
        loss, gradients = nnx.value_and_grad(lambda ops: jnp.mean(forward(X, ops) ** 2))(layers)
        optimizer.update(layers, gradients)
        return loss

    layers.train()
    before = jax.tree.map(jnp.copy, nnx.state(layers, nnx.Param))
    assert np.isfinite(step(layers, optimizer))
    after = nnx.state(layers, nnx.Param)
    assert described(nnx.to_pure_dict(before)) == described(nnx.to_pure_dict(after))

    layers.eval()
    graph, state = nnx.split(layers)
    x = X
    for i in range(2):
        x = nnx.merge(graph, jax.tree.map(lambda a, i=i: a[i], state))(x)
    assert_close(forward(X, layers), x)


@over_rooms
def test_parameters_survive_an_orbax_checkpoint(room, tmp_path):
    everything = {
        f"{name} {options}": disturbed(BUILD[room](name, **options).parameters)
        for name, options in CASES
    }
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "step", everything)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "step", everything)
    jax.tree.map(np.testing.assert_array_equal, restored, everything)


@over_modules
def test_nnx_gives_every_parameter_its_metadata(name):
    tags = {
        argument: {"tag": argument.removesuffix("_metadata")}
        for argument in arguments_of(NNX[name])
        if argument.endswith("_metadata")
    }
    for path, variable in nnx.to_flat_state(nnx.state(nnx_layer(name, **tags).module, nnx.Param)):
        assert path[-1] == variable.get_metadata()["tag"]


@over_kinds
def test_metadata_shards_parameters_and_gradients_and_results_follow(name):
    """Each parameter's last axis is sharded, explicitly, and so is that of the result."""
    sizes = {**dict.fromkeys(SIZES, 8), "num_parameters": 8, "reduction": 2}
    plain = nnx_layer(name, **sizes).parameters
    metadata = {
        f"{path[-1].key}_metadata": {"out_sharding": last_axis(leaf.ndim, "model")}
        for path, leaf in jax.tree.leaves_with_path(plain)
    }
    spec = P("data", None, None, "model")
    is_dense = "features" in arguments_of(LINEN[name])
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    with jax.set_mesh(mesh):
        layer = nnx_layer(name, **sizes, **metadata)
        takes = inspect.signature(layer.module.__call__).parameters
        options = {"out_sharding": spec} if "out_sharding" in takes else {}
        x = jax.device_put(jnp.ones((2, 5, 4, 8)), P("data") if is_dense else spec)
        loss = lambda module: jnp.sum(module(x, **options))
        assert nnx.jit(lambda module: module(x, **options))(layer.module).sharding.spec == spec
        for slope in jax.tree.leaves(nnx.jit(nnx.grad(loss))(layer.module)):
            assert slope.sharding.spec == P(*last_axis(slope.ndim, "model"))


def last_axis(ndim: int, axis: str) -> tuple[str | None, ...]:
    return (*[None] * (ndim - 1), axis)[:ndim]


@over_modules
def test_linen_partitions_every_parameter(name):
    """An initializer that carries the names of mesh axes is taken wherever a number is."""
    inits = {
        argument: above_one for argument in arguments_of(LINEN[name]) if argument.endswith("_init")
    }
    partitioned = {
        argument: nn.with_partitioning(init, (argument.removesuffix("_init"),))
        for argument, init in inits.items()
    }
    layer = linen_layer(name, num_parameters=6, **partitioned)
    plain = linen_layer(name, num_parameters=6, **inits)
    boxed = jax.tree.leaves_with_path(
        layer.parameters, is_leaf=lambda leaf: isinstance(leaf, nn.Partitioned)
    )
    for path, box in boxed:
        assert box.names == (path[-1].key,)
    jax.tree.map(np.testing.assert_array_equal, nn.unbox(layer.parameters), plain.parameters)
    np.testing.assert_array_equal(
        layer.apply(layer.parameters, X), plain.apply(plain.parameters, X)
    )


# What they refuse


@over_modules
@over_rooms
def test_complex_input_is_refused_even_where_a_cast_would_hide_it(room, name):
    for dtype in (None, jnp.float32):
        layer = BUILD[room](name, dtype=dtype)
        with pytest.raises(TypeError, match=rf"(?i)jaxact\.\S*{name} is defined for real x"):
            jax.eval_shape(layer.apply, layer.parameters, X.astype(jnp.complex64))


def used(build, name, x, **options):
    """Builds a layer and traces a call: one of them refuses what is wrong."""
    layer = build(name, x, **options)
    return jax.eval_shape(layer.apply, layer.parameters, x)


COUNTED = [
    (room, name, argument)
    for room, classes in (("nnx", NNX), ("linen", LINEN))
    for name, module in classes.items()
    for argument in ("num_parameters", "num_features")
    if argument in arguments_of(module)
]


@pytest.mark.parametrize(("room", "name", "argument"), COUNTED)
def test_another_number_of_channels_is_refused_with_the_remedy(room, name, argument):
    """While tracing; fails if shapes that broadcast are let through."""
    message = rf"{name}: {argument} is 6, but axis 3 of .* 1 channels: pass {argument}=1"
    with pytest.raises(ValueError, match=message):
        used(BUILD[room], name, X[..., :1], **{argument: 6})


@pytest.mark.parametrize(
    ("room", "name", "argument"), [case for case in COUNTED if case[2] == "num_parameters"]
)
def test_no_parameters_and_a_missing_axis_are_refused(room, name, argument):
    with pytest.raises(ValueError, match=f"{name}: num_parameters is 0, but must be 1 or the"):
        BUILD[room](name, num_parameters=0)
    with pytest.raises(ValueError, match=f"{name}: axis is 4, but x has 4 dimensions: choose one"):
        used(BUILD[room], name, X, num_parameters=6, axis=4)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name, module in NNX.items()
        for argument in arguments_of(module)
        if "num_parameters" in arguments_of(module) and argument.endswith("_init")
    ],
)
def test_nnx_draws_parameters_from_rngs_and_says_so(name, argument):
    """An initializer is taken wherever a number is."""
    options = {argument: above_one, "num_parameters": 6}
    drawn, again = (nnx_layer(name, **options).parameters for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, drawn, again)
    assert any(len(np.unique(a)) == a.size for a in jax.tree.leaves(drawn))
    with pytest.raises(ValueError, match=f"{name}: rngs is None, but an initializer draws"):
        nnx_layer(name, rngs=None, **options)
