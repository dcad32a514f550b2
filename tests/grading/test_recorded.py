"""Who is recorded again: only students about whom something has changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from tiny_course import RIGHT, SQUARE, TINY, filled, set_due, submit

from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import ClassReport, ensure_assignment, grade
from chainrule.students.decide import penalise

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`

READABLE = {"ann", "bo", "cy", "ed", "fay"}  # di's file is no notebook


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[set[str], ClassReport]]:
    """Grades a course; gives whom nbgrader recorded, and the report."""
    names: set[str] = set()
    record = NbGraderAPI.autograde

    def noted(self: NbGraderAPI, assignment: str, student: str, **options: bool) -> object:
        names.add(student)
        return record(self, assignment, student, **options)

    def again(course: Path) -> tuple[set[str], ClassReport]:
        names.clear()
        report = grade(CourseFolder(course), TINY, jobs=1, diff=True, say=lambda _: None)
        return {*names}, report

    monkeypatch.setattr(NbGraderAPI, "autograde", noted)
    return again


def test_who_has_not_changed_is_not_recorded_again(
    graded_course: Path, recorded: Callable[[Path], tuple[set[str], ClassReport]]
) -> None:
    course = graded_course  # copied, so that times of files differ: everybody is recorded once more
    everyone, first = recorded(course)
    assert everyone == READABLE
    nobody, second = recorded(course)
    assert not nobody
    assert [(one.scores, one.notes) for one in second.students] == [
        (one.scores, one.notes) for one in first.students
    ]
    assert second.crashes == first.crashes
    assert second.sandbox == first.sandbox


def test_what_a_record_depends_on(
    graded_course: Path, recorded: Callable[[Path], tuple[set[str], ClassReport]]
) -> None:
    course = graded_course
    recorded(course)

    submit(course, "ann", filled(course, {SQUARE: RIGHT, "why": "Another answer."}))
    assert recorded(course)[0] == {"ann"}
    (course / "submitted" / "bo" / TINY / "timestamp.txt").write_text("2025-03-01 10:00:00 UTC\n")
    assert recorded(course)[0] == {"bo"}
    (course / "submitted" / "cy" / TINY / "notes.txt").write_text("a file beside the notebook")
    assert recorded(course)[0] == {"cy"}
    shutil.rmtree(course / "autograded" / "ed")
    assert recorded(course)[0] == {"ed"}
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        gradebook.find_grade("why", TINY, TINY, "ann").manual_score = 0.5  # a mark from formgrader
        gradebook.find_grade("square-check", TINY, TINY, "fay").auto_score = 4.0  # nothing of ours did that
        gradebook.db.commit()
    again, report = recorded(course)
    assert again == {"ann", "fay"}
    assert [line.split(":")[0] for line in report.changes] == ["fay square-check 4 → 1"]
    penalise(CourseFolder(course), TINY, ["bo"], "1", "copied", "staff")
    again, report = recorded(course)
    assert again == {"bo"}
    assert len(report.changes) == 1
    assert recorded(course)[0] == set()

    for kept in (course / "runs" / TINY).glob("*.ipynb"):
        kept.unlink()
    assert recorded(course)[0] == READABLE  # what runs again may end otherwise
    assert recorded(course)[0] == set()

    submitted = course / "submitted" / "ann" / TINY / f"{TINY}.ipynb"
    good = submitted.read_text()
    submitted.write_text("")
    assert recorded(course)[0] == set()  # the comment says that it could not be read
    submitted.write_text(good)
    assert recorded(course)[0] == {"ann"}  # and is taken away


def test_a_changed_course_is_recorded_again(
    graded_course: Path, recorded: Callable[[Path], tuple[set[str], ClassReport]]
) -> None:
    course = graded_course
    recorded(course)
    set_due(course, "2001-01-01 12:00 Europe/Zurich")
    assert recorded(course)[0] == READABLE
    path = course / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source += " And a word more."
    nbformat.write(nb, path)
    assert recorded(course)[0] == READABLE
    assert recorded(course)[0] == set()


def test_a_course_with_steps_of_its_own_is_recorded_each_time(
    graded_course: Path, recorded: Callable[[Path], tuple[set[str], ClassReport]]
) -> None:
    with (graded_course / CONFIG).open("a") as config:
        config.write('c.LatePenalties.plugin_class = "chainrule.intake.late.LatePolicy"\n')
    recorded(graded_course)
    assert recorded(graded_course)[0] == READABLE


def test_an_assignment_is_written_again_only_if_something_has_changed(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[str] = []
    generate = NbGraderAPI.generate_assignment

    def noted(self: NbGraderAPI, assignment: str, **options: bool) -> object:
        times.append(assignment)
        return generate(self, assignment, **options)

    monkeypatch.setattr(NbGraderAPI, "generate_assignment", noted)

    def written() -> int:
        times.clear()
        ensure_assignment(CourseFolder(course), TINY)
        return len(times)

    written()
    assert written() == 0
    path = course / "source" / TINY / f"{TINY}.ipynb"
    path.write_text(path.read_text().replace("square", "Square", 1))
    assert (written(), written()) == (1, 0)
    (course / "release" / TINY / f"{TINY}.ipynb").unlink()
    assert (written(), written()) == (1, 0)
    assert (course / "release" / TINY / f"{TINY}.ipynb").exists()
    (course / "roster.csv").write_text("id,username,last,first,email\nzoe,zoe,Zon,Zoe,zoe@uni.example\n")
    assert (written(), written()) == (1, 0)
    set_due(course, "2001-01-01 12:00 Europe/Zurich")
    assert (written(), written()) == (1, 0)
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        assert gradebook.find_student("zoe").last_name == "Zon"
        gradebook.find_grade_cell("square-check", TINY, TINY).max_score = 3  # nothing of ours did that
        gradebook.db.commit()
    assert (written(), written()) == (1, 0)
    with (course / CONFIG).open("a") as config:  # a step of the course's own may read anything
        config.write("c.GenerateAssignment.preprocessors = list(chainrule.config.RELEASE[:-1])\n")
    assert (written(), written()) == (1, 1)
