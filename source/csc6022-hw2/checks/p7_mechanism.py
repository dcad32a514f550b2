"""Visible checks of problem 7, parts 7.1 to 7.7: what attention and the layers around it must not depend on, and a few
worked numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import Means, numbers
from chainrule.lesson.own_work import ATTENTION, NORM, expect_own
from chainrule.lesson.student import Model, Student, returned
from checks.p7_probes import expect_dropped, expect_module, expect_same, same, waves

# Results of the worked examples.
W_ATTENTION = [0.342857, 0.011264, 0.617549, 0.02833]
O_ATTENTION = [0.089372, -0.272062, -1.234639, -0.270573, 0.892131]
W_HEADS = [0.026303, 0.019592, 0.008411, 0.878338, 0.018706, 0.043064, 0.005587]
O_HEADS = [[3.278576, 0.702594, 0.767966, 0.366064], [-4.970756, -3.282394, -4.953696, -2.582849]]
PE_3 = [0.14112, -0.989992, 0.29552, 0.955336, 0.029996, 0.99955, 0.003, 0.999996]
PE_250 = [-0.820565, 0.571553, 0.512942, 0.858423]

# -- 7.1 -------------------------------------------------------------------------------------------------


def attend(student: Student, query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    """What `attention` returns, output and weights in their shapes, float64."""
    result = student.attention(query, key, value, *rest)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise CheckFailed(f"`attention` returns {returned(result)}, expected a pair: output, weights")
    output, weights = numbers(result[0], "the output"), numbers(result[1], "the weights")
    expect(output, "the output").has_shape(*query.shape[:-1], value.shape[-1])
    expect(weights, "the weights").has_shape(*query.shape[:-1], key.shape[-2])
    return output, weights


def attention(item: Item) -> None:
    """Visible checks of `attention`: B = 2, 3 heads, n_q = 4, n_k = 7, d_k = 6, d_v = 5."""
    query, key, value = waves(2, 3, 4, 6), waves(2, 3, 7, 6, start=2), waves(2, 3, 7, 5, start=3)
    past = torch.ones(4, 7).bool().tril()  # query i may look at the keys 0 to i
    some = torch.tensor([True, False, True, True, False, False, True])

    @item.check(
        "for your information: written by yourself", points=0, hint="use matrix products and a softmax"
    )
    def _(student: Student) -> None:
        expect_own(student.attention.used(query, key, value), "attention", ATTENTION)

    @item.visible_check(
        "a pair of tensors of the right shapes", means="right form", hint="return output, weights"
    )
    def _(student: Student) -> None:
        for arguments in ((query, key, value), (query, key, value, past)):
            for dtype in (torch.float64, torch.float32):
                given = [x.to(dtype) if x.is_floating_point() else x for x in arguments]
                attend(student, *given)

    @item.visible_check(
        "the weights of a query sum to 1",
        means="consistent",
        hint="softmax over the keys, the last dimension of the scores; the mask comes before it",
    )
    def _(student: Student) -> None:
        for name, arguments in {"": (), " under a mask": (past,)}.items():
            weights = attend(student, query, key, value, *arguments)[1]
            expect(bool((weights >= 0).all())).is_true(f"there are negative weights{name}")
            expect(weights.sum(-1), f"the sum of the weights of a query{name}").close_to(torch.ones(2, 3, 4))

    @item.visible_check(
        "if all keys are equal, a query finds the mean of the values",
        means="consistent",
        hint="equal keys have equal weights, and the output is weights @ value",
    )
    def _(student: Student) -> None:
        output, weights = attend(student, query, key[..., :1, :].expand_as(key).clone(), value)
        expect_same(weights, torch.full_like(weights, 1 / 7), "seven equal keys have different weights")
        mean = value.mean(-2, keepdim=True).expand_as(output)
        expect_same(output, mean, "the output is not the mean of the values")

    @item.visible_check(
        "a query attends more to a key that points its way",
        means="consistent",
        hint="scores are products of queries with keys; weights grow with the score",
    )
    def _(student: Student) -> None:
        before = attend(student, query, key, value)[1]
        closer = key.clone()
        closer[..., 2, :] += 0.5 * query[..., 1, :]
        after = attend(student, query, closer, value)[1]
        moved = (after - before)[..., 1, 2]
        expect(bool((moved > 1e-4).all())).is_true("key 2 moves towards query 1, but its weight doesn't grow")

    @item.visible_check(
        "two words may change places",
        means="consistent",
        hint="keys and values are a set: what a query finds does not depend on their order",
    )
    def _(student: Student) -> None:
        order = [0, 5, 2, 3, 4, 1, 6]
        output, weights = attend(student, query, key, value)
        again, moved = attend(student, query, key[..., order, :], value[..., order, :])
        expect_same(again, output, "with two words exchanged in keys and values, the output is another")
        expect_same(moved, weights[..., order], "two words change places, but not their weights")

    @item.visible_check(
        "each query, head and sentence on its own",
        means="consistent",
        hint="transpose the last two dimensions of the keys only, and let the softmax run over the keys only",
    )
    def _(student: Student) -> None:
        output, weights = attend(student, query, key, value)
        for name, at in {"one query": slice(2, 3), "two queries": slice(1, 3)}.items():
            part = attend(student, query[..., at, :], key, value)
            expect_same(part[0], output[..., at, :], f"{name} alone: the output is another than among 4")
            expect_same(part[1], weights[..., at, :], f"{name} alone: the weights are others than among 4")
        for name, index in {"one head of one sentence": (1, 2), "one sentence": (1,)}.items():
            part = attend(student, query[index], key[index], value[index])
            expect_same(part[0], output[index], f"{name} alone: the output is another")
            expect_same(part[1], weights[index], f"{name} alone: the weights are others")

    @item.visible_check(
        "weights are as even for long queries as for short ones",
        means="consistent",
        hint="products of longer vectors are larger; divide by the root of the size of a query",
    )
    def _(student: Student) -> None:
        weights = attend(student, query, key, value)[1]
        for times in (4, 9):  # scores and the root of d_k grow by the same factor, 2 or 3
            longer = query.repeat(1, 1, 1, times), key.repeat(1, 1, 1, times) / times**0.5
            again = attend(student, *longer, value)[1]
            before, after = (float(-torch.xlogy(w, w).sum(-1).mean()) for w in (weights, again))
            expect_same(
                again,
                weights,
                f"d_k is {6 * times} for 6 and the scores are {times**0.5:g} times as large, so after the scaling "
                f"they should be the same; but the entropy of the weights goes from {before:.3g} to {after:.3g}",
            )

    @item.visible_check(
        "closed keys are as if they were not there",
        means="consistent",
        hint="True: may look. Fill the scores of the closed keys with -1e9 before the softmax, and keep the result",
    )
    def _(student: Student) -> None:
        closed = attend(student, query, key, value, some.expand(2, 3, 4, 7).clone())
        without = attend(student, query, key[..., some, :], value[..., some, :])
        largest = float(closed[1][..., ~some].abs().max())
        expect(largest < 1e-6).is_true(f"a key that the mask closes has the weight {largest:.3g}")
        expect_same(closed[1][..., some], without[1], "the open keys do not share the weight")
        expect_same(closed[0], without[0], "closed keys have an influence on the output")

    @item.visible_check(
        "the future changes nothing",
        means="consistent",
        hint="row i of the mask is for query i",
    )
    def _(student: Student) -> None:
        output = attend(student, query, key, value, past)[0]
        for i in range(4):
            alone = attend(student, query[..., i, None, :], key[..., : i + 1, :], value[..., : i + 1, :])[0]
            expect_same(
                output[..., i, None, :],
                alone,
                f"query {i} may look at keys 0 to {i}; without the others, the result differs",
            )

    @item.visible_check(
        "masks of other shapes, repeated by broadcasting",
        means="consistent",
        hint="masked_fill, where and + broadcast by themselves",
    )
    def _(student: Student) -> None:
        for shape in ((1, 7), (4, 7), (2, 1, 1, 7), (2, 1, 4, 7), (3, 4, 7)):
            mask = waves(*shape, start=8) > -0.3
            mask[..., 2] = True
            got = attend(student, query, key, value, mask)
            full = attend(student, query, key, value, mask.expand(2, 3, 4, 7).clone())
            expect_same(
                got[1], full[1], f"a mask of shape {shape}: the weights are others than when it is repeated"
            )
            expect_same(
                got[0], full[0], f"a mask of shape {shape}: the output is another than when it is repeated"
            )
        for index, shape in (((1,), (3, 1, 7)), ((1, 2), (4, 7))):
            mask = (waves(*shape, start=8) > -0.3) | some
            alone = attend(student, query[index], key[index], value[index], mask)[0]
            among = attend(student, query, key, value, mask.expand(2, 3, 4, 7).clone())[0][index]
            expect_same(
                alone, among, f"a mask of shape {shape} for queries of shape {tuple(query[index].shape)}"
            )

    @item.visible_check(
        "dropout gets the weights, after the softmax and before they meet the values",
        means="consistent",
        hint="weights = dropout(weights), if there is a dropout",
    )
    def _(student: Student) -> None:
        half = student.make_network(("Threshold", 2.0, 0.5))  # makes 0.5 of everything up to 2
        less = student.make_network(("Softshrink", 0.1))  # takes 0.1 away
        before, weights = attend(student, query, key, value)
        for mask in (None, torch.ones(4, 7).bool()):
            output = attend(student, query, key, value, mask, half)[0]
            expect(not same(output, before)).is_true("`dropout` has no effect on the output")
            wanted = (0.5 * value.sum(-2, keepdim=True)).expand_as(output)
            expect_same(
                output, wanted, "a `dropout` that makes 0.5 of every weight gives half the sum of the values"
            )
            output = attend(student, query, key, value, mask, less)[0]
            wanted = (weights - 0.1).clamp(min=0) @ value
            expect_same(
                output, wanted, "a `dropout` that takes 0.1 from every weight, not below 0: the output"
            )

    @item.visible_check(
        "gradients of query, key and value are those of your outputs",
        means="consistent",
        hint="use operations of PyTorch only, and detach nothing",
    )
    def _(student: Student) -> None:
        given, upstream = [query, key, value], waves(2, 3, 4, 5, start=5)
        gradients = student.attention.gradients(*given, upstream=upstream).inputs
        for i, name in enumerate(("query", "key", "value")):
            gradient = gradients[i]
            if gradient is None:
                raise CheckFailed(f"no gradient reaches `{name}`")
            step = waves(*given[i].shape, start=6 + i)
            ends = [
                attend(student, *given[:i], given[i] + sign * 1e-3 * step, *given[i + 1 :])[0]
                for sign in (1, -1)
            ]
            slope = float(((ends[0] - ends[1]) * upstream).sum() / 2e-3)
            expect_same(
                (gradient * step).sum(),
                slope,
                f"the gradient of `{name}` along a direction, by autograd and by differences of your outputs",
                rtol=1e-2,
                atol=1e-2,
            )

    @item.visible_check(
        "a worked example",
        means="right",
        hint="softmax(Q Kᵀ / √d_k) V, with d_k the size of a query; closed keys have no weight",
    )
    def _(student: Student) -> None:
        output, weights = attend(student, query, key, value, past)
        expect(
            weights[1, 2, 3, :4], "in an example, the weights of the last query on the keys 0 to 3"
        ).close_to(W_ATTENTION)
        expect(output[0, 1, 2], "in an example, the output").close_to(O_ATTENTION)


# -- 7.2 -------------------------------------------------------------------------------------------------


def table(mask: Any, name: str, *shape: int) -> Tensor:
    """A mask as booleans, repeated for every sentence, query and key."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        seen = f"a tensor of {mask.dtype}" if isinstance(mask, Tensor) else returned(mask)
        raise CheckFailed(f"`{name}` returns {seen}, not a tensor of booleans")
    try:
        if mask.dim() < 2:
            raise RuntimeError
        return mask.expand(*shape)
    except RuntimeError:
        raise CheckFailed(
            f"`{name}` returns shape {tuple(mask.shape)}, which does not fit scores of shape {shape}"
        ) from None


