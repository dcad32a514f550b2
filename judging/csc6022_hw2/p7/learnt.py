"""Parts 11 and 12: what trained models have learnt, and which epoch is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from given import dates
from judging.csc6022_hw2.p7.loop import (
    TINY,
    Batch,
    batches_for,
    expect_batches,
    expect_steps,
    expect_train_mode,
    run_epochs,
    tiny_model,
)
from judging.csc6022_hw2.p7.reference import padding_mask, target_mask
from judging.csc6022_hw2.p7.schedule import expect_scale, expect_schedule, learning_rate
from judging.csc6022_hw2.p7.targets import (
    expect_gradient,
    expect_loss,
    expect_mass,
    expect_no_padding,
    expect_shift,
    sequences,
    shift,
    smoothed_loss,
)
from judging.csc6022_hw2.p7.tiny import Tiny
from judging.csc6022_hw2.p7.tokens import as_tokens


def written(student: Student, model: Any, source: Tensor, length: int, start: int) -> Tensor:
    """Tokens (B, length) by our greedy decoding with the student's model.

    Raises:
        CheckFailed: there is no trained model, or it does not predict tokens.
    """
    if not isinstance(model, Model):
        raise CheckFailed("there is no trained model yet: run the cell that trains it")
    mask, tokens = padding_mask(source), torch.full((len(source), 1), start)
    while tokens.shape[1] < length:
        following = as_tokens(
            student.next_tokens(model, source, tokens, mask, target_mask(tokens, -1)), "a next token"
        )
        expect(following, "what the model predicts").has_shape(*tokens.shape)
        tokens = torch.cat([tokens, following[:, -1:]], 1)
    return tokens


@dataclass(frozen=True)
class Task:
    """What a transformer should learn, and how we train it."""

    sizes: tuple[Any, ...]  # arguments of `make_model`: vocabularies, layers, d_model, d_ff, heads, dropout
    batches: Callable[[], Iterable[Batch]]
    warmup: int
    factor: float
    threshold: float  # share of whole sequences that should be right
    low: float  # share of single tokens that shows that something was learnt; guessing gives much less


def copying() -> Iterator[Batch]:
    """300 batches of 64 random sequences, which are also the targets."""
    draw = torch.Generator().manual_seed(5)
    for _ in range(300):
        tokens = torch.randint(1, 11, (64, 10), generator=draw)
        tokens[:, 0] = 1
        yield tokens, tokens


def dating() -> Iterator[Batch]:
    """400 batches of 64 dates."""
    source, target = dates.encoded(dates.sample(6400, seed=5))
    draw = torch.Generator().manual_seed(5)
    for _ in range(4):
        order = torch.randperm(len(source), generator=draw)
        yield from zip(source[order].split(64), target[order].split(64), strict=True)


COPY = Task((11, 11, 1, 32, 64, 4, 0.0), copying, warmup=60, factor=0.7, threshold=0.9, low=0.3)
DATES = Task(
    (dates.SOURCE_SIZE, dates.TARGET_SIZE, 1, 48, 96, 4, 0.0),
    dating,
    warmup=150,
    factor=0.6,
    threshold=0.85,
    low=0.65,
)
TRAINING_PARTS = {"shift", "smoothing", "loss", "learning rate", "training loop", "batches"}


def expect_learnt(student: Student, model: Any, source: Tensor, target: Tensor, task: Task) -> None:
    """The share of whole sequences that are right reaches the task's threshold.

    Error carried forward: if a part that the training uses is wrong, it is enough that a share of `low` of single
    tokens is right: by the trained model or, if that learnt nothing because of its training, by a new model of the
    student's that we train. But the student's training must change weights.

    Args:
        model: the student's trained model; None or something else if there is none.
        source, target: tokens (B, m) and (B, n), the target with its start token.
    """

    def right(model: Any) -> Tensor:
        return (written(student, model, source, target.shape[1], int(target[0, 0])) == target)[:, 1:]

    hits = right(model)
    share = float(hits.all(1).double().mean())
    if share >= task.threshold:
        return
    wrong = wrong_parts(student)
    if wrong and float(hits.double().mean()) >= task.low:
        return
    if TRAINING_PARTS & set(wrong) and changes_weights(student):
        ours = trained_by_us(student, task)
        if float(right(ours).double().mean()) >= task.low:
            return
    listed = f" (wrong parts: {', '.join(wrong[:3])}{', …' * (len(wrong) > 3)})" if wrong else ""
    expect(share, f"the share of whole sequences that are right{listed}").at_least(task.threshold)


def changes_weights(student: Student) -> bool:
    """Whether the student's training loop changes weights."""
    tiny = Tiny.random(*TINY, seed=6)
    model = tiny_model(student, tiny)
    try:
        run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.1, decay=1.0)
    except CheckFailed:
        return False
    state = model.state()
    return any(differ(state[name], w, 0, 1e-5) > 0 for name, w in tiny.state().items())


