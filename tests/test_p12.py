"""Problems 1 and 2 of Homework 2: right answers earn every point in any style, each wrong one loses its own checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import answers_p12 as answers
import nbformat
import pytest
import torch
from answers_p12 import BACKWARD, BATCH, CHECKS, FORWARD, HIDDEN, LAYER1, LAYER2, OUTPUT, WRONG_FORWARD
from answers_question3 import Wrong, change
from course_modules import HW2
from rehearsal import ROOT, cells, rehearse

from chainrule.judging.derivation import Derivation
from chainrule.lesson.checks import CheckResult, expect
from chainrule.modules import load

gradient_plots = load(HW2, "figures.gradients")
backprop = load(HW2, "judging.csc6022_hw2.backprop")

torch.set_num_threads(1)

FOLDER = ROOT / "source" / "csc6022-hw2"
NOTEBOOKS = [FOLDER / "p1_mlp_backprop.ipynb", FOLDER / "p2_two_layer_gradients.ipynb"]
SOURCES = cells(NOTEBOOKS[0]) | cells(NOTEBOOKS[1])

# the cells a student writes, in order, with a right answer each
CELLS = {
    "p1_2-mlp_forward": FORWARD,
    "p1_3-mlp_backward": BACKWARD,
    "p1_4-mlp_backward_batch": BATCH,
    "p2_1a-functions": OUTPUT,
    "p2_2b-functions": LAYER2,
    "p2_3c-functions": HIDDEN,
    "p2_4d-functions": LAYER1,
}
# graded cell: the cell that is judged, right and wrong answers in it
JUDGED: dict[str, tuple[str, dict[str, str], dict[str, Wrong]]] = {
    "p1_2-forward": ("p1_2-mlp_forward", answers.RIGHT_FORWARD, answers.WRONG_FORWARD),
    "p1_3-backward": ("p1_3-mlp_backward", answers.RIGHT_BACKWARD, answers.WRONG_BACKWARD),
    "p1_4-batch": ("p1_4-mlp_backward_batch", answers.RIGHT_BATCH, answers.WRONG_BATCH),
    "p2_1a-output": ("p2_1a-functions", answers.RIGHT_OUTPUT, answers.WRONG_OUTPUT),
    "p2_2b-output-layer": ("p2_2b-functions", answers.RIGHT_LAYER2, answers.WRONG_LAYER2),
    "p2_3c-hidden": ("p2_3c-functions", answers.RIGHT_HIDDEN, answers.WRONG_HIDDEN),
    "p2_4d-input-layer": ("p2_4d-functions", answers.RIGHT_LAYER1, answers.WRONG_LAYER1),
}


def judge(item: str, **changed: str) -> dict[str, CheckResult]:
    """The checks of an item that are lost, by their short names, with other sources in some of the student's cells."""
    sources = {**SOURCES, **CELLS, **{cell.replace("__", "-"): source for cell, source in changed.items()}}
    mine = [cell for cell in CELLS if cell[:2] == item[:2]]
    setup = ["p1_0-imports"] if item[:2] == "p1" else ["p2_0-imports", "p2_0-network"]
    result = rehearse(sources, [*setup, *mine], [item], Path.cwd())[item]
    names = zip(CHECKS[item], result.checks, strict=True)
    return {name: check for name, check in names if not check.passed}


def graded(lost: dict[str, CheckResult]) -> set[str]:
    return {name for name in lost if not name.startswith("(")}


def cell_of(item: str) -> str:
    return JUDGED[item][0].replace("-", "__")


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, right, _) in JUDGED.items() for name in right]
)
def test_right_answer_gets_every_point(item: str, name: str) -> None:
    lost = judge(item, **{cell_of(item): JUDGED[item][1][name]})
    assert {check: result.message for check, result in lost.items()} == {}


@pytest.mark.parametrize(
    ("item", "name"), [(item, name) for item, (_, _, wrong) in JUDGED.items() for name in wrong]
)
def test_wrong_answer_loses_its_own_checks_and_no_others(item: str, name: str) -> None:
    answer = JUDGED[item][2][name]
    lost = judge(item, **{cell_of(item): answer.source})
    messages = {check: result.message for check, result in lost.items()}
    assert graded(lost) == answer.loses, messages
    assert any(answer.says in messages[check] for check in answer.loses), messages
    for check in lost.values():
        assert not check.internal_error, check.internal_error
        assert check.message
        assert len(check.message) <= 400
        assert check.hint


