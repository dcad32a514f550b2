"""Visible checks of problem 6.2: properties of the networks and of training, agreement between parts b, c and d, and a
few worked examples.

The network of three layers comes as a function, as a module and as a sequence. `Net` is the common form of all three:
the same probes look at each of them. Pictures are (N, C, H, W), scores (N, classes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.datasets.cifar_10 import CIFAR10, normalised
from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.calls import about
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import Model, Student, TimeLimit, printable, returned
from checks import p6_2_open
from checks.differences import central_differences, expect_differences, expect_parts
from checks.slopes import wave

Net = Callable[[Tensor, Sequence[Tensor]], Tensor]  # of pictures and six parameters; raises CheckFailed

# -- a, flatten and initial values -----------------------------------------------------------------------


def warm_up(item: Item) -> None:
    """Visible checks of flatten, random_weight and zero_bias."""

    @item.check("flatten: one row for each picture", points=0.25, hint="keep the first dimension")
    def _(student: Student) -> None:
        x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5) + 1
        flat = student.flatten(x)
        expect(flat, "flatten").has_shape(2, 60)
        same = bool((flat.flatten().sort().values == x.flatten()).all())
        expect(same).is_true("flatten loses numbers of the pictures")
        (gradient,) = student.flatten.gradients(x, upstream=torch.ones(2, 60)).inputs
        expect(gradient is not None).is_true(
            "no gradient comes back through flatten: layers before it can't learn"
        )

    @item.check("zero_bias: zeros", points=0.25, hint="torch.zeros")
    def _(student: Student) -> None:
        expect(student.zero_bias(7), "zero_bias(7)").close_to(torch.zeros(7), atol=0)
        expect_float32(student.zero_bias(7), "zero_bias(7)")

    @item.visible_check(
        "random_weight gives a float32 tensor of the shape it is asked for",
        means="right form",
        hint="torch.randn",
    )
    def _(student: Student) -> None:
        for shape in ((6, 3, 5, 5), (4, 9)):
            w = student.random_weight(shape)
            expect(w, f"random_weight({shape})").has_shape(*shape)
            expect_float32(w, f"random_weight({shape})")

    @item.visible_check(
        "flatten: a picture's row is the same without the other pictures",
        means="consistent",
        hint="the first dimension counts pictures; keep it, and don't transpose",
    )
    def _(student: Student) -> None:
        x = wave(4, 3, 5, 7, start=0.2)
        together = numbers(student.flatten(x), "flatten")
        expect(together, "flatten").has_shape(4, 105)
        for n in range(4):
            alone = numbers(student.flatten(x[n : n + 1]), "flatten")
            expect(together[n : n + 1], f"the row of picture {n} of four").close_to(alone)

    @item.visible_check(
        "flatten: channel by channel, row by row, numbers keep their order",
        means="right",
        hint="x[n, c, i, j] and x[n, c, i, j + 1] are neighbours; no permute, no transpose",
    )
    def _(student: Student) -> None:
        values = (7 * torch.arange(2 * 3 * 4 * 5.0)) % 121
        flat = numbers(student.flatten(values.reshape(2, 3, 4, 5)), "flatten")
        expect(flat, "flatten").has_shape(2, 60)
        expect(bool((flat[0] == values[:60]).all() and (flat[1] == values[60:]).all())).is_true(
            "for a picture that holds 0, 7, 14, 21, … (from channel to channel, row to row) its row begins with "
            + ", ".join(f"{value:g}" for value in flat[0, :5].tolist())
        )

    @item.visible_check(
        "random_weight: normal numbers around 0, others for each unit and in each call",
        means="consistent",
        hint="torch.randn(shape), without a seed",
    )
    def _(student: Student) -> None:
        for shape in ((60, 20, 3, 5), (90, 700)):
            w = drawn(student, shape)
            sd, n = float(w.std()), w.numel()
            expect(sd > 0).is_true("all its numbers are the same: units that start alike stay alike")
            mean = float(w.mean())
            expect(abs(mean) < 6 * sd / n**0.5).is_true(f"its mean is {mean:.3g}, with a spread of {sd:.3g}")
            rows = w.reshape(len(w), -1)
            expect(float((rows - rows[:1]).abs().max()) > 0).is_true("all units start alike")
            tails = float(((w - mean) / sd).pow(4).mean())
            expect(abs(tails - 3) < 0.4).is_true(
                "it has no normal distribution: the mean of its fourth powers, in standard deviations, is "
                f"{tails:.2g}, not 3"
            )
            expect(bool((drawn(student, shape) != w).any())).is_true(
                "a second call gives the same numbers again"
            )

    @item.visible_check(
        "random_weight: where a unit sees four times as much, the spread is half",
        means="consistent",
        hint="fan-in: how many numbers one unit sees, the product of all sizes but the first",
    )
    def _(student: Student) -> None:
        for shape, other, share, what in (
            ((60, 20, 3, 5), (120, 20, 3, 5), 1.0, "twice as many filters"),
            ((60, 20, 3, 5), (60, 80, 3, 5), 0.5, "four times as many channels"),
            ((60, 20, 3, 5), (60, 20, 6, 10), 0.5, "kernels twice as high and as wide"),
            ((90, 700), (180, 700), 1.0, "twice as many outputs"),
            ((90, 700), (90, 2800), 0.5, "four times as many inputs"),
        ):
            one, two = (float(drawn(student, some).std()) for some in (shape, other))
            expect(abs(two - share * one) < 0.06 * one).is_true(
                f"with {what} the standard deviation is {two / max(one, 1e-12):.2g} times what it was, not {share:g}"
            )

    @item.visible_check(
        "random_weight: the variance where a unit sees 300 and 700 numbers",
        means="right",
        hint="2 / fan-in is a variance; its root is the standard deviation",
    )
    def _(student: Student) -> None:
        for shape, variance in (((60, 20, 3, 5), 2 / 300), ((90, 700), 2 / 700)):
            own = float(drawn(student, shape).var())
            expect(abs(own / variance - 1) < 0.1).is_true(
                f"random_weight({shape}) has variance {own:.3g}, not {variance:.3g}"
            )


def expect_float32(value: Any, name: str) -> None:
    """It is a tensor that layers can take together with pictures."""
    expect(isinstance(value, Tensor)).is_true(f"{name} is {returned(value)}, not a tensor")
    expect(value.dtype == torch.float32).is_true(
        f"{name} holds {printable(str(value.dtype))}: pictures are float32, and layers take nothing else beside them"
    )


def drawn(student: Student, shape: tuple[int, ...]) -> Tensor:
    """The student's random weights of this shape."""
    w = numbers(student.random_weight(shape), f"random_weight({shape})")
    expect(w, f"random_weight({shape})").has_shape(*shape)
    return w


