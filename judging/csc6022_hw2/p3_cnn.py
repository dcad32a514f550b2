"""Homework 2, problem 3: activation volumes and parameter counts of a small convolutional network.

A volume is (height, width, channels). Every entry of a student's table is judged from the right volume before it or
from the student's own (error carried forward, see `chainrule.judging.derivation`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import Derivation, Rule, Step
from chainrule.lesson import answers
from chainrule.lesson.student import CheckFailed, Student

LAYERS = ("conv1", "pool1", "conv2", "pool2", "fc")
BEFORE = {"conv1": "input", "pool1": "conv1", "conv2": "pool1", "pool2": "conv2", "fc": "pool2"}


@dataclass(frozen=True)
class Network:
    """INPUT, then CONV and POOL2 twice, then FC. Filters are kernel × kernel, kernel being odd.

    Convolutions have stride 1 and as much padding as keeps height and width; pooling halves both.
    """

    side: int
    depth: int
    kernel: int
    filters: tuple[int, int]
    outputs: int

    @property
    def padding(self) -> int:
        return (self.kernel - 1) // 2

    @property
    def input(self) -> tuple[int, int, int]:
        return (self.side, self.side, self.depth)


DEEPEST = 65  # a wrong depth is looked for below this
HANDOUT = Network(side=32, depth=1, kernel=5, filters=(10, 10), outputs=10)


# ---- volumes -------------------------------------------------------------------------------------------------


def volume(height: Any, width: Any, channels: Any) -> Tensor:
    return torch.tensor([float(height), float(width), float(channels)])


def convolution(before: str, network: Network, filters: int) -> Step:
    """The volume after a convolution: as many channels as filters, at stride 1 the side n + 2p - k + 1."""
    k, p = network.kernel, network.padding

    def padded(by: int) -> Callable[[Tensor], Tensor]:
        return lambda v: volume(v[0] + by - k + 1, v[1] + by - k + 1, filters)

    return Step(
        (before,),
        padded(2 * p),
        {
            f"the padding is forgotten: {p} on every side adds {2 * p} to height and width": padded(0),
            f"the padding is counted once, but there is {p} on either side": padded(p),
            "the depth is multiplied in, but a filter sums over all channels and leaves one": lambda v: (
                volume(v[0], v[1], v[2] * filters)
            ),
            "the channels are still those of the volume before: every filter makes one channel": lambda v: v,
            f"the channels are the {k} of the filters' size: each of the {filters} filters makes one": (
                lambda v: volume(v[0], v[1], k)
            ),
        },
    )


def pooling(before: str, plausible: Callable[[Tensor], bool]) -> Step:
    """The volume after 2×2 max-pooling with stride 2: floor(n / 2)."""
    return Step(
        (before,),
        lambda v: volume(v[0] // 2, v[1] // 2, v[2]),
        {
            "nothing is pooled: windows of 2×2, two apart, halve height and width": lambda v: v,
            "pooling leaves the channels alone: it halves height and width only": lambda v: volume(
                v[0] // 2, v[1] // 2, v[2] // 2
            ),
            "pooling mixes no channels: each of them is pooled by itself": lambda v: volume(
                v[0] // 2, v[1] // 2, 1
            ),
            "only the channels are halved: pooling halves height and width instead": lambda v: volume(
                v[0], v[1], v[2] // 2
            ),
            "both height and width are halved, not one of them": lambda v: volume(v[0] // 2, v[1], v[2]),
            "the stride is 2, so the windows don't overlap and the sides are halved": lambda v: volume(
                v[0] - 1, v[1] - 1, v[2]
            ),
            "a quarter of the numbers is left, but height and width are halved only": lambda v: volume(
                v[0] // 4, v[1] // 4, v[2]
            ),
        },
        plausible,
    )


def volumes(network: Network, own: Callable[[str], Any]) -> Derivation:
    """The chain of volumes. Later layers follow from a wrong volume after pooling only if the last pooling changes
    something: it is no row of copies.

    Args:
        own: the student's volume of a layer; raises CheckFailed if there is none.
    """

    def pooled(v: Tensor) -> bool:
        try:
            copied = tuple(own("pool2")) == tuple(own("conv2"))
        except CheckFailed:
            copied = False
        return not copied and bool(1 < v[0] <= network.side)

    first, second = network.filters
    steps = {
        "conv1": convolution("input", network, first),
        "pool1": pooling("conv1", pooled),
        "conv2": convolution("pool1", network, second),
        "pool2": pooling("conv2", pooled),
        "fc": Step(
            ("pool2",),
            lambda v: volume(1, 1, network.outputs),
            {
                "this is the layer's input: it has one output for each neuron": lambda v: v,
                "this is its flattened input: it has one output for each neuron": lambda v: volume(
                    1, 1, v.prod()
                ),
                "this counts weights: the volume is one number for each neuron": lambda v: volume(
                    1, 1, v.prod() * network.outputs
                ),
            },
        ),
    }
    return Derivation({"input": network.input}, steps)


class Volumes:
    """A student's volumes as (height, width, channels). Call it with the name of a layer.

    Volumes that are written as (channels, height, width) are read in this order; only the first one loses its points.
    """

    def __init__(self, student: Student, network: Network) -> None:
        self.student = student
        self.network = network
        self.chain = volumes(network, self)

    def __call__(self, layer: str) -> tuple[int, ...]:
        """Raises CheckFailed if there is no volume of this layer."""
        if layer == "input":
            return self.network.input
        height, width, channels = self.written(layer)
        return (width, channels, height) if self.is_turned(layer) else (height, width, channels)

    def written(self, layer: str) -> tuple[int, int, int]:
        name = f'volumes["{layer}"]'
        value = answers.entry(self.student.volumes, layer, "volumes")
        return answers.flat(value, name) if layer == "fc" else answers.volume(value, name)

    def is_turned(self, layer: str) -> bool:
        """Whether it begins with the channels: height and width are equal here."""
        first, second, third = self.written(layer)
        return layer != "fc" and first != second == third

    def turned(self, layer: str) -> bool:
        try:
            return self.is_turned(layer)
        except CheckFailed:
            return False

    def expect(self, layer: str) -> None:
        """The layer's volume is right, or follows from the student's own before it.

        Raises:
            CheckFailed: it isn't; a known mistake is named.
        """
        earlier = LAYERS[: LAYERS.index(layer)]
        self.chain.expect(self, layer, called=f'volumes["{layer}"]', atol=1e-6)
        if self.turned(layer) and not any(map(self.turned, earlier)):
            raise CheckFailed(
                f'volumes["{layer}"] is in the order (channels, height, width), not (height, width, channels)'
            )

    def sources(self, layer: str) -> list[Tensor]:
        """The volumes a layer's parameters may have been counted from: the right one, then the student's own."""
        before = BEFORE[layer]
        right = self.chain.values[before]
        try:
            own = torch.tensor(self(before), dtype=torch.float64)
        except CheckFailed:
            return [right]
        step = self.chain.steps.get(before)
        return [right, own] if step and step.plausible(own) else [right]


# ---- parameters ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A way to count weights or biases, and what is wrong about it: "" for the right one."""

    wrong: str
    rule: Rule  # from the volume before the layer


