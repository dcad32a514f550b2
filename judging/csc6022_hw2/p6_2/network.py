"""The network of three layers: the right one, and a student's as a function of images and parameters.

Parts b, c and d ask for the same network: a function of images and parameters, a module, a sequence of modules. `Net`
is the common form of all three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student, returned

Map = Callable[[Tensor], Tensor]

POSITIVE = 64.0  # scores are less than that

UNREGISTERED = (
    "the network does not know its layers' weights, so they won't be trained: make layers in __init__ and assign "
    "them to self, lists of them as nn.ModuleList"
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Frame(NamedTuple):
    """How a network goes over the image: padding and stride of both convolutions, the side of the max-pooling window
    after each."""

    pads: tuple[int, int] = (2, 1)
    strides: tuple[int, int] = (1, 1)
    pools: tuple[int, int] = (1, 1)


RIGHT = Frame()
FRAMES = (  # usual ones; the right one first
    RIGHT,
    *(Frame(pads) for pads in ((0, 1), (2, 0), (0, 0), (1, 1), (2, 2), (1, 2))),
    *(Frame(pools=pools) for pools in ((1, 2), (2, 1), (2, 2))),
    *(Frame(strides=strides) for strides in ((2, 1), (1, 2), (2, 2))),
)


class Sizes(NamedTuple):
    """Sizes of a three-layer network: input channels, filters of both convolutions, classes, image, kernels, and groups
    of channels that a convolution keeps apart."""

    channels: int
    first: int
    second: int
    classes: int
    height: int
    width: int
    kernels: tuple[int, int] = (5, 3)
    groups: tuple[int, int] = (1, 1)

    def map(self, frame: Frame) -> tuple[int, int]:
        """Height and width of the features."""
        height, width = self.height, self.width
        for k, pad, stride, pool in zip(self.kernels, *frame, strict=True):
            height, width = (((side + 2 * pad - k) // stride + 1) // pool for side in (height, width))
        return height, width

    def features(self, frame: Frame) -> int:
        """How many numbers reach the last layer."""
        return self.second * math.prod(self.map(frame))

    def shapes(self, frame: Frame = RIGHT) -> list[tuple[int, ...]]:
        """Shapes of weight and bias of each layer, weights as (out, in, …)."""
        one, two = self.kernels
        return [
            (self.first, self.channels // self.groups[0], one, one),
            (self.first,),
            (self.second, self.first // self.groups[1], two, two),
            (self.second,),
            (self.classes, self.features(frame)),
            (self.classes,),
        ]

    def draw(self, seed: int, frame: Frame = RIGHT) -> list[Tensor]:
        """Random parameters in float64. Values keep their size; missing biases show."""
        draw = generator(seed)
        return [
            torch.randn(shape, generator=draw, dtype=torch.float64)
            * (0.5 if len(shape) == 1 else math.sqrt(2 / math.prod(shape[1:])))
            for shape in self.shapes(frame)
        ]

    def images(self, n: int, seed: int) -> Tensor:
        draw = generator(seed)
        return torch.randn(n, self.channels, self.height, self.width, generator=draw, dtype=torch.float64)


BAREBONES = Sizes(channels=3, first=6, second=5, classes=7, height=8, width=11)
CIFAR = Sizes(channels=3, first=32, second=16, classes=10, height=32, width=32)
MODULE = Sizes(channels=4, first=6, second=5, classes=7, height=32, width=32)


def same(h: Tensor) -> Tensor:
    return h


def scores(
    x: Tensor,
    params: Sequence[Tensor],
    *,
    frame: Frame = RIGHT,
    activations: tuple[Map, Map] = (torch.relu, torch.relu),
    biases: tuple[bool, bool, bool] = (True, True, True),
    kernels: tuple[Map, Map] = (same, same),
    swapped: bool = False,
    flatten: Map = lambda h: h.flatten(1),
    finish: Map = same,
) -> Tensor:
    """What the three-layer network gives, in float64: (N, channels, H, W) → (N, classes).

    Args:
        params: weight and bias of both convolutions and of the last layer.
        frame … finish: known mistakes, to recognise them by their results.
    """
    w1, b1, w2, b2, w3, b3 = (value.double() for value in params)
    h = x.double().mT if swapped else x.double()
    for i, (w, b) in enumerate(((w1, b1), (w2, b2))):
        w, b = kernels[i](w), b * biases[i]
        groups = h.shape[1] // w.shape[1]
        h = activations[i](F.conv2d(h, w, b, padding=frame.pads[i], stride=frame.strides[i], groups=groups))
        h = F.max_pool2d(h, frame.pools[i])
    return finish(F.linear(flatten(h), w3, b3 * biases[2]))


class Net(Protocol):
    """A student's network of three layers as a function of images and of weight and bias of each layer."""

    sizes: Sizes
    biases: tuple[bool, bool, bool]  # of which layers it has

    def __call__(self, x: Tensor, params: Sequence[Tensor]) -> Tensor:
        """The student's result, right: scores (N, classes).

        Raises:
            CheckFailed: the network cannot compute with these parameters.
        """

    def expect_all_units(self, frame: Frame) -> None:
        """No unit is dropped in training mode, where the last layer takes the features of this frame."""


