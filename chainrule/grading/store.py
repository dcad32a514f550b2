"""Finished runs, kept under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import chainrule


class Store:
    """A folder of executed and judged notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, nb: NotebookNode, profile: str) -> NotebookNode | None:
        """The finished run of a sanitised notebook, None if there is none."""
        try:
            return nbformat.read(self.path(nb, profile), as_version=4)
        except (OSError, ValueError):
            return None  # not run yet, or a file torn by a full disk: run again

    def keep(self, key: Path, finished: NotebookNode) -> None:
        """Save a finished run, all or nothing."""
        key.parent.mkdir(parents=True, exist_ok=True)
        partial = key.with_suffix(f".{os.getpid()}.part")
        partial.write_text(nbformat.writes(finished), encoding="utf-8")
        partial.replace(key)

    def path(self, nb: NotebookNode, profile: str) -> Path:
        """Where the run of this sanitised notebook is kept."""
        cells = [[cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in nb.cells]
        versions = [version(name) for name in ("torch", "torchvision", "numpy", "nbgrader")]
        text = json.dumps([cells, profile, versions, our_code()], sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.ipynb"


@cache
def our_code() -> str:
    """A digest of this package's own sources: a changed check is a changed result."""
    digest = hashlib.sha256()
    for path in sorted(Path(chainrule.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
