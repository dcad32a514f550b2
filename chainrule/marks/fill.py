"""Marks into a column of an LMS's table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.roster import Person
from chainrule.marks.lms import LMS, Lms, LmsName, is_points_row, number
from chainrule.marks.sheet import Sheet, harmless, read_sheet
from chainrule.marks.totals import Total, totals, written

CALLS_NOTHING = re.compile(
    r"[\w.@+-]+"
)  # an id of which no spreadsheet can make more than an error or a number
NO_FORMULA = re.compile(r"[+-]?[\d.,]*%?")  # a number, and the lone "-" that stands for nothing


class Missing(StrEnum):
    """What somebody gets who handed in nothing."""

    zero = "zero"
    empty = "empty"


@dataclass(frozen=True)
class Change:
    """A mark that differs from what the table had; numbers as they are written there."""

    person: Person
    old: str
    new: str


@dataclass
class Filled:
    """The table with the marks in, and who is where. Rows count from 1, the header."""

    sheet: Sheet
    column: str
    maximum: Decimal
    lms_maximum: Decimal | None
    changes: list[Change] = field(default_factory=list)
    unchanged: list[Person] = field(default_factory=list)
    waiting: list[Total] = field(default_factory=list)
    ungraded: list[Person] = field(default_factory=list)
    nothing_handed_in: list[Person] = field(default_factory=list)
    excused: list[Person] = field(default_factory=list)
    without_row: list[Person] = field(default_factory=list)
    not_in_roster: list[Person] = field(default_factory=list)
    unknown_rows: list[str] = field(default_factory=list)
    unclear_rows: list[str] = field(default_factory=list)
    neutralised: list[str] = field(default_factory=list)
    lost_ids: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> bool:
        """Whether marks may still change: items wait for a person, or a hand-in is not graded."""
        return bool(self.waiting or self.ungraded)

    def remarks(self) -> dict[str, list[str]]:
        """What a person should know before importing the table: a sentence, and whom or what it is about."""
        other = [self.lms_maximum] if self.lms_maximum not in (None, self.maximum) else []
        said = {
            f"the assignment has {written(self.maximum)} points, the LMS's column": [
                written(points) for points in other if points is not None
            ],
            "waiting for a person in formgrader": [
                f"{total.person.id} ({', '.join(total.waiting)})" for total in self.waiting
            ],
            "handed in, not graded yet; no mark written": _ids(self.ungraded),
            "handed in nothing": _ids(self.nothing_handed_in),
            "excused in the LMS; left so": _ids(self.excused),
            "not in the LMS's table": _ids(self.without_row),
            "in the gradebook, not in the roster": _ids(self.not_in_roster),
            "in the LMS's table, not in the roster; left as they are": self.unknown_rows,
            "unclear whose; left as they are": self.unclear_rows,
            "began like a formula, now with an apostrophe": self.neutralised,
            "the LMS will not know these ids; type their marks in": self.lost_ids,
        }
        return {about: those for about, those in said.items() if those}


def fill_for_lms(
    folder: CourseFolder,
    assignment: str,
    name: LmsName,
    *,
    export: Path | None = None,
    item: str | None = None,
    missing: Missing = Missing.empty,
) -> Filled:
    """The table that the LMS imports, with everybody's points of the assignment. Writes nothing.

    Args:
        export: the instructor's own export, whose rows and other columns stay; otherwise a table of the roster.
        item: what the LMS calls the assignment.
    Raises:
        CourseError: nothing is graded, or the export cannot be used. Says what to do.
    """
    folder.require(assignment)
    lms = LMS[name]
    with Gradebook(folder.directory.db_url) as gradebook:
        try:
            maximum, class_totals = totals(folder, gradebook, assignment)
        except MissingEntry:
            class_totals = []
    if all(total.points is None for total in class_totals):
        raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
    people = [total.person for total in class_totals]
    if export:
        sheet = read_sheet(export)
        column = grade_column(sheet, lms, item, assignment, export)
    else:
        sheet, column = lms.fresh(people, " ".join((item or assignment).split()), maximum)
    owners = rows_of(sheet, lms, people, column)
    if not owners.people:
        raise CourseError(
            f"nobody of the roster is in {export}: is it this course's, and an export of {name.title()}?"
            if export
            else f"the roster has nothing that {name.title()} knows people by: complete {folder.course.roster}"
        )
    filled = Filled(sheet, sheet.header[column], maximum, lms.maximum(sheet, column))
    filled.unknown_rows, filled.unclear_rows = owners.unknown, owners.unclear
    comma = decimal_comma(sheet)
    for total in class_totals:
        fill(filled, column, total, owners.people.get(total.person.id), missing, comma, lms.excused)
    neutralise(filled, owners.columns)
    return filled


def fill(
    filled: Filled,
    column: int,
    total: Total,
    row: int | None,
    missing: Missing,
    comma: bool,
    excused: str,
) -> None:
    """Put one student's points into their row, and the student where they belong in the report."""
    person, points = total.person, total.points
    if not total.in_roster:
        filled.not_in_roster.append(person)
    if total.waiting:
        filled.waiting.append(total)
    if total.ungraded:
        filled.ungraded.append(person)
    elif points is None:
        filled.nothing_handed_in.append(person)
        points = Decimal(0) if missing is Missing.zero else None
    if row is None:
        filled.without_row.append(person)
        return
    cells = filled.sheet.rows[row]
    old = cells[column]
    if excused and old.strip().upper() == excused:
        filled.excused.append(person)
    elif points is not None and number(old) != points:
        cells[column] = written(points).replace(".", "," if comma else ".")
        filled.changes.append(Change(person, old, cells[column]))
    else:
        filled.unchanged.append(person)


