"""The activation functions, a family to a file."""

from .exponentials import elu as elu
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
from .sigmoids import sigmoid as sigmoid, tanh as tanh
