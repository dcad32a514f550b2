"""The table of a class: a row for each hand-in, item, check, rubric row, repair and run. All figures come from it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode
from nbgrader.api import Grade, MissingEntry, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import Connection, inspect, select

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.grading.repairs import sentence
from chainrule.grading.store import load_notebook
from chainrule.intake.roster import Person, class_list
from chainrule.items import gradebook_items
from chainrule.lesson.results import RESULT_TYPE, CheckResult
from chainrule.marking.rubric import Row as RubricRow
from chainrule.marking.rubric import sum_of
from chainrule.marking.states import read_mark
from chainrule.marking.tables import MARKS, ROWS
from chainrule.marks.sheet import escape_formula
from chainrule.metadata import graded_notebook, judged_cell, judged_record, result_of
from chainrule.report.causes import cause_of, kind_of
from chainrule.submissions import GradedAssignment, graded_assignment
from chainrule.titles import Title, Titles, item_titles
from chainrule.validation import RecordError

MAX_BYTES = 200 << 20  # of a handed-in notebook that is read for what its visible checks said

Kind = Literal["hand-in", "item", "check", "visible", "row", "repair", "run"]


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        kind: "hand-in": a student; `points` is the total after penalties, `seconds` is how late it came (negative:
            before the due date). "item": a graded cell. "check": a check that ran at grading. "visible": a check that
            ran in the student's notebook, as its output says in what was handed in. "row": a row of a rubric.
            "repair": what was repaired. "run": a notebook's run; `seconds` is how long its cells were busy.
        state: of a hand-in "graded", "not graded" or "nothing"; of an item "done" or "waits"; of a check "passed",
            "failed" or "error", an exception that the check did not expect; of a row "given" or "missed".
        part: the name of the check, the text of the row, or what was repaired; of a hand-in which of several notebooks
            doesn't count, and why.
        cause, cause_kind, hint, message: of a failed check.
        told: of a failed check: whether a visible check of its item had failed in what was handed in: "yes", "no", or
            "" if it says nothing.
    """

    student: str
    kind: Kind
    notebook: str = ""
    item: str = ""
    title: str = ""
    section: str = ""
    part: str = ""
    points: float | None = None
    maximum: float | None = None
    state: str = ""
    written: bool = False
    cause: str = ""
    cause_kind: str = ""
    hint: str = ""
    message: str = ""
    told: str = ""
    seconds: float | None = None


COLUMNS = [field.name for field in fields(Line)]


@dataclass(frozen=True)
class ClassTable:
    """The rows of an assignment, its maximum, and the people."""

    assignment: str
    maximum: float
    lines: tuple[Line, ...]
    people: Mapping[str, Person]

    def of(self, kind: Kind) -> list[Line]:
        return [line for line in self.lines if line.kind == kind]

    def to_csv(self) -> bytes:
        """The table as CSV, in UTF-8."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        for line in self.lines:
            row = {name: escape_formula(value) for name, value in asdict(line).items()}
            writer.writerow({**row, "written": "yes" if line.written else ""})
        return text.getvalue().encode()


@dataclass(frozen=True)
class Marked:
    """A mark that was given by ticking rows of the rubric."""

    points: float
    ticked: tuple[int, ...]
    rows: tuple[RubricRow, ...]


Where = tuple[str, str, str, Title]  # student, notebook, item's name and title


def class_table(folder: CourseFolder, assignment: str) -> ClassTable:
    """The table of an assignment.

    Raises:
        CourseError: nothing of it was graded, or the roster cannot be read.
    """
    folder.require(assignment)
    titles = item_titles(folder.notebooks(assignment), folder.config)
    with open_gradebook(folder.directory.db_url) as gradebook:
        alternatives = folder.course.alternatives_of(assignment)
        graded = graded_assignment(gradebook.db.connection(), assignment, alternatives)
        if graded is None:
            raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
        people = class_list(folder, gradebook.db.connection())
        rows = _rubric(gradebook.db.connection(), assignment)
        lines: list[Line] = []
        for student in people:
            try:
                submission = gradebook.find_submission(assignment, student)
            except MissingEntry:
                handed_in = folder.folder("submitted", student, assignment)
                there = handed_in.is_dir() and any(handed_in.iterdir())
                lines.append(Line(student, "hand-in", state="not graded" if there else "nothing"))
                continue
            lines += _of_submission(folder, graded, submission, titles, rows.get(student, {}))
    if not any(line.state == "graded" for line in lines):
        raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
    return ClassTable(assignment, graded.maximum, tuple(lines), people)


def _of_submission(
    folder: CourseFolder,
    graded_class: GradedAssignment,
    submission: SubmittedAssignment,
    titles: Titles,
    rows: Mapping[tuple[str, str], Marked],
) -> Iterator[Line]:
    student, assignment = submission.student.id, submission.assignment.name
    names = gradebook_items(submission.assignment)
    late = None
    if submission.timestamp is not None and submission.duedate is not None:
        late = (submission.timestamp - submission.duedate).total_seconds()
    counted = graded_class.submissions[student]
    yield Line(
        student,
        "hand-in",
        part="; ".join(counted.notes),
        points=counted.final_score,
        maximum=graded_class.maximum,
        state="graded",
        seconds=late,
    )
    for notebook in submission.notebooks:
        if any(grade.notebook == notebook.name for grade in counted.others):
            continue
        path = folder.folder("autograded", student, assignment) / f"{notebook.name}.ipynb"
        graded = load_notebook(path)
        handed_in = folder.folder("submitted", student, assignment) / f"{notebook.name}.ipynb"
        visible = visible_results(handed_in) if graded else {}
        cells = {} if graded is None else {_name(cell): cell for cell in graded.cells}
        for title, grade in _in_order(notebook, titles):
            where = (student, notebook.name, names[notebook.name, grade.name], title)
            waits = bool(grade.needs_manual_grade) and grade.manual_score is None
            yield _line(
                "item",
                where,
                points=float(grade.score),
                maximum=float(grade.max_score),
                state="waits" if waits else "done",
                written=grade.cell_type != "code",
            )
            yield from _checks(where, cells.get(grade.name), visible.get(grade.name, []))
            marked = rows.get((notebook.name, grade.name))
            if marked and marked.points == grade.manual_score:  # else somebody has changed it in formgrader
                yield from (_row(where, row, row.id in marked.ticked) for row in marked.rows)
        if graded is not None:
            about = graded_notebook(graded)
            yield Line(student, "run", notebook.name, seconds=about.get("busy_seconds", about.get("seconds")))
            for repair in about.get("repaired", []):
                yield Line(student, "repair", notebook.name, part=sentence(repair["cells"], repair["what"]))


def _in_order(notebook: SubmittedNotebook, titles: Titles) -> list[tuple[Title, Grade]]:
    """A notebook's grades with their titles, in the order of the items."""
    grades = [
        (titles.get((notebook.name, each.name), Title(each.name, each.name, 0)), each)
        for each in notebook.grades
    ]
    return sorted(grades, key=lambda pair: (pair[0].order, pair[1].name))


