"""Problems 1 and 2 of Homework 2: what goes with their answers, the right values and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2

from chainrule.authoring.answers import change
from chainrule.judging.derivation import Derivation
from chainrule.lesson.checks import expect
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

gradient_plots = load(HW2, "figures.gradients")
backprop = load(HW2, "judging.csc6022_hw2.backprop")
p1 = load(HW2, "judging.csc6022_hw2.answers.p1")
p2 = load(HW2, "judging.csc6022_hw2.answers.p2")

torch.set_num_threads(1)

FOLDER = ROOT / "source" / "csc6022-hw2"
NOTEBOOKS = [FOLDER / "p1_mlp_backprop.ipynb", FOLDER / "p2_two_layer_gradients.ipynb"]
REHEARSALS = {"p1": hw2("p1"), "p2": hw2("p2")}
CHECKS = p1.CHECKS | p2.CHECKS
CELLS = [exercise.cell for problem in (p1.PROBLEM, p2.PROBLEM) for exercise in problem.exercises]


def judge(item: str, **changed: str) -> dict[str, CheckResult]:
    """The checks of an item that are lost, by their short names, with other sources in some of the student's cells."""
    cells = {cell.replace("__", "-"): source for cell, source in changed.items() if cell[:2] == item[:2]}
    return REHEARSALS[item[:2]].failed([item], cells, Path.cwd())[item]


def graded(lost: dict[str, CheckResult]) -> set[str]:
    return {name for name in lost if not name.startswith("(")}


# -- error carried forward -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(p1.WRONG_FORWARD) - {"no loss"}))
def test_mistake_in_the_forward_pass_costs_nothing_in_the_backward_pass(name: str) -> None:
    slip = p1.WRONG_FORWARD[name].source
    own = p1.RIGHT_BACKWARD["own forward pass instead of the cache"].source
    assert graded(judge("p1_3-backward", p1_2__mlp_forward=slip)) == set()
    assert graded(judge("p1_3-backward", p1_2__mlp_forward=slip, p1_3__mlp_backward=own)) == set()


@pytest.mark.parametrize("name", sorted(p1.WRONG_BACKWARD))
def test_mistake_for_one_sample_costs_nothing_in_a_loop_over_samples(name: str) -> None:
    slip, loop = p1.WRONG_BACKWARD[name].source, p1.RIGHT_BATCH["loop over mlp_backward"]
    lost = judge("p1_4-batch", p1_3__mlp_backward=slip, p1_4__mlp_backward_batch=loop)
    messages = {check: result.message for check, result in lost.items()}
    assert graded(lost) == set(), messages


@pytest.mark.parametrize(
    ("slip", "loses"),
    [
        ("P = torch.softmax(A, 1) → P = torch.sigmoid(A)", {"U"}),
        ('Z = X @ params["W"].T + params["b1"] → Z = X @ params["W"].T', {"U"}),
        ("H = torch.relu(Z) → H = Z", {"U"}),
    ],
)
def test_mistake_of_the_batch_is_followed_through(slip: str, loses: set[str]) -> None:
    lost = judge("p1_4-batch", p1_4__mlp_backward_batch=change(p1.BATCH, slip))
    assert graded(lost) == loses, {check: result.message for check, result in lost.items()}


@pytest.mark.parametrize("name", sorted(p1.WRONG_BACKWARD))
def test_mistake_for_one_sample_costs_nothing_in_a_batch_without_loop(name: str) -> None:
    assert graded(judge("p1_4-batch", p1_3__mlp_backward=p1.WRONG_BACKWARD[name].source)) == set()


USED = p2.WRONG_OUTPUT | p2.WRONG_LAYER2 | p2.WRONG_HIDDEN


@pytest.mark.parametrize("name", USED)
def test_mistake_of_a_function_costs_nothing_where_it_is_used(name: str) -> None:
    cell_of_mistake = {"1a": p2.WRONG_OUTPUT, "2b": p2.WRONG_LAYER2, "3c": p2.WRONG_HIDDEN}
    changed = {
        f"p2_{part}__functions": wrong[name].source
        for part, wrong in cell_of_mistake.items()
        if name in wrong
    }
    lost = judge("p2_4d-input-layer", **changed, p2_4d__functions=p2.COMPOSED)
    messages = {check: result.message for check, result in lost.items()}
    assert graded(lost) == set(), messages


@pytest.mark.parametrize("body", ["pass", "return 0 * {}", "return {} / 0", "raise ValueError"])
@pytest.mark.parametrize("name", ["dE_dz2", "dE_dW2", "dE_db2", "dE_dh", "dE_dz1"])
def test_a_function_that_gives_nothing_usable_costs_nothing_where_it_is_used(name: str, body: str) -> None:
    takes = {
        "dE_dz2": "o_hat, o",
        "dE_dW2": "dz2, h",
        "dE_db2": "dz2",
        "dE_dh": "W2, dz2",
        "dE_dz1": "dh, z1",
    }
    empty = f"\ndef {name}({takes[name]}):\n    {body.format(takes[name].split(', ')[0])}\n"
    after = "p2_1a__functions" if name == "dE_dz2" else "p2_3c__functions"
    changed = {after: REHEARSALS["p2"].sources[after.replace("__", "-")] + empty}
    assert graded(judge("p2_4d-input-layer", **changed)) == set()
    if body.startswith("return 0"):
        return  # with a gradient of zeros the next slips change nothing
    # but what is wrong with `descend` itself is still seen
    for slip in ("dh needs the new W2", "not the layer's input"):
        wrong = WRONG_DESCENT[slip]
        assert graded(judge("p2_4d-input-layer", **changed, p2_4d__functions=wrong)), slip


