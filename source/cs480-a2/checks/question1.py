"""Visible checks of question 1. Typed numbers are compared with your other numbers, code is tried on small examples."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers, shorten
from chainrule.lesson.student import Layer, Model, Student, StudentError

LAYERS = ["conv2d", "batch_norm", "max_pool2d", "conv2d", "batch_norm", "max_pool2d", "dropout", "linear"]
PROJECTIONS = ("W_Q", "W_K", "W_V", "W_O")
ENCODER = (*PROJECTIONS, "W_1", "b_1", "W_2", "b_2", "norm_1", "norm_2")
DIGITS = 0.005  # three digits are enough


def one(student: Student, name: str) -> float:
    """A single number of the student's."""
    value = numbers(getattr(student, name), name).flatten().tolist()
    expect(len(value) == 1).is_true(f"{name} should be one number")
    return float(value[0])


def same(a: float, b: float, digits: float = DIGITS) -> bool:
    """Equal up to that share of the larger one."""
    return abs(a - b) <= digits * max(abs(a), abs(b))


# -- 1.1 -------------------------------------------------------------------------------------------------


def hessian(student: Student) -> Tensor:
    """The student's H, a symmetric 2 × 2 matrix."""
    H = numbers(student.H, "H")
    expect(H, "H").has_shape(2, 2)
    expect(bool((H == H.T).all())).is_true("H is not symmetric, but second derivatives can be exchanged")
    return H


def yes(student: Student, name: str) -> bool:
    """A verdict of the student's: True or False, or such a word."""
    value = getattr(student, name)
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    word = str(value).strip().rstrip(".!").lower()
    known = word in ("true", "yes", "y", "1", "1.0", "false", "no", "n", "0", "0.0")
    expect(known).is_true(f"{name} is {shorten(value, 30)}, expected True or False")
    return word in ("true", "yes", "y", "1", "1.0")


def curvature(item: Item) -> None:
    """Visible checks of H, convex, strongly_convex, L and m."""

    @item.visible_check(
        "all five answers are there and have the right form",
        means="right form",
        hint="H is a symmetric 2 × 2 matrix, convex and strongly_convex are True or False, L and m are positive",
    )
    def _(student: Student) -> None:
        hessian(student)
        for name in ("convex", "strongly_convex"):
            yes(student, name)
        L, m = one(student, "L"), one(student, "m")
        expect(L >= m > 0).is_true("both constants are positive, and L is not the smaller one")

    @item.visible_check(
        "L and m are the extremes of the curvature uᵀHu over all directions u",
        means="consistent",
        hint="walk along each axis: how fast does the slope change there? L is the most, m the least",
    )
    def _(student: Student) -> None:
        H, L, m = hessian(student), one(student, "L"), one(student, "m")
        angles = torch.linspace(0, math.pi, 37, dtype=torch.float64)
        u = torch.stack([angles.cos(), angles.sin()])  # (2, directions)
        curved = (u * (H @ u)).sum(0)
        slack = 1e-3 * float(curved.abs().max())
        expect(float(curved.max()) <= L + slack).is_true("in some direction your H curves more than your L")
        expect(float(curved.min()) >= m - slack).is_true("in some direction your H curves less than your m")
        expect(float(curved.max()) >= 0.99 * L).is_true("in no direction your H curves as much as your L")
        expect(float(curved.min()) <= 1.01 * m + slack).is_true(
            "in every direction your H curves more than your m"
        )

    @item.visible_check(
        "the two verdicts go with each other and with m",
        means="consistent",
        hint="m > 0 is the very constant that strong convexity asks for, and it asks for more than convexity does",
    )
    def _(student: Student) -> None:
        convex, strongly = yes(student, "convex"), yes(student, "strongly_convex")
        expect(convex or not strongly).is_true("strongly convex and not convex: that does not go together")
        positive = one(student, "m") > 0
        expect(strongly == positive).is_true(
            f"strongly_convex is {strongly}, and your m is {'above' if positive else 'not above'} 0"
        )


