"""Rehearse answers: run cells of a notebook and judge its items in this process, without a kernel.

It takes milliseconds where grading takes seconds, so hundreds of answers can be tried whenever a check has changed.
Nothing is confined: rehearse only what an author wrote.
"""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any

import nbformat

from chainrule.authoring.answers import Exercise, Problem
from chainrule.authoring.cell_names import plain
from chainrule.course import PRELOADED_FOR, CourseError, CourseFolder, lacks
from chainrule.grading.referee import working_folder
from chainrule.lesson.results import CheckResult, Result
from chainrule.lesson.student import connect
from chainrule.lesson.verbs import Worker
from chainrule.metadata import framework_of
from chainrule.modules import CourseModules, importable


def code_cells(notebook: Path) -> dict[str, str]:
    """Sources of a notebook's code cells that nbgrader knows, by grade_id, in order."""
    known = [
        cell
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code" and "nbgrader" in cell.metadata
    ]
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in known}


@lru_cache(maxsize=1024)  # most cells of a notebook are the same for every answer that is tried
def compiled(source: str, grade_id: str) -> CodeType:
    """The code of a cell.

    Raises:
        SyntaxError: it is not Python.
    """
    return compile(plain(source), f"<{grade_id}>", "exec")


@lru_cache(maxsize=256)
def parted(source: str) -> tuple[CodeType, CodeType | None]:
    """The code of a cell up to its last expression, and of that expression, if it ends with one."""
    tree = ast.parse(source)
    end = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    last = compile(ast.Expression(end.value), "<cell>", "eval") if isinstance(end, ast.Expr) else None
    return compile(tree, "<cell>", "exec"), last


def evaluate(source: str, namespace: dict[str, Any]) -> Any:
    """Run a cell and return the value of its last expression, as IPython would show it."""
    before, last = parted(source)
    exec(before, namespace)
    return eval(last, namespace) if last else None


def rehearse(
    modules: CourseModules,
    sources: Mapping[str, str],
    run: Iterable[str],
    items: Iterable[str],
    folder: Path,
    visible_checks: bool = False,
    points: Mapping[str, float] | None = None,
    **names: Any,
) -> dict[str, Result]:
    """Results of some items.

    Args:
        modules: the course's own, which the cells may import.
        sources: cells by grade_id, the student's answers among them.
        run: the student-side cells to run first; one that raises is left half-way, as in Jupyter.
        items: the graded cells to judge.
        folder: the working folder, with `data` in it.
        visible_checks: whether checks run that are for the student alone.
        points: of graded cells that may be plain asserts; without it, every item makes an `Item`.
        names: more names of the student's notebook, such as trained models.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    namespace["get_ipython"] = lambda: Magics(namespace)
    with working_folder(folder), importable(modules):
        for grade_id in run:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                exec(compiled(sources[grade_id], grade_id), namespace)
        namespace.update(names)
        connect(Worker(namespace).serve, visible_checks=visible_checks)
        try:
            return {
                grade_id: evaluate(sources[grade_id], {"__name__": "__main__"})
                if points is None or "Item(" in sources[grade_id]
                else asserted(grade_id, points[grade_id], sources[grade_id], namespace)
                for grade_id in items
            }
        finally:
            connect(None)


def asserted(grade_id: str, points: float, source: str, namespace: dict[str, Any]) -> Result:
    """The result of plain asserts, which see the student's names: all or nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compiled(source, grade_id), namespace)
    except Exception as error:
        return Result(grade_id, points, [CheckResult("all checks", points, False, message=repr(error))])
    return Result(grade_id, points, [CheckResult("all checks", points, True)])


def get_ready(framework: str) -> None:
    """Import what a worker has imported before a notebook of a framework begins, in that order.

    Raises:
        CourseError: this machine lacks the framework.
    """
    if reason := lacks(framework):
        raise CourseError(reason)
    for name in PRELOADED_FOR[framework]:
        import_module(name)


class Magics:
    """Stands in for the shell where a cell has magics: they do nothing, but code that is timed or captured runs."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        if name in ("time", "timeit", "capture", "prun"):
            exec(plain(cell), self.namespace)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: None


class Rehearsal:
    """A problem whose answers are tried.

    Args:
        course: the course folder.
        assignment: the assignment's name there.
        problem: what runs, and what the checks are called.
    Attributes:
        sources: the notebook's code cells by grade_id, in order.
        framework: the notebook's.
    """

    def __init__(self, course: CourseFolder, assignment: str, problem: Problem) -> None:
        self.problem = problem
        self.modules = course.modules(assignment)
        path = course.folder("source", ".", assignment) / f"{problem.notebook}.ipynb"
        self.sources, self.framework = code_cells(path), framework_of(path)

    def prepare(self, exercise: Exercise, folder: Path) -> None:
        """Write into the working folder what the answers to an exercise need there."""
        if exercise.prepare is not None:
            with importable(self.modules):
                exercise.prepare(self.sources, folder)

    def run(self, cells: Iterable[str], changed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The notebook's names once some cells have run in the current folder, with other sources in some of them.

        Raises:
            Exception: whatever a cell raises.
        """
        get_ready(self.framework)
        sources = {**self.sources, **(changed or {})}
        names: dict[str, Any] = {"__name__": "__main__"}
        with importable(self.modules):
            for cell in cells:
                exec(compiled(sources[cell], cell), names)
        return names

    def stopped(self, cells: Iterable[str], changed: Mapping[str, str]) -> set[str]:
        """Those of some cells that raise an error when they run one after the other in the current folder.

        Args:
            changed: other sources, by grade_id.
        """
        get_ready(self.framework)
        sources = {**self.sources, **changed}
        names: dict[str, Any] = {"__name__": "__main__"}
        found = set()
        with importable(self.modules), contextlib.redirect_stdout(io.StringIO()):
            for cell in cells:
                try:
                    exec(compiled(sources[cell], cell), names)
                except Exception:
                    found.add(cell)
        return found

    def results(
        self,
        items: Iterable[str],
        cells: Mapping[str, str],
        folder: Path,
        given: Iterable[str] = (),
        judges: Mapping[str, str] | None = None,
        **names: Any,
    ) -> dict[str, Result]:
        """For each item, what its checks say of these answers. Arguments are those of `failed`, and:

        Args:
            judges: sources of the release's graded cells in place of the notebook's. Then visible checks run, too.
        """
        get_ready(self.framework)
        problem = self.problem
        wanted = {*problem.given, *(exercise.cell for exercise in problem.exercises), *given, *cells}
        run = [cell for cell in self.sources if cell in wanted]
        run += [cell for cell in cells if cell not in self.sources]
        sources = {**self.sources, **(judges or {}), **cells}
        return rehearse(self.modules, sources, run, items, folder, judges is not None, **names)

    def failed(
        self,
        items: Iterable[str],
        cells: Mapping[str, str],
        folder: Path,
        given: Iterable[str] = (),
        **names: Any,
    ) -> dict[str, dict[str, CheckResult]]:
        """For each item, the checks that these answers fail, by the checks' short names.

        Args:
            items: grade_ids of the cells that judge.
            cells: answers by grade_id, in place of the reference's; one that the notebook lacks runs last.
            folder: the working folder, with `data` in it.
            given: more cells that run, beyond those of the problem and of its exercises.
            names: more names of the student's notebook, such as trained models.
        """
        results = self.results(items, cells, folder, given, **names)
        return {
            item: {
                name: check
                for name, check in zip(self.problem.checks[item], result.checks, strict=True)
                if not check.passed
            }
            for item, result in results.items()
        }
