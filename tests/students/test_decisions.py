"""Extensions, excuses, penalties and set points: in the gradebook, in marks, in feedback, with who and when."""

import csv
import io
from datetime import datetime
from pathlib import Path

import pytest
from marking_class import CHECKED, ESSAYS, SOFTMAX, copied
from nbgrader.api import Gradebook
from sqlalchemy import select
from tiny_course import CONFIG, type_command

from chainrule.course import CourseFolder
from chainrule.students.decisions import DECISIONS
from chainrule.students.lateness import decided_since, lateness, told

DUE = "2026-03-02 12:00 Europe/Zurich"


@pytest.fixture
def root(small_class: Path, tmp_path: Path) -> Path:
    """A course of five with three points of four given by checks, who handed in 25 hours late."""
    root = copied(small_class, tmp_path / "course").root
    configure(
        root, f'c.Course.due = {{"{ESSAYS}": "{DUE}"}}', f'c.Course.late = {{"{ESSAYS}": "10% per day"}}'
    )
    with gradebook(root) as book:
        for submission in book.find_assignment(ESSAYS).submissions:
            submission.timestamp = datetime(2026, 3, 3, 12, 0)  # 25 hours after the due date
            for grade in submission.notebooks[0].grades:
                grade.auto_score, grade.needs_manual_grade = grade.max_score / 2, False
        book.db.commit()
    return root


def configure(root: Path, *lines: str) -> None:
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write("\n".join([*lines, ""]))


def gradebook(root: Path) -> Gradebook:
    folder = CourseFolder(root)
    return Gradebook(folder.directory.db_url, folder.directory.course_id)


def row(root: Path, student: str) -> dict[str, str]:
    type_command(root, "chainrule", "marks", ESSAYS)
    text = (root / "marks" / f"{ESSAYS}.csv").read_text(encoding="utf-8")
    return next(one for one in csv.DictReader(io.StringIO(text)) if one["student_id"] == student)


def sentences(root: Path, student: str) -> str:
    with gradebook(root) as book:
        return "\n".join(told(CourseFolder(root).course, book.db.connection(), ESSAYS, student))


def test_an_extension_is_the_students_own_due_date(root: Path) -> None:
    said = type_command(
        root, "chainrule", "extend", ESSAYS, "ada", "bob", "1d", "--why", "ill", "--as", "Dr X"
    )
    assert "ada due date extended to Tue 3 March 2026, 12:00 (Europe/Zurich) (by Dr X" in said
    assert "1 hour late" in sentences(root, "ada")
    assert "That costs 0.375 of 3.75 points." in sentences(root, "ada")
    assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(0.375)
    type_command(root, "chainrule", "extend", ESSAYS, "ada", "2026-03-03 14:00", "--why", "ill")
    assert float(row(root, "ada")["late_submission_penalty"]) == 0
    assert "in time" in sentences(root, "ada")
    type_command(root, "chainrule", "extend", ESSAYS, "ada", "--undo")
    assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(0.75)
    assert "extended" not in sentences(root, "ada")


def test_an_excuse_leaves_no_mark(root: Path) -> None:
    type_command(root, "chainrule", "excuse", ESSAYS, "ada", "--why", "in hospital")
    found = row(root, "ada")
    assert (found["score"], found["note"]) == ("", "excused: in hospital")
    assert "excused from this assignment" in sentences(root, "ada")
    said = type_command(root, "chainrule", "marks", ESSAYS, "--lms", "canvas", "--dry-run")
    assert "excused; no mark written: ada" in said
    assert "ada ( ): – → EX" in said
    type_command(root, "chainrule", "excuse", ESSAYS, "ada", "--undo")
    assert float(row(root, "ada")["score"]) > 0


def test_points_taken_off_and_lateness_add_up(root: Path) -> None:
    said = type_command(root, "chainrule", "penalty", ESSAYS, "ada", "0.5", "--why", "copied a figure")
    assert "total 1.88 → 0.63" in said  # 1.875 − 0.75 for lateness − 0.5
    assert "0.5 points taken off: copied a figure." in sentences(root, "ada")
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "20%", "--why", "copied a figure")
    assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(1.5)
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "--undo")
    assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(0.75)


