"""The modules of this course's assignments, for tests that look into them."""

from __future__ import annotations

from pathlib import Path

from chainrule.modules import CourseModules

ROOT = Path(__file__).parent.parent
A2, HW2 = (CourseModules(ROOT, "judging", ROOT / "source" / name) for name in ("cs480-a2", "csc6022-hw2"))
