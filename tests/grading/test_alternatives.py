"""Of some notebooks one counts: the better one, once, and everybody who reads totals is told so."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from conftest import once
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from tiny_course import marked, notebook, set_due, type_command

from chainrule.course import CONFIG, CourseFolder
from chainrule.course_options import mistakes
from chainrule.feedback.pdf import redacted
from chainrule.handin import hand_in
from chainrule.intake.expected_files import ExpectedFiles
from chainrule.intake.roster import Person
from chainrule.marking.answers import Item
from chainrule.marking.room import MarkingRoom
from chainrule.marking.views import _results
from chainrule.release.generate import generate
from chainrule.report.statistics import arrivals, item_figures
from chainrule.report.table import class_table
from chainrule.students.decide import penalise
from chainrule.submissions import graded_assignment
from chainrule.term.status import status

HW, THEORY, ONE, OTHER = "hw", "theory", "in_numpy", "in_lists"
BOTH = "in_lists counts, with 3 points; in_numpy, handed in as well, has 1"
ADA = Person("1", "ada", "Lovelace", "Ada", "")
# points by notebook: 1 for f(1), 2 for f(2), and 2 for a text
HALF, FULL = "def {}(x):\n    return 1", "def {}(x):\n    return x"


def sheet(name: str) -> nbformat.NotebookNode:
    asked = f"{name[-3:]}_"
    f = asked + "f"
    solution = f"### BEGIN SOLUTION\ndef {f}(x):\n    return x\n### END SOLUTION"
    cells = [
        marked(new_markdown_cell(f"# The notebook {name}"), f"{name}-title"),
        marked(new_code_cell(solution), f"{f}-code", solution=True),
        marked(new_code_cell(f"assert {f}(1) == 1"), f"{f}-first", 1),
        marked(new_code_cell(f"assert {f}(2) == 2"), f"{f}-second", 2),
        marked(new_markdown_cell("It is the identity."), f"{f}-why", 2, solution=True),
    ]
    return notebook(cells)


def write(root: Path) -> None:
    """A course with a notebook for all, and two of which one counts; ann, bo, cy and di handed in, and it is graded."""
    folder = root / "source" / HW
    folder.mkdir(parents=True)
    for name in (THEORY, ONE, OTHER):
        nbformat.write(sheet(name), folder / f"{name}.ipynb")
    set_due(root, "2099-01-01 12:00 Europe/Zurich")
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"c.Course.preload = []\nc.Course.alternatives = {{{HW!r}: [[{ONE!r}, {OTHER!r}]]}}\n")
        config.write(f'c.Course.due[{HW!r}] = "2026-01-01 12:00 Europe/Zurich"\n')
        config.write(f'c.Course.late[{HW!r}] = "10% per day"\n')
        config.write(f'c.Course.handin[{HW!r}] = ["{{last}}.zip/*.ipynb"]\n')
    generate(CourseFolder(root), HW)
    submit(root, "ann", {THEORY: FULL, ONE: FULL})
    submit(root, "bo", {THEORY: FULL, OTHER: FULL})
    submit(root, "cy", {THEORY: FULL, ONE: HALF, OTHER: FULL})
    submit(root, "di", {THEORY: FULL, ONE: "", OTHER: HALF})
    (root / "said.txt").write_text(type_command(root, "chainrule", "grade", HW, "--jobs", "2"))


def submit(root: Path, student: str, answers: Mapping[str, str]) -> None:
    """Hand in these notebooks a day late; one without an answer is as it was released."""
    for name, answer in answers.items():
        nb = nbformat.read(root / "release" / HW / f"{name}.ipynb", as_version=4)
        for cell in nb.cells:
            if cell.id == f"{name[-3:]}_f-code" and answer:
                cell.source = answer.format(f"{name[-3:]}_f")
        path = root / "submitted" / student / HW / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, path)
    (path.parent / "timestamp.txt").write_text("2026-01-02 10:00:00 UTC\n")


@pytest.fixture(scope="session")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "alternatives", write)


@pytest.fixture
def root(chosen: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(chosen, tmp_path / "course"))


def rows(root: Path) -> dict[str, dict[str, str]]:
    type_command(root, "chainrule", "marks", HW)
    text = (root / "marks" / f"{HW}.csv").read_text(encoding="utf-8")
    return {row["student_id"]: row for row in csv.DictReader(io.StringIO(text))}


def test_marks_count_the_better_one_once(root: Path) -> None:
    found = rows(root)
    assert {row["max_score"] for row in found.values()} == {"10.0"}
    # a day late costs 10% of what can be had
    penalties = {student: row["late_submission_penalty"] for student, row in found.items()}
    assert penalties == dict.fromkeys(("ann", "bo", "cy", "di"), "1.0")
    assert {student: float(row["score"]) for student, row in found.items()} == {
        "ann": 5,
        "bo": 5,
        "cy": 5,
        "di": 3,
    }
    assert (found["cy"]["mpy_f-first"], found["cy"]["sts_f-first"]) == ("", "1.0")
    assert found["cy"]["note"] == BOTH
    assert [found[student]["note"] for student in ("ann", "bo", "di")] == ["", "", ""]


def test_grading_says_which_one_counts(chosen: Path) -> None:
    said = " ".join((chosen / "said.txt").read_text().split())
    assert "/4 cy 6 of 10" in said
    assert BOTH in said
    assert "/4 di 4 of 10" in said
    assert said.count("handed in as well") == 1


def test_what_was_left_as_released_is_not_run(chosen: Path) -> None:
    graded = [path.name for path in sorted((chosen / "autograded" / "di" / HW).glob("*.ipynb"))]
    assert graded == [f"{OTHER}.ipynb", f"{THEORY}.ipynb"]


def test_status_report_and_marking_room_say_it(root: Path) -> None:
    folder = CourseFolder(root)
    (one,) = status(folder, HW)
    assert one.several == {"cy": BOTH}
    table = class_table(folder, HW)
    assert table.maximum == 10
    assert arrivals(table).several == {"cy": BOTH}
    done = {each.key[1]: each.done + each.waiting for each in item_figures(table)}
    assert done["mpy_f-first"] == 1  # of ann's: cy's doesn't count
    room = MarkingRoom(folder, HW)
    with Gradebook(folder.directory.db_url) as gradebook:
        connection = gradebook.db.connection()
        told = [*_results(connection, room, Item(OTHER, "sts_f-why", 2.0), "cy")]
        assert f"{ONE} was handed in, too: the notebook with more points counts" in told
        assert [*_results(connection, room, Item(OTHER, "sts_f-why", 2.0), "bo")] == []


def test_feedback_has_both_and_counts_one(root: Path) -> None:
    folder = CourseFolder(root)
    _, context = redacted(folder, HW, "cy", root / "autograded" / "cy" / HW / f"{THEORY}.ipynb")
    assert {points.title: points.counts for points in context["all_points"]} == {
        THEORY: True,
        ONE: False,
        OTHER: True,
    }
    assert any(said.startswith("The notebook in_lists counts, with 3 points; ") for said in context["told"])
    type_command(root, "chainrule", "feedback", HW)
    index = " ".join((root / "feedback" / "cy" / HW / "index.html").read_text().split())
    assert "The notebook in_numpy</a> (doesn't count)" in index.replace("&#39;", "'")
    assert "<strong>5 of 10 points</strong>" in index
    index = (root / "feedback" / "bo" / HW / "index.html").read_text()
    assert "The notebook in_numpy" not in index  # nothing is missing


def test_a_persons_points_may_make_the_other_count(root: Path) -> None:
    folder = CourseFolder(root)
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.find_grade("mpy_f-second", ONE, HW, "cy").manual_score = 2.0
        gradebook.find_grade("mpy_f-why", ONE, HW, "cy").manual_score = 1.5
        gradebook.db.commit()
    row = rows(root)["cy"]
    assert (row["score"], row["mpy_f-why"], row["sts_f-first"]) == ("6.5", "1.5", "")


def test_decided_percentages_are_of_what_can_be_had(root: Path) -> None:
    folder = CourseFolder(root)
    assert penalise(folder, HW, ["bo"], "20%", "why", "staff")[-1] == "  total 5 → 3"
    assert rows(root)["bo"]["score"] == "3.0"


def test_stock_nbgrader_grades_both_and_our_export_counts_one(root: Path) -> None:
    type_command(root, "nbgrader", "autograde", HW, "--student", "cy", "--force")
    type_command(root, "nbgrader", "export", "--to", "ours.csv")
    type_command(
        root, "nbgrader", "export", "--exporter=nbgrader.plugins.CsvExportPlugin", "--to", "theirs.csv"
    )
    ours, theirs = (
        {row["student_id"]: row for row in csv.DictReader((root / f"{name}.csv").open())}
        for name in ("ours", "theirs")
    )
    assert (ours["cy"]["score"], ours["cy"]["max_score"]) == ("5.0", "10.0")
    # nbgrader's own export knows no choice: its maximum has both, and so has the score of who handed in both
    assert (theirs["bo"]["score"], theirs["bo"]["max_score"]) == ("5.0", "15.0")
    assert float(theirs["cy"]["raw_score"]) == 7


def test_a_total_without_alternatives_is_of_all(chosen: Path) -> None:
    with Gradebook(CourseFolder(chosen).directory.db_url) as gradebook:
        found = graded_assignment(gradebook.db.connection(), HW, [])
    assert found
    assert found.maximum == 15
    assert found.submissions["cy"].score == 7


# ---- hand-in and intake ------------------------------------------------------------------------------------------


def pack(root: Path, answers: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """What a student gets who answers so: the notebooks that are packed, problems, notes."""
    folder = root / "release" / HW
    for name, answer in answers.items():
        nb = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        for cell in nb.cells:
            if answer and cell.id.endswith("_f-code"):
                cell.source = answer.format(f"{name[-3:]}_f")
            if answer and cell.id.endswith("_f-why"):
                cell.source = "Look."
        nbformat.write(nb, folder / f"{name}.ipynb")
    receipt = hand_in(folder, last="Lovelace", first="Ada", number="1", force=True, say=lambda line: None)
    assert receipt is not None
    return receipt.files[0].holds, receipt.problems, receipt.notes


def test_a_student_hands_in_one(root: Path) -> None:
    packed, problems, notes = pack(root, {THEORY: FULL, OTHER: FULL})
    assert packed == [f"{OTHER}.ipynb", f"{THEORY}.ipynb"]
    assert problems == []
    assert notes == [f"{ONE}.ipynb has no answer, and is not handed in: {OTHER}.ipynb is"]


def test_a_student_may_delete_the_other(root: Path) -> None:
    (root / "release" / HW / f"{ONE}.ipynb").unlink()
    assert pack(root, {THEORY: FULL, OTHER: FULL}) == ([f"{OTHER}.ipynb", f"{THEORY}.ipynb"], [], [])
    (root / "release" / HW / f"{OTHER}.ipynb").unlink()
    _, problems, _ = pack(root, {THEORY: FULL})
    assert [problem.partition(":")[0] for problem in problems] == [f"{ONE}.ipynb or {OTHER}.ipynb isn't here"]


def test_a_student_who_answers_both_is_told(root: Path) -> None:
    packed, _, notes = pack(root, {THEORY: FULL, ONE: FULL, OTHER: FULL})
    assert len(packed) == 3
    assert notes == [
        f"{ONE}.ipynb and {OTHER}.ipynb are handed in, and one of them counts: the one with more points"
    ]


def test_the_last_cell_says_that_one_is_handed_in(chosen: Path) -> None:
    nb = nbformat.read(chosen / "release" / HW / f"{ONE}.ipynb", as_version=4)
    texts = " ".join(cell.source for cell in nb.cells)
    assert f"Of `{ONE}` and `{OTHER}` hand in one." in texts


def test_intake_misses_neither(root: Path, tmp_path: Path) -> None:
    expected, ann = ExpectedFiles(CourseFolder(root), HW, []), root / "submitted" / "ann" / HW
    assert expected.missing(ann, ADA) == []
    (ann / f"{ONE}.ipynb").rename(tmp_path / "gone.ipynb")
    assert expected.missing(ann, ADA) == [f"{ONE}.ipynb or {OTHER}.ipynb"]


def test_doctor_names_what_is_wrong_with_alternatives(root: Path) -> None:
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"c.Course.alternatives = {{{HW!r}: [[{ONE!r}, 'gone'], [{ONE!r}]]}}\n")
    told = "\n".join(mistakes(CourseFolder(root)))
    assert "names 'gone', which is no notebook" in told
    assert f"names {ONE!r} twice" in told
    assert "name at least two notebooks" in told
