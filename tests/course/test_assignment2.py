"""Assignment 2 as a whole: the handout's points, what of them is automatic, and what people mark by which scheme."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

import nbformat
import pytest
from course_modules import ROOT
from nbformat import NotebookNode

HANDOUT = {"1.1": 3, "1.2": 3, "1.3": 4, "2.1": 1, "2.2": 7, "3.1": 2, "3.2": 4, "3.3": 1}
SOURCE = nbformat.read(ROOT / "source" / "cs480-a2" / "assignment2.ipynb", as_version=4)
RELEASE = nbformat.read(ROOT / "release" / "cs480-a2" / "assignment2.ipynb", as_version=4)


def marks(cell: NotebookNode) -> dict[str, object]:
    return cell.metadata.get("nbgrader", {})


def graded(notebook: NotebookNode, kind: str = "") -> dict[str, Fraction]:
    """Points by grade_id; of one kind of cells only ("code": automatic, "markdown": marked by hand)."""
    return {
        marks(cell)["grade_id"]: Fraction(str(marks(cell)["points"]))
        for cell in notebook.cells
        if marks(cell).get("grade") and kind in cell.cell_type
    }


def by_question(points: dict[str, Fraction]) -> dict[str, Fraction]:
    sums: Counter[str] = Counter()
    for grade_id, worth in points.items():
        question = re.match(r"q(\d+)_(\d+)", grade_id)
        assert question
        sums[f"{question[1]}.{question[2]}"] += worth  # type: ignore[assignment]
    return dict(sums)  # type: ignore[arg-type]


@pytest.mark.parametrize("notebook", [SOURCE, RELEASE], ids=["source", "release"])
def test_points_are_those_of_the_handout(notebook: NotebookNode) -> None:
    assert by_question(graded(notebook)) == HANDOUT
    assert sum(graded(notebook).values()) == 25


def test_the_title_says_the_same() -> None:
    table = re.findall(r"^\| (\d\.\d) \|.*\| ([\d.]+) \|$", SOURCE.cells[0].source, re.MULTILINE)
    assert {question: int(points) for question, points in table} == HANDOUT


def test_most_points_are_automatic() -> None:
    assert sum(graded(SOURCE, "code").values()) >= 15
    assert sum(graded(SOURCE).values()) == sum(
        sum(graded(SOURCE, kind).values()) for kind in ("code", "markdown")
    )


def test_every_question_asks_for_collaborators_once() -> None:
    for notebook in (SOURCE, RELEASE):
        text = "\n".join(cell.source for cell in notebook.cells)
        for question in (1, 2, 3):
            (start,) = [m.start() for m in re.finditer(rf"^# Question {question}\b", text, re.MULTILINE)]
            line = text.index(f"**Collaborators on question {question}:**")
            assert 0 < line - start < 1500
        assert text.count("**Collaborators") == 3
