"""Part 5: layer norm and residual connections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7.probes import (
    MODULE_RTOL,
    agree,
    expect_deterministic,
    expect_dropped,
    expect_module,
    generator,
    normal,
)

FEATURES = 5
Norm = Callable[[Tensor], Tensor]


def normalised(x: Tensor, eps: float, axis: Any = -1, correction: int = 0, outside: bool = False) -> Tensor:
    """(x - mean) / √(variance + eps), right or with a known mistake.

    Args:
        axis: what is averaged over, right: the features.
        correction: what is subtracted from the n that divides the variance, right: 0.
        outside: whether eps is added to the root instead of the variance.
    """
    centred = x - x.mean(axis, keepdim=True)
    n = x.numel() / centred.sum(axis, keepdim=True).numel()
    variance = centred.square().sum(axis, keepdim=True) / (n - correction)
    return centred / (variance.sqrt() + eps if outside else (variance + eps).sqrt())


def norm_of(student: Student, *args: Any) -> Model:
    return expect_module(student.LayerNorm(FEATURES, *args), "LayerNorm(features, eps)")


def expect_normalised(student: Student) -> None:
    """Mean 0 and variance 1 over the features, with eps in the root; gain and bias have their initial values."""
    x = 3 * normal(generator(111), 2, 4, FEATURES).float() + 1
    for eps in (1e-6, 0.7):
        d = x.double()
        settings: dict[str, Any] = {
            "the variance is divided by n − 1: take the biased one, divided by n": {"correction": 1},
            "eps is outside the root: √(variance + eps)": {"outside": True},
            "the variance is divided by n − 1 and eps is outside the root": {
                "correction": 1,
                "outside": True,
            },
            "it averages over the batch: average over the features": {"axis": 0},
            "it averages over positions: average over the features": {"axis": 1},
            "it averages over positions and features: over the features only": {"axis": (1, 2)},
            "it averages over everything: over the features only": {"axis": (0, 1, 2)},
            "it averages over batch and positions, as batch norm does": {"axis": (0, 1)},
        }
        mistakes = {meaning: normalised(d, eps, **how) for meaning, how in settings.items()}
        centred = d - d.mean(-1, keepdim=True)
        mistakes |= {
            "the mean is subtracted and nothing else": centred,
            "it is divided by the variance: take its root": centred / (centred.square().mean(-1, True) + eps),
            "eps has no effect": normalised(d, 1e-6),
            "nothing is normalised": d,
        }
        expect(norm_of(student, eps).forward(x), f"the normalised vectors, for eps = {eps:g},").close_to(
            normalised(d, eps), rtol=MODULE_RTOL, mistakes=mistakes
        )


def expect_gain_and_bias(student: Student) -> None:
    """Two parameters, gain and bias: with other values the result is gain · normalised + bias."""
    layer = norm_of(student)
    x = 3 * normal(generator(112), 2, 4, FEATURES).float() + 1
    before = numbers(layer.forward(x), "the result")
    expect(float(before.std()) > 1e-3).is_true("the result is the same everywhere")
    trained = layer.gradients(x, upstream=torch.ones(x.shape)).parameters
    names = [name for name, gradient in trained.items() if gradient is not None]
    if len(names) != 2:
        count = f"{len(names)} parameters, not two" if names else "no parameters"
        raise CheckFailed(f"there are {count}: gain and bias are nn.Parameter, and both are used")
    draw = generator(113)
    gain, bias = normal(draw, FEATURES) + 2, normal(draw, FEATURES)
    shapes = [layer.state()[name].shape for name in names]
    for one, other in (names, names[::-1]):
        if all(shape.numel() == FEATURES for shape in shapes):
            layer.load({one: gain.reshape(shapes[0]), other: bias.reshape(shapes[1])})
            after = numbers(layer.forward(x), "the result")
            if agree(after, gain * before + bias):
                return
    raise CheckFailed(
        "with another gain and bias the result is not gain · normalised + bias, for each feature"
    )


Connection = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]  # of x and a sublayer


def connections(norm: Norm) -> dict[str, Connection]:
    """Ways to connect a sublayer, by what is wrong about them; the right one is first, under ""."""
    return {
        "": lambda x, f: x + f(norm(x)),
        "this is post-norm: normalise what goes into the sublayer, not the sum": lambda x, f: norm(x + f(x)),
        "the residual is missing: add x": lambda x, f: f(norm(x)),
        "there is no normalisation": lambda x, f: x + f(x),
        "x is added after it was normalised: add x itself": lambda x, f: norm(x) + f(norm(x)),
        "what the sublayer gives is normalised, not what it gets": lambda x, f: x + norm(f(x)),
        "both input and sum are normalised: only the input": lambda x, f: norm(x + f(norm(x))),
        "x is subtracted: add it": lambda x, f: f(norm(x)) - x,
        "neither residual nor normalisation": lambda x, f: f(x),
        "the sublayer has no effect": lambda x, f: x,
    }


def norms(student: Student, size: int) -> list[Norm]:
    """Layer norm, the right one and the student's."""

    def own(x: Tensor) -> Tensor:
        return numbers(student.LayerNorm(size).forward(x.float()), "the normalised vectors")

    return [lambda x: normalised(x.double(), 1e-6), own]


