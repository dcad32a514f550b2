"""Finds what is wrong with an instructor's notebook before nbgrader works on it: where, and what to do.

nbgrader's own steps look at each cell alone. So the reason is theirs, with the course's settings, and the place is
known.
"""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from copy import deepcopy
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError, SchemaTooOldError, ValidationError
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions, NbGraderPreprocessor
from traitlets.config import Configurable

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.notebook import read_source
from chainrule.metadata import check_source
from chainrule.release.after_due import ClearAfterDue

REGIONS = {
    ClearSolutions: ("begin_solution_delimeter", "end_solution_delimeter"),
    ClearHiddenTests: ("begin_test_delimeter", "end_test_delimeter"),
    ClearMarkScheme: ("begin_mark_scheme_delimeter", "end_mark_scheme_delimeter"),
    ClearAfterDue: ("begin_after_due_delimeter", "end_after_due_delimeter"),
}
COMMENT = re.compile(r"(?:^|\s)#+")  # begins a comment, or a heading
TO_STUDENTS = "YOUR"
ALIKE = 0.85  # of the letters of a marker and of what is meant as one
# what to do about a value in nbgrader's metadata that its schema refuses
FORMS = {
    "grade_id": "write letters, digits, _ and - only",
    "cell_type": "delete this entry",
    "checksum": "delete this entry",
}
IN_PANEL = "correct it in nbgrader's Create Assignment panel"


def require_sound(folder: CourseFolder, assignment: str) -> None:
    """Raise CourseError with everything that is wrong with an assignment's notebooks, a sentence each."""
    parent = Configurable(config=folder.config)
    found: list[str] = []
    for path in folder.notebooks(assignment):
        try:
            found += problems(read_source(path), path.name, parent)
        except CourseError as error:
            found.append(str(error))
    if found:
        raise CourseError("\n".join(found))


def problems(nb: NotebookNode, name: str, parent: Configurable) -> Iterator[str]:
    """A sentence about each thing that is wrong with an instructor's notebook.

    Args:
        name: of its file.
        parent: has the course's configuration.
    """
    try:
        check_source(nb, name)
    except CourseError as error:
        yield str(error)
    language = nb.metadata.get("kernelspec", {}).get("language", "python")
    try:
        ClearSolutions(parent=parent).preprocess(NotebookNode(nb, cells=[]), {})
    except ValueError as error:
        yield f"{name}: {error}: choose another kernel, or add its stub there"
        return
    seen: dict[str, int] = {}
    versions: set[str] = set()
    for number, cell in enumerate(nb.cells, start=1):
        where = place(name, number, cell)
        marks = cell.metadata.get("nbgrader")
        for problem in metadata_problem(cell, name):
            if problem not in versions:  # said once for all cells
                yield f"{where}: {problem}"
            versions |= {problem} if "has version" in problem else set()
        yield from (f"{where}: {problem}" for problem in region_problem(cell, language, parent))
        grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
        if (
            isinstance(grade_id, str)
            and grade_id
            and any(map(marks.get, ("grade", "solution", "locked", "task")))
        ):
            if grade_id in seen:
                yield (
                    f"{where}: it has the same grade_id as cell {seen[grade_id]} from the top: "
                    "give one of them another name"
                )
            seen.setdefault(grade_id, number)
    yield from format_problem(nb, name)


def place(name: str, number: int, cell: NotebookNode) -> str:
    """Where a cell is, as a person finds it: by its name, its number and how it begins."""
    marks = cell.metadata.get("nbgrader")
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    lines = cell.source.strip().splitlines()
    begins = f"begins with {short(lines[0], 40)!r}" if lines else "empty"
    if isinstance(grade_id, str) and grade_id:
        return f"{name}, cell {grade_id} (number {number} from the top)"
    return f"{name}, cell {number} from the top ({begins})"


def metadata_problem(cell: NotebookNode, name: str) -> Iterator[str]:
    """What nbgrader's validator says about its metadata in a cell, and what to do."""
    if "nbgrader" not in cell.metadata:
        return
    validator = MetadataValidator()
    points = cell.metadata.nbgrader.get("points") if isinstance(cell.metadata.nbgrader, dict) else None
    try:
        validator.validate_cell(cell)
    except SchemaTooOldError as error:
        yield (
            f"nbgrader's metadata has version {error.actual_version}, and version {error.expected_version} is needed: "
            f"copy the folder for safety, then run `nbgrader update {name}` in it"
        )
    except SchemaTooNewError as error:
        yield (
            f"nbgrader's metadata has version {error.actual_version}, and the installed nbgrader knows "
            f"{error.expected_version}: install a newer nbgrader"
        )
    except ValidationError as error:
        key = str(error.path[0]) if error.path else ""
        reason = short(error.message, 200)
        if key == "points":
            yield points_problem(points)
            return
        yield f"nbgrader's `{key}`: {reason}: {FORMS.get(key, IN_PANEL)}" if key else f"{reason}: {IN_PANEL}"
    except Exception as error:  # the validator expects a dictionary with a number as version
        yield f"nbgrader's metadata is damaged ({short(f'{type(error).__name__}: {error}', 100)}): {IN_PANEL}"
    else:
        if isinstance(points, float) and not math.isfinite(points):
            yield points_problem(points)


def points_problem(points: object) -> str:
    """What is wrong with an item's points, which are no number that is 0 or more.

    >>> points_problem("4")
    "nbgrader's `points` is the text '4': write 4 without quotes"
    >>> points_problem(-1)
    "nbgrader's `points` is -1: write a number that is 0 or more"
    """
    if isinstance(points, str):
        number = re.fullmatch(r"\d+(\.\d+)?", points.strip())
        return f"nbgrader's `points` is the text {short(points, 40)!r}: write " + (
            f"{points.strip()} without quotes" if number else "a number that is 0 or more"
        )
    what = "empty" if points is None else short(repr(points), 40)
    return f"nbgrader's `points` is {what}: write a number that is 0 or more"


