"""A student's points by question, from the gradebook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import GetGrades
from traitlets.config import Configurable

from chainrule.alternatives import left_out
from chainrule.alternatives import told as several
from chainrule.course import Course, CourseError
from chainrule.gradebook import open_gradebook
from chainrule.grading.comment_sections import MARKED_BEFORE, was_for_earlier, with_section
from chainrule.intake.roster import read_roster
from chainrule.lesson.results import counted
from chainrule.marking.rubric import Delimiters
from chainrule.marking.shown_rows import marked_rows
from chainrule.marks.totals import decimal_text, rounded
from chainrule.requests.store import Request, of_student
from chainrule.students.lateness import told
from chainrule.titles import Title, Titles, assignment_title, item_titles

KINDS = {"q": "Question", "p": "Problem"}


@dataclass(frozen=True)
class ItemPoints:
    """The points of one item, with extra credit.

    Attributes:
        waits: a person still has to mark it.
        title, section: what it and its question are called; "" if the instructor's notebook has no such item.
    """

    name: str
    score: float
    maximum: float
    waits: bool = False
    title: str = ""
    section: str = ""

    @property
    def called(self) -> str:
        return self.title or self.name

    @property
    def has_all(self) -> bool:
        return not self.waits and self.score >= self.maximum - 1e-9


@dataclass(frozen=True)
class Points:
    """The points of a notebook or an assignment: its items in order, and the late penalty.

    Attributes:
        counts: False for a notebook in whose place another one counts.
    """

    title: str
    items: tuple[ItemPoints, ...]
    penalty: float = 0.0
    counts: bool = True

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
    def waiting(self) -> tuple[ItemPoints, ...]:
        """The items that a person still has to mark."""
        return tuple(item for item in self.items if item.waits)

    @property
    def questions(self) -> list[Points]:
        """The items by question."""
        groups: dict[str, list[ItemPoints]] = {}
        for item in self.items:
            groups.setdefault(item.section or question(item.name), []).append(item)
        return [Points(name, tuple(items)) for name, items in groups.items()]

    def titled(self, titles: Titles) -> Points:
        """The same points, with the items' titles and in their order."""

        def title(item: ItemPoints) -> Title:
            return titles.get((self.title, item.name), Title("", "", len(titles)))

        items = (
            replace(item, title=title(item).text, section=title(item).section)
            for item in sorted(self.items, key=lambda item: title(item).order)
        )
        return replace(self, items=tuple(items))


def together(title: str, notebooks: Sequence[Points]) -> Points:
    """The points of several notebooks as one: of those that count."""
    counted = [points for points in notebooks if points.counts]
    return Points(
        title,
        tuple(item for points in counted for item in points.items),
        sum(points.penalty for points in counted),
    )


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
    return ItemPoints(grade.name, grade.score, grade.max_score, waits)


@dataclass(frozen=True)
class Head:
    """What stands above a student's pages.

    Attributes:
        titles: of the notebooks, by name.
    """

    course: str
    assignment: str
    titles: Mapping[str, str]


def source_notebooks(parent: Configurable, assignment: str) -> list[Path]:
    """The instructor's notebooks of an assignment, as the configuration of a step says where they are."""
    directory = CourseDirectory(parent=parent)
    return sorted(
        Path(directory.root, directory.format_path(directory.source_directory, ".", assignment)).glob(
            "*.ipynb"
        )
    )


def head_of(parent: Configurable, assignment: str, paths: Sequence[Path]) -> Head:
    """What stands above all pages of an assignment."""
    return Head(
        Course(parent=parent).names.get(assignment) or CourseDirectory(parent=parent).course_id,
        assignment_title(paths, assignment, parent.config),
        {path.stem: assignment_title([path], path.stem, parent.config) for path in paths},
    )


def name_in_roster(parent: Configurable, student: str) -> str:
    """A student's name, which the gradebook may not have; "" if the roster has none, or cannot be read."""
    path = Path(CourseDirectory(parent=parent).root, Course(parent=parent).roster)
    try:
        people = read_roster(path) if path.exists() else []
    except CourseError:  # other commands say what is wrong with it
        return ""
    return next((person.full_name for person in people if person.id == student), "")


def answered_text(request: Request) -> dict[str, str]:
    """A regrade request and its answer, for the student."""
    if request.waits:
        return {"reason": request.reason, "answer": "", "outcome": "not answered yet"}
    before, after = f"{request.points:g}", f"{request.points_after or 0.0:g}"
    outcome = f"{before} → {counted(after)}" if request.changed else "the points stay as they are"
    return {"reason": request.reason, "answer": request.answer, "outcome": outcome}


class GetPoints(GetGrades):
    """nbgrader's step that puts scores and comments into the cells; adds the points of the whole submission.

    Sets in resources["nbgrader"]: `points` of this notebook, `all_points` of each notebook that counts or was handed
    in, `student_name`, `told`, sentences about dates, lateness, decisions and notebooks of which one counts, and
    `head`, what stands above all pages of an assignment. In a cell's metadata, `title` is what the item is called,
    `waits` says that a person still has to mark it, and `rows` is the marking by the rubric, as a Markdown table.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        context = resources["nbgrader"]
        with open_gradebook(context["db_url"]) as gradebook:
            submission = gradebook.find_submission(context["assignment"], context["student"])
            student = submission.student
            known = " ".join(filter(None, (student.first_name, student.last_name)))
            context["student_name"] = known or name_in_roster(self, student.id)
            paths = source_notebooks(self, context["assignment"])
            titles = item_titles(paths, self.config)
            context["head"] = head_of(self, context["assignment"], paths)
            points = {one.name: points_of(one).titled(titles) for one in submission.notebooks}
            standings = {name: (one.sum, one.waits) for name, one in points.items()}
            others = left_out(Course(parent=self).alternatives_of(context["assignment"]), standings)
            context["all_points"] = [
                replace(one, counts=name not in others)
                for name, one in points.items()
                if name not in others or any(standings[name]) or name == context["notebook"]
            ]
            context["told"] = [
                *told(
                    Course(parent=self), gradebook.db.connection(), context["assignment"], context["student"]
                ),
                *several(others, standings, context["head"].titles),
            ]
            rows = marked_rows(
                gradebook.db.connection(),
                context["assignment"],
                context["student"],
                context["notebook"],
                nb,
                Delimiters(self.config),
            )
            asked = of_student(
                gradebook.db.connection(), context["assignment"], context["notebook"], context["student"]
            )
        (own,) = (points for points in context["all_points"] if points.title == context["notebook"])
        context["points"] = own
        called = {item.name: item.title for item in own.items}
        waiting = {item.name for item in context["points"].items if item.waits}
        for cell in nb.cells:
            if "nbgrader" in cell.metadata:
                if table := rows.get(cell.metadata.nbgrader.get("grade_id", "")):
                    cell.metadata.nbgrader["rows"] = table
                name = cell.metadata.nbgrader.get("grade_id")
                cell.metadata.nbgrader["title"] = called.get(name) or name
                cell.metadata.nbgrader["requests"] = [
                    answered_text(request) for request in asked if request.item == name
                ]
                cell.metadata.nbgrader["waits"] = cell.metadata.nbgrader.get("grade_id") in waiting
                comment = str(cell.metadata.nbgrader.get("comment") or "")
                if not any(f"- {was_for_earlier(item)}" in comment for item in waiting):
                    cell.metadata.nbgrader["comment"] = with_section(comment, MARKED_BEFORE, "")
        return nb, resources
