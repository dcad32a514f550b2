"""Part 1: attention, softmax(Q Kᵀ / √d_k) V."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p7.probes import (
    ATOL,
    RTOL,
    generator,
    normal,
    open_mask,
)
from judging.csc6022_hw2.p7.reference import attention


def queries_keys_values(seed: int, *leading: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query (…, 4, 6), key (…, 7, 6) and value (…, 7, 5), float64: n_q = 4, n_k = 7, d_k = 6, d_v = 5."""
    draw = generator(seed)
    return normal(draw, *leading, 4, 6), normal(draw, *leading, 7, 6), normal(draw, *leading, 7, 5)


def output_and_weights(result: Any, shapes: Sequence[Sequence[int]] = ()) -> tuple[Tensor, Tensor]:
    """Output and weights, as float64.

    Args:
        shapes: the shapes they should have.
    Raises:
        CheckFailed: it is not a pair of numbers of these shapes.
    """
    if not isinstance(result, tuple | list) or len(result) != 2:
        form = "nothing (is a `return` missing?)" if result is None else "no pair"
        raise CheckFailed(f"`attention` returns {form}: return (output, weights)")
    output, weights = numbers(result[0], "the output"), numbers(result[1], "the weights")
    for value, name, shape in zip((output, weights), ("the output", "the weights"), shapes, strict=False):
        expect(value, name).has_shape(*shape)
    return output, weights


@dataclass(frozen=True)
class Softmax:
    """How weights come from the scores S = Q Kᵀ: weights ∝ exp(slope · S), normalised along an axis."""

    slope: float
    axis: int


def softmax_of(weights: Tensor, scores: Tensor) -> Softmax | None:
    """The softmax that gives these weights, up to their sums, for the unscaled scores; None if there is none.

    Along its axis the logarithms of the weights are the scaled scores plus a constant.
    """
    if (weights <= 0).any():
        return None
    for axis in range(-1, -weights.dim() - 1, -1):
        logs, s = (x - x.mean(axis, keepdim=True) for x in (weights.log(), scores))
        slope = float((logs * s).sum() / s.square().sum())
        if abs(slope) > 1e-3 and differ(logs, slope * s, 1e-3, 1e-6) == 0:
            return Softmax(slope, axis)
    return None


@dataclass(frozen=True)
class Attended:
    """One call of the student's `attention` without a mask, and the softmax recognised in it."""

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    weights: Tensor
    softmax: Softmax | None

    @property
    def right(self) -> tuple[Tensor, Tensor]:
        return attention(self.query, self.key, self.value)

    def masked(self, mask: Tensor) -> Tensor:
        """The weights that the student's own softmax gives under a mask: the open ones, normalised again."""
        if self.softmax is None:
            return attention(self.query, self.key, self.value, mask)[1]
        axis, masked = self.softmax.axis, self.weights * mask
        before, after = (w.sum(axis, keepdim=True) for w in (self.weights, masked))
        if differ(before, torch.ones_like(before), 1e-3, 0) > 0:
            return masked  # the student's weights are not normalised
        equal = torch.full_like(masked, 1 / masked.shape[axis])  # where everything is closed
        return torch.where(after > 0, masked / after.clamp(min=1e-30), equal)


def attend(student: Student, seed: int = 71, leading: Sequence[int] = (3, 2)) -> Attended:
    """Call the student's `attention` on `queries_keys_values`, without a mask.

    Raises:
        CheckFailed: it does not return output and weights in their shapes.
    """
    query, key, value = queries_keys_values(seed, *leading)
    output, weights = output_and_weights(
        student.attention(query, key, value), [(*leading, 4, 5), (*leading, 4, 7)]
    )
    return Attended(query, key, value, output, weights, softmax_of(weights, query @ key.mT))


def expect_recognised(asked: Attended) -> Softmax:
    """The weights are some softmax of Q Kᵀ.

    Raises:
        CheckFailed: they aren't, so nothing that follows from them can be judged.
    """
    if asked.softmax is None:
        raise CheckFailed("the weights do not follow from the scores Q Kᵀ by a softmax")
    return asked.softmax


