"""A class of 24 with an assignment of two questions' items, graded without running a notebook: what grading would write
is written directly. Its mistakes are planted, so that their numbers are known.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from tiny_course import marked, notebook

from chainrule.course import CONFIG, CourseFolder
from chainrule.gradebook import ensure_tables
from chainrule.gradebook_tables import ANSWERS
from chainrule.grading.given_marks import answers, keep_marks
from chainrule.lesson.results import RESULT_TYPE, CheckResult, Result
from chainrule.marking.tables import MARKS, ROWS, Database

HOMEWORK, PART_1, PART_2 = "homework", "part1", "part2"
DUE = datetime(2026, 3, 2, 12, 0)
STUDENTS = [f"student{number:02}" for number in range(1, 25)]
HANDED_IN, NOTHING, UNREADABLE = STUDENTS[:22], STUDENTS[22], STUDENTS[23]
FORWARD, BACKWARD, LAYER, WHY = "q1_1-forward", "q1_2-backward", "p2_a-layer", "q1_3-why"
ITEMS = {FORWARD: PART_1, BACKWARD: PART_1, WHY: PART_1, LAYER: PART_2}
CHECKS = {  # shares of points by check
    FORWARD: {"the loss": 1.0, "the probabilities": 1.0},
    BACKWARD: {"dW": 1.5, "db": 0.5},
    LAYER: {"the gradient": 2.0, "the step": 1.0},
}

# item, check, cause (as a check that knows it says), message, hint, and who made it
Planted = tuple[str, str, str, str, str, Sequence[str]]
PLANTED: list[Planted] = [
    (
        FORWARD,
        "the loss",
        "the factor 1/N is missing",
        "J: the factor 1/N is missing",
        "average",
        STUDENTS[0:9],
    ),
    (FORWARD, "the loss", "a logarithm to base 2", "J: a logarithm to base 2", "np.log", STUDENTS[9:11]),
    (FORWARD, "the probabilities", "", "p is 0.{n} at index {n}, off by 0.1", "sum to 1", STUDENTS[2:5]),
    (FORWARD, "the probabilities", "not written yet", "there is no `p` yet: finish it", "", STUDENTS[20:22]),
    (BACKWARD, "dW", "this is the transpose", "dW: this is the transpose", "shapes", STUDENTS[3:10]),
    (BACKWARD, "dW", "the sign is turned", "dW: the sign is turned", "minus", STUDENTS[10:13]),
    (BACKWARD, "db", "the code raises ValueError", "your code raised ValueError: {n}", "", STUDENTS[13:15]),
    (BACKWARD, "db", "another shape", "db has shape ({n}, 1), not (3,)", "", STUDENTS[0:2]),
    (LAYER, "the gradient", "V is not transposed", "dV: V is not transposed", "V.T", STUDENTS[7:13]),
    (LAYER, "the gradient", "the ReLU is missing", "dV: the ReLU is missing", "mask", STUDENTS[0:2]),
    (
        LAYER,
        "the step",
        "no gradient reaches the bias",
        "no gradient reaches the bias",
        "detach",
        STUDENTS[15:19],
    ),
    (LAYER, "the step", "off by one: a step too few", "off by one: a step too few", "count", STUDENTS[19:20]),
]
ROWS_OF_WHY = [
    (1, 0.5, "independence, $E[xy] = E[x] E[y]$"),
    (2, 0.5, "variances add up"),
    (3, -0.25, "a slip"),
]

SCHEME = r"""
## 1.3 · Why the scale (1 point)

### BEGIN MARK SCHEME

| Points | For |
|--:|:--|
| 0.5 | independence, $E[xy] = E[x] E[y]$ |
| 0.5 | variances add up |

