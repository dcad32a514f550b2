"""Reads submitted notebooks."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from chainrule.course import CourseError
from chainrule.errors import ChainruleError

MAX_BYTES = 50 << 20  # a notebook with a hundred figures is 10 MB
MAX_BRACKETS = 2_000_000  # a notebook full of interactive plots has half as many
KINDS = ("code", "markdown", "raw")
ENCODINGS = {"utf-8-sig": "UTF-8 with a byte-order mark", "utf-16": "UTF-16", "utf-32": "UTF-32"}


class UnreadableNotebookError(ChainruleError, ValueError):
    """A file that is not a notebook. The message says why."""


def unreadable(reason: str) -> UnreadableNotebookError:
    return UnreadableNotebookError(f"not a readable notebook: {reason}")


def read(path: Path) -> NotebookNode:
    """A submitted notebook without its outputs, converted from any version of the format to version 4.

    Byte-order marks, UTF-16, NaN and repeated keys are read as Jupyter reads them. Links are not followed, and
    only an ordinary file of at most `MAX_BYTES` is opened.

    Raises:
        UnreadableNotebookError: it is not a notebook, or its cells are damaged.
    """
    raw = parsed(content(path))
    try:
        for cell in cells(raw):
            if "outputs" in cell:
                cell["outputs"] = []  # not needed, and they make notebooks huge
            if "attachments" in cell:
                cell["attachments"] = attachments(cell["attachments"])
        major, minor = nbformat.reader.get_version(raw)
        if major not in nbformat.versions:
            raise unreadable("its format has an unknown version")
        nb = nbformat.versions[major].to_notebook_json(raw, minor=minor)
        return checked(nbformat.convert(nb, 4))
    except UnreadableNotebookError:
        raise
    except RecursionError:
        raise unreadable("it is nested too deeply") from None
    except Exception:  # the converters of old formats raise many kinds of errors
        raise unreadable("its cells do not have the notebook format") from None


def read_source(path: Path) -> NotebookNode:
    """An instructor's notebook, read as `read` does.

    Raises:
        CourseError: it cannot be read, or it is not in UTF-8. The message names it and says what to do.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        if encoding := foreign_encoding(path):
            raise CourseError(f"{where} is saved as {encoding}: save it as UTF-8, as Jupyter does")
        return read(path)
    except UnreadableNotebookError as error:
        raise CourseError(f"{where}: {error}: take it from a copy, or make it anew in Jupyter") from None
    except OSError as error:
        raise CourseError(f"{where} cannot be opened ({error.strerror})") from None


def content(path: Path) -> bytes:
    """The bytes of an ordinary file of at most `MAX_BYTES`."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise unreadable("it is a link")
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device might never end
            raise unreadable("it is not an ordinary file")
        if status.st_size > MAX_BYTES:
            raise unreadable(f"it is larger than {MAX_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(f"it cannot be opened ({error.strerror})") from None


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`."""
    if not data.strip():
        raise unreadable("it is empty")
    if data.count(b"{") + data.count(b"[") > MAX_BRACKETS:
        raise unreadable(f"it has more than {MAX_BRACKETS:,} parts")
    try:
        raw = json.loads(data, parse_constant=lambda _: None)
    except RecursionError:
        raise unreadable("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise unreadable("it is not text") from None
    except json.JSONDecodeError:
        raise unreadable("it is not JSON, or was cut off") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise unreadable("it has a number of thousands of digits") from None
    if not isinstance(raw, dict):
        raise unreadable("it has no cells")
    return raw


def foreign_encoding(path: Path) -> str:
    """What a notebook is encoded in, for people; "" for UTF-8 without a byte-order mark, as Jupyter writes it."""
    with path.open("rb") as file:
        return _encoding(file.read(4))


def as_utf8(data: bytes) -> bytes:
    """A notebook in UTF-8, whichever encoding of Unicode it has. Half a character becomes a question mark."""
    if not _encoding(data):
        return data
    return data.decode(json.detect_encoding(data), "surrogatepass").encode("utf-8", "replace")


def _encoding(data: bytes) -> str:
    found = json.detect_encoding(data)
    return next((name for known, name in ENCODINGS.items() if found.startswith(known)), "")


def cells(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a notebook of any version, as they are in the file."""
    sheets = [raw, *raw.get("worksheets", [])]
    return [cell for sheet in sheets for cell in sheet.get("cells", [])]


def attachments(found: Any) -> dict[str, Any]:
    """Those of a cell's attachments that have the form of the notebook format: base64 texts by MIME type.

    A damaged one is left out, so that it costs its image and not the notebook.

    >>> attachments({"a.png": {"image/png": "iVBORw0KGgo="}, "b.png": 5, "c.png": {}})
    {'a.png': {'image/png': 'iVBORw0KGgo='}}
    """

    def joined(data: Any) -> str | None:
        lines = data if isinstance(data, list) else [data]
        return "".join(lines) if all(isinstance(line, str) and line.isascii() for line in lines) else None

    if not isinstance(found, dict):
        return {}
    texts = {
        name: {form: joined(data) for form, data in forms.items()}
        for name, forms in found.items()
        if isinstance(forms, dict) and forms
    }
    return {name: forms for name, forms in texts.items() if None not in forms.values()}


def checked(nb: NotebookNode) -> NotebookNode:
    """The notebook, if its cells are well-formed. A cell of an unknown kind becomes raw text.

    Raises:
        UnreadableNotebookError: a cell is not well-formed.
    """
    if not isinstance(nb.get("cells"), list) or not isinstance(nb.get("metadata", {}), dict):
        raise unreadable("it has no cells")
    for cell in nb.cells:
        if not isinstance(cell, dict) or not isinstance(cell.get("source"), str):
            raise unreadable("one of its cells has no source")
        if not isinstance(cell.get("metadata"), dict):
            raise unreadable("one of its cells has no metadata")
        if cell.get("cell_type") not in KINDS:
            cell["cell_type"] = "raw"
    return nb
