"""Networks of any kind: what part e asks of them before and after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.lesson.checks import expect, numbers, shorten
from chainrule.lesson.student import CheckFailed, Model, printable
from judging.csc6022_hw2.p6_2.accuracy import labelled_images
from judging.csc6022_hw2.p6_2.network import UNREGISTERED, agree, expect_network, generator


def expect_reached(model: Model, x: Tensor) -> None:
    """Gradients reach every parameter on which the scores (N, classes) for these images depend."""
    scores, draw = numbers(expect_network(model).adopt().forward(x), "the scores"), generator(41)
    if not agree(numbers(model.forward(x), "the scores"), scores):
        return  # chance has a part in them, so nothing shows what they depend on
    upstream = torch.randn(scores.shape, generator=draw)
    gradients, state = model.gradients(x, upstream=upstream).parameters, model.state()
    for name in [name for name, gradient in gradients.items() if gradient is None]:
        model.load({name: state[name] + torch.randn(state[name].shape, generator=draw)})
        matters = not agree(numbers(model.forward(x), "the scores"), scores)
        model.load({name: state[name]})
        expect(not matters).is_true(
            f"the scores depend on `{printable(name, 60)}`, but no gradient reaches it: forward must not switch "
            "gradients off (torch.no_grad, detach, .data)"
        )


def expect_learns_by_heart(make: Callable[[], Any], wanted: int = 14) -> None:
    """Trained by us, a network classifies most of 20 training images correctly."""
    expect_network(make())  # before pictures are read
    x, y = labelled_images("train", 20)
    best = 0
    for lr in (0.01, 0.05, 0.002):
        model = expect_network(make()).adopt(x[:2])
        model.forward(x[:2])  # gives lazy layers their parameters
        expect(bool(model.state())).is_true(UNREGISTERED)
        model.fit(x, y, steps=100, batch=20, lr=lr, momentum=0.9)
        try:
            best = max(best, int((model.predict(x) == y).sum()))
        except CheckFailed as failure:
            if "NaN" not in str(failure):
                raise
        if best >= wanted:
            break
    expect_reached(model, x[:2])
    if best >= wanted:
        return
    raise CheckFailed(
        f"trained by us on 20 images, it classifies {best} of them correctly; it should learn at least {wanted}"
    )


def expect_alone(model: Model) -> None:
    """In eval mode an image's scores depend on that image alone."""
    x, y = labelled_images("train", 24)
    expect_network(model).adopt().expect_weights(x)  # which also gives lazy layers their parameters
    model.fit(x, y, steps=4, batch=24, lr=0.01, momentum=0.9)
    once, again, few = (numbers(model.logits(part), "the scores") for part in (x, x, x[:3]))
    expect(agree(once, again)).is_true(
        "asked twice, it scores an image differently: dropout, or another draw, is active in eval mode"
    )
    expect(not agree(once, once[:1].expand_as(once))).is_true("it scores every image alike")
    expect(agree(once[:3], few)).is_true(
        "in eval mode an image's scores depend on the others in the batch: by statistics of the batch in place of "
        "running ones, or by a reshape that mixes images"
    )


def expect_statistics(model: Model) -> None:
    """Buffers, such as running statistics, change in training mode and not in eval mode."""
    x, _ = labelled_images("train", 24)
    expect_network(model).adopt().expect_weights(x)
    model.forward(x)
    parameters = len(model.state())
    before = model.state()
    model.forward(3 * x + 1)
    after = model.state()
    expect(len(after) == parameters and all(torch.equal(before[n], after[n]) for n in before)).is_true(
        "a look at images in eval mode changes the network's running statistics"
    )
    model.forward(3 * x + 1, training=True)
    trained = model.state()
    frozen = [
        name
        for name in before
        if name.endswith(("running_mean", "running_var")) and torch.equal(before[name], trained[name])
    ]
    expect(not frozen).is_true(
        f"{shorten(', '.join(frozen))} stays as it was in training mode, so eval mode knows nothing about the data"
    )


def expect_unsure(model: Model) -> None:
    """Before training the mean loss is near log 10."""
    x, y = labelled_images("train", 100)
    expect_network(model).expect_weights(x)
    z = numbers(model.logits(x, classes=10, training=True, dropout=False), "the scores")
    loss = float(F.cross_entropy(z, y))
    expect(2.0 <= loss <= 3.0).is_true(
        f"before training the loss is {loss:.3f}; a network that knows nothing yet has about log 10 = 2.303"
    )
