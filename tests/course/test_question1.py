"""Question 1 of Assignment 2: what checks of the form say, the right values, numbers that vary, and the figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest
import torch
from course_modules import A2, ROOT, a2
from IPython.display import Image
from nbformat import NotebookNode

from chainrule.authoring.rehearse import rehearse
from chainrule.lesson import figures as plots
from chainrule.modules import load

attention_scale = load(A2, "figures.attention_scale")
convergence = load(A2, "figures.convergence")
question = load(A2, "judging.cs480_a2.question1")
answers = load(A2, "judging.cs480_a2.answers.question1")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "cs480-a2" / "assignment2.ipynb"
REHEARSAL = a2("question1")


def told(part: str, source: str, folder: Path) -> list[str]:
    """What the visible checks complain about."""
    results = REHEARSAL.results(answers.PARTS[part], {"answer": source}, folder, judges=REHEARSAL.sources)
    checks = [check for result in results.values() for check in result.checks if check.means]
    assert checks
    assert not any(check.internal_error for check in checks)
    return [check.message for check in checks if not check.passed]


@pytest.mark.parametrize(
    ("part", "source", "says"),
    [
        ("1.1", "H = [[10, 1], [0, 1]]", "not symmetric"),
        ("1.1", "L, m = m, L", "not the smaller one"),
        ("1.1", "t_convex, t_strongly = t_strongly, t_convex", "t_convex is the larger one"),
        ("1.1", "k_strongly = 65.56", "whole number"),
        ("1.2", "layer_sizes[0] = (16, 24, 24)", "equal and come first"),
        ("1.1", "L = m = 0", "both constants are positive"),
        ("1.1", "L, m, k_convex = 5, 1, 500", "in some direction your H curves more than your L"),
        ("1.1", "strongly_convex = False", "your m is above 0"),
        ("1.1", "t_strongly = 0.18", "allows longer steps"),
        ("1.1", "k_strongly = 65", "the bound is still above"),
        ("1.1", "k_convex = 1002", "with fewer iterations"),
        ("1.2", "layer_sizes = layer_sizes[:5]", "should have eight entries, and has 5"),
        ("1.2", "layer_sizes[2] = (12, 12, 8)", "pooling changes no number of channels"),
        ("1.2", "layer_sizes[2] = (23, 23, 16)", "23 windows of two rows"),
        ("1.2", "layer_parameters[0] = 416.5", "whole number"),
        ("1.2", "layer_parameters[0] += 16", "layer 1: your table and your network have different numbers"),
        ("1.2", "layer_parameters[3] = 4608", "layer 4: 4608 parameters for 32 channels"),
        ("1.2", "total_parameters += 1", "your entries sum to"),
        ("1.2", "layer_sizes[2] = (14, 14, 16)", "layer 3: your table and your network have different sizes"),
        ("1.2", "fully_connected = 203264", "no whole number of hidden units"),
        ("1.2", "times_as_many = 0.065", "times your CNN's total is not"),
        ("1.2", "net_1_2 = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))", "list of layers"),
        ("1.2", "net_1_2 = nn.Linear", "should be a network"),
        ("1.2", "net_1_2 = 7", "should be a network"),
        ("1.2", "layer_parameters = layer_parameters[:3]", "should have eight entries"),
        ("1.3 count", 'del encoder_parameters["W_K"]', "there is no encoder_parameters"),
        ("1.3 count", 'encoder_parameters["W_1"] += 1024', "W_1 and W_2 have different"),
        ("1.3 functions", "def attention_weights(s):\n    return s.softmax(0)", "sum of a query's weights"),
        ("1.3 functions", "def entropy(p):\n    return p.sum(1)", "eight equal weights"),
    ],
)
def test_visible_check_tells_about_the_form(part: str, source: str, says: str, tmp_path: Path) -> None:
    assert any(says in message for message in told(part, source, tmp_path)), told(part, source, tmp_path)


def test_the_network_may_have_activations_and_flatten_late(tmp_path: Path) -> None:
    net = """net_1_2 = nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3),
        nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2), nn.Flatten(), nn.LazyLinear(10))"""
    assert told("1.2", net, tmp_path) == []


@pytest.mark.parametrize("net", ["", "\nnet_1_2[0] = nn.Conv2d(1, 16, 3)"])
def test_the_network_does_not_fill_in_the_tables(net: str, tmp_path: Path) -> None:
    """Where tables and network differ, a student is told the layer and not the number, whichever of them is right."""
    zeros = "layer_sizes = [(24, 24, 9)] * 8; layer_parameters = [0] * 8; total_parameters = 0"
    said = " ".join(told("1.2", zeros + net, tmp_path))
    assert "layer 1" in said
    assert not re.search(r"\b(?:16|12|10|32|800|416|4640|8010|13162)\b", said), said


# -- references ------------------------------------------------------------------------------------------


def test_pytorch_counts_the_encoder_likewise() -> None:
    layer = torch.nn.TransformerEncoderLayer(256, 8, 1024)
    biases = layer.self_attn.in_proj_bias.numel() + layer.self_attn.out_proj.bias.numel()
    assert sum(p.numel() for p in layer.parameters()) - biases == 788_736
    assert question.encoder(256, 8, 1024).values["total"] == 788_736


def test_the_handouts_numbers() -> None:
    values = question.network((16, 32), (5, 3), 2, 10, 256).values
    assert [int(values[f"count {i}"]) for i in range(1, 9)] == [416, 32, 0, 4640, 64, 0, 0, 8010]
    assert (int(values["total"]), int(values["fully_connected"])) == (13_162, 203_530)
    convex, strongly = question.bounds(10, 1, (1, 1), 0.01)
    assert convex == pytest.approx(1000)
    assert strongly == pytest.approx(65.563, abs=1e-3)


# -- numbers that vary -----------------------------------------------------------------------------------


def test_drawn_numbers_are_as_difficult() -> None:
    random = Random(7)
    seen = set()
    for _ in range(200):
        drawn: dict[str, Any] = question.draw(random)
        a, b, epsilon = (drawn[f"q1_1_{name}"] for name in ("a", "b", "epsilon"))
        convex, strongly = question.bounds(a, b, (1, 1), epsilon)
        assert convex == pytest.approx(round(convex))
        assert 0.15 <= strongly % 1 <= 0.85
        assert a / epsilon == pytest.approx(drawn["q1_1_k_convex"])
        sides = [28 - drawn["q1_2_a1"] + 1, drawn["q1_2_s3"] - drawn["q1_2_a2"] + 1]
        assert all(side % 2 == 0 for side in sides)
        assert drawn["q1_2_s6"] >= 3
        assert drawn["q1_3_d"] % drawn["q1_3_heads"] == 0
        seen.add((a, b, epsilon))
    assert len(seen) > 10
    assert question.draw(None).keys() == question.draw(random).keys()


def varied() -> list[NotebookNode]:
    """The cells of this question that show a number that may vary."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    ours = [
        cell
        for cell in notebook.cells
        if re.match("q1[-_]", cell.metadata.get("nbgrader", {}).get("grade_id", ""))
    ]
    return [cell for cell in ours if "chainrule" in cell.metadata]