# -- the network of three layers, in any of its forms ----------------------------------------------------


class Sizes(NamedTuple):
    """Sizes of a three-layer network: input channels, filters of both convolutions, classes, picture."""

    channels: int
    first: int
    second: int
    classes: int
    height: int
    width: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the six parameters, as the docstring of `three_layer_convnet` has them."""
        features = self.second * self.height * self.width
        one, two = (self.first, self.channels, 5, 5), (self.second, self.first, 3, 3)
        return [one, (self.first,), two, (self.second,), (self.classes, features), (self.classes,)]

    def params(self) -> list[Tensor]:
        """Parameters that keep values at their size."""
        return [
            (0.5 if len(shape) == 1 else 2 / math.prod(shape[1:]) ** 0.5) * wave(*shape, start=0.3 + i)
            for i, shape in enumerate(self.shapes)
        ]

    def empty(self) -> list[Tensor]:
        return [torch.zeros(shape).double() for shape in self.shapes]

    def pictures(self, n: int) -> Tensor:
        return wave(n, self.channels, self.height, self.width, start=0.8) * 1.5


BAREBONES = Sizes(channels=3, first=6, second=5, classes=7, height=6, width=9)
MODULE = Sizes(channels=4, first=6, second=5, classes=7, height=32, width=32)


def function_net(student: Student) -> Net:
    """The student's `three_layer_convnet`."""

    def run(x: Tensor, params: Sequence[Tensor]) -> Tensor:
        single = [value.float() for value in params]
        return numbers(student.three_layer_convnet(x.float(), single), "the scores")

    return run


def module_net(value: Any, sizes: Sizes) -> Net:
    """A network of the student's, whose parameters are found by how many numbers they have: all six differ."""
    model = network(value)
    model.forward(sizes.pictures(2).float())  # gives lazy layers their parameters
    state = model.state()
    names = expect_parameters(state, sizes)

    def run(x: Tensor, params: Sequence[Tensor]) -> Tensor:
        given = {}
        for name, values in zip(names, params, strict=True):
            shape = state[name].shape
            turned = values.ndim == 2 and shape == values.T.shape
            given[name] = (values.T if turned else values).reshape(shape).float()
        model.load(given)
        return numbers(model.forward(x.float()), "the scores")

    return run


def network(value: Any) -> Model:
    """What the student's code made is a network."""
    if not isinstance(value, Model):
        raise CheckFailed(f"expected a network, found {returned(value)}")
    return value


ROLES = (
    "the weights of the first convolution",
    "its biases",
    "the weights of the second convolution",
    "its biases",
    "the weights of the last layer",
    "its biases",
)


def expect_parameters(state: Mapping[str, Tensor], sizes: Sizes) -> list[str]:
    """A network's parameters have the sizes that its arguments say; their names, in the order of `Sizes.shapes`."""
    expect(bool(state)).is_true("the network knows no parameters: assign its layers to self in __init__")
    by_size = {value.numel(): name for name, value in state.items()}
    arguments = f"in_channel={sizes.channels}, channel_1={sizes.first}, channel_2={sizes.second}"
    names = []
    for role, shape in zip(ROLES, sizes.shapes, strict=True):
        n = math.prod(shape)
        expect(n in by_size).is_true(f"with {arguments} no parameter has {n:,} numbers, as {role} have")
        names.append(by_size[n])
    expect(len(state) == 6).is_true(
        f"it has {len(state)} parameters: weights and biases of three layers are six, each under one name"
    )
    return names


def network_checks(
    item: Item, make: Callable[[Student], Net], sizes: Sizes, example: Sequence[Sequence[float]]
) -> None:
    """Probes of a network of three layers: parameters are chosen so that each shows one thing.

    Args:
        example: the scores of the worked example, (2, 3).
    """

    @item.visible_check(
        "without weights in the last layer, the scores are its biases",
        means="consistent",
        hint="weights times features plus bias; nothing comes after it",
    )
    def _(student: Student) -> None:
        params = sizes.params()
        params[4], params[5] = 0 * params[4], torch.linspace(-2, 1.7, sizes.classes).double()
        scores = make(student)(sizes.pictures(3), params)
        expect(scores, "the scores").close_to(params[5].expand(3, -1), rtol=1e-3)

    @item.visible_check(
        "kernels with a 1 in the middle let pictures through",
        means="consistent",
        hint="padding 2 and 1; and flatten picture by picture, in the order channel, row, column",
    )
    def _(student: Student) -> None:
        x = sizes.pictures(3) + 2
        scores = make(student)(x, passing(sizes, (2, 2), (1, 1)))
        expect_pixels(scores, x, sizes, 0, 0)

    @item.visible_check(
        "kernels with a 1 beside the middle shift pictures to the right place",
        means="consistent",
        hint="kernels slide as they are: what is at the upper left of a kernel looks to the upper left",
    )
    def _(student: Student) -> None:
        x = sizes.pictures(3) + 2
        scores = make(student)(x, passing(sizes, (0, 1), (2, 0)))
        expect_pixels(scores, x, sizes, -1, -2)

    @item.visible_check(
        "after each convolution negative numbers become 0",
        means="consistent",
        hint="ReLU follows both convolutions",
    )
    def _(student: Student) -> None:
        x = sizes.pictures(2) + 2
        for which, signs in (("first", (-1, -1)), ("second", (1, -1))):
            params = passing(sizes, (2, 2), (1, 1))
            params[0], params[2] = signs[0] * params[0], signs[1] * params[2]
            largest = float(make(student)(x, params).abs().max())
            expect(largest < 1e-4).is_true(
                f"numbers that are negative after the {which} convolution should not reach the scores; "
                f"here a score is {largest:.3g} in place of 0"
            )

    @item.visible_check(
        "biases of the convolutions arrive in the scores", means="consistent", hint="one bias for each filter"
    )
    def _(student: Student) -> None:
        params = passing(sizes, (2, 2), (1, 1))
        params[0], params[1] = 0 * params[0], torch.linspace(0.5, 2, sizes.first).double()
        params[3] = torch.linspace(3, 1, sizes.second).double()
        want = [params[1][place[0] % sizes.first] + params[3][place[0]] for place in places(sizes)]
        scores = make(student)(sizes.pictures(2), params)
        expect(scores, "the scores").close_to(torch.stack(want).expand(2, -1), rtol=1e-3)

    @item.visible_check(
        "a worked example: two pictures, three scores of each",
        means="right",
        hint="if all checks above pass: which step of the text is written otherwise?",
    )
    def _(student: Student) -> None:
        scores = make(student)(sizes.pictures(2), sizes.params())
        expect(scores, "the scores").has_shape(2, sizes.classes)
        expect(scores[:, :3], "the scores").close_to(example, rtol=2e-3)


