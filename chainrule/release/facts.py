"""Facts of the course in texts that students read: due dates, rules, points and names come from nbgrader_config.py.

A Markdown cell with facts has metadata, `chainrule.facts`: a template for each snippet of its source. At release a
template replaces its snippet, and in it `@due@` is replaced by the assignment's due date:

    {"Due 13 July 2026, noon.": "Due @due@."}

In the .md files beside the notebooks, such as README.md, facts are written directly: `upload the files to @lms@`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.course import CONFIG, Course, CourseError, CourseFolder
from chainrule.handin.file_names import FilePattern, StudentName
from chainrule.intake.notebook import read_source
from chainrule.metadata import cell_name, source_cell
from chainrule.release.numbers import remove_marks

FACT = re.compile(r"@(course|due|late|lms|total|file:\d+|points:[\w+-]+)@")
LIKE_A_FACT = re.compile(r"@(\w+(?::[\w+-]*)?)@")
DUE_DATE = re.compile(r"(?i)\bdue\b[^\n]{0,40}\b20\d\d\b")
STUDENT = StudentName("Lastname", "Firstname", "")


def fact(course: Course, assignment: str, name: str, nb: NotebookNode | None = None) -> str:
    """A fact as students read it.

    Args:
        name: `course`, `due`, `late`, `lms`; `file:1` for the first file of c.Course.handin; with a notebook also
            `total` and `points:intro`, the points of the items whose names begin so (`points:intro+end` for several).
    Raises:
        CourseError: nbgrader_config.py doesn't say it, or there is no such fact.
    """
    kind, _, which = name.partition(":")
    match kind:
        case "course" | "lms":
            option = {"course": "names", "lms": "lms"}[kind]
            if value := getattr(course, option).get(assignment):
                return str(value)
        case "due":
            option = "due"
            if due := course.due_date(assignment):
                local = due.astimezone(zone := course.zone(assignment))
                city = zone.key.rpartition("/")[2].replace("_", " ")
                return f"{local:%A %-d %B %Y, %H:%M} ({city} time)"
        case "late":
            option = "late"
            if rule := course.late_rule(assignment):
                days = course.grace_days
                grace = (
                    f" You have {days} grace day{'s' * (days != 1)} in the term."
                    if days and rule.costs
                    else ""
                )
                return rule.sentence() + grace
        case "file":
            option = "handin"
            patterns = course.handin.get(assignment, [])
            if which.isdigit() and 1 <= int(which) <= len(patterns):
                return FilePattern.parse(patterns[int(which) - 1]).file_name(STUDENT, assignment)
        case "total" | "points" if nb is not None:
            found = dict(item_points(nb))
            if kind == "total":
                return f"{sum(found.values()):g}"
            wanted = {item for prefix in which.split("+") for item in found if _begins(item, prefix)}
            if wanted:
                return f"{sum(found[item] for item in wanted):g}"
            raise CourseError(f"@{name}@: no item's name begins so: {', '.join(found)}")
        case _:
            raise CourseError(
                f"@{name}@ is no fact here: write one of course, due, late, lms, file:1, total, points:ITEM"
            )
    raise CourseError(f"@{name}@ is asked for: write c.Course.{option}[{assignment!r}] in {CONFIG}")


def _begins(item: str, prefix: str) -> bool:
    rest = item[len(prefix) :]
    return item.startswith(prefix) and not (rest[:1].isdigit() and prefix[-1:].isdigit())


def item_points(nb: NotebookNode) -> Iterator[tuple[str, float]]:
    """The maximum of each item and task, by its name."""
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade") or marks.get("task"):
            yield str(marks.get("grade_id", "")), float(marks.get("points", 0))


def filled(course: Course, assignment: str, text: str, nb: NotebookNode | None = None) -> str:
    """A text with facts in place of their names."""
    return FACT.sub(lambda found: fact(course, assignment, found[1], nb), text)


def filled_cell(course: Course, assignment: str, cell: NotebookNode, nb: NotebookNode) -> dict[str, str]:
    """What replaces each snippet of a cell.

    Raises:
        CourseError: a snippet is not in the cell, or a fact is not known. The message names the cell.
    """
    texts = {}
    for snippet, template in source_cell(cell).get("facts", {}).items():
        try:
            if snippet not in cell.source:
                raise CourseError(
                    f"{snippet!r} is in its chainrule.facts and not in its text: make them agree"
                )
            for name in LIKE_A_FACT.findall(template):
                fact(course, assignment, name, nb)  # also those that FACT doesn't match are told
            texts[snippet] = filled(course, assignment, template, nb)
        except CourseError as error:
            raise CourseError(f"cell {cell_name(cell)}: {error}") from None
    return texts


def replaced(source: str, texts: dict[str, str]) -> str:
    """The text with its snippets replaced, all in one pass."""
    if not texts:
        return source
    longest_first = sorted(texts, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: texts[found[0]], source)


def fill_known(course: Course, assignment: str, nb: NotebookNode) -> None:
    """Put those facts that are known into a notebook's texts; `chainrule check` and `release` tell the others."""
    for cell in nb.cells:
        try:
            cell.source = replaced(cell.source, filled_cell(course, assignment, cell, nb))
        except CourseError:
            continue


