"""Part 3: attention in several heads."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.apart import apart_from
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7.attention import expect_dropout, output_and_weights, queries_keys_values
from judging.csc6022_hw2.p7.probes import (
    MODULE_ATOL,
    MODULE_RTOL,
    agree,
    expect_module,
    generator,
    normal,
    open_mask,
)
from judging.csc6022_hw2.p7.reference import attention

HEADS, D_MODEL = 3, 15
Attention = Callable[..., tuple[Tensor, Tensor]]
upon_attention = apart_from(attention="attention")


def multi_head(student: Student, dropout: float = 0.0) -> Model:
    """A layer of the student's with random weights and zero biases, since a layer may have no biases."""
    made = student.MultiHeadAttention(HEADS, D_MODEL, dropout)
    layer = expect_module(made, "MultiHeadAttention(heads, d_model, dropout)")
    layer.forward(*sequences(89, 4, 4))  # gives lazy layers their parameters
    draw = generator(90)
    state = layer.state()
    layer.load(
        {
            name: normal(draw, *x.shape) / D_MODEL**0.5 * 1.5 if is_matrix(x) else torch.zeros_like(x)
            for name, x in state.items()
            if x.is_floating_point()
        }
    )
    return layer


def is_matrix(x: Tensor) -> bool:
    """Whether it has as many numbers as one head's projection, or more; biases have fewer."""
    return x.numel() >= D_MODEL * D_MODEL // HEADS


