"""What the gradebook has for the hand-ins of an assignment, read without nbgrader's classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import fsum
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select, true

from chainrule.gradebook_tables import (
    ASSIGNMENTS,
    CELLS,
    GRADES,
    MAXIMA,
    NOTEBOOKS,
    SOURCES,
    SUBMISSIONS,
    TASKS,
    of_grades,
)
from chainrule.items import ItemNames, item_names


@dataclass(frozen=True)
class ItemGrade:
    """A student's points in an item.

    Attributes:
        id: of nbgrader's row.
        item: its name, as in `chainrule.items`.
        notebook, grade_id: the names of its notebook and of its cell.
        automatic, manual: the points that checks gave, and a person; None without any.
        needs_person: whether it waits for a person.
    """

    id: str
    item: str
    notebook: str
    grade_id: str
    automatic: float | None
    manual: float | None
    extra_credit: float
    needs_person: bool

    @property
    def score(self) -> float:
        """The points that count, as nbgrader counts them: a person's before those of checks."""
        given = self.automatic if self.manual is None else self.manual
        return 0.0 if given is None else given + self.extra_credit


@dataclass(frozen=True)
class Submission:
    """A graded hand-in.

    Attributes:
        received: in UTC, without a zone, as nbgrader keeps it.
        penalty: the points that lateness and decisions take off.
    """

    received: datetime | None
    penalty: float
    grades: Sequence[ItemGrade]

    @property
    def score(self) -> float:
        return fsum(grade.score for grade in self.grades)

    @property
    def final_score(self) -> float:
        """nbgrader's total as it exports it: penalties are subtracted; at least 0."""
        return max(0.0, self.score - self.penalty)

    @property
    def waiting(self) -> list[ItemGrade]:
        """The items that wait for a person."""
        return [grade for grade in self.grades if grade.needs_person]


@dataclass(frozen=True)
class NotebookPenalty:
    """What a notebook of a hand-in loses.

    Attributes:
        id: of nbgrader's row.
        maximum: its points.
        penalty: the points that lateness and decisions take off; None if nothing was written yet.
    """

    id: str
    notebook: str
    maximum: float
    penalty: float | None


@dataclass(frozen=True)
class HandInDates:
    """When a graded hand-in was due and came in, as the gradebook has it: in UTC, without a zone.

    Attributes:
        id, assignment_id: of nbgrader's rows.
        due: of the class.
        extension: the student's, by nbgrader's API or by a decision.
        maximum: the points of the assignment.
    """

    id: str
    assignment_id: str
    assignment: str
    due: datetime | None
    received: datetime | None
    extension: timedelta | None
    maximum: float
    notebooks: Sequence[NotebookPenalty]


@dataclass(frozen=True)
class GradedAssignment:
    """An assignment and all its graded hand-ins.

    Attributes:
        due: in UTC, without a zone, as nbgrader keeps it.
        items: the names of its items.
        maxima: the points of each item, by name.
        submissions: by student.
    """

    name: str
    due: datetime | None
    items: ItemNames
    maxima: dict[str, float]
    submissions: dict[str, Submission]

    @property
    def maximum(self) -> float:
        return fsum(self.maxima.values())


def known_assignments(connection: Connection) -> list[str]:
    """The assignments that the gradebook knows, in nbgrader's order."""
    return list(
        connection.scalars(select(ASSIGNMENTS.c.name).order_by(ASSIGNMENTS.c.duedate, ASSIGNMENTS.c.name))
    )


