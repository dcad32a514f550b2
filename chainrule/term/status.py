"""Where a course stands, by assignment, and what to do next."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, inspect, select

from chainrule.alternatives import Alternatives
from chainrule.course import CourseFolder
from chainrule.gradebook import open_tables
from chainrule.gradebook_tables import (
    ASSIGNMENTS,
    CELLS,
    COMMENTS,
    GRADES,
    MAXIMA,
    NOTEBOOKS,
    SOURCES,
    SUBMISSIONS,
    of_grades,
)
from chainrule.grading.comment_sections import REPAIRED
from chainrule.intake.roster import class_list
from chainrule.items import ItemNames, item_names
from chainrule.marking.tables import MARKS, SHARES
from chainrule.students.decisions import Kind, history, in_force
from chainrule.students.late_rules import duration
from chainrule.submissions import graded_assignment


@dataclass
class AssignmentStatus:
    """Where an assignment stands. Times are ISO 8601 in UTC, or None.

    Attributes:
        students: how many are expected to hand in: the class without those who are excused.
        handed_in: how many of them have.
        to_grade: ids of those whose hand-in is not graded, or newer than its grading.
        waiting: how many answers wait for a person, by item.
        stopped: ids of those who wait because the checks themselves had an error, by item.
        by_marker: the same by marker, where items or students were shared out.
        late: ids of those whose hand-in came after their own due date.
        extended: ids of those whose own due date is still to come, after the course's.
        missing: ids of those who were to hand in by now and have not.
        repaired: ids of those whose hand-in needed repairs.
        several: which of several notebooks counts, by the id of those who handed in more than one of them.
        feedback_due: ids of those whose feedback is missing, or older than their marks.
        export_due: whether marks have changed since they were written to marks/, or never were.
        next: what to do next, a command or a sentence.
    """

    name: str
    released: str | None = None
    due: str | None = None
    due_in: str = ""
    students: int = 0
    handed_in: int = 0
    graded: int = 0
    excused: list[str] = field(default_factory=list)
    to_grade: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, list[str]] = field(default_factory=dict)
    by_marker: dict[str, int] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    several: dict[str, str] = field(default_factory=dict)
    feedback_due: list[str] = field(default_factory=list)
    export_due: bool = False
    next: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def status(folder: CourseFolder, only: str | None = None) -> list[AssignmentStatus]:
    """Where each assignment stands, the one that is due first first. Changes nothing.

    Raises:
        CourseError: there is no assignment `only`.
    """
    if only:
        folder.require(only)
    names = [only] if only else folder.assignments
    with open_tables(folder.directory.db_url) as connection:
        people = list(class_list(folder, connection))
        found = [_status(folder, connection, name, people) for name in names]
    return sorted(found, key=lambda one: (one.due is None, one.due or "", one.name))


def _status(folder: CourseFolder, connection: Connection, name: str, people: list[str]) -> AssignmentStatus:
    one, now = AssignmentStatus(name), datetime.now(UTC)
    released = [path.stat().st_mtime for path in folder.folder("release", ".", name).glob("*.ipynb")]
    one.released = _iso(max(released)) if released else None
    due = folder.course.due_date(name)
    one.due = due.isoformat() if due else None
    if due:
        one.due_in = f"in {duration(due - now)}" if due > now else f"{duration(now - due)} ago"
    decisions = in_force(connection, name)
    one.excused = sorted(each.student for each in decisions if each.kind is Kind.excuse)
    own_dates = {
        each.student: max(due or datetime.min.replace(tzinfo=UTC), datetime.fromisoformat(each.value))
        for each in decisions
        if each.kind is Kind.extension
    }
    expected = [student for student in people if student not in one.excused]
    handed_in = {student: path for student in people if (path := _handed_in(folder, name, student))}
    one.students, one.handed_in = len(expected), sum(student in handed_in for student in expected)
    graded = _graded(connection, name)
    one.graded = len(graded)
    graded_at = {
        student: _newest(folder.folder("autograded", student, name), "*.ipynb") for student in graded
    }
    one.to_grade = sorted(
        student for student, path in handed_in.items() if _changed(path) > graded_at.get(student, 0.0)
    )
    for student in people:
        own = own_dates.get(student, due)
        if own and due and now <= own and due < now and student not in handed_in:
            one.extended.append(student)
        elif own and now > own and student not in handed_in and student not in one.excused and handed_in:
            one.missing.append(student)
        received = graded.get(student) or (_received(handed_in[student]) if student in handed_in else None)
        if own and received and received > own:
            one.late.append(student)
    _add_waiting(one, folder, connection)
    one.repaired = _repaired(connection, name)
    one.several = _several(connection, name, folder.course.alternatives_of(name))
    last_change = _last_changes(connection, name, graded_at)
    one.feedback_due = sorted(
        student
        for student, changed in last_change.items()
        if changed > _newest(folder.folder("feedback", student, name), "*.html")
    )
    written = max((path.stat().st_mtime for path in (folder.root / "marks").glob(f"{name}*")), default=0.0)
    one.export_due = bool(last_change) and max(last_change.values()) > written
    one.next = _next(one, due is not None and now < due)
    return one


def _next(one: AssignmentStatus, early: bool) -> str:
    if not one.released:
        return f"chainrule release {one.name}"
    if one.to_grade:
        return f"chainrule grade {one.name}"
    if early and not one.handed_in:
        return f"hand out kits/{one.name}.zip; it is due {one.due_in}"
    if not one.handed_in:
        return f"chainrule intake {one.name} DOWNLOAD"
    if one.waiting:
        return f"chainrule mark {one.name}"
    if one.feedback_due:
        return f"chainrule feedback {one.name}"
    if one.export_due:
        return f"chainrule marks {one.name}"
    if one.extended:
        return f"wait for {', '.join(one.extended)}, who have more time"
    return "nothing"


def lines(folder: CourseFolder, found: list[AssignmentStatus]) -> list[str]:
    """The status as text, for one screen."""
    text = []
    for one in found:
        text.append(one.name)
        if not one.released:
            text.append("  not released")
        else:
            text.append(f"  released {_local(folder, one.name, one.released)}")
        if one.due:
            text.append(f"  due {_local(folder, one.name, one.due)}, {one.due_in}")
        free = f", {len(one.excused)} excused" if one.excused else ""
        text.append(f"  handed in {one.handed_in} of {one.students}{free}, graded {one.graded}")
        for what, who in (
            ("to grade", one.to_grade),
            ("late", one.late),
            ("have more time", one.extended),
            ("nothing from", one.missing),
            ("repaired", one.repaired),
        ):
            if who:
                text.append(f"  {what}: {_names(who)}")
        text += [f"  {student}: {told}" for student, told in one.several.items()]
        if one.waiting:
            items = ", ".join(f"{item} {count}" for item, count in one.waiting.items())
            text.append(f"  waiting for a marker: {sum(one.waiting.values())} answers ({items})")
        for item, who in one.stopped.items():
            text.append(
                f"  {item}: its checks themselves had an error for {_names(who)}, whose points wait for a person: "
                f"correct them and run `chainrule grade {one.name}`, which names the error, or give the points by "
                f"`chainrule mark {one.name}`"
            )
        if one.by_marker:
            text.append(f"  by marker: {', '.join(f'{who} {count}' for who, count in one.by_marker.items())}")
        if one.feedback_due and len(one.feedback_due) < one.graded:
            text.append(f"  feedback to be made: {_names(one.feedback_due)}")
        elif one.feedback_due:
            text.append("  feedback not made yet, or older than the marks")
        if one.export_due:
            text.append("  marks not written, or changed since")
        text.append(f"  next: {one.next}")
    return text or ["there is no assignment yet: put notebooks into source/ASSIGNMENT/"]


def _names(students: list[str], most: int = 8) -> str:
    more = f" and {len(students) - most} more" if len(students) > most else ""
    return f"{len(students)} ({', '.join(students[:most])}{more})"


# ---- from the gradebook ----------------------------------------------------------------------------------------


def _graded(connection: Connection, name: str) -> dict[str, datetime | None]:
    """Who was graded, and when the hand-in came in, in UTC."""
    query = (
        select(SUBMISSIONS.c.student_id, SUBMISSIONS.c.timestamp)
        .join(ASSIGNMENTS, ASSIGNMENTS.c.id == SUBMISSIONS.c.assignment_id)
        .where(ASSIGNMENTS.c.name == name)
    )
    return {
        student: time.replace(tzinfo=UTC) if time else None for student, time in connection.execute(query)
    }


def _add_waiting(one: AssignmentStatus, folder: CourseFolder, connection: Connection) -> None:
    """Add how many answers wait for a person, by item and by marker, and at which a check stopped with an error."""
    kind = MAXIMA.c.cell_type
    query = (
        of_grades(SUBMISSIONS.c.student_id, SOURCES.c.name, CELLS.c.name, kind)
        .outerjoin(MAXIMA, MAXIMA.c.id == CELLS.c.id)  # a task has no row there
        .where(ASSIGNMENTS.c.name == one.name, GRADES.c.needs_manual_grade, GRADES.c.manual_score.is_(None))
    )
    rows = [row for row in connection.execute(query) if row[0] not in one.excused]
    waiting = [(student, notebook, item) for student, notebook, item, _ in rows]
    cells = (
        select(SOURCES.c.name, CELLS.c.name)
        .join(CELLS, CELLS.c.notebook_id == SOURCES.c.id)
        .join(ASSIGNMENTS, ASSIGNMENTS.c.id == SOURCES.c.assignment_id)
        .where(ASSIGNMENTS.c.name == one.name)
    )
    names = item_names((notebook, item) for notebook, item in connection.execute(cells))
    counts = Counter(names[notebook, item] for _, notebook, item in waiting)
    one.waiting = dict(sorted(counts.items()))
    code = [(student, notebook, item) for student, notebook, item, kind in rows if kind == "code"]
    one.stopped = _stopped(folder, one.name, code, names)
    if waiting and inspect(connection).has_table(SHARES.name):
        shares: dict[str, tuple[set[str], set[str]]] = {}
        for row in connection.execute(select(SHARES).where(SHARES.c.assignment == one.name)):
            shares.setdefault(row.marker, (set(), set()))[row.kind == "student"].add(row.name)
        one.by_marker = {
            marker: sum(
                (not items or f"{notebook}/{item}" in items) and (not students or student in students)
                for student, notebook, item in waiting
            )
            for marker, (items, students) in sorted(shares.items())
        }


def _stopped(
    folder: CourseFolder, name: str, waiting: list[tuple[str, str, str]], names: ItemNames
) -> dict[str, list[str]]:
    """At whose answers a check stopped with an error, by item, of those that wait: student, notebook, grade_id."""
    if not waiting:
        return {}
    from chainrule.grading.verdicts import graded_cells, stopped  # which read notebooks

    found: dict[str, list[str]] = {}
    for student in sorted({student for student, _, _ in waiting}):
        own = [(notebook, item) for who, notebook, item in waiting if who == student]
        for item, cell in graded_cells(folder.folder("autograded", student, name), own):
            if stopped(cell):
                found.setdefault(names[item], []).append(student)
    return dict(sorted(found.items()))


def _several(connection: Connection, name: str, alternatives: Alternatives) -> dict[str, str]:
    graded = graded_assignment(connection, name, alternatives) if alternatives else None
    submissions = graded.submissions if graded else {}
    return {student: "; ".join(one.notes) for student, one in sorted(submissions.items()) if one.notes}


def _repaired(connection: Connection, name: str) -> list[str]:
    query = (
        select(SUBMISSIONS.c.student_id)
        .distinct()
        .join(ASSIGNMENTS, ASSIGNMENTS.c.id == SUBMISSIONS.c.assignment_id)
        .join(NOTEBOOKS, NOTEBOOKS.c.assignment_id == SUBMISSIONS.c.id)
        .join(COMMENTS, COMMENTS.c.notebook_id == NOTEBOOKS.c.id)
        .where(and_(ASSIGNMENTS.c.name == name, COMMENTS.c.auto_comment.contains(REPAIRED)))
    )
    return sorted(connection.scalars(query))


def _last_changes(connection: Connection, name: str, graded_at: dict[str, float]) -> dict[str, float]:
    """When the marks of each graded student have changed last, in seconds since 1970."""
    last = dict(graded_at)
    if inspect(connection).has_table(MARKS.name):
        query = (
            select(MARKS.c.student, func.max(MARKS.c.marked_at))
            .where(MARKS.c.assignment == name, MARKS.c.marked_at.is_not(None))
            .group_by(MARKS.c.student)
        )
        for student, at in connection.execute(query):
            last[student] = max(last.get(student, 0.0), at)
    for one in history(connection, name):
        if one.student in last:
            last[one.student] = max(last[one.student], one.at)
    return {student: at for student, at in last.items() if student in graded_at}


# ---- from the folders ------------------------------------------------------------------------------------------


def _handed_in(folder: CourseFolder, name: str, student: str) -> Path | None:
    """Where a student's hand-in is; None if nothing was handed in."""
    path = folder.folder("submitted", student, name)
    return path if path.is_dir() and any(path.iterdir()) else None


def _changed(folder: Path) -> float:
    """When something was last put into a folder: an intake keeps the times at which files were handed in."""
    return max((path.stat().st_ctime for path in folder.rglob("*")), default=0.0)


def _received(folder: Path) -> datetime | None:
    try:
        text = (folder / "timestamp.txt").read_text(encoding="utf-8").strip().removesuffix("UTC").strip()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (OSError, ValueError):
        return None


def _newest(folder: Path, pattern: str) -> float:
    return max((path.stat().st_mtime for path in folder.glob(pattern)), default=0.0)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _local(folder: CourseFolder, name: str, time: str) -> str:
    return folder.course.time_text(name, datetime.fromisoformat(time))
