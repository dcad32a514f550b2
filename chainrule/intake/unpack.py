"""The files of a download: a folder or a zip, with the zips inside unpacked safely.

A zip's own statements are not trusted: names never become paths on our disk, and sizes are counted while reading.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO

from chainrule.intake.errors import UnsafeArchiveError

MIB = 1 << 20
FILE_BYTES = 200 * MIB
STUDENT_BYTES = 1024 * MIB  # unpacked, of one student's zip with the zips in it
CLASS_BYTES = 64 * 1024 * MIB  # unpacked, of one download
STUDENT_ENTRIES, CLASS_ENTRIES = 2_000, 100_000
MAX_RATIO = 200  # of compression: deflate reaches 1032, notebooks with figures 2, with numbers 20
ANY_RATIO_BYTES = 10 * MIB  # up to this size any ratio is harmless
MAX_DEPTH = 3  # zips in zips
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 1000
CHUNK = 1 * MIB
# what operating systems and programs put beside people's files, in lower case
SYSTEM_FILES = {
    *("__macosx", ".ds_store", ".spotlight-v100", ".trashes", ".fseventsd", ".appledouble", ".localized"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", ".directory"),
    *(
        ".ipynb_checkpoints",
        "__pycache__",
        ".git",
        ".idea",
        ".vscode",
        ".venv",
        ".pytest_cache",
        ".mypy_cache",
    ),
}


@dataclass(frozen=True)
class DownloadedFile:
    """A file of a download.

    Attributes:
        parts: its path in the download; unpacked zips count as folders.
        path: where its content is; None if it was refused.
        refused: the reason, or "".
        modified: when the file, or the download that contains it, was written; seconds since 1970.
        label: its name in the report, unique in the download.
    """

    parts: tuple[str, ...]
    path: Path | None
    refused: str = ""
    modified: float = 0.0
    label: str = ""


@dataclass
class Budget:
    """How much more may be unpacked."""

    bytes: int
    entries: int


def list_files(download: Path, scratch: Path) -> list[DownloadedFile]:
    """All files of a folder or a zip, sorted by path. Zips are unpacked to the folder `scratch`.

    Raises:
        UnsafeArchiveError: the download itself is a zip that can't be opened.
    """
    numbers = count()
    if download.is_dir():
        entries = list(_of_folder(download, scratch, numbers))
    else:
        entries = list(_of_zip(download, (), Budget(CLASS_BYTES, CLASS_ENTRIES), scratch, numbers, depth=0))
    labels: set[str] = set()
    labelled = []
    for file in sorted(entries, key=lambda file: file.parts):
        label = name = "/".join((download.name, *file.parts))
        number = 1
        while label in labels:  # a zip can have two entries of the same name
            number += 1
            label = f"{name} (entry {number})"
        labels.add(label)
        labelled.append(replace(file, label=label))
    return labelled


def is_system_file(parts: Sequence[str]) -> bool:
    """Whether an operating system or a program has put the file there, such as .DS_Store or Jupyter's checkpoints."""
    return any(part.startswith("._") or part.lower() in SYSTEM_FILES for part in parts)


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _of_folder(folder: Path, scratch: Path, numbers: count[int]) -> Iterator[DownloadedFile]:
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*links, *names]):
            path = Path(parent) / name
            parts = path.relative_to(folder).parts
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                yield DownloadedFile(parts, None, "a link: the file itself has to be handed in")
            elif not stat.S_ISREG(status.st_mode):
                yield DownloadedFile(parts, None, "not an ordinary file")
            elif is_zip(name):
                yield from _inside(path, parts, None, scratch, numbers, 1, status.st_mtime)
            else:
                yield DownloadedFile(parts, path, modified=status.st_mtime)


def _inside(
    path: Path,
    parts: tuple[str, ...],
    budget: Budget | None,
    scratch: Path,
    numbers: count[int],
    depth: int,
    modified: float,
) -> Iterator[DownloadedFile]:
    """The files in a student's zip; if it can't be opened or is empty, the zip itself as a refused file."""
    try:
        budget = budget or Budget(STUDENT_BYTES, STUDENT_ENTRIES)
        contents = list(_of_zip(path, parts, budget, scratch, numbers, depth))
    except UnsafeArchiveError as error:
        yield DownloadedFile(parts, None, str(error))
        return
    yield from (replace(file, modified=modified) for file in contents)
    if not contents:
        yield DownloadedFile(parts, None, "an empty zip")


