"""The notes' tables of the handouts' sentences have all points of the notebooks, each where it is earned."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import nbformat
import pytest
from course_modules import NOTEBOOKS, ROOT, counts_first

NOTES = {"csc6022-hw2": "csc6022_hw2", "cs480-a2": "cs480_a2"}


@pytest.mark.parametrize("assignment", NOTES)
def test_the_table_has_every_point(assignment: str) -> None:
    notes = (ROOT / "judging" / NOTES[assignment] / "notes.md").read_text(encoding="utf-8")
    table = notes.partition("## The handout, sentence by sentence")[2]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]
    stated = {
        kind: sum((Fraction(row[column].strip() or 0) for row in rows), Fraction(0))
        for kind, column in (("code", 2), ("markdown", 3))
    }
    earned: Counter[str] = Counter()
    for path in (path for path in NOTEBOOKS if path.parent.name == assignment and counts_first(path)):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                earned[cell.cell_type] += Fraction(str(cell.metadata.nbgrader.points))  # type: ignore[assignment]
                question = cell.metadata.nbgrader.grade_id.partition("-")[0]
                assert f"`{question}-" in table, question
    assert stated == earned
