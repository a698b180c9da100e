"""Expressions as LaTeX."""

from fractions import Fraction

from .expressions import (
    HALF,
    ZERO,
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
    derivative,
    power,
    product,
)

GREEK = {"alpha", "beta", "mu", "omega", "sigma", "theta", "pi"}
NAMES = {
    "log": r"\log",
    "sin": r"\sin",
    "cos": r"\cos",
    "tanh": r"\tanh",
    "sinh": r"\sinh",
    "cosh": r"\cosh",
    "sech": r"\mathrm{sech}",
    "atan": r"\arctan",
    "sign": r"\mathrm{sign}",
    "erf": r"\mathrm{erf}",
    "erfc": r"\mathrm{erfc}",
    "softplus": r"\mathrm{softplus}",
    "sigmoid": r"\sigma",
    "Phi": r"\Phi",
    "phi": r"\varphi",
}
ABBREVIATIONS = {  # what a reader may have to be told
    "sigmoid": r"\sigma(u) = \frac{1}{1 + e^{-u}}",
    "softplus": r"\mathrm{softplus}(u) = \log(1 + e^{u})",
    "Phi": r"\Phi(u) = \frac{1}{2} \mathrm{erfc}\left(-\frac{u}{\sqrt{2}}\right)",
    "phi": r"\varphi(u) = \frac{1}{\sqrt{2 \pi}} e^{-u^{2} / 2}",
    "sech": r"\mathrm{sech}(u) = \frac{1}{\cosh(u)}",
}
X = Symbol("x")
SUM, PRODUCT, POWER = range(3)  # how tightly a place binds


def latex(e: Expression, place: int = SUM) -> str:
    """An expression, in parentheses where its place binds more tightly."""
    match e:
        case Number(value):
            return _enclosed(number(value), value < 0 and place > SUM)
        case Symbol(name):
            return symbol(name)
        case Sum(terms):
            return _enclosed(_sum(terms), place > SUM)
        case Product():
            text = _product(e)
            return _enclosed(text, place > PRODUCT or (place > SUM and text.startswith("-")))
        case Power(base, exponent) if exponent == HALF:
            return rf"\sqrt{{{latex(base)}}}"
        case Power(_, Number(value)) if value < 0:
            return _enclosed(_product(Product((e,))), place > PRODUCT)
        case Power(Call(name, argument), exponent) if name in NAMES:
            return f"{NAMES[name]}^{{{latex(exponent)}}}{_argument(argument)}"
        case Power(base, exponent):
            return f"{latex(base, POWER)}^{{{latex(exponent)}}}"
        case Call("exp", argument):
            return f"e^{{{_flat(argument)}}}"
        case Call("expm1", argument):
            return _enclosed(f"e^{{{_flat(argument)}}} - 1", place > SUM)
        case Call("log1p", argument):
            return r"\log" + _argument(1 + argument)
        case Call("log_cosh", argument):
            return rf"\log(\cosh{_argument(argument)})"
        case Extreme(name, left, right):
            return rf"\{name}" + _enclosed(f"{latex(left)}, {latex(right)}", True)
        case Call("abs", argument):
            return rf"\left|{latex(argument)}\right|"
        case Call(name, argument):
            return NAMES[name] + _argument(argument)
        case Where(pieces, otherwise):
            lines = [rf"{latex(piece)} & \text{{if }} {_condition(c)}" for c, piece in pieces]
            lines.append(rf"{latex(otherwise)} & \text{{otherwise}}")
            return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"
    raise TypeError(f"{e!r} is no expression")


def abbreviations(e: Expression) -> list[str]:
    """What the abbreviations in an expression stand for."""
    return [text for name, text in ABBREVIATIONS.items() if name in _called(e)]