def grade_column(sheet: Sheet, lms: Lms, item: str | None, assignment: str, path: Path) -> int:
    """Where the item's marks stand: the column of that name or, if there is only one with marks, that one.

    Raises:
        CourseError: there is none, or there are several.
    """
    marks = {i: title for i, name in enumerate(sheet.header) if (title := lms.title(name))}
    wanted = _key(item or assignment)
    found = [i for i, name in enumerate(sheet.header) if item and _key(name) == wanted]
    found = found or [i for i, title in marks.items() if _key(title) == wanted]
    if not found and not item:
        found = list(marks)
    if len(found) == 1:
        return found[0]
    shown = ", ".join(repr(sheet.header[i]) for i in found or marks or range(len(sheet.header)))
    reason = "several columns are" if found else "no column is"
    raise CourseError(f"{path}: {reason} {item or assignment!r}: choose by --item one of {shown}")


@dataclass
class Owners:
    """Whose row is which: ids of people to indices of rows, and the columns that told it."""

    columns: set[int]
    people: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def rows_of(sheet: Sheet, lms: Lms, people: list[Person], grade: int) -> Owners:
    """Find everybody's row. One that speaks of two people, or a second one of the same person, is unclear."""
    known: dict[str, set[str]] = {}  # what people are known by → their ids
    for person in people:
        for value in filter(None, map(_key, (person.id, person.username, person.email))):
            known.setdefault(value, set()).add(person.id)
    columns = {i for i, name in enumerate(sheet.header) if _key(name) in lms.keys}
    owners = Owners(columns or keys_by_content(sheet, known, lms, grade))
    claims: dict[str, list[int]] = {}
    for index, row in enumerate(sheet.rows[1:], start=1):
        if is_points_row(row) or not any(row[i].strip() for i in owners.columns if i < len(row)):
            continue  # Canvas's rows of maxima and of policies, empty lines
        if len(row) != len(sheet.header):
            raise CourseError(
                f"row {index + 1} of the export has {len(row)} columns, its header {len(sheet.header)}: "
                "export it again, and don't edit it"
            )
        speaks_of = [known[value] for i in owners.columns if (value := _id(row[i], lms)) in known]
        shown = f"row {index + 1} ({', '.join(row[i] for i in sorted(owners.columns))})"
        if not speaks_of:
            owners.unknown.append(shown)
        elif len(both := set.intersection(*speaks_of)) == 1:
            claims.setdefault(both.pop(), []).append(index)
        else:
            owners.unclear.append(f"{shown}: {' or '.join(sorted(set.union(*speaks_of)))}")
    for student, rows in claims.items():
        if len(rows) == 1:
            owners.people[student] = rows[0]
        else:
            owners.unclear.append(f"rows {', '.join(str(row + 1) for row in rows)}: all of them {student}")
    return owners


def keys_by_content(sheet: Sheet, known: Container[str], lms: Lms, grade: int) -> set[int]:
    """Columns that tell people apart, if their names are of another language: all different, half of them known."""
    found = set()
    for i in set(range(len(sheet.header))) - {grade}:
        values = [_id(row[i], lms) for row in sheet.rows[1:] if len(row) > i and row[i].strip()]
        hits = sum(value in known for value in values)
        if hits and 2 * hits >= len(values) == len(set(values)):
            found.add(i)
    return found


def decimal_comma(sheet: Sheet) -> bool:
    """Whether the table writes 12,5 for 12.5."""
    cells = [cell.strip() for row in sheet.rows[1:] for cell in row]
    commas, points = (
        any(re.fullmatch(rf"-?\d+{sign}\d{{1,2}}", cell) for cell in cells) for sign in (",", r"\.")
    )
    return commas and not points


def neutralise(filled: Filled, key_columns: Iterable[int]) -> None:
    """Put an apostrophe before what a spreadsheet would compute. Numbers and plain ids stay."""
    keys = set(key_columns)
    for index, row in enumerate(filled.sheet.rows[1:], start=2):
        for i, cell in enumerate(row):
            if NO_FORMULA.fullmatch(cell) or (i in keys and CALLS_NOTHING.fullmatch(cell)):
                continue
            row[i] = harmless(cell)
            if row[i] != cell:
                filled.neutralised.append(f"row {index}: {cell}")
                if i in keys:
                    filled.lost_ids.append(f"row {index}: {cell}")


def _ids(people: Iterable[Person]) -> list[str]:
    return [person.id for person in people]


def _id(cell: str, lms: Lms) -> str:
    return _key(cell.removeprefix("'")).removeprefix(lms.id_prefix)


def _key(text: str) -> str:
    """The text as names and ids are compared."""
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