def steps(item: Item) -> None:
    """Visible checks of t_convex and t_strongly."""

    @item.visible_check(
        "two positive steps, the strongly convex theorem's at least as large",
        means="right form",
        hint="m is at most L, so 2/(m + L) is at least 2/(L + L)",
    )
    def _(student: Student) -> None:
        convex, strongly = one(student, "t_convex"), one(student, "t_strongly")
        expect(0 < convex <= strongly).is_true("the steps are not positive, or t_convex is the larger one")

    @item.visible_check(
        "t_convex is the largest step that its theorem allows for your L",
        means="consistent",
        hint="put your L into t ≤ 1/L",
    )
    def _(student: Student) -> None:
        at = one(student, "t_convex") * one(student, "L")  # 1 at the bound
        expect(at <= 1 + DIGITS).is_true("the step is longer than the convex theorem allows for your L")
        expect(at >= 1 - DIGITS).is_true("the convex theorem allows longer steps for your L")

    @item.visible_check(
        "t_strongly is the largest step that its theorem allows for your m and L",
        means="consistent",
        hint="put your m and L into t ≤ 2/(m + L); at least three digits",
    )
    def _(student: Student) -> None:
        at = one(student, "t_strongly") * (one(student, "m") + one(student, "L"))  # 2 at the bound
        expect(at <= 2 + 2 * DIGITS).is_true("the step is longer than the theorem allows for your m and L")
        expect(at >= 2 - 2 * DIGITS).is_true("the theorem allows longer steps for your m and L")


def iterations(item: Item, epsilon: float) -> None:
    """Visible checks of k_convex and k_strongly, both for the start (1, 1).

    Args:
        epsilon: the accuracy asked for.
    """
    squared = 2.0  # ‖(1, 1)‖²

    @item.visible_check(
        "both are whole numbers of iterations",
        means="right form",
        hint="the smallest whole k for which the bound is at most ε",
    )
    def _(student: Student) -> None:
        for name in ("k_convex", "k_strongly"):
            k = one(student, name)
            expect(k >= 1).is_true(f"{name} should be one number, at least 1")
            expect(k == round(k)).is_true(f"{name} is {k:g}: an iteration count is a whole number")

    @item.visible_check(
        "k_convex: its bound, with your step, is at most ε after k iterations and not long before",
        means="consistent",
        hint="put your k and your k − 1 into the bound, and compare with ε",
    )
    def _(student: Student) -> None:
        k, L, t = one(student, "k_convex"), one(student, "L"), one(student, "t_convex")
        expect(L > 0 and t > 0).is_true("the bound needs a positive L and a positive step")
        # for 1/L, or for the step that b) found
        asked = [squared / (2 * t * epsilon) for t in (1 / L, t)]
        expect(any(k >= count - 1e-6 for count in asked)).is_true("with your k the bound is still above ε")
        expect(any(k < count + 1.5 for count in asked)).is_true(
            "with fewer iterations the bound is at most ε, too"
        )

    @item.visible_check(
        "k_strongly: its bound, with your m and L, is at most ε after k iterations and not before",
        means="consistent",
        hint="put your k and your k − 1 into the bound, and compare with ε",
    )
    def _(student: Student) -> None:
        k, L, m = one(student, "k_strongly"), one(student, "L"), one(student, "m")
        expect(0 < m < L).is_true("the bound needs 0 < m < L")

        def bound(k: float) -> float:
            return math.exp(k * math.log1p(-m / L)) * L / 2 * squared

        expect(bound((1 + DIGITS) * k) <= epsilon).is_true("with your k the bound is still above ε")
        fewer = (1 - DIGITS) * k - 1  # logarithms of three digits count
        expect(bound(fewer) > epsilon).is_true("with fewer iterations the bound is at most ε, too")


# -- 1.2 -------------------------------------------------------------------------------------------------


def table(student: Student, name: str) -> list[list[float]]:
    """The eight entries of a table, each as a list of its numbers: from a list, an array, or a dict by layer. The input
    may be its first entry."""
    given: Any = getattr(student, name)
    if isinstance(given, Mapping):
        keys = sorted(given) if all(isinstance(key, int) for key in given) else list(given)
        given = [given[key] for key in keys]
    elif hasattr(given, "tolist"):
        given = given.tolist()
    expect(isinstance(given, list | tuple)).is_true(f"{name} should be a list of eight entries")
    given = list(given)[1:] if len(given) == len(LAYERS) + 1 else list(given)
    expect(len(given) == len(LAYERS)).is_true(f"{name} should have eight entries, and has {len(given)}")
    given = [
        entry.replace("×", "x") if isinstance(entry, str) and name == "layer_sizes" else entry
        for entry in given
    ]
    return [numbers(entry, f"layer {layer}").flatten().tolist() for layer, entry in enumerate(given, 1)]