def test_there_are_many_answers() -> None:
    for _, right, wrong in JUDGED.values():
        assert len(right) >= 6
        assert len(wrong) >= 11


# -- error carried forward -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(WRONG_FORWARD) - {"no loss"}))
def test_mistake_in_the_forward_pass_costs_nothing_in_the_backward_pass(name: str) -> None:
    slip = WRONG_FORWARD[name].source
    own = answers.RIGHT_BACKWARD["own forward pass instead of the cache"]
    assert graded(judge("p1_3-backward", p1_2__mlp_forward=slip)) == set()
    assert graded(judge("p1_3-backward", p1_2__mlp_forward=slip, p1_3__mlp_backward=own)) == set()


# Nothing follows from a sum that is 0, from ones, or where there is nothing.
NOT_CARRIED = {"db2 summed": {"b"}, "db2 averaged": {"b"}, "db1 with ones": {"b"}, "dx as column sums": {"X"}}


@pytest.mark.parametrize("name", sorted(set(answers.WRONG_BACKWARD) - {"dx missing", "NaN"}))
def test_mistake_for_one_sample_costs_nothing_in_a_loop_over_samples(name: str) -> None:
    slip, loop = answers.WRONG_BACKWARD[name].source, answers.RIGHT_BATCH["loop over mlp_backward"]
    lost = judge("p1_4-batch", p1_3__mlp_backward=slip, p1_4__mlp_backward_batch=loop)
    messages = {check: result.message for check, result in lost.items()}
    assert graded(lost) == NOT_CARRIED.get(name, set()), messages


@pytest.mark.parametrize(
    ("slip", "loses"),
    [
        ("P = torch.softmax(A, 1) → P = torch.sigmoid(A)", {"U"}),
        ('Z = X @ params["W"].T + params["b1"] → Z = X @ params["W"].T', {"U", "V"}),  # P and H are wrong
        ("H = torch.relu(Z) → H = Z", {"U", "V"}),
    ],
)
def test_mistake_of_the_batch_is_followed_through(slip: str, loses: set[str]) -> None:
    lost = judge("p1_4-batch", p1_4__mlp_backward_batch=change(BATCH, slip))
    assert graded(lost) == loses, {check: result.message for check, result in lost.items()}


USED = answers.WRONG_OUTPUT | answers.WRONG_LAYER2 | answers.WRONG_HIDDEN
RAISING = {"nothing", "terms not summed", "transposed shapes"}  # whoever calls these raises at any size


@pytest.mark.parametrize("name", USED)
def test_mistake_of_a_function_costs_nothing_where_it_is_used(name: str) -> None:
    cell_of_mistake = {"1a": answers.WRONG_OUTPUT, "2b": answers.WRONG_LAYER2, "3c": answers.WRONG_HIDDEN}
    changed = {
        f"p2_{part}__functions": wrong[name].source
        for part, wrong in cell_of_mistake.items()
        if name in wrong
    }
    lost = judge("p2_4d-input-layer", **changed, p2_4d__functions=answers.COMPOSED)
    messages = {check: result.message for check, result in lost.items()}
    assert graded(lost) == ({"descend", "before"} if name in RAISING else set()), messages


# -- what earns nothing ----------------------------------------------------------------------------------

