"""Deciding about a student's assignment: extend, excuse, penalty, override. Each returns what has changed, in lines."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, update

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_tables
from chainrule.gradebook_tables import GRADES
from chainrule.intake.roster import class_list
from chainrule.lesson.results import counted
from chainrule.marks.totals import decimal_text, rounded_score
from chainrule.one_writer import one_writer
from chainrule.students.decisions import TAKEN_BACK, Decision, Kind, in_force, record
from chainrule.students.lateness import decision_text, settle, taken_off
from chainrule.submissions import GradedAssignment, ItemGrade, graded_assignment

LENGTH = re.compile(r"\+?(\d{1,5}(?:\.\d+)?) ?(m|min|h|d|w)", re.ASCII)
PENALTY = re.compile(r"\d{1,6}(\.\d+)?%?", re.ASCII)
UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def extend(
    folder: CourseFolder, assignment: str, students: Sequence[str], until: str, why: str, who: str
) -> list[str]:
    """Give students more time: a length such as "3d" or "12h" from the course's due date, or a date of their own.

    Raises:
        CourseError: it cannot be read, is before the due date, or the course has no due date.
    """
    due = folder.course.due_date(assignment)
    if due is None:
        raise CourseError(f"there is no due date to extend: write c.Course.due[{assignment!r}]")
    end = extended_date(folder, assignment, until, due)
    return decide(folder, assignment, students, Kind.extension, end.isoformat(), why, who)


def extended_date(folder: CourseFolder, assignment: str, until: str, due: datetime) -> datetime:
    """The end of an extension, in UTC. A date without a time is that day's last minute."""
    until = until.strip()
    try:
        if found := LENGTH.fullmatch(until.lower()):
            end = due + timedelta(**{UNITS[found[2]]: float(found[1])})
        else:
            local = datetime.fromisoformat(until)
            if re.fullmatch(r"[\dW-]+", until):  # no time of day
                local = local.replace(hour=23, minute=59, second=59)
            zone = local.tzinfo or folder.course.zone(assignment)
            end = local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CourseError(
            f"{until!r} is no length and no date: write 3d, 12h, 90min, 2026-07-16 or '2026-07-16 12:00'"
        ) from None
    if end <= due:
        raise CourseError(
            f"{folder.course.time_text(assignment, end)} is not after the due date, "
            f"{folder.course.time_text(assignment, due)}"
        )
    return end


def penalise(
    folder: CourseFolder, assignment: str, students: Sequence[str], points: str, why: str, who: str
) -> list[str]:
    """Take points off: a number of points, or "10%" of the maximum. It replaces the student's earlier penalty."""
    if not PENALTY.fullmatch(points) or (points.endswith("%") and float(points[:-1]) > 100):
        raise CourseError(f"{points!r} is no penalty: write points to take off, such as 2.5, or 10%")
    return decide(folder, assignment, students, Kind.penalty, points, why, who)


def decide(
    folder: CourseFolder,
    assignment: str,
    students: Sequence[str],
    kind: Kind,
    value: str,
    why: str,
    who: str,
) -> list[str]:
    """Record a decision about students, and write what follows from it into the gradebook.

    Args:
        value: `TAKEN_BACK` for the end of an earlier decision.
    Raises:
        CourseError: a student or the assignment is unknown, or there is nothing to take back.
    """
    folder.require(assignment)
    lines = []
    with one_writer(folder.root), open_tables(folder.directory.db_url) as connection:
        require_students(folder, connection, students)
        standing = {one.student: one for one in in_force(connection, assignment) if one.kind is kind}
        if value == TAKEN_BACK and (without := sorted(set(students) - set(standing))):
            raise CourseError(f"there is no {kind} of {assignment} to take back for {', '.join(without)}")
        for student in students:
            one = Decision(assignment, student, kind, value, why, who, time.time())
            lines += _decide(folder, connection, one)
            connection.commit()
    return lines


