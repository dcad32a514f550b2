"""Problem 7, training side: what was learnt, the right values, the dates, points and figures."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2
from IPython.display import Image
from trained_transformers import LOADED

from chainrule.grading.referee import working_folder
from chainrule.lesson import figures as plots
from chainrule.lesson.results import CheckResult
from chainrule.modules import load

visible = load(HW2, "checks.p7_training")
transformer_plots = load(HW2, "figures.transformer")
dates = load(HW2, "given.dates")
decoding = load(HW2, "judging.csc6022_hw2.p7.decoding")
tasks = load(HW2, "judging.csc6022_hw2.p7.learnt")
reference = load(HW2, "judging.csc6022_hw2.p7.reference")
answers = load(HW2, "judging.csc6022_hw2.answers.p7_training")

torch.set_num_threads(1)

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p7_attention.ipynb"
REHEARSAL = hw2("p7_training")
SOURCES = REHEARSAL.sources
# what defines names: no training, no figure
DEFINING = {*answers.PROBLEM.given, *(exercise.cell for exercise in answers.PROBLEM.exercises)}
RUN = [cell for cell in SOURCES if cell in DEFINING]
TRAINING = ["p7_11-copy-run", "p7_12-data", "p7_12-run", "p7_12-choice-use"]


def judge(item: str, folder: Path, changed: dict[str, str], **names: Any) -> dict[str, CheckResult]:
    """The checks that are lost in one item with these answers, by cell, in place of the reference's."""
    return REHEARSAL.failed([item], changed, folder, **names)[item]


# -- what was learnt ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def learnt(transformers: Path) -> dict[str, Any]:
    """The names of the notebook once the reference has learnt both tasks."""
    with working_folder(transformers):
        return REHEARSAL.run([*RUN, *TRAINING], LOADED)


TRAINED = ("copy_model", "dates_model")
ITEMS = {"copy_model": "p7_11-copy", "dates_model": "p7_12-dates"}


@pytest.mark.parametrize("model", TRAINED)
def test_what_the_reference_learnt_passes(model: str, learnt: dict[str, Any], tmp_path: Path) -> None:
    assert judge(ITEMS[model], tmp_path, {}, **{model: learnt[model]}) == {}


