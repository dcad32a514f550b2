"""Part 8: shifted targets, label smoothing and the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson.calls import about
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p7.probes import ATOL, RTOL
from judging.csc6022_hw2.p7.tokens import token_pair


def shift(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Decoder input and labels, both (B, n - 1), of target sequences (B, n)."""
    return tokens[:, :-1], tokens[:, 1:]


def smoothed_targets(labels: Tensor, vocabulary: int, smoothing: float, pad: int = 0) -> Tensor:
    """Target distributions (…, V) in float64, as in the Annotated Transformer: 1 - s at the label, s / (V - 2)
    elsewhere, 0 at the padding's class, and a row of zeros for each padded position."""
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


# -- shifting --------------------------------------------------------------------------------------------


def shifted(student: Student, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Decoder input and labels by the student's `shift`, int64.

    Raises:
        CheckFailed: it does not return two tensors of tokens.
    """
    return token_pair(student.shift(tokens), "`shift`")


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
    """The decoder input (`which` 0) or the labels (1) are right for two batches of sequences."""
    for tokens in sequences():
        got, want = shifted(student, tokens)[which], shift(tokens)[which]
        name = ("the decoder input", "the labels")[which]
        expect(got, name).close_to(
            want, mistakes={meaning: wrong(tokens) for meaning, wrong in SHIFTS.items()}
        )


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
    """Random log-probabilities (…, V) in float64."""
    draw = torch.Generator().manual_seed(vocabulary + 1)
    return torch.randn(*labels.shape, vocabulary, generator=draw, dtype=torch.float64).log_softmax(-1)


def own_targets(student: Student, labels: Tensor, vocabulary: int, smoothing: float, *pad: int) -> Tensor:
    """What the student's `smoothed_targets` returns, (…, V).

    Raises:
        CheckFailed: it has another shape.
    """
    targets = numbers(student.smoothed_targets(labels, vocabulary, smoothing, *pad), "`smoothed_targets`")
    expect(targets, "what `smoothed_targets` returns").has_shape(*labels.shape, vocabulary)
    return targets


def expect_mass(student: Student) -> None:
    """The rows of tokens are right outside the padding's column. If that column is kept, s is spread over V - 1
    classes: `expect_no_padding` judges that."""
    for vocabulary, s in SMOOTHED:
        labels = labels_for(vocabulary)
        tokens = labels != 0
        own = own_targets(student, labels, vocabulary, s)[tokens]
        want = smoothed_targets(labels, vocabulary, s)[tokens]
        true = want == 1 - s

        def spread(right: float, others: float, true: Tensor = true) -> Tensor:
            return torch.where(true, right, others)[:, 1:].double()

        kept = bool((own[:, 0] > ATOL).all())
        share = s / (vocabulary - 1 if kept else vocabulary - 2)
        with about(f"smoothing {s:g} and {vocabulary} classes"):
            expect(own[:, 1:], "a probability").close_to(
                spread(1 - s, share),
                mistakes={
                    "s is spread over V − 1 classes; padding gets none, so V − 2 share it": spread(
                        1 - s, s / (vocabulary - 1)
                    ),
                    "s is spread over V classes; label and padding get none of it": spread(
                        1 - s, s / vocabulary
                    ),
                    "every class gets s / V, the label too: that is PyTorch's label_smoothing": spread(
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
        own = own_targets(student, labels, vocabulary, s)
        rows, padded = own[labels != 0], own[labels == 0]
        expect(bool((rows.sum(-1) > 0.1).all())).is_true("the rows of tokens have no mass")
        expect(bool((own.amax(-1) - own.amin(-1))[labels != 0].min() > ATOL)).is_true(
            "all numbers are the same"
        )
        expect(float(rows[:, 0].abs().max()) < ATOL).is_true(
            f"the padding's class gets {float(rows[:, 0].abs().max()):.3g}: nobody should predict padding"
        )
        expect(float(padded.abs().max()) < ATOL).is_true(
            "rows of padded positions are not zero: padding would count in the loss"
        )
        expect(uses_pad(student, labels, vocabulary, s, pad=3)).is_true(
            "the padding token is not always 0: use the argument `pad`"
        )


def exchanged(pad: int, vocabulary: int) -> Tensor:
    """All tokens (V,), 0 and `pad` exchanged."""
    tokens = torch.arange(vocabulary)
    tokens[0], tokens[pad] = pad, 0
    return tokens


def uses_pad(student: Student, labels: Tensor, vocabulary: int, smoothing: float, pad: int) -> bool:
    """Whether the student's targets are the same if another token fills up and is given as the argument `pad`."""
    other, own = exchanged(pad, vocabulary), own_targets(student, labels, vocabulary, smoothing)
    again = own_targets(student, other[labels], vocabulary, smoothing, pad)
    return differ(again[..., other], own, RTOL, ATOL) == 0


def known_targets(student: Student, labels: Tensor, vocabulary: int, s: float) -> Iterator[Tensor]:
    """The right targets, then the student's own if something may follow from them."""
    yield smoothed_targets(labels, vocabulary, s)
    with suppress(CheckFailed):
        own = own_targets(student, labels, vocabulary, s)
        if (own >= 0).all() and (own.sum(-1)[labels != 0] > 0.1).all() and float(own.std()) > 1e-3:
            yield own


def expect_loss(student: Student) -> None:
    """The loss is the divergence per token, from the right targets or from the student's own."""
    for vocabulary, s in (*SMOOTHED, (6, 0.0)):
        labels = labels_for(vocabulary)
        log_probs = log_probabilities(labels, vocabulary)
        answer = student.smoothed_loss(log_probs, labels, s)
        if isinstance(answer, Tensor) and answer.isnan().any():
            raise CheckFailed("the loss is NaN: 0 · log 0 counts as 0, see F.kl_div or torch.xlogy")
        value = numbers(answer, "the loss")
        expect(value.numel(), "the number of the loss's entries").equals(1)
        value = value.reshape(())
        right, *own = known_targets(student, labels, vocabulary, s)
        wants = [divergence(log_probs, t) / (labels != 0).sum() for t in (right, *own)]
        if any(differ(value, want, RTOL, ATOL) == 0 for want in wants):
            if uses_pad(student, labels, vocabulary, s, pad=3):
                other = exchanged(3, vocabulary)
                again = student.smoothed_loss(log_probs[..., other], other[labels], s, 3)
                expect(again, "the loss where token 3 fills up, not 0,").close_to(value)
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
            each = torch.stack([divergence(p, one) for p, one in zip(log_probs, t, strict=True)])
            counts = (labels != 0).sum(1)
            mistakes |= {
                "the sentences' means are averaged, though they have different numbers of tokens": (
                    each / counts
                ).mean(),
                "it is the sum of the sentences' means": (each / counts).sum(),
            }
            mistakes |= {f"it is {meaning}": total / n for meaning, n in places.items()}
            mistakes |= {
                "this is the cross-entropy; the divergence also has + Σ t log t": crossed / rows,
                "its sign is turned round": -total / rows,
                "padded positions count": divergence(log_probs, with_padding(t, labels)) / rows,
            }
            mistakes |= {
                f"this is the cross-entropy, {meaning}": crossed / n for meaning, n in places.items()
            }
        with about(f"smoothing {s:g} and {vocabulary} classes"):
            expect(value, "the loss").close_to(wants[0], mistakes=mistakes)


def with_padding(targets: Tensor, labels: Tensor) -> Tensor:
    """The targets with 1 at the padding's class in padded positions."""
    wrong = targets.clone()
    wrong[labels == 0] = F.one_hot(torch.tensor(0), targets.shape[-1]).double()
    return wrong


def loss_gradient(student: Student, log_probs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """The gradient of the student's loss with respect to log p; of its sum, if it is several numbers.

    Raises:
        CheckFailed: there is none, or it is zero everywhere.
    """
    loss = student.smoothed_loss(log_probs, labels, smoothing)
    upstream = torch.ones_like(loss) if isinstance(loss, Tensor) else torch.tensor(1.0)
    answer = student.smoothed_loss.gradients(log_probs, labels, smoothing, upstream=upstream)
    gradient = answer.inputs[0]
    if gradient is None or not gradient.any():
        raise CheckFailed(
            "the loss does not depend on log_probs as autograd sees it: no detach(), item(), .data or NumPy"
        )
    return numbers(gradient, "the gradient")


def expect_gradient(student: Student) -> None:
    """The gradient with respect to log p is, in each sentence, a negative multiple of the targets; a positive one if
    the loss has the wrong sign, too, which `expect_loss` judges."""
    for vocabulary, s in SMOOTHED:
        labels = labels_for(vocabulary)
        log_probs = log_probabilities(labels, vocabulary)
        gradient = loss_gradient(student, log_probs, labels, s)
        expect(gradient, "the gradient").has_shape(*log_probs.shape)
        known = list(known_targets(student, labels, vocabulary, s))
        # A multiple for each sentence, for `expect_loss` judges how sentences are weighed.
        multiples = [(gradient * t).sum((1, 2), True) / (t * t).sum((1, 2), True) for t in known]
        fits = [differ(gradient, m * t, 1e-3, ATOL) == 0 for m, t in zip(multiples, known, strict=True)]
        loss = student.smoothed_loss(log_probs, labels, s)
        sign = 1.0 if isinstance(loss, Tensor) and bool(loss.sum() < 0) else -1.0  # of NaN nothing is known
        if any(fit and bool((m.sign() == sign).all()) for fit, m in zip(fits, multiples, strict=True)):
            continue
        expect(not any(fits)).is_true("the gradient has the wrong sign: it makes right classes less likely")
        expect(gradient * (labels != 0).sum(), "tokens × gradient").close_to(-known[0])