### END MARK SCHEME
"""


def sources() -> dict[str, NotebookNode]:
    """The instructor's notebooks."""
    one = notebook(
        [
            marked(new_markdown_cell("# Homework 3 · Part 1: by hand"), "title"),
            marked(new_markdown_cell("## 1.1 · The forward pass (2 points)"), "t1"),
            marked(new_code_cell("p = 1"), "a1", solution=True),
            marked(new_code_cell("checks"), FORWARD, 2),
            marked(new_markdown_cell("## 1.2 · The backward pass (2 points)"), "t2"),
            marked(new_code_cell("dW = 1"), "a2", solution=True),
            marked(new_code_cell("checks"), BACKWARD, 2),
            marked(new_markdown_cell(SCHEME.strip()), "t3"),
            marked(new_markdown_cell("By independence."), WHY, 1, solution=True),
        ]
    )
    two = notebook(
        [
            marked(new_markdown_cell("# Homework 3 · Part 2: in code"), "title"),
            marked(new_markdown_cell("## Problem 2\n\n### (a) A layer of your own (3 points)"), "t1"),
            marked(new_code_cell("V = 1"), "a1", solution=True),
            marked(new_code_cell("checks"), LAYER, 3),
        ]
    )
    return {PART_1: one, PART_2: two}


def results(student: str) -> dict[str, Result]:
    """What the checks found in a student's work."""
    number = STUDENTS.index(student) + 1
    found = {}
    for item, shares in CHECKS.items():
        checks = []
        for name, points in shares.items():
            planted = [each for each in PLANTED if each[:2] == (item, name) and student in each[5]]
            if planted:
                _, _, cause, message, hint, _ = planted[0]
                text = message.format(n=number)
                checks.append(CheckResult(name, points, False, hint, message=text, cause=cause))
            else:
                checks.append(CheckResult(name, points, True))
        found[item] = Result(item, sum(shares.values()), checks)
    return found


def visible(student: str, result: Result) -> Result:
    """What a visible check had told before: in BACKWARD, everybody with an even number who lost points there."""
    told = result.grade_id == BACKWARD and result.score < result.points and STUDENTS.index(student) % 2
    return Result(
        result.grade_id,
        result.points,
        [CheckResult("the shapes", 0.0, not told, message="wrong shape" if told else "", means="right form")],
    )


def lateness(student: str) -> timedelta:
    """student02 is 90 minutes late; the others are in time, each an hour earlier than the one before."""
    number = STUDENTS.index(student)
    return timedelta(minutes=90) if number == 1 else timedelta(hours=-number - 1)


def marks_of_why() -> dict[str, tuple[int, ...]]:
    """The rows that were ticked; the answers of the others wait."""
    random_ = random.Random(3)
    return {
        student: tuple(row for row in (1, 2) if random_.random() < 0.6) or (3,) for student in HANDED_IN[:20]
    }


def write(root: Path) -> CourseFolder:
    """The course folder."""
    source = root / "source" / HOMEWORK
    source.mkdir(parents=True)
    notebooks = sources()
    for name, nb in notebooks.items():
        nbformat.write(nb, source / f"{name}.ipynb")
    lines = [
        "import chainrule.config",
        "c = get_config()",
        "c.merge(chainrule.config.pipelines())",
        'c.CourseDirectory.course_id = "deep-learning"',
        f'c.Course.due = {{"{HOMEWORK}": "2026-03-02 12:00 UTC"}}',
    ]
    (root / CONFIG).write_text("\n".join([*lines, ""]), encoding="utf-8")
    roster = "".join(
        f"{each},{each},Last{each[-2:]},First{each[-2:]},{each}@example.org\n" for each in STUDENTS
    )
    (root / "roster.csv").write_text(f"id,username,last,first,email\n{roster}", encoding="utf-8")
    folder = CourseFolder(root)
    ensure_tables(folder.directory.db_url)
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        ANSWERS.create(gradebook.engine, checkfirst=True)
        gradebook.add_assignment(HOMEWORK, duedate=DUE)
        for name, nb in notebooks.items():
            gradebook.add_notebook(name, HOMEWORK)
            for cell in nb.cells:
                about = cell.metadata.nbgrader
                if about.grade:
                    gradebook.add_grade_cell(
                        about.grade_id, name, HOMEWORK, max_score=about.points, cell_type=cell.cell_type
                    )
                if about.solution:
                    gradebook.add_solution_cell(about.grade_id, name, HOMEWORK)
        for student in STUDENTS:
            gradebook.add_student(student)
        for student in HANDED_IN:
            record(gradebook, folder, student, notebooks)
    (folder.folder("submitted", UNREADABLE, HOMEWORK)).mkdir(parents=True)
    (folder.folder("submitted", UNREADABLE, HOMEWORK) / f"{PART_1}.ipynb").write_text("no notebook")
    mark(folder, marks_of_why())
    return folder


