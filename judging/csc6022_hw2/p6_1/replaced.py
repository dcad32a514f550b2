"""Where earlier functions are wrong: right ones in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError
from judging.csc6022_hw2.p6_1.network import expect_forward
from judging.csc6022_hw2.p6_1.reference import CASES, PARAMETERS, Params, case, forward, gradients, parameters


def flipped(value: Tensor) -> Tensor:
    """A matrix transposed, anything else as it is."""
    return value.T if value.ndim == 2 else value


# For each function what it should be called with and what it then gives, call by call.
Known = dict[str, list[tuple[list[Any], Any]]]


def knowing(function: Any, known: Known, *arguments: Any) -> Any:
    """What a function of the student's returns where others of the student's give what they should.

    Raises:
        CheckFailed: it calls one of them with something else, or raises.
    """
    instead = {name: [gives for _, gives in each] for name, each in known.items()}
    value, calls = call(function.call_with, instead, *arguments)
    for name, each in calls.items():
        if not all(agree(got, wanted) for got, (wanted, _) in zip(each, cycle(known[name]), strict=False)):
            raise CheckFailed(f"`{name}` is called with other values than it should be")
    return value


def agree(got: Any, want: Any) -> bool:
    """Whether two values are the same numbers, in dicts and lists of the same form."""
    if isinstance(want, dict):
        return (
            isinstance(got, dict) and want.keys() == got.keys() and all(agree(got[k], want[k]) for k in want)
        )
    if isinstance(want, list):
        return isinstance(got, list | tuple) and len(got) == len(want) and all(map(agree, got, want))
    right = torch.as_tensor(want, dtype=torch.float64)
    try:
        return differ(alike(numbers(got, "an argument"), right), right, 1e-6, 1e-12) == 0
    except CheckFailed:
        return False


def known_backprop(params: Params, X: Tensor, y: Tensor) -> Known:
    """What `forward` and `backprop` give for one network and its data."""
    A, f = forward(params, X)
    delta = 2 * (f - y) / len(X)
    s = delta[:, None] * params["v"] * A * (1 - A)
    right = {"delta": delta, "s": s, **gradients(params, X, y, 0)}
    return {"forward": [([params, X], [A, f])], "backprop": [([params, X, y], right)]}


def own_or_right(expect: Callable[[bool], None], wrong: Callable[[], bool]) -> None:
    """Judge with the student's own functions of earlier parts and, if that fails and these are wrong, with right ones
    in their place.

    Args:
        expect: gets whether right ones are in their place.
        wrong: whether the student's own are.
    """
    try:
        expect(False)
    except CheckFailed as failure:
        if not wrong():
            raise
        try:
            expect(True)
        except CheckFailed as other:
            raise (other if isinstance(failure, StudentError) else failure) from None


def forward_is_wrong(student: Student) -> bool:
    """Whether the student's `forward` is; its own check judges that."""
    try:
        expect_forward(student)
    except CheckFailed:
        return True
    return False


def backprop_is_wrong(student: Student) -> bool:
    """Whether the student's `backprop` gives a wrong gradient, or `forward` a wrong value."""
    for sizes in CASES:
        given = case(*sizes)
        params, X, y = parameters(given), given["X"], given["y"]
        right = gradients(params, X, y, 0)
        try:
            own = call(student.backprop, params, X, y)
            if not agree([entry(own, name, "backprop") for name in right], list(right.values())):
                return True
        except CheckFailed:
            return True
    return forward_is_wrong(student)


def gradients_are_wrong(student: Student) -> bool:
    """Whether the student's `gradients` or `forward` gives wrong values."""
    for sizes in CASES:
        given = case(*sizes)
        right = gradients(parameters(given), given["X"], given["y"], LAMBDAS[0])
        try:
            if not agree(own_gradients(student, given, LAMBDAS[0]), right):
                return True
        except CheckFailed:
            return True
    return forward_is_wrong(student)


LAMBDAS = 0.35, 1.15


def own_gradients(
    student: Student, given: Mapping[str, Tensor], lam: float, repaired: bool = False
) -> Params:
    """What the student's `gradients` returns, each in its parameter's shape.

    Args:
        repaired: with right functions in place of `forward` and `backprop`.
    Raises:
        CheckFailed: it returns something else.
    """
    arguments = parameters(given), given["X"], given["y"]
    if repaired:
        result = knowing(student.gradients, known_backprop(*arguments), *arguments, lam)
    else:
        result = call(student.gradients, *arguments, lam)
    values = {}
    for name in PARAMETERS:
        value = alike(numbers(entry(result, name, "gradients"), f'"{name}"'), given[name])
        if value.shape != given[name].shape:
            value = flipped(value)  # a mistake of `backprop`, judged there
        if value.shape != given[name].shape:
            raise CheckFailed(f'"{name}" has shape {tuple(value.shape)}, not {tuple(given[name].shape)}')
        values[name] = value
    return values
