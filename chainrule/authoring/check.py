"""Everything that makes a release wrong, found before students get it."""

from __future__ import annotations

from chainrule.authoring.slips import slips
from chainrule.course import CourseError, CourseFolder

UNCHECKED = "nothing is released; with --unchecked it is, in spite of this"


def require_checked(folder: CourseFolder, assignment: str) -> None:
    """Raise CourseError with everything that is wrong with an assignment, a sentence each."""
    if found := slips(folder, assignment):
        raise CourseError("\n".join([*found, UNCHECKED]))