def number(value: Fraction) -> str:
    """A number: a short fraction as such, others in decimals."""
    if value.denominator == 1 or value.denominator > 12 or value.denominator in (5, 10):
        return f"{float(value):.10g}"
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def symbol(name: str) -> str:
    """A name as mathematics writes it: Greek letters, indices."""
    stem, _, index = name.rstrip("]").partition("[")
    if index:  # of a tuple: by its first letter
        stem = stem[0]
    elif stem[:-1] in ("p", "alpha_") and stem not in GREEK:  # p1, alpha_p
        stem, index = stem[:-1].rstrip("_"), stem[-1]
    if stem in GREEK:
        text = f"\\{stem}"
    elif len(stem) == 1:
        text = stem
    else:
        text = rf"\mathrm{{{stem.replace('_', chr(92) + '_')}}}"
    return f"{text}_{{{index}}}" if index else text


def _sum(terms: tuple[Expression, ...]) -> str:
    each = sorted(map(latex, terms), key=lambda shown: shown.startswith("-"))
    text = each[0]
    for shown in each[1:]:
        text += f" - {shown[1:]}" if shown.startswith("-") else f" + {shown}"
    return text


def _product(e: Product) -> str:
    """Numerator over denominator; a simple number before the fraction."""
    above: list[Expression] = []
    below: list[Expression] = []
    sign = ""
    for factor in e.factors:
        match factor:
            case Number(value):
                sign = "-" if value < 0 else ""
                value = abs(value)
                if number(value).startswith("\\"):
                    above += [Number(Fraction(value.numerator))] if value.numerator != 1 else []
                    below.append(Number(Fraction(value.denominator)))
                elif value != 1:
                    above.append(Number(value))
            case Power(base, Number(value)) if value < 0:
                below.append(power(base, Number(-value)))
            case _:
                above.append(factor)
    if not below:
        return sign + _row(above)
    return rf"{sign}\frac{{{_row(above)}}}{{{_row(below)}}}"


def _row(factors: list[Expression]) -> str:
    if not factors:
        return "1"
    if len(factors) == 1:
        return latex(factors[0])
    text = ""
    for factor in sorted(factors, key=_rank):
        shown = latex(factor, PRODUCT)
        apart = "mathrm" in text + shown or _rank(factor) == _rank(Call("log", X))
        text += (r" \, " if text and apart else " ") + shown
    return text.strip()


def _rank(factor: Expression) -> int:
    """Numbers first, then what does not depend on the input, the input, sums, functions."""
    base = factor.base if isinstance(factor, Power) else factor
    if not isinstance(base, Number) and derivative(base, X) == ZERO:
        base = Symbol("constant")
    order = (Number, Symbol, Sum, Product, Power, Call, Extreme, Where)
    return 2 * order.index(type(base)) + (base == X)


def _argument(argument: Expression) -> str:
    return _enclosed(latex(argument), True)


def _flat(argument: Expression) -> str:
    """An exponent: fractions with a slash."""
    if isinstance(argument, Product):
        above = [f for f in argument.factors if not _is_below(f)]
        below = [power(f.base, -f.exponent) for f in argument.factors if _is_below(f)]
        if below:
            under = product(below)
            return f"{latex(product(above), PRODUCT)} / {latex(under, POWER)}"
    return latex(argument)


def _is_below(factor: Expression) -> bool:
    return isinstance(factor, Power) and latex(factor.exponent).startswith("-")


def _condition(condition: Comparison) -> str:
    sign = {">=": r"\ge", "<=": r"\le"}.get(condition.sign, condition.sign)
    return f"{latex(condition.left)} {sign} {latex(condition.right)}"


def _enclosed(text: str, needed: bool) -> str:
    if not needed:
        return text
    tall = any(sign in text for sign in (r"\frac", r"\begin", r"\sqrt", "^"))
    return rf"\left({text}\right)" if tall else f"({text})"


def _called(e: Expression) -> set[str]:
    match e:
        case Sum(parts) | Product(parts):
            return set().union(*map(_called, parts))
        case Extreme(_, left, right):
            return _called(left) | _called(right)
        case Power(base, exponent):
            return _called(base) | _called(exponent)
        case Call(name, argument):
            return {name} | _called(argument)
        case Where(pieces, otherwise):
            return set().union(_called(otherwise), *(_called(piece) for _, piece in pieces))
    return set()
