"""The modules of this course's assignments, for tests that look into them."""

from __future__ import annotations

import re
from pathlib import Path

from chainrule.authoring.rehearse import Rehearsal
from chainrule.course import CourseFolder, lacks
from chainrule.metadata import framework_of
from chainrule.modules import load

ROOT = Path(__file__).parents[2]
COURSE = CourseFolder(ROOT)
A2, HW2 = (COURSE.modules(name) for name in ("cs480-a2", "csc6022-hw2"))
NOTEBOOKS = sorted((ROOT / "source").glob("*/*.ipynb"))
# Those that can run here: `make test` has no TensorFlow, and `make test-tensorflow` runs what needs it.
RUNNABLE = [path for path in NOTEBOOKS if not lacks(framework_of(path))]

# Words of PyTorch's that nobody who writes in another framework should read.
PYTORCHS = re.compile(
    r"torch|(?<!tf\.)\bnn\.|\bF\.|\boptim\.|backward|zero_grad|\.(train|eval|item|detach|parameters)\(|\bforward\b|\.grad\b"
)


def counts_first(path: Path) -> bool:
    """Whether it is no notebook in whose place another one may be handed in, or the first of these."""
    groups = COURSE.course.alternatives_of(path.parent.name)
    return not any(path.stem in group[1:] for group in groups)


def a2(problem: str) -> Rehearsal:
    """The rehearsal of a question's answers."""
    return Rehearsal(COURSE, "cs480-a2", load(A2, f"judging.cs480_a2.answers.{problem}").PROBLEM)


def hw2(problem: str) -> Rehearsal:
    """The rehearsal of a problem's answers."""
    return Rehearsal(COURSE, "csc6022-hw2", load(HW2, f"judging.csc6022_hw2.answers.{problem}").PROBLEM)
