"""The figures a student sees: a small PNG with alt text when there is something to draw, one sentence when not."""

import inspect
import math
from collections.abc import Callable

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from course_modules import A2
from IPython.display import Image

from chainrule.lesson import figures
from chainrule.modules import load

plots = load(A2, "figures.fashion")

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
CLASSES += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
N = 200
LABELS = torch.arange(N) % 10
IMAGES = torch.linspace(0, 1, 784).reshape(1, 1, 28, 28).repeat(N, 1, 1, 1)
MLP = {"loss": [0.9, 0.5, 0.4], "train": [0.80, 0.85, 0.90], "test": [0.79, 0.84, 0.887]}
CNN = {"loss": [0.8, 0.4, 0.3], "train": [0.82, 0.88, 0.92], "test": [0.81, 0.87, 0.906]}


def logits_for(predictions: torch.Tensor, height: float | torch.Tensor = 5.0) -> torch.Tensor:
    """Logits (N, 10) whose largest entry, of this height over zeros, is at the predictions."""
    return torch.nn.functional.one_hot(predictions, 10) * torch.as_tensor(height).reshape(-1, 1)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", images.append)
    return images


DRAWN: dict[str, Callable[..., None]] = {
    "curves": lambda **k: plots.curves({"MLP": MLP, "CNN": CNN}, **k),
    "confusion": lambda **k: plots.confusion(LABELS, LABELS.roll(1), CLASSES, "Confusion", **k),
    "filters of an MLP": lambda **k: plots.filters(torch.randn(256, 784), "Filters", **k),
    "filters of a CNN": lambda **k: plots.filters(torch.randn(16, 1, 5, 5), "Filters", **k),
    "mistakes": lambda **k: plots.mistakes(
        IMAGES, LABELS, logits_for(LABELS.roll(1)), CLASSES, "Mistakes", **k
    ),
    "samples": lambda **k: plots.samples(IMAGES, LABELS, CLASSES, **k),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_one_modest_png_with_alt_text(
    draw: Callable[..., None], shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(matplotlib.rcParams)
    draw()
    (image,) = shown
    assert image.data.startswith(b"\x89PNG")
    assert len(image.data) < 120_000
    width = int.from_bytes(image.data[16:20], "big")
    height = int.from_bytes(image.data[20:24], "big")
    assert (
        2 * image.width == width <= 2 * 880
    )  # 8 in at 110 dpi, with two pixels of the file for one of the page
    assert height <= 2 * 880
    data, metadata = image._repr_mimebundle_()
    assert "image/png" in data
    assert len(metadata["image/png"]["alt"]) > 40
    assert capsys.readouterr().out == ""
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_only_data_that_is_not_fashion_mnist_is_named(draw: Callable[..., None], shown: list[Image]) -> None:
    draw()
    draw(origin="generated stand-in")
    plain, named = (image.alt for image in shown)
    assert "Fashion-MNIST" not in plain
    assert "(generated stand-in)" in named


def test_the_readers_style_changes_nothing(shown: list[Image]) -> None:
    DRAWN["curves"]()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 300}):
        DRAWN["curves"]()
    assert shown[0].data == shown[1].data


def test_curves_tell_where_each_model_ends(shown: list[Image]) -> None:
    plots.curves({"MLP": MLP, "CNN": CNN})
    assert "Test accuracy: MLP ends at 0.887, CNN ends at 0.906." in shown[0].alt
    assert "MLP from 0.900 to 0.400" in shown[0].alt


def test_curves_leave_out_the_model_not_trained_yet(shown: list[Image]) -> None:
    plots.curves({"MLP": MLP, "CNN": None})
    assert "MLP" in shown[0].alt
    assert "CNN" not in shown[0].alt


def test_curves_take_tensors_one_epoch_and_a_loss_that_diverged(shown: list[Image]) -> None:
    plots.curves({"MLP": {key: torch.tensor(values[:1]) for key, values in MLP.items()}})  # type: ignore[misc]
    plots.curves({"MLP": MLP | {"loss": [2.3, math.nan, math.inf]}, "CNN": MLP | {"loss": [math.nan] * 3}})
    assert len(shown) == 2


