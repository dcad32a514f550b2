"""Homework 2, problem 6.2: references and probes for the convolutional networks.

Three answers are the same network of three layers: a function of images and parameters, a module, a sequence of
modules. `Net` is the common form of all three. `read` recognises, stage by stage, what the student's network does: how
much it pads, what follows its last layer, how it convolves. The weights of each stage's probe hide the later stages,
and the reference has the earlier stages' mistakes (error carried forward, see `chainrule.judging.derivation`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F

from chainrule.datasets.cifar_10 import CIFAR10, normalised
from chainrule.judging import held_out
from chainrule.judging.apart import apart_from
from chainrule.judging.networks import softmax_regression_by_sgd
from chainrule.lesson.checks import differ, expect, numbers, shorten
from chainrule.lesson.student import CheckFailed, Model, Opaque, Student, printable, returned

Tensor = torch.Tensor
Map = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
Probe = tuple[Tensor, list[Tensor]]  # images and parameters

# a judge of what builds on the functions of parts a and c: with the student's own, or with right ones
upon_warm_up = apart_from(flatten="rows", random_weight="weight", zero_bias="zeros")
upon_accuracy = apart_from(accuracy="share right")

UNREGISTERED = (
    "the network does not know its layers' weights, so they won't be trained: make layers in __init__ and assign "
    "them to self, lists of them as nn.ModuleList"
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- the network -----------------------------------------------------------------------------------------


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
    """Sizes of a three-layer network: input channels, filters of both convolutions, classes, image, kernels."""

    channels: int
    first: int
    second: int
    classes: int
    height: int
    width: int
    kernels: tuple[int, int] = (5, 3)

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
            (self.first, self.channels, one, one),
            (self.first,),
            (self.second, self.first, two, two),
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
        h = activations[i](F.conv2d(h, w, b, padding=frame.pads[i], stride=frame.strides[i]))
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

    def expect_all_units(self) -> None:
        """No unit is dropped in training mode."""


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
        return numbers(self.student.three_layer_convnet(x, list(params)), "the scores")

    def expect_all_units(self) -> None:
        pass  # a function has no training mode


class ModuleNet:
    """A network of the student's, whose layers are modules, or computed from parameters of its own.

    Raises:
        CheckFailed: its weights are not registered, or it does not have two convolutions and a last layer.
    """

    def __init__(self, model: Model, wanted: Sizes = MODULE) -> None:
        self.model = expect_network(model).adopt()  # `expect_parameters` judges plain lists
        x = wanted.images(2, seed=1).float()
        layers = [layer for layer in model.layers(x) if layer.kind in ("conv2d", "linear")]
        self.state = model.state()
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
            self.sizes = wanted._replace(
                first=one[0], second=two[0], classes=classes, channels=one[1], kernels=(one[2], two[2])
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
        given = {}
        for name, value in zip(self.roles, params, strict=True):
            if name is not None:
                shape = self.state[name].shape
                if math.prod(shape) != value.numel():
                    raise CheckFailed(f"a layer's weight has shape {tuple(shape)}, not {tuple(value.shape)}")
                fits = value.T if value.ndim == 2 and shape == value.T.shape != value.shape else value
                given[name] = fits.reshape(shape).float()
        self.model.load(given)
        return numbers(self.model.forward(x.float()), "the scores")

    def expect_all_units(self) -> None:
        x = self.sizes.images(2, seed=1).float()
        dropped, all_units = (self.model.forward(x, training=True, dropout=on) for on in (True, False))
        expect(agree(numbers(dropped, "the scores"), numbers(all_units, "the scores"))).is_true(
            "in training mode dropout is at work; this network has none"
        )


# -- recognising a network -------------------------------------------------------------------------------

RELU = torch.relu
OTHERS: dict[str, Map] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "GELU": F.gelu,
    "LeakyReLU": F.leaky_relu,
    "ELU": F.elu,
    "SiLU": F.silu,
    "softplus": F.softplus,
    "ReLU6": F.relu6,
    "the absolute value": torch.abs,
}


def turned(w: Tensor) -> Tensor:
    return w.flip(2, 3)


# Mistakes in the convolutions, by what is wrong: arguments of `scores`.
CONVOLUTION_MISTAKES: dict[str, dict[str, Any]] = {
    "the kernels are turned by 180°; the layer slides them as they are": {"kernels": (turned, turned)},
    "the first convolution's kernels are turned by 180°": {"kernels": (turned, same)},
    "the second convolution's kernels are turned by 180°": {"kernels": (same, turned)},
    # Both are the same for a probe whose features are only summed up.
    "height and width are exchanged, of the image or of the kernels": {"swapped": True},
    "both ReLUs are missing": {"activations": (same, same)},
    "the ReLU after the first convolution is missing": {"activations": (same, RELU)},
    "the ReLU after the second convolution is missing": {"activations": (RELU, same)},
    "the biases of both convolutions are not added": {"biases": (False, False, True)},
    "the first convolution's bias is not added": {"biases": (False, True, True)},
    "the second convolution's bias is not added": {"biases": (True, False, True)},
    **{f"{name} takes the place of ReLU": {"activations": (f, f)} for name, f in OTHERS.items()},
    **{f"{name} takes the place of the first ReLU": {"activations": (f, RELU)} for name, f in OTHERS.items()},
    **{
        f"{name} takes the place of the second ReLU": {"activations": (RELU, f)} for name, f in OTHERS.items()
    },
}

# What may follow the last layer, by what is wrong with it.
ENDINGS: dict[str, dict[str, Any]] = {
    "softmax is applied to the scores; the loss does that itself": {"finish": lambda z: z.softmax(-1)},
    "log-softmax is applied to the scores; the loss does that itself": {
        "finish": lambda z: z.log_softmax(-1)
    },
    "softmax over the images of the batch is applied to the scores": {"finish": lambda z: z.softmax(0)},
    "log-softmax over the images of the batch is applied to the scores": {
        "finish": lambda z: z.log_softmax(0)
    },
    "a ReLU follows the last layer; scores may be negative": {"finish": torch.relu},
    "a sigmoid follows the last layer; scores may be any number": {"finish": torch.sigmoid},
    "a tanh follows the last layer; scores may be any number": {"finish": torch.tanh},
    "the last layer's bias is not added": {"biases": (True, True, False)},
}

LAYOUTS: dict[str, Map] = {
    "features are flattened in another order than channel, row, column": lambda h: h.movedim(1, -1).flatten(
        1
    ),
    "features are flattened in another order than channel, row, column: rows and columns are exchanged": (
        lambda h: h.mT.flatten(1)
    ),
    "flattening mixes the images of a batch; its first dimension has to stay": (
        lambda h: h.reshape(-1, len(h)).T
    ),
    "flattening mixes the images of a batch; don't transpose before it": (
        lambda h: h.flatten(1).T.reshape(len(h), -1)
    ),
}


def merged(*mistakes: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `scores` with several mistakes together; a bias is added if none of them leaves it out."""
    arguments: dict[str, Any] = {}
    for mistake in mistakes:
        for key, value in mistake.items():
            both = zip(arguments.get(key, (True,) * 3), value, strict=True) if key == "biases" else ()
            arguments[key] = tuple(a and b for a, b in both) if key == "biases" else value
    return arguments


