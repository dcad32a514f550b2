"""Finished runs, kept under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

import chainrule


class Store:
    """A folder of executed and judged notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> NotebookNode | None:
        """The finished run kept under this key, None if there is none."""
        try:
            return nbformat.read(self._path(key), as_version=4)
        except (OSError, ValueError):
            return None  # not run yet, or a file torn by a full disk: run again

    def keep(self, key: str, finished: NotebookNode) -> None:
        """Save a finished run, all or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path(key).with_suffix(f".{os.getpid()}.part")
        partial.write_text(nbformat.writes(finished), encoding="utf-8")
        partial.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.ipynb"


def key(nb: NotebookNode, circumstances: list[Any]) -> str:
    """A short text that differs if a sanitised notebook, the circumstances it runs in, or our software do."""
    cells = [[cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in nb.cells]
    versions = [version(name) for name in ("torch", "torchvision", "numpy", "nbgrader")]
    return digest(json.dumps([cells, circumstances, versions, our_code()], sort_keys=True).encode())


@cache
def our_code() -> str:
    """A digest of this package's own sources: a changed check is a changed result."""
    files = sorted(Path(chainrule.__file__).parent.rglob("*.py"))
    return digest(b"".join(file.read_bytes() for file in files))


def digest(content: bytes) -> str:
    """A short text that tells contents apart."""
    return hashlib.sha256(content).hexdigest()[:32]
