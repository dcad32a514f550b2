"""Intake of what an LMS gives to download: the latest of each student's files go to submitted/, the others are kept."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.folder import Refused
from chainrule.intake.lms import LMS, Lms, Sent, recognised, written_by
from chainrule.intake.report import Receipt, Report
from chainrule.intake.roster import Person, read_roster
from chainrule.intake.unpack import TOOLS, Found, Hostile, files, is_zip
from chainrule.intake.wanted import Placed, Unknown, Wanted

STAMP = "timestamp.txt"


@dataclass(frozen=True)
class Piece:
    """A file that a student handed in.

    Attributes:
        moment: when it was received, in UTC; None if the LMS doesn't tell.
        seconds: what versions are ordered by, since 1970: that moment, or when the download was made.
        name: the student's name for it.
        placed: what it is; None for a note of the LMS.
    """

    found: Found
    path: Path
    person: Person
    moment: datetime | None
    seconds: float
    late: bool
    name: str
    placed: Placed | None

    @property
    def target(self) -> str:
        return self.placed.target if self.placed else ""

    @property
    def rank(self) -> tuple[float, bool, int]:
        """The highest of a file's versions is taken: the latest, then the rightly named, then the last copy."""
        repairs, copy = (self.placed.repairs, self.placed.copy) if self.placed else ((), 0)
        return self.seconds, not repairs, copy


@dataclass
class Plan:
    """What is to become of each file of some downloads.

    Attributes:
        chosen: the pieces to take, with what is to be said about each beyond its own repairs.
        kept: the other ones, with the reason.
    """

    report: Report
    wanted: Wanted
    chosen: list[tuple[Piece, list[str]]] = field(default_factory=list)
    kept: list[tuple[Piece, str]] = field(default_factory=list)


def lms_of(found: Sequence[Found], name: str | None = None) -> tuple[Lms, int] | None:
    """Which LMS wrote a download, and at which depth of its folders the names begin that say so.

    Args:
        name: the LMS it has to be.
    """
    rest = [one.parts for one in found if not TOOLS.intersection(one.parts)]
    depth = 0
    while True:
        heads = [parts[depth] for parts in rest if len(parts) > depth]
        lms = LMS[name] if name else recognised(heads)
        theirs = sum(lms is not None and written_by(lms, head) for head in heads)
        if lms and theirs and (name or 2 * theirs >= len(heads)):
            return lms, depth
        # a download may lie in a folder, or in several of them
        if len(set(heads)) != 1 or any(len(parts) <= depth + 1 for parts in rest) or is_zip(heads[0]):
            return None
        depth += 1


def is_plain(source: Path) -> bool:
    """Whether it is a folder that no LMS has named things in: one of STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb."""
    if is_zip(source.name) and not source.is_dir():
        return False
    names = [Found(path.relative_to(source).parts, None) for path in source.rglob("*") if not path.is_dir()]
    return lms_of(names) is None


def intake_downloads(
    course: CourseFolder, assignment: str, downloads: Sequence[Path], lms: str | None = None
) -> Report:
    """Take downloads of an LMS in: submitted/<student>/<assignment>/ gets the latest of each student's files.

    Earlier ones go to intake/<assignment>/<student>/<time>/, the report to intake/<assignment>/report.json.

    Args:
        downloads: zips or unpacked folders, all of the same assignment.
        lms: which LMS they are of; by default it is recognised from the names.
    Raises:
        CourseError: the assignment, the roster or a download can't be used. Nothing has been taken then.
    """
    course.require(assignment)
    if lms and lms not in LMS:
        raise CourseError(f"unknown LMS {lms!r}. Known: {', '.join(LMS)}.")
    people = read_roster(course.root / course.course.roster)
    with tempfile.TemporaryDirectory(prefix="chainrule-intake-") as scratch:
        opened = []
        for number, download in enumerate(downloads):
            room = Path(scratch) / str(number)
            room.mkdir()
            found = opened_files(download, room)
            if not (recognition := lms_of(found, lms)):
                raise CourseError(
                    f"{download}: no name in it is one of {lms or 'a known LMS'}'s ({', '.join(LMS)}): "
                    "name the zip or folder as it was downloaded, or a folder with STUDENT/NOTEBOOK.ipynb"
                )
            opened.append((found, *recognition))
        plan = plan_intake(course, assignment, opened, people)
        report = carry_out(course, assignment, plan)
    report.absent = [
        person.id for person in people if not course.folder("submitted", person.id, assignment).exists()
    ]
    report.write(course.root / "intake" / assignment / "report.json")
    return report


