"""Marks as a spreadsheet takes them: one row per student, nothing lost, nothing executed."""

import csv
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from tiny_course import FUTURE, PLAIN, SCORES, TINY, set_due

from chainrule.course import CourseFolder
from chainrule.marks import MarksCsv


@pytest.fixture
def gradebook(graded_course: Path) -> Gradebook:
    with Gradebook(CourseFolder(graded_course).directory.db_url) as opened:
        yield opened


def rows(gradebook: Gradebook, folder: Path, **options: list[str]) -> dict[str, dict[str, str]]:
    """The exported rows by student."""
    target = folder / "marks.csv"
    MarksCsv(to=str(target), **({"assignment": [TINY]} | options)).export(gradebook)
    with open(target, newline="", encoding="utf-8") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_everyone_who_was_graded_has_a_row(gradebook: Gradebook, tmp_path: Path) -> None:
    got = rows(gradebook, tmp_path)
    assert got.keys() == {student for student, scores in SCORES.items() if scores}
    for student, row in got.items():
        assert row["square-check"] == str(SCORES[student]["square-check"])
        assert float(row["score"]) == float(row["raw_score"]) == sum(s or 0 for s in SCORES[student].values())
        assert (row["assignment"], row["max_score"]) == (TINY, "5.0")


def test_what_waits_for_a_person_is_empty_and_counted(gradebook: Gradebook, tmp_path: Path) -> None:
    got = rows(gradebook, tmp_path)
    assert (got["ann"]["why"], got["ann"]["waiting"]) == ("", "1")
    assert (got["bo"]["why"], got["bo"]["waiting"]) == ("0.0", "0")
    entry = gradebook.find_grade("why", TINY, TINY, "ann")
    entry.manual_score = 0.5
    gradebook.db.commit()
    ann = rows(gradebook, tmp_path)["ann"]
    assert (ann["why"], ann["waiting"], ann["score"]) == ("0.5", "0", "4.5")


def test_without_a_submission_there_is_a_zero(gradebook: Gradebook, tmp_path: Path) -> None:
    gradebook.add_student("zoe", last_name="Zed")
    row = rows(gradebook, tmp_path)["zoe"]
    assert (row["score"], row["raw_score"], row["waiting"], row["timestamp"]) == ("0.0", "0.0", "0", "")


def test_a_late_penalty_never_goes_below_zero(gradebook: Gradebook, tmp_path: Path) -> None:
    for student, penalty in {"ann": 1.5, "bo": 2.0}.items():
        gradebook.find_submission_notebook(TINY, TINY, student).late_submission_penalty = penalty
    gradebook.db.commit()
    got = rows(gradebook, tmp_path)
    assert (got["ann"]["raw_score"], got["ann"]["late_submission_penalty"], got["ann"]["score"]) == (
        "4.0",
        "1.5",
        "2.5",
    )
    assert got["bo"]["score"] == "0.0"


NAMES = ['O"Brien, Jr.', "line\nbreak", "semi;colon", "Ünal 中文", " ", "tab\tinside", "'quoted'"]


@pytest.mark.parametrize("name", NAMES)
def test_names_survive(gradebook: Gradebook, tmp_path: Path, name: str) -> None:
    gradebook.add_student("zoe", last_name=name, first_name=name)
    row = rows(gradebook, tmp_path)["zoe"]
    assert (row["last_name"], row["first_name"]) == (name, name)


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")']
)
def test_no_name_is_a_formula(gradebook: Gradebook, tmp_path: Path, name: str) -> None:
    gradebook.add_student(name, last_name=name, email=name)
    (row,) = [row for student, row in rows(gradebook, tmp_path).items() if name in student]
    assert row["student_id"] == row["last_name"] == row["email"] == f"'{name}"


def test_numbers_stay_numbers(gradebook: Gradebook, tmp_path: Path) -> None:
    entry = gradebook.find_grade("why", TINY, TINY, "ann")
    entry.manual_score, entry.extra_credit = 1.0, -2.0
    gradebook.db.commit()
    assert rows(gradebook, tmp_path)["ann"]["why"] == "-1.0"


def test_assignments_and_students_can_be_chosen(gradebook: Gradebook, tmp_path: Path) -> None:
    assert rows(gradebook, tmp_path, student=["bo"]).keys() == {"bo"}
    every = rows(gradebook, tmp_path, assignment=[])
    assert "square-asserts" in every["bo"]  # both assignments: the columns of both
    other = rows(gradebook, tmp_path, assignment=[PLAIN])
    assert {row["score"] for row in other.values()} == {"0.0"}
    assert "why" not in other["bo"]


def test_the_due_date_is_given_in_utc(graded_course: Path, gradebook: Gradebook, tmp_path: Path) -> None:
    set_due(graded_course, FUTURE)
    assert rows(gradebook, tmp_path)["ann"]["duedate"] == "2099-01-01 11:00:00"
