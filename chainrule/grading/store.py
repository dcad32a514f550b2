"""Finished runs, kept under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

import chainrule

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "nbgrader", "nbclient", "ipykernel", "ipython")


class Store:
    """A folder of executed and judged notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> NotebookNode | None:
        """The finished run kept under this key, None if there is none."""
        return readable(self._path(key))

    def keep(self, key: str, finished: str) -> None:
        """Save a finished run, a notebook as JSON, all or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path(key).with_suffix(f".{os.getpid()}.part")
        partial.write_text(finished, encoding="utf-8")
        partial.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.ipynb"


def readable(path: Path) -> NotebookNode | None:
    """A notebook of ours; None if it is not there, or torn by a full disk."""
    try:
        return nbformat.v4.reads(path.read_text(encoding="utf-8"))  # without checking it against the schema
    except (OSError, ValueError):
        return None


def depends(
    nb: NotebookNode, files: Iterable[Path], judging: Any, data: Path, profile: str, limits: Any
) -> dict[str, str]:
    """What the outcome of running a sanitised notebook depends on: a short text for each part.

    Args:
        files: what comes with the assignment, files and folders.
        judging: what graded cells import, as JSON can spell it.
        data: the folder the notebook sees as ./data.
        limits: time limits and the like, as JSON can spell them.
    """
    ours, theirs, last = [], [], ""
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader")
        if marks:
            last = marks.get("grade_id", "")
            ours.append([cell.cell_type, marks, "" if utils.is_solution(cell) else cell.source])
        if not marks or utils.is_solution(cell):  # the student's, by the cell of ours it is or follows
            theirs.append([last, cell.cell_type, cell.source, cell.get("attachments")])
    parts = {
        "submission": [*theirs, *sorted(nb.metadata.get("chainrule", {}).get("files", {}).items())],
        "source notebook": ours,
        "files": contents(files),
        "judging": judging,
        "profile": profile,
        "data": contents([data]),
        "packages": versions(),
        "chainrule": our_code(),
        "limits": limits,
    }
    return {name: digest(spelt(part))[:16] for name, part in parts.items()}


def depends_of(nb: NotebookNode | None) -> dict[str, str]:
    """What the run of a notebook depended on; nothing if it doesn't say."""
    parts: dict[str, str] = nb.metadata.get("chainrule", {}).get("depends", {}) if nb else {}
    return parts


def key(parts: dict[str, str]) -> str:
    """The name under which a run that depends on these is kept."""
    return digest(spelt(parts))


def contents(places: Iterable[Path]) -> list[list[str]]:
    """Name and digest of every file at or below these places, but for hidden ones and what Python has compiled."""
    return [
        [str(file.relative_to(place.parent)), file_digest(file, *stamp(file))]
        for place in sorted(places)
        for file in sorted([place, *place.rglob("*")])
        if file.is_file()
        and not any(
            part.startswith(".") or part == "__pycache__" for part in file.relative_to(place.parent).parts
        )
    ]


def stamp(file: Path) -> tuple[int, int]:
    """By what a file that was changed is recognised without reading it."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=10_000)
def file_digest(file: Path, size: int, changed: int) -> str:
    """The digest of a file's content; read once by a process, as long as size and time of change stay."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:32]


@cache
def versions() -> dict[str, str]:
    """The software besides ours that notebooks meet."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


@cache
def our_code() -> str:
    """A digest of this package's own sources: a changed check is a changed result."""
    files = sorted(Path(chainrule.__file__).parent.rglob("*.py"))
    return digest(b"".join(file.read_bytes() for file in files))


def digest(content: bytes) -> str:
    """A short text that tells contents apart."""
    return hashlib.sha256(content).hexdigest()[:32]


def spelt(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