def opened_files(download: Path, scratch: Path) -> list[Found]:
    """All files of a download.

    Raises:
        CourseError: it isn't there, or it is no zip.
    """
    if not download.exists():
        raise CourseError(f"{download} isn't there: name a zip or a folder that was downloaded")
    if not download.is_dir() and not is_zip(download.name):
        raise CourseError(f"{download} is no zip and no folder: name one that was downloaded")
    try:
        return files(download, scratch)
    except Hostile as error:
        raise CourseError(f"{download}: {error}, or download it again") from None


# ---- what is what ------------------------------------------------------------------------------------------


def plan_intake(
    course: CourseFolder,
    assignment: str,
    downloads: Iterable[tuple[list[Found], Lms, int]],
    people: list[Person],
) -> Plan:
    """What is to become of each file.

    Args:
        downloads: the files of each, its LMS, and the depth of its names.
    """
    wanted = Wanted(course, assignment, people)
    plan = Plan(Report(assignment, policy=course.course.late.get(assignment, "report")), wanted)
    pieces: list[Piece] = []
    spoilt: list[tuple[Person, float, str, str]] = []  # what was refused: whose, when, its suffix and label
    for found, lms, depth in downloads:
        made = max((one.modified for one in found), default=0.0)
        for one, sent, owner in _senders(lms, depth, found, people, plan.report):
            name = [sent.file] if sent.file else []
            name += one.parts[depth + 1 :]
            moment = None
            try:
                moment = _utc(sent.moment, course, assignment)
                seconds = moment.timestamp() if moment else made
                if one.path is None:
                    raise Refused(one.refused)
                placed = (
                    None if sent.note else wanted.place(one.path, name, owner, canvas=lms is LMS["canvas"])
                )
            except Refused as refusal:
                plan.report.refused[one.label] = str(refusal)
                if moment:
                    spoilt.append((owner, seconds, Path(name[-1]).suffix.lower(), one.label))
            except Unknown as reason:
                plan.report.unknown[one.label] = str(reason)
            else:
                pieces.append(Piece(one, one.path, owner, moment, seconds, sent.late, name[-1], placed))
    _choose(plan, pieces)
    for piece, told in plan.chosen:
        for person, seconds, suffix, label in spoilt:
            if person == piece.person and seconds > piece.seconds and piece.target.endswith(suffix):
                told.append(f"taken from an earlier attempt, because {label} was refused")
    return plan


def _senders(
    lms: Lms, depth: int, found: list[Found], people: list[Person], report: Report
) -> Iterator[tuple[Found, Sent, Person]]:
    """Each file that somebody on the roster has sent; the report gets the others."""
    sent: dict[str, Sent] = {}
    for one in found:
        try:
            read = lms.read(one.parts[depth]) if len(one.parts) > depth else None
        except (ValueError, OverflowError):
            report.refused[one.label] = (
                one.refused or "its time can't be read: set the LMS to English and download again"
            )
            continue
        if read and read.who:
            sent[one.label] = read
        elif one.refused:
            report.refused[one.label] = one.refused
        else:
            report.unknown[one.label] = f"its name is not one of {lms.name}'s for a student's file"
    notes = {
        sent[one.label].who: _beginning(one.path)
        for one in found
        if one.path and one.label in sent and sent[one.label].note
    }
    owners = lms.owners(sent.values(), people, notes)
    for one in found:
        if one.label in sent:
            owner = owners[sent[one.label].who, sent[one.label].number]
            if isinstance(owner, Person):
                yield one, sent[one.label], owner
            else:
                report.refused[one.label] = owner


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8-sig", "replace")


def _utc(moment: datetime | None, course: CourseFolder, assignment: str) -> datetime | None:
    """The moment that a clock in the course's time zone showed."""
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=course.course.zone(assignment)).astimezone(UTC)
    except OverflowError:
        raise Refused("received at an impossible time") from None


