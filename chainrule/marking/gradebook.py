"""nbgrader's own rows for an item: what is recorded for each student, and writing a score with its comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from chainrule.gradebook_tables import (
    ANSWERS,
    ASSIGNMENTS,
    CELLS,
    COMMENTS,
    GRADES,
    MAXIMA,
    NOTEBOOKS,
    SOURCES,
    SUBMISSIONS,
    of_grades,
)


@dataclass(frozen=True)
class Recorded:
    """What the gradebook has for a student's item.

    Attributes:
        answer: the fingerprint of the answer recorded last; None if none of our steps recorded it.
        score, comment: a person's; None without one.
        needs_person: whether nbgrader waits for a person.
    """

    grade_id: str
    comment_id: str | None
    answer: str | None
    score: float | None
    comment: str | None
    needs_person: bool


NAMES = {"assignment": ASSIGNMENTS.c.name, "notebook": SOURCES.c.name, "item": CELLS.c.name}


def _recorded() -> Select[Any]:
    """A row for each answer that a student's grade was recorded for, the last one last."""
    cells = (  # a grade and its comment may belong to two cells of one name
        select(CELLS.c.id)
        .join(SOURCES, CELLS.c.notebook_id == SOURCES.c.id)
        .join(ASSIGNMENTS, SOURCES.c.assignment_id == ASSIGNMENTS.c.id)
        .where(*(column == bindparam(name) for name, column in NAMES.items()))
    )
    said = and_(COMMENTS.c.notebook_id == GRADES.c.notebook_id, COMMENTS.c.cell_id.in_(cells))
    return (
        select(
            SUBMISSIONS.c.student_id,
            GRADES.c.id,
            COMMENTS.c.id,
            ANSWERS.c.answer,
            GRADES.c.manual_score,
            COMMENTS.c.manual_comment,
            GRADES.c.needs_manual_grade,
        )
        .select_from(GRADES)
        .join(NOTEBOOKS, NOTEBOOKS.c.id == GRADES.c.notebook_id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == NOTEBOOKS.c.assignment_id)
        .outerjoin(COMMENTS, said)
        .outerjoin(ANSWERS, ANSWERS.c.id == GRADES.c.id)
        .where(GRADES.c.cell_id.in_(cells))
        .order_by(ANSWERS.c.number)
    )


# made once: they are asked at every key
OF_ITEM = _recorded()
OF_STUDENT = OF_ITEM.where(SUBMISSIONS.c.student_id == bindparam("student"))
OF_GRADE = OF_ITEM.where(GRADES.c.id == bindparam("grade"))  # the same, without looking through the class


SCORE = update(GRADES).where(GRADES.c.id == bindparam("its_id"))
COMMENT = update(COMMENTS).where(COMMENTS.c.id == bindparam("its_id"))


def recorded(
    connection: Connection, assignment: str, notebook: str, item: str, student: str = "", grade: str = ""
) -> dict[str, Recorded]:
    """What the gradebook has for an item, by student; for one student only if one is named, or the id of the grade."""
    names = {"assignment": assignment, "notebook": notebook, "item": item}
    if grade:
        rows = connection.execute(OF_GRADE, {**names, "grade": grade})
    elif student:
        rows = connection.execute(OF_STUDENT, {**names, "student": student})
    else:
        rows = connection.execute(OF_ITEM, names)
    return {
        owner: Recorded(grade, said, answer, score, comment or None, bool(needs_person))
        for owner, grade, said, answer, score, comment, needs_person in rows.all()
    }


def write_score(connection: Connection, where: Recorded, score: float | None, comment: str | None) -> None:
    """Write a person's score and comment; without a score the item waits for a person again."""
    connection.execute(
        SCORE,
        {"its_id": where.grade_id, "manual_score": score, "needs_manual_grade": score is None},
    )
    if where.comment_id is not None:
        connection.execute(COMMENT, {"its_id": where.comment_id, "manual_comment": comment or None})


AUTOMATIC = (
    of_grades(CELLS.c.name, GRADES.c.auto_score, GRADES.c.manual_score, MAXIMA.c.max_score)
    .join(MAXIMA, MAXIMA.c.id == CELLS.c.id)
    .where(
        ASSIGNMENTS.c.name == bindparam("assignment"),
        SOURCES.c.name == bindparam("notebook"),
        SUBMISSIONS.c.student_id == bindparam("student"),
        GRADES.c.auto_score.is_not(None),
    )
    .order_by(CELLS.c.name)
)


@dataclass(frozen=True)
class AutomaticResult:
    """The points that checks gave an item."""

    name: str
    score: float
    maximum: float


def automatic_results(
    connection: Connection, assignment: str, notebook: str, student: str
) -> Iterator[AutomaticResult]:
    """A student's items of a notebook that checks have graded, with a person's score where there is one."""
    names = {"assignment": assignment, "notebook": notebook, "student": student}
    rows = connection.execute(AUTOMATIC, names).all()
    for row in rows:
        score = row.auto_score if row.manual_score is None else row.manual_score
        yield AutomaticResult(row.name, float(score), float(row.max_score))
