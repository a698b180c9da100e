"""The namespace `m` in mpmath: slow, of any precision, and independent of Arb."""

import mpmath

from .branches import Branches

_mp = mpmath.mp.clone()  # a context of its own: precision and division are changed here only


class Multiprecision(Branches):
    """Functions of a number of mpmath."""

    pi = _mp.pi
    number = staticmethod(_mp.mpf)
    exp = staticmethod(_mp.exp)
    expm1 = staticmethod(_mp.expm1)
    log = staticmethod(_mp.log)
    log1p = staticmethod(_mp.log1p)
    sqrt = staticmethod(_mp.sqrt)
    sin = staticmethod(_mp.sin)
    cos = staticmethod(_mp.cos)
    sinh = staticmethod(_mp.sinh)
    cosh = staticmethod(_mp.cosh)
    atan = staticmethod(_mp.atan)
    erf = staticmethod(_mp.erf)
    erfc = staticmethod(_mp.erfc)

    def tanh(self, x):
        """The hyperbolic tangent, also where mpmath would need as many bits as x is large."""
        return _mp.tanh(x) if abs(x) < 2**20 else _mp.sign(x)


MULTIPRECISION = Multiprecision()


def derivative(formula, x, order=0, params=None, digits=50):
    """The formula's derivative at one point, by mpmath's finite differences, to so many digits.

    The formula must be smooth at the point. `digits` has to cover what the formula cancels.
    """
    with _mp.workdps(digits):
        params = {k: _exact(v) for k, v in (params or {}).items()}
        return _mp.diff(lambda t: formula(MULTIPRECISION, t, **params), _mp.mpf(x), order)


def _exact(parameter):
    """A number of mpmath, or a tuple of them; a flag stays what it is."""
    if isinstance(parameter, tuple):
        return tuple(map(_exact, parameter))
    return parameter if isinstance(parameter, bool) else _mp.mpf(parameter)


def _harmless(divide):
    """Lets a quotient by zero be not-a-number: it may stand in a branch that is not taken."""

    def divide_or_nan(dividend, divisor):
        try:
            return divide(dividend, divisor)
        except ZeroDivisionError:
            return _mp.nan

    return divide_or_nan


for _name in ("__truediv__", "__rtruediv__"):
    setattr(_mp.mpf, _name, _harmless(getattr(_mp.mpf, _name)))
