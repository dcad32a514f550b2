"""What `chainrule check` says by reading about a notebook of a few cells, as authors elsewhere write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny_course import TINY, marked, notebook, set_due

from chainrule.authoring.slips import slips
from chainrule.course import CONFIG, CourseFolder


def answer(source: str) -> NotebookNode:
    return marked(new_code_cell(source), "answer", solution=True)


def graded(source: str, points: float = 2) -> NotebookNode:
    return marked(new_code_cell(source), "test", points)


def given(source: str, name: str = "given") -> NotebookNode:
    return marked(new_code_cell(source), name)


def text(source: str) -> NotebookNode:
    return marked(new_markdown_cell(source), "text")


def said(
    root: Path, *cells: NotebookNode, files: Mapping[str, str] | None = None, config: str = ""
) -> list[str]:
    """The sentences about an assignment of one notebook.

    Args:
        files: what lies beside it.
        config: lines below those of the project's own configuration.
    """
    folder = root / "source" / TINY
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook([*cells]), folder / f"{TINY}.ipynb")
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    set_due(root, "2099-01-01 12:00 Europe/Zurich")
    with (root / CONFIG).open("a", encoding="utf-8") as file:
        file.write(config)
    return slips(CourseFolder(root), TINY)
