"""Right answers of different styles in one notebook: each earned every point alone, and they do together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from course_modules import COURSE

from chainrule.authoring.answers import problems
from chainrule.authoring.mixtures import mixture
from chainrule.authoring.mutation import Mutation

NOTEBOOKS = [
    (assignment, notebook)
    for assignment in COURSE.assignments
    for notebook in dict.fromkeys(each.notebook for each in problems(COURSE, assignment, here=True).values())
]


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
    parts = [each for each in problems(COURSE, assignment).values() if each.notebook == notebook]
    names, sources = mixture(parts, whole.rehearsal.sources, seed)
    assert names
    # what training leaves is judged in a grading run
    written = [
        each for each in whole.exercises if each.prepare is None and each.cell in whole.rehearsal.sources
    ]
    if not all(part.mixes for part in parts):
        written = [each for each in written if any(name.startswith(f"{each.items[0]}:") for name in names)]
    items = {item for each in written for item in each.items}
    torch.manual_seed(0)
    failed = whole.rehearsal.failed([item for item in whole.items if item in items], sources, classroom)
    lost = {
        item: {name: check.message for name, check in checks.items() if check.points}
        for item, checks in failed.items()
    }
    assert {item: checks for item, checks in lost.items() if checks} == {}, names
