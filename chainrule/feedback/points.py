"""A student's points by question, as the gradebook has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.preprocessors import GetGrades

from chainrule.marks.totals import rounded, written

KINDS = {"q": "Question", "p": "Problem"}


@dataclass(frozen=True)
class Item:
    """One item's points, extra credit among them; `waits` for a person to mark it."""

    name: str
    score: float
    maximum: float
    waits: bool = False


@dataclass(frozen=True)
class Points:
    """Items of a notebook or an assignment in their order, and what being late costs."""

    title: str
    items: tuple[Item, ...]
    penalty: float = 0.0

    @property
    def sum(self) -> float:
        return sum(item.score for item in self.items)

    @property
    def maximum(self) -> float:
        return sum(item.maximum for item in self.items)

    @property
    def taken(self) -> float:
        """What the late penalty takes: never more than there is."""
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
        grouped: dict[str, list[Item]] = {}
        for item in self.items:
            grouped.setdefault(question(item.name), []).append(item)
        return [Points(name, tuple(items)) for name, items in grouped.items()]

    def in_order(self, names: Sequence[str]) -> Points:
        """The same with the items as in a notebook."""
        places = {name: place for place, name in enumerate(names)}
        items = sorted(self.items, key=lambda item: places.get(item.name, len(places)))
        return replace(self, items=tuple(items))


def question(item: str) -> str:
    """What an item's question is called: "Question 1.3b" for q1_3b-slope; other items are called by their names."""
    found = re.match(r"([qp])(\d+)(?:_(\w+))?-", item)
    if not found:
        return item
    kind, number, part = found.groups()
    return f"{KINDS[kind]} {number}{f'.{part}' if part else ''}"


def shown(points: float, maximum: float) -> str:
    """Points as the marks have them, with at most two decimals."""
    return written(rounded(points, Decimal(repr(maximum))))


def points_of(notebook: SubmittedNotebook) -> Points:
    """The points of a submitted notebook. The gradebook knows no order of cells: the items are sorted by number."""
    grades = sorted(notebook.grades, key=lambda grade: _numbers(grade.name))
    return Points(notebook.name, tuple(map(_item, grades)), notebook.late_submission_penalty or 0.0)


def _numbers(name: str) -> list[tuple[str, int]]:
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def _item(grade: Any) -> Item:
    waits = bool(grade.needs_manual_grade) and grade.manual_score is None
    return Item(grade.name, grade.score + (grade.extra_credit or 0.0), grade.max_score, waits)


class GetPoints(GetGrades):
    """nbgrader's step that puts scores and comments into the cells; adds the points of the whole submission.

    Fills resources["nbgrader"]: `points` of this notebook, `all_points` by notebook, `student_name`. A cell's
    metadata say if it `waits` for a person.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            submission = gradebook.find_submission(about["assignment"], about["student"])
            student = submission.student
            about["student_name"] = " ".join(filter(None, (student.first_name, student.last_name)))
            about["all_points"] = [points_of(notebook) for notebook in submission.notebooks]
        names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
        (own,) = (points for points in about["all_points"] if points.title == about["notebook"])
        about["points"] = own.in_order(names)
        waiting = {item.name for item in about["points"].items if item.waits}
        for cell in nb.cells:
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader["waits"] = cell.metadata.nbgrader.get("grade_id") in waiting
        return nb, resources
