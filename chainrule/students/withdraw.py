"""Undoing an intake or a grading. What is taken out is kept in withdrawn/, and can be put back."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from nbgrader.api import Comment, Grade, Gradebook, MissingEntry
from sqlalchemy import Connection, Table, delete, insert, inspect, select

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.gradebook_tables import ANSWERS
from chainrule.marking.tables import MARKS, SECOND_MARKS
from chainrule.one_writer import one_writer
from chainrule.students.decide import require_students, submitted, total_text
from chainrule.students.decisions import TAKEN_BACK, Decision, Kind, in_force, record
from chainrule.students.lateness import decision_text, settle

STEPS = ("submitted", "autograded", "feedback")
RECORD = "gradebook.json"
GRADE = ("auto_score", "manual_score", "extra_credit", "needs_manual_grade")
COMMENT = ("auto_comment", "manual_comment")


def withdraw(
    folder: CourseFolder,
    assignment: str,
    student: str,
    why: str,
    who: str,
    *,
    grading: bool = False,
    dry_run: bool = False,
) -> list[str]:
    """Take a student's hand-in out of the course: its files, and what the gradebook and the marking room know of it.

    Args:
        grading: leave what was handed in, and undo only its grading.
        dry_run: say what would be done.
    Raises:
        CourseError: there is nothing to withdraw.
    """
    folder.require(assignment)
    with (
        one_writer(folder.root),
        open_gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook,
    ):
        connection = gradebook.db.connection()
        require_students(folder, connection, [student])
        submission = submitted(folder, connection, assignment, student)
        parts = {step: folder.folder(step, student, assignment) for step in STEPS[grading:]}
        parts = {step: path for step, path in parts.items() if path.exists()}
        if not parts and submission is None:
            raise CourseError(
                f"{student} has {'nothing graded' if grading else 'handed in nothing'} in {assignment}"
            )
        moment = datetime.now(UTC)
        kept = folder.root / "withdrawn" / assignment / student / f"{moment:%Y-%m-%d %H.%M.%S.%f}"
        state = dump(gradebook, assignment, student)
        marked = sum(
            grade["manual_score"] is not None
            for notebook in (state or {"notebooks": {}})["notebooks"].values()
            for grade in notebook["grades"].values()
        )
        lines = [f"{path.relative_to(folder.root)}/" for path in parts.values()]
        if submission:
            by_hand = f", {marked} of its items marked by people" if marked else ""
            lines.append(f"in the gradebook: a total of {total_text(submission, student)}{by_hand}")
        where = str(kept.relative_to(folder.root))
        if dry_run:
            return ["would be taken out and kept:", *(f"  {line}" for line in lines), "nothing was changed"]
        kept.mkdir(parents=True)
        (kept / RECORD).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        if submission:
            forget(gradebook, assignment, student)
        one = Decision(assignment, student, Kind.withdrawal, where, why, who, time.time())
        record(gradebook.db.connection(), one)
        gradebook.db.commit()
        for step, path in parts.items():
            shutil.move(path, kept / step)
        if submission:
            settle(folder.course, gradebook.db.connection(), student)  # grace days may be free again
            gradebook.db.commit()
        return [
            decision_text(folder.course, one),
            *(f"  {line}" for line in lines),
            f"put it back by `chainrule withdraw {assignment} {student} --undo`",
            *([] if grading else ["the same download, taken in again, brings the hand-in back, too"]),
        ]


def put_back(folder: CourseFolder, assignment: str, student: str, why: str, who: str) -> list[str]:
    """Put the hand-in back that was withdrawn last.

    Raises:
        CourseError: nothing was withdrawn, or there is another hand-in by now.
    """
    folder.require(assignment)
    with (
        one_writer(folder.root),
        open_gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook,
    ):
        withdrawn = [
            one
            for one in in_force(gradebook.db.connection(), assignment, student)
            if one.kind is Kind.withdrawal
        ]
        if not withdrawn:
            raise CourseError(f"nothing of {student} was withdrawn from {assignment}")
        kept = folder.root / withdrawn[-1].value
        if not (kept / RECORD).is_file():
            raise CourseError(f"{kept} is gone: what was withdrawn was kept there")
        targets = {step: folder.folder(step, student, assignment) for step in STEPS if (kept / step).exists()}
        if taken := [path for path in targets.values() if path.exists()]:
            raise CourseError(
                f"{taken[0].relative_to(folder.root)} is there again: withdraw that first, then copy what you want "
                f"from {kept.relative_to(folder.root)}"
            )
        if submitted(folder, gradebook.db.connection(), assignment, student):
            raise CourseError(f"{student} was graded again in {assignment}: withdraw that first by --grading")
        state = json.loads((kept / RECORD).read_text(encoding="utf-8"))
        for step, path in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(kept / step, path)
        if state:
            load(gradebook, assignment, student, state)
        one = Decision(assignment, student, Kind.withdrawal, TAKEN_BACK, why, who, time.time())
        connection = gradebook.db.connection()
        record(connection, one)
        if state:
            settle(folder.course, connection, student)
        total = total_text(submitted(folder, connection, assignment, student), student)
        gradebook.db.commit()
        return [decision_text(folder.course, one), f"  total {total}"]


# ---- what the gradebook knows of a hand-in ---------------------------------------------------------------------


def dump(gradebook: Gradebook, assignment: str, student: str) -> dict[str, Any] | None:
    """What the gradebook and the marking room know of a hand-in, for `load`; None if that is nothing."""
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return None
    connection = gradebook.db.connection()
    notebooks = {}
    for notebook in submission.notebooks:
        notebooks[notebook.name] = {
            "late_submission_penalty": notebook.late_submission_penalty,
            "grades": {one.name: _dump(connection, one, GRADE) for one in notebook.grades},
            "comments": {one.name: _dump(connection, one, COMMENT) for one in notebook.comments},
        }
    return {
        "timestamp": submission.timestamp.isoformat() if submission.timestamp else None,
        "extension": submission.extension.total_seconds() if submission.extension else None,
        "notebooks": notebooks,
        "marking room": {
            table.name: [dict(row) for row in connection.execute(query).mappings()]
            for table, query in _room(connection, assignment, student)
        },
    }


def _dump(connection: Connection, one: Grade | Comment, names: tuple[str, ...]) -> dict[str, Any]:
    known: list[dict[str, Any]] = []
    if inspect(connection).has_table(ANSWERS.name):
        rows = connection.execute(select(ANSWERS).where(ANSWERS.c.id == one.id)).mappings()
        known = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    return {**{name: getattr(one, name) for name in names}, "answers": known}


def _room(connection: Connection, assignment: str, student: str) -> Iterator[tuple[Table, Any]]:
    for table in (MARKS, SECOND_MARKS):
        if inspect(connection).has_table(table.name):
            mine = (table.c.assignment == assignment, table.c.student == student)
            yield table, select(table).where(*mine)


def forget(gradebook: Gradebook, assignment: str, student: str) -> None:
    """Remove a hand-in from the gradebook and the marking room; the history of marks stays."""
    connection = gradebook.db.connection()
    for table, _ in list(_room(connection, assignment, student)):
        connection.execute(delete(table).where(table.c.assignment == assignment, table.c.student == student))
    if inspect(connection).has_table(ANSWERS.name):
        submission = gradebook.find_submission(assignment, student)
        ids = [one.id for notebook in submission.notebooks for one in (*notebook.grades, *notebook.comments)]
        connection.execute(delete(ANSWERS).where(ANSWERS.c.id.in_(ids)))
    gradebook.remove_submission(assignment, student)


def load(gradebook: Gradebook, assignment: str, student: str, state: dict[str, Any]) -> None:
    """Write into the gradebook and the marking room what `dump` has read."""
    submission = gradebook.add_submission(assignment, student)
    if state["timestamp"]:
        submission.timestamp = datetime.fromisoformat(state["timestamp"])
    if state["extension"]:
        submission.extension = timedelta(seconds=state["extension"])
    connection = gradebook.db.connection()
    for notebook in submission.notebooks:
        kept = state["notebooks"].get(notebook.name)
        if kept is None:
            continue  # an instructor has added it since
        notebook.late_submission_penalty = kept["late_submission_penalty"]
        for ours, theirs, names in (
            (notebook.grades, kept["grades"], GRADE),
            (notebook.comments, kept["comments"], COMMENT),
        ):
            for one in ours:
                known = theirs.get(one.name)
                if known:
                    for name in names:
                        setattr(one, name, known[name])
                    for answer in known["answers"]:
                        ANSWERS.create(connection, checkfirst=True)
                        connection.execute(insert(ANSWERS).values(id=one.id, **answer))
    gradebook.db.flush()
    tables = {table.name: table for table, _ in _room(connection, assignment, student)}
    for name, rows in state["marking room"].items():
        if rows and name in tables:
            connection.execute(insert(tables[name]), rows)
