"""The steps that a training loop should make, by the student's own functions and by right ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import call
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.moves import moves
from judging.csc6022_hw2.p6_1.reference import (
    LAM,
    MOMENTUM,
    PARAMETERS,
    RATE,
    RTOL,
    Params,
    gradients,
    sample,
    step,
)


def data_set(seed: int, n_test: int = 1000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """100 training and `n_test` test points, scaled by the training set's statistics: X, y, X_test, y_test."""
    (X, y), (X_test, y_test) = sample(100, seed), sample(n_test, seed + 5000)
    return (
        (X - X.mean(0)) / X.std(0, correction=0),
        (y - y.mean()) / y.std(correction=0),
        (X_test - X.mean(0)) / X.std(0, correction=0),
        (y_test - y.mean()) / y.std(correction=0),
    )


MANY = 120  # epochs, twelve entries of the history
FEW = 3  # epochs, after which a wrong step has not run away yet


def calls_step(student: Student, data: Sequence[Tensor]) -> bool:
    """Whether `fit` leaves its steps to the student's `step`; it may have an optimizer of its own."""
    start = student.initial(4, 9)
    try:
        _, calls = call(student.fit.call_with, {"step": [[start, start]]}, *data, 4, LAM, FEW, 9)
    except CheckFailed:
        return False
    return bool(calls["step"])


def same_steps(student: Student, X: Tensor, y: Tensor, got: Params, count: int) -> Iterator[bool]:
    """Whether a training ended where the student's own steps do, and where right ones do."""
    yield equal(got, steps(student, X, y, count=count))
    params = {name: numbers(value, name) for name, value in student.initial(4, 9).items()}
    velocity = {name: torch.zeros_like(value) for name, value in params.items()}
    for _ in range(count):
        params, velocity = step(params, velocity, gradients(params, X, y, LAM), RATE, MOMENTUM)
    yield all(differ(alike(got[name], params[name]), params[name], 1e-6, 1e-9) == 0 for name in params)


def equal(one: Params, other: Params) -> bool:
    """Whether two trainings end at the same weights, up to rounding."""
    return one.keys() == other.keys() and all(
        differ(alike(one[name], other[name]), other[name], 1e-9, 1e-12) == 0 for name in one
    )


def steps(
    student: Student, X: Tensor, y: Tensor, lam: float = LAM, keep: bool = True, count: int = FEW
) -> Params:
    """The parameters after some of the student's own steps from `initial(4, 9)`; empty if they give none.

    Args:
        keep: whether each step gets the velocity of the one before, not 0.
    """
    try:
        params = {name: numbers(value, name) for name, value in student.initial(4, 9).items()}
        velocity = still = {name: torch.zeros_like(value) for name, value in params.items()}
        for _ in range(count):
            pair = call(student.step, params, velocity if keep else still, X, y, lam, RATE, MOMENTUM)
            params, velocity = ({name: numbers(v, name) for name, v in part.items()} for part in pair)
    except (CheckFailed, AttributeError, TypeError, ValueError, LookupError):
        return {}
    return params


def step_is_wrong(student: Student) -> bool:
    """Whether the student's `step` gives a wrong result; its own checks judge that."""
    try:
        return not all(move.is_right() for move in moves(student))
    except CheckFailed:
        return False


def repeats_steps(student: Student) -> bool:
    """Whether some epochs of `fit` are as many of the student's own steps from the initial parameters."""
    X, y, *_ = data = data_set(72)
    params = steps(student, X, y)
    try:
        got = call(student.fit, *data, 4, LAM, FEW, 9)[0]
        return bool(params) and all(
            differ(alike(numbers(got[name], name), params[name]), params[name], RTOL, 1e-8) == 0
            for name in PARAMETERS
        )
    except (CheckFailed, AttributeError, TypeError, ValueError, LookupError):
        return False
