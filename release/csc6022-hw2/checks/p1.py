"""The visible checks of problem 1. Gradients are compared with central differences of the student's own loss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import Item
from chainrule.lesson.calls import about, call, entry
from chainrule.lesson.checks import differ, expect
from chainrule.lesson.student import CheckFailed, Student
from checks.slopes import differences, expect_slopes, one_hot, shaped, wave

BY_HAND = "for your information: no automatic differentiation"
Params = dict[str, Tensor]
Sample = tuple[Tensor, Tensor, Params]  # x, y, params


def parameters(D: int, K: int, C: int, start: float) -> Params:
    """Parameters of a network. No pre-activation of the samples below is near 0, and some are on either side."""
    shapes = {"W": (K, D), "b1": (K,), "V": (C, K), "b2": (C,)}
    return {name: wave(*shape, start=start + i) for i, (name, shape) in enumerate(shapes.items())}


SAMPLES: list[Sample] = [
    (wave(4, start=16.9), one_hot(2, 3), parameters(4, 6, 3, 2.4)),  # b1 turns the sign of some of W x
    (wave(3, start=0.7), one_hot(1, 5), parameters(3, 4, 5, 2.0)),
]
# numbers of the right shapes for the first sample, made up: what is checked with them needs no mlp_forward
MADE_UP: dict[str, Any] = {
    "z": torch.tensor([1.0, -2.0, 0.5, -0.3, 2.0, -1.0], dtype=torch.float64),
    "h": torch.tensor([1.0, 0.0, 0.5, 0.0, 2.0, 0.0], dtype=torch.float64),
    "a": torch.tensor([-1.6, -0.7, -1.2], dtype=torch.float64),
    "p": torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64),
    "loss": 1.2,
}


# -- 1.2 -------------------------------------------------------------------------------------------------


def tensor(rows: Sequence[Any]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# small enough for pencil and paper
SMALL: Sample = (
    tensor([1, -2]),
    one_hot(0, 3),
    {
        "W": tensor([[1, 0], [0, 1], [2, 1], [-1, -1]]),
        "b1": tensor([0.5, 1, -1, 0]),
        "V": tensor([[1, 2, 3, -1], [0, 1, -1, 2], [2, -1, 0, 1]]),
        "b2": tensor([0.5, -2, -2]),
    },
)
OF_SMALL = {"z": [1.5, -1.0, -1.0, 1.0], "a": [1.0, 0.0, 2.0], "loss": 1.4076}


def forward(item: Item) -> None:
    """Visible checks of mlp_forward."""

    def values(student: Student, sample: Sample) -> dict[str, Tensor]:
        x, y, params = sample
        result = call(student.mlp_forward, x, y, params)
        K, C = len(params["b1"]), len(y)
        shapes: dict[str, tuple[int, ...]] = {"z": (K,), "h": (K,), "a": (C,), "p": (C,), "loss": ()}
        return {
            key: shaped(entry(result, key, "mlp_forward"), f'"{key}"', shape) for key, shape in shapes.items()
        }

    @item.visible_check(
        "every entry is there and has its shape", means="right form", hint="z, h: (K,); a, p: (C,)"
    )
    def _(student: Student) -> None:
        for sample in SAMPLES:
            values(student, sample)

    @item.visible_check(
        '"z" and "a" of a small network',
        means="right",
        hint="x = (1, −2), b1 = (0.5, 1, −1, 0), … in checks/p1.py: compute an entry with pencil and paper",
    )
    def _(student: Student) -> None:
        got = values(student, SMALL)
        for key in ("z", "a"):
            expect(got[key], f'"{key}"').close_to(OF_SMALL[key])

    @item.visible_check(
        '"h" agrees with your "z"', means="consistent", hint="ReLU looks at every entry of z by itself"
    )
    def _(student: Student) -> None:
        x, y, params = SMALL
        for sample in (*SAMPLES, SMALL, (20 * x, y, params)):  # in the last one z is large
            got = values(student, sample)
            live = got["z"] > 0
            expect(got["h"][live], '"h" where z > 0').close_to(got["z"][live])
            expect(got["h"][~live], '"h" where z < 0').close_to(torch.zeros(int((~live).sum())))

    @item.visible_check(
        '"p" agrees with your "a"',
        means="consistent",
        hint="probabilities are positive and sum to 1, and log p_i − log p_j = a_i − a_j",
    )
    def _(student: Student) -> None:
        for sample in (*SAMPLES, SMALL):
            got = values(student, sample)
            expect(got["p"].min() > 0).is_true(
                f'"p" has the entry {got["p"].min():.3g}, which is not positive'
            )
            expect(got["p"].sum(), "the sum of the probabilities").close_to(1.0)
            apart = got["p"].log() - got["p"].log()[0]
            expect(apart, "log p − log p[0]").close_to(got["a"] - got["a"][0], rtol=1e-3)

    @item.visible_check(
        '"loss" agrees with your "p", for every class',
        means="consistent",
        hint="the loss is −log p of the true class: 0 if that is certain, and never negative",
    )
    def _(student: Student) -> None:
        for x, y, params in (*SAMPLES, SMALL):
            for label in range(len(y)):
                got = values(student, (x, one_hot(label, len(y)), params))
                certain = float((-got["loss"]).exp())  # what the loss says about p
                name = f"the probability that the loss belongs to, for class {label},"
                expect(certain, name).close_to(got["p"][label], rtol=1e-3)

    @item.visible_check(
        '"loss" of a small network',
        means="right",
        hint="the sum over the classes, with the natural logarithm",
    )
    def _(student: Student) -> None:
        expect(values(student, SMALL)["loss"], "the loss").close_to(OF_SMALL["loss"], rtol=1e-3)

    @item.visible_check(
        "large logits: the probabilities stay finite",
        means="right",
        hint="subtract the largest logit from all of them before you take exponentials",
    )
    def _(student: Student) -> None:
        for sample, top in large_logits():
            p = entry(call(student.mlp_forward, *sample), "p", "mlp_forward")
            expect(shaped(p, '"p"', (3,)), '"p"').close_to(one_hot(top, 3))

    @item.visible_check(
        "large logits: the loss stays finite",
        means="right",
        hint="log p_i = a_i − log Σ exp(a_j): shift the logits, and take the logarithm of no probability",
    )
    def _(student: Student) -> None:
        for sample, top in large_logits():
            b2, y = sample[2]["b2"], sample[1]
            loss = entry(call(student.mlp_forward, *sample), "loss", "mlp_forward")
            name = f"the loss for logits {b2.tolist()} and class {int(y.argmax())}"
            # next to the largest one, the other exponentials vanish
            expect(shaped(loss, '"loss"', ()), name).close_to(b2[top] - b2.dot(y))


def large_logits() -> list[tuple[Sample, int]]:
    """Samples whose logits are b2, since V is 0, and the class with the largest logit."""
    x, _, params = SMALL
    dead = {**params, "V": torch.zeros(3, 4, dtype=torch.float64)}
    samples: list[tuple[Sample, int]] = []
    for logits, top in (([900, 0, -900], 0), ([-2500, -1700, -900], 2)):
        for label in range(3):
            samples.append(((x, one_hot(label, 3), {**dead, "b2": tensor(logits)}), top))
    return samples


# -- 1.3 -------------------------------------------------------------------------------------------------


def own_loss(student: Student, x: Tensor, y: Tensor, params: Params) -> float:
    """The loss of a sample by the student's mlp_forward."""
    with about("`mlp_forward`, which this check needs"):
        result = call(student.mlp_forward, x, y, params)
        return float(shaped(entry(result, "loss", "mlp_forward"), '"loss"', ()))


