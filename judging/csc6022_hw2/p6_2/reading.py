"""What a student's network of three layers does: recognised stage by stage, and judged.

`read` finds how much the network pads, what follows its last layer, how it convolves. The weights of each stage's probe
hide the later stages, and the reference has the earlier stages' mistakes (error carried forward, see
`chainrule.judging.derivation`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.lesson.checks import expect, shorten
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p6_2.network import (
    CIFAR,
    FRAMES,
    MODULE,
    RIGHT,
    UNREGISTERED,
    Frame,
    FunctionNet,
    Map,
    ModuleNet,
    Net,
    Sizes,
    agree,
    expect_network,
    generator,
    same,
    scores,
)

Probe = tuple[Tensor, list[Tensor]]  # images and parameters

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
    "the largest score is subtracted from all": {"finish": lambda z: z - z.amax(1, keepdim=True)},
    "the mean of the scores is subtracted": {"finish": lambda z: z - z.mean(1, keepdim=True)},
    "the scores are divided by their length": {"finish": lambda z: F.normalize(z, dim=1)},
    **{
        f"the scores are multiplied by {k:g}": {"finish": lambda z, k=k: k * z}
        for k in (0.01, 0.1, 0.5, 2.0, 10.0, 100.0, -1.0)
    },
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
    reading.net.expect_all_units(reading.frame)


def expect_gradients(student: Student) -> None:
    """Gradients reach every parameter on which the scores of `three_layer_convnet` depend."""
    reading = read(FunctionNet(student))
    sizes = reading.net.sizes
    x, params = sizes.images(2, seed=1).float(), [value.float() for value in sizes.draw(42, reading.frame)]
    scores = reading.net(x, params)
    upstream = torch.randn(scores.shape, generator=generator(43))
    _, *gradients = student.three_layer_convnet.gradients(x, params, upstream=upstream).inputs
    for i, gradient in enumerate(gradients):
        if gradient is None:
            others = [value + 1.0 if i == j else value for j, value in enumerate(params)]
            matters = not agree(reading.net(x, others), scores)
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