def test_a_penalty_where_the_course_has_no_rule_about_lateness(root: Path) -> None:
    configure(root, "c.Course.late = {}")
    with gradebook(root) as book:
        book.find_submission_notebook("part1", ESSAYS, "ada").late_submission_penalty = 1.0  # a plug-in's
        book.db.commit()
    for _ in range(2):
        type_command(root, "chainrule", "penalty", ESSAYS, "ada", "0.5", "--why", "why not")
        assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(1.5)
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "--undo")
    assert float(row(root, "ada")["late_submission_penalty"]) == pytest.approx(1.0)


def test_points_are_set_and_given_back(root: Path) -> None:
    said = type_command(root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "0.9", "--why", "see mail")
    assert f"{SOFTMAX} 0.5 → 0.9" in said
    assert float(row(root, "ada")[SOFTMAX]) == 0.9
    assert f"{SOFTMAX}: 0.9 points, set by an instructor: see mail." in sentences(root, "ada")
    type_command(root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "1", "--why", "see mail")
    type_command(root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "--undo")
    assert float(row(root, "ada")[SOFTMAX]) == 0.5
    with gradebook(root) as book:
        lines = book.db.execute(select(DECISIONS)).all()
    assert [line.value for line in lines] == ["0.9", "1", ""]
    assert all(line.who and line.at > 1e9 for line in lines)


def test_grace_days_go_to_what_was_due_first(root: Path) -> None:
    configure(root, "c.Course.grace_days = 1", 'c.Course.late["later"] = "10% per day"')
    configure(root, 'c.Course.due["later"] = "2026-04-01 12:00 Europe/Zurich"')
    with gradebook(root) as book:
        book.add_assignment("later", duedate=datetime(2026, 4, 1, 10, 0))
        book.add_submission("later", "ada", timestamp=datetime(2026, 4, 1, 10, 1))
        times = lateness(CourseFolder(root).course, book.db.connection(), "ada")
    # of 25 hours one is left over
    assert [(time.grace_days, time.share) for time in times.values()] == [(1, 0.1), (0, 0.1)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["extend", ESSAYS, "ada", "3d"], "say by --why"),
        (["extend", ESSAYS, "3d", "--why", "x"], "name a student"),
        (["extend", ESSAYS, "zoe", "3d", "--why", "x"], "no student zoe"),
        (["extend", ESSAYS, "ada", "soon", "--why", "x"], "'soon' is no length and no date: write 3d"),
        (["extend", ESSAYS, "ada", "2026-03-01", "--why", "x"], "is not after the due date"),
        (["extend", ESSAYS, "ada", "--undo"], "there is no extension of essays to take back for ada"),
        (["excuse", "hw9", "ada", "--why", "x"], "there is no assignment 'hw9'"),
        (["penalty", ESSAYS, "ada", "lots", "--why", "x"], "'lots' is no penalty"),
        (["penalty", ESSAYS, "ada"], "say by --why"),
        (["override", ESSAYS, "ada", "q9", "1", "--why", "x"], "there is no item 'q9' in essays"),
        (["override", ESSAYS, "ada", CHECKED, "9", "--why", "x"], "has 0 to 2 points: 9 is not possible"),
        (["override", ESSAYS, "ada", CHECKED, "--undo"], "there is nothing to take back"),
    ],
)
def test_what_cannot_be_decided_is_told(root: Path, words: list[str], said: str) -> None:
    assert said in type_command(root, "chainrule", *words, code=2)


def test_what_was_decided_since_the_last_grading_is_in_the_differences(root: Path) -> None:
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "1", "--why", "copied a figure", "--as", "Dr X")
    folder = CourseFolder(root)
    (line,) = decided_since(folder, ESSAYS, "ada", 0)
    assert line.startswith("ada 1 points taken off (by Dr X, ")
    assert line.endswith("(Europe/Zurich): copied a figure)")
    assert not decided_since(folder, ESSAYS, "ada", 9e9)
    assert not decided_since(folder, ESSAYS, "bob", 0)


def test_a_set_mark_of_many_digits_is_taken_back(root: Path) -> None:
    before = row(root, "ada")["score"]
    for points in ("0.33333333333", "0.5"):
        type_command(root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, points, "--why", "x")
    type_command(root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "--undo")
    assert row(root, "ada")["score"] == before


@pytest.mark.parametrize("until", ["99999999999999d", "2026-03-02 1100"])
def test_an_impossible_extension_is_refused(root: Path, until: str) -> None:
    type_command(root, "chainrule", "extend", ESSAYS, "ada", until, "--why", "ill", code=2)


def test_a_penalty_without_end_is_refused(root: Path) -> None:
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "9" * 400, "--why", "x", code=2)
