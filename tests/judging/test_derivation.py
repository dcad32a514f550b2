"""A derivation's steps are graded from the student's own earlier values, with error carried forward."""

from typing import Any

import pytest
import torch

from chainrule.judging.derivation import FOUR_DECIMALS, Derivation, Step, telling
from chainrule.lesson.student import CheckFailed

W = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])
CHAIN = Derivation(
    {"W": W, "x": [2.0, 0.5]},
    {
        "z": Step(("W", "x"), lambda W, x: W @ x, {"the input is forgotten": lambda W, x: W.sum(1)}),
        "h": Step(("z",), torch.relu, {"the activation is missing": lambda z: z}),
        "n": Step(("h", "z"), lambda h, z: (h * z).sum()),
        "G": Step(("h", "x"), torch.outer),
    },
)
RIGHT: dict[str, Any] = {
    "z": [1.0, 2.5, -1.5],
    "h": [1.0, 2.5, 0.0],
    "n": 7.25,
    "G": [[2.0, 0.5], [5.0, 1.25], [0.0, 0.0]],
}


def judged(**changes: Any) -> dict[str, str]:
    """What is said of the steps that are lost, with these answers in place of the right ones."""
    answers = {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}

    def answer(name: str) -> Any:
        if name not in answers:
            raise CheckFailed(f"there is no {name}")
        return answers[name]

    lost = {}
    for name in CHAIN.steps:
        try:
            CHAIN.expect(answer, name)
        except CheckFailed as failure:
            lost[name] = str(failure)
    return lost


def test_right_answers_lose_nothing() -> None:
    assert judged() == {}


@pytest.mark.parametrize(
    "form",
    [
        {"z": [[1.0], [2.5], [-1.5]]},
        {"z": [[1.0, 2.5, -1.5]]},
        {"n": [7.25]},
        {"n": "29/4"},
        {"z": ["1", "5/2", "-3/2"]},
        {"z": [1.00005, 2.49995, -1.5]},
    ],
)
def test_other_forms_of_right_answers_lose_nothing(form: dict[str, Any]) -> None:
    assert judged(**form) == {}


def test_an_error_carried_forward_costs_its_own_step() -> None:
    slip = torch.tensor([2.0, 2.5, -1.5])
    h = torch.relu(slip)
    assert set(judged(z=slip, h=h, n=(h * slip).sum(), G=torch.outer(h, torch.tensor([2.0, 0.5])))) == {"z"}


def test_a_mistake_costs_nothing_else_if_the_later_steps_are_right() -> None:
    assert set(judged(z=[2.0, 2.5, -1.5])) == {"z"}
    assert set(judged(z=[2.0, 2.5, -1.5], n=8.25)) == {"z"}  # computed from the wrong z and the right h


def test_a_missing_step_leaves_the_later_ones_to_be_right() -> None:
    assert judged(z=None) == {"z": "there is no z"}
    assert set(judged(h=None, G=torch.ones(3, 2))) == {"h", "G"}


def test_known_mistakes_are_named_also_after_a_mistake() -> None:
    assert judged(h=RIGHT["z"])["h"] == "h: the activation is missing"
    assert judged(z=[2.0, 1.0, -1.0], h=[2.0, 1.0, -1.0])["h"] == "h: the activation is missing"
    assert judged(z=[-1.0, 3.5, 0.0])["z"] == "z: the input is forgotten"


def test_what_follows_from_nothing_is_said() -> None:
    assert judged(h=[1.0, 2.0, 0.0], G=torch.ones(3, 2))["G"] == (
        "G is not right, and does not follow from your h either"
    )


@pytest.mark.parametrize("nothing", [torch.zeros(3), [0, 0, 0]])
def test_nothing_follows_from_zeros(nothing: Any) -> None:
    assert set(judged(z=nothing, h=nothing, n=0, G=torch.zeros(3, 2))) == {"z", "h", "n", "G"}


TINY = 1e-9 * torch.tensor([1.0, -2.0, 0.5])


