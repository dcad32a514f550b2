"""Intake of downloads from an LMS: the latest version of each student's files goes to submitted/, others are kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.archive import keep_copy
from chainrule.intake.errors import RejectedFileError, UnexpectedFileError, UnsafeArchiveError
from chainrule.intake.expected_files import DOCUMENTS, ExpectedFiles, MatchedFile
from chainrule.intake.lms import (
    DOWNLOAD_FORMATS,
    DownloadFormat,
    ParsedName,
    is_known,
    is_student_file,
    recognise,
)
from chainrule.intake.lms_name import LmsName
from chainrule.intake.notebook import as_utf8
from chainrule.intake.report import DownloadReport, SubmissionStatus
from chainrule.intake.roster import Person, read_roster
from chainrule.intake.teams import Teams, members, read_teams
from chainrule.intake.unpack import DownloadedFile, is_system_file, is_zip, list_files
from chainrule.students.lateness import own_due_dates

TIMESTAMP = "timestamp.txt"


@dataclass(frozen=True)
class Upload:
    """A file that a student handed in.

    Attributes:
        label: its name in the report.
        parts: its path in the download.
        path: where its content is.
        received: when it came in, in UTC; None if the LMS doesn't say.
        seconds: the time that versions are ordered by, since 1970: `received`, or when the download was made.
        late: whether the LMS marks it as late.
        name: the student's name for it.
        match: the expected file that it is; None for a note of the LMS.
        shared: whether it is a team's file, taken for another member than the one whose name it has.
    """

    label: str
    parts: tuple[str, ...]
    path: Path
    person: Person
    received: datetime | None
    seconds: float
    late: bool
    name: str
    match: MatchedFile | None
    shared: bool = False

    @property
    def content(self) -> bytes:
        """What belongs into submitted/."""
        data = self.path.read_bytes()
        return as_utf8(data) if self.match and self.match.encoding else data

    @property
    def target(self) -> str:
        """Its name in submitted/, or ""."""
        return self.match.target if self.match else ""

    @property
    def rank(self) -> tuple[float, bool, int]:
        """The version with the highest rank is taken: the latest, then one without repairs, then the last copy."""
        repairs, copy = (self.match.repairs, self.match.copy) if self.match else ((), 0)
        return self.seconds, not repairs, copy


@dataclass
class Plan:
    """What to do with each file of some downloads.

    Attributes:
        chosen: the uploads to take, with repairs beyond those of their match.
        kept: the other ones, with the reason.
        documents: by student, what is not a PDF and may be meant as one: labels and names.
    """

    report: DownloadReport
    expected: ExpectedFiles
    chosen: list[tuple[Upload, list[str]]] = field(default_factory=list)
    kept: list[tuple[Upload, str]] = field(default_factory=list)
    documents: dict[str, dict[str, str]] = field(default_factory=dict)


def lms_of(files: Sequence[DownloadedFile], name: LmsName | None = None) -> tuple[DownloadFormat, int] | None:
    """The LMS that made a download, and the depth of folders at which its names begin.

    Args:
        name: the LMS, if it is known.
    """
    paths = [file.parts for file in files if not is_system_file(file.parts)]
    depth = 0
    while True:
        heads = [parts[depth] for parts in paths if len(parts) > depth]
        lms = DOWNLOAD_FORMATS[name] if name else recognise(heads)
        has_students = lms is not None and any(is_student_file(lms, head) for head in heads)
        if lms and has_students and (name or 2 * sum(is_known(lms, head) for head in heads) > len(heads)):
            return lms, depth
        # a download may be inside one or several folders
        if len(set(heads)) != 1 or any(len(parts) <= depth + 1 for parts in paths) or is_zip(heads[0]):
            return None
        depth += 1


def is_plain_folder(source: Path) -> bool:
    """Whether it is a folder without names of an LMS: one of STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb."""
    if is_zip(source.name) and not source.is_dir():
        return False
    paths = (path.relative_to(source) for path in source.rglob("*") if not path.is_dir())
    return lms_of([DownloadedFile(path.parts, None) for path in paths]) is None


def intake_downloads(
    course: CourseFolder,
    assignment: str,
    downloads: Sequence[Path],
    lms: LmsName | None = None,
    teams: Path | None = None,
) -> DownloadReport:
    """Copy the latest version of each student's files from an LMS's downloads to submitted/<student>/<assignment>/.

    Earlier versions go to intake/<assignment>/<student>/<time>/, the report to intake/<assignment>/report.json.

    Args:
        downloads: zips or unpacked folders, all of the same assignment.
        lms: the LMS that made them; by default it is recognised from the names.
        teams: a CSV that says whose names are that the LMS writes for teams, or in anonymous marking; see `teams`.
    Raises:
        CourseError: the assignment, the roster or a download can't be used. Then nothing has been taken.
    """
    course.require(assignment)
    if lms and lms not in DOWNLOAD_FORMATS:
        raise CourseError(f"unknown LMS {lms!r}. Known: {', '.join(DOWNLOAD_FORMATS)}.")
    people = read_roster(course.root / course.course.roster)
    known_teams = read_teams(teams, people)
    with tempfile.TemporaryDirectory(prefix="chainrule-intake-") as scratch:
        opened = []
        for number, download in enumerate(downloads):
            target = Path(scratch) / str(number)
            target.mkdir()
            files = open_download(download, target)
            if all(is_system_file(file.parts) for file in files):
                raise CourseError(f"{download}: there is no student's file in it: download it again")
            if not (recognition := lms_of(files, lms)):
                raise CourseError(
                    f"{download}: no name in it is one of {lms or 'a known LMS'}'s ({', '.join(DOWNLOAD_FORMATS)}): "
                    "name the zip or folder as it was downloaded, or a folder with STUDENT/NOTEBOOK.ipynb"
                )
            opened.append((files, *recognition))
        plan = plan_intake(course, assignment, opened, people, known_teams)
        report = carry_out(course, assignment, plan)
    report.absent = [
        person.id for person in people if not course.folder("submitted", person.id, assignment).exists()
    ]
    report.write(course.root / "intake" / assignment / "report.json")
    return report


def open_download(download: Path, scratch: Path) -> list[DownloadedFile]:
    """All files of a download.

    Raises:
        CourseError: it doesn't exist, or it is neither a zip nor a folder.
    """
    if not download.exists():
        raise CourseError(f"{download} isn't there: name a zip or a folder that was downloaded")
    if not download.is_dir() and not is_zip(download.name):
        raise CourseError(f"{download} is no zip and no folder: name one that was downloaded")
    try:
        return list_files(download, scratch)
    except UnsafeArchiveError as error:
        raise CourseError(f"{download}: {error}, or download it again") from None


# ---- deciding ------------------------------------------------------------------------------------------


def plan_intake(
    course: CourseFolder,
    assignment: str,
    downloads: Iterable[tuple[list[DownloadedFile], DownloadFormat, int]],
    people: list[Person],
    teams: Teams,
) -> Plan:
    """Decide what to do with each file.

    Args:
        downloads: of each download the files, the LMS, and the depth of its names, as `lms_of` returns it.
    """
    expected = ExpectedFiles(course, assignment, people)
    plan = Plan(DownloadReport(assignment, policy=course.course.late.get(assignment, "report")), expected)
    uploads: list[Upload] = []
    rejected: list[tuple[Person, float, str, str]] = []  # owner, seconds, suffix, label
    for files, lms, depth in downloads:
        downloaded = max((file.modified for file in files), default=0.0)
        for file, head, owner, shared in _with_owners(lms, depth, files, people, teams, plan.report):
            name = [head.file] if head.file else []
            name += file.parts[depth + 1 :]
            received = None
            try:
                received = _to_utc(head.received, course, assignment)
                seconds = received.timestamp() if received else downloaded
                if file.path is None:
                    raise RejectedFileError(file.refused)
                canvas = lms.name == LmsName.canvas
                match = None if head.note else expected.match(file.path, name, owner, canvas=canvas)
            except RejectedFileError as error:
                plan.report.refused[file.label] = str(error)
                if received and not shared:
                    rejected.append((owner, seconds, Path(name[-1]).suffix.lower(), file.label))
            except UnexpectedFileError as error:
                plan.report.unknown[file.label] = str(error)
                if Path(name[-1]).suffix.lower() in DOCUMENTS:
                    plan.documents.setdefault(owner.id, {})[file.label] = name[-1]
            else:
                if shared and match:  # what is odd about it is said of the member who handed it in
                    match = replace(match, repairs=())
                upload = Upload(
                    file.label,
                    file.parts,
                    file.path,
                    owner,
                    received,
                    seconds,
                    head.late,
                    name[-1],
                    match,
                    shared,
                )
                if not (shared and match is None):
                    uploads.append(upload)
    handed_in: dict[str, set[str]] = {}
    for upload in uploads:
        if upload.match:
            handed_in.setdefault(upload.person.id, set()).add(upload.match.target)
    uploads = [
        replace(one, match=expected.beside_handed_in(one.match, handed_in[one.person.id]))
        if one.match
        else one
        for one in uploads
    ]
    _choose(plan, uploads)
    for upload, repairs in plan.chosen:
        for person, seconds, suffix, label in rejected:
            if person == upload.person and seconds > upload.seconds and upload.target.endswith(suffix):
                repairs.append(f"taken from an earlier attempt, because {label} was refused")
    return plan


def _with_owners(
    lms: DownloadFormat,
    depth: int,
    files: list[DownloadedFile],
    people: list[Person],
    teams: Teams,
    report: DownloadReport,
) -> Iterator[tuple[DownloadedFile, ParsedName, Person, bool]]:
    """Each file of a student on the roster, with its head and the student; the others go into the report.

    A team's file comes once for each member who has none under their own name; then the last value is True.
    """
    heads: dict[str, ParsedName] = {}
    for file in files:
        if is_system_file(file.parts):
            report.ignored[file.label] = "added by a program"
            continue
        try:
            head = lms.read(file.parts[depth]) if len(file.parts) > depth else None
        except (ValueError, OverflowError):
            report.refused[file.label] = (
                file.refused or "its time can't be read: set the LMS to English and download again"
            )
            continue
        if head and head.who:
            heads[file.label] = head
        elif file.refused:
            report.refused[file.label] = file.refused
        else:
            report.unknown[file.label] = f"its name is not one of {lms.name}'s for a student's file"
    notes = {
        heads[file.label].who: _first_text(file.path)
        for file in files
        if file.path and file.label in heads and heads[file.label].note
    }
    owners = members(
        lms.name, heads.values(), lms.owners(heads.values(), people, notes), people, teams, report.remarks
    )
    own = {owner[0] for owner in owners.values() if not isinstance(owner, str)}
    for file in files:
        if file.label in heads:
            head = heads[file.label]
            owner = owners[head.who, head.number]
            if isinstance(owner, str):
                report.refused[file.label] = owner
                continue
            yield file, head, owner[0], False
            for member in owner[1:]:
                if member not in own:
                    yield file, head, member, True


def _first_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8-sig", "replace")


def _to_utc(local: datetime | None, course: CourseFolder, assignment: str) -> datetime | None:
    """A time in the course's time zone as UTC."""
    if local is None:
        return None
    try:
        return local.replace(tzinfo=course.course.zone(assignment)).astimezone(UTC)
    except OverflowError:
        raise RejectedFileError("received at an impossible time") from None


