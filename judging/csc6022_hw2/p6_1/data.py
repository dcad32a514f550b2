"""6.1a: the conditional mean, the inputs and the noise of the data."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import call
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.network import expect_vector
from judging.csc6022_hw2.p6_1.reference import ATOL, NOISE, RTOL, conditional_mean, draw_inputs, means


def expect_conditional_mean(student: Student) -> None:
    for n, seed in ((9, 1), (14, 2)):
        X = draw_inputs(n, seed) / 2
        own = alike(numbers(call(student.conditional_mean, X), "what `conditional_mean` returns"), X[:, 0])
        expect(own, "E[Y | X]").close_to(conditional_mean(X), rtol=RTOL, atol=ATOL, mistakes=means(X))


def own_sample(student: Student, n: int, seed: int) -> tuple[Any, Any]:
    """What the student's `sample` returns, in two parts that are judged apart.

    Raises:
        CheckFailed: it is no pair.
    """
    pair = student.sample(n, seed)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise CheckFailed("`sample` should return two arrays, X and y")
    return pair[0], pair[1]


def own_inputs(student: Student, n: int, seed: int) -> Tensor:
    """X (n, 2) by the student's `sample`.

    Raises:
        CheckFailed: it is something else.
    """
    X = numbers(own_sample(student, n, seed)[0], "X")
    if tuple(X.shape) != (n, 2):
        raise CheckFailed(f"X has shape {tuple(X.shape)}, not {(n, 2)}")
    return X


def expect_inputs(student: Student) -> None:
    """Inputs are independent and standard normal, the same for the same seed and others for another one. Tolerances
    are five standard errors or more."""
    n = 4000
    X = own_inputs(student, n, 11)
    if differ(X, own_inputs(student, n, 11), 0, 1e-12) > 0:
        raise CheckFailed("the same seed gives another X in a second call: start the generator from `seed`")
    if differ(X, own_inputs(student, n, 12), 0, 1e-12) == 0:
        raise CheckFailed("two seeds give the same X: start the generator from `seed`")
    mean, sd = X.mean(0), X.std(0)
    if (mean.abs() > 5 * sd / n**0.5).any():
        raise CheckFailed(
            f"the mean of X is {mean[mean.abs().argmax()]:.2f}, not 0: draw from the standard normal"
        )
    if ((sd - 1).abs() > 0.06).any():
        worst = float(sd[(sd - 1).abs().argmax()])
        raise CheckFailed(f"the standard deviation of X is {worst:.2f}, not 1: draw from the standard normal")
    if abs(float((X[:, 0] * X[:, 1]).mean())) > 5 / n**0.5:
        raise CheckFailed("X1 and X2 are not independent: draw them separately")
    if abs(float((X**4).mean()) - 3) > 0.7:  # 9 standard errors; a uniform distribution has 1.8
        raise CheckFailed("X has the right mean and spread, but is not normally distributed")


def drawn_again(noise: Tensor, X: Tensor) -> bool:
    """Whether the noise (n,) is made of numbers that are in X (n, 2) already, as a second generator from the same seed
    gives them."""
    z, known = noise / NOISE, X.flatten().sort().values
    place = torch.searchsorted(known, z).clamp(1, len(known) - 1)
    near = torch.minimum((z - known[place]).abs(), (z - known[place - 1]).abs())
    return float((near < 1e-9).double().mean()) > 0.5


def expect_noise(student: Student) -> None:
    """y is the conditional mean, right or the student's own, plus noise 0.30 Z."""
    inputs, targets = own_sample(student, 4000, 13)
    X = numbers(inputs, "X")
    X = X.T if len(X) == 2 else X  # the form of X is judged elsewhere
    if X.ndim != 2 or X.shape[1] != 2 or len(X) < 3000:
        raise CheckFailed(
            f"X has shape {tuple(X.shape)}, not (4000, 2), so y cannot be compared with E[Y | X]"
        )
    n = len(X)
    y = expect_vector(numbers(targets, "y"), n, "y")
    residuals = [y - conditional_mean(X)]
    try:
        own = numbers(call(student.conditional_mean, X), "what `conditional_mean` returns")
        residuals.append(y - expect_vector(own, n, "what `conditional_mean` returns"))
    except CheckFailed:
        pass
    message = ""  # about the right conditional mean, if there is one
    for r in residuals:
        sd = float(r.std())
        if sd < 1e-6:
            message = "there is no noise in y, or the same for all points"
        elif abs(sd - math.sqrt(NOISE)) < 0.02:
            message = message or "the variance of the noise is 0.30, its standard deviation should be"
        elif abs(sd - NOISE**2) < 0.005:
            message = message or "the standard deviation of the noise is 0.09: 0.30 is not the variance"
        elif abs(sd - NOISE) > 0.02:  # 6 standard errors
            message = message or f"y varies by {sd:.2f} around E[Y | X], not by 0.30"
        elif abs(float(r.mean())) > 0.03:
            message = message or "the mean of the noise is not 0"
        elif abs(float((r / NOISE).pow(4).mean()) - 3) > 0.8:
            message = message or "the noise has the right spread, but is not normally distributed"
        elif abs(float(torch.corrcoef(torch.stack([r, X[:, 0]]))[0, 1])) > 0.1:
            message = message or "the noise depends on X"
        elif drawn_again(r, X):
            message = (
                message or "the noise is made of the numbers that X has: one generator draws both, in turn"
            )
        else:
            return
    raise CheckFailed(message)
