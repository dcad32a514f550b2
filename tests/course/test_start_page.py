"""The start page of Homework 2: its table fits the notebooks, and each notebook leads to it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import nbformat
import pytest
from course_modules import NOTEBOOKS, ROOT, counts_first

FOLDER, RELEASED = (ROOT / stage / "csc6022-hw2" for stage in ("source", "release"))
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \[([\d.]+)\]\((\w+\.ipynb)\) \|.*\| (\d+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)


def cells(name: str) -> list[Any]:
    found: list[Any] = nbformat.read(FOLDER / name, as_version=4).cells
    return found


def test_the_table_has_every_notebook_and_its_sums() -> None:
    own = [path for path in NOTEBOOKS if path.parent == FOLDER]
    assert [name for _, name, *_ in ROWS] == [path.name for path in own if counts_first(path)]
    for path in own:
        if not counts_first(path):
            assert re.search(rf"^\| or \[[\d.]+\]\({path.name}\) \|.*\| \| \|$", PAGE, re.MULTILINE)
    total = re.search(r"\| \*\*Total\*\* \| \*\*(\d+)\*\* \| \*\*([\d.]+)\*\* \|", PAGE)
    assert total
    points, hours = map(float, total.groups())
    assert sum(int(row[2]) for row in ROWS) == points
    assert sum(float(row[3]) for row in ROWS) == hours <= 30


@pytest.mark.parametrize(("problem", "name", "points", "hours"), ROWS, ids=[row[0] for row in ROWS])
def test_a_notebook_says_the_same_and_leads_to_the_page(
    problem: str, name: str, points: str, hours: str
) -> None:
    marks = [cell.metadata.get("nbgrader", {}) for cell in cells(name)]
    assert sum(Fraction(str(mark["points"])) for mark in marks if mark.get("grade")) == int(points)
    title = " ".join(cells(name)[0].source.split())
    assert f"Problem {problem}:" in title
    assert f"This problem has {points} of the homework's 150 points." in title
    assert "[start page](README.md)" in title
    assert float(hours) == pytest.approx(minutes(name) / 60, abs=0.26)
    (due,) = re.findall(r"Due [^*]+\.", (RELEASED / "README.md").read_text(encoding="utf-8"))
    assert due in nbformat.read(RELEASED / name, as_version=4).cells[0].source


CUT = re.compile(r"### BEGIN (MARK SCHEME|AFTER DUE)\n.*?### END \1", re.DOTALL)
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)


def minutes(name: str) -> float:
    """How long a notebook takes by the page's rule, without what has "(no points)" in its heading."""
    words, given, own, written = 0, 0, 0, 0.0
    skipped = 0  # the level of the heading below which nothing counts
    for cell in cells(name):
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and marks.get("solution"):
            written += marks["points"]
        elif cell.cell_type == "markdown":
            if heading := re.match(r"(#+) (.*)", cell.source):
                level = len(heading[1])
                if "no points)" in heading[2]:
                    skipped = level
                elif level <= skipped:
                    skipped = 0
            words += 0 if skipped else len(CUT.sub("", cell.source).split())
        elif marks.get("solution"):
            own += sum(
                bool(line.strip()) for part in SOLUTION.findall(cell.source) for line in part.splitlines()
            )
        elif not skipped and not marks.get("grade"):
            given += sum(bool(line.strip()) for line in cell.source.splitlines())
    return words / 60 + given / 4 + 3 * own + 12 * written


def stripped(tex: str) -> str:
    """Without spaces, braces and the _d by which problem 5 marks what is the discriminator's."""
    return re.sub(r"_d\b|[\s{}]", "", tex)


def test_the_letters_of_the_table_are_those_of_the_problems() -> None:
    """Each formula of a problem's column occurs in its notebook."""
    table = PAGE.partition("### One thing, several letters")[2].partition("\n## ")[0]
    header, _, *rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    files = {problem: name for problem, name, *_ in ROWS}
    for column, heading in enumerate(header):
        if problem := re.search(r"Problem ([\d.]+)", heading):
            text = "\n".join(cell.source for cell in cells(files[problem[1]]) if cell.cell_type == "markdown")
            # both sides of an equation by themselves
            bare = stripped(text)
            sides = {
                side
                for row in rows
                for tex in re.findall(r"\$([^$]+)\$", row[column])
                for side in tex.split("=")
            }
            missing = {side for side in sides if stripped(side) not in bare}
            assert not missing, heading
