"""A second look: a random tenth of the marks, and flagged ones, are given again by one who sees no first mark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from chainrule.marking.answers import Item
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.room import MarkingRoom, points_of, require_same, valid
from chainrule.marking.rows import read_rubric
from chainrule.marking.states import Draft, Mark, Marker, State
from chainrule.marking.tables import SECOND_MARKS

SHARE = 0.1  # of the marked answers


@dataclass(frozen=True)
class Comparison:
    """Two marks of one answer."""

    student: str
    first: Mark
    second: Mark

    @property
    def difference(self) -> float:
        return (self.second.points or 0.0) - (self.first.points or 0.0)


def is_drawn(room: MarkingRoom, item: Item, student: str) -> bool:
    """Whether the answer is in the random tenth, which is always the same."""
    text = f"second/{room.secret}/{item.notebook}/{item.name}/{student}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) < SHARE * 0x1_0000_0000


def wanted(connection: Connection, room: MarkingRoom, item: Item) -> list[State]:
    """The marked answers that want a second look and had none since their answer was handed in: flagged ones first."""
    looked = {
        row.student: row.answer
        for row in connection.execute(
            select(SECOND_MARKS.c.student, SECOND_MARKS.c.answer).where(*room.of(SECOND_MARKS, item))
        )
    }
    states = [
        state
        for student, state in room.states(connection, item).items()
        if state.is_ours
        and (state.mark.flagged or is_drawn(room, item, student))
        and looked.get(student) != state.fingerprint
    ]
    return sorted(states, key=lambda state: not state.mark.flagged)


def next_look(connection: Connection, room: MarkingRoom, item: Item, marker: Marker) -> State | None:
    """Hand out an answer for a second look; one that somebody else marked, if there is one."""
    room.leave(connection, marker)
    free = [
        state for state in wanted(connection, room, item) if not state.held_by_other(marker.tab, room.clock())
    ]
    free.sort(key=lambda state: state.mark.marker == marker.name)
    return room.open(connection, item, marker, free[0].student) if free else None


def save_look(
    connection: Connection,
    room: MarkingRoom,
    item: Item,
    student: str,
    draft: Draft,
    marker: Marker,
    answer: str,
    version: str,
) -> Comparison:
    """Keep a second mark beside the first one, which stays.

    Args:
        answer, version: the fingerprint of the answer that the marker has seen, and the version of the rubric.
    Raises:
        MarkingError: the points are not possible.
        ConflictError: the first mark is gone, or the answer or the rubric has changed.
    """
    state = room.states(connection, item).get(student)
    if state is None or not state.is_ours:
        raise ConflictError("the first mark is gone: this answer is marked as any other")
    rubric = read_rubric(connection, room, item)
    require_same(state, answer, rubric, version)
    points = points_of(draft, rubric, item)
    if points is None:
        raise MarkingError("nothing is ticked: press 0 for no points")
    second = Mark(
        answer=state.fingerprint,
        rows=valid(draft, rubric),
        own_points=draft.own_points,
        points=points,
        comment=draft.comment.strip(),
        marker=marker.name,
        marked_at=room.clock(),
    )
    connection.execute(delete(SECOND_MARKS).where(*room.of(SECOND_MARKS, item, student)))
    connection.execute(
        insert(SECOND_MARKS).values(
            **room.names(item, student),
            answer=second.answer,
            rows=json.dumps(second.rows),
            own_points=second.own_points,
            points=points,
            comment=second.comment,
            marker=second.marker,
            marked_at=second.marked_at,
            first_points=state.mark.points,
            settled=points == state.mark.points,
        )
    )
    room.leave(connection, marker)
    return Comparison(student, state.mark, second)


def settle(
    connection: Connection, room: MarkingRoom, item: Item, student: str, take: bool, marker: Marker
) -> None:
    """End a difference: the second mark takes the place of the first, or the first one stays.

    Raises:
        MarkingError: there is no second mark, or the first one has changed since.
    """
    row = connection.execute(select(SECOND_MARKS).where(*room.of(SECOND_MARKS, item, student))).first()
    state = room.states(connection, item).get(student)
    if row is None or state is None or row.answer != state.fingerprint:
        raise MarkingError("there is no second mark of this answer")
    if take:
        if not state.is_ours or state.mark.points != row.first_points:
            raise ConflictError("the first mark has changed since the second look")
        draft = Draft(tuple(json.loads(row.rows)), row.own_points, row.comment)
        rubric = read_rubric(connection, room, item)
        room.record(connection, item, state, draft, points_of(draft, rubric, item), marker, "", "second")
    connection.execute(update(SECOND_MARKS).where(*room.of(SECOND_MARKS, item, student)).values(settled=True))


def comparisons(connection: Connection, room: MarkingRoom, item: Item) -> Iterator[Comparison]:
    """The second looks at an item's answers as they are now, beside the marks that count."""
    states = room.states(connection, item)
    for row in connection.execute(select(SECOND_MARKS).where(*room.of(SECOND_MARKS, item))):
        state = states.get(row.student)
        if state and state.fingerprint == row.answer:
            second = Mark(row.answer, tuple(json.loads(row.rows)), row.own_points, row.points, row.comment)
            first = Mark(points=row.first_points, marker=state.mark.marker)
            yield Comparison(row.student, first, Mark(**{**vars(second), "marker": row.marker}))
