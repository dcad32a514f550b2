"""Which answers are equal: case, blanks, punctuation and spacing in formulas change nothing, everything else does."""

from __future__ import annotations

import marking_class
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from chainrule.marking.answers import Answer, Item, difference, groups, in_order, normal_form

SAME = [
    ("Variances add up, so it is $d$.", "variances add up so it is $d$"),
    ("It  is\n$a+b$ .", "it is $a + b$."),
    (r"$\frac{1}{2}\, x$", r"$\dfrac12 x$".replace("12", "{1}{2}")),
    (r"$\left( a \right)$", "$(a)$"),
    ("The “mean” is 0", 'the "mean" is 0'),
    ("the value −1", "the value -1"),
]
OTHERS = [
    ("the value is 0.5", "the value is 5"),
    ("the value is 0.5", "the value is -0.5"),
    ("it is 1,000", "it is 1.000"),
    ("it vanishes", "it does not vanish"),
    ("$x^2$", "$x_2$"),
    ("$W$", "$w$"),
    ("x² grows", "x2 grows"),
    ("V is larger", "v is larger"),
    (r"$\alpha x$", r"$\alphax$"),
    ("$a < b$", "$a > b$"),
    ("n! ways", "n ways"),
    ("`A.b`", "`a.b`"),
    ("a (b) c", "a b c"),
    ("yes: $a$ and not $b$", "yes: $b$ and not $a$"),
    ("Only if d > 1", "Only if d >= 1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_answer_in_another_layout(one: str, other: str) -> None:
    assert normal_form(new_markdown_cell(one)) == normal_form(new_markdown_cell(other))


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_near_twins_are_different_answers(one: str, other: str) -> None:
    assert normal_form(new_markdown_cell(one)) != normal_form(new_markdown_cell(other))


def test_code_and_attached_images_count_as_they_are() -> None:
    assert normal_form(new_code_cell("A = 1")) != normal_form(new_code_cell("a = 1"))
    with_image = new_markdown_cell("See", attachments={"a.png": {"image/png": "AAAA"}})
    other = new_markdown_cell("See", attachments={"a.png": {"image/png": "BBBB"}})
    assert normal_form(with_image) != normal_form(other)


def answers(texts: dict[str, str]) -> dict[str, Answer]:
    cells = {student: new_markdown_cell(text) for student, text in texts.items()}
    return {student: Answer(student, (cell,), normal_form(cell)) for student, cell in cells.items()}


def test_a_made_class_has_groups_and_no_wrong_one() -> None:
    """Texts of a group differ in layout only: without blanks, case and punctuation they are one text."""
    texts = {name: each[marking_class.VARIANCE] for name, each in marking_class.students(40).items()}
    made = groups(answers(texts))
    assert 10 < len(made) < 36
    for members in made.values():
        assert len({"".join(texts[name].split()).lower() for name in members}) == 1


def test_the_order_is_stable_shuffled_and_keeps_equal_and_near_answers_together() -> None:
    long = "Each product has mean zero because the factors are independent, and the variance of each is one"
    texts = {f"s{i}": f"answer number {i} about {'x' * i}" for i in range(20)}
    texts |= {"near1": long, "near2": f"{long} indeed", "equal": f"{long}."}
    item = Item("nb", "why", 1.0)
    order = in_order(answers(texts), "secret", item)
    assert order == in_order(answers(dict(reversed(texts.items()))), "secret", item)
    assert order != in_order(answers(texts), "secret", Item("nb", "other", 1.0))
    assert sorted(order) == sorted(texts)
    places = sorted(order.index(name) for name in ("near1", "near2", "equal"))
    assert places[2] - places[0] == 2


def test_a_difference_names_the_words() -> None:
    assert list(difference("the mean is 0", "the mean is not 0")) == [
        ("same", "the mean is "),
        ("new", "not "),
        ("same", "0"),
    ]


def test_long_answers_are_not_compared_which_would_keep_all_markers_waiting() -> None:
    assert dict(difference("one two", "one three"))["new"] == "three"
    assert list(difference("a b " * 3000, "b a " * 3000)) == []
