"""Every answer of every assignment: right ones earn every point in any form, wrong ones lose their own checks, once.

The answers are in `judging/<assignment>/answers/`; `chainrule.authoring.answers` describes their form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from course_modules import A2, COURSE

from chainrule.authoring.answers import Answer, Exercise, problems
from chainrule.authoring.rehearse import Rehearsal
from chainrule.lesson.results import CheckResult
from chainrule.lesson.student import Model, Student
from chainrule.modules import load

PROBLEMS = {
    (assignment, name): problem
    for assignment in COURSE.assignments
    for name, problem in problems(COURSE, assignment, here=True).items()
}


class Limits(NamedTuple):
    """What is asked of the answers to each exercise of a problem.

    The numbers of answers are floors, a little below what there is: a new exercise of the problem needs as many, and
    a table that is emptied by mistake doesn't pass unseen. CONTRIBUTING.md asks for three wrong answers at least.
    """

    right: int  # styles that the checks are known to accept
    wrong: int  # mistakes that the checks are known to find
    message: int = 400  # the most letters in the message of a failed check, which is one cell of a table


LIMITS = {
    ("cs480-a2", "question1"): Limits(6, 12, 150),
    ("cs480-a2", "question2"): Limits(10, 30),
    ("cs480-a2", "question3"): Limits(15, 30),
    ("csc6022-hw2", "p1"): Limits(6, 11),
    ("csc6022-hw2", "p2"): Limits(6, 11),
    ("csc6022-hw2", "p3"): Limits(10, 20, 200),
    ("csc6022-hw2", "p4"): Limits(6, 12, 200),
    ("csc6022-hw2", "p5"): Limits(5, 12, 300),
    ("csc6022-hw2", "p6_1"): Limits(6, 9),
    ("csc6022-hw2", "p6_2"): Limits(5, 6),
    ("csc6022-hw2", "p7_mechanism"): Limits(5, 12, 300),
    ("csc6022-hw2", "p7_training"): Limits(5, 7, 300),
}


OTHERS = {"q3_3-table-check": Limits(10, 18)}  # exercises with fewer, by their first item


class Case(NamedTuple):
    """An answer and where it belongs."""

    key: tuple[str, str]
    exercise: Exercise
    answer: Answer


CASES = [
    Case(key, exercise, answer)
    for key, problem in PROBLEMS.items()
    for exercise in problem.exercises
    for answer in exercise.answers
]


def every(kind: str) -> pytest.MarkDecorator:
    """Parametrise by the answers of a kind."""
    cases = [case for case in CASES if case.answer.kind == kind]
    ids = [f"{case.exercise.items[0]}-{case.answer.name}" for case in cases]
    return pytest.mark.parametrize("case", cases, ids=ids)


Failed = list[tuple[str, CheckResult]]  # checks that an answer fails, with their short names


@cache
def rehearsal(key: tuple[str, str]) -> Rehearsal:
    return Rehearsal(COURSE, key[0], PROBLEMS[key])


MEASURED: dict[tuple[str, str, bytes], float | None] = {}


@contextmanager
def measured_once() -> Iterator[None]:
    """In the block, trained networks of the same weights are of the same class: those that the answers to a table load.
    So each is measured once, and not again for every answer."""
    question3 = load(A2, "judging.cs480_a2.question3")
    measure = question3.measured

    def measured(student: Student, model: str, split: str) -> float | None:
        trained = student.mlp if model == "MLP" else student.cnn
        if not isinstance(trained, Model):
            return measure(student, model, split)
        weights = b"".join(value.numpy().tobytes() for value in trained.state().values())
        key = model, split, sha256(weights).digest()
        if key not in MEASURED:
            MEASURED[key] = measure(student, model, split)
        return MEASURED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(question3, "measured", measured)
        yield


@pytest.fixture(scope="session")
def judge(prepared: Callable[[Rehearsal, Exercise], Path]) -> Callable[[Case], Failed]:
    """Runs an answer and its items."""

    def judge(case: Case) -> Failed:
        torch.manual_seed(0)
        exercise, asked = case.exercise, rehearsal(case.key)
        folder = prepared(asked, exercise)
        only_table = exercise.prepare and case.answer.cells.keys() <= {exercise.cell}
        with measured_once() if only_table else nullcontext():
            failed = asked.failed(exercise.items, case.answer.cells, folder, exercise.given)
        return [pair for checks in failed.values() for pair in checks.items()]

    return judge


def only_informs(name: str) -> bool:
    return name.startswith("(")


@every("right")
def test_right_answer_gets_every_point(case: Case, judge: Callable[[Case], Failed]) -> None:
    failed = judge(case)
    assert {name for name, _ in failed} == case.answer.loses, messages(failed)
    assert [check.message for _, check in failed if check.points] == []


@every("wrong")
def test_wrong_answer_loses_its_own_checks_and_no_others(case: Case, judge: Callable[[Case], Failed]) -> None:
    failed, answer = judge(case), case.answer
    assert {name for name, _ in failed if not only_informs(name)} == answer.loses, messages(failed)
    said = [check.message for name, check in failed if name in answer.loses]
    assert answer.says, messages(failed)  # what students read is part of the answer's fate
    assert any(answer.says in message for message in said), messages(failed)
    for name, check in failed:
        assert not check.internal_error, check.internal_error  # the checks foresaw this form
        assert 0 < len(check.message) <= LIMITS[case.key].message
        assert check.hint or only_informs(name)


def messages(failed: Failed) -> list[tuple[str, str, str]]:
    return [(name, check.message, check.internal_error) for name, check in failed]


# -- the answers themselves ------------------------------------------------------------------------------


def test_every_assignment_has_answers() -> None:
    assert {assignment for assignment, _ in PROBLEMS} == set(COURSE.assignments)
    assert LIMITS.keys() == PROBLEMS.keys()


@pytest.mark.parametrize("key", PROBLEMS, ids="-".join)
def test_there_are_many_answers(key: tuple[str, str]) -> None:
    for exercise in PROBLEMS[key].exercises:
        limits = OTHERS.get(exercise.items[0], LIMITS[key])
        assert len(exercise.right) >= limits.right, exercise
        assert len(exercise.wrong) >= limits.wrong, exercise


@pytest.mark.parametrize("key", PROBLEMS, ids="-".join)
def test_answers_name_checks_that_exist(key: tuple[str, str]) -> None:
    problem = PROBLEMS[key]
    for exercise in problem.exercises:
        known = {name for item in exercise.items for name in problem.checks[item]}
        for answer in exercise.answers:
            assert answer.loses <= known, answer.name
            assert answer.kind == "right" or not any(map(only_informs, answer.loses)), answer.name
            assert answer.loses or answer.kind == "right", answer.name