@dataclass(frozen=True)
class Reading:
    """A student's network and what is recognised of it.

    Attributes:
        fits: frames with which the last layer gets as many features as it takes.
        frame: the one recognised.
        ending: arguments of `scores` for what follows the last layer; empty if that is right.
        convolution: which of CONVOLUTION_MISTAKES there is; "" if they are right, None if none explains the scores.
    """

    net: Net
    fits: list[Frame]
    frame: Frame
    ending: dict[str, Any]
    convolution: str | None

    @property
    def stages(self) -> dict[str, Any]:
        """The arguments of `scores` for all that is recognised."""
        convolution = CONVOLUTION_MISTAKES.get(self.convolution or "", {})
        return merged({"frame": self.frame, "biases": self.net.biases}, self.ending, convolution)


def agree(got: Tensor, want: Tensor) -> bool:
    """Whether they are equal up to float32's precision."""
    return differ(got, want, rtol=1e-3, atol=1e-5) == 0


def read(net: Net) -> Reading:
    """Recognise a network, stage by stage.

    Raises:
        CheckFailed: it gives no scores, with any frame.
    """
    sizes, failure = net.sizes, None
    fits: list[Frame] = []
    for frame in FRAMES:
        if any(sizes.features(frame) == sizes.features(other) for other in fits):
            fits.append(frame)  # the same number of features as one before
            continue
        try:
            got = net(sizes.images(3, seed=2), sizes.draw(3, frame))
            expect(got, "the answer for 3 images").has_shape(3, sizes.classes)
            fits.append(frame)
        except CheckFailed as error:
            failure = failure or error
    if not fits:
        assert failure is not None
        raise failure

    known = {"frame": fits[0], "biases": net.biases}
    ending = ENDINGS.get(explained(net, [last_layer(sizes, fits[0])], ENDINGS, known) or "", {})
    for frame in fits:
        known = merged({"frame": frame, "biases": net.biases}, ending)
        convolution = explained(net, summed_features(sizes, frame), CONVOLUTION_MISTAKES, known)
        if convolution is not None:
            return Reading(net, fits, frame, ending, convolution)
    return Reading(net, fits, fits[0], ending, None)


def read_module(make: Callable[..., Any]) -> Reading:
    """Recognise what `make`, a class or function of the student's, makes of sizes that all differ or, if that does not
    compute, of CIFAR-10's. (Another check judges whether it takes any sizes.)

    Raises:
        CheckFailed: neither computes.
    """
    try:
        return read(ModuleNet(make(*MODULE[:4])))
    except CheckFailed:
        with contextlib.suppress(CheckFailed):
            return read(ModuleNet(make(*CIFAR[:4]), CIFAR))
        raise


def explained(
    net: Net, probes: Sequence[Probe], mistakes: Mapping[str, dict[str, Any]], known: Mapping[str, Any]
) -> str | None:
    """The mistake that explains a network's answers to all probes; "" if they are right, None if nothing does."""
    answers = [net(x, params) for x, params in probes]
    for name, mistake in {"": {}, **mistakes}.items():
        how = merged(known, mistake)
        if all(agree(got, scores(*probe, **how)) for got, probe in zip(answers, probes, strict=True)):
            return name
    return None


def last_layer(sizes: Sizes, frame: Frame) -> Probe:
    """A probe that shows only what follows the last layer: its weights are zero, its biases have both signs."""
    params = sizes.draw(4, frame)
    params[4] = torch.zeros_like(params[4])
    params[5] = torch.linspace(-2, 1.7, sizes.classes).double()
    return sizes.images(3, seed=5), params


def summed_features(sizes: Sizes, frame: Frame) -> list[Probe]:
    """Probes that show the convolutions. How features are flattened makes no difference: they are of one image and are
    only summed up, to one number. In the last probe some features are above 6, where ReLU6 ends."""
    params = sizes.draw(6, frame)
    classes, features = params[4].shape
    by_class = torch.linspace(-1, 1.3, classes).double()[:, None]
    params[4] = by_class.expand(classes, features) * (3 / features)
    return [(scale * sizes.images(1, seed), params) for seed, scale in ((7, 1.0), (8, 1.0), (9, 5.0))]


def layout(sizes: Sizes, frame: Frame) -> Probe:
    """A probe that shows how features are flattened. They are positive, so that ReLU does not change them, and each
    kernel is zero except in the middle, so that turning it does not change it."""
    params = sizes.draw(8, frame)
    for i in (0, 2):
        middle = params[i].shape[-1] // 2
        kernel = torch.zeros_like(params[i])
        kernel[:, :, middle, middle] = params[i].abs().amax((2, 3))
        params[i] = kernel
        params[i + 1] = torch.zeros_like(params[i + 1])
    return sizes.images(4, seed=9).abs(), params


