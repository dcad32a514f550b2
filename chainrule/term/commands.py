"""Commands about a whole course and its terms: status, init, backup, restore, archive, upgrade."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from pathlib import Path
from typing import Annotated

import typer

from chainrule.command_line import CourseOption, open_course
from chainrule.course import CourseError, CourseFolder, course_options
from chainrule.printable import printable

app = typer.Typer()


@app.command()
def status(
    assignment: Annotated[str | None, typer.Argument(help="Only this assignment.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")] = False,
    course: CourseOption = None,
) -> None:
    """Say where each assignment stands: released, handed in, graded, waiting; and what to do next."""
    from chainrule.term.status import lines
    from chainrule.term.status import status as state

    folder = open_course(course)
    found = state(folder, assignment)
    if as_json:
        print(json.dumps([one.to_dict() for one in found], indent=1))
        return
    for line in lines(folder, found):
        print(printable(line))


@app.command()
def init(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is new or empty.")],
    old: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="COURSE", help="Begin a new term of this course: no students, no marks."
        ),
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="A course without assignments.")] = False,
    shift: Annotated[
        str,
        typer.Option(
            metavar="364d", help="Move all due dates by days or weeks: 364d and 52w keep the weekday."
        ),
    ] = "",
    due: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ASSIGNMENT=DATE", help="A due date: hw1='2027-02-01 12:00 Europe/Paris'; repeatable."
        ),
    ] = None,
    gradebook: Annotated[
        str, typer.Option(metavar="URL", help="The new term's gradebook, if it is not the file gradebook.db.")
    ] = "",
) -> None:
    """Begin a course: a folder with the assignments that come with Chainrule, or a new term of an old course."""
    from chainrule.term.begin import begin_empty, begin_from, parse_shift, sample_course, shifted

    if empty:
        if old or shift or due or gradebook:
            raise CourseError("--empty begins without assignments: leave the other options out")
        begun = begin_empty(target)
    else:
        course = CourseFolder(old or sample_course())
        dates = dict(course.course.due)
        if shift:
            dates = {name: shifted(date, parse_shift(shift)) for name, date in dates.items()}
        for entry in due or []:
            name, sign, date = entry.partition("=")
            if not sign or name not in course.assignments:
                raise CourseError(
                    f"--due {entry!r}: write ASSIGNMENT=DATE, for one of {', '.join(course.assignments)}"
                )
            dates[name] = date.strip()
        if not (shift or due):
            if sys.stdin.isatty():
                for name, date in dates.items():
                    dates[name] = typer.prompt(
                        f"When is {name} due?", default=shifted(date, parse_shift("364d"))
                    )
            elif old:
                raise CourseError(
                    "say when the new term's assignments are due: --shift 364d, or --due hw1=DATE"
                )
        require_dates(course, dates)
        begun = begin_from(course, target, dates, gradebook=gradebook)
    print(f"begun in {begun.root}: {', '.join(begun.assignments) or 'no assignment yet'}")
    for name, date in begun.due.items():
        print(f"  {name} is due {date}")
    for line in begun.remarks:
        print(printable(line))
    print(
        f"next: cd {begun.root}, then chainrule roster CLASSLIST.csv, chainrule check, chainrule release ASSIGNMENT"
    )


def require_dates(course: CourseFolder, dates: dict[str, str]) -> None:
    """Raise CourseError unless all are due dates."""
    config = deepcopy(course.config)
    config.Course.due = dates
    changed = course_options(config)
    for name in dates:
        changed.due_date(name)


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="The zip to write; by default one in backups/.")] = None,
    course: CourseOption = None,
) -> None:
    """Back up a course: sources, hand-ins, runs, releases and the gradebook in one zip, with checksums."""
    from chainrule.term.backup import backup as make
    from chainrule.term.backup import contents

    made = make(open_course(course), file)
    print(f"{len(contents(made).files)} files, {made.stat().st_size / 2**20:.1f} MB: {made}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A zip that `chainrule backup` has written.")],
    target: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A new folder; without it, the zip is only checked."),
    ] = None,
    gradebook: Annotated[
        str, typer.Option(metavar="URL", help="Restore the gradebook into this empty database instead.")
    ] = "",
) -> None:
    """Restore a course from a backup, on this machine or another one; or check that a backup is whole."""
    from chainrule.term.backup import check, restore

    if target is None:
        about = check(file)
        print(
            f"whole: {len(about.files)} files of {about.course}, {about.made}, by chainrule {about.chainrule}"
        )
        return
    folder = restore(file, target, gradebook)
    print(
        f"restored to {folder.root}: {', '.join(folder.assignments)}; data sets are fetched by `chainrule data`"
    )


@app.command()
def archive(
    file: Annotated[Path | None, typer.Argument(help="The zip to write; by default one in backups/.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Let commands change the course again.")] = False,
    course: CourseOption = None,
) -> None:
    """Close a term: back it up, and refuse every command that would change its gradebook."""
    from chainrule.one_writer import ARCHIVED
    from chainrule.term.backup import backup as make

    folder = open_course(course)
    mark = folder.root / ARCHIVED
    if reopen:
        if not mark.exists():
            raise CourseError("this course is not archived")
        mark.unlink()
        print("open again")
        return
    made = make(folder, file)
    mark.write_text(f"{made}\n", encoding="utf-8")
    print(f"archived: {made}\nto go on with this course after all: chainrule archive --reopen")


@app.command()
def upgrade(course: CourseOption = None) -> None:
    """Bring a gradebook of an earlier nbgrader up to date, after a backup."""
    from chainrule.term.backup import upgrade as bring_up_to_date

    for line in bring_up_to_date(open_course(course)):
        print(printable(line))
