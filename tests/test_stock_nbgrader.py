"""Stock nbgrader, typed in the same course folder, does what chainrule does: no step needs our command line."""

import csv
import shutil
from pathlib import Path

from tiny_course import SCORES, TINY, hand_in_class, type_command

from chainrule.course import CourseFolder
from chainrule.grading.classroom import scores

STUDENTS = ["ann", "cy"]


def test_stock_nbgrader_gives_the_same_scores_pages_and_marks(course: Path) -> None:
    hand_in_class(course)
    shutil.rmtree(course / "release")
    (course / "gradebook.db").unlink()
    type_command(course, "nbgrader", "generate_assignment", TINY)
    assert (course / "release" / TINY / "chainrule" / "lesson" / "checks.py").exists()
    type_command(course, "nbgrader", "autograde", TINY, "--CourseDirectory.student_id=[ac]*")
    type_command(course, "nbgrader", "generate_feedback", TINY)
    type_command(course, "nbgrader", "export", "--to", "all.csv")
    folder = CourseFolder(course)
    assert {student: scores(folder, TINY, student) for student in STUDENTS} == {
        s: SCORES[s] for s in STUDENTS
    }
    for student in STUDENTS:
        page = (course / "feedback" / student / TINY / f"{TINY}.html").read_text()
        assert "square check" in page
        assert "NEVER-HINT" not in page
        assert "<script>alert('TEXT')" not in page
    with open(course / "all.csv", newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {student: row["square-check"] for student, row in rows.items()} == {"ann": "4.0", "cy": "1.0"}
    assert {row["waiting"] for row in rows.values()} == {"1"}


STOCK = """
del c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors
c.Execute.timeout = 60
"""


def test_nbgraders_own_preprocessors_give_the_same_scores(course: Path) -> None:
    """Checks in the student's kernel, as in a student's own Jupyter, find what the referee finds."""
    hand_in_class(course)
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + STOCK)
    type_command(course, "nbgrader", "autograde", TINY, "--CourseDirectory.student_id=[abc]*")
    folder = CourseFolder(course)
    for student in ("ann", "bo"):
        assert scores(folder, TINY, student) == SCORES[student]
