"""A new course folder: from what this package holds, from an earlier term, or empty."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, insert, inspect, select

import chainrule
from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.gradebook import ensure_tables
from chainrule.intake.roster import COLUMNS
from chainrule.marking.tables import ROWS, Database
from chainrule.release.facts import write_facts

EMPTY_CONFIG = '''"""The course. nbgrader and chainrule both read this file: dates and names are written here alone."""

import chainrule.config

c = get_config()  # noqa: F821 (traitlets puts it here)
c.merge(chainrule.config.pipelines())  # what is set below wins

c.CourseDirectory.course_id = {course_id!r}

# ---- assignments, by the names of their folders in source/ ----
c.Course.names = {{}}  # {{"hw1": "CS 101"}}: what students call the course
c.Course.due = {{}}  # {{"hw1": "2027-02-01 12:00 Europe/Paris"}}
c.Course.data = {{}}  # {{"hw1": ["fashion-mnist"]}}: what notebooks find in ./data

# ---- hand-in and intake ----
c.Course.roster = "roster.csv"  # id, username, last, first, email
c.Course.lms = {{}}  # {{"hw1": "Moodle"}}
c.Course.late = {{}}  # {{"hw1": "10% per day, at most 50%, grace 15 minutes"}}
c.Course.handin = {{}}  # {{"hw1": ["{{last}}_{{first}}_hw1.pdf", "{{last}}_{{first}}_hw1.ipynb"]}}

# ---- grading ----
c.Run.profile = "quick"
'''
# What a run makes, and what has students in it: never in git.
IGNORED = """
/submitted/
/autograded/
/feedback/
/gradebook.db*
/runs/
/kits/
/marks/
/variants/
/versions/
/intake/
/withdrawn/
/backups/
/rosters/
/audit/
/data/
/roster.csv
/similar.html
/release/*/chainrule/
.gradebook.lock
.nbgrader.log
__pycache__/
.ipynb_checkpoints/
"""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints", ".DS_Store")
DAYS = re.compile(r"([+-]?\d{1,5}) ?(d|w)")


@dataclass
class Begun:
    """A course that was begun: its assignments, due dates by assignment, and what to say about it."""

    root: Path
    assignments: list[str]
    due: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def sample_course() -> Path:
    """The course that comes with this package.

    Raises:
        CourseError: it was installed without one.
    """
    root = Path(chainrule.__file__).parents[1]
    if not ((root / CONFIG).is_file() and (root / "source").is_dir()):
        raise CourseError(
            "this installation of chainrule holds no course: clone its repository and install it from there, begin "
            "with --empty, or name a course by --from"
        )
    return root


def parse_shift(text: str) -> timedelta:
    """A number of days or weeks, such as "364d" or "52w", which keeps the day of the week.

    Raises:
        CourseError: it is none.
    """
    found = DAYS.fullmatch(text.strip().lower())
    if not found:
        raise CourseError(f"{text!r} is no shift: write days or weeks, such as 364d or 52w")
    return int(found[1]) * timedelta(days=1 if found[2] == "d" else 7)


def shifted(due: str, shift: timedelta) -> str:
    """A due date as `c.Course.due` has it, so much later by the calendar; its time and zone stay."""
    time, _, zone = due.rpartition(" ")
    seconds = time.count(":") == 2
    moved = datetime.fromisoformat(time) + shift
    return f"{moved:%Y-%m-%d %H:%M:%S}"[: 19 if seconds else 16] + f" {zone}"


def begin_empty(target: Path) -> Begun:
    """A course folder without assignments."""
    _make(target)
    name = re.sub(r"[^\w-]+", "-", target.name).strip("-") or "course"
    (target / CONFIG).write_text(EMPTY_CONFIG.format(course_id=name), encoding="utf-8")
    _complete(target)
    return Begun(target, [])


def begin_from(old: CourseFolder, target: Path, due: Mapping[str, str], *, gradebook: str = "") -> Begun:
    """A new term of a course: its sources, judging and configuration, with new due dates; no students and no marks.

    Rubrics come along as markers have re-pointed them.

    Args:
        due: the new due dates, as `c.Course.due` has them.
        gradebook: the URL of the new gradebook; needed where the old configuration names one.
    Raises:
        CourseError: the target is not empty, or the configuration would use the old term's gradebook or folder.
    """
    set_url = "db_url" in old.config.get("CourseDirectory", {})
    if set_url and not gradebook:
        raise CourseError(
            f"{old.root / CONFIG} names its gradebook, and the new term needs one of its own: name it by --gradebook "
            "URL, such as sqlite:////srv/course/gradebook.db or postgresql+psycopg://user@host/name"
        )
    text = (old.root / CONFIG).read_text(encoding="utf-8")
    if re.search(r"^\s*c\.CourseDirectory\.root\s*=", text, re.MULTILINE):
        raise CourseError(
            f"{old.root / CONFIG} sets c.CourseDirectory.root: take that line out, and begin again"
        )
    remarks, added = [], {}
    for assignment, after in due.items():
        before = old.course.due.get(assignment, "")
        if after != before:
            quoted = re.compile(rf"([\"'])({re.escape(assignment)})\1(\s*:\s*)([\"']){re.escape(before)}\4")
            text, count = quoted.subn(rf"\g<1>\g<2>\g<1>\g<3>\g<4>{after}\g<4>", text)
            if count != 1:
                added[assignment] = after
    if added:
        text += f"\nc.Course.due.update({added!r})\n"
    if gradebook:
        text += f"\nc.CourseDirectory.db_url = {gradebook!r}\n"
    _make(target)
    (target / CONFIG).write_text(text, encoding="utf-8")
    source = Path(old.directory.source_directory)
    for name in dict.fromkeys([str(source), old.course.judging.partition(".")[0]]):
        if name and (old.root / name).is_dir():
            shutil.copytree(old.root / name, target / name, ignore=LEFT_OUT)
    # beside them a course may have modules of its own, such as the one that draws students' numbers
    own = [path for path in old.root.glob("*.py") if path.name not in (CONFIG, "setup.py", "conftest.py")]
    for path in own:
        shutil.copy2(path, target)
    _complete(target)
    new = CourseFolder(target)
    for assignment in new.assignments:
        try:
            write_facts(new, assignment)  # the dates that titles state
        except CourseError as error:
            remarks.append(f"{assignment}: {error}")
    remarks += _copy_rubrics(old, new)
    return Begun(target, new.assignments, dict(new.course.due), remarks)


def _make(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CourseError(f"{target} is there and not empty: name a new folder")
    target.mkdir(parents=True, exist_ok=True)


def _complete(target: Path) -> None:
    (target / "source").mkdir(exist_ok=True)
    (target / "roster.csv").write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    (target / ".gitignore").write_text(IGNORED.lstrip(), encoding="utf-8")


def _copy_rubrics(old: CourseFolder, new: CourseFolder) -> list[str]:
    """Copy the rows of rubrics that markers may have changed into the new gradebook."""
    engine = create_engine(old.directory.db_url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(ROWS.name):
                return []
            rows = [dict(row) for row in connection.execute(select(ROWS)).mappings()]
    finally:
        engine.dispose()
    if not rows:
        return []
    ensure_tables(new.directory.db_url)  # nbgrader notes its version only in a database without tables
    database = Database(new.directory.db_url)
    try:
        with database.transaction(wait=10.0) as connection:
            connection.execute(insert(ROWS), rows)
    finally:
        database.close()
    return [f"the rubrics come along as they were marked by: {len(rows)} rows"]
