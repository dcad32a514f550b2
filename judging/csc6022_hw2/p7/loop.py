"""Part 10: batches and the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.apart import apart_from
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Opaque, Student
from judging.csc6022_hw2.p7.probes import ATOL, RTOL
from judging.csc6022_hw2.p7.reference import padding_mask, target_mask
from judging.csc6022_hw2.p7.targets import loss_gradient, shift, shifted, smoothed_loss
from judging.csc6022_hw2.p7.tiny import Tiny
from judging.csc6022_hw2.p7.tokens import token_pair

Batch = tuple[Tensor, Tensor]  # of source and target
Batches = list[Batch]
upon_parts = apart_from(
    shift="pair", padding_mask="words", target_mask="words in window", smoothed_loss="loss"
)
STEPS = 2e-3  # relative tolerance; the small model trains in float32


def expect_batches(student: Student) -> None:
    """Every pair is there exactly once, in batches of the given size, in random order."""
    n, size = 23, 5
    source = torch.arange(n * 3).reshape(n, 3) + 100
    target = torch.arange(n * 2).reshape(n, 2) + 1000
    orders, neighbours = [], []
    for _ in range(2):
        answer = student.shuffled_batches(source, target, size)
        if not isinstance(answer, list | tuple) or not answer:
            raise CheckFailed("`shuffled_batches` returns no list of batches")
        batches = [token_pair(batch, "a batch of `shuffled_batches`") for batch in answer]
        for a, b in batches:
            if a.ndim != 2 or b.ndim != 2 or a.shape[1] != 3 or b.shape[1] != 2:
                raise CheckFailed(
                    f"a batch has shapes {tuple(a.shape)} and {tuple(b.shape)}, not (…, 3) and (…, 2)"
                )
        first = torch.cat([(a[:, 0] - 100) // 3 for a, _ in batches])
        second = torch.cat([(b[:, 0] - 1000) // 2 for _, b in batches])
        expect(len(first) == len(second) and torch.equal(first, second)).is_true(
            "sources and targets are shuffled apart: a source comes with another one's target"
        )
        expect(sorted(first.tolist()) == list(range(n))).is_true(
            f"of {n} pairs {len(set(first.tolist()))} are there, in {len(first)} places: each should be there once"
        )
        sizes = [len(a) for a, _ in batches]
        expect(sorted(sizes, reverse=True), "the batches' sizes, for 23 pairs and size 5,").equals(
            [5, 5, 5, 5, 3]
        )
        orders.append(first.tolist())
        neighbours.append({frozenset(part.tolist()) for part in first.split(sizes)})
    expect(orders[0] != sorted(orders[0]) and orders[0] != orders[1]).is_true(
        "the order is the same each time: draw a new one at every call"
    )
    expect(neighbours[0] != neighbours[1]).is_true(
        "the same pairs are in a batch together each time: shuffle the pairs, then cut them into batches"
    )
    follow = [sum((b - a) % n == 1 for a, b in pairwise(order)) for order in orders]
    expect(min(follow) < n / 2).is_true(
        f"of {n} pairs {max(follow)} come right after the one before, as in the data: shuffle the pairs"
    )


# -- the training loop -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """The functions that the loop uses: the right ones, or the student's own, which other items judge."""

    student: Student | None = None

    def shift(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return shifted(self.student, tokens) if self.student else shift(tokens)

    def masks(self, source: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        if not self.student:
            return padding_mask(source), target_mask(inputs)
        masks = self.student.padding_mask(source), self.student.target_mask(inputs)
        return numbers(masks[0].double(), "a mask") > 0, numbers(masks[1].double(), "a mask") > 0

    def loss(self, log_probs: Tensor, labels: Tensor, smoothing: float) -> tuple[float, Tensor]:
        """The loss and its gradient with respect to log p."""
        if self.student:
            x = log_probs.detach()
            value = numbers(self.student.smoothed_loss(x, labels, smoothing), "the loss")
            return float(value), loss_gradient(self.student, x, labels, smoothing)
        x = log_probs.detach().requires_grad_()
        value = smoothed_loss(x, labels, smoothing)
        return float(value.detach()), torch.autograd.grad(value, x)[0]


@dataclass(frozen=True)
class LoopMistake:
    """A known mistake of a training loop; the defaults are right."""

    clear: str = "batch"  # when gradients are cleared: "batch", "epoch" or "never"
    stale: bool = False  # each batch begins with the step of the one before
    schedule: str = "batch"  # when the scheduler steps: "batch", "epoch", "early" or "never"
    backward: bool = True
    sign: float = 1.0
    only: slice = field(default_factory=lambda: slice(None))
    repeat: int = 1
    causal: bool = True
    hide_padding: bool = True
    smoothing: float | None = None


def descend(weights: Sequence[Tensor], grads: Sequence[Tensor], rate: float) -> None:
    """A step of gradient descent, in place."""
    with torch.no_grad():
        for w, g in zip(weights, grads, strict=True):
            w -= rate * g


def trained(
    tiny: Tiny,
    epochs: Sequence[Batches],
    parts: Parts,
    smoothing: float,
    rate: float,
    decay: float,
    mistake: LoopMistake = LoopMistake(),
) -> Tiny:
    """The model after SGD whose learning rate is multiplied by `decay` after each step."""
    weights = [w.clone().requires_grad_() for w in tiny.weights()]
    grads = [torch.zeros_like(w) for w in weights]
    for batches in epochs:
        if mistake.clear == "epoch":
            grads = [torch.zeros_like(w) for w in weights]
        for source, target in [batch for batch in batches[mistake.only] for _ in range(mistake.repeat)]:
            if mistake.stale:
                descend(weights, grads, mistake.sign * rate)
            inputs, labels = parts.shift(target)
            source_mask, mask = parts.masks(source, inputs)
            mask = mask if mistake.causal else torch.ones_like(mask)
            source_mask = source_mask if mistake.hide_padding else torch.ones_like(source_mask)
            log_probs = Tiny(*weights).log_probs(source, inputs, source_mask, mask)
            s = smoothing if mistake.smoothing is None else mistake.smoothing
            _, upstream = parts.loss(log_probs, labels, s)
            fresh = torch.autograd.grad(log_probs, weights, upstream)
            add = mistake.clear != "batch"
            grads = [g + f if add else f for g, f in zip(grads, fresh, strict=True)]
            if mistake.schedule == "early":
                rate *= decay
            if mistake.backward and not mistake.stale:
                descend(weights, grads, mistake.sign * rate)
            if mistake.schedule == "batch":
                rate *= decay
        if mistake.schedule == "epoch":
            rate *= decay
    return Tiny(*(w.detach() for w in weights))


LOOPS = {
    "the weights never change: backward() or step() is missing, or zero_grad() is between them": LoopMistake(
        backward=False
    ),
    "old gradients pile up: optimizer.zero_grad() is missing": LoopMistake(clear="never"),
    "gradients are cleared once an epoch, not for every batch": LoopMistake(clear="epoch"),
    "the step uses the batch before's gradients: step() comes before backward()": LoopMistake(stale=True),
    "scheduler.step() is missing": LoopMistake(schedule="never"),
    "scheduler.step() comes once an epoch, not after every batch": LoopMistake(schedule="epoch"),
    "scheduler.step() comes before optimizer.step()": LoopMistake(schedule="early"),
    "the loss is made larger, not smaller": LoopMistake(sign=-1.0),
    "only the last batch changes the weights: is the step outside the loop?": LoopMistake(
        only=slice(-1, None)
    ),
    "only the first batch is used": LoopMistake(only=slice(1)),
    "every batch is used for two steps": LoopMistake(repeat=2),
    "the decoder sees later tokens: the target's mask is missing": LoopMistake(causal=False),
    "the source's padding is attended to: its mask is missing": LoopMistake(hide_padding=False),
    "the argument smoothing is not used": LoopMistake(smoothing=0.1),
    "the targets are not smoothed": LoopMistake(smoothing=0.0),
}


TINY = (9, 6)  # vocabulary and width of the model that the loop is judged on


def batches_for(seed: int = 3) -> Batches:
    """Three batches of (source, target) with different numbers of rows and of tokens, padding in each."""
    draw = torch.Generator().manual_seed(seed)
    batches = []
    for rows, m, n, short in ((4, 5, 6, 1), (2, 7, 4, 0), (5, 4, 8, 5)):
        source, target = (torch.randint(2, TINY[0], (rows, width), generator=draw) for width in (m, n))
        target[:, 0] = 1
        source[0, m - 2 :] = source[-1, m - 1 :] = 0
        target[0, n - 1 - short :] = 0
        batches.append((source, target))
    return batches


def tiny_model(student: Student, tiny: Tiny, dropout: float = 0.0, training: bool = True) -> Model:
    """The notebook's `TinyTranslator` with these weights, in train or eval mode."""
    vocabulary, d_model = tiny.source.shape
    model = student.tiny_model(vocabulary, d_model, dropout, training)
    if not isinstance(model, Model):
        raise CheckFailed("`tiny_model` gives no model: run the cell that defines it, unchanged")
    model.load(tiny.state())
    return model


def run_epochs(
    student: Student, model: Model, epochs: Sequence[Batches], smoothing: float, rate: float, decay: float
) -> Any:
    """Train by the student's `train_epoch`, and return what its last call returned."""
    machinery = student.tiny_optimizer(model, rate, decay)
    if not isinstance(machinery, list | tuple) or not all(isinstance(part, Opaque) for part in machinery):
        raise CheckFailed("`tiny_optimizer` gives no optimizer and scheduler: run its cell, unchanged")
    answer = None
    for batches in epochs:
        answer = student.train_epoch(model, batches, *machinery, smoothing)
    return answer


@upon_parts
def expect_steps(student: Student) -> None:
    """The weights after two epochs are right, with the right parts or with the student's own."""
    tiny, epochs = Tiny.random(*TINY, seed=1, scale=0.7), [batches_for(3), batches_for(4)]
    how = {"smoothing": 0.25, "rate": 0.8, "decay": 0.8}
    model = tiny_model(student, tiny)
    run_epochs(student, model, epochs, **how)
    state = model.state()
    got = torch.cat([state[name].reshape(-1) for name in Tiny.NAMES])

    def after(parts: Parts, mistake: LoopMistake = LoopMistake()) -> Tensor:
        return trained(tiny, epochs, parts, mistake=mistake, **how).flat()

    known = [after(Parts())]
    with suppress(CheckFailed, RuntimeError, IndexError):  # the student's parts may not work
        own = after(Parts(student))
        if own.isfinite().all() and differ(own, tiny.flat(), 1e-2, 0) > 0:
            known.append(own)
    if any(differ(got, want, STEPS, ATOL) == 0 for want in known):
        return
    mistakes = [
        (meaning, lambda parts=parts, mistake=mistake: after(parts, mistake))
        for parts in (Parts(), Parts(student))[: len(known)]
        for meaning, mistake in LOOPS.items()
    ]
    expect(got, "a weight after two epochs").close_to(known[-1], rtol=STEPS, mistakes=mistakes)


@upon_parts
def expect_train_mode(student: Student) -> None:
    """A model that arrives in eval mode is trained in train mode: with dropout 1 only the last bias can learn."""
    tiny = Tiny.random(*TINY, seed=2)
    model = tiny_model(student, tiny, dropout=1.0, training=False)
    loss = run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.5, decay=1.0)
    state = model.state()
    moved = {
        name: differ(state[name], before.float().double(), 0, 1e-6) > 0
        for name, before in tiny.state().items()
    }
    if not any(moved.values()):  # without steps, the loss shows whether dropout was on
        eval_loss = run_epochs(student, tiny_model(student, tiny), [batches_for()], 0.1, rate=0.0, decay=1.0)
        same = differ(numbers(loss, "the mean loss"), numbers(eval_loss, "the mean loss"), 1e-3, 0) == 0
        expect(not same).is_true("the weights don't change, and the loss is that of eval mode")
        model = tiny_model(student, tiny, dropout=1.0, training=False)
        again = run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.5, decay=1.0)
        same = differ(numbers(loss, "the mean loss"), numbers(again, "the mean loss"), 1e-3, 0) == 0
        expect(same).is_true("the weights don't change, and the loss is another each time")
    expect(not moved["source.weight"] and not moved["target.weight"]).is_true(
        "the model is trained in eval mode, as the last evaluation left it: begin with model.train()"
    )


