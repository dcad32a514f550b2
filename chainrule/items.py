"""The names of an assignment's items. nbgrader's ids are unique in a notebook, not in an assignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbgrader.api import Assignment

ItemNames = dict[tuple[str, str], str]  # by notebook and grade_id


def item_names(items: Iterable[tuple[str, str]]) -> ItemNames:
    """A name for each item: its grade_id or, if several notebooks have the same, "notebook/grade_id".

    Args:
        items: notebook and grade_id of all items of an assignment.
    """
    known = list(dict.fromkeys(items))
    notebooks = Counter(grade_id for _, grade_id in known)
    return {
        (notebook, grade_id): grade_id if notebooks[grade_id] == 1 else f"{notebook}/{grade_id}"
        for notebook, grade_id in known
    }


def gradebook_items(assignment: Assignment) -> ItemNames:
    """The names of the items that the gradebook knows: automatic tests, written answers, and tasks."""
    return item_names(
        (notebook.name, cell.name)
        for notebook in assignment.notebooks
        for cell in [*notebook.grade_cells, *notebook.task_cells]
    )