NOTHING = {
    "zeros": "torch.zeros({}).double()",
    "ones": "torch.ones({}).double()",
    "random": "torch.randn({}).double()",
    "stored": "torch.arange(float(np.prod([{}]))).reshape({}).double()",
}
FORGED = """
def mlp_forward(x, y, params):
    D, K, C = len(x), len(params["b1"]), len(y)
    return {"z": @K@, "h": @K@, "a": @C@, "p": @C@, "loss": @1@}

def mlp_backward(x, y, params, cache):
    D, K, C = len(x), len(params["b1"]), len(y)
    return {"u2": @C@, "u1": @K@, "V": @C, K@, "b2": @C@, "W": @K, D@, "b1": @K@, "x": @D@}

def mlp_backward_batch(X, Y, params):
    N, D, K, C = *X.shape, *params["V"].T.shape
    return {"U2": @N, C@, "U1": @N, K@, "V": @C, K@, "b2": @C@, "W": @K, D@, "b1": @K@, "X": @N, D@}

def softmax_jacobian(o_hat):
    K = len(o_hat)
    return @K, K@

def dE_dz2(o_hat, o):
    K = len(o_hat)
    return @K@

def dE_dW2(dz2, h):
    K, d = len(dz2), len(h)
    return @K, d@

def dE_db2(dz2):
    K = len(dz2)
    return @K@

def dE_dh(W2, dz2):
    d = W2.shape[1]
    return @d@

def dE_dz1(dh, z1):
    d = len(dh)
    return @d@

dE_dW1, dE_db1 = dE_dW2, dE_db2

def descend(x, o, theta, eta):
    z1, h, o_hat = predict(x, theta)
    dz2 = dE_dz2(o_hat, o)
    dz1 = dE_dz1(dE_dh(theta["W2"], dz2), z1)
    gradient = {"W1": dE_dW1(dz1, x), "b1": dE_db1(dz1), "W2": dE_dW2(dz2, h), "b2": dE_db2(dz2)}
    return {name: theta[name] - eta * gradient[name] for name in theta}
"""


@pytest.mark.parametrize("item", JUDGED)
@pytest.mark.parametrize("kind", NOTHING)
def test_numbers_from_nowhere_earn_nothing(kind: str, item: str) -> None:
    parts = FORGED.split("@")
    source = "".join(NOTHING[kind].format(*[part] * 2) if i % 2 else part for i, part in enumerate(parts))
    lost = judge(item, **{cell.replace("-", "__"): source for cell in CELLS})
    assert graded(lost) == {name for name in CHECKS[item] if not name.startswith("(")}


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        ("p1_3-backward", {"p1_3__mlp_backward": """
def mlp_backward(x, y, params, cache):
    leaf = {k: v.clone().requires_grad_() for k, v in dict(params, x=x).items()}
    z = leaf["W"] @ leaf["x"] + leaf["b1"]
    a = leaf["V"] @ z.relu() + leaf["b2"]
    keys = ["V", "b2", "W", "b1", "x"]
    loss = -(y * a.log_softmax(0)).sum()
    gradients = torch.autograd.grad(loss, [a, z, *(leaf[k] for k in keys)])
    return dict(zip(["u2", "u1", *keys], gradients))
"""}),
        ("p2_1a-output", {"p2_1a__functions": change(
            OUTPUT, "o_hat - o\n → torch.func.grad(lambda z: -(o * z.log_softmax(0)).sum())(o_hat.log())\n"
        )}),
    ],
)  # fmt: skip
def test_automatic_differentiation_waits_for_a_person(item: str, changes: dict[str, str]) -> None:
    lost = judge(item, **changes)
    assert set(lost) == {"(hand)"}
    assert lost["(hand)"].review


# -- the reference ---------------------------------------------------------------------------------------

SIZES = [(seed, *size) for seed, size in enumerate([(4, 7, 3), (6, 5, 8), (3, 9, 5), (5, 3, 8)])]


@pytest.mark.parametrize(("seed", "inputs", "hidden", "classes"), SIZES)
def test_steps_are_the_gradients_of_autograd(seed: int, inputs: int, hidden: int, classes: int) -> None:
    given = backprop.network(seed, inputs, hidden, classes)
    chain = Derivation(given, backprop.FORWARD | backprop.BACKWARD)
    for name, value in backprop.truth(given).items():
        expect(chain.values[name], name).close_to(value, rtol=1e-12, atol=1e-12)

    given = backprop.network(seed, inputs, hidden, classes, batch=6)
    chain = Derivation(given, backprop.BATCH_FORWARD | backprop.BATCH_BACKWARD)
    names = {"u2": "U2", "u1": "U1", "dx": "dX"}
    for name, value in backprop.truth(given).items():
        expect(chain.values[names.get(name, name)], name).close_to(value, rtol=1e-12, atol=1e-12)


