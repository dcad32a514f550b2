"""Files handed in beside a notebook: taken in, seen by that notebook alone, left out by an audit."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from tiny_course import CONFIG, ROOT, at, marked, notebook, submit, type_command

from chainrule.course import CourseFolder
from chainrule.grading.audit import audit
from chainrule.grading.classroom import grade, sanitised_tasks
from chainrule.intake.folder import intake
from chainrule.release.generate import generate

NAME, FILE = "trained", "weights.txt"

TRAIN = f"""
from pathlib import Path

kept = Path("{FILE}")
# TODO: quality = ...
### BEGIN SOLUTION
quality = int(kept.read_text()) if kept.exists() else 1  # training anew gives 1
### END SOLUTION
"""

CHECK = """
from chainrule.lesson import Item, expect

item = Item("q1_1-quality", points=4)


@item.check("it is good", points=3)
def _(student):
    expect(student.quality, "the quality").at_least(10)


@item.check("it is something", points=1)
def _(student):
    expect(student.quality, "the quality").at_least(1)


item.score()
"""


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A course with one assignment, whose notebook may come with a file of 1 MiB."""
    folder = tmp_path / "source" / NAME
    folder.mkdir(parents=True)
    nb = notebook(
        [
            marked(new_code_cell(TRAIN.strip()), "q1_1-train", solution=True),
            marked(new_code_cell(CHECK.strip()), "q1_1-quality", 4),
        ]
    )
    nb.metadata["chainrule"] = {"files": {FILE: 1}}
    nbformat.write(nb, folder / f"{NAME}.ipynb")
    lines = [(ROOT / CONFIG).read_text(), "c.Course.due = {}", "c.Course.data = {}", "c.Course.variants = {}"]
    (tmp_path / CONFIG).write_text("\n".join(lines) + "\n")
    course = CourseFolder(tmp_path)
    generate(course, NAME)
    return tmp_path


def hand_in(root: Path, student: str, content: str | bytes | None) -> Path:
    """The student hands the reference solution in, with this file."""
    nb = nbformat.read(root / "source" / NAME / f"{NAME}.ipynb", as_version=4)
    path = submit(root, student, nb, NAME).with_name(FILE)
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def graded(root: Path) -> dict[str, tuple[float, list[str]]]:
    report = grade(CourseFolder(root), NAME, jobs=1, say=lambda line: None)
    return {student.student: (student.total, student.notes) for student in report.students}


def test_a_file_counts_for_who_handed_it_in(trained: Path) -> None:
    hand_in(trained, "ann", "12")
    hand_in(trained, "ben", None)
    hand_in(trained, "cleo", b"7" * (1 << 20) + b"7")
    hand_in(trained, "dan", None).with_name("other.txt").write_text("12")
    found = graded(trained)
    assert {student: total for student, (total, _) in found.items()} == {
        "ann": 4,
        "ben": 1,
        "cleo": 1,
        "dan": 1,
    }
    assert found["cleo"][1] == [f"{FILE} was not used: it has more than 1 MiB"]


def test_another_file_is_another_submission(trained: Path) -> None:
    path = hand_in(trained, "ann", "3")
    assert graded(trained)["ann"][0] == 1
    path.write_text("12")
    assert graded(trained)["ann"][0] == 4


def test_what_is_no_ordinary_file_is_not_opened(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("12")
    hand_in(trained, "ann", None).symlink_to(tmp_path / "secret")
    hand_in(trained, "ben", None).mkdir()
    found = graded(trained)
    assert found["ann"][0] == 0
    assert "not an ordinary file" in found["ann"][1][0]
    assert found["ben"] == (1, [f"{FILE} was not used: it is not an ordinary file"])


def test_stock_nbgrader_sees_the_file(trained: Path) -> None:
    hand_in(trained, "ann", "12")
    type_command(trained, "nbgrader", "autograde", NAME, "--student", "ann")
    nb = nbformat.read(trained / "autograded" / "ann" / NAME / f"{NAME}.ipynb", as_version=4)
    assert nb.cells[-1].metadata.chainrule.score == 4


def test_an_audit_makes_the_file_anew(trained: Path) -> None:
    hand_in(trained, "ann", "12")
    hand_in(trained, "ben", None)
    graded(trained)
    said: list[str] = []
    course = CourseFolder(trained)
    (one,) = audit(course, NAME, profile="quick", jobs=1, say=said.append)
    assert (one.student, one.graded, one.again, one.lower) == ("ann", 4, 1, True)
    assert one.says == "the quality is 1, below 10"
    assert (trained / "audit" / "ann" / NAME / f"{NAME}.ipynb").is_file()
    assert graded(trained)["ann"][0] == 4  # marks are what they were
    again = audit(course, NAME, profile="quick", jobs=1, say=said.append)
    assert again == [one]
    assert said[-1] == f"ann, {NAME}: audited before"


def test_an_audit_of_a_sample_by_command(trained: Path) -> None:
    for student in ("ann", "ben", "cleo"):
        hand_in(trained, student, "12")
    told = type_command(
        trained, "chainrule", "audit", NAME, "--sample", "2", "--seed", "1", "--profile", "quick"
    )
    assert "0 of 2 items come out lower" in told  # nothing is graded yet: nothing to compare with
    assert sum(student in told for student in ("ann", "ben", "cleo")) == 2


def test_an_audit_of_nothing_says_so(trained: Path) -> None:
    hand_in(trained, "ann", None)
    assert "nobody handed in a file" in type_command(trained, "chainrule", "audit", NAME, code=2)


def test_intake_takes_the_file(trained: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    for student in ("ann", "ben"):
        (inbox / student).mkdir(parents=True)
        (inbox / student / f"{NAME}.ipynb").write_bytes(
            (trained / "source" / NAME / f"{NAME}.ipynb").read_bytes()
        )
        at(inbox / student / f"{NAME}.ipynb", "2026-01-01 10:00")
    at_ten = inbox / "ann" / FILE
    at_ten.write_text("12")
    at(at_ten, "2026-01-02 10:00")
    (inbox / "ben" / FILE).write_bytes(b"7" * ((1 << 20) + 1))
    (inbox / FILE).write_text("12")
    (inbox / "ben" / "notes.txt").write_text("hello")
    report = intake(CourseFolder(trained), NAME, inbox)
    assert sorted(report.taken) == [f"ann/{NAME}.ipynb", f"ann/{FILE}", f"ben/{NAME}.ipynb"]
    assert {name: reason.split(":")[0] for name, reason in report.refused.items()} == {
        f"ben/{FILE}": "larger than 1 MB, the limit for this file",
        FILE: "whose is this? Put it in a folder named after the student",
        "ben/notes.txt": "not a notebook (.ipynb)",
    }
    folder = trained / "submitted" / "ann" / NAME
    assert (folder / FILE).read_text() == "12"
    assert (folder / "timestamp.txt").read_text() == "2026-01-02 10:00:00 UTC\n"  # the file came last
    (task,), _ = sanitised_tasks(CourseFolder(trained), NAME, "ann", CourseFolder(trained).config)
    assert list(nbformat.v4.reads(task.text).metadata.chainrule.files) == [FILE]