def triples(student: Student) -> list[list[float]]:
    """The student's sizes; the first six are (H, W, C)."""
    sizes = table(student, "layer_sizes")
    for layer, size in enumerate(sizes, 1):
        whole = all(n >= 1 and n == round(n) for n in size)
        expect(whole and len(size) in (1, 3)).is_true(
            f"layer {layer}: its size should be whole numbers above 0"
        )
        if layer < 7:
            expect(len(size), f"the length of layer {layer}'s size").equals(3)
            expect(size[0] == size[1]).is_true(
                f"layer {layer}: height and width should be equal and come first"
            )
    return sizes


def sizes(item: Item) -> None:
    """Visible checks of layer_sizes."""

    @item.visible_check(
        "eight sizes in the order (H, W, C)",
        means="right form",
        hint="height and width first, channels last; picture and kernels are square, so H = W in layers 1 to 6",
    )
    def _(student: Student) -> None:
        triples(student)

    @item.visible_check(
        "BatchNorm and dropout keep sizes, pooling keeps channels",
        means="consistent",
        hint="what slides a window changes height and width; only filters change the number of channels",
    )
    def _(student: Student) -> None:
        sizes = triples(student)
        for layer, (before, after) in enumerate(pairwise(sizes), 2):
            kind = LAYERS[layer - 1]
            if kind in ("batch_norm", "dropout"):
                expect(math.prod(after) == math.prod(before)).is_true(
                    f"layer {layer} is another size than layer {layer - 1}: which of the two is right?"
                )
            if kind == "max_pool2d":
                expect(after[2] == before[2]).is_true(f"layer {layer}: pooling changes no number of channels")

    @item.visible_check(
        "every window fits: a convolution makes the picture a little smaller, pooling halves it",
        means="consistent",
        hint="try the formula with small numbers: how often does a 2 × 2 window fit into a row of 6 or 7?",
    )
    def _(student: Student) -> None:
        sizes = triples(student)
        for layer, (before, after) in enumerate(pairwise([[28.0, 28.0, 1.0], *sizes[:6]]), 1):
            kind = LAYERS[layer - 1]
            if kind == "conv2d":
                expect(before[0] / 2 < after[0] < before[0]).is_true(
                    f"layer {layer}: from {before[0]:g} rows to {after[0]:g}? It has stride 1 and no padding"
                )
            if kind == "max_pool2d":
                expect(2 * after[0] <= before[0] < 2 * after[0] + 2).is_true(
                    f"layer {layer}: {after[0]:g} windows of two rows, next to each other, in {before[0]:g} rows?"
                )