def _of_zip(
    path: Path, above: tuple[str, ...], budget: Budget, scratch: Path, numbers: count[int], depth: int
) -> Iterator[DownloadedFile]:
    if depth > MAX_DEPTH:
        raise UnsafeArchiveError(f"more than {MAX_DEPTH} zips in each other: put the files into one")
    modified = path.stat().st_mtime
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > budget.entries:
                raise UnsafeArchiveError(f"a zip of {len(entries):,} files; {budget.entries:,} may be opened")
            budget.entries -= len(entries)
            for entry in entries:
                if entry.is_dir() and not entry.file_size:
                    continue
                name = _name(entry)
                parts = (*above, *(part for part in name.replace("\\", "/").split("/") if part))
                try:
                    _check(entry, name, budget)
                    target = scratch / f"{next(numbers):06}"
                    with archive.open(entry) as source:
                        _copy(source, target, entry, budget)
                except UnsafeArchiveError as error:
                    yield DownloadedFile(parts or (*above, "?"), None, str(error))
                except (RuntimeError, NotImplementedError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
                    yield DownloadedFile(parts, None, "damaged: it cannot be unpacked; zip it again")
                except Exception as error:  # decompressors raise many kinds of errors
                    yield DownloadedFile(
                        parts, None, f"damaged: it cannot be unpacked ({type(error).__name__})"
                    )
                else:
                    if is_zip(parts[-1]):
                        # all zips in one student's zip share that student's budget
                        inner = budget if depth else None
                        yield from _inside(target, parts, inner, scratch, numbers, depth + 1, modified)
                    else:
                        yield DownloadedFile(parts, target, modified=modified)
    except UnsafeArchiveError:
        raise
    except Exception:
        raise UnsafeArchiveError("not a zip, or a damaged one: make it again") from None


def _name(entry: zipfile.ZipInfo) -> str:
    """The decoded name. macOS writes UTF-8 without the flag for it."""
    name: str = entry.orig_filename
    if not entry.flag_bits & 0x800:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name


def _check(entry: zipfile.ZipInfo, name: str, budget: Budget) -> None:
    """Raise UnsafeArchiveError if the entry's header says that it is unsafe."""
    parts = name.replace("\\", "/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        raise UnsafeArchiveError("an absolute name: zip it again with a plain one")
    if ".." in parts:
        raise UnsafeArchiveError("a name that leads out of the zip")
    if not all(c.isprintable() for c in name):
        raise UnsafeArchiveError("a name with control characters: rename it")
    if (
        len(name.encode("utf-8", "replace")) > MAX_PATH_BYTES
        or max(len(p.encode("utf-8", "replace")) for p in parts) > MAX_NAME_BYTES
    ):
        raise UnsafeArchiveError("an absurdly long name: rename it")
    if not parts[-1].strip(" ."):
        raise UnsafeArchiveError("a file without a name")
    if kind == stat.S_IFLNK:
        raise UnsafeArchiveError("a link: the file itself has to be handed in")
    if kind not in (0, stat.S_IFREG):
        raise UnsafeArchiveError("not an ordinary file")
    if entry.flag_bits & 1:
        raise UnsafeArchiveError("encrypted: hand it in without a password")
    if entry.file_size > FILE_BYTES:
        raise UnsafeArchiveError(f"larger than {FILE_BYTES // MIB} MB")
    if entry.file_size > max(ANY_RATIO_BYTES, MAX_RATIO * entry.compress_size):
        raise UnsafeArchiveError(f"packed to less than 1/{MAX_RATIO} of its size, as no ordinary file is")
    if entry.file_size > budget.bytes:
        raise UnsafeArchiveError("the zip is too large: this file was not unpacked")


def _copy(source: IO[bytes], target: Path, entry: zipfile.ZipInfo, budget: Budget) -> None:
    """Unpack an entry, counting its real size."""
    size = 0
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            budget.bytes -= len(chunk)
            if (
                budget.bytes < 0
                or size > max(ANY_RATIO_BYTES, MAX_RATIO * entry.compress_size)
                or size > FILE_BYTES
            ):
                break
            file.write(chunk)
        else:
            return
    target.unlink()
    raise UnsafeArchiveError("it unpacks to more than it says")
