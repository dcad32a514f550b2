"""Problem 5 of Homework 2: what one part's answer costs in another, the right values, the points and the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2
from IPython.display import Image

from chainrule.authoring.answers import change
from chainrule.lesson import figures as plots
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

gan_plots = load(HW2, "figures.gan")
p5_gan = load(HW2, "judging.csc6022_hw2.p5_gan")
answers = load(HW2, "judging.csc6022_hw2.answers.p5")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p5_gan_backprop.ipynb"
REHEARSAL = hw2("p5")
CHECKS = answers.CHECKS
GIVEN = ["p5_0-imports", "p5_0-networks"]


def judge(item: str, folder: Path, **changed: str) -> dict[str, CheckResult]:
    """The checks that are lost in one item with these answers, by cell, in place of the reference's."""
    cells = {f"p5_{part}-code": source for part, source in changed.items()}
    return REHEARSAL.failed([item], cells, folder)[item]


@pytest.mark.parametrize("name", answers.WRONG_BACK)
def test_a_mistake_in_the_recursion_costs_nothing_in_the_generator(name: str, tmp_path: Path) -> None:
    lost = judge("p5_6-generator", tmp_path, **{"4": answers.WRONG_BACK[name].source})
    assert not any(check.points for check in lost.values()), {
        key: check.message for key, check in lost.items()
    }
    for check in lost.values():
        assert not check.internal_error, check.internal_error


@pytest.mark.parametrize("body", ["pass", "return {}", "return -delta", "raise ValueError", "return W"])
def test_a_recursion_that_gives_nothing_costs_nothing_in_the_generator(body: str, tmp_path: Path) -> None:
    empty = f"def backpropagate(delta, W, z, kinds):\n    {body}\n"
    lost = judge("p5_6-generator", tmp_path, **{"4": empty})
    assert not any(check.points for check in lost.values()), {
        key: check.message for key, check in lost.items()
    }
    # but a slip of its own still costs
    whole = change(
        REHEARSAL.sources["p5_6-code"],
        "delta = dL_dg * activation_prime(kinds[last], z[last]) → delta = dL_dg",
    )
    lost = judge("p5_6-generator", tmp_path, **{"4": empty, "6": whole})
    assert any(check.points for check in lost.values())


# -- the reference ---------------------------------------------------------------------------------------

GAMES = [
    (7, (3, 5, 1), ("tanh", "sigmoid"), (2, 6, 3), ("leaky_relu", "identity")),
    (
        4,
        (2, 6, 5, 3, 1),
        ("leaky_relu", "softplus", "sigmoid", "sigmoid"),
        (5, 3, 4, 2),
        ("tanh", "softplus", "tanh"),
    ),
    (9, (6, 1), ("sigmoid",), (4, 6), ("tanh",)),
]


def weights(widths: tuple[int, ...], seed: int) -> p5_gan.Layers:
    draw = p5_gan.generator(seed)
    shapes = [(widths[l], widths[l - 1]) for l in range(1, len(widths))]
    return {
        l: (p5_gan.normal(draw, *shape) / shape[1] ** 0.5).requires_grad_()
        for l, shape in enumerate(shapes, 1)
    }


@pytest.mark.parametrize("game", GAMES)
def test_reference_agrees_with_autograd(game: Any) -> None:
    n, widths_d, names_d, widths_g, names_g = game
    W_d, W_g = weights(widths_d, 1), weights(widths_g, 2)
    kinds_d, kinds_g = dict(enumerate(names_d, 1)), dict(enumerate(names_g, 1))
    draw = p5_gan.generator(3)
    X, Z = p5_gan.normal(draw, n, widths_d[0]), p5_gan.normal(draw, n, widths_g[0])
    z_g, A_g = p5_gan.forward(Z, W_g, kinds_g)
    output = A_g[len(W_g)]
    z_real, A_real = p5_gan.forward(X, W_d, kinds_d)
    z_fake, A_fake = p5_gan.forward(output, W_d, kinds_d)
    last = len(W_d)
    L = p5_gan.objective(A_real[last], A_fake[last])
    wanted = [*z_real.values(), *z_fake.values(), output, *W_g.values(), *W_d.values()]
    grads = iter(torch.autograd.grad(L, wanted))

    real = p5_gan.backpropagate((1 - A_real[last]) / n, W_d, z_real, kinds_d)
    fake = p5_gan.backpropagate(-A_fake[last] / n, W_d, z_fake, kinds_d)
    at_output = fake[1] @ W_d[1]
    delta_g = p5_gan.backpropagate(at_output * p5_gan.SLOPES[names_g[-1]](z_g[len(W_g)]), W_g, z_g, kinds_g)
    for got in (
        *(real[l] for l in z_real),
        *(fake[l] for l in z_fake),
        at_output,
        *(delta_g[l].T @ A_g[l - 1] for l in W_g),
        *(real[l].T @ A_real[l - 1] + fake[l].T @ A_fake[l - 1] for l in W_d),
    ):
        torch.testing.assert_close(got, next(grads))


