"""Problem 7 of Homework 2, first part: what one answer costs further on, the right values, points and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2
from IPython.display import Image
from torch import nn

from chainrule.authoring.answers import Right, change
from chainrule.lesson import figures as plots
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

architecture = load(HW2, "figures.architecture")
attention_plots = load(HW2, "figures.attention")
reference = load(HW2, "judging.csc6022_hw2.p7.reference")
answers = load(HW2, "judging.csc6022_hw2.answers.p7_mechanism")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p7_attention.ipynb"
REHEARSAL = hw2("p7_mechanism")
EXERCISES = {exercise.items[0]: exercise for exercise in answers.PROBLEM.exercises}


def judge(items: list[str], folder: Path, **changed: str) -> dict[str, dict[str, CheckResult]]:
    """The checks that are lost, by item, with these answers in place of the reference's: p7_1="…"."""
    return REHEARSAL.failed(items, {f"{part}-code": source for part, source in changed.items()}, folder)


def part(item: str) -> str:
    return item.split("-")[0]


@pytest.mark.parametrize("name", answers.RIGHT_ATTENTION)
def test_heads_take_any_right_attention(name: str, tmp_path: Path) -> None:
    right = answers.RIGHT_ATTENTION[name]
    source = right.source if isinstance(right, Right) else right
    assert judge(["p7_3-heads"], tmp_path, p7_1=source) == {"p7_3-heads": {}}


SLIPS = [(item, name) for item, exercise in EXERCISES.items() for name in exercise.wrong]


@pytest.mark.parametrize(("item", "name"), SLIPS)
def test_a_mistake_costs_nothing_further_on(item: str, name: str, tmp_path: Path) -> None:
    later = [*list(EXERCISES)[list(EXERCISES).index(item) + 1 :], "p7_7-model"]
    lost = judge(later, tmp_path, **{part(item): EXERCISES[item].wrong[name].source})
    paid = {
        (item, name): check.message
        for item, found in lost.items()
        for name, check in found.items()
        if check.points
    }
    for found in lost.values():
        for check in found.values():
            assert not check.internal_error, check.internal_error
    assert paid == {}


def test_what_is_written_out_needs_no_earlier_part(tmp_path: Path) -> None:
    stub = "def attention(query, key, value, mask=None, dropout=None):\n    todo()\n"
    inline = answers.RIGHT_HEADS["attention inline"]
    assert judge(["p7_3-heads"], tmp_path, p7_1=stub, p7_3=inline) == {"p7_3-heads": {}}
    broken = change(answers.SUBLAYER, "return x + self → todo(); return x + self")
    written = answers.RIGHT_DECODER["written out"]
    assert judge(["p7_6-decoder"], tmp_path, p7_5=broken, p7_6=written) == {"p7_6-decoder": {}}


# -- the reference ---------------------------------------------------------------------------------------


def test_reference_attention_is_pytorchs() -> None:
    q, k, v = (torch.randn(2, 3, n, d).double() for n, d in ((4, 6), (7, 6), (7, 5)))
    mask = torch.rand(2, 1, 4, 7) < 0.7
    mask[..., 0] = True
    output, weights = reference.attention(q, k, v, mask)
    torch.testing.assert_close(output, nn.functional.scaled_dot_product_attention(q, k, v, mask))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4).double())


def test_reference_heads_are_pytorchs() -> None:
    ours = reference.MultiHeadAttention(3, 12, 0.0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    names = ["to_query", "to_key", "to_value"]
    state = ours.state_dict()
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([state[f"{name}.weight"] for name in names]),
            "in_proj_bias": torch.cat([state[f"{name}.bias"] for name in names]),
            "out_proj.weight": state["to_output.weight"],
            "out_proj.bias": state["to_output.bias"],
        }
    )
    q, k = torch.randn(2, 4, 12), torch.randn(2, 7, 12)
    mask = torch.tensor([[[True] * 5 + [False] * 2], [[True] * 7]])
    wanted, weights = theirs(q, k, k, key_padding_mask=~mask[:, 0], average_attn_weights=False)
    torch.testing.assert_close(ours(q, k, k, mask), wanted)
    torch.testing.assert_close(ours.weights, weights.detach())


def test_reference_norm_is_pytorchs() -> None:
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(reference.LayerNorm(5, 0.3)(x), nn.LayerNorm(5, 0.3)(x))