@pytest.mark.parametrize("model", TRAINED)
def test_an_untrained_model_earns_nothing_even_where_a_part_is_wrong(
    model: str, learnt: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    sizes = (11, 11) if model == "copy_model" else (dates.SOURCE_SIZE, dates.TARGET_SIZE)
    fresh = learnt["make_model"](*sizes, layers=1, d_model=32, d_ff=64)
    for changed in ({}, {"p7_11-code": answers.WRONG_GREEDY["sampled"].source}):
        lost = judge(ITEMS[model], tmp_path, changed, **{model: fresh})
        assert set(lost) == {"learnt"}
        assert not lost["learnt"].internal_error


@pytest.mark.parametrize("model", TRAINED)
def test_a_wrong_decoder_does_not_cost_what_was_learnt(
    model: str, learnt: dict[str, Any], tmp_path: Path
) -> None:
    changed = {"p7_11-code": answers.WRONG_GREEDY["the least probable"].source}
    assert set(judge(ITEMS[model], tmp_path, changed, **{model: learnt[model]})) == set()


def weaker(model: Any, noise: float) -> Any:
    """A copy of a model with noise on its weights."""
    torch.manual_seed(1)
    other = copy.deepcopy(model)
    for p in other.parameters():
        p.data += noise * p.data.std() * torch.randn_like(p) if p.dim() > 1 else 0
    return other


def test_a_model_that_learnt_a_little_passes_only_after_a_mistake(
    learnt: dict[str, Any], tmp_path: Path
) -> None:
    model = weaker(learnt["copy_model"], 0.3)
    assert set(judge("p7_11-copy", tmp_path, {}, copy_model=model)) == {"learnt"}
    changed = {"p7_8-smoothing-code": answers.WRONG_SMOOTHING["not divided"].source}
    assert set(judge("p7_11-copy", tmp_path, changed, copy_model=model)) == set()


# Mistakes in one part, with which the copy task is trained from the start: they cost nothing there.
CARRIED = {
    "shift": ("p7_8-shift-code", "56 unshifted target", answers.WRONG_SHIFT),
    "max": ("p7_9-code", "max for min", answers.WRONG_RATE),
    "zero_grad": ("p7_10-epoch-code", "37 no zero_grad", answers.WRONG_EPOCH),
    "causal": ("p7_10-epoch-code", "no causal mask", answers.WRONG_EPOCH),
}


@pytest.mark.parametrize("name", CARRIED)
def test_a_mistake_in_training_costs_nothing_in_the_copy_task(name: str, tmp_path: Path) -> None:
    cell, wrong, many = CARRIED[name]
    changed = {cell: many[wrong].source}
    names = REHEARSAL.run([*RUN, "p7_11-copy-run"], changed)
    lost = judge("p7_11-copy", tmp_path, changed, copy_model=names["copy_model"])
    assert "learnt" not in lost, lost["learnt"].message


def test_no_training_is_not_made_good(tmp_path: Path, learnt: dict[str, Any]) -> None:
    torch.manual_seed(0)
    changed = {"p7_10-epoch-code": answers.WRONG_EPOCH["no backward"].source}
    fresh = learnt["make_model"](*tasks.COPY.sizes)
    assert set(judge("p7_11-copy", tmp_path, changed, copy_model=fresh)) == {"learnt"}


def short(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """The referee trains on fewer batches, and asks for less: guessing gives 0.1 of the symbols."""
    first = list(itertools.islice(tasks.copying(), batches))
    in_memory = load(HW2, "judging.csc6022_hw2.p7.learnt")
    monkeypatch.setattr(in_memory, "COPY", replace(tasks.COPY, batches=lambda: first, warmup=20, low=0.13))


# Cells with which no model can be trained, or none that learns, and whether the copy task is lost with them.
BROKEN = {
    "attention raises": ({"p7_1-code": "def attention(*args, **more):\n    raise ValueError"}, False),
    "no heads": ({"p7_3-code": "MultiHeadAttention = None"}, False),
    "no positions": ({"p7_4-code": "Embeddings = PositionalEncoding = None"}, False),
    "no residual sublayer": ({"p7_5-code": "LayerNorm = Sublayer = None"}, False),
    "no decoder layer": ({"p7_6-code": "DecoderLayer = None"}, False),
    "no shift": ({"p7_8-shift-code": "def shift(tokens):\n    todo()"}, False),
    "attention and heads": (
        {"p7_1-code": "attention = None", "p7_3-code": "MultiHeadAttention = None"},
        True,
    ),
    "attention and loop": ({"p7_1-code": "attention = None", "p7_10-epoch-code": "train_epoch = None"}, True),
    "nothing": ({}, True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_part_without_which_nothing_is_trained_costs_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, costs = BROKEN[name]
    torch.manual_seed(0)  # models begin at random weights
    short(monkeypatch, 40)
    lost = judge("p7_11-copy", tmp_path, changed, copy_model=None)
    assert set(lost) == ({"learnt"} if costs else set())
    if costs:
        assert lost["learnt"].message == "there is no trained model yet: run the cell that trains it"


def test_thresholds_are_those_of_the_notebook() -> None:
    assert tasks.COPY.threshold == visible.COPY_THRESHOLD
    assert tasks.DATES.threshold == visible.DATES_THRESHOLD


# -- the reference ---------------------------------------------------------------------------------------


def test_the_small_model_is_the_notebooks() -> None:
    names = REHEARSAL.run(RUN)
    tiny, source, mask = decoding.decoding_task(3)
    model = names["tiny_model"](*decoding.GREEDY).double()
    model.load_state_dict(tiny.state())
    target = torch.tensor([[4, 2, 0], [4, 1, 7], [4, 4, 4]])
    seen = reference.target_mask(target)
    with torch.no_grad():
        log_probs = model.generator(model(source, target, mask, seen))
    torch.testing.assert_close(log_probs, tiny.log_probs(source, target, mask, seen))


@pytest.mark.parametrize("mistake", decoding.PATHS)
def test_known_ways_to_decode_wrongly_show(mistake: str) -> None:
    found = [
        not torch.equal(
            decoding.greedy(*task, decoding.LENGTH, decoding.FIRST),
            decoding.greedy(*task, decoding.LENGTH, decoding.FIRST, decoding.PATHS[mistake]),
        )
        for task in map(decoding.decoding_task, decoding.DECODING_SEEDS)
    ]
    assert any(found)


@pytest.mark.parametrize("seed", decoding.DECODING_SEEDS)
def test_right_paths_vary_and_are_clear(seed: int) -> None:
    """The best token is ahead of the next by more than float32's rounding."""
    tiny, source, mask = decoding.decoding_task(seed)
    path = decoding.greedy(tiny, source, mask, decoding.LENGTH, decoding.FIRST)
    assert (path[:, 1:] != 0).all()
    assert all(len(set(row)) >= 3 for row in path[:, 1:].tolist())
    log_probs = tiny.log_probs(source, path, mask, reference.target_mask(path))[:, :-1]
    best = log_probs.topk(2).values
    assert float((best[..., 0] - best[..., 1]).min()) > 1e-3


# -- dates -----------------------------------------------------------------------------------------------


def test_parts_share_no_day_and_the_same_seed_gives_the_same_dates() -> None:
    parts = {part: {iso for _, iso in dates.sample(2000, 5, part)} for part in dates.PARTS}
    assert not parts["train"] & parts["validation"]
    assert not parts["train"] & parts["test"]
    assert not parts["validation"] & parts["test"]
    assert dates.sample(50, 5) == dates.sample(50, 5) != dates.sample(50, 6)


def test_tokens_and_texts() -> None:
    pairs = dates.sample(300, 1)
    source, target = dates.encoded(pairs)
    assert source.shape[0] == 300
    assert target.shape == (300, dates.ISO_LENGTH + 1)
    assert int(source.max()) < dates.SOURCE_SIZE
    assert int(target.max()) < dates.TARGET_SIZE
    assert [dates.iso_text(row) for row in target] == [iso for _, iso in pairs]
    assert (target[:, 0] == dates.START).all()
    assert dates.iso_text([0, 5]) == "?2"


def test_dates_are_written_in_many_forms() -> None:
    day = dates.date(2021, 3, 3)
    assert [form(day) for form in dates.FORMS] == [
        "the 3rd of March 2021",
        "March 3rd, 2021",
        "Mar 3, 2021",
        "3 March 2021",
        "3 Mar 21",
        "3/3/21",
    ]
    some = (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30)
    assert " ".join(map(dates.ordinal, some)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 30th"


def test_a_foreign_character_is_refused() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        dates.encoded([("3. März 2021", "2021-03-03")])


# -- points ----------------------------------------------------------------------------------------------


def test_points_of_the_training_side() -> None:
    parts: dict[str, float] = {}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        known = cell.metadata.get("nbgrader", {})
        if known.get("grade") and int(known["grade_id"].split("-")[0].removeprefix("p7_")) >= 8:
            question = known["grade_id"].split("-")[0]
            parts[question] = parts.get(question, 0) + known["points"]
    assert parts == {"p7_8": 3, "p7_9": 1, "p7_10": 1.5, "p7_11": 3, "p7_12": 1.5}


# -- figures ---------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


def named(source: str, name: str) -> Any:
    """A function of an answer."""
    names: dict[str, Any] = {"torch": torch, "nn": torch.nn}
    exec(source, names)
    return names[name]


def test_figures_of_right_answers(shown: list[Image]) -> None:
    transformer_plots.targets(named(answers.SMOOTHING, "smoothed_targets"))
    transformer_plots.confidence(named(answers.SMOOTHING, "smoothed_loss"))
    transformer_plots.schedules(named(answers.RATE, "learning_rate"))
    transformer_plots.training({"loss": [1.0, 0.4], "test": [0.1, 0.8]}, "A task")
    told = [image.alt for image in shown]
    assert "label 3: 0.00, 0.06, 0.06, 0.70, 0.06, 0.06, 0.06; label 2" in told[0]
    assert "smoothing 0.1 is lowest, 0.000, at p = 0.8964" in told[1]
    assert "d_model 64, warmup 400: highest, 0.0062, at step" in told[2]
    assert told[3].endswith("Training loss from 1.000 to 0.400; test ends at 0.800.")
    assert all(image.data.startswith(b"\x89PNG") for image in shown)


def bad(*args: Any) -> Any:
    raise ValueError("no")


def unfinished(*args: Any) -> Any:
    raise NotImplementedError


JUNK = [
    None,
    3,
    bad,
    unfinished,
    lambda *args: None,
    lambda *args: "x",
    lambda *args: torch.ones(2, 2) * float("nan"),
]


@pytest.mark.parametrize("answer", JUNK)
@pytest.mark.parametrize("figure", ["targets", "confidence", "schedules"])
def test_figures_wait_for_answers(
    figure: str, answer: Any, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    getattr(transformer_plots, figure)(answer)
    said = capsys.readouterr().out
    assert not shown
    assert said.startswith("Nothing to draw yet: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "history",
    [
        None,
        {},
        3,
        {"loss": []},
        {"loss": [1.0], "test": [0.1, 0.2]},
        {"loss": [float("nan")]},
        {"loss": ["x"]},
    ],
)
def test_the_training_figure_waits_for_a_history(
    history: Any, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    transformer_plots.training(history, "A task")
    assert not shown
    assert capsys.readouterr().out.startswith("Nothing to draw yet: ")
