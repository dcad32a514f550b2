"""Fills marks into a column of an LMS's table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_tables
from chainrule.intake.lms_name import LmsName
from chainrule.intake.roster import Person
from chainrule.marks.lms import TABLE_FORMATS, TableFormat, is_points_row, parse_decimal
from chainrule.marks.missing import MissingMark
from chainrule.marks.sheet import Sheet, escape_formula, read_sheet
from chainrule.marks.totals import StudentTotal, decimal_text, totals

SAFE_ID = re.compile(r"[\w.@+-]+")  # as a formula, it could only be an error or a number
SAFE_NUMBER = re.compile(r"[+-]?[\d.,]*%?")  # a number, or "-" for an empty mark


@dataclass(frozen=True)
class Change:
    """A mark that differs from the one in the table; both as the table writes them."""

    person: Person
    old: str
    new: str


@dataclass
class FilledTable:
    """The table with the marks filled in, and lists of students and rows for the report. Row 1 is the header."""

    sheet: Sheet
    column: str
    maximum: Decimal
    lms_maximum: Decimal | None
    changes: list[Change] = field(default_factory=list)
    unchanged: list[Person] = field(default_factory=list)
    waiting: list[StudentTotal] = field(default_factory=list)
    above: list[StudentTotal] = field(default_factory=list)
    ungraded: list[Person] = field(default_factory=list)
    nothing_handed_in: list[Person] = field(default_factory=list)
    excused: list[Person] = field(default_factory=list)
    excused_here: list[Person] = field(default_factory=list)
    without_row: list[Person] = field(default_factory=list)
    not_in_roster: list[Person] = field(default_factory=list)
    unknown_rows: list[str] = field(default_factory=list)
    unclear_rows: list[str] = field(default_factory=list)
    neutralised: list[str] = field(default_factory=list)
    lost_ids: list[str] = field(default_factory=list)
    own_title: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> bool:
        """Whether marks may still change: items wait for a person, or a hand-in is not graded."""
        return bool(self.waiting or self.ungraded)

    def remarks(self) -> dict[str, list[str]]:
        """What to know before importing the table: a sentence → the students or rows that it is about."""
        other = [self.lms_maximum] if self.lms_maximum not in (None, self.maximum) else []
        remarks = {
            "the LMS ignores columns whose titles begin so, as they are its own: give the assignment another name "
            "there, and export again": self.own_title,
            f"the assignment's maximum is {decimal_text(self.maximum)}, that of the LMS's column": [
                decimal_text(points) for points in other if points is not None
            ],
            "waiting for a person": [
                f"{total.person.id} ({', '.join(total.waiting)})" for total in self.waiting
            ],
            "marked with more than an item's maximum": [
                f"{total.person.id} ({', '.join(total.above)})" for total in self.above
            ],
            "handed in, not graded yet; no mark written": _ids(self.ungraded),
            "handed in nothing": _ids(self.nothing_handed_in),
            "excused in the LMS; left so": _ids(self.excused),
            "excused; no mark written": _ids(self.excused_here),
            "not in the LMS's table": _ids(self.without_row),
            "in the gradebook, not in the roster": _ids(self.not_in_roster),
            "in the LMS's table, not in the roster; left as they are": self.unknown_rows,
            "unclear whose; left as they are": self.unclear_rows,
            "began like a formula, now with an apostrophe": self.neutralised,
            "the LMS will not recognise these ids; type their marks in": self.lost_ids,
        }
        return {sentence: names for sentence, names in remarks.items() if names}


def fill_for_lms(
    folder: CourseFolder,
    assignment: str,
    name: LmsName,
    *,
    export: Path | None = None,
    title: str | None = None,
    missing: MissingMark = MissingMark.empty,
) -> FilledTable:
    """The table that the LMS imports, with the students' points in the assignment. Writes no file.

    Args:
        name: the LMS.
        export: the instructor's own export, whose rows and other columns are kept; by default a table of the roster.
        title: the LMS's title of the column; by default the assignment's name.
    Raises:
        CourseError: nothing is graded, or the export cannot be used. The message says what to do.
    """
    folder.require(assignment)
    lms = TABLE_FORMATS[name]
    with open_tables(folder.directory.db_url) as connection:
        found = totals(folder, connection, assignment)
    if found is None or all(total.points is None for total in found[1]):
        raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
    maximum, class_totals = found
    people = [total.person for total in class_totals]
    if export:
        sheet = read_sheet(export)
        column = marks_column(sheet, lms, title, assignment, export)
    else:
        sheet, column = lms.new_table(people, " ".join((title or assignment).split()), maximum)
    owners = rows_of(sheet, lms, people, column)
    if not owners.people:
        raise CourseError(
            f"nobody of the roster is in {export}: is it this course's, and an export of {name.title()}?"
            if export
            else f"the roster has nothing that {name.title()} identifies people by: complete {folder.course.roster}"
        )
    filled = FilledTable(sheet, sheet.header[column], maximum, lms.maximum(sheet, column))
    if lms.own_titles and lms.own_titles.match(filled.column):
        filled.own_title = [filled.column]
    filled.unknown_rows, filled.unclear_rows = owners.unknown, owners.unclear
    comma = decimal_comma(sheet)
    for total in class_totals:
        fill(filled, column, total, owners.people.get(total.person.id), missing, comma, lms.excused)
    neutralise(filled, owners.columns)
    return filled


def fill(
    filled: FilledTable,
    column: int,
    total: StudentTotal,
    row: int | None,
    missing: MissingMark,
    comma: bool,
    excused: str,
) -> None:
    """Put a student's points into their row of the table, and the student into the report's lists."""
    person, points = total.person, total.points
    if not total.in_roster:
        filled.not_in_roster.append(person)
    if total.above:
        filled.above.append(total)
    if total.waiting and not total.excused:
        filled.waiting.append(total)
    if total.excused:
        filled.excused_here.append(person)
        points = None
    elif total.ungraded:
        filled.ungraded.append(person)
    elif points is None:
        filled.nothing_handed_in.append(person)
        points = Decimal(0) if missing is MissingMark.zero else None
    if row is None:
        filled.without_row.append(person)
        return
    cells = filled.sheet.rows[row]
    old = cells[column]
    if excused and old.strip().upper() == excused:
        filled.excused.append(person)
    elif total.excused and old.strip() != excused:
        cells[column] = excused
        filled.changes.append(Change(person, old, excused or "–"))
    elif points is not None and parse_decimal(old) != points:
        cells[column] = decimal_text(points).replace(".", "," if comma else ".")
        filled.changes.append(Change(person, old, cells[column]))
    else:
        filled.unchanged.append(person)


def marks_column(sheet: Sheet, lms: TableFormat, title: str | None, assignment: str, path: Path) -> int:
    """The index of the column with this title or, without a title, of the only column of marks.

    Raises:
        CourseError: there is none, or there are several.
    """
    titles = {i: name for i, header in enumerate(sheet.header) if (name := lms.title(header))}
    key = _key(title or assignment)
    matches = [i for i, header in enumerate(sheet.header) if title and _key(header) == key]
    matches = matches or [i for i, name in titles.items() if _key(name) == key]
    if not matches and not title:
        matches = list(titles)
    if len(matches) == 1:
        return matches[0]
    choices = ", ".join(repr(sheet.header[i]) for i in matches or titles or range(len(sheet.header)))
    problem = "several columns are" if matches else "no column is"
    raise CourseError(f"{path}: {problem} {title or assignment!r}: choose by --column one of {choices}")


@dataclass
class RowOwners:
    """The owners of a table's rows.

    Attributes:
        columns: indices of the columns that identify students.
        people: id → index of the row.
        unknown: descriptions of rows of people who are not on the roster.
        unclear: descriptions of rows that could be several people's.
    """

    columns: set[int]
    people: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def rows_of(sheet: Sheet, lms: TableFormat, people: list[Person], marks: int) -> RowOwners:
    """Find each student's row. A row that names two people, and several rows of one person, are unclear.

    `marks` is the index of the column of marks.
    """
    known: dict[str, set[str]] = {}  # id, username or email → ids of the people who have it
    for person in people:
        for value in filter(None, map(_key, (person.id, person.username, person.email))):
            known.setdefault(value, set()).add(person.id)
    columns = {i for i, name in enumerate(sheet.header) if _key(name) in lms.keys}
    owners = RowOwners(columns or keys_by_content(sheet, known, lms, marks))
    claims: dict[str, list[int]] = {}
    for index, row in enumerate(sheet.rows[1:], start=1):
        if is_points_row(row) or not any(row[i].strip() for i in owners.columns if i < len(row)):
            continue  # Canvas's rows of maxima and policies, or empty
        if len(row) != len(sheet.header):
            raise CourseError(
                f"row {index + 1} of the export has {len(row)} columns, its header {len(sheet.header)}: "
                "export it again, and don't edit it"
            )
        named = [known[value] for i in owners.columns if (value := _id(row[i], lms)) in known]
        description = f"row {index + 1} ({', '.join(row[i] for i in sorted(owners.columns))})"
        if not named:
            owners.unknown.append(description)
        elif len(common := set.intersection(*named)) == 1:
            claims.setdefault(common.pop(), []).append(index)
        else:
            owners.unclear.append(f"{description}: {' or '.join(sorted(set.union(*named)))}")
    for student, rows in claims.items():
        if len(rows) == 1:
            owners.people[student] = rows[0]
        else:
            owners.unclear.append(f"rows {', '.join(str(row + 1) for row in rows)}: all of them {student}")
    return owners


def keys_by_content(sheet: Sheet, known: Container[str], lms: TableFormat, marks: int) -> set[int]:
    """Columns that identify people although their headers are unknown: all values differ, and half are known."""
    columns = set()
    for i in set(range(len(sheet.header))) - {marks}:
        values = [_id(row[i], lms) for row in sheet.rows[1:] if len(row) > i and row[i].strip()]
        hits = sum(value in known for value in values)
        if hits and 2 * hits >= len(values) == len(set(values)):
            columns.add(i)
    return columns


def decimal_comma(sheet: Sheet) -> bool:
    """Whether the table has numbers like 12,5 and none like 12.5."""
    cells = [cell.strip() for row in sheet.rows[1:] for cell in row]
    commas, points = (
        any(re.fullmatch(rf"-?\d+{sign}\d{{1,2}}", cell) for cell in cells) for sign in (",", r"\.")
    )
    return commas and not points


def neutralise(filled: FilledTable, key_columns: Iterable[int]) -> None:
    """Put an apostrophe before cells that a spreadsheet would compute. Numbers and ordinary ids stay."""
    keys = set(key_columns)
    for index, row in enumerate(filled.sheet.rows[1:], start=2):
        for i, cell in enumerate(row):
            if SAFE_NUMBER.fullmatch(cell) or (i in keys and SAFE_ID.fullmatch(cell)):
                continue
            row[i] = escape_formula(cell)
            if row[i] != cell:
                filled.neutralised.append(f"row {index}: {cell}")
                if i in keys:
                    filled.lost_ids.append(f"row {index}: {cell}")


def _ids(people: Iterable[Person]) -> list[str]:
    return [person.id for person in people]


def _id(cell: str, lms: TableFormat) -> str:
    return _key(cell.removeprefix("'")).removeprefix(lms.id_prefix)


def _key(text: str) -> str:
    """The text in the form in which names and ids are compared."""
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
