"""What Chainrule keeps in a notebook: `metadata.chainrule` of the notebook and of its cells.

Authors write it into the notebooks of `source/`, for example with JupyterLab's property inspector. Grading writes it
into the notebooks of `runs/` and `autograded/`. What a student's notebook has there is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeVar

import nbformat
from nbformat import NotebookNode
from pydantic import ConfigDict, PositiveInt, StringConstraints, with_config
from typing_extensions import TypedDict  # typing's own is not enough for pydantic in Python 3.11

from chainrule.course import CourseError
from chainrule.lesson.frameworks import PYTORCH
from chainrule.lesson.results import CheckResult, Result
from chainrule.validation import RecordError, validated

Kind = TypeVar("Kind")
Snippet = Annotated[str, StringConstraints(min_length=1)]

SKIPPED = "skip-execution"  # nbclient runs no cell with this tag

# keys by the names that earlier versions gave them
RENAMED = {"dead": "failure", "compute": "busy_seconds", "trouble": "internal_error"}


class SourceNotebook(TypedDict, total=False):
    """A notebook of `source/`, written by its author."""

    files: dict[str, PositiveInt]
    """Files that may be handed in beside the notebook, such as trained weights, and their limits in MiB."""
    framework: Literal["pytorch", "tensorflow"]
    """The framework of its networks, if it is not PyTorch."""


class SourceCell(TypedDict, total=False):
    """A cell of a notebook in `source/`, written by its author. No release contains it."""

    varies: dict[Snippet, str]
    """For numbers that differ from student to student: snippets of the cell's source, and the template that replaces
    each. In a template `@name@` is the number `name`."""
    title: Snippet
    """For a cell with points: what people call the item, in place of the heading above it."""
    facts: dict[Snippet, str]
    """For facts of the course: snippets of the cell's source, and the template that replaces each at release. In a
    template, `@course@`, `@due@`, `@late@`, `@lms@` and `@file:1@` are what nbgrader_config.py says, and `@total@` and
    `@points:intro@` the points of the notebook and of its items of that name."""


class Repair(TypedDict):
    """A kind of repair that a hand-in needed."""

    what: str
    """The sentence about it, with places for words that depend on the number of cells."""
    cells: list[str]
    """The names of the cells; empty for a repair of the whole notebook."""


class GradedNotebook(TypedDict, total=False):
    """A notebook that is graded. `Graft` writes the first keys, `Run` those from `depends` on."""

    repaired: list[Repair]
    """What was repaired in the hand-in."""
    written: str
    """What the student wrote: a digest of the cells that are in no release."""
    outdated: list[str]
    """Cells that the hand-in has as in an earlier release: an instructor has changed, added or removed them since."""
    files: dict[str, str]
    """Files that were handed in beside the notebook and can be used, with their SHA-256."""
    depends: dict[str, str]
    """What the run depends on: a digest for each part. The key of a kept run is made of it."""
    profile: str
    """How much data the notebook saw: `quick` or `full`."""
    origins: dict[str, str]
    """Where each data set came from, or that it was a generated stand-in."""
    sandbox: str
    """What isolated the worker: `bubblewrap`, or a sentence about what was not isolated."""
    seconds: float
    """Wall-clock time of the run."""
    busy_seconds: float
    """Time in which its cells were busy. Earlier versions called it `compute`."""
    failure: str
    """Why cells were not run; empty if all were. Earlier versions called it `dead`."""


@with_config(ConfigDict(extra="forbid"))
class CheckRecord(TypedDict):
    """One check of a judged cell. It has no other keys."""

    name: str
    """What is checked, as the student reads it."""
    points: float
    """Its share of the item's points."""
    passed: bool
    """Whether the check earned its points."""
    hint: NotRequired[str]
    """What to look at when it fails."""
    disclose: NotRequired[Literal["always", "after due", "never"]]
    """When students see name, message and hint."""
    message: NotRequired[str]
    """What was wrong, for the student."""
    internal_error: NotRequired[str]
    """The traceback if the check itself stopped with an error: a person decides about its points. Earlier versions
    called it `trouble`."""
    review: NotRequired[bool]
    """Whether a person should look at the answer before the score counts."""
    means: NotRequired[Literal["", "right form", "consistent", "right"]]
    """What passing says about the answer, if it is a visible check. They run in the student's notebook alone."""
    cause: NotRequired[str]
    """What the mistake is called, if the check knows it: the same words in all answers that have it."""


