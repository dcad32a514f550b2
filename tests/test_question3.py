"""Question 3 of Assignment 2: right answers earn every point however they are written, each wrong one loses its own."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import answers_question3 as answers
import pytest
import torch
from answers_question3 import CHECKS, Wrong
from conftest import once
from rehearsal import ROOT, cells, rehearse

from chainrule.datasets.fashion_mnist import prepare
from chainrule.lesson.checks import CheckResult, Result
from chainrule.lesson.student import Student

torch.set_num_threads(1)

SOURCES = cells(ROOT / "source" / "cs480-a2" / "assignment2.ipynb")
SETUP = ["q3_0-imports", "q3_0-data"]

# graded cell: the cell that is judged, right and wrong answers in it
JUDGED: dict[str, tuple[str, dict[str, str], dict[str, Wrong]]] = {
    "q3_1-network": ("q3_1-mlp", answers.RIGHT_MLP, answers.WRONG_MLP),
    "q3_1-training": ("q3_1-train", answers.RIGHT_TRAIN, answers.WRONG_TRAIN),
    "q3_2-network": ("q3_2-cnn", answers.RIGHT_CNN, answers.WRONG_CNN),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the small data set in it."""
    return once(tmp_path_factory, "notebook", lambda path: prepare(path / "data", "quick"))


def failed(item: str, result: Result) -> dict[str, CheckResult]:
    """The checks an answer lost, by their short names."""
    names = zip(CHECKS[item], result.checks, strict=True)
    return {name: check for name, check in names if not check.passed}


def judge(item: str, cell: str, source: str, folder: Path) -> dict[str, CheckResult]:
    """The checks that an answer in one cell loses in one item."""
    return failed(item, rehearse({**SOURCES, cell: source}, ["q3_0-imports", cell], [item], folder)[item])


# -- networks and training loop --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, right, _) in JUDGED.items() for name in right]
)
def test_right_answer_gets_every_point(item: str, name: str, folder: Path) -> None:
    cell, right, _ = JUDGED[item]
    assert {lost: check.message for lost, check in judge(item, cell, right[name], folder).items()} == {}


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, _, wrong) in JUDGED.items() for name in wrong]
)
def test_wrong_answer_loses_its_own_checks_and_no_others(item: str, name: str, folder: Path) -> None:
    cell, _, wrong = JUDGED[item]
    lost = judge(item, cell, wrong[name].source, folder)
    expect_loss(lost, wrong[name])


def expect_loss(lost: dict[str, CheckResult], answer: Wrong) -> None:
    messages = {name: check.message for name, check in lost.items()}
    assert set(lost) == answer.loses, messages
    assert answer.loses
    assert any(answer.says in message for message in messages.values()), messages
    for check in lost.values():
        assert not check.internal_error, check.internal_error  # the checks foresaw this form
        assert check.message
        assert check.hint


def test_there_are_many_answers() -> None:
    for _, right, wrong in JUDGED.values():
        assert len(right) >= 15
        assert len(wrong) >= 30


def test_network_checks_hardly_ever_fail_by_chance(folder: Path) -> None:
    """Dropout is counted: five standard deviations and more lie between what is right and its bounds."""
    for item, cell in (("q3_1-network", "q3_1-mlp"), ("q3_2-network", "q3_2-cnn")):
        for attempt in range(10):
            torch.manual_seed(attempt)
            assert judge(item, cell, SOURCES[cell], folder) == {}


# -- cheats ----------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of student code may take half a second."""
    assert Student._ask.__kwdefaults__["seconds"] > 1
    monkeypatch.setitem(Student._ask.__kwdefaults__, "seconds", 0.5)


@pytest.mark.parametrize("name", answers.CHEATS)
@pytest.mark.usefixtures("impatient")
def test_cheat_earns_nothing_it_did_not_do(name: str, folder: Path) -> None:
    source, earned = answers.CHEATS[name]
    lost = judge("q3_1-network", "q3_1-mlp", source, folder)
    assert set(CHECKS["q3_1-network"]) - set(lost) <= earned
    assert all(check.message for check in lost.values())


# -- accuracy --------------------------------------------------------------------------------------------

