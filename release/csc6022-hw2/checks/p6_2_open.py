"""What `train_open` does, seen on networks so small that their weights tell which pictures trained them, and how.

Pictures have one colour each: a linear network of the three colours' means keeps a column of weights for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, Model, Student, StudentError, TimeLimit, printable

BATCHES = 12  # in an epoch; red and green take turns, the last two are blue
COLOURS = (*("red", "green") * (BATCHES // 2 - 1), "blue", "blue")
UNTRAINED = (
    "no batch changes the weights: is backward() or step() missing, is zero_grad() between them, or has the optimizer "
    "other weights or a learning rate of 0?"
)
RIGHT = 0.3  # the accuracy of a network that has learnt from them, on the pictures of `validation`


def plain(colour: str, bright: Tensor) -> Tensor:
    """Pictures (n, 3, 32, 32) of one colour, of these brightnesses (n,); the other two colours are 0."""
    x = torch.zeros(len(bright), 3, 32, 32)
    x[:, ("red", "green", "blue").index(colour)] = bright[:, None, None]
    return x


def lesson(batches: int = BATCHES) -> tuple[Tensor, Tensor]:
    """Pictures (4 · batches, 3, 32, 32) and labels: bright and dark red are 0 and 1, green 2 and 3, blue 4 and 5."""
    colours = COLOURS[-batches:]
    x = torch.cat([plain(colour, torch.tensor([1.5, -1.5, 1.5, -1.5])) for colour in colours])
    kinds = {"red": 0, "green": 2, "blue": 4}
    return x, torch.tensor([kinds[colour] + dark for colour in colours for dark in (0, 1, 0, 1)])


def undecided() -> tuple[Tensor, Tensor]:
    """One picture ten times, with every label once: the accuracy is 0.1, whatever the network has learnt."""
    return plain("green", torch.ones(10)), torch.arange(10)


def validation(bright: float = -1.5) -> tuple[Tensor, Tensor]:
    """Ten pictures of one colour; three of their labels are right, and no loader of `lesson` has the others."""
    return plain("green", torch.full((10,), bright)), torch.tensor([3] * 3 + [9] * 7)


def layers(dropout: float) -> list[tuple[Any, ...]]:
    """Of a network that maps the colours' means to scores."""
    counter = [("BatchNorm1d", 10, 1e-5, 0.1, False)] if dropout == 1 else []
    return [("AdaptiveAvgPool2d", 1), ("Flatten",), ("Dropout", dropout), ("Linear", 3, 10, False), *counter]


def accuracy(student: Student, model: Model, loader: Any) -> float | None:
    """What the student's `accuracy` says; None if it stops or gives no number, which is judged in part c."""
    try:
        return float(numbers(student.accuracy(model, loader), "the accuracy"))
    except (CheckFailed, RuntimeError):
        return None


def history(student: Student, model: Model, loaders: Sequence[Any], right: float) -> Any:
    """What `train_open` returns; where it can't go on because `accuracy` fails, with `right` in its place."""
    try:
        return student.train_open(model, *loaders)
    except TimeLimit:
        raise
    except StudentError:
        if accuracy(student, model, loaders[1]) is not None:
            raise
        return student.train_open.call_with({"accuracy": [right]}, model, *loaders)[0]


def trained(
    student: Student,
    *,
    dropout: float = 0.0,
    training: bool = True,
    start: Tensor | None = None,
    **sets: tuple[Tensor, Tensor],
) -> tuple[Model, dict[str, Any]]:
    """A network of the colours' means after `train_open`, and the history.

    Args:
        dropout: the share of the means that is dropped. If it is 1, a BatchNorm follows, which counts batches.
        training: the mode in which the network comes.
        start: its weights (10, 3); 0 by default.
        sets: "train" and "validation", pictures and labels in place of those above.
    """
    weights = torch.zeros(10, 3) if start is None else start
    model = student.make_network(*layers(dropout), state={"3.weight": weights})
    loaders = [
        student.make_loader(*sets.get("train", lesson()), batch=4),
        student.make_loader(*sets.get("validation", validation()), batch=4),
    ]
    if not training:
        with suppress(
            CheckFailed
        ):  # of `accuracy`, which is judged in part c; the mode is set before it is asked
            student.mode_after(model, loaders[1], False)
    return model, history(student, model, loaders, RIGHT)


