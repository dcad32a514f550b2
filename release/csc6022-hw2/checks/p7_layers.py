"""Visible checks of problem 7, parts 7.4 to 7.7: what positions, sublayers and the decoder must not depend on, and a
few worked numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.own_work import NORM, expect_own
from chainrule.lesson.student import Model, Student
from checks.p7_probes import expect_dropped, expect_module, expect_same, same, waves

# Results of the worked examples.
PE_3 = [0.14112, -0.989992, 0.29552, 0.955336, 0.029996, 0.99955, 0.003, 0.999996]
PE_250 = [-0.820565, 0.571553, 0.512942, 0.858423]

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

    @item.visible_check("a vector for every word", means="right form", hint="parts 7.1 to 7.6 are needed")
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