def sublayer_of(student: Student, dropout: float = 0.0, size: int = FEATURES) -> Model:
    return expect_module(student.Sublayer(size, dropout), "Sublayer(size, dropout)")


def connected(student: Student) -> tuple[str, Norm] | None:
    """How the student's `Sublayer` connects: the key of `connections`, and the norm; None if not recognised."""
    draw = generator(114)
    weight, bias = normal(draw, FEATURES, FEATURES), normal(draw, FEATURES)
    f = student.make_network(("Linear", FEATURES, FEATURES), state={"0.weight": weight, "0.bias": bias})
    x = 2 * normal(draw, 2, 4, FEATURES).float() + 1
    got = sublayer_of(student).forward(x, f)
    expect(got, "the result").has_shape(*x.shape)
    for norm in norms(student, FEATURES):
        for mistake, connect in connections(norm).items():
            with contextlib.suppress(CheckFailed):
                wanted = connect(x.double(), lambda z: z @ weight.T + bias)
                if agree(numbers(got, "the result"), wanted):
                    return mistake, norm
    return None


def expect_connected(student: Student) -> None:
    """x + sublayer(norm(x))."""
    connection = connected(student)
    if connection is None:
        raise CheckFailed("the result is not x + sublayer(norm(x))")
    mistake, _ = connection
    expect(not mistake).is_true(mistake)


def expect_sublayer_dropped(student: Student) -> None:
    """Dropout acts on the sublayer's result, before it is added, in training mode only."""
    p = 0.3
    rows = normal(generator(115), 30, 20, FEATURES).float()
    x = rows.sign() * (0.5 + rows.abs())
    bias = torch.tensor([2.0, -3.0, 4.0, -5.0, 7.0])
    f = student.make_network(
        ("Linear", FEATURES, FEATURES), state={"0.weight": torch.zeros(FEATURES, FEATURES), "0.bias": bias}
    )
    layer = sublayer_of(student, p)
    without = expect_deterministic(layer, x, f)
    dropped = numbers(layer.forward(x, f, training=True), "the result")
    connection = connected(student)
    full = bias.double().expand_as(dropped)  # what the sublayer gives
    for residual in (x.double(), torch.zeros_like(dropped), norms(student, FEATURES)[1](x)):
        if agree(without, residual + full):
            alive = dropped.abs() > 1e-5
            if residual.any() and float(alive.double().mean()) < 0.95:
                raise CheckFailed("x is dropped as well: only what the sublayer gives")
            expect_dropped(dropped - residual, full, p)
            return
    # With another connection, which `expect_connected` judges, only this can be checked.
    expect(connection is not None and connection[0] != "the sublayer has no effect").is_true(
        "the sublayer has no effect"
    )
    expect(not agree(dropped, without)).is_true("there is no dropout in training mode")
