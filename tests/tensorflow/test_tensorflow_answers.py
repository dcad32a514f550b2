"""Answers in TensorFlow: right ones earn every point in any style, wrong ones lose their own checks, once.

The same as `tests/course/test_answers.py`, for the notebooks whose framework is TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

import torch._dynamo  # noqa: F401  # isort: skip (after TensorFlow it would crash: both bring a compiler)
import keras
import nbformat
import pytest
from course_modules import COURSE, PYTORCHS, ROOT, hw2
from nbgrader.preprocessors import ClearSolutions

from chainrule.authoring.answers import Answer, Exercise
from chainrule.authoring.rehearse import rehearse
from chainrule.datasets import cifar_10

REHEARSAL = hw2("p6_2_tensorflow")
NOTEBOOK = ROOT / "source" / "csc6022-hw2" / f"{REHEARSAL.problem.notebook}.ipynb"
CASES = [(exercise, answer) for exercise in REHEARSAL.problem.exercises for answer in exercise.answers]
STUDENTS = (
    "-imports",
    "-code",
    "-rehearsal",
    "-mode",
    "-sgd",
    "-steps",
)  # cells that define what items ask for


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the small data set. (That of `tests/course` imports PyTorch's optimizers, which would crash
    after TensorFlow.)"""
    folder = tmp_path_factory.mktemp("pictures")
    cifar_10.prepare(folder / "data", "quick")
    return folder


def every(kind: str) -> pytest.MarkDecorator:
    cases = [(exercise, answer) for exercise, answer in CASES if answer.kind == kind]
    names = [f"{exercise.items[0]}-{answer.name}" for exercise, answer in cases]
    return pytest.mark.parametrize(("exercise", "answer"), cases, ids=names)


def failed(exercise: Exercise, answer: Answer, folder: Path) -> dict[str, str]:
    """Messages of the checks that an answer fails, by their short names."""
    keras.utils.set_random_seed(0)
    items = REHEARSAL.failed(exercise.items, answer.cells, folder, exercise.given)
    for checks in items.values():
        assert [check.internal_error for check in checks.values() if check.internal_error] == []
    return {name: check.message for checks in items.values() for name, check in checks.items()}


@every("right")
def test_right_answer_gets_every_point(exercise: Exercise, answer: Answer, pictures: Path) -> None:
    assert failed(exercise, answer, pictures) == {}


@every("wrong")
def test_wrong_answer_loses_its_own_checks(exercise: Exercise, answer: Answer, pictures: Path) -> None:
    lost = failed(exercise, answer, pictures)
    assert lost.keys() == answer.loses, lost
    assert any(answer.says in lost[name] for name in answer.loses), lost
    assert [message for message in lost.values() if PYTORCHS.search(message)] == []


def test_there_are_many_answers() -> None:
    kinds = [answer.kind for _, answer in CASES]
    assert kinds.count("right") >= 40
    assert kinds.count("wrong") >= 80


def test_the_notebook_has_30_points_as_the_other_has() -> None:
    def points(path: Path) -> list[float]:
        marks = [cell.metadata.get("nbgrader", {}) for cell in nbformat.read(path, as_version=4).cells]
        return [mark["points"] for mark in marks if mark.get("grade")]

    assert points(NOTEBOOK) == points(NOTEBOOK.with_name("p6_2_cnn_pytorch.ipynb"))
    assert sum(points(NOTEBOOK)) == 30


@pytest.mark.parametrize("blank", [False, True], ids=["reference", "blank"])
def test_the_reference_gets_every_point_and_the_blank_none(pictures: Path, blank: bool) -> None:
    nb = nbformat.read(NOTEBOOK, as_version=4)
    items = [name for name in REHEARSAL.problem.checks if not name.endswith("-accuracy")]
    if blank:
        nb, _ = ClearSolutions().preprocess(nb, {})
    written = {c.metadata.nbgrader.grade_id: c.source for c in nb.cells if "nbgrader" in c.metadata}
    sources = {**REHEARSAL.sources, **{name: written[name] for name in written if name.endswith("-code")}}
    run = [name for name in sources if name.endswith(STUDENTS)]
    results = rehearse(COURSE.modules("csc6022-hw2"), sources, run, items, pictures)
    assert {name: result.score for name, result in results.items()} == {
        name: 0 if blank else result.points for name, result in results.items()
    }