class FillFacts(NbGraderPreprocessor):
    """Put the course's facts into the texts of a notebook, and into the .md files beside it."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        course, assignment = Course(parent=self), resources["nbgrader"]["assignment"]
        for cell in nb.cells:
            cell.source = replaced(cell.source, filled_cell(course, assignment, cell, nb))
            remove_marks(cell, "facts")
        directory = CourseDirectory(parent=self)
        folder = Path(directory.root, directory.format_path(directory.source_directory, ".", assignment))
        for path in sorted(folder.glob("*.md")):
            text = path.read_text(encoding="utf-8")
            if FACT.search(text):
                # nbconvert's FilesWriter writes resources["outputs"] beside the notebook
                outputs = resources.setdefault("outputs", {})
                outputs[path.name] = filled(course, assignment, text).encode()
        return nb, resources


# ---- checking a source ------------------------------------------------------------------------------------------


def fact_slips(folder: CourseFolder, assignment: str) -> list[str]:
    """What an assignment's texts say of facts, and should not, a sentence each."""
    found = []
    for path in folder.notebooks(assignment):
        found += fact_problems(folder.course, assignment, read_source(path), path.name)
    for path in sorted(folder.folder("source", ".", assignment).glob("*.md")):
        text = path.read_text(encoding="utf-8")
        try:
            filled(folder.course, assignment, text)
        except CourseError as error:
            found.append(f"{path.name}: {error}")
        found += [f"{path.name}: {stray}" for stray in stray_dates(text)]
    return found


def fact_problems(course: Course, assignment: str, nb: NotebookNode, name: str) -> list[str]:
    """Facts that cannot be filled in, that the source states differently, or that stand there by themselves."""
    found = []
    for cell in nb.cells:
        try:
            texts = filled_cell(course, assignment, cell, nb)
        except CourseError as error:
            found.append(f"{name}, {error}")
            continue
        found += [
            f"{name}, cell {cell_name(cell)}: the source says {snippet!r}, and by {CONFIG} it is {text!r}: run "
            f"`chainrule check {assignment} --write`"
            for snippet, text in texts.items()
            if snippet != text
        ]
        if cell.cell_type == "markdown":
            rest = replaced(cell.source, dict.fromkeys(texts, ""))
            found += [f"{name}, cell {cell_name(cell)}: {stray}" for stray in stray_dates(rest)]
    return found


def stray_dates(text: str) -> list[str]:
    """A sentence about each due date that is written by hand."""
    return [
        f"{match[0]!r} is a due date written by hand, which stays when {CONFIG} changes: write @due@ by a template "
        "(docs/instructors.md)"
        for match in DUE_DATE.finditer(text)
    ]


def write_facts(folder: CourseFolder, assignment: str) -> list[Path]:
    """Bring what the source's notebooks say up to date with nbgrader_config.py. Returns the notebooks that changed."""
    changed = []
    for path in folder.notebooks(assignment):
        nb = nbformat.read(path, as_version=4)
        before = nbformat.v4.writes(nb)
        for cell in nb.cells:
            texts = filled_cell(folder.course, assignment, cell, nb)
            if texts:
                cell.source = replaced(cell.source, texts)
                templates = cell.metadata.chainrule.facts
                cell.metadata.chainrule.facts = {texts[snippet]: templates[snippet] for snippet in texts}
        if nbformat.v4.writes(nb) != before:
            nbformat.write(nb, path)
            changed.append(path)
    return changed