@lru_cache(maxsize=4)
def cutters(parent: Configurable) -> tuple[NbGraderPreprocessor, ...]:
    """nbgrader's steps that cut regions out, as a course has them. Making one takes longer than its work on a cell."""
    return tuple(step(parent=parent) for step in REGIONS)


def region_problem(cell: NotebookNode, language: str, parent: Configurable) -> Iterator[str]:
    """What nbgrader's steps that cut regions out say about a cell, and what they would say nothing about."""
    markers = []
    for cutter, names in zip(cutters(parent), REGIONS.values(), strict=True):
        begin, end = (getattr(cutter, name) for name in names)
        markers += [begin, end]
        try:
            with silent(cutter.log):
                cutter.preprocess_cell(deepcopy(cell), {"language": language}, 0)
        except Exception as error:
            reason = short(str(error), 300)
            if re.match("no end", reason, re.IGNORECASE):
                reason += f": write {end} where it ends"
            elif "nested" in reason:
                reason += f": write {end} before the next {begin}"
            elif "non-" in reason:
                reason += f" Mark the cell in nbgrader's Create Assignment panel, or take {begin} out."
            yield reason
            continue
        opened = 0
        for line in cell.source.split("\n"):
            opened += (begin in line) - (begin not in line and end in line)
            if opened < 0:
                yield f"{end} without {begin} before it, so that nothing would be cut out: add it, or take {end} out"
                break
    nbgraders = [getattr(step, name).default_value for step, names in REGIONS.items() for name in names]
    own = {stock: marker for stock, marker in zip(nbgraders, markers, strict=True) if stock not in markers}
    for line in cell.source.split("\n"):
        if any(marker in line for marker in markers):
            continue
        if meant := next((own[each] for each in own if each in line), None) or meant_marker(line, markers):
            yield (
                f"{line.strip()[:60]!r} is not one of the markers, so that nothing would be cut out: "
                f"write {as_written(meant)}"
            )
            break


def meant_marker(line: str, markers: Iterable[str]) -> str | None:
    """The marker that a line spells wrongly; None if it has one, or is none.

    In capitals, words may follow it, and one of its words may be left out; in a comment, two words may follow it.

    >>> meant_marker("### BEGIN HIDEN TEST", ["BEGIN SOLUTION", "BEGIN HIDDEN TESTS"])
    'BEGIN HIDDEN TESTS'
    >>> meant_marker("x = 1  # --- begin solution ---", ["BEGIN SOLUTION"])
    'BEGIN SOLUTION'
    >>> meant_marker("# BEGIN SOLUTION", ["### BEGIN SOLUTION"])
    '### BEGIN SOLUTION'
    >>> meant_marker("# the solution begins here", ["BEGIN SOLUTION"])
    """
    *code, text = COMMENT.split(re.sub(r"\W+$", "", line))
    if any(marker in line for marker in markers) or (not code and set("=(") & set(text)):
        return None
    words = re.findall(r"[^\W_]+", text)
    if TO_STUDENTS in map(str.upper, words):  # "BEGIN YOUR SOLUTION" tells students where to write
        return None
    for number in range(1, min(len(words), 4) + 1):
        begins, follow = "".join(words[:number]), len(words) - number
        capitals = begins.isupper() and (number > 1 or bool(code) or not follow)
        if not (capitals or (code and follow <= 2) or (not follow and "_" not in text)):
            continue
        for marker in markers:
            first, *others = bare(marker).split() or [""]
            meant = [marker, *(f"{first} {other}" for other in others if capitals)]
            if begins[0].upper() == first[:1] and any(alike(begins, letters(each)) for each in meant):
                return marker
    return None


def bare(marker: str) -> str:
    """A marker without what stands around its words."""
    return re.sub(r"^\W+|\W+$", "", marker)


def as_written(marker: str) -> str:
    """A marker as an author writes it.

    >>> as_written("BEGIN SOLUTION"), as_written("#@ BEGIN")
    ('### BEGIN SOLUTION', '#@ BEGIN')
    """
    return marker if bare(marker) != marker else f"### {marker}"


def alike(text: str, other: str) -> bool:
    """Whether a text has nearly the letters of another, which is in capitals."""
    return SequenceMatcher(None, text.upper(), other).ratio() >= ALIKE


def letters(text: str) -> str:
    """The letters of a text, in capitals and without what is between them."""
    return re.sub(r"[\W_]", "", text).upper()


def format_problem(nb: NotebookNode, name: str) -> Iterator[str]:
    """What the notebook format's schema says about a notebook."""
    try:
        with warnings.catch_warnings(action="ignore"):
            nbformat.validate(deepcopy(nb), relax_add_props=True)
    except nbformat.ValidationError as error:
        path = list(getattr(error, "relative_path", ()))
        at = place(name, path[1] + 1, nb.cells[path[1]]) if path[:1] == ["cells"] and len(path) > 1 else name
        yield f"{at}: not as the notebook format asks: {short(error.message, 200)}: make the cell anew in Jupyter"


class silent:
    """While it is entered, a logger says nothing: what nbgrader logs, the error says again."""

    def __init__(self, log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self.log = log.logger if isinstance(log, logging.LoggerAdapter) else log

    def __enter__(self) -> None:
        self.was, self.log.disabled = self.log.disabled, True

    def __exit__(self, *error: object) -> None:
        self.log.disabled = self.was


def short(text: str, length: int) -> str:
    """The text on one line, cut to so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