def passing(sizes: Sizes, first: tuple[int, int], second: tuple[int, int]) -> list[Tensor]:
    """Parameters that hand numbers through: each kernel has one 1, at these places; each class takes one feature."""
    params = sizes.empty()
    for i in range(sizes.first):
        params[0][i, i % sizes.channels, first[0], first[1]] = 1
    for i in range(sizes.second):
        params[2][i, i % sizes.first, second[0], second[1]] = 1
    for k, (channel, row, column) in enumerate(places(sizes)):
        params[4][k, (channel * sizes.height + row) * sizes.width + column] = 1
    return params


def places(sizes: Sizes) -> list[tuple[int, int, int]]:
    """For each class a feature: its channel, row and column, not at the edge."""
    return [
        (k % sizes.second, 2 + k % (sizes.height - 4), 2 + (3 * k + 1) % (sizes.width - 4))
        for k in range(sizes.classes)
    ]


def expect_pixels(scores: Tensor, x: Tensor, sizes: Sizes, down: int, right: int) -> None:
    """Each score is one number of the picture, so many places from its feature."""
    want = [
        x[:, (channel % sizes.first) % sizes.channels, row + down, column + right]
        for channel, row, column in places(sizes)
    ]
    expect(scores, "the scores").close_to(torch.stack(want, 1), rtol=1e-3)


def expect_reached(gradients: Mapping[str, Tensor | None]) -> None:
    """Gradients reach every parameter."""
    for name, gradient in gradients.items():
        reached = gradient is not None and bool(gradient.any())
        expect(reached).is_true(f"no gradient of the scores reaches {printable(name, 60)}")


def upon_rows(judge: Callable[[Student], None]) -> Callable[[Student], None]:
    """A check of what uses `flatten`. Where that is wrong, which has lost its points, it is graded with a right one."""

    @wraps(judge)
    def either(student: Student) -> None:
        try:
            judge(student)
        except TimeLimit:
            raise
        except CheckFailed as failure:
            try:  # a notebook that is not graded has no right one
                with student.with_stubs(flatten="rows"):
                    judge(student)
            except CheckFailed:
                raise failure from None

    return either


REACH_HINT = "no torch.no_grad, detach or .data on the way; layers are made in __init__, not in forward"

# -- b, the network as a function ------------------------------------------------------------------------


def convnet(item: Item) -> None:
    """Visible checks of three_layer_convnet."""

    @item.check("one score for each picture and class", points=0.25, hint="(N, classes)")
    @upon_rows
    def _(student: Student) -> None:
        shapes = (6, 3, 5, 5), (6,), (4, 6, 3, 3), (4,), (7, 4 * 9 * 8), (7,)
        x, params = torch.rand(2, 3, 9, 8), [torch.rand(shape) for shape in shapes]
        params[4] *= 1e-4
        expect(student.three_layer_convnet(x, params), "the scores").has_shape(2, 7)
        scores = student.three_layer_convnet.without_dropout  # another check judges whether there is any
        first, again = scores(x, params), scores(x, params)
        twice = scores(x, [*params[:4], 2 * params[4], params[5]])
        expect(again, "the scores, a second time,").close_to(first)
        moved = (twice - first).abs().amax(1)
        expect(bool((moved > 1e-3).all())).is_true("the scores don't depend on the last layer's weights")

    network_checks(
        item, function_net, BAREBONES, [[-0.610746, 0.886314, 1.582452], [0.895504, 2.130076, 2.431535]]
    )

    @item.visible_check(
        "gradients reach every parameter",
        means="consistent",
        hint="no torch.no_grad, detach or .data on the way",
    )
    def _(student: Student) -> None:
        x, params = BAREBONES.pictures(2).float(), [value.float() for value in BAREBONES.params()]
        upstream = wave(2, BAREBONES.classes, start=1.0).float()
        _, *gradients = student.three_layer_convnet.gradients(x, params, upstream=upstream).inputs
        names = ("conv_w1", "conv_b1", "conv_w2", "conv_b2", "fc_w", "fc_b")
        expect_reached(dict(zip(names, gradients, strict=True)))


CIFAR = Sizes(channels=3, first=32, second=16, classes=10, height=32, width=32)


def init(item: Item) -> None:
    """Visible checks of init_params, beside the student's own random_weight."""

    @item.visible_check(
        "six tensors with the shapes of the docstring above",
        means="right form",
        hint="weights are (out, in, …): 32 filters of 5 × 5 for 3 channels, then 16 of 3 × 3, then ten classes",
    )
    def _(student: Student) -> None:
        started(student)

    @item.visible_check(
        "the first loss is near log 10 = 2.303", means="consistent", hint="see the text above"
    )
    def _(student: Student) -> None:
        draw = torch.Generator().manual_seed(3)
        x, y = torch.randn(100, 3, 32, 32, generator=draw), torch.arange(100) % 10
        scores = student.three_layer_convnet(x, six_parameters(student))
        expect(scores, "the scores").has_shape(100, 10)
        loss = float(F.cross_entropy(scores.double(), y))
        expect(2.2 < loss < 2.5).is_true(f"the first loss is {loss:.3f}")

    @item.visible_check("every bias starts at zero", means="right", hint="zero_bias(size)")
    def _(student: Student) -> None:
        for layer, bias in enumerate(started(student)[1::2], 1):
            expect(float(bias.abs().max()), f"the largest bias of layer {layer}").equals(0.0)

    @item.visible_check(
        "weights of the convolutions spread as those of your random_weight, the last layer's a tenth of that",
        means="consistent",
        hint="random_weight(shape) as it is, but a tenth of it for the last layer",
    )
    def _(student: Student) -> None:
        for layer, share in enumerate((1.0, 1.0, 0.1)):
            w = started(student)[2 * layer]
            rows = w.reshape(len(w), -1)
            expect(float((rows - rows[:1]).abs().max()) > 0).is_true(
                f"in layer {layer + 1} all units start alike"
            )
            own, fan_in = float(w.std()), rows.shape[1]
            known = [(2 / fan_in) ** 0.5, float(drawn(student, tuple(w.shape)).std())]
            times = [own / size for size in known if size > 0]
            expect(any(abs(t / share - 1) < 0.12 for t in times)).is_true(
                f"the weights of layer {layer + 1} spread {times[-1]:.3g} times as much as your random_weight's, "
                f"not {share:g} times"
            )


