"""A course of one assignment, `fb1-source.ipynb` of tests/cases: plain asserts, two items that people mark."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from tiny_course import ROOT, set_due

from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import grade
from chainrule.release.generate import generate

FB1, SUMS = "fb1", "sums"
FILES = ROOT / "tests" / "cases" / "files"
RIGHT = {
    "q1-code": "def twice(x):\n    return x + x",
    "q2-code": "def mean(values):\n    return sum(values) / len(values)",
    "q3-text": "One value far off moves it.",
    "q4-plot": "print('a drawing')",
}


def write(root: Path) -> Path:
    """Write the course and release it."""
    path = root / "source" / FB1 / f"{SUMS}.ipynb"
    path.parent.mkdir(parents=True)
    shutil.copy(FILES / "fb1-source.ipynb", path)
    set_due(root, "2099-01-01 12:00 Europe/Zurich")
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write("c.Course.preload = []\n")  # it needs no torch
    release(root)
    return root


def release(root: Path) -> None:
    folder = CourseFolder(root)
    generate(folder, FB1)


def hand_in(root: Path, student: str, **answers: str) -> None:
    nb = nbformat.read(root / "release" / FB1 / f"{SUMS}.ipynb", as_version=4)
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        cell.source = answers.get(name.replace("-", "_"), RIGHT.get(name, cell.source))
    path = root / "submitted" / student / FB1 / f"{SUMS}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)


def mark(root: Path, student: str, item: str, score: float, comment: str | None = None) -> None:
    """As formgrader does."""
    with Gradebook(CourseFolder(root).directory.db_url) as gradebook:
        found = gradebook.find_grade(item, SUMS, FB1, student)
        found.manual_score, found.needs_manual_grade = score, False
        if comment:
            gradebook.find_comment(item, SUMS, FB1, student).manual_comment = comment
        gradebook.db.commit()


def told(root: Path, student: str, item: str) -> tuple[str | None, str | None]:
    """A person's comment and the automatic one."""
    with Gradebook(CourseFolder(root).directory.db_url) as gradebook:
        comment = gradebook.find_comment(item, SUMS, FB1, student)
        return comment.manual_comment, comment.auto_comment


def source(root: Path) -> NotebookNode:
    return nbformat.read(root / "source" / FB1 / f"{SUMS}.ipynb", as_version=4)


def edit(root: Path, nb: NotebookNode) -> None:
    """Save the instructor's notebook."""
    nbformat.write(nb, root / "source" / FB1 / f"{SUMS}.ipynb")


def page(root: Path, student: str) -> str:
    """The student's feedback, made now."""
    folder = CourseFolder(root)
    folder.succeed(folder.api.generate_feedback(FB1, student, force=True), "feedback")
    return (root / "feedback" / student / FB1 / f"{SUMS}.html").read_text(encoding="utf-8")


def grade_again(root: Path, command: str, *students: str) -> str:
    """Grade as one of the two commands does, in this process; what `chainrule grade --diff` would say."""
    folder = CourseFolder(root)
    if command == "chainrule":
        report = grade(folder, FB1, students=students, jobs=1, diff=True, say=lambda _: None)
        notes = [f"{student.student}: {note}" for student in report.students for note in student.notes]
        return "\n".join([*notes, *report.notes, *report.changes])
    for student in students:
        folder.succeed(folder.api.autograde(FB1, student, force=True), "autograding")
    return ""
