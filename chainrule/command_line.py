"""What several commands share: their arguments and options, and how they find the course."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from chainrule.course import CourseFolder, find_course

Assignment = Annotated[str, typer.Argument(help="A folder of source/, such as homework1.")]
CourseOption = Annotated[
    Path | None, typer.Option("--course", help="Course folder; the nearest one by default.")
]


def open_course(course: Path | None) -> CourseFolder:
    from sqlalchemy.exc import SAWarning

    # nbgrader 0.9.6 warns under SQLAlchemy 2.1, but writes the rows
    warnings.filterwarnings("ignore", category=SAWarning)
    return CourseFolder(course or find_course(Path.cwd()))
