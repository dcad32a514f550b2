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
