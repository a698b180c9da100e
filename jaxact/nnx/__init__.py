"""Activations that learn or are random, as Flax NNX modules.

They hold parameters and randomness only; the mathematics is in `jaxact`. Annotations say what an
option may be: anything else is a TypeError or a ValueError that names the module and the option.
"""

from .dense import GatedLinear as GatedLinear, Maxout as Maxout
from .exponentials import PELU as PELU, XIELU as XIELU
from .input_dependent import DynamicReLU as DynamicReLU, FReLU as FReLU
from .jumps import JumpReLU as JumpReLU
from .normalization import Derf as Derf, DyT as DyT
from .periodic import Sine as Sine, Snake as Snake, SnakeBeta as SnakeBeta
from .randomised import RReLU as RReLU
from .rational import Rational as Rational
from .rectifiers import APL as APL, PReLU as PReLU, SReLU as SReLU, StarReLU as StarReLU
from .self_gated import ACON as ACON, Swish as Swish
