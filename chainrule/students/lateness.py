"""When a student's hand-in was due and came in, what that costs, what was decided: in the gradebook and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy import Connection, create_engine, update

from chainrule.course import Course, CourseFolder
from chainrule.gradebook import open_tables
from chainrule.gradebook_tables import ASSIGNMENTS, NOTEBOOKS, SUBMISSIONS
from chainrule.lesson.results import counted
from chainrule.students.decisions import Decision, Kind, history, in_force, latest
from chainrule.students.late_rules import duration
from chainrule.submissions import HandInDates, Submission, graded_assignment, hand_in_dates

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Lateness:
    """How late a hand-in is.

    Attributes:
        received, due: in UTC; None if it is not known. `due` is the student's own.
        late: after `due`.
        grace_days: how many of the student's grace days the hand-in uses.
        share: of the maximum that it costs; None if `c.Course.late` doesn't say.
    """

    received: datetime | None
    due: datetime | None
    late: timedelta
    grace_days: int
    share: float | None


def own_due_date(course: Course, connection: Connection, assignment: str, student: str) -> datetime | None:
    """When the assignment is due for a student, in UTC: the course's date, or that of an extension."""
    due = course.due_date(assignment)
    for one in in_force(connection, assignment, student):
        if one.kind is Kind.extension:
            extended = datetime.fromisoformat(one.value)
            due = max(due, extended) if due else extended
    return due


def own_due_dates(
    folder: CourseFolder, assignment: str, students: Iterable[str]
) -> dict[str, datetime | None]:
    """When the assignment is due for each of these students, in UTC."""
    engine = create_engine(folder.directory.db_url)
    with engine.connect() as connection:
        dates = {one: own_due_date(folder.course, connection, assignment, one) for one in students}
    engine.dispose()
    return dates


def is_due(course: Course, connection: Connection, assignment: str, student: str) -> bool:
    """Whether the student's due date has passed."""
    due = own_due_date(course, connection, assignment, student)
    return due is not None and datetime.now(UTC) > due


def lateness(course: Course, connection: Connection, student: str) -> dict[str, Lateness]:
    """How late each of a student's graded hand-ins is, in the order in which they were due.

    Grace days (`c.Course.grace_days`) go to the hand-ins that were due first, and only where they lower the cost.
    """
    extensions = {
        one.assignment: datetime.fromisoformat(one.value)
        for one in in_force(connection, student=student)
        if one.kind is Kind.extension
    }
    handed_in = hand_in_dates(connection, student)
    dates = {name: _due(course, one, extensions.get(name)) for name, one in handed_in.items()}
    found, left = {}, course.grace_days
    for name in sorted(dates, key=lambda name: (dates[name] or datetime.max.replace(tzinfo=UTC), name)):
        due, received = dates[name], _utc(handed_in[name].received)
        late = max(received - due, timedelta(0)) if received and due else timedelta(0)
        rule = course.late_rule(name)
        used, share = 0, None
        if rule is not None:
            share = rule.cost(late)
            days = min(left, ceil(late / DAY))
            if share and days and (cheaper := rule.cost(late - days * DAY)) < share:
                used, share = days, cheaper
        left -= used
        found[name] = Lateness(received, due, late, used, share)
    return found


def _due(course: Course, one: HandInDates, extended: datetime | None) -> datetime | None:
    """The student's due date: the course's or else the gradebook's, or a later one."""
    due = course.due_date(one.assignment) or _utc(one.due)
    if due and extended is None and one.extension:  # granted by nbgrader's API
        extended = due + one.extension
    return max(due, extended) if due and extended else due


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time else None


def taken_off(decisions: Iterable[Decision], maximum: float) -> float:
    """The points that decided penalties take off."""
    points = 0.0
    for one in decisions:
        if one.kind is Kind.penalty:
            percent = one.value.endswith("%")
            points += float(one.value.rstrip("%")) * (maximum / 100 if percent else 1)
    return points


def apply_dates(course: Course, connection: Connection, student: str) -> None:
    """Write the due dates and a student's extensions into the gradebook, for all assignments that were graded."""
    own = {one.assignment: one for one in latest(connection, student=student) if one.kind is Kind.extension}
    for name, handed_in in hand_in_dates(connection, student).items():
        due = handed_in.due
        if date := course.due_date(name):
            due = date.replace(tzinfo=None)
            of_class = update(ASSIGNMENTS).where(ASSIGNMENTS.c.id == handed_in.assignment_id)
            connection.execute(of_class.values(duedate=due))
        if one := own.get(name):
            until = datetime.fromisoformat(one.value).replace(tzinfo=None) if one.value else None
            extension = until - due if until and due and until > due else None
            of_student = update(SUBMISSIONS).where(SUBMISSIONS.c.id == handed_in.id)
            connection.execute(of_student.values(extension=extension))


