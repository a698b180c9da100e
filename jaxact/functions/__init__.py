"""The activation functions, a family to a file."""

from .exponentials import celu as celu, elu as elu, selu as selu
from .identity import identity as identity
from .maxout import maxout as maxout
from .rectifiers import (
    clipped_relu as clipped_relu,
    leaky_relu as leaky_relu,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
    rrelu as rrelu,
)
from .self_gated import (
    gelu as gelu,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    mish as mish,
    silu as silu,
    swish as swish,
)
from .sigmoids import (
    hard_sigmoid as hard_sigmoid,
    hard_tanh as hard_tanh,
    sigmoid as sigmoid,
    soft_sign as soft_sign,
    sparse_sigmoid as sparse_sigmoid,
    tanh as tanh,
)
from .soft_rectifiers import (
    log_sigmoid as log_sigmoid,
    softplus as softplus,
    sparse_plus as sparse_plus,
    squareplus as squareplus,
)