def parameters(item: Item) -> None:
    """Visible checks of layer_parameters and total_parameters."""

    def counts(student: Student) -> list[float]:
        found = [*table(student, "layer_parameters"), [one(student, "total_parameters")]]
        for count in found:
            expect(len(count) == 1 and count[0] >= 0 and count[0] == round(count[0])).is_true(
                "a number of parameters is a whole number, not negative"
            )
        return [count[0] for count in found]

    @item.visible_check(
        "eight whole numbers and a total", means="right form", hint="0 for a layer that learns nothing"
    )
    def _(student: Student) -> None:
        counts(student)

    @item.visible_check(
        "the total is the sum of your eight entries", means="consistent", hint="sum(layer_parameters)"
    )
    def _(student: Student) -> None:
        *each, total = counts(student)
        expect(sum(each) == total).is_true(f"your entries sum to {sum(each):g}, and your total is {total:g}")

    @item.visible_check(
        "every filter, channel or unit of a layer brings as many parameters as the next one",
        means="consistent",
        hint="a filter reads all channels before it and has one bias; a channel of BatchNorm has γ and β",
    )
    def _(student: Student) -> None:
        *each, _ = counts(student)
        before = [1.0, *(size[-1] for size in triples(student))]  # channels, or units
        for layer, (kind, count, inputs, outputs) in enumerate(
            zip(LAYERS, each, before, before[1:], strict=False), 1
        ):
            if kind in ("max_pool2d", "dropout"):
                expect(count == 0).is_true(
                    f"layer {layer} has something to learn: what would its weights do?"
                )
                continue
            say = f"layer {layer}: {count:g} parameters for {outputs:g} {'units' if kind == 'linear' else 'channels'}"
            alike = count > 0 and count % outputs == 0
            expect(alike).is_true(f"{say} are not as many for each")
            if kind == "batch_norm":
                expect(count == 2 * outputs).is_true(f"{say}: each has its own γ and β")
            else:  # the bias aside, it has as many weights for each channel that it reads
                weights = count / outputs - 1
                expect(weights > 0 and weights % inputs == 0).is_true(
                    f"{say}: without the bias of each, the rest is not the same for all {inputs:g} inputs of the layer"
                )

    @item.visible_check(
        "your tables agree with what PyTorch finds in your network",
        means="consistent",
        hint="where they differ, either the table or the network is wrong",
    )
    def _(student: Student) -> None:
        rows, each, net = triples(student), counts(student)[:-1], student.net_1_2
        expect(isinstance(net, Model)).is_true("net_1_2 should be a network, nn.Sequential(…)")
        ran = [layer for layer in layers_of(net) if layer.kind in LAYERS]
        expect([layer.kind for layer in ran], "the list of layers that ran").equals(LAYERS)
        state = net.state()
        for number, (layer, size, count) in enumerate(zip(ran, rows, each, strict=True), 1):
            channels, *sides = layer.output[1:]  # PyTorch says (C, H, W)
            found = [*sides, channels]
            agrees = (
                size == found if number < 7 else math.prod(size) == math.prod(found)
            )  # layer 7 may be flat
            expect(agrees).is_true(f"layer {number}: your table and your network have different sizes")
            learnt = [
                state[name].numel() for role, name in layer.parameters.items() if role in ("weight", "bias")
            ]
            expect(count == sum(learnt)).is_true(
                f"layer {number}: your table and your network have different numbers of parameters"
            )


def layers_of(net: Model) -> list[Layer]:
    """The layers of a network for pictures, with weights in float32 or float64."""
    x = torch.rand(2, 1, 28, 28)
    try:
        return net.layers(x)
    except StudentError as failure:
        with suppress(CheckFailed):
            return net.layers(x.double())
        raise failure from None


def comparison(item: Item) -> None:
    """Visible checks of fully_connected and times_as_many."""

    @item.visible_check(
        "both are positive numbers", means="right form", hint="times_as_many is a ratio of two totals"
    )
    def _(student: Student) -> None:
        for name in ("fully_connected", "times_as_many"):
            expect(one(student, name) > 0).is_true(f"{name} should be one positive number")

    @item.visible_check(
        "fully_connected: every hidden unit brings as many parameters as the next one",
        means="consistent",
        hint="a hidden unit has its weights, its bias, and the ten weights that read it; the outputs have biases, too",
    )
    def _(student: Student) -> None:
        count = one(student, "fully_connected")
        unit = 784 + 1 + 10
        expect(count > unit and (count - 10) % unit == 0).is_true(
            "without the outputs' biases, your number is no whole number of hidden units"
        )

    @item.visible_check(
        "times_as_many is the ratio of your two totals",
        means="consistent",
        hint="how many CNNs' worth of parameters has the fully connected network?",
    )
    def _(student: Student) -> None:
        dense, times, total = (
            one(student, n) for n in ("fully_connected", "times_as_many", "total_parameters")
        )
        expect(same(times * total, dense, 0.05)).is_true(
            "times_as_many times your CNN's total is not your fully connected network's number"
        )


# -- 1.3 -------------------------------------------------------------------------------------------------