def settle(
    course: Course,
    connection: Connection,
    student: str,
    *,
    fresh: tuple[str, str] = ("", ""),
    before: Mapping[str, float] | None = None,
) -> None:
    """Write a student's extensions and deductions into the gradebook, for all assignments that were graded.

    All of them, as grace days that one needs are no longer there for another. Where `c.Course.late` says nothing,
    nbgrader's plug-in has written its penalty into the same place, and only the difference of ours is added.

    Args:
        connection: who has it commits.
        fresh: the assignment and notebook into which nbgrader's plug-in has just written.
        before: by assignment, the points that decided penalties took off until now, if that has changed.
    """
    apply_dates(course, connection, student)
    own = in_force(connection, student=student)
    times = lateness(course, connection, student)
    for name, handed_in in hand_in_dates(connection, student).items():
        graded = graded_assignment(connection, name, course.alternatives_of(name), student)
        assert graded is not None
        maximum, found, share = graded.maximum, graded.submissions[student], times[name].share
        extra = taken_off((one for one in own if one.assignment == name), maximum)
        for notebook in handed_in.notebooks:
            part = notebook.maximum / maximum if maximum else 0.0
            penalty = notebook.penalty
            if share is not None:
                costs = share * notebook.maximum + extra * part
                penalty = 0.0 if found.lacks(notebook.notebook) else costs
            else:
                was = 0.0 if fresh == (name, notebook.notebook) else (before or {}).get(name, extra)
                if change := (extra - was) * part:
                    penalty = max(0.0, (penalty or 0.0) + change)
            if penalty != notebook.penalty:
                row = update(NOTEBOOKS).where(NOTEBOOKS.c.id == notebook.id)
                connection.execute(row.values(late_submission_penalty=penalty))


# ---- in words --------------------------------------------------------------------------------------------------


def told(course: Course, connection: Connection, assignment: str, student: str) -> list[str]:
    """What a student has to know about dates, lateness and decisions of an assignment, a sentence each."""
    own = in_force(connection, assignment, student)
    sentences = [
        f"You are excused from this assignment: it counts neither for nor against you ({one.why})."
        for one in own
        if one.kind is Kind.excuse
    ]
    extended = [one for one in own if one.kind is Kind.extension]
    for one in extended:
        until = course.time_text(assignment, datetime.fromisoformat(one.value))
        sentences.append(f"Your due date was extended to {until} ({one.why}).")
    graded = graded_assignment(connection, assignment, course.alternatives_of(assignment), student)
    if graded is None or (submission := graded.submissions.get(student)) is None:
        return sentences
    time = lateness(course, connection, student)[assignment]
    if time.received and time.due and time.late:
        sentences.append(
            f"Handed in {course.time_text(assignment, time.received)}, {duration(time.late)} late: it was due "
            f"{course.time_text(assignment, time.due)}. {_cost(time, submission, graded.maximum)}"
        )
    elif time.received:
        sentences.append(f"Handed in {course.time_text(assignment, time.received)}, in time.")
    scores = {grade.item: grade.manual for grade in (*submission.grades, *submission.others)}
    for one in own:
        if one.kind is Kind.penalty:
            points = taken_off([one], graded.maximum)
            sentences.append(f"{counted(points)} taken off: {one.why}.")
        elif one.kind is Kind.override and scores.get(one.item) == float(one.value):
            sentences.append(f"{one.item}: {counted(float(one.value))}, set by an instructor: {one.why}.")
    return sentences


def _cost(time: Lateness, submission: Submission, maximum: float) -> str:
    days = f"{time.grace_days} of your grace days {'was' if time.grace_days == 1 else 'were'} used. "
    used = days if time.grace_days else ""
    if time.share is None:
        penalty = submission.penalty
        return f"{used}That costs {counted(penalty)}." if penalty else f"{used}That costs nothing."
    if not time.share:
        return f"{used}That costs nothing."
    return f"{used}That costs {time.share * maximum:.4g} of {counted(maximum)}."


def decision_text(course: Course, one: Decision) -> str:
    """A decision for staff, in a line."""
    by = f"by {one.who}, {course.time_text(one.assignment, one.when)}: {one.why}"
    match one.kind:
        case Kind.extension:
            until = course.time_text(one.assignment, datetime.fromisoformat(one.value)) if one.value else ""
            what = f"due date extended to {until}" if until else "extension taken back"
        case Kind.excuse:
            what = "excused" if one.value else "excuse taken back"
        case Kind.penalty:
            what = f"{one.value}{'' if one.value.endswith('%') else ' points'} taken off" if one.value else ""
            what = what or "penalty taken back"
        case Kind.override:
            what = f"{one.item} set to {one.value}" if one.value else f"{one.item}: set points taken back"
        case Kind.withdrawal:
            what = f"withdrawn, kept in {one.value}" if one.value else "put back"
    return f"{one.student} {what} ({by})"


def decided_since(folder: CourseFolder, assignment: str, student: str, since: float) -> list[str]:
    """The decisions about a student's assignment after a time (seconds since 1970), for staff, in a line each."""
    with open_tables(folder.directory.db_url) as connection:
        lines = history(connection, assignment, student)
    return [decision_text(folder.course, one) for one in lines if one.at > since]
