"""Marks as CSV: a row per student and assignment, a column per item."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin

from chainrule.grading.verdicts import graded_cells, review_reasons
from chainrule.items import gradebook_items
from chainrule.marks.sheet import escape_formula, write_atomically
from chainrule.marks.totals import final_score, waiting_items
from chainrule.students.decisions import excused

COLUMNS = [
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
]


class MarksCsv(ExportPlugin):
    """`nbgrader export` plug-in. Writes nbgrader's own columns, quoted where needed, then one per item.

    A student without a submission has 0 and a note; who is excused has a note and no score. Items that wait for a
    person are empty, `waiting` is their number, and the note says why, unless it is that nobody has marked them yet.
    """

    def export(self, gradebook: Gradebook) -> None:
        target = Path(self.to or "grades.csv")
        assignments = [
            a for a in gradebook.assignments if not self.assignment or a.name in map(str, self.assignment)
        ]
        items = dict.fromkeys(name for each in assignments for name in gradebook_items(each).values())
        rows = []
        for assignment in assignments:
            free = excused(gradebook.db.connection(), assignment.name)
            for student in gradebook.students:
                if not self.student or student.id in map(str, self.student):
                    row = _row(gradebook, assignment, student)
                    if "timestamp" not in row:
                        row["note"] = self._why_nothing(assignment.name, student.id)
                    elif row["waiting"]:
                        row["note"] = self._why_waiting(gradebook, assignment.name, student.id)
                    if student.id in free:
                        row |= {"score": "", "note": f"excused: {free[student.id].why}"}
                    rows.append(row)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [*COLUMNS, "waiting", "note", *items], restval="")
        writer.writeheader()
        writer.writerows({key: escape_formula(value) for key, value in row.items()} for row in rows)
        write_atomically(target, text.getvalue().encode())
        self.log.info("Marks of %d students written to %s", len(rows), target)

    def _why_nothing(self, assignment: str, student: str) -> str:
        handed_in = self._folder("submitted", student, assignment)
        return "handed in, not graded yet" if handed_in.is_dir() else "handed in nothing"

    def _why_waiting(self, gradebook: Gradebook, assignment: str, student: str) -> str:
        waiting = waiting_items(gradebook.find_submission(assignment, student)).values()
        cells = graded_cells(self._folder("autograded", student, assignment), waiting)
        return "; ".join(reason for _, cell in cells for reason in review_reasons(cell))

    def _folder(self, step: str, student: str, assignment: str) -> Path:
        directory = CourseDirectory(parent=self)
        folder = getattr(directory, f"{step}_directory")
        return Path(directory.root, directory.format_path(folder, student, assignment))


def _row(gradebook: Gradebook, assignment: Any, student: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "assignment": assignment.name,
        "duedate": assignment.duedate,
        "student_id": student.id,
        "last_name": student.last_name,
        "first_name": student.first_name,
        "email": student.email,
        "max_score": assignment.max_score,
    }
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        return row | {"raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0, "waiting": 0}
    names, waiting = gradebook_items(assignment), waiting_items(submission)
    scores = {
        names[notebook.name, grade.name]: grade.score
        for notebook in submission.notebooks
        for grade in notebook.grades
    }
    row |= {
        "timestamp": submission.timestamp,
        "raw_score": submission.score,
        "late_submission_penalty": submission.late_submission_penalty or 0.0,
        "score": final_score(submission),
        "waiting": len(waiting),
    }
    return row | {name: "" if name in waiting else score for name, score in scores.items()}
