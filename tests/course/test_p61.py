"""Problem 6.1 of Homework 2: what goes with its answers, the right values, the points and the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from course_modules import HW2, ROOT, hw2

from chainrule.authoring.answers import change
from chainrule.lesson.checks import expect
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

decay_plots = load(HW2, "figures.decay")
reference = load(HW2, "judging.csc6022_hw2.p6_1.reference")
answers = load(HW2, "judging.csc6022_hw2.answers.p6_1")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p6_1_mlp_weight_decay.ipynb"
REHEARSAL = hw2("p6_1")
CHECKS = answers.CHECKS


def judge(item: str, changed: dict[str, str]) -> dict[str, CheckResult]:
    """The checks of an item that are lost, by their short names, with other sources in some of the student's cells."""
    return REHEARSAL.failed([item], changed, Path.cwd())[item]


def graded(lost: dict[str, CheckResult]) -> set[str]:
    return {name for name in lost if not name.startswith("(")}


def test_typical_mistakes_are_among_the_answers() -> None:
    known = [name for exercise in answers.PROBLEM.exercises for name in exercise.wrong]
    for number in range(1, 19):
        assert any(name.startswith(f"{number}:") for name in known), number


# -- error carried forward -------------------------------------------------------------------------------

# Another name than the one meant raises an error in whatever calls the function.
RAISES = {
    "sample": {"p6_1a-functions": change(answers.DATA, "rng.standard_normal(n) → rng.normal_(n)")},
    "standardise": {"p6_1b-functions": change(answers.SCALING, "return (values → return (value")},
    "forward": {"p6_1c-functions": change(answers.BACKPROP, 'X @ params["W"].T → X @ W.T')},
    "backprop": {"p6_1c-functions": change(answers.BACKPROP, "s.T @ X → S.T @ X")},
    "gradients": {"p6_1d-functions": change(answers.DECAY, "2 * lam → 2 * lambda_")},
    "fit": {"p6_1e-functions": change(answers.TRAINING, "range(epochs) → range(epoch)")},
}
SLIPS = {
    **RAISES,
    **{name: {"p6_1c-functions": wrong.source} for name, wrong in answers.WRONG_BACKPROP.items()},
    **{name: {"p6_1d-functions": wrong.source} for name, wrong in answers.WRONG_DECAY.items()},
}


@pytest.mark.parametrize("name", SLIPS)
def test_slip_costs_nothing_in_later_parts(name: str) -> None:
    (cell,) = SLIPS[name]
    later = [item for item in ("p6_1d-decay", "p6_1e-training") if item[:5] > cell[:5]]
    if name in RAISES:
        later.append("p6_1g-units")
    for item in later:
        lost = judge(item, {**SLIPS[name], "p6_1g-number": answers.TABLE + answers.UNITS})
        assert graded(lost) == set(), (item, {check: result.message for check, result in lost.items()})


LOOPS = {  # slips in `fit`, which are found beside a `backprop` that raises, too
    "λ left out": {"arguments"},
    "seed left out": {"arguments"},
    "velocity always 0": {"arguments"},
    "each step from the start": {"accuracy"},
    "history exchanged": {"history"},
    "one epoch only": {"history", "accuracy"},
}


@pytest.mark.parametrize("name", LOOPS)
def test_slip_in_the_loop_is_found_beside_one_in_backprop(name: str) -> None:
    cells = {**RAISES["backprop"], "p6_1e-functions": answers.WRONG_TRAINING[name].source}
    assert graded(judge("p6_1e-training", cells)) == LOOPS[name]


def test_table_may_follow_from_the_students_own_training() -> None:
    """A network that learns worse makes a table of larger errors: its own `fit` explains them."""
    weak = {"p6_1c-functions": change(answers.BACKPROP, "s = up * A * (1 - A) → s = up * (up > 0)")}
    other = (
        answers.TABLE
        + "unit_errors = {h: [min(1.0, 0.3 + 0.4 / h + k / 99) for k in range(8)] for h in range(1, 11)}\n"
        + answers.UNITS
    )
    lost = judge("p6_1g-units", {**weak, "p6_1g-number": other})
    assert "in your table no number" in lost["smallest"].message


# -- what earns nothing ----------------------------------------------------------------------------------

