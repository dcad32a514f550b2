"""What the gradebook says besides scores: what was repaired, what was missing, what could not be graded."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveAutoGrades
from tiny_course import RIGHT, SQUARE, TINY, filled, submit, type_command

from chainrule.course import CourseFolder
from chainrule.grading import Graft, TellRepairs
from chainrule.grading.classroom import grade, scores
from chainrule.grading.record import record_ungraded

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`

SCRIPT = "<script>alert('NAME')</script>"
REASON = "not a readable notebook: it is empty"


def comments(course: Path, student: str) -> dict[str, str | None]:
    """What a student is told, by answer."""
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        notebook = gradebook.find_submission_notebook(TINY, TINY, student)
        return {comment.name: comment.comment for comment in notebook.comments}


def without(nb: NotebookNode, *ids: str) -> NotebookNode:
    nb.cells = [cell for cell in nb.cells if cell.id not in ids]
    return nb


# ---- missing cells, under both commands --------------------------------------------------------------------


def hand_in(root: Path) -> None:
    """A right answer without its check and without the written one; nothing but text; the blank release."""
    submit(root, "ann", without(filled(root, {SQUARE: RIGHT}), "square-check", "why"))
    nothing = without(filled(root, {}), "imports", SQUARE, "square-check", "why")
    nothing.cells.append(new_code_cell("1", metadata={"nbgrader": {"grade_id": SCRIPT, "solution": True}}))
    submit(root, "bo", nothing)
    submit(root, "cy", filled(root, {}))


def test_missing_cells_score_and_nothing_waits_for_a_person(course: Path) -> None:
    hand_in(course)
    expected = {
        "ann": {"square-check": 4.0, "why": 0.0},
        "bo": {"square-check": 0.0, "why": 0.0},
        "cy": {"square-check": 0.0, "why": 0.0},
    }
    report = grade(CourseFolder(course), TINY, jobs=1, say=lambda _: None)
    assert {graded.student: graded.scores for graded in report.students} == expected
    told = {student: comments(course, student) for student in expected}
    assert told["ann"] == {
        SQUARE: "Repaired before grading:\n\n- cell square-check was missing: restored",
        "why": "No response.\n\nRepaired before grading:\n\n"
        "- cell why was missing: restored without an answer",
    }
    assert "- cells imports, square-check were missing: restored\n" in str(told["bo"][SQUARE]) + "\n"
    assert told["cy"] == {SQUARE: "No response.", "why": "No response."}  # though run as bo's was

    shutil.rmtree(course / "autograded")
    (course / "gradebook.db").unlink()
    type_command(course, "nbgrader", "generate_assignment", TINY, "--force")
    type_command(course, "nbgrader", "autograde", TINY, "--CourseDirectory.student_id=[ab]*")
    type_command(course, "nbgrader", "generate_feedback", TINY)
    folder = CourseFolder(course)
    for student in ("ann", "bo"):
        assert scores(folder, TINY, student) == expected[student]
        assert comments(course, student) == told[student]
    page = (course / "feedback" / "bo" / TINY / f"{TINY}.html").read_text()
    assert SCRIPT not in page
    assert "cells imports, square-check were missing: restored</li>" in page


# ---- repairs in comments -----------------------------------------------------------------------------------


def recorded(course: Path, nb: NotebookNode) -> NotebookNode:
    """A notebook of ann's, sanitised and recorded without being run."""
    folder = CourseFolder(course)
    where = {"student": "ann", "assignment": TINY, "notebook": TINY, "db_url": folder.directory.db_url}
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.update_or_create_student("ann")
        gradebook.update_or_create_submission(TINY, "ann")
    resources: dict[str, Any] = {"nbgrader": where}
    for step in (Graft, SaveAutoGrades, TellRepairs, TellRepairs):
        nb, resources = step(config=folder.config).preprocess(nb, resources)
    return nb


def test_repairs_stand_at_their_answers_once_and_go_with_the_damage(course: Path) -> None:
    nb = filled(course, {SQUARE: RIGHT, "square-check": "4", "why": "Because."})
    nb.cells += [
        NotebookNode(nb.cells[-1] | {"source": "Thus."}),
        new_code_cell("", metadata={"nbgrader": {"grade_id": SCRIPT}}),
    ]
    for _ in range(2):
        recorded(course, nb)
        told = comments(course, "ann")
        assert str(told[SQUARE]).count("cell square-check had been changed: restored") == 1
        assert told["why"] == (
            "Repaired before grading:\n\n- cell why is there in several pieces: they were put together"
        )
    recorded(course, filled(course, {SQUARE: RIGHT}))
    assert comments(course, "ann") == {SQUARE: None, "why": "No response."}


