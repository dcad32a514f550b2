"""What the judges of problem 7 share: random inputs, tolerances, and probes of modules and of their dropout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.apart import Judge
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student

RTOL, ATOL = 1e-4, 1e-6  # for functions, which may compute in float32
MODULE_RTOL, MODULE_ATOL = 1e-3, 1e-5  # for modules, which do


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(draw: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers, float64."""
    return torch.randn(shape, generator=draw, dtype=torch.float64)


def open_mask(seed: int, *shape: int) -> Tensor:
    """A random mask (…, n_q, n_k) in which every row and every column has an open and a closed entry."""
    draw = generator(seed)
    while True:
        mask = torch.rand(shape, generator=draw) < 0.55
        counts = [mask.any(-1), mask.any(-2), ~mask.all(-1), ~mask.all(-2)]
        if all(bool(c.all()) for c in counts):
            return mask


def fails(judges: Iterable[Judge], student: Student) -> bool:
    """Whether one of these judges finds fault, be it that something else stands where a function is expected."""
    try:
        try:
            for judge in judges:
                judge(student)
        except TypeError as error:
            student.expect_callable(error)
            raise
    except CheckFailed:
        return True
    return False


def expect_module(made: Any, name: str) -> Model:
    """What a class or function of the student's returned is a module.

    Raises:
        CheckFailed: it isn't.
    """
    if not isinstance(made, Model):
        raise CheckFailed(f"`{name}` gives no nn.Module")
    return made


def agree(got: Tensor, want: Tensor) -> bool:
    """Whether two results of modules are equal up to float32's precision."""
    return differ(got, want, MODULE_RTOL, MODULE_ATOL) == 0


def expect_deterministic(layer: Model, *inputs: Any) -> Tensor:
    """Two passes in eval mode give the same, though the layer has a dropout.

    Returns:
        Their result, float64.
    """
    first, second = (numbers(layer.forward(*inputs), "the result") for _ in range(2))
    expect(agree(first, second)).is_true(
        "dropout is active in eval mode: use nn.Dropout, which knows the mode"
    )
    return first


def expect_dropped(dropped: Tensor, full: Tensor, p: float) -> None:
    """Dropout at rate p was applied.

    Args:
        dropped: many numbers, from a pass in train mode.
        full: the same without dropout, nowhere zero.
    """
    alive = dropped.abs() > 1e-6 * full.abs().max()
    if bool(alive.all()) and agree(dropped, full):
        raise CheckFailed("there is no dropout in training mode")
    expect(bool(alive.any())).is_true("dropout leaves nothing in training mode")
    share, growth = float(alive.double().mean()), float((dropped / full)[alive].mean())
    swapped = "keep and drop are swapped: the rate is the share that is dropped"
    expect(share, f"the share that dropout leaves, at the rate {p:g},").close_to(
        1 - p, rtol=0, atol=0.06, mistakes={swapped: torch.tensor(share if abs(share - p) < 0.06 else 9.0)}
    )
    expect(growth, "the size of what survives, relative to no dropout,").close_to(
        1 / (1 - p), rtol=0.02, mistakes={"survivors are not divided by 1 − p": 1.0}
    )