KINDS = {"mlp": ("q3_1-accuracy", "q3_1-mlp", "MLP"), "cnn": ("q3_2-accuracy", "q3_2-cnn", "CNN")}

# Loops that leave the weights what they were: nothing was trained, so no accuracy is earned.
IDLE = {
    "no backward",
    "no step",
    "zero_grad between backward and step",
    "step before backward",
    "loss never computed",
    "logits and labels exchanged",
    "pass",
}

# Networks that cannot learn at all.
HOPELESS = {
    "nine outputs",  # there are ten classes
    "flattening mixes pictures",
    "layers made in forward",
    "zeros",
    "zeros after the layers",
    "nothing returned",
    "no flattening",
    "super().__init__ forgotten",
}

# Some that learn all the same; their slip has its own check.
LEARNING = [
    "no BatchNorm",
    "no ReLU",
    "sigmoid for ReLU",
    "softmax at the end",
    "sizes hard-coded",
    "dropout active in eval mode",
    "keep and drop exchanged",
    "hidden layers in a plain list",
    "no running statistics",
]


def namespace(folder: Path, *ids: str) -> dict[str, Any]:
    """The names of a notebook after its set-up and some more of its own cells."""
    names: dict[str, Any] = {"__name__": "__main__"}
    before = os.getcwd()
    os.chdir(folder)
    try:
        for grade_id in (*SETUP, *ids):
            exec(SOURCES[grade_id], names)
    finally:
        os.chdir(before)
    return names


def train_both(folder: Path, path: Path) -> None:
    """Save both reference networks, trained on the small set, and the last two entries of their histories."""
    names = namespace(folder, "q3_1-mlp", "q3_1-train", "q3_2-cnn")
    torch.manual_seed(1)
    saved = {}
    for key, (_, _, network) in KINDS.items():
        model = names[network]()
        with contextlib.redirect_stdout(io.StringIO()):
            history = names["train"](model, names["train_loader"], names["test_loader"])
        saved[key] = model.state_dict()
        saved[f"{key}_history"] = {what: values[-2:] for what, values in history.items()}
    path.mkdir()
    torch.save(saved, path / "trained.pt")


@pytest.fixture(scope="session")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with what `train_both` saves."""
    return once(tmp_path_factory, "trained", lambda path: train_both(folder, path)) / "trained.pt"


def after_training(trained: Path) -> str:
    """A cell that puts the trained networks and their histories where the notebook's own training does."""
    return f"""
saved = torch.load({str(trained)!r})
mlp, cnn = MLP(), CNN()
mlp.load_state_dict(saved["mlp"])
cnn.load_state_dict(saved["cnn"])
mlp_history, cnn_history = saved["mlp_history"], saved["cnn_history"]
"""


def judge_accuracy(
    key: str, folder: Path, network: str, train: str, trained: str = "{key} = {network}()"
) -> dict[str, CheckResult]:
    """The checks of an accuracy item that are lost with this network, this loop and this training cell."""
    item, cell, name = KINDS[key]
    run = [*SETUP, "q3_1-mlp", "q3_2-cnn", "q3_1-train", "run"]
    changed = {cell: network, "q3_1-train": train, "run": trained.format(key=key, network=name)}
    return failed(item, rehearse({**SOURCES, **changed}, run, [item], folder)[item])


@pytest.mark.parametrize("key", KINDS)
def test_trained_network_earns_the_accuracy(key: str, folder: Path, trained: Path) -> None:
    cell = KINDS[key][1]
    assert judge_accuracy(key, folder, SOURCES[cell], SOURCES["q3_1-train"], after_training(trained)) == {}


def test_trained_network_earns_the_accuracy_even_if_train_is_lost(folder: Path, trained: Path) -> None:
    assert judge_accuracy("mlp", folder, SOURCES["q3_1-mlp"], "", after_training(trained)) == {}


@pytest.mark.parametrize(
    "name",
    [name for name, answer in answers.WRONG_TRAIN.items() if answer.loses != {"accuracy"}] + ["per cent"],
)
def test_mistake_in_train_costs_nothing_in_the_accuracy(name: str, folder: Path) -> None:
    """The network stays untrained here, as badly as a slip can end."""
    lost = judge_accuracy("mlp", folder, answers.MLP, answers.WRONG_TRAIN[name].source)
    assert ("reached" in lost) == (name in IDLE), lost
    assert "told" in lost


