"""Which outputs of an earlier run of the same answers are still valid after the instructor changed some checks.

The referee's cells change nothing in the notebook. So if nothing else has changed, the verdicts of unchanged checks
are valid, and so are the outputs of the student's cells. The student's cells run again only up to the last changed
check, because that check looks at their values.
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
from chainrule.metadata import graded_notebook, judged_cell


def valid_outputs(text: str, earlier: NotebookNode, judging: str = "judging") -> str:
    """The outputs of an earlier run that a run of this sanitised notebook would repeat.

    Args:
        judging: name of the judging package.
    Returns:
        `execution_count` and `outputs` by the cell's index, as JSON.
    """
    nb = nbformat.v4.reads(text)
    ours, theirs = depends_of(nb), depends_of(earlier)
    changed_parts = {name for name in ours if ours[name] != theirs.get(name)}
    if (
        changed_parts - {"source notebook"}
        or len(nb.cells) != len(earlier.cells)
        or graded_notebook(earlier).get("failure")
    ):
        return "{}"
    changed, in_kernel = [-1], len(nb.cells)  # in_kernel: the first changed cell that runs in the kernel
    for index, (cell, before) in enumerate(zip(nb.cells, earlier.cells, strict=True)):
        if cell.cell_type != before.cell_type:
            return "{}"
        if cell.cell_type != "code" or is_unchanged(cell, before):
            continue
        if not (is_check(cell) and is_check(before)):
            return "{}"
        changed.append(index)
        if not (is_refereed(cell, judging) and is_refereed(before, judging)):
            in_kernel = min(in_kernel, index)
    kept: dict[int, Any] = {
        index: {"execution_count": cell.execution_count, "outputs": cell.outputs}
        for index, cell in enumerate(earlier.cells[:in_kernel])
        if cell.cell_type == "code"
        and (index > changed[-1] or (index not in changed and is_refereed(cell, judging)))
    }
    return json.dumps(kept)


def is_unchanged(cell: NotebookNode, before: NotebookNode) -> bool:
    """Whether a code cell is the same as before, and was judged without a grader error."""
    if is_check(cell) and cell.metadata.nbgrader.points != before.metadata.nbgrader.get("points"):
        return False
    return cell.source == before.source and "grader_error" not in (judged_cell(before) or {})


def is_check(cell: NotebookNode) -> bool:
    return bool(utils.is_grade(cell) and not utils.is_solution(cell))


def is_refereed(cell: NotebookNode, judging: str) -> bool:
    """Whether a cell runs in the referee and not in the notebook's kernel."""
    return os.name == "posix" and has_checks(cell, judging)
