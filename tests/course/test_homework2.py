"""Homework 2 as a whole: the handout's points, and what of them is automatic."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import nbformat
import pytest
from course_modules import HW2, ROOT, counts_first

from chainrule.authoring.rehearse import code_cells, rehearse

HANDOUT = {"1": 15, "2": 15, "3": 15, "4": 10, "5": 20, "6_1": 15, "6_2": 30, "7": 30}


def notebook(problem: str, stage: str) -> Path:
    """A problem's notebook; of two in whose place one may be handed in, the first."""
    (path,) = filter(counts_first, (ROOT / stage / "csc6022-hw2").glob(f"p{problem}_*.ipynb"))
    return path


def points(problem: str, kind: str = "", stage: str = "source") -> Fraction:
    """The sum of a problem's points, of one kind of cells only ("code": automatic, "markdown": marked by hand)."""
    cells: list[Any] = nbformat.read(notebook(problem, stage), as_version=4).cells
    graded = [
        cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade") and kind in cell.cell_type
    ]
    assert all(re.match(rf"p{problem}[_a-z]", cell.metadata.nbgrader.grade_id) for cell in graded)
    return sum((Fraction(str(cell.metadata.nbgrader.points)) for cell in graded), Fraction(0))


@pytest.mark.parametrize("stage", ["source", "release"])
@pytest.mark.parametrize("problem", HANDOUT)
def test_points_are_those_of_the_handout(problem: str, stage: str) -> None:
    assert points(problem, stage=stage) == HANDOUT[problem]


def test_most_points_are_automatic() -> None:
    assert sum(HANDOUT.values()) == 150
    assert sum(points(problem, "code") for problem in HANDOUT) >= 110


@pytest.mark.parametrize("problem", HANDOUT)
def test_every_problem_asks_for_collaborators_once(problem: str) -> None:
    cells = nbformat.read(notebook(problem, "release"), as_version=4).cells
    assert f"**Collaborators on problem {problem.replace('_', '.')}:**" in cells[1].source
    assert len(re.findall(r"\*\*Collaborators", "\n".join(cell.source for cell in cells))) == 1


@pytest.mark.parametrize("junk", ["None", "{}", "0", "[0] * 3", "'x'", "float('nan')", "lambda *a: a[0]"])
@pytest.mark.parametrize("problem", HANDOUT)
def test_junk_in_every_answer_earns_nothing_and_is_foreseen(problem: str, junk: str, classroom: Path) -> None:
    sources = code_cells(notebook(problem, "source"))
    items = [name for name, source in sources.items() if "Item(" in source]
    for name, source in sources.items():
        if "### BEGIN SOLUTION" in source:
            functions = re.findall(r"^def (\w+)", source, re.MULTILINE)
            values = [] if functions else re.findall(r"^(\w+)\s*=\s", source, re.MULTILINE)
            answer = [f"def {function}(*args):\n    return {junk}" for function in functions]
            sources[name] = "\n".join([*answer, *(f"{value} = {junk}" for value in values)])
    done = rehearse(HW2, sources, [name for name in sources if name not in items], items, classroom)
    assert {name: result.score for name, result in done.items()} == dict.fromkeys(items, 0.0)
    assert [
        check.internal_error for result in done.values() for check in result.checks if check.internal_error
    ] == []