@pytest.mark.parametrize("kind", p5_gan.SLOPES)
def test_slopes_of_the_reference_and_of_the_notebook(kind: str) -> None:
    names = REHEARSAL.run(GIVEN)
    z = torch.linspace(-3, 3, 24, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(p5_gan.ACTIVATIONS[kind](z).sum(), z)
    torch.testing.assert_close(p5_gan.SLOPES[kind](z.detach()), slope)
    torch.testing.assert_close(names["activation_prime"](kind, z.detach()), slope)
    torch.testing.assert_close(names["activation"](kind, z.detach()), p5_gan.ACTIVATIONS[kind](z.detach()))


# -- points ----------------------------------------------------------------------------------------------


def test_points_of_the_problem() -> None:
    graded = [
        cell
        for cell in nbformat.read(NOTEBOOK, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    points: dict[str, list[float]] = {"markdown": [], "code": []}
    parts: dict[str, float] = {}
    for cell in graded:
        known = cell.metadata.nbgrader
        points[cell.cell_type].append(known.points)
        number = known.grade_id.split("-")[0]
        parts[number] = parts.get(number, 0) + known.points
    assert sum(points["code"]) == 13.25
    assert sum(points["markdown"]) == 6.75
    assert list(parts.values()) == [2, 2.5, 3, 3.75, 2.25, 3.5, 1.5, 1.5]


# -- figures ---------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


def play(**changed: str) -> None:
    """Run the notebook's game and its figure, with these answers."""
    quiet = [cell for cell in REHEARSAL.sources if cell not in CHECKS]
    cells = [cell for cell in quiet if not cell.endswith(("-look", "-example"))]
    REHEARSAL.run(cells, {f"p5_{part}-code": source for part, source in changed.items()})


def test_the_gan_learns_the_ring(shown: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    gan_plots = load(HW2, "figures.gan")  # that is in memory now
    monkeypatch.setattr(gan_plots, "PATIENCE", 3600.0)  # however busy the machine is
    play()
    assert "in 8 of 8 blobs. " in shown[0].alt + " "
    assert shown[0].alt.endswith("in 8 of 8 blobs.")
    assert shown[0].data.startswith(b"\x89PNG")


def test_the_other_generator_descends_its_own_objective() -> None:
    """`log_d_gradients` gives what automatic differentiation gives for −(1/n) Σ log D(G(Z))."""
    cells = [
        cell for cell in REHEARSAL.sources if cell not in CHECKS and not cell.endswith(("-look", "-film"))
    ]
    names = REHEARSAL.run(cells)
    draw = torch.Generator().manual_seed(3)
    theta_d = {l: torch.randn(*s, generator=draw).double() for l, s in enumerate([(5, 2), (6, 5), (1, 6)], 1)}
    theta_g = {l: torch.randn(*s, generator=draw).double() for l, s in enumerate([(7, 4), (3, 7), (2, 3)], 1)}
    Z = torch.randn(9, 4, generator=draw).double()
    got = names["log_d_gradients"](Z, theta_d, theta_g)["theta_g"]

    moving = {l: w.clone().requires_grad_() for l, w in theta_g.items()}
    samples = names["forward"](Z, moving, names["KINDS_G"])[1][3]
    D = names["forward"](samples, theta_d, names["KINDS_D"])[1][3]
    wanted = torch.autograd.grad(-D.log().mean(), list(moving.values()))
    for l, want in enumerate(wanted, 1):
        torch.testing.assert_close(got[l], want)


# All goes well for hundred steps, then the learning rate is another.
LATE = """
steps = []

def update_generator(theta_g, gradients, alpha):
    steps.append(alpha)
    rate = alpha if len(steps) < 100 else LATE
    return {l: theta_g[l] - rate * gradients["theta_g"][l] for l in theta_g}
"""

UNFINISHED: dict[str, dict[str, str]] = {
    "samples that run away at once": {"3": answers.WRONG_OUTPUT["sign of the second"].source},
    "nothing written": {"3": "def output_deltas(D_real, D_fake):\n    todo()\n"},
    "an update missing": {"8": "def update_generator(theta_g, gradients, alpha):\n    todo()\n"},
    "None": {"5": answers.sample("None")},
    "wrong matrices": {"4": answers.WRONG_BACK["W not transposed"].source},
    "words": {"7": "def update_discriminator(theta_d, gradients, alpha):\n    return 'up'\n"},
}


@pytest.mark.parametrize("name", UNFINISHED)
def test_a_game_that_cannot_be_played_gets_one_sentence(
    name: str, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    play(**UNFINISHED[name])
    said = capsys.readouterr().out
    assert not shown
    assert said.startswith("Nothing to draw yet: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"8": LATE.replace("LATE", "1e6")}, "Stopped: the samples run away before step"),
        ({"8": LATE.replace("LATE", "float('nan')")}, "Stopped: the samples hold NaN"),
        ({"8": LATE.replace("LATE", "'up'")}, "Stopped: your code raised TypeError"),
        ({"8": answers.WRONG_UPDATE_G["the other direction"].source}, ""),
    ],
)
def test_a_game_that_goes_wrong_is_drawn_as_far_as_it_goes(
    changed: dict[str, str], says: str, shown: list[Image]
) -> None:
    play(**changed)
    assert says in shown[0].alt


def test_a_slow_game_is_stopped(shown: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load(HW2, "figures.gan"), "PATIENCE", 0.1)  # the module that is in memory now
    play()
    assert "Stopped: 0 seconds are over at step" in shown[0].alt


def test_signals_shows_both_lines(shown: list[Image]) -> None:
    gan_plots.signals(lambda p, q: ((1 - p) / len(p), -q / len(q)))
    assert "real samples from 0.98 at D = 0.02 to 0.02" in shown[0].alt
    assert "in place of L: from -0.98 to -0.02" in shown[0].alt


@pytest.mark.parametrize(
    "answer",
    [None, lambda p, q: None, lambda p, q: (p, q.sum()), lambda p, q: (p * float("nan"), q), lambda p: p],
)
def test_signals_waits_for_an_answer(
    answer: Callable[..., Any] | None, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    gan_plots.signals(answer)
    said = capsys.readouterr().out
    assert not shown
    assert said.startswith("Nothing to draw yet: ")
    assert said.endswith(".\n")
