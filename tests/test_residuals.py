"""What reverse mode keeps: one array of the input's dtype per input, or a byte per element.

`jax.vjp` returns a function that is a tree of arrays: those are what is kept.
"""

import dataclasses
import functools
import importlib.util
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    FEATURES,
    cases,
    gradient,
    identical,
    loss,
    over,
    typical_cases,
    variants,
)
from flax import nnx

import jaxact
import jaxact.nnx
from benchmarks import memory
from benchmarks.networks import CHAINS, NETWORKS
from benchmarks.results import Results

SHAPE = (32, FEATURES)
_EITHER_WAY = pytest.mark.parametrize(
    "compiled",
    [pytest.param(False, id="eager"), pytest.param(True, id="jit", marks=pytest.mark.machinery)],
)
_DTYPES = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(jnp.bfloat16, id="bfloat16"),
        pytest.param(jnp.float32, id="float32", marks=pytest.mark.machinery),
    ],
)


def kept(function, x, compiled):
    """The output, and the arrays that its pull-back holds on to."""
    run = lambda *x: jax.vjp(function, *x)
    y, pull_back = (jax.jit(run) if compiled else run)(*x)
    return y, [leaf for leaf in jax.tree.leaves(pull_back) if leaf.size > 1]


@functools.cache
def is_piecewise_linear(case):
    """Whether the second derivative vanishes, along a random direction."""
    x, direction = case.inputs((256, FEATURES)), case.inputs((256, FEATURES), seed=5)
    curvature = jax.jvp(gradient(case), x, direction)[1]
    return not any(np.any(a) for a in curvature)


@_EITHER_WAY
@_DTYPES
@over(cases())
def test_backward_keeps_one_array_per_input_or_less(case, dtype, compiled):
    """A piecewise linear function keeps a byte per element, or the output that others keep too."""
    x = case.inputs(SHAPE, dtype)
    y, leaves = kept(case, x, compiled)
    of_rows = [leaf for leaf in leaves if case.entry.kind == "axis" and leaf.size <= len(x[0])]
    assert len(of_rows) <= 2  # a few numbers of each row, in the format that they are computed in
    leaves = [leaf for leaf in leaves if not any(leaf is other for other in of_rows)]
    wide = [leaf for leaf in leaves if leaf.itemsize > 1]
    assert all(leaf.dtype == dtype for leaf in wide)
    assert sum(leaf.nbytes for leaf in leaves) <= sum(a.nbytes for a in x)
    if is_piecewise_linear(case):
        assert all(identical(leaf, y) for leaf in wide)
        assert compiled or all(_same_memory(leaf, y) for leaf in wide)
        bytes_beside = sum(leaf.nbytes for leaf in leaves if leaf.itemsize == 1)
        assert bytes_beside <= (0 if wide else sum(a.size for a in x))


def _same_memory(a, b):
    return a.unsafe_buffer_pointer() == b.unsafe_buffer_pointer()


@_DTYPES
@over([case for case in variants() if case.learnable])
def test_learned_parameters_are_kept_as_they_are(case, dtype):
    """x and the parameters, but not the parameters repeated to the shape of x."""
    x = case.inputs(SHAPE, dtype)
    parameters = case.arrays((FEATURES,))
    function = lambda x, parameters: case(*x, **parameters)
    _, leaves = kept(function, (x, parameters), compiled=False)
    whole = [leaf for leaf in leaves if leaf.size == x[0].size]
    assert sum(leaf.nbytes for leaf in whole) <= sum(a.nbytes for a in x)
    assert all(leaf.size == FEATURES for leaf in leaves if leaf.size != x[0].size)


@pytest.mark.machinery
@over(typical_cases())
def test_a_policy_that_saves_products_keeps_them_once(case):
    """Within the user's `jax.checkpoint`: the pre-activations, and what is given."""
    x, w = case.inputs(SHAPE), jnp.eye(FEATURES)
    apply = lambda x, w: jnp.square(case(*(a @ w for a in x)))
    saving = jax.checkpoint(apply, policy=jax.checkpoint_policies.dots_saveable)
    _, leaves = kept(saving, (x, w), compiled=False)
    assert sum(leaf.nbytes for leaf in leaves) <= 2 * sum(a.nbytes for a in x) + w.nbytes


