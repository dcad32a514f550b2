"""A student's feedback as PDF: the same points, results and comments as on the page."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from chainrule.course import CourseFolder
from chainrule.feedback.page import is_item
from chainrule.feedback.points import GetPoints, Points, shown
from chainrule.feedback.preprocessors import CHECKS_TYPE, DRAWING_TYPE, Redact, is_ours
from chainrule.handin.pdf import write_pdf

PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}


def write_feedback_pdf(folder: CourseFolder, assignment: str, student: str) -> list[str]:
    """Write feedback/<student>/<assignment>/feedback-<assignment>.pdf, all notebooks in one.

    Returns warnings: what it does not show as the notebook does. Raises `PDFError`.
    """
    source = folder.folder("autograded", student, assignment)
    target = folder.folder("feedback", student, assignment) / f"feedback-{assignment}.pdf"
    with tempfile.TemporaryDirectory(prefix="chainrule-feedback-") as scratch:
        for path in source.rglob("*"):
            if path.suffix.lower() in PICTURES and path.is_file() and not path.is_symlink():
                there = Path(scratch) / path.relative_to(source)
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there)
        written, name = [], ""
        for path in sorted(source.glob("*.ipynb")):
            nb, about = redacted(folder, assignment, student, path)
            written.append(Path(scratch) / path.name)
            nbformat.write(printable(nb, about["points"]), written[-1])
            name = about["student_name"]
        title = f"Feedback: {assignment}"
        return write_pdf(written, target, title=title, author=name or student, number=student)


def redacted(
    folder: CourseFolder, assignment: str, student: str, path: Path
) -> tuple[NotebookNode, dict[str, Any]]:
    """A graded notebook as its student may see it, and resources["nbgrader"] of `GetPoints`."""
    config = folder.config.copy()
    config.Exporter.default_preprocessors = []
    exporter = Exporter(config=config)
    for step in (GetPoints, Redact):
        exporter.register_preprocessor(step, enabled=True)
    about = {
        "student": student,
        "assignment": assignment,
        "notebook": path.stem,
        "db_url": folder.directory.db_url,
    }
    nb, resources = exporter.from_filename(str(path), resources={"nbgrader": about})
    return nb, resources["nbgrader"]


def printable(nb: NotebookNode, points: Points) -> NotebookNode:
    """The notebook with its points, and with scores and comments as text at their cells."""
    cells = [new_markdown_cell(table(points))]
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if is_item(cell):
            waits = ", not marked yet" if marks.get("waits") else ""
            score = f"{shown(marks['score'], marks['points'])} of {shown(marks['points'], marks['points'])} points"
            cells.append(new_markdown_cell(f"---\n\n**{marks['grade_id']}**: {score}{waits}"))
        if is_item(cell) and is_ours(cell) and cell.cell_type == "code":
            cell.source = f"# the checks of {marks['grade_id']}"  # their code is long; the results say what they are
        for data in (output.data for output in cell.get("outputs", []) if "data" in output):
            data.pop(CHECKS_TYPE, None)
            if DRAWING_TYPE in data:
                data["image/svg+xml"] = data.pop(DRAWING_TYPE)
        cells.append(cell)
        if (marks.get("solution") or marks.get("task")) and marks.get("comment"):
            comment = f"**Comment**\n\n{marks['comment']}"
            cells.append(new_markdown_cell("".join(f"> {line}\n" for line in comment.splitlines())))
    nb.cells = cells
    return nb


def table(points: Points) -> str:
    """Points by question in Markdown."""
    maximum = points.maximum
    rows = [
        (
            part.title,
            "not marked yet"
            if part.waits and not part.sum
            else shown(part.sum, part.maximum) + " so far" * part.waits,
            shown(part.maximum, part.maximum),
        )
        for part in points.questions
    ]
    if points.taken:
        rows.append(("Sum", shown(points.sum, maximum), shown(maximum, maximum)))
        rows.append(("Late penalty", f"−{shown(points.taken, maximum)}", ""))
    total = f"**{shown(points.total, maximum)}**"
    rows.append((f"**Total{' so far' * points.waits}**", total, f"**{shown(maximum, maximum)}**"))
    lines = ["| Question | Points | Out of |", "|:--|--:|--:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"## Points: {points.title}\n\n" + "\n".join(lines)
