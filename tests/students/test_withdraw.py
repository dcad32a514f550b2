"""What is withdrawn is out of every place, kept, and comes back with all its marks."""

from pathlib import Path

import pytest
from marking_class import ESSAYS, SOFTMAX, copied
from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy import select
from tiny_course import type_command

from chainrule.course import CourseFolder
from chainrule.gradebook_tables import ANSWERS


@pytest.fixture
def folder(small_class: Path, tmp_path: Path) -> CourseFolder:
    """A course in which ada's answer to an item was marked by hand and its hand-in has a file."""
    folder = copied(small_class, tmp_path / "course")
    handed_in = folder.folder("submitted", "ada", ESSAYS)
    handed_in.mkdir(parents=True)
    (handed_in / "part1.ipynb").write_text("handed in")
    type_command(folder.root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "0.75", "--why", "well said")
    return folder


def state(folder: CourseFolder, student: str) -> object:
    """All that the gradebook has of a hand-in."""
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        (notebook,) = gradebook.find_submission(ESSAYS, student).notebooks
        fingerprints = gradebook.db.execute(select(ANSWERS.c.id, ANSWERS.c.answer)).all()
        return sorted(
            (
                one.name,
                one.auto_score,
                one.manual_score,
                one.needs_manual_grade,
                tuple(sorted(answer for id, answer in fingerprints if id == one.id)),
            )
            for one in notebook.grades
        ), sorted((one.name, one.auto_comment, one.manual_comment) for one in notebook.comments)


def test_a_hand_in_is_taken_out_and_put_back(folder: CourseFolder) -> None:
    before, autograded = state(folder, "ada"), folder.folder("autograded", "ada", ESSAYS)
    files = sorted(path.name for path in autograded.iterdir())
    said = type_command(folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--dry-run")
    assert "1 of its items marked by people" in said
    assert "nothing was changed" in said
    assert state(folder, "ada") == before
    said = type_command(folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--why", "a friend's file")
    assert "put it back by `chainrule withdraw essays ada --undo`" in said
    assert not autograded.exists()
    assert not folder.folder("submitted", "ada", ESSAYS).exists()
    with pytest.raises(MissingEntry):
        state(folder, "ada")
    assert state(folder, "bob")
    assert "handed in nothing" in type_command(
        folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--why", "x", code=2
    )
    type_command(folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--undo")
    assert state(folder, "ada") == before
    assert sorted(path.name for path in autograded.iterdir()) == files
    assert (folder.folder("submitted", "ada", ESSAYS) / "part1.ipynb").read_text() == "handed in"
    assert "nothing of ada was withdrawn" in type_command(
        folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--undo", code=2
    )


def test_a_grading_alone_is_undone(folder: CourseFolder) -> None:
    type_command(
        folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--grading", "--why", "graded too early"
    )
    assert folder.folder("submitted", "ada", ESSAYS).exists()
    assert not folder.folder("autograded", "ada", ESSAYS).exists()
    with pytest.raises(MissingEntry):
        state(folder, "ada")


def test_what_is_there_again_is_not_overwritten(folder: CourseFolder) -> None:
    type_command(folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--why", "a friend's file")
    again = folder.folder("submitted", "ada", ESSAYS)
    again.mkdir(parents=True)
    (again / "part1.ipynb").write_text("handed in again")
    said = type_command(folder.root, "chainrule", "withdraw", ESSAYS, "ada", "--undo", code=2)
    assert "is there again" in said
    assert (again / "part1.ipynb").read_text() == "handed in again"