def places(row: Tensor) -> list[int]:
    """Which keys a row of a mask opens."""
    return [int(key) for key in row.nonzero().flatten()]


def masks(item: Item) -> None:
    """Visible checks of the three masks, on sentences of 4 words with padding in different places."""
    tokens = torch.tensor([[4, 2, 7, 0], [5, 0, 0, 0], [3, 0, 1, 9]])
    words = [[0, 1, 2], [0], [0, 2, 3]]  # places that are no padding
    renamed = torch.where(tokens == 0, 6, tokens)  # another token fills up

    @item.visible_check(
        "booleans with a column for each key", means="right form", hint="a mask is what a comparison gives"
    )
    def _(student: Student) -> None:
        table(student.padding_mask(tokens), "padding_mask", 3, 4, 4)
        table(student.causal_mask(4), "causal_mask", 1, 4, 4)
        table(student.target_mask(tokens), "target_mask", 3, 4, 4)

    @item.visible_check(
        "padding: every query sees the words of its sentence, and no padding",
        means="right",
        hint="compare, then make room for the queries' dimension: keys are columns",
    )
    def _(student: Student) -> None:
        mask = table(student.padding_mask(tokens), "padding_mask", 3, 4, 4)
        for sentence, query in ((0, 0), (1, 0), (2, 0), (1, 3), (2, 1), (0, 3)):
            seen = places(mask[sentence, query])
            expect(seen == words[sentence]).is_true(
                f"in the sentence {tokens[sentence].tolist()}, query {query} sees the keys {seen}"
            )

    @item.visible_check(
        "another token may be the padding",
        means="consistent",
        hint="compare with the argument pad, and hand it on",
    )
    def _(student: Student) -> None:
        for name in ("padding_mask", "target_mask"):
            function = getattr(student, name)
            first = table(function(tokens), name, 3, 4, 4)
            again = table(function(renamed, 6), name, 3, 4, 4)
            expect(torch.equal(first, again)).is_true(f"`{name}` is another if token 6 fills up, not 0")
            zero = table(function(renamed + 2, 0), name, 3, 4, 4)
            everything = table(function(renamed + 2), name, 3, 4, 4)
            expect(torch.equal(zero, everything)).is_true(f"`{name}` takes another padding than 0 by default")

    @item.visible_check(
        "causal: position i sees i + 1 positions, and the mask of a longer sentence begins with that of a shorter one",
        means="consistent",
        hint="row i is open in columns 0 to i",
    )
    def _(student: Student) -> None:
        longest = table(student.causal_mask(40), "causal_mask", 1, 40, 40)[0]
        for n in (1, 2, 4, 7, 40):
            mask = table(student.causal_mask(n), "causal_mask", 1, n, n)[0]
            for i, count in enumerate(mask.sum(-1).tolist()):
                expect(count == i + 1).is_true(f"of {n} positions, position {i} sees {count}")
                expect(bool(mask[i, i])).is_true(f"position {i} does not see itself")
            expect(torch.equal(mask, longest[:n, :n])).is_true(
                f"the mask for {n} positions is not the beginning of that for 40"
            )

    @item.visible_check(
        "target: open where both of your masks are",
        means="consistent",
        hint="a key must be a word and not in the future",
    )
    def _(student: Student) -> None:
        mask = table(student.target_mask(tokens), "target_mask", 3, 4, 4)
        padding = table(student.padding_mask(tokens), "padding_mask", 3, 4, 4)
        causal = table(student.causal_mask(4), "causal_mask", 1, 4, 4)
        for name, part in {"padding_mask": padding, "causal_mask": causal}.items():
            expect(not bool((mask & ~part).any())).is_true(f"it is open where `{name}` is closed")
        expect(not bool((padding & causal & ~mask).any())).is_true("it is closed where both masks are open")

    @item.visible_check("target: a worked example", means="right", hint="columns are keys, rows are queries")
    def _(student: Student) -> None:
        mask = table(student.target_mask(tokens), "target_mask", 3, 4, 4)
        for sentence, query, wanted in ((2, 2, [0, 2]), (0, 1, [0, 1]), (1, 3, [0]), (2, 3, [0, 2, 3])):
            seen = places(mask[sentence, query])
            expect(seen == wanted).is_true(
                f"in the sentence {tokens[sentence].tolist()}, query {query} sees the keys {seen}"
            )


