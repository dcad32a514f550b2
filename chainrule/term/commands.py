"""Commands about a whole course and its terms: status, init, backup, restore, archive, upgrade."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from chainrule.command_line import CourseOption, open_course
from chainrule.terminal import printable

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
def check(
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[ASSIGNMENT]...", help="All assignments by default.")
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="Bring dates, names and points that the source states up to date with the configuration."
        ),
    ] = False,
    course: CourseOption = None,
) -> None:
    """Say what is wrong in source/ before a release; exit with 1 if something is."""
    from chainrule.release.facts import check as problems_of
    from chainrule.release.facts import write_facts

    folder, wrong = open_course(course), False
    for assignment in assignments or folder.assignments:
        folder.require(assignment)
        if write:
            for path in write_facts(folder, assignment):
                print(f"written: {path.relative_to(folder.root)}")
        for line in (found := problems_of(folder, assignment)):
            print(printable(line))
        wrong = wrong or bool(found)
        if not found:
            print(f"{assignment}: nothing is wrong")
    if wrong:
        raise typer.Exit(1)
