"""Intake of a folder of notebooks: NAME.ipynb or NAME/….ipynb, where NAME is the student's id."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.files import declared
from chainrule.intake.notebook import MAX_BYTES, Unreadable, read
from chainrule.intake.roster import STUDENT_ID


class Refused(ValueError):
    """A file that is not taken in. The message says why, and what to do."""


@dataclass
class IntakeReport:
    """Every file is in exactly one list, the refused ones with their reasons."""

    taken: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def intake(folder: CourseFolder, assignment: str, source: Path) -> IntakeReport:
    """Copy submitted notebooks into submitted/<student>/<assignment>/ with the time they were received.

    The time is the file's own modification time. A student's older file never replaces a newer one. Links
    are not followed.

    Raises:
        CourseError: there is no such assignment or no such folder.
    """
    folder.require(assignment)
    if not source.is_dir():
        raise CourseError(
            f"{source} is no folder: name a folder that holds STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb"
        )
    names = [path.name for path in folder.notebooks(assignment)]
    beside = dict(chain.from_iterable(declared(read(path)).items() for path in folder.notebooks(assignment)))
    report = IntakeReport()
    files = sorted(p for p in source.rglob("*") if p.is_symlink() or not p.is_dir())
    notebooks = Counter(p.relative_to(source).parts[0] for p in files if is_notebook(p.relative_to(source)))
    for path in files:
        place = path.relative_to(source)
        shown = str(place)
        try:
            student, name = whose(place, names, beside, alone=notebooks[place.parts[0]] == 1)
            check(path, source, beside.get(name))
            fresh = store(path, folder.folder("submitted", student, assignment), name)
            (report.taken if fresh else report.unchanged).append(shown)
        except Refused as refusal:
            report.refused[shown] = str(refusal)
    return report


def is_notebook(path: Path) -> bool:
    """Whether it is called a notebook and no tool has put it away in a hidden folder, as Jupyter does."""
    return path.suffix == ".ipynb" and not any(part.startswith(".") for part in path.parts)


def whose(path: Path, names: list[str], beside: Collection[str], *, alone: bool) -> tuple[str, str]:
    """The student's id, and the assignment's notebook or the file beside one that a file stands for.

    `alone`: the student's only notebook.
    """
    hidden = any(part.startswith(".") for part in path.parts)
    if not is_notebook(path) and (path.name not in beside or hidden):
        raise Refused("not a notebook (.ipynb)")
    student = path.stem if len(path.parts) == 1 else path.parts[0]
    if not STUDENT_ID.fullmatch(student):
        raise Refused(f"{student!r} cannot be a student id: rename it to letters, digits and . _ @ -")
    if path.name in beside and len(path.parts) == 1:
        raise Refused("whose is this? Put it in a folder named after the student")
    if len(path.parts) > 1 and (path.name in names or path.name in beside):
        return student, path.name
    if len(names) == 1 and alone:
        return student, names[0]
    raise Refused(
        f"which notebook is this? Put it in a folder {student}/ and call it one of {', '.join(names)}"
    )


def check(path: Path, source: Path, mebibytes: int | None) -> None:
    """Refuse what is no ordinary, readable notebook of a sane size, or no file beside one within its limit."""
    if path.is_symlink() or any(parent.is_symlink() for parent in path.parents if source in parent.parents):
        raise Refused("a link: hand in the file itself")
    if not path.is_file():
        raise Refused("not an ordinary file")
    if mebibytes is not None:
        if path.stat().st_size > mebibytes << 20:
            raise Refused(f"larger than {mebibytes} MB, the limit for this file")
        return
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"larger than {MAX_BYTES >> 20} MB: clear the outputs and hand it in again")
    try:
        read(path)
    except Unreadable as error:
        raise Refused(f"{error}: export it again from Jupyter") from None


def store(path: Path, target: Path, name: str) -> bool:
    """Copy the file there unless what is there is newer or the same; whether it was copied.

    The student's receipt time is that of the last file.
    """
    received = path.stat().st_mtime
    there = target / name
    if there.exists() and there.stat().st_mtime >= received:
        return False
    target.mkdir(parents=True, exist_ok=True)
    partial = target / f".{name}.part"
    shutil.copyfile(path, partial, follow_symlinks=False)
    os.utime(partial, (received, received))
    partial.replace(there)
    last = max(file.stat().st_mtime for file in target.iterdir() if file.name != "timestamp.txt")
    stamp = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    (target / "timestamp.txt").write_text(stamp + "\n", encoding="utf-8")
    return True
