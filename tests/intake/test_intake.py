"""Every file of a folder is taken in, there already, or refused with a reason; nothing lands anywhere else."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell
from tiny_course import PLAIN, TINY, at, filled, notebook

from chainrule.course import CourseError, CourseFolder
from chainrule.intake import folder as intake_folder
from chainrule.intake.folder import FolderReport, intake
from chainrule.intake.unpack import is_system_file

NOTEBOOK = nbformat.writes(notebook([new_markdown_cell("hello", id="a")]))
NOON = "2026-07-13 12:00:00"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def put(path: Path, text: str = NOTEBOOK, moment: str = NOON) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return at(path, moment)


def take(course: Path, inbox: Path) -> FolderReport:
    """The report of an intake in which every file is in exactly one list, but for what a program has added."""
    report = intake(CourseFolder(course), TINY, inbox)
    files = [str(Path(folder, f).relative_to(inbox)) for folder, _, names in os.walk(inbox) for f in names]
    files += [str(p.relative_to(inbox)) for p in inbox.rglob("*") if p.is_symlink() and p.is_dir()]
    assert sorted([*report.taken, *report.unchanged, *report.refused]) == sorted(
        file for file in files if not is_system_file(Path(file).parts)
    )
    return report


def submitted(course: Path) -> dict[str, str]:
    """All that is in submitted/, by its path there."""
    root = course / "submitted"
    return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*")) if p.is_file()}


def test_both_ways_of_naming(course: Path, inbox: Path) -> None:
    put(inbox / "ann.ipynb")
    put(inbox / "bo" / "tiny.ipynb")
    put(inbox / "cy" / "my homework.ipynb")
    put(inbox / "di" / "zip" / "deep" / "tiny.ipynb")
    report = take(course, inbox)
    assert report.taken == ["ann.ipynb", "bo/tiny.ipynb", "cy/my homework.ipynb", "di/zip/deep/tiny.ipynb"]
    assert submitted(course) == {
        f"{student}/tiny/{name}": text
        for student in ("ann", "bo", "cy", "di")
        for name, text in {"tiny.ipynb": NOTEBOOK, "timestamp.txt": "2026-07-13 12:00:00 UTC\n"}.items()
    }


def test_the_file_itself_is_kept_byte_for_byte_with_its_time(course: Path, inbox: Path) -> None:
    path = put(inbox / "ann.ipynb", NOTEBOOK + "  \n\n")
    take(course, inbox)
    there = course / "submitted/ann/tiny/tiny.ipynb"
    assert there.read_bytes() == path.read_bytes()
    assert there.stat().st_mtime == path.stat().st_mtime
    assert not list(there.parent.glob("*.part"))


def test_a_second_intake_changes_nothing(course: Path, inbox: Path) -> None:
    put(inbox / "ann.ipynb")
    take(course, inbox)
    before = submitted(course)
    report = take(course, inbox)
    assert (report.taken, report.unchanged) == ([], ["ann.ipynb"])
    assert submitted(course) == before


def test_newer_replaces_older_and_never_the_reverse(course: Path, inbox: Path) -> None:
    put(inbox / "ann.ipynb", NOTEBOOK.replace("hello", "second"), "2026-07-12 12:00:00")
    take(course, inbox)
    put(inbox / "ann.ipynb", NOTEBOOK.replace("hello", "first"), "2026-07-11 12:00:00")
    assert take(course, inbox).unchanged == ["ann.ipynb"]
    assert "second" in submitted(course)["ann/tiny/tiny.ipynb"]
    put(inbox / "ann.ipynb", NOTEBOOK.replace("hello", "third"), "2026-07-13 11:59:59")
    assert take(course, inbox).taken == ["ann.ipynb"]
    assert "third" in submitted(course)["ann/tiny/tiny.ipynb"]
    assert submitted(course)["ann/tiny/timestamp.txt"] == "2026-07-13 11:59:59 UTC\n"


def test_of_two_versions_in_one_folder_the_newer_wins(course: Path, inbox: Path) -> None:
    put(inbox / "ann" / "a" / "tiny.ipynb", NOTEBOOK.replace("hello", "newer"), "2026-07-12 12:00:00")
    put(inbox / "ann" / "b" / "tiny.ipynb", NOTEBOOK.replace("hello", "older"), "2026-07-11 12:00:00")
    take(course, inbox)
    assert "newer" in submitted(course)["ann/tiny/tiny.ipynb"]


def test_other_notebooks_never_take_the_assignments_place(course: Path, inbox: Path) -> None:
    """A scratch file and Jupyter's own copy lie beside the homework, and are newer."""
    put(inbox / "ann" / "tiny.ipynb")
    put(inbox / "ann" / "scratch.ipynb", NOTEBOOK.replace("hello", "scratch"), "2026-07-20 12:00:00")
    hidden = inbox / "ann" / ".ipynb_checkpoints" / "tiny-checkpoint.ipynb"
    put(hidden, NOTEBOOK.replace("hello", "checkpoint"), "2026-07-20 12:00:00")
    put(inbox / "bo" / "homework.ipynb")
    put(inbox / "bo" / ".ipynb_checkpoints" / "homework-checkpoint.ipynb", moment="2026-07-20 12:00:00")
    put(inbox / "cy" / "one.ipynb")
    put(inbox / "cy" / "two.ipynb")
    report = take(course, inbox)
    assert report.taken == ["ann/tiny.ipynb", "bo/homework.ipynb"]
    assert "which notebook is this?" in report.refused["ann/scratch.ipynb"]
    assert "hello" in submitted(course)["ann/tiny/tiny.ipynb"]


