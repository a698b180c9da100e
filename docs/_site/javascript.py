"""Expressions as JavaScript: functions of x and of an object of parameters."""

from .expressions import (
    PI,
    Call,
    Comparison,
    Expression,
    Extreme,
    Number,
    Power,
    Product,
    Sum,
    Symbol,
    Where,
)

OURS = {"sech", "Phi", "phi", "sigmoid", "softplus", "log_cosh", "erf", "erfc"}  # in curves.js


def javascript(e: Expression) -> str:
    """An expression, in parentheses."""
    match e:
        case Number(value):
            return f"({float(value)!r})"
        case Symbol(name):
            return "Math.PI" if e == PI else name if name == "x" else f'p["{name}"]'
        case Sum(terms):
            return f"({'+'.join(map(javascript, terms))})"
        case Product(factors):
            return f"({'*'.join(map(javascript, factors))})"
        case Power(base, exponent):
            return f"Math.pow({javascript(base)},{javascript(exponent)})"
        case Call(name, argument):
            return f"{'m' if name in OURS else 'Math'}.{name}({javascript(argument)})"
        case Extreme(name, left, right):
            return f"Math.{name}({javascript(left)},{javascript(right)})"
        case Where(pieces, otherwise):
            text = javascript(otherwise)
            for condition, piece in reversed(pieces):
                text = f"({_condition(condition)}?{javascript(piece)}:{text})"
            return text
    raise TypeError(f"{e!r} is no expression")


def _condition(condition: Comparison) -> str:
    return f"{javascript(condition.left)}{condition.sign}{javascript(condition.right)}"