NOTHING = {
    "zeros": "np.zeros({})",
    "ones": "np.ones({})",
    "random": "np.random.standard_normal({})",
    "stored": "np.arange(float(np.prod({}))).reshape({})",
}
FORGED = {
    "p6_1a-functions": """
def conditional_mean(X):
    return @(len(X),)@
def sample(n, seed):
    return @(n, 2)@, @(n,)@
""",
    "p6_1b-functions": "def standardise(values, train):\n    return @tuple(values.shape)@\n",
    "p6_1c-functions": """
def sigmoid(t):
    return @tuple(t.shape)@
def forward(params, X):
    return @(len(X), len(params["b"]))@, @(len(X),)@
def backprop(params, X, y):
    N, D, H = len(X), len(X[0]), len(params["b"])
    return {"delta": @(N,)@, "s": @(N, H)@, "W": @(H, D)@, "b": @(H,)@, "v": @(H,)@, "c": @(1,)@}
""",
    "p6_1d-functions": """
def gradients(params, X, y, lam):
    N, D, H = len(X), len(X[0]), len(params["b"])
    return {"W": @(H, D)@, "b": @(H,)@, "v": @(H,)@, "c": @(1,)@}
""",
    "p6_1e-functions": """
def normalised_error(y, f):
    return @()@
def step(params, velocity, X, y, lam, lr, momentum):
    N, D, H = len(X), len(X[0]), len(params["b"])
    def g(): return {"W": @(H, D)@, "b": @(H,)@, "v": @(H,)@, "c": @(1,)@}
    return g(), g()
def fit(X, y, X_test, y_test, hidden, lam, epochs, seed):
    params = {"W": @(hidden, 2)@, "b": @(hidden,)@, "v": @(hidden,)@, "c": @(1,)@}
    n = epochs // 10
    return params, {"train": @(n,)@, "test": @(n,)@}
""",
    "p6_1g-functions": "def test_errors(hidden, lam, draws):\n    return @(draws,)@\n",
    "p6_1g-number": "unit_errors = {h: @(8,)@ for h in range(1, 11)}\nsmallest_number = float(@()@)\n",
}


@pytest.mark.parametrize("item", CHECKS)
@pytest.mark.parametrize("kind", NOTHING)
def test_numbers_from_nowhere_earn_nothing(kind: str, item: str) -> None:
    changed = {}
    for cell, source in FORGED.items():
        parts = source.split("@")
        filled = [NOTHING[kind].format(*[part] * 2) if i % 2 else part for i, part in enumerate(parts)]
        changed[cell] = "".join(filled)
    np.random.seed(0)
    lost = judge(item, changed)
    assert graded(lost) == {name for name in CHECKS[item] if not name.startswith("(")}
    assert not any(check.internal_error for check in lost.values())


@pytest.mark.parametrize(
    "source",
    [
        change(answers.TRAINING, "- lr * g[k] → - lr * 0 * g[k]", "momentum * velocity → velocity"),
        change(answers.TRAINING, "new = {k: params[k] + m[k] for k in params} → new = params"),
    ],
)
def test_training_that_learns_nothing_earns_no_accuracy(source: str) -> None:
    assert "accuracy" in graded(judge("p6_1e-training", {"p6_1e-functions": source}))


@pytest.mark.parametrize(
    "source",
    [
        """
def gradients(params, X, y, lam):
    leaf = {k: torch.as_tensor(v).clone().requires_grad_() for k, v in params.items()}
    f = torch.sigmoid(torch.as_tensor(X) @ leaf["W"].T + leaf["b"]) @ leaf["v"] + leaf["c"]
    J = ((f - torch.as_tensor(y)) ** 2).mean() + lam * (leaf["W"].square().sum() + leaf["v"].square().sum())
    return dict(zip(leaf, torch.autograd.grad(J, list(leaf.values()))))
"""
    ],
)
def test_automatic_differentiation_waits_for_a_person(source: str) -> None:
    lost = judge("p6_1d-decay", {"p6_1d-functions": source})
    assert set(lost) == {"(hand)"}
    assert lost["(hand)"].review


# -- the reference ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", reference.CASES)
@pytest.mark.parametrize("lam", [0.0, 0.4])
def test_gradients_are_those_of_autograd(sizes: tuple[int, int, int, int], lam: float) -> None:
    given = reference.case(*sizes)
    leaf = {name: value.clone().requires_grad_() for name, value in reference.parameters(given).items()}
    mse = ((reference.forward(leaf, given["X"])[1] - given["y"]) ** 2).mean()
    J = mse + lam * (leaf["W"].square().sum() + leaf["v"].square().sum())
    true = dict(zip(leaf, torch.autograd.grad(J, list(leaf.values())), strict=True))
    for name, value in reference.gradients(reference.parameters(given), given["X"], given["y"], lam).items():
        expect(value, name).close_to(true[name], rtol=1e-12, atol=1e-12)