@pytest.mark.parametrize(
    "nothing",
    [TINY, 1e5 * TINY, torch.full((3,), 0.7), torch.full((3,), 7e9), torch.tensor([1.0, 2.0, -1.0])],
    ids=["tiny", "near the tolerance", "one number", "one huge number", "copied"],
)
def test_nothing_follows_from_what_tells_nothing(nothing: torch.Tensor) -> None:
    chain = Derivation(
        {"W": W, "x": [2.0, 0.5], "b": [1.0, 2.0, -1.0]},
        {
            "z": Step(("W", "x", "b"), lambda W, x, b: W @ x + b),
            "u": Step(("z",), lambda z: z),
            "new": Step(("b", "u"), lambda b, u: b - 0.1 * u),
        },
    )
    following = {"z": nothing, "u": nothing, "new": chain.values["b"] - 0.1 * nothing}
    for answers in (following, {**following, "new": chain.values["b"]}):
        for name in chain.steps:
            with pytest.raises(CheckFailed):
                chain.expect(answers.__getitem__, name)
    other = following | {"z": chain.values["z"] + torch.tensor([0.3, 0.0, 0.1])}
    with pytest.raises(CheckFailed):
        chain.expect(other.__getitem__, "u")
    chain.expect((other | {"u": other["z"]}).__getitem__, "u")


def test_what_is_not_finite_costs_the_step_it_comes_from() -> None:
    nan, inf = float("nan"), float("inf")
    gaps = {"h": [1.0, nan, 0.0], "G": [[2.0, 0.5], [nan, nan], [0.0, 0.0]]}
    assert set(judged(**gaps, n=nan)) == {"h", "n"}  # nothing is left of a single number
    assert set(judged(**gaps | {"G": [[2.0, 0.5], [inf, inf], [0.0, 0.0]]})) == {"h"}
    for slip in (
        [[2.0, 0.5], [nan, nan], [nan, 0.0]],
        [[2.0, 0.6], [nan, nan], [0.0, 0.0]],
        [[nan, nan]] * 3,
    ):
        assert set(judged(**gaps | {"G": slip})) == {"h", "G"}
    assert set(judged(h=[nan] * 3, G=[[nan, nan]] * 3)) == {"h", "G"}  # nothing follows from nothing
    assert set(judged(h=[0.7, nan, 0.7], G=[[1.4, 0.35], [nan, nan], [1.4, 0.35]])) == {"h"}
    assert set(judged(G=[[2.0, nan], [5.0, 1.25], [0.0, 0.0]])) == {"G"}  # it comes from no earlier step


def test_zeros_are_no_product_of_small_values() -> None:
    steps = {"z": Step(("x",), lambda x: torch.cat([1000 * x, x[:1]])), "G": Step(("z", "x"), torch.outer)}
    answers = {"z": [0.01, -0.003, 0.0], "G": torch.zeros(3, 2)}
    with pytest.raises(CheckFailed):
        Derivation({"x": [0.004, 0.0]}, steps).expect(answers.__getitem__, "G")


def test_luck_needs_work_behind_it() -> None:
    chain = Derivation(
        {"x": [2.0, 0.5]},
        {
            "z": Step(("x",), lambda x: 3 * x),
            "h": Step(("x",), lambda x: x - 3),
            "n": Step(("z",), lambda z: (z - z).sum()),
        },
    )
    chain.expect({"z": [6.0, 1.5], "h": [0, 0], "n": 0}.__getitem__, "n")
    with pytest.raises(CheckFailed, match="without a derivation"):
        chain.expect({"z": [2.0, 0.5], "h": [0, 0], "n": 0}.__getitem__, "n")


def test_nothing_follows_from_what_is_the_same_elsewhere() -> None:
    answers = {"z": [1.0, 2.0], "u": [1.0, 2.0]}
    steps = {"z": Step(("x",), lambda x: 3 * x), "u": Step(("z",), lambda z: z)}
    Derivation({"x": [2.0, 0.5]}, steps).expect(answers.__getitem__, "u")
    with pytest.raises(CheckFailed):
        Derivation({"x": [2.0, 0.5]}, steps, answers.__getitem__).expect(answers.__getitem__, "u")