def expect_padding(reading: Reading) -> None:
    """Both convolutions leave height and width as they are."""
    numbers_of_features = {reading.net.sizes.features(frame) for frame in reading.fits}
    expect(len(numbers_of_features) == 1).is_true(
        "the scores don't come from the features: any number of them will do"
    )
    x, params = last_layer(reading.net.sizes, reading.frame)
    _, others = summed_features(reading.net.sizes, reading.frame)[0]
    others = [*others]
    others[5] = params[5]  # a copy of the biases is no score
    first, again, other = (reading.net(x, some) for some in (params, params, others))
    expect(agree(first, again) and not agree(first, other)).is_true(
        "the scores don't follow from images and parameters, so no padding can be read off"
    )
    expect(reading.frame == RIGHT or reading.convolution is not None).is_true(
        f"the last layer gets {reading.net.sizes.features(reading.frame)} features, "
        f"not {reading.net.sizes.features(RIGHT)}"
    )
    right = [(k - 1) // 2 for k in reading.net.sizes.kernels]
    for name, wanted, pad, stride, pool in zip(("first", "second"), right, *reading.frame, strict=True):
        expect(pad == wanted).is_true(
            f"the {name} convolution pads by {pad}, not {wanted}: its output has another height and width"
        )
        expect(stride == 1).is_true(f"the {name} convolution moves on by {stride} pixels; it should by one")
        expect(pool == 1).is_true(
            f"after the {name} convolution the largest of {pool} × {pool} features is taken; there is no pooling here"
        )


def expect_raw(reading: Reading) -> None:
    """The last layer's values plus bias are the scores."""
    x, params = last_layer(reading.net.sizes, reading.frame)
    known: dict[str, Any] = {"frame": reading.frame, "biases": reading.net.biases}
    mistakes = {name: scores(x, params, **merged(known, how)) for name, how in ENDINGS.items()}
    expect(reading.net(x, params), "a score").close_to(
        scores(x, params, **known), rtol=1e-3, atol=1e-5, mistakes=mistakes
    )
    _, others = summed_features(reading.net.sizes, reading.frame)[0]
    others = [*others]
    others[5] = params[5]
    seen = not agree(reading.net(x, params), reading.net(x, others))
    expect(seen).is_true("the scores don't depend on the last layer's weights")


def expect_convolutions(reading: Reading) -> None:
    """Convolution, bias and ReLU, twice, are right."""
    if reading.convolution:
        raise CheckFailed(f"a score: {reading.convolution}", cause=reading.convolution)
    for x, params in summed_features(reading.net.sizes, reading.frame):
        known = merged({"frame": reading.frame, "biases": reading.net.biases}, reading.ending)
        expect(reading.net(x, params), "a score").close_to(scores(x, params, **known), rtol=1e-3, atol=1e-5)
    reading.net.expect_all_units()


def expect_gradients(student: Student) -> None:
    """Gradients reach every parameter on which the scores of `three_layer_convnet` depend."""
    reading = read(FunctionNet(student))
    sizes = reading.net.sizes
    x, params = sizes.images(2, seed=1).float(), [value.float() for value in sizes.draw(42, reading.frame)]
    scores = numbers(student.three_layer_convnet(x, params), "the scores")
    upstream = torch.randn(scores.shape, generator=generator(43))
    _, *gradients = student.three_layer_convnet.gradients(x, params, upstream=upstream).inputs
    for i, gradient in enumerate(gradients):
        if gradient is None:
            others = [value + 1.0 if i == j else value for j, value in enumerate(params)]
            matters = not agree(numbers(student.three_layer_convnet(x, others), "the scores"), scores)
            name = f"the {'bias' if i % 2 else 'weight'} of layer {i // 2 + 1}"
            expect(not matters).is_true(
                f"no gradient reaches {name}: no torch.no_grad, detach or .data on the way"
            )


def expect_layout(reading: Reading) -> None:
    """Features are flattened image by image, in the order channel, row, column."""
    x, params = layout(reading.net.sizes, reading.frame)
    known = reading.stages
    got = reading.net(x, params)
    if reading.convolution is None and pixels_stay(reading):
        return
    if "swapped" in known and not agree(got, scores(x, params, **known)):  # it may be the kernels
        del known["swapped"]
    mistakes = {name: scores(x, params, **known, flatten=f) for name, f in LAYOUTS.items()}
    expect(got, "a score").close_to(scores(x, params, **known), rtol=1e-3, atol=1e-5, mistakes=mistakes)


def pixels_stay(reading: Reading) -> bool:
    """Whether a bright pixel of one image in a batch changes that image's scores, by the features at its own place or
    diagonally beside it. It is so whatever the convolutions do to the values, if features are flattened in order."""
    sizes, frame = reading.net.sizes, reading.frame
    x, params = layout(sizes, frame)
    high, wide = sizes.map(frame)
    less = sum(k - 1 - 2 * pad for k, pad in zip(sizes.kernels, frame.pads, strict=True))
    scale = math.prod(frame.strides + frame.pools)
    params[5] = torch.zeros_like(params[5])
    for n, row, column in ((1, min(2, high - 1), max(wide - 4, 0)), (2, max(high - 4, 0), min(3, wide - 1))):
        # Five classes see one place each, the sixth the mean of all others.
        places = torch.zeros(sizes.classes, sizes.second, high, wide, dtype=torch.float64)
        places[5] = 1 / places[5].numel()
        for k, (i, j) in enumerate((row + off, column + off) for off in range(-2, 3)):
            if 0 <= i < high and 0 <= j < wide:
                places[k, :, i, j], places[5, :, i, j] = 1, 0
        params[4] = places.flatten(1)
        bright = x.clone()
        bright[n, :, scale * row + less // 2, scale * column + less // 2] += 20
        try:
            change = (reading.net(bright, params) - reading.net(x, params)).abs()
        except CheckFailed:
            return False
        largest = float(change[n, :5].max())
        change[n, :5] = 0
        if largest < max(1e-3, 2 * float(change.max())):
            return False
    return True


def expect_network(value: Any) -> Model:
    """What a class or function of the student's made is a network."""
    if not isinstance(value, Model):
        raise CheckFailed(f"expected a network, found {returned(value)}")
    return value


def expect_parameters(model: Model, wanted: Sizes) -> None:
    """The network's parameters are exactly the weights and biases of its three layers."""
    with contextlib.suppress(CheckFailed):  # gives lazy layers their parameters
        expect_network(model).forward(wanted.images(2, seed=1).float())
    shapes = [tuple(value.shape) for value in expect_network(model).state().values()]
    expect(bool(shapes)).is_true(UNREGISTERED)
    fits = [wanted.shapes(frame) for frame in FRAMES]  # another check judges the padding
    if any(sorted(map(math.prod, shapes)) == sorted(map(math.prod, known)) for known in fits):
        return
    left = list(map(math.prod, shapes))
    arguments = f"in_channel={wanted.channels}, channel_1={wanted.first}, channel_2={wanted.second}"
    for role, shape in zip(
        ("the weight of the first convolution", "its bias", "the weight of the second", "its bias"),
        fits[0],
        strict=False,
    ):
        if math.prod(shape) not in left:
            raise CheckFailed(f"with {arguments} there is no parameter of shape {shape}, {role}")
        left.remove(math.prod(shape))
    raise CheckFailed(
        f"with {arguments}, num_classes={wanted.classes} its parameters have the shapes {shorten(shapes, 160)}"
    )


# -- initial values --------------------------------------------------------------------------------------


def weights(value: Any, name: str, shape: Sequence[int]) -> Tensor:
    """A weight of this shape, as float64."""
    expect(w := numbers(value, name), name).has_shape(*shape)
    return w


def spread(value: Any, name: str, shape: Sequence[int]) -> float:
    """The variance of random weights around 0.

    Raises:
        CheckFailed: they have another shape, another mean, or hardly differ from unit to unit.
    """
    w = weights(value, name, shape)
    variance = float(w.var())
    expect(variance > 0).is_true(f"{name} is the same number everywhere: units that start alike stay alike")
    rows = w.reshape(len(w), -1)
    expect(float((rows - rows[:1]).abs().max()) > 0).is_true(f"{name}: all units start alike")
    mean = abs(float(w.mean()))
    expect(mean < 6 * math.sqrt(variance / w.numel())).is_true(f"{name} has mean {mean:.3g}: it should be 0")
    return variance


def fans(shape: Sequence[int]) -> dict[str, float]:
    """Variances of known wrong initialisations of a weight (out, in, …), by what is wrong about them."""
    kernel = math.prod(shape[2:])
    inputs, outputs = shape[1] * kernel, shape[0] * kernel
    wrong = {
        "the fan-out (filters × kernel) takes the place of the fan-in": 2 / outputs,
        "the fan-in leaves out the kernel: every number that a unit sees counts": 2 / shape[1],
        "the fan-in is the first size of the shape, but the shape is (out, in, …)": 2 / shape[0],
        "all sizes are multiplied; a unit only sees the last ones": 2 / math.prod(shape),
        "the variance is 1/fan-in; ReLU loses half, so it takes 2/fan-in": 1 / inputs,
        "the variance is 2/(fan-in + fan-out), as Glorot's": 2 / (inputs + outputs),
        "the square root is missing: 2/fan-in is the variance, not the standard deviation": (2 / inputs) ** 2,
        "2/fan-in is missing: the variance is 1": 1.0,
        "uniform numbers from 0 or -1 to 1 are scaled; their variance is not 1": 2 / inputs / 3,
    }
    return {meaning: value for meaning, value in wrong.items() if abs(value * inputs / 2 - 1) > 0.3}


def expect_drawn(draw: Callable[[], Any], name: str, shape: Sequence[int]) -> None:
    """Weights have mean 0, differ from unit to unit and from call to call. They may be normal or uniform."""
    w = weights(draw(), name, shape)
    spread(w, name, shape)
    again = weights(draw(), name, shape)
    expect(bool((w != again).any())).is_true(
        f"{name} gives the same numbers in each call: without a seed of its own, layers start differently"
    )


def expect_kaiming(draw: Callable[[], Any], name: str, shape: Sequence[int]) -> None:
    """Weights have variance 2/fan-in around 0, up to a tenth, on average over some calls: where units share their
    numbers, a single one says little."""
    drawn = [weights(draw(), name, shape) for _ in range(8)]
    variance, right = sum(float(w.square().mean()) for w in drawn) / len(drawn), 2 / math.prod(shape[1:])
    if abs(variance / right - 1) < 0.1:
        return
    for meaning, wrong in fans(shape).items():
        if abs(variance / wrong - 1) < 0.1:
            raise CheckFailed(f"{name}: {meaning}", cause=meaning)
    raise CheckFailed(
        f"{name} of shape {tuple(shape)} has variance {variance:.3g}, not 2/{math.prod(shape[1:])} = {right:.3g}"
    )


def starting_values(seed: int) -> list[Tensor]:
    """Initial parameters as `init_params` should give them, float32."""
    params = [value if i % 2 == 0 else 0 * value for i, value in enumerate(CIFAR.draw(seed))]
    params[4] = params[4] / 10
    return [value.float() for value in params]


def initial(student: Student) -> list[Tensor]:
    """What `init_params` gives: six tensors in the order of the layers, if their shapes tell it. (Another check judges
    in what order and in what they come.)

    Raises:
        CheckFailed: it gives something else.
    """
    params = student.init_params()
    if isinstance(params, dict):
        params = list(params.values())
    elif isinstance(params, Model):
        params = list(params.state().values())
    expect(isinstance(params, list | tuple) and len(params) == 6).is_true(
        "init_params should return a list of six tensors: weight and bias of each layer"
    )
    if all(isinstance(value, Tensor) for value in params):
        found, wanted = [tuple(value.shape) for value in params], CIFAR.shapes()
        if sorted(found) == sorted(wanted):
            params = [params[found.index(shape)] for shape in wanted]
    names = ("conv_w1", "conv_b1", "conv_w2", "conv_b2", "fc_w", "fc_b")
    values = [numbers(value, name) for value, name in zip(params, names, strict=True)]
    sizes = [float(value.std()) if value.numel() > 1 else 0.0 for value in values[::2]]
    alike = max(sizes) <= 1.1 * min(sizes) and any(bool(bias.any()) for bias in values[1::2])
    expect(max(sizes) > 1e-6 and not alike).is_true(
        "all six tensors are filled alike: weights are random, by their fan-in, and biases zero"
    )
    return values


def expect_shapes(params: Sequence[Any]) -> None:
    """Six parameters of the right shapes."""
    for i, (value, shape) in enumerate(zip(params, CIFAR.shapes(), strict=True)):
        got = tuple(numbers(value, "a parameter").shape)
        name = f"the {'bias' if i % 2 else 'weight'} of layer {i // 2 + 1}"
        exchanged = len(shape) > 1 and got == (shape[1], shape[0], *shape[2:])
        hint = ": inputs and outputs are exchanged, it is (out, in, …)" if exchanged else ""
        expect(got == shape).is_true(f"{name} has shape {got}, not {shape}{hint}")


def expect_start(student: Student, params: Sequence[Tensor], layer: int, factor: float) -> None:
    """A layer's weights have the variance of `random_weight`, the right one or the student's, times a factor.

    Args:
        layer: 0 to 2.
    """
    value = params[2 * layer]
    name = f"the weight of layer {layer + 1}"
    shape = tuple(value.shape)
    variance = spread(value, name, shape) / factor**2
    right = 2 / math.prod(shape[1:])
    if abs(variance / right - 1) < 0.25:
        return
    try:
        own = spread(student.random_weight(shape), "random_weight", shape)
        if abs(variance / own - 1) < 0.25:
            return
    except CheckFailed:
        own = right
    if factor != 1 and min(abs(variance * factor**2 / size - 1) for size in (right, own)) < 0.25:
        raise CheckFailed(
            f"{name} is not made smaller: it should be {factor:g} times what random_weight gives"
        )
    raise CheckFailed(f"{name} has variance {variance * factor**2:.3g}, not {right * factor**2:.3g}")


# -- training --------------------------------------------------------------------------------------------

LOSSES: dict[str, Loss] = {
    "": F.cross_entropy,
    "the softmax is taken twice: cross_entropy wants raw scores": lambda z, y: F.cross_entropy(
        z.softmax(1), y
    ),
    "the batch's losses are summed, not averaged": lambda z, y: F.cross_entropy(z, y, reduction="sum"),
    "nll_loss wants log-softmax, not scores": F.nll_loss,
}


class Regression(NamedTuple):
    """Softmax regression to be trained: weights (4, 6), biases (4,), inputs (15, 6), classes (15,), in batches of 4."""

    weight: Tensor
    bias: Tensor
    x: Tensor
    y: Tensor

    def after(self, lr: float, *, loss: Loss = F.cross_entropy, momentum: float = 0.0, **how: Any) -> Tensor:
        """Weights (4, 7), biases last, after training by `softmax_regression_by_sgd` with these arguments."""
        how = {"epochs": 1} | how
        return softmax_regression_by_sgd(
            self.weight, self.bias, self.x, self.y, batch=4, lr=lr, momentum=momentum, loss=loss, **how
        )

    @property
    def start(self) -> Tensor:
        """Weights (4, 7) before training, biases last."""
        return torch.cat([self.weight, self.bias[:, None]], 1)

    def at(self, weights: Tensor) -> Regression:
        """The same with other weights (4, 7) to start from."""
        return self._replace(weight=weights[:, :-1], bias=weights[:, -1])

    def rows(self, n: int) -> Regression:
        """The same with the first n inputs only."""
        return self._replace(x=self.x[:n], y=self.y[:n])

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.x.split(4), self.y.split(4), strict=True))


