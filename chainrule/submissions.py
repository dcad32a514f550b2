"""What the gradebook has for the hand-ins of an assignment, read without nbgrader's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import fsum

from sqlalchemy import Connection, select

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
        item: its name, as in `chainrule.items`.
        notebook, grade_id: the names of its notebook and of its cell.
        automatic, manual: the points that checks gave, and a person; None without any.
        needs_person: whether it waits for a person.
    """

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
        student: only this one's submission; all by default.
    """
    own = ASSIGNMENTS.c.name == name
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
    only = own if student is None else own & (SUBMISSIONS.c.student_id == student)
    of: dict[str, list[ItemGrade]] = {}
    columns = (GRADES.c.auto_score, GRADES.c.manual_score, GRADES.c.extra_credit, GRADES.c.needs_manual_grade)
    grades = of_grades(SUBMISSIONS.c.student_id, SOURCES.c.name, CELLS.c.name, *columns).where(only)
    for who, notebook, cell, automatic, manual, extra, needs_person in connection.execute(grades):
        of.setdefault(who, []).append(
            ItemGrade(
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
        .where(only)
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