def test_units_are_not_saturated() -> None:
    for sizes in reference.CASES:
        given = reference.case(*sizes)
        A, f = reference.forward(reference.parameters(given), given["X"])
        assert ((A > 0.02) & (A < 0.98)).float().mean() > 0.8
        assert (f - given["y"]).abs().min() > 1e-3


# -- points and figures ----------------------------------------------------------------------------------


def test_points() -> None:
    graded = [c for c in nbformat.read(NOTEBOOK, 4).cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert sum(c.metadata.nbgrader.points for c in graded) == 15
    assert sum(c.metadata.nbgrader.points for c in graded if c.cell_type == "markdown") == 3.25


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    shown: list[Any] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", shown.append)
    return lambda: shown.pop().alt if shown else capsys.readouterr().out


RUN = {"train": [1.0, 0.3, 0.1], "test": [1.1, 0.5, 0.2]}


@pytest.mark.parametrize(
    ("histories", "says"),
    [
        ({0.0: [RUN, RUN, RUN], 0.1: [RUN, RUN, RUN]}, "λ = 0.1 test error ends at 0.2"),
        ({0.0: [RUN]}, "λ = 0 train error ends at 0.1"),
        ({0.0: [{**RUN, "test": [1.1, 0.2, 0.5]}]}, "λ = 0 test error ends at 0.5 after 0.2 at epoch 20"),
        ({}, "Nothing to draw yet: finish `fit`"),
        (None, "Nothing to draw yet: finish `fit`"),
        ({0.0: []}, "Nothing to draw yet"),
        ({0.0: [{"train": [1.0]}]}, "Nothing to draw yet: each history"),
        ({0.0: [RUN, {"train": [1.0], "test": [1.0]}]}, "equally long"),
        ({0.0: [{"train": [1.0, float("nan")], "test": [1.0, 1.0]}]}, "NaN"),
        ({0.0: [{"train": [1.0, -1.0], "test": [1.0, 1.0]}]}, "positive"),
        ({0.0: [{"train": ["low"], "test": [1.0]}]}, "Nothing to draw yet"),
        ({0.0: [{"train": 3, "test": 3}]}, "Nothing to draw yet: each history"),
    ],
)
def test_curves(said: Any, histories: Any, says: str) -> None:
    decay_plots.curves(histories, every=10)
    assert says in said()


def plane(X: Any) -> Any:
    return X[:, 0] + 2


def unfinished(*args: Any) -> Any:
    raise NotImplementedError("not written yet")


@pytest.mark.parametrize(
    ("truth", "fits", "points", "says"),
    [
        (plane, {"λ = 0": plane}, lambda: [[0.0, 1.0]], "λ = 0: from -0 to"),
        (lambda X: torch.stack([X[:, 0]])[0], {"λ = 0": plane}, lambda: [[0.0, 1.0]], "λ = 0: from -0 to"),
        (plane, {}, lambda: [[0.0, 1.0]], "Nothing to draw yet: run the cell"),
        (unfinished, {"λ = 0": plane}, lambda: [[0.0, 1.0]], "Nothing to draw yet: not written yet"),
        (plane, {"λ = 0": lambda X: X}, lambda: [[0.0, 1.0]], "Nothing to draw yet"),
        (plane, {"λ = 0": plane}, lambda: None, "Nothing to draw yet"),
        (lambda X: 0 * X[:, 0], {"λ = 0": plane}, lambda: [[0.0, 1.0]], "same everywhere"),
    ],
)
def test_surfaces(said: Any, truth: Any, fits: Any, points: Any, says: str) -> None:
    decay_plots.surfaces(truth, fits, points)
    assert says in said()


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ({1: [0.6, 0.7], 2: [0.05, 0.03]}, "1: 0.65, 2: 0.04"),
        ({}, "Nothing to draw yet"),
        (None, "Nothing to draw yet"),
        ({1: None}, "Nothing to draw yet"),
        ({1: [float("inf")]}, "Nothing to draw yet"),
        ({"one": [0.5]}, "Nothing to draw yet"),
    ],
)
def test_units(said: Any, errors: Any, says: str) -> None:
    decay_plots.units(errors, threshold=0.1)
    assert says in said()
