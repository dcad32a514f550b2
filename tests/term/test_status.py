"""`chainrule status` says where an assignment stands at each step, and what to do next."""

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from marking_class import ESSAYS, SOFTMAX, VARIANCE, copied
from nbgrader.api import Gradebook
from tiny_course import FUTURE, PLAIN, TINY, filled, submit, type_command

from chainrule.course import CourseFolder
from chainrule.marking.tables import SHARES, Database


def status(root: Path, assignment: str) -> dict[str, Any]:
    (found,) = json.loads(type_command(root, "chainrule", "status", assignment, "--json"))
    assert isinstance(found, dict)
    return found


def test_before_anything_is_handed_in(course: Path) -> None:
    found = status(course, TINY)
    assert (found["handed_in"], found["graded"], found["waiting"]) == (0, 0, {})
    assert found["next"].startswith("hand out kits/tiny.zip; it is due in ")
    assert status(course, PLAIN)["next"] == "chainrule intake plain DOWNLOAD"
    (course / "roster.csv").write_text("id,username,last,first,email\nann,,Lee,Ann,\nbo,,Ray,Bo,\n")
    submit(course, "ann", filled(course, {}))
    found = status(course, TINY)
    assert (found["handed_in"], found["students"], found["to_grade"]) == (1, 2, ["ann"])
    assert found["next"] == "chainrule grade tiny"
    (course / "release" / TINY / "tiny.ipynb").unlink()
    assert status(course, TINY)["next"] == "chainrule release tiny"


@pytest.fixture
def root(small_class: Path, tmp_path: Path) -> Path:
    """A class of five, all graded, with written answers that wait."""
    folder = copied(small_class, tmp_path / "course")
    folder.folder("release", ".", ESSAYS).mkdir(parents=True)
    (folder.folder("release", ".", ESSAYS) / "part1.ipynb").touch()
    for student in ("ada", "bob", "cyd", "dee", "eve"):
        handed_in = folder.folder("submitted", student, ESSAYS)
        handed_in.mkdir(parents=True)
        (handed_in / "part1.ipynb").touch()
    later = time.time() + 10
    for path in folder.root.glob("autograded/*/*/*.ipynb"):
        os.utime(path, (later, later))
    return folder.root


def test_what_waits_by_item_and_marker_and_who_is_late(root: Path) -> None:
    folder = CourseFolder(root)
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        gradebook.find_submission(ESSAYS, "bob").timestamp = datetime(2026, 1, 1)
        gradebook.db.commit()
    found = status(root, ESSAYS)
    assert (found["handed_in"], found["students"], found["graded"], found["to_grade"]) == (5, 5, 5, [])
    assert found["waiting"] == {VARIANCE: 4, SOFTMAX: 3}
    assert found["late"] == ["bob"]
    assert found["next"] == "chainrule mark essays"
    database = Database(folder.directory.db_url)
    with database.transaction() as connection:
        rows = [("Kim", "item", f"part1/{SOFTMAX}"), ("Lou", "student", "ada")]
        for marker, kind, name in rows:
            connection.execute(SHARES.insert().values(assignment=ESSAYS, marker=marker, kind=kind, name=name))
    database.close()
    assert status(root, ESSAYS)["by_marker"] == {"Kim": 3, "Lou": 2}
    type_command(root, "chainrule", "excuse", ESSAYS, "ada", "--why", "ill")
    found = status(root, ESSAYS)
    assert (found["excused"], found["students"], found["waiting"][SOFTMAX]) == (["ada"], 4, 2)
    said = type_command(root, "chainrule", "status")
    assert "handed in 4 of 4, 1 excused, graded 5" in said
    assert "waiting for a marker: 5 answers" in said


def test_marks_are_to_be_written_again_when_they_change(root: Path) -> None:
    folder = CourseFolder(root)
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        for submission in gradebook.find_assignment(ESSAYS).submissions:
            for grade in submission.notebooks[0].grades:
                grade.needs_manual_grade = False
        gradebook.db.commit()
    assert status(root, ESSAYS)["next"] == "chainrule feedback essays"
    after = time.time() + 20
    for student in ("ada", "bob", "cyd", "dee", "eve"):
        page = folder.folder("feedback", student, ESSAYS) / "part1.html"
        page.parent.mkdir(parents=True)
        page.touch()
        os.utime(page, (after, after))
    assert status(root, ESSAYS)["next"] == "chainrule marks essays"
    type_command(root, "chainrule", "marks", ESSAYS)
    os.utime(root / "marks" / f"{ESSAYS}.csv", (after, after))
    assert status(root, ESSAYS)["next"] == "nothing"
    for path in [
        *root.glob("feedback/*/*/*.html"),
        *root.glob("marks/*"),
        *root.glob("autograded/*/*/*.ipynb"),
    ]:
        os.utime(path, (after - 100, after - 100))  # what is decided now is later
    type_command(root, "chainrule", "penalty", ESSAYS, "ada", "1", "--why", "copied")
    found = status(root, ESSAYS)
    assert found["export_due"]
    assert found["feedback_due"] == ["ada"]


def test_who_has_more_time_and_of_whom_nothing_came(root: Path) -> None:
    (root / "roster.csv").write_text("id,username,last,first,email\nfay,,Li,Fay,\ngus,,Ek,Gus,\n")
    until = FUTURE.rpartition(" ")[0]
    type_command(root, "chainrule", "extend", ESSAYS, "fay", until, "--why", "ill")
    found = status(root, ESSAYS)
    assert (found["extended"], found["missing"]) == (["fay"], ["gus"])
    assert "have more time: 1 (fay)" in type_command(root, "chainrule", "status", ESSAYS)
