"""What need not be recorded again, because nothing has changed that the record depends on: students, assignments.

nbgrader takes half a second of processor time to record a student, and as long for each notebook of the assignment.
So a fingerprint of all that a record depends on, and of what came out, is kept in a table of ours in the gradebook's
database.
"""

from __future__ import annotations

from typing import Any

from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    SolutionCell,
    SourceCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Column, MetaData, String, Table, delete, insert, select
from traitlets.config import Config

from chainrule.config import GRADE, RELEASE, SANITISE
from chainrule.course import CourseFolder
from chainrule.grading.store import as_json, contents, digest, our_code, stamp, versions

RECORDED = Table(
    "chainrule_recorded",
    MetaData(),
    Column("submission", String(32), primary_key=True),  # the id of nbgrader's row, or of the assignment's
    Column("depends", String(32), nullable=False),  # the fingerprint
)


CELLS = {
    GradeCell: ["max_score", "cell_type"],
    TaskCell: ["max_score", "cell_type"],
    SourceCell: ["checksum", "locked"],
    SolutionCell: [],
}  # nbgrader's tables of an assignment's cells, with what may change


def has_only_known_steps(config: Config) -> bool:
    """Whether a record depends on nothing but what `depends_on` looks at.

    A course's own step or late policy may read anything.
    """
    plugged = [config[name] for name in ("AssignLatePenalties", "LatePenalties") if name in config]
    return (
        config.Autograde.get("autograde_preprocessors") == GRADE
        and config.Autograde.get("sanitize_preprocessors") == SANITISE
        and not any("plugin_class" in options for options in plugged)
    )


def depends_on(folder: CourseFolder, assignment: str, options: Config, shared: Any) -> str:
    """The part of the fingerprint that all students of an assignment have in common.

    Args:
        options: the course's; those of `Run` are left out, because the keys of the runs say what they change.
        shared: repairs that all hand-ins needed, as values that JSON has.
    """
    sources = contents(folder.notebooks(assignment))
    others = sorted((name, repr(section)) for name, section in options.items() if name != "Run")
    return digest(as_json([sources, others, shared]))


def fingerprint(
    gradebook: Gradebook, folder: CourseFolder, assignment: str, student: str, about: Any
) -> tuple[str, str] | None:
    """What a student's record depends on, and what stands in the gradebook and in autograded/.

    Args:
        about: what else it depends on, as values that JSON has.
    Returns:
        The id of nbgrader's row of the submission, and the fingerprint; None if there is no row.
    """
    rows = gradebook.db.execute(
        select(
            SubmittedAssignment.id,
            SubmittedAssignment.timestamp,
            SubmittedAssignment.extension,
            Assignment.duedate,
            Notebook.name,
            SubmittedNotebook.late_submission_penalty,
            Grade.id,
            Grade.auto_score,
            Grade.manual_score,
            Grade.extra_credit,
            Grade.needs_manual_grade,
        )
        .select_from(SubmittedAssignment)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .outerjoin(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .where(Assignment.name == assignment, Student.id == student)
    ).all()
    if not rows:
        return None
    comments = gradebook.db.execute(
        select(Comment.id, Comment.auto_comment)
        .join(SubmittedNotebook, SubmittedNotebook.id == Comment.notebook_id)
        .where(SubmittedNotebook.assignment_id == rows[0].id)
    ).all()
    stands = sorted([str(value) for value in row] for row in [*rows, *comments])
    handed_in = contents([folder.folder("submitted", student, assignment)])
    graded = [
        [path.name, *stamp(path)]
        for path in sorted(folder.folder("autograded", student, assignment).glob("*"))
    ]
    return rows[0].id, digest(as_json([about, handed_in, stands, graded]))


def releases_by_known_steps(config: Config) -> bool:
    """Whether a release depends on nothing but what `assignment_fingerprint` looks at."""
    return config.GenerateAssignment.get("preprocessors") == RELEASE and "IncludeHeaderFooter" not in config


def assignment_fingerprint(
    gradebook: Gradebook, folder: CourseFolder, assignment: str
) -> tuple[str, str] | None:
    """What an assignment's record depends on, and what stands in the gradebook and in release/.

    Returns:
        The id of nbgrader's row of the assignment, and the fingerprint; None if there is no row.
    """
    row = gradebook.db.execute(
        select(Assignment.id, Assignment.duedate).where(Assignment.name == assignment)
    ).one_or_none()
    if row is None:
        return None
    notebooks = gradebook.db.execute(
        select(Notebook.id, Notebook.name).where(Notebook.assignment_id == row.id)
    ).all()
    of = [notebook.id for notebook in notebooks]
    cells = [
        cell
        for kind, named in CELLS.items()
        for cell in gradebook.db.execute(
            select(*(getattr(kind, name) for name in ("id", "name", *named))).where(kind.notebook_id.in_(of))
        )
    ]
    people = gradebook.db.execute(select(Student.id, Student.last_name, Student.first_name, Student.email))
    stands = sorted([str(value) for value in each] for each in [row, *notebooks, *cells, *people])
    roster = folder.root / folder.course.roster
    given = contents([folder.folder("source", ".", assignment), *([roster] if roster.exists() else [])])
    made = [
        [str(path.relative_to(folder.root)), *stamp(path)]
        for kind in (folder.folder("release", ".", assignment), folder.root / "versions" / assignment)
        for path in sorted(kind.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    options = sorted((name, repr(section)) for name, section in folder.config.items())
    return row.id, digest(as_json([our_code(), versions(), options, given, made, stands]))


def is_recorded(gradebook: Gradebook, found: tuple[str, str] | None) -> bool:
    """Whether this fingerprint is the one that was kept when the student was recorded last."""
    RECORDED.create(gradebook.engine, checkfirst=True)
    if found is None:
        return False
    kept = select(RECORDED.c.depends).where(RECORDED.c.submission == found[0])
    return bool(gradebook.db.execute(kept).scalar_one_or_none() == found[1])


def keep_recorded(gradebook: Gradebook, found: tuple[str, str] | None) -> None:
    """Keep the fingerprint of a student who has just been recorded."""
    if found is not None:
        RECORDED.create(gradebook.engine, checkfirst=True)
        gradebook.db.execute(delete(RECORDED).where(RECORDED.c.submission == found[0]))
        gradebook.db.execute(insert(RECORDED).values(submission=found[0], depends=found[1]))
        gradebook.db.commit()
