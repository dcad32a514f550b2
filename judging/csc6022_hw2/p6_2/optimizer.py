"""SGD with Nesterov momentum, recognised by where its steps lead."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chainrule.lesson.checks import differ, expect
from chainrule.lesson.student import Opaque, Student, returned
from judging.csc6022_hw2.p6_2.network import generator
from judging.csc6022_hw2.p6_2.steps import close

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


def travelled(student: Student, lr: float | None, times: float = 1.0) -> tuple[Tensor, list[Tensor]]:
    """How the student's optimizer changes the parameters in four steps, and the steps' gradients, all as vectors.

    Args:
        times: by what the gradients are multiplied.
    """
    draw = generator(21)
    shapes = {"0.weight": (3, 5), "0.bias": (3,), "1.weight": (2, 3), "1.bias": (2,)}
    gradients = [[times * torch.randn(s, generator=draw) for s in shapes.values()] for _ in range(4)]
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
    still, _ = travelled(student, 0.1, times=0.0)
    expect(not still.any()).is_true("without gradients the weights move, too: no weight decay was asked for")
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
