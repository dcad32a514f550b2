"""Problem 6.2 of Homework 2: accuracies, what one answer costs elsewhere, the right values, points and figures."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2
from torch import nn

from chainrule.datasets.cifar_10 import CIFAR10
from chainrule.lesson.results import CheckResult
from chainrule.lesson.weights import load_weights
from chainrule.modules import load

cnn_views = load(HW2, "figures.cnn_views")
three_layers = load(HW2, "judging.csc6022_hw2.p6_2.network")
sgd = load(HW2, "judging.csc6022_hw2.p6_2.optimizer")
reading = load(HW2, "judging.csc6022_hw2.p6_2.reading")
answers = load(HW2, "judging.csc6022_hw2.answers.p6_2")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p6_2_cnn_pytorch.ipynb"
WEIGHTS = ROOT / "judging" / "csc6022_hw2" / "p6_2_open.safetensors"
REHEARSAL = hw2("p6_2")
SOURCES = REHEARSAL.sources
RUN = [cell for cell in SOURCES if cell.endswith("-code") or cell in answers.PROBLEM.given]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def folder(classroom: Path) -> Path:
    """A working folder with the small data set in it."""
    return classroom


def judge(item: str, folder: Path, changed: dict[str, str], **names: Any) -> dict[str, CheckResult]:
    """The checks that are lost in one item with these answers, by cell, in place of the reference's."""
    return REHEARSAL.failed([item], changed, folder, **names)[item]


NUMBERED = [19, 20, 21, 22, 23, 24, 27, 28, 29, 30, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45]


@pytest.mark.parametrize("number", NUMBERED)
def test_numbered_mistakes_are_covered(number: int) -> None:
    assert any(
        key.startswith(f"{number} ") for exercise in answers.PROBLEM.exercises for key in exercise.wrong
    )


@pytest.mark.parametrize("name", [name for name in answers.WRONG_WARM_UP if "flatten" in name])
def test_a_mistake_in_flatten_costs_nothing_in_the_networks(name: str, folder: Path) -> None:
    lost: set[str] = set()
    for item in ("p6_2b-convnet", "p6_2c-network"):
        lost |= set(judge(item, folder, {"p6_2a-code": answers.WRONG_WARM_UP[name].source}))
    if name.split()[0].isdigit():  # the others leave nothing to go on
        assert lost <= {"by heart"}


@pytest.mark.parametrize("name", [name for name in answers.WRONG_WARM_UP if name.startswith("28")])
def test_a_mistake_in_the_fan_in_costs_nothing_more(name: str, folder: Path) -> None:
    lost = judge("p6_2b-init", folder, {"p6_2a-code": answers.WRONG_WARM_UP[name].source})
    assert lost == {}


def test_checks_of_random_numbers_hardly_ever_fail_by_chance(folder: Path) -> None:
    for attempt in range(15):
        torch.manual_seed(attempt)
        for item in ("p6_2a-warm-up", "p6_2b-init"):
            assert judge(item, folder, {}) == {}
    for attempt in range(4):
        torch.manual_seed(attempt)
        for item in ("p6_2c-network", "p6_2e-network"):
            assert judge(item, folder, {}) == {}


# -- accuracy --------------------------------------------------------------------------------------------

TRAINED = {"b": "barebones", "c": "module_net", "d": "sequential"}


def build(name: str, changed: dict[str, str]) -> nn.Module:
    """An untrained network of the notebook's."""
    cells = [*RUN, "p6_2b-run"]
    sources = {cell: {**SOURCES, **changed}[cell].split("untrained = ")[0] for cell in cells}
    with contextlib.redirect_stdout(io.StringIO()):
        names = REHEARSAL.run(cells, sources)
    match name:
        case "barebones":
            model: nn.Module = names["Barebones"](names["init_params"]())
        case "module_net":
            model = names["ThreeLayerConvNet"](3, 32, 16, 10)
        case _:
            model = names["sequential_net"](3, 32, 16, 10)
    return model