def _decide(folder: CourseFolder, connection: Connection, one: Decision) -> list[str]:
    graded = submitted(folder, connection, one.assignment, one.student)
    decided = in_force(connection, one.assignment, one.student)
    record(connection, one)
    lines = [decision_text(folder.course, one)]
    if graded:
        off = {one.assignment: taken_off(decided, graded.maximum)}
        settle(folder.course, connection, one.student, before=off)
        before = total_text(graded, one.student)
        after = total_text(submitted(folder, connection, one.assignment, one.student), one.student)
        lines.append(f"  total {before} → {after}" if before != after else f"  total {after}, as before")
        if one.kind is Kind.extension and folder.course.late_rule(one.assignment) is None:
            lines.append(
                f"  what lateness costs follows nbgrader's plug-in: run `chainrule grade {one.assignment} "
                f"--student {one.student}`"
            )
    elif one.kind is not Kind.excuse:
        lines.append("  nothing is graded yet: it counts from the first grading on")
    return lines


def override(
    folder: CourseFolder, assignment: str, student: str, item: str, points: float | None, why: str, who: str
) -> list[str]:
    """Set the points of a student's item, in place of what checks or a marker gave; None gives those back.

    Raises:
        CourseError: nothing is graded, the item is unknown, or it cannot have these points.
    """
    folder.require(assignment)
    with one_writer(folder.root), open_tables(folder.directory.db_url) as connection:
        require_students(folder, connection, [student])
        graded = submitted(folder, connection, assignment, student)
        if graded is None:
            raise CourseError(
                f"nothing is graded yet: run `chainrule grade {assignment} --student {student}` first"
            )
        grade = grades_by_item(graded, student).get(item)
        if grade is None:
            items = ", ".join(grades_by_item(graded, student))
            raise CourseError(f"there is no item {item!r} in {assignment}. Items: {items}.")
        maximum = graded.maxima[item]
        if points is not None and not 0 <= points <= maximum:
            raise CourseError(f"{item} has 0 to {counted(maximum)}: {points:g} is not possible")
        standing = next(
            (
                d
                for d in in_force(connection, assignment, student)
                if (d.kind, d.item) == (Kind.override, item)
            ),
            None,
        )
        if points is None and standing is None:
            raise CourseError(
                f"the points of {item} were not set for {student}: there is nothing to take back"
            )
        first = grade.manual if standing is None or grade.manual != float(standing.value) else standing.before
        manual = first if points is None else points
        waits = manual is None and grade.automatic is None
        row = update(GRADES).where(GRADES.c.id == grade.id)
        connection.execute(row.values(manual_score=manual, needs_manual_grade=waits))
        value = TAKEN_BACK if points is None else repr(float(points)).removesuffix(".0")
        one = Decision(assignment, student, Kind.override, value, why, who, time.time(), item, first)
        record(connection, one)
        connection.commit()
        after = submitted(folder, connection, assignment, student)
        assert after is not None
        return [
            decision_text(folder.course, one),
            f"  {item} {points_text(grade)} → {points_text(grades_by_item(after, student)[item])}, "
            f"total {total_text(graded, student)} → {total_text(after, student)}",
        ]


def points_text(grade: ItemGrade) -> str:
    return "wait" if grade.needs_person else f"{grade.score:g}"


def require_students(folder: CourseFolder, connection: Connection, students: Sequence[str]) -> None:
    """Raise CourseError unless all are on the roster or in the gradebook."""
    known = class_list(folder, connection)
    if unknown := [student for student in students if student not in known]:
        close = {
            person.id
            for person in known.values()
            for name in unknown
            if name.casefold()
            in (person.id.casefold(), person.username.casefold(), person.full_name.casefold())
        }
        hint = f"; did you mean {', '.join(sorted(close))}?" if close else ""
        raise CourseError(
            f"no student {', '.join(unknown)} on the roster or in the gradebook: write ids, as in submitted/{hint}"
        )


def submitted(
    folder: CourseFolder, connection: Connection, assignment: str, student: str
) -> GradedAssignment | None:
    """The assignment with nothing but the student's graded hand-in; None without one."""
    graded = graded_assignment(connection, assignment, folder.course.alternatives_of(assignment), student)
    return graded if graded and graded.submissions else None


def grades_by_item(graded: GradedAssignment, student: str) -> dict[str, ItemGrade]:
    """The grades of a student's hand-in by the names of `chainrule.items`."""
    submission = graded.submissions[student]
    return {grade.item: grade for grade in (*submission.grades, *submission.others)}


def total_text(graded: GradedAssignment | None, student: str) -> str:
    """The points of a student's graded hand-in, as marks have them; "–" without one."""
    return decimal_text(rounded_score(graded, student)) if graded else "–"
