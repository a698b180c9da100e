"""Formulas as trees: what a declaration's one expression becomes over the namespace `Tree`.

A tree can be differentiated here, set by `latex`, and compiled for the browser by `javascript`.
Sums and products keep the order in which they were written, with like terms together.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


class Expression:
    """A node; arithmetic of Python makes others of it."""

    def __add__(self, other):
        return total([self, expression(other)])

    def __radd__(self, other):
        return total([expression(other), self])

    def __sub__(self, other):
        return total([self, -expression(other)])

    def __rsub__(self, other):
        return total([expression(other), -self])

    def __mul__(self, other):
        return product([self, expression(other)])

    def __rmul__(self, other):
        return product([expression(other), self])

    def __truediv__(self, other):
        return product([self, power(expression(other), Number(Fraction(-1)))])

    def __rtruediv__(self, other):
        return product([expression(other), power(self, Number(Fraction(-1)))])

    def __pow__(self, exponent):
        return power(self, expression(exponent))

    def __neg__(self):
        return product([Number(Fraction(-1)), self])

    def __gt__(self, other):
        return Comparison(self, ">", expression(other))

    def __ge__(self, other):
        return Comparison(self, ">=", expression(other))

    def __lt__(self, other):
        return Comparison(self, "<", expression(other))

    def __le__(self, other):
        return Comparison(self, "<=", expression(other))


@dataclass(frozen=True)
class Number(Expression):
    """An exact number."""

    value: Fraction


@dataclass(frozen=True)
class Symbol(Expression):
    """The input, a parameter, or pi."""

    name: str


@dataclass(frozen=True)
class Sum(Expression):
    """Two terms or more."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Product(Expression):
    """Two factors or more; a number, if there is one, comes first."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True)
class Power(Expression):
    """A base with an exponent."""

    base: Expression
    exponent: Expression


@dataclass(frozen=True)
class Call(Expression):
    """A function of one argument."""

    name: str
    argument: Expression


@dataclass(frozen=True)
class Extreme(Expression):
    """The larger of two, "max", or the smaller, "min"."""

    name: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Comparison:
    """What decides a branch."""

    left: Expression
    sign: str
    right: Expression


@dataclass(frozen=True)
class Where(Expression):
    """Pieces, each under a condition, and what holds otherwise."""

    pieces: tuple[tuple[Comparison, Expression], ...]
    otherwise: Expression


ZERO, ONE, HALF = Number(Fraction(0)), Number(Fraction(1)), Number(Fraction(1, 2))
PI = Symbol("pi")


def expression(x: Any) -> Expression:
    """A Python number as a node, in the decimals it is written in; nodes as they are."""
    if isinstance(x, Expression):
        return x
    return Number(Fraction(x) if isinstance(x, int | Fraction) else Fraction(repr(x)))


def total(terms: Iterable[Expression]) -> Expression:
    """The sum, like terms collected."""
    coefficients: dict[frozenset | None, Fraction] = {}
    first: dict[frozenset | None, Expression] = {}
    for term in terms:
        for part in _terms(term):
            number, rest = _coefficient(part)
            key = frozenset(_factors(rest)) if rest != ONE else None
            coefficients[key] = coefficients.get(key, Fraction(0)) + number
            first.setdefault(key, rest)
    kept = [product([Number(c), first[key]]) for key, c in coefficients.items() if c]
    return kept[0] if len(kept) == 1 else Sum(tuple(kept)) if kept else ZERO


def product(factors: Iterable[Expression]) -> Expression:
    """The product, powers of one base collected, a single choice of pieces multiplied out."""
    number, exponents = Fraction(1), dict[Expression, Expression]()
    for factor in factors:
        for part in _factors(factor):
            base, exponent = (part.base, part.exponent) if isinstance(part, Power) else (part, ONE)
            if isinstance(base, Number) and _is_whole(exponent):
                number *= base.value ** int(exponent.value)
            else:
                exponents[base] = exponents.get(base, ZERO) + exponent
    if not number:
        return ZERO
    for signed in [base for base in exponents if isinstance(base, Call) and base.name == "sign"]:
        argument = signed.argument
        if exponents.get(argument) == ONE and exponents[signed] == ONE:  # u sign(u) = abs(u)
            exponents = {
                Call("abs", u) if u == argument else u: e
                for u, e in exponents.items()
                if u != signed
            }
    kept = [power(base, exponent) for base, exponent in exponents.items()]
    for part in [part for part in kept if isinstance(part, Number)]:
        number *= part.value
        kept.remove(part)
    choices = [part for part in kept if isinstance(part, Where)]
    if len(choices) == 1:
        others = [Number(number), *(part for part in kept if part is not choices[0])]
        return _each(choices[0], lambda piece: product([*others, piece]))
    kept = [part for part in kept if part != ONE]
    kept = ([Number(number)] if number != 1 else []) + kept
    return kept[0] if len(kept) == 1 else Product(tuple(kept)) if kept else ONE


def power(base: Expression, exponent: Expression) -> Expression:
    """A power; of numbers, of products and of powers too."""
    if exponent == ZERO:
        return ONE
    if exponent == ONE:
        return base
    if isinstance(base, Power):
        return power(base.base, base.exponent * exponent)
    if isinstance(base, Product) and _is_whole(exponent):
        return product(power(factor, exponent) for factor in base.factors)
    if isinstance(base, Number) and _is_whole(exponent) and base.value:
        return Number(base.value ** int(exponent.value))
    if base == ONE:
        return ONE
    return Power(base, exponent)


def where(condition: Comparison, then: Any, otherwise: Any) -> Expression:
    """A choice; one in the branch that is not taken is continued."""
    then, otherwise = expression(then), expression(otherwise)
    if then == otherwise:
        return then
    if isinstance(otherwise, Where):
        return Where(((condition, then), *otherwise.pieces), otherwise.otherwise)
    return Where(((condition, then),), otherwise)


def _terms(term: Expression) -> tuple[Expression, ...]:
    match term:
        case Sum(terms):
            return terms
        case Product((Number(value=-1), Sum(terms))):
            return tuple(-part for part in terms)
    return (term,)


def _each(choice: Where, function) -> Expression:
    result = function(choice.otherwise)
    for condition, piece in reversed(choice.pieces):
        result = where(condition, function(piece), result)
    return result


def _coefficient(term: Expression) -> tuple[Fraction, Expression]:
    if isinstance(term, Number):
        return term.value, ONE
    if isinstance(term, Product) and isinstance(term.factors[0], Number):
        number, *rest = term.factors
        return number.value, product(rest)
    return Fraction(1), term


def _factors(term: Expression) -> tuple[Expression, ...]:
    return term.factors if isinstance(term, Product) else (term,)


def _is_whole(exponent: Expression) -> bool:
    return isinstance(exponent, Number) and exponent.value.denominator == 1


class Tree:
    """The namespace `m` of formulas, over trees."""

    pi = PI
    where = staticmethod(where)

    @staticmethod
    def number(text: str) -> Number:
        """A number as it is written."""
        return Number(Fraction(text))

    @staticmethod
    def sqrt(x: Any) -> Expression:
        """The square root, as a power."""
        return power(expression(x), HALF)

    @staticmethod
    def maximum(a: Any, b: Any) -> Expression:
        """The larger of two."""
        return Extreme("max", expression(a), expression(b))

    @staticmethod
    def minimum(a: Any, b: Any) -> Expression:
        """The smaller of two."""
        return Extreme("min", expression(a), expression(b))

    def __getattr__(self, name: str):
        if name not in _DERIVATIVES:
            raise AttributeError(f"formulas have no function {name!r} yet: give it a derivative")
        return lambda x: Call(name, expression(x))


# --- What formulas say in short -------------------------------------------------------------------


def abbreviated(e: Expression) -> Expression:
    """The same with sigmoid, softplus and the normal distribution by their names.

    Their derivatives are short, and so are the derivatives of what is made of them.
    """
    match e:
        case Sum(terms):
            return total(map(abbreviated, terms))
        case Product(factors):
            return product(map(abbreviated, factors))
        case Power(Sum((Number(value=1), Call("exp", u))), Number(value=-1)):
            return Call("sigmoid", -abbreviated(u))
        case Power(base, exponent):
            return power(abbreviated(base), abbreviated(exponent))
        case Call("log1p", Call("exp", u)) | Call("log", Sum((Number(value=1), Call("exp", u)))):
            return Call("softplus", abbreviated(u))
        case Call("log", Product((Sum((Number(value=1), Call("exp", u))), below))) if (
            isinstance(below, Power) and below.exponent == -ONE
        ):
            return Call("softplus", abbreviated(u)) - abbreviated(Call("log", below.base))
        case Call("log", Call("cosh", u)):
            return Call("log_cosh", abbreviated(u))
        case Call("erfc", u):
            return 2 * Call("Phi", -power(expression(2), HALF) * abbreviated(u))
        case Call(name, u):
            return Call(name, abbreviated(u))
        case Extreme(name, left, right):
            return Extreme(name, abbreviated(left), abbreviated(right))
        case Where():
            return _each(e, abbreviated)
    return e


# --- Derivatives ----------------------------------------------------------------------------------

_TWO_OVER_ROOT_PI = 2 * power(PI, -HALF)

_DERIVATIVES = {
    "exp": lambda u: Call("exp", u),
    "expm1": lambda u: Call("exp", u),
    "log": lambda u: 1 / u,
    "log1p": lambda u: 1 / (1 + u),
    "sin": lambda u: Call("cos", u),
    "cos": lambda u: -Call("sin", u),
    "tanh": lambda u: Call("sech", u) ** 2,
    "sech": lambda u: -Call("sech", u) * Call("tanh", u),
    "sinh": lambda u: Call("cosh", u),
    "cosh": lambda u: Call("sinh", u),
    "atan": lambda u: 1 / (1 + u * u),
    "abs": lambda u: Call("sign", u),
    "sign": lambda u: ZERO,
    "erf": lambda u: _TWO_OVER_ROOT_PI * Call("exp", -(u**2)),
    "erfc": lambda u: -_TWO_OVER_ROOT_PI * Call("exp", -(u**2)),
    "Phi": lambda u: Call("phi", u),
    "phi": lambda u: -u * Call("phi", u),
    "sigmoid": lambda u: Call("sigmoid", u) * Call("sigmoid", -u),
    "softplus": lambda u: Call("sigmoid", u),
    "log_cosh": lambda u: Call("tanh", u),
}


def derivative(e: Expression, by: Symbol) -> Expression:
    """The derivative; at kinks that of one side."""
    match e:
        case Number():
            return ZERO
        case Symbol():
            return ONE if e == by else ZERO
        case Sum(terms):
            return total(derivative(term, by) for term in terms)
        case Product(factors):
            return total(
                product([*factors[:i], derivative(factor, by), *factors[i + 1 :]])
                for i, factor in enumerate(factors)
            )
        case Power(base, exponent):
            if derivative(exponent, by) != ZERO:
                raise NotImplementedError("no formula has its variable in an exponent, but for exp")
            return exponent * power(base, exponent - 1) * derivative(base, by)
        case Call(name, argument):
            return _DERIVATIVES[name](argument) * derivative(argument, by)
        case Extreme(name, left, right):
            first = left > right if name == "max" else left < right
            return where(first, derivative(left, by), derivative(right, by))
        case Where():
            return _each(e, lambda piece: derivative(piece, by))
    raise TypeError(f"{e!r} is no expression")


# --- Values ---------------------------------------------------------------------------------------

_FUNCTIONS = {
    **{name: getattr(math, name) for name in "exp expm1 log log1p sin cos tanh sinh cosh".split()},
    **{name: getattr(math, name) for name in "atan erf erfc".split()},
    "abs": abs,
    "sign": lambda u: math.copysign(1.0, u) if u else 0.0,
    "sech": lambda u: 1 / math.cosh(u),
    "Phi": lambda u: math.erfc(-u / math.sqrt(2)) / 2,
    "phi": lambda u: math.exp(-u * u / 2) / math.sqrt(2 * math.pi),
    "sigmoid": lambda u: 1 / (1 + math.exp(-u)),
    "softplus": lambda u: math.log1p(math.exp(u)),
    "log_cosh": lambda u: math.log(math.cosh(u)),
}


def evaluate(e: Expression, at: dict[str, float]) -> float:
    """The value of an expression, for numbers in the place of its symbols."""
    match e:
        case Number(number):
            return float(number)
        case Symbol(name):
            return math.pi if e == PI else at[name]
        case Sum(terms):
            return sum(evaluate(term, at) for term in terms)
        case Product(factors):
            return math.prod(evaluate(factor, at) for factor in factors)
        case Power(base, exponent):
            return evaluate(base, at) ** evaluate(exponent, at)
        case Call(name, argument):
            return _FUNCTIONS[name](evaluate(argument, at))
        case Extreme(name, left, right):
            return (max if name == "max" else min)(evaluate(left, at), evaluate(right, at))
        case Where(pieces, otherwise):
            taken = (piece for condition, piece in pieces if holds(condition, at))
            return evaluate(next(taken, otherwise), at)
    raise TypeError(f"{e!r} is no expression")


def holds(condition: Comparison, at: dict[str, float]) -> bool:
    """Whether a condition holds."""
    left, right = evaluate(condition.left, at), evaluate(condition.right, at)
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[
        condition.sign
    ]