WRONG_DESCENT = {
    "dh needs the new W2": change(
        p2.COMPOSED, "    dz1 = →     theta = {**theta, 'W2': theta['W2'] - eta * dE_dW2(dz2, h)}\n    dz1 = "
    ),
    "not the layer's input": change(p2.COMPOSED, "dE_dW2(dz2, h) → dE_dW2(dz2, z1)"),
}


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
    n, d, K = len(x), len(theta["b1"]), len(o)
    return {"W1": @d, n@, "b1": @d@, "W2": @K, d@, "b2": @K@}
"""


@pytest.mark.parametrize("item", CHECKS)
@pytest.mark.parametrize("kind", NOTHING)
def test_numbers_from_nowhere_earn_nothing(kind: str, item: str) -> None:
    parts = FORGED.split("@")
    source = "".join(NOTHING[kind].format(*[part] * 2) if i % 2 else part for i, part in enumerate(parts))
    torch.manual_seed(0)
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
            p2.OUTPUT, "o_hat - o\n → torch.func.grad(lambda z: -(o * z.log_softmax(0)).sum())(o_hat.log())\n"
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
    changed = {"p1_2-mlp_forward": forward, "p1_3-mlp_backward": backward}
    REHEARSALS["p1"].run(["p1_0-imports", *changed, "p1_3-steps"], changed)
    return shown[0].alt if shown else capsys.readouterr().out


BLANK = "def mlp_{}(*args):\n    todo()\n"


@pytest.mark.parametrize(
    ("forward", "backward", "says"),
    [
        (p1.FORWARD, p1.BACKWARD, "entral: best error"),
        (p1.RIGHT_FORWARD["numpy"], p1.RIGHT_BACKWARD["numpy that needs arrays"], "entral: best error"),
        (p1.RIGHT_FORWARD["loops and lists"], p1.RIGHT_BACKWARD["loops and lists"], "entral: best error"),
        (p1.FORWARD, change(p1.BACKWARD, "p\"] - y → p\"] - 2 * y"), "has a slip"),
        (BLANK.format("forward"), BLANK.format("backward"), "Nothing to draw yet: finish `mlp_forward`"),
        (p1.FORWARD, BLANK.format("backward"), "Nothing to draw yet: finish `mlp_backward`"),
        (p1.FORWARD, change(p1.BACKWARD, "outer(u1, x) → outer(x, u1)"), "has shape (4, 5), not (5, 4)"),
        (p1.FORWARD, "def mlp_backward(*args): return 3", "Nothing to draw yet: `mlp_backward` should return a dict"),
        (p1.FORWARD, change(p1.BACKWARD, '"W": dW → "W": dW[0]'), "Nothing to draw yet: \"W\" has shape"),
        (p1.FORWARD, change(p1.BACKWARD, '"W": dW → "W": 0 * dW'), "your gradient of this weight is 0"),
        (change(p1.FORWARD, '"loss": loss → "loss": "low"'), p1.BACKWARD, "Nothing to draw yet"),
        (change(p1.FORWARD, '"loss": loss → "loss": loss * float("nan")'), p1.BACKWARD, "NaN"),
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


def test_figure_of_the_network_names_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", shown.append)
    gradient_plots.graph()
    assert "a by V h + b₂" in shown[0].alt


@pytest.mark.parametrize(
    ("descend", "says"),
    [
        ("    return descend_right(x, o, theta, eta)", "and, with W₂ first, 0.001"),
        (
            "    return {k: np.asarray(v) for k, v in descend_right(x, o, theta, eta).items()}",
            "W₂ first, 0.001",
        ),
        ("    todo()", "Nothing to draw yet: finish `descend`"),
        ("    return theta['W1']", 'Nothing to draw yet: `descend` should return a dict with the entry "W1"'),
        ("    return {**theta, 'b2': theta['b1']}", 'Nothing to draw yet: "b2" has shape (6,), not (3,)'),
    ],
)
def test_figure_of_a_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, descend: str, says: str
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", shown.append)
    cells = [cell for cell in REHEARSALS["p2"].sources if cell not in CHECKS and cell != "p2_0-example"]
    right = REHEARSALS["p2"].sources["p2_4d-functions"]
    own = f"{right}\n\ndescend_right = descend\n\ndef descend(x, o, theta, eta):\n{descend}\n"
    REHEARSALS["p2"].run(cells, {"p2_4d-functions": own})
    assert says in (shown[-1].alt if shown else capsys.readouterr().out)
