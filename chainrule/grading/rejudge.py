"""What an earlier run of the same answers still tells after the instructor changed some checks.

The referee's cells change nothing in the notebook. So if nothing else is different, verdicts of unchanged
ones hold, and so does all that the student's cells put out; those have to run again only as far as the last
changed check looks at them.
"""

from __future__ import annotations

import json
import os
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from chainrule.grading.run import has_checks
from chainrule.grading.store import depends_of


def still_valid(text: str, earlier: NotebookNode) -> str:
    """The outputs of an earlier run that a run of this sanitised notebook would give again.

    Returns:
        `execution_count` and `outputs` by the cell's place, as JSON.
    """
    nb = nbformat.v4.reads(text)
    ours, theirs = depends_of(nb), depends_of(earlier)
    others = {name for name in ours if ours[name] != theirs.get(name)} - {"source notebook"}
    if others or len(nb.cells) != len(earlier.cells) or earlier.metadata["chainrule"]["dead"]:
        return "{}"
    changed, in_kernel = [-1], len(nb.cells)  # in_kernel: the first change that the student's cells may see
    for place, (cell, before) in enumerate(zip(nb.cells, earlier.cells, strict=True)):
        if cell.cell_type != before.cell_type:
            return "{}"
        if cell.cell_type != "code" or same(cell, before):
            continue
        if not (is_check(cell) and is_check(before)):
            return "{}"
        changed.append(place)
        if not (refereed(cell) and refereed(before)):
            in_kernel = min(in_kernel, place)
    kept: dict[int, Any] = {
        place: {"execution_count": cell.execution_count, "outputs": cell.outputs}
        for place, cell in enumerate(earlier.cells[:in_kernel])
        if cell.cell_type == "code" and (place > changed[-1] or (place not in changed and refereed(cell)))
    }
    return json.dumps(kept)


def same(cell: NotebookNode, before: NotebookNode) -> bool:
    """Whether a code cell is what it was, and was judged without trouble."""
    if is_check(cell) and cell.metadata.nbgrader.points != before.metadata.nbgrader.get("points"):
        return False
    return cell.source == before.source and "grader_error" not in before.metadata.get("chainrule", {})


def is_check(cell: NotebookNode) -> bool:
    return bool(utils.is_grade(cell) and not utils.is_solution(cell))


def refereed(cell: NotebookNode) -> bool:
    """Whether a cell runs in the referee, out of the notebook's kernel."""
    return os.name == "posix" and has_checks(cell)
