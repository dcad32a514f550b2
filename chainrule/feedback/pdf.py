"""A student's feedback as PDF: the same points, results and comments as on the page."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from chainrule.course import CourseFolder
from chainrule.feedback.first import Advice, look_first
from chainrule.feedback.page import is_item
from chainrule.feedback.points import GetPoints, Head, Points, points_text, together
from chainrule.feedback.preprocessors import CHECKS_TYPE, SVG_TYPE, Redact, is_ours
from chainrule.handin.pdf import write_pdf
from chainrule.lesson.results import counted

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}


def write_feedback_pdf(folder: CourseFolder, assignment: str, student: str) -> list[str]:
    """Write feedback/<student>/<assignment>/feedback-<assignment>.pdf with all notebooks.

    Returns warnings, and raises `PDFError`, as `write_pdf` does.
    """
    source = folder.folder("autograded", student, assignment)
    target = folder.folder("feedback", student, assignment) / f"feedback-{assignment}.pdf"
    with tempfile.TemporaryDirectory(prefix="chainrule-feedback-") as scratch:
        for path in source.rglob("*"):
            if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.is_symlink():
                copy = Path(scratch) / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        notebooks, name, all_points, told = [], "", [], []
        head: Head | None = None
        for path in sorted(source.glob("*.ipynb")):
            nb, context = redacted(folder, assignment, student, path)
            notebooks.append(Path(scratch) / path.name)
            advices = look_first([context["points"]], source, due=context["due"])
            nbformat.write(printable(nb, context["points"], advices), notebooks[-1])
            name, head, all_points = context["student_name"], context["head"], context["all_points"]
            told = context["told"]
        total = together(assignment, all_points)
        return write_pdf(
            notebooks,
            target,
            title=f"Feedback: {head.assignment if head else assignment}",
            author=name or student,
            number=student,
            course=head.course if head else None,
            note=" ".join([*told, f"{sum_text(total)}."]),
        )


def sum_text(points: Points) -> str:
    """The total in words."""
    maximum = points.maximum
    text = f"{points_text(points.total, maximum)} of {counted(points_text(maximum, maximum))}"
    return f"{text} so far: {len(points.waiting)} not marked yet" if points.waits else text


def redacted(
    folder: CourseFolder, assignment: str, student: str, path: Path
) -> tuple[NotebookNode, dict[str, Any]]:
    """A graded notebook as its student may see it, and resources["nbgrader"] from `GetPoints`."""
    config = Config(folder.config)
    config.Exporter.default_preprocessors = []
    exporter = Exporter(config=config)
    for step in (GetPoints, Redact):
        exporter.register_preprocessor(step, enabled=True)
    context = {
        "student": student,
        "assignment": assignment,
        "notebook": path.stem,
        "db_url": folder.directory.db_url,
    }
    nb, resources = exporter.from_filename(str(path), resources={"nbgrader": context})
    return nb, resources["nbgrader"]


def printable(nb: NotebookNode, points: Points, first: Sequence[Advice] = ()) -> NotebookNode:
    """The notebook with its points, what to look at first, and with scores and comments as text at their cells."""
    cells = [new_markdown_cell(table(points))]
    if first:
        cells.append(new_markdown_cell(advices_text(first, points.maximum)))
    for cell in nb.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if is_item(cell):
            waits = ", not marked yet" if nbgrader.get("waits") else ""
            maximum = nbgrader["points"]
            score = f"{points_text(nbgrader['score'], maximum)} of {counted(points_text(maximum, maximum))}"
            title = plain(str(nbgrader.get("title") or nbgrader["grade_id"]))
            cells.append(new_markdown_cell(f"---\n\n**{title}**: {score}{waits}"))
        if is_item(cell) and is_ours(cell) and cell.cell_type == "code":
            # their code is long; the results are enough
            cell.source = f"# the checks of {nbgrader.get('title') or nbgrader['grade_id']}"
        for data in (output.data for output in cell.get("outputs", []) if "data" in output):
            data.pop(CHECKS_TYPE, None)
            if SVG_TYPE in data:
                data["image/svg+xml"] = data.pop(SVG_TYPE)
        cells.append(cell)
        for asked in nbgrader.get("requests", ()):
            text = (
                f"**You asked for another look: {plain(asked['outcome'])}**\n>\n> *{plain(asked['reason'])}*"
            )
            cells.append(new_markdown_cell(f"> {text}\n>\n> {plain(asked['answer'])}"))
        if nbgrader.get("rows"):
            cells.append(new_markdown_cell(f"**Marking**\n\n{nbgrader['rows']}"))
        if (nbgrader.get("solution") or nbgrader.get("task")) and nbgrader.get("comment"):
            comment = f"**Comment**\n\n{nbgrader['comment']}"
            cells.append(new_markdown_cell("".join(f"> {line}\n" for line in comment.splitlines())))
    nb.cells = cells
    return nb


def advices_text(advices: Sequence[Advice], maximum: float) -> str:
    """What to look at first, in Markdown."""
    lines = ["## Look at this first", ""]
    for number, advice in enumerate(advices, 1):
        where = ", ".join(place.title for place in advice.places)
        lost = counted(points_text(advice.lost, maximum))
        hint = f" *Hint: {plain(advice.hint)}*" if advice.hint else ""
        lines.append(f"{number}. **{plain(where)}** ({lost}): {plain(advice.text)}{hint}")
    return "\n".join(lines)


SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|$~^])")


def plain(text: str) -> str:
    """A text as Markdown that shows just this."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def table(points: Points) -> str:
    """Points by question in Markdown."""
    maximum = points.maximum
    rows = [
        (
            plain((question.items[0].title if len(question.items) == 1 else "") or question.title),
            "not marked yet"
            if question.waits and not question.sum
            else points_text(question.sum, question.maximum) + " so far" * question.waits,
            points_text(question.maximum, question.maximum),
        )
        for question in points.questions
    ]
    if points.deducted:
        rows.append(("Sum", points_text(points.sum, maximum), points_text(maximum, maximum)))
        rows.append(("Taken off", f"−{points_text(points.deducted, maximum)}", ""))
    total = f"**{points_text(points.total, maximum)}**"
    rows.append((f"**Total{' so far' * points.waits}**", total, f"**{points_text(maximum, maximum)}**"))
    lines = ["| Question | Points | Out of |", "|:--|--:|--:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"## Points: {points.title}\n\n" + "\n".join(lines)
