"""jaxact: the activation layer for JAX.

Functions are here, and `get` finds them by name; what needs more than jax stands in rooms of its
own, imported when first named:
`jaxact.nnx` and `jaxact.linen` (Flax modules), `jaxact.backward` (what reverse mode keeps),
`jaxact.theory` (gains and moments), `jaxact.diagnostics` (what becomes of units and gradients).
`adopt` lets our functions compute the activations of any program.
"""

import importlib
from typing import Any

from ._catalog import CATALOG as CATALOG, Entry as Entry, activation as activation
from ._derivatives import Kernel as Kernel
from ._plain import plain as plain
from .functions import (
    acon_c as acon_c,
    apl as apl,
    aria2 as aria2,
    bent_identity as bent_identity,
    beta_mish as beta_mish,
    bilinear as bilinear,
    brelu as brelu,
    celu as celu,
    clamped_swiglu as clamped_swiglu,
    clipped_gelu as clipped_gelu,
    clipped_relu as clipped_relu,
    crelu as crelu,
    derf as derf,
    dish as dish,
    dynamic_relu as dynamic_relu,
    dyt as dyt,
    elish as elish,
    elu as elu,
    entmax as entmax,
    exponential as exponential,
    gaussian_top_k as gaussian_top_k,
    geglu as geglu,
    gelu as gelu,
    glu as glu,
    gumbel_softmax as gumbel_softmax,
    hard_elish as hard_elish,
    hard_mish as hard_mish,
    hard_shrink as hard_shrink,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    hard_tanh as hard_tanh,
    hardmax as hardmax,
    identity as identity,
    isrlu as isrlu,
    isru as isru,
    jump_relu as jump_relu,
    jump_step as jump_step,
    k_winners as k_winners,
    laplace as laplace,
    leaky_relu as leaky_relu,
    lisht as lisht,
    log1mexp as log1mexp,
    log_cosh as log_cosh,
    log_sigmoid as log_sigmoid,
    log_softmax as log_softmax,
    logish as logish,
    logmeanexp as logmeanexp,
    logsumexp as logsumexp,
    maxout as maxout,
    mila as mila,
    mish as mish,
    one_hot as one_hot,
    pelu as pelu,
    penalized_tanh as penalized_tanh,
    phish as phish,
    prelu as prelu,
    qgeglu as qgeglu,
    quick_gelu as quick_gelu,
    rational as rational,
    reglu as reglu,
    relu as relu,
    relu6 as relu6,
    rrelu as rrelu,
    scaled_tanh as scaled_tanh,
    selu as selu,
    serf as serf,
    sigmoid as sigmoid,
    silu as silu,
    sine as sine,
    situ_glu as situ_glu,
    smelu as smelu,
    smish as smish,
    snake as snake,
    snake_beta as snake_beta,
    soft_cap as soft_cap,
    soft_clipping as soft_clipping,
    soft_exponential as soft_exponential,
    soft_shrink as soft_shrink,
    soft_sign as soft_sign,
    softmax as softmax,
    softmin as softmin,
    softplus as softplus,
    sparse_plus as sparse_plus,
    sparse_sigmoid as sparse_sigmoid,
    sparsemax as sparsemax,
    sqnl as sqnl,
    sqrt_softplus as sqrt_softplus,
    squared_relu as squared_relu,
    squareplus as squareplus,
    sreglu as sreglu,
    srelu as srelu,
    standardize as standardize,
    star_relu as star_relu,
    swiglu as swiglu,
    swiglu_step as swiglu_step,
    swish as swish,
    tanh as tanh,
    tanh_shrink as tanh_shrink,
    tanhexp as tanhexp,
    telu as telu,
    threshold as threshold,
    thresholded_relu as thresholded_relu,
    xielu as xielu,
)
from .names import get as get

__version__ = "0.1.0"

_ROOMS = ("backward", "diagnostics", "linen", "nnx", "theory")


def __getattr__(name: str) -> Any:
    if name == "adopt":
        return importlib.import_module(f"{__name__}.adoption").adopt
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "adopt", *_ROOMS])