def convolution_parameters(network: Network, filters: int) -> tuple[list[Way], list[Way]]:
    """Ways to count a convolution's weights and its biases, the right ones first."""
    k, n = network.kernel, filters
    weights = [
        Way("", lambda v: k * k * v[2] * n),
        Way(
            f"the depth of the volume before is forgotten: a filter is {k}×{k}×D",
            lambda v: k * k * n,
        ),
        Way(f"these are the weights of one filter, and there are {n}", lambda v: k * k * v[2]),
        Way(f"a filter is {k} high and {k} wide, so {k} counts twice", lambda v: k * v[2] * n),
        Way(
            "a filter is as deep as the volume before it, not as the one it makes",
            lambda v: k * k * n * n,
        ),
        Way(
            "the same filter is used at every position, so its weights count once",
            lambda v: k * k * v[2] * n * v[0] * v[1],
        ),
        Way("these are the numbers in its volume, not what is trained", lambda v: v[0] * v[1] * n),
    ]
    biases = [
        Way("", lambda v: n),
        Way(f"the biases are forgotten: one for each of the {n} filters", lambda v: 0),
        Way(f"there is one bias for each of the {n} filters, not one in all", lambda v: 1),
        Way("a filter has one bias, not one for every channel it looks at", lambda v: n * v[2]),
        Way("a filter has one bias, not one for every position", lambda v: n * v[0] * v[1]),
    ]
    return weights, biases


def dense_parameters(network: Network) -> tuple[list[Way], list[Way]]:
    """Ways to count the fully-connected layer's weights and its biases, the right ones first."""
    n = network.outputs
    factor = (
        "height · width · channels · neurons is the number of weights, and one of these factors is missing"
    )
    weights = [
        Way("", lambda v: v.prod() * n),
        Way("only the channels of pool2 are counted, not its height and width", lambda v: v[2] * n),
        Way(factor, lambda v: v[0] * v[1] * n),
        Way(factor, lambda v: v.prod()),
        Way("only one side of pool2 is counted, and it has two", lambda v: v[0] * v[2] * n),
        Way("its input is what pool2 leaves, not what conv2 made", lambda v: 4 * v.prod() * n),
    ]
    biases = [
        Way("", lambda v: n),
        Way(f"the biases are forgotten: one for each of the {n} neurons", lambda v: 0),
        Way(f"there is one bias for each of the {n} neurons, not one in all", lambda v: 1),
    ]
    return weights, biases