@over(cases("random"))
def test_a_random_function_keeps_its_draw_only(case):
    x = case.inputs(SHAPE, jnp.bfloat16)
    _, leaves = kept(lambda x: case(x, key=jax.random.key(0)), x, compiled=False)
    assert sum(leaf.nbytes for leaf in leaves) <= x[0].nbytes


# --- Layers at training size: temporaries of compiled forward and backward passes ----------------

GATED = functools.partial(jaxact.nnx.GatedLinear, use_bias=False)
LAYERS = {  # how wide the inputs of the activation are, in outputs
    "maxout of 2": (2, functools.partial(jaxact.nnx.Maxout, num_pieces=2)),
    "maxout of 4": (4, functools.partial(jaxact.nnx.Maxout, num_pieces=4)),
    "swiglu": (2, GATED),
    "geglu": (2, functools.partial(GATED, activation=jaxact.geglu)),
    "glu": (2, functools.partial(GATED, activation=lambda gate, x: jaxact.glu(x, gate=gate))),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_needs_memory_for_the_inputs_of_its_activation_only(layer):
    """Beside inputs, parameters and gradients, and a packed index."""
    width, make = LAYERS[layer]
    batch, features = 8192, 1024
    module = nnx.eval_shape(lambda: make(features, features, rngs=nnx.Rngs(0)))
    graph, parameters = nnx.split(module)
    x = jax.ShapeDtypeStruct((batch, features), jnp.float32)

    def step(parameters, x, cotangent):
        apply = lambda parameters, x: nnx.merge(graph, parameters)(x)
        y, pull_back = jax.vjp(apply, parameters, x)
        return y, pull_back(cotangent)

    memory = jax.jit(step).lower(parameters, x, x).compile().memory_analysis()
    assert memory is not None
    preactivations, index = 4 * batch * features * width, batch * features // 4
    assert memory.temp_size_in_bytes <= preactivations + index


# --- Networks: the figures of docs/memory.md, in activation arrays -------------------------------

ROWS, BLOCKS, HALF, _ = CHAINS  # in a row; in blocks, of which all or half of the weights learn
FIGURES = {  # in a row of 12 layers on CPU: the layers' own 13, and what is kept
    "default": 25.0,
    "lean": 14.0,
    "few_bit": 14.0,
}
SAVED_BY_A_POLICY = 1.65  # arrays a layer


def temporaries(name, network, recipe):
    row = memory.measure(name, memory.Scale.typical("cpu"), "jaxact", network, recipe)
    return row and row.temporaries


@pytest.mark.parametrize(
    ("name", "recipe", "bound"),
    [
        ("mish", "default", 24.5),
        ("relu", "default", 14.0),  # the output tells
        ("elu", "lean", 14.0),
        ("gelu", "few_bit", 13.5),
    ],
)
def test_a_training_step_needs_what_the_page_says(name, recipe, bound):
    assert temporaries(name, ROWS, recipe) <= bound


def test_a_policy_of_the_users_keeps_no_preactivation_twice():
    assert temporaries("mish", HALF, "dots_saveable") / 12 <= SAVED_BY_A_POLICY


def test_recomputed_with_the_product_that_takes_it_an_activation_costs_nothing(monkeypatch):
    """The recipe of docs/memory.md, in blocks that learn both weights."""

    def blocks(function, recipe, weights, x):
        project = jax.checkpoint(lambda z, leave: function(z) @ leave)
        block = lambda x, w: (x + project(x @ w[0][0], w[1]), None)
        return jax.lax.scan(block, x, weights)[0]

    network = dataclasses.replace(NETWORKS[BLOCKS], apply=blocks)
    monkeypatch.setitem(NETWORKS, "recomputing", network)
    found = temporaries("gelu", "recomputing", "default")
    once = 1.0  # array at most, whatever the number of layers: XLA of JAX 0.12 needs 0.75
    assert found <= temporaries("identity", "recomputing", "default") + once <= 2.5 * 12


@pytest.mark.parametrize(("pieces", "bound"), [(2, 1.7), (4, 1.5), (8, 2.9)])
def test_a_maxout_layer_needs_what_the_page_says(pieces, bound):
    """Gradients count, for temporaries may lie where they will be."""
    scale, setting = memory.Scale.typical("cpu"), f"num_pieces={pieces}"
    row = memory.measure("maxout", scale, "jaxact", ROWS, "default", setting)
    assert (row.temporaries + row.outputs) / scale.layers <= bound


SHARED = [case for case in typical_cases("elementwise") if hasattr(jax.nn, case.entry.name)]


@pytest.mark.thorough
@pytest.mark.parametrize("recipe", FIGURES)
@over(typical_cases("elementwise"))
def test_every_training_step_needs_what_the_page_says(case, recipe):
    found = temporaries(case.entry.name, ROWS, recipe)
    assert found is None or found <= FIGURES[recipe]


@pytest.mark.thorough
@over(SHARED)
def test_no_preactivation_is_kept_twice_under_a_policy_of_the_users(case):
    assert temporaries(case.entry.name, HALF, "dots_saveable") / 12 <= SAVED_BY_A_POLICY


ROOT = Path(__file__).parents[1]

# --- In company: networks that people have -------------------------------------------------------

IN_COMPANY = [  # what a network is, and an activation for which some lowering needed more there
    ("dense", "relu"),
    ("scanned dense", "relu"),
    ("convolution + batch norm", "relu"),
    ("convolution + pool", "softplus"),
    ("convolution + pool", "sigmoid"),
    ("convolution + batch norm + pool", "gelu"),
    ("scanned pre-norm MLP", "silu"),
    ("GLU", "leaky_relu"),
]
ALIGNMENT = 1.02


@pytest.mark.parametrize(("network", "name"), IN_COMPANY)
def test_no_network_needs_more_than_with_jax_nn(network, name):
    scale = memory.Scale(2048, 512, 6, "float32", "cpu")
    libraries = ("jaxact", "jax.nn")
    with jax.numpy_rank_promotion("allow"):  # networks that people have add biases as they are
        found = [memory.measure(name, scale, lib, network, "default") for lib in libraries]
    ours, theirs = (row.temporaries for row in found)
    assert ours <= ALIGNMENT * theirs


ABOVE = {  # listed with its reason in docs/memory.md
    *((network, name) for network in NETWORKS for name in ("tanh", "sigmoid")),
    ("convolution of sequences + batch norm", "leaky_relu"),
    ("convolution", "hard_silu"),
}


def test_what_was_measured_in_networks_is_no_more_than_with_jax_nn():
    rows = Results.read(ROOT / "benchmarks" / "results" / "memory-networks-cpu.json").rows
    found = {
        (r.network, r.function, r.setting, r.library): r.temporaries
        for r in rows
        if r.recipe == "default"
    }
    theirs = {key[:3]: arrays for key, arrays in found.items() if key[3] == "jax.nn"}
    above = {
        key[:2] for key, arrays in theirs.items() if found[*key, "jaxact"] > ALIGNMENT * arrays
    }
    assert theirs
    assert above <= ABOVE


# --- The page, from committed results ------------------------------------------------------------

POINTERS = 0.001  # on an H200, besides: a table for every tuple of results
PROMISED = {  # arrays of 12 layers in a row, of elementwise functions
    "cpu": FIGURES,
    "h200": {r: n + POINTERS for r, n in (("default", 26), ("lean", 15), ("few_bit", 15))},
}
OF_MAXOUT = {f"num_pieces={k}": n + POINTERS for k, n in ((2, 14), (4, 16), (8, 12))}


def committed(target, network, library="jaxact"):
    """Arrays by function and recipe, of the typical setting."""
    rows = Results.read(ROOT / "benchmarks" / "results" / f"memory-{target}.json").rows
    chosen = [r for r in reversed(rows) if (r.network, r.library) == (network, library)]
    return {(r.function, r.recipe): r.temporaries for r in chosen}


@pytest.mark.parametrize("target", PROMISED)
def test_what_was_measured_in_a_row_of_layers_is_what_was_promised(target):
    for function, arrays in elementwise(committed(target, ROWS)).items():
        assert arrays <= PROMISED[target].get(function[1], math.inf), function


@pytest.mark.parametrize("target", PROMISED)
def test_what_was_measured_in_blocks_is_what_was_promised(target):
    """No more than jax.nn needs; and arrays a layer where one of two weights learns."""
    theirs = committed(target, BLOCKS, "jax.nn")
    for function, arrays in elementwise(committed(target, BLOCKS)).items():
        assert arrays <= 1.05 * theirs.get(function, math.inf), function
    for function, arrays in elementwise(committed(target, HALF)).items():
        assert arrays / 12 <= (SAVED_BY_A_POLICY if "dots_saveable" in function else 2.6), function


def elementwise(found):
    """Those committed figures for which there are promises; there are some."""
    names = {case.entry.name for case in typical_cases("elementwise")}
    chosen = {function: arrays for function, arrays in found.items() if function[0] in names}
    assert chosen
    return chosen


def test_maxout_on_an_h200_is_what_was_promised():
    rows = Results.read(ROOT / "benchmarks" / "results" / "memory-h200.json").rows
    of = ("maxout", "jaxact", ROWS, "default")
    chosen = [r for r in rows if (r.function, r.library, r.network, r.recipe) == of]
    found = {r.setting: r.temporaries for r in chosen}
    assert all(found[setting] <= bound for setting, bound in OF_MAXOUT.items())


def test_the_page_is_what_was_measured():
    spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "memory.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run python docs/memory.py"


# --- Jacobians -----------------------------------------------------------------------------------


@pytest.mark.machinery
@over(typical_cases())
def test_jacobians_repeat_nothing_but_the_tangents(case):
    """Along the new axis, behind the barrier where what is kept meets the tangents."""
    size = 4 * FEATURES
    x = case.inputs((size,))
    barrier = re.compile(r"optimization_barrier .*: (.*)$", re.MULTILINE)
    repeated = re.compile(rf"tensor<{size}x(?:1x)*{size}x")
    for function in (case, jax.grad(loss(case))):
        program = jax.jit(jax.jacfwd(function)).lower(*x).as_text()
        for types in barrier.findall(program):
            assert len(repeated.findall(types)) <= 1, types


def temporary_arrays(lowered, size):
    """How many arrays of a Jacobian's size a program needs beside its results."""
    return lowered.compile().memory_analysis().temp_size_in_bytes / (4 * size**2)


@functools.cache
def barriers_end_fusions(size):
    """Whether XLA writes out what comes before a barrier: it does in JAX 0.12, not in 0.10."""

    def transposed(x, y):
        x, sums = jax.lax.optimization_barrier((x, x + y))
        return (x * sums).T  # which is not the array that the sums were written to

    x = jnp.ones((1, size))
    return temporary_arrays(jax.jit(transposed).lower(x, x.T), size) >= 1


@pytest.mark.machinery
@over(typical_cases("elementwise", "random"))
def test_jacobians_need_no_memory_beside_themselves(case):
    """But for tangents that meet a barrier, where XLA writes them out."""
    size = 8 * FEATURES
    tangents = re.compile(rf"optimization_barrier .*tensor<{size}x(?:1x)*{size}x")
    for function in (case, jax.grad(loss(case))):
        lowered = jax.jit(jax.jacfwd(function)).lower(*case.inputs((size,)))
        met = len(tangents.findall(lowered.as_text())) if barriers_end_fusions(size) else 0
        assert temporary_arrays(lowered, size) <= 0.1 + met