def filled(template: str, drawn: dict[str, object]) -> str:
    return re.sub(r"@(\w+)@", lambda name: str(drawn[name[1]]), template)


def test_templates_give_back_the_handout() -> None:
    handout = question.draw(None)
    assert len(varied()) > 15
    for cell in varied():
        for snippet, template in cell.metadata.chainrule.varies.items():
            assert snippet in cell.source
            assert filled(template, handout) == snippet


@pytest.mark.parametrize("seed", range(6))
def test_reference_gets_every_point_with_other_numbers(seed: int, tmp_path: Path) -> None:
    drawn = question.draw(Random(seed))
    sources = dict(REHEARSAL.sources)
    for cell in varied():
        varies = cell.metadata.chainrule.varies
        snippets = "|".join(map(re.escape, sorted(varies, key=len, reverse=True)))
        source = re.sub(snippets, lambda found, varies=varies: filled(varies[found[0]], drawn), cell.source)
        sources[cell.metadata.nbgrader.grade_id] = source
    results = rehearse(A2, sources, answers.PROBLEM.given, answers.CHECKS, tmp_path)
    for result in results.values():
        assert [(check.name, check.message) for check in result.checks if not check.passed] == []


# -- figures ---------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


@pytest.fixture
def names() -> dict[str, Any]:
    """The notebook's names after the right answers."""
    return REHEARSAL.run(answers.PROBLEM.given)


FIGURES = [convergence.paths, convergence.guarantees, attention_scale.variances, attention_scale.entropies]


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_a_small_picture_with_alt_text(
    figure: Callable[..., None], names: dict[str, Any], shown: list[Image]
) -> None:
    figure(names)
    (image,) = shown
    assert image.data.startswith(b"\x89PNG")
    assert len(image.data) < 120_000
    assert len(image.alt) > 80


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_of_nothing_says_so(
    figure: Callable[..., None], shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    figure({})
    assert shown == []
    assert capsys.readouterr().out.startswith("Nothing to draw yet: ")


WANTED = {
    convergence.paths: ["H", "L", "t_convex", "t_strongly"],
    convergence.guarantees: ["H", "L", "m", "t_convex", "k_convex", "k_strongly"],
    attention_scale.variances: ["scores"],
    attention_scale.entropies: ["scores", "attention_weights", "entropy"],
}


@pytest.mark.parametrize(("figure", "name"), [(f, name) for f, wanted in WANTED.items() for name in wanted])
def test_figure_waits_for_every_answer_and_bears_any(
    figure: Callable[..., None],
    name: str,
    names: dict[str, Any],
    shown: list[Image],
    capsys: pytest.CaptureFixture[str],
) -> None:
    nan = float("nan")
    for value in (
        None,
        "?",
        0,
        -1,
        1e300,
        nan,
        [1, 2, 3],
        [[0, 0], [0, 0]],
        torch.zeros(3, 2),
        lambda *x: 1 / 0,
        {},
    ):
        figure({**names, name: value})
        assert shown == [], value
        assert capsys.readouterr().out.startswith("Nothing to draw yet: "), value


def test_figures_read_exact_forms(names: dict[str, Any], shown: list[Image]) -> None:
    exact = {
        "H": [["10", "0"], ["0", "1"]],
        "t_convex": "1/10",
        "t_strongly": Fraction(2, 11),
        "k_convex": 1000.0,
    }
    convergence.paths({**names, **exact})
    convergence.guarantees({**names, **exact})
    assert len(shown) == 2


@pytest.mark.parametrize(
    "source",
    ["H, L, m = [[20, 0], [0, 2]], 20, 2", "t_convex = 5", "L, m = 40, 3", "k_convex = k_strongly = 1"],
)
def test_figures_of_wrong_answers_are_drawn(source: str, names: dict[str, Any], shown: list[Image]) -> None:
    exec(source, names)
    convergence.paths(names)
    convergence.guarantees(names)
    assert len(shown) == 2
