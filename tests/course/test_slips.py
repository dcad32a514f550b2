"""Slips that a program makes in the reference solution lose points: one cell of every notebook, the others by
`make mutate`."""

from __future__ import annotations

from pathlib import Path

import pytest
from course_modules import COURSE

from chainrule.authoring.answers import problems
from chainrule.authoring.mutation import Mutation

CELLS = {
    "cs480-a2/assignment2": "q3_1-train",
    "csc6022-hw2/p1_mlp_backprop": "p1_3-mlp_backward",
    "csc6022-hw2/p2_two_layer_gradients": "p2_3c-functions",
    "csc6022-hw2/p3_cnn_arithmetic": "p3_1-volumes-answer",
    "csc6022-hw2/p4_cnn_vs_vit": "p4_4-patches-answer",
    "csc6022-hw2/p5_gan_backprop": "p5_3-code",
    "csc6022-hw2/p6_1_mlp_weight_decay": "p6_1b-functions",
    "csc6022-hw2/p6_2_cnn_pytorch": "p6_2b-step-code",
    "csc6022-hw2/p7_attention": "p7_2-code",
}


def test_every_notebook_is_here() -> None:
    known = {
        f"{assignment}/{problem.notebook}"
        for assignment in COURSE.assignments
        for problem in problems(COURSE, assignment, here=True).values()
    }
    assert known == CELLS.keys()


@pytest.mark.parametrize("name", CELLS)
def test_slips_in_the_solution_lose_points(name: str, classroom: Path, tmp_path: Path) -> None:
    assignment, notebook = name.split("/")
    mutation = Mutation(COURSE, assignment, notebook, tmp_path / "kept")
    outcomes = list(mutation.run(classroom, 1, lambda cell, _: cell == CELLS[name], across=False))
    assert len(outcomes) > 10
    assert [f"{each}: {each.said}" for each in outcomes if each.crashed] == []
    assert [str(each) for each in outcomes if each.survives and not mutation.excuse(each)] == []
