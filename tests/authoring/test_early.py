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


def test_slips_in_code_are_noticed(tried: list[Tried]) -> None:
    wrong = [each for each in tried if each.answer.kind == "wrong"]
    assert [each.answer.name for each in wrong if not each.is_noticed and not each.reason] == []
    assert sum(each.is_noticed for each in wrong) >= 0.9 * len(wrong)


def test_choices_are_never_told_right_or_wrong(classroom: Path) -> None:
    """Only visible checks count: the hidden ones do know."""
    choices = [
        each for each in try_answers(COURSE, "csc6022-hw2", classroom, ["p4"]) if each.form == "choice"
    ]
    well_formed = [each for each in choices if each.answer.kind == "wrong" and not each.is_noticed]
    assert len(well_formed) > 10
    assert all(each.reason for each in well_formed)


def test_what_students_write_in_a_cell() -> None:
    forms = {
        exercise.items[0]: form_of(rehearsal, exercise)
        for rehearsal in (a2("question1"), a2("question2"), a2("question3"))
        for exercise in rehearsal.problem.exercises
    }
    assert forms["q1_1-curvature"] == forms["q2_1-values"] == forms["q3_3-table-check"] == "numbers"
    assert forms["q1_3-experiment"] == forms["q2_2-code"] == forms["q3_1-network"] == "code"
