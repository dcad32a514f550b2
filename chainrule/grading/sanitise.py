"""From what a student handed in to a notebook that is ours again.

The notebook to run is the instructor's, with nothing taken from the student but answers: the sources of
solution cells, and cells the student added. Points, ids, locked cells, kernel and order are ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
)


class Graft(NbGraderPreprocessor):
    """nbgrader preprocessor that puts a student's answers into the instructor's notebook."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        course = CourseDirectory(parent=self)
        source = course.format_path(course.source_directory, ".", where["assignment"])
        master = nbformat.read(Path(course.root, source, f"{where['notebook']}.ipynb"), as_version=4)
        # as in the release, but with hidden checks: nbgrader recognises an untouched answer by its checksum
        for step in (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums):
            master, _ = step(parent=self).preprocess(master, {"nbgrader": dict(where)})
        repairs = graft(master, nb)
        for repair in repairs:
            self.log.warning("%s: %s", where["student"], repair)
        master.metadata["chainrule"] = {"repairs": repairs}
        return master, resources


def graft(master: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Put the answers of a submitted notebook into the master, in place.

    Answers are solution cells and cells outside nbgrader, such as the line for collaborators. Of several
    with one name the first that differs from the stub counts. A cell whose name the master doesn't know was
    added by the student and keeps its place behind the cell it follows.

    Returns:
        What had to be repaired, a sentence each.
    """
    known = {name_of(cell): cell for cell in master.cells}
    stubs = {name: cell.source for name, cell in known.items()}
    additions: dict[str, list[NotebookNode]] = {}
    repairs, seen, last = [], set(), ""
    for cell in submitted.cells:
        name = name_of(cell)
        if name not in known:
            if "nbgrader" in cell.metadata:
                repairs.append(f"cell {name} is not part of this notebook: kept without its points")
            if cell.source.strip():
                additions.setdefault(last, []).append(added(cell))
            continue
        ours, last = known[name], name
        if name in seen:
            repairs.append(f"cell {name} is there more than once")
        seen.add(name)
        if is_answer(ours):
            if ours.source == stubs[name]:
                ours.source = cell.source
                if cell.get("attachments") and ours.cell_type == "markdown":
                    ours["attachments"] = cell.attachments
        elif cell.source.split() != visible(ours.source).split():
            repairs.append(f"cell {name} had been changed: restored")
    repairs += [f"cell {name} was missing: restored" for name in known if name not in seen]
    cells = list(additions.get("", []))
    for name, cell in known.items():
        cells += [cell, *additions.get(name, [])]
    master.cells = cells
    return repairs


def name_of(cell: NotebookNode) -> str:
    """What a cell is recognised by: its nbgrader id, or the notebook format's own."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return str(name or cell.get("id", ""))


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell of the master is the student's to edit."""
    return "nbgrader" not in cell.metadata or utils.is_solution(cell)


def added(cell: NotebookNode) -> NotebookNode:
    """A student's own cell without outputs and metadata."""
    new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return new(cell.source)


def visible(source: str) -> str:
    """A graded cell's source as the release shows it, without the regions only the instructor sees."""
    lines, hidden = [], False
    for line in source.split("\n"):
        if "### BEGIN HIDDEN TESTS" in line or "### BEGIN MARK SCHEME" in line:
            hidden = True
        if not hidden:
            lines.append(line)
        if "### END HIDDEN TESTS" in line or "### END MARK SCHEME" in line:
            hidden = False
    return "\n".join(lines)
