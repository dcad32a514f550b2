"""The roster: a CSV of the course's students with the columns id, username, last, first, email."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.course import CourseError, CourseFolder
from chainrule.handin.file_names import StudentName

if TYPE_CHECKING:
    from _csv import Reader

    from nbgrader.api import Gradebook
    from sqlalchemy import Connection

STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")  # safe as the name of a folder in submitted/


@dataclass(frozen=True)
class Person:
    """A student. `id` names the folder in submitted/, `username` is that in the LMS. Unknown values are "".

    Students of the same `group` hand in together.
    """

    id: str
    username: str
    last: str
    first: str
    email: str
    group: str = ""

    @property
    def full_name(self) -> str:
        return " ".join(filter(None, (self.first, self.last)))

    @property
    def name(self) -> StudentName:
        """The name as hand-ins' file names have it, with the id as student number."""
        return StudentName(self.last, self.first, self.id)


COLUMNS = tuple(field.name for field in fields(Person) if field.default is MISSING)


def read_roster(path: Path) -> list[Person]:
    """The students of a roster, in its order.

    Raises:
        CourseError: the file cannot be used. The message says which line is wrong and what to do.
    """
    people: list[Person] = []
    seen: dict[tuple[str, str], str] = {}
    for where, values in read_rows(path, COLUMNS):
        person = Person(**{name: values[name] for name in COLUMNS}, group=values.get("group", ""))
        if not STUDENT_ID.fullmatch(person.id):
            problem = f"the id {person.id!r} cannot name a folder" if person.id else "the id is missing"
            raise CourseError(f"{where}: {problem}: write 1 to 64 letters, digits and . _ @ -")
        for column in ("id", "username"):  # some file systems and all LMSs ignore case
            key = column, getattr(person, column).casefold()
            if key[1] and key in seen:
                line = seen[key].rpartition(" ")[2]
                raise CourseError(
                    f"{where}: the {column} {key[1]!r} is that of line {line} too: correct one of them"
                )
            seen[key] = where
        people.append(person)
    return people


def class_list(folder: CourseFolder, connection: Connection) -> dict[str, Person]:
    """The students by id: first the roster's, then those only in the gradebook.

    What the roster doesn't say about a student comes from the gradebook. Without a roster, ids are usernames.

    Raises:
        CourseError: the roster cannot be read.
    """
    from sqlalchemy import select  # the command line imports this module

    from chainrule.gradebook_tables import STUDENTS

    path = folder.root / folder.course.roster
    has_roster = path.exists()
    people = {person.id: person for person in (read_roster(path) if has_roster else ())}
    students = select(STUDENTS).order_by(STUDENTS.c.last_name, STUDENTS.c.first_name)  # as nbgrader
    for student in connection.execute(students):
        person = people.get(student.id, Person(student.id, "" if has_roster else student.id, "", "", ""))
        if not person.full_name:
            person = replace(person, last=student.last_name or "", first=student.first_name or "")
        people[student.id] = replace(person, email=person.email or student.email or "")
    return people


def save_people(gradebook: Gradebook, people: Sequence[Person]) -> None:
    """Write names and email addresses into the gradebook. What is not known stays as it is there."""
    known = {student.id: student for student in gradebook.students}
    for person in people:
        told = {"last_name": person.last, "first_name": person.first, "email": person.email}
        told = {name: value for name, value in told.items() if value}
        student = known.get(person.id)
        if student is None or any(getattr(student, name) != told[name] for name in told):
            gradebook.update_or_create_student(person.id, **told)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV: where each is, for messages, and its values by column.

    Columns may have any order and case, and there may be others. UTF-8 with or without a byte-order mark; separated
    by commas, semicolons or tabs, as spreadsheets of different languages write them.

    Args:
        columns: those that have to be there.
    Raises:
        CourseError: the file cannot be used.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CourseError(f"{path} is not UTF-8: save it again as 'CSV UTF-8'") from None
    except OSError as error:
        raise CourseError(
            f"{'the roster ' * (columns == COLUMNS)}{path} cannot be read ({error.strerror}): write a CSV with the "
            f"columns {', '.join(columns)}{', and name it by c.Course.roster' * (columns == COLUMNS)}"
        ) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from _rows(rows, path, columns)
    except csv.Error as error:
        raise CourseError(f"{path}, line {rows.line_num}: {error}: look for a stray quote there") from None


def _rows(rows: Reader, path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    header = [_tidy(name).lower() for name in next(rows, [])]
    if wrong := [name for name in columns if header.count(name) != 1]:
        raise CourseError(
            f"{path}, line 1: the column {' and '.join(wrong)} must be there once; "
            f"the first line has to name {', '.join(columns)}"
        )
    for row in rows:
        if any(value.strip() for value in row):
            where = f"{path}, line {rows.line_num}"
            if len(row) != len(header):
                raise CourseError(
                    f"{where}: {len(row)} values under {len(header)} columns: put values with commas in quotes"
                )
            yield where, dict(zip(header, map(_tidy, row), strict=True))


def _tidy(text: str) -> str:
    """The text with single spaces and composed letters, as names are compared."""
    return unicodedata.normalize("NFC", " ".join(text.split()))
