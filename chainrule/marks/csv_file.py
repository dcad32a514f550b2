"""Marks for `nbgrader export`."""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin

from chainrule.course import Course
from chainrule.directory import CourseDirectory
from chainrule.marks.sheet import write_atomically
from chainrule.marks.table import marks_table


class MarksCsv(ExportPlugin):
    """`nbgrader export` plug-in: the table that `chainrule marks` writes."""

    def export(self, gradebook: Gradebook) -> None:
        target = Path(self.to or "grades.csv")
        table = marks_table(
            gradebook.db.connection(),
            CourseDirectory(parent=self),
            Course(parent=self).alternatives,
            [str(name) for name in self.assignment],
            [str(name) for name in self.student],
        )
        write_atomically(target, table)
        self.log.info("Marks written to %s", target)