def test_labels_of_close_lines_do_not_overlap() -> None:
    moved = figures.spread([0.90, 0.10, 0.901, 0.902], gap=0.05)
    assert moved[1] == 0.10
    assert moved[0] < moved[2] < moved[3]
    assert min(moved[2] - moved[0], moved[3] - moved[2]) > 0.049


def test_the_most_frequent_confusion_is_named(shown: list[Image]) -> None:
    predictions = LABELS.clone()
    predictions[LABELS == 6] = torch.tensor([0] * 5 + [4] * 2 + [6] * 13)  # Shirt
    predictions[LABELS == 9] = torch.tensor([7] * 4 + [9] * 16)  # Ankle boot
    plots.confusion(LABELS, predictions, CLASSES, "Confusion of the MLP")
    assert "Most frequent confusion: Shirt taken for T-shirt/top, 25.0 % of the time." in shown[0].alt
    assert "accuracy 0.945" in shown[0].alt
    assert "worst: Shirt, 65.0 %" in shown[0].alt


def test_a_confusion_is_frequent_by_count_and_a_class_may_be_absent(shown: list[Image]) -> None:
    labels = torch.tensor([0] * 100 + [1] * 2)
    predictions = torch.tensor([2] * 3 + [0] * 97 + [0, 1])  # 3 % of T-shirts, 50 % of two trousers
    plots.confusion(labels, predictions, CLASSES, "Few classes")
    assert "T-shirt/top taken for Pullover, 3.0 %" in shown[0].alt


