"""nbgrader's generate_assignment, with a sentence for instructors where it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import MissingEntry, Notebook

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import ensure_tables, open_gradebook
from chainrule.release.master import masters

KINDS = {
    "grade": utils.is_grade,
    "solution": utils.is_solution,
    "task": utils.is_task,
    "locked": utils.is_locked,
}


def generate(folder: CourseFolder, assignment: str) -> None:
    """Write the assignment into release/ and into the gradebook.

    Raises:
        CourseError: nbgrader's reason; or which cells have other names than in the hand-ins that were graded.
    """
    ensure_tables(folder.directory.db_url)
    done = folder.api.generate_assignment(assignment, force=True)
    if not done["success"] and (found := "\n".join(renamed(folder, assignment))):
        raise CourseError(found)
    folder.succeed(done, f"releasing {assignment}")


def renamed(folder: CourseFolder, assignment: str) -> Iterator[str]:
    """A sentence for each notebook whose marks hang on names that are no longer in source/."""
    now = masters(folder, assignment)
    with open_gradebook(folder.directory.db_url) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry:
            return
        for notebook in (one for one in notebooks if one.submissions):
            if notebook.name not in now:
                yield _told(
                    f"{notebook.name}.ipynb is no longer in source/{assignment}", "the notebook", assignment
                )
                continue
            before, after = recorded_cells(notebook), cells_of(now[notebook.name].cells)
            changed = [
                *_named(before.keys() - after.keys(), "is gone", "are gone"),
                *_named(after.keys() - before.keys(), "is new", "are new"),
                *_named(
                    {name for name in before.keys() & after.keys() if before[name] != after[name]},
                    "is of another kind",
                    "are of another kind",
                ),
            ]
            if changed:
                yield _told(f"{notebook.name}.ipynb: {', '.join(changed)}", "cells", assignment)


def recorded_cells(notebook: Notebook) -> dict[str, set[str]]:
    """What kinds of cell each name stands for in the gradebook."""
    kinds: dict[str, set[str]] = {cell.name: set() for cell in notebook.source_cells}
    lists = {"grade": notebook.grade_cells, "solution": notebook.solution_cells, "task": notebook.task_cells}
    for kind, cells in lists.items():
        for cell in cells:
            kinds.setdefault(cell.name, set()).add(kind)
    return kinds


def cells_of(cells: Iterable[NotebookNode]) -> dict[str, set[str]]:
    """The same for a notebook's cells."""
    marked = [cell for cell in cells if any(is_kind(cell) for is_kind in KINDS.values())]
    return {
        cell.metadata.nbgrader["grade_id"]: {kind for kind in KINDS if kind != "locked" and KINDS[kind](cell)}
        for cell in marked
    }


def _named(names: Iterable[str], one: str, several: str) -> list[str]:
    found = sorted(names)
    return (
        [f"cell{'s' * (len(found) > 1)} {', '.join(found)} {several if len(found) > 1 else one}"]
        if found
        else []
    )


def _told(what: str, of: str, assignment: str) -> str:
    return (
        f"{what}: hand-ins were graded before that, and nbgrader would lose their marks. Give {of} the earlier names "
        "and kinds again (texts, checks and points may change), or remove all marks with "
        f"`nbgrader db assignment remove {assignment} --force`"
    )