class Parameters:
    """A student's parameter counts, judged from the right volumes or the student's own."""

    def __init__(self, student: Student, network: Network) -> None:
        self.student = student
        self.network = network
        self.volumes = Volumes(student, network)

    def count(self, layer: str) -> int:
        """Raises CheckFailed if there is no count of this layer."""
        value = answers.entry(self.student.parameters, layer, "parameters")
        return answers.whole_number(value, f'parameters["{layer}"]')

    def explained(self, layer: str) -> tuple[str, str]:
        """What is wrong about the weights and about the biases in a layer's count, "" if nothing is.

        Raises:
            CheckFailed: no known way to count gives this number.
        """
        count = self.count(layer)
        if layer == "fc":
            weights, biases = dense_parameters(self.network)
        else:
            weights, biases = convolution_parameters(self.network, self.network.filters[layer == "conv2"])
        # The fewest mistakes first: none, then one, in the biases before one in the weights.
        for w, b in sorted(
            product(weights, biases), key=lambda pair: bool(pair[0].wrong) * 2 + bool(pair[1].wrong)
        ):
            if any(float(w.rule(v) + b.rule(v)) == count for v in self.volumes.sources(layer)):
                return w.wrong, b.wrong
        if layer != "fc":
            depth = int(self.volumes.sources(layer)[0][2])
            for other in range(1, DEEPEST):  # with the right biases: nothing else tells a depth from chance
                flat = torch.tensor([0.0, 0.0, other])
                if float(weights[0].rule(flat) + biases[0].rule(flat)) == count:
                    return f"a filter is counted {other} deep, and the volume before it has depth {depth}", ""
        raise CheckFailed(
            f'parameters["{layer}"] is {count}: not right, and it does not follow from your volumes either. Write '
            "it as weights + biases, to see which of the two it is"
        )

    def expect_weights(self, layer: str) -> None:
        """The count has the right number of weights, whatever its number of biases."""
        self._expect(layer, self.explained(layer)[0])

    def expect_biases(self, layer: str) -> None:
        """The count has the right number of biases; its number of weights may be wrong in a known way."""
        self._expect(layer, self.explained(layer)[1])

    def expect_none(self, layer: str) -> None:
        """Pooling has no parameters. A table of zeros only earns no points here."""
        count = self.count(layer)
        self._expect(layer, "pooling takes a maximum, there is nothing to train" if count else "")
        if not any(self.has_some(other) for other in LAYERS):
            raise CheckFailed(f'parameters["{layer}"] counts once some other layer has parameters')

    def has_some(self, layer: str) -> bool:
        try:
            return self.count(layer) > 0
        except CheckFailed:
            return False

    def _expect(self, layer: str, wrong: str) -> None:
        if wrong:
            raise CheckFailed(f'parameters["{layer}"] is {self.count(layer)}: {wrong}')


# ---- numbers that vary ---------------------------------------------------------------------------------------


def draw(random: Random | None) -> dict[str, object]:
    """The network's numbers and the right table, as the notebook shows them.

    Args:
        random: None for the handout's network.
    """
    net = HANDOUT if random is None else random_network(random)
    right = volumes(net, no_answer).values
    first, second = net.filters
    k = net.kernel
    flattened = " * ".join(str(int(size)) for size in right["pool2"])
    table: dict[str, object] = {
        "volume_conv1": as_integers(right["conv1"]),
        "volume_pool1": as_integers(right["pool1"]),
        "volume_conv2": as_integers(right["conv2"]),
        "volume_pool2": as_integers(right["pool2"]),
        "volume_fc": (net.outputs,),
        "count_conv1": f"{k} * {k} * {net.depth} * {first} + {first}",
        "count_conv2": f"{k} * {k} * {first} * {second} + {second}",
        "count_fc": f"{flattened} * {net.outputs} + {net.outputs}",
    }
    network: dict[str, object] = {
        "network": f"side={net.side}, depth={net.depth}, kernel={k}, filters={net.filters}, outputs={net.outputs}",
        "input": net.input,
        "input_size": f"{net.side} \\times {net.side} \\times {net.depth}",
        "padding": net.padding,
        "kernel": k,
        "conv1": f"CONV{k}-{first}",
        "conv2": f"CONV{k}-{second}",
        "fc": f"FC-{net.outputs}",
    }
    return {f"p3_{name}": value for name, value in (network | table).items()}


def random_network(random: Random) -> Network:
    """A network in which numbers that might be confused are different."""
    side = random.choice((20, 24, 28, 36, 40, 44, 48))
    sides = {side, side // 2, side // 4}
    first, second, outputs = random.sample([n for n in range(6, 19) if n not in sides], 3)
    return Network(side, random.choice((1, 3)), random.choice((3, 5, 7)), (first, second), outputs)


def as_integers(v: Tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in v)


def no_answer(layer: str) -> Any:
    raise CheckFailed(f"there is no {layer}")
