"""Cells are called what people can find."""

from pathlib import Path

import nbformat
import pytest

from chainrule.handin.places import places

SOURCE = Path(__file__).parents[2] / "source"


@pytest.mark.parametrize(
    ("notebook", "cell", "label"),
    [
        ("cs480-a2/assignment2", "q1_1-curvature", "1.1 a)"),
        ("cs480-a2/assignment2", "q1_2-parameters", "1.2 b)"),
        ("cs480-a2/assignment2", "q2_2c-output", "2.2 (c)"),
        ("cs480-a2/assignment2", "q2_2-code", "2.2"),
        ("csc6022-hw2/p2_two_layer_gradients", "p2_1a-output", "Problem 2 (a)"),
        ("csc6022-hw2/p4_cnn_vs_vit", "p4_5-features", "Problem 4, 5"),
        ("csc6022-hw2/p6_1_mlp_weight_decay", "p6_1c-backprop", "6.1c"),
        ("csc6022-hw2/p6_2_cnn_pytorch", "p6_2d-network", "Problem 6.2 d"),
        ("csc6022-hw2/p7_attention", "p7_10-epoch", "7.10"),
    ],
)
def test_our_cells(notebook: str, cell: str, label: str) -> None:
    nb = nbformat.read(SOURCE / f"{notebook}.ipynb", as_version=4)
    ids = [each.metadata.get("nbgrader", {}).get("grade_id") for each in nb.cells]
    assert places(nb)[ids.index(cell)].label == label


@pytest.mark.parametrize(
    ("texts", "label"),
    [
        (["# Homework", "## Exercise 3: trees", "### b) Depth"], "Exercise 3 b)"),
        (["# 1. Warm-up", "## 1.2 Sums"], "1.2"),
        (["# 1. Warm-up", "## 1.2 Sums", "# 2. More"], "2"),
        (["# Notes", "text"], ""),
        (["```\\n# 1. a comment\\n```"], ""),
        (["# A title", "## Answer a question"], ""),
    ],
)
def test_other_ways_of_numbering(texts: list[str], label: str) -> None:
    cells = [{"cell_type": "markdown", "source": text} for text in texts]
    assert places({"cells": cells})[-1].label == label


def test_what_a_student_writes_in_an_answer_begins_no_part() -> None:
    answer = {
        "cell_type": "markdown",
        "source": "# 9 · My answer\n\n**(e)** The last one.",
        "metadata": {"nbgrader": {"solution": True}},
    }
    cells = [{"cell_type": "markdown", "source": text} for text in ("## 2.2 · All of it", "### (c) Now code")]
    assert [place.label for place in places({"cells": [cells[0], answer, cells[1]]})] == [
        "2.2",
        "2.2",
        "2.2 (c)",
    ]


@pytest.mark.parametrize(
    "metadata", [None, [], "text", {"nbgrader": None}, {"nbgrader": {"solution": "yes"}}]
)
def test_broken_metadata_are_no_answers(metadata: object) -> None:
    cell = {"cell_type": "markdown", "source": "## 2.2 · All of it", "metadata": metadata}
    assert [place.label for place in places({"cells": [cell]})] == ["2.2"]
