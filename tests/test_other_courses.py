"""Courses that nobody here wrote: nbgrader's own example, data of an assignment's own, task cells."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from command_line import Typed
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny_course import SQUARE, marked, notebook, plain_notebook, type_command

from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import points, scores

CONFIGURATION = """
import chainrule.config

c = get_config()
c.merge(chainrule.config.pipelines())
c.Course.preload = []
"""
ASSIGNMENT = "ps1"


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course that `nbgrader quickstart` makes, with our configuration and an assignment's own data and task."""
    root = tmp_path_factory.mktemp("elsewhere") / "course101"
    type_command(root.parent, "nbgrader", "quickstart", root.name)
    (root / CONFIG).write_text(CONFIGURATION)
    source = root / "source" / ASSIGNMENT
    (source / "data").mkdir(exist_ok=True)
    (source / "data" / "table.csv").write_text("x\n4\n")
    task = marked(new_markdown_cell("Draw a square."), "drawing", 3)
    task.metadata.nbgrader.update(task=True, grade=False, locked=True)
    reads = "table = open('data/table.csv').read().split()"
    asserts = marked(
        new_code_cell("assert square(2) == int(table[1])"), "reads-the-table-of-the-assignment", 2
    )
    answer = marked(new_code_cell(plain_notebook().cells[0].source), SQUARE, solution=True)
    nbformat.write(
        notebook([marked(new_code_cell(reads), "reading"), answer, asserts, task]), source / "data-set.ipynb"
    )
    return root


def test_nbgraders_example_is_checked_released_and_graded(
    quickstart: Path, chainrule: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(quickstart)
    for problem in sorted((quickstart / "source" / ASSIGNMENT).glob("*.ipynb")):
        nb = nbformat.read(problem, as_version=4)
        nb.metadata.kernelspec = notebook([]).metadata.kernelspec
        nbformat.write(nb, problem)
    code, out, err = chainrule("release", ASSIGNMENT)
    assert (code, err) == (0, ""), out
    folder = CourseFolder(quickstart)
    released = folder.folder("release", ".", ASSIGNMENT)
    assert "NotImplementedError" in (released / "problem1.ipynb").read_text()
    assert "todo()" not in (released / "problem1.ipynb").read_text()
    for student in ("blank", "solved"):
        shutil.copytree(released, quickstart / "submitted" / student / ASSIGNMENT)
    source = folder.folder("source", ".", ASSIGNMENT)
    for path in source.glob("*.ipynb"):
        shutil.copy(path, quickstart / "submitted" / "solved" / ASSIGNMENT / path.name)
    code, out, err = chainrule("grade", ASSIGNMENT)
    assert (code, err) == (0, ""), out
    blank, solved = (scores(folder, ASSIGNMENT, student) for student in ("blank", "solved"))
    assert sum(score or 0 for score in blank.values()) == 0
    by_tests = {item for item, cell in graded_code(folder).items() if cell}
    maximum = points(folder, ASSIGNMENT)
    assert {item: solved[item] for item in by_tests} == {item: maximum[item] for item in by_tests}
    assert "reads-the-table-of-the-assignment" in by_tests
    assert maximum["drawing"] == 3
    assert solved["drawing"] is None  # a task counts, and waits for a person


def graded_code(folder: CourseFolder) -> dict[str, bool]:
    """The items, and whether tests decide them."""
    from chainrule.grading.classroom import items

    return {
        name: cell.cell_type == "code" and not cell.metadata.nbgrader.solution
        for name, cell in items(folder, ASSIGNMENT).items()
    }