def six_parameters(student: Student) -> list[Any]:
    """What `init_params` gives, a list of six or an nn.ParameterList."""
    params = student.init_params()
    if isinstance(params, Model) and params.is_a("ParameterList"):
        params = [value.float() for value in params.state().values()]
    expect(isinstance(params, list | tuple) and len(params) == 6).is_true(
        "init_params should return a list of six tensors: weight and bias of each layer"
    )
    return list(params)


def started(student: Student) -> list[Tensor]:
    """The student's initial parameters."""
    params = six_parameters(student)
    names = ("conv_w1", "conv_b1", "conv_w2", "conv_b2", "fc_w", "fc_b")
    for name, value, shape in zip(names, params, CIFAR.shapes, strict=True):
        expect(value, name).has_shape(*shape)
    return [numbers(value, name) for name, value in zip(names, params, strict=True)]


# -- training: softmax regression, by hand or by an optimizer --------------------------------------------


class Regression(NamedTuple):
    """Softmax regression: weights and biases in one tensor (4, 7), biases last; inputs (N, 6) and classes (N,)."""

    start: Tensor
    x: Tensor
    y: Tensor

    def loss(self, weights: Tensor) -> float:
        """The mean cross-entropy at these weights (4, 7)."""
        return float(F.cross_entropy(self.x @ weights[:, :-1].T + weights[:, -1], self.y))

    def slopes(self) -> Tensor:
        """How the loss changes with each of the weights at the start, by central differences: (4, 7)."""
        return central_differences(self.loss, self.start)

    def rows(self, first: int, last: int) -> Regression:
        return self._replace(x=self.x[first:last], y=self.y[first:last])


def regression() -> Regression:
    """Fifteen inputs, to be trained on in batches of four, the last one of three."""
    y = torch.tensor([0, 2, 2, 1, 3, 0, 1, 1, 2, 3, 3, 0, 2, 1, 0])
    start, x = wave(4, 7, start=0.6), 1.5 * wave(15, 6, start=0.1)
    return Regression(start.float().double(), x.float().double(), y)


BATCHES = (0, 4), (4, 8), (8, 12), (12, 15)


def expect_plain_step(c: Regression, after: Tensor, lr: float) -> None:
    """One step on one batch goes from the start against the slopes, times lr."""
    expect(differ(after, c.start, 1e-6, 1e-7) > 0).is_true("the parameters have not changed")
    moved, want = (c.start - after) / lr, c.slopes()
    for name, part in (("the weights", slice(6)), ("the biases", slice(6, None))):
        with about(f"with learning rate {lr:g}"):
            what = f"the step of {name}, by minus the learning rate,"
            expect_differences(moved[:, part].reshape(-1), want[:, part].reshape(-1), what)


def step(item: Item) -> None:
    """Visible checks of train_step, on softmax regression."""

    @item.check(
        "three steps lower the loss", points=0.25, hint="backward() computes gradients, then p -= lr * p.grad"
    )
    def _(student: Student) -> None:
        x, y = torch.eye(4, 6), torch.tensor([0, 1, 2, 0])
        params = [torch.zeros(4, 6), torch.zeros(4)]
        (weight, bias), _ = student.rehearse_steps(params, [(x, y)] * 3, 0.5)
        loss = float(F.cross_entropy(x.double() @ numbers(weight, "the weight").T + bias, y))
        expect(loss < 1.386).is_true(
            f"the loss was log 4 = 1.386 before the steps and is {loss:.3f} after them"
        )

    @item.visible_check(
        "one step goes against central differences of the mean cross-entropy, times lr",
        means="consistent",
        hint="F.cross_entropy of the raw scores, then p -= lr * p.grad for every p",
    )
    def _(student: Student) -> None:
        for batch, lr in ((BATCHES[0], 0.1), (BATCHES[3], 0.3)):
            c = regression().rows(*batch)
            after, _ = stepped(student, c.start, [c], lr)
            expect_plain_step(c, after, lr)
        pairs = [c.start[:, :-1] / 2, c.start[:, -1] / 2] * 2
        after, _ = student.rehearse_steps([p.float() for p in pairs], [(c.x.float(), c.y)], lr)
        for n, (p, start) in enumerate(zip(after, pairs, strict=True), 1):
            expect(differ(numbers(p, "a parameter"), start, 1e-6, 1e-7) > 0).is_true(
                f"of four parameters number {n} stays where it was"
            )

    @item.visible_check(
        "four steps in a row are four single steps: no gradient is left over",
        means="consistent",
        hint="p.grad = None, or p.grad.zero_(), in every step",
    )
    def _(student: Student) -> None:
        batches = [regression().rows(*batch) for batch in BATCHES]
        together, _ = stepped(student, batches[0].start, batches, 0.2)
        single = batches[0].start
        for batch in batches:
            single, _ = stepped(student, single, [batch], 0.2)
        expect(differ(single, batches[0].start, 1e-6, 1e-7) > 0).is_true("the parameters have not changed")
        expect(differ(together, single, 1e-4, 1e-5) == 0).is_true(
            "the steps in a row end elsewhere: the second one begins with what the first left behind"
        )

    @item.visible_check(
        "the loss that comes back is the batch's, before the step",
        means="right",
        hint="return the loss as a number, loss.item()",
    )
    def _(student: Student) -> None:
        batches = [regression().rows(*batch) for batch in BATCHES[:2]]
        first, _ = stepped(student, batches[0].start, batches[:1], 0.2)
        _, losses = stepped(student, batches[0].start, batches, 0.2)
        for n, (batch, weights) in enumerate(zip(batches, (batches[0].start, first), strict=True), 1):
            expect(losses[n - 1] is not None).is_true(f"the loss that comes back is {returned(None)}")
            own = numbers(losses[n - 1], "the loss")
            expect(own.numel() == 1).is_true(f"the loss has shape {tuple(own.shape)}: return one number")
            expect(own.reshape(()), f"the loss of step {n}").close_to(batch.loss(weights), rtol=1e-3)


def stepped(
    student: Student, start: Tensor, batches: Sequence[Regression], lr: float
) -> tuple[Tensor, list[Any]]:
    """Weights (4, 7) after one `train_step` for each batch, and the losses it returned."""
    params = [start[:, :-1].float(), start[:, -1].float()]
    after, losses = student.rehearse_steps(params, [(c.x.float(), c.y) for c in batches], lr)
    weight, bias = (numbers(value, "a parameter") for value in after)
    return torch.cat([weight, bias[:, None]], 1), list(losses)


