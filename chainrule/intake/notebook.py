"""Read what students hand in."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode


class Unreadable(ValueError):
    """A file that is no notebook. The message says why."""


def read(path: Path) -> NotebookNode:
    """A submitted notebook, in whatever version of the format it was saved.

    Raises:
        Unreadable: it is none, or its cells are not what cells are.
    """
    try:
        nb = nbformat.read(path, as_version=4)
        for cell in nb.cells:
            if not (isinstance(cell.source, str) and isinstance(cell.metadata, dict)):
                raise TypeError("a cell without source or metadata")
    except Exception as error:  # the converters of four formats raise whatever they stumble over
        raise Unreadable(f"not a readable notebook ({type(error).__name__})") from None
    return nb
