"""The namespace `m` in mpmath: slow, of any precision, and independent of Arb."""

import mpmath

from .branches import Branches

_context = mpmath.mp.clone()


class Multiprecision(Branches):
    """Functions of mpmath's numbers, in a context of its own."""

    context = _context
    exp, expm1, log, log1p, sqrt = (getattr(_context, n) for n in "exp expm1 log log1p sqrt".split())
