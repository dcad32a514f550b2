"""A course that nobody here wrote: nbgrader's example, with data of its own, task cells, long ids, seven notebooks."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import nbgrader
import pytest
from conftest import once
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from tiny_course import SQUARE, marked, notebook, plain_notebook, type_command
from traitlets.config import Config

from chainrule import terminal
from chainrule.authoring.slips import slips
from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import items

CONFIGURATION = """
import chainrule.config

c = get_config()
c.merge(chainrule.config.pipelines())
c.Course.preload = []
"""
ASSIGNMENT = "ps1"
EXAMPLE = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "source" / ASSIGNMENT
READS, DRAWS = "reads-the-table-of-the-assignment", "drawing"
WRONG = "def square(x):\n    return x + 2"  # right for 2 alone
Scores = dict[str, float | None]


def write_course(root: Path) -> None:
    """What `nbgrader quickstart` copies, which then types for half a minute, under our configuration; and five
    notebooks more."""
    source = root / "source" / ASSIGNMENT
    shutil.copytree(EXAMPLE, source)
    (root / CONFIG).write_text(CONFIGURATION)
    (source / "data").mkdir()
    (source / "data" / "table.csv").write_text("x\n4\n")
    answer = plain_notebook().cells[0].source
    task = marked(new_markdown_cell("Draw a square."), DRAWS, 3)
    task.metadata.nbgrader.update(task=True, grade=False, locked=True)
    cells = [
        marked(new_code_cell("table = open('data/table.csv').read().split()"), "reading"),
        marked(new_code_cell(answer), SQUARE, solution=True),
        marked(new_code_cell("assert square(2) == int(table[1])"), READS, 2),
        task,
    ]
    nbformat.write(notebook(cells), source / "data-set.ipynb")
    for number in range(1, 5):
        cells = [
            marked(new_code_cell(answer), f"cell-{number}c7f0a91e2d4b6835", solution=True),
            marked(new_code_cell("assert square(3) == 9"), f"cell-{number}3f2a9c8b7d6e5a41", number),
        ]
        nbformat.write(notebook(cells), source / f"week_{number}_exercises-in-squaring.ipynb")


def hand_in(root: Path) -> None:
    """Three students: the blank, all solutions, and two of the notebooks with a wrong answer in each."""
    submitted, source = root / "submitted", root / "source" / ASSIGNMENT
    shutil.copytree(root / "release" / ASSIGNMENT, submitted / "blank" / ASSIGNMENT)
    shutil.copytree(source, submitted / "solved" / ASSIGNMENT)
    partly = submitted / "partly" / ASSIGNMENT
    partly.mkdir(parents=True)
    for name in ("data-set.ipynb", "week_1_exercises-in-squaring.ipynb"):
        nb = nbformat.read(source / name, as_version=4)
        (answer,) = [cell for cell in nb.cells if cell.metadata.nbgrader.solution]
        answer.source = WRONG
        nbformat.write(nb, partly / name)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course, released and graded; what `grade` says at a terminal of 80 columns is in said.txt."""

    def make(root: Path) -> None:
        write_course(root)
        assert slips(CourseFolder(root), ASSIGNMENT) == []
        type_command(
            root, "chainrule", "release", ASSIGNMENT, "--unchecked"
        )  # what it would run is graded below
        hand_in(root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(terminal.console, "width", 80)
            (root / "said.txt").write_text(type_command(root, "chainrule", "grade", ASSIGNMENT))

    return once(tmp_path_factory, "elsewhere", make)


def recorded(root: Path) -> dict[str, Scores]:
    """The scores of each student in a gradebook, of anybody's making; None waits for a person."""
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {
                grade.name: None if grade.needs_manual_grade else grade.score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
        }


def test_a_blank_earns_nothing_and_solutions_everything(graded: Path) -> None:
    scores = recorded(graded)
    assert not any(scores["blank"].values())
    graded_cells = items(CourseFolder(graded), ASSIGNMENT)
    by_tests = {
        name: cell.metadata.nbgrader.points
        for name, cell in graded_cells.items()
        if cell.cell_type == "code" and not cell.metadata.nbgrader.solution
    }
    assert {name: scores["solved"][name] for name in by_tests} == by_tests
    assert READS in by_tests
    assert graded_cells[DRAWS].metadata.nbgrader.points == 3
    assert scores["solved"][DRAWS] is None  # a task counts, and waits for a person


def test_what_students_get(graded: Path) -> None:
    text = (graded / "release" / ASSIGNMENT / "problem1.ipynb").read_text()
    assert "NotImplementedError" in text
    assert "todo()" not in text


def test_stock_nbgrader_gives_the_same_scores(graded: Path, tmp_path: Path) -> None:
    shutil.copytree(graded / "source", tmp_path / "source")
    stock = NbGraderAPI(config=Config(CourseDirectory={"root": str(tmp_path)}))
    said = [stock.generate_assignment(ASSIGNMENT)]
    hand_in(tmp_path)
    said += [stock.autograde(ASSIGNMENT, student.name) for student in (tmp_path / "submitted").iterdir()]
    assert all(each["success"] for each in said), said
    assert recorded(tmp_path) == recorded(graded)


def test_the_table_of_the_class_is_readable_at_80_columns(graded: Path) -> None:
    said = (graded / "said.txt").read_text()
    table = said[said.index("ps1 ·") : said.index("plain asserts")].splitlines()
    assert max(map(len, table)) <= 80
    assert "…" not in said
    header = " ".join(table).split("─")[0].split()
    assert {"data", "set", "problem1", "problem2", "week_1_", "week_4_", "/28"} <= {*header}
    (solved,) = [line.split() for line in table if line.split()[:1] == ["solved"]]
    assert solved[1:9] == ["2+", "3+", "wait", "1", "2", "3", "4", "15"]
