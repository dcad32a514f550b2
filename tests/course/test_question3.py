"""Question 3 of Assignment 2: chance, cheats, accuracies, and what the table may say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from course_modules import A2, a2

from chainrule.authoring.answers import Exercise
from chainrule.authoring.rehearse import Rehearsal
from chainrule.lesson.results import CheckResult
from chainrule.lesson.student import Model, Student
from chainrule.modules import load

answers = load(A2, "judging.cs480_a2.answers.question3")

torch.set_num_threads(1)

REHEARSAL = a2("question3")
(TABLE,) = (exercise for exercise in answers.PROBLEM.exercises if exercise.prepare)
SOURCES, CHECKS = REHEARSAL.sources, answers.CHECKS
DATA = ["q3_0-data"]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def folder(classroom: Path) -> Path:
    """A working folder with the small data set in it."""
    return classroom


def judge(item: str, cell: str, source: str, folder: Path) -> dict[str, CheckResult]:
    """The checks that an answer in one cell loses in one item."""
    return REHEARSAL.failed([item], {cell: source}, folder)[item]


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

# Some that learn all the same; their mistake has its own check.
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


@pytest.fixture(scope="session")
def trained(prepared: Callable[[Rehearsal, Exercise], Path]) -> Path:
    """A working folder with the trained networks in it."""
    return prepared(REHEARSAL, TABLE)


def judge_accuracy(
    key: str, folder: Path, network: str, train: str, trained: str = "{key} = {network}()"
) -> dict[str, CheckResult]:
    """The checks of an accuracy item that are lost with this network, this loop and this training cell."""
    item, cell, name = KINDS[key]
    changed = {cell: network, "q3_1-train": train, "run": trained.format(key=key, network=name)}
    return REHEARSAL.failed([item], changed, folder, DATA)[item]


@pytest.mark.parametrize("key", KINDS)
def test_trained_network_earns_the_accuracy(key: str, trained: Path) -> None:
    cell = KINDS[key][1]
    assert judge_accuracy(key, trained, SOURCES[cell], SOURCES["q3_1-train"], answers.TRAINED) == {}


def test_trained_network_earns_the_accuracy_even_if_train_is_lost(trained: Path) -> None:
    assert judge_accuracy("mlp", trained, SOURCES["q3_1-mlp"], "", answers.TRAINED) == {}


OUR_TRAINING: dict[tuple[int, float], dict[str, torch.Tensor]] = {}  # weights after it, by steps and rate


@pytest.fixture
def trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own training of a new network, which is the same one in many tests, runs in the first of them."""
    fit = Model.fit

    def once(model: Model, x: torch.Tensor, y: torch.Tensor, *, steps: int, lr: float, **more: Any) -> None:
        if (steps, lr) not in OUR_TRAINING:
            fit(model, x, y, steps=steps, lr=lr, **more)
            OUR_TRAINING[steps, lr] = model.state()
        model.load(OUR_TRAINING[steps, lr])

    monkeypatch.setattr(Model, "fit", once)


@pytest.mark.parametrize(
    "name",
    [name for name, answer in answers.WRONG_TRAIN.items() if answer.loses != {"accuracy"}] + ["per cent"],
)
@pytest.mark.usefixtures("trained_once")
def test_mistake_in_train_costs_nothing_in_the_accuracy(name: str, folder: Path) -> None:
    """The network stays untrained here, as badly as a mistake can end."""
    lost = judge_accuracy("mlp", folder, answers.MLP, answers.WRONG_TRAIN[name].source)
    assert ("reached" in lost) == (name in IDLE), lost


def test_mistake_in_train_costs_nothing_in_the_accuracy_of_the_cnn(folder: Path) -> None:
    lost = judge_accuracy("cnn", folder, answers.CNN, answers.WRONG_TRAIN["no zero_grad"].source)
    assert lost == {}


@pytest.mark.parametrize(
    "name",
    ["lazy layers", "ModuleList in a loop", "dropout and ReLU by hand", "a layer too many that nothing uses"],
)
def test_right_network_is_followed_through_however_it_is_written(name: str, folder: Path) -> None:
    lost = judge_accuracy(
        "mlp", folder, answers.RIGHT_MLP[name], answers.WRONG_TRAIN["gradient ascent"].source
    )
    assert lost == {}


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
    assert set(lost) == {"reached"}


# -- the table -------------------------------------------------------------------------------------------


def judge_table(name: str, folder: Path, run: str) -> dict[str, CheckResult]:
    """The checks of the table that are lost with this training cell and one of the right tables."""
    changed = {"q3_2-run": run, "q3_3-table": answers.RIGHT_TABLE[name]}
    return REHEARSAL.failed(["q3_3-table-check"], changed, folder, DATA)["q3_3-table-check"]


@pytest.mark.parametrize("run", ["", "mlp, cnn = MLP(), CNN()", "mlp = cnn = 0.9"])
def test_likely_numbers_without_a_trained_network_earn_nothing(run: str, folder: Path) -> None:
    lost = judge_table("typed in after a full run", folder, run)
    assert set(lost) == set(CHECKS["q3_3-table-check"])


def test_honest_numbers_of_an_untrained_network_earn_their_points(folder: Path) -> None:
    run = "mlp, cnn = MLP(), CNN()"
    assert judge_table("computed", folder, run) == {}
