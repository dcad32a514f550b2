"""The sample class through the whole course, by the commands an instructor types."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import once
from course_modules import ROOT

from chainrule.course import CourseFolder
from chainrule.grading.classroom import points, scores
from demo.handins import read

ASSIGNMENT = "cs480-a2"
CLASS = {path.stem: read(path) for path in sorted((ROOT / "demo" / ASSIGNMENT).glob("*.py"))}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course folder the demo leaves, with what it printed in said.txt; nobody changes it."""

    def make(course: Path) -> None:
        command = [sys.executable, "-m", "demo.play", "--course", str(course)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (course / "said.txt").write_text(done.stdout)

    return once(tmp_path_factory, "demo", make)


def test_demo_takes_every_student_through_every_stage(demo: Path) -> None:
    course, printed = demo, (demo / "said.txt").read_text()
    assert len(CLASS) >= 7
    for student in CLASS:
        assert student in printed
        assert (course / "feedback" / student / ASSIGNMENT / "assignment2.html").stat().st_size > 10_000
    with open(course / "marks" / f"{ASSIGNMENT}.csv", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == CLASS.keys()
    assert (course / "write-up.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("student", CLASS)
def test_each_student_loses_exactly_what_is_broken(demo: Path, student: str) -> None:
    folder = CourseFolder(demo)
    worth, got = points(folder, ASSIGNMENT), scores(folder, ASSIGNMENT, student)
    marked = {item: full for item, full in worth.items() if got[item] is not None}
    assert {item for item, full in marked.items() if got[item] != full} == CLASS[student].loses
    by_hand = {item for item in worth if item not in marked}  # waits for a human, unless nothing was written
    assert by_hand == {*written(folder)} - CLASS[student].loses


def written(folder: CourseFolder) -> list[str]:
    """The items that are marked by hand."""
    (path,) = folder.notebooks(ASSIGNMENT)
    cells = nbformat.read(path, as_version=4).cells
    return [
        cell.metadata.nbgrader.grade_id
        for cell in cells
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("grade")
    ]


def test_a_loop_is_stopped_and_the_rest_still_graded(demo: Path) -> None:
    course = demo
    nb = nbformat.read(
        course / "autograded" / "endless-loop" / ASSIGNMENT / "assignment2.ipynb", as_version=4
    )
    errors = [
        o.ename for c in nb.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"
    ]
    assert "CellTimeoutError" in errors
    assert "NotRun" not in errors
    assert scores(CourseFolder(course), ASSIGNMENT, "endless-loop")["q3_2-network"] == 3


def test_no_page_tells_the_hidden_checks(demo: Path) -> None:
    for page in demo.glob("feedback/*/*/*.html"):
        text = page.read_text()
        assert "chainrule.judging" not in text
        assert "MARK SCHEME" not in text
        assert "Model answer" not in text


def test_stock_nbgrader_gives_the_same_scores(demo: Path, tmp_path: Path) -> None:
    """`nbgrader autograde` and the rest, typed in the same folder, on students whose scores differ."""
    course = Path(shutil.copytree(demo, tmp_path / "course"))
    students = ["blank", "slip-in-2b"]
    folder = CourseFolder(course)
    before = {student: scores(folder, ASSIGNMENT, student) for student in students}
    shutil.rmtree(course / "feedback")
    both = "[bs]l*"  # a pattern, as each command imports for seconds
    assert [path.name for path in sorted((course / "submitted").glob(both))] == students
    for command in ("autograde", "generate_feedback"):
        run(course, "nbgrader", command, ASSIGNMENT, "--student", both, "--force")
    for student in students:
        assert (course / "feedback" / student / ASSIGNMENT / "assignment2.html").exists()
    assert {student: scores(folder, ASSIGNMENT, student) for student in students} == before
    run(course, "nbgrader", "export", "--to", "exported.csv")
    with open(course / "exported.csv", newline="") as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    for student in students:
        assert exported[student] == pytest.approx(sum(score or 0.0 for score in before[student].values()))


def run(course: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
