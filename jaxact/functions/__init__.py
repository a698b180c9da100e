"""The activation functions, a family to a file."""

from .algebraic_rectifiers import (
    sparse_plus,
    squareplus,
)
from .bounded_gates import (
    clamped_swiglu,
    situ_glu,
    swiglu_step,
)
from .dynamic_relu import dynamic_relu
from .exponentials import (
    celu,
    elish,
    elu,
    exponential,
    hard_elish,
    selu,
)
from .gates import (
    bilinear,
    geglu,
    glu,
    qgeglu,
    reglu,
    sreglu,
    swiglu,
)
from .hard_sigmoids import (
    hard_sigmoid,
    hard_tanh,
    sparse_sigmoid,
)
from .identity import identity
from .inverse_roots import bent_identity, isrlu, isru
from .jumps import jump_relu, jump_step
from .learned_exponentials import (
    pelu,
    xielu,
)
from .maxout import maxout
from .normalization import standardize
from .normalization_free import derf, dyt
from .periodic import sine, snake, snake_beta
from .piecewise_linear import apl, srelu
from .quadratic_rectifiers import (
    smelu,
    squared_relu,
    star_relu,
)
from .rational import rational
from .rectifiers import (
    clipped_relu,
    leaky_relu,
    prelu,
    relu,
    relu6,
    rrelu,
    threshold,
    thresholded_relu,
)
from .self_gated_algebraic import (
    dish,
    hard_mish,
    hard_silu,
    hard_swish,
)
from .self_gated_composite import (
    logish,
    phish,
    serf,
    smish,
)
from .self_gated_logistic import (
    acon_c,
    quick_gelu,
    silu,
    swish,
)
from .self_gated_normal import (
    clipped_gelu,
    gelu,
)
from .self_gated_powers import (
    aria2,
    beta_mish,
)
from .self_gated_tanh import (
    lisht,
    mila,
    mish,
    tanhexp,
    telu,
)
from .shrinkage import (
    hard_shrink,
    soft_shrink,
    tanh_shrink,
)
from .sigmoids import (
    laplace,
    sigmoid,
    soft_clipping,
    soft_sign,
    tanh,
)
from .signed_rectifiers import brelu, crelu
from .simplex import (
    log_softmax,
    logmeanexp,
    logsumexp,
    one_hot,
    softmax,
    softmin,
)
from .simplex_samples import gumbel_softmax
from .soft_cap import soft_cap
from .soft_exponential import soft_exponential
from .soft_rectifiers import (
    log1mexp,
    log_cosh,
    log_sigmoid,
    softplus,
    sqrt_softplus,
)
from .sparse_features import gaussian_top_k, k_winners
from .sparse_simplex import entmax, hardmax, sparsemax
from .tanh_variants import (
    penalized_tanh,
    scaled_tanh,
    sqnl,
)

__all__ = [
    "acon_c",
    "apl",
    "aria2",
    "bent_identity",
    "beta_mish",
    "bilinear",
    "brelu",
    "celu",
    "clamped_swiglu",
    "clipped_gelu",
    "clipped_relu",
    "crelu",
    "derf",
    "dish",
    "dynamic_relu",
    "dyt",
    "elish",
    "elu",
    "entmax",
    "exponential",
    "gaussian_top_k",
    "geglu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hard_elish",
    "hard_mish",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "hardmax",
    "identity",
    "isrlu",
    "isru",
    "jump_relu",
    "jump_step",
    "k_winners",
    "laplace",
    "leaky_relu",
    "lisht",
    "log1mexp",
    "log_cosh",
    "log_sigmoid",
    "log_softmax",
    "logish",
    "logmeanexp",
    "logsumexp",
    "maxout",
    "mila",
    "mish",
    "one_hot",
    "pelu",
    "penalized_tanh",
    "phish",
    "prelu",
    "qgeglu",
    "quick_gelu",
    "rational",
    "reglu",
    "relu",
    "relu6",
    "rrelu",
    "scaled_tanh",
    "selu",
    "serf",
    "sigmoid",
    "silu",
    "sine",
    "situ_glu",
    "smelu",
    "smish",
    "snake",
    "snake_beta",
    "soft_cap",
    "soft_clipping",
    "soft_exponential",
    "soft_shrink",
    "soft_sign",
    "softmax",
    "softmin",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "sqnl",
    "sqrt_softplus",
    "squared_relu",
    "squareplus",
    "sreglu",
    "srelu",
    "standardize",
    "star_relu",
    "swiglu",
    "swiglu_step",
    "swish",
    "tanh",
    "tanh_shrink",
    "tanhexp",
    "telu",
    "threshold",
    "thresholded_relu",
    "xielu",
]