def expect_trained(student: Student) -> None:
    """`train_open` learns from every batch of train_loader, in training mode, and its history tells what happened.

    One that is written for a network of the student's own alone is not looked at: it stops with an error here.
    """
    try:
        model, told = trained(student)
    except TimeLimit:
        raise
    except StudentError:
        return
    weights = model.state()["3.weight"]
    expect_every_batch(student, weights)
    expect_labels(student, weights)
    expect_told(student, model, told)
    expect_cleared(student, model)
    for training in (True, False):
        expect_mode(student, training)
    expect_raw_scores(student)


@contextmanager
def judged_in_part_c(student: Student) -> Iterator[None]:
    """Failures in the block are no failures where `train_open` leaves the training to the student's `train`, and does
    the rest as it should."""
    try:
        yield
    except CheckFailed:
        model = student.make_network(*layers(0.0))
        loaders = [student.make_loader(*undecided(), batch=4) for _ in range(2)]
        with suppress(CheckFailed):
            instead = {"train": [[2.3, 2.2, 2.1]], "accuracy": [0.1]}
            told, calls = student.train_open.call_with(instead, model, *loaders)
            given = [arguments[2] for arguments in calls["train"]]
            if given and all(loader.handle == loaders[0].handle for loader in given):
                expect_form(told)
                return
        raise


def expect_form(told: Any) -> None:
    """What `train_open` returns is a history: a dict with as many losses as accuracies, one to ten."""
    expect(isinstance(told, dict)).is_true("train_open should return a dict of lists, its history")
    epochs = []
    for name in ("loss", "validation accuracy"):
        expect(name in told).is_true(f'the history has no list "{name}"')
        epochs.append(len(numbers(told[name], f'history["{name}"]').reshape(-1)))
        expect(1 <= epochs[-1] <= 10).is_true(
            f'history["{name}"] has {epochs[-1]} numbers: one to ten epochs'
        )
    expect(epochs[0] == epochs[1]).is_true(
        f'history["loss"] has {epochs[0]} numbers, history["validation accuracy"] {epochs[1]}: one for each epoch'
    )


