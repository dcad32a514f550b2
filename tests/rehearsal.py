"""Run a notebook's answers and graded cells in this process, without a kernel: fast enough for many answers."""

from __future__ import annotations

import ast
import contextlib
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from course_modules import A2, HW2

from chainrule.lesson.checks import Result
from chainrule.lesson.student import connect
from chainrule.lesson.verbs import Worker
from chainrule.modules import importable

ROOT = Path(__file__).parent.parent


def cells(notebook: Path) -> dict[str, str]:
    """Sources of a notebook's code cells by grade_id, in order."""
    nb = nbformat.read(notebook, as_version=4)
    ours = [cell for cell in nb.cells if cell.cell_type == "code" and "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in ours}


def evaluate(source: str, namespace: dict[str, Any]) -> Any:
    """Run a cell and return the value of its last expression, as IPython would show it."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    return eval(compile(last, "<cell>", "eval"), namespace) if last else None


def rehearse(
    sources: Mapping[str, str], run: Iterable[str], items: Iterable[str], folder: Path, **names: Any
) -> dict[str, Result]:
    """Results of some items.

    Args:
        sources: cells by grade_id, the student's answers among them.
        run: the student-side cells to run first; one that raises is left half-way, as in Jupyter.
        items: the graded cells to judge.
        folder: the working folder, with `data` in it.
        names: more names of the student's notebook, such as trained models.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    before = os.getcwd()
    os.chdir(folder)
    course = contextlib.ExitStack()
    course.enter_context(importable(A2 if any(grade_id.startswith("q") for grade_id in sources) else HW2))
    try:
        for grade_id in run:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                exec(compile(sources[grade_id], f"<{grade_id}>", "exec"), namespace)
        namespace.update(names)
        connect(Worker(namespace).serve)
        return {grade_id: evaluate(sources[grade_id], {"__name__": "__main__"}) for grade_id in items}
    finally:
        connect(None)
        course.close()
        os.chdir(before)
