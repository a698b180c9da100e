"""The namespace `m` in rigorous ball arithmetic (Arb), on truncated power series.

A formula evaluated at the series x + t yields its value and all its derivatives at once, each as
a ball that certainly holds the exact number.
"""

from flint import arb, arb_series, ctx

from .branches import Branches


class Undecided(ArithmeticError):
    """The balls are too wide to decide a comparison: the working precision must grow."""


class Series:
    """A power series in t, cut off after `ctx.cap` terms, whose coefficients are balls.

    Comparisons look at the constant terms, so a branch is chosen by the point and not by its
    neighbourhood. A quotient whose divisor may be zero is not a number, and raises nothing: it
    may stand in a branch that is not taken.
    """

    __slots__ = ("terms",)

    def __init__(self, terms):
        self.terms = terms if isinstance(terms, arb_series) else arb_series(terms)

    def __neg__(self):
        return Series(-self.terms)

    def __add__(self, other):
        return Series(self.terms + _terms(other))

    def __sub__(self, other):
        return Series(self.terms - _terms(other))

    def __rsub__(self, other):
        return Series(_terms(other) - self.terms)

    def __mul__(self, other):
        return Series(self.terms * _terms(other))

    def __truediv__(self, other):
        return _quotient(self.terms, _terms(other))

    def __rtruediv__(self, other):
        return _quotient(_terms(other), self.terms)

    def __pow__(self, exponent):
        if isinstance(exponent, int) and exponent >= 0:
            return Series(self.terms**exponent)
        return BALLS.exp(BALLS.log(self) * exponent)

    __radd__ = __add__
    __rmul__ = __mul__

    __hash__ = None

    def __eq__(self, other):
        a, b = self.terms[0], _constant(other)
        return _decide(a == b, a != b)

    def __gt__(self, other):
        a, b = self.terms[0], _constant(other)
        return _decide(a > b, a <= b)

    def __ge__(self, other):
        a, b = self.terms[0], _constant(other)
        return _decide(a >= b, a < b)

    def __lt__(self, other):
        return not self >= other

    def __le__(self, other):
        return not self > other


class Balls(Branches):
    """Functions of a `Series`, or of a number, which is exact."""

    @property
    def pi(self):
        return Series([arb.pi()])

    def number(self, digits):
        """The decimal constant, to the working precision."""
        return Series([arb(digits)])

    def exp(self, x):
        return Series(as_terms(x).exp())

    def expm1(self, x):
        x = as_terms(x)
        return _replace_constant(x.exp(), x[0].expm1())

    def log(self, x):
        return Series(as_terms(x).log())

    def log1p(self, x):
        x = as_terms(x)
        return _replace_constant((1 + x).log(), x[0].log1p())

    def sqrt(self, x):
        return Series(as_terms(x).sqrt())

    def sin(self, x):
        return Series(as_terms(x).sin())

    def cos(self, x):
        return Series(as_terms(x).cos())

    def sinh(self, x):
        growth = self.expm1(x)
        return (growth + growth / (1 + growth)) / 2

    def cosh(self, x):
        growth = self.exp(x)
        return (growth + 1 / growth) / 2

    def tanh(self, x):
        """Through the exponential that decays, which keeps the derivatives accurate."""
        falling = as_terms(x)[0] < 0
        decay = self.expm1(2 * x if falling else -2 * x)
        rise = decay / (2 + decay)
        return rise if falling else -rise

    def atan(self, x):
        return Series(as_terms(x).atan())

    def erf(self, x):
        return Series(as_terms(x).erf())

    def erfc(self, x):
        return Series(as_terms(x).erfc())


BALLS = Balls()


def as_terms(value) -> arb_series:
    """The power series that a formula returned, be it a number."""
    return value.terms if isinstance(value, Series) else arb_series([value])


def _terms(value):
    return value.terms if isinstance(value, Series) else value


def _constant(value):
    return value.terms[0] if isinstance(value, Series) else value


def _replace_constant(series, constant):
    return Series([constant, *series.coeffs()[1:]])


def _quotient(dividend, divisor):
    constant = divisor[0] if isinstance(divisor, arb_series) else arb(divisor)
    if constant.contains(0):
        return Series([arb.nan()] * ctx.cap)
    return Series(dividend / divisor)


def _decide(holds, fails):
    if not (holds or fails):
        raise Undecided
    return holds
