"""Activations that learn or are random, as Flax Linen modules.

They hold parameters and randomness only; the mathematics is in `jaxact`. Annotations say what an
option may be: anything else is a TypeError or a ValueError that names the module and the option.
"""

from .dense import GatedLinear, Maxout
from .exponentials import PELU, XIELU
from .input_dependent import DynamicReLU, FReLU
from .jumps import JumpReLU
from .normalization import Derf, DyT
from .periodic import Sine, Snake, SnakeBeta
from .randomised import RReLU
from .rational import Rational
from .rectifiers import APL, PReLU, SReLU, StarReLU
from .self_gated import ACON, Swish

__all__ = [
    "ACON",
    "APL",
    "PELU",
    "XIELU",
    "Derf",
    "DyT",
    "DynamicReLU",
    "FReLU",
    "GatedLinear",
    "JumpReLU",
    "Maxout",
    "PReLU",
    "RReLU",
    "Rational",
    "SReLU",
    "Sine",
    "Snake",
    "SnakeBeta",
    "StarReLU",
    "Swish",
]
