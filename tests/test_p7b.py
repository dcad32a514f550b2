"""Problem 7, training side: right answers earn every point however they are written, each wrong one loses its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import answers_p7b as answers
import nbformat
import pytest
import torch
from answers_p7b import CHECKS
from answers_question3 import Wrong
from IPython.display import Image
from rehearsal import ROOT, cells, rehearse

from chainrule.lesson import dates, plots, transformer_plots
from chainrule.lesson.checks import CheckResult
from chainrule.reference import p7_training as p7

torch.set_num_threads(1)

NOTEBOOKS = sorted((ROOT / "source" / "csc6022-hw2").glob("p7*.ipynb"))
CELLS = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
SOURCES = {name: source for path in NOTEBOOKS for name, source in cells(path).items()}
# what defines names: no training, no figure
RUN = [
    cell.source
    for cell in CELLS
    if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade")
]
RUN = [
    source
    for source in RUN
    if "manual_seed" not in source and "_plots" not in source and "dates" not in source
]
TRAINING = ["p7_11-copy-run", "p7_12-data", "p7_12-run", "p7_12-choice-code", "p7_12-choice-use"]

# graded cell: the cell that is judged, right and wrong answers in it
JUDGED: dict[str, tuple[str, dict[str, str], dict[str, Wrong]]] = {
    "p7_8-shift": ("p7_8-shift-code", answers.RIGHT_SHIFT, answers.WRONG_SHIFT),
    "p7_8-smoothing": ("p7_8-smoothing-code", answers.RIGHT_SMOOTHING, answers.WRONG_SMOOTHING),
    "p7_9-schedule": ("p7_9-code", answers.RIGHT_RATE, answers.WRONG_RATE),
    "p7_10-batches": ("p7_10-batches-code", answers.RIGHT_BATCHES, answers.WRONG_BATCHES),
    "p7_10-epoch": ("p7_10-epoch-code", answers.RIGHT_EPOCH, answers.WRONG_EPOCH),
    "p7_11-greedy": ("p7_11-code", answers.RIGHT_GREEDY, answers.WRONG_GREEDY),
    "p7_12-choice": ("p7_12-choice-code", answers.RIGHT_CHOICE, answers.WRONG_CHOICE),
}


def judge(item: str, folder: Path, changed: dict[str, str], **names: Any) -> dict[str, CheckResult]:
    """The checks that are lost in one item with these answers, by cell, in place of the reference's."""
    by_source = {SOURCES[cell]: new for cell, new in changed.items()}
    run = {str(i): by_source.get(source, source) for i, source in enumerate(RUN)}
    run |= {cell: new for cell, new in changed.items() if SOURCES[cell] not in RUN}
    result = rehearse({**run, item: SOURCES[item]}, run, [item], folder, **names)
    checks = zip(CHECKS[item], result[item].checks, strict=True)
    return {name: check for name, check in checks if not check.passed}


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, right, _) in JUDGED.items() for name in right]
)
def test_right_answer_gets_every_point(item: str, name: str, tmp_path: Path) -> None:
    cell, right, _ = JUDGED[item]
    lost = judge(item, tmp_path, {cell: right[name]})
    assert {name: check.message + check.trouble for name, check in lost.items()} == {}


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, _, wrong) in JUDGED.items() for name in wrong]
)
def test_wrong_answer_loses_its_own_checks_and_no_others(item: str, name: str, tmp_path: Path) -> None:
    cell, _, wrong = JUDGED[item]
    lost = judge(item, tmp_path, {cell: wrong[name].source})
    messages = {name: check.message for name, check in lost.items()}
    assert set(lost) == wrong[name].loses, messages
    assert any(wrong[name].says in message for message in messages.values()), messages
    for check in lost.values():
        assert not check.trouble, check.trouble
        assert 0 < len(check.message) <= 300
        assert check.hint


def test_there_are_many_answers() -> None:
    for _, right, wrong in JUDGED.values():
        assert len(right) >= 5
        assert len(wrong) >= 7
