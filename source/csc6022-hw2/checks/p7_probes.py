"""What the visible checks of problem 7 share: inputs that are the same on every machine, and comparisons."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import Model


def waves(*shape: int, start: int = 1) -> Tensor:
    """Numbers between -1.5 and 1.5 without a pattern that a mistake could share, float64; others for each start."""
    k = torch.arange(math.prod(shape), dtype=torch.float64) + 101 * start
    return 1.5 * (0.37 * k * k).sin().reshape(shape)


def same(got: Any, want: Any, rtol: float = 1e-3, atol: float = 1e-5) -> bool:
    """Whether two results are equal up to float32's precision."""
    return differ(numbers(got, "the result"), numbers(want, "the result"), rtol, atol) == 0


def expect_same(got: Any, want: Any, message: str, rtol: float = 1e-3, atol: float = 1e-5) -> None:
    """Two results are equal.

    Raises:
        CheckFailed: they differ; the message says where they differ most.
    """
    first, second = numbers(got, "the result"), numbers(want, "the result")
    if differ(first, second, rtol, atol) == 0:
        return
    if first.shape != second.shape:
        raise CheckFailed(f"{message}: shape {tuple(first.shape)}, not {tuple(second.shape)}")
    at = tuple(map(int, torch.unravel_index((first - second).abs().argmax(), first.shape)))
    place = f" at {at}" if at else ""
    raise CheckFailed(f"{message}: {first[at]:.4g}{place}, not {second[at]:.4g}")


def expect_module(made: Any, name: str) -> Model:
    """What a class of the student's gives is a module."""
    if not isinstance(made, Model):
        raise CheckFailed(f"`{name}` gives no nn.Module")
    return made


def expect_dropped(got: Tensor, full: Tensor, p: float, what: str) -> None:
    """Each number is 0, or what it is without dropout divided by 1 - p; a share of about p is 0.

    Args:
        got: many numbers, from a pass in train mode.
        full: the same without dropout; where it is zero, nothing is compared.
        what: what should be dropped, for messages.
    """
    known = full.abs() > 1e-3 * full.abs().max()
    got, full = got[known], full[known]
    if not len(full):
        raise CheckFailed(f"without dropout, {what} is 0 everywhere")
    gone = got.abs() < 1e-4 * full.abs()
    share = float(gone.double().mean())
    if not gone.any():
        raise CheckFailed(f"nothing of {what} is dropped in training mode")
    if abs(share - p) > 0.12:
        raise CheckFailed(f"of {what}, a share of {share:.2f} is dropped in training mode, at the rate {p:g}")
    grown = float((got / full)[~gone].mean())
    if not same((got / full)[~gone], torch.full_like(got[~gone], 1 / (1 - p)), rtol=5e-3):
        raise CheckFailed(
            f"what is left of {what} is {grown:.3g} times as large as without dropout; its mean should stay"
        )
