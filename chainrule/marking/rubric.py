"""Mark schemes: the rows of their tables, the sentences about common mistakes, and writing rows back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearMarkScheme
from traitlets.config import Config

from chainrule.metadata import cell_name
from chainrule.release.after_due import ClearAfterDue, without_region

KEYS = "123456789qwerty"  # of rows, in order
NUMBER = r"[-+−]?\d+(?:[.,]\d+)?"
TABLE_ROW = re.compile(rf"^\s*\|\s*({NUMBER})\s*\|(.*?)\|\s*$")
TABLE_HEAD = re.compile(r"^\s*\|\s*(points?|marks?)\s*\|\s*for\s*\|\s*$", re.IGNORECASE)
TABLE_RULE = re.compile(r"^\s*\|[\s:|-]+\|\s*$")
MISTAKES = re.compile(r"^\s*\*\*common mistakes\.?\*\*", re.IGNORECASE)
COSTS = re.compile(
    r"(?:[-−]|minus |loses? (?:the |its |that )?)(\d+(?:\.\d+)?)(?!\d)(?! (?:of|in))", re.IGNORECASE
)
DECIMALS = 6  # a score is rounded to these, so that 0.1 + 0.2 is 0.3


@dataclass(frozen=True)
class Row:
    """A row of a rubric: points (negative for a mistake) and what they are for, in Markdown.

    Attributes:
        id: stays the same when points or text are changed; 0 for a row that is only in the mark scheme.
    """

    points: float
    text: str
    id: int = 0


@dataclass(frozen=True)
class Mistake:
    """A sentence about a common mistake, and the points that it names to be taken off, if it does."""

    text: str
    costs: float | None


@dataclass(frozen=True)
class MarkScheme:
    """What stands around a written answer in the instructor's notebook.

    Attributes:
        question: the statement, without the mark scheme.
        rows: of the scheme's table of points.
        prose: the rest of the scheme, such as the model answer.
        mistakes: the scheme's paragraph about common mistakes, sentence by sentence.
    """

    question: str
    rows: tuple[Row, ...] = ()
    prose: str = ""
    mistakes: tuple[Mistake, ...] = ()


class Delimiters:
    """The lines between which a course's mark schemes are, as nbgrader is told."""

    def __init__(self, config: Config | None = None) -> None:
        step = ClearMarkScheme(config=config or Config())
        self.begin, self.end = step.begin_mark_scheme_delimeter, step.end_mark_scheme_delimeter
        later = ClearAfterDue(config=config or Config())
        self.later = later.begin_after_due_delimeter, later.end_after_due_delimeter

    def split(self, source: str) -> tuple[list[str], list[str]]:
        """The lines of a cell's question, and those of its mark scheme."""
        outside: list[str] = []
        inside: list[str] = []
        within = False
        for line in without_region(source, *self.later).splitlines():
            if self.begin in line:
                within = True
            elif self.end in line:
                within = False
            else:
                (inside if within else outside).append(line)
        return outside, inside


def scheme_cell(cells: Sequence[NotebookNode], item: str, begin: str) -> NotebookNode | None:
    """The cell with the item's mark scheme: the answer's own, or the nearest read-only one above it."""
    found = None
    for cell in cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell_name(cell) == item:
            return cell if begin in cell.source else found
        if marks.get("solution") or marks.get("grade"):
            found = None
        elif cell.cell_type == "markdown" and marks:
            found = cell
    return None


def read_scheme(source: str, delimiters: Delimiters) -> MarkScheme:
    """The parts of a cell with a question and its mark scheme."""
    outside, inside = delimiters.split(source)
    rows: list[Row] = []
    prose: list[str] = []
    mistakes: list[str] = []
    in_table = in_mistakes = False
    for line in inside:
        if TABLE_HEAD.match(line):
            in_table = True
        elif in_table and (found := TABLE_ROW.match(line)):
            rows.append(Row(number(found[1]), found[2].strip()))
        elif in_table and TABLE_RULE.match(line):
            continue
        else:
            in_table = False
            in_mistakes = bool(line.strip()) and (in_mistakes or bool(MISTAKES.match(line)))
            (mistakes if in_mistakes else prose).append(line)
    text = " ".join(mistakes)
    return MarkScheme(
        "\n".join(outside).strip(),
        tuple(rows),
        "\n".join(prose).strip(),
        tuple(read_mistakes(MISTAKES.sub("", text).strip())),
    )


def read_mistakes(text: str) -> Iterator[Mistake]:
    """The sentences of a paragraph about common mistakes. A period in quotes, formulas or numbers ends none."""
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"“$\\])", text):
        if sentence.strip():
            costs = COSTS.findall(sentence)
            yield Mistake(sentence.strip(), float(costs[0]) if len(costs) == 1 else None)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "."))


def sum_of(rows: Iterable[Row]) -> float:
    """The points of ticked rows: never less than 0."""
    return max(0.0, round(sum(row.points for row in rows), DECIMALS))


def with_rows(source: str, rows: Sequence[Row], delimiters: Delimiters) -> str:
    """A cell's source with these rows in the table of its mark scheme, and everything else as it was.

    A scheme without a table gets one at its end.
    """
    lines = source.splitlines()
    begin = next((i for i, line in enumerate(lines) if delimiters.begin in line), None)
    if begin is None:
        return "\n".join([*lines, "", delimiters.begin, "", *table(rows), "", delimiters.end])
    end = next((i for i, line in enumerate(lines) if i > begin and delimiters.end in line), len(lines))
    head = next((i for i in range(begin, end) if TABLE_HEAD.match(lines[i])), None)
    if head is None:
        return "\n".join([*lines[:end], *table(rows), "", *lines[end:]])
    last = head + 1
    while last < end and (TABLE_RULE.match(lines[last]) or TABLE_ROW.match(lines[last])):
        last += 1
    return "\n".join([*lines[:head], *table(rows, lines[head : head + 2]), *lines[last:]])


def table(rows: Sequence[Row], head: Sequence[str] = ("| Points | For |", "|--:|:--|")) -> list[str]:
    """The lines of a mark scheme's table."""
    return [*head, *(f"| {points_text(row.points)} | {row.text} |" for row in rows)]


def points_text(points: float) -> str:
    """Points as mark schemes write them: "0.25", "−0.1"."""
    return f"{round(points, DECIMALS):g}".replace("-", "−")
