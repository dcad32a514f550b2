"""Class lists that LMSs export, and bringing the roster up to date with one."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.intake.roster import COLUMNS, STUDENT_ID, Person, read_roster, save_people
from chainrule.marks.lms import is_points_row
from chainrule.marks.sheet import Sheet, read_sheet, write_atomically
from chainrule.one_writer import one_writer

# Headers in English, German, French, Spanish, Italian and Dutch, folded: what a column says about a student. Of several
# columns that say the same, the one named first here counts.
HEADERS: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "orgdefinedid", "sisuserid", "studentid", "idnumber", "studentnumber", "externalpersonkey"),
        *("identificationnumber", "matrikelnummer", "idnummer", "numerodidentification", "numerodetudiant"),
        *("numerodeid", "codiceidentificativo", "matricola", "studentnummer", "userid"),
    ),
    "username": (
        *("username", "sisloginid", "loginid", "login", "anmeldename", "benutzername", "nomdutilisateur"),
        *("nombredeusuario", "gebruikersnaam", "identifiant"),
    ),
    "last": (
        "last",
        "lastname",
        "surname",
        "familyname",
        "nachname",
        "nom",
        "apellidos",
        "apellido",
        "cognome",
        "achternaam",
    ),
    "first": (
        "first",
        "firstname",
        "givenname",
        "forename",
        "vorname",
        "prenom",
        "nombre",
        "nome",
        "voornaam",
    ),
    "email": (
        *("email", "emailaddress", "mail", "emailadresse", "adressedecourriel", "courriel", "correo"),
        *("direcciondecorreo", "correoelectronico", "indirizzoemail", "emailadres"),
    ),
    "group": ("group", "groups", "team"),
    "role": ("role", "roles", "rolle", "role(s)"),
    "both": ("student", "studentname", "name", "fullname"),  # "Last, First" or "First Last"
}
STAFF = (
    "instructor",
    "teacher",
    "ta",
    "teachingassistant",
    "observer",
    "designer",
    "dozent",
    "trainer",
    "enseignant",
)


@dataclass
class Changes:
    """What a class list changes about a roster."""

    people: list[Person] = field(default_factory=list)
    added: list[Person] = field(default_factory=list)
    changed: list[tuple[Person, Person]] = field(default_factory=list)
    gone: list[Person] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def folded(text: str) -> str:
    """A header without case, accents, spaces and signs."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def read_class_list(path: Path, id_column: str = "") -> tuple[list[Person], list[str]]:
    """The students of an export, and sentences about rows that were left out.

    Ids may be missing: then they are those of the roster, or usernames.

    Args:
        id_column: the header of the column with the ids.
    Raises:
        CourseError: it has no column that says who somebody is.
    """
    sheet = read_sheet(path)
    columns = find_columns(sheet, path, id_column)
    people, remarks = [], []
    for number, row in enumerate(sheet.rows[1:], start=2):
        if is_points_row(row) or not any(cell.strip() for cell in row):
            continue
        values = {name: _tidy(row[i]) if i < len(row) else "" for name, i in columns.items()}
        if folded(values.get("role", "")) in STAFF:
            remarks.append(f"row {number} is no student's ({values['role']}): left out")
            continue
        first, last = values.get("first", ""), values.get("last", "")
        if not (first or last) and (both := values.get("both", "")):
            last, comma, first = (part.strip() for part in both.partition(","))
            if not comma:
                first, _, last = last.rpartition(" ")
        if folded(last + first) in ("studenttest", "teststudent"):
            remarks.append(f"row {number} is the LMS's test student: left out")
            continue
        # Brightspace writes # before ids and usernames
        id, username = (values.get(name, "").removeprefix("#") for name in ("id", "username"))
        if not (id or username or values.get("email")):
            remarks.append(f"row {number} says of nobody who it is: left out")
            continue
        people.append(Person(id, username, last, first, values.get("email", ""), values.get("group", "")))
    return people, remarks


def find_columns(sheet: Sheet, path: Path, id_column: str) -> dict[str, int]:
    """The index of the column for each thing that a class list says about a student."""
    headers = [folded(name) for name in sheet.header]
    found: dict[str, int] = {}
    for name, known in HEADERS.items():
        position = next((headers.index(header) for header in known if header in headers), None)
        if position is not None:
            found[name] = position
    # Canvas's ID is its own number
    if "sisuserid" in headers or "sisloginid" in headers:
        found.pop("id", None)
        if "sisuserid" in headers:
            found["id"] = headers.index("sisuserid")
    if id_column:
        if folded(id_column) not in headers:
            raise CourseError(
                f"{path} has no column {id_column!r}: choose by --id one of {', '.join(sheet.header)}"
            )
        found["id"] = headers.index(folded(id_column))
    if not {"id", "username", "email"} & set(found):
        raise CourseError(
            f"{path} has no column with ids, usernames or emails that is known here ({', '.join(sheet.header)}): "
            "export the class list again with them, name the column of ids by --id, or write the roster by hand "
            f"with the columns {', '.join(COLUMNS)}"
        )
    return found


