"""Intake of a folder of notebooks: ID.ipynb or ID/….ipynb, where ID is the student's id."""

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
from chainrule.intake.archive import keep_copy
from chainrule.intake.errors import RejectedFileError
from chainrule.intake.files import declared
from chainrule.intake.notebook import (
    MAX_BYTES,
    UnreadableNotebookError,
    as_utf8,
    foreign_encoding,
    read,
    read_source,
)
from chainrule.intake.roster import STUDENT_ID
from chainrule.intake.unpack import is_system_file


@dataclass
class FolderReport:
    """Every file is in exactly one of the first three; refused files have a reason.

    Attributes:
        rewritten: what was changed in a file that was taken.
    """

    taken: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    rewritten: dict[str, str] = field(default_factory=dict)


def intake(folder: CourseFolder, assignment: str, source: Path) -> FolderReport:
    """Copy notebooks into submitted/<student>/<assignment>/ and record when they were received.

    That is the file's modification time. An older file never replaces a newer one. Links are not followed.

    Raises:
        CourseError: there is no such assignment or no such folder.
    """
    folder.require(assignment)
    if not source.is_dir():
        raise CourseError(
            f"{source} is no folder: name a folder that holds STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb"
        )
    names = [path.name for path in folder.notebooks(assignment)]
    masters = folder.notebooks(assignment)
    beside = dict(chain.from_iterable(declared(read_source(path), path.name).items() for path in masters))
    report = FolderReport()
    found = [p for p in source.rglob("*") if p.is_symlink() or not p.is_dir()]
    files = sorted(p for p in found if not is_system_file(p.relative_to(source).parts))
    notebooks = Counter(p.relative_to(source).parts[0] for p in files if is_notebook(p.relative_to(source)))
    for path in files:
        relative = path.relative_to(source)
        try:
            student, name = identify(relative, names, beside, only_one=notebooks[relative.parts[0]] == 1)
            require_usable(path, source, beside.get(name))
            encoding = foreign_encoding(path) if name in names else ""
            copied = store(
                path, folder.folder("submitted", student, assignment), name, rewrite=bool(encoding)
            )
            (report.taken if copied else report.unchanged).append(str(relative))
            if copied and encoding:
                archive = folder.root / "intake" / assignment / student
                kept = keep_copy(path, archive, path.stat().st_mtime, path.name).relative_to(folder.root)
                report.rewritten[str(relative)] = (
                    f"saved as {encoding}: rewritten as UTF-8; as it came, it is in {kept}"
                )
        except RejectedFileError as error:
            report.refused[str(relative)] = str(error)
    return report


def is_notebook(path: Path) -> bool:
    """Whether it has a notebook's name and is not in a hidden folder, such as Jupyter's checkpoints."""
    return path.suffix == ".ipynb" and not any(part.startswith(".") for part in path.parts)


def identify(path: Path, names: list[str], beside: Collection[str], *, only_one: bool) -> tuple[str, str]:
    """Whose file it is, and which.

    Args:
        names: the assignment's notebooks.
        beside: the files that may be handed in beside them.
        only_one: whether it is the student's only notebook.
    Returns:
        The student's id, and one of `names` or `beside`.
    Raises:
        RejectedFileError: it is neither, or that cannot be decided.
    """
    hidden = any(part.startswith(".") for part in path.parts)
    if not is_notebook(path) and (path.name not in beside or hidden):
        raise RejectedFileError("not a notebook (.ipynb)")
    student = path.stem if len(path.parts) == 1 else path.parts[0]
    if not STUDENT_ID.fullmatch(student):
        raise RejectedFileError(
            f"{student!r} cannot be a student id: rename it to letters, digits and . _ @ -"
        )
    if path.name in beside and len(path.parts) == 1:
        raise RejectedFileError("whose is this? Put it in a folder named after the student")
    if len(path.parts) > 1 and (path.name in names or path.name in beside):
        return student, path.name
    if len(names) == 1 and only_one:
        return student, names[0]
    raise RejectedFileError(
        f"which notebook is this? Put it in a folder {student}/ and call it one of {', '.join(names)}"
    )


def require_usable(path: Path, source: Path, mebibytes: int | None) -> None:
    """Raise RejectedFileError unless it is an ordinary file within its limit and, if it is a notebook, readable.

    Args:
        mebibytes: the limit of a file beside a notebook; None for a notebook.
    """
    if path.is_symlink() or any(parent.is_symlink() for parent in path.parents if source in parent.parents):
        raise RejectedFileError("a link: hand in the file itself")
    if not path.is_file():
        raise RejectedFileError("not an ordinary file")
    if mebibytes is not None:
        if path.stat().st_size > mebibytes << 20:
            raise RejectedFileError(f"larger than {mebibytes} MB, the limit for this file")
        return
    if path.stat().st_size > MAX_BYTES:
        raise RejectedFileError(f"larger than {MAX_BYTES >> 20} MB: clear the outputs and hand it in again")
    try:
        read(path)
    except UnreadableNotebookError as error:
        raise RejectedFileError(f"{error}: export it again from Jupyter") from None


def store(path: Path, target: Path, name: str, *, rewrite: bool = False) -> bool:
    """Copy the file to `target`/`name` unless a newer or equal one is there. Returns whether it was copied.

    The student's receipt time is that of the last file.

    Args:
        rewrite: the copy is a notebook that becomes UTF-8.
    """
    received = path.stat().st_mtime
    destination = target / name
    if destination.exists() and destination.stat().st_mtime >= received:
        return False
    target.mkdir(parents=True, exist_ok=True)
    partial = target / f".{name}.part"
    shutil.copyfile(path, partial, follow_symlinks=False)
    if rewrite:
        partial.write_bytes(as_utf8(partial.read_bytes()))
    os.utime(partial, (received, received))
    partial.replace(destination)
    last = max(file.stat().st_mtime for file in target.iterdir() if file.name != "timestamp.txt")
    stamp = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    (target / "timestamp.txt").write_text(stamp + "\n", encoding="utf-8")
    return True
