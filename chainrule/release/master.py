"""The instructor's notebooks as nbgrader's gradebook knows them: with hidden checks, and whatever the release adds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors import SaveCells
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from chainrule.course import CONFIG, CourseError, CourseFolder

PYTHON = ("python", "python2", "python3", "ipython")  # names of the language, and of its kernels


def master_of(source: NotebookNode, assignment: str, notebook: str, config: Config) -> NotebookNode:
    """What the release's steps make of an instructor's notebook, up to the one that saves its cells in the gradebook.

    nbgrader grades with the cells that `SaveCells` saves. So whatever a step of `c.GenerateAssignment.preprocessors`
    adds before it, such as the cells of a footer, belongs to the notebook that is graded.

    Args:
        source: the notebook; it is not changed.
        notebook: its name without ".ipynb".
    Raises:
        CourseError: there is no `SaveCells` among the steps, the notebook is not in Python, or a step refuses it.
    """
    steps = release_steps(config)
    saving = [
        index for index, step in enumerate(steps) if isinstance(step, type) and issubclass(step, SaveCells)
    ]
    if not saving:
        raise CourseError(
            f"c.GenerateAssignment.preprocessors in {CONFIG} has no nbgrader.preprocessors.SaveCells: add it where the "
            "notebook has all its graded cells; without it the gradebook knows none of them"
        )
    require_python(source, f"{notebook}.ipynb")
    made = (assignment, notebook, nbformat.writes(source), repr(config))
    if _kept is not None and made in _kept:
        return deepcopy(_kept[made])
    nb = deepcopy(source)
    directory = CourseDirectory(config=config)
    with contextlib.chdir(directory.root):  # as nbgrader does: paths in options are relative to it
        resources = resources_for(directory, assignment, notebook)
        try:
            for step in steps[: saving[0]]:
                nb, resources = (step(config=config) if isinstance(step, type) else step)(nb, resources)
        except (
            ValidationError,
            OSError,
        ) as error:  # nbgrader names no cell, and a header or footer may have it
            raise CourseError(
                f"{notebook}.ipynb cannot be released ({error}): `chainrule check {assignment}` says where and why"
            ) from None
    if _kept is not None:
        _kept[made] = deepcopy(nb)
    return nb


_kept: dict[tuple[str, str, str, str], NotebookNode] | None = None  # by all that they are made from


@contextlib.contextmanager
def kept_masters() -> Iterator[None]:
    """In this block, what the release's steps make of a notebook is made once: files that they read must not change."""
    global _kept
    before, _kept = _kept, {}
    try:
        yield
    finally:
        _kept = before


def masters(folder: CourseFolder, assignment: str) -> dict[str, NotebookNode]:
    """The assignment's notebooks as they are graded, by name."""
    return {
        path.stem: master_of(nbformat.read(path, as_version=4), assignment, path.stem, folder.config)
        for path in folder.notebooks(assignment)
    }


def release_steps(config: Config) -> list[Any]:
    """The steps of `c.GenerateAssignment.preprocessors`; those given as text are imported."""
    steps = GenerateAssignment(config=config).preprocessors
    return [import_item(step) if isinstance(step, str) else step for step in steps]


def resources_for(directory: CourseDirectory, assignment: str, notebook: str) -> dict[str, Any]:
    """What nbgrader gives to the steps of a release."""
    folder = Path(directory.root, directory.format_path(directory.source_directory, ".", assignment))
    where = {"assignment": assignment, "notebook": notebook, "student": ".", "db_url": directory.db_url}
    return {"nbgrader": where, "metadata": {"path": str(folder)}}


def language(nb: NotebookNode) -> str:
    """The programming language in a notebook's metadata; "" if there is none."""
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        about = nb.metadata.get(part)
        if isinstance(about, dict) and isinstance(about.get(key), str):
            return str(about[key])
    return ""


def require_python(nb: NotebookNode, name: str) -> None:
    """Raise CourseError unless an instructor's notebook is for a Python kernel, or names none."""
    kernel = str(nb.metadata.get("kernelspec", {}).get("name", ""))
    spoken = language(nb) or installed_language(kernel)
    if spoken.lower() not in ("", *PYTHON):
        raise CourseError(
            f"{name} is written in {spoken} (kernel {kernel or 'without a name'}): Chainrule runs Python notebooks. "
            "Grade this course with nbgrader's own pipeline or, if it is Python, choose a Python kernel in Jupyter and "
            "save it"
        )


def installed_language(kernel: str) -> str:
    """The language of a kernel that is installed here; for another name, that name."""
    if kernel.lower() in PYTHON:
        return "python"
    try:
        return str(KernelSpecManager().get_kernel_spec(kernel).language)
    except (NoSuchKernel, ValueError):
        return kernel