# -- 7.3 -------------------------------------------------------------------------------------------------

HEADS, SIZE = 3, 12


class Upon:
    """Visible checks that build on an earlier part: where one fails, it says so if that part has a slip of its own."""

    def __init__(self, item: Item, part: str, look: Callable[[Student], None]) -> None:
        self.item, self.part, self.look = item, part, look

    def visible_check(
        self, name: str, *, means: Means, hint: str
    ) -> Callable[[Callable[[Student], None]], None]:
        """As `Item.visible_check`."""

        def add(function: Callable[[Student], None]) -> None:
            def told(student: Student) -> None:
                try:
                    function(student)
                except CheckFailed as failure:
                    if type(failure) is CheckFailed and self.has_slip(student):
                        raise CheckFailed(
                            f"{failure}. This may come from {self.part}: look there first"
                        ) from None
                    raise

            self.item.visible_check(name, means=means, hint=hint)(told)

        return add

    def has_slip(self, student: Student) -> bool:
        try:
            self.look(student)
        except CheckFailed:
            return True
        return False


def look_at_attention(student: Student) -> None:
    """The worked example of 7.1, and that dropout gets the weights."""
    query, key, value = waves(2, 3, 4, 6), waves(2, 3, 7, 6, start=2), waves(2, 3, 7, 5, start=3)
    past = torch.ones(4, 7).bool().tril()
    output, weights = attend(student, query, key, value, past)
    expect_same(weights[1, 2, 3, :4], W_ATTENTION, "the weights")
    expect_same(output[0, 1, 2], O_ATTENTION, "the output")
    half = student.make_network(("Threshold", 2.0, 0.5))
    dropped = attend(student, query, key, value, None, half)[0]
    expect_same(dropped, (0.5 * value.sum(-2, keepdim=True)).expand_as(dropped), "the output with dropout")
    gradients = student.attention.gradients(query, key, value, upstream=torch.ones(2, 3, 4, 5)).inputs
    expect(None not in gradients).is_true("no gradient reaches an input")


def is_matrix(x: Tensor) -> bool:
    """Whether it has as many numbers as a head's projection, or more: most biases have fewer."""
    return x.is_floating_point() and x.numel() >= SIZE * SIZE // HEADS


