"""Accuracy on test images that only the referee has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from chainrule.datasets.cifar_10 import CIFAR10, normalised
from chainrule.judging import held_out
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p6_2.network import expect_network

# Our own training: up to four times 50 steps on batches of 64. The small rate is for networks with a mistake.
TIMES, STEPS, BATCH, RATES = 4, 50, 64, (0.01, 0.002)
FLOOR = 0.2  # accuracy that a network reaches by it if it learns anything; guessing gives 0.1


def accuracy_on_test(model: Model, n: int | None = None) -> float:
    """The share of the test images, or of the first n, that a model classifies correctly, by labels that only the
    referee has."""
    images, labels = (part[:n] for part in held_out.cifar_10())
    guesses = torch.cat([model.predict(normalised(part)) for part in images.split(1000)])
    return float((guesses == labels).double().mean())


# Forms in which a share of n pictures in some batches may be given, by what is wrong about them.
FORMS: dict[str, Callable[[float, int, int], float]] = {
    "the share is given in per cent": lambda share, n, batches: 100 * share,
    "this is the share of wrong answers": lambda share, n, batches: 1 - share,
    "hits are counted, not their share": lambda share, n, batches: n * share,
    "the hits are divided by the number of batches": lambda share, n, batches: n * share / batches,
}


def same_form(student: Student, model: Model, got: Any, share: float, n: int, batches: int) -> bool:
    """Whether `accuracy` gives a share in the form in which it gives that of four pictures in two batches, too: another
    check judges those.

    Args:
        model: it maps picture e_i to class i.
        got: what `accuracy` gives for n pictures in so many batches, of which this share is right.
    """
    loader = student.make_loader(torch.eye(5)[:4], torch.tensor([0, 1, 2, 0]), batch=2)
    even = numbers(student.accuracy(model, loader), "the accuracy")
    return any(
        differ(even, torch.tensor(form(0.75, 4, 2)), 1e-4, 1e-6) == 0
        and differ(numbers(got, "the accuracy"), torch.tensor(form(share, n, batches)), 1e-4, 1e-6) == 0
        for form in FORMS.values()
    )


def labelled_images(split: str, n: int) -> tuple[Tensor, Tensor]:
    """The first n images of a split as a network's input, float32 (n, 3, 32, 32), and their labels (n,)."""
    data = CIFAR10("./data", split)  # type: ignore[arg-type]
    return normalised(data.images[:n]), data.labels[:n]


def expect_accuracy(
    trained: Any,
    fresh: Callable[[], Any],
    learns: Callable[[], bool],
    thresholds: Mapping[str, float],
    name: str,
) -> None:
    """The trained network reaches the threshold on the test images.

    Error carried forward: if it does not, but the student's training changes weights, it is enough that a new network
    of the student's learns anything by our training. Other checks judge network and training.

    Args:
        trained: the student's network; None or something else if there is none.
        fresh: makes another one.
        learns: whether the student's training step changes weights.
        thresholds: by `CIFAR10.kind`.
    """
    if not isinstance(trained, Model):
        raise CheckFailed(f"there is no trained `{name}` yet: write network and training, then run that cell")
    threshold, reached = thresholds[CIFAR10("./data", "test").kind], accuracy_on_test(trained)
    if reached >= threshold:
        return
    message = f"its test accuracy is {reached:.3f}, below {threshold:.3f}"
    try:
        learnt = learns()
    except CheckFailed:
        learnt = False
    expect(learnt).is_true(f"{message}, and your training leaves weights as they are")
    x, y = labelled_images("train", 4000)
    ours = 0.0
    for lr in RATES:
        model = expect_network(fresh())
        model.forward(x[:2])  # gives lazy layers their parameters
        for rows in torch.arange(TIMES * STEPS * BATCH).split(STEPS * BATCH):
            model.fit(x[rows % len(x)], y[rows % len(x)], steps=STEPS, batch=BATCH, lr=lr, momentum=0.9)
            ours = max(ours, accuracy_on_test(model, 1000))
            if ours >= FLOOR:
                return
    expect(ours >= FLOOR).is_true(f"{message}; trained by our loop it is {ours:.3f}, below {FLOOR:g}")


def expect_open_accuracy(student: Student, level: float, seen: dict[str, float]) -> None:
    """The open-ended network's accuracy on the test images reaches the level, less four standard deviations of drawing
    the images.

    Args:
        level: an accuracy from 0 to 1.
        seen: keeps the accuracy for the next level.
    """
    model = student.open_network
    if not isinstance(model, Model):
        raise CheckFailed("there is no `open_network` yet: run the cell that trains or loads it")
    if "accuracy" not in seen:
        seen["accuracy"] = accuracy_on_test(model)
    n = len(CIFAR10("./data", "test"))
    threshold = level - 4 * math.sqrt(level * (1 - level) / n)
    message = f"its test accuracy is {seen['accuracy']:.3f}, below {threshold:.3f}"
    if student.weights_found is not True:
        message += "; no p6_2_open.safetensors was handed in, so it was trained here, on what data there is"
    expect(seen["accuracy"] >= threshold).is_true(message)
