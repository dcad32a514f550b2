"""The inputs of files/ that concern intake: encodings, half a character, an assignment's own data."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from tiny_course import type_command

from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import scores
from chainrule.intake.notebook import as_utf8

CASES = Path(__file__).parent / "files"
ENCODED = ("bom.ipynb", "utf16.ipynb")
ITEMS = {"q1-test": 2.0, "q2-test": 3.0, "q3-text": None, "q4-plot": None}

CONFIGURATION = """
import chainrule.config

c = get_config()
c.merge(chainrule.config.pipelines())
c.CourseDirectory.course_id = "cases"
"""


def write_course(root: Path) -> Path:
    (root / "source" / "fb1").mkdir(parents=True)
    shutil.copy(CASES / "fb1-source.ipynb", root / "source" / "fb1" / "sums.ipynb")
    (root / CONFIG).write_text(CONFIGURATION)
    return root


def put(root: Path, student: str, content: bytes, assignment: str = "fb1", name: str = "sums.ipynb") -> None:
    target = root / "submitted" / student / assignment / name
    target.parent.mkdir(parents=True)
    target.write_bytes(content)


def test_notebooks_in_other_encodings_of_unicode(tmp_path: Path) -> None:
    """bom.ipynb, utf16.ipynb: the scores of the same text in UTF-8, taken in or put into submitted/."""
    root = write_course(tmp_path / "course")
    text = (CASES / "bom.ipynb").read_text(encoding="utf-8-sig")
    for name in ENCODED:
        target = root / "in" / Path(name).stem / "sums.ipynb"
        target.parent.mkdir(parents=True)
        shutil.copy(CASES / name, target)
    said = type_command(root, "chainrule", "intake", "fb1", "in")
    for name in ENCODED:
        taken = root / "submitted" / Path(name).stem / "fb1" / "sums.ipynb"
        assert json.loads(taken.read_text(encoding="utf-8"))["cells"]
        kept = list((root / "intake" / "fb1" / Path(name).stem).glob("*/sums.ipynb"))
        assert [path.read_bytes() for path in kept] == [(CASES / name).read_bytes()]
        assert f"{Path(name).stem}/sums.ipynb: saved as" in said
    put(root, "plain", text.encode())
    put(root, "utf16be", text.encode("utf-16-be"))
    put(root, "utf32", text.encode("utf-32"))
    put(root, "mark", (CASES / "bom.ipynb").read_bytes())
    type_command(root, "chainrule", "release", "fb1")
    said = type_command(root, "chainrule", "grade", "fb1")
    folder, students = CourseFolder(root), sorted(path.name for path in (root / "submitted").iterdir())
    assert len(students) == 6
    assert {student: scores(folder, "fb1", student) for student in students} == dict.fromkeys(students, ITEMS)
    assert "utf32: sums.ipynb was saved as UTF-32: read so" in said
    (root / "gradebook.db").unlink()
    shutil.rmtree(root / "autograded")
    type_command(root, "nbgrader", "generate_assignment", "fb1")
    type_command(root, "nbgrader", "autograde", "fb1", "--CourseDirectory.student_id=[mu]*[ek]")
    for student in ("mark", "utf16be"):
        assert scores(folder, "fb1", student) == ITEMS


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_every_encoding_of_unicode_becomes_utf_8(encoding: str) -> None:
    text = '{"cells": ["≤ x₀ 🙂"]}'
    assert as_utf8(text.encode(encoding)) == text.encode() == as_utf8(text.encode())


def test_half_a_character_shows_no_path_of_the_grader(tmp_path: Path) -> None:
    """a33-surrogate.ipynb prints half a character, and colours after it."""
    root = write_course(tmp_path / "course")
    put(root, "a33", (CASES / "a33-surrogate.ipynb").read_bytes())
    type_command(root, "chainrule", "grade", "fb1")
    type_command(root, "chainrule", "feedback", "fb1")
    graded = (root / "autograded/a33/fb1/sums.ipynb").read_text(encoding="utf-8")
    page = (root / "feedback/a33/fb1/sums.html").read_text(encoding="utf-8")
    for text in (graded, page):
        assert "site-packages" not in text
        assert "Traceback (most recent call last)" not in text
        assert str(root) not in text
    assert any(
        output["text"] == ["?\n", "\x00 \x1b[31mred\n"]
        for output in json.loads(graded)["cells"][-1]["outputs"]
    )


def test_an_assignment_sees_its_own_data(tmp_path: Path) -> None:
    """own-data/: source/r20/data/t.csv is read by the notebook, beside the course's data sets."""
    root = tmp_path / "course"
    shutil.copytree(CASES / "own-data" / "source", root / "source")
    (root / CONFIG).write_text(CONFIGURATION)
    put(root, "perfect", (CASES / "own-data/perfect/n.ipynb").read_bytes(), "r20", "n.ipynb")
    type_command(root, "chainrule", "grade", "r20")
    folder = CourseFolder(root)
    assert scores(folder, "r20", "perfect") == {"t": 1.0}
    shutil.rmtree(root / "autograded")
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.remove_submission("r20", "perfect")
    type_command(root, "nbgrader", "autograde", "r20")
    assert scores(folder, "r20", "perfect") == {"t": 1.0}
    (root / "source/r20/data/t.csv").write_text("a\n8\n")  # a part of what the result depends on
    type_command(root, "chainrule", "grade", "r20")
    assert scores(folder, "r20", "perfect") == {"t": 0.0}


def test_who_handed_in_nothing_has_a_row_with_the_rosters_name(tmp_path: Path) -> None:
    root = write_course(tmp_path / "course")
    (root / "roster.csv").write_text(
        "id,username,last,first,email\na,aa,Lovelace,Ada,ada@example.org\nb,bb,Cyan,Cy,cy@example.org\n"
    )
    put(root, "a", as_utf8((CASES / "bom.ipynb").read_bytes()))
    said = type_command(root, "chainrule", "grade", "fb1")
    assert "Ada Lovelace" in said
    assert "Cy Cyan" in said
    assert "handed in nothing: b" in said
    type_command(root, "chainrule", "marks", "fb1")
    type_command(root, "chainrule", "feedback", "fb1", "--pdf")
    with (root / "marks/fb1.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows["a"]["email"] == "ada@example.org"
    assert (rows["b"]["last_name"], rows["b"]["score"], rows["b"]["note"]) == (
        "Cyan",
        "0.0",
        "handed in nothing",
    )
    assert "Ada Lovelace" in (root / "feedback/a/fb1/sums.html").read_text(encoding="utf-8")
    with Gradebook(CourseFolder(root).directory.db_url) as gradebook:
        assert gradebook.find_student("b").email == "cy@example.org"