def test_known_mistakes_differ_from_what_is_right() -> None:
    for seed, *sizes in SIZES:
        for given, steps in [
            (backprop.network(seed, *sizes), backprop.FORWARD | backprop.BACKWARD),
            (backprop.network(seed, *sizes, batch=6), backprop.BATCH_FORWARD | backprop.BATCH_BACKWARD),
            (backprop.prediction(seed, sizes[2]), {"J": backprop.softmax_jacobian("o_hat")}),
        ]:
            chain = Derivation(given, steps)
            for name, step in steps.items():
                source = tuple(chain.values[need] for need in step.needs)
                for meaning, mistake in step.mistakes.items():
                    assert not chain.follows(chain.values[name], mistake, source, 1e-3, 1e-3), (name, meaning)


def test_softmax_jacobian_is_that_of_autograd() -> None:
    z = torch.randn(5, dtype=torch.float64)
    chain = Derivation({"p": z.softmax(0)}, {"J": backprop.softmax_jacobian("p")})
    expect(chain.values["J"]).close_to(torch.func.jacrev(lambda z: z.softmax(0))(z))


def test_draws_have_live_and_dead_units_away_from_the_kink() -> None:
    for seed, *sizes in SIZES:
        given = backprop.network(seed, *sizes, batch=6)
        z = given["x"] @ given["W"].T + given["b1"]
        assert z.abs().min() > 0.01
        assert ((z > 0).any(1) & (z < 0).any(1)).all()


# -- points and figure -----------------------------------------------------------------------------------


def test_points() -> None:
    for path, manual in zip(NOTEBOOKS, (6, 6), strict=True):
        graded = [c for c in nbformat.read(path, 4).cells if c.metadata.get("nbgrader", {}).get("grade")]
        assert sum(c.metadata.nbgrader.points for c in graded) == 15
        assert sum(c.metadata.nbgrader.points for c in graded if c.cell_type == "markdown") == manual


def figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forward: str, backward: str
) -> str:
    """What the figure's cell prints, or the alt text of what it shows."""
    shown: list[Any] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", shown.append)
    names: dict[str, Any] = {}
    for source in (SOURCES["p1_0-imports"], forward, backward, SOURCES["p1_3-steps"]):
        exec(source, names)
    return shown[0].alt if shown else capsys.readouterr().out


BLANK = "def mlp_{}(*args):\n    todo()\n"


@pytest.mark.parametrize(
    ("forward", "backward", "says"),
    [
        (FORWARD, BACKWARD, "entral: best error"),
        (answers.RIGHT_FORWARD["numpy"], answers.RIGHT_BACKWARD["numpy that needs arrays"], "entral: best error"),
        (answers.RIGHT_FORWARD["loops and lists"], answers.RIGHT_BACKWARD["loops and lists"], "entral: best error"),
        (FORWARD, change(BACKWARD, "p\"] - y → p\"] - 2 * y"), "has a slip"),
        (BLANK.format("forward"), BLANK.format("backward"), "Nothing to draw yet: finish `mlp_forward`"),
        (FORWARD, BLANK.format("backward"), "Nothing to draw yet: finish `mlp_backward`"),
        (FORWARD, change(BACKWARD, "outer(u1, x) → outer(x, u1)"), "has shape (4, 5), not (5, 4)"),
        (FORWARD, "def mlp_backward(*args): return 3", "Nothing to draw yet: `mlp_backward` should return a dict"),
        (FORWARD, change(BACKWARD, '"W": dW → "W": dW[0]'), "Nothing to draw yet: \"W\" has shape"),
        (FORWARD, change(BACKWARD, '"W": dW → "W": 0 * dW'), "your gradient of this weight is 0"),
        (change(FORWARD, '"loss": loss → "loss": "low"'), BACKWARD, "Nothing to draw yet"),
        (change(FORWARD, '"loss": loss → "loss": loss * float("nan")'), BACKWARD, "NaN"),
    ],
)  # fmt: skip
def test_figure(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    forward: str,
    backward: str,
    says: str,
) -> None:
    assert says in figure(capsys, monkeypatch, forward, backward)


def test_figure_module_offers_one_figure() -> None:
    assert gradient_plots.__all__ == ["step_sizes"]
