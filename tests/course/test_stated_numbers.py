"""Numbers that notebooks state in their text, hints and model answers, computed anew."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from course_modules import ROOT


def cell(notebook: str, grade_id: str) -> str:
    """The source of a cell, its line breaks as spaces."""
    (path,) = (ROOT / "source").glob(f"*/{notebook}.ipynb")
    cells: list[Any] = nbformat.read(path, as_version=4).cells
    (found,) = (c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)
    return " ".join(found.source.split())


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


def test_what_relu_leaves_of_mean_square_and_variance() -> None:
    text = cell("p6_2_cnn_pytorch", "p6_2a-intro")
    assert "ReLU halves the mean square" in text.replace("*", "")
    assert "to about a third" in text
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(z.relu().square().mean()) == pytest.approx(1 / 2, rel=0.02)
    assert float(z.relu().var()) == pytest.approx(1 / 3, rel=0.05)


def test_a_fill_of_minus_infinity_gives_the_same_weights_unless_all_keys_are_closed() -> None:
    text = cell("p7_attention", "p7_1-intro")
    assert "$-\\infty$ gives the same weights where at least one key is open" in text
    scores = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]])
    closed = torch.tensor([[False, True, False], [True, True, True]])
    finite, infinite = (scores.masked_fill(closed, fill).softmax(-1) for fill in (-1e9, -torch.inf))
    assert torch.equal(finite[0], infinite[0])
    assert finite.isfinite().all()
    assert infinite[1].isnan().all()


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