def test_mistake_in_train_costs_nothing_in_the_accuracy_of_the_cnn(folder: Path) -> None:
    lost = judge_accuracy("cnn", folder, answers.CNN, answers.WRONG_TRAIN["no zero_grad"].source)
    assert set(lost) == {"told"}


@pytest.mark.parametrize(
    "name",
    ["lazy layers", "ModuleList in a loop", "dropout and ReLU by hand", "a layer too many that nothing uses"],
)
def test_right_network_is_followed_through_however_it_is_written(name: str, folder: Path) -> None:
    lost = judge_accuracy(
        "mlp", folder, answers.RIGHT_MLP[name], answers.WRONG_TRAIN["gradient ascent"].source
    )
    assert set(lost) == {"told"}


@pytest.mark.parametrize(
    "name",
    [*sorted(HOPELESS), *LEARNING],
)
def test_mistake_in_the_network_costs_the_accuracy_only_if_it_cannot_learn(name: str, folder: Path) -> None:
    lost = judge_accuracy("mlp", folder, answers.WRONG_MLP[name].source, answers.TRAIN)
    assert ("reached" in lost) == (name in HOPELESS), lost


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize(
    "cell", ["", "{key} = None", "{key} = 'trained'", "{key} = {network}", "{key} = [0.99]"]
)
def test_no_trained_network_no_accuracy(key: str, cell: str, folder: Path) -> None:
    lost = judge_accuracy(key, folder, SOURCES[KINDS[key][1]], SOURCES["q3_1-train"], cell)
    assert "reached" in lost
    assert "no trained" in lost["reached"].message


@pytest.mark.parametrize(
    "cell",
    [
        "mlp = MLP()\nmlp.forward = lambda x: torch.full((len(x), 10), float('nan'))",
        "mlp = MLP()\nmlp.forward = lambda x: torch.zeros(1, 10)",
        "mlp = MLP()\nmlp.forward = lambda x: exit()",
        "mlp = nn.Identity()",
    ],
)
def test_forged_network_earns_no_accuracy_without_a_training_loop(cell: str, folder: Path) -> None:
    lost = judge_accuracy("mlp", folder, answers.MLP, answers.WRONG_TRAIN["pass"].source, cell)
    assert set(lost) == {"told", "reached"}


# -- the table -------------------------------------------------------------------------------------------


def judge_table(source: str, folder: Path, run: str) -> dict[str, CheckResult]:
    item = "q3_3-table-check"
    cell_ids = [*SETUP, "q3_1-mlp", "q3_2-cnn", "q3_1-train", "run", "q3_3-table"]
    return failed(
        item, rehearse({**SOURCES, "run": run, "q3_3-table": source}, cell_ids, [item], folder)[item]
    )


@pytest.mark.parametrize("name", answers.RIGHT_TABLE)
def test_right_table_gets_every_point(name: str, folder: Path, trained: Path) -> None:
    lost = judge_table(answers.RIGHT_TABLE[name], folder, after_training(trained))
    assert {lost: check.message for lost, check in lost.items()} == {}


@pytest.mark.parametrize("name", answers.WRONG_TABLE)
def test_wrong_entry_costs_itself_alone(name: str, folder: Path, trained: Path) -> None:
    lost = judge_table(answers.WRONG_TABLE[name].source, folder, after_training(trained))
    expect_loss(lost, answers.WRONG_TABLE[name])


@pytest.mark.parametrize("run", ["", "mlp, cnn = MLP(), CNN()", "mlp = cnn = 0.9"])
def test_likely_numbers_without_a_trained_network_earn_nothing(run: str, folder: Path) -> None:
    lost = judge_table(answers.RIGHT_TABLE["typed in after a full run"], folder, run)
    assert set(lost) == set(CHECKS["q3_3-table-check"]) - {"fractions"}


def test_honest_numbers_of_an_untrained_network_earn_their_points(folder: Path) -> None:
    run = "mlp, cnn = MLP(), CNN()"
    assert judge_table(answers.RIGHT_TABLE["computed"], folder, run) == {}