def test_the_notebooks_model_is_the_references() -> None:
    names = REHEARSAL.run(
        ["p7_0-imports", *(f"p7_{i}-code" for i in range(1, 6)), "p7_6-encoder", "p7_6-code", "p7_7-assembly"]
    )
    torch.manual_seed(1)
    ours = reference.make_model(11, 13)
    theirs = names["make_model"](11, 13)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        q.data.copy_(p.data)
    source, target = torch.randint(1, 11, (3, 7)), torch.randint(0, 13, (3, 5))
    masks = reference.padding_mask(source), reference.target_mask(target)
    outputs = [model.eval()(source, target, *masks) for model in (ours, theirs)]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(ours.generator(outputs[0]), theirs.generator(outputs[1]))
    assert outputs[0].shape == (3, 5, 64)


# -- points ----------------------------------------------------------------------------------------------


def test_points_of_the_first_part() -> None:
    parts: dict[str, float] = {}
    kinds = {"markdown": 0.0, "code": 0.0}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        known = cell.metadata.get("nbgrader", {})
        number = int(known.get("grade_id", "p7_0").split("-")[0].removeprefix("p7_"))
        if known.get("grade") and number <= 7:
            parts[known.grade_id.split("-")[0]] = parts.get(known.grade_id.split("-")[0], 0) + known.points
            kinds[cell.cell_type] += known.points
    assert list(parts.values()) == [5, 3, 5, 3, 2, 1.5, 0.5]
    assert kinds == {"markdown": 1.5, "code": 18.5}


# -- figures ---------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


GOOD = {
    name: getattr(reference, name) for name in ("attention", "padding_mask", "causal_mask", "target_mask")
}


def test_figures_tell_what_they_show(shown: list[Image]) -> None:
    attention_plots.masks(GOOD)
    attention_plots.example(GOOD)
    attention_plots.positions(reference.PositionalEncoding)
    attention_plots.heads(torch.eye(3).expand(5, 3, 3), list("abc"), ["x", "y", "long word"], "Five heads")
    assert [image.data[:4] for image in shown] == [b"\x89PNG"] * 4
    alts = [image.alt for image in shown]
    assert "causal_mask(n) opens 28 of 49 places" in alts[0]
    assert "padding and future closed: most from 'the' to 'the', 1.00" in alts[1]
    assert "a table of 60 positions by 32 columns" in alts[2]
    assert alts[3].startswith(
        "Five heads. Heat maps of 3 queries by 3 keys. head 1: most from 'a' to 'x', 1.00"
    )


def test_what_is_looked_at_and_what_is_needed_are_told_row_by_row(
    shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    weights = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.5, 0.5, 0.0], [0.0, 0.4, 0.6]]])
    effects = torch.tensor([[0.0, 0.0, 2.0], [3.0, 0.0, -0.1]])
    attention_plots.hiding(weights, effects, list("ab"), list("xyz"), "A date")
    assert "mean of the heads, the largest of each row: a x 0.75, b y 0.70;" in shown[0].alt
    assert "when hidden, the largest of each row: a z 2.00, b x 3.00" in shown[0].alt
    for junk in ((None, effects), (weights, None), (weights, effects[:, :2]), (weights, effects * torch.nan)):
        attention_plots.hiding(*junk, list("ab"), list("xyz"), "A date")
    assert len(shown) == 1
    assert capsys.readouterr().out.count("Nothing to draw yet: ") == 4


def test_drawings_name_the_parts_that_are_written(shown: list[Image]) -> None:
    architecture.transformer()
    architecture.split_into_heads()
    assert all(image.data.startswith(b"\x89PNG") for image in shown)
    assert all(part in shown[0].alt for part in ("(7.1, 7.3)", "(7.2)", "(7.4)", "(7.5)", "(7.6)"))
    assert "head 1 has two rows of “the” and two of “cat”" in shown[1].alt


def raises(*args: Any) -> None:
    raise ValueError("no")


@pytest.mark.parametrize(
    "junk", [None, raises, lambda *a: None, lambda *a: "text", lambda *a: (1, 2, 3), lambda *a: float("nan")]
)
def test_figures_wait_for_answers(junk: Any, shown: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    for name in GOOD:
        names = {**GOOD, name: junk}
        if name != "attention":
            attention_plots.masks(names)
        if name != "causal_mask":
            attention_plots.example(names)
    attention_plots.positions(junk)
    for weights in (None, torch.ones(3), "text", torch.full((1, 2, 2), float("nan")), torch.ones(2, 2, 3)):
        attention_plots.heads(weights, list("ab"), list("cd"))
    said = capsys.readouterr().out.splitlines()
    assert all(line.startswith("Nothing to draw yet: ") for line in said), said
    assert len(said) + len(shown) == 12
