"""Files that are handed in beside a notebook, such as a trained network's weights.

A notebook's metadata has their names and limits in MiB:

    {"chainrule": {"files": {"weights.safetensors": 20}}}
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode
from traitlets.config import Config

REPLACEABLE_MIB = 20


def declared(notebook: NotebookNode, name: str) -> dict[str, int]:
    """Names of the files that may be handed in with an instructor's notebook, and their limits in MiB.

    Args:
        name: the notebook's, for error messages.
    Raises:
        CourseError: its metadata has something else.
    """
    from chainrule.metadata import source_notebook  # the command line imports this module, but not pydantic

    return source_notebook(notebook, name).get("files", {})


def replaceable(config: Config, assignment: str) -> dict[str, int]:
    """Files of the release that students may hand in changed: names, with subfolders, and limits in MiB.

    `c.Autograde.exclude_overwriting` names them, as in nbgrader.
    """
    names = config.Autograde.get("exclude_overwriting", {}).get(assignment, [])
    return {
        name: REPLACEABLE_MIB
        for name in names
        if ".." not in Path(name).parts and not Path(name).is_absolute()
    }


def handed_in(folder: Path, limits: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """Find out which of these files a student handed in.

    Args:
        folder: the student's submission.
        limits: names and limits in MiB, as `declared` returns them.
    Returns:
        The SHA-256 of each usable file, by name; and a sentence about each file that cannot be used.
    """
    checksums, problems = {}, []
    for name, mebibytes in limits.items():
        if os.path.lexists(folder / name):
            try:
                checksums[name] = hashlib.sha256(content(folder / name, mebibytes)).hexdigest()
            except ValueError as error:
                problems.append(f"{name} was not used: {error}")
    return checksums, problems


def lay_out(folder: Path, checksums: Mapping[str, str], limits: Mapping[str, int], target: Path) -> None:
    """Copy files from `folder` to `target`, if they still have these checksums (SHA-256 by name).

    Raises:
        ValueError: a file has changed since its checksum was computed.
    """
    for name, checksum in checksums.items():
        data = content(folder / name, limits[name])
        if hashlib.sha256(data).hexdigest() != checksum:
            raise ValueError(f"{name} has changed meanwhile")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)


def content(path: Path, mebibytes: int) -> bytes:
    """The bytes of an ordinary file of at most so many MiB; links are not followed.

    Raises:
        ValueError: it is not an ordinary file, it is too large, or it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not an ordinary file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read((mebibytes << 20) + 1)
    if len(data) > mebibytes << 20:
        raise ValueError(f"it has more than {mebibytes} MiB")
    return data