def graded_assignment(
    connection: Connection, name: str, student: str | None = None
) -> GradedAssignment | None:
    """What the gradebook has for an assignment; None if it doesn't know it.

    Args:
        student: only this one's submission; None for all.
    """
    own = ASSIGNMENTS.c.name == name
    of_whom = SUBMISSIONS.c.student_id == student if student is not None else true()
    about = connection.execute(select(ASSIGNMENTS.c.duedate).where(own)).first()
    if about is None:
        return None
    cells = (
        select(SOURCES.c.name, CELLS.c.name, MAXIMA.c.max_score, TASKS.c.max_score)
        .join_from(ASSIGNMENTS, SOURCES, SOURCES.c.assignment_id == ASSIGNMENTS.c.id)
        .join(CELLS, CELLS.c.notebook_id == SOURCES.c.id)
        .outerjoin(MAXIMA, MAXIMA.c.id == CELLS.c.id)
        .outerjoin(TASKS, TASKS.c.id == CELLS.c.id)
        .where(own)
    )
    points = {
        (notebook, cell): task if graded is None else graded
        for notebook, cell, graded, task in sorted(  # by notebook, and tasks last, as nbgrader has them
            connection.execute(cells), key=lambda row: (row[0], row[2] is None)
        )
        if not (graded is None and task is None)
    }
    names = item_names(points)
    of: dict[str, list[ItemGrade]] = {}
    columns = (GRADES.c.auto_score, GRADES.c.manual_score, GRADES.c.extra_credit, GRADES.c.needs_manual_grade)
    where = (SUBMISSIONS.c.student_id, GRADES.c.id, SOURCES.c.name, CELLS.c.name)
    grades = of_grades(*where, *columns).where(own, of_whom)
    for who, id, notebook, cell, automatic, manual, extra, needs_person in connection.execute(grades):
        of.setdefault(who, []).append(
            ItemGrade(
                id,
                names[notebook, cell],
                notebook,
                cell,
                automatic,
                manual,
                extra or 0.0,
                needs_person and manual is None,
            )
        )
    handed_in = (
        select(
            SUBMISSIONS.c.student_id,
            SUBMISSIONS.c.timestamp,
            func.coalesce(func.sum(NOTEBOOKS.c.late_submission_penalty), 0.0),
        )
        .join_from(ASSIGNMENTS, SUBMISSIONS, SUBMISSIONS.c.assignment_id == ASSIGNMENTS.c.id)
        .outerjoin(NOTEBOOKS, NOTEBOOKS.c.assignment_id == SUBMISSIONS.c.id)
        .where(own, of_whom)
        .group_by(SUBMISSIONS.c.student_id, SUBMISSIONS.c.timestamp)
    )
    submissions = {
        who: Submission(received, penalty, of.get(who, []))
        for who, received, penalty in connection.execute(handed_in)
    }
    maxima = {names[item]: maximum for item, maximum in points.items()}
    return GradedAssignment(name, about.duedate, names, maxima, submissions)


def hand_in_dates(connection: Connection, student: str) -> dict[str, HandInDates]:
    """A student's graded hand-ins, by assignment."""
    of_assignment = _points(SOURCES.c.assignment_id == ASSIGNMENTS.c.id)
    handed_in = select(
        SUBMISSIONS.c.id,
        ASSIGNMENTS.c.id,
        ASSIGNMENTS.c.name,
        ASSIGNMENTS.c.duedate,
        SUBMISSIONS.c.timestamp,
        SUBMISSIONS.c.extension,
        of_assignment,
    ).join_from(SUBMISSIONS, ASSIGNMENTS, ASSIGNMENTS.c.id == SUBMISSIONS.c.assignment_id)
    rows = connection.execute(handed_in.where(SUBMISSIONS.c.student_id == student)).all()
    parts = (
        select(
            NOTEBOOKS.c.assignment_id,
            NOTEBOOKS.c.id,
            SOURCES.c.name,
            _points(CELLS.c.notebook_id == NOTEBOOKS.c.notebook_id),
            NOTEBOOKS.c.late_submission_penalty,
        )
        .join_from(NOTEBOOKS, SOURCES, SOURCES.c.id == NOTEBOOKS.c.notebook_id)
        .where(NOTEBOOKS.c.assignment_id.in_([row[0] for row in rows]))
    )
    notebooks: dict[str, list[NotebookPenalty]] = {}
    for submission, *about in connection.execute(parts):
        notebooks.setdefault(submission, []).append(NotebookPenalty(*about))
    return {row.name: HandInDates(*row, notebooks.get(row[0], [])) for row in rows}


def _points(where: ColumnElement[bool]) -> ScalarSelect[Any]:
    """The sum of the points of some cells, as a part of a query."""
    graded = func.coalesce(MAXIMA.c.max_score, TASKS.c.max_score, 0.0)
    cells = (
        select(func.coalesce(func.sum(graded), 0.0))
        .join_from(CELLS, SOURCES, SOURCES.c.id == CELLS.c.notebook_id)
        .outerjoin(MAXIMA, MAXIMA.c.id == CELLS.c.id)
        .outerjoin(TASKS, TASKS.c.id == CELLS.c.id)
    )
    return cells.where(where).correlate_except(CELLS, SOURCES, MAXIMA, TASKS).scalar_subquery()
