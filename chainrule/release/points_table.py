"""Whether the table of points that students read in a notebook's title fits the notebook's items."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from chainrule.course import CourseFolder
from chainrule.grading.recognise import visible

POINTS = re.compile(r"(?i)\W*(points?|marks?)\W*")
TOTAL = re.compile(r"(?i)\W*(total|sum)\b.*")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def misfits(folder: CourseFolder, assignment: str) -> list[str]:
    """A sentence for each notebook whose items don't add up to the total in its first table of points."""
    notebooks = ((path, nbformat.read(path, as_version=4)) for path in folder.notebooks(assignment))
    return [f"{path.name}: {sentence}" for path, nb in notebooks if (sentence := misfit(nb))]


def misfit(nb: NotebookNode) -> str:
    """A sentence if a notebook's items don't add up to the total in its first table of points; else ""."""
    total, items = stated_total(nb), sum(points(nb))
    if total is None or abs(total - items) <= 1e-6:
        return ""
    return (
        f"its table of points has a total of {total:g}, and its items add up to {items:g}: "
        "correct the table or the points, so that students read what counts"
    )


def points(nb: NotebookNode) -> Iterator[float]:
    """The maximum of each item and task."""
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade") or marks.get("task"):
            yield float(marks.get("points", 0))


def stated_total(nb: NotebookNode) -> float | None:
    """The number in the row "Total" and the column "Points" of the first such table; None if there is none."""
    texts = (visible(cell.source) for cell in nb.cells if cell.cell_type == "markdown")
    return next((float(number) for text in texts for _, _, _, number in totals(text.splitlines())), None)


def with_row(text: str, name: str, worth: float) -> str | None:
    """A text with one more row above the total of its first table of points; None if it has no such table."""
    lines = text.splitlines()
    for index, fields, column, before in totals(lines):
        row = [name, *[""] * (len(fields) - 1)]
        row[column] = f"{worth:g}"
        fields[column] = fields[column].replace(before, f"{float(before) + worth:g}", 1)
        lines[index : index + 1] = [f"| {' | '.join(row)} |", f"| {' | '.join(fields)} |"]
        return "\n".join(lines)
    return None


def totals(lines: list[str]) -> Iterator[tuple[int, list[str], int, str]]:
    """The rows "Total" of tables with a column "Points": line, fields, column, and the number there."""
    column = None
    for index, line in enumerate(lines):
        if not line.lstrip().startswith("|"):
            column = None
            continue
        fields = [field.strip() for field in line.strip().strip("|").split("|")]
        if column is None:
            column = next((i for i, field in enumerate(fields) if POINTS.fullmatch(field)), -1)
        elif 0 <= column < len(fields) and any(map(TOTAL.fullmatch, fields)):
            if number := NUMBER.search(fields[column]):
                yield index, fields, column, number.group()
