"""Numbers that notebooks state in their text, hints and model answers, computed anew."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from course_modules import ROOT


def cell(notebook: str, grade_id: str) -> str:
    """The source of a cell, its line breaks as spaces."""
    (path,) = (ROOT / "source").glob(f"*/{notebook}.ipynb")
    cells: list[Any] = nbformat.read(path, as_version=4).cells
    (found,) = (c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)
    return " ".join(found.source.split())


def texts(notebook: str) -> list[str]:
    """All texts of a notebook."""
    (path,) = (ROOT / "source").glob(f"*/{notebook}.ipynb")
    cells: list[Any] = nbformat.read(path, as_version=4).cells
    return [c.source for c in cells if c.cell_type == "markdown"]


def number(pattern: str, text: str) -> float:
    """The number in the one place that the pattern fits."""
    (found,) = re.findall(pattern, text)
    return float(found.replace(",", ""))


def test_how_large_the_targets_of_the_regression_are() -> None:
    text = cell("p6_1_mlp_weight_decay", "p6_1b-intro")
    random = np.random.default_rng(0)
    X = random.standard_normal((2000, 100, 2))
    y = 1 / (1 + np.exp(-3 * X.sum(-1))) + 9 * (X[..., 0] - X[..., 1]) ** 2
    y += 0.30 * random.standard_normal(y.shape)
    largest = y.max(1)
    assert np.median(y) == pytest.approx(number(r"Half of the targets are below (\d+)", text), rel=0.06)
    assert np.median(largest) == pytest.approx(number(r"largest of 100 is about (\d+)", text), rel=0.04)
    over = number(r"in one sample in twenty above (\d+)", text)
    assert np.mean(largest > over) == pytest.approx(1 / 20, abs=0.015)


def test_how_much_of_the_noisy_targets_nobody_can_predict() -> None:
    text = cell("p6_1_mlp_weight_decay", "p6_1f-noisy-intro")
    signal = 2 * 18**2  # of 18 times a chi-squared variable; the sigmoid adds less than 0.25
    noise = number(r"noise of standard deviation (\d+)", text) ** 2
    assert noise / (signal + noise) == pytest.approx(number(r"The noise has ([\d.]+) of", text), abs=5e-3)


def test_the_worked_example_of_backpropagation() -> None:
    text = cell("p6_1_mlp_weight_decay", "p6_1c-intro")
    given = text.partition("*An example, to compare with.*")[2].partition("Then")[0]
    stated = dict(re.findall(r"\$(\w) = (-?[\d.]+)\$", given))
    W, b, v, c, x, y = (float(stated[name]) for name in "Wbvcxy")

    def output(v: float) -> float:
        return v / (1 + np.exp(-(W * x + b))) + c

    assert output(v) == 2
    moved = number(r"With \$v = ([\d.]+)\$", text)
    assert output(moved) == pytest.approx(number(r"the output is ([\d.]+) and", text))
    assert (output(moved) - y) ** 2 == pytest.approx(number(r"the error (1\.\d+)", text), abs=1e-9)


def test_what_relu_leaves_of_mean_square_and_variance() -> None:
    text = cell("p6_2_cnn_pytorch", "p6_2a-intro")
    assert "ReLU halves the mean square" in text.replace("*", "")
    assert "to about a third" in text
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(z.relu().square().mean()) == pytest.approx(1 / 2, rel=0.02)
    assert float(z.relu().var()) == pytest.approx(1 / 3, rel=0.05)


def test_the_fan_ins_and_sizes_of_the_cnns() -> None:
    text = cell("p6_2_cnn_pytorch", "p6_2a-intro").partition("*An example.*")[2]
    assert pytest.approx(number(r"1 / 12 = (0\.\d+)\.", text), abs=5e-4) == (2 / (32 * 9)) ** 0.5
    assert (
        pytest.approx(number(r"fan-in 100, standard deviation (0\.\d+)", text), abs=5e-4) == (2 / 100) ** 0.5
    )
    pooled = 96 * 8 * 8 * 10 + 10
    assert number(r"in place of ([\d,]+)\)", cell("p6_2_cnn_pytorch", "p6_2e-written")) == pooled
    assert f"{pooled // 1000} thousand weights" in cell("p6_2_cnn_pytorch", "p6_2e-written-intro")
    (log,) = (c for c in texts("p6_2_cnn_pytorch") if c.startswith("**Log of trainings**"))
    first = 32 * (3 * 25 + 1) + 16 * (32 * 9 + 1) + 10 * (16 * 32 * 32 + 1)
    assert number(r"\*([\d,]+)\* \| \*1\*", log) == first


def test_a_kernel_is_not_turned_round() -> None:
    text = cell("p6_2_cnn_pytorch", "p6_2b-intro").partition("*An example, in one dimension.*")[2]
    row, kernel = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[1.0, 0, -1]]])
    as_it_is, turned = (F.conv1d(row, k, padding=1).flatten().tolist() for k in (kernel, kernel.flip(-1)))
    written = text.replace("−", "-")
    assert " ".join(f"{value:g}" for value in as_it_is) in written
    assert " ".join(f"{value:g}" for value in turned) in written


def test_a_fill_of_minus_infinity_gives_the_same_weights_unless_all_keys_are_closed() -> None:
    text = cell("p7_attention", "p7_1-intro")
    assert "$-\\infty$ gives the same weights where at least one key is open" in text
    scores = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]])
    closed = torch.tensor([[False, True, False], [True, True, True]])
    finite, infinite = (scores.masked_fill(closed, fill).softmax(-1) for fill in (-1e9, -torch.inf))
    assert torch.equal(finite[0], infinite[0])
    assert finite.isfinite().all()
    assert infinite[1].isnan().all()


def test_the_worked_example_of_attention() -> None:
    text = cell("p7_attention", "p7_1-intro").partition("*An example.*")[2]
    products = [float(found) for found in re.findall(r"are ([\d.]+) and (\d)", text)[0]]
    weights = torch.softmax(torch.tensor(products) / 4**0.5, dim=0)
    stated = re.findall(r"the weights are (\d.\d+) and (\d.\d+)", text)[0]
    assert weights.tolist() == [pytest.approx(float(weight), abs=5e-3) for weight in stated]
    values = torch.tensor([8.0, 0.0])
    assert float(weights @ values) == pytest.approx(number(r"\\cdot 0 = (\d)", text), abs=0.05)


def test_where_the_learning_rate_is_highest_and_where_half() -> None:
    text = cell("p7_attention", "p7_9-intro").partition("*An example.*")[2]

    def rate(step: float) -> float:
        return 64**-0.5 * float(min(step**-0.5, step * 400**-1.5))

    assert rate(400) == pytest.approx(number(r"= (0\.\d+)\$", text))
    before, after = re.findall(r"half of that at step (\d+) and again at step ([\d,]+)\.", text)[0]
    assert [rate(float(step.replace(",", ""))) for step in (before, after)] == [
        pytest.approx(rate(400) / 2)
    ] * 2


def test_the_small_examples_of_positions_norm_and_smoothing() -> None:
    angles = np.array([1, 1 / 10000 ** (2 / 4)])
    pattern = np.stack([np.sin(angles), np.cos(angles)], axis=1).ravel()
    assert f"({', '.join(f'{value:.3f}' for value in pattern)})" in cell("p7_attention", "p7_4-intro")
    x = np.array([1, 3])
    assert tuple((x - x.mean()) / x.std()) == (-1, 1)
    assert "$(1, 3)$ has $\\mu = 2$ and $\\sigma^2 = 1$, so it becomes $(-1, 1)$" in cell(
        "p7_attention", "p7_5-intro"
    )
    stated = re.findall(r"\$t = \(([^)]+)\)", cell("p7_attention", "p7_8-smoothing-intro"))[0]
    assert [float(share) for share in stated.split(",\\ ")] == [0, *[0.2 / 4] * 2, 0.8, *[0.2 / 4] * 2]


def test_the_loss_of_equal_guesses_of_eleven_classes() -> None:
    stated = number(r"would give ([\d.]+):", cell("p7_attention", "p7_11-untrained-intro"))
    targets = np.array([0.9, *[0.1 / 9] * 9])
    assert np.log(11) + np.sum(targets * np.log(targets)) == pytest.approx(stated, abs=5e-3)


@pytest.mark.parametrize("part", ["q1_2-conclusion-intro", "q1_2-conclusion"])
def test_how_much_of_the_cnn_is_its_last_layer(part: str) -> None:
    counts = [5 * 5 * 16 + 16, 2 * 16, 3 * 3 * 16 * 32 + 32, 2 * 32, 5 * 5 * 32 * 10 + 10]
    text = cell("assignment2", part)
    last, total = re.findall(r"(\d+) of (?:its|the CNN's) ([\d,]+) parameters", text)[0]
    assert (int(last), int(total.replace(",", ""))) == (counts[-1], sum(counts))
    assert counts[-1] > sum(counts) / 2


def test_where_the_step_beyond_the_bounds_comes_from() -> None:
    text = cell("assignment2", "q1_1-look-intro")
    beyond = number(r"a step a little too long, \$([\d.]+)/L\$", text)
    assert f"beyond = {beyond:g} / L" in (ROOT / "source/cs480-a2/figures/convergence.py").read_text("utf-8")
    L = 10.0
    assert abs(1 - beyond / L * L) > 1 > abs(1 - 1.99 / L * L)  # 2/L is the border


def test_how_far_runs_of_both_networks_spread() -> None:
    """The figures of the ten seeds in bench/RESULTS.md."""
    results = (ROOT / "bench/RESULTS.md").read_text(encoding="utf-8")
    full = results.partition("## Calibration, full")[2].partition("\n## ")[0]
    rows = re.findall(r"\| (MLP|CNN) \| trained \| final \| 10 \| ([\d.]+) \| ([\d.]+) \|", full)
    measured = {name: (float(mean), float(sd)) for name, mean, sd in rows}
    answer = cell("assignment2", "q3_3-why-intro")
    stated = re.search(r"\(([\d.]+) against ([\d.]+) after .* deviations ([\d.]+) and ([\d.]+)\)", answer)
    assert stated
    cnn, mlp = measured["CNN"], measured["MLP"]
    assert [float(text) for text in stated.groups()] == [
        pytest.approx(value, abs=5e-4) for value in (cnn[0], mlp[0], cnn[1], mlp[1])
    ]
    spread = re.search(
        r"deviation of ([\d.]+) \(MLP\) and ([\d.]+) \(CNN\)", cell("assignment2", "q3_3-intro")
    )
    assert spread
    assert [float(text) for text in spread.groups()] == [
        pytest.approx(sd, abs=5e-4) for sd in (mlp[1], cnn[1])
    ]


def numbers_in(pattern: str, text: str) -> list[float]:
    """The numbers in the one place that the pattern fits."""
    (found,) = re.findall(pattern, text)
    return [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", found)]


def test_the_worked_examples_of_backpropagation() -> None:
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    E = (w @ torch.tensor([1.0, 3.0]) - 1) ** 2 / 2
    text = cell("p1_mlp_backprop", "p1_0-example-intro")
    (slope,) = torch.autograd.grad(E, w)
    assert numbers_in(r"\\nabla_\{\\mathbf w\} E = \((-\d.*?)\)", text) == slope.tolist()

    text = cell("p2_two_layer_gradients", "p2_0-example-intro")
    jacobian = torch.autograd.functional.jacobian(lambda s: s / s.sum(), torch.tensor([1.0, 3.0]))
    assert numbers_in(r"begin\{pmatrix\}(.*?)\\end", text) == jacobian.flatten().tolist()

    text = cell("p5_gan_backprop", "p5_0-example-intro")
    W = torch.tensor([[1.0, -1.0]], requires_grad=True)
    x = torch.tensor([[1.0, 1.0], [np.log(3), 0.0]], dtype=torch.float32)
    (slope,) = torch.autograd.grad((x @ W.T).sigmoid().square().mean(), W)
    stated = numbers_in(r"\\partial S/\\partial W\^1 = \((.*?)\)", text)
    assert stated == pytest.approx(slope.flatten().tolist(), abs=5e-5)


def test_the_worked_examples_of_assignment_2() -> None:
    text = cell("assignment2", "q2_1-numbers")
    p = torch.tensor([0.0, np.log(3)]).softmax(0)
    assert number(r"approx ([\d.]+)\$, and the gradient", text) == pytest.approx(-float(p[1].log()), abs=5e-5)

    text = cell("assignment2", "q1_3-experiment-intro").partition("**Example.**")[2]
    products = torch.tensor([[3.0, 0], [1, 1], [0, 0]]) @ torch.tensor([1.0, 2])
    assert numbers_in(r"dot products are (.*?), divided", text.replace(" and", ",")) == products.tolist()
    assert numbers_in(r"sqrt 2\$ (.*?)\. The", text.replace(" and", ",")) == pytest.approx(
        (products / 2**0.5).tolist(), abs=5e-3
    )
    weights = (products / 2**0.5).softmax(0)
    assert numbers_in(r"weights are (.*?), and", text.replace("0.47 and", "0.47,")) == pytest.approx(
        weights.tolist(), abs=5e-3
    )
    assert number(r"entropy is ([\d.]+)\.", text) == pytest.approx(
        float(torch.special.entr(weights).sum()), abs=5e-3
    )

    text = cell("assignment2", "q2_2-example")
    w, b = torch.tensor(3.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)

    def loss(w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ((2 * w + b).relu() - 4) ** 2 / 2

    slopes = torch.autograd.grad(loss(w, b), (w, b))
    new = [float(value.detach() - 0.1 * slope) for value, slope in zip((w, b), slopes, strict=True)]
    after = float(loss(*map(torch.tensor, new)))
    stated = [
        number(rf"\$?{name} = (-?[\d.]+)\$", text.partition("against the gradient")[2]) for name in "wb"
    ]
    assert stated == pytest.approx(new)
    assert number(r"the loss falls from \$([\d.]+)\$", text) == float(loss(w, b).detach())
    assert number(r"falls from \$[\d.]+\$ to \$([\d.]+)\$", text) == pytest.approx(after)
