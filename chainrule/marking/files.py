"""Exports and imports of a whole assignment's marking, for the command line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from chainrule.course import CourseFolder
from chainrule.marking.answers import Item
from chainrule.marking.errors import MarkingError
from chainrule.marking.exchange import export_csv, import_csv
from chainrule.marking.room import MarkingRoom
from chainrule.marking.states import Marker
from chainrule.marks.sheet import write_atomically

WAIT = 20.0  # seconds for another program to end its writing


def export_files(folder: CourseFolder, assignment: str, target: Path) -> Iterator[Path]:
    """Write a file for each written item; an earlier file of the same name is replaced.

    Raises:
        MarkingError: a file there is none of ours.
    """
    room = MarkingRoom(folder, assignment)
    for item in room.work.items():
        path = target / f"{item.notebook}-{item.name}.csv"
        if path.exists() and item_of(path, room) != item:
            raise MarkingError(f"{path} is another file: name another folder by --export")
        with room.database.transaction(WAIT) as connection:
            data = export_csv(connection, room, item)
        target.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
        yield path


def import_files(
    folder: CourseFolder, assignment: str, paths: Iterable[Path], marker: str, *, overwrite: bool = False
) -> Iterator[str]:
    """Take in files that markers have filled in; the report's lines.

    Raises:
        MarkingError: a file is none of this assignment's; it changes nothing, those before it are taken.
    """
    room: MarkingRoom | None = None
    for path in paths:
        room = room or MarkingRoom(folder, assignment)
        item = item_of(path, room)
        if item is None:
            raise MarkingError(f"{path} is no export of an item of {assignment}: export it first")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise MarkingError(f"{path} is not in UTF-8: save it as CSV UTF-8") from None
        with room.database.transaction(WAIT) as connection:
            taken = import_csv(connection, room, item, text, Marker(marker, str(path)), overwrite=overwrite)
        yield from (f"{item.name}: {line}" for line in taken.lines())


def item_of(path: Path, room: MarkingRoom) -> Item | None:
    """The item that a file is about."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            delimiter = max(",;\t", key=head.count)
            columns = next(csv.reader([head], delimiter=delimiter), [])
            first = next(csv.reader(file, delimiter=delimiter), [])
    except UnicodeDecodeError:
        return None
    named = dict(zip(columns, first, strict=False))
    key = named.get("notebook", ""), named.get("item", "")
    return next((item for item in room.work.items() if item.key == key), None)