def sequences(seed: int, n_q: int, n_k: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of `MultiHeadAttention`, float32 as its weights."""
    draw = generator(seed)
    q, k, v = (normal(draw, batch, n, D_MODEL).float() for n in (n_q, n_k, n_k))
    return q, k, v


ROLES = {"query": "queries", "key": "keys", "value": "values"}


@dataclass(frozen=True)
class Projections:
    """The weights of the student's projections, (d_model, d_model) as (out, in).

    `outputs` has both ways to read the output's matrix, itself and its transpose; it is empty if there is none.
    `sources` says which of query, key and value each projection is of; `mistake` is empty if that is right.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    outputs: list[Tensor]
    sources: tuple[int, ...] = (0, 1, 2)
    mistake: str = ""


def projections(layer: Model) -> list[Projections]:
    """Find the projections in any layout: separate, fused, by head, as `nn.Linear` or `nn.Parameter`.

    Of the query only feature 0 is not zero, of the key only feature 1, of the value only feature 2. So the gradient of
    a projection's row is zero except in the columns of its inputs.

    Returns:
        The right ones first, if each input has a projection of its own; then those with inputs exchanged or shared.
    """
    inputs = []
    for feature, x in enumerate(sequences(91, 5, 5)):
        single = torch.zeros_like(x)
        single[..., feature] = x[..., feature]
        inputs.append(single)
    gradients = layer.gradients(*inputs, upstream=normal(generator(92), 2, 5, D_MODEL).float()).parameters
    rows: dict[tuple[int, ...], list[Tensor]] = {}  # by the inputs that a row sees
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
                    seen = sizes[:3].nonzero().flatten()  # the features of other inputs are 0
                    rows.setdefault(tuple(seen.tolist()), []).append(row)
                break
        else:
            outputs.append(value)
    if any(len(some) % D_MODEL for some in rows.values()):
        return []
    if len(outputs) > 1:  # one for each head
        parts = [x if x.shape[0] == D_MODEL else x.mT for x in outputs]
        outputs = [torch.cat(parts, 1)]
    if outputs and outputs[0].numel() != D_MODEL * D_MODEL:
        return []
    squares = [output.reshape(D_MODEL, D_MODEL) for output in outputs]
    squares += [square.mT for square in squares]
    if rows.keys() == {(0,), (1,), (2,)} and all(len(some) == D_MODEL for some in rows.values()):
        query, key, value = (torch.stack(rows[i,]) for i in range(3))
        return [Projections(query, key, value, squares), *misled(rows, squares)]
    return list(misled(rows, squares))


def misled(rows: Mapping[tuple[int, ...], list[Tensor]], outputs: list[Tensor]) -> Iterator[Projections]:
    """What matrices may project if not each is of an input of its own.

    Args:
        rows: a multiple of d_model of them, by the inputs that they see.
    """
    blocks = [
        (source, torch.stack(some[i : i + D_MODEL]), (seen, i))
        for seen, some in rows.items()
        for i in range(0, len(some), D_MODEL)
        for source in seen
    ]
    names = list(ROLES)
    for three in itertools.product(blocks, repeat=3):
        sources, matrices, which = zip(*three, strict=True)
        if len(set(which)) < len({block for *_, block in blocks}):
            continue  # one of them is left over
        wrong = [
            f"the {ROLES[role]} are projected from `{names[source]}`, not from `{role}`"
            for role, source in zip(names, sources, strict=True)
            if names[source] != role
        ]
        shared = [
            f"{ROLES[names[i]]} and {ROLES[names[j]]} share one projection: each has its own"
            for i, j in ((1, 2), (0, 1), (0, 2))
            if which[i] == which[j]
        ]
        query, key, value = matrices
        mistake = (wrong + shared or ["the projections are exchanged"])[0]
        yield Projections(query, key, value, outputs, sources, mistake)


def by_heads(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k), head after head."""
    heads: Tensor = x.unflatten(-1, (HEADS, -1))
    return heads.transpose(1, 2)


def interleaved(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k), where neighbouring features belong to different heads."""
    heads: Tensor = x.unflatten(-1, (-1, HEADS))
    return heads.permute(0, 3, 1, 2)


def viewed(x: Tensor) -> Tensor:
    """(B, n, d_model) -> (B, heads, n, d_k) by a view alone, which mixes positions and heads."""
    return x.reshape(x.shape[0], HEADS, x.shape[1], -1)


def one_head(x: Tensor) -> Tensor:
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
    """A way to compute multi-head attention, right or with one mistake."""

    attention: Attention = attention
    split: tuple[Reshape, Reshape] = (by_heads, by_heads)  # of queries and keys, of values
    merge: Reshape = merged
    mistake: str = ""  # what is wrong about it; empty if it is right
    project: bool = True  # whether the output is projected
    residual: bool = False  # whether the query is added to the result

    def __call__(
        self, own: Projections, inputs: Sequence[Tensor], mask: Tensor | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Output and weights, for each way to read the output projection."""
        matrices = zip(own.sources, (own.query, own.key, own.value), strict=True)
        q, k, v = (inputs[source].double() @ w.T for source, w in matrices)
        first, second = self.split
        arguments = (first(q), first(k), second(v))
        extra = () if mask is None else (mask.unsqueeze(1),)
        output, weights = output_and_weights(self.attention(*arguments, *extra))
        output = self.merge(output)
        results = [output @ w.T for w in own.outputs] if self.project else [output]
        return [(inputs[0] + result if self.residual else result, weights) for result in results]


def ways(student: Student) -> list[Heads]:
    """Ways to compute it: right ones in every layout, with our `attention` and the student's, then with mistakes."""
    layouts: list[dict[str, Any]] = [
        {"split": (a, b), "merge": c}
        for a in (by_heads, interleaved)
        for b in (by_heads, interleaved)
        for c in (merged, merged_interleaved)
    ]
    own: Attention = student.attention
    mixed = "positions and heads get mixed: view as (B, n, heads, d_k), then transpose"
    wrong: list[dict[str, Any]] = [
        {"split": (viewed, viewed), "mistake": mixed},
        {"split": (viewed, viewed), "merge": merged_by_view, "mistake": mixed},
        {"merge": merged_by_view, "mistake": "the heads are not transposed back before they are merged"},
        {"split": (one_head, one_head), "merge": merged, "mistake": "all of d_model is one head"},
        {"project": False, "mistake": "the output projection is missing"},
        {"residual": True, "mistake": "the query is added to the result: leave that to Sublayer"},
    ]
    wrong_scales: list[dict[str, Any]] = [
        {"attention": scaled(f), "mistake": meaning}
        for meaning, f in {
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
    return right + [Heads(**how) for how in wrong + wrong_scales] + [Heads(own, **how) for how in wrong]


@dataclass(frozen=True)
class RecognisedLayer:
    """A layer of the student's, its projections and the way it computes; None for what is not recognised."""

    layer: Model
    own: Projections | None
    way: Heads | None
    attention: Attention  # the student's function

    def expected(self, inputs: Sequence[Tensor], mask: Tensor | None = None) -> list[tuple[Tensor, Tensor]]:
        """Output and weights by that way, with the attention recognised and with the student's function, which may
        treat a mask differently."""
        if self.way is None or self.own is None:
            return []
        results = []
        for way in (self.way, replace(self.way, attention=self.attention)):
            with contextlib.suppress(CheckFailed, RuntimeError):
                results += way(self.own, inputs, mask)
        return results

    def run(self, inputs: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """The student's output (B, n_q, d_model)."""
        output = self.layer.forward(*inputs, *(() if mask is None else (mask,)))
        expect(output, "the output").has_shape(*inputs[0].shape)
        return numbers(output, "the output")

    def kept(self, inputs: Sequence[Tensor]) -> Tensor:
        """The weights that the layer kept after its last pass.

        Raises:
            CheckFailed: it kept none, or they have another shape.
        """
        kept = self.layer.attribute("weights")
        if kept is None:
            raise CheckFailed("after a pass there is no `.weights`: keep what `attention` returns")
        shape = (len(inputs[0]), HEADS, inputs[0].shape[1], inputs[1].shape[1])
        expect(kept, "`.weights`").has_shape(*shape)
        return numbers(kept, "`.weights`")


def matches(got: Tensor, candidates: Sequence[tuple[Tensor, Tensor]]) -> bool:
    return any(agree(got, output) for output, _ in candidates)


def recognised(student: Student) -> RecognisedLayer:
    """Recognise how the student's layer computes, from sequences of equal length without a mask."""
    layer = multi_head(student)
    found = projections(layer)
    right = [own for own in found if not own.mistake]
    known = RecognisedLayer(layer, right[0] if right else None, None, student.attention)
    if not found:
        return known
    inputs = sequences(93, 6, 6)
    got = known.run(inputs)
    for own in found:
        for way in [Heads(), Heads(student.attention)] if own.mistake else ways(student):
            with contextlib.suppress(CheckFailed, RuntimeError):
                if matches(got, way(own, inputs)):
                    return replace(known, own=own, way=way)
    return known


def follows_from_weights(
    known: RecognisedLayer, n_q: int, n_k: int, mask: Tensor | None = None
) -> tuple[Tensor, Tensor] | None:
    """For layers whose projections are not found: output and kept weights, if the output is Σ over heads of weights ·
    value · (some matrix of rank d_k); None otherwise."""
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


@upon_attention
def expect_heads(student: Student) -> None:
    """The output is multi-head attention with the student's own weights."""
    known = recognised(student)
    if known.way is not None and known.own is not None:
        mistake = known.own.mistake or known.way.mistake
        paid = (
            known.own.mistake and registered(known.layer) < 4 * D_MODEL * D_MODEL
        )  # `expect_learnt` judges that
        expect(not mistake or bool(paid)).is_true(mistake)
    elif known.own is not None or follows_from_weights(known, 6, 6) is None:
        message = "the output is not what multi-head attention gives with your weights"
        raise CheckFailed(message if known.own else f"{message}; not all four projections are used")


@upon_attention
def expect_cross(student: Student) -> None:
    """It works with other numbers of queries than keys, too."""
    known = recognised(student)
    if known.way is None or known.own is None:
        if follows_from_weights(known, 4, 7) is not None:
            return
        # What it computes is not known, but a query's output depends on all keys, and on no other query.
        query, key, value = sequences(95, 6, 7)
        every, few = known.run((query, key, value)), known.run((query[:, :4], key, value))
        expect(agree(few, every[:, :4])).is_true(
            "with 7 keys, the output for 4 queries is another than for the same ones among 6"
        )
        expect_reads(known, (query, key, value), torch.ones(2, 6, 7).bool())
        return
    inputs = sequences(95, 4, 7)
    if known.own.mistake and not known.expected(inputs):
        return  # what takes the place of an input has another length; `expect_heads` judges that
    expect(matches(known.run(inputs), known.expected(inputs))).is_true(
        "with other numbers of queries than keys, the output is another than with as many"
    )


def expect_reads(known: RecognisedLayer, inputs: Sequence[Tensor], mask: Tensor) -> None:
    """The output for a query depends on the keys that the mask (B, 1 or n_q, n_k) opens, and on no others, whatever
    the layer computes."""
    query, key, value = inputs
    mask = mask.expand(-1, query.shape[1], -1)
    before = known.run(inputs, mask)
    least = 1e-4 * max(float(before.abs().max()), 0.01)
    for j in range(key.shape[1]):
        other = [x.clone() for x in (key, value)]
        for x in other:
            x[:, j] = 1 - 2 * x[:, j]
        moved = (known.run((query, *other), mask) - before).abs().amax(-1) > least
        expect(not bool((moved & ~mask[..., j]).any())).is_true(
            "a key that the mask closes has an influence on the output"
        )
        expect(bool((moved | ~mask[..., j]).all())).is_true(
            "a key that the mask opens has no influence on the output"
        )


@upon_attention
def expect_mask_in_heads(student: Student) -> None:
    """A mask (B, 1, n_k) or (B, n_q, n_k) closes keys in all heads."""
    known = recognised(student)
    for rows, seed in ((1, 96), (6, 97)):
        inputs = sequences(seed, 6, 6)
        mask = open_mask(seed, 2, 6, 6)
        if rows == 1:
            mask = torch.tensor(
                [[[True, True, False, True, False, True]], [[False, True, True, True, True, True]]]
            )
        if known.way is None or known.own is None:
            closed, result = ~mask[:1, None].expand(1, 1, 6, 6), follows_from_weights(known, 6, 6, mask[:1])
            if result is None or float((result[1] * closed).max()) > 1e-6:
                expect_reads(known, inputs, mask)
            continue
        got = known.run(inputs, mask)
        if matches(got, known.expected(inputs, mask)):
            continue
        mistakes: dict[str, Tensor | None] = {
            "the mask has no effect: hand it on to `attention`": None,
            "the mask is inverted on its way": ~mask,
            "the mask is transposed on its way": mask.expand(2, 6, 6).mT,
        }
        for meaning, other in mistakes.items():
            if matches(got, known.expected(inputs, other)):
                raise CheckFailed(meaning)
        raise CheckFailed(
            "under a mask the output is another: the same mask for every head, (B, 1, n_q, n_k)"
        )


@upon_attention
def expect_kept_weights(student: Student) -> None:
    """`.weights` are those of the last pass, (B, heads, n_q, n_k)."""
    known = recognised(student)
    inputs = sequences(98, 6, 6)
    known.run(inputs)
    kept = known.kept(inputs)
    if known.way is None or known.own is None:
        expect(float(kept.std()) > 1e-4).is_true("`.weights` are the same everywhere")
        return
    right = known.expected(inputs)[0][1]
    if right.shape == kept.shape:
        expect(kept, "`.weights`").close_to(right, rtol=MODULE_RTOL, atol=MODULE_ATOL)
        mask = open_mask(98, 2, 6, 6)
        masked = [
            weights
            for output, weights in known.expected(inputs, mask)
            if agree(known.run(inputs, mask), output)
        ]
        if masked:  # the mask works; `expect_mask_in_heads` judges that
            known.run(inputs, mask)
            expect(known.kept(inputs), "`.weights` under a mask").close_to(
                masked[0],
                rtol=MODULE_RTOL,
                atol=MODULE_ATOL,
                mistakes={"they are those before the mask": right},
            )


def registered(layer: Model) -> int:
    """How many numbers are in the layer's state."""
    return sum(x.numel() for x in layer.state().values() if x.is_floating_point())


@upon_attention
def expect_learnt(student: Student) -> None:
    """The four projections are parameters of the layer, and gradients reach them."""
    known = recognised(student)
    layer, inputs = known.layer, sequences(99, 6, 6)  # `expect_cross` judges other sizes
    count = registered(layer)
    projected = known.way is None or known.way.project  # if not, `expect_heads` has taken the points
    least = (4 if projected else 3) * D_MODEL * D_MODEL
    first, again = (numbers(layer.forward(*inputs, dropout=False), "the output") for _ in range(2))
    expect(agree(first, again)).is_true(
        "two passes give two results: make the projections once, in __init__, not in forward"
    )
    expect(count >= least).is_true(
        f"{count} parameters are registered, four projections have {least}: no layers in a plain list "
        "(nn.ModuleList), and none made in forward"
    )
    reached = layer.gradients(*inputs, upstream=torch.ones(first.shape)).parameters
    unreached = [name for name, gradient in reached.items() if gradient is None]
    shared = known.own is not None and known.own.mistake  # `expect_heads` judges that
    if unreached and not shared and not detaches(student):  # part 1 judges that
        raise CheckFailed(f"no gradient reaches `{unreached[0]}`")


def detaches(student: Student) -> bool:
    """Whether the student's `attention` loses gradients."""
    try:
        gradients = student.attention.gradients(*queries_keys_values(99), upstream=torch.ones(4, 5).double())
    except CheckFailed:
        return False
    return None in gradients.inputs


@upon_attention
def expect_eval_without_dropout(student: Student) -> None:
    """There is no dropout in eval mode, and some in training mode unless the student's `attention` ignores it."""
    layer = multi_head(student, 0.5)
    inputs = sequences(99, 6, 6)  # `expect_cross` judges other sizes

    def run(**mode: bool) -> Tensor:
        return numbers(layer.forward(*inputs, **mode), "the output")

    other = multi_head(student)
    first, second = (numbers(other.forward(*inputs), "the output") for _ in range(2))
    if agree(first, second):  # if not, layers are made in forward, which `expect_learnt` judges
        expect(agree(run(), run())).is_true(
            "dropout is active in eval mode: use nn.Dropout, which knows the mode"
        )
    expect(bool((first != first.flatten()[0]).any())).is_true("the output is the same everywhere")
    found = other.gradients(*inputs, upstream=torch.randn(first.shape, generator=generator(87)))
    reached = any(g is not None and bool(g.any()) for g in (*found.inputs, *found.parameters.values()))
    expect(reached).is_true("the output does not follow from query, key, value and weights")
    try:
        expect_dropout(student)
    except CheckFailed:
        return  # part 1 judges that
    expect(not agree(run(training=True), run(training=True))).is_true(
        "there is no dropout in training mode: hand a module to `attention`"
    )
    if agree(first, second):
        expect(agree(first, numbers(other.forward(*inputs, training=True), "the output"))).is_true(
            "with dropout=0.0 there is dropout in training mode: its rate is the argument `dropout`"
        )
    known = recognised(student)
    if known.way is not None and known.own is not None and not (known.way.mistake or known.own.mistake):
        expect_rate(multi_head(student, 0.6), 0.6)


def expect_rate(layer: Model, rate: float) -> None:
    """Attention weights are dropped at this rate. With a single key, a head's weights are 1 and, dropped, 0."""
    query, key, value = sequences(88, 4, 1, batch=800)
    got = numbers(layer.forward(query, key, value, training=True), "the output")
    nothing = numbers(layer.forward(query, key, 0 * value), "the output")
    gone = (got - nothing).abs() < 1e-5
    share, single, right = float(gone.all(-1).double().mean()), float(gone.double().mean()), rate**HEADS
    expect(share, f"the share of queries that lose all {HEADS} heads to dropout={rate:g}").close_to(
        right,
        rtol=0,
        atol=0.04,
        mistakes={
            "it acts on the output, not on the weights: hand it to `attention`": (
                share if abs(single - rate) < 0.05 else 9.0
            ),
            "keep and drop are swapped: the rate is the share that is dropped": (
                share if abs(share - (1 - rate) ** HEADS) < 0.02 else 9.0
            ),
        },
    )
    expect(abs(single - share) < 0.1).is_true(
        f"{single:.0%} of the numbers that `forward` gives are dropped, though only {share:.0%} of the queries lose "
        "every head: only the weights are dropped"
    )
