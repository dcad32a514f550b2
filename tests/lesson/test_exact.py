"""Exact forms as answers: texts and exact numbers count as what they stand for, and nothing else gets evaluated."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import sympy
import torch

from chainrule.lesson.checks import expect
from chainrule.lesson.exact import value_of
from chainrule.lesson.student import CheckFailed
from chainrule.lesson.wire import pack, unpack


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ln 2", math.log(2)),
        ("-log(2)", -math.log(2)),
        (r"\ln 2", math.log(2)),
        (r"$-\ln 2$", -math.log(2)),
        ("2 ln 2", 2 * math.log(2)),
        ("-1/8", -0.125),
        (r"\frac{1}{8}", 0.125),
        (r"\frac{\ln 2}{2}", math.log(2) / 2),
        ("−0.25", -0.25),
        ("3×4", 12),
        ("5*5*1*16 + 16", 416),
        ("√2", math.sqrt(2)),
        (r"\sqrt{2}/2", math.sqrt(2) / 2),
        ("e^0.5 / (1 + e^{0.5})", math.exp(0.5) / (1 + math.exp(0.5))),
        ("10^-3", 0.001),
        ("math.log(2)", math.log(2)),
        ("pi", math.pi),
        ("1e-3", 0.001),
    ],
)
def test_an_expression_has_its_value(text: str, value: float) -> None:
    assert value_of(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "two",
        "0,5",
        "True",
        "1j",
        "1/0",
        "ln 0",
        "(-8)^(1/3)",
        "9**9**9**9",
        "1e400",
        "[1]",
        "1 if 1 else 2",
        "__import__('os')",
        "().__class__",
        "exp(1, 2)",
        "(" * 150,
        "1" + "+1" * 200,
    ],
)
def test_anything_else_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|Error|domain"):
        value_of(text)


@pytest.mark.parametrize(
    "answer",
    [
        [0.5, -0.125],
        ["1/2", "-1/8"],
        ("1/2", -0.125),
        [Fraction(1, 2), Fraction(-1, 8)],
        [Decimal("0.5"), Decimal("-0.125")],
        [sympy.Rational(1, 2), -sympy.exp(-3 * sympy.log(2))],
        torch.tensor([0.5, -0.125]),
    ],
)
def test_exact_answers_count_like_decimals(answer: Any) -> None:
    expect(unpack(pack(answer))).close_to([0.5, -0.125])


def test_a_matrix_of_exact_numbers_counts_like_decimals() -> None:
    H = sympy.hessian(sympy.sympify("(10*x**2 + y**2) / 2"), sympy.symbols("x y"))
    expect(unpack(pack(H))).close_to([[10, 0], [0, 1]])


def test_a_text_that_is_no_number_is_quoted() -> None:
    with pytest.raises(CheckFailed, match=r'J has the text "about 0\.7", which'):
        expect("about 0.7", "J").close_to(0.7)