def own_cache(student: Student, sample: Sample) -> dict[str, Any]:
    """What the student's mlp_forward returns for a sample: vectors as the text has them, in float64."""
    K, C = len(sample[2]["b1"]), len(sample[1])
    shapes: dict[str, tuple[int, ...]] = {"z": (K,), "h": (K,), "a": (C,), "p": (C,), "loss": ()}
    with about("`mlp_forward`, which this check needs"):
        result = call(student.mlp_forward, *sample)
        found = {key: entry(result, key, "mlp_forward") for key in shapes}
        return {key: shaped(value, f'"{key}"', shapes[key]) for key, value in found.items()}


def own_slope(student: Student, sample: Sample, name: str) -> Tensor:
    """Central differences of the student's loss for x or a parameter."""
    x, y, params = sample

    def loss(value: Tensor) -> float:
        moved = {**params, "x": x, name: value}
        return own_loss(student, moved.pop("x"), y, moved)

    return differences(loss, {**params, "x": x}[name])


CLOSE = {"rtol": 3e-3, "atol": 1e-3}  # for differences of a loss in float32
# the biases are added to a and z, so the loss changes with them as it does with a and z
MOVED = {"u2": "b2", "u1": "b1"}


def backward(item: Item) -> None:
    """Visible checks of mlp_backward."""

    def shapes(sample: Sample) -> dict[str, tuple[int, ...]]:
        x, _, params = sample
        known = {**{name: tuple(value.shape) for name, value in params.items()}, "x": tuple(x.shape)}
        return {**{name: known[moved] for name, moved in MOVED.items()}, **known}

    @item.visible_check(
        "every entry is there and has its shape",
        means="right form",
        hint="a gradient has the shape of what it belongs to: see the docstring",
    )
    def _(student: Student) -> None:
        sample = SAMPLES[0]
        result = call(student.mlp_backward, *sample, MADE_UP)
        for key, shape in shapes(sample).items():
            shaped(entry(result, key, "mlp_backward"), f'"{key}"', shape)

    for keys, hint in (
        (("u2", "u1"), "u2 is the slope of the loss for a, u1 that for z: go back through V and the ReLU"),
        (("V", "b2"), "entry (i, j) says how the loss changes with V[i, j]; your u2 and h are in it"),
        (("W", "b1"), "entry (i, j) says how the loss changes with W[i, j]; your u1 and x are in it"),
        (("x",), "x reaches the loss through W, and through every hidden unit that is not switched off"),
    ):
        names = " and ".join(f'"{key}"' for key in keys)

        @item.visible_check(
            f"{names}: your loss changes like this in central differences", means="consistent", hint=hint
        )
        def _(student: Student, keys: tuple[str, ...] = keys) -> None:
            for sample in SAMPLES:
                result = call(student.mlp_backward, *sample, own_cache(student, sample))
                for key in keys:
                    got = shaped(entry(result, key, "mlp_backward"), f'"{key}"', shapes(sample)[key])
                    want = own_slope(student, sample, MOVED.get(key, key))
                    expect_slopes(got, want, f'"{key}"', **CLOSE)

    @item.check(BY_HAND, points=0, hint="write the formulas of 1.1")
    def _(student: Student) -> None:
        call(student.mlp_backward.expect_by_hand, *SAMPLES[0], MADE_UP)