def judge_trained(part: str, folder: Path, changed: dict[str, str]) -> set[str]:
    """The checks of a part's accuracy that a network loses that was trained not at all."""
    name, item = TRAINED[part], f"p6_2{part}-accuracy"
    given = {"p6_2b-run": SOURCES["p6_2b-run"].split("untrained = ")[0]}
    return set(judge(item, folder, {**given, **changed}, **{name: build(name, changed)}))


@pytest.mark.parametrize("part", TRAINED)
def test_an_untrained_network_is_trained_by_us(part: str, folder: Path) -> None:
    assert judge_trained(part, folder, {}) == set()


@pytest.mark.parametrize(
    ("part", "cell", "source"),
    [
        ("b", "p6_2b-step-code", answers.WRONG_STEP["pass"].source),
        ("c", "p6_2c-train-code", answers.WRONG_TRAIN["no step"].source),
        ("d", "p6_2c-train-code", answers.WRONG_TRAIN["pass"].source),
    ],
)
def test_training_that_moves_nothing_earns_no_accuracy(
    part: str, cell: str, source: str, folder: Path
) -> None:
    assert judge_trained(part, folder, {cell: source}) == {"reached"}


@pytest.mark.parametrize(
    ("part", "cell", "source"),
    [
        ("b", "p6_2b-convnet-code", answers.WRONG_CONVNET["27 log-softmax"].source),
        ("b", "p6_2b-convnet-code", answers.WRONG_CONVNET["21 kernels turned"].source),
        ("c", "p6_2c-network-code", answers.WRONG_MODULE["24 channels last"].source),
        ("d", "p6_2d-code", answers.WRONG_SEQUENTIAL["27 LogSoftmax"].source),
    ],
)
def test_a_mistake_in_the_network_costs_nothing_in_its_accuracy(
    part: str, cell: str, source: str, folder: Path
) -> None:
    assert judge_trained(part, folder, {cell: source}) == set()


def open_accuracy(folder: Path, model: Any, found: bool) -> dict[str, CheckResult]:
    return judge("p6_2e-accuracy", folder, {}, open_network=model, weights_found=found)


def test_accuracy_of_the_open_network_is_counted_in_stages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = REHEARSAL.run(["p6_2-imports", "p6_2e-code"])
    model = names["OpenNetwork"]()
    lost = open_accuracy(folder, model, False)
    assert set(lost) == {"50", "60", "70"}
    assert "no p6_2_open.safetensors was handed in" in lost["50"].message
    assert "handed in" not in open_accuracy(folder, model, True)["50"].message
    for accuracy, expected in (
        (0.64, {"70"}),
        (0.643, set()),
        (0.53, {"60", "70"}),
        (0.43, {"50", "60", "70"}),
    ):
        judge_module = load(HW2, "judging.csc6022_hw2.p6_2.accuracy")  # that is in memory now
        monkeypatch.setattr(judge_module, "accuracy_on_test", lambda model, a=accuracy: a)
        assert set(open_accuracy(folder, model, True)) == expected


def test_handed_in_weights_are_loaded_and_reach_the_bar(folder: Path, tmp_path: Path) -> None:
    shutil.copy(WEIGHTS, tmp_path)
    (tmp_path / "data").symlink_to(folder / "data")
    item = "p6_2e-accuracy"
    failed = REHEARSAL.failed([item], {}, tmp_path, ["p6_2-data", "p6_2e-run"])[item]
    assert {name: check.message for name, check in failed.items()} == {}


# -- the reference ---------------------------------------------------------------------------------------


def test_reference_agrees_with_loops() -> None:
    sizes = three_layers.BAREBONES
    x, params = sizes.images(2, seed=1), sizes.draw(2)

    def convolve(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, pad: int) -> torch.Tensor:
        n, _, height, width = x.shape
        k = w.shape[-1]
        padded = torch.zeros(n, x.shape[1], height + 2 * pad, width + 2 * pad, dtype=x.dtype)
        padded[:, :, pad : pad + height, pad : pad + width] = x
        out = torch.zeros(n, len(w), height, width, dtype=x.dtype)
        for i in range(height):
            for j in range(width):
                window = padded[:, :, i : i + k, j : j + k].reshape(n, -1)
                out[:, :, i, j] = window @ w.reshape(len(w), -1).T + b
        return out

    w1, b1, w2, b2, w3, b3 = params
    h = convolve(convolve(x, w1, b1, 2).clamp(min=0), w2, b2, 1).clamp(min=0)
    torch.testing.assert_close(three_layers.scores(x, params), h.reshape(2, -1) @ w3.T + b3)