def regression(seed: int) -> Regression:
    draw = generator(seed)
    weight, bias = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in ((4, 6), (4,)))
    x = torch.randn(15, 6, generator=draw, dtype=torch.float64)
    return Regression(weight, bias, x, torch.randint(4, (15,), generator=draw))


def joined(params: Any) -> Tensor:
    """Weight (4, 6) and bias (4,) as one (4, 7).

    Raises:
        CheckFailed: they are something else.
    """
    expect(isinstance(params, list | tuple) and len(params) == 2).is_true("two parameters should come back")
    weight, bias = (numbers(value, "a parameter") for value in params)
    expect(weight, "the weight").has_shape(4, 6)
    expect(bias, "the bias").has_shape(4)
    return torch.cat([weight, bias[:, None]], 1)


def stepped(
    student: Student, params: Sequence[Tensor], batches: Sequence[Any], lr: float
) -> tuple[list[Tensor], list[Any]]:
    """Parameters after a `train_step` for each batch, and the losses it returned. All is float32, as images are.

    Args:
        params: weight and bias of the regression, or several such pairs, which are added up.
    """
    single = [value.float() for value in params], [(x.float(), y) for x, y in batches]
    after, losses = student.rehearse_steps(*single, lr)
    return list(after), list(losses)


STAYED = (
    "the parameters never change: backward() comes first, then the update in place, `p -= …`; "
    "`p = p - …` makes another tensor"
)


