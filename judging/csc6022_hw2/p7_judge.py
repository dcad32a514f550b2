"""Homework 2, problem 7, first part: what is right about an attention mechanism, and which slip explains a wrong one.

Each `expect_…` judges one part of an answer and raises `CheckFailed`. What a part builds on is the student's own: a
slip is recognised where it is made, and carried through elsewhere. Numbers that are the same everywhere earn nothing.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7_attention import attention, causal_mask, encoding, padding_mask

# -- 7.1: attention --------------------------------------------------------------------------------------

RTOL, ATOL = 1e-4, 1e-6  # room for float32
MODULE_RTOL, MODULE_ATOL = 1e-3, 1e-5  # models compute in float32


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(draw: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers, float64."""
    return torch.randn(shape, generator=draw, dtype=torch.float64)


def queries_keys_values(seed: int, *leading: int) -> tuple[Tensor, Tensor, Tensor]:
    """n_q = 4, n_k = 7, d_k = 6, d_v = 5."""
    draw = generator(seed)
    return drawn(draw, *leading, 4, 6), drawn(draw, *leading, 7, 6), drawn(draw, *leading, 7, 5)


def open_mask(seed: int, *shape: int) -> Tensor:
    """A random mask (…, n_q, n_k) that leaves in every row and column something open and something closed."""
    draw = generator(seed)
    while True:
        mask = torch.rand(shape, generator=draw) < 0.55
        counts = [mask.any(-1), mask.any(-2), ~mask.all(-1), ~mask.all(-2)]
        if all(bool(c.all()) for c in counts):
            return mask


def pair(result: Any, shapes: Sequence[Sequence[int]] = ()) -> tuple[Tensor, Tensor]:
    """Output and weights, as float64.

    Args:
        shapes: what they should have.
    Raises:
        CheckFailed: it is something else.
    """
    if not isinstance(result, tuple | list) or len(result) != 2:
        found = "nothing (is a `return` missing?)" if result is None else "no pair"
        raise CheckFailed(f"`attention` returns {found}: return (output, weights)")
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
    """The softmax that gives these weights for the unscaled scores, up to sums; None if there is none.

    Along the right axis the logarithms of the weights are the scaled scores, up to a constant.
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
    """One call of the student's `attention` without a mask, and what is recognised in it."""

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    weights: Tensor
    found: Softmax | None

    @property
    def right(self) -> tuple[Tensor, Tensor]:
        return attention(self.query, self.key, self.value)

    def masked(self, mask: Tensor) -> Tensor:
        """The weights that the student's own softmax gives under a mask: the open ones, normalised again."""
        if self.found is None:
            return attention(self.query, self.key, self.value, mask)[1]
        axis, left = self.found.axis, self.weights * mask
        before, after = (w.sum(axis, keepdim=True) for w in (self.weights, left))
        if differ(before, torch.ones_like(before), 1e-3, 0) > 0:
            return left  # never normalised
        equal = torch.full_like(left, 1 / left.shape[axis])  # all closed
        return torch.where(after > 0, left / after.clamp(min=1e-30), equal)


def attend(student: Student, seed: int = 71, leading: Sequence[int] = (3, 2)) -> Attended:
    """Ask for attention without a mask, n_q = 4, n_k = 7, d_k = 6, d_v = 5.

    Raises:
        CheckFailed: the answer has another form.
    """
    query, key, value = queries_keys_values(seed, *leading)
    output, weights = pair(student.attention(query, key, value), [(*leading, 4, 5), (*leading, 4, 7)])
    return Attended(query, key, value, output, weights, softmax_of(weights, query @ key.mT))


def expect_recognised(asked: Attended) -> Softmax:
    """The weights are some softmax of Q Kᵀ.

    Raises:
        CheckFailed: they aren't, so nothing that follows from them can be judged.
    """
    if asked.found is None:
        raise CheckFailed("the weights do not follow from the scores Q Kᵀ by a softmax")
    return asked.found