def expect_all_move(
    model: Model, x: Tensor, before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> None:
    """Of the network's weights, before and after training, those have changed that have a gradient for pictures x."""
    draw = torch.Generator().manual_seed(6)
    upstream = torch.randn(len(x), 10, generator=draw)
    gradients = model.gradients(x, upstream=upstream).parameters
    reached = [n for n, g in gradients.items() if g is not None and g.ndim > 1 and g.abs().max() > 1e-6]
    still = [name for name in reached if torch.equal(before[name], after[name])]
    expect(not still or len(still) < len(reached)).is_true(UNTRAINED)
    expect(not still).is_true(
        f"`{printable(''.join(still[:1]), 60)}` is what it was before: give the optimizer all of model.parameters()"
    )


def expect_every_batch(student: Student, weights: Tensor) -> None:
    """Each colour's weights (10, 3) have left 0."""
    moved = dict(zip(("red", "green", "blue"), weights.abs().amax(0) > 0, strict=True))
    if all(moved.values()):
        return
    if any(moved.values()):
        only, _ = trained(student, validation=validation(bright=0.0))
        if not only.state()["3.weight"].any():
            raise CheckFailed(
                "the network is trained on val_loader: take train_loader, and only measure on val_loader"
            )
    else:
        raise CheckFailed(UNTRAINED)
    unused = [str(place) for place, colour in enumerate(COLOURS, 1) if not moved[colour]]
    places = ", ".join(unused[:3]) + (", …" if len(unused) > 3 else "")
    raise CheckFailed(
        f"of {BATCHES} batches in train_loader some change no weight (number {places}): every batch needs its own "
        "scores, backward() and step()"
    )


def expect_labels(student: Student, weights: Tensor) -> None:
    """A colour's weights (10, 3) are larger for the label of bright pictures than for that of dark ones.

    The other labels' gradients are 0 up to rounding, which optimizers such as Adam make as large as the others.
    """
    apart = torch.stack([weights[2 * i, i] - weights[2 * i + 1, i] for i in range(3)]) / weights.abs().amax(0)
    if bool((apart > 0.5).all()):
        return
    if bool((apart < -0.5).all()):
        x, y = lesson(3)
        one, _ = trained(student, train=(x[::2], y[::2]))  # with one label in a batch nothing comes apart
        own = torch.stack([one.state()["3.weight"][2 * i, i] for i in range(3)])
        expect(bool((own > 0).any())).is_true("the loss is made larger, not smaller")
    raise CheckFailed(
        "after training on pictures of one colour each, where the colour tells the label, it has not learnt the "
        "labels: does each picture keep its own?"
    )


def expect_told(student: Student, model: Model, told: dict[str, Any]) -> None:
    """The history's losses change with the network, and its accuracies are those on val_loader."""
    losses = numbers(told["loss"], 'history["loss"]').reshape(-1)
    same = len(losses) > 1 and bool((losses == losses[0]).all())
    expect(not same).is_true(
        f'history["loss"] is {float(losses[0]):.3g} after every epoch, though the network learns'
    )
    own = accuracy(student, model, student.make_loader(*validation(), batch=4))  # judged in part c
    known = [RIGHT, 100 * RIGHT, *([] if own is None else [own])]  # or per cent
    for value in numbers(told["validation accuracy"], "a validation accuracy").reshape(-1).tolist():
        expect(min(abs(value - right) for right in known) < 1e-6).is_true(
            f"on a val_loader where the network has accuracy {RIGHT}, the history's validation accuracy is "
            f"{value:.3g}: measure it after every epoch, on val_loader"
        )


def expect_cleared(student: Student, used: Model) -> None:
    """Gradients that an earlier training has left are cleared: black pictures, which have none, change no weights."""
    loaders = [student.make_loader(torch.zeros(4, 3, 32, 32), torch.arange(4), batch=4)]
    loaders.append(student.make_loader(*undecided(), batch=4))
    moved = []
    for model in (used, student.make_network(*layers(0.0))):
        model.load({"3.weight": torch.zeros(10, 3)})
        history(student, model, loaders, 0.1)
        moved.append(bool(model.state()["3.weight"].any()))
    # a new one moves, too, if pictures are made brighter at random
    expect(moved != [True, False]).is_true(
        "gradients that are there before add to the new ones: optimizer.zero_grad() is missing"
    )


def expect_mode(student: Student, training: bool) -> None:
    """With a dropout of everything the weights never change, unless a batch is trained on in evaluation mode; and every
    loss is log 10, so that its mean is, too.

    If `accuracy` of part c leaves the network in a wrong mode, that is judged there.
    """
    model, told = trained(student, dropout=1.0, training=training, train=lesson(3), validation=undecided())
    losses = numbers(told["loss"], 'history["loss"]').reshape(-1)
    expect_mean(float(losses[0]), batches=3)
    gone = int(model.state()["4.num_batches_tracked"])
    expect(len(losses) > 1 or gone < 9).is_true(  # some look at every batch twice
        f"the history has one number, and {gone} batches of an epoch with three have gone by: one for each epoch"
    )
    if not model.state()["3.weight"].any() or accuracy_changes_mode(student):
        return
    raise CheckFailed(
        "some batches are trained on in evaluation mode: model.train() at the start of every epoch"
        if training
        else "a network that comes in evaluation mode is trained in it: model.train() at the start of every epoch"
    )


def accuracy_changes_mode(student: Student) -> bool:
    """Whether the student's `accuracy` leaves a network in another mode, or stops."""
    model, loader = student.make_network(*layers(1.0)), student.make_loader(*undecided(), batch=4)
    try:
        return not all(student.mode_after(model, loader, True)) or any(
            student.mode_after(model, loader, False)
        )
    except CheckFailed:
        return True


def expect_mean(told: float, batches: int) -> None:
    """A loss of the history is the mean of losses that are all log 10."""
    usual = math.log(10)
    known = {
        "the sum over the batches": batches,
        "the sum over the pictures": 4 * batches,
        "the sum over the pictures, divided by the number of batches": 4,
        "the sum over the batches, divided by the number of pictures": 1 / 4,
    }
    for what, times in known.items():
        expect(abs(told - times * usual) > 1e-3).is_true(
            f'where every loss is log 10 = {usual:.2f}, history["loss"] is {told:.3g}, {what}: it should be their mean'
        )


def expect_raw_scores(student: Student) -> None:
    """The loss is of raw scores: where they are large and wrong it is large, and of their softmax it hardly is."""
    start = torch.zeros(10, 3)
    start[8], start[9] = -40.0, 40.0
    _, told = trained(student, start=start, train=lesson(3), validation=undecided())
    loss = float(numbers(told["loss"], 'history["loss"]').reshape(-1)[0])
    twice = math.log(math.e + 9)  # cross-entropy of the softmax of scores that are sure and wrong
    expect(abs(loss - twice) > 0.01).is_true(
        f"where the scores are sure and wrong the loss is {twice:.3g}, that of softmax taken twice: cross_entropy "
        "wants raw scores"
    )
    expect(not 2.05 < loss < 3).is_true(  # squares of probabilities, which may be meant, end at 2
        f'where the scores are sure and wrong history["loss"] begins with {loss:.3g}; cross-entropy of raw scores is '
        "large there"
    )
