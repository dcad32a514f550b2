"""What the checks of gradients share: inputs that are the same on every machine, and slopes to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson.calls import expect_size
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed


def wave(*shape: int, start: float) -> Tensor:
    """Float64 numbers between -1 and 1 of either sign, in no simple order.

    >>> wave(2, start=1.0)
    tensor([0.8415, 0.4274], dtype=torch.float64)
    """
    count = int(torch.tensor(shape).prod())
    return torch.sin(start + 1.7 * torch.arange(count, dtype=torch.float64)).reshape(shape)


def one_hot(label: int, classes: int) -> Tensor:
    """A float64 vector of zeros with a 1 at the label.

    >>> one_hot(1, 3)
    tensor([0., 1., 0.], dtype=torch.float64)
    """
    return torch.eye(classes, dtype=torch.float64)[label]


def shaped(value: Any, name: str, shape: Sequence[int]) -> Tensor:
    """The value in this shape, as float64. A vector may be a row or a column.

    Raises:
        CheckFailed: it has another shape, or is no finite numbers.

    >>> shaped([[1.0], [2.0]], "b", (2,))
    tensor([1., 2.], dtype=torch.float64)
    """
    expect_size(value, name, shape)
    return numbers(value, name).reshape(tuple(shape))


def slopes(function: Callable[..., Tensor], *values: Tensor) -> list[Tensor]:
    """Gradients of a number with respect to each of the values, by automatic differentiation.

    >>> slopes(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
    [tensor([ 3., 12.])]
    """
    with torch.enable_grad():
        leaves = [value.clone().requires_grad_() for value in values]
        return list(torch.autograd.grad(function(*leaves), leaves))


def differences(function: Callable[[Tensor], float], value: Tensor, step: float = 1e-3) -> Tensor:
    """Central differences of a number for each entry of the value. The step suits float32, too.

    >>> differences(lambda x: float((x**2).sum()), torch.tensor([1.0, 2.0], dtype=torch.float64))
    tensor([2.0000, 4.0000], dtype=torch.float64)
    """
    moves = step * torch.eye(value.numel(), dtype=torch.float64).reshape(-1, *value.shape)
    quotients = [(function(value + move) - function(value - move)) / (2 * step) for move in moves]
    return torch.tensor(quotients, dtype=torch.float64).reshape(value.shape)


def expect_slopes(got: Tensor, want: Tensor, name: str, rtol: float = 1e-4, atol: float = 1e-6) -> None:
    """Two gradients of the same shape agree. The message says so if one is a multiple of the other.

    Raises:
        CheckFailed: they don't.

    >>> expect_slopes(torch.tensor([2.0, -4.0]), torch.tensor([1.0, -2.0]), "dW")
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: dW: every entry is 2 times the slope that was measured
    """
    got, want = numbers(got, name), numbers(want, name)
    factor = float((got * want).sum() / (want * want).sum())
    if differ(got, want, rtol, atol) and want.numel() > 1:
        if differ(got, -want, rtol, atol) == 0:
            raise CheckFailed(f"{name}: the sign is turned")
        if abs(factor) > 1e-3 and differ(got, factor * want, rtol, atol) == 0:
            raise CheckFailed(f"{name}: every entry is {factor:.4g} times the slope that was measured")
    expect(got, name).close_to(want, rtol=rtol, atol=atol)
