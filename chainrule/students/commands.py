"""Commands about students: extend, excuse, penalty, override, withdraw, roster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from chainrule.command_line import Assignment, CourseOption, open_course
from chainrule.course import CourseError
from chainrule.printable import printable

app = typer.Typer()

Student = Annotated[str, typer.Argument(help="A student's id, as in submitted/.")]
Students = Annotated[list[str], typer.Argument(metavar="STUDENT...", help="Ids, as in submitted/.")]
Why = Annotated[str, typer.Option("--why", help="The reason. The student reads it in the feedback.")]
Who = Annotated[str, typer.Option("--as", metavar="NAME", help="Who decides; your login name by default.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take the decision back.")]


def say(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))


def reason(why: str, undo: bool) -> str:
    if not why.strip() and not undo:
        raise CourseError("say by --why for what reason: the student reads it, and so will you in a year")
    return " ".join(why.split()) or "taken back"


@app.command()
def extend(
    assignment: Assignment,
    students: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDENT... UNTIL",
            help=(
                "Ids, then the new due date: 3d, 12h or 90min after the course's, 2026-07-16, or '2026-07-16 12:00'. "
                "With --undo only ids."
            ),
        ),
    ],
    why: Why = "",
    who: Who = "",
    undo: Undo = False,
    course: CourseOption = None,
) -> None:
    """Give students more time for an assignment. A new extension replaces the one before it."""
    from chainrule.students import decide
    from chainrule.students.decisions import TAKEN_BACK, Kind, login_name

    folder, why = open_course(course), reason(why, undo)
    if undo:
        say(decide.decide(folder, assignment, students, Kind.extension, TAKEN_BACK, why, who or login_name()))
        return
    *students, until = students
    if not students:
        raise CourseError("name a student, then how long or until when: chainrule extend hw1 ann 3d --why …")
    say(decide.extend(folder, assignment, students, until, why, who or login_name()))


@app.command()
def excuse(
    assignment: Assignment,
    students: Students,
    why: Why = "",
    who: Who = "",
    undo: Undo = False,
    course: CourseOption = None,
) -> None:
    """Excuse students from an assignment: no mark is written for them, and nothing is asked for."""
    from chainrule.students.decide import decide
    from chainrule.students.decisions import TAKEN_BACK, Kind, login_name

    folder, why = open_course(course), reason(why, undo)
    value = TAKEN_BACK if undo else "yes"
    say(decide(folder, assignment, students, Kind.excuse, value, why, who or login_name()))


@app.command()
def penalty(
    assignment: Assignment,
    student: Student,
    points: Annotated[
        str, typer.Argument(help="Points to take off, or a percentage of the maximum: 2.5, 10%.")
    ] = "",
    why: Why = "",
    who: Who = "",
    undo: Undo = False,
    course: CourseOption = None,
) -> None:
    """Take points off for another reason than lateness. It replaces the student's earlier penalty."""
    from chainrule.students import decide
    from chainrule.students.decisions import TAKEN_BACK, Kind, login_name

    folder, why, who = open_course(course), reason(why, undo), who or login_name()
    if undo == bool(points):
        raise CourseError("name the points to take off, or take the penalty back by --undo")
    if undo:
        say(decide.decide(folder, assignment, [student], Kind.penalty, TAKEN_BACK, why, who))
    else:
        say(decide.penalise(folder, assignment, [student], points, why, who))


@app.command()
def override(
    assignment: Assignment,
    student: Student,
    item: Annotated[str, typer.Argument(help="An item, by its name in marks/ASSIGNMENT.csv.")],
    points: Annotated[float | None, typer.Argument(help="The item's points.")] = None,
    why: Why = "",
    who: Who = "",
    undo: Undo = False,
    course: CourseOption = None,
) -> None:
    """Set the points of a student's item, in place of what checks or a marker gave."""
    from chainrule.students import decide
    from chainrule.students.decisions import login_name

    folder, why = open_course(course), reason(why, undo)
    if undo != (points is None):
        raise CourseError("name the item's points, or give back the ones before by --undo")
    say(decide.override(folder, assignment, student, item, points, why, who or login_name()))


@app.command()
def withdraw(
    assignment: Assignment,
    student: Student,
    why: Annotated[str, typer.Option("--why", help="The reason, for you and other staff.")] = "",
    grading: Annotated[
        bool, typer.Option("--grading", help="Undo only the grading; what was handed in stays.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    who: Who = "",
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was withdrawn last.")] = False,
    course: CourseOption = None,
) -> None:
    """Take a student's hand-in out again, with its grading and marks. All of it is kept in withdrawn/."""
    from chainrule.students.decisions import login_name
    from chainrule.students.withdraw import put_back
    from chainrule.students.withdraw import withdraw as take_out

    folder, who = open_course(course), who or login_name()
    if undo:
        say(put_back(folder, assignment, student, " ".join(why.split()) or "taken back", who))
        return
    why = "a dry run" if dry_run else " ".join(why.split())
    if not why:
        raise CourseError("say by --why for what reason: it is kept with what you withdraw")
    say(take_out(folder, assignment, student, why, who, grading=grading, dry_run=dry_run))


@app.command()
def roster(
    export: Annotated[
        Path | None,
        typer.Argument(
            help="A class list or gradebook that the LMS exports, as CSV; without it, the roster is shown."
        ),
    ] = None,
    drop: Annotated[
        bool,
        typer.Option("--drop", help="Take those off who are not in the export. What they handed in stays."),
    ] = False,
    id_column: Annotated[
        str,
        typer.Option(
            "--id", metavar="COLUMN", help="The export's column that becomes the id of new students."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; write nothing.")] = False,
    course: CourseOption = None,
) -> None:
    """Bring the roster up to date with a class list: who has come, who has gone, and who has another name."""
    from chainrule.students.class_lists import shown, update

    folder = open_course(course)
    say(
        shown(folder)
        if export is None
        else update(folder, export, id_column=id_column, drop=drop, dry_run=dry_run)
    )
