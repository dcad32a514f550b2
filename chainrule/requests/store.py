"""Regrade requests and their answers in the gradebook's database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, inspect, select, update

from chainrule.gradebook_tables import CELLS, GRADES, MAXIMA, SUBMISSIONS, of_grades
from chainrule.lesson.results import counted
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.gradebook import NAMES, recorded, write_score
from chainrule.marking.room import MAX_COMMENT
from chainrule.marking.tables import HISTORY, MARKS, REQUESTS, Database

MAX_ANSWER = MAX_COMMENT


@dataclass(frozen=True)
class NewRequest:
    """What a student asks. `points` are those that the item had when it was collected."""

    assignment: str
    notebook: str
    item: str
    student: str
    reason: str
    sender: str
    points: float


@dataclass(frozen=True)
class Request:
    """A request as it is in our table.

    Attributes:
        collected_at, answered_at: seconds since 1970; `answered_at` is None while it waits.
        points_after: what the item had after the answer.
    """

    id: int
    assignment: str
    notebook: str
    item: str
    student: str
    reason: str
    sender: str
    collected_at: float
    points: float
    answer: str = ""
    answered_by: str = ""
    answered_at: float | None = None
    points_after: float | None = None

    @property
    def waits(self) -> bool:
        return self.answered_at is None

    @property
    def changed(self) -> bool:
        return self.points_after is not None and abs(self.points_after - self.points) > 1e-9


def read_request(row: Mapping[Any, Any]) -> Request:
    return Request(**{name: row[name] for name in Request.__dataclass_fields__})


def of_student(connection: Connection, assignment: str, notebook: str, student: str) -> list[Request]:
    """A student's requests about a notebook, in their order; none if nobody has collected any."""
    if not inspect(connection).has_table(REQUESTS.name):
        return []
    mine = {"assignment": assignment, "notebook": notebook, "student": student}
    query = select(REQUESTS).where(*(REQUESTS.c[name] == value for name, value in mine.items()))
    return [read_request(row) for row in connection.execute(query.order_by(REQUESTS.c.id)).mappings()]


class Requests:
    """The requests of a course.

    Args:
        clock: gives the time in seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database, self.clock = database, clock

    def add(self, request: NewRequest) -> bool:
        """Add a request, unless the same student has asked the same; returns whether it is new."""
        names = ("assignment", "notebook", "item", "student", "reason")
        same = (REQUESTS.c[name] == getattr(request, name) for name in names)
        with self.database.transaction(wait=10.0) as connection:
            if connection.execute(select(REQUESTS.c.id).where(*same)).first():
                return False
            connection.execute(insert(REQUESTS).values(**vars(request), collected_at=self.clock()))
        return True

    def all(self, connection: Connection) -> list[Request]:
        """All requests: those that wait first, each in the order in which they came."""
        rows = connection.execute(select(REQUESTS).order_by(REQUESTS.c.id)).mappings()
        return sorted(map(read_request, rows), key=lambda request: not request.waits)

    def find(self, connection: Connection, id: int) -> Request:
        """A request.

        Raises:
            MarkingError: there is none with this number.
        """
        row = connection.execute(select(REQUESTS).where(REQUESTS.c.id == id)).mappings().first()
        if row is None:
            raise MarkingError(f"there is no request {id}")
        return read_request(row)

    def answer(
        self,
        connection: Connection,
        id: int,
        text: str,
        marker: str,
        points: float | None = None,
        seen: float | None = None,
    ) -> Request:
        """Record the answer to a request, and the item's points if they change.

        Args:
            points: what the item has from now on; None leaves it as it is.
            seen: the points that the page showed.
        Raises:
            MarkingError: there is no text, or the points are not possible.
            ConflictError: the request was answered, or the item was marked, meanwhile.
        """
        request = self.find(connection, id)
        text = text.strip()
        if not text:
            raise MarkingError("write an answer: the student reads it on the feedback page")
        if len(text) > MAX_ANSWER:
            raise MarkingError(f"the answer has {len(text)} characters: write at most {MAX_ANSWER}")
        if not request.waits:
            raise ConflictError(f"{request.answered_by} has answered this request meanwhile")
        before, maximum = points_now(connection, request)
        if seen is not None and abs(before - seen) > 1e-9:
            raise ConflictError(f"the item has {before:g} now, not {seen:g}: look at it again")
        after = before if points is None else points
        if not (math.isfinite(after) and 0 <= after <= maximum):
            raise MarkingError(
                f"{after:g} is no number of points of this item: write one from 0 to {maximum:g}"
            )
        if abs(after - before) > 1e-9:
            self._give(connection, request, after, text, marker)
        connection.execute(
            update(REQUESTS)
            .where(REQUESTS.c.id == id)
            .values(answer=text, answered_by=marker, answered_at=self.clock(), points_after=after)
        )
        return self.find(connection, id)

    def _give(self, connection: Connection, request: Request, points: float, why: str, marker: str) -> None:
        """Write other points into the gradebook, and into the history of marks."""
        found = recorded(connection, request.assignment, request.notebook, request.item, request.student)[
            request.student
        ]
        write_score(connection, found, points, found.comment)
        names = {name: getattr(request, name) for name in ("assignment", "notebook", "item", "student")}
        mark = select(MARKS.c.revision).where(*(MARKS.c[name] == value for name, value in names.items()))
        connection.execute(
            insert(HISTORY).values(
                **names,
                at=self.clock(),
                marker=marker,
                action="request",
                answer=found.answer or "",
                rows="[]",
                own_points=points,
                points=points,
                comment=why,
                flagged=False,
                revision=connection.scalar(mark) or 0,
                score_before=found.score,
                comment_before=found.comment,
            )
        )


def points_now(connection: Connection, request: Request) -> tuple[float, float]:
    """The points that a request's item has now, and its maximum.

    Raises:
        MarkingError: the gradebook no longer has the item.
    """
    row = connection.execute(
        of_grades(GRADES.c.auto_score, GRADES.c.manual_score, GRADES.c.extra_credit, MAXIMA.c.max_score)
        .join(MAXIMA, MAXIMA.c.id == CELLS.c.id)
        .where(
            *(column == getattr(request, name) for name, column in NAMES.items()),
            SUBMISSIONS.c.student_id == request.student,
        )
    ).first()
    if row is None:
        raise MarkingError("the gradebook no longer has this item of the student")
    score = row.auto_score if row.manual_score is None else row.manual_score
    return float(score or 0.0) + float(row.extra_credit or 0.0), float(row.max_score)


def told(request: Request) -> str:
    """A request in one line, for a list."""
    where = f"{request.assignment}, {request.item} of {request.student}"
    if request.waits:
        return f"{request.id}  waits  {where} ({request.points:g}): {request.reason}"
    change = (
        f"{request.points:g} → {request.points_after:g}"
        if request.changed
        else f"stays {counted(f'{request.points:g}')}"
    )
    return f"{request.id}  answered by {request.answered_by}, {change}  {where}: {request.answer}"
