"""Read what students hand in."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

MAX_BYTES = 50 << 20  # a notebook with a hundred figures is 10 MB
MAX_PARTS = 2_000_000  # brackets; a notebook full of interactive plots has half of that
KINDS = ("code", "markdown", "raw")


class Unreadable(ValueError):
    """A file that is no notebook. The message says why."""


def no_notebook(reason: str) -> Unreadable:
    return Unreadable(f"not a readable notebook: {reason}")


def read(path: Path) -> NotebookNode:
    """A submitted notebook without its outputs, in whatever version of the format it was saved.

    Byte-order marks, UTF-16, NaN and repeated keys are read as Jupyter reads them. Links are not followed, and
    nothing but an ordinary file of a sane size is opened.

    Raises:
        Unreadable: it is none, or its cells are not what cells are.
    """
    raw = parsed(content(path))
    try:
        for cell in cells(raw):
            if "outputs" in cell:
                cell["outputs"] = []  # nobody needs them, and they are what makes notebooks gigantic
        major, minor = nbformat.reader.get_version(raw)
        if major not in nbformat.versions:
            raise no_notebook("its format has a version nobody knows")
        nb = nbformat.versions[major].to_notebook_json(raw, minor=minor)
        return checked(nbformat.convert(nb, 4))
    except Unreadable:
        raise
    except RecursionError:
        raise no_notebook("it is nested too deeply") from None
    except Exception:  # the converters of four formats raise whatever they stumble over
        raise no_notebook("its cells are not what the notebook format wants") from None


def content(path: Path) -> bytes:
    """The bytes of an ordinary file of a sane size."""
    try:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            raise no_notebook("it is a link")
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device might never end
            raise no_notebook("it is not an ordinary file")
        if about.st_size > MAX_BYTES:
            raise no_notebook(f"it is larger than {MAX_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise no_notebook(f"it cannot be opened ({error.strerror})") from None


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in there."""
    if not data.strip():
        raise no_notebook("it is empty")
    if data.count(b"{") + data.count(b"[") > MAX_PARTS:
        raise no_notebook(f"it has more than {MAX_PARTS:,} parts")
    try:
        raw = json.loads(data, parse_constant=lambda _: None)
    except RecursionError:
        raise no_notebook("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise no_notebook("it is not text") from None
    except json.JSONDecodeError:
        raise no_notebook("it is not JSON, or was cut off") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise no_notebook("it has a number of thousands of digits") from None
    if not isinstance(raw, dict):
        raise no_notebook("it has no cells")
    return raw


def cells(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a notebook of any version, as they are in the file."""
    sheets = [raw, *raw.get("worksheets", [])]
    return [cell for sheet in sheets for cell in sheet.get("cells", [])]


def checked(nb: NotebookNode) -> NotebookNode:
    """The notebook, if its cells are what cells are; one of an unknown kind counts as raw text.

    Raises:
        Unreadable: they are not.
    """
    if not isinstance(nb.get("cells"), list) or not isinstance(nb.get("metadata", {}), dict):
        raise no_notebook("it has no cells")
    for cell in nb.cells:
        if not isinstance(cell, dict) or not isinstance(cell.get("source"), str):
            raise no_notebook("one of its cells has no source")
        if not isinstance(cell.get("metadata"), dict):
            raise no_notebook("one of its cells has no metadata")
        if cell.get("cell_type") not in KINDS:
            cell["cell_type"] = "raw"
    return nb