def trained_by_us(student: Student, task: Task) -> Model:
    """A new model of the student's, trained by us with Adam and the right schedule, shift, masks and loss.

    The model's generator is given in the notebook: one Linear layer and log-softmax.
    """
    model = student.make_model(*task.sizes)
    if not isinstance(model, Model):
        raise CheckFailed("`make_model` gives no model")
    state = {name: value for name, value in model.state().items() if value.is_floating_point()}
    weight, bias = (state.get(f"generator.project.{name}") for name in ("weight", "bias"))
    if weight is None or bias is None:
        raise CheckFailed("the model's generator is not the given one")
    d_model = weight.shape[1]
    first = {name: torch.zeros_like(w) for name, w in state.items()}
    second = {name: torch.zeros_like(w) for name, w in state.items()}
    for step, (source, target) in enumerate(task.batches(), 1):
        inputs, labels = shift(target)
        masks = padding_mask(source), target_mask(inputs)
        hidden = numbers(model.forward(source, inputs, *masks), "what the model returns").requires_grad_()
        last = [w.clone().requires_grad_() for w in (weight, bias)]
        loss = smoothed_loss(F.linear(hidden, *last).log_softmax(-1), labels, 0.1)
        upstream, *ends = torch.autograd.grad(loss, [hidden, *last])
        gradients = model.gradients(source, inputs, *masks, upstream=upstream.float()).parameters
        gradients |= {"generator.project.weight": ends[0], "generator.project.bias": ends[1]}
        rate = min(0.02, learning_rate(step, d_model, task.warmup, task.factor))
        for name, g in gradients.items():
            if g is not None:
                first[name] += 0.1 * (g - first[name])
                second[name] += 0.02 * (g * g - second[name])
                scale = (second[name] / (1 - 0.98**step)).sqrt() + 1e-9
                state[name] -= rate * first[name] / (1 - 0.9**step) / scale
        model.load({name: state[name].float() for name in gradients})
    return model


def wrong_parts(student: Student) -> list[str]:
    """Names of the student's parts, of those that training uses, whose results are wrong."""
    draw = torch.Generator().manual_seed(9)
    q, k, v = (torch.randn(2, n, d, generator=draw, dtype=torch.float64) for n, d in ((3, 4), (5, 4), (5, 6)))
    tokens = sequences()[0]
    mask = torch.rand(2, 3, 5, generator=draw) > 0.4
    mask[..., 0] = True
    mixed = (q @ k.mT / 2).masked_fill(~mask, -1e9).softmax(-1) @ v

    def attended() -> None:
        answer = student.attention(q, k, v, mask)
        expect(answer[0] if isinstance(answer, list | tuple) else answer).close_to(mixed)

    def masked() -> None:
        for name, want in (("padding_mask", padding_mask), ("target_mask", target_mask)):
            answer = getattr(student, name)(tokens)
            expect(answer.double() if isinstance(answer, Tensor) else answer).close_to(want(tokens).double())

    def encoded() -> None:
        places = student.PositionalEncoding(6, 0.0)
        answer = places.forward(torch.zeros(1, 7, 6)) if isinstance(places, Model) else None
        rates = 10000.0 ** (-torch.arange(0, 6, 2) / 6)
        angle = torch.arange(7)[:, None] * rates
        expect(answer).close_to(torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[None], rtol=1e-3)

    def normalised() -> None:
        norm, x = student.LayerNorm(6), torch.randn(2, 3, 6, generator=draw)
        answer = norm.forward(x) if isinstance(norm, Model) else None
        expect(answer).close_to(F.layer_norm(x, (6,), eps=1e-6), rtol=1e-3)

    parts: dict[str, list[Callable[[], None]]] = {
        "attention": [attended],
        "masks": [masked],
        "positional encoding": [encoded],
        "layer norm": [normalised],
        "shift": [lambda: expect_shift(student, 0), lambda: expect_shift(student, 1)],
        "smoothing": [lambda: expect_mass(student), lambda: expect_no_padding(student)],
        "loss": [lambda: expect_loss(student), lambda: expect_gradient(student)],
        "learning rate": [lambda: expect_schedule(student), lambda: expect_scale(student)],
        "training loop": [lambda: expect_steps(student), lambda: expect_train_mode(student)],
        "batches": [lambda: expect_batches(student)],
    }
    wrong = []
    for name, probes in parts.items():
        try:
            for probe in probes:
                probe()
        except CheckFailed:
            wrong.append(name)
    return wrong


def expect_choice(student: Student) -> None:
    """`best_epoch` gives the epoch of the best validation accuracy, whatever test accuracy and loss are."""
    histories = [
        {
            "loss": [0.9, 0.5, 0.3, 0.4, 0.1, 0.2, 0.25],
            "validation": [0.3, 0.6, 0.9, 0.8, 0.7, 0.1, 0.65],
            "test": [0.1, 0.95, 0.8, 0.7, 0.6, 0.5, 0.9],
        },
        {"loss": [0.8, 0.6, 0.1, 0.3], "validation": [0.1, 0.7, 0.3, 0.5], "test": [0.5, 0.4, 0.2, 0.6]},
    ]
    for history in histories:
        answer = as_tokens(student.best_epoch(history), "`best_epoch`").reshape(-1)
        expect(answer.numel(), "the number of epochs chosen").equals(1)
        values = history["validation"]
        best = values.index(max(values))
        expect(int(answer), "the epoch chosen").close_to(
            best,
            mistakes={
                "this is tuned on test: choose by the validation accuracy": history["test"].index(
                    max(history["test"])
                ),
                "it is counted from 1; the place in the list counts from 0": best + 1,
                "this is the epoch of the lowest training loss": history["loss"].index(min(history["loss"])),
                "this is the last epoch": len(values) - 1,
                "this is the first epoch": 0,
                "this is the worst epoch": values.index(min(values)),
            },
        )
