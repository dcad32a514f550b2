"""The modules of this course's assignments, for tests that look into them."""

from __future__ import annotations

from pathlib import Path

from chainrule.authoring.rehearse import Rehearsal
from chainrule.course import CourseFolder
from chainrule.modules import load

ROOT = Path(__file__).parents[2]
COURSE = CourseFolder(ROOT)
A2, HW2 = (COURSE.modules(name) for name in ("cs480-a2", "csc6022-hw2"))


def a2(problem: str) -> Rehearsal:
    """The rehearsal of a question's answers."""
    return Rehearsal(COURSE, "cs480-a2", load(A2, f"judging.cs480_a2.answers.{problem}").PROBLEM)


def hw2(problem: str) -> Rehearsal:
    """The rehearsal of a problem's answers."""
    return Rehearsal(COURSE, "csc6022-hw2", load(HW2, f"judging.csc6022_hw2.answers.{problem}").PROBLEM)
