"""What people have decided about a student's assignment, with who, when and why.

Decisions are in a table of ours in the gradebook's database, to which lines are only added. Of the lines about the same
thing the last one counts; an empty value takes the decision back.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
)

TAKEN_BACK = ""


class Kind(StrEnum):
    """What a decision is about, with the form of its value."""

    extension = "extension"  # the student's own due date, ISO 8601 in UTC
    excuse = "excuse"  # "yes"
    penalty = "penalty"  # points, or a percentage of the maximum such as "10%"
    override = "override"  # points of an item
    withdrawal = "withdrawal"  # where what was withdrawn is kept


DECISIONS = Table(
    "chainrule_decision",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("assignment", String(128), nullable=False),
    Column("student", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item", String(260), nullable=False, default=""),  # by its name in `chainrule.items`
    Column("value", Text, nullable=False),
    Column("before", Float),  # a person's score of the item, before it was overridden
    Column("why", Text, nullable=False),
    Column("who", String(128), nullable=False),
    Column("at", Float, nullable=False),  # seconds since 1970
)


@dataclass(frozen=True)
class Decision:
    """A line of the table."""

    assignment: str
    student: str
    kind: Kind
    value: str
    why: str
    who: str
    at: float
    item: str = ""
    before: float | None = None

    @property
    def when(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def login_name() -> str:
    """Who types here, if nobody says otherwise."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "instructor"


def record(connection: Connection, decision: Decision) -> None:
    """Add a decision."""
    DECISIONS.create(connection, checkfirst=True)
    connection.execute(insert(DECISIONS).values(**vars(decision)))


def history(
    connection: Connection, assignment: str | None = None, student: str | None = None
) -> list[Decision]:
    """All decisions about an assignment or a student or both, the oldest first."""
    if not inspect(connection).has_table(DECISIONS.name):
        return []
    query = select(DECISIONS).order_by(DECISIONS.c.id)
    for column, value in ((DECISIONS.c.assignment, assignment), (DECISIONS.c.student, student)):
        if value is not None:
            query = query.where(column == value)
    names = [name for name in Decision.__dataclass_fields__ if name != "kind"]
    return [
        Decision(kind=Kind(row["kind"]), **{name: row[name] for name in names})
        for row in connection.execute(query).mappings()
    ]


def latest(
    connection: Connection, assignment: str | None = None, student: str | None = None
) -> list[Decision]:
    """The last decision about each thing, also where it takes an earlier one back; the oldest first."""
    last: dict[tuple[str, ...], Decision] = {}
    for one in history(connection, assignment, student):
        key = (one.assignment, one.student, one.kind, one.item)
        last.pop(key, None)
        last[key] = one
    return [*last.values()]


def in_force(
    connection: Connection, assignment: str | None = None, student: str | None = None
) -> list[Decision]:
    """The decisions that count, the oldest first."""
    return [one for one in latest(connection, assignment, student) if one.value != TAKEN_BACK]


def excused(connection: Connection, assignment: str) -> dict[str, Decision]:
    """Who is excused from an assignment."""
    return {one.student: one for one in in_force(connection, assignment) if one.kind is Kind.excuse}
