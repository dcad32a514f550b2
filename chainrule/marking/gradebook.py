"""nbgrader's own rows for an item: what is recorded for each student, and writing a score with its comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    GradeCell,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Connection, Select, bindparam, select, update

from chainrule.grading.given_marks import ANSWERS


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


def of_cells(table: type[Grade] | type[Comment], *columns: Any) -> Select[Any]:
    """A query for grades or comments, with everything joined that they belong to."""
    own = table.__table__
    return (
        select(*columns)
        .select_from(own)
        .join(NOTEBOOKS, own.c.notebook_id == NOTEBOOKS.c.id)
        .join(SUBMISSIONS, NOTEBOOKS.c.assignment_id == SUBMISSIONS.c.id)
        .join(ASSIGNMENTS, SUBMISSIONS.c.assignment_id == ASSIGNMENTS.c.id)
        .join(SOURCES, NOTEBOOKS.c.notebook_id == SOURCES.c.id)
        .join(CELLS, own.c.cell_id == CELLS.c.id)
    )


def _of_item(query: Select[Any]) -> Select[Any]:
    return query.where(
        ASSIGNMENTS.c.name == bindparam("assignment"),
        SOURCES.c.name == bindparam("notebook"),
        CELLS.c.name == bindparam("item"),
    )


# nbgrader's tables; its mapped classes would take longer to make a query of
GRADES, COMMENTS, NOTEBOOKS, SUBMISSIONS, ASSIGNMENTS, SOURCES, CELLS = (
    kind.__table__
    for kind in (Grade, Comment, SubmittedNotebook, SubmittedAssignment, Assignment, Notebook, BaseCell)
)
MAXIMA = GradeCell.__table__
OWNER = SUBMISSIONS.c.student_id
# made once: they are asked at every key
ITEM_GRADES = _of_item(
    of_cells(Grade, OWNER, GRADES.c.id, GRADES.c.manual_score, GRADES.c.needs_manual_grade)
)
ITEM_COMMENTS = _of_item(of_cells(Comment, OWNER, COMMENTS.c.id, COMMENTS.c.manual_comment))
ITEM_ANSWERS = _of_item(
    of_cells(Grade, OWNER, ANSWERS.c.answer).join(ANSWERS, ANSWERS.c.id == GRADES.c.id)
).order_by(ANSWERS.c.number)
QUERIES = (ITEM_GRADES, ITEM_COMMENTS, ITEM_ANSWERS)
STUDENT_QUERIES = tuple(query.where(SUBMISSIONS.c.student_id == bindparam("student")) for query in QUERIES)


def recorded(
    connection: Connection, assignment: str, notebook: str, item: str, student: str | None = None
) -> dict[str, Recorded]:
    """What the gradebook has for an item, by student; for one student only if one is named."""
    names = {"assignment": assignment, "notebook": notebook, "item": item}
    grades, comments, answers = QUERIES if student is None else STUDENT_QUERIES
    if student is not None:
        names["student"] = student
    said = {owner: (id, text or None) for owner, id, text in connection.execute(comments, names).all()}
    last = {owner: answer for owner, answer in connection.execute(answers, names).all()}
    found = {}
    for owner, id, score, needs_person in connection.execute(grades, names).all():
        comment_id, comment = said.get(owner, (None, None))
        found[owner] = Recorded(id, comment_id, last.get(owner), score, comment, bool(needs_person))
    return found


def write_score(connection: Connection, where: Recorded, score: float | None, comment: str | None) -> None:
    """Write a person's score and comment; without a score the item waits for a person again."""
    connection.execute(
        update(GRADES)
        .where(GRADES.c.id == where.grade_id)
        .values(manual_score=score, needs_manual_grade=score is None)
    )
    if where.comment_id is not None:
        connection.execute(
            update(COMMENTS).where(COMMENTS.c.id == where.comment_id).values(manual_comment=comment or None)
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
    rows = connection.execute(
        of_cells(Grade, CELLS.c.name, GRADES.c.auto_score, GRADES.c.manual_score, MAXIMA.c.max_score)
        .join(MAXIMA, MAXIMA.c.id == CELLS.c.id)
        .where(
            ASSIGNMENTS.c.name == assignment,
            SOURCES.c.name == notebook,
            SUBMISSIONS.c.student_id == student,
            GRADES.c.auto_score.is_not(None),
        )
        .order_by(CELLS.c.name)
    )
    for row in rows:
        score = row.auto_score if row.manual_score is None else row.manual_score
        yield AutomaticResult(row.name, float(score), float(row.max_score))
