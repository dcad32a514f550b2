"""What several commands share: their arguments and options, and how they find the course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.course import CourseFolder, find_course

Assignment = Annotated[str, typer.Argument(help="A folder of source/, such as homework1.")]
CourseOption = Annotated[
    Path | None, typer.Option("--course", help="Course folder; the nearest one by default.")
]


def open_course(course: Path | None) -> CourseFolder:
    return CourseFolder(course or find_course(Path.cwd()))