def test_a_known_mistake_carries_on_though_it_repeats_one_number() -> None:
    chain = Derivation(
        {"x": [2.0, 0.5]},
        {
            "z": Step(("x",), lambda x: 3 * x, {"ones": torch.ones_like}),
            "u": Step(("z", "x"), lambda z, x: z * x),
            "v": Step(("z",), lambda z: z),
        },
    )
    answers = {"z": [1, 1], "u": [2.0, 0.5], "v": [1, 1]}
    with pytest.raises(CheckFailed, match="ones"):
        chain.expect(answers.__getitem__, "z")
    chain.expect((answers | {"u": [6.0, 3.0]}).__getitem__, "v")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (torch.tensor(RIGHT["G"]).T, "the transpose"),
        (torch.ones(6), "shape (6,), not (3, 2)"),
        ([[float("nan")] * 2] * 3, "NaN"),
        ("G", "no number"),
    ],
)
def test_the_wrong_form_is_said(answer: Any, says: str) -> None:
    assert says in judged(G=answer)["G"]


def test_nothing_follows_from_an_answer_of_another_shape() -> None:
    assert set(judged(h=[1.0, 2.5])) == {"h"}


def test_nothing_follows_from_an_implausible_answer() -> None:
    chain = Derivation(
        {"a": 3.0},
        {
            "L": Step(("a",), lambda a: a, plausible=lambda L: bool(L > 0)),
            "t": Step(("L",), lambda L: 1 / L),
        },
    )
    chain.expect({"L": 4.0, "t": 0.25}.__getitem__, "t")
    with pytest.raises(CheckFailed):
        chain.expect({"L": -4.0, "t": -0.25}.__getitem__, "t")


@pytest.mark.parametrize("factor", [1e20, -1e20, 2.0, -1.0, 1e-2])
def test_nothing_follows_from_multiples_of_what_is_given(factor: float) -> None:
    chain = Derivation(
        {"W": W, "x": [2.0, 0.5], "b": [1.0, 2.0, -1.0]},
        {"z": Step(("W", "x", "b"), lambda W, x, b: W @ x + b), "u": Step(("z",), lambda z: z)},
    )
    b = factor * chain.values["b"]
    for answers in ({"z": b, "u": b}, {"z": b + factor * torch.tensor([1e-8, 0, 0]), "u": b}):
        for name in chain.steps:
            with pytest.raises(CheckFailed):
                chain.expect(answers.__getitem__, name)
    other = b + factor * torch.tensor([0.0, 0.5, 0.0])
    chain.expect({"z": other, "u": other}.__getitem__, "u")


@pytest.mark.parametrize(("factor", "told"), [(2.0, True), (-0.3, True), (1.0, False), (1e20, False)])
def test_two_numbers_may_be_in_proportion_by_chance(factor: float, told: bool) -> None:
    """As a vector of two entries, and as a one-hot vector."""
    for given in (torch.tensor([1.0, 0.5]), torch.tensor([0.0, 1.0, 0.0])):
        assert telling(factor * given.double(), [given.double()], rtol=0, atol=FOUR_DECIMALS) == told


@pytest.mark.parametrize("junk", [[2.0, 0.5], [[2.0, 0.5]] * 3, [[0.5, 2.0, 0.5]] * 2, [[0.0] * 2] * 3])
def test_given_entries_in_another_order_or_shape_are_no_work(junk: Any) -> None:
    chain = Derivation(
        {"x": [2.0, 0.5]},
        {
            "G": Step(("x",), lambda x: torch.outer(torch.tensor([1.0, 2.0, 3.0]).double(), x)),
            "u": Step(("x",), lambda x: x),
        },
    )
    with pytest.raises(CheckFailed, match="without a derivation"):
        chain.expect({"G": junk, "u": [2.0, 0.5]}.__getitem__, "u")
    chain.expect({"G": [[1.0, 2.0]] * 3, "u": [2.0, 0.5]}.__getitem__, "u")  # wrong, but computed

    def unwritten(name: str) -> Any:
        if name == "G":
            raise CheckFailed("not written yet")
        return [2.0, 0.5]

    chain.expect(unwritten, "u")
