"""Homework 2 as a whole: the handout's points, and what of them is automatic."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import nbformat
import pytest
from rehearsal import ROOT

HANDOUT = {"1": 15, "2": 15, "3": 15, "4": 10, "5": 20}  # problems 6 and 7 are still to come


def points(problem: str, kind: str = "", stage: str = "source") -> Fraction:
    """The sum of a problem's points, of one kind of cells only ("code": automatic, "markdown": marked by hand)."""
    (path,) = (ROOT / stage / "csc6022-hw2").glob(f"p{problem}_*.ipynb")
    cells: list[Any] = nbformat.read(path, as_version=4).cells
    graded = [
        cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade") and kind in cell.cell_type
    ]
    assert all(cell.metadata.nbgrader.grade_id.startswith(f"p{problem}_") for cell in graded)
    return sum((Fraction(str(cell.metadata.nbgrader.points)) for cell in graded), Fraction(0))


@pytest.mark.parametrize("stage", ["source", "release"])
@pytest.mark.parametrize("problem", HANDOUT)
def test_points_are_those_of_the_handout(problem: str, stage: str) -> None:
    assert points(problem, stage=stage) == HANDOUT[problem]


def test_most_points_are_automatic() -> None:
    assert sum(HANDOUT.values()) == 75
    assert sum(points(problem, "code") for problem in HANDOUT) >= 45


@pytest.mark.parametrize("problem", HANDOUT)
def test_every_problem_asks_for_collaborators_once(problem: str) -> None:
    (path,) = (ROOT / "release" / "csc6022-hw2").glob(f"p{problem}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    assert f"**Collaborators on problem {problem}:**" in cells[1].source
    assert len(re.findall(r"\*\*Collaborators", "\n".join(cell.source for cell in cells))) == 1
