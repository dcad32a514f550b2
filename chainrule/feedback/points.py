"""A student's points by question, from the gradebook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.preprocessors import GetGrades

from chainrule.course import Course
from chainrule.grading.record import MARKED_BEFORE, was_for_earlier, with_section
from chainrule.marking.rubric import Delimiters
from chainrule.marking.shown_rows import marked_rows
from chainrule.marks.totals import decimal_text, rounded
from chainrule.students.lateness import told

KINDS = {"q": "Question", "p": "Problem"}


@dataclass(frozen=True)
class ItemPoints:
    """The points of one item, with extra credit. `waits`: a person still has to mark it."""

    name: str
    score: float
    maximum: float
    waits: bool = False


@dataclass(frozen=True)
class Points:
    """The points of a notebook or an assignment: its items in order, and the late penalty."""

    title: str
    items: tuple[ItemPoints, ...]
    penalty: float = 0.0

    @property
    def sum(self) -> float:
        return sum(item.score for item in self.items)

    @property
    def maximum(self) -> float:
        return sum(item.maximum for item in self.items)

    @property
    def deducted(self) -> float:
        """The points that the late penalty takes off: never more than there are."""
        return min(self.penalty, max(0.0, self.sum))

    @property
    def total(self) -> float:
        return max(0.0, self.sum - self.penalty)

    @property
    def waits(self) -> bool:
        return any(item.waits for item in self.items)

    @property
    def questions(self) -> list[Points]:
        """The items by question."""
        groups: dict[str, list[ItemPoints]] = {}
        for item in self.items:
            groups.setdefault(question(item.name), []).append(item)
        return [Points(name, tuple(items)) for name, items in groups.items()]

    def in_order(self, names: Sequence[str]) -> Points:
        """The same points, with the items in the order of `names`."""
        positions = {name: position for position, name in enumerate(names)}
        items = sorted(self.items, key=lambda item: positions.get(item.name, len(positions)))
        return replace(self, items=tuple(items))


def question(item: str) -> str:
    """The name of an item's question: "Question 1.3b" for q1_3b-slope; for other items the item's own name."""
    match = re.match(r"([qp])(\d+)(?:_(\w+))?-", item)
    if not match:
        return item
    kind, number, part = match.groups()
    return f"{KINDS[kind]} {number}{f'.{part}' if part else ''}"


def points_text(points: float, maximum: float) -> str:
    """Points with at most two decimals, rounded as in `chainrule marks`."""
    return decimal_text(rounded(points, Decimal(repr(maximum))))


def points_of(notebook: SubmittedNotebook) -> Points:
    """The points of a submitted notebook. The gradebook has no order of cells, so items are sorted by number."""
    grades = sorted(notebook.grades, key=lambda grade: _numbers(grade.name))
    return Points(notebook.name, tuple(map(_item, grades)), notebook.late_submission_penalty or 0.0)


def _numbers(name: str) -> list[tuple[str, int]]:
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def _item(grade: Any) -> ItemPoints:
    waits = bool(grade.needs_manual_grade) and grade.manual_score is None
    return ItemPoints(grade.name, grade.score + (grade.extra_credit or 0.0), grade.max_score, waits)


class GetPoints(GetGrades):
    """nbgrader's step that puts scores and comments into the cells; adds the points of the whole submission.

    Sets in resources["nbgrader"]: `points` of this notebook, `all_points` of each notebook, `student_name`, and `told`,
    sentences about dates, lateness and decisions. In a
    cell's metadata, `waits` says that a person still has to mark it, and `rows` is the marking by the rubric, as a
    Markdown table.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        context = resources["nbgrader"]
        with Gradebook(context["db_url"]) as gradebook:
            submission = gradebook.find_submission(context["assignment"], context["student"])
            student = submission.student
            context["student_name"] = " ".join(filter(None, (student.first_name, student.last_name)))
            context["told"] = told(
                Course(parent=self), gradebook, context["assignment"], context["student"]
            )
            context["all_points"] = [points_of(notebook) for notebook in submission.notebooks]
            rows = marked_rows(
                gradebook.db.connection(),
                context["assignment"],
                context["student"],
                context["notebook"],
                nb,
                Delimiters(self.config),
            )
        names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
        (own,) = (points for points in context["all_points"] if points.title == context["notebook"])
        context["points"] = own.in_order(names)
        waiting = {item.name for item in context["points"].items if item.waits}
        for cell in nb.cells:
            if "nbgrader" in cell.metadata:
                if table := rows.get(cell.metadata.nbgrader.get("grade_id", "")):
                    cell.metadata.nbgrader["rows"] = table
                cell.metadata.nbgrader["waits"] = cell.metadata.nbgrader.get("grade_id") in waiting
                comment = str(cell.metadata.nbgrader.get("comment") or "")
                if not any(f"- {was_for_earlier(item)}" in comment for item in waiting):
                    cell.metadata.nbgrader["comment"] = with_section(comment, MARKED_BEFORE, "")
        return nb, resources