def _choose(plan: Plan, uploads: list[Upload]) -> None:
    """Take the version with the highest rank of each student's file, and keep the others."""
    versions: dict[tuple[str, str], list[Upload]] = {}
    for upload in uploads:
        if upload.match is None:
            plan.kept.append((upload, "the LMS's own note"))
        else:
            versions.setdefault((upload.person.id, upload.target), []).append(upload)
    for same_file in versions.values():
        *others, best = sorted(same_file, key=lambda upload: upload.rank)
        repairs = []
        for other in others:
            if other.content == best.content:
                reason = f"the same as {best.label}"
            elif other.seconds < best.seconds:
                reason = "an earlier attempt"
            else:
                reason = f"{best.label} was taken, which came with it"
                repairs.append(f"{other.label} came with it, is not the same, and was not taken")
            plan.kept.append((other, reason))
        plan.chosen.append((best, repairs))


# ---- copying --------------------------------------------------------------------------------------


def carry_out(course: CourseFolder, assignment: str, plan: Plan) -> DownloadReport:
    """Copy all files to submitted/ and intake/, and complete the report."""
    report = plan.report
    archive = course.root / "intake" / assignment
    submitted: dict[str, list[Upload]] = {}
    for upload, more_repairs in plan.chosen:
        target = course.folder("submitted", upload.person.id, assignment) / upload.target
        if not _submit(upload, target, archive / upload.person.id):
            if not upload.shared:
                report.kept[upload.label] = f"the file in submitted/ is newer; {_archive(upload, archive)}"
            continue
        submitted.setdefault(upload.person.id, []).append(upload)
        assert upload.match is not None
        if upload.shared:
            report.shared.setdefault(upload.label, []).append(str(target.relative_to(course.root)))
            continue
        if upload.match.encoding:
            more_repairs.append(f"rewritten; as it came, it is {_archive(upload, archive)}")
        if repairs := [*upload.match.repairs, *more_repairs]:
            report.repaired[upload.label] = f"{'; '.join(repairs)} → {target.relative_to(course.root)}"
        else:
            report.taken[upload.label] = str(target.relative_to(course.root))
    for upload, reason in plan.kept:
        if upload.shared:
            continue
        report.kept[upload.label] = f"{reason}; {_archive(upload, archive)}"
    dates = own_due_dates(course, assignment, submitted)
    for student, uploads in sorted(submitted.items()):
        folder = course.folder("submitted", student, assignment)
        report.students[student] = _write_timestamp(folder, uploads, dates[student])
        status = report.students[student]
        status.missing = plan.expected.missing(folder, uploads[0].person)
        if any(name.endswith(".pdf") for name in status.missing):
            status.instead = plan.documents.get(student, {})
    return report


