"""A zip of the students' feedback, with file names by which an LMS recognises the students."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.lms import DOWNLOAD_FORMATS, ParsedName
from chainrule.intake.lms_name import LmsName
from chainrule.intake.report import DownloadReport
from chainrule.intake.roster import Person, read_roster
from chainrule.validation import RecordError, validated_json


@dataclass
class FeedbackZip:
    """A zip that was written.

    Attributes:
        students: the number of students whose feedback is in it.
        unnamed: ids of students for whom the LMS's own file names are not known.
    """

    path: Path
    students: int = 0
    unnamed: list[str] = field(default_factory=list)


def write_feedback_zip(
    folder: CourseFolder, assignment: str, students: Iterable[str], lms: LmsName
) -> FeedbackZip:
    """Write feedback/<assignment>-<lms>.zip with the existing pages and PDFs of these students.

    Brightspace, Canvas and Moodle recognise a student by a number in the file name. Only their downloads have it, so it
    comes from intake's report. Without it the file name has the roster's name, which the LMS ignores; a guessed number
    might be another student's. Blackboard's file names begin with the username.

    Raises:
        CourseError: the roster or the report can't be read.
    """
    roster = folder.root / folder.course.roster
    people = {person.id: person for person in (read_roster(roster) if roster.exists() else ())}
    students = list(students)
    prefixes = {} if lms == LmsName.blackboard else downloaded_prefixes(folder, assignment, students, lms)
    result = FeedbackZip(folder.folder("feedback") / f"{assignment}-{lms}.zip")
    result.path.parent.mkdir(parents=True, exist_ok=True)
    partial = result.path.with_name(f".{result.path.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for student in students:
                person = people.get(student, Person(student, "", "", "", ""))
                prefix = prefixes.get(student) or (
                    f"{person.username or student}_" if lms == LmsName.blackboard else name_folder(person)
                )
                files = feedback_files(folder, assignment, student)
                for path in files:
                    archive.writestr(f"{prefix}{path.name}", _with_links(path, prefix, files))
                result.students += bool(files)
                if files and lms != LmsName.blackboard and student not in prefixes:
                    result.unnamed.append(student)
        partial.replace(result.path)
    finally:
        partial.unlink(missing_ok=True)
    return result


def feedback_files(folder: CourseFolder, assignment: str, student: str) -> list[Path]:
    """A student's pages and PDF, without other files beside them, such as handed-in ones."""
    directory = folder.folder("feedback", student, assignment)
    names = sorted(path.stem for path in folder.folder("autograded", student, assignment).glob("*.ipynb"))
    sources = [path.stem for path in folder.notebooks(assignment)]
    if len(sources) == 1:
        names = names or sources  # the page of a student who handed in nothing
    expected = [f"{name}.html" for name in names] + [f"feedback-{assignment}.pdf"]
    if len(sources) > 1:
        expected.insert(0, "index.html")
    return [directory / name for name in expected if (directory / name).is_file()]


def _with_links(path: Path, prefix: str, files: list[Path]) -> bytes:
    """The file's content; a page links to the other files by their names in the zip."""
    data = path.read_bytes()
    name_prefix = prefix.rpartition("/")[2]
    if path.suffix == ".html" and name_prefix:
        for other in files:
            name = quote(other.name)
            data = data.replace(f'href="{name}'.encode(), f'href="{quote(name_prefix)}{name}'.encode())
    return data


def downloaded_prefixes(
    folder: CourseFolder, assignment: str, students: Iterable[str], lms: LmsName
) -> dict[str, str]:
    """The beginning of each student's file names in the LMS's download, from intake's report.

    Raises:
        CourseError: the report can't be read.
    """
    path = folder.root / "intake" / assignment / "report.json"
    if not path.exists():
        return {}
    try:
        report = validated_json(DownloadReport, path.read_bytes())
    except RecordError as error:
        raise CourseError(f"{path} is no report of intake ({error}): run `chainrule intake` again") from None
    folders = {
        folder.folder("submitted", student, assignment).relative_to(folder.root).as_posix(): student
        for student in students
    }
    candidates: list[tuple[str, list[str]]] = []
    owners: dict[str, set[str]] = {}
    for label, target in sorted({**report.taken, **report.repaired}.items()):
        path = Path(target.rpartition(" → ")[2])
        for student in [folders[at.as_posix()] for at in path.parents if at.as_posix() in folders]:
            heads = [
                (head, _parsed(lms, head)) for head in label.split("/")[1:]
            ]  # the first is the download itself
            prefixes = [_prefix(lms, head, name) for head, name in heads if name and name.who]
            candidates.append((student, prefixes))
            for prefix in prefixes:
                owners.setdefault(prefix, set()).add(student)
    result: dict[str, str] = {}
    for student, prefixes in candidates:
        for prefix in prefixes:
            if owners[prefix] == {student}:  # otherwise it is a folder around all students
                result.setdefault(student, prefix)
    return result


def _parsed(lms: LmsName, head: str) -> ParsedName | None:
    try:
        return DOWNLOAD_FORMATS[lms].read(head)
    except ValueError:
        return None


def _prefix(lms: LmsName, head: str, name: ParsedName) -> str:
    """The part of a head before the student's own file name."""
    if not name.file:
        return f"{head}/"  # a folder of the student's
    prefix = head.removesuffix(name.file)
    return f"{prefix.removesuffix(' - ')}/" if lms == LmsName.brightspace else prefix


def name_folder(person: Person) -> str:
    """A folder with the student's name, in which no LMS finds a number."""
    name = " ".join(filter(None, (person.first, person.last)))
    text = f"{name} ({person.id})" if name else person.id
    return re.sub(r"[^\w .()'@-]|_", " ", text).strip(". ") + "/"