def reached(item: Item, name: str, thresholds: Mapping[str, float]) -> None:
    """A visible check of a trained network's accuracy on the validation pictures.

    Args:
        thresholds: by `CIFAR10.kind`.
    """

    @item.visible_check(
        "accuracy on the validation pictures",
        means="right",
        hint="make the checks above pass, then train again",
    )
    def _(student: Student) -> None:
        model = getattr(student, name)
        expect(model is not None).is_true(f"there is no trained `{name}` yet: run the cell that trains it")
        val = CIFAR10("./data", "val")
        guesses = network(model).predict(normalised(val.images))
        expect((guesses == val.labels).double().mean(), "its validation accuracy").at_least(
            thresholds[val.kind]
        )


# -- c, modules and optimizers ---------------------------------------------------------------------------


def module(item: Item) -> None:
    """Visible checks of ThreeLayerConvNet."""

    @item.check("one score for each picture and class", points=0.25, hint="(N, num_classes)")
    @upon_rows
    def _(student: Student) -> None:
        model, x = student.ThreeLayerConvNet(3, 8, 6, 10), torch.rand(2, 3, 32, 32)
        expect(model.forward(x), "the scores").has_shape(2, 10)
        model.expect_weights(x)

    module_checks(item, lambda student: student.ThreeLayerConvNet(*MODULE[:4]))

    @item.visible_check(
        "with the same weights it gives the scores of your three_layer_convnet",
        means="consistent",
        hint="it is the same network; if they differ, at least one of the two has a slip: look at their other checks",
    )
    def _(student: Student) -> None:
        expect_same(
            module_net(student.ThreeLayerConvNet(*MODULE[:4]), MODULE),
            function_net(student),
            "your three_layer_convnet",
        )


def expect_same(one: Net, other: Net, name: str) -> None:
    """Two forms of the network give the same scores."""
    x, params = MODULE.pictures(2), MODULE.params()
    own = one(x, params)
    with about(name):
        known = other(x, params)
    expect(own, f"beside {name} a score").close_to(known, rtol=1e-3)


def module_checks(item: Item, make: Callable[[Student], Any]) -> None:
    """Visible checks of a network of three layers that is a module, made with the sizes of MODULE."""

    @item.visible_check(
        "it has weights and biases of three layers, of the sizes that its arguments say",
        means="right form",
        hint="nn.Conv2d(in, out, kernel_size, padding=…) and nn.Linear(in, out), with the padding of the text",
    )
    def _(student: Student) -> None:
        model = network(make(student))
        model.forward(MODULE.pictures(2).float())  # gives lazy layers their parameters
        expect_parameters(model.state(), MODULE)

    @item.visible_check("gradients reach every parameter", means="consistent", hint=REACH_HINT)
    def _(student: Student) -> None:
        model, x = network(make(student)), MODULE.pictures(2).float()
        scores = numbers(model.forward(x), "the scores")
        state = model.state()  # a last layer that starts at zero would let no gradient through
        spread = {name: 2 / math.prod(values.shape[1:]) ** 0.5 for name, values in state.items()}
        model.load(
            {
                name: (spread[name] * wave(*values.shape, start=0.3 + i)).float()
                for i, (name, values) in enumerate(state.items())
                if values.is_floating_point()
            }
        )
        upstream = wave(*scores.shape, start=1.0).float()
        expect_reached(model.gradients(x, upstream=upstream).parameters)

    @item.visible_check(
        "asked twice, it gives the same scores",
        means="consistent",
        hint="layers are made once, in __init__, and nothing in forward is drawn by chance",
    )
    def _(student: Student) -> None:
        model, x = network(make(student)), MODULE.pictures(2).float()
        once = numbers(model.forward(x), "the scores")
        expect(model.forward(x), "a score").close_to(once, rtol=1e-3)
        kept = numbers(model.forward(x, training=True, dropout=False), "the scores")
        with about("in training mode"):
            expect(model.forward(x, training=True), "a score").close_to(kept, rtol=1e-3)

    network_checks(
        item,
        lambda student: module_net(make(student), MODULE),
        MODULE,
        [[1.308175, -6.237422, 1.441566], [6.133750, -0.242686, -5.971831]],
    )


SCORES = {"0.weight": 9 * torch.eye(5), "0.bias": torch.zeros(5)}  # picture e_i is predicted as class i


def measure(item: Item, modes: bool = True) -> None:
    """Visible checks of accuracy, on networks whose answers are known.

    Args:
        modes: whether networks have a mode that stays. Keras's have none.
    """

    @item.check("right for two batches of the same size", points=0.25, hint="hits divided by pictures")
    def _(student: Student) -> None:
        x, y = torch.eye(5)[[0, 1, 2, 3, 4, 0]], torch.tensor([0, 1, 2, 3, 0, 2])
        model = student.make_network(("Linear", 5, 5), state=SCORES)
        mistakes = {
            "the share is given in per cent": 400 / 6,
            "this is the share of wrong answers": 2 / 6,
            "hits are counted, not their share": 4,
            "the hits are divided by the number of batches": 2,
        }
        own = student.accuracy(model, student.make_loader(x, y, batch=3))
        expect(own, "the accuracy").close_to(4 / 6, mistakes=mistakes)

    @item.visible_check(
        "the same in batches of 3, of 7 and of all pictures",
        means="consistent",
        hint="sum up hits and pictures over the batches, and divide at the end: the last batch may be short",
    )
    def _(student: Student) -> None:
        x, y = torch.eye(5)[torch.arange(11) % 5], torch.arange(11) % 5
        y[[0, 1, 2, 8, 9, 10]] = (y[[0, 1, 2, 8, 9, 10]] + 1) % 5
        model = student.make_network(("Linear", 5, 5), state=SCORES)
        three, seven, whole = (
            numbers(student.accuracy(model, student.make_loader(x, y, batch=n)), "the accuracy")
            for n in (3, 7, 11)
        )
        expect(three, "the accuracy in batches of 3").close_to(seven)
        expect(three, "the accuracy in batches of 3").close_to(whole)

    @item.visible_check(
        "between 0, where all are wrong, and 1, where all are right",
        means="right",
        hint="the largest score of each picture is at its guess; a share is no per cent",
    )
    def _(student: Student) -> None:
        x, y = torch.eye(5)[torch.arange(7) % 5], torch.arange(7) % 5
        model = student.make_network(("Linear", 5, 5), state=SCORES)
        for labels, share in ((y, 1.0), ((y + 1) % 5, 0.0)):
            own = student.accuracy(model, student.make_loader(x, labels, batch=3))
            expect(own, "the accuracy").close_to(share)

    @item.visible_check(
        "batch normalisation learns nothing from it: the model is in evaluation mode meanwhile",
        means="consistent",
        hint="model.eval() before the loop",
    )
    def _(student: Student) -> None:
        layers = ("BatchNorm1d", 5, 1e-5, 0.1, False), ("Linear", 5, 5)
        model = student.make_network(*layers, state={"1.weight": torch.eye(5), "1.bias": torch.zeros(5)})
        student.accuracy(model, student.make_loader(torch.eye(5), torch.arange(5), batch=2))
        seen = int(model.state()["0.num_batches_tracked"])
        expect(seen == 0).is_true(f"a normalisation has seen {seen} of three batches in training mode")

    if not modes:
        return

    @item.visible_check(
        "afterwards the model and its layers are in the mode they were in",
        means="consistent",
        hint="note model.training first; model.train(that) at the end",
    )
    def _(student: Student) -> None:
        model = student.make_network(("Linear", 5, 5), state=SCORES)
        loader = student.make_loader(torch.eye(5), torch.arange(5), batch=2)
        for training, mode in ((True, "training"), (False, "evaluation")):
            itself, *layers = student.mode_after(model, loader, training)
            expect(itself == training).is_true(f"the model was in {mode} mode and no longer is")
            expect(layers == [training] * len(layers)).is_true(
                f"the model was in {mode} mode, and its layers no longer are"
            )