def expect_step(student: Student, c: Regression) -> None:
    """One step is θ - lr · ∇ of the batch's mean cross-entropy, for every parameter."""
    for lr in (0.1, 0.3):
        got = joined(stepped(student, (c.weight, c.bias), c.batches()[:1], lr)[0])
        one = slice(1)
        start = torch.cat([c.weight, c.bias[:, None]], 1)
        right = c.after(lr, only=one)
        weight_only, bias_only = start.clone(), start.clone()
        weight_only[:, :-1], bias_only[:, -1] = right[:, :-1], right[:, -1]
        mistakes: dict[str, Any] = {
            STAYED: start,
            **{what: c.after(lr, only=one, loss=loss) for what, loss in LOSSES.items() if what},
            "the step goes uphill: subtract the gradient": 2 * start - right,
            "only the weight moves: every parameter in the list takes a step": weight_only,
            "only the bias moves: every parameter in the list takes a step": bias_only,
            "the argument lr is not used": start + (right - start) / lr,
            "the step is made twice": c.after(lr, only=one, repeat=2),
        }
        try:
            expect(got, "a parameter after one step").close_to(right, mistakes=mistakes)
        except CheckFailed as failure:
            share = share_of_step(c, lr, got)
            if share is None or any(what in str(failure) for what in mistakes):
                raise
            raise CheckFailed(
                f"with lr = {lr:g} the step is {share:.3g} times as long as lr times the gradient"
            ) from None
    pairs = [value / 3 for _ in range(3) for value in (c.weight, c.bias)]
    after = stepped(student, pairs, c.batches()[:1], 0.3)[0]
    for n in range(3):
        moved = (
            3 * joined(pairs[2 * n : 2 * n + 2])
            + joined(after[2 * n : 2 * n + 2])
            - joined(pairs[2 * n :][:2])
        )
        expect(close(moved, right)).is_true(
            "of six parameters some take no step, or a wrong one: every parameter in the list takes a step"
        )


def expect_cleared(student: Student, c: Regression) -> None:
    """Three steps in one call are three steps in three calls: no gradients of the batch before are left."""
    start: list[Tensor] = [c.weight, c.bias]
    together = joined(stepped(student, start, c.batches(), 0.2)[0])
    expect(differ(together, joined(start), rtol=1e-5, atol=1e-6) > 0).is_true(STAYED)
    single = start
    for batch in c.batches():
        single = stepped(student, single, [batch], 0.2)[0]
    if differ(joined(single), joined(start), rtol=1e-5, atol=1e-6) == 0:
        # The step uses the batch before's gradients: `expect_step` judges that.
        late = differ(together, c.after(0.2, stale=True), rtol=1e-4, atol=1e-5) == 0
        expect(late).is_true("the first step changes nothing: backward() has to come before it")
        return
    expect(differ(together, joined(single), rtol=1e-4, atol=1e-5) == 0).is_true(
        "old gradients pile up: clear every p.grad after the step (or before backward)"
    )


def expect_run(student: Student, model: Model, loader: Any) -> None:
    """`accuracy` runs the model, a linear one, on the loader's images."""
    ran = "linear" in student.accuracy.used(model, loader)
    expect(ran).is_true("`accuracy` does not run the model on the loader's images")


def expect_losses(student: Student, c: Regression) -> None:
    """`train_step` returns the batch's loss before the step, by the loss function that the student trains with."""
    after, losses = stepped(student, (c.weight, c.bias), c.batches()[:1], 0.1)
    way = (c.start - joined(after)) / 0.1  # the gradient that was used

    def loss(weights: Tensor) -> Any:
        return stepped(student, (weights[:, :-1], weights[:, -1]), c.batches()[:1], 0.1)[1][0]

    try:
        expect_first_loss(losses[0], c)
    except CheckFailed:
        right_way = close(joined(after), c.after(0.1, only=slice(1)))
        if right_way or not descends(loss, c.start, way):
            raise


def descends(loss: Callable[[Tensor], Any], weights: Tensor, gradient: Tensor) -> bool:
    """Whether a loss, which is not that of the text, is the one that has this gradient: by differences along it."""
    length = float(gradient.norm())
    if length == 0:
        return False
    up, down = (numbers(loss(weights + h * gradient / length), "the loss") for h in (0.05, -0.05))
    return up.numel() == down.numel() == 1 and abs(float((up - down).sum()) / 0.1 - length) < 0.02 * length


def expect_first_loss(value: Any, c: Regression, trained_on: Loss = F.cross_entropy) -> None:
    """The value is the first batch's loss before training, a number."""
    z, y = c.x[:4] @ c.weight.T + c.bias, c.y[:4]
    expect(value is not None).is_true(f"the loss that `train_step` returns is {returned(None)}")
    got = numbers(value, "the loss")
    expect(got.numel() == 1).is_true(
        f"the loss that is returned has shape {tuple(got.shape)}: return one number"
    )
    expect(got.reshape(()), "the loss that is returned").close_to(
        trained_on(z, y), mistakes={what: loss(z, y) for what, loss in LOSSES.items() if what}
    )


def trained(student: Student, c: Regression, lr: float, epochs: int = 1) -> tuple[Tensor, Any]:
    """Weights (4, 7), biases last, after the student's `train`, and what it returned."""
    state = {"0.weight": c.weight.float(), "0.bias": c.bias.float()}
    model = student.make_network(("Linear", 6, 4), state=state)
    optimizer = student.plain_sgd(model, lr)
    more = () if epochs == 1 else (epochs,)  # one epoch is the default
    losses = student.train(model, optimizer, student.make_loader(c.x.float(), c.y, batch=4), *more)
    after = model.state()
    return torch.cat([after["0.weight"], after["0.bias"][:, None]], 1), losses


def gathered(c: Regression, lr: float, size: int, mean: bool, rest: bool) -> Tensor:
    """Weights (4, 7) after an epoch in which every step takes the gradients of `size` batches.

    Args:
        mean: whether they are averaged, not added.
        rest: whether a last step takes the batches that are left over.
    """
    w, batches = c.start, c.batches()
    for first in range(0, len(batches), size):
        group = batches[first : first + size]
        if len(group) == size or rest:
            steps = [w - c.at(w)._replace(x=x, y=y).after(1.0) for x, y in group]
            w = w - lr * torch.stack(steps).sum(0) / (size if mean else 1)
    return w


