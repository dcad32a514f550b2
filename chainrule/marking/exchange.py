"""A marking as CSV, for markers without the server: one file per item, anonymous, with the answers' texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from chainrule.marking.answers import Item
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.room import MarkingRoom, points_of
from chainrule.marking.rows import Rubric, read_rubric
from chainrule.marking.states import Draft, Marker, Seen, State
from chainrule.marks.sheet import escape_formula

COLUMNS = ["notebook", "item", "id", "answer", "rows", "points", "comment", "marker", "version", "text"]
MAX_FIELD = 20_000_000  # characters of an answer
HELP = "rows: the numbers of the ticked rows, such as 1 3. points: only a number of your own, else empty."


def export_csv(connection: Connection, room: MarkingRoom, item: Item) -> bytes:
    """An item's marking: a row for each row of the rubric, then one for each answer, in the order of marking."""
    rubric = read_rubric(connection, room, item)
    numbers = {row: number for number, row in enumerate(rubric.rows, 1)}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    names = {"notebook": item.notebook, "item": item.name}
    writer.writerow({**names, "id": "#", "text": HELP})
    for row in rubric.rows.values():
        about = {"id": f"#{numbers[row.id]}", "points": f"{row.points:g}", "text": row.text}
        writer.writerow({name: escape_formula(value) for name, value in about.items()} | names)
    for state in room.states(connection, item).values():
        writer.writerow(
            {name: escape_formula(value) for name, value in _exported(room, state, numbers).items()} | names
        )
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _exported(room: MarkingRoom, state: State, numbers: dict[int, int]) -> dict[str, str]:
    mark = state.mark
    shown = {
        "id": room.alias(state.student),
        "answer": state.answer.fingerprint,
        "version": str(mark.revision),
        "text": state.answer.text,
    }
    if state.is_ours:
        own = "" if mark.own_points is None else f"{mark.own_points:g}"
        rows = " ".join(str(numbers[row]) for row in mark.rows if row in numbers)
        shown |= {"rows": rows, "points": own, "comment": state.comment, "marker": mark.marker}
    elif state.recorded.score is not None:
        shown |= {"points": f"{state.recorded.score:g}", "comment": state.comment}
    return shown


@dataclass
class Imported:
    """What an import did: anonymous ids, and a sentence for each row that was not taken."""

    taken: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report."""
        first = f"{len(self.taken)} taken, {len(self.same)} as before, {len(self.refused)} not taken"
        more = [f"overwritten: {', '.join(self.overwritten)}"] if self.overwritten else []
        return [first, *more, *self.refused]


def import_csv(
    connection: Connection,
    room: MarkingRoom,
    item: Item,
    text: str,
    marker: Marker,
    *,
    overwrite: bool = False,
) -> Imported:
    """Take in a file that `export_csv` wrote and a marker has filled in.

    A row without rows and points is left alone. An answer that has another mark by now keeps it.

    Args:
        overwrite: replace such marks, too, and say so. An answer that is another one by now is never marked.
    Raises:
        MarkingError: it is no such file, or another item's.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter(text))
    if missing := {"item", "id", "answer", "rows", "points", "comment"} - set(reader.fieldnames or ()):
        raise MarkingError(f"the file has no column {', '.join(sorted(missing))}: export it here first")
    rubric = read_rubric(connection, room, item)
    states = room.states(connection, item)
    students = {room.alias(student): student for student in states}
    result = Imported()
    for line in _lines(reader):
        alias = (line["id"] or "").strip()
        if alias.startswith(("#", "'#")) or not alias:
            continue
        if (line["item"] or "").strip() != item.name:
            raise MarkingError(f"the file is of {line['item']}, not of {item.name}")
        if (line.get("notebook") or item.notebook).strip() != item.notebook:
            raise MarkingError(f"the file is of {item.name} in {line['notebook']}, not in {item.notebook}")
        if alias not in students:
            result.refused.append(f"{alias}: nobody has this id")
            continue
        try:
            draft = _draft(line, rubric)
            if draft is not None:
                _take(connection, room, item, states[students[alias]], draft, line, marker, overwrite, result)
        except MarkingError as error:
            result.refused.append(f"{alias}: {error}")
    return result


def _lines(reader: csv.DictReader[str]) -> Iterator[dict[str, str | None]]:
    """The file's rows, whose answers may be long."""
    before = csv.field_size_limit(MAX_FIELD)
    try:
        yield from reader
    except csv.Error as error:
        raise MarkingError(f"line {reader.line_num} of the file is no CSV: {error}") from None
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str) -> str:
    """A semicolon, if a spreadsheet has written the file so."""
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _draft(line: dict[str, str | None], rubric: Rubric) -> Draft | None:
    ticked, points = (line["rows"] or "").strip(), (line["points"] or "").strip()
    if not ticked and not points:
        return None
    ids = list(rubric.rows)
    try:
        rows = tuple(ids[int(number) - 1] for number in ticked.replace(",", " ").split() if _positive(number))
        own = float(points.replace(",", ".")) if points else None
    except (ValueError, IndexError):
        raise MarkingError(f"rows {ticked!r} with points {points!r} are not numbers of this rubric") from None
    return Draft(rows, own, unescaped(line["comment"] or ""))


def _positive(number: str) -> bool:
    if int(number) < 1:
        raise ValueError(number)
    return True


def unescaped(text: str) -> str:
    """A text without the apostrophe by which `escape_formula` keeps spreadsheets from computing."""
    return text[1:] if text[:1] == "'" and escape_formula(text[1:]) == text else text


def _take(
    connection: Connection,
    room: MarkingRoom,
    item: Item,
    state: State,
    draft: Draft,
    line: dict[str, str | None],
    marker: Marker,
    overwrite: bool,
    result: Imported,
) -> None:
    """Save one row of the file, if nothing has changed since the export."""
    alias, mark = room.alias(state.student), state.mark
    rubric = read_rubric(connection, room, item)
    same = (mark.rows, mark.own_points, state.comment) == (
        draft.rows,
        draft.own_points,
        draft.comment.strip(),
    )
    if (state.is_ours and same) or (
        not state.waits
        and not state.is_ours
        and (state.recorded.score, state.comment) == (draft.own_points, draft.comment)
    ):
        result.same.append(alias)
        return
    points_of(draft, rubric, item)
    if not state.waits and str(mark.revision) != (line.get("version") or "").strip() and not overwrite:
        has = "no score" if state.recorded.score is None else f"{state.recorded.score:g}"
        raise ConflictError(f"was marked since the export and has {has}: kept")
    if not state.waits and not state.is_ours and not overwrite:
        raise ConflictError(f"has {state.recorded.score:g} from formgrader: kept")
    seen = Seen(
        (line["answer"] or "").strip(),
        mark.revision,
        rubric.version,
        state.recorded.score,
        state.recorded.comment or "",
        "",
    )
    if not state.waits:
        result.overwritten.append(alias)
    room.save(connection, item, state.student, draft, seen, marker)
    result.taken.append(alias)