def _submit(upload: Upload, target: Path, archive: Path) -> bool:
    """Copy a file to `target` unless a newer one is there; an older one goes to the archive. Whether it was copied."""
    content = upload.content
    if target.exists() and target.read_bytes() != content:
        modified = target.stat().st_mtime
        if modified > upload.seconds:
            return False
        keep_copy(target, archive, modified, target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    partial.write_bytes(content)
    os.utime(partial, (upload.seconds, upload.seconds))
    partial.replace(target)
    return True


def _archive(upload: Upload, archive: Path) -> str:
    """Copy a file to the archive. Returns a clause that says where it is."""
    target = keep_copy(upload.path, archive / upload.person.id, upload.seconds, upload.name)
    return f"in {target.relative_to(archive.parent.parent)}"


def _write_timestamp(folder: Path, uploads: list[Upload], due: datetime | None) -> SubmissionStatus:
    """Write the time of receipt for nbgrader. Returns what the student has handed in.

    A file that the LMS only marks as late counts as one second late.
    """
    times = [upload.received for upload in uploads if upload.received]
    timestamp = folder / TIMESTAMP
    received = None
    if len(times) == len(uploads):
        files = [file for file in folder.rglob("*") if file.is_file() and file != timestamp]
        received = datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC)
    elif due and any(upload.late for upload in uploads):
        received = due + timedelta(seconds=1)
    if received:
        timestamp.write_text(f"{received:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")
    else:
        timestamp.unlink(missing_ok=True)
    return SubmissionStatus(
        received=received.isoformat() if received else None,
        late=max(0.0, (received - due).total_seconds()) if received and due else None,
        files={upload.target: upload.received.isoformat() if upload.received else None for upload in uploads},
    )
