"""6.1b: the sigmoid and the network's outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.lesson.calls import call
from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.reference import ATOL, CASES, RTOL, case, forward, parameters


def expect_vector(value: Tensor, n: int, name: str) -> Tensor:
    """The value as a vector of n numbers; it may be a row or a column.

    Raises:
        CheckFailed: it has another shape.
    """
    if value.numel() != n or max(value.shape, default=1) != n:
        raise CheckFailed(f"{name} has shape {tuple(value.shape)}, not ({n},)")
    return value.reshape(n)


def expect_sigmoid(student: Student) -> None:
    """σ is right for moderate and for very large inputs, in arrays of several shapes."""
    for t in (torch.linspace(-4, 5, 12).double().reshape(3, 4), torch.tensor([-900.0, 900.0, 0.3]).double()):
        own = call(student.sigmoid, t)
        try:
            own = numbers(own, "σ")
        except CheckFailed:
            large = " (t = ±900: exp(900) is no float)" if t.abs().max() > 100 else ""
            raise CheckFailed(f"σ(t) is no finite number{large}") from None
        wrong = {
            "this is its derivative": torch.sigmoid(t) * (1 - torch.sigmoid(t)),
            "this is tanh": t.tanh(),
        }
        wrong["the sign of t is turned"] = torch.sigmoid(-t)
        expect(own, "σ(t)").close_to(torch.sigmoid(t), rtol=1e-5, atol=1e-9, mistakes=wrong)


def expect_forward(student: Student) -> None:
    for sizes in CASES:
        given = case(*sizes)
        X, params = given["X"], parameters(given)
        pair = call(student.forward, params, X)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`forward` should return two arrays, A and f")
        A, f = forward(params, X)
        Z = X @ params["W"].T
        own_A, own_f = numbers(pair[0], "A"), expect_vector(numbers(pair[1], "f"), len(X), "f")
        expect(own_A, "A").close_to(
            A,
            rtol=RTOL,
            atol=ATOL,
            mistakes={"the bias b is missing": Z.sigmoid(), "the sigmoid is missing": Z + params["b"]},
        )
        output = {"the bias c is missing": A @ params["v"], "the output unit is linear: no σ": f.sigmoid()}
        expect(own_f, "f").close_to(f, rtol=RTOL, atol=ATOL, mistakes=output)