class AddedCell(TypedDict, total=False):
    """A cell of a graded notebook that is not the instructor's."""

    added: bool
    """Whether the student added it."""


class JudgedCell(TypedDict):
    """A graded cell with its verdict, written by `Judge`. A cell with plain asserts has it too."""

    grade_id: str
    """The item's name, nbgrader's `grade_id`."""
    points: float
    """The item's maximum."""
    score: float
    """The sum of the points that its checks earned."""
    checks: list[CheckRecord]
    """How each check ended; empty if there is a `grader_error`."""
    grader_error: NotRequired[str]
    """Why the outputs hold no possible score. Then a person has to look at the answer."""


def source_notebook(nb: NotebookNode, name: str) -> SourceNotebook:
    """What an author wrote into the metadata of a notebook.

    Raises:
        CourseError: it has another form.
    """
    return read(SourceNotebook, nb.metadata, name)


def framework_of(path: Path) -> str:
    """The framework of an instructor's notebook.

    Raises:
        CourseError: its metadata have another form.
    """
    return source_notebook(nbformat.read(path, as_version=4), path.name).get("framework", PYTORCH)


def source_cell(cell: NotebookNode, notebook: str = "") -> SourceCell:
    """What an author wrote into the metadata of a cell.

    Raises:
        CourseError: it has another form.
    """
    return read(SourceCell, cell.metadata, place(cell, notebook))


def check_source(nb: NotebookNode, name: str) -> None:
    """Make sure that an instructor's notebook and its cells have metadata in the right form, and that checks run.

    Raises:
        CourseError: the first place where they have not.
    """
    source_notebook(nb, name)
    for cell in nb.cells:
        source_cell(cell, name)
        if SKIPPED in cell.metadata.get("tags", []) and cell.metadata.get("nbgrader", {}).get("grade"):
            raise CourseError(
                f"{place(cell, name)}: it is graded, but its tag {SKIPPED} keeps it from being run: remove the tag"
            )


def graded_notebook(nb: NotebookNode) -> GradedNotebook:
    """What grading wrote into the metadata of a notebook; empty if nothing did.

    Raises:
        CourseError: it has another form.
    """
    return read(GradedNotebook, nb.metadata, "a graded notebook")


def judged_cell(cell: NotebookNode) -> JudgedCell | None:
    """The verdict in the metadata of a cell; None if the cell was not judged.

    Raises:
        CourseError: it has another form.
    """
    about = cell.metadata.get("chainrule")
    return (
        read(JudgedCell, cell.metadata, place(cell))
        if isinstance(about, dict) and "checks" in about
        else None
    )


def is_added(cell: NotebookNode) -> bool:
    """Whether the student added this cell of a graded notebook."""
    about = cell.metadata.get("chainrule")
    return isinstance(about, dict) and about.get("added") is True


def judged_record(record: object) -> JudgedCell:
    """A verdict that comes from somewhere else than our metadata, and may be forged.

    Raises:
        RecordError: it has another form.
    """
    return validated(JudgedCell, renamed(record))


def result_of(record: JudgedCell) -> Result:
    """The inverse of `Result.to_dict`."""
    checks = [CheckResult(**check) for check in record["checks"]]
    return Result(record["grade_id"], record["points"], checks)


def read(kind: type[Kind], metadata: Mapping[str, Any], where: str) -> Kind:
    """`metadata.chainrule`, validated."""
    try:
        return validated(kind, renamed(metadata.get("chainrule", {})))
    except RecordError as error:
        raise CourseError(
            f"{where}: metadata.chainrule is not as docs/reference/metadata.md says: {error}"
        ) from None


def place(cell: NotebookNode, notebook: str = "") -> str:
    """A cell as error messages call it."""
    return f"{notebook}, cell {cell_name(cell)}" if notebook else f"cell {cell_name(cell)}"


def cell_name(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "without a name"))


def renamed(tree: Any) -> Any:
    """The record with today's names of keys, in it and in the records of its checks."""
    if not isinstance(tree, dict):
        return tree
    record = {RENAMED.get(name, name): value for name, value in tree.items()}
    if isinstance(checks := record.get("checks"), list):
        record["checks"] = [renamed(check) for check in checks]
    return record
