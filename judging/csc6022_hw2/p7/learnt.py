"""Parts 11 and 12: what trained models have learnt, and which epoch is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.judging.apart import Judge
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student, TimeLimit
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
    upon_parts,
)
from judging.csc6022_hw2.p7.model import wrong_parts as wrong_in_model
from judging.csc6022_hw2.p7.probes import fails
from judging.csc6022_hw2.p7.reference import padding_mask, target_mask
from judging.csc6022_hw2.p7.schedule import expect_scale, expect_schedule, learning_rate
from judging.csc6022_hw2.p7.targets import (
    expect_gradient,
    expect_loss,
    expect_mass,
    expect_no_padding,
    expect_shift,
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
# What stands in for a part of the model that is wrong, while we train; see `Student.with_stubs`. We use right masks.
IN_PLACE: Mapping[str, Mapping[str, str]] = {
    "attention": {"attention": "attention"},
    "masks": {},
    "heads": {"MultiHeadAttention": "heads"},
    "positional encoding": {"Embeddings": "embeddings", "PositionalEncoding": "positions"},
    "residual sublayer": {"Sublayer": "connection", "LayerNorm": "layer norm"},
    "decoder layer": {"DecoderLayer": "decoder layer"},
}


def expect_learnt(student: Student, model: Any, source: Tensor, target: Tensor, task: Task) -> None:
    """The share of whole sequences that are right reaches the task's threshold.

    Error carried forward: if something that the training uses is wrong, it is enough that a share of `low` of single
    tokens is right: by the trained model or by a new one that we train, of the student's parts but for the wrong one of
    its model. Only one of those may be wrong, and the student's training must change weights.

    Args:
        model: the student's trained model; None or something else if there is none.
        source, target: tokens (B, m) and (B, n), the target with its start token.
    """

    def right(model: Any) -> Tensor:
        return (written(student, model, source, target.shape[1], int(target[0, 0])) == target)[:, 1:]

    unusable: CheckFailed | None = None
    try:
        hits = right(model)
    except TimeLimit:  # each try would take as long
        raise
    except CheckFailed as failure:
        hits, unusable = torch.zeros_like(target[:, 1:]), failure
    share = float(hits.double().amin(1).mean())
    if share >= task.threshold:
        return
    in_model, in_training = wrong_in_model(student), wrong_in_training(student)
    wrong = in_model + in_training
    if wrong and float(hits.double().mean()) >= task.low:
        return
    if wrong and len(in_model) < 2 and changes_weights(student):
        with student.with_stubs(**{name: kind for part in in_model for name, kind in IN_PLACE[part].items()}):
            if float(right(trained_by_us(student, task)).double().mean()) >= task.low:
                return
    if unusable is not None:
        raise unusable
    listed = f" (wrong parts: {', '.join(wrong[:3])}{', …' * (len(wrong) > 3)})" if wrong else ""
    expect(share, f"the share of whole sequences that are right{listed}").at_least(task.threshold)


def changes_weights(student: Student) -> bool:
    """Whether the student's training loop changes weights: with the student's shift, masks and loss, or with stubs."""

    @upon_parts
    def expect_change(student: Student) -> None:
        tiny = Tiny.random(*TINY, seed=6)
        model = tiny_model(student, tiny)
        run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.1, decay=1.0)
        state = model.state()
        expect(any(differ(state[name], w, 0, 1e-5) > 0 for name, w in tiny.state().items())).is_true(
            "training changes no weights"
        )

    return not fails([expect_change], student)


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


def wrong_in_training(student: Student) -> list[str]:
    """Names of what is wrong of the student's that training uses beside the model."""
    parts: Mapping[str, Sequence[Judge]] = {
        "shift": [partial(expect_shift, which=0), partial(expect_shift, which=1)],
        "smoothing": [expect_mass, expect_no_padding],
        "loss": [expect_loss, expect_gradient],
        "learning rate": [expect_schedule, expect_scale],
        "training loop": [expect_steps, expect_train_mode],
        "batches": [expect_batches],
    }
    return [name for name, judges in parts.items() if fails(judges, student)]


def expect_choice(student: Student) -> None:
    """`best_epoch` gives the epoch of the best validation accuracy, whatever test accuracy and loss are. A cause is
    named only if it explains every choice."""
    histories = [
        {
            "loss": [0.9, 0.5, 0.3, 0.4, 0.1, 0.2, 0.25],
            "validation": [0.3, 0.6, 0.9, 0.8, 0.7, 0.1, 0.65],
            "test": [0.1, 0.95, 0.8, 0.7, 0.6, 0.5, 0.9],
        },
        {"loss": [0.8, 0.6, 0.1, 0.3], "validation": [0.1, 0.7, 0.3, 0.5], "test": [0.5, 0.4, 0.2, 0.6]},
        {"loss": [0.9, 0.8, 0.2, 0.3], "validation": [0.5, 0.6, 0.7, 0.8], "test": [0.9, 0.2, 0.8, 0.3]},
        {  # a fall, then the best; next to it one that is nearly as good
            "loss": [0.9, 0.6, 0.7, 0.3, 0.2, 0.1],
            "validation": [0.4, 0.7, 0.5, 0.9, 0.91, 0.6],
            "test": [0.5, 0.3, 0.6, 0.8, 0.2, 0.7],
        },
        {"loss": [0.1, 0.5, 0.4], "validation": [0.8, 0.2, 0.3], "test": [0.3, 0.4, 0.9]},
    ]
    chosen = []
    for history in histories:
        answer = as_tokens(student.best_epoch(history), "`best_epoch`").reshape(-1)
        expect(answer.numel(), "the number of epochs chosen").equals(1)
        chosen.append(int(answer))
    best = [h["validation"].index(max(h["validation"])) for h in histories]
    causes = {
        "this is tuned on test: choose by the validation accuracy": [
            h["test"].index(max(h["test"])) for h in histories
        ],
        "it is counted from 1; the place in the list counts from 0": [place + 1 for place in best],
        "this is the epoch of the lowest training loss": [h["loss"].index(min(h["loss"])) for h in histories],
        "this is the last epoch": [len(h["loss"]) - 1 for h in histories],
        "this is the first epoch": [0] * len(histories),
        "this is the worst epoch": [h["validation"].index(min(h["validation"])) for h in histories],
    }
    for history, own, right in zip(histories, chosen, best, strict=True):
        if own != right:
            known = [cause for cause, places in causes.items() if places == chosen]
            accuracies = history["validation"]
            raise CheckFailed(
                f"the epoch chosen: {known[0]}"
                if known
                else f"for the validation accuracies {accuracies}, {own} is chosen"
            )
    expect_ties(student)


def expect_ties(student: Student) -> None:
    """Of two epochs that are equally good in validation, test accuracies don't decide."""
    tied: dict[str, list[float]] = {"loss": [0.5, 0.4, 0.3, 0.2], "validation": [0.1, 0.8, 0.8, 0.2]}
    one, other = (
        int(as_tokens(student.best_epoch({**tied, "test": test}), "`best_epoch`"))
        for test in ([0.1, 0.9, 0.3, 0.2], [0.1, 0.3, 0.9, 0.2])
    )
    expect(one == other).is_true("of two epochs with the same validation accuracy, the test accuracy decides")
