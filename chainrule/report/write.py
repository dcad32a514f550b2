"""Writes an assignment's report: page, PDF and table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainrule.course import CourseFolder
from chainrule.marks.sheet import write_atomically
from chainrule.report.page import About, now, page, report_of
from chainrule.report.pdf import write_report_pdf
from chainrule.report.table import class_table
from chainrule.titles import assignment_title


@dataclass(frozen=True)
class Written:
    """The files of a report, and what it says first."""

    page: Path
    table: Path
    pdf: Path | None
    sentences: list[str]
    warnings: list[str]


def write_report(folder: CourseFolder, assignment: str, *, pdf: bool = True) -> Written:
    """Write reports/<assignment>.html, .csv and .pdf.

    Raises:
        CourseError: nothing of the assignment was graded.
        PDFError: no PDF can be made.
    """
    table = class_table(folder, assignment)
    target = folder.root / "reports" / f"{assignment}.html"
    csv = target.with_suffix(".csv")
    title = assignment_title(folder.notebooks(assignment), assignment, folder.config)
    course = folder.course.names.get(assignment) or folder.directory.course_id
    report = report_of(table, About(course, title, csv.name, now()))
    write_atomically(csv, table.to_csv())
    write_atomically(target, page(report).encode())
    warnings: list[str] = []
    if pdf:
        warnings = write_report_pdf(report, target.with_suffix(".pdf"))
    return Written(target, csv, target.with_suffix(".pdf") if pdf else None, report.sentences(), warnings)
