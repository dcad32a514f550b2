"""Nobody is accused of what an instructor did: hand-ins are compared with every version that was released."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from sums_course import FB1, SUMS, edit, grade_again, hand_in, page, release, source, write
from tiny_course import marked

from chainrule.course import CourseFolder
from chainrule.grading.classroom import scores

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`

ACCUSED = ("Repaired before grading", "had been changed", "missing", "not part of this notebook")


@pytest.fixture
def fb1(tmp_path: Path) -> Path:
    return write(tmp_path)


def cell_of(nb: NotebookNode, name: str) -> NotebookNode:
    (cell,) = (cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
    return cell


def submitted(root: Path, student: str) -> NotebookNode:
    return nbformat.read(root / "submitted" / student / FB1 / f"{SUMS}.ipynb", as_version=4)


def resubmit(root: Path, student: str, nb: NotebookNode) -> None:
    nbformat.write(nb, root / "submitted" / student / FB1 / f"{SUMS}.ipynb")


def edited(nb: NotebookNode) -> NotebookNode:
    """Other points, another date in the title, another text, another check, another stub, another label, a cell more
    and one less."""
    cell_of(nb, "q1-test").metadata.nbgrader.points = 3
    nb.cells[0].source += "\n\nDue on Friday."
    nb.cells[1].source += "\nimport statistics"
    cell_of(nb, "q1-intro").source = "**1.** Write `twice(x)` (3 points)."
    cell_of(nb, "q1-test").source = "assert twice(3) == 6\nassert twice(2) == 4"
    cell_of(nb, "q3-text").source = "In one sentence:\n\n### BEGIN SOLUTION\nNo.\n### END SOLUTION"
    nb.cells.remove(cell_of(nb, "q4-intro"))
    cell_of(nb, "q2-code").metadata.nbgrader.grade_id = "q2-answer"
    nb.cells.insert(5, marked(new_code_cell("assert callable(twice)"), "q1-more", 1))
    nb.cells.insert(2, new_markdown_cell("A note.", id="new-note"))
    return nb


@pytest.mark.parametrize("command", ["chainrule", "nbgrader"])
@pytest.mark.parametrize("released", [True, False])
def test_what_an_instructor_changed_is_not_told_to_students(fb1: Path, command: str, released: bool) -> None:
    hand_in(fb1, "ann")
    hand_in(fb1, "bo", q3_text="*Write your answer here.*")
    before = submitted(fb1, "ann")
    hand_in(fb1, "cy", q1_intro="My own question.")
    hand_in(fb1, "di")
    edit(fb1, edited(source(fb1)))
    if released or command == "nbgrader":
        release(fb1)
    if released:  # and edited once more
        nb = source(fb1)
        cell_of(nb, "q1-intro").source += " Soon."
        edit(fb1, nb)
    said = grade_again(fb1, command, "ann", "bo", "cy", "di")
    for student in ("ann", "bo"):
        assert not [word for word in ACCUSED if word in page(fb1, student)]
        assert f"{student}: cell" not in said
    assert "cell q1-intro had been changed: restored" in page(fb1, "cy")
    folder = CourseFolder(fb1)
    assert scores(folder, FB1, "ann") == {
        "q1-test": 3,
        "q1-more": 1,
        "q2-test": 3,
        "q3-text": None,
        "q4-plot": None,
    }
    assert scores(folder, FB1, "bo")["q3-text"] == 0  # the earlier stub is no answer
    graded = nbformat.read(fb1 / "autograded" / "ann" / FB1 / f"{SUMS}.ipynb", as_version=4)
    texts = [cell.source for cell in graded.cells]
    assert "**4.** Draw something (1 point)." not in texts
    assert "A note." in texts
    assert texts[0].endswith("Due on Friday.")
    if command == "chainrule":
        assert "4 of 4 hand-ins are of an earlier release" in said
    assert submitted(fb1, "ann") == before


def test_diff_gives_the_instructors_change_as_the_reason(fb1: Path) -> None:
    hand_in(fb1, "ann", q3_text="*Write your answer here.*")
    grade_again(fb1, "chainrule")
    nb = source(fb1)
    cell_of(nb, "q1-test").source += "\nassert twice(5) == 11"
    cell_of(nb, "q3-text").source = "In one sentence:\n\n### BEGIN SOLUTION\nNo.\n### END SOLUTION"
    nb.cells[0].source += " Due on Friday."
    edit(fb1, nb)
    said = grade_again(fb1, "chainrule")
    (line,) = (line for line in said.splitlines() if line.startswith("ann q1-test"))
    assert line.endswith("because the checks changed")
    assert "submission" not in said


def test_a_fresh_clone_knows_what_release_says(fb1: Path) -> None:
    hand_in(fb1, "ann")
    hand_in(fb1, "bo", q1_intro="My own.")
    shutil.rmtree(fb1 / "versions")
    (fb1 / "gradebook.db").unlink()
    edit(fb1, edited(source(fb1)))
    said = grade_again(fb1, "chainrule")
    assert "ann: cell" not in said
    assert "bo: cell q1-intro had been changed: restored" in said


def test_metadata_that_is_nothing_for_nbgrader_is_no_label(fb1: Path) -> None:
    nb = source(fb1)
    nothing = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    for cell in nb.cells:
        cell.pop("id")
        if "nbgrader" not in cell.metadata or cell.metadata.nbgrader.locked:
            cell.metadata["nbgrader"] = dict(nothing)
    cell_of_points = [cell for cell in source(fb1).cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell in cell_of_points:
        for own in nb.cells:
            if own.source == cell.source:
                own.metadata["nbgrader"] = cell.metadata["nbgrader"]
    nb.nbformat_minor = 4
    for number in range(120):
        nb.cells.append(
            NotebookNode(cell_type="markdown", metadata={"nbgrader": dict(nothing)}, source=f"Text {number}.")
        )
    edit(fb1, nb)
    release(fb1)
    for student in ("ann", "bo"):
        hand_in(fb1, student)
    said = grade_again(fb1, "chainrule")
    assert "label" not in said
    assert "Repaired" not in page(fb1, "ann")


def test_a_repair_that_all_share_is_told_once_to_staff(fb1: Path) -> None:
    for student in ("ann", "bo", "cy"):
        hand_in(fb1, student, q1_intro="As the tutor handed it out.")
    nb = submitted(fb1, "cy")
    cell_of(nb, "q2-intro").source = "My own."
    nb.cells.remove(cell_of(nb, "q4-intro"))
    resubmit(fb1, "cy", nb)
    said = grade_again(fb1, "chainrule")
    assert said.count("q1-intro") == 1
    assert "all hand-ins of sums: cell q1-intro had been changed: restored" in said
    assert "Repaired" not in page(fb1, "ann")
    assert "q1-intro had been" not in page(fb1, "cy")
    assert "cell q2-intro had been changed: restored" in page(fb1, "cy")
    assert "cell q4-intro was missing: restored" in page(fb1, "cy")
    assert "cy: cell q2-intro had been changed: restored\ncy: cell q4-intro was missing" in said

    said = grade_again(fb1, "chainrule", "bo")  # what the others needed is known from their last grading
    assert "all hand-ins of sums: cell q1-intro had been changed: restored" in said
    assert "Repaired" not in page(fb1, "bo")


def test_what_a_single_hand_in_needed_is_told_to_the_student(fb1: Path) -> None:
    hand_in(fb1, "ann", q1_intro="My own.")
    said = grade_again(fb1, "chainrule")
    assert "ann: cell q1-intro had been changed: restored" in said
    assert "cell q1-intro had been changed: restored" in page(fb1, "ann")
