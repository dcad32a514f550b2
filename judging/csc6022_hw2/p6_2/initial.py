"""The values that weights and biases have before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p6_2.network import CIFAR

UNSCALED = "2/fan-in is missing: the variance is 1"


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
        UNSCALED: 1.0,
        "the variance is 1/(3 · fan-in), as that of PyTorch's own layers": 1 / inputs / 3,
        "uniform numbers from 0 or -1 to 1 are scaled; their variance is not 1": 2 / inputs / 3,
    }
    return {meaning: value for meaning, value in wrong.items() if abs(value * inputs / 2 - 1) > 0.2}


def expect_drawn(draw: Callable[[], Any], name: str, shape: Sequence[int]) -> None:
    """Weights are normal around 0 and differ from unit to unit and from call to call."""
    w = weights(draw(), name, shape)
    variance = spread(w, name, shape)
    expect(1e-6 < variance < 1e3).is_true(
        f"{name} has variance {variance:.3g}: no layer starts with such numbers"
    )
    if abs(variance * math.prod(shape[1:]) / 2 - 1) < 0.1:  # another variance has lost its points
        # 1.8 for uniform numbers, 2.4 for normal ones that Keras draws again beyond two standard deviations
        tails = float(w.pow(4).mean()) / variance**2
        expect(2.1 < tails < 3.3).is_true(
            f"{name} gives no normal numbers: the mean of their fourth powers is {tails:.2g} times the square of their "
            "variance, not 3 times"
        )
    again = weights(draw(), name, shape)
    expect(bool((w != again).any())).is_true(
        f"{name} gives the same numbers in each call: without a seed of its own, layers start differently"
    )


def expect_kaiming(
    draw: Callable[[Sequence[int]], Any],
    name: str,
    shape: Sequence[int],
    judged: Sequence[Sequence[int]] = (),
) -> None:
    """Weights have variance 2/fan-in around 0, up to a tenth.

    Args:
        draw: makes weights of a shape.
        judged: shapes with checks of their own. What is wrong about those, too, has lost its points; but a formula has
            to be there.
    """
    variance, wrong = mistake(draw, name, shape)
    right = 2 / math.prod(shape[1:])
    if wrong == "":
        return
    if wrong and wrong != UNSCALED and wrong in [mistake(draw, name, other)[1] for other in judged]:
        return
    if wrong:
        raise CheckFailed(f"{name}: {wrong}", cause=wrong)
    raise CheckFailed(
        f"{name} of shape {tuple(shape)} has variance {variance:.3g}, not 2/{math.prod(shape[1:])} = {right:.3g}"
    )


def mistake(
    draw: Callable[[Sequence[int]], Any], name: str, shape: Sequence[int]
) -> tuple[float, str | None]:
    """The variance around 0 of weights of a shape, and what is wrong about it: "" if nothing, None if that is unknown.

    It is an average over some calls: where units share their numbers, a single one says little.
    """
    drawn = [weights(draw(shape), name, shape) for _ in range(8)]
    variance = sum(float(w.square().mean()) for w in drawn) / len(drawn)
    known = {"": 2 / math.prod(shape[1:]), **fans(shape)}
    return variance, next((what for what, value in known.items() if abs(variance / value - 1) < 0.1), None)


def starting_values(seed: int) -> list[Tensor]:
    """Initial parameters as `init_params` should give them, float32."""
    params = [value if i % 2 == 0 else 0 * value for i, value in enumerate(CIFAR.draw(seed))]
    params[4] = params[4] / 10
    return [value.float() for value in params]


def parameters(student: Student) -> list[Tensor]:
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