@upon_parts
def expect_report(student: Student) -> None:
    """The loss per token over all batches is right. The learning rate is 0, so that steps don't matter."""
    tiny, batches = Tiny.random(*TINY, seed=5, scale=1.5), batches_for()  # losses that differ
    model = tiny_model(student, tiny)
    answer = numbers(
        run_epochs(student, model, [batches], smoothing=0.2, rate=0.0, decay=1.0), "the mean loss"
    )
    expect(answer.numel(), "the number of its entries").equals(1)
    value = answer.reshape(())

    def losses(parts: Parts) -> tuple[Tensor, Tensor, Tensor]:
        rows = []
        for source, target in batches:
            inputs, labels = parts.shift(target)
            log_probs = tiny.log_probs(source, inputs, *parts.masks(source, inputs))
            rows.append((parts.loss(log_probs, labels, 0.2)[0], int((labels != 0).sum()), labels.numel()))
        loss, tokens, places = torch.tensor(rows, dtype=torch.float64).T
        return loss, tokens, places

    known = [losses(Parts())]
    with suppress(CheckFailed, RuntimeError, IndexError):
        own = losses(Parts(student))
        if float(own[0].std()) > 1e-6:
            known.append(own)
    rows = torch.tensor([len(target) for _, target in batches]).double()
    read = torch.tensor([int((source != 0).sum()) for source, _ in batches]).double()
    given = torch.tensor([int((target != 0).sum()) for _, target in batches]).double()
    mistakes: dict[str, Tensor] = {}
    for loss, tokens, places in known:
        if differ(value, loss @ tokens / tokens.sum(), RTOL, ATOL) == 0:
            expect_every_batch(student, model, batches)
            return
        mistakes |= {
            "the batches' means are averaged, though they have different numbers of tokens": loss.mean(),
            "batches are weighted by their rows, not by their tokens": loss @ rows / rows.sum(),
            "padding is counted among the tokens": loss @ places / places.sum(),
            "the source's tokens are counted, not the target's": loss @ read / read.sum(),
            "the target's tokens are counted with the start token, which is no label": loss
            @ given
            / given.sum(),
            "losses per token are summed and then divided by all tokens": loss.sum() / tokens.sum(),
            "this is the sum over all tokens, not per token": loss @ tokens,
            "this is the sum of the batches' losses": loss.sum(),
            "this is the last batch's loss": loss[-1],
            "this is the first batch's loss": loss[0],
            "it is divided by the number of batches, not of tokens": loss @ tokens / len(loss),
        }
    loss, tokens, _ = known[-1]
    expect(value, "the mean loss").close_to(loss @ tokens / tokens.sum(), mistakes=mistakes)


def expect_every_batch(student: Student, model: Model, batches: Batches) -> None:
    """Of a hundred batches and more, the mean loss is that over all of them."""
    few, many = (
        numbers(run_epochs(student, model, [some], smoothing=0.2, rate=0.0, decay=1.0), "the mean loss")
        for some in (batches[:2], 60 * batches[:1] + 60 * batches[1:2])
    )
    expect(differ(many, few, RTOL, ATOL) == 0).is_true(
        "with 120 batches the mean loss is not that over all of them: is each of them used?"
    )