def expect_scale(student: Student) -> None:
    """The scores are divided by √d_k."""
    for leading in ((3, 2), (5,)):
        asked = attend(student, 71, leading)
        divisor = 1 / expect_recognised(asked).slope
        told = {
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
            6**0.5, rtol=1e-3, mistakes={f"the scores are {slip}": value for slip, value in told.items()}
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
    if asked.found is None:
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
    output, weights = pair(
        student.attention(asked.query, asked.key, asked.value, mask), [(3, 2, 4, 5), (3, 2, 4, 7)]
    )
    plain, scores = asked.weights, asked.query @ asked.key.mT
    softmax = asked.found or Softmax(6**-0.5, -1)
    expect(weights, "the weights").close_to(
        asked.masked(mask),
        rtol=RTOL,
        mistakes={
            "the mask has no effect": plain,
            "the mask is inverted: True means that attention is allowed": asked.masked(~mask),
            "the mask comes after the softmax: weights no longer sum to 1, so mask the scores": plain * mask,
            "the inverted mask comes after the softmax: mask the scores where it is False": plain * ~mask,
            "the mask comes after the softmax: fill the scores, not the weights": plain.masked_fill(
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
    if differ(asked.output, plain @ asked.value, RTOL, ATOL) == 0:
        expect(output, "the output under a mask").close_to(
            weights @ asked.value, rtol=RTOL, mistakes={"it is computed from unmasked weights": asked.output}
        )


def expect_broadcast(student: Student) -> None:
    """A small mask does what the same mask written out does; any number of leading dimensions."""
    for leading, small in (((3, 2), (3, 1, 1, 7)), ((3, 2), (4, 7)), ((5,), (5, 1, 7)), ((), (4, 7))):
        asked = attend(student, 73, leading)
        expect_recognised(asked)
        mask = open_mask(74, 4, 7) if small == (4, 7) else torch.rand(small, generator=generator(75)) < 0.6
        mask[..., 2] |= ~mask.any(-1)
        rows = [
            pair(student.attention(asked.query, asked.key, asked.value, m))
            for m in (mask, mask.expand(*leading, 4, 7).clone())
        ]
        for got, want, what in zip(*rows, ("the output", "the weights"), strict=True):
            expect(got, f"{what} with a mask of shape {small}").close_to(want, rtol=RTOL)


def expect_dropout(student: Student) -> None:
    """The dropout given acts on the weights. A threshold takes its place, which needs no luck."""
    asked = attend(student)
    expect_recognised(asked)
    threshold = float(asked.weights.median())
    layer = student.make_network(("Threshold", threshold, 0.0))
    output, _ = pair(student.attention(asked.query, asked.key, asked.value, None, layer))

    def cut(x: Tensor) -> Tensor:
        return torch.where(x > threshold, x, 0.0)

    wanted = asked.weights, asked.value
    if differ(asked.output, wanted[0] @ wanted[1], RTOL, ATOL) > 0:  # paid for by another check
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
    """A query that may look nowhere gets finite numbers, and the others what they would get without it."""
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
    """Autograd's gradients through the student's code are those of the function it computes."""
    asked = attend(student, 76)
    softmax = expect_recognised(asked)
    inputs = [x.clone().requires_grad_() for x in (asked.query, asked.key, asked.value)]
    upstream = drawn(generator(77), *asked.output.shape)
    weights = (softmax.slope * inputs[0] @ inputs[1].mT).softmax(softmax.axis)
    wanted = torch.autograd.grad((weights @ inputs[2]), inputs, upstream)
    found = student.attention.gradients(*inputs, upstream=upstream).inputs
    steps = [drawn(generator(78 + i), *x.shape) for i, x in enumerate(inputs)]
    for i, name in enumerate(("query", "key", "value")):
        gradient = found[i]
        if gradient is None:
            raise CheckFailed(f"no gradient reaches `{name}`: detach nothing, and leave tensors tensors")
        if differ(gradient, wanted[i], RTOL, ATOL) == 0:
            continue
        # Perhaps another function, paid for elsewhere, and right gradients of it: compare with its differences.
        ends = [
            pair(
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


# -- 7.2: masks ------------------------------------------------------------------------------------------


def sentences(pad: int = 0) -> Tensor:
    """Tokens (3, 5), padded to their right, left and within."""
    return torch.tensor([[5, 8, 2, pad, pad], [pad, 1, 6, 5, 4], [3, 4, pad, 6, pad]])


def table_of(mask: Any, name: str, shape: Sequence[int]) -> Tensor:
    """A mask written out for every sentence, query and key, as numbers.

    Raises:
        CheckFailed: it has no such form.
    """
    table = numbers(mask, name)
    if not ((table == 0) | (table == 1)).all():
        raise CheckFailed(f"{name} holds other things than True and False")
    try:
        if table.dim() < 2:
            raise RuntimeError
        return table.expand(*shape)
    except RuntimeError:
        told = f"{name} has shape {tuple(table.shape)}, which doesn't fit scores of shape {tuple(shape)}"
        raise CheckFailed(told) from None


PADDING_SLIPS = {
    "it is inverted: True where there is a word": lambda right: ~right,
    "it closes the rows of padding, queries: close the columns, keys": lambda right: right.mT,
    "it closes rows and columns: close the columns of padding, keys": lambda right: right & right.mT,
    "it closes the columns of words and the rows too": lambda right: ~right.mT,
    "it is open everywhere": torch.ones_like,
}


def expect_padding(student: Student) -> None:
    """(B, 1, n), open at the keys that are words."""
    tokens = sentences()
    right = padding_mask(tokens).expand(3, 5, 5)
    expect(
        table_of(student.padding_mask(tokens), "the padding mask", (3, 5, 5)), "the padding mask"
    ).close_to(right, mistakes={slip: f(right) for slip, f in PADDING_SLIPS.items()})


def expect_any_pad(student: Student) -> None:
    """The padding token is the one that is given: what it is called makes no difference."""
    first = table_of(student.padding_mask(sentences()), "the padding mask", (3, 5, 5))
    expect(bool((first != first[0, 0, 0]).any())).is_true("the padding mask is the same everywhere")
    for pad in (9, 11):
        again = table_of(student.padding_mask(sentences(pad), pad), "the padding mask", (3, 5, 5))
        expect(torch.equal(first, again)).is_true("the padding token is not always 0: use `pad`")


CAUSAL_SLIPS = {
    "off by one: a position may look at itself, too": lambda n: torch.ones(n, n).tril(-1),
    "off by one: a position sees the next one": lambda n: torch.ones(n, n).tril(1),
    "inverted: the past is closed and the future open": lambda n: torch.ones(n, n).triu(1),
    "transposed: a query (row) sees keys (columns) up to its own": lambda n: torch.ones(n, n).triu(),
    "only a position itself is open": lambda n: torch.eye(n),
    "everything is open": lambda n: torch.ones(n, n),
}


def expect_causal(student: Student) -> None:
    """(1, n, n), open up to the diagonal."""
    for n in (5, 8, 1):
        table = table_of(student.causal_mask(n), "the causal mask", (1, n, n))
        slips = {slip: f(n)[None] for slip, f in CAUSAL_SLIPS.items()}
        expect(table, f"the causal mask for n = {n}").close_to(causal_mask(n), mistakes=slips)


def expect_target(student: Student) -> None:
    """Both together; each from the student's own function, if it is one."""
    tokens = sentences()
    shape = (3, 5, 5)
    table = table_of(student.target_mask(tokens), "the target mask", shape)
    padding, causal = padding_mask(tokens).expand(shape), causal_mask(5).expand(shape)
    right = padding & causal
    if torch.equal(table, right.double()):
        return
    with contextlib.suppress(CheckFailed):
        own = [
            table_of(student.padding_mask(tokens), "the padding mask", shape),
            table_of(student.causal_mask(5), "the causal mask", shape),
        ]
        varied = [bool((part != part.flatten()[0]).any()) for part in own]
        if all(varied) and torch.equal(table, own[0] * own[1]):
            return
    expect(table, "the target mask").close_to(
        right,
        mistakes={
            "only the padding is closed: close the future, too": padding,
            "only the future is closed: close the padding, too": causal,
            "open where one of the two masks is: both must be open": padding | causal,
            "the padding closes rows, queries: close the columns, keys": padding.mT & causal,
            "the padding closes rows and columns: close the columns, keys": padding & padding.mT & causal,
            "inverted": ~right,
            "off by one: a position may look at itself, too": padding & causal.tril(-1),
            "off by one: a position sees the next one": padding & torch.ones_like(causal).tril(1),
        },
    )


# -- 7.3: many heads -------------------------------------------------------------------------------------

HEADS, D_MODEL = 3, 15
Attention = Callable[..., tuple[Tensor, Tensor]]


def multi_head(student: Student, dropout: float = 0.0) -> Model:
    """A layer of the student's with random weights, and biases of zero: they may be left out.

    Raises:
        CheckFailed: there is none.
    """
    layer = student.MultiHeadAttention(HEADS, D_MODEL, dropout)
    if not isinstance(layer, Model):
        raise CheckFailed("`MultiHeadAttention(heads, d_model, dropout)` gives no nn.Module")
    draw = generator(90)
    state = layer.state()
    layer.load(
        {
            name: drawn(draw, *x.shape) / D_MODEL**0.5 * 1.5 if is_matrix(x) else torch.zeros_like(x)
            for name, x in state.items()
            if x.is_floating_point()
        }
    )
    return layer


def is_matrix(x: Tensor) -> bool:
    """At least the projection of one head; biases are smaller."""
    return x.numel() >= D_MODEL * D_MODEL // HEADS


def sequences(seed: int, n_q: int, n_k: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of `MultiHeadAttention`, float32 as its weights."""
    draw = generator(seed)
    q, k, v = (drawn(draw, batch, n, D_MODEL).float() for n in (n_q, n_k, n_k))
    return q, k, v


@dataclass(frozen=True)
class Projections:
    """The student's weights: rows (d_model, d_model) for query, key and value, matrices that may be the output's."""

    query: Tensor
    key: Tensor
    value: Tensor
    outputs: list[Tensor]  # as (out, in)


def projections(layer: Model) -> Projections | None:
    """Find the projections in any layout: separate, fused, by head, as `nn.Linear` or `nn.Parameter`.

    The query is zero but for its feature 0, the key but for feature 1, the value but for feature 2. So the gradient
    of a row of a projection is zero but for the column that tells whose it is.
    """
    sides = []
    for feature, x in enumerate(sequences(91, 4, 5)):
        side = torch.zeros_like(x)
        side[..., feature] = x[..., feature]
        sides.append(side)
    gradients = layer.gradients(*sides, upstream=drawn(generator(92), 2, 4, D_MODEL).float()).parameters
    rows: list[list[Tensor]] = [[], [], []]
    outputs = []
    for name, value in layer.state().items():
        gradient = gradients.get(name)
        if gradient is None or not is_matrix(value):
            continue
        for axis in reversed(range(value.dim())):
            if value.shape[axis] != D_MODEL:
                continue
            g, w = (x.movedim(axis, -1).reshape(-1, D_MODEL) for x in (gradient, value))
            if not g[:, 3:].any():
                for row, sizes in zip(w, g.abs(), strict=True):
                    rows[int(sizes[:3].argmax())].append(row)
                break
        else:
            outputs.append(value)
    if [len(some) for some in rows] != [D_MODEL] * 3:
        return None
    query, key, value = map(torch.stack, rows)
    if not outputs:
        return Projections(query, key, value, [])
    if len(outputs) > 1:  # one for each head
        parts = [x if x.shape[0] == D_MODEL else x.mT for x in outputs]
        outputs = [torch.cat(parts, 1)]
    (whole,) = outputs
    if whole.numel() != D_MODEL * D_MODEL:
        return None
    flat = whole.reshape(D_MODEL, D_MODEL)
    return Projections(query, key, value, [flat, flat.mT])


def by_heads(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k), head after head."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def interleaved(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k), where neighbouring features belong to different heads."""
    return x.unflatten(-1, (-1, HEADS)).permute(0, 3, 1, 2)


def viewed(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k) by a mere view: positions and heads get mixed."""
    return x.reshape(x.shape[0], HEADS, x.shape[1], -1)


def alone(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, 1, n, d_model): one head."""
    return x.unsqueeze(1)


def merged(x: Tensor) -> Tensor:
    """(B, heads, n, d_k) -> (B, n, d_model), head after head."""
    return x.transpose(1, 2).flatten(2)


def merged_interleaved(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(2)


def merged_by_view(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], x.shape[2], -1)


Reshape = Callable[[Tensor], Tensor]


def scaled(divisor: Callable[[Tensor, Tensor], float]) -> Attention:
    """Attention with another scale."""

    def wrong(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        factor = query.shape[-1] ** 0.5 / divisor(query, key)
        return attention(query * factor, key, value, mask)

    return wrong


@dataclass(frozen=True)
class Heads:
    """A way to compute multi-head attention, right or with one slip."""

    attention: Attention = attention
    split: tuple[Reshape, Reshape] = (by_heads, by_heads)  # of queries and keys, of values
    merge: Reshape = merged
    slip: str = ""
    project: bool = True  # at the end

    def __call__(
        self, own: Projections, inputs: Sequence[Tensor], mask: Tensor | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Output and weights, for each way to read the output projection."""
        q, k, v = (x.double() @ w.T for x, w in zip(inputs, (own.query, own.key, own.value), strict=True))
        first, second = self.split
        arguments = (first(q), first(k), second(v))
        extra = () if mask is None else (mask.unsqueeze(1),)
        output, weights = pair(self.attention(*arguments, *extra))
        output = self.merge(output)
        return [(output @ w.T, weights) for w in own.outputs] if self.project else [(output, weights)]


def ways(student: Student) -> list[Heads]:
    """The right way to compute it, in every layout, then with the student's own `attention`, then with slips."""
    layouts: list[dict[str, Any]] = [
        {"split": (a, b), "merge": c}
        for a in (by_heads, interleaved)
        for b in (by_heads, interleaved)
        for c in (merged, merged_interleaved)
    ]
    own: Attention = student.attention
    mixed = "positions and heads get mixed: view as (B, n, heads, d_k), then transpose"
    plain: list[dict[str, Any]] = [
        {"split": (viewed, viewed), "slip": mixed},
        {"split": (viewed, viewed), "merge": merged_by_view, "slip": mixed},
        {"merge": merged_by_view, "slip": "the heads are not transposed back before they are merged"},
        {"split": (alone, alone), "merge": merged, "slip": "all of d_model is one head"},
        {"project": False, "slip": "the output projection is missing"},
    ]
    scales: list[dict[str, Any]] = [
        {"attention": scaled(f), "slip": slip}
        for slip, f in {
            "the scores are not scaled": lambda q, k: 1.0,
            "the scores are divided by √d_model: it is √d_k, of one head": lambda q, k: D_MODEL**0.5,
            "the scores are divided by the root of the number of keys: it is √d_k": (
                lambda q, k: k.shape[-2] ** 0.5
            ),
            "the scores are divided by d_k: it is √d_k": lambda q, k: q.shape[-1],
            "the scores are divided by the root of the number of heads: it is √d_k": lambda q, k: HEADS**0.5,
        }.items()
    ]
    right = [Heads(**how) for how in layouts] + [Heads(own, **how) for how in layouts]
    return right + [Heads(**how) for how in plain + scales] + [Heads(own, **how) for how in plain]


@dataclass(frozen=True)
class Judged:
    """A layer of the student's, the weights found in it and the way it computes, None if not recognised."""

    layer: Model
    own: Projections | None
    way: Heads | None
    attention: Attention  # the student's

    def wanted(self, inputs: Sequence[Tensor], mask: Tensor | None = None) -> list[tuple[Tensor, Tensor]]:
        """What comes out that way, by the attention recognised and by the student's: a mask may be handled wrongly."""
        if self.way is None or self.own is None:
            return []
        found = []
        for way in (self.way, replace(self.way, attention=self.attention)):
            with contextlib.suppress(CheckFailed, RuntimeError):
                found += way(self.own, inputs, mask)
        return found

    def run(self, inputs: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """The student's output (B, n_q, d_model)."""
        output = self.layer.forward(*inputs, *(() if mask is None else (mask,)))
        expect(output, "the output").has_shape(*inputs[0].shape)
        return numbers(output, "the output")

    def kept(self, inputs: Sequence[Tensor]) -> Tensor:
        """The weights that the layer kept after its last pass.

        Raises:
            CheckFailed: none, or of another shape.
        """
        kept = self.layer.attribute("weights")
        if kept is None:
            raise CheckFailed("after a pass there is no `.weights`: keep what `attention` returns")
        shape = (len(inputs[0]), HEADS, inputs[0].shape[1], inputs[1].shape[1])
        expect(kept, "`.weights`").has_shape(*shape)
        return numbers(kept, "`.weights`")


def matches(got: Tensor, candidates: Sequence[tuple[Tensor, Tensor]]) -> bool:
    return any(differ(got, output, MODULE_RTOL, MODULE_ATOL) == 0 for output, _ in candidates)


def judged(student: Student) -> Judged:
    """Recognise how the student's layer computes, from sequences of equal length without a mask."""
    layer = multi_head(student)
    own = projections(layer)
    known = Judged(layer, own, None, student.attention)
    if own is None:
        return known
    inputs = sequences(93, 6, 6)
    got = known.run(inputs)
    for way in ways(student):
        with contextlib.suppress(CheckFailed, RuntimeError):
            if matches(got, way(own, inputs)):
                return replace(known, way=way)
    return known


def follows_from_weights(
    known: Judged, n_q: int, n_k: int, mask: Tensor | None = None
) -> tuple[Tensor, Tensor] | None:
    """For layers whose parameters can't be found: is the output Σ over heads of weights · value · (some matrix of
    rank d_k)? Then output and kept weights, else None."""
    inputs = sequences(94, n_q, n_k, 40)
    output = known.run(inputs, mask)
    weights = known.kept(inputs)
    heads = weights @ inputs[2].double().unsqueeze(1)  # (B, heads, n_q, d_model)
    features = torch.cat([merged(heads), torch.ones(*output.shape[:2], 1)], -1).flatten(0, 1)
    matrices = torch.linalg.lstsq(features, output.flatten(0, 1)).solution  # (heads · d_model + 1, d_model)
    ranks = torch.linalg.svdvals(matrices[:-1].unflatten(0, (HEADS, -1)))
    low = float(ranks[:, D_MODEL // HEADS :].max()) < 1e-3 * float(ranks.max())
    varied = float(output.std()) > 1e-3 and float(weights.std()) > 1e-4
    fits = varied and low and differ(features @ matrices, output.flatten(0, 1), 1e-2, 1e-4) == 0
    return (output, weights) if fits else None


def expect_heads(student: Student) -> None:
    """The output is multi-head attention with the student's own weights."""
    known = judged(student)
    if known.way is not None:
        expect(not known.way.slip).is_true(known.way.slip)
    elif known.own is not None or follows_from_weights(known, 6, 6) is None:
        told = "the output is not what multi-head attention gives with your weights"
        raise CheckFailed(told if known.own else f"{told}; not all four projections are used")


def expect_cross(student: Student) -> None:
    """Queries and keys of different numbers."""
    known = judged(student)
    if known.way is None or known.own is None:
        expect(follows_from_weights(known, 4, 7) is not None).is_true(
            "with other numbers of queries than keys, the output is not what the weights give"
        )
        return
    inputs = sequences(95, 4, 7)
    expect(matches(known.run(inputs), known.wanted(inputs))).is_true(
        "with other numbers of queries than keys, the output is another than with as many"
    )


def expect_mask_in_heads(student: Student) -> None:
    """A mask (B, 1, n_k) or (B, n_q, n_k) acts on all heads."""
    known = judged(student)
    for rows, seed in ((1, 96), (6, 97)):
        inputs = sequences(seed, 6, 6)
        mask = open_mask(seed, 2, 6, 6)
        if rows == 1:
            mask = torch.tensor(
                [[[True, True, False, True, False, True]], [[False, True, True, True, True, True]]]
            )
        if known.way is None or known.own is None:
            wide = mask[:1]
            found = follows_from_weights(known, 6, 6, wide)
            closed = ~wide.expand(1, 6, 6)
            expect(found is not None and float((found[1] * closed[:, None]).max()) < 1e-6).is_true(
                "keys that the mask closes get weights"
            )
            continue
        got = known.run(inputs, mask)
        if matches(got, known.wanted(inputs, mask)):
            continue
        slips: dict[str, Tensor | None] = {
            "the mask has no effect: hand it on to `attention`": None,
            "the mask is inverted on its way": ~mask,
            "the mask is transposed on its way": mask.expand(2, 6, 6).mT,
        }
        for slip, other in slips.items():
            if matches(got, known.wanted(inputs, other)):
                raise CheckFailed(slip)
        raise CheckFailed(
            "under a mask the output is another: the same mask for every head, (B, 1, n_q, n_k)"
        )


def expect_kept_weights(student: Student) -> None:
    """`.weights` (B, heads, n_q, n_k) of the last pass."""
    known = judged(student)
    inputs = sequences(98, 6, 6)
    known.run(inputs)
    kept = known.kept(inputs)
    if known.way is None or known.own is None:
        expect(float(kept.std()) > 1e-4).is_true("`.weights` are the same everywhere")
        return
    wanted = known.wanted(inputs)[0][1]
    if wanted.shape == kept.shape:
        expect(kept, "`.weights`").close_to(wanted, rtol=MODULE_RTOL, atol=MODULE_ATOL)


def expect_learnt(student: Student) -> None:
    """The four projections are parameters of the layer, and gradients reach them."""
    known = judged(student)
    layer, inputs = known.layer, sequences(99, 4, 7)
    count = sum(x.numel() for x in layer.state().values() if x.is_floating_point())
    least = (
        (4 if known.way is None or known.way.project else 3) * D_MODEL * D_MODEL
    )  # a missing one is paid for
    first, again = (numbers(layer.forward(*inputs, dropout=False), "the output") for _ in range(2))
    expect(differ(first, again, MODULE_RTOL, MODULE_ATOL) == 0).is_true(
        "two passes give two results: make the projections once, in __init__, not in forward"
    )
    expect(count >= least).is_true(
        f"{count} parameters are registered, four projections have {least}: no layers in a plain list "
        "(nn.ModuleList), and none made in forward"
    )
    reached = layer.gradients(*inputs, upstream=torch.ones(first.shape)).parameters
    unreached = [name for name, gradient in reached.items() if gradient is None]
    if unreached and not detaches(student):  # that is paid for in 7.1
        raise CheckFailed(f"no gradient reaches `{unreached[0]}`")


def detaches(student: Student) -> bool:
    """Whether the student's `attention` loses gradients."""
    try:
        found = student.attention.gradients(*queries_keys_values(99), upstream=torch.ones(4, 5).double())
    except CheckFailed:
        return False
    return None in found.inputs


def expect_eval_without_dropout(student: Student) -> None:
    """No dropout in eval mode; in training mode there is some, unless the student's `attention` ignores it."""
    layer = multi_head(student, 0.5)
    inputs = sequences(99, 4, 7)

    def run(**mode: bool) -> Tensor:
        return numbers(layer.forward(*inputs, **mode), "the output")

    plain = multi_head(student)
    calm = [numbers(plain.forward(*inputs), "the output") for _ in range(2)]
    if (
        differ(calm[0], calm[1], MODULE_RTOL, MODULE_ATOL) == 0
    ):  # no layers made in forward, which is paid for elsewhere
        expect(differ(run(), run(), MODULE_RTOL, MODULE_ATOL) == 0).is_true(
            "dropout is active in eval mode: use nn.Dropout, which knows the mode"
        )
    expect(bool((calm[0] != calm[0].flatten()[0]).any())).is_true("the output is the same everywhere")
    try:
        expect_dropout(student)
    except CheckFailed:
        return  # paid for there
    expect(differ(run(training=True), run(training=True), MODULE_RTOL, MODULE_ATOL) > 0).is_true(
        "there is no dropout in training mode: hand a module to `attention`"
    )


# -- 7.4: embeddings and positions -----------------------------------------------------------------------

VOCABULARY, SIZE = 11, 8


def model_of(made: Any, name: str) -> Model:
    """What a class of the student's made, if it is a module.

    Raises:
        CheckFailed: it isn't.
    """
    if not isinstance(made, Model):
        raise CheckFailed(f"`{name}` gives no nn.Module")
    return made


def embedded(student: Student) -> tuple[Tensor, Tensor]:
    """Of the student's embedding of some tokens: what it gives, and the rows of its table, (B, n, SIZE) each."""
    layer = model_of(student.Embeddings(VOCABULARY, SIZE), "Embeddings(vocabulary, d_model)")
    tables = [
        x if x.shape[0] == VOCABULARY else x.mT
        for x in layer.state().values()
        if sorted(x.shape) == [SIZE, VOCABULARY]
    ]
    if not tables:
        raise CheckFailed(f"there is no table of {VOCABULARY} × {SIZE} parameters to learn: use nn.Embedding")
    tokens = torch.tensor([[3, 7, 1, 0, 10], [2, 2, 9, 4, 0]])
    got = layer.forward(tokens)
    expect(got, "the embedding").has_shape(2, 5, SIZE)
    return numbers(got, "the embedding"), tables[0][tokens]


def expect_lookup(student: Student) -> None:
    """A token gets its row of the table, up to a factor."""
    got, rows = embedded(student)
    factor = float((got * rows).sum() / rows.square().sum())
    expect(abs(factor) > 1e-6 and differ(got, factor * rows, MODULE_RTOL, MODULE_ATOL) == 0).is_true(
        "a token's embedding is not its row of the table, times a number"
    )


def expect_embedding_scale(student: Student) -> None:
    """The factor is √d_model."""
    got, rows = embedded(student)
    factor = float((got * rows).sum() / rows.square().sum())
    told = {
        "the factor √d_model is missing": 1.0,
        "it is d_model: take the root": SIZE,
        "divided, not multiplied, by √d_model": SIZE**-0.5,
        "it is the root of the size of the vocabulary: take √d_model": VOCABULARY**0.5,
    }
    expect(factor, f"the factor of the embeddings, for d_model = {SIZE},").close_to(
        SIZE**0.5, rtol=1e-3, mistakes=told
    )


def positional(student: Student, d_model: int = SIZE, dropout: float = 0.0) -> Model:
    return model_of(student.PositionalEncoding(d_model, dropout), "PositionalEncoding(d_model, dropout)")


def added(layer: Model, x: Tensor) -> Tensor:
    """What the layer adds to x."""
    got = layer.forward(x)
    expect(got, "the result").has_shape(*x.shape)
    return numbers(got, "the result") - x.double()


def frequencies(n: int, d_model: int, power: Tensor, first: int = 0) -> Tensor:
    """Sines and cosines as in `encoding`, with other exponents (d_model / 2,) of 1/10000 and another first position."""
    angle = torch.arange(first, first + n).double()[:, None] / 10000 ** power.double()
    return torch.stack([angle.sin(), angle.cos()], -1)


def expect_encoding(student: Student) -> None:
    """The values are the handbook's, from position 0 on."""
    for n, d in ((9, SIZE), (200, 6)):
        i = torch.arange(d // 2)
        right = encoding(n, d)
        pairs = frequencies(n, d, 2 * i / d)
        slips = {
            "the exponent is i/d_model: column pair i has 2i/d_model": frequencies(n, d, i / d).flatten(1),
            "the exponent counts columns twice: column pair i has 2i/d_model": frequencies(
                n, d, 4 * i / d
            ).flatten(1),
            "sines and cosines stand side by side: interleave them, sines in even columns": (
                pairs.mT.flatten(1)
            ),
            "sines stand side by side, the exponent is i/d_model": frequencies(n, d, i / d).mT.flatten(1),
            "sine and cosine are swapped: the sine stands in even columns": pairs.flip(-1).flatten(1),
            "positions begin at 1: begin at 0": frequencies(n, d, 2 * i / d, first=1).flatten(1),
            "the exponent has the wrong sign: frequencies fall with the column": frequencies(
                n, d, -2 * i / d
            ).flatten(1),
            "nothing is added": torch.zeros(n, d),
        }
        x = drawn(generator(101), 2, n, d).float()
        expect(added(positional(student, d), x)[0], "what is added to a sequence").close_to(
            right, rtol=1e-3, atol=1e-4, mistakes=slips
        )


def expect_same_for_all(student: Student) -> None:
    """Every sequence of a batch gets the same, whatever its words and its length; a position differs from the next."""
    layer = positional(student)
    x = drawn(generator(102), 3, 7, SIZE).float()
    whole = added(layer, x)
    expect(float(whole[0].std(0).max()) > 1e-3).is_true("every position gets the same")
    for row in whole[1:]:
        expect(differ(row, whole[0], 1e-3, 1e-4) == 0).is_true(
            "sequences of a batch do not get the same added"
        )
    short = added(layer, x[:1, :3])
    expect(differ(short[0], whole[0, :3], 1e-3, 1e-4) == 0).is_true(
        "a shorter sequence gets something else added"
    )


def expect_fixed(student: Student) -> None:
    """The encoding is not trained."""
    layer = positional(student)
    x = drawn(generator(103), 2, 5, SIZE).float()
    expect(float(added(layer, x).std()) > 1e-3).is_true("nothing is added")
    trained = layer.gradients(x, upstream=torch.ones(x.shape)).parameters
    named = [name for name, gradient in trained.items() if gradient is not None]
    if named:
        raise CheckFailed(f"`{named[0]}` is trained: the encoding is fixed, register it as a buffer")


def expect_dropped(once: Tensor, whole: Tensor, p: float) -> None:
    """Dropout at rate p made the one of the other.

    Args:
        once: (many numbers) in training mode.
        whole: the same without dropout, nowhere zero.
    """
    alive = once.abs() > 1e-6 * whole.abs().max()
    if bool(alive.all()) and differ(once, whole, MODULE_RTOL, MODULE_ATOL) == 0:
        raise CheckFailed("there is no dropout in training mode")
    expect(bool(alive.any())).is_true("dropout leaves nothing in training mode")
    share, grown = float(alive.double().mean()), float((once / whole)[alive].mean())
    swapped = "keep and drop are swapped: the rate says how many fall"
    expect(share, f"the share that dropout leaves, at the rate {p:g},").close_to(
        1 - p, rtol=0, atol=0.06, mistakes={swapped: torch.tensor(share if abs(share - p) < 0.06 else 9.0)}
    )
    expect(grown, "the size of what survives, relative to no dropout,").close_to(
        1 / (1 - p), rtol=0.02, mistakes={"survivors are not divided by 1 − p": 1.0}
    )


def expect_calm(layer: Model, *inputs: Any) -> Tensor:
    """Two passes in eval mode agree, though the layer has a dropout."""
    first, second = (numbers(layer.forward(*inputs), "the result") for _ in range(2))
    expect(differ(first, second, MODULE_RTOL, MODULE_ATOL) == 0).is_true(
        "dropout is active in eval mode: use nn.Dropout, which knows the mode"
    )
    return first


def expect_positions_dropped(student: Student) -> None:
    """Dropout follows the sum, in training mode only."""
    layer = positional(student, dropout=0.3)
    x = 5 + drawn(generator(104), 20, 30, SIZE).float().abs()  # the encoding is at most 1
    whole = expect_calm(layer, x)
    expect_dropped(numbers(layer.forward(x, training=True), "the result"), whole, 0.3)


# -- 7.5: layer norm and residual connections ------------------------------------------------------------

FEATURES = 5
Norm = Callable[[Tensor], Tensor]


def normalised(x: Tensor, eps: float, axis: Any = -1, correction: int = 0, outside: bool = False) -> Tensor:
    """(x - mean) / √(variance + eps), right or with a slip."""
    centred = x - x.mean(axis, keepdim=True)
    n = x.numel() / centred.sum(axis, keepdim=True).numel()
    variance = centred.square().sum(axis, keepdim=True) / (n - correction)
    return centred / (variance.sqrt() + eps if outside else (variance + eps).sqrt())


def norm_of(student: Student, *args: Any) -> Model:
    return model_of(student.LayerNorm(FEATURES, *args), "LayerNorm(features, eps)")


def expect_normalised(student: Student) -> None:
    """Mean 0 and variance 1 over the features, with eps in the root; gain and bias as they begin."""
    x = 3 * drawn(generator(111), 2, 4, FEATURES).float() + 1
    for eps in (1e-6, 0.7):
        d = x.double()
        slips: dict[str, Any] = {
            "the variance is divided by n − 1: take the biased one, divided by n": {"correction": 1},
            "eps stands outside the root: √(variance + eps)": {"outside": True},
            "the variance is divided by n − 1 and eps stands outside the root": {
                "correction": 1,
                "outside": True,
            },
            "it averages over the batch: average over the features": {"axis": 0},
            "it averages over positions: average over the features": {"axis": 1},
            "it averages over positions and features: over the features only": {"axis": (1, 2)},
            "it averages over everything: over the features only": {"axis": (0, 1, 2)},
            "it averages over batch and positions, as batch norm does": {"axis": (0, 1)},
        }
        mistakes = {slip: normalised(d, eps, **how) for slip, how in slips.items()}
        centred = d - d.mean(-1, keepdim=True)
        mistakes |= {
            "the mean is subtracted and nothing else": centred,
            "it is divided by the variance: take its root": centred / (centred.square().mean(-1, True) + eps),
            "eps has no effect": normalised(d, 1e-6),
            "nothing is normalised": d,
        }
        expect(norm_of(student, eps).forward(x), f"the normalised vectors, for eps = {eps:g},").close_to(
            normalised(d, eps), rtol=MODULE_RTOL, mistakes=mistakes
        )


def expect_gain_and_bias(student: Student) -> None:
    """Two learnt vectors: the result is gain · what it was + bias."""
    layer = norm_of(student)
    x = 3 * drawn(generator(112), 2, 4, FEATURES).float() + 1
    before = numbers(layer.forward(x), "the result")
    expect(float(before.std()) > 1e-3).is_true("the result is the same everywhere")
    trained = layer.gradients(x, upstream=torch.ones(x.shape)).parameters
    names = [name for name, gradient in trained.items() if gradient is not None]
    if len(names) != 2:
        found = f"{len(names)} parameters, not two" if names else "no parameters"
        raise CheckFailed(f"there are {found}: gain and bias are nn.Parameter, and both are used")
    draw = generator(113)
    gain, bias = drawn(draw, FEATURES) + 2, drawn(draw, FEATURES)
    shapes = [layer.state()[name].shape for name in names]
    for one, other in (names, names[::-1]):
        if all(shape.numel() == FEATURES for shape in shapes):
            layer.load({one: gain.reshape(shapes[0]), other: bias.reshape(shapes[1])})
            after = numbers(layer.forward(x), "the result")
            if differ(after, gain * before + bias, MODULE_RTOL, MODULE_ATOL) == 0:
                return
    raise CheckFailed(
        "with another gain and bias the result is not gain · normalised + bias, for each feature"
    )


Wrap = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]  # a sublayer's connection


def wraps(norm: Norm) -> dict[str, Wrap]:
    """Ways to connect a sublayer, the right one first, under the key ""."""
    return {
        "": lambda x, f: x + f(norm(x)),
        "this is post-norm: normalise what goes into the sublayer, not the sum": lambda x, f: norm(x + f(x)),
        "the residual is missing: add x": lambda x, f: f(norm(x)),
        "there is no normalisation": lambda x, f: x + f(x),
        "x is added after it was normalised: add x itself": lambda x, f: norm(x) + f(norm(x)),
        "what the sublayer gives is normalised, not what it gets": lambda x, f: x + norm(f(x)),
        "both input and sum are normalised: only the input": lambda x, f: norm(x + f(norm(x))),
        "x is subtracted: add it": lambda x, f: f(norm(x)) - x,
        "neither residual nor normalisation": lambda x, f: f(x),
        "the sublayer has no effect": lambda x, f: x,
    }


def norms(student: Student, size: int) -> list[Norm]:
    """Layer norm: the right one, and the student's."""

    def own(x: Tensor) -> Tensor:
        return numbers(student.LayerNorm(size).forward(x.float()), "the normalised vectors")

    return [lambda x: normalised(x.double(), 1e-6), own]


def sublayer_of(student: Student, dropout: float = 0.0, size: int = FEATURES) -> Model:
    return model_of(student.Sublayer(size, dropout), "Sublayer(size, dropout)")


def connected(student: Student) -> tuple[str, Norm] | None:
    """How the student's `Sublayer` connects: which of `wraps`, and with which norm; None if not recognised."""
    draw = generator(114)
    weight, bias = drawn(draw, FEATURES, FEATURES), drawn(draw, FEATURES)
    f = student.make_network(("Linear", FEATURES, FEATURES), state={"0.weight": weight, "0.bias": bias})
    x = 2 * drawn(draw, 2, 4, FEATURES).float() + 1
    got = sublayer_of(student).forward(x, f)
    expect(got, "the result").has_shape(*x.shape)
    for norm in norms(student, FEATURES):
        for slip, wrap in wraps(norm).items():
            with contextlib.suppress(CheckFailed):
                wanted = wrap(x.double(), lambda z: z @ weight.T + bias)
                if differ(numbers(got, "the result"), wanted, MODULE_RTOL, MODULE_ATOL) == 0:
                    return slip, norm
    return None


def expect_connected(student: Student) -> None:
    """x + sublayer(norm(x))."""
    found = connected(student)
    if found is None:
        raise CheckFailed("the result is not x + sublayer(norm(x))")
    expect(not found[0]).is_true(found[0])


def expect_sublayer_dropped(student: Student) -> None:
    """Dropout acts on what the sublayer gives, before it is added, in training mode only."""
    p = 0.3
    rows = drawn(generator(115), 30, 20, FEATURES).float()
    x = rows.sign() * (0.5 + rows.abs())
    bias = torch.tensor([2.0, -3.0, 4.0, -5.0, 7.0])
    f = student.make_network(
        ("Linear", FEATURES, FEATURES), state={"0.weight": torch.zeros(FEATURES, FEATURES), "0.bias": bias}
    )
    layer = sublayer_of(student, p)
    calm = expect_calm(layer, x, f)
    once = numbers(layer.forward(x, f, training=True), "the result")
    found = connected(student)
    whole = bias.double().expand_as(once)
    for residual in (x.double(), torch.zeros_like(once), norms(student, FEATURES)[1](x)):
        if differ(calm, residual + whole, MODULE_RTOL, MODULE_ATOL) == 0:
            alive = once.abs() > 1e-5
            if residual.any() and float(alive.double().mean()) < 0.95:
                raise CheckFailed("x is dropped as well: only what the sublayer gives")
            expect_dropped(once - residual, whole, p)
            return
    # Another connection, paid for elsewhere: so much can be said.
    expect(found is not None and found[0] != "the sublayer has no effect").is_true(
        "the sublayer has no effect"
    )
    expect(differ(once, calm, MODULE_RTOL, MODULE_ATOL) > 0).is_true("there is no dropout in training mode")


# -- 7.6: a layer of the decoder -------------------------------------------------------------------------

SHARES = (
    (0.5, 1.0, -0.7),
    (-0.4, 0.8, 1.1),
)  # of the stand-ins for self-attention and for attention over the memory


def mixed(shares: Sequence[float], query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """What `chainrule.lesson.verbs.StubAttention` computes."""
    allowed = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool)
    allowed = allowed if mask is None else mask & allowed
    share = allowed / allowed.sum(-1, keepdim=True).clamp(min=1)
    a, b, c = shares
    return a * query + share.double() @ (b * key + c * value)


Step = Callable[[Tensor], Tensor]  # a sublayer
MEMORY_SLIPS = (
    "",
    "the memory is ignored: keys and values of the second attention come from it",
    "the values do not come from the memory",
    "the keys do not come from the memory",
    "the second attention is missing: nothing reads the memory",
)
MASK_SLIPS = (
    "",
    "self-attention gets no mask: hand on `target_mask`",
    "attention over the memory gets no mask: hand on `source_mask`",
    "neither attention gets a mask",
    "the masks are swapped",
    "attention over the memory gets the target's mask",
    "self-attention gets the source's mask",
)
ORDER_SLIPS = (
    "",
    "the memory comes before self-attention",
    "feed-forward comes before the memory",
    "feed-forward comes first",
    "feed-forward is missing",
    "self-attention is missing",
    "the sublayers work side by side: each gets the result of the one before",
)


def decoded(
    wrap: Wrap,
    feed: Callable[[Tensor], Tensor],
    x: Tensor,
    memory: Tensor,
    source: Tensor,
    target: Tensor,
    memory_slip: int = 0,
    mask_slip: int = 0,
    order_slip: int = 0,
) -> Tensor:
    """What a decoder layer gives, right or with slips of the three kinds."""
    first = {1: None, 3: None, 4: source, 6: source}.get(mask_slip, target)
    second = {2: None, 3: None, 4: target, 5: target}.get(mask_slip, source)

    def look_at_self(z: Tensor) -> Tensor:
        return mixed(SHARES[0], z, z, z, first)

    def look_at_memory(z: Tensor) -> Tensor:
        key = z if memory_slip in (1, 3) else memory
        value = z if memory_slip in (1, 2) else memory
        return mixed(SHARES[1], z, key, value, second)

    a: Step = look_at_self
    b: Step = look_at_memory
    c: Step = feed
    orders: dict[int, list[Step]] = {1: [b, a, c], 2: [a, c, b], 3: [c, a, b], 4: [a, b], 5: [b, c]}
    steps = orders.get(order_slip, [a, b, c])
    if memory_slip == 4:
        steps = [step for step in steps if step is not look_at_memory]
    if order_slip == 6:
        return x + torch.stack([wrap(x, step) - x for step in steps]).sum(0)
    for step in steps:
        x = wrap(x, step)
    return x


def decoder_layer(student: Student) -> tuple[Model, Tensor, Tensor]:
    """A decoder layer of the student's around stand-ins for both attentions, and the weights of its feed-forward."""
    draw = generator(121)
    weight, bias = drawn(draw, FEATURES, FEATURES), drawn(draw, FEATURES)
    feed = student.make_network(("Linear", FEATURES, FEATURES), state={"0.weight": weight, "0.bias": bias})
    first, second = (student.make_stub_attention(*shares) for shares in SHARES)
    made = student.DecoderLayer(FEATURES, first, second, feed, 0.0)
    return model_of(made, "DecoderLayer"), weight, bias


def decoding(student: Student) -> tuple[int, int, int] | None:
    """The slips (memory, masks, order) that explain what the student's decoder layer gives; None if there are none.

    The connection may be the right one or the student's own.
    """
    layer, weight, bias = decoder_layer(student)
    draw = generator(122)
    n = 4  # of both sentences, so that no mask in the wrong place raises
    x, memory = (2 * drawn(draw, 2, n, FEATURES).float() for _ in range(2))
    source = torch.tensor([[[True, True, True, False]], [[True, False, True, True]]])
    target = causal_mask(n) & torch.tensor([[[True, True, True, True]], [[True, True, False, False]]])
    got = layer.forward(x, memory, source, target)
    expect(got, "the result").has_shape(2, n, FEATURES)
    ways: list[Wrap] = [wraps(norms(student, FEATURES)[0])[""]]
    with contextlib.suppress(CheckFailed):
        found = connected(student)
        if found is not None:
            ways.append(wraps(found[1])[found[0]])
    kinds = (range(len(slips)) for slips in (MEMORY_SLIPS, MASK_SLIPS, ORDER_SLIPS))
    triples = [(a, b, c) for a, b, c in itertools.product(*kinds)]
    for slips in sorted(triples, key=lambda slips: sum(map(bool, slips))):
        for wrap in ways:
            wanted = decoded(
                wrap,
                lambda z: z @ weight.T + bias,
                x.double(),
                memory.double(),
                source,
                target,
                *slips,
            )
            if differ(numbers(got, "the result"), wanted, MODULE_RTOL, 1e-4) == 0:
                return slips
    return None


def expect_decoding(student: Student, part: int) -> None:
    """Part 0: reads the memory. 1: masks go where they belong. 2: three sublayers in order."""
    slips = decoding(student)
    if slips is None:
        raise CheckFailed("the result is not that of self-attention, attention over the memory, feed-forward")
    slip = (MEMORY_SLIPS, MASK_SLIPS, ORDER_SLIPS)[part][slips[part]]
    expect(not slip).is_true(slip)


def expect_all_registered(student: Student) -> None:
    """The state holds what belongs to both attentions, to feed-forward, and to three connections."""
    layer, weight, bias = decoder_layer(student)
    x, memory = (drawn(generator(s), 2, 4, FEATURES).float() for s in (123, 124))
    result = layer.forward(x, memory, torch.ones(2, 1, 4).bool(), causal_mask(4))
    expect(result, "the result").has_shape(*x.shape)
    expect(float(numbers(result, "the result").std()) > 1e-3).is_true("the result is the same everywhere")
    own = 0
    with contextlib.suppress(CheckFailed):
        own = sum(value.numel() for value in sublayer_of(student).state().values())
    given = weight.numel() + bias.numel() + sum(map(len, SHARES))
    found = sum(value.numel() for value in layer.state().values())
    if found < given + 3 * (own or 2 * FEATURES):
        told = f"{found} parameters are registered, three connections and what they connect have"
        hint = "no layers in a plain list (nn.ModuleList), none made in forward, none twice"
        raise CheckFailed(f"{told} {given + 3 * (own or 2 * FEATURES)}: {hint}")


# -- 7.7: the model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """An assembled model of the student's with three sentences, of one length so that swapped masks don't raise."""

    model: Model
    source: Tensor
    target: Tensor

    def run(self, source: Tensor | None = None, target: Tensor | None = None) -> Tensor:
        """What comes out of the decoder in eval mode, (3, 5, 16), under right masks."""
        source, target = (
            own if x is None else x for x, own in ((source, self.source), (target, self.target))
        )
        causal = causal_mask(target.shape[1])
        masks = padding_mask(source), padding_mask(target) & causal
        output = self.model.forward(source, target, *masks)
        expect(output, "the decoder's output").has_shape(*target.shape, 16)
        return numbers(output, "the decoder's output")


def whole(student: Student) -> Whole:
    model = model_of(student.make_model(11, 13, 2, 16, 24, 4, 0.1), "make_model")
    source = torch.tensor([[3, 7, 1, 9, 10], [2, 2, 9, 0, 0], [8, 6, 10, 5, 0]])
    target = torch.tensor([[1, 12, 5, 7, 2], [1, 3, 6, 0, 0], [1, 9, 4, 11, 2]])
    return Whole(model, source, target)


def expect_reads_target(student: Student) -> None:
    """The output depends on the words written so far, and has a gradient for the model's weights."""
    asked = whole(student)
    before = asked.run()
    changed = asked.target.clone()
    changed[:, 0] = torch.tensor([8, 4, 10])
    expect(float((asked.run(target=changed) - before).abs().max()) > 1e-7).is_true(
        "another first word changes nothing in the output"
    )
    causal = causal_mask(5)
    masks = padding_mask(asked.source), padding_mask(asked.target) & causal
    upstream = drawn(generator(131), 3, 5, 16).float()
    gradients = asked.model.gradients(asked.source, asked.target, *masks, upstream=upstream).parameters
    expect(any(g is not None and bool(g.any()) for g in gradients.values())).is_true(
        "no gradient reaches any parameter of the model"
    )
