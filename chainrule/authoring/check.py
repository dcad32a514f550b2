"""Everything that makes a release wrong, found before students get it."""

from __future__ import annotations

from chainrule.authoring.slips import slips
from chainrule.course import CourseError, CourseFolder
from chainrule.release.facts import fact_slips

UNCHECKED = "nothing is released; with --unchecked it is, in spite of this"


def check(folder: CourseFolder, assignment: str, *, run: bool = True) -> list[str]:
    """A sentence about each thing that is wrong with an assignment: notebook, cell, and what to do.

    What reading finds is said first. If that is nothing, the reference solution and the blank release are graded.

    Args:
        run: whether anything is run.
    """
    found = slips(folder, assignment)
    found = found or fact_slips(folder, assignment)
    return found or (unproven(folder, assignment) if run else [])


def require_checked(folder: CourseFolder, assignment: str) -> None:
    """Raise CourseError with everything that would be wrong with a release, a sentence each.

    A fact that the source states differently is not: a release says what the configuration says.
    """
    if found := slips(folder, assignment) or unproven(folder, assignment):
        raise CourseError("\n".join([*found, UNCHECKED]))


def unproven(folder: CourseFolder, assignment: str) -> list[str]:
    from chainrule.authoring import proof  # grading takes seconds to import

    return proof.unproven(folder, assignment)
