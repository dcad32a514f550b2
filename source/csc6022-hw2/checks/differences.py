"""Central differences of what a student's code computes, which is trusted with float32's precision only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, expect
from chainrule.lesson.checks import differ


def central_differences(f: Callable[[Tensor], float], at: Tensor) -> Tensor:
    """How f changes with each entry of its argument, by central differences: of the shape of `at`.

    >>> central_differences(lambda x: float((x**2).sum()), torch.tensor([1.0, 3.0]).double()).round(decimals=6).tolist()
    [2.0, 6.0]
    """
    units = torch.eye(at.numel()).double().reshape(-1, *at.shape)
    values = [derivative(partial(_moved, f, at, one)) for one in units]
    return torch.tensor(values, dtype=torch.float64).reshape(at.shape)


def _moved(f: Callable[[Tensor], float], at: Tensor, along: Tensor, t: float) -> float:
    return f(at + t * along)


def derivative(f: Callable[[float], float], h: float = 0.02) -> float:
    """The derivative of f at 0 by central differences with two steps, whose errors of order h² cancel. The steps are so
    long that float32 does.

    >>> round(derivative(lambda x: 3 * x), 6)
    3.0
    """
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def expect_differences(own: Tensor, want: Tensor, name: str) -> None:
    """A gradient is what differences give."""
    if differ(own, want, 2e-3, 1e-4) == 0:
        return
    k = ratio(own, want)
    if k is not None:
        raise CheckFailed(f"{name} is {k:.3g} times what differences give, in every entry")
    place = int((own - want).abs().argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(place), own.shape)]
    where = f" at index {index[0] if len(index) == 1 else tuple(index)}"
    raise CheckFailed(
        f"{name} is {own.view(-1)[place]:.4g}{where}, and differences give {want.view(-1)[place]:.4g}"
    )


def ratio(own: Tensor, want: Tensor) -> float | None:
    """The number k ≠ 0 with own = k · want, None if there is none or there are no two entries to see it by."""
    square = float((want**2).sum())
    if own.numel() < 2 or square == 0:
        return None
    k = float((own * want).sum()) / square
    return k if abs(k) > 1e-4 and differ(own, k * want, 2e-3, 1e-4 * abs(k)) == 0 else None


def expect_parts(own: Tensor, want: Tensor, name: str, other: str) -> None:
    """Two values agree; if one is a multiple of the other, the message says so."""
    if differ(own, want, 1e-3, 1e-6) == 0:
        return
    k = ratio(own, want)
    expect(k is None).is_true(f"{name} is {k or 0:.3g} times {other}")
    place = int((own - want).abs().argmax())
    raise CheckFailed(
        f"{name} is {own.view(-1)[place]:.4g} in one entry; {other} is {want.view(-1)[place]:.4g}"
    )