def test_a_perfect_model_has_no_confusion_and_no_mistakes(
    shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    plots.confusion(LABELS, LABELS, CLASSES, "Perfect")
    assert "No confusion" in shown.pop().alt
    plots.mistakes(IMAGES, LABELS, logits_for(LABELS), CLASSES, "Perfect")
    assert not shown
    assert "every picture right" in capsys.readouterr().out


def test_filters_of_both_weight_shapes(shown: list[Image]) -> None:
    plots.filters(torch.nn.Linear(784, 256).weight, "MLP")
    plots.filters(torch.nn.Linear(784, 12).weight, "small MLP")
    plots.filters(torch.nn.Conv2d(1, 16, 5).weight, "CNN")
    plots.filters(torch.zeros(4, 1, 3, 3), "not trained")
    big, small, conv, zero = (image.alt for image in shown)
    assert "32 of 256 hidden units" in big
    assert "12 of 12 hidden units" in small
    assert "All 16 filters of 5 × 5" in conv
    assert "from 0.00 to 0.00" in zero


def test_filters_show_the_units_with_the_largest_norm(shown: list[Image]) -> None:
    weight = torch.zeros(256, 784)
    weight[200] = 0.5
    weight[201] = -0.25
    plots.filters(weight, "MLP")
    assert "from -0.25 to 0.50" in shown[0].alt


def test_mistakes_come_most_certain_first(shown: list[Image]) -> None:
    predictions = LABELS.clone()
    predictions[[6, 9, 4]] = torch.tensor([0, 7, 2])
    height = torch.full((N,), 9.0)
    height[[6, 9, 4]] = torch.tensor([3.0, 50.0, 5.0])
    logits = logits_for(predictions, height)
    plots.mistakes(IMAGES, LABELS, logits, CLASSES, "Mistakes")
    plots.mistakes(IMAGES, LABELS, logits, CLASSES, "Mistakes", count=1)
    every, first = (image.alt for image in shown)
    told = ["Ankle boot taken for Sneaker (> 0.999)", "Coat taken for Pullover (0.943)"]
    assert every.index(told[0]) < every.index(told[1]) < every.index("Shirt taken for T-shirt/top (0.691)")
    assert "1 of 3 mistakes" in first
    assert told[1] not in first


def test_samples_of_few_pictures(shown: list[Image]) -> None:
    plots.samples(IMAGES[:3], torch.tensor([0, 0, 9]), CLASSES)
    assert "T-shirt/top 2, Trouser 0" in shown[0].alt


UNFINISHED: dict[str, Callable[[], None]] = {
    "no histories": lambda: plots.curves(None),
    "no models": lambda: plots.curves({}),
    "no trained models": lambda: plots.curves({"MLP": None, "CNN": None}),
    "no epochs": lambda: plots.curves({"MLP": {"loss": [], "train": [], "test": []}}),
    "a missing key": lambda: plots.curves({"MLP": {"loss": [1.0], "train": [0.5]}}),
    "None for a list": lambda: plots.curves({"MLP": MLP | {"test": None}}),  # type: ignore[dict-item]
    "a loss per step": lambda: plots.curves({"MLP": MLP | {"loss": [1.0] * 50}}),
    "a number for a list": lambda: plots.curves({"MLP": {"loss": 1.0, "train": 1.0, "test": 1.0}}),  # type: ignore[dict-item]
    "a list for a history": lambda: plots.curves({"MLP": [1.0]}),  # type: ignore[dict-item]
    "a list for the histories": lambda: plots.curves([MLP]),  # type: ignore[arg-type]
    "no predictions": lambda: plots.confusion(LABELS, None, CLASSES, "t"),
    "no classes": lambda: plots.confusion(LABELS, LABELS, None, "t"),
    "logits for predictions": lambda: plots.confusion(LABELS, logits_for(LABELS), CLASSES, "t"),
    "a class too many": lambda: plots.confusion(LABELS, LABELS + 1, CLASSES, "t"),
    "halves of a class": lambda: plots.confusion(LABELS, LABELS + 0.5, CLASSES, "t"),
    "fewer predictions": lambda: plots.confusion(LABELS, LABELS[:5], CLASSES, "t"),
    "an ellipsis": lambda: plots.confusion(LABELS, ..., CLASSES, "t"),  # type: ignore[arg-type]
    "words": lambda: plots.confusion(LABELS, ["Shirt"], CLASSES, "t"),  # type: ignore[arg-type]
    "a dict": lambda: plots.confusion(LABELS, {"a": 1}, CLASSES, "t"),  # type: ignore[arg-type]
    "no weight": lambda: plots.filters(None, "t"),
    "weight of another layer": lambda: plots.filters(torch.zeros(128, 256), "t"),
    "weight not finite": lambda: plots.filters(torch.full((16, 1, 5, 5), math.nan), "t"),
    "no logits": lambda: plots.mistakes(IMAGES, LABELS, None, CLASSES, "t"),
    "predictions for logits": lambda: plots.mistakes(IMAGES, LABELS, LABELS, CLASSES, "t"),
    "logits not finite": lambda: plots.mistakes(IMAGES, LABELS, torch.full((N, 10), math.nan), CLASSES, "t"),
    "fewer pictures": lambda: plots.mistakes(IMAGES[:9], LABELS, logits_for(LABELS), CLASSES, "t"),
    "no data": lambda: plots.samples(None, None, CLASSES),
    "no pictures": lambda: plots.samples(IMAGES[:0], LABELS[:0], CLASSES),
    "one picture": lambda: plots.samples(IMAGES[0, 0], LABELS[:28], CLASSES),
}


@pytest.mark.parametrize("draw", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_unfinished_work_gets_one_kind_sentence(
    draw: Callable[..., None], shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    draw()
    said = capsys.readouterr().out
    assert not shown
    assert said.startswith("Nothing to draw yet: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1


def test_the_sentence_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    plots.curves(None)
    plots.curves({"MLP": MLP, "CNN": {"loss": [1.0], "train": [0.5]}})
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Nothing to draw yet: finish `train` and run the cell that trains the MLP."
    assert 'the history of CNN has no "test"' in second


@pytest.mark.parametrize("name", plots.__all__)
def test_signatures_and_docstrings_survive(name: str) -> None:
    function = getattr(plots, name)
    assert function.__doc__
    assert inspect.signature(function).parameters["origin"].default == "Fashion-MNIST"