class FunctionNet:
    """The student's `three_layer_convnet`: at sizes that all differ or, if it raises there, at CIFAR-10's. (Another
    check judges whether it takes any size.)"""

    def __init__(self, student: Student) -> None:
        self.student, self.sizes, self.biases = student, BAREBONES, (True, True, True)
        if not any(map(self._runs, FRAMES)):
            self.sizes = CIFAR
            if not self._runs(RIGHT):
                self.sizes = BAREBONES

    def _runs(self, frame: Frame) -> bool:
        """Whether there are scores if the last layer takes the features of this frame."""
        try:
            self(self.sizes.images(1, seed=2), self.sizes.draw(3, frame))
        except CheckFailed:
            return False
        return True

    def __call__(self, x: Tensor, params: Sequence[Tensor]) -> Tensor:
        """Without dropout, which `expect_all_units` judges; of several outputs the first counts."""
        return first_scores(self.student.three_layer_convnet.without_dropout(x, list(params)))

    def expect_all_units(self, frame: Frame) -> None:
        x, params = self.sizes.images(2, seed=1), self.sizes.draw(3, frame)
        dropped, again = (first_scores(self.student.three_layer_convnet(x, params)) for _ in range(2))
        expect(agree(dropped, again)).is_true("dropout is at work; this network has none")


def first_scores(value: Any) -> Tensor:
    """What a network gives, or the first part of it: another check judges whether it gives scores alone."""
    return numbers(value[0] if isinstance(value, tuple | list) and value else value, "the scores")