def test_what_a_person_wrote_stays(course: Path) -> None:
    url = CourseFolder(course).directory.db_url
    recorded(course, filled(course, {}))
    with Gradebook(url) as gradebook:
        gradebook.find_comment("why", TINY, TINY, "ann").manual_comment = "nice"
        gradebook.db.commit()
    recorded(course, without(filled(course, {}), "why"))
    assert comments(course, "ann")["why"] == "nice"
    with Gradebook(url) as gradebook:
        comment = gradebook.find_comment("why", TINY, TINY, "ann")
        assert (comment.manual_comment, "missing" in comment.auto_comment) == ("nice", True)


def test_names_of_foreign_cells_are_short_and_plain(course: Path) -> None:
    cells = [
        new_code_cell("1", metadata={"nbgrader": {"grade_id": f"\x1b[31m{SCRIPT * 99}{n}"}}) for n in range(9)
    ]
    cells += [
        new_code_cell("1", metadata={"nbgrader": {"grade_id": name}}) for name in ("", [1], {"a": 1}, None, 5)
    ]
    nb = filled(course, {SQUARE: RIGHT})
    nb.cells += cells
    recorded(course, nb)
    text = str(comments(course, "ann")[SQUARE])
    assert len(text) < 1000
    assert not re.search(r"[<>\x1b`*\[\]]", text)


# ---- no notebook at all ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", ["2025-03-01 10:00:00 UTC", "yesterday", None])
def test_a_hand_in_that_is_no_notebook_earns_nothing_and_waits_for_nobody(
    course: Path, stamp: str | None
) -> None:
    folder = CourseFolder(course)
    timestamp = submit(course, "ann", "").with_name("timestamp.txt")
    if stamp:
        timestamp.write_text(f"{stamp}\n")
    for reason in ("something else", REASON, REASON):
        record_ungraded(folder, TINY, "ann", reason)
    assert scores(folder, TINY, "ann") == {"square-check": 0.0, "why": 0.0}
    assert comments(course, "ann") == {SQUARE: f"Not graded: {REASON}", "why": None}
    with Gradebook(folder.directory.db_url) as gradebook:
        submission = gradebook.find_submission(TINY, "ann")
        assert not submission.needs_manual_grade
        assert str(submission.timestamp) == ("2025-03-01 10:00:00" if stamp and "UTC" in stamp else "None")


def test_who_was_graded_before_keeps_the_scores(course: Path) -> None:
    folder = CourseFolder(course)
    recorded(course, filled(course, {SQUARE: RIGHT, "why": "Signs cancel."}))
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.find_grade("why", TINY, TINY, "ann").manual_score = 0.5
        gradebook.find_comment("why", TINY, TINY, "ann").manual_comment = "nice"
        gradebook.db.commit()
        before = gradebook.find_submission(TINY, "ann").timestamp
    submit(course, "ann", "").with_name("timestamp.txt").write_text("2025-03-01 10:00:00 UTC\n")
    record_ungraded(folder, TINY, "ann", REASON)
    assert scores(folder, TINY, "ann") == {"square-check": 4.0, "why": 0.5}
    assert comments(course, "ann") == {SQUARE: f"Not graded: {REASON}", "why": "nice"}
    with Gradebook(folder.directory.db_url) as gradebook:
        assert gradebook.find_submission(TINY, "ann").timestamp == before


def test_an_answer_that_waits_for_a_person_goes_on_waiting(course: Path) -> None:
    """Nothing earned yet, but graded: there is an autograded notebook."""
    folder = CourseFolder(course)
    recorded(course, filled(course, {"why": "Signs cancel."}))
    autograded = folder.folder("autograded", "ann", TINY)
    autograded.mkdir(parents=True)
    (autograded / f"{TINY}.ipynb").write_text("{}")
    record_ungraded(folder, TINY, "ann", REASON)
    assert scores(folder, TINY, "ann")["why"] is None
