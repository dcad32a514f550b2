"""Everything that makes a release wrong, found before students get it."""

from __future__ import annotations

from chainrule.authoring.slips import slips
from chainrule.course import CourseError, CourseFolder

UNCHECKED = "nothing is released; with --unchecked it is, in spite of this"


def check(folder: CourseFolder, assignment: str, *, run: bool = True) -> list[str]:
    """A sentence about each thing that is wrong with an assignment: notebook, cell, and what to do.

    What reading finds is said first. If that is nothing, the reference solution and the blank release are graded.

    Args:
        run: whether anything is run.
    """
    found = slips(folder, assignment)
    if found or not run:
        return found
    from chainrule.authoring.proof import unproven  # grading takes seconds to import

    return unproven(folder, assignment)


def require_checked(folder: CourseFolder, assignment: str) -> None:
    """Raise CourseError with everything that is wrong with an assignment, a sentence each."""
    if found := check(folder, assignment):
        raise CourseError("\n".join([*found, UNCHECKED]))
