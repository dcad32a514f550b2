"""Visible checks of problem 7, parts 7.1 to 7.3: what attention, masks and heads must not depend on, and a
few worked numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.own_work import ATTENTION, expect_own
from chainrule.lesson.results import Means
from chainrule.lesson.student import Model, Student, returned
from checks.p7_probes import expect_module, expect_same, same, waves

# Results of the worked examples.
W_ATTENTION = [0.342857, 0.011264, 0.617549, 0.02833]
O_ATTENTION = [0.089372, -0.272062, -1.234639, -0.270573, 0.892131]
W_HEADS = [0.026303, 0.019592, 0.008411, 0.878338, 0.018706, 0.043064, 0.005587]
O_HEADS = [[3.278576, 0.702594, 0.767966, 0.366064], [-4.970756, -3.282394, -4.953696, -2.582849]]

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