def encoder(item: Item) -> None:
    """Visible checks of encoder_parameters and encoder_total."""

    def entries(student: Student) -> dict[str, float]:
        """The ten entries by the table's names, in any usual spelling; others don't matter."""
        given = student.encoder_parameters
        expect(isinstance(given, dict)).is_true("encoder_parameters should be a dict, numbers by name")
        plain = {re.sub(r"[\W_]", "", str(key)).lower(): value for key, value in given.items()}
        found = {}
        for name in ENCODER:
            key = name.replace("_", "").lower()
            known = [
                s for s in (key, key.replace("norm", "layernorm"), key.replace("norm", "ln")) if s in plain
            ]
            if not known:
                raise CheckFailed(f'there is no encoder_parameters["{name}"]')
            found[name] = plain[known[0]]
        values = {}
        for name, value in [*found.items(), ("encoder_total", student.encoder_total)]:
            count = numbers(value, name).flatten().tolist()
            expect(len(count) == 1 and count[0] > 0 and count[0] == round(count[0])).is_true(
                f"{name} should be one whole number above 0"
            )
            values[name] = count[0]
        return values

    @item.visible_check(
        "ten whole numbers and a total",
        means="right form",
        hint='encoder_parameters["W_Q"] and so on, with the names of the table',
    )
    def _(student: Student) -> None:
        entries(student)

    @item.visible_check(
        "encoder_total is the sum of your ten entries",
        means="consistent",
        hint="sum(encoder_parameters.values())",
    )
    def _(student: Student) -> None:
        found = entries(student)
        total = found.pop("encoder_total")
        expect(sum(found.values()) == total).is_true(
            f"your entries sum to {sum(found.values()):g}, and encoder_total is {total:g}"
        )

    @item.visible_check(
        "what has the same shape has the same number",
        means="consistent",
        hint="look at the shapes in the table; a matrix and its transpose have the same number of entries",
    )
    def _(student: Student) -> None:
        found = entries(student)
        for a, b in [*pairwise(PROJECTIONS), ("W_1", "W_2"), ("norm_1", "norm_2")]:
            expect(found[a] == found[b]).is_true(
                f"{a} and {b} have different numbers of parameters in your table"
            )

    @item.visible_check(
        "matrices, biases and LayerNorms belong to the same two widths",
        means="consistent",
        hint="a bias has an entry for each output of its matrix; what leaves the sublayer is as wide as what enters it",
    )
    def _(student: Student) -> None:
        found = entries(student)
        width, inner = found["b_2"], found["b_1"]
        expect(inner > width).is_true(
            "your b_1 is not longer than your b_2: which of the two layers is the wide one?"
        )
        expect(found["W_1"] == width * inner).is_true(
            "your W_1 does not have a row and a column for your biases"
        )
        expect(found["W_Q"] == width * width).is_true(
            "your W_Q is no square matrix as wide as your b_2 is long"
        )
        expect(found["norm_1"] == 2 * width).is_true(
            "your LayerNorms do not have a γ and a β for each entry of your b_2"
        )


def call(student: Student, name: str, *arguments: Any) -> Any:
    """What one of the three functions gives; a module such as nn.Softmax is a function, too."""
    function = getattr(student, name)
    function = getattr(function, "forward", function)
    expect(callable(function)).is_true(f"`{name}` should be a function")
    return function(*arguments)


