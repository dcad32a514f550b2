"""Homework 2, problem 7, training side: what the answers are, and which slip explains a wrong one.

Targets, loss, schedule and loop follow the Annotated Transformer. The loop and the decoder are judged on a model small
enough to compute here, `Tiny`, so that they are right or wrong whatever the student's attention does. Each `expect_…`
judges one part of an answer and raises `CheckFailed`; a slip in another part is carried through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson.calls import about
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Opaque, Student
from given import dates

RTOL, ATOL = 1e-4, 1e-6
STEPS = 2e-3  # relative; the small model trains in float32
Batch = tuple[Tensor, Tensor]
Batches = list[Batch]


# -- the answers -----------------------------------------------------------------------------------------


def shift(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Decoder input and labels, both (B, n - 1), of target sequences (B, n)."""
    return tokens[:, :-1], tokens[:, 1:]


def smoothed_targets(labels: Tensor, vocabulary: int, smoothing: float, pad: int = 0) -> Tensor:
    """Target distributions (…, V) in float64: 1 - s at the label, s / (V - 2) elsewhere, 0 at the padding, and a row
    of zeros for each padded position. As in the Annotated Transformer."""
    targets = torch.full((*labels.shape, vocabulary), smoothing / (vocabulary - 2), dtype=torch.float64)
    targets.scatter_(-1, labels[..., None], 1 - smoothing)
    targets[..., pad] = 0
    targets[labels == pad] = 0
    return targets