def test_an_assignment_of_two_notebooks(course: Path, inbox: Path) -> None:
    shutil.copy(course / "source/plain/plain.ipynb", course / "source/tiny/second.ipynb")
    put(inbox / "ann" / "second.ipynb", moment="2026-07-13 12:00:00")
    put(inbox / "ann" / "tiny.ipynb", moment="2026-07-12 12:00:00")
    put(inbox / "bo" / "homework.ipynb")
    put(inbox / "cy.ipynb")
    report = take(course, inbox)
    assert report.taken == ["ann/second.ipynb", "ann/tiny.ipynb"]
    assert "call it one of second.ipynb, tiny.ipynb" in report.refused["cy.ipynb"]
    assert submitted(course)["ann/tiny/timestamp.txt"] == "2026-07-13 12:00:00 UTC\n"  # the last one's


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder nobody handed in."""
    with tempfile.TemporaryDirectory() as name:
        put(Path(name) / "tiny.ipynb", NOTEBOOK.replace("hello", "SECRET"))
        yield Path(name)


def test_links_are_not_followed(course: Path, inbox: Path, outside: Path) -> None:
    (inbox / "ann.ipynb").symlink_to(outside / "tiny.ipynb")
    (inbox / "bo").symlink_to(outside)
    (inbox / "cy").mkdir()
    (inbox / "cy" / "tiny.ipynb").symlink_to("/etc/passwd")
    (inbox / "cy" / "more").symlink_to(outside)
    (inbox / "di.ipynb").symlink_to("nowhere")
    (inbox / "ed.ipynb").symlink_to("ed.ipynb")
    report = take(course, inbox)
    assert len(report.refused) == 6
    assert "a link" in report.refused["ann.ipynb"]
    assert submitted(course) == {}


def test_what_is_no_notebook_is_refused(course: Path, inbox: Path) -> None:
    put(inbox / "ann.ipynb", "print(1)")
    put(inbox / "bo.ipynb", "")
    put(inbox / "cy.pdf", "%PDF")
    put(inbox / "di.IPYNB.txt")
    put(inbox / "ed.ipynb", '{"cells": [5], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    put(inbox / ".DS_Store")
    put(inbox / ".fay.ipynb")
    os.mkfifo(inbox / "gus.ipynb")
    (inbox / "hal.ipynb").mkdir()
    report = take(course, inbox)
    assert len(report.refused) == 7  # .DS_Store is nobody's work
    assert "not a readable notebook" in report.refused["ann.ipynb"]
    assert "not a notebook" in report.refused["cy.pdf"]
    assert "not an ordinary file" in report.refused["gus.ipynb"]
    assert submitted(course) == {}


def test_a_huge_file_is_refused(course: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_folder, "MAX_BYTES", 2 << 20)
    put(inbox / "ann.ipynb", NOTEBOOK + " " * (2 << 20))
    put(inbox / "bo.ipynb")
    report = take(course, inbox)
    assert "larger than 2 MB: clear the outputs" in report.refused["ann.ipynb"]
    assert report.taken == ["bo.ipynb"]


ODD = [
    "ann b",
    "-rf",
    "a;id",
    "$HOME",
    "~",
    "ünal",
    "a\nb",
    "a\x1b[2J",
    "{student_id}",
    "a" * 65,
    "*",
    "..",
    "...",
    "a,b",
    "=1",
]


@pytest.mark.parametrize("student", ODD, ids=ascii)
def test_odd_ids_are_refused(course: Path, inbox: Path, student: str) -> None:
    put(inbox / f"{student}.ipynb")
    if student != "..":
        put(inbox / student / "tiny.ipynb")
    assert not take(course, inbox).taken
    assert submitted(course) == {}


@pytest.mark.parametrize("student", ["a", "20123456", "ann.lee-2", "ann_lee@example.org", "A" * 64])
def test_ordinary_ids_are_taken(course: Path, inbox: Path, student: str) -> None:
    put(inbox / f"{student}.ipynb")
    put(inbox / f"x{student[1:]}" / "tiny.ipynb")
    assert len(take(course, inbox).taken) == 2


def test_other_assignments_and_students_are_untouched(course: Path, inbox: Path) -> None:
    put(course / "submitted/ann/plain/plain.ipynb", "hers")
    put(course / "submitted/bo/tiny/tiny.ipynb", "his")
    put(inbox / "ann.ipynb")
    take(course, inbox)
    assert submitted(course)["ann/plain/plain.ipynb"] == "hers"
    assert submitted(course)["bo/tiny/tiny.ipynb"] == "his"


def test_what_is_missing_is_said(course: Path, inbox: Path) -> None:
    folder = CourseFolder(course)
    with pytest.raises(
        CourseError, match=r"there is no assignment 'small' in source/\. Known: plain, tiny\."
    ):
        intake(folder, "small", inbox)
    for nowhere in (inbox / "none", put(inbox / "file")):
        with pytest.raises(CourseError, match="is no folder"):
            intake(folder, TINY, nowhere)


def test_an_inbox_may_be_a_link_or_relative(
    course: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "ann.ipynb")
    put(inbox / "bo" / "tiny.ipynb")
    (inbox.parent / "link").symlink_to(inbox)
    assert len(take(course, inbox.parent / "link").taken) == 2
    monkeypatch.chdir(inbox.parent)
    assert len(take(course, Path("inbox")).unchanged) == 2


def test_what_students_get_can_be_handed_in(course: Path, inbox: Path) -> None:
    put(inbox / "ann.ipynb", nbformat.writes(filled(course, {})))
    assert take(course, inbox).taken == ["ann.ipynb"]
    assert intake(CourseFolder(course), PLAIN, inbox).taken == ["ann.ipynb"]