def functions(item: Item) -> None:
    """Visible checks of scores, attention_weights and entropy, on 5 queries and 7 keys with 11 entries each."""
    Q = 1.5 * torch.linspace(1, 40, 55, dtype=torch.float64).sin().reshape(5, 11)
    K = 1.5 * torch.linspace(2, 90, 77, dtype=torch.float64).cos().reshape(7, 11)
    S = (3 * torch.linspace(1, 60, 35, dtype=torch.float64)).sin().reshape(5, 7)

    def scores(student: Student, q: Tensor, k: Tensor, scaled: bool) -> Tensor:
        return numbers(call(student, "scores", q, k, scaled), "the result of scores")

    def weights(student: Student, s: Tensor) -> Tensor:
        return numbers(call(student, "attention_weights", s), "the result of attention_weights")

    def entropy(student: Student, *rows: tuple[float, ...]) -> Tensor:
        p = torch.tensor(rows, dtype=torch.float64)
        return numbers(call(student, "entropy", p), "the result of entropy")

    @item.visible_check(
        "scores: one row for each query, one column for each key",
        means="right form",
        hint="every query meets every key: (queries, d_k) times the transpose of (keys, d_k)",
    )
    def _(student: Student) -> None:
        for scaled in (False, True):
            expect(scores(student, Q, K, scaled), "the result of scores").has_shape(5, 7)

    @item.visible_check(
        "scores: an entry is the dot product of its query with its key",
        means="right",
        hint="multiply entry by entry and add up; nothing else if scaled is False",
    )
    def _(student: Student) -> None:
        units = torch.eye(3, 4, dtype=torch.float64)  # a query that reads one entry of each key
        keys = torch.tensor([[1.0, -2, 0.5, 9], [4, 0, -1, 9]], dtype=torch.float64)
        got = scores(student, units, keys, False)
        expect(got, "the result of scores").has_shape(3, 2)
        expect(got, "the score of a query (1, 0, 0, 0), …").close_to(keys.T[:3])
        expect(scores(student, 2 * units, keys, False), "the score of a query twice as long").close_to(
            2 * keys.T[:3]
        )

    @item.visible_check(
        "scores: scaling undoes what a larger d_k does to the variance",
        means="right",
        hint="divide by √d_k, where d_k is the number of entries of one query",
    )
    def _(student: Student) -> None:
        plain, scaled = (scores(student, Q, K, how) for how in (False, True))
        expect(scaled, "the result of scores").has_shape(5, 7)
        expect(plain, "the result of scores").has_shape(5, 7)
        ratio = float(scaled.abs().sum() / plain.abs().sum().clamp(min=1e-9))
        expect(scaled, "a scaled score").close_to(ratio * plain, rtol=1e-3)
        expect(abs(ratio * math.sqrt(11) - 1) < 1e-3).is_true(
            f"with 5 queries, 7 keys and d_k = 11, scaling multiplies the scores by {ratio:.3g}"
        )

    @item.visible_check(
        "attention_weights: each query's weights are positive and sum to 1",
        means="consistent",
        hint="softmax over the keys, which are the columns",
    )
    def _(student: Student) -> None:
        p = weights(student, S)
        expect(p, "the result of attention_weights").has_shape(5, 7)
        expect(p.sum(1), "the sum of a query's weights").close_to(torch.ones(5))
        expect(bool((p > 0).all())).is_true("some weights are not above 0")

    @item.visible_check(
        "attention_weights: a score higher by ln 3 gets three times the weight",
        means="right",
        hint="e to the power of each score, divided by the row's sum",
    )
    def _(student: Student) -> None:
        row = [0.0, math.log(3), 0.0, math.log(4)]
        p = weights(student, torch.tensor([row, row[::-1]], dtype=torch.float64))
        expect(p, "the result of attention_weights").has_shape(2, 4)
        right = torch.tensor([1.0, 3, 1, 4]) / 9
        expect(p, "a weight").close_to(torch.stack([right, right.flip(0)]))

    @item.visible_check(
        "entropy: ln n for n equal weights, and between 0 and that for others; one number for each row",
        means="consistent",
        hint="minus the sum of p ln p over each row, with the natural logarithm",
    )
    def _(student: Student) -> None:
        equal = numbers(call(student, "entropy", torch.full((3, 8), 1 / 8, dtype=torch.float64)), "entropy")
        expect(equal, "the entropy of eight equal weights, three times,").close_to(
            torch.full((3,), math.log(8))
        )
        other = entropy(student, (0.5, 0.25, 0.125, 0.125), (0.1, 0.2, 0.3, 0.4))
        expect(other, "the result of entropy for two rows").has_shape(2)
        expect(bool(((other > 0) & (other < math.log(4))).all())).is_true(
            "the entropy of four unequal weights should be above 0 and below ln 4"
        )

    @item.visible_check(
        "entropy: independent choices add up, in any order",
        means="consistent",
        hint="ln(p q) = ln p + ln q: the entropy of two choices together is the sum of both",
    )
    def _(student: Student) -> None:
        p, q = (
            torch.tensor([0.7, 0.3], dtype=torch.float64),
            torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64),
        )
        alone = entropy(student, tuple(p.tolist())).sum() + entropy(student, tuple(q.tolist())).sum()
        joint = torch.outer(p, q).flatten()
        both = numbers(call(student, "entropy", torch.stack([joint, joint.flip(0)])), "entropy")
        expect(both, "the entropy of two choices together").close_to(alone.expand(2))

    @item.visible_check(
        "entropy: a key that gets everything leaves 0, and a weight of 0 adds nothing",
        means="right",
        hint="0 · log 0 is NaN for a computer: leave zeros out, or use torch.special.entr",
    )
    def _(student: Student) -> None:
        rows = [[1.0, 0, 0], [0, 0.5, 0.5], [0.5, 0.25, 0.25]]
        value = call(student, "entropy", torch.tensor(rows, dtype=torch.float64))
        if isinstance(value, Tensor) and bool(value.isnan().any()):
            raise CheckFailed("entropy is not a number where a weight is 0")
        expect(value, "the entropy of (1, 0, 0), of (0, ½, ½) and of (½, ¼, ¼)").close_to(
            [0, math.log(2), 1.5 * math.log(2)], atol=1e-4
        )
