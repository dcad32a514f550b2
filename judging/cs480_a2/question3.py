"""Question 3: the accuracies of networks that students have trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from itertools import permutations
from typing import Any

import torch

from chainrule.datasets.fashion_mnist import FashionMNIST
from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Function, Model, Student

# Steps and learning rates of our own training run; small steps at the end make its result less random.
OUR_TRAINING = ((400, 0.05), (70, 0.005))


def trains(student: Student) -> tuple[bool, bool]:
    """Whether the student's `train` changes weights by the pictures of `train_loader`, and of `test_loader`, even if it
    raises an exception later.

    Each of the two has inputs of its own, and a weight follows only inputs that are not 0.
    """
    own = torch.tensor([1.0, 1, 1, 0, 0, 0])
    changed = changed_by(student, own, 1 - own)
    # inputs may be moved on the way, which has other checks: then these follow black test pictures as well
    on_test = bool(changed[3:].any()) and not bool(changed_by(student, own, 0 * own)[3:].any())
    return bool(changed[:3].any()) or (bool(changed[3:].any()) and not on_test), on_test


def changed_by(student: Student, own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """For each of six inputs, whether weights follow it after training.

    Args:
        own, others: by what the inputs of both loaders are multiplied, (6,).
    """
    zeros = {"0.weight": torch.zeros(4, 6), "0.bias": torch.zeros(4)}  # which weight decay leaves alone
    model = student.make_network(("Linear", 6, 4), state=zeros)
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(12))
    loaders = [student.make_loader(x * part, torch.arange(8) % 4, batch=4) for part in (own, others)]
    with contextlib.suppress(CheckFailed):
        student.train(model, *loaders, epochs=2, device="cpu")
    return model.state()["0.weight"].any(0)


def expect_test_pictures_unused(student: Student) -> None:
    """The student's `train` takes no steps on the test pictures.

    Raises:
        CheckFailed: it does.
    """
    if trains(student)[1]:
        raise CheckFailed(
            "train takes steps on the pictures of test_loader: only those of train_loader are for training"
        )


def expect_accuracy(
    student: Student,
    trained: Any,
    build: Function,
    test: FashionMNIST,
    train_set: FashionMNIST,
    threshold: float,
    kind: str = "linear",
) -> None:
    """The trained model reaches the threshold on the test images.

    Error carried forward: if it does not, but the student's training loop changes weights, it is enough that a new
    network of the student's reaches 0.7 after 470 steps of our training on 6,000 images, where the reference reaches
    0.86 and more. Other checks judge training loop and network. What was trained on the test pictures shows nothing by
    its accuracy on them, so there only our training counts.

    Args:
        trained: the student's trained model; None or something else if there is none.
        build: the student's network class.
        threshold: an accuracy from 0 to 1.
        kind: of the first of the network's layers with weights; the last one is linear.
    """
    if not isinstance(trained, Model):
        raise CheckFailed("there is no trained network yet: write network and training step, then train it")

    kinds = [
        layer.kind for layer in trained.layers(inputs_of(test)[:2]) if layer.kind in ("conv2d", "linear")
    ]
    if kinds[:1] != [kind] or kinds[-1] != "linear" or len(kinds) < 2:
        listed = ", ".join(kinds) or "none"
        raise CheckFailed(
            f"the trained network is another one than was asked for; its layers with weights: {listed}"
        )

    def accuracy(model: Model) -> float:
        return float((model.predict(inputs_of(test)) == test.labels).double().mean())

    reached = accuracy(trained)
    on_train, on_test = trains(student)
    if (reached >= threshold and not on_test) or not (on_train or on_test):
        expect(reached, "its test accuracy").at_least(threshold)
        return
    fresh: Any = build()
    x, y = inputs_of(train_set)[:6000], train_set.labels[:6000]
    fresh.forward(x[:2])  # gives lazy layers their parameters
    for steps, lr in OUR_TRAINING:
        fresh.fit(x, y, steps=steps, batch=128, lr=lr, momentum=0.9)
    name = f"its test accuracy ({reached:.4g} as you trained it), trained by our loop,"
    expect(accuracy(fresh), name).at_least(min(threshold, 0.7))


# Where ten epochs on the full data end: numbers typed in after a full run count wherever they are graded.
FULL_RUN = {
    ("MLP", "train"): (0.9, 0.96),
    ("MLP", "test"): (0.86, 0.92),
    ("CNN", "train"): (0.9, 0.97),
    ("CNN", "test"): (0.87, 0.94),
}
SAME = 0.005  # numbers of one network on one part of the data, rounded or on fewer pictures

Entry = Callable[[Student, str, str], float]  # of the student's table, by network and part of the data


def expect_agreement(student: Student, entry: Entry, model: str, split: str) -> None:
    """An entry of the table is what the trained network reaches here or, if that has learnt anything, up to what a full
    run reaches. Entries that are the right ones in another order are found by all of them together.

    Args:
        model: "MLP" or "CNN".
        split: "train" or "test".
    """
    reported, own = entry(student, model, split), measured(student, model, split)
    if own is None:
        raise CheckFailed(f"there is no trained `{model.lower()}` that the number could be of")
    if all_alike(student, entry):
        raise CheckFailed(f"the table says {reported:.4g}: all four entries are the same")
    if (epoch := earlier(student, entry, model)) is not None:
        raise CheckFailed(f"the {model}'s entries are those after epoch {epoch}, not after the last one")
    if abs(reported - own) <= SAME:
        return
    if place := exchanged(student, entry, model, split):
        raise CheckFailed(
            f"the table says {reported:.4g}: that is the {place[0]}'s on the {place[1]} pictures"
        )
    if place := copied(student, entry, model, split):
        raise CheckFailed(
            f"the table says {reported:.4g}, its entry for the {place[0]}'s {place[1]} accuracy"
        )
    low, high = FULL_RUN[model, split]
    if own > 0.5 and min(low, own - 0.02) <= reported <= max(high, own + 0.02):
        return
    expect(abs(reported - own) <= 0.02).is_true(
        f"the table says {reported:.4g}, your trained {model} reaches {own:.4g} on the {split} pictures"
    )


def all_alike(student: Student, entry: Entry) -> bool:
    """Whether the table has one number four times."""
    try:
        return len({entry(student, *place) for place in FULL_RUN}) == 1
    except CheckFailed:
        return False


def copied(student: Student, entry: Entry, model: str, split: str) -> tuple[str, str] | None:
    """The place of another entry with the same number, which is right there; None if there is none."""
    reported = entry(student, model, split)
    for place in FULL_RUN:
        with contextlib.suppress(CheckFailed):
            own = measured(student, *place)
            same = place != (model, split) and entry(student, *place) == reported
            if same and own is not None and abs(reported - own) <= SAME:
                return place
    return None


def earlier(student: Student, entry: Entry, model: str) -> int | None:
    """The epoch before the last, counted from 1, after which the student's history has both of a network's entries. One
    of them alone may agree by chance, if the numbers are from another run."""
    with contextlib.suppress(CheckFailed, KeyError, TypeError, IndexError):
        history = getattr(student, f"{model.lower()}_history")
        both = [numbers(history[split], "accuracies") for split in ("train", "test")]
        typed = [entry(student, model, split) for split in ("train", "test")]
        agree = [
            all(abs(float(values[epoch]) - own) < 1e-6 for values, own in zip(both, typed, strict=True))
            for epoch in range(len(both[0]))
        ]
        if any(agree) and not agree[-1]:
            return agree.index(True) + 1
    return None


def exchanged(student: Student, entry: Entry, model: str, split: str) -> tuple[str, str] | None:
    """Where an entry belongs if the whole table is right in another order; None if it is not."""
    reached = {key: measured(student, *key) for key in FULL_RUN}
    try:
        table = [entry(student, *key) for key in reached]
    except CheckFailed:
        return None
    for order in permutations(reached):
        values = [reached[key] for key in order]
        if all(v is not None and abs(one - v) <= SAME for one, v in zip(table, values, strict=True)):
            return dict(zip(reached, order, strict=True))[model, split]
    return None


@lru_cache(maxsize=8)  # the entries of a table are compared with each other, too
def measured(student: Student, model: str, split: str) -> float | None:
    """The accuracy of the student's trained network on up to 10,000 pictures; None if there is no such network."""
    trained = student.mlp if model == "MLP" else student.cnn
    if not isinstance(trained, Model):
        return None
    data = FashionMNIST("./data", train=split == "train")
    return float((trained.predict(inputs_of(data)[:10_000]) == data.labels[:10_000]).double().mean())


def inputs_of(data: FashionMNIST) -> torch.Tensor:
    """All images of a data set as a network's input: float32 (N, 1, 28, 28) in [0, 1]."""
    return data.images[:, None] / 255
