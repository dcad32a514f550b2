"""6.1a: data are scaled by the training set's mean and standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import about, call
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.reference import ATOL, RTOL, draw_inputs


def expect_scaling(student: Student, what: str) -> None:
    """`standardise(values, train)` uses the training set's mean and standard deviation, with N or N − 1.

    Args:
        what: "train" for the training set itself, "test" for other values.
    """
    for shape, seed in (((9, 3), 1), ((9,), 2)):
        train = 3 + 2 * draw_inputs(shape[0], seed, 3)[:, : shape[-1]]
        train = train * torch.tensor([1.0, 4.0, 0.5]).double()
        test = 5 + 3 * draw_inputs(6, seed + 10, 3) ** 2
        if len(shape) == 1:
            train, test = train[:, 0], test[:, 0]
        values = train if what == "train" else test
        right = [(values - train.mean(0)) / train.std(0, correction=d) for d in (0, 1)]
        own = alike(numbers(call(student.standardise, values, train), "what `standardise` returns"), values)
        with about("scaling the training set" if what == "train" else "scaling a test set"):
            if all(differ(own, one, RTOL, ATOL) for one in right):
                if what == "test" and scaled_like_training(student, train, test):
                    continue
                mistakes = scaling_mistakes(values, train, test)
                expect(own, "the result").close_to(right[0], rtol=RTOL, atol=ATOL, mistakes=mistakes)


def expect_untouched(student: Student) -> None:
    """`data_set` gets from `standardise` what single calls give: the arrays handed to it stay as they are."""
    points = [draw_inputs(n, seed) * 3 + 2 for n, seed in ((9, 21), (7, 22))]
    (X, y), (X_test, y_test) = ((each, each[:, 0] ** 2) for each in points)
    try:
        got, _ = call(student.data_set.call_with, {"sample": [[X, y], [X_test, y_test]]}, 0)
        single = [call(student.standardise, *pair) for pair in ((X, X), (y, y), (X_test, X), (y_test, y))]
        same = len(got) == 4 and all(
            differ(numbers(one, "scaled"), numbers(other, "scaled"), RTOL, ATOL) == 0
            for one, other in zip(got, single, strict=True)
        )
    except (CheckFailed, TypeError):
        return
    if not same:
        raise CheckFailed(
            "`standardise` changes the arrays that it is given: in `data_set` the training set is scaled in place, and "
            "with it go the statistics for the test set"
        )


def scaled_like_training(student: Student, train: Tensor, test: Tensor) -> bool:
    """Whether the student scales a test set by the same numbers as the training set, column by column, and these come
    from the training set. If they are wrong, that has lost its points."""
    scaled, own, elsewhere = (
        alike(numbers(call(student.standardise, values, known), "what `standardise` returns"), values)
        for values, known in ((train, train), (test, train), (test, 2 * train + 1))
    )
    if scaled.shape != train.shape or own.shape != test.shape:
        return False
    off = train - train.mean(0)
    times = (off * scaled).sum(0) / (off**2).sum(0)
    shift = scaled.mean(0) - times * train.mean(0)
    same_numbers = all(
        differ(got, times * values + shift, RTOL, ATOL) == 0 for got, values in ((scaled, train), (own, test))
    )
    return same_numbers and bool(scaled.any()) and differ(elsewhere, own, RTOL, ATOL) > 0


def scaling_mistakes(values: Tensor, train: Tensor, test: Tensor) -> list[tuple[str, Tensor]]:
    """What known mistakes make of the values, with N and then with N − 1 in the standard deviations."""
    mean, own_mean, both = train.mean(0), values.mean(0), torch.cat([train, test])
    mistakes = []
    for d in (0, 1):
        sd, own_sd = train.std(0, correction=d), values.std(0, correction=d)
        mistakes += [
            (
                "scaled by the statistics of the values themselves, not of the training set",
                (values - own_mean) / own_sd,
            ),
            (
                "the test set has entered mean and standard deviation",
                (values - both.mean(0)) / both.std(0, correction=d),
            ),
            ("the mean of the test set is subtracted", (values - own_mean) / sd),
            ("divided by the standard deviation of the test set", (values - mean) / own_sd),
            ("divided by the variance", (values - mean) / sd**2),
            (
                "one mean and one deviation for all columns",
                (values - train.mean()) / train.std(correction=d),
            ),
            ("the mean is not subtracted", values / sd),
            ("multiplied by the standard deviation", (values - mean) * sd),
        ]
    return [
        *mistakes,
        ("the standard deviation is missing", values - mean),
        ("nothing has changed", values),
    ]