# -- 1.4 -------------------------------------------------------------------------------------------------

Batch = tuple[Tensor, Tensor, Params]  # X, Y, params
BATCHES: list[Batch] = [
    (wave(5, 2, start=4.5), torch.eye(3, dtype=torch.float64)[[2, 0, 1, 1, 0]], parameters(2, 4, 3, 2.6)),
    (wave(2, 3, start=0.7), torch.eye(5, dtype=torch.float64)[[1, 4]], parameters(3, 4, 5, 2.0)),
]


def batch(item: Item) -> None:
    """Visible checks of mlp_backward_batch."""

    @cache  # for this one score of the item
    def measured(student: Student, which: int, name: str) -> Tensor:
        """The slopes of each sample's loss, along the first axis, for one of BATCHES."""
        X, Y, params = BATCHES[which]
        return torch.stack([own_slope(student, (x, y, params), name) for x, y in zip(X, Y, strict=True)])

    def values(student: Student, batch: Batch) -> dict[str, Tensor]:
        X, Y, params = batch
        result = call(student.mlp_backward_batch, X, Y, params)
        K, (N, C) = len(params["b1"]), Y.shape
        shapes: dict[str, tuple[int, ...]] = {"U2": (N, C), "U1": (N, K)}
        shapes |= {key: tuple(value.shape) for key, value in {**params, "X": X}.items()}
        return {
            key: shaped(entry(result, key, "mlp_backward_batch"), f'"{key}"', shape)
            for key, shape in shapes.items()
        }

    @item.visible_check(
        "every entry is there and has its shape",
        means="right form",
        hint="U2, U1 and X have a row for each sample, the others have the shape of their parameter",
    )
    def _(student: Student) -> None:
        for one in BATCHES:
            values(student, one)

    @item.visible_check(
        '"U2" and "U1": a row for each sample, with 1/N or without it',
        means="consistent",
        hint="row n is what u2 and u1 of 1.3 are for sample n: the softmax runs over its classes, the mask is its own",
    )
    def _(student: Student) -> None:
        for which, one in enumerate(BATCHES):
            got = values(student, one)
            for key, moved in (("U2", "b2"), ("U1", "b1")):
                want = measured(student, which, moved)
                share = 1 / len(want) if got[key].norm() < want.norm() / len(want) ** 0.5 else 1.0
                expect_slopes(got[key], share * want, f'"{key}"', **CLOSE)

    for keys in (("V", "b2"), ("W", "b1")):
        names = " and ".join(f'"{key}"' for key in keys)

        @item.visible_check(
            f"{names}: the mean of your losses changes like this",
            means="consistent",
            hint="each sample adds its part, and all parts count; then 1/N exactly once",
        )
        def _(student: Student, keys: tuple[str, ...] = keys) -> None:
            for which, one in enumerate(BATCHES):
                got = values(student, one)
                for key in keys:
                    expect_mean_slopes(got[key], measured(student, which, key), f'"{key}"')

    @item.visible_check(
        '"X": the mean of your losses changes like this',
        means="consistent",
        hint="a sample enters its own loss only; the mean has a factor 1/N in front of that",
    )
    def _(student: Student) -> None:
        for which, one in enumerate(BATCHES):
            got, want = values(student, one)["X"], measured(student, which, "x")
            expect_slopes(got, want / len(want), '"X"', **CLOSE)

    @item.visible_check(
        "every sample twice changes no parameter's gradient",
        means="consistent",
        hint="a mean stays what it is, a sum doubles",
    )
    def _(student: Student) -> None:
        X, Y, params = BATCHES[0]
        once = values(student, (X, Y, params))
        twice = values(student, (X.repeat(2, 1), Y.repeat(2, 1), params))
        for key in params:
            expect(twice[key], f'with every sample twice "{key}"').close_to(once[key])

    @item.check(BY_HAND, points=0, hint="write the formulas of 1.1")
    def _(student: Student) -> None:
        call(student.mlp_backward_batch.expect_by_hand, *BATCHES[0])


def expect_mean_slopes(got: Tensor, parts: Tensor, name: str) -> None:
    """The gradient is the mean of what the samples add to it.

    Args:
        parts: one for each sample, along the first axis.
    Raises:
        CheckFailed: it isn't; the message tells a sum and one sample's part.
    """
    N = len(parts)
    for i, part in enumerate(parts):
        for factor in (1.0, 1.0 / N):
            if N > 1 and bool(part.abs().max() > 0.01) and differ(got, factor * part, **CLOSE) == 0:
                raise CheckFailed(f"{name} is the part of one sample only, number {i + 1} of {N}")
    expect_slopes(got, parts.mean(0), name, **CLOSE)
