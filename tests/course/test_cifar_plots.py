"""The figures of the CIFAR-10 problem: a PNG with alt text when there is something to draw, one sentence when not."""

import math
from collections.abc import Callable

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from course_modules import HW2
from IPython.display import Image

from chainrule.lesson import figures as plots
from chainrule.modules import load

cifar_plots = load(HW2, "figures.cifar")

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
N = 60
GENERATOR = torch.Generator().manual_seed(3)
IMAGES = torch.randint(0, 256, (N, 3, 32, 32), generator=GENERATOR, dtype=torch.uint8)
LABELS = torch.arange(N) % 10
MAPS = torch.rand(48, 16, 16, generator=GENERATOR)
BEFORE = torch.randn(32, 3, 5, 5, generator=GENERATOR)
HISTORY = {
    "training loss": [1.9, 1.4, 1.1],
    "training accuracy": [0.30, 0.55, 0.68],
    "validation accuracy": [0.35, 0.71, 0.705],
}
MATRIX = 20 * torch.eye(10, dtype=torch.long)
MATRIX[3, 5], MATRIX[3, 3] = 8, 12
MATRIX[1, 9], MATRIX[1, 1] = 5, 15
MATRIX[0, 8] = 1
TITLES = ["cat → dog", "ship", "truck"]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """The images displayed during the test."""
    images: list[Image] = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


