"""A notebook as a write-up: questions, answers, figures and results, without the code that was given.

Check cells become one line each. The output of a given cell stays, its code goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from chainrule.handin.cover import COLLABORATORS
from chainrule.handin.inspection import is_hand_in_cell, marks
from chainrule.handin.places import Place, places

RESULT_TYPE = "application/vnd.chainrule.item+json"  # of a check cell's output, see `chainrule.lesson.checks`
# in a cell's metadata: the title of the frame that is drawn around it; a line about an item, in place of the cell
FRAME, RESULT = "frame", "result"
WRITE_UP = "write-up"  # in the notebook's metadata
ON_COVER = "on cover"  # in a cell's metadata: the first page says it


def write_up(nb: NotebookNode) -> NotebookNode:
    """The write-up of an executed notebook, as a notebook."""
    cells = [shown for cell, place in zip(nb.cells, places(nb), strict=True) for shown in _shown(cell, place)]
    return NotebookNode({**nb, "metadata": {**nb.metadata, WRITE_UP: True}, "cells": cells})


def _shown(cell: NotebookNode, place: Place) -> Iterator[NotebookNode]:
    about = marks(cell)
    if is_hand_in_cell(cell):
        return
    if about.get("solution"):
        yield NotebookNode({**cell, "metadata": {**cell.metadata, FRAME: f"Answer {place.label}".strip()}})
        if about.get("grade"):
            yield _result(place, about, "marked by a person")
    elif is_check(cell):
        yield _result(place, about, result_in_words(cell))
    elif cell.cell_type == "markdown" and not COLLABORATORS.sub("", cell.source).strip():
        yield NotebookNode({**cell, "metadata": {**cell.metadata, ON_COVER: True}})
    elif cell.cell_type == "markdown" or not about.get("locked"):
        yield cell
    elif cell.get("outputs"):
        yield NotebookNode({**cell, "source": ""})


def is_check(cell: Mapping[str, Any]) -> bool:
    """Whether a cell holds checks, also if an editor has dropped what nbgrader knows of it."""
    about = marks(cell)
    source = cell["source"]
    graded = bool(about.get("grade")) and not about.get("solution")
    return cell["cell_type"] == "code" and (
        graded or ("Item(" in source and source.rstrip().endswith(".score()"))
    )


def result_in_words(cell: Mapping[str, Any]) -> str:
    """What the checks of a cell said in the run that the write-up shows."""
    record = next(
        (r for output in cell.get("outputs", []) if (r := output.get("data", {}).get(RESULT_TYPE))), None
    )
    checks = record.get("checks") if isinstance(record, Mapping) else None
    if not isinstance(checks, list) or not all(isinstance(check, Mapping) for check in checks):
        return "its checks did not run"
    if not checks:
        return "checked at grading"
    open_checks = [f"“{check.get('name')}”" for check in checks if not check.get("passed")]
    if not open_checks:
        return "visible checks ✓ · the rest is checked at grading"
    passed = f"{len(checks) - len(open_checks)} of {len(checks)} visible checks ✓"
    return f"{passed}, open: {', '.join(open_checks)} · the rest is checked at grading"


def _result(place: Place, about: Mapping[str, Any], what: str) -> NotebookNode:
    points = about.get("points")
    worth = f"{points:g} point{'s' * (points != 1)}" if isinstance(points, int | float) else ""
    text = " · ".join(filter(None, (place.label, worth, what)))
    cell: NotebookNode = new_markdown_cell(
        re.sub(r"([^\w\s·✓,.:“”])", r"\\\1", text), metadata={RESULT: text}
    )
    return cell
