"""Exact forms as answers: the texts "ln 2", "-1/8" and "e^0.5 / (1 + e^0.5)" are numbers, too."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable

MAX_LENGTH = 200

OPERATIONS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
FUNCTIONS = {
    "ln": math.log,
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
}  # log is natural, as in the course
CONSTANTS = {"e": math.e, "pi": math.pi}

# Usual spellings, TeX's too, and Python's. The patterns are applied one after the other.
SPELLINGS = [
    (r"[−–]", "-"),
    (r"[·×]|\\cdot|\\times", "*"),
    (r"π|\\pi", " pi "),
    (r"√", "sqrt "),
    (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
    (r"\\left|\\right|\$", ""),
    (r"\\(ln|log|exp|sqrt)\b", r"\1 "),
    (r"\bmath\.|\bnp\.|\btorch\.", ""),
    (r"\\?%\s*$", "/100"),
    (r"\{", "("),
    (r"\}", ")"),
    (r"\^", "**"),
    (r"\b(ln|log|exp|sqrt)\s+([\d.]+|e\b|pi\b)", r"\1(\2)"),
    (r"(\d|\))\s*(?=(?:ln|log|exp|sqrt|pi)\b)", r"\1*"),
]


def value_of(text: str) -> float:
    """The value of an arithmetic expression.

    Args:
        text: numbers, + - * / ^, brackets, e, pi, ln (log is the same), exp, sqrt, % at the end; in TeX, too.
    Raises:
        ValueError: it is not such an expression, or its value is not finite.

    >>> value_of(r"\\frac{1}{2} + sqrt(4)"), value_of("50%")
    (2.5, 0.5)
    """
    if len(text) > MAX_LENGTH:
        raise ValueError("it is too long")
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    try:
        value = evaluated(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(f"it is not to be evaluated ({type(error).__name__})") from None
    if not math.isfinite(value):
        raise ValueError("it is not finite")
    return value


def evaluated(node: ast.AST) -> float:
    """The value of a node of the syntax tree.

    Raises:
        ValueError: the node is something other than arithmetic.

    >>> evaluated(ast.parse("2 * e ** 0", mode="eval").body)
    2.0
    """
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](evaluated(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](evaluated(left), evaluated(right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](evaluated(argument))
    raise ValueError("it is more than arithmetic")
