"""Answers of `tests/cases/answers` to 6.2 and 7 lose exactly what `tests/cases/README.md` says, and are told why.

Some of a notebook's cells are the file's, the others the reference's. All items of the notebook are judged that need no
training run, so that one mistake costs one check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from course_modules import COURSE

from chainrule.authoring.answers import Exercise, Problem, problems
from chainrule.authoring.rehearse import Rehearsal

FOLDER = Path(__file__).parent / "answers"


class Loses(NamedTuple):
    """What a file loses.

    Attributes:
        checks: short names of the checks that fail, by item, as in `judging/<assignment>/answers/`.
        says: a part of the message of one of them.
    """

    checks: dict[str, set[str]]
    says: str = ""


NOTHING = Loses({})

# file -> what it loses
LOSES: dict[str, Loses] = {
    "hw2-ac-train-after-if-was-eval": Loses(
        {"p6_2c-measure": {"restored"}}, "its layers are left in evaluation mode"
    ),
    "hw2-batches-order-only": Loses({"p7_10-batches": {"pairs"}}, "the same pairs are in a batch together"),
    "hw2-dec-dropout-missing": Loses({"p7_6-decoder": {"dropout"}}),
    "hw2-ep-count-source": Loses({"p7_10-epoch": {"report"}}, "the source's tokens are counted"),
    "hw2-gr-start-always-1": Loses({"p7_11-greedy": {"start"}}, "each row begins with 1"),
    "hw2-inplace-residual": NOTHING,
    "hw2-ln-gain-random": Loses({"p7_5-sublayer": {"gain"}}, "the gain starts at"),
    "hw2-ls-mean-of-sentence-means": Loses({"p7_8-smoothing": {"loss"}}, "sentences' means are averaged"),
    "hw2-ls-pad0-hardcoded": Loses({"p7_8-smoothing": {"padding"}}, "not always 0"),
    "hw2-mask-causal-max16": Loses({"p7_2-masks": {"causal"}}, "has shape (1, 16, 16)"),
    "hw2-mha-dropout-fixed-0.1": Loses({"p7_3-heads": {"eval"}}, "its rate is the argument"),
    "hw2-mha-value-from-key": Loses({"p7_3-heads": {"result"}}, "the values are projected from `key`"),
    "hw2-mha-weights-before-mask": Loses({"p7_3-heads": {"kept"}}, "before the mask"),
    "hw2-ne-renamed-lr": NOTHING,
    "hw2-net-forward-nograd": Loses({"p6_2c-network": {"by heart"}}, "no gradient reaches it"),
    "hw2-op-constant-history": Loses({"p6_2e-training": {"trains"}}, "measure it after every epoch"),
    "hw2-op-val-acc-is-train": Loses({"p6_2e-training": {"trains"}}, "on val_loader"),
    "hw2-seq-subclass-right": NOTHING,
    "hw2-sub-norm-twice": Loses({"p7_5-sublayer": {"connected"}}, "is normalised, too"),
    "hw2-tr-accumulate-2": Loses({"p6_2c-training": {"sgd"}}, "the gradients of two batches"),
    "hw2-tr-lr-decay-per-epoch": Loses({"p6_2c-training": {"sgd"}}, "the learning rate changes"),
    "hw2-tr-train-mode-first-epoch-only": Loses({"p6_2c-training": {"mode"}}, "after the first epoch"),
}


def answer(path: Path) -> tuple[str, str, dict[str, str]]:
    """Assignment, notebook and cells of a file."""
    header, *parts = re.split(r"^# %% ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assignment, notebook = "csc6022-hw2", ""
    if named := re.search(r"^# nb: (\S+)", header, re.MULTILINE):
        notebook = named[1]
    cells = {}
    for part in parts:
        name, _, source = part.partition("\n")
        if " " in name:  # the first cell may name the notebook, too
            place, name = name.split()
            assignment, notebook = place.split("/")
        cells[name] = source
    return assignment, notebook, cells


@cache
def rehearsals(assignment: str, notebook: str) -> tuple[Rehearsal, tuple[Exercise, ...]]:
    """All problems of a notebook as one, and its exercises."""
    parts = [p for p in problems(COURSE, assignment).values() if p.notebook == notebook]
    exercises = tuple(chain.from_iterable(part.exercises for part in parts))
    given = {cell for part in parts for cell in part.given}
    given |= {cell for exercise in exercises for cell in exercise.given}
    checks = {item: names for part in parts for item, names in part.checks.items()}
    return Rehearsal(COURSE, assignment, Problem(notebook, tuple(given), checks, exercises)), exercises


# Items that take long to judge, and judge one cell alone.
ALONE = {"p6_2e-network"}


@pytest.mark.parametrize("item", ALONE)
def test_it_judges_one_cell_alone(item: str, classroom: Path) -> None:
    """Answers to other cells can change nothing in it: it earns every point without any."""
    rehearsal, exercises = rehearsals("csc6022-hw2", "p6_2_cnn_pytorch")
    (own,) = (exercise for exercise in exercises if item in exercise.items)
    others = {exercise.cell: "" for exercise in exercises} | {own.cell: rehearsal.sources[own.cell]}
    assert len(others) > 5
    torch.manual_seed(0)
    assert rehearsal.failed([item], others, classroom) == {item: {}}


@pytest.mark.parametrize("name", LOSES)
def test_it_loses_what_it_must_and_nothing_else(
    name: str, prepared: Callable[[Rehearsal, Exercise], Path]
) -> None:
    assignment, notebook, cells = answer(FOLDER / f"{name}.py")
    rehearsal, exercises = rehearsals(assignment, notebook)
    wanted = LOSES[name]
    items = [
        item
        for exercise in exercises
        for item in exercise.items
        if item not in ALONE or exercise.cell in cells
    ]
    folder = prepared(rehearsal, next((e for e in exercises if e.prepare), exercises[0]))
    torch.manual_seed(0)
    failed = rehearsal.failed(dict.fromkeys(items), cells, folder)

    lost = {item: {name for name, check in checks.items() if check.points} for item, checks in failed.items()}
    messages = [check.message for checks in failed.values() for check in checks.values()]
    assert {item: names for item, names in lost.items() if names} == wanted.checks, messages
    assert any(wanted.says in message for message in messages) or not wanted.says, messages
    assert not [
        check.internal_error
        for checks in failed.values()
        for check in checks.values()
        if check.internal_error
    ]
