"""What is no option of a module is refused: by the module, the option, its value, and the remedy.

Every constructor and every call, in both rooms, is given each of its arguments wrong in turn.
"""

import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from test_every_module import LINEN, NNX, SIZES, X, arguments_of, over_modules, over_rooms
from test_refusals import NO_REALS, said

import jaxact

KEY = jax.random.key(0)
NOTHING = ("text", object(), {}, 1j, [None])
NO_COUNTS = (*NOTHING, 0, -1, 1.0, True, [2], np.ones(2), math.nan, 10.5)
NO_NUMBERS = (*NOTHING, None, math.nan, math.inf, -math.inf, [1.0], np.ones(2), 10**400, KEY)
NO_FLAGS = (*NOTHING, 2, 1.0, np.ones(2))
NO_DTYPES = ("text", object(), 5, jnp.complex64, jnp.int32, bool, [1])
NO_FUNCTIONS = (*NOTHING, 5, "zeros", np.ones(3))
NO_STARTS = (*NOTHING, None, math.nan, math.inf, [math.nan], np.ones((7, 7, 7)), KEY, 10**400)
WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("in_features", "out_features", "features", "num_features"), NO_COUNTS),
    **dict.fromkeys(("num_parameters", "num_hinges", "num_pieces", "reduction"), NO_COUNTS),
    **dict.fromkeys(("beta", "momentum", "slope_range", "intercept_range"), NO_NUMBERS),
    **dict.fromkeys(("lower", "upper"), NO_NUMBERS),
    **dict.fromkeys(("omega", "bandwidth"), (*NO_NUMBERS, 0, -1.0)),
    "epsilon": (*NO_NUMBERS, -1e-5),
    **dict.fromkeys(("use_bias", "is_first", "logarithmic"), (*NO_FLAGS, None)),
    **dict.fromkeys(("use_running_average", "deterministic"), NO_FLAGS),
    "dtype": NO_DTYPES,
    "preferred_element_type": NO_DTYPES,
    "param_dtype": (*NO_DTYPES, None),
    "precision": ("text", object(), 5, ("high", "text"), {}),
    **dict.fromkeys(("promote_dtype", "activation"), (*NO_FUNCTIONS, None)),
    "layout": ("thirds", 1.5, True, [2], object(), np.ones(2), 0, -2, 5),
    **dict.fromkeys(("dot_general", "dot_general_cls"), NO_FUNCTIONS),
    "rngs": (5, object(), "params", [KEY]),
    "rng": (5, object(), "params", np.ones(3), jax.random.split(KEY, 3)),
    "rng_collection": (5, None, object()),
    "axis_name": (5, object(), 1.5),
    "axis": (*NOTHING, 1.0, True, None, (0, 1), np.ones(2), 7, -7),
    "pool_axes": (*NOTHING, 1.0, None, (0, "a"), (0, 1.0), 7, (0, 0)),
    "kernel_size": (*NOTHING, 0, -1, 1.5, None, (0, 3), (3, 1.5)),
    "degrees": (*NOTHING, 5, None, (5,), (5, 4, 3), (0, 4), (5, 1.0), "54"),
    "distribution": ("text", None, 5, object(), ["uniform"]),
    "out_sharding": ("text", 5, object()),
    "inputs": (*NO_REALS, None, 10**400),
}


def wrong(name: str, argument: str, default: Any) -> Iterator[Any]:
    """Values that an argument of a module may not have."""
    if argument.endswith("_metadata"):
        yield from (5, "text", None, object(), [1])
    elif argument.endswith("_init"):
        is_dense = "bias_init" == argument and "scale_init" not in arguments_of(NNX[name])
        is_drawn = is_dense or argument == "kernel_init" or name == "FReLU"
        none = () if default is None else (None,)
        yield from (*NO_FUNCTIONS, *none) if is_drawn else NO_STARTS
    else:
        yield from WRONG[argument]