def divergence(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Σ t (log t - log p), with 0 log 0 = 0: the Kullback-Leibler divergence summed over all positions."""
    return (torch.xlogy(targets, targets) - targets * log_probs).sum()


def smoothed_loss(log_probs: Tensor, labels: Tensor, smoothing: float, pad: int = 0) -> Tensor:
    """The divergence from the smoothed targets, per token that is not padding."""
    targets = smoothed_targets(labels, log_probs.shape[-1], smoothing, pad)
    return divergence(log_probs, targets) / (labels != pad).sum()


def learning_rate(step: int, d_model: int, warmup: int, factor: float = 1.0) -> float:
    """Vaswani et al. 2017, equation 3, times a factor; step 0 counts as step 1."""
    step = max(step, 1)
    return factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def padding_mask(tokens: Tensor, pad: int = 0) -> Tensor:
    """(B, 1, n), True where a token is."""
    return (tokens != pad)[:, None]


def target_mask(tokens: Tensor, pad: int = 0) -> Tensor:
    """(B, n, n): no padding, and nothing later."""
    return padding_mask(tokens, pad) & torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()


# -- the small model -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tiny:
    """The notebook's `TinyTranslator` by its weights: every position attends equally to all that it may see."""

    source: Tensor  # (V, d)
    target: Tensor  # (V, d)
    weight: Tensor  # (V, d)
    bias: Tensor  # (V,)

    NAMES = ("source.weight", "target.weight", "out.weight", "out.bias")

    @classmethod
    def drawn(cls, vocabulary: int, d_model: int, seed: int, scale: float = 1.0) -> Tiny:
        """Random weights that never predict the padding."""
        draw = torch.Generator().manual_seed(seed)
        source, target, weight = (
            torch.randn(vocabulary, d_model, generator=draw).double() * scale for _ in range(3)
        )
        bias = torch.randn(vocabulary, generator=draw).double() * 0.3
        bias[0] = -30.0
        return cls(source, target, weight, bias)

    def state(self) -> dict[str, Tensor]:
        """The weights by the notebook's names for them."""
        return dict(zip(self.NAMES, self.weights(), strict=True))

    def weights(self) -> list[Tensor]:
        return [self.source, self.target, self.weight, self.bias]

    def log_probs(self, source: Tensor, inputs: Tensor, source_mask: Tensor, mask: Tensor) -> Tensor:
        """(B, n, V), in float64."""
        memory = mean(self.source[source], source_mask)
        x = self.target[inputs]
        for _ in range(2):
            x = x + torch.tanh(mean(x, mask) + memory)
        return F.linear(x, self.weight, self.bias).log_softmax(-1)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the positions that the mask admits."""
    admitted = mask.to(values.dtype)
    return admitted / admitted.sum(-1, keepdim=True).clamp(min=1) @ values


# -- shifting --------------------------------------------------------------------------------------------


def shifted(student: Student, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What the student's `shift` gives, as two int64 tensors.

    Raises:
        CheckFailed: it isn't two of them.
    """
    return pair(student.shift(tokens), "`shift`")


def pair(value: Any, name: str) -> tuple[Tensor, Tensor]:
    """Two tensors of whole numbers."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        found = "nothing (is a `return` missing?)" if value is None else "something else"
        raise CheckFailed(f"{name} returns {found}, not a pair")
    return whole(value[0], f"the first of what {name} returns"), whole(
        value[1], f"the second of what {name} returns"
    )


def whole(value: Any, name: str) -> Tensor:
    """Tokens as int64."""
    found = numbers(value, name)
    if (found != found.round()).any():
        raise CheckFailed(f"{name} holds numbers that are no tokens")
    return found.long()


SHIFTS: dict[str, Callable[[Tensor], Tensor]] = {
    "these are the tokens without the last one": lambda t: t[:, :-1],
    "these are the tokens without the first one": lambda t: t[:, 1:],
    "these are all tokens, not shifted": lambda t: t,
    "it is shifted by two": lambda t: t[:, 2:],
    "this is one position too short": lambda t: t[:, 1:-1],
    "the batch is shifted, not the positions": lambda t: t[1:],
    "the batch is cut, not the positions": lambda t: t[:-1],
    "tokens wrap around from the beginning to the end": lambda t: t.roll(-1, 1),
}


def expect_shift(student: Student, which: int) -> None:
    """The decoder input (0) or the labels (1), for two batches of sequences, one with padding."""
    for tokens in sequences():
        got, want = shifted(student, tokens)[which], shift(tokens)[which]
        name = ("the decoder input", "the labels")[which]
        expect(got, name).close_to(want, mistakes={told: wrong(tokens) for told, wrong in SHIFTS.items()})


def sequences() -> list[Tensor]:
    """Target sequences (4, 6) and (3, 5), some with padding at the end."""
    draw = torch.Generator().manual_seed(71)
    first, second = (torch.randint(2, 9, shape, generator=draw) for shape in ((4, 6), (3, 5)))
    first[:, 0] = second[:, 0] = 1
    first[1, 4:] = second[2, 3:] = 0
    return [first, second]


# -- smoothing -------------------------------------------------------------------------------------------

SMOOTHED = ((7, 0.3), (11, 0.1))  # vocabulary and smoothing


def labels_for(vocabulary: int) -> Tensor:
    """Labels (3, 4), padding in two places."""
    labels = torch.randint(1, vocabulary, (3, 4), generator=torch.Generator().manual_seed(vocabulary))
    labels[0, 3] = labels[2, 2] = labels[2, 3] = 0
    return labels


def log_probabilities(labels: Tensor, vocabulary: int) -> Tensor:
    """Random ones (…, V) in float64."""
    draw = torch.Generator().manual_seed(vocabulary + 1)
    return torch.randn(*labels.shape, vocabulary, generator=draw, dtype=torch.float64).log_softmax(-1)


def own_targets(student: Student, labels: Tensor, vocabulary: int, smoothing: float) -> Tensor:
    """What the student's `smoothed_targets` gives, of the right shape."""
    found = numbers(student.smoothed_targets(labels, vocabulary, smoothing), "`smoothed_targets`")
    expect(found, "what `smoothed_targets` returns").has_shape(*labels.shape, vocabulary)
    return found


def expect_mass(student: Student) -> None:
    """Tokens' rows outside the padding's column. Who kept that column spreads s over V - 1 classes: that is paid for
    in `expect_no_padding`."""
    for vocabulary, s in SMOOTHED:
        labels = labels_for(vocabulary)
        tokens = labels != 0
        found = own_targets(student, labels, vocabulary, s)[tokens]
        want = smoothed_targets(labels, vocabulary, s)[tokens]
        true = want == 1 - s

        def spread(right: float, others: float, true: Tensor = true) -> Tensor:
            return torch.where(true, right, others)[:, 1:].double()

        kept = bool((found[:, 0] > ATOL).all())
        share = s / (vocabulary - 1 if kept else vocabulary - 2)
        with about(f"smoothing {s:g} and {vocabulary} classes"):
            expect(found[:, 1:], "a probability").close_to(
                spread(1 - s, share),
                mistakes={
                    "s is spread over V − 1 classes; padding gets none, so V − 2 share it": spread(
                        1 - s, s / (vocabulary - 1)
                    ),
                    "s is spread over V classes; label and padding get none of it": spread(
                        1 - s, s / vocabulary
                    ),
                    "s / V for everyone, the label too: that is PyTorch's label_smoothing": spread(
                        1 - s + s / vocabulary, s / vocabulary
                    ),
                    "the label gets s and the others share 1 − s": spread(s, (1 - s) / (vocabulary - 2)),
                    "every other class gets all of s": spread(1 - s, s),
                    "the label's class has 1, the others keep their share: the row's sum is more than 1": spread(
                        1, share
                    ),
                    "this is not smoothed": spread(1, 0),
                    "the label's class has no more than the others": spread(share, share),
                },
            )


def expect_no_padding(student: Student) -> None:
    """The padding's column is zero, and so are the rows of padded positions."""
    for vocabulary, s in SMOOTHED:
        labels = labels_for(vocabulary)
        found = own_targets(student, labels, vocabulary, s)
        rows, padded = found[labels != 0], found[labels == 0]
        expect(bool((rows.sum(-1) > 0.1).all())).is_true("the rows of tokens have no mass")
        expect(bool((found.amax(-1) - found.amin(-1))[labels != 0].min() > ATOL)).is_true(
            "all numbers are the same"
        )
        expect(float(rows[:, 0].abs().max()) < ATOL).is_true(
            f"the padding's class gets {float(rows[:, 0].abs().max()):.3g}: nobody should predict padding"
        )
        expect(float(padded.abs().max()) < ATOL).is_true(
            "rows of padded positions are not zero: padding would count in the loss"
        )


def targets_seen(student: Student, labels: Tensor, vocabulary: int, s: float) -> Iterator[Tensor]:
    """The right targets, then the student's own where they are of use."""
    yield smoothed_targets(labels, vocabulary, s)
    with suppress(CheckFailed):
        own = own_targets(student, labels, vocabulary, s)
        if (own >= 0).all() and (own.sum(-1)[labels != 0] > 0.1).all() and float(own.std()) > 1e-3:
            yield own


def expect_loss(student: Student) -> None:
    """The divergence per token, from the right targets or from the student's own."""
    for vocabulary, s in (*SMOOTHED, (6, 0.0)):
        labels = labels_for(vocabulary)
        log_probs = log_probabilities(labels, vocabulary)
        answer = student.smoothed_loss(log_probs, labels, s)
        if isinstance(answer, Tensor) and answer.isnan().any():
            raise CheckFailed("the loss is NaN: 0 · log 0 counts as 0, see F.kl_div or torch.xlogy")
        value = numbers(answer, "the loss")
        expect(value.numel(), "the number of the loss's entries").equals(1)
        value = value.reshape(())
        right, *own = targets_seen(student, labels, vocabulary, s)
        wants = [divergence(log_probs, t) / (labels != 0).sum() for t in (right, *own)]
        if any(differ(value, want, RTOL, ATOL) == 0 for want in wants):
            continue
        mistakes: dict[str, Tensor] = {}
        for t in (right, *own):
            total, crossed, rows = divergence(log_probs, t), -(t * log_probs).sum(), int((labels != 0).sum())
            places = {
                "divided by all positions, padding too": labels.numel(),
                "divided by the number of sequences": len(labels),
                "not divided by the number of tokens": 1,
                "averaged over classes, too": t.numel(),
            }
            mistakes |= {f"it is {told}": total / n for told, n in places.items()}
            mistakes |= {
                "this is the cross-entropy; the divergence also has + Σ t log t": crossed / rows,
                "its sign is turned round": -total / rows,
                "padded positions count": divergence(log_probs, spilled(t, labels)) / rows,
            }
            mistakes |= {f"this is the cross-entropy, {told}": crossed / n for told, n in places.items()}
        with about(f"smoothing {s:g} and {vocabulary} classes"):
            expect(value, "the loss").close_to(wants[0], mistakes=mistakes)


def spilled(targets: Tensor, labels: Tensor) -> Tensor:
    """Targets where padded positions have 1 at the padding's class."""
    wrong = targets.clone()
    wrong[labels == 0] = F.one_hot(torch.tensor(0), targets.shape[-1]).double()
    return wrong


def loss_gradient(student: Student, log_probs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """The gradient of the student's loss with respect to log p, not all of it zero."""
    answer = student.smoothed_loss.gradients(log_probs, labels, smoothing, upstream=torch.tensor(1.0))
    gradient = answer.inputs[0]
    if gradient is None or not gradient.any():
        raise CheckFailed(
            "the loss does not depend on log_probs as autograd sees it: no detach(), item(), .data or NumPy"
        )
    return numbers(gradient, "the gradient")


def expect_gradient(student: Student) -> None:
    """The gradient with respect to log p is a negative multiple of the targets. Which one is `expect_loss`'s."""
    for vocabulary, s in SMOOTHED:
        labels = labels_for(vocabulary)
        log_probs = log_probabilities(labels, vocabulary)
        gradient = loss_gradient(student, log_probs, labels, s)
        expect(gradient, "the gradient").has_shape(*log_probs.shape)
        seen = list(targets_seen(student, labels, vocabulary, s))
        alike = [float((gradient * t).sum() / (t * t).sum()) for t in seen]
        fits = [differ(gradient, a * t, 1e-3, ATOL) == 0 for a, t in zip(alike, seen, strict=True)]
        if any(fit and a < 0 for fit, a in zip(fits, alike, strict=True)):
            continue
        expect(not any(fits)).is_true("the gradient has the wrong sign: it makes right classes less likely")
        expect(gradient * (labels != 0).sum(), "tokens × gradient").close_to(-seen[0])


# -- the learning rate -----------------------------------------------------------------------------------


def rate(student: Student, step: int, d_model: int, warmup: int, factor: float = 1.0) -> float:
    """What the student's `learning_rate` gives, a single number."""
    found = numbers(student.learning_rate(step, d_model, warmup, factor), "the learning rate")
    expect(found.numel(), "the number of its entries").equals(1)
    return float(found.reshape(()))


Rule = Callable[[float, float], float]  # of step and warmup
SCHEDULES: dict[str, Rule] = {
    "max stands for min": lambda n, w: max(n**-0.5, n * w**-1.5),
    "warmup has the exponent −0.5, not −1.5": lambda n, w: min(n**-0.5, n * w**-0.5),
    "there is no warm-up; is the exponent of warmup −1.5?": lambda n, w: n**-0.5,
    "it is counted one step further": lambda n, w: min((n + 1) ** -0.5, (n + 1) * w**-1.5),
    "warmup has the exponent −1, not −1.5": lambda n, w: min(n**-0.5, n / w),
    "warmup has the exponent −2, not −1.5": lambda n, w: min(n**-0.5, n * w**-2),
    "it never falls": lambda n, w: n,
    "it stays constant after the warm-up": lambda n, w: min(n, w),
    "it falls like 1/step after the warm-up": lambda n, w: min(1 / n, n * w**-2),
    "the learning rate is constant": lambda n, w: 1.0,
}


def expect_schedule(student: Student) -> None:
    """The learning rate relative to the one at the end of the warm-up."""
    for d_model, warmup in ((24, 40), (96, 250)):
        steps = [1, warmup // 5, warmup // 2, warmup, 2 * warmup, 9 * warmup]
        found = torch.tensor([rate(student, step, d_model, warmup) for step in steps], dtype=torch.float64)
        expect(bool(found[3] > 0)).is_true("the learning rate is 0 at the end of the warm-up, or negative")

        def relative(rule: Rule, steps: Sequence[int] = steps, warmup: float = float(warmup)) -> Tensor:
            values = torch.tensor([rule(float(step), warmup) for step in steps], dtype=torch.float64)
            return values / values[3]

        expect(found / found[3], f"the learning rate, relative to step {warmup} = warmup,").close_to(
            relative(lambda n, w: min(n**-0.5, n * w**-1.5)),
            mistakes={told: relative(rule) for told, rule in SCHEDULES.items()},
        )


def expect_scale(student: Student) -> None:
    """The factors in front of the minimum, from ratios; then their size, at any step that the schedule has right."""
    step, warmup = 30, 50
    base = rate(student, step, 24, warmup)
    expect(base > 0).is_true(f"the learning rate is {base:g}")
    expect(rate(student, step, 96, warmup) / base, "the change from d_model = 24 to 96").close_to(
        0.5,
        mistakes={
            "there is no d_model in it": 1.0,
            "√d_model multiplies, it should divide": 2.0,
            "d_model divides, its square root should": 0.25,
            "d_model multiplies, 1/√d_model should": 4.0,
        },
    )
    expect(rate(student, step, 24, warmup, 2.5) / base, "the change from factor 1 to 2.5").close_to(
        2.5,
        mistakes={"the argument factor is not used": 1.0, "the factor divides": 0.4, "it is squared": 6.25},
    )
    steps = (10, warmup, 450)
    found = [rate(student, n, 24, warmup) / learning_rate(n, 24, warmup) for n in steps]
    expect(any(abs(ratio - 1) < 2e-3 for ratio in found)).is_true(
        f"at step {warmup} = warmup it is {found[1]:.4g} times what it should be"
    )


def expect_step_zero(student: Student) -> None:
    """Step 0 is answered like step 1, by the student's own rule."""
    first = rate(student, 1, 24, 40)
    expect(first > 0 and abs(rate(student, 3, 24, 40) - first) > 1e-9).is_true(
        "there is no schedule to ask for step 0: the rates of steps 1 and 3 are the same, or 0"
    )
    zeroth = rate(student, 0, 24, 40)
    if abs(zeroth / learning_rate(1, 24, 40) - 1) < RTOL:  # who counts one step further has it here
        return
    expect(zeroth, "the learning rate of step 0").close_to(
        first, mistakes={"it is 0, so the first step is lost": 0.0}
    )


# -- batches ---------------------------------------------------------------------------------------------


def expect_batches(student: Student) -> None:
    """Every pair exactly once, in batches of the size asked for, in an order of chance."""
    n, size = 23, 5
    source = torch.arange(n * 3).reshape(n, 3) + 100
    target = torch.arange(n * 2).reshape(n, 2) + 1000
    orders = []
    for _ in range(2):
        answer = student.shuffled_batches(source, target, size)
        if not isinstance(answer, list | tuple) or not answer:
            raise CheckFailed("`shuffled_batches` returns no list of batches")
        batches = [pair(batch, "a batch of `shuffled_batches`") for batch in answer]
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
    expect(orders[0] != sorted(orders[0]) and orders[0] != orders[1]).is_true(
        "the order is the same each time: draw a new one at every call"
    )


# -- the training loop -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """What the loop uses and other items judge: the reference's, or the student's own."""

    student: Student | None = None

    def shift(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return shifted(self.student, tokens) if self.student else shift(tokens)

    def masks(self, source: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        if not self.student:
            return padding_mask(source), target_mask(inputs)
        found = self.student.padding_mask(source), self.student.target_mask(inputs)
        return numbers(found[0].double(), "a mask") > 0, numbers(found[1].double(), "a mask") > 0

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
class Slip:
    """A known way to get the loop wrong; the defaults are right."""

    clear: str = "batch"  # or "epoch", "never"
    stale: bool = False  # each batch begins with the step of the one before
    schedule: str = "batch"  # or "epoch", "early", "never"
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
    slip: Slip = Slip(),
) -> Tiny:
    """The model after SGD whose learning rate is multiplied by `decay` after each step."""
    weights = [w.clone().requires_grad_() for w in tiny.weights()]
    grads = [torch.zeros_like(w) for w in weights]
    for batches in epochs:
        if slip.clear == "epoch":
            grads = [torch.zeros_like(w) for w in weights]
        for source, target in [batch for batch in batches[slip.only] for _ in range(slip.repeat)]:
            if slip.stale:
                descend(weights, grads, slip.sign * rate)
            inputs, labels = parts.shift(target)
            source_mask, mask = parts.masks(source, inputs)
            mask = mask if slip.causal else torch.ones_like(mask)
            source_mask = source_mask if slip.hide_padding else torch.ones_like(source_mask)
            log_probs = Tiny(*weights).log_probs(source, inputs, source_mask, mask)
            s = smoothing if slip.smoothing is None else slip.smoothing
            _, upstream = parts.loss(log_probs, labels, s)
            fresh = torch.autograd.grad(log_probs, weights, upstream)
            pile = slip.clear != "batch"
            grads = [g + f if pile else f for g, f in zip(grads, fresh, strict=True)]
            if slip.schedule == "early":
                rate *= decay
            if slip.backward and not slip.stale:
                descend(weights, grads, slip.sign * rate)
            if slip.schedule == "batch":
                rate *= decay
        if slip.schedule == "epoch":
            rate *= decay
    return Tiny(*(w.detach() for w in weights))


LOOPS = {
    "the weights never change: backward() or step() is missing, or zero_grad() stands between them": Slip(
        backward=False
    ),
    "old gradients pile up: optimizer.zero_grad() is missing": Slip(clear="never"),
    "gradients are cleared once an epoch, not for every batch": Slip(clear="epoch"),
    "the step uses the batch before's gradients: step() comes before backward()": Slip(stale=True),
    "scheduler.step() is missing": Slip(schedule="never"),
    "scheduler.step() comes once an epoch, not after every batch": Slip(schedule="epoch"),
    "scheduler.step() comes before optimizer.step()": Slip(schedule="early"),
    "the loss is made larger, not smaller": Slip(sign=-1.0),
    "only the last batch is used: the step stands outside the loop": Slip(only=slice(-1, None)),
    "only the first batch is used": Slip(only=slice(1)),
    "every batch is used for two steps": Slip(repeat=2),
    "the decoder sees later tokens: the target's mask is missing": Slip(causal=False),
    "the source's padding is attended to: its mask is missing": Slip(hide_padding=False),
    "the argument smoothing is not used": Slip(smoothing=0.1),
    "the targets are not smoothed": Slip(smoothing=0.0),
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
    """Train by the student's `train_epoch`. Returns what the last call returned."""
    machinery = student.tiny_optimizer(model, rate, decay)
    if not isinstance(machinery, list | tuple) or not all(isinstance(part, Opaque) for part in machinery):
        raise CheckFailed("`tiny_optimizer` gives no optimiser and scheduler: run its cell, unchanged")
    answer = None
    for batches in epochs:
        answer = student.train_epoch(model, batches, *machinery, smoothing)
    return answer


def expect_steps(student: Student) -> None:
    """The weights after two epochs, by the right parts or by the student's own."""
    tiny, epochs = Tiny.drawn(*TINY, seed=1, scale=0.7), [batches_for(3), batches_for(4)]
    how = {"smoothing": 0.25, "rate": 0.8, "decay": 0.8}
    model = tiny_model(student, tiny)
    run_epochs(student, model, epochs, **how)
    state = model.state()
    got = torch.cat([state[name].reshape(-1) for name in Tiny.NAMES])

    def after(parts: Parts, slip: Slip = Slip()) -> Tensor:
        weights = trained(tiny, epochs, parts, slip=slip, **how).weights()
        return torch.cat([w.reshape(-1) for w in weights])

    seen = [after(Parts())]
    with suppress(CheckFailed, RuntimeError, IndexError):  # parts that are of no use
        own = after(Parts(student))
        if own.isfinite().all() and differ(own, flat(tiny), 1e-2, 0) > 0:
            seen.append(own)
    if any(differ(got, want, STEPS, ATOL) == 0 for want in seen):
        return
    mistakes: dict[str, Any] = {}
    for told, slip in LOOPS.items():
        mistakes[told] = lambda slip=slip: after(Parts(), slip)
    if len(seen) > 1:
        for told, slip in LOOPS.items():
            mistakes[f"{told} "] = lambda slip=slip: after(Parts(student), slip)
    expect(got, "a weight after two epochs").close_to(seen[-1], rtol=STEPS, mistakes=mistakes)


def flat(tiny: Tiny) -> Tensor:
    """All weights in a row."""
    return torch.cat([w.reshape(-1) for w in tiny.weights()])


def expect_train_mode(student: Student) -> None:
    """A model that arrives in eval mode is trained in train mode: with dropout 1 only the last bias can learn."""
    tiny = Tiny.drawn(*TINY, seed=2)
    model = tiny_model(student, tiny, dropout=1.0, training=False)
    lively = run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.5, decay=1.0)
    state = model.state()
    moved = {
        name: differ(state[name], before.float().double(), 0, 1e-6) > 0
        for name, before in tiny.state().items()
    }
    if not any(moved.values()):  # no step: then the loss tells whether dropout was on
        calm = run_epochs(student, tiny_model(student, tiny), [batches_for()], 0.1, rate=0.0, decay=1.0)
        same = differ(numbers(lively, "the mean loss"), numbers(calm, "the mean loss"), 1e-3, 0) == 0
        expect(not same).is_true("the weights don't change, and the loss is that of eval mode")
    expect(not moved["source.weight"] and not moved["target.weight"]).is_true(
        "the model is trained in eval mode, as the last evaluation left it: begin with model.train()"
    )


def expect_report(student: Student) -> None:
    """The loss per token over all batches, with a learning rate of 0: apart from the steps."""
    tiny, batches = Tiny.drawn(*TINY, seed=5), batches_for()
    model = tiny_model(student, tiny)
    answer = numbers(
        run_epochs(student, model, [batches], smoothing=0.2, rate=0.0, decay=1.0), "the mean loss"
    )
    expect(answer.numel(), "the number of its entries").equals(1)
    value = answer.reshape(())

    def losses(parts: Parts) -> tuple[Tensor, Tensor, Tensor]:
        found = []
        for source, target in batches:
            inputs, labels = parts.shift(target)
            log_probs = tiny.log_probs(source, inputs, *parts.masks(source, inputs))
            found.append((parts.loss(log_probs, labels, 0.2)[0], int((labels != 0).sum()), labels.numel()))
        loss, tokens, places = torch.tensor(found, dtype=torch.float64).T
        return loss, tokens, places

    seen = [losses(Parts())]
    with suppress(CheckFailed, RuntimeError, IndexError):
        own = losses(Parts(student))
        if float(own[0].std()) > 1e-6:
            seen.append(own)
    rows = torch.tensor([len(target) for _, target in batches]).double()
    mistakes: dict[str, Tensor] = {}
    for loss, tokens, places in seen:
        if differ(value, loss @ tokens / tokens.sum(), 1e-3, ATOL) == 0:
            return
        mistakes |= {
            "the batches' means are averaged, though they have different numbers of tokens": loss.mean(),
            "batches are weighted by their rows, not by their tokens": loss @ rows / rows.sum(),
            "padding is counted among the tokens": loss @ places / places.sum(),
            "losses per token are summed and then divided by all tokens": loss.sum() / tokens.sum(),
            "this is the sum over all tokens, not per token": loss @ tokens,
            "this is the sum of the batches' losses": loss.sum(),
            "this is the last batch's loss": loss[-1],
            "this is the first batch's loss": loss[0],
            "it is divided by the number of batches, not of tokens": loss @ tokens / len(loss),
        }
    loss, tokens, _ = seen[-1]
    expect(value, "the mean loss").close_to(loss @ tokens / tokens.sum(), rtol=1e-3, mistakes=mistakes)


# -- greedy decoding -------------------------------------------------------------------------------------

GREEDY = (13, 5)  # vocabulary and width
LENGTH, FIRST = 8, 4


@dataclass(frozen=True)
class Path:
    """A known way to decode; the defaults are right."""

    causal: bool = True
    hide_padding: bool = True
    pick: str = "vocabulary"  # or "positions", "batch", "first", "least"
    forget: bool = False  # each token from the last one alone


def greedy(
    tiny: Tiny, source: Tensor, source_mask: Tensor, length: int, start: int, path: Path = Path()
) -> Tensor:
    """(B, length) tokens, each the most probable after those before it; the first one is `start`."""
    tokens = torch.full((len(source), 1), start)
    mask = source_mask if path.hide_padding else torch.ones_like(source_mask)
    while tokens.shape[1] < length:
        seen = tokens[:, -1:] if path.forget else tokens
        n = seen.shape[1]
        allowed = torch.ones(1, n, n, dtype=torch.bool)
        log_probs = tiny.log_probs(source, seen, mask, allowed.tril() if path.causal else allowed)
        last = log_probs[:, 0 if path.pick == "first" else -1]  # (B, V)
        match path.pick:
            case "least":
                following = last.argmin(-1)
            case "batch":
                following = last.argmax(0)[: len(source)]
            case "positions":
                following = log_probs.argmax(1)[:, -1]
            case _:
                following = last.argmax(-1)
        tokens = torch.cat([tokens, following[:, None]], 1)
    return tokens


PATHS = {
    "the least probable token is taken": Path(pick="least"),
    "argmax runs over the batch, not over the vocabulary": Path(pick="batch"),
    "argmax runs over the positions, not over the vocabulary": Path(pick="positions"),
    "the first position's prediction is taken, not the last one's": Path(pick="first"),
    "the decoder sees no more than its last token": Path(forget=True),
    "the decoder gets no causal mask": Path(causal=False),
    "the source's mask is not used": Path(hide_padding=False),
}


def decoding_task(seed: int) -> tuple[Tiny, Tensor, Tensor]:
    """Weights, sources (3, 6) with padding, and their mask."""
    source = torch.randint(1, GREEDY[0], (3, 6), generator=torch.Generator().manual_seed(seed))
    source[1, 4:] = source[2, 3:] = 0
    return Tiny.drawn(*GREEDY, seed=seed + 50, scale=1.5), source, padding_mask(source)


DECODING_SEEDS = (71, 187, 342)  # where right and wrong paths all differ


def decoded(student: Student, model: Model, source: Tensor, mask: Tensor) -> Tensor:
    """What the student's decoder gives: whole numbers, a row for each source."""
    found = whole(student.greedy_decode(model, source, mask, LENGTH, FIRST), "what `greedy_decode` returns")
    if found.ndim != 2 or len(found) != len(source) or found.shape[1] < 3:
        raise CheckFailed(f"`greedy_decode` returns shape {tuple(found.shape)}, not {(len(source), LENGTH)}")
    return found


def following(tokens: Tensor) -> Tensor:
    """The tokens after the start, whether or not it was kept, as many as every honest answer has."""
    kept = bool((tokens[:, 0] == FIRST).all())
    return tokens[:, kept:][:, : LENGTH - 2]


def expect_path(student: Student) -> None:
    """The tokens after the start are the most probable ones."""
    for seed in DECODING_SEEDS:
        tiny, source, mask = decoding_task(seed)
        got = following(decoded(student, tiny_model(student, tiny, training=False), source, mask))

        def path(how: Path, task: tuple[Tiny, Tensor, Tensor] = (tiny, source, mask)) -> Tensor:
            return following(greedy(*task, LENGTH, FIRST, how))

        mistakes = {told: path(how) for told, how in PATHS.items()}
        expect(got, "a token after the start").close_to(path(Path()), rtol=0, atol=0.1, mistakes=mistakes)


def expect_decoding(got: Tensor, task: tuple[Tiny, Tensor, Tensor]) -> None:
    """The tokens come from the model: they depend on the source, or are what a known slip leads to."""
    tokens = following(got)
    if (tokens != tokens[:1]).any():
        return
    known = [following(greedy(*task, LENGTH, FIRST, how)) for how in PATHS.values()]
    expect(any(differ(tokens, path, 0, 0.1) == 0 for path in known)).is_true(
        "different sources get the same tokens"
    )


def expect_start(student: Student) -> None:
    """max_len tokens, the first one the start; the others depend on the source."""
    tiny, source, mask = decoding_task(DECODING_SEEDS[0])
    got = decoded(student, tiny_model(student, tiny, training=False), source, mask)
    expect_decoding(got, (tiny, source, mask))
    expect(bool((got[:, 0] == FIRST).all())).is_true("the start token is not the first one of each row")
    expect(got.shape[1], f"the number of tokens for max_len {LENGTH}, the start included,").equals(LENGTH)


def expect_eval_mode(student: Student) -> None:
    """A model that arrives in train mode decodes without dropout."""
    for seed in DECODING_SEEDS:
        tiny, source, mask = decoding_task(seed)
        calm = decoded(student, tiny_model(student, tiny, 0.0, training=False), source, mask)
        lively = decoded(student, tiny_model(student, tiny, 0.6, training=True), source, mask)
        expect_decoding(calm, (tiny, source, mask))
        expect(calm.shape == lively.shape and torch.equal(calm, lively)).is_true(
            "a model in train mode decodes with dropout: call model.eval() first"
        )


# -- what was learnt -------------------------------------------------------------------------------------


def written(student: Student, model: Any, source: Tensor, length: int, start: int) -> Tensor:
    """Tokens (B, length) by greedy decoding, our own: only the model is the student's.

    Raises:
        CheckFailed: there is no trained model, or it gives something else than tokens.
    """
    if not isinstance(model, Model):
        raise CheckFailed("there is no trained model yet: run the cell that trains it")
    mask, tokens = padding_mask(source), torch.full((len(source), 1), start)
    while tokens.shape[1] < length:
        found = whole(
            student.next_tokens(model, source, tokens, mask, target_mask(tokens, -1)), "a next token"
        )
        expect(found, "what the model predicts").has_shape(*tokens.shape)
        tokens = torch.cat([tokens, found[:, -1:]], 1)
    return tokens


@dataclass(frozen=True)
class Task:
    """What a transformer is to learn, and how: a row of `make_model`'s arguments, and our training of it."""

    sizes: tuple[Any, ...]  # vocabularies, layers, d_model, d_ff, heads, dropout
    batches: Callable[[], Iterable[Batch]]
    warmup: int
    factor: float
    threshold: float  # share of whole sequences
    low: float  # share of single tokens, well above what guessing gives


def copying() -> Iterator[Batch]:
    """300 batches of 64 random sequences, which are their own targets."""
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
    """Whole sequences right, a share of `threshold` of them.

    Where a part that the training used is wrong, and so has been paid for, single tokens do, a share of `low`: of the
    trained model or, if that learnt nothing because of its training, of the student's architecture trained by us. A
    loop that moves no weight is no training, and isn't replaced by ours.

    Args:
        target: (B, n), with the start.
    """

    def right(model: Any) -> Tensor:
        return (written(student, model, source, target.shape[1], int(target[0, 0])) == target)[:, 1:]

    found = right(model)
    share = float(found.all(1).double().mean())
    if share >= task.threshold:
        return
    paid = slips(student)
    if paid and float(found.double().mean()) >= task.low:
        return
    if TRAINING_PARTS & set(paid) and moves(student):
        ours = trained_by_us(student, task)
        if float(right(ours).double().mean()) >= task.low:
            return
    told = f" (wrong parts: {', '.join(paid[:3])}{', …' * (len(paid) > 3)})" if paid else ""
    expect(share, f"the share of whole sequences that are right{told}").at_least(task.threshold)


def moves(student: Student) -> bool:
    """Whether the student's training loop changes weights."""
    tiny = Tiny.drawn(*TINY, seed=6)
    model = tiny_model(student, tiny)
    try:
        run_epochs(student, model, [batches_for()], smoothing=0.1, rate=0.1, decay=1.0)
    except CheckFailed:
        return False
    state = model.state()
    return any(differ(state[name], w, 0, 1e-5) > 0 for name, w in tiny.state().items())


def trained_by_us(student: Student, task: Task) -> Model:
    """A new model of the student's, trained from here: Adam, our schedule, shift, masks and loss.

    The generator is a given part of the model: one Linear layer and log-softmax.
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


def slips(student: Student) -> list[str]:
    """Names of the student's parts that give something else than ours, of those that training builds on."""
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
    found = []
    for name, probes in parts.items():
        try:
            for probe in probes:
                probe()
        except CheckFailed:
            found.append(name)
    return found


def expect_choice(student: Student) -> None:
    """The epoch of the best validation accuracy, whatever the test accuracy and the loss are."""
    histories = [
        {
            "loss": [0.9, 0.5, 0.3, 0.4, 0.1, 0.2, 0.25],
            "validation": [0.3, 0.6, 0.9, 0.8, 0.7, 0.1, 0.65],
            "test": [0.1, 0.95, 0.8, 0.7, 0.6, 0.5, 0.9],
        },
        {"loss": [0.8, 0.6, 0.1, 0.3], "validation": [0.1, 0.7, 0.3, 0.5], "test": [0.5, 0.4, 0.2, 0.6]},
    ]
    for history in histories:
        answer = whole(student.best_epoch(history), "`best_epoch`").reshape(-1)
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
