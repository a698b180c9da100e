"""The activation functions, a family to a file."""

from .exponentials import elu as elu
from .identity import identity as identity
from .maxout import maxout as maxout
from .rectifiers import clipped_relu as clipped_relu
from .rectifiers import leaky_relu as leaky_relu
from .rectifiers import prelu as prelu
from .rectifiers import relu as relu
from .rectifiers import relu6 as relu6
from .rectifiers import rrelu as rrelu
from .sigmoids import sigmoid as sigmoid
from .sigmoids import tanh as tanh