def training(item: Item, modes: bool = True) -> None:
    """Visible checks of train, on softmax regression.

    Args:
        modes: as for `measure`. They may go wrong in the middle of a long epoch.
    """

    @item.check(
        "training lowers the loss",
        points=0.25,
        hint="loss.backward() computes gradients, optimizer.step() uses them",
    )
    def _(student: Student) -> None:
        x, y = torch.eye(4, 6).repeat(3, 1), torch.arange(12) % 4  # one input for each of four classes
        zeros = {"0.weight": torch.zeros(4, 6), "0.bias": torch.zeros(4)}
        model = student.make_network(("Linear", 6, 4), state=zeros)
        student.train(model, student.plain_sgd(model, 0.5), student.make_loader(x, y, batch=4), 3)
        loss = float(F.cross_entropy(model.logits(x), y))
        expect(loss < 1.386).is_true(f"the loss was log 4 = 1.386 before training and is {loss:.3f} after it")

    @item.visible_check(
        "one batch is one step against central differences of the mean cross-entropy",
        means="consistent",
        hint="loss of the raw scores, clear, backward, one step of the optimizer that is given",
    )
    def _(student: Student) -> None:
        for batch, lr in ((BATCHES[0], 0.1), (BATCHES[3], 0.3)):
            c = regression().rows(*batch)
            expect_plain_step(c, trained(student, c, lr)[0], lr)

    @item.visible_check(
        "an epoch of four batches is a training on each of them, one after the other",
        means="consistent",
        hint="for every batch: clear, backward, one step; old gradients must not pile up",
    )
    def _(student: Student) -> None:
        c = regression()
        together, single = trained(student, c, 0.2)[0], c.start
        for batch in BATCHES:
            single = trained(student, c._replace(start=single).rows(*batch), 0.2)[0]
        expect(differ(together, c.start, 1e-6, 1e-7) > 0).is_true("the weights have not changed")
        expect(differ(together, single, 1e-4, 1e-5) == 0).is_true("the epoch ends elsewhere")

    @item.visible_check(
        "three epochs are three trainings of one epoch",
        means="consistent",
        hint="`epochs` times over the loader; leave the optimizer's learning rate as it is",
    )
    def _(student: Student) -> None:
        c = regression()
        together, single = trained(student, c, 0.2, epochs=3)[0], c.start
        for _ in range(3):
            single = trained(student, c._replace(start=single), 0.2)[0]
        expect(differ(together, c.start, 1e-6, 1e-7) > 0).is_true("the weights have not changed")
        expect(differ(together, single, 1e-4, 1e-5) == 0).is_true("three epochs in one call end elsewhere")

    @item.visible_check(
        "in training mode, in every epoch, even if the model comes in evaluation mode",
        means="consistent",
        hint="model.train() at the start of every epoch",
    )
    def _(student: Student) -> None:
        c = regression()
        many = c._replace(x=c.x.repeat(30, 1), y=c.y.repeat(30))
        for case, batch, epochs in ((c, 4, 1), (c, 4, 3), (many, 1, 1))[: 3 if modes else 2]:
            weights = {"1.weight": c.start[:, :-1].float(), "1.bias": c.start[:, -1].float()}
            model = student.make_network(("Dropout", 1.0), ("Linear", 6, 4), state=weights)
            loader, before = student.make_loader(case.x.float(), case.y, batch=batch), model.state()
            student.mode_after(model, loader, False)  # leaves the model in evaluation mode
            student.train(model, student.plain_sgd(model, 0.1), loader, epochs)
            after = model.state()
            expect(not torch.equal(before["1.bias"], after["1.bias"])).is_true("the biases have not changed")
            expect(torch.equal(before["1.weight"], after["1.weight"])).is_true(
                "behind a dropout of everything weights have no gradient in training mode; here they change, "
                f"in {'one epoch' if epochs == 1 else f'{epochs} epochs'}"
            )

    @item.visible_check(
        "a loss for every step comes back, that of its batch",
        means="consistent",
        hint="losses.append(loss.item()) in every step",
    )
    def _(student: Student) -> None:
        c, lr = regression(), 0.1
        _, told = trained(student, c, lr, epochs=2)
        losses = numbers(told, "what train returns")
        count = len(losses) if losses.ndim else 1
        expect(count, "the number of losses, for two epochs of four batches,").equals(8)
        losses = losses.reshape(8, -1)[:, 0]
        places = [c.start, *(trained(student, c.rows(0, last), lr)[0] for _, last in BATCHES)]
        for i, batch in enumerate(BATCHES):
            known = [c.rows(*batch).loss(weights) for weights in (*places[i : i + 2], c.start)]
            near = any(
                abs(float(losses[i]) - value) < 1e-3 * abs(value) for value in known[: 1 if i == 0 else 3]
            )
            expect(near).is_true(
                f"the loss of step {i + 1} is not that of its batch, which is {known[0]:.4g}"
            )
        again = float((losses[:4] - losses[4:]).abs().max())
        expect(again > 1e-6).is_true("the second epoch's losses are those of the first")


