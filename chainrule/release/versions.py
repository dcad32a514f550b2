"""What students may have been given: every version of a notebook that was released.

A hand-in differs from the instructor's notebook where the student changed something, and where the instructor did
after handing it out. So each release is kept in versions/<assignment>/<notebook>/, under its checksum, and only a text
that is in none of them is the student's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.metadata import source_cell


class KeepVersion(NbGraderPreprocessor):
    """Keep what is released in versions/, for instructors only, so that later changes are not taken for a student's.

    It stands after the steps that remove what is hidden, and before `Tidy`.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        keep_version(Path(CourseDirectory(parent=self).root), where["assignment"], where["notebook"], nb)
        return nb, resources


def keep_version(root: Path, assignment: str, notebook: str, nb: NotebookNode) -> None:
    """Save the texts of a released notebook, unless they are kept already. No half-written file is ever found."""
    cells = [kept_cell(cell) for cell in nb.cells]
    version = NotebookNode(nbformat=4, nbformat_minor=nb.nbformat_minor, metadata=NotebookNode(), cells=cells)
    text = nbformat.v4.writes(version)
    contents = [{key: cell[key] for key in ("cell_type", "metadata", "source")} for cell in cells]
    checksum = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16]
    path = versions_folder(root, assignment, notebook) / f"{checksum}.ipynb"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


def kept_cell(cell: NotebookNode) -> NotebookNode:
    """The cell's text and labels, and the templates of numbers that vary in what students see of it."""
    metadata = NotebookNode()
    if marks := cell.metadata.get("nbgrader"):
        metadata.nbgrader = {name: value for name, value in marks.items() if name != "checksum"}
    if varies := {s: t for s, t in source_cell(cell).get("varies", {}).items() if s in cell.source}:
        metadata.chainrule = {"varies": varies}
    kept = NotebookNode(cell_type=cell.cell_type, metadata=metadata, source=cell.source.strip())
    if "id" in cell:
        kept.id = cell.id
    if cell.cell_type == "code":
        kept.update(outputs=[], execution_count=None)
    return kept


def kept_versions(root: Path, assignment: str, notebook: str) -> Iterable[NotebookNode]:
    """The versions of a notebook that were released. Those that cannot be read are left out."""
    for path in sorted(versions_folder(root, assignment, notebook).glob("*.ipynb")):
        try:
            yield read_version(path)
        except (OSError, ValueError):
            continue


@lru_cache(maxsize=200)
def read_version(path: Path) -> NotebookNode:
    """A kept version; nobody changes it, in the file or here."""
    version: NotebookNode = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    return version


def versions_folder(root: Path, assignment: str, notebook: str) -> Path:
    """The folder with the released versions of a notebook."""
    return root / "versions" / assignment / notebook
