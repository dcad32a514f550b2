"""The answers to Assignment 2 among the cases: what README.md says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from course_modules import A2, a2

from chainrule.authoring.answers import Exercise
from chainrule.authoring.rehearse import Rehearsal
from chainrule.modules import load

FOLDER = Path(__file__).parent / "answers"
REHEARSAL = a2("question3")
answers = load(A2, "judging.cs480_a2.answers.question3")
(TABLE,) = (exercise for exercise in answers.PROBLEM.exercises if exercise.prepare)
DATA = ["q3_0-data"]


def cells(name: str) -> dict[str, str]:
    """The solution cells of an answer, by their ids."""
    parts = re.split(r"^# %% (?:\S+/\S+ )?(\S+)$", (FOLDER / name).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_entries_of_mlp_and_cnn_exchanged_lose_most_of_the_table(
    prepared: Callable[[Rehearsal, Exercise], Path],
) -> None:
    """a2-f1.py"""
    changed = {"q3_3-table": f"{answers.TRAINED}\n{cells('a2-f1.py')['q3_3-table']}"}
    folder = prepared(REHEARSAL, TABLE)
    lost = REHEARSAL.failed(["q3_3-table-check"], changed, folder, TABLE.given)["q3_3-table-check"]
    assert len([check for check in lost.values() if check.points]) >= 3
    assert all("'s on the" in check.message for check in lost.values())


@pytest.mark.parametrize(
    ("item", "loses"),
    [("q3_1-training", {"learns", "sgd"}), ("q3_1-accuracy", {"reached"})],
)
def test_training_on_the_test_pictures_loses_training_and_accuracy(
    item: str, loses: set[str], classroom: Path
) -> None:
    """a2-f3.py"""
    changed = cells("a2-f3.py")
    if item != "q3_1-training":
        changed["q3_1-run"] = "mlp = MLP()"
    lost = REHEARSAL.failed([item], changed, classroom, [*DATA, "q3_1-mlp"])[item]
    lost = {name: check for name, check in lost.items() if check.points}
    assert set(lost) == loses, lost
    assert all("test_loader" in check.message for check in lost.values())
