"""The files of a download: a folder or a zip, and the zips inside, opened with care.

What a zip claims is never believed: names never become paths on our disk, and sizes are counted while reading.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO

MIB = 1 << 20
FILE_BYTES = 200 * MIB
STUDENT_BYTES = 1024 * MIB  # all that is in one student's zip, zips in it included
CLASS_BYTES = 64 * 1024 * MIB  # all that is in one download
STUDENT_ENTRIES, CLASS_ENTRIES = 2_000, 100_000
RATIO = 200  # deflate does 1032; notebooks full of figures do 2, of numbers 20
SMALL = 10 * MIB  # below, any ratio is harmless
DEPTH = 3  # zips in zips
NAME_BYTES, PATH_BYTES = 255, 1000
CHUNK = 1 * MIB
TOOLS = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what programs put there


class Hostile(ValueError):
    """An entry or an archive that is not opened. The message says why, and what to do."""


@dataclass(frozen=True)
class Found:
    """A file of a download.

    Attributes:
        parts: its name there; zips that were opened count as folders.
        path: where its content is, None if it was refused.
        refused: why.
        label: what the report calls it; no two files of a download have the same.
        modified: when the file, or the download that it is in, was written; seconds since 1970.
    """

    parts: tuple[str, ...]
    path: Path | None
    refused: str = ""
    modified: float = 0.0
    label: str = ""


@dataclass
class Allowance:
    """How much more may be unpacked."""

    bytes: int
    entries: int


def files(download: Path, scratch: Path) -> list[Found]:
    """All files of a folder or a zip, in the order of their names; content of zips is written to `scratch`.

    Raises:
        Hostile: the download itself is a zip that can't be opened.
    """
    numbers = count()
    if download.is_dir():
        found = list(_of_folder(download, scratch, numbers))
    else:
        found = list(_of_zip(download, (), Allowance(CLASS_BYTES, CLASS_ENTRIES), scratch, numbers, depth=0))
    labels: set[str] = set()
    labelled = []
    for one in sorted(found, key=lambda one: one.parts):
        label = name = "/".join((download.name, *one.parts))
        again = 1
        while label in labels:  # a zip can hold a name twice
            again += 1
            label = f"{name} (entry {again})"
        labels.add(label)
        labelled.append(replace(one, label=label))
    return labelled


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _of_folder(folder: Path, scratch: Path, numbers: count[int]) -> Iterator[Found]:
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*links, *names]):
            path = Path(place) / name
            parts = path.relative_to(folder).parts
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                yield Found(parts, None, "a link: the file itself has to be handed in")
            elif not stat.S_ISREG(about.st_mode):
                yield Found(parts, None, "not an ordinary file")
            elif is_zip(name):
                yield from _inside(path, parts, None, scratch, numbers, 1, about.st_mtime)
            else:
                yield Found(parts, path, modified=about.st_mtime)


def _inside(
    path: Path,
    parts: tuple[str, ...],
    left: Allowance | None,
    scratch: Path,
    numbers: count[int],
    depth: int,
    modified: float,
) -> Iterator[Found]:
    """What is in a student's zip; the zip itself if it can't be opened or is empty."""
    try:
        left = left or Allowance(STUDENT_BYTES, STUDENT_ENTRIES)
        inside = list(_of_zip(path, parts, left, scratch, numbers, depth))
    except Hostile as error:
        yield Found(parts, None, str(error))
        return
    yield from (replace(one, modified=modified) for one in inside)
    if not inside:
        yield Found(parts, None, "an empty zip")


def _of_zip(
    path: Path, above: tuple[str, ...], left: Allowance, scratch: Path, numbers: count[int], depth: int
) -> Iterator[Found]:
    if depth > DEPTH:
        raise Hostile(f"more than {DEPTH} zips in each other: put the files into one")
    modified = path.stat().st_mtime
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > left.entries:
                raise Hostile(f"a zip of {len(entries):,} files; {left.entries:,} may be opened")
            left.entries -= len(entries)
            for entry in entries:
                if entry.is_dir() and not entry.file_size:
                    continue
                name = _name(entry)
                parts = (*above, *(part for part in name.replace("\\", "/").split("/") if part))
                try:
                    _check(entry, name, left)
                    target = scratch / f"{next(numbers):06}"
                    with archive.open(entry) as source:
                        _copy(source, target, entry, left)
                except Hostile as error:
                    yield Found(parts or (*above, "?"), None, str(error))
                except (RuntimeError, NotImplementedError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
                    yield Found(parts, None, "damaged: it cannot be unpacked; zip it again")
                except Exception as error:  # decompressors raise what they like
                    yield Found(parts, None, f"damaged: it cannot be unpacked ({type(error).__name__})")
                else:
                    if is_zip(parts[-1]):
                        # everything in one student's zip shares what one student may have
                        inner = left if depth else None
                        yield from _inside(target, parts, inner, scratch, numbers, depth + 1, modified)
                    else:
                        yield Found(parts, target, modified=modified)
    except Hostile:
        raise
    except Exception:
        raise Hostile("not a zip, or a damaged one: make it again") from None


def _name(entry: zipfile.ZipInfo) -> str:
    """The name as it was meant: Apple's zips are UTF-8 and don't say so."""
    name: str = entry.orig_filename
    if not entry.flag_bits & 0x800:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name


def _check(entry: zipfile.ZipInfo, name: str, left: Allowance) -> None:
    """Refuse an entry by what its header says."""
    parts = name.replace("\\", "/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        raise Hostile("an absolute name: zip it again with a plain one")
    if ".." in parts:
        raise Hostile("a name that leads out of the zip")
    if not all(c.isprintable() for c in name):
        raise Hostile("a name with control characters: rename it")
    if (
        len(name.encode("utf-8", "replace")) > PATH_BYTES
        or max(len(p.encode("utf-8", "replace")) for p in parts) > NAME_BYTES
    ):
        raise Hostile("an absurdly long name: rename it")
    if not parts[-1].strip(" ."):
        raise Hostile("a file without a name")
    if kind == stat.S_IFLNK:
        raise Hostile("a link: the file itself has to be handed in")
    if kind not in (0, stat.S_IFREG):
        raise Hostile("not an ordinary file")
    if entry.flag_bits & 1:
        raise Hostile("encrypted: hand it in without a password")
    if entry.file_size > FILE_BYTES:
        raise Hostile(f"larger than {FILE_BYTES // MIB} MB")
    if entry.file_size > max(SMALL, RATIO * entry.compress_size):
        raise Hostile(f"packed to less than 1/{RATIO} of its size, as no real file is")
    if entry.file_size > left.bytes:
        raise Hostile("the zip is too large: this file was not unpacked")


def _copy(source: IO[bytes], target: Path, entry: zipfile.ZipInfo, left: Allowance) -> None:
    """Unpack an entry, counting what really comes."""
    size = 0
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            left.bytes -= len(chunk)
            if left.bytes < 0 or size > max(SMALL, RATIO * entry.compress_size) or size > FILE_BYTES:
                break
            file.write(chunk)
        else:
            return
    target.unlink()
    raise Hostile("it unpacks to more than it says")
