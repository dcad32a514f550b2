"""The students' points in an assignment, from nbgrader's gradebook."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from sqlalchemy import Connection

from chainrule.course import CourseFolder
from chainrule.intake.roster import Person, class_list, read_roster
from chainrule.students.decisions import excused
from chainrule.submissions import GradedAssignment, graded_assignment

CENT = Decimal("0.01")


@dataclass(frozen=True)
class StudentTotal:
    """A student's total.

    Attributes:
        points: None without a graded submission.
        waiting: names of the items that wait for a person.
        ungraded: whether something was handed in and is not graded.
        above: names of the items whose mark is more than their maximum.
        excused: whether an instructor has excused the student from the assignment.
        in_roster: False if there is a roster and the student is only in the gradebook.
    """

    person: Person
    points: Decimal | None = None
    waiting: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    ungraded: bool = False
    excused: bool = False
    in_roster: bool = True


def totals(
    folder: CourseFolder, connection: Connection, assignment: str
) -> tuple[Decimal, list[StudentTotal]] | None:
    """The assignment's maximum and the students' totals: first the roster's, then those only in the gradebook.

    None if the gradebook doesn't know the assignment.

    Raises:
        CourseError: the roster cannot be read.
    """
    graded = graded_assignment(connection, assignment, folder.course.alternatives_of(assignment))
    if graded is None:
        return None
    people = class_list(folder, connection)
    path = folder.root / folder.course.roster
    roster = {person.id for person in read_roster(path)} if path.exists() else set()
    free = excused(connection, assignment)
    return Decimal(repr(graded.maximum)), [
        replace(
            _total(folder, graded, person),
            excused=id in free,
            in_roster=id in (roster or people),
        )
        for id, person in people.items()
    ]


def _total(folder: CourseFolder, graded: GradedAssignment, person: Person) -> StudentTotal:
    submission = graded.submissions.get(person.id)
    if submission is None:
        handed_in = folder.folder("submitted", person.id, graded.name)
        return StudentTotal(person, ungraded=handed_in.is_dir() and any(handed_in.iterdir()))
    above = sorted(
        grade.item for grade in submission.grades if (grade.manual or 0) > graded.maxima[grade.item]
    )
    waiting = sorted(grade.item for grade in submission.waiting)
    total = rounded_score(graded, person.id)
    return StudentTotal(person, total, tuple(waiting), tuple(above))


def rounded_score(graded: GradedAssignment, student: str) -> Decimal:
    """A student's total as `chainrule marks` writes it."""
    return rounded(graded.submissions[student].final_score, Decimal(repr(graded.maximum)))


def rounded(score: float, maximum: Decimal) -> Decimal:
    """Points with at most two decimals. Halves are rounded up, but never from below the maximum to above it.

    Extra credit may be above the maximum.
    """
    exact = Decimal(repr(round(score, 9)))  # 0.1 + 0.2 is 0.3
    points = exact.quantize(CENT, ROUND_HALF_UP)
    return exact.quantize(CENT, ROUND_DOWN) if exact <= maximum < points else points


def decimal_text(points: Decimal) -> str:
    """The points without trailing zeros: 12.5, 100, 0."""
    text = f"{points:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
