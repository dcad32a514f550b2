"""A zip of everybody's feedback, with the names by which an LMS finds out whose it is."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.lms import LMS, Sent
from chainrule.intake.roster import Person, read_roster


@dataclass
class Upload:
    """A zip that was written. Of the students in `unnamed` the LMS's own names are not known."""

    path: Path
    students: int = 0
    unnamed: list[str] = field(default_factory=list)


def pack(folder: CourseFolder, assignment: str, students: Iterable[str], lms: str) -> Upload:
    """Write feedback/<assignment>-<lms>.zip: pages and PDFs of these students, as far as they are there.

    Brightspace, Canvas and Moodle find a student by a number in the name that only their downloads tell: it is
    taken from the report of intake. Without one the roster's name stands there, which the LMS leaves alone;
    a number that we had guessed might be another student's. Blackboard's names begin with the username.

    Raises:
        CourseError: no such LMS, or the roster or the report can't be read.
    """
    require_lms(lms)
    roster = folder.root / folder.course.roster
    people = {person.id: person for person in (read_roster(roster) if roster.exists() else ())}
    students = list(students)
    heads = {} if lms == "blackboard" else downloaded(folder, assignment, students, lms)
    upload = Upload(folder.folder("feedback") / f"{assignment}-{lms}.zip")
    upload.path.parent.mkdir(parents=True, exist_ok=True)
    partial = upload.path.with_name(f".{upload.path.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as packed:
            for student in students:
                person = people.get(student, Person(student, "", "", "", ""))
                prefix = heads.get(student) or (
                    f"{person.username or student}_" if lms == "blackboard" else by_name(person)
                )
                files = feedback_files(folder, assignment, student)
                for path in files:
                    packed.writestr(f"{prefix}{path.name}", _linked(path, prefix, files))
                upload.students += bool(files)
                if files and lms != "blackboard" and student not in heads:
                    upload.unnamed.append(student)
        partial.replace(upload.path)
    finally:
        partial.unlink(missing_ok=True)
    return upload


def require_lms(name: str) -> None:
    """Raise CourseError unless it is an LMS that we know."""
    if name not in LMS:
        raise CourseError(f"unknown LMS {name!r}. Known: {', '.join(sorted(LMS))}.")


def feedback_files(folder: CourseFolder, assignment: str, student: str) -> list[Path]:
    """A student's pages and PDF; nothing else that may lie beside them, such as files they handed in."""
    there = folder.folder("feedback", student, assignment)
    names = sorted(path.stem for path in folder.folder("autograded", student, assignment).glob("*.ipynb"))
    wanted = [f"{name}.html" for name in names] + [f"feedback-{assignment}.pdf"]
    if len(folder.notebooks(assignment)) > 1:
        wanted.insert(0, "index.html")
    return [there / name for name in wanted if (there / name).is_file()]


def _linked(path: Path, prefix: str, files: list[Path]) -> bytes:
    """A file; a page's links lead to the others by their names in the zip."""
    data = path.read_bytes()
    before = prefix.rpartition("/")[2]
    if path.suffix == ".html" and before:
        for other in files:
            name = quote(other.name)
            data = data.replace(f'href="{name}'.encode(), f'href="{quote(before)}{name}'.encode())
    return data


def downloaded(folder: CourseFolder, assignment: str, students: Iterable[str], lms: str) -> dict[str, str]:
    """What the names of a student's files began with in the LMS's download, by student, as intake's report has it.

    Raises:
        CourseError: the report can't be read.
    """
    path = folder.root / "intake" / assignment / "report.json"
    if not path.exists():
        return {}
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        taken = {**report["taken"], **report["repaired"]}
    except (ValueError, KeyError, TypeError):
        raise CourseError(f"{path} is no report of intake: run `chainrule intake` again") from None
    homes = {
        folder.folder("submitted", student, assignment).relative_to(folder.root).as_posix(): student
        for student in students
    }
    read: list[tuple[str, list[str]]] = []
    owners: dict[str, set[str]] = {}
    for label, told in sorted(taken.items()):
        home = Path(told.rpartition(" → ")[2]).parent
        for student in [homes[at.as_posix()] for at in (home, *home.parents) if at.as_posix() in homes]:
            heads = [(head, _sent(lms, head)) for head in label.split("/")[1:]]  # first comes the download's own
            beginnings = [_beginning(lms, head, sent) for head, sent in heads if sent and sent.who]
            read.append((student, beginnings))
            for beginning in beginnings:
                owners.setdefault(beginning, set()).add(student)
    found: dict[str, str] = {}
    for student, beginnings in read:
        for beginning in beginnings:
            if owners[beginning] == {student}:  # and not a folder around everything
                found.setdefault(student, beginning)
    return found


def _sent(lms: str, head: str) -> Sent | None:
    try:
        return LMS[lms].read(head)
    except ValueError:
        return None


def _beginning(lms: str, head: str, sent: Sent) -> str:
    """A downloaded name up to the student's own part of it."""
    if not sent.file:
        return f"{head}/"  # a folder of the student's
    beginning = head.removesuffix(sent.file)
    return f"{beginning.removesuffix(' - ')}/" if lms == "brightspace" else beginning


def by_name(person: Person) -> str:
    """A folder for people to read, in whose name no LMS finds a number."""
    name = " ".join(filter(None, (person.first, person.last)))
    text = f"{name} ({person.id})" if name else person.id
    return re.sub(r"[^\w .()'@-]|_", " ", text).strip(". ") + "/"
