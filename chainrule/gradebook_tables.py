"""The gradebook's tables, for SQL: nbgrader's, as far as we ask for them, and our own beside its rows.

nbgrader's mapped classes take longer to make a query of, and to import: they bring nbconvert and a Jupyter server. A
test compares the columns with theirs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    Interval,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    column,
    select,
    table,
)

ASSIGNMENTS = table("assignment", column("id", String), column("name", String), column("duedate", DateTime))
SOURCES = table("notebook", column("id", String), column("name", String), column("assignment_id", String))
CELLS = table(
    "base_cell",
    column("id", String),
    column("name", String),
    column("notebook_id", String),
    column("type", String),
)
MAXIMA = table("grade_cells", column("id", String), column("max_score", Float), column("cell_type", String))
TASKS = table("task_cells", column("id", String), column("max_score", Float))
STUDENTS = table(
    "student",
    column("id", String),
    column("first_name", String),
    column("last_name", String),
    column("email", String),
    column("lms_user_id", String),  # so that a gradebook without it, an earlier nbgrader's, is told at once
)
SUBMISSIONS = table(
    "submitted_assignment",
    column("id", String),
    column("assignment_id", String),
    column("student_id", String),
    column("timestamp", DateTime),
    column("extension", Interval),
)
NOTEBOOKS = table(
    "submitted_notebook",
    column("id", String),
    column("assignment_id", String),
    column("notebook_id", String),
    column("late_submission_penalty", Float),
)
GRADES = table(
    "grade",
    column("id", String),
    column("notebook_id", String),
    column("cell_id", String),
    column("auto_score", Float),
    column("manual_score", Float),
    column("extra_credit", Float),
    column("needs_manual_grade", Boolean),
)
COMMENTS = table(
    "comment",
    column("id", String),
    column("notebook_id", String),
    column("cell_id", String),
    column("auto_comment", Text),
    column("manual_comment", Text),
)

ANSWERS = Table(
    "chainrule_answer",
    MetaData(),
    Column("id", String(32), primary_key=True),  # of nbgrader's grade or comment
    Column("answer", String(32), primary_key=True),  # the answer's fingerprint
    Column("number", Integer, nullable=False),  # the answer with the highest number is the one recorded last
    Column("maximum", Float),  # of the item, when this answer was recorded last
    Column("score", Float),  # a person's, while another answer is recorded
    Column("extra_credit", Float),
    Column("comment", Text),
)


def of_grades(*columns: Any) -> Select[Any]:
    """A query for grades, with everything joined that they belong to.

    From an assignment down to its grades, each step has an index: a grade has none for its student alone.
    """
    return (
        select(*columns)
        .select_from(ASSIGNMENTS)
        .join(SOURCES, SOURCES.c.assignment_id == ASSIGNMENTS.c.id)
        .join(CELLS, CELLS.c.notebook_id == SOURCES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.assignment_id == ASSIGNMENTS.c.id)
        .join(
            NOTEBOOKS,
            and_(NOTEBOOKS.c.notebook_id == SOURCES.c.id, NOTEBOOKS.c.assignment_id == SUBMISSIONS.c.id),
        )
        .join(GRADES, and_(GRADES.c.cell_id == CELLS.c.id, GRADES.c.notebook_id == NOTEBOOKS.c.id))
    )