def _name(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _row(where: Where, row: RubricRow, ticked: bool) -> Line:
    return _line(
        "row",
        where,
        part=row.text,
        points=row.points if ticked else 0.0,
        maximum=row.points,
        state="given" if ticked else "missed",
        written=True,
    )


def _line(kind: Kind, where: Where, **values: Any) -> Line:
    student, notebook, item, title = where
    return Line(student, kind, notebook, item, title.text, title.section, **values)


def _checks(where: Where, cell: NotebookNode | None, visible: Iterable[CheckResult]) -> Iterator[Line]:
    record = judged_cell(cell) if cell is not None else None
    if record is None:
        return
    visible = list(visible)
    told = "" if not visible else "no" if all(check.passed for check in visible) else "yes"
    for check in result_of(record).checks:
        yield _check("check", where, check, told)
    for check in visible:
        yield _check("visible", where, check, "")


def _check(kind: Kind, where: Where, check: CheckResult, told: str) -> Line:
    if check.passed:
        return _line(kind, where, part=check.name, points=check.earned, maximum=check.points, state="passed")
    cause = cause_of(check.cause, check.message)
    return _line(
        kind,
        where,
        part=check.name,
        points=check.earned,
        maximum=check.points,
        state="error" if check.internal_error else "failed",
        cause=cause,
        cause_kind=kind_of(cause),
        hint=check.hint,
        message=check.message,
        told=told,
    )


def visible_results(path: Path) -> dict[str, list[CheckResult]]:
    """What visible checks said in a handed-in notebook, by item, as the outputs in it say: a student may have written
    them. Empty for a file that cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        cells = json.loads(path.read_bytes())["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        records = [output.get("data", {}).get(RESULT_TYPE) for output in outputs]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    found: dict[str, list[CheckResult]] = {}
    for record in records:
        if record is None:
            continue
        try:
            result = result_of(judged_record(record))
        except RecordError:
            continue
        if checks := [check for check in result.checks if check.means or not check.points]:
            found[result.grade_id] = checks
    return found


def _rubric(connection: Connection, assignment: str) -> dict[str, dict[tuple[str, str], Marked]]:
    """The marks by the rubric, by student, then by notebook and item."""
    if not inspect(connection).has_table(MARKS.name):
        return {}
    stored: dict[tuple[str, str], list[RubricRow]] = {}
    of_rows = select(ROWS).where(ROWS.c.assignment == assignment).order_by(ROWS.c.position, ROWS.c.id)
    for row in connection.execute(of_rows).mappings():
        if not row["removed"]:
            key = str(row["notebook"]), str(row["item"])
            stored.setdefault(key, []).append(RubricRow(row["points"], row["text"], row["id"]))
    found: dict[str, dict[tuple[str, str], Marked]] = {}
    for each in connection.execute(select(MARKS).where(MARKS.c.assignment == assignment)).mappings():
        mark, key = read_mark(each), (str(each["notebook"]), str(each["item"]))
        rows = tuple(stored.get(key, ()))
        by_rows = sum_of(row for row in rows if row.id in mark.rows)
        if mark.points is not None and mark.own_points in (None, by_rows):
            found.setdefault(str(each["student"]), {})[key] = Marked(mark.points, mark.rows, rows)
    return found