def used(room: str, name: str, options: dict[str, Any], call: dict[str, Any]) -> None:
    """Makes a module and traces a call of it."""
    call = {"inputs": X, **call}
    if room == "nnx":
        module = NNX[name](**options)
        module(**call)  # which may change its state
    else:
        module = LINEN[name](**options)
        key = {"params": KEY, "rrelu": KEY}
        given = {k: v for k, v in call.items() if k != "inputs"}
        jax.eval_shape(lambda: module.init_with_output(key, call["inputs"], **given))


def right(room: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options and arguments of a call that nothing is wrong with."""
    module = (NNX if room == "nnx" else LINEN)[name]
    takes = inspect.signature(module.__call__).parameters
    options = {**SIZES, "num_parameters": 6, **({"rngs": nnx.Rngs(0)} if room == "nnx" else {})}
    call = {"use_running_average": True, "deterministic": False} if room == "linen" else {}
    return (
        {k: v for k, v in options.items() if k in arguments_of(module)},
        {k: v for k, v in call.items() if k in takes},
    )


def refused(room: str, name: str, argument: str, value: Any, options: Any, call: Any) -> None:
    """Asserts that a module is refused with all that a message has to tell."""
    with pytest.raises((TypeError, ValueError)) as caught:
        used(room, name, options, call)
    message = str(caught.value)
    told = "x" if argument == "inputs" else argument
    assert re.match(rf"jaxact\.({room}\.)?\w+(:| is| needs)", message), message
    assert name.lower() in message.lower().replace("_", ""), message
    assert re.search(rf"\b{told}\b", message), message
    assert any(shown in message for shown in said(value)), message
    assert re.search(r"\bmust\b|: \w+", message), message


@over_modules
@over_rooms
def test_an_option_of_a_wrong_sort_is_refused(room, name):
    module = (NNX if room == "nnx" else LINEN)[name]
    options, call = right(room, name)
    used(room, name, options, call)
    for argument, parameter in arguments_of(module).items():
        if argument not in ("parent", "name"):  # which are Flax's own
            for value in wrong(name, argument, parameter.default):
                refused(room, name, argument, value, {**options, argument: value}, call)


@over_modules
@over_rooms
def test_an_argument_of_a_call_of_a_wrong_sort_is_refused(room, name):
    module = (NNX if room == "nnx" else LINEN)[name]
    options, call = right(room, name)
    for argument in [*inspect.signature(module.__call__).parameters][1:]:
        for value in WRONG[argument]:
            refused(room, name, argument, value, options, {**call, argument: value})


@pytest.mark.parametrize("name", [n for n in NNX if "features" in arguments_of(LINEN[n])])
def test_another_number_of_features_is_refused_by_dense_layers(name):
    """Where Linen has parameters already, too: else they are made for x."""
    message = rf"{name}: x of shape .* has 5 features along axis 3, but the kernel takes 6: "
    options, _ = right("nnx", name)
    with pytest.raises(ValueError, match=message + ".*in_features=5"):
        NNX[name](**options)(X[..., :5])
    options, _ = right("linen", name)
    variables = LINEN[name](**options).init(KEY, X)
    with pytest.raises(ValueError, match=message + ".*call init"):
        LINEN[name](**options).apply(variables, X[..., :5])
    for room in ("nnx", "linen"):
        options, call = right(room, name)
        with pytest.raises(ValueError, match=f"{name}: axis is -1, but x has 0 dimensions"):
            used(room, name, options, {**call, "inputs": 1.0})


def test_an_option_that_is_let_through_is_found():
    with pytest.raises(pytest.fail.Exception):
        refused("nnx", "PReLU", "axis", -1, {"axis": -1}, {})


def test_a_subclass_may_take_what_it_likes():
    class Own(jaxact.nnx.PReLU):
        def __init__(self, num_parameters: str):
            super().__init__(int(num_parameters))

    assert Own("6")(X).shape == X.shape

    class OwnToo(jaxact.linen.PReLU):
        slopes: int = "6"

    assert OwnToo().init_with_output(KEY, X)[0].shape == X.shape
