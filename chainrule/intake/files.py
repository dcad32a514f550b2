"""Files that are handed in beside a notebook, such as a trained network's weights.

A notebook says which ones in its own metadata, by name and with the MiB each may have:

    {"chainrule": {"files": {"weights.safetensors": 20}}}
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode


def declared(notebook: NotebookNode) -> dict[str, int]:
    """Names of the files that may be handed in with a notebook, and their limits in MiB."""
    files: dict[str, int] = notebook.metadata.get("chainrule", {}).get("files", {})
    return dict(files)


def handed_in(folder: Path, limits: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """Which of these files a student handed in.

    Args:
        folder: what the student handed in.
        limits: as `declared`.
    Returns:
        The SHA-256 of each that can be used, by name; and why others can't, a sentence each.
    """
    found, told = {}, []
    for name, mebibytes in limits.items():
        if os.path.lexists(folder / name):
            try:
                found[name] = hashlib.sha256(content(folder / name, mebibytes)).hexdigest()
            except ValueError as error:
                told.append(f"{name} was not used: {error}")
    return found, told


def lay_out(folder: Path, wanted: Mapping[str, str], limits: Mapping[str, int], target: Path) -> None:
    """Copy the files with these checksums into another folder.

    Raises:
        ValueError: one has changed since its checksum was taken.
    """
    for name, checksum in wanted.items():
        found = content(folder / name, limits[name])
        if hashlib.sha256(found).hexdigest() != checksum:
            raise ValueError(f"{name} has changed meanwhile")
        (target / name).write_bytes(found)


def content(path: Path, mebibytes: int) -> bytes:
    """The bytes of an ordinary file that is not too large; links are not followed.

    Raises:
        ValueError: it is none.
    """
    try:
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise ValueError("it is not an ordinary file")
    with os.fdopen(opened, "rb") as file:
        found = file.read((mebibytes << 20) + 1)
    if len(found) > mebibytes << 20:
        raise ValueError(f"it has more than {mebibytes} MiB")
    return found
