"""Part 6: a layer of the decoder."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from chainrule.judging.apart import apart_from
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7.probes import (
    MODULE_RTOL,
    expect_module,
    generator,
    normal,
)
from judging.csc6022_hw2.p7.reference import causal_mask
from judging.csc6022_hw2.p7.sublayers import (
    FEATURES,
    STUB,
    Connection,
    connected,
    connections,
    expect_sublayer_dropped,
    from_the_start,
    right_norm,
    sublayer_of,
)

# of query, key and value, in the stubs of self-attention and of attention over the memory
SHARES = ((0.5, 1.0, -0.7), (-0.4, 0.8, 1.1))


def stub_attention(
    shares: Sequence[float], query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> Tensor:
    """What `chainrule.lesson.stubs.StubAttention` computes, in float64."""
    allowed = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool)
    allowed = allowed if mask is None else mask & allowed
    share = allowed / allowed.sum(-1, keepdim=True).clamp(min=1)
    a, b, c = shares
    return a * query + share.double() @ (b * key + c * value)


Sublayer = Callable[[Tensor], Tensor]
upon_sublayers = apart_from(Sublayer="connection", LayerNorm="layer norm")

# Known mistakes of three kinds. `decoded` takes an index into each list; index 0 is no mistake.
MEMORY_MISTAKES = (
    "",
    "the memory is ignored: keys and values of the second attention come from it",
    "the values do not come from the memory",
    "the keys do not come from the memory",
    "the second attention is missing: nothing reads the memory",
)
MASK_MISTAKES = (
    "",
    "self-attention gets no mask: hand on `target_mask`",
    "attention over the memory gets no mask: hand on `source_mask`",
    "neither attention gets a mask",
    "the masks are swapped",
    "attention over the memory gets the target's mask",
    "self-attention gets the source's mask",
)
ORDER_MISTAKES = (
    "",
    "the memory comes before self-attention",
    "feed-forward comes before the memory",
    "feed-forward comes first",
    "feed-forward is missing",
    "self-attention is missing",
    "the sublayers work side by side: each gets the result of the one before",
)


def decoded(
    connect: Connection,
    feed_forward: Sublayer,
    x: Tensor,
    memory: Tensor,
    source: Tensor,
    target: Tensor,
    memory_mistake: int = 0,
    mask_mistake: int = 0,
    order_mistake: int = 0,
) -> Tensor:
    """What a decoder layer gives, right or with mistakes.

    Args:
        connect: how the sublayers are connected.
        x: (B, n, d), float64.
        memory: (B, m, d), float64.
        source, target: their masks (B, 1, m) and (B, n, n).
        memory_mistake … order_mistake: indices in `MEMORY_MISTAKES`, `MASK_MISTAKES` and `ORDER_MISTAKES`.
    """
    first = {1: None, 3: None, 4: source, 6: source}.get(mask_mistake, target)
    second = {2: None, 3: None, 4: target, 5: target}.get(mask_mistake, source)

    def attend_to_self(z: Tensor) -> Tensor:
        return stub_attention(SHARES[0], z, z, z, first)

    def attend_to_memory(z: Tensor) -> Tensor:
        key = z if memory_mistake in (1, 3) else memory
        value = z if memory_mistake in (1, 2) else memory
        return stub_attention(SHARES[1], z, key, value, second)

    a: Sublayer = attend_to_self
    b: Sublayer = attend_to_memory
    c: Sublayer = feed_forward
    orders: dict[int, list[Sublayer]] = {1: [b, a, c], 2: [a, c, b], 3: [c, a, b], 4: [a, b], 5: [b, c]}
    sublayers = orders.get(order_mistake, [a, b, c])
    if memory_mistake == 4:
        sublayers = [sublayer for sublayer in sublayers if sublayer is not attend_to_memory]
    if order_mistake == 6:
        return x + torch.stack([connect(x, sublayer) - x for sublayer in sublayers]).sum(0)
    for sublayer in sublayers:
        x = connect(x, sublayer)
    return x


def decoder_layer(student: Student) -> tuple[Model, Tensor, Tensor]:
    """A decoder layer of the student's with stubs for both attentions, and weight and bias of its feed-forward."""
    weight, bias = feed_forward_weights()
    return made_of(student, SHARES, weight, bias, 0.0), weight, bias


