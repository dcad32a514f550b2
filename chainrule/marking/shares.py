"""Which items or students a marker was given. Without an entry a marker marks everything."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from chainrule.marking.errors import MarkingError
from chainrule.marking.room import MarkingRoom
from chainrule.marking.tables import SHARES


@dataclass(frozen=True)
class Share:
    """What a marker was given: items as "notebook/item", and ids of students."""

    items: tuple[str, ...]
    students: tuple[str, ...]


def give(
    connection: Connection, room: MarkingRoom, marker: str, items: list[str], students: list[str]
) -> None:
    """Give a marker these items and students, in place of what the marker had.

    Raises:
        MarkingError: there is no such item or student.
    """
    if not marker.strip():
        raise MarkingError("write the marker's name")
    known = {
        "item": {f"{item.notebook}/{item.name}" for item in room.work.items()},
        "student": set(room.work.students()),
    }
    wanted = [("item", name) for name in items] + [("student", name) for name in students]
    for kind, name in wanted:
        if name not in known[kind]:
            raise MarkingError(f"{room.assignment} has no {kind} {name}")
    connection.execute(
        delete(SHARES).where(SHARES.c.assignment == room.assignment, SHARES.c.marker == marker)
    )
    for kind, name in dict.fromkeys(wanted):
        connection.execute(
            insert(SHARES).values(assignment=room.assignment, marker=marker, kind=kind, name=name)
        )


def shares_of(connection: Connection, assignment: str) -> dict[str, Share]:
    """What each marker was given."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in connection.execute(
        select(SHARES).where(SHARES.c.assignment == assignment).order_by(SHARES.c.marker, SHARES.c.name)
    ):
        found.setdefault(row.marker, {"item": [], "student": []})[row.kind].append(row.name)
    return {name: Share(tuple(each["item"]), tuple(each["student"])) for name, each in found.items()}
