"""Right answers of different styles in one notebook: each earned every point alone, and they do together.

A notebook of somebody's own mixes styles: NumPy in one cell, columns in the next, lists in a third. What one cell
gives, the next ones have to take, and the checks have to judge it all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from course_modules import COURSE

from chainrule.authoring.answers import Exercise, Right, problems
from chainrule.authoring.mutation import Mutation

# Here answers hold for their own cell alone: 6.1's lists and tensors don't go together, some of 6.2's fill half a cell.
APART = {"p6_1_mlp_weight_decay", "p6_2_cnn_pytorch"}
NOTEBOOKS = [
    (assignment, notebook)
    for assignment in COURSE.assignments
    for notebook in dict.fromkeys(each.notebook for each in problems(COURSE, assignment).values())
    if notebook not in APART
]

# right by itself, but it doesn't fit every other right answer
ALONE = {
    "p7_2-masks: written out": "a row for each key fits self-attention, but not as many queries as a target has",
}


def mixture(exercises: tuple[Exercise, ...], seed: int) -> tuple[list[str], Mapping[str, str]]:
    """A right answer to each exercise, drawn at random: their names, and their cells.

    An exercise whose cells another one has written already is left as it is.
    """
    draw, names, cells = random.Random(seed), [], {}
    for exercise in exercises:
        plain = {name for name, right in exercise.right.items() if not isinstance(right, Right)}
        rights = {
            f"{exercise.items[0]}: {each.name}": each
            for each in exercise.answers
            if each.kind == "right" and each.name in plain
        }
        name = draw.choice([name for name in rights if name not in ALONE])
        if not cells.keys() & rights[name].cells.keys():
            names.append(name)
            cells |= rights[name].cells
    return names, cells


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("assignment", "notebook"), NOTEBOOKS, ids=[notebook for _, notebook in NOTEBOOKS])
def test_a_mixture_of_right_answers_gets_every_point(
    assignment: str,
    notebook: str,
    seed: int,
    classroom: Path,
    tmp_path: Path,
) -> None:
    whole = Mutation(COURSE, assignment, notebook, tmp_path)
    # what training leaves fits the reference's networks
    exercises = tuple(each for each in whole.exercises if each.prepare is None)
    names, cells = mixture(exercises, seed)
    items = [item for item in whole.items if any(item in each.items for each in exercises)]
    torch.manual_seed(0)
    failed = whole.rehearsal.failed(items, cells, classroom)
    lost = {
        item: {name: check.message for name, check in checks.items() if check.points}
        for item, checks in failed.items()
    }
    assert {item: checks for item, checks in lost.items() if checks} == {}, names
