"""6.1c: weight decay in the gradients, which leaves the biases alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError
from judging.csc6022_hw2.p6_1.backprop import ratio
from judging.csc6022_hw2.p6_1.reference import (
    CASES,
    FAINT,
    PARAMETERS,
    RTOL,
    Params,
    case,
    gradients,
    parameters,
)
from judging.csc6022_hw2.p6_1.replaced import LAMBDAS, backprop_is_wrong, flipped, own_gradients, own_or_right


def decay_parts(student: Student, given: Mapping[str, Tensor], repaired: bool) -> Params:
    """What λ adds: the difference of the gradients with two λ. The data's part cancels.

    Raises:
        CheckFailed: it changes from call to call.
    """
    low, high, again = (own_gradients(student, given, lam, repaired) for lam in (*LAMBDAS, LAMBDAS[0]))
    parts = {name: high[name] - low[name] for name in PARAMETERS}
    if any(differ(again[name], low[name], RTOL, FAINT) for name in PARAMETERS):
        raise CheckFailed("the same call twice gives other gradients")
    return parts


def adds_nothing(parts: Params) -> bool:
    """Whether λ changes no gradient."""
    return not any(part.abs().max() > FAINT for part in parts.values())


def expect_decay(student: Student) -> None:
    """λ adds 2λW and 2λv."""
    own_or_right(partial(_expect_decay, student), partial(backprop_is_wrong, student))


def _expect_decay(student: Student, repaired: bool) -> None:
    for sizes in CASES:
        given, N = case(*sizes), sizes[0]
        more = LAMBDAS[1] - LAMBDAS[0]
        parts = decay_parts(student, given, repaired)
        if adds_nothing(parts):
            raise CheckFailed("the gradients do not change with λ: nothing in them has the argument `lam`")
        for name in ("W", "v"):
            own, w = parts[name], given[name]
            expect(own, f'what λ adds to "{name}"').close_to(
                2 * more * w,
                rtol=RTOL,
                atol=1e-8,
                mistakes={
                    "λ for 2λ: the derivative of λw² is 2λw": more * w,
                    "the sign of the decay is turned": -2 * more * w,
                    "the sign of the decay is turned, and it is λ for 2λ": -more * w,
                    "λ sign(w) is the derivative of λ|w|, an L1 penalty": more * w.sign(),
                    "2λ sign(w): an L1 penalty": 2 * more * w.sign(),
                    "2λ/N: the penalty is not divided by N": 2 * more * w / N,
                    "λ/N for 2λ: the penalty is not divided by N": more * w / N,
                    "λ² for λ": 2 * (LAMBDAS[1] ** 2 - LAMBDAS[0] ** 2) * w,
                    "the penalty itself, not its derivative": more * w**2,
                    "the penalty itself, summed up": (more * w**2).sum().expand(w.shape),
                    "these weights are not decayed": 0 * w,
                },
            )


def expect_free_biases(student: Student) -> None:
    """λ leaves the biases' gradients alone."""
    own_or_right(partial(_expect_free_biases, student), partial(backprop_is_wrong, student))


def _expect_free_biases(student: Student, repaired: bool) -> None:
    for sizes in CASES:
        given = case(*sizes)
        parts = decay_parts(student, given, repaired)
        if adds_nothing(parts):  # has lost its points; biases are free if they are computed at all
            _expect_data_part(student, LAMBDAS[0], repaired)
            continue
        for name in ("b", "c"):
            if parts[name].abs().max() > FAINT:
                raise CheckFailed(f'the bias "{name}" is decayed: the penalty is on the weights W and v only')
        if all(ratio(parts[name], torch.ones_like(parts[name])) is not None for name in ("W", "v")):
            raise CheckFailed("what λ adds does not depend on the weights")


def expect_data_part(student: Student) -> None:
    """With other data the gradients change as those of the mean squared error do, right ones or the student's own."""
    try:
        own_or_right(partial(_expect_data_part, student, LAMBDAS[0]), partial(backprop_is_wrong, student))
    except CheckFailed as failure:
        # What λ adds may depend on the data by mistake. It has lost its points; without λ there is the data's part.
        try:
            expect_decay(student)
        except StudentError:
            raise failure from None
        except CheckFailed:
            own_or_right(partial(_expect_data_part, student, 0.0), partial(backprop_is_wrong, student))
            return
        raise


def _expect_data_part(student: Student, lam: float, repaired: bool) -> None:
    for sizes in CASES:
        given = case(*sizes)
        params = parameters(given)
        other = {**given, "X": given["X"].flip(1) * 0.8 + 0.3, "y": given["y"].flip(0) * 0.7 - 1}
        change = [own_gradients(student, data, lam, repaired) for data in (given, other)]
        right = [gradients(params, data["X"], data["y"], 0) for data in (given, other)]
        own: list[Any] = []
        with suppress(CheckFailed):
            own = [call(student.backprop, params, data["X"], data["y"]) for data in (given, other)]
        for name in PARAMETERS:
            got = change[0][name] - change[1][name]
            known = [right[0][name] - right[1][name]]
            try:
                a, b = (alike(numbers(entry(r, name, "backprop"), name), given[name]) for r in own)
                known += [
                    part
                    for part in (a - b, flipped(a - b))
                    if part.abs().max() > FAINT and part.shape == got.shape
                ]
            except (CheckFailed, ValueError, RuntimeError):
                pass
            if all(differ(got, want, RTOL, 1e-8) for want in known):
                if not got.abs().max() > FAINT:
                    reason = "the decay is there in place of the data's gradient: add the two"
                    raise CheckFailed(f'"{name}" does not depend on the data: {reason}')
                raise CheckFailed(f'"{name}": without the decay, it is not what `backprop` gives')