def test_reference_of_nesterov_agrees_with_pytorch() -> None:
    draw = three_layers.generator(3)
    gradients = [torch.randn(5, generator=draw, dtype=torch.float64) for _ in range(6)]
    for momentum, nesterov in ((0.9, True), (0.9, False)):
        p = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([p], lr=0.3, momentum=momentum, nesterov=nesterov)
        for g in gradients:
            p.grad = g
            optimizer.step()
        torch.testing.assert_close(p.detach(), 0.3 * sgd.moves(gradients, momentum, nesterov))


def test_mistakes_differ_from_each_other() -> None:
    """A message names a mistake only if no other one explains the answer."""
    for probe, mistakes in (
        (reading.summed_features, reading.CONVOLUTION_MISTAKES),
        (lambda *sizes: [reading.last_layer(*sizes)], reading.ENDINGS),
        (
            lambda *sizes: [reading.layout(*sizes)],
            {name: {"flatten": f} for name, f in reading.LAYOUTS.items()},
        ),
    ):
        probes = probe(three_layers.BAREBONES, three_layers.RIGHT)
        outcomes = [
            torch.cat([three_layers.scores(*each, **mistake) for each in probes])
            for mistake in ({}, *mistakes.values())
        ]
        for i, one in enumerate(outcomes):
            assert not any(three_layers.agree(one, other) for other in outcomes[:i])


# -- points ----------------------------------------------------------------------------------------------


def test_points_of_the_problem() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert notebook.metadata.chainrule.files == {WEIGHTS.name: 20}
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    points: dict[str, float] = {"markdown": 0, "code": 0}
    parts: dict[str, float] = {}
    for cell in graded:
        known = cell.metadata.nbgrader
        points[cell.cell_type] += known.points
        part = known.grade_id.split("-")[0]
        parts[part] = parts.get(part, 0) + known.points
    assert points == {"markdown": 4, "code": 26}
    assert parts == {"p6_2a": 2.5, "p6_2b": 7, "p6_2c": 5.5, "p6_2d": 4, "p6_2e": 11}


# -- what is drawn ---------------------------------------------------------------------------------------


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 1024, 10)
    )


def test_views_of_a_network(network: nn.Module, folder: Path) -> None:
    data = CIFAR10(folder / "data", "val")
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    filters = cnn_views.first_filters(network)
    assert filters is not None
    assert filters.shape == (6, 3, 5, 5)
    maps = cnn_views.feature_maps(network, data.images[0])
    assert maps is not None
    assert maps.shape == (6, 32, 32)
    assert float(maps.min()) >= 0
    saliency = cnn_views.saliency_maps(network, data.images[:4], data.labels[:4])
    assert saliency is not None
    assert saliency.shape == (4, 32, 32)
    assert float(saliency.min()) >= 0
    matrix = cnn_views.confusion_matrix(network, data)
    assert matrix is not None
    assert torch.equal(matrix.sum(1), torch.bincount(data.labels, minlength=10))
    assert all(p.grad is None for p in network.parameters())
    assert (network.training, network[1].training) == (True, False)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("model", [None, "network", nn.Linear(2, 3)])
def test_views_of_nothing(model: Any, folder: Path) -> None:
    data = CIFAR10(folder / "data", "val")
    assert cnn_views.first_filters(model) is None
    assert cnn_views.feature_maps(model, data.images[0]) is None
    assert cnn_views.saliency_maps(model, data.images[:4], data.labels[:4]) is None
    assert cnn_views.confusion_matrix(model, data) is None


def test_reference_weights_fit_the_notebooks_network() -> None:
    names = REHEARSAL.run(["p6_2-imports", "p6_2e-code"])
    model = names["OpenNetwork"]()
    assert load_weights(model, WEIGHTS)
    assert os.path.getsize(WEIGHTS) < 20 << 20
    assert sum(p.numel() for p in model.parameters()) == 157_762
