"""What the verdicts in graded notebooks ask people to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode, from_dict

from chainrule.metadata import judged_cell, result_of


def review_reasons(cell: NotebookNode) -> list[str]:
    """Why a person has to look at a graded cell, one sentence for each reason."""
    record = judged_cell(cell)
    if record is None:
        return []
    if "grader_error" in record:
        return [f"{record['grade_id']} waits for a person: {record['grader_error']}"]
    return [f"{record['grade_id']} waits for a person: {review}" for review in result_of(record).reviews]


def graded_cells(
    folder: Path, names: Iterable[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], NotebookNode]]:
    """The cells of these names in a student's folder of graded notebooks; a file that cannot be read has none.

    Args:
        names: notebook and grade_id.
    """
    wanted: dict[str, set[str]] = {}
    for notebook, grade_id in names:
        wanted.setdefault(notebook, set()).add(grade_id)
    for notebook, ids in sorted(wanted.items()):
        try:
            cells = from_dict(json.loads((folder / f"{notebook}.ipynb").read_bytes())).cells
        except (OSError, ValueError, AttributeError):
            continue
        for cell in cells:
            if (grade_id := cell.metadata.get("nbgrader", {}).get("grade_id")) in ids:
                yield (notebook, grade_id), cell


def stopped(cell: NotebookNode) -> bool:
    """Whether a check of a graded cell stopped with an error of its own, or the cell gave no possible score."""
    record = judged_cell(cell)
    return record is not None and ("grader_error" in record or bool(result_of(record).crashes))
