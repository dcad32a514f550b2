"""What a student reads first: whose page it is, what it is about, what earned points, and what to look at."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from diagnosed_class import HANDED_IN, HOMEWORK, ITEMS, NOTHING, PART_1, STUDENTS, UNREADABLE
from tiny_course import FUTURE, PAST, type_command

from chainrule.course import CONFIG, CourseFolder
from chainrule.feedback.first import look_first
from chainrule.feedback.points import ItemPoints, Points
from chainrule.lesson.results import CheckResult, Result

BOTH, LATE, WAITS = STUDENTS[8], STUDENTS[1], STUDENTS[20]  # has "transposed" in two items; 90 minutes late


@pytest.fixture(scope="module")
def written(diagnosed_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class with the feedback of a few of its students; nobody changes it."""
    root = tmp_path_factory.mktemp("feedback") / "course"
    shutil.copytree(diagnosed_class, root)
    beside = CourseFolder(root).folder("autograded", BOTH, HOMEWORK)
    (beside / "weights").mkdir()
    for name in ("weights/net.bin", "notes.html", "feedback.pdf"):
        (beside / name).write_text("a student's")
    words = [word for student in (BOTH, LATE, WAITS, NOTHING, UNREADABLE) for word in ("--student", student)]
    said = type_command(root, "chainrule", "feedback", HOMEWORK, "--lms", "moodle", *words)
    assert "5 pages in" in said
    return root


def page(root: Path, student: str, name: str = "index") -> Tag:
    path = root / "feedback" / student / HOMEWORK / f"{name}.html"
    body = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").body
    assert body is not None
    return body


def words(element: Tag | None) -> str:
    assert element is not None
    return " ".join(element.get_text(" ").split())


def test_the_head_says_whose_and_what(written: Path) -> None:
    head = words(page(written, LATE).header)
    for text in ("deep-learning", "Feedback: Homework 3", "First02 Last02 (student02)", "of 8 points"):
        assert text in head
    assert "Handed in Mon 2 March 2026, 13:30 (UTC), 1 hour 30 minutes late: it was due" in head
    assert "Part 1: by hand" in words(page(written, LATE, PART_1).header)


def test_the_head_says_what_still_waits(written: Path) -> None:
    head = words(page(written, WAITS).header)
    assert "so far: 1 answer (1 point) still waits for a marker" in head
    assert "waits" not in words(page(written, BOTH).header)


@pytest.mark.parametrize("name", ["index", PART_1])
def test_items_have_titles_and_no_ids(written: Path, name: str) -> None:
    body = page(written, BOTH, name)
    for asked in body.select(".request"):
        asked.decompose()  # whose line names the item for a program
    assert not [item for item in ITEMS if item in body.get_text()]
    assert "1.2 · The backward pass" in body.get_text()


def test_the_same_mistake_in_two_items_is_one_thing_to_look_at(written: Path) -> None:
    advices = page(written, BOTH).select(".first li")
    assert len(advices) == 3
    text = words(advices[0])
    assert text.startswith("Part 2 Problem 2 a · A layer of your own , 1.2 · The backward pass (3.5 points)")
    assert "V is not transposed" in text
    assert "Hint: V.T" in text
    assert [link["href"] for link in advices[0].find_all("a")] == [
        "part2.html#item-p2_a-layer",
        "part1.html#item-q1_2-backward",
    ]
    targets = {element["id"] for element in page(written, BOTH, "part2").find_all(id=True)}
    assert "item-p2_a-layer" in targets


def test_what_earned_all_points_is_named(written: Path) -> None:
    assert "All points in" in words(page(written, WAITS))
    assert "1.2 · The backward pass" in words(page(written, WAITS)).partition("All points in")[2][:80]


@pytest.mark.parametrize(
    ("disclose", "due", "told"),
    [("always", False, True), ("after due", False, False), ("after due", True, True), ("never", True, False)],
)
def test_only_what_is_disclosed_is_told(tmp_path: Path, disclose: str, due: bool, told: bool) -> None:
    check = CheckResult("SECRET-NAME", 1.0, False, "SECRET-HINT", disclose, "SECRET", cause="SECRET-CAUSE")  # type: ignore[arg-type]
    result = Result("it", 1.0, [check])
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", metadata={"chainrule": result.to_dict()})]
    )
    nbformat.write(nb, tmp_path / "n.ipynb")
    points = Points("n", (ItemPoints("it", 0.0, 1.0, title="It"),))
    (advice,) = look_first([points], tmp_path, due=due)
    assert ("SECRET" in advice.text, "SECRET" in advice.hint) == (told, told)
    assert look_first([replace(points, items=(ItemPoints("it", 1.0, 1.0),))], tmp_path, due=due) == []


@pytest.mark.parametrize("due", [FUTURE, PAST])
def test_the_course_may_have_no_due_date_or_another(written: Path, tmp_path: Path, due: str) -> None:
    root = Path(shutil.copytree(written, tmp_path / "course"))
    config = (root / CONFIG).read_text()
    (root / CONFIG).write_text(config.replace("2026-03-02 12:00 UTC", due))
    type_command(root, "chainrule", "feedback", HOMEWORK, "--student", BOTH)
    assert "Handed in" in words(page(root, BOTH).header)


def test_nobody_is_without_a_page(written: Path) -> None:
    assert "Nothing was handed in" in words(page(written, NOTHING).main)
    assert "not graded yet" in words(page(written, UNREADABLE).main)
    assert f"({NOTHING})" in words(page(written, NOTHING).header)
    (archive,) = (written / "feedback").glob("*.zip")
    names = zipfile.ZipFile(archive).namelist()
    assert len([name for name in names if name.endswith("index.html")]) == 5


def test_the_folder_holds_feedback_and_nothing_else(written: Path) -> None:
    there = written / "feedback" / BOTH / HOMEWORK
    assert sorted(str(path.relative_to(there)) for path in there.rglob("*")) == [
        "index.html",
        "part1.html",
        "part2.html",
    ]
    assert BOTH in HANDED_IN