def record(
    gradebook: Gradebook, folder: CourseFolder, student: str, notebooks: Mapping[str, NotebookNode]
) -> None:
    """Write what grading a student writes."""
    found = results(student)
    gradebook.add_submission(HOMEWORK, student, timestamp=DUE + lateness(student))
    for name, source in notebooks.items():
        graded, handed_in = nbformat.from_dict(source), nbformat.from_dict(source)
        for each, is_graded in ((graded, True), (handed_in, False)):
            for cell in each.cells:
                item = cell.metadata.nbgrader.grade_id
                if item in found:
                    result = found[item] if is_graded else visible(student, found[item])
                    data = {**result._repr_mimebundle_(), RESULT_TYPE: result.to_dict()}
                    cell.outputs = [new_output("execute_result", data, execution_count=1)]
                    if is_graded:
                        cell.metadata["chainrule"] = result.to_dict()
                elif item == WHY:
                    cell.source = f"By independence, says {student}."
        graded.metadata["chainrule"] = {"busy_seconds": float(STUDENTS.index(student) + 1)}
        if student == STUDENTS[4]:
            graded.metadata["chainrule"]["repaired"] = [{"what": "{was} missing: restored", "cells": ["t1"]}]
        for step, nb in (("autograded", graded), ("submitted", handed_in)):
            path = folder.folder(step, student, HOMEWORK) / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(nbformat.writes(nb), encoding="utf-8")
        submission = gradebook.find_submission_notebook(name, HOMEWORK, student)
        for grade in submission.grades:
            if grade.name in found:
                grade.auto_score, grade.needs_manual_grade = found[grade.name].score, False
            else:
                grade.needs_manual_grade = True
        keep_marks(gradebook, submission, answers(graded), graded.cells)
        gradebook.db.commit()


def mark(folder: CourseFolder, ticked: Mapping[str, tuple[int, ...]]) -> None:
    """Mark the written answer by rows, as the marking room does."""
    from sqlalchemy import insert

    points = {row: value for row, value, _ in ROWS_OF_WHY}
    where = {"assignment": HOMEWORK, "notebook": PART_1, "item": WHY}
    database = Database(folder.directory.db_url)
    with database.transaction() as connection:
        for row, value, text in ROWS_OF_WHY:
            connection.execute(insert(ROWS).values(**where, id=row, position=row, points=value, text=text))
        for student, rows in ticked.items():
            mine = {
                "student": student,
                "rows": str(list(rows)),
                "points": max(0.0, sum(map(points.get, rows))),
            }  # type: ignore[arg-type]
            connection.execute(
                insert(MARKS).values(**where, **mine, marker="ann", marked_at=1.0, seconds=30.0)
            )
    database.close()
    with Gradebook(folder.directory.db_url) as gradebook:
        for student, rows in ticked.items():
            grade = gradebook.find_grade(WHY, PART_1, HOMEWORK, student)
            grade.manual_score = max(0.0, sum(points[row] for row in rows))
            grade.needs_manual_grade = False
        gradebook.db.commit()
