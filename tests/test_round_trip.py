"""From an LMS's download to the marks it takes: thirty students, all their mess, nothing lost on the way."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import nbformat
import pytest
from command_line import Typed
from lms_downloads import LMSS, make
from nbgrader.api import Gradebook
from tiny_course import CONFIG, RIGHT, SQUARE, TINY, filled

from chainrule.course import CourseFolder
from chainrule.grading.classroom import grade
from chainrule.intake.roster import read_roster

# how an LMS's file names students and points, and what the command needs to be told
KEY = {
    "brightspace": "OrgDefinedId",
    "blackboard": "Student ID",
    "canvas": "SIS User ID",
    "moodle": "Email address",
}
COLUMN = {"blackboard": "Tiny |123456"}


@pytest.fixture
def ready(course: Path) -> Path:
    """The tiny course: due, late for nothing, with names of its handout."""
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(
            'c.Course.due = {"tiny": "2026-07-13 12:00 America/Toronto"}\nc.Course.late = {"tiny": "zero"}\n'
            'c.Course.handin = {"tiny": ["{last}_{first}_tiny.pdf", "{last}_{first}_tiny.ipynb"]}\n'
        )
    return course


@pytest.mark.parametrize("lms", LMSS)
def test_a_class_goes_all_the_way(ready: Path, lms: str, tmp_path: Path, chainrule: object) -> None:
    run: Typed = chainrule  # type: ignore[assignment]
    answers = {
        "right": {SQUARE: RIGHT, "why": "Signs cancel."},
        "wrong": {SQUARE: "def square(x):\n    return x"},
        "blank": {},
    }
    notebooks = {kind: nbformat.writes(filled(ready, each)).encode() for kind, each in answers.items()}
    made = make(lms, tmp_path / "lms", notebooks)
    shutil.copy(made.roster, ready / "roster.csv")
    code, told, _ = run("intake", TINY, made.path, "--course", ready)  # type: ignore[operator]
    assert code == 0
    assert f"nothing from {30 - len(made.notebooks)}" in told or len(made.notebooks) <= 30

    course = CourseFolder(ready)
    report = grade(course, TINY, jobs=2, say=lambda line: None)
    assert {student.student for student in report.students} >= set(made.notebooks)
    automatic = {"right": 4.0, "blank": 0.0}
    for student in report.students:
        kind = made.kinds.get(student.student)
        if kind in automatic:
            assert student.scores["square-check"] == automatic[kind], student

    table = ["marks", TINY, "--lms", lms, "--course", ready, "-o", tmp_path / "marks.csv"]
    table += ["--column", COLUMN[lms]] if lms in COLUMN else []
    code, _, told = run(*table)  # type: ignore[operator]
    assert code == 2
    assert "formgrader" in told  # the written answers wait for a person
    expected = mark_by_hand(course)
    code, _, told = run(*table)  # type: ignore[operator]
    assert code == 0, told

    text = (tmp_path / "marks.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(rows[0])}
    head = rows[0]
    ids, points = head.index(KEY[lms]), next(i for i, name in enumerate(head) if "tiny" in name.lower())
    by_key = {row[ids].removeprefix("#"): row[points] for row in rows[1:] if row[ids].strip()}
    people = read_roster(ready / "roster.csv")
    found = {person.id: by_key[person.email if lms == "moodle" else person.id] for person in people}
    assert len(found) == 30
    for person, cell in found.items():
        assert (
            cell == ""
            if person not in expected
            else float(cell) == pytest.approx(expected[person], abs=0.005)
        )
    assert made.late <= {person for person in expected if expected[person] == 0}


def mark_by_hand(course: CourseFolder) -> dict[str, float]:
    """Give half a point for each written answer that waits; what everybody has then."""
    with Gradebook(course.directory.db_url) as gradebook:
        for submission in gradebook.assignment_submissions(TINY):
            for notebook in submission.notebooks:
                for given in notebook.grades:
                    if given.needs_manual_grade:
                        given.manual_score, given.needs_manual_grade = 0.5, False
        gradebook.db.commit()
        return {
            submission.student.id: max(0.0, submission.score - submission.late_submission_penalty)
            for submission in gradebook.assignment_submissions(TINY)
        }
