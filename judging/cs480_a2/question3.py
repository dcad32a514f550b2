"""Question 3: the accuracies of networks that students have trained."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from chainrule.datasets.fashion_mnist import FashionMNIST
from chainrule.lesson.checks import expect
from chainrule.lesson.student import CheckFailed, Function, Model, Student

# Steps and learning rates of our own training run: the small ones at the end take the noise out of the result.
FOLLOW_THROUGH = ((400, 0.05), (70, 0.005))


def trains(student: Student) -> bool:
    """Whether the student's `train` moves weights, even if it stumbles later on."""
    model = student.make_network(("Linear", 6, 4))
    before = model.state()
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(12))
    loader = student.make_loader(x, torch.arange(8) % 4, batch=4)
    with contextlib.suppress(CheckFailed):
        student.train(model, loader, loader, epochs=2, device="cpu")
    return not torch.equal(before["0.weight"], model.state()["0.weight"])


def expect_accuracy(
    student: Student,
    trained: Any,
    build: Function,
    test: FashionMNIST,
    train_set: FashionMNIST,
    threshold: float,
) -> None:
    """The trained model reaches the threshold on the test pictures.

    If it does not, but the student's training loop moves weights, a fresh network of the student's may reach 0.7
    after 470 steps of ours on 6,000 pictures, where the reference ends at 0.86 and more: a slip is paid for where
    loop and network are checked, not again in every accuracy, unless the network cannot learn.
    """
    if not isinstance(trained, Model):
        raise CheckFailed("there is no trained network yet: write network and training step, then train it")

    def accuracy(model: Model) -> float:
        return float((model.predict(pictures(test)) == test.labels).double().mean())

    reached = accuracy(trained)
    if reached >= threshold or not trains(student):
        expect(reached, "its test accuracy").at_least(threshold)
        return
    fresh: Any = build()
    x, y = pictures(train_set)[:6000], train_set.labels[:6000]
    fresh.forward(x[:2])  # lazy layers get their parameters now
    for steps, lr in FOLLOW_THROUGH:
        fresh.fit(x, y, steps=steps, batch=128, lr=lr, momentum=0.9)
    name = f"its test accuracy ({reached:.4g} as you trained it), trained by our loop,"
    expect(accuracy(fresh), name).at_least(min(threshold, 0.7))


def pictures(data: FashionMNIST) -> torch.Tensor:
    """All pictures of a data set as a network wants them: float32 (N, 1, 28, 28) in [0, 1]."""
    return data.images[:, None] / 255
