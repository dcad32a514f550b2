"""Training for whole epochs: its steps, its modes and the losses that it returns."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_2.steps import (
    DECAYED,
    LOSSES,
    Loss,
    Regression,
    close,
    descends,
    expect_first_loss,
    expect_unclipped,
    expect_undecayed,
    regression,
    share_of_step,
)


def trained(student: Student, c: Regression, lr: float, epochs: int = 1) -> tuple[Tensor, Any]:
    """Weights (4, 7), biases last, after the student's `train`, and what it returned."""
    state = {"0.weight": c.weight.float(), "0.bias": c.bias.float()}
    model = student.make_network(("Linear", 6, 4), state=state)
    optimizer = student.plain_sgd(model, lr)
    more = () if epochs == 1 else (epochs,)  # one epoch is the default
    losses = student.train(model, optimizer, student.make_loader(c.x.float(), c.y, batch=4), *more)
    after = model.state()
    return torch.cat([after["0.weight"], after["0.bias"][:, None]], 1), losses


def gathered(c: Regression, lr: float, size: int, mean: bool, rest: bool) -> Tensor:
    """Weights (4, 7) after an epoch in which every step takes the gradients of `size` batches.

    Args:
        mean: whether they are averaged, not added.
        rest: whether a last step takes the batches that are left over.
    """
    w, batches = c.start, c.batches()
    for first in range(0, len(batches), size):
        group = batches[first : first + size]
        if len(group) == size or rest:
            steps = [w - c.at(w)._replace(x=x, y=y).after(1.0) for x, y in group]
            w = w - lr * torch.stack(steps).sum(0) / (size if mean else 1)
    return w


UNTRAINED = "the weights never change: backward() or step() is missing, or zero_grad() is between them"
GATHERED = "one step takes the gradients of {} batches: clear, backward and step for every batch"


def expect_sgd(student: Student, c: Regression) -> None:
    """`train` makes one step for every batch, in every epoch, with the optimizer it is given."""

    def mistakes(lr: float, epochs: int) -> dict[str, Any]:
        known = {
            UNTRAINED: c.after(lr, epochs=0),
            "old gradients pile up: optimizer.zero_grad() is missing": c.after(
                lr, epochs=epochs, clear="never"
            ),
            "gradients are cleared once an epoch, not for every batch": c.after(
                lr, epochs=epochs, clear="epoch"
            ),
            "the step uses the batch before's gradients: step() comes before backward()": c.after(
                lr, epochs=epochs, stale=True
            ),
            **{what: c.after(lr, epochs=epochs, loss=loss) for what, loss in LOSSES.items() if what},
            "the loss is made larger, not smaller": c.after(
                lr, epochs=epochs, loss=lambda z, y: -F.cross_entropy(z, y)
            ),
            "every batch is used for two steps": c.after(lr, epochs=epochs, repeat=2),
            "only the last batch of each epoch is used": c.after(lr, epochs=epochs, only=slice(-1, None)),
            "only the first batch of each epoch is used": c.after(lr, epochs=epochs, only=slice(1)),
            "the argument epochs is not used": c.after(lr, epochs=1),
            "one epoch is missing": c.after(lr, epochs=epochs - 1),
            "there is an epoch too many": c.after(lr, epochs=epochs + 1),
        }
        if epochs == 1:
            known |= {
                GATHERED.format({2: "two", 3: "three", 4: "all"}[size]): gathered(c, lr, size, mean, rest)
                for size in (2, 3, 4)
                for mean in (True, False)
                for rest in (True, False)
            }
        return known

    for lr, epochs in ((0.2, 1), (0.3, 3)):
        got, right = trained(student, c, lr, epochs)[0], c.after(lr, epochs=epochs)
        known = mistakes(lr, epochs)
        try:
            expect(got, "a weight after training").close_to(right, mistakes=known)
        except CheckFailed as failure:
            if UNTRAINED in str(failure) and not close(trained(student, c, lr, 2)[0], c.after(lr, epochs=0)):
                raise CheckFailed(
                    "a weight after training for one epoch: it has not changed; for two, it has"
                ) from None
            if any(what in str(failure) for what in known):
                raise
            raise CheckFailed(unlike_sgd(student, c, lr, epochs) or str(failure)) from None
    expect_undecayed(c, trained(student, c.dark(), 0.2)[0])
    expect_unclipped(c, trained(student, c.large(), 0.01)[0], 0.01)
    many = c._replace(x=c.x.repeat(60, 1), y=c.y.repeat(60))
    got = trained(student, many, 0.01)[0]
    expect(got, "a weight after an epoch of 225 batches").close_to(many.after(0.01), rtol=1e-3)