def trained(student: Student, c: Regression, lr: float, epochs: int = 1) -> tuple[Tensor, Any]:
    """Weights (4, 7) after the student's `train` with plain SGD in batches of four, and what it returned."""
    state = {"0.weight": c.start[:, :-1].float(), "0.bias": c.start[:, -1].float()}
    model = student.make_network(("Linear", 6, 4), state=state)
    more = () if epochs == 1 else (epochs,)  # one epoch is the default
    losses = student.train(
        model, student.plain_sgd(model, lr), student.make_loader(c.x.float(), c.y, batch=4), *more
    )
    after = model.state()
    return torch.cat([after["0.weight"], after["0.bias"][:, None]], 1), losses


# -- d, a sequence and an optimizer ----------------------------------------------------------------------


def sequence(item: Item) -> None:
    """Visible checks of sequential_net."""

    @item.check(
        "an nn.Sequential with one score for each picture and class", points=0.5, hint="nn.Sequential(…)"
    )
    def _(student: Student) -> None:
        model = student.sequential_net(3, 8, 6, 10)
        is_sequence = isinstance(model, Model) and model.is_a("Sequential")
        expect(is_sequence).is_true(f"`sequential_net` returns {returned(model)}, not an nn.Sequential")
        expect(model.forward(torch.rand(2, 3, 32, 32)), "the scores").has_shape(2, 10)

    module_checks(item, lambda student: student.sequential_net(*MODULE[:4]))

    @item.visible_check(
        "with the same weights it gives the scores of your ThreeLayerConvNet",
        means="consistent",
        hint="it is the same network; if they differ, at least one of the two has a slip: look at their other checks",
    )
    def _(student: Student) -> None:
        own = module_net(student.sequential_net(*MODULE[:4]), MODULE)
        with about("your ThreeLayerConvNet"):
            other = module_net(student.ThreeLayerConvNet(*MODULE[:4]), MODULE)
        expect_same(own, other, "your ThreeLayerConvNet")


def optimizer(item: Item) -> None:
    """Visible checks of nesterov, by its steps with given gradients."""

    @item.check("its steps change the weights, downhill", points=0.25, hint="give it model.parameters()")
    def _(student: Student) -> None:
        zeros = {"0.weight": torch.zeros(1, 2), "0.bias": torch.zeros(1)}
        model = student.make_network(("Linear", 2, 1), state=zeros)
        student.steps_with(model, student.nesterov(model), [[torch.tensor([[1.0, -2.0]]), torch.ones(1)]] * 2)
        weight = model.state()["0.weight"]
        downhill = bool(weight[0, 0] < 0 < weight[0, 1])
        expect(downhill).is_true(f"after two steps with the gradient (1, -2) the weight is {weight.tolist()}")

    @item.visible_check(
        "it is no Adam: twice the gradients, twice the way; no gradient, no way",
        means="consistent",
        hint="optim.SGD, without weight decay",
    )
    def _(student: Student) -> None:
        once, twice = way(student, [1.0, -0.5, 2.0], 0.1), way(student, [2.0, -1.0, 4.0], 0.1)
        expect_parts(twice, 2 * once, "the way with gradients twice as large", "twice the way")
        still = float(way(student, [0.0, 0.0], 0.1).abs().max())
        expect(still == 0).is_true(f"without a gradient a weight moves by {still:.3g}")

    @item.visible_check(
        "after one push, each further step is 0.9 times the one before",
        means="consistent",
        hint="momentum 0.9: the velocity is kept from step to step",
    )
    def _(student: Student) -> None:
        ends = [way(student, [1.0, 0.0, 0.0, 0.0][:n], 0.1) for n in (1, 2, 3, 4)]
        steps = [one - other for one, other in zip(ends[1:], ends[:-1], strict=True)]
        expect(float(steps[0].abs().min()) > 0).is_true(
            "without a further gradient nothing moves: no momentum"
        )
        for n in (0, 1):
            expect_parts(steps[n + 1], 0.9 * steps[n], f"step {n + 3}", f"0.9 times step {n + 2}")

    @item.visible_check(
        "one step looks ahead: with gradient 1 and learning rate 0.1 it is −0.19",
        means="right",
        hint="θ ← θ − lr (g + μ v), with v = g in the first step: nesterov=True",
    )
    def _(student: Student) -> None:
        own = way(student, [1.0], 0.1)
        expect_parts(own, torch.full_like(own, -0.19), "the first step", "−0.19")

    @item.visible_check(
        "the learning rate is the argument's, and 0.01 without one",
        means="consistent",
        hint="lr=lr; the default stands in the function's first line",
    )
    def _(student: Student) -> None:
        pushes = [1.0, -0.5, 2.0]
        small, large, default = (way(student, pushes, lr) for lr in (0.01, 0.3, None))
        expect_parts(large, 30 * small, "the way with lr=0.3", "30 times that with lr=0.01")
        expect_parts(default, small, "the way without an argument", "that with lr=0.01")


def way(student: Student, pushes: Sequence[float], lr: float | None) -> Tensor:
    """How far the student's optimizer moves the weights and biases of two layers, (12,), in one step for each push: the
    gradient of all of them."""
    shapes = {"0.weight": (2, 2), "0.bias": (2,), "1.weight": (2, 2), "1.bias": (2,)}
    start = {name: wave(*shape, start=0.4 + i).float() for i, (name, shape) in enumerate(shapes.items())}
    model = student.make_network(("Linear", 2, 2), ("Linear", 2, 2), state=start)
    own = student.nesterov(model) if lr is None else student.nesterov(model, lr)
    student.steps_with(
        model, own, [[torch.full(shape, push) for shape in shapes.values()] for push in pushes]
    )
    after = model.state()
    return torch.cat([(after[name] - start[name].double()).flatten() for name in start])


# -- e, a network of one's own ---------------------------------------------------------------------------


