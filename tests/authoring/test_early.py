"""Early warnings: what the visible checks of a release say about answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from course_modules import COURSE, a2

from chainrule.authoring.answers import problems
from chainrule.authoring.early import Tried, form_of, try_answers


@pytest.fixture(scope="module")
def tried(classroom: Path) -> list[Tried]:
    return list(try_answers(COURSE, "csc6022-hw2", classroom, ["p1"]))


def test_every_answer_is_tried(tried: list[Tried]) -> None:
    exercises = problems(COURSE, "csc6022-hw2")["p1"].exercises
    wanted = [(exercise.items[0], answer.name) for exercise in exercises for answer in exercise.answers]
    assert [(each.item, each.answer.name) for each in tried] == wanted
    assert {each.form for each in tried} == {"code"}


def test_right_answers_are_told_nothing(tried: list[Tried]) -> None:
    assert [each for each in tried if each.answer.kind == "right" and each.said] == []


def test_only_visible_checks_count(tried: list[Tried]) -> None:
    """A slip that central differences show is noticed; one that only the reference shows is not."""
    noticed = {
        (each.item, each.answer.name): each.is_noticed for each in tried if each.answer.kind == "wrong"
    }
    assert noticed["p1_3-backward", "lost mask"]
    assert not noticed["p1_2-forward", "loss to base 2"]


def test_what_students_write_in_a_cell() -> None:
    forms = {
        exercise.items[0]: form_of(rehearsal, exercise)
        for rehearsal in (a2("question1"), a2("question2"), a2("question3"))
        for exercise in rehearsal.problem.exercises
    }
    assert forms["q1_1-curvature"] == forms["q2_1-values"] == forms["q3_3-table-check"] == "numbers"
    assert forms["q1_3-experiment"] == forms["q2_2-code"] == forms["q3_1-network"] == "code"
