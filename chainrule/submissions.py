"""What the gradebook has for the hand-ins of an assignment, read without nbgrader's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import fsum
from typing import Any

from sqlalchemy import Connection, ScalarSelect, func, select, true

from chainrule.alternatives import Alternatives, Standing, counted_maximum, left_out, told
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
        grades: those that count.
        others: those of notebooks that don't count, as another one does in their place.
        notes: a sentence about each of these notebooks that was handed in, too.
    """

    received: datetime | None
    penalty: float
    grades: Sequence[ItemGrade]
    others: Sequence[ItemGrade] = ()
    notes: Sequence[str] = ()

    @property
    def score(self) -> float:
        return fsum(grade.score for grade in self.grades)

    @property
    def final_score(self) -> float:
        """nbgrader's total as it exports it: penalties are subtracted; at least 0."""
        return max(0.0, self.score - self.penalty)

    def lacks(self, notebook: str) -> bool:
        """Whether a notebook doesn't count and has nothing that could: as a rule it was not handed in."""
        own = [grade for grade in self.others if grade.notebook == notebook]
        return bool(own) and not any(grade.score or grade.needs_person for grade in own)

    @property
    def waiting(self) -> list[ItemGrade]:
        """The items that wait for a person; with their points another notebook may count."""
        return [grade for grade in (*self.grades, *self.others) if grade.needs_person]


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
    """

    id: str
    assignment_id: str
    assignment: str
    due: datetime | None
    received: datetime | None
    extension: timedelta | None
    notebooks: Sequence[NotebookPenalty]


@dataclass(frozen=True)
class GradedAssignment:
    """An assignment and all its graded hand-ins.

    Attributes:
        due: in UTC, without a zone, as nbgrader keeps it.
        items: the names of its items.
        maxima: the points of each item, by name.
        submissions: by student.
        maximum: the points that a student can have.
    """

    name: str
    due: datetime | None
    items: ItemNames
    maxima: dict[str, float]
    submissions: dict[str, Submission]
    maximum: float


def known_assignments(connection: Connection) -> list[str]:
    """The assignments that the gradebook knows, in nbgrader's order."""
    return list(
        connection.scalars(select(ASSIGNMENTS.c.name).order_by(ASSIGNMENTS.c.duedate, ASSIGNMENTS.c.name))
    )


def graded_assignment(
    connection: Connection, name: str, alternatives: Alternatives, student: str | None = None
) -> GradedAssignment | None:
    """What the gradebook has for an assignment; None if it doesn't know it.

    Args:
        alternatives: the assignment's, `Course.alternatives_of`.
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
    by_notebook: dict[str, float] = {}
    for (notebook, _), maximum in points.items():
        by_notebook[notebook] = by_notebook.get(notebook, 0.0) + maximum
    of: dict[str, list[ItemGrade]] = {}
    columns = (GRADES.c.auto_score, GRADES.c.manual_score, GRADES.c.extra_credit, GRADES.c.needs_manual_grade)
    grades = of_grades(SUBMISSIONS.c.student_id, GRADES.c.id, SOURCES.c.name, CELLS.c.name, *columns)
    rows = connection.execute(grades.where(own, of_whom))
    for who, id, notebook, cell, automatic, manual, extra, needs_person in rows:
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
            SOURCES.c.name,
            NOTEBOOKS.c.late_submission_penalty,
        )
        .join_from(ASSIGNMENTS, SUBMISSIONS, SUBMISSIONS.c.assignment_id == ASSIGNMENTS.c.id)
        .outerjoin(NOTEBOOKS, NOTEBOOKS.c.assignment_id == SUBMISSIONS.c.id)
        .outerjoin(SOURCES, SOURCES.c.id == NOTEBOOKS.c.notebook_id)
        .where(own, of_whom)
    )
    received: dict[str, datetime | None] = {}
    penalties: dict[str, dict[str, float]] = {}
    for who, time, notebook, penalty in connection.execute(handed_in):
        received[who] = time
        penalties.setdefault(who, {})[notebook] = penalty or 0.0
    submissions = {
        who: _submission(time, penalties[who], of.get(who, []), alternatives)
        for who, time in received.items()
    }
    maxima = {names[item]: maximum for item, maximum in points.items()}
    maximum = counted_maximum(alternatives, by_notebook)
    return GradedAssignment(name, about.duedate, names, maxima, submissions, maximum)


def _submission(
    received: datetime | None,
    penalties: Mapping[str, float],
    grades: Sequence[ItemGrade],
    alternatives: Alternatives,
) -> Submission:
    """What counts of a hand-in. Penalties are by notebook."""
    standings = standings_of(grades)
    others = left_out(alternatives, standings)
    return Submission(
        received,
        fsum(penalty for notebook, penalty in penalties.items() if notebook not in others),
        [grade for grade in grades if grade.notebook not in others],
        [grade for grade in grades if grade.notebook in others],
        told(others, standings),
    )


def standings_of(grades: Sequence[ItemGrade]) -> dict[str, Standing]:
    """How a student stands in each notebook."""
    found: dict[str, Standing] = {}
    for grade in grades:
        points, waits = found.get(grade.notebook, (0.0, False))
        found[grade.notebook] = points + grade.score, waits or bool(grade.needs_person)
    return found


def hand_in_dates(connection: Connection, student: str) -> dict[str, HandInDates]:
    """A student's graded hand-ins, by assignment."""
    handed_in = select(
        SUBMISSIONS.c.id,
        ASSIGNMENTS.c.id,
        ASSIGNMENTS.c.name,
        ASSIGNMENTS.c.duedate,
        SUBMISSIONS.c.timestamp,
        SUBMISSIONS.c.extension,
    ).join_from(SUBMISSIONS, ASSIGNMENTS, ASSIGNMENTS.c.id == SUBMISSIONS.c.assignment_id)
    rows = connection.execute(handed_in.where(SUBMISSIONS.c.student_id == student)).all()
    parts = (
        select(
            NOTEBOOKS.c.assignment_id,
            NOTEBOOKS.c.id,
            SOURCES.c.name,
            _points(),
            NOTEBOOKS.c.late_submission_penalty,
        )
        .join_from(NOTEBOOKS, SOURCES, SOURCES.c.id == NOTEBOOKS.c.notebook_id)
        .where(NOTEBOOKS.c.assignment_id.in_([row[0] for row in rows]))
    )
    notebooks: dict[str, list[NotebookPenalty]] = {}
    for submission, *about in connection.execute(parts):
        notebooks.setdefault(submission, []).append(NotebookPenalty(*about))
    return {row.name: HandInDates(*row, notebooks.get(row[0], [])) for row in rows}


def _points() -> ScalarSelect[Any]:
    """The sum of the points of a notebook's cells, as a part of a query."""
    graded = func.coalesce(MAXIMA.c.max_score, TASKS.c.max_score, 0.0)
    cells = (
        select(func.coalesce(func.sum(graded), 0.0))
        .select_from(CELLS)
        .outerjoin(MAXIMA, MAXIMA.c.id == CELLS.c.id)
        .outerjoin(TASKS, TASKS.c.id == CELLS.c.id)
    )
    return cells.where(CELLS.c.notebook_id == NOTEBOOKS.c.notebook_id).correlate(NOTEBOOKS).scalar_subquery()
