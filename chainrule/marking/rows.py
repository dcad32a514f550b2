"""An item's rubric in the gradebook's database, and changes to it that re-point everybody who has the row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import nbformat
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from chainrule.lesson.results import counted
from chainrule.marking.answers import Item
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.gradebook import write_score
from chainrule.marking.rubric import DECIMALS, Delimiters, Row, scheme_cell, sum_of, with_rows
from chainrule.marking.states import Mark, Marker, State, as_row
from chainrule.marking.tables import MARKS, ROWS
from chainrule.marks.sheet import write_atomically
from chainrule.metadata import source_cell

if TYPE_CHECKING:
    from chainrule.marking.room import MarkingRoom

MAX_TEXT = 2_000  # characters of a row
ITEM_ROWS = (
    select(ROWS)
    .where(*(ROWS.c[name] == bindparam(name) for name in ("assignment", "notebook", "item")))
    .order_by(ROWS.c.position, ROWS.c.id)
)  # made once: it is asked at every key


@dataclass(frozen=True)
class Rubric:
    """The rows that can be ticked, by id, in order.

    Attributes:
        differs: whether the mark scheme in `source/` has other rows.
        lacks: those of its rows that are not here; with the id of the row that has the same text, or 0.
    """

    rows: Mapping[int, Row]
    differs: bool = False
    lacks: tuple[Row, ...] = ()

    @property
    def version(self) -> str:
        """Another one for other rows."""
        rows = [[row.id, row.points, row.text] for row in self.rows.values()]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RowChange:
    """A change of the rubric.

    Attributes:
        id: of the row; None for a new one.
        removed: whether the row is to go.
    """

    id: int | None
    points: float = 0.0
    text: str = ""
    removed: bool = False


@dataclass(frozen=True)
class Preview:
    """What a change would do.

    Attributes:
        changes: the answers whose points change: student → points before and after.
        own: answers with the row whose marker gave a number of their own, which stays.
        elsewhere: answers with the row whose score was changed in formgrader, which stays.
    """

    changes: Mapping[str, tuple[float, float]]
    own: int = 0
    elsewhere: int = 0

    def sentence(self) -> str:
        """For example "12 answers, −0.1 each"."""
        count = len(self.changes)
        steps = sorted({round(after - before, DECIMALS) for before, after in self.changes.values()})
        parts = [f"{count} answer{'s' * (count != 1)}"]
        if len(steps) == 1:
            parts.append(f"{steps[0]:+g}{' each' * (count != 1)}")
        elif steps:
            parts.append(f"{steps[0]:+g} to {steps[-1]:+g}")
        if self.own:
            parts.append(f"{self.own} with a number of their own stay")
        if self.elsewhere:
            parts.append(f"{self.elsewhere} changed in formgrader stay")
        return ", ".join(parts).replace("-", "−")


def read_rubric(connection: Connection, room: MarkingRoom, item: Item) -> Rubric:
    """The item's rubric. Until somebody has used or changed it, it follows the mark scheme in `source/`."""
    scheme = room.work.scheme(item).rows
    stored = connection.execute(ITEM_ROWS, room.names(item)).all()
    shown = [Row(row.points, row.text, row.id) for row in stored if not row.removed]
    differs = [(row.points, row.text) for row in shown] != [(row.points, row.text) for row in scheme]
    if differs and not any(row.edited for row in stored) and not _is_used(connection, room, item):
        connection.execute(delete(ROWS).where(*room.of(ROWS, item)))
        for position, row in enumerate(scheme, 1):
            _insert(connection, room, item, replace(row, id=position), position, edited=False)
        shown = [replace(row, id=position) for position, row in enumerate(scheme, 1)]
        differs = False
    here = {row.text: row for row in shown}
    lacks = [
        replace(row, id=here[row.text].id if row.text in here else 0)
        for row in scheme
        if row.text not in here or here[row.text].points != row.points
    ]
    return Rubric({row.id: row for row in shown}, differs, tuple(lacks))


def _is_used(connection: Connection, room: MarkingRoom, item: Item) -> bool:
    used = select(MARKS.c.student).where(*room.of(MARKS, item), MARKS.c.rows != "[]").limit(1)
    return connection.execute(used).first() is not None


def _insert(
    connection: Connection, room: MarkingRoom, item: Item, row: Row, position: int, *, edited: bool
) -> None:
    connection.execute(
        insert(ROWS).values(
            **room.names(item),
            id=row.id,
            position=position,
            points=row.points,
            text=row.text,
            edited=edited,
            removed=False,
        )
    )


def preview(connection: Connection, room: MarkingRoom, item: Item, change: RowChange) -> Preview:
    """What a change would do to the answers that have the row.

    Raises:
        MarkingError: the change is not possible.
    """
    rubric = read_rubric(connection, room, item)
    _require_possible(change, rubric, item, room.work.delimiters)
    after = changed_rows(rubric, change)
    changes, own, elsewhere = {}, 0, 0
    for student, state in room.states(connection, item).items():
        mark = state.mark
        if change.id not in mark.rows or mark.points is None or not state.is_current:
            continue
        if mark.own_points is not None:
            own += 1
        elif not state.is_ours:
            elsewhere += 1
        else:
            points = sum_of(after[row] for row in mark.rows if row in after)
            if points > item.maximum:
                raise MarkingError(
                    f"an answer with this row would get {points:g}, more than the item has, {counted(item.maximum)}"
                )
            if points != mark.points:
                changes[student] = mark.points, points
    return Preview(changes, own, elsewhere)