UNTRAINED = "the weights never change: backward() or step() is missing, or zero_grad() is between them"
GATHERED = "one step takes the gradients of {} batches: clear, backward and step for every batch"


def expect_sgd(student: Student, c: Regression) -> None:
    """`train` makes one step for every batch, in every epoch, with the optimizer it is given."""

    def mistakes(lr: float, epochs: int) -> dict[str, Any]:
        known = {
            UNTRAINED: c.after(lr, epochs=0),
            "old gradients pile up: optimizer.zero_grad() is missing": c.after(
                lr, epochs=epochs, clear="never"
            ),
            "gradients are cleared once an epoch, not for every batch": c.after(
                lr, epochs=epochs, clear="epoch"
            ),
            "the step uses the batch before's gradients: step() comes before backward()": c.after(
                lr, epochs=epochs, stale=True
            ),
            **{what: c.after(lr, epochs=epochs, loss=loss) for what, loss in LOSSES.items() if what},
            "the loss is made larger, not smaller": c.after(
                lr, epochs=epochs, loss=lambda z, y: -F.cross_entropy(z, y)
            ),
            "every batch is used for two steps": c.after(lr, epochs=epochs, repeat=2),
            "only the last batch of each epoch is used": c.after(lr, epochs=epochs, only=slice(-1, None)),
            "only the first batch of each epoch is used": c.after(lr, epochs=epochs, only=slice(1)),
            "the argument epochs is not used": c.after(lr, epochs=1),
            "one epoch is missing": c.after(lr, epochs=epochs - 1),
            "there is an epoch too many": c.after(lr, epochs=epochs + 1),
        }
        if epochs == 1:
            known |= {
                GATHERED.format({2: "two", 3: "three", 4: "all"}[size]): gathered(c, lr, size, mean, rest)
                for size in (2, 3, 4)
                for mean in (True, False)
                for rest in (True, False)
            }
        return known

    for lr, epochs in ((0.2, 1), (0.3, 3)):
        got, right = trained(student, c, lr, epochs)[0], c.after(lr, epochs=epochs)
        known = mistakes(lr, epochs)
        try:
            expect(got, "a weight after training").close_to(right, mistakes=known)
        except CheckFailed as failure:
            if UNTRAINED in str(failure) and not close(trained(student, c, lr, 2)[0], c.after(lr, epochs=0)):
                raise CheckFailed(
                    "a weight after training for one epoch: it has not changed; for two, it has"
                ) from None
            if any(what in str(failure) for what in known):
                raise
            raise CheckFailed(unlike_sgd(student, c, lr, epochs) or str(failure)) from None


def unlike_sgd(student: Student, c: Regression, lr: float, epochs: int) -> str:
    """What is wrong about a training whose weights no known mistake explains, found by training on less; empty if
    nothing is found."""
    # With one label for all, images and labels can't be mixed up.
    alike = c._replace(y=torch.full_like(c.y, 2))
    if close(trained(student, alike, lr, epochs)[0], alike.after(lr, epochs=epochs)):
        return "images and labels come apart: with one label for all the training is right, otherwise not"
    first = share_of_step(c, lr, trained(student, c.rows(4), lr)[0])
    if first is None:
        return "the first step does not go along the gradient of the batch's mean cross-entropy"
    if abs(first - 1) > 1e-3:
        other = share_of_step(c, lr / 2, trained(student, c.rows(4), lr / 2)[0])
        if other is not None and abs(other - 2 * first) < 1e-2 * abs(first):
            return "the steps are the same whatever the optimizer's learning rate: use the optimizer that is given"
        return f"a step is {first:.3g} times the learning rate times the gradient"
    later = c.at(c.rows(4).after(lr))
    if epochs == 1:  # the second step of this epoch
        later = later._replace(x=c.x[4:8], y=c.y[4:8])
        second = share_of_step(later, lr, trained(student, c.rows(8), lr)[0])
        where, than = "the second batch", "the first batch's"
    else:  # the first step of the next epoch
        second = share_of_step(later, lr, trained(student, c.rows(4), lr, epochs=2)[0])
        where, than = "the second epoch", "the first epoch's"
    if second is not None and abs(second - 1) > 1e-3:
        return (
            f"the learning rate changes: {where}'s is {second:.3g} times {than}. Leave the optimizer as it is"
        )
    return ""


def close(got: Tensor, want: Tensor) -> bool:
    return differ(got, want, rtol=1e-4, atol=1e-5) == 0


def share_of_step(c: Regression, lr: float, after: Tensor) -> float | None:
    """What multiple of the right step on the first batch leads to these weights (4, 7); None if none does."""
    right, made = c.after(lr, only=slice(1)) - c.start, after - c.start
    share = float((made * right).sum() / right.square().sum())
    return share if differ(made, share * right, rtol=1e-3, atol=1e-5) == 0 else None


def expect_trained_in_train_mode(student: Student) -> None:
    """Every batch of every epoch is trained on in training mode: with a dropout of everything only biases can learn."""
    c = regression(15)

    def learns_weights(c: Regression, batch: int, epochs: int) -> bool:
        model = student.make_network(
            ("Dropout", 1.0), ("Linear", 6, 4), state={"1.weight": c.weight.float(), "1.bias": c.bias.float()}
        )
        loader, before = student.make_loader(c.x.float(), c.y, batch=batch), model.state()["1.weight"]
        student.mode_after(model, loader, False)  # leaves the model in evaluation mode
        student.train(model, student.plain_sgd(model, 0.1), loader, epochs)
        if torch.equal(before, after := model.state()["1.weight"]):
            return False
        model.load(
            {"1.weight": c.weight.float(), "1.bias": c.bias.float()}
        )  # weights may decay without images, too
        dark = student.make_loader(0 * c.x.float(), c.y, batch=batch)
        student.mode_after(model, dark, False)
        student.train(model, student.plain_sgd(model, 0.1), dark, epochs)
        return not torch.equal(after, model.state()["1.weight"])

    expect(train_moves(student)).is_true("train changes no weights yet")
    expect(not learns_weights(c, 4, 1)).is_true(
        "a model that comes in evaluation mode is trained in it: model.train() is missing"
    )
    expect(not learns_weights(c, 4, 3)).is_true(
        "after the first epoch the model is trained in evaluation mode: model.train() at the start of every epoch"
    )
    many = c._replace(x=c.x.repeat(30, 1), y=c.y.repeat(30))
    expect(not learns_weights(many, 1, 1)).is_true(
        "in an epoch of 450 batches some are trained on in evaluation mode: model.train() after every look at accuracy"
    )


