"""Whether the table of points that students read in a notebook's title fits the notebook's items."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from chainrule.course import CourseFolder
from chainrule.grading.recognise import visible
from chainrule.release.facts import item_points

WORD = r"points?|pts?\.?|marks?|punkte?|puntos?|punt[io]|pontos?|bar[èe]me"  # in French "point", in Italian "punti"
DECIMAL = r"\d+(?:[.,]\d+)?"  # with the point or the comma of its language
POINTS = re.compile(rf"(?i)\W*({WORD})\W*")
TOTAL = re.compile(r"(?i)\W*(totale?|sum|summe|somme|suma|soma|gesamt|insgesamt)\b.*")
NUMBER = re.compile(DECIMAL)
ONLY_NUMBER = re.compile(rf"(?i)\W*({DECIMAL})\W*(?:{WORD})?\W*")

Row = tuple[str, float]  # what a row is called, and its points


def misfits(folder: CourseFolder, assignment: str) -> list[str]:
    """A sentence for each notebook whose items don't add up to the total in its first table of points."""
    notebooks = ((path, nbformat.read(path, as_version=4)) for path in folder.notebooks(assignment))
    return [f"{path.name}: {sentence}" for path, nb in notebooks if (sentence := misfit(nb))]


def misfit(nb: NotebookNode) -> str:
    """A sentence if a notebook's items don't add up to the total in its first table of points; else ""."""
    total, items = stated_total(nb), sum(points for _, points in item_points(nb))
    if total is None or abs(total - items) <= 1e-6:
        return ""
    return (
        f"its table of points has a total of {total:g}, and its items add up to {items:g}: "
        "correct the table or the points, so that students read what counts"
    )


def stated_total(nb: NotebookNode) -> float | None:
    """The number in the row "Total" and the column "Points" of the first such table; None if there is none."""
    texts = (visible(cell.source) for cell in nb.cells if cell.cell_type == "markdown")
    return next((decimal(number) for text in texts for _, _, _, number in totals(text.splitlines())), None)


def with_row(text: str, name: str, worth: float) -> str | None:
    """A text with one more row above the total of its first table of points; None if it has no such table."""
    lines = text.splitlines()
    for index, fields, column, before in totals(lines):
        row = [name, *[""] * (len(fields) - 1)]
        row[column] = f"{worth:g}"
        fields[column] = fields[column].replace(before, f"{decimal(before) + worth:g}", 1)
        lines[index : index + 1] = [f"| {' | '.join(row)} |", f"| {' | '.join(fields)} |"]
        return "\n".join(lines)
    return None


def stated_rows(text: str) -> tuple[list[Row], float] | None:
    """The rows above the total of a text's first table of points, and the total; None if there is no such table, or a
    row has more than a number."""
    for column, rows in tables(text.splitlines()):
        above: list[Row] = []
        for _, fields in rows:
            name = next((each for i, each in enumerate(fields) if each and i != column), "").strip("*` ")
            points = ONLY_NUMBER.fullmatch(fields[column])
            if any(map(TOTAL.fullmatch, fields)) and (total := NUMBER.search(fields[column])):
                return above, decimal(total.group())
            if fields[column].strip(":- ") and not points:
                return None
            if points:
                above.append((name, decimal(points[1])))
    return None


def decimal(text: str) -> float:
    """A number as texts of any language write it.

    >>> decimal("2.5"), decimal("2,5")
    (2.5, 2.5)
    """
    return float(text.replace(",", "."))


def totals(lines: list[str]) -> Iterator[tuple[int, list[str], int, str]]:
    """The rows "Total" of tables with a column "Points": line, fields, column, and the number there."""
    for column, rows in tables(lines):
        for index, fields in rows:
            if any(map(TOTAL.fullmatch, fields)) and (number := NUMBER.search(fields[column])):
                yield index, fields, column, number.group()


def tables(lines: list[str]) -> Iterator[tuple[int, list[tuple[int, list[str]]]]]:
    """Tables with a column "Points": the column, and line and fields of each row that reaches it."""
    table: list[tuple[int, list[str]]] = []
    for index, line in enumerate([*lines, ""]):
        if line.lstrip().startswith("|"):
            table.append((index, [field.strip() for field in line.strip().strip("|").split("|")]))
            continue
        heads = enumerate(table[0][1]) if table else ()
        if (column := next((i for i, field in heads if POINTS.fullmatch(field)), None)) is not None:
            yield column, [(number, fields) for number, fields in table[1:] if column < len(fields)]
        table = []