def _choose(plan: Plan, pieces: list[Piece]) -> None:
    """Of each student's versions of a file the highest in rank; the others are kept."""
    versions: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces:
        if piece.placed is None:
            plan.kept.append((piece, "the LMS's own note"))
        else:
            versions.setdefault((piece.person.id, piece.target), []).append(piece)
    for same in versions.values():
        *others, best = sorted(same, key=lambda piece: piece.rank)
        told = []
        for other in others:
            if filecmp.cmp(other.path, best.path, shallow=False):
                why = f"the same as {best.found.label}"
            elif other.seconds < best.seconds:
                why = "an earlier attempt"
            else:
                why = f"{best.found.label} was taken, which came with it"
                told.append(f"{other.found.label} came with it, is not the same, and was not taken")
            plan.kept.append((other, why))
        plan.chosen.append((best, told))


# ---- putting it there --------------------------------------------------------------------------------------


def carry_out(course: CourseFolder, assignment: str, plan: Plan) -> Report:
    """Put everything in its place, and finish the report."""
    report = plan.report
    attic = course.root / "intake" / assignment
    stored: dict[str, list[Piece]] = {}
    for piece, told in plan.chosen:
        folder = course.folder("submitted", piece.person.id, assignment)
        there = folder / piece.target
        if not _submit(piece, there, attic / piece.person.id):
            report.kept[piece.found.label] = f"what is in submitted/ is newer; {_keep(piece, attic)}"
            continue
        stored.setdefault(piece.person.id, []).append(piece)
        assert piece.placed is not None
        if repairs := [*piece.placed.repairs, *told]:
            report.repaired[piece.found.label] = f"{'; '.join(repairs)} → {there.relative_to(course.root)}"
        else:
            report.taken[piece.found.label] = str(there.relative_to(course.root))
    for piece, why in plan.kept:
        report.kept[piece.found.label] = f"{why}; {_keep(piece, attic)}"
    due = course.course.due_date(assignment)
    for student, pieces in sorted(stored.items()):
        folder = course.folder("submitted", student, assignment)
        report.students[student] = _receipt(folder, pieces, due)
        report.students[student].missing = plan.wanted.missing(folder, pieces[0].person)
    return report


def _submit(piece: Piece, there: Path, attic: Path) -> bool:
    """Copy a file into submitted/ unless a newer one is there; an older one moves to the attic."""
    if there.exists() and not filecmp.cmp(there, piece.path, shallow=False):
        if there.stat().st_mtime > piece.seconds:
            return False
        _put(there, attic / _stamp(there.stat().st_mtime), there.name)
    there.parent.mkdir(parents=True, exist_ok=True)
    partial = there.with_name(f".{there.name}.part")
    shutil.copyfile(piece.path, partial)
    os.utime(partial, (piece.seconds, piece.seconds))
    partial.replace(there)
    return True


def _keep(piece: Piece, attic: Path) -> str:
    """Copy a file to the attic; where it is there."""
    there = _put(piece.path, attic / piece.person.id / _stamp(piece.seconds), piece.name)
    return f"in {there.relative_to(attic.parent.parent)}"


def _put(path: Path, folder: Path, name: str) -> Path:
    """Copy a file under its name, or one like it if another has that; nothing is overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^\w .()+-]", "_", name).lstrip(". ")[-100:] or "_"
    there, number = folder / safe, 1
    while there.exists() and not filecmp.cmp(there, path, shallow=False):
        number += 1
        there = folder / f"{number} {safe}"
    shutil.copyfile(path, there)
    return there


def _stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d_%H-%M-%S}_UTC"


def _receipt(folder: Path, pieces: list[Piece], due: datetime | None) -> Receipt:
    """What a student has handed in; its time is written beside it for nbgrader.

    An LMS that only says "late" is taken at its word: one second.
    """
    known = [piece.moment for piece in pieces if piece.moment]
    stamp = folder / STAMP
    received = None
    if len(known) == len(pieces):
        last = max(file.stat().st_mtime for file in folder.rglob("*") if file.is_file() and file != stamp)
        received = datetime.fromtimestamp(last, UTC)
    elif due and any(piece.late for piece in pieces):
        received = due + timedelta(seconds=1)
    if received:
        stamp.write_text(f"{received:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")
    else:
        stamp.unlink(missing_ok=True)
    return Receipt(
        received=received.isoformat() if received else None,
        late=max(0.0, (received - due).total_seconds()) if received and due else None,
        files={piece.target: piece.moment.isoformat() if piece.moment else None for piece in pieces},
    )