@cache
def feed_forward_weights() -> tuple[Tensor, Tensor]:
    draw = generator(121)
    return normal(draw, FEATURES, FEATURES), normal(draw, FEATURES)


def made_of(
    student: Student, shares: Sequence[Sequence[float]], weight: Tensor, bias: Tensor, dropout: float
) -> Model:
    """A decoder layer of the student's with stubs for both attentions that take these shares, and a feed-forward with
    this weight and bias."""
    feed_forward = student.make_network(
        ("Linear", FEATURES, FEATURES), state={"0.weight": weight, "0.bias": bias}
    )
    first, second = (student.make_stub_attention(*some) for some in shares)
    made = student.DecoderLayer(FEATURES, first, second, feed_forward, dropout)
    return from_the_start(student, expect_module(made, "DecoderLayer"))


class Inputs(NamedTuple):
    """What a decoder layer is given: x and memory float32 (2, n, d), and their masks."""

    x: Tensor
    memory: Tensor
    source: Tensor
    target: Tensor


@cache
def inputs() -> Inputs:
    draw = generator(122)
    n = 4  # words of both sentences, so that a mask in the wrong place does not raise
    x, memory = (2 * normal(draw, 2, n, FEATURES).float() for _ in range(2))
    source = torch.tensor([[[True, True, True, False]], [[True, False, True, True]]])
    target = causal_mask(n) & torch.tensor([[[True, True, True, True]], [[True, True, False, False]]])
    return Inputs(x, memory, source, target)


def given(connect: Connection, mistakes: tuple[int, int, int]) -> Tensor:
    """What a decoder layer with these mistakes makes of `inputs`."""
    x, memory, source, target = inputs()
    weight, bias = feed_forward_weights()
    return decoded(
        connect, lambda z: z @ weight.T + bias, x.double(), memory.double(), source, target, *mistakes
    )


RIGHT_CONNECTION: Connection = connections(right_norm)[""]


@cache  # four checks of each answer go through them
def given_rightly(mistakes: tuple[int, int, int]) -> Tensor:
    """The same with sublayers that are connected in the right way."""
    return given(RIGHT_CONNECTION, mistakes)


def decoding(student: Student) -> tuple[int, int, int] | None:
    """The mistakes that explain what the student's decoder layer gives, as places in the three lists; None if none do.

    Its sublayers may be connected in the right way or as in the student's `Sublayer`.
    """
    layer, weight, bias = decoder_layer(student)
    got = layer.forward(*inputs())
    expect(got, "the result").has_shape(*inputs().x.shape)
    own: Connection | None = None
    with contextlib.suppress(CheckFailed):
        connection = connected(student)
        if connection is not None and connection.effective:
            x = inputs().x.double()
            theirs, right = (
                connect(x, lambda z: z @ weight.T + bias)
                for connect in (connection.connect, RIGHT_CONNECTION)
            )
            own = connection.connect if differ(theirs, right, MODULE_RTOL, 1e-4) else None
    kinds = (range(len(mistakes)) for mistakes in (MEMORY_MISTAKES, MASK_MISTAKES, ORDER_MISTAKES))
    triples = [(a, b, c) for a, b, c in itertools.product(*kinds)]
    for mistakes in sorted(triples, key=lambda mistakes: sum(map(bool, mistakes))):
        results = [given_rightly(mistakes)] + ([given(own, mistakes)] if own else [])
        if any(differ(numbers(got, "the result"), wanted, MODULE_RTOL, 1e-4) == 0 for wanted in results):
            return mistakes
    return None


@upon_sublayers
def expect_decoding(student: Student, part: int) -> None:
    """One part of the layer is right.

    Args:
        part: 0: it reads the memory; 1: each attention gets its mask; 2: three sublayers in order.
    """
    mistakes = decoding(student)
    if mistakes is None:
        raise CheckFailed("the result is not that of self-attention, attention over the memory, feed-forward")
    mistake = (MEMORY_MISTAKES, MASK_MISTAKES, ORDER_MISTAKES)[part][mistakes[part]]
    expect(not mistake).is_true(mistake)


