"""The answers of `answers/` to problem 6.1, and the messages of problems 1, 3 and 5 that were not true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from course_modules import HW2, hw2

from chainrule.authoring.answers import change
from chainrule.modules import load

FOLDER = Path(__file__).parent / "answers"
TABLE = load(HW2, "judging.csc6022_hw2.answers.p6_1").TABLE
p1 = load(HW2, "judging.csc6022_hw2.answers.p1")
p5 = load(HW2, "judging.csc6022_hw2.answers.p5")


def cells(name: str) -> dict[str, str]:
    """The solution cells of an answer, by grade_id."""
    parts = re.split(r"^# %% (\S+)\n", (FOLDER / name).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    ("file", "item", "check", "says"),
    [
        ("hw2-fit-trains-on-test-too.py", "p6_1e-training", "arguments", "train on X and y alone"),
        ("hw2-fit-lam-ignored.py", "p6_1e-training", "arguments", "is `lam` handed to every step"),
        ("hw2-fit-seed-ignored.py", "p6_1e-training", "arguments", "two seeds give the same weights"),
        ("hw2-te-min-over-history.py", "p6_1g-units", "errors", "the smallest error of the training"),
        ("hw2-te-same-data.py", "p6_1g-units", "errors", "an error on data_set(0)"),
    ],
)
def test_a_wrong_answer_loses_its_own_check(
    file: str, item: str, check: str, says: str, tmp_path: Path
) -> None:
    # the table takes minutes to train
    answer = cells(file) | {"p6_1g-number": TABLE + "smallest_number = 2\n"}
    lost = hw2("p6_1").failed([item], answer, tmp_path)[item]
    assert set(lost) == {check}
    assert says in lost[check].message


SLIPS = {
    "= for += in a loop over samples": (
        "p1",
        "p1_4-batch",
        "p1_4-mlp_backward_batch",
        change(p1.LOOP, " += →  ="),
        {"V"},
        "the part of one sample only",
    ),
    "divided by C": (
        "p1",
        "p1_4-batch",
        "p1_4-mlp_backward_batch",
        change(p1.BATCH, "(P - Y) / N → (P - Y) / Y.shape[1]"),
        {"mean"},
        "divided by the number of classes",
    ),
    "depth 3 for 1": (
        "p3",
        "p3_1-parameters",
        "p3_1-parameters-answer",
        'parameters = {"conv1": 760, "pool1": 0, "conv2": 2510, "pool2": 0, "fc": 6410}',
        {"conv1 weights"},
        "counted 3 deep",
    ),
    "the sign, 5.3": (
        "p5",
        "p5_3-last-layer",
        "p5_3-code",
        p5.deltas("(D_real - 1) / n", "D_fake / n"),
        {"average"},
        "the overall sign",
    ),
    "the sign, 5.6": (
        "p5",
        "p5_6-generator",
        "p5_6-code",
        change(p5.GENERATOR, "return torch.einsum → return -torch.einsum"),
        {"sum"},
        "the overall sign",
    ),
    "delta times g′ at the last layer": (
        "p5",
        "p5_4-recursion",
        "p5_4-code",
        change(p5.BACK, "{len(W): delta} → {len(W): delta * activation_prime(kinds[len(W)], z[len(W)])}"),
        {"weights"},
        "delta is ∂L/∂z of the last layer already",
    ),
    "delta_real used": (
        "p5",
        "p5_5-sample-gradient",
        "p5_5-code",
        p5.sample("delta_real @ W1"),
        {"weights", "generated only"},
        "delta_real is used",
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_the_message_names_the_slip(name: str, tmp_path: Path) -> None:
    problem, item, cell, source, loses, says = SLIPS[name]
    lost = hw2(problem).failed([item], {cell: source}, tmp_path)[item]
    paid = {check: result for check, result in lost.items() if result.points}
    assert set(paid) == loses
    assert any(says in result.message for result in paid.values())
    for result in paid.values():
        assert not ("sign" in result.message and "sign" not in result.hint), (
            "the hint speaks of something else"
        )