def change_row(
    connection: Connection, room: MarkingRoom, item: Item, change: RowChange, marker: Marker, expected: str
) -> Preview:
    """Change the rubric and the marks of everybody who has the row.

    Args:
        expected: the sentence of the preview that the marker has agreed to.
    Raises:
        ConflictError: the change would do something else by now.
    """
    done = preview(connection, room, item, change)
    if done.sentence() != expected:
        raise ConflictError(f"meanwhile it would change something else: {done.sentence()}")
    rubric = read_rubric(connection, room, item)
    after = changed_rows(rubric, change)
    if change.id is None:
        last = connection.execute(
            select(func.max(ROWS.c.id), func.max(ROWS.c.position)).where(*room.of(ROWS, item))
        ).one()
        row = Row(change.points, change.text.strip(), (last[0] or 0) + 1)
        _insert(connection, room, item, row, (last[1] or 0) + 1, edited=True)
    else:
        values: dict[str, object] = {"edited": True, "removed": change.removed}
        if not change.removed:
            values |= {"points": change.points, "text": change.text.strip()}
        connection.execute(update(ROWS).where(*room.of(ROWS, item), ROWS.c.id == change.id).values(values))
    for state in room.states(connection, item).values():
        if change.id is not None and change.id in state.mark.rows:
            _repoint(connection, room, item, state, after, done, marker)
    return done


def _repoint(
    connection: Connection,
    room: MarkingRoom,
    item: Item,
    state: State,
    after: Mapping[int, Row],
    done: Preview,
    marker: Marker,
) -> None:
    """Give one mark the points of the changed rows, and take a removed row off."""
    rows = tuple(row for row in state.mark.rows if row in after)
    if state.student not in done.changes and rows == state.mark.rows:
        return
    points = done.changes.get(state.student, (0.0, state.mark.points))[1]
    mark: Mark = replace(state.mark, rows=rows, points=points, revision=state.mark.revision + 1, token="")
    values = {name: as_row(mark)[name] for name in ("rows", "points", "revision", "token")}
    connection.execute(update(MARKS).where(*room.of(MARKS, item, state.student)).values(values))
    room.changed(item, state.student)
    if state.student in done.changes:
        write_score(connection, state.recorded, points, state.recorded.comment)
    room.note(connection, item, state, mark, marker.name, "rubric")


def changed_rows(rubric: Rubric, change: RowChange) -> dict[int, Row]:
    """The rows after a change of one; a new row has no id yet, and nobody has it."""
    rows = dict(rubric.rows)
    if change.id is not None:
        if change.removed:
            del rows[change.id]
        else:
            rows[change.id] = Row(change.points, change.text.strip(), change.id)
    return rows


def _require_possible(change: RowChange, rubric: Rubric, item: Item, delimiters: Delimiters) -> None:
    if change.id is not None and change.id not in rubric.rows:
        raise MarkingError(f"the rubric has no row {change.id}")
    if change.removed:
        if change.id is None:
            raise MarkingError("choose the row that is to be removed")
        return
    text = change.text.strip()
    as_before = change.id is not None and text == rubric.rows[change.id].text
    if not as_before and (not text or "\n" in text or "|" in text or len(text) > MAX_TEXT):
        raise MarkingError("write in one line what the points are for, without the character |")
    if delimiters.begin in text or delimiters.end in text:
        raise MarkingError("this line would begin or end a mark scheme: write another text")
    if not -item.maximum <= change.points <= item.maximum:
        raise MarkingError(
            f"a row of this item has at least {-item.maximum:g} and at most {counted(item.maximum)}"
        )


def write_back(room: MarkingRoom, item: Item, rubric: Rubric) -> str:
    """Write the rubric's rows into the mark scheme in `source/`; returns the notebook's name.

    Raises:
        MarkingError: there is no cell for a mark scheme, or numbers that vary between students would be lost.
    """
    path, delimiters = room.work.source_path(item), room.work.delimiters
    nb = nbformat.read(path, as_version=4)
    cell = scheme_cell(nb.cells, item.name, delimiters.begin)
    if cell is None:
        raise MarkingError(
            f"{path.name} has no read-only cell above {item.name} that could have a mark scheme"
        )
    source = with_rows(cell.source, list(rubric.rows.values()), delimiters)
    lost = [text for text in source_cell(cell, path.name).get("varies", {}) if text not in source]
    if lost:
        raise MarkingError(f"this text varies between students, and no row has it now: {lost[0]!r}")
    if source != cell.source:
        cell.source = source
        write_atomically(path, (nbformat.writes(nb).rstrip("\n") + "\n").encode())
    return path.name
