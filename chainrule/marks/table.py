"""Marks as CSV: a row per student and assignment, a column per item."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from chainrule.alternatives import Alternatives
from chainrule.directory import CourseDirectory
from chainrule.gradebook_tables import STUDENTS
from chainrule.marks.sheet import escape_formula
from chainrule.students.decisions import excused
from chainrule.submissions import GradedAssignment, Submission, graded_assignment, known_assignments

COLUMNS = [
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
]


def marks_table(
    connection: Connection,
    directory: CourseDirectory,
    alternatives: Mapping[str, Alternatives],
    assignments: Sequence[str] = (),
    students: Container[str] = (),
) -> bytes:
    """nbgrader's own columns, quoted where needed, then one per item.

    A student without a submission has 0 and a note; who is excused has a note and no score. Items that wait for a
    person are empty, `waiting` is their number, and the note says why, unless it is that nobody has marked them yet.

    Args:
        directory: where hand-ins and graded notebooks are.
        alternatives: `Course.alternatives`. The items of a notebook that doesn't count are empty.
        assignments, students: only these; all by default.
    """
    everyone = connection.execute(
        select(STUDENTS).order_by(STUDENTS.c.last_name, STUDENTS.c.first_name)
    ).all()
    rows: list[dict[str, Any]] = []
    items: dict[str, None] = {}
    for name in known_assignments(connection):
        if assignments and name not in assignments:
            continue
        assignment = graded_assignment(connection, name, alternatives.get(name, []))
        assert assignment is not None
        items |= dict.fromkeys(assignment.items.values())
        free = excused(connection, name)
        for student in everyone:
            if students and student.id not in students:
                continue
            row = _row(assignment, student)
            if submission := assignment.submissions.get(student.id):
                reasons = _why_waiting(directory, name, student.id, submission)
                row["note"] = "; ".join([*submission.notes, *reasons])
            else:
                row["note"] = _why_nothing(directory, name, student.id)
            if student.id in free:
                row |= {"score": "", "note": f"excused: {free[student.id].why}"}
            rows.append(row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*COLUMNS, "waiting", "note", *items], restval="")
    writer.writeheader()
    writer.writerows({key: escape_formula(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _row(assignment: GradedAssignment, student: Row[Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "assignment": assignment.name,
        "duedate": assignment.due,
        "student_id": student.id,
        "last_name": student.last_name,
        "first_name": student.first_name,
        "email": student.email,
        "max_score": assignment.maximum,
    }
    submission = assignment.submissions.get(student.id)
    if submission is None:
        return row | {"raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0, "waiting": 0}
    row |= {
        "timestamp": submission.received,
        "raw_score": submission.score,
        "late_submission_penalty": submission.penalty,
        "score": submission.final_score,
        "waiting": len(submission.waiting),
    }
    return row | {grade.item: "" if grade.needs_person else grade.score for grade in submission.grades}


def _why_nothing(directory: CourseDirectory, assignment: str, student: str) -> str:
    handed_in = Path(directory.format_path(directory.submitted_directory, student, assignment))
    return "handed in, not graded yet" if handed_in.is_dir() else "handed in nothing"


def _why_waiting(
    directory: CourseDirectory, assignment: str, student: str, submission: Submission
) -> list[str]:
    waiting = [(grade.notebook, grade.grade_id) for grade in submission.waiting]
    if not waiting:
        return []
    from chainrule.grading.verdicts import graded_cells, review_reasons  # which read notebooks

    folder = Path(directory.format_path(directory.autograded_directory, student, assignment))
    return [reason for _, cell in graded_cells(folder, waiting) for reason in review_reasons(cell)]
