"""Part 5: layer norm and residual connections."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from chainrule.worker.stubs import SHARE
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


def gain_and_bias(student: Student) -> tuple[str, str] | None:
    """The student's names of gain and bias in a layer norm: the bias is the result if the gain is 0."""
    layer = norm_of(student)
    x, state = 3 * normal(generator(112), 2, 4, FEATURES).float() + 1, layer.state()
    names = [name for name, value in state.items() if value.numel() == FEATURES]
    shift = torch.arange(1.0, FEATURES + 1)
    for gain, bias in itertools.permutations(names, 2):
        layer.load({gain: 0 * state[gain], bias: shift.reshape(state[bias].shape)})
        if agree(numbers(layer.forward(x), "the result"), shift.double().expand(x.shape)):
            return gain, bias
        layer.load(state)
    return None


def from_the_start(student: Student, layer: Model) -> Model:
    """The layer, with gain 1 and bias 0 in each of the student's layer norms in it, whatever they start from."""
    with contextlib.suppress(CheckFailed):
        if names := gain_and_bias(student):
            state, (gain, bias) = layer.state(), names
            sizes = {name: value.numel() for name, value in state.items()}
            for norm in [name.removesuffix(gain) for name in state if f".{name}".endswith(f".{gain}")]:
                if sizes[norm + gain] == sizes.get(norm + bias) == FEATURES:
                    ones, zeros = torch.ones_like(state[norm + gain]), torch.zeros_like(state[norm + bias])
                    layer.load({norm + gain: ones, norm + bias: zeros})
    return layer


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
        layer = from_the_start(student, norm_of(student, eps))
        expect(layer.forward(x), f"the normalised vectors, for eps = {eps:g},").close_to(
            normalised(d, eps), rtol=MODULE_RTOL, mistakes=mistakes
        )


def expect_gain_and_bias(student: Student) -> None:
    """Two parameters, gain and bias, that start at 1 and 0: with other values the result is gain · normalised +
    bias."""
    layer = norm_of(student)
    x = 3 * normal(generator(112), 2, 4, FEATURES).float() + 1
    before = numbers(layer.forward(x), "the result")
    expect(float(before.std()) > 1e-3).is_true("the result is the same everywhere")
    trained = layer.gradients(x, upstream=torch.ones(x.shape)).parameters
    names = [name for name, gradient in trained.items() if gradient is not None]
    if len(names) != 2:
        count = f"{len(names)} parameters, not two" if names else "no parameters"
        raise CheckFailed(f"there are {count}: gain and bias are nn.Parameter, and both are used")
    if roles := gain_and_bias(student):
        for role, name, start in zip(("gain", "bias"), roles, (1, 0), strict=True):
            value = layer.state()[name].flatten()
            expect(bool((value == start).all())).is_true(
                f"the {role} starts at {value.tolist()[0]:.3g}, …: it should start at {start} for every feature"
            )
    expect_all_reached(student, x)
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


def expect_all_reached(student: Student, x: Tensor) -> None:
    """The gradient with respect to x (B, n, features) goes through mean and variance, too, if the result is right."""
    layer = from_the_start(student, norm_of(student))
    watched = x.double().requires_grad_()
    right = normalised(watched, 1e-6)
    if not agree(numbers(layer.forward(x), "the result"), right.detach()):
        return  # `expect_normalised` judges that
    upstream = normal(generator(118), *x.shape)
    wanted = torch.autograd.grad(right, watched, upstream)[0]
    got = layer.gradients(x, upstream=upstream.float()).inputs[0]
    expect(got is not None and agree(got, wanted)).is_true(
        "the result is right, its gradient with respect to x is not: mean and variance depend on x, so detach nothing"
    )


STUB = "it gets 0.7 times the input, not normalised"  # as a stub does
Connection = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]  # of x and a sublayer