def unlike_sgd(student: Student, c: Regression, lr: float, epochs: int) -> str:
    """What is wrong about a training whose weights no known mistake explains, found by training on less; empty if
    nothing is found."""
    if not torch.equal(trained(student, c.dark(), lr)[0][:, :-1].float(), c.weight.float()):
        return DECAYED
    # With one label for all, images and labels can't be mixed up.
    alike, right = c._replace(y=torch.full_like(c.y, 2)), c.after(lr, epochs=epochs)
    missed = (trained(student, c, lr, epochs)[0] - right).norm() / (right - c.start).norm()
    if missed > 0.05 and close(trained(student, alike, lr, epochs)[0], alike.after(lr, epochs=epochs)):
        return "images and labels come apart: with one label for all the training is right, otherwise not"
    first = share_of_step(c, lr, trained(student, c.rows(4), lr)[0])
    if first is None:
        return "the first step does not go along the gradient of the batch's mean cross-entropy"
    if abs(first - 1) > 1e-3:
        other = share_of_step(c, lr / 2, trained(student, c.rows(4), lr / 2)[0])
        if other is not None and abs(other - 2 * first) < 1e-2 * abs(first):
            return "the steps are the same whatever the optimizer's learning rate: use the optimizer that is given"
        return f"a step is {first:.3g} times the learning rate times the gradient"
    later = c.at(c.rows(4).after(lr))
    if epochs == 1:  # the second step of this epoch
        later = later._replace(x=c.x[4:8], y=c.y[4:8])
        second = share_of_step(later, lr, trained(student, c.rows(8), lr)[0])
        where, than = "the second batch", "the first batch's"
    else:  # the first step of the next epoch
        second = share_of_step(later, lr, trained(student, c.rows(4), lr, epochs=2)[0])
        where, than = "the second epoch", "the first epoch's"
    if second is not None and abs(second - 1) > 1e-3:
        return (
            f"the learning rate changes: {where}'s is {second:.3g} times {than}. Leave the optimizer as it is"
        )
    return ""


def expect_trained_in_train_mode(student: Student, modes: bool = True) -> None:
    """Every batch of every epoch is trained on in training mode: with a dropout of everything only biases can learn.

    Args:
        modes: whether networks have a mode that stays, which may go wrong in the middle of a long epoch.
    """
    c = regression(15)

    def learns_weights(c: Regression, batch: int, epochs: int) -> bool:
        model = student.make_network(
            ("Dropout", 1.0), ("Linear", 6, 4), state={"1.weight": c.weight.float(), "1.bias": c.bias.float()}
        )
        loader, before = student.make_loader(c.x.float(), c.y, batch=batch), model.state()["1.weight"]
        student.mode_after(model, loader, False)  # leaves the model in evaluation mode
        student.train(model, student.plain_sgd(model, 0.1), loader, epochs)
        if torch.equal(before, after := model.state()["1.weight"]):
            return False
        model.load(
            {"1.weight": c.weight.float(), "1.bias": c.bias.float()}
        )  # weights may decay without images, too
        dark = student.make_loader(0 * c.x.float(), c.y, batch=batch)
        student.mode_after(model, dark, False)
        student.train(model, student.plain_sgd(model, 0.1), dark, epochs)
        return not torch.equal(after, model.state()["1.weight"])

    if not train_moves(student):  # which has lost its points
        expect_counted(student, c)
        return
    expect(not learns_weights(c, 4, 1)).is_true(
        "a model that comes in evaluation mode is trained in it: model.train() is missing"
    )
    expect(not learns_weights(c, 4, 3)).is_true(
        "after the first epoch the model is trained in evaluation mode: model.train() at the start of every epoch"
    )
    if not modes:
        return
    many = c._replace(x=c.x.repeat(30, 1), y=c.y.repeat(30))
    expect(not learns_weights(many, 1, 1)).is_true(
        "in an epoch of 450 batches some are trained on in evaluation mode: model.train() after every look at accuracy"
    )