def compared(roster: Sequence[Person], listed: Sequence[Person], source: str) -> Changes:
    """What a class list changes about a roster. Ids of the roster stay, as hand-ins have them.

    Raises:
        CourseError: two rows are of one student, or a new student has no id that could name a folder.
    """
    result = Changes()
    known: dict[tuple[str, str], Person] = {}
    for person in roster:
        for name in ("id", "username", "email"):
            if value := getattr(person, name).casefold():
                known.setdefault((name, value), person)
    seen: dict[str, Person] = {}
    for one in listed:
        keys = [(name, getattr(one, name).casefold()) for name in ("id", "username", "email")]
        before = next((known[key] for key in keys if key[1] and key in known), None)
        if before is None:
            id = one.id or one.username or one.email.partition("@")[0]
            if not STUDENT_ID.fullmatch(id):
                raise CourseError(
                    f"{source}: {one.full_name or id!r} has the id {id!r}, which cannot name a folder: choose another "
                    "column by --id"
                )
            now = replace(one, id=id)
            result.added.append(now)
        else:
            told = {name: value for name in Person.__dataclass_fields__ if (value := getattr(one, name))}
            now = replace(before, **{**told, "id": before.id})
            if now != before:
                result.changed.append((before, now))
        if now.id.casefold() in seen:
            raise CourseError(f"{source}: two rows are of {now.id}: correct one of them")
        seen[now.id.casefold()] = now
    result.gone = [person for person in roster if person.id.casefold() not in seen]
    changed = {before.id: now for before, now in result.changed}
    result.people = [changed.get(person.id, person) for person in roster] + result.added
    return result


def require_unique(people: Sequence[Person], source: str) -> None:
    """Raise CourseError if two students have the same id or username: such a roster cannot be read."""
    for name in ("id", "username"):
        seen: dict[str, Person] = {}
        for person in people:
            value = getattr(person, name).casefold()
            if value and value in seen:
                raise CourseError(
                    f"{source}: {_name(seen[value])} and {_name(person)} would have the same {name}: correct one of "
                    "them, choose another column by --id, or take those off who are gone by --drop"
                )
            seen[value] = person


def update(
    folder: CourseFolder, export: Path, *, id_column: str = "", drop: bool = False, dry_run: bool = False
) -> list[str]:
    """Bring the roster up to date with an export, and the names in the gradebook with it. Returns what changes.

    The roster before is kept in rosters/.
    """
    path = folder.root / folder.course.roster
    before = read_roster(path) if path.exists() else []
    listed, remarks = read_class_list(export, id_column)
    if not listed:
        raise CourseError(f"{export}: there is no student in it: export the class list again")
    changes = compared(before, listed, str(export))
    lines = [f"new: {_name(person)}" for person in changes.added]
    for old, new in changes.changed:
        differences = [
            f"{name} {getattr(old, name) or '–'} → {getattr(new, name)}"
            for name in Person.__dataclass_fields__
            if getattr(old, name) != getattr(new, name)
        ]
        lines.append(f"changed: {_name(old)}: {', '.join(differences)}")
    for person in changes.gone:
        has = sorted(
            assignment
            for assignment in folder.assignments
            if folder.folder("submitted", person.id, assignment).exists()
        )
        work = f"; has handed in {', '.join(has)}, which stays" if has else ""
        what = "taken off" if drop else "not in the export, and left on the roster (--drop takes them off)"
        lines.append(f"gone: {_name(person)}: {what}{work}")
    gone = {person.id for person in changes.gone} if drop else set()
    people = [person for person in changes.people if person.id not in gone]
    lines += remarks
    require_unique(people, str(export))
    if people == before:
        return [*lines, f"{path.name} is up to date: {len(people)} students"]
    if dry_run:
        return [*lines, f"nothing written; {path.name} would have {len(people)} students"]
    with (
        one_writer(folder.root),
        open_gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook,
    ):
        if path.exists():
            kept = folder.root / "rosters" / f"{datetime.now():%Y-%m-%d %H.%M.%S.%f} {path.name}"
            write_atomically(kept, path.read_bytes())
            lines.append(f"the roster before is kept in {kept.relative_to(folder.root)}")
        write_roster(path, people)
        save_people(gradebook, people)
        for student in [known for known in gradebook.students if known.id in gone and not known.submissions]:
            gradebook.remove_student(
                student.id
            )  # else marks would have a row for somebody who was never there
    return [*lines, f"{path.name} has {len(people)} students"]


def write_roster(path: Path, people: Sequence[Person]) -> None:
    """Write a roster, with the column `group` if anybody is in one."""
    names = [*COLUMNS, *(["group"] if any(person.group for person in people) else [])]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([getattr(person, name) for name in names] for person in people)
    write_atomically(path, text.getvalue().encode())


def shown(folder: CourseFolder) -> list[str]:
    """Who is on the roster, a line each."""
    people = read_roster(folder.root / folder.course.roster)
    return [*map(_name, people), f"{len(people)} students in {folder.course.roster}"]


def _name(person: Person) -> str:
    about = ", ".join(filter(None, (person.username, person.email)))
    return f"{person.id} {person.full_name}{f' ({about})' if about else ''}"


def _tidy(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))
