"""Question 2 of Assignment 2: errors carried forward, the right values, numbers that vary, and the figures."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import A2, ROOT, a2
from IPython.display import Image

from chainrule.lesson import figures as plots
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

network_plots = load(A2, "figures.network")
question = load(A2, "judging.cs480_a2.question2")
answers = load(A2, "judging.cs480_a2.answers.question2")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "cs480-a2" / "assignment2.ipynb"
REHEARSAL = a2("question2")
CHECKS, VALUES = answers.CHECKS, answers.VALUES


def judge(changed: dict[str, str], items: Iterable[str], folder: Path) -> dict[str, CheckResult]:
    """The checks with points that are lost when some cells are changed, by their short names."""
    failed = REHEARSAL.failed(items, changed, folder)
    checks = [pair for found in failed.values() for pair in found.items()]
    assert not any(check.internal_error for _, check in checks), checks
    return {name: check for name, check in checks if check.points}


# -- error carried forward -------------------------------------------------------------------------------

SLIPS = {
    "dtheta turned round": ("q2_2b-answers", "dtheta = torch.tensor([0.5, -0.5]).double()", {"dtheta"}),
    "one-hot forgotten": ("q2_2b-answers", "dtheta = p_hat", {"dtheta"}),
    "dtheta halved": ("q2_2b-answers", "dtheta = torch.tensor([-0.25, 0.25]).double()", {"dtheta"}),
    "dtheta off": ("q2_2b-answers", "dtheta = torch.tensor([-0.4, 0.6]).double()", {"dtheta"}),
    "no bias": (
        "q2_2a-answers",
        "z = W @ x; h = z.relu(); theta = U @ h; p_hat = theta.softmax(0); J = -p_hat[0].log(); dead = 1",
        {"z"},
    ),
    "no ReLU": (
        "q2_2a-answers",
        "z = W @ x + b1; h = z; theta = U @ h; p_hat = theta.softmax(0); J = -p_hat[0].log(); dead = 1",
        {"h"},
    ),
    "p not normalised": (
        "q2_2a-answers",
        "z = W @ x + b1; h = z.relu(); theta = U @ h; p_hat = theta.exp(); J = -p_hat[0].log(); dead = 1",
        {"p_hat"},
    ),
    "dh through the updated U": (
        "q2_2d-answers",
        "dh = (U - 0.1 * dU).T @ dtheta; dz = dh * (z > 0)",
        {"dh"},
    ),
    "mask from the upstream sign": ("q2_2d-answers", "dh = U.T @ dtheta; dz = dh.relu()", {"dz"}),
    "x forgotten": ("q2_2e-answers", "dW = dz[:, None].expand(3, 2); db1 = dz", {"dW"}),
}


@pytest.mark.parametrize("name", SLIPS)
def test_mistake_carried_through_the_notebook_costs_its_own_step(name: str, tmp_path: Path) -> None:
    cell, source, loses = SLIPS[name]
    lost = judge({cell: source}, CHECKS, tmp_path)
    assert set(lost) == loses, {name: check.message for name, check in lost.items()}


def test_mistake_in_b_costs_dtheta_once_in_values_and_once_in_code(tmp_path: Path) -> None:
    changed = {
        "q2_2b-answers": SLIPS["dtheta turned round"][1],
        "change": answers.WRONG_CODE["sign turned round"].source,
    }
    assert set(judge(changed, CHECKS, tmp_path)) == {"dtheta", "code dtheta"}


def test_first_wrong_value_is_named(tmp_path: Path) -> None:
    lost = judge(
        {"change": "dtheta = [0.7, 0.1]; dh = dz = dW = db1 = None; W_new = W * 2; dU = dU * 3"},
        VALUES,
        tmp_path,
    )
    assert "dtheta" in lost["dU"].message
    lost = judge({"change": "z = [1, 2, 3]; h = [3, 2, 2]; dU = dU * 3; U_new = U * 2"}, VALUES, tmp_path)
    assert "the first wrong value is z" in lost["U_new"].message


NAMES = [name for item in VALUES for name in CHECKS[item] if not name.startswith("(")]


@pytest.mark.parametrize("number", [0, 0.5, 1, 0.25, -1, 7])
@pytest.mark.parametrize("shaped", [True, False])
def test_one_number_everywhere_earns_nothing(number: float, shaped: bool, tmp_path: Path) -> None:
    shapes = f"{{n: torch.full_like(torch.as_tensor(globals()[n]).double(), {number}) for n in {NAMES} if n != 'J'}}"
    source = f"globals().update({shapes}); J = {number}" if shaped else f"{' = '.join(NAMES)} = {number}"
    lost = judge({"change": source}, VALUES, tmp_path)
    kept = set(NAMES) - set(lost)
    assert kept <= ({"dead"} if number == 1 and not shaped else set())


def test_noise_earns_nothing(tmp_path: Path) -> None:
    drawn = "torch.randn_like(torch.as_tensor(0.5 if n == 'J' else globals()[n]).double())"
    noise = f"for n in {NAMES}:\n    globals()[n] = {drawn}"
    assert set(judge({"change": noise}, VALUES, tmp_path)) == set(NAMES)


# -- the reference ---------------------------------------------------------------------------------------


def test_reference_agrees_with_autograd() -> None:
    for given, _ in question.samples():
        leaves = {name: value.clone().requires_grad_() for name, value in given.items() if name != "y"}
        z = leaves["W"] @ leaves["x"] + leaves["b1"]
        h = z.relu()
        theta = leaves["U"] @ h + leaves["b2"]
        loss = torch.nn.functional.cross_entropy(theta, torch.tensor(given["y"]))
        order = {"dtheta": theta, "dU": leaves["U"], "db2": leaves["b2"], "dh": h, "dz": z, "dW": leaves["W"]}
        order["db1"] = leaves["b1"]
        want = torch.autograd.grad(loss, list(order.values()))
        values = question.gradients(**given).values
        for name, gradient in zip(order, want, strict=True):
            assert torch.allclose(values[name], gradient, rtol=1e-12, atol=1e-12), name


def test_samples_show_a_lost_mask() -> None:
    for (given, _), (D, K, C) in zip(question.samples(), question.SIZES, strict=True):
        assert given["W"].shape == (K, D)
        assert given["U"].shape == (C, K)
        assert len({D, K, C}) == 3
        assert 1 < given["y"] < C
        values = question.gradients(**given).values
        assert (values["dh"][values["z"] < 0].abs() > 0.05).all()


# -- variants --------------------------------------------------------------------------------------------


def varying() -> list[Any]:
    found = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if "chainrule" in cell.metadata]
    return [cell for cell in found if cell.metadata.nbgrader.grade_id.startswith("q2")]


def filled(template: str, drawn: dict[str, object]) -> str:
    for name, value in drawn.items():
        template = template.replace(f"@{name}@", str(value))
    return template


def test_templates_give_back_the_handout() -> None:
    drawn = question.draw(None)
    assert varying()
    for cell in varying():
        for snippet, template in cell.metadata.chainrule.varies.items():
            assert snippet in cell.source
            assert filled(template, drawn) == snippet


@pytest.mark.parametrize("seed", range(40))
def test_drawn_numbers_are_as_hard_as_the_handouts(seed: int) -> None:
    drawn = question.draw(random.Random(seed))
    assert drawn.keys() == question.draw(None).keys()
    assert all(name.startswith("q2_") for name in drawn)
    assert len(set(drawn["q2_1_theta"])) == 4  # type: ignore[call-overload]
    given: dict[str, Any] = {name: drawn[f"q2_2_{name}"] for name in ("x", "W", "b1", "U")}
    values = question.network(**given, b2=[0, 0], y=0).values
    z, dead = values["z"], drawn["q2_2_dead"]
    assert (z < 0).nonzero().flatten().tolist() == [dead]
    assert z.abs().min() > 0.04
    assert not values["U"][:, dead].any()  # type: ignore[index]
    live = values["h"][values["h"] > 0]
    assert len(live) == 2
    assert live[0] == pytest.approx(float(live[1]))
    assert torch.allclose(values["p_hat"], torch.tensor(0.5).double())
    assert float(values["J"]) == pytest.approx(0.693147, abs=1e-6)
    assert values["dh"].count_nonzero() == 2


@pytest.mark.parametrize("seed", range(3))
def test_variant_of_the_notebook_gives_the_reference_every_point(seed: int, tmp_path: Path) -> None:
    drawn = question.draw(random.Random(seed))
    changed = {}
    for cell in varying():
        source = cell.source
        for snippet, template in cell.metadata.chainrule.varies.items():
            source = source.replace(snippet, filled(template, drawn))
        changed[cell.metadata.nbgrader.grade_id] = source
        assert "@q2" not in source
    assert judge(changed, CHECKS, tmp_path) == {}


# -- figures ---------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


def values() -> dict[str, Any]:
    drawn = question.draw(None)
    given: dict[str, Any] = {name: drawn[f"q2_2_{name}"] for name in ("x", "W", "b1", "U")}
    return dict(question.network(**given, b2=[0, 0], y=0).values)


def test_figures_are_small_pngs_with_alt_text(shown: list[Image]) -> None:
    names = values()
    network_plots.weights(*(names[name] for name in ("x", "W", "b1", "U", "b2")))
    network_plots.gradients(names)
    network_plots.gradients({**names, "db1": ["-1/4", "0", "1/4"], "db2": names["db2"][:, None]})
    network_plots.descent(names)
    assert len(shown) == 4
    assert all(image.data.startswith(b"\x89PNG") and len(image.data) < 120_000 for image in shown)
    first, second, same, last = (image.alt for image in shown)
    assert "dead" not in first
    assert "off" not in first
    assert "Hidden neuron 1 is off" in second
    assert same == second
    assert "promises a change of -0.0406" in last


@pytest.mark.parametrize(
    "wrong", [None, 3, "ln 2 +", [[1, 2], [3]], torch.zeros(0), torch.zeros(2, 2, 2), float("nan"), len]
)
@pytest.mark.parametrize("name", ["z", "dW", "db1", "dU", "db2", "W_new", "x", "U"])
def test_figures_say_what_is_missing(
    name: str, wrong: object, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    names = {**values(), name: wrong}
    network_plots.weights(*(names[key] for key in ("x", "W", "b1", "U", "b2")))
    network_plots.gradients(names)
    network_plots.descent(names)
    said = capsys.readouterr().out.splitlines()
    assert said
    assert all(line.startswith("Nothing to draw yet: ") for line in said)
    assert len(said) + len(shown) == 3
