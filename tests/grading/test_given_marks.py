"""A mark belongs to the answer that it was given for: another answer waits, under both commands."""

import shutil
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from sums_course import FB1, FILES, SUMS, edit, grade_again, hand_in, mark, page, release, source, told, write
from tiny_course import marked

from chainrule.course import CourseError, CourseFolder
from chainrule.grading.classroom import grade, scores
from chainrule.intake.lms_name import LmsName
from chainrule.marks import fill_for_lms
from chainrule.marks.totals import totals

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`


@pytest.fixture
def fb1(tmp_path: Path) -> Path:
    return write(tmp_path)


def cell_of(nb: NotebookNode, name: str) -> NotebookNode:
    (cell,) = (cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
    return cell


def waiting(root: Path, student: str) -> set[str]:
    folder = CourseFolder(root)
    with Gradebook(folder.directory.db_url) as gradebook:
        found = totals(folder, gradebook.db.connection(), FB1)
    assert found is not None
    (items,) = (total.waiting for total in found[1] if total.person.id == student)
    return set(items)


@pytest.mark.parametrize("command", ["chainrule", "nbgrader"])
def test_another_answer_waits_and_the_old_one_gets_its_mark_back(fb1: Path, command: str) -> None:
    hand_in(fb1, "ann")
    grade_again(fb1, command, "ann")
    mark(fb1, "ann", "q3-text", 0.75, "Say how far.")
    mark(fb1, "ann", "q4-plot", 1)
    said = grade_again(fb1, command, "ann")  # the same answers keep their marks
    folder = CourseFolder(fb1)
    assert scores(folder, FB1, "ann") == {"q1-test": 2, "q2-test": 3, "q3-text": 0.75, "q4-plot": 1}
    assert not said
    with Gradebook(folder.directory.db_url) as gradebook:
        assert not gradebook.find_submission(FB1, "ann").needs_manual_grade

    hand_in(fb1, "ann", q3_text="The median is better.")
    said = grade_again(fb1, command, "ann")
    assert waiting(fb1, "ann") == {"q3-text"}
    assert scores(folder, FB1, "ann")["q3-text"] is None
    own, automatic = told(fb1, "ann", "q3-text")
    assert own is None
    assert "q3-text was 0.75 for an earlier answer" in str(automatic)
    assert "Say how far." in str(automatic)
    if command == "chainrule":
        assert "ann q3-text 0.75 → wait: was 0.75 for an earlier answer" in said
    assert "was 0.75 for an earlier answer" in page(fb1, "ann")
    filled = fill_for_lms(folder, FB1, LmsName.canvas)
    assert [total.waiting for total in filled.waiting] == [("q3-text",)]

    grade_again(fb1, command, "ann")  # it goes on waiting
    assert waiting(fb1, "ann") == {"q3-text"}
    mark(fb1, "ann", "q3-text", 2)
    assert "earlier answer" not in page(fb1, "ann")
    grade_again(fb1, command, "ann")
    assert scores(folder, FB1, "ann")["q3-text"] == 2
    assert told(fb1, "ann", "q3-text") == (None, None)

    hand_in(fb1, "ann")
    grade_again(fb1, command, "ann")
    assert scores(folder, FB1, "ann")["q3-text"] == 0.75
    assert told(fb1, "ann", "q3-text") == ("Say how far.", None)


def test_a_mark_that_a_person_gave_instead_of_the_checks_is_for_that_answer_too(fb1: Path) -> None:
    hand_in(fb1, "ann", q2_code="def mean(values):\n    return 2")
    grade_again(fb1, "chainrule")
    mark(fb1, "ann", "q2-test", 2.5)
    hand_in(fb1, "ann", q1_code="def twice(x):\n    return 2 * x", q2_code="def mean(values):\n    return 2")
    grade_again(fb1, "chainrule")  # another answer to another question
    assert scores(CourseFolder(fb1), FB1, "ann")["q2-test"] == 2.5
    hand_in(fb1, "ann", q2_code="def mean(values):\n    return 5")
    said = grade_again(fb1, "chainrule")
    assert "ann q2-test 2.5 → wait: was 2.5 for an earlier answer" in said
    assert waiting(fb1, "ann") == {"q2-test", "q3-text", "q4-plot"}
    assert "q2-test was 2.5 for an earlier answer" in str(told(fb1, "ann", "q2-code")[1])
    hand_in(fb1, "ann", q2_code="# nothing\n", q3_text="*Write your answer here.*")
    grade_again(fb1, "chainrule")
    assert "q2-test" in waiting(fb1, "ann")
    assert scores(CourseFolder(fb1), FB1, "ann")["q3-text"] == 0  # nothing to wait for


def test_a_changed_maximum_is_told_and_keeps_the_marks(fb1: Path) -> None:
    hand_in(fb1, "ann")
    grade_again(fb1, "chainrule")
    mark(fb1, "ann", "q3-text", 2)
    nb = source(fb1)
    (cell,) = (cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "q3-text")
    cell.metadata.nbgrader.points = 1.5
    edit(fb1, nb)
    said = grade_again(fb1, "chainrule")
    assert "ann q3-text 2 of 2 → 2 of 1.5: the maximum has changed\n" in f"{said}\n"
    assert (
        "q3-text: its maximum was 2 when it was graded last and is 1.5 now; the marks of people, 1 so far"
        in said
    )
    assert fill_for_lms(CourseFolder(fb1), FB1, LmsName.canvas).above[0].above == ("q3-text",)
    assert "ann: q3-text is marked 2 of 1.5, more than its maximum" in said
    assert "graded last" not in grade_again(fb1, "chainrule")
    assert scores(CourseFolder(fb1), FB1, "ann")["q3-text"] == 2


def test_the_marks_of_a_notebook_that_is_no_longer_handed_in(fb1: Path) -> None:
    shutil.copy(FILES / "fb1-source.ipynb", fb1 / "source" / FB1 / "more.ipynb")
    release(fb1)
    hand_in(fb1, "ann")
    first = fb1 / "submitted" / "ann" / FB1 / f"{SUMS}.ipynb"
    shutil.copy(first, first.with_name("more.ipynb"))
    folder = CourseFolder(fb1)
    grade(folder, FB1, jobs=1, say=lambda _: None)
    mark(fb1, "ann", "q3-text", 2)
    text = first.read_bytes()
    first.unlink()
    grade(folder, FB1, jobs=1, say=lambda _: None)
    with Gradebook(folder.directory.db_url) as gradebook:
        assert gradebook.find_submission_notebook(SUMS, FB1, "ann").score == 0
    first.write_bytes(text)
    grade(folder, FB1, jobs=1, say=lambda _: None)
    with Gradebook(folder.directory.db_url) as gradebook:
        assert gradebook.find_grade("q3-text", SUMS, FB1, "ann").manual_score == 2


def test_other_names_of_cells_after_grading_are_refused_with_what_to_do(fb1: Path) -> None:
    hand_in(fb1, "ann")
    grade_again(fb1, "chainrule")
    mark(fb1, "ann", "q3-text", 2)
    folder, before = CourseFolder(fb1), source(fb1)

    def refused() -> str:
        with pytest.raises(CourseError) as raised:
            grade(folder, FB1, jobs=1, say=lambda _: None)
        assert "Error" not in str(raised.value)
        assert "nbgrader db assignment remove fb1" in str(raised.value)
        return str(raised.value)

    nb = source(fb1)
    cell_of(nb, "q3-text").metadata.nbgrader.grade_id = "q3-why"
    nb.cells.append(marked(new_code_cell("assert True"), "q5-test", 1))
    edit(fb1, nb)
    said = refused()
    assert said.startswith(
        "sums.ipynb: cell q3-text is gone, cells q3-why, q5-test are new: hand-ins were graded"
    )
    cell_of(before, "q4-plot").metadata.nbgrader.grade = False
    edit(fb1, before)
    assert refused().startswith("sums.ipynb: cell q4-plot is of another kind: hand-ins")
    path = fb1 / "source" / FB1 / f"{SUMS}.ipynb"
    path.rename(path.with_name("adding.ipynb"))
    assert refused().startswith("sums.ipynb is no longer in source/fb1: hand-ins were graded before")
    assert scores(folder, FB1, "ann")["q3-text"] == 2


def test_an_unreadable_hand_in_after_a_graded_one_is_told_with_whose_scores_stay(fb1: Path) -> None:
    hand_in(fb1, "ann")
    assert "not graded" not in grade_again(fb1, "chainrule")
    path = fb1 / "submitted" / "ann" / FB1 / f"{SUMS}.ipynb"
    path.write_text("{", encoding="utf-8")
    said = grade_again(fb1, "chainrule")
    assert "it is not JSON, or was cut off; the scores are those of the hand-in before it" in said
    path.rename(path.with_name("sums (1).ipynb"))
    assert "ann: sums (1).ipynb is not one of the assignment's notebooks" in grade_again(fb1, "chainrule")