def expect_counted(student: Student, c: Regression) -> None:
    """A BatchNorm counts all batches of all epochs, as it does in training mode."""
    model = student.make_network(("BatchNorm1d", 6), ("Linear", 6, 4))
    loader = student.make_loader(c.x.float(), c.y, batch=4)
    student.mode_after(model, loader, False)
    student.train(model, student.plain_sgd(model, 0.1), loader, 3)
    seen = int(model.state()["0.num_batches_tracked"])
    expect(seen >= 12).is_true(
        f"train changes no weights yet, and of 12 batches {seen} are seen in training mode"
    )


def expect_all_losses(student: Student, c: Regression) -> None:
    """`train` returns a loss for every step: that of its batch before the step, at the weights that the student's
    training has reached."""
    c = c._replace(y=torch.full_like(c.y, 2))  # another check judges whether images and labels stay together
    lr = 0.1
    weights, losses = trained(student, c, lr, epochs=2)
    losses = numbers(losses, "what train returns")
    if differ(weights, c.start, rtol=1e-6, atol=1e-7) == 0:  # which has lost its points
        here = [F.cross_entropy(x @ c.weight.T + c.bias, y) for x, y in c.batches()]
        expect(losses, "the losses, of weights that never change,").close_to(torch.stack(here * 2))
        return
    reached = [trained(student, c.rows(4 * n), lr)[0] if n else c.start for n in range(5)]
    batches, epochs = list(range(4)), 2
    if losses.ndim == 0 or len(losses) != 8:  # another check judges which steps are made
        batches = [i for i in batches if not close(reached[i], reached[i + 1])]
        epochs = 1 if close(weights, reached[4]) else 2
    count, steps = (len(losses) if losses.ndim else 1), epochs * len(batches)
    what = (
        f"the number of losses, for {steps} steps,"
        if steps < 8
        else "the number of losses, for two epochs of four batches,"
    )
    expect(count, what).equals(steps)
    losses = losses.reshape(count, -1)[:, 0]
    loss = trained_loss(reached[1], c)
    try:
        expect_first_loss(losses[0], c, loss)
    except CheckFailed:
        first = c.rows(4)
        right_way = close(reached[1], first.after(lr))
        if right_way or not descends(
            lambda w: trained(student, first.at(w), lr)[1][0], c.start, (c.start - reached[1]) / lr
        ):
            raise
        return  # the losses that its steps descend
    for place, i in enumerate(batches):
        x, y = c.batches()[i]
        here = [loss(x @ w[:, :-1].T + w[:, -1], y) for w in (*reached[i : i + 2], c.start)]
        expect(any(differ(losses[place], value, rtol=1e-3, atol=1e-5) == 0 for value in here)).is_true(
            f"the loss of step {place + 1} is {float(losses[place]):.4g}; that of its batch is {float(here[0]):.4g}"
        )
    if epochs == 2:
        again = (losses[: steps // 2] - losses[steps // 2 :]).abs().max() > 1e-6
        expect(bool(again)).is_true("the second epoch's losses are those of the first")


def trained_loss(weights: Tensor, c: Regression) -> Loss:
    """The one of LOSSES that explains the weights after a step with learning rate 0.1; by default the right one."""
    for loss in LOSSES.values():
        if differ(weights, c.after(0.1, only=slice(1), loss=loss), rtol=1e-4, atol=1e-5) == 0:
            return loss
    return F.cross_entropy


def train_moves(student: Student) -> bool:
    """Whether `train` changes weights, even if it raises an exception later."""
    c = regression(32)
    model = student.make_network(("Linear", 6, 4))
    before = model.state()["0.weight"]
    with contextlib.suppress(CheckFailed):
        student.train(model, student.plain_sgd(model, 0.1), student.make_loader(c.x.float(), c.y, batch=4))
    return not torch.equal(before, model.state()["0.weight"])
