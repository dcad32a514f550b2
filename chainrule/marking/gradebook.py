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
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Connection, Select, select, update

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
    return (
        select(*columns)
        .select_from(table)
        .join(SubmittedNotebook, table.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(BaseCell, table.cell_id == BaseCell.id)
    )


def recorded(
    connection: Connection, assignment: str, notebook: str, item: str, student: str | None = None
) -> dict[str, Recorded]:
    """What the gradebook has for an item, by student; for one student only if one is named."""
    wanted = [Assignment.name == assignment, Notebook.name == notebook, BaseCell.name == item]
    if student is not None:
        wanted.append(SubmittedAssignment.student_id == student)
    owner = SubmittedAssignment.student_id
    comments = {
        row.student_id: row
        for row in connection.execute(
            of_cells(Comment, owner, Comment.id, Comment.manual_comment).where(*wanted)
        )
    }
    last = {
        row.student_id: row.answer
        for row in connection.execute(
            of_cells(Grade, owner, ANSWERS.c.answer)
            .join(ANSWERS, ANSWERS.c.id == Grade.id)
            .where(*wanted)
            .order_by(ANSWERS.c.number)
        )
    }
    grades = connection.execute(
        of_cells(Grade, owner, Grade.id, Grade.manual_score, Grade.needs_manual_grade).where(*wanted)
    )
    found = {}
    for row in grades:
        comment = comments.get(row.student_id)
        found[row.student_id] = Recorded(
            row.id,
            comment.id if comment else None,
            last.get(row.student_id),
            row.manual_score,
            (comment.manual_comment or None) if comment else None,
            bool(row.needs_manual_grade),
        )
    return found


def write_score(connection: Connection, where: Recorded, score: float | None, comment: str | None) -> None:
    """Write a person's score and comment; without a score the item waits for a person again."""
    connection.execute(
        update(Grade)
        .where(Grade.id == where.grade_id)
        .values(manual_score=score, needs_manual_grade=score is None)
    )
    if where.comment_id is not None:
        connection.execute(
            update(Comment).where(Comment.id == where.comment_id).values(manual_comment=comment or None)
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
        of_cells(Grade, BaseCell.name, Grade.auto_score, Grade.manual_score, Grade.max_score.label("maximum"))
        .where(
            Assignment.name == assignment,
            Notebook.name == notebook,
            SubmittedAssignment.student_id == student,
            Grade.auto_score.is_not(None),
        )
        .order_by(BaseCell.name)
    )
    for row in rows:
        score = row.auto_score if row.manual_score is None else row.manual_score
        yield AutomaticResult(row.name, float(score), float(row.maximum))
