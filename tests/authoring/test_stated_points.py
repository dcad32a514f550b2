"""Points that a sentence states, against those of the item below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, graded, said, text

SOLUTION = answer("def f(x):\n    ### BEGIN SOLUTION\n    return abs(x)\n    ### END SOLUTION")
STATES = [
    "This question is worth {} points.",
    "The exercise counts for {} points",
    "Ce problème difficile.\n\nCet exercice vaut {} points.",
    "Diese Aufgabe gibt {} Punkte.",
    "({} pts) Write `f`.",
    "[{} marks]",
    "**({} points)** Write `f`.",
    "*Marked by hand, {} points:* the idea",
    "(a) Write `f`. ({} points)",
    "**Question 2.** Write `f`. [{} marks]",
    "1.2. Write `f`. ({} pts)",
]


@pytest.mark.parametrize("states", STATES)
def test_other_points_than_the_items(tmp_path: Path, states: str) -> None:
    check = graded("assert f(-2) == 2", points=3)
    (slip,) = said(tmp_path, text(f"Values.\n\n{states.format(5)}"), SOLUTION, check)
    assert slip.startswith("tiny.ipynb, cell text (number 1 from the top): it says '")
    assert slip.endswith("and the item below it has 3 (test): correct the text, or the points of the item")
    assert said(tmp_path, text(f"Values.\n\n{states.format(3)}"), SOLUTION, check) == []
    assert said(tmp_path, text(f"Values.\n\n{states.format('3,0')}"), SOLUTION, check) == []


@pytest.mark.parametrize(
    "words",
    [
        "(a) Write it. (1 pt)\n\n(b) Say why. (2 pts)",  # parts of one item
        "(3 points) in all:\n\n(a) Write it. (1 pt)\n\n(b) Say why. (1 pt)",
        "Each part is worth 1 point.",
        "Late hand-ins lose 2 points.",
        "This question is worth up to 5 points.",
        "Plot the data set (100 points).",
        "Fit a line through these (4 points), then a parabola.",
        "- labels at the axes (1 pt)",
        "This question has 2 points where the slope is 0.",
        "(5 points) as a bonus",
        "```\n(5 points)\n```",
        "This question is worth 5 % of the mark; 5 points are above the line.",
        "The problem of 7 points in a plane.",
    ],
)
def test_what_says_nothing_else(tmp_path: Path, words: str) -> None:
    assert said(tmp_path, text(words), SOLUTION, graded("assert f(-2) == 2", points=3)) == []


def test_points_of_several_items(tmp_path: Path) -> None:
    """Of all in a section, of the first ones, of the notebook."""
    second = graded("assert f(-3) == 3", points=2)
    second.id = second.metadata.nbgrader.grade_id = "second"
    for points in (3, 5):
        words = text(f"# Values\n\nThis problem is worth {points} points.")
        assert said(tmp_path, words, SOLUTION, graded("assert f(-2) == 2", points=3), second) == []
    assert (
        len(said(tmp_path, text("(4 points)"), SOLUTION, graded("assert f(-2) == 2", points=3), second)) == 1
    )


def test_a_heading_above_a_part_whose_next_parts_have_none(tmp_path: Path) -> None:
    cells = (text("## Q1(a) (3 points)\n\nWrite `f`."), SOLUTION, graded("assert f(-2) == 2", points=3))
    part = text("**Q1(b)** Why? (2 points)")
    part.metadata.nbgrader.grade_id = "part"
    second = graded("assert f(-3) == 3", points=2)
    second.metadata.nbgrader.grade_id = "second"
    assert said(tmp_path, *cells, part, second) == []
    part.source = "**Q1(b)** Why?"
    (slip,) = said(tmp_path, *cells, part, second)
    assert "states 3 points, and the items below it have 5 (test 3, second 2)" in slip
