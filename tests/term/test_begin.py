"""`chainrule init` begins a course, or a new term without anything of the old one's students."""

import shutil
from pathlib import Path

import pytest
from marking_class import ESSAYS, copied
from nbgrader.api import Gradebook
from sqlalchemy import insert, select
from tiny_course import CONFIG, PLAIN, TINY, filled, submit, type_command

from chainrule.course import CourseFolder
from chainrule.marking.tables import ROWS, Database
from chainrule.term.begin import parse_shift, shifted


def test_an_empty_course_takes_an_assignment(course: Path, tmp_path: Path) -> None:
    said = type_command(tmp_path, "chainrule", "init", "new", "--empty")
    assert "no assignment yet" in said
    shutil.copytree(course / "source" / PLAIN, tmp_path / "new" / "source" / PLAIN)
    assert "released to" in type_command(tmp_path / "new", "chainrule", "release", PLAIN)
    assert "is there and not empty" in type_command(tmp_path, "chainrule", "init", "new", "--empty", code=2)


def test_the_course_that_comes_with_the_package(tmp_path: Path) -> None:
    said = type_command(
        tmp_path, "chainrule", "init", "new", "--shift", "52w", "--due", "cs480-a2=2030-01-02 12:00 UTC"
    )
    assert "cs480-a2 is due 2030-01-02 12:00 UTC" in said
    assert "csc6022-hw2 is due 2026-11-11 23:59:59 Asia/Shanghai" in said
    new = CourseFolder(tmp_path / "new")
    assert new.assignments == ["cs480-a2", "csc6022-hw2"]
    assert (new.root / "judging" / "cs480_a2").is_dir()
    assert not list(new.root.rglob("__pycache__"))
    assert (
        "Due Wednesday 2 January 2030" in (new.root / "source" / "cs480-a2" / "assignment2.ipynb").read_text()
    )
    assert "nothing to mend" in type_command(new.root, "chainrule", "check", "--no-run")


def test_a_new_term_has_no_students(course: Path, tmp_path: Path) -> None:
    submit(course, "ann", filled(course, {}))
    (course / "roster.csv").write_text("id,username,last,first,email\nann,,Lee,Ann,ann@example.org\n")
    (course / "tiny_draw.py").write_text("DRAW = 1\n")
    said = type_command(course, "chainrule", "init", str(tmp_path / "new"), "--from", ".", "--shift", "364d")
    assert "tiny is due 2099-12-31 12:00 Europe/Zurich" in said
    new = CourseFolder(tmp_path / "new")
    assert new.assignments == [PLAIN, TINY]
    assert (new.root / "tiny_draw.py").exists()
    for path in new.root.rglob("*"):
        assert path.is_dir() or b"ann@example.org" not in path.read_bytes()
    assert not (new.root / "submitted").exists()
    released = type_command(new.root, "chainrule", "release", TINY)
    assert "released to" in released


def test_rubrics_come_along(small_class: Path, tmp_path: Path) -> None:
    old = copied(small_class, tmp_path / "old")
    database = Database(old.directory.db_url)
    row = {"assignment": ESSAYS, "notebook": "part1", "item": "q", "id": 1, "position": 0, "points": 0.25}
    with database.transaction() as connection:
        connection.execute(insert(ROWS).values(**row, text="re-pointed", edited=True, removed=False))
    database.close()
    due = f"{ESSAYS}=2030-01-02 12:00 UTC"
    said = type_command(tmp_path, "chainrule", "init", "new", "--from", "old", "--due", due)
    assert "the rubrics come along as they were marked by: 1 rows" in said
    new = CourseFolder(tmp_path / "new")
    with Gradebook(new.directory.db_url, new.directory.course_id) as gradebook:
        assert [found.text for found in gradebook.db.execute(select(ROWS))] == ["re-pointed"]
        assert gradebook.students == []


@pytest.mark.parametrize(
    ("line", "words", "said"),
    [
        ("", [], "say when the new term's assignments are due"),
        ("", ["--shift", "a year"], "'a year' is no shift"),
        ("", ["--due", "hw9=2030-01-01 12:00 UTC"], "write ASSIGNMENT=DATE, for one of plain, tiny"),
        ("", ["--due", "tiny=soon"], "c.Course.due['tiny'] in nbgrader_config.py is 'soon'"),
        (
            "c.CourseDirectory.db_url = 'sqlite:////tmp/old.db'",
            ["--shift", "1w"],
            "name it by --gradebook URL",
        ),
    ],
)
def test_what_cannot_be_begun_is_told(course: Path, line: str, words: list[str], said: str) -> None:
    with (course / CONFIG).open("a") as config:
        config.write(line + "\n")
    assert said in type_command(course, "chainrule", "init", "new", "--from", ".", *words, code=2)
    assert not (course / "new").exists()


def test_a_shift_keeps_time_and_zone() -> None:
    assert shifted("2026-03-01 12:00 Europe/Paris", parse_shift("52w")) == "2027-02-28 12:00 Europe/Paris"
    assert shifted("2026-03-01 23:59:59 UTC", parse_shift("1d")) == "2026-03-02 23:59:59 UTC"