class ModuleNet:
    """A network of the student's, whose layers are modules, or computed from parameters of its own.

    Raises:
        CheckFailed: its weights are not registered, or it does not have two convolutions and a last layer.
    """

    def __init__(self, model: Model, wanted: Sizes = MODULE) -> None:
        x = wanted.images(2, seed=1).float()
        self.model = expect_network(model).adopt(x)  # `expect_parameters` judges lists and what forward makes
        layers = [layer for layer in model.layers(x) if layer.kind in ("conv2d", "linear")]
        self.state = model.state()
        self.between: list[str | None] = []  # weight and bias of a layer too many, before the last one
        if [layer.kind for layer in layers] in (
            ["conv2d", "conv2d", "linear", "linear"],
            ["conv2d", "conv2d", "conv2d", "linear"],
        ):
            hidden = layers.pop(2)
            self.between = [hidden.parameters.get(role) for role in ("weight", "bias")]
        if [layer.kind for layer in layers] == ["conv2d", "conv2d", "linear"]:
            if any("weight" not in layer.parameters for layer in layers):
                raise CheckFailed(UNREGISTERED)
            roles = [layer.parameters.get(role) for layer in layers for role in ("weight", "bias")]
            self._find_own_biases(roles)
        else:
            roles = self._by_size(wanted, [layer.kind for layer in layers])
        self.roles = roles
        self.biases = roles[1] is not None, roles[3] is not None, roles[5] is not None
        one, two = (self.state[roles[i]].shape for i in (0, 2))  # type: ignore[index]
        if len(one) == len(two) == 4:
            classes = layers[-1].output[-1] if layers[-1].kind == "linear" else wanted.classes
            channels = layers[0].input[1] if len(layers[0].input) == 4 else one[1]
            groups = channels // one[1], one[0] // two[1]
            self.sizes = Sizes(
                channels, one[0], two[0], classes, wanted.height, wanted.width, (one[2], two[2]), groups
            )
        else:
            self.sizes = wanted

    def _find_own_biases(self, roles: list[str | None]) -> None:
        """Put in biases that are parameters of the network's own, which it adds after a layer without a bias."""
        left = {name: value for name, value in self.state.items() if name not in roles}
        for i in range(1, len(roles), 2):
            weight = roles[i - 1]
            units = len(self.state[weight]) if weight else 0
            fits = [name for name, value in left.items() if value.numel() == units]
            if roles[i] is None and len(fits) == 1:
                roles[i] = fits[0]

    def _by_size(self, wanted: Sizes, kinds: list[str]) -> list[str | None]:
        """Names of the parameters by their numbers of entries, for networks that convolve in another way."""
        for frame in FRAMES:
            by_size = {value.numel(): name for name, value in self.state.items()}
            roles = [by_size.get(math.prod(shape)) for shape in wanted.shapes(frame)]
            if None not in roles[::2]:
                return roles
        if not self.state:
            raise CheckFailed(UNREGISTERED)
        listed = ", ".join(kinds) or "none"
        raise CheckFailed(f"expected two Conv2d layers and a Linear one; layers with weights are: {listed}")

    def __call__(self, x: Tensor, params: Sequence[Tensor]) -> Tensor:
        given: dict[str, Tensor] = {}
        if self.between:
            params, hidden = self._through_hidden(params)
            given |= hidden
        for name, value in zip(self.roles, params, strict=True):
            if name is not None:
                shape = self.state[name].shape
                if math.prod(shape) != value.numel():
                    raise CheckFailed(f"a layer's weight has shape {tuple(shape)}, not {tuple(value.shape)}")
                fits = value.T if value.ndim == 2 and shape == value.T.shape != value.shape else value
                given[name] = fits.reshape(shape).float()
        self.model.load(given)
        return numbers(self.model.forward(x.float()), "the scores")

    def _through_hidden(self, params: Sequence[Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Weights with which a layer too many changes nothing: a convolution hands each channel on; a Linear layer has
        a unit for each score, which is made positive on the way, so that a ReLU lets it through.

        Raises:
            CheckFailed: it takes other features, has too few units for that, or no biases.
        """
        *first, weight, bias = params
        name, bias_name = self.between
        shape = self.state[name].shape if name else torch.Size()
        fits = (
            shape[0] >= len(weight) and shape[1] == weight.shape[1]
            if len(shape) == 2
            else shape[:1] == shape[1:2] == params[2].shape[:1]
        )
        if not (name and bias_name and fits):
            raise CheckFailed("there is a layer too many before the last one")
        hidden = torch.zeros(shape)
        if len(shape) == 4:
            hidden[:, :, shape[2] // 2, shape[3] // 2] = torch.eye(shape[0])
            return list(params), {name: hidden, bias_name: torch.zeros(shape[0])}
        hidden[: len(weight)] = weight
        last = torch.eye(len(weight), shape[0], dtype=torch.float64)
        return [*first, last, bias - POSITIVE], {name: hidden, bias_name: torch.full(shape[:1], POSITIVE)}

    def expect_all_units(self, frame: Frame) -> None:
        x = self.sizes.images(2, seed=1).float()
        dropped, all_units = (self.model.forward(x, training=True, dropout=on) for on in (True, False))
        expect(agree(numbers(dropped, "the scores"), numbers(all_units, "the scores"))).is_true(
            "in training mode dropout is at work; this network has none"
        )


def agree(got: Tensor, want: Tensor) -> bool:
    """Whether they are equal up to float32's precision."""
    return differ(got, want, rtol=1e-3, atol=1e-5) == 0


def expect_network(value: Any) -> Model:
    """What a class or function of the student's made is a network."""
    if not isinstance(value, Model):
        raise CheckFailed(f"expected a network, found {returned(value)}")
    return value