def expect_all_losses(student: Student, c: Regression) -> None:
    """`train` returns a loss for every step: that of its batch before the step, at the weights that the student's
    training has reached."""
    c = c._replace(y=torch.full_like(c.y, 2))  # another check judges whether images and labels stay together
    lr = 0.1
    weights, losses = trained(student, c, lr, epochs=2)
    moved = differ(weights, c.start, rtol=1e-6, atol=1e-7) > 0
    expect(moved).is_true("train changes no weights yet")
    losses = numbers(losses, "what train returns")
    reached = [trained(student, c.rows(4 * n), lr)[0] if n else c.start for n in range(5)]
    batches, epochs = list(range(4)), 2
    if losses.ndim == 0 or len(losses) != 8:  # another check judges which steps are made
        batches = [i for i in batches if not close(reached[i], reached[i + 1])]
        epochs = 1 if close(weights, reached[4]) else 2
    count, steps = (len(losses) if losses.ndim else 1), epochs * len(batches)
    what = (
        f"the number of losses, for {steps} steps,"
        if steps < 8
        else "the number of losses, for two epochs of four batches,"
    )
    expect(count, what).equals(steps)
    losses = losses.reshape(count, -1)[:, 0]
    loss = trained_loss(reached[1], c)
    try:
        expect_first_loss(losses[0], c, loss)
    except CheckFailed:
        first = c.rows(4)
        right_way = close(reached[1], first.after(lr))
        if right_way or not descends(
            lambda w: trained(student, first.at(w), lr)[1][0], c.start, (c.start - reached[1]) / lr
        ):
            raise
        return  # the losses that its steps descend
    for place, i in enumerate(batches):
        x, y = c.batches()[i]
        here = [loss(x @ w[:, :-1].T + w[:, -1], y) for w in (*reached[i : i + 2], c.start)]
        expect(any(differ(losses[place], value, rtol=1e-3, atol=1e-5) == 0 for value in here)).is_true(
            f"the loss of step {place + 1} is {float(losses[place]):.4g}; that of its batch is {float(here[0]):.4g}"
        )
    if epochs == 2:
        again = (losses[: steps // 2] - losses[steps // 2 :]).abs().max() > 1e-6
        expect(bool(again)).is_true("the second epoch's losses are those of the first")


def trained_loss(weights: Tensor, c: Regression) -> Loss:
    """The one of LOSSES that explains the weights after a step with learning rate 0.1; by default the right one."""
    for loss in LOSSES.values():
        if differ(weights, c.after(0.1, only=slice(1), loss=loss), rtol=1e-4, atol=1e-5) == 0:
            return loss
    return F.cross_entropy


# Momentum, and whether it is Nesterov's, of optimizers, by what is wrong about them.
OPTIMIZERS: dict[str, tuple[float, bool]] = {
    "": (0.9, True),
    "the momentum is plain, not Nesterov's: nesterov=True": (0.9, False),
    "there is no momentum": (0.0, False),
    **{f"the momentum is {m:g}, not 0.9": (m, True) for m in (0.09, 0.1, 0.5, 0.8, 0.95, 0.99)},
}


def moves(gradients: Sequence[Tensor], momentum: float, nesterov: bool) -> Tensor:
    """Where SGD with learning rate 1 is after these steps from the origin: v ← μv + g, then -(g + μv), or -v if not
    Nesterov's."""
    place, v = torch.zeros_like(gradients[0]), torch.zeros_like(gradients[0])
    for g in gradients:
        v = momentum * v + g
        place = place - (g + momentum * v if nesterov else v)
    return place


def travelled(student: Student, lr: float | None) -> tuple[Tensor, list[Tensor]]:
    """How the student's optimizer changes the parameters in four steps, and the steps' gradients, all as vectors."""
    draw = generator(21)
    shapes = {"0.weight": (3, 5), "0.bias": (3,), "1.weight": (2, 3), "1.bias": (2,)}
    gradients = [[torch.randn(s, generator=draw) for s in shapes.values()] for _ in range(4)]
    start = [torch.randn(s, generator=draw) for s in shapes.values()]
    layers = ("Linear", 5, 3), ("Linear", 3, 2)
    model = student.make_network(*layers, state=dict(zip(shapes, start, strict=True)))
    optimizer = student.nesterov(model) if lr is None else student.nesterov(model, lr)
    expect(isinstance(optimizer, Opaque)).is_true(
        f"`nesterov` returns {returned(optimizer)}, not an optimizer"
    )
    student.steps_with(model, optimizer, gradients)
    one = [torch.cat([value.flatten() for value in step]).double() for step in gradients]
    end = torch.cat([value.flatten() for value in model.state().values()])
    return end - torch.cat([value.flatten() for value in start]).double(), one


def rates(way: Tensor, gradients: Sequence[Tensor]) -> dict[str, float]:
    """Learning rates with which some of OPTIMIZERS explain the change, by what is wrong about them."""
    explained_by = {}
    for wrong, (momentum, nesterov) in OPTIMIZERS.items():
        unit = moves(gradients, momentum, nesterov)
        lr = float(way @ unit / (unit @ unit))
        if lr > 0 and differ(way, lr * unit, rtol=1e-4, atol=1e-6) == 0:
            explained_by[wrong] = lr
    return explained_by


def expect_nesterov(student: Student) -> None:
    """`nesterov` makes an optimizer that does SGD with Nesterov momentum 0.9, at any learning rate."""
    way, gradients = travelled(student, 0.1)
    expect(bool(way.any())).is_true("the weights never change: give the optimizer model.parameters()")
    known = rates(way, gradients)
    expect("" in known).is_true(
        next(
            iter(known),
            "four steps don't end where SGD with Nesterov momentum 0.9 does, at any learning rate",
        )
    )


def expect_rate(student: Student) -> None:
    """The learning rate of `nesterov` is its argument, by default 0.01, with any momentum or optimizer."""
    travels = {lr: travelled(student, lr) for lr in (0.1, 0.01, None)}
    large, small, default = (way for way, _ in travels.values())
    expect(bool(large.any())).is_true("the weights never change: give the optimizer model.parameters()")
    known = {lr: rates(*travels[lr]) for lr in (0.1, None)}
    if not all(known.values()):  # its steps are judged by another check
        expect(not close(large, small)).is_true("the steps are the same with lr=0.1 and with lr=0.01")
        expect(close(default, small)).is_true("without an argument the steps are not those with lr=0.01")
        return
    for lr, explained_by in known.items():
        asked = f"with lr={lr:g}" if lr else "without an argument"
        found = next(iter(explained_by.values()))
        expect(found, f"the learning rate {asked}").close_to(lr or 0.01, rtol=1e-2)


# -- accuracy --------------------------------------------------------------------------------------------

STEPS, RATES = 200, (0.01, 0.002)  # of our own training runs; the small rate is for networks with a mistake
FLOOR = 0.2  # accuracy that a network reaches by it if it learns anything; guessing gives 0.1


def accuracy_on_test(model: Model) -> float:
    """The share of the test images that a model classifies correctly, by labels that only the referee has."""
    images, labels = held_out.cifar_10()
    guesses = torch.cat([model.predict(normalised(part)) for part in images.split(1000)])
    return float((guesses == labels).double().mean())


def labelled_images(split: str, n: int) -> tuple[Tensor, Tensor]:
    """The first n images of a split as a network's input, float32 (n, 3, 32, 32), and their labels (n,)."""
    data = CIFAR10("./data", split)  # type: ignore[arg-type]
    return normalised(data.images[:n]), data.labels[:n]


def expect_accuracy(
    trained: Any,
    fresh: Callable[[], Any],
    learns: Callable[[], bool],
    thresholds: Mapping[str, float],
    name: str,
) -> None:
    """The trained network reaches the threshold on the test images.

    Error carried forward: if it does not, but the student's training changes weights, it is enough that a new network
    of the student's learns anything by our training. Other checks judge network and training.

    Args:
        trained: the student's network; None or something else if there is none.
        fresh: makes another one.
        learns: whether the student's training step changes weights.
        thresholds: by `CIFAR10.kind`.
    """
    if not isinstance(trained, Model):
        raise CheckFailed(f"there is no trained `{name}` yet: write network and training, then run that cell")
    threshold, reached = thresholds[CIFAR10("./data", "test").kind], accuracy_on_test(trained)
    if reached >= threshold:
        return
    message = f"its test accuracy is {reached:.3f}, below {threshold:.3f}"
    try:
        learnt = learns()
    except CheckFailed:
        learnt = False
    expect(learnt).is_true(f"{message}, and your training leaves weights as they are")
    x, y = labelled_images("train", 4000)
    ours = 0.0
    for lr in RATES:
        model = expect_network(fresh())
        model.forward(x[:2])  # gives lazy layers their parameters
        model.fit(x, y, steps=STEPS, batch=64, lr=lr, momentum=0.9)
        ours = max(ours, accuracy_on_test(model))
        if ours >= FLOOR:
            return
    expect(ours >= FLOOR).is_true(f"{message}; trained by our loop it is {ours:.3f}, below {FLOOR:g}")


def expect_open_accuracy(student: Student, level: float, seen: dict[str, float]) -> None:
    """The open-ended network's accuracy on the test images reaches the level, less four standard deviations of drawing
    the images.

    Args:
        level: an accuracy from 0 to 1.
        seen: keeps the accuracy for the next level.
    """
    model = student.open_network
    if not isinstance(model, Model):
        raise CheckFailed("there is no `open_network` yet: run the cell that trains or loads it")
    if "accuracy" not in seen:
        seen["accuracy"] = accuracy_on_test(model)
    n = len(CIFAR10("./data", "test"))
    threshold = level - 4 * math.sqrt(level * (1 - level) / n)
    message = f"its test accuracy is {seen['accuracy']:.3f}, below {threshold:.3f}"
    if student.weights_found is not True:
        message += "; no p6_2_open.safetensors was handed in, so it was trained here, on what data there is"
    expect(seen["accuracy"] >= threshold).is_true(message)


def step_moves(student: Student) -> bool:
    """Whether `train_step` changes parameters."""
    c = regression(31)
    after = joined(stepped(student, (c.weight, c.bias), c.batches(), 0.2)[0])
    return differ(after, joined([c.weight, c.bias]), rtol=1e-5, atol=1e-6) > 0


def train_moves(student: Student) -> bool:
    """Whether `train` changes weights, even if it raises an exception later."""
    c = regression(32)
    model = student.make_network(("Linear", 6, 4))
    before = model.state()["0.weight"]
    with contextlib.suppress(CheckFailed):
        student.train(model, student.plain_sgd(model, 0.1), student.make_loader(c.x.float(), c.y, batch=4))
    return not torch.equal(before, model.state()["0.weight"])


# -- networks of any kind --------------------------------------------------------------------------------


def expect_reached(model: Model, x: Tensor) -> None:
    """Gradients reach every parameter on which the scores (N, classes) for these images depend."""
    scores, draw = numbers(expect_network(model).forward(x), "the scores"), generator(41)
    if not agree(numbers(model.forward(x), "the scores"), scores):
        return  # chance has a part in them, so nothing shows what they depend on
    upstream = torch.randn(scores.shape, generator=draw)
    gradients, state = model.gradients(x, upstream=upstream).parameters, model.state()
    for name in [name for name, gradient in gradients.items() if gradient is None]:
        model.load({name: state[name] + torch.randn(state[name].shape, generator=draw)})
        matters = not agree(numbers(model.forward(x), "the scores"), scores)
        model.load({name: state[name]})
        expect(not matters).is_true(
            f"the scores depend on `{printable(name, 60)}`, but no gradient reaches it: forward must not switch "
            "gradients off (torch.no_grad, detach, .data)"
        )


def expect_learns_by_heart(make: Callable[[], Any], wanted: int = 14) -> None:
    """Trained by us, a network classifies most of 20 training images correctly."""
    x, y = labelled_images("train", 20)
    best = 0
    for lr in (0.01, 0.05, 0.002):
        model = expect_network(make()).adopt()
        expect(bool(model.state())).is_true(UNREGISTERED)
        model.forward(x[:2])  # gives lazy layers their parameters
        model.fit(x, y, steps=100, batch=20, lr=lr, momentum=0.9)
        try:
            best = max(best, int((model.predict(x) == y).sum()))
        except CheckFailed as failure:
            if "NaN" not in str(failure):
                raise
        if best >= wanted:
            break
    expect_reached(model, x[:2])
    if best >= wanted:
        return
    raise CheckFailed(
        f"trained by us on 20 images, it classifies {best} of them correctly; it should learn at least {wanted}"
    )


def expect_alone(model: Model) -> None:
    """In eval mode an image's scores depend on that image alone."""
    x, y = labelled_images("train", 24)
    expect_network(model).adopt().expect_weights(x)  # which also gives lazy layers their parameters
    model.fit(x, y, steps=4, batch=24, lr=0.01, momentum=0.9)
    once, again, few = (numbers(model.logits(part), "the scores") for part in (x, x, x[:3]))
    expect(agree(once, again)).is_true(
        "asked twice, it scores an image differently: dropout, or another draw, is active in eval mode"
    )
    expect(not agree(once, once[:1].expand_as(once))).is_true("it scores every image alike")
    expect(agree(once[:3], few)).is_true(
        "in eval mode an image's scores depend on the others in the batch: by statistics of the batch in place of "
        "running ones, or by a reshape that mixes images"
    )


def expect_statistics(model: Model) -> None:
    """Buffers, such as running statistics, change in training mode and not in eval mode."""
    x, _ = labelled_images("train", 24)
    expect_network(model).adopt().expect_weights(x)
    model.forward(x)
    parameters = len(model.state())
    before = model.state()
    model.forward(3 * x + 1)
    after = model.state()
    expect(len(after) == parameters and all(torch.equal(before[n], after[n]) for n in before)).is_true(
        "a look at images in eval mode changes the network's running statistics"
    )
    model.forward(3 * x + 1, training=True)
    trained = model.state()
    frozen = [
        name
        for name in before
        if name.endswith(("running_mean", "running_var")) and torch.equal(before[name], trained[name])
    ]
    expect(not frozen).is_true(
        f"{shorten(', '.join(frozen))} stays as it was in training mode, so eval mode knows nothing about the data"
    )


def expect_unsure(model: Model) -> None:
    """Before training the mean loss is near log 10."""
    x, y = labelled_images("train", 100)
    expect_network(model).expect_weights(x)
    z = numbers(model.logits(x, classes=10, training=True, dropout=False), "the scores")
    loss = float(F.cross_entropy(z, y))
    expect(2.0 <= loss <= 3.0).is_true(
        f"before training the loss is {loss:.3f}; a network that knows nothing yet has about log 10 = 2.303"
    )