def expect_scale(student: Student) -> None:
    """The scores are divided by √d_k."""
    for leading in ((3, 2), (5,)):
        asked = attend(student, 71, leading)
        divisor = 1 / expect_recognised(asked).slope
        divisors = {
            "they are not scaled: divide by √d_k": 1.0,
            "divided by d_k: take the root, √d_k": 6.0,
            "divided by the root of the number of keys: take √d_k, the size of a key": 7**0.5,
            "divided by the root of the number of queries: take √d_k, the size of a key": 2.0,
            "divided by √d_v: take √d_k, the size of a key": 5**0.5,
            "divided by √d_model, all heads together: take √d_k, the size of one key": 12**0.5,
            "multiplied by √d_k: divide": 6**-0.5,
            "with the wrong sign: divide by +√d_k": -(6**0.5),
        }
        expect(divisor, "what the scores Q Kᵀ are divided by, for d_k = 6,").close_to(
            6**0.5,
            rtol=1e-3,
            mistakes={f"the scores are {mistake}": value for mistake, value in divisors.items()},
        )


def expect_softmax(student: Student) -> None:
    """The weights of a query sum to 1 over the keys."""
    asked = attend(student)
    axis = expect_recognised(asked).axis
    sums = asked.weights.sum(-1)
    if axis == -2:
        raise CheckFailed(
            "softmax runs over the queries: the weights of each *query* sum to 1, over the keys"
        )
    if axis < -2:
        raise CheckFailed("softmax runs over the batch or the heads: take the last dimension, the keys")
    expect(sums, "the sum of a query's weights").close_to(torch.ones_like(sums), rtol=1e-4)


def expect_output(student: Student) -> None:
    """The output is weights · value, with the student's own weights."""
    asked = attend(student)
    if asked.softmax is None:
        expect(asked.output, "the output").close_to(asked.right[0], rtol=RTOL)
    expect(asked.output, "the output").close_to(
        asked.weights @ asked.value,
        rtol=RTOL,
        mistakes={
            "it is the mean of the values, whatever the weights": asked.value.mean(
                -2, keepdim=True
            ).expand_as(asked.output),
            "it is divided by the number of keys": asked.weights @ asked.value / 7,
        },
    )


def expect_mask(student: Student) -> None:
    """Keys where the mask is False get no weight, the others share all of it; the output follows."""
    asked = attend(student)
    mask = open_mask(72, 3, 2, 4, 7)
    output, weights = output_and_weights(
        student.attention(asked.query, asked.key, asked.value, mask), [(3, 2, 4, 5), (3, 2, 4, 7)]
    )
    unmasked, scores = asked.weights, asked.query @ asked.key.mT
    softmax = asked.softmax or Softmax(6**-0.5, -1)
    expect(weights, "the weights").close_to(
        asked.masked(mask),
        rtol=RTOL,
        mistakes={
            "the mask has no effect": unmasked,
            "the mask is inverted: True means that attention is allowed": asked.masked(~mask),
            "the mask comes after the softmax: weights no longer sum to 1, so mask the scores": unmasked
            * mask,
            "the inverted mask comes after the softmax: mask the scores where it is False": unmasked * ~mask,
            "the mask comes after the softmax: fill the scores, not the weights": unmasked.masked_fill(
                ~mask, -1e9
            ),
            "masked scores are set to 0, and exp(0) = 1 is a weight: fill with −1e9": (
                (softmax.slope * scores * mask).softmax(softmax.axis)
            ),
            "the mask is added as 0 and 1: add 0 where it is True and −1e9 where it is False": (
                (softmax.slope * scores + mask).softmax(softmax.axis)
            ),
        },
    )
    if asked.softmax and asked.softmax.slope > 0 and asked.softmax.axis == -1:  # other checks judge that
        expect_closed(student)
    if differ(asked.output, unmasked @ asked.value, RTOL, ATOL) == 0:
        expect(output, "the output under a mask").close_to(
            weights @ asked.value, rtol=RTOL, mistakes={"it is computed from unmasked weights": asked.output}
        )


def expect_closed(student: Student) -> None:
    """What is closed gets no weight, however small the scores of what is open; and what is open gets some, also if
    there are as many queries as keys."""
    n = 5
    query, value = 12 * torch.ones(n, 6).double(), normal(generator(90), n, 3)
    key = torch.full((n, 6), -12.0).double()
    key[1::2] = 12.0
    mask = (torch.arange(n) % 2 == 0).expand(n, n)
    _, weights = output_and_weights(student.attention(query, key, value, mask), [(n, 3), (n, n)])
    expect(float(weights[~mask].max()), "the largest weight of a closed key with large scores").close_to(
        0.0, atol=1e-6
    )
    _, weights = output_and_weights(student.attention(0 * query, key, value, mask), [(n, 3), (n, n)])
    expect(weights / weights.sum(-1, keepdim=True), "the weights where all scores are 0").close_to(
        mask / mask.sum(-1, keepdim=True), rtol=RTOL
    )


