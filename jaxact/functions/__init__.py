"""The activation functions, a family to a file."""

from .algebraic_rectifiers import (
    sparse_plus as sparse_plus,
    squareplus as squareplus,
)
from .bounded_gates import (
    clamped_swiglu as clamped_swiglu,
    situ_glu as situ_glu,
    swiglu_step as swiglu_step,
)
from .dynamic_relu import dynamic_relu as dynamic_relu
from .exponentials import (
    celu as celu,
    elish as elish,
    elu as elu,
    exponential as exponential,
    hard_elish as hard_elish,
    selu as selu,
)
from .gates import (
    bilinear as bilinear,
    geglu as geglu,
    glu as glu,
    qgeglu as qgeglu,
    reglu as reglu,
    sreglu as sreglu,
    swiglu as swiglu,
)
from .hard_sigmoids import (
    hard_sigmoid as hard_sigmoid,
    hard_tanh as hard_tanh,
    sparse_sigmoid as sparse_sigmoid,
)
from .identity import identity as identity
from .inverse_roots import bent_identity as bent_identity, isrlu as isrlu, isru as isru
from .jumps import jump_relu as jump_relu, jump_step as jump_step
from .learned_exponentials import (
    pelu as pelu,
    xielu as xielu,
)
from .maxout import maxout as maxout
from .normalization import standardize as standardize
from .normalization_free import derf as derf, dyt as dyt
from .periodic import sine as sine, snake as snake, snake_beta as snake_beta
from .piecewise_linear import apl as apl, srelu as srelu
from .quadratic_rectifiers import (
    smelu as smelu,
    squared_relu as squared_relu,
    star_relu as star_relu,
)
from .rational import rational as rational
from .rectifiers import (
    clipped_relu as clipped_relu,
    leaky_relu as leaky_relu,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
    rrelu as rrelu,
    threshold as threshold,
    thresholded_relu as thresholded_relu,
)
from .self_gated_algebraic import (
    dish as dish,
    hard_mish as hard_mish,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
)
from .self_gated_composite import (
    logish as logish,
    phish as phish,
    serf as serf,
    smish as smish,
)
from .self_gated_logistic import (
    acon_c as acon_c,
    quick_gelu as quick_gelu,
    silu as silu,
    swish as swish,
)
from .self_gated_normal import (
    clipped_gelu as clipped_gelu,
    gelu as gelu,
)
from .self_gated_powers import (
    aria2 as aria2,
    beta_mish as beta_mish,
)
from .self_gated_tanh import (
    lisht as lisht,
    mila as mila,
    mish as mish,
    tanhexp as tanhexp,
    telu as telu,
)
from .shrinkage import (
    hard_shrink as hard_shrink,
    soft_shrink as soft_shrink,
    tanh_shrink as tanh_shrink,
)
from .sigmoids import (
    laplace as laplace,
    sigmoid as sigmoid,
    soft_clipping as soft_clipping,
    soft_sign as soft_sign,
    tanh as tanh,
)
from .signed_rectifiers import brelu as brelu, crelu as crelu
from .simplex import (
    log_softmax as log_softmax,
    logmeanexp as logmeanexp,
    logsumexp as logsumexp,
    one_hot as one_hot,
    softmax as softmax,
    softmin as softmin,
)
from .simplex_samples import gumbel_softmax as gumbel_softmax
from .soft_cap import soft_cap as soft_cap
from .soft_exponential import soft_exponential as soft_exponential
from .soft_rectifiers import (
    log1mexp as log1mexp,
    log_cosh as log_cosh,
    log_sigmoid as log_sigmoid,
    softplus as softplus,
    sqrt_softplus as sqrt_softplus,
)
from .sparse_features import gaussian_top_k as gaussian_top_k, k_winners as k_winners
from .sparse_simplex import entmax as entmax, hardmax as hardmax, sparsemax as sparsemax
from .tanh_variants import (
    penalized_tanh as penalized_tanh,
    scaled_tanh as scaled_tanh,
    sqnl as sqnl,
)
