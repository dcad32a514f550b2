"""A class that hands in problem 6.2 in one framework, in the other, or in both: graded in one run, and by nbgrader."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import nbformat
import pytest
from conftest import once
from nbgrader.preprocessors import ClearSolutions
from tiny_course import CONFIG, ROOT, type_command

from chainrule.authoring.rehearse import code_cells
from chainrule.course import CourseFolder
from chainrule.gradebook import open_tables
from chainrule.modules import packages_of
from chainrule.release.generate import generate
from chainrule.submissions import Submission, graded_assignment

HW = "csc6022-hw2"
TORCH, FLOW = "p6_2_cnn_pytorch", "p6_2_cnn_tensorflow"
WEIGHTS = {TORCH: "p6_2_open.safetensors", FLOW: "p6_2_open_tensorflow.safetensors"}
CLASS = {"ann": [TORCH], "bo": [FLOW], "cy": [TORCH, FLOW], "di": [FLOW]}
BY_CHECKS = 26.0


def hand_in(root: Path, student: str, notebook: str) -> None:
    """The reference with its weights; cy's in PyTorch has a wrong warm-up, and di has written nothing."""
    nb = nbformat.read(ROOT / "source" / HW / f"{notebook}.ipynb", as_version=4)
    folder = root / "submitted" / student / HW
    folder.mkdir(parents=True, exist_ok=True)
    if student == "di":
        nb, _ = ClearSolutions(code_stub={"python": "todo()"}).preprocess(nb, {})
    else:
        shutil.copy(ROOT / "judging" / "csc6022_hw2" / WEIGHTS[notebook], folder)
    for cell in nb.cells:
        if student == "cy" and cell.metadata.get("nbgrader", {}).get("grade_id") == "p6_2a-code":
            cell.source = cell.source.replace("return torch.zeros(size", "return 1 + torch.zeros(size")
    nbformat.write(nb, folder / f"{notebook}.ipynb")


def write(root: Path) -> None:
    """The class, graded by `chainrule grade`."""
    leave = shutil.ignore_patterns("p[1-57]_*.ipynb", "p6_1*.ipynb", "__pycache__", ".ipynb_checkpoints")
    shutil.copytree(ROOT / "source" / HW, root / "source" / HW, ignore=leave)
    shutil.copytree(ROOT / "judging", root / "judging", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / CONFIG, root)
    generate(CourseFolder(root), HW)
    for student, notebooks in CLASS.items():
        for notebook in notebooks:
            hand_in(root, student, notebook)
    (root / "said.txt").write_text(type_command(root, "chainrule", "grade", HW, "--jobs", "2"))


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "frameworks", write)


def submissions(root: Path) -> tuple[float, dict[str, Submission]]:
    folder = CourseFolder(root)
    with open_tables(folder.directory.db_url) as connection:
        graded = graded_assignment(connection, HW, folder.course.alternatives_of(HW))
    assert graded
    return graded.maximum, graded.submissions


def test_the_reference_has_all_points_of_checks_in_either_and_the_blank_none(three: Path) -> None:
    maximum, found = submissions(three)
    assert maximum == 30
    assert {student: one.score for student, one in found.items()} == {
        "ann": BY_CHECKS,
        "bo": BY_CHECKS,
        "cy": BY_CHECKS,
        "di": 0.0,
    }
    assert [grade.item for grade in found["bo"].waiting] == ["t6_2e-written"]
    assert [grade.item for grade in found["ann"].waiting] == ["p6_2e-written"]
    assert found["di"].waiting == []


def test_of_two_the_better_one_counts_and_that_is_said(three: Path) -> None:
    _, found = submissions(three)
    (note,) = found["cy"].notes
    assert note.startswith(f"{FLOW} counts, with 26 points; {TORCH}, handed in as well, has ")
    assert note in " ".join((three / "said.txt").read_text().split())
    assert not any(found[student].notes for student in ("ann", "bo", "di"))


def test_the_key_of_a_run_has_the_frameworks_version() -> None:
    found = packages_of(code_cells(ROOT / "source" / HW / f"{FLOW}.ipynb").values())
    assert any(name.startswith("tensorflow") for name in found), found


def test_an_interrupted_class_continues(three: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(three, tmp_path / "course"))
    assert "5 of 5 notebooks were finished before" in type_command(
        root, "chainrule", "grade", HW, "--jobs", "1"
    )


def test_stock_nbgrader_grades_it_too(three: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(three, tmp_path / "course"))
    type_command(root, "nbgrader", "autograde", HW, "--student", "bo", "--force")
    type_command(root, "nbgrader", "export", "--to", "marks.csv")
    (row,) = (row for row in csv.DictReader((root / "marks.csv").open()) if row["student_id"] == "bo")
    assert (row["raw_score"], row["max_score"]) == ("26.0", "30.0")