def expect_broadcast(student: Student) -> None:
    """A mask that broadcasts does the same as the expanded mask, with any number of leading dimensions."""
    for leading, small in (((3, 2), (3, 1, 1, 7)), ((3, 2), (4, 7)), ((5,), (5, 1, 7)), ((), (4, 7))):
        asked = attend(student, 73, leading)
        expect_recognised(asked)
        mask = open_mask(74, 4, 7) if small == (4, 7) else torch.rand(small, generator=generator(75)) < 0.6
        mask[..., 2] |= ~mask.any(-1)
        rows = [
            output_and_weights(student.attention(asked.query, asked.key, asked.value, m))
            for m in (mask, mask.expand(*leading, 4, 7).clone())
        ]
        for got, want, what in zip(*rows, ("the output", "the weights"), strict=True):
            expect(got, f"{what} with a mask of shape {small}").close_to(want, rtol=RTOL)


def expect_dropout(student: Student) -> None:
    """The `dropout` argument is applied to the weights. The check passes a threshold instead, which is not random."""
    asked = attend(student)
    expect_recognised(asked)
    threshold = float(asked.weights.median())
    layer = student.make_network(("Threshold", threshold, 0.0))
    output, _ = output_and_weights(student.attention(asked.query, asked.key, asked.value, None, layer))

    def cut(x: Tensor) -> Tensor:
        return torch.where(x > threshold, x, 0.0)

    if differ(asked.output, asked.weights @ asked.value, RTOL, ATOL) > 0:  # `expect_output` judges that
        expect(differ(output, asked.output, RTOL, ATOL) > 0).is_true("`dropout` has no effect")
        return
    expect(output, "the output with dropout").close_to(
        cut(asked.weights) @ asked.value,
        rtol=RTOL,
        mistakes={
            "`dropout` has no effect": asked.output,
            "`dropout` acts on the output: apply it to the weights": cut(asked.output),
        },
    )


def expect_finite(student: Student) -> None:
    """A query without an open key gets finite numbers."""
    asked = attend(student)
    expect_recognised(asked)
    mask = open_mask(72, 3, 2, 4, 7)
    mask[1, 0, 2] = False
    result = student.attention(asked.query, asked.key, asked.value, mask)
    if not isinstance(result, tuple | list) or not all(
        isinstance(part, Tensor) and torch.isfinite(part).all() for part in result
    ):
        raise CheckFailed(
            "a query that may look at no key gives NaN or infinity: fill with −1e9 instead of −∞"
        )


def expect_gradients(student: Student) -> None:
    """Autograd's gradients through the student's code are those of the function that the code computes."""
    asked = attend(student, 76)
    softmax = expect_recognised(asked)
    inputs = [x.clone().requires_grad_() for x in (asked.query, asked.key, asked.value)]
    upstream = normal(generator(77), *asked.output.shape)
    weights = (softmax.slope * inputs[0] @ inputs[1].mT).softmax(softmax.axis)
    wanted = torch.autograd.grad((weights @ inputs[2]), inputs, upstream)
    gradients = student.attention.gradients(*inputs, upstream=upstream).inputs
    steps = [normal(generator(78 + i), *x.shape) for i, x in enumerate(inputs)]
    for i, name in enumerate(("query", "key", "value")):
        gradient = gradients[i]
        if gradient is None:
            raise CheckFailed(f"no gradient reaches `{name}`: detach nothing, and leave tensors tensors")
        if differ(gradient, wanted[i], RTOL, ATOL) == 0:
            continue
        # The code may compute another function, which other checks judge: compare with its finite differences.
        ends = [
            output_and_weights(
                student.attention(
                    *[x.detach() + sign * 1e-5 * steps[j] * (i == j) for j, x in enumerate(inputs)]
                )
            )[0]
            for sign in (1, -1)
        ]
        slope = float(((ends[0] - ends[1]) * upstream).sum() / 2e-5)
        expect(
            float((gradient * steps[i]).sum()), f"the gradient with respect to `{name}`, along a direction,"
        ).close_to(slope, rtol=1e-3)