def projections(state: Mapping[str, Tensor]) -> set[str]:
    """Names of a layer's projections. All four biases in one have as many numbers as a head's projection."""
    found = {name: x.numel() for name, x in state.items() if is_matrix(x)}
    small = [name for name, count in found.items() if count == SIZE * SIZE // HEADS]
    whole = sum(found.values()) == 4 * SIZE * SIZE
    return set(found) - (set() if whole else set(small[:1]))


def multi_head(student: Student, dropout: float = 0.0, matrices: float = 0.0) -> Model:
    """A layer of the student's with known weights.

    Args:
        matrices: a number for all entries of the projections, biases are 0; 0: different numbers everywhere.
    """
    name = f"MultiHeadAttention({HEADS}, {SIZE}, {dropout:g})"
    layer = expect_module(student.MultiHeadAttention(HEADS, SIZE, dropout), name)
    layer.forward(*[waves(1, 2, SIZE).float()] * 3)  # gives lazy layers their parameters
    state = {}
    known = projections(layer.state())
    for i, (key, x) in enumerate(layer.state().items()):
        if key in known:
            state[key] = torch.full_like(x, matrices) if matrices else 0.5 * waves(*x.shape, start=i)
        elif x.is_floating_point():
            state[key] = 0 * x if matrices else 0.2 * waves(*x.shape, start=i)
    layer.load(state)
    return layer


def heads(item: Item) -> None:
    """Visible checks of `MultiHeadAttention`: B = 2, 3 heads of 4 features, n_q = 4, n_k = 7."""
    query = waves(2, 4, SIZE, start=1).float()
    key, value = (waves(2, 7, SIZE, start=s).float() for s in (2, 3))
    some = torch.tensor([[[1, 0, 1, 1, 0, 0, 1]], [[0, 1, 1, 0, 1, 1, 1]]]).bool()  # (B, 1, n_k)
    past = torch.ones(2, 4, 7).bool().tril()
    again = (
        "two passes give two results: make the projections in __init__, and drop out in training mode only"
    )

    upon = Upon(item, "a slip in your `attention` (7.1)", look_at_attention)

    def run(layer: Model, *inputs: Tensor) -> Tensor:
        return numbers(layer.forward(*inputs), "the result")

    def kept(layer: Model) -> Tensor:
        weights = layer.attribute("weights")
        if weights is None:
            raise CheckFailed("after a pass there is no `.weights`")
        return numbers(weights, "`.weights`")

    @item.check("for your information: written by yourself", points=0, hint="use your own `attention`")
    def _(student: Student) -> None:
        layer = student.MultiHeadAttention(HEADS, SIZE, 0.1)
        expect_own(layer.used(query, key, key), "MultiHeadAttention", ATTENTION)

    @upon.visible_check(
        "the result and the weights have the right shapes", means="right form", hint="see the docstring"
    )
    def _(student: Student) -> None:
        layer = multi_head(student, 0.1)
        for mask in ((), (some,), (past,)):
            expect(layer.forward(query, key, value, *mask), "the result").has_shape(2, 4, SIZE)
            expect(kept(layer), "`.weights`").has_shape(2, HEADS, 4, 7)

    @upon.visible_check(
        "exchange two queries, and their results change places",
        means="consistent",
        hint="a view alone mixes words with heads: view as (B, n, heads, d_k), then transpose; and back again",
    )
    def _(student: Student) -> None:
        layer, order = multi_head(student), [0, 3, 2, 1]
        result = run(layer, query, key, value)
        expect_same(run(layer, query, key, value), result, again)
        expect_same(
            run(layer, query[:, order], key, value),
            result[:, order],
            "queries 1 and 3 are exchanged, but the results are not those from before, exchanged",
        )
        expect_same(
            run(layer, query[:, 1:2], key, value),
            result[:, 1:2],
            "query 1 alone finds something else than among 4",
        )
        expect(not same(result[:, 1], result[:, 3])).is_true("different queries find the same")

    @upon.visible_check(
        "two words may change places in keys and values",
        means="consistent",
        hint="a view alone mixes words with heads: view as (B, n, heads, d_k), then transpose",
    )
    def _(student: Student) -> None:
        layer, order = multi_head(student), [0, 5, 2, 3, 4, 1, 6]
        expect_same(
            run(layer, query, key[:, order], value[:, order]),
            run(layer, query, key, value),
            "with words 1 and 5 exchanged in keys and values, the result is another",
        )

    @upon.visible_check(
        "each sentence on its own",
        means="consistent",
        hint="the first dimension counts sentences: leave it alone",
    )
    def _(student: Student) -> None:
        layer = multi_head(student)
        result = run(layer, query, key, value)
        for b in range(2):
            alone = run(layer, query[b : b + 1], key[b : b + 1], value[b : b + 1])
            expect_same(
                alone, result[b : b + 1], f"sentence {b} alone gives something else than in the batch"
            )

    @upon.visible_check(
        "query, key and value each have their part",
        means="consistent",
        hint="weights come from query and key, what is averaged from value; nothing else is added",
    )
    def _(student: Student) -> None:
        layer = multi_head(student)
        result, weights = run(layer, query, key, value), kept(layer)
        other = run(layer, query, key, value.flip(-1))
        expect(not same(other, result)).is_true("other values give the same result")
        expect_same(kept(layer), weights, "other values give other weights")
        for name, inputs in {
            "keys": (query, key.flip(-1), value),
            "queries": (query.flip(-1), key, value),
        }.items():
            run(layer, *inputs)
            expect(not same(kept(layer), weights)).is_true(f"other {name} give the same weights")
        nothing = run(layer, query, key, 0 * value)
        expect_same(
            nothing,
            nothing[:, :1].expand_as(nothing),
            "values are 0 everywhere, but the results of queries differ",
        )
        units = torch.eye(SIZE)[:, None]  # a value with a single 1 in each of 12 sentences
        found = run(layer, 0 * units, 0 * units, units) - run(layer, 0 * units, 0 * units, 0 * units)
        sizes = torch.linalg.svdvals(found[:, 0])
        expect(bool(sizes[-1] > 1e-4 * sizes[0])).is_true(
            "some features of the values have no say: all heads' findings should be put side by side"
        )
        halves = run(layer, query, key, value / 2)
        expect_same(
            2 * halves - nothing, result, "with half the values, the result is not half way to that of zeros"
        )

    @upon.visible_check(
        "closed keys are as if they were not there, in every head",
        means="consistent",
        hint="hand the mask on to `attention`, with a dimension for the heads: unsqueeze(1). See 7.1 first",
    )
    def _(student: Student) -> None:
        layer = multi_head(student)
        result = run(layer, query, key, value, some)
        for b in range(2):
            at = slice(b, b + 1), some[b, 0]
            expect_same(
                result[b : b + 1],
                run(layer, query[b : b + 1], key[at], value[at]),
                "a mask (B, 1, n_k): without the closed keys, the result is another",
            )
        result = run(layer, query, key, value, past)
        for i in range(4):
            expect_same(
                result[:, i : i + 1],
                run(layer, query[:, i : i + 1], key[:, : i + 1], value[:, : i + 1]),
                f"a mask (B, n_q, n_k): query {i} may look at keys 0 to {i}; without the others, the result differs",
            )

    @upon.visible_check(
        "`.weights` are those of the last pass",
        means="consistent",
        hint="keep in self.weights what `attention` returns, mask and all, without its gradient",
    )
    def _(student: Student) -> None:
        layer = multi_head(student)
        run(layer, query, key, value)
        weights = kept(layer)
        expect(weights, "`.weights`").has_shape(2, HEADS, 4, 7)
        expect(weights.sum(-1), "the sum of a query's weights").close_to(torch.ones(2, HEADS, 4), rtol=1e-3)
        expect(not same(weights[:, 0], weights[:, 1])).is_true("all heads have the same weights")
        expect(not same(weights[..., 0, :], weights[..., 1, :])).is_true("all queries have the same weights")
        run(layer, query, key, value, past)
        masked = kept(layer)
        largest = float(masked[~past[:, None].expand_as(masked)].max())
        expect(largest < 1e-6).is_true(f"after a pass with a mask, a closed key has the weight {largest:.3g}")
        expect_same(
            masked[..., 2, :3],
            weights[..., 2, :3] / weights[..., 2, :3].sum(-1, keepdim=True),
            "after a pass with a mask, the open keys do not share the weight as before",
        )

    @upon.visible_check(
        "there are four projections to learn, and all are reached",
        means="right form",
        hint="attributes that are modules or nn.Parameter, made in __init__; lists of modules as nn.ModuleList",
    )
    def _(student: Student) -> None:
        layer = multi_head(student)
        result = run(layer, query, key, value)
        gradients = layer.gradients(query, key, value, upstream=waves(*result.shape, start=5))
        state = layer.state()
        count = sum(state[name].numel() for name in gradients.parameters if name in state)
        least = 4 * SIZE * SIZE
        expect(count >= least).is_true(
            f"{count} parameters are registered, four projections of {SIZE} × {SIZE} have {least}"
        )
        expect(count <= 1.2 * least).is_true(
            f"{count} parameters are registered, four projections of {SIZE} × {SIZE} and their biases have "
            f"{least + 4 * SIZE}: a head has d_model / heads features"
        )
        for name, gradient in gradients.parameters.items():
            zero = gradient is None or (is_matrix(gradient) and not bool(gradient.any()))
            expect(not zero).is_true(
                f"no gradient reaches `{name}`: it is not used, or something is detached"
            )
        for name, gradient in zip(("query", "key", "value"), gradients.inputs, strict=True):
            expect(gradient is not None and bool(gradient.any())).is_true(f"no gradient reaches `{name}`")

    @upon.visible_check(
        "dropout on the attention weights, in training mode only",
        means="consistent",
        hint="nn.Dropout(dropout) knows the mode: hand it to `attention`, which applies it to the weights",
    )
    def _(student: Student) -> None:
        layer, rate = multi_head(student, 0.6, 0.2), 0.6
        many = [x[:1].repeat(100, 1, 1) for x in (query[:, :2], key[:, :1], value[:, :1])]  # a single key
        full = run(layer, *many)
        expect_same(
            run(layer, *many), full, "dropout is active in evaluation mode: two passes give two results"
        )
        rateless = numbers(multi_head(student, 0.0, 0.2).forward(*many, training=True), "the result")
        expect_same(rateless, full, "with dropout=0.0, something is dropped in training mode")
        got = numbers(layer.forward(*many, training=True), "the result")
        expect(not same(got, full)).is_true("there is no dropout in training mode")
        # every head gives the same here, and its only weight is 1: what is left are whole heads
        left = (got / full) * (1 - rate) * HEADS
        whole = same(left, left.round(), atol=1e-2) and same(left, left[..., :1].expand_as(left), atol=1e-2)
        expect(whole).is_true(
            f"with a single key, a head's weight is dropped or divided by 1 - {rate:g}; the result is something else"
        )
        share = 1 - float(left.mean()) / HEADS
        expect(abs(share - rate) < 0.15).is_true(
            f"a share of {share:.2f} of the weights is dropped, at the rate {rate:g}"
        )

    @upon.visible_check(
        "a worked example, with equal numbers in every projection",
        means="right",
        hint="a head's scores are divided by the root of its own d_k = d_model / heads; the output is projected, too",
    )
    def _(student: Student) -> None:
        layer = multi_head(student, 0.0, 0.25)
        result = run(layer, query, key, value)
        expect(kept(layer)[1, 0, 2], "with 0.25 everywhere, the weights of a query in a head").close_to(
            W_HEADS, rtol=1e-3
        )
        expect(result[:, :, 3], "with 0.25 everywhere, a feature of the result").close_to(O_HEADS, rtol=1e-3)


# -- 7.4 -------------------------------------------------------------------------------------------------


def positions(item: Item) -> None:
    """Visible checks of `Embeddings` and `PositionalEncoding`."""
    tokens = torch.tensor([[3, 1, 10, 3], [0, 7, 7, 1]])

    def encoding(student: Student, size: int, *arguments: Any) -> Model:
        made = student.PositionalEncoding(size, *arguments)
        return expect_module(made, f"PositionalEncoding({size}, …)")

    def pattern(student: Student, n: int, size: int = 8, max_len: int = 512) -> Tensor:
        """What is added to n words, (n, size)."""
        added = numbers(encoding(student, size, 0.0, max_len).forward(torch.zeros(1, n, size)), "the result")
        expect(added, "the result of PositionalEncoding").has_shape(1, n, size)
        return added[0]

    def embeddings(student: Student) -> Model:
        return expect_module(student.Embeddings(11, 16), "Embeddings(11, 16)")

    @item.visible_check("the shapes are right", means="right form", hint="one vector for each token")
    def _(student: Student) -> None:
        expect(embeddings(student).forward(tokens), "the embedding").has_shape(2, 4, 16)
        sums = encoding(student, 8, 0.1).forward(waves(2, 3, 8).float())
        expect(sums, "the result of PositionalEncoding").has_shape(2, 3, 8)

    @item.visible_check(
        "equal tokens have equal vectors, and they are learnt",
        means="consistent",
        hint="nn.Embedding: a table with a row of d_model numbers for each token of the vocabulary",
    )
    def _(student: Student) -> None:
        layer = embeddings(student)
        vectors = numbers(layer.forward(tokens), "the embedding")
        expect_same(vectors[0, 0], vectors[0, 3], "token 3 has two different vectors")
        expect_same(vectors[1, 3], vectors[0, 1], "token 1 has two different vectors")
        expect(not same(vectors[0, 0], vectors[0, 1])).is_true("different tokens have the same vector")
        gradients = layer.gradients(tokens, upstream=waves(2, 4, 16).float()).parameters
        reached = [
            name for name, gradient in gradients.items() if gradient is not None and bool(gradient.any())
        ]
        expect(bool(reached)).is_true("no gradient reaches a table of parameters")

    @item.visible_check(
        "a table with t + 1 everywhere in row t",
        means="right",
        hint="row t for token t, times the root of d_model",
    )
    def _(student: Student) -> None:
        layer = embeddings(student)
        rows = torch.arange(1.0, 12.0)[:, None].expand(11, 16).clone()
        state = {name: x for name, x in layer.state().items() if sorted(x.shape) == [11, 16]}
        expect(len(state) > 0).is_true("no table of 11 × 16 parameters is registered")
        layer.load({name: rows if x.shape[0] == 11 else rows.T.clone() for name, x in state.items()})
        vectors = numbers(layer.forward(tokens), "the embedding")
        expect_same(vectors, vectors[..., :1].expand_as(vectors), "a vector has different numbers")
        expect_same(
            vectors[0, :, 0] / vectors[0, 1, 0],
            torch.tensor([2, 1, 5.5, 2]),
            "the rows are not those of the tokens",
        )
        factor = float(vectors[0, 1, 0]) / 2
        expect(abs(factor - 4) < 1e-3).is_true(f"for d_model = 16, the rows are multiplied by {factor:.4g}")

    @item.visible_check(
        "every sentence gets the same added, however long it is and whatever its words are",
        means="consistent",
        hint="compute the pattern once for max_len positions; cut it at the sentence's length, dimension 1",
    )
    def _(student: Student) -> None:
        layer, x = encoding(student, 8, 0.0), waves(3, 7, 8).float()
        added = numbers(layer.forward(x), "the result") - x.double()
        nothing = numbers(layer.forward(0 * x), "the result")
        expect_same(added, nothing, "words have an influence on what is added to them", atol=1e-4)
        expect_same(
            nothing, nothing[:1].expand_as(nothing), "the sentences of a batch do not get the same added"
        )
        for n in (1, 4, 512):
            longer = numbers(layer.forward(torch.zeros(2, n, 8)), "the result")
            least = min(n, 7)
            expect_same(
                longer[0, :least],
                nothing[0, :least],
                f"a sentence of {n} words gets something else than one of 7",
            )
        expect(not same(nothing[0, 1], nothing[0, 2])).is_true("positions 1 and 2 get the same")
        first = pattern(student, 6, max_len=20)
        expect_same(
            pattern(student, 6, max_len=60), first, "with another max_len, the first positions get another"
        )

    @item.visible_check(
        "PE(t) · PE(t + k) depends on k only",
        means="consistent",
        hint="sine and cosine of the same angle, and the angle is t times something",
    )
    def _(student: Student) -> None:
        for size in (8, 6):
            found = pattern(student, 30, size)
            for k in (0, 1, 5):
                products = (found[: 30 - k] * found[k:]).sum(-1)
                expect_same(
                    products,
                    products[:1].expand_as(products),
                    f"for d_model = {size}, PE(t) · PE(t + {k}) depends on t",
                    atol=1e-3,
                )
            expect_same(found[0] @ found[0], size / 2, "the sum of the squares of PE(0)")

    @item.visible_check(
        "at position 0 all sines are 0 and all cosines 1",
        means="right",
        hint="positions begin at 0; sines stand in even columns, cosines in odd ones",
    )
    def _(student: Student) -> None:
        for size in (8, 6):
            expect_same(
                pattern(student, 3, size)[0], torch.tensor([0.0, 1.0] * (size // 2)), "PE(0)", atol=1e-4
            )

    @item.visible_check(
        "a worked example",
        means="right",
        hint="columns 2i and 2i + 1 share the frequency 10000 ** (-2i / d_model)",
    )
    def _(student: Student) -> None:
        expect(pattern(student, 4)[3], "for d_model = 8, PE(3)").close_to(PE_3, atol=1e-4)
        expect(pattern(student, 300, 6)[250, 2:], "for d_model = 6, PE(250) from column 2 on").close_to(
            PE_250, atol=2e-4
        )

    @item.visible_check(
        "the pattern is not trained",
        means="right form",
        hint="register_buffer, no nn.Parameter that is trained",
    )
    def _(student: Student) -> None:
        layer = encoding(student, 8, 0.0)
        gradients = layer.gradients(waves(2, 5, 8).float(), upstream=torch.ones(2, 5, 8)).parameters
        trained = [name for name, gradient in gradients.items() if gradient is not None]
        expect(not trained).is_true(f"`{trained and trained[0]}` would be trained")

    @item.visible_check(
        "dropout follows the sum, in training mode only",
        means="consistent",
        hint="nn.Dropout, applied to x + pattern",
    )
    def _(student: Student) -> None:
        x = 4 + waves(20, 15, 8).float()
        layer = encoding(student, 8, 0.3)
        full = numbers(layer.forward(x), "the result")
        expect_same(
            layer.forward(x), full, "dropout is active in evaluation mode: two passes give two results"
        )
        expect_same(
            encoding(student, 8, 0.0).forward(x, training=True), full, "at the rate 0, something is dropped"
        )
        expect_dropped(numbers(layer.forward(x, training=True), "the result"), full, 0.3, "the sum")


# -- 7.5 -------------------------------------------------------------------------------------------------


def sublayers(item: Item) -> None:
    """Visible checks of `LayerNorm` and `Sublayer`, on two sentences of 3 words with 6 features."""
    x = 3 * waves(2, 3, 6).float() + 1
    flip = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])  # mean 0 and variance 1
    zeros, bias = torch.zeros(6, 6), torch.tensor([2.0, -3.0, 4.0, -5.0, 7.0, 1.0])

    def norm(student: Student, *arguments: Any) -> Model:
        return expect_module(student.LayerNorm(6, *arguments), "LayerNorm(6)")

    def sublayer(student: Student, dropout: float = 0.0) -> Model:
        return expect_module(student.Sublayer(6, dropout), f"Sublayer(6, {dropout:g})")

    def linear(student: Student, weight: Tensor, bias: Tensor) -> Model:
        return student.make_network(("Linear", 6, 6), state={"0.weight": weight, "0.bias": bias})

    def run(layer: Model, *inputs: Any, training: bool = False) -> Tensor:
        return numbers(layer.forward(*inputs, training=training), "the result")

    @item.check("for your information: written by yourself", points=0, hint="mean and variance")
    def _(student: Student) -> None:
        expect_own(student.LayerNorm(6).used(x), "LayerNorm", NORM)

    @item.visible_check("the shapes stay", means="right form", hint="both return the shape of x")
    def _(student: Student) -> None:
        expect(norm(student).forward(x), "the result of LayerNorm").has_shape(2, 3, 6)
        network = student.make_network(("Linear", 6, 6))
        expect(sublayer(student).forward(x, network), "the result of Sublayer").has_shape(2, 3, 6)

    @item.visible_check(
        "layer norm: every word has mean 0 and variance 1",
        means="consistent",
        hint="mean and variance over the last dimension, divided by d; gain and bias begin at 1 and 0",
    )
    def _(student: Student) -> None:
        result = run(norm(student), x)
        expect_same(result.mean(-1), torch.zeros(2, 3), "the mean of a word's features", atol=1e-4)
        variance = result.var(-1, correction=0)
        expect_same(variance, torch.ones(2, 3), "their variance, divided by d,")
        alone = run(norm(student), x[1:, 2:])
        expect_same(alone, result[1:, 2:], "a word alone gives something else than among others")

    @item.visible_check(
        "layer norm: eps is in the root",
        means="right",
        hint="√(variance + eps); eps is an argument, and 1e-6 by default",
    )
    def _(student: Student) -> None:
        for eps, times, wanted in ((3.0, 1.0, 0.5), (8.0, 1.0, 1 / 3), (None, 1e-3, 0.5**0.5)):
            layer = norm(student) if eps is None else norm(student, eps)
            got = run(layer, (times * flip).expand(2, 3, 6).clone())
            expect_same(
                got,
                (wanted * flip).expand(2, 3, 6),
                f"1, -1, 1, … times {times:g}, with eps = {eps or 'its default'}",
            )

    @item.visible_check(
        "layer norm: gain and bias begin at 1 and 0, and are learnt",
        means="consistent",
        hint="two nn.Parameter of shape (features,), torch.ones and torch.zeros; gain · normalised + bias",
    )
    def _(student: Student) -> None:
        layer = norm(student)
        result = run(layer, x)
        learnt = layer.gradients(x, upstream=waves(2, 3, 6, start=4).float()).parameters
        found = {name: value for name, value in layer.state().items() if name in learnt}
        expect(len(found) == 2).is_true(f"{len(found)} parameters are registered: gain and bias are two")
        names = [
            next(
                (name for name, value in found.items() if same(value.flatten(), torch.full((6,), start))), ""
            )
            for start in (1.0, 0.0)
        ]
        expect(all(names)).is_true("there is no parameter of 6 ones, or none of 6 zeros")
        for name in names:
            expect(learnt[name] is not None).is_true(f"no gradient reaches `{name}`")
        gains, shifts = waves(6, start=2), waves(6, start=3)
        shapes = [found[name].shape for name in names]
        layer.load({names[0]: gains.reshape(shapes[0]).float(), names[1]: shifts.reshape(shapes[1]).float()})
        other = run(layer, x)
        expect_same(
            other - other.mean((0, 1)), (gains * result) - (gains * result).mean((0, 1)), "with other gains"
        )
        expect_same(other, gains * result + shifts, "with other gains and biases")

    @item.visible_check(
        "sublayer: what gives nothing changes nothing",
        means="consistent",
        hint="a residual connection: x itself, plus what the sublayer makes of it",
    )
    def _(student: Student) -> None:
        result = run(sublayer(student), x, linear(student, zeros, torch.zeros(6)))
        expect_same(result, x, "a sublayer that gives 0 everywhere should leave x")

    @item.visible_check(
        "sublayer: what it gives is added once, as it is",
        means="consistent",
        hint="x + dropout(sublayer(norm(x))): nothing is normalised afterwards",
    )
    def _(student: Student) -> None:
        result = run(sublayer(student), x, linear(student, zeros, bias))
        expect_same(
            result - x.double(), bias.expand(2, 3, 6), "a sublayer gives 2, -3, 4, …; this is added to x"
        )

    @item.visible_check(
        "sublayer: it gets normalised words",
        means="consistent",
        hint="pre-norm: norm(x) goes into the sublayer, and your LayerNorm makes it",
    )
    def _(student: Student) -> None:
        layer = sublayer(student)
        got = (run(layer, x, linear(student, 2 * torch.eye(6), torch.zeros(6))) - x.double()) / 2
        expect_same(
            got,
            run(norm(student), x),
            "a sublayer that doubles should add twice what LayerNorm(6) makes of x; half of what is added",
        )
        expect_same(
            got.var(-1, correction=0), torch.ones(2, 3), "the variance of what goes into the sublayer"
        )
        count = sum(value.numel() for value in layer.state().values())
        expect(count >= 12).is_true(
            f"{count} parameters are registered, the norm alone has 12: make it in __init__"
        )

    @item.visible_check(
        "sublayer: dropout acts on what it gives, in training mode only",
        means="consistent",
        hint="nn.Dropout(dropout), before x is added",
    )
    def _(student: Student) -> None:
        many, constant = waves(40, 5, 6).float(), linear(student, zeros, bias)
        layer = sublayer(student, 0.3)
        full = run(layer, many, constant)
        expect_same(
            run(layer, many, constant), full, "dropout is active in evaluation mode: two passes, two results"
        )
        without = run(sublayer(student), many, constant, training=True)
        expect_same(without, full, "with dropout = 0, something is dropped in training mode")
        nothing = run(layer, many, linear(student, zeros, torch.zeros(6)))
        silent = run(layer, many, linear(student, zeros, torch.zeros(6)), training=True)
        expect_same(silent, nothing, "x is dropped as well: only what the sublayer gives")
        dropped = run(layer, many, constant, training=True) - nothing
        expect_dropped(dropped, full - nothing, 0.3, "what the sublayer gives")


# -- 7.6 -------------------------------------------------------------------------------------------------


Shares = Sequence[float]
Part = Callable[[Student, int], Model]  # what a sublayer does in the sentence of this number
SILENT: Shares = (0.0, 0.0, 0.0)


def decoder(item: Item) -> None:
    """Visible checks of `DecoderLayer`, with stubs for attention: 2 sentences of 4 words, 5 in the memory."""
    x, memory = waves(2, 4, 6).float(), 2 * waves(2, 5, 6, start=2).float()
    source = torch.tensor([[[1, 1, 1, 0, 1]], [[1, 0, 1, 1, 0]]]).bool()
    target = torch.ones(2, 4, 4).bool().tril()
    target[1, :, 1] = False
    weight, bias, zeros = waves(6, 6, start=3), waves(6, start=4), torch.zeros(6, 6)

    def layer_of(
        student: Student,
        self_attention: Shares = SILENT,
        memory_attention: Shares = SILENT,
        feed_forward: tuple[Tensor, Tensor] = (zeros, torch.zeros(6)),
        dropout: float = 0.0,
    ) -> Model:
        """A layer in which what is not given gives 0. Shares are those of query, keys and values."""
        stubs = [student.make_stub_attention(*shares) for shares in (self_attention, memory_attention)]
        state = {"0.weight": feed_forward[0], "0.bias": feed_forward[1]}
        network = student.make_network(("Linear", 6, 6), state=state)
        return expect_module(student.DecoderLayer(6, *stubs, network, dropout), "DecoderLayer(6, …)")

    def run(layer: Model, words: Tensor = x, read: Tensor = memory, training: bool = False) -> Tensor:
        result = layer.forward(words, read, source, target, training=training)
        expect(result, "the result").has_shape(*words.shape)
        return numbers(result, "the result")

    def normed(student: Student) -> Tensor:
        return numbers(student.LayerNorm(6).forward(x), "the result of LayerNorm")

    mean = (source.double() / source.sum(-1, keepdim=True)) @ memory.double()  # (2, 1, 6), of the open words
    looks = target.double() / target.sum(-1, keepdim=True)  # (2, 4, 4)

    def part(weight: Tensor, bias: Tensor) -> Part:
        """A part that gives weight · word + bias; the bias may be another in each sentence, (2, 6)."""
        biases = bias.expand(2, 6).float()
        return lambda student, b: student.make_network(
            ("Linear", 6, 6), state={"0.weight": weight, "0.bias": biases[b].clone()}
        )

    def mixed(shares: Tensor) -> Part:
        """A part that mixes the words of a sentence, (2, 4, 4)."""
        return lambda student, b: student.make_network(
            ("Conv1d", 4, 4, 1, 1, 0, 1, 1, False), state={"0.weight": shares[b, :, :, None].float()}
        )

    silent, same_again = part(zeros, torch.zeros(6)), part(torch.eye(6), torch.zeros(6))

    def through(student: Student, *parts: Part) -> Tensor:
        """What the student's own Sublayers make of x, with these parts one after the other."""
        rows = []
        for b in range(2):
            y = x[b : b + 1]
            for one in parts:
                y = numbers(
                    student.Sublayer(6, 0.0).forward(y, one(student, b)), "a Sublayer's result"
                ).float()
            rows.append(y)
        return torch.cat(rows).double()

    def expect_added(student: Student, layer: Model, want: Tensor, message: str, *parts: Part) -> None:
        """A layer adds this to x; or it does what these parts do in the student's Sublayers, which 7.5 looks at."""
        got = run(layer)
        if same(got - x.double(), want):
            return
        with suppress(CheckFailed):
            if same(got, through(student, *parts)):
                return
        expect_same(got - x.double(), want, message)

    @item.visible_check(
        "it runs, with plain averages for attention", means="right form", hint="see the docstring"
    )
    def _(student: Student) -> None:
        run(layer_of(student, (0.0, 0.5, 0.5), (0.0, 0.5, 0.5), (weight, bias)))

    @item.visible_check(
        "if no sublayer gives anything, x comes out",
        means="consistent",
        hint="each one is wrapped in a Sublayer of its own: x, plus what it gives (7.5)",
    )
    def _(student: Student) -> None:
        expect_added(
            student,
            layer_of(student),
            torch.zeros(2, 4, 6),
            "all three sublayers give 0, but this is added to x",
            *(silent, silent, silent),
        )

    @item.visible_check(
        "the second attention takes keys and values from the memory, as far as the source's mask allows",
        means="consistent",
        hint="memory_attention(y, memory, memory, source_mask)",
    )
    def _(student: Student) -> None:
        for name, shares in {"keys": (0.0, 1.0, 0.0), "values": (0.0, 0.0, 1.0)}.items():
            expect_added(
                student,
                layer_of(student, memory_attention=shares),
                mean.expand(2, 4, 6),
                f"an attention that gives the mean of its {name}: the open words' of the memory",
                *(silent, part(zeros, mean[:, 0]), silent),
            )
        expect_added(
            student,
            layer_of(student, memory_attention=(1.0, 0.0, 0.0)),
            normed(student),
            "an attention that gives its queries: those of the decoder, normalised",
            *(silent, same_again, silent),
        )

    @item.visible_check(
        "self-attention looks at the words so far, as far as the target's mask allows",
        means="consistent",
        hint="self_attention(y, y, y, target_mask), where y is the normalised x",
    )
    def _(student: Student) -> None:
        words = normed(student)
        for name, shares in {"keys": (0.0, 1.0, 0.0), "values": (0.0, 0.0, 1.0)}.items():
            expect_added(
                student,
                layer_of(student, shares),
                looks @ words,
                f"an attention that gives the mean of its {name}: the words so far, normalised",
                *(mixed(looks), silent, silent),
            )
        expect_added(
            student,
            layer_of(student, (1.0, 0.0, 0.0)),
            words,
            "an attention that gives its queries: x, normalised",
            *(same_again, silent, silent),
        )

    @item.visible_check(
        "the future, closed words and padding of the memory change nothing",
        means="consistent",
        hint="target_mask goes to self-attention, source_mask to the attention over the memory",
    )
    def _(student: Student) -> None:
        layer = layer_of(student, (0.3, 0.5, 0.7), (0.2, 0.6, -0.4), (weight, bias))
        before = run(layer)
        later, other = x.clone(), memory.clone()
        later[:, 3], other[0, 3], other[1, 1], other[1, 4] = 2.0 * x[:, 0], 3.0, -2.0, 1.0
        alone = student.Sublayer(6, 0.0)
        apart = [numbers(alone.forward(words, same_again(student, 0)), "the result") for words in (x, later)]
        if same(apart[0][:, :3], apart[1][:, :3]):  # otherwise a norm mixes words, which 7.5 looks at
            expect_same(
                run(layer, later)[:, :3], before[:, :3], "another last word changes what comes before it"
            )
        expect_same(run(layer, x, other), before, "words of the memory that are closed have an influence")
        expect(not same(run(layer, x, memory.flip(-1)), before)).is_true(
            "another memory gives the same result"
        )

    @item.visible_check(
        "self-attention, then memory, then feed-forward",
        means="consistent",
        hint="the next one gets the result of the one before: x = sublayer(x, …), three times",
    )
    def _(student: Student) -> None:
        first, second, third = (0.3, 0.5, 0.7), (0.2, 0.6, -0.4), (weight, bias)
        steps = run(layer_of(student, first))
        steps = run(layer_of(student, memory_attention=second), steps.float())
        steps = run(layer_of(student, feed_forward=third), steps.float())
        expect_added(
            student,
            layer_of(student, first, second, third),
            steps - x.double(),
            "all three at once add something else than layers with one of them each, in this order",
            mixed(0.3 * torch.eye(4) + (0.5 + 0.7) * looks),
            part(0.2 * torch.eye(6), (0.6 - 0.4) * mean[:, 0]),
            part(weight, bias),
        )
        expect_added(
            student,
            layer_of(student, feed_forward=third),
            normed(student) @ weight.T + bias,
            "feed-forward alone: what it makes of the normalised x",
            *(silent, silent, part(weight, bias)),
        )

    @item.visible_check(
        "three connections are registered, with weights of their own",
        means="right form",
        hint="nn.ModuleList of three Sublayers in __init__",
    )
    def _(student: Student) -> None:
        layer = layer_of(student, (0.3, 0.5, 0.7), (0.2, 0.6, -0.4), (weight, bias))
        expect_same(run(layer), run(layer), "two passes give two results")
        own = sum(value.numel() for value in student.Sublayer(6, 0.0).state().values())
        count = sum(value.numel() for value in layer.state().values())
        least = 6 * 6 + 6 + 2 * 3 + 3 * own
        expect(count >= least).is_true(
            f"{count} parameters are registered; the parts and three Sublayers have {least}"
        )
        gradients = layer.gradients(x, memory, source, target, upstream=waves(2, 4, 6, start=8).float())
        found = {"`x`": gradients.inputs[0], "the memory": gradients.inputs[1]}
        found |= {f"`{name}`": gradient for name, gradient in gradients.parameters.items()}
        missed = [name for name, gradient in found.items() if gradient is None]
        connection = student.Sublayer(6, 0.0)
        reached = connection.gradients(
            x, part(weight, bias)(student, 0), upstream=torch.ones(2, 4, 6)
        ).parameters
        if None in reached.values():  # 7.5 looks at that
            missed = [name for name in missed if name in ("`x`", "the memory")]
        expect(not missed).is_true(f"no gradient reaches {missed and missed[0]}")

    @item.visible_check(
        "the argument dropout is the rate in each connection",
        means="consistent",
        hint="Sublayer(d_model, dropout), three times; what dropout does in it is 7.5",
    )
    def _(student: Student) -> None:
        parts: dict[str, dict[str, Any]] = {
            "self-attention": {"self_attention": (1.0, 0.0, 0.0)},
            "attention over the memory": {"memory_attention": (0.0, 0.0, 1.0)},
            "feed-forward": {"feed_forward": (zeros, 2 + bias)},
        }
        many, constant = x.repeat(30, 1, 1), part(zeros, 2 + bias)(student, 0)
        full, gone = (
            numbers(student.Sublayer(6, 0.4).forward(many, constant, training=training), "the result") - many
            for training in (False, True)
        )
        try:
            expect_dropped(gone, full, 0.4, "what a sublayer gives")
        except CheckFailed:  # 7.5 looks at that
            return
        for name, given in parts.items():
            full = run(layer_of(student, **given)) - x.double()
            still = run(layer_of(student, **given), training=True) - x.double()
            expect_same(
                still, full, f"with dropout = 0, something of what {name} gives is dropped in training mode"
            )
            layer = layer_of(student, **given, dropout=0.4)
            dropped = torch.cat([run(layer, training=True) - x.double() for _ in range(6)])
            expect_dropped(dropped, full.repeat(6, 1, 1), 0.4, f"what {name} gives")


# -- 7.7 -------------------------------------------------------------------------------------------------


def model(item: Item) -> None:
    """Visible checks of the assembled model, and that it runs."""
    source = torch.tensor([[3, 7, 1, 9, 10], [2, 2, 9, 0, 0], [8, 6, 10, 5, 0]])
    target = torch.tensor([[1, 12, 5, 7, 2], [1, 3, 6, 0, 0], [1, 9, 4, 11, 2]])
    masks = [(source != 0)[:, None], (target != 0)[:, None] & torch.ones(5, 5).bool().tril()]

    def make(student: Student) -> Model:
        return expect_module(student.make_model(11, 13, 2, 16, 24, 4, 0.1), "make_model")

    def decoded(model: Model, source: Tensor, target: Tensor) -> Tensor:
        return numbers(model.forward(source, target, *masks), "the decoder's output")

    @item.check("the model runs", points=0.25, hint="parts 7.1 to 7.6 are needed")
    def _(student: Student) -> None:
        model = student.make_model(11, 13, 2, 16, 24, 4, 0.1)
        output = decoded(model, source, target)
        expect(output, "the decoder's output").has_shape(3, 5, 16)
        expect(float(output.std()) > 1e-3).is_true("the output is the same everywhere")
        gradients = model.gradients(source, target, *masks, upstream=output.float()).parameters.values()
        reached = any(g is not None and bool(g.any()) for g in gradients)
        expect(reached).is_true("no weight takes part in the output")

    @item.visible_check(
        "twice with the same result",
        means="consistent",
        hint="dropout in training mode only: 7.3, 7.4 or 7.5",
    )
    def _(student: Student) -> None:
        model = make(student)
        first = decoded(model, source, target)
        expect_same(decoded(model, source, target), first, "the output, a second time,")

    @item.visible_check(
        "later words change nothing before them", means="consistent", hint="masks: 7.1, 7.2, 7.3 or 7.6"
    )
    def _(student: Student) -> None:
        model = make(student)
        before, later = decoded(model, source, target), target.clone()
        later[0, 3:] = torch.tensor([4, 9])
        after = decoded(model, source, later)
        expect_same(after[0, :3], before[0, :3], "the output before a changed word")

    @item.visible_check(
        "padding of the source changes nothing", means="consistent", hint="masks: 7.1, 7.2, 7.3 or 7.6"
    )
    def _(student: Student) -> None:
        model = make(student)
        before, other = decoded(model, source, target), source.clone()
        other[1, 3:] = torch.tensor([5, 8])
        expect_same(decoded(model, other, target)[1], before[1], "the output with other padding")

    @item.visible_check("the source matters", means="consistent", hint="7.6: attention over the memory")
    def _(student: Student) -> None:
        model = make(student)
        before, other = decoded(model, source, target), source.clone()
        other[:, 1] = 5
        changed = float((decoded(model, other, target) - before).abs().max())
        expect(changed > 1e-4).is_true("another source gives the same output")

    @item.visible_check(
        "the words so far matter, and where they stand",
        means="consistent",
        hint="self-attention (7.6) reads them; positions are added to them (7.4)",
    )
    def _(student: Student) -> None:
        model = make(student)
        before, other = decoded(model, source, target), target.clone()
        other[:, 1] = 8
        changed = float((decoded(model, source, other) - before)[0, 4].abs().max())
        expect(changed > 1e-4).is_true("another word at position 1 changes nothing at position 4")
        swapped = target.clone()
        swapped[:, [1, 2]] = target[:, [2, 1]]
        changed = float((decoded(model, source, swapped) - before)[0, 4].abs().max())
        expect(changed > 1e-4).is_true("two words change places, and nothing changes at position 4")

    @item.visible_check(
        "gradients reach every part",
        means="consistent",
        hint="parts are modules in __init__ (7.3, 7.6), and nothing is detached (7.1)",
    )
    def _(student: Student) -> None:
        model = make(student)
        upstream = waves(3, 5, 16, start=2).float()
        gradients = model.gradients(source, target, *masks, upstream=upstream).parameters
        missing = [name for name, g in gradients.items() if g is None and not name.startswith("generator")]
        expect(not missing).is_true(f"no gradient reaches `{missing and missing[0]}`")
