"""Finished runs, kept under a key that is made of everything they depend on."""

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
from chainrule.metadata import graded_notebook, judged_cell
from chainrule.modules import packages_of

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "nbgrader", "nbclient", "ipykernel", "ipython")


class Store:
    """A folder of executed and judged notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> NotebookNode | None:
        """The finished run kept under this key; None if there is none."""
        return load_notebook(self._path(key))

    def keep(self, key: str, finished: str) -> None:
        """Save a finished run, a notebook as JSON. No half-written file is ever found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path(key).with_suffix(f".{os.getpid()}.part")
        partial.write_text(finished, encoding="utf-8")
        partial.replace(self._path(key))

    def content(self, key: str) -> str:
        """The digest of the finished run kept under this key; "" if there is none."""
        path = self._path(key)
        return file_digest(path, *stamp(path)) if path.exists() else ""

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.ipynb"


def load_notebook(path: Path) -> NotebookNode | None:
    """Read a notebook that this package wrote; None if there is none, or a damaged one."""
    try:
        # without checking it against the schema
        nb: NotebookNode = nbformat.v4.reads(path.read_text(encoding="utf-8"))
        graded_notebook(nb)
        for cell in nb.cells:
            judged_cell(cell)
    except (OSError, ValueError):
        return None
    return nb


def depends(
    nb: NotebookNode, files: Iterable[Path], judging: Any, data: Iterable[Path], profile: str, limits: Any
) -> dict[str, str]:
    """What the outcome of running a sanitised notebook depends on.

    Args:
        files: files and folders that come with the assignment.
        judging: what graded cells import, as values that JSON has.
        data: the folders whose content the notebook sees at ./data.
        limits: limits on time and memory, as values that JSON has.
    Returns:
        A digest for each part, by its name.
    """
    ours, theirs, last = [], [], ""
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader")
        if marks:
            last = marks.get("grade_id", "")
            ours.append([cell.cell_type, marks, "" if utils.is_solution(cell) else cell.source])
        if not marks or utils.is_solution(
            cell
        ):  # the student's: named by the cell of ours that it is or follows
            theirs.append(
                [last, cell.cell_type, cell.source, cell.get("attachments"), cell.metadata.get("tags")]
            )
    about = graded_notebook(nb)
    parts = {
        # what the student handed in; it is not enough, because where it stands depends on our notebook
        "hand-in": [about.get("written", ""), *sorted(about.get("files", {}).items())],
        "answers": theirs,
        "source notebook": ours,
        "files": contents(files),
        "judging": judging,
        "profile": profile,
        "data": contents(data),
        "packages": {
            **packages_of(cell.source for cell in nb.cells if cell.cell_type == "code"),
            **versions(),
        },
        "chainrule": our_code(),
        "limits": limits,
    }
    return {name: digest(as_json(part))[:16] for name, part in parts.items()}


def depends_of(nb: NotebookNode | None) -> dict[str, str]:
    """What the run of a notebook depended on; empty if that is not recorded."""
    return graded_notebook(nb).get("depends", {}) if nb else {}


def key(parts: dict[str, str]) -> str:
    """The name under which a run that depends on these parts is kept."""
    return digest(as_json(parts))


def contents(paths: Iterable[Path]) -> list[list[str]]:
    """Name and digest of every file in these paths and their subfolders, without hidden and compiled files."""
    return [
        [str(file.relative_to(path.parent)), file_digest(file, *stamp(file))]
        for path in sorted(paths)
        for file in sorted([path, *path.rglob("*")])
        if file.is_file()
        and not any(
            part.startswith(".") or part == "__pycache__" for part in file.relative_to(path.parent).parts
        )
    ]


def stamp(file: Path) -> tuple[int, int]:
    """Size and time of change, which tell whether a file has changed without reading it."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=10_000)
def file_digest(file: Path, size: int, changed: int) -> str:
    """The digest of a file's content. A process reads a file again only if its size or time of change differs."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:32]


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that notebooks use, whatever they import."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


@cache
def our_code() -> str:
    """A digest of this package's own sources, because changed code can change a result."""
    files = sorted(Path(chainrule.__file__).parent.rglob("*.py"))
    return digest(b"".join(file.read_bytes() for file in files))


def digest(content: bytes) -> str:
    """A short text that differs for different contents."""
    return hashlib.sha256(content).hexdigest()[:32]


def as_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