def own_network(item: Item) -> None:
    """Visible checks of OpenNetwork."""

    @item.check(
        "ten scores for every picture, at most 20 MiB of parameters",
        points=0.25,
        hint="(N, 10); 4 bytes each",
    )
    def _(student: Student) -> None:
        model, x = student.OpenNetwork(), torch.rand(3, 3, 32, 32)
        expect(model.forward(x), "the scores").has_shape(3, 10)
        model.expect_weights(x)
        state = model.state()
        expect(bool(state)).is_true(
            "the network does not know its layers' weights, so they won't be trained: make layers in __init__ and "
            "assign them to self, lists of them as nn.ModuleList"
        )
        size = sum(value.numel() for value in state.values())
        expect(0 < size * 4 <= 20 * 2**20).is_true(
            f"its state has {size:,} numbers, expected up to {5 * 2**20:,}"
        )

    @item.visible_check(
        "before training its loss is near log 10 = 2.303",
        means="consistent",
        hint="between 2 and 3: the last layer's scores start small",
    )
    def _(student: Student) -> None:
        model, (x, y) = network(student.OpenNetwork()), pictures()
        z = numbers(model.logits(x, classes=10, training=True, dropout=False), "the scores")
        loss = float(F.cross_entropy(z, y))
        expect(1.9 < loss < 3.2).is_true(f"the first loss is {loss:.3f}")

    @item.visible_check(
        "in evaluation mode a picture's scores are the same again, and without the other pictures",
        means="consistent",
        hint="batch normalisation takes running statistics there, dropout is off; layers are made in __init__",
    )
    def _(student: Student) -> None:
        model, (x, y) = network(student.OpenNetwork()), pictures()
        model.forward(x)  # gives lazy layers their parameters
        model.fit(x, y, steps=3, batch=12, lr=0.01, momentum=0.9)
        once, again, few = (numbers(model.logits(part), "the scores") for part in (x, x, x[:3]))
        expect(differ(once, again, 1e-3, 1e-5) == 0).is_true("asked twice, it scores a picture differently")
        apart = differ(once, once[:1].expand_as(once), 1e-3, 1e-5) > 0
        expect(apart).is_true("it scores every picture alike")
        expect(differ(few, once[:3], 1e-3, 1e-5) == 0).is_true(
            "a picture's scores change with the other pictures of the batch"
        )

    @item.visible_check(
        "running statistics follow in training mode, and stay in evaluation mode",
        means="consistent",
        hint="nn.BatchNorm2d does both by itself",
    )
    def _(student: Student) -> None:
        model, (x, _) = network(student.OpenNetwork()), pictures()
        model.forward(x)
        before = model.state()
        model.forward(3 * x + 1)
        after = model.state()
        same = before.keys() == after.keys() and all(
            torch.equal(before[name], after[name]) for name in before
        )
        expect(same).is_true("a look at pictures in evaluation mode changes what the network stores")
        model.forward(3 * x + 1, training=True)
        later = model.state()
        for name in before:
            if name.endswith(("running_mean", "running_var")):
                follows = not torch.equal(before[name], later[name])
                expect(follows).is_true(f"`{printable(name, 60)}` stays as it was in training mode")

    @item.visible_check(
        "a few steps of our loop on twelve pictures lower its loss",
        means="consistent",
        hint="raw scores, and every layer on the way from the picture to them",
    )
    def _(student: Student) -> None:
        x, y = pictures()
        for lr in (0.01, 0.002, 0.05):
            model = network(student.OpenNetwork())
            model.forward(x)
            losses = []
            for _ in range(2):
                z = numbers(model.logits(x, classes=10, training=True, dropout=False), "the scores")
                losses.append(float(F.cross_entropy(z, y)))
                if not losses[1:]:
                    model.fit(x, y, steps=8, batch=12, lr=lr, momentum=0.9)
            if losses[1] < losses[0] - 1e-4:
                return
        raise CheckFailed(f"the loss was {losses[0]:.4f} and is {losses[1]:.4f} after eight steps")

    @item.visible_check("gradients reach every parameter that matters", means="consistent", hint=REACH_HINT)
    def _(student: Student) -> None:
        model, (x, y) = network(student.OpenNetwork()), pictures()
        model.forward(x)
        model.fit(x, y, steps=1, batch=12, lr=0.01, momentum=0.9)
        once = numbers(model.logits(x), "the scores")
        gradients = model.gradients(x, upstream=wave(*once.shape, start=1.0).float()).parameters
        state = model.state()
        for name in [name for name, gradient in gradients.items() if gradient is None]:
            model.load({name: (state[name] + wave(*state[name].shape, start=0.5)).float()})
            matters = differ(numbers(model.logits(x), "the scores"), once, 1e-3, 1e-5) > 0
            model.load({name: state[name].float()})
            expect(not matters).is_true(
                f"the scores depend on `{printable(name, 60)}`, but no gradient reaches it"
            )


def pictures() -> tuple[Tensor, Tensor]:
    """Twelve pictures without sharp edges, of mean about 0 and variance about 1, (12, 3, 32, 32), and labels (12,)."""
    draw = torch.Generator().manual_seed(62)
    coarse = torch.randn(12, 3, 8, 8, generator=draw).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return 0.9 * coarse + 0.4 * torch.randn(12, 3, 32, 32, generator=draw), torch.arange(12) % 10


def own_training(item: Item) -> None:
    """The check of train_open; all of it is visible."""

    @item.check(
        "train_open trains, for at most ten epochs, and keeps its history",
        points=0.5,
        hint="see the rules above",
    )
    def _(student: Student) -> None:
        with p6_2_open.judged_in_part_c(student):
            expect_open_training(student)


def expect_open_training(student: Student) -> None:
    """`train_open` trains the student's own network, then tiny ones that show how."""
    draw = torch.Generator().manual_seed(5)
    x, y = torch.randn(12, 3, 32, 32, generator=draw), torch.arange(12) % 10
    model = student.OpenNetwork()
    model.forward(x)
    before = model.state()
    loader = student.make_loader(x, y, batch=6)
    # the validation picture has every label once, so every network is right for one in ten
    val_loader = student.make_loader(x[:1].expand(10, -1, -1, -1), torch.arange(10), batch=5)
    history = p6_2_open.history(student, model, (loader, val_loader), 0.1)
    p6_2_open.expect_form(history)
    after = model.state()
    moved = any(not torch.equal(before[name], after[name]) for name in before)
    expect(moved).is_true("the network's weights are what they were before")
    p6_2_open.expect_all_move(model, x, before, after)
    own = p6_2_open.accuracy(student, model, val_loader)  # judged in part c
    if own is None or abs(own - 0.1) < 1e-6:
        told = numbers(history["validation accuracy"], "a validation accuracy").reshape(-1)
        # per cent will do, too
        wrong = [value for value in told.tolist() if min(abs(value - 0.1), abs(value - 10)) > 1e-6]
        expect(not wrong).is_true(
            "on a val_loader where every network has accuracy 0.1, the history's validation accuracy is "
            f"{(wrong or [0.1])[0]:.3g}: measure it after every epoch, on val_loader"
        )
    p6_2_open.expect_trained(student)


def own_accuracy(item: Item) -> None:
    """A visible check of the handed-in network's accuracy."""

    @item.visible_check("70 % of the validation pictures", means="right", hint="train on the full data")
    def _(student: Student) -> None:
        there = student.open_network is not None
        expect(there).is_true("there is no `open_network` yet: run the cell that trains or loads it")
        val = CIFAR10("./data", "val")
        guesses = network(student.open_network).predict(normalised(val.images))
        expect((guesses == val.labels).double().mean(), "its validation accuracy").at_least(0.7)