@upon_sublayers
def expect_dropout_in_each(student: Student) -> None:
    """The argument `dropout` is the rate of each of the three connections. One sublayer at a time gives more than 0."""
    rate, draw = 0.3, generator(125)
    x, memory = (2 * normal(draw, 50, 4, FEATURES).float() for _ in range(2))
    inputs = x, memory, torch.ones(50, 1, 4).bool(), causal_mask(4)
    zero = torch.zeros(FEATURES, FEATURES)

    def ran(active: int, dropout: float, training: bool) -> Tensor:
        shares = [SHARES[i] if i == active else (0.0, 0.0, 0.0) for i in range(2)]
        bias = torch.full((FEATURES,), 3.0 if active == 2 else 0.0)
        layer = made_of(student, shares, zero, bias, dropout)
        return numbers(layer.forward(*inputs, training=training), "the result")

    nothing, again, *each = (ran(active, 0.0, False) for active in (-1, -1, 0, 1, 2))
    expect(differ(nothing, again, 1e-3, 1e-4) == 0).is_true("two passes in evaluation mode give two results")
    effective = [differ(nothing, full, 1e-3, 1e-3) > 0 for full in each]  # `expect_decoding` judges that
    expect(any(effective)).is_true("no sublayer has an effect on the result")
    connection = None
    with contextlib.suppress(CheckFailed):  # without a sublayer that runs, the decoder is written out
        connection = connected(student)
        try:
            expect_sublayer_dropped(student)
        except CheckFailed:
            return  # part 5 judges that
    names = ("self-attention", "attention over the memory", "feed-forward")
    for active in [i for i in range(3) if effective[i]]:
        without, dropped = ran(active, 0.0, True), ran(active, rate, True)
        what = f"what {names[active]} gives"
        expect(differ(without, each[active], 1e-3, 1e-4) == 0).is_true(
            f"with dropout=0.0 some of {what} is dropped in training mode: hand on the argument `dropout`"
        )
        expect(differ(dropped, each[active], 1e-3, 1e-4) > 0).is_true(
            f"nothing of {what} is dropped in training mode: hand on the argument `dropout`"
        )
        if connection is not None and connection.mistake in ("", STUB):
            share = float(((dropped - nothing).abs() < 1e-5).double().mean())
            expect(share, f"the share that is dropped of {what}, for dropout={rate:g},").close_to(
                rate, rtol=0, atol=0.07
            )


@upon_sublayers
def expect_all_registered(student: Student) -> None:
    """The layer's state has the parameters of both attentions, of feed-forward, and of three connections."""
    layer, weight, bias = decoder_layer(student)
    x, memory = (normal(generator(s), 2, 4, FEATURES).float() for s in (123, 124))
    result = layer.forward(x, memory, torch.ones(2, 1, 4).bool(), causal_mask(4))
    expect(result, "the result").has_shape(*x.shape)
    expect(float(numbers(result, "the result").std()) > 1e-3).is_true("the result is the same everywhere")
    own = 0
    with contextlib.suppress(CheckFailed):
        own = sum(value.numel() for value in sublayer_of(student).state().values())
    given = weight.numel() + bias.numel() + sum(map(len, SHARES))
    count = sum(value.numel() for value in layer.state().values())
    least = given + 3 * (own or 2 * FEATURES)
    if count < least:
        raise CheckFailed(
            f"{count} parameters are registered, three connections and what they connect have {least}: "
            "no layers in a plain list (nn.ModuleList), none made in forward, none twice"
        )
    if decoding(student) != (0, 0, 0) or not reaches_own(student):  # other checks judge that
        return
    upstream = normal(generator(126), *x.shape).float()
    masks = torch.ones(2, 1, 4).bool(), causal_mask(4)
    found = layer.gradients(x, memory, *masks, upstream=upstream)
    expect(None not in found.inputs[:2]).is_true(
        "no gradient reaches x or the memory, so what comes before is not trained: detach nothing"
    )
    unused = [name for name, gradient in found.parameters.items() if gradient is None]
    if unused:
        raise CheckFailed(
            f"`{unused[0]}` takes no part in the result: each of the three connections has a Sublayer of its own, and "
            "there are no others"
        )


def reaches_own(student: Student) -> bool:
    """Whether gradients reach every parameter of the student's `Sublayer`, so that others are unused."""
    with contextlib.suppress(CheckFailed):
        x, linear = torch.ones(1, 2, FEATURES), student.make_network(("Linear", FEATURES, FEATURES))
        found = sublayer_of(student).gradients(x, linear, upstream=torch.ones_like(x))
        return None not in found.parameters.values()
    return True