DRAWN: dict[str, Callable[..., None]] = {
    "examples": lambda **k: cifar_plots.examples(IMAGES, LABELS, CLASSES, **k),
    "first filters": lambda **k: cifar_plots.first_filters(BEFORE, BEFORE + 0.3, **k),
    "activations": lambda **k: cifar_plots.activations(IMAGES[0], MAPS, "The first layer", **k),
    "curves": lambda **k: cifar_plots.curves(HISTORY, target=0.70, **k),
    "confusion": lambda **k: cifar_plots.confusion(MATRIX, CLASSES, **k),
    "saliency": lambda **k: cifar_plots.saliency(IMAGES[:3], MAPS[:3].repeat(1, 2, 2), TITLES, **k),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_one_modest_png_with_alt_text(
    draw: Callable[..., None], shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(matplotlib.rcParams)
    draw()
    draw(origin="generated stand-in")
    image, named = shown
    assert image.data.startswith(b"\x89PNG")
    assert len(image.data) < 200_000  # pictures of noise, which no format makes smaller
    assert 2 * image.width == int.from_bytes(image.data[16:20], "big") <= 2 * 880
    assert int.from_bytes(image.data[20:24], "big") <= 2 * 880
    assert len(image.alt) > 40
    assert "CIFAR-10" not in image.alt
    assert "(generated stand-in)" in named.alt
    assert capsys.readouterr().out == ""
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_numpy_arrays_lists_and_halves_draw_the_same(shown: list[Image]) -> None:
    cifar_plots.examples(IMAGES, LABELS, CLASSES)
    cifar_plots.examples(IMAGES.numpy(), LABELS.numpy(), CLASSES)
    cifar_plots.examples(IMAGES / 255, LABELS.tolist(), tuple(CLASSES))  # type: ignore[arg-type]
    cifar_plots.confusion(MATRIX, CLASSES)
    cifar_plots.confusion(MATRIX.double().numpy(), CLASSES)
    cifar_plots.activations(IMAGES[0], MAPS)
    cifar_plots.activations(IMAGES[:1].numpy(), MAPS[None].requires_grad_())
    cifar_plots.saliency(list(IMAGES[:2]), list(torch.ones(2, 32, 32).bfloat16()))  # type: ignore[arg-type]
    cifar_plots.saliency(IMAGES[:2].numpy(), np.ones((2, 32, 32)))
    first, second, third, counts, floats, one, batch, listed, stacked = (image.data for image in shown)
    assert first == second == third
    assert counts == floats
    assert one == batch
    assert listed == stacked


def test_flipped_pictures_and_standardised_ones(shown: list[Image]) -> None:
    cifar_plots.examples(IMAGES.numpy()[..., ::-1], LABELS, CLASSES)
    cifar_plots.activations((IMAGES[0] / 255 - 0.5) / 0.25, MAPS)
    assert len(shown) == 2


def test_examples_of_few_pictures(shown: list[Image]) -> None:
    cifar_plots.examples(IMAGES[:3], torch.tensor([0, 0, 9]), CLASSES)
    assert "airplane 2, automobile 0" in shown[0].alt


def test_filters_tell_how_far_training_went_and_that_a_copy_was_forgotten(shown: list[Image]) -> None:
    cifar_plots.first_filters(BEFORE, 1.5 * BEFORE)
    cifar_plots.first_filters(BEFORE, BEFORE)
    cifar_plots.first_filters(torch.randn(100, 3, 7, 7), torch.zeros(100, 3, 7, 7))
    moved, same, many = (image.alt for image in shown)
    assert "All 32 filters of 5 × 5" in moved
    assert "moved the weights by 50 %" in moved
    assert "Nothing has changed: did you train, and is `before` a copy" in same
    assert "The first 64 of 100" in many


@pytest.mark.parametrize(
    "shape", [(1, 3, 1, 1), (6, 3, 3, 3), (16, 3, 11, 11), (64, 3, 64, 64), (5, 3, 2, 9)]
)
def test_filters_of_any_size(shape: tuple[int, ...], shown: list[Image]) -> None:
    cifar_plots.first_filters(torch.zeros(shape), torch.randn(shape))
    assert f"{shape[2]} × {shape[3]}" in shown[0].alt


def test_activations_note_range_and_dead_channels(shown: list[Image]) -> None:
    maps = torch.zeros(4, 8, 8)
    maps[0, :4] = 2.5
    maps[1, 0] = -1.25
    cifar_plots.activations(IMAGES[0], maps)
    cifar_plots.activations(IMAGES[0], MAPS)
    assert (
        "All 4 maps of 8 × 8. Black is −1.25, white is 2.50. 2 of them are the same everywhere."
        in shown[0].alt
    )
    assert "The first 32 of 48 maps" in shown[1].alt


def test_curves_tell_the_best_accuracy_and_the_target(shown: list[Image]) -> None:
    cifar_plots.curves(HISTORY, target=0.70)
    cifar_plots.curves(HISTORY, target=0.75)
    cifar_plots.curves(HISTORY)
    there, missed, free = (image.alt for image in shown)
    assert "Best validation accuracy: 0.710 (epoch 2). 0.70 reached first at epoch 2." in there
    assert "training loss from 1.900 to 1.100" in there
    assert "0.75 is not reached yet" in missed
    assert "reached" not in free


def test_curves_by_step_by_one_kind_and_diverged(shown: list[Image]) -> None:
    cifar_plots.curves({"step": [100, 200], "loss": [2.0, 1.5], "val_acc": [0.2, 0.4]}, by="step")
    cifar_plots.curves({"loss": torch.linspace(2, 1, 490)})  # type: ignore[dict-item]
    cifar_plots.curves({"training accuracy": [0.5]}, target=0.7)
    cifar_plots.curves({"loss": [2.3, math.nan, math.inf], "test accuracy": [math.nan] * 3}, target=0.7)
    assert "Best val accuracy: 0.400 (step 200)." in shown[0].alt
    assert len(shown) == 4


def test_the_two_most_frequent_confusions_are_named(shown: list[Image]) -> None:
    cifar_plots.confusion(MATRIX, CLASSES)
    cifar_plots.confusion(MATRIX.T, CLASSES)
    rows, columns = (image.alt for image in shown)
    expected = (
        "Most frequent: cat taken for dog (8 of 20, 40 %) and automobile taken for truck (5 of 20, 25 %)."
    )
    assert expected in rows
    assert "dog taken for cat" in columns
    assert "worst: cat, 60 %" in rows


def test_a_confusion_with_fewer_mistakes_or_classes(shown: list[Image]) -> None:
    cifar_plots.confusion(torch.eye(10), CLASSES)
    single = torch.diag(torch.tensor([3.0] + [0.0] * 9))
    single[0, 1] = 1
    cifar_plots.confusion(single, CLASSES)
    assert "No confusion: every prediction is right." in shown[0].alt
    assert "Most frequent: airplane taken for automobile (1 of 4, 25 %)." in shown[1].alt


def test_saliency_of_many_of_none_and_of_single_pixels(shown: list[Image]) -> None:
    spike = torch.zeros(1, 32, 32)
    spike[0, 4, 4] = 1e-9
    cifar_plots.saliency(IMAGES[:12], torch.rand(12, 32, 32), ["automobile taken for a frog"] * 12)
    cifar_plots.saliency(IMAGES[:2], torch.zeros(2, 32, 32))
    cifar_plots.saliency(IMAGES[:1], spike)
    many, zero, single = (image.alt for image in shown)
    assert "8 of 12 pictures" in many
    assert "2 of 2 maps are zero everywhere" in zero
    assert "zero everywhere" not in single


UNFINISHED: dict[str, tuple[Callable[[], None], str]] = {
    "no data": (lambda: cifar_plots.examples(None, None, CLASSES), "run the cell that loads the data"),
    "no pictures": (lambda: cifar_plots.examples(IMAGES[:0], LABELS[:0], CLASSES), "empty"),
    "no classes": (lambda: cifar_plots.examples(IMAGES, LABELS, None), "loads the data"),
    "channels last": (
        lambda: cifar_plots.examples(IMAGES.permute(0, 2, 3, 1), LABELS, CLASSES),
        "(N, 3, H, W)",
    ),
    "rows of pixels": (lambda: cifar_plots.examples(IMAGES.flatten(1), LABELS, CLASSES), "(60, 3072)"),
    "fewer labels": (lambda: cifar_plots.examples(IMAGES, LABELS[:9], CLASSES), "9 in `labels`"),
    "an eleventh class": (lambda: cifar_plots.examples(IMAGES, LABELS + 1, CLASSES), "0 to 9"),
    "pictures not finite": (
        lambda: cifar_plots.examples(torch.full((10, 3, 8, 8), math.nan), LABELS[:10], CLASSES),
        "not finite",
    ),
    "no filters": (lambda: cifar_plots.first_filters(None, BEFORE), "keeping a copy"),
    "filters of another layer": (
        lambda: cifar_plots.first_filters(torch.zeros(8, 16, 3, 3), torch.zeros(8, 16, 3, 3)),
        "`before` should have shape (F, 3, k, k), and has shape (8, 16, 3, 3)",
    ),
    "filters of two networks": (lambda: cifar_plots.first_filters(BEFORE, BEFORE[:8]), "the same shape"),
    "filters not finite": (
        lambda: cifar_plots.first_filters(BEFORE, BEFORE * math.nan),
        "`after` holds numbers",
    ),
    "a layer for its weight": (
        lambda: cifar_plots.first_filters(BEFORE, torch.nn.Conv2d(3, 8, 3)),  # type: ignore[arg-type]
        "Conv2d",
    ),
    "no maps": (lambda: cifar_plots.activations(IMAGES[0], None), "compute its feature maps"),
    "maps of a batch": (lambda: cifar_plots.activations(IMAGES[0], torch.zeros(2, 8, 4, 4)), "(C, h, w)"),
    "a grey picture": (
        lambda: cifar_plots.activations(IMAGES[0, 0], MAPS),
        "`image` should have shape (3, H, W)",
    ),
    "maps not finite": (lambda: cifar_plots.activations(IMAGES[0], MAPS * math.inf), "`maps` holds numbers"),
    "no history": (lambda: cifar_plots.curves(None), "run the cell that trains the network"),
    "an empty history": (lambda: cifar_plots.curves({}), "run the cell that trains the network"),
    "no epochs": (lambda: cifar_plots.curves({"training loss": []}), "empty"),
    "other names": (lambda: cifar_plots.curves({"error": [1.0]}), 'no list named "loss" or "accuracy"'),
    "a list": (lambda: cifar_plots.curves([1.0]), "of type list"),  # type: ignore[arg-type]
    "None for a list": (lambda: cifar_plots.curves({"loss": None}), "trains the network"),  # type: ignore[dict-item]
    "a number for a list": (lambda: cifar_plots.curves({"loss": 1.0}), "list of numbers"),  # type: ignore[dict-item]
    "words": (lambda: cifar_plots.curves({"loss": ["low"]}), "does not hold numbers"),  # type: ignore[list-item]
    "per cent": (
        lambda: cifar_plots.curves({"test accuracy": [35.0, 71.5]}),
        "fractions of 1, and goes up to 71.5",
    ),
    "too few steps": (
        lambda: cifar_plots.curves({"step": [1], "loss": [2.0, 1.0]}, by="step"),
        "same length",
    ),
    "no matrix": (lambda: cifar_plots.confusion(None, CLASSES), "count its predictions"),
    "predictions for counts": (
        lambda: cifar_plots.confusion(LABELS, CLASSES),
        "(10, 10), and has shape (60,)",
    ),
    "shares for counts": (lambda: cifar_plots.confusion(MATRIX / 20, CLASSES), "whole numbers"),
    "negative counts": (lambda: cifar_plots.confusion(-MATRIX, CLASSES), "whole numbers"),
    "nothing counted": (lambda: cifar_plots.confusion(0 * MATRIX, CLASSES), "only zeros"),
    "an ellipsis": (lambda: cifar_plots.confusion(..., CLASSES), "does not hold numbers"),  # type: ignore[arg-type]
    "no gradients": (lambda: cifar_plots.saliency(IMAGES, None, TITLES), "compute the gradients"),
    "a gradient per channel": (
        lambda: cifar_plots.saliency(IMAGES[:2], torch.zeros(2, 3, 32, 32)),
        "`maps` should have shape (N, H, W), and has shape (2, 3, 32, 32)",
    ),
    "signed gradients": (lambda: cifar_plots.saliency(IMAGES[:2], -torch.ones(2, 32, 32)), "negative"),
    "maps of other pictures": (
        lambda: cifar_plots.saliency(IMAGES[:2], torch.zeros(3, 32, 32)),
        "3 in `maps`",
    ),
    "maps of another size": (lambda: cifar_plots.saliency(IMAGES[:2], torch.zeros(2, 8, 8)), "the same size"),
    "too few titles": (lambda: cifar_plots.saliency(IMAGES[:2], torch.ones(2, 32, 32), ["a"]), "1 titles"),
    "tensors of different shapes": (
        lambda: cifar_plots.saliency(IMAGES[:2], [torch.zeros(32, 32), torch.zeros(8, 8)]),  # type: ignore[arg-type]
        "different shapes",
    ),
}


@pytest.mark.parametrize(("draw", "part"), UNFINISHED.values(), ids=UNFINISHED.keys())
def test_unfinished_work_gets_one_kind_sentence(
    draw: Callable[[], None], part: str, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    draw()
    said = capsys.readouterr().out
    assert not shown
    assert said.startswith("Nothing to draw yet: ")
    assert part in said
    assert said.endswith(".\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", cifar_plots.__all__)
def test_docstrings_survive(name: str) -> None:
    assert getattr(cifar_plots, name).__doc__