def connections(norm: Norm) -> dict[str, Connection]:
    """Ways to connect a sublayer, by what is wrong about them; the right one is first, under ""."""
    return {
        "": lambda x, f: x + f(norm(x)),
        "the result is 0, whatever goes in": lambda x, f: torch.zeros_like(x),
        "this is post-norm: normalise what goes into the sublayer, not the sum": lambda x, f: norm(x + f(x)),
        "the residual is missing: add x": lambda x, f: f(norm(x)),
        "there is no normalisation": lambda x, f: x + f(x),
        "x is added after it was normalised: add x itself": lambda x, f: norm(x) + f(norm(x)),
        "what the sublayer gives is normalised, not what it gets": lambda x, f: x + norm(f(x)),
        "both input and sum are normalised: only the input": lambda x, f: norm(x + f(norm(x))),
        "what the sublayer gives is normalised, too: only what it gets": lambda x, f: x + norm(f(norm(x))),
        "x is added twice, once normalised: add x itself, once": lambda x, f: x + norm(x) + f(norm(x)),
        "x is subtracted: add it": lambda x, f: f(norm(x)) - x,
        "neither residual nor normalisation": lambda x, f: f(x),
        "the sublayer has no effect": lambda x, f: x,
        STUB: lambda x, f: x + f(SHARE * x),
    }


def right_norm(x: Tensor) -> Tensor:
    """Layer norm with the gain 1 and the shift 0, in float64."""
    return normalised(x.double(), 1e-6)


def norms(student: Student, size: int) -> list[Norm]:
    """Layer norm, the right one and the student's."""

    def own(x: Tensor) -> Tensor:
        return numbers(
            from_the_start(student, expect_module(student.LayerNorm(size), "LayerNorm")).forward(x.float()),
            "the normalised vectors",
        )

    return [right_norm, own]


def sublayer_of(student: Student, dropout: float = 0.0, size: int = FEATURES) -> Model:
    return from_the_start(student, expect_module(student.Sublayer(size, dropout), "Sublayer(size, dropout)"))


class Connected(NamedTuple):
    """How the student's `Sublayer` connects.

    Attributes:
        mistake: what is wrong about it; empty if it is right.
        connect: the same in float64.
        effective: whether the sublayer has an effect, so that something can follow from it.
    """

    mistake: str
    connect: Connection
    effective: bool = True


def connected(student: Student) -> Connected | None:
    """How the student's `Sublayer` connects; None if not recognised."""
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
                    other = connect(x.double(), lambda z: (z @ weight.T + bias).flip(-1))
                    return Connected(mistake, connect, not agree(other, wanted))
    for norm in norms(student, FEATURES):
        with contextlib.suppress(CheckFailed):
            parts = torch.stack([x.double(), norm(x) @ weight.T + bias], -1)
            a, b = torch.linalg.lstsq(
                parts.flatten(0, 2), numbers(got, "the result").reshape(-1, 1)
            ).solution[:, 0]
            if agree(numbers(got, "the result"), parts @ torch.stack([a, b])):
                return Connected(
                    f"the result has {float(a):.3g} · x + {float(b):.3g} · what the sublayer gives: once each",
                    lambda x, f, norm=norm, a=a, b=b: a * x + b * f(norm(x)),  # type: ignore[misc]
                    abs(float(b)) > 0.05 * max(1, abs(float(a))),
                )
    return None


def expect_connected(student: Student) -> None:
    """x + sublayer(norm(x))."""
    connection = connected(student)
    if connection is None:
        raise CheckFailed("the result is not x + sublayer(norm(x))")
    expect(not connection.mistake).is_true(connection.mistake)


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
    # The sublayer gives the same for every x, so that the rest is known, however often x is added.
    for base in (x.double(), norms(student, FEATURES)[1](x)):
        centred = [value - value.mean((0, 1)) for value in (base, without)]
        residual = base * (centred[0] * centred[1]).sum() / centred[0].square().sum()
        full = (without - residual).mean((0, 1)).expand_as(dropped)
        if agree(without, residual + full) and float(full.abs().min()) > 0.01:
            alive = dropped.abs() > 1e-5
            if agree(residual, 0 * residual):
                residual = 0 * residual
            if residual.any() and float(alive.double().mean()) < 0.95:
                raise CheckFailed("x is dropped as well: only what the sublayer gives")
            expect_dropped(dropped - residual, full, p)
            return
    # With another connection, which `expect_connected` judges, only this can be checked.
    expect(connection is not None or not agree(without, x.double())).is_true("the sublayer has no effect")
    expect(connection is None or connection.effective).is_true("the sublayer has no effect")
    expect(not agree(dropped, without)).is_true("there is no dropout in training mode")
