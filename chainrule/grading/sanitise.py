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

    Answers are solution cells; of several with one name the first that differs from the stub counts. Cells
    outside nbgrader, such as the line for collaborators, are the student's to change or delete. A cell whose
    name the master doesn't know was added by the student and keeps its place behind the cell it follows.

    Returns:
        What had to be repaired, a sentence each.
    """
    known = {name_of(cell) or f"cell {place}": cell for place, cell in enumerate(master.cells)}
    stubs = {name: cell.source for name, cell in known.items()}
    additions: dict[str, list[NotebookNode]] = {}
    repairs, seen, last = [], set(), ""
    for cell in submitted.cells:
        name = name_of(cell)
        if name not in known:
            if "nbgrader" in cell.metadata:
                repairs.append(f"cell {name[:60]} is not part of this notebook: kept without its points")
            if cell.source.strip():
                additions.setdefault(last, []).append(added(cell))
            continue
        ours, last = known[name], name
        if name in seen:
            repairs.append(f"cell {name} is there more than once")
        seen.add(name)
        if is_answer(ours):
            if ours.source == stubs[name]:
                answer(ours, cell)
        elif cell.source.split() != visible(ours.source).split():
            repairs.append(f"cell {name} had been changed: restored")
    kept = {name: cell for name, cell in known.items() if name in seen or "nbgrader" in cell.metadata}
    repairs += [f"cell {name} was missing: restored" for name in kept if name not in seen]
    cells = list(additions.get("", []))
    for name, cell in kept.items():
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


def answer(cell: NotebookNode, theirs: NotebookNode) -> NotebookNode:
    """The cell with the source and the pictures of the student's."""
    cell.source = storable(theirs.source)
    attachments = theirs.get("attachments")
    if cell.cell_type == "markdown" and isinstance(attachments, dict):
        pictures = {storable(name): data for name, data in attachments.items() if is_picture(data)}
        cell.update({"attachments": pictures} if pictures else {})
    return cell


def storable(text: str) -> str:
    """The text without halves of characters, which JSON can spell but no file can hold."""
    return text.encode("utf-8", "replace").decode()


def is_picture(data: object) -> bool:
    """Whether an attachment has the form the notebook format wants: base64 by MIME type."""
    return isinstance(data, dict) and all(isinstance(text, str) and text.isascii() for text in data.values())


def added(cell: NotebookNode) -> NotebookNode:
    """A student's own cell without outputs and metadata."""
    new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return answer(new(), cell)


def visible(source: str) -> str:
    """A graded cell's source as the release shows it, without the regions only the instructor sees."""
    lines, hidden = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line or "BEGIN MARK SCHEME" in line:
            hidden = True
        if not hidden:
            lines.append(line)
        if "END HIDDEN TESTS" in line or "END MARK SCHEME" in line:
            hidden = False
    return "\n".join(lines)
